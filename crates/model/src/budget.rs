//! Request budgets per credential: when may the next request go out?

use serde::{Deserialize, Serialize};

use crate::Ts;

/// Limits of one credential. `None` means not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in any one second.
    pub requests_per_second: Option<u32>,
    /// Requests in any sixty seconds.
    pub requests_per_minute: Option<u32>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
}

impl Limits {
    /// True when time budgets apply at all.
    pub fn timed(&self) -> bool {
        self.requests_per_second.is_some() || self.requests_per_minute.is_some()
    }

    /// How far apart (ms) requests lie while several want them: evenly over the second, so that whoever asks for one page
    /// after the other is back before its next turn; over the minute no further than most answers take.
    pub fn distance(&self) -> i64 {
        let second = self.requests_per_second.map_or(0, |n| 1_000 / i64::from(n.max(1)));
        let minute = self.requests_per_minute.map_or(0, |n| 60_000 / i64::from(n.max(1)));
        second.max(minute.min(APART_MS))
    }
}

/// A little more than the nominal window, because requests do not arrive with the spacing they left with.
const SECOND_MS: i64 = 1_020;
const MINUTE_MS: i64 = 60_100;

/// See [`Limits::distance`].
const APART_MS: i64 = 250;

/// Who has sent within this time (ms) is at work: more will come.
pub const AT_WORK_MS: i64 = 1_000;

/// Full speed, in thousandths.
pub const FULL: i64 = 1_000;
/// However often a platform says «slow down», a twentieth of the full speed is kept.
pub const FLOOR: i64 = 50;
/// A twentieth of the full speed is regained ...
const STEP: i64 = 50;
/// ... in each so many milliseconds without a throttle answer.
const GOOD_MS: i64 = 10_000;

/// How long (ms) released requests must be remembered at full speed, see [`memory_ms`].
const MEMORY_MS: i64 = MINUTE_MS;

/// A slot that was never released counts as released after this long (ms): no request takes longer.
pub const LOST_MS: i64 = 180_000;

/// What lies further ahead (ms) than any difference between processes was written before the clock was set back.
pub const AHEAD_MS: i64 = 10_000;

/// Nobody is held for longer than this (ms): an outside system that wants more says so again.
pub const MOST_HOLD_MS: i64 = 600_000;

/// A process that waits has its place for so long (ms) after the instant it was told: then it counts as gone.
pub const GRACE_MS: i64 = 1_000;

/// Nobody is told to wait longer than this (ms).
pub const MOST_WAIT_MS: i64 = MOST_HOLD_MS + MINUTE_MS * FULL / FLOOR;

/// What a throttle answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// When the request was sent: of many that were under way together only the first slows down.
    pub begun: Ts,
    /// No request before this.
    pub until: Ts,
    /// Requests per minute of late, which count as full speed where no limit is declared.
    pub rate: u32,
}

/// The pace that a credential has learned from throttle answers: halved by each, regained in small steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Thousandths of the full speed, when good time began.
    pub permille: i64,
    /// Since when no throttle answer came (ms).
    pub since: i64,
    /// When it was halved last (ms).
    pub cut: i64,
    /// Requests per minute that count as full speed where no limit is declared.
    pub base: u32,
}

impl Pace {
    /// Thousandths of the full speed at `now`.
    pub fn at(&self, now: Ts) -> i64 {
        (self.permille + (now.0 - self.since).max(0) / GOOD_MS * STEP).clamp(FLOOR, FULL)
    }

    /// The pace after a throttle answer.
    pub fn slowed(before: Option<Pace>, told: &Throttle, now: Ts) -> Pace {
        let base = told.rate.max(1);
        let old = before.unwrap_or(Pace { permille: FULL, since: now.0, cut: i64::MIN, base });
        // What was sent before the last cut says nothing about the pace since.
        let fresh = told.begun.0 > old.cut;
        let permille = if fresh { (old.at(now) / 2).max(FLOOR) } else { old.at(now) };
        let cut = if fresh { now.0 } else { old.cut };
        Pace { permille, cut, since: old.since.max(now.0).max(told.until.0), ..old }
    }

    /// The clock was set back: nothing lies further ahead than it could.
    pub fn set_back(&mut self, now: Ts) {
        let most = now.0 + MOST_HOLD_MS;
        if self.since > most + AHEAD_MS {
            self.since = most;
        }
        if self.cut > now.0 + AHEAD_MS {
            self.cut = now.0;
        }
    }
}

/// How long (ms) released requests must be remembered.
pub fn memory_ms(pace: Option<&Pace>, now: Ts) -> i64 {
    MEMORY_MS * FULL / pace.map_or(FULL, |p| p.at(now))
}

/// What is known of a credential when somebody wants to send.
#[derive(Debug, Clone, Copy)]
pub struct Book<'a> {
    /// When earlier requests were answered (any order); those under way count as answered now.
    pub sent: &'a [i64],
    /// Declared limits.
    pub limits: &'a Limits,
    /// The learned pace.
    pub pace: Option<&'a Pace>,
    /// Nobody sends before this.
    pub held: i64,
    /// Until when those who came earlier were told to wait: their turn is first.
    pub ahead: &'a [i64],
    /// When the last request was sent.
    pub last: Option<i64>,
    /// Other processes are at work.
    pub shared: bool,
}

impl Book<'_> {
    /// The instant (unix ms) at or after `now` to send at; if it is later than `now`, then to ask again at.
    pub fn turn(&self, now: Ts) -> i64 {
        let pace = self.pace.filter(|p| p.at(now) < FULL);
        let permille = pace.map_or(FULL, |p| p.at(now));
        let mut limits = *self.limits;
        if let Some(p) = pace.filter(|_| !limits.timed()) {
            limits.requests_per_minute = Some(p.base);
        }
        let spans = [
            (limits.requests_per_second, SECOND_MS * FULL / permille),
            (limits.requests_per_minute, MINUTE_MS * FULL / permille),
        ];
        // At a reduced pace there are no bursts either, nor where a burst would leave nothing to others.
        let apart = match pace {
            Some(_) => apart(&limits, permille),
            None if self.shared => limits.distance(),
            None => 0,
        };
        let mut last = self.last.unwrap_or(i64::MIN);
        let mut sent = self.sent.to_vec();
        let from = now.0.max(self.held);
        let mut next = |last: &mut i64| {
            let at = next_slot(&sent, &spans, from.max(last.saturating_add(apart)));
            sent.push(at);
            *last = at;
            at
        };
        for _ in self.ahead {
            next(&mut last);
        }
        let at = next(&mut last);
        match self.ahead.iter().min() {
            // Whoever is first may never come.
            Some(first) if at > now.0 => at.min(first + GRACE_MS).max(now.0 + 1),
            _ => at,
        }
    }
}

/// How far apart (ms) requests lie at a reduced pace.
fn apart(limits: &Limits, permille: i64) -> i64 {
    match (limits.requests_per_second, limits.requests_per_minute) {
        (Some(n), _) => SECOND_MS * FULL / permille / i64::from(n.max(1)),
        (None, Some(n)) => MINUTE_MS * FULL / permille / i64::from(n.max(1)),
        (None, None) => 0,
    }
}

/// When the next request may go at the earliest after a throttle answer.
pub fn after_throttle(limits: &Limits, pace: &Pace, held: i64, now: Ts) -> Ts {
    let mut limits = *limits;
    if !limits.timed() {
        limits.requests_per_minute = Some(pace.base);
    }
    Ts(held.max(now.0 + apart(&limits, pace.at(now))))
}

/// The earliest instant (unix ms) at or after `now` at which one more request keeps all budgets: so many in any span
/// of so many milliseconds.
fn next_slot(sent: &[i64], spans: &[(Option<u32>, i64)], now: i64) -> i64 {
    let mut times: Vec<i64> = sent.to_vec();
    times.sort_unstable();
    let mut at = now;
    for (limit, span) in spans {
        let Some(limit) = limit.map(|l| l.max(1) as usize) else { continue };
        // The request may go when the `limit`-th latest one has left the span.
        if let Some(nth) = times.len().checked_sub(limit).and_then(|i| times.get(i)) {
            at = at.max(nth.saturating_add(*span));
        }
    }
    at
}

/// What of a credential's budget is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// The credential, or an interface of it that has limits of its own.
    pub credential: String,
    /// Requests of the last second, those under way among them.
    pub second: u32,
    /// Requests of the last minute, those under way among them.
    pub minute: u32,
    /// Requests under way.
    pub under_way: u32,
    /// Processes that wait.
    pub waiting: u32,
    /// Nobody sends before this.
    pub held: Option<Ts>,
    /// Thousandths of the full speed, where throttle answers have slowed it down.
    pub pace: Option<i64>,
    /// Requests per minute that count as full speed where no limit is declared.
    pub base: Option<u32>,
}

impl Usage {
    /// Counts one request: under way, or answered at `at` (ms).
    pub fn count(&mut self, at: i64, under_way: bool, now: Ts) {
        self.under_way += u32::from(under_way);
        self.second += u32::from(under_way || at > now.0 - 1_000);
        self.minute += u32::from(under_way || at > now.0 - 60_000);
    }

    /// True when there is nothing to tell.
    pub fn idle(&self) -> bool {
        self.minute == 0 && self.waiting == 0 && self.held.is_none() && self.pace.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(second: Option<u32>, minute: Option<u32>) -> Limits {
        Limits { requests_per_second: second, requests_per_minute: minute, concurrency: None }
    }

    /// Requests that are answered at once, each as early as it may.
    fn sent(limits: &Limits, pace: Option<Pace>, from: i64, until: i64) -> Vec<i64> {
        let (mut sent, mut now) = (Vec::new(), from);
        while now < until {
            let last = sent.last().copied();
            let pace = pace.as_ref();
            let book = Book { sent: &sent, limits, pace, held: 0, ahead: &[], last, shared: false };
            let at = book.turn(Ts(now));
            if at <= now {
                sent.push(now);
            }
            now = now.max(at);
        }
        sent
    }

    #[test]
    fn never_above_the_limit_in_any_second_or_minute() {
        let limits = limits(Some(5), Some(100));
        let slow = |permille| Pace { permille, since: 0, cut: 0, base: 1 };
        for pace in [None, Some(slow(500)), Some(slow(50))] {
            let sent = sent(&limits, pace, 0, 300_000);
            for (i, t) in sent.iter().enumerate() {
                let in_second = sent[..i].iter().filter(|s| **s > t - 1000).count() + 1;
                let in_minute = sent[..i].iter().filter(|s| **s > t - 60_000).count() + 1;
                assert!(in_second <= 5 && in_minute <= 100, "at {t}: {in_second} {in_minute}");
            }
            assert!(sent.len() > 200, "{}", sent.len());
        }
    }

    #[test]
    fn a_throttle_answer_halves_the_pace_and_good_time_regains_it() {
        let limits = limits(Some(5), None);
        let told = |begun, until| Throttle { begun: Ts(begun), until: Ts(until), rate: 60 };
        let one = Pace::slowed(None, &told(900, 2_000), Ts(1_000));
        assert_eq!((one.at(Ts(1_000)), one.at(Ts(11_999)), one.at(Ts(12_000))), (500, 500, 550));
        assert_eq!((one.at(Ts(101_999)), one.at(Ts(102_000))), (950, 1_000));
        // Five a second become five in two seconds, evenly.
        let times = sent(&limits, Some(one), 2_000, 12_000);
        assert!((24..=25).contains(&times.len()), "{times:?}");
        assert!(times.windows(2).all(|w| w[1] - w[0] >= 400), "{times:?}");
        // The others that were under way tell nothing new; the next one that was sent since does.
        let same = Pace::slowed(Some(one), &told(999, 2_500), Ts(1_100));
        assert_eq!((same.at(Ts(1_100)), same.since), (500, 2_500));
        let two = Pace::slowed(Some(same), &told(2_600, 3_700), Ts(2_700));
        assert_eq!(two.at(Ts(2_700)), 250);
        // Never below the floor, however long the storm.
        let mut storm = two;
        for n in 0..100 {
            let at = 4_000 + n * 1_100;
            storm = Pace::slowed(Some(storm), &told(at, at + 1_000), Ts(at + 1));
        }
        assert_eq!(storm.permille, FLOOR);
        assert_eq!(storm.at(Ts(storm.since + 190_000)), FULL);
    }

    #[test]
    fn without_declared_limits_the_speed_of_the_first_throttle_answer_is_full_speed() {
        let told = Throttle { begun: Ts(0), until: Ts(0), rate: 120 };
        let pace = Pace::slowed(None, &told, Ts(0));
        let times = sent(&Limits::default(), Some(pace), 0, 10_000);
        assert_eq!(times.len(), 10, "one a second: {times:?}");
        let limits = Limits::default();
        let free = Book {
            sent: &times,
            limits: &limits,
            pace: None,
            held: 0,
            ahead: &[],
            last: None,
            shared: false,
        };
        assert_eq!(free.turn(Ts(9_500)), 9_500);
    }

    #[test]
    fn who_came_earlier_goes_first_and_holds_nobody_up_that_fits_beside() {
        let limits = limits(Some(2), None);
        let book = |sent: &'static [i64], ahead: &'static [i64]| Book {
            sent,
            limits: &limits,
            pace: None,
            held: 0,
            ahead,
            last: None,
            shared: false,
        };
        assert_eq!(book(&[], &[0]).turn(Ts(10)), 10, "there is room for both");
        assert_eq!(book(&[5], &[10]).turn(Ts(10)), 1_010, "its grace ends before there is room");
        assert_eq!(book(&[500], &[1_200]).turn(Ts(1_000)), 1_520);
        assert_eq!(book(&[500], &[-1_000]).turn(Ts(1_000)), 1_001);
        let crowded = |last| Book { last, shared: true, ..book(&[], &[]) };
        assert_eq!((crowded(Some(900)).turn(Ts(1_000)), crowded(Some(400)).turn(Ts(1_000))), (1_400, 1_000));
    }
}
