//! Arithmetic with MySQL's digits, and the operators on bits.

use super::FnError;
use super::decimal::{Dec, NOT_FIXED};
use super::node::Op;
use super::sv::{Num, Sv};
use crate::text;

fn division_by_zero() -> FnError {
    FnError::new("HL-2310", text!("division by zero", "除数为零"))
}

/// The error of numbers that are too large.
pub(super) fn out_of_range() -> FnError {
    FnError::new("HL-2311", text!("the result is out of range", "结果超出范围"))
}

/// `+ - * / DIV %` and the operators on bits; exact unless a side is a floating number.
pub(super) fn arithmetic<'a>(op: Op, x: &Sv, y: &Sv) -> Result<Sv<'a>, FnError> {
    let (Some(a), Some(b)) = (x.as_num(), y.as_num()) else { return Ok(Sv::Null) };
    if let Op::BitAnd | Op::BitOr | Op::BitXor | Op::ShiftLeft | Op::ShiftRight = op {
        return Ok(Sv::int(bits(op, &a, &b)));
    }
    if matches!(op, Op::Div | Op::IntDiv | Op::Mod) && b.is_zero() {
        return Err(division_by_zero());
    }
    if op == Op::IntDiv {
        let q = a.dec().int_div(&b.dec()).ok_or_else(division_by_zero)?;
        return Ok(Sv::dec(q));
    }
    if let (Num::Dec(p), Num::Dec(q)) = (&a, &b) {
        let v = exact(op, p, q)?;
        return if v.too_long() { Err(out_of_range()) } else { Ok(Sv::dec(v)) };
    }
    let shown = a.shown().max(b.shown());
    if let (Num::Dec(p) | Num::Apx(p), Num::Dec(q) | Num::Apx(q)) = (&a, &b)
        && op != Op::Div
    {
        let v = exact(op, p, q)?;
        return if v.too_long() { Err(out_of_range()) } else { Ok(Sv::Num(Num::Apx(v.show(shown)))) };
    }
    let (p, q) = (a.f64(), b.f64());
    let (v, shown) = match op {
        Op::Add => (p + q, shown),
        Op::Sub => (p - q, shown),
        Op::Mul => (p * q, shown),
        Op::Div => (p / q, if shown >= NOT_FIXED { shown } else { shown + 4 }),
        Op::Mod => (p % q, shown),
        _ => return Ok(Sv::Null),
    };
    if v.is_finite() { Ok(Sv::Num(Num::Dbl(v, shown))) } else { Err(out_of_range()) }
}

fn exact(op: Op, p: &Dec, q: &Dec) -> Result<Dec, FnError> {
    match op {
        Op::Add => Ok(p.add(q)),
        Op::Sub => Ok(p.sub(q)),
        Op::Mul => Ok(p.mul(q)),
        Op::Div => p.div(q).ok_or_else(division_by_zero),
        _ => p.rem(q).ok_or_else(division_by_zero),
    }
}

fn bits(op: Op, a: &Num, b: &Num) -> u64 {
    let (p, q) = (a.operand(), b.operand());
    match op {
        Op::BitAnd => p & q,
        Op::BitOr => p | q,
        Op::BitXor => p ^ q,
        Op::ShiftLeft => u32::try_from(q).ok().and_then(|s| p.checked_shl(s)).unwrap_or(0),
        _ => u32::try_from(q).ok().and_then(|s| p.checked_shr(s)).unwrap_or(0),
    }
}
