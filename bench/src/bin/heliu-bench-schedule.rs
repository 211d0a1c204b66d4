//! Many plans in one process: what they cost while nothing is due, and how late their ticks are when all of them are
//! due once in ten minutes. Each plan reads one row of an SQLite table and writes it into nothing.
//!
//! `cargo run --release -p heliu-bench --bin heliu-bench-schedule -- --heliu target/release/heliu`
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement reads the clock, and ends at the first thing that is not as it should be"
)]

#[path = "../machine.rs"]
mod machine;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use heliu_ledger::{Options, SqliteLedger};
use heliu_model::ports::Ledger;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

/// Measures the scheduler.
#[derive(Debug, Parser)]
struct Args {
    /// The program to measure
    #[arg(long, default_value = "target/release/heliu")]
    heliu: PathBuf,
    /// Plans
    #[arg(long, default_value_t = 10_000)]
    plans: usize,
    /// Seconds of each part, once the service is up
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Directory that the table is written to
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Ticks come round in so many milliseconds.
const ROUND_MS: i64 = 600_000;

/// The second of the round in which a plan is due.
fn second(n: usize) -> usize {
    n % 600
}

fn project(dir: &Path, plans: usize, schedule: fn(usize) -> String) {
    for folder in ["connectors", "plans"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let source = dir.join("source.db");
    // An empty file is an empty database.
    std::fs::write(&source, "").unwrap();
    std::fs::write(
        dir.join("connectors/source.toml"),
        format!("platform = \"sqlite\"\n[credentials]\npath = \"{}\"\n", source.display()),
    )
    .unwrap();
    std::fs::write(dir.join("connectors/nothing.toml"), "platform = \"heliu\"\n").unwrap();
    for n in 0..plans {
        let plan = json!({
            "schedule": schedule(n),
            "source": {"connector": "source", "metadata": {
                "api": "select", "method": "POST", "id": "id", "number": "id", "request": [],
                "otherRequest": [{"field": "main_sql", "value": "select 1 as id, 'a' as n"}]}},
            "target": {"connector": "nothing", "metadata": {
                "api": "写入空操作", "method": "POST", "idCheck": true, "request": []}}});
        std::fs::write(dir.join(format!("plans/p{n:05}.json")), plan.to_string()).unwrap();
    }
}

/// The service, until it is told to stop.
struct Service(Child);

impl Service {
    /// Starts it and waits until it has read the plans.
    fn start(heliu: &Path, dir: &Path) -> (Service, Duration) {
        let begin = Instant::now();
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let child = Command::new(heliu)
            .args(["--lang", "en", "--project"])
            .arg(dir)
            .args(["serve", "--headless"])
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let mut service = Service(child);
        // Asked in steps: the text is the only sign that a service without pages gives.
        while !std::fs::read_to_string(dir.join("log")).unwrap().contains("heliu runs") {
            assert!(begin.elapsed() < Duration::from_secs(180), "the service does not come up");
            assert!(service.0.try_wait().unwrap().is_none(), "the service has ended");
            std::thread::sleep(Duration::from_millis(100));
        }
        (service, begin.elapsed())
    }

    /// Processor time so far, in hundredths of a second.
    fn used(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Share of a core over so many seconds, in percent.
    fn share(&self, seconds: u64) -> f64 {
        let (begin, before) = (Instant::now(), self.used());
        std::thread::sleep(Duration::from_secs(seconds));
        (self.used() - before) as f64 / begin.elapsed().as_secs_f64()
    }

    fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn stop(mut self) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGINT).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

/// How late each run began after its tick, in milliseconds, in order.
fn lateness(dir: &Path, plans: usize) -> Vec<i64> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ledger = SqliteLedger::open(&dir.join(".heliu"), &Options::default()).unwrap();
        let mut late = Vec::new();
        for n in 0..plans {
            let Some(plan) = ledger.find_plan(&format!("p{n:05}")).await.unwrap() else { continue };
            for run in ledger.runs(plan.id, 10).await.unwrap() {
                late.push((run.started.0 - 1_000 * second(n) as i64).rem_euclid(ROUND_MS));
            }
        }
        late.sort_unstable();
        late
    })
}

fn main() {
    let args = Args::parse();
    let heliu = args.heliu.canonicalize().expect("the program; build it with --release first");
    let dir = tempfile::tempdir().unwrap();

    project(dir.path(), args.plans, |_| "0 0 0 1 1 ?".into());
    let (service, up) = Service::start(&heliu, dir.path());
    // What starting left to do is not idling.
    std::thread::sleep(Duration::from_secs(5));
    let idle = service.share(args.seconds);
    service.stop();

    std::fs::remove_dir_all(dir.path().join(".heliu")).unwrap();
    project(dir.path(), args.plans, |n| format!("{} {}/10 * * * ?", second(n) % 60, second(n) / 60));
    let (service, _) = Service::start(&heliu, dir.path());
    let busy = service.share(args.seconds);
    let peak = service.peak_mib();
    service.stop();
    let late = lateness(dir.path(), args.plans);
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];

    let head = machine::head("The scheduler", "heliu-bench-schedule");
    let table = format!(
        "{head}\n\
         | plans | up after s | idle: % of a core | ticks | busy: % of a core | late ms: median | p99 | latest | peak MiB |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|\n\
         | {plans} | {up:.1} | {idle:.2} | {ticks} | {busy:.1} | {median} | {p99} | {most} | {peak:.0} |\n",
        plans = args.plans,
        up = up.as_secs_f64(),
        ticks = late.len(),
        median = at(0.5),
        p99 = at(0.99),
        most = at(1.0),
    );
    print!("{table}");
    if let Some(out) = &args.out {
        let file = out.join(format!("{}-schedule.md", machine::stamp()));
        std::fs::write(&file, &table).unwrap();
        println!("kept in {}", file.display());
    }
}
