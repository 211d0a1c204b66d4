//! Batches: bisecting, splitting, repeating, superseding.

use std::sync::Arc;

use heliu_engine::RunOptions;
use heliu_model::ports::{Replay, RowResult, WriteRow};
use heliu_model::record::State;
use heliu_model::run::RunState;
use heliu_model::{Class, Failure, text};
use heliu_testkit::fake::{Act, Did, Row};

use crate::world::*;

fn poisoned(rows: &[WriteRow]) -> bool {
    rows.iter().any(|r| matches!(r.id.as_str(), "0017" | "0040" | "0041"))
}

#[test]
fn a_poison_record_stands_alone_and_the_rest_lands() {
    let w = World::new(100);
    let target = w
        .target(Replay::Idempotent)
        .scripted(|_, rows, _| if poisoned(rows) { Did::Fail(bad_row()) } else { Did::Answer });
    let report = w.run(w.source(100).declares(true, true), target);
    assert_eq!((report.counts.target.written, report.counts.target.failed), (97, 3));
    assert_eq!(report.exit_code(), 1);
    for id in ["0017", "0040", "0041"] {
        let r = w.record(id);
        assert_eq!((r.state, r.code.as_deref()), (State::Failed, Some("HL-5002")), "{id}");
    }
    assert!(w.table(|t| t.writes.len()) < 45, "halving, not one by one");
    assert!(w.table(|t| t.doubled()).is_empty());
    w.assert_conserved();
}

#[test]
fn a_batch_that_is_too_large_is_split_and_nobody_is_to_blame() {
    let w = World::new(100);
    let target = w.target(Replay::Idempotent).scripted(|_, rows, _| {
        if rows.len() <= 7 {
            return Did::Answer;
        }
        let mut f = Failure::data("HL-5012", text!("packet too large", "数据包过大"));
        f.split = true;
        Did::Fail(f)
    });
    let report = w.run(w.source(100).declares(true, true), target);
    assert_eq!((report.exit_code(), report.counts.target.written), (0, 100));
    w.assert_all_written();
}

#[test]
fn one_record_that_is_too_large_fails_alone() {
    let w = World::new(20);
    let target = w.target(Replay::Idempotent).scripted(|_, rows, _| {
        if rows.iter().all(|r| r.id != "0003") {
            return Did::Answer;
        }
        let mut f = Failure::transient("HL-5012", text!("packet too large", "数据包过大"));
        f.split = true;
        Did::Fail(f)
    });
    let report = w.run(w.source(100).declares(true, true), target);
    assert_eq!((report.counts.target.written, report.counts.target.failed, report.exit_code()), (19, 1, 1));
    w.assert_conserved();
}

#[test]
fn what_cannot_be_rendered_leaves_the_batch_with_its_reason() {
    let w = World::new(10);
    w.rows(|s| s.row("0004").more = ",\"unfit\":true".into());
    let report = w.quietly();
    assert_eq!((report.counts.target.written, report.counts.target.failed), (9, 1));
    assert_eq!(w.record("0004").code.as_deref(), Some("HL-2210"));
    assert!(w.record("0004").reason.unwrap().contains("(name)"));
    // Mended content is tried again.
    w.rows(|s| s.row("0004").more.clear());
    w.rows(|s| s.row("0004").at = T0 - MINUTE);
    w.clock.advance(MINUTE as u64);
    let report = w.quietly();
    assert_eq!((report.counts.records.changed, report.exit_code()), (1, 0));
    w.assert_all_written();
}

#[test]
fn a_passing_failure_of_the_target_is_repeated_inside_the_run() {
    let w = World::new(10);
    let target = w
        .target(Replay::Idempotent)
        .scripted(|n, _, _| if n < 3 { Did::Fail(transient()) } else { Did::Answer });
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!((report.exit_code(), report.counts.target.calls), (0, 4));
    w.assert_all_written();
}

#[test]
fn a_target_that_stays_down_leaves_everything_waiting() {
    let w = World::new(45);
    let target = w.target(Replay::Idempotent).scripted(|_, _, _| Did::Fail(transient()));
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!(report.exit_code(), 3);
    assert_eq!(report.counts.target.written, 0);
    w.assert_conserved();
    assert!(w.records().iter().all(|r| r.state == State::Waiting));
    for _ in 0..2 {
        w.quietly();
    }
    w.assert_all_written();
    assert!(w.table(|t| t.doubled()).is_empty());
}

#[test]
fn throttled_writes_wait_and_cost_no_attempt() {
    let mut w = World::new(10);
    w.spec.retries = 0;
    let target = w
        .target(Replay::Idempotent)
        .scripted(|n, _, _| if n < 8 { Did::Fail(throttled(20_000)) } else { Did::Answer });
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!(report.exit_code(), 0);
    assert!(w.now().0 - T0 >= 160_000);
    assert_eq!(w.record("0001").attempts, 1);
    let w = World::new(10);
    let target = w.target(Replay::Idempotent).scripted(|_, _, _| Did::Fail(throttled(30_000)));
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!((report.exit_code(), w.record("0001").attempts), (3, 0));
    assert!(w.now().0 - T0 <= 640_000);
    w.assert_conserved();
}

#[test]
fn a_target_that_refuses_the_plan_ends_the_run_and_keeps_the_records() {
    let w = World::new(25);
    let target = w.target(Replay::Idempotent).scripted(|_, _, _| Did::Fail(refused("HL-5001")));
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!((report.exit_code(), w.table(|t| t.writes.len())), (3, 1));
    assert!(w.records().iter().all(|r| (r.state, r.attempts) == (State::Waiting, 0)));
    w.assert_conserved();
    for _ in 0..2 {
        w.quietly();
    }
    w.assert_all_written();
}

#[test]
fn a_partial_success_is_settled_per_record() {
    let w = World::new(5);
    let target = w.target(Replay::Idempotent).scripted(|n, _, _| {
        if n > 0 {
            return Did::Answer;
        }
        Did::Partly(vec![
            None,
            Some(RowResult::Failed(bad_row())),
            Some(RowResult::Waiting(transient())),
            Some(RowResult::InDoubt(bad_row())),
        ])
    });
    let report = w.run(w.source(10).declares(true, true), target);
    let states: Vec<State> = w.records().iter().map(|r| r.state).collect();
    // The reply says nothing of the fifth.
    assert_eq!(states[0], State::Written);
    assert_eq!(states[1], State::Failed);
    assert_eq!((states[3], states[4]), (State::InDoubt, State::InDoubt));
    assert_eq!(w.record("0005").code.as_deref(), Some("HL-7030"));
    assert_eq!(report.counts.target.failed, 1);
    w.assert_conserved();
}

#[test]
fn a_row_that_the_target_puts_off_is_tried_again_inside_the_run() {
    let w = World::new(3);
    let target = w.target(Replay::Idempotent).scripted(|n, rows, _| {
        if n >= 2 {
            return Did::Answer;
        }
        let later = |r: &WriteRow| (r.id == "0002").then(|| RowResult::Waiting(transient()));
        Did::Partly(rows.iter().map(later).collect())
    });
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!((report.exit_code(), report.counts.target.written), (0, 3), "{:?}", report.failure);
    assert!(w.table(|t| t.doubled()).is_empty(), "only what was put off is sent again");
    w.assert_all_written();
}

#[test]
fn a_row_that_is_put_off_for_good_is_no_clean_exit() {
    let w = World::new(3);
    let target = w.target(Replay::Idempotent).scripted(|_, rows, _| {
        let later = |r: &WriteRow| (r.id == "0002").then(|| RowResult::Waiting(transient()));
        Did::Partly(rows.iter().map(later).collect())
    });
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!((report.exit_code(), report.counts.target.waiting), (3, 1));
    assert_eq!(report.failure.map(|f| f.code), Some("HL-3010".to_owned()));
    assert_eq!((w.state("0002"), w.record("0002").attempts), (State::Waiting, 1));
    // Everything was read: the next run reads on, and takes along what waits.
    assert_eq!((w.stored().state, w.watermark()), (RunState::Stopped, Some(T0)));
    let report = w.quietly();
    assert!(!report.resumed);
    assert_eq!((report.exit_code(), report.counts.waiting_before, report.counts.target.written), (0, 1, 1));
    w.assert_all_written();
}

#[test]
fn a_passing_failure_becomes_final_after_max_attempts_runs() {
    let mut w = World::new(1);
    w.spec.max_attempts = 3;
    for n in 1..=4 {
        let target = w.target(Replay::Idempotent).scripted(|_, _, _| Did::Fail(transient()));
        let report = w.run(w.source(10).declares(true, true), target);
        let want = if n < 3 { State::Waiting } else { State::Failed };
        assert_eq!((w.state("0001"), w.record("0001").attempts), (want, n.min(3)), "run {n}");
        assert_ne!(report.exit_code(), 0);
        w.assert_conserved();
        w.clock.advance(MINUTE as u64);
    }
    assert_eq!(w.quietly().exit_code(), 1, "failed stays said");
}

#[test]
fn a_version_that_is_replaced_on_its_way_is_superseded_and_the_newest_lands() {
    // The second pass finds a newer content while the first is being written.
    for latency in [0, 50, 5_000] {
        let w = World::new(25);
        let source = w.source(10).declares(false, true).scripted(|n, _, shelf| {
            if n == 3 {
                shelf.row("0003").v = 2;
                shelf.row("0021").v = 2;
            }
            Act::Answer
        });
        let mut target = w.target(Replay::Idempotent);
        target.latency = latency;
        let report = w.run(source, target);
        assert_eq!((report.exit_code(), report.counts.records.changed), (0, 2), "{latency}");
        w.assert_all_written();
        let (sent, superseded) = (w.table(|t| t.applied.len()) as u64, report.counts.target.superseded);
        assert_eq!(report.counts.target.written + superseded, 27, "{latency}");
        assert!(sent <= 27 && superseded <= 2, "{latency}: {superseded} superseded");
    }
}

#[test]
fn an_older_version_is_never_written_over_a_newer_one() {
    let w = World::new(1);
    let source = w.source(10).declares(false, false).scripted(|n, _, shelf| {
        shelf.row("0001").v = n as u64 + 1;
        Act::Answer
    });
    let target = w.target(Replay::Idempotent).scripted(|_, rows, table| {
        for r in rows {
            let there = table.rows.get(&r.id).map_or(0, |e| e.version);
            assert!(r.version > there, "version {} over {there}", r.version);
        }
        Did::Answer
    });
    w.run(source, target);
    w.assert_conserved();
}

#[test]
fn several_writers_keep_each_record_to_one_of_them() {
    let w = World::new(200);
    let target = w.target(Replay::Idempotent).shaped(|s| {
        s.writers = 4;
        s.max_rows = 7;
    });
    let report = w.run(w.source(50).declares(true, true), target);
    assert_eq!(report.exit_code(), 0);
    w.assert_all_written();
    assert!(w.table(|t| t.doubled()).is_empty());
}

#[test]
fn batches_are_as_large_as_plan_and_target_allow() {
    for (batch, max_rows, want) in [(1_000, 25, 25), (7, 100, 7)] {
        let mut w = World::new(100);
        w.spec.batch = batch;
        let target = w.target(Replay::Idempotent).shaped(|s| s.max_rows = max_rows);
        w.run(w.source(100).declares(true, true), target);
        let sizes = w.table(|t| t.writes.iter().map(Vec::len).collect::<Vec<_>>());
        assert!(sizes.iter().all(|n| *n <= want) && sizes.contains(&want), "{sizes:?}");
        w.assert_all_written();
    }
}

#[test]
fn what_is_written_here_needs_no_announcement() {
    let w = World::new(10);
    let process = heliu_testkit::process::Process::new();
    let through = heliu_testkit::through::Through::gated(&w.ledger, process.clone(), None);
    let engine = heliu_engine::Engine::new(Arc::new(through), Arc::new(w.clock.clone()), "one");
    let sides =
        w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent).shaped(|s| s.local = true));
    let progress = Arc::new(heliu_engine::Silent);
    let run = engine.run(&w.spec, &sides, RunOptions::default(), progress, heliu_engine::Stop::never());
    assert_eq!(w.clock.run(run).unwrap().exit_code(), 0);
    assert!(!process.ops().contains(&"announce"));
    w.assert_all_written();
}

#[test]
fn target_only_writes_what_waits_and_reads_nothing() {
    let w = World::new(10);
    let only = RunOptions { source_only: true, ..RunOptions::default() };
    let report =
        w.run_as(&w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent)), only).unwrap();
    assert_eq!((report.exit_code(), report.counts.target.waiting), (0, 10));
    assert_eq!(w.table(|t| t.writes.len()), 0);
    let source = w.source(10).scripted(|_, _, _| panic!("reads"));
    let only = RunOptions { target_only: true, ..RunOptions::default() };
    let report = w.run_as(&w.sides(source, w.target(Replay::Idempotent)), only).unwrap();
    assert_eq!((report.exit_code(), report.counts.target.written, report.windows.len()), (0, 10, 0));
    w.assert_all_written();
}

#[test]
fn an_unknown_class_of_the_target_ends_the_run_without_blaming_records() {
    let w = World::new(5);
    let disk = || Failure::new(Class::Internal, "HL-6003", text!("disk full", "磁盘已满"));
    let target = w.target(Replay::Idempotent).scripted(move |_, _, _| Did::Fail(disk()));
    let report = w.run(w.source(10).declares(true, true), target);
    assert_eq!(report.exit_code(), 3);
    assert!(w.records().iter().all(|r| r.state == State::Waiting));
    w.assert_conserved();
}

#[test]
fn rows_without_id_and_rows_that_a_condition_leaves_out_are_kept_apart() {
    let w = World::new(6);
    w.rows(|s| {
        s.rows.push(Row { id: None, ..Row::new("", T0 - HOUR) });
        s.row("0002").more = ",\"status\":0".into();
    });
    let source = w.source(10).declares(true, true);
    let condition = serde_json::json!([[{"field": "status", "logic": "neq", "value": "0"}]]);
    let sides = heliu_engine::Sides {
        shaper: Arc::new(source.shaper(Some(condition))),
        ..w.sides(source, w.target(Replay::Idempotent))
    };
    let report = w.run_as(&sides, RunOptions::default()).unwrap();
    let r = report.counts.records;
    assert_eq!((r.new, r.filtered, r.rejected), (5, 1, 1), "{:?}", w.records());
    assert_eq!((report.exit_code(), report.balanced), (1, true));
    // Known by now: no reason to call again.
    let report =
        w.run_as(&sides, RunOptions { from: Some(heliu_model::Ts(T0 - 2 * HOUR)), ..RunOptions::default() });
    let report = report.unwrap();
    assert_eq!((report.counts.records.rejected, report.exit_code()), (1, 0));
}
