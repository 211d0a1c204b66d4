//! The ledger on SQLite: plans, runs, windows, calls, records, intents, tokens, budgets, secrets.
//!
//! Promises: every method is one transaction; what it returned for is durable against a crash of the process, and
//! against a loss of power where the port asks for it. A method with an epoch changes nothing once the run has been
//! taken over.

mod alerts;
mod budget;
mod checkpoint;
mod elements;
mod errors;
mod holder;
mod inserts;
mod lookups;
mod pages;
mod port;
mod reads;
mod retention;
mod rotation;
mod runs;
mod schedules;
mod schema;
mod seal;
mod secrets;
mod stored;
mod tokens;
mod transactions;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heliu_model::{Failure, text};
use rusqlite::{Connection, OpenFlags};

use crate::checkpoint::Checkpoints;
use crate::rotation::Keys;
use crate::seal::Seal;
use crate::transactions::blocking;

pub use lookups::Lookups;
pub use rotation::Rotated;
pub use secrets::SecretInfo;
pub use transactions::COMMITS;

/// How the ledger is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sync every commit to disk (`synchronous=FULL`); otherwise only those that announce something that must not
    /// be repeated. A crash of the process loses nothing either way, a loss of power may repeat the last pages.
    pub synced: bool,
    /// How long to wait for a lock.
    pub busy: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { synced: false, busy: Duration::from_secs(10) }
    }
}

/// The ledger.
#[derive(Clone)]
pub struct SqliteLedger {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    checkpoints: Checkpoints,
    keys: Keys,
    synced: bool,
    /// How long to wait for a lock.
    busy: Duration,
    /// Which file was opened.
    file: Option<FileId>,
}

impl SqliteLedger {
    /// Opens the ledger in a data directory, making both if they are not there.
    ///
    /// # Errors
    /// Directory not writable, file damaged or newer than this program, key missing, lock held.
    pub fn open(dir: &Path, options: &Options) -> Result<SqliteLedger, Failure> {
        let io = |e: std::io::Error| {
            let why = e.to_string();
            Failure::config(
                "HL-6004",
                text!("the data directory cannot be used: {why}", "数据目录无法使用:{why}"),
            )
            .at(dir.display().to_string())
            .hint(errors::writable())
        };
        if !dir.is_dir() {
            std::fs::create_dir_all(dir).map_err(io)?;
            // Tokens and records are nobody else's business.
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
            }
        }
        let file = dir.join("ledger.db");
        let fresh = !file.exists();
        let seal = Seal::open(&dir.join("key"), fresh)?;
        let sql = |e: rusqlite::Error| errors::failure(&e, dir);
        // One mutex of ours guards each connection: SQLite's own are not needed.
        let writing = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer = Connection::open_with_flags(&file, writing).map_err(sql)?;
        writer.busy_timeout(options.busy).map_err(sql)?;
        tune(&writer, options.synced).map_err(sql)?;
        if let Err(newer) = schema::migrate(&mut writer).map_err(sql)? {
            return Err(Failure::config(
                "HL-6008",
                text!(
                    "the ledger was written by a newer version of heliu (schema {newer})",
                    "台账由更新版本的 heliu 写入(结构版本 {newer})"
                ),
            )
            .at(file.display().to_string())
            .hint(text!("use that version, or another --data-dir", "请使用该版本,或指定其他 --data-dir")));
        }
        Checkpoints::take_over(&writer);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&file, flags).map_err(sql)?;
        reader.busy_timeout(options.busy).map_err(sql)?;
        reader.set_prepared_statement_cache_capacity(64);
        let inner = Inner {
            dir: dir.to_owned(),
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            checkpoints: Checkpoints::default(),
            keys: Keys::new(dir.join("key"), seal),
            synced: options.synced,
            busy: options.busy,
            file: file_id(&file),
        };
        Ok(SqliteLedger { inner: Arc::new(inner) })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// The row of the plan with this id, whatever it was called when it ran last.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn plan_by_id(&self, id: &str) -> Result<Option<heliu_model::ports::PlanRow>, Failure> {
        let id = id.to_owned();
        self.read(move |db, _| runs::plan_by_id(db, &id)).await
    }

    /// The plan on whose behalf a call was made, if there is one.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn plan_of_call(&self, call: i64) -> Result<Option<heliu_model::ports::PlanRow>, Failure> {
        self.read(move |db, _| runs::plan_of_call(db, call)).await
    }

    /// Runs `work` on the reading connection, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Keys) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Failure> {
        let inner = self.inner.clone();
        blocking(move || {
            let db = inner.reader.lock().unwrap_or_else(PoisonError::into_inner);
            work(&db, &inner.keys).map_err(|stop| match stop {
                Stop::Sql(e) => errors::failure(&e, &inner.dir),
                Stop::Failure(f) => *f,
            })
        })
        .await
    }
}

/// What tells a file from another one of the same name.
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(file: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(not(unix))]
fn file_id(_file: &Path) -> Option<FileId> {
    None
}

/// Why a transaction is rolled back.
pub(crate) enum Stop {
    Sql(rusqlite::Error),
    Failure(Box<Failure>),
}

impl From<rusqlite::Error> for Stop {
    fn from(e: rusqlite::Error) -> Self {
        Stop::Sql(e)
    }
}

impl From<Failure> for Stop {
    fn from(f: Failure) -> Self {
        Stop::Failure(Box::new(f))
    }
}

fn tune(db: &Connection, synced: bool) -> rusqlite::Result<()> {
    // Before anything is in the file; an older one takes it over when it is rebuilt. Asking for it later would write.
    if db.query_row("PRAGMA page_count", [], |r| r.get::<_, i64>(0))? == 0 {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: KiB. Small on purpose: the pages of a run are written once and seldom read again.
    db.pragma_update(None, "cache_size", -4096)?;
    // A log that grew during a long read shrinks again.
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Compresses a body.
pub(crate) fn pack(body: &[u8]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(body)
}

/// Opens a compressed body.
pub(crate) fn unpack(data: &[u8]) -> Result<Vec<u8>, Failure> {
    lz4_flex::decompress_size_prepended(data).map_err(|e| {
        Failure::internal("HL-6006", text!("a stored body is damaged: {e}", "已保存的内容损坏:{e}"))
    })
}

/// JSON text of a stored structure.
pub(crate) fn to_json<T: serde::Serialize>(v: &T) -> String {
    serde_json::to_string(v).unwrap_or_default()
}

/// A stored structure from its JSON text; what cannot be read is its default.
pub(crate) fn from_json<T: serde::de::DeserializeOwned + Default>(s: &str) -> T {
    serde_json::from_str(s).unwrap_or_default()
}
