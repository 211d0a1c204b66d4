//! Databases as sources: their clocks, their zones, results that do not fit.

use heliu_testkit::mariadb::MariaDb;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::mysql::Bi;
use crate::stub::{Reply, Stub};

fn item(field: &str, value: &str) -> Value {
    json!({"field": field, "value": value})
}

/// A plan that reads the rows of `stock` whose time lies in the window, into a SQLite table of the same name.
fn stock(p: &Project, dsn: &str, more: &Value) {
    p.write("connectors/my.toml", &format!("platform = \"mysql\"\ndsn = \"{dsn}\"\n"));
    p.write("connectors/lite.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch("CREATE TABLE stock (id INTEGER PRIMARY KEY, at TEXT)").unwrap();
    let window =
        "SELECT * FROM stock WHERE at >= '{{LAST_SYNC_TIME|datetime}}' AND at < '{{CURRENT_TIME|datetime}}'";
    let source = json!({"connector": "my", "metadata":
        {"api": "select", "id": "id", "otherRequest": [item("main_sql", &format!("{window} ORDER BY id"))]}});
    let target = json!({"connector": "lite", "metadata": {"api": "batchexecute",
        "request": [item("id", "{id}"), item("at", "{at}")],
        "otherRequest": [item("main_sql", "REPLACE INTO stock (id, at) VALUES")]}});
    let mut plan = json!({"lookback": "0s", "source": source, "target": target});
    for (k, v) in more.as_object().unwrap() {
        plan[k] = v.clone();
    }
    p.plan("stock", &plan);
}

/// Rows get their times from the database: five minutes behind ours, they go on coming where we have already read.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_clock_is_behind_loses_no_row() {
    let p = Project::new();
    let mut bi = Bi::new("late").await;
    let base = bi.dsn.rsplit('/').next().unwrap().to_owned();
    // What a session's clock is, the server's greeting decides, except for those who may do everything.
    for sql in [
        "SET GLOBAL init_connect = \"SET timestamp = IF(CURRENT_USER() LIKE 'late@%', UNIX_TIMESTAMP() - 300, 0)\"",
        "CREATE USER IF NOT EXISTS late@'%' IDENTIFIED BY 'late'",
        &format!("GRANT ALL ON {base}.* TO late@'%'"),
        "CREATE TABLE stock (id BIGINT PRIMARY KEY, at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    ] {
        bi.conn.query_drop(sql).await.unwrap();
    }
    let (_, address) = bi.dsn.rsplit_once('@').unwrap();
    let late = format!("mysql://late:late@{address}");
    let told = async |id: i64| -> String {
        let mut conn = Conn::new(Opts::from_url(&late).unwrap()).await.unwrap();
        conn.query_drop("SET time_zone = '+08:00'").await.unwrap();
        conn.exec_drop("INSERT INTO stock (id) VALUES (?)", (id,)).await.unwrap();
        conn.query_first("SELECT CAST(NOW() AS CHAR)").await.unwrap().unwrap()
    };
    let hour = "SELECT DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 1 HOUR, '%Y-%m-%dT%H:%i:%sZ')";
    let start: Option<String> = bi.conn.query_first(hour).await.unwrap();
    stock(&p, &late, &json!({"start": start}));
    told(1).await;
    for id in 2..4 {
        let run = p.run(&["run", "stock", "--json"]).await.exits(0).json();
        balances(&run);
        assert_eq!(number(&run, "/records/new"), 1, "{run}");
        let mark = p.run(&["watermark", "stock", "--json"]).await.exits(0).json();
        let mark = chrono::DateTime::parse_from_rfc3339(mark["watermark"].as_str().unwrap()).unwrap();
        let now = chrono::NaiveDateTime::parse_from_str(&told(id).await, "%Y-%m-%d %H:%M:%S").unwrap();
        let off = (now - mark.naive_local()).num_seconds();
        assert!((0..90).contains(&off), "the watermark is {off} s behind the database's now");
    }
}

/// Fills a server's tables of zones, as far as it matters here.
async fn knows_berlin(bi: &mut Bi) {
    for sql in [
        "INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (9001, 'N')",
        "INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Europe/Berlin', 9001)",
        "INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation)
         VALUES (9001, 0, 3600, 0, 'CET'), (9001, 1, 7200, 1, 'CEST')",
        "INSERT INTO mysql.time_zone_transition (Time_zone_id, Transition_time, Transition_type_id)
         VALUES (9001, UNIX_TIMESTAMP('2026-03-29 01:00:00'), 1), (9001, UNIX_TIMESTAMP('2026-10-25 01:00:00'), 0)",
        "FLUSH TABLES",
    ] {
        bi.conn.query_drop(sql).await.unwrap();
    }
}

/// A plan in a zone whose clocks change names its window in that zone's time; the database has to read it so.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_in_the_database_means_the_plans_time_zone() {
    // A server of its own: what it knows of zones is the server's, not the test's.
    let server = MariaDb::start(&["--default-time-zone=+00:00"]).unwrap();
    let mut bi = Bi::on(&server, "zones").await;
    bi.conn.query_drop("CREATE TABLE stock (id BIGINT PRIMARY KEY, at TIMESTAMP NOT NULL)").await.unwrap();
    // Every quarter of an hour around the night in which 02:00 to 03:00 comes twice in Berlin (01:00 in UTC).
    let first = "2026-10-24 21:00:00";
    bi.conn.query_drop("SET time_zone = '+00:00'").await.unwrap();
    bi.conn
        .query_drop(format!(
            "INSERT INTO stock SELECT seq, '{first}' + INTERVAL 15 * seq MINUTE FROM seq_0_to_39"
        ))
        .await
        .unwrap();
    let p = Project::new();
    stock(&p, &bi.dsn, &json!({"timezone": "Europe/Berlin"}));
    let read = async |from: &str, to: &str| {
        p.run(&["run", "stock", "--from", from, "--to", to, "--json"]).await.exits(0).json()
    };
    // The server does not know the zone: it is said.
    let run = read("2026-10-24T21:00:00Z", "2026-10-24T22:00:00Z").await;
    let said = run["problems"].to_string();
    assert!(said.contains("Europe/Berlin") && said.contains("HL-3013"), "{run}");
    // Its tables are filled: summer until 01:00 in UTC, then winter.
    knows_berlin(&mut bi).await;
    // Borders in summer, in both of the doubled hours, and in winter.
    let borders = ["24T21:00", "24T22:10", "25T00:20", "25T00:40", "25T01:25", "25T01:50", "25T07:00"];
    for pair in borders.windows(2) {
        let run = read(&format!("2026-10-{}:00Z", pair[0]), &format!("2026-10-{}:00Z", pair[1])).await;
        balances(&run);
        assert!(!run["problems"].to_string().contains("HL-3013"), "{run}");
    }
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let missing: Vec<i64> = (0..40)
        .filter(|id| !db.prepare("SELECT 1 FROM stock WHERE id = ?1").unwrap().exists([id]).unwrap())
        .collect();
    assert_eq!(missing, [] as [i64; 0]);
}

/// The whole of a large table in one statement would take all memory there is; it is refused, with the way out.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_does_not_fit_is_refused_and_not_held() {
    let bi = Bi::new("large").await;
    let p = Project::new();
    stock(&p, &bi.dsn, &json!({}));
    let sql = "SELECT seq AS id, REPEAT('x', 1000000) AS at FROM seq_1_to_1000";
    let source = json!({"connector": "my", "metadata":
        {"api": "select", "id": "id", "otherRequest": [item("main_sql", sql)]}});
    let target = json!({"connector": "lite", "metadata": {"api": "batchexecute", "request": [item("id", "{id}")],
        "otherRequest": [item("main_sql", "REPLACE INTO stock (id) VALUES")]}});
    p.plan("large", &json!({"source": source, "target": target}));
    let said = p.run(&["run", "large", "--json"]).await.exits(3).json();
    assert_eq!(said["error"]["code"], "HL-5032", "{said}");
    assert!(said["error"]["hint"].as_str().unwrap().contains("LIMIT :limit OFFSET :offset"), "{said}");
}

/// What is written into a TIMESTAMP column is the instant that the plan means by a time without zone, whatever the
/// target connector's zone is; a DATETIME column and a SQLite file keep it as it is written.
#[tokio::test(flavor = "multi_thread")]
async fn times_without_zone_are_written_as_the_plan_means_them() {
    use chrono::TimeZone;
    let server = MariaDb::start(&["--default-time-zone=+03:00"]).unwrap();
    let mut bi = Bi::on(&server, "instants").await;
    let columns = "id INTEGER PRIMARY KEY, at TIMESTAMP NULL, local DATETIME NULL, run TIMESTAMP NULL";
    let stub = Stub::new(|_| Reply::json(&json!([{"id": 1, "at": "2026-07-08 02:30:00"}]))).await;
    let p = Project::new();
    p.write("connectors/api.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", stub.url));
    p.write(
        "connectors/bi.toml",
        &format!("platform = \"mysql\"\ndsn = \"{}\"\ntimezone = \"UTC\"\n", bi.dsn),
    );
    p.write("connectors/lite.toml", "platform = \"sqlite\"\npath = \"bi.db\"\ntimezone = \"UTC\"\n");
    let lite = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let zones = [("shanghai", None), ("bogota", Some("America/Bogota")), ("berlin", Some("Europe/Berlin"))];
    for (name, zone) in zones {
        bi.conn.query_drop(format!("CREATE TABLE {name} ({columns})")).await.unwrap();
        lite.execute_batch(&format!("CREATE TABLE {name} ({})", columns.replace("TIMESTAMP", "TEXT")))
            .unwrap();
        for connector in ["bi", "lite"] {
            let source =
                json!({"connector": "api", "metadata": {"api": "/things", "method": "GET", "id": "id"}});
            let target = json!({"connector": connector, "metadata": {"api": "batchexecute",
                "request": [item("id", "{id}"), item("at", "{at}"), item("local", "{at}"),
                            item("run", "{{CURRENT_TIME|datetime}}")],
                "otherRequest": [item("main_sql", &format!("REPLACE INTO {name} (id, at, local, run) VALUES"))]}});
            let mut plan = json!({"source": source, "target": target});
            if let Some(zone) = zone {
                plan["timezone"] = zone.into();
            }
            p.plan(&format!("{connector}-{name}"), &plan);
        }
    }
    // The server knows no names of zones: hours off is not written.
    let refused = p.run(&["run", "bi-berlin", "--json"]).await.exits(3).json();
    assert_eq!(refused["error"]["code"], "HL-5035", "{refused}");
    let n: Option<i64> = bi.conn.query_first("SELECT count(*) FROM berlin").await.unwrap();
    assert_eq!(n, Some(0));
    let checked = p.run(&["check", "bi-berlin", "--json"]).await.exits(0);
    assert!(checked.out.contains("HL-5035") && checked.out.contains("`at`, `run`"), "{checked:?}");
    knows_berlin(&mut bi).await;
    // All plans of one connector at once.
    let all = [
        "run",
        "bi-shanghai",
        "bi-bogota",
        "bi-berlin",
        "lite-shanghai",
        "lite-bogota",
        "lite-berlin",
        "--json",
    ];
    let told = p.run(&all).await.exits(0).lines();
    bi.conn.query_drop("SET time_zone = '+00:00'").await.unwrap();
    for (name, zone) in zones {
        let tz: chrono_tz::Tz = zone.unwrap_or("Asia/Shanghai").parse().unwrap();
        let meant = tz.with_ymd_and_hms(2026, 7, 8, 2, 30, 0).unwrap();
        let end = |connector: &str| {
            let run = told.iter().find(|r| r["plan"] == format!("{connector}-{name}")).unwrap();
            chrono::DateTime::parse_from_rfc3339(run["window"]["to"].as_str().unwrap()).unwrap()
        };
        let found: Option<(i64, String, i64)> = bi
            .conn
            .query_first(format!(
                "SELECT UNIX_TIMESTAMP(at), CAST(local AS CHAR), UNIX_TIMESTAMP(run) FROM {name}"
            ))
            .await
            .unwrap();
        let wanted = (meant.timestamp(), "2026-07-08 02:30:00".to_owned(), end("bi").timestamp());
        assert_eq!(found, Some(wanted), "{name}");
        let kept: (String, String, String) = lite
            .query_row(&format!("SELECT at, local, run FROM {name}"), [], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?))
            })
            .unwrap();
        let at = "2026-07-08 02:30:00".to_owned();
        let run = end("lite").with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string();
        assert_eq!(kept, (at.clone(), at, run), "{name}");
    }
}
