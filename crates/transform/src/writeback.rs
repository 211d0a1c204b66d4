//! What is kept and passed on after a successful write (dialect §6.8).

use crate::context::{Context, Scope};
use crate::expr::Kind;
use crate::items::{Item, Type};
use crate::metadata::{Metadata, Side};
use crate::{Map, Text, Value};

/// Where replies have their data when the document does not say so.
const DATA: &[&str] = &["data", "Result", "result"];

/// True when a success leaves something behind: a `primaryWriteback` or a `callBackStrategy`.
pub fn declared(meta: &Metadata) -> bool {
    meta.side == Side::Target
        && (meta.callback.is_some() || meta.response.iter().any(|i| i.field == "primaryWriteback"))
}

/// The plan that `callBackStrategy` names.
pub fn receiving_plan(meta: &Metadata) -> Option<&str> {
    meta.callback.as_ref().filter(|_| meta.side == Side::Target).map(|c| c.plan.as_str())
}

/// Keys of `callBackStrategy` that are written and change nothing here.
pub fn without_effect(meta: &Metadata) -> &[&'static str] {
    meta.callback.as_ref().filter(|_| meta.side == Side::Target).map_or(&[], |c| c.idle.as_slice())
}

/// The `primaryWriteback` of a record: its children read from the target's reply; `None` when the document has none or
/// nothing was found. `record` is the written record, for children that name its fields.
pub fn primary(meta: &Metadata, ctx: &Context, reply: &Value, record: Option<&Value>) -> Option<Value> {
    let item = meta.response.iter().find(|i| i.field == "primaryWriteback")?;
    let rows = match (item.ty, reply) {
        (Type::Array, Value::Array(list)) => {
            Value::Array(list.iter().map(|r| children(meta, item, ctx, r, record)).collect())
        }
        _ => children(meta, item, ctx, reply, record),
    };
    (!rows.is_blank() && rows.as_object().is_none_or(|m| !m.is_empty())).then_some(rows)
}

fn children(meta: &Metadata, item: &Item, ctx: &Context, reply: &Value, record: Option<&Value>) -> Value {
    let ctx = Context { strict: false, ..*ctx };
    // The reply comes first, then what lies in its envelope, where the document or custom has the data; what neither
    // has may be a field of the record.
    let named = meta.other_response.iter().filter(|(key, _)| key.eq_ignore_ascii_case("DataKey"));
    let named = named.map(|(_, path)| path.replace('/', "."));
    let inner = named.chain(DATA.iter().map(|p| (*p).to_owned()));
    let inner: Vec<Value> =
        inner.filter_map(|p| reply.get_path(&p)).filter(|v| v.as_object().is_some()).collect();
    // The batch form names its members in `itemMapping` (dialect §6.8).
    let named = match item.each.as_ref().map(|e| &e.0) {
        Some(Kind::Object(members)) => members.as_slice(),
        _ => &[],
    };
    let named = named.iter().map(|(name, e)| (name, e));
    let children = item.children.iter().filter_map(|c| Some((&c.field, c.expr.as_ref()?)));
    let mut map = Map::new();
    for (name, expr) in children.chain(named) {
        let read = |part: &Value| {
            let scope = Scope::new(Some(part));
            let scope = match record {
                Some(r) => scope.inside("content", r),
                None => scope,
            };
            // `_response` is the reply as a whole.
            let scope = scope.inside("_response", reply);
            expr.eval(&ctx, &scope, &mut Vec::new()).ok()
        };
        let first = read(reply).filter(|v| !v.is_null());
        let said = first.as_ref().is_some_and(|v| !v.is_blank());
        let within = || inner.iter().filter_map(&read).find(|v| !v.is_blank());
        if let Some(v) = (!said).then(within).flatten().or(first) {
            map.insert(name.clone(), v);
        }
    }
    Value::Object(map)
}

/// The plan that `callBackStrategy` names, and the object it receives: values over the record and its
/// `primaryWriteback`; `None` where its condition does not hold.
pub fn callback(
    meta: &Metadata,
    ctx: &Context,
    record: &Value,
    primary: Option<&Value>,
    warnings: &mut Vec<Text>,
) -> Option<(String, Value)> {
    let passing = meta.callback.as_ref().filter(|_| meta.side == Side::Target)?;
    let mut root = record.as_object().cloned().unwrap_or_default();
    if let Some(p) = primary {
        root.insert("primaryWriteback", folded(p));
    }
    let object = passing.object(ctx, &Value::Object(root), warnings)?;
    Some((passing.plan.clone(), object))
}

/// Members under their own names, and under the names with the other first letter: published documents mix `number`
/// and `Number`.
pub fn folded(v: &Value) -> Value {
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
