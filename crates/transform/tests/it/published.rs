//! What published configurations write and the vectors do not show.

use heliu_transform::{
    EvalRequest, Metadata, RenderRequest, Shaping, Side, Value, evaluate, grouping, render,
};

const LAST: i64 = 1_710_403_200;
const NOW: i64 = 1_710_406_800;
const TZ: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn eval(expr: &str, record: &str) -> String {
    let (expr, record) = (Value::from(expr), json(record));
    let request = EvalRequest {
        expr: &expr,
        record: Some(&record),
        row: None,
        now: NOW,
        last_sync: LAST,
        tz: TZ,
        ty: None,
        parser: None,
        strict: true,
        lookups: None,
    };
    evaluate(&request).map_or_else(|e| e.code, |(v, _)| v.to_json())
}

fn rendered(metadata: &str, records: &[Value]) -> Result<Value, String> {
    render(&RenderRequest {
        metadata: &json(metadata),
        records,
        page: 1,
        page_size: None,
        now: NOW,
        last_sync: LAST,
        tz: TZ,
        lookups: None,
    })
    .map(|(v, _)| v)
    .map_err(|e| e.code)
}

#[test]
fn what_a_parser_makes_of_an_array_item_stays() {
    let columns = |value: &str| {
        format!(
            r#"{{"api":"executeBillQuery","id":"FID","request":[],"otherRequest":[{{"field":"FieldKeys","type":"array","value":{value},"parser":{{"name":"ArrayToString","params":","}}}}]}}"#
        )
    };
    for (value, wanted) in [
        (r#"["FID","FCreateOrgId.FNumber"]"#, r#""FID,FCreateOrgId.FNumber""#),
        (r#""FID,FCreateOrgId.FNumber""#, r#""FID,FCreateOrgId.FNumber""#),
        (r#""""#, r#""""#),
    ] {
        let v = rendered(&columns(value), &[]).unwrap();
        assert_eq!(v.get_path("otherRequest.FieldKeys").unwrap_or_default().to_json(), wanted, "A11 {value}");
    }
}

#[test]
fn an_object_around_all_rows_is_not_put_into_a_list() {
    let doc = |value: &str, children: &str| {
        format!(
            r#"{{"api":"/w","request":[{{"field":"lines","type":"array","value":"{value}","parser":{{"name":"ConvertObjectParser","params":"value"}}{children}}}]}}"#
        )
    };
    let children = r#","children":[{"field":"c","value":"{{parts.code}}","parser":{"name":"ConvertObjectParser","params":"value"}}]"#;
    let record = json(r#"{"parts":[{"code":"K1"},{"code":"K2"}],"codes":["K1","K2"]}"#);
    for (doc, wanted) in [
        (doc("parts", children), r#"{"lines":{"value":[{"c":{"value":"K1"}},{"c":{"value":"K2"}}]}}"#),
        (doc("{{codes}}", ""), r#"{"lines":{"value":["K1","K2"]}}"#),
    ] {
        let v = rendered(&doc, std::slice::from_ref(&record)).unwrap();
        assert_eq!(v.get_path("request").unwrap_or_default().to_json(), wanted, "C15 {doc}");
    }
}

#[test]
fn required_items_of_a_source_are_the_platforms_to_judge() {
    let source = r#"{"api":"ExecuteBillQuery","id":"FId","request":[{"field":"FormId","value":"BD_UNIT","is_required":true},{"field":"FieldKeys","type":"array","is_required":true,"parser":{"name":"ArrayToString","params":","}},{"field":"FilterString","value":null,"is_required":1}]}"#;
    let v = rendered(source, &[]).unwrap();
    assert_eq!(v.get_path("request").unwrap_or_default().to_json(), r#"{"FormId":"BD_UNIT"}"#);
    // A record's rendering fails as before (dialect §3.6).
    assert_eq!(rendered(source, &[json("{}")]).unwrap_err(), "HL-2212");
}

#[test]
fn second_spellings_of_conditions() {
    let keeps = |condition: &str, record: &str| {
        let doc = json(&format!(r#"{{"api":"x","id":"n","condition":{condition}}}"#));
        let (meta, problems) = Metadata::from_value(doc, Side::Source);
        assert_eq!(problems, [], "{condition}");
        let mut out = Vec::new();
        Shaping::compile(&meta, TZ).shape(&bytes::Bytes::from(record.to_owned()), NOW, &mut out);
        out.iter().all(|s| s.filtered.is_none())
    };
    let record = r#"{"n":"1","status":"A","q":5,"memo":""}"#;
    for (kept, test) in [
        (true, r#"{"field":"status","logic":"eqv2","value":"A"}"#),
        (false, r#"{"field":"status","logic":"neqv2","value":"A"}"#),
        (true, r#"{"field":"q","logic":"gte","value":"5"}"#),
        (false, r#"{"field":"q","logic":"ge","value":6}"#),
        (true, r#"{"field":"q","logic":"lte","value":"5"}"#),
        (false, r#"{"field":"q","logic":"le","value":"4"}"#),
        (false, r#"{"field":"q","logic":"ne","value":"5"}"#),
        (false, r#"{"field":"status","logic":"not in","value":"A,B"}"#),
        (true, r#"{"field":"memo","logic":"is null"}"#),
    ] {
        assert_eq!(keeps(&format!("[[{test}]]"), record), kept, "{test}");
    }
}

#[test]
fn sql_as_it_is_pasted() {
    let record = r#"{"ts":"1710403200","frac":"1710403200.5"}"#;
    for (e, wanted) in [
        // Text with the seconds of an instant shows a fraction only if it has one.
        ("_function FROM_UNIXTIME('{{ts}}')", r#""2024-03-14 16:00:00""#),
        ("_function FROM_UNIXTIME('{{frac}}')", r#""2024-03-14 16:00:00.500000""#),
        ("_function FROM_UNIXTIME({{ts}})", r#""2024-03-14 16:00:00""#),
        ("_function MID('abcdef', 2)", r#""bcdef""#),
        // Character sets in front of texts and bytes, touching them or not.
        (
            "_function CONCAT(_utf8mb4'店', _utf8 'a', _utf8mb4 0xE4BDA0, _utf8mb4 x'41', N'b')",
            r#""店a你Ab""#,
        ),
    ] {
        assert_eq!(eval(e, record), wanted, "{e}");
    }
}

#[test]
fn units_are_only_formed_where_a_document_says_so() {
    let groups = |more: &str| {
        let (meta, _) = Metadata::from_value(json(&format!(r#"{{"api":"x"{more}}}"#)), Side::Target);
        grouping::groups(&meta)
    };
    assert!(!groups("") && !groups(r#","operation":{"method":"batchArraySave","rows":2}"#));
    assert!(!groups(r#","operation":{"method":"merge"}"#), "without fields nothing is equal");
    assert!(groups(r#","operation":{"method":"merge","field":"no","bodyName":"rows"}"#));
    assert!(groups(r#","groupCalculate":{"headerGroup":["no"],"bodyGroup":["sku"],"bodyName":"rows"}"#));
}
