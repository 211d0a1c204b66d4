//! Tokens and budgets.

use std::sync::Arc;

use heliu_model::budget::{Limits, Throttle};
use heliu_model::ports::*;
use heliu_model::{Secret, Ts};

use super::{START, Store};

const WHO: &str = "connector/jst";
const STALE: u64 = 60_000;

fn pair(n: u32) -> TokenPair {
    TokenPair {
        access: Secret::new(format!("access-{n}")),
        refresh: Some(Secret::new(format!("refresh-{n}"))),
        expires_at: Some(START.plus_ms(i64::from(n) * 3_600_000)),
    }
}

fn event(what: &str, at: Ts) -> TokenEvent {
    TokenEvent { at, event: what.into(), by: "one".into(), detail: "words".into(), expires_at: None }
}

async fn begin(s: &Arc<dyn Store>, generation: u64, owner: &str, now: Ts) -> RefreshStart {
    s.begin_refresh(WHO, generation, owner, now, STALE).await.expect("begin_refresh")
}

/// The file's pair begins a row; an edited file replaces it, whatever was refreshed since.
pub async fn a_pair_is_adopted_and_replaced_when_edited(s: Arc<dyn Store>) {
    assert_eq!(s.load(WHO).await, Ok(None));
    let row = s.adopt(WHO, &pair(1), "digest-1", START).await.expect("adopt");
    assert_eq!((&row.pair, row.origin.as_str(), row.stored_at), (&pair(1), "digest-1", START));
    assert!(row.broken_refresh.is_none() && !row.needs_authorisation);
    assert_eq!(s.load(WHO).await, Ok(Some(row.clone())));
    begin(&s, row.generation, "one", START).await;
    let ended = s.end_refresh(WHO, "one", Some(&pair(2)), false, &event("refreshed", START)).await;
    let ended = ended.expect("end").expect("row");
    assert_eq!((&ended.pair, ended.origin.as_str()), (&pair(2), "digest-1"));
    assert!(ended.generation > row.generation);
    let edited = s.adopt(WHO, &pair(9), "digest-2", START.plus_ms(5)).await.expect("adopt");
    assert_eq!((&edited.pair, edited.origin.as_str()), (&pair(9), "digest-2"));
    assert!(edited.generation > ended.generation, "whoever holds the old pair learns of it");
    assert_eq!(s.load("connector/other").await, Ok(None));
}

/// Plans that found the edited file at the same time adopt it one after the other: it is no newer pair for it, and never
/// replaces one that was obtained with it meanwhile.
pub async fn an_edited_pair_is_adopted_once(s: Arc<dyn Store>) {
    let first = s.adopt(WHO, &pair(1), "d", START).await.expect("adopt");
    let second = s.adopt(WHO, &pair(1), "d", START.plus_ms(1)).await.expect("adopt");
    assert_eq!(first, second);
    // Its access token is refused: there is nothing newer to be had, so it is refreshed.
    assert_eq!(begin(&s, first.generation, "one", START).await, RefreshStart::Yours { broken: false });
    let ended = s.end_refresh(WHO, "one", Some(&pair(2)), false, &event("refreshed", START)).await;
    let ended = ended.expect("end").expect("row");
    let third = s.adopt(WHO, &pair(1), "d", START.plus_ms(2)).await.expect("adopt");
    assert_eq!((&third, &third.pair), (&ended, &pair(2)));
    let history = s.history(WHO, 0).await.expect("history");
    assert_eq!(history.iter().filter(|e| e.event == "loaded").count(), 1);
}

/// Whoever comes second waits.
pub async fn one_refresh_at_a_time(s: Arc<dyn Store>) {
    let row = s.adopt(WHO, &pair(1), "d", START).await.expect("adopt");
    let g = row.generation;
    assert_eq!(begin(&s, g, "one", START).await, RefreshStart::Yours { broken: false });
    assert!(s.load(WHO).await.expect("load").expect("row").broken_refresh.is_some(), "the intent is stored");
    assert!(matches!(begin(&s, g, "two", START.plus_ms(10)).await, RefreshStart::Busy(ms) if ms > 0));
    let other = s.begin_refresh("connector/b", 0, "two", START, STALE).await;
    assert_eq!(other, Ok(RefreshStart::Yours { broken: false }), "another credential is free");
    s.end_refresh(WHO, "one", Some(&pair(2)), false, &event("refreshed", START)).await.expect("end");
    match begin(&s, g, "two", START.plus_ms(20)).await {
        RefreshStart::Newer(row) => assert_eq!(row.pair, pair(2)),
        other => panic!("{other:?}"),
    }
}

/// The pair that failed is compared by its generation.
pub async fn a_newer_pair_is_used_instead(s: Arc<dyn Store>) {
    let old = s.adopt(WHO, &pair(1), "d", START).await.expect("adopt");
    let new = s.adopt(WHO, &pair(2), "e", START).await.expect("adopt");
    match begin(&s, old.generation, "one", START).await {
        RefreshStart::Newer(row) => assert_eq!(row, new),
        other => panic!("{other:?}"),
    }
    assert_eq!(begin(&s, new.generation, "one", START).await, RefreshStart::Yours { broken: false });
}

/// Its process is gone: after a while, or at once for the same owner, somebody else goes on and knows.
pub async fn a_refresh_that_never_ended_is_told(s: Arc<dyn Store>) {
    let g = s.adopt(WHO, &pair(1), "d", START).await.expect("adopt").generation;
    begin(&s, g, "one", START).await;
    let row = s.load(WHO).await.expect("load").expect("row");
    assert_eq!((row.broken_refresh, &row.pair), (Some(START), &pair(1)));
    let later = START.plus_ms(STALE as i64 + 1);
    assert_eq!(begin(&s, g, "two", later).await, RefreshStart::Yours { broken: true });
    assert_eq!(begin(&s, g, "two", later.plus_ms(1)).await, RefreshStart::Yours { broken: true });
    assert!(matches!(begin(&s, g, "one", later.plus_ms(2)).await, RefreshStart::Busy(_)));
    // What the first one obtained after all is the newest there is.
    let late = s.end_refresh(WHO, "one", Some(&pair(3)), false, &event("refreshed", later)).await;
    assert_eq!(late.expect("end").expect("row").pair, pair(3));
}

/// The old pair stays; a person may be needed.
pub async fn a_refresh_without_result_leaves_the_pair(s: Arc<dyn Store>) {
    let g = s.adopt(WHO, &pair(1), "d", START).await.expect("adopt").generation;
    begin(&s, g, "one", START).await;
    s.end_refresh(WHO, "two", None, true, &event("failed", START)).await.expect("end");
    let row = s.load(WHO).await.expect("load").expect("row");
    assert!(row.broken_refresh.is_some() && !row.needs_authorisation, "not theirs to end");
    s.end_refresh(WHO, "one", None, true, &event("needs_authorisation", START)).await.expect("end");
    let row = s.load(WHO).await.expect("load").expect("row");
    assert_eq!((&row.pair, row.generation, row.needs_authorisation), (&pair(1), g, true));
    assert_eq!(row.broken_refresh, None);
    begin(&s, g, "one", START).await;
    s.end_refresh(WHO, "one", Some(&pair(2)), false, &event("refreshed", START)).await.expect("end");
    assert!(!s.load(WHO).await.expect("load").expect("row").needs_authorisation);
}

/// A platform that gives the first token on request.
pub async fn a_refresh_may_begin_with_nothing(s: Arc<dyn Store>) {
    assert_eq!(begin(&s, 0, "one", START).await, RefreshStart::Yours { broken: false });
    assert!(matches!(begin(&s, 0, "two", START).await, RefreshStart::Busy(_)));
    let bare = TokenPair { refresh: None, ..pair(1) };
    let row = s.end_refresh(WHO, "one", Some(&bare), false, &event("refreshed", START)).await;
    let row = row.expect("end").expect("row");
    assert_eq!((&row.pair, row.broken_refresh), (&bare, None));
    assert!(row.generation > 0);
    assert_eq!(begin(&s, row.generation, "two", START).await, RefreshStart::Yours { broken: false });
}

/// Who refreshed when.
pub async fn history_is_newest_first(s: Arc<dyn Store>) {
    let g = s.adopt(WHO, &pair(1), "d", START).await.expect("adopt").generation;
    begin(&s, g, "one", START.plus_ms(1)).await;
    let told = event("refreshed", START.plus_ms(2));
    s.end_refresh(WHO, "one", Some(&pair(2)), false, &told).await.expect("end");
    s.adopt("connector/other", &pair(5), "d", START).await.expect("adopt");
    let all = s.history(WHO, 0).await.expect("history");
    assert_eq!(all.iter().map(|e| e.event.as_str()).collect::<Vec<_>>(), ["refreshed", "loaded"]);
    assert_eq!((&all[0], all[1].expires_at), (&told, pair(1).expires_at));
    assert_eq!(s.history(WHO, 1).await.expect("history").len(), 1);
}

/// Slots in any second and minute, counted from the answer; a hold moves everybody on.
pub async fn budgets_are_kept_per_credential(s: Arc<dyn Store>) {
    let limits = Limits { requests_per_second: Some(2), requests_per_minute: None, concurrency: None };
    let ask = async |who: &str, at: Ts| s.reserve(who, &limits, "here:1:1", at).await.expect("reserve");
    let go = |slot: Slot| match slot {
        Slot::Go(id) => id,
        Slot::Wait(until) => panic!("to wait until {until}"),
    };
    let wait = |slot: Slot| match slot {
        Slot::Wait(until) => until,
        Slot::Go(_) => panic!("a slot beyond the limit"),
    };
    let (first, second) = (go(ask(WHO, START).await), go(ask(WHO, START).await));
    // Both are under way: they may arrive at any moment until they are answered.
    for later in [0, 1_500, 60_000] {
        assert!(wait(ask(WHO, START.plus_ms(later)).await).0 - START.0 - later >= 1_000);
    }
    s.release(first, START.plus_ms(500)).await.expect("release");
    assert!(wait(ask(WHO, START.plus_ms(501)).await).0 >= START.0 + 1_500);
    let third = go(ask(WHO, START.plus_ms(1_600)).await);
    wait(ask(WHO, START.plus_ms(1_600)).await);
    for slot in [second, third] {
        s.release(slot, START.plus_ms(1_700)).await.expect("release");
        // Twice is once, and not later.
        s.release(slot, START.plus_ms(9_000)).await.expect("release");
    }
    let at = wait(ask(WHO, START.plus_ms(1_800)).await);
    assert!((START.0 + 2_700..START.0 + 3_000).contains(&at.0), "{at}");
    go(ask(WHO, at).await);
    // Others are not concerned.
    go(ask("connector/other", START).await);
    let until = START.plus_ms(30_000);
    s.hold("connector/other", until).await.expect("hold");
    s.hold("connector/other", START.plus_ms(5)).await.expect("hold");
    assert!(wait(ask("connector/other", START).await) >= until);
    // What lies long back no longer counts, and a slot that was never released is none for ever.
    let much_later = START.plus_ms(3_600_000);
    ask(WHO, much_later).await;
    go(ask(WHO, much_later.plus_ms(2_000)).await);
}

/// What was written before the clock was set back holds nobody up for as long as it was set back.
pub async fn a_clock_that_is_set_back_holds_no_request_up(s: Arc<dyn Store>) {
    let limits = Limits { requests_per_second: Some(2), requests_per_minute: Some(50), concurrency: None };
    let ask = async |at: Ts| s.reserve(WHO, &limits, "here:1:1", at).await.expect("reserve");
    for ms in [0, 10] {
        let Slot::Go(slot) = ask(START.plus_ms(ms)).await else { panic!("the budget is free") };
        s.release(slot, START.plus_ms(ms + 5)).await.expect("release");
    }
    let back = START.plus_ms(-6 * 3_600_000);
    // The last two may still be within their second, and no longer.
    let Slot::Wait(until) = ask(back).await else { panic!("two were sent just now") };
    assert!((1..=1_100).contains(&(until.0 - back.0)), "{} ms", until.0 - back.0);
    let Slot::Go(slot) = ask(until).await else { panic!("their second is over") };
    s.release(slot, until).await.expect("release");
    // A hold of an hour ago that lies hours ahead ends as well.
    s.hold(WHO, START).await.expect("hold");
    let later = back.plus_ms(60_000);
    let Slot::Wait(until) = ask(later).await else { panic!("held") };
    assert!(until.0 - later.0 <= 600_000, "{} ms", until.0 - later.0);
    let Slot::Go(_) = ask(until).await else { panic!("the hold is over") };
}

fn per_second(n: u32) -> Limits {
    Limits { requests_per_second: Some(n), requests_per_minute: None, concurrency: None }
}

/// Processes that always want more take turns, whoever of them asks first when a slot becomes free.
pub async fn a_process_that_waits_goes_before_those_that_come_later(s: Arc<dyn Store>) {
    let limits = per_second(1);
    let owners = ["here:1:1", "here:2:1", "here:3:1"];
    let mut due: Vec<Ts> = owners.iter().map(|_| START).collect();
    let (mut got, mut now) = (Vec::new(), START);
    while got.len() < 31 {
        now = due.iter().copied().min().expect("three").max(now);
        // The first one is always the quickest to ask, and asks again at once.
        for (i, who) in owners.iter().enumerate().filter(|(i, _)| due[*i] <= now).collect::<Vec<_>>() {
            match s.reserve(WHO, &limits, who, now).await.expect("reserve") {
                Slot::Go(slot) => {
                    s.release(slot, now).await.expect("release");
                    got.push(i);
                }
                Slot::Wait(until) => due[i] = until,
            }
        }
    }
    for n in 0..owners.len() {
        let mine: Vec<usize> = got.iter().enumerate().filter(|(_, i)| **i == n).map(|(at, _)| at).collect();
        assert!(mine.windows(2).all(|w| w[1] - w[0] <= 3), "{n}: {got:?}");
        assert!(mine.len() >= 9, "{n}: {got:?}");
    }
}

/// A process that stays away, or is gone, keeps its place for a moment only.
pub async fn a_place_in_the_queue_is_not_kept_for_ever(s: Arc<dyn Store>) {
    let limits = per_second(1);
    let ask = async |who: &str, at: Ts| s.reserve(WHO, &limits, who, at).await.expect("reserve");
    let Slot::Go(slot) = ask("here:1:1", START).await else { panic!("the budget is free") };
    s.release(slot, START).await.expect("release");
    let Slot::Wait(first) = ask("here:2:1", START.plus_ms(1)).await else { panic!("used up") };
    let Slot::Wait(second) = ask("here:3:1", START.plus_ms(2)).await else { panic!("used up") };
    assert!(second > first);
    assert_eq!(s.usage(Some(WHO), START.plus_ms(2)).await.expect("usage")[0].waiting, 2);
    // Whoever came first never comes back.
    let mut now = second;
    let slot = loop {
        match ask("here:3:1", now).await {
            Slot::Go(slot) => break slot,
            Slot::Wait(until) => {
                assert!(until > now);
                now = until;
            }
        }
    };
    assert!(now.0 - first.0 <= 1_100, "{} ms", now.0 - first.0);
    s.release(slot, now).await.expect("release");
    assert_eq!(s.usage(Some(WHO), now.plus_ms(1)).await.expect("usage")[0].waiting, 0);
}

/// A throttle answer holds everybody, then halves the pace; good time regains it; the limit is never exceeded.
pub async fn a_throttle_answer_halves_the_pace_for_everybody(s: Arc<dyn Store>) {
    let limits = per_second(5);
    let now = START;
    let told = Throttle { begun: now, until: now.plus_ms(2_000), rate: 300 };
    let next = s.slow(WHO, &limits, &told, now).await.expect("slow");
    assert_eq!(next, now.plus_ms(2_000));
    // The same wave: it was sent before anybody knew.
    let same = Throttle { begun: now.plus_ms(-5), ..told };
    s.slow(WHO, &limits, &same, now.plus_ms(3)).await.expect("slow");
    let seen = s.usage(Some(WHO), now.plus_ms(10)).await.expect("usage");
    assert_eq!(
        (seen.len(), seen[0].held, seen[0].pace, seen[0].base),
        (1, Some(now.plus_ms(2_000)), Some(500), Some(300))
    );
    let (mut sent, mut at) = (Vec::new(), now);
    while at.0 < START.0 + 150_000 {
        match s.reserve(WHO, &limits, ["here:1:1", "here:2:1"][sent.len() % 2], at).await.expect("reserve") {
            Slot::Go(slot) => {
                s.release(slot, at).await.expect("release");
                sent.push(at.0 - START.0);
            }
            Slot::Wait(until) => at = until,
        }
    }
    let within = |from: i64, to: i64| sent.iter().filter(|t| (from..to).contains(*t)).count();
    assert_eq!(within(0, 2_000), 0, "held");
    assert!((24..=26).contains(&within(2_000, 12_000)), "half the pace: {}", within(2_000, 12_000));
    assert!((36..=38).contains(&within(52_000, 62_000)), "three quarters: {}", within(52_000, 62_000));
    assert!((48..=50).contains(&within(120_000, 130_000)), "all of it: {}", within(120_000, 130_000));
    for t in &sent {
        assert!(within(*t, t + 1_000) <= 5, "above the limit at {t}");
    }
    let usage = s.usage(None, START.plus_ms(150_000)).await.expect("usage");
    assert_eq!((usage[0].pace, usage[0].held), (None, None));
    assert!(usage[0].second <= 5 && (280..=300).contains(&usage[0].minute), "{usage:?}");
}

/// Where no limit is declared, a throttle answer makes one, and a hold holds.
pub async fn a_budget_without_limits_slows_down_as_well(s: Arc<dyn Store>) {
    let limits = Limits::default();
    let ask = async |at: Ts| s.reserve(WHO, &limits, "here:1:1", at).await.expect("reserve");
    assert!(matches!(ask(START).await, Slot::Go(_)) && matches!(ask(START).await, Slot::Go(_)));
    s.hold(WHO, START.plus_ms(700)).await.expect("hold");
    assert_eq!(ask(START.plus_ms(1)).await, Slot::Wait(START.plus_ms(700)));
    let told = Throttle { begun: START, until: START.plus_ms(1_000), rate: 120 };
    let next = s.slow(WHO, &limits, &told, START.plus_ms(10)).await.expect("slow");
    assert!((1_000..=1_100).contains(&(next.0 - START.0)), "{next}");
    // A hundred and twenty a minute become sixty.
    let (mut n, mut at) = (0, START.plus_ms(1_000));
    while at.0 < START.0 + 11_000 {
        match ask(at).await {
            Slot::Go(slot) => {
                s.release(slot, at).await.expect("release");
                n += 1;
            }
            Slot::Wait(until) => at = until,
        }
    }
    assert!((8..=11).contains(&n), "{n}");
    // And nothing is left of it in the end.
    let later = START.plus_ms(400_000);
    for _ in 0..50 {
        assert!(matches!(ask(later).await, Slot::Go(_)));
    }
}
