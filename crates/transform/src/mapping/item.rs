//! One item's value, step by step (dialect §3.12).

use super::RenderError;
use super::cast::cast;
use super::container::container;
use crate::context::{Context, Scope};
use crate::expr::EvalError;
use crate::items::{Item, Miss, StaticMap, Type};
use crate::members::Members;
use crate::steps::Stage;
use crate::{Map, Text, Value, text};

pub(super) fn object<'a>(
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
