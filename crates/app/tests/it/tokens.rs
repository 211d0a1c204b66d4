//! Tokens and budgets as several plans and processes share them.

use std::time::Duration;

use heliu_sandbox::{Faults, Sandbox, TokenMode, Verdict};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::harness::{Project, balances, number};
use crate::sqlite::{noop, orders_source, sqlite_project, start};

const REFRESH: &str = "/openWeb/auth/refreshToken";

async fn stand_in(change: impl FnOnce(heliu_sandbox::Builder) -> heliu_sandbox::Builder) -> Sandbox {
    let builder = Sandbox::builder("jushuitan").records(260).limits(0, 0);
    change(builder).listen("127.0.0.1:0").await.unwrap()
}

/// Plans `p0` … over one connector, into nothing.
fn plans(sandbox: &Sandbox, n: usize) -> Project {
    let p = sqlite_project(sandbox);
    for i in 0..n {
        p.plan(
            &format!("p{i}"),
            &json!({"start": start(), "source": orders_source("io_id"), "target": noop()}),
        );
    }
    p
}

/// Calls of a path that were answered, and those that were not.
fn refreshes(sandbox: &Sandbox) -> (usize, usize) {
    let log = sandbox.log();
    let all = log.iter().filter(|e| e.path == REFRESH);
    all.fold(
        (0, 0),
        |(good, bad), e| if e.verdict == Verdict::Served { (good + 1, bad) } else { (good, bad + 1) },
    )
}

/// Calls in the fullest second and minute, as the other side counts them.
fn fullest(sandbox: &Sandbox) -> (usize, usize) {
    let at: Vec<i64> = sandbox.log().iter().map(|e| e.at.timestamp_millis()).collect();
    let most = |span: i64| {
        at.iter()
            .map(|from| at.iter().filter(|t| (*from..*from + span).contains(*t)).count())
            .max()
            .unwrap_or(0)
    };
    (most(1_000), most(60_000))
}

async fn all(children: Vec<Child>) -> Vec<Value> {
    let mut out = Vec::new();
    for child in children {
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        out.push(serde_json::from_slice(&output.stdout).unwrap());
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_plans_share_one_refresh_in_processes_and_in_one() {
    let sandbox = stand_in(|b| b).await;
    let p = plans(&sandbox, 10);
    p.run(&["run", "p0"]).await.exits(0);
    sandbox.expire_token().unwrap();
    let children =
        (0..10).map(|i| p.start(&["run", &format!("p{i}"), "--from", &start(), "--json"])).collect();
    for run in all(children).await {
        balances(&run);
        assert_eq!(number(&run, "/source/returned"), 260);
    }
    assert_eq!(refreshes(&sandbox), (1, 0));
    sandbox.expire_token().unwrap();
    let names: Vec<String> = (0..10).map(|i| format!("p{i}")).collect();
    let mut args = vec!["run", "--parallel", "10", "--json", "--from"];
    let from = start();
    args.push(&from);
    args.extend(names.iter().map(String::as_str));
    for run in p.run(&args).await.exits(0).lines() {
        assert_eq!(number(&run, "/records/unchanged"), 260);
    }
    assert_eq!(refreshes(&sandbox), (2, 0));
    let token = p.run(&["token", "jst", "--json"]).await.exits(0).json();
    assert_eq!((&token["token"]["state"], &token["token"]["generation"]), (&json!("valid"), &json!(3)));
    let events: Vec<&str> =
        token["history"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["refreshed", "refreshed", "loaded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_lived_tokens_are_renewed_ahead_of_their_end_in_every_mode() {
    for (mode, omitted) in [
        (TokenMode::Rotate, false),
        (TokenMode::Overlap(60), false),
        (TokenMode::Prolong, false),
        (TokenMode::Rotate, true),
    ] {
        let sandbox = stand_in(|b| {
            b.token_mode(mode)
                .omit_refresh_token(omitted)
                .token_life(Duration::from_secs(2), Duration::from_secs(600))
                .latency(Duration::from_millis(120))
                .records(1_600)
        })
        .await;
        let p = plans(&sandbox, 1);
        let run = p.run(&["run", "p0", "--json"]).await.exits(0).json();
        balances(&run);
        assert_eq!(number(&run, "/source/returned"), 1_600, "{mode:?}");
        let (good, bad) = refreshes(&sandbox);
        assert!(good >= 1 && bad == 0, "{mode:?}: {good} and {bad} refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledgers_pair_wins_until_the_file_is_edited() {
    let sandbox = stand_in(|b| b).await;
    let p = plans(&sandbox, 1);
    let first = sandbox.credentials();
    let asked = p.run(&["token", "jst", "--refresh", "--json"]).await.exits(0).json();
    assert_eq!(asked["token"]["generation"], 2);
    let second = sandbox.credentials();
    assert_ne!(first.access_token, second.access_token);
    // The file still has the dead pair; nobody looks at it.
    p.run(&["run", "p0"]).await.exits(0);
    assert_eq!(refreshes(&sandbox), (1, 0));
    // Somebody else's refresh kills the ledger's pair; a person puts the new one into the file.
    sandbox.expire_token().unwrap();
    let file = std::fs::read_to_string(p.path().join("connectors/jst.toml")).unwrap();
    let wrong = file
        .replace(&first.access_token, "0000aaaa1111bbbb")
        .replace(&first.refresh_token, "2222cccc3333dddd");
    p.write("connectors/jst.toml", &wrong);
    let a = p.run(&["run", "p0", "--json"]).await.exits(3).json();
    assert_eq!(a["error"]["code"], "HL-4007", "{a}");
    let right = file.replace(&first.refresh_token, &second.refresh_token);
    p.write("connectors/jst.toml", &right);
    p.run(&["run", "p0"]).await.exits(0);
    let told = p.run(&["token", "jst"]).await.exits(0).out;
    for secret in [&first, &second, &sandbox.credentials()] {
        assert!(!told.contains(&secret.access_token) && !told.contains(&secret.refresh_token), "{told}");
    }
}

/// Starts a run and kills it while its refresh is on the way.
async fn killed_in_a_refresh(sandbox: &Sandbox, p: &Project, faults: &str) {
    p.run(&["run", "p0", "--limit", "10"]).await.exits(0);
    sandbox.expire_token().unwrap();
    sandbox.set_faults(&Faults::parse(faults).unwrap()).unwrap();
    let mut child = p.start(&["run", "p0"]);
    while !sandbox.log().iter().any(|e| e.path == REFRESH) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before its refresh");
        tokio::task::yield_now().await;
    }
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    sandbox.set_faults(&Faults::none()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_a_refresh_that_had_no_effect_is_recovered_from() {
    let sandbox = stand_in(|b| b).await;
    let p = plans(&sandbox, 1);
    killed_in_a_refresh(&sandbox, &p, &format!("hang@1-={REFRESH}")).await;
    let broken = p.run(&["token", "jst", "--json"]).await.json();
    assert_eq!(broken["token"]["state"], "broken_refresh", "{broken}");
    let before = sandbox.log().len();
    let run = p.run(&["run", "p0", "--json"]).await.exits(0).json();
    balances(&run);
    let tried: Vec<String> = sandbox.log()[before..].iter().take(2).map(|e| e.path.clone()).collect();
    assert_eq!(
        tried,
        ["/open/orders/out/simple/query", REFRESH],
        "the old access token first, then the refresh token"
    );
    let history = p.run(&["token", "jst", "--json"]).await.exits(0).json();
    assert_eq!(history["history"][0]["event"], "recovered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_a_refresh_that_killed_the_old_pair_asks_for_a_person_once() {
    // The answer takes so long that the process is gone before it comes; the pair is rotated.
    let sandbox = stand_in(|b| b.slow(Duration::from_secs(20))).await;
    let p = plans(&sandbox, 2);
    killed_in_a_refresh(&sandbox, &p, &format!("slow@1-={REFRESH}")).await;
    let (before, _) = refreshes(&sandbox);
    let a = p.run(&["run", "p0", "--json"]).await.exits(3).json();
    assert_eq!(a["error"]["code"], "HL-4007", "{a}");
    assert!(a["error"]["hint"].as_str().unwrap().contains("connectors/jst.toml"), "{a}");
    assert_eq!(refreshes(&sandbox), (before, 1));
    // Nobody tries the dead refresh token again, whatever runs.
    p.run(&["run", "p1"]).await.exits(3);
    p.run(&["run", "p0"]).await.exits(3);
    assert_eq!(refreshes(&sandbox), (before, 1));
    p.run(&["token", "jst"]).await.exits(1);
    // However many plans met it, it is one alert.
    let open = p.run(&["alerts", "--json"]).await.exits(0).lines();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((&open[0]["kind"], &open[0]["times"]), (&json!("authorisation"), &json!(3)));
    // A person authorises again.
    p.connect(&sandbox);
    let run = p.run(&["run", "p0", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!(p.run(&["alerts", "--json"]).await.exits(0).out, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_must_not_refresh_is_told_so() {
    let sandbox = stand_in(|b| b.token_mode(TokenMode::Isv)).await;
    let p = plans(&sandbox, 1);
    p.run(&["run", "p0"]).await.exits(0);
    sandbox.expire_token().unwrap();
    let a = p.run(&["run", "p0", "--json"]).await.exits(3).json();
    assert_eq!((&a["error"]["code"], &a["error"]["vendor_code"]), (&json!("HL-4007"), &json!("150")), "{a}");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttle_answers_cost_time_and_no_attempt() {
    for fault in ["storm@2", "code-199@2-7", "429@2-5"] {
        let sandbox = stand_in(|b| b.faults(Faults::parse(fault).unwrap()).storm_length(6)).await;
        let p = sqlite_project(&sandbox);
        p.plan(
            "p0",
            &json!({"start": start(), "retries": 0, "source": orders_source("io_id"), "target": noop()}),
        );
        let run = p.run(&["run", "p0", "--json"]).await.exits(0).json();
        balances(&run);
        assert_eq!(
            (number(&run, "/source/returned"), number(&run, "/source/retried")),
            (260, 0),
            "{fault}: {run}"
        );
        assert!(number(&run, "/source/throttled") >= 4, "{fault}: {run}");
    }
}

/// The platform's own limits, kept by eight processes together, as the platform counts.
#[tokio::test(flavor = "multi_thread")]
async fn five_a_second_are_never_exceeded_by_processes_together() {
    let sandbox = Sandbox::builder("jushuitan").records(260).listen("127.0.0.1:0").await.unwrap();
    let p = plans(&sandbox, 8);
    p.write("connectors/jst.toml", &sandbox.connector_toml());
    let children = (0..8).map(|i| p.start(&["run", &format!("p{i}"), "--json"])).collect();
    for run in all(children).await {
        balances(&run);
        assert_eq!((number(&run, "/source/returned"), number(&run, "/source/throttled")), (260, 0));
    }
    let (second, minute) = fullest(&sandbox);
    assert!(second <= 5 && minute <= 100, "{second} in a second, {minute} in a minute");
    assert!(sandbox.log().iter().all(|e| e.verdict == Verdict::Served));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_a_minute_is_kept_too() {
    let sandbox =
        Sandbox::builder("jushuitan").records(260).limits(20, 20).listen("127.0.0.1:0").await.unwrap();
    let p = plans(&sandbox, 4);
    let limits = "\n[limits]\nrequests_per_second = 20\nrequests_per_minute = 20\n";
    p.write("connectors/jst.toml", &format!("{}{limits}", sandbox.connector_toml()));
    let a = p.run(&["run", "p0", "p1", "p2", "p3", "--parallel", "4", "--json"]).await.exits(0).lines();
    assert!(a.iter().all(|run| number(run, "/source/returned") == 260), "{a:?}");
    let (_, minute) = fullest(&sandbox);
    assert!(sandbox.calls() > 20 && minute <= 20, "{minute} of {}", sandbox.calls());
    assert!(sandbox.log().iter().all(|e| e.verdict == Verdict::Served));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_what_of_the_budget_is_used() {
    let sandbox = stand_in(|b| b.faults(Faults::parse("code-199@2-3").unwrap()).limits(50, 1_000)).await;
    let p = plans(&sandbox, 2);
    let limits = "\n[limits]\nrequests_per_second = 50\nrequests_per_minute = 1000\n";
    p.write("connectors/jst.toml", &format!("{}{limits}", sandbox.connector_toml()));
    // Another file for the same credential: the same budget.
    p.write("connectors/same.toml", &format!("{}{limits}", sandbox.connector_toml()));
    let budget = |status: &Value| {
        let list = status["budgets"].as_array().unwrap_or_else(|| panic!("{status}")).clone();
        assert_eq!(list.len(), 1, "{status}");
        list[0].clone()
    };
    let idle = budget(&p.run(&["status", "p0", "--json"]).await.exits(0).json());
    assert_eq!((&idle["connectors"], &idle["interface"]), (&json!(["jst", "same"]), &Value::Null));
    assert_eq!(
        idle["limits"],
        json!({"requests_per_second": 50, "requests_per_minute": 1000, "concurrency": 4})
    );
    assert_eq!(idle["used"], json!({"second": 0, "minute": 0, "under_way": 0}));
    assert_eq!(
        (&idle["pace_percent"], &idle["held_until"], &idle["waiting"]),
        (&json!(100), &Value::Null, &json!(0))
    );
    let run = p.run(&["run", "p0", "--json"]).await.exits(0).json();
    assert!(number(&run, "/source/throttled") >= 2, "{run}");
    let calls = number(&run, "/source/calls");
    let seen = budget(&p.run(&["status", "p1", "--json"]).await.exits(0).json());
    assert_eq!(number(&seen, "/used/minute"), calls, "{seen}");
    assert_eq!(number(&seen, "/used/under_way"), 0, "{seen}");
    let pace = number(&seen, "/pace_percent");
    assert!((25..=55).contains(&pace), "halved once or twice, and perhaps a step regained: {seen}");
    for (lang, words) in [("en", ["BUDGETS", "50/s 1000/min"]), ("zh", ["请求额度", "50/s 1000/min"])] {
        let shown = p.run(&["status", "--lang", lang]).await.exits(0).out;
        assert!(words.iter().all(|w| shown.contains(w)), "{shown}");
        let secrets = sandbox.credentials();
        for secret in [&secrets.app_secret, &secrets.access_token, &secrets.refresh_token] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

/// An edited pair whose access token has ended, found by many plans at the same time: one refresh, and everybody goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_pair_is_adopted_once_by_plans_at_the_same_time() {
    let sandbox = stand_in(|b| b).await;
    let p = plans(&sandbox, 8);
    let names: Vec<String> = (0..8).map(|i| format!("p{i}")).collect();
    let mut args = vec!["run", "--parallel", "8", "--json"];
    args.extend(names.iter().map(String::as_str));
    for round in 1..=3 {
        // A person puts the newest pair into the file, and its access token ends.
        p.connect(&sandbox);
        sandbox.expire_token().unwrap();
        for run in p.run(&args).await.exits(0).lines() {
            assert_eq!(run["error"], Value::Null, "{run}");
        }
        assert_eq!(refreshes(&sandbox), (round, 0));
        let token = p.run(&["token", "jst", "--json"]).await.exits(0).json();
        let events: Vec<&str> =
            token["history"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["refreshed", "loaded"]);
    }
}
