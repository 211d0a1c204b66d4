//! From one element of a reply to records with keys (dialect §1.4, step 7): formatResponse → condition →
//! splitArray or beatFlat → id and number.

use bytes::Bytes;
use chrono_tz::Tz;

use crate::canonical::{Names, Scratch, hash_and_find};
use crate::context::{Context, Scope};
use crate::expr::Expr;
use crate::extent::{size, too_deep};
use crate::formats;
use crate::items::{Item, Type};
use crate::metadata::Metadata;
use crate::path::{self, Path};
use crate::{Extractor, Map, Text, Value, records, text};

/// What an element became.
#[derive(Debug, Clone)]
pub struct Shaped {
    /// Key as text; `None` when the element cannot be keyed.
    pub id: Option<String>,
    /// Number shown to people.
    pub number: Option<String>,
    /// Content to be stored: a slice of the reply where nothing was changed.
    pub content: Bytes,
    /// Left out by this rule.
    pub filtered: Option<String>,
    /// Cannot be keyed: why.
    pub rejected: Option<Text>,
}

/// The compiled source side of a document.
#[derive(Debug, Clone)]
pub struct Shaping {
    meta: Metadata,
    id: Key,
    number: Key,
    tz: Tz,
    /// Reads id, number and what is read beside them, of elements that nothing filters or changes.
    simple: Option<Extractor>,
    /// The number has a path of its own.
    numbered: bool,
    beside: Option<Path>,
    /// The same as names of members, where the hash finds them on its way.
    names: Option<Names>,
}

/// An element that is one record as it came.
#[derive(Debug)]
pub struct Plain {
    /// The record.
    pub shaped: Shaped,
    /// Content hash.
    pub hash: [u8; 16],
    /// The text of the scalar at the path beside.
    pub beside: Option<String>,
}

/// Where a key comes from.
#[derive(Debug, Clone)]
enum Key {
    Path(Path),
    /// Several references, or text around one.
    Template(Box<Expr>),
}

impl Key {
    /// Reads `id` or `number`: a path, bare or in braces, or a template over the element (dialect §2.8).
    fn compile(s: &str) -> Key {
        let s = s.trim();
        let bare = s
            .strip_prefix("{{")
            .and_then(|r| r.strip_suffix("}}"))
            .or_else(|| s.strip_prefix('{')?.strip_suffix('}'));
        match bare {
            _ if !s.contains('{') => Key::Path(Path::new(s)),
            Some(path) if !path.contains(['{', '}', '|']) => {
                let path = path.trim();
                Key::Path(Path::new(path.strip_prefix("response.").unwrap_or(path)))
            }
            _ => Key::Template(Box::new(Expr::compile(&Value::from(s.replace("{{response.", "{{"))))),
        }
    }

    fn read(&self, record: &Value, tz: Tz) -> Value {
        match self {
            Key::Path(p) => p.get(record).unwrap_or(Value::Null),
            Key::Template(e) => {
                let scope = Scope::new(Some(record));
                let any = e.paths().into_iter().any(|p| p.get(record).is_some_and(|v| !v.is_blank()));
                // Text around nothing is no key.
                if any {
                    e.eval(&Context::new(0, 0, tz), &scope, &mut Vec::new()).unwrap_or(Value::Null)
                } else {
                    Value::Null
                }
            }
        }
    }

    fn name(&self, written: &str) -> String {
        match self {
            Key::Path(p) => p.as_str().to_owned(),
            Key::Template(_) => written.to_owned(),
        }
    }
}

impl Shaping {
    /// Compiles. `tz` is the zone of times in records.
    pub fn compile(meta: &Metadata, tz: Tz) -> Shaping {
        let (id, number) = (Key::compile(&meta.id), Key::compile(&meta.number));
        let mut shaping = Shaping {
            meta: meta.clone(),
            id,
            number,
            tz,
            simple: None,
            numbered: false,
            beside: None,
            names: None,
        };
        shaping.plan();
        shaping
    }

    /// Reads one more path of each element, in the same pass where there is one.
    #[must_use]
    pub fn beside(mut self, path: Option<Path>) -> Shaping {
        self.beside = path;
        self.plan();
        self
    }

    fn plan(&mut self) {
        let (Key::Path(id), Key::Path(number)) = (&self.id, &self.number) else { return };
        if !self.meta.stores_as_is() {
            return;
        }
        self.numbered = id != number;
        let mut paths = vec![id.clone()];
        paths.extend(self.numbered.then(|| number.clone()));
        paths.extend(self.beside.clone());
        let single = paths.iter().all(|p| p.segs().len() == 1);
        self.names = Names::new(paths.iter().map(Path::as_str)).filter(|_| single);
        self.simple = Some(Extractor::new(paths));
    }

    /// An element that is stored as it is, keys and hash read in one pass; `None` where that does not do, and
    /// [`Shaping::shape`] has to. `ignore`: paths that the hash leaves out.
    pub fn plain(&self, raw: &Bytes, ignore: &[Path], scratch: &mut Scratch) -> Option<Plain> {
        let names = self.names.as_ref()?;
        if raw.first() != Some(&b'{') || simdutf8::basic::from_utf8(raw).is_err() {
            return None;
        }
        let hash = hash_and_find(raw, ignore, names, scratch).ok()?;
        let mut found = scratch.found(raw)?.into_iter();
        let mut next = || Value::parse(found.next()?).ok();
        let id = next()?;
        let number = if self.numbered { Some(next()?) } else { None };
        let beside = if self.beside.is_some() { next()?.into_scalar_text() } else { None };
        let shaped = self.keyed(raw.clone(), &id, number.as_ref().unwrap_or(&id));
        Some(Plain { shaped, hash, beside })
    }

    /// Shapes one element, and gives the text of a scalar at the path beside. `now` is in unix seconds (for relative
    /// formats).
    pub fn shape(&self, raw: &Bytes, now: i64, out: &mut Vec<Shaped>) -> Option<String> {
        if let Some(keys) = self.simple.as_ref().filter(|_| raw.trim_ascii_start().first() == Some(&b'{')) {
            let mut found = Vec::with_capacity(3);
            if keys.extract(raw, &mut found).is_ok() {
                let mut found = found.into_iter().map(Option::unwrap_or_default);
                let id = found.next().unwrap_or_default();
                let number = if self.numbered { found.next() } else { None };
                out.push(self.keyed(raw.clone(), &id, number.as_ref().unwrap_or(&id)));
                return found.next().and_then(Value::into_scalar_text);
            }
        }
        self.rework(raw, now, out);
        self.beside.as_ref().and_then(|p| records::pick_text(raw, p))
    }

    /// The long way: the element is built, changed, filtered and cut.
    fn rework(&self, raw: &Bytes, now: i64, out: &mut Vec<Shaped>) {
        let Ok(Value::Object(mut record)) = Value::parse(raw) else {
            let shown = String::from_utf8_lossy(raw).chars().take(40).collect::<String>();
            out.push(Shaped {
                id: None,
                number: None,
                content: raw.clone(),
                filtered: None,
                rejected: Some(text!("the element is no object: {shown}", "该元素不是对象:{shown}")),
            });
            return;
        };
        let modelled = self.meta.build_model && model(&mut record, &self.meta.response, self.tz);
        let mut left = formats::most_written(raw.len());
        let mut deep = false;
        for rule in &self.meta.format_response {
            if !rule.apply(&mut record, self.tz, now, &mut left) {
                out.push(too_large(raw, "formatResponse"));
                return;
            }
            deep |= rule.new_path().segs().len() > 1;
        }
        if deep && record.iter().any(|(_, v)| too_deep(v)) {
            out.push(too_large(raw, "formatResponse"));
            return;
        }
        gather_costs(&mut record, &self.meta.cost_keys);
        let mut changed =
            modelled || !self.meta.format_response.is_empty() || !self.meta.cost_keys.is_empty();
        match self.meta.condition.apply(&mut record, self.tz) {
            Ok(rows_removed) => changed |= rows_removed,
            Err(rule) => {
                let root = Value::Object(record);
                let id = self.id.read(&root, self.tz);
                let number = self.number.read(&root, self.tz);
                let mut shaped = self.keyed(raw.clone(), &id, &number);
                if shaped.rejected.is_none() {
                    shaped.filtered = Some(rule);
                }
                out.push(shaped);
                return;
            }
        }
        if let Some(array) = &self.meta.split_array {
            match split(&record, array) {
                Some(all) => all.into_iter().for_each(|one| self.push(Value::Object(one), None, out)),
                None => out.push(too_large(raw, "splitArray")),
            }
            return;
        }
        if !self.meta.beat_flat.is_empty() {
            let mut rows = vec![(record, false)];
            let mut left = MAX_FLAT;
            for array in &self.meta.beat_flat {
                let mut next = Vec::with_capacity(rows.len());
                for (row, had) in rows {
                    if !flatten(row, array, had, &mut left, &mut next) {
                        out.push(too_many(raw, array));
                        return;
                    }
                }
                rows = next;
            }
            let many = rows.iter().any(|(_, had)| *had);
            for (i, (row, _)) in rows.into_iter().enumerate() {
                let suffix = many.then(|| self.meta.beat_flat_base.saturating_add(i as i64));
                self.push(Value::Object(row), suffix, out);
            }
            return;
        }
        let root = Value::Object(record);
        let id = self.id.read(&root, self.tz);
        let number = self.number.read(&root, self.tz);
        let content = if changed { Bytes::from(root.to_json()) } else { raw.clone() };
        out.push(self.keyed(content, &id, &number));
    }

    fn push(&self, record: Value, suffix: Option<i64>, out: &mut Vec<Shaped>) {
        let id = self.id.read(&record, self.tz);
        let number = self.number.read(&record, self.tz);
        let mut shaped = self.keyed(Bytes::from(record.to_json()), &id, &number);
        if let (Some(id), Some(n)) = (&mut shaped.id, suffix) {
            id.push_str(&format!("-{n}"));
        }
        out.push(shaped);
    }

    fn keyed(&self, content: Bytes, id: &Value, number: &Value) -> Shaped {
        let scalar = |v: &Value| match v {
            Value::String(s) if !s.trim().is_empty() => Some(s.to_string()),
            Value::Number(n) => Some(n.text().into_owned()),
            Value::Bool(b) => Some(b.to_string()),
            _ => None,
        };
        let field = self.id.name(&self.meta.id);
        let key = scalar(id);
        let rejected = match (&key, id) {
            (Some(_), _) => None,
            (None, Value::Array(_) | Value::Object(_)) => Some(text!(
                "the id field `{field}` holds a list or an object; name a field with a single value",
                "id 字段 `{field}` 的值是列表或对象;请指定单值字段"
            )),
            (None, Value::Null) => Some(text!(
                "the id field `{field}` is missing or null",
                "缺少 id 字段 `{field}`,或其值为 null"
            )),
            (None, _) => Some(text!("the id field `{field}` is empty", "id 字段 `{field}` 为空")),
        };
        Shaped { id: key, number: scalar(number), content, filtered: None, rejected }
    }
}

/// Gives the members that `response` declares their types (`buildModel`); what cannot be cast stays. True when
/// something changed.
fn model(record: &mut Map, response: &[Item], tz: Tz) -> bool {
    let mut changed = false;
    for item in response.iter().filter(|i| i.typed) {
        let Some(slot) = record.get_mut(&item.field) else { continue };
        let cast = match (&*slot, item.ty) {
            (Value::Null, _) => continue,
            (Value::Number(_) | Value::Bool(_), Type::Text) => Some(Value::from(slot.in_text())),
            (_, Type::Int | Type::Float | Type::Bool | Type::DateTime | Type::Date) => {
                crate::mapping::cast(item, slot.clone(), tz).ok().flatten()
            }
            _ => None,
        };
        if let Some(v) = cast.filter(|v| *v != *slot) {
            *slot = v;
            changed = true;
        }
    }
    changed
}

/// Puts the named members into one list of pairs, `_Fcost`; the members stay.
fn gather_costs(record: &mut Map, keys: &[String]) {
    if keys.is_empty() {
        return;
    }
    let pairs = keys.iter().filter_map(|k| {
        let value = record.get(k)?.clone();
        let pair = [("key", Value::from(k.as_str())), ("value", value)];
        Some(Value::Object(pair.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
    });
    let pairs = Value::Array(pairs.collect());
    record.insert("_Fcost", pairs);
}

/// Bytes in memory that the records of one element may take together, once its arrays are flattened or split. Several
/// arrays multiply: four of a thousand rows would be a trillion records.
const MAX_FLAT: usize = 128 << 20;

/// What each record counts beside its members where arrays multiply: two of a few hundred numbers would be half a million
/// records of hardly any bytes. One array alone is never longer than what came.
const ROW: usize = 1024;

/// An element of which a rule makes more than can be held.
fn too_large(raw: &Bytes, rule: &str) -> Shaped {
    let why = text!(
        "`{rule}` makes more of this record than can be held: rules that copy what other rules copied double it; \
         copy each field once",
        "`{rule}` 使该记录膨胀到无法保存:规则反复复制其他规则复制的内容会成倍增长;每个字段只复制一次"
    );
    Shaped { id: None, number: None, content: raw.clone(), filtered: None, rejected: Some(why) }
}

/// An element whose rows are more than can be made.
fn too_many(raw: &Bytes, array: &str) -> Shaped {
    let why = text!(
        "flattening `{array}` too would make more rows than can be held; flatten fewer arrays",
        "再展开 `{array}` 将产生过多的行;请减少展开的数组"
    );
    Shaped { id: None, number: None, content: raw.clone(), filtered: None, rejected: Some(why) }
}

/// One record per element of an array: the header, and the element as an object under the array's name.
/// `None` when they would be more than can be held.
fn split(record: &Map, array: &str) -> Option<Vec<Map>> {
    let path = Path::new(array);
    let root = Value::Object(record.clone());
    let Some(Value::Array(items)) = path.get(&root) else { return Some(vec![record.clone()]) };
    // The header alone is copied for each.
    let mut header = record.clone();
    path::set(&mut header, path.segs(), Value::Null);
    let each: usize = header.iter().map(|(k, v)| k.len() + size(v)).sum();
    if each.checked_mul(items.len()).is_none_or(|all| all > MAX_FLAT) {
        return None;
    }
    let all = items.into_iter().map(|item| {
        let mut one = header.clone();
        path::set(&mut one, path.segs(), item);
        one
    });
    Some(all.collect())
}

/// One record per element of an array, the element's members as `array_member` (dialect §6.3). `array` may name a
/// list inside rows that were flattened before (`details.detail_batch`). False when it would be more than what is left.
fn flatten(mut record: Map, array: &str, had: bool, left: &mut usize, out: &mut Vec<(Map, bool)>) -> bool {
    let flat = array.replace('.', "_");
    let key = if record.get(&flat).is_some() { flat.clone() } else { array.to_owned() };
    let Some(found) = record.remove(&key) else {
        out.push((record, had));
        return true;
    };
    match found {
        Value::Array(items) if !items.is_empty() => {
            let members: usize = record.iter().map(|(k, v)| k.len() + size(v)).sum();
            let each = members + if had { ROW } else { 0 };
            let Some(rest) = each.checked_mul(items.len()).and_then(|all| left.checked_sub(all)) else {
                return false;
            };
            *left = rest;
            out.extend(items.into_iter().map(|item| {
                let mut one = record.clone();
                match item {
                    Value::Object(members) => {
                        for (k, v) in members {
                            one.insert(format!("{flat}_{k}"), v);
                        }
                    }
                    scalar => one.insert(flat.clone(), scalar),
                }
                (one, true)
            }));
        }
        // Empty or absent: one record without the flattened keys, no suffix.
        Value::Array(_) | Value::Null => out.push((record, had)),
        other => {
            record.insert(key, other);
            out.push((record, had));
        }
    }
    true
}
