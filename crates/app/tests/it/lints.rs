//! `check` as a consultant: one plan per finding, each with the code, the place and the character it must name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::Project;

const JST: &str = "platform = \"jushuitan\"\n[credentials]\napp_key = \"k\"\napp_secret = \"s\"\naccess_token = \"t\"\nrefresh_token = \"r\"\n";

fn database(p: &Project) {
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch("CREATE TABLE t (io_id INTEGER PRIMARY KEY, so_id TEXT)").unwrap();
}

fn items(list: &[(&str, &str)]) -> Value {
    list.iter().map(|(f, v)| json!({"field": f, "type": "string", "value": v})).collect()
}

/// Outbound orders into a table; nothing to find fault with.
fn clean() -> Value {
    json!({
        "start": "2024-01-01 00:00:00",
        "source": {"connector": "jst", "metadata": {
            "api": "/open/orders/out/simple/query", "method": "POST", "id": "io_id", "number": "so_id",
            "pagination": {"pageSize": 50},
            "request": items(&[("modified_begin", "{{LAST_SYNC_TIME|datetime}}"), ("modified_end", "{{CURRENT_TIME|datetime}}"),
                ("page_index", "{PAGINATION_START_PAGE}"), ("page_size", "{PAGINATION_PAGE_SIZE}")])}},
        "target": {"connector": "bi", "metadata": {
            "api": "batchexecute", "effect": "EXECUTE", "method": "POST",
            "request": items(&[("io_id", "{io_id}"), ("so_id", "{{so_id}}")]),
            "otherRequest": items(&[("main_sql", "REPLACE INTO t (io_id, so_id) VALUES")])}}
    })
}

/// The clean plan with one value changed.
fn with(path: &str, v: Value) -> Value {
    let mut plan = clean();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let place = plan.pointer_mut(parent).unwrap_or_else(|| panic!("{path}"));
    match place {
        Value::Array(list) if key == "-" => list.push(v),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = v,
        Value::Object(map) => {
            map.insert(key.into(), v);
        }
        _ => panic!("{path}"),
    }
    plan
}

/// Plans, the code that each must get, the path, and the position in the expression.
fn cases() -> Vec<(&'static str, Value, &'static str, &'static str, Option<usize>)> {
    let src = |field: &str, value: &str| {
        let at = match field {
            "modified_begin" => 0,
            _ => 1,
        };
        with(&format!("/source/metadata/request/{at}/value"), json!(value))
    };
    let out = |value: &str| with("/target/metadata/request/1/value", json!(value));
    let value = "target.metadata.request[1].value";
    let begin = "source.metadata.request[0].value";
    let end = "source.metadata.request[1].value";
    let mut lookback = clean();
    lookback["lookback"] = json!("0s");
    let mut order = clean();
    order["target"]["metadata"]["otherRequest"][0]["value"] =
        json!("REPLACE INTO t (`so_id`, `io_id`) VALUES");
    let mut split = with("/source/metadata/operation", json!({"method": "splitArray", "arrayKey": "items"}));
    split["source"]["metadata"]["id"] = json!("io_id");
    vec![
        (
            "naive_begin",
            src("modified_begin", "_function FROM_UNIXTIME({{CURRENT_TIME}} - 3600, '%Y-%m-%d %H:%i:%s')"),
            "HL-1070",
            begin,
            None,
        ),
        ("days_ago", src("modified_begin", "{{DAYS_AGO_1|datetime}}"), "HL-1070", begin, None),
        ("fixed_begin", src("modified_begin", "2024-01-01 00:00:00"), "HL-1071", begin, None),
        ("fixed_end", src("modified_end", "2030-01-01 00:00:00"), "HL-1072", end, None),
        (
            "end_by_begin",
            src("modified_end", "_function FROM_UNIXTIME({{LAST_SYNC_TIME}} + 3600, '%Y-%m-%d %H:%i:%s')"),
            "HL-1072",
            end,
            None,
        ),
        ("no_overlap", lookback, "HL-1073", "lookback", None),
        ("long_window", with("/window", json!("30d")), "HL-1074", "window", None),
        (
            "long_offset",
            src(
                "modified_begin",
                "_function FROM_UNIXTIME({{LAST_SYNC_TIME}} - 864000, '%Y-%m-%d %H:%i:%s')",
            ),
            "HL-1074",
            begin,
            None,
        ),
        (
            "swapped",
            src(
                "modified_begin",
                "_function FROM_UNIXTIME({{LAST_SYNC_TIME}} + 864000, '%Y-%m-%d %H:%i:%s')",
            ),
            "HL-1075",
            end,
            None,
        ),
        (
            "id_check",
            with("/source/metadata/idCheck", json!(true)),
            "HL-1076",
            "source.metadata.idCheck",
            None,
        ),
        (
            "milliseconds",
            src(
                "modified_begin",
                "_function FROM_UNIXTIME({{LAST_SYNC_TIME}} - 600000, '%Y-%m-%d %H:%i:%s')",
            ),
            "HL-1077",
            begin,
            Some(45),
        ),
        ("field", out("{{so_idd}}"), "HL-1078", value, Some(2)),
        (
            "field_in_function",
            out("_function CONCAT('{{so_id}}', '{{shop_nmae}}')"),
            "HL-1078",
            value,
            Some(33),
        ),
        (
            "lookup",
            out("_findCollection find a from 11111111-1111-1111-1111-111111111111 where b={{so_id}}"),
            "HL-1079",
            value,
            Some(28),
        ),
        (
            "mongo",
            out("_mongoQuery nowhere findField=content.a where={\"content.b\":\"{{so_id}}\"}"),
            "HL-1079",
            value,
            Some(12),
        ),
        (
            "map",
            with("/target/metadata/request/1/mapping", json!({"target": "shops"})),
            "HL-1080",
            "target.metadata.request[1].mapping.target",
            None,
        ),
        (
            "minutes",
            with(
                "/source/metadata/formatResponse",
                json!([{"old": "created", "new": "c", "format": "dateTime"}]),
            ),
            "HL-1081",
            "source.metadata.formatResponse[0].format",
            None,
        ),
        (
            "twice",
            with("/source/metadata/request/-", json!({"field": "page_size", "value": "50"})),
            "HL-1082",
            "source.metadata.request[4].field",
            None,
        ),
        (
            "no_value",
            with("/source/metadata/request/-", json!({"field": "shop_id", "is_required": true})),
            "HL-1083",
            "source.metadata.request[4]",
            None,
        ),
        ("brace", out("单号{so_id}"), "HL-1084", value, Some(2)),
        ("inner_brace", out("_function IF({o_id}=1,'{so_id}','no {so_id}')"), "HL-1084", value, Some(36)),
        // Only between two braces there are formats.
        ("brace_format", out("{created|date}"), "HL-1084", value, Some(0)),
        ("blank", out(" _function 1+1"), "HL-1085", value, Some(0)),
        (
            "end_find",
            out("_function IFNULL(_findCollection find a from brace where b={{so_id}}, 0)"),
            "HL-1086",
            value,
            Some(17),
        ),
        ("dollar", out("a${so_id}"), "HL-1087", value, Some(1)),
        ("order", order, "HL-1088", "target.metadata.otherRequest.main_sql", None),
        ("split", split, "HL-1089", "source.metadata.id", None),
        (
            "secret",
            with("/source/metadata/request/-", json!({"field": "refreshToken", "value": "c0ffee00c0ffee00"})),
            "HL-1090",
            "source.metadata.request[4].value",
            None,
        ),
        (
            "insert",
            with("/target/metadata/otherRequest/0/value", json!("INSERT INTO t (io_id, so_id) VALUES")),
            "HL-1061",
            "target.metadata.otherRequest.main_sql",
            None,
        ),
        ("o_id", with("/source/metadata/id", json!("o_id")), "HL-1037", "source.metadata.id", None),
        (
            "page",
            with("/source/metadata/pagination/pageSize", json!(100)),
            "HL-1036",
            "source.metadata.pagination.pageSize",
            None,
        ),
        (
            "page_item",
            with("/source/metadata/request/3/value", json!("100")),
            "HL-1036",
            "source.metadata.request[3].value",
            None,
        ),
        (
            "columns",
            with("/target/metadata/request/-", json!({"field": "x", "value": "1"})),
            "HL-5003",
            "target.metadata.otherRequest.main_sql",
            None,
        ),
        (
            "statement",
            with("/target/metadata/otherRequest", json!([])),
            "HL-5001",
            "target.metadata.otherRequest.main_sql",
            None,
        ),
        ("function", out("_function CONCTA('{{so_id}}')"), "HL-2302", value, Some(10)),
        ("syntax", out("_function 1 + * 2"), "HL-2301", value, Some(14)),
        ("pipe", out("单{{so_id|datetme}}"), "HL-2110", value, Some(9)),
        (
            "parser",
            with("/target/metadata/request/1/parser", json!({"name": "StringToArry"})),
            "HL-2120",
            "target.metadata.request[1].parser",
            None,
        ),
        (
            "format",
            with("/source/metadata/formatResponse", json!([{"old": "created", "new": "c", "format": "dat"}])),
            "HL-2131",
            "source.metadata.formatResponse[0].format",
            None,
        ),
        (
            "logic",
            with("/source/metadata/condition", json!([[{"field": "status", "logic": "equ", "value": "x"}]])),
            "HL-2141",
            "source.metadata.condition[0][0].logic",
            None,
        ),
        (
            "callback",
            with("/target/metadata/callBackStrategy", json!({"strategyId": "x", "no": "{{so_id}}"})),
            "HL-1096",
            "target.metadata.callBackStrategy.strategyId",
            None,
        ),
        (
            "idle",
            with("/target/metadata/distributionOrg", json!("100016,100017")),
            "HL-1098",
            "target.metadata.distributionOrg",
            None,
        ),
        (
            "reply",
            with(
                "/target/metadata/response",
                json!([{"field": "primaryWriteback", "type": "object", "children": [
                    {"field": "why", "value": "{{_response.error.message}}"}]}]),
            ),
            "HL-1099",
            "target.metadata.response[0].children[0].value",
            Some(0),
        ),
        ("variable", src("modified_begin", "{{LAST_SYNC_TIM|datetime}}"), "HL-2101", begin, Some(2)),
    ]
}

#[tokio::test]
async fn every_finding_has_code_place_and_position() {
    let p = Project::new();
    p.write("connectors/jst.toml", JST);
    database(&p);
    p.plan("clean", &clean());
    for (name, plan, ..) in cases() {
        p.plan(name, &plan);
    }
    let a = p.run(&["check", "--json", "--lang", "en"]).await.exits(2).json();
    let mut found: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for problem in a["problems"].as_array().unwrap() {
        let file = problem["file"].as_str().unwrap().to_owned();
        found.entry(file).or_default().push(problem);
        for key in ["code", "severity", "message"] {
            assert!(!problem[key].as_str().unwrap().is_empty(), "{problem}");
        }
    }
    assert_eq!(found.get("plans/clean.json"), None);
    for (name, _, code, path, position) in cases() {
        let list =
            found.get(&format!("plans/{name}.json")).unwrap_or_else(|| panic!("{name}: nothing found"));
        let hit = list.iter().find(|x| x["code"] == code && x["path"] == path);
        let hit = hit.unwrap_or_else(|| panic!("{name}: {list:#?}"));
        assert_eq!(hit["position"].as_u64().map(|n| n as usize), position, "{name}: {hit}");
        // What is found besides is a consequence, never something else about a plan with one fault.
        assert!(list.len() <= 3, "{name}: {list:#?}");
    }
    // Warnings alone are no failure; a person sees the expression with a mark.
    p.run(&["check", "clean"]).await.exits(0);
    let words = p.run(&["check", "brace", "--lang", "zh"]).await.exits(0).out;
    assert!(words.contains("      单号{so_id}\n          ^\n") && words.contains("警告 HL-1084"), "{words}");
    let words = p.run(&["check", "syntax", "--lang", "en"]).await.exits(2).out;
    assert!(words.contains("      _function 1 + * 2\n                    ^"), "{words}");
}

/// What looks like a finding and is none.
#[tokio::test]
async fn what_is_right_is_left_alone() {
    let p = Project::new();
    p.write("connectors/jst.toml", JST);
    database(&p);
    p.write("maps/shops.csv", "a,b\n1,2\n");
    let mut fine = Vec::new();
    for value in [
        "{so_id}",
        "{{so_id}}",
        "{\"a\":\"{{so_id}}\"}",
        "0101",
        "_function CONCAT('{{so_id}}', '-', '{{items.0.sku_id}}')",
        "_function SUM({{items.qty}})",
        "_function ({{CURRENT_TIME}}-5184000)",
        "_function case _findCollection find a from fine0 where b={{so_id}} _endFind when '1' then 1 else 0 end",
        "{{receiver_city}}{{receiver_district}}",
    ] {
        fine.push(with("/target/metadata/request/1/value", json!(value)));
    }
    fine.push(with("/target/metadata/request/1/mapping", json!({"target": "shops"})));
    let mut overlap = with(
        "/source/metadata/request/0/value",
        json!("_function FROM_UNIXTIME({{LAST_SYNC_TIME}} - 600, '%Y-%m-%d %H:%i:%s')"),
    );
    overlap["window"] = json!("6d");
    fine.push(overlap);
    let mut rows = clean();
    rows["target"]["metadata"]["request"] = json!([
        {"field": "io_id", "value": "{io_id}"},
        {"field": "so_id", "type": "array", "value": "items", "children": [
            {"field": "sku", "value": "{{items.sku_id}}"}, {"field": "qty", "value": "{{qty}}"}, {"field": "shop", "value": "{{shop_id}}"}]}]);
    fine.push(rows);
    for (n, plan) in fine.iter().enumerate() {
        p.plan(&format!("fine{n}"), plan);
    }
    let a = p.run(&["check", "--json"]).await.exits(0).json();
    assert_eq!(a["problems"], json!([]));
}

/// `preview` shows each field's way for one record, and goes on past a field that fails.
#[tokio::test]
async fn preview_shows_every_field_on_its_way() {
    let p = Project::new();
    p.write("connectors/jst.toml", JST);
    database(&p);
    let mut plan = clean();
    plan["target"]["metadata"]["request"] = json!([
        {"field": "io_id", "type": "int", "value": "{io_id}"},
        {"field": "so_id", "value": "单 {{so_id}}", "parser": {"name": "StringToArray", "params": "-"}}]);
    p.plan("one", &plan);
    plan["target"]["metadata"]["request"][1] = json!({"field": "so_id", "value": "_function 1 / {{zero}}"});
    p.plan("fails", &plan);
    let record = p.write("r.json", r#"{"io_id":"7","so_id":"A-1","zero":0}"#);
    let record = record.to_str().unwrap();
    let a = p.run(&["preview", "one", "--record", record, "--json"]).await.exits(0).json();
    // Behind them comes the statement, which is a field of the system parameters.
    let fields = Value::Array(a["fields"].as_array().unwrap()[..2].to_vec());
    assert_eq!(
        fields,
        json!([
            {"record": "7", "field": "io_id", "path": "request[0]", "expression": "{io_id}", "source": {"io_id": "7"},
             "value": "7", "cast": 7, "result": 7, "sent": true},
            {"record": "7", "field": "so_id", "path": "request[1]", "expression": "单 {{so_id}}", "source": {"so_id": "A-1"},
             "value": "单 A-1", "parser": ["单 A", "1"], "result": ["单 A", "1"], "sent": true}])
    );
    assert_eq!(a["errors"], json!([]));
    assert_eq!(a["target"].as_array().unwrap().len(), 1);
    let words = p.run(&["preview", "one", "--record", record, "--lang", "en"]).await.exits(0).out;
    assert!(words.contains("value \"单 A-1\" → parser [\"单 A\",\"1\"]"), "{words}");
    // A value map of the project is used, and shown as a step of its own.
    p.write("maps/nos.csv", "A-1,10001\n");
    plan["target"]["metadata"]["request"][1] =
        json!({"field": "so_id", "value": "{{so_id}}", "mapping": {"target": "nos"}});
    p.plan("mapped", &plan);
    let a = p.run(&["preview", "mapped", "--record", record, "--json"]).await.exits(0).json();
    assert_eq!((&a["fields"][1]["mapping"], &a["fields"][1]["result"]), (&json!("10001"), &json!("10001")));
    let a = p.run(&["preview", "fails", "--record", record, "--json"]).await.exits(1).json();
    assert_eq!(a["fields"][0]["result"], 7);
    assert_eq!(a["fields"][1]["error"]["code"], "HL-2310");
    assert_eq!((&a["errors"][0]["record"], &a["target"]), (&json!("7"), &json!([])));
}
