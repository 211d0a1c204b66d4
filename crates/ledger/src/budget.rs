//! Budgets: slots reserved in the ledger, so that all processes of a project share them.

use heliu_model::Ts;
use heliu_model::budget::{Limits, MEMORY_MS, next_slot};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::Stop;

pub(crate) fn reserve(tx: &Transaction, credential: &str, limits: &Limits, now: Ts) -> Result<Ts, Stop> {
    let held: Option<i64> = tx
        .prepare_cached("SELECT until FROM budget_holds WHERE credential = ?1")?
        .query_row([credential], |r| r.get(0))
        .optional()?;
    tx.prepare_cached("DELETE FROM budget WHERE credential = ?1 AND at < ?2")?
        .execute(params![credential, now.0 - MEMORY_MS])?;
    let mut q = tx.prepare_cached("SELECT at FROM budget WHERE credential = ?1 ORDER BY at")?;
    let sent: Vec<i64> = q.query_map([credential], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    let at = next_slot(&sent, limits, now.0.max(held.unwrap_or(0)));
    tx.prepare_cached("INSERT INTO budget(credential, at) VALUES (?1, ?2)")?
        .execute(params![credential, at])?;
    Ok(Ts(at))
}

pub(crate) fn hold(tx: &Transaction, credential: &str, until: Ts) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO budget_holds(credential, until) VALUES (?1, ?2)
         ON CONFLICT(credential) DO UPDATE SET until = max(until, excluded.until)",
        params![credential, until.0],
    )?;
    Ok(())
}
