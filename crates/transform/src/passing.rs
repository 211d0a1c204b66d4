//! `callBackStrategy` (dialect §6.8): the receiving plan, what it receives, and when.

use chrono_tz::Tz;

use crate::condition::Condition;
use crate::context::{Context, Scope};
use crate::expr::Expr;
use crate::mapping::to_bool;
use crate::{Map, Problem, Text, Value, text};

/// Keys that say how to pass on, and are no member of what is passed on, where their value has this shape.
type Shape = fn(&Value) -> bool;

/// Keys that published documents write and that change nothing here (dialect §6.8: accepted, with a notice).
const WITHOUT_EFFECT: &[(&str, Shape)] = &[
    ("needQuery", is_flag),
    ("propagateError", is_flag),
    ("onFailure", |v| v.as_str().is_some_and(|s| !s.contains('{') && !s.starts_with('_'))),
    ("idempotent", |v| v.as_object().is_some() || is_flag(v)),
];

fn is_flag(v: &Value) -> bool {
    match v {
        Value::Bool(_) => true,
        Value::String(s) => matches!(s.trim().to_ascii_lowercase().as_str(), "true" | "false"),
        _ => false,
    }
}

/// A compiled `callBackStrategy`.
#[derive(Debug, Clone)]
pub(crate) struct Passing {
    /// The receiving plan.
    pub plan: String,
    values: Vec<(String, Expr)>,
    when: Option<When>,
    /// Keys without effect that were written.
    pub idle: Vec<&'static str>,
}

/// When a record is passed on.
#[derive(Debug, Clone)]
enum When {
    Never,
    Groups(Condition),
    Holds(Expr),
}

impl Passing {
    /// Compiles the block; `None` without a receiving plan.
    pub fn compile(block: &Map, problems: &mut Vec<Problem>) -> Option<Passing> {
        let plan = block.get("strategyId").map(Value::in_text).filter(|p| !p.is_empty())?;
        let mut out = Passing { plan, values: Vec::new(), when: None, idle: Vec::new() };
        for (key, v) in block.iter().filter(|(k, _)| *k != "strategyId") {
            let at = format!("callBackStrategy.{key}");
            if let Some((name, _)) = WITHOUT_EFFECT.iter().find(|(name, fits)| *name == key && fits(v)) {
                out.idle.push(name);
            } else if key == "condition" && is_test(v) {
                out.when = when(v, &at, problems);
            } else {
                let e = Expr::compile(v);
                problems.extend(e.problems(&at));
                out.values.push((key.to_owned(), e));
            }
        }
        Some(out)
    }

    /// What is passed on for a record, `primaryWriteback` among its fields; `None` where the condition does not hold.
    pub fn object(&self, ctx: &Context, record: &Value, warnings: &mut Vec<Text>) -> Option<Value> {
        let scope = Scope::new(Some(record));
        if !self.when.as_ref().is_none_or(|w| w.holds(ctx, record, &scope, warnings)) {
            return None;
        }
        let ctx = Context { strict: false, ..*ctx };
        let mut map = Map::new();
        for (name, e) in &self.values {
            if let Ok(v) = e.eval(&ctx, &scope, warnings)
                && !v.is_null()
            {
                map.insert(name.clone(), v);
            }
        }
        Some(Value::Object(map))
    }
}

impl When {
    fn holds(&self, ctx: &Context, record: &Value, scope: &Scope, warnings: &mut Vec<Text>) -> bool {
        match self {
            When::Never => false,
            When::Groups(groups) => keeps(groups, record, ctx.tz),
            When::Holds(e) => match e.eval(&Context { strict: true, ..*ctx }, scope, warnings) {
                Ok(v) => to_bool(&v).unwrap_or(!v.is_null()),
                Err(e) => {
                    warnings.push(e.message);
                    false
                }
            },
        }
    }
}

fn keeps(groups: &Condition, record: &Value, tz: Tz) -> bool {
    let mut map = record.as_object().cloned().unwrap_or_default();
    groups.apply(&mut map, tz).is_ok()
}

/// True for what is a test, and no member of that name: groups, a boolean, `_function`, or a comparison.
fn is_test(v: &Value) -> bool {
    match v {
        Value::Bool(_) => true,
        Value::Array(list) => list.iter().all(|g| matches!(g, Value::Array(_) | Value::Object(_))),
        Value::String(s) => s.starts_with("_function") || outside(s).contains(['=', '<', '>']),
        _ => false,
    }
}

fn when(v: &Value, at: &str, problems: &mut Vec<Problem>) -> Option<When> {
    match v {
        Value::Bool(b) => (!b).then_some(When::Never),
        Value::Array(_) => {
            let mut found = Vec::new();
            let groups = Condition::compile(Some(v), &mut found);
            problems.extend(found.into_iter().map(|p| p.under("callBackStrategy")));
            (!groups.is_empty()).then_some(When::Groups(groups))
        }
        other => {
            let said = other.in_text();
            let source = if said.starts_with("_function") {
                said.clone()
            } else {
                format!("_function {}", in_sql(&said))
            };
            let e = Expr::compile(&Value::from(source));
            problems.extend(e.problems(at).into_iter().map(|p| {
                p.hint(text!(
                    "write a test such as `{{{{primaryWriteback.status}}}} = 'success'`, or groups as in the source's `condition`",
                    "请写成比较,例如 `{{{{primaryWriteback.status}}}} = 'success'`,或与来源 `condition` 相同的条件组"
                ))
            }));
            Some(When::Holds(e))
        }
    }
}

/// The text without what stands in quotes or in braces.
fn outside(s: &str) -> String {
    pieces(s).into_iter().filter(|(free, _)| *free).map(|(_, p)| p).collect()
}

/// Pieces of a test: whether they stand outside of quotes and references, and the text.
fn pieces(s: &str) -> Vec<(bool, &str)> {
    let mut out = Vec::new();
    let mut rest = s;
    while let Some(at) = rest.find(['\'', '"', '{']) {
        let (free, kept) = rest.split_at(at);
        let end = match kept.as_bytes().first() {
            Some(b'{') if kept.starts_with("{{") => kept.find("}}").map(|e| e + 2),
            Some(b'{') => Some(1),
            Some(q) => kept.bytes().skip(1).position(|b| b == *q).map(|e| e + 2),
            None => None,
        };
        let (kept, behind) = kept.split_at(end.unwrap_or(kept.len()));
        out.extend([(true, free), (false, kept)]);
        rest = behind;
    }
    out.push((true, rest));
    out
}

/// A comparison as published documents write it (`===`, `&&` …) in the words of `_function`.
fn in_sql(s: &str) -> String {
    let mut out = String::new();
    for (free, piece) in pieces(s) {
        if !free {
            out.push_str(piece);
            continue;
        }
        let mut rest = piece;
        while let Some(c) = rest.chars().next() {
            let words = [
                ("===", " = "),
                ("!==", " <> "),
                ("==", " = "),
                ("!=", " <> "),
                ("&&", " AND "),
                ("||", " OR "),
            ];
            let found = words.iter().find(|(js, _)| rest.starts_with(js));
            let Some((js, sql)) = found else {
                out.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or("");
                continue;
            };
            rest = rest.get(js.len()..).unwrap_or("");
            let next = rest.trim_start();
            let word: String = next.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
            let nothing = word.eq_ignore_ascii_case("null") || word == "undefined";
            match (nothing, *sql) {
                (true, " = ") => out.push_str(" IS NULL"),
                (true, " <> ") => out.push_str(" IS NOT NULL"),
                (_, sql) => out.push_str(sql),
            }
            if nothing && sql.trim() != "AND" && sql.trim() != "OR" {
                rest = next.get(word.len()..).unwrap_or("");
            }
        }
    }
    out
}
