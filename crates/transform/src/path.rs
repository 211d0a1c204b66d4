//! Dotted paths into values.

use crate::{Map, Value};

/// A dotted path such as `buyer.addr.city` or `items.0.sku_id`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    whole: String,
    segs: Vec<String>,
}

impl Path {
    /// Reads a path; blanks around segments do not count.
    pub fn new(path: &str) -> Self {
        let whole = path.trim().to_owned();
        let segs = whole.split('.').map(|s| s.trim().to_owned()).collect();
        Path { whole, segs }
    }

    /// Reads a path whose levels are cut by `/` or `.` (dialect §5.2).
    pub fn with_slashes(path: &str) -> Self {
        Path::new(&path.trim().trim_matches('/').replace('/', "."))
    }

    /// The segments.
    pub fn segs(&self) -> &[String] {
        &self.segs
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The value there, if there is one.
    pub fn get(&self, root: &Value) -> Option<Value> {
        get(root, &self.whole, &self.segs)
    }

    /// The rest of this path behind `prefix`, if it begins with it; empty when they are equal.
    pub fn behind<'a>(&'a self, prefix: &Path) -> Option<&'a [String]> {
        let n = prefix.segs.len();
        (self.segs.get(..n)? == prefix.segs.as_slice()).then(|| self.segs.get(n..).unwrap_or(&[]))
    }
}

/// The value at segments below `root`.
pub(crate) fn get(root: &Value, whole: &str, segs: &[String]) -> Option<Value> {
    if let Value::Object(map) = root
        && segs.len() > 1
        && let Some(v) = map.get(whole)
    {
        // Flattened replies hold keys with dots.
        return Some(v.clone());
    }
    get_segs(root, segs)
}

/// The value at segments below `root`.
pub(crate) fn get_segs(root: &Value, segs: &[String]) -> Option<Value> {
    let mut at = root;
    for (i, seg) in segs.iter().enumerate() {
        match at {
            Value::Object(map) => at = map.get(seg)?,
            Value::Array(items) => {
                if let Ok(n) = seg.parse::<usize>() {
                    at = items.get(n)?;
                    continue;
                }
                // Every row's value; rows within rows give one flat list.
                let rest = segs.get(i..)?;
                let mut out = Vec::new();
                for item in items {
                    match get_segs(item, rest) {
                        Some(Value::Array(mut inner)) if rest.len() > 1 => out.append(&mut inner),
                        Some(v) => out.push(v),
                        None => {}
                    }
                }
                return (!out.is_empty()).then_some(Value::Array(out));
            }
            _ => return None,
        }
    }
    Some(at.clone())
}

/// Sets the value at segments below `map`, making objects on the way.
pub(crate) fn set(map: &mut Map, segs: &[String], value: Value) {
    match segs {
        [] => {}
        [last] => map.insert(last.clone(), value),
        [first, rest @ ..] => {
            if !matches!(map.get(first), Some(Value::Object(_))) {
                map.insert(first.clone(), Value::Object(Map::new()));
            }
            if let Some(Value::Object(inner)) = map.get_mut(first) {
                set(inner, rest, value);
            }
        }
    }
}
