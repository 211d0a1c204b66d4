//! What people look at: runs, records, stories, calls.

use bytes::Bytes;
use heliu_model::ports::{
    CallFilter, CallId, CallRow, PlanId, RecordFilter, RecordRow, RecordStory, RowId, RunRow, VersionRow,
};
use heliu_model::record::State;
use heliu_model::{Call, CallKind, Ts};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::writes::Bodies;
use crate::{Stop, from_json, runs, unpack};

pub(crate) fn list_runs(db: &Connection, plan: PlanId, limit: usize) -> Result<Vec<RunRow>, Stop> {
    let mut q = db.prepare_cached(&format!("{} WHERE plan = ?1 ORDER BY id DESC LIMIT ?2", runs::RUN))?;
    let limit = if limit == 0 { -1 } else { limit as i64 };
    let mut out: Vec<RunRow> =
        q.query_map(params![plan, limit], runs::run_row)?.collect::<rusqlite::Result<_>>()?;
    for run in &mut out {
        run.windows = runs::reports(db, run.id)?;
    }
    Ok(out)
}

pub(crate) fn find_run(db: &Connection, plan: PlanId, ulid: &str) -> Result<Option<RunRow>, Stop> {
    let mut q = db.prepare_cached("SELECT id FROM runs WHERE plan = ?1 AND ulid LIKE ?2 || '%' LIMIT 2")?;
    let clean: String = ulid.chars().filter(char::is_ascii_alphanumeric).collect();
    let ids: Vec<i64> = q.query_map(params![plan, clean], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    match ids.as_slice() {
        [only] => Ok(Some(runs::run_by_id(db, *only)?)),
        _ => Ok(None),
    }
}

const RECORD: &str =
    "SELECT id, key, keyed, number, state, reason, code, version, hash, first_seen, changed_at, written_at,
  attempts, source_call, write_call, response,
  (SELECT value FROM writebacks w WHERE w.record = records.id) FROM records";

fn record_row(r: &Row) -> rusqlite::Result<RecordRow> {
    let keyed: bool = r.get(2)?;
    Ok(RecordRow {
        row: r.get(0)?,
        id: if keyed { Some(r.get(1)?) } else { None },
        number: r.get(3)?,
        state: State::from_u8(r.get(4)?).unwrap_or(State::Waiting),
        reason: r.get(5)?,
        code: r.get(6)?,
        version: r.get(7)?,
        hash: r.get(8)?,
        first_seen: Ts(r.get(9)?),
        changed_at: Ts(r.get(10)?),
        written_at: r.get::<_, Option<i64>>(11)?.map(Ts),
        attempts: r.get(12)?,
        source_call: r.get(13)?,
        write_call: r.get(14)?,
        response: r.get(15)?,
        writeback: r.get(16)?,
    })
}

pub(crate) fn records(db: &Connection, plan: PlanId, f: &RecordFilter) -> Result<Vec<RecordRow>, Stop> {
    let limit = if f.limit == 0 { -1 } else { f.limit as i64 };
    let mut q = db.prepare_cached(&format!(
        "{RECORD} WHERE plan = ?1 AND id > ?2 AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR key = ?4)
         AND (?5 IS NULL OR number = ?5) ORDER BY id LIMIT ?6"
    ))?;
    let rows =
        q.query_map(params![plan, f.after, f.state.map(|s| s as u8), f.id, f.number, limit], record_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn story(db: &Connection, plan: PlanId, id: &str) -> Result<Option<RecordStory>, Stop> {
    let record = db
        .prepare_cached(&format!("{RECORD} WHERE plan = ?1 AND key = ?2"))?
        .query_row(params![plan, id], record_row)
        .optional()?;
    let Some(record) = record else { return Ok(None) };
    let mut bodies = Bodies::default();
    let content = content_of(db, &mut bodies, record.row)?;
    let mut q = db.prepare_cached(
        "SELECT version, state, hash, changed_at, written_at, source_call, write_call, blob, off, len FROM versions
         WHERE record = ?1 ORDER BY version",
    )?;
    let mut rows = q.query([record.row])?;
    let mut versions = Vec::new();
    while let Some(r) = rows.next()? {
        versions.push(VersionRow {
            version: r.get(0)?,
            state: r.get::<_, Option<u8>>(1)?.and_then(State::from_u8),
            hash: r.get(2)?,
            changed_at: Ts(r.get(3)?),
            written_at: r.get::<_, Option<i64>>(4)?.map(Ts),
            source_call: r.get(5)?,
            write_call: r.get(6)?,
            content: bodies.slice(db, r.get(7)?, r.get(8)?, r.get(9)?)?,
        });
    }
    Ok(Some(RecordStory { record, content, versions }))
}

fn content_of(db: &Connection, bodies: &mut Bodies, row: RowId) -> Result<Option<Bytes>, Stop> {
    let place: Option<(Option<i64>, i64, i64)> = db
        .prepare_cached("SELECT blob, off, len FROM records WHERE id = ?1")?
        .query_row([row], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    match place {
        Some((blob, off, len)) => bodies.slice(db, blob, off, len),
        None => Ok(None),
    }
}

pub(crate) fn contents(db: &Connection, rows: &[RowId]) -> Result<Vec<(RowId, Bytes)>, Stop> {
    let mut bodies = Bodies::default();
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(c) = content_of(db, &mut bodies, *row)? {
            out.push((*row, c));
        }
    }
    Ok(out)
}

const CALL: &str = "SELECT c.id, r.ulid, c.kind, c.started, c.millis, c.method, c.url, c.status, c.rows, c.request_headers,
  c.response_headers, c.failure, c.pruned, c.request_body, c.response_blob FROM calls c LEFT JOIN runs r ON r.id = c.run";

fn call_row(r: &Row) -> rusqlite::Result<CallRow> {
    let kind = match r.get::<_, String>(2)?.as_str() {
        "write" => CallKind::Write,
        "token" => CallKind::Token,
        "look_up" => CallKind::LookUp,
        "test" => CallKind::Test,
        _ => CallKind::Fetch,
    };
    let mut call = Call::new(kind, Ts(r.get(3)?), &r.get::<_, String>(5)?, &r.get::<_, String>(6)?);
    call.millis = r.get(4)?;
    call.status = r.get(7)?;
    call.rows = r.get(8)?;
    call.request_headers = from_json(&r.get::<_, String>(9)?);
    call.response_headers = from_json(&r.get::<_, String>(10)?);
    call.failure = r.get::<_, Option<String>>(11)?.and_then(|f| serde_json::from_str(&f).ok());
    Ok(CallRow { id: r.get(0)?, run: r.get(1)?, call, pruned: r.get(12)? })
}

pub(crate) fn calls(db: &Connection, plan: PlanId, f: &CallFilter) -> Result<Vec<CallRow>, Stop> {
    let limit = if f.limit == 0 { -1 } else { f.limit as i64 };
    let mut q = db.prepare_cached(&format!(
        "{CALL} WHERE c.plan = ?1 AND (?2 IS NULL OR r.ulid LIKE ?2 || '%') AND (?3 IS NULL OR c.kind = ?3)
         AND (?4 = 0 OR c.failure IS NOT NULL) ORDER BY c.id DESC LIMIT ?5"
    ))?;
    let kind = f.kind.map(crate::pages::kind_word);
    let rows = q.query_map(params![plan, f.run, kind, f.failed_only, limit], call_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn call(db: &Connection, id: CallId) -> Result<Option<CallRow>, Stop> {
    let found = db
        .prepare_cached(&format!("{CALL} WHERE c.id = ?1"))?
        .query_row([id], |r| {
            Ok((call_row(r)?, r.get::<_, Option<Vec<u8>>>(13)?, r.get::<_, Option<i64>>(14)?))
        })
        .optional()?;
    let Some((mut row, request, blob)) = found else { return Ok(None) };
    if let Some(body) = request {
        row.call.request_body = Bytes::from(unpack(&body)?);
    }
    if let Some(blob) = blob {
        let data: Option<Vec<u8>> =
            db.query_row("SELECT data FROM blobs WHERE id = ?1", [blob], |r| r.get(0)).optional()?;
        if let Some(data) = data {
            row.call.response_body = Bytes::from(unpack(&data)?);
        }
    }
    Ok(Some(row))
}
