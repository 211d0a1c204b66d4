//! A lookup among 1 000 000 stored records: `cargo bench -p heliu-ledger --bench lookups [-- RECORDS]`.
//!
//! The first question builds the index; what counts is the time of those behind it. Every question is a new one, so
//! that no kept answer helps.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement reads the clock, and ends at the first thing that is not as it should be"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use heliu_ledger::{Lookups, Options, SqliteLedger};
use heliu_model::ports::*;
use heliu_model::record::Policy;
use heliu_model::run::{RunKind, RunState};
use heliu_model::{Call, CallKind, Ts, Window};
use heliu_transform::{Lookup, Value};

const START: Ts = Ts(1_710_403_200_000);
const PLAN: &str = "8e620793-bebb-3167-95a4-9030368e5262";
const PAGE: usize = 1000;
const QUESTIONS: usize = 5000;

fn content(n: usize) -> String {
    format!(
        r#"{{"FID":{},"FNumber":"MAT-{n:07}","FName":"物料 {n}","FUnit":"Pcs","FGroup":"G{}","FPrice":{}.50,"FStock":{{"FWarehouse":"W{}","FQty":{}}},"FForbidden":false}}"#,
        100_000 + n,
        n % 97,
        n % 500,
        n % 13,
        n % 1000
    )
}

async fn store(ledger: &SqliteLedger, records: usize) {
    let plan = ledger.plan("material", PLAN, START).await.expect("plan");
    let opening = ledger
        .open_run(OpenRun {
            plan: plan.id,
            ulid: "01HRUN00000000000000000001".into(),
            kind: RunKind::Normal,
            windows: vec![(Window { from: START, to: START.plus_ms(1) }, String::new())],
            owner: "one".into(),
            now: START,
            lease_until: START.plus_ms(3_600_000),
            tick: None,
        })
        .await
        .expect("open_run");
    let RunOpening::Owned(run) = opening else { panic!("{opening:?}") };
    for page in 0..records.div_ceil(PAGE) {
        let all: Vec<String> = (page * PAGE..records.min((page + 1) * PAGE)).map(content).collect();
        let body = Bytes::from(all.join(","));
        let mut from = 0;
        let elements = all
            .iter()
            .enumerate()
            .map(|(i, content)| {
                let slice = body.slice(from..from + content.len());
                from += content.len() + 1;
                Element {
                    id: Some((page * PAGE + i).to_string()),
                    number: None,
                    hash: heliu_transform::canonical::content_hash(
                        content.as_bytes(),
                        &[],
                        &mut Default::default(),
                    )
                    .expect("hash"),
                    stamp: None,
                    content: slice,
                    verdict: Verdict::Keep,
                    head: true,
                }
            })
            .collect();
        let commit = PageCommit {
            run: run.id,
            epoch: run.epoch,
            seq: 0,
            pass: 1,
            calls: vec![Call::new(CallKind::Fetch, START, "POST", "http://x")],
            retried: 0,
            throttled: 0,
            body,
            packed: Packed::default(),
            elements,
            policy: Policy::default(),
            hand_over: 0,
            name_news: 0,
            now: START,
        };
        let step = WalkStep { walk: String::new(), problems: Vec::new(), total: None, close: None };
        ledger.commit_page(commit, Box::new(move |_| step)).await.expect("commit_page");
    }
    let close = CloseRun {
        run: run.id,
        epoch: run.epoch,
        state: RunState::Done,
        problems: Vec::new(),
        failure: None,
        seconds: 0.0,
        now: START,
    };
    ledger.close_run(close).await.expect("close_run");
}

/// Asks for the unit of a record, by its number.
fn find(lookups: &Lookups, n: usize) -> Duration {
    let wanted = [("FNumber".to_owned(), Value::from(format!("MAT-{n:07}")))];
    let begin = Instant::now();
    let found = lookups.find(PLAN, "FID", &wanted).expect("find");
    let took = begin.elapsed();
    assert_eq!(found, Some(Value::from(i64::try_from(100_000 + n).expect("small"))));
    took
}

/// The same as a filter, with a second test.
fn mongo(lookups: &Lookups, n: usize) -> Duration {
    let filter = format!(r#"{{"content.FNumber":{{"$eq":"MAT-{n:07}"}},"content.FPrice":{{"$gte":0}}}}"#);
    let filter = Value::parse(filter.as_bytes()).expect("JSON");
    let begin = Instant::now();
    let found = lookups.mongo(PLAN, "content.FID", &filter).expect("mongo");
    let took = begin.elapsed();
    assert_eq!(found, Some(Value::from(i64::try_from(100_000 + n).expect("small"))));
    took
}

fn row(name: &str, records: usize, ask: impl Fn(usize) -> Duration) {
    let first = ask(0);
    // Spread over all pages, in no order of theirs.
    let mut times: Vec<Duration> = (1..=QUESTIONS).map(|i| ask(i * 7_919 % records)).collect();
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e6;
    println!(
        "| {name} | {:.2} s | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs |",
        first.as_secs_f64(),
        at(500),
        at(950),
        at(990),
        at(1000)
    );
}

fn main() {
    let records = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ledger = SqliteLedger::open(dir.path(), &Options::default()).expect("open");
    let begin = Instant::now();
    runtime.block_on(store(&ledger, records));
    println!("{records} records stored in {:.1} s", begin.elapsed().as_secs_f64());
    let lookups = ledger.lookups();
    println!("\n| {QUESTIONS} lookups | first | median | 95 % | 99 % | slowest |\n|---|--:|--:|--:|--:|--:|");
    row("`_findCollection`", records, |n| find(&lookups, n));
    row("`_mongoQuery`", records, |n| mongo(&lookups, n));
}
