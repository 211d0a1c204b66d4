//! `_function`: one MySQL select expression over bound references (dialect §3.8).
//!
//! The expression is parsed once, with its references replaced by names that no value can reach, so that data with
//! quotes, backslashes or braces never changes the parse (rule Fn4). What is evaluated is a tree of our own.

mod build;
mod date;
mod eval;
mod json;
mod number;
mod scan;
mod string;
mod sv;

pub(crate) use number::is_aggregate;
pub(crate) use sv::Sv;

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::{Number, Text, Value};

/// A part of the source text: SQL as written, or the reference with this number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// SQL text.
    Sql(String),
    /// A reference (or nested lookup), by its position among the expression's references.
    Ref(usize),
}

/// Why an expression cannot be compiled or evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FnError {
    /// Stable code.
    pub code: &'static str,
    /// The sentence.
    pub message: Text,
    /// Character position in the source, from 0, where it is known.
    pub position: Option<usize>,
}

impl FnError {
    pub(crate) fn new(code: &'static str, message: Text) -> Self {
        FnError { code, message, position: None }
    }
}

/// What an evaluation needs besides the references.
#[derive(Debug, Clone, Copy)]
pub struct FnEnv {
    /// NOW(), in unix seconds.
    pub now: i64,
    /// Zone of NOW(), FROM_UNIXTIME and UNIX_TIMESTAMP.
    pub tz: Tz,
}

impl FnEnv {
    pub(crate) fn local(&self, secs: i64) -> Option<NaiveDateTime> {
        DateTime::<Utc>::from_timestamp(secs, 0).map(|t| t.with_timezone(&self.tz).naive_local())
    }

    pub(crate) fn now_local(&self) -> NaiveDateTime {
        self.local(self.now).unwrap_or_default()
    }
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Function {
    root: build::Node,
}

impl Function {
    /// Parses an expression.
    ///
    /// # Errors
    /// Syntax (`HL-2301`), unknown functions with the nearest known name (`HL-2302`), wrong numbers of arguments
    /// (`HL-2303`), and forms that a select expression cannot have (`HL-2304`).
    /// Each piece comes with the character position where it begins in the source; an error's position is one there.
    pub fn compile(pieces: &[(usize, Piece)]) -> Result<Function, FnError> {
        let sql = scan::assemble(pieces)?;
        match build::parse(&sql.text) {
            Ok(root) => Ok(Function { root }),
            Err(e) => Err(FnError { position: e.position.and_then(|p| sql.source(p)), ..e }),
        }
    }

    /// Evaluates. `bind` gives the value of a reference.
    ///
    /// # Errors
    /// Division by zero (`HL-2310`), values out of range (`HL-2311`).
    pub fn eval(&self, env: &FnEnv, bind: &mut dyn FnMut(usize) -> Value) -> Result<Value, FnError> {
        let mut ctx = eval::Ctx { env, bind, rows: None };
        Ok(to_value(ctx.eval(&self.root)?))
    }

    /// Names of all functions, for checks and the reference.
    pub fn names() -> Vec<&'static str> {
        build::FUNCTIONS.iter().map(|f| f.0).collect()
    }
}

/// A bound reference as a typed literal (rule Fn4).
pub(crate) fn bind_bare(value: &Value) -> Sv {
    match value {
        Value::Null => Sv::Null,
        Value::Bool(b) => Sv::Bool(*b),
        Value::Number(n) => bind_number(n),
        Value::String(s) if s.trim().is_empty() => Sv::Null,
        Value::String(s) if sv::looks_numeric(s.trim()) => sv::number_prefix(s.trim()),
        Value::String(s) => Sv::Str(s.clone()),
        Value::Array(items) => Sv::List(items.iter().map(bind_bare).collect()),
        Value::Object(_) => Sv::Str(value.to_json()),
    }
}

fn bind_number(n: &Number) -> Sv {
    match n.text().parse::<BigDecimal>() {
        Ok(d) if d.fractional_digit_count() >= 0 => Sv::Dec(d),
        // 1e3 and the like: a decimal with a negative scale prints with zeros.
        Ok(d) => Sv::Dec(d.with_scale(0)),
        Err(_) => Sv::Null,
    }
}

/// The result as the dialect shows it (rule Fn6): decimals without trailing zeros, no exponent.
fn to_value(v: Sv) -> Value {
    match v {
        Sv::Null => Value::Null,
        Sv::Bool(b) => Value::Number(Number::from_i64(i64::from(b))),
        Sv::Dec(d) => number(&d),
        Sv::Dbl(f) => match BigDecimal::try_from(f) {
            Ok(_) => match sv::double_text(f).parse::<BigDecimal>() {
                Ok(d) => number(&d),
                Err(_) => Value::Null,
            },
            Err(_) => Value::Null,
        },
        Sv::List(items) => Value::Array(items.into_iter().map(to_value).collect()),
        other => Value::String(other.as_text().unwrap_or_default()),
    }
}

fn number(d: &BigDecimal) -> Value {
    let text = d.normalized().to_plain_string();
    let text = if text == "-0" { "0".to_owned() } else { text };
    Number::from_text(&text).map_or(Value::Null, Value::Number)
}
