//! Writes whose answer was lost.

use std::sync::Arc;

use heliu_engine::RunOptions;
use heliu_model::ports::{Replay, RowResult};
use heliu_model::record::State;
use heliu_model::run::RunState;
use heliu_model::{Failure, text};
use heliu_testkit::fake::{Act, Did, FakeTarget, lost};

use crate::world::*;

/// The first write's answer is lost after so many of its rows were written.
fn losing(w: &World, replay: Replay, done: usize) -> FakeTarget {
    w.target(replay).scripted(move |n, _, _| if n == 0 { Did::Lose(done) } else { Did::Answer })
}

#[test]
fn an_idempotent_statement_is_simply_repeated() {
    for done in [0, 4, 10] {
        let w = World::new(10);
        let report = w.run(w.source(10).declares(true, true), losing(&w, Replay::Idempotent, done));
        assert_eq!((report.exit_code(), report.counts.target.calls), (0, 2));
        w.assert_all_written();
    }
}

#[test]
fn what_can_be_looked_up_is_looked_up_and_only_the_missing_is_sent() {
    for done in [0, 4, 10] {
        let w = World::new(10);
        let mut target = losing(&w, Replay::LookUp, done);
        target.insert_only = true;
        let report = w.run(w.source(10).declares(true, true), target);
        assert_eq!(report.exit_code(), 0, "{done}: {:?}", report.failure);
        assert_eq!(w.table(|t| t.look_ups), 1);
        assert!(w.table(|t| t.doubled()).is_empty(), "{done}");
        w.assert_all_written();
    }
}

#[test]
fn what_cannot_be_told_stays_in_doubt_and_is_never_sent_by_itself() {
    for done in [0, 10] {
        let w = World::new(10);
        let report = w.run(w.source(10).declares(true, true), losing(&w, Replay::Never, done));
        assert_eq!((report.exit_code(), report.counts.target.in_doubt), (1, 10));
        for _ in 0..3 {
            w.clock.advance(MINUTE as u64);
            assert_eq!(w.quietly().exit_code(), 1, "it stays said");
        }
        assert_eq!(w.table(|t| t.writes.len()), 1);
        let r = w.record("0001");
        assert_eq!((r.state, r.code.as_deref()), (State::InDoubt, Some("FAKE-LOST")));
        assert!(r.write_call.is_some());
        w.assert_conserved();
        // A person has looked and wants it sent again.
        assert_eq!(w.put_back(State::InDoubt), 10);
        let report = w.run(w.source(10).declares(true, true), w.target(Replay::Never));
        assert_eq!((report.exit_code(), report.counts.waiting_before), (0, 10));
        w.assert_all_written();
    }
}

#[test]
fn new_content_of_a_record_in_doubt_is_stored_and_not_sent() {
    let w = World::new(3);
    w.run(w.source(10).declares(true, true), losing(&w, Replay::Never, 3));
    w.clock.advance(MINUTE as u64);
    w.rows(|s| {
        let row = s.row("0002");
        (row.v, row.at) = (2, T0 - MINUTE);
    });
    let report = w.run(w.source(10).declares(true, true), w.target(Replay::Never));
    assert_eq!((report.counts.records.changed, report.exit_code()), (1, 1));
    assert!(report.balanced);
    let r = w.record("0002");
    assert_eq!((r.state, r.version), (State::InDoubt, 2));
    assert_eq!(w.table(|t| t.writes.len()), 1);
    w.put_back(State::InDoubt);
    w.run(w.source(10).declares(true, true), w.target(Replay::Never));
    w.assert_all_written();
}

#[test]
fn of_two_versions_in_one_batch_only_the_newer_one_is_sent() {
    let mut w = World::new(12);
    w.spec.batch = 1_000;
    let source = w.source(10).declares(false, true).scripted(|n, _, shelf| {
        if n == 2 {
            shelf.row("0001").v = 2;
        }
        Act::Answer
    });
    // The first row of the id is put off, whatever its version: sent once more, it would come after the second one.
    let mut put_off = false;
    let target = w.target(Replay::Idempotent).scripted(move |_, rows, _| {
        let first =
            rows.iter().position(|r| r.id == "0001").filter(|_| !std::mem::replace(&mut put_off, true));
        let later = || RowResult::Waiting(Failure::transient("FAKE-LATER", text!("later", "稍后")));
        Did::Partly((0..rows.len()).map(|i| (Some(i) == first).then(later)).collect())
    });
    let report = w.run(source, target);
    assert_eq!((report.exit_code(), report.counts.target.superseded), (0, 1), "{:?}", report.counts);
    assert_eq!(w.table(|t| std::mem::take(&mut t.regressed)), []);
    assert!(w.table(|t| !t.applied.contains_key(&("0001".to_owned(), 1))), "an older version went along");
    let r = w.record("0001");
    assert_eq!((r.state, r.version), (State::Written, 2));
    w.assert_conserved();
}

#[test]
fn the_doubt_of_a_version_holds_a_newer_one_that_came_in_meanwhile() {
    // Queued behind the write in flight, or left in the ledger because there was no room.
    for batch in [10, 1] {
        let mut w = World::new(12);
        w.spec.batch = batch;
        let source = w.source(10).declares(false, true).scripted(|n, _, shelf| {
            if n == 2 {
                shelf.row("0001").v = 2;
            }
            Act::Answer
        });
        let mut target = w.target(Replay::Never).scripted(|_, rows, _| {
            if rows.iter().any(|r| r.id == "0001" && r.version == 1) { Did::Lose(1) } else { Did::Answer }
        });
        target.latency = 5_000;
        let report = w.run(source, target);
        assert_eq!(report.exit_code(), 1);
        assert_eq!(
            w.table(|t| std::mem::take(&mut t.blind)),
            [],
            "sent although an older version is in doubt"
        );
        let r = w.record("0001");
        assert_eq!((r.state, r.version), (State::InDoubt, 2), "batches of {batch}");
        assert!(report.balanced, "{:?}", report.counts);
        w.assert_conserved();
    }
}

#[test]
fn a_look_up_that_fails_leaves_the_doubt() {
    let w = World::new(5);
    let table = w.table.clone();
    let target = w.target(Replay::LookUp).scripted(move |n, _, _| {
        let _ = &table;
        if n == 0 { Did::Fail(lost()) } else { Did::Answer }
    });
    struct Blind(FakeTarget);
    #[async_trait::async_trait]
    impl heliu_model::ports::Target for Blind {
        fn shape(&self) -> &heliu_model::ports::TargetShape {
            self.0.shape()
        }
        async fn open(
            &self,
            fence: &heliu_model::ports::Fence,
        ) -> Result<Box<dyn heliu_model::ports::TargetSession>, heliu_model::Failure> {
            Ok(Box::new(BlindSession(self.0.open(fence).await?)))
        }
        fn prepare(
            &self,
            rows: &[heliu_model::ports::WriteRow],
        ) -> Result<Vec<heliu_model::ports::Prepared>, heliu_model::Failure> {
            self.0.prepare(rows)
        }
    }
    struct BlindSession(Box<dyn heliu_model::ports::TargetSession>);
    #[async_trait::async_trait]
    impl heliu_model::ports::TargetSession for BlindSession {
        async fn write(
            &mut self,
            rows: &[heliu_model::ports::WriteRow],
        ) -> heliu_model::call::Exchange<Vec<heliu_model::ports::RowResult>> {
            self.0.write(rows).await
        }
        async fn look_up(
            &mut self,
            _rows: &[heliu_model::ports::WriteRow],
        ) -> heliu_model::call::Exchange<Vec<heliu_model::ports::Found>> {
            heliu_model::call::Exchange { calls: Vec::new(), result: Err(transient()) }
        }
    }
    let sides = heliu_engine::Sides {
        target: Arc::new(Blind(target)),
        ..w.sides(w.source(10).declares(true, true), w.target(Replay::LookUp))
    };
    let report = w.run_as(&sides, RunOptions::default()).unwrap();
    assert_eq!((report.exit_code(), report.counts.target.in_doubt), (1, 5));
    assert_eq!(w.table(|t| t.writes.len()), 1);
    w.assert_conserved();
}

#[test]
fn answers_that_are_lost_every_time_end_without_a_clean_exit() {
    for replay in [Replay::Idempotent, Replay::LookUp] {
        let w = World::new(5);
        let target = w.target(replay).scripted(|_, _, _| Did::Lose(0));
        let report = w.run(w.source(10).declares(true, true), target);
        assert_eq!((report.exit_code(), report.counts.target.waiting), (3, 5), "{replay:?}");
        assert!(w.table(|t| t.writes.len()) < 12, "{replay:?}");
        assert!(w.records().iter().all(|r| r.attempts == 1), "{replay:?}");
        assert_eq!(w.stored().state, RunState::Stopped, "everything was read");
        w.assert_conserved();
        w.quietly();
        w.assert_all_written();
    }
}
