//! Parameters by their name, dots leading into objects.

use heliu_transform::{Map, Value};

pub(super) fn get<'a>(params: &'a Map, field: &str) -> Option<&'a Value> {
    let mut segs = field.split('.');
    let mut at = params.get(segs.next()?)?;
    for seg in segs {
        at = at.as_object()?.get(seg)?;
    }
    Some(at)
}

/// Sets a parameter; dots lead into objects, which are made.
pub(super) fn set(params: &mut Map, field: &str, value: Value) {
    let Some((head, rest)) = field.split_once('.') else {
        params.insert(field, value);
        return;
    };
    if !matches!(params.get(head), Some(Value::Object(_))) {
        params.insert(head, Value::Object(Map::new()));
    }
    if let Some(Value::Object(inner)) = params.get_mut(head) {
        set(inner, rest, value);
    }
}

/// Sets a page parameter, keeping text where the author wrote text.
pub(super) fn put(params: &mut Map, field: Option<&str>, n: i64) {
    let Some(field) = field else { return };
    let value = match get(params, field) {
        Some(Value::String(_)) => Value::from(n.to_string()),
        _ => Value::from(n),
    };
    set(params, field, value);
}
