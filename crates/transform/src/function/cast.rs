//! CAST and CONVERT.

use super::decimal::{Dec, Mode};
use super::node::Cast;
use super::sv::{Num, Sv};
use super::{FnEnv, FnError, json, moment, sv};

/// A number beyond the digits of its type: the largest there is.
fn clamp(d: Dec, precision: u32, scale: u32) -> Dec {
    let whole = precision.saturating_sub(scale);
    let limit = Dec::parse(&format!("1{}", "0".repeat(whole as usize))).unwrap_or(Dec::ZERO);
    if d.abs() < limit {
        return d;
    }
    let ulp = Dec::scaled(1, scale);
    let edge = limit.sub(&ulp).show(scale);
    if d.is_negative() { edge.neg() } else { edge }
}

/// Converts a value.
pub(super) fn cast<'a>(v: Sv<'a>, to: Cast, env: &FnEnv) -> Result<Sv<'a>, FnError> {
    if v.is_null() {
        return Ok(Sv::Null);
    }
    Ok(match to {
        Cast::Char(n) => {
            let s = match &v {
                // Bytes that are text become it.
                Sv::Bin(b) => String::from_utf8_lossy(b).into_owned().into(),
                other => other.words(),
            };
            match n.and_then(|n| usize::try_from(n).ok()) {
                Some(n) => Sv::text(s.chars().take(n).collect::<String>()),
                None => Sv::Str(s),
            }
        }
        Cast::Binary(n) => {
            let mut b = v.bytes().into_owned();
            if let Some(n) = n.and_then(|n| usize::try_from(n).ok()) {
                super::eval::bounded(n)?;
                b.resize(n, 0);
            }
            Sv::Bin(b.into())
        }
        Cast::Signed => match &v {
            // Beyond 63 bits the digits are taken as an unsigned number's.
            Sv::Str(s) => {
                let n = sv::long_prefix(s);
                Sv::int(i64::try_from(n).unwrap_or(n as u64 as i64))
            }
            Sv::Num(Num::Dec(d)) if d.to_i64().is_none() => {
                let wrapped = v.as_num().map_or(0, |n| n.to_bits()) as i64;
                Sv::int(if d.is_negative() {
                    i64::MIN
                } else if d.shown() == 0 && d.to_i128().is_some_and(|n| n <= i128::from(u64::MAX)) {
                    wrapped
                } else {
                    i64::MAX
                })
            }
            _ => v.as_i64().map_or(Sv::Null, Sv::int),
        },
        Cast::Unsigned => match &v {
            Sv::Str(s) => Sv::int(sv::long_prefix(s) as u64),
            // Only whole numbers wrap.
            Sv::Num(n) if n.is_negative() && (n.shown() > 0 || !matches!(n, Num::Dec(_))) => Sv::int(0),
            v if v.is_temporal() => v.as_i64().map_or(Sv::Null, |n| Sv::int(n as u64)),
            _ => v.as_num().map_or(Sv::Null, |n| Sv::int(n.to_bits())),
        },
        Cast::Decimal(precision, scale) => match v.as_dec() {
            Some(d) => Sv::dec(clamp(d.round(i64::from(scale), Mode::Half), precision, scale)),
            None => Sv::Null,
        },
        Cast::Double => v.as_f64().map_or(Sv::Null, Sv::double),
        Cast::Float => match v.as_f64() {
            // The shortest text of the narrow number.
            Some(f) => Sv::double(format!("{}", f as f32).parse().unwrap_or(f)),
            None => Sv::Null,
        },
        Cast::Date => match v.as_moment(env) {
            Some((t, _)) => Sv::Date(t.date),
            None => Sv::Null,
        },
        Cast::DateTime(fsp) => match v.as_moment(env) {
            Some((t, own)) => {
                let fsp = if fsp == 6 { own } else { fsp };
                Sv::Moment(t.cut(fsp), fsp)
            }
            None => Sv::Null,
        },
        Cast::Time(fsp) => match v.as_time() {
            Some((us, own)) => {
                let fsp = if fsp == 6 { own } else { fsp };
                Sv::Time(moment::cut(us, fsp), fsp)
            }
            None => Sv::Null,
        },
        Cast::Year => v.as_i64().map_or(Sv::Null, Sv::int),
        Cast::Json => json::normal(&v),
    })
}
