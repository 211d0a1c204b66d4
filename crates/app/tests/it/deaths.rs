//! The program dies at commits that belong to no walk of a run: settings, secrets, retention, alerts, budgets, the
//! service. Whatever was being done is done or not done, the next command works, and nothing is lost.
//!
//! Deaths in the midst of runs: `crates/app/tests/torture/points.rs`, which also checks that no commit is left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::harness::{Project, balances, number};
use crate::http::{documents, plan, project, rows, wanted};
use crate::serve::{Service, local_plan, local_project};
use crate::stub::{Reply, Stub};

const SIDES: [&str; 2] = ["before", "after"];

/// Runs a command that dies at a commit.
async fn dies(p: &Project, args: &[&str], commit: &str, side: &str) {
    given_dies(p, args, "", commit, side).await;
}

/// The same, with words on its standard input.
async fn given_dies(p: &Project, args: &[&str], input: &str, commit: &str, side: &str) {
    let mut command = p.command(args);
    command.env("HELIU_DIE_AT", format!("ledger/{commit}/{side}")).stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let out = timeout(Duration::from_secs(120), child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(out.status.code(), None, "{commit}/{side} was never passed: {out:?}");
}

fn ledger(p: &Project) -> Connection {
    Connection::open(p.path().join(".heliu/ledger.db")).unwrap()
}

fn sound(p: &Project) {
    let said: String = ledger(p).query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(said, "ok");
}

async fn set_secret(p: &Project, value: &str) {
    let project = p.path().to_str().unwrap();
    crate::harness::with_input(&["--project", project, "secret", "set", "k"], value).await.exits(0);
}

async fn number_of(p: &Project, plan: &str, state: &str) -> usize {
    p.run(&["records", plan, "--state", state, "--json"]).await.exits(0).lines().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_is_set_or_not() {
    let stub = Stub::new(|_| Reply::json(&json!(documents(20)))).await;
    for side in SIDES {
        let p = project(&stub.url, "");
        plan(&p, "docs", json!({}));
        let shown =
            async || p.run(&["watermark", "docs", "--json"]).await.exits(0).json()["watermark"].clone();
        p.run(&["watermark", "docs", "--set", "2026-01-01 00:00:00"]).await.exits(0);
        let set = ["watermark", "docs", "--set", "2026-02-02 00:00:00"];
        dies(&p, &set, "set_watermark", side).await;
        let day = if side == "before" { "2026-01-01" } else { "2026-02-02" };
        assert_eq!(shown().await, format!("{day}T00:00:00+08:00"), "{side}");
        p.run(&set).await.exits(0);
        assert_eq!(shown().await, "2026-02-02T00:00:00+08:00");
        balances(&p.run(&["run", "docs", "--json"]).await.exits(0).json());
        assert_eq!(rows(&p), wanted(&documents(20)));
        sound(&p);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_put_back_or_not() {
    for side in SIDES {
        let p = local_project(20);
        let bi = Connection::open(p.path().join("bi.db")).unwrap();
        let narrow = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (name NOT LIKE '%3'))";
        bi.execute_batch(&format!("DROP TABLE t; {narrow}")).unwrap();
        p.plan("rows", &local_plan(""));
        p.run(&["run", "rows"]).await.exits(1);
        assert_eq!(number_of(&p, "rows", "failed").await, 2);
        dies(&p, &["retry", "rows"], "put_back", side).await;
        let (failed, waiting) = if side == "before" { (2, 0) } else { (0, 2) };
        let found = (number_of(&p, "rows", "failed").await, number_of(&p, "rows", "waiting").await);
        assert_eq!(found, (failed, waiting), "{side}");
        bi.execute_batch(
            "ALTER TABLE t RENAME TO o; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t SELECT * FROM o",
        )
        .unwrap();
        p.run(&["retry", "rows"]).await.exits(0);
        let a = p.run(&["run", "rows", "--json"]).await.exits(0).json();
        balances(&a);
        assert_eq!(number(&a, "/target/written"), 2, "{a}");
        let n: i64 = bi.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        assert_eq!(n, 20);
        p.run(&["certificate", "rows"]).await.exits(0);
        sound(&p);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_the_old_one_or_the_new_one() {
    let stub = Stub::new(|_| Reply::json(&json!(documents(5)))).await;
    for side in SIDES {
        let p = project(&stub.url, "[credentials]\nauth = \"api_key\"\nkey = { secret = \"k\" }\n");
        plan(&p, "docs", json!({}));
        let used = async || {
            p.run(&["run", "docs"]).await.exits(0);
            stub.log().last().unwrap().header("x-api-key").unwrap().to_owned()
        };
        set_secret(&p, "one").await;
        given_dies(&p, &["secret", "set", "k"], "two", "set_secret", side).await;
        assert_eq!(used().await, if side == "before" { "one" } else { "two" });
        set_secret(&p, "two").await;
        assert_eq!(used().await, "two");
        // The new key is there before anything is sealed with it, and the old one until everything is.
        dies(&p, &["secret", "rotate"], "rotate_key", side).await;
        assert_eq!(used().await, "two", "{side}");
        p.run(&["secret", "rotate"]).await.exits(0);
        assert_eq!(used().await, "two");
        dies(&p, &["secret", "rm", "k"], "remove_secret", side).await;
        p.run(&["run", "docs"]).await.exits(if side == "before" { 0 } else { 2 });
        p.run(&["secret", "rm", "k"]).await.exits(if side == "before" { 0 } else { 2 });
        set_secret(&p, "three").await;
        assert_eq!(used().await, "three");
        sound(&p);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_retention_that_is_broken_off_takes_nothing_that_is_needed() {
    let all = documents(40);
    let served = all.clone();
    let stub = Stub::new(move |_| Reply::json(&json!(served))).await;
    for commit in ["drop_calls", "drop_contents", "shrink", "mark_retention", "space"] {
        for side in SIDES {
            let p = project(&stub.url, "");
            plan(&p, "docs", json!({}));
            plan(&p, "late", json!({}));
            p.run(&["run", "docs"]).await.exits(0);
            p.run(&["run", "late", "--source-only"]).await.exits(0);
            p.write("heliu.toml", "[retention]\ncalls_days = 0\nrecords_days = 0\n");
            dies(&p, &["retention"], commit, side).await;
            p.run(&["certificate", "docs"]).await.exits(0);
            assert_eq!(number_of(&p, "late", "waiting").await, 40, "{commit}/{side}");
            // The next round goes on to the end.
            let a = p.run(&["retention", "--json"]).await.exits(0).json();
            assert_eq!(a["complete"], true, "{a}");
            let left: i64 = ledger(&p)
                .query_row("SELECT count(*) FROM records WHERE blob IS NOT NULL", [], |r| r.get(0))
                .unwrap();
            assert_eq!(left, 40, "{commit}/{side}: what waits keeps its content");
            // What was written is known without it, and what waits is written with it.
            let again = p.run(&["run", "docs", "--json"]).await.exits(0).json();
            balances(&again);
            assert_eq!(number(&again, "/records/unchanged"), 40, "{again}");
            Connection::open(p.path().join("bi.db")).unwrap().execute("DELETE FROM docs", []).unwrap();
            let late = p.run(&["run", "late", "--target-only", "--json"]).await.exits(0).json();
            balances(&late);
            assert_eq!(rows(&p), wanted(&all), "{commit}/{side}");
            sound(&p);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_over_its_timetable_answers_every_tick_once() {
    for commit in ["timetable", "answer"] {
        for side in SIDES {
            let p = local_project(60);
            p.plan("often", &local_plan("every 1s"));
            dies(&p, &["serve", "--headless", "--json"], commit, side).await;
            let mut next = Service::start(&p, &[]).await;
            let done = next.event("run_finished", |v| v["plan"] == "often").await;
            assert_eq!(done["balanced"], true, "{commit}/{side}: {done}");
            assert_eq!(next.stop().await, 0);
            let bi = Connection::open(p.path().join("bi.db")).unwrap();
            let n: i64 = bi.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
            assert_eq!(n, 60, "{commit}/{side}");
            p.run(&["certificate", "often"]).await.exits(0);
            let db = ledger(&p);
            let open: i64 =
                db.query_row("SELECT count(*) FROM runs WHERE state = 'open'", [], |r| r.get(0)).unwrap();
            assert_eq!(open, 0, "{commit}/{side}");
            sound(&p);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_asked_for_is_heeded_by_the_next_process() {
    for commit in ["slow", "hold"] {
        for side in SIDES {
            let (all, first) = (documents(20), Arc::new(AtomicBool::new(true)));
            let (served, asked) = (all.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
            let times = asked.clone();
            let stub = Stub::new(move |_| {
                times.lock().unwrap().push(tokio::time::Instant::now());
                match (first.swap(false, Ordering::SeqCst), commit) {
                    (true, "slow") => Reply::text(429, "{}").with("retry-after", "3"),
                    (true, _) => Reply::json(&json!(served))
                        .with("x-ratelimit-remaining", "0")
                        .with("x-ratelimit-reset", "3"),
                    _ => Reply::json(&json!(served)),
                }
            })
            .await;
            let p = project(&stub.url, "");
            plan(&p, "docs", json!({}));
            dies(&p, &["run", "docs"], commit, side).await;
            let a = p.run(&["run", "docs", "--json"]).await.exits(0).json();
            balances(&a);
            assert_eq!(rows(&p), wanted(&all), "{commit}/{side}: {a}");
            let asked = asked.lock().unwrap();
            let apart = asked[1].duration_since(asked[0]).as_millis();
            assert!(side == "before" || apart >= 2_500, "{commit}: {apart} ms after it was told to wait 3 s");
            sound(&p);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_that_was_the_last_one_holds_nobody_up() {
    for side in SIDES {
        // Before it writes to a file's database a process asks whether the run is still its own.
        let p = local_project(60);
        p.plan("rows", &local_plan(""));
        dies(&p, &["run", "rows"], "heartbeat", side).await;
        let a = p.run(&["run", "rows", "--json"]).await.exits(0).json();
        balances(&a);
        let bi = Connection::open(p.path().join("bi.db")).unwrap();
        let n: i64 = bi.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        assert_eq!(n, 60, "{side}: {a}");
        sound(&p);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_page_that_did_not_come_are_kept_or_not() {
    for side in SIDES {
        let (all, asked) = (documents(20), Arc::new(AtomicUsize::new(0)));
        let (served, n) = (all.clone(), asked.clone());
        let stub = Stub::new(move |_| match n.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::text(403, "{}"),
            _ => Reply::json(&json!(served)),
        })
        .await;
        let p = project(&stub.url, "");
        plan(&p, "docs", json!({}));
        dies(&p, &["run", "docs"], "save_calls", side).await;
        let calls = async || p.run(&["calls", "docs", "--json"]).await.exits(0).lines().len();
        assert_eq!(calls().await, usize::from(side == "after"));
        let a = p.run(&["run", "docs", "--json"]).await.exits(0).json();
        balances(&a);
        assert_eq!(rows(&p), wanted(&all), "{side}: {a}");
        assert!(calls().await > usize::from(side == "after"));
        sound(&p);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_at_least_once_and_its_end_too() {
    for commit in ["observe_alert", "take_notices", "settle_notices"] {
        for side in SIDES {
            let up = Arc::new(AtomicBool::new(false));
            let works = up.clone();
            let stub = Stub::new(move |_| match works.load(Ordering::SeqCst) {
                true => Reply::json(&json!(documents(3))),
                false => Reply::text(403, "{}"),
            })
            .await;
            let hook = Stub::new(|_| Reply::json(&json!({}))).await;
            let p = project(&stub.url, "");
            plan(&p, "docs", json!({}));
            let url = format!("{}/hook", hook.url);
            p.write("heliu.toml", &format!("[[alerts.webhooks]]\nname = \"ops\"\nurl = \"{url}\"\n"));
            let at = format!("{commit}/{side}");
            let told = |event: &str| {
                let of = |v: &Value| {
                    v["alerts"].as_array().unwrap().iter().filter(|a| a["event"] == event).count()
                };
                hook.log().iter().map(|s| of(&s.json())).sum::<usize>()
            };
            // Whoever takes a notice has a minute; here it is over.
            let later = || {
                ledger(&p).execute("UPDATE notices SET due = 0", []).unwrap();
            };
            dies(&p, &["run", "docs"], commit, side).await;
            later();
            p.run(&["run", "docs"]).await.exits(3);
            let shown = p.run(&["status", "--json"]).await.exits(0).json();
            assert_eq!(shown["alerts"].as_array().unwrap().len(), 1, "{at}: {shown}");
            // A message that arrived while nobody could note it comes again; nothing else does.
            let most = if at == "settle_notices/before" { 2 } else { 1 };
            assert_eq!(told("opened"), most, "{at}");
            up.store(true, Ordering::SeqCst);
            if commit == "observe_alert" {
                // The end of the trouble is seen by a run that dies as well.
                dies(&p, &["run", "docs"], commit, side).await;
                later();
            }
            p.run(&["run", "docs"]).await.exits(0);
            assert_eq!(p.run(&["status", "--json"]).await.exits(0).json()["alerts"], json!([]), "{at}");
            assert_eq!(told("closed"), 1, "{at}: {:?}", hook.log());
            assert_eq!(rows(&p), wanted(&documents(3)), "{at}");
            sound(&p);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_closed_by_hand_or_not() {
    let stub = Stub::new(|_| Reply::text(403, "{}")).await;
    for side in SIDES {
        let p = project(&stub.url, "");
        plan(&p, "docs", json!({}));
        p.run(&["run", "docs"]).await.exits(3);
        let open = async || p.run(&["alerts", "--json"]).await.exits(0).lines();
        let id = open().await[0]["id"].to_string();
        dies(&p, &["alerts", "--close", &id], "close_alert", side).await;
        assert_eq!(open().await.len(), usize::from(side == "before"));
        if side == "before" {
            p.run(&["alerts", "--close", &id]).await.exits(0);
        }
        assert_eq!(open().await.len(), 0);
        // It comes up again with the trouble.
        p.run(&["run", "docs"]).await.exits(3);
        assert_eq!(open().await.len(), 1);
        sound(&p);
    }
}
