//! Any bytes: a value or an error, never a panic.

use heliu_transform::{EvalRequest, Expr, Metadata, Side, Value, canonical, evaluate};
use proptest::prelude::*;

fn eval(expr: &str, record: &Value) -> Option<Value> {
    let expr = Value::from(expr);
    evaluate(&EvalRequest {
        expr: &expr,
        record: Some(record),
        row: None,
        now: 1_710_406_800,
        last_sync: 1_710_403_200,
        tz: chrono_tz::Asia::Shanghai,
        ty: None,
        parser: None,
        strict: true,
        lookups: None,
    })
    .ok()
    .map(|v| v.0)
}

/// Pieces of expressions.
const PARTS: &[&str] = &[
    "{{a}}",
    "{{b}}",
    "{{n}}",
    "{{l}}",
    "{{l.k}}",
    "{{l.0}}",
    "{{d|date}}",
    "{{d|timestamp}}",
    "{{LAST_SYNC_TIME|datetime}}",
    "'{{b}}'",
    "1",
    "NOW()",
    "RAND(3)",
    "LEFT('{{b}}',1)",
    "{{a}} * 3",
    "SUM({{l}})",
    "{b}",
    "{{",
    "}}",
    "'",
    "x",
];

proptest! {
    #[test]
    fn expressions_never_panic(s in "\\PC{0,60}", f in "[-+*/%(){}'\"a-zA-Z0-9_ ,.|=<>]{0,60}") {
        let record = Value::parse(br#"{"a":1,"b":"x"}"#).unwrap_or_default();
        let _ = eval(&s, &record);
        let _ = eval(&format!("_function {f}"), &record);
        let _ = eval(&format!("{{{{{f}}}}}"), &record);
        let _ = eval(&format!("_findCollection {f}"), &record);
        let _ = Expr::compile(&Value::from(f)).paths().len();
    }

    #[test]
    fn data_is_never_evaluated(data in "[{}|_a-z'\"\\\\ ]{0,40}") {
        let mut map = heliu_transform::Map::new();
        map.insert("v", Value::from(data.clone()));
        let record = Value::Object(map);
        prop_assert_eq!(eval("{{v}}", &record), Some(Value::from(data.clone())));
        prop_assert_eq!(eval("x{{v}}", &record), Some(Value::from(format!("x{data}"))));
        prop_assert_eq!(eval("_function CONCAT('{{v}}','')", &record), Some(Value::from(data)));
    }

    /// The same expression over the same record: the same value, compiled again or not, and whatever was evaluated
    /// in between.
    #[test]
    fn evaluation_is_deterministic(
        parts in prop::collection::vec(prop::sample::select(PARTS), 1..8),
        between in prop::sample::select(PARTS),
    ) {
        let record = Value::parse(br#"{"a":1.50,"b":"x","d":"2024-02-29","n":null,"l":[1,"2",{"k":"v"}]}"#).unwrap_or_default();
        for text in [parts.concat(), format!("_function CONCAT({})", parts.join(","))] {
            let first = eval(&text, &record);
            let _ = eval(between, &record);
            prop_assert_eq!(&first, &eval(&text, &record));
            if let Some(v) = first {
                // What is printed is read again as it was.
                let printed = v.to_json();
                prop_assert_eq!(Value::parse(printed.as_bytes()).map(|v| v.to_json()), Ok(printed));
            }
        }
    }

    #[test]
    fn json_survives_a_round_trip(n in any::<i64>(), frac in "[0-9]{1,25}", s in "\\PC{0,20}") {
        let text = format!("{{\"n\":{n},\"d\":0.{frac},\"s\":{}}}", serde_json::to_string(&s).unwrap_or_default());
        let v = Value::parse(text.as_bytes()).unwrap_or_default();
        prop_assert_eq!(Value::parse(v.to_json().as_bytes()).unwrap_or_default(), v.clone());
        prop_assert_eq!(v.get_path("d").unwrap_or_default().to_json(), format!("0.{frac}"));
    }

    #[test]
    fn hashes_ignore_the_order_of_keys(keys in prop::collection::btree_map("[a-z]{1,6}", -99i32..99, 1..8)) {
        let forward: Vec<String> = keys.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        let backward: Vec<String> = keys.iter().rev().map(|(k, v)| format!(" \"{k}\" : {v} ")).collect();
        let hash = |parts: &[String]| {
            canonical::content_hash(format!("{{{}}}", parts.join(",")).as_bytes(), &[], &mut Vec::new())
        };
        prop_assert_eq!(hash(&forward), hash(&backward));
    }

    #[test]
    fn metadata_never_panics(s in "\\PC{0,80}") {
        let (m, _) = Metadata::from_value(Value::from(s), Side::Source);
        let _ = m.uses_window();
        let _ = canonical::content_hash(m.api.as_bytes(), &[], &mut Vec::new());
    }
}
