//! What a request costs before it is sent: parameters evaluated, signed, encoded (and, as a preview does, masked); and
//! what it takes to read the built-in manifests.
//!
//! `cargo run --release -p heliu-bench --bin heliu-bench-connect`
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, and ends at the first thing that is not as it should be"
)]

use std::sync::Arc;
use std::time::Duration;

use heliu_connect::heliu::Nowhere;
use heliu_connect::{Ports, Registry};
use heliu_model::ports::PageRequest;
use heliu_model::walk::PageAt;
use heliu_model::{ConnectorSpec, Secret, Ts, Window};
use heliu_testkit::{ManualClock, MemoryLedger};
use heliu_transform::{Metadata, Side};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Repetitions of which the median is shown.
const ROUNDS: usize = 15;

/// Processor time of this thread: a busy machine counts as little as it can.
fn used() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn metadata(api: &str, paging: (&str, &str), window: (&str, &str)) -> Value {
    let item = |field: &str, value: &str| json!({"field": field, "type": "string", "value": value});
    json!({"api": api, "method": "POST", "id": "id", "number": "id", "pagination": {"pageSize": 50}, "request": [
        item(window.0, "{{LAST_SYNC_TIME|datetime}}"), item(window.1, "{{CURRENT_TIME|datetime}}"),
        item(paging.0, "{PAGINATION_START_PAGE}"), item(paging.1, "{PAGINATION_PAGE_SIZE}"),
        item("status", "Confirmed"), item("memo", "备注")]})
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let read = (0..ROUNDS).map(|_| {
        let begun = used();
        let registry = Registry::new(&[]).unwrap();
        let names = registry.names().len();
        (used() - begun).as_secs_f64() * 1e3 / names as f64
    });
    println!("a manifest read          {:7.3} ms", median(read.collect()));
    let registry = Registry::new(&[]).unwrap();
    let memory = Arc::new(MemoryLedger::new());
    let ports = Ports {
        clock: Arc::new(ManualClock::new(Ts(1_710_403_200_000))),
        tokens: memory.clone(),
        budget: memory,
        stored: Arc::new(Nowhere),
        plans: Arc::new(Nowhere),
        owner: "bench".into(),
        plan: String::new(),
    };
    let cases = [
        (
            "jushuitan",
            "/open/orders/out/simple/query",
            ("page_index", "page_size"),
            ("modified_begin", "modified_end"),
        ),
        ("kuaimai", "erp.trade.list.query", ("pageNo", "pageSize"), ("startTime", "endTime")),
    ];
    for (platform, api, paging, window) in cases {
        let credentials = ["app_key", "app_secret", "access_token", "refresh_token"]
            .map(|n| (n.to_owned(), Secret::new(format!("{n}-0123456789abcdef"))));
        let spec = ConnectorSpec {
            name: platform.into(),
            platform: platform.into(),
            credentials: credentials.into(),
            ..ConnectorSpec::default()
        };
        let (meta, _) = Metadata::parse(&metadata(api, paging, window), Side::Source);
        let source = registry.build_source(&spec, &meta, chrono_tz::Asia::Shanghai, &ports).await.unwrap();
        let of = Window { from: Ts(1_710_000_000_000), to: Ts(1_710_403_200_000) };
        const N: u32 = 5_000;
        let rounds = (0..ROUNDS).map(|_| {
            let begun = used();
            for n in 1..=N {
                let request = PageRequest { window: of, at: PageAt::Number(n) };
                assert!(!source.prepare(&request).unwrap().url.is_empty());
            }
            (used() - begun).as_secs_f64() * 1e6 / f64::from(N)
        });
        println!("{platform:10} a request    {:7.2} µs", median(rounds.collect()));
    }
}
