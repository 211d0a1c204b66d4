//! Parsers by type, value maps, lists of objects.

use heliu_transform::{EvalRequest, Lookup, Metadata, RenderRequest, Side, Text, Value, evaluate, render};

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn parsed(value: &str, parser: &str) -> String {
    let expr = json(value);
    let parser = json(parser);
    let request = EvalRequest {
        expr: &expr,
        record: None,
        row: None,
        now: 0,
        last_sync: 0,
        tz: chrono_tz::Asia::Shanghai,
        ty: None,
        parser: Some(&parser),
        strict: true,
        lookups: None,
    };
    evaluate(&request).map(|(v, _)| v.to_json()).unwrap_or_else(|e| e.code)
}

#[test]
fn a38_parsers_by_type() {
    let doc =
        r#"{"data":{"items":[{"productCode":"P001","price":100.50},{"productCode":"P002","price":200}]}}"#;
    let cases = [
        (
            doc,
            r#"{"type":"jsonpath","expression":"$.data.items[*].productCode","extractAll":true}"#,
            r#"["P001","P002"]"#,
        ),
        (doc, r#"{"type":"jsonpath","expression":"$.data.items[?(@.price>150)].productCode"}"#, r#""P002""#),
        (doc, r#"{"type":"jsonpath","expression":"$..price","extractAll":true}"#, "[100.50,200]"),
        (doc, r#"{"type":"jsonpath","expression":"$.none"}"#, "null"),
        (
            r#""<root><item id=\"7\"/></root>""#,
            r#"{"type":"xml","xpath":"/root/item","attribute":"id"}"#,
            r#""7""#,
        ),
        (
            r#""<r><i s='a'>1</i><i s='b'><x>2</x></i></r>""#,
            r#"{"type":"xml","xpath":"//i[@s='b']/x"}"#,
            r#""2""#,
        ),
        (
            r#""<r><i>1</i><i>2</i></r>""#,
            r#"{"type":"xml","xpath":"/r/i","extractAll":true}"#,
            r#"["1","2"]"#,
        ),
        (
            r#""name,code,price\nProduct A,P001,100\n\n\"B \"\"x\"\", y\",P002,200\n""#,
            r#"{"type":"csv"}"#,
            r#"[{"name":"Product A","code":"P001","price":"100"},{"name":"B \"x\", y","code":"P002","price":"200"}]"#,
        ),
        (r#""a;b\nc;d""#, r#"{"type":"csv","delimiter":";","hasHeader":false}"#, r#"[["a","b"],["c","d"]]"#),
        (
            r#""订单号: SO20240315001，客户: 张三""#,
            r#"{"type":"regex","pattern":"订单号[：:]\\s*(\\w+)","group":1}"#,
            r#""SO20240315001""#,
        ),
        (r#""a1b22""#, r#"{"type":"regex","pattern":"\\d+","flags":"g"}"#, r#"["1","22"]"#),
        (r#""2024-03-15 14:30:00""#, r#"{"type":"date","format":"yyyy/MM/dd"}"#, r#""2024/03/15""#),
        (r#""12.345""#, r#"{"type":"number","decimal":2}"#, "12.35"),
        (r#""1""#, r#"{"type":"enum","values":{"1":"是","0":"否"}}"#, r#""是""#),
        (r#"{"en":"x"}"#, r#"{"name":"ConvertJson"}"#, r#"[{"Key":"en","Value":"x"}]"#),
        ("[]", r#"{"name":"ArrayToString","params":","}"#, r#""""#),
        (r#"["a","b"]"#, r#"{"name":"ConvertObjectParser","params":"FNumber"}"#, r#"{"FNumber":["a","b"]}"#),
        (
            r#""BD_Supplier""#,
            r#"{"name":"workflowRequestTableFields","fieldId":12258}"#,
            r#"{"fieldName":"value","fieldValue":"BD_Supplier","view":true,"edit":true,"fieldId":"12258"}"#,
        ),
    ];
    for (value, parser, want) in cases {
        assert_eq!(parsed(value, parser), want, "{parser} of {value}");
    }
}

#[test]
fn wrong_parameters_are_found_before_anything_runs() {
    for parser in [
        r#"{"type":"jsonpath","expression":"$.a["}"#,
        r#"{"type":"regex","pattern":"(a"}"#,
        r#"{"type":"xml","xpath":"/a[position()>1]"}"#,
        r#"{"name":"StringToArry"}"#,
    ] {
        let doc =
            json(&format!(r#"{{"api":"x","request":[{{"field":"f","value":"v","parser":{parser}}}]}}"#));
        let (_, problems) = Metadata::from_value(doc, Side::Target);
        assert_eq!(problems.len(), 1, "{parser}");
        assert_eq!(problems[0].path, "request[0].parser");
    }
}

struct Tables;

impl Lookup for Tables {
    fn find(&self, _: &str, _: &str, _: &[(String, Value)]) -> Result<Option<Value>, Text> {
        Ok(None)
    }

    fn mongo(&self, _: &str, _: &str, _: &Value) -> Result<Option<Value>, Text> {
        Ok(None)
    }

    fn exchange(&self, map: &str, value: &Value, reverse: bool) -> Result<Option<Value>, Text> {
        let pair = ("C001", "10001");
        let v = value.in_text();
        Ok(match (map, reverse) {
            ("m", false) if v == pair.0 => Some(Value::from(pair.1)),
            ("m", true) if v == pair.1 => Some(Value::from(pair.0)),
            _ => None,
        })
    }
}

fn item(item: &str, record: &str) -> String {
    let metadata = json(&format!(r#"{{"api":"x","request":[{item}]}}"#));
    let records = [json(record)];
    let request = RenderRequest {
        metadata: &metadata,
        records: &records,
        page: 1,
        page_size: None,
        now: 0,
        last_sync: 0,
        tz: chrono_tz::Asia::Shanghai,
        lookups: Some(&Tables),
    };
    match render(&request) {
        Ok((v, _)) => v.get_path("request").map(|r| r.to_json()).unwrap_or_default(),
        Err(e) => e.code,
    }
}

#[test]
fn a40_value_maps() {
    let with = |mapping: &str| format!(r#"{{"field":"c","value":"{{{{c}}}}","mapping":{mapping}}}"#);
    let (known, other) = (r#"{"c":"C001"}"#, r#"{"c":"C9"}"#);
    let table = with(r#"{"target":"m","direction":"positive"}"#);
    assert_eq!(item(&table, known), r#"{"c":"10001"}"#);
    assert_eq!(item(&table, other), r#"{"c":"C9"}"#, "kept");
    assert_eq!(item(&with(r#"{"target":"m","direction":"reverse"}"#), r#"{"c":10001}"#), r#"{"c":"C001"}"#);
    assert_eq!(item(&with(r#"{"target":"m","default":"D"}"#), other), r#"{"c":"D"}"#);
    assert_eq!(item(&with(r#"{"target":"m","unmapped":"error"}"#), other), "HL-2215");
    assert_eq!(item(&with(r#"{"C9":"nine"}"#), other), r#"{"c":"nine"}"#, "pairs in place");
}

#[test]
fn lists_become_lists_of_objects() {
    let split = r#"{"field":"FEntity","value":"{{c}}","parser":{"name":"StringToArray","params":","},"itemMapping":{"FCode":"{{item}}"}}"#;
    assert_eq!(item(split, r#"{"c":"a,b"}"#), r#"{"FEntity":[{"FCode":"a"},{"FCode":"b"}]}"#);
    let chain = r#"{"field":"t","value":"{{c}}","parser":"StringToArray,ArrayUnique","params":"|"}"#;
    assert_eq!(item(chain, r#"{"c":"a|b|a"}"#), r#"{"t":["a","b"]}"#);
}

#[test]
fn a50_containers_without_values() {
    let rows =
        r#"{"field":"E","type":"array","value":"items","children":[{"field":"a","value":"{{items.none}}"}]}"#;
    assert_eq!(item(rows, r#"{"items":[{"x":1},{"x":2}]}"#), "{}");
    assert_eq!(item(rows, r#"{"items":[]}"#), r#"{"E":[]}"#, "C7");
    assert_eq!(
        item(&rows.replace("\"type\"", "\"is_required\":true,\"type\""), r#"{"items":[{"x":1}]}"#),
        "HL-2212"
    );
    let object = r#"{"field":"o","type":"object","children":[{"field":"a","value":"{{none}}"}]}"#;
    assert_eq!(item(object, "{}"), "{}");
    let nested = r#"{"field":"E","type":"array","value":"items","children":[{"field":"S","type":"array","value":"items.subs","children":[{"field":"x","value":"{{items.subs.x}}"},{"field":"p","value":"{{items.n}}"},{"field":"h","value":"{{h}}"}]}]}"#;
    assert_eq!(
        item(nested, r#"{"h":9,"items":[{"n":1,"subs":[{"x":"a"},{"x":"b"}]},{"n":2,"subs":[{"x":"c"}]}]}"#),
        r#"{"E":[{"S":[{"x":"a","p":1,"h":9},{"x":"b","p":1,"h":9}]},{"S":[{"x":"c","p":2,"h":9}]}]}"#,
        "C12"
    );
    let relative = nested.replace("\"items.subs\"", "\"subs\"");
    assert_eq!(
        item(&relative, r#"{"h":9,"items":[{"n":1,"subs":[{"x":"a"}]}]}"#),
        r#"{"E":[{"S":[{"x":"a","p":1,"h":9}]}]}"#
    );
}
