//! Claiming, announcing and settling.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use heliu_model::ports::{Announce, Claim, Due, Outcome, PlanId, RowId, Settle};
use heliu_model::record::State;
use heliu_model::{Failure, Ts};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::runs::{self, Deltas, bump, moved};
use crate::{Stop, pages, to_json, unpack};

/// Members of an intent as bytes: pairs of row and version.
fn pack_members(members: &[(RowId, u32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(members.len() * 12);
    for (row, version) in members {
        out.extend_from_slice(&row.to_le_bytes());
        out.extend_from_slice(&version.to_le_bytes());
    }
    out
}

/// Reads [`pack_members`].
pub(crate) fn members(bytes: &[u8]) -> Vec<(RowId, u32)> {
    bytes
        .chunks_exact(12)
        .filter_map(|c| {
            let (row, version) = c.split_at_checked(8)?;
            Some((i64::from_le_bytes(row.try_into().ok()?), u32::from_le_bytes(version.try_into().ok()?)))
        })
        .collect()
}

/// Bodies that are read again and again while a batch is put together.
#[derive(Default)]
pub(crate) struct Bodies {
    open: HashMap<i64, Bytes>,
    bytes: usize,
}

/// Opened bodies are kept up to this size together.
const BODIES_BYTES: usize = 16 << 20;

impl Bodies {
    /// A slice of a stored body; `None` when it was removed.
    pub fn slice(
        &mut self,
        db: &Connection,
        blob: Option<i64>,
        off: i64,
        len: i64,
    ) -> Result<Option<Bytes>, Stop> {
        let Some(blob) = blob else { return Ok(None) };
        if !self.open.contains_key(&blob) {
            let data: Option<Vec<u8>> = db
                .prepare_cached("SELECT data FROM blobs WHERE id = ?1")?
                .query_row([blob], |r| r.get(0))
                .optional()?;
            let Some(data) = data else { return Ok(None) };
            // A few bodies are enough: records of a batch come from neighbouring pages.
            let body = Bytes::from(unpack(&data)?);
            if self.open.len() > 32 || self.bytes + body.len() > BODIES_BYTES {
                self.open.clear();
                self.bytes = 0;
            }
            self.bytes += body.len();
            self.open.insert(blob, body);
        }
        let (off, len) = (usize::try_from(off).unwrap_or(0), usize::try_from(len).unwrap_or(0));
        Ok(self.open.get(&blob).filter(|b| off + len <= b.len()).map(|b| b.slice(off..off + len)))
    }
}

fn gone(key: &str) -> Failure {
    let key = key.to_owned();
    Failure::internal(
        "HL-6012",
        heliu_model::text!(
            "the content of record `{key}` is missing from the ledger",
            "台账中缺少数据 `{key}` 的内容"
        ),
    )
}

pub(crate) fn claim(tx: &Transaction, claim: &Claim) -> Result<Vec<Due>, Stop> {
    runs::guard(tx, claim.run, claim.epoch)?;
    let mut q = tx.prepare_cached(
        "SELECT id, key, version, attempts, blob, off, len FROM records INDEXED BY records_open
         WHERE plan = ?1 AND state = 0 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = q.query(params![claim.plan, claim.after, claim.max as i64])?;
    let mut bodies = Bodies::default();
    let mut out = Vec::new();
    while let Some(r) = rows.next()? {
        let key: String = r.get(1)?;
        let content = bodies.slice(tx, r.get(4)?, r.get(5)?, r.get(6)?)?.ok_or_else(|| gone(&key))?;
        out.push(Due { row: r.get(0)?, id: key, version: r.get(2)?, attempts: r.get(3)?, content });
    }
    drop(rows);
    for due in &out {
        tx.prepare_cached("UPDATE records SET state = 1 WHERE id = ?1")?.execute([due.row])?;
    }
    let n = out.len() as i64;
    bump(tx, claim.plan, &[-n, n, 0, 0, 0, 0, 0])?;
    tx.prepare_cached("UPDATE runs SET queued = queued + ?2 WHERE id = ?1")?
        .execute(params![claim.run, n])?;
    Ok(out)
}

pub(crate) fn announce(tx: &Transaction, a: &Announce) -> Result<i64, Stop> {
    let plan = runs::guard(tx, a.run, a.epoch)?;
    tx.prepare_cached("INSERT INTO intents(run, plan, announced, members) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![a.run, plan, a.now.0, pack_members(&a.members)])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn intent_rows(tx: &Transaction, run: i64, epoch: i64, intent: i64) -> Result<Vec<Due>, Stop> {
    runs::guard(tx, run, epoch)?;
    let data: Option<Vec<u8>> = tx
        .prepare_cached("SELECT members FROM intents WHERE id = ?1")?
        .query_row([intent], |r| r.get(0))
        .optional()?;
    let mut bodies = Bodies::default();
    let mut out = Vec::new();
    for (row, _) in members(&data.unwrap_or_default()) {
        let found = tx
            .prepare_cached(
                "SELECT key, attempts, blob, off, len, version FROM records WHERE id = ?1 AND state = 1",
            )?
            .query_row([row], |r| {
                Ok((r.get::<_, String>(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
            })
            .optional()?;
        let Some((key, attempts, blob, off, len, version)) = found else { continue };
        let content = bodies.slice(tx, blob, off, len)?.ok_or_else(|| gone(&key))?;
        out.push(Due { row, id: key, version, attempts, content });
    }
    Ok(out)
}

struct Now {
    version: u32,
    state: State,
    attempts: u32,
}

/// Settles the rows from ?1 to ?2 that are on their way in version ?3.
pub(crate) const SETTLE_RANGE: &str = "UPDATE records SET state = 2, write_call = ?4, written_at = ?5,
   attempts = attempts + 1, response = NULL, code = NULL, reason = NULL
 WHERE id BETWEEN ?1 AND ?2 AND version = ?3 AND state = 1";

/// Settles one row, with what the target said about it.
pub(crate) const SETTLE_ONE: &str = "UPDATE records SET state = 2, write_call = ?3, written_at = ?4,
   attempts = attempts + 1, response = ?5, code = NULL, reason = NULL
 WHERE id = ?1 AND version = ?2 AND state = 1";

pub(crate) fn settle(tx: &Transaction, s: &Settle) -> Result<(), Stop> {
    let plan = runs::guard(tx, s.run, s.epoch)?;
    let mut call = None;
    for (i, c) in s.calls.iter().enumerate() {
        let named = i + 1 == s.calls.len() && !s.outcomes.is_empty();
        call = Some(pages::save_call(tx, Some(plan), Some(s.run), c, None, named)?);
    }
    let mut counts = runs::counts(tx, s.run)?;
    counts.target.calls += s.calls.len() as u64;
    let mut deltas: Deltas = [0; 7];
    let mut settled = 0i64;
    let mut hit = |n: usize, target: &mut heliu_model::run::TargetCounts| {
        target.written += n as u64;
        deltas[State::Queued as usize] -= n as i64;
        deltas[State::Written as usize] += n as i64;
        settled += n as i64;
    };
    // The hot way: the version is still current and in our hands, and the target said nothing about the single record.
    // Neighbours are settled together: to walk along the table costs less than half of finding each row.
    let mut plain: Vec<(RowId, u32)> = Vec::with_capacity(s.outcomes.len());
    plain.extend(s.outcomes.iter().filter_map(|(row, version, outcome)| {
        matches!(outcome, Outcome::Written(None)).then_some((*row, *version))
    }));
    plain.sort_unstable();
    let mut missed: HashSet<(RowId, u32)> = HashSet::new();
    let mut range = tx.prepare_cached(SETTLE_RANGE)?;
    for run in plain.chunk_by(|a, b| a.0 + 1 == b.0 && a.1 == b.1) {
        let (Some((from, version)), Some((to, _))) = (run.first(), run.last()) else { continue };
        let found = range.execute(params![from, to, version, call, s.now.0])?;
        hit(found, &mut counts.target);
        if found < run.len() {
            missed.extend(run);
        }
    }
    let mut written = tx.prepare_cached(SETTLE_ONE)?;
    let mut rest = Vec::new();
    for (row, version, outcome) in &s.outcomes {
        match outcome {
            Outcome::Written(None) if !missed.contains(&(*row, *version)) => {}
            Outcome::Written(reply @ Some(_)) => {
                match written.execute(params![row, version, call, s.now.0, reply])? {
                    1 => hit(1, &mut counts.target),
                    _ => rest.push((*row, *version, outcome)),
                }
            }
            // Those of a range that were hit above are left alone here: they are no longer in our hands.
            _ => rest.push((*row, *version, outcome)),
        }
    }
    for (row, version, outcome) in rest {
        settle_one(tx, row, version, outcome, call, s, &mut counts.target, &mut deltas, &mut settled)?;
    }
    if let Some(intent) = s.intent {
        tx.prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([intent])?;
    }
    bump(tx, plan, &deltas)?;
    runs::save_counts(tx, s.run, &counts, -settled)?;
    for (row, value) in &s.left.kept {
        // Whoever has read the old value sees by the number that there is another one.
        tx.prepare_cached("INSERT OR REPLACE INTO writebacks(plan, record, value) VALUES (?1, ?2, ?3)")?
            .execute(params![plan, row, value])?;
    }
    runs::add_problems(tx, s.run, &s.left.problems)
}

#[expect(clippy::too_many_arguments, reason = "one row of a settlement and the tallies it moves")]
fn settle_one(
    tx: &Transaction,
    row: RowId,
    version: u32,
    outcome: &Outcome,
    call: Option<i64>,
    s: &Settle,
    target: &mut heliu_model::run::TargetCounts,
    deltas: &mut Deltas,
    settled: &mut i64,
) -> Result<(), Stop> {
    let now = tx
        .prepare_cached("SELECT version, state, attempts FROM records WHERE id = ?1")?
        .query_row([row], |r| {
            Ok(Now {
                version: r.get(0)?,
                state: State::from_u8(r.get(1)?).unwrap_or(State::Waiting),
                attempts: r.get(2)?,
            })
        })
        .optional()?;
    let Some(now) = now else { return Ok(()) };
    if now.version != version {
        // A newer version replaced it on its way: that one stays due, and this one was counted as superseded then.
        // The write is remembered with the version it belongs to.
        match outcome {
            Outcome::Written(_) => {
                tx.prepare_cached(
                    "UPDATE versions SET state = 2, write_call = ?3, written_at = ?4 WHERE record = ?1 AND version = ?2",
                )?
                .execute(params![row, version, call, s.now.0])?;
            }
            Outcome::InDoubt(f) => {
                tx.prepare_cached(
                    "UPDATE versions SET state = 6, write_call = ?3 WHERE record = ?1 AND version = ?2",
                )?
                .execute(params![row, version, call])?;
                // The doubt is about the record: its newer version is not sent before it is resolved.
                if matches!(now.state, State::Waiting | State::Queued) {
                    tx.prepare_cached("UPDATE records SET state = 6, code = ?2, reason = ?3 WHERE id = ?1")?
                        .execute(params![row, f.code, reason(f)])?;
                    target.in_doubt += 1;
                    moved(deltas, Some(now.state), State::InDoubt);
                    *settled += i64::from(now.state == State::Queued);
                }
            }
            _ => {}
        }
        return Ok(());
    }
    if now.state != State::Queued {
        return Ok(());
    }
    let (state, failure, attempts) = match outcome {
        Outcome::Written(_) => (State::Written, None, now.attempts + 1),
        Outcome::Failed(f) => (State::Failed, Some(f), now.attempts + 1),
        Outcome::InDoubt(f) => (State::InDoubt, Some(f), now.attempts + 1),
        // A passing failure becomes final after so many runs.
        Outcome::Waiting(f) if now.attempts + 1 >= s.max_attempts => {
            (State::Failed, Some(f), now.attempts + 1)
        }
        Outcome::Waiting(f) => (State::Waiting, Some(f), now.attempts + 1),
        Outcome::Released => (State::Waiting, None, now.attempts),
    };
    match state {
        State::Written => target.written += 1,
        State::Failed => target.failed += 1,
        State::InDoubt => target.in_doubt += 1,
        _ => {}
    }
    let written_at: Option<i64> = (state == State::Written).then_some(s.now.0);
    let (code, reason) = match failure {
        Some(f) => (Some(f.code.clone()), Some(reason(f))),
        None => (None, None),
    };
    tx.prepare_cached(
        "UPDATE records SET state = ?2, attempts = ?3, write_call = coalesce(?4, write_call), written_at = ?5,
           code = coalesce(?6, CASE WHEN ?2 = 0 THEN code END), reason = coalesce(?7, CASE WHEN ?2 = 0 THEN reason END)
         WHERE id = ?1",
    )?
    .execute(params![row, state as u8, attempts, call, written_at, code, reason])?;
    moved(deltas, Some(State::Queued), state);
    *settled += 1;
    Ok(())
}

/// A failure's sentence with its place, in both languages, as JSON.
fn reason(f: &Failure) -> String {
    let place = if f.place.is_empty() { String::new() } else { format!(" ({})", f.place) };
    to_json(&heliu_model::Text {
        en: format!("{}{place}", f.message.en),
        zh: format!("{}{place}", f.message.zh),
    })
}

pub(crate) fn put_back(tx: &Transaction, plan: PlanId, rows: &[RowId], now: Ts) -> Result<u64, Stop> {
    let _ = now;
    let mut deltas: Deltas = [0; 7];
    let mut n = 0;
    for row in rows {
        let state: Option<u8> = tx
            .prepare_cached("SELECT state FROM records WHERE id = ?1 AND plan = ?2 AND blob IS NOT NULL")?
            .query_row(params![row, plan], |r| r.get(0))
            .optional()?;
        let state = state.and_then(State::from_u8);
        let Some(old @ (State::Written | State::Failed | State::InDoubt)) = state else { continue };
        tx.prepare_cached(
            "UPDATE records SET state = 0, attempts = 0, code = NULL, reason = NULL WHERE id = ?1",
        )?
        .execute([row])?;
        moved(&mut deltas, Some(old), State::Waiting);
        n += 1;
    }
    bump(tx, plan, &deltas)?;
    // They are due again in the run that is under way.
    let open: Option<i64> = tx
        .prepare_cached("SELECT id FROM runs WHERE plan = ?1 AND state = 'open'")?
        .query_row([plan], |r| r.get(0))
        .optional()?;
    if let Some(run) = open.filter(|_| n > 0) {
        let mut counts = runs::counts(tx, run)?;
        counts.waiting_before += n;
        runs::save_counts(tx, run, &counts, 0)?;
    }
    Ok(n)
}
