//! Times as the dialect reads and writes them (§3.4): one reader for pipes, formats, conditions and casts.

use bigdecimal::{RoundingMode, ToPrimitive};
use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::Value;

/// What a value says about time.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// An instant: unix milliseconds.
    At(i64),
    /// A wall-clock time without a zone.
    Wall(NaiveDateTime),
}

/// An instant read from a value: unix milliseconds. Times without a zone are in `tz`.
pub(crate) fn read(v: &Value, tz: Tz) -> Option<i64> {
    match moment(v)? {
        Moment::At(ms) => Some(ms),
        Moment::Wall(t) => local(t, tz),
    }
}

/// The wall-clock time that a value says, in `tz`; times without a zone as they are written.
pub(crate) fn read_wall(v: &Value, tz: Tz) -> Option<NaiveDateTime> {
    match moment(v)? {
        Moment::At(ms) => wall(ms, tz),
        Moment::Wall(t) => Some(t),
    }
}

fn moment(v: &Value) -> Option<Moment> {
    match v {
        Value::Number(n) => {
            let whole = match n.as_i64() {
                Some(n) => n,
                None => n.to_decimal()?.with_scale_round(0, RoundingMode::Floor).to_i64()?,
            };
            from_number(whole).map(Moment::At)
        }
        Value::String(s) => read_text(s),
        _ => None,
    }
}

/// Unix seconds, or milliseconds from 10^11 on.
fn from_number(n: i64) -> Option<i64> {
    if n.unsigned_abs() >= 100_000_000_000 { Some(n) } else { n.checked_mul(1000) }
}

/// `YYYY-MM-DD` and `YYYY-MM-DD HH:MM[:SS]` (also with `/` and `T`), the forms that nearly all data has.
fn usual(t: &[u8]) -> Option<NaiveDateTime> {
    let digit = |i: usize| t.get(i).filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0'));
    let two = |i: usize| Some(digit(i)? * 10 + digit(i + 1)?);
    let mark = |i: usize, any: &[u8]| t.get(i).is_some_and(|b| any.contains(b));
    if !matches!(t.len(), 10 | 16 | 19) || !mark(4, b"-/") || t.get(7) != t.get(4) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(two(0)? * 100 + two(2)?).ok()?, two(5)?, two(8)?)?;
    if t.len() == 10 {
        return date.and_hms_opt(0, 0, 0);
    }
    if !mark(10, b" T") || !mark(13, b":") {
        return None;
    }
    let secs = if t.len() == 19 { if mark(16, b":") { two(17)? } else { return None } } else { 0 };
    date.and_hms_opt(two(11)?, two(14)?, secs)
}

/// Reads the accepted text forms.
fn read_text(s: &str) -> Option<Moment> {
    let t = s.trim();
    if t.is_empty() || t.len() > 40 {
        return None;
    }
    if let Some(t) = usual(t.as_bytes()) {
        return Some(Moment::Wall(t));
    }
    let unsigned = t.strip_prefix('-').unwrap_or(t);
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let date = |form| NaiveDate::parse_from_str(t, form).ok()?.and_hms_opt(0, 0, 0);
        return match unsigned.len() {
            14 => NaiveDateTime::parse_from_str(t, "%Y%m%d%H%M%S").ok().map(Moment::Wall),
            8 if plausible_date(t) => date("%Y%m%d").map(Moment::Wall),
            _ => from_number(t.parse().ok()?).map(Moment::At),
        };
    }
    if let Ok(z) = DateTime::parse_from_rfc3339(&t.replacen(' ', "T", 1)) {
        return Some(Moment::At(z.timestamp_millis()));
    }
    for form in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y/%m/%d %H:%M:%S%.f",
        "%Y/%m/%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
        "%Y/%m/%d %H:%M",
    ] {
        if let Ok(n) = NaiveDateTime::parse_from_str(t, form) {
            return Some(Moment::Wall(n));
        }
    }
    for form in
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z"]
    {
        if let Ok(z) = DateTime::parse_from_str(t, form) {
            return Some(Moment::At(z.timestamp_millis()));
        }
    }
    if let Some(bare) = t.strip_suffix('Z')
        && let Ok(n) = NaiveDateTime::parse_from_str(&bare.replacen(' ', "T", 1), "%Y-%m-%dT%H:%M")
    {
        return Some(Moment::At(n.and_utc().timestamp_millis()));
    }
    ["%Y-%m-%d", "%Y/%m/%d"]
        .iter()
        .find_map(|f| NaiveDate::parse_from_str(t, f).ok())
        .and_then(|d| d.and_hms_opt(0, 0, 0))
        .map(Moment::Wall)
}

/// `YYYY-MM-DD`
pub(crate) fn date_text(t: NaiveDateTime) -> String {
    let mut out = String::with_capacity(19);
    push_date(t, &mut out);
    out
}

/// `YYYY-MM-DD HH:MM:SS`
pub(crate) fn datetime_text(t: NaiveDateTime) -> String {
    let mut out = date_text(t);
    out.push(' ');
    for (i, n) in [t.hour(), t.minute(), t.second()].into_iter().enumerate() {
        if i > 0 {
            out.push(':');
        }
        push_two(n, &mut out);
    }
    out
}

fn push_two(n: u32, out: &mut String) {
    out.push(char::from(b'0' + (n / 10 % 10) as u8));
    out.push(char::from(b'0' + (n % 10) as u8));
}

fn push_date(t: NaiveDateTime, out: &mut String) {
    match u32::try_from(t.year()) {
        Ok(y) if y <= 9999 => {
            push_two(y / 100, out);
            push_two(y % 100, out);
        }
        _ => out.push_str(&t.year().to_string()),
    }
    for n in [t.month(), t.day()] {
        out.push('-');
        push_two(n, out);
    }
}

fn plausible_date(t: &str) -> bool {
    t.get(..2).is_some_and(|c| matches!(c, "19" | "20" | "21"))
}

fn local(n: NaiveDateTime, tz: Tz) -> Option<i64> {
    match tz.from_local_datetime(&n) {
        LocalResult::Single(z) => Some(z.timestamp_millis()),
        LocalResult::Ambiguous(a, _) => Some(a.timestamp_millis()),
        LocalResult::None => {
            Some(tz.from_local_datetime(&(n + chrono::Duration::hours(1))).earliest()?.timestamp_millis())
        }
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
            'h' => {
                out.push_str(&format!("{:02}", if t.hour().is_multiple_of(12) { 12 } else { t.hour() % 12 }))
            }
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
