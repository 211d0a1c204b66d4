//! Arrays and objects built from an item's children (dialect §3.5).

use std::borrow::Cow;

use super::RenderError;
use super::item::object;
use crate::context::{Context, Scope};
use crate::items::{Item, Type};
use crate::path::Path;
use crate::{Map, Text, Value};

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
pub(super) fn container<'a>(
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
