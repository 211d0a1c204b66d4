//! Elements of `request`, `otherRequest`, `response` and the like (dialect §2.6), in all the forms they are written.

use std::collections::HashSet;

use crate::expr::Expr;
use crate::parsers::Parser;
use crate::path::Path;
use crate::{Key, Map, Problem, Value, text};

/// Type of an item's value (dialect §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// No cast.
    Text,
    /// Whole number.
    Int,
    /// Number.
    Float,
    /// true or false.
    Bool,
    /// `YYYY-MM-DD HH:MM:SS`
    DateTime,
    /// `YYYY-MM-DD`
    Date,
    /// One object.
    Object,
    /// A list of objects.
    Array,
}

/// An element of `request`, `otherRequest`, `response` …
#[derive(Debug, Clone)]
pub struct Item {
    /// Output key.
    pub field: String,
    /// The same, as objects hold it.
    pub(crate) key: Key,
    /// Name shown to people.
    pub label: String,
    /// Type of the value.
    pub ty: Type,
    /// `type` is written down.
    pub(crate) typed: bool,
    /// The raw `value`, if the key is there and not null.
    pub value: Option<Value>,
    /// Compiled value.
    pub(crate) expr: Option<Expr>,
    /// Compiled default.
    pub(crate) default: Option<Expr>,
    /// Compiled parser.
    pub(crate) parser: Option<Parser>,
    /// Name of the array or object that a container is built from.
    pub(crate) source: Option<Path>,
    /// Static value map.
    pub(crate) mapping: Option<StaticMap>,
    /// `itemMapping`: each element of a list becomes an object; `{{item}}` is the element.
    pub(crate) each: Option<Expr>,
    /// Members of a container.
    pub children: Vec<Item>,
    /// A missing value is an error.
    pub required: bool,
    /// JSON path of the item in the document.
    pub path: String,
}

/// `mapping` as an object: values are exchanged by a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StaticMap {
    /// Id of a table of the project, if the pairs are not given here.
    pub table: Option<String>,
    /// Pairs given in place.
    pub pairs: Vec<(String, Value)>,
    /// The table is read backwards.
    pub reverse: bool,
    /// What becomes of a value without a pair.
    pub miss: Miss,
}

/// What becomes of a value that a table does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Miss {
    Keep,
    Default(Value),
    Error,
}

impl StaticMap {
    fn compile(m: &Map) -> Option<StaticMap> {
        let text_of = |k: &str| m.get(k).filter(|v| !v.is_null()).map(Value::in_text);
        let table = text_of("target").filter(|t| !t.is_empty());
        let pairs = match (m.get("values").or_else(|| m.get("map")), &table) {
            (Some(Value::Object(p)), _) => p.clone(),
            // Without any of our keys the object is the table itself.
            (None, None) => m.clone(),
            _ => Map::new(),
        };
        let miss = match text_of("unmapped")
            .or_else(|| text_of("policy"))
            .unwrap_or_default()
            .to_lowercase()
            .as_str()
        {
            "error" | "fail" => Miss::Error,
            _ => match m.get("default") {
                Some(v)
                    if text_of("target").is_some() || m.get("values").is_some() || m.get("map").is_some() =>
                {
                    Miss::Default(v.clone())
                }
                _ => Miss::Keep,
            },
        };
        if table.is_none() && pairs.is_empty() {
            return None;
        }
        Some(StaticMap {
            table,
            pairs: pairs.into_iter().collect(),
            reverse: text_of("direction").is_some_and(|d| d.eq_ignore_ascii_case("reverse")),
            miss,
        })
    }

    /// The value that stands for `v` among the pairs given in place.
    pub fn find(&self, v: &Value) -> Option<Value> {
        let key = v.in_text();
        if self.reverse {
            return self
                .pairs
                .iter()
                .find(|(_, to)| to.in_text() == key)
                .map(|(k, _)| Value::from(k.as_str()));
        }
        self.pairs.iter().find(|(k, _)| *k == key).map(|(_, to)| to.clone())
    }
}

impl Item {
    /// True for containers.
    pub fn is_container(&self) -> bool {
        matches!(self.ty, Type::Array | Type::Object) && !self.children.is_empty()
    }

    fn rename(&mut self, field: String) {
        self.key = Key::from(&field);
        self.field = field;
    }

    /// True when the value is sent as it was read.
    pub(crate) fn is_plain(&self) -> bool {
        self.ty == Type::Text
            && self.default.is_none()
            && self.parser.is_none()
            && self.mapping.is_none()
            && self.each.is_none()
            && !self.required
    }
}

pub(crate) const ITEM_KEYS: &[&str] = &[
    "field",
    "label",
    "type",
    "describe",
    "value",
    "parser",
    "mapping",
    "children",
    "parent",
    "parent_id",
    "id",
    "is_required",
    "default",
    "name",
    "enum",
    "itemMapping",
    "物理建模",
    "表单建模",
    "列表建模",
];

/// Reads a list of items, or the generic layer's object form (dialect §2.8).
pub(crate) fn items(v: &Value, at: &str, problems: &mut Vec<Problem>) -> Vec<Item> {
    let list: Vec<(String, Value)> = match v {
        Value::Null => return Vec::new(),
        Value::Array(a) => a.iter().enumerate().map(|(i, v)| (format!("{at}[{i}]"), v.clone())).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| {
                let mut item = match v {
                    Value::Object(m) if m.get("value").is_some() || m.get("type").is_some() => m.clone(),
                    other => std::iter::once(("value".to_owned(), other.clone())).collect(),
                };
                item.insert("field", Value::from(k));
                (format!("{at}.{k}"), Value::Object(item))
            })
            .collect(),
        _ => {
            problems.push(Problem::error(
                "HL-2006",
                at,
                text!("`{at}` must be a list of items", "`{at}` 应为字段项的列表"),
            ));
            return Vec::new();
        }
    };
    let mut out: Vec<Item> = Vec::new();
    for (path, v) in list {
        let Some(map) = v.as_object() else {
            problems.push(Problem::error(
                "HL-2007",
                path,
                text!("an item is an object with at least `field`", "字段项应为至少含 `field` 的对象"),
            ));
            continue;
        };
        let Some(item) = item(map, &path, problems) else { continue };
        let parent = map.get("parent").map(Value::in_text).filter(|p| !p.is_empty() && *p != item.field);
        place(&mut out, item, parent.as_deref());
    }
    // Of repeated fields the last wins, at its own place (corpus 097).
    let mut seen = HashSet::new();
    let last: Vec<bool> = out.iter().rev().map(|item| seen.insert(item.key.clone())).collect();
    let mut last = last.into_iter().rev();
    out.retain(|_| last.next() == Some(true));
    out
}

/// Puts an item below the container it names by `parent` or by a dotted field; otherwise at the end.
fn place(out: &mut Vec<Item>, mut item: Item, parent: Option<&str>) {
    if let Some(parent) = parent {
        if let Some(container) = find(out, parent, 0) {
            if let Some(bare) = item.field.strip_prefix(&format!("{parent}.")) {
                let bare = bare.to_owned();
                item.rename(bare);
            }
            container.children.push(item);
            return;
        }
    } else if let Some((head, rest)) = item.field.split_once('.') {
        let (head, rest) = (head.to_owned(), rest.to_owned());
        if let Some(container) =
            out.iter_mut().find(|i| i.field == head && matches!(i.ty, Type::Array | Type::Object))
        {
            item.rename(rest);
            place(&mut container.children, item, None);
            return;
        }
    }
    out.push(item);
}

/// Deepest container that is found by its name: rendering goes down one call for each.
const MAX_NESTING: usize = 32;

fn find<'a>(items: &'a mut [Item], name: &str, depth: usize) -> Option<&'a mut Item> {
    if depth > MAX_NESTING {
        return None;
    }
    for item in items {
        if item.field == name && matches!(item.ty, Type::Array | Type::Object) {
            return Some(item);
        }
        if let Some(found) = find(&mut item.children, name, depth + 1) {
            return Some(found);
        }
    }
    None
}

fn item(map: &Map, path: &str, problems: &mut Vec<Problem>) -> Option<Item> {
    let text_of = |k: &str| map.get(k).map(Value::in_text).unwrap_or_default();
    let field = text_of("field");
    if field.is_empty() {
        problems.push(Problem::error(
            "HL-2008",
            format!("{path}.field"),
            text!("`field` is missing", "缺少 `field`"),
        ));
        return None;
    }
    for (key, _) in map.iter() {
        if !ITEM_KEYS.contains(&key)
            && let Some(near) = crate::nearest(key, ITEM_KEYS.iter().copied())
        {
            problems.push(
                Problem::warning(
                    "HL-2002",
                    format!("{path}.{key}"),
                    text!("unknown key `{key}`", "未知的键 `{key}`"),
                )
                .hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
            );
        }
    }
    let word = text_of("type");
    let ty = match word.to_ascii_lowercase().as_str() {
        "" | "string" | "text" | "char" | "varchar" | "timestamp" | "long date" | "enum" | "select"
        | "file" => Type::Text,
        "int" | "integer" | "long" | "bigint" | "smallint" | "tinyint" => Type::Int,
        "float" | "number" | "double" | "decimal" | "money" => Type::Float,
        "bool" | "boolean" => Type::Bool,
        "datetime" => Type::DateTime,
        "date" | "short date" => Type::Date,
        "object" | "json" => Type::Object,
        "array" | "list" => Type::Array,
        _ => {
            problems.push(Problem::warning(
                "HL-2009",
                format!("{path}.type"),
                text!("unknown type `{word}`; taken as `string`", "未知的类型 `{word}`,按 `string` 处理"),
            ));
            Type::Text
        }
    };
    let present = |k: &str| map.get(k).filter(|v| !v.is_null()).cloned();
    let value = present("value");
    let expr = value.as_ref().map(Expr::compile);
    if let (Some(e), Some(v)) = (&expr, &value) {
        problems.extend(e.problems(&format!("{path}.value")).into_iter().map(|mut p| {
            p.find_spot(v);
            p
        }));
    }
    let default = present("default").map(|d| Expr::compile(&d));
    let parser = present("parser").and_then(|p| Parser::compile(&p, map));
    if let Some(p) = &parser {
        problems.extend(p.problems(&format!("{path}.parser")));
    }
    let mapping = match map.get("mapping") {
        Some(Value::Object(m)) => StaticMap::compile(m),
        _ => None,
    };
    // A `mapping` in text form is another spelling of the value (dialect §8, 36).
    let (value, expr) = match (value, map.get("mapping")) {
        (None, Some(Value::String(p))) if !p.is_empty() => {
            let v = Value::from(format!("{{{{{p}}}}}"));
            (Some(v.clone()), Some(Expr::compile(&v)))
        }
        (value, _) => (value, expr),
    };
    let each = present("itemMapping").map(|m| Expr::compile(&m));
    if let Some(e) = &each {
        problems.extend(e.problems(&format!("{path}.itemMapping")));
    }
    let children = match map.get("children") {
        Some(c) => items(c, &format!("{path}.children"), problems),
        None => Vec::new(),
    };
    Some(Item {
        label: match text_of("label") {
            l if l.is_empty() => field.clone(),
            l => l,
        },
        key: Key::from(&field),
        field,
        ty,
        typed: !word.is_empty(),
        source: source_name(ty, value.as_ref()),
        value,
        expr,
        default,
        parser,
        mapping,
        each,
        children,
        required: map.get("is_required").and_then(crate::mapping::to_bool).unwrap_or(false),
        path: path.to_owned(),
    })
}

/// The array or object that a container's value names, bare or in braces (rules C1, C2, C11).
fn source_name(ty: Type, value: Option<&Value>) -> Option<Path> {
    if !matches!(ty, Type::Array | Type::Object) {
        return None;
    }
    let name = value?.as_str()?.trim().trim_start_matches('{').trim_end_matches('}').trim();
    (!name.is_empty() && !name.contains(['{', '}', '|', ' '])).then(|| Path::new(name))
}
