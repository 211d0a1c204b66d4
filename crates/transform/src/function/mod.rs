//! `_function`: one MySQL select expression over bound references (dialect §3.8).
//!
//! The expression is parsed once, with its references as tokens of their own, so that data with quotes, backslashes or
//! braces never changes the parse (rule Fn4). What is evaluated is a tree of our own, held to MariaDB's answers.

mod aggregate;
mod arith;
mod cast;
mod characters;
mod codecs;
mod compare;
mod dates;
mod decimal;
mod eval;
mod format;
mod forms;
mod interval;
mod json;
mod jsontext;
mod kind;
mod lex;
mod moment;
mod node;
mod numbers;
mod parse;
mod patterns;
mod print;
mod rows;
mod sv;
mod table;
mod texts;

use std::borrow::Cow;
use std::cell::OnceCell;

use chrono_tz::Tz;

use crate::{Number, Text, Value};
use decimal::Dec;
use moment::{Moment, Ymd};
use sv::{Num, Sv};

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

    /// At a position, if none is known yet.
    pub(crate) fn at(self, position: usize) -> Self {
        FnError { position: self.position.or(Some(position)), ..self }
    }
}

/// What an evaluation needs besides the references.
#[derive(Debug, Clone)]
pub struct FnEnv {
    /// NOW(), in unix seconds.
    now: i64,
    /// Zone of NOW(), FROM_UNIXTIME and UNIX_TIMESTAMP.
    tz: Tz,
    local: OnceCell<Moment>,
}

impl FnEnv {
    /// The clock (unix seconds) and the zone of an evaluation.
    pub fn new(now: i64, tz: Tz) -> Self {
        FnEnv { now, tz, local: OnceCell::new() }
    }

    fn now_local(&self) -> Moment {
        *self.local.get_or_init(|| moment::local(self.tz, self.now, 0).unwrap_or(Moment::midnight(Ymd::ZERO)))
    }

    fn today(&self) -> Ymd {
        self.now_local().date
    }
}

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Function {
    root: node::Node,
}

impl Function {
    /// Parses an expression.
    ///
    /// # Errors
    /// Syntax (`HL-2301`), unknown functions with the nearest known name (`HL-2302`), wrong numbers of arguments
    /// (`HL-2303`), and forms that a select expression cannot have (`HL-2304`).
    /// Each piece comes with the character position where it begins in the source; an error's position is one there.
    pub fn compile(pieces: &[(usize, Piece)]) -> Result<Function, FnError> {
        parse::parse(pieces).map(|root| Function { root })
    }

    /// Evaluates. `bind` gives the value of a reference; the flag asks for a whole array, rows bound or not, as
    /// aggregates do (rule Fn7).
    ///
    /// # Errors
    /// Division by zero (`HL-2310`), values out of range (`HL-2311`).
    pub fn eval<'a>(
        &'a self,
        env: &FnEnv,
        bind: &mut dyn FnMut(usize, bool) -> Cow<'a, Value>,
    ) -> Result<Value, FnError> {
        let mut ctx = eval::Ctx::new(env, bind);
        Ok(to_value(ctx.eval(&self.root)?))
    }

    /// Names of all functions, for checks and the reference.
    pub fn names() -> Vec<&'static str> {
        table::names()
    }
}

/// A bound reference as a typed literal (rule Fn4).
fn bind_bare(value: Cow<'_, Value>) -> Sv<'_> {
    match value {
        Cow::Borrowed(v) => match v {
            Value::Null => Sv::Null,
            Value::Bool(b) => Sv::Bool(*b),
            Value::Number(n) => bind_number(n),
            Value::String(s) => bind_text(Cow::Borrowed(s)),
            Value::Array(items) => Sv::List(items.iter().map(|i| bind_bare(Cow::Borrowed(i))).collect()),
            Value::Object(_) => Sv::text(v.to_json()),
        },
        Cow::Owned(v) => match v {
            Value::String(s) => bind_text(Cow::Owned(s.into_string())),
            Value::Array(items) => Sv::List(items.into_iter().map(|i| bind_bare(Cow::Owned(i))).collect()),
            Value::Object(_) => Sv::text(v.to_json()),
            Value::Null => Sv::Null,
            Value::Bool(b) => Sv::Bool(b),
            Value::Number(n) => bind_number(&n),
        },
    }
}

fn bind_text(s: Cow<'_, str>) -> Sv<'_> {
    let t = s.trim();
    if t.is_empty() {
        return Sv::Null;
    }
    if sv::looks_numeric(t)
        && let Some(d) = Dec::parse(t)
    {
        return Sv::dec(d);
    }
    Sv::Str(s)
}

fn bind_number<'a>(n: &Number) -> Sv<'a> {
    match n.as_i64() {
        Some(n) => Sv::int(n),
        None => {
            let text = n.text();
            match Dec::parse_any(&text) {
                Some(d) => Sv::dec(d),
                None => text.parse::<f64>().ok().filter(|f| f.is_finite()).map_or(Sv::Null, Sv::double),
            }
        }
    }
}

/// The result as the dialect shows it (rule Fn6): decimals without trailing zeros, no exponent.
fn to_value(v: Sv) -> Value {
    match v {
        Sv::Null => Value::Null,
        Sv::Bool(b) => Value::Number(Number::from_i64(i64::from(b))),
        Sv::Num(n) => number(&n),
        Sv::List(items) => Value::Array(items.into_iter().map(to_value).collect()),
        Sv::Str(s) => Value::from(s),
        other => Value::from(other.as_text().unwrap_or_default()),
    }
}

fn number(n: &Num) -> Value {
    let exact = match n {
        Num::Dec(d) | Num::Apx(d) => Some(d.result()),
        Num::Dbl(f, shown) if *shown < decimal::NOT_FIXED => {
            Dec::parse(&sv::double_text(*f, *shown)).map(Dec::trimmed)
        }
        Num::Dbl(f, _) => Dec::from_f64(*f),
    };
    match exact {
        Some(d) => match d.as_int() {
            Some(i) => Value::Number(Number::from_i64(i)),
            None => {
                let text = d.text();
                Value::Number(Number::from_checked(&text, !text.contains('.')))
            }
        },
        // Far beyond every decimal: its digits, written out.
        None => Number::from_text(&format!("{}", n.f64())).map_or(Value::Null, Value::Number),
    }
}
