//! Exit codes (interface §3.1) and balances (§3.2).

use heliu_engine::{RunOptions, Stop};
use heliu_model::ports::Replay;
use heliu_model::record::{OnChange, Policy};
use heliu_model::run::{RunState, TargetCounts};
use heliu_testkit::fake::{Act, Did};

use crate::world::*;

#[test]
fn a_second_run_over_the_same_rows_writes_nothing() {
    let mut w = World::new(35);
    w.spec.lookback_ms = 2 * HOUR;
    w.quietly();
    let report = w.quietly();
    let r = report.counts.records;
    assert_eq!((r.new, r.changed, r.unchanged, report.counts.target), (0, 0, 35, TargetCounts::default()));
    assert_eq!((report.exit_code(), w.stored().state), (0, RunState::Done));
}

#[test]
fn the_order_of_members_and_white_space_are_no_change() {
    let mut w = World::new(35);
    w.spec.lookback_ms = 2 * HOUR;
    for n in 0..6 {
        let mut source = w.source(10).declares(true, true);
        source.shuffle = true;
        let report = w.run(source, w.target(Replay::Idempotent));
        assert_eq!(report.counts.target.written, if n == 0 { 35 } else { 0 }, "run {n}");
    }
}

#[test]
fn one_changed_row_is_one_written_row() {
    let mut w = World::new(35);
    w.spec.lookback_ms = 2 * HOUR;
    w.quietly();
    w.rows(|s| s.row("0020").v = 2);
    let report = w.quietly();
    assert_eq!((report.counts.records.changed, report.counts.target.written), (1, 1));
    w.assert_all_written();
}

#[test]
fn changes_are_ignored_where_the_plan_says_so() {
    let mut w = World::new(5);
    w.spec.lookback_ms = 2 * HOUR;
    w.spec.policy = Policy { on_change: OnChange::Ignore, rewrite_unchanged: false };
    w.quietly();
    w.rows(|s| s.row("0002").v = 2);
    let report = w.quietly();
    assert_eq!(
        (report.counts.records.unchanged, report.counts.target.written, report.exit_code()),
        (5, 0, 0)
    );
}

#[test]
fn a_standing_failure_is_said_until_it_is_mended() {
    let w = World::new(5);
    let target = w.target(Replay::Idempotent).scripted(|_, rows, _| {
        if rows.iter().any(|r| r.id == "0002") { Did::Fail(bad_row()) } else { Did::Answer }
    });
    assert_eq!(w.run(w.source(10).declares(true, true), target).exit_code(), 1);
    w.clock.advance(MINUTE as u64);
    let report = w.quietly();
    assert_eq!((report.exit_code(), report.standing_failed, report.counts.target.failed), (1, 1, 0));
    w.put_back(heliu_model::record::State::Failed);
    let report = w.quietly();
    assert_eq!((report.exit_code(), report.counts.target.written), (0, 1));
    w.assert_all_written();
}

#[test]
fn source_only_with_waiting_records_is_a_clean_exit() {
    let w = World::new(25);
    let sides = w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent));
    let report = w.run_as(&sides, RunOptions { source_only: true, ..RunOptions::default() }).unwrap();
    assert_eq!((report.exit_code(), report.balanced, report.counts.target.waiting), (0, true, 25));
    let report = w.run_as(&sides, RunOptions::default()).unwrap();
    assert_eq!((report.counts.waiting_before, report.counts.target.written, report.exit_code()), (25, 25, 0));
    w.assert_conserved();
}

#[test]
fn a_wish_to_stop_finishes_what_is_in_flight_and_the_next_run_resumes() {
    for at in 0..7 {
        let w = World::new(45);
        let (wish, stop) = Stop::new();
        let source = w.source(10).declares(true, true).scripted(move |n, _, _| {
            if n == at {
                let _ = wish.send(true);
            }
            Act::Answer
        });
        let report =
            w.run_until(&w.sides(source, w.target(Replay::Never)), RunOptions::default(), stop).unwrap();
        w.assert_conserved();
        if at < 6 {
            assert_eq!(report.exit_code(), 3, "at {at}");
            assert_eq!(report.failure.as_ref().map(|f| f.code.as_str()), Some("HL-7003"));
            assert_eq!(report.counts.source.pages, at as u64 + 1, "the page in flight is kept");
        }
        let report = w.run(w.source(10).declares(true, true), w.target(Replay::Never));
        assert_eq!(report.exit_code(), 0, "at {at}");
        w.assert_all_written();
        assert!(w.table(|t| t.doubled()).is_empty(), "at {at}");
    }
}

#[test]
fn a_wish_to_stop_does_not_wait_out_a_long_pause() {
    let w = World::new(45);
    let (wish, stop) = Stop::new();
    let source = w.source(10).declares(true, true).scripted(move |n, _, _| {
        if n == 2 {
            let _ = wish.send(true);
            return Act::Fail(throttled(500_000), 0);
        }
        Act::Answer
    });
    w.run_until(&w.sides(source, w.target(Replay::Never)), RunOptions::default(), stop).unwrap();
    assert!(w.now().0 - T0 < 5_000, "{} ms", w.now().0 - T0);
}

#[test]
fn a_plan_that_runs_elsewhere_is_busy() {
    use heliu_model::ports::{Ledger, OpenRun};
    use heliu_model::run::RunKind;
    let w = World::new(5);
    let plan = w.clock.run(w.ledger.plan("orders", &w.spec.uuid, w.now())).unwrap();
    let open = OpenRun {
        plan: plan.id,
        ulid: "01H".into(),
        kind: RunKind::Normal,
        windows: Vec::new(),
        owner: "other:1:1".into(),
        now: w.now(),
        lease_until: w.now().plus_ms(120_000),
        tick: None,
    };
    w.clock.run(w.ledger.open_run(open)).unwrap();
    let sides = w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent));
    let busy = w.run_as(&sides, RunOptions::default()).unwrap_err();
    assert_eq!(busy.code, "HL-7001");
    w.clock.advance(120_001);
    assert!(w.run_as(&sides, RunOptions::default()).is_ok(), "the lease has ended");
}
