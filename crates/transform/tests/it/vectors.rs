//! Vectors of the dialect: expression, context, result.

use heliu_transform::{EvalRequest, Lookup, RenderRequest, Text, Value, evaluate, render};

const LAST: i64 = 1_710_403_200;
const NOW: i64 = 1_710_406_800;

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn r1() -> Value {
    json(
        r#"{"o_id":1001,"so_id":"SO-1","shop_id":12,"shop_name":"旗舰店","created":"2024-03-15 14:30:00","remark":"仔细包装",
        "amount":"100.50","qty":3,"price":2.5,"flag":true,"off":false,"nil":null,"blank":"","zip":"00123",
        "buyer":{"name":"张三","addr":{"city":"广州"}},"tags":["a","b"],"big":1362188104995221504,
        "items":[{"sku_id":"A1","qty":2,"price":10,"tax":0.13},{"sku_id":"B2","qty":5,"price":4,"tax":0.06}]}"#,
    )
}

/// The store of the lookup vectors.
struct Store(Vec<Value>);

impl Lookup for Store {
    fn find(&self, scheme: &str, field: &str, conditions: &[(String, Value)]) -> Result<Option<Value>, Text> {
        if scheme != "M" {
            return Err(Text::same("unknown plan"));
        }
        let hit = self.0.iter().rev().find(|r| {
            conditions.iter().all(|(k, v)| r.get_path(k).is_some_and(|x| x.in_text() == v.in_text()))
        });
        Ok(hit.and_then(|r| r.get_path(field)))
    }

    fn mongo(&self, _: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        let content = |p: &str| p.strip_prefix("content.").unwrap_or(p).to_owned();
        let hit = self.0.iter().find(|r| {
            filter.as_object().is_some_and(|f| {
                f.iter().all(|(k, ops)| {
                    let v = r.get_path(&content(k)).map(|v| v.in_text());
                    ops.as_object().is_some_and(|o| {
                        o.iter().all(|(op, want)| match op {
                            "$eq" => v.as_deref() == Some(&want.in_text()),
                            "$in" => want
                                .as_array()
                                .unwrap_or(&[])
                                .iter()
                                .any(|w| v.as_deref() == Some(&w.in_text())),
                            _ => false,
                        })
                    })
                })
            })
        });
        Ok(hit.and_then(|r| r.get_path(&content(field))))
    }
}

fn store() -> Store {
    Store(vec![
        json(r#"{"FNumber":"A1","FIsKFPeriod":true,"FUnit":"Pcs"}"#),
        json(r#"{"FNumber":"B2","FIsKFPeriod":false,"FUnit":"Box"}"#),
        json(r#"{"FBillNo":"SO-1","FID":777,"FMaterialId_FNumber":"A1","FEntryId":9}"#),
    ])
}

fn run(expr: &str, record: &Value, row: Option<&str>, ty: &str, parser: Option<&Value>) -> (String, usize) {
    let expr = Value::from(expr);
    let store = store();
    let request = EvalRequest {
        expr: &expr,
        record: Some(record),
        row,
        now: NOW,
        last_sync: LAST,
        tz: chrono_tz::Asia::Shanghai,
        ty: Some(ty),
        parser,
        strict: false,
        lookups: Some(&store),
    };
    match evaluate(&request) {
        Ok((v, w)) => (v.to_json(), w.len()),
        Err(e) => (format!("{}: {}", e.code, e.message), 0),
    }
}

#[test]
fn references() {
    let cases = [
        ("V-F01", "{{shop_name}}", "string", "\"旗舰店\""),
        ("V-F02", "{shop_name}", "string", "\"旗舰店\""),
        ("V-F03", "{{o_id}}", "string", "1001"),
        ("V-F04", "{{buyer.addr.city}}", "string", "\"广州\""),
        ("V-F05", "{{missing.a.b}}", "string", "null"),
        ("V-F06", "单号:{{so_id}}/{{nil}}/{{flag}}", "string", "\"单号:SO-1//true\""),
        ("V-F07", "{{tags}}", "array", "[\"a\",\"b\"]"),
        ("V-F08", "x{{tags}}", "string", r#""x[\"a\",\"b\"]""#),
        ("V-F09", "{{items.sku_id}}", "string", "[\"A1\",\"B2\"]"),
        ("V-F10", "{{items.0.sku_id}}", "string", "\"A1\""),
        ("V-F11", "{{big}}", "string", "1362188104995221504"),
        ("V-F12", "0101", "string", "\"0101\""),
        ("V-F13", "true", "bool", "true"),
        ("V-F14", "100", "int", "100"),
        ("V-F15", "{{amount}}", "float", "100.5"),
        ("V-F16", "{{zip}}", "string", "\"00123\""),
        ("V-F17", "{so_id}-x", "string", "\"{so_id}-x\""),
        ("V-F18", "{{ so_id }}", "string", "\"SO-1\""),
        ("A35", "{{o_id}}{{qty}}", "string", "\"10013\""),
        ("constant", "{\"a\":\"b\"}", "string", r#""{\"a\":\"b\"}""#),
        ("V-D01", "a${b}", "string", "\"a${b}\""),
    ];
    for (id, expr, ty, want) in cases {
        assert_eq!(run(expr, &r1(), None, ty, None).0, want, "{id}");
    }
}

#[test]
fn builtins_and_pipes() {
    let cases = [
        ("V-B01", "{{LAST_SYNC_TIME}}", "1710403200", 0),
        ("V-B02", "{{LAST_SYNC_TIME}}000", "\"1710403200000\"", 0),
        ("V-B03", "{{DAYS_AGO_1}}", "1710320400", 0),
        ("V-B04", "{{DAYS_AGO_2|datetime}}", "\"2024-03-12 17:00:00\"", 0),
        ("V-B05", "{PAGINATION_START_PAGE}", "1", 0),
        ("V-B07", "{PAGINATION_PAGE_SIZE}", "100", 0),
        ("V-P01", "{{LAST_SYNC_TIME|datetime}}", "\"2024-03-14 16:00:00\"", 0),
        ("V-P02", "{{CURRENT_TIME|dateTime}}", "\"2024-03-14 17:00:00\"", 0),
        ("V-P03", "{{LAST_SYNC_TIME|date}}", "\"2024-03-14\"", 0),
        ("V-P04", "{{CURRENT_TIME|timestamp}}", "1710406800", 0),
        ("V-P05", "{{LAST_SYNC_TIME|timestamp_ms}}", "1710403200000", 0),
        ("V-P06", "{{created|date}}", "\"2024-03-15\"", 0),
        ("V-P07", "{{created|timestamp}}", "1710484200", 0),
        (
            "V-P08",
            "FApproveDate>='{{LAST_SYNC_TIME|dateTime}}'",
            "\"FApproveDate>='2024-03-14 16:00:00'\"",
            0,
        ),
        ("V-P09", "{{lastSyncTime|datetime('Y-m-d H:i:s')}}", "\"2024-03-14 16:00:00\"", 0),
        ("V-P10", "{{created|nosuch}}", "\"2024-03-15 14:30:00\"", 1),
        ("V-P11", "{{blank|date}}", "\"\"", 0),
    ];
    for (id, expr, want, warnings) in cases {
        assert_eq!(run(expr, &r1(), None, "string", None), (want.to_owned(), warnings), "{id}");
    }
}

#[test]
fn functions() {
    let o = |s: &str| json(s);
    let cases = [
        ("V-X01", "_function {{tax}} * 100", o(r#"{"tax":0.13}"#), "13"),
        ("V-X02", "_function {{tax}} * 100", o(r#"{"tax":0.06}"#), "6"),
        (
            "V-X03",
            "_function FROM_UNIXTIME({{LAST_SYNC_TIME}} - 600, '%Y-%m-%d %H:%i:%s')",
            r1(),
            "\"2024-03-14 15:50:00\"",
        ),
        (
            "V-X04",
            "_function FROM_UNIXTIME({{LAST_SYNC_TIME}}-600 ,'%Y-%m-%d %H:%i:%s' )",
            r1(),
            "\"2024-03-14 15:50:00\"",
        ),
        (
            "V-X05",
            "_function case '{{FOrgId}}' when '100' then {{price}}*{{qty}} when '200' then '201' else '{{FOrgId}}' end",
            o(r#"{"FOrgId":100,"price":2.5,"qty":3}"#),
            "7.5",
        ),
        (
            "V-X06",
            "_function case '{{FOrgId}}' when '100' then {{price}}*{{qty}} when '200' then '201' else '{{FOrgId}}' end",
            o(r#"{"FOrgId":200}"#),
            "\"201\"",
        ),
        (
            "V-X07",
            "_function case '{{FOrgId}}' when '100' then {{price}}*{{qty}} when '200' then '201' else '{{FOrgId}}' end",
            o(r#"{"FOrgId":"300"}"#),
            "\"300\"",
        ),
        (
            "V-X08",
            "_function CASE LEFT('{{no}}', 2) WHEN 'AD' THEN 100 WHEN 'BB' THEN 101 ELSE 103 END",
            o(r#"{"no":"AD0001"}"#),
            "100",
        ),
        ("V-X09", "_function CASE LOCATE('仔细','{{remark}}') WHEN 0 THEN 'A' ELSE 'B' END", r1(), "\"B\""),
        ("V-X10", "_function SUM({{items.qty}})", o(r#"{"items":[{"qty":10},{"qty":20},{"qty":30}]}"#), "60"),
        ("V-X11", "_function COUNT({{items}})", r1(), "2"),
        ("V-X12", "_function AVG({{items.price}})", r1(), "7"),
        ("V-X13", "_function {{a}}/0", o(r#"{"a":1}"#), "\"_function {{a}}/0\""),
        ("V-X14", "_function{{tax}}*100", o(r#"{"tax":0.13}"#), "13"),
        ("V-X15", "_function IFNULL({{missing}}, 0) * {{price}}", o(r#"{"price":2.5}"#), "0"),
        (
            "V-X16",
            "_function case when '{{sale_price}}'='0' then 'true' when LOCATE('仔细','{{remark}}')>0 then 'true' else 'false' end",
            o(r#"{"sale_price":9,"remark":"仔细包装"}"#),
            "\"true\"",
        ),
        (
            "V-X17",
            "_function from_unixtime(({{CURRENT_TIME}}-5184000),'%Y-%m-%d %h:%i:%s')",
            r1(),
            "\"2024-01-14 05:00:00\"",
        ),
        ("V-X18", "_function ({{LAST_SYNC_TIME}}-(3600 * 24))* 1000", r1(), "1710316800000"),
        (
            "V-X19",
            "_function FROM_UNIXTIME( ( {{auditDate}} / 1000 ) ,'%Y-%m-%d %T' )",
            o(r#"{"auditDate":1710403200123}"#),
            "\"2024-03-14 16:00:00\"",
        ),
        ("V-X20", "_function UNIX_TIMESTAMP(DATE_ADD(CURDATE(), INTERVAL -1 DAY))", r1(), "1710259200"),
        (
            "V-X21",
            "_function DATE_FORMAT(LAST_DAY(DATE_SUB(CURDATE(), INTERVAL 1 MONTH)),'%Y-%m-%d')",
            r1(),
            "\"2024-02-29\"",
        ),
        (
            "V-X22",
            "_function DATE_FORMAT(DATE_SUB(DATE_SUB(CURDATE(), INTERVAL DAY(CURDATE()) - 1 DAY), INTERVAL 1 MONTH),'%Y-%m-%d')",
            r1(),
            "\"2024-02-01\"",
        ),
        ("V-X23", "_function {{num}} % 2", o(r#"{"num":7}"#), "1"),
        (
            "V-X24",
            "_function {{amount}} * (1 + {{tax_rate}})",
            o(r#"{"amount":"100.50","tax_rate":0.13}"#),
            "113.565",
        ),
        (
            "V-X26a",
            "_function case '{{defect}}' when true then 'K1' else 'K2' end",
            o(r#"{"defect":true}"#),
            "\"K1\"",
        ),
        (
            "V-X26b",
            "_function case '{{defect}}' when true then 'K1' else 'K2' end",
            o(r#"{"defect":"1"}"#),
            "\"K1\"",
        ),
        (
            "V-X26c",
            "_function case '{{defect}}' when true then 'K1' else 'K2' end",
            o(r#"{"defect":false}"#),
            "\"K2\"",
        ),
        (
            "V-X26d",
            "_function case '{{defect}}' when true then 'K1' else 'K2' end",
            o(r#"{"defect":"0"}"#),
            "\"K2\"",
        ),
        (
            "V-X26e",
            "_function case '{{defect}}' when true then 'K1' else 'K2' end",
            o(r#"{"defect":""}"#),
            "\"K2\"",
        ),
        ("V-X27", " _function 1+1", r1(), "\" _function 1+1\""),
        ("V-X28", "_function CONCAT('{{so_id}}','-','{{nil}}')", r1(), "\"SO-1-\""),
        ("V-X29", "_function CONCAT('{{n}}')", o(r#"{"n":"O'Brien"}"#), "\"O'Brien\""),
        (
            "V-X30",
            "_function FORMAT_DATE({{CURRENT_TIME}} - 7200000, 'yyyy-MM-dd HH:mm:ss')",
            r1(),
            "\"2023-12-22 09:00:00\"",
        ),
        ("A36", "_function CONCAT('{{n}}','x')", o(r#"{"n":"{{so_id}}' or \\"}"#), r#""{{so_id}}' or \\x""#),
        ("mod", "_function 7 MOD 4", r1(), "3"),
        ("division", "_function 1/3", r1(), "0.3333"),
    ];
    for (id, expr, record, want) in cases {
        assert_eq!(run(expr, &record, None, "string", None).0, want, "{id}");
    }
    let row = json(r#"{"items":[{"sale_amount":50,"calAmount":100,"calPamount":80,"qty":2}]}"#);
    let expr = "_function ({{items.sale_amount}}/{{items.calAmount}})*{{items.calPamount}}/{{items.qty}}";
    assert_eq!(run(expr, &row, Some("items:0"), "string", None).0, "20", "V-X25");
}

#[test]
fn lookups() {
    let r = r1();
    let find = |e: &str, row: Option<&str>| run(e, &r, row, "string", None).0;
    let unit = "_findCollection find FUnit from M where FNumber={{items.sku_id}}";
    assert_eq!(find(unit, Some("items:0")), "\"Pcs\"", "V-L01");
    assert_eq!(find(unit, Some("items:1")), "\"Box\"", "V-L01");
    let two =
        "_findCollection find FEntryId from M where FBillNo={{so_id}} FMaterialId_FNumber={{items.sku_id}}";
    assert_eq!(find(two, Some("items:0")), "9", "V-L02");
    assert_eq!(find(two, Some("items:1")), "\"\"", "V-L02");
    for (id, word) in [("V-L03", "true"), ("V-L04", "'1'")] {
        let e = format!(
            "_function case _findCollection find FIsKFPeriod from M where FNumber={{{{items.sku_id}}}} _endFind when {word} then '{{{{created}}}}' else '' end"
        );
        assert_eq!(find(&e, Some("items:0")), "\"2024-03-15 14:30:00\"", "{id}");
        assert_eq!(find(&e, Some("items:1")), "\"\"", "{id}");
    }
    assert_eq!(find("_findCollection find FID from M where FBillNo=SO-9", None), "\"\"", "V-L05");
    assert_eq!(
        find("_function IFNULL(_findCollection find FID from M where FBillNo={{so_id}}, '0')", None),
        "777",
        "V-L06"
    );
    let blanks = "_findCollection find FID from M where FBillNo = {{so_id}}";
    assert_eq!(find(blanks, None), format!("\"{blanks}\""), "V-L07");
    let mongo = "_mongoQuery M findField=content.FUnit where={\"content.FNumber\":{\"$eq\":\"{{sku}}\"}}";
    assert_eq!(run(mongo, &json(r#"{"sku":"A1"}"#), None, "string", None).0, "\"Pcs\"", "V-M01");
    assert_eq!(run(mongo, &json(r#"{"sku":"x\"y"}"#), None, "string", None), ("\"\"".into(), 0), "V-M02");
    let many =
        "_mongoQuery M findField=content.FID where={\"content.FBillNo\":{\"$in\":[\"SO-1\",\"SO-2\"]}}";
    assert_eq!(find(many, None), "777", "V-M03");
}

#[test]
fn parsers() {
    let cases = [
        ("a,b", r#"{"name":"StringToArray","params":","}"#, r#"["a","b"]"#),
        ("A|B|C", r#"{"name":"StringToArray","params":"|"}"#, r#"["A","B","C"]"#),
        ("   ", r#"{"name":"StringToArray","params":","}"#, "[]"),
        ("", r#"{"name":"StringToArray","params":","}"#, "[]"),
        ("a, b", r#"{"name":"StringToArray","params":","}"#, r#"["a"," b"]"#),
        ("{{tags}}", r#"{"name":"ArrayToString","params":"|"}"#, "\"a|b\""),
        ("SUP001", r#"{"name":"ConvertObjectParser","params":"FNumber"}"#, r#"{"FNumber":"SUP001"}"#),
        ("{{missing}}", r#"{"name":"ConvertObjectParser","params":"FNumber"}"#, "null"),
        (
            "138",
            r#"{"name":"ConvertTwoStageObjectParser","params1":"value","params2":"phone"}"#,
            r#"{"value":{"phone":"138"}}"#,
        ),
        (
            "60",
            r#"{"name":"K3WiseHeiHuCustomParser","params":"短代码"}"#,
            r#"[{"keyName":"短代码","keyValue":"60"}]"#,
        ),
        (
            "{\"1033\":\"2037\",\n\"2052\":\"2037\"}",
            r#"{"name":"ConvertJson"}"#,
            r#"[{"Key":1033,"Value":"2037"},{"Key":2052,"Value":"2037"}]"#,
        ),
        ("a,a,b", r#"[{"name":"StringToArray","params":","},{"name":"ArrayUnique"}]"#, r#"["a","b"]"#),
    ];
    for (value, parser, want) in cases {
        let parser = json(parser);
        assert_eq!(run(value, &r1(), None, "string", Some(&parser)).0, want, "{value}");
    }
}

fn rendered(metadata: &str, records: &[Value], page: i64) -> Value {
    let metadata = json(metadata);
    let request = RenderRequest {
        metadata: &metadata,
        records,
        page,
        page_size: None,
        now: NOW,
        last_sync: LAST,
        tz: chrono_tz::Asia::Shanghai,
        lookups: None,
    };
    match render(&request) {
        Ok((v, _)) => v,
        Err(e) => panic!("{}: {}", e.code, e.message),
    }
}

const ORDERS: &str = r#"{"api":"orders.out.simple.query","method":"POST","number":"o_id","id":"o_id","pagination":{"pageSize":100},
 "request":[{"field":"shop_id","type":"string"},{"field":"is_offline_shop","type":"string"},
 {"field":"status","type":"string","value":"Confirmed"},
 {"field":"modified_begin","type":"string","value":"{{LAST_SYNC_TIME|datetime}}"},
 {"field":"modified_end","type":"string","value":"{{CURRENT_TIME|datetime}}"},
 {"field":"so_ids","type":"string","parser":{"name":"StringToArray","params":","}SOIDS},
 {"field":"page_index","type":"string","value":"{PAGINATION_START_PAGE}"},
 {"field":"page_size","type":"string","value":"{PAGINATION_PAGE_SIZE}"}]}"#;

#[test]
fn a01_a02_a03_source_request() {
    let sent = |so_ids: &str, page| rendered(&ORDERS.replace("SOIDS", so_ids), &[], page);
    assert_eq!(
        sent("", 1).get_path("request").map(|v| v.to_json()),
        Some(r#"{"status":"Confirmed","modified_begin":"2024-03-14 16:00:00","modified_end":"2024-03-14 17:00:00","page_index":1,"page_size":100}"#.into()),
        "A01"
    );
    let so_ids =
        |v: &str| sent(&format!(",\"value\":\"{v}\""), 1).get_path("request.so_ids").map(|v| v.to_json());
    assert_eq!(so_ids("SO123,SO124"), Some(r#"["SO123","SO124"]"#.into()), "A02");
    assert_eq!(so_ids(""), Some("[]".into()), "A02");
    assert_eq!(sent("", 3).get_path("request.page_index").map(|v| v.to_json()), Some("3".into()), "A03");
}

#[test]
fn containers() {
    let target = |items: &str| format!(r#"{{"api":"x","request":[{items}]}}"#);
    let request = |items: &str| {
        rendered(&target(items), &[r1()], 1).get_path("request").map(|v| v.to_json()).unwrap_or_default()
    };
    let children = r#"{"field":"FMaterialID","type":"string","value":"{{items.sku_id}}"},{"field":"FQty","type":"int","value":"{{items.qty}}"}"#;
    let entity = |more: &str| {
        format!(r#"{{"field":"FEntity","type":"array","value":"items","children":[{children}{more}]}}"#)
    };
    assert_eq!(
        request(&entity("")),
        r#"{"FEntity":[{"FMaterialID":"A1","FQty":2},{"FMaterialID":"B2","FQty":5}]}"#,
        "V-C01"
    );
    let with_header = entity(r#",{"field":"FStockID","value":"{{shop_id}}"}"#);
    assert_eq!(request(&with_header).matches("\"FStockID\":12").count(), 2, "V-C02");
    let parsed = r#"{"field":"F","type":"array","value":"{{items}}","children":[{"field":"M","value":"{{items.sku_id}}","parser":{"name":"ConvertObjectParser","params":"FNumber"}}]}"#;
    assert_eq!(request(parsed), r#"{"F":[{"M":{"FNumber":"A1"}},{"M":{"FNumber":"B2"}}]}"#, "V-C03");
    let absent = r#"{"field":"Page2","type":"array","value":"details","children":[{"field":"FItemID","value":"{{so_id}}"}]}"#;
    assert_eq!(request(absent), r#"{"Page2":[{"FItemID":"SO-1"}]}"#, "V-C04");
    let object = r#"{"field":"basicInfo","type":"object","value":"1","children":[{"field":"vid","value":"6001341397926"}]}"#;
    assert_eq!(request(object), r#"{"basicInfo":{"vid":"6001341397926"}}"#, "V-C05");
    let header =
        r#"{"field":"E","type":"array","value":"items","children":[{"field":"FQty","value":"{{qty}}"}]}"#;
    assert_eq!(request(header), r#"{"E":[{"FQty":3},{"FQty":3}]}"#, "V-C06");
    let flat = r#"{"field":"E","type":"array","value":"items"},{"field":"E.a","value":"{{items.sku_id}}"},{"field":"b","parent":"E","value":"1"},{"field":"x.y","value":"2"}"#;
    assert_eq!(request(flat), r#"{"E":[{"a":"A1","b":"1"},{"a":"B2","b":"1"}],"x.y":"2"}"#, "flat form");
}

#[test]
fn a16_path_placeholders() {
    let doc = r#"{"api":"/api/v2/app/{app_id}/entry/{entry_id}/data","request":[{"field":"appId","value":"a/1"},{"field":"x","value":"1"}],"otherRequest":[{"field":"entryId","value":"e2"}]}"#;
    let v = rendered(doc, &[], 1);
    assert_eq!(v.get_path("api").map(|v| v.to_json()), Some("\"/api/v2/app/a%2F1/entry/e2/data\"".into()));
    assert_eq!(v.get_path("request").map(|v| v.to_json()), Some(r#"{"x":"1"}"#.into()));
    assert_eq!(v.get_path("otherRequest").map(|v| v.to_json()), Some("{}".into()));
}

#[test]
fn operations() {
    let merge = r#"{"api":"x","operation":{"method":"merge","field":"FBillNo","bodyName":"goods_list"},"request":[{"field":"no","value":"{{FBillNo}}"},{"field":"rows","type":"array","value":"goods_list","children":[{"field":"sku","value":"{{goods_list.sku}}"}]}]}"#;
    let records = [
        json(r#"{"FBillNo":"A","sku":1,"q":2}"#),
        json(r#"{"FBillNo":"A","sku":2,"q":3}"#),
        json(r#"{"FBillNo":"B","sku":1,"q":9}"#),
    ];
    let v = rendered(merge, &records, 1);
    let first = v.as_array().and_then(|a| a.first()).and_then(|x| x.get_path("request")).map(|x| x.to_json());
    assert_eq!(first, Some(r#"{"no":"A","rows":[{"sku":1},{"sku":2}]}"#.into()), "V-O01");
    assert_eq!(v.as_array().map(<[_]>::len), Some(2), "V-O01");
    let batch = r#"{"api":"x","operation":{"method":"batchArraySave","rows":2,"rowsKey":"array"},"request":[{"field":"n","value":"{{n}}"}]}"#;
    let three: Vec<Value> = (1..4).map(|n| json(&format!("{{\"n\":{n}}}"))).collect();
    let v = rendered(batch, &three, 1);
    let bodies: Vec<String> = v
        .as_array()
        .unwrap_or(&[])
        .iter()
        .filter_map(|x| x.get_path("request"))
        .map(|x| x.to_json())
        .collect();
    assert_eq!(bodies, [r#"[{"n":1},{"n":2}]"#, r#"[{"n":3}]"#], "V-O02");
}

#[test]
fn aggregates_see_all_rows() {
    let two = r#"{"k":2,"items":[{"q":10,"p":1.5,"t":"a"},{"q":20,"p":2,"t":"b"}]}"#;
    let cases = [
        ("_function SUM({{items.q}} * {{items.p}})", "55"),
        ("_function SUM( {{items.q}} ) / COUNT({{items}})", "15"),
        ("_function sum({{items.q}} * {{k}})", "60"),
        ("_function SUM(CASE '{{items.t}}' WHEN 'a' THEN {{items.q}} ELSE 0 END)", "10"),
        ("_function IF(MAX({{items.q}}) > 15, 'big', 'small')", "\"big\""),
        ("_function MIN({{items.q}}) + {{items.q}}", "30"),
        ("_function GROUP_CONCAT(CONCAT({{items.t}}, ':', {{items.q}}))", "\"a:10,b:20\""),
        ("_function CONCAT（'a'，'b'）", "\"ab\""),
    ];
    for (expr, want) in cases {
        let row = expr.contains("MIN").then_some("items:1");
        assert_eq!(run(expr, &json(two), row, "string", None).0, want, "{expr}");
    }
}

#[test]
fn errors_tell_the_place() {
    let place = |expr: &str| {
        let expr = Value::from(expr);
        let request = EvalRequest {
            expr: &expr,
            record: None,
            row: None,
            now: NOW,
            last_sync: LAST,
            tz: chrono_tz::Asia::Shanghai,
            ty: None,
            parser: None,
            strict: true,
            lookups: None,
        };
        evaluate(&request).map_err(|e| (e.code, e.position)).err().unwrap_or_default()
    };
    assert_eq!(place("_function {{数量}} + ) 1"), ("HL-2301".into(), Some(19)));
    assert_eq!(place("_function {{a}} * 2 2"), ("HL-2301".into(), Some(20)));
    assert_eq!(place("_function 1/0").0, "HL-2310");
    assert_eq!(place("_findCollection find a from b where c=1").0, "HL-2402");
}
