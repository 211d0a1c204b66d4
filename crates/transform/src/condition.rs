//! `condition` (dialect §2.7): outer OR, inner AND; conditions on rows remove rows, or the bill in strict mode.

use std::cmp::Ordering;

use bigdecimal::BigDecimal;
use chrono_tz::Tz;

use crate::path::{self, Path};
use crate::{Map, Problem, Value, text, times};

/// A compiled condition.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Condition(Vec<Vec<Test>>);

#[derive(Debug, Clone, PartialEq)]
struct Test {
    field: Path,
    logic: Logic,
    value: Value,
    /// The value is an instant (`timestamp:…`), in unix seconds.
    time: Option<i64>,
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logic {
    Eq,
    Neq,
    Gt,
    Egt,
    Lt,
    Elt,
    Like,
    NotLike,
    Between,
    NotNull,
    IsNull,
    In,
    NotIn,
}

pub(crate) const NAMES: &[&str] = &[
    "eq", "neq", "gt", "egt", "lt", "elt", "like", "notlike", "between", "notnull", "isnull", "in", "notin",
];

fn logic(name: &str) -> Option<Logic> {
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "eq" | "eqv2" | "=" | "==" => Logic::Eq,
        "neq" | "neqv2" | "ne" | "!=" | "<>" => Logic::Neq,
        "gt" | ">" => Logic::Gt,
        "egt" | "gte" | "ge" | ">=" => Logic::Egt,
        "lt" | "<" => Logic::Lt,
        "elt" | "lte" | "le" | "<=" => Logic::Elt,
        "like" => Logic::Like,
        "notlike" | "not like" => Logic::NotLike,
        "between" => Logic::Between,
        "notnull" | "isnotnull" | "is not null" => Logic::NotNull,
        "isnull" | "is null" => Logic::IsNull,
        "in" => Logic::In,
        "notin" | "not in" | "nin" => Logic::NotIn,
        _ => return None,
    })
}

impl Condition {
    /// Compiles the metadata's list of lists; a single flat list is one AND group.
    pub fn compile(v: Option<&Value>, problems: &mut Vec<Problem>) -> Condition {
        let Some(groups) = v.and_then(Value::as_array) else { return Condition::default() };
        let flat = groups.iter().all(|g| matches!(g, Value::Object(_)));
        let lists: Vec<Vec<Value>> = if flat && !groups.is_empty() {
            vec![groups.to_vec()]
        } else {
            groups.iter().map(|g| g.as_array().unwrap_or(&[]).to_vec()).collect()
        };
        let mut out = Vec::new();
        for (i, list) in lists.iter().enumerate() {
            let mut tests = Vec::new();
            for (j, entry) in list.iter().enumerate() {
                let at = format!("condition[{i}][{j}]");
                let Some(map) = entry.as_object() else {
                    problems.push(Problem::error(
                        "HL-2140",
                        at,
                        text!(
                            "a condition is an object with `field`, `logic`, `value`",
                            "条件应为含 `field`、`logic`、`value` 的对象"
                        ),
                    ));
                    continue;
                };
                let word = map.get("logic").map(Value::in_text).unwrap_or_default();
                let Some(logic) = logic(&word) else {
                    let near = crate::nearest(&word, NAMES.iter().copied()).unwrap_or("eq");
                    problems.push(Problem::error(
                        "HL-2141",
                        format!("{at}.logic"),
                        text!(
                            "unknown logic `{word}`; did you mean `{near}`?",
                            "未知的逻辑 `{word}`;是否为 `{near}`?"
                        ),
                    ));
                    continue;
                };
                let value = map.get("value").cloned().unwrap_or(Value::Null);
                let time = value
                    .as_str()
                    .and_then(|s| s.strip_prefix("timestamp:"))
                    .and_then(|s| s.trim().parse::<i64>().ok())
                    .map(|n| if n.abs() >= 100_000_000_000 { n / 1000 } else { n });
                tests.push(Test {
                    field: Path::new(&map.get("field").map(Value::in_text).unwrap_or_default()),
                    logic,
                    value,
                    time,
                    strict: matches!(map.get("strictMode"), Some(v) if crate::mapping::to_bool(v) == Some(true)),
                });
            }
            if !tests.is_empty() {
                out.push(tests);
            }
        }
        Condition(out)
    }

    /// True when every record is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a record (its failing rows removed) or says by which rule it is left out.
    ///
    /// # Errors
    /// The rule, as a text for people.
    pub fn apply(&self, record: &mut Map, tz: Tz) -> Result<bool, String> {
        if self.0.is_empty() {
            return Ok(false);
        }
        let mut why = String::new();
        for group in &self.0 {
            let mut candidate = record.clone();
            match group_keeps(group, &mut candidate, tz) {
                Ok(changed) => {
                    *record = candidate;
                    return Ok(changed);
                }
                Err(rule) if why.is_empty() => why = rule,
                Err(_) => {}
            }
        }
        Err(why)
    }
}

/// All tests of a group; rows that fail are removed from the candidate.
fn group_keeps(group: &[Test], record: &mut Map, tz: Tz) -> Result<bool, String> {
    let mut changed = false;
    for test in group {
        if let Some((array, rest)) = test.rows_of(record) {
            let Some(Value::Array(rows)) = record.get_mut(&array) else { continue };
            let before = rows.len();
            rows.retain(|row| test.holds(path::get_segs(row, &rest), tz));
            let failed = before - rows.len();
            if failed > 0 && (test.strict || rows.is_empty()) {
                return Err(test.rule());
            }
            if before == 0 {
                // No rows at all: only a test for emptiness can hold.
                if !test.holds(None, tz) {
                    return Err(test.rule());
                }
            }
            changed |= failed > 0;
            continue;
        }
        let root = Value::Object(std::mem::take(record));
        let found = test.field.get(&root);
        if let Value::Object(map) = root {
            *record = map;
        }
        if !test.holds(found, tz) {
            return Err(test.rule());
        }
    }
    Ok(changed)
}

impl Test {
    fn rows_of(&self, record: &Map) -> Option<(String, Vec<String>)> {
        let (first, rest) = self.field.segs().split_first()?;
        if rest.is_empty() || rest.first().is_some_and(|s| s.parse::<usize>().is_ok()) {
            return None;
        }
        matches!(record.get(first), Some(Value::Array(_))).then(|| (first.clone(), rest.to_vec()))
    }

    fn rule(&self) -> String {
        let logic = NAMES.iter().find(|n| logic(n) == Some(self.logic)).copied().unwrap_or("");
        let shown = self.value.in_text();
        format!("{} {logic} {shown}", self.field.as_str()).trim_end().to_owned()
    }

    fn holds(&self, found: Option<Value>, tz: Tz) -> bool {
        let v = found.unwrap_or(Value::Null);
        let empty = matches!(&v, Value::Null)
            || matches!(&v, Value::String(s) if s.is_empty())
            || matches!(&v, Value::Array(a) if a.is_empty());
        match self.logic {
            Logic::IsNull => return empty,
            Logic::NotNull => return !empty,
            _ => {}
        }
        if let Some(at) = self.time {
            let Some(secs) = times::read(&v, tz).map(|ms| ms.div_euclid(1000)) else { return false };
            return self.by_order(secs.cmp(&at));
        }
        match self.logic {
            Logic::Like => v.in_text().contains(&self.value.in_text()),
            Logic::NotLike => !v.in_text().contains(&self.value.in_text()),
            Logic::Between => {
                let bounds = match &self.value {
                    Value::Array(a) => a.iter().map(Value::in_text).collect::<Vec<_>>(),
                    other => other.in_text().split(',').map(|s| s.trim().to_owned()).collect(),
                };
                match bounds.as_slice() {
                    [low, high] if !empty => {
                        compare(&v, &Value::from(low.as_str())).is_ge()
                            && compare(&v, &Value::from(high.as_str())).is_le()
                    }
                    _ => false,
                }
            }
            Logic::In | Logic::NotIn => {
                let list = match &self.value {
                    Value::Array(a) => a.iter().map(Value::in_text).collect::<Vec<_>>(),
                    other => other.in_text().split(',').map(|s| s.trim().to_owned()).collect(),
                };
                let inside = list.iter().any(|x| compare(&v, &Value::from(x.as_str())).is_eq());
                inside == (self.logic == Logic::In)
            }
            // Nothing is neither greater nor less than anything.
            Logic::Gt | Logic::Egt | Logic::Lt | Logic::Elt if v.is_null() => false,
            _ => self.by_order(compare(&v, &self.value)),
        }
    }

    fn by_order(&self, o: Ordering) -> bool {
        match self.logic {
            Logic::Eq => o.is_eq(),
            Logic::Neq => o.is_ne(),
            Logic::Gt => o.is_gt(),
            Logic::Egt => o.is_ge(),
            Logic::Lt => o.is_lt(),
            Logic::Elt => o.is_le(),
            _ => false,
        }
    }
}

/// As numbers when both look like numbers, else as text.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    let (x, y) = (a.in_text(), b.in_text());
    let number = |s: &str| -> Option<BigDecimal> {
        let t = s.trim();
        let looks = !t.is_empty() && t.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'-'));
        if looks && t.len() < 100 { t.parse().ok() } else { None }
    };
    match (number(&x), number(&y)) {
        (Some(p), Some(q)) => p.cmp(&q),
        _ => x.cmp(&y),
    }
}
