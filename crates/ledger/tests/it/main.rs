//! The ledger on SQLite from outside.

#![allow(missing_docs, reason = "tests")]

mod lookups;
mod retention;
mod rotation;
mod run;
mod stored;

use std::path::Path;
use std::sync::Arc;

use heliu_ledger::{Options, SqliteLedger};
use heliu_testkit::through::{Store, Through};

fn open(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteLedger::open(dir, &Options::default()).expect("the ledger opens"))
}

/// A store in a directory of its own, which goes with it.
fn fresh(reopen: bool) -> Arc<dyn Store> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let kept = open(dir.path());
    Arc::new(Through::opening(move || if reopen { open(dir.path()) } else { kept.clone() }))
}

mod one_process {
    heliu_testkit::conformance!(super::fresh(false));
}

/// The file is opened again for every single call, as if each came from a process of its own.
mod opened_for_each_call {
    heliu_testkit::conformance!(super::fresh(true));
}

/// The simulator's scenarios on this ledger: fewer, for each call is a real transaction.
#[test]
fn nothing_is_lost_whatever_fails() {
    let broken: Vec<String> = (0..120)
        .filter_map(|seed| {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let broken = heliu_testkit::sim::play_over(seed, open(dir.path())).err();
            retention::audit(dir.path());
            broken
        })
        .map(|b| b.to_string())
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
