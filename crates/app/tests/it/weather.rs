//! Faults of the source, kills, a second start, a read-only directory.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{Answer, Project, balances, number, sandbox};
use crate::mysql::{Bi, connect};
use crate::sqlite::{orders_source, orders_target, rows, same, sqlite_project, start, truth};

fn orders(p: &Project) {
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
}

/// Runs until the plan is through; every answer on the way must balance or be resumable.
async fn through(p: &Project) -> Answer {
    for _ in 0..20 {
        let a = p.run(&["run", "orders", "--json"]).await;
        if a.code != 3 {
            return a;
        }
    }
    panic!("twenty runs were not enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_cost_attempts_never_rows() {
    for faults in [
        "502@2",
        "500@3",
        "503@2",
        "429@3",
        "reset-before@2",
        "reset-after@3",
        "cut@2",
        "error@2",
        "gzip:0.5",
        "empty@3",
        "html@2",
    ] {
        let sandbox = sandbox(420, faults).await;
        let p = sqlite_project(&sandbox);
        orders(&p);
        let a = through(&p).await.exits(0).json();
        balances(&a);
        same(&rows(&p), &truth(&sandbox));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_sources_lose_nothing() {
    for faults in ["dup", "lying-total", "string-next", "int-next", "shift", "late"] {
        let sandbox = sandbox(420, faults).await;
        let p = sqlite_project(&sandbox);
        orders(&p);
        let a = through(&p).await;
        balances(&a.json());
        // What moved or came late is read by the next run's lookback at the latest.
        through(&p).await;
        same(&rows(&p), &truth(&sandbox));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_for_ever_is_bounded_and_reported() {
    let sandbox = sandbox(220, "stuck-next@1-").await;
    let p = sqlite_project(&sandbox);
    orders(&p);
    let a = p.run(&["run", "orders", "--json"]).await.json();
    assert!(a["problems"].as_array().is_some_and(|l| !l.is_empty()), "{a}");
    assert!(sandbox.calls() < 100, "{}", sandbox.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refreshed_once() {
    let sandbox = sandbox(320, "token-expiry@2").await;
    let p = sqlite_project(&sandbox);
    orders(&p);
    let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&a);
    same(&rows(&p), &truth(&sandbox));
    let refreshes = sandbox.log().iter().filter(|e| e.path == "/openWeb/auth/refreshToken").count();
    assert_eq!(refreshes, 1);
    let token = p.run(&["token", "jst", "--json"]).await.exits(0).json();
    assert_eq!(token["token"]["generation"], 2);
    // Neither the old nor the new pair shows in anything that can be looked at.
    let c = sandbox.credentials();
    let calls = p.run(&["calls", "orders", "--limit", "0", "--json"]).await.exits(0).lines();
    for call in calls {
        let full = p.run(&["calls", "orders", "--id", &call["id"].to_string(), "--json"]).await.exits(0);
        for secret in [&c.app_secret, &c.access_token, &c.refresh_token] {
            assert!(!full.out.contains(secret.as_str()), "{}", full.out);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_end_at_once_with_the_platforms_words() {
    let sandbox = sandbox(50, "").await;
    let p = sqlite_project(&sandbox);
    orders(&p);
    let secret = &sandbox.credentials().app_secret;
    let text = sandbox.connector_toml().replace(secret.as_str(), "0123456789abcdef0123456789abcdef");
    p.write("connectors/jst.toml", &text);
    let a = p.run(&["run", "orders", "--json"]).await.exits(3).json();
    assert!(a["error"]["code"].as_str().unwrap().starts_with("HL-"), "{a}");
    assert_eq!(a["error"]["vendor_code"], "10", "{a}");
    assert!(sandbox.calls() <= 2, "{}", sandbox.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_and_started_again_gives_the_same_rows() {
    let sandbox = sandbox(3_000, "").await;
    let p = sqlite_project(&sandbox);
    let mut bi = Bi::new("kills").await;
    connect(&p, &bi);
    orders(&p);
    // Each start is killed once the sandbox has answered some more calls than before.
    for more in [2u64, 5, 9, 14] {
        let wanted = sandbox.calls() + more;
        let mut child = p.start(&["run", "orders", "--json"]);
        loop {
            if sandbox.calls() >= wanted {
                child.start_kill().unwrap();
                break;
            }
            if child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        child.wait().await.unwrap();
    }
    let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&a);
    assert_eq!(a["complete"], true);
    same(&bi.rows().await, &truth(&sandbox));
    let proof = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
    assert_eq!(proof["balanced"], true);
    let again = p.run(&["run", "orders", "--from", &start(), "--json"]).await.exits(0).json();
    assert_eq!(number(&again, "/records/unchanged"), 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_finishes_the_page_and_the_same_command_resumes() {
    let sandbox = heliu_sandbox::Sandbox::builder("jushuitan")
        .records(2_000)
        .limits(0, 0)
        .latency(std::time::Duration::from_millis(30))
        .listen("127.0.0.1:0")
        .await
        .unwrap();
    let p = sqlite_project(&sandbox);
    orders(&p);
    let child = p.start(&["run", "orders", "--json"]);
    while sandbox.calls() < 3 {
        tokio::task::yield_now().await;
    }
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let calls = sandbox.calls();
    assert!(calls < 15, "{calls}");
    let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&a);
    same(&rows(&p), &truth(&sandbox));
    // 40 pages and what the inclusive cursor repeats: what had been read before was not read again.
    assert!(sandbox.calls() < 46, "{}", sandbox.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_is_told_that_the_plan_is_busy() {
    let sandbox = sandbox(300, "hang@2").await;
    let p = sqlite_project(&sandbox);
    orders(&p);
    let mut child = p.start(&["run", "orders"]);
    while sandbox.calls() < 2 {
        tokio::task::yield_now().await;
    }
    let a = p.run(&["run", "orders", "--json"]).await.exits(3).json();
    assert_eq!(a["error"]["code"], "HL-7001");
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&a);
    same(&rows(&p), &truth(&sandbox));
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_named() {
    let sandbox = sandbox(10, "").await;
    let p = sqlite_project(&sandbox);
    orders(&p);
    let file = p.write("blocked", "a file, no directory");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    let data = file.join("data");
    let a = p.run(&["run", "orders", "--data-dir", data.to_str().unwrap(), "--json"]).await.exits(3).json();
    assert_eq!(a["error"]["code"], "HL-6004");
    assert!(a["error"]["place"].as_str().unwrap().contains("blocked"));
}

#[tokio::test]
async fn no_network_is_said_within_the_patience() {
    let p = Project::new();
    p.write("connectors/qeasy.toml", "platform = \"heliu\"\n");
    p.write(
        "connectors/jst.toml",
        "platform = \"jushuitan\"\nbase_url = \"http://127.0.0.1:9\"\n[credentials]\napp_key = \"k\"\napp_secret = \"s\"\naccess_token = \"a\"\nrefresh_token = \"r\"\n",
    );
    let target = json!({"connector": "qeasy", "metadata": {"api": "空操作", "method": "POST"}});
    p.plan(
        "orders",
        &json!({"start": start(), "retries": 1, "source": orders_source("io_id"), "target": target}),
    );
    let a = p.run(&["run", "orders", "--json"]).await.exits(3).json();
    assert!(a["error"]["code"].as_str().unwrap().starts_with("HL-3"), "{a}");
    assert_eq!(number(&a, "/source/returned"), 0);
}

/// Its rows get times that our clock has passed already. Without lookback only what is known of its clock saves them.
#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox of this test lives five minutes behind the real time"
)]
async fn a_platform_whose_clock_is_behind_loses_no_row() {
    let behind = || chrono::Utc::now() - chrono::Duration::minutes(5);
    let sandbox = heliu_sandbox::Sandbox::builder("jushuitan")
        .records(60)
        .limits(0, 0)
        .clock(heliu_sandbox::Clock::from_fn(behind))
        .listen("127.0.0.1:0")
        .await
        .unwrap();
    let p = sqlite_project(&sandbox);
    let mut source = orders_source("io_id");
    // Paged by number within the window: the anchor would find the row by its version whatever its time.
    source["metadata"]["api"] = "/open/orders/out/simple/query".into();
    p.plan(
        "orders",
        &json!({"start": start(), "lookback": "0s", "source": source, "target": orders_target()}),
    );
    let first = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    balances(&first);
    let mark = p.run(&["watermark", "orders", "--json"]).await.exits(0).json();
    let mark = chrono::DateTime::parse_from_rfc3339(mark["watermark"].as_str().unwrap()).unwrap();
    let off = (behind() - mark.to_utc()).num_seconds();
    assert!((0..60).contains(&off), "the watermark is {off} s behind the platform's now");
    let fields = serde_json::Map::new();
    sandbox.mutate(heliu_sandbox::Mutation::Insert { kind: heliu_sandbox::Kind::Order, fields }).unwrap();
    let second = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    assert_eq!(number(&second, "/records/new"), 1, "{second}");
    same(&rows(&p), &truth(&sandbox));
}
