//! Medians and the table.

use crate::machine;
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

/// Commit, machine, command.
pub fn head() -> String {
    format!(
        "{}; medians of the rounds; the ratio is the bare loader's time over heliu's, taken round by round.\nSource, MariaDB and heliu share the cores; ledger and call capture are on.\n",
        machine::head("End to end", "heliu-bench").trim_end()
    )
}
