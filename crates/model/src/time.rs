//! Instants, their texts, and durations as users write them.

use std::fmt;

use chrono::{DateTime, LocalResult, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{Text, text};

/// An instant: unix **milliseconds**, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub i64);

impl Ts {
    /// From unix seconds.
    pub fn from_secs(secs: i64) -> Self {
        Ts(secs.saturating_mul(1000))
    }

    /// Unix seconds, rounded down.
    pub fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same instant without its fraction of a second.
    #[must_use]
    pub fn floor_secs(self) -> Self {
        Ts::from_secs(self.secs())
    }

    /// `ms` milliseconds later (earlier when negative).
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Ts(self.0.saturating_add(ms))
    }

    /// RFC 3339 in `tz`, such as `2024-03-14T16:00:00+08:00`; milliseconds only when there are some.
    pub fn rfc3339(self, tz: Tz) -> String {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(t) => {
                let form = if self.0 % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
                t.with_timezone(&tz).to_rfc3339_opts(form, false)
            }
            None => self.0.to_string(),
        }
    }

    /// `YYYY-MM-DD HH:MM:SS` in `tz`.
    pub fn local(self, tz: Tz) -> String {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(t) => t.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string(),
            None => self.0.to_string(),
        }
    }

    /// Reads `2024-03-14 16:00:00` (in `tz`), a date alone, RFC 3339, or unix seconds.
    ///
    /// # Errors
    /// A sentence that names the accepted forms. A local time that a clock change skips or repeats is taken at
    /// the earlier possible instant, so that a window never starts too late.
    pub fn parse(words: &str, tz: Tz) -> Result<Ts, Text> {
        let w = words.trim();
        if !w.is_empty()
            && w.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit())
            && let Ok(secs) = w.parse::<i64>()
            && secs.abs() < 100_000_000_000
        {
            return Ok(Ts::from_secs(secs));
        }
        if let Ok(t) = DateTime::parse_from_rfc3339(w) {
            return Ok(Ts(t.timestamp_millis()));
        }
        for form in [
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M",
            "%Y/%m/%d %H:%M:%S",
            "%Y%m%d%H%M%S",
        ] {
            if let Ok(n) = NaiveDateTime::parse_from_str(w, form) {
                return Ok(Ts(local_to_ms(n, tz)));
            }
        }
        if let Ok(d) = chrono::NaiveDate::parse_from_str(w, "%Y-%m-%d")
            && let Some(n) = d.and_hms_opt(0, 0, 0)
        {
            return Ok(Ts(local_to_ms(n, tz)));
        }
        Err(text!(
            "`{w}` is no time; write `2024-03-14 16:00:00`, `2024-03-14T16:00:00+08:00` or unix seconds",
            "`{w}` 不是时间;请写成 `2024-03-14 16:00:00`、`2024-03-14T16:00:00+08:00` 或 unix 秒"
        ))
    }
}

fn local_to_ms(n: NaiveDateTime, tz: Tz) -> i64 {
    match tz.from_local_datetime(&n) {
        LocalResult::Single(t) => t.timestamp_millis(),
        LocalResult::Ambiguous(a, b) => a.timestamp_millis().min(b.timestamp_millis()),
        LocalResult::None => {
            // Inside a skipped hour: the instant just before the jump has the earlier offset.
            let before = n - chrono::Duration::hours(3);
            let offset = match tz.from_local_datetime(&before) {
                LocalResult::Single(t) => t.naive_utc() - before,
                _ => chrono::Duration::zero(),
            };
            (n + offset).and_utc().timestamp_millis()
        }
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339(chrono_tz::UTC))
    }
}

/// Reads a duration such as `10m`, `1h30m`, `0s`, `500ms`, `7d` into milliseconds.
///
/// # Errors
/// A sentence that names the accepted units.
pub fn parse_duration(words: &str) -> Result<i64, Text> {
    let bad = || {
        text!(
            "`{words}` is no duration; write a number with a unit: `ms`, `s`, `m`, `h`, `d`, such as `10m`",
            "`{words}` 不是时长;请写数字加单位 `ms`、`s`、`m`、`h`、`d`,例如 `10m`"
        )
    };
    let w = words.trim();
    let mut total: i64 = 0;
    let mut rest = w;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let n: i64 = rest.get(..digits).unwrap_or("").parse().map_err(|_| bad())?;
        let tail = rest.get(digits..).unwrap_or("");
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match tail.get(..letters).unwrap_or("") {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        total = n.checked_mul(unit).and_then(|v| total.checked_add(v)).ok_or_else(bad)?;
        rest = tail.get(letters..).unwrap_or("").trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    const SH: Tz = chrono_tz::Asia::Shanghai;

    #[test]
    fn times_in_all_forms() {
        let want = Ts::from_secs(1_710_403_200);
        for form in ["2024-03-14 16:00:00", "2024-03-14T16:00:00+08:00", "2024-03-14T08:00:00Z", "1710403200"]
        {
            assert_eq!(Ts::parse(form, SH), Ok(want), "{form}");
        }
        assert_eq!(want.rfc3339(SH), "2024-03-14T16:00:00+08:00");
        assert_eq!(want.local(SH), "2024-03-14 16:00:00");
        assert!(Ts::parse("14.3.2024", SH).is_err());
    }

    #[test]
    fn skipped_and_repeated_hours_take_the_earlier_instant() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(Ts::parse("2024-10-27 02:30:00", berlin), Ok(Ts::from_secs(1_729_989_000)));
        assert_eq!(Ts::parse("2024-03-31 02:30:00", berlin), Ok(Ts::from_secs(1_711_848_600)));
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("10m"), Ok(600_000));
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000));
        assert_eq!(parse_duration("0s"), Ok(0));
        for bad in ["", "10", "m", "1w", "-1s", "99999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
