//! On what something was measured.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

fn output(program: &str, args: &[&str]) -> String {
    Command::new(program)
        .args(args)
        .output()
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// Commit, machine, command.
pub fn head(title: &str, program: &str) -> String {
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
        "# {title}, {}\n\nCommit {commit}{dirty} · {cores} cores, {model} · {db}\n\n`{program} {}`\n",
        stamp(),
        args.join(" ")
    )
}

/// The day, for the file's name.
pub fn stamp() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    output("date", &["-u", "-d", &format!("@{days}"), "+%Y-%m-%d-%H%M"])
}
