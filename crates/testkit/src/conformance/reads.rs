//! What people look at.

use std::sync::Arc;

use heliu_model::CallKind;
use heliu_model::ports::*;
use heliu_model::record::State;
use heliu_model::run::RunState;

use super::*;

/// A prefix is enough if only one run has it.
pub async fn runs_are_listed_newest_first_and_found_by_prefix(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let mut ulids = Vec::new();
    for _ in 0..3 {
        let run = b.open().await;
        ulids.push(run.ulid.clone());
        b.close(&run, RunState::Done).await;
    }
    let listed = b.store.runs(b.plan, 2).await.expect("runs");
    assert_eq!(listed.iter().map(|r| &r.ulid).collect::<Vec<_>>(), [&ulids[2], &ulids[1]]);
    assert_eq!(b.store.runs(b.plan, 0).await.expect("runs").len(), 3);
    assert!(b.store.runs(b.plan + 1, 0).await.expect("runs").is_empty());
    let found = b.store.run(b.plan, &ulids[1]).await.expect("run").expect("found");
    assert_eq!((&found.ulid, found.windows.len()), (&ulids[1], 1));
    assert!(b.store.run(b.plan, &ulids[1].to_lowercase()).await.expect("run").is_some());
    assert!(b.store.run(b.plan, "01HRUN").await.expect("run").is_none(), "not unique");
    assert!(b.store.run(b.plan, "01HNONE").await.expect("run").is_none());
}

/// In exactly one state each.
pub async fn states_add_up_with_the_records(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(["1", "2", "3", "4", "5"].iter().map(|id| keep(id, "a")).collect()).await;
    b.commit(Sheet::new(&run, vec![keep("6", "a"), filtered("7", "a", "rule"), rejected("x")])).await;
    b.settle(
        &run,
        vec![
            written(&due[0]),
            (due[1].row, 1, Outcome::Failed(failure())),
            (due[2].row, 1, Outcome::InDoubt(failure())),
        ],
    )
    .await;
    let check = async |want: StateCounts| {
        assert_eq!(b.store.state_counts(b.plan).await, Ok(want));
        let rows = b.store.records(b.plan, RecordFilter::default()).await.expect("records");
        let n = |s: State| rows.iter().filter(|r| r.state == s).count() as u64;
        let counted = StateCounts {
            waiting: n(State::Waiting),
            queued: n(State::Queued),
            written: n(State::Written),
            filtered: n(State::Filtered),
            rejected: n(State::Rejected),
            failed: n(State::Failed),
            in_doubt: n(State::InDoubt),
        };
        assert_eq!(counted, want);
    };
    let one =
        StateCounts { waiting: 1, queued: 2, written: 1, filtered: 1, rejected: 1, failed: 1, in_doubt: 1 };
    check(one).await;
    b.close(&run, RunState::Done).await;
    check(StateCounts { waiting: 3, queued: 0, ..one }).await;
    b.store.put_back(b.plan, &[due[0].row, due[1].row], b.now).await.expect("put_back");
    check(StateCounts { waiting: 5, queued: 0, written: 0, failed: 0, ..one }).await;
}

/// State, id, number, paging.
pub async fn records_are_listed_by_every_filter(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(["1", "2", "3"].iter().map(|id| keep(id, "a")).collect()).await;
    b.settle(&run, vec![written(&due[1])]).await;
    let ids = async |filter| {
        let rows = b.store.records(b.plan, filter).await.expect("records");
        rows.into_iter().filter_map(|r| r.id).collect::<Vec<_>>()
    };
    let any = RecordFilter::default;
    assert_eq!(ids(any()).await, ["1", "2", "3"]);
    assert_eq!(ids(RecordFilter { state: Some(State::Written), ..any() }).await, ["2"]);
    assert_eq!(ids(RecordFilter { id: Some("3".into()), ..any() }).await, ["3"]);
    assert_eq!(ids(RecordFilter { number: Some("no-1".into()), ..any() }).await, ["1"]);
    assert_eq!(ids(RecordFilter { limit: 2, ..any() }).await, ["1", "2"]);
    assert_eq!(ids(RecordFilter { after: due[0].row, ..any() }).await, ["2", "3"]);
    let none = RecordFilter { state: Some(State::Written), id: Some("3".into()), ..any() };
    assert!(ids(none).await.is_empty());
}

/// How each version ended, and what it was.
pub async fn a_story_has_every_version(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    b.later(10);
    b.commit(Sheet::new(&run, vec![keep("1", "b")])).await;
    b.later(10);
    b.commit(Sheet::new(&run, vec![keep("1", "c")])).await;
    let story = b.story("1").await;
    assert_eq!(story.content, Some(keep("1", "c").content));
    let seen: Vec<_> = story.versions.iter().map(|v| (v.version, v.state, v.content.clone())).collect();
    assert_eq!(
        seen,
        [(1, Some(State::Written), Some(keep("1", "a").content)), (2, None, Some(keep("1", "b").content))]
    );
    assert_eq!(story.versions[0].written_at, Some(START));
    assert!(story.versions[0].write_call.is_some() && story.versions[0].source_call.is_some());
    assert_eq!(story.versions[1].changed_at, START.plus_ms(10));
    assert_eq!(b.store.contents(&[due[0].row, 999]).await, Ok(vec![(due[0].row, keep("1", "c").content)]));
    assert!(b.store.story(b.plan, "nobody").await.expect("story").is_none());
}

/// Without bodies in lists, whole when asked for.
pub async fn calls_are_listed_and_shown(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a")])).await;
    let mut lost = call(CallKind::Write, b.now);
    lost.failure = Some(*failure());
    lost.request_headers = vec![("x-a".into(), "1".into())];
    lost.response_headers = vec![("x-b".into(), "2".into())];
    lost.response_body = Bytes::from_static("内容 \u{0} 😀".as_bytes());
    (lost.status, lost.millis, lost.rows) = (None, 17, 3);
    let ids = b.store.save_calls(Some(run.id), vec![lost.clone()], 0, 0).await.expect("save");
    let stray = b.store.save_calls(None, vec![call(CallKind::Token, b.now)], 0, 0).await.expect("save");

    let list = async |filter| {
        let rows = b.store.calls(b.plan, filter).await.expect("calls");
        assert!(rows.iter().all(|r| r.call.request_body.is_empty() && r.call.response_body.is_empty()));
        rows.into_iter().map(|r| (r.call.kind, r.run)).collect::<Vec<_>>()
    };
    let ours = Some(run.ulid.clone());
    let any = CallFilter::default;
    assert_eq!(list(any()).await, [(CallKind::Write, ours.clone()), (CallKind::Fetch, ours.clone())]);
    assert_eq!(list(CallFilter { limit: 1, ..any() }).await, [(CallKind::Write, ours.clone())]);
    assert_eq!(list(CallFilter { failed_only: true, ..any() }).await.len(), 1);
    assert_eq!(
        list(CallFilter { kind: Some(CallKind::Fetch), ..any() }).await,
        [(CallKind::Fetch, ours.clone())]
    );
    assert_eq!(list(CallFilter { run: ours, ..any() }).await.len(), 2);
    assert!(list(CallFilter { run: Some("01HNONE".into()), ..any() }).await.is_empty());

    let shown = b.store.call(ids[0]).await.expect("call").expect("stored");
    assert_eq!(format!("{:?}", shown.call), format!("{lost:?}"));
    assert!(!shown.pruned);
    let stray = b.store.call(stray[0]).await.expect("call").expect("stored");
    assert_eq!((stray.run, stray.call.kind), (None, CallKind::Token));
    assert!(b.store.call(9_999).await.expect("call").is_none());
}
