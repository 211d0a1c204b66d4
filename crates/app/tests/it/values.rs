//! Values on their way into databases: digits, letters, emptiness, and rows that a table refuses.

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::mysql::{Bi, connect};
use crate::stub::{Reply, Stub};

/// Documents as raw text, so that nothing of a test's own rounds them.
const DOCUMENTS: &str = r#"{"code":0,"data":{"list":[
 {"id":7318405112006000001,"no":"A-1","sum":12345678901234567890.12345678901234567890,"qty":"99999999999999999999",
  "at":"2026-02-28 23:59:59","note":"表情 😀🧾 \u0000 null","ok":true,"lines":[{"p":1.50},{"p":2}]},
 {"id":7318405112006000002,"no":"","sum":"-0.00000000000000000001","qty":1e3,"at":"","note":"","ok":false,"lines":{}},
 {"id":"7318405112006000003","no":"C","sum":null,"qty":-7,"at":null,"note":"O'Brien \\ \"x\" ; DROP TABLE docs","ok":1,"lines":null},
 {"id":18446744073709551615,"no":"D","sum":0,"qty":"0","at":"2026-02-28","note":"\u2028\ufeff","ok":0,"lines":[]}]}}"#;

const COLUMNS: [&str; 8] = ["id", "no", "sum", "qty", "at", "note", "ok", "lines"];

fn target(statement: &str) -> Value {
    let request: Vec<Value> =
        COLUMNS.iter().map(|c| json!({"field": c, "value": format!("{{{c}}}")})).collect();
    let columns = COLUMNS.map(|c| format!("`{c}`")).join(", ");
    json!({"connector": "bi", "metadata": {"api": "batchexecute", "request": request, "otherRequest": [
        {"field": "main_sql", "value": statement.replace("COLUMNS", &columns)}, {"field": "limit", "value": "500"}]}})
}

fn plan(p: &Project, stub: &Stub, target: Value) {
    p.write("connectors/api.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", stub.url));
    p.plan(
        "docs",
        &json!({"source": {"connector": "api", "metadata": {"api": "/docs", "method": "GET", "id": "id", "number": "no"}},
            "target": target}),
    );
}

async fn table(bi: &mut Bi) {
    bi.conn
        .query_drop(
            "CREATE TABLE docs (id BIGINT UNSIGNED PRIMARY KEY, no VARCHAR(20) NOT NULL, sum DECIMAL(45,20), qty DECIMAL(30,0) NOT NULL,
             at DATETIME NULL, note TEXT, ok TINYINT, `lines` LONGTEXT)",
        )
        .await
        .unwrap();
}

/// Many rows go with one command where each column has one type; few rows, and columns of several types, do not.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_at_once_arrive_as_few_do() {
    // `qty` is whole in the first documents, and has digits behind the point in the others.
    for mixed in [false, true] {
        let document = move |i: i64| {
            let qty = if mixed && i % 2 == 0 { json!(format!("{i}")) } else { json!(i * 1_000_000_007) };
            json!({"id": i, "no": format!("N{i}"), "sum": if i < 3 { json!(null) } else { json!(format!("{i}.50")) },
                "qty": qty, "at": if i % 3 == 0 { String::new() } else { format!("2026-02-{:02} 23:59:59", i % 28 + 1) },
                "note": format!("O'Brien \\ \"{i}\" 😀 \u{0} {}", "字".repeat(i as usize * 7)), "ok": i % 2 == 0,
                "lines": [{"p": i}]})
        };
        let stub = Stub::new(move |_| Reply::json(&json!((1..=400).map(document).collect::<Vec<_>>()))).await;
        let p = Project::new();
        let mut bi = Bi::new("many").await;
        connect(&p, &bi);
        table(&mut bi).await;
        bi.run("CREATE TABLE few LIKE docs").await;
        for (name, limit) in [("docs", "500"), ("few", "10")] {
            let mut target = target(&format!("REPLACE INTO {name} (COLUMNS) VALUES"));
            target["metadata"]["otherRequest"][1]["value"] = json!(limit);
            plan(&p, &stub, target);
            let a = p.run(&["run", "docs", "--json"]).await.exits(0).json();
            balances(&a);
            assert_eq!(number(&a, "/target/written"), 400, "{a}");
            // What is refused as a whole and goes through by halves would be no success.
            let calls = p.run(&["calls", "docs", "--limit", "1000", "--json"]).await.exits(0).lines();
            let refused: Vec<&Value> = calls.iter().filter(|c| !c["error"].is_null()).collect();
            assert!(calls.len() > 1 && refused.is_empty(), "{refused:?}");
            p.run(&["records", "docs", "--limit", "1"]).await.exits(0);
            std::fs::remove_dir_all(p.path().join(".heliu")).unwrap();
        }
        let counts: Option<(i64, i64, i64, String)> = bi
            .conn
            .query_first(
                "SELECT (SELECT COUNT(*) FROM docs), (SELECT COUNT(*) FROM (SELECT * FROM docs EXCEPT SELECT * FROM few) a),
                 (SELECT COUNT(*) FROM docs WHERE (at IS NULL) = (id % 3 = 0) AND (sum IS NULL) = (id < 3)
                    AND qty = IF(?, IF(id % 2, id * 1000000007, id), id * 1000000007) AND ok = (id % 2 = 0)
                    AND CHAR_LENGTH(note) = 17 + CHAR_LENGTH(id) + id * 7 AND note LIKE CONCAT('%\"', id, '\" 😀 %')
                    AND sum <=> IF(id < 3, NULL, id + 0.5)), (SELECT `lines` FROM docs WHERE id = 3)"
                    .replace('?', if mixed { "1" } else { "0" }),
            )
            .await
            .unwrap();
        assert_eq!(counts, Some((400, 0, 400, r#"[{"p":3}]"#.to_owned())), "mixed {mixed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_letters_and_emptiness_arrive_exactly_in_mariadb() {
    let stub = Stub::new(|_| Reply::text(200, DOCUMENTS)).await;
    let p = Project::new();
    let mut bi = Bi::new("values").await;
    connect(&p, &bi);
    table(&mut bi).await;
    plan(&p, &stub, target("REPLACE INTO docs (COLUMNS) VALUES"));
    let a = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&a);
    let text = "SELECT CAST(id AS CHAR), no, CAST(sum AS CHAR), CAST(qty AS CHAR), CAST(at AS CHAR), HEX(note), CAST(ok AS CHAR), `lines`
                FROM docs ORDER BY id";
    let rows: Vec<mysql_async::Row> = bi.conn.query(text).await.unwrap();
    let rows: Vec<Vec<Option<String>>> =
        rows.into_iter().map(|r| (0..8).map(|i| r.get::<Option<String>, _>(i).unwrap()).collect()).collect();
    let hex = |s: &str| s.bytes().map(|b| format!("{b:02X}")).collect::<String>();
    let row = |cells: [Option<&str>; 8]| cells.map(|c| c.map(str::to_owned)).to_vec();
    assert_eq!(
        rows,
        vec![
            row([
                Some("7318405112006000001"),
                Some("A-1"),
                Some("12345678901234567890.12345678901234567890"),
                Some("99999999999999999999"),
                Some("2026-02-28 23:59:59"),
                Some(&hex("表情 😀🧾 \0 null")),
                Some("1"),
                Some(r#"[{"p":1.50},{"p":2}]"#),
            ]),
            row([
                Some("7318405112006000002"),
                Some(""),
                Some("-0.00000000000000000001"),
                Some("1000"),
                None,
                Some(""),
                Some("0"),
                Some("{}"),
            ]),
            row([
                Some("7318405112006000003"),
                Some("C"),
                None,
                Some("-7"),
                None,
                Some(&hex("O'Brien \\ \"x\" ; DROP TABLE docs")),
                Some("1"),
                None,
            ]),
            row([
                Some("18446744073709551615"),
                Some("D"),
                Some("0.00000000000000000000"),
                Some("0"),
                Some("2026-02-28 00:00:00"),
                Some(&hex("\u{2028}\u{feff}")),
                Some("0"),
                Some("[]"),
            ]),
        ]
    );
    // The same again is nothing new, digit for digit.
    let again = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_table_refuses_fail_alone_each_with_its_reason() {
    let bad = [
        (r#""at":"2026-13-40""#, "1292"),
        (r#""sum":"abc""#, "1366"),
        (r#""no":"a text that is longer than twenty letters""#, "1406"),
        (r#""qty":"""#, "HL-5029"),
        (r#""qty":null"#, "1048"),
        (r#""ok":999"#, "1264"),
    ];
    let list: Vec<String> = (0..60)
        .map(|i| {
            let plain = format!(
                r#""id":{},"no":"n{i}","sum":1.10,"qty":{i},"at":"2026-01-01 00:00:00","note":"x","ok":1"#,
                1000 + i
            );
            match bad.get(i / 10).filter(|_| i % 10 == 7) {
                Some((member, _)) => {
                    let key = member.split(':').next().unwrap();
                    let kept: Vec<&str> = plain.split(',').filter(|m| !m.starts_with(key)).collect();
                    format!("{{{},{member}}}", kept.join(","))
                }
                None => format!("{{{plain}}}"),
            }
        })
        .collect();
    let body = format!("[{}]", list.join(","));
    let stub = Stub::new(move |_| Reply::text(200, &body)).await;
    let p = Project::new();
    let mut bi = Bi::new("refused").await;
    connect(&p, &bi);
    table(&mut bi).await;
    plan(&p, &stub, target("INSERT INTO docs (COLUMNS) VALUES ON DUPLICATE KEY UPDATE note = VALUES(note)"));
    let a = p.run(&["run", "docs", "--json"]).await.exits(1).json();
    balances(&a);
    assert_eq!((number(&a, "/target/written"), number(&a, "/target/failed")), (54, 6));
    let failed = p.run(&["records", "docs", "--state", "failed", "--json"]).await.exits(0).lines();
    for (i, (_, reason)) in bad.iter().enumerate() {
        let id = (1000 + i * 10 + 7).to_string();
        let r = failed.iter().find(|r| r["id"] == id.as_str()).unwrap_or_else(|| panic!("{id}: {failed:?}"));
        assert!(format!("{} {}", r["code"], r["reason"]).contains(reason), "{reason}: {r}");
    }
    let ids: Vec<u64> = bi.conn.query("SELECT id FROM docs ORDER BY id").await.unwrap();
    let wanted: Vec<u64> = (0..60).filter(|i| i % 10 != 7).map(|i| 1000 + i).collect();
    assert_eq!(ids, wanted);
    // The plan's state stays until somebody acts; the unchanged source does not clear it.
    p.run(&["run", "docs"]).await.exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_without_id_are_rejected_once_and_doubles_in_a_page_counted_once() {
    let body = r#"[{"id":1,"no":"a"},{"no":"none"},{"id":null,"no":"null"},{"id":"","no":"empty"},{"id":1,"no":"a"},
                   {"id":2,"no":"b"},{"id":2,"no":"B"},{"id":{"a":1},"no":"object"}]"#;
    let stub = Stub::new(move |_| Reply::text(200, body)).await;
    let p = Project::new();
    p.write("connectors/qeasy.toml", "platform = \"heliu\"\n");
    plan(&p, &stub, json!({"connector": "qeasy", "metadata": {"api": "空操作"}}));
    let a = p.run(&["run", "docs", "--json"]).await.exits(1).json();
    balances(&a);
    assert_eq!((number(&a, "/records/rejected"), number(&a, "/source/repeated")), (4, 1), "{a}");
    assert_eq!(a["problems"][0]["code"], "HL-7020", "{a}");
    let rejected = p.run(&["records", "docs", "--state", "rejected", "--json"]).await.exits(0).lines();
    assert!(
        rejected.len() == 4 && rejected.iter().all(|r| r["id"].is_null() && r["code"].is_string()),
        "{rejected:?}"
    );
    // They are known now: a run that finds them again has nothing new to say.
    let again = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&again);
    assert_eq!(number(&again, "/target/written"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_that_the_embedded_database_would_round_are_refused() {
    let body = r#"[{"id":1,"sum":12345678901234567890.12},{"id":2,"sum":"1234567890.123456"},{"id":3,"sum":9223372036854775807},
                   {"id":4,"sum":"1234567890123.45"},{"id":5,"sum":"12345678901234567890 A"},{"id":6,"sum":1.5000000000000000000},
                   {"id":7,"qty":0.12345678901234567890}]"#;
    let stub = Stub::new(move |_| Reply::text(200, body)).await;
    let p = Project::new();
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch(
        "CREATE TABLE docs (id INTEGER PRIMARY KEY, no TEXT, sum DECIMAL(30,4), qty DOUBLE, at TEXT, note TEXT, ok INTEGER, lines TEXT)",
    )
    .unwrap();
    plan(&p, &stub, target("INSERT OR REPLACE INTO docs (COLUMNS) VALUES"));
    let a = p.run(&["run", "docs", "--json"]).await.exits(1).json();
    balances(&a);
    let failed = p.run(&["records", "docs", "--state", "failed", "--json"]).await.exits(0).lines();
    let of: Vec<_> =
        failed.iter().map(|r| (r["id"].as_str().unwrap(), r["code"].as_str().unwrap())).collect();
    assert_eq!(of, [("1", "HL-5034"), ("2", "HL-5034")]);
    let rows: Vec<(i64, Option<String>)> = db
        .prepare("SELECT id, CAST(sum AS TEXT) FROM docs ORDER BY id")
        .unwrap()
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let text = |s: &str| Some(s.to_owned());
    assert_eq!(
        rows,
        [
            (3, text("9223372036854775807")),
            (4, text("1234567890123.45")),
            (5, text("12345678901234567890 A")),
            (6, text("1.5")),
            (7, None)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_text_in_the_embedded_database_follows_the_column() {
    let body = r#"[{"id":1,"no":"","sum":"","qty":2},{"id":2,"no":"x","sum":1.50,"qty":""},
                   {"id":3,"no":"表","sum":12345678901234567890.12345678901234567890,"qty":true}]"#;
    let stub = Stub::new(move |_| Reply::text(200, body)).await;
    let p = Project::new();
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch(
        "CREATE TABLE docs (id INTEGER PRIMARY KEY, no TEXT, sum TEXT, qty INTEGER NOT NULL, at TEXT, note TEXT, ok INTEGER, lines TEXT)",
    )
    .unwrap();
    plan(&p, &stub, target("INSERT OR REPLACE INTO docs (COLUMNS) VALUES"));
    let a = p.run(&["run", "docs", "--json"]).await.exits(1).json();
    balances(&a);
    let failed = p.run(&["records", "docs", "--state", "failed", "--json"]).await.exits(0).json();
    assert_eq!((failed["id"].as_str(), failed["code"].as_str()), (Some("2"), Some("HL-5029")));
    let rows: Vec<(i64, String, String, i64)> = db
        .prepare("SELECT id, no, sum, qty FROM docs ORDER BY id")
        .unwrap()
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let text = |s: &str| s.to_owned();
    assert_eq!(
        rows,
        [(1, text(""), text(""), 2), (3, text("表"), text("12345678901234567890.12345678901234567890"), 1)]
    );
}
