//! INTERVAL arithmetic, TIMESTAMPDIFF, TIMESTAMPADD and EXTRACT.

use chrono::Months;

use super::decimal::{Dec, Mode};
use super::format::week;
use super::moment::{self, Clock, DAY, MOST, Moment, Ymd};
use super::node::{UNITS, Unit, UnitFn};
use super::sv::{Num, Sv};
use super::{FnEnv, dates};

/// The unit of a word; an `S` at the end and the old prefix are tolerated.
pub(super) fn unit(word: &str) -> Option<Unit> {
    let upper = word.to_ascii_uppercase();
    let bare = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
    let find = |w: &str| UNITS.iter().find(|u| u.0 == w).map(|u| u.1);
    find(bare).or_else(|| find(bare.strip_suffix('S')?))
}

/// Months and microseconds of an interval, and the digits of its fraction.
struct Step {
    months: i64,
    us: i128,
    fsp: u8,
}

/// Units of a compound interval, largest first, as microseconds; the number of groups decides where they begin.
fn parts(unit: Unit) -> &'static [i64] {
    const D: i64 = DAY;
    const H: i64 = 3_600_000_000;
    const M: i64 = 60_000_000;
    const S: i64 = 1_000_000;
    match unit {
        Unit::SecondMicrosecond => &[S, 1],
        Unit::MinuteMicrosecond => &[M, S, 1],
        Unit::MinuteSecond => &[M, S],
        Unit::HourMicrosecond => &[H, M, S, 1],
        Unit::HourSecond => &[H, M, S],
        Unit::HourMinute => &[H, M],
        Unit::DayMicrosecond => &[D, H, M, S, 1],
        Unit::DaySecond => &[D, H, M, S],
        Unit::DayMinute => &[D, H, M],
        Unit::DayHour => &[D, H],
        _ => &[],
    }
}

/// Groups of digits in a text, right-aligned to `count`; the last is padded to six digits where it is a fraction.
fn groups(text: &str, count: usize, fraction: bool) -> Vec<i64> {
    let mut found: Vec<i64> = Vec::new();
    for run in text.split(|c: char| !c.is_ascii_digit()).filter(|r| !r.is_empty()).take(count) {
        let n = run.get(..run.len().min(18)).unwrap_or("0");
        let mut value: i64 = n.parse().unwrap_or(0);
        if fraction && found.len() + 1 == count && n.len() < 6 {
            value *= 10i64.pow(6 - n.len() as u32);
        }
        found.push(value);
    }
    if fraction
        && found.len() < count
        && let (Some(last), Some(run)) = (found.last_mut(), last_run(text))
    {
        let n = run.len().min(6) as u32;
        *last *= 10i64.pow(6 - n);
    }
    let mut out = vec![0; count.saturating_sub(found.len())];
    out.append(&mut found);
    out
}

fn last_run(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit()).rfind(|r| !r.is_empty())
}

fn step(n: &Sv, unit: Unit) -> Option<Step> {
    let plain = |months: i64, us: i128, fsp: u8| Some(Step { months, us, fsp });
    let whole = || n.as_i64();
    let times = |per: i64| whole().map(|n| i128::from(n) * i128::from(per));
    match unit {
        Unit::Month => plain(whole()?, 0, 0),
        Unit::Quarter => plain(whole()?.checked_mul(3)?, 0, 0),
        Unit::Year => plain(whole()?.checked_mul(12)?, 0, 0),
        Unit::Microsecond => {
            // An unsigned number beyond 63 bits is a negative one here, as in the server.
            let n = match n {
                Sv::Num(Num::Dec(d)) if d.shown() == 0 => n.as_num()?.to_bits() as i64,
                _ => whole()?,
            };
            plain(0, i128::from(n), 6)
        }
        Unit::Minute => plain(0, times(60_000_000)?, 0),
        Unit::Hour => plain(0, times(3_600_000_000)?, 0),
        Unit::Day => plain(0, times(DAY)?, 0),
        Unit::Week => plain(0, times(7 * DAY)?, 0),
        Unit::Second => {
            let d = n.as_dec()?;
            let us = d.mul(&Dec::int(1_000_000)).round(0, Mode::Down).to_i128()?;
            let fsp = match n {
                Sv::Num(n) => n.shown().min(6) as u8,
                // Nothing says how many digits a text has.
                Sv::Str(_) | Sv::Bin(_) => 6,
                _ if us % 1_000_000 != 0 => 6,
                _ => 0,
            };
            plain(0, us, fsp)
        }
        Unit::YearMonth => {
            let text = n.as_text()?;
            let g = groups(&text, 2, false);
            let months = g.first()?.checked_mul(12)?.checked_add(*g.get(1)?)?;
            plain(if text.trim_start().starts_with('-') { -months } else { months }, 0, 0)
        }
        _ => {
            let text = n.as_text()?;
            let per = parts(unit);
            let fraction = per.last() == Some(&1);
            let us: i128 = groups(&text, per.len(), fraction)
                .iter()
                .zip(per)
                .map(|(n, per)| i128::from(*n) * i128::from(*per))
                .sum();
            plain(0, if text.trim_start().starts_with('-') { -us } else { us }, if fraction { 6 } else { 0 })
        }
    }
}

/// `date ± INTERVAL n unit`. Dates stay dates for whole days.
pub(super) fn shift<'a>(v: &Sv<'a>, n: &Sv<'a>, unit: Unit, minus: bool, env: &FnEnv) -> Sv<'a> {
    if v.is_null() || n.is_null() {
        return Sv::Null;
    }
    let Some(Step { months, us, fsp }) = step(n, unit) else { return Sv::Null };
    let (months, us) = if minus { (-months, -us) } else { (months, us) };
    let Ok(us) = i64::try_from(us) else { return Sv::Null };
    if let Sv::Time(t, own) = v {
        if months != 0 {
            return Sv::Null;
        }
        return match t.checked_add(us).filter(|t| t.abs() <= MOST) {
            Some(t) => Sv::Time(t, fsp.max(*own)),
            None => Sv::Null,
        };
    }
    let read = match v {
        Sv::Str(s) => moment::parse_timed(s),
        Sv::Date(d) => Some((Moment::midnight(*d), 0, false)),
        Sv::Num(n) => {
            let date = n.dec().to_i64().is_some_and(|n| n < 100_000_000);
            v.as_moment(env).map(|(t, f)| (t, f, !date))
        }
        _ => v.as_moment(env).map(|(t, f)| (t, f, true)),
    };
    let Some((t, own, timed)) = read else { return Sv::Null };
    let moved = if months != 0 || matches!(unit, Unit::Month | Unit::Quarter | Unit::Year | Unit::YearMonth) {
        add_months(t, months)
    } else {
        // Zero parts cannot be counted from.
        t.date.naive().and_then(|_| t.plus(us)).filter(|t| t.date.y > 0)
    };
    let Some(moved) = moved else { return Sv::Null };
    let whole_days =
        matches!(unit, Unit::Day | Unit::Week | Unit::Month | Unit::Quarter | Unit::Year | Unit::YearMonth);
    let fsp = fsp.max(own);
    if !timed && whole_days { Sv::Date(moved.date) } else { Sv::Moment(moved, fsp) }
}

fn add_months(t: Moment, months: i64) -> Option<Moment> {
    let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let d = t.date.naive()?;
    let d = if months < 0 { d.checked_sub_months(by)? } else { d.checked_add_months(by)? };
    Some(Moment { date: Ymd::of(d)?, us: t.us })
}

/// TIMESTAMPDIFF, TIMESTAMPADD, EXTRACT.
pub(super) fn unit_call<'a>(which: UnitFn, unit: Unit, args: &[Sv<'a>], env: &FnEnv) -> Sv<'a> {
    let arg = |i: usize| args.get(i).unwrap_or(&Sv::Null);
    match which {
        UnitFn::TimestampAdd => shift(arg(1), arg(0), unit, false, env),
        UnitFn::Extract => extract(arg(0), unit, env).map_or(Sv::Null, Sv::int),
        UnitFn::TimestampDiff => {
            let (Some((a, _)), Some((b, _))) = (arg(0).as_moment(env), arg(1).as_moment(env)) else {
                return Sv::Null;
            };
            difference(a, b, unit).map_or(Sv::Null, Sv::int)
        }
    }
}

fn difference(a: Moment, b: Moment, unit: Unit) -> Option<i64> {
    let us = b.micros()?.checked_sub(a.micros()?)?;
    let months = || {
        let (early, late, sign) = if a <= b { (a, b, 1) } else { (b, a, -1) };
        let mut m = (i64::from(late.date.y) - i64::from(early.date.y)) * 12 + i64::from(late.date.m)
            - i64::from(early.date.m);
        if (late.date.d, late.us) < (early.date.d, early.us) {
            m -= 1;
        }
        m * sign
    };
    Some(match unit {
        Unit::Microsecond => us,
        Unit::Second => us / 1_000_000,
        Unit::Minute => us / 60_000_000,
        Unit::Hour => us / 3_600_000_000,
        Unit::Day => us / DAY,
        Unit::Week => us / (7 * DAY),
        Unit::Month => months(),
        Unit::Quarter => months() / 3,
        Unit::Year => months() / 12,
        _ => return None,
    })
}

fn names_day(unit: Unit) -> bool {
    matches!(unit, Unit::Day | Unit::DayHour | Unit::DayMinute | Unit::DaySecond | Unit::DayMicrosecond)
}

/// A text of digits that is too short for a date and time.
fn short_digits(v: &Sv) -> Option<i64> {
    let t = v.as_text()?;
    let t = t.trim();
    let plain = !t.is_empty() && t.len() < 12 && t.bytes().all(|b| b.is_ascii_digit());
    if plain { t.parse().ok() } else { None }
}

/// `101112` as 10:11:12 of a day, in microseconds.
fn time_of_digits(n: i64) -> i64 {
    ((n / 10_000 % 24) * 3600 + (n / 100 % 100).min(59) * 60 + (n % 100).min(59)) * 1_000_000
}

/// EXTRACT: one part, or several written side by side.
fn extract(v: &Sv, unit: Unit, env: &FnEnv) -> Option<i64> {
    let dated = matches!(unit, Unit::Year | Unit::Quarter | Unit::Month | Unit::Week | Unit::YearMonth);
    // Of a time of more than a day the days are a part of their own.
    let (days, us) = if dated {
        let t = match v {
            Sv::Time(..) => Moment::midnight(Ymd::ZERO),
            _ => v.as_moment(env)?.0,
        };
        return Some(match unit {
            Unit::Year => i64::from(t.date.y),
            Unit::Quarter => (i64::from(t.date.m) + 2) / 3,
            Unit::Month => i64::from(t.date.m),
            Unit::YearMonth => i64::from(t.date.y) * 100 + i64::from(t.date.m),
            _ => week(t.date, dates::WEEK_FORMAT).1,
        });
    } else {
        match v {
            Sv::Date(d) => (i64::from(d.d), 0),
            Sv::Moment(t, _) => (i64::from(t.date.d), t.us),
            Sv::Time(us, _) => (us / DAY, us % DAY),
            // A number is a duration, unless it has the digits of a whole date and time.
            Sv::Num(n) => match n.dec().to_i64() {
                Some(n) if n >= 10_000_101_000_000 => {
                    let (t, _) = v.as_moment(env)?;
                    (i64::from(t.date.d), t.us)
                }
                _ => {
                    let us = moment::parse_span(&v.as_text()?)?.0;
                    (us / DAY, us % DAY)
                }
            },
            _ if !names_day(unit)
                && let Some(n) = short_digits(v) =>
            {
                (0, time_of_digits(n))
            }
            _ => match (moment::parse_either(&v.as_text()?), short_digits(v)) {
                // Digits that are no date have no days.
                (Ok(Some(Clock::Time(..))) | Err(()), Some(n)) if unit == Unit::DayMicrosecond => {
                    (0, time_of_digits(n))
                }
                (Ok(Some(Clock::Time(..))) | Err(()), Some(_)) => return None,
                (Ok(Some(Clock::Time(us, _))), _) => (us / DAY, us % DAY),
                (Ok(Some(Clock::Moment(t, _))), _) => (i64::from(t.date.d), t.us),
                _ => return None,
            },
        }
    };
    let s = us / 1_000_000;
    let (h, m, sec, micro) = (s / 3600, s / 60 % 60, s % 60, us % 1_000_000);
    Some(match unit {
        Unit::Day => days,
        Unit::Hour => h,
        Unit::Minute => m,
        Unit::Second => sec,
        Unit::Microsecond => micro,
        Unit::DayHour => days * 100 + h,
        Unit::DayMinute => days * 10_000 + h * 100 + m,
        Unit::DaySecond => days * 1_000_000 + h * 10_000 + m * 100 + sec,
        Unit::DayMicrosecond => (days * 1_000_000 + h * 10_000 + m * 100 + sec) * 1_000_000 + micro,
        Unit::HourMinute => h * 100 + m,
        Unit::HourSecond => h * 10_000 + m * 100 + sec,
        Unit::HourMicrosecond => (h * 10_000 + m * 100 + sec) * 1_000_000 + micro,
        Unit::MinuteSecond => m * 100 + sec,
        Unit::MinuteMicrosecond => (m * 100 + sec) * 1_000_000 + micro,
        Unit::SecondMicrosecond => sec * 1_000_000 + micro,
        _ => return None,
    })
}
