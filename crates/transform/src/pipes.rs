//! Pipe formats inside references: `{{created|date}}` (dialect §3.4).

use chrono_tz::Tz;

use crate::times;
use crate::{Number, Problem, Text, Value, text};

/// One pipe.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pipe {
    /// `YYYY-MM-DD HH:MM:SS`
    DateTime,
    /// `YYYY-MM-DD`
    Date,
    /// `HH:MM:SS`
    Time,
    /// Unix seconds.
    Timestamp,
    /// Unix milliseconds.
    TimestampMs,
    /// A pattern of the author's.
    Pattern(String),
    /// Whole days to add; the form of the input stays.
    AddDays(i64),
    /// Text replacement.
    Replace(String, String),
    /// JSON text of the value.
    Json,
    /// Not known: the value stays as it is, with a warning (rule G12).
    Unknown(String),
}

/// All names, for the nearest one.
pub(crate) const NAMES: &[&str] = &[
    "datetime", "dateTime", "date", "time", "timestamp", "timestamp_ms", "format", "addDays", "replace",
    "json_encode",
];

impl Pipe {
    /// Compiles a name with its arguments.
    pub fn new(name: &str, args: &[String]) -> Pipe {
        let arg = |i: usize| args.get(i).cloned().unwrap_or_default();
        match (name, args.len()) {
            ("datetime" | "dateTime" | "DateTime", 0) => Pipe::DateTime,
            ("date", 0) => Pipe::Date,
            ("time", 0) => Pipe::Time,
            ("timestamp", 0) => Pipe::Timestamp,
            ("timestamp_ms", 0) => Pipe::TimestampMs,
            ("datetime" | "dateTime" | "date" | "time" | "format", 1) => Pipe::Pattern(arg(0)),
            ("addDays", 1) if arg(0).trim().parse::<i64>().is_ok() => Pipe::AddDays(arg(0).trim().parse().unwrap_or(0)),
            ("replace", 2) => Pipe::Replace(arg(0), arg(1)),
            ("json_encode", 0) => Pipe::Json,
            _ => Pipe::Unknown(name.to_owned()),
        }
    }

    /// Finding about an unknown pipe, with the nearest known name.
    pub fn problem(&self, path: &str) -> Option<Problem> {
        let Pipe::Unknown(name) = self else { return None };
        Some(Problem::error("HL-2110", path, unknown(name)))
    }

    /// Applies the pipe; a value that cannot be read as a time stays unchanged, with a warning.
    pub fn apply(&self, v: Value, tz: Tz, warnings: &mut Vec<Text>) -> Value {
        match self {
            Pipe::Unknown(name) => {
                warnings.push(unknown(name));
                v
            }
            Pipe::Json => Value::String(v.to_json()),
            Pipe::Replace(from, to) => match &v {
                Value::String(s) if !from.is_empty() => Value::String(s.replace(from.as_str(), to)),
                _ => v,
            },
            _ => match v {
                Value::Array(items) => Value::Array(items.into_iter().map(|i| self.apply(i, tz, warnings)).collect()),
                v if v.is_blank() => v,
                v => self.time(v, tz, warnings),
            },
        }
    }

    fn time(&self, v: Value, tz: Tz, warnings: &mut Vec<Text>) -> Value {
        let Some((ms, wall)) = times::read(&v, tz).and_then(|ms| Some((ms, times::wall(ms, tz)?))) else {
            let shown = v.in_text();
            warnings.push(text!("`{shown}` is no time; left unchanged", "`{shown}` 不是时间,保持不变"));
            return v;
        };
        Value::String(match self {
            Pipe::Timestamp => return Value::Number(Number::from_i64(ms.div_euclid(1000))),
            Pipe::TimestampMs => return Value::Number(Number::from_i64(ms)),
            Pipe::AddDays(n) => {
                let moved = ms.saturating_add(n.saturating_mul(86_400_000));
                return match v {
                    Value::Number(_) if ms.abs() >= 100_000_000_000 && v.in_text().len() > 11 => {
                        Value::Number(Number::from_i64(moved))
                    }
                    Value::Number(_) => Value::Number(Number::from_i64(moved.div_euclid(1000))),
                    _ => times::wall(moved, tz).map_or(Value::Null, |t| {
                        let short = v.in_text().trim().len() <= 10;
                        Value::String(t.format(if short { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" }).to_string())
                    }),
                };
            }
            Pipe::Date => wall.format("%Y-%m-%d").to_string(),
            Pipe::Time => wall.format("%H:%M:%S").to_string(),
            Pipe::Pattern(p) => times::by_pattern(wall, p),
            _ => wall.format("%Y-%m-%d %H:%M:%S").to_string(),
        })
    }
}

fn unknown(name: &str) -> Text {
    match crate::nearest(name, NAMES.iter().copied()) {
        Some(near) => text!(
            "unknown pipe format `{name}`; did you mean `{near}`?",
            "未知的管道格式 `{name}`;是否为 `{near}`?"
        ),
        None => {
            let all = NAMES.join(", ");
            text!("unknown pipe format `{name}`; known are {all}", "未知的管道格式 `{name}`;已知的有 {all}")
        }
    }
}
