//! Request budgets per credential: when may the next request go out?

use serde::{Deserialize, Serialize};

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
}

/// A little more than the nominal window, because requests do not arrive with the spacing they left with.
const SECOND_MS: i64 = 1_020;
const MINUTE_MS: i64 = 60_100;

/// The earliest instant (unix ms) at or after `now` at which one more request keeps both budgets, given the
/// instants at which earlier ones were answered (any order); those still under way count as answered now.
pub fn next_slot(sent: &[i64], limits: &Limits, now: i64) -> i64 {
    let mut times: Vec<i64> = sent.to_vec();
    times.sort_unstable();
    let mut at = now;
    for (limit, span) in [(limits.requests_per_second, SECOND_MS), (limits.requests_per_minute, MINUTE_MS)] {
        let Some(limit) = limit.map(|l| l.max(1) as usize) else { continue };
        // The request may go when the `limit`-th latest one has left the span.
        if let Some(nth) = times.len().checked_sub(limit).and_then(|i| times.get(i)) {
            at = at.max(nth.saturating_add(span));
        }
    }
    at
}

/// How long (ms) requests must be remembered for [`next_slot`].
pub const MEMORY_MS: i64 = MINUTE_MS;

/// A slot that was never released counts as released after this long (ms): no request takes longer.
pub const LOST_MS: i64 = 180_000;

/// What lies further ahead (ms) than any difference between processes was written before the clock was set back.
pub const AHEAD_MS: i64 = 10_000;

/// Nobody is held for longer than this (ms): an outside system that wants more says so again.
pub const MOST_HOLD_MS: i64 = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_above_the_limit_in_any_second_or_minute() {
        let limits =
            Limits { requests_per_second: Some(5), requests_per_minute: Some(100), concurrency: None };
        let mut sent: Vec<i64> = Vec::new();
        for _ in 0..450 {
            let now = sent.last().copied().unwrap_or(0);
            sent.push(next_slot(&sent, &limits, now));
        }
        for (i, t) in sent.iter().enumerate() {
            let in_second = sent[..i].iter().filter(|s| **s > t - 1000).count() + 1;
            let in_minute = sent[..i].iter().filter(|s| **s > t - 60_000).count() + 1;
            assert!(in_second <= 5 && in_minute <= 100, "at {t}: {in_second} {in_minute}");
        }
    }
}
