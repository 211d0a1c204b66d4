//! How far the other side's clock is from ours, learned from the Date header of a platform's answers or by asking a
//! database for its time.
//!
//! What it says was so somewhere between sending and receiving, and a Date has whole seconds: each answer bounds the
//! offset from both sides, and several answers bound it closely.

use std::sync::{Mutex, PoisonError};

use heliu_model::Ts;

/// Bounds older than this (ms) are forgotten: clocks drift, and are set.
const KEEP_MS: i64 = 3_600_000;

#[derive(Debug, Clone, Copy)]
struct Bounds {
    least: i64,
    most: i64,
    since: i64,
}

/// The offset of the other side's clock.
#[derive(Debug, Default)]
pub(crate) struct Skew(Mutex<Option<Bounds>>);

impl Skew {
    /// Takes in the Date of an answer that was asked for at `sent` and there at `received`.
    pub fn observe(&self, date: Option<&str>, sent: Ts, received: Ts) {
        if let Some(date) = date.and_then(|d| chrono::DateTime::parse_from_rfc2822(d.trim()).ok()) {
            self.bound(Ts(date.timestamp_millis()), 999, sent, received);
        }
    }

    /// Takes in a time that the other side told, cut off by up to `cut` ms.
    pub fn bound(&self, theirs: Ts, cut: i64, sent: Ts, received: Ts) {
        let (least, most) = (theirs.0 - received.0, theirs.0 + cut - sent.0);
        let mut bounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Bounds { least, most, since: received.0 };
        *bounds = Some(match *bounds {
            Some(b) if (0..KEEP_MS).contains(&(received.0 - b.since)) => {
                let both = Bounds { least: b.least.max(least), most: b.most.min(most), since: b.since };
                // A contradiction: one of the clocks was set.
                if both.least <= both.most { both } else { now }
            }
            _ => now,
        });
    }

    /// By how many milliseconds the other clock is behind ours, at most; 0 unless it certainly is behind.
    pub fn behind_ms(&self) -> i64 {
        let bounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *bounds {
            Some(b) if b.most < 0 => -b.least,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Date that a clock which is off by `offset` ms writes at our instant `at`.
    fn date(at: i64, offset: i64) -> String {
        let t = chrono::DateTime::from_timestamp((at + offset).div_euclid(1000), 0).unwrap_or_default();
        t.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    fn after(offset: i64, answers: i64) -> i64 {
        let skew = Skew::default();
        for i in 0..answers {
            // 80 ms to get there, 120 ms back, at many places within the second.
            let sent = 1_710_403_200_000 + i * 1_370;
            let words = date(sent + 80, offset);
            skew.observe(Some(&words), Ts(sent), Ts(sent + 200));
        }
        skew.behind_ms()
    }

    #[test]
    fn a_clock_that_is_behind_is_measured_closely_and_never_underrated() {
        for offset in [-2_500, -90_000, -3_600_000] {
            for answers in [1, 5, 40] {
                let behind = after(offset, answers);
                assert!(behind >= -offset, "{offset} after {answers}: {behind}");
                let surplus = if answers == 40 { 200 } else { 1_200 };
                assert!(behind <= -offset + surplus, "{offset} after {answers}: {behind}");
            }
        }
    }

    #[test]
    fn agreeing_and_leading_clocks_change_nothing() {
        for offset in [0, 40, -40, 1_500, 86_400_000] {
            assert_eq!((after(offset, 1), after(offset, 40)), (0, 0), "{offset}");
        }
    }

    #[test]
    fn what_was_learned_is_given_up_when_it_is_contradicted() {
        let skew = Skew::default();
        let t = 1_710_403_200_000;
        skew.observe(Some(&date(t, -60_000)), Ts(t), Ts(t + 50));
        assert!(skew.behind_ms() >= 60_000);
        skew.observe(Some(&date(t + 5_000, 0)), Ts(t + 5_000), Ts(t + 5_050));
        assert_eq!(skew.behind_ms(), 0);
        for bad in [None, Some(""), Some("yesterday"), Some("Thu, 99 Mar 2024 08:00:00 GMT")] {
            skew.observe(bad, Ts(t), Ts(t));
            assert_eq!(skew.behind_ms(), 0);
        }
    }
}
