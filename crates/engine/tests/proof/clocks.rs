//! Clocks that jump, between runs and in the middle of one.

use heliu_model::Ts;
use heliu_model::ports::Replay;
use heliu_testkit::fake::{Act, Row};

use crate::world::{HOUR, MINUTE, T0, World};

/// The clock jumps by so much with the third page of a run.
fn jumping(w: &World, by: i64) -> heliu_model::run::RunReport {
    let clock = w.clock.clone();
    let source = w.source(10).declares(true, true).scripted(move |n, _, _| {
        if n == 2 {
            use heliu_model::ports::Clock;
            clock.set_wall(clock.now().plus_ms(by));
        }
        Act::Answer
    });
    w.run(source, w.target(Replay::Idempotent))
}

#[test]
fn a_jump_in_the_middle_of_a_run_changes_nothing_of_it() {
    for by in [-6 * HOUR, -MINUTE, MINUTE, 6 * HOUR] {
        let w = World::new(55);
        let report = jumping(&w, by);
        assert!(report.failure.is_none() && report.complete && report.exit_code() == 0, "{by}: {report:?}");
        assert_eq!(report.counts.records.new, 55, "{by}");
        // The window was frozen before.
        assert_eq!(w.watermark(), Some(T0), "{by}");
        w.assert_all_written();
        // The next run reads on as if nothing had been.
        w.clock.set_wall(Ts(T0 + 10 * MINUTE));
        w.rows(|s| s.rows.push(Row::new("after", T0 + MINUTE)));
        assert_eq!(w.quietly().counts.records.new, 1, "{by}");
        w.assert_all_written();
    }
}

#[test]
fn what_changes_while_the_clock_is_behind_the_watermark_is_read_at_once_and_stays_read() {
    let mut w = World::new(5);
    w.spec.lookback_ms = 10 * MINUTE;
    // The clock was six hours ahead, and so is the watermark.
    w.clock.set_wall(Ts(T0 + 6 * HOUR));
    w.quietly();
    assert_eq!(w.watermark(), Some(T0 + 6 * HOUR));
    // It is set right. A row a minute, a run every ten minutes, until the clock has passed the watermark.
    for minute in 0..7 * 60 {
        let now = T0 + minute * MINUTE;
        w.rows(|s| s.rows.push(Row::new(format!("late-{minute}"), now)));
        if minute % 10 == 9 {
            w.clock.set_wall(Ts(now + 1_000));
            let report = w.quietly();
            assert!(report.failure.is_none() && report.complete, "{report:?}");
            assert_eq!(report.counts.records.new, 10, "minute {minute}");
        }
    }
    w.assert_all_written();
    assert!(w.watermark() > Some(T0 + 6 * HOUR), "it never moves back, and goes on");
}
