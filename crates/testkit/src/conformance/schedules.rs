//! Ticks.

use std::sync::Arc;

use heliu_model::Ts;
use heliu_model::ports::*;
use heliu_model::run::{RunKind, RunState};

use super::*;

fn line(plan: &str, trigger: Trigger, words: &str) -> TimetableLine {
    TimetableLine { plan: plan.into(), uuid: format!("id of {plan}"), trigger, words: words.into() }
}

impl Bench {
    async fn ticked(&mut self, owner: &str, at: Ts) -> RunOpening {
        self.runs += 1;
        let wish = OpenRun {
            plan: self.plan,
            ulid: format!("01HTICK{:019}", self.runs),
            kind: RunKind::Normal,
            windows: vec![(Window { from: START, to: self.now }, "walk".into())],
            owner: owner.to_owned(),
            now: self.now,
            lease_until: self.now.plus_ms(LEASE),
            tick: Some(Tick { trigger: Trigger::Source, at }),
        };
        self.store.open_run(wish).await.expect("open_run")
    }

    async fn tick(&self) -> TickState {
        self.store.tick_states(self.plan).await.expect("tick_states").remove(0)
    }
}

/// Neither a new line nor an edited one makes missed ticks; switching off forgets what is owed.
pub async fn lines_begin_now_and_edited_ones_anew(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let lines = [line("shops", Trigger::Target, "every 5m"), line("orders", Trigger::Source, "0 * * * *")];
    let first = b.store.timetable(&lines, b.now).await.expect("timetable");
    assert_eq!((first[0].plan, first[0].answered, first[0].owed), (b.plan, b.now, None));
    assert_ne!(first[1].plan, b.plan);
    b.later(60_000);
    assert_eq!(b.store.timetable(&lines, b.now).await, Ok(first.clone()));
    let owe =
        TickAnswer { plan: b.plan, trigger: Trigger::Target, upto: None, owed: Some(b.now), failures: 2 };
    b.store.answer(&[owe]).await.expect("answer");
    let edited = [line("shops", Trigger::Target, "every 6m")];
    let after = b.store.timetable(&edited, b.now).await.expect("timetable").remove(0);
    assert_eq!((after.answered, after.owed, after.failures), (b.now, Some(b.now), 0));
    let off = b.store.timetable(&[line("shops", Trigger::Target, "")], b.now).await.expect("timetable");
    assert_eq!(off[0].owed, None);
}

/// Of two processes one opens it; busy leaves it unanswered.
pub async fn a_tick_is_answered_by_one_run(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    b.store.timetable(&[line("shops", Trigger::Source, "every 5m")], b.now).await.expect("timetable");
    b.later(300_000);
    let tick = b.now;
    let RunOpening::Owned(run) = b.ticked("one", tick).await else { panic!("the tick is new") };
    assert_eq!((b.tick().await.answered, b.tick().await.owed), (tick, Some(tick)));
    assert!(matches!(b.ticked("two", tick).await, RunOpening::Busy { .. }));
    let next = tick.plus_ms(1);
    b.later(1);
    assert!(matches!(b.ticked("two", next).await, RunOpening::Busy { .. }));
    assert_eq!(b.tick().await.answered, tick, "busy answers nothing");
    b.commit(Sheet::new(&run, vec![]).close(true, None)).await;
    b.close(&run, RunState::Done).await;
    let done = TickAnswer { plan: b.plan, trigger: Trigger::Source, upto: None, owed: None, failures: 0 };
    b.store.answer(&[done]).await.expect("answer");
    assert!(matches!(b.ticked("two", tick).await, RunOpening::Answered(s) if s.answered == tick));
    assert!(matches!(b.ticked("two", next).await, RunOpening::Owned(_)));
    let back = TickAnswer { upto: Some(START), ..done };
    b.store.answer(&[back]).await.expect("answer");
    assert_eq!(b.tick().await.answered, next, "never back");
}

/// A run that could not finish is resumed when it is due, not before.
pub async fn what_is_owed_is_run_when_its_time_has_come(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    b.store.timetable(&[line("shops", Trigger::Source, "every 5m")], b.now).await.expect("timetable");
    b.later(300_000);
    let tick = b.now;
    let RunOpening::Owned(run) = b.ticked("one", tick).await else { panic!("the tick is new") };
    b.close(&run, RunState::Open).await;
    let owed = Some(b.now.plus_ms(60_000));
    let owe = TickAnswer { plan: b.plan, trigger: Trigger::Source, upto: None, owed, failures: 1 };
    b.store.answer(&[owe]).await.expect("answer");
    b.later(59_000);
    assert!(matches!(b.ticked("two", tick).await, RunOpening::Answered(s) if s.failures == 1));
    b.later(1_000);
    let RunOpening::Owned(back) = b.ticked("two", tick).await else { panic!("it is owed now") };
    assert!(back.resumed && back.id == run.id);
}
