//! Evaluates the tree: operators, CASE, and the dispatch to the functions.

use std::cmp::Ordering;

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive, Zero};

use super::build::{Cast, FUNCTIONS, Node, Op, Seg};
use super::sv::{self, MAX_SCALE};
use super::{FnEnv, FnError, Sv, bind_bare, date, json, number, string};
use crate::{Value, text};

/// Longest text a function may build, in bytes: what MySQL's max_allowed_packet is for.
pub(super) const MAX_TEXT: usize = 4 * 1024 * 1024;

/// One evaluation.
pub(super) struct Ctx<'a> {
    pub env: &'a FnEnv,
    pub bind: &'a mut dyn FnMut(usize) -> Value,
    /// Inside an aggregate over a formula: the lists of its references, and the row that is being evaluated.
    pub rows: Option<(Vec<(usize, Value)>, usize)>,
}

/// Arguments of a function, evaluated.
pub(super) type Args = Vec<Sv>;

/// Most rows over which a formula is evaluated inside an aggregate.
const MAX_ROWS: usize = 100_000;

impl Ctx<'_> {
    /// The value of a reference: its row's inside an aggregate over a formula.
    fn bound(&mut self, n: usize) -> Value {
        match &self.rows {
            Some((lists, row)) => match lists.iter().find(|(r, _)| *r == n) {
                Some((_, Value::Array(list))) => list.get(*row).cloned().unwrap_or(Value::Null),
                Some((_, v)) => v.clone(),
                None => Value::Null,
            },
            None => (self.bind)(n),
        }
    }

    /// The values of an aggregate's argument: a reference's own list, a formula's results row by row.
    fn gathered(&mut self, node: &Node) -> Result<Sv, FnError> {
        if matches!(node, Node::Ref(_)) || self.rows.is_some() {
            return self.eval(node);
        }
        let mut refs = Vec::new();
        node.refs(&mut refs);
        let lists: Vec<(usize, Value)> = refs.into_iter().map(|n| (n, (self.bind)(n))).collect();
        let count = lists.iter().filter_map(|(_, v)| v.as_array()).map(<[Value]>::len).max();
        let Some(count) = count else { return self.eval(node) };
        self.rows = Some((lists, 0));
        let mut out = Vec::with_capacity(count.min(MAX_ROWS));
        for i in 0..count.min(MAX_ROWS) {
            if let Some((_, row)) = &mut self.rows {
                *row = i;
            }
            let v = self.eval(node);
            if v.is_err() {
                self.rows = None;
            }
            out.push(v?);
        }
        self.rows = None;
        Ok(Sv::List(out))
    }

    pub fn eval(&mut self, node: &Node) -> Result<Sv, FnError> {
        Ok(match node {
            Node::Const(v) => v.clone(),
            Node::Ref(n) => bind_bare(&self.bound(*n)),
            Node::Template(segs) => Sv::Str(self.template(segs)),
            Node::Neg(x) => match self.eval(x)?.as_num() {
                None => Sv::Null,
                Some(Sv::Dbl(f)) => Sv::Dbl(-f),
                Some(Sv::Dec(d)) => Sv::Dec(-d),
                Some(other) => other,
            },
            Node::Not(x) => Sv::flag(self.eval(x)?.truth().map(|b| !b)),
            Node::BitNot(x) => match self.eval(x)?.as_i64() {
                Some(n) => Sv::Dec(BigDecimal::from(!(n as u64))),
                None => Sv::Null,
            },
            Node::Binary(op, a, b) => self.binary(*op, a, b)?,
            Node::IsNull(x, negated) => Sv::flag(Some(self.eval(x)?.is_null() != *negated)),
            Node::IsTruth(x, wanted, negated) => {
                let is = self.eval(x)?.truth() == Some(*wanted);
                Sv::flag(Some(is != *negated))
            }
            Node::In(x, items, negated) => self.is_in(x, items, *negated)?,
            Node::Between(x, low, high, negated) => {
                let v = self.eval(x)?;
                let (low, high) = (self.eval(low)?, self.eval(high)?);
                let above = sv::compare(&v, &low).map(Ordering::is_ge);
                let below = sv::compare(&v, &high).map(Ordering::is_le);
                let inside = and(above, below);
                Sv::flag(inside.map(|i| i != *negated))
            }
            Node::Like(x, pattern, escape, negated) => {
                match (self.eval(x)?.as_text(), self.eval(pattern)?.as_text()) {
                    (Some(s), Some(p)) => Sv::flag(Some(string::like(&s, &p, *escape) != *negated)),
                    _ => Sv::Null,
                }
            }
            Node::Regexp(x, pattern, negated) => {
                match (self.eval(x)?.as_text(), self.eval(pattern)?.as_text()) {
                    (Some(s), Some(p)) => Sv::flag(Some(string::regex(&p)?.is_match(&s) != *negated)),
                    _ => Sv::Null,
                }
            }
            Node::Case(operand, whens, otherwise) => {
                self.case(operand.as_deref(), whens, otherwise.as_deref())?
            }
            Node::Shift(x, n, unit, minus) => {
                let (v, n) = (self.eval(x)?, self.eval(n)?);
                date::shift(&v, &n, *unit, *minus, self.env)
            }
            Node::Cast(x, to) => {
                let v = self.eval(x)?;
                cast(v, *to, self.env)
            }
            Node::UnitCall(which, unit, args) => {
                let args = self.all(args)?;
                date::unit_call(*which, *unit, &args, self.env)
            }
            Node::Call(at, args, distinct) => self.call(*at, args, *distinct)?,
        })
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Args, FnError> {
        nodes.iter().map(|n| self.eval(n)).collect()
    }

    fn template(&mut self, segs: &[Seg]) -> String {
        let mut out = String::new();
        for seg in segs {
            match seg {
                Seg::Text(t) => out.push_str(t),
                Seg::Ref(n) => match self.bound(*n) {
                    Value::Null => {}
                    Value::String(s) => out.push_str(&s),
                    Value::Bool(b) => out.push_str(if b { "true" } else { "false" }),
                    Value::Number(d) => out.push_str(&d.text()),
                    other => out.push_str(&other.to_json()),
                },
            }
        }
        out
    }

    fn is_in(&mut self, x: &Node, items: &[Node], negated: bool) -> Result<Sv, FnError> {
        let v = self.eval(x)?;
        let mut unknown = v.is_null();
        for item in items {
            let candidates = match self.eval(item)? {
                Sv::List(list) => list,
                one => vec![one],
            };
            for c in candidates {
                match sv::compare(&v, &c) {
                    Some(Ordering::Equal) => return Ok(Sv::flag(Some(!negated))),
                    Some(_) => {}
                    None => unknown = true,
                }
            }
        }
        Ok(if unknown { Sv::Null } else { Sv::flag(Some(negated)) })
    }

    fn case(
        &mut self,
        operand: Option<&Node>,
        whens: &[(Node, Node)],
        otherwise: Option<&Node>,
    ) -> Result<Sv, FnError> {
        let subject = operand.map(|o| self.eval(o)).transpose()?;
        for (when, then) in whens {
            let w = self.eval(when)?;
            let hit = match &subject {
                Some(s) => sv::compare(s, &w) == Some(Ordering::Equal),
                None => w.truth() == Some(true),
            };
            if hit {
                return self.eval(then);
            }
        }
        otherwise.map_or(Ok(Sv::Null), |e| self.eval(e))
    }

    fn binary(&mut self, op: Op, a: &Node, b: &Node) -> Result<Sv, FnError> {
        match op {
            Op::And => {
                let x = self.eval(a)?.truth();
                if x == Some(false) {
                    return Ok(Sv::flag(Some(false)));
                }
                let y = self.eval(b)?.truth();
                return Ok(Sv::flag(and(x, y)));
            }
            Op::Or => {
                let x = self.eval(a)?.truth();
                if x == Some(true) {
                    return Ok(Sv::flag(Some(true)));
                }
                let y = self.eval(b)?.truth();
                return Ok(Sv::flag(and(x.map(|b| !b), y.map(|b| !b)).map(|b| !b)));
            }
            _ => {}
        }
        let (x, y) = (self.eval(a)?, self.eval(b)?);
        let order = || sv::compare(&x, &y);
        Ok(match op {
            Op::Xor => Sv::flag(x.truth().zip(y.truth()).map(|(p, q)| p != q)),
            Op::Eq => Sv::flag(order().map(Ordering::is_eq)),
            Op::Ne => Sv::flag(order().map(Ordering::is_ne)),
            Op::Lt => Sv::flag(order().map(Ordering::is_lt)),
            Op::Le => Sv::flag(order().map(Ordering::is_le)),
            Op::Gt => Sv::flag(order().map(Ordering::is_gt)),
            Op::Ge => Sv::flag(order().map(Ordering::is_ge)),
            Op::NullEq => Sv::flag(Some(match (x.is_null(), y.is_null()) {
                (true, true) => true,
                (false, false) => order() == Some(Ordering::Equal),
                _ => false,
            })),
            Op::BitAnd | Op::BitOr | Op::BitXor | Op::ShiftLeft | Op::ShiftRight => {
                let (Some(p), Some(q)) = (x.as_i64(), y.as_i64()) else { return Ok(Sv::Null) };
                let (p, q) = (p as u64, q as u64);
                let n = match op {
                    Op::BitAnd => p & q,
                    Op::BitOr => p | q,
                    Op::BitXor => p ^ q,
                    Op::ShiftLeft => u32::try_from(q).ok().and_then(|s| p.checked_shl(s)).unwrap_or(0),
                    _ => u32::try_from(q).ok().and_then(|s| p.checked_shr(s)).unwrap_or(0),
                };
                Sv::Dec(BigDecimal::from(n))
            }
            Op::JsonGet => json::extract(&x, std::slice::from_ref(&y)),
            Op::JsonText => json::unquote(&json::extract(&x, std::slice::from_ref(&y))),
            _ => arithmetic(op, &x, &y)?,
        })
    }

    fn call(&mut self, at: usize, nodes: &[Node], distinct: bool) -> Result<Sv, FnError> {
        let name = FUNCTIONS.get(at).map_or("", |f| f.0);
        // Forms that do not look at all of their arguments.
        match (name, nodes) {
            ("IF", [c, a, b]) => {
                let hit = self.eval(c)?.truth() == Some(true);
                return self.eval(if hit { a } else { b });
            }
            ("IFNULL", [a, b]) => {
                let v = self.eval(a)?;
                return if v.is_null() { self.eval(b) } else { Ok(v) };
            }
            ("COALESCE", list) => {
                for n in list {
                    let v = self.eval(n)?;
                    if !v.is_null() {
                        return Ok(v);
                    }
                }
                return Ok(Sv::Null);
            }
            _ => {}
        }
        if number::is_aggregate(name) {
            let args = nodes.iter().map(|n| self.gathered(n)).collect::<Result<Args, _>>()?;
            return Ok(number::aggregate(name, &args, distinct));
        }
        let args = self.all(nodes)?;
        // A list in a scalar place stands for its first value.
        let args: Args = args
            .into_iter()
            .map(|a| match a {
                Sv::List(items) => items.into_iter().next().unwrap_or(Sv::Null),
                other => other,
            })
            .collect();
        if let Some(v) = string::call(name, &args, self.env)? {
            return Ok(v);
        }
        if let Some(v) = number::call(name, &args)? {
            return Ok(v);
        }
        if let Some(v) = date::call(name, &args, self.env) {
            return Ok(v);
        }
        if let Some(v) = json::call(name, &args) {
            return Ok(v);
        }
        let name = name.to_owned();
        Err(FnError::new("HL-2302", text!("unknown function `{name}`", "未知的函数 `{name}`")))
    }
}

fn and(x: Option<bool>, y: Option<bool>) -> Option<bool> {
    match (x, y) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn division_by_zero() -> FnError {
    FnError::new("HL-2310", text!("division by zero", "除数为零"))
}

/// `+ - * / DIV %` with MySQL's scales; exact unless a side is approximate.
pub(super) fn arithmetic(op: Op, x: &Sv, y: &Sv) -> Result<Sv, FnError> {
    let (Some(a), Some(b)) = (x.as_num(), y.as_num()) else { return Ok(Sv::Null) };
    if let (Sv::Dec(p), Sv::Dec(q)) = (&a, &b) {
        let v = match op {
            Op::Add => p + q,
            Op::Sub => p - q,
            Op::Mul => {
                let v = p * q;
                if v.fractional_digit_count() > MAX_SCALE {
                    v.with_scale_round(MAX_SCALE, RoundingMode::HalfUp)
                } else {
                    v
                }
            }
            Op::Div => {
                if q.is_zero() {
                    return Err(division_by_zero());
                }
                let scale = (p.fractional_digit_count().max(0) + 4).min(MAX_SCALE);
                divide(p, q, scale)
            }
            Op::IntDiv => {
                if q.is_zero() {
                    return Err(division_by_zero());
                }
                divide_down(p, q)
            }
            Op::Mod => {
                if q.is_zero() {
                    return Err(division_by_zero());
                }
                let scale = p.fractional_digit_count().max(q.fractional_digit_count()).max(0);
                (p - q * divide_down(p, q)).with_scale(scale)
            }
            _ => return Ok(Sv::Null),
        };
        return Ok(Sv::Dec(v));
    }
    let (p, q) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
    let v = match op {
        Op::Add => p + q,
        Op::Sub => p - q,
        Op::Mul => p * q,
        Op::Div | Op::IntDiv | Op::Mod if q == 0.0 => return Err(division_by_zero()),
        Op::Div => p / q,
        Op::IntDiv => return Ok(Sv::int((p / q).trunc().to_i64().unwrap_or(0))),
        Op::Mod => p % q,
        _ => return Ok(Sv::Null),
    };
    if !v.is_finite() {
        return Err(FnError::new("HL-2311", text!("the result is out of range", "结果超出范围")));
    }
    Ok(Sv::Dbl(v))
}

/// p / q at a scale, half away from zero, exactly: integers are divided, no precision is lost on the way.
pub(super) fn divide(p: &BigDecimal, q: &BigDecimal, scale: i64) -> BigDecimal {
    let (pn, ps) = p.as_bigint_and_exponent();
    let (qn, qs) = q.as_bigint_and_exponent();
    // One digit more than wanted decides the rounding; what is cut behind it cannot make it a half.
    let shift = scale + 1 - ps + qs;
    let quotient = if shift >= 0 { (pn * ten(shift)) / qn } else { pn / (qn * ten(-shift)) };
    BigDecimal::new(quotient, scale + 1).with_scale_round(scale, RoundingMode::HalfUp)
}

fn divide_down(p: &BigDecimal, q: &BigDecimal) -> BigDecimal {
    let (pn, ps) = p.as_bigint_and_exponent();
    let (qn, qs) = q.as_bigint_and_exponent();
    let quotient = if qs >= ps { (pn * ten(qs - ps)) / qn } else { pn / (qn * ten(ps - qs)) };
    BigDecimal::new(quotient, 0)
}

fn ten(n: i64) -> bigdecimal::num_bigint::BigInt {
    bigdecimal::num_bigint::BigInt::from(10u32).pow(u32::try_from(n.clamp(0, 20_000)).unwrap_or(0))
}

fn cast(v: Sv, to: Cast, env: &FnEnv) -> Sv {
    if v.is_null() {
        return Sv::Null;
    }
    match to {
        Cast::Same => v,
        Cast::Char(n) => {
            let s = v.as_text().unwrap_or_default();
            Sv::Str(match n.and_then(|n| usize::try_from(n).ok()) {
                Some(n) => s.chars().take(n).collect(),
                None => s,
            })
        }
        Cast::Signed => match &v {
            // Text is cut at the point, numbers are rounded.
            Sv::Str(_) => match v.as_dec() {
                Some(d) => Sv::Dec(d.with_scale_round(0, RoundingMode::Down)),
                None => Sv::Null,
            },
            _ => v.as_i64().map_or(Sv::Null, Sv::int),
        },
        Cast::Unsigned => match v.as_dec() {
            Some(d) => {
                let mode = if matches!(v, Sv::Str(_)) { RoundingMode::Down } else { RoundingMode::HalfUp };
                let n = d.with_scale_round(0, mode);
                if n < BigDecimal::zero() {
                    Sv::Dec(BigDecimal::from(n.to_i64().unwrap_or(i64::MIN) as u64))
                } else {
                    Sv::Dec(BigDecimal::from(n.to_u64().unwrap_or(u64::MAX)))
                }
            }
            None => Sv::Null,
        },
        Cast::Decimal(precision, scale) => match v.as_dec() {
            Some(d) => {
                let scale = i64::try_from(scale.min(38)).unwrap_or(0);
                let rounded = d.with_scale_round(scale, RoundingMode::HalfUp);
                // Too many digits: the largest number of the type.
                let whole = i64::try_from(precision.clamp(1, 65)).unwrap_or(65) - scale;
                let limit = BigDecimal::new(ten(whole.max(0)), 0);
                if rounded.abs() >= limit {
                    let edge = limit - BigDecimal::new(1.into(), scale);
                    Sv::Dec(if rounded < BigDecimal::zero() { -edge } else { edge })
                } else {
                    Sv::Dec(rounded)
                }
            }
            None => Sv::Null,
        },
        Cast::Double => v.as_f64().map_or(Sv::Null, Sv::Dbl),
        Cast::Date => match v.as_datetime(env.now_local().date()) {
            Some((t, _)) => Sv::Date(t.date()),
            None => Sv::Null,
        },
        Cast::DateTime(fsp) => match v.as_datetime(env.now_local().date()) {
            Some((t, _)) => Sv::DateTime(date::cut(t, fsp), fsp),
            None => Sv::Null,
        },
        Cast::Time(fsp) => match v.as_time() {
            Some((us, _)) => Sv::Time(if fsp == 0 { us / 1_000_000 * 1_000_000 } else { us }, fsp),
            None => Sv::Null,
        },
        Cast::Json => json::normal(&v),
    }
}
