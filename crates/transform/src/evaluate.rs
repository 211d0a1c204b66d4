//! One expression or one document at a time, as `heliu eval` and `heliu render` ask.

use std::sync::Mutex;

use chrono_tz::Tz;

use crate::context::{Context, Lookup, Scope};
use crate::mapping::{self, Rendered, Request};
use crate::metadata::{Metadata, Side};
use crate::{Map, Problem, Severity, Text, Value, grouping, text};

/// A wish to evaluate one expression.
#[derive(Clone)]
pub struct EvalRequest<'a> {
    /// The value expression (any JSON value).
    pub expr: &'a Value,
    /// The record.
    pub record: Option<&'a Value>,
    /// `path:n`: the row that is bound, n from 0.
    pub row: Option<&'a str>,
    /// CURRENT_TIME, unix seconds.
    pub now: i64,
    /// LAST_SYNC_TIME, unix seconds.
    pub last_sync: i64,
    /// Zone.
    pub tz: Tz,
    /// Item type.
    pub ty: Option<&'a str>,
    /// Item parser.
    pub parser: Option<&'a Value>,
    /// A `_function` that cannot be evaluated is an error.
    pub strict: bool,
    /// Records of other plans.
    pub lookups: Option<&'a dyn Lookup>,
}

/// A failure with code, sentence and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluateError {
    /// Stable code.
    pub code: String,
    /// The sentence.
    pub message: Text,
    /// JSON path, or empty.
    pub path: String,
    /// Character position in the expression, where it is known.
    pub position: Option<usize>,
}

impl From<mapping::RenderError> for EvaluateError {
    fn from(e: mapping::RenderError) -> Self {
        EvaluateError { code: e.code, message: e.message, path: e.path, position: e.position }
    }
}

/// Lookups of a single evaluation: what cannot be answered finds nothing, with a warning. Runs ask the store itself:
/// there only a plan without records finds nothing (rule L14), and a store that cannot be read fails the record.
struct Forgiving<'a> {
    store: Option<&'a dyn Lookup>,
    said: Mutex<Vec<Text>>,
}

impl<'a> Forgiving<'a> {
    fn new(store: Option<&'a dyn Lookup>) -> Self {
        Forgiving { store, said: Mutex::new(Vec::new()) }
    }

    fn ask(
        &self,
        ask: impl FnOnce(&dyn Lookup) -> Result<Option<Value>, Text>,
    ) -> Result<Option<Value>, Text> {
        let why = match self.store.map(ask) {
            Some(Ok(found)) => return Ok(found),
            Some(Err(why)) => why,
            None => crate::expr::no_store(),
        };
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !said.contains(&why) {
            said.push(why);
        }
        Ok(None)
    }

    fn warnings(self) -> Vec<Text> {
        self.said.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Lookup for Forgiving<'_> {
    fn find(&self, scheme: &str, field: &str, conditions: &[(String, Value)]) -> Result<Option<Value>, Text> {
        self.ask(|store| store.find(scheme, field, conditions))
    }

    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        self.ask(|store| store.mongo(scheme, field, filter))
    }

    fn exchange(&self, map: &str, value: &Value, reverse: bool) -> Result<Option<Value>, Text> {
        self.store.map_or(Ok(None), |store| store.exchange(map, value, reverse))
    }
}

/// Evaluates one expression with type and parser; the value and the warnings.
///
/// # Errors
/// A wrong row, or what cannot be evaluated or cast.
pub fn evaluate(request: &EvalRequest) -> Result<(Value, Vec<Text>), EvaluateError> {
    let forgiving = Forgiving::new(request.lookups);
    let ctx = Context {
        strict: request.strict,
        lookups: if request.strict { request.lookups } else { Some(&forgiving) },
        ..Context::new(request.last_sync, request.now, request.tz)
    };
    let scope = Scope::new(request.record);
    let mut warnings = Vec::new();
    let row_value;
    let scope = match request.row {
        None => scope,
        Some(row) => {
            let bad = |row: &str| EvaluateError {
                code: "HL-2220".into(),
                message: text!(
                    "`{row}` names no row of the record; write `path:n` with n from 0, such as `items:0`",
                    "`{row}` 不是该数据的行;请写成 `路径:n`(n 从 0 开始),例如 `items:0`"
                ),
                path: "row".into(),
                position: None,
            };
            let (path, n) = row.rsplit_once(':').ok_or_else(|| bad(row))?;
            let n: usize = n.trim().parse().map_err(|_| bad(row))?;
            let list = request.record.and_then(|r| r.get_path(path));
            let Some(Value::Array(rows)) = list else { return Err(bad(row)) };
            row_value = rows.get(n).cloned().ok_or_else(|| bad(row))?;
            scope.inside(path, &row_value)
        }
    };
    let v = mapping::single(
        request.expr,
        request.ty.unwrap_or("string"),
        request.parser,
        &ctx,
        &scope,
        &mut warnings,
    )?;
    warnings.extend(forgiving.warnings());
    Ok((v, warnings))
}

/// A wish to render a document.
#[derive(Clone)]
pub struct RenderRequest<'a> {
    /// The document.
    pub metadata: &'a Value,
    /// Records; several form what `operation` says.
    pub records: &'a [Value],
    /// Page number.
    pub page: i64,
    /// Rows per page, if not the document's.
    pub page_size: Option<i64>,
    /// CURRENT_TIME, unix seconds.
    pub now: i64,
    /// LAST_SYNC_TIME, unix seconds.
    pub last_sync: i64,
    /// Zone.
    pub tz: Tz,
    /// Records of other plans.
    pub lookups: Option<&'a dyn Lookup>,
}

/// Renders a document: `{"api","method","request","otherRequest"}`, or a list of those for several records.
///
/// # Errors
/// A document that is wrong, or an item that cannot be evaluated.
pub fn render(request: &RenderRequest) -> Result<(Value, Vec<Text>), EvaluateError> {
    let forgiving = Forgiving::new(request.lookups);
    let (value, mut warnings) = render_with(request, &forgiving)?;
    warnings.extend(forgiving.warnings());
    Ok((value, warnings))
}

fn render_with(request: &RenderRequest, lookups: &dyn Lookup) -> Result<(Value, Vec<Text>), EvaluateError> {
    let side = if request.records.is_empty() { Side::Source } else { Side::Target };
    let (meta, problems) = Metadata::from_value(request.metadata.clone(), side);
    if let Some(p) = problems.into_iter().find(|p: &Problem| p.severity == Severity::Error && fatal(&p.code))
    {
        return Err(EvaluateError { code: p.code, message: p.message, path: p.path, position: None });
    }
    let page_size = request.page_size.or(meta.page_size.map(i64::from)).unwrap_or(100);
    let ctx = Context {
        page: request.page,
        page_size,
        start_row: (request.page - 1).max(0) * page_size,
        lookups: Some(lookups),
        ..Context::new(request.last_sync, request.now, request.tz)
    };
    let plan = Request::compile(&meta);
    if request.records.is_empty() {
        let mut rendered = plan.render(&ctx, None)?;
        let warnings = std::mem::take(&mut rendered.warnings);
        return Ok((document(&meta, rendered)?, warnings));
    }
    let mut out = Vec::new();
    let mut warnings = Vec::new();
    let units = grouping::units(&meta, request.records);
    let rows = grouping::rows_per_request(&meta);
    let grouped = rows.is_some();
    let mut rendered: Vec<Rendered> = Vec::new();
    for unit in &units {
        let mut r = plan.render(&ctx, Some(&unit.record))?;
        warnings.append(&mut r.warnings);
        rendered.push(r);
    }
    if let Some(rows) = rows {
        for chunk in rendered.chunks(rows) {
            let mut map = head(&meta, &meta.api);
            map.insert(
                "request",
                Value::Array(chunk.iter().map(|r| Value::Object(r.request.clone())).collect()),
            );
            map.insert(
                "otherRequest",
                Value::Object(chunk.first().map(|r| r.other.clone()).unwrap_or_default()),
            );
            out.push(Value::Object(map));
        }
    } else {
        for r in rendered {
            out.push(document(&meta, r)?);
        }
    }
    let single = request.records.len() == 1 || (out.len() == 1 && !grouped);
    let value = match out.pop() {
        Some(only) if single && out.is_empty() => only,
        Some(last) => {
            out.push(last);
            Value::Array(out)
        }
        None => Value::Array(out),
    };
    Ok((value, warnings))
}

/// Findings that leave nothing to render; others show themselves in the result.
fn fatal(code: &str) -> bool {
    matches!(code, "HL-2001" | "HL-2006")
}

fn head(meta: &Metadata, api: &str) -> Map {
    let mut map = Map::new();
    map.insert("api", Value::from(api));
    map.insert("method", Value::from(meta.method.as_str()));
    map
}

fn document(meta: &Metadata, mut rendered: Rendered) -> Result<Value, EvaluateError> {
    let api =
        if meta.api.contains('{') { Request::fill_path(&meta.api, &mut rendered)? } else { meta.api.clone() };
    let mut map = head(meta, &api);
    map.insert("request", Value::Object(rendered.request));
    map.insert("otherRequest", Value::Object(rendered.other));
    Ok(Value::Object(map))
}
