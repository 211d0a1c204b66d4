//! Plans in the shape of the published ones, over several pages, into the no-op and into MariaDB, cell by cell.

use std::collections::BTreeMap;

use heliu_sandbox::{Kind, Mutation, Sandbox};
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

use crate::harness::{Project, balances, number, sandbox};
use crate::mysql::{Bi, connect};
use crate::sqlite::{noop, orders_source, sqlite_project, start};

const SHOP: [&str; 9] = [
    "shop_id",
    "shop_name",
    "co_id",
    "shop_site",
    "shop_url",
    "created",
    "nick",
    "session_expired",
    "session_uid",
];
const ORDER: [&str; 14] = [
    "io_id",
    "o_id",
    "so_id",
    "shop_id",
    "status",
    "created",
    "modified",
    "is_cod",
    "pay_amount",
    "paid_amount",
    "freight",
    "receiver_town",
    "ts",
    "items",
];

/// Shops by page number, as a case study's prose has it; every field by its own name in single braces.
fn shops() -> Value {
    json!({"connector": "jst", "metadata": {
        "api": "/open/shops/query", "method": "POST", "number": "shop_name", "id": "shop_id", "idCheck": true,
        "pagination": {"pageSize": 100}, "request": [
            {"field": "page_index", "label": "第几页", "type": "string", "value": "{PAGINATION_START_PAGE}"},
            {"field": "page_size", "label": "每页条数", "type": "string", "value": "{PAGINATION_PAGE_SIZE}"}]}})
}

/// Confirmed orders with the parameters that are left empty in the published plan.
fn confirmed(id: &str) -> Value {
    let mut source = orders_source(id);
    let request = source["metadata"]["request"].as_array_mut().unwrap();
    request.insert(1, json!({"field": "is_offline_shop", "label": "线下店铺", "type": "string"}));
    request
        .insert(2, json!({"field": "status", "label": "单据状态", "type": "string", "value": "Confirmed"}));
    source
}

fn into(table: &str, columns: &[&str]) -> Value {
    let request: Vec<Value> = columns
        .iter()
        .map(|c| json!({"field": c, "label": format!("列 {c}"), "type": "string", "value": format!("{{{c}}}")}))
        .collect();
    let names = columns.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(",");
    json!({"connector": "bi", "metadata": {
        "api": "batchexecute", "effect": "EXECUTE", "method": "POST", "idCheck": true, "request": request,
        "otherRequest": [
            {"field": "main_sql", "label": "主语句", "type": "string", "value": format!("REPLACE INTO `{table}`({names}) VALUES")},
            {"field": "limit", "label": "limit", "type": "string", "value": "1000"}]}})
}

async fn tables(bi: &mut Bi) {
    bi.conn
        .query_drop(
            "CREATE TABLE `店铺` (shop_id BIGINT PRIMARY KEY, shop_name VARCHAR(100) CHARACTER SET utf8mb4, co_id INT, shop_site VARCHAR(50),
             shop_url VARCHAR(200), created DATETIME NULL, nick VARCHAR(100), session_expired DATETIME NULL, session_uid VARCHAR(64))",
        )
        .await
        .unwrap();
    bi.conn
        .query_drop(
            "CREATE TABLE `order` (io_id BIGINT UNSIGNED PRIMARY KEY, o_id BIGINT, so_id VARCHAR(64), shop_id BIGINT, status VARCHAR(20),
             created DATETIME, modified DATETIME, is_cod TINYINT, pay_amount DECIMAL(12,2), paid_amount DECIMAL(12,2), freight DECIMAL(12,2),
             receiver_town VARCHAR(50), ts BIGINT, items LONGTEXT)",
        )
        .await
        .unwrap();
}

type Rows = BTreeMap<i64, Vec<Option<String>>>;

async fn table(bi: &mut Bi, table: &str, columns: &[&str]) -> Rows {
    let cells = columns.iter().map(|c| format!("CAST(`{c}` AS CHAR)")).collect::<Vec<_>>().join(", ");
    let rows: Vec<mysql_async::Row> = bi.conn.query(format!("SELECT {cells} FROM `{table}`")).await.unwrap();
    rows.into_iter()
        .map(|r| {
            let cells: Vec<Option<String>> =
                (0..columns.len()).map(|i| r.get::<Option<String>, _>(i).unwrap()).collect();
            (cells[0].as_deref().unwrap().parse().unwrap(), cells)
        })
        .collect()
}

/// What the table must hold: the stand-in's own rows, as the columns show them.
fn truth(rows: &BTreeMap<i64, String>, columns: &[&str], keep: impl Fn(&Value) -> bool) -> Rows {
    let cell = |v: &Value, c: &str| match (&v[c], c) {
        (Value::Null, _) => None,
        (Value::String(s), "created" | "session_expired" | "modified") if s.is_empty() => None,
        (Value::Bool(b), _) => Some(u8::from(*b).to_string()),
        (v, "pay_amount" | "paid_amount" | "freight") => {
            let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            Some(format!("{whole}.{part:0<2}"))
        }
        (Value::String(s), _) => Some(s.clone()),
        (v, _) => Some(v.to_string()),
    };
    rows.iter()
        .map(|(id, text)| (*id, serde_json::from_str::<Value>(text).unwrap()))
        .filter(|(_, v)| keep(v))
        .map(|(id, v)| (id, columns.iter().map(|c| cell(&v, c)).collect()))
        .collect()
}

fn is_confirmed(v: &Value) -> bool {
    v["status"] == "Confirmed"
}

#[track_caller]
fn same(got: &Rows, wanted: &Rows) {
    let wrong: Vec<_> =
        wanted.iter().filter(|(k, v)| got.get(k) != Some(v)).take(3).map(|(k, v)| (v, got.get(k))).collect();
    assert!(wrong.is_empty() && got.len() == wanted.len(), "{} for {}: {wrong:#?}", got.len(), wanted.len());
}

async fn all(p: &Project, sandbox: &Sandbox, bi: &mut Bi) {
    let t = sandbox.truth();
    same(&table(bi, "店铺", &SHOP).await, &truth(&t.shops, &SHOP, |_| true));
    same(&table(bi, "order", &ORDER).await, &truth(&t.orders, &ORDER, is_confirmed));
    for (plan, rows) in
        [("keepalive", t.shops.len()), ("archive", truth(&t.orders, &ORDER, is_confirmed).len())]
    {
        let written = p.run(&["records", plan, "--state", "written", "--json"]).await.exits(0).lines();
        assert_eq!(written.len(), rows, "{plan}");
    }
}

const PLANS: [&str; 4] = ["keepalive", "archive", "shops", "orders"];

#[tokio::test(flavor = "multi_thread")]
async fn ledger_and_rows_equal_the_truth_and_only_changes_are_written_again() {
    // 400 shops fill four pages to the last row.
    let sandbox = sandbox(1_600, "").await;
    assert_eq!(sandbox.truth().shops.len(), 400);
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("published").await;
    connect(&p, &bi);
    tables(&mut bi).await;
    let schedule = json!({"schedule": "0 */5 * * * ?", "task": {"name": "KeepAlive", "retries": 3}});
    p.plan("keepalive", &json!({"schedule": schedule, "source": shops(), "target": noop()}));
    p.plan("archive", &json!({"start": start(), "source": confirmed("io_id"), "target": noop()}));
    p.plan("shops", &json!({"batchSize": 1000, "source": shops(), "target": into("店铺", &SHOP)}));
    p.plan(
        "orders",
        &json!({"start": start(), "source": confirmed("io_id"), "target": into("order", &ORDER)}),
    );
    let check = p.run(&["check", "--json"]).await.exits(0).json();
    assert_eq!(check["errors"], 0, "{check}");
    let run = async |more: &[&str]| {
        let mut args = vec!["run", "--json"];
        args.extend(more);
        args.extend(PLANS);
        let lines = p.run(&args).await.exits(0).lines();
        lines.iter().for_each(balances);
        lines
    };
    let first = run(&[]).await;
    assert!(first.iter().all(|r| number(r, "/records/new") == number(r, "/target/written")));
    all(&p, &sandbox, &mut bi).await;

    let from = start();
    let second = run(&["--from", &from]).await;
    assert!(
        second.iter().all(|r| number(r, "/target/written") == 0 && number(r, "/target/calls") == 0),
        "{second:?}"
    );
    assert_eq!(second.iter().map(|r| number(r, "/records/unchanged")).sum::<u64>(), {
        let t = sandbox.truth();
        2 * (t.shops.len() + truth(&t.orders, &ORDER, is_confirmed).len()) as u64
    });

    let (id, _) = truth(&sandbox.truth().orders, &ORDER, is_confirmed).into_iter().nth(77).unwrap();
    let fields = json!({"freight": "19.90", "receiver_town": "新街 🏠"}).as_object().unwrap().clone();
    sandbox.mutate(Mutation::Change { kind: Kind::Order, id, fields }).unwrap();
    let shop = *sandbox.truth().shops.keys().nth(311).unwrap();
    let fields = json!({"nick": "", "session_expired": "2027-01-01 00:00:00"}).as_object().unwrap().clone();
    sandbox.mutate(Mutation::Change { kind: Kind::Shop, id: shop, fields }).unwrap();
    let third = run(&[]).await;
    for r in &third {
        let sums = (number(r, "/records/changed"), number(r, "/target/written"), number(r, "/records/new"));
        assert_eq!(sums, (1, 1, 0), "{r}");
    }
    all(&p, &sandbox, &mut bi).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_key_that_collides_is_said_and_rests_after_the_first_run() {
    let sandbox = sandbox(400, "collide").await;
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("collides").await;
    connect(&p, &bi);
    tables(&mut bi).await;
    bi.conn.query_drop("ALTER TABLE `order` DROP PRIMARY KEY, ADD PRIMARY KEY (o_id)").await.unwrap();
    p.plan(
        "orders",
        &json!({"start": start(), "source": confirmed("o_id"), "target": into("order", &ORDER)}),
    );
    let shared: BTreeMap<String, usize> = sandbox
        .truth()
        .orders
        .values()
        .map(|t| serde_json::from_str::<Value>(t).unwrap())
        .filter(is_confirmed)
        .fold(BTreeMap::new(), |mut m, v| {
            *m.entry(v["o_id"].to_string()).or_default() += 1;
            m
        });
    assert!(shared.values().any(|n| *n > 1));
    let mut kept: Option<Rows> = None;
    for round in 0..3 {
        let run = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
        balances(&run);
        let said = run["problems"].to_string();
        assert!(said.contains("HL-7020"), "{run}");
        assert_eq!(table(&mut bi, "order", &ORDER).await.len(), shared.len());
        if round > 0 {
            assert_eq!((number(&run, "/target/written"), number(&run, "/records/changed")), (0, 0), "{run}");
            let rows = table(&mut bi, "order", &ORDER).await;
            assert!(kept.is_none_or(|k| k == rows));
            kept = Some(rows);
        }
    }
}

/// Queries as older articles print them: the parameters in `request`, the columns in `response`, both required.
#[tokio::test]
async fn columns_and_parameters_of_an_older_bill_query() {
    let p = Project::new();
    p.write(
        "connectors/k3.toml",
        "platform = \"kingdee\"\nbase_url = \"http://127.0.0.1:9/k3cloud/\"\n[credentials]\nacct_id = \"a\"\nuser_name = \"u\"\napp_id = \"i\"\napp_secret = \"s\"\n",
    );
    p.write("connectors/lake.toml", "platform = \"heliu\"\n");
    p.write(
        "connectors/shop.toml",
        "platform = \"http\"\nbase_url = \"http://127.0.0.1:9\"\n[credentials]\nauth = \"none\"\n",
    );
    let item = |field: &str, value: Value| json!({"field": field, "type": "string", "value": value, "is_required": true});
    let mut query = json!({
        "api": "ExecuteBillQuery", "type": "QUERY", "method": "POST", "id": "FUNITID", "number": "FNumber", "idCheck": true,
        "request": [item("Limit", json!("{{PAGINATION_PAGE_SIZE}}")), item("StartRow", json!("{{PAGINATION_START_ROW}}")),
            item("FilterString", json!("FForbidStatus='A'")), item("FormId", json!("BD_UNIT")),
            {"field": "FieldKeys", "type": "array", "is_required": true, "parser": {"name": "ArrayToString", "params": ","}}],
        "response": [item("FUNITID", json!(null)), item("FNumber", json!("FNumber")), item("FGroup_FName", json!("FUnitGroupId.FName"))],
        "pagination": {"pageSize": 80}});
    let target = json!({"connector": "lake", "metadata": {"api": "写入空操作", "method": "POST"}});
    let plan = |query: &Value| {
        json!({"source": {"connector": "k3", "metadata": query}, "target": target}).to_string()
    };
    p.write("plans/units.json", &plan(&query));
    p.run(&["check", "units"]).await.exits(0);
    let sent = |a: Value| -> Value { serde_json::from_str(a["source"]["body"].as_str().unwrap()).unwrap() };
    let a = sent(p.run(&["preview", "units", "--json"]).await.exits(0).json());
    assert_eq!(a["data"]["FieldKeys"], "FUNITID,FNumber,FUnitGroupId.FName", "A11 {a}");
    assert_eq!(
        (&a["data"]["FormId"], &a["data"]["FilterString"]),
        (&json!("BD_UNIT"), &json!("FForbidStatus='A'"))
    );
    assert_eq!((&a["data"]["StartRow"], &a["data"]["Limit"]), (&json!(0), &json!(80)), "A10");
    // Columns that are given stand, whatever the type of the item.
    query["request"][4]["value"] = json!(["FUNITID", "FNumber"]);
    p.write("plans/given.json", &plan(&query));
    let a = sent(p.run(&["preview", "given", "--json"]).await.exits(0).json());
    assert_eq!(a["data"]["FieldKeys"], "FUNITID,FNumber");
    // Newer ones name the columns in `request`; what they bring is what the target may read.
    let newer = json!({"source": {"connector": "k3", "metadata": {
            "api": "executeBillQuery", "method": "POST", "id": "FNumber", "number": "FNumber",
            "request": [{"field": "FNumber", "value": "FNumber"}, {"field": "FOrg_FNumber", "value": "FUseOrgId.FNumber"}],
            "otherRequest": [{"field": "FormId", "value": "BD_MATERIAL"}]}},
        "target": {"connector": "shop", "metadata": {"api": "/w", "method": "POST", "request": [
            {"field": "no", "value": "{{FNumber}}"}, {"field": "org", "value": "{{FOrg_FNumber}}"}, {"field": "name", "value": "{{FName}}"}]}}});
    p.write("plans/material.json", &newer.to_string());
    let a = p.run(&["check", "material", "--json"]).await.json();
    let unknown: Vec<&Value> =
        a["problems"].as_array().unwrap().iter().filter(|p| p["code"] == "HL-1078").collect();
    assert_eq!(unknown.len(), 1, "{a}");
    assert_eq!(unknown[0]["path"], "target.metadata.request[2].value", "FName is not asked for");
}

/// What is merged before it is written is merged before it is shown.
#[tokio::test]
async fn a_preview_puts_records_together_as_the_target_says() {
    let p = Project::new();
    for name in ["a", "b"] {
        p.write(
            &format!("connectors/{name}.toml"),
            "platform = \"http\"\nbase_url = \"http://127.0.0.1:9\"\n[credentials]\nauth = \"none\"\n",
        );
    }
    let rows = |source: &str| {
        json!({"field": "rows", "type": "array", "value": source, "children": [
        {"field": "sku", "value": format!("{{{{{source}.sku}}}}")}, {"field": "n", "value": format!("{{{{{source}.q}}}}")}]})
    };
    let write = |how: Value| {
        let mut m = json!({"api": "/w", "method": "POST", "request": [{"field": "no", "value": "{{no}}"}, rows("goods")]});
        m.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
        json!({"source": {"connector": "a", "metadata": {"api": "/q", "id": "no", "request": []}},
            "target": {"connector": "b", "metadata": m}})
        .to_string()
    };
    p.write(
        "plans/merge.json",
        &write(json!({"operation": {"method": "merge", "field": "no", "bodyName": "goods"}})),
    );
    p.write("plans/sum.json", &write(json!({"groupCalculate": {"headerGroup": ["no"], "bodyGroup": ["sku"], "bodyName": "goods", "calculate": {"q": "$sum"}}})));
    let record = p.write("r.json", r#"{"no":"A","sku":"K","q":2}"#);
    for plan in ["merge", "sum"] {
        let a =
            p.run(&["preview", plan, "--record", record.to_str().unwrap(), "--json"]).await.exits(0).json();
        let body: Value = serde_json::from_str(a["target"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, json!({"no": "A", "rows": [{"sku": "K", "n": 2}]}), "V-O01, V-O05 {plan}");
    }
}
