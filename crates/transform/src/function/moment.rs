//! Dates and times as MySQL has them: zero parts are possible, times go beyond a day, and text is read leniently.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// An hour that says: this was no date.
const NO_DATE: u64 = 1000;

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The longest TIME: 838:59:59.999999.
pub(super) const MOST: i64 = (838 * 3600 + 3600) * 1_000_000 - 1;

/// Hours of the longest duration: more would leave the years there are.
const LONGEST_SPAN: u64 = 24 * 366 * 10_000;

/// A date; month and day may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ymd {
    pub y: u16,
    pub m: u8,
    pub d: u8,
}

/// A date and the microseconds of its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub date: Ymd,
    pub us: i64,
}

impl Ymd {
    pub const ZERO: Ymd = Ymd { y: 0, m: 0, d: 0 };

    pub fn of(d: NaiveDate) -> Option<Ymd> {
        let y = u16::try_from(d.year()).ok().filter(|y| *y <= 9999)?;
        Some(Ymd { y, m: u8::try_from(d.month()).ok()?, d: u8::try_from(d.day()).ok()? })
    }

    /// The day of the calendar; `None` for zero parts and days that the month has not.
    pub fn naive(self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(i32::from(self.y), u32::from(self.m), u32::from(self.d))
    }

    /// Zero parts are fine, days that the month has not are not.
    pub fn possible(self) -> bool {
        self.m == 0 || self.d == 0 || self.naive().is_some()
    }

    /// Days since year 0, as TO_DAYS counts.
    pub fn number(self) -> Option<i64> {
        self.counts().then(|| self.loose_number())
    }

    /// True without zero parts: days can be counted.
    pub fn counts(self) -> bool {
        self.m > 0 && self.d > 0
    }

    pub fn from_number(n: i64) -> Option<Ymd> {
        let n = i32::try_from(n.checked_sub(365)?).ok()?;
        NaiveDate::from_num_days_from_ce_opt(n).and_then(Ymd::of).filter(|d| d.y > 0)
    }

    /// Days since year 0 by MySQL's formula, which also takes zero parts.
    pub fn loose_number(self) -> i64 {
        let (mut y, m, d) = (i64::from(self.y), i64::from(self.m), i64::from(self.d));
        if y == 0 && m == 0 {
            return 0;
        }
        let mut sum = 365 * y + 31 * (m - 1) + d;
        if m <= 2 {
            y -= 1;
        } else {
            sum -= (m * 4 + 23) / 10;
        }
        sum + y / 4 - ((y / 100 + 1) * 3) / 4
    }

    /// `20240229`
    pub fn as_int(self) -> i64 {
        i64::from(self.y) * 10_000 + i64::from(self.m) * 100 + i64::from(self.d)
    }

    pub fn write(self, out: &mut String) {
        digits(out, u64::from(self.y), 4);
        out.push('-');
        digits(out, u64::from(self.m), 2);
        out.push('-');
        digits(out, u64::from(self.d), 2);
    }
}

impl Moment {
    pub fn of(t: NaiveDateTime) -> Option<Moment> {
        let us = i64::from(t.num_seconds_from_midnight()) * 1_000_000 + i64::from(t.nanosecond() / 1000);
        Some(Moment { date: Ymd::of(t.date())?, us: us.min(DAY - 1) })
    }

    pub fn midnight(date: Ymd) -> Moment {
        Moment { date, us: 0 }
    }

    pub fn naive(self) -> Option<NaiveDateTime> {
        let secs = u32::try_from(self.us / 1_000_000).ok()?;
        let nanos = u32::try_from(self.us % 1_000_000).ok()? * 1000;
        Some(self.date.naive()?.and_time(NaiveTime::from_num_seconds_from_midnight_opt(secs, nanos)?))
    }

    /// Moved by microseconds; `None` out of the years 0 to 9999.
    pub fn plus(self, us: i64) -> Option<Moment> {
        let total = self.us.checked_add(us)?;
        let (days, us) = (total.div_euclid(DAY), total.rem_euclid(DAY));
        if days == 0 {
            return Some(Moment { us, ..self });
        }
        let date = self.date.naive()?;
        let by = Days::new(days.unsigned_abs());
        let date = if days < 0 { date.checked_sub_days(by)? } else { date.checked_add_days(by)? };
        Some(Moment { date: Ymd::of(date)?, us })
    }

    /// Microseconds since year 0.
    pub fn micros(self) -> Option<i64> {
        self.date.number()?.checked_mul(DAY)?.checked_add(self.us)
    }

    /// `20240229123005`
    pub fn as_int(self) -> i64 {
        let s = self.us / 1_000_000;
        self.date.as_int() * 1_000_000 + (s / 3600) * 10_000 + (s / 60 % 60) * 100 + s % 60
    }

    pub fn write(self, fsp: u8, out: &mut String) {
        self.date.write(out);
        out.push(' ');
        write_time(self.us, fsp, out);
    }

    /// The fraction cut to so many digits.
    pub fn cut(self, fsp: u8) -> Moment {
        Moment { us: cut(self.us, fsp), ..self }
    }
}

/// Drops the digits of the fraction beyond `fsp`.
pub(super) fn cut(us: i64, fsp: u8) -> i64 {
    let keep = 10i64.pow(6 - u32::from(fsp.min(6)));
    us / keep * keep
}

/// A number with leading zeros.
pub(super) fn digits(out: &mut String, n: u64, width: usize) {
    let text = n.to_string();
    for _ in text.len()..width {
        out.push('0');
    }
    out.push_str(&text);
}

/// `-12:34:56.5`
pub(super) fn write_time(us: i64, fsp: u8, out: &mut String) {
    if us < 0 {
        out.push('-');
    }
    let abs = us.unsigned_abs();
    let s = abs / 1_000_000;
    digits(out, s / 3600, 2);
    out.push(':');
    digits(out, s / 60 % 60, 2);
    out.push(':');
    digits(out, s % 60, 2);
    if fsp > 0 {
        out.push('.');
        let mut all = String::new();
        digits(&mut all, abs % 1_000_000, 6);
        out.push_str(all.get(..usize::from(fsp.min(6))).unwrap_or(""));
    }
}

/// Takes up to `most` digits off the front.
fn number(rest: &mut &str, most: usize) -> Option<u64> {
    let n = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    if n == 0 { None } else { head.parse().ok() }
}

fn punctuation(rest: &mut &str) {
    *rest = rest.trim_start_matches(|c: char| c.is_ascii_punctuation());
}

fn spaces(rest: &mut &str) {
    *rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
}

/// Digits behind a point: microseconds, and how many were written.
fn fraction(rest: &mut &str) -> (i64, u8) {
    let Some(tail) = rest.strip_prefix('.') else { return (0, 0) };
    let n = tail.bytes().take_while(u8::is_ascii_digit).count();
    let mut us = 0i64;
    for i in 0..6 {
        let digit = tail.as_bytes().get(i).filter(|_| i < n).map_or(0, |b| i64::from(b - b'0'));
        us = us * 10 + digit;
    }
    *rest = tail.get(n..).unwrap_or("");
    (us, u8::try_from(n.min(6)).unwrap_or(6))
}

fn century(y: u64) -> u64 {
    if y < 70 { y + 2000 } else { y + 1900 }
}

/// The fields of a date and time, as far as they are there; days of the month are not looked at.
struct Fields {
    moment: Moment,
    fsp: u8,
    /// An hour was there.
    timed: bool,
}

/// Reads `2024-02-29 12:30:05.5` and what MySQL takes for it: other separators, none, short years, a rest behind.
///
/// `Err` is a text that begins like a date and holds a part that is too large.
fn read_fields(text: &str, loose_separator: bool) -> Result<Option<Fields>, ()> {
    let mut rest = text;
    let Some((year_digits, y, m, d)) = read_date(&mut rest) else { return Ok(None) };
    read_clock(rest, loose_separator, (year_digits, y, m, d))
}

/// Year, month and day, and whether the year has four digits or two.
fn read_date(rest: &mut &str) -> Option<(usize, u64, u64, u64)> {
    let run = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (year_digits, width) = match run {
        // Separated groups, whatever their length.
        ..=4 => (run, 9),
        8 | 14.. => (4, 2),
        _ => (2, 2),
    };
    let y = number(rest, year_digits)?;
    let m = separated(rest, width)?;
    let d = separated(rest, width)?;
    Some((year_digits, y, m, d))
}

/// A number behind a separator, which only digits of fixed width need not have.
fn separated(rest: &mut &str, width: usize) -> Option<u64> {
    let before = rest.len();
    punctuation(rest);
    if width > 2 && rest.len() == before {
        return None;
    }
    number(rest, width)
}

fn read_clock(text: &str, loose_separator: bool, date: (usize, u64, u64, u64)) -> Result<Option<Fields>, ()> {
    let (year_digits, y, m, d) = date;
    let mut rest = text;
    let (mut h, mut mi, mut s, mut us, mut fsp) = (0, 0, 0, 0, 0);
    let mut timed = false;
    let mut clock = |rest: &mut &str| -> Option<()> {
        match rest.chars().next()? {
            'T' => *rest = rest.get(1..)?,
            c if c.is_ascii_punctuation() => {
                if !loose_separator {
                    h = NO_DATE;
                    return None;
                }
                *rest = rest.get(1..)?;
            }
            // Letters behind a date: a text that begins with the digits of a time.
            c if !loose_separator && !c.is_ascii_digit() && !c.is_ascii_whitespace() => {
                h = NO_DATE;
                return None;
            }
            _ => spaces(rest),
        }
        h = number(rest, 2)?;
        timed = true;
        punctuation(rest);
        mi = number(rest, 2)?;
        punctuation(rest);
        s = number(rest, 2)?;
        (us, fsp) = fraction(rest);
        Some(())
    };
    let _ = clock(&mut rest);
    if h == NO_DATE {
        return Ok(None);
    }
    let nothing = (y, m, d) == (0, 0, 0) && (h, mi, s) == (0, 0, 0) && us == 0;
    let y = if year_digits == 2 && !nothing { century(y) } else { y };
    if y > 9999 || m > 12 || d > 31 || h > 23 || mi > 59 || s > 59 {
        return Err(());
    }
    let small = |n: u64| u8::try_from(n).map_err(|_| ());
    let date = Ymd { y: u16::try_from(y).map_err(|_| ())?, m: small(m)?, d: small(d)? };
    let secs = i64::try_from(h * 3600 + mi * 60 + s).map_err(|_| ())?;
    Ok(Some(Fields { moment: Moment { date, us: secs * 1_000_000 + us }, fsp, timed }))
}

/// Reads a date, or a date and time, and the number of digits of its fraction.
pub(crate) fn parse_moment(text: &str) -> Option<(Moment, u8)> {
    parse_timed(text).map(|(t, fsp, _)| (t, fsp))
}

/// As [`parse_moment`]; the last tells whether there was an hour.
pub(super) fn parse_timed(text: &str) -> Option<(Moment, u8, bool)> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let f = read_fields(text, true).ok()??;
    f.moment.date.possible().then_some((f.moment, f.fsp, f.timed))
}

/// As [`parse_moment`], and days that the month has not are taken.
pub(super) fn parse_loose(text: &str) -> Option<Moment> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    read_fields(text, true).ok()?.map(|f| f.moment)
}

/// What a text is as a TIME.
pub(crate) enum Clock {
    /// A time or duration in microseconds.
    Time(i64, u8),
    /// A full date and time.
    Moment(Moment, u8),
}

/// Reads a time: `12:34:56`, `-1 02:03:04.5`, `123456`, or the time of a full date and time.
pub(crate) fn parse_clock(text: &str) -> Option<Clock> {
    read_clock_text(text, 838)
}

/// As [`parse_clock`]; what has more than the `longest` hours is the longest time.
fn read_clock_text(text: &str, longest: u64) -> Option<Clock> {
    let t = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let (negative, t) = match t.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, t),
    };
    if t.len() >= 12
        && !negative
        && let Some(f) = read_fields(t, false).ok()?
    {
        // A day that the month has not does not keep the server from reading the clock.
        return Some(Clock::Moment(f.moment, if f.moment.date.possible() { f.fsp } else { 6 }));
    }
    let mut rest = t;
    let first = number(&mut rest, 18);
    let behind = rest;
    spaces(&mut rest);
    let digit_at = |s: &str, i: usize| s.as_bytes().get(i).is_some_and(u8::is_ascii_digit);
    let (days, mut parts): (u64, Vec<u64>) =
        if rest.len() > 1 && rest.len() < behind.len() && digit_at(rest, 0) {
            (first?, Vec::new())
        } else if rest.len() > 1 && rest.starts_with(':') && digit_at(rest, 1) {
            rest = rest.get(1..)?;
            (0, vec![first.unwrap_or(0)])
        } else {
            let n = first?;
            rest = behind;
            (0, vec![n / 10_000, n / 100 % 100, n % 100])
        };
    while parts.len() < 3 {
        parts.push(number(&mut rest, 18).unwrap_or(0));
        if parts.len() < 3 && rest.starts_with(':') && digit_at(rest, 1) {
            rest = rest.get(1..)?;
        } else {
            break;
        }
    }
    let part = |i: usize| parts.get(i).copied().unwrap_or(0);
    let (us, fsp) = fraction(&mut rest);
    if part(1) > 59 || part(2) > 59 {
        return None;
    }
    let hours = days.saturating_mul(24).saturating_add(part(0));
    let total = if hours > longest {
        MOST
    } else {
        i64::try_from(hours * 3600 + part(1) * 60 + part(2)).ok()? * 1_000_000 + us
    };
    Some(Clock::Time(if negative { -total } else { total }, fsp))
}

/// Reads a duration, which may be longer than a TIME: `35 01:00:00`, `1000:00:00`.
pub(super) fn parse_span(text: &str) -> Option<(i64, u8)> {
    match read_clock_text(text, LONGEST_SPAN)? {
        Clock::Time(us, fsp) => Some((us, fsp)),
        Clock::Moment(..) => None,
    }
}

/// True for text that begins as a date with separators does: `2024-03`.
pub(super) fn separated_date(text: &str) -> bool {
    let t = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let rest = t.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = rest.trim_start_matches(['-', '/']);
    rest.len() < t.len() && behind.len() < rest.len() && behind.starts_with(|c: char| c.is_ascii_digit())
}

/// Reads a text as EXTRACT does: a date, unless a colon comes first; `Err` for a date that is none.
pub(super) fn parse_either(text: &str) -> Result<Option<Clock>, ()> {
    let t = text.trim_start_matches(|c: char| c.is_ascii_whitespace());
    let colon = t.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(':');
    if !colon && let Some(f) = read_fields(t, true)? {
        return if f.moment.date.possible() { Ok(Some(Clock::Moment(f.moment, f.fsp))) } else { Err(()) };
    }
    Ok(read_clock_text(text, LONGEST_SPAN))
}

/// Reads a number such as 20240229 or 20240229123005.
pub(crate) fn moment_of_number(n: i64) -> Option<Moment> {
    let full = match n {
        0 => return Some(Moment::midnight(Ymd::ZERO)),
        10_000_101_000_000.. => n,
        101..=691_231 => (n + 20_000_000) * 1_000_000,
        700_101..=991_231 => (n + 19_000_000) * 1_000_000,
        10_000_101..=99_991_231 => n * 1_000_000,
        101_000_000..=691_231_235_959 => n + 20_000_000_000_000,
        700_101_000_000..=991_231_235_959 => n + 19_000_000_000_000,
        _ => return None,
    };
    let (date, time) = (full / 1_000_000, full % 1_000_000);
    let (h, mi, s) = (time / 10_000, time / 100 % 100, time % 100);
    let y = u16::try_from(date / 10_000).ok().filter(|y| *y <= 9999)?;
    let (m, d) = (u8::try_from(date / 100 % 100).ok()?, u8::try_from(date % 100).ok()?);
    let ymd = Ymd { y, m, d };
    if m > 12 || d > 31 || h > 23 || mi > 59 || s > 59 || !ymd.possible() {
        return None;
    }
    Some(Moment { date: ymd, us: (h * 3600 + mi * 60 + s) * 1_000_000 })
}

/// Reads a number such as 123456 as 12:34:56.
pub(crate) fn clock_of_number(n: i128, us: i64) -> Option<Clock> {
    // More digits than a time has, and not more than a date and time has.
    if (10_000_000..=99_991_231_235_959).contains(&n) {
        let t = moment_of_number(i64::try_from(n).ok()?)?;
        return Some(Clock::Moment(Moment { us: t.us + us, ..t }, 0));
    }
    let abs = i64::try_from(n.unsigned_abs().min(u128::from(u64::MAX)) % 10_000).ok()?;
    let (m, s) = (abs / 100, abs % 100);
    if m > 59 || s > 59 {
        return None;
    }
    let h = i64::try_from(n.unsigned_abs() / 10_000).unwrap_or(i64::MAX);
    let total = if h > 838 { MOST } else { (h * 3600 + m * 60 + s) * 1_000_000 + us };
    Some(Clock::Time(if n < 0 { -total } else { total }, 0))
}

/// The wall clock of a zone at an instant.
pub(super) fn local(tz: chrono_tz::Tz, secs: i64, us: i64) -> Option<Moment> {
    let t = DateTime::from_timestamp(secs, u32::try_from(us).ok()? * 1000)?;
    Moment::of(t.with_timezone(&tz).naive_local())
}
