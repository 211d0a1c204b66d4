//! Alerts and the notices that are still to be sent.

use heliu_model::Ts;
use heliu_model::alert::{Alert, AlertKind, Notice, Trouble};
use heliu_model::ports::{AlertFilter, Observation, Observed, Sending};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::{Stop, from_json, to_json};

const ALERT: &str = "SELECT a.id, a.key, a.kind, a.plan, a.run, a.code, a.message, a.hint, a.opened, a.last, a.times, a.closed";

fn alert(r: &Row) -> rusqlite::Result<Alert> {
    Ok(Alert {
        id: r.get(0)?,
        trouble: Trouble {
            key: r.get(1)?,
            kind: AlertKind::parse(&r.get::<_, String>(2)?).unwrap_or(AlertKind::Failed),
            plan: r.get(3)?,
            run: r.get(4)?,
            code: r.get(5)?,
            message: from_json(&r.get::<_, String>(6)?),
            hint: from_json(&r.get::<_, String>(7)?),
        },
        opened: Ts(r.get(8)?),
        last: Ts(r.get(9)?),
        times: r.get::<_, i64>(10)?.unsigned_abs(),
        closed: r.get::<_, Option<i64>>(11)?.map(Ts),
    })
}

fn by_id(db: &Connection, id: i64) -> Result<Alert, Stop> {
    Ok(db.prepare_cached(&format!("{ALERT} FROM alerts a WHERE a.id = ?1"))?.query_row([id], alert)?)
}

fn tell(tx: &Transaction, alert: i64, recovery: bool, channels: &[String], now: Ts) -> Result<(), Stop> {
    for channel in channels {
        tx.prepare_cached(
            "INSERT INTO notices(alert, recovery, channel, since, due, tries) VALUES (?1, ?2, ?3, ?4, ?4, 0)",
        )?
        .execute(params![alert, recovery, channel, now.0])?;
    }
    Ok(())
}

/// Nothing is wrong and nothing was: the usual case, told without writing.
pub(crate) fn all_quiet(db: &Connection, seen: &Observation) -> Result<bool, Stop> {
    if !seen.troubles.is_empty() {
        return Ok(false);
    }
    Ok(open(db, seen)?.is_empty())
}

/// Open alerts that were judged and are no longer wrong.
fn open(db: &Connection, seen: &Observation) -> Result<Vec<i64>, Stop> {
    let mut q = db.prepare_cached("SELECT id, key, kind FROM alerts WHERE closed IS NULL ORDER BY id")?;
    let mut rows = q.query([])?;
    let mut out = Vec::new();
    while let Some(r) = rows.next()? {
        let (key, kind): (String, String) = (r.get(1)?, r.get(2)?);
        let judged = seen.judged.contains(&key) || seen.judged_kind.is_some_and(|k| k.word() == kind);
        if judged && !seen.troubles.iter().any(|t| t.key == key) {
            out.push(r.get(0)?);
        }
    }
    Ok(out)
}

pub(crate) fn observe(tx: &Transaction, seen: &Observation, now: Ts) -> Result<Observed, Stop> {
    let mut out = Observed::default();
    for t in &seen.troubles {
        let known = tx
            .prepare_cached(
                "UPDATE alerts SET kind = ?2, plan = ?3, run = ?4, code = ?5, message = ?6, hint = ?7, last = ?8,
                   times = times + 1 WHERE key = ?1 AND closed IS NULL",
            )?
            .execute(params![
                t.key, t.kind.word(), t.plan, t.run, t.code, to_json(&t.message), to_json(&t.hint), now.0
            ])?;
        if known > 0 {
            continue;
        }
        tx.prepare_cached(
            "INSERT INTO alerts(key, kind, plan, run, code, message, hint, opened, last, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 1)",
        )?
        .execute(params![
            t.key,
            t.kind.word(),
            t.plan,
            t.run,
            t.code,
            to_json(&t.message),
            to_json(&t.hint),
            now.0
        ])?;
        let id = tx.last_insert_rowid();
        tell(tx, id, false, &seen.channels, now)?;
        out.opened.push(by_id(tx, id)?);
    }
    for id in open(tx, seen)? {
        tx.prepare_cached("UPDATE alerts SET closed = ?2 WHERE id = ?1")?.execute(params![id, now.0])?;
        tell(tx, id, true, &seen.channels, now)?;
        out.closed.push(by_id(tx, id)?);
    }
    Ok(out)
}

pub(crate) fn list(db: &Connection, f: &AlertFilter) -> Result<Vec<Alert>, Stop> {
    let limit = if f.limit == 0 { -1 } else { f.limit as i64 };
    let mut q = db.prepare_cached(&format!(
        "{ALERT} FROM alerts a WHERE (?1 = 0 OR a.closed IS NULL) AND (?2 IS NULL OR a.plan = ?2)
         ORDER BY a.id DESC LIMIT ?3"
    ))?;
    let rows = q.query_map(params![f.open_only, f.plan, limit], alert)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn close(tx: &Transaction, id: i64, now: Ts) -> Result<bool, Stop> {
    let n =
        tx.execute("UPDATE alerts SET closed = ?2 WHERE id = ?1 AND closed IS NULL", params![id, now.0])?;
    Ok(n > 0)
}

/// Something of this channel is due: asked often, answered without writing.
pub(crate) fn due(db: &Connection, channel: &str, now: Ts) -> Result<bool, Stop> {
    let mut q = db.prepare_cached("SELECT 1 FROM notices WHERE channel = ?1 AND due <= ?2 LIMIT 1")?;
    Ok(q.query_row(params![channel, now.0], |_| Ok(())).optional()?.is_some())
}

pub(crate) fn take(
    tx: &Transaction,
    channel: &str,
    now: Ts,
    until: Ts,
    limit: usize,
) -> Result<Vec<Notice>, Stop> {
    let mut q = tx.prepare_cached(&format!(
        "{ALERT}, n.id, n.recovery, n.since, n.tries FROM notices n JOIN alerts a ON a.id = n.alert
         WHERE n.channel = ?1 AND n.due <= ?2 ORDER BY n.id LIMIT ?3"
    ))?;
    let rows = q.query_map(params![channel, now.0, limit as i64], |r| {
        Ok(Notice {
            id: r.get(12)?,
            alert: alert(r)?,
            recovery: r.get(13)?,
            since: Ts(r.get(14)?),
            tries: r.get(15)?,
        })
    })?;
    let out: Vec<Notice> = rows.collect::<rusqlite::Result<_>>()?;
    for n in &out {
        tx.prepare_cached("UPDATE notices SET due = ?2, tries = tries + 1 WHERE id = ?1")?
            .execute(params![n.id, until.0])?;
    }
    Ok(out)
}

pub(crate) fn settle(tx: &Transaction, ids: &[i64], what: Sending) -> Result<(), Stop> {
    for id in ids {
        match what {
            Sending::Again(at) => {
                tx.prepare_cached("UPDATE notices SET due = ?2 WHERE id = ?1")?.execute(params![id, at.0])?
            }
            Sending::Arrived | Sending::GivenUp => {
                tx.prepare_cached("DELETE FROM notices WHERE id = ?1")?.execute([id])?
            }
        };
    }
    Ok(())
}
