//! Storing a page.

use std::collections::BTreeMap;

use heliu_model::Failure;
use heliu_model::ports::*;
use heliu_model::record::{Decision, Hash, Known, State as RecordState, decide};
use heliu_model::run::RunState;

use super::{Record, State, next, unknown};

/// What the elements of one page are stored with.
struct Page<'a> {
    commit: &'a PageCommit,
    plan: PlanId,
    call: CallId,
    /// Keys of this page: their last hash, and whether this pass met them here first.
    in_page: BTreeMap<String, (Hash, bool)>,
    out: PageOutcome,
    due: Vec<Due>,
}

impl State {
    pub(super) fn commit_page(
        &mut self,
        page: PageCommit,
        advance: Advance,
    ) -> Result<PageCommitted, Failure> {
        let run = self.owned(page.run, page.epoch)?;
        let plan = run.plan;
        if !run.windows.iter().any(|w| w.seq == page.seq) {
            return Err(unknown("window"));
        }
        let mut call = 0;
        for c in &page.calls {
            call = self.store_call(Some(plan), Some(page.run), c.clone());
        }
        let mut work = Page {
            commit: &page,
            plan,
            call,
            in_page: BTreeMap::new(),
            out: PageOutcome::default(),
            due: Vec::new(),
        };
        for element in &page.elements {
            self.element(&mut work, element);
        }
        let Page { out: outcome, due, .. } = work;
        let step = advance(&outcome);
        let returned = page.elements.len() as u64 - outcome.repeated;

        let run = self.owned(page.run, page.epoch)?;
        let c = &mut run.counts;
        c.source.calls += page.calls.len() as u64;
        c.source.retried += u64::from(page.retried);
        c.source.throttled += u64::from(page.throttled);
        c.source.pages += 1;
        c.source.returned += returned;
        c.source.repeated += outcome.repeated;
        c.records.add(&outcome.records);
        c.newly_rejected += outcome.newly_rejected;
        c.target.superseded += outcome.superseded;
        c.target.in_doubt += outcome.in_doubt;
        run.problems.extend(step.problems.iter().cloned());
        let window = run.windows.iter_mut().find(|w| w.seq == page.seq).ok_or_else(|| unknown("window"))?;
        window.walk.clone_from(&step.walk);
        window.report.returned += returned;
        window.report.records.add(&outcome.records);
        window.report.total = step.total.or(window.report.total);
        if let Some(close) = &step.close {
            window.closed = true;
            window.report.complete = close.complete;
            window.report.balanced = close.complete && window.report.returned == window.report.records.sum();
            if let (Some(to), Some(plan)) = (close.watermark, self.plans.get_mut(&plan)) {
                plan.watermark = plan.watermark.max(Some(to));
            }
        }
        Ok(PageCommitted { outcome, step, due, call })
    }

    /// Elements that no run of the plan brings: a page without a walk.
    pub(super) fn put(&mut self, put: StoredPut) -> Result<PageOutcome, Failure> {
        self.owned(put.by.0, put.by.1)?;
        let plan = self.plan(&put.plan, &put.uuid, put.now).id;
        let call = self.store_call(Some(plan), None, put.call);
        // No window of a run has this mark, and no other put.
        let commit = PageCommit {
            run: -call,
            epoch: 0,
            seq: 0,
            pass: 0,
            calls: Vec::new(),
            retried: 0,
            throttled: 0,
            body: put.body,
            packed: Packed::default(),
            elements: put.elements,
            policy: put.policy,
            hand_over: 0,
            name_news: 0,
            now: put.now,
        };
        let mut work = Page {
            commit: &commit,
            plan,
            call,
            in_page: BTreeMap::new(),
            out: PageOutcome::default(),
            due: Vec::new(),
        };
        for element in &commit.elements {
            self.element(&mut work, element);
        }
        let out = work.out;
        if let Some(run) = self.runs.values_mut().find(|r| r.plan == plan && r.state == RunState::Open) {
            run.counts.waiting_before += out.records.new + out.records.changed;
            run.counts.target.superseded += out.superseded;
            run.counts.target.in_doubt += out.in_doubt;
        }
        Ok(out)
    }

    fn element(&mut self, page: &mut Page<'_>, e: &Element) {
        let key = match (&e.id, &e.verdict) {
            (Some(id), Verdict::Keep | Verdict::Filtered(_)) => id.clone(),
            _ => e.hash.iter().fold("#".to_owned(), |key, b| key + &format!("{b:02x}")),
        };
        let mark = (page.commit.run, page.commit.seq, page.commit.pass);
        let row = self.keys.get(&(page.plan, key.clone())).copied();
        let mut record = row.and_then(|r| self.records.get(&r)).cloned();
        let met = record.as_ref().is_some_and(|r| r.seen == mark);
        let before = page.in_page.get(&key).copied();
        page.in_page.insert(key.clone(), (e.hash, before.map_or(!met, |b| b.1)));
        let clash = before.is_some_and(|(other, _)| other != e.hash);
        if clash {
            page.out.clashes += 1;
            if page.out.clash_ids.len() < 5 && !page.out.clash_ids.contains(&key) {
                page.out.clash_ids.push(key.clone());
            }
        }
        if e.head && before.is_some_and(|(_, fresh)| fresh) {
            page.out.surplus += 1;
        }
        if !met {
            page.out.fresh += u64::from(e.head);
        } else if !clash && record.as_ref().is_some_and(|r| r.hash != e.hash) {
            page.out.flaps += 1;
        }
        let seen_in_window = record.as_ref().is_some_and(|r| (r.seen.0, r.seen.1) == (mark.0, mark.1));
        if let Some(r) = &mut record {
            r.seen = mark;
        }
        match &e.verdict {
            Verdict::Keep => self.keep(page, e, key, row, record, seen_in_window, clash),
            Verdict::Filtered(rule) => {
                if seen_in_window {
                    page.out.repeated += 1;
                } else {
                    page.out.records.filtered += 1;
                }
                let why = (RecordState::Filtered, "HL-7012", rule.as_str());
                self.left_out(page, e, key, row, record, seen_in_window, why);
            }
            Verdict::Rejected(code, reason) => {
                if seen_in_window {
                    page.out.repeated += 1;
                } else {
                    page.out.records.rejected += 1;
                    page.out.newly_rejected += u64::from(row.is_none());
                }
                let why = (RecordState::Rejected, code.as_str(), reason.as_str());
                self.left_out(page, e, key, row, record, seen_in_window, why);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one element and what is known of it")]
    fn keep(
        &mut self,
        page: &mut Page<'_>,
        e: &Element,
        key: String,
        row: Option<RowId>,
        record: Option<Record>,
        seen_in_window: bool,
        clash: bool,
    ) {
        let known = record.as_ref().map(|r| Known {
            hash: r.hash,
            state: r.state,
            stamp: r.stamp.clone(),
            seen_in_window,
            hash_of_older: r.older.iter().any(|v| v.hash == e.hash),
            collides: r.collides,
        });
        let decision = decide(known.as_ref(), &e.hash, e.stamp.as_deref(), page.commit.policy);
        let became_due = matches!(decision, Decision::New | Decision::Changed);
        if became_due && page.out.news.len() < page.commit.name_news {
            let changed = decision == Decision::Changed;
            page.out.news.push(News { id: key.clone(), changed, stamp: e.stamp.clone() });
        }
        let handed = page.due.len() < page.commit.hand_over;
        let due_state = if handed { RecordState::Queued } else { RecordState::Waiting };
        let row = row.unwrap_or_else(|| next(&self.records));
        let record = match (decision, record) {
            (Decision::Unchanged, Some(mut r)) => {
                page.out.records.unchanged += 1;
                r.collides |= clash;
                r
            }
            (Decision::Repeated, Some(mut r)) => {
                page.out.repeated += 1;
                r.collides |= clash;
                r
            }
            (Decision::Changed, Some(mut r)) => {
                page.out.records.changed += 1;
                let unwritten = matches!(r.state, RecordState::Waiting | RecordState::Queued);
                r.older.push(VersionRow {
                    version: r.version,
                    state: (!unwritten).then_some(r.state),
                    hash: r.hash,
                    changed_at: r.changed_at,
                    written_at: r.written_at,
                    source_call: r.source_call,
                    write_call: r.write_call,
                    content: r.content.take(),
                });
                if unwritten {
                    page.out.superseded += 1;
                }
                if r.state == RecordState::InDoubt {
                    // Stored, and sent only when the doubt is resolved.
                    page.out.in_doubt += 1;
                } else {
                    r.state = due_state;
                    (r.code, r.reason, r.write_call) = (None, None, None);
                }
                r.version += 1;
                r.number.clone_from(&e.number);
                r.hash = e.hash;
                r.content = Some(e.content.clone());
                r.stamp = e.stamp.clone().or(r.stamp);
                r.collides |= clash;
                r.attempts = 0;
                r.source_call = Some(page.call);
                r.changed_at = page.commit.now;
                (r.written_at, r.response) = (None, None);
                r
            }
            (_, earlier) => {
                page.out.records.new += 1;
                Record {
                    state: due_state,
                    content: Some(e.content.clone()),
                    stamp: e.stamp.clone(),
                    version: earlier.as_ref().map_or(1, |r| r.version),
                    first_seen: earlier.as_ref().map_or(page.commit.now, |r| r.first_seen),
                    collides: earlier.as_ref().is_some_and(|r| r.collides),
                    ..self.fresh(page, e, &key)
                }
            }
        };
        if became_due && record.state == RecordState::Queued {
            let content = e.content.clone();
            page.due.push(Due { row, id: key.clone(), version: record.version, attempts: 0, content });
        }
        self.keys.insert((page.plan, key), row);
        self.records.insert(row, record);
    }

    fn fresh(&self, page: &Page<'_>, e: &Element, key: &str) -> Record {
        Record {
            plan: page.plan,
            key: key.to_owned(),
            keyed: true,
            number: e.number.clone(),
            hash: e.hash,
            version: 1,
            state: RecordState::Waiting,
            content: None,
            stamp: None,
            seen: (page.commit.run, page.commit.seq, page.commit.pass),
            collides: false,
            attempts: 0,
            source_call: Some(page.call),
            write_call: None,
            first_seen: page.commit.now,
            changed_at: page.commit.now,
            written_at: None,
            code: None,
            reason: None,
            response: None,
            writeback: None,
            older: Vec::new(),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one element and what is known of it")]
    fn left_out(
        &mut self,
        page: &Page<'_>,
        e: &Element,
        key: String,
        row: Option<RowId>,
        record: Option<Record>,
        seen_in_window: bool,
        (state, code, reason): (RecordState, &str, &str),
    ) {
        let known = record.is_some();
        let mut record = record.unwrap_or_else(|| Record {
            state,
            keyed: state == RecordState::Filtered && e.id.is_some(),
            ..self.fresh(page, e, &key)
        });
        // A stored record keeps its content and state when a condition leaves it out now.
        let ours = matches!(record.state, RecordState::Filtered | RecordState::Rejected);
        if ours && !(known && seen_in_window) {
            record.hash = e.hash;
            record.code = Some(code.to_owned());
            record.reason = Some(reason.to_owned());
        }
        let row = row.unwrap_or_else(|| next(&self.records));
        self.keys.insert((page.plan, key), row);
        self.records.insert(row, record);
    }
}
