//! The sandbox's idea of now: the system's, a test's own, or one moved by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Where timestamps, token lifetimes and rate windows get the time from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "a clock of its own: it stands in for another machine")]
    pub fn system() -> Self {
        Clock(Arc::new(Utc::now))
    }

    /// Any function, so that a test binds the sandbox to the clock of what it tests.
    pub fn from_fn(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }

    /// Now in milliseconds since 1970.
    pub(crate) fn millis(&self) -> i64 {
        self.now().timestamp_millis()
    }

    /// Now in whole seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        self.now().timestamp()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// A clock that stands still until it is moved; clones share the hand.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `start` (to the millisecond).
    pub fn new(start: DateTime<Utc>) -> Self {
        ManualClock(Arc::new(AtomicI64::new(start.timestamp_millis())))
    }

    /// What it shows.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl From<ManualClock> for Clock {
    fn from(manual: ManualClock) -> Self {
        Clock(Arc::new(move || manual.now()))
    }
}

/// Seconds since 1970 as Beijing wall time, `YYYY-MM-DD HH:MM:SS`: the only form the platform writes.
pub(crate) fn push_beijing(out: &mut Vec<u8>, seconds: i64) {
    let local = seconds + 8 * 3600;
    let (days, rest) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    // Days to a civil date, counting years from March so that the leap day comes last.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    push_digits(out, year, 4);
    for (mark, value) in
        [(b'-', month), (b'-', day), (b' ', rest / 3600), (b':', rest / 60 % 60), (b':', rest % 60)]
    {
        out.push(mark);
        push_digits(out, value, 2);
    }
}

/// [`push_beijing`] as text.
pub(crate) fn beijing(seconds: i64) -> String {
    let mut out = Vec::with_capacity(19);
    push_beijing(&mut out, seconds);
    String::from_utf8(out).unwrap_or_default()
}

/// Reads `YYYY-MM-DD HH:MM:SS` as Beijing time; nothing else is a time here.
pub(crate) fn parse_beijing(text: &str) -> Option<i64> {
    if text.len() != 19 {
        return None;
    }
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(naive.and_utc().timestamp() - 8 * 3600)
}

fn push_digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::{beijing, parse_beijing};

    #[test]
    fn beijing_text_agrees_with_the_calendar() {
        for seconds in [0, 951_782_400, 1_709_136_000, 1_709_222_399, 1_798_761_599, 4_102_444_800] {
            let text = beijing(seconds);
            assert_eq!(parse_beijing(&text), Some(seconds), "{text}");
        }
        assert_eq!(beijing(0), "1970-01-01 08:00:00");
        assert_eq!(parse_beijing("2026-01-01T00:00:00"), None);
        assert_eq!(parse_beijing("2026-02-30 00:00:00"), None);
    }
}
