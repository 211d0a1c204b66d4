//! A machine in trouble: locks that stay, disks that are full, ports that are taken.

use std::process::Stdio;

use serde_json::json;

use crate::harness::{Project, balances, number, program, sandbox};
use crate::sqlite::{noop, orders_source, orders_target, rows, same, sqlite_project, start, truth};

fn orders(p: &Project) {
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_stays_is_an_error_that_names_its_holder() {
    let sandbox = sandbox(60, "").await;
    let p = sqlite_project(&sandbox);
    orders(&p);
    p.run(&["secret", "list"]).await.exits(0);
    let held = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = p.run(&["run", "orders", "--json"]).await.exits(3);
    // An alert would wait for the lock once more, and be lost.
    assert!(!said.err.contains("alert"), "{}", said.err);
    let a = said.json();
    let error = if a["error"].is_null() { panic!("{a}") } else { &a["error"] };
    assert_eq!(error["code"], "HL-6002", "{a}");
    let who = format!("pid {}", std::process::id());
    assert!(error["message"].as_str().unwrap().contains(&who), "{who}: {a}");
    assert_eq!(sandbox.calls(), 0);
    // What only reads is not held up.
    p.run(&["status"]).await.exits(0);
    held.execute_batch("COMMIT").unwrap();
    balances(&p.run(&["run", "orders", "--json"]).await.exits(0).json());
    same(&rows(&p), &truth(&sandbox));
}

/// Files may not grow beyond some kilobytes, as on a disk that fills up, at several moments of a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_run_and_loses_nothing() {
    for kilobytes in [40, 120, 200, 320, 600] {
        let sandbox = sandbox(700, "").await;
        let p = sqlite_project(&sandbox);
        orders(&p);
        let heliu = program();
        let heliu = heliu.as_std().get_program().to_owned();
        let limited = tokio::process::Command::new("bash")
            .args(["-c", &format!("ulimit -f {kilobytes}; exec \"$@\""), "bash"])
            .arg(heliu)
            .arg("--project")
            .arg(p.path())
            .args(["run", "orders", "--json"])
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&limited.stdout);
        assert_eq!(limited.status.code(), Some(3), "{kilobytes}: {limited:?}");
        assert!(said.contains("\"code\":\"HL-6") || said.contains("\"code\":\"HL-5"), "{kilobytes}: {said}");
        let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
        balances(&a);
        same(&rows(&p), &truth(&sandbox));
        let proof = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
        assert_eq!(proof["balanced"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let a =
        Project::new().run(&["sandbox", "jushuitan", "--listen", &address, "--json"]).await.exits(3).json();
    assert_eq!(a["error"]["code"], "HL-8003", "{a}");
    assert!(a["error"]["message"].as_str().unwrap().contains(&address), "{a}");
    Project::new().run(&["sandbox", "jushuitan", "--listen", "nowhere"]).await.exits(2);
}

/// Without a target that could tell, the ledger alone proves that nothing is missing and nothing is twice.
#[tokio::test(flavor = "multi_thread")]
async fn kills_leave_every_record_in_one_state() {
    let sandbox = sandbox(2_500, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": noop()}));
    for more in [1u64, 3, 7, 11, 2] {
        let wanted = sandbox.calls() + more;
        let mut child = p.start(&["run", "orders", "--json"]);
        while sandbox.calls() < wanted && child.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        let states = p.run(&["status", "--json"]).await.exits(0).json();
        let sum: u64 = states["records"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        let listed = p.run(&["records", "orders", "--json"]).await.exits(0).lines();
        let mut ids: Vec<&str> = listed.iter().map(|r| r["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((listed.len() as u64, ids.len() as u64), (sum, sum));
    }
    let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&a);
    assert_eq!(a["complete"], true);
    let written = p.run(&["records", "orders", "--state", "written", "--json"]).await.exits(0).lines();
    assert_eq!(written.len(), 2_500);
    let again = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    assert_eq!(number(&again, "/records/unchanged"), 2_500);
}
