//! Development tasks: `cargo xtask TASK [ARGUMENTS]`. One module each.

mod docs;
mod figures;
mod fuzz;
mod oracle;
mod simulate;

use std::process::ExitCode;

/// A task: its name, what it does, and the function that takes its arguments.
type Task = (&'static str, &'static str, fn(&[String]) -> Result<(), String>);

const TASKS: &[Task] = &[
    ("docs", "write docs/reference from the tables in the code; --check: fail if it is stale", docs::run),
    ("figures", "what `cargo bench` measured last, as a table: FILE", figures::run),
    ("fuzz", "drive the fuzz targets: [--seconds N] [--jobs N] [--seed N] [--keep] [TARGET …]", fuzz::run),
    ("layers", "check the direction of imports", xtask::layers::run),
    (
        "oracle",
        "compare `_function` with a real MariaDB: [--seed N] [--seeds K] [--cases M] [--show N]",
        oracle::run,
    ),
    ("simulate", "play scenarios again: --seed N [--count M] [--trace]", simulate::run),
    ("torture", "kill the real program again and again: --minutes M [--seed N] [--release]", torture),
];

/// `cargo xtask torture`: a program of its own, so that the other tasks need not build databases and platforms.
fn torture(args: &[String]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut run = std::process::Command::new(cargo);
    run.args(["run", "--quiet", "--locked", "--package", "heliu-torture", "--"]).args(args);
    let status = run.status().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err("see above".to_owned()) }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let task = args.first().and_then(|name| TASKS.iter().find(|t| t.0 == name));
    let Some((name, _, run)) = task else {
        eprintln!("cargo xtask TASK [ARGUMENTS]");
        for (name, about, _) in TASKS {
            eprintln!("  {name:10} {about}");
        }
        return ExitCode::from(2);
    };
    match run(args.get(1..).unwrap_or(&[])) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{name}: {why}");
            ExitCode::FAILURE
        }
    }
}
