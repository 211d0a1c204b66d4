//! Dates and times: arithmetic, parts, formats.

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive};
use chrono::{
    Datelike, Duration, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike,
};

use super::build::{Unit, UnitFn};
use super::eval::Args;
use super::{FnEnv, Sv, sv};

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

/// Drops the digits of the fraction beyond `fsp`.
pub(super) fn cut(t: NaiveDateTime, fsp: u8) -> NaiveDateTime {
    let keep = 10u32.pow(9 - u32::from(fsp.min(9)));
    t.with_nanosecond(t.nanosecond() / keep * keep).unwrap_or(t)
}

/// `date ± INTERVAL n unit`. Dates stay dates for whole days; text gives text.
pub(super) fn shift(v: &Sv, n: &Sv, unit: Unit, minus: bool, env: &FnEnv) -> Sv {
    if v.is_null() || n.is_null() {
        return Sv::Null;
    }
    if let Sv::Time(us, fsp) = v {
        let step = match micros_of(n, unit) {
            Some(step) => step,
            None => return Sv::Null,
        };
        return Sv::Time(if minus { us - step } else { us + step }, *fsp);
    }
    let Some((t, fsp)) = v.as_datetime(env.now_local().date()) else { return Sv::Null };
    let date_only = match v {
        Sv::Date(_) => true,
        Sv::Str(s) => s.trim().len() <= 10 && !s.contains(':'),
        Sv::Dec(d) => d.to_i64().is_some_and(|n| n < 100_000_000),
        _ => false,
    };
    let months = match unit {
        Unit::Month => Some(1),
        Unit::Quarter => Some(3),
        Unit::Year => Some(12),
        _ => None,
    };
    let mut fsp = fsp;
    let moved = match months {
        Some(k) => n.as_i64().and_then(|n| n.checked_mul(k)).and_then(|m| {
            let m = if minus { -m } else { m };
            let by = Months::new(u32::try_from(m.unsigned_abs()).ok()?);
            if m < 0 { t.checked_sub_months(by) } else { t.checked_add_months(by) }
        }),
        None => micros_of(n, unit).and_then(|us| {
            if us % 1_000_000 != 0 {
                fsp = 6;
            }
            t.checked_add_signed(Duration::microseconds(if minus { -us } else { us }))
        }),
    };
    let Some(moved) = moved.filter(|t| (0..=9999).contains(&t.year())) else { return Sv::Null };
    let whole_days = matches!(unit, Unit::Day | Unit::Week | Unit::Month | Unit::Quarter | Unit::Year);
    let out = if date_only && whole_days { Sv::Date(moved.date()) } else { Sv::DateTime(moved, fsp) };
    match v {
        Sv::Str(_) => Sv::Str(out.as_text().unwrap_or_default()),
        _ => out,
    }
}

fn micros_of(n: &Sv, unit: Unit) -> Option<i64> {
    let per: i64 = match unit {
        Unit::Microsecond => 1,
        Unit::Second => 1_000_000,
        Unit::Minute => 60_000_000,
        Unit::Hour => 3_600_000_000,
        Unit::Day => 86_400_000_000,
        Unit::Week => 604_800_000_000,
        _ => return None,
    };
    if unit == Unit::Second {
        let us = n.as_dec()? * BigDecimal::from(1_000_000);
        return us.with_scale_round(0, RoundingMode::HalfUp).to_i64();
    }
    n.as_i64()?.checked_mul(per)
}

/// TIMESTAMPDIFF, TIMESTAMPADD, EXTRACT.
pub(super) fn unit_call(which: UnitFn, unit: Unit, args: &Args, env: &FnEnv) -> Sv {
    let arg = |i: usize| args.get(i).unwrap_or(&Sv::Null);
    let today = env.now_local().date();
    match which {
        UnitFn::TimestampAdd => match arg(1) {
            Sv::Str(s)
                if s.trim().len() <= 10 && matches!(unit, Unit::Hour | Unit::Minute | Unit::Second) =>
            {
                shift(&Sv::Str(format!("{s} 00:00:00")), arg(0), unit, false, env)
            }
            v => shift(v, arg(0), unit, false, env),
        },
        UnitFn::Extract => match (unit, arg(0)) {
            (Unit::Hour | Unit::Minute | Unit::Second | Unit::Microsecond, v) => time_part(v, unit),
            (_, v) => match v.as_datetime(today) {
                Some((t, _)) => date_part(t, unit),
                None => Sv::Null,
            },
        },
        UnitFn::TimestampDiff => {
            let (Some((a, _)), Some((b, _))) = (arg(0).as_datetime(today), arg(1).as_datetime(today)) else {
                return Sv::Null;
            };
            let us = (b - a).num_microseconds().unwrap_or(0);
            let months = || {
                let (early, late, sign) = if a <= b { (a, b, 1) } else { (b, a, -1) };
                let mut m = i64::from(late.year() - early.year()) * 12 + i64::from(late.month())
                    - i64::from(early.month());
                let rest = |t: NaiveDateTime| (t.day(), t.time());
                if rest(late) < rest(early) {
                    m -= 1;
                }
                m * sign
            };
            Sv::int(match unit {
                Unit::Microsecond => us,
                Unit::Second => us / 1_000_000,
                Unit::Minute => us / 60_000_000,
                Unit::Hour => us / 3_600_000_000,
                Unit::Day => us / 86_400_000_000,
                Unit::Week => us / 604_800_000_000,
                Unit::Month => months(),
                Unit::Quarter => months() / 3,
                Unit::Year => months() / 12,
            })
        }
    }
}

fn date_part(t: NaiveDateTime, unit: Unit) -> Sv {
    Sv::int(match unit {
        Unit::Year => i64::from(t.year()),
        Unit::Quarter => i64::from(t.month0() / 3 + 1),
        Unit::Month => i64::from(t.month()),
        Unit::Week => week(t.date(), 0).1,
        _ => i64::from(t.day()),
    })
}

fn time_part(v: &Sv, unit: Unit) -> Sv {
    match v.as_time() {
        Some((us, _)) => {
            let abs = us.unsigned_abs() as i64;
            Sv::int(match unit {
                Unit::Hour => abs / 3_600_000_000,
                Unit::Minute => abs / 60_000_000 % 60,
                Unit::Second => abs / 1_000_000 % 60,
                _ => abs % 1_000_000,
            })
        }
        None => Sv::Null,
    }
}

/// Week number by MySQL's mode, and the year it belongs to.
fn week(d: NaiveDate, mode: i64) -> (i32, i64) {
    let monday_first = mode & 1 != 0;
    let year_week = mode & 2 != 0;
    let first_weekday = mode & 4 != 0;
    // `first_weekday`: week 1 is the first with a first weekday in the year; else the first with 4 days or more.
    let start_of = |year: i32| -> NaiveDate {
        let jan1 = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
        let dow = if monday_first {
            i64::from(jan1.weekday().num_days_from_monday())
        } else {
            i64::from(jan1.weekday().num_days_from_sunday())
        };
        let first = jan1 - Duration::days(dow);
        let four_days = 7 - dow >= 4;
        let counts = if first_weekday { dow == 0 } else { four_days };
        if counts { first } else { first + Duration::days(7) }
    };
    let year = d.year();
    let start = start_of(year);
    if d < start {
        if !year_week {
            return (year, 0);
        }
        let before = start_of(year - 1);
        return (year - 1, (d - before).num_days() / 7 + 1);
    }
    if year_week && d >= start_of(year + 1) {
        return (year + 1, 1);
    }
    (year, (d - start).num_days() / 7 + 1)
}

fn week_of(d: NaiveDate, mode: i64) -> (i32, i64) {
    let m = mode & 7;
    let monday = m & 1;
    let range = m & 2;
    // Modes 0, 2, 5, 7: week 1 begins with the first weekday; 1, 3, 4, 6: it has four days or more.
    let rule = if matches!(m, 0 | 2 | 5 | 7) { 4 } else { 0 };
    week(d, monday | range | rule)
}

fn ordinal(n: u32) -> &'static str {
    match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// DATE_FORMAT with every letter of MySQL.
fn format(t: NaiveDateTime, pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    let hour12 = |h: u32| if h.is_multiple_of(12) { 12 } else { h % 12 };
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(f) = chars.next() else {
            out.push('%');
            break;
        };
        let d = t.date();
        let day = DAYS.get(d.weekday().num_days_from_monday() as usize).copied().unwrap_or("");
        let month = MONTHS.get(d.month0() as usize).copied().unwrap_or("");
        out.push_str(&match f {
            'a' => day.get(..3).unwrap_or("").to_owned(),
            'b' => month.get(..3).unwrap_or("").to_owned(),
            'c' => d.month().to_string(),
            'D' => format!("{}{}", d.day(), ordinal(d.day())),
            'd' => format!("{:02}", d.day()),
            'e' => d.day().to_string(),
            'f' => format!("{:06}", t.nanosecond() / 1000),
            'H' => format!("{:02}", t.hour()),
            'h' | 'I' => format!("{:02}", hour12(t.hour())),
            'i' => format!("{:02}", t.minute()),
            'j' => format!("{:03}", d.ordinal()),
            'k' => t.hour().to_string(),
            'l' => hour12(t.hour()).to_string(),
            'M' => month.to_owned(),
            'm' => format!("{:02}", d.month()),
            'p' => (if t.hour() < 12 { "AM" } else { "PM" }).to_owned(),
            'r' => format!(
                "{:02}:{:02}:{:02} {}",
                hour12(t.hour()),
                t.minute(),
                t.second(),
                if t.hour() < 12 { "AM" } else { "PM" }
            ),
            'S' | 's' => format!("{:02}", t.second()),
            'T' => t.format("%H:%M:%S").to_string(),
            'U' => format!("{:02}", week_of(d, 0).1),
            'u' => format!("{:02}", week_of(d, 1).1),
            'V' => format!("{:02}", week_of(d, 2).1),
            'v' => format!("{:02}", week_of(d, 3).1),
            'W' => day.to_owned(),
            'w' => d.weekday().num_days_from_sunday().to_string(),
            'X' => format!("{:04}", week_of(d, 2).0),
            'x' => format!("{:04}", week_of(d, 3).0),
            'Y' => format!("{:04}", d.year()),
            'y' => format!("{:02}", d.year().rem_euclid(100)),
            other => other.to_string(),
        });
    }
    out
}

/// Takes digits off the front.
fn take(rest: &mut &str, most: usize) -> Option<u32> {
    let n = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let v = rest.get(..n)?.parse().ok()?;
    *rest = rest.get(n..)?;
    Some(v)
}

/// Takes one of `names` (its first `len` letters, or all) off the front; its position.
fn take_name(rest: &mut &str, names: &[&str], short: bool) -> Option<u32> {
    for (i, name) in names.iter().enumerate() {
        let word = if short { name.get(..3)? } else { name };
        if rest.get(..word.len()).is_some_and(|r| r.eq_ignore_ascii_case(word)) {
            *rest = rest.get(word.len()..)?;
            return u32::try_from(i).ok();
        }
    }
    None
}

/// STR_TO_DATE: DATE, TIME or DATETIME by what the pattern asks for.
fn parse_with(s: &str, pattern: &str) -> Option<Sv> {
    let (mut y, mut mo, mut d) = (None, None, None);
    let (mut h, mut mi, mut sec, mut us, mut pm, mut doy) = (None, None, None, 0u32, None, None);
    let (mut has_date, mut has_time, mut fsp) = (false, false, 0u8);
    let mut rest = s.trim_start();
    let expanded = pattern.replace("%T", "%H:%i:%s").replace("%r", "%h:%i:%s %p");
    let mut p = expanded.chars().peekable();
    while let Some(c) = p.next() {
        if rest.is_empty() {
            break;
        }
        if c.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        if c != '%' {
            rest = rest.strip_prefix(c)?;
            continue;
        }
        match p.next()? {
            'Y' => (y, has_date) = (Some(take(&mut rest, 4)?), true),
            'y' => {
                let v = take(&mut rest, 2)?;
                (y, has_date) = (Some(if v < 70 { 2000 + v } else { 1900 + v }), true);
            }
            'm' | 'c' => (mo, has_date) = (Some(take(&mut rest, 2)?), true),
            'd' | 'e' => (d, has_date) = (Some(take(&mut rest, 2)?), true),
            'D' => {
                (d, has_date) = (Some(take(&mut rest, 2)?), true);
                rest = rest.get(2..)?;
            }
            'j' => (doy, has_date) = (Some(take(&mut rest, 3)?), true),
            'M' => (mo, has_date) = (Some(take_name(&mut rest, &MONTHS, false)? + 1), true),
            'b' => (mo, has_date) = (Some(take_name(&mut rest, &MONTHS, true)? + 1), true),
            'W' => drop(take_name(&mut rest, &DAYS, false)?),
            'a' => drop(take_name(&mut rest, &DAYS, true)?),
            'H' | 'k' => (h, has_time) = (Some(take(&mut rest, 2)?), true),
            'h' | 'I' | 'l' => {
                let v = take(&mut rest, 2)?;
                if !(1..=12).contains(&v) {
                    return None;
                }
                (h, has_time) = (Some(v), true);
                pm = pm.or(Some(false));
            }
            'i' => (mi, has_time) = (Some(take(&mut rest, 2)?), true),
            's' | 'S' => (sec, has_time) = (Some(take(&mut rest, 2)?), true),
            'f' => {
                let n = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
                us = format!("{:0<6}", rest.get(..n)?).parse().ok()?;
                rest = rest.get(n..)?;
                (has_time, fsp) = (true, 6);
            }
            'p' => {
                let word = rest.get(..2)?.to_ascii_uppercase();
                pm = Some(match word.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                rest = rest.get(2..)?;
            }
            '%' => rest = rest.strip_prefix('%')?,
            _ => return None,
        }
    }
    let hour = match (h, pm) {
        (Some(12), Some(false)) => 0,
        (Some(v), Some(true)) if v < 12 => v + 12,
        (v, _) => v.unwrap_or(0),
    };
    let time = NaiveTime::from_hms_micro_opt(hour, mi.unwrap_or(0), sec.unwrap_or(0), us)?;
    if !has_date {
        let (us, _) = Sv::DateTime(NaiveDate::MIN.and_time(time), 6).as_time()?;
        return Some(Sv::Time(us, fsp));
    }
    let year = i32::try_from(y?).ok()?;
    let date = match doy {
        Some(n) => NaiveDate::from_yo_opt(year, n)?,
        None => NaiveDate::from_ymd_opt(year, mo?, d?)?,
    };
    Some(if has_time { Sv::DateTime(date.and_time(time), fsp) } else { Sv::Date(date) })
}

fn to_unix(t: NaiveDateTime, env: &FnEnv) -> Option<(i64, u32)> {
    let secs = match env.tz.from_local_datetime(&t) {
        LocalResult::Single(z) => z.timestamp(),
        LocalResult::Ambiguous(a, _) => a.timestamp(),
        LocalResult::None => {
            env.tz.from_local_datetime(&(t + Duration::hours(1))).earliest()?.timestamp() - 3600
        }
    };
    Some((secs, t.nanosecond() / 1000))
}

/// Days since year 0, as TO_DAYS counts.
fn to_days(d: NaiveDate) -> i64 {
    i64::from(d.num_days_from_ce()) + 365
}

fn last_day(d: NaiveDate) -> Option<NaiveDate> {
    d.with_day(1)?.checked_add_months(Months::new(1))?.pred_opt()
}

fn java_pattern(t: NaiveDateTime, pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let run = rest.chars().take_while(|x| *x == c).count();
        let word = rest.get(..run * c.len_utf8()).unwrap_or("");
        out.push_str(&match (c, run) {
            ('y', 2) => format!("{:02}", t.year().rem_euclid(100)),
            ('y', _) => format!("{:04}", t.year()),
            ('M', 1) => t.month().to_string(),
            ('M', _) => format!("{:02}", t.month()),
            ('d', 1) => t.day().to_string(),
            ('d', _) => format!("{:02}", t.day()),
            ('H', 1) => t.hour().to_string(),
            ('H', _) => format!("{:02}", t.hour()),
            ('h', _) => format!("{:02}", if t.hour().is_multiple_of(12) { 12 } else { t.hour() % 12 }),
            ('m', 1) => t.minute().to_string(),
            ('m', _) => format!("{:02}", t.minute()),
            ('s', 1) => t.second().to_string(),
            ('s', _) => format!("{:02}", t.second()),
            ('S', _) => format!("{:03}", t.nanosecond() / 1_000_000),
            _ => word.to_owned(),
        });
        rest = rest.get(word.len()..).unwrap_or("");
    }
    out
}

/// Date functions. `None` for other names.
pub(super) fn call(name: &str, args: &Args, env: &FnEnv) -> Option<Sv> {
    let arg = |i: usize| args.get(i).unwrap_or(&Sv::Null);
    let now = env.now_local();
    let at = |i: usize| arg(i).as_datetime(now.date());
    let date = |i: usize| at(i).map(|t| t.0.date());
    let int = |v: Option<i64>| v.map_or(Sv::Null, Sv::int);
    let text = |v: Option<String>| v.map_or(Sv::Null, Sv::Str);
    let fsp = args.first().and_then(Sv::as_i64).and_then(|n| u8::try_from(n).ok()).unwrap_or(0).min(6);
    Some(match name {
        "NOW" | "SYSDATE" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" => Sv::DateTime(now, fsp),
        "UTC_TIMESTAMP" => match chrono::DateTime::from_timestamp(env.now, 0) {
            Some(t) => Sv::DateTime(t.naive_utc(), fsp),
            None => Sv::Null,
        },
        "UTC_DATE" => {
            chrono::DateTime::from_timestamp(env.now, 0).map_or(Sv::Null, |t| Sv::Date(t.date_naive()))
        }
        "CURDATE" | "CURRENT_DATE" => Sv::Date(now.date()),
        "CURTIME" | "CURRENT_TIME" => {
            Sv::DateTime(now, fsp).as_time().map_or(Sv::Null, |(us, _)| Sv::Time(us, fsp))
        }
        "UNIX_TIMESTAMP" if args.is_empty() => Sv::int(env.now),
        "UNIX_TIMESTAMP" => match at(0).and_then(|(t, f)| Some((to_unix(t, env)?, f))) {
            Some(((secs, _), 0)) => Sv::int(secs),
            Some(((secs, us), f)) => {
                let d = BigDecimal::from(secs) + BigDecimal::new(us.into(), 6);
                Sv::Dec(d.with_scale_round(i64::from(f), RoundingMode::Down))
            }
            None => Sv::Null,
        },
        "FROM_UNIXTIME" => {
            let Some(d) = arg(0).as_dec() else { return Some(Sv::Null) };
            let Some(us) =
                (d.clone() * BigDecimal::from(1_000_000)).with_scale_round(0, RoundingMode::HalfUp).to_i64()
            else {
                return Some(Sv::Null);
            };
            if us < 0 {
                return Some(Sv::Null);
            }
            let Some(t) = env.local(us.div_euclid(1_000_000)) else { return Some(Sv::Null) };
            let t = t + Duration::microseconds(us.rem_euclid(1_000_000));
            match args.get(1) {
                Some(p) => text(p.as_text().map(|p| format(t, &p))),
                None => {
                    let f = u8::try_from(d.fractional_digit_count().clamp(0, 6)).unwrap_or(0);
                    Sv::DateTime(t, f)
                }
            }
        }
        "DATE_FORMAT" => text(at(0).zip(arg(1).as_text()).map(|((t, _), p)| format(t, &p))),
        "TIME_FORMAT" => match (arg(0).as_time(), arg(1).as_text()) {
            (Some((us, _)), Some(p)) => {
                let day = NaiveDate::default().and_time(NaiveTime::MIN);
                Sv::Str(format(day + Duration::microseconds(us), &p))
            }
            _ => Sv::Null,
        },
        // The vendor's own: a pattern in Java letters, of a date or of unix seconds.
        "FORMAT_DATE" => {
            let t = match arg(0) {
                Sv::Dec(_) | Sv::Dbl(_) => arg(0)
                    .as_i64()
                    .and_then(|n| env.local(if n.abs() >= 100_000_000_000 { n.div_euclid(1000) } else { n })),
                _ => at(0).map(|t| t.0),
            };
            text(t.zip(arg(1).as_text()).map(|(t, p)| java_pattern(t, &p)))
        }
        "DATE" => date(0).map_or(Sv::Null, Sv::Date),
        "TIME" => arg(0).as_time().map_or(Sv::Null, |(us, f)| Sv::Time(us, f)),
        "TIMESTAMP" => match (at(0), args.get(1).map(Sv::as_time)) {
            (Some((t, f)), None) => Sv::DateTime(t, f),
            (Some((t, f)), Some(Some((us, g)))) => Sv::DateTime(t + Duration::microseconds(us), f.max(g)),
            _ => Sv::Null,
        },
        "YEAR" => int(date(0).map(|d| i64::from(d.year()))),
        "MONTH" => int(date(0).map(|d| i64::from(d.month()))),
        "DAY" | "DAYOFMONTH" => int(date(0).map(|d| i64::from(d.day()))),
        "QUARTER" => int(date(0).map(|d| i64::from(d.month0() / 3 + 1))),
        "DAYOFWEEK" => int(date(0).map(|d| i64::from(d.weekday().num_days_from_sunday()) + 1)),
        "WEEKDAY" => int(date(0).map(|d| i64::from(d.weekday().num_days_from_monday()))),
        "DAYOFYEAR" => int(date(0).map(|d| i64::from(d.ordinal()))),
        "DAYNAME" => text(
            date(0)
                .and_then(|d| DAYS.get(d.weekday().num_days_from_monday() as usize).map(|s| (*s).to_owned())),
        ),
        "MONTHNAME" => text(date(0).and_then(|d| MONTHS.get(d.month0() as usize).map(|s| (*s).to_owned()))),
        "WEEK" => int(date(0).map(|d| week_of(d, args.get(1).and_then(Sv::as_i64).unwrap_or(0)).1)),
        "WEEKOFYEAR" => int(date(0).map(|d| week_of(d, 3).1)),
        "YEARWEEK" => int(date(0).map(|d| {
            let (y, w) = week_of(d, args.get(1).and_then(Sv::as_i64).unwrap_or(0) | 2);
            i64::from(y) * 100 + w
        })),
        "HOUR" => time_part(arg(0), Unit::Hour),
        "MINUTE" => time_part(arg(0), Unit::Minute),
        "SECOND" => time_part(arg(0), Unit::Second),
        "MICROSECOND" => time_part(arg(0), Unit::Microsecond),
        "LAST_DAY" => date(0).and_then(last_day).map_or(Sv::Null, Sv::Date),
        "DATEDIFF" => int(date(0).zip(date(1)).map(|(a, b)| (a - b).num_days())),
        "TIMEDIFF" => match (arg(0), arg(1)) {
            (Sv::Null, _) | (_, Sv::Null) => Sv::Null,
            (a, b) => match (at_full(a), at_full(b), a.as_time(), b.as_time()) {
                (Some((x, f)), Some((y, g)), ..) => {
                    Sv::Time((x - y).num_microseconds().unwrap_or(0).clamp(-LIMIT_US, LIMIT_US), f.max(g))
                }
                (None, None, Some((x, f)), Some((y, g))) => {
                    Sv::Time((x - y).clamp(-LIMIT_US, LIMIT_US), f.max(g))
                }
                _ => Sv::Null,
            },
        },
        "ADDTIME" | "SUBTIME" => {
            let sign = if name == "ADDTIME" { 1 } else { -1 };
            match (arg(0), arg(1).as_time()) {
                (Sv::Null, _) | (_, None) => Sv::Null,
                (v, Some((us, g))) => {
                    let out = match at_full(v) {
                        Some((t, f)) => Sv::DateTime(t + Duration::microseconds(sign * us), f.max(g)),
                        None => match v.as_time() {
                            Some((x, f)) => Sv::Time((x + sign * us).clamp(-LIMIT_US, LIMIT_US), f.max(g)),
                            None => return Some(Sv::Null),
                        },
                    };
                    match v {
                        Sv::Str(_) => text(out.as_text()),
                        _ => out,
                    }
                }
            }
        }
        "ADDDATE" => shift(arg(0), arg(1), Unit::Day, false, env),
        "SUBDATE" => shift(arg(0), arg(1), Unit::Day, true, env),
        "TO_DAYS" => int(date(0).map(to_days)),
        "TO_SECONDS" => {
            int(at(0).map(|(t, _)| to_days(t.date()) * 86_400 + i64::from(t.num_seconds_from_midnight())))
        }
        "FROM_DAYS" => arg(0)
            .as_i64()
            .and_then(|n| i32::try_from(n - 365).ok())
            .and_then(NaiveDate::from_num_days_from_ce_opt)
            .map_or(Sv::Null, Sv::Date),
        "SEC_TO_TIME" => match arg(0).as_dec() {
            Some(d) => {
                let f = u8::try_from(d.fractional_digit_count().clamp(0, 6)).unwrap_or(0);
                let us = (d * BigDecimal::from(1_000_000)).with_scale_round(0, RoundingMode::HalfUp).to_i64();
                us.map_or(Sv::Null, |us| Sv::Time(us.clamp(-LIMIT_US, LIMIT_US), f))
            }
            None => Sv::Null,
        },
        "TIME_TO_SEC" => int(arg(0).as_time().map(|(us, _)| us / 1_000_000)),
        "MAKEDATE" => match (arg(0).as_i64(), arg(1).as_i64()) {
            (Some(y), Some(n)) if n > 0 && (0..=9999).contains(&y) => {
                let y = if y < 70 {
                    y + 2000
                } else if y < 100 {
                    y + 1900
                } else {
                    y
                };
                i32::try_from(y)
                    .ok()
                    .and_then(|y| NaiveDate::from_ymd_opt(y, 1, 1))
                    .and_then(|d| d.checked_add_signed(Duration::try_days(n - 1)?))
                    .map_or(Sv::Null, Sv::Date)
            }
            _ => Sv::Null,
        },
        "MAKETIME" => match (arg(0).as_i64(), arg(1).as_i64(), arg(2).as_i64()) {
            (Some(h), Some(m), Some(s)) if (0..60).contains(&m) && (0..60).contains(&s) => {
                let abs = h.abs().min(838) * 3600 + m * 60 + s;
                Sv::Time(if h < 0 { -abs } else { abs } * 1_000_000, 0)
            }
            _ => Sv::Null,
        },
        "PERIOD_ADD" => int(arg(0).as_i64().zip(arg(1).as_i64()).map(|(p, n)| from_months(months_of(p) + n))),
        "PERIOD_DIFF" => int(arg(0).as_i64().zip(arg(1).as_i64()).map(|(a, b)| months_of(a) - months_of(b))),
        "STR_TO_DATE" => {
            arg(0).as_text().zip(arg(1).as_text()).and_then(|(s, p)| parse_with(&s, &p)).unwrap_or(Sv::Null)
        }
        _ => return None,
    })
}

/// The longest TIME: 838:59:59.
const LIMIT_US: i64 = 838 * 3_600_000_000 + 3_599_000_000;

/// Date and time where the value has both; a bare time has not.
fn at_full(v: &Sv) -> Option<(NaiveDateTime, u8)> {
    match v {
        Sv::Str(s) => sv::parse_datetime(s).filter(|_| s.trim().len() >= 10),
        Sv::DateTime(..) | Sv::Date(_) => v.as_datetime(NaiveDate::MIN),
        _ => None,
    }
}

fn months_of(period: i64) -> i64 {
    let y = period / 100;
    let y = if y < 70 {
        y + 2000
    } else if y < 100 {
        y + 1900
    } else {
        y
    };
    y * 12 + period % 100 - 1
}

fn from_months(m: i64) -> i64 {
    m.div_euclid(12) * 100 + m.rem_euclid(12) + 1
}
