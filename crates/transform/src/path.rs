//! Dotted paths into values.

use std::borrow::Cow;

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
        // What leads deeper than anything that is read is a name with dots.
        if whole.bytes().filter(|b| *b == b'.').count() > crate::json::MAX_DEPTH {
            return Path::key(&whole);
        }
        let segs = whole.split('.').map(|s| s.trim().to_owned()).collect();
        Path { whole, segs }
    }

    /// A single name, dots and all.
    pub(crate) fn key(name: &str) -> Self {
        Path { whole: name.to_owned(), segs: vec![name.to_owned()] }
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
        find(root, self).map(Cow::into_owned)
    }

    /// The rest of this path behind `prefix`, if it begins with it; empty when they are equal.
    pub fn behind<'a>(&'a self, prefix: &Path) -> Option<&'a [String]> {
        let n = prefix.segs.len();
        (self.segs.get(..n)? == prefix.segs.as_slice()).then(|| self.segs.get(n..).unwrap_or(&[]))
    }
}

/// The value at a path below `root`; borrowed unless a list in the middle spreads the path.
pub(crate) fn find<'a>(root: &'a Value, path: &Path) -> Option<Cow<'a, Value>> {
    if let Value::Object(map) = root
        && path.segs.len() > 1
        && let Some(v) = map.get(&path.whole)
    {
        // Flattened replies hold keys with dots.
        return Some(Cow::Borrowed(v));
    }
    find_segs(root, &path.segs)
}

/// The value at segments below `root`.
pub(crate) fn get_segs(root: &Value, segs: &[String]) -> Option<Value> {
    find_segs(root, segs).map(Cow::into_owned)
}

/// The value at segments below `root`; borrowed unless a list in the middle spreads the path.
pub(crate) fn find_segs<'a>(root: &'a Value, segs: &[String]) -> Option<Cow<'a, Value>> {
    let mut at = root;
    for (i, seg) in segs.iter().enumerate() {
        match at {
            Value::Object(map) => at = map.get(seg)?,
            Value::Array(items) => {
                if seg.bytes().next().is_some_and(|b| b.is_ascii_digit())
                    && let Ok(n) = seg.parse::<usize>()
                {
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
                return (!out.is_empty()).then_some(Cow::Owned(Value::Array(out)));
            }
            _ => return None,
        }
    }
    Some(Cow::Borrowed(at))
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
