//! Cutting replies, reading paths.

use bytes::Bytes;
use heliu_transform::{Extractor, Metadata, Path, Side, Value, records};
use proptest::prelude::*;

fn source(s: &str) -> Metadata {
    Metadata::from_value(Value::parse(s.as_bytes()).unwrap_or_default(), Side::Source).0
}

fn cut(body: &str, meta: &str) -> Option<Vec<String>> {
    let list = records::extract_list(&Bytes::copy_from_slice(body.as_bytes()), None, &source(meta));
    list.ok().flatten().map(|l| l.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect())
}

#[test]
fn lists_are_found_in_the_documented_order() {
    let with = |other: &str| format!(r#"{{"api":"x","id":"id","otherResponse":[{other}]}}"#);
    let body = r#"{"data":{"list":[{"id":1}]},"rows":[{"id":2}],"mine":{"id":3}}"#;
    assert_eq!(
        cut(body, &with(r#"{"field":"DataKey","value":"data/list"}"#)),
        Some(vec![r#"{"id":1}"#.into()]),
        "A53"
    );
    assert_eq!(cut(body, &with(r#"{"field":"dataKey","value":"no/where"}"#)), None, "A53");
    assert_eq!(cut(body, &with(r#"{"field":"rows","value":"mine"}"#)), Some(vec![r#"{"id":3}"#.into()]));
    assert_eq!(cut(body, &with("")), Some(vec![r#"{"id":2}"#.into()]));
    assert_eq!(cut(r#"[{"id":1},{"id":2}]"#, &with("")).map(|l| l.len()), Some(2));
    assert_eq!(cut(r#"{"id":"t","token":"x"}"#, &with("")).map(|l| l.len()), Some(1), "A07");
    assert_eq!(cut(r#"{"code":1,"msg":"no"}"#, &with("")), None);
    assert_eq!(cut("<html>", &with("")), None);
}

#[test]
fn lists_under_other_names_are_found_and_single_records_told_apart() {
    let meta = r#"{"api":"x","id":"id"}"#;
    let count = |body: &str| cut(body, meta).map(|l| l.len());
    assert_eq!(count(r#"{"items":[{"id":1},{"id":2}],"next_cursor":"2"}"#), Some(2));
    assert_eq!(count(r#"{"id":"request-9","items":[{"id":1},{"id":2}]}"#), Some(2));
    assert_eq!(count(r#"{"code":0,"data":{"page":1,"orders":[{"id":1},{"id":2},{"id":3}]}}"#), Some(3));
    // One order with its lines.
    assert_eq!(count(r#"{"id":7,"items":[{"sku":"a"},{"sku":"b"}]}"#), Some(1));
    assert_eq!(count(r#"{"data":{"id":7,"items":[{"sku":"a"},{"sku":"b"}]}}"#), Some(1));
    // Nothing to tell several lists apart by.
    assert_eq!(count(r#"{"a":[{"x":1}],"b":[{"x":2}]}"#), None);
    assert_eq!(count(r#"{"code":0,"data":null}"#), Some(0));
    assert_eq!(count(r#"{"code":0,"items":[]}"#), Some(0));
}

#[test]
fn a11_positional_rows_get_names() {
    let names = ["FNumber".to_owned(), "FCreateOrgId.FNumber".to_owned()];
    let zipped = records::zip_names(br#"["A", 100.50]"#, &names);
    assert_eq!(zipped.as_deref(), Some(br#"{"FNumber":"A","FCreateOrgId_FNumber":100.50}"#.as_slice()));
    assert!(records::zip_names(br#"{"a":1}"#, &names).is_none());
}

#[test]
fn a52_status_keys() {
    let meta = source(
        r#"{"api":"x","id":"id","otherResponse":[{"field":"StatusKey","value":"code"},{"field":"StatusValue","value":"200"}]}"#,
    );
    let ok = |body: &str| meta.reply_succeeded(body.as_bytes());
    assert_eq!(
        [ok(r#"{"code":200}"#), ok(r#"{"code":"200"}"#), ok(r#"{"code":500}"#)],
        [Some(true), Some(true), Some(false)]
    );
    assert_eq!(source(r#"{"api":"x","id":"id"}"#).reply_succeeded(b"{}"), None);
}

#[test]
fn extractors_read_what_paths_read() {
    let raw = r#" {"a":{"b":{"c":1.50}},"a.x":"flat","items":[{"s":"A","t":{"u":[1]}},{"s":"B"}],"n":null,"n2":-0,
        "e\u4e2d":"\ud83d\ude00\u0041\n","a2":[[{"z":1}]],"big":1362188104995221504,"dup":1,"dup":{"k":2}} "#;
    let paths = [
        "a.b.c",
        "a.x",
        "items.s",
        "items.1.s",
        "items.t.u",
        "n",
        "missing",
        "n.deeper",
        "e中",
        "a2.0.0.z",
        "big",
        "a",
        "dup",
        "dup.k",
        "a.b",
    ];
    let paths: Vec<Path> = paths.iter().map(|p| Path::new(p)).collect();
    let whole = Value::parse(raw.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let mut out = Vec::new();
    let extractor = Extractor::new(paths.clone());
    assert!(extractor.extract(raw.as_bytes(), &mut out).is_ok());
    for (path, found) in paths.iter().zip(&out) {
        assert_eq!(found, &path.get(&whole), "{}", path.as_str());
    }
    for cut in 0..raw.trim_end().len() {
        assert!(extractor.extract(&raw.as_bytes()[..cut], &mut out).is_err(), "cut at {cut}");
    }
}

#[test]
fn hostile_json_is_an_error_or_quick() {
    let deep = "[".repeat(200_000);
    assert!(Value::parse(deep.as_bytes()).is_err());
    let nested = format!("{}{}", "{\"a\":".repeat(100), "1".to_owned() + &"}".repeat(100));
    assert!(Value::parse(nested.as_bytes()).is_ok());
    let wide: String = (0..100_000).map(|n| format!("\"k{n}\":{n},")).collect();
    let wide = format!("{{{wide}\"k5\":\"last\"}}");
    assert_eq!(Value::parse(wide.as_bytes()).unwrap_or_default().get_path("k5"), Some(Value::from("last")));
    for (bad, line, column) in
        [("{\"a\":1,\n \"b\" 2}", 2, 6), ("[1,]", 1, 4), ("\"\t\"", 1, 2), ("01", 1, 3), ("", 1, 1)]
    {
        let e = Value::parse(bad.as_bytes()).err();
        assert_eq!(e.map(|e| (e.line, e.column)), Some((line, column)), "{bad:?}");
    }
    let odd = Value::parse(br#"{"$serde_json::private::Number":"x"}"#).unwrap_or_default();
    assert_eq!(odd.to_json(), r#"{"$serde_json::private::Number":"x"}"#);
}

/// Objects as members in an order, with blanks behind the names or without.
fn members() -> impl Strategy<Value = String> {
    let names = ["a", "b", "c", "\u{5b57}", "e\"e", "long_name_of_a_member", "x"];
    let inner = prop::sample::subsequence(vec!["d", "x", "y"], 0..=3).prop_shuffle();
    let inner = inner.prop_map(|l| {
        format!("{{{}}}", l.iter().map(|n| format!("\"{n}\":{}", n.len())).collect::<Vec<_>>().join(","))
    });
    let value = prop_oneof![
        inner,
        "[a-z]{0,20}".prop_map(|s| format!("\"{s}\"")),
        (0i64..99).prop_map(|n| n.to_string())
    ];
    let list = prop::sample::subsequence(names.to_vec(), 0..=names.len()).prop_shuffle();
    (list, prop::collection::vec(value, names.len()), prop::sample::select(vec!["", " ", "\n"])).prop_map(
        |(names, values, blank)| {
            let list =
                names.iter().zip(values).map(|(n, v)| format!("{blank}{}:{blank}{v}", serde_json::json!(n)));
            format!("{{{}}}", list.collect::<Vec<_>>().join(","))
        },
    )
}

proptest! {
    #[test]
    fn members_are_found_wherever_they_stand(objects in prop::collection::vec(members(), 1..8)) {
        let paths = ["a", "c.d", "\u{5b57}", "e\"e", "long_name_of_a_member", "c.y", "c", "none"];
        let extractor = Extractor::new(paths.iter().map(|p| Path::new(p)).collect());
        let mut found = Vec::new();
        for text in &objects {
            extractor.extract(text.as_bytes(), &mut found).unwrap();
            let whole: serde_json::Value = serde_json::from_str(text).unwrap();
            for (path, got) in paths.iter().zip(&found) {
                let wanted = whole.pointer(&format!("/{}", path.replace('.', "/")));
                prop_assert_eq!(got.as_ref().map(Value::to_serde), wanted.cloned(), "{} of {}", path, text);
            }
        }
    }
}
