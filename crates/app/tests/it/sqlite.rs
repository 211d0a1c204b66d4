//! Plans into the embedded database and the no-op target.

use std::collections::BTreeMap;

use heliu_sandbox::{Kind, Mutation, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, balances, number, sandbox};

pub fn shops_source() -> Value {
    json!({"connector": "jst", "metadata": {
        "api": "/open/shops/query", "method": "POST", "number": "shop_name", "id": "shop_id",
        "pagination": {"pageSize": 100}, "idCheck": true,
        "request": [{"field": "nicks", "label": "店铺主账号", "type": "array"}]}})
}

/// Outbound orders in the notation of the older interface, keyed as given.
pub fn orders_source(id: &str) -> Value {
    json!({"connector": "jst", "metadata": {
        "api": "orders.out.simple.query", "method": "POST", "number": "o_id", "id": id,
        "pagination": {"pageSize": 100}, "idCheck": true,
        "request": [
            {"field": "shop_id", "type": "string"},
            {"field": "modified_begin", "type": "string", "value": "{{LAST_SYNC_TIME|datetime}}"},
            {"field": "modified_end", "type": "string", "value": "{{CURRENT_TIME|datetime}}"},
            {"field": "so_ids", "type": "string", "parser": {"name": "StringToArray", "params": ","}},
            {"field": "page_index", "type": "string", "value": "{PAGINATION_START_PAGE}"},
            {"field": "page_size", "type": "string", "value": "{PAGINATION_PAGE_SIZE}"}]}})
}

/// Columns of the orders' table.
pub const COLUMNS: [&str; 6] = ["io_id", "o_id", "so_id", "shop_id", "modified", "items"];

pub fn orders_target() -> Value {
    let request: Vec<Value> =
        COLUMNS.iter().map(|c| json!({"field": c, "type": "string", "value": format!("{{{c}}}")})).collect();
    let sql = format!("REPLACE INTO outbound ({}) VALUES", COLUMNS.join(", "));
    json!({"connector": "bi", "metadata": {
        "api": "batchexecute", "effect": "EXECUTE", "method": "POST", "idCheck": true, "request": request,
        "otherRequest": [{"field": "main_sql", "type": "string", "value": sql},
                         {"field": "limit", "type": "string", "value": "1000"}]}})
}

pub fn noop() -> Value {
    json!({"connector": "qeasy", "metadata": {"api": "写入空操作", "method": "POST", "idCheck": true}})
}

/// A time before the sandbox's oldest order.
#[expect(clippy::disallowed_methods, reason = "the sandbox of these tests lives in real time")]
pub fn start() -> String {
    let days = chrono::Duration::days(5);
    (chrono::Utc::now() - days).format("%Y-%m-%d %H:%M:%S").to_string()
}

pub fn sqlite_project(sandbox: &Sandbox) -> Project {
    let p = Project::new();
    p.connect(sandbox);
    p.write("connectors/qeasy.toml", "platform = \"轻易云集成平台\"\n");
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch(
        "CREATE TABLE outbound (io_id INTEGER PRIMARY KEY, o_id INTEGER, so_id TEXT, shop_id INTEGER, modified TEXT, items TEXT);
         CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, shop_name TEXT)",
    )
    .unwrap();
    p
}

/// Rows of the table, by key: the other columns as text.
pub fn rows(p: &Project) -> BTreeMap<i64, Vec<String>> {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let mut q = db.prepare("SELECT io_id, o_id, so_id, shop_id, modified, items FROM outbound").unwrap();
    let list = q
        .query_map([], |r| {
            let text = |i: usize| -> rusqlite::Result<String> {
                Ok(match r.get_ref(i)? {
                    rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                    rusqlite::types::ValueRef::Text(t) => String::from_utf8(t.to_vec()).unwrap(),
                    other => format!("{other:?}"),
                })
            };
            Ok((r.get::<_, i64>(0)?, (1..6).map(text).collect::<Result<Vec<_>, _>>()?))
        })
        .unwrap();
    list.map(Result::unwrap).collect()
}

/// What the sandbox says the table must hold.
pub fn truth(sandbox: &Sandbox) -> BTreeMap<i64, Vec<String>> {
    sandbox
        .truth()
        .orders
        .iter()
        .map(|(id, text)| {
            let v: Value = serde_json::from_str(text).unwrap();
            let one = |k: &str| match &v[k] {
                Value::String(s) => s.clone(),
                other => other.to_string(),
            };
            (*id, COLUMNS[1..].iter().map(|c| one(c)).collect())
        })
        .collect()
}

#[track_caller]
pub fn same(got: &BTreeMap<i64, Vec<String>>, wanted: &BTreeMap<i64, Vec<String>>) {
    let missing: Vec<_> = wanted.keys().filter(|k| !got.contains_key(k)).take(5).collect();
    let extra: Vec<_> = got.keys().filter(|k| !wanted.contains_key(k)).take(5).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:?}, extra {extra:?}");
    for (k, v) in wanted {
        let g = &got[k];
        assert_eq!(g[..4], v[..4], "row {k}");
        let (a, b): (Value, Value) =
            (serde_json::from_str(&g[4]).unwrap(), serde_json::from_str(&v[4]).unwrap());
        assert_eq!(a, b, "items of row {k}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_into_sqlite_then_nothing_then_one_change() {
    let sandbox = sandbox(730, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    let first = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&first);
    assert_eq!(number(&first, "/records/new"), 730);
    assert_eq!(number(&first, "/target/written"), 730);
    same(&rows(&p), &truth(&sandbox));

    let second = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    balances(&second);
    assert_eq!((number(&second, "/records/unchanged"), number(&second, "/target/calls")), (730, 0));

    let id = *sandbox.truth().orders.keys().nth(300).unwrap();
    let mut fields = serde_json::Map::new();
    fields.insert("so_id".into(), "改-1".into());
    sandbox.mutate(Mutation::Change { kind: Kind::Order, id, fields }).unwrap();
    let third = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    balances(&third);
    assert_eq!((number(&third, "/records/changed"), number(&third, "/target/written")), (1, 1));
    same(&rows(&p), &truth(&sandbox));

    let story = p.run(&["trace", "orders", "--id", &id.to_string(), "--json"]).await.exits(0).lines();
    let versions: Vec<&Value> = story.iter().filter(|e| e["event"] == "version").collect();
    assert_eq!(versions.len(), 2, "{story:?}");
    assert!(story.iter().any(|e| e["event"] == "write_call"));
    let one = p.run(&["records", "orders", "--id", &id.to_string(), "--json"]).await.exits(0).json();
    for key in
        ["id", "number", "state", "reason", "code", "version", "first_seen", "changed_at", "written_at"]
    {
        assert!(one.get(key).is_some(), "{key}");
    }
    assert_eq!((one["version"].as_u64(), one["state"].as_str()), (Some(2), Some("written")));
    let proof = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
    assert_eq!(proof["balanced"], true);
    assert_eq!(proof["run"], third["run"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_keepalive_and_order_plans_run_verbatim() {
    let sandbox = sandbox(520, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("keepalive", &json!({"schedule": "0 */5 * * * ?", "source": shops_source(), "target": noop()}));
    let mut confirmed = orders_source("o_id");
    confirmed["metadata"]["request"][0] = json!({"field": "status", "type": "string", "value": "Confirmed"});
    p.plan("orders", &json!({"start": start(), "source": confirmed, "target": noop()}));
    p.run(&["check"]).await.exits(0);
    let a = p.run(&["run", "keepalive", "orders", "--json"]).await.exits(0).lines();
    assert_eq!(a.len(), 2);
    a.iter().for_each(balances);
    assert_eq!(number(&a[0], "/target/written") as usize, sandbox.truth().shops.len());
    let wanted = sandbox.truth().orders.values().filter(|o| o.contains("\"Confirmed\"")).count();
    assert_eq!(number(&a[1], "/source/returned") as usize, wanted);
    for (plan, count) in [("keepalive", sandbox.truth().shops.len()), ("orders", wanted)] {
        let list =
            p.run(&["records", plan, "--limit", "0", "--state", "written", "--json"]).await.exits(0).lines();
        assert_eq!(list.len(), count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_collides_is_reported_and_does_not_flap_for_ever() {
    let sandbox = sandbox(300, "collide").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("o_id"), "target": noop()}));
    let first = p.run(&["run", "orders", "--json"]).await;
    let a = first.json();
    assert!(a["problems"].as_array().is_some_and(|l| !l.is_empty()), "{a}");
    balances(&a);
    let calls = sandbox.calls();
    assert!(calls < 60, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn source_only_then_target_only() {
    let sandbox = sandbox(150, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    let read = p.run(&["run", "orders", "--source-only", "--json"]).await.exits(0).json();
    balances(&read);
    assert_eq!(number(&read, "/target/waiting"), 150);
    assert!(rows(&p).is_empty());
    let written = p.run(&["run", "orders", "--target-only", "--json"]).await.exits(0).json();
    balances(&written);
    assert_eq!((number(&written, "/source/calls"), number(&written, "/target/written")), (0, 150));
    // The certificate is about the last window, whatever was only written since.
    let certificate = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
    assert_eq!((&certificate["window"], &certificate["run"]), (&read["window"], &read["run"]));
    same(&rows(&p), &truth(&sandbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_never_moves_the_watermark() {
    let sandbox = sandbox(250, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    let some = p.run(&["run", "orders", "--limit", "120", "--json"]).await.exits(0).json();
    assert_eq!(some["complete"], false);
    // Rows that an inclusive cursor brings twice use up the limit too.
    let read = number(&some, "/source/returned");
    assert!((110..=120).contains(&read), "{read}");
    let mark = p.run(&["watermark", "orders", "--json"]).await.exits(0).json();
    assert_eq!(mark["watermark"], Value::Null);
    let all = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    assert_eq!(all["complete"], true);
    same(&rows(&p), &truth(&sandbox));
    let mark = p.run(&["watermark", "orders", "--json"]).await.exits(0).json();
    assert_eq!(mark["watermark"], all["window"]["to"]);
    // A back-fill leaves it where it is.
    p.run(&["run", "orders", "--from", &start(), "--to", "2100-01-01 00:00:00", "--json"]).await;
    let after = p.run(&["watermark", "orders", "--json"]).await.exits(0).json();
    assert_eq!(after["watermark"], mark["watermark"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn written_records_are_put_back_and_written_again() {
    let sandbox = sandbox(60, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    p.run(&["run", "orders"]).await.exits(0);
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute("DELETE FROM outbound", []).unwrap();
    let (id, order) = sandbox.truth().orders.into_iter().next().unwrap();
    let so: Value = serde_json::from_str(&order).unwrap();
    let filter = format!("so_id={}", so["so_id"].as_str().unwrap());
    let back =
        p.run(&["retry", "orders", "--state", "written", "--where", &filter, "--json"]).await.exits(0).json();
    assert_eq!(back["put_back"], 1);
    p.run(&["run", "orders", "--target-only", "--json"]).await.exits(0);
    assert_eq!(rows(&p).keys().collect::<Vec<_>>(), [&id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_balances_and_fills_its_tables() {
    let p = Project::new();
    let dir = p.path().join("d");
    for _ in 0..2 {
        let a = p.run(&["demo", dir.to_str().unwrap(), "--records", "120", "--json"]).await.exits(0).json();
        assert_eq!(a["balanced"], true);
        assert_eq!(a["plans"].as_array().unwrap().len(), 4);
        a["plans"].as_array().unwrap().iter().for_each(balances);
        let db = rusqlite::Connection::open(dir.join("bi.db")).unwrap();
        let n: i64 = db.query_row("SELECT COUNT(*) FROM outbound", [], |r| r.get(0)).unwrap();
        assert_eq!(n, 120);
    }
    p.write("full/other.txt", "mine");
    p.run(&["demo", p.path().join("full").to_str().unwrap()]).await.exits(2);
}
