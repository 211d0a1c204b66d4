//! Lookups in the stored records of other plans (rules L1 to L13, M1 to M4).

use heliu_ledger::{Lookups, Options, SqliteLedger};
use heliu_model::ports::*;
use heliu_model::record::Policy;
use heliu_model::run::{RunKind, RunState};
use heliu_model::{Call, CallKind, Ts, Window};
use heliu_transform::{Lookup, Value};

use crate::run;

pub const START: Ts = Ts(1_710_403_200_000);
pub const PLAN: &str = "8e620793-bebb-3167-95a4-9030368e5262";

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).expect("JSON")
}

/// Stores records (id, content) in a run of the plan.
pub async fn store(ledger: &SqliteLedger, at: i64, records: &[(&str, &str)]) {
    let now = START.plus_ms(at);
    let plan = ledger.plan("material", PLAN, START).await.expect("plan");
    let wish = OpenRun {
        windows: vec![(Window { from: START, to: now.plus_ms(1) }, String::new())],
        ..run::wish(plan.id, format!("01HRUN{at:020}"), now)
    };
    let run = run::opened(ledger, wish).await;
    let (body, elements) = run::elements(records, |id| Some(format!("no-{id}")));
    let page = PageCommit {
        run: run.id,
        epoch: run.epoch,
        seq: 0,
        pass: 1,
        calls: vec![Call::new(CallKind::Fetch, now, "POST", "http://x")],
        retried: 0,
        throttled: 0,
        body,
        packed: Packed::default(),
        elements,
        policy: Policy::default(),
        hand_over: 0,
        name_news: 0,
        now,
    };
    let step = WalkStep { walk: String::new(), problems: Vec::new(), total: None, close: None };
    ledger.commit_page(page, Box::new(move |_| step)).await.expect("commit_page");
    let close = CloseRun {
        run: run.id,
        epoch: run.epoch,
        state: RunState::Done,
        problems: Vec::new(),
        failure: None,
        seconds: 0.0,
        now,
    };
    ledger.close_run(close).await.expect("close_run");
}

fn find(lookups: &Lookups, field: &str, conditions: &[(&str, &str)]) -> Option<String> {
    let conditions: Vec<(String, Value)> =
        conditions.iter().map(|(k, v)| ((*k).to_owned(), json(v))).collect();
    lookups.find(PLAN, field, &conditions).expect("find").map(|v| v.to_json())
}

fn mongo(lookups: &Lookups, field: &str, filter: &str) -> Option<String> {
    lookups.mongo(PLAN, field, &json(filter)).expect("mongo").map(|v| v.to_json())
}

#[tokio::test]
async fn values_are_found_by_any_fields_newest_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(dir.path(), &Options::default()).expect("open");
    store(
        &ledger,
        0,
        &[
            ("1", r#"{"FNumber":"A1","FUnit":"Pcs","n":1001,"p":12.50,"rows":[{"sku":"x"},{"sku":"y"}],"flag":true}"#),
            ("2", r#"{"FNumber":"B2","FUnit":"Box","n":"1002","o":{"k":"deep"},"nil":null}"#),
            ("3", r#"{"FNumber":"A1","FUnit":"Old","FBillNo":"SO-1"}"#),
        ],
    )
    .await;
    let lookups = ledger.lookups();
    // Of one time the later row is the newer one.
    assert_eq!(find(&lookups, "FUnit", &[("FNumber", "\"A1\"")]), Some("\"Old\"".into()), "L7");
    assert_eq!(
        find(&lookups, "FUnit", &[("FNumber", "\"A1\""), ("n", "1001")]),
        Some("\"Pcs\"".into()),
        "L2"
    );
    assert_eq!(find(&lookups, "FUnit", &[("n", "\"1001\"")]), Some("\"Pcs\"".into()), "L8");
    assert_eq!(find(&lookups, "FUnit", &[("n", "1002")]), Some("\"Box\"".into()), "L8");
    assert_eq!(find(&lookups, "FUnit", &[("p", "12.5")]), Some("\"Pcs\"".into()), "L8 numbers by value");
    assert_eq!(find(&lookups, "FNumber", &[("o.k", "\"deep\"")]), Some("\"B2\"".into()), "L3");
    assert_eq!(find(&lookups, "n", &[("rows.sku", "\"y\"")]), Some("1001".into()));
    assert_eq!(find(&lookups, "flag", &[("n", "1001")]), Some("true".into()));
    assert_eq!(find(&lookups, "nil", &[("FNumber", "\"B2\"")]), None);
    assert_eq!(find(&lookups, "FUnit", &[("FNumber", "\"none\"")]), None, "L6");
    assert_eq!(find(&lookups, "FUnit", &[("FNumber", "null")]), None);
    assert!(lookups.find("no-such-plan", "a", &[("b".into(), json("1"))]).is_err(), "L14");
    assert!(!lookups.knows("no-such-plan") && lookups.knows("depot"), "L14");
    assert!(lookups.find("material", "FUnit", &[("n".into(), json("1001"))]).expect("by name").is_some());

    assert_eq!(
        mongo(&lookups, "content.FUnit", r#"{"content.FNumber":{"$eq":"B2"}}"#),
        Some("\"Box\"".into()),
        "M4"
    );
    assert_eq!(
        mongo(&lookups, "content.FUnit", r#"{"content.FNumber":"A1","content.n":{"$gt":5}}"#),
        Some("\"Pcs\"".into())
    );
    assert_eq!(
        mongo(&lookups, "content.FNumber", r#"{"content.FBillNo":{"$in":["SO-1","SO-2"]}}"#),
        Some("\"A1\"".into())
    );
    assert_eq!(mongo(&lookups, "number", r#"{"id":"2"}"#), Some("\"no-2\"".into()));
    assert_eq!(mongo(&lookups, "content.FUnit", r#"{"number":{"$regex":"^no-1"}}"#), Some("\"Pcs\"".into()));
    assert_eq!(mongo(&lookups, "content.FUnit", r#"{"content.FNumber":"C"}"#), None, "M4");
    assert!(lookups.mongo(PLAN, "a", &json(r#"{"a":{"$where":"1"}}"#)).is_err());
}

#[tokio::test]
async fn what_came_since_is_found_with_the_next_batch() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(dir.path(), &Options::default()).expect("open");
    store(&ledger, 0, &[("1", r#"{"k":"a","v":1}"#), ("2", r#"{"k":"b","v":2}"#)]).await;
    let lookups = ledger.lookups();
    let ask = |k: &str| find(&lookups, "v", &[("k", k)]);
    assert_eq!((ask("\"a\""), ask("\"c\"")), (Some("1".into()), None));
    store(&ledger, 1_000, &[("1", r#"{"k":"c","v":3}"#), ("3", r#"{"k":"b","v":4}"#)]).await;
    // Within a batch the answers stay.
    assert_eq!(ask("\"c\""), None);
    for n in 0..300 {
        ask(&format!("\"other {n}\""));
    }
    assert_eq!(ask("\"c\""), Some("3".into()), "a changed record by its new value");
    assert_eq!(ask("\"a\""), None, "and no longer by its old one");
    assert_eq!(ask("\"b\""), Some("4".into()), "the newest");
    // Another process, on the directory alone.
    let other = Lookups::of(dir.path()).expect("there is a ledger");
    assert_eq!(find(&other, "v", &[("k", "\"b\"")]), Some("4".into()));
    assert!(Lookups::of(&dir.path().join("none")).is_none());
}

/// Settles what waits as written, with what is kept of the reply for each id.
async fn keep_back(ledger: &SqliteLedger, at: i64, kept: &[(&str, &str)]) {
    let now = START.plus_ms(at);
    let plan = ledger.plan("material", PLAN, START).await.expect("plan");
    let wish = OpenRun { kind: RunKind::TargetOnly, ..run::wish(plan.id, format!("01HRUN{at:020}"), now) };
    let run = run::opened(ledger, wish).await;
    let claim = Claim { plan: plan.id, run: run.id, epoch: run.epoch, max: 100, after: 0 };
    let due = ledger.claim(claim).await.expect("claim");
    let row = |id: &str| due.iter().find(|d| d.id == id).map(|d| d.row).expect("due");
    let settle = Settle {
        run: run.id,
        epoch: run.epoch,
        intent: None,
        calls: Vec::new(),
        outcomes: due.iter().map(|d| (d.row, d.version, Outcome::Written(None))).collect(),
        left: Left {
            kept: kept.iter().map(|(id, value)| (row(id), (*value).to_owned())).collect(),
            ..Left::default()
        },
        max_attempts: 3,
        now,
    };
    ledger.settle(settle).await.expect("settle");
    let close = CloseRun {
        run: run.id,
        epoch: run.epoch,
        state: RunState::Done,
        problems: Vec::new(),
        failure: None,
        seconds: 0.0,
        now,
    };
    ledger.close_run(close).await.expect("close");
}

#[tokio::test]
async fn l3_a_dotted_root_reaches_what_was_kept_of_the_reply() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(dir.path(), &Options::default()).expect("open");
    let records = [("1", r#"{"no":"A","k":1}"#), ("2", r#"{"no":"B","k":1}"#), ("3", r#"{"no":"C","k":2}"#)];
    store(&ledger, 1_000, &records).await;
    let lookups = ledger.lookups();
    let find = |field: &str, conditions: &[(&str, &str)]| {
        let conditions: Vec<_> = conditions.iter().map(|(f, v)| ((*f).to_owned(), json(v))).collect();
        lookups.find(PLAN, field, &conditions).expect("find").map(|v| v.to_json())
    };
    let number = "primaryWriteback.number";
    assert_eq!(find(number, &[("no", r#""A""#)]), None, "not written yet");
    assert_eq!(find("no", &[(number, r#""CG02""#)]), None);
    keep_back(&ledger, 2_000, &[("1", r#"{"number":"CG01"}"#), ("2", r#"{"number":"CG02"}"#)]).await;
    // Answers are kept for some questions: a reader that began before sees it a little later.
    let lookups = ledger.lookups();
    let find = |field: &str, conditions: &[(&str, &str)]| {
        let conditions: Vec<_> = conditions.iter().map(|(f, v)| ((*f).to_owned(), json(v))).collect();
        lookups.find(PLAN, field, &conditions).expect("find").map(|v| v.to_json())
    };
    assert_eq!(find(number, &[("no", r#""A""#)]).as_deref(), Some(r#""CG01""#));
    assert_eq!(find("primaryWriteback.Number", &[("no", r#""A""#)]).as_deref(), Some(r#""CG01""#));
    assert_eq!(find("no", &[(number, r#""CG02""#)]).as_deref(), Some(r#""B""#));
    assert_eq!(find("no", &[(number, r#""CG02""#), ("k", "1")]).as_deref(), Some(r#""B""#));
    assert_eq!(find("no", &[(number, r#""CG02""#), ("k", "2")]), None);
    assert_eq!(find(number, &[("no", r#""C""#)]), None, "nothing was kept of this one");
    let mongo = |field: &str, filter: &str| {
        lookups.mongo(PLAN, field, &json(filter)).expect("mongo").map(|v| v.to_json())
    };
    let by = |f: &str, v: &str| format!(r#"{{"{f}":{{"$eq":{v}}}}}"#);
    assert_eq!(mongo("content.no", &by(number, r#""CG02""#)).as_deref(), Some(r#""B""#));
    assert_eq!(mongo(number, &by("content.no", r#""A""#)).as_deref(), Some(r#""CG01""#));
    assert_eq!(mongo("number", r#"{"status":2,"content.k":2}"#).as_deref(), Some(r#""no-3""#));
    assert_eq!(mongo("number", r#"{"status":3,"content.k":2}"#), None);
    // A newer write takes the place of the older one, also for a reader that has seen that.
    store(&ledger, 3_000, &[("2", r#"{"no":"B","k":3}"#)]).await;
    keep_back(&ledger, 4_000, &[("2", r#"{"number":"CG03"}"#)]).await;
    for i in 0..600 {
        find("no", &[(number, &format!("\"x{i}\""))]);
    }
    assert_eq!(find("no", &[(number, r#""CG03""#)]).as_deref(), Some(r#""B""#));
    assert_eq!(find("k", &[(number, r#""CG03""#), ("k", "3")]).as_deref(), Some("3"));
    assert_eq!(find("no", &[(number, r#""CG02""#)]), None);
}
