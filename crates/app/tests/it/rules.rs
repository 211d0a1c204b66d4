//! Keys of a plan and what they change.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{Project, balances, number, sandbox};
use crate::http::{plan, project, rows};
use crate::sqlite::{noop, orders_source, sqlite_project, start};
use crate::stub::{Reply, Stub};

fn add(p: &Project, name: &str, keys: Value) {
    let file = p.path().join(format!("plans/{name}.json"));
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (k, v) in keys.as_object().unwrap() {
        plan[k] = v.clone();
    }
    std::fs::write(file, plan.to_string()).unwrap();
}

/// Documents that a test changes while they are served.
async fn changing(all: &[Value]) -> (Stub, Arc<Mutex<Vec<Value>>>) {
    let kept = Arc::new(Mutex::new(all.to_vec()));
    let served = kept.clone();
    (Stub::new(move |_| Reply::json(&json!(*served.lock().unwrap()))).await, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_content_is_written_again_unless_it_is_ignored() {
    let first = [json!({"id": 1, "title": "a", "sum": 1}), json!({"id": 2, "title": "b", "sum": 1})];
    for (on_change, changed, title) in [("update", 1, "A"), ("ignore", 0, "a")] {
        let (stub, docs) = changing(&first).await;
        let p = project(&stub.url, "");
        plan(&p, "docs", json!({}));
        add(&p, "docs", json!({"onChange": on_change}));
        p.run(&["run", "docs"]).await.exits(0);
        docs.lock().unwrap()[0]["title"] = "A".into();
        let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
        balances(&run);
        assert_eq!(
            (number(&run, "/records/changed"), number(&run, "/target/written")),
            (changed, changed),
            "{run}"
        );
        assert_eq!(number(&run, "/records/unchanged"), 2 - changed);
        assert_eq!(rows(&p)[&1].0, title);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_keys_white_space_and_ignored_paths_change_nothing_and_digits_do() {
    let text =
        Arc::new(Mutex::new(r#"[{"id":1,"title":"t","sum":1.50,"seen":{"at":1,"by":"x"}}]"#.to_owned()));
    let served = text.clone();
    let stub = Stub::new(move |_| Reply::text(200, &served.lock().unwrap())).await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({}));
    add(&p, "docs", json!({"hashIgnore": ["seen.at"]}));
    p.run(&["run", "docs"]).await.exits(0);
    for (body, changed) in [
        ("[ {\"seen\": {\"by\":\"x\", \"at\": 2}, \"sum\":1.50,\n \"title\":\"\\u0074\",\"id\":1} ]", 0),
        (r#"[{"id":1,"title":"t","sum":1.5,"seen":{"at":3,"by":"x"}}]"#, 1),
        (r#"[{"id":1,"title":"t","sum":1.5,"seen":{"at":3,"by":"y"}}]"#, 1),
    ] {
        *text.lock().unwrap() = body.to_owned();
        let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
        assert_eq!(number(&run, "/records/changed"), changed, "{body}: {run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_records_are_written_again_where_the_source_says_so() {
    let (stub, _) = changing(&[json!({"id": 1, "title": "a", "sum": 1})]).await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({"idCheck": false}));
    for written in [1, 1, 1] {
        let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
        assert_eq!(number(&run, "/target/written"), written, "{run}");
    }
    let check = p.run(&["check", "docs", "--json"]).await.exits(0).json();
    assert!(check["problems"].to_string().contains("idCheck"), "{check}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_filter_and_a_known_record_keeps_what_it_has() {
    let (stub, docs) = changing(&[
        json!({"id": 1, "title": "keep", "sum": 1}),
        json!({"id": 2, "title": "drop", "sum": 1}),
        json!({"id": 3, "title": "keep", "sum": 1}),
    ])
    .await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({"condition": [[{"field": "title", "logic": "eq", "value": "keep"}]]}));
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!((number(&run, "/records/filtered"), number(&run, "/target/written")), (1, 2));
    let one = p.run(&["records", "docs", "--state", "filtered", "--json"]).await.exits(0).json();
    assert!(one["id"] == "2" && one["reason"].is_string(), "{one}");
    docs.lock().unwrap()[0]["title"] = "drop".into();
    docs.lock().unwrap()[1]["title"] = "keep".into();
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!((number(&run, "/records/filtered"), number(&run, "/records/new")), (1, 1), "{run}");
    assert_eq!(rows(&p).values().map(|r| r.0.as_str()).collect::<Vec<_>>(), ["keep", "keep", "keep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_statement_and_passes_of_a_walk_are_the_plans_choice() {
    let all: Vec<Value> = (1..=40).map(|i| json!({"id": i, "title": "x", "sum": i})).collect();
    let stub = Stub::new(move |s| {
        let from = (s.number("page", 1) - 1) * 10;
        Reply::json(&json!(all.iter().skip(from).take(10).collect::<Vec<_>>()))
    })
    .await;
    let p = project(&stub.url, "");
    plan(
        &p,
        "docs",
        json!({"pagination": {"pageSize": 10}, "request": [{"field": "page", "value": "{PAGINATION_START_PAGE}"}]}),
    );
    add(&p, "docs", json!({"verify": "off", "batchSize": 4}));
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&run);
    // Four full pages and the empty one that ends them, once.
    assert_eq!((number(&run, "/source/calls"), number(&run, "/source/returned")), (5, 40), "{run}");
    assert!(number(&run, "/target/calls") >= 10, "{run}");
    let calls = p.run(&["calls", "docs", "--json"]).await.exits(0).lines();
    assert!(calls.iter().filter(|c| c["kind"] == "write").all(|c| c["rows"].as_u64().unwrap() <= 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_nothing_mends_end_at_once_with_the_platforms_words() {
    for (code, words) in [(10, "app_secret"), (110, "white list"), (130, "parameter"), (190, "permission")] {
        let sandbox = sandbox(60, &format!("code-{code}@1-")).await;
        let p = sqlite_project(&sandbox);
        p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": noop()}));
        let a = p.run(&["run", "orders", "--json"]).await.exits(3).json();
        assert_eq!(a["error"]["vendor_code"], code.to_string().as_str(), "{a}");
        assert!(a["error"]["message"].as_str().unwrap().contains(words), "{a}");
        assert_eq!(sandbox.calls(), 1, "{code}");
        let zh = p.run(&["run", "orders", "--lang", "zh"]).await.exits(3);
        assert!(zh.err.contains(&format!("平台返回代码 {code}")), "{}", zh.err);
    }
}

/// The longest that anybody waits for a source that is silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_source_ends_the_run_within_its_patience() {
    let sandbox = sandbox(60, "hang@1-").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": noop()}));
    let a = p.run(&["run", "orders", "--json"]).await.exits(3).json();
    let seconds = a["seconds"].as_f64().unwrap();
    assert!((20.0..45.0).contains(&seconds), "{a}");
    assert!(
        a["error"]["code"].as_str().unwrap().starts_with("HL-3") || a["error"]["code"] == "HL-7004",
        "{a}"
    );
}

/// Rule L14: a lookup to a plan without records finds nothing; the record is written, and the run says so once.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_to_an_unknown_plan_finds_nothing_and_is_said_once() {
    let docs: Vec<Value> = (0..7).map(|n| json!({"id": n, "title": format!("t{n}"), "dept": "D1"})).collect();
    let stub = Stub::new(move |seen| match seen.path.as_str() {
        "/take" => Reply::json(&json!({"code": 0})),
        _ => Reply::json(&json!(docs)),
    })
    .await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({}));
    let find = "_findCollection find FNumber from 5f0c2f7e-3a51-4a54-8d0e-6c8d3b1f0a77 where FName={{dept}}";
    let or = |other: &str| format!("_function IFNULL({find} _endFind, '{other}')");
    let row = json!({"connector": "bi", "metadata": {"api": "batchexecute", "request": [
        {"field": "id", "value": "{{id}}"}, {"field": "title", "value": find}, {"field": "sum", "value": or("none")}],
        "otherRequest": [{"field": "main_sql", "value": "REPLACE INTO docs (id, title, sum) VALUES"}]}});
    add(&p, "docs", json!({"target": row}));
    let said = |run: &Value| -> Vec<String> {
        let list = run["problems"].as_array().unwrap();
        list.iter()
            .map(|p| format!("{} {}", p["code"].as_str().unwrap(), p["severity"].as_str().unwrap()))
            .collect()
    };
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!((number(&run, "/target/written"), number(&run, "/target/failed")), (7, 0), "{run}");
    assert_eq!(said(&run), ["HL-2216 warning"], "{run}");
    assert!(run["problems"][0].to_string().contains("5f0c2f7e-3a51-4a54-8d0e-6c8d3b1f0a77"), "{run}");
    let got: Vec<(String, String)> = rows(&p).into_values().collect();
    assert_eq!(got, vec![(String::new(), "none".to_owned()); 7]);
    // Nothing was rendered, and nothing is said.
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!(said(&run), [""; 0], "{run}");

    let body = json!({"connector": "api", "metadata": {"api": "/take", "method": "POST", "request": [
        {"field": "no", "value": "{{title}}"}, {"field": "dept", "value": or("-")}, {"field": "none", "value": find}]}});
    plan(&p, "bodies", json!({}));
    add(&p, "bodies", json!({"target": body}));
    let run = p.run(&["run", "bodies", "--json"]).await.exits(0).json();
    assert_eq!(
        (number(&run, "/target/written"), said(&run)),
        (7, vec!["HL-2216 warning".to_owned()]),
        "{run}"
    );
    let sent: Vec<Value> =
        stub.log().iter().filter(|s| s.path == "/take").map(crate::stub::Seen::json).collect();
    assert!(sent.contains(&json!({"no": "t3", "dept": "-", "none": ""})), "{sent:?}");
    let shown = p.run(&["preview", "bodies", "--key", "3", "--json"]).await.exits(0).json();
    assert!(shown["target"][0]["body"].as_str().is_some_and(|b| b.contains(r#""dept":"-""#)), "{shown}");
    assert_eq!(
        (shown["warnings"].as_array().map(Vec::len), shown["errors"].as_array().map(Vec::len)),
        (Some(1), Some(0))
    );
}

/// A08: what the source's records have shown is listed once, behind what the plan lists itself.
#[tokio::test(flavor = "multi_thread")]
async fn a08_fields_that_replies_have_shown_are_listed_and_no_data_changes() {
    let (stub, docs) = changing(&[json!({"id": 1, "title": "a", "sum": 1.5, "memo": null})]).await;
    let p = project(&stub.url, "");
    plan(
        &p,
        "docs",
        json!({"autoFillResponse": true, "response": [{"field": "id", "label": "编号", "type": "string"}]}),
    );
    let response = async || -> Vec<(String, String, bool)> {
        let shown = p.run(&["preview", "docs", "--json"]).await.exits(0).json();
        let list = shown["response"].as_array().unwrap().clone();
        let text = |i: &Value, k: &str| i[k].as_str().unwrap_or("").to_owned();
        list.iter()
            .map(|i| (text(i, "field"), text(i, "type"), text(i, "describe") == "_autoFillResponse"))
            .collect()
    };
    let entry = |field: &str, ty: &str, learned| (field.to_owned(), ty.to_owned(), learned);
    let own = entry("id", "string", false);
    assert_eq!(response().await, std::slice::from_ref(&own));
    p.run(&["run", "docs"]).await.exits(0);
    let first =
        [own, entry("title", "string", true), entry("sum", "float", true), entry("memo", "string", true)];
    assert_eq!(response().await, first);
    // A second run lists nothing twice; a field that is new, or is no longer null, tells its type.
    p.run(&["run", "docs"]).await.exits(0);
    assert_eq!(response().await, first);
    docs.lock().unwrap().push(json!({"id": 2, "title": "b", "sum": 2, "memo": {"x": 1}, "rows": []}));
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!((number(&run, "/records/new"), number(&run, "/records/changed")), (1, 0), "{run}");
    let all = response().await;
    assert!(
        all.contains(&entry("memo", "object", true)) && all.contains(&entry("rows", "array", true)),
        "{all:?}"
    );
    assert_eq!(all.len(), 5);
    let words = p.run(&["preview", "docs"]).await.exits(0).out;
    assert!(words.contains("rows  array  _autoFillResponse"), "{words}");
    // Without the key nothing is listed.
    plan(&p, "plain", json!({}));
    assert!(p.run(&["preview", "plain", "--json"]).await.exits(0).json()["response"].is_null());
}
