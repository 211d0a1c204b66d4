//! Ticks that have been answered.

use heliu_model::Ts;
use heliu_model::ports::{PlanId, Tick, TickAnswer, TickState, TimetableLine, Trigger};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::{Stop, runs};

const STATE: &str = "SELECT plan, what, answered, owed, failures FROM schedules WHERE plan = ?1";

fn row(r: &Row) -> rusqlite::Result<TickState> {
    Ok(TickState {
        plan: r.get(0)?,
        trigger: Trigger::parse(&r.get::<_, String>(1)?).unwrap_or(Trigger::Source),
        answered: Ts(r.get(2)?),
        owed: r.get::<_, Option<i64>>(3)?.map(Ts),
        failures: r.get(4)?,
    })
}

pub(crate) fn state(db: &Connection, plan: PlanId, trigger: Trigger) -> Result<Option<TickState>, Stop> {
    let mut q = db.prepare_cached(&format!("{STATE} AND what = ?2"))?;
    Ok(q.query_row(params![plan, trigger.word()], row).optional()?)
}

pub(crate) fn states(db: &Connection, plan: PlanId) -> Result<Vec<TickState>, Stop> {
    let mut q = db.prepare_cached(STATE)?;
    let mut out: Vec<TickState> = q.query_map([plan], row)?.collect::<rusqlite::Result<_>>()?;
    out.sort_by_key(|s| s.trigger);
    Ok(out)
}

pub(crate) fn timetable(tx: &Transaction, lines: &[TimetableLine], now: Ts) -> Result<Vec<TickState>, Stop> {
    let mut out = Vec::with_capacity(lines.len());
    let mut last: Option<(&str, PlanId)> = None;
    for line in lines {
        let plan = match last {
            Some((name, id)) if name == line.plan => id,
            // A plan that is gone from this name may go on under another one.
            _ if line.words.is_empty()
                && runs::plan_by_id(tx, &line.uuid)?.is_some_and(|p| p.name != line.plan) =>
            {
                0
            }
            _ => runs::plan(tx, &line.plan, &line.uuid, now)?.id,
        };
        if plan == 0 {
            let (trigger, answered) = (line.trigger, now);
            out.push(TickState { plan, trigger, answered, owed: None, failures: 0 });
            continue;
        }
        last = Some((&line.plan, plan));
        tx.prepare_cached(
            "INSERT INTO schedules(plan, what, words, answered) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(plan, what) DO UPDATE SET words = excluded.words, failures = 0,
               owed = CASE WHEN excluded.words = '' THEN NULL ELSE owed END,
               answered = max(answered, excluded.answered) WHERE words <> excluded.words",
        )?
        .execute(params![plan, line.trigger.word(), line.words, now.0])?;
        if let Some(state) = state(tx, plan, line.trigger)? {
            out.push(state);
        }
    }
    Ok(out)
}

/// Marks a tick as answered by the run that is being opened, and that run as owed until it is heard of again.
pub(crate) fn begin(tx: &Transaction, plan: PlanId, tick: Tick, now: Ts) -> Result<(), Stop> {
    tx.prepare_cached(
        "INSERT INTO schedules(plan, what, words, answered, owed) VALUES (?1, ?2, '', ?3, ?4)
         ON CONFLICT(plan, what) DO UPDATE SET answered = max(answered, excluded.answered), owed = excluded.owed",
    )?
    .execute(params![plan, tick.trigger.word(), tick.at.0, now.0])?;
    Ok(())
}

pub(crate) fn answer(tx: &Transaction, a: &TickAnswer) -> Result<(), Stop> {
    tx.prepare_cached(
        "UPDATE schedules SET answered = max(answered, coalesce(?3, answered)), owed = ?4, failures = ?5
         WHERE plan = ?1 AND what = ?2",
    )?
    .execute(params![a.plan, a.trigger.word(), a.upto.map(|t| t.0), a.owed.map(|t| t.0), a.failures])?;
    Ok(())
}
