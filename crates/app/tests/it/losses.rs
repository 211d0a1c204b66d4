//! Ways in which records get lost elsewhere that no other test here is about (docs/known-losses.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use heliu_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::harness::{balances, number};
use crate::http::{documents, paged, plan, project, reads, rows, slice, wanted};
use crate::sqlite::{noop, orders_source, sqlite_project, start};
use crate::stub::{Reply, Stub};

/// Permissions and filters of the platform take rows out of pages: 20, 7, 20 and 6 of a page size of 20.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_page_that_is_not_the_last_ends_nothing() {
    let log = reads("shortened", paged("p", "n"), |s, all| {
        let (from, n) =
            [(0, 20), (20, 7), (27, 20), (47, 6)].get(s.number("p", 1) - 1).copied().unwrap_or((53, 0));
        Reply::json(&json!(slice(all, from, n)))
    })
    .await;
    let asked: Vec<&str> = log.iter().filter_map(|s| s.get("p")).collect();
    // Behind a short page it is asked whether there is more, in each of the two passes.
    assert_eq!(asked, ["1", "2", "3", "4", "5", "1", "2", "3", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_which_nothing_is_wanted_ends_nothing() {
    let all = documents(60);
    let served = all.clone();
    let stub = Stub::new(move |s| {
        Reply::json(&json!(slice(&served, (s.number("p", 1) - 1) * 20, s.number("n", 0))))
    })
    .await;
    let p = project(&stub.url, "[limits]\nconcurrency = 1\n");
    let mut metadata = paged("p", "n");
    // The second page is left out as a whole.
    let edge = all[40]["id"].as_i64().unwrap();
    let low = all[20]["id"].as_i64().unwrap();
    metadata["condition"] = json!([
        [{"field": "id", "logic": "lt", "value": low.to_string()}],
        [{"field": "id", "logic": "egt", "value": edge.to_string()}]]);
    plan(&p, "holes", metadata);
    let run = p.run(&["run", "holes", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!((number(&run, "/records/new"), number(&run, "/records/filtered")), (40, 20), "{run}");
    let kept: Vec<Value> = all[..20].iter().chain(&all[40..]).cloned().collect();
    assert_eq!(rows(&p), wanted(&kept));
}

/// What is not there any more, or cannot be read, is no wish to remove anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_turns_empty_or_fails_removes_nothing_from_the_target() {
    let (all, runs) = (documents(30), Arc::new(AtomicUsize::new(0)));
    let (served, now) = (all.clone(), runs.clone());
    let stub = Stub::new(move |_| match now.load(Ordering::SeqCst) {
        0 => Reply::json(&json!(served)),
        1 => Reply::json(&json!([])),
        2 => Reply::text(500, "<html>down</html>"),
        _ => Reply::text(200, "{\"message\": \"nothing here\"}"),
    })
    .await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({}));
    for (n, code) in [(0, 0), (1, 0), (2, 3), (3, 1)] {
        runs.store(n, Ordering::SeqCst);
        p.run(&["run", "docs", "--json"]).await.exits(code);
        assert_eq!(rows(&p), wanted(&all), "after answer {n}");
    }
    let status = p.run(&["status", "docs", "--json"]).await.exits(0).json();
    assert_eq!(status["records"]["written"], 30, "{status}");
}

/// Its account lives in another zone than ours: every window is named in that one, the first and the later ones alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_platform_in_another_zone_is_asked_in_its_own_time() {
    let stub = Stub::new(|_| Reply::json(&json!([]))).await;
    let p = project(&stub.url, "timezone = \"America/New_York\"\n");
    let metadata = json!({"api": "/docs", "method": "GET", "id": "id", "request": [
        {"field": "from", "value": "{{LAST_SYNC_TIME|datetime}}"},
        {"field": "to", "value": "{{CURRENT_TIME|datetime}}"}]});
    let target = json!({"connector": "bi", "metadata": {"api": "batchexecute",
        "request": [{"field": "id", "value": "{id}"}],
        "otherRequest": [{"field": "main_sql", "value": "REPLACE INTO docs (id) VALUES"}]}});
    let source = json!({"connector": "api", "metadata": metadata});
    let whole = json!({"start": "2026-03-01 00:00:00", "lookback": "0s", "source": source, "target": target});
    p.plan("docs", &whole);
    for _ in 0..2 {
        p.run(&["run", "docs", "--json"]).await.exits(0);
    }
    // Midnight in New York, as a script gives it in UTC; on the day of the change to summer time, too.
    for (from, to) in
        [("2026-03-01T05:00:00Z", "2026-03-01T06:00:00Z"), ("2026-03-08T04:00:00Z", "2026-03-08T08:00:00Z")]
    {
        p.run(&["run", "docs", "--from", from, "--to", to, "--json"]).await.exits(0);
    }
    let log = stub.log();
    let times: Vec<(&str, &str)> =
        log.iter().map(|s| (s.get("from").unwrap(), s.get("to").unwrap())).collect();
    assert_eq!(times[0].0, "2026-03-01 00:00:00");
    assert_eq!(times[1].0, times[0].1, "the second window begins where the first one ended");
    assert_eq!(times[2], ("2026-03-01 00:00:00", "2026-03-01 01:00:00"));
    assert_eq!(times[3], ("2026-03-07 23:00:00", "2026-03-08 04:00:00"));
}

/// A token that may be used once is not spent by looking.
#[tokio::test(flavor = "multi_thread")]
async fn checks_and_previews_renew_no_token_that_is_valid() {
    let sandbox = Sandbox::builder("jushuitan").records(40).limits(0, 0).listen("127.0.0.1:0").await.unwrap();
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": noop()}));
    for args in [
        &["check"][..],
        &["test-connector", "jst"],
        &["preview", "orders"],
        &["token", "jst"],
        &["status"],
        &["run", "orders"],
        &["test-connector", "jst"],
    ] {
        p.run(args).await.exits(0);
    }
    let renewed = sandbox.log().iter().filter(|e| e.path.ends_with("refreshToken")).count();
    assert_eq!(renewed, 0);
}

/// Written by a program that is newer: nothing of it is read as if it were known, and nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_a_newer_version_is_refused_and_left_alone() {
    let all = documents(5);
    let served = all.clone();
    let stub = Stub::new(move |_| Reply::json(&json!(served))).await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({}));
    p.run(&["run", "docs"]).await.exits(0);
    let ledger = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    let version: i64 = ledger.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    ledger.pragma_update(None, "user_version", version + 1_000).unwrap();
    let runs = |db: &rusqlite::Connection| -> i64 {
        db.query_row("SELECT count(*) FROM runs", [], |r| r.get(0)).unwrap()
    };
    let calls = stub.calls();
    let said = p.run(&["run", "docs", "--json"]).await;
    assert!(said.code != 0 && said.out.contains("HL-6008"), "{said:?}");
    assert_eq!((runs(&ledger), stub.calls()), (1, calls));
    ledger.pragma_update(None, "user_version", version).unwrap();
    let again = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!(number(&again, "/records/unchanged"), 5);
}

/// Messages between the parts of a program are where large records get lost or cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_megabytes_arrives_whole() {
    let title = "大".repeat(3_000_000);
    let document = json!([{"id": 1, "title": title, "sum": 1}]);
    let stub = Stub::new(move |_| Reply::json(&document)).await;
    let p = project(&stub.url, "");
    plan(&p, "docs", json!({"number": "id"}));
    let run = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!(rows(&p)[&1].0.len(), 9_000_000);
}
