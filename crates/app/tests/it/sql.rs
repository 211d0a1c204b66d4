//! The other interfaces of databases, and databases in trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use heliu_testkit::mariadb::MariaDb;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::mysql::{Bi, connect};
use crate::stub::{Reply, Stub};

fn item(field: &str, value: &str) -> Value {
    json!({"field": field, "value": value})
}

/// A bill with its lines, one transaction each: the lines carry the id that the head was given.
fn bills() -> Value {
    json!({"connector": "bi", "metadata": {"api": "execute", "method": "POST", "request": [
        {"field": "main_params", "type": "object", "children": [item("no", "{{no}}"), item("total", "{{total}}")]},
        {"field": "extend_params_1", "type": "array", "value": "lines", "children": [
            item("sku", "{{lines.sku}}"), item("qty", "{{lines.qty}}")]},
        {"field": "extend_params_2", "type": "object", "children": [item("word", "{{no}}-done")]}],
      "otherRequest": [
        item("main_sql", "INSERT INTO bill (no, total) VALUES (:no, :total)"),
        item("extend_sql_1", "INSERT INTO line (bill, sku, qty) VALUES (:lastInsertId, :sku, :qty)"),
        item("extend_sql_2", "UPDATE bill SET word = :word WHERE id = :lastInsertId")]}})
}

async fn bill_source(n: usize) -> Stub {
    Stub::new(move |_| {
        let list: Vec<Value> = (1..=n)
            .map(|i| {
                let lines: Vec<Value> =
                    (0..i % 4).map(|l| json!({"sku": format!("S{i}-{l}"), "qty": l + 1})).collect();
                json!({"id": i, "no": format!("B{i:03}"), "total": format!("{i}.50"), "lines": lines})
            })
            .collect();
        Reply::json(&json!(list))
    })
    .await
}

fn plan(p: &Project, stub: &Stub, target: Value) {
    p.write("connectors/api.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", stub.url));
    let source =
        json!({"connector": "api", "metadata": {"api": "/x", "method": "GET", "id": "id", "number": "no"}});
    p.plan("bills", &json!({"source": source, "target": target}));
}

const TABLES: [&str; 2] = [
    "CREATE TABLE bill (id INTEGER PRIMARY KEY AUTO_INCREMENT, no VARCHAR(20) UNIQUE, total DECIMAL(10,2), word VARCHAR(20))",
    "CREATE TABLE line (id INTEGER PRIMARY KEY AUTO_INCREMENT, bill INTEGER NOT NULL, sku VARCHAR(20), qty INTEGER)",
];

const JOINED: &str =
    "SELECT b.no, b.word, l.sku, l.qty FROM bill b LEFT JOIN line l ON l.bill = b.id ORDER BY b.no, l.sku";

type Joined = Vec<(String, String, Option<String>, Option<i64>)>;

fn joined(n: usize, without: &[usize]) -> Joined {
    (1..=n)
        .filter(|i| !without.contains(i))
        .flat_map(|i| {
            let (no, word) = (format!("B{i:03}"), format!("B{i:03}-done"));
            let lines: Joined = (0..i % 4)
                .map(|l| (no.clone(), word.clone(), Some(format!("S{i}-{l}")), Some(l as i64 + 1)))
                .collect();
            if lines.is_empty() { vec![(no, word, None, None)] } else { lines }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dependent_statements_carry_the_id_that_mariadb_gave() {
    let stub = bill_source(30).await;
    let p = Project::new();
    let mut bi = Bi::new("execute").await;
    connect(&p, &bi);
    for sql in TABLES {
        bi.conn.query_drop(sql).await.unwrap();
    }
    // One head is refused by the table, one line by a constraint: both bills fail whole.
    bi.conn.query_drop("INSERT INTO bill (no, word) VALUES ('B011', 'other')").await.unwrap();
    bi.conn.query_drop("ALTER TABLE line ADD CONSTRAINT c CHECK (sku <> 'S22-1')").await.unwrap();
    plan(&p, &stub, bills());
    let shown = p.write("one.json", r#"{"id":9,"no":"B9","total":1,"lines":[{"sku":"a","qty":1}]}"#);
    let preview =
        p.run(&["preview", "bills", "--record", shown.to_str().unwrap(), "--json"]).await.exits(0).json();
    assert_eq!(preview["target"].as_array().map(Vec::len), Some(3), "{preview}");
    let a = p.run(&["run", "bills", "--json"]).await.exits(1).json();
    balances(&a);
    assert_eq!((number(&a, "/target/written"), number(&a, "/target/failed")), (28, 2));
    let rows: Joined = bi.conn.query(JOINED).await.unwrap();
    let mut wanted = joined(30, &[11, 22]);
    wanted.push(("B011".into(), "other".into(), None, None));
    wanted.sort();
    let mut rows = rows;
    rows.sort();
    assert_eq!(rows, wanted);
    let one = p.run(&["records", "bills", "--id", "7", "--json"]).await.exits(0).json();
    let reply: Value = serde_json::from_str(one["response"].as_str().unwrap()).unwrap();
    assert!(reply["lastInsertId"].as_i64().is_some() && reply["affectedRows"] == 5, "{reply}");
    // Mended, and put back.
    bi.conn.query_drop("DELETE FROM bill WHERE word = 'other'").await.unwrap();
    bi.conn.query_drop("ALTER TABLE line DROP CONSTRAINT c").await.unwrap();
    p.run(&["retry", "bills", "--state", "failed"]).await.exits(0);
    p.run(&["run", "bills", "--target-only"]).await.exits(0);
    let rows: Joined = bi.conn.query(JOINED).await.unwrap();
    assert_eq!(rows, joined(30, &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn dependent_statements_in_the_embedded_database() {
    let stub = bill_source(12).await;
    let p = Project::new();
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    for sql in TABLES {
        db.execute_batch(&sql.replace("AUTO_INCREMENT", "AUTOINCREMENT")).unwrap();
    }
    plan(&p, &stub, bills());
    let a = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    balances(&a);
    let mut q = db.prepare(JOINED).unwrap();
    let rows: Joined = q
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, joined(12, &[]));
}

/// Rows of one database into another, paged and whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_a_source_too() {
    let p = Project::new();
    let mut bi = Bi::new("select").await;
    p.write("connectors/my.toml", &format!("platform = \"mysql\"\ndsn = \"{}\"\n", bi.dsn));
    p.write("connectors/lite.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    bi.conn
        .query_drop("CREATE TABLE stock (id BIGINT PRIMARY KEY, sum DECIMAL(40,20), at DATETIME(3), day DATE, t TIME, note TEXT, f BOOL)")
        .await
        .unwrap();
    for i in 0..2_345i64 {
        // Text built here is the test's own; what heliu writes is always bound.
        bi.conn
            .query_drop(format!(
                "INSERT INTO stock VALUES ({}, {}.00000000000000000001, '2026-03-01 10:00:00.250', '2026-03-0{}', '26:30:01', '备注 {i} 😀', {})",
                9_007_199_254_740_993 + i, i, i % 9 + 1, i % 2
            ))
            .await
            .unwrap();
    }
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let make = "CREATE TABLE stock (id INTEGER PRIMARY KEY, sum TEXT, at TEXT, day TEXT, t TEXT, note TEXT, f INTEGER)";
    db.execute_batch(make).unwrap();
    let columns = ["id", "sum", "at", "day", "t", "note", "f"];
    let request: Vec<Value> = columns.iter().map(|c| item(c, &format!("{{{c}}}"))).collect();
    let into = |table: &str| {
        json!({"connector": "lite", "metadata": {"api": "batchexecute", "request": request, "otherRequest": [
            item("main_sql", &format!("REPLACE INTO {table} ({}) VALUES", columns.join(",")))]}})
    };
    let paged = json!({"api": "select", "id": "id", "number": "id", "pagination": {"pageSize": 500}, "request": [
        {"field": "main_params", "type": "object", "children": [
            item("limit", "{{PAGINATION_PAGE_SIZE}}"), item("offset", "{{PAGINATION_START_ROW}}"), item("least", "0")]}],
        "otherRequest": [item("main_sql", "SELECT * FROM stock WHERE sum >= :least ORDER BY id LIMIT :limit OFFSET :offset")]});
    p.plan("paged", &json!({"source": {"connector": "my", "metadata": paged}, "target": into("stock")}));
    p.run(&["check"]).await.exits(0);
    let a = p.run(&["run", "paged", "--json"]).await.exits(0).json();
    balances(&a);
    assert_eq!(number(&a, "/source/returned"), 2_345);
    let row: (i64, String, String, String, String, String, i64) = db
        .query_row("SELECT * FROM stock WHERE id = 9007199254740994", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?))
        })
        .unwrap();
    let text = |s: &str| s.to_owned();
    assert_eq!(
        row,
        (
            9_007_199_254_740_994,
            text("1.00000000000000000001"),
            text("2026-03-01 10:00:00.250000"),
            text("2026-03-02"),
            text("26:30:01"),
            text("备注 1 😀"),
            1
        )
    );
    // Whole, from the embedded one into another table of it, with a window in the statement.
    db.execute_batch(&make.replace("stock", "copy")).unwrap();
    let whole = json!({"api": "select", "id": "id", "otherRequest": [
        item("main_sql", "SELECT * FROM stock WHERE at < '{{CURRENT_TIME|datetime}}' ORDER BY id")]});
    p.plan("whole", &json!({"source": {"connector": "lite", "metadata": whole}, "target": into("copy")}));
    let a = p
        .run(&["run", "whole", "--to", "2027-01-01 00:00:00", "--from", "2026-01-01 00:00:00", "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!(number(&a, "/source/returned"), 2_345);
    let differing: i64 = db
        .query_row("SELECT COUNT(*) FROM (SELECT * FROM stock EXCEPT SELECT * FROM copy)", [], |r| r.get(0))
        .unwrap();
    assert_eq!(differing, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_beyond_the_packet_limit_is_split_and_one_row_beyond_it_fails_alone() {
    let server = MariaDb::start(&["--max-allowed-packet=65536"]).unwrap();
    let dsn = server.dsn("bi");
    let mut conn = Conn::new(Opts::from_url(&dsn).unwrap()).await.unwrap();
    // As statements of several rows, and as one command with all rows.
    for rows in [40u64, 140] {
        let stub = Stub::new(move |_| {
            let note = |i| "字".repeat(if i == 17 { 40_000 } else { 3_000 });
            let list: Vec<Value> = (0..rows).map(|i| json!({"id": i, "no": "x", "note": note(i)})).collect();
            Reply::json(&json!(list))
        })
        .await;
        let p = Project::new();
        p.write("connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{dsn}\"\n"));
        conn.query_drop("CREATE OR REPLACE TABLE big (id INT PRIMARY KEY, note MEDIUMTEXT)").await.unwrap();
        plan(
            &p,
            &stub,
            json!({"connector": "bi", "metadata": {"api": "batchexecute", "request": [item("id", "{id}"), item("note", "{note}")],
            "otherRequest": [item("main_sql", "REPLACE INTO big (id, note) VALUES")]}}),
        );
        let a = p.run(&["run", "bills", "--json"]).await.exits(1).json();
        balances(&a);
        assert_eq!((number(&a, "/target/written"), number(&a, "/target/failed")), (rows - 1, 1), "{a}");
        let failed = p.run(&["records", "bills", "--state", "failed", "--json"]).await.exits(0).json();
        assert_eq!(
            (failed["id"].as_str(), failed["code"].as_str()),
            (Some("17"), Some("HL-5025")),
            "{failed}"
        );
        let lengths: Vec<(i64, i64)> =
            conn.query("SELECT id, CHAR_LENGTH(note) FROM big ORDER BY id").await.unwrap();
        assert!(lengths.len() as u64 == rows - 1 && lengths.iter().all(|l| l.1 == 3_000), "{lengths:?}");
    }
}

/// The connection is ended by the server in the middle of the writing, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ends_cost_no_row_and_double_none() {
    for (statement, table) in [
        ("REPLACE INTO much (id, no) VALUES", "CREATE TABLE much (id INT PRIMARY KEY, no VARCHAR(20))"),
        ("INSERT INTO much (id, no) VALUES", "CREATE TABLE much (id INT PRIMARY KEY, no VARCHAR(20))"),
    ] {
        let pages = Arc::new(AtomicUsize::new(0));
        let served = pages.clone();
        let stub = Stub::new(move |s| {
            served.fetch_add(1, Ordering::SeqCst);
            let page = s.number("page", 1);
            let list: Vec<Value> = (1..=100)
                .map(|i| (page - 1) * 100 + i)
                .map(|i| json!({"id": i, "no": format!("n{i}")}))
                .collect();
            Reply::json(&json!({"list": if page > 60 { Vec::new() } else { list }, "total": 6000}))
        })
        .await;
        let p = Project::new();
        let bi = Bi::new("ended").await;
        connect(&p, &bi);
        let mut root = bi.conn;
        root.query_drop(table).await.unwrap();
        p.write("connectors/api.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", stub.url));
        let source = json!({"api": "/x", "method": "GET", "id": "id", "number": "no", "pagination": {"pageSize": 100},
            "request": [item("page", "{PAGINATION_START_PAGE}"), item("pageSize", "{PAGINATION_PAGE_SIZE}")]});
        let target = json!({"connector": "bi", "metadata": {"api": "batchexecute", "request": [item("id", "{id}"), item("no", "{no}")],
            "otherRequest": [item("main_sql", statement)]}});
        p.plan("much", &json!({"retries": 20, "batchSize": 100, "source": {"connector": "api", "metadata": source}, "target": target}));
        let mut child = p.start(&["run", "much", "--json"]);
        let (mut ended, mut at) = (0, 0);
        while child.try_wait().unwrap().is_none() && ended < 6 {
            let now = pages.load(Ordering::SeqCst);
            if now < at + 6 {
                tokio::task::yield_now().await;
                continue;
            }
            at = now;
            let ids: Vec<u64> = root
                .query("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = DATABASE()")
                .await
                .unwrap();
            for id in ids {
                // It may be gone already.
                let _ = root.query_drop(format!("KILL {id}")).await;
                ended += 1;
            }
        }
        let output = child.wait_with_output().await.unwrap();
        let mut code = output.status.code();
        for _ in 0..5 {
            if code != Some(3) {
                break;
            }
            code = Some(p.run(&["run", "much", "--json"]).await.code);
        }
        assert_eq!(code, Some(0), "{statement}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(ended > 0, "no connection was ended");
        let (count, distinct): (u64, u64) =
            root.query_first("SELECT COUNT(*), COUNT(DISTINCT id) FROM much").await.unwrap().unwrap();
        assert_eq!((count, distinct), (6_000, 6_000), "{statement}");
        let proof = p.run(&["certificate", "much", "--json"]).await.exits(0).json();
        assert_eq!(proof["balanced"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_else_holds_is_waited_for() {
    let stub = Stub::new(|_| Reply::json(&json!([{"id": 1, "no": "new"}, {"id": 2, "no": "new"}]))).await;
    let p = Project::new();
    let server = MariaDb::start(&["--innodb-lock-wait-timeout=1"]).unwrap();
    let dsn = server.dsn("bi");
    p.write("connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{dsn}\"\n"));
    let mut other = Conn::new(Opts::from_url(&dsn).unwrap()).await.unwrap();
    other.query_drop("CREATE TABLE held (id INT PRIMARY KEY, no VARCHAR(20))").await.unwrap();
    other.query_drop("INSERT INTO held VALUES (1, 'old')").await.unwrap();
    other.query_drop("START TRANSACTION").await.unwrap();
    other.query_drop("UPDATE held SET no = 'mine' WHERE id = 1").await.unwrap();
    plan(
        &p,
        &stub,
        json!({"connector": "bi", "metadata": {"api": "batchexecute", "request": [item("id", "{id}"), item("no", "{no}")],
            "otherRequest": [item("main_sql", "REPLACE INTO held (id, no) VALUES")]}}),
    );
    let a = p.run(&["run", "bills", "--json"]).await.exits(3).json();
    assert_eq!(a["error"]["vendor_code"], "1205", "{a}");
    // Nothing is to blame on the records: what shares a batch with the held one waits, no row fails.
    let (written, waiting) = (number(&a, "/target/written"), number(&a, "/target/waiting"));
    assert!(waiting >= 1 && written + waiting == 2, "{a}");
    other.query_drop("COMMIT").await.unwrap();
    let b = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    balances(&b);
    let rows: Vec<(i64, String)> = other.query("SELECT id, no FROM held ORDER BY id").await.unwrap();
    assert_eq!(rows, [(1, "new".to_owned()), (2, "new".to_owned())]);
}
