//! MySQL's comparisons and the order of text.

use std::cmp::Ordering;

use super::decimal::Dec;
use super::moment::{self, Moment, Ymd};
use super::sv::{Num, Sv, number_prefix};
use super::{FnEnv, json};

/// MySQL's comparison; `None` when either side is NULL.
pub(super) fn compare(a: &Sv, b: &Sv, env: &FnEnv) -> Option<Ordering> {
    use Sv::{Bool, List, Null, Str};
    match (a, b) {
        (Null, _) | (_, Null) => None,
        (List(items), other) => compare(items.first()?, other, env),
        (other, List(items)) => compare(other, items.first()?, env),
        (Str(x), Str(y)) => Some(collate(x, y)),
        // JSON is compared with text by what its string says.
        (Sv::Json(x), y) if !matches!(y, Sv::Json(_) | Sv::Num(_)) => compare(&Str(json::plain(x)), y, env),
        (x, Sv::Json(y)) if !matches!(x, Sv::Json(_) | Sv::Num(_)) => compare(x, &Str(json::plain(y)), env),
        // Rule Fn11: the words of booleans count as their numbers.
        (Bool(x), Str(y)) => Some(flag(*x).cmp(&bool_word(y))),
        (Str(x), Bool(y)) => Some(bool_word(x).cmp(&flag(*y))),
        (x, y) if x.is_text() && y.is_text() => Some(x.bytes().cmp(&y.bytes())),
        (x, y) if x.is_temporal() || y.is_temporal() => Some(temporal(x, y, env)),
        _ => Some(a.as_num()?.cmp(&b.as_num()?)),
    }
}

/// Equality for `=`, IN and CASE; `None` with NULL.
pub(super) fn equal(a: &Sv, b: &Sv, env: &FnEnv) -> Option<bool> {
    compare(a, b, env).map(Ordering::is_eq)
}

fn flag(b: bool) -> Num {
    Num::Dec(Dec::int(i128::from(b)))
}

fn bool_word(s: &str) -> Num {
    match s.trim() {
        w if w.eq_ignore_ascii_case("true") => flag(true),
        w if w.eq_ignore_ascii_case("false") => flag(false),
        w => number_prefix(w),
    }
}

/// Dates and times among themselves, with text, and with numbers.
fn temporal(a: &Sv, b: &Sv, env: &FnEnv) -> Ordering {
    let clocks = matches!((a, b), (Sv::Time(..), Sv::Time(..)))
        || (matches!(a, Sv::Time(..)) && b.is_text())
        || (matches!(b, Sv::Time(..)) && a.is_text());
    if clocks {
        let us = |v: &Sv| v.as_time().map_or(0, |t| t.0);
        return us(a).cmp(&us(b));
    }
    if a.is_number() || b.is_number() {
        let number = |v: &Sv| v.as_num().unwrap_or(flag(false));
        if matches!(a, Sv::Time(..)) || matches!(b, Sv::Time(..)) {
            return number(a).cmp(&number(b));
        }
    }
    // Text that is no date counts as the zero date; a day that the month has not is compared all the same.
    let at = |v: &Sv| match v {
        Sv::Str(s) => moment::parse_loose(s).unwrap_or(Moment::midnight(Ymd::ZERO)),
        _ => v.as_moment(env).map_or(Moment::midnight(Ymd::ZERO), |t| t.0),
    };
    at(a).cmp(&at(b))
}

/// A letter without its case, as the collation sees it. Accents do count (a decided difference).
pub(super) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut up = c.to_uppercase();
    match (up.next(), up.next()) {
        (Some(u), None) => u,
        _ => c,
    }
}

/// A letter as it is: what is compared with bytes.
pub(super) fn exact(c: char) -> char {
    c
}

/// How letters are compared among `values`: by case only where one of them is bytes.
pub(super) fn letters(values: &[&Sv]) -> fn(char) -> char {
    if values.iter().any(|v| matches!(v, Sv::Bin(_))) { exact } else { fold }
}

/// Text order as utf8mb4_general_ci has it: case does not count, and the shorter text is as if filled with blanks.
pub(crate) fn collate(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.chars(), b.chars());
    loop {
        match (x.next(), y.next()) {
            (None, None) => return Ordering::Equal,
            (Some(p), Some(q)) => match fold(p).cmp(&fold(q)) {
                Ordering::Equal => {}
                other => return other,
            },
            (Some(p), None) => {
                return std::iter::once(p)
                    .chain(x)
                    .map(|c| c.cmp(&' '))
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal);
            }
            (None, Some(q)) => {
                return std::iter::once(q)
                    .chain(y)
                    .map(|c| ' '.cmp(&c))
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal);
            }
        }
    }
}

/// The values of BETWEEN, GREATEST and LEAST are compared as one kind: as dates where one is a date, as numbers where
/// one is a number, else as text.
pub(super) fn uniform<'a>(values: Vec<Sv<'a>>, env: &FnEnv) -> Vec<Sv<'a>> {
    let any = |f: fn(&Sv<'a>) -> bool| values.iter().any(f);
    if any(Sv::is_temporal) && any(Sv::is_text) {
        let time = any(|v| matches!(v, Sv::Time(..))) && !any(|v| matches!(v, Sv::Date(_) | Sv::Moment(..)));
        return values
            .into_iter()
            .map(|v| match &v {
                Sv::Str(s) if time => match moment::parse_clock(s) {
                    Some(moment::Clock::Time(us, f)) => Sv::Time(us, f),
                    Some(moment::Clock::Moment(t, f)) => Sv::Time(t.us, f),
                    None => Sv::Time(0, 0),
                },
                // Text that is no date counts as the zero date.
                Sv::Str(s) => Sv::Moment(moment::parse_loose(s).unwrap_or(Moment::midnight(Ymd::ZERO)), 6),
                Sv::Date(_) | Sv::Time(..) if !time => {
                    v.as_moment(env).map_or(Sv::Null, |(t, f)| Sv::Moment(t, f))
                }
                _ => v,
            })
            .collect();
    }
    if any(Sv::is_number) && any(Sv::is_text) {
        return values.into_iter().map(|v| v.as_num().map_or(Sv::Null, Sv::Num)).collect();
    }
    values
}
