//! Medians and the table.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::run::Took;

/// One round.
pub struct Round {
    pub bare: f64,
    pub first: Took,
    pub again: Took,
}

/// Medians of the rounds of one size.
pub struct Row {
    records: u32,
    bare: f64,
    pub first_seconds: f64,
    /// Median of the ratios of each round.
    ratio: f64,
    cpu: f64,
    peak: f64,
    again: f64,
    again_cpu: f64,
}

fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    list.get(list.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Row {
    pub fn of(records: u32, rounds: &[Round]) -> Row {
        let m = |f: &dyn Fn(&Round) -> f64| median(rounds.iter().map(f).collect());
        Row {
            records,
            bare: m(&|r| r.bare),
            first_seconds: m(&|r| r.first.wall),
            ratio: m(&|r| r.bare / r.first.wall),
            cpu: m(&|r| r.first.cpu),
            peak: m(&|r| r.first.peak_mib),
            again: m(&|r| r.again.wall),
            again_cpu: m(&|r| r.again.cpu),
        }
    }
}

/// The table in Markdown.
pub fn render(rows: &[Row]) -> String {
    let mut out = String::from(
        "| orders | bare loader s | heliu s | heliu rows/s | ratio of rows/s | CPU s | peak MiB | unchanged again s | CPU s |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for r in rows {
        out.push_str(&format!(
            "| {} | {:.2} | {:.2} | {:.0} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} |\n",
            r.records,
            r.bare,
            r.first_seconds,
            f64::from(r.records) / r.first_seconds,
            r.ratio,
            r.cpu,
            r.peak,
            r.again,
            r.again_cpu
        ));
    }
    out
}

fn output(program: &str, args: &[&str]) -> String {
    Command::new(program)
        .args(args)
        .output()
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// Commit, machine, command.
pub fn head() -> String {
    let commit = output("git", &["rev-parse", "--short", "HEAD"]);
    let dirty =
        if output("git", &["status", "--porcelain", "-uno"]).is_empty() { "" } else { " with changes" };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("", |m| m.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let db = output("mariadbd", &["--version"]);
    let args: Vec<String> = std::env::args().skip(1).collect();
    format!(
        "# End to end, {}\n\nCommit {commit}{dirty} · {cores} cores, {model} · {db}\n\n`heliu-bench {}`; medians of the rounds; the ratio is the bare loader's time over heliu's, taken round by round.\nSource, MariaDB and heliu share the cores; ledger and call capture are on.\n",
        stamp(),
        args.join(" ")
    )
}

/// The day, for the file's name.
pub fn stamp() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    output("date", &["-u", "-d", &format!("@{days}"), "+%Y-%m-%d-%H%M"])
}
