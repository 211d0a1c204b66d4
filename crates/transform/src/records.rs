//! Cutting replies into records without parsing what is not needed: slices of the body, exact digits.

use bytes::Bytes;
use sonic_rs::{JsonType, JsonValueTrait, LazyValue};

use crate::metadata::Metadata;
use crate::outline::Outline;
use crate::path::Path;
use crate::{Number, Value};

/// A reply that cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutError {
    /// Not JSON, or not UTF-8.
    NotJson(String),
    /// The path leads to something that holds no records.
    NoList(String),
}

/// The raw JSON at a path of one element.
fn raw_at<'a>(json: &'a str, path: &[String]) -> Result<Option<LazyValue<'a>>, CutError> {
    if path.iter().all(String::is_empty) {
        return sonic_rs::get(json, std::iter::empty::<&str>())
            .map(Some)
            .map_err(|e| CutError::NotJson(e.to_string()));
    }
    match sonic_rs::get(json, path.iter().map(String::as_str)) {
        Ok(v) => Ok(Some(v)),
        Err(e) if e.is_not_found() => Ok(None),
        // A scalar on the way has no members: not found rather than broken.
        Err(e) if e.is_unmatched_type() => Ok(None),
        Err(e) => Err(CutError::NotJson(e.to_string())),
    }
}

/// The elements at `path` as slices of `body`: a list's elements, a single object as a list of one, nothing for null.
/// `Ok(None)` when there is nothing at the path.
///
/// # Errors
/// A body that is no JSON; a scalar where records are expected.
pub fn split_list(body: &Bytes, path: &Path) -> Result<Option<Vec<Bytes>>, CutError> {
    outline(body)?.list(path).map_err(CutError::NoList)
}

fn outline(body: &Bytes) -> Result<Outline, CutError> {
    Outline::read(body).map_err(|e| CutError::NotJson(e.text().en))
}

/// Well-known places of lists (dialect §5.2), in order.
pub const WELL_KNOWN: &[&str] = &[
    "rows",
    "data.list",
    "data.rows",
    "data.datas",
    "datas",
    "data",
    "result.data",
    "list",
    "content.rows",
    "content.list",
    "content",
];

/// Finds the list at the first well-known place that holds one, or the top level.
pub fn find_list(body: &Outline) -> Option<Vec<Bytes>> {
    let top = Path::new("");
    let places = || {
        std::iter::once(top.clone())
            .filter(|p| body.is_list(p) == Some(true))
            .chain(WELL_KNOWN.iter().map(|p| Path::new(p)))
    };
    let found = places()
        .find(|p| body.is_list(p) == Some(true))
        .or_else(|| places().find(|p| body.is_list(p) == Some(false)))?;
    body.list(&found).ok().flatten()
}

/// One value of a body at a path; exact digits. `None` when it is not there or the body is no JSON.
pub fn pick(body: &[u8], path: &Path) -> Option<Value> {
    let json = simdutf8::basic::from_utf8(body).ok()?;
    let found = raw_at(json, path.segs()).ok()??;
    to_value(&found)
}

/// A scalar of a body at a path as text; `None` for lists, objects, null and nothing.
pub fn pick_text(body: &[u8], path: &Path) -> Option<String> {
    match pick(body, path)? {
        Value::String(s) => Some(s),
        Value::Number(n) => Some(n.text().into_owned()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn to_value(v: &LazyValue) -> Option<Value> {
    let raw = v.as_raw_str();
    Some(match v.get_type() {
        JsonType::Null => Value::Null,
        JsonType::Boolean => Value::Bool(raw == "true"),
        JsonType::Number => Value::Number(Number::from_text(raw)?),
        JsonType::String => Value::String(match raw.get(1..raw.len().saturating_sub(1)) {
            Some(plain) if !plain.contains('\\') => plain.to_owned(),
            _ => serde_json::from_str(raw).ok()?,
        }),
        _ => return Value::parse(raw.as_bytes()).ok(),
    })
}

/// The records of a reply in the order of dialect §5.2: the connector's own rule, what the document says, the
/// well-known places. `Ok(None)`: nothing was found where something was said to be.
///
/// # Errors
/// A body that is no JSON; a scalar where records are expected.
pub fn extract_list(
    body: &Bytes,
    rule: Option<&Path>,
    meta: &Metadata,
) -> Result<Option<Vec<Bytes>>, CutError> {
    let reply = outline(body)?;
    let at = |path: &Path| reply.list(path).map_err(CutError::NoList);
    if let Some(path) = rule
        && let Some(list) = at(path)?
    {
        return Ok(Some(list));
    }
    let list = match meta.list_path() {
        // What `DataKey` names is not guessed at elsewhere.
        Some((path, true)) => at(&path)?,
        Some((path, false)) => match at(&path) {
            Ok(Some(list)) => Some(list),
            _ => find_list(&reply),
        },
        None => find_list(&reply),
    };
    if list.is_some() {
        return Ok(list);
    }
    // A bare object that holds the key is the one record (token interfaces).
    let bare = !matches!(meta.list_path(), Some((_, true)))
        && !meta.id.is_empty()
        && reply.value(&Path::new(&meta.id)).is_some();
    Ok(bare.then(|| vec![body.clone()]))
}

/// An element that is a bare list of values, as an object: positions get the given names, dots become `_`
/// (dialect §5.2). `None` when the element is no list.
pub fn zip_names(element: &[u8], names: &[String]) -> Option<Bytes> {
    let json = simdutf8::basic::from_utf8(element).ok()?;
    if json.trim_start().as_bytes().first() != Some(&b'[') {
        return None;
    }
    let mut out = vec![b'{'];
    for (item, name) in sonic_rs::to_array_iter(json).zip(names) {
        if out.len() > 1 {
            out.push(b',');
        }
        crate::value::write_string(&name.replace('.', "_"), &mut out);
        out.push(b':');
        out.extend_from_slice(item.ok()?.as_raw_str().as_bytes());
    }
    out.push(b'}');
    Some(Bytes::from(out))
}
