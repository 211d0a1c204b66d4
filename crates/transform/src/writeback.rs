//! What is kept and passed on after a successful write (dialect §6.8).

use crate::context::{Context, Scope};
use crate::items::{Item, Type};
use crate::metadata::{Metadata, Side};
use crate::{Map, Text, Value};

/// The `primaryWriteback` of a record: its children read from the target's reply; `None` when the document has none or
/// nothing was found. `record` is the written record, for children that name its fields.
pub fn primary(meta: &Metadata, ctx: &Context, reply: &Value, record: Option<&Value>) -> Option<Value> {
    let item = meta.response.iter().find(|i| i.field == "primaryWriteback")?;
    let rows = match (item.ty, reply) {
        (Type::Array, Value::Array(list)) => {
            Value::Array(list.iter().map(|r| children(item, ctx, r, record)).collect())
        }
        _ => children(item, ctx, reply, record),
    };
    (!rows.is_blank() && rows.as_object().is_none_or(|m| !m.is_empty())).then_some(rows)
}

fn children(item: &Item, ctx: &Context, reply: &Value, record: Option<&Value>) -> Value {
    let ctx = Context { strict: false, ..*ctx };
    // The reply comes first; what it does not have may be a field of the record.
    let scope = Scope::new(Some(reply));
    let scope = match record {
        Some(r) => scope.inside("content", r),
        None => scope,
    };
    let mut map = Map::new();
    for child in &item.children {
        let v = child.expr.as_ref().and_then(|e| e.eval(&ctx, &scope, &mut Vec::new()).ok());
        if let Some(v) = v.filter(|v| !v.is_null()) {
            map.insert(child.field.clone(), v);
        }
    }
    Value::Object(map)
}

/// The plan that `callBackStrategy` names, and the object it receives: values over the record and its
/// `primaryWriteback`.
pub fn callback(
    meta: &Metadata,
    ctx: &Context,
    record: &Value,
    primary: Option<&Value>,
    warnings: &mut Vec<Text>,
) -> Option<(String, Value)> {
    let (plan, values) = meta.callback.as_ref().filter(|_| meta.side == Side::Target)?;
    let mut root = record.as_object().cloned().unwrap_or_default();
    if let Some(p) = primary {
        root.insert("primaryWriteback", folded(p));
    }
    let root = Value::Object(root);
    let ctx = Context { strict: false, ..*ctx };
    let mut map = Map::new();
    for (name, e) in values {
        if let Ok(v) = e.eval(&ctx, &Scope::new(Some(&root)), warnings)
            && !v.is_null()
        {
            map.insert(name.clone(), v);
        }
    }
    Some((plan.clone(), Value::Object(map)))
}

/// Members under their own names, and under the names with the other first letter: published documents mix `number`
/// and `Number`.
fn folded(v: &Value) -> Value {
    let Value::Object(map) = v else { return v.clone() };
    let mut out = map.clone();
    for (k, v) in map.iter() {
        let mut chars = k.chars();
        if let Some(first) = chars.next() {
            let turned: String = if first.is_lowercase() {
                first.to_uppercase().collect()
            } else {
                first.to_lowercase().collect()
            };
            let name = turned + chars.as_str();
            if out.get(&name).is_none() {
                out.insert(name, v.clone());
            }
        }
    }
    Value::Object(out)
}
