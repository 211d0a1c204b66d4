//! Evaluated requests: items become an object, or a row of values in column order (dialect §3.5, §3.6, §3.12).

use bigdecimal::{RoundingMode, ToPrimitive};

use crate::context::{Context, Scope};
use crate::expr::{EvalError, Expr, Kind};
use crate::metadata::{Item, Metadata, Side, Type};
use crate::{Map, Number, Text, Value, records, text, times};

/// What a document's `request` and `otherRequest` came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rendered {
    /// Evaluated `request`.
    pub request: Map,
    /// Evaluated `otherRequest`.
    pub other: Map,
    /// Things a person should know.
    pub warnings: Vec<Text>,
}

/// Why a record cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError {
    /// Stable code.
    pub code: String,
    /// JSON path of the item.
    pub path: String,
    /// Name of the field.
    pub field: String,
    /// The sentence.
    pub message: Text,
}

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

/// A compiled document, ready to be rendered many times.
#[derive(Debug, Clone)]
pub struct Request {
    meta: Metadata,
    fast: Option<Vec<Fast>>,
}

/// An item that only reads one path: its place among the raw record's members.
#[derive(Debug, Clone)]
enum Fast {
    Const(Value),
    Key(usize),
}

impl Request {
    /// Compiles a document. Findings about its expressions come from [`Metadata::parse`].
    pub fn compile(meta: &Metadata) -> Request {
        let mut plan = Request { meta: meta.clone(), fast: None };
        plan.fast = plan.plan_fast();
        plan
    }

    /// The document.
    pub fn metadata(&self) -> &Metadata {
        &self.meta
    }

    /// Evaluates `request` and `otherRequest`; null values are left out, containers built (T and S alike).
    ///
    /// # Errors
    /// The first item that cannot be evaluated, cast, or is required and missing.
    pub fn render(&self, ctx: &Context, record: Option<&Value>) -> Result<Rendered, RenderError> {
        let ctx = Context { strict: ctx.strict && self.meta.strict, ..*ctx };
        let scope = Scope::new(record);
        let mut warnings = Vec::new();
        let request = object(&self.meta.request, &ctx, &scope, "", &mut warnings)?;
        let other = object(&self.meta.other_request, &ctx, &scope, "", &mut warnings)?;
        Ok(Rendered { request, other, warnings })
    }

    /// Evaluates only `otherRequest`, without a record.
    ///
    /// # Errors
    /// As [`Request::render`].
    pub fn render_other(&self, ctx: &Context) -> Result<Map, RenderError> {
        object(&self.meta.other_request, ctx, &Scope::new(None), "", &mut Vec::new())
    }

    /// One value per `request` item, in order; missing ones are null, nothing is left out (dialect §6.5).
    ///
    /// # Errors
    /// As [`Request::render`].
    pub fn render_row(&self, ctx: &Context, record: &Value, out: &mut Vec<Value>) -> Result<(), RenderError> {
        let ctx = Context { strict: ctx.strict && self.meta.strict, ..*ctx };
        let scope = Scope::new(Some(record));
        let mut warnings = Vec::new();
        for item in &self.meta.request {
            out.push(evaluate(item, &ctx, &scope, "", &mut warnings)?.unwrap_or(Value::Null));
        }
        Ok(())
    }

    /// As [`Request::render_row`], from the record's raw JSON; reads only what the items name where they allow it.
    ///
    /// # Errors
    /// As [`Request::render_row`]; content that is no JSON object.
    pub fn render_row_raw(&self, ctx: &Context, raw: &[u8], out: &mut Vec<Value>) -> Result<(), RenderError> {
        let bad = |message: Text| RenderError {
            code: "HL-2210".into(),
            path: String::new(),
            field: String::new(),
            message,
        };
        let Some(fast) = &self.fast else {
            let record = Value::parse(raw).map_err(|e| bad(e.text()))?;
            return self.render_row(ctx, &record, out);
        };
        let keys = self.fast_keys();
        let mut found: Vec<Value> = vec![Value::Null; keys.len()];
        records::read_members(raw, &keys, &mut found)
            .map_err(|()| bad(text!("the record is no JSON object", "该数据不是 JSON 对象")))?;
        let mut warnings = Vec::new();
        for (item, f) in self.meta.request.iter().zip(fast) {
            let v = match f {
                Fast::Const(v) => v.clone(),
                // A member may be read by several items.
                Fast::Key(i) => {
                    let v = found.get(*i).cloned().unwrap_or(Value::Null);
                    match item.expr.as_ref().map(|e| &e.0) {
                        Some(Kind::Whole(r)) => r.pipes.iter().fold(v, |v, p| p.apply(v, ctx.tz, &mut warnings)),
                        _ => v,
                    }
                }
            };
            out.push(finish(item, v, ctx, &Scope::new(None), &mut warnings)?.unwrap_or(Value::Null));
        }
        Ok(())
    }

    fn fast_keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for item in &self.meta.request {
            if let Some(Kind::Whole(r)) = item.expr.as_ref().map(|e| &e.0)
                && !keys.contains(&r.path.as_str())
            {
                keys.push(r.path.as_str());
            }
        }
        keys
    }

    /// Possible when every item is a constant or one top-level field of the record, without containers.
    fn plan_fast(&self) -> Option<Vec<Fast>> {
        let keys = self.fast_keys();
        self.meta
            .request
            .iter()
            .map(|item| {
                if !item.children.is_empty() || item.default.is_some() || item.ty == Type::Array {
                    return None;
                }
                match item.expr.as_ref().map(|e| &e.0) {
                    None => Some(Fast::Const(Value::Null)),
                    Some(Kind::Const(v)) => Some(Fast::Const(v.clone())),
                    Some(Kind::Whole(r)) if r.builtin.is_none() && r.path.segs().len() == 1 => {
                        keys.iter().position(|k| *k == r.path.as_str()).map(Fast::Key)
                    }
                    _ => None,
                }
            })
            .collect()
    }

    /// Fills `{name}` placeholders of the interface name from evaluated parameters, which leave the body
    /// (dialect §3.7).
    ///
    /// # Errors
    /// A placeholder that nothing fills.
    pub fn fill_path(api: &str, rendered: &mut Rendered) -> Result<String, RenderError> {
        let mut out = String::new();
        let mut rest = api;
        while let Some((before, tail)) = rest.split_once('{') {
            let Some((name, after)) = tail.split_once('}') else { break };
            out.push_str(before);
            let fold = |s: &str| s.replace('_', "").to_ascii_lowercase();
            let mut value = None;
            for map in [&mut rendered.request, &mut rendered.other] {
                let key = map
                    .iter()
                    .map(|(k, _)| k.to_owned())
                    .find(|k| k == name)
                    .or_else(|| map.iter().map(|(k, _)| k.to_owned()).find(|k| fold(k) == fold(name)));
                if let Some(v) = key.and_then(|k| map.remove(&k)) {
                    value = Some(v.in_text());
                    break;
                }
            }
            let Some(value) = value.filter(|v| !v.is_empty()) else {
                let name = name.to_owned();
                return Err(RenderError {
                    code: "HL-2211".into(),
                    path: "api".into(),
                    field: name.clone(),
                    message: text!(
                        "nothing fills `{{{name}}}` in the path `{api}`; add an item with the field `{name}`",
                        "路径 `{api}` 中的 `{{{name}}}` 没有取值;请添加字段 `{name}`"
                    ),
                });
            };
            out.push_str(&escape_segment(&value));
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Percent-encodes what would leave a path segment.
fn escape_segment(s: &str) -> String {
    let mut out = String::new();
    for b in s.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn object(
    items: &[Item],
    ctx: &Context,
    scope: &Scope,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Map, RenderError> {
    let mut map = Map::new();
    for item in items {
        if let Some(v) = evaluate(item, ctx, scope, bound, warnings)?.filter(|v| !v.is_null()) {
            map.insert(item.field.clone(), v);
        }
    }
    Ok(map)
}

fn error(item: &Item, e: EvalError) -> RenderError {
    RenderError { code: e.code, path: item.path.clone(), field: item.field.clone(), message: e.message }
}

/// One item's value; `None` when it is left out.
fn evaluate(
    item: &Item,
    ctx: &Context,
    scope: &Scope,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Option<Value>, RenderError> {
    if item.is_container() {
        let built = container(item, ctx, scope, bound, warnings)?;
        return match built {
            Some(v) => finish(item, v, ctx, scope, warnings),
            None => Ok(None),
        };
    }
    if item.ty == Type::Array
        && let Some(Value::String(name)) = &item.value
        && item.parser.is_none()
        && !name.contains('{')
        && let Some(Value::Array(list)) = scope.resolve(&crate::path::Path::new(name))
    {
        // A bare name that is an array of the record.
        return finish(item, Value::Array(list), ctx, scope, warnings);
    }
    let v = match &item.expr {
        None => Value::Null,
        Some(e) => e.eval(ctx, scope, warnings).map_err(|e| error(item, e))?,
    };
    finish(item, v, ctx, scope, warnings)
}

/// Default, parser, cast, required (dialect §3.12, steps 1 and 4–7).
fn finish(
    item: &Item,
    v: Value,
    ctx: &Context,
    scope: &Scope,
    warnings: &mut Vec<Text>,
) -> Result<Option<Value>, RenderError> {
    let blank = matches!(&v, Value::Null) || matches!(&v, Value::String(s) if s.is_empty());
    let v = match &item.default {
        Some(d) if blank => d.eval(ctx, scope, warnings).map_err(|e| error(item, e))?,
        _ => v,
    };
    let has_value = item.expr.is_some() || item.default.is_some() || item.is_container();
    let v = match &item.parser {
        Some(p) if !v.is_null() || (has_value && p.takes_null()) => p.apply(v, &item.field, warnings),
        _ => v,
    };
    if item.required && (v.is_null() || matches!(&v, Value::String(s) if s.trim().is_empty())) {
        let field = item.field.clone();
        return Err(RenderError {
            code: "HL-2212".into(),
            path: item.path.clone(),
            message: text!("`{field}` is required and has no value", "`{field}` 为必填,但没有取值"),
            field,
        });
    }
    if v.is_null() {
        return Ok(None);
    }
    cast(item, v, ctx)
}

fn cast(item: &Item, v: Value, ctx: &Context) -> Result<Option<Value>, RenderError> {
    let wrong = |kind: Text| RenderError {
        code: "HL-2213".into(),
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
                        return Err(wrong(text!("`{field}` is `{shown}`, which is no number", "`{field}` 的值 `{shown}` 不是数字")));
                    }
                }
            }
        },
        Type::Bool => match to_bool(&v) {
            Some(b) => Value::Bool(b),
            None => {
                let shown = shown();
                return Err(wrong(text!("`{field}` is `{shown}`, which is neither true nor false", "`{field}` 的值 `{shown}` 不是布尔值")));
            }
        },
        Type::DateTime | Type::Date => match &v {
            Value::Number(_) => match times::read(&v, ctx.tz).and_then(|ms| times::wall(ms, ctx.tz)) {
                Some(t) => {
                    let form = if item.ty == Type::Date { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" };
                    Value::String(t.format(form).to_string())
                }
                None => v,
            },
            _ => v,
        },
        Type::Array => match v {
            Value::Array(_) => v,
            other => Value::Array(vec![other]),
        },
        Type::Object => v,
    }))
}

/// Exact number of a text: money keeps its digits, trailing zeros behind the point do not count.
fn number(t: &str, whole: bool) -> Option<Number> {
    let plain = t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    if !plain || t.len() > 100 {
        return None;
    }
    let d: bigdecimal::BigDecimal = t.parse().ok()?;
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

/// Builds an array or object from its children (rules C1–C14).
fn container(
    item: &Item,
    ctx: &Context,
    scope: &Scope,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Option<Value>, RenderError> {
    let name = match &item.value {
        Some(Value::String(s)) => {
            let t = s.trim().trim_start_matches('{').trim_end_matches('}').trim().to_owned();
            (!t.is_empty() && !t.contains(['{', '|', ' '])).then_some(t)
        }
        _ => None,
    };
    // A name below the bound row (C12) or of the record.
    let source = match &name {
        Some(n) => {
            let resolved = scope.resolve(&crate::path::Path::new(n));
            match (resolved, bound.is_empty()) {
                (None, false) => {
                    let full = format!("{bound}.{n}");
                    scope.resolve(&crate::path::Path::new(&full)).map(|v| (full, v))
                }
                (Some(v), _) => Some((n.clone(), v)),
                (None, true) => None,
            }
        }
        None => None,
    };
    if item.ty == Type::Object {
        let inner = match &source {
            Some((name, row @ Value::Object(_))) => object(&item.children, ctx, &scope.inside(name, row), name, warnings)?,
            _ => object(&item.children, ctx, scope, bound, warnings)?,
        };
        return Ok((!inner.is_empty()).then_some(Value::Object(inner)));
    }
    let rows = match &source {
        Some((name, Value::Array(list))) => {
            let mut rows = Vec::with_capacity(list.len());
            for row in list {
                rows.push(Value::Object(object(&item.children, ctx, &scope.inside(name, row), name, warnings)?));
            }
            return Ok(Some(Value::Array(rows)));
        }
        Some((name, row @ Value::Object(_))) => {
            object(&item.children, ctx, &scope.inside(name, row), name, warnings)?
        }
        // Absent (a flattened source), blank, or a scalar: the children once, over the record (C6, C8).
        _ => object(&item.children, ctx, scope, bound, warnings)?,
    };
    Ok((!rows.is_empty()).then(|| Value::Array(vec![Value::Object(rows)])))
}

/// True when the rendering of a target holds nothing to send (dialect §3.6: the record fails).
pub fn nothing_to_send(meta: &Metadata, rendered: &Rendered) -> bool {
    meta.side == Side::Target && !meta.request.is_empty() && rendered.request.is_empty()
}

/// Evaluates one stand-alone expression with everything around it; used by tests and the command line.
pub(crate) fn single(
    expr: &Value,
    ty: &str,
    parser: Option<&Value>,
    ctx: &Context,
    scope: &Scope,
    warnings: &mut Vec<Text>,
) -> Result<Value, RenderError> {
    let mut map = Map::new();
    map.insert("field", Value::from("value"));
    map.insert("type", Value::from(ty));
    map.insert("value", expr.clone());
    if let Some(p) = parser {
        map.insert("parser", p.clone());
    }
    let mut doc = Map::new();
    doc.insert("api", Value::from("eval"));
    doc.insert("request", Value::Array(vec![Value::Object(map)]));
    let (meta, _) = Metadata::from_value(Value::Object(doc), Side::Target);
    let Some(item) = meta.request.first() else { return Ok(Value::Null) };
    // `Expr` sees the value as it is, so that nothing but the expression decides.
    debug_assert!(item.expr.is_some() || expr.is_null());
    Ok(evaluate(item, ctx, scope, "", warnings)?.unwrap_or(Value::Null))
}

/// Compiles an expression for callers outside of metadata.
pub fn expression(v: &Value) -> Expr {
    Expr::compile(v)
}
