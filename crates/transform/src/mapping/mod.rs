//! Evaluated requests: items become an object, or a row of values in column order (dialect §3.5, §3.6, §3.12).

mod cast;
mod container;
mod item;

pub(crate) use self::cast::{cast, to_bool};
use self::item::object;
pub(crate) use self::item::{evaluate, finish};
use crate::context::{Context, Scope};
use crate::expr::Expr;
use crate::extract::{self, Extractor};
use crate::members::Members;
use crate::metadata::{Metadata, Side};
use crate::raw::{RawPlan, unreadable};
use crate::steps::{FieldSteps, Trace};
use crate::{Map, Text, Value, text};

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
