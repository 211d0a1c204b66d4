//! Spellings of the generic layer that can be read as the authentic ones (dialect §2.8).

use heliu_model::{Problem, Text, text};
use serde_json::{Map, Value};

/// Keys that mean the same.
const RENAMED: &[(&str, &str)] = &[
    ("requestParams", "request"),
    ("otherRequestParams", "otherRequest"),
    ("responseParams", "response"),
    ("otherResponseParams", "otherResponse"),
];

const PAGING: &[(&str, &str)] = &[
    ("page_size", "pageSize"),
    ("pageParam", "pageField"),
    ("sizeParam", "pageSizeField"),
    ("cursorParam", "cursorField"),
];

/// Settings of other engines; they are kept and do nothing.
const WITHOUT_EFFECT: &[&str] = &[
    "writeMode",
    "idempotency",
    "retryPolicy",
    "errorHandling",
    "diffMode",
    "fetchOverride",
    "responseParser",
    "batchSize",
];

/// Puts the authentic spellings in place; what was changed, as key and sentence.
pub(crate) fn normalise(map: &mut Map<String, Value>) -> (Vec<(String, Text)>, Vec<Problem>) {
    let (mut done, mut problems) = (Vec::new(), Vec::new());
    for (old, new) in RENAMED {
        if !map.contains_key(*new) && rename(map, old, new) {
            done.push(((*old).to_owned(), text!("written as `{new}`", "改写为 `{new}`")));
            if let Some(list) = map.get(*new).and_then(Value::as_object).map(items) {
                map.insert((*new).to_owned(), list);
            }
        }
    }
    if let Some(list) = map.get("request").and_then(Value::as_object).map(items) {
        map.insert("request".to_owned(), list);
        done.push((
            "request".to_owned(),
            text!("the object was written as a list of items", "对象形式已改写为字段项列表"),
        ));
    }
    if !map.contains_key("beatFlat")
        && let Some(fields) = map.get("flattenConfig").and_then(|f| f.get("arrayFields")).cloned()
    {
        let alone = map.get("flattenConfig").and_then(Value::as_object).is_some_and(|f| f.len() == 1);
        if alone {
            rename(map, "flattenConfig", "beatFlat");
        }
        map.insert("beatFlat".to_owned(), fields);
        done.push(("flattenConfig".to_owned(), text!("written as `beatFlat`", "改写为 `beatFlat`")));
    }
    for key in ["id", "number"] {
        let path = map.get(key).and_then(Value::as_str).and_then(|s| {
            let inner = s.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim().strip_prefix("response.")?;
            (!inner.is_empty() && !inner.contains(['{', '}', '|'])).then(|| inner.to_owned())
        });
        if let Some(path) = path {
            let sentence =
                text!("`{key}` is a path: written as `{path}`", "`{key}` 应为路径,已改写为 `{path}`");
            map.insert(key.to_owned(), Value::String(path));
            done.push((key.to_owned(), sentence));
        }
    }
    if let Some(Value::Object(paging)) = map.get_mut("pagination") {
        for (old, new) in PAGING {
            if !paging.contains_key(*new) && rename(paging, old, new) {
                done.push(((*old).to_owned(), text!("written as `{new}`", "改写为 `{new}`")));
            }
        }
    }
    for key in WITHOUT_EFFECT.iter().filter(|k| map.contains_key(**k)) {
        problems.push(
            Problem::warning(
                "HL-1507",
                *key,
                text!("`{key}` is kept and has no effect here", "`{key}` 会保留,但在此不起作用"),
            )
            .hint(match *key {
                "batchSize" => text!(
                    "write `batchSize` beside `source` in the plan",
                    "请将 `batchSize` 写在方案中,与 `source` 同级"
                ),
                "writeMode" => text!(
                    "how rows are written is said by `main_sql` or by the interface",
                    "写入方式由 `main_sql` 或接口决定"
                ),
                "retryPolicy" => text!("write `retries` in the plan", "请在方案中填写 `retries`"),
                _ => text!("see the reference for what the plan can say", "可用的设置请参考手册"),
            }),
        );
    }
    (done, problems)
}

/// Renames a key at its place.
fn rename(map: &mut Map<String, Value>, old: &str, new: &str) -> bool {
    if !map.contains_key(old) {
        return false;
    }
    let all = std::mem::take(map);
    map.extend(all.into_iter().map(|(k, v)| if k == old { (new.to_owned(), v) } else { (k, v) }));
    true
}

/// `{F: {value, parser}}` or `{F: value}` as a list of items.
fn items(object: &Map<String, Value>) -> Value {
    let list = object.iter().map(|(field, v)| {
        let mut item = Map::new();
        item.insert("field".to_owned(), Value::String(field.clone()));
        match v {
            Value::Object(m)
                if ["value", "type", "parser", "mapping", "children", "default"]
                    .iter()
                    .any(|k| m.contains_key(*k)) =>
            {
                item.extend(m.iter().filter(|(k, _)| *k != "field").map(|(k, v)| (k.clone(), v.clone())));
            }
            other => {
                item.insert("value".to_owned(), other.clone());
            }
        }
        Value::Object(item)
    });
    Value::Array(list.collect())
}
