//! Any bytes: a value or an error, never a panic.

use heliu_transform::{EvalRequest, Expr, Metadata, Path, Shaping, Side, Value, canonical, evaluate};
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

    /// Where members stood in one record says nothing about the next one: a request that has seen other records gives
    /// what a fresh one gives.
    #[test]
    fn the_order_of_members_is_of_no_account(
        records in prop::collection::vec(prop::collection::vec((0usize..6, 0u8..4), 0..9), 1..6),
    ) {
        const NAMES: &[&str] = &["a", "b", "c", "l", "LAST_SYNC_TIME", "l.k"];
        let doc = r#"{"api":"x","request":[{"field":"1","type":"string","value":"{{a}}"},{"field":"2","value":"{{b|int}}"},
            {"field":"3","type":"int","value":"{{c}}"},{"field":"4","value":"{{l.k}}"},{"field":"5","type":"string","value":"{{LAST_SYNC_TIME}}"},
            {"field":"6","type":"array","value":"l","children":[{"field":"k","value":"{{l.k}}"},{"field":"a","value":"{{a}}"}]},
            {"field":"7","value":"_function IFNULL({{c}}, {{a}})"}]}"#;
        let (meta, _) = Metadata::from_value(Value::parse(doc.as_bytes()).unwrap_or_default(), Side::Target);
        let ctx = heliu_transform::Context::new(1_710_403_200, 1_710_406_800, chrono_tz::Asia::Shanghai);
        let used = heliu_transform::mapping::Request::compile(&meta);
        for members in records {
            let mut map = heliu_transform::Map::new();
            for (name, v) in members {
                let rows = format!(r#"[{{"a":{v},"k":"x{v}"}},{{"k":{v}}}]"#);
                let value = match (name, v) {
                    (_, 0) => "null".to_owned(),
                    (3, _) => rows,
                    _ => v.to_string(),
                };
                map.insert(NAMES.get(name).copied().unwrap_or("z"), Value::parse(value.as_bytes()).unwrap_or_default());
            }
            let record = Value::Object(map);
            let fresh = heliu_transform::mapping::Request::compile(&meta);
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let results = (used.render_row(&ctx, &record, &mut one), fresh.render_row(&ctx, &record, &mut other));
            prop_assert_eq!(results.0.is_ok(), results.1.is_ok());
            prop_assert_eq!(one, other);
            let (one, other) = (used.render(&ctx, Some(&record)), fresh.render(&ctx, Some(&record)));
            prop_assert_eq!(one.map(|r| r.request).ok(), other.map(|r| r.request).ok());
            // From the text it is the same.
            let (mut raw, mut whole) = (Vec::new(), Vec::new());
            let read = used.render_row_raw(&ctx, record.to_json().as_bytes(), &mut raw, &mut Vec::new()).is_ok();
            prop_assert_eq!(read, fresh.render_row(&ctx, &record, &mut whole).is_ok());
        }
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
            canonical::content_hash(format!("{{{}}}", parts.join(",")).as_bytes(), &[], &mut canonical::Scratch::default())
        };
        prop_assert_eq!(hash(&forward), hash(&backward));
    }

    #[test]
    fn the_canonical_form_is_the_sorted_value(stream in prop::collection::vec(any::<u8>(), 0..300)) {
        // One scratch for several objects: what it keeps of one must not show in another.
        let mut scratch = canonical::Scratch::default();
        let mut choices = stream.iter().copied();
        for _ in 0..3 {
            let mut text = String::new();
            any_json(&mut choices, 0, &mut text);
            let value = Value::parse(text.as_bytes()).unwrap();
            let expected = sorted(&value);
            let mut out = Vec::new();
            canonical::canonical(text.as_bytes(), &[], &mut out).unwrap();
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected.clone(), "{}", text);
            let hash = |t: &str, s: &mut canonical::Scratch| canonical::content_hash(t.as_bytes(), &[], s).unwrap();
            let whole = blake3::hash(expected.as_bytes());
            prop_assert_eq!(&hash(&text, &mut scratch)[..], &whole.as_bytes()[..16]);
            prop_assert_eq!(hash(&text, &mut scratch), hash(&expected, &mut scratch));
        }
    }

    #[test]
    fn one_pass_says_what_two_say(stream in prop::collection::vec(any::<u8>(), 0..200), number in any::<bool>()) {
        let doc = format!(r#"{{"api":"/a","id":"ab","number":"{}"}}"#, if number { "a" } else { "ab" });
        let (meta, _) = Metadata::from_value(Value::parse(doc.as_bytes()).unwrap(), Side::Source);
        let shaping = Shaping::compile(&meta, chrono_tz::UTC).beside(Some(Path::new("Z")));
        let ignore = [Path::new("中文"), Path::new("Z.a")];
        let mut choices = stream.iter().copied();
        let mut text = String::from("{");
        for i in 0..choices.next().unwrap_or(0) % 6 {
            let key = ["ab", "a", "Z", "\\u0061b", "中文", "x"][usize::from(choices.next().unwrap_or(0)) % 6];
            text.push_str(&format!("{}\"{key}\":", if i > 0 { "," } else { "" }));
            any_json(&mut choices, 3, &mut text);
        }
        text.push('}');
        let raw = bytes::Bytes::from(text.clone());
        let mut scratch = canonical::Scratch::default();
        let mut shaped = Vec::new();
        let beside = shaping.shape(&raw, 0, &mut shaped);
        if let Some(plain) = shaping.plain(&raw, &ignore, &mut scratch) {
            prop_assert_eq!(format!("{:?}", plain.shaped), format!("{:?}", shaped[0]), "{}", text);
            prop_assert_eq!(plain.beside, beside, "{}", text);
            prop_assert_eq!(plain.hash, canonical::content_hash(&raw, &ignore, &mut scratch).unwrap());
        }
    }

    #[test]
    fn metadata_never_panics(s in "\\PC{0,80}") {
        let (m, _) = Metadata::from_value(Value::from(s), Side::Source);
        let _ = m.uses_window();
        let _ = canonical::content_hash(m.api.as_bytes(), &[], &mut canonical::Scratch::default());
    }
}

/// Some JSON, with blanks, escapes and repeated keys as the choices want them.
fn any_json(choices: &mut dyn Iterator<Item = u8>, depth: usize, out: &mut String) {
    const TEXTS: &[&str] = &[
        "",
        "a",
        "ab",
        "a!",
        "a b",
        "abcdefgh",
        "abcdefghi",
        "中文",
        "\\u4e2d",
        "\\/",
        "\\n\\\"",
        "\\\\",
        "Z",
    ];
    const SCALARS: &[&str] = &["1", "-1.50", "0", "1e3", "true", "false", "null", "12345678901234567890123"];
    let mut next = |n: usize| choices.next().map_or(0, |b| usize::from(b) % n);
    let (kind, n) = (next(if depth > 3 { 2 } else { 5 }), next(6));
    let (text, scalar) = (next(TEXTS.len()), next(SCALARS.len()));
    let mut blank = |out: &mut String| out.push_str(["", "", "", " ", "\n\t"][next(5)]);
    match kind {
        0 => out.push_str(SCALARS[scalar]),
        1 => out.push_str(&format!("\"{}\"", TEXTS[text])),
        2 => {
            out.push('[');
            for i in 0..n {
                out.push_str(if i > 0 { "," } else { "" });
                any_json(choices, depth + 1, out);
            }
            out.push(']');
        }
        _ => {
            blank(out);
            out.push('{');
            for i in 0..2 * n {
                out.push_str(if i > 0 { "," } else { "" });
                let (gap, key) = match (choices.next(), choices.next()) {
                    (Some(gap), Some(key)) => (gap % 8 == 0, usize::from(key) % TEXTS.len()),
                    _ => (false, i % TEXTS.len()),
                };
                out.push_str(&format!("{0}\"{1}\"{0}:{0}", if gap { " " } else { "" }, TEXTS[key]));
                any_json(choices, depth + 1, out);
            }
            out.push('}');
        }
    }
}

/// The value with its keys in the order of their written form.
fn sorted(v: &Value) -> String {
    match v {
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let members: std::collections::BTreeMap<String, String> =
                map.iter().map(|(k, v)| (Value::from(k).to_json(), sorted(v))).collect();
            let members: Vec<String> = members.into_iter().map(|(k, v)| format!("{k}:{v}")).collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_json(),
    }
}
