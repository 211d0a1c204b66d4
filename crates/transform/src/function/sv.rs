//! Values inside `_function`, and MySQL's coercions between them.

use std::cmp::Ordering;

use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// A value inside `_function`. Money never becomes a float: text that looks like a number is a decimal here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sv {
    /// NULL.
    Null,
    /// TRUE or FALSE as written; 1 or 0 for every purpose but comparison with text (rule Fn11).
    Bool(bool),
    /// An exact number; its scale is kept, because CONCAT shows it.
    Dec(BigDecimal),
    /// An approximate number.
    Dbl(f64),
    /// Text.
    Str(String),
    /// DATE.
    Date(NaiveDate),
    /// DATETIME and the number of its fraction's digits.
    DateTime(NaiveDateTime, u8),
    /// TIME in microseconds, and the number of its fraction's digits.
    Time(i64, u8),
    /// The values of a reference that crosses an array; only aggregates take it apart.
    List(Vec<Sv>),
}

/// Most digits behind the point that MySQL keeps.
pub(crate) const MAX_SCALE: i64 = 38;

impl Sv {
    pub fn int(n: i64) -> Sv {
        Sv::Dec(BigDecimal::from(n))
    }

    pub fn text(s: impl Into<String>) -> Sv {
        Sv::Str(s.into())
    }

    pub fn flag(b: Option<bool>) -> Sv {
        match b {
            Some(b) => Sv::int(i64::from(b)),
            None => Sv::Null,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Sv::Null)
    }

    pub fn is_temporal(&self) -> bool {
        matches!(self, Sv::Date(_) | Sv::DateTime(..) | Sv::Time(..))
    }

    /// The text MySQL shows; `None` for NULL.
    pub fn as_text(&self) -> Option<String> {
        Some(match self {
            Sv::Null => return None,
            Sv::Bool(b) => i64::from(*b).to_string(),
            Sv::Dec(d) => d.to_plain_string(),
            Sv::Dbl(f) => double_text(*f),
            Sv::Str(s) => s.clone(),
            Sv::Date(d) => d.format("%Y-%m-%d").to_string(),
            Sv::DateTime(t, fsp) => {
                format!("{}{}", t.format("%Y-%m-%d %H:%M:%S"), fraction(t.nanosecond() / 1000, *fsp))
            }
            Sv::Time(us, fsp) => time_text(*us, *fsp),
            Sv::List(items) => items.iter().filter_map(Sv::as_text).collect::<Vec<_>>().join(","),
        })
    }

    /// The number MySQL sees; `None` for NULL. Text gives its numeric prefix, exactly.
    pub fn as_num(&self) -> Option<Sv> {
        Some(match self {
            Sv::Null => return None,
            Sv::Bool(b) => Sv::int(i64::from(*b)),
            Sv::Dec(_) | Sv::Dbl(_) => self.clone(),
            Sv::Str(s) => number_prefix(s),
            Sv::Date(d) => Sv::int(date_number(*d)),
            Sv::DateTime(t, fsp) => with_fraction(
                date_number(t.date()) * 1_000_000 + time_number(t.time()),
                t.nanosecond() / 1000,
                *fsp,
            ),
            Sv::Time(us, fsp) => {
                let (neg, abs) = (*us < 0, us.unsigned_abs());
                let secs = (abs / 1_000_000) as i64;
                let n = (secs / 3600) * 10_000 + (secs / 60 % 60) * 100 + secs % 60;
                let v = with_fraction(n, (abs % 1_000_000) as u32, *fsp);
                match (neg, v) {
                    (true, Sv::Dec(d)) => Sv::Dec(-d),
                    (_, v) => v,
                }
            }
            Sv::List(items) => return items.first().and_then(Sv::as_num),
        })
    }

    /// The exact number; approximate ones are taken at their shortest text.
    pub fn as_dec(&self) -> Option<BigDecimal> {
        match self.as_num()? {
            Sv::Dec(d) => Some(d),
            Sv::Dbl(f) => double_text(f).parse().ok().or_else(|| BigDecimal::try_from(f).ok()),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self.as_num()? {
            Sv::Dec(d) => d.to_f64(),
            Sv::Dbl(f) => Some(f),
            _ => None,
        }
    }

    /// The integer nearest to the number, half away from zero, cut to 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        let d = self.as_dec()?.with_scale_round(0, RoundingMode::HalfUp);
        Some(d.to_i64().unwrap_or(if d.is_negative() { i64::MIN } else { i64::MAX }))
    }

    /// Truth: NULL is unknown, otherwise a number that is not zero.
    pub fn truth(&self) -> Option<bool> {
        match self.as_num()? {
            Sv::Dec(d) => Some(!d.is_zero()),
            Sv::Dbl(f) => Some(f != 0.0),
            _ => None,
        }
    }

    /// The instant MySQL sees, or `None` when there is none (NULL, or text that is no date).
    pub fn as_datetime(&self, today: NaiveDate) -> Option<(NaiveDateTime, u8)> {
        match self {
            Sv::DateTime(t, fsp) => Some((*t, *fsp)),
            Sv::Date(d) => Some((d.and_time(NaiveTime::MIN), 0)),
            Sv::Time(us, fsp) => {
                let t =
                    today.and_time(NaiveTime::MIN).checked_add_signed(chrono::Duration::microseconds(*us))?;
                Some((t, *fsp))
            }
            Sv::Str(s) => parse_datetime(s),
            Sv::Dec(d) => parse_datetime_number(d),
            Sv::Dbl(f) => parse_datetime_number(&BigDecimal::try_from(*f).ok()?),
            Sv::Bool(_) | Sv::Null => None,
            Sv::List(items) => items.first()?.as_datetime(today),
        }
    }

    /// The time of day (or duration) MySQL sees, in microseconds.
    pub fn as_time(&self) -> Option<(i64, u8)> {
        match self {
            Sv::Time(us, fsp) => Some((*us, *fsp)),
            Sv::DateTime(t, fsp) => {
                let us =
                    i64::from(t.num_seconds_from_midnight()) * 1_000_000 + i64::from(t.nanosecond() / 1000);
                Some((us, *fsp))
            }
            Sv::Date(_) => Some((0, 0)),
            Sv::Str(s) => parse_time(s),
            Sv::Dec(_) | Sv::Dbl(_) => {
                let d = self.as_dec()?;
                let n = d.with_scale_round(0, RoundingMode::Down).to_i64()?;
                let abs = n.abs();
                let (h, m, s) = (abs / 10_000, abs / 100 % 100, abs % 100);
                if m > 59 || s > 59 {
                    return None;
                }
                Some(((h * 3600 + m * 60 + s) * 1_000_000 * n.signum(), 0))
            }
            _ => None,
        }
    }
}

/// MySQL's comparison; `None` when either side is NULL.
pub(crate) fn compare(a: &Sv, b: &Sv) -> Option<Ordering> {
    use Sv::{Bool, List, Null, Str};
    match (a, b) {
        (Null, _) | (_, Null) => None,
        (List(items), other) | (other, List(items)) if !matches!(other, List(_)) => {
            let first = items.first().unwrap_or(&Null);
            if matches!(a, List(_)) { compare(first, other) } else { compare(other, first) }
        }
        (Str(x), Str(y)) => Some(collate(x, y)),
        // Rule Fn11: the words of booleans count as their numbers.
        (Bool(x), Str(y)) => Some(cmp_num(&Sv::int(i64::from(*x)), &bool_word(y))),
        (Str(x), Bool(y)) => Some(cmp_num(&bool_word(x), &Sv::int(i64::from(*y)))),
        (x, Str(y)) if x.is_temporal() => Some(cmp_temporal(x, y)),
        (Str(x), y) if y.is_temporal() => Some(cmp_temporal(y, x).reverse()),
        (x, y) if x.is_temporal() && y.is_temporal() => {
            let zero = NaiveDate::MIN;
            match (x, y) {
                (Sv::Time(p, _), Sv::Time(q, _)) => Some(p.cmp(q)),
                _ => Some(x.as_datetime(zero)?.0.cmp(&y.as_datetime(zero)?.0)),
            }
        }
        _ => Some(cmp_num(&a.as_num()?, &b.as_num()?)),
    }
}

fn bool_word(s: &str) -> Sv {
    match s.trim().to_ascii_lowercase().as_str() {
        "true" => Sv::int(1),
        "false" => Sv::int(0),
        _ => number_prefix(s),
    }
}

fn cmp_temporal(x: &Sv, y: &str) -> Ordering {
    let parsed = match x {
        Sv::Time(..) => parse_time(y).map(|(us, f)| Sv::Time(us, f)),
        _ => parse_datetime(y).map(|(t, f)| Sv::DateTime(t, f)),
    };
    match parsed {
        Some(v) => compare(x, &v).unwrap_or(Ordering::Equal),
        None => collate(&x.as_text().unwrap_or_default(), y),
    }
}

/// Compares two numbers.
pub(crate) fn cmp_num(a: &Sv, b: &Sv) -> Ordering {
    match (a, b) {
        (Sv::Dec(x), Sv::Dec(y)) => x.cmp(y),
        _ => {
            let (x, y) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            x.partial_cmp(&y).unwrap_or(Ordering::Equal)
        }
    }
}

/// Text order as utf8mb4_general_ci has it: case and trailing blanks do not count. Accents do (a decided difference).
pub(crate) fn collate(a: &str, b: &str) -> Ordering {
    let fold = |c: char| {
        let mut up = c.to_uppercase();
        match (up.next(), up.next()) {
            (Some(u), None) => u,
            _ => c,
        }
    };
    a.trim_end_matches(' ').chars().map(fold).cmp(b.trim_end_matches(' ').chars().map(fold))
}

/// A double as MySQL prints it: the shortest text that reads back, without exponent where MySQL has none.
pub(crate) fn double_text(f: f64) -> String {
    if f == 0.0 {
        return "0".into();
    }
    if (1e-15..1e15).contains(&f.abs()) {
        return format!("{f}");
    }
    format!("{f:e}")
}

fn fraction(micros: u32, fsp: u8) -> String {
    if fsp == 0 {
        return String::new();
    }
    let digits = format!("{micros:06}");
    format!(".{}", digits.get(..usize::from(fsp.min(6))).unwrap_or(""))
}

pub(crate) fn time_text(us: i64, fsp: u8) -> String {
    let abs = us.unsigned_abs();
    let secs = abs / 1_000_000;
    let sign = if us < 0 { "-" } else { "" };
    format!(
        "{sign}{:02}:{:02}:{:02}{}",
        secs / 3600,
        secs / 60 % 60,
        secs % 60,
        fraction((abs % 1_000_000) as u32, fsp)
    )
}

fn date_number(d: NaiveDate) -> i64 {
    i64::from(d.year()) * 10_000 + i64::from(d.month()) * 100 + i64::from(d.day())
}

fn time_number(t: NaiveTime) -> i64 {
    i64::from(t.hour()) * 10_000 + i64::from(t.minute()) * 100 + i64::from(t.second())
}

fn with_fraction(n: i64, micros: u32, fsp: u8) -> Sv {
    if fsp == 0 {
        return Sv::int(n);
    }
    let d = BigDecimal::from(n) + BigDecimal::new(micros.into(), 6);
    Sv::Dec(d.with_scale_round(i64::from(fsp), RoundingMode::Down))
}

/// The number at the beginning of a text; 0 when there is none. An exponent makes it approximate.
pub(crate) fn number_prefix(s: &str) -> Sv {
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
        return Sv::int(0);
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
            return Sv::Dbl(f);
        }
    }
    // Nobody means a number of thousands of digits; the length bounds the work.
    match t.get(..i.min(200)).unwrap_or("0").trim_end_matches('.').parse::<BigDecimal>() {
        Ok(d) => Sv::Dec(d),
        Err(_) => Sv::int(0),
    }
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

/// Reads the date and time forms that MySQL reads from text.
pub(crate) fn parse_datetime(s: &str) -> Option<(NaiveDateTime, u8)> {
    let s = s.trim();
    if s.is_empty() || !s.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let run = s.bytes().take_while(u8::is_ascii_digit).count();
    // Digits without separators.
    if run >= 5 {
        return parse_compact(s, run);
    }
    let mut parts: Vec<(u32, usize)> = Vec::with_capacity(7);
    let mut micros = 0u32;
    let mut fsp = 0u8;
    let mut rest = s;
    let mut last_sep = '-';
    while !rest.is_empty() && parts.len() < 7 {
        let n = rest.bytes().take_while(u8::is_ascii_digit).count();
        if n == 0 {
            break;
        }
        let number = rest.get(..n)?;
        if parts.len() == 6 {
            if last_sep != '.' {
                break;
            }
            let padded = format!("{number:0<6}");
            micros = padded.get(..6)?.parse().ok()?;
            fsp = n.min(6) as u8;
            break;
        }
        parts.push((number.parse().ok()?, n));
        rest = rest.get(n..)?;
        let Some(sep) = rest.chars().next() else { break };
        let separates = match parts.len() {
            1 | 2 => sep.is_ascii_punctuation(),
            3 => sep == ' ' || sep == 'T',
            _ => sep.is_ascii_punctuation(),
        };
        if !separates {
            break;
        }
        last_sep = sep;
        rest = rest.get(sep.len_utf8()..)?.trim_start_matches(' ');
    }
    if parts.len() < 3 {
        return None;
    }
    let get = |i: usize| parts.get(i).map_or(0, |p| p.0);
    let year = century(get(0), parts.first().map_or(4, |p| p.1));
    build(year, get(1), get(2), get(3), get(4), get(5), micros).map(|t| (t, fsp))
}

fn parse_compact(s: &str, run: usize) -> Option<(NaiveDateTime, u8)> {
    let digits = s.get(..run)?;
    let num = |a: usize, b: usize| digits.get(a..b).and_then(|d| d.parse::<u32>().ok());
    let (y, rest) = match run {
        8 | 14 => (num(0, 4)?, 4),
        6 | 12 => (century(num(0, 2)?, 2), 2),
        5 | 7 => (century(num(0, 2)?, 2), 2),
        _ if run > 14 => (num(0, 4)?, 4),
        _ => return None,
    };
    let at = |i: usize| num(rest + i * 2, (rest + i * 2 + 2).min(run)).unwrap_or(0);
    let mut micros = 0;
    let mut fsp = 0u8;
    if run == 14
        && let Some(frac) = s.get(run..).and_then(|r| r.strip_prefix('.'))
    {
        let n = frac.bytes().take_while(u8::is_ascii_digit).count();
        let padded = format!("{:0<6}", frac.get(..n)?);
        micros = padded.get(..6)?.parse().ok()?;
        fsp = n.min(6) as u8;
    }
    build(y, at(0), at(1), at(2), at(3), at(4), micros).map(|t| (t, fsp))
}

fn century(y: u32, digits: usize) -> u32 {
    match (digits, y) {
        (1 | 2, 70..=99) => 1900 + y,
        (1 | 2, _) => 2000 + y,
        _ => y,
    }
}

fn build(y: u32, mo: u32, d: u32, h: u32, mi: u32, s: u32, us: u32) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(i32::try_from(y).ok()?, mo, d)?.and_hms_micro_opt(h, mi, s, us)
}

fn parse_datetime_number(d: &BigDecimal) -> Option<(NaiveDateTime, u8)> {
    let n = d.with_scale_round(0, RoundingMode::Down).to_i64()?;
    let (date, time) = if n > 99_999_999 { (n / 1_000_000, n % 1_000_000) } else { (n, 0) };
    let y = date / 10_000;
    let digits = if y < 100 { 2 } else { 4 };
    let y = century(u32::try_from(y).ok()?, digits);
    let part = |v: i64| u32::try_from(v).ok();
    build(
        y,
        part(date / 100 % 100)?,
        part(date % 100)?,
        part(time / 10_000)?,
        part(time / 100 % 100)?,
        part(time % 100)?,
        0,
    )
    .map(|t| (t, 0))
}

/// Reads a TIME text such as `-12:34:56.5`, `12:34`, or the time of a date and time.
pub(crate) fn parse_time(s: &str) -> Option<(i64, u8)> {
    let t = s.trim();
    if t.len() > 10 && parse_datetime(t).is_some() {
        return parse_datetime(t).and_then(|(d, f)| Sv::DateTime(d, f).as_time());
    }
    let (sign, body) = match t.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, t),
    };
    let (whole, frac) = body.split_once('.').unwrap_or((body, ""));
    let parts: Vec<&str> = whole.split(':').collect();
    let secs = match parts.as_slice() {
        [h, m] => h.parse::<i64>().ok()? * 3600 + minute(m)? * 60,
        [h, m, s] => h.parse::<i64>().ok()? * 3600 + minute(m)? * 60 + minute(s)?,
        [n] => {
            let n: i64 = n.parse().ok()?;
            minute(&(n / 100 % 100).to_string())?;
            minute(&(n % 100).to_string())?;
            (n / 10_000) * 3600 + (n / 100 % 100) * 60 + n % 100
        }
        _ => return None,
    };
    let n = frac.bytes().take_while(u8::is_ascii_digit).count().min(6);
    let micros: i64 = format!("{:0<6}", frac.get(..n)?).parse().ok()?;
    Some((sign * (secs.min(838 * 3600 + 3599) * 1_000_000 + micros), n as u8))
}

fn minute(s: &str) -> Option<i64> {
    s.parse::<i64>().ok().filter(|n| (0..60).contains(n))
}
