//! Plans into a real MariaDB.

use std::collections::BTreeMap;

use heliu_testkit::mariadb::MariaDb;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::harness::{Project, balances, number, sandbox};
use crate::sqlite::{orders_source, orders_target, same, shops_source, sqlite_project, start, truth};

pub struct Bi {
    pub conn: Conn,
    pub dsn: String,
}

impl Bi {
    /// A database of its own with the tables.
    pub async fn new(name: &str) -> Bi {
        Bi::on(MariaDb::shared(), name).await
    }

    /// Likewise, on this server.
    pub async fn on(server: &MariaDb, name: &str) -> Bi {
        let name = server.fresh_name(name);
        let mut root = Conn::new(Opts::from_url(&server.dsn("bi")).unwrap()).await.unwrap();
        root.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await.unwrap();
        root.disconnect().await.unwrap();
        let dsn = server.dsn(&name);
        let mut conn = Conn::new(Opts::from_url(&dsn).unwrap()).await.unwrap();
        conn.query_drop(
            "CREATE TABLE outbound (io_id BIGINT UNSIGNED PRIMARY KEY, o_id BIGINT, so_id VARCHAR(64), shop_id BIGINT,
             modified DATETIME, items JSON)",
        )
        .await
        .unwrap();
        conn.query_drop(
            "CREATE TABLE shop (shop_id BIGINT PRIMARY KEY, shop_name VARCHAR(100), co_id BIGINT, shop_site VARCHAR(50),
             shop_url VARCHAR(200), created DATETIME NULL, nick VARCHAR(100), session_expired DATETIME NULL,
             session_uid VARCHAR(64), short_name VARCHAR(100), group_id INT, group_name VARCHAR(100))",
        )
        .await
        .unwrap();
        Bi { conn, dsn }
    }

    pub async fn run(&mut self, sql: &str) {
        self.conn.query_drop(sql).await.unwrap();
    }

    pub async fn pairs(&mut self, sql: &str) -> BTreeMap<String, String> {
        let list: Vec<(String, String)> = self.conn.query(sql).await.unwrap();
        list.into_iter().collect()
    }

    pub async fn rows(&mut self) -> BTreeMap<i64, Vec<String>> {
        let list: Vec<(i64, String, String, String, String, String)> = self
            .conn
            .query(
                "SELECT io_id, CAST(o_id AS CHAR), so_id, CAST(shop_id AS CHAR), CAST(modified AS CHAR), items FROM outbound",
            )
            .await
            .unwrap();
        list.into_iter().map(|(k, a, b, c, d, e)| (k, vec![a, b, c, d, e])).collect()
    }
}

pub fn connect(p: &Project, bi: &Bi) {
    p.write("connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{}\"\n", bi.dsn));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_into_mariadb_equal_the_truth() {
    let sandbox = sandbox(2_300, "").await;
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("orders").await;
    connect(&p, &bi);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    p.run(&["test-connector", "bi"]).await.exits(0);
    p.run(&["test-connector", "jst"]).await.exits(0);
    let first = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&first);
    assert_eq!(number(&first, "/target/written"), 2_300);
    same(&bi.rows().await, &truth(&sandbox));
    let again = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (2_300, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn shops_with_their_full_table() {
    let sandbox = sandbox(400, "").await;
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("shops").await;
    connect(&p, &bi);
    let columns = [
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
    let request: Vec<Value> =
        columns.iter().map(|c| json!({"field": c, "type": "string", "value": format!("{{{c}}}")})).collect();
    let sql = format!("REPLACE INTO `shop`({}) VALUES", columns.map(|c| format!("`{c}`")).join(","));
    p.plan(
        "shops",
        &json!({"source": shops_source(), "target": {"connector": "bi", "metadata": {
            "api": "batchexecute", "effect": "EXECUTE", "method": "POST", "idCheck": true, "request": request,
            "otherRequest": [{"field": "main_sql", "type": "string", "value": sql},
                             {"field": "limit", "type": "string", "value": "1000"}]}}}),
    );
    let run = p.run(&["run", "shops", "--json"]).await.exits(0).json();
    balances(&run);
    let got: Vec<(i64, String, Option<String>)> = bi
        .conn
        .query("SELECT shop_id, shop_name, CAST(created AS CHAR) FROM shop ORDER BY shop_id")
        .await
        .unwrap();
    let wanted: Vec<(i64, String, Option<String>)> = sandbox
        .truth()
        .shops
        .iter()
        .map(|(id, text)| {
            let v: Value = serde_json::from_str(text).unwrap();
            let created = v["created"].as_str().filter(|s| !s.is_empty()).map(str::to_owned);
            (*id, v["shop_name"].as_str().unwrap().to_owned(), created)
        })
        .collect();
    assert_eq!(got, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_row_stands_alone_and_can_be_retried() {
    let sandbox = sandbox(500, "").await;
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("poison").await;
    connect(&p, &bi);
    let bad: Vec<i64> = sandbox.truth().orders.keys().copied().skip(100).step_by(150).collect();
    for id in &bad {
        bi.conn
            .query_drop(format!("ALTER TABLE outbound ADD CONSTRAINT c{id} CHECK (io_id <> {id})"))
            .await
            .unwrap();
    }
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    let run = p.run(&["run", "orders", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!(number(&run, "/target/failed") as usize, bad.len());
    assert_eq!(number(&run, "/target/written") as usize, 500 - bad.len());
    let failed = p.run(&["records", "orders", "--state", "failed", "--json"]).await.exits(0).lines();
    let ids: Vec<i64> = failed.iter().map(|r| r["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(ids, bad);
    assert!(failed.iter().all(|r| r["code"].as_str().is_some_and(|c| c.starts_with("HL-5"))), "{failed:?}");
    // Each is kept with the call that was refused because of it alone.
    for r in &failed {
        let (call, code) = (r["write_call"].to_string(), r["code"].as_str().unwrap());
        let call = p.run(&["calls", "orders", "--id", &call, "--json"]).await.exits(0).json();
        assert_eq!((&call["rows"], call["error"]["code"].as_str()), (&json!(1), Some(code)), "{call}");
        let constraint = format!("c{}", r["id"].as_str().unwrap());
        assert!(call["error"]["message"].as_str().unwrap().contains(&constraint), "{constraint} {call}");
        let id = call["id"].to_string();
        p.run(&["calls", "orders", "--id", &id, "--curl"]).await.exits(2);
    }
    let commands = p.run(&["calls", "orders", "--curl", "--json"]).await.exits(0).lines();
    assert!(!commands.is_empty() && commands.iter().all(|c| c["curl"].as_str().unwrap().contains("http")));
    p.run(&["calls", "orders", "--run", "01AAAAAAAAAAAAAAAAAAAAAAAA"]).await.exits(2);
    p.run(&["retry", "orders", "--id", "none"]).await.exits(2);
    let written = truth(&sandbox).keys().find(|k| !bad.contains(k)).unwrap().to_string();
    let said = p.run(&["retry", "orders", "--id", &written]).await.exits(0);
    assert!(said.err.contains("written"), "{said:?}");
    for id in &bad {
        bi.conn.query_drop(format!("ALTER TABLE outbound DROP CONSTRAINT c{id}")).await.unwrap();
    }
    p.run(&["retry", "orders", "--json"]).await.exits(0);
    let after = p.run(&["run", "orders", "--target-only", "--json"]).await.exits(0).json();
    balances(&after);
    same(&bi.rows().await, &truth(&sandbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_and_wrong_credentials_say_what_to_do() {
    let sandbox = sandbox(20, "").await;
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("missing").await;
    connect(&p, &bi);
    bi.conn.query_drop("DROP TABLE outbound").await.unwrap();
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    let a = p.run(&["run", "orders", "--json"]).await.exits(3).json();
    assert!(a["error"]["code"].as_str().unwrap().starts_with("HL-5"), "{a}");
    bi.conn
        .query_drop("CREATE TABLE outbound (io_id BIGINT PRIMARY KEY, o_id BIGINT, so_id TEXT, shop_id BIGINT, modified TEXT, items TEXT)")
        .await
        .unwrap();
    let resumed = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&resumed);
    same(&bi.rows().await, &truth(&sandbox));
    let wrong = bi.dsn.replace("p%40ss", "other");
    p.write("connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{wrong}\"\n"));
    let a = p.run(&["test-connector", "bi"]).await.exits(3);
    assert!(a.err.contains("HL-5") && !a.err.contains("other%3A"), "{a:?}");
}
