//! The metadata document of one side (dialect §2): read once, unknown keys kept and reported.

use crate::condition::Condition;
use crate::expr::Expr;
use crate::formats::Rule;
use crate::parsers::Parser;
use crate::path::Path;
use crate::{Map, Problem, Value, text};

/// Which side a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It reads.
    Source,
    /// It writes.
    Target,
}

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
    /// Name shown to people.
    pub label: String,
    /// Type of the value.
    pub ty: Type,
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
    /// Static value map: its id, and whether it is used backwards.
    pub mapping: Option<(String, bool)>,
    /// Members of a container.
    pub children: Vec<Item>,
    /// A missing value is an error.
    pub required: bool,
    /// JSON path of the item in the document.
    pub path: String,
}

impl Item {
    /// True for containers.
    pub fn is_container(&self) -> bool {
        matches!(self.ty, Type::Array | Type::Object) && !self.children.is_empty()
    }

    /// True when the value is sent as it was read.
    pub(crate) fn is_plain(&self) -> bool {
        self.ty == Type::Text
            && self.default.is_none()
            && self.parser.is_none()
            && self.mapping.is_none()
            && !self.required
    }
}

/// One side's document.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// The document as it was given, for the round trip.
    pub raw: Value,
    /// Side it was read for.
    pub side: Side,
    /// Interface name.
    pub api: String,
    /// HTTP verb, upper case.
    pub method: String,
    /// `QUERY` or `EXECUTE` by role.
    pub effect: String,
    /// Path of the key inside an element; empty when missing.
    pub id: String,
    /// Path of the number shown to people; the id's by default.
    pub number: String,
    /// `idCheck`; true by default.
    pub id_check: bool,
    /// `strict: false` keeps the text of a `_function` that cannot be evaluated.
    pub strict: bool,
    /// Rows per page, if `pagination` is there.
    pub page_size: Option<u32>,
    /// `pagination` is there.
    pub paged: bool,
    /// Number of the first page, if it is given.
    pub start_page: Option<i64>,
    /// Business parameters.
    pub request: Vec<Item>,
    /// System parameters.
    pub other_request: Vec<Item>,
    /// Field catalogue of the result.
    pub response: Vec<Item>,
    /// Parameters that say how replies are read, names in lower case.
    pub other_response: Vec<(String, String)>,
    /// `autoFillResponse`
    pub auto_fill_response: bool,
    pub(crate) condition: Condition,
    pub(crate) format_response: Vec<Rule>,
    /// Arrays that are flattened into one record per row.
    pub beat_flat: Vec<String>,
    /// First number of the suffixes that flattening adds to ids.
    pub beat_flat_base: i64,
    /// Source: array that is split into one record per element.
    pub split_array: Option<String>,
    /// Target: how records form a write.
    pub operation: Operation,
}

/// `operation` of a target (dialect §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operation {
    /// `none`, `batchArraySave`, `merge`, or an adapter's own word.
    pub method: String,
    /// Records in one write at most.
    pub rows: usize,
    /// Key that holds the list.
    pub rows_key: String,
    /// Grouping fields of `merge`.
    pub fields: Vec<String>,
    /// Name of the built list.
    pub body_name: String,
    /// Fields kept in the header; empty: all.
    pub header: Vec<String>,
    /// Fields kept in rows; empty: all.
    pub body: Vec<String>,
    /// Fields added up over equal rows.
    pub body_sum: Vec<String>,
}

const KNOWN: &[&str] = &[
    "api", "effect", "type", "method", "id", "number", "name", "idCheck", "adapter", "pagination", "request",
    "otherRequest", "response", "otherResponse", "autoFillResponse", "buildModel", "condition", "condition_bk",
    "formatResponse", "beatFlat", "beatFlatBase", "operation", "omissionRemedy", "groupCalculate",
    "callBackStrategy", "distributionOrg", "autoCheck", "otherapi", "detailkey", "detailkey1", "detailkey2",
    "otherkey", "islist", "detailApi", "strict", "DownloadAttachment", "AttachmentFields", "downloadRequest",
    "downloadapi", "downStrategyId", "SourceStrategyId", "AttachmentFileName", "isUploadFile", "uploadAttachment",
    "uploadapi", "upload", "attachmentField", "filePathField", "requestParams", "otherRequestParams",
    "responseParams", "otherResponseParams", "label", "describe", "title",
];

const ITEM_KEYS: &[&str] = &[
    "field", "label", "type", "describe", "value", "parser", "mapping", "children", "parent", "parent_id", "id",
    "is_required", "default", "name", "enum", "itemMapping", "物理建模", "表单建模", "列表建模",
];

impl Metadata {
    /// Reads a document. What is wrong is in the list; the document is as complete as it can be all the same.
    pub fn parse(doc: &serde_json::Value, side: Side) -> (Metadata, Vec<Problem>) {
        Metadata::from_value(Value::from(doc), side)
    }

    /// As [`Metadata::parse`].
    pub fn from_value(raw: Value, side: Side) -> (Metadata, Vec<Problem>) {
        let mut problems = Vec::new();
        let empty = Map::new();
        let map = match &raw {
            Value::Object(map) => map,
            _ => {
                problems.push(Problem::error(
                    "HL-2001",
                    "",
                    text!("metadata must be one JSON object", "元数据应为一个 JSON 对象"),
                ));
                &empty
            }
        };
        for (key, _) in map.iter() {
            if !KNOWN.contains(&key) {
                let hint = match crate::nearest(key, KNOWN.iter().copied()) {
                    Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
                    None => text!("it is kept and has no effect", "该键会保留,但不起作用"),
                };
                problems.push(
                    Problem::warning("HL-2002", key, text!("unknown key `{key}`", "未知的键 `{key}`")).hint(hint),
                );
            }
        }
        let text_of = |key: &str| map.get(key).map(Value::in_text).unwrap_or_default().trim().to_owned();
        let flag = |key: &str, default: bool| map.get(key).and_then(crate::mapping::to_bool).unwrap_or(default);
        let api = text_of("api");
        if api.is_empty() {
            problems.push(
                Problem::error("HL-2003", "api", text!("`api` is missing", "缺少 `api`")).hint(text!(
                    "give the interface's name, such as `/open/shops/query` or `batchexecute`",
                    "请填写接口名,例如 `/open/shops/query` 或 `batchexecute`"
                )),
            );
        }
        let id = text_of("id");
        if side == Side::Source && id.is_empty() {
            problems.push(
                Problem::error("HL-2004", "id", text!("`id` is missing", "缺少 `id`")).hint(text!(
                    "name the field of the reply that identifies a record, such as `shop_id`",
                    "请填写响应中唯一标识一条数据的字段,例如 `shop_id`"
                )),
            );
        }
        let number = match text_of("number") {
            n if n.is_empty() => id.clone(),
            n => n,
        };
        let method = match text_of("method").to_ascii_uppercase() {
            m if m.is_empty() => "POST".to_owned(),
            m => m,
        };
        let effect = match text_of("effect") {
            e if e.is_empty() => text_of("type"),
            e => e,
        };
        let effect = match (effect.to_ascii_uppercase().as_str(), side) {
            ("", Side::Source) => "QUERY".to_owned(),
            ("", Side::Target) | ("WRITE" | "CREATE", _) => "EXECUTE".to_owned(),
            (other, _) => other.to_owned(),
        };
        let pagination = map.get("pagination").and_then(Value::as_object);
        let page_number = |keys: &[&str]| {
            keys.iter().find_map(|k| pagination.and_then(|p| p.get(k))).and_then(|v| v.in_text().trim().parse::<i64>().ok())
        };
        let page_size = page_number(&["pageSize", "page_size"]);
        if let Some(bad) = page_size.filter(|n| !(1..=100_000).contains(n)) {
            problems.push(Problem::error(
                "HL-2005",
                "pagination.pageSize",
                text!("a page cannot have {bad} rows", "每页行数不能为 {bad}"),
            ));
        }
        let mut list = |keys: &[&str]| -> Vec<Item> {
            let found = keys.iter().find_map(|k| map.get(k).map(|v| (*k, v)));
            found.map_or_else(Vec::new, |(k, v)| items(v, k, &mut problems))
        };
        let request = list(&["request", "requestParams"]);
        let other_request = list(&["otherRequest", "otherRequestParams"]);
        let response = list(&["response", "responseParams"]);
        let other_response_items = list(&["otherResponse", "otherResponseParams"]);
        let other_response = other_response_items
            .iter()
            .filter_map(|i| Some((i.field.to_ascii_lowercase(), i.value.as_ref()?.in_text())))
            .collect();
        let other_value = |name: &str| -> Option<Value> {
            let at = other_request.iter().find(|i| i.field.eq_ignore_ascii_case(name))?;
            at.value.clone()
        };
        let beat_flat = match map.get("beatFlat").cloned().or_else(|| other_value("beatFlat")) {
            Some(Value::Array(a)) => a.iter().map(Value::in_text).collect(),
            Some(Value::String(s)) if !s.is_empty() => s.split(',').map(|x| x.trim().to_owned()).collect(),
            _ => Vec::new(),
        };
        let condition = Condition::compile(map.get("condition"), &mut problems);
        let format_response = Rule::list(map.get("formatResponse"), &mut problems);
        let operation = operation(map.get("operation"));
        let split_array = (side == Side::Source && operation.method.eq_ignore_ascii_case("splitArray"))
            .then(|| {
                map.get("operation").and_then(Value::as_object).and_then(|o| o.get("arrayKey")).map(Value::in_text)
            })
            .flatten();
        let meta = Metadata {
            side,
            api,
            method,
            effect,
            id,
            number,
            id_check: flag("idCheck", true),
            strict: flag("strict", true),
            page_size: page_size.and_then(|n| u32::try_from(n).ok()),
            paged: pagination.is_some(),
            start_page: page_number(&["startPage"]),
            request,
            other_request,
            response,
            other_response,
            auto_fill_response: flag("autoFillResponse", false),
            condition,
            format_response,
            beat_flat,
            beat_flat_base: map.get("beatFlatBase").and_then(|v| v.in_text().parse().ok()).unwrap_or(1),
            split_array,
            operation,
            raw: Value::Null,
        };
        (Metadata { raw, ..meta }, problems)
    }

    /// A parameter of `otherResponse`, by its name in lower case.
    pub fn reply_key(&self, name: &str) -> Option<&str> {
        self.other_response.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// True when the request depends on the time window.
    pub fn uses_window(&self) -> bool {
        fn any(items: &[Item]) -> bool {
            items.iter().any(|i| i.value.as_ref().is_some_and(time) || any(&i.children))
        }
        fn time(v: &Value) -> bool {
            match v {
                Value::String(s) => [
                    "LAST_SYNC_TIME", "CURRENT_TIME", "DAYS_AGO_", "HOURS_AGO_", "MINUTES_AGO_", "lastSyncTime",
                    "lastExecuteTime", "currentTime",
                ]
                .iter()
                .any(|n| s.contains(n)),
                Value::Array(a) => a.iter().any(time),
                Value::Object(m) => m.iter().any(|(_, v)| time(v)),
                _ => false,
            }
        }
        any(&self.request) || any(&self.other_request)
    }

    /// The raw value of an `otherRequest` item, by name without regard to case.
    pub fn other_value(&self, name: &str) -> Option<&Value> {
        self.other_request.iter().find(|i| i.field.eq_ignore_ascii_case(name)).and_then(|i| i.value.as_ref())
    }

    /// True when elements are stored as they came: nothing filters or changes them.
    pub fn stores_as_is(&self) -> bool {
        self.condition.is_empty()
            && self.format_response.is_empty()
            && self.beat_flat.is_empty()
            && self.split_array.is_none()
    }
}

fn operation(v: Option<&Value>) -> Operation {
    let Some(map) = v.and_then(Value::as_object) else { return Operation::default() };
    let text_of = |k: &str| map.get(k).map(Value::in_text).unwrap_or_default();
    let names = |k: &str| -> Vec<String> {
        match map.get(k) {
            Some(Value::Array(a)) => a.iter().map(Value::in_text).collect(),
            Some(Value::String(s)) => {
                s.split(',').map(|x| x.trim().to_owned()).filter(|x| !x.is_empty()).collect()
            }
            _ => Vec::new(),
        }
    };
    Operation {
        method: text_of("method"),
        rows: text_of("rows").trim().parse().unwrap_or(1).max(1),
        rows_key: text_of("rowsKey"),
        fields: names("field"),
        body_name: match text_of("bodyName") {
            b if b.is_empty() => text_of("tableField"),
            b => b,
        },
        header: names("header"),
        body: names("body"),
        body_sum: names("bodySum"),
    }
}

/// Reads a list of items, or the generic layer's object form (dialect §2.8).
fn items(v: &Value, at: &str, problems: &mut Vec<Problem>) -> Vec<Item> {
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
    let mut kept: Vec<Item> = Vec::new();
    for item in out {
        if let Some(at) = kept.iter().position(|k| k.field == item.field) {
            kept.remove(at);
        }
        kept.push(item);
    }
    kept
}

/// Puts an item below the container it names by `parent` or by a dotted field; otherwise at the end.
fn place(out: &mut Vec<Item>, mut item: Item, parent: Option<&str>) {
    if let Some(parent) = parent {
        if let Some(container) = find(out, parent) {
            if let Some(bare) = item.field.strip_prefix(&format!("{parent}.")) {
                item.field = bare.to_owned();
            }
            container.children.push(item);
            return;
        }
    } else if let Some((head, rest)) = item.field.split_once('.') {
        let (head, rest) = (head.to_owned(), rest.to_owned());
        if let Some(container) = out.iter_mut().find(|i| i.field == head && matches!(i.ty, Type::Array | Type::Object)) {
            item.field = rest;
            place(&mut container.children, item, None);
            return;
        }
    }
    out.push(item);
}

fn find<'a>(items: &'a mut [Item], name: &str) -> Option<&'a mut Item> {
    for item in items {
        if item.field == name && matches!(item.ty, Type::Array | Type::Object) {
            return Some(item);
        }
        if let Some(found) = find(&mut item.children, name) {
            return Some(found);
        }
    }
    None
}

fn item(map: &Map, path: &str, problems: &mut Vec<Problem>) -> Option<Item> {
    let text_of = |k: &str| map.get(k).map(Value::in_text).unwrap_or_default();
    let field = text_of("field");
    if field.is_empty() {
        problems.push(Problem::error("HL-2008", format!("{path}.field"), text!("`field` is missing", "缺少 `field`")));
        return None;
    }
    for (key, _) in map.iter() {
        if !ITEM_KEYS.contains(&key)
            && let Some(near) = crate::nearest(key, ITEM_KEYS.iter().copied())
        {
            problems.push(
                Problem::warning("HL-2002", format!("{path}.{key}"), text!("unknown key `{key}`", "未知的键 `{key}`"))
                    .hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
            );
        }
    }
    let word = text_of("type");
    let ty = match word.to_ascii_lowercase().as_str() {
        "" | "string" | "text" | "char" | "varchar" | "timestamp" | "long date" | "enum" | "select" | "file" => Type::Text,
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
    if let Some(e) = &expr {
        problems.extend(e.problems(&format!("{path}.value")));
    }
    let default = present("default").map(|d| Expr::compile(&d));
    let parser = present("parser").and_then(|p| Parser::compile(&p, map));
    if let Some(p) = &parser {
        problems.extend(p.problems(&format!("{path}.parser")));
    }
    let mapping = match map.get("mapping") {
        Some(Value::Object(m)) => m.get("target").map(|t| {
            let back = m.get("direction").is_some_and(|d| d.in_text().eq_ignore_ascii_case("reverse"));
            (t.in_text(), back)
        }),
        _ => None,
    };
    // A `mapping` in text form is another spelling of the value (dialect §8, 36).
    let (value, expr) = match (value, map.get("mapping")) {
        (None, Some(Value::String(p))) if !p.is_empty() => {
            let v = Value::String(format!("{{{{{p}}}}}"));
            (Some(v.clone()), Some(Expr::compile(&v)))
        }
        (value, _) => (value, expr),
    };
    let children = match map.get("children") {
        Some(c) => items(c, &format!("{path}.children"), problems),
        None => Vec::new(),
    };
    Some(Item {
        label: match text_of("label") {
            l if l.is_empty() => field.clone(),
            l => l,
        },
        field,
        ty,
        source: source_name(ty, value.as_ref()),
        value,
        expr,
        default,
        parser,
        mapping,
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

/// The path of an id or number: bare, or as a reference.
pub(crate) fn key_path(s: &str) -> Path {
    let bare = s.trim().trim_start_matches("{{").trim_end_matches("}}");
    Path::new(bare.strip_prefix("response.").unwrap_or(bare))
}
