//! Which objects of a text are metadata, and of which side.

use heliu_model::config::PlanFile;
use heliu_model::schedule::Schedule;
use heliu_transform::Side;
use serde_json::{Map, Value, json};

use crate::blocks::Block;

/// Keys that make an object with `api` a metadata document.
const SIGNS: &[&str] = &[
    "method",
    "effect",
    "type",
    "id",
    "number",
    "idCheck",
    "pagination",
    "request",
    "otherRequest",
    "response",
    "otherResponse",
    "operation",
    "condition",
    "adapter",
    "requestParams",
    "autoFillResponse",
    "groupCalculate",
    "formatResponse",
    "beatFlat",
    "omissionRemedy",
];

/// Interface names that only write.
const WRITES: &[&str] =
    &["写入空操作", "空操作", "batchexecute", "execute", "batchsave", "save", "insert", "update", "upsert"];

/// A metadata document of the text.
#[derive(Debug, Clone)]
pub(crate) struct Doc {
    pub value: Map<String, Value>,
    /// Block that holds it.
    pub block: usize,
    /// Side by its own words or by the key it stands under.
    pub side: Option<Side>,
}

/// What the blocks of a text hold.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub docs: Vec<Doc>,
    /// Whole plan files, by block.
    pub plans: Vec<(usize, Map<String, Value>)>,
    /// Settings of a plan that stand beside the documents: key, value, block.
    pub settings: Vec<(String, Value, usize)>,
    /// Blocks that are something else: samples, replies.
    pub others: usize,
    /// Blocks that look like items without the document around them.
    pub loose_items: usize,
}

impl Contents {
    /// True when all documents are of the same side.
    pub(crate) fn one_sided(&self) -> bool {
        let of = |side: Side| self.docs.iter().any(|d| d.side == Some(side));
        of(Side::Source) != of(Side::Target) && self.docs.iter().all(|d| d.side.is_some())
    }
}

/// Sorts the blocks of a text.
pub(crate) fn contents(blocks: &[Block]) -> Contents {
    let mut out = Contents::default();
    for (n, block) in blocks.iter().enumerate() {
        if block.fragment {
            let side = own_side(&block.value).or_else(|| told_by_values(&block.value));
            out.docs.push(Doc { value: block.value.clone(), block: n, side });
            continue;
        }
        if is_plan(&block.value) {
            out.plans.push((n, block.value.clone()));
            continue;
        }
        let before = out.docs.len();
        walk(&block.value, n, None, 0, &mut out.docs);
        if out.docs.len() > before {
            continue;
        }
        let found = settings(&block.value);
        if found.is_empty() {
            out.others += 1;
            out.loose_items += usize::from(block.value.contains_key("field") && block.value.len() > 1);
        }
        for (k, v) in found {
            if !out.settings.iter().any(|(old, ..)| *old == k) {
                out.settings.push((k, v, n));
            }
        }
    }
    out
}

fn is_plan(map: &Map<String, Value>) -> bool {
    let side = |k: &str| map.get(k).and_then(|s| s.get("metadata")).is_some_and(Value::is_object);
    side("source") && side("target")
}

fn is_document(map: &Map<String, Value>) -> bool {
    let signs = SIGNS.iter().filter(|k| map.contains_key(**k)).count();
    match map.get("api") {
        Some(Value::String(s)) => !s.trim().is_empty() && (signs > 0 || map.len() == 1),
        None => {
            // The name of the interface may be cut off.
            let items =
                ["request", "requestParams"].iter().find_map(|k| map.get(*k)).and_then(Value::as_array);
            signs > 2 && items.is_some_and(|l| l.iter().any(|i| i.get("field").is_some()))
        }
        Some(_) => false,
    }
}

fn walk(map: &Map<String, Value>, block: usize, under: Option<Side>, depth: usize, out: &mut Vec<Doc>) {
    if is_document(map) {
        out.push(Doc { value: map.clone(), block, side: own_side(map).or(under) });
        return;
    }
    if depth > 6 {
        return;
    }
    for (key, value) in map {
        let low = key.to_lowercase();
        let side = if ["source", "query", "来源", "源"].iter().any(|w| low.contains(w)) {
            Some(Side::Source)
        } else if ["target", "execute", "目标", "写入"].iter().any(|w| low.contains(w)) {
            Some(Side::Target)
        } else {
            under
        };
        match value {
            Value::Object(inner) => walk(inner, block, side, depth + 1, out),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_object).for_each(|m| walk(m, block, side, depth + 1, out));
            }
            _ => {}
        }
    }
}

/// The side that the values of its items tell: only a target reads the fields of a record.
fn told_by_values(map: &Map<String, Value>) -> Option<Side> {
    fn reads_record(item: &Value) -> bool {
        let value = item.get("value").map(Value::to_string).unwrap_or_default();
        let names = value.split("{{").skip(1).filter_map(|r| r.split(['}', '|']).next());
        let of_record = |name: &str| {
            let name = name.trim();
            !name.is_empty()
                && !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        let mut names = names;
        names.any(of_record)
            || item.get("children").and_then(Value::as_array).is_some_and(|c| c.iter().any(reads_record))
    }
    let items = map.get("request").and_then(Value::as_array)?;
    Some(if items.iter().any(reads_record) { Side::Target } else { Side::Source })
}

/// The side that a document's own keys tell.
fn own_side(map: &Map<String, Value>) -> Option<Side> {
    let word = |k: &str| map.get(k).and_then(Value::as_str).unwrap_or("").trim().to_ascii_uppercase();
    for word in [word("effect"), word("type")] {
        match word.as_str() {
            "QUERY" | "RECEIVE" | "SELECT" | "READ" => return Some(Side::Source),
            "EXECUTE" | "WRITE" | "CREATE" | "UPDATE" | "DELETE" | "SAVE" => return Some(Side::Target),
            _ => {}
        }
    }
    let api = word("api").to_ascii_lowercase();
    if WRITES.contains(&api.as_str()) {
        return Some(Side::Target);
    }
    let has = |k: &str| map.contains_key(k);
    if ["pagination", "autoFillResponse", "condition", "formatResponse", "beatFlat", "omissionRemedy"]
        .iter()
        .any(|k| has(k))
        || api == "select"
    {
        return Some(Side::Source);
    }
    if ["groupCalculate", "callBackStrategy", "distributionOrg"].iter().any(|k| has(k)) {
        return Some(Side::Target);
    }
    (has("id") && has("number")).then_some(Side::Source)
}

/// Settings of a plan in an object that is no metadata: a schedule, sizes, retries.
fn settings(map: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    if map.contains_key("schedule") {
        let whole = Value::Object(map.clone());
        let value = if map.contains_key("task") { &whole } else { map.get("schedule").unwrap_or(&whole) };
        if Schedule::read(value).is_ok_and(|(s, _)| s.is_some()) {
            out.push(("schedule".to_owned(), value.clone()));
        }
    }
    for key in ["targetSchedule", "batchSize", "retries", "start", "lookback", "settle", "window", "timezone"]
    {
        if let Some(v) = map.get(key) {
            let (_, problems) = PlanFile::read(&json!({key: v}), "");
            if !problems.iter().any(|p| p.path == key) {
                out.push((key.to_owned(), v.clone()));
            }
        }
    }
    // A sample reply may say `start`; alone it is no setting.
    if out.iter().all(|(k, _)| k == "start" || k == "window" || k == "timezone") { Vec::new() } else { out }
}
