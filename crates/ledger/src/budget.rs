//! Budgets: slots given by the ledger, so that all processes of a project share them.
//!
//! Processes that want the same credential's budget take turns: whoever has to wait gets a number, and goes before all
//! who come later. A number is given up by taking a slot, by dying, and by staying away for longer than a moment. So a
//! process that waits sees at most one request of each process with an older number go before its own, and none of
//! those that keep it from its slot come later.

use heliu_model::Ts;
use heliu_model::budget::{
    AHEAD_MS, AT_WORK_MS, Book, FULL, GRACE_MS, LOST_MS, Limits, MOST_HOLD_MS, MOST_WAIT_MS, Pace, Throttle,
    Usage, after_throttle, memory_ms,
};
use heliu_model::ports::Slot;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{Stop, runs};

/// A slot without an owner is released; `at` is when. With one it is under way, and `at` is its begin.
struct Taken {
    slot: i64,
    at: i64,
    owner: Option<String>,
    begun: Option<i64>,
    sender: Option<String>,
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
    let held = held(tx, credential)?.unwrap_or(0);
    let mut pace = pace(tx, credential)?;
    if let Some(p) = &mut pace {
        p.set_back(now);
        if p.at(now) >= FULL {
            tx.prepare_cached("DELETE FROM budget_pace WHERE credential = ?1")?.execute([credential])?;
            pace = None;
        }
    }
    tx.prepare_cached("DELETE FROM budget WHERE credential = ?1 AND at < ?2 AND owner IS NULL")?
        .execute(params![credential, now.0 - memory_ms(pace.as_ref(), now)])?;
    let mut q = tx.prepare_cached(
        "SELECT rowid, at, owner, begun, sender FROM budget WHERE credential = ?1 ORDER BY at",
    )?;
    let taken: Vec<Taken> = q
        .query_map([credential], |r| {
            let (slot, at, owner) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok(Taken { slot, at, owner, begun: r.get(3)?, sender: r.get(4)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let last = taken.iter().filter_map(|t| t.begun).max().map(|t| t.min(now.0));
    let mut shared = taken.iter().any(|t| {
        (t.owner.is_some() || t.at > now.0 - AT_WORK_MS) && t.sender.as_deref().is_some_and(|s| s != owner)
    });
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
    let Queue { number, ahead, others } = queue(tx, credential, owner, now)?;
    shared |= others;
    let at = Book { sent: &sent, limits, pace: pace.as_ref(), held, ahead: &ahead, last, shared }.turn(now);
    if at > now.0 {
        tx.prepare_cached(
            "INSERT INTO budget_queue(credential, owner, due) VALUES (?1, ?2, ?3)
             ON CONFLICT(credential, owner) DO UPDATE SET due = excluded.due",
        )?
        .execute(params![credential, owner, at])?;
        return Ok(Slot::Wait(Ts(at)));
    }
    if let Some(number) = number {
        tx.prepare_cached("DELETE FROM budget_queue WHERE number = ?1")?.execute([number])?;
    }
    tx.prepare_cached(
        "INSERT INTO budget(credential, at, owner, begun, sender) VALUES (?1, ?2, ?3, ?2, ?3)",
    )?
    .execute(params![credential, at, owner])?;
    Ok(Slot::Go(tx.last_insert_rowid()))
}

/// Who waits.
struct Queue {
    /// The number of the one that asks.
    number: Option<i64>,
    /// Until when those before it were told to wait.
    ahead: Vec<i64>,
    /// Others wait, before it or behind.
    others: bool,
}

/// The queue; who stays away has no place any longer.
fn queue(tx: &Transaction, credential: &str, owner: &str, now: Ts) -> Result<Queue, Stop> {
    let mut q = tx.prepare_cached(
        "SELECT number, owner, due FROM budget_queue WHERE credential = ?1 ORDER BY number",
    )?;
    let all: Vec<(i64, String, i64)> = q
        .query_map([credential], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut out = Queue { number: None, ahead: Vec::new(), others: false };
    for (number, who, due) in all {
        if who == owner {
            out.number = Some(number);
        } else if now.0 > due + GRACE_MS || due > now.0 + MOST_WAIT_MS + AHEAD_MS || runs::dead_owner(&who) {
            tx.prepare_cached("DELETE FROM budget_queue WHERE number = ?1")?.execute([number])?;
        } else {
            out.others = true;
            if out.number.is_none() {
                out.ahead.push(due);
            }
        }
    }
    Ok(out)
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

pub(crate) fn slow(
    tx: &Transaction,
    credential: &str,
    limits: &Limits,
    told: &Throttle,
    now: Ts,
) -> Result<Ts, Stop> {
    let mut before = pace(tx, credential)?;
    if let Some(p) = &mut before {
        p.set_back(now);
    }
    // What all processes sent together, as far as it was counted.
    let lately: u32 = tx
        .prepare_cached("SELECT count(*) FROM budget WHERE credential = ?1 AND begun > ?2")?
        .query_row(params![credential, now.0 - 10_000], |r| r.get(0))?;
    let told = &Throttle { rate: told.rate.max(lately.saturating_mul(6)), ..*told };
    let slowed = Pace::slowed(before, told, now);
    save_pace(tx, credential, &slowed)?;
    hold(tx, credential, told.until)?;
    let held = held(tx, credential)?.unwrap_or(0).min(now.0 + MOST_HOLD_MS);
    Ok(after_throttle(limits, &slowed, held, now))
}

fn held(db: &Connection, credential: &str) -> Result<Option<i64>, Stop> {
    Ok(db
        .prepare_cached("SELECT until FROM budget_holds WHERE credential = ?1")?
        .query_row([credential], |r| r.get(0))
        .optional()?)
}

fn pace(db: &Connection, credential: &str) -> Result<Option<Pace>, Stop> {
    Ok(db
        .prepare_cached("SELECT permille, since, cut, base FROM budget_pace WHERE credential = ?1")?
        .query_row([credential], |r| {
            Ok(Pace { permille: r.get(0)?, since: r.get(1)?, cut: r.get(2)?, base: r.get(3)? })
        })
        .optional()?)
}

fn save_pace(tx: &Transaction, credential: &str, p: &Pace) -> Result<(), Stop> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO budget_pace(credential, permille, since, cut, base)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![credential, p.permille, p.since, p.cut, p.base])?;
    Ok(())
}

pub(crate) fn usage(db: &Connection, credential: Option<&str>, now: Ts) -> Result<Vec<Usage>, Stop> {
    // One view of all.
    let db = db.unchecked_transaction()?;
    let mut names = db.prepare_cached(
        "SELECT credential FROM budget WHERE ?1 IS NULL OR credential = ?1
         UNION SELECT credential FROM budget_holds WHERE ?1 IS NULL OR credential = ?1
         UNION SELECT credential FROM budget_pace WHERE ?1 IS NULL OR credential = ?1
         UNION SELECT credential FROM budget_queue WHERE ?1 IS NULL OR credential = ?1",
    )?;
    let names: Vec<String> = names.query_map([credential], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    names.into_iter().map(|name| usage_of(&db, name, now)).collect()
}

fn usage_of(db: &Connection, credential: String, now: Ts) -> Result<Usage, Stop> {
    let pace = pace(db, &credential)?.map(|mut p| {
        p.set_back(now);
        p
    });
    let pace = pace.filter(|p| p.at(now) < FULL);
    let mut out = Usage {
        held: held(db, &credential)?.filter(|t| *t > now.0).map(|t| Ts(t.min(now.0 + MOST_HOLD_MS))),
        pace: pace.map(|p| p.at(now)),
        base: pace.map(|p| p.base),
        ..Usage::default()
    };
    let mut q = db.prepare_cached(
        "SELECT at, owner FROM budget WHERE credential = ?1 AND (at > ?2 OR owner IS NOT NULL)",
    )?;
    let slots = q.query_map(params![credential, now.0 - 60_000], |r| {
        Ok((r.get::<_, i64>(0)?, r.get::<_, Option<String>>(1)?))
    })?;
    for slot in slots {
        let (at, owner) = slot?;
        // What a dead process had under way has arrived just now, at the latest.
        let under_way = owner.is_some_and(|o| now.0 - at <= LOST_MS && !runs::dead_owner(&o));
        out.count(at, under_way, now);
    }
    let mut q = db.prepare_cached("SELECT owner, due FROM budget_queue WHERE credential = ?1")?;
    let waiting = q.query_map([&credential], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    for one in waiting {
        let (owner, due) = one?;
        out.waiting += u32::from(now.0 <= due + GRACE_MS && !runs::dead_owner(&owner));
    }
    out.credential = credential;
    Ok(out)
}
