//! Targets that put several records together (dialect §6.2, §6.3): what a run sends, and what becomes of the members.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::stub::{Reply, Seen, Stub};

/// A project whose source has these rows, two a page; pages from `broken` on fail.
async fn source(p: &Project, rows: Vec<Value>, broken: Arc<AtomicUsize>) -> Stub {
    let stub = Stub::new(move |seen: &Seen| {
        let page = seen.json()["page"].as_u64().unwrap_or(1) as usize;
        if page >= broken.load(Ordering::SeqCst) {
            return Reply::json(&json!({"code": 400, "message": "not today"}));
        }
        let part: Vec<&Value> = rows.iter().skip((page - 1) * 2).take(2).collect();
        Reply::json(&json!({"code": 0, "rows": part, "total": rows.len()}))
    })
    .await;
    p.write("connectors/from.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", stub.url));
    stub
}

fn plan(p: &Project, how: Value) {
    let mut target = json!({"api": "/w", "method": "POST", "request": [
        {"field": "no", "value": "{{no}}"},
        {"field": "goods", "type": "array", "value": "list", "children": [
            {"field": "sku", "value": "{{list.sku}}"}, {"field": "n", "type": "float", "value": "{{list.q}}"}]}]});
    for (k, v) in how.as_object().unwrap() {
        target[k] = v.clone();
    }
    p.plan(
        "bills",
        &json!({"retries": 0,
            "source": {"connector": "from", "metadata": {"api": "/q", "method": "POST", "id": "id", "number": "no",
                "pagination": {"pageSize": 2}, "request": [{"field": "page", "value": "{PAGINATION_START_PAGE}"}]}},
            "target": {"connector": "to", "metadata": target}}),
    );
}

async fn target(p: &Project, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Stub {
    let to = Stub::new(answer).await;
    p.write("connectors/to.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", to.url));
    to
}

fn row(id: usize, no: &str, sku: &str, q: &str) -> Value {
    json!({"id": id, "no": no, "sku": sku, "q": q})
}

fn never() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(usize::MAX))
}

fn sent(to: &Stub) -> Vec<Value> {
    to.log().iter().map(Seen::json).collect()
}

const MERGE: &str = r#"{"operation":{"method":"merge","field":"no","bodyName":"list"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn merged_records_are_one_write_and_share_its_outcome() {
    let p = Project::new();
    // Members of A come with different pages.
    let rows =
        vec![row(1, "A", "1", "2"), row(2, "B", "1", "9"), row(3, "A", "2", "3"), row(4, "C", "7", "1")];
    let _from = source(&p, rows, never()).await;
    let refuses = Arc::new(AtomicUsize::new(1));
    let asked = refuses.clone();
    let to = target(&p, move |seen| {
        let no = seen.json()["no"].as_str().unwrap_or_default().to_owned();
        if no == "A" && asked.load(Ordering::SeqCst) == 1 {
            return Reply::json(&json!({"code": 500, "message": "no such customer"}));
        }
        Reply::json(&json!({"code": 0, "id": format!("T-{no}")}))
    })
    .await;
    plan(&p, serde_json::from_str(MERGE).unwrap());
    let run = p.run(&["run", "bills", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!((number(&run, "/target/calls"), number(&run, "/target/written")), (3, 2), "V-O01 {run}");
    assert_eq!(number(&run, "/target/failed"), 2, "both members of A: {run}");
    let goods =
        |list: &[(&str, f64)]| -> Value { list.iter().map(|(s, n)| json!({"sku": s, "n": n})).collect() };
    let first = sent(&to);
    assert_eq!(first.len(), 3);
    let of = |no: &str| first.iter().find(|b| b["no"] == no).unwrap()["goods"].to_string();
    let wanted = |list: &[(&str, f64)]| goods(list).to_string().replace(".0", "");
    assert_eq!(of("A"), wanted(&[("1", 2.0), ("2", 3.0)]), "V-O01");
    assert_eq!((of("B"), of("C")), (wanted(&[("1", 9.0)]), wanted(&[("7", 1.0)])));
    let states = p.run(&["records", "bills", "--json"]).await.exits(0).lines();
    let state =
        |id: &str| states.iter().find(|r| r["id"] == id).unwrap()["state"].as_str().unwrap().to_owned();
    assert_eq!(["1", "2", "3", "4"].map(state), ["failed", "written", "failed", "written"]);
    // Once the cause is gone, both go out together again.
    refuses.store(0, Ordering::SeqCst);
    p.run(&["retry", "bills", "--state", "failed"]).await.exits(0);
    let run = p.run(&["run", "bills", "--target-only", "--json"]).await.exits(0).json();
    assert_eq!((number(&run, "/target/calls"), number(&run, "/target/written")), (1, 2), "{run}");
    assert_eq!(sent(&to).last().unwrap()["goods"].as_array().unwrap().len(), 2);
    // Nothing changed: nothing is sent.
    let run = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    assert_eq!(number(&run, "/target/calls"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bills_are_cut_and_figures_added_up() {
    let p = Project::new();
    // 120 rows of one shop, each twice (V-O06), and one row of another.
    let mut rows: Vec<Value> = (0..240)
        .map(|i| row(i, "SH1", &format!("K{:03}", i % 120), if i < 120 { "1.5" } else { "2" }))
        .collect();
    rows.push(row(999, "SH2", "K", "1"));
    let _from = source(&p, rows, never()).await;
    let to = target(&p, |_| Reply::json(&json!({"code": 0}))).await;
    plan(
        &p,
        json!({"groupCalculate": {"headerGroup": ["no"], "bodyGroup": ["sku"], "bodyName": "list", "bodyMaxLine": 50,
            "calculate": {"q": "$sum"}}}),
    );
    let run = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!((number(&run, "/target/calls"), number(&run, "/target/written")), (4, 241), "{run}");
    let bills = sent(&to);
    let lengths: Vec<usize> = bills.iter().map(|b| b["goods"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [50, 50, 20, 1], "V-O06");
    assert!(bills[0]["goods"].as_array().unwrap().iter().all(|g| g["n"] == json!(3.5)), "V-O05 {}", bills[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_what_belongs_together_is_not_written() {
    let p = Project::new();
    let broken = Arc::new(AtomicUsize::new(2));
    let rows = vec![row(1, "A", "1", "2"), row(2, "B", "1", "9"), row(3, "A", "2", "3")];
    let _from = source(&p, rows, broken.clone()).await;
    let to = target(&p, |_| Reply::json(&json!({"code": 0}))).await;
    plan(&p, serde_json::from_str(MERGE).unwrap());
    p.run(&["run", "bills", "--json"]).await.exits(3);
    assert_eq!(sent(&to), Vec::<Value>::new());
    broken.store(usize::MAX, Ordering::SeqCst);
    let run = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    assert_eq!((number(&run, "/target/calls"), number(&run, "/target/written")), (2, 3), "{run}");
    assert_eq!(sent(&to)[0]["goods"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_rows_fill_several_bills_is_written_only_when_all_of_them_are() {
    let p = Project::new();
    let lines: Vec<Value> = ["1", "2", "3"].iter().map(|s| json!({"sku": s, "q": "1"})).collect();
    let rows = vec![json!({"id": 1, "no": "A", "lines": lines}), row(2, "B", "9", "1")];
    let _from = source(&p, rows, never()).await;
    let to = target(&p, |seen| match seen.json()["goods"][0]["sku"].as_str() {
        Some("2") => Reply::json(&json!({"code": 500, "message": "no such article"})),
        _ => Reply::json(&json!({"code": 0})),
    })
    .await;
    plan(
        &p,
        json!({"groupCalculate": {"headerGroup": ["no"], "bodyGroup": ["sku"], "bodyName": "list", "bodyMaxLine": 1,
            "calculate": {"q": "$sum"}}}),
    );
    let run = p.run(&["run", "bills", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!(number(&run, "/target/calls"), 4, "{run}");
    let states = p.run(&["records", "bills", "--json"]).await.exits(0).lines();
    let state = |id: &str| states.iter().find(|r| r["id"] == id).unwrap()["state"].clone();
    assert_eq!([state("1"), state("2")], ["failed", "written"], "{:?}", sent(&to));
}
