//! The program dies by itself at every boundary of a commit, and of everything that leaves it; the same command again
//! gives the same rows and a balanced certificate.

use heliu_ledger::COMMITS;
use heliu_torture::{PLANS, Point, Rack, Tally};

use crate::rack;

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

/// Transactions that no run of these plans makes, or only when something else goes wrong, or after a time.
const ELSEWHERE: &[&str] = &[
    "set_watermark",
    "mark_retention",
    "drop_calls",
    "drop_contents",
    "shrink",
    "space",
    "put_back",
    "read_until",
    "put",
    "timetable",
    "answer",
    "set_secret",
    "remove_secret",
    "rotate_key",
    "hold",
    "slow",
    "heartbeat",
    "save_calls",
    "intent_rows",
    "observe_alert",
    "close_alert",
    "take_notices",
    "settle_notices",
];

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

/// Deaths in one project before it is compared.
const CHAIN: usize = 8;

/// What was played, what came of it, and which points were never passed.
type Played = (String, Tally, Vec<Point>);

/// Plays the cases of each plan in chains, some at a time.
async fn all(cases: impl Fn(usize, &'static str) -> Vec<Point>) -> Vec<Played> {
    let rack: Rack = rack();
    let chains: Vec<(&'static str, Vec<Point>)> = PLANS
        .into_iter()
        .enumerate()
        .flat_map(|(i, plan)| cases(i, plan).chunks(CHAIN).map(|c| (plan, c.to_vec())).collect::<Vec<_>>())
        .collect();
    let (mut chains, mut played) = (chains.into_iter(), Vec::new());
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        while tasks.len() < 3
            && let Some((plan, points)) = chains.next()
        {
            let rack = rack.clone();
            tasks.spawn(async move {
                let told = format!("{plan}: {points:?}");
                let (tally, missed) =
                    rack.points(plan, &points).await.unwrap_or_else(|e| panic!("{told}: {e}"));
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
fn every_transaction_of_the_ledger_is_aimed_at_or_known_to_lie_elsewhere() {
    for commit in COMMITS {
        let here = OFTEN.iter().any(|(at, _)| at.strip_prefix("ledger/") == Some(commit));
        assert!(here != ELSEWHERE.contains(&commit), "{commit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_boundary_changes_nothing_of_the_result() {
    let cases = |i: usize, _: &'static str| {
        let mut points = Vec::new();
        for (at, passages) in OFTEN {
            // What has to do with the target is seen with every kind of it, the rest with two.
            let often = ["commit_page", "announce", "write", "settle"].iter().any(|w| at.ends_with(w));
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
    let cases = |_: usize, plan: &'static str| {
        let mut points = Vec::new();
        for at in AGAIN {
            // What may be repeated is, and of what nothing is known nothing can be asked.
            if *at == "target/look_up" && ["replace", "post"].contains(&plan) {
                continue;
            }
            for side in ["before", "after"] {
                points.push(Point { at: "target/write/after", nth: 2, fresh: true });
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
