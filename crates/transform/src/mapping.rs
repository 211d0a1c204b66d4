//! Evaluated requests: items become an object, or a row of values in column order (dialect §3.5, §3.6, §3.12).

use std::borrow::Cow;

use bigdecimal::{RoundingMode, ToPrimitive};

use crate::context::{Context, Scope};
use crate::expr::{EvalError, Expr};
use crate::extract::{self, Extractor};
use crate::items::{Item, Miss, StaticMap, Type};
use crate::members::Members;
use crate::metadata::{Metadata, Side};
use crate::path::Path;
use crate::raw::{RawPlan, unreadable};
use crate::steps::{FieldSteps, Stage, Trace};
use crate::{Map, Number, Text, Value, text, times};

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
    /// Character position in the item's expression, where it is known.
    pub position: Option<usize>,
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
    /// The request as a row of values, and as an object.
    row: RawPlan,
    body: RawPlan,
    /// What `otherRequest` reads of a record.
    other: Extractor,
}

impl Request {
    /// Compiles a document. Findings about its expressions come from [`Metadata::parse`].
    pub fn compile(meta: &Metadata) -> Request {
        Request {
            row: RawPlan::row_of(&meta.request),
            body: RawPlan::of(&meta.request),
            other: RawPlan::members(&meta.other_request),
            meta: meta.clone(),
        }
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
            // Most columns are a member as it is.
            if item.is_plain()
                && ctx.trace.is_none()
                && let Some(v) = item.expr.as_ref().and_then(|e| e.member(record))
            {
                out.push(v.clone());
                continue;
            }
            out.push(evaluate(item, &ctx, &scope, "", &mut warnings)?.unwrap_or(Value::Null));
        }
        Ok(())
    }

    /// As [`Request::render_row`], from the record's raw JSON; reads only what the items name.
    ///
    /// # Errors
    /// As [`Request::render_row`]; content that is no JSON object.
    pub fn render_row_raw(
        &self,
        ctx: &Context,
        raw: &[u8],
        out: &mut Vec<Value>,
        warnings: &mut Vec<Text>,
    ) -> Result<(), RenderError> {
        let ctx = Context { strict: ctx.strict && self.meta.strict, ..*ctx };
        self.row.render(&self.meta.request, &ctx, raw, out, warnings)
    }

    /// As [`Request::render`], from the record's raw JSON; reads only what the items name.
    ///
    /// # Errors
    /// As [`Request::render`]; content that is no JSON object.
    pub fn render_raw(&self, ctx: &Context, raw: &[u8]) -> Result<Rendered, RenderError> {
        let ctx = Context { strict: ctx.strict && self.meta.strict, trace: None, ..*ctx };
        let (mut warnings, mut values) = (Vec::new(), Vec::with_capacity(self.meta.request.len()));
        self.body.render(&self.meta.request, &ctx, raw, &mut values, &mut warnings)?;
        let mut members = Members::with_capacity(values.len());
        for (item, v) in self.meta.request.iter().zip(values) {
            if !v.is_null() {
                members.put(item.key.clone(), v);
            }
        }
        let request = members.into_map();
        let mut found = Vec::new();
        if !self.other.paths().is_empty() {
            self.other.extract(raw, &mut found).map_err(|e| unreadable(e.text()))?;
        }
        let record = extract::partial(self.other.paths(), &mut found);
        let scope = Scope::new(Some(&record));
        let other = object(&self.meta.other_request, &ctx, &scope, "", &mut warnings)?;
        Ok(Rendered { request, other, warnings })
    }

    /// How each field of `request` and `otherRequest` comes about for a record; failures are in the list.
    pub fn explain(&self, ctx: &Context, record: Option<&Value>) -> Vec<FieldSteps> {
        let trace = Trace::default();
        let ctx = Context { strict: ctx.strict && self.meta.strict, trace: Some(&trace), ..*ctx };
        let scope = Scope::new(record);
        for items in [&self.meta.request, &self.meta.other_request] {
            // With a trace nothing ends early.
            let _ = object(items, &ctx, &scope, "", &mut Vec::new());
        }
        trace.into_fields()
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
                    position: None,
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

fn object<'a>(
    items: &'a [Item],
    ctx: &Context,
    scope: &Scope<'a>,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Map, RenderError> {
    let mut members = Members::with_capacity(items.len());
    for item in items {
        let v = match evaluate(item, ctx, scope, bound, warnings) {
            // A trace shows every field; what failed is in it.
            Err(_) if ctx.trace.is_some() => continue,
            v => v?,
        };
        if let Some(v) = v.filter(|v| !v.is_null()) {
            members.put(item.key.clone(), v);
        }
    }
    Ok(members.into_map())
}

fn error(item: &Item, e: EvalError) -> RenderError {
    RenderError {
        code: e.code,
        path: item.path.clone(),
        field: item.field.clone(),
        message: e.message,
        position: e.position,
    }
}

/// One item's value; `None` when it is left out.
pub(crate) fn evaluate<'a>(
    item: &'a Item,
    ctx: &Context,
    scope: &Scope<'a>,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Option<Value>, RenderError> {
    if item.is_container() {
        let built = container(item, ctx, scope, bound, warnings)?;
        return finish(item, built.unwrap_or(Value::Null), ctx, scope, warnings);
    }
    if item.ty == Type::Array
        && let (Some(Value::String(written)), Some(name)) = (&item.value, &item.source)
        && !written.contains('{')
        && let Some(Value::Array(list)) = scope.resolve(name)
    {
        // A bare name that is an array of the record.
        return finish(item, Value::Array(list), ctx, scope, warnings);
    }
    let v = match &item.expr {
        None => Value::Null,
        Some(e) => e.eval(ctx, scope, warnings).map_err(|e| {
            let e = error(item, e);
            if let Some(trace) = ctx.trace {
                trace.field(item, scope, Vec::new(), Err(&e));
            }
            e
        })?,
    };
    finish(item, v, ctx, scope, warnings)
}

/// Default, parser, cast, required (dialect §3.12, steps 1 and 4–7).
pub(crate) fn finish(
    item: &Item,
    v: Value,
    ctx: &Context,
    scope: &Scope,
    warnings: &mut Vec<Text>,
) -> Result<Option<Value>, RenderError> {
    let Some(trace) = ctx.trace else {
        if item.is_plain() {
            return Ok((!v.is_null()).then_some(v));
        }
        return stages(item, v, ctx, scope, warnings, None);
    };
    let mut seen = Vec::new();
    let result = stages(item, v, ctx, scope, warnings, Some(&mut seen));
    let shown = match &result {
        Ok(value) => Ok(value.clone()),
        Err(error) => Err(error),
    };
    trace.field(item, scope, seen, shown);
    result
}

/// The steps themselves; what each came to goes into `seen`.
fn stages(
    item: &Item,
    v: Value,
    ctx: &Context,
    scope: &Scope,
    warnings: &mut Vec<Text>,
    mut seen: Option<&mut Vec<(Stage, Value)>>,
) -> Result<Option<Value>, RenderError> {
    let mut note = |stage: Stage, v: &Value| {
        if let Some(list) = seen.as_deref_mut() {
            list.push((stage, v.clone()));
        }
    };
    note(Stage::Value, &v);
    let blank = matches!(&v, Value::Null) || matches!(&v, Value::String(s) if s.is_empty());
    let v = match &item.default {
        Some(d) if blank => d.eval(ctx, scope, warnings).map_err(|e| error(item, e))?,
        _ => v,
    };
    if blank && item.default.is_some() {
        note(Stage::Default, &v);
    }
    let has_value = item.expr.is_some() || item.default.is_some() || item.is_container();
    let v = match &item.mapping {
        Some(map) if !v.is_null() => exchange(item, map, v, ctx, warnings)?,
        _ => v,
    };
    if item.mapping.is_some() {
        note(Stage::Mapping, &v);
    }
    let v = match &item.parser {
        Some(p) if !v.is_null() || (has_value && p.takes_null()) => p.apply(v, &item.field, ctx.tz, warnings),
        _ => v,
    };
    if item.parser.is_some() {
        note(Stage::Parser, &v);
    }
    let v = match (&item.each, v) {
        (Some(each), Value::Array(list)) => {
            let made = list.iter().map(|one| each.eval(ctx, &scope.inside("item", one), warnings));
            Value::Array(made.collect::<Result<_, _>>().map_err(|e| error(item, e))?)
        }
        (_, v) => v,
    };
    if item.each.is_some() {
        note(Stage::Each, &v);
    }
    if item.required && (v.is_null() || matches!(&v, Value::String(s) if s.trim().is_empty())) {
        let field = item.field.clone();
        return Err(RenderError {
            code: "HL-2212".into(),
            position: None,
            path: item.path.clone(),
            message: text!("`{field}` is required and has no value", "`{field}` 为必填,但没有取值"),
            field,
        });
    }
    if v.is_null() {
        return Ok(None);
    }
    let v = cast(item, v, ctx.tz)?;
    if let (Some(v), true) = (&v, item.ty != Type::Text) {
        note(Stage::Cast, v);
    }
    Ok(v)
}

/// The static map's value for `v` (dialect §3.12, step 4).
fn exchange(
    item: &Item,
    map: &StaticMap,
    v: Value,
    ctx: &Context,
    warnings: &mut Vec<Text>,
) -> Result<Value, RenderError> {
    let found = match (map.find(&v), &map.table, ctx.lookups) {
        (Some(to), ..) => Some(to),
        (None, Some(table), Some(store)) => match store.exchange(table, &v, map.reverse) {
            Ok(found) => found,
            Err(why) if map.miss == Miss::Error => return Err(error(item, EvalError::new("HL-2215", why))),
            Err(why) => {
                warnings.push(why);
                None
            }
        },
        _ => None,
    };
    match (found, &map.miss) {
        (Some(to), _) => Ok(to),
        (None, Miss::Keep) => Ok(v),
        (None, Miss::Default(d)) => Ok(d.clone()),
        (None, Miss::Error) => {
            let (field, shown) = (item.field.clone(), v.in_text().chars().take(60).collect::<String>());
            Err(RenderError {
                code: "HL-2215".into(),
                position: None,
                path: item.path.clone(),
                message: text!(
                    "`{field}` is `{shown}`, which its value map does not hold",
                    "`{field}` 的值 `{shown}` 不在映射表中"
                ),
                field,
            })
        }
    }
}

/// The value as its item's type has it (dialect §3.6).
pub(crate) fn cast(item: &Item, v: Value, tz: chrono_tz::Tz) -> Result<Option<Value>, RenderError> {
    let wrong = |kind: Text| RenderError {
        code: "HL-2213".into(),
        position: None,
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
                        return Err(wrong(text!(
                            "`{field}` is `{shown}`, which is no number",
                            "`{field}` 的值 `{shown}` 不是数字"
                        )));
                    }
                }
            }
        },
        Type::Bool => match to_bool(&v) {
            Some(b) => Value::Bool(b),
            None => {
                let shown = shown();
                return Err(wrong(text!(
                    "`{field}` is `{shown}`, which is neither true nor false",
                    "`{field}` 的值 `{shown}` 不是布尔值"
                )));
            }
        },
        Type::DateTime | Type::Date => match &v {
            Value::Number(_) => match times::read_wall(&v, tz) {
                Some(t) if item.ty == Type::Date => Value::from(times::date_text(t)),
                Some(t) => Value::from(times::datetime_text(t)),
                None => v,
            },
            _ => v,
        },
        Type::Array => match v {
            Value::Array(_) => v,
            // What a parser made of a list stays: ArrayToString is there for a text (A11), ConvertObjectParser for an
            // object around all rows (C15).
            Value::String(_) | Value::Object(_) if item.parser.is_some() => v,
            other => Value::Array(vec![other]),
        },
        Type::Object => v,
    }))
}

/// Exact number of a text: money keeps its digits, trailing zeros behind the point do not count.
fn number(t: &str, whole: bool) -> Option<Number> {
    if let Some(n) = plain_number(t, whole) {
        return Some(n);
    }
    let plain = t.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    if !plain || t.len() > 100 {
        return None;
    }
    let d = crate::value::decimal(t)?;
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

/// The usual spellings, `-12.50` and the like, without arithmetic.
fn plain_number(t: &str, whole: bool) -> Option<Number> {
    let digits = t.strip_prefix('-').unwrap_or(t);
    let (int, frac) = digits.split_once('.').unwrap_or((digits, ""));
    let fine = !int.is_empty()
        && (int.len() == 1 || !int.starts_with('0'))
        && int.bytes().chain(frac.bytes()).all(|b| b.is_ascii_digit())
        && !(digits.len() > int.len() && frac.is_empty());
    let frac = frac.trim_end_matches('0');
    if !fine || (whole && !frac.is_empty()) || (int == "0" && frac.is_empty()) {
        return None;
    }
    let kept = t.len() - digits.len() + int.len() + if frac.is_empty() { 0 } else { frac.len() + 1 };
    Number::from_text(t.get(..kept)?)
}

/// A container's children over one row.
fn members<'a>(
    item: &'a Item,
    row: Option<usize>,
    ctx: &Context,
    scope: &Scope<'a>,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Map, RenderError> {
    if let Some(trace) = ctx.trace {
        trace.enter(&item.field, row);
    }
    let map = object(&item.children, ctx, scope, bound, warnings);
    if let Some(trace) = ctx.trace {
        trace.leave();
    }
    map
}

/// Builds an array or object from its children (rules C1–C14); `None` when nothing is in it.
fn container<'a>(
    item: &'a Item,
    ctx: &Context,
    scope: &Scope<'a>,
    bound: &str,
    warnings: &mut Vec<Text>,
) -> Result<Option<Value>, RenderError> {
    // A name of the record or of a bound row; else one below the bound row (C12), reached by either spelling.
    let source = item.source.as_ref().and_then(|name| {
        let own = bound.is_empty() || !scope.only_in_row(name);
        if own && let Some(v) = scope.find(name) {
            return Some((Cow::Borrowed(name), false, v));
        }
        let full = Path::new(&format!("{bound}.{}", name.as_str()));
        let v = if bound.is_empty() { None } else { scope.find(&full) }?;
        Some((Cow::Owned(full), true, v))
    });
    let one = |map: Map| (!map.is_empty()).then_some(Value::Object(map));
    let only = (item.ty == Type::Array).then_some(0);
    let Some((name, relative, value)) = &source else {
        // Absent (a flattened source) or blank: the children once, over the record (C6, C8).
        let row = one(members(item, only, ctx, scope, bound, warnings)?);
        return Ok(if item.ty == Type::Object { row } else { row.map(|r| Value::Array(vec![r])) });
    };
    let bind = |row| {
        let inner = narrow(scope).within(Cow::Borrowed(name), row);
        match &item.source {
            Some(short) if *relative => inner.within(Cow::Borrowed(short), row),
            _ => inner,
        }
    };
    match (&**value, item.ty) {
        (row @ Value::Object(_), ty) => {
            let inner = bind(row);
            let row = one(members(item, only, ctx, &inner, name.as_str(), warnings)?);
            Ok(if ty == Type::Object { row } else { row.map(|r| Value::Array(vec![r])) })
        }
        (Value::Array(list), Type::Array) => {
            let mut rows = Vec::with_capacity(list.len());
            let mut inner = bind(&Value::Null);
            for (n, row) in list.iter().enumerate() {
                inner.move_to(row, 1 + usize::from(*relative));
                rows.push(Value::Object(members(item, Some(n), ctx, &inner, name.as_str(), warnings)?));
            }
            // Rows that all came out empty are no rows; an empty array of the record stays one (C7).
            let nothing = !rows.is_empty() && rows.iter().all(|r| r.as_object().is_some_and(Map::is_empty));
            Ok((!nothing).then_some(Value::Array(rows)))
        }
        _ => {
            let row = one(members(item, only, ctx, scope, bound, warnings)?);
            Ok(if item.ty == Type::Object { row } else { row.map(|r| Value::Array(vec![r])) })
        }
    }
}

/// The same scope for a shorter time, so that rows built here can be bound in it.
fn narrow<'b, 'a: 'b>(scope: &'b Scope<'a>) -> &'b Scope<'b> {
    scope
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
    let scope = &scope.clone();
    // `Expr` sees the value as it is, so that nothing but the expression decides.
    debug_assert!(item.expr.is_some() || expr.is_null());
    Ok(evaluate(item, ctx, scope, "", warnings)?.unwrap_or(Value::Null))
}

/// Compiles an expression for callers outside of metadata.
pub fn expression(v: &Value) -> Expr {
    Expr::compile(v)
}
