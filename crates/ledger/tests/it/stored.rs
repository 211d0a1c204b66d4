//! Records as other plans read and write them: nothing slips behind a reader, and nothing is stored twice.

use bytes::Bytes;
use heliu_ledger::{Options, SqliteLedger};
use heliu_model::ports::*;
use heliu_model::record::{Policy, State};
use heliu_model::{Call, CallKind, Ts};

use crate::lookups::{PLAN, START, store};
use crate::run;

fn ask(from: Option<i64>, to: i64) -> StoredAsk {
    StoredAsk {
        plan: PLAN.to_uppercase(),
        by: StoredBy::Arrival,
        states: Vec::new(),
        from: from.map(|ms| START.plus_ms(ms)),
        to: START.plus_ms(to),
        closed: START.plus_ms(to),
        after: None,
        max_rows: 2,
        max_bytes: 1 << 20,
    }
}

/// Reads page by page to the end.
async fn all(ledger: &SqliteLedger, mut ask: StoredAsk) -> Vec<(String, String)> {
    let mut out = Vec::new();
    loop {
        let page = Stored::read(ledger, ask.clone()).await.expect("read");
        assert!(page.rows.len() <= ask.max_rows && page.gone == 0, "{page:?}");
        let text = |b: &Bytes| String::from_utf8_lossy(b).into_owned();
        out.extend(page.rows.iter().map(|r| (r.id.clone(), text(&r.content))));
        if !page.more {
            return out;
        }
        ask.after = page.last;
    }
}

fn ids(rows: &[(String, String)]) -> Vec<&str> {
    rows.iter().map(|r| r.0.as_str()).collect()
}

fn open() -> (tempfile::TempDir, SqliteLedger) {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = SqliteLedger::open(dir.path(), &Options::default()).expect("open");
    (dir, ledger)
}

#[tokio::test]
async fn every_record_once_in_the_order_of_its_time_with_its_digits() {
    let (_dir, ledger) = open();
    assert_eq!(all(&ledger, ask(None, 10_000)).await, [], "a plan without records has none");
    let digits = r#"{"id":1,"n":1.10,"big":123456789012345678901234567890}"#;
    store(&ledger, 20_000, &[("1", digits), ("2", r#"{"id":2}"#), ("3", r#"{"id":3}"#)]).await;
    store(&ledger, 40_000, &[("4", r#"{"id":4}"#), ("2", r#"{"id":2,"v":2}"#)]).await;
    let rows = all(&ledger, ask(None, 50_000)).await;
    // The changed one stands where its current version came.
    assert_eq!(ids(&rows), ["1", "3", "2", "4"]);
    assert_eq!((rows[0].1.as_str(), rows[2].1.as_str()), (digits, r#"{"id":2,"v":2}"#));
    assert_eq!(ids(&all(&ledger, ask(Some(20_000), 40_000)).await), ["1", "3"], "both edges");
    assert_eq!(ids(&all(&ledger, ask(Some(20_001), 40_001)).await), ["2", "4"]);
    let none = StoredAsk { states: vec![State::Written], ..ask(None, 50_000) };
    assert_eq!(all(&ledger, none).await, []);
    let waiting = StoredAsk { states: vec![State::Waiting], ..ask(None, 50_000) };
    assert_eq!(all(&ledger, waiting).await.len(), 4);
}

#[tokio::test]
async fn a_commit_that_waited_for_its_turn_is_not_passed_by() {
    let (_dir, ledger) = open();
    store(&ledger, 0, &[("1", r#"{"id":1}"#)]).await;
    assert_eq!(ids(&all(&ledger, ask(Some(0), 60_000)).await), ["1"]);
    // It read its clock before that window was read, and commits after it.
    store(&ledger, 59_000, &[("2", r#"{"id":2}"#)]).await;
    assert_eq!(ids(&all(&ledger, ask(Some(60_000), 90_000)).await), ["2"]);
    // A clock that was once far ahead holds nobody back.
    all(&ledger, ask(Some(0), 86_400_000_000)).await;
    store(&ledger, 120_000, &[("3", r#"{"id":3}"#)]).await;
    assert_eq!(ids(&all(&ledger, ask(Some(100_000), 130_000)).await), ["3"]);
}

#[tokio::test]
async fn a_page_ends_where_its_bytes_end() {
    let (_dir, ledger) = open();
    let long = format!("{{\"id\":1,\"t\":\"{}\"}}", "x".repeat(600));
    store(&ledger, 0, &[("1", &long), ("2", &long), ("3", &long)]).await;
    let small = StoredAsk { max_rows: 100, max_bytes: 1_000, ..ask(None, 10_000) };
    let page = Stored::read(&ledger, small.clone()).await.expect("read");
    assert_eq!((page.rows.len(), page.more), (2, true));
    assert_eq!(ids(&all(&ledger, small).await), ["1", "2", "3"]);
}

/// An open run of the plan that writes, owned by `owner` until the lease ends; of whoever comes then, by that one.
async fn writer(ledger: &SqliteLedger, owner: &str, now: Ts) -> (RunId, i64) {
    let plan = ledger.plan("writer", "0193-writer", now).await.expect("plan");
    let wish = OpenRun { owner: owner.into(), ..run::wish(plan.id, "01HWRITER", now) };
    let run = run::opened(ledger, wish).await;
    (run.id, run.epoch)
}

fn put(by: (RunId, i64), records: &[(&str, &str)], now: Ts) -> StoredPut {
    let (body, elements) = run::elements(records, |_| None);
    let mut call = Call::new(CallKind::Fetch, now, "STORE", "heliu:material");
    call.response_body = body.clone();
    StoredPut {
        plan: "material".into(),
        uuid: PLAN.into(),
        call,
        body,
        elements,
        policy: Policy::default(),
        by,
        now,
    }
}

#[tokio::test]
async fn what_is_put_waits_once_and_a_change_back_is_a_change() {
    let (_dir, ledger) = open();
    let by = writer(&ledger, "one", START).await;
    let (a, b) = (r#"{"id":1,"v":"a"}"#, r#"{"id":1,"v":"b"}"#);
    let mut said = Vec::new();
    for (i, content) in [a, a, b, a, a].into_iter().enumerate() {
        let out =
            ledger.put(put(by, &[("1", content), ("2", "{}")], START.plus_ms(i as i64))).await.expect("put");
        said.push((out.records.new, out.records.changed, out.records.unchanged));
    }
    assert_eq!(said, [(2, 0, 0), (0, 0, 2), (0, 1, 1), (0, 1, 1), (0, 0, 2)]);
    let plan = ledger.find_plan("material").await.expect("find").expect("made by the first put");
    let counts = ledger.state_counts(plan.id).await.expect("counts");
    assert_eq!(counts, StateCounts { waiting: 2, ..StateCounts::default() });
    let story = ledger.story(plan.id, "1").await.expect("story").expect("there");
    assert_eq!((story.record.version, story.versions.len()), (3, 2));
    assert_eq!(story.content.as_deref(), Some(a.as_bytes()));
    crate::retention::audit(ledger.dir());
}

#[tokio::test]
async fn what_is_put_during_a_run_of_the_plan_is_due_in_it() {
    let (_dir, ledger) = open();
    let by = writer(&ledger, "one", START).await;
    ledger.put(put(by, &[("1", r#"{"id":1}"#)], START)).await.expect("put");
    let plan = ledger.find_plan("material").await.expect("find").expect("there");
    let run = run::opened(&ledger, run::wish(plan.id, "01HRUN", START)).await;
    let claim = Claim { plan: plan.id, run: run.id, epoch: run.epoch, max: 10, after: 0 };
    let due = ledger.claim(claim.clone()).await.expect("claim");
    assert_eq!(due.len(), 1);
    // The version in the writer's hands is replaced, another one comes.
    ledger.put(put(by, &[("1", r#"{"id":1,"v":2}"#), ("2", "{}")], START)).await.expect("put");
    let settle = Settle {
        run: run.id,
        epoch: run.epoch,
        intent: None,
        calls: Vec::new(),
        outcomes: vec![(due[0].row, due[0].version, Outcome::Written(None))],
        left: Left::default(),
        max_attempts: 3,
        now: START,
    };
    ledger.settle(settle).await.expect("settle");
    let more = ledger.claim(Claim { after: due[0].row, ..claim }).await.expect("claim");
    assert_eq!(more.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["2"]);
    let close = CloseRun {
        run: run.id,
        epoch: run.epoch,
        state: heliu_model::run::RunState::Done,
        problems: Vec::new(),
        failure: None,
        seconds: 0.0,
        now: START,
    };
    let row = ledger.close_run(close).await.expect("close");
    assert!(row.counts.target_balances(), "{:?}", row.counts);
    assert_eq!(
        (row.counts.waiting_before, row.counts.target.superseded, row.counts.target.waiting),
        (3, 1, 2)
    );
}

/// It slept before it stored a batch, and what it holds is old by now.
#[tokio::test]
async fn whoever_was_taken_over_stores_nothing_old_over_anything_new() {
    let (_dir, ledger) = open();
    let sleeper = writer(&ledger, "one", START).await;
    let (old, new) = (r#"{"id":1,"v":"old"}"#, r#"{"id":1,"v":"new"}"#);
    let later = START.plus_ms(61_000);
    let successor = writer(&ledger, "two", later).await;
    assert_eq!((successor.0, successor.1 > sleeper.1), (sleeper.0, true));
    ledger.put(put(successor, &[("1", new)], later)).await.expect("put");
    let late = ledger.put(put(sleeper, &[("1", old)], later)).await.expect_err("its run is another one's");
    assert_eq!(late.code, "HL-6005", "{late}");
    let plan = ledger.find_plan("material").await.expect("find").expect("there");
    let story = ledger.story(plan.id, "1").await.expect("story").expect("there");
    assert_eq!(story.content.as_deref(), Some(new.as_bytes()));
}
