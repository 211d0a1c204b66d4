//! Moving the write-ahead log into the ledger's file, beside the writers instead of inside of a commit.
//!
//! SQLite would do it at the end of the commit that makes the log too long, and every writer would wait for the copying
//! and for two syncs: some 35 ms for each 16 MB. Here another connection does nearly all of it while others write, and
//! the writers wait only for what came meanwhile, so that the log can start again from its beginning.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::Inner;

/// From so many pages in the log on, it is moved.
const LONG: i32 = 4_000;

/// So many more pages later it is tried again where the log cannot start anew, because something old is still read.
const LATER: i32 = 1_000;

/// Rounds beside the writers: in each there is less to do than in the one before.
const ROUNDS: usize = 2;

thread_local! {
    /// Pages in the log after this thread's last commit.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// What is known of the log.
#[derive(Default)]
pub(crate) struct Checkpoints {
    /// Opened when it is first needed.
    connection: Mutex<Option<Connection>>,
    /// One is under way.
    busy: AtomicBool,
    /// Nothing is tried before the log has so many pages.
    from: AtomicI32,
}

impl Checkpoints {
    /// Takes over from SQLite on the writers' connection.
    pub fn take_over(writer: &Connection) {
        writer.wal_hook(Some(|_, pages| {
            PAGES.set(pages);
            Ok(())
        }));
    }

    /// After a commit of this thread: true when the log is to be moved, by the caller, who says so with [`Self::run`].
    pub fn due(&self) -> bool {
        let pages = PAGES.replace(0);
        if pages < LONG {
            // The log has started anew, or this transaction wrote nothing.
            if pages > 0 {
                self.from.store(LONG, Ordering::Relaxed);
            }
            return false;
        }
        pages >= self.from.load(Ordering::Relaxed) && !self.busy.swap(true, Ordering::AcqRel)
    }

    /// Moves the log. What goes wrong is tried again with a later commit: everything that was committed is in the log.
    pub fn run(&self, inner: &Inner) {
        let pages = self.rounds(inner);
        match &pages {
            Ok(pages) => {
                tracing::trace!(target: "heliu", pages, "the log of the ledger was moved into its file")
            }
            Err(e) => {
                tracing::debug!(target: "heliu", "the log of the ledger is not moved into its file: {e}")
            }
        }
        self.from.store(pages.unwrap_or(LONG).saturating_add(LATER), Ordering::Relaxed);
        self.busy.store(false, Ordering::Release);
    }

    fn rounds(&self, inner: &Inner) -> rusqlite::Result<i32> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let db = match &mut *slot {
            Some(db) => db,
            None => slot.insert(open(&inner.dir.join("ledger.db"))?),
        };
        for _ in 0..ROUNDS {
            passive(db)?;
        }
        let _writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        passive(db)
    }
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    // Not created here: where the file is gone, there is nothing to move.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(db)
}

/// Moves what can be moved without waiting for anybody; the pages in the log.
fn passive(db: &Connection) -> rusqlite::Result<i32> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |r| r.get(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SqliteLedger};

    /// The size of a page of the file.
    const PAGE: u64 = 4_096;

    async fn grow(ledger: &SqliteLedger, mib: i32) {
        for _ in 0..mib {
            let work = |tx: &rusqlite::Transaction, _: &_| {
                tx.execute("INSERT INTO blobs(size, data) VALUES (1, randomblob(1048576))", [])?;
                Ok(())
            };
            ledger.write("put", false, work).await.unwrap();
            while ledger.inner.checkpoints.busy.load(Ordering::Acquire) {
                tokio::task::yield_now().await;
            }
        }
    }

    fn sizes(dir: &Path) -> (u64, u64) {
        let size = |name: &str| std::fs::metadata(dir.join(name)).unwrap().len();
        (size("ledger.db"), size("ledger.db-wal"))
    }

    #[tokio::test]
    async fn the_log_is_moved_and_starts_anew() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(dir.path(), &Options::default()).unwrap();
        grow(&ledger, 60).await;
        let (file, log) = sizes(dir.path());
        assert!(file > 40 << 20, "{file}");
        assert!(log < LONG as u64 * PAGE + (4 << 20), "{log}");
    }

    #[tokio::test]
    async fn a_long_read_holds_the_log_only_as_long_as_it_lasts() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(dir.path(), &Options::default()).unwrap();
        let reader = Connection::open(dir.path().join("ledger.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM blobs").unwrap();
        grow(&ledger, 40).await;
        let held = sizes(dir.path()).1;
        assert!(held > 40 << 20, "{held}");
        reader.execute_batch("COMMIT").unwrap();
        // Enough for one more try; then it begins from the front, and does not grow.
        grow(&ledger, 10).await;
        let (file, log) = sizes(dir.path());
        grow(&ledger, 10).await;
        assert!(file > 40 << 20, "{file}");
        assert_eq!(sizes(dir.path()).1, log);
    }
}
