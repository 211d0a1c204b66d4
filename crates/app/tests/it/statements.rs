//! Acceptance statements of the dialect (§9) that need a whole run, word for word.

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::stub::{Reply, Seen, Stub};

/// Records `N1`, `N2` … with a blank `empty`, and a target whose metadata the test gives.
async fn project(n: usize, target: &Stub, metadata: Value) -> (Project, Stub) {
    let p = Project::new();
    let from = Stub::new(move |_| {
        let record = |i: usize| json!({"id": i, "no": format!("N{i}"), "only": if i == 2 { Value::Null } else { json!("x") }});
        Reply::json(&json!((1..=n).map(record).collect::<Vec<_>>()))
    })
    .await;
    p.write("connectors/from.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", from.url));
    p.write("connectors/to.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", target.url));
    p.write("connectors/lake.toml", "platform = \"轻易云集成平台\"\n");
    plan(&p, "to", metadata);
    (p, from)
}

fn plan(p: &Project, connector: &str, metadata: Value) {
    p.plan(
        "docs",
        &json!({"source": {"connector": "from", "metadata": {"api": "/d", "method": "GET", "id": "id", "number": "no"}},
            "target": {"connector": connector, "metadata": metadata}}),
    );
}

fn bodies(stub: &Stub) -> Vec<Value> {
    stub.log().iter().map(Seen::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a47_a_wrapper_without_operation_holds_a_list_of_one() {
    let to = Stub::new(|_| Reply::json(&json!({"code": 0}))).await;
    let metadata = json!({"api": "/w", "method": "POST", "operation": {"method": "none"},
        "request": [{"field": "no", "value": "{{no}}"}], "otherRequest": [{"field": "key", "value": "data"}]});
    let (p, _from) = project(2, &to, metadata).await;
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!((number(&run, "/target/calls"), number(&run, "/target/written")), (2, 2), "{run}");
    assert_eq!(bodies(&to), [json!({"data": [{"no": "N1"}]}), json!({"data": [{"no": "N2"}]})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a50_an_empty_request_fails_its_record_and_is_not_sent() {
    let to = Stub::new(|_| Reply::json(&json!({"code": 0}))).await;
    let metadata = json!({"api": "/w", "method": "POST", "request": [
        {"field": "only", "value": "{{only}}"},
        {"field": "o", "type": "object", "children": [{"field": "a", "value": "{{only}}"}]}]});
    let (p, _from) = project(3, &to, metadata).await;
    let run = p.run(&["run", "docs", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!((number(&run, "/target/written"), number(&run, "/target/failed")), (2, 1), "{run}");
    assert_eq!(bodies(&to), vec![json!({"only": "x", "o": {"a": "x"}}); 2], "nothing is sent for the second");
    let failed = p.run(&["records", "docs", "--state", "failed", "--json"]).await.exits(0).json();
    assert_eq!((&failed["id"], &failed["code"]), (&json!("2"), &json!("HL-2214")), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a51_both_spellings_of_the_no_op_write_nothing_and_finish_every_record() {
    let to = Stub::new(|_| Reply::json(&json!({"code": 0}))).await;
    for api in ["写入空操作", "空操作"] {
        let (p, _from) = project(3, &to, json!({})).await;
        plan(&p, "lake", json!({"api": api, "method": "POST", "idCheck": true}));
        let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
        balances(&run);
        let written = p.run(&["records", "docs", "--state", "written", "--json"]).await.exits(0).lines();
        assert_eq!(written.len(), 3, "{api}");
        assert!(written.iter().all(|r| r["response"].is_null()), "{api}: {written:?}");
        assert!(
            p.run(&["calls", "docs", "--json"]).await.exits(0).lines().iter().all(|c| c["kind"] == "fetch")
        );
    }
    assert_eq!(to.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a52_the_status_key_decides_and_a_refusal_keeps_its_words() {
    let to = Stub::new(|s: &Seen| match s.json()["no"].as_str() {
        Some("N1") => Reply::json(&json!({"code": 200})),
        Some("N2") => Reply::json(&json!({"code": "200"})),
        _ => Reply::json(&json!({"code": 500, "message": "库存不足"})),
    })
    .await;
    let metadata = json!({"api": "/w", "method": "POST", "request": [{"field": "no", "value": "{{no}}"}],
        "otherResponse": [{"field": "StatusKey", "value": "code"}, {"field": "StatusValue", "value": "200"}]});
    let (p, _from) = project(3, &to, metadata).await;
    let run = p.run(&["run", "docs", "--json"]).await.exits(1).json();
    assert_eq!((number(&run, "/target/written"), number(&run, "/target/failed")), (2, 1), "{run}");
    let failed = p.run(&["records", "docs", "--state", "failed", "--json"]).await.exits(0).json();
    assert_eq!(failed["id"], "3");
    assert!(failed["reason"].to_string().contains("库存不足"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a55_a_retry_renders_with_the_metadata_as_it_is_then() {
    let to = Stub::new(|s: &Seen| match s.json()["warehouse"].as_str() {
        Some(_) => Reply::json(&json!({"code": 0})),
        None => Reply::json(&json!({"code": 7, "message": "no warehouse"})),
    })
    .await;
    let items = json!([{"field": "no", "value": "{{no}}"}]);
    let (p, _from) = project(2, &to, json!({"api": "/w", "method": "POST", "request": items})).await;
    p.run(&["run", "docs"]).await.exits(1);
    // As it was it fails again, and only when it is asked for.
    p.run(&["run", "docs"]).await;
    assert_eq!(to.calls(), 2, "what failed waits for a person");
    let items = json!([{"field": "no", "value": "{{no}}"}, {"field": "warehouse", "value": "W-{{id}}"}]);
    plan(&p, "to", json!({"api": "/w", "method": "POST", "request": items}));
    p.run(&["retry", "docs"]).await.exits(0);
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!(number(&run, "/target/written"), 2, "{run}");
    assert_eq!(
        bodies(&to)[2..],
        [json!({"no": "N1", "warehouse": "W-1"}), json!({"no": "N2", "warehouse": "W-2"})]
    );
}
