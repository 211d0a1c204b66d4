//! Tokens: sealed, written before anyone uses them, refreshed by one process at a time.

use heliu_model::ports::{RefreshStart, TokenEvent, TokenPair, TokenRow};
use heliu_model::{Failure, Secret, Ts};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::Stop;
use crate::seal::Seal;

fn place(credential: &str, what: &str) -> String {
    format!("tokens/{credential}/{what}")
}

/// Seals all tokens with another key. Returns how many there were.
pub(crate) fn reseal(tx: &Transaction, old: &Seal, new: &Seal) -> Result<u64, Stop> {
    let names: Vec<String> = tx
        .prepare("SELECT credential FROM tokens")?
        .query_map([], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut n = 0;
    for credential in names {
        let Some(row) = raw(tx, &credential)? else { continue };
        let again = |sealed: &[u8], what: &str| -> Result<Vec<u8>, Failure> {
            let place = place(&credential, what);
            new.seal(&old.open_sealed(sealed, &place)?, &place)
        };
        let access = again(&row.access, "access")?;
        let refresh = row.refresh.as_deref().map(|r| again(r, "refresh")).transpose()?;
        n += 1 + u64::from(refresh.is_some());
        tx.execute(
            "UPDATE tokens SET access = ?2, refresh = ?3 WHERE credential = ?1",
            params![credential, access, refresh],
        )?;
    }
    Ok(n)
}

struct Raw {
    generation: i64,
    access: Vec<u8>,
    refresh: Option<Vec<u8>>,
    expires_at: Option<i64>,
    origin: String,
    stored_at: i64,
    needs: bool,
    intent_owner: Option<String>,
    intent_at: Option<i64>,
}

fn raw(db: &Connection, credential: &str) -> Result<Option<Raw>, Stop> {
    Ok(db
        .prepare_cached(
            "SELECT generation, access, refresh, expires_at, origin, stored_at, needs_authorisation, intent_owner, intent_at
             FROM tokens WHERE credential = ?1",
        )?
        .query_row([credential], |r| {
            Ok(Raw {
                generation: r.get(0)?,
                access: r.get(1)?,
                refresh: r.get(2)?,
                expires_at: r.get(3)?,
                origin: r.get(4)?,
                stored_at: r.get(5)?,
                needs: r.get(6)?,
                intent_owner: r.get(7)?,
                intent_at: r.get(8)?,
            })
        })
        .optional()?)
}

fn open(raw: &Raw, seal: &Seal, credential: &str) -> Result<TokenRow, Failure> {
    let secret = |sealed: &[u8], what: &str| -> Result<Secret, Failure> {
        seal.open_sealed(sealed, &place(credential, what))
    };
    Ok(TokenRow {
        pair: TokenPair {
            access: secret(&raw.access, "access")?,
            refresh: raw.refresh.as_deref().map(|r| secret(r, "refresh")).transpose()?,
            expires_at: raw.expires_at.map(Ts),
        },
        generation: u64::try_from(raw.generation).unwrap_or(0),
        origin: raw.origin.clone(),
        broken_refresh: raw.intent_at.map(Ts),
        needs_authorisation: raw.needs,
        stored_at: Ts(raw.stored_at),
    })
}

pub(crate) fn load(db: &Connection, seal: &Seal, credential: &str) -> Result<Option<TokenRow>, Stop> {
    match raw(db, credential)? {
        Some(r) => Ok(Some(open(&r, seal, credential)?)),
        None => Ok(None),
    }
}

fn store(
    tx: &Transaction,
    seal: &Seal,
    credential: &str,
    pair: &TokenPair,
    origin: Option<&str>,
    needs: bool,
    now: Ts,
) -> Result<(), Stop> {
    let access = seal.seal(&pair.access, &place(credential, "access"))?;
    let refresh = pair.refresh.as_ref().map(|r| seal.seal(r, &place(credential, "refresh"))).transpose()?;
    tx.execute(
        "INSERT INTO tokens(credential, generation, access, refresh, expires_at, origin, stored_at, needs_authorisation)
         VALUES (?1, 1, ?2, ?3, ?4, coalesce(?5, ''), ?6, ?7)
         ON CONFLICT(credential) DO UPDATE SET generation = generation + 1, access = excluded.access,
           refresh = excluded.refresh, expires_at = excluded.expires_at, origin = coalesce(?5, origin),
           stored_at = excluded.stored_at, needs_authorisation = excluded.needs_authorisation,
           intent_owner = NULL, intent_at = NULL",
        params![credential, access, refresh, pair.expires_at.map(|t| t.0), origin, now.0, needs],
    )?;
    Ok(())
}

fn event(tx: &Transaction, credential: &str, e: &TokenEvent) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO token_events(credential, at, event, by, detail, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![credential, e.at.0, e.event, e.by, e.detail, e.expires_at.map(|t| t.0)],
    )?;
    Ok(())
}

pub(crate) fn adopt(
    tx: &Transaction,
    seal: &Seal,
    credential: &str,
    pair: &TokenPair,
    origin: &str,
    now: Ts,
) -> Result<TokenRow, Stop> {
    // Several plans may find the edited file at the same time: it replaces what was stored before it once, and nothing
    // that was obtained with it since.
    if let Some(row) = raw(tx, credential)?.filter(|r| r.origin == origin) {
        return Ok(open(&row, seal, credential)?);
    }
    store(tx, seal, credential, pair, Some(origin), false, now)?;
    let line = TokenEvent {
        at: now,
        event: "loaded".into(),
        by: "connector file".into(),
        detail: String::new(),
        expires_at: pair.expires_at,
    };
    event(tx, credential, &line)?;
    load(tx, seal, credential)?.ok_or_else(|| missing(credential))
}

fn missing(credential: &str) -> Stop {
    let credential = credential.to_owned();
    Failure::internal(
        "HL-6013",
        heliu_model::text!("no token is stored for {credential}", "没有为 {credential} 保存令牌"),
    )
    .into()
}

pub(crate) fn begin_refresh(
    tx: &Transaction,
    seal: &Seal,
    credential: &str,
    generation: u64,
    owner: &str,
    now: Ts,
    stale_ms: u64,
) -> Result<RefreshStart, Stop> {
    let Some(row) = raw(tx, credential)? else {
        // Nothing stored yet: an empty row holds the intent.
        store(tx, seal, credential, &TokenPair::default(), Some(""), false, now)?;
        tx.execute(
            "UPDATE tokens SET generation = 0, intent_owner = ?2, intent_at = ?3 WHERE credential = ?1",
            params![credential, owner, now.0],
        )?;
        return Ok(RefreshStart::Yours { broken: false });
    };
    if u64::try_from(row.generation).unwrap_or(0) > generation {
        return Ok(RefreshStart::Newer(open(&row, seal, credential)?));
    }
    let mut broken = false;
    if let (Some(other), Some(at)) = (&row.intent_owner, row.intent_at) {
        let age = u64::try_from(now.0 - at).unwrap_or(0);
        if other != owner && age < stale_ms && !crate::runs::dead_owner(other) {
            return Ok(RefreshStart::Busy(100));
        }
        broken = true;
    }
    tx.execute(
        "UPDATE tokens SET intent_owner = ?2, intent_at = ?3 WHERE credential = ?1",
        params![credential, owner, now.0],
    )?;
    Ok(RefreshStart::Yours { broken })
}

pub(crate) fn end_refresh(
    tx: &Transaction,
    seal: &Seal,
    credential: &str,
    owner: &str,
    pair: Option<&TokenPair>,
    needs: bool,
    line: &TokenEvent,
) -> Result<Option<TokenRow>, Stop> {
    let held: Option<Option<String>> = tx
        .query_row("SELECT intent_owner FROM tokens WHERE credential = ?1", [credential], |r| r.get(0))
        .optional()?;
    let ours = held.flatten().as_deref() == Some(owner);
    event(tx, credential, line)?;
    match pair {
        // A pair that was obtained is kept even if the intent was taken over meanwhile: it is the newest there is.
        Some(pair) => store(tx, seal, credential, pair, None, needs, line.at)?,
        None if ours => {
            tx.execute(
                "UPDATE tokens SET intent_owner = NULL, intent_at = NULL, needs_authorisation = ?2 WHERE credential = ?1",
                params![credential, needs],
            )?;
        }
        None => {}
    }
    load(tx, seal, credential)
}

pub(crate) fn history(db: &Connection, credential: &str, limit: usize) -> Result<Vec<TokenEvent>, Stop> {
    let mut q = db.prepare_cached(
        "SELECT at, event, by, detail, expires_at FROM token_events WHERE credential = ?1 ORDER BY rowid DESC LIMIT ?2",
    )?;
    let rows = q.query_map(params![credential, if limit == 0 { -1 } else { limit as i64 }], |r| {
        Ok(TokenEvent {
            at: Ts(r.get(0)?),
            event: r.get(1)?,
            by: r.get(2)?,
            detail: r.get(3)?,
            expires_at: r.get::<_, Option<i64>>(4)?.map(Ts),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
