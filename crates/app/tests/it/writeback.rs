//! What a success leaves behind (dialect §6.8): `primaryWriteback` with the record, `callBackStrategy` for another plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::stub::{Reply, Seen, Stub};

const ORDERS: usize = 7;

struct World {
    p: Project,
    /// What the orders' fields `v` are.
    version: Arc<Mutex<usize>>,
    erp: Stub,
    _shop: Stub,
}

/// Orders of a shop into an ERP, whose reply names its own document; numbers and ids are passed on to plan `numbers`.
async fn world(callback: Value) -> World {
    let p = Project::new();
    let version = Arc::new(Mutex::new(1));
    let shown = version.clone();
    let shop = Stub::new(move |_| {
        let v = *shown.lock().unwrap();
        let order = |i: usize| json!({"id": format!("S{i}"), "so": format!("SO-{i}"), "v": v, "sum": format!("{i}.10")});
        Reply::json(&json!((1..=ORDERS).map(order).collect::<Vec<_>>()))
    })
    .await;
    let erp = Stub::new(|s: &Seen| {
        let (so, v) = (s.json()["no"].as_str().unwrap().to_owned(), s.json()["v"].clone());
        if so == "SO-4" {
            return Reply::json(&json!({"code": 7, "message": "no such customer"}));
        }
        Reply::json(&json!({"code": 0, "Id": 900_719_925_474_099_300_u64, "data": {"Number": format!("CG-{so}-{v}")}}))
    })
    .await;
    p.write("connectors/shop.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", shop.url));
    p.write("connectors/erp.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", erp.url));
    p.write("connectors/ledger.toml", "platform = \"轻易云集成平台\"\n");
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let mut target = json!({"api": "/save", "method": "POST",
        "request": [{"field": "no", "value": "{{so}}"}, {"field": "v", "value": "{{v}}"}],
        "response": [{"field": "primaryWriteback", "type": "object", "children": [
            {"field": "id", "value": "{{Id}}"}, {"field": "number", "value": "{{Number}}"}]}]});
    if !callback.is_null() {
        target["callBackStrategy"] = callback;
    }
    let plan = json!({"source": {"connector": "shop", "metadata": {"api": "/o", "method": "GET", "id": "id", "number": "so"}},
        "target": {"connector": "erp", "metadata": target}});
    p.plan("orders", &plan);
    World { p, version, erp, _shop: shop }
}

fn to_numbers() -> Value {
    json!({"strategyId": "numbers", "no": "{{so}}", "erp": "{{primaryWriteback.Number}}", "erp_id": "{{primaryWriteback.id}}"})
}

/// The plan that receives, and writes into a table.
fn receiver(p: &Project) {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch("CREATE TABLE IF NOT EXISTS numbers (no TEXT PRIMARY KEY, erp TEXT, erp_id TEXT)")
        .unwrap();
    p.plan(
        "numbers",
        &json!({"source": {"connector": "ledger", "metadata": {"api": "callback", "id": "no", "number": "no"}},
        "target": {"connector": "bi", "metadata": {"api": "batchexecute", "method": "SQL",
            "request": [{"field": "no", "value": "{{no}}"}, {"field": "erp", "value": "{{erp}}"}, {"field": "erp_id", "value": "{{erp_id}}"}],
            "otherRequest": [{"field": "main_sql", "value": "REPLACE INTO numbers (no, erp, erp_id) VALUES"}, {"field": "limit", "value": "100"}]}}}),
    );
}

fn table(p: &Project) -> BTreeMap<String, (String, String)> {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let mut q = db.prepare("SELECT no, erp, erp_id FROM numbers").unwrap();
    let rows = q.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What the ERP has answered, as the table has to show it.
fn truth(version: usize) -> BTreeMap<String, (String, String)> {
    let row =
        |i: usize| (format!("SO-{i}"), (format!("CG-SO-{i}-{version}"), "900719925474099300".to_owned()));
    (1..=ORDERS).filter(|i| *i != 4).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_kept_with_the_record_and_passed_on_once() {
    let w = world(to_numbers()).await;
    receiver(&w.p);
    w.p.run(&["check"]).await.exits(0);
    let run = w.p.run(&["run", "orders", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!((number(&run, "/target/written"), number(&run, "/target/failed")), (6, 1));
    let one = w.p.run(&["records", "orders", "--id", "S3", "--json"]).await.exits(0);
    assert!(
        one.out.contains(r#""primaryWriteback":{"id":900719925474099300,"number":"CG-SO-3-1"}"#),
        "{one:?}"
    );
    let refused = w.p.run(&["records", "orders", "--id", "S4", "--json"]).await.exits(0).json();
    assert_eq!((&refused["state"], &refused["primaryWriteback"]), (&json!("failed"), &Value::Null));
    let told = w.p.run(&["trace", "orders", "--id", "S3"]).await.exits(0);
    assert!(told.out.contains("CG-SO-3-1"), "{told:?}");

    let received = w.p.run(&["run", "numbers", "--json"]).await.exits(0).json();
    balances(&received);
    assert_eq!(number(&received, "/target/written"), 6);
    assert_eq!(table(&w.p), truth(1));
    let story = w.p.run(&["trace", "numbers", "--id", "SO-3", "--json"]).await.exits(0);
    assert!(story.out.contains("heliu:numbers"), "what came in is a call of the receiving plan: {story:?}");

    // Nothing changed: nothing is sent and nothing passed on. Written once more: known there.
    w.p.run(&["run", "orders"]).await.exits(1);
    w.p.run(&["retry", "orders", "--state", "written"]).await.exits(0);
    w.p.run(&["run", "orders"]).await.exits(1);
    let again = w.p.run(&["run", "numbers", "--json"]).await.exits(0).json();
    assert_eq!((number(&again, "/target/calls"), w.erp.calls()), (0, 13));
    // New content: a new document there, and a new version here.
    *w.version.lock().unwrap() = 2;
    let run = w.p.run(&["run", "orders", "--json"]).await.exits(1).json();
    assert_eq!(number(&run, "/target/written"), 6, "{run}");
    let changed = w.p.run(&["run", "numbers", "--json"]).await.exits(0).json();
    balances(&changed);
    assert_eq!(number(&changed, "/target/written"), 6);
    assert_eq!(table(&w.p), truth(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_plans_look_up_what_was_kept() {
    let w = world(Value::Null).await;
    w.p.run(&["run", "orders"]).await.exits(1);
    let erp = "_findCollection find primaryWriteback.number from orders where so={{so}} _endFind";
    w.p.plan(
        "after",
        &json!({"source": {"connector": "shop", "metadata": {"api": "/o", "method": "GET", "id": "id", "number": "so"}},
        "target": {"connector": "erp", "metadata": {"api": "/more", "method": "POST",
            "request": [{"field": "no", "value": erp}, {"field": "v", "value": "0"}]}}}),
    );
    w.p.run(&["run", "after"]).await.exits(0);
    let mut sent: Vec<String> =
        w.erp.log().iter().filter(|s| s.path == "/more").map(|s| s.json()["no"].to_string()).collect();
    sent.sort();
    let mut want: Vec<String> =
        truth(1).values().map(|(number, _)| format!("\"{number}\"")).chain(["\"\"".to_owned()]).collect();
    want.sort();
    assert_eq!(sent, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_receiver_records_are_written_and_it_is_said() {
    let w = world(to_numbers()).await;
    let found = w.p.run(&["check", "orders", "--json", "--lang", "en"]).await.exits(0).json();
    let finding = found["problems"].as_array().unwrap().iter().find(|p| p["code"] == "HL-1096");
    assert_eq!(finding.unwrap()["path"], "target.metadata.callBackStrategy.strategyId", "{found}");
    let run = w.p.run(&["run", "orders", "--json", "--lang", "en"]).await.exits(1).json();
    assert_eq!(number(&run, "/target/written"), 6);
    let said: Vec<&Value> =
        run["problems"].as_array().unwrap().iter().filter(|p| p["code"] == "HL-1091").collect();
    assert_eq!(said.len(), 1, "once for a run: {run}");
    assert!(said[0]["message"].as_str().unwrap().contains("not passed on"), "{run}");
    assert!(said[0]["hint"].as_str().unwrap().contains("retry"), "{run}");
    // The receiver comes later: what was written before is passed on, too.
    receiver(&w.p);
    w.p.run(&["retry", "orders", "--state", "written"]).await.exits(0);
    w.p.run(&["run", "orders"]).await.exits(1);
    w.p.run(&["run", "numbers"]).await.exits(0);
    assert_eq!(table(&w.p), truth(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_the_receiver_cannot_key_is_said_and_changes_nothing_for_the_sender() {
    let w = world(json!({"strategyId": "numbers", "erp": "{{primaryWriteback.number}}"})).await;
    receiver(&w.p);
    let run = w.p.run(&["run", "orders", "--json", "--lang", "en"]).await.exits(1).json();
    assert_eq!(number(&run, "/target/written"), 6);
    let said = run["problems"].to_string();
    assert!(said.contains("HL-5041") && said.contains("`numbers`"), "{said}");
    let received = w.p.run(&["run", "numbers", "--json"]).await.exits(0).json();
    assert_eq!(number(&received, "/target/written"), 0);
}

/// Content of a record that the plan `numbers` has received.
async fn received(p: &Project, id: &str) -> Value {
    let story = p.run(&["trace", "numbers", "--id", id, "--json"]).await.exits(0).lines();
    story.into_iter().find(|e| e["event"] == "version").unwrap()["content"].take()
}

/// Only what its condition lets through is passed on; keys that say how are no members of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_decides_what_is_passed_on() {
    let all = 6;
    let groups = json!([[{"field": "so", "logic": "egt", "value": "SO-5"}, {"field": "primaryWriteback.number", "logic": "like", "value": "CG-"}]]);
    for (condition, passed) in [
        (json!("{{primaryWriteback.number}} === 'CG-SO-3-1'"), 1),
        (json!("{{primaryWriteback.number}} !== 'CG-SO-3-1' && {{v}} == 1"), all - 1),
        (json!("{{primaryWriteback.status}} != null"), 0),
        (json!("{{primaryWriteback.number}} !== null || 1 = 0"), all),
        (json!("_function RIGHT({{so}}, 1) > 5"), 2),
        (groups, 3),
        (json!(false), 0),
        (json!(true), all),
    ] {
        let mut block = to_numbers();
        block["condition"] = condition.clone();
        block["needQuery"] = json!(true);
        block["idempotent"] = json!({"enabled": true, "keyField": "source_id", "expireTime": 86400});
        block["propagateError"] = json!("true");
        block["onFailure"] = json!("mark_source_failed");
        let w = world(block).await;
        receiver(&w.p);
        let found = w.p.run(&["check", "orders", "--json", "--lang", "en"]).await.exits(0).json();
        let of = |p: &Value| (p["code"].as_str().unwrap().to_owned(), p["path"].as_str().unwrap().to_owned());
        let said: Vec<_> = found["problems"].as_array().unwrap().iter().map(of).collect();
        let at = |key: &str| ("HL-1098".to_owned(), format!("target.metadata.callBackStrategy.{key}"));
        assert_eq!(
            said,
            [at("needQuery"), at("idempotent"), at("propagateError"), at("onFailure")],
            "{condition}"
        );
        let run = w.p.run(&["run", "orders", "--json"]).await.exits(1).json();
        assert_eq!(number(&run, "/target/written"), all, "{run}");
        assert_eq!(run["problems"], json!([]), "{condition}");
        w.p.run(&["run", "numbers"]).await.exits(0);
        assert_eq!(table(&w.p).len() as u64, passed, "{condition}");
        if passed == all {
            let mut members: Vec<String> =
                received(&w.p, "SO-3").await.as_object().unwrap().keys().cloned().collect();
            members.sort();
            assert_eq!(members, ["erp", "erp_id", "no"], "{condition}");
        }
    }
}

/// A member may be called as a key is; and a test that cannot be read is said before anything runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_named_like_a_key_is_one() {
    let mut block = to_numbers();
    block["condition"] = json!("{{sum}}");
    block["onFailure"] = json!("{{so}}");
    let w = world(block.clone()).await;
    receiver(&w.p);
    w.p.run(&["check"]).await.exits(0);
    w.p.run(&["run", "orders"]).await.exits(1);
    w.p.run(&["run", "numbers"]).await.exits(0);
    let content = received(&w.p, "SO-3").await;
    assert_eq!((&content["condition"], &content["onFailure"]), (&json!("3.10"), &json!("SO-3")), "{content}");
    block["condition"] = json!("{{v}} = = 1");
    let w = world(block).await;
    let found = w.p.run(&["check", "orders", "--json"]).await.exits(2).json();
    let problem = found["problems"].as_array().unwrap().iter().find(|p| p["code"] == "HL-2301");
    assert_eq!(problem.unwrap()["path"], "target.metadata.callBackStrategy.condition", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_op_target_passes_on_as_well() {
    let w = world(Value::Null).await;
    receiver(&w.p);
    w.p.plan(
        "lake",
        &json!({"source": {"connector": "shop", "metadata": {"api": "/o", "method": "GET", "id": "id", "number": "so"}},
        "target": {"connector": "ledger", "metadata": {"api": "写入空操作",
            "callBackStrategy": {"strategyId": "numbers", "no": "{{so}}", "erp": "{{sum}}", "erp_id": "_function CONCAT('#', {{v}})"}}}}),
    );
    w.p.run(&["run", "lake"]).await.exits(0);
    w.p.run(&["run", "numbers"]).await.exits(0);
    let want = (1..=ORDERS).map(|i| (format!("SO-{i}"), (format!("{i}.10"), "#1".to_owned()))).collect();
    assert_eq!(table(&w.p), want);
}

/// A plan that receives from others, and passes on to `to`.
fn relay(p: &Project, name: &str, to: Value, after: Value) {
    let mut target =
        json!({"api": "/save", "method": "POST", "request": [{"field": "no", "value": "{{no}}"}]});
    if !to.is_null() {
        target["callBackStrategy"] = json!({"strategyId": to, "no": "{{no}}"});
    }
    let mut plan = json!({"source": {"connector": "ledger", "metadata": {"api": "callback", "id": "no", "number": "no"}},
        "target": {"connector": "erp", "metadata": target}});
    if !after.is_null() {
        plan["after"] = after;
    }
    p.plan(name, &plan);
}

/// What is found about circles in a plan.
async fn circles(p: &Project, name: &str) -> Vec<String> {
    let a = p.run(&["check", name, "--json", "--lang", "en"]).await.exits(0).json();
    let list = a["problems"].as_array().unwrap().iter().filter(|x| x["code"] == "HL-1100");
    list.map(|x| {
        assert_eq!(
            (&x["severity"], &x["path"]),
            (&"warning".into(), &"target.metadata.callBackStrategy.strategyId".into())
        );
        x["message"].as_str().unwrap().rsplit(": ").next().unwrap().to_owned()
    })
    .collect()
}

#[tokio::test]
async fn plans_that_feed_each_other_are_named() {
    let p = Project::new();
    p.write("connectors/erp.toml", "platform = \"http\"\nbase_url = \"http://127.0.0.1:9\"\n");
    p.write("connectors/ledger.toml", "platform = \"heliu\"\n");
    // Two that pass on to each other; a third that passes on to one of them and is in no circle.
    relay(&p, "a", json!("b"), json!(null));
    relay(&p, "b", json!("a"), json!(null));
    relay(&p, "c", json!("a"), json!(null));
    assert_eq!(circles(&p, "a").await, ["a → b → a"]);
    assert_eq!(circles(&p, "b").await, ["b → a → b"]);
    assert_eq!(circles(&p, "c").await, Vec::<String>::new());
    // A chain is none.
    relay(&p, "b", json!("d"), json!(null));
    relay(&p, "d", json!(null), json!(null));
    assert_eq!(circles(&p, "a").await, Vec::<String>::new());
    // A longer one, of which one step is a trigger: d runs after b, and passes on to a.
    relay(&p, "b", json!(null), json!(null));
    relay(&p, "d", json!("a"), json!("b"));
    assert_eq!(circles(&p, "a").await, ["a → b → d → a"]);
    assert_eq!(circles(&p, "d").await, ["d → a → b → d"]);
    assert_eq!(circles(&p, "b").await, Vec::<String>::new());
    // Another reads what b has, instead of running after it.
    relay(&p, "d", json!(null), json!(null));
    p.plan(
        "e",
        &json!({"source": {"connector": "ledger", "metadata": {"api": "query", "method": "POST", "id": "no", "number": "no",
                "request": [{"field": "scheme_id", "value": "b"}, {"field": "begin_at", "value": "{{LAST_SYNC_TIME|datetime}}"},
                    {"field": "end_at", "value": "{{CURRENT_TIME|datetime}}"}]}},
            "target": {"connector": "erp", "metadata": {"api": "/save", "method": "POST",
                "request": [{"field": "no", "value": "{{no}}"}], "callBackStrategy": {"strategyId": "a", "no": "{{no}}"}}}}),
    );
    assert_eq!(circles(&p, "e").await, ["e → a → b → e"]);
    // A plan that names itself is told so, and nothing else.
    relay(&p, "a", json!("a"), json!(null));
    assert_eq!(circles(&p, "a").await, Vec::<String>::new());
}

/// Two plans that keep each other's numbers: a circle that ends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_ends_when_nothing_changes() {
    let p = Project::new();
    let erp = Stub::new(|_| Reply::json(&json!({"code": 0}))).await;
    p.write("connectors/erp.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", erp.url));
    p.write("connectors/ledger.toml", "platform = \"heliu\"\n");
    let shop = Stub::new(|_| Reply::json(&json!([{"no": "N1"}, {"no": "N2"}]))).await;
    p.write("connectors/shop.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", shop.url));
    p.plan(
        "first",
        &json!({"source": {"connector": "shop", "metadata": {"api": "/o", "method": "GET", "id": "no", "number": "no"}},
            "target": {"connector": "erp", "metadata": {"api": "/save", "method": "POST",
                "request": [{"field": "no", "value": "{{no}}"}], "callBackStrategy": {"strategyId": "a", "no": "{{no}}"}}}}),
    );
    relay(&p, "a", json!("b"), json!(null));
    relay(&p, "b", json!("a"), json!(null));
    p.run(&["run", "first"]).await.exits(0);
    let mut calls = Vec::new();
    for _ in 0..3 {
        for plan in ["a", "b"] {
            p.run(&["run", plan]).await.exits(0);
        }
        calls.push(erp.calls());
    }
    // Two records each for three plans, once.
    assert_eq!(calls, [6, 6, 6]);
}
