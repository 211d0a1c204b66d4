//! Items of a document with their JSON paths, as they are written.

use heliu_transform::{Map, Metadata, Value};

/// Lists of items that a document may have.
pub const LISTS: &[&str] = &["request", "otherRequest", "response", "otherResponse"];

/// An item as it is written.
pub struct Raw<'a> {
    /// JSON path.
    pub path: String,
    /// The item.
    pub item: &'a Map,
    /// Top-level list that it belongs to.
    pub list: &'static str,
}

impl Raw<'_> {
    /// A member as text; empty without one.
    pub fn text(&self, key: &str) -> String {
        self.item.get(key).map(Value::in_text).unwrap_or_default()
    }
}

/// Every item of a document, children behind their parents.
pub fn raw_items(meta: &Metadata) -> Vec<Raw<'_>> {
    let mut out = Vec::new();
    let Some(doc) = meta.raw.as_object() else { return out };
    for list in LISTS {
        if let Some(v) = doc.get(list) {
            walk(v, list, list, 0, &mut out);
        }
    }
    if let Some(v) =
        doc.get("omissionRemedy").and_then(Value::as_object).and_then(|r| r.get("takeOverRequest"))
    {
        walk(v, "omissionRemedy.takeOverRequest", "request", 0, &mut out);
    }
    out
}

fn walk<'a>(v: &'a Value, path: &str, list: &'static str, depth: usize, out: &mut Vec<Raw<'a>>) {
    let Some(items) = v.as_array().filter(|_| depth < 50) else { return };
    for (i, item) in items.iter().enumerate() {
        let Some(item) = item.as_object() else { continue };
        let path = format!("{path}[{i}]");
        let children = item.get("children");
        out.push(Raw { path: path.clone(), item, list });
        if let Some(c) = children {
            walk(c, &format!("{path}.children"), list, depth + 1, out);
        }
    }
}

/// Every text of a value, with its path below `path`.
pub fn texts<'a>(v: &'a Value, path: &str, out: &mut Vec<(String, &'a str)>) {
    match v {
        Value::String(s) => out.push((path.to_owned(), s)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| texts(v, &format!("{path}[{i}]"), out));
        }
        Value::Object(map) => map.iter().for_each(|(k, v)| texts(v, &format!("{path}.{k}"), out)),
        _ => {}
    }
}

/// Position in characters of a byte.
pub fn chars(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(0, |t| t.chars().count())
}
