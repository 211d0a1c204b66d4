//! Which ranges are read, and how far the watermark goes.

use heliu_engine::{RunOptions, Stop};
use heliu_model::Ts;
use heliu_model::ports::{Ledger, Replay};
use heliu_model::run::RunState;
use heliu_testkit::fake::{Act, Row};

use crate::world::*;

fn ranges(report: &heliu_model::run::RunReport) -> Vec<(i64, i64)> {
    report.windows.iter().map(|w| (w.window.from.0 - T0, w.window.to.0 - T0)).collect()
}

#[test]
fn the_first_window_begins_at_start_without_lookback() {
    let w = World::new(25);
    w.clock.advance(789);
    let report = w.quietly();
    assert_eq!(ranges(&report), [(-2 * HOUR, 0)]);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(w.watermark(), Some(T0), "whole seconds");
    w.assert_all_written();
}

#[test]
fn without_start_it_is_a_day_before_the_plan_was_first_seen() {
    let mut w = World::new(3);
    w.spec.start = None;
    assert_eq!(ranges(&w.quietly()), [(-24 * HOUR, 0)]);
}

#[test]
fn later_windows_begin_a_lookback_before_the_watermark() {
    let w = World::new(5);
    w.quietly();
    let first = w.watermark().unwrap();
    w.clock.advance(30 * MINUTE as u64);
    let report = w.quietly();
    assert_eq!(report.windows[0].window.from.0, first - 10 * MINUTE);
    assert_eq!(w.watermark(), Some(report.windows[0].window.to.0));
    assert!(w.watermark() > Some(first));
}

#[test]
fn the_end_is_settle_before_now() {
    let mut w = World::new(3);
    w.spec.settle_ms = MINUTE;
    w.rows(|s| s.rows.push(Row::new("young", T0 - MINUTE / 2)));
    let report = w.quietly();
    assert_eq!(ranges(&report), [(-2 * HOUR, -MINUTE)]);
    assert_eq!(report.counts.records.new, 3);
    w.clock.advance(2 * MINUTE as u64);
    assert_eq!(w.quietly().counts.records.new, 1);
}

#[test]
fn a_row_that_becomes_visible_late_is_caught_and_rereading_writes_nothing() {
    let w = World::new(5);
    w.rows(|s| s.rows.push(Row::new("near", T0 - 2 * MINUTE)));
    w.quietly();
    w.clock.advance(MINUTE as u64);
    w.rows(|s| s.rows.push(Row::new("late", T0 - 9 * MINUTE)));
    let report = w.quietly();
    let r = report.counts.records;
    assert_eq!((r.new, r.changed, r.unchanged), (1, 0, 1));
    assert_eq!(report.counts.target.written, 1);
    w.assert_all_written();
}

#[test]
fn long_ranges_are_cut_and_the_watermark_follows_each_window() {
    for (own, platform) in [(Some(HOUR / 2), None), (None, Some(HOUR / 2)), (Some(HOUR), Some(HOUR / 2))] {
        let mut w = World::new(60);
        w.spec.window_ms = own;
        let marks = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (ledger, log) = (w.ledger.clone(), marks.clone());
        let source = w.source(10).declares(true, true).shaped(|s| s.max_window_ms = platform).scripted(
            move |_, request, _| {
                let seen = futures_util::FutureExt::now_or_never(ledger.find_plan("orders"));
                let at = seen.unwrap().unwrap().and_then(|p| p.watermark).map(|t| t.0 - T0);
                log.lock().unwrap().push((request.window.from.0 - T0, at));
                Act::Answer
            },
        );
        let report = w.run(source, w.target(Replay::Idempotent));
        let half = HOUR / 2;
        assert_eq!(
            ranges(&report),
            [(-4 * half, -3 * half), (-3 * half, -2 * half), (-2 * half, -half), (-half, 0)]
        );
        for (from, mark) in marks.lock().unwrap().iter() {
            let want = if *from == -4 * half { None } else { Some(*from) };
            assert_eq!(*mark, want, "while reading from {from}");
        }
        assert_eq!(report.exit_code(), 0);
        w.assert_all_written();
    }
}

#[test]
fn a_source_that_asks_for_no_window_is_read_once() {
    let mut w = World::new(12);
    w.spec.windowed = false;
    let mut source = w.source(10).declares(true, true).shaped(|s| s.max_window_ms = Some(1_000));
    source.windowed = false;
    let report = w.run(source, w.target(Replay::Idempotent));
    assert_eq!(report.windows.len(), 1);
    w.assert_all_written();
}

#[test]
fn a_back_fill_leaves_the_watermark_alone() {
    let w = World::new(5);
    w.quietly();
    let mark = w.watermark();
    w.rows(|s| s.rows.push(Row::new("old", T0 - 20 * HOUR)));
    let back =
        RunOptions { from: Some(Ts(T0 - 24 * HOUR)), to: Some(Ts(T0 - 12 * HOUR)), ..RunOptions::default() };
    let sides = w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent));
    let report = w.run_as(&sides, back).unwrap();
    assert_eq!(ranges(&report), [(-24 * HOUR, -12 * HOUR)]);
    assert_eq!((report.counts.records.new, report.exit_code()), (1, 0));
    assert_eq!(w.watermark(), mark);
    // A missing end is the watermark, or now minus settle.
    w.clock.advance(5 * MINUTE as u64);
    let from = RunOptions { from: Some(Ts(T0 - MINUTE)), ..RunOptions::default() };
    let report = w.run_as(&sides, from).unwrap();
    assert!(report.windows[0].window.to.0 >= T0 + 5 * MINUTE);
    let to = RunOptions { to: Some(Ts(T0 + MINUTE)), ..RunOptions::default() };
    let report = w.run_as(&sides, to).unwrap();
    assert_eq!(
        (report.windows[0].window.from.0, report.windows[0].window.to.0),
        (mark.unwrap(), T0 + MINUTE)
    );
    assert_eq!(w.watermark(), mark);
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused_before_anything_is_sent() {
    let w = World::new(5);
    let back = RunOptions { from: Some(Ts(T0)), to: Some(Ts(T0 - 1)), ..RunOptions::default() };
    let source = w.source(10);
    let sides = w.sides(source, w.target(Replay::Idempotent));
    let refused = w.run_as(&sides, back).unwrap_err();
    assert_eq!(refused.code, "HL-1050");
    assert_eq!(w.clock.run(w.ledger.runs(w.plan().id, 0)).unwrap().len(), 0);
}

#[test]
fn a_limit_reads_so_many_never_moves_the_watermark_and_is_not_complete() {
    let w = World::new(25);
    let limit = RunOptions { limit: Some(13), ..RunOptions::default() };
    let sides = w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent));
    let report = w.run_as(&sides, limit).unwrap();
    assert_eq!((report.counts.source.returned, report.counts.target.written), (13, 13));
    assert!(!report.complete && report.failure.is_none());
    assert_eq!(w.watermark(), None);
    let report = w.quietly();
    assert_eq!((report.counts.records.new, report.counts.records.unchanged), (12, 13));
    assert!(report.complete);
    w.assert_all_written();
}

#[test]
fn a_limit_larger_than_the_source_is_not_complete_either() {
    let w = World::new(5);
    let limit = RunOptions { limit: Some(100), ..RunOptions::default() };
    let sides = w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent));
    let report = w.run_as(&sides, limit).unwrap();
    assert_eq!((report.counts.source.returned, report.complete, w.watermark()), (5, false, None));
}

#[test]
fn a_clock_that_is_set_back_turns_no_window_round() {
    let w = World::new(5);
    w.quietly();
    w.clock.set_wall(Ts(T0 - 6 * HOUR));
    let report = w.quietly();
    let window = report.windows[0].window;
    assert!(window.from <= window.to && report.failure.is_none());
    assert_eq!(w.watermark(), Some(T0), "never back");
    w.clock.set_wall(Ts(T0 + MINUTE));
    w.rows(|s| s.rows.push(Row::new("after", T0 + MINUTE / 2)));
    assert_eq!(w.quietly().counts.records.new, 1);
    w.assert_all_written();
}

#[test]
fn runs_under_a_watermark_ahead_of_now_join_each_other() {
    let w = World::new(5);
    w.quietly();
    // The clock was wrong for one run.
    w.clock.set_wall(Ts(T0 + 100 * HOUR));
    w.quietly();
    assert_eq!(w.watermark(), Some(T0 + 100 * HOUR));
    for hour in 1..4 {
        w.clock.set_wall(Ts(T0 + hour * HOUR));
        w.rows(|s| s.rows.push(Row::new(format!("h{hour}"), T0 + hour * HOUR - HOUR / 2)));
        let report = w.quietly();
        assert_eq!(report.windows[0].window.from.0, T0 + (hour - 1) * HOUR - 10 * MINUTE);
        assert_eq!(report.counts.records.new, 1, "half an hour before is not lost");
    }
    w.assert_all_written();
}

#[test]
fn an_incomplete_window_holds_the_watermark_whatever_follows() {
    let mut w = World::new(60);
    w.spec.window_ms = Some(HOUR / 2);
    // The window that holds the first half of the rows lies about its total.
    let lie_until = T0 - HOUR / 2;
    let source = w.source(100).declares(true, true).scripted(move |_, request, _| {
        if request.window.to.0 == lie_until {
            return Act::Edit(Box::new(|page| page.total = Some(5_000)));
        }
        Act::Answer
    });
    let report = w.run(source, w.target(Replay::Idempotent));
    assert_eq!(report.windows.iter().map(|w| w.complete).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(report.exit_code(), 1);
    assert_eq!(w.watermark(), Some(T0 - HOUR), "not past what may be incomplete");
    // The next run reads it again.
    w.clock.advance(MINUTE as u64);
    let report = w.quietly();
    assert_eq!(report.windows[0].window.from.0, T0 - HOUR - 10 * MINUTE);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(w.watermark(), Some(report.windows.last().unwrap().window.to.0));
}

#[test]
fn an_incomplete_window_holds_the_watermark_of_a_resumed_run_too() {
    let mut w = World::new(60);
    w.spec.window_ms = Some(HOUR / 2);
    // Thirty rows in each of the last two windows.
    w.rows(|s| s.rows.iter_mut().enumerate().for_each(|(i, r)| r.at = T0 - HOUR + MINUTE * i as i64));
    let (wish, stop) = Stop::new();
    let lie_until = T0 - HOUR / 2;
    let source = w.source(20).declares(true, true).scripted(move |_, request, _| {
        if request.window.from.0 == lie_until {
            let _ = wish.send(true);
        }
        if request.window.to.0 == lie_until {
            return Act::Edit(Box::new(|page| page.total = Some(80)));
        }
        Act::Answer
    });
    let sides = w.sides(source, w.target(Replay::Idempotent));
    let report = w.run_until(&sides, RunOptions::default(), stop).unwrap();
    assert_eq!(report.exit_code(), 3);
    let report = w.run(w.source(20).declares(true, true), w.target(Replay::Idempotent));
    assert!(report.resumed);
    assert_eq!(w.watermark(), Some(T0 - HOUR));
    assert_eq!((report.exit_code(), w.stored().state), (1, RunState::Attention));
}

#[test]
fn a_resumed_run_keeps_its_frozen_windows() {
    let w = World::new(45);
    let (wish, stop) = Stop::new();
    let source = w.source(10).declares(true, true).scripted(move |n, _, _| {
        if n == 2 {
            let _ = wish.send(true);
        }
        Act::Answer
    });
    let sides = w.sides(source, w.target(Replay::Idempotent));
    let report = w.run_until(&sides, RunOptions::default(), stop).unwrap();
    assert_eq!((report.exit_code(), w.stored().state, w.watermark()), (3, RunState::Open, None));
    let before = ranges(&report);
    w.assert_conserved();
    w.clock.advance(6 * HOUR as u64);
    w.rows(|s| s.rows.push(Row::new("after", T0 + HOUR)));
    let report = w.quietly();
    assert!(report.resumed);
    assert_eq!(ranges(&report), before);
    assert_eq!((report.exit_code(), w.watermark()), (0, Some(T0)));
    let report = w.quietly();
    assert_eq!(report.counts.records.new, 1);
    w.assert_all_written();
}

#[test]
fn another_range_puts_an_interrupted_run_aside_and_nothing_of_it_is_lost() {
    let w = World::new(45);
    let (wish, stop) = Stop::new();
    let source = w.source(10).declares(true, true).scripted(move |n, _, _| {
        if n == 1 {
            let _ = wish.send(true);
        }
        Act::Answer
    });
    let sides = w.sides(source, w.target(Replay::Idempotent));
    w.run_until(&sides, RunOptions::default(), stop).unwrap();
    let back =
        RunOptions { from: Some(Ts(T0 - 24 * HOUR)), to: Some(Ts(T0 - 12 * HOUR)), ..RunOptions::default() };
    let sides = w.sides(w.source(10).declares(true, true), w.target(Replay::Idempotent));
    let report = w.run_as(&sides, back).unwrap();
    assert_eq!((report.exit_code(), report.windows.len()), (0, 1));
    w.assert_conserved();
    let report = w.quietly();
    assert!(!report.resumed && report.complete);
    w.assert_all_written();
}
