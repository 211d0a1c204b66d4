//! Sealed secrets that connectors refer to by name.

use heliu_model::{Failure, Secret, Ts};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::seal::Seal;
use crate::{SqliteLedger, Stop};

/// A stored secret, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Name.
    pub name: String,
    /// When it was set.
    pub stored_at: Ts,
}

fn place(name: &str) -> String {
    format!("secrets/{name}")
}

/// Seals all secrets with another key. Returns how many there were.
pub(crate) fn reseal(tx: &Transaction, old: &Seal, new: &Seal) -> Result<u64, Stop> {
    let all: Vec<(String, Vec<u8>)> = tx
        .prepare("SELECT name, sealed FROM secrets")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (name, sealed) in &all {
        let sealed = new.seal(&old.open_sealed(sealed, &place(name))?, &place(name))?;
        tx.execute("UPDATE secrets SET sealed = ?2 WHERE name = ?1", params![name, sealed])?;
    }
    Ok(all.len() as u64)
}

impl SqliteLedger {
    /// Sets a secret, replacing what was there.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn set_secret(&self, name: &str, secret: &Secret, now: Ts) -> Result<(), Failure> {
        let (name, secret) = (name.to_owned(), secret.clone());
        self.write("set_secret", true, move |tx, keys| {
            let sealed = keys.fitting(tx)?.seal(&secret, &place(&name))?;
            tx.execute(
                "INSERT INTO secrets(name, sealed, stored_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT(name) DO UPDATE SET sealed = excluded.sealed, stored_at = excluded.stored_at",
                params![name, sealed, now.0],
            )?;
            Ok(())
        })
        .await
    }

    /// A secret's text.
    ///
    /// # Errors
    /// The ledger cannot be read, or the key does not fit.
    pub async fn secret(&self, name: &str) -> Result<Option<Secret>, Failure> {
        let name = name.to_owned();
        self.read(move |db, keys| {
            // One view of both: the secret, and the key that fits it.
            let db = db.unchecked_transaction()?;
            let sealed: Option<Vec<u8>> = db
                .query_row("SELECT sealed FROM secrets WHERE name = ?1", [&name], |r| r.get(0))
                .optional()?;
            Ok(match sealed {
                Some(s) => Some(keys.fitting(&db)?.open_sealed(&s, &place(&name))?),
                None => None,
            })
        })
        .await
    }

    /// Names of all secrets.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn secrets(&self) -> Result<Vec<SecretInfo>, Failure> {
        self.read(|db, _| {
            let mut q = db.prepare_cached("SELECT name, stored_at FROM secrets ORDER BY name")?;
            let rows = q.query_map([], |r| Ok(SecretInfo { name: r.get(0)?, stored_at: Ts(r.get(1)?) }))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Removes a secret; false when there was none.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn remove_secret(&self, name: &str) -> Result<bool, Failure> {
        let name = name.to_owned();
        self.write("remove_secret", true, move |tx, _| {
            Ok(tx.execute("DELETE FROM secrets WHERE name = ?1", [&name])? > 0)
        })
        .await
    }
}
