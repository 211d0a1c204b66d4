//! Decisions over time, without a run.

use heliu_model::schedule::Schedule;

use super::*;

const TZ: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

fn at(words: &str) -> Ts {
    Ts::parse(&format!("2024-03-14 {words}"), TZ).unwrap_or_else(|e| panic!("{e}"))
}

fn times(name: &str, schedule: &str) -> PlanTimes {
    let parse = |s: &str| Schedule::parse(s).unwrap_or_else(|e| panic!("{e}"));
    PlanTimes {
        name: name.into(),
        uuid: name.into(),
        tz: TZ,
        schedule: (!schedule.is_empty()).then(|| parse(schedule)),
        target_schedule: None,
        remedy: None,
        after: None,
        missed: Missed::Once,
        jitter_ms: 0,
        priority: 0,
        enabled: true,
        share: "one".into(),
    }
}

fn states(t: &PlanTimes, id: PlanId, answered: Ts) -> Vec<TickState> {
    t.triggers()
        .into_iter()
        .map(|(trigger, _)| TickState { plan: id, trigger, answered, owed: None, failures: 0 })
        .collect()
}

fn put(agenda: &mut Agenda, t: PlanTimes, now: Ts) {
    let id = agenda.entries.len() as PlanId + 1;
    let known = states(&t, id, now);
    agenda.set(t, &known, now);
}

/// Starts everything that is due, as `plan trigger HH:MM:SS`.
fn start(agenda: &mut Agenda, now: Ts) -> Vec<Start> {
    agenda.advance(now);
    std::iter::from_fn(|| agenda.take(now)).collect()
}

fn shown(list: &[Start]) -> Vec<String> {
    list.iter()
        .map(|s| {
            let tick = s.tick.at.local(TZ);
            format!("{} {} {}", s.plan, s.tick.trigger.word(), tick.split(' ').nth(1).unwrap_or(""))
        })
        .collect()
}

#[test]
fn a_tick_starts_a_run_and_never_a_second_one_beside_it() {
    let mut a = Agenda::new(8);
    put(&mut a, times("a", "0 */5 * * * ?"), at("16:01:00"));
    assert_eq!(a.next_wake(), Some(at("16:05:00")));
    assert!(start(&mut a, at("16:04:59")).is_empty());
    let first = start(&mut a, at("16:05:00"));
    assert_eq!(shown(&first), ["a source 16:05:00"]);
    // It takes twelve minutes: two ticks come meanwhile and become one run.
    assert!(start(&mut a, at("16:10:00")).is_empty());
    assert!(start(&mut a, at("16:15:00")).is_empty());
    let answer = a.finished(&first[0], Finish::Done, at("16:17:00")).unwrap_or_else(|| panic!("an answer"));
    assert_eq!((answer.upto, answer.owed, answer.failures), (Some(at("16:05:00")), None, 0));
    let second = start(&mut a, at("16:17:00"));
    assert_eq!(shown(&second), ["a source 16:15:00"]);
    assert_eq!(second[0].passed_over, 1);
    a.finished(&second[0], Finish::Done, at("16:17:30"));
    assert_eq!(a.next_wake(), Some(at("16:20:00")));
}

#[test]
fn missed_all_runs_each_with_its_own_window() {
    let mut a = Agenda::new(8);
    let mut t = times("a", "0 0 * * * ?");
    t.missed = Missed::All;
    let known = states(&t, 1, at("08:00:00"));
    a.set(t, &known, at("10:30:00"));
    let mut ran = Vec::new();
    for _ in 0..5 {
        for s in start(&mut a, at("10:30:00")) {
            ran.push((s.tick.at, s.as_of));
            a.finished(&s, Finish::Done, at("10:30:00"));
        }
    }
    let (nine, ten) = (at("09:00:00"), at("10:00:00"));
    assert_eq!(ran, [(nine, Some(nine)), (ten, Some(ten))]);
    // On time: the window ends now.
    let s = start(&mut a, at("11:00:00"));
    assert_eq!((s[0].tick.at, s[0].as_of), (at("11:00:00"), None));
}

#[test]
fn missed_skip_says_what_was_skipped() {
    let mut a = Agenda::new(8);
    let mut t = times("a", "0 0 * * * ?");
    t.missed = Missed::Skip;
    let known = states(&t, 1, at("08:00:00"));
    a.set(t, &known, at("10:30:00"));
    assert!(start(&mut a, at("10:30:00")).is_empty());
    let skipped = a.skipped();
    assert_eq!(skipped, [SkippedTicks { plan: "a".into(), trigger: Trigger::Source, missed: 2 }]);
    assert_eq!(a.next_wake(), Some(at("11:00:00")));
    assert_eq!(start(&mut a, at("11:00:00").plus_ms(120)).len(), 1);
}

#[test]
fn a_passing_failure_comes_back_after_a_minute_then_two() {
    let mut a = Agenda::new(8);
    put(&mut a, times("a", "0 0 * * * ?"), at("15:30:00"));
    let s = start(&mut a, at("16:00:00"));
    let answer = a.finished(&s[0], Finish::Failed, at("16:00:10")).unwrap_or_else(|| panic!("an answer"));
    assert_eq!((answer.owed, answer.failures), (Some(at("16:01:10")), 1));
    assert!(start(&mut a, at("16:01:09")).is_empty());
    let s = start(&mut a, at("16:01:10"));
    assert_eq!(shown(&s), ["a source 16:00:00"]);
    let answer = a.finished(&s[0], Finish::Failed, at("16:01:10")).unwrap_or_else(|| panic!("an answer"));
    assert_eq!((answer.owed, answer.failures), (Some(at("16:03:10")), 2));
    let s = start(&mut a, at("16:03:10"));
    let answer = a.finished(&s[0], Finish::Done, at("16:03:11")).unwrap_or_else(|| panic!("an answer"));
    assert_eq!((answer.owed, answer.failures), (None, 0));
    assert_eq!(a.next_wake(), Some(at("17:00:00")));
    // What no repetition mends waits for the next tick.
    let s = start(&mut a, at("17:00:00"));
    let answer = a.finished(&s[0], Finish::Hopeless, at("17:00:01")).unwrap_or_else(|| panic!("an answer"));
    assert_eq!((answer.owed, answer.failures), (None, 1));
    assert_eq!(a.next_wake(), Some(at("18:00:00")));
}

#[test]
fn a_backlog_of_missed_ticks_is_not_burnt_against_a_dead_source() {
    let mut a = Agenda::new(8);
    let mut t = times("a", "0 * * * * ?");
    t.missed = Missed::All;
    let known = states(&t, 1, at("08:00:00"));
    a.set(t, &known, at("12:00:30"));
    let s = start(&mut a, at("12:00:30"));
    a.finished(&s[0], Finish::Failed, at("12:00:31"));
    assert!(start(&mut a, at("12:00:32")).is_empty());
    // The next tick of now is due as ever; it takes over what is owed.
    assert_eq!(a.next_wake(), Some(at("12:01:00")));
}

#[test]
fn what_a_crash_left_behind_is_started_at_once() {
    let mut a = Agenda::new(8);
    let t = times("a", "0 0 2 * * ?");
    let mut known = states(&t, 1, at("02:00:00"));
    known[0].owed = Some(at("02:00:00"));
    a.set(t, &known, at("02:10:00"));
    assert_eq!(shown(&start(&mut a, at("02:10:00"))), ["a source 02:00:00"]);
}

#[test]
fn a_busy_plan_keeps_its_tick() {
    let mut a = Agenda::new(8);
    put(&mut a, times("a", "0 0 * * * ?"), at("15:30:00"));
    let s = start(&mut a, at("16:00:00"));
    assert_eq!(a.finished(&s[0], Finish::Busy, at("16:00:00")), None);
    assert!(start(&mut a, at("16:00:04")).is_empty());
    assert_eq!(shown(&start(&mut a, at("16:00:05"))), ["a source 16:00:00"]);
}

#[test]
fn priority_then_waiting_time_and_no_share_takes_all_workers() {
    let mut a = Agenda::new(2);
    let now = at("16:00:00");
    for (name, priority, share) in
        [("a", 0, "slow"), ("b", 0, "slow"), ("c", 5, "slow"), ("d", -1, "fast"), ("e", 0, "slow")]
    {
        let mut t = times(name, "0 */5 * * * ?");
        (t.priority, t.share) = (priority, share.into());
        put(&mut a, t, now);
    }
    let s = start(&mut a, at("16:05:00"));
    assert_eq!(s.iter().map(|s| s.plan.as_str()).collect::<Vec<_>>(), ["c", "a", "d"]);
    assert_eq!(a.waiting(), 2);
    a.finished(&s[1], Finish::Done, at("16:05:01"));
    let s = start(&mut a, at("16:05:01"));
    assert_eq!(s.iter().map(|s| s.plan.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_chain_goes_from_plan_to_plan_and_a_circle_nowhere() {
    let mut a = Agenda::new(8);
    let now = at("16:00:00");
    put(&mut a, times("a", "0 0 * * * ?"), now);
    for (name, after) in [("b", "a"), ("c", "b"), ("x", "y"), ("y", "x")] {
        let mut t = times(name, "");
        t.after = Some(after.into());
        put(&mut a, t, now);
    }
    a.ended("a", now, now);
    assert!(start(&mut a, now).is_empty(), "an end that was answered before");
    a.ended("a", at("16:10:00"), at("16:10:00"));
    let s = start(&mut a, at("16:10:00"));
    assert_eq!(shown(&s), ["b after 16:10:00"]);
    // A second end while it runs is one more run, afterwards.
    a.ended("a", at("16:10:30"), at("16:10:30"));
    a.ended("a", at("16:10:40"), at("16:10:40"));
    assert!(start(&mut a, at("16:10:40")).is_empty());
    a.finished(&s[0], Finish::Busy, at("16:11:00"));
    assert!(start(&mut a, at("16:11:00")).is_empty());
    let s = start(&mut a, at("16:11:05"));
    assert_eq!(shown(&s), ["b after 16:10:40"]);
    a.finished(&s[0], Finish::Done, at("16:11:06"));
    assert!(start(&mut a, at("16:11:06")).is_empty());
    for plan in ["x", "y"] {
        a.ended(plan, at("16:20:00"), at("16:20:00"));
    }
    assert!(start(&mut a, at("16:20:00")).is_empty());
    assert_eq!(a.followed().len(), 2);
}

#[test]
fn sides_and_gap_scan_have_their_own_times() {
    let mut a = Agenda::new(8);
    let mut t = times("a", "0 0 */2 * * ?");
    t.target_schedule = Schedule::parse("0 30 */2 * * ?").ok();
    t.remedy = Schedule::parse("2 */2 * * *").ok();
    put(&mut a, t, at("15:00:00"));
    let mut seen = Vec::new();
    for now in [at("16:00:00"), at("16:02:00"), at("16:30:00")] {
        for s in start(&mut a, now) {
            assert!(s.split);
            seen.extend(shown(std::slice::from_ref(&s)));
            a.finished(&s, Finish::Done, now);
        }
    }
    assert_eq!(seen, ["a source 16:00:00", "a remedy 16:02:00", "a target 16:30:00"]);
}

#[test]
fn jitter_shifts_the_start_not_the_tick() {
    let mut a = Agenda::new(800);
    for i in 0..200 {
        let mut t = times(&format!("p{i}"), "0 0 * * * ?");
        t.jitter_ms = 60_000;
        put(&mut a, t, at("15:30:00"));
    }
    let begun: Vec<usize> =
        (0..=60).map(|s| start(&mut a, at("16:00:00").plus_ms(s * 1_000)).len()).collect();
    assert_eq!(begun.iter().sum::<usize>(), 200);
    assert!(begun.iter().all(|n| *n < 20), "{begun:?}");
}

#[test]
fn reload_replaces_removes_and_leaves_what_runs() {
    let mut a = Agenda::new(8);
    put(&mut a, times("a", "0 */5 * * * ?"), at("16:00:00"));
    let s = start(&mut a, at("16:05:00"));
    let t = times("a", "0 30 * * * ?");
    let known = states(&t, 1, at("16:06:00"));
    a.set(t, &known, at("16:06:00"));
    assert!(start(&mut a, at("16:30:00")).is_empty(), "still running");
    a.finished(&s[0], Finish::Done, at("16:30:10"));
    let s = start(&mut a, at("16:30:10"));
    assert_eq!(shown(&s), ["a source 16:30:00"]);
    a.remove("a");
    assert!(a.finished(&s[0], Finish::Done, at("16:31:00")).is_none());
    assert_eq!((a.len(), a.next_wake()), (0, None));
    let mut off = times("b", "0 * * * * ?");
    off.enabled = false;
    put(&mut a, off, at("16:31:00"));
    assert_eq!((a.len(), a.next_wake()), (1, None));
}

#[test]
fn every_plan_of_a_crowd_starts_within_its_second() {
    let mut a = Agenda::new(2_000);
    let now = at("16:00:00");
    for i in 0..2_000 {
        put(&mut a, times(&format!("p{i}"), &format!("{} {}/10 * * * ?", i % 60, (i / 60) % 10)), now);
    }
    let mut total = 0;
    for second in 1..=600 {
        let t = now.plus_ms(second * 1_000);
        for s in start(&mut a, t) {
            assert!(t.0 - s.at.0 < 1_000, "{} late", t.0 - s.at.0);
            total += 1;
            a.finished(&s, Finish::Done, t);
        }
    }
    assert_eq!(total, 2_000);
}
