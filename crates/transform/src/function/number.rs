//! Numeric functions and aggregates.

use std::cmp::Ordering;

use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};

use super::build::Op;
use super::eval::{Args, arithmetic, divide};
use super::{FnError, Sv, sv};

/// True for the names of aggregates.
pub(crate) fn is_aggregate(name: &str) -> bool {
    ["SUM", "AVG", "MAX", "MIN", "COUNT", "GROUP_CONCAT"].iter().any(|a| a.eq_ignore_ascii_case(name))
}

/// Aggregates over the values of an array (rule Fn7).
pub(super) fn aggregate(name: &str, args: &Args, distinct: bool) -> Sv {
    let mut flat: Vec<&Sv> = Vec::new();
    for a in args {
        gather(a, &mut flat);
    }
    let mut values: Vec<&Sv> = flat.into_iter().filter(|v| !v.is_null()).collect();
    if distinct {
        let mut seen: Vec<&Sv> = Vec::new();
        values.retain(|v| {
            let known = seen.iter().any(|s| sv::compare(s, v) == Some(Ordering::Equal));
            if !known {
                seen.push(v);
            }
            !known
        });
    }
    if name == "COUNT" {
        return Sv::int(i64::try_from(values.len()).unwrap_or(i64::MAX));
    }
    if values.is_empty() {
        return Sv::Null;
    }
    match name {
        "GROUP_CONCAT" => Sv::Str(values.iter().filter_map(|v| v.as_text()).collect::<Vec<_>>().join(",")),
        "MAX" | "MIN" => {
            let wanted = if name == "MAX" { Ordering::Greater } else { Ordering::Less };
            let mut best = values.first().copied().unwrap_or(&Sv::Null);
            for v in values.iter().skip(1) {
                if sv::compare(v, best) == Some(wanted) {
                    best = v;
                }
            }
            best.clone()
        }
        _ => {
            let mut sum = BigDecimal::zero();
            for v in &values {
                sum += v.as_dec().unwrap_or_default();
            }
            if name == "SUM" {
                Sv::Dec(sum)
            } else {
                let scale = sum.fractional_digit_count().max(0) + 4;
                Sv::Dec(divide(&sum, &BigDecimal::from(values.len() as u64), scale))
            }
        }
    }
}

fn gather<'a>(v: &'a Sv, out: &mut Vec<&'a Sv>) {
    match v {
        Sv::List(items) => items.iter().for_each(|i| gather(i, out)),
        other => out.push(other),
    }
}

/// Numeric functions. `Ok(None)` for other names.
pub(super) fn call(name: &str, args: &Args) -> Result<Option<Sv>, FnError> {
    let arg = |i: usize| args.get(i).unwrap_or(&Sv::Null);
    let real = |f: fn(f64) -> f64| match arg(0).as_f64().map(f) {
        Some(v) if v.is_finite() => Sv::Dbl(v),
        _ => Sv::Null,
    };
    Ok(Some(match name {
        "ABS" => match arg(0).as_num() {
            Some(Sv::Dec(d)) => Sv::Dec(d.abs()),
            Some(Sv::Dbl(f)) => Sv::Dbl(f.abs()),
            _ => Sv::Null,
        },
        "SIGN" => match arg(0).as_dec() {
            Some(d) => Sv::int(if d.is_zero() {
                0
            } else if d.is_negative() {
                -1
            } else {
                1
            }),
            None => Sv::Null,
        },
        "CEIL" | "CEILING" => whole(arg(0), RoundingMode::Ceiling),
        "FLOOR" => whole(arg(0), RoundingMode::Floor),
        "ROUND" => rounded(arg(0), args.get(1), RoundingMode::HalfUp),
        "TRUNCATE" => rounded(arg(0), args.get(1), RoundingMode::Down),
        "MOD" => arithmetic(Op::Mod, arg(0), arg(1))?,
        "GREATEST" | "LEAST" => extreme(args, name == "GREATEST"),
        "NULLIF" => {
            if sv::compare(arg(0), arg(1)) == Some(Ordering::Equal) {
                Sv::Null
            } else {
                arg(0).clone()
            }
        }
        "ISNULL" => Sv::flag(Some(arg(0).is_null())),
        "POW" | "POWER" => match (arg(0).as_f64(), arg(1).as_f64()) {
            (Some(a), Some(b)) if a.powf(b).is_finite() => Sv::Dbl(a.powf(b)),
            _ => Sv::Null,
        },
        "SQRT" => real(f64::sqrt),
        "EXP" => real(f64::exp),
        "LN" => real(f64::ln),
        "LOG10" => real(f64::log10),
        "LOG2" => real(f64::log2),
        "LOG" => match (arg(0).as_f64(), args.get(1).map(Sv::as_f64)) {
            (Some(x), None) if x > 0.0 => Sv::Dbl(x.ln()),
            (Some(b), Some(Some(x))) if x > 0.0 && b > 0.0 && (b - 1.0).abs() > f64::EPSILON => {
                Sv::Dbl(x.ln() / b.ln())
            }
            _ => Sv::Null,
        },
        "SIN" => real(f64::sin),
        "COS" => real(f64::cos),
        "TAN" => real(f64::tan),
        "COT" => real(|x| 1.0 / x.tan()),
        "ASIN" => real(f64::asin),
        "ACOS" => real(f64::acos),
        "ATAN" if args.len() == 1 => real(f64::atan),
        "ATAN" | "ATAN2" => match (arg(0).as_f64(), arg(1).as_f64()) {
            (Some(y), Some(x)) => Sv::Dbl(y.atan2(x)),
            _ => Sv::Null,
        },
        "DEGREES" => real(f64::to_degrees),
        "RADIANS" => real(f64::to_radians),
        "PI" => Sv::Dec(BigDecimal::new(3_141_593.into(), 6)),
        "CONV" => conv(args),
        "BIN" => base(arg(0), 2),
        "OCT" => base(arg(0), 8),
        _ => return Ok(None),
    }))
}

fn whole(v: &Sv, mode: RoundingMode) -> Sv {
    match v.as_num() {
        Some(Sv::Dec(d)) => Sv::Dec(d.with_scale_round(0, mode)),
        Some(Sv::Dbl(f)) if mode == RoundingMode::Ceiling => Sv::Dbl(f.ceil()),
        Some(Sv::Dbl(f)) => Sv::Dbl(f.floor()),
        _ => Sv::Null,
    }
}

fn rounded(v: &Sv, digits: Option<&Sv>, mode: RoundingMode) -> Sv {
    let digits = match digits {
        None => 0,
        Some(d) => match d.as_i64() {
            Some(n) => n.clamp(-65, 38),
            None => return Sv::Null,
        },
    };
    match v.as_num() {
        Some(Sv::Dec(d)) => {
            // More digits than there are change nothing.
            let kept = digits.min(d.fractional_digit_count().max(0));
            let r = d.with_scale_round(kept, mode);
            Sv::Dec(if kept < 0 { r.with_scale(0) } else { r })
        }
        Some(Sv::Dbl(f)) => match BigDecimal::try_from(f) {
            Ok(_) => match sv::double_text(f).parse::<BigDecimal>() {
                Ok(d) => Sv::Dbl(d.with_scale_round(digits, mode).to_f64().unwrap_or(f)),
                Err(_) => Sv::Dbl(f),
            },
            Err(_) => Sv::Null,
        },
        _ => Sv::Null,
    }
}

fn extreme(args: &Args, greatest: bool) -> Sv {
    if args.iter().any(Sv::is_null) {
        return Sv::Null;
    }
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    // Text among numbers: all are compared as numbers.
    let numbers = args.iter().any(|a| !matches!(a, Sv::Str(_)) && !a.is_temporal())
        && args.iter().any(|a| matches!(a, Sv::Str(_)));
    let mut best = args.first().unwrap_or(&Sv::Null);
    for v in args.iter().skip(1) {
        let order = if numbers {
            v.as_num().zip(best.as_num()).map(|(a, b)| sv::cmp_num(&a, &b))
        } else {
            sv::compare(v, best)
        };
        if order == Some(wanted) {
            best = v;
        }
    }
    best.clone()
}

fn digits_in(n: u64, radix: u64) -> String {
    let mut n = n;
    let mut out = Vec::new();
    while n > 0 || out.is_empty() {
        let d = u32::try_from(n % radix).unwrap_or(0);
        out.push(char::from_digit(d, 36).unwrap_or('0').to_ascii_uppercase());
        n /= radix;
    }
    out.iter().rev().collect()
}

fn base(v: &Sv, radix: u64) -> Sv {
    match v.as_i64() {
        Some(n) => Sv::Str(digits_in(n as u64, radix)),
        None => Sv::Null,
    }
}

fn conv(args: &Args) -> Sv {
    let [n, from, to] = args.as_slice() else { return Sv::Null };
    let (Some(text), Some(from), Some(to)) = (n.as_text(), from.as_i64(), to.as_i64()) else {
        return Sv::Null;
    };
    if !(2..=36).contains(&from.abs()) || !(2..=36).contains(&to.abs()) {
        return Sv::Null;
    }
    let radix = u32::try_from(from.abs()).unwrap_or(10);
    let t = text.trim();
    let (neg, body) = match t.strip_prefix('-') {
        Some(b) => (true, b),
        None => (false, t),
    };
    let mut value: u64 = 0;
    for c in body.chars() {
        let Some(d) = c.to_digit(radix) else { break };
        value =
            value.checked_mul(u64::from(radix)).and_then(|v| v.checked_add(u64::from(d))).unwrap_or(u64::MAX);
    }
    let value = if neg { value.wrapping_neg() } else { value };
    let radix = to.unsigned_abs();
    if to < 0 && (value as i64) < 0 {
        return Sv::Str(format!("-{}", digits_in((value as i64).unsigned_abs(), radix)));
    }
    Sv::Str(digits_in(value, radix))
}
