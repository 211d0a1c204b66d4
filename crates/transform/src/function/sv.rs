//! Values inside `_function`, and MySQL's coercions between them.

use std::borrow::Cow;

use super::FnEnv;
use super::decimal::{Dec, Mode, NOT_FIXED};
use super::moment::{self, Clock, Moment, Ymd};

/// A number.
#[derive(Debug, Clone)]
pub(crate) enum Num {
    /// Exact.
    Dec(Dec),
    /// What MySQL takes for a floating-point number because it was text: exact here all the same, so that money
    /// never becomes a float (rule Fn8).
    Apx(Dec),
    /// Floating point, and the digits behind the point that it shows.
    Dbl(f64, u32),
}

/// A value inside `_function`. It borrows from the expression and from the record.
#[derive(Debug, Clone)]
pub(crate) enum Sv<'a> {
    /// NULL.
    Null,
    /// TRUE or FALSE as written; 1 or 0 for every purpose but comparison with text (rule Fn11).
    Bool(bool),
    /// A number.
    Num(Num),
    /// Text.
    Str(Cow<'a, str>),
    /// JSON text that a function made: inside another JSON function it is a part, not a text.
    Json(String),
    /// Bytes: compared without regard to letters' case.
    Bin(Cow<'a, [u8]>),
    /// DATE.
    Date(Ymd),
    /// DATETIME and the number of its fraction's digits.
    Moment(Moment, u8),
    /// TIME in microseconds, and the number of its fraction's digits.
    Time(i64, u8),
    /// The values of a reference that crosses an array; only aggregates and IN take it apart.
    List(Vec<Sv<'a>>),
}

impl Num {
    pub fn dec(&self) -> Dec {
        match self {
            Num::Dec(d) | Num::Apx(d) => d.clone(),
            Num::Dbl(f, _) => Dec::from_f64(*f).unwrap_or_else(|| Dec::largest(*f < 0.0)),
        }
    }

    pub fn f64(&self) -> f64 {
        match self {
            Num::Dec(d) | Num::Apx(d) => d.to_f64(),
            Num::Dbl(f, _) => *f,
        }
    }

    pub fn shown(&self) -> u32 {
        match self {
            Num::Dec(d) | Num::Apx(d) => d.shown(),
            Num::Dbl(_, s) => *s,
        }
    }

    pub fn is_zero(&self) -> bool {
        match self {
            Num::Dec(d) | Num::Apx(d) => d.is_zero(),
            Num::Dbl(f, _) => *f == 0.0,
        }
    }

    pub fn is_negative(&self) -> bool {
        match self {
            Num::Dec(d) | Num::Apx(d) => d.is_negative(),
            Num::Dbl(f, _) => *f < 0.0,
        }
    }

    /// The nearest integer: exact numbers half away from zero, floating ones half to even; cut to 64 bits.
    pub fn to_i64(&self) -> i64 {
        match self {
            Num::Dec(d) => match d.to_i64() {
                Some(n) => n,
                None if d.is_negative() => i64::MIN,
                None => i64::MAX,
            },
            Num::Apx(d) => d.to_f64().round_ties_even() as i64,
            Num::Dbl(f, _) => f.round_ties_even() as i64,
        }
    }

    /// As [`Num::to_i64`], for the operators on bits: up to 2^64 - 1.
    pub fn to_bits(&self) -> u64 {
        match self {
            Num::Dec(d) => match d.to_i128() {
                Some(n) if n < 0 => i64::try_from(n).unwrap_or(i64::MIN) as u64,
                Some(n) => u64::try_from(n).unwrap_or(u64::MAX),
                None => u64::MAX,
            },
            other => {
                let f = other.f64().round_ties_even();
                if f < 0.0 { f as i64 as u64 } else { f as u64 }
            }
        }
    }

    /// As [`Num::to_bits`], for the operators: every number is rounded half away from zero.
    pub fn operand(&self) -> u64 {
        Num::Dec(self.dec()).to_bits()
    }

    pub fn text(&self) -> String {
        match self {
            Num::Dec(d) | Num::Apx(d) => d.text(),
            Num::Dbl(f, shown) => double_text(*f, *shown),
        }
    }

    pub fn cmp(&self, other: &Num) -> std::cmp::Ordering {
        match (self, other) {
            (Num::Dec(a) | Num::Apx(a), Num::Dec(b) | Num::Apx(b)) => a.cmp(b),
            _ => self.f64().partial_cmp(&other.f64()).unwrap_or(std::cmp::Ordering::Equal),
        }
    }
}

impl<'a> Sv<'a> {
    pub fn int(n: impl Into<i128>) -> Sv<'a> {
        Sv::Num(Num::Dec(Dec::int(n)))
    }

    pub fn dec(d: Dec) -> Sv<'a> {
        Sv::Num(Num::Dec(d))
    }

    pub fn double(f: f64) -> Sv<'a> {
        Sv::Num(Num::Dbl(f, NOT_FIXED))
    }

    pub fn text(s: impl Into<Cow<'a, str>>) -> Sv<'a> {
        Sv::Str(s.into())
    }

    pub fn flag(b: Option<bool>) -> Sv<'a> {
        match b {
            Some(b) => Sv::int(i128::from(b)),
            None => Sv::Null,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Sv::Null)
    }

    pub fn is_temporal(&self) -> bool {
        matches!(self, Sv::Date(_) | Sv::Moment(..) | Sv::Time(..))
    }

    pub fn is_text(&self) -> bool {
        matches!(self, Sv::Str(_) | Sv::Bin(_) | Sv::Json(_))
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Sv::Num(_) | Sv::Bool(_))
    }

    /// A list in the place of one value stands for its first.
    pub fn single(self) -> Sv<'a> {
        match self {
            Sv::List(items) => items.into_iter().next().map_or(Sv::Null, Sv::single),
            other => other,
        }
    }

    /// The text MySQL shows; `None` for NULL.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Sv::Null => return None,
            Sv::Bool(b) => Cow::Borrowed(if *b { "1" } else { "0" }),
            Sv::Num(n) => n.text().into(),
            Sv::Str(s) => Cow::Borrowed(s),
            Sv::Json(s) => Cow::Borrowed(s),
            Sv::Bin(b) => String::from_utf8_lossy(b),
            Sv::Date(d) => {
                let mut out = String::with_capacity(10);
                d.write(&mut out);
                out.into()
            }
            Sv::Moment(t, fsp) => {
                let mut out = String::with_capacity(26);
                t.write(*fsp, &mut out);
                out.into()
            }
            Sv::Time(us, fsp) => {
                let mut out = String::with_capacity(16);
                moment::write_time(*us, *fsp, &mut out);
                out.into()
            }
            Sv::List(items) => {
                let all: Vec<Cow<str>> = items.iter().filter_map(Sv::as_text).collect();
                all.join(",").into()
            }
        })
    }

    /// The text, borrowed from where the value came from if it can be.
    pub fn words(&self) -> Cow<'a, str> {
        match self {
            Sv::Str(s) => s.clone(),
            other => Cow::Owned(other.as_text().unwrap_or_default().into_owned()),
        }
    }

    /// The bytes of the text.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Sv::Bin(b) => Cow::Borrowed(b),
            other => match other.as_text().unwrap_or_default() {
                Cow::Borrowed(s) => Cow::Borrowed(s.as_bytes()),
                Cow::Owned(s) => Cow::Owned(s.into_bytes()),
            },
        }
    }

    /// The number MySQL sees; `None` for NULL. Text gives its numeric prefix, exactly.
    pub fn as_num(&self) -> Option<Num> {
        Some(match self {
            Sv::Null => return None,
            Sv::Bool(b) => Num::Dec(Dec::int(i128::from(*b))),
            Sv::Num(n) => n.clone(),
            Sv::Str(s) => number_prefix(s),
            Sv::Json(s) => super::json::as_number(s),
            Sv::Bin(b) => number_prefix(&String::from_utf8_lossy(b)),
            Sv::Date(d) => Num::Dec(Dec::int(d.as_int())),
            Sv::Moment(t, fsp) => Num::Dec(with_fraction(t.as_int(), t.us % 1_000_000, *fsp)),
            Sv::Time(us, fsp) => {
                let (abs, s) = (us.abs(), us.abs() / 1_000_000);
                let n = (s / 3600) * 10_000 + (s / 60 % 60) * 100 + s % 60;
                let d = with_fraction(n, abs % 1_000_000, *fsp);
                Num::Dec(if *us < 0 { d.neg() } else { d })
            }
            Sv::List(items) => return items.first().and_then(Sv::as_num),
        })
    }

    pub fn as_dec(&self) -> Option<Dec> {
        self.as_num().map(|n| n.dec())
    }

    pub fn as_f64(&self) -> Option<f64> {
        self.as_num().map(|n| n.f64())
    }

    /// The integer MySQL sees: of text the digits at its beginning, of numbers the nearest.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Sv::Str(s) => Some(integer_prefix(s)),
            Sv::Json(s) => Some(integer_prefix(&super::json::plain(s))),
            // A time's fraction is cut off.
            v if v.is_temporal() => v.as_dec().and_then(|d| d.round(0, Mode::Down).to_i64()),
            other => other.as_num().map(|n| n.to_i64()),
        }
    }

    /// Truth: NULL is unknown, otherwise a number that is not zero.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Sv::Bool(b) => Some(*b),
            other => other.as_num().map(|n| !n.is_zero()),
        }
    }

    /// The instant MySQL sees, or `None` when there is none (NULL, or text that is no date).
    pub fn as_moment(&self, env: &FnEnv) -> Option<(Moment, u8)> {
        match self {
            Sv::Moment(t, fsp) => Some((*t, *fsp)),
            Sv::Date(d) => Some((Moment::midnight(*d), 0)),
            Sv::Time(us, fsp) => Some((Moment::midnight(env.today()).plus(*us)?, *fsp)),
            Sv::Str(s) => moment::parse_moment(s),
            Sv::Json(s) => moment::parse_moment(&super::json::plain(s)),
            Sv::Bin(b) => moment::parse_moment(std::str::from_utf8(b).ok()?),
            Sv::Num(n) => {
                let d = n.dec();
                let whole = d.round(0, Mode::Floor);
                let us = d.sub(&whole).mul(&Dec::int(1_000_000)).round(0, Mode::Down).to_i64()?;
                let t = moment::moment_of_number(whole.to_i64()?)?;
                Some((Moment { us: t.us + us, ..t }, if us == 0 { 0 } else { d.shown().min(6) as u8 }))
            }
            Sv::Bool(_) | Sv::Null => None,
            Sv::List(items) => items.first()?.as_moment(env),
        }
    }

    /// The time of day (or duration) MySQL sees, in microseconds; of a full date and time its clock.
    pub fn as_time(&self) -> Option<(i64, u8)> {
        match self.as_clock()? {
            Clock::Time(us, fsp) => Some((us, fsp)),
            Clock::Moment(t, fsp) => Some((t.us, fsp)),
        }
    }

    /// The duration that is added to a time: as long as it is written. Dates are none.
    pub fn as_span(&self) -> Option<(i64, u8)> {
        match self {
            Sv::Date(_) | Sv::Moment(..) => None,
            Sv::Time(us, fsp) => Some((*us, *fsp)),
            Sv::Num(_) => moment::parse_span(&self.as_text()?),
            other => {
                let text = other.as_text()?;
                if moment::separated_date(&text) { None } else { moment::parse_span(&text) }
            }
        }
    }

    /// What the value is as a TIME.
    pub fn as_clock(&self) -> Option<Clock> {
        match self {
            Sv::Time(us, fsp) => Some(Clock::Time(*us, *fsp)),
            Sv::Moment(t, fsp) => Some(Clock::Moment(*t, *fsp)),
            Sv::Date(d) => Some(Clock::Moment(Moment::midnight(*d), 0)),
            Sv::Str(s) => moment::parse_clock(s),
            Sv::Json(s) => moment::parse_clock(&super::json::plain(s)),
            Sv::Bin(b) => moment::parse_clock(std::str::from_utf8(b).ok()?),
            Sv::Num(n) => {
                let d = n.dec();
                let whole = d.round(0, Mode::Down);
                let us = d.sub(&whole).mul(&Dec::int(1_000_000)).round(0, Mode::Down).to_i64()?.abs();
                let fsp = if us == 0 { 0 } else { d.shown().min(6) as u8 };
                match moment::clock_of_number(whole.to_i128().unwrap_or(i128::MAX), us)? {
                    Clock::Time(us, _) => Some(Clock::Time(us, fsp)),
                    Clock::Moment(t, _) => Some(Clock::Moment(t, fsp)),
                }
            }
            Sv::Bool(_) | Sv::Null => None,
            Sv::List(items) => items.first()?.as_clock(),
        }
    }
}

/// A double as MySQL prints it: the shortest text that reads back, without exponent where MySQL has none.
pub(super) fn double_text(f: f64, shown: u32) -> String {
    if shown < NOT_FIXED
        && let Some(d) = Dec::from_f64(f)
    {
        // The shortest digits that read back, then rounded.
        return d.round(i64::from(shown), Mode::Half).text();
    }
    if f == 0.0 {
        return "0".into();
    }
    if (1e-15..1e15).contains(&f.abs()) {
        return format!("{f}");
    }
    format!("{f:e}")
}

fn with_fraction(n: i64, us: i64, fsp: u8) -> Dec {
    if fsp == 0 {
        return Dec::int(n);
    }
    Dec::scaled(i128::from(n) * 1_000_000 + i128::from(us), 6).round(i64::from(fsp), Mode::Down)
}

/// The whole number at the beginning of a text, cut to 64 bits.
pub(super) fn integer_prefix(s: &str) -> i64 {
    let n = long_prefix(s);
    i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX })
}

/// The whole number at the beginning of a text, from -2^63 to 2^64 - 1.
pub(super) fn long_prefix(s: &str) -> i128 {
    let t = s.trim_start();
    let (negative, body) = match t.as_bytes().first() {
        Some(b'-') => (true, t.get(1..).unwrap_or("")),
        Some(b'+') => (false, t.get(1..).unwrap_or("")),
        _ => (false, t),
    };
    let mut n = 0i128;
    for b in body.bytes().take_while(u8::is_ascii_digit) {
        n = (n * 10 + i128::from(b - b'0')).min(i128::from(u64::MAX));
    }
    if negative { (-n).max(i128::from(i64::MIN)) } else { n }
}

/// The number at the beginning of a text; 0 when there is none. An exponent makes it a floating one.
pub(crate) fn number_prefix(s: &str) -> Num {
    let t = s.trim_start();
    let bytes = t.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let mut i = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let start = i;
    while digit(i) {
        i += 1;
    }
    let mut digits = i - start;
    if bytes.get(i) == Some(&b'.') {
        let mut j = i + 1;
        while digit(j) {
            j += 1;
        }
        digits += j - i - 1;
        if digits > 0 {
            i = j;
        }
    }
    if digits == 0 {
        return Num::Apx(Dec::ZERO.show(NOT_FIXED));
    }
    if matches!(bytes.get(i), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-')));
        let mut j = i + 1 + sign;
        let from = j;
        while digit(j) {
            j += 1;
        }
        if j > from
            && let Some(Ok(f)) = t.get(..j).map(str::parse::<f64>)
        {
            return Num::Dbl(if f.is_finite() { f } else { f64::MAX.copysign(f) }, NOT_FIXED);
        }
    }
    // Nobody means a number of thousands of digits; the length bounds the work.
    let text = t.get(..i.min(200)).unwrap_or("0").trim_end_matches('.');
    Num::Apx(Dec::parse(text).unwrap_or(Dec::ZERO).show(NOT_FIXED))
}

/// True when the whole text is one plain number (rule Fn4).
pub(crate) fn looks_numeric(s: &str) -> bool {
    let t = s.strip_prefix(['-', '+']).unwrap_or(s);
    let (mut dots, mut digits) = (0, 0);
    for b in t.bytes() {
        match b {
            b'0'..=b'9' => digits += 1,
            b'.' => dots += 1,
            _ => return false,
        }
    }
    digits > 0 && dots <= 1 && digits < 66
}
