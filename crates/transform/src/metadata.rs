//! The metadata document of one side (dialect §2): read once, unknown keys kept and reported.

use crate::condition::Condition;
use crate::formats::Rule;
use crate::grouping::{GroupCalculate, Operation};
use crate::items::items;
use crate::passing::Passing;
use crate::path::Path;
use crate::{Map, Problem, Value, text};

pub use crate::items::{Item, Type};

/// Which side a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It reads.
    Source,
    /// It writes.
    Target,
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
    /// Source: stored data gets the types that `response` declares.
    pub(crate) build_model: bool,
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
    /// Target: aggregation of flattened records; it wins over `operation`.
    pub group_calculate: Option<GroupCalculate>,
    /// Source: request of the second reading that finds what was missed (dialect §5.6).
    pub omission_remedy: Option<Remedy>,
    /// Target: another plan that receives an object after each success (dialect §6.8).
    pub(crate) callback: Option<Passing>,
    /// Source: keys whose values are gathered as a list of pairs under `_Fcost`.
    pub(crate) cost_keys: Vec<String>,
}

/// `omissionRemedy`: a second reading with its own schedule and some fields of its own.
#[derive(Debug, Clone)]
pub struct Remedy {
    /// Five-field cron.
    pub crontab: String,
    /// Fields that take the place of those of the same name.
    pub request: Vec<Item>,
}

pub(crate) const KNOWN: &[&str] = &[
    "api",
    "effect",
    "type",
    "method",
    "id",
    "number",
    "name",
    "idCheck",
    "adapter",
    "pagination",
    "request",
    "otherRequest",
    "response",
    "otherResponse",
    "autoFillResponse",
    "buildModel",
    "condition",
    "condition_bk",
    "formatResponse",
    "beatFlat",
    "beatFlatBase",
    "operation",
    "omissionRemedy",
    "groupCalculate",
    "callBackStrategy",
    "distributionOrg",
    "autoCheck",
    "otherapi",
    "detailkey",
    "detailkey1",
    "detailkey2",
    "otherkey",
    "islist",
    "detailApi",
    "strict",
    "DownloadAttachment",
    "AttachmentFields",
    "downloadRequest",
    "downloadapi",
    "downStrategyId",
    "SourceStrategyId",
    "AttachmentFileName",
    "isUploadFile",
    "uploadAttachment",
    "uploadapi",
    "upload",
    "attachmentField",
    "filePathField",
    "requestParams",
    "otherRequestParams",
    "responseParams",
    "otherResponseParams",
    "flattenConfig",
    "label",
    "describe",
    "title",
];

/// Takes `is_required` off items.
fn optional(items: &mut [Item]) {
    for item in items {
        item.required = false;
        optional(&mut item.children);
    }
}

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
                    Problem::warning("HL-2002", key, text!("unknown key `{key}`", "未知的键 `{key}`"))
                        .hint(hint),
                );
            }
        }
        let text_of = |key: &str| map.get(key).map(Value::in_text).unwrap_or_default().trim().to_owned();
        let flag =
            |key: &str, default: bool| map.get(key).and_then(crate::mapping::to_bool).unwrap_or(default);
        let api = text_of("api");
        if api.is_empty() {
            problems.push(Problem::error("HL-2003", "api", text!("`api` is missing", "缺少 `api`")).hint(
                text!(
                    "give the interface's name, such as `/open/shops/query` or `batchexecute`",
                    "请填写接口名,例如 `/open/shops/query` 或 `batchexecute`"
                ),
            ));
        }
        let id = text_of("id");
        if side == Side::Source && id.is_empty() {
            problems.push(Problem::error("HL-2004", "id", text!("`id` is missing", "缺少 `id`")).hint(
                text!(
                    "name the field of the reply that identifies a record, such as `shop_id`",
                    "请填写响应中唯一标识一条数据的字段,例如 `shop_id`"
                ),
            ));
        }
        let listed = matches!(map.get("id"), Some(Value::Array(_) | Value::Object(_)));
        if side == Side::Source && (listed || (id.contains([',', '+']) && !id.contains('{'))) {
            let problem = if listed { Problem::error } else { Problem::warning };
            problems.push(
                problem("HL-2004", "id", text!("`id` is {id}, which is no field", "`id` 为 {id},不是字段名"))
                    .hint(text!(
                        "several fields make one id as `{{{{a}}}}-{{{{b}}}}`",
                        "多个字段组成一个 id 时请写 `{{{{a}}}}-{{{{b}}}}`"
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
            keys.iter()
                .find_map(|k| pagination.and_then(|p| p.get(k)))
                .and_then(|v| v.in_text().trim().parse::<i64>().ok())
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
        let mut request = list(&["request", "requestParams"]);
        let mut other_request = list(&["otherRequest", "otherRequestParams"]);
        if side == Side::Source {
            // There is no record that could fail: what the platform wants, it says itself, and some of it (paging,
            // columns) the connector fills in.
            [&mut request, &mut other_request].into_iter().for_each(|l| optional(l));
        }
        let response = list(&["response", "responseParams"]);
        let other_response_items = list(&["otherResponse", "otherResponseParams"]);
        let other_response = other_response_items
            .iter()
            .filter_map(|i| Some((i.field.to_ascii_lowercase(), i.value.as_ref()?.in_text())))
            .collect();
        // Where the flat form is meant, generic documents say `flattenConfig` (dialect §2.8).
        let flatten = map.get("flattenConfig").and_then(Value::as_object);
        let flatten = flatten.and_then(|f| f.get("arrayFields").cloned());
        let other_value = |name: &str| -> Option<Value> {
            let at = other_request.iter().find(|i| i.field.eq_ignore_ascii_case(name))?;
            at.value.clone()
        };
        let beat_flat = match map.get("beatFlat").cloned().or_else(|| other_value("beatFlat")).or(flatten) {
            Some(Value::Array(a)) => a.iter().map(Value::in_text).collect(),
            Some(Value::String(s)) if !s.is_empty() => s.split(',').map(|x| x.trim().to_owned()).collect(),
            _ => Vec::new(),
        };
        let condition = Condition::compile(map.get("condition"), &mut problems);
        let format_response = Rule::list(map.get("formatResponse"), &mut problems);
        let operation = Operation::compile(map.get("operation"));
        let group_calculate = GroupCalculate::compile(map.get("groupCalculate"), &mut problems);
        // An empty block is the editor's, as an empty `condition` is.
        let remedy = map.get("omissionRemedy").and_then(Value::as_object).filter(|r| !r.is_empty());
        let omission_remedy = remedy.map(|r| Remedy {
            crontab: r.get("crontab").map(Value::in_text).unwrap_or_default(),
            request: r.get("takeOverRequest").map_or_else(Vec::new, |t| {
                let mut list = items(t, "omissionRemedy.takeOverRequest", &mut problems);
                optional(&mut list);
                list
            }),
        });
        let callback = map.get("callBackStrategy").and_then(Value::as_object);
        let callback = callback.and_then(|c| Passing::compile(c, &mut problems));
        let cost_keys = other_response_items
            .iter()
            .find(|i| i.field.eq_ignore_ascii_case("cost_array_key"))
            .and_then(|i| i.value.as_ref())
            .map_or_else(Vec::new, |v| v.in_text().split(',').map(|k| k.trim().to_owned()).collect());
        let split_array = (side == Side::Source && operation.method.eq_ignore_ascii_case("splitArray"))
            .then(|| {
                map.get("operation")
                    .and_then(Value::as_object)
                    .and_then(|o| o.get("arrayKey"))
                    .map(Value::in_text)
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
            build_model: side == Side::Source && flag("buildModel", false),
            condition,
            format_response,
            beat_flat,
            beat_flat_base: map.get("beatFlatBase").and_then(|v| v.in_text().parse().ok()).unwrap_or(1),
            split_array,
            operation,
            group_calculate,
            omission_remedy,
            callback,
            cost_keys,
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
                    "LAST_SYNC_TIME",
                    "CURRENT_TIME",
                    "DAYS_AGO_",
                    "HOURS_AGO_",
                    "MINUTES_AGO_",
                    "lastSyncTime",
                    "lastExecuteTime",
                    "currentTime",
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
            && self.cost_keys.is_empty()
            && !(self.build_model && self.response.iter().any(|i| i.typed))
    }

    /// The same document with the fields of `omissionRemedy` in place of its own (dialect §5.6); `None` without one.
    pub fn remedied(&self) -> Option<Metadata> {
        let remedy = self.omission_remedy.as_ref()?;
        let mut meta = self.clone();
        for item in &remedy.request {
            match meta.request.iter_mut().find(|i| i.field == item.field) {
                Some(place) => *place = item.clone(),
                None => meta.request.push(item.clone()),
            }
        }
        Some(meta)
    }

    /// Where the document says that the records of a reply are: `DataKey`, else the first parameter of
    /// `otherResponse` that is not about something else (dialect §5.2). The flag tells that it was `DataKey`.
    pub fn list_path(&self) -> Option<(Path, bool)> {
        if let Some(key) = self.reply_key("datakey").filter(|k| !k.trim().is_empty()) {
            return Some((Path::with_slashes(key), true));
        }
        let other = ["statuskey", "statusvalue", "pagekey", "islist", "cost_array_key", "downloadattachment"];
        let (_, first) =
            self.other_response.iter().find(|(k, v)| !other.contains(&k.as_str()) && !v.trim().is_empty())?;
        Some((Path::with_slashes(first), false))
    }

    /// Whether a reply is a success by `StatusKey` and `StatusValue`, compared as text (dialect §6.6); `None` when the
    /// document does not say.
    pub fn reply_succeeded(&self, body: &[u8]) -> Option<bool> {
        let key = self.reply_key("statuskey").filter(|k| !k.trim().is_empty())?;
        let wanted = self.reply_key("statusvalue")?;
        let found = crate::records::pick_text(body, &Path::with_slashes(key));
        Some(found.as_deref().map(str::trim) == Some(wanted.trim()))
    }

    /// The document with the fields of a reply's element added to `response`, for `autoFillResponse`; `None` when
    /// there is nothing new to learn. Data is never changed by it.
    pub fn learn(&self, element: &Value) -> Option<Value> {
        let (Some(raw), Some(fields)) = (self.raw.as_object(), element.as_object()) else { return None };
        let mut list = raw.get("response").and_then(Value::as_array).unwrap_or(&[]).to_vec();
        let before = list.len();
        for (name, v) in fields.iter().filter(|(name, _)| self.response.iter().all(|i| i.field != *name)) {
            let kind = match v {
                Value::Number(n) if n.as_i64().is_some() => "int",
                Value::Number(_) => "float",
                Value::Bool(_) => "bool",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
                _ => "string",
            };
            let entry = [("field", name), ("label", name), ("type", kind), ("describe", "_autoFillResponse")];
            list.push(Value::Object(
                entry.into_iter().map(|(k, v)| (k.to_owned(), Value::from(v))).collect(),
            ));
        }
        if list.len() == before {
            return None;
        }
        let mut raw = raw.clone();
        raw.insert("response", Value::Array(list));
        Some(Value::Object(raw))
    }
}
