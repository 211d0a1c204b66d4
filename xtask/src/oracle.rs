//! `cargo xtask oracle [--seed N] [--seeds K] [--cases M] [--show N]`: the comparison of `_function` with a real MariaDB,
//! for other seeds and more cases than `make test` has time for.

use std::process::Command;

/// The test that compares.
const TEST: &str = "oracle::functions_answer_as_mariadb_does";

/// Runs the comparison for the seeds one after the other.
///
/// # Errors
/// Wrong options, or the seeds that showed a difference without a reason.
pub fn run(args: &[String]) -> Result<(), String> {
    let (mut seed, mut seeds, mut cases, mut show) = (1u32, 1u32, 200_000u32, 20u32);
    let mut rest = args.iter();
    while let Some(option) = rest.next() {
        let target = match option.as_str() {
            "--seed" => &mut seed,
            "--seeds" => &mut seeds,
            "--cases" => &mut cases,
            "--show" => &mut show,
            other => {
                return Err(format!(
                    "unknown option `{other}`; there are --seed N, --seeds K, --cases M, --show N"
                ));
            }
        };
        let value = rest.next().ok_or_else(|| format!("{option} needs a number"))?;
        *target = value.parse().map_err(|_| format!("{option}: `{value}` is no number"))?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut different = Vec::new();
    for seed in seed..seed.saturating_add(seeds) {
        println!("seed {seed}, {cases} cases");
        let status = Command::new(&cargo)
            .args(["test", "--quiet", "--locked", "--package", "heliu-transform", "--test", "it", "--"])
            .args(["--exact", "--nocapture", TEST])
            .env("HELIU_ORACLE_SEED", seed.to_string())
            .env("HELIU_ORACLE_CASES", cases.to_string())
            .env("HELIU_ORACLE_SHOW", show.to_string())
            .status()
            .map_err(|e| e.to_string())?;
        if !status.success() {
            different.push(seed.to_string());
        }
    }
    if different.is_empty() { Ok(()) } else { Err(format!("see above: seed {}", different.join(", "))) }
}
