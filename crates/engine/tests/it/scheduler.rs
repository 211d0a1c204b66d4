//! Ticks, restarts, kills, chains, retries and fences.

use std::sync::Arc;

use heliu_engine::{Change, RunOptions, Silent, Stop};
use heliu_model::Ts;
use heliu_model::ports::{Clock, Ledger, Schedules, Trigger};
use heliu_model::run::RunState;
use heliu_model::schedule::Missed;

use crate::world::{World, at, clock_of, times};

#[test]
fn ticks_are_on_time_and_a_restart_makes_up_for_what_was_missed() {
    let w = World::new("16:01:00");
    let clock = w.clock.clone();
    clock.clone().run(async {
        let plan = times("a", "0 */5 * * * ?");
        let (_tx, service) = w.service("one", std::slice::from_ref(&plan));
        service.until(&clock, at("16:11:00")).await;
        assert_eq!(w.reads(), ["a 16:05:00", "a 16:10:00"]);
        // Down over 16:15, 16:20 and 16:25.
        clock.sleep_ms(16 * 60_000).await;
        let (_tx, service) = w.service("two", &[plan]);
        service.until(&clock, at("16:31:00")).await;
        assert_eq!(w.reads()[2..], ["a 16:27:00", "a 16:30:00"]);
        assert!(
            w.log()
                .iter()
                .filter(|l| l.contains('+'))
                .all(|l| !l.starts_with("a source 16:3") || l.ends_with("+0"))
        );
        // Windows join: nothing lies between two of them.
        let read = w.read.lock().unwrap().clone();
        assert!(read.windows(2).all(|p| p[0].2.to == p[1].2.from), "{read:?}");
    });
}

#[test]
fn each_missed_tick_has_its_own_window_where_wished() {
    let w = World::new("08:00:30");
    let clock = w.clock.clone();
    clock.clone().run(async {
        let mut plan = times("a", "0 0 * * * ?");
        plan.missed = Missed::All;
        let (_tx, service) = w.service("one", std::slice::from_ref(&plan));
        service.until(&clock, at("08:01:00")).await;
        clock.sleep_ms(3 * 3_600_000).await;
        let (_tx, service) = w.service("two", &[plan]);
        service.until(&clock, at("11:02:00")).await;
        let ends: Vec<String> = w.read.lock().unwrap().iter().map(|r| clock_of(r.2.to)).collect();
        assert_eq!(ends, ["09:00:00", "10:00:00", "11:00:00"]);
    });
}

#[test]
fn of_two_services_one_answers_each_tick() {
    let w = World::new("16:01:00");
    w.behave("a", |b| b.slow_ms = 2_000);
    let clock = w.clock.clone();
    clock.clone().run(async {
        let plans = [times("a", "0 */5 * * * ?")];
        let (_t1, one) = w.service("one", &plans);
        let (_t2, two) = w.service("two", &plans);
        tokio::join!(one.until(&clock, at("16:26:00")), two.until(&clock, at("16:26:00")));
        assert_eq!(w.reads(), ["a 16:05:00", "a 16:10:00", "a 16:15:00", "a 16:20:00", "a 16:25:00"]);
    });
}

#[test]
fn a_passing_failure_comes_back_after_a_minute_then_two_and_survives_a_restart() {
    let w = World::new("15:59:00");
    w.behave("a", |b| b.fails_until = Some(at("16:06:00")));
    let clock = w.clock.clone();
    clock.clone().run(async {
        let plans = [times("a", "0 0 * * * ?")];
        let (_tx, service) = w.service("one", &plans);
        service.until(&clock, at("16:02:00")).await;
        assert_eq!(w.reads(), ["a 16:00:00", "a 16:01:00"]);
        let (_tx, service) = w.service("two", &plans);
        service.until(&clock, at("16:30:00")).await;
        assert_eq!(w.reads()[2..], ["a 16:03:00", "a 16:07:00"]);
        let plan = w.ledger.find_plan("a").await.unwrap().unwrap();
        let state = w.ledger.tick_states(plan.id).await.unwrap().remove(0);
        assert_eq!((state.owed, state.failures, state.answered), (None, 0, at("16:00:00")));
    });
}

#[test]
fn a_killed_service_leaves_a_run_that_the_next_one_resumes_at_once() {
    let w = World::new("15:59:00");
    w.behave("a", |b| {
        b.slow_ms = 10_000;
        b.records = vec![("1".into(), "x".into())];
    });
    let clock = w.clock.clone();
    clock.clone().run(async {
        let plans = [times("a", "0 0 2,16 * * ?")];
        let (_tx, service) = w.service("one", &plans);
        service.killed_at(&clock, at("16:00:05")).await;
        w.ledger.bury("one");
        clock.sleep_ms(60_000).await;
        let (_tx, service) = w.service("two", &plans);
        service.until(&clock, at("16:02:00")).await;
        assert_eq!(w.reads(), ["a 16:00:00", "a 16:01:05"]);
        let plan = w.ledger.find_plan("a").await.unwrap().unwrap();
        let runs = w.ledger.runs(plan.id, 0).await.unwrap();
        assert_eq!(runs.iter().map(|r| r.state).collect::<Vec<_>>(), [RunState::Done]);
        assert_eq!(w.rows.lock().unwrap().len(), 1);
    });
}

#[test]
fn a_run_that_was_resumed_is_followed_by_one_for_the_tick() {
    let w = World::new("15:59:00");
    w.behave("a", |b| b.slow_ms = 10_000);
    let clock = w.clock.clone();
    clock.clone().run(async {
        let plan = times("a", "0 0 * * * ?");
        let (_tx, service) = w.service("one", std::slice::from_ref(&plan));
        service.killed_at(&clock, at("16:00:05")).await;
        w.ledger.bury("one");
        // The next tick finds the old run: its window ended an hour ago.
        clock.sleep_ms(59 * 60_000 + 50_000).await;
        w.ledger
            .answer(&[heliu_model::ports::TickAnswer {
                plan: w.ledger.find_plan("a").await.unwrap().unwrap().id,
                trigger: Trigger::Source,
                upto: None,
                owed: None,
                failures: 0,
            }])
            .await
            .unwrap();
        let (_tx, service) = w.service("two", &[plan]);
        service.until(&clock, at("17:01:00")).await;
        let ends: Vec<String> = w.read.lock().unwrap().iter().map(|r| clock_of(r.2.to)).collect();
        assert_eq!(ends[..2], ["16:00:00", "16:00:00"]);
        assert!(ends.len() == 3 && ends[2].as_str() > "17:00:00", "{ends:?}");
    });
}

#[test]
fn stopping_finishes_what_is_in_flight_and_begins_nothing() {
    let w = World::new("15:59:59");
    w.behave("a", |b| {
        b.slow_ms = 5_000;
        b.records = vec![("1".into(), "x".into())];
    });
    let clock = w.clock.clone();
    clock.clone().run(async {
        let (_tx, service) = w.service("one", &[times("a", "0 0 * * * ?"), times("b", "1 0 * * * ?")]);
        let wish = service.wish.clone();
        let c = clock.clone();
        let stopper = async move {
            c.sleep_ms(1_500).await;
            wish.send(true).unwrap();
        };
        tokio::join!(service.until(&clock, at("17:30:00")), stopper);
        assert_eq!(clock_of(clock.now()), "16:00:05", "it waited for the answer");
        let plan = w.ledger.find_plan("a").await.unwrap().unwrap();
        let run = w.ledger.runs(plan.id, 1).await.unwrap().remove(0);
        assert_eq!(run.counts.source.returned, 1, "the page in flight was stored");
        assert_eq!(w.reads(), ["a 16:00:00"], "nothing was begun after the wish");
    });
}

#[test]
fn a_chain_goes_on_also_when_the_first_plan_ran_elsewhere() {
    let w = World::new("15:59:00");
    let clock = w.clock.clone();
    clock.clone().run(async {
        let mut second = times("b", "");
        second.after = Some("a".into());
        let mut third = times("c", "");
        third.after = Some("b".into());
        let (_tx, service) = w.service("one", &[times("a", "0 0 * * * ?"), second, third]);
        let by_hand = async {
            clock.sleep_ms(10 * 60_000).await;
            let (spec, sides) = (w.spec("a"), w.sides("a"));
            let engine = w.engine("by hand");
            engine.run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never()).await.unwrap();
        };
        tokio::join!(service.until(&clock, at("16:20:00")), by_hand);
        assert_eq!(w.reads()[..3], ["a 16:00:00", "b 16:00:00", "c 16:00:00"]);
        let later = &w.reads()[3..];
        assert_eq!(later.len(), 3, "{later:?}");
        assert_eq!(later[0], "a 16:09:00");
        assert!(later[1].starts_with("b 16:09:") && later[2].starts_with("c 16:09:"), "{later:?}");
    });
}

#[test]
fn a_changed_file_takes_effect_and_a_removed_one_stops() {
    let w = World::new("16:01:00");
    let clock = w.clock.clone();
    clock.clone().run(async {
        let (tx, service) = w.service("one", &[times("a", "0 */5 * * * ?")]);
        let editor = async {
            clock.sleep_ms(5 * 60_000).await;
            tx.send(vec![Change::Set(Box::new(times("a", "0 */2 * * * ?")))]).await.unwrap();
            clock.sleep_ms(3 * 60_000).await;
            tx.send(vec![Change::Remove("a".into())]).await.unwrap();
        };
        tokio::join!(service.until(&clock, at("16:20:00")), editor);
        assert_eq!(w.reads(), ["a 16:05:00", "a 16:08:00"]);
    });
}

#[test]
fn a_plan_that_runs_by_hand_keeps_its_tick_for_later() {
    let w = World::new("15:59:50");
    w.behave("a", |b| b.slow_ms = 20_000);
    let clock = w.clock.clone();
    clock.clone().run(async {
        let (_tx, service) = w.service("one", &[times("a", "0 0 * * * ?")]);
        let by_hand = async {
            let (spec, sides) = (w.spec("a"), w.sides("a"));
            let engine = w.engine("by hand");
            engine.run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never()).await.unwrap();
        };
        tokio::join!(service.until(&clock, at("16:05:00")), by_hand);
        assert_eq!(w.reads(), ["a 15:59:50", "a 16:00:15"], "{:?}", w.log());
    });
}

/// A lease is kept for as long as one single step takes; nobody takes a living run away.
#[test]
fn a_long_step_keeps_its_lease() {
    let w = World::new("16:00:00");
    w.behave("a", |b| {
        b.records = vec![("1".into(), "x".into())];
        b.open_ms = 400_000;
    });
    let clock = w.clock.clone();
    clock.clone().run(async {
        let long = async {
            let (spec, sides) = (w.spec("a"), w.sides("a"));
            let engine = w.engine("one");
            engine.run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never()).await
        };
        let other = async {
            clock.sleep_ms(350_000).await;
            let (spec, sides) = (w.spec("a"), w.sides("a"));
            w.engine("two").run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never()).await
        };
        let (long, other) = tokio::join!(long, other);
        assert_eq!(other.unwrap_err().code, "HL-7001");
        assert_eq!(long.unwrap().counts.target.written, 1);
    });
}

/// The process sleeps between reading and writing; a successor has written a newer version meanwhile. The sleeper's
/// session opens afterwards, fence free: only the question to the ledger keeps the old version out.
#[test]
fn a_sleeper_whose_lease_was_taken_over_writes_nothing_old_over_anything_new() {
    let w = World::new("16:00:00");
    w.behave("a", |b| {
        b.records = vec![("1".into(), "old".into())];
        b.open_ms = 100;
    });
    let clock = w.clock.clone();
    clock.clone().run(async {
        let (spec, sides) = (w.spec("a"), w.sides("a"));
        let sleeper = async {
            let engine = w.engine("one");
            engine.run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never()).await
        };
        let successor = async {
            // In the middle of opening the target: page stored, nothing written.
            clock.sleep_ms(50).await;
            w.ledger.bury("one");
            w.behave("a", |b| {
                b.records = vec![("1".into(), "new".into())];
                b.open_ms = 0;
            });
            let (spec, sides) = (w.spec("a"), w.sides("a"));
            let engine = w.engine("two");
            for _ in 0..2 {
                engine
                    .run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never())
                    .await
                    .unwrap();
                clock.sleep_ms(1).await;
            }
            assert_eq!(w.rows.lock().unwrap()["1"], "1=new");
        };
        let (slept, ()) = tokio::join!(sleeper, successor);
        assert_eq!(slept.unwrap_err().code, "HL-6005");
        assert_eq!(w.rows.lock().unwrap()["1"], "1=new");
        let plan = w.ledger.find_plan("a").await.unwrap().unwrap();
        assert_eq!(w.ledger.story(plan.id, "1").await.unwrap().unwrap().record.version, 2);
    });
}

#[test]
fn a_clock_that_is_set_back_repeats_no_tick() {
    let w = World::new("16:01:00");
    let clock = w.clock.clone();
    clock.clone().run(async {
        let (_tx, service) = w.service("one", &[times("a", "0 */5 * * * ?")]);
        let set = async {
            clock.sleep_ms(6 * 60_000).await;
            // 16:07 becomes 15:30.
            clock.set_wall(at("15:30:00"));
            clock.sleep_ms(46 * 60_000).await;
        };
        let wish = service.wish.clone();
        let all = async {
            set.await;
            wish.send(true).unwrap();
        };
        tokio::join!(service.until(&clock, Ts(at("16:01:00").0 + 90 * 60_000)), all);
        assert_eq!(w.reads(), ["a 16:05:00", "a 16:10:00", "a 16:15:00"]);
    });
}

/// Its rows get times that lie in windows already read by our clock: neither the watermark nor, once it is known, the
/// window passes what its own clock has reached.
#[test]
fn a_source_whose_clock_is_behind_is_not_read_past() {
    let w = World::new("16:00:00");
    w.behave("a", |b| b.behind_ms = 90_000);
    let clock = w.clock.clone();
    clock.clone().run(async {
        let once = async || {
            let (spec, sides) = (w.spec("a"), w.sides("a"));
            let engine = w.engine("one");
            engine.run(&spec, &sides, RunOptions::default(), Arc::new(Silent), Stop::never()).await.unwrap()
        };
        let first = once().await;
        assert_eq!(first.window.unwrap().to, at("16:00:00"), "nothing is known yet");
        assert_eq!(w.ledger.find_plan("a").await.unwrap().unwrap().watermark, Some(at("15:58:30")));
        clock.sleep_ms(600_000).await;
        let second = once().await;
        assert_eq!(second.window.unwrap().from, at("15:58:30"));
        assert_eq!(second.window.unwrap().to, at("16:08:30"));
        assert_eq!(w.ledger.find_plan("a").await.unwrap().unwrap().watermark, Some(at("16:08:30")));
        // A back-fill of old times is not affected.
        w.behave("a", |b| b.behind_ms = 0);
        assert_eq!(once().await.window.unwrap().to, at("16:10:00"));
    });
}
