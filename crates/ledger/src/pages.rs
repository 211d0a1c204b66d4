//! Storing a page: calls, body, decisions about every element, counts, the walk, the watermark. All or nothing.

use bytes::Bytes;
use heliu_model::ports::{
    Advance, CallId, Element, PageCommit, PageCommitted, PageOutcome, PlanId, RunId, StoredPut, Verdict,
};
use heliu_model::run::WindowReport;
use heliu_model::{Call, CallKind};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::elements::{self, Kept, Place, Terms};
use crate::inserts::Shared;
use crate::runs::{self, bump};
use crate::{Stop, pack, retention, to_json};

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
    let terms = Terms {
        shared: Shared { plan, mark: Terms::mark(window, page.pass), call, now: page.now },
        window,
        policy: page.policy,
        room: page.hand_over,
        name_news: page.name_news,
    };
    let elements = page.elements.iter().zip(&places);
    let elements = elements.map(|(e, p)| (e, if p.derived { derived_blob } else { body_blob }, *p));
    let Kept { out: outcome, due, deltas, refs, named } = elements::store(tx, terms, elements)?;
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
    runs::add_problems(tx, page.run, &step.problems)?;
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
    let terms = Terms {
        shared: Shared { plan, mark: Terms::mark(window, 0), call, now: put.now },
        window,
        policy: put.policy,
        room: 0,
        name_news: 0,
    };
    let elements = put.elements.iter().zip(&places);
    let elements = elements.map(|(e, p)| (e, if p.derived { derived_blob } else { Some(blob) }, *p));
    let Kept { out, deltas, refs, named, .. } = elements::store(tx, terms, elements)?;
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
