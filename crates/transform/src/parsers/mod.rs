//! Parsers applied to evaluated values (dialect §4.1).

mod typed;
mod xml;

use chrono_tz::Tz;

use crate::{Map, Number, Problem, Text, Value, text};
use typed::Typed;

/// A compiled parser, possibly a chain.
#[derive(Debug, Clone)]
pub(crate) struct Parser(Vec<One>);

#[derive(Debug, Clone)]
enum One {
    StringToArray(String),
    ArrayToString(String),
    ArrayUnique,
    ConvertJson,
    Wrap(String),
    WrapTwice(String, String),
    HeiHu(String),
    TableField {
        view: Value,
        edit: Value,
        id: Value,
    },
    Typed(Typed),
    /// Parameters that cannot be read: the value stays.
    Broken(Text),
    Unknown(String),
}

/// Names of all parsers.
pub(crate) const NAMES: &[&str] = &[
    "StringToArray",
    "ArrayToString",
    "ArrayUnique",
    "ConvertJson",
    "ConvertObjectParser",
    "ConvertTwoStageObjectParser",
    "K3WiseHeiHuCustomParser",
    "workflowRequestTableFields",
    "jsonpath",
    "xml",
    "csv",
    "regex",
    "date",
    "number",
    "enum",
];

impl Parser {
    /// Compiles `{name, params}`, a list of those, or one name list in a string, whose parameters stand beside it in
    /// the `item`; `None` for an empty object.
    pub fn compile(v: &Value, item: &Map) -> Option<Parser> {
        let mut out = Vec::new();
        collect(v, item, &mut out);
        (!out.is_empty()).then_some(Parser(out))
    }

    /// Findings: unknown names with the nearest known one.
    pub fn problems(&self, path: &str) -> Vec<Problem> {
        self.0
            .iter()
            .filter_map(|p| match p {
                One::Unknown(name) => Some(Problem::error("HL-2120", path, unknown(name))),
                One::Broken(why) => Some(Problem::error("HL-2121", path, why.clone())),
                _ => None,
            })
            .collect()
    }

    /// Applies the chain. `field` is the item's own name.
    pub fn apply(&self, v: Value, field: &str, tz: Tz, warnings: &mut Vec<Text>) -> Value {
        self.0.iter().fold(v, |v, p| p.apply(v, field, tz, warnings))
    }

    /// True when null becomes something (an empty list) instead of staying null.
    pub fn takes_null(&self) -> bool {
        matches!(self.0.first(), Some(One::StringToArray(_)))
    }
}

fn collect(v: &Value, item: &Map, out: &mut Vec<One>) {
    match v {
        Value::Array(items) => {
            items.iter().filter(|i| !matches!(i, Value::Array(_))).for_each(|i| collect(i, item, out))
        }
        Value::String(names) => {
            // Only parameters count beside a bare name; the item's own keys mean other things.
            let beside = item.iter().filter(|(k, _)| k.starts_with("params"));
            let beside: Map = beside.map(|(k, v)| (k.to_owned(), v.clone())).collect();
            names.split(',').for_each(|n| push(n.trim(), &beside, out));
        }
        Value::Object(map) => {
            let name = map.get("name").or_else(|| map.get("type")).and_then(Value::as_str).unwrap_or("");
            name.split(',').for_each(|n| push(n.trim(), map, out));
        }
        _ => {}
    }
}

/// Parameters are text, or lists joined by commas (dialect §8, 40).
fn param(map: &Map, key: &str) -> Option<String> {
    match map.get(key)? {
        Value::Null => None,
        Value::Array(items) => Some(items.iter().map(Value::in_text).collect::<Vec<_>>().join(",")),
        v => Some(v.in_text()),
    }
}

fn push(name: &str, map: &Map, out: &mut Vec<One>) {
    if name.is_empty() {
        return;
    }
    let params = || param(map, "params");
    let separator = || params().filter(|s| !s.is_empty()).unwrap_or_else(|| ",".into());
    let inner = |key: &str| match map.get("params") {
        Some(Value::Object(p)) => p.get(key).or_else(|| map.get(key)).cloned().unwrap_or(Value::Null),
        _ => map.get(key).cloned().unwrap_or(Value::Null),
    };
    out.push(match name.to_ascii_lowercase().as_str() {
        "stringtoarray" => One::StringToArray(separator()),
        "arraytostring" => One::ArrayToString(separator()),
        "arrayunique" => One::ArrayUnique,
        "convertjson" => One::ConvertJson,
        "convertobjectparser" => One::Wrap(params().unwrap_or_default()),
        "converttwostageobjectparser" => {
            let both = params().unwrap_or_default();
            let mut parts = both.split(',');
            let first = param(map, "params1").or_else(|| parts.next().map(str::to_owned)).unwrap_or_default();
            let second =
                param(map, "params2").or_else(|| parts.next().map(str::to_owned)).unwrap_or_default();
            One::WrapTwice(first, second)
        }
        "k3wiseheihucustomparser" => One::HeiHu(params().unwrap_or_default()),
        "workflowrequesttablefields" => {
            let or_true = |v: Value| if v.is_null() { Value::Bool(true) } else { boolean(v) };
            let id = match inner("fieldId") {
                Value::Null => Value::Null,
                v => Value::from(v.in_text()),
            };
            One::TableField { view: or_true(inner("view")), edit: or_true(inner("edit")), id }
        }
        _ => match Typed::compile(name, map) {
            Some(Ok(typed)) => One::Typed(typed),
            Some(Err(why)) => One::Broken(why),
            None => One::Unknown(name.to_owned()),
        },
    });
}

fn boolean(v: Value) -> Value {
    match v.as_str() {
        Some("true") => Value::Bool(true),
        Some("false") => Value::Bool(false),
        _ => v,
    }
}

fn unknown(name: &str) -> Text {
    match crate::nearest(name, NAMES.iter().copied()) {
        Some(near) => {
            text!("unknown parser `{name}`; did you mean `{near}`?", "未知的解析器 `{name}`;是否为 `{near}`?")
        }
        None => {
            let all = NAMES.join(", ");
            text!("unknown parser `{name}`; known are {all}", "未知的解析器 `{name}`;已知的有 {all}")
        }
    }
}

fn object(key: &str, v: Value) -> Value {
    let mut map = Map::new();
    map.insert(key, v);
    Value::Object(map)
}

impl One {
    fn apply(&self, v: Value, field: &str, tz: Tz, warnings: &mut Vec<Text>) -> Value {
        match self {
            One::Typed(typed) => typed.apply(v, tz, warnings),
            One::Broken(why) => {
                warnings.push(why.clone());
                v
            }
            One::StringToArray(sep) => match v {
                Value::Null => Value::Array(Vec::new()),
                Value::Array(_) => v,
                Value::String(s) if s.trim().is_empty() => Value::Array(Vec::new()),
                Value::String(s) => Value::Array(s.split(sep.as_str()).map(Value::from).collect()),
                other => Value::Array(vec![Value::from(other.in_text())]),
            },
            One::ArrayToString(sep) => match v {
                Value::Array(items) => {
                    Value::from(items.iter().map(Value::in_text).collect::<Vec<_>>().join(sep))
                }
                other => other,
            },
            One::ArrayUnique => match v {
                Value::Array(items) => {
                    let mut out: Vec<Value> = Vec::new();
                    for i in items {
                        if !out.contains(&i) {
                            out.push(i);
                        }
                    }
                    Value::Array(out)
                }
                other => other,
            },
            One::ConvertJson => convert_json(v, warnings),
            // Null stays null: the item is omitted.
            One::Wrap(_) | One::WrapTwice(..) | One::HeiHu(_) | One::TableField { .. } if v.is_null() => v,
            One::Wrap(key) => object(key, v),
            One::WrapTwice(a, b) => object(a, object(b, v)),
            One::HeiHu(name) => {
                let mut map = Map::new();
                map.insert("keyName", Value::from(name.as_str()));
                map.insert("keyValue", v);
                Value::Array(vec![Value::Object(map)])
            }
            One::TableField { view, edit, id } => {
                let mut map = Map::new();
                map.insert("fieldName", Value::from(field));
                map.insert("fieldValue", v);
                map.insert("view", view.clone());
                map.insert("edit", edit.clone());
                map.insert("fieldId", id.clone());
                Value::Object(map)
            }
            One::Unknown(name) => {
                warnings.push(unknown(name));
                v
            }
        }
    }
}

fn convert_json(v: Value, warnings: &mut Vec<Text>) -> Value {
    let parsed = match &v {
        Value::String(s) => {
            let flat: String = s.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
            Value::parse(flat.as_bytes()).ok()
        }
        Value::Object(_) => Some(v.clone()),
        _ => None,
    };
    match parsed {
        Some(Value::Object(map)) => Value::Array(
            map.into_iter()
                .map(|(k, val)| {
                    let key = match Number::from_text(&k) {
                        Some(n) if n.as_i64().is_some() => Value::Number(n),
                        _ => Value::from(k),
                    };
                    let mut pair = Map::new();
                    pair.insert("Key", key);
                    pair.insert("Value", val);
                    Value::Object(pair)
                })
                .collect(),
        ),
        _ => {
            if !v.is_null() {
                warnings.push(text!(
                    "`ConvertJson` needs an object; the value is left unchanged",
                    "`ConvertJson` 需要对象,值保持不变"
                ));
            }
            v
        }
    }
}
