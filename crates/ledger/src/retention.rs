//! Retention in small steps: what may go is looked for on the reading connection, and taken out in one short
//! transaction that looks again. Free pages are given back a few at a time, while everybody else goes on.

use std::collections::BTreeMap;

use heliu_model::ports::{PlanId, PruneAt, PruneStep, Retention, RetentionRow, RowId};
use heliu_model::record::State;
use heliu_model::{Failure, Ts};
use rusqlite::{Connection, OptionalExtension, Transaction, named_params, params};

use crate::transactions::blocking;
use crate::{SqliteLedger, Stop, errors, from_json, to_json};

/// Calls that one step takes out.
const CALLS: usize = 200;
/// Records that one step looks at.
const SCAN: i64 = 4_000;
/// Contents that one step takes out.
const CONTENTS: usize = 500;
/// Pages that one step gives back (4 KiB each).
const PAGES: i64 = 256;

/// A new body and how many refer to it; one that nobody refers to does not stay.
pub(crate) fn refer(tx: &Transaction, blob: i64, n: i64) -> Result<(), Stop> {
    let sql = if n > 0 {
        "INSERT INTO blob_refs(blob, n) VALUES (?1, ?2)"
    } else {
        "DELETE FROM blobs WHERE id = ?1 AND ?2 <= 0"
    };
    tx.prepare_cached(sql)?.execute(params![blob, n])?;
    Ok(())
}

/// Bodies that are referred to less.
#[derive(Default)]
struct Loosened(BTreeMap<i64, i64>);

impl Loosened {
    fn one(&mut self, blob: Option<i64>) {
        if let Some(blob) = blob {
            *self.0.entry(blob).or_default() += 1;
        }
    }

    /// Takes out those that nobody refers to any more; bytes.
    fn settle(self, tx: &Transaction) -> Result<u64, Stop> {
        let mut freed = 0;
        for (blob, n) in self.0 {
            let left: Option<i64> = tx
                .prepare_cached("UPDATE blob_refs SET n = n - ?2 WHERE blob = ?1 RETURNING n")?
                .query_row(params![blob, n], |r| r.get(0))
                .optional()?;
            if left.is_some_and(|n| n <= 0) {
                let bytes: Option<i64> = tx
                    .prepare_cached("DELETE FROM blobs WHERE id = ?1 RETURNING length(data)")?
                    .query_row([blob], |r| r.get(0))
                    .optional()?;
                tx.prepare_cached("DELETE FROM blob_refs WHERE blob = ?1")?.execute([blob])?;
                freed += bytes.map_or(0, i64::unsigned_abs);
            }
        }
        Ok(freed)
    }
}

/// Calls to be taken out: by age, and for their weight.
#[derive(Default)]
struct Calls {
    aged: Vec<i64>,
    heavy: Vec<i64>,
}

fn find_calls(db: &Connection, keep: &Retention) -> Result<Calls, Stop> {
    let mut found = Calls::default();
    let ids = |sql: &str, limit: Option<i64>| -> Result<Vec<i64>, Stop> {
        let mut q = db.prepare_cached(sql)?;
        let rows = q.query_map(params![limit, CALLS as i64], |r| r.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    if let Some(age) = keep.calls_before {
        found.aged = ids(
            "SELECT id FROM calls INDEXED BY calls_kept WHERE pruned < 2 AND started < ?1 ORDER BY started LIMIT ?2",
            Some(age.0),
        )?;
    }
    let Some(most) = keep.calls_bytes.filter(|_| found.aged.is_empty()) else { return Ok(found) };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let held: i64 = db
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM calls INDEXED BY calls_kept WHERE pruned < 2")?
        .query_row([], |r| r.get(0))?;
    let mut over = held - most;
    if over <= 0 {
        return Ok(found);
    }
    let mut q = db.prepare_cached(
        "SELECT id, bytes FROM calls INDEXED BY calls_kept WHERE pruned < 2 AND bytes > 0 ORDER BY started, id LIMIT ?1",
    )?;
    let mut rows = q.query([CALLS as i64])?;
    while let Some(r) = rows.next()? {
        if over <= 0 {
            break;
        }
        found.heavy.push(r.get(0)?);
        over -= r.get::<_, i64>(1)?;
    }
    Ok(found)
}

fn drop_calls(tx: &Transaction, calls: &Calls) -> Result<PruneStep, Stop> {
    let mut step = PruneStep::default();
    let mut loosened = Loosened::default();
    // The newest call stays: numbers of calls are never given twice.
    let newest: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM calls", [], |r| r.get(0))?;
    let marked = calls.aged.iter().map(|id| (*id, true)).chain(calls.heavy.iter().map(|id| (*id, false)));
    for (id, aged) in marked {
        let found: Option<(Option<i64>, bool, u8, i64)> = tx
            .prepare_cached(
                "SELECT response_blob, named, pruned, coalesce(length(request_body), 0) FROM calls WHERE id = ?1",
            )?
            .query_row([id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
            .optional()?;
        let Some((blob, named, pruned, request)) = found else { continue };
        loosened.one(blob);
        step.bodies += u64::from(pruned == 0);
        step.freed += request.unsigned_abs();
        if aged && !named && id != newest {
            tx.prepare_cached("DELETE FROM calls WHERE id = ?1")?.execute([id])?;
            step.calls += 1;
        } else if aged {
            tx.prepare_cached(
                "UPDATE calls SET request_body = NULL, response_blob = NULL, bytes = 0, pruned = 2,
                   request_headers = '[]', response_headers = '[]' WHERE id = ?1",
            )?
            .execute([id])?;
        } else {
            tx.prepare_cached(
                "UPDATE calls SET request_body = NULL, response_blob = NULL, bytes = 0, pruned = max(pruned, 1) WHERE id = ?1",
            )?
            .execute([id])?;
        }
    }
    step.freed += loosened.settle(tx)?;
    Ok(step)
}

/// Contents to be taken out, each with the time that decides, and how far was looked.
struct Contents {
    records: Vec<(RowId, Ts)>,
    versions: Vec<(RowId, u32, Ts)>,
    next: PruneAt,
}

/// A record's version is in the target since before this time.
const DONE: &str = "r.state = 2 AND r.written_at < :before";
/// What became of an older version is known, and it came before this time.
const SETTLED: &str = "(v.state IS NULL OR v.state = 2) AND v.changed_at < :before";

fn find_contents(db: &Connection, keep: &Retention, after: RowId) -> Result<Contents, Stop> {
    let mut found = Contents { records: Vec::new(), versions: Vec::new(), next: PruneAt::Space };
    if keep.records_before.is_none() && keep.plans.iter().all(|(_, before)| before.is_none()) {
        return Ok(found);
    }
    let done = |state: Option<u8>, written: Option<i64>, before: Ts| {
        state == Some(State::Written as u8) && written.is_some_and(|at| at < before.0)
    };
    let (mut looked, mut last) = (0, after);
    let mut q = db.prepare_cached(
        "SELECT id, plan, state, written_at, blob IS NOT NULL FROM records WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = q.query(params![after, SCAN])?;
    while let Some(r) = rows.next()? {
        looked += 1;
        last = r.get(0)?;
        if let Some(before) = keep.records_of(r.get::<_, PlanId>(1)?)
            && done(r.get(2)?, r.get(3)?, before)
            && r.get(4)?
        {
            found.records.push((last, before));
            if found.records.len() >= CONTENTS {
                break;
            }
        }
    }
    if looked == SCAN || found.records.len() >= CONTENTS {
        found.next = PruneAt::Records(last);
    }
    let mut q = db.prepare_cached(
        "SELECT v.record, v.version, r.plan, v.state, v.changed_at, r.state, r.written_at
         FROM versions v JOIN records r ON r.id = v.record
         WHERE v.record > ?1 AND v.record <= ?2 AND v.blob IS NOT NULL ORDER BY v.record, v.version",
    )?;
    let mut rows = q.query(params![after, last])?;
    while let Some(r) = rows.next()? {
        let Some(before) = keep.records_of(r.get(2)?) else { continue };
        let (state, came): (Option<u8>, i64) = (r.get(3)?, r.get(4)?);
        let settled = state.is_none_or(|s| s == State::Written as u8) && came < before.0;
        if !settled && !done(r.get(5)?, r.get(6)?, before) {
            continue;
        }
        found.versions.push((r.get(0)?, r.get(1)?, before));
        if found.versions.len() >= CONTENTS {
            // These go; then the same records are looked at again.
            found.next = PruneAt::Records(after);
            break;
        }
    }
    Ok(found)
}

fn drop_contents(tx: &Transaction, found: &Contents) -> Result<PruneStep, Stop> {
    let mut step = PruneStep::default();
    let mut loosened = Loosened::default();
    for (row, version, before) in &found.versions {
        let blob: Option<i64> = tx
            .prepare_cached(&format!(
                "SELECT v.blob FROM versions v JOIN records r ON r.id = v.record WHERE v.record = :row
                 AND v.version = :version AND v.blob IS NOT NULL AND (({DONE}) OR ({SETTLED}))"
            ))?
            .query_row(named_params! {":row": row, ":version": version, ":before": before.0}, |r| r.get(0))
            .optional()?;
        if blob.is_some() {
            tx.prepare_cached(
                "UPDATE versions SET blob = NULL, off = 0, len = 0 WHERE record = ?1 AND version = ?2",
            )?
            .execute(params![row, version])?;
            loosened.one(blob);
            step.contents += 1;
        }
    }
    for (row, before) in &found.records {
        let blob: Option<i64> = tx
            .prepare_cached(&format!(
                "SELECT r.blob FROM records r WHERE r.id = :row AND r.blob IS NOT NULL AND {DONE}"
            ))?
            .query_row(named_params! {":row": row, ":before": before.0}, |r| r.get(0))
            .optional()?;
        if blob.is_some() {
            tx.prepare_cached("UPDATE records SET blob = NULL, off = 0, len = 0 WHERE id = ?1")?
                .execute([row])?;
            loosened.one(blob);
            step.contents += 1;
        }
    }
    step.freed = loosened.settle(tx)?;
    Ok(step)
}

/// Free pages beyond what is kept for new pages; none where the file cannot shrink in steps.
fn spare(db: &Connection) -> Result<i64, Stop> {
    let get =
        |what: &str| -> rusqlite::Result<i64> { db.query_row(&format!("PRAGMA {what}"), [], |r| r.get(0)) };
    if get("auto_vacuum")? != 2 {
        return Ok(0);
    }
    let (free, all) = (get("freelist_count")?, get("page_count")?);
    Ok((free - (all / 20).clamp(PAGES, 64 * PAGES)).max(0))
}

/// Gives pages back; bytes.
fn shrink(tx: &Transaction, pages: i64) -> Result<u64, Stop> {
    let get =
        |what: &str| -> rusqlite::Result<i64> { tx.query_row(&format!("PRAGMA {what}"), [], |r| r.get(0)) };
    let before = get("page_count")?;
    // Each step of the statement gives one page back.
    let mut q = tx.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = q.query([])?;
    while rows.next()?.is_some() {}
    let returned = (before - get("page_count")?) * get("page_size")?;
    Ok(u64::try_from(returned).unwrap_or(0))
}

impl SqliteLedger {
    pub(crate) async fn prune_step(&self, keep: &Retention, at: PruneAt) -> Result<PruneStep, Failure> {
        let keep = keep.clone();
        match at {
            PruneAt::Calls => {
                let found = self.read(move |db, _| find_calls(db, &keep)).await?;
                if found.aged.is_empty() && found.heavy.is_empty() {
                    return Ok(PruneStep { next: Some(PruneAt::Records(0)), ..PruneStep::default() });
                }
                let step = self.write("drop_calls", false, move |tx, _| drop_calls(tx, &found)).await?;
                Ok(PruneStep { next: Some(PruneAt::Calls), ..step })
            }
            PruneAt::Records(after) => {
                let found = self.read(move |db, _| find_contents(db, &keep, after)).await?;
                let next = Some(found.next);
                if found.records.is_empty() && found.versions.is_empty() {
                    return Ok(PruneStep { next, ..PruneStep::default() });
                }
                let step = self.write("drop_contents", false, move |tx, _| drop_contents(tx, &found)).await?;
                Ok(PruneStep { next, ..step })
            }
            PruneAt::Space => {
                let returned = self
                    .write("shrink", false, move |tx, _| match spare(tx)? {
                        0 => Ok(0),
                        pages => shrink(tx, pages.min(PAGES)),
                    })
                    .await?;
                // Where nothing moves, somebody else was faster.
                let next = (returned > 0).then_some(PruneAt::Space);
                Ok(PruneStep { returned, next, ..PruneStep::default() })
            }
        }
    }

    /// Bytes that the ledger takes on disk, its log included.
    pub fn size(&self) -> u64 {
        ["ledger.db", "ledger.db-wal"]
            .iter()
            .filter_map(|f| std::fs::metadata(self.inner.dir.join(f)).ok())
            .map(|m| m.len())
            .sum()
    }

    /// True when space is given back in steps; a ledger made by an early version has to be rebuilt once for that.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn shrinks(&self) -> Result<bool, Failure> {
        // The writer knows: what another connection remembers of it may be old.
        self.write("space", false, |tx, _| {
            Ok(tx.query_row("PRAGMA auto_vacuum", [], |r| r.get::<_, i64>(0))? == 2)
        })
        .await
    }

    /// Writes the whole file anew, without gaps. Nobody else can write meanwhile.
    ///
    /// # Errors
    /// Somebody else is writing, or there is no room for a second copy.
    pub async fn rebuild(&self) -> Result<(), Failure> {
        let inner = self.inner.clone();
        blocking(move || {
            let db = inner.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let done =
                db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
            done.map_err(|e| errors::failure(&e, &inner.dir))
        })
        .await
    }
}

pub(crate) fn begin(tx: &Transaction, now: Ts, every_ms: Option<i64>) -> Result<Option<PruneAt>, Stop> {
    let last = last(tx)?;
    let Some(at) = RetentionRow::due(last.as_ref(), now, every_ms) else { return Ok(None) };
    let done = PruneStep { next: Some(at), ..PruneStep::default() };
    tx.execute(
        "INSERT OR REPLACE INTO retention(id, started, seen, ended, done) VALUES (1, ?1, ?1, NULL, ?2)",
        params![now.0, to_json(&done)],
    )?;
    Ok(Some(at))
}

pub(crate) fn mark(tx: &Transaction, now: Ts, next: Option<PruneAt>, done: &PruneStep) -> Result<(), Stop> {
    let Some(mut row) = last(tx)? else { return Ok(()) };
    row.done.add(&PruneStep { next, ..*done });
    tx.execute(
        "UPDATE retention SET seen = ?1, ended = CASE WHEN ?2 THEN ?1 END, done = ?3 WHERE id = 1",
        params![now.0, next.is_none(), to_json(&row.done)],
    )?;
    Ok(())
}

pub(crate) fn last(db: &Connection) -> Result<Option<RetentionRow>, Stop> {
    let mut q = db.prepare_cached("SELECT started, seen, ended, done FROM retention WHERE id = 1")?;
    let row = q.query_row([], |r| {
        Ok(RetentionRow {
            started: Ts(r.get(0)?),
            seen: Ts(r.get(1)?),
            ended: r.get::<_, Option<i64>>(2)?.map(Ts),
            done: from_json(&r.get::<_, String>(3)?),
        })
    });
    Ok(row.optional()?)
}
