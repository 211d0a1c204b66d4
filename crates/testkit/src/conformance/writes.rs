//! Claiming, settling, putting back.

use std::sync::Arc;

use heliu_model::ports::*;
use heliu_model::record::State;
use heliu_model::run::RunState;

use super::*;

/// A run claims each record once.
pub async fn what_waits_is_claimed_once_and_oldest_first(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("b", "1"), keep("a", "2"), keep("c", "3")])).await;
    let claim = |max, after| Claim { plan: b.plan, run: run.id, epoch: run.epoch, max, after };
    let first = b.store.claim(claim(2, 0)).await.expect("claim");
    assert_eq!(first.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert!(first.iter().all(|d| d.version == 1 && d.attempts == 0));
    assert_eq!(first[0].content, keep("b", "1").content);
    assert_eq!(b.state("a").await, State::Queued);
    let after = first[1].row;
    let rest = b.store.claim(claim(2, after)).await.expect("claim");
    assert_eq!(rest.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["c"]);
    assert!(b.store.claim(claim(2, 0)).await.expect("claim").is_empty());
    b.settle(&run, vec![(first[0].row, 1, Outcome::Released)]).await;
    assert!(b.store.claim(claim(2, after)).await.expect("claim").is_empty(), "only rows behind");
    assert_eq!(b.store.claim(claim(2, 0)).await.expect("claim").len(), 1);
}

/// What gets written is the newest content.
pub async fn a_claim_takes_what_is_current(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a")])).await;
    b.commit(Sheet::new(&run, vec![keep("1", "b")])).await;
    let due = b.claim(&run).await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].version, &due[0].content), (2, &keep("1", "b").content));
}

/// Nothing else is ever handed out.
pub async fn only_what_waits_is_claimed(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let page = vec![keep("w", "a"), keep("f", "a"), keep("d", "a"), keep("q", "a")];
    let (run, due) = b.run_with(page).await;
    b.commit(Sheet::new(&run, vec![filtered("x", "a", "rule"), rejected("y")])).await;
    let outcomes = vec![
        written(&due[0]),
        (due[1].row, 1, Outcome::Failed(failure())),
        (due[2].row, 1, Outcome::InDoubt(failure())),
    ];
    b.settle(&run, outcomes).await;
    assert!(b.claim(&run).await.is_empty());
}

/// States, reasons, counts.
pub async fn every_outcome_has_its_state_and_count(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let page = ["w", "f", "p", "d", "r"].iter().map(|id| keep(id, "a")).collect();
    let (run, due) = b.run_with(page).await;
    let row = |i: usize| due[i].row;
    b.later(77);
    let outcomes = vec![
        written(&due[0]),
        (row(1), 1, Outcome::Failed(failure())),
        (row(2), 1, Outcome::Waiting(failure())),
        (row(3), 1, Outcome::InDoubt(failure())),
        (row(4), 1, Outcome::Released),
    ];
    b.settle(&run, outcomes).await;
    let w = b.record("w").await;
    assert_eq!((w.state, w.written_at, w.attempts), (State::Written, Some(b.now), 1));
    assert_eq!(w.response.as_deref(), Some("\"ok\""));
    assert!(w.write_call.is_some() && w.code.is_none());
    let f = b.record("f").await;
    assert_eq!((f.state, f.code.as_deref(), f.written_at), (State::Failed, Some("HL-5001"), None));
    let why = f.reason.unwrap_or_default();
    assert!(why.contains("too long (name)") && why.contains("过长 (name)"), "{why}");
    let p = b.record("p").await;
    assert_eq!((p.state, p.attempts, p.code.as_deref()), (State::Waiting, 1, Some("HL-5001")));
    assert_eq!(b.state("d").await, State::InDoubt);
    let r = b.record("r").await;
    assert_eq!((r.state, r.attempts), (State::Waiting, 0));
    let t = b.newest().await.counts.target;
    assert_eq!((t.calls, t.written, t.failed, t.in_doubt), (1, 1, 1, 1));
    let closed = b.close(&run, RunState::Done).await.counts;
    assert_eq!(closed.target.waiting, 2);
    assert!(closed.target_balances());
}

/// Counted in runs that tried, not in tries.
pub async fn a_passing_failure_becomes_final_after_so_many_runs(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (mut run, due) = b.run_with(vec![keep("1", "a")]).await;
    let row = due[0].row;
    for n in 1..=3u32 {
        if n > 1 {
            run = b.open().await;
            let due = b.claim(&run).await;
            assert_eq!(due[0].attempts, n - 1);
        }
        b.settle_with(&run, None, vec![(row, 1, Outcome::Waiting(failure()))], 3).await;
        let want = if n < 3 { State::Waiting } else { State::Failed };
        assert_eq!((b.state("1").await, b.record("1").await.attempts), (want, n));
        let counts = b.close(&run, RunState::Done).await.counts;
        assert_eq!(counts.target.failed, u64::from(n == 3));
        assert!(counts.target_balances());
    }
}

/// However often it is handed back.
pub async fn what_was_not_tried_costs_no_attempt(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, mut due) = b.run_with(vec![keep("1", "a")]).await;
    for _ in 0..4 {
        b.settle_with(&run, None, vec![(due[0].row, 1, Outcome::Released)], 1).await;
        due = b.claim(&run).await;
        assert_eq!(due[0].attempts, 0);
    }
}

/// `primaryWriteback` and what another plan receives are part of the settlement.
pub async fn what_a_written_record_leaves_behind_is_stored_with_it_or_not_at_all(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (first, due) = b.run_with(vec![keep("1", "a"), keep("2", "a")]).await;
    let settle = |run: &OwnedRun, due: &Due, kept: &str, passed: &str, now: heliu_model::Ts| {
        let put = StoredPut {
            plan: "invoices".into(),
            uuid: "uuid-2".into(),
            call: call(heliu_model::CallKind::Fetch, now),
            body: keep("9", passed).content,
            elements: vec![keep("9", passed)],
            policy: Policy::default(),
            by: (run.id, run.epoch),
            now,
        };
        let said = heliu_model::text!("passed on", "已传递");
        Settle {
            run: run.id,
            epoch: run.epoch,
            intent: None,
            calls: vec![call(heliu_model::CallKind::Write, now)],
            outcomes: vec![written(due)],
            left: Left {
                kept: vec![(due.row, kept.into())],
                passed: Some(put),
                problems: vec![heliu_model::Problem::warning("HL-1091", "", said)],
            },
            max_attempts: 3,
            now,
        }
    };
    b.store.settle(settle(&first, &due[0], r#"{"no":1}"#, "x", b.now)).await.expect("settle");
    assert_eq!(b.record("1").await.writeback.as_deref(), Some(r#"{"no":1}"#));
    assert_eq!(b.record("2").await.writeback, None);
    let other = b.store.find_plan("invoices").await.expect("find").expect("made by what was passed on");
    let received = b.store.story(other.id, "9").await.expect("story").expect("received");
    assert_eq!((received.record.state, received.record.version), (State::Waiting, 1));
    assert_eq!(received.content, Some(keep("9", "x").content));
    assert_eq!(b.newest().await.problems.len(), 1);
    // Whoever lost the run leaves nothing: neither the outcome nor what comes with it.
    b.later(LEASE + 1);
    let RunOpening::Owned(second) = b.opening(RunKind::Normal, &[(-1_000, 0)], "two").await else {
        panic!("taken over")
    };
    let late = b.store.settle(settle(&first, &due[1], r#"{"no":2}"#, "y", b.now)).await;
    assert_eq!(late.expect_err("fenced").code, "HL-6005");
    assert_eq!((b.state("2").await, b.record("2").await.writeback), (State::Waiting, None));
    let received = b.store.story(other.id, "9").await.expect("story").expect("received");
    assert_eq!(received.record.version, 1);
    assert_eq!(b.newest().await.problems.len(), 1);
    // The new owner's are a new version there, and the same once more is none.
    for (passed, version) in [("y", 2), ("y", 2), ("x", 3)] {
        let due = b.claim(&second).await;
        let one = due.first().unwrap_or_else(|| panic!("due before {passed}"));
        b.store.settle(settle(&second, one, r#"{"no":3}"#, passed, b.now)).await.expect("settle");
        let received = b.store.story(other.id, "9").await.expect("story").expect("received");
        assert_eq!(received.record.version, version);
        b.store.put_back(b.plan, &[one.row], b.now).await.expect("put back");
    }
    assert_eq!(b.record("2").await.writeback.as_deref(), Some(r#"{"no":3}"#));
}

/// Settling version 1 while version 2 is stored.
pub async fn a_late_answer_never_speaks_for_a_newer_version(store: Arc<dyn Store>) {
    for outcome in
        [Outcome::Written(None), Outcome::Failed(failure()), Outcome::Waiting(failure()), Outcome::Released]
    {
        let mut b = Bench { runs: 0, ..Bench::new(store.clone()).await };
        let id = format!("{outcome:?}").chars().take(6).collect::<String>();
        let name = format!("plan of {id}");
        b.plan = store.plan(&name, &name, START).await.expect("plan").id;
        b.runs = 100 * u32::try_from(b.plan).unwrap_or(0);
        let (run, due) = b.run_with(vec![keep(&id, "a")]).await;
        let second = b.commit(Sheet::new(&run, vec![keep(&id, "b")]).hand(9)).await.due;
        let is_written = matches!(outcome, Outcome::Written(_));
        b.settle(&run, vec![(due[0].row, 1, outcome)]).await;
        let story = b.story(&id).await;
        assert_eq!((story.record.state, story.record.version), (State::Queued, 2), "{id}");
        assert_eq!((story.record.written_at, story.record.code), (None, None), "{id}");
        let history: Vec<_> = story.versions.iter().map(|v| (v.version, v.state)).collect();
        assert_eq!(history, [(1, is_written.then_some(State::Written))], "{id}");
        let t = b.newest().await.counts.target;
        assert_eq!((t.written, t.failed, t.in_doubt, t.superseded), (0, 0, 0, 1), "{id}");
        b.settle(&run, vec![written(&second[0])]).await;
        assert_eq!(b.state(&id).await, State::Written);
        let counts = b.close(&run, RunState::Done).await.counts;
        assert!(counts.target_balances(), "{id}: {counts:?}");
    }
}

/// Waiting or queued: what was replaced is counted once.
pub async fn a_version_replaced_on_its_way_is_superseded_once(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("w", "1"), keep("q", "1")]).hand(1)).await;
    let done = b.commit(Sheet::new(&run, vec![keep("w", "2"), keep("q", "2")]).hand(1)).await;
    assert_eq!((done.outcome.superseded, done.outcome.records.changed), (2, 2));
    let due = b.claim(&run).await;
    let mut outcomes: Vec<_> = due.iter().map(written).collect();
    outcomes.push(written(&done.due[0]));
    b.settle(&run, outcomes).await;
    let counts = b.close(&run, RunState::Done).await.counts;
    assert_eq!((counts.target.superseded, counts.target.written), (2, 2));
    assert!(counts.target_balances());
    let story = b.story("w").await;
    assert_eq!(story.versions[0].state, None, "superseded, never written");
}

/// An answer that is told twice.
pub async fn a_settlement_counts_once(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    for _ in 0..2 {
        b.settle(&run, vec![written(&due[0])]).await;
    }
    b.settle(&run, vec![(due[0].row, 1, Outcome::Failed(failure())), (99_999, 1, Outcome::Released)]).await;
    assert_eq!(b.state("1").await, State::Written);
    assert_eq!(b.record("1").await.attempts, 1);
    let t = b.newest().await.counts.target;
    assert_eq!((t.written, t.failed), (1, 0));
}

/// Unchanged it stays failed; changed it is tried anew.
pub async fn a_refused_record_is_due_again_with_new_content(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![(due[0].row, 1, Outcome::Failed(failure()))]).await;
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a")]).hand(9)).await;
    assert_eq!(b.state("1").await, State::Failed);
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let done = b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(9)).await;
    assert_eq!((done.outcome.superseded, done.due.len()), (0, 1));
    let row = b.record("1").await;
    assert_eq!((row.state, row.attempts, row.code), (State::Queued, 0, None));
    assert_eq!(b.story("1").await.versions[0].state, Some(State::Failed));
}

/// Failed, in doubt and written ones; never what is under way, nor what was left out.
pub async fn records_are_put_back(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let page = ["w", "f", "d", "q"].iter().map(|id| keep(id, "a")).collect();
    let (run, due) = b.run_with(page).await;
    b.commit(Sheet::new(&run, vec![filtered("x", "a", "rule")])).await;
    let outcomes = vec![
        written(&due[0]),
        (due[1].row, 1, Outcome::Failed(failure())),
        (due[2].row, 1, Outcome::InDoubt(failure())),
    ];
    b.settle(&run, outcomes).await;
    let x = b.record("x").await.row;
    let rows: Vec<RowId> = due.iter().map(|d| d.row).chain([x, 99_999]).collect();
    assert_eq!(b.store.put_back(b.plan + 1, &rows, b.now).await, Ok(0), "of another plan");
    assert_eq!(b.store.put_back(b.plan, &rows, b.now).await, Ok(3));
    for id in ["w", "f", "d"] {
        let row = b.record(id).await;
        assert_eq!((row.state, row.attempts, row.code, row.reason), (State::Waiting, 0, None, None));
    }
    assert_eq!((b.state("q").await, b.state("x").await), (State::Queued, State::Filtered));
    assert_eq!(b.store.put_back(b.plan, &rows, b.now).await, Ok(0));
    assert_eq!(b.claim(&run).await.len(), 3);
}

/// The balance of an interrupted run holds although somebody retried in between.
pub async fn what_is_put_back_is_due_in_the_open_run(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.commit(Sheet::new(&run, vec![]).close(true, None)).await;
    b.settle(&run, vec![(due[0].row, 1, Outcome::Failed(failure()))]).await;
    b.close(&run, RunState::Open).await;
    assert_eq!(b.store.put_back(b.plan, &[due[0].row], b.now).await, Ok(1));
    let run = b.open().await;
    assert!(run.resumed);
    let due = b.claim(&run).await;
    b.settle(&run, vec![written(&due[0])]).await;
    let row = b.close(&run, RunState::Done).await;
    assert!(row.counts.target_balances(), "{:?}", row.counts);
    assert_eq!(row.state, RunState::Done);
}
