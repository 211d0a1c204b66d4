//! Expressions as text again: what is printed compiles to the same expression.

use std::fmt;

use crate::expr::{Bind, Expr, Kind, Part, Reference, SqlFn};
use crate::pipes::Pipe;
use crate::{Map, Value};

impl Expr {
    /// The value of the dialect that compiles to this expression, in its plain spelling: references in double braces,
    /// functions in capitals, blanks and parentheses only where they are wanted. What cannot be compiled is as it was
    /// written.
    pub fn print(&self) -> Value {
        match &self.0 {
            Kind::Const(v) => v.clone(),
            Kind::Whole(r) => Value::from(r.whole()),
            Kind::Template(parts) => Value::from(text(parts)),
            Kind::Function(f) => Value::from(f.print()),
            Kind::Find(l) => Value::from(l.print()),
            Kind::Mongo(l) => Value::from(l.print()),
            Kind::List(items) => Value::Array(items.iter().map(Expr::print).collect()),
            Kind::Object(members) => {
                Value::Object(members.iter().map(|(k, e)| (k.clone(), e.print())).collect::<Map>())
            }
        }
    }
}

impl fmt::Display for Expr {
    /// The text of [`Expr::print`]; lists and objects as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.print() {
            Value::String(s) => f.write_str(s.as_str()),
            other => f.write_str(&other.to_json()),
        }
    }
}

/// Words and references side by side.
pub(crate) fn text(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(t) => out.push_str(t),
            Part::Ref(r) => out.push_str(&r.to_string()),
        }
    }
    out
}

impl Reference {
    /// As a whole value. A path too long for double braces stands in single ones.
    fn whole(&self) -> String {
        let double = self.to_string();
        if double.len() > crate::expr::MAX_REFERENCE { format!("{{{}}}", self.path.as_str()) } else { double }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}", self.path.as_str())?;
        for pipe in &self.pipes {
            write!(f, "|{pipe}")?;
        }
        f.write_str("}}")
    }
}

/// An argument in the quotes that it does not hold.
fn argument(s: &str) -> String {
    match (s.contains('\''), s.contains('"')) {
        (false, _) => format!("'{s}'"),
        (true, false) => format!("\"{s}\""),
        (true, true) => s.to_owned(),
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pipe::DateTime => f.write_str("datetime"),
            Pipe::Date => f.write_str("date"),
            Pipe::Time => f.write_str("time"),
            Pipe::Timestamp => f.write_str("timestamp"),
            Pipe::TimestampMs => f.write_str("timestamp_ms"),
            Pipe::Json => f.write_str("json_encode"),
            Pipe::Pattern(p) => write!(f, "format({})", argument(p)),
            Pipe::AddDays(n) => write!(f, "addDays({n})"),
            Pipe::Replace(a, b) => write!(f, "replace({},{})", argument(a), argument(b)),
            // A known name with arguments that it does not take.
            Pipe::Unknown(name) if crate::pipes::NAMES.contains(&name.as_str()) => {
                write!(f, "{name}('','','')")
            }
            Pipe::Unknown(name) => f.write_str(name),
        }
    }
}

impl SqlFn {
    fn print(&self) -> String {
        let Ok(function) = self.function() else { return self.source().to_owned() };
        let name = |n: usize| match self.binds().get(n) {
            Some(Bind::Ref(r)) => r.to_string(),
            Some(Bind::Find(l)) => ended(l.print()),
            Some(Bind::Mongo(l)) => ended(l.print()),
            None => "NULL".to_owned(),
        };
        format!("_function {}", function.print(&name))
    }
}

/// A lookup inside of a function, with its end.
fn ended(lookup: String) -> String {
    let lookup = lookup.trim_end();
    if lookup.ends_with("_endFind") { lookup.to_owned() } else { format!("{lookup} _endFind") }
}
