//! DATE_FORMAT, TIME_FORMAT and STR_TO_DATE with every letter of MySQL; week numbers.

use super::moment::{Moment, Ymd, digits};
use super::sv::Sv;

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS_ZH: [&str; 7] = ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"];
const MONTHS_ZH: [&str; 12] =
    ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"];

/// Bits of a week mode, inside.
pub(super) mod mode {
    pub const MONDAY_FIRST: i64 = 1;
    pub const YEAR: i64 = 2;
    pub const FIRST_WEEKDAY: i64 = 4;
}

/// 0 is Monday.
pub(super) fn weekday(d: Ymd) -> usize {
    usize::try_from((d.loose_number() + 5).rem_euclid(7)).unwrap_or(0)
}

/// English name of a day, 0 is Monday.
pub(super) fn day_name(n: usize) -> &'static str {
    DAYS.get(n).copied().unwrap_or("")
}

/// English name of a month, from 1.
pub(super) fn month_name(n: u8) -> Option<&'static str> {
    MONTHS.get(usize::from(n).checked_sub(1)?).copied()
}

/// The bits of WEEK's second argument.
pub(super) fn week_mode(n: i64) -> i64 {
    let m = n & 7;
    if m & mode::MONDAY_FIRST == 0 { m ^ mode::FIRST_WEEKDAY } else { m }
}

/// Week number by mode bits, and the year it belongs to.
pub(super) fn week(d: Ymd, bits: i64) -> (i64, i64) {
    let monday = bits & mode::MONDAY_FIRST != 0;
    let mut year_week = bits & mode::YEAR != 0;
    let first_weekday = bits & mode::FIRST_WEEKDAY != 0;
    let in_year = |y: i64| if y % 4 == 0 && (y % 100 != 0 || (y % 400 == 0 && y != 0)) { 366 } else { 365 };
    let number = d.loose_number();
    let mut first = Ymd { y: d.y, m: 1, d: 1 }.loose_number();
    let mut start = (first + if monday { 5 } else { 6 }).rem_euclid(7);
    let mut year = i64::from(d.y);
    if d.m == 1 && i64::from(d.d) <= 7 - start {
        if !year_week && ((first_weekday && start != 0) || (!first_weekday && start >= 4)) {
            return (year, 0);
        }
        year_week = true;
        year -= 1;
        let days = in_year(year);
        first -= days;
        start = (start + 53 * 7 - days).rem_euclid(7);
    }
    let days = if (first_weekday && start != 0) || (!first_weekday && start >= 4) {
        number - (first + (7 - start))
    } else {
        number - (first - start)
    };
    if year_week && days >= 52 * 7 {
        start = (start + in_year(year)).rem_euclid(7);
        if (!first_weekday && start < 4) || (first_weekday && start == 0) {
            return (year + 1, 1);
        }
    }
    (year, days / 7 + 1)
}

fn ordinal(n: u8) -> &'static str {
    match (n % 10, n) {
        (_, 10..=19) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// What is formatted: a date and time, or a time alone.
#[derive(Clone, Copy)]
pub(super) enum What {
    Moment(Moment),
    /// Microseconds, with their sign.
    Time(i64),
}

/// Writes by a pattern; `None` where a letter has no meaning for the value, and for no pattern at all.
pub(super) fn format(what: What, pattern: &str, chinese: bool) -> Option<String> {
    let (date, us, dated) = match what {
        What::Moment(t) => (t.date, t.us, true),
        What::Time(us) => (Ymd::ZERO, us, false),
    };
    if pattern.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    if us < 0 {
        out.push('-');
    }
    let abs = us.unsigned_abs();
    let s = abs / 1_000_000;
    let (h, mi, sec) = (s / 3600, s / 60 % 60, s % 60);
    let h12 = (h % 24 + 11) % 12 + 1;
    let half = if h % 24 < 12 { "AM" } else { "PM" };
    let month = || if dated { usize::from(date.m).checked_sub(1) } else { None };
    let day = || (dated && (date.m, date.y) != (0, 0)).then(|| weekday(date));
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(f) = chars.next() else {
            out.push('%');
            break;
        };
        match f {
            'a' if chinese => out.extend(DAYS_ZH.get(day()?)?.chars().nth(2)),
            'a' => out.push_str(DAYS.get(day()?)?.get(..3)?),
            'b' if chinese => {
                out.push_str(&format!("{:>2}月", month()? + 1));
            }
            'b' => out.push_str(MONTHS.get(month()?)?.get(..3)?),
            'W' => out.push_str(if chinese { DAYS_ZH.get(day()?)? } else { DAYS.get(day()?)? }),
            'M' => out.push_str(if chinese { MONTHS_ZH.get(month()?)? } else { MONTHS.get(month()?)? }),
            'c' | 'm' | 'D' | 'd' | 'e' | 'Y' | 'y' if !dated => return None,
            'c' => out.push_str(&date.m.to_string()),
            'm' => digits(&mut out, u64::from(date.m), 2),
            'D' => {
                out.push_str(&date.d.to_string());
                out.push_str(ordinal(date.d));
            }
            'd' => digits(&mut out, u64::from(date.d), 2),
            'e' => out.push_str(&date.d.to_string()),
            'Y' => digits(&mut out, u64::from(date.y), 4),
            'y' => digits(&mut out, u64::from(date.y % 100), 2),
            'f' => digits(&mut out, abs % 1_000_000, 6),
            'H' => digits(&mut out, h, 2),
            'h' | 'I' => digits(&mut out, h12, 2),
            'i' => digits(&mut out, mi, 2),
            'k' => out.push_str(&h.to_string()),
            'l' => out.push_str(&h12.to_string()),
            'p' => out.push_str(half),
            'r' => {
                digits(&mut out, h12, 2);
                out.push(':');
                digits(&mut out, mi, 2);
                out.push(':');
                digits(&mut out, sec, 2);
                out.push(' ');
                out.push_str(half);
            }
            'S' | 's' => digits(&mut out, sec, 2),
            'T' => {
                digits(&mut out, h, 2);
                out.push(':');
                digits(&mut out, mi, 2);
                out.push(':');
                digits(&mut out, sec, 2);
            }
            'j' | 'U' | 'u' | 'V' | 'v' | 'X' | 'x' | 'w' if !dated => return None,
            'j' if date.m == 0 => return None,
            'j' => {
                let first = Ymd { y: date.y, m: 1, d: 1 }.loose_number();
                digits(&mut out, u64::try_from(date.loose_number() - first + 1).unwrap_or(0), 3);
            }
            'U' | 'u' | 'V' | 'v' => {
                let bits = match f {
                    'U' => mode::FIRST_WEEKDAY,
                    'u' => mode::MONDAY_FIRST,
                    'V' => mode::YEAR | mode::FIRST_WEEKDAY,
                    _ => mode::YEAR | mode::MONDAY_FIRST,
                };
                digits(&mut out, u64::try_from(week(date, bits).1).unwrap_or(0), 2);
            }
            'X' | 'x' => {
                let bits = mode::YEAR | if f == 'X' { mode::FIRST_WEEKDAY } else { mode::MONDAY_FIRST };
                digits(&mut out, u64::try_from(week(date, bits).0).unwrap_or(0), 4);
            }
            'w' => out.push_str(&((day()? + 1) % 7).to_string()),
            other => out.push(other),
        }
    }
    Some(out)
}

/// What STR_TO_DATE has read so far.
#[derive(Default)]
struct Read {
    y: u64,
    m: u64,
    d: u64,
    h: u64,
    mi: u64,
    s: u64,
    us: i64,
    /// `%h` or `%I` was there.
    half_day: bool,
    afternoon: bool,
    day_of_year: u64,
    /// 1 is Monday, 7 is Sunday.
    weekday: u64,
    week: Option<(u64, bool, bool)>,
    week_year: Option<u64>,
}

/// Takes up to `most` digits off the front.
fn take(rest: &mut &str, most: usize) -> Option<(u64, usize)> {
    let n = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some((head.parse().ok()?, n))
}

/// Takes a word off the front; its position among `names`. The first letters are enough where one name alone has them.
fn take_name(rest: &mut &str, names: &[&'static str], short: bool) -> Option<u64> {
    let n = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, tail) = rest.split_at_checked(n)?;
    let name = |full: &'static str| if short { full.get(..3).unwrap_or(full) } else { full };
    let begins = |n: &&str| n.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let at = names.iter().position(|n| name(n).eq_ignore_ascii_case(word)).or_else(|| {
        let mut fitting = names.iter().enumerate().filter(|(_, n)| begins(&name(n)));
        let one = fitting.next().filter(|_| n > 0)?;
        fitting.next().is_none().then_some(one.0)
    })?;
    *rest = tail;
    u64::try_from(at).ok()
}

fn century(v: u64, digits: usize) -> u64 {
    match (digits, v) {
        (..=2, ..70) => v + 2000,
        (..=2, _) => v + 1900,
        _ => v,
    }
}

fn spaces(s: &str) -> &str {
    s.trim_start_matches(|c: char| c.is_ascii_whitespace())
}

fn scan(value: &mut &str, pattern: &str, out: &mut Read) -> Option<()> {
    let mut p = pattern.chars();
    while let Some(c) = p.next() {
        *value = spaces(value);
        if value.is_empty() {
            break;
        }
        if c != '%' || p.as_str().is_empty() {
            if !c.is_whitespace() {
                *value = value.strip_prefix(c)?;
            }
            continue;
        }
        match p.next()? {
            'Y' => {
                let (v, n) = take(value, 4)?;
                out.y = century(v, n);
            }
            'y' => out.y = century(take(value, 2)?.0, 2),
            'm' | 'c' => out.m = take(value, 2)?.0,
            'd' | 'e' => out.d = take(value, 2)?.0,
            'D' => {
                out.d = take(value, 2)?.0;
                let skip = value.char_indices().nth(2).map_or(value.len(), |c| c.0);
                *value = value.get(skip..)?;
            }
            'M' => out.m = take_name(value, &MONTHS, false)? + 1,
            'b' => out.m = take_name(value, &MONTHS, true)? + 1,
            'W' => out.weekday = take_name(value, &DAYS, false)? + 1,
            'a' => out.weekday = take_name(value, &DAYS, true)? + 1,
            'w' => {
                let n = take(value, 1)?.0;
                if n > 6 {
                    return None;
                }
                out.weekday = if n == 0 { 7 } else { n };
            }
            'j' => out.day_of_year = take(value, 3)?.0,
            'H' | 'k' => out.h = take(value, 2)?.0,
            'h' | 'I' | 'l' => {
                out.h = take(value, 2)?.0;
                out.half_day = true;
            }
            'i' => out.mi = take(value, 2)?.0,
            's' | 'S' => out.s = take(value, 2)?.0,
            'f' => {
                let (v, n) = take(value, 6)?;
                out.us = i64::try_from(v).ok()? * 10i64.pow(6 - u32::try_from(n).ok()?);
            }
            'p' => {
                let word = value.get(..2)?.to_ascii_uppercase();
                out.afternoon = match word.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                };
                if !out.half_day {
                    return None;
                }
                *value = value.get(2..)?;
            }
            'T' => scan(value, "%H:%i:%S", out)?,
            'r' => scan(value, "%I:%i:%S %p", out)?,
            f @ ('U' | 'u' | 'V' | 'v') => {
                let n = take(value, 2)?.0;
                let strict = matches!(f, 'V' | 'v');
                if n > 53 || (strict && n == 0) {
                    return None;
                }
                out.week = Some((n, matches!(f, 'U' | 'V'), strict));
            }
            'X' | 'x' => out.week_year = Some(take(value, 4)?.0),
            '.' => *value = value.trim_start_matches(|c: char| c.is_ascii_punctuation()),
            '@' => *value = value.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
            '#' => *value = value.trim_start_matches(|c: char| c.is_ascii_digit()),
            // `%%` too: the server has no way to read a percent sign.
            _ => return None,
        }
    }
    Some(())
}

/// STR_TO_DATE: DATE, TIME or DATETIME by what the pattern asks for; zero parts are possible.
pub(super) fn parse_with<'a>(s: &str, pattern: &str) -> Option<Sv<'a>> {
    let mut r = Read::default();
    let mut rest = s;
    scan(&mut rest, pattern, &mut r)?;
    if r.half_day {
        if !(1..=12).contains(&r.h) {
            return None;
        }
        r.h = r.h % 12 + if r.afternoon { 12 } else { 0 };
    }
    let small = |n: u64| u8::try_from(n).ok();
    let mut date = Ymd { y: u16::try_from(r.y).ok()?, m: small(r.m)?, d: small(r.d)? };
    if r.day_of_year > 0 {
        let first = Ymd { y: date.y, m: 1, d: 1 }.loose_number();
        date = Ymd::from_number(first + i64::try_from(r.day_of_year).ok()? - 1)?;
    }
    if let (Some((week, sunday_first, strict)), 1..) = (r.week, r.weekday) {
        let year = if strict { r.week_year? } else { r.y };
        if !strict && r.week_year.is_some() {
            return None;
        }
        let first = Ymd { y: u16::try_from(year).ok()?, m: 1, d: 1 }.loose_number();
        let start = (first + if sunday_first { 6 } else { 5 }).rem_euclid(7);
        let (week, weekday) = (i64::try_from(week).ok()?, i64::try_from(r.weekday).ok()?);
        let number = if sunday_first {
            first + if start == 0 { 0 } else { 7 } - start + (week - 1) * 7 + weekday % 7
        } else {
            first + if start <= 3 { 0 } else { 7 } - start + (week - 1) * 7 + (weekday - 1)
        };
        date = Ymd::from_number(number)?;
    }
    if date.m > 12 || date.d > 31 || r.h > 23 || r.mi > 59 || r.s > 59 {
        return None;
    }
    let secs = i64::try_from(r.h * 3600 + r.mi * 60 + r.s).ok()?;
    let us = secs * 1_000_000 + r.us;
    let asks = |letters: &str| {
        let mut p = pattern.chars();
        let mut hit = false;
        while let Some(c) = p.next() {
            if c == '%' {
                hit |= p.next().is_some_and(|f| letters.contains(f));
            }
        }
        hit
    };
    let fsp = if asks("f") { 6 } else { 0 };
    Some(match (asks("MVUXYWabcjmvuxywdeD"), asks("HISThiklprsf")) {
        (true, true) => Sv::Moment(Moment { date, us }, fsp),
        (true, false) => Sv::Date(date),
        (false, true) => Sv::Time(us, fsp),
        (false, false) => Sv::Date(date),
    })
}
