//! Whole articles: prose, samples, code, and the documents between them.

use heliu_import::{Draft, Kind, Options, read_text};
use heliu_transform::Side;
use serde_json::{Value, json};

use crate::{import, options};

const WAREHOUSES: &str = include_str!("fixtures/warehouses.txt");
const RECEIPTS: &str = include_str!("fixtures/receipts.txt");
const CUT: &str = include_str!("fixtures/cut.txt");
const TOKEN: &str = include_str!("fixtures/token.txt");

fn one(text: &str) -> Draft {
    let mut list = import(text);
    assert_eq!(list.len(), 1, "{list:#?}");
    list.remove(0)
}

fn codes(d: &Draft) -> Vec<(&str, &str)> {
    d.problems.iter().map(|p| (p.code.as_str(), p.path.as_str())).collect()
}

#[test]
fn an_article_with_both_sides() {
    let d = one(WAREHOUSES);
    assert_eq!(d.plan["source"]["connector"], "jst");
    assert_eq!(d.plan["source"]["metadata"]["id"], "wms_co_id");
    assert_eq!(
        d.plan["target"],
        json!({"connector": "heliu", "metadata": {"api": "空操作", "method": "POST", "idCheck": true}})
    );
    assert_eq!((d.repairs, d.problems, d.sides), (vec![], vec![], vec![Side::Source, Side::Target]));
}

#[test]
fn a_python_dictionary_is_a_document_too() {
    let d = one(RECEIPTS);
    assert_eq!(
        d.plan["source"]["metadata"]["request"][2]["parser"],
        json!({"name": "StringToArray", "params": ","})
    );
    let target = &d.plan["target"]["metadata"];
    assert_eq!((&target["api"], &target["idCheck"]), (&json!("写入空操作"), &json!(true)));
    assert_eq!(target["data"], json!({"id": "77", "name": null, "rows": [{"sku": "K1", "qty": 2}]}));
    let kinds: Vec<Kind> = d.repairs.iter().map(|r| r.kind).collect();
    assert!(kinds.contains(&Kind::Literal) && kinds.contains(&Kind::Quote), "{kinds:?}");
    let truth = d.repairs.iter().find(|r| r.found == "True").unwrap();
    let line = RECEIPTS.lines().position(|l| l.contains("True")).unwrap() + 1;
    assert_eq!((truth.line, truth.column), (line, 12));
}

#[test]
fn a_cut_target_is_closed_after_its_last_whole_item() {
    let d = one(CUT);
    let request = d.plan["target"]["metadata"]["request"].as_array().unwrap();
    assert_eq!(
        request.iter().map(|i| i["field"].as_str().unwrap()).collect::<Vec<_>>(),
        ["wms_co_id", "name"]
    );
    assert_eq!(d.plan["target"]["connector"], "bi");
    let cut: Vec<_> = d.repairs.iter().filter(|r| r.kind == Kind::Cut).collect();
    assert_eq!(cut.len(), 2, "{:#?}", d.repairs);
    assert!(cut[0].found.starts_with("{\"field\":\"co_id\""), "{:?}", cut[0]);
    let line = CUT.lines().position(|l| l.contains("co_id\",\"label")).unwrap() + 1;
    assert_eq!((cut[0].line, cut[0].column), (line, 9));
    // The source is not printed; the article mentions one interface of the catalogue.
    assert_eq!(d.plan["source"]["metadata"]["api"], "/open/wms/partner/query");
    assert_eq!(codes(&d), [("HL-1504", "source.metadata")]);
    assert_eq!(d.sides, [Side::Target]);
}

#[test]
fn a_schedule_beside_the_documents_becomes_the_plans() {
    let d = one(TOKEN);
    assert_eq!(
        d.plan["schedule"],
        json!({"schedule": "0 */10 * * * ?", "task": {"name": "Renew", "retries": 5}})
    );
    assert_eq!(d.plan["batchSize"], 500);
    assert_eq!(d.plan["target"]["metadata"]["api"], "写入空操作");
    assert_eq!(d.plan["source"]["metadata"]["autoFillResponse"], true);
    assert_eq!(codes(&d), [("HL-1505", "source.connector")]);
    assert_eq!(d.remarks.len(), 2);
    let kinds: Vec<Kind> = d.repairs.iter().map(|r| r.kind).collect();
    assert!(kinds.contains(&Kind::Comment) && kinds.contains(&Kind::Elision), "{kinds:?}");
}

#[test]
fn a_lone_source_gets_the_no_op_write() {
    let d = one(
        "text {\"api\":\"/v1/groups\",\"method\":\"GET\",\"number\":\"name\",\"id\":\"id\",\"idCheck\":true} text",
    );
    assert_eq!(d.plan["target"]["metadata"]["api"], "写入空操作");
    assert!(codes(&d).contains(&("HL-1504", "target.metadata")));
    assert_eq!(d.sides, [Side::Source]);
}

#[test]
fn names_of_connectors_can_be_given() {
    let o = Options { source: Some("a".into()), target: Some("b".into()), ..options() };
    let d = read_text(RECEIPTS.as_bytes(), &o).unwrap().remove(0);
    assert_eq!((&d.plan["source"]["connector"], &d.plan["target"]["connector"]), (&json!("a"), &json!("b")));
}

#[test]
fn several_pairs_become_several_plans() {
    let side =
        |api: &str, more: &str| format!("```json\n{{\"api\":\"{api}\",\"method\":\"POST\",{more}}}\n```\n");
    let text = [
        side("/a/query", r#""id":"x","number":"x""#),
        side("batchexecute", r#""effect":"EXECUTE","request":[]"#),
        side("/b/query", r#""id":"y","number":"y""#),
        side("写入空操作", r#""effect":"EXECUTE""#),
    ]
    .concat();
    let apis: Vec<(String, String)> = import(&text)
        .iter()
        .map(|d| {
            let api = |s: &str| d.plan[s]["metadata"]["api"].as_str().unwrap().to_owned();
            (api("source"), api("target"))
        })
        .collect();
    let wanted = [("/a/query", "batchexecute"), ("/b/query", "写入空操作")];
    assert_eq!(apis, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn the_same_document_printed_twice_is_one() {
    let twice =
        format!("{WAREHOUSES}\n再贴一次:\n{{\"api\":\"空操作\",\"method\":\"POST\",\"idCheck\":true}}");
    assert_eq!(import(&twice).len(), 1);
    let fuller = "{\"api\":\"/a\",\"method\":\"POST\",\"id\":\"x\",\"number\":\"x\",\"request\":[{\"field\":\"a\"}]} then \
                  {\"api\":\"/a\",\"method\":\"POST\",\"id\":\"x\",\"number\":\"x\",\"request\":[{\"field\":\"a\"},{\"field\":\"b\"}]}";
    let d = one(fuller);
    assert_eq!(d.plan["source"]["metadata"]["request"].as_array().unwrap().len(), 2);
    assert!(codes(&d).contains(&("HL-1506", "source.metadata")));
}

#[test]
fn documents_inside_other_objects_and_whole_plans() {
    let d = one(
        r#"{"source":{"api":"/a","method":"POST","id":"x"},"target":{"api":"batchexecute","method":"POST","request":[]}}"#,
    );
    assert_eq!(d.plan["target"]["metadata"]["api"], "batchexecute");
    let plan = r#"{"name":"n","schedule":"every 5m","source":{"connector":"c","metadata":{"api":"/a"}},"target":{"connector":"d","metadata":{"api":"/b"}},}"#;
    let d = one(plan);
    assert_eq!((&d.plan["name"], &d.plan["source"]["connector"]), (&json!("n"), &json!("c")));
    assert_eq!(d.repairs.iter().map(|r| r.kind).collect::<Vec<_>>(), [Kind::ExtraComma]);
}

/// A67: nothing of a document is lost, and its order stays.
#[test]
fn a67_unknown_keys_nulls_and_order_survive() {
    let source = r#"{"zz":null,"api":"/a","id":"x","number":"x","method":"Get","extra":{"k":[1,null,"2",{"b":1,"a":2}]},"request":[{"value":null,"field":"b","物理建模":true,"parent_id":"u-1"},{"field":"a","value":"1362188104995221504","n":12345678901234567890.10}],"condition_bk":[[]],"otherResponse":{"DataKey":"data"}}"#;
    let d = one(&format!("前言\n{source}\n后记"));
    let wanted: Value = serde_json::from_str(source).unwrap();
    assert_eq!(d.plan["source"]["metadata"].to_string(), wanted.to_string());
    assert_eq!(d.repairs, []);
}

#[test]
fn spellings_of_the_generic_layer_are_made_authentic() {
    let d = one(
        r#"{"api":"/a","method":"POST","id":"{{response.no}}","pagination":{"page_size":50},"writeMode":"upsert",
            "requestParams":{"shop":{"value":"{{x}}"},"n":5},"flattenConfig":{"arrayFields":["items"]}}"#,
    );
    let m = &d.plan["source"]["metadata"];
    assert_eq!(m["request"], json!([{"field": "shop", "value": "{{x}}"}, {"field": "n", "value": 5}]));
    assert_eq!(
        (&m["id"], &m["pagination"], &m["beatFlat"]),
        (&json!("no"), &json!({"pageSize": 50}), &json!(["items"]))
    );
    assert_eq!(m["writeMode"], "upsert");
    let found: Vec<&str> =
        d.repairs.iter().filter(|r| r.kind == Kind::Alias).map(|r| r.found.as_str()).collect();
    for key in ["requestParams", "id", "page_size", "flattenConfig"] {
        assert!(found.contains(&key), "{key}: {found:?}");
    }
    assert!(d.problems.iter().any(|p| p.code == "HL-1507"));
}

#[test]
fn what_holds_no_metadata_is_an_error_that_says_what_is_looked_for() {
    for text in ["", "nothing here", "{\"a\":1}", "{{x}} {y} { z }"] {
        let p = read_text(text.as_bytes(), &options()).unwrap_err();
        assert_eq!(p[0].code, "HL-1502", "{text}");
        assert!(!p[0].hint.is_empty());
    }
    // Items without their document are taken, and what is missing is said.
    let drafts = read_text(b"[{\"field\":\"a\",\"value\":1}]", &options()).unwrap();
    let missing = drafts[0].problems.iter().find(|p| p.code == "HL-1514").unwrap();
    assert_eq!(missing.path, "source.metadata.api");
}

/// Behind the documents an article often shows what is sent: the same interface, with data.
#[test]
fn a_sample_request_behind_its_document_is_no_other_plan() {
    let source = json!({"api": "/a", "id": "id", "number": "id", "request": []});
    let target = json!({"api": "/open/items/upload", "method": "POST", "idCheck": true,
        "request": [{"field": "sku", "value": "{{sku}}"}]});
    let sample = "{\"api\": \"/open/items/upload\", \"method\": \"POST\", \"data\": [...]}";
    let d = one(&format!("{source}\n写入\n{target}\n示例请求\n{sample}\n"));
    assert_eq!(d.plan["target"]["metadata"], target);
    assert!(codes(&d).contains(&("HL-1506", "target.metadata")), "{:?}", d.problems);
}

/// Of two documents one may have lost the braces around it; what is quoted of the other one is no document.
#[test]
fn one_side_without_its_braces_is_read_beside_the_other() {
    let item = "{\"field\": \"modified_begin\", \"value\": \"{{LAST_SYNC_TIME|datetime}}\"}";
    let bare = format!(
        "\"api\": \"purchasein.query\",\n\"method\": \"POST\",\n\"number\": \"io_id\",\n\"id\": \"io_id\",\n\"request\": [\n{item}\n]\n"
    );
    let target = "{\"api\": \"batchexecute\", \"idCheck\": true, \"request\": [{\"field\": \"io_id\", \"value\": \"{io_id}\"}]}";
    let quoted = "\"request\": [{\"field\": \"io_id\", \"label\": \"单号\", \"value\": \"{io_id}\"}]";
    for text in [
        format!("源:\n```json\n{bare}```\n目标:\n```json\n{target}\n```\n其中 {quoted} 是映射"),
        format!("目标:\n{target}\n\n源:\n\n{bare}\n\n完"),
    ] {
        let d = one(&text);
        assert_eq!(d.plan["source"]["connector"], "jst", "{text}");
        let source = &d.plan["source"]["metadata"];
        assert_eq!(
            source.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["api", "method", "number", "id", "request"]
        );
        assert_eq!(source["request"], serde_json::from_str::<Value>(&format!("[{item}]")).unwrap());
        assert_eq!(d.plan["target"]["metadata"], serde_json::from_str::<Value>(target).unwrap());
        assert_eq!(d.sides, [Side::Source, Side::Target]);
        assert!(d.repairs.iter().any(|r| r.kind == Kind::Fragment), "{:?}", d.repairs);
    }
}

/// A path that no catalogue has still tells whose it is, where only one platform's begin so; before what is merely named.
#[test]
fn paths_of_a_family_and_without_their_first_slash_tell_the_platform() {
    let mut options = options();
    let api = |platform: &str, path: &str| heliu_import::Interface {
        platform: platform.into(),
        path: path.into(),
        id: Some("id".into()),
        ..heliu_import::Interface::default()
    };
    options.known.interfaces.extend([
        api("yonyou", "/yonbip/scm/purchaseorder/list"),
        api("dingtalk", "/topapi/processinstance/listids"),
        api("kuaimai", "erp.trade.list.query"),
        api("jushuitan", "/open/jushuitan/orders/upload"),
        api("okki", "/v1/product/list"),
    ]);
    for (path, connector) in [
        ("topapi/processinstance/listids", "dingtalk"),
        ("/yonbip/sd/voucherorder/list", "yonyou"),
        ("yonbip/sd/voucherorder/list", "yonyou"),
        ("topapi/smartwork/hrm/employee/queryonjob", "dingtalk"),
        ("erp.trade.outstock.simple.query", "kuaimai"),
        ("/open/jushuitan/itemsku/upload", "jst"),
        // Anybody's may begin so.
        ("/v1/orders/list", "source"),
        ("/open/orders/list", "source"),
        ("/erp/sc/data/orders", "source"),
        ("gy.erp.trade.get", "source"),
    ] {
        let text =
            json!({"api": path, "id": "id", "number": "id", "pagination": {"pageSize": 1}}).to_string();
        let d = read_text(text.as_bytes(), &options).unwrap().remove(0);
        assert_eq!(d.plan["source"]["connector"], connector, "{path}");
    }
}
