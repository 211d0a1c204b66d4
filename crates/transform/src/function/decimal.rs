//! Exact decimals as MySQL's: a value, and the number of digits behind the point that it shows.
//!
//! MySQL divides in groups of nine digits and cuts; what a quotient shows is rounded from that. Both are kept here,
//! because `(61 / 18) * 34` is 115.2222 there and not 115.2226. Up to 38 digits need no allocation.

use std::cmp::Ordering;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{Signed, ToPrimitive, Zero};

/// Most digits behind the point that are shown.
pub(super) const MAX_SCALE: u32 = 38;

/// `shown` of a number whose digits are not fixed: trailing zeros are left out.
pub(super) const NOT_FIXED: u32 = 31 + 64;

/// Most digits of a number; MySQL's 65 and what a product of two may have.
const MAX_DIGITS: u64 = 200;

/// How digits are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Half away from zero.
    Half,
    /// Towards zero.
    Down,
    /// Towards minus infinity.
    Floor,
    /// Towards plus infinity.
    Ceil,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Int {
    Small(i128),
    Big(Box<BigInt>),
}

/// A decimal number.
#[derive(Debug, Clone)]
pub(crate) struct Dec {
    digits: Int,
    /// Digits behind the point in `digits`.
    scale: u32,
    /// Digits behind the point that are shown.
    shown: u32,
}

const POW: [i128; 39] = {
    let mut p = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        p[i] = p[i - 1] * 10;
        i += 1;
    }
    p
};

fn pow(n: u32) -> Option<i128> {
    POW.get(n as usize).copied()
}

fn big_pow(n: u32) -> BigInt {
    BigInt::from(10u32).pow(n)
}

impl Int {
    fn big(&self) -> BigInt {
        match self {
            Int::Small(n) => BigInt::from(*n),
            Int::Big(b) => (**b).clone(),
        }
    }

    fn of(b: BigInt) -> Int {
        match b.to_i128() {
            Some(n) if n != i128::MIN => Int::Small(n),
            _ => Int::Big(Box::new(b)),
        }
    }

    fn is_negative(&self) -> bool {
        match self {
            Int::Small(n) => *n < 0,
            Int::Big(b) => b.is_negative(),
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self, Int::Small(0))
    }

    /// Times a power of ten.
    fn shifted(&self, by: u32) -> Int {
        if by == 0 {
            return self.clone();
        }
        if let Int::Small(n) = self
            && let Some(m) = pow(by).and_then(|p| n.checked_mul(p))
        {
            return Int::Small(m);
        }
        Int::of(self.big() * big_pow(by))
    }

    /// Divided by a power of ten.
    fn cut(&self, by: u32, mode: Mode) -> Int {
        if by == 0 {
            return self.clone();
        }
        if let (Int::Small(n), Some(p)) = (self, pow(by)) {
            let (q, r) = (n / p, n % p);
            let up = match mode {
                Mode::Half => r.unsigned_abs() * 2 >= p.unsigned_abs(),
                Mode::Down => false,
                Mode::Floor => r < 0,
                Mode::Ceil => r > 0,
            };
            return Int::Small(if up { q + n.signum() } else { q });
        }
        let (n, p) = (self.big(), big_pow(by));
        let (q, r) = (&n / &p, &n % &p);
        let up = match mode {
            Mode::Half => r.abs() * 2 >= p,
            Mode::Down => false,
            Mode::Floor => r.is_negative(),
            Mode::Ceil => r.is_positive(),
        };
        Int::of(if up { q + n.signum() } else { q })
    }
}

impl Dec {
    pub const ZERO: Dec = Dec { digits: Int::Small(0), scale: 0, shown: 0 };

    pub fn int(n: impl Into<i128>) -> Dec {
        let n: i128 = n.into();
        Dec { digits: Int::Small(n), scale: 0, shown: 0 }
    }

    /// `digits` with so many of them behind the point.
    pub fn scaled(digits: i128, scale: u32) -> Dec {
        Dec { digits: Int::Small(digits), scale, shown: scale }
    }

    /// Reads `-12.50` and the like: digits with one point at most.
    pub fn parse(text: &str) -> Option<Dec> {
        let (negative, body) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (mut n, mut scale, mut count, mut point) = (0i128, 0u32, 0u32, false);
        for b in body.bytes() {
            match b {
                b'0'..=b'9' => {
                    count += 1;
                    scale += u32::from(point);
                    if count <= 38 {
                        n = n * 10 + i128::from(b - b'0');
                    }
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        if count == 0 || u64::from(count) > MAX_DIGITS {
            return None;
        }
        let digits = if count <= 38 {
            Int::Small(if negative { -n } else { n })
        } else {
            let plain: String = body.chars().filter(|c| *c != '.').collect();
            let big: BigInt = plain.parse().ok()?;
            Int::of(if negative { -big } else { big })
        };
        Some(Dec { digits, scale, shown: scale }.bounded())
    }

    /// Reads a JSON number, exponent and all.
    pub fn parse_any(text: &str) -> Option<Dec> {
        let Some(at) = text.find(['e', 'E']) else { return Dec::parse(text) };
        let mantissa = Dec::parse(text.get(..at)?)?;
        let exponent: i64 = text.get(at + 1..)?.parse().ok()?;
        if !(-200..=200).contains(&exponent) {
            return None;
        }
        let by = u32::try_from(exponent.unsigned_abs()).ok()?;
        let moved = if exponent < 0 {
            Dec { scale: mantissa.scale + by, ..mantissa }
        } else if by <= mantissa.scale {
            Dec { scale: mantissa.scale - by, ..mantissa }
        } else {
            Dec { digits: mantissa.digits.shifted(by - mantissa.scale), scale: 0, shown: 0 }
        };
        let shown = moved.scale;
        Some(Dec { shown, ..moved }.bounded().trimmed())
    }

    /// From a floating-point number, at its shortest text.
    pub fn from_f64(f: f64) -> Option<Dec> {
        if !f.is_finite() || f.abs() >= 1e65 {
            return None;
        }
        let text = format!("{f}");
        match Dec::parse(&text) {
            Some(d) => Some(d),
            None => Some(Dec::ZERO),
        }
    }

    /// The largest number of 65 digits, or the smallest.
    pub fn largest(negative: bool) -> Dec {
        let edge = Dec { digits: Int::of(big_pow(65) - 1), scale: 0, shown: 0 };
        if negative { edge.neg() } else { edge }
    }

    /// No more digits behind the point than are ever kept.
    fn bounded(self) -> Dec {
        let most = MAX_SCALE + 43;
        if self.scale <= most {
            return self;
        }
        let digits = self.digits.cut(self.scale - most, Mode::Down);
        Dec { digits, scale: most, shown: self.shown.min(MAX_SCALE) }
    }

    /// So many digits behind the point are shown.
    pub fn show(self, shown: u32) -> Dec {
        Dec { shown, ..self }
    }

    /// Digits behind the point that are shown.
    pub fn shown(&self) -> u32 {
        self.shown
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_zero()
    }

    pub fn is_negative(&self) -> bool {
        self.digits.is_negative()
    }

    pub fn neg(&self) -> Dec {
        let digits = match &self.digits {
            Int::Small(n) => Int::Small(-n),
            Int::Big(b) => Int::of(-(**b).clone()),
        };
        Dec { digits, ..*self }
    }

    pub fn abs(&self) -> Dec {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// True when the digits before the point are more than a number may have.
    pub fn too_long(&self) -> bool {
        match &self.digits {
            Int::Small(_) => false,
            Int::Big(b) => b.bits() > MAX_DIGITS * 10 / 3,
        }
    }

    fn both(
        &self,
        other: &Dec,
        small: fn(i128, i128) -> Option<i128>,
        big: fn(BigInt, BigInt) -> BigInt,
    ) -> Int {
        let scale = self.scale.max(other.scale);
        let a = self.digits.shifted(scale - self.scale);
        let b = other.digits.shifted(scale - other.scale);
        if let (Int::Small(x), Int::Small(y)) = (&a, &b)
            && let Some(n) = small(*x, *y)
        {
            return Int::Small(n);
        }
        Int::of(big(a.big(), b.big()))
    }

    pub fn add(&self, other: &Dec) -> Dec {
        let digits = self.both(other, i128::checked_add, |a, b| a + b);
        Dec { digits, scale: self.scale.max(other.scale), shown: self.shown.max(other.shown) }
    }

    pub fn sub(&self, other: &Dec) -> Dec {
        self.add(&other.neg())
    }

    pub fn mul(&self, other: &Dec) -> Dec {
        let digits = match (&self.digits, &other.digits) {
            (Int::Small(a), Int::Small(b)) => match a.checked_mul(*b) {
                Some(n) => Int::Small(n),
                None => Int::of(BigInt::from(*a) * BigInt::from(*b)),
            },
            (a, b) => Int::of(a.big() * b.big()),
        };
        let shown = (self.shown + other.shown).min(MAX_SCALE);
        let shown = if self.shown.max(other.shown) >= NOT_FIXED { NOT_FIXED } else { shown };
        Dec { digits, scale: self.scale + other.scale, shown }.bounded()
    }

    /// The quotient as MySQL computes it; `None` for a divisor of zero.
    pub fn div(&self, other: &Dec) -> Option<Dec> {
        if other.is_zero() {
            return None;
        }
        let nines = |n: u32| n.div_ceil(9) * 9;
        // Zeros at the end count: ROUND(2.5, 9) has nine digits. Those that a choice only shows do not.
        let (x, y) = (self.scale, other.scale);
        let (a, b) = (nines(x), nines(y));
        let more = 4u32.saturating_sub(a - x + b - y);
        let scale = nines(a + b + more).min(81);
        let shown = (self.shown + 4).min(MAX_SCALE);
        // digits(self) · 10^(scale - self.scale + other.scale) / digits(other)
        let by = scale + other.scale;
        let (n, cut) = if by >= self.scale {
            (self.digits.shifted(by - self.scale), 0)
        } else {
            (self.digits.clone(), self.scale - by)
        };
        let digits = match (&n, &other.digits) {
            (Int::Small(x), Int::Small(y)) => Int::Small(x / y),
            (x, y) => Int::of(x.big() / y.big()),
        };
        Some(Dec { digits: digits.cut(cut, Mode::Down), scale, shown })
    }

    /// Whole quotient, towards zero.
    pub fn int_div(&self, other: &Dec) -> Option<Dec> {
        if other.is_zero() {
            return None;
        }
        let scale = self.scale.max(other.scale);
        let a = self.digits.shifted(scale - self.scale);
        let b = other.digits.shifted(scale - other.scale);
        let digits = match (&a, &b) {
            (Int::Small(x), Int::Small(y)) => Int::Small(x / y),
            (x, y) => Int::of(x.big() / y.big()),
        };
        Some(Dec { digits, scale: 0, shown: 0 })
    }

    /// Remainder, with the sign of the dividend.
    pub fn rem(&self, other: &Dec) -> Option<Dec> {
        if other.is_zero() {
            return None;
        }
        let scale = self.scale.max(other.scale);
        let a = self.digits.shifted(scale - self.scale);
        let b = other.digits.shifted(scale - other.scale);
        let digits = match (&a, &b) {
            (Int::Small(x), Int::Small(y)) => Int::Small(x % y),
            (x, y) => Int::of(x.big() % y.big()),
        };
        Some(Dec { digits, scale, shown: self.shown.max(other.shown) })
    }

    /// Rounded to so many digits behind the point (before it, where negative), which are shown.
    pub fn round(&self, places: i64, mode: Mode) -> Dec {
        if places >= 0 {
            let places = u32::try_from(places).unwrap_or(MAX_SCALE).min(MAX_SCALE);
            if places >= self.scale {
                let digits = self.digits.shifted(places - self.scale);
                return Dec { digits, scale: places, shown: places };
            }
            return Dec { digits: self.digits.cut(self.scale - places, mode), scale: places, shown: places };
        }
        let before = u32::try_from(places.unsigned_abs()).unwrap_or(u32::MAX);
        if before > 100 {
            return Dec::ZERO;
        }
        let digits = self.digits.cut(self.scale + before, mode).shifted(before);
        Dec { digits, scale: 0, shown: 0 }
    }

    /// The integer nearest to it, half away from zero; `None` beyond 64 bits.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_i128().and_then(|n| i64::try_from(n).ok())
    }

    /// The integer nearest to it, half away from zero; `None` beyond 128 bits.
    pub fn to_i128(&self) -> Option<i128> {
        match &self.digits {
            Int::Small(n) if self.scale == 0 => Some(*n),
            d => match d.cut(self.scale, Mode::Half) {
                Int::Small(n) => Some(n),
                Int::Big(_) => None,
            },
        }
    }

    pub fn to_f64(&self) -> f64 {
        match (&self.digits, self.scale) {
            (Int::Small(n), 0) => *n as f64,
            (Int::Small(n), s) if n.unsigned_abs() < (1 << 53) && s <= 22 => {
                *n as f64 / 10f64.powi(i32::try_from(s).unwrap_or(0))
            }
            _ => self.digits_text(self.scale).parse().unwrap_or(0.0),
        }
    }

    fn digits_text(&self, shown: u32) -> String {
        let r;
        let it = if shown < self.scale {
            r = self.round(i64::from(shown), Mode::Half);
            &r
        } else {
            self
        };
        let mut digits = match &it.digits {
            Int::Small(n) => match u64::try_from(n.unsigned_abs()) {
                Ok(short) => short.to_string(),
                Err(_) => n.unsigned_abs().to_string(),
            },
            Int::Big(b) => b.magnitude().to_string(),
        };
        for _ in it.scale..shown {
            digits.push('0');
        }
        let shown = shown as usize;
        if shown > 0 {
            if digits.len() <= shown {
                digits.insert_str(0, &"0".repeat(shown + 1 - digits.len()));
            }
            digits.insert(digits.len() - shown, '.');
        }
        if it.is_negative() {
            digits.insert(0, '-');
        }
        digits
    }

    /// The text MySQL shows.
    pub fn text(&self) -> String {
        if self.shown >= NOT_FIXED {
            let t = self.clone().trimmed();
            return t.digits_text(t.scale);
        }
        self.digits_text(self.shown)
    }

    /// Without zeros at the end behind the point.
    pub fn trimmed(self) -> Dec {
        let Dec { mut digits, mut scale, shown } = self;
        if let Int::Big(b) = &digits {
            let ten = BigInt::from(10u32);
            let mut b = (**b).clone();
            while scale > 0 && (&b % &ten).is_zero() {
                b /= &ten;
                scale -= 1;
            }
            digits = Int::of(b);
        } else if let Int::Small(n) = &mut digits {
            // Division of 64 bits is many times as fast.
            if let Ok(mut short) = i64::try_from(*n) {
                while scale > 0 && short % 10 == 0 {
                    short /= 10;
                    scale -= 1;
                }
                *n = i128::from(short);
            }
            while scale > 0 && *n % 10 == 0 {
                *n /= 10;
                scale -= 1;
            }
        }
        Dec { digits, scale, shown: if shown >= NOT_FIXED { shown } else { scale.min(shown) } }
    }

    /// As a result shows it (rule Fn6): what is shown, without zeros at the end.
    pub fn result(&self) -> Dec {
        let r = if self.shown < self.scale && self.shown < NOT_FIXED {
            self.round(i64::from(self.shown), Mode::Half)
        } else {
            self.clone()
        };
        let r = r.trimmed();
        let scale = r.scale;
        r.show(scale)
    }

    /// The integer itself, where it is one that is shown without a point.
    pub fn as_int(&self) -> Option<i64> {
        match (&self.digits, self.scale) {
            (Int::Small(n), 0) => i64::try_from(*n).ok(),
            _ => None,
        }
    }
}

impl PartialEq for Dec {
    fn eq(&self, other: &Dec) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Dec {}

impl PartialOrd for Dec {
    fn partial_cmp(&self, other: &Dec) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dec {
    fn cmp(&self, other: &Dec) -> Ordering {
        if let (Int::Small(a), Int::Small(b)) = (&self.digits, &other.digits)
            && self.scale == other.scale
        {
            return a.cmp(b);
        }
        let scale = self.scale.max(other.scale);
        let a = self.digits.shifted(scale - self.scale);
        let b = other.digits.shifted(scale - other.scale);
        match (&a, &b) {
            (Int::Small(x), Int::Small(y)) => x.cmp(y),
            (x, y) => x.big().cmp(&y.big()),
        }
    }
}
