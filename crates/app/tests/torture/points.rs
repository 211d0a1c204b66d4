//! The program dies by itself at every boundary of a commit, and of everything that leaves it; the same command again
//! gives the same rows and a balanced certificate.

use heliu_ledger::COMMITS;
use heliu_torture::{Point, Rack, Tally};

use crate::rack;

/// The plans that run together. Those that have to do with each other's records are one.
const SETS: &[&[&str]] = &[&["replace"], &["insert"], &["log"], &["post"], BETWEEN];
const BETWEEN: &[&str] = &["store", "kept", "query"];

/// Transactions of a run, and at which of their passages the process dies.
const OFTEN: &[(&str, &[u64])] = &[
    // A pair is adopted once, when the project is new; the round of the retention is due then, too.
    ("ledger/adopt", &[1]),
    ("ledger/begin_retention", &[1]),
    ("ledger/plan", &[1]),
    ("ledger/open_run", &[1]),
    ("ledger/reserve", &[1, 2]),
    ("ledger/release", &[1, 2]),
    ("ledger/begin_refresh", &[1]),
    ("token/call", &[1]),
    ("ledger/end_refresh", &[1]),
    ("ledger/claim", &[1]),
    // The last page's commit closes the window, writes its certificate and moves the watermark.
    ("ledger/commit_page", &[1, 2, 4]),
    ("ledger/announce", &[1, 3]),
    ("target/write", &[1, 3]),
    ("ledger/settle", &[1, 3]),
    ("ledger/close_run", &[1]),
];

/// What only plans do that write for others or read what others have read.
const OFTEN_BETWEEN: &[(&str, &[u64])] = &[("ledger/put", &[1, 3]), ("ledger/read_until", &[1])];

/// Deaths at transactions that belong to no walk of a run.
const ELSEWHERE: &str = include_str!("../it/deaths.rs");

/// Deaths of the one that takes over: it has a batch to resolve that its predecessor announced.
const AGAIN: &[&str] = &[
    "ledger/open_run",
    "ledger/intent_rows",
    "target/look_up",
    "ledger/settle",
    "ledger/claim",
    "ledger/announce",
    "target/write",
    "ledger/commit_page",
    "ledger/close_run",
];

/// Likewise where one has stored records for another.
const AGAIN_BETWEEN: &[&str] = &[
    "ledger/open_run",
    "ledger/claim",
    "ledger/put",
    "ledger/settle",
    "ledger/read_until",
    "ledger/commit_page",
    "ledger/close_run",
];

/// Deaths in one project before it is compared.
const CHAIN: usize = 8;

/// What was played, what came of it, and which points were never passed.
type Played = (String, Tally, Vec<Point>);

/// Plays the cases of each set of plans in chains, some at a time. A point that was never passed fails.
async fn all(cases: impl Fn(usize, &'static [&'static str]) -> Vec<Point>) -> Vec<Played> {
    let rack: Rack = rack();
    let chains: Vec<(&'static [&'static str], Vec<Point>)> = SETS
        .iter()
        .enumerate()
        .flat_map(|(i, plans)| {
            cases(i, plans).chunks(CHAIN).map(|c| (*plans, c.to_vec())).collect::<Vec<_>>()
        })
        .collect();
    let (mut chains, mut played) = (chains.into_iter(), Vec::new());
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        while tasks.len() < 3
            && let Some((plans, points)) = chains.next()
        {
            let rack = rack.clone();
            tasks.spawn(async move {
                let told = format!("{plans:?}: {points:?}");
                let (tally, missed) =
                    rack.points(plans, &points).await.unwrap_or_else(|e| panic!("{told}: {e}"));
                (told, tally, missed)
            });
        }
        match tasks.join_next().await {
            Some(one) => played.push(one.unwrap()),
            None => return played,
        }
    }
}

fn name(at: &str, side: &str) -> &'static str {
    format!("{at}/{side}").leak()
}

#[test]
fn every_transaction_of_the_ledger_is_aimed_at() {
    for commit in COMMITS {
        let here = OFTEN.iter().chain(OFTEN_BETWEEN).map(|(at, _)| *at).chain(AGAIN.iter().copied());
        let here = here.filter_map(|at| at.strip_prefix("ledger/")).any(|at| at == commit);
        assert!(here || ELSEWHERE.contains(&format!("\"{commit}\"")), "{commit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_boundary_changes_nothing_of_the_result() {
    let cases = |i: usize, plans: &'static [&'static str]| {
        let mut points = Vec::new();
        for (at, passages) in if plans == BETWEEN { OFTEN_BETWEEN } else { OFTEN } {
            // What has to do with the target is seen with every kind of it, the rest with two.
            let often = ["commit_page", "announce", "write", "settle", "put"].iter().any(|w| at.ends_with(w));
            for nth in passages.iter().filter(|_| often || i.is_multiple_of(2)) {
                for side in ["before", "after"] {
                    points.push(Point { at: name(at, side), nth: *nth, fresh: true });
                }
            }
        }
        points
    };
    let mut deaths = 0;
    for (told, tally, missed) in all(cases).await {
        assert!(tally.is_clean(), "{told}: {tally}");
        assert_eq!(missed, [], "{told}: never passed");
        deaths += tally.kills;
    }
    println!("{deaths} deaths");
    assert!(deaths > 100, "{deaths}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_may_die_as_well() {
    let cases = |_: usize, plans: &'static [&'static str]| {
        let mut points = Vec::new();
        let (list, first) = match plans == BETWEEN {
            true => (AGAIN_BETWEEN, "ledger/put/after"),
            false => (AGAIN, "target/write/after"),
        };
        for at in list {
            // What may be repeated is, and of what nothing is known nothing can be asked.
            if *at == "target/look_up" && plans.iter().any(|p| ["replace", "post"].contains(p)) {
                continue;
            }
            for side in ["before", "after"] {
                points.push(Point { at: first, nth: 2, fresh: true });
                points.push(Point { at: name(at, side), nth: 1, fresh: false });
            }
        }
        points
    };
    for (told, tally, missed) in all(cases).await {
        assert!(tally.is_clean(), "{told}: {tally}");
        assert_eq!(missed, [], "{told}: never passed");
    }
}
