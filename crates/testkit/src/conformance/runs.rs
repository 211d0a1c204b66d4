//! Plans, leases, epochs, resuming, closing.

use std::sync::Arc;

use heliu_model::ports::*;
use heliu_model::record::State;
use heliu_model::run::{RunKind, RunState};
use heliu_model::{Failure, Problem, Ts, text};

use super::*;

/// An id is one plan for ever, whatever its file is called, also where files swap their names; a name that has no other
/// owner stays with its plan when the id changes.
pub async fn a_plan_goes_on_under_its_id(store: Arc<dyn Store>) {
    let shops = store.plan("shops", "uuid-1", START).await.expect("plan");
    let orders = store.plan("orders", "uuid-2", START).await.expect("plan");
    store.set_watermark(shops.id, START, "somebody", START).await.expect("set");
    let moved = store.plan("stores", "uuid-1", START.plus_ms(5)).await.expect("renamed");
    assert_eq!((moved.id, moved.name.as_str(), moved.watermark), (shops.id, "stores", Some(START)));
    assert_eq!(store.find_plan("shops").await, Ok(None));
    let swapped = store.plan("orders", "uuid-1", START).await.expect("swapped");
    assert_eq!((swapped.id, swapped.name.as_str()), (shops.id, "orders"));
    let other = store.plan("stores", "uuid-2", START).await.expect("swapped");
    assert_eq!((other.id, other.name.as_str(), other.first_seen), (orders.id, "stores", START));
    let fresh = store.plan("shops", "uuid-3", START).await.expect("new");
    assert!(![shops.id, orders.id].contains(&fresh.id) && fresh.watermark.is_none());
}

/// A name is one plan; its uuid may change.
pub async fn a_plan_is_made_once_and_found_by_name(store: Arc<dyn Store>) {
    assert_eq!(store.find_plan("shops").await, Ok(None));
    let one = store.plan("shops", "uuid-1", START).await.expect("plan");
    assert_eq!((one.first_seen, one.watermark), (START, None));
    let again = store.plan("shops", "uuid-2", START.plus_ms(5)).await.expect("plan");
    assert_eq!((again.id, again.first_seen, again.uuid.as_str()), (one.id, START, "uuid-2"));
    assert_eq!(store.find_plan("shops").await, Ok(Some(again)));
    assert_eq!(store.find_plan("shop").await, Ok(None));
}

/// By hand the watermark moves both ways.
pub async fn the_watermark_is_moved_by_hand(store: Arc<dyn Store>) {
    let b = Bench::new(store).await;
    for at in [START, START.plus_ms(-5)] {
        b.store.set_watermark(b.plan, at, "somebody", b.now).await.expect("set");
        assert_eq!(b.watermark().await, Some(at));
    }
}

/// A second start is told who is at it.
pub async fn a_plan_has_one_open_run(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    assert!(!run.resumed && run.intents.is_empty());
    b.later(1_000);
    for kind in [RunKind::Normal, RunKind::TargetOnly] {
        match b.opening(kind, &[], "two").await {
            RunOpening::Busy { owner, since } => assert_eq!((owner.as_str(), since), ("one", START)),
            other => panic!("two runs of one plan: {other:?}"),
        }
    }
    assert_eq!(b.store.runs(b.plan, 0).await.expect("runs").len(), 1);
}

/// What one plan does is nothing to another.
pub async fn plans_do_not_meet(store: Arc<dyn Store>) {
    let mut a = Bench::new(store.clone()).await;
    let (run, _) = a.run_with(vec![keep("1", "a")]).await;
    let other = store.plan("orders", "uuid-9", START).await.expect("plan");
    let mut b = Bench { store, plan: other.id, now: START, runs: 50 };
    let theirs = b.open().await;
    assert!(b.claim(&theirs).await.is_empty());
    assert_eq!(b.store.story(b.plan, "1").await.expect("story").map(|s| s.record.row), None);
    b.commit(Sheet::new(&theirs, vec![keep("1", "b")]).close(true, Some(START))).await;
    assert_eq!(a.watermark().await, None);
    assert_eq!(a.record("1").await.version, 1);
    assert_ne!(a.record("1").await.row, b.record("1").await.row);
    a.close(&run, RunState::Done).await;
    assert_eq!(b.record("1").await.state, State::Waiting);
}

/// The epoch grows; with the old one nothing can be changed any more.
pub async fn a_lease_that_ended_is_taken_over_and_fences_the_former_owner(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (old, due) = b.run_with(vec![keep("1", "a"), keep("2", "b")]).await;
    b.later(LEASE + 1);
    let RunOpening::Owned(new) = b.opening(RunKind::Normal, &[(0, 5)], "two").await else {
        panic!("the lease has ended")
    };
    assert!(new.resumed && new.epoch > old.epoch);
    assert_eq!((new.id, &new.ulid, new.started), (old.id, &old.ulid, START));
    assert_eq!(new.windows.len(), 1, "windows stay frozen");
    let before = snapshot(&b).await;

    let fenced = |r: Result<(), Failure>, what: &str| {
        assert_eq!(r.err().map(|f| f.code).as_deref(), Some("HL-6005"), "{what}");
    };
    let (s, id, epoch) = (b.store.clone(), old.id, old.epoch);
    fenced(s.heartbeat(id, epoch, b.now.plus_ms(LEASE)).await, "heartbeat");
    let page = Sheet::new(&old, vec![keep("3", "c")]).close(true, Some(b.now));
    fenced(b.try_commit(page).await.map(drop), "commit_page");
    let claim = Claim { plan: b.plan, run: id, epoch, max: 9, after: 0 };
    fenced(s.claim(claim).await.map(drop), "claim");
    let members = vec![(due[0].row, 1)];
    let announce = Announce { run: id, epoch, members, synced: false, now: b.now };
    fenced(s.announce(announce).await.map(drop), "announce");
    let settle = Settle {
        run: id,
        epoch,
        intent: None,
        calls: vec![call(CallKind::Write, b.now)],
        outcomes: vec![written(&due[0])],
        left: Left::default(),
        max_attempts: 1,
        now: b.now,
    };
    fenced(s.settle(settle).await, "settle");
    fenced(s.intent_rows(id, epoch, 1).await.map(drop), "intent_rows");
    let close = CloseRun {
        run: id,
        epoch,
        state: RunState::Done,
        problems: vec![Problem::warning("HL-7020", "", text!("x", "x"))],
        failure: None,
        seconds: 1.0,
        now: b.now,
    };
    fenced(s.close_run(close).await.map(drop), "close_run");
    assert_eq!(snapshot(&b).await, before, "a fenced call changes nothing");
}

/// Everything a person can see of the plan.
pub(super) async fn snapshot(b: &Bench) -> String {
    let plan = b.store.find_plan("shops").await;
    let runs = b.store.runs(b.plan, 0).await;
    let records = b.store.records(b.plan, RecordFilter::default()).await;
    let calls = b.store.calls(b.plan, CallFilter::default()).await;
    format!("{plan:?} {runs:?} {records:?} {calls:?}")
}

/// While it beats, nobody takes over.
pub async fn a_heartbeat_keeps_the_lease(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.later(LEASE - 1);
    b.store.heartbeat(run.id, run.epoch, b.now.plus_ms(LEASE)).await.expect("heartbeat");
    b.later(LEASE - 1);
    assert!(matches!(b.opening(RunKind::Normal, &[], "two").await, RunOpening::Busy { .. }));
    b.later(2);
    assert!(matches!(b.opening(RunKind::Normal, &[], "two").await, RunOpening::Owned(_)));
}

/// Windows, walks, counts and findings come back as they were.
pub async fn a_released_run_is_resumed_where_it_was(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let RunOpening::Owned(run) = b.opening(RunKind::Normal, &[(-20, -10), (-10, 0)], "one").await else {
        panic!("busy")
    };
    b.commit(Sheet::new(&run, vec![keep("1", "a")]).close(true, None)).await;
    let mut second = Sheet::new(&run, vec![keep("2", "b")]).at(1, 1);
    second.step.walk = "page 7".into();
    second.step.total = Some(40);
    second.step.problems = vec![Problem::warning("HL-7027", "", text!("a lie", "谎"))];
    b.commit(second).await;
    let released = b.close(&run, RunState::Open).await;
    assert_eq!(released.state, RunState::Open);
    assert_eq!(released.counts.target.waiting, 2);

    b.later(5);
    let RunOpening::Owned(back) = b.opening(RunKind::Normal, &[(0, 900)], "two").await else {
        panic!("released runs are free")
    };
    assert!(back.resumed && back.epoch > run.epoch);
    let windows: Vec<_> = back.windows.iter().map(|w| (w.seq, w.window, w.walk.as_str(), w.closed)).collect();
    let window = |from, to| Window { from: START.plus_ms(from), to: START.plus_ms(to) };
    assert_eq!(windows, [(0, window(-20, -10), "going on", true), (1, window(-10, 0), "page 7", false)]);
    assert_eq!(back.windows[1].report.total, Some(40));
    assert_eq!((back.counts.source.pages, back.counts.records.new), (2, 2));
    assert_eq!(back.problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["HL-7027"]);
    let done = b.close(&back, RunState::Done).await;
    assert!((done.seconds - 3.0).abs() < 1e-9, "seconds of work add up");
}

/// An interrupted run of another kind ends as stopped; its records wait.
pub async fn another_kind_of_run_puts_the_interrupted_one_aside(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, _) = b.run_with(vec![keep("1", "a")]).await;
    b.close(&run, RunState::Open).await;
    let RunOpening::Owned(back) = b.opening(RunKind::Backfill, &[(-9, -5)], "one").await else {
        panic!("busy")
    };
    assert!(!back.resumed && back.id != run.id);
    assert_eq!(back.counts.waiting_before, 1);
    let runs = b.store.runs(b.plan, 0).await.expect("runs");
    let states: Vec<_> = runs.iter().map(|r| (r.kind, r.state)).collect();
    assert_eq!(states, [(RunKind::Backfill, RunState::Open), (RunKind::Normal, RunState::Stopped)]);
    assert!(back.problems.is_empty(), "the watermark stands before what it had not read");
}

/// An interrupted back-fill is nobody else's: whoever takes its place says what was not read.
pub async fn a_back_fill_that_gives_way_is_spoken_of(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let RunOpening::Owned(run) =
        b.opening(RunKind::Backfill, &[(-30_000, -20_000), (-20_000, -10_000)], "one").await
    else {
        panic!("busy")
    };
    b.commit(Sheet::new(&run, vec![keep("1", "a")]).close(true, None)).await;
    b.close(&run, RunState::Open).await;
    let RunOpening::Owned(next) = b.opening(RunKind::Normal, &[(-9, 0)], "one").await else { panic!("busy") };
    let codes: Vec<_> = next.problems.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(codes, ["HL-7046"]);
    let said = &next.problems[0].message.en;
    for end in [START.plus_ms(-20_000), START.plus_ms(-10_000)] {
        assert!(said.contains(&end.rfc3339(chrono_tz::UTC)), "{said}");
    }
    let done = b.close(&next, RunState::Done).await;
    assert_eq!(done.problems.len(), 1, "it stays with the run");
    // One that had read everything has nothing to say.
    let RunOpening::Owned(run) = b.opening(RunKind::Backfill, &[(-30_000, -20_000)], "one").await else {
        panic!("busy")
    };
    b.commit(Sheet::new(&run, vec![keep("2", "a")]).close(true, None)).await;
    b.close(&run, RunState::Open).await;
    let RunOpening::Owned(next) = b.opening(RunKind::Normal, &[(-9, 0)], "one").await else { panic!("busy") };
    assert!(next.problems.is_empty());
}

/// `--limit` has nothing to resume.
pub async fn a_limited_run_is_never_resumed(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let RunOpening::Owned(run) = b.opening(RunKind::Limited, &[(-9, 0)], "one").await else { panic!("busy") };
    b.close(&run, RunState::Open).await;
    let RunOpening::Owned(next) = b.opening(RunKind::Limited, &[(-9, 0)], "one").await else {
        panic!("busy")
    };
    assert!(!next.resumed && next.id != run.id);
}

/// Closed is closed, whatever the epoch.
pub async fn a_closed_run_takes_nothing_more(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![]).close(true, None)).await;
    let row = b.close(&run, RunState::Done).await;
    assert_eq!((row.state, row.ended), (RunState::Done, Some(b.now)));
    let late = b.try_commit(Sheet::new(&run, vec![keep("1", "a")])).await;
    assert_eq!(late.err().map(|f| f.code).as_deref(), Some("HL-6005"));
    let beat = b.store.heartbeat(run.id, run.epoch, Ts(i64::MAX)).await;
    assert_eq!(beat.err().map(|f| f.code).as_deref(), Some("HL-6005"));
}

/// A failed record, or a newly rejected one, or a window that is not complete: attention.
pub async fn what_needs_a_person_is_the_runs_state(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let end = |complete| (complete, None);
    let run = b.open().await;
    let (complete, watermark) = end(true);
    b.commit(Sheet::new(&run, vec![rejected("x")]).close(complete, watermark)).await;
    assert_eq!(b.close(&run, RunState::Done).await.state, RunState::Attention, "newly rejected");

    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![rejected("x")]).close(true, None)).await;
    assert_eq!(b.close(&run, RunState::Done).await.state, RunState::Done, "known by now");

    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![]).close(false, None)).await;
    assert_eq!(b.close(&run, RunState::Done).await.state, RunState::Attention, "incomplete");

    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.commit(Sheet::new(&run, vec![]).close(true, None)).await;
    b.settle(&run, vec![(due[0].row, 1, Outcome::Failed(failure()))]).await;
    assert_eq!(b.close(&run, RunState::Done).await.state, RunState::Attention, "failed");
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![]).close(true, None)).await;
    assert_eq!(b.close(&run, RunState::Done).await.state, RunState::Attention, "still failed");
}

/// Queued ones wait again when their run is closed, and are counted.
pub async fn what_waits_is_counted_at_the_end(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a"), keep("2", "b"), keep("3", "c")]).hand(2)).await;
    b.commit(Sheet::new(&run, vec![]).close(true, None)).await;
    let row = b.close(&run, RunState::Done).await;
    assert_eq!(row.counts.target.waiting, 3);
    assert!(row.counts.source_balances() && row.counts.target_balances());
    for id in ["1", "2", "3"] {
        assert_eq!(b.state(id).await, State::Waiting);
    }
    let next = b.open().await;
    assert_eq!(next.counts.waiting_before, 3);
}
