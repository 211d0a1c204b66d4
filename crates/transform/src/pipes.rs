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
    "datetime",
    "dateTime",
    "date",
    "time",
    "timestamp",
    "timestamp_ms",
    "format",
    "addDays",
    "replace",
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
            ("addDays", 1) if arg(0).trim().parse::<i64>().is_ok() => {
                Pipe::AddDays(arg(0).trim().parse().unwrap_or(0))
            }
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
            // What is text already doubles with each pipe of a chain.
            Pipe::Json if v.as_str().is_some_and(|s| s.len() > MAX_GROWN) => {
                warnings.push(too_long());
                v
            }
            Pipe::Json => Value::from(v.to_json()),
            Pipe::Replace(from, to) => match &v {
                Value::String(s) if !from.is_empty() => {
                    let more = to.len().saturating_sub(from.len());
                    let grown = s.matches(from.as_str()).count().saturating_mul(more);
                    if grown > MAX_GROWN {
                        warnings.push(too_long());
                        return v;
                    }
                    Value::from(s.replace(from.as_str(), to))
                }
                _ => v,
            },
            _ => match v {
                Value::Array(items) => {
                    Value::Array(items.into_iter().map(|i| self.apply(i, tz, warnings)).collect())
                }
                v if v.is_blank() => v,
                v => self.time(v, tz, warnings),
            },
        }
    }

    fn time(&self, v: Value, tz: Tz, warnings: &mut Vec<Text>) -> Value {
        let made = match self {
            Pipe::Timestamp => {
                times::read(&v, tz).map(|ms| Value::Number(Number::from_i64(ms.div_euclid(1000))))
            }
            Pipe::TimestampMs => times::read(&v, tz).map(|ms| Value::Number(Number::from_i64(ms))),
            Pipe::AddDays(n) => times::read(&v, tz).and_then(|ms| {
                let moved = ms.saturating_add(n.saturating_mul(86_400_000));
                match &v {
                    // The form of the input stays: milliseconds, seconds, a date, a date with time.
                    Value::Number(_) if ms.unsigned_abs() >= 100_000_000_000 && v.in_text().len() > 11 => {
                        Some(Value::Number(Number::from_i64(moved)))
                    }
                    Value::Number(_) => Some(Value::Number(Number::from_i64(moved.div_euclid(1000)))),
                    _ => {
                        let t = times::wall(moved, tz)?;
                        let short = v.in_text().trim().len() <= 10;
                        Some(Value::from(if short { times::date_text(t) } else { times::datetime_text(t) }))
                    }
                }
            }),
            _ => times::read_wall(&v, tz).map(|t| {
                Value::from(match self {
                    Pipe::Date => times::date_text(t),
                    Pipe::Time => t.format("%H:%M:%S").to_string(),
                    Pipe::Pattern(p) => times::by_pattern(t, p),
                    _ => times::datetime_text(t),
                })
            }),
        };
        made.unwrap_or_else(|| {
            let shown: String = v.in_text().chars().take(60).collect();
            warnings.push(text!("`{shown}` is no time; left unchanged", "`{shown}` 不是时间,保持不变"));
            v
        })
    }
}

/// Bytes that one pipe may add to a text.
const MAX_GROWN: usize = 256 << 10;

fn too_long() -> Text {
    text!("the text would become too long; left unchanged", "文本将过长,保持不变")
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
