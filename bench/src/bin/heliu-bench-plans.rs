//! Fifty plans on ten connectors at once: each connector is a stand-in with the platform's published budget, each plan
//! writes into a table of its own. Shown are the peak memory of the one process that runs them, and the most calls that
//! any stand-in saw in any second and any minute.
//!
//! `cargo run --release -p heliu-bench --bin heliu-bench-plans -- --heliu target/release/heliu`
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement reads the clock, and ends at the first thing that is not as it should be"
)]

#[path = "../high_water.rs"]
mod high_water;
#[path = "../machine.rs"]
mod machine;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use heliu_sandbox::{Sandbox, Verdict};
use heliu_testkit::mariadb::MariaDb;
use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

/// Measures many plans in one process.
#[derive(Debug, Parser)]
struct Args {
    /// The program to measure
    #[arg(long, default_value = "target/release/heliu")]
    heliu: PathBuf,
    /// Connectors
    #[arg(long, default_value_t = 10)]
    connectors: usize,
    /// Plans
    #[arg(long, default_value_t = 50)]
    plans: usize,
    /// Orders that each stand-in has
    #[arg(long, default_value_t = 2_000)]
    records: u32,
    /// Calls a second and a minute that each stand-in grants
    #[arg(long, default_values_t = [5, 100], num_args = 2)]
    limits: Vec<u32>,
    /// Directory that the table is written to
    #[arg(long)]
    out: Option<PathBuf>,
}

const COLUMNS: [&str; 8] = ["io_id", "o_id", "so_id", "shop_id", "status", "pay_amount", "modified", "items"];

fn plan(n: usize, connector: usize) -> Value {
    let item = |field: &str, value: String| json!({"field": field, "type": "string", "value": value});
    let request: Vec<Value> = COLUMNS.iter().map(|c| item(c, format!("{{{c}}}"))).collect();
    let sql = format!("REPLACE INTO t{n} ({}) VALUES", COLUMNS.join(", "));
    json!({
        "start": start(),
        "source": {"connector": format!("jst{connector}"), "metadata": {
            "api": "/open/orders/out/simple/query", "method": "POST", "number": "o_id", "id": "io_id",
            "idCheck": true, "pagination": {"pageSize": 50}, "request": [
                item("modified_begin", "{{LAST_SYNC_TIME|datetime}}".into()),
                item("modified_end", "{{CURRENT_TIME|datetime}}".into())]}},
        "target": {"connector": "bi", "metadata": {
            "api": "batchexecute", "effect": "EXECUTE", "method": "POST", "idCheck": true, "request": request,
            "otherRequest": [item("main_sql", sql), item("limit", "1000".into())]}}})
}

/// A time before the oldest order of a stand-in, within one window of the platform.
fn start() -> String {
    let days =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() - 5 * 86_400;
    days.to_string()
}

/// Most of the times that lie within `ms` of each other.
fn densest(times: &[i64], ms: i64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (i, at) in times.iter().enumerate() {
        while at - times[first] >= ms {
            first += 1;
        }
        most = most.max(i - first + 1);
    }
    most
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let server = MariaDb::start(&[]).expect("MariaDB starts");
    let dsn = server.dsn("bi");
    let mut db = mysql_async::Conn::new(mysql_async::Opts::from_url(&dsn).unwrap()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{dsn}\"\n"));
    let (second, minute) = (args.limits[0], args.limits[1]);
    let mut stand_ins = Vec::new();
    for c in 0..args.connectors {
        let builder =
            Sandbox::builder("jushuitan").records(args.records).seed(c as u64).limits(second, minute);
        let sandbox = builder.listen("127.0.0.1:0").await.expect("a stand-in starts");
        let limits = format!("\n[limits]\nrequests_per_second = {second}\nrequests_per_minute = {minute}\n");
        write(dir.path(), &format!("connectors/jst{c}.toml"), &(sandbox.connector_toml() + &limits));
        stand_ins.push(sandbox);
    }
    let names: Vec<String> = (0..args.plans).map(|n| format!("orders{n:02}")).collect();
    for (n, name) in names.iter().enumerate() {
        write(dir.path(), &format!("plans/{name}.json"), &plan(n, n % args.connectors).to_string());
        db.query_drop(format!(
            "CREATE TABLE t{n} (io_id BIGINT PRIMARY KEY, o_id BIGINT, so_id VARCHAR(64), shop_id BIGINT, status VARCHAR(30),
             pay_amount VARCHAR(30), modified DATETIME, items JSON)"
        ))
        .await
        .unwrap();
    }

    let begun = Instant::now();
    let mut child = Command::new(&args.heliu)
        .arg("--project")
        .arg(dir.path())
        .args(["run", "--json", "--parallel", &args.plans.to_string()])
        .args(&names)
        .stdout(Stdio::piped())
        .spawn()
        .expect("heliu starts");
    let mut answers = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        answers.read_to_string(&mut text).map(|_| text)
    });
    let mut peak = 0;
    let status = loop {
        peak = high_water::of(child.id()).unwrap_or(peak).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let wall = begun.elapsed().as_secs_f64();
    let text = reader.join().unwrap().unwrap();
    assert!(status.success(), "{status}: {text}");
    let mut written = 0;
    for line in text.lines() {
        let run: Value = serde_json::from_str(line).expect("one object for each plan");
        assert_eq!(run["certificate"]["balanced"], true, "{run}");
        written += run["target"]["written"].as_u64().unwrap();
    }
    assert_eq!(written, u64::from(args.records) * args.plans as u64);
    for n in 0..args.plans {
        let rows: u64 = db.query_first(format!("SELECT count(*) FROM t{n}")).await.unwrap().unwrap();
        assert_eq!(rows, u64::from(args.records), "t{n}");
    }

    let (mut calls, mut in_second, mut in_minute, mut refused) = (0, 0, 0, 0);
    for sandbox in &stand_ins {
        let log = sandbox.log();
        let mut times: Vec<i64> = log.iter().map(|e| e.at.timestamp_millis()).collect();
        times.sort_unstable();
        calls += times.len();
        in_second = in_second.max(densest(&times, 1_000));
        in_minute = in_minute.max(densest(&times, 60_000));
        refused +=
            log.iter().filter(|e| matches!(e.verdict, Verdict::RateSecond | Verdict::RateMinute)).count();
    }
    let table = format!(
        "| plans | connectors | orders a plan | calls | wall s | peak MiB | most calls in 1 s (of {second}) | in 60 s (of {minute}) | refused |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n| {} | {} | {} | {calls} | {wall:.1} | {:.1} | {in_second} | {in_minute} | {refused} |\n",
        args.plans,
        args.connectors,
        args.records,
        peak as f64 / 1024.0,
    );
    println!("{table}");
    if let Some(out) = args.out {
        let head = machine::head("Many plans at once", "heliu-bench-plans");
        let said = "One `heliu run` with all plans in parallel; ledger and call capture are on. The stand-ins count every call, tokens included; the windows slide.\n";
        let file = out.join(format!("{}-plans.md", machine::stamp()));
        std::fs::write(&file, format!("{head}\n{said}\n{table}")).expect("the result can be written");
        println!("{}", file.display());
    }
    assert!(in_second <= second as usize && in_minute <= minute as usize, "a budget was exceeded");
    assert!(peak <= 128 * 1024, "more than 128 MiB");
}
