//! Which plan a file is: by its `id`, whatever it is called; and what is said where that cannot be told.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::serve::{Service, local_plan, local_project};

const ID: &str = "8e620793-bebb-3167-95a4-9030368e5262";
const OTHER: &str = "11111111-bebb-3167-95a4-9030368e5262";

fn with_id(id: &str) -> Value {
    let mut plan = local_plan("");
    plan["id"] = id.into();
    plan
}

fn rename(p: &Project, from: &str, to: &str) {
    let at = |name: &str| p.path().join(format!("plans/{name}.json"));
    std::fs::rename(at(from), at(to)).unwrap();
}

async fn run(p: &Project, plan: &str) -> Value {
    let a = p.run(&["run", plan, "--json"]).await.exits(0).json();
    balances(&a);
    a
}

async fn watermark(p: &Project, plan: &str) -> Value {
    p.run(&["watermark", plan, "--json"]).await.exits(0).json()["watermark"].clone()
}

async fn records(p: &Project, plan: &str) -> usize {
    p.run(&["records", plan, "--json"]).await.exits(0).lines().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_plan_goes_on_under_its_id() {
    let p = local_project(30);
    p.plan("old", &with_id(ID));
    let first = run(&p, "old").await;
    rename(&p, "old", "new");
    // Whoever looks finds it before it runs again.
    assert_eq!(watermark(&p, "new").await, first["window"]["to"]);
    assert_eq!(records(&p, "new").await, 30);
    p.run(&["certificate", "new"]).await.exits(0);
    let again = run(&p, "new").await;
    assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (30, 0), "{again}");
    // A new file of the old name is a plan of its own, whoever runs first.
    p.plan("old", &with_id(OTHER));
    let fresh = run(&p, "old").await;
    assert_eq!(number(&fresh, "/records/new"), 30, "{fresh}");
    assert_eq!(number(&run(&p, "new").await, "/records/unchanged"), 30);
    // Without an id the file's name is the plan.
    p.plan("plain", &local_plan(""));
    run(&p, "plain").await;
    rename(&p, "plain", "other");
    assert_eq!(number(&run(&p, "other").await, "/records/new"), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plan_under_an_old_name_takes_nothing_from_the_renamed_one() {
    for newer in [with_id(OTHER), local_plan("")] {
        let p = local_project(30);
        p.plan("a", &with_id(ID));
        run(&p, "a").await;
        let mark = watermark(&p, "a").await;
        rename(&p, "a", "b");
        p.plan("a", &newer);
        // It is looked at and run before the renamed one is.
        assert_eq!((watermark(&p, "a").await, records(&p, "a").await), (Value::Null, 0));
        assert_eq!(number(&run(&p, "a").await, "/records/new"), 30);
        assert_eq!((watermark(&p, "b").await, records(&p, "b").await), (mark, 30));
        assert_eq!(number(&run(&p, "b").await, "/records/unchanged"), 30);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_may_swap_their_names_and_an_id_may_be_given_later() {
    let p = local_project(20);
    p.plan("a", &with_id(ID));
    p.plan("b", &with_id(OTHER));
    run(&p, "a").await;
    run(&p, "b").await;
    p.run(&["watermark", "a", "--set", "2026-01-01T00:00:00Z"]).await.exits(0);
    p.run(&["watermark", "b", "--set", "2026-02-02T00:00:00Z"]).await.exits(0);
    rename(&p, "a", "c");
    rename(&p, "b", "a");
    rename(&p, "c", "b");
    let begins = async |plan: &str| run(&p, plan).await["window"]["from"].as_str().unwrap().to_owned();
    // Ten minutes of looking back.
    assert_eq!(begins("a").await, "2026-02-02T07:50:00+08:00");
    assert_eq!(begins("b").await, "2026-01-01T07:50:00+08:00");
    // A plan that ran without an id keeps its records when it is given one.
    p.plan("late", &local_plan(""));
    run(&p, "late").await;
    p.plan("late", &with_id("22222222-bebb-3167-95a4-9030368e5262"));
    assert_eq!(number(&run(&p, "late").await, "/records/unchanged"), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_the_same_id_is_not_run() {
    let p = local_project(20);
    p.plan("mine", &with_id(ID));
    p.plan("copy", &with_id(ID));
    // Nobody can tell which one is meant: neither has run.
    for plan in ["mine", "copy"] {
        let a = p.run(&["run", plan, "--json"]).await.exits(2).json();
        assert!(a["error"].to_string().contains("HL-1064"), "{a}");
    }
    std::fs::remove_file(p.path().join("plans/copy.json")).unwrap();
    let first = run(&p, "mine").await;
    p.plan("copy", &with_id(ID));
    let a = p.run(&["run", "copy", "--json"]).await.exits(2).json();
    assert!(a["error"].to_string().contains("`mine` has the same id"), "{a}");
    p.run(&["preview", "copy"]).await.exits(2);
    p.run(&["check"]).await.exits(2);
    // What ran before goes on.
    assert_eq!(watermark(&p, "mine").await, first["window"]["to"]);
    assert_eq!(number(&run(&p, "mine").await, "/records/unchanged"), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_goes_on_with_a_plan_that_is_renamed_under_it() {
    let p = local_project(20);
    let mut plan = with_id(ID);
    plan["schedule"] = "every 1s".into();
    p.plan("old", &plan);
    let mut s = Service::start(&p, &[]).await;
    let first = s.event("run_finished", |v| v["plan"] == "old").await;
    assert_eq!(first["new"], 20, "{first}");
    rename(&p, "old", "new");
    let next = s.event("run_finished", |v| v["plan"] == "new").await;
    assert_eq!(
        (&next["new"], &next["written"], &next["balanced"]),
        (&json!(0), &json!(0), &json!(true)),
        "{next}"
    );
    assert_eq!(s.stop().await, 0);
    assert_eq!(records(&p, "new").await, 20);
    let db = Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    let (plans, off): (i64, i64) = db
        .query_row("SELECT count(*), (SELECT count(*) FROM schedules WHERE words = '') FROM plans", [], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
        .unwrap();
    assert_eq!((plans, off), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_in_a_folder_is_no_plan() {
    let p = local_project(5);
    p.plan("here", &local_plan(""));
    p.write("plans/below/there.json", &local_plan("").to_string());
    for args in [["run", "below/there"], ["check", "below/there"], ["preview", "plans/below/there.json"]] {
        let a = p.run(&args).await.exits(2);
        assert!(
            [&a.err, &a.out].iter().any(|s| s.contains("HL-1018") && s.contains("plans/below/there.json")),
            "{a:?}"
        );
    }
    p.run(&["run", "../plans/here"]).await.exits(2);
    let checked = p.run(&["check"]).await.exits(0);
    assert!(checked.out.contains("HL-1018"), "{checked:?}");
    p.run(&["run", "plans/here.json"]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_stand_twice_are_named_with_both_places() {
    let p = local_project(5);
    let text = serde_json::to_string_pretty(&local_plan("")).unwrap();
    p.write("plans/own.json", &text.replacen('{', "{\n  \"retries\": 1,\n  \"retries\": 2,", 1));
    let a = p.run(&["run", "own", "--json"]).await.exits(2).json();
    let said = a["error"].to_string();
    assert!(
        said.contains("HL-1019") && said.contains("line 2, column 3") && said.contains("line 3, column 3"),
        "{a}"
    );
    let doubled = text.replacen("\"metadata\": {", "\"metadata\": {\n \"number\": \"other\",", 1);
    p.write("plans/theirs.json", &doubled);
    p.run(&["run", "theirs"]).await.exits(0);
    let checked = p.run(&["check", "theirs"]).await.exits(0);
    assert!(checked.out.contains("HL-1019") && checked.out.contains("metadata.number"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_calls_and_documents_that_are_not_meant_are_told_apart() {
    let p = local_project(5);
    p.plan("one", &local_plan(""));
    p.plan("two", &local_plan(""));
    run(&p, "one").await;
    run(&p, "two").await;
    for (args, word) in [
        (["run", "one", "--limit", "-3"], "negative"),
        (["records", "one", "--limit", "-1"], "negative"),
        (["run", "one", "--limit", "2.5"], "whole number"),
        (["run", "one", "--limit", "99999999999999999999"], "out of range"),
        (["run", "one", "--limit", "few"], "no value"),
    ] {
        let a = p.run(&args).await.exits(2);
        assert!(a.err.contains(word) && a.err.contains("--limit"), "{a:?}");
    }
    let call = p.run(&["calls", "two", "--json"]).await.exits(0).lines()[0]["id"].to_string();
    p.run(&["calls", "two", "--id", &call]).await.exits(0);
    let a = p.run(&["calls", "one", "--id", &call]).await.exits(2);
    assert!(a.err.contains("HL-8015") && a.err.contains("`two`") && a.out.is_empty(), "{a:?}");
    let file = p.path().join("plans/one.json");
    let a = p.run(&["render", file.to_str().unwrap()]).await.exits(2);
    assert!(a.err.contains("HL-8023") && a.err.contains("source.metadata") && a.out.is_empty(), "{a:?}");
    let source = p.write("source.json", &local_plan("")["source"]["metadata"].to_string());
    p.run(&["render", source.to_str().unwrap()]).await.exits(0);
}
