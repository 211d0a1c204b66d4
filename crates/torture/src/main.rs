//! `cargo xtask torture --minutes M [--seed N] [--release] [--program PATH]`: kills the real program for so long.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use heliu_testkit::mariadb::MariaDb;
use heliu_torture::{Rack, Tally};
use tokio::time::Instant;

/// Kills and compares. Fails with wrong options, what cannot be built or started, or whatever was lost, doubled or does not add up, with its seed.
fn run(args: &[String]) -> Result<(), String> {
    let (mut minutes, mut seed, mut release, mut program) = (1u64, 0u64, false, None);
    let mut rest = args.iter();
    while let Some(option) = rest.next() {
        let number = |value: Option<&String>| {
            let value = value.ok_or_else(|| format!("{option} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("{option}: `{value}` is no number"))
        };
        match option.as_str() {
            "--minutes" => minutes = number(rest.next())?,
            "--seed" => seed = number(rest.next())?,
            "--release" => release = true,
            "--program" => program = Some(PathBuf::from(rest.next().ok_or("--program needs a path")?)),
            other => {
                return Err(format!(
                    "unknown option `{other}`; there are --minutes M, --seed N, --release, --program PATH"
                ));
            }
        }
    }
    let program = match program {
        Some(path) => path,
        None => build(release)?,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let rack = Rack::new(&program, MariaDb::shared());
        let until = Instant::now() + Duration::from_secs(minutes * 60);
        let mut told = 0;
        let more = |so_far: &Tally, begun| {
            if so_far.rounds > told {
                told = so_far.rounds;
                eprintln!("{} rounds, {} kills", so_far.rounds, so_far.kills);
            }
            so_far.is_clean() && (begun == 0 || Instant::now() < until)
        };
        let all = rack.rounds(seed, 2, more).await.map_err(|e| e.to_string())?;
        let last = seed + all.rounds.saturating_sub(1);
        println!("seeds {seed} to {last}: {all}");
        if all.is_clean() { Ok(()) } else { Err("the promise is broken".to_owned()) }
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The program as cargo builds it now.
fn build(release: bool) -> Result<PathBuf, String> {
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--package", "heliu-app"]);
    if release {
        cargo.arg("--release");
    }
    let built = cargo.status().map_err(|e| e.to_string())?;
    if !built.success() {
        return Err("the program cannot be built".to_owned());
    }
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().map_err(|e| e.to_string())?;
    let folder = if release { "release" } else { "debug" };
    Ok(metadata.target_directory.join(folder).join("heliu").into())
}
