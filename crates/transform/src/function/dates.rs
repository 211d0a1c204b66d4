//! Functions of dates and times.

use chrono::{Duration, FixedOffset, LocalResult, TimeZone};

use super::FnEnv;
use super::characters;
use super::decimal::{Dec, Mode, NOT_FIXED};
use super::format::{self, What, day_name, mode, month_name, week, week_mode, weekday};
use super::interval;
use super::moment::{self, Clock, MOST, Moment, Ymd};
use super::node::Unit;
use super::sv::{Num, Sv};
use super::table::{Builtin, Out, open, strict};

/// What WEEK without a mode counts by.
pub(super) const WEEK_FORMAT: i64 = mode::FIRST_WEEKDAY;

/// The last second that a timestamp can hold (MySQL's, the year 3001).
const LAST_SECOND: i64 = 32_536_771_199;

/// Functions of dates and times.
pub(super) const TABLE: &[Builtin] = &[
    strict("ADD_MONTHS", 2, 2, |a, env| {
        let [v, n] = a else { return Ok(Sv::Null) };
        Ok(interval::shift(v, n, Unit::Month, false, env))
    }),
    strict("ADDTIME", 2, 2, |a, _| Ok(add_time(a, 1))),
    strict("CONVERT_TZ", 3, 3, |a, env| Ok(convert_tz(a, env).unwrap_or(Sv::Null))),
    open("CURDATE", 0, 0, |_, env| Ok(Sv::Date(env.today()))),
    open("CURRENT_DATE", 0, 0, |_, env| Ok(Sv::Date(env.today()))),
    open("CURRENT_TIME", 0, 1, |a, env| Ok(Sv::Time(env.now_local().us, fsp(a)))),
    open("CURRENT_TIMESTAMP", 0, 1, now),
    open("CURTIME", 0, 1, |a, env| Ok(Sv::Time(env.now_local().us, fsp(a)))),
    strict("DATE", 1, 1, |a, env| Ok(date(a, 0, env).map_or(Sv::Null, Sv::Date))),
    strict("DATEDIFF", 2, 2, |a, env| Ok(int(day(a, 0, env).zip(day(a, 1, env)).map(|(x, y)| x - y)))),
    strict("DATE_FORMAT", 2, 3, |a, env| {
        let chinese = text(a, 2).starts_with("zh");
        // A time has no date here, not even today's.
        let t = match a.first() {
            Some(Sv::Time(us, _)) => Some(Moment { us: *us, ..Moment::midnight(Ymd::ZERO) }),
            _ => moment(a, 0, env),
        };
        Ok(t.and_then(|t| format::format(What::Moment(t), &text(a, 1), chinese)).map_or(Sv::Null, Sv::text))
    }),
    strict("DAY", 1, 1, |a, env| Ok(int(date(a, 0, env).map(|d| i64::from(d.d))))),
    strict("DAYNAME", 1, 1, |a, env| {
        Ok(date(a, 0, env).filter(|d| d.counts()).map_or(Sv::Null, |d| Sv::text(day_name(weekday(d)))))
    }),
    strict("DAYOFMONTH", 1, 1, |a, env| Ok(int(date(a, 0, env).map(|d| i64::from(d.d))))),
    strict("DAYOFWEEK", 1, 1, |a, env| {
        Ok(int(date(a, 0, env).filter(|d| d.counts()).map(|d| (weekday(d) as i64 + 1) % 7 + 1)))
    }),
    strict("DAYOFYEAR", 1, 1, |a, env| {
        let first = |d: Ymd| Ymd { y: d.y, m: 1, d: 1 }.loose_number();
        Ok(int(date(a, 0, env).filter(|d| d.counts()).map(|d| d.loose_number() - first(d) + 1)))
    }),
    // The vendor's own: a pattern in Java letters, of a date or of unix seconds.
    strict("FORMAT_DATE", 2, 2, |a, env| {
        let t = match a.first() {
            Some(Sv::Num(n)) => {
                let n = n.to_i64();
                moment::local(env.tz, if n.abs() >= 100_000_000_000 { n.div_euclid(1000) } else { n }, 0)
            }
            _ => moment(a, 0, env),
        };
        Ok(t.and_then(Moment::naive)
            .map_or(Sv::Null, |t| Sv::text(crate::times::java_pattern(t, &text(a, 1)))))
    }),
    strict("FROM_DAYS", 1, 1, |a, _| {
        let n = a.first().and_then(Sv::as_i64).unwrap_or(0);
        Ok(Sv::Date(Ymd::from_number(n).filter(|_| n > 365).unwrap_or(Ymd::ZERO)))
    }),
    strict("FROM_UNIXTIME", 1, 2, from_unixtime),
    strict("GET_FORMAT", 2, 2, |a, _| {
        let styles: &[(&str, &str, &str, &str)] = &[
            ("USA", "%m.%d.%Y", "%Y-%m-%d %H.%i.%s", "%h:%i:%s %p"),
            ("JIS", "%Y-%m-%d", "%Y-%m-%d %H:%i:%s", "%H:%i:%s"),
            ("ISO", "%Y-%m-%d", "%Y-%m-%d %H:%i:%s", "%H:%i:%s"),
            ("EUR", "%d.%m.%Y", "%Y-%m-%d %H.%i.%s", "%H.%i.%s"),
            ("INTERNAL", "%Y%m%d", "%Y%m%d%H%i%s", "%H%i%s"),
        ];
        let style = text(a, 1);
        let found = styles.iter().find(|s| s.0.eq_ignore_ascii_case(&style));
        Ok(match (found, text(a, 0).as_str()) {
            (Some(s), "DATE") => Sv::text(s.1),
            (Some(s), "TIME") => Sv::text(s.3),
            (Some(s), _) => Sv::text(s.2),
            (None, _) => Sv::Null,
        })
    }),
    strict("HOUR", 1, 1, |a, _| Ok(int(clock(a, 0).map(|us| us.abs() / 3_600_000_000)))),
    strict("LAST_DAY", 1, 1, |a, env| Ok(date(a, 0, env).and_then(last_day).map_or(Sv::Null, Sv::Date))),
    open("LOCALTIME", 0, 1, now),
    open("LOCALTIMESTAMP", 0, 1, now),
    strict("MAKEDATE", 2, 2, |a, _| Ok(make_date(a).unwrap_or(Sv::Null))),
    strict("MAKETIME", 3, 3, |a, _| Ok(make_time(a).unwrap_or(Sv::Null))),
    strict("MICROSECOND", 1, 1, |a, _| Ok(int(clock(a, 0).map(|us| us.abs() % 1_000_000)))),
    strict("MINUTE", 1, 1, |a, _| Ok(int(clock(a, 0).map(|us| us.abs() / 60_000_000 % 60)))),
    strict("MONTH", 1, 1, |a, env| Ok(int(date(a, 0, env).map(|d| i64::from(d.m))))),
    strict("MONTHNAME", 1, 1, |a, env| {
        Ok(date(a, 0, env).and_then(|d| month_name(d.m)).map_or(Sv::Null, Sv::text))
    }),
    open("NOW", 0, 1, now),
    strict("PERIOD_ADD", 2, 2, |a, _| {
        let (p, n) = (whole(a, 0), whole(a, 1));
        if p == 0 {
            return Ok(Sv::int(0));
        }
        Ok(Sv::int(period_of(months_of(p).wrapping_add(n as u32))))
    }),
    strict("PERIOD_DIFF", 2, 2, |a, _| {
        Ok(Sv::int(i64::from(months_of(whole(a, 0))) - i64::from(months_of(whole(a, 1)))))
    }),
    strict("QUARTER", 1, 1, |a, env| Ok(int(date(a, 0, env).map(|d| (i64::from(d.m) + 2) / 3)))),
    strict("SECOND", 1, 1, |a, _| Ok(int(clock(a, 0).map(|us| us.abs() / 1_000_000 % 60)))),
    strict("SEC_TO_TIME", 1, 1, |a, _| {
        let Some(n) = a.first().and_then(Sv::as_num) else { return Ok(Sv::Null) };
        let us = match &n {
            // Whole seconds and fraction apart, as the server takes a floating number.
            Num::Dbl(f, _) => {
                let fraction = ((f - f.trunc()) * 1e6).trunc();
                Dec::from_f64(f.trunc())
                    .unwrap_or(Dec::ZERO)
                    .mul(&Dec::int(1_000_000))
                    .add(&Dec::int(fraction as i64))
            }
            n => n.dec().mul(&Dec::int(1_000_000)).round(0, Mode::Down),
        };
        let f = match &n {
            Num::Dec(d) => d.shown().min(6) as u8,
            other => {
                if other.shown() > 6 {
                    6
                } else {
                    other.shown() as u8
                }
            }
        };
        let f = if matches!(a.first(), Some(Sv::Str(_))) { 6 } else { f };
        let most = MOST / 1_000_000 * 1_000_000 + fraction_limit(f);
        let us = us.to_i64().unwrap_or(if us.is_negative() { -most } else { most }).clamp(-most, most);
        Ok(Sv::Time(moment::cut(us, f), f))
    }),
    strict("STR_TO_DATE", 2, 2, |a, _| Ok(format::parse_with(&text(a, 0), &text(a, 1)).unwrap_or(Sv::Null))),
    strict("SUBTIME", 2, 2, |a, _| Ok(add_time(a, -1))),
    // The run's clock, as NOW(), so that an evaluation can be repeated.
    open("SYSDATE", 0, 1, now),
    strict("TIME", 1, 1, |a, _| {
        Ok(a.first().and_then(Sv::as_time).map_or(Sv::Null, |(us, f)| Sv::Time(us, f)))
    }),
    strict("TIMEDIFF", 2, 2, |a, _| Ok(time_diff(a).unwrap_or(Sv::Null))),
    strict("TIMESTAMP", 1, 2, |a, env| {
        let Some((t, f)) = a.first().and_then(|v| v.as_moment(env)) else { return Ok(Sv::Null) };
        Ok(match a.get(1) {
            None => Sv::Moment(t, f),
            Some(v) => match v.as_span() {
                Some((us, g)) => {
                    t.date.naive().and_then(|_| t.plus(us)).map_or(Sv::Null, |t| Sv::Moment(t, f.max(g)))
                }
                _ => Sv::Null,
            },
        })
    }),
    strict("TIME_FORMAT", 2, 2, |a, _| {
        let Some(us) = clock(a, 0) else { return Ok(Sv::Null) };
        super::eval::bounded(text(a, 1).len() * 8)?;
        let out = format::format(What::Time(us), &text(a, 1), false);
        Ok(out.map_or(Sv::Null, Sv::text))
    }),
    strict("TIME_TO_SEC", 1, 1, |a, _| {
        let Some((us, f)) = a.first().and_then(Sv::as_time) else { return Ok(Sv::Null) };
        let d = Dec::scaled(i128::from(us), 6).round(i64::from(f), Mode::Down);
        Ok(Sv::dec(d))
    }),
    strict("TO_CHAR", 1, 2, characters::to_char),
    strict("TO_DAYS", 1, 1, |a, env| Ok(int(day(a, 0, env)))),
    strict("TO_SECONDS", 1, 1, |a, env| {
        Ok(int(moment(a, 0, env).and_then(Moment::micros).map(|us| us / 1_000_000)))
    }),
    open("UNIX_TIMESTAMP", 0, 1, unix_timestamp),
    open("UTC_DATE", 0, 0, |_, env| Ok(utc(env).map_or(Sv::Null, |t| Sv::Date(t.date)))),
    open("UTC_TIME", 0, 1, |a, env| Ok(utc(env).map_or(Sv::Null, |t| Sv::Time(t.us, fsp(a))))),
    open("UTC_TIMESTAMP", 0, 1, |a, env| Ok(utc(env).map_or(Sv::Null, |t| Sv::Moment(t, fsp(a))))),
    strict("WEEK", 1, 2, |a, env| {
        let bits = a.get(1).map_or(WEEK_FORMAT, |m| week_mode(m.as_i64().unwrap_or(0)));
        Ok(int(date(a, 0, env).filter(|d| d.counts()).map(|d| week(d, bits).1)))
    }),
    strict("WEEKDAY", 1, 1, |a, env| {
        Ok(int(date(a, 0, env).filter(|d| d.counts()).map(|d| weekday(d) as i64)))
    }),
    strict("WEEKOFYEAR", 1, 1, |a, env| {
        let bits = mode::MONDAY_FIRST | mode::YEAR;
        Ok(int(date(a, 0, env).filter(|d| d.counts()).map(|d| week(d, bits).1)))
    }),
    strict("YEAR", 1, 1, |a, env| Ok(int(date(a, 0, env).map(|d| i64::from(d.y))))),
    open("YEARWEEK", 1, 2, |a, env| {
        let bits = week_mode(a.get(1).and_then(Sv::as_i64).unwrap_or(0)) | mode::YEAR;
        Ok(int(date(a, 0, env).filter(|d| d.counts()).map(|d| {
            let (y, w) = week(d, bits);
            y * 100 + w
        })))
    }),
];

fn text(a: &[Sv], i: usize) -> String {
    a.get(i).and_then(Sv::as_text).unwrap_or_default().into_owned()
}

fn whole(a: &[Sv], i: usize) -> i64 {
    a.get(i).and_then(Sv::as_i64).unwrap_or(0)
}

fn int<'a>(v: Option<i64>) -> Sv<'a> {
    v.map_or(Sv::Null, Sv::int)
}

fn moment(a: &[Sv], i: usize, env: &FnEnv) -> Option<Moment> {
    a.get(i)?.as_moment(env).map(|t| t.0)
}

fn date(a: &[Sv], i: usize, env: &FnEnv) -> Option<Ymd> {
    moment(a, i, env).map(|t| t.date)
}

/// Days since year 0.
fn day(a: &[Sv], i: usize, env: &FnEnv) -> Option<i64> {
    date(a, i, env)?.number()
}

fn clock(a: &[Sv], i: usize) -> Option<i64> {
    a.get(i)?.as_time().map(|t| t.0)
}

/// Digits of the fraction that are asked for.
fn fsp(a: &[Sv]) -> u8 {
    u8::try_from(whole(a, 0).clamp(0, 6)).unwrap_or(0)
}

fn fraction_limit(fsp: u8) -> i64 {
    moment::cut(999_999, fsp)
}

fn now<'a>(a: &[Sv<'a>], env: &FnEnv) -> Out<'a> {
    Ok(Sv::Moment(env.now_local(), fsp(a)))
}

fn utc(env: &FnEnv) -> Option<Moment> {
    Moment::of(chrono::DateTime::from_timestamp(env.now, 0)?.naive_utc())
}

fn last_day(d: Ymd) -> Option<Ymd> {
    let first = Ymd { d: 1, ..d }.naive()?;
    Ymd::of(first.checked_add_months(chrono::Months::new(1))?.pred_opt()?)
}

fn from_unixtime<'a>(a: &[Sv<'a>], env: &FnEnv) -> Out<'a> {
    let Some(n) = a.first().and_then(Sv::as_num) else { return Ok(Sv::Null) };
    let d = n.dec();
    let Some(us) = d.mul(&Dec::int(1_000_000)).round(0, Mode::Down).to_i64() else { return Ok(Sv::Null) };
    let secs = us.div_euclid(1_000_000);
    if us < 0 || secs > LAST_SECOND {
        return Ok(Sv::Null);
    }
    let Some(t) = moment::local(env.tz, secs, us.rem_euclid(1_000_000)) else { return Ok(Sv::Null) };
    if a.len() > 1 {
        let out = format::format(What::Moment(t), &text(a, 1), false);
        return Ok(out.map_or(Sv::Null, Sv::text));
    }
    let f = match &n {
        Num::Dec(d) => d.shown().min(6) as u8,
        // A text without a fraction shows none, one with a fraction all six digits; so does a floating number.
        n if n.shown() >= NOT_FIXED => {
            if us % 1_000_000 == 0 {
                0
            } else {
                6
            }
        }
        other => other.shown().min(6) as u8,
    };
    Ok(Sv::Moment(t, f))
}

fn unix_timestamp<'a>(a: &[Sv<'a>], env: &FnEnv) -> Out<'a> {
    let Some(v) = a.first() else { return Ok(Sv::int(env.now)) };
    let Some((t, f)) = v.as_moment(env) else { return Ok(Sv::Null) };
    let Some((secs, us)) = to_unix(t, env) else { return Ok(Sv::Null) };
    if !(0..=LAST_SECOND).contains(&secs) {
        return Ok(Sv::Null);
    }
    if f == 0 {
        return Ok(Sv::int(secs));
    }
    let d = Dec::scaled(i128::from(secs) * 1_000_000 + i128::from(us), 6);
    Ok(Sv::dec(d.round(i64::from(f), Mode::Down)))
}

fn to_unix(t: Moment, env: &FnEnv) -> Option<(i64, i64)> {
    let local = t.naive()?;
    let secs = match env.tz.from_local_datetime(&local) {
        LocalResult::Single(z) => z.timestamp(),
        LocalResult::Ambiguous(a, _) => a.timestamp(),
        LocalResult::None => {
            env.tz.from_local_datetime(&(local + Duration::hours(1))).earliest()?.timestamp() - 3600
        }
    };
    Some((secs, t.us % 1_000_000))
}

/// A zone of CONVERT_TZ: a name, or an offset such as `+08:00`.
enum Zone {
    Named(chrono_tz::Tz),
    Fixed(FixedOffset),
}

fn zone(name: &str, env: &FnEnv) -> Option<Zone> {
    if name.eq_ignore_ascii_case("system") {
        return Some(Zone::Named(env.tz));
    }
    if let Some((sign, rest)) = name.split_at_checked(1)
        && matches!(sign, "+" | "-")
    {
        let (h, m) = rest.split_once(':')?;
        let (h, m): (i32, i32) = (h.parse().ok()?, m.parse().ok()?);
        if h > 14 || m > 59 {
            return None;
        }
        let secs = (h * 3600 + m * 60) * if sign == "-" { -1 } else { 1 };
        return FixedOffset::east_opt(secs).map(Zone::Fixed);
    }
    name.parse().ok().map(Zone::Named)
}

fn convert_tz<'a>(a: &[Sv<'a>], env: &FnEnv) -> Option<Sv<'a>> {
    let (t, f) = a.first()?.as_moment(env)?;
    let (from, to) = (zone(&text(a, 1), env)?, zone(&text(a, 2), env)?);
    let local = t.naive()?;
    let instant = match from {
        Zone::Named(z) => z.from_local_datetime(&local).earliest()?.naive_utc(),
        Zone::Fixed(z) => z.from_local_datetime(&local).earliest()?.naive_utc(),
    };
    // What a timestamp cannot hold stays as it is.
    if instant.and_utc().timestamp() < 1 {
        return Some(Sv::Moment(t, f));
    }
    let out = match to {
        Zone::Named(z) => z.from_utc_datetime(&instant).naive_local(),
        Zone::Fixed(z) => z.from_utc_datetime(&instant).naive_local(),
    };
    Moment::of(out).map(|t| Sv::Moment(t, f))
}

/// Digits of the fraction of a result made from text: all or none.
fn text_fsp(us: i64) -> u8 {
    if us % 1_000_000 == 0 { 0 } else { 6 }
}

/// The value as a date and time where it has both, else as a time.
fn either(v: &Sv) -> Option<(Clock, u8)> {
    let c = match v {
        Sv::Date(d) => Clock::Moment(Moment::midnight(*d), 0),
        other => other.as_clock()?,
    };
    let f = match &c {
        Clock::Time(_, f) | Clock::Moment(_, f) => *f,
    };
    Some((c, f))
}

fn add_time<'a>(a: &[Sv<'a>], sign: i64) -> Sv<'a> {
    let [v, by] = a else { return Sv::Null };
    let (Some((base, f)), Some((us, g))) = (either(v), by.as_span()) else { return Sv::Null };
    let us = us * sign;
    match base {
        Clock::Time(t, _) => {
            let t = t.saturating_add(us).clamp(-MOST, MOST);
            let fsp = if v.is_text() { text_fsp(t) } else { f.max(g) };
            Sv::Time(moment::cut(t, fsp), fsp)
        }
        Clock::Moment(t, _) => match t.date.naive().and_then(|_| t.plus(us)) {
            Some(t) => Sv::Moment(t, if v.is_text() { text_fsp(t.us) } else { f.max(g) }),
            None => Sv::Null,
        },
    }
}

fn time_diff<'a>(a: &[Sv<'a>]) -> Option<Sv<'a>> {
    let [x, y] = a else { return None };
    if matches!(x, Sv::Date(_)) != matches!(y, Sv::Date(_)) {
        return None;
    }
    let ((p, f), (q, g)) = (either(x)?, either(y)?);
    let us = match (p, q) {
        (Clock::Time(x, _), Clock::Time(y, _)) => {
            // The longest time has as many digits as the result shows.
            let within = |us: i64| if us.abs() == MOST { moment::cut(us, f.max(g)) } else { us };
            within(x) - within(y)
        }
        (Clock::Moment(x, _), Clock::Moment(y, _)) => {
            (x.date.loose_number() - y.date.loose_number()) * moment::DAY + x.us - y.us
        }
        _ => return None,
    };
    let fsp = f.max(g);
    let most = MOST / 1_000_000 * 1_000_000 + fraction_limit(fsp);
    Some(Sv::Time(us.clamp(-most, most), fsp))
}

fn make_date<'a>(a: &[Sv<'a>]) -> Option<Sv<'a>> {
    let (y, n) = (whole(a, 0), whole(a, 1));
    let y = match y {
        0..70 => y + 2000,
        70..100 => y + 1900,
        100..=9999 => y,
        _ => return None,
    };
    if n <= 0 {
        return None;
    }
    let first = Ymd { y: u16::try_from(y).ok()?, m: 1, d: 1 }.number()?;
    Ymd::from_number(first.checked_add(n - 1)?).map(Sv::Date)
}

fn make_time<'a>(a: &[Sv<'a>]) -> Option<Sv<'a>> {
    let (h, m) = (whole(a, 0), whole(a, 1));
    let s = a.get(2)?.as_num()?;
    let us = s.dec().mul(&Dec::int(1_000_000)).round(0, Mode::Down).to_i64()?;
    if !(0..60).contains(&m) || !(0..60_000_000).contains(&us) || s.is_negative() {
        return None;
    }
    let fsp = match &s {
        Num::Dec(d) => d.shown().min(6) as u8,
        other => other.shown().min(6) as u8,
    };
    if h.abs() > 838 {
        let most = MOST / 1_000_000 * 1_000_000 + fraction_limit(fsp);
        return Some(Sv::Time(if h < 0 { -most } else { most }, fsp));
    }
    let abs = (h.abs() * 3600 + m * 60) * 1_000_000 + us;
    Some(Sv::Time(if h < 0 { -abs } else { abs }, fsp))
}

/// Months of a period such as 202403 or 2403; none where it has more digits than that.
fn months_of(period: i64) -> u32 {
    let Some(period) = u32::try_from(period).ok().filter(|p| (1..=999_912).contains(p)) else { return 0 };
    let y = match period / 100 {
        y @ ..70 => y + 2000,
        y @ 70..100 => y + 1900,
        y => y,
    };
    (y * 12 + period % 100).wrapping_sub(1)
}

/// The period of so many months. Years count as years of a century where they have two digits, as the server has it.
fn period_of(months: u32) -> i64 {
    if months == 0 {
        return 0;
    }
    let y = match months / 12 {
        y @ ..70 => y + 2000,
        y @ 70..100 => y + 1900,
        y => y,
    };
    i64::from(y) * 100 + i64::from(months % 12) + 1
}
