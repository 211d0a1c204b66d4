//! Replacing the sealing key while others work.
//!
//! One transaction seals everything anew and notes the new key's mark; the new key is in its file before, and takes the
//! old one's place after. Whoever opens or seals something compares its key with the mark in the same transaction, so
//! that a process that has been running since takes the new key, and a crash at any point leaves one key that fits.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use heliu_model::{Failure, Ts};
use rusqlite::{Connection, OptionalExtension, params};

use crate::seal::{Seal, take_over};
use crate::{SqliteLedger, Stop, secrets, tokens};

/// The key in use, and where it lies.
pub(crate) struct Keys {
    file: PathBuf,
    seal: RwLock<Seal>,
}

/// What was sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Named secrets.
    pub secrets: u64,
    /// Access and refresh tokens.
    pub tokens: u64,
}

impl Keys {
    pub fn new(file: PathBuf, seal: Seal) -> Keys {
        Keys { file, seal: RwLock::new(seal) }
    }

    fn now(&self) -> Seal {
        self.seal.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, seal: Seal) {
        *self.seal.write().unwrap_or_else(PoisonError::into_inner) = seal;
    }

    /// The key with which the ledger is sealed as this transaction sees it.
    ///
    /// # Errors
    /// The key was replaced, and the new one is not to be found.
    pub fn fitting(&self, db: &Connection) -> Result<Seal, Stop> {
        let mark: Option<String> = db
            .prepare_cached("SELECT key FROM sealing WHERE id = 1")?
            .query_row([], |r| r.get(0))
            .optional()?;
        let seal = self.now();
        let Some(mark) = mark.filter(|m| m != seal.mark()) else { return Ok(seal) };
        let seal = Seal::of_mark(&self.file, &mark)?;
        self.take(seal.clone());
        Ok(seal)
    }
}

impl SqliteLedger {
    /// Makes a new sealing key and seals every secret and token with it. Processes that are running take the new key
    /// by themselves, unless theirs comes from the environment.
    ///
    /// # Errors
    /// Something cannot be opened with the present key, or the data directory cannot be written: then nothing changed.
    pub async fn rotate_key(&self, now: Ts) -> Result<Rotated, Failure> {
        let (rotated, seal) = self
            .write("rotate_key", true, move |tx, keys| {
                let old = keys.fitting(tx)?;
                let new = Seal::replacement(&keys.file)?;
                let rotated = Rotated {
                    secrets: secrets::reseal(tx, &old, &new)?,
                    tokens: tokens::reseal(tx, &old, &new)?,
                };
                tx.execute(
                    "INSERT INTO sealing(id, key, since) VALUES (1, ?1, ?2)
                     ON CONFLICT(id) DO UPDATE SET key = excluded.key, since = excluded.since",
                    params![new.mark(), now.0],
                )?;
                Ok((rotated, new))
            })
            .await?;
        take_over(&self.inner.keys.file)?;
        self.inner.keys.take(seal);
        Ok(rotated)
    }
}
