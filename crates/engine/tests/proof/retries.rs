//! What a failing source costs, and when it is given up.

use heliu_model::ports::Replay;
use heliu_model::run::RunState;
use heliu_testkit::fake::{Act, FakeSource};

use crate::world::*;

/// The source fails `times` times, from request `from` on.
fn failing(
    w: &World,
    from: usize,
    times: usize,
    failure: impl Fn() -> heliu_model::Failure + Send + 'static,
    ms: u64,
) -> FakeSource {
    w.source(10).declares(true, true).scripted(move |n, _, _| {
        if (from..from + times).contains(&n) { Act::Fail(failure(), ms) } else { Act::Answer }
    })
}

#[test]
fn a_passing_failure_is_repeated_with_growing_waits() {
    let w = World::new(25);
    let report = w.run(failing(&w, 1, 3, transient, 0), w.target(Replay::Idempotent));
    assert_eq!((report.exit_code(), report.counts.source.retried), (0, 3));
    assert_eq!(report.counts.source.calls, 4 + 3);
    let waited = w.now().0 - T0;
    // 0.5 + 1 + 2 s, with jitter over the upper half.
    assert!((1_750..=3_900).contains(&waited), "{waited} ms");
    w.assert_all_written();
}

#[test]
fn after_so_many_attempts_the_run_ends_and_the_next_one_goes_on() {
    let w = World::new(45);
    let report = w.run(failing(&w, 2, 4, transient, 0), w.target(Replay::Idempotent));
    assert_eq!((report.exit_code(), report.counts.source.calls), (3, 6));
    assert_eq!(report.failure.as_ref().map(|f| f.code.as_str()), Some("HL-3010"));
    assert_eq!((w.stored().state, w.watermark()), (RunState::Open, None));
    // What came before is written all the same.
    assert_eq!(report.counts.target.written, 15);
    w.assert_conserved();
    let report = w.quietly();
    assert!(report.resumed && report.exit_code() == 0);
    assert_eq!(report.counts.source.pages, 6, "the two pages of before are not read again");
    w.assert_all_written();
}

#[test]
fn nothing_read_yet_is_nothing_to_resume() {
    let w = World::new(5);
    let report = w.run(failing(&w, 0, 99, transient, 0), w.target(Replay::Idempotent));
    assert_eq!((report.exit_code(), w.stored().state), (3, RunState::Stopped));
    w.clock.advance(5_000);
    let report = w.quietly();
    assert!(!report.resumed && report.exit_code() == 0);
    w.assert_all_written();
}

#[test]
fn a_throttle_answer_waits_as_told_and_costs_no_attempt() {
    let mut w = World::new(15);
    w.spec.retries = 0;
    let report = w.run(failing(&w, 1, 20, || throttled(7_000), 0), w.target(Replay::Idempotent));
    assert_eq!(
        (report.exit_code(), report.counts.source.throttled, report.counts.source.retried),
        (0, 20, 0)
    );
    assert!(w.now().0 - T0 >= 140_000);
    w.assert_all_written();
}

#[test]
fn throttling_without_progress_ends_after_ten_minutes() {
    let w = World::new(15);
    let report = w.run(failing(&w, 1, 100_000, || throttled(30_000), 5), w.target(Replay::Idempotent));
    assert_eq!(report.exit_code(), 3);
    let waited = w.now().0 - T0;
    assert!((590_000..=640_000).contains(&waited), "{waited} ms");
    w.assert_conserved();
}

#[test]
fn a_dead_or_silent_source_ends_the_run_within_45_seconds() {
    // Refused at once, connection attempts that time out, and an answer that never begins.
    for (ms, retries) in [(0, 3), (6_000, 3), (10_000, 3), (10_000, 50), (0, 50), (30_000, 3)] {
        let mut w = World::new(15);
        w.spec.retries = retries;
        let report = w.run(failing(&w, 0, 100_000, transient, ms), w.target(Replay::Idempotent));
        assert_eq!(report.exit_code(), 3);
        let waited = w.now().0 - T0;
        assert!(waited <= 45_000, "{retries} repetitions of {ms} ms took {waited} ms");
        assert!(report.counts.source.calls >= 2 || ms > 10_000, "{ms}: not even repeated");
    }
}

#[test]
fn waiting_for_the_budget_is_not_the_sources_silence() {
    let w = World::new(15);
    // Half a minute for the budget before each attempt, then two failures of 5 s, then an answer.
    let source = w.source(10).declares(true, true).scripted(|n, _, _| {
        let then = if (1..3).contains(&n) { Act::Fail(transient(), 5_000) } else { Act::Answer };
        Act::Budget(50_000, Box::new(then))
    });
    let report = w.run(source, w.target(Replay::Idempotent));
    assert_eq!(report.exit_code(), 0, "{:?}", report.failure);
    assert_eq!(report.counts.source.retried, 2);
    w.assert_all_written();
}

#[test]
fn what_no_repetition_can_mend_ends_the_run_at_once() {
    for (code, exit) in [("HL-3030", 3), ("HL-1040", 2)] {
        let w = World::new(25);
        let report = w.run(failing(&w, 1, 99, move || refused(code), 0), w.target(Replay::Idempotent));
        assert_eq!((report.exit_code(), report.counts.source.calls), (exit, 2));
        assert_eq!(report.failure.as_ref().map(|f| f.code.as_str()), Some(code));
        w.assert_conserved();
        assert_eq!(w.quietly().exit_code(), 0);
        w.assert_all_written();
    }
}

#[test]
fn calls_of_a_failed_attempt_are_kept_with_the_run() {
    use heliu_model::ports::{CallFilter, Ledger};
    let w = World::new(25);
    w.run(failing(&w, 1, 2, transient, 0), w.target(Replay::Idempotent));
    let plan = w.plan().id;
    let failed = CallFilter { failed_only: true, ..CallFilter::default() };
    assert_eq!(w.clock.run(w.ledger.calls(plan, failed)).unwrap().len(), 2);
    let all = w.clock.run(w.ledger.calls(plan, CallFilter::default())).unwrap();
    assert_eq!(all.len() as u64, w.stored().counts.source.calls + w.stored().counts.target.calls);
}
