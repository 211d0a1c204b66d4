//! Records in doubt.

use std::sync::Arc;

use heliu_model::ports::*;
use heliu_model::record::State;
use heliu_model::run::RunState;

use super::*;

/// Stored as a version, counted in doubt, not handed out.
pub async fn new_content_waits_until_the_doubt_is_resolved(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![(due[0].row, 1, Outcome::InDoubt(failure()))]).await;
    let done = b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(9)).await;
    assert_eq!((done.outcome.records.changed, done.outcome.in_doubt, done.outcome.superseded), (1, 1, 0));
    assert!(done.due.is_empty() && b.claim(&run).await.is_empty());
    let story = b.story("1").await;
    assert_eq!((story.record.state, story.record.version), (State::InDoubt, 2));
    assert_eq!(story.record.code.as_deref(), Some("HL-5001"), "still says why");
    assert!(story.record.write_call.is_some(), "still says which call");
    assert_eq!(story.versions[0].state, Some(State::InDoubt));
    let counts = b.close(&run, RunState::Done).await.counts;
    assert_eq!(counts.target.in_doubt, 2);
    assert!(counts.target_balances());
}

/// The answer of version 1 was lost while version 2 came in: version 2 must not be sent.
pub async fn the_doubt_of_an_older_version_holds_the_newer_one(store: Arc<dyn Store>) {
    for hand in [0, 9] {
        let mut b = Bench::new(store.clone()).await;
        let name = format!("plan {hand}");
        b.plan = store.plan(&name, &name, START).await.expect("plan").id;
        b.runs = 100 * (hand as u32 + 1);
        let (run, due) = b.run_with(vec![keep("1", "a")]).await;
        let intent = b.announce(&run, &[(due[0].row, 1)]).await;
        b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(hand)).await;
        b.settle_with(&run, Some(intent), vec![(due[0].row, 1, Outcome::InDoubt(failure()))], 10).await;
        let story = b.story("1").await;
        assert_eq!((story.record.state, story.record.version), (State::InDoubt, 2), "handed {hand}");
        assert_eq!(story.record.code.as_deref(), Some("HL-5001"));
        assert_eq!(story.versions[0].state, Some(State::InDoubt));
        assert!(b.claim(&run).await.is_empty());
        let counts = b.close(&run, RunState::Done).await.counts;
        assert_eq!((counts.target.in_doubt, counts.target.superseded), (1, 1));
        assert!(counts.target_balances(), "{counts:?}");
    }
}

/// `heliu retry --state in_doubt`: the newest content is due.
pub async fn a_doubt_ends_by_hand(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![(due[0].row, 1, Outcome::InDoubt(failure()))]).await;
    b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(9)).await;
    b.close(&run, RunState::Done).await;
    assert_eq!(b.store.put_back(b.plan, &[due[0].row], b.now).await, Ok(1));
    let run = b.open().await;
    assert_eq!(run.counts.waiting_before, 1);
    let due = b.claim(&run).await;
    assert_eq!((due[0].version, &due[0].content), (2, &keep("1", "b").content));
    b.settle(&run, vec![written(&due[0])]).await;
    let story = b.story("1").await;
    assert_eq!((story.record.state, story.record.code), (State::Written, None));
    assert!(b.close(&run, RunState::Done).await.counts.target_balances());
}
