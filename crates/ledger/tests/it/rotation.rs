//! A new sealing key.

use std::path::Path;

use heliu_ledger::{Options, Rotated, SqliteLedger};
use heliu_model::ports::{TokenPair, Tokens};
use heliu_model::{Secret, Ts};

const NOW: Ts = Ts(1_710_403_200_000);

fn open(dir: &Path) -> SqliteLedger {
    SqliteLedger::open(dir, &Options::default()).expect("the ledger opens")
}

fn pair(n: u32) -> TokenPair {
    TokenPair {
        access: Secret::new(format!("access-{n}")),
        refresh: Some(Secret::new(format!("refresh-{n}"))),
        expires_at: None,
    }
}

async fn fill(ledger: &SqliteLedger) {
    ledger.set_secret("erp", &Secret::new("s3cret-words"), NOW).await.expect("set");
    ledger.set_secret("crm", &Secret::new("other-words"), NOW).await.expect("set");
    ledger.adopt("shop", &pair(1), "file", NOW).await.expect("adopted");
}

/// Everything opens and says what it said.
async fn assert_all_open(ledger: &SqliteLedger) {
    for (name, words) in [("erp", "s3cret-words"), ("crm", "other-words")] {
        let found = ledger.secret(name).await.expect("it opens").expect("it is there");
        assert_eq!(found.expose(), words);
    }
    let row = ledger.load("shop").await.expect("it opens").expect("it is there");
    assert_eq!(row.pair.access.expose(), "access-1");
    assert_eq!(row.pair.refresh.expect("one").expose(), "refresh-1");
}

fn key(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("key")).expect("the key is there")
}

#[tokio::test]
async fn everything_is_sealed_anew_and_a_running_process_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (running, other) = (open(dir.path()), open(dir.path()));
    fill(&running).await;
    assert_all_open(&other).await;
    let old = key(dir.path());
    let rotated = other.rotate_key(NOW).await.expect("rotated");
    assert_eq!(rotated, Rotated { secrets: 2, tokens: 2 });
    assert_ne!(key(dir.path()), old);
    assert!(!dir.path().join("key.next").exists());
    // The one that was there before reads and seals with the new key.
    assert_all_open(&running).await;
    running.set_secret("new", &Secret::new("later"), NOW).await.expect("set");
    assert_all_open(&open(dir.path())).await;
    assert_eq!(open(dir.path()).secret("new").await.expect("opens").expect("there").expose(), "later");
    // And once more, by the other one.
    assert_eq!(running.rotate_key(NOW).await.expect("rotated"), Rotated { secrets: 3, tokens: 2 });
    assert_all_open(&other).await;
    // The first key opens nothing any more.
    std::fs::write(dir.path().join("key"), old).expect("written");
    let error = open(dir.path()).secret("erp").await.expect_err("another key");
    assert_eq!(error.code, "HL-6010");
}

#[tokio::test]
async fn a_crash_before_or_after_the_transaction_is_finished_by_the_next_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let ledger = open(dir.path());
    fill(&ledger).await;
    // Before: a new key lies there that the ledger does not know.
    std::fs::write(dir.path().join("key.next"), [7; 32]).expect("written");
    assert_all_open(&open(dir.path())).await;
    let old = key(dir.path());
    ledger.rotate_key(NOW).await.expect("rotated");
    assert_ne!(key(dir.path()), [7; 32], "a key that lay about is not used");
    // After: sealed with the new key, which did not come into its place.
    std::fs::rename(dir.path().join("key"), dir.path().join("key.next")).expect("renamed");
    std::fs::write(dir.path().join("key"), &old).expect("written");
    assert_all_open(&open(dir.path())).await;
    assert!(!dir.path().join("key.next").exists());
    assert_all_open(&ledger).await;
}

#[tokio::test]
async fn what_cannot_be_opened_stops_it_and_nothing_changes() {
    let dir = tempfile::tempdir().expect("a directory");
    fill(&open(dir.path())).await;
    let old = key(dir.path());
    // Another key: nothing was ever replaced here, so that only opening tells.
    std::fs::write(dir.path().join("key"), [9; 32]).expect("written");
    let error = open(dir.path()).rotate_key(NOW).await.expect_err("it does not fit");
    assert_eq!(error.code, "HL-6011");
    std::fs::write(dir.path().join("key"), &old).expect("written");
    assert_all_open(&open(dir.path())).await;
}
