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

/// One value of a body at a path; exact digits. `None` when it is not there or the body is no JSON.
pub fn pick(body: &[u8], path: &Path) -> Option<Value> {
    let json = simdutf8::basic::from_utf8(body).ok()?;
    let found = raw_at(json, path.segs()).ok()??;
    to_value(&found)
}

/// A scalar of a body at a path as text; `None` for lists, objects, null and nothing.
pub fn pick_text(body: &[u8], path: &Path) -> Option<String> {
    pick(body, path)?.into_scalar_text()
}

fn to_value(v: &LazyValue) -> Option<Value> {
    let raw = v.as_raw_str();
    Some(match v.get_type() {
        JsonType::Null => Value::Null,
        JsonType::Boolean => Value::Bool(raw == "true"),
        JsonType::Number => Value::Number(Number::from_text(raw)?),
        JsonType::String => match raw.get(1..raw.len().saturating_sub(1)) {
            Some(plain) if !plain.contains('\\') => Value::from(plain),
            _ => Value::from(serde_json::from_str::<String>(raw).ok()?),
        },
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
    Ok(find_records(&outline(body)?, rule, &[], meta)?.map(|found| found.elements))
}

/// Records of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Slices of the body.
    pub elements: Vec<Bytes>,
    /// They stood in a list; otherwise the reply is one record.
    pub listed: bool,
    /// There was null, or an empty object, where records are looked for: nothing, but not in so many words.
    pub hollow: bool,
    /// Nobody named the place, no well-known list stands there, and nothing in it holds the key: a guess.
    pub guessed: bool,
    /// Where they stood.
    pub place: Path,
}

/// Like [`extract_list`], over a reply that was read already. `places`: where the platform's lists stand, tried in
/// order behind what the document says.
///
/// # Errors
/// A scalar where records are expected.
pub fn find_records(
    reply: &Outline,
    rule: Option<&Path>,
    places: &[Path],
    meta: &Metadata,
) -> Result<Option<Found>, CutError> {
    let at = |path: &Path| -> Result<Option<Found>, CutError> {
        let Some(elements) = reply.list(path).map_err(CutError::NoList)? else { return Ok(None) };
        let is_list = reply.is_list(path);
        // Some platforms write an empty list as an empty object.
        let blank = is_list == Some(false) && reply.is_blank(path) && !path.as_str().is_empty();
        Ok(Some(Found {
            elements: if blank { Vec::new() } else { elements },
            listed: is_list != Some(false) || blank,
            hollow: is_list.is_none() || blank,
            guessed: false,
            place: path.clone(),
        }))
    };
    if let Some(path) = rule
        && let Some(found) = at(path)?
    {
        return Ok(Some(found));
    }
    let said = match meta.list_path() {
        // What `DataKey` names is not guessed at elsewhere.
        Some((path, true)) => return at(&path),
        Some((path, false)) => at(&path).ok().flatten(),
        None => None,
    };
    if said.is_some() {
        return Ok(said);
    }
    for path in places {
        if let Some(found) = at(path)? {
            return Ok(Some(found));
        }
    }
    let well_known = || {
        let top = Some(Path::new("")).filter(|p| reply.is_list(p) == Some(true));
        top.into_iter().chain(WELL_KNOWN.iter().map(|p| Path::new(p)))
    };
    if let Some(path) = well_known().find(|p| reply.is_list(p) == Some(true)) {
        return at(&path);
    }
    // The only list of objects there is, if its elements hold the key.
    let only = match reply.only_list() {
        Some(path) => at(&path)?,
        None => None,
    };
    let key = Path::new(&meta.id);
    let holds_key = |element: &Bytes| !meta.id.is_empty() && pick(element, &key).is_some();
    if only.as_ref().is_some_and(|o| o.elements.first().is_some_and(holds_key)) {
        return Ok(only);
    }
    // An object that holds the key is the one record: the reply itself (token interfaces), or a well-known member.
    let objects =
        || std::iter::once(Path::new("")).chain(well_known()).filter(|p| reply.is_list(p) == Some(false));
    for path in objects() {
        let one = at(&path)?;
        if one.as_ref().is_some_and(|o| o.elements.first().is_some_and(holds_key)) {
            return Ok(one);
        }
    }
    let guess = |found: Option<Found>| found.map(|f| Found { guessed: true, ..f });
    if only.is_some() {
        return Ok(guess(only));
    }
    // Without any key to go by: what stands where lists stand; null there is no record.
    match well_known().find(|p| reply.list(p).ok().flatten().is_some()) {
        Some(path) => at(&path).map(guess),
        None => Ok(None),
    }
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
