//! Numeric functions.

use std::cmp::Ordering;

use super::arith::{arithmetic, out_of_range};
use super::decimal::{Dec, MAX_SCALE, Mode, NOT_FIXED};
use super::node::Op;
use super::sv::{Num, Sv};
use super::table::{Builtin, Out, open, strict};
use super::{FnEnv, compare};

/// Numeric functions.
pub(super) const TABLE: &[Builtin] = &[
    strict("ABS", 1, 1, |a, _| {
        Ok(match number(a, 0) {
            Num::Dec(d) => Sv::Num(Num::Dec(d.abs())),
            Num::Apx(d) => Sv::Num(Num::Apx(d.abs())),
            Num::Dbl(f, s) => Sv::Num(Num::Dbl(f.abs(), s)),
        })
    }),
    strict("ACOS", 1, 1, |a, _| real(a, f64::acos)),
    strict("ASIN", 1, 1, |a, _| real(a, f64::asin)),
    strict("ATAN", 1, 2, |a, _| if a.len() == 1 { real(a, f64::atan) } else { real2(a, f64::atan2) }),
    strict("ATAN2", 1, 2, |a, _| if a.len() == 1 { real(a, f64::atan) } else { real2(a, f64::atan2) }),
    strict("BIT_COUNT", 1, 1, |a, _| Ok(Sv::int(number(a, 0).to_bits().count_ones()))),
    strict("CEIL", 1, 1, |a, _| Ok(whole(number(a, 0), Mode::Ceil))),
    strict("CEILING", 1, 1, |a, _| Ok(whole(number(a, 0), Mode::Ceil))),
    strict("COS", 1, 1, |a, _| real(a, f64::cos)),
    strict("COT", 1, 1, |a, _| bounded_real(a, |x| 1.0 / x.tan())),
    strict("DEGREES", 1, 1, |a, _| real(a, f64::to_degrees)),
    strict("EXP", 1, 1, |a, _| bounded_real(a, f64::exp)),
    strict("FLOOR", 1, 1, |a, _| Ok(whole(number(a, 0), Mode::Floor))),
    strict("GREATEST", 2, 255, |a, env| Ok(extreme(a, Ordering::Greater, env))),
    open("INTERVAL", 2, 255, |a, _| {
        let Some(n) = a.first().and_then(Sv::as_num) else { return Ok(Sv::int(-1)) };
        let below = |v: &&Sv| v.as_num().is_none_or(|x| x.cmp(&n).is_le());
        Ok(Sv::int(a.iter().skip(1).take_while(below).count() as i128))
    }),
    open("ISNULL", 1, 1, |a, _| Ok(Sv::flag(a.first().map(Sv::is_null)))),
    strict("LEAST", 2, 255, |a, env| Ok(extreme(a, Ordering::Less, env))),
    strict("LN", 1, 1, |a, _| logarithm(number(a, 0).f64(), f64::ln)),
    strict("LOG", 1, 2, |a, _| {
        if a.len() == 1 {
            return logarithm(number(a, 0).f64(), f64::ln);
        }
        let (b, x) = (number(a, 0).f64(), number(a, 1).f64());
        Ok(if x > 0.0 && b > 0.0 && b != 1.0 { Sv::double(x.ln() / b.ln()) } else { Sv::Null })
    }),
    strict("LOG10", 1, 1, |a, _| logarithm(number(a, 0).f64(), f64::log10)),
    strict("LOG2", 1, 1, |a, _| logarithm(number(a, 0).f64(), |x| x.ln() / std::f64::consts::LN_2)),
    strict("MOD", 2, 2, |a, _| match a {
        [x, y] => arithmetic(Op::Mod, x, y),
        _ => Ok(Sv::Null),
    }),
    open("NULLIF", 2, 2, |a, env| {
        let [x, y] = a else { return Ok(Sv::Null) };
        Ok(if compare::equal(x, y, env) == Some(true) { Sv::Null } else { x.clone() })
    }),
    open("PI", 0, 0, |_, _| Ok(Sv::Num(Num::Dbl(std::f64::consts::PI, 6)))),
    strict("POW", 2, 2, power),
    strict("POWER", 2, 2, power),
    strict("RADIANS", 1, 1, |a, _| real(a, f64::to_radians)),
    open("RAND", 0, 1, |a, _| {
        let seed = match a.first() {
            Some(v) => v.as_i64().unwrap_or(0) as u64,
            None => uuid::Uuid::new_v4().as_u64_pair().0,
        };
        Ok(Sv::double(random(seed)))
    }),
    strict("ROUND", 1, 2, |a, _| Ok(rounded(number(a, 0), a.get(1), false))),
    strict("SIGN", 1, 1, |a, _| {
        let n = number(a, 0);
        Ok(Sv::int(if n.is_zero() { 0 } else { 1 - 2 * i128::from(n.is_negative()) }))
    }),
    strict("SIN", 1, 1, |a, _| real(a, f64::sin)),
    strict("SQRT", 1, 1, |a, _| real(a, f64::sqrt)),
    strict("TAN", 1, 1, |a, _| real(a, f64::tan)),
    strict("TRUNCATE", 2, 2, |a, _| Ok(rounded(number(a, 0), a.get(1), true))),
];

fn number(a: &[Sv], i: usize) -> Num {
    a.get(i).and_then(Sv::as_num).unwrap_or(Num::Dec(Dec::ZERO))
}

/// A function of one floating number; NULL where it has no value.
fn real<'a>(a: &[Sv<'a>], f: fn(f64) -> f64) -> Out<'a> {
    let v = f(number(a, 0).f64());
    Ok(if v.is_finite() { Sv::double(v) } else { Sv::Null })
}

fn real2<'a>(a: &[Sv<'a>], f: fn(f64, f64) -> f64) -> Out<'a> {
    Ok(Sv::double(f(number(a, 0).f64(), number(a, 1).f64())))
}

/// A function whose value may be too large to be written.
fn bounded_real<'a>(a: &[Sv<'a>], f: fn(f64) -> f64) -> Out<'a> {
    let v = f(number(a, 0).f64());
    if v.is_finite() { Ok(Sv::double(v)) } else { Err(out_of_range()) }
}

fn power<'a>(a: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    let v = number(a, 0).f64().powf(number(a, 1).f64());
    if v.is_finite() { Ok(Sv::double(v)) } else { Err(out_of_range()) }
}

fn logarithm<'a>(x: f64, f: fn(f64) -> f64) -> Out<'a> {
    Ok(if x > 0.0 { Sv::double(f(x)) } else { Sv::Null })
}

fn whole<'a>(n: Num, mode: Mode) -> Sv<'a> {
    Sv::Num(match n {
        Num::Dec(d) => Num::Dec(d.round(0, mode)),
        Num::Apx(d) => Num::Apx(d.round(0, mode)),
        Num::Dbl(f, _) => Num::Dbl(if mode == Mode::Ceil { f.ceil() } else { f.floor() }, 0),
    })
}

/// ROUND and TRUNCATE.
fn rounded<'a>(n: Num, places: Option<&Sv>, cut: bool) -> Sv<'a> {
    let places = places.and_then(Sv::as_i64).unwrap_or(0).clamp(-400, i64::from(MAX_SCALE));
    let mode = if cut { Mode::Down } else { Mode::Half };
    Sv::Num(match n {
        Num::Dec(d) if d.shown() == 0 && places > 0 => Num::Dec(d),
        Num::Dec(d) => Num::Dec(d.round(places, mode)),
        Num::Apx(d) => Num::Apx(d.round(places, mode)),
        Num::Dbl(f, _) => {
            Num::Dbl(round_double(f, places, cut), u32::try_from(places.clamp(0, 30)).unwrap_or(0))
        }
    })
}

/// As the server rounds floating numbers: half to even, of the product with a power of ten.
pub(super) fn round_double(f: f64, places: i64, cut: bool) -> f64 {
    let power = 10f64.powi(i32::try_from(places.unsigned_abs()).unwrap_or(400));
    let near = |x: f64| if cut { x.trunc() } else { x.round_ties_even() };
    if places < 0 {
        return if power.is_finite() { near(f / power) * power } else { 0.0 };
    }
    let product = f * power;
    if product.is_finite() { near(product) / power } else { f }
}

fn extreme<'a>(a: &[Sv<'a>], wanted: Ordering, env: &FnEnv) -> Sv<'a> {
    let all = compare::uniform(a.to_vec(), env);
    let mut best = 0;
    for (i, v) in all.iter().enumerate().skip(1) {
        if all.get(best).and_then(|b| compare::compare(v, b, env)) == Some(wanted) {
            best = i;
        }
    }
    let numbers: Option<Vec<Num>> =
        all.iter().map(|v| if v.is_number() { v.as_num() } else { None }).collect();
    let Some(numbers) = numbers else { return like_all(all.get(best).unwrap_or(&Sv::Null), a, env) };
    let shown = numbers.iter().map(Num::shown).max().unwrap_or(0);
    let approximate = numbers.iter().any(|n| !matches!(n, Num::Dec(_)));
    match numbers.into_iter().nth(best) {
        Some(Num::Dbl(f, _)) => Sv::Num(Num::Dbl(f, shown)),
        Some(Num::Dec(d) | Num::Apx(d)) if approximate => Sv::Num(Num::Apx(d.show(shown.max(NOT_FIXED)))),
        Some(Num::Dec(d) | Num::Apx(d)) => Sv::dec(d.show(shown)),
        None => Sv::Null,
    }
}

/// The chosen value among dates, times and texts: all are of one kind, a date where any is one.
fn like_all<'a>(v: &Sv<'a>, a: &[Sv<'a>], env: &FnEnv) -> Sv<'a> {
    let any = |f: fn(&Sv<'a>) -> bool| a.iter().any(f);
    if any(Sv::is_number) || !any(Sv::is_temporal) {
        return v.clone();
    }
    let moments = any(|v| matches!(v, Sv::Moment(..)));
    let (dates, times) = (any(|v| matches!(v, Sv::Date(_))), any(|v| matches!(v, Sv::Time(..))));
    if moments || dates && times {
        let digits = a.iter().map(|v| match v {
            Sv::Moment(_, fsp) | Sv::Time(_, fsp) => *fsp,
            v if v.is_text() => v.as_moment(env).map_or(6, |t| t.1),
            _ => 0,
        });
        let fsp = digits.max().unwrap_or(0);
        return v
            .as_moment(env)
            .filter(|(t, _)| t.date.possible())
            .map_or(Sv::Null, |(t, _)| Sv::Moment(t, fsp));
    }
    if dates {
        return v
            .as_moment(env)
            .filter(|(t, _)| t.date.possible())
            .map_or(Sv::Null, |(t, _)| Sv::Date(t.date));
    }
    v.as_time().map_or(Sv::Null, |(us, fsp)| Sv::Time(us, fsp))
}

/// The server's generator, its first number for a seed.
fn random(seed: u64) -> f64 {
    const MOST: u64 = 0x3FFF_FFFF;
    let n = seed & 0xFFFF_FFFF;
    let one = (n.wrapping_mul(0x1_0001).wrapping_add(55_555_555) & 0xFFFF_FFFF) % MOST;
    let two = (n.wrapping_mul(0x1000_0001) & 0xFFFF_FFFF) % MOST;
    ((one * 3 + two) % MOST) as f64 / MOST as f64
}
