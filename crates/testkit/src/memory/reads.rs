//! What people look at.

use bytes::Bytes;
use heliu_model::Call;
use heliu_model::ports::*;

use super::{Record, State, Stored};

fn at_most(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

fn begins_with(ulid: &str, prefix: &str) -> bool {
    ulid.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

impl State {
    pub(super) fn run_row(&self, id: RunId) -> Option<RunRow> {
        let r = self.runs.get(&id)?;
        Some(RunRow {
            id,
            plan: r.plan,
            ulid: r.ulid.clone(),
            kind: r.kind,
            state: r.state,
            windows: r.windows.iter().map(|w| w.report.clone()).collect(),
            counts: r.counts,
            started: r.started,
            ended: r.ended,
            seconds: r.seconds,
            problems: r.problems.clone(),
            failure: r.failure.clone(),
        })
    }

    pub(super) fn list_runs(&self, plan: PlanId, limit: usize) -> Vec<RunRow> {
        let ids = self.runs.iter().rev().filter(|(_, r)| r.plan == plan).map(|(id, _)| *id);
        ids.take(at_most(limit)).filter_map(|id| self.run_row(id)).collect()
    }

    pub(super) fn find_run(&self, plan: PlanId, ulid: &str) -> Option<RunRow> {
        let mut hits = self.runs.iter().filter(|(_, r)| r.plan == plan && begins_with(&r.ulid, ulid));
        match (hits.next(), hits.next()) {
            (Some((id, _)), None) => self.run_row(*id),
            _ => None,
        }
    }

    fn record_row(row: RowId, r: &Record) -> RecordRow {
        RecordRow {
            row,
            id: r.keyed.then(|| r.key.clone()),
            number: r.number.clone(),
            state: r.state,
            reason: r.reason.clone(),
            code: r.code.clone(),
            version: r.version,
            hash: r.hash,
            first_seen: r.first_seen,
            changed_at: r.changed_at,
            written_at: r.written_at,
            attempts: r.attempts,
            source_call: r.source_call,
            write_call: r.write_call,
            response: r.response.clone(),
            writeback: r.writeback.clone(),
        }
    }

    pub(super) fn list_records(&self, plan: PlanId, f: &RecordFilter) -> Vec<RecordRow> {
        self.records
            .range(f.after + 1..)
            .filter(|(_, r)| r.plan == plan)
            .filter(|(_, r)| f.state.is_none_or(|s| r.state == s))
            .filter(|(_, r)| f.id.as_ref().is_none_or(|id| r.key == *id))
            .filter(|(_, r)| f.number.is_none() || r.number == f.number)
            .take(at_most(f.limit))
            .map(|(row, r)| State::record_row(*row, r))
            .collect()
    }

    pub(super) fn story(&self, plan: PlanId, id: &str) -> Option<RecordStory> {
        let row = *self.keys.get(&(plan, id.to_owned()))?;
        let r = self.records.get(&row)?;
        Some(RecordStory {
            record: State::record_row(row, r),
            content: r.content.clone(),
            versions: r.older.clone(),
        })
    }

    pub(super) fn call_row(&self, id: CallId, stored: &Stored, bodies: bool) -> CallRow {
        let mut call: Call = stored.call.clone();
        if !bodies {
            (call.request_body, call.response_body) = (Bytes::new(), Bytes::new());
        }
        let run = stored.run.and_then(|r| self.runs.get(&r)).map(|r| r.ulid.clone());
        CallRow { id, run, call, pruned: stored.pruned }
    }

    pub(super) fn list_calls(&self, plan: PlanId, f: &CallFilter) -> Vec<CallRow> {
        self.calls
            .iter()
            .rev()
            .filter(|(_, c)| c.plan == Some(plan))
            .map(|(id, c)| self.call_row(*id, c, false))
            .filter(|c| {
                f.run.as_ref().is_none_or(|p| c.run.as_ref().is_some_and(|ulid| begins_with(ulid, p)))
            })
            .filter(|c| f.kind.is_none_or(|k| c.call.kind == k))
            .filter(|c| !f.failed_only || c.call.failure.is_some())
            .take(at_most(f.limit))
            .collect()
    }
}
