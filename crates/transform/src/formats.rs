//! `formatResponse` (dialect §4.2): formatted copies of fields, added before conditions are checked.

use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive};
use chrono_tz::Tz;

use crate::extent::size;
use crate::path::{self, Path};
use crate::{Map, Number, Problem, Value, text, times};

/// One entry of `formatResponse`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    old: Path,
    new: Path,
    format: Format,
}

#[derive(Debug, Clone, PartialEq)]
enum Format {
    Pattern(&'static str),
    Custom(String),
    Description,
    LongText(usize),
    Intval,
    Round(i64),
    Amount,
    Implode(String),
    Text,
    Float,
    Bool,
    Json,
    Unknown(String),
}

/// Names of all formats.
pub(crate) const NAMES: &[&str] = &[
    "date",
    "time",
    "dateTime",
    "shortDate",
    "shortTime",
    "shortDateTime",
    "dateDescription",
    "longText",
    "intval",
    "round",
    "amount",
    "implode",
    "string",
    "float",
    "bool",
    "json",
];

fn unquote(s: &str) -> &str {
    let t = s.trim();
    for q in ['\'', '"'] {
        if let Some(inner) = t.strip_prefix(q).and_then(|x| x.strip_suffix(q)) {
            return inner;
        }
    }
    t
}

fn compile(format: &str) -> Format {
    let f = format.trim();
    let (name, arg) = match f.split_once('(') {
        Some((n, rest)) => {
            let inner = rest.trim_end().strip_suffix(')').unwrap_or(rest);
            // A separator may be a blank: only the quotes are taken off.
            (n.trim(), Some(unquote(inner)))
        }
        None => (f, None),
    };
    match (name.to_ascii_lowercase().as_str(), arg) {
        ("date" | "time" | "datetime", Some(p)) if !p.is_empty() => Format::Custom(p.to_owned()),
        ("date", _) => Format::Pattern("%Y-%m-%d"),
        ("time", _) => Format::Pattern("%H:%M:%S"),
        ("datetime", _) => Format::Pattern("%Y-%m-%d %H:%M"),
        ("shortdate", _) => Format::Pattern("%m-%d"),
        ("shorttime", _) => Format::Pattern("%H:%M"),
        ("shortdatetime", _) => Format::Pattern("%m-%d %H:%M"),
        ("datedescription", _) => Format::Description,
        ("longtext", n) => Format::LongText(n.and_then(|n| n.parse().ok()).unwrap_or(15)),
        ("intval" | "int", _) => Format::Intval,
        ("round", n) => Format::Round(n.and_then(|n| n.parse::<i64>().ok()).unwrap_or(2).clamp(-30, 30)),
        ("amount", _) => Format::Amount,
        ("implode", sep) => Format::Implode(sep.map_or_else(|| ",".into(), str::to_owned)),
        ("string", _) => Format::Text,
        ("float", _) => Format::Float,
        ("bool", _) => Format::Bool,
        ("json", _) => Format::Json,
        _ => Format::Unknown(name.to_owned()),
    }
}

impl Rule {
    /// Compiles the list; entries without `old` are left out.
    pub fn list(v: Option<&Value>, problems: &mut Vec<Problem>) -> Vec<Rule> {
        let mut out = Vec::new();
        for (i, entry) in v.and_then(Value::as_array).unwrap_or(&[]).iter().enumerate() {
            let get =
                |k: &str| entry.as_object().and_then(|m| m.get(k)).map(Value::in_text).unwrap_or_default();
            let (old, new, format) = (get("old"), get("new"), get("format"));
            let at = format!("formatResponse[{i}]");
            if old.is_empty() {
                problems.push(Problem::error("HL-2130", at, text!("`old` is missing", "缺少 `old`")));
                continue;
            }
            let format = compile(&format);
            if let Format::Unknown(name) = &format {
                let near = crate::nearest(name, NAMES.iter().copied()).unwrap_or("date");
                problems.push(Problem::error(
                    "HL-2131",
                    format!("{at}.format"),
                    text!(
                        "unknown format `{name}`; did you mean `{near}`?",
                        "未知的格式 `{name}`;是否为 `{near}`?"
                    ),
                ));
            }
            let new = if new.is_empty() { old.clone() } else { new };
            out.push(Rule { old: Path::new(&old), new: Path::new(&new), format });
        }
        out
    }

    /// Adds the formatted copy to a record. `now` is in unix seconds.
    ///
    /// `left` bytes may still be copied and written: a rule over what another made doubles it, and thirty in a row
    /// would fill any memory. False when that is not enough; the record is then half done.
    #[must_use]
    pub fn apply(&self, record: &mut Map, tz: Tz, now: i64, left: &mut usize) -> bool {
        if self.old.segs().len() > 1
            && let Some(enough) = self.copy_rows(record, tz, now, left)
        {
            return enough;
        }
        let root = Value::Object(std::mem::take(record));
        let found = self.old.get(&root);
        if let Value::Object(map) = root {
            *record = map;
        }
        let Some(v) = found else { return true };
        let Some(v) = self.format.bounded(v, tz, now, left) else { return false };
        path::set(record, self.new.segs(), v);
        true
    }

    /// The path that the copy goes to.
    pub fn new_path(&self) -> &Path {
        &self.new
    }

    /// Where the path crosses an array, every row gets the copy under the leaf name.
    /// `None` where it does not; otherwise whether `left` was enough.
    fn copy_rows(&self, record: &mut Map, tz: Tz, now: i64, left: &mut usize) -> Option<bool> {
        let (first, rest) = self.old.segs().split_first()?;
        let leaf = self.new.segs().last().cloned().unwrap_or_default();
        let Some(Value::Array(rows)) = record.get_mut(first) else { return None };
        if rest.first().is_some_and(|s| s.parse::<usize>().is_ok()) {
            return None;
        }
        for row in rows.iter_mut() {
            let found = path::get_segs(row, rest);
            if let (Some(v), Value::Object(map)) = (found, row) {
                let Some(v) = self.format.bounded(v, tz, now, left) else { return Some(false) };
                map.insert(leaf.clone(), v);
            }
        }
        Some(true)
    }
}

impl Format {
    /// The formatted value, with what it took taken from `left`; `None` when it takes more.
    fn bounded(&self, v: Value, tz: Tz, now: i64, left: &mut usize) -> Option<Value> {
        // Before it is formatted: a text of it may be twice as large, and no larger.
        *left = left.checked_sub(size(&v))?;
        if let (Format::Implode(separator), Value::Array(items)) = (self, &v) {
            left.checked_sub(separator.len().checked_mul(items.len())?)?;
        }
        let v = self.apply(v, tz, now);
        if let Value::String(s) = &v {
            *left = left.checked_sub(s.len())?;
        }
        Some(v)
    }

    fn apply(&self, v: Value, tz: Tz, now: i64) -> Value {
        match self {
            Format::Unknown(_) => v,
            Format::Pattern(p) => match times::read_wall(&v, tz) {
                Some(t) => Value::from(t.format(p).to_string()),
                None => v,
            },
            Format::Custom(p) => match times::read_wall(&v, tz) {
                Some(t) => Value::from(times::by_pattern(t, p)),
                None => v,
            },
            Format::Description => match times::read(&v, tz) {
                Some(ms) => Value::from(ago(now - ms.div_euclid(1000))),
                None => v,
            },
            Format::LongText(n) => {
                let s = v.in_text();
                if s.chars().count() <= *n {
                    v
                } else {
                    Value::from(s.chars().take(*n).collect::<String>() + "...")
                }
            }
            Format::Intval => {
                let n = decimal(&v).unwrap_or_default().with_scale_round(0, RoundingMode::Down);
                Value::Number(number(&n))
            }
            Format::Round(n) => match decimal(&v) {
                Some(d) => Value::Number(number(&d.with_scale_round(*n, RoundingMode::HalfUp))),
                None => v,
            },
            Format::Amount => match decimal(&v) {
                Some(d) => Value::from(amount(&d)),
                None => v,
            },
            Format::Implode(sep) => match v {
                Value::Array(items) => {
                    Value::from(items.iter().map(Value::in_text).collect::<Vec<_>>().join(sep))
                }
                other => other,
            },
            Format::Text => Value::from(v.in_text()),
            Format::Float => match decimal(&v) {
                Some(d) => Value::Number(number(&d)),
                None => v,
            },
            Format::Bool => crate::mapping::to_bool(&v).map_or(v, Value::Bool),
            Format::Json => Value::from(v.to_json()),
        }
    }
}

/// Bytes that all rules together may copy and write for one record that came with `raw` bytes.
pub(crate) fn most_written(raw: usize) -> usize {
    raw.saturating_mul(32).saturating_add(1 << 20)
}

/// The number at the beginning of a value's text.
fn decimal(v: &Value) -> Option<BigDecimal> {
    match v {
        Value::Number(n) => n.to_decimal(),
        Value::Bool(b) => Some(i64::from(*b).into()),
        Value::String(s) => {
            let t = s.trim();
            let end = t
                .char_indices()
                .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '-' | '+'))))
                .map_or(t.len(), |(i, _)| i);
            t.get(..end.min(100))?.trim_end_matches('.').parse().ok()
        }
        _ => None,
    }
}

fn number(d: &BigDecimal) -> Number {
    let text = d.to_plain_string();
    Number::from_text(&text).unwrap_or_else(|| Number::from_i64(d.to_i64().unwrap_or(0)))
}

fn amount(d: &BigDecimal) -> String {
    let r = d.with_scale_round(2, RoundingMode::HalfUp);
    let plain = r.abs().to_plain_string();
    let (whole, frac) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    let sign = if r.is_negative() { "-" } else { "" };
    format!("\u{FFE5}{sign}{out}.{frac}")
}

fn ago(secs: i64) -> String {
    let (n, unit) = match secs {
        s if s < 60 => return "刚刚".into(),
        s if s < 3_600 => (s / 60, "分钟"),
        s if s < 86_400 => (s / 3_600, "小时"),
        s if s < 7 * 86_400 => (s / 86_400, "天"),
        s if s < 30 * 86_400 => (s / (7 * 86_400), "周"),
        s if s < 365 * 86_400 => (s / (30 * 86_400), "月"),
        s => (s / (365 * 86_400), "年"),
    };
    if n == 1 { format!("一{unit}前") } else { format!("{n}{unit}前") }
}
