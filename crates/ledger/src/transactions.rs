//! Write transactions: whose turn it is, on which thread, and what is looked at before and after.
//!
//! SQLite's work blocks its thread, so that it is done on threads of its own. To change threads twice costs more processor
//! time than most of what a run stores, however: what takes a few milliseconds at most, syncs nothing and waits for nobody
//! is done at once, where it is asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use heliu_model::{Failure, text};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::rotation::Keys;
use crate::{Inner, SqliteLedger, Stop, errors, file_id};

/// The most records that are stored or settled at once: some 2 to 6 milliseconds.
const FEW: usize = 1_000;

/// The most bytes of a stored body, as compressed, that are stored at once.
const SMALL: usize = 1 << 20;

/// Whether a step of a run is done at once: it has so many records, and a body of so many bytes.
pub(crate) fn short(records: usize, bytes: usize) -> bool {
    records <= FEW && bytes <= SMALL
}

impl SqliteLedger {
    /// Runs `work` in one write transaction, off the async threads; `what` names it among [`COMMITS`].
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        synced: bool,
        work: impl FnOnce(&Transaction, &Keys) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Failure> {
        self.write_prepared(what, synced, || (), move |tx, keys, ()| work(tx, keys)).await
    }

    /// Likewise, with what `prepare` makes before the writer is taken: others write meanwhile, and no thread is changed
    /// between the two.
    pub(crate) async fn write_prepared<P, T: Send + 'static>(
        &self,
        what: &'static str,
        synced: bool,
        prepare: impl FnOnce() -> P + Send + 'static,
        work: impl FnOnce(&Transaction, &Keys, P) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Failure> {
        let inner = self.inner.clone();
        blocking(move || {
            let prepared = prepare();
            // A panic while the lock was held rolled its transaction back; the connection is sound.
            let db = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            inner.write(db, what, synced, move |tx, keys| work(tx, keys, prepared))
        })
        .await
    }

    /// Runs short `work` in one write transaction that is not synced: at once if the writer is free, off the async threads
    /// if there is anything to wait for.
    pub(crate) async fn write_short<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Transaction, &Keys) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Failure> {
        match self.inner.at_once(what, work) {
            Ok(result) => result,
            Err(work) => self.write(what, false, work).await,
        }
    }
}

impl Inner {
    /// One write transaction on the writer's connection.
    fn write<T>(
        self: &Arc<Self>,
        mut db: MutexGuard<'_, Connection>,
        what: &'static str,
        synced: bool,
        work: impl FnOnce(&Transaction, &Keys) -> Result<T, Stop>,
    ) -> Result<T, Failure> {
        let raise = synced && !self.synced;
        let sql = |e: rusqlite::Error| errors::failure(&e, &self.dir);
        self.in_place()?;
        if raise {
            db.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
        }
        let begun = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Stop::Sql);
        let result = begun.and_then(|tx| finish(tx, &self.keys, what, work));
        if raise {
            db.pragma_update(None, "synchronous", "NORMAL").map_err(sql)?;
        }
        drop(db);
        self.after(result)
    }

    /// Likewise on the thread of the caller; `work` comes back when somebody else writes.
    fn at_once<T, W: FnOnce(&Transaction, &Keys) -> Result<T, Stop>>(
        self: &Arc<Self>,
        what: &'static str,
        work: W,
    ) -> Result<Result<T, Failure>, W> {
        if self.synced {
            return Err(work);
        }
        let db = match self.writer.try_lock() {
            Ok(db) => db,
            Err(TryLockError::Poisoned(p)) => p.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(work),
        };
        if let Err(moved) = self.in_place() {
            return Ok(Err(moved));
        }
        // Another process that writes is waited for elsewhere.
        let begun = db
            .busy_timeout(Duration::ZERO)
            .and_then(|()| Transaction::new_unchecked(&db, TransactionBehavior::Immediate));
        let tx = match (begun, db.busy_timeout(self.busy)) {
            (Ok(tx), Ok(())) => tx,
            (Err(e), Ok(())) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Err(work),
            (Err(e), _) | (Ok(_), Err(e)) => return Ok(Err(errors::failure(&e, &self.dir))),
        };
        let result = catch_unwind(AssertUnwindSafe(|| finish(tx, &self.keys, what, work)));
        drop(db);
        Ok(match result {
            Ok(result) => self.after(result),
            Err(panic) => {
                let why = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or(panic.downcast_ref::<String>().map(String::as_str));
                Err(abnormal(why.unwrap_or("panic")))
            }
        })
    }

    /// SQLite goes on with the file it has opened, wherever its name leads by now.
    fn in_place(&self) -> Result<(), Failure> {
        if file_id(&self.dir.join("ledger.db")) == self.file { Ok(()) } else { Err(errors::moved(&self.dir)) }
    }

    fn after<T>(self: &Arc<Self>, result: Result<T, Stop>) -> Result<T, Failure> {
        if self.checkpoints.due() {
            let inner = self.clone();
            drop(tokio::task::spawn_blocking(move || inner.checkpoints.run(&inner)));
        }
        result.map_err(|stop| match stop {
            Stop::Sql(e) => errors::failure(&e, &self.dir),
            Stop::Failure(f) => *f,
        })
    }
}

/// Runs work that blocks on a thread where it disturbs nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) => Err(abnormal(&e.to_string())),
    }
}

fn abnormal(why: &str) -> Failure {
    Failure::internal("HL-6009", text!("a ledger task ended abnormally: {why}", "台账任务异常结束:{why}"))
}

/// Does the work of a transaction and commits it.
fn finish<T>(
    tx: Transaction,
    keys: &Keys,
    what: &'static str,
    work: impl FnOnce(&Transaction, &Keys) -> Result<T, Stop>,
) -> Result<T, Stop> {
    debug_assert!(COMMITS.contains(&what), "`{what}` is missing among COMMITS");
    let out = work(&tx, keys)?;
    point(what, "before");
    tx.commit()?;
    point(what, "after");
    Ok(out)
}

/// Every transaction that this ledger commits. At `ledger/NAME/before` and `ledger/NAME/after` tests let the process
/// die (docs/decisions/0010).
pub const COMMITS: [&str; 36] = [
    "plan",
    "set_watermark",
    "open_run",
    "heartbeat",
    "commit_page",
    "save_calls",
    "claim",
    "announce",
    "settle",
    "intent_rows",
    "close_run",
    "put_back",
    "read_until",
    "put",
    "begin_retention",
    "mark_retention",
    "drop_calls",
    "drop_contents",
    "shrink",
    "space",
    "timetable",
    "answer",
    "adopt",
    "begin_refresh",
    "end_refresh",
    "reserve",
    "release",
    "hold",
    "slow",
    "set_secret",
    "remove_secret",
    "rotate_key",
    "observe_alert",
    "close_alert",
    "take_notices",
    "settle_notices",
];

/// Where a test may let the process die; nothing at all in what is shipped.
fn point(what: &str, when: &str) {
    fail::fail_point!(&format!("ledger/{what}/{when}"));
    let _ = (what, when);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::thread;

    use super::*;
    use crate::Options;

    fn open(dir: &Path) -> SqliteLedger {
        SqliteLedger::open(dir, &Options::default()).unwrap()
    }

    async fn store(ledger: &SqliteLedger) -> Result<thread::ThreadId, Failure> {
        ledger
            .write_short("put", |tx, _| {
                tx.execute("INSERT INTO blobs(size, data) VALUES (1, x'00')", [])?;
                Ok(thread::current().id())
            })
            .await
    }

    fn stored(ledger: &SqliteLedger) -> i64 {
        let db = ledger.inner.reader.lock().unwrap();
        db.query_row("SELECT count(*) FROM blobs", [], |r| r.get(0)).unwrap()
    }

    fn patience(ledger: &SqliteLedger) -> i64 {
        let db = ledger.inner.writer.lock().unwrap();
        db.query_row("PRAGMA busy_timeout", [], |r| r.get(0)).unwrap()
    }

    #[tokio::test]
    async fn nothing_to_wait_for_is_done_where_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        assert_eq!(store(&ledger).await.unwrap(), thread::current().id());
        assert_eq!((stored(&ledger), patience(&ledger)), (1, 10_000));
    }

    /// One thread only: it would wait for ever for what it holds itself.
    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "to be waited for is what it is held for")]
    async fn a_writer_that_is_taken_is_waited_for_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        let (other, inner) = (ledger.clone(), ledger.inner.clone());
        let taken = inner.writer.lock().unwrap();
        let task = tokio::spawn(async move { store(&other).await });
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        drop(taken);
        assert_ne!(task.await.unwrap().unwrap(), thread::current().id());
        assert_eq!((stored(&ledger), patience(&ledger)), (1, 10_000));
    }

    #[tokio::test]
    async fn another_process_that_writes_is_waited_for_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        let other = Connection::open(dir.path().join("ledger.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let asking = ledger.clone();
        let task = tokio::spawn(async move { store(&asking).await });
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        other.execute_batch("COMMIT").unwrap();
        assert_ne!(task.await.unwrap().unwrap(), thread::current().id());
        assert_eq!((stored(&ledger), patience(&ledger)), (1, 10_000));
    }

    #[tokio::test]
    async fn what_panics_changes_nothing_and_leaves_a_ledger_that_works() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        let work = |tx: &Transaction, _: &Keys| -> Result<(), Stop> {
            tx.execute("INSERT INTO blobs(size, data) VALUES (1, x'00')", [])?;
            panic!("on purpose")
        };
        let failure = ledger.write_short("put", work).await.unwrap_err();
        assert_eq!(failure.code, "HL-6009");
        assert!(failure.message.en.contains("on purpose"), "{}", failure.message.en);
        assert_eq!(stored(&ledger), 0);
        store(&ledger).await.unwrap();
        assert_eq!(stored(&ledger), 1);
    }

    /// With every commit synced the disk is waited for.
    #[tokio::test]
    async fn what_is_synced_is_done_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(dir.path(), &Options { synced: true, ..Options::default() }).unwrap();
        assert_ne!(store(&ledger).await.unwrap(), thread::current().id());
    }
}
