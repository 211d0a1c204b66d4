//! End-to-end measurements: orders from a paged source in memory into MariaDB, against a bare loader of the same rows.
//!
//! `cargo run --release -p heliu-bench -- --heliu target/release/heliu` prints a table and, with `--out DIR`, keeps it.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement reads the clock, and ends at the first thing that is not as it should be"
)]

mod high_water;
mod loader;
mod machine;
mod run;
mod table;

use std::path::PathBuf;

use clap::Parser;
use heliu_testkit::mariadb::MariaDb;

/// Measures heliu end to end.
#[derive(Debug, Parser)]
struct Args {
    /// The program to measure
    #[arg(long, default_value = "target/release/heliu")]
    heliu: PathBuf,
    /// Numbers of orders, comma separated
    #[arg(long, default_value = "100000", value_delimiter = ',')]
    records: Vec<u32>,
    /// Times that each is repeated; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also 200 pages under a budget of 10 requests a second
    #[arg(long)]
    budget: bool,
    /// Directory that the table is written to
    #[arg(long)]
    out: Option<PathBuf>,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let server = MariaDb::start(&[]).expect("MariaDB starts");
    let mut lines = Vec::new();
    let mut per_record = Vec::new();
    for records in &args.records {
        let mut rounds = Vec::new();
        for _ in 0..args.rounds.max(1) {
            let source = run::Source::start(&args.heliu, *records);
            let dsn = server.dsn("bi");
            let bare = loader::load(&dsn, *records).await;
            let project = run::Project::new(&args.heliu, &source, &dsn);
            loader::empty(&dsn).await;
            let first = project.run();
            loader::verify(&dsn, *records).await;
            let again = project.run_again();
            rounds.push(table::Round { bare, first, again });
        }
        let row = table::Row::of(*records, &rounds);
        per_record.push(row.first_seconds / f64::from(*records));
        lines.push(row);
    }
    let mut text = table::render(&lines);
    if let (Some(small), Some(large)) = (per_record.first(), per_record.get(1)) {
        text.push_str(&format!("\ntime per record, largest against smallest: {:.2}\n", large / small));
    }
    if args.budget {
        let source = run::Source::start_limited(&args.heliu, 20_000, 10);
        loader::empty(&server.dsn("bi")).await;
        let project = run::Project::with_budget(&args.heliu, &source, &server.dsn("bi"), 10);
        let used = project.run();
        text.push_str(&format!(
            "\n200 pages with a declared total under 10 requests/s: {} requests, {} throttled, {:.1} s\n",
            used.calls, used.throttled, used.wall
        ));
    }
    println!("{text}");
    if let Some(dir) = args.out {
        let file = dir.join(format!("{}.md", machine::stamp()));
        std::fs::write(&file, format!("{}\n{text}", table::head())).expect("the result can be written");
        println!("kept in {}", file.display());
    }
}
