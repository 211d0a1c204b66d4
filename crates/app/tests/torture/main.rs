//! The program, killed at every kind of moment (`cargo xtask torture` goes on for longer).
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod points;

use std::path::Path;

use heliu_testkit::mariadb::MariaDb;
use heliu_torture::{Damage, KILLS, Rack};

/// Rounds of the test command.
const ROUNDS: u64 = 4;

fn rack() -> Rack {
    Rack::new(Path::new(env!("CARGO_BIN_EXE_heliu")), MariaDb::shared())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_lose_nothing_and_double_nothing() {
    let all = rack().rounds(0, 2, |_, begun| begun < ROUNDS).await.unwrap();
    println!("{all}");
    assert!(all.is_clean(), "{all}");
    assert_eq!((all.rounds, all.kills), (ROUNDS, ROUNDS * KILLS));
    // Every kind of moment was met.
    for moment in
        ["start-up", "token refresh", "page", "before a statement", "after a statement", "settlement"]
    {
        assert!(all.moments.contains_key(moment), "{moment}: {all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comparison_notices_what_is_lost_doubled_or_miscounted() {
    for damage in [Damage::Missing, Damage::Stale, Damage::Twice, Damage::Count] {
        let t = rack().spoiled(7, damage).await.unwrap();
        let found = (t.lost.len(), t.doubled.len(), t.wrong.len());
        let wanted = match damage {
            Damage::Missing | Damage::Stale => (1, 0, 0),
            Damage::Twice => (0, 1, 0),
            Damage::Count => (0, 0, 1),
        };
        assert_eq!(found, wanted, "{damage:?}: {t}");
    }
}
