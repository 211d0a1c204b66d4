//! The process dies at every single call of a port, before and after its effect; then it is started again.

use std::sync::Arc;

use heliu_engine::{Engine, RunOptions, Sides, Silent, Stop};
use heliu_model::ports::{Ledger, Replay};
use heliu_model::record::State;
use heliu_model::run::RunState;
use heliu_testkit::fake::{Act, FakeTarget, Whole};
use heliu_testkit::process::{Process, Side};
use heliu_testkit::through::Through;

use crate::world::*;

/// One life of the process over the world; `None` when it died.
fn life(
    w: &World,
    process: &Arc<Process>,
    replay: Replay,
    owner: &str,
) -> Option<Result<heliu_model::run::RunReport, heliu_model::Failure>> {
    let source = w.source(10).declares(false, true).gated(process.clone()).scripted(|n, _, shelf| {
        // While the first pass is being written the second one finds newer content.
        if n == 3 {
            shelf.row("0002").v = 2;
        }
        Act::Answer
    });
    let mut target: FakeTarget = w.target(replay).gated(process.clone()).shaped(|s| {
        s.max_rows = 4;
        s.writers = 2;
    });
    target.latency = 120;
    let sides = Sides {
        shaper: Arc::new(source.shaper(None)),
        source: Arc::new(source),
        target: Arc::new(target),
        renderer: Arc::new(Whole),
    };
    let ledger: Arc<dyn Ledger> = Arc::new(Through::gated(&w.ledger, process.clone(), None));
    let engine = Engine::new(ledger, Arc::new(w.clock.clone()), owner);
    let run = engine.run(&w.spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never());
    w.clock.run(process.live(run))
}

/// Dies at each passage in turn, until a life gets through; checks every time.
fn at_every_call(replay: Replay) {
    for n in 0.. {
        assert!(n < 1_000, "a life never gets through");
        let mut w = World::new(25);
        // The changed row keeps its time: only a wide lookback brings it again.
        w.spec.lookback_ms = 2 * HOUR;
        let process = Process::dying(n);
        let survived = life(&w, &process, replay, "one").is_some();
        let place = format!("{replay:?}, died at passage {n}: {:?}", process.last());
        if process.last().is_some_and(|(op, side)| op == "write" && side == Side::After) {
            // The target had it; nobody knows.
            let sent = w.table(|t| t.writes.last().cloned().unwrap_or_default());
            w.table(|t| t.unanswered.extend(sent.into_iter().map(|s| s.0)));
        }
        w.ledger.bury("one");
        let mut last = None;
        for again in 0..4 {
            let owner = format!("again-{again}");
            last = life(&w, &Process::new(), replay, &owner);
            w.assert_conserved();
        }
        let last = last.expect("nobody dies").unwrap_or_else(|f| panic!("{place}: {f}"));
        assert!(last.failure.is_none(), "{place}: {:?}", last.failure);
        let doubt: Vec<_> = w.records().into_iter().filter(|r| r.state == State::InDoubt).collect();
        if replay != Replay::Never {
            assert_eq!(doubt.len(), 0, "{place}");
        }
        if replay != Replay::Idempotent {
            assert_eq!(w.table(|t| t.doubled()), [], "{place}: written twice");
            assert_eq!(w.table(|t| t.blind.clone()), [], "{place}: sent although in doubt");
        }
        assert_eq!(last.exit_code(), u8::from(!doubt.is_empty()), "{place}");
        assert_ne!(w.stored().state, RunState::Open, "{place}");
        // A person looks at what is in doubt, and sends it again.
        w.put_back(State::InDoubt);
        life(&w, &Process::new(), replay, "person").expect("nobody dies").expect("a run");
        w.assert_all_written();
        if survived {
            assert!(n > 40, "only {n} passages");
            return;
        }
    }
}

#[test]
fn nothing_is_lost_over_an_idempotent_target() {
    at_every_call(Replay::Idempotent);
}

#[test]
fn nothing_is_lost_or_doubled_where_rows_can_be_looked_up() {
    at_every_call(Replay::LookUp);
}

#[test]
fn nothing_is_lost_or_repeated_blindly_where_nothing_can_be_told() {
    at_every_call(Replay::Never);
}

#[test]
fn a_paused_process_that_wakes_up_can_neither_commit_nor_write() {
    paused(false);
}

/// Nobody can throw a writer out of an embedded database: who sleeps with its lock is waited for, who slept before it
/// had the lock asks the ledger once it has it.
#[test]
fn a_paused_process_writes_nothing_old_where_nobody_can_be_displaced() {
    paused(true);
}

fn paused(locks: bool) {
    for n in (0..140).step_by(3) {
        let w = World::new(25);
        let old = Process::halting(n);
        let make = |process: &Arc<Process>, owner: &str| {
            let source = w.source(10).declares(true, true).gated(process.clone());
            let mut target = w.target(Replay::Idempotent).gated(process.clone()).shaped(|s| s.max_rows = 4);
            (target.fenced, target.locks) = (!locks, locks);
            let sides = Sides {
                shaper: Arc::new(source.shaper(None)),
                source: Arc::new(source),
                target: Arc::new(target),
                renderer: Arc::new(Whole),
            };
            let ledger: Arc<dyn Ledger> = Arc::new(Through::gated(&w.ledger, process.clone(), None));
            (Engine::new(ledger, Arc::new(w.clock.clone()), owner), sides, w.spec.clone())
        };
        let (one, two) = (make(&old, "one"), make(&Process::new(), "two"));
        let clock = w.clock.clone();
        let shelf = w.shelf.clone();
        let watched = old.clone();
        let late = w.clock.run(async move {
            let first = tokio::spawn(async move {
                one.0.run(&one.2, &one.1, RunOptions::default(), Arc::new(Silent), Stop::never()).await
            });
            // Longer than any lease.
            heliu_model::ports::Clock::sleep_ms(&clock, 200_000).await;
            heliu_testkit::fake::with(&shelf, |s| {
                let row = s.row("0003");
                (row.v, row.at) = (2, T0 + 1_000);
            });
            let second =
                two.0.run(&two.2, &two.1, RunOptions::default(), Arc::new(Silent), Stop::never()).await;
            let was_halted = watched.halted();
            // Its own run was closed before it stood still: nothing was taken over.
            let closed = match watched.last() {
                Some(("close_run", side)) => side == Side::After,
                last => last.is_some_and(|l| l.0 == "state_counts"),
            };
            if !locks {
                let third =
                    two.0.run(&two.2, &two.1, RunOptions::default(), Arc::new(Silent), Stop::never()).await;
                assert!(second.is_ok() && third.is_ok(), "{second:?} {third:?}");
            }
            watched.go_on();
            let first = first.await.expect("no panic");
            if locks {
                let third =
                    two.0.run(&two.2, &two.1, RunOptions::default(), Arc::new(Silent), Stop::never()).await;
                assert!(third.is_ok(), "{third:?}");
            }
            (was_halted, first, closed)
        });
        w.assert_all_written();
        if !late.0 {
            assert!(n > 40, "only {n} passages");
            return;
        }
        let (_, late, closed) = late;
        let fenced = late.as_ref().is_err_and(|f| f.code == "HL-6005" || f.code == "HL-7001");
        assert!(fenced || closed || n < 6, "halted at {n}, then: {late:?}");
    }
    panic!("the process never gets through");
}
