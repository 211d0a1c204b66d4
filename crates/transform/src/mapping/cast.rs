//! Types of items (dialect §3.6).

use bigdecimal::{RoundingMode, ToPrimitive};

use super::RenderError;
use crate::items::{Item, Type};
use crate::{Number, Text, Value, text, times};

/// Boolean words (dialect §3.6).
pub(crate) fn to_bool(v: &Value) -> Option<bool> {
    match v {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => match n.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        Value::String(s) => match s.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "是" => Some(true),
            "false" | "0" | "" | "no" | "否" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The value as its item's type has it (dialect §3.6).
pub(crate) fn cast(item: &Item, v: Value, tz: chrono_tz::Tz) -> Result<Option<Value>, RenderError> {
    let wrong = |kind: Text| RenderError {
        code: "HL-2213".into(),
        position: None,
        path: item.path.clone(),
        field: item.field.clone(),
        message: kind,
    };
    let field = &item.field;
    let shown = || v.in_text().chars().take(60).collect::<String>();
    Ok(Some(match item.ty {
        Type::Text => v,
        Type::Int | Type::Float => match &v {
            Value::Number(n) if item.ty == Type::Float || n.as_i64().is_some() => v,
            Value::Bool(b) => Value::Number(Number::from_i64(i64::from(*b))),
            Value::Array(_) | Value::Object(_) => v,
            _ => {
                let words = v.in_text();
                let t = words.trim();
                if t.is_empty() {
                    return Ok(None);
                }
                match number(t, item.ty == Type::Int) {
                    Some(n) => Value::Number(n),
                    None => {
                        let shown = shown();
                        return Err(wrong(text!(
                            "`{field}` is `{shown}`, which is no number",
                            "`{field}` 的值 `{shown}` 不是数字"
                        )));
                    }
                }
            }
        },
        Type::Bool => match to_bool(&v) {
            Some(b) => Value::Bool(b),
            None => {
                let shown = shown();
                return Err(wrong(text!(
                    "`{field}` is `{shown}`, which is neither true nor false",
                    "`{field}` 的值 `{shown}` 不是布尔值"
                )));
            }
        },
        Type::DateTime | Type::Date => match &v {
            Value::Number(_) => match times::read_wall(&v, tz) {
                Some(t) if item.ty == Type::Date => Value::from(times::date_text(t)),
                Some(t) => Value::from(times::datetime_text(t)),
                None => v,
            },
            _ => v,
        },
        Type::Array => match v {
            Value::Array(_) => v,
            // What a parser made of a list stays: ArrayToString is there for a text (A11), ConvertObjectParser for an
            // object around all rows (C15).
            Value::String(_) | Value::Object(_) if item.parser.is_some() => v,
            other => Value::Array(vec![other]),
        },
        Type::Object => v,
    }))
}

/// Exact number of a text: money keeps its digits, trailing zeros behind the point do not count.
fn number(t: &str, whole: bool) -> Option<Number> {
    if let Some(n) = plain_number(t, whole) {
        return Some(n);
    }
    let plain = t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    if !plain || t.len() > 100 {
        return None;
    }
    let d = crate::value::decimal(t)?;
    if whole {
        if d.with_scale_round(0, RoundingMode::Down) != d {
            return None;
        }
        return match d.to_i64() {
            Some(n) => Some(Number::from_i64(n)),
            None => Number::from_text(&d.with_scale(0).to_plain_string()),
        };
    }
    Number::from_text(&d.normalized().to_plain_string())
}

/// The usual spellings, `-12.50` and the like, without arithmetic.
fn plain_number(t: &str, whole: bool) -> Option<Number> {
    let digits = t.strip_prefix('-').unwrap_or(t);
    let (int, frac) = digits.split_once('.').unwrap_or((digits, ""));
    let fine = !int.is_empty()
        && (int.len() == 1 || !int.starts_with('0'))
        && int.bytes().chain(frac.bytes()).all(|b| b.is_ascii_digit())
        && !(digits.len() > int.len() && frac.is_empty());
    let frac = frac.trim_end_matches('0');
    if !fine || (whole && !frac.is_empty()) || (int == "0" && frac.is_empty()) {
        return None;
    }
    let kept = t.len() - digits.len() + int.len() + if frac.is_empty() { 0 } else { frac.len() + 1 };
    Number::from_text(t.get(..kept)?)
}
