//! The simulator: that nothing is lost, that it plays the same each time, and that it would notice.

#![allow(missing_docs, clippy::expect_used, reason = "tests")]

use heliu_testkit::sim;

/// Scenarios of the test command.
const SCENARIOS: u64 = 10_000;

#[test]
fn nothing_is_lost_whatever_fails() {
    let all = sim::play_many(0, SCENARIOS);
    assert_eq!(all.played, SCENARIOS);
    let first: Vec<String> = all.broken.iter().take(5).map(ToString::to_string).collect();
    assert!(all.broken.is_empty(), "{} of {SCENARIOS} scenarios:\n{}", all.broken.len(), first.join("\n"));
    // The scenarios are as rough as they are meant to be.
    let s = all.stats;
    println!("{s:?}");
    assert!(s.crashes > SCENARIOS / 3 && s.halts > SCENARIOS / 20 && s.lost > SCENARIOS / 3, "{s:?}");
}

#[test]
fn a_seed_plays_the_same_scenario_each_time() {
    for seed in 0..60 {
        assert_eq!(sim::play(seed), sim::play(seed), "seed {seed}");
    }
}

/// Something is broken on purpose: so many scenarios at most until one of them shows it.
fn notices(mutation: sim::Mutation, within: u64) {
    std::panic::set_hook(Box::new(|_| {}));
    let found = (0..within).find_map(|seed| sim::play_with(seed, Some(mutation), false).err());
    let _ = std::panic::take_hook();
    match found {
        Some(broken) => println!("{mutation:?}: {broken}"),
        None => panic!("{mutation:?}: not noticed in {within} scenarios"),
    }
}

mod mutations {
    use heliu_testkit::sim::Mutation;
    use heliu_testkit::through::Cheat;

    use super::notices;

    #[test]
    fn skipping_the_epoch_check_is_noticed() {
        notices(Mutation::Ledger(Cheat::NoEpoch), 2_000);
    }

    #[test]
    fn moving_the_watermark_early_is_noticed() {
        notices(Mutation::Ledger(Cheat::EarlyWatermark), 2_000);
    }

    #[test]
    fn dropping_the_intent_is_noticed() {
        notices(Mutation::Ledger(Cheat::NoIntent), 2_000);
    }

    #[test]
    fn settling_without_comparing_versions_is_noticed() {
        notices(Mutation::Ledger(Cheat::NoVersions), 2_000);
    }

    #[test]
    fn passing_on_after_the_settlement_is_noticed() {
        notices(Mutation::Ledger(Cheat::LeftApart), 2_000);
    }

    #[test]
    fn reading_forward_in_one_pass_is_noticed() {
        notices(Mutation::OnePassForward, 2_000);
    }

    #[test]
    fn hashing_without_canonical_form_is_noticed() {
        notices(Mutation::RawHash, 2_000);
    }
}
