//! Budgets: slots given by the ledger, so that all processes of a project share them.

use heliu_model::Ts;
use heliu_model::budget::{AHEAD_MS, LOST_MS, Limits, MEMORY_MS, MOST_HOLD_MS, next_slot};
use heliu_model::ports::Slot;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{Stop, runs};

/// A slot without an owner is released; `at` is when. With one it is under way, and `at` is its begin.
struct Taken {
    slot: i64,
    at: i64,
    owner: Option<String>,
}

pub(crate) fn reserve(
    tx: &Transaction,
    credential: &str,
    limits: &Limits,
    owner: &str,
    now: Ts,
) -> Result<Slot, Stop> {
    // The clock was set back: what seems to come was just now.
    tx.prepare_cached("UPDATE budget SET at = ?2 WHERE credential = ?1 AND at > ?2 + ?3")?
        .execute(params![credential, now.0, AHEAD_MS])?;
    tx.prepare_cached("UPDATE budget_holds SET until = ?2 WHERE credential = ?1 AND until > ?2 + ?3")?
        .execute(params![credential, now.0 + MOST_HOLD_MS, AHEAD_MS])?;
    let held: Option<i64> = tx
        .prepare_cached("SELECT until FROM budget_holds WHERE credential = ?1")?
        .query_row([credential], |r| r.get(0))
        .optional()?;
    tx.prepare_cached("DELETE FROM budget WHERE credential = ?1 AND at < ?2 AND owner IS NULL")?
        .execute(params![credential, now.0 - MEMORY_MS])?;
    let mut q = tx.prepare_cached("SELECT rowid, at, owner FROM budget WHERE credential = ?1 ORDER BY at")?;
    let taken: Vec<Taken> = q
        .query_map([credential], |r| Ok(Taken { slot: r.get(0)?, at: r.get(1)?, owner: r.get(2)? }))?
        .collect::<rusqlite::Result<_>>()?;
    let mut sent = Vec::with_capacity(taken.len());
    for t in taken {
        let Some(by) = &t.owner else {
            sent.push(t.at);
            continue;
        };
        // Whose process is gone cannot arrive any more, but may have arrived just now.
        if now.0 - t.at > LOST_MS || (by != owner && runs::dead_owner(by)) {
            release(tx, t.slot, now)?;
        }
        sent.push(now.0);
    }
    let at = next_slot(&sent, limits, now.0.max(held.unwrap_or(0)));
    if at > now.0 {
        return Ok(Slot::Wait(Ts(at)));
    }
    tx.prepare_cached("INSERT INTO budget(credential, at, owner) VALUES (?1, ?2, ?3)")?
        .execute(params![credential, at, owner])?;
    Ok(Slot::Go(tx.last_insert_rowid()))
}

pub(crate) fn release(tx: &Transaction, slot: i64, now: Ts) -> Result<(), Stop> {
    tx.prepare_cached("UPDATE budget SET at = ?2, owner = NULL WHERE rowid = ?1 AND owner IS NOT NULL")?
        .execute(params![slot, now.0])?;
    Ok(())
}

pub(crate) fn hold(tx: &Transaction, credential: &str, until: Ts) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO budget_holds(credential, until) VALUES (?1, ?2)
         ON CONFLICT(credential) DO UPDATE SET until = max(until, excluded.until)",
        params![credential, until.0],
    )?;
    Ok(())
}
