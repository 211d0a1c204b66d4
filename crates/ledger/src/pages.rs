//! Storing a page: calls, body, decisions about every element, counts, the walk, the watermark. All or nothing.

use std::collections::HashMap;

use bytes::Bytes;
use heliu_model::ports::{
    Advance, CallId, Due, Element, News, PageCommit, PageCommitted, PageOutcome, PlanId, RowId, RunId,
    StoredPut, Verdict,
};
use heliu_model::record::{Decision, Hash, Known, Policy, State, decide};
use heliu_model::run::WindowReport;
use heliu_model::{Call, CallKind, Problem, Ts};
use rusqlite::{CachedStatement, OptionalExtension, Transaction, params};

use crate::runs::{self, Deltas, bump, moved};
use crate::{Stop, from_json, pack, retention, to_json};

/// Passes that fit into one window's marks.
const PASSES: i64 = 64;

/// Stores a call; its response body is `blob` (id and size as stored) when it was stored already, which then counts
/// this call among those that refer to it. `named`: a record's story names this call.
pub(crate) fn save_call(
    tx: &Transaction,
    plan: Option<PlanId>,
    run: Option<RunId>,
    call: &Call,
    blob: Option<(i64, usize)>,
    named: bool,
) -> Result<CallId, Stop> {
    let response = match blob {
        Some(b) => Some(b),
        None if call.response_body.is_empty() => None,
        None => {
            let packed = pack(&call.response_body);
            let blob = save_packed(tx, call.response_body.len(), &packed)?;
            retention::refer(tx, blob, 1)?;
            Some((blob, packed.len()))
        }
    };
    let request = (!call.request_body.is_empty()).then(|| pack(&call.request_body));
    let bytes = request.as_ref().map_or(0, Vec::len) + response.map_or(0, |(_, size)| size);
    tx.prepare_cached(
        "INSERT INTO calls(plan, run, kind, started, millis, method, url, status, rows, request_headers, request_body,
                           response_headers, response_blob, failure, bytes, named)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        plan,
        run,
        kind_word(call.kind),
        call.started.0,
        call.millis,
        call.method,
        call.url,
        call.status,
        call.rows,
        to_json(&call.request_headers),
        request,
        to_json(&call.response_headers),
        response.map(|(blob, _)| blob),
        call.failure.as_ref().map(to_json),
        bytes as i64,
        named,
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn kind_word(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Fetch => "fetch",
        CallKind::Write => "write",
        CallKind::Token => "token",
        CallKind::LookUp => "look_up",
        CallKind::Test => "test",
    }
}

fn save_packed(tx: &Transaction, size: usize, packed: &[u8]) -> Result<i64, Stop> {
    tx.prepare_cached("INSERT INTO blobs(size, data) VALUES (?1, ?2)")?
        .execute(params![size as i64, packed])?;
    Ok(tx.last_insert_rowid())
}

/// Where an element's content lies.
#[derive(Clone, Copy)]
struct Place {
    derived: bool,
    off: i64,
    len: i64,
}

fn places(body: &Bytes, elements: &[Element]) -> (Vec<Place>, Vec<u8>) {
    let base = body.as_ptr() as usize;
    let mut derived = Vec::new();
    let places = elements
        .iter()
        .map(|e| {
            let at = e.content.as_ptr() as usize;
            let len = e.content.len() as i64;
            if at >= base && at + e.content.len() <= base + body.len() {
                return Place { derived: false, off: (at - base) as i64, len };
            }
            let off = derived.len() as i64;
            if matches!(e.verdict, Verdict::Keep) {
                derived.extend_from_slice(&e.content);
            }
            Place { derived: true, off, len }
        })
        .collect();
    (places, derived)
}

struct Found {
    row: RowId,
    known: Known,
    seen: i64,
    version: u32,
}

const SELECT: &str =
    "SELECT id, hash, state, stamp, seen, collides, version FROM records WHERE plan = ?1 AND key = ?2";

const INSERT: &str = "INSERT INTO records(plan, key, number, hash, version, state, blob, off, len, stamp, seen, source_call, first_seen, changed_at)
 VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12) ON CONFLICT(plan, key) DO NOTHING";

struct Store<'a> {
    tx: &'a Transaction<'a>,
    plan: PlanId,
    mark: i64,
    window: i64,
    policy: Policy,
    call: CallId,
    now: Ts,
    room: usize,
    name_news: usize,
    out: PageOutcome,
    due: Vec<Due>,
    deltas: Deltas,
    /// Records and versions that refer to the page's body, and to what was derived from it.
    refs: (i64, i64),
    /// A record's story names the page's call.
    named: bool,
    /// Keys met in this page: their last hash, and whether this pass met them here first.
    in_page: HashMap<String, (Hash, bool)>,
    /// The element before this one was new: this one is likely to be, too, and is inserted before it is looked for.
    likely_new: bool,
    insert: CachedStatement<'a>,
    select: CachedStatement<'a>,
}

/// `packed`: the page's body, compressed before the writer was taken.
pub(crate) fn commit_page(
    tx: &Transaction,
    page: PageCommit,
    packed: &[u8],
    advance: Advance,
) -> Result<PageCommitted, Stop> {
    let plan = runs::guard(tx, page.run, page.epoch)?;
    let (window, report): (i64, String) = tx
        .prepare_cached("SELECT id, report FROM windows WHERE run = ?1 AND seq = ?2")?
        .query_row(params![page.run, page.seq], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let mut report: WindowReport = serde_json::from_str(&report).map_err(|e| {
        heliu_model::Failure::internal(
            "HL-6006",
            heliu_model::text!("a stored window is damaged: {e}", "已保存的时间窗口损坏:{e}"),
        )
    })?;
    // Masked bodies differ from what came; then the call keeps its own.
    let shared = page.calls.last().is_some_and(|c| {
        c.response_body.as_ptr() == page.body.as_ptr() && c.response_body.len() == page.body.len()
    });
    let (places, derived) = places(&page.body, &page.elements);
    let uses_body =
        places.iter().zip(&page.elements).any(|(p, e)| !p.derived && matches!(e.verdict, Verdict::Keep));
    let body_blob = if !page.body.is_empty() && (shared || uses_body) {
        Some(save_packed(tx, page.body.len(), packed)?)
    } else {
        None
    };
    let derived_blob =
        if derived.is_empty() { None } else { Some(save_packed(tx, derived.len(), &pack(&derived))?) };
    let mut call = 0;
    for (i, c) in page.calls.iter().enumerate() {
        let own = (shared && i + 1 == page.calls.len()).then_some(body_blob).flatten();
        call = save_call(tx, Some(plan), Some(page.run), c, own.map(|b| (b, packed.len())), false)?;
    }
    let mut store = Store {
        tx,
        plan,
        mark: window * PASSES + i64::from(page.pass).min(PASSES - 1),
        window,
        policy: page.policy,
        call,
        now: page.now,
        room: page.hand_over,
        name_news: page.name_news,
        out: PageOutcome::default(),
        due: Vec::new(),
        deltas: [0; 7],
        refs: (0, 0),
        named: false,
        in_page: HashMap::with_capacity(page.elements.len()),
        likely_new: false,
        insert: tx.prepare_cached(INSERT)?,
        select: tx.prepare_cached(SELECT)?,
    };
    for (element, place) in page.elements.iter().zip(&places) {
        let blob = if place.derived { derived_blob } else { body_blob };
        store.element(element, blob, *place)?;
    }
    let Store { out: outcome, due, deltas, refs, named, .. } = store;
    bump(tx, plan, &deltas)?;
    if let Some(blob) = body_blob {
        retention::refer(tx, blob, refs.0 + i64::from(shared))?;
    }
    if let Some(blob) = derived_blob {
        retention::refer(tx, blob, refs.1)?;
    }
    if named {
        tx.prepare_cached("UPDATE calls SET named = 1 WHERE id = ?1")?.execute([call])?;
    }
    let step = advance(&outcome);

    let mut counts = runs::counts(tx, page.run)?;
    counts.source.calls += page.calls.len() as u64;
    counts.source.retried += u64::from(page.retried);
    counts.source.throttled += u64::from(page.throttled);
    counts.source.pages += 1;
    let returned = page.elements.len() as u64 - outcome.repeated;
    counts.source.returned += returned;
    counts.source.repeated += outcome.repeated;
    counts.records.add(&outcome.records);
    counts.newly_rejected += outcome.newly_rejected;
    counts.target.superseded += outcome.superseded;
    counts.target.in_doubt += outcome.in_doubt;
    runs::save_counts(tx, page.run, &counts, due.len() as i64)?;

    report.returned += returned;
    report.records.add(&outcome.records);
    report.total = step.total.or(report.total);
    if let Some(close) = &step.close {
        report.complete = close.complete;
        report.balanced = close.complete && report.returned == report.records.sum();
        if let Some(to) = close.watermark {
            tx.execute(
                "UPDATE plans SET watermark = max(coalesce(watermark, ?2), ?2) WHERE id = ?1",
                params![plan, to.0],
            )?;
        }
    }
    tx.prepare_cached("UPDATE windows SET walk = ?2, closed = ?3, report = ?4 WHERE id = ?1")?
        .execute(params![window, step.walk, step.close.is_some(), to_json(&report)])?;
    if !step.problems.is_empty() {
        let stored: String =
            tx.query_row("SELECT problems FROM runs WHERE id = ?1", [page.run], |r| r.get(0))?;
        let mut problems: Vec<Problem> = from_json(&stored);
        problems.extend(step.problems.iter().cloned());
        tx.execute("UPDATE runs SET problems = ?2 WHERE id = ?1", params![page.run, to_json(&problems)])?;
    }
    Ok(PageCommitted { outcome, step, due, call })
}

/// Stores elements that no run of the plan brings; see [`heliu_model::ports::Stored::put`].
pub(crate) fn put(tx: &Transaction, put: StoredPut, packed: &[u8]) -> Result<PageOutcome, Stop> {
    // Whoever slept while its run was taken over would store what is old by now over what is new.
    runs::guard(tx, put.by.0, put.by.1)?;
    let plan = runs::plan(tx, &put.plan, &put.uuid, put.now)?.id;
    let (places, derived) = places(&put.body, &put.elements);
    let blob = save_packed(tx, put.body.len(), packed)?;
    let derived_blob =
        if derived.is_empty() { None } else { Some(save_packed(tx, derived.len(), &pack(&derived))?) };
    let call = save_call(tx, Some(plan), None, &put.call, Some((blob, packed.len())), false)?;
    // A mark of its own, so that each put sees what those before it stored as met before.
    let window = -call;
    let mut store = Store {
        tx,
        plan,
        mark: window * PASSES,
        window,
        policy: put.policy,
        call,
        now: put.now,
        room: 0,
        name_news: 0,
        out: PageOutcome::default(),
        due: Vec::new(),
        deltas: [0; 7],
        refs: (0, 0),
        named: false,
        in_page: HashMap::with_capacity(put.elements.len()),
        likely_new: false,
        insert: tx.prepare_cached(INSERT)?,
        select: tx.prepare_cached(SELECT)?,
    };
    for (element, place) in put.elements.iter().zip(&places) {
        store.element(element, if place.derived { derived_blob } else { Some(blob) }, *place)?;
    }
    let Store { out, deltas, refs, named, .. } = store;
    bump(tx, plan, &deltas)?;
    retention::refer(tx, blob, refs.0 + 1)?;
    if let Some(blob) = derived_blob {
        retention::refer(tx, blob, refs.1)?;
    }
    if named {
        tx.prepare_cached("UPDATE calls SET named = 1 WHERE id = ?1")?.execute([call])?;
    }
    // They are due in the run that is under way, too.
    let open: Option<RunId> = tx
        .prepare_cached("SELECT id FROM runs WHERE plan = ?1 AND state = 'open'")?
        .query_row([plan], |r| r.get(0))
        .optional()?;
    if let Some(run) = open {
        let mut counts = runs::counts(tx, run)?;
        counts.waiting_before += out.records.new + out.records.changed;
        counts.target.superseded += out.superseded;
        counts.target.in_doubt += out.in_doubt;
        runs::save_counts(tx, run, &counts, 0)?;
    }
    Ok(out)
}

impl Store<'_> {
    fn element(&mut self, e: &Element, blob: Option<i64>, place: Place) -> Result<(), Stop> {
        let key = match (&e.id, &e.verdict) {
            (Some(id), Verdict::Keep | Verdict::Filtered(_)) => id.clone(),
            _ => format!("#{}", hex::encode(e.hash)),
        };
        if self.likely_new && matches!(e.verdict, Verdict::Keep) && !self.in_page.contains_key(&key) {
            if self.insert(e, &key, blob, place)? {
                self.out.fresh += u64::from(e.head);
                self.in_page.insert(key, (e.hash, true));
                return Ok(());
            }
            self.likely_new = false;
        }
        let found = self.find(&key, &e.hash)?;
        let met = found.as_ref().is_some_and(|f| f.seen == self.mark);
        let clash = match self.in_page.get_mut(&key) {
            Some((other, fresh)) => {
                self.out.surplus += u64::from(e.head && *fresh);
                std::mem::replace(other, e.hash) != e.hash
            }
            None => {
                self.in_page.insert(key.clone(), (e.hash, !met));
                false
            }
        };
        if clash {
            self.out.clashes += 1;
            if self.out.clash_ids.len() < 5 && !self.out.clash_ids.contains(&key) {
                self.out.clash_ids.push(key.clone());
            }
        }
        if met {
            self.out.flaps += u64::from(!clash && found.as_ref().is_some_and(|f| f.known.hash != e.hash));
        } else {
            self.out.fresh += u64::from(e.head);
        }
        match &e.verdict {
            Verdict::Keep => self.keep(e, &key, found, clash, blob, place),
            Verdict::Filtered(rule) => self.left_out(e, &key, found, State::Filtered, "HL-7012", rule),
            Verdict::Rejected(code, why) => self.left_out(e, &key, found, State::Rejected, code, why),
        }
    }

    fn find(&mut self, key: &str, hash: &Hash) -> Result<Option<Found>, Stop> {
        let window = self.window;
        let found = self
            .select
            .query_row(params![self.plan, key], |r| {
                let seen: i64 = r.get(4)?;
                Ok(Found {
                    row: r.get(0)?,
                    known: Known {
                        hash: r.get(1)?,
                        state: State::from_u8(r.get(2)?).unwrap_or(State::Waiting),
                        stamp: r.get(3)?,
                        seen_in_window: seen / PASSES == window,
                        hash_of_older: false,
                        collides: r.get(5)?,
                    },
                    seen,
                    version: r.get(6)?,
                })
            })
            .optional()?;
        let Some(mut f) = found else { return Ok(None) };
        if f.known.hash != *hash && f.version > 1 && (f.known.collides || f.known.seen_in_window) {
            f.known.hash_of_older = self
                .tx
                .prepare_cached("SELECT 1 FROM versions WHERE record = ?1 AND hash = ?2")?
                .exists(params![f.row, hash])?;
        }
        Ok(Some(f))
    }

    fn mark(&self, row: RowId, clash: bool) -> Result<(), Stop> {
        self.tx
            .prepare_cached("UPDATE records SET seen = ?2, collides = collides OR ?3 WHERE id = ?1")?
            .execute(params![row, self.mark, clash])?;
        Ok(())
    }

    fn keep(
        &mut self,
        e: &Element,
        key: &str,
        found: Option<Found>,
        clash: bool,
        blob: Option<i64>,
        place: Place,
    ) -> Result<(), Stop> {
        let Some(f) = found else {
            self.insert(e, key, blob, place)?;
            self.likely_new = true;
            return Ok(());
        };
        let decision = decide(Some(&f.known), &e.hash, e.stamp.as_deref(), self.policy);
        if !matches!(decision, Decision::Unchanged | Decision::Repeated) {
            self.note(e, key, decision == Decision::Changed, blob, place);
        }
        let queued = self.due.len() < self.room;
        let due_state = if queued { State::Queued } else { State::Waiting };
        match decision {
            Decision::Unchanged => {
                self.out.records.unchanged += 1;
                self.mark(f.row, clash)
            }
            Decision::Repeated => {
                self.out.repeated += 1;
                if f.seen == self.mark && !clash { Ok(()) } else { self.mark(f.row, clash) }
            }
            Decision::Changed => {
                self.out.records.changed += 1;
                let old = f.known.state;
                let state = if old == State::InDoubt { State::InDoubt } else { due_state };
                match old {
                    State::Waiting | State::Queued => self.out.superseded += 1,
                    State::InDoubt => self.out.in_doubt += 1,
                    _ => {}
                }
                self.tx
                    .prepare_cached(
                        "INSERT INTO versions(record, version, hash, state, blob, off, len, source_call, write_call, changed_at, written_at)
                         SELECT id, version, hash, CASE WHEN state IN (2, 5, 6) THEN state END, blob, off, len, source_call,
                                write_call, changed_at, written_at FROM records WHERE id = ?1",
                    )?
                    .execute([f.row])?;
                self.tx
                    .prepare_cached(
                        "UPDATE records SET number = ?2, hash = ?3, version = version + 1, state = ?4, blob = ?5, off = ?6, len = ?7,
                           stamp = coalesce(?8, stamp), seen = ?9, collides = collides OR ?10, attempts = 0, source_call = ?11,
                           write_call = CASE WHEN state = 6 THEN write_call END, changed_at = ?12, written_at = NULL,
                           code = CASE WHEN state = 6 THEN code END, reason = CASE WHEN state = 6 THEN reason END, response = NULL
                         WHERE id = ?1",
                    )?
                    .execute(params![
                        f.row, e.number, e.hash, state as u8, blob, place.off, place.len, e.stamp, self.mark, clash,
                        self.call, self.now.0
                    ])?;
                moved(&mut self.deltas, Some(old), state);
                if state == State::Queued {
                    self.hand(f.row, key, f.version + 1, e);
                }
                Ok(())
            }
            Decision::New => {
                // A filtered or rejected one that passes now.
                self.out.records.new += 1;
                self.tx
                    .prepare_cached(
                        "UPDATE records SET number = ?2, hash = ?3, state = ?4, blob = ?5, off = ?6, len = ?7, stamp = ?8, seen = ?9,
                           attempts = 0, source_call = ?10, changed_at = ?11, code = NULL, reason = NULL WHERE id = ?1",
                    )?
                    .execute(params![
                        f.row, e.number, e.hash, due_state as u8, blob, place.off, place.len, e.stamp, self.mark,
                        self.call, self.now.0
                    ])?;
                moved(&mut self.deltas, Some(f.known.state), due_state);
                if queued {
                    self.hand(f.row, key, f.version, e);
                }
                Ok(())
            }
        }
    }

    /// Stores an element as a new record, unless its key is known.
    fn insert(&mut self, e: &Element, key: &str, blob: Option<i64>, place: Place) -> Result<bool, Stop> {
        let queued = self.due.len() < self.room;
        let state = if queued { State::Queued } else { State::Waiting };
        let stored = self.insert.execute(params![
            self.plan,
            key,
            e.number,
            e.hash,
            state as u8,
            blob,
            place.off,
            place.len,
            e.stamp,
            self.mark,
            self.call,
            self.now.0
        ])?;
        if stored == 0 {
            return Ok(false);
        }
        self.note(e, key, false, blob, place);
        self.out.records.new += 1;
        moved(&mut self.deltas, None, state);
        if queued {
            self.hand(self.tx.last_insert_rowid(), key, 1, e);
        }
        Ok(true)
    }

    /// A version refers to this page's body and call; gap scans name it.
    fn note(&mut self, e: &Element, key: &str, changed: bool, blob: Option<i64>, place: Place) {
        if self.out.news.len() < self.name_news {
            self.out.news.push(News { id: key.to_owned(), changed, stamp: e.stamp.clone() });
        }
        self.named = true;
        let refs = if place.derived { &mut self.refs.1 } else { &mut self.refs.0 };
        *refs += i64::from(blob.is_some());
    }

    fn hand(&mut self, row: RowId, key: &str, version: u32, e: &Element) {
        self.due.push(Due { row, id: key.to_owned(), version, attempts: 0, content: e.content.clone() });
    }

    fn left_out(
        &mut self,
        e: &Element,
        key: &str,
        found: Option<Found>,
        state: State,
        code: &str,
        why: &str,
    ) -> Result<(), Stop> {
        let rejected = state == State::Rejected;
        if let Some(f) = found {
            if f.known.seen_in_window {
                self.out.repeated += 1;
                return self.mark(f.row, false);
            }
            if rejected {
                self.out.records.rejected += 1;
            } else {
                self.out.records.filtered += 1;
            }
            // A record that is stored keeps its content and state when a condition leaves it out now.
            if matches!(f.known.state, State::Filtered | State::Rejected) {
                self.tx
                    .prepare_cached("UPDATE records SET hash = ?2, code = ?3, reason = ?4 WHERE id = ?1")?
                    .execute(params![f.row, e.hash, code, why])?;
            }
            return self.mark(f.row, false);
        }
        if rejected {
            self.out.records.rejected += 1;
            self.out.newly_rejected += 1;
        } else {
            self.out.records.filtered += 1;
        }
        self.named = true;
        self.tx
            .prepare_cached(
                "INSERT INTO records(plan, key, keyed, number, hash, version, state, seen, source_call, first_seen, changed_at, code, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?9, ?10, ?11)",
            )?
            .execute(params![
                self.plan, key, !rejected && e.id.is_some(), e.number, e.hash, state as u8, self.mark, self.call, self.now.0, code, why
            ])?;
        moved(&mut self.deltas, None, state);
        Ok(())
    }
}
