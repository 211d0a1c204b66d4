//! CPU of each stage of a run by itself, without network and without a target: where a microsecond of a record goes.
//!
//! `cargo run --release -p heliu-bench --bin heliu-bench-stages -- --pages 1000`
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, and ends at the first thing that is not as it should be"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use clap::Parser;
use heliu_engine::{DialectRenderer, DialectShaper, Renderer, Shaper};
use heliu_ledger::{Options, SqliteLedger};
use heliu_model::ports::{
    Clock, Element, Ledger, Left, OpenRun, Outcome, PageCommit, Render, RowBody, RunOpening, Settle, WalkStep,
};
use heliu_model::record::Policy;
use heliu_model::run::RunKind;
use heliu_model::{Call, CallKind, Ts, Window};
use heliu_sandbox::Sandbox;
use heliu_testkit::ManualClock;
use heliu_transform::{Metadata, Outline, Side};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;

/// CPU of each stage.
#[derive(Debug, Parser)]
struct Args {
    /// Pages of 100 orders
    #[arg(long, default_value_t = 1000)]
    pages: u32,
    /// Only stages whose name begins so
    #[arg(long)]
    only: Option<String>,
}

fn cpu() -> f64 {
    let u = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(u.user_time()) + seconds(u.system_time())
}

#[derive(Default)]
struct Spent(BTreeMap<&'static str, f64>);

impl Spent {
    fn on<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let before = cpu();
        let out = work();
        *self.0.entry(stage).or_default() += cpu() - before;
        out
    }
}

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&args));
}

async fn measure(args: &Args) {
    let records = args.pages * 100;
    let sandbox = Sandbox::builder("bench").records(records).listen("127.0.0.1:0").await.unwrap();
    let mut bodies: Vec<Bytes> = Vec::new();
    let mut page = String::new();
    let mut columns: Vec<String> = Vec::new();
    let mut on_page = 0;
    sandbox.each_order(|_, text| {
        if columns.is_empty() {
            let one: serde_json::Value = serde_json::from_str(&text).unwrap();
            columns = one.as_object().unwrap().keys().take(22).cloned().collect();
        }
        page.push_str(if on_page == 0 { "{\"code\":0,\"data\":{\"datas\":[" } else { "," });
        page.push_str(&text);
        on_page += 1;
        if on_page == 100 {
            page.push_str("]}}");
            bodies.push(Bytes::from(std::mem::take(&mut page)));
            on_page = 0;
        }
    });
    let (source, _) = Metadata::parse(
        &json!({"api": "/orders", "method": "GET", "number": "order_no", "id": "id", "pagination": {"pageSize": 100},
               "idCheck": true, "request": [],
               "otherResponse": [{"field": "DataKey", "type": "string", "value": "data.datas"}]}),
        Side::Source,
    );
    let request: Vec<serde_json::Value> =
        columns.iter().map(|c| json!({"field": c, "type": "string", "value": format!("{{{c}}}")})).collect();
    let (target, _) = Metadata::parse(
        &json!({"api": "batchexecute", "method": "POST", "idCheck": true, "request": request}),
        Side::Target,
    );
    let clock = Arc::new(ManualClock::new(Ts(1_710_403_200_000)));
    let shaper = DialectShaper::new(&source, chrono_tz::UTC, &[], None, None, clock.clone());
    let renderer = DialectRenderer::new(&target, Render::Columns, chrono_tz::UTC, None);
    let dir = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(dir.path(), &Options::default()).unwrap();
    let plan = ledger.plan("orders", "u", clock.now()).await.unwrap();
    let window = Window { from: Ts(0), to: clock.now() };
    let opening = ledger
        .open_run(OpenRun {
            plan: plan.id,
            ulid: "01HS0000000000000000000000".into(),
            kind: RunKind::Normal,
            windows: vec![(window, "{}".into())],
            owner: "bench".into(),
            now: clock.now(),
            lease_until: clock.now().plus_ms(3_600_000),
            tick: None,
        })
        .await
        .unwrap();
    let RunOpening::Owned(run) = opening else { panic!("owned") };

    let mut spent = Spent::default();
    let mut due = Vec::new();
    for body in &bodies {
        let elements = spent.on("1 cut", || {
            let outline = Outline::read(body).unwrap();
            heliu_transform::records::find_records(&outline, None, &[], &source).unwrap().unwrap().elements
        });
        let shaped = spent.on("2 shape and hash", || {
            let mut out: Vec<Element> = Vec::with_capacity(elements.len());
            elements.iter().for_each(|e| shaper.shape(e, &mut out));
            out
        });
        let mut call = Call::new(CallKind::Fetch, clock.now(), "GET", "http://127.0.0.1/orders?page=1");
        call.response_body = body.clone();
        call.rows = 100;
        let before = cpu();
        let committed = ledger
            .commit_page(
                PageCommit {
                    run: run.id,
                    epoch: run.epoch,
                    seq: run.windows[0].seq,
                    pass: 1,
                    calls: vec![call],
                    retried: 0,
                    throttled: 0,
                    body: body.clone(),
                    packed: heliu_model::ports::Packed::default(),
                    elements: shaped,
                    policy: Policy::default(),
                    hand_over: usize::MAX,
                    name_news: 0,
                    now: clock.now(),
                },
                Box::new(|_| WalkStep { walk: "{}".into(), problems: Vec::new(), total: None, close: None }),
            )
            .await
            .unwrap();
        *spent.0.entry("3 commit").or_default() += cpu() - before;
        due.extend(committed.due);
        if due.len() < 2_000 {
            continue;
        }
        // Two writers: neighbours go together, as the engine deals them.
        let (even, odd): (Vec<_>, Vec<_>) =
            std::mem::take(&mut due).into_iter().partition(|d| d.row / 128 % 2 == 0);
        for batch in [even, odd] {
            let rows: Vec<RowBody> = spent.on("4 render", || {
                batch.iter().map(|d| renderer.render(&window, &d.content).unwrap()).collect()
            });
            assert_eq!(rows.len(), batch.len());
            spent.on("5 drop rows", || drop(rows));
            let before = cpu();
            ledger
                .settle(Settle {
                    run: run.id,
                    epoch: run.epoch,
                    intent: None,
                    calls: vec![Call::new(CallKind::Write, clock.now(), "SQL", "mysql://x")],
                    outcomes: batch.iter().map(|d| (d.row, d.version, Outcome::Written(None))).collect(),
                    left: Left::default(),
                    max_attempts: 10,
                    now: clock.now(),
                })
                .await
                .unwrap();
            *spent.0.entry("6 settle").or_default() += cpu() - before;
        }
    }
    let mut all = 0.0;
    for (stage, s) in &spent.0 {
        println!("{stage:18} {:6.3} s  {:6.2} µs a record", s, s * 1e6 / f64::from(records));
        all += s;
    }
    println!("{:18} {all:6.3} s  {:6.2} µs a record", "all", all * 1e6 / f64::from(records));
}
