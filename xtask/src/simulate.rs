//! `cargo xtask simulate --seed N [--count M] [--trace] [--break RULE]`: plays scenarios of the simulator again.

use heliu_testkit::sim::{self, Mutation};

/// Plays them.
///
/// # Errors
/// Wrong options, or the broken promises, each with its seed.
pub fn run(args: &[String]) -> Result<(), String> {
    let (mut seed, mut count, mut trace, mut broken) = (0u64, 1u64, false, None);
    let mut rest = args.iter();
    while let Some(option) = rest.next() {
        let number = |value: Option<&String>| {
            let value = value.ok_or_else(|| format!("{option} needs a number"))?;
            value.parse::<u64>().map_err(|_| format!("{option}: `{value}` is no number"))
        };
        match option.as_str() {
            "--seed" => seed = number(rest.next())?,
            "--count" => count = number(rest.next())?,
            "--trace" => trace = true,
            "--break" => {
                let name = rest.next().map(String::as_str).unwrap_or_default();
                let names = Mutation::ALL.map(|(n, _)| n).join(", ");
                broken = Some(Mutation::named(name).ok_or_else(|| format!("--break takes one of {names}"))?);
            }
            other => {
                return Err(format!(
                    "unknown option `{other}`; there are --seed N, --count M, --trace, --break RULE"
                ));
            }
        }
    }
    if trace || broken.is_some() {
        for seed in seed..seed.saturating_add(count) {
            let stats = sim::play_with(seed, broken, trace).map_err(|b| b.to_string())?;
            println!("seed {seed}: {stats:?}");
        }
        return Ok(());
    }
    let all = sim::play_many(seed, count);
    let s = all.stats;
    println!(
        "{} scenarios: {} starts, {} crashes, {} processes that slept, {} ledger calls, {} pages, {} writes, \
         {} lost answers, {} records, {} put back by hand; {} broken",
        all.played,
        s.lives,
        s.crashes,
        s.halts,
        s.calls,
        s.pages,
        s.writes,
        s.lost,
        s.records,
        s.put_back,
        all.broken.len()
    );
    if all.broken.is_empty() {
        return Ok(());
    }
    Err(all.broken.iter().map(|b| format!("\n{b}")).collect())
}
