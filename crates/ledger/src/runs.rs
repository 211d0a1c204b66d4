//! Plans and runs: opening, taking over, keeping, closing.

use heliu_model::ports::{
    CloseRun, Intent, OpenRun, OpenWindow, OwnedRun, PlanId, PlanRow, RunId, RunOpening, RunRow, StateCounts,
};
use heliu_model::record::State;
use heliu_model::run::{Counts, RecordCounts, RunKind, RunState, WindowReport, put_aside};
use heliu_model::{Failure, Problem, Ts, Window};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::{Stop, errors, from_json, schedules, to_json, writes};

/// Changes of a plan's records by state.
pub(crate) type Deltas = [i64; 7];

pub(crate) fn bump(tx: &Transaction, plan: PlanId, deltas: &Deltas) -> Result<(), Stop> {
    for (state, n) in deltas.iter().enumerate().filter(|(_, n)| **n != 0) {
        tx.prepare_cached(
            "INSERT INTO plan_states(plan, state, n) VALUES (?1, ?2, ?3)
             ON CONFLICT(plan, state) DO UPDATE SET n = n + excluded.n",
        )?
        .execute(params![plan, state as i64, n])?;
    }
    Ok(())
}

pub(crate) fn moved(deltas: &mut Deltas, from: Option<State>, to: State) {
    if let Some(slot) = from.and_then(|f| deltas.get_mut(f as usize)) {
        *slot -= 1;
    }
    if let Some(slot) = deltas.get_mut(to as usize) {
        *slot += 1;
    }
}

pub(crate) fn state_counts(db: &Connection, plan: PlanId) -> Result<StateCounts, Stop> {
    let mut out = StateCounts::default();
    let mut q = db.prepare_cached("SELECT state, n FROM plan_states WHERE plan = ?1")?;
    let mut rows = q.query([plan])?;
    while let Some(row) = rows.next()? {
        let n = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        match State::from_u8(row.get(0)?) {
            Some(State::Waiting) => out.waiting = n,
            Some(State::Queued) => out.queued = n,
            Some(State::Written) => out.written = n,
            Some(State::Filtered) => out.filtered = n,
            Some(State::Rejected) => out.rejected = n,
            Some(State::Failed) => out.failed = n,
            Some(State::InDoubt) => out.in_doubt = n,
            None => {}
        }
    }
    Ok(out)
}

pub(crate) fn plan_row(row: &Row) -> rusqlite::Result<PlanRow> {
    Ok(PlanRow {
        id: row.get(0)?,
        name: row.get(1)?,
        uuid: row.get(2)?,
        first_seen: Ts(row.get(3)?),
        watermark: row.get::<_, Option<i64>>(4)?.map(Ts),
    })
}

const PLAN: &str = "SELECT id, name, uuid, first_seen, watermark FROM plans";

pub(crate) fn find_plan(db: &Connection, name: &str) -> Result<Option<PlanRow>, Stop> {
    Ok(db.prepare_cached(&format!("{PLAN} WHERE name = ?1"))?.query_row([name], plan_row).optional()?)
}

pub(crate) fn plan_by_id(db: &Connection, uuid: &str) -> Result<Option<PlanRow>, Stop> {
    let mut q = db.prepare_cached(&format!("{PLAN} WHERE uuid = ?1 ORDER BY id LIMIT 1"))?;
    Ok(q.query_row([uuid], plan_row).optional()?)
}

pub(crate) fn plan_of_call(db: &Connection, call: i64) -> Result<Option<PlanRow>, Stop> {
    let mut q = db.prepare_cached(&format!("{PLAN} WHERE id = (SELECT plan FROM calls WHERE id = ?1)"))?;
    Ok(q.query_row([call], plan_row).optional()?)
}

pub(crate) fn plan(tx: &Transaction, name: &str, uuid: &str, now: Ts) -> Result<PlanRow, Stop> {
    let named = find_plan(tx, name)?;
    if let Some(row) = named.as_ref().filter(|r| r.uuid == uuid) {
        return Ok(row.clone());
    }
    if let Some(row) = plan_by_id(tx, uuid)? {
        // Its file has another name now. Whoever had that name before is found by its own id.
        if let Some(other) = named {
            rename(tx, &other, &format!("{}#{}", other.name, other.id))?;
        }
        rename(tx, &row, name)?;
        return Ok(PlanRow { name: name.to_owned(), ..row });
    }
    if let Some(row) = named {
        tx.execute("UPDATE plans SET uuid = ?2 WHERE id = ?1", params![row.id, uuid])?;
        return Ok(PlanRow { uuid: uuid.to_owned(), ..row });
    }
    tx.execute("INSERT INTO plans(name, uuid, first_seen) VALUES (?1, ?2, ?3)", params![name, uuid, now.0])?;
    Ok(PlanRow {
        id: tx.last_insert_rowid(),
        name: name.to_owned(),
        uuid: uuid.to_owned(),
        first_seen: now,
        watermark: None,
    })
}

fn rename(tx: &Transaction, row: &PlanRow, name: &str) -> Result<(), Stop> {
    tx.execute("UPDATE plans SET name = ?2 WHERE id = ?1", params![row.id, name])?;
    // What is open stays open until a run under the new name is clean.
    tx.execute(
        "UPDATE OR IGNORE alerts SET plan = ?2, key = 'plan/' || ?2 || substr(key, length(?1) + 6)
         WHERE plan = ?1 AND closed IS NULL AND substr(key, 1, length(?1) + 6) = 'plan/' || ?1 || '/'",
        params![row.name, name],
    )?;
    Ok(())
}

pub(crate) fn set_watermark(tx: &Transaction, plan: PlanId, at: Ts, by: &str, now: Ts) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO watermark_moves(plan, at, before, after, who)
         SELECT id, ?2, watermark, ?3, ?4 FROM plans WHERE id = ?1",
        params![plan, now.0, at.0, by],
    )?;
    tx.execute("UPDATE plans SET watermark = ?2 WHERE id = ?1", params![plan, at.0])?;
    Ok(())
}

/// The open run's plan, if `epoch` still owns it.
pub(crate) fn guard(tx: &Transaction, run: RunId, epoch: i64) -> Result<PlanId, Stop> {
    let row: Option<(i64, i64, String)> = tx
        .prepare_cached("SELECT plan, epoch, state FROM runs WHERE id = ?1")?
        .query_row([run], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    match row {
        Some((plan, e, state)) if e == epoch && state == "open" => Ok(plan),
        _ => Err(errors::fenced().into()),
    }
}

pub(crate) fn counts(tx: &Transaction, run: RunId) -> Result<Counts, Stop> {
    let text: String =
        tx.prepare_cached("SELECT counts FROM runs WHERE id = ?1")?.query_row([run], |r| r.get(0))?;
    Ok(from_json(&text))
}

pub(crate) fn save_counts(tx: &Transaction, run: RunId, counts: &Counts, queued: i64) -> Result<(), Stop> {
    tx.prepare_cached("UPDATE runs SET counts = ?2, queued = queued + ?3 WHERE id = ?1")?
        .execute(params![run, to_json(counts), queued])?;
    Ok(())
}

/// Adds findings to a run.
pub(crate) fn add_problems(tx: &Transaction, run: RunId, found: &[Problem]) -> Result<(), Stop> {
    if found.is_empty() {
        return Ok(());
    }
    let stored: String = tx.query_row("SELECT problems FROM runs WHERE id = ?1", [run], |r| r.get(0))?;
    let mut problems: Vec<Problem> = from_json(&stored);
    problems.extend(found.iter().cloned());
    tx.execute("UPDATE runs SET problems = ?2 WHERE id = ?1", params![run, to_json(&problems)])?;
    Ok(())
}

/// True when the process that `owner` names (`host:pid:start`) is on this machine and certainly gone.
pub(crate) fn dead_owner(owner: &str) -> bool {
    let mut parts = owner.rsplitn(3, ':');
    let (Some(start), Some(pid), Some(host)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if host != here.trim() || pid.parse::<u32>().is_err() {
        return false;
    }
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
        // The same number may belong to a younger process, or to one that only waits to be reaped.
        Ok(stat) => {
            let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let fields: Vec<&str> = after.split_whitespace().collect();
            fields.first() == Some(&"Z") || fields.get(19).is_some_and(|s| *s != start)
        }
    }
}

pub(crate) fn open_run(tx: &Transaction, open: &OpenRun) -> Result<RunOpening, Stop> {
    struct Existing {
        id: i64,
        kind: String,
        owner: String,
        since: i64,
        lease: i64,
    }
    let mut aside = None;
    let existing = tx
        .prepare_cached(
            "SELECT id, kind, owner, owned_since, lease_until FROM runs WHERE plan = ?1 AND state = 'open'",
        )?
        .query_row([open.plan], |r| {
            Ok(Existing {
                id: r.get(0)?,
                kind: r.get(1)?,
                owner: r.get(2)?,
                since: r.get(3)?,
                lease: r.get(4)?,
            })
        })
        .optional()?;
    let tick = open.tick.map(|t| schedules::state(tx, open.plan, t.trigger)).transpose()?.flatten();
    if let (Some(tick), Some(state)) = (open.tick, tick)
        && tick.at <= state.answered
        && state.owed.is_none_or(|owed| owed > open.now)
    {
        return Ok(RunOpening::Answered(state));
    }
    if let Some(e) = &existing {
        if e.lease > open.now.0 && !dead_owner(&e.owner) {
            return Ok(RunOpening::Busy { owner: e.owner.clone(), since: Ts(e.since) });
        }
        if let Some(tick) = open.tick {
            schedules::begin(tx, open.plan, tick, open.now)?;
        }
        tx.execute(
            "UPDATE runs SET epoch = epoch + 1, owner = ?2, owned_since = ?3, lease_until = ?4, ended = NULL, failure = NULL
             WHERE id = ?1",
            params![e.id, open.owner, open.now.0, open.lease_until.0],
        )?;
        release_queued(tx, e.id, open.plan)?;
        hold_announced(tx, open.plan)?;
        if e.kind == open.kind.word() && open.kind != RunKind::Limited {
            return Ok(RunOpening::Owned(Box::new(owned(tx, e.id, true)?)));
        }
        aside = put_aside(RunKind::parse(&e.kind).unwrap_or(RunKind::Normal), unread(tx, e.id)?);
        end(tx, e.id, open.plan, RunState::Stopped, open.now)?;
    } else if let Some(tick) = open.tick {
        schedules::begin(tx, open.plan, tick, open.now)?;
    }
    hold_announced(tx, open.plan)?;
    let waiting = state_counts(tx, open.plan)?;
    let counts = Counts { waiting_before: waiting.waiting + waiting.queued, ..Counts::default() };
    tx.execute(
        "INSERT INTO runs(ulid, plan, kind, state, started, owner, owned_since, epoch, lease_until, counts)
         VALUES (?1, ?2, ?3, 'open', ?4, ?5, ?4, 1, ?6, ?7)",
        params![
            open.ulid,
            open.plan,
            open.kind.word(),
            open.now.0,
            open.owner,
            open.lease_until.0,
            to_json(&counts)
        ],
    )?;
    let run = tx.last_insert_rowid();
    if let Some(problem) = aside {
        add_problems(tx, run, &[problem])?;
    }
    for (seq, (window, walk)) in open.windows.iter().enumerate() {
        let report = WindowReport {
            window: *window,
            complete: false,
            balanced: false,
            total: None,
            returned: 0,
            records: RecordCounts::default(),
        };
        tx.execute(
            "INSERT INTO windows(run, seq, from_ms, to_ms, walk, report) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![run, seq as i64, window.from.0, window.to.0, walk, to_json(&report)],
        )?;
    }
    Ok(RunOpening::Owned(Box::new(owned(tx, run, false)?)))
}

/// Windows of a run that did not end.
fn unread(tx: &Transaction, run: RunId) -> Result<Vec<Window>, Stop> {
    let mut q = tx.prepare_cached("SELECT from_ms, to_ms FROM windows WHERE run = ?1 AND closed = 0")?;
    let rows = q.query_map([run], |r| Ok(Window { from: Ts(r.get(0)?), to: Ts(r.get(1)?) }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What a former owner of the run had in its hands waits again, except what it announced and never settled.
fn release_queued(tx: &Transaction, run: RunId, plan: PlanId) -> Result<(), Stop> {
    let queued: i64 = tx.query_row(
        "SELECT coalesce((SELECT n FROM plan_states WHERE plan = ?1 AND state = 1), 0)",
        [plan],
        |r| r.get(0),
    )?;
    if queued == 0 {
        return Ok(());
    }
    tx.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS announced(id INTEGER PRIMARY KEY); DELETE FROM announced;",
    )?;
    for row in announced(tx, plan)? {
        tx.prepare_cached("INSERT OR IGNORE INTO announced(id) VALUES (?1)")?.execute([row])?;
    }
    let n = tx.execute(
        "UPDATE records SET state = 0 WHERE plan = ?1 AND state = 1 AND id NOT IN (SELECT id FROM announced)",
        [plan],
    )?;
    let n = n as i64;
    bump(tx, plan, &[n, -n, 0, 0, 0, 0, 0])?;
    tx.execute("UPDATE runs SET queued = max(queued - ?2, 0) WHERE id = ?1", params![run, n])?;
    Ok(())
}

/// The doubt about an announced write holds back whatever version of the record is current by now.
fn hold_announced(tx: &Transaction, plan: PlanId) -> Result<(), Stop> {
    let mut n = 0;
    for row in announced(tx, plan)? {
        n += tx.prepare_cached("UPDATE records SET state = 1 WHERE id = ?1 AND state = 0")?.execute([row])?
            as i64;
    }
    bump(tx, plan, &[-n, n, 0, 0, 0, 0, 0])
}

/// Records whose write was announced and never settled.
fn announced(tx: &Transaction, plan: PlanId) -> Result<impl Iterator<Item = i64>, Stop> {
    Ok(intents(tx, plan)?.into_iter().flat_map(|i| i.members).map(|(row, _)| row))
}

/// Announced writes belong to the plan: whichever run comes next resolves them.
fn intents(tx: &Transaction, plan: PlanId) -> Result<Vec<Intent>, Stop> {
    let mut q =
        tx.prepare_cached("SELECT id, members, announced FROM intents WHERE plan = ?1 ORDER BY id")?;
    let rows = q.query_map([plan], |r| {
        Ok(Intent {
            id: r.get(0)?,
            members: writes::members(&r.get::<_, Vec<u8>>(1)?),
            announced: Ts(r.get(2)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn owned(tx: &Transaction, run: RunId, resumed: bool) -> Result<OwnedRun, Stop> {
    let (mut out, plan) = tx.query_row(
        "SELECT ulid, kind, epoch, started, counts, problems, plan FROM runs WHERE id = ?1",
        [run],
        |r| {
            let out = OwnedRun {
                id: run,
                ulid: r.get(0)?,
                kind: kind_of(&r.get::<_, String>(1)?),
                epoch: r.get(2)?,
                resumed,
                started: Ts(r.get(3)?),
                windows: Vec::new(),
                counts: from_json(&r.get::<_, String>(4)?),
                intents: Vec::new(),
                problems: from_json(&r.get::<_, String>(5)?),
            };
            Ok((out, r.get(6)?))
        },
    )?;
    out.intents = intents(tx, plan)?;
    out.windows = windows(tx, run)?;
    Ok(out)
}

fn windows(db: &Connection, run: RunId) -> Result<Vec<OpenWindow>, Stop> {
    let mut q = db.prepare_cached(
        "SELECT seq, from_ms, to_ms, walk, closed, report FROM windows WHERE run = ?1 ORDER BY seq",
    )?;
    let rows = q.query_map([run], |r| {
        let window = Window { from: Ts(r.get(1)?), to: Ts(r.get(2)?) };
        let report: String = r.get(5)?;
        let blank = WindowReport {
            window,
            complete: false,
            balanced: false,
            total: None,
            returned: 0,
            records: RecordCounts::default(),
        };
        Ok(OpenWindow {
            seq: r.get(0)?,
            window,
            walk: r.get(3)?,
            closed: r.get(4)?,
            report: serde_json::from_str(&report).unwrap_or(blank),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn heartbeat(tx: &Transaction, run: RunId, epoch: i64, until: Ts) -> Result<(), Stop> {
    guard(tx, run, epoch)?;
    tx.execute("UPDATE runs SET lease_until = ?2 WHERE id = ?1", params![run, until.0])?;
    Ok(())
}

/// Ends a run: counts what waits, and drops the walk's details.
fn end(tx: &Transaction, run: RunId, plan: PlanId, state: RunState, now: Ts) -> Result<(), Stop> {
    let standing = state_counts(tx, plan)?;
    let mut c = counts(tx, run)?;
    c.target.waiting = standing.waiting + standing.queued;
    tx.execute(
        "UPDATE runs SET state = ?2, ended = ?3, lease_until = 0, counts = ?4 WHERE id = ?1",
        params![run, state.word(), now.0, to_json(&c)],
    )?;
    tx.execute("UPDATE windows SET walk = '' WHERE run = ?1", [run])?;
    Ok(())
}

pub(crate) fn close_run(tx: &Transaction, close: &CloseRun) -> Result<RunRow, Stop> {
    let plan = guard(tx, close.run, close.epoch)?;
    let mut problems: Vec<Problem> =
        from_json(
            &tx.query_row("SELECT problems FROM runs WHERE id = ?1", [close.run], |r| r.get::<_, String>(0))?,
        );
    problems.extend(close.problems.iter().cloned());
    tx.execute(
        "UPDATE runs SET problems = ?2, failure = ?3, seconds = seconds + ?4 WHERE id = ?1",
        params![close.run, to_json(&problems), close.failure.as_ref().map(to_json), close.seconds],
    )?;
    release_queued(tx, close.run, plan)?;
    let standing = state_counts(tx, plan)?;
    if close.state == RunState::Open {
        let mut c = counts(tx, close.run)?;
        c.target.waiting = standing.waiting + standing.queued;
        tx.execute(
            "UPDATE runs SET lease_until = 0, ended = ?2, counts = ?3 WHERE id = ?1",
            params![close.run, close.now.0, to_json(&c)],
        )?;
        return run_by_id(tx, close.run);
    }
    end(tx, close.run, plan, close.state, close.now)?;
    let row = run_by_id(tx, close.run)?;
    // What needs a person is said by the run's state.
    if close.state == RunState::Done {
        let report = heliu_model::run::RunReport::from_row("", &row, &standing);
        if report.exit_code() != 0 {
            tx.execute("UPDATE runs SET state = 'attention' WHERE id = ?1", [close.run])?;
            return run_by_id(tx, close.run);
        }
    }
    Ok(row)
}

pub(crate) const RUN: &str =
    "SELECT id, plan, ulid, kind, state, counts, started, ended, seconds, problems, failure FROM runs";

pub(crate) fn run_row(r: &Row) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: r.get(0)?,
        plan: r.get(1)?,
        ulid: r.get(2)?,
        kind: kind_of(&r.get::<_, String>(3)?),
        state: RunState::parse(&r.get::<_, String>(4)?).unwrap_or(RunState::Stopped),
        windows: Vec::new(),
        counts: from_json(&r.get::<_, String>(5)?),
        started: Ts(r.get(6)?),
        ended: r.get::<_, Option<i64>>(7)?.map(Ts),
        seconds: r.get(8)?,
        problems: from_json(&r.get::<_, String>(9)?),
        failure: r.get::<_, Option<String>>(10)?.and_then(|f| serde_json::from_str::<Failure>(&f).ok()),
    })
}

pub(crate) fn run_by_id(db: &Connection, run: RunId) -> Result<RunRow, Stop> {
    let mut row = db.query_row(&format!("{RUN} WHERE id = ?1"), [run], run_row)?;
    row.windows = reports(db, run)?;
    Ok(row)
}

pub(crate) fn reports(db: &Connection, run: RunId) -> Result<Vec<WindowReport>, Stop> {
    Ok(windows(db, run)?.into_iter().map(|w| w.report).collect())
}

fn kind_of(word: &str) -> RunKind {
    RunKind::parse(word).unwrap_or(RunKind::Normal)
}
