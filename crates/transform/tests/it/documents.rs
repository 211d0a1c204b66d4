//! Whole documents: findings, defaults, remedies, learned fields, rows for SQL.

use heliu_transform::mapping::Request;
use heliu_transform::{Context, Metadata, RenderRequest, Severity, Side, Value, render};

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn context() -> Context<'static> {
    Context::new(1_710_403_200, 1_710_406_800, chrono_tz::Asia::Shanghai)
}

fn request(metadata: &str, record: Option<&str>, page: i64) -> String {
    let metadata = json(metadata);
    let records: Vec<Value> = record.map(json).into_iter().collect();
    let request = RenderRequest {
        metadata: &metadata,
        records: &records,
        page,
        page_size: None,
        now: 1_710_406_800,
        last_sync: 1_710_403_200,
        tz: chrono_tz::Asia::Shanghai,
        lookups: None,
    };
    match render(&request) {
        Ok((v, _)) => v.get_path("request").map(|r| r.to_json()).unwrap_or_default(),
        Err(e) => format!("{} at {}", e.code, e.path),
    }
}

#[test]
fn request_statements() {
    let items =
        |i: &str| format!(r#"{{"api":"x","id":"id","pagination":{{"pageSize":100}},"request":[{i}]}}"#);
    let sent = |i: &str| request(&items(i), None, 3);
    assert_eq!(
        sent(
            r#"{"field":"Limit","value":"{{PAGINATION_PAGE_SIZE}}"},{"field":"StartRow","value":"{{PAGINATION_START_ROW}}"}"#
        ),
        r#"{"Limit":100,"StartRow":200}"#,
        "A10 V-B06"
    );
    assert_eq!(
        sent(r#"{"field":"F","value":"FAuditDate > '{{LAST_SYNC_TIME|datetime}}'"}"#),
        r#"{"F":"FAuditDate > '2024-03-14 16:00:00'"}"#,
        "A12"
    );
    let fields = r#"{"field":"fields","type":"object","children":[{"field":"type","value":"expense"},{"field":"docData","type":"object","children":[{"field":"logs","type":"object","children":[{"field":"x","value":null}]}]}]}"#;
    assert_eq!(sent(fields), r#"{"fields":{"type":"expense"}}"#, "A13");
    assert_eq!(
        sent(r#"{"field":"index","value":"{{LAST_SYNC_TIME}}000"}"#),
        r#"{"index":"1710403200000"}"#,
        "A14"
    );
    assert_eq!(
        sent(
            r#"{"field":"v","type":"array","value":["{{LAST_SYNC_TIME|datetime}}","{{CURRENT_TIME|datetime}}"]}"#
        ),
        r#"{"v":["2024-03-14 16:00:00","2024-03-14 17:00:00"]}"#,
        "A15"
    );
    assert_eq!(
        sent(r#"{"field":"v","value":"$eq$拼多多享美食折扣店"}"#),
        r#"{"v":"$eq$拼多多享美食折扣店"}"#,
        "A17"
    );
    assert_eq!(sent(r#"{"field":"v","type":"bool","value":true}"#), r#"{"v":true}"#, "A19");
    assert_eq!(sent(r#"{"field":"v","value":null,"default":"100"}"#), r#"{"v":"100"}"#, "A39");
    assert_eq!(
        sent(r#"{"field":"v","value":"1"},{"field":"v","value":"2"}"#),
        r#"{"v":"2"}"#,
        "repeated field"
    );
    assert_eq!(sent(r#"{"field":"v","value":""},{"field":"w"}"#), r#"{"v":""}"#, "empty text is sent");
    assert_eq!(
        sent(r#"{"field":"v","type":"int","value":"x"}"#),
        "HL-2213 at request[0].value".replace(".value", "")
    );
}

#[test]
fn a18_omission_remedy() {
    let doc = r#"{"api":"x","id":"id","request":[{"field":"start_date","value":"{{LAST_SYNC_TIME|datetime}}"},{"field":"end_date","value":"{{CURRENT_TIME|datetime}}"},{"field":"kind","value":"7"}],
     "omissionRemedy":{"crontab":"2 */2 * * *","takeOverRequest":[{"field":"start_date","value":"{{DAYS_AGO_2|datetime}}"},{"field":"end_date","value":"{{DAYS_AGO_1|datetime}}"},{"field":"is_omission_query","value":true}]}}"#;
    let (meta, problems) = Metadata::from_value(json(doc), Side::Source);
    assert!(problems.is_empty(), "{problems:?}");
    let remedied = meta.remedied().unwrap_or_else(|| panic!("no remedy"));
    let sent = Request::compile(&remedied).render(&context(), None).unwrap_or_default();
    assert_eq!(
        Value::Object(sent.request).to_json(),
        r#"{"start_date":"2024-03-12 17:00:00","end_date":"2024-03-13 17:00:00","kind":"7","is_omission_query":true}"#,
        "A18"
    );
    assert_eq!(meta.omission_remedy.map(|r| r.crontab).as_deref(), Some("2 */2 * * *"));
    let empty =
        json(r#"{"api":"x","id":"id","omissionRemedy":{},"condition":[],"beatFlat":[],"operation":null}"#);
    assert!(
        Metadata::from_value(empty, Side::Source).0.omission_remedy.is_none(),
        "what an editor leaves empty"
    );
}

#[test]
fn an_id_of_several_fields_is_written_with_references() {
    for (id, code) in [
        (r#"["a","b"]"#, Some("HL-2004")),
        (r#""a,b""#, Some("HL-2004")),
        (r#""{{a}},{{b}}""#, None),
        (r#""a.b""#, None),
    ] {
        let doc = format!(r#"{{"api":"x","id":{id}}}"#);
        let (_, problems) = Metadata::from_value(json(&doc), Side::Source);
        assert_eq!(problems.first().map(|p| p.code.as_str()), code, "{id}: {problems:?}");
    }
}

#[test]
fn a08_learned_fields() {
    let meta = |doc: Value| Metadata::from_value(doc, Side::Source).0;
    let first =
        meta(json(r#"{"api":"x","id":"id","autoFillResponse":true,"response":[{"field":"id"}],"kept":[1]}"#));
    let element = json(r#"{"id":1,"token":"t","expires":1.5}"#);
    let learned = first.learn(&element).unwrap_or_default();
    assert_eq!(
        learned.get_path("response").map(|v| v.to_json()),
        Some(r#"[{"field":"id"},{"field":"token","label":"token","type":"string","describe":"_autoFillResponse"},{"field":"expires","label":"expires","type":"float","describe":"_autoFillResponse"}]"#.into())
    );
    assert_eq!(learned.get_path("kept"), Some(json("[1]")));
    assert!(meta(learned).learn(&element).is_none(), "a second run adds nothing");
}

#[test]
fn findings_are_reported_at_once_with_the_nearest_name() {
    let doc = r#"{"api":"x","metod":"POST","request":[{"field":"a","value":"{{x|dattime}}"},{"field":"b","value":"_function CONCATT('a')"},
      {"field":"c","parser":{"name":"StringToAray"},"value":"1"},{"field":"d","value":"{{LAST_SYNC_TIM}}"},{"value":"1"}],
      "condition":[[{"field":"a","logic":"eqq","value":1}]],"formatResponse":[{"old":"a","new":"b","format":"dat"}]}"#;
    let (meta, problems) = Metadata::from_value(json(doc), Side::Source);
    let codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
    for code in
        ["HL-2002", "HL-2004", "HL-2110", "HL-2302", "HL-2120", "HL-2101", "HL-2008", "HL-2141", "HL-2131"]
    {
        assert!(codes.contains(&code), "{code} is missing among {codes:?}");
    }
    let all: String = problems.iter().map(|p| format!("{} {}\n", p.message.en, p.hint.en)).collect();
    for near in
        ["`method`", "`datetime`", "`CONCAT`", "`StringToArray`", "`LAST_SYNC_TIME`", "`eq`", "`date`"]
    {
        assert!(all.contains(near), "{near} is missing in {all}");
    }
    assert!(problems.iter().any(|p| p.severity == Severity::Warning));
    assert_eq!(meta.raw.to_json().len(), json(doc).to_json().len(), "A67: nothing is lost");
}

#[test]
fn a05_effects_by_side() {
    let effect = |doc: &str, side| Metadata::from_value(json(doc), side).0.effect;
    assert_eq!(effect(r#"{"api":"x","id":"i"}"#, Side::Source), "QUERY");
    assert_eq!(effect(r#"{"api":"x"}"#, Side::Target), "EXECUTE");
    assert_eq!(effect(r#"{"api":"x","type":"WRITE"}"#, Side::Target), "EXECUTE");
    assert_eq!(effect(r#"{"api":"x","type":"WRITE","effect":"QUERY"}"#, Side::Target), "QUERY");
}

#[test]
fn rows_have_one_value_per_item_and_raw_rows_are_the_same() {
    let items = [
        r#"{"field":"a","value":"{{id}}"}"#,
        r#"{"field":"b","value":"{none}"}"#,
        r#"{"field":"c","type":"int","value":"{{n}}"}"#,
        r#"{"field":"d","value":"{{t|date}}"}"#,
        r#"{"field":"e","value":"x{{id}}"}"#,
        r#"{"field":"f","value":"{{buyer.name}}"}"#,
        r#"{"field":"g","value":"{{buyer}}"}"#,
        r#"{"field":"h","value":"{{items.sku}}"}"#,
        r#"{"field":"i","value":"_function SUM({{items.q}})"}"#,
        r#"{"field":"j","value":"{{missing}}","default":"dd"}"#,
        r#"{"field":"k","value":"{{CURRENT_TIME|date}}"}"#,
        r#"{"field":"l","type":"array","value":"items","children":[{"field":"s","value":"{{items.sku}}"}]}"#,
        r#"{"field":"m","value":"{{id}}"}"#,
        r#"{"field":"n","value":"{{a.b}}"}"#,
        r#"{"field":"o"}"#,
        r#"{"field":"p","type":"array","value":"items"}"#,
        r#"{"field":"q","value":"{{tags}}","parser":{"name":"ArrayToString","params":"|"}}"#,
    ];
    let (meta, problems) = Metadata::from_value(
        json(&format!(r#"{{"api":"x","request":[{}]}}"#, items.join(","))),
        Side::Target,
    );
    assert!(problems.is_empty(), "{problems:?}");
    let plan = Request::compile(&meta);
    let raw = r#"{"id":1362188104995221504,"n":"7","t":"2024-03-15 14:30:00","buyer":{"name":"张三"},"items":[{"sku":"A","q":1.5},{"sku":"B","q":"2"}],"a.b":"flat","tags":["x","y"],"unused":{"deep":[1,2,{"x":"}"}]}}"#;
    let (mut whole, mut direct) = (Vec::new(), Vec::new());
    assert!(plan.render_row(&context(), &json(raw), &mut whole).is_ok());
    assert!(plan.render_row_raw(&context(), raw.as_bytes(), &mut direct, &mut Vec::new()).is_ok());
    assert_eq!(whole, direct);
    let shown = Value::Array(direct).to_json();
    assert_eq!(
        shown,
        r#"[1362188104995221504,null,7,"2024-03-15","x1362188104995221504","张三",{"name":"张三"},["A","B"],3.5,"dd","2024-03-14",[{"s":"A"},{"s":"B"}],1362188104995221504,"flat",null,[{"sku":"A","q":1.5},{"sku":"B","q":"2"}],"x|y"]"#
    );
    let by_object = plan.render(&context(), Some(&json(raw))).unwrap_or_default();
    let by_raw = plan.render_raw(&context(), raw.as_bytes()).unwrap_or_default();
    assert_eq!(by_object, by_raw);
    for bad in ["", "[]", "3", "{\"id\":1", "{\"id\":tru}"] {
        assert!(
            plan.render_row_raw(&context(), bad.as_bytes(), &mut Vec::new(), &mut Vec::new()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn strict_is_the_rule_and_lenient_is_asked_for() {
    let doc = |strict: &str| {
        format!(r#"{{"api":"x",{strict}"request":[{{"field":"a","value":"_function {{{{n}}}}/0"}}]}}"#)
    };
    assert_eq!(request(&doc(""), Some(r#"{"n":1}"#), 1), "HL-2310 at request[0]");
    assert_eq!(request(&doc(r#""strict":false,"#), Some(r#"{"n":1}"#), 1), r#"{"a":"_function {{n}}/0"}"#);
}
