//! A process that is stopped (SIGSTOP) while it runs a plan, and goes on (SIGCONT) after a successor has written.

use heliu_sandbox::{Kind, Mutation, Sandbox};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::harness::{Answer, Project, balances, number};
use crate::mysql::{Bi, connect};
use crate::serve::{local_plan, local_project};
use crate::sqlite::{orders_source, orders_target, same, sqlite_project, start, truth};

async fn world(name: &str, records: u32, latency_ms: u64) -> (Sandbox, Project, Bi) {
    let sandbox = Sandbox::builder("jushuitan")
        .records(records)
        .limits(0, 0)
        .latency(std::time::Duration::from_millis(latency_ms))
        .listen("127.0.0.1:0")
        .await
        .unwrap();
    let p = sqlite_project(&sandbox);
    // So that nobody has to wait two minutes for the stopped process's lease.
    p.write("heliu.toml", "[ledger]\nlease = \"2s\"\n");
    let bi = Bi::new(name).await;
    connect(&p, &bi);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    (sandbox, p, bi)
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// Stops the process, but not in the middle of a transaction of the ledger: whoever stands still there with its lock is
/// named and waited for, which is another story (`a_lock_that_stays_is_an_error_that_names_its_holder`).
fn stop(p: &Project, child: &Child) {
    let stat = format!("/proc/{}/stat", child.id().unwrap());
    loop {
        signal(child, "-STOP");
        while !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
        let ledger = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
        ledger.busy_timeout(std::time::Duration::ZERO).unwrap();
        if ledger.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return;
        }
        signal(child, "-CONT");
    }
}

/// Runs the plan as soon as the lease of the stopped process has ended.
async fn successor(p: &Project) -> Value {
    loop {
        let a = p.run(&["run", "orders", "--json"]).await;
        let v = a.json();
        if v["error"]["code"] != "HL-7001" {
            return a.exits(0).json();
        }
    }
}

fn change(sandbox: &Sandbox, ids: &[i64]) {
    for id in ids {
        let mut fields = serde_json::Map::new();
        fields.insert("so_id".into(), format!("newer-{id}").into());
        sandbox.mutate(Mutation::Change { kind: Kind::Order, id: *id, fields }).unwrap();
    }
}

async fn ended(child: Child) -> Answer {
    let output = child.wait_with_output().await.unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// It neither committed nor wrote anything after it went on.
fn fenced(a: &Answer) {
    assert_eq!(a.code, 3, "{a:#?}");
    assert_eq!(a.json()["error"]["code"], "HL-6005", "{a:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_with_a_statement_on_its_way() {
    let (sandbox, p, mut bi) = world("stopped", 60, 0).await;
    let mut looker = Conn::new(Opts::from_url(&bi.dsn).unwrap()).await.unwrap();
    // Every insert waits for this transaction.
    bi.conn.query_drop("START TRANSACTION").await.unwrap();
    bi.conn.query_drop("SELECT * FROM outbound FOR UPDATE").await.unwrap();
    let first = p.start(&["run", "orders", "--json"]);
    let schema = bi.dsn.rsplit('/').next().unwrap().to_owned();
    let mine = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{schema}' AND info LIKE 'REPLACE INTO outbound%'"
    );
    let writers: Vec<u64> = loop {
        let ids: Vec<u64> = looker.query(&mine).await.unwrap();
        if !ids.is_empty() {
            break ids;
        }
    };
    stop(&p, &first);
    let ids: Vec<i64> = sandbox.truth().orders.keys().copied().collect();
    change(&sandbox, &ids);
    let release = async {
        // Not before the successor has thrown the old connections out: then their statements are gone too.
        loop {
            let still: Vec<u64> = looker.query(&mine).await.unwrap();
            if writers.iter().all(|w| !still.contains(w)) {
                break;
            }
        }
        bi.conn.query_drop("ROLLBACK").await.unwrap();
    };
    let (resumed, ()) = tokio::join!(successor(&p), release);
    balances(&resumed);
    // The frozen window may have been read before the change: another run reads what is newer.
    let newer = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    balances(&newer);
    same(&bi.rows().await, &truth(&sandbox));
    signal(&first, "-CONT");
    fenced(&ended(first).await);
    same(&bi.rows().await, &truth(&sandbox));
    let proof = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
    assert_eq!(proof["run"], newer["run"], "the stopped process left no run behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_between_two_batches() {
    let (sandbox, p, mut bi) = world("between", 1_500, 25).await;
    let first = p.start(&["run", "orders", "--json"]);
    loop {
        let n: Option<u64> = bi.conn.query_first("SELECT COUNT(*) FROM outbound").await.unwrap();
        if n.unwrap_or(0) > 0 {
            break;
        }
    }
    stop(&p, &first);
    let written: Option<u64> = bi.conn.query_first("SELECT COUNT(*) FROM outbound").await.unwrap();
    assert!(written.unwrap() < 1_500, "it was stopped in the middle");
    let ids: Vec<i64> = sandbox.truth().orders.keys().copied().step_by(3).collect();
    change(&sandbox, &ids);
    balances(&successor(&p).await);
    let newer = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    balances(&newer);
    same(&bi.rows().await, &truth(&sandbox));
    signal(&first, "-CONT");
    fenced(&ended(first).await);
    same(&bi.rows().await, &truth(&sandbox));
    let again = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (1_500, 0));
}

/// A plan over two local tables, of which the target has a key or none; and the process that stands still at `at`.
async fn halted(at: &str, statement: &str, table: &str) -> (Project, Child) {
    let p = local_project(40);
    p.write("heliu.toml", "[ledger]\nlease = \"2s\"\n");
    let bi = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    bi.execute_batch(&format!("DROP TABLE t; CREATE TABLE t ({table})")).unwrap();
    let mut plan = local_plan("");
    plan["target"]["metadata"]["otherRequest"][0]["value"] =
        json!(format!("{statement} INTO t (id, name) VALUES"));
    p.plan("rows", &plan);
    loop {
        let first = p.command(&["run", "rows", "--json"]).env("HELIU_STOP_AT", at).spawn().unwrap();
        let stat = format!("/proc/{}/stat", first.id().unwrap());
        while !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
        // A sign of life may have been on its way into the ledger: another one takes over and stops at the same place.
        let ledger = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
        ledger.busy_timeout(std::time::Duration::ZERO).unwrap();
        if ledger.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return (p, first);
        }
        signal(&first, "-KILL");
        ended(first).await;
    }
}

fn named(p: &Project) -> Vec<(i64, String)> {
    let bi = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let mut q = bi.prepare("SELECT id, name FROM t ORDER BY id, name").unwrap();
    let list = q.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    list.map(Result::unwrap).collect()
}

/// Every row of the source gets another name.
fn rename(p: &Project) -> Vec<(i64, String)> {
    let src = rusqlite::Connection::open(p.path().join("src.db")).unwrap();
    src.execute("UPDATE t SET name = 'newer ' || id", []).unwrap();
    (1..=40).map(|i| (i, format!("newer {i}"))).collect()
}

/// Reads only, as soon as the lease of the stopped process has ended; then what is newer.
async fn read_anew(p: &Project) {
    loop {
        let a = p.run(&["run", "rows", "--source-only", "--json"]).await;
        if a.json()["error"]["code"] != "HL-7001" {
            a.exits(0);
            break;
        }
    }
    balances(&p.run(&["run", "rows", "--source-only", "--json"]).await.exits(0).json());
}

fn runs(p: &Project) -> i64 {
    let ledger = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    ledger.query_row("SELECT count(*) FROM runs", [], |r| r.get(0)).unwrap()
}

fn epoch(p: &Project) -> i64 {
    let ledger = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    ledger.query_row("SELECT max(epoch) FROM runs", [], |r| r.get(0)).unwrap()
}

const KEYED: &str = "id INTEGER PRIMARY KEY, name TEXT";

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_of_a_file_that_stood_still_writes_nothing_old_over_anything_new() {
    // Before it has the file's lock, between that and the question whether the run is still its own, between that and
    // the write, and after the write.
    for at in ["target/hold/before", "target/hold/after", "target/write/before", "target/write/after"] {
        let (p, first) = halted(at, "REPLACE", KEYED).await;
        let newer = rename(&p);
        read_anew(&p).await;
        let before = runs(&p);
        let writer = p.start(&["run", "rows", "--target-only", "--json"]);
        let waits = ["target/hold/after", "target/write/before"].contains(&at);
        let (old, new) = if waits {
            // The file's lock is the stopped one's: nobody can be thrown out there, so it is waited for.
            while runs(&p) == before {
                tokio::task::yield_now().await;
            }
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", first.id().unwrap()));
            assert_eq!(named(&p), [], "{at}: {stat:?}");
            signal(&first, "-CONT");
            (ended(first).await, ended(writer).await)
        } else {
            let new = ended(writer).await;
            assert_eq!(new.code, 0, "{at}: {new:#?}");
            assert_eq!(named(&p), newer, "{at}");
            signal(&first, "-CONT");
            (ended(first).await, new)
        };
        fenced(&old);
        balances(&new.exits(0).json());
        assert_eq!(named(&p), newer, "{at}");
        let again = p.run(&["run", "rows", "--json"]).await.exits(0).json();
        assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (40, 0), "{at}");
        p.run(&["certificate", "rows"]).await.exits(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_writer_of_a_file_commits_after_it_stood_still_is_found_by_its_successor() {
    for at in ["target/hold/before", "target/hold/after", "target/write/before", "target/write/after"] {
        let (p, first) = halted(at, "INSERT", KEYED).await;
        let wanted: Vec<_> = (1..=40).map(|i| (i, format!("name {i}"))).collect();
        let was = epoch(&p);
        let second = async {
            loop {
                let a = p.run(&["run", "rows", "--json"]).await;
                if a.json()["error"]["code"] != "HL-7001" {
                    return a;
                }
            }
        };
        let new = if ["target/hold/after", "target/write/before"].contains(&at) {
            let (new, ()) = tokio::join!(second, async {
                // Once the other one has taken the run over.
                while epoch(&p) == was {
                    tokio::task::yield_now().await;
                }
                signal(&first, "-CONT");
            });
            new
        } else {
            let new = second.await;
            signal(&first, "-CONT");
            new
        };
        fenced(&ended(first).await);
        balances(&new.exits(0).json());
        assert_eq!(named(&p), wanted, "{at}");
        let again = p.run(&["run", "rows", "--json"]).await.exits(0).json();
        assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (40, 0), "{at}");
    }
}
