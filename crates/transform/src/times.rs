//! Times as the dialect reads and writes them (§3.4): one reader for pipes, formats, conditions and casts.

use bigdecimal::{RoundingMode, ToPrimitive};
use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::Value;

/// An instant read from a value: unix milliseconds.
pub(crate) fn read(v: &Value, tz: Tz) -> Option<i64> {
    match v {
        Value::Number(n) => from_number(n.to_decimal()?.with_scale_round(0, RoundingMode::Floor).to_i64()?),
        Value::String(s) => read_text(s, tz),
        _ => None,
    }
}

/// Unix seconds, or milliseconds from 10^11 on.
fn from_number(n: i64) -> Option<i64> {
    if n.abs() >= 100_000_000_000 { Some(n) } else { n.checked_mul(1000) }
}

/// Reads the accepted text forms; local ones in `tz`.
pub(crate) fn read_text(s: &str, tz: Tz) -> Option<i64> {
    let t = s.trim();
    if t.is_empty() || t.len() > 40 {
        return None;
    }
    let unsigned = t.strip_prefix('-').unwrap_or(t);
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return match unsigned.len() {
            14 => local(NaiveDateTime::parse_from_str(t, "%Y%m%d%H%M%S").ok()?, tz),
            8 if plausible_date(t) => local(NaiveDate::parse_from_str(t, "%Y%m%d").ok()?.and_hms_opt(0, 0, 0)?, tz),
            _ => from_number(t.parse().ok()?),
        };
    }
    if let Ok(z) = DateTime::parse_from_rfc3339(&t.replacen(' ', "T", 1)) {
        return Some(z.timestamp_millis());
    }
    for form in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y/%m/%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
        "%Y/%m/%d %H:%M",
    ] {
        if let Ok(n) = NaiveDateTime::parse_from_str(t, form) {
            return local(n, tz);
        }
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"] {
        if let Ok(z) = DateTime::parse_from_str(t, form) {
            return Some(z.timestamp_millis());
        }
    }
    ["%Y-%m-%d", "%Y/%m/%d"]
        .iter()
        .find_map(|f| NaiveDate::parse_from_str(t, f).ok())
        .and_then(|d| local(d.and_hms_opt(0, 0, 0)?, tz))
}

fn plausible_date(t: &str) -> bool {
    t.get(..2).is_some_and(|c| matches!(c, "19" | "20" | "21"))
}

fn local(n: NaiveDateTime, tz: Tz) -> Option<i64> {
    match tz.from_local_datetime(&n) {
        LocalResult::Single(z) => Some(z.timestamp_millis()),
        LocalResult::Ambiguous(a, _) => Some(a.timestamp_millis()),
        LocalResult::None => Some(tz.from_local_datetime(&(n + chrono::Duration::hours(1))).earliest()?.timestamp_millis()),
    }
}

/// The wall-clock time of an instant.
pub(crate) fn wall(ms: i64, tz: Tz) -> Option<NaiveDateTime> {
    DateTime::<Utc>::from_timestamp_millis(ms).map(|t| t.with_timezone(&tz).naive_local())
}

/// Writes an instant by a pattern in PHP letters (`Y-m-d H:i:s`) or Java letters (`yyyy-MM-dd HH:mm:ss`).
pub(crate) fn by_pattern(t: NaiveDateTime, pattern: &str) -> String {
    // Java patterns repeat letters, PHP ones never do.
    let java = ["yy", "MM", "dd", "HH", "mm", "ss"].iter().any(|w| pattern.contains(w));
    if java { java_pattern(t, pattern) } else { php_pattern(t, pattern) }
}

fn php_pattern(t: NaiveDateTime, pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            'Y' => out.push_str(&format!("{:04}", t.year())),
            'y' => out.push_str(&format!("{:02}", t.year().rem_euclid(100))),
            'm' => out.push_str(&format!("{:02}", t.month())),
            'n' => out.push_str(&t.month().to_string()),
            'd' => out.push_str(&format!("{:02}", t.day())),
            'j' => out.push_str(&t.day().to_string()),
            'H' => out.push_str(&format!("{:02}", t.hour())),
            'G' => out.push_str(&t.hour().to_string()),
            'h' => out.push_str(&format!("{:02}", if t.hour().is_multiple_of(12) { 12 } else { t.hour() % 12 })),
            'i' => out.push_str(&format!("{:02}", t.minute())),
            's' => out.push_str(&format!("{:02}", t.second())),
            'v' => out.push_str(&format!("{:03}", t.nanosecond() / 1_000_000)),
            'U' => out.push_str(&t.and_utc().timestamp().to_string()),
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

/// Writes an instant by a Java pattern.
pub(crate) fn java_pattern(t: NaiveDateTime, pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let body = rest.get(1..).unwrap_or("");
            let end = body.find('\'').unwrap_or(body.len());
            out.push_str(body.get(..end).unwrap_or(""));
            rest = body.get(end + 1..).unwrap_or("");
            continue;
        }
        let run = rest.chars().take_while(|x| *x == c).count();
        let word = rest.get(..run * c.len_utf8()).unwrap_or("");
        let two = |n: u32| if run == 1 { n.to_string() } else { format!("{n:02}") };
        out.push_str(&match (c, run) {
            ('y' | 'Y', 2) => format!("{:02}", t.year().rem_euclid(100)),
            ('y' | 'Y', _) => format!("{:04}", t.year()),
            ('M', _) => two(t.month()),
            ('d', _) => two(t.day()),
            ('H', _) => two(t.hour()),
            ('h', _) => two(if t.hour().is_multiple_of(12) { 12 } else { t.hour() % 12 }),
            ('m', _) => two(t.minute()),
            ('s', _) => two(t.second()),
            ('S', _) => format!("{:03}", t.nanosecond() / 1_000_000),
            _ => word.to_owned(),
        });
        rest = rest.get(word.len()..).unwrap_or("");
    }
    out
}
