//! What the next owner finds after a crash.

use std::sync::Arc;

use heliu_model::ports::*;
use heliu_model::record::State;
use heliu_model::run::{RunKind, RunState};

use super::*;

impl Bench {
    /// The process is gone; its lease ends and somebody else comes.
    async fn crash_and_take_over(&mut self) -> OwnedRun {
        self.later(LEASE + 1);
        match self.opening(RunKind::Normal, &[(0, 1)], "two").await {
            RunOpening::Owned(run) => *run,
            other => panic!("{other:?}"),
        }
    }
}

/// Members of unsettled intents are not free.
pub async fn queued_records_wait_again_except_announced_ones(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a"), keep("2", "b"), keep("3", "c")]).await;
    b.announce(&run, &[(due[1].row, 1)]).await;
    let run = b.crash_and_take_over().await;
    assert_eq!(b.state("1").await, State::Waiting);
    assert_eq!(b.state("2").await, State::Queued);
    assert_eq!(b.state("3").await, State::Waiting);
    let ids: Vec<_> = b.claim(&run).await.into_iter().map(|d| d.id).collect();
    assert_eq!(ids, ["1", "3"]);
}

/// With members and contents; what is settled then is settled.
pub async fn an_announced_write_is_handed_to_the_next_owner(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a"), keep("2", "b")]).await;
    b.later(10);
    let intent = b.announce(&run, &[(due[0].row, 1), (due[1].row, 1)]).await;
    let announced = b.now;
    let run = b.crash_and_take_over().await;
    let members = vec![(due[0].row, 1), (due[1].row, 1)];
    assert_eq!(run.intents, [Intent { id: intent, members, announced }]);
    let rows = b.store.intent_rows(run.id, run.epoch, intent).await.expect("intent_rows");
    assert_eq!(rows.iter().map(|d| (d.id.as_str(), d.version)).collect::<Vec<_>>(), [("1", 1), ("2", 1)]);
    assert_eq!(rows[1].content, keep("2", "b").content);
    let outcomes = vec![written(&rows[0]), (rows[1].row, 1, Outcome::InDoubt(failure()))];
    b.settle_with(&run, Some(intent), outcomes, 10).await;
    assert_eq!((b.state("1").await, b.state("2").await), (State::Written, State::InDoubt));
    assert!(b.store.intent_rows(run.id, run.epoch, intent).await.expect("intent_rows").is_empty());
    let counts = b.close(&run, RunState::Done).await.counts;
    assert!(counts.target_balances(), "{counts:?}");
}

/// However the run ends: the next one of the plan must resolve it, and nothing frees its members before.
pub async fn an_announced_write_outlives_its_run(store: Arc<dyn Store>) {
    for (state, kind) in [
        (RunState::Open, RunKind::Normal),
        (RunState::Open, RunKind::Backfill),
        (RunState::Stopped, RunKind::Normal),
        (RunState::Done, RunKind::TargetOnly),
    ] {
        let what = format!("{state:?} {kind:?}");
        let mut b = Bench::new(store.clone()).await;
        b.plan = store.plan(&what, &what, START).await.expect("plan").id;
        b.runs = 100 * u32::try_from(b.plan).unwrap_or(0);
        let (run, due) = b.run_with(vec![keep("1", "a")]).await;
        let intent = b.announce(&run, &[(due[0].row, 1)]).await;
        b.close(&run, state).await;
        assert_eq!(b.state("1").await, State::Queued, "{what}");
        let RunOpening::Owned(run) = b.opening(kind, &[(-3, 0)], "two").await else { panic!("busy") };
        assert_eq!(run.intents.iter().map(|i| i.id).collect::<Vec<_>>(), [intent], "{what}");
        assert!(b.claim(&run).await.is_empty(), "{what}");
        assert_eq!(b.state("1").await, State::Queued, "{what}");
        let rows = b.store.intent_rows(run.id, run.epoch, intent).await.expect("intent_rows");
        b.settle_with(&run, Some(intent), vec![written(&rows[0])], 10).await;
        let counts = b.close(&run, RunState::Done).await.counts;
        assert!(counts.target_balances(), "{what}: {counts:?}");
    }
}

/// The doubt is about the record, whatever its newest content is.
pub async fn an_announced_record_comes_back_with_its_newest_content(store: Arc<dyn Store>) {
    for hand in [0, 9] {
        let mut b = Bench::new(store.clone()).await;
        let name = format!("plan {hand}");
        b.plan = store.plan(&name, &name, START).await.expect("plan").id;
        b.runs = 100 * (hand as u32 + 1);
        let (run, due) = b.run_with(vec![keep("1", "a")]).await;
        let intent = b.announce(&run, &[(due[0].row, 1)]).await;
        b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(hand)).await;
        let run = b.crash_and_take_over().await;
        assert!(b.claim(&run).await.is_empty(), "sent although the doubt stands");
        let rows = b.store.intent_rows(run.id, run.epoch, intent).await.expect("intent_rows");
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].version, &rows[0].content), (2, &keep("1", "b").content));
        b.settle_with(&run, Some(intent), vec![(rows[0].row, 2, Outcome::Released)], 10).await;
        assert_eq!(b.claim(&run).await.len(), 1);
    }
}

/// An answered write leaves nothing behind.
pub async fn a_settled_intent_is_gone(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    let one = b.announce(&run, &[(due[0].row, 1)]).await;
    let two = b.announce(&run, &[]).await;
    assert_ne!(one, two);
    b.settle_with(&run, Some(one), vec![written(&due[0])], 10).await;
    let run = b.crash_and_take_over().await;
    assert_eq!(run.intents.iter().map(|i| i.id).collect::<Vec<_>>(), [two]);
    b.settle_with(&run, Some(two), vec![], 10).await;
    b.close(&run, RunState::Done).await;
    assert!(b.open().await.intents.is_empty());
}
