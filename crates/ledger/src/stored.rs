//! Stored records as other plans read and write them.
//!
//! Records are read in the order of a time and the row, up to the end of a window. So that nothing slips behind a
//! reader, the end is stored before anything is read: whatever is committed later is timed at or behind it, even when
//! its clock was read earlier and it waited for its turn to write meanwhile.

use async_trait::async_trait;
use heliu_model::ports::{
    PageOutcome, PlanId, Stored, StoredAsk, StoredAt, StoredBy, StoredPage, StoredPut, StoredRow,
};
use heliu_model::record::State;
use heliu_model::{Failure, Ts};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::writes::Bodies;
use crate::{SqliteLedger, Stop, pack, pages};

/// No commit waits this long (ms) for its turn: what lies further ahead of its clock was read under a wrong one.
const MOST_AHEAD_MS: i64 = 3_600_000;

/// Records of other states that one page passes over at most.
const MOST_LOOKED_AT: usize = 10_000;

/// The time of a commit that read its clock at `now`.
pub(crate) fn timed(tx: &Transaction, now: Ts) -> Result<Ts, Stop> {
    let until = read_until(tx)?;
    Ok(if until > now && until.0 - now.0 <= MOST_AHEAD_MS { until } else { now })
}

fn read_until(db: &Connection) -> Result<Ts, Stop> {
    let at: Option<i64> = db
        .prepare_cached("SELECT at FROM read_until WHERE id = 1")?
        .query_row([], |r| r.get(0))
        .optional()?;
    Ok(Ts(at.unwrap_or(i64::MIN)))
}

/// Column and index of a time. The indexes are made when they are first needed: no other plan pays for them.
fn order(by: StoredBy) -> (&'static str, &'static str) {
    match by {
        StoredBy::Arrival => ("changed_at", "records_changed"),
        StoredBy::Writing => ("written_at", "records_written"),
    }
}

fn prepared(db: &Connection, ask: &StoredAsk) -> Result<bool, Stop> {
    let indexed = db
        .prepare_cached("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?1")?
        .exists([order(ask.by).1])?;
    Ok(indexed && read_until(db)? >= ask.closed)
}

fn prepare(tx: &Transaction, by: StoredBy, closed: Ts) -> Result<(), Stop> {
    let (column, index) = order(by);
    let only = if by == StoredBy::Writing { " WHERE written_at IS NOT NULL" } else { "" };
    tx.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {index} ON records(plan, {column}){only}"))?;
    tx.execute(
        "INSERT INTO read_until(id, at) VALUES (1, ?1) ON CONFLICT(id) DO UPDATE SET at = max(at, excluded.at)",
        [closed.0],
    )?;
    Ok(())
}

fn find_plan(db: &Connection, words: &str) -> Result<Option<PlanId>, Stop> {
    Ok(db
        .prepare_cached("SELECT id FROM plans WHERE uuid = ?1 COLLATE NOCASE OR name = ?1 LIMIT 1")?
        .query_row([words], |r| r.get(0))
        .optional()?)
}

fn read(db: &Connection, ask: &StoredAsk) -> Result<StoredPage, Stop> {
    let mut page = StoredPage::default();
    let Some(plan) = find_plan(db, &ask.plan)? else { return Ok(page) };
    let (column, _) = order(ask.by);
    let mut q = db.prepare_cached(&format!(
        "SELECT id, key, number, state, first_seen, {column}, blob, off, len FROM records
         WHERE plan = ?1 AND {column} < ?2 AND ({column}, id) > (?3, ?4) ORDER BY {column}, id"
    ))?;
    // Everything of the millisecond before `from` stands before it.
    let begin = ask.from.map_or(i64::MIN, |from| from.0.saturating_sub(1));
    let after = ask.after.unwrap_or(StoredAt { at: Ts(begin), row: i64::MAX });
    let mut rows = q.query(params![plan, ask.to.0, after.at.0, after.row])?;
    let mut bodies = Bodies::default();
    let (mut bytes, mut seen) = (0, 0);
    while let Some(r) = rows.next()? {
        if page.rows.len() >= ask.max_rows || bytes >= ask.max_bytes || seen >= MOST_LOOKED_AT {
            page.more = true;
            break;
        }
        seen += 1;
        page.last = Some(StoredAt { at: Ts(r.get(5)?), row: r.get(0)? });
        let state = State::from_u8(r.get(3)?).unwrap_or(State::Waiting);
        let wanted = match ask.by {
            StoredBy::Writing if state != State::Written => false,
            _ if ask.states.is_empty() => !matches!(state, State::Filtered | State::Rejected),
            _ => ask.states.contains(&state),
        };
        if !wanted {
            continue;
        }
        let Some(content) = bodies.slice(db, r.get(6)?, r.get(7)?, r.get(8)?)? else {
            page.gone += 1;
            continue;
        };
        bytes += content.len();
        page.rows.push(StoredRow {
            id: r.get(1)?,
            number: r.get(2)?,
            state,
            first_seen: Ts(r.get(4)?),
            content,
        });
    }
    Ok(page)
}

#[async_trait]
impl Stored for SqliteLedger {
    async fn read(&self, ask: StoredAsk) -> Result<StoredPage, Failure> {
        let wish = ask.clone();
        if !SqliteLedger::read(self, move |db, _| prepared(db, &wish)).await? {
            let (by, closed) = (ask.by, ask.closed);
            self.write("read_until", false, move |tx, _| prepare(tx, by, closed)).await?;
        }
        SqliteLedger::read(self, move |db, _| read(db, &ask)).await
    }

    async fn put(&self, put: StoredPut) -> Result<PageOutcome, Failure> {
        let body = put.body.clone();
        self.write_prepared(
            "put",
            false,
            move || pack(&body),
            move |tx, _, packed| {
                let mut put = put;
                put.now = timed(tx, put.now)?;
                pages::put(tx, put, &packed)
            },
        )
        .await
    }
}
