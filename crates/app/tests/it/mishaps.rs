//! The ledger's file goes away under a running process; the database is killed, or the connection cut, in the middle of
//! a batch.

use heliu_sandbox::Sandbox;
use heliu_testkit::mariadb::MariaDb;
use heliu_torture::proxy::{Proxy, Sent, Then, Trap};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::harness::{Answer, Project, balances, number, sandbox};
use crate::mysql::Bi;
use crate::sqlite::{orders_source, orders_target, rows, same, sqlite_project, start, truth};

/// The orders' plan, with `verb` into their table.
fn orders(p: &Project, verb: &str, batch: u32) {
    let mut target = orders_target();
    let sql = target["metadata"]["otherRequest"][0]["value"].as_str().unwrap().replace("REPLACE", verb);
    target["metadata"]["otherRequest"][0]["value"] = sql.into();
    p.plan(
        "orders",
        &json!({"start": start(), "batchSize": batch, "source": orders_source("io_id"), "target": target}),
    );
}

/// The same command until it need not be given again.
async fn through(p: &Project) -> Value {
    for _ in 0..20 {
        let a = p.run(&["run", "orders", "--json"]).await;
        if a.code != 3 {
            return a.exits(0).json();
        }
    }
    panic!("twenty runs were not enough");
}

/// A run whose ledger goes away after some pages, by `away`; what it said.
async fn without_ledger(away: impl FnOnce(&Project)) -> (Sandbox, Project, Answer) {
    let sandbox = Sandbox::builder("jushuitan")
        .records(900)
        .limits(0, 0)
        .latency(std::time::Duration::from_millis(20))
        .listen("127.0.0.1:0")
        .await
        .unwrap();
    let p = sqlite_project(&sandbox);
    orders(&p, "REPLACE", 50);
    let child = p.start(&["run", "orders", "--json"]);
    while sandbox.calls() < 4 {
        tokio::task::yield_now().await;
    }
    away(&p);
    let calls = sandbox.calls();
    let output = child.wait_with_output().await.unwrap();
    let said = Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    let said = said.exits(3);
    assert_eq!(said.json()["error"]["code"], "HL-6014", "{said:?}");
    assert!(sandbox.calls() < calls + 6, "it went on for {} calls", sandbox.calls() - calls);
    (sandbox, p, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_moved_away_ends_the_run_and_put_back_resumes_it() {
    let moved = |p: &Project| {
        let data = p.path().join(".heliu");
        std::fs::rename(data.join("ledger.db"), data.join("elsewhere.db")).unwrap();
    };
    let (sandbox, p, said) = without_ledger(moved).await;
    assert!(said.json()["error"]["place"].as_str().unwrap().ends_with("ledger.db"), "{said:?}");
    let data = p.path().join(".heliu");
    std::fs::rename(data.join("elsewhere.db"), data.join("ledger.db")).unwrap();
    let run = through(&p).await;
    balances(&run);
    assert!(number(&run, "/source/calls") > 0 && run["complete"] == true, "{run}");
    same(&rows(&p), &truth(&sandbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_removed_or_replaced_ends_the_run_and_a_new_one_reads_everything() {
    for replaced in [false, true] {
        let gone = |p: &Project| {
            let data = p.path().join(".heliu");
            let other = data.join("other");
            if replaced {
                // A backup from before the plan ever ran.
                heliu_ledger::SqliteLedger::open(&other, &heliu_ledger::Options::default()).unwrap();
            }
            for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
                let _ = std::fs::remove_file(data.join(file));
            }
            if replaced {
                std::fs::rename(other.join("ledger.db"), data.join("ledger.db")).unwrap();
            }
        };
        let (sandbox, p, _) = without_ledger(gone).await;
        let run = through(&p).await;
        balances(&run);
        assert_eq!(number(&run, "/records/new"), 900, "{run}");
        same(&rows(&p), &truth(&sandbox));
        let proof = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
        assert_eq!(proof["balanced"], true);
    }
}

/// Orders into MariaDB, through a proxy.
async fn proxied(server: &MariaDb, verb: &str, batch: u32) -> (Sandbox, Project, Bi, Proxy) {
    let sandbox = sandbox(230, "").await;
    let p = sqlite_project(&sandbox);
    let bi = Bi::on(server, "cut").await;
    let proxy = Proxy::start(server.port()).await.unwrap();
    let (direct, through) = (format!(":{}/", server.port()), format!(":{}/", proxy.port()));
    let dsn = bi.dsn.replace(&direct, &through);
    p.write("connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{dsn}\"\n"));
    orders(&p, verb, batch);
    (sandbox, p, bi, proxy)
}

/// After the whole batch has been committed, or before the server has seen the end of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_around_a_commit_loses_no_row_and_doubles_none() {
    // One statement is its own transaction; 50 rows are several statements and a COMMIT.
    for (verb, batch, at) in [
        ("REPLACE", 32, Sent::Write),
        ("INSERT", 32, Sent::Write),
        ("REPLACE", 50, Sent::Commit),
        ("INSERT", 50, Sent::Commit),
    ] {
        for then in [Then::CutAfter, Then::CutBefore] {
            let (sandbox, p, mut bi, proxy) = proxied(MariaDb::shared(), verb, batch).await;
            proxy.set(Some(Trap { at, nth: 2, then }));
            let run = p.run(&["run", "orders", "--json"]).await.exits(0).json();
            assert_eq!(proxy.sprung(), 1, "{verb} {batch} {then:?}");
            balances(&run);
            assert_eq!(number(&run, "/target/written"), 230, "{verb} {batch} {then:?}: {run}");
            same(&bi.rows().await, &truth(&sandbox));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_commit_without_answer_is_a_doubt_and_nothing_is_sent_twice() {
    for then in [Then::CutAfter, Then::CutBefore] {
        let (sandbox, p, mut bi, proxy) = proxied(MariaDb::shared(), "INSERT", 50).await;
        bi.run("ALTER TABLE outbound DROP PRIMARY KEY").await;
        proxy.set(Some(Trap { at: Sent::Commit, nth: 2, then }));
        let run = p.run(&["run", "orders", "--json"]).await.exits(1).json();
        balances(&run);
        let doubted = number(&run, "/target/in_doubt");
        assert!(proxy.sprung() == 1 && (5..=50).contains(&doubted), "{then:?}: {run}");
        p.run(&["run", "orders", "--json"]).await.exits(1);
        let count: Option<u64> = bi.conn.query_first("SELECT COUNT(*) FROM outbound").await.unwrap();
        let there = if then == Then::CutAfter { 230 } else { 230 - doubted };
        assert_eq!(count, Some(there), "{then:?}");
        if then == Then::CutBefore {
            // A person has looked: they are not there.
            p.run(&["retry", "orders", "--state", "in_doubt"]).await.exits(0);
            p.run(&["run", "orders", "--json"]).await.exits(0);
        }
        same(&bi.rows().await, &truth(&sandbox));
    }
}

/// `kill -9` of the server while a statement is on its way, or was done and not answered; then it comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_in_the_middle_of_a_batch_loses_no_row_and_doubles_none() {
    let mut server = MariaDb::start(&[]).unwrap();
    for (verb, then) in [
        ("REPLACE", Then::HoldBefore),
        ("REPLACE", Then::HoldAfter),
        ("INSERT", Then::HoldBefore),
        ("INSERT", Then::HoldAfter),
    ] {
        let (sandbox, p, bi, proxy) = proxied(&server, verb, 32).await;
        proxy.set(Some(Trap { at: Sent::Write, nth: 3, then }));
        let child = p.start(&["run", "orders", "--json"]);
        proxy.springs(0).await;
        server.restart().unwrap();
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{verb} {then:?}: {output:?}");
        if output.status.code() == Some(3) {
            assert!(said.contains("HL-5020"), "{verb} {then:?}: {said}");
        }
        balances(&through(&p).await);
        let mut again = Bi { conn: Conn::new(Opts::from_url(&bi.dsn).unwrap()).await.unwrap(), dsn: bi.dsn };
        same(&again.rows().await, &truth(&sandbox));
        let states = p.run(&["status", "orders", "--json"]).await.exits(0).json();
        assert_eq!((&states["records"]["written"], &states["backlog"]), (&json!(230), &json!(0)), "{states}");
    }
}
