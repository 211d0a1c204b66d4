//! From elements to records.

use bytes::Bytes;
use heliu_transform::{Metadata, Shaped, Shaping, Side, Value};

fn shape(metadata: &str, element: &str) -> Vec<Shaped> {
    let doc = Value::parse(metadata.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let (meta, _) = Metadata::from_value(doc, Side::Source);
    let mut out = Vec::new();
    Shaping::compile(&meta, chrono_tz::Asia::Shanghai).shape(
        &Bytes::copy_from_slice(element.as_bytes()),
        0,
        &mut out,
    );
    out
}

fn content(s: &Shaped) -> String {
    String::from_utf8_lossy(&s.content).into_owned()
}

#[test]
fn untouched_elements_stay_slices_with_their_digits() {
    let raw = r#"{ "id" : 1362188104995221504 , "name":"a\u4e2d", "x":1.50 }"#;
    let out = shape(r#"{"api":"x","id":"id","number":"name"}"#, raw);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].id.as_deref(), Some("1362188104995221504"));
    assert_eq!(out[0].number.as_deref(), Some("a中"));
    assert_eq!(content(&out[0]), raw);
}

#[test]
fn a22_elements_without_id_are_rejected_with_the_field_named() {
    for raw in [r#"{"a":1}"#, r#"{"id":null}"#, r#"{"id":""}"#, r#"{"id":[1]}"#, "3", r#""x""#] {
        let out = shape(r#"{"api":"x","id":"id"}"#, raw);
        let why = out[0].rejected.as_ref().map(|t| t.en.clone()).unwrap_or_default();
        let wanted = if raw.starts_with('{') { "`id`" } else { "no object" };
        assert!(out[0].id.is_none() && why.contains(wanted), "{raw}: {why}");
    }
}

#[test]
fn a25_conditions() {
    let r1 = r#"{"o_id":1,"amount":"100.50","remark":"仔细包装","shop_id":12,"created":"2024-03-15 14:30:00","items":[{"sku_id":"A1"},{"sku_id":"B2"}]}"#;
    let with = |c: &str| shape(&format!(r#"{{"api":"x","id":"o_id","condition":{c}}}"#), r1).remove(0);
    let row = with(r#"[[{"field":"items.sku_id","logic":"eq","value":"B2"}]]"#);
    assert!(row.filtered.is_none() && content(&row).contains("B2") && !content(&row).contains("A1"));
    assert!(
        with(r#"[[{"field":"items.sku_id","logic":"eq","value":"B2","strictMode":true}]]"#)
            .filtered
            .is_some()
    );
    assert!(with(r#"[[{"field":"amount","logic":"between","value":"100,500"}]]"#).filtered.is_none());
    assert!(with(r#"[[{"field":"remark","logic":"like","value":"仔细"}],[{"field":"shop_id","logic":"eq","value":"99"}]]"#).filtered.is_none());
    assert!(
        with(r#"[[{"field":"created","logic":"gt","value":"timestamp:1710480000"}]]"#).filtered.is_none()
    );
    assert!(
        with(r#"[[{"field":"created","logic":"lt","value":"timestamp:1710480000"}]]"#).filtered.is_some()
    );
    assert!(with(r#"[[{"field":"nothing","logic":"notnull"}]]"#).filtered.is_some());
    let parked = shape(
        r#"{"api":"x","id":"o_id","condition_bk":[[{"field":"shop_id","logic":"eq","value":"99"}]]}"#,
        r1,
    );
    assert!(parked[0].filtered.is_none(), "condition_bk never changes the outcome");
}

#[test]
fn v_o07_beat_flat() {
    let raw = r#"{"no":"OUT1","details_list":[{"goods":"F1","num":12},{"goods":"F2","num":50}]}"#;
    let out = shape(r#"{"api":"x","id":"no","beatFlat":["details_list"]}"#, raw);
    assert_eq!(
        out.iter().map(|s| s.id.clone().unwrap_or_default()).collect::<Vec<_>>(),
        ["OUT1-1", "OUT1-2"]
    );
    assert_eq!(content(&out[0]), r#"{"no":"OUT1","details_list_goods":"F1","details_list_num":12}"#);
    let zero = shape(r#"{"api":"x","id":"no","beatFlat":["details_list"],"beatFlatBase":0}"#, raw);
    assert_eq!(zero[1].id.as_deref(), Some("OUT1-1"));
    let none =
        shape(r#"{"api":"x","id":"no","beatFlat":["details_list"]}"#, r#"{"no":"OUT2","details_list":[]}"#);
    assert_eq!((none.len(), none[0].id.as_deref()), (1, Some("OUT2")));
}

#[test]
fn v_o04_split_array() {
    let raw = r#"{"so":"S","items":[{"sku_id":"A1"},{"sku_id":"B2"}]}"#;
    let out = shape(
        r#"{"api":"x","id":"items.sku_id","operation":{"method":"splitArray","arrayKey":"items"}}"#,
        raw,
    );
    assert_eq!(out.iter().map(|s| s.id.clone().unwrap_or_default()).collect::<Vec<_>>(), ["A1", "B2"]);
    assert_eq!(content(&out[1]), r#"{"so":"S","items":{"sku_id":"B2"}}"#);
}

#[test]
fn a27_format_response() {
    let cases = [
        ("date", "\"2024-03-15 14:30:00\"", "\"2024-03-15\""),
        ("date", "1710484200", "\"2024-03-15\""),
        ("date", "1710484200000", "\"2024-03-15\""),
        ("date", "\"20240315143000\"", "\"2024-03-15\""),
        ("time", "\"2024-03-15 14:30:00\"", "\"14:30:00\""),
        ("time", "\"2024-03-15T14:30:00.000Z\"", "\"22:30:00\""),
        ("dateTime", "\"2024-03-15 14:30:00\"", "\"2024-03-15 14:30\""),
        ("shortDate", "\"2024-03-15\"", "\"03-15\""),
        ("shortTime", "\"2024-03-15 14:30:00\"", "\"14:30\""),
        ("shortDateTime", "\"2024-03-15 14:30:00\"", "\"03-15 14:30\""),
        ("longText(3)", "\"一二三四\"", "\"一二三...\""),
        ("intval", "\"10.8\"", "10"),
        ("intval", "\"-3.9\"", "-3"),
        ("intval", "\"12kg\"", "12"),
        ("intval", "\"abc\"", "0"),
        ("round", "19.9956", "20.00"),
        ("round(0)", "10.5", "11"),
        ("amount", "1000000", "\"￥1,000,000.00\""),
        ("amount", "-1234.5", "\"￥-1,234.50\""),
        ("implode", "[\"重要\",\"紧急\"]", "\"重要,紧急\""),
        ("implode(' ')", "[\"a\",\"b\"]", "\"a b\""),
        ("string", "1362188104995221504", "\"1362188104995221504\""),
    ];
    for (format, old, want) in cases {
        let meta = format!(
            r#"{{"api":"x","id":"id","formatResponse":[{{"old":"a.b","new":"c","format":"{format}"}}]}}"#
        );
        let out = shape(&meta, &format!(r#"{{"id":1,"a":{{"b":{old}}}}}"#));
        let v = Value::parse(&out[0].content).unwrap_or_default();
        assert_eq!(v.get_path("c").unwrap_or_default().to_json(), want, "{format} of {old}");
        assert_eq!(v.get_path("a.b").unwrap_or_default().to_json(), old, "the old field stays");
    }
}
