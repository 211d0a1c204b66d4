//! How large a value is in memory, and how deep: what a configuration makes of a record is bounded by these, so that
//! rules that copy what other rules copied end in a rejected record instead of in a full memory.

use crate::Value;

/// What a value takes besides its text, about: a slot in its list or object.
const SLOT: usize = 32;

/// Bytes in memory, about.
pub(crate) fn size(v: &Value) -> usize {
    SLOT + match v {
        Value::String(s) => s.len(),
        Value::Array(a) => a.iter().map(size).sum(),
        Value::Object(m) => m.iter().map(|(k, v)| k.len() + size(v)).sum(),
        _ => 0,
    }
}

/// Whether lists and objects stand in each other deeper than any document that can be read.
pub(crate) fn too_deep(v: &Value) -> bool {
    fn within(v: &Value, levels: usize) -> bool {
        match v {
            Value::Array(a) => levels > 0 && a.iter().all(|v| within(v, levels - 1)),
            Value::Object(m) => levels > 0 && m.iter().all(|(_, v)| within(v, levels - 1)),
            _ => true,
        }
    }
    !within(v, crate::json::MAX_DEPTH)
}
