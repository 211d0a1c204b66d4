//! Plans over the records of other plans: the query of this ledger, and its data write.

use std::collections::{BTreeMap, BTreeSet};

use heliu_sandbox::{Kind, Mutation, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Project, balances, number, sandbox};
use crate::sqlite::start;

const FIELDS: [&str; 6] = ["o_id", "so_id", "status", "pay_amount", "modified", "items"];

fn example(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../../examples/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn plan_of(name: &str) -> Value {
    serde_json::from_str(&example(&format!("plans/{name}.json"))).unwrap()
}

fn project(sandbox: &Sandbox, plans: &[&str]) -> Project {
    let p = Project::new();
    p.connect(sandbox);
    p.write("connectors/ledger.toml", "platform = \"轻易云\"\n");
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch(&example("tables.sql")).unwrap();
    for name in plans {
        let mut plan = plan_of(name);
        plan["start"] = json!(start());
        p.plan(name, &plan);
    }
    p
}

/// A table by its first column, the others as text.
fn table(p: &Project, sql: &str) -> BTreeMap<String, Vec<String>> {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let mut q = db.prepare(sql).unwrap();
    let columns = q.column_count();
    let text = |r: &rusqlite::Row, i: usize| match r.get_ref(i).unwrap() {
        rusqlite::types::ValueRef::Integer(n) => n.to_string(),
        rusqlite::types::ValueRef::Text(t) => String::from_utf8(t.to_vec()).unwrap(),
        other => format!("{other:?}"),
    };
    let rows = q.query_map([], |r| Ok((text(r, 0), (1..columns).map(|i| text(r, i)).collect()))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn outbound(p: &Project) -> BTreeMap<String, Vec<String>> {
    table(p, &format!("SELECT io_id, {} FROM outbound_order", FIELDS.join(", ")))
}

/// The orders as the sandbox itself holds them, digits as it writes them.
fn truth(sandbox: &Sandbox) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    for (id, text) in &sandbox.truth().orders {
        let raw: BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(text).unwrap();
        let one = |k: &&str| {
            let raw = raw[*k].get();
            serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned())
        };
        out.insert(id.to_string(), FIELDS.iter().map(one).collect());
    }
    out
}

async fn run(p: &Project, plan: &str, code: i32) -> Value {
    let answer = p.run(&["run", plan, "--json"]).await.exits(code).json();
    balances(&answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_through_the_ledger_into_a_table_once() {
    let jst = sandbox(730, "").await;
    let p = project(&jst, &["jushuitan-orders-to-ledger", "ledger-orders-to-bi"]);
    p.run(&["check"]).await.exits(0);
    run(&p, "jushuitan-orders-to-ledger", 0).await;
    let first = run(&p, "ledger-orders-to-bi", 0).await;
    assert_eq!(number(&first, "/records/new"), 730);
    assert_eq!(first["windows"][0]["complete"], true, "{first}");
    assert_eq!(number(&first, "/source/calls"), 9, "one pass, behind an anchor: {first}");
    assert_eq!(outbound(&p), truth(&jst));

    let second = run(&p, "ledger-orders-to-bi", 0).await;
    assert_eq!((number(&second, "/records/unchanged"), number(&second, "/target/calls")), (730, 0));

    let id = *jst.truth().orders.keys().nth(300).unwrap();
    let fields = json!({"so_id": "改-1", "pay_amount": 100.50}).as_object().unwrap().clone();
    jst.mutate(Mutation::Change { kind: Kind::Order, id, fields }).unwrap();
    p.run(&["run", "jushuitan-orders-to-ledger", "--from", &start(), "--json"]).await.exits(0);
    let third = run(&p, "ledger-orders-to-bi", 0).await;
    let seen = (number(&third, "/records/new"), number(&third, "/records/changed"));
    assert_eq!((seen, number(&third, "/target/written")), ((0, 1), 1), "{third}");
    assert_eq!(outbound(&p), truth(&jst));

    let story = p.run(&["trace", "ledger-orders-to-bi", "--id", &id.to_string(), "--json"]).await.exits(0);
    assert!(story.out.contains("heliu:jushuitan-orders-to-ledger"), "{story:?}");
    let seen = p.run(&["preview", "ledger-orders-to-bi"]).await.exits(0);
    assert!(seen.out.contains("heliu:jushuitan-orders-to-ledger"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_conditions_states_and_both_versions() {
    let jst = sandbox(230, "").await;
    let p = project(&jst, &["jushuitan-orders-to-ledger"]);
    run(&p, "jushuitan-orders-to-ledger", 0).await;
    let orders: BTreeMap<String, Value> =
        jst.truth().orders.iter().map(|(id, t)| (id.to_string(), serde_json::from_str(t).unwrap())).collect();
    let reads = async |name: &str, api: &str, id: &str, items: Value| {
        let mut request = vec![json!({"field": "scheme_id", "value": "jushuitan-orders-to-ledger"})];
        request.extend(items.as_array().unwrap().clone());
        p.plan(
            name,
            &json!({"source": {"connector": "ledger", "metadata": {
                "api": api, "method": "POST", "id": id, "number": id, "idCheck": true,
                "pagination": {"pageSize": 7}, "request": request}},
                "target": {"connector": "ledger", "metadata": {"api": "空操作"}}}),
        );
        p.run(&["check", name]).await.exits(0);
        run(&p, name, 0).await;
        let list = p.run(&["records", name, "--limit", "0", "--json"]).await.exits(0).lines();
        list.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let wanted = |keep: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        orders.iter().filter(|(_, v)| keep(v)).map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(reads("all", "查询", "_id", json!([])).await, wanted(&|_| true));
    let confirmed = json!([{"field": "CONTENT_status", "value": "Confirm"}]);
    let has = |v: &Value| v["status"].as_str().unwrap().contains("Confirm");
    let expected = wanted(&has);
    assert!(!expected.is_empty() && expected.len() < orders.len());
    assert_eq!(reads("held", "query", "io_id", confirmed).await, expected);
    let shop = orders.values().next().unwrap()["shop_id"].clone();
    let of_shop = wanted(&|v| v["shop_id"] == shop);
    let mongo = json!([{"field": "CONTENT_shop_id", "type": "object", "value": {"$in": [shop]}}]);
    assert_eq!(reads("operators", "query", "io_id", mongo).await, of_shop);
    let first = "/api/open/operation/{scheme_id}/query";
    let brackets = json!([{"field": "condition[content.shop_id][$eq]", "value": shop.to_string()}]);
    assert_eq!(reads("brackets", first, "content.io_id", brackets).await, of_shop);
    let written =
        json!([{"field": "status", "value": "2"}, {"field": "begin_at", "value": "{{LAST_SYNC_TIME}}"}]);
    assert_eq!(reads("written", "query", "io_id", written).await, wanted(&|_| true));
    let failed = json!([{"field": "status", "value": "错误的"}]);
    assert_eq!(reads("failed", "query", "io_id", failed).await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_what_a_query_cannot_mean() {
    let jst = sandbox(3, "").await;
    let p =
        project(&jst, &["jushuitan-orders-to-ledger", "ledger-orders-to-bi", "jushuitan-shops-to-register"]);
    let bad = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut plan = plan_of("ledger-orders-to-bi");
        change(&mut plan);
        p.plan(name, &plan);
    };
    let first = "/source/metadata/request/0/value";
    bad("unknown", &|v| *v.pointer_mut(first).unwrap() = json!("jushuitan-orders-to-leger"));
    bad("itself", &|v| *v.pointer_mut(first).unwrap() = json!("itself"));
    bad("nobody", &|v| *v.pointer_mut(first).unwrap() = json!(""));
    bad("misspelt", &|v| v["source"]["metadata"]["api"] = json!("qery"));
    bad("timeless", &|v| {
        v["source"]["metadata"]["request"][1] =
            json!({"field": "begin_at", "type": "string", "value": "yesterday"});
    });
    let status = "/source/metadata/request";
    let asks = |v: &mut Value, item: Value| v.pointer_mut(status).unwrap().as_array_mut().unwrap().push(item);
    bad("state", &|v| asks(v, json!({"field": "status", "value": "done"})));
    bad("passing", &|v| asks(v, json!({"field": "status", "value": "failed"})));
    bad("filter", &|v| asks(v, json!({"field": "CONTENT_x", "value": {"$equals": 1}})));
    for (name, code, words) in [
        ("unknown", "HL-1091", "did you mean `jushuitan-orders-to-ledger`?"),
        ("itself", "HL-1092", "the plan names itself"),
        ("nobody", "HL-1093", "`scheme_id` is missing"),
        ("misspelt", "HL-1034", "did you mean `query`?"),
        ("timeless", "HL-1093", "is no time"),
        ("state", "HL-1093", "`done` is no state"),
        ("passing", "HL-1093", "would pass by some of them"),
        ("filter", "HL-1093", "did you mean `$eq`?"),
    ] {
        for command in ["check", "run"] {
            let said = p.run(&[command, name, "--json"]).await.exits(2);
            let text = format!("{}{}", said.out, said.err);
            assert!(text.contains(code) && text.contains(words), "{command} {name}: {said:?}");
        }
    }
    // A parameter that nothing reads is only doubtful.
    bad("doubtful", &|v| asks(v, json!({"field": "begin_att", "value": "0"})));
    let said = p.run(&["check", "doubtful"]).await.exits(0);
    assert!(said.out.contains("did you mean `begin_at`?"), "{said:?}");
    // Who writes for a plan that takes nothing is told what is missing there.
    let mut store = plan_of("jushuitan-shops-to-register");
    *store.pointer_mut("/target/metadata/otherRequest/0/value").unwrap() = json!("ledger-orders-to-bi");
    p.plan("closed", &store);
    let said = p.run(&["run", "closed"]).await.exits(2);
    assert!(said.err.contains("HL-5040") && said.err.contains("callback"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_writes_for_another_one_is_written_by_it_and_looked_up() {
    let jst = sandbox(40, "").await;
    let p = project(&jst, &["jushuitan-shops-to-register", "shop-register-to-bi"]);
    p.run(&["check"]).await.exits(0);
    let shops: BTreeMap<String, String> = jst
        .truth()
        .shops
        .iter()
        .map(|(id, t)| {
            let v: Value = serde_json::from_str(t).unwrap();
            (format!("JST-{id}"), v["shop_name"].as_str().unwrap().to_owned())
        })
        .collect();
    let n = shops.len() as u64;
    let first = run(&p, "jushuitan-shops-to-register", 0).await;
    assert_eq!((number(&first, "/target/written"), number(&first, "/target/failed")), (n, 0));
    let waiting =
        p.run(&["records", "shop-register-to-bi", "--state", "waiting", "--limit", "0", "--json"]).await;
    assert_eq!(waiting.exits(0).lines().len() as u64, n);
    // Looked up before anybody wrote it anywhere.
    let id = shops.keys().next().unwrap();
    let lookup = format!("_findCollection find name from shop-register-to-bi where code='{id}'");
    let found = p.run(&["eval", &lookup]).await.exits(0);
    assert_eq!(found.json(), json!(shops[id]));
    let next = run(&p, "shop-register-to-bi", 0).await;
    assert_eq!((number(&next, "/waiting_before"), number(&next, "/target/written")), (n, n));
    let rows = table(&p, "SELECT code, name FROM shop_register");
    let names: BTreeMap<String, String> = rows.into_iter().map(|(k, mut v)| (k, v.remove(0))).collect();
    assert_eq!(names, shops);

    // The same again: nothing is due.
    run(&p, "jushuitan-shops-to-register", 0).await;
    p.run(&["retry", "jushuitan-shops-to-register", "--state", "written"]).await.exits(0);
    let again = run(&p, "jushuitan-shops-to-register", 0).await;
    assert_eq!(number(&again, "/target/written"), n);
    let still = run(&p, "shop-register-to-bi", 0).await;
    assert_eq!((number(&still, "/waiting_before"), number(&still, "/target/written")), (0, 0));

    // What the receiving plan cannot key fails where it comes from.
    let mut plan = plan_of("jushuitan-shops-to-register");
    plan["target"]["metadata"]["request"].as_array_mut().unwrap().remove(0);
    p.plan("keyless", &plan);
    let refused = run(&p, "keyless", 1).await;
    assert_eq!(number(&refused, "/target/failed"), n);
    let why = p.run(&["records", "keyless", "--state", "failed", "--limit", "1", "--json"]).await.exits(0);
    assert!(why.out.contains("HL-5041"), "{why:?}");
}
