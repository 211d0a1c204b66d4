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
            _ => runs::plan(tx, &line.plan, &line.uuid, now)?.id,
        };
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

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it is wrong")]
mod tests {
    use heliu_model::Window;
    use heliu_model::ports::{CloseRun, Ledger, OpenRun, OwnedRun, RunOpening, Schedules};
    use heliu_model::run::{RunKind, RunState};

    use super::*;
    use crate::{Options, SqliteLedger};

    const NOW: Ts = Ts(1_710_403_200_000);

    fn ledger() -> (tempfile::TempDir, SqliteLedger) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(dir.path(), &Options::default()).unwrap();
        (dir, ledger)
    }

    fn line(plan: &str, trigger: Trigger, words: &str) -> TimetableLine {
        TimetableLine { plan: plan.into(), uuid: format!("id of {plan}"), trigger, words: words.into() }
    }

    fn open(plan: PlanId, ulid: &str, owner: &str, now: Ts, tick: Ts) -> OpenRun {
        OpenRun {
            plan,
            ulid: ulid.into(),
            kind: RunKind::Normal,
            windows: vec![(Window { from: Ts(0), to: now }, "{}".into())],
            owner: owner.into(),
            now,
            lease_until: now.plus_ms(60_000),
            tick: Some(Tick { trigger: Trigger::Source, at: tick }),
        }
    }

    fn owned(opening: RunOpening) -> OwnedRun {
        match opening {
            RunOpening::Owned(owned) => *owned,
            other => panic!("{other:?}"),
        }
    }

    fn close(run: &OwnedRun, state: RunState, now: Ts) -> CloseRun {
        let (problems, failure) = (Vec::new(), None);
        CloseRun { run: run.id, epoch: run.epoch, state, problems, failure, seconds: 0.0, now }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn lines_begin_now_and_an_edited_schedule_makes_no_missed_ticks() {
        let (_dir, ledger) = ledger();
        let lines = [
            line("a", Trigger::Source, "0 * * * *"),
            line("a", Trigger::Target, "30 * * * *"),
            line("b", Trigger::Source, "every 5m"),
        ];
        let first = ledger.timetable(&lines, NOW).await.unwrap();
        assert_eq!(
            first.iter().map(|s| (s.answered, s.owed, s.failures)).collect::<Vec<_>>(),
            [(NOW, None, 0); 3]
        );
        assert_eq!(first[0].plan, first[1].plan);
        assert_ne!(first[0].plan, first[2].plan);
        // Seen again an hour later: nothing has moved, whatever was missed is still known.
        let later = NOW.plus_ms(3_600_000);
        assert_eq!(ledger.timetable(&lines, later).await.unwrap(), first);
        let owe = TickAnswer {
            plan: first[0].plan,
            trigger: Trigger::Source,
            upto: None,
            owed: Some(later),
            failures: 2,
        };
        ledger.answer(&[owe]).await.unwrap();
        let edited = [line("a", Trigger::Source, "5 * * * *"), lines[1].clone()];
        let after = ledger.timetable(&edited, later).await.unwrap();
        assert_eq!((after[0].answered, after[0].owed, after[0].failures), (later, Some(later), 0));
        assert_eq!(after[1], first[1]);
        let off = ledger.timetable(&[line("a", Trigger::Source, "")], later).await.unwrap();
        assert_eq!(off[0].owed, None);
        assert_eq!(ledger.tick_states(first[0].plan).await.unwrap(), [off[0].clone(), first[1].clone()]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn of_two_schedulers_one_answers_a_tick() {
        let (_dir, ledger) = ledger();
        let plan = ledger.timetable(&[line("a", Trigger::Source, "0 * * * *")], NOW).await.unwrap()[0].plan;
        let tick = NOW.plus_ms(3_600_000);
        let run = owned(ledger.open_run(open(plan, "1", "one", tick, tick)).await.unwrap());
        // Begun and not heard of again: owed. While it runs the other one is told «busy», not «answered».
        assert_eq!(ledger.tick_states(plan).await.unwrap()[0].owed, Some(tick));
        let busy = ledger.open_run(open(plan, "2", "two", tick, tick)).await.unwrap();
        assert!(matches!(busy, RunOpening::Busy { .. }), "{busy:?}");
        ledger.close_run(close(&run, RunState::Done, tick)).await.unwrap();
        let done = TickAnswer { plan, trigger: Trigger::Source, upto: None, owed: None, failures: 0 };
        ledger.answer(&[done]).await.unwrap();
        let late = ledger.open_run(open(plan, "3", "two", tick, tick)).await.unwrap();
        assert!(matches!(&late, RunOpening::Answered(s) if s.answered == tick), "{late:?}");
        assert_eq!(ledger.runs(plan, 0).await.unwrap().len(), 1);
        // The next tick is another matter.
        let next = tick.plus_ms(3_600_000);
        owned(ledger.open_run(open(plan, "4", "two", next, next)).await.unwrap());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_owed_is_run_when_its_time_has_come_and_not_before() {
        let (_dir, ledger) = ledger();
        let plan = ledger.timetable(&[line("a", Trigger::Source, "0 * * * *")], NOW).await.unwrap()[0].plan;
        let tick = NOW.plus_ms(1_000);
        let run = owned(ledger.open_run(open(plan, "1", "one", tick, tick)).await.unwrap());
        ledger.close_run(close(&run, RunState::Open, tick)).await.unwrap();
        let again = tick.plus_ms(60_000);
        let owe = TickAnswer { plan, trigger: Trigger::Source, upto: None, owed: Some(again), failures: 1 };
        ledger.answer(&[owe]).await.unwrap();
        let early = ledger.open_run(open(plan, "2", "two", tick.plus_ms(59_000), tick)).await.unwrap();
        assert!(matches!(&early, RunOpening::Answered(s) if s.failures == 1), "{early:?}");
        let resumed = owned(ledger.open_run(open(plan, "3", "two", again, tick)).await.unwrap());
        assert!(resumed.resumed);
        assert_eq!(resumed.ulid, "1");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_never_goes_back() {
        let (_dir, ledger) = ledger();
        let plan = ledger.timetable(&[line("a", Trigger::Source, "0 * * * *")], NOW).await.unwrap()[0].plan;
        let back = NOW.plus_ms(-1);
        let mut answer =
            TickAnswer { plan, trigger: Trigger::Source, upto: Some(back), owed: None, failures: 0 };
        ledger.answer(&[answer]).await.unwrap();
        assert_eq!(ledger.tick_states(plan).await.unwrap()[0].answered, NOW);
        answer.upto = Some(NOW.plus_ms(1));
        ledger.answer(&[answer]).await.unwrap();
        assert_eq!(ledger.tick_states(plan).await.unwrap()[0].answered, NOW.plus_ms(1));
    }
}
