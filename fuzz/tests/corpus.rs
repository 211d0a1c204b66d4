//! The corpus in the ordinary tests: what once went wrong does not go wrong again.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use heliu_fuzz::{Target, target};

/// Bytes that the whole corpus may have.
const MOST: u64 = 200_000;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// Every input, on a stack as small as a worker's.
fn replay(target: &'static Target) {
    let inputs = files(&corpus().join(target.name));
    assert!(inputs.len() >= 2, "{} has no corpus", target.name);
    let work = move || {
        for path in inputs {
            println!("{}", path.display());
            // Not timed here: this build is not a fast one.
            (target.run)(&std::fs::read(&path).unwrap());
        }
    };
    let thread =
        std::thread::Builder::new().name(target.name.into()).stack_size(8 << 20).spawn(work).unwrap();
    if thread.join().is_err() {
        panic!("the last input shown above breaks a promise");
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(target(stringify!($name)).unwrap());
        })*

        #[test]
        fn every_target_is_replayed_and_the_corpus_is_small() {
            let names = [$(stringify!($name)),*];
            let all: Vec<&str> = heliu_fuzz::TARGETS.iter().map(|t| t.name).collect();
            assert_eq!(all, names);
            let dirs = files(&corpus());
            assert_eq!(dirs.len(), names.len(), "{dirs:?}");
            let size: u64 = dirs.iter().flat_map(|d| files(d)).map(|f| f.metadata().unwrap().len()).sum();
            assert!(size < MOST, "{size} bytes");
        }
    };
}

targets!(expression function importer condition filter parser sheet);
