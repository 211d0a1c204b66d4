//! `_findCollection` and `_mongoQuery`: statements are read before anything is substituted (rule L5).

use crate::braces::read_single;
use crate::context::{Context, Lookup, Scope};
use crate::expr::{EvalError, Part, Reference, fill, no_store, read_reference, template};
use crate::{Problem, Text, Value, text};

/// The right side of a condition.
#[derive(Debug, Clone)]
enum Side {
    Ref(Reference),
    Text(Vec<Part>),
}

/// `find FIELD from SCHEME where key=value …`
#[derive(Debug, Clone)]
pub(crate) struct Find {
    source: String,
    parsed: Result<Parsed, Text>,
}

#[derive(Debug, Clone)]
struct Parsed {
    field: String,
    scheme: String,
    conditions: Vec<(String, Side)>,
}

impl Find {
    pub fn compile(source: &str, body: &str) -> Self {
        let body = body.trim_end();
        let body = body.strip_suffix("_endFind").map_or(body, str::trim_end);
        Find { source: source.to_owned(), parsed: parse(body) }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// The statement in its plain spelling; as it was written if it cannot be read.
    pub fn print(&self) -> String {
        let Ok(p) = &self.parsed else { return self.source.clone() };
        let mut out = format!("_findCollection find {} from {} where", p.field, p.scheme);
        for (key, side) in &p.conditions {
            let value = match side {
                Side::Ref(r) => r.to_string(),
                Side::Text(parts) => {
                    let text = crate::print::text(parts);
                    let bare = !text.is_empty() && !text.contains(' ') && !text.starts_with(['\'', '"']);
                    match (bare && !matches!(parts.as_slice(), [Part::Ref(_)]), text.contains('\'')) {
                        (true, _) => text,
                        (false, false) => format!("'{text}'"),
                        (false, true) => format!("\"{text}\""),
                    }
                }
            };
            out.push_str(&format!(" {key}={value}"));
        }
        out
    }

    pub fn problem(&self, path: &str) -> Option<Problem> {
        self.parsed.as_ref().err().map(|t| Problem::error("HL-2401", path, t.clone()))
    }

    pub fn references<'a>(&'a self, each: &mut dyn FnMut(&'a Reference)) {
        for (_, side) in self.parsed.iter().flat_map(|p| &p.conditions) {
            match side {
                Side::Ref(r) => each(r),
                Side::Text(parts) => parts.iter().for_each(|p| {
                    if let Part::Ref(r) = p {
                        each(r);
                    }
                }),
            }
        }
    }

    pub fn eval(&self, ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> Result<Value, EvalError> {
        let p = self.parsed.as_ref().map_err(|t| EvalError::new("HL-2401", t.clone()))?;
        let store = ctx.lookups.ok_or_else(|| EvalError::new("HL-2402", no_store()))?;
        let conditions: Vec<(String, Value)> = p
            .conditions
            .iter()
            .map(|(k, side)| {
                let v = match side {
                    Side::Ref(r) => r.value(ctx, scope, warnings),
                    Side::Text(parts) => Value::from(fill(parts, ctx, scope, warnings)),
                };
                (k.clone(), v)
            })
            .collect();
        answer(store, &p.scheme, store.find(&p.scheme, &p.field, &conditions), warnings)
    }
}

fn parse(body: &str) -> Result<Parsed, Text> {
    let bad = || {
        text!(
            "a lookup is written `_findCollection find FIELD from PLAN where KEY={{{{value}}}}`, with single blanks and none around `=`",
            "联查应写成 `_findCollection find 字段 from 方案 where 键={{{{值}}}}`,以单个空格分隔,`=` 两侧没有空格"
        )
    };
    let rest = body.strip_prefix("find ").ok_or_else(bad)?;
    let (field, rest) = rest.split_once(" from ").ok_or_else(bad)?;
    let (scheme, conds) = rest.split_once(" where ").ok_or_else(bad)?;
    if field.is_empty() || field.contains(' ') || scheme.is_empty() || scheme.contains(' ') {
        return Err(bad());
    }
    let mut conditions = Vec::new();
    let mut rest = conds;
    while !rest.is_empty() {
        let (key, tail) = rest.split_once('=').ok_or_else(bad)?;
        if key.is_empty() || key.contains(' ') || tail.starts_with(' ') {
            return Err(bad());
        }
        let alone = read_single(tail)
            .filter(|(_, used)| tail.get(*used..).is_some_and(|t| t.is_empty() || t.starts_with(' ')));
        let (side, used) = if let Some((r, used)) = alone {
            // Single braces hold a reference where they are the whole value (rule G1).
            (Side::Ref(r), used)
        } else if let Some((r, used)) = read_reference(tail) {
            // Text may touch the reference.
            let end = used + tail.get(used..).unwrap_or("").find(' ').unwrap_or(tail.len() - used);
            if end == used {
                (Side::Ref(r), used)
            } else {
                (Side::Text(template(tail.get(..end).unwrap_or(""))), end)
            }
        } else if let Some(q @ ('\'' | '"')) = tail.chars().next() {
            let inner = tail.get(1..).unwrap_or("");
            let end = inner.find(q).ok_or_else(bad)?;
            let inner = inner.get(..end).unwrap_or("");
            let side = match read_single(inner) {
                Some((r, used)) if used == inner.len() => Side::Text(vec![Part::Ref(r)]),
                _ => Side::Text(template(inner)),
            };
            (side, end + 2)
        } else {
            let end = tail.find(' ').unwrap_or(tail.len());
            (Side::Text(template(tail.get(..end).unwrap_or(""))), end)
        };
        conditions.push((key.to_owned(), side));
        let after = tail.get(used..).unwrap_or("");
        rest = match after.strip_prefix(' ') {
            Some(next) => next,
            None if after.is_empty() => "",
            None => return Err(bad()),
        };
    }
    if conditions.is_empty() {
        return Err(bad());
    }
    Ok(Parsed { field: field.to_owned(), scheme: scheme.to_owned(), conditions })
}

/// What was found, or empty text: for no match (rules L6, M4), and with a warning for an unknown plan (rule L14).
fn answer(
    store: &dyn Lookup,
    scheme: &str,
    found: Result<Option<Value>, Text>,
    warnings: &mut Vec<Text>,
) -> Result<Value, EvalError> {
    match found {
        Ok(found) => Ok(found.unwrap_or_else(|| Value::from(""))),
        Err(why) if !store.knows(scheme) => {
            if !warnings.contains(&why) {
                warnings.push(why);
            }
            Ok(Value::from(""))
        }
        Err(why) => Err(EvalError::new("HL-2403", why)),
    }
}

/// `SCHEME findField=PATH where=JSON`
#[derive(Debug, Clone)]
pub(crate) struct Mongo {
    source: String,
    parsed: Result<MongoParsed, Text>,
}

#[derive(Debug, Clone)]
struct MongoParsed {
    scheme: String,
    field: String,
    filter: Vec<Part>,
}

impl Mongo {
    pub fn compile(source: &str, body: &str) -> Self {
        let body = body.trim_end();
        let body = body.strip_suffix("_endFind").map_or(body, str::trim_end);
        Mongo { source: source.to_owned(), parsed: parse_mongo(body) }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// As [`Find::print`].
    pub fn print(&self) -> String {
        match &self.parsed {
            Ok(p) => {
                let filter = crate::print::text(&p.filter);
                format!("_mongoQuery {} findField={} where={filter}", p.scheme, p.field)
            }
            Err(_) => self.source.clone(),
        }
    }

    pub fn problem(&self, path: &str) -> Option<Problem> {
        self.parsed.as_ref().err().map(|t| Problem::error("HL-2404", path, t.clone()))
    }

    pub fn references<'a>(&'a self, each: &mut dyn FnMut(&'a Reference)) {
        for part in self.parsed.iter().flat_map(|p| &p.filter) {
            if let Part::Ref(r) = part {
                each(r);
            }
        }
    }

    pub fn eval(&self, ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> Result<Value, EvalError> {
        let p = self.parsed.as_ref().map_err(|t| EvalError::new("HL-2404", t.clone()))?;
        let store = ctx.lookups.ok_or_else(|| EvalError::new("HL-2402", no_store()))?;
        // Inside a JSON text a reference is escaped, standing alone it is a JSON literal (rule M2).
        let mut json = String::new();
        let mut in_text = false;
        for part in &p.filter {
            match part {
                Part::Text(t) => {
                    let mut escaped = false;
                    for c in t.chars() {
                        match c {
                            _ if escaped => escaped = false,
                            '\\' if in_text => escaped = true,
                            '"' => in_text = !in_text,
                            _ => {}
                        }
                    }
                    json.push_str(t);
                }
                Part::Ref(r) => {
                    let v = r.value(ctx, scope, warnings);
                    if in_text {
                        let quoted = Value::from(v.in_text()).to_json();
                        json.push_str(quoted.get(1..quoted.len() - 1).unwrap_or(""));
                    } else {
                        json.push_str(&v.to_json());
                    }
                }
            }
        }
        let filter = Value::parse(json.as_bytes()).map_err(|e| EvalError::new("HL-2404", e.text()))?;
        answer(store, &p.scheme, store.mongo(&p.scheme, &p.field, &filter), warnings)
    }
}

fn parse_mongo(body: &str) -> Result<MongoParsed, Text> {
    let bad = || {
        text!(
            "a query is written `_mongoQuery PLAN findField=content.FIELD where={{…}}`",
            "查询应写成 `_mongoQuery 方案 findField=content.字段 where={{…}}`"
        )
    };
    let (scheme, rest) = body.trim_start().split_once(' ').ok_or_else(bad)?;
    let (options, filter) = rest.split_once("where=").ok_or_else(bad)?;
    let field = options.split_whitespace().find_map(|o| o.strip_prefix("findField=")).ok_or_else(bad)?;
    if scheme.is_empty() || field.is_empty() || filter.trim().is_empty() {
        return Err(bad());
    }
    let filter = template(filter.trim()).into_iter().flat_map(alone_in_quotes).collect();
    Ok(MongoParsed { scheme: scheme.to_owned(), field: field.to_owned(), filter })
}

/// Cuts a part at the JSON texts that are nothing but `{path}` (rule G1).
fn alone_in_quotes(part: Part) -> Vec<Part> {
    let Part::Text(words) = part else { return vec![part] };
    let mut out = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(i) = words.get(at..).and_then(|w| w.find("\"{")) {
        let open = at + i + 1;
        at = open;
        let rest = words.get(open..).unwrap_or("");
        if let Some((r, used)) = read_single(rest)
            && rest.get(used..).is_some_and(|r| r.starts_with('"'))
        {
            out.push(Part::Text(words.get(from..open).unwrap_or("").to_owned()));
            out.push(Part::Ref(r));
            from = open + used;
            at = from;
        }
    }
    out.push(Part::Text(words.get(from..).unwrap_or("").to_owned()));
    out
}
