//! Retention, a few things a step.

use std::collections::BTreeSet;

use bytes::Bytes;
use heliu_model::Ts;
use heliu_model::ports::*;
use heliu_model::record::State as RecordState;

use super::State;

/// Calls or contents that one step removes: few, so that rounds are interrupted in the middle of things.
const STEP: usize = 3;

impl State {
    pub(super) fn prune(&mut self, keep: &Retention, at: PruneAt) -> PruneStep {
        match at {
            PruneAt::Calls => self.prune_calls(keep),
            PruneAt::Records(after) => self.prune_records(keep, after),
            PruneAt::Space => PruneStep::default(),
        }
    }

    /// Calls that a record's story names.
    fn named(&self) -> BTreeSet<CallId> {
        let current = self.records.values().flat_map(|r| [r.source_call, r.write_call]);
        let older = self.records.values().flat_map(|r| &r.older).flat_map(|v| [v.source_call, v.write_call]);
        current.chain(older).flatten().collect()
    }

    fn prune_calls(&mut self, keep: &Retention) -> PruneStep {
        let mut step = PruneStep { next: Some(PruneAt::Calls), ..PruneStep::default() };
        let named = self.named();
        let newest = self.calls.keys().next_back().copied();
        let mut order: Vec<(Ts, CallId)> = self.calls.iter().map(|(id, c)| (c.call.started, *id)).collect();
        order.sort_unstable();
        let size = |c: &heliu_model::Call| (c.request_body.len() + c.response_body.len()) as u64;
        let mut left: u64 = self.calls.values().map(|c| size(&c.call)).sum();
        let mut room = STEP;
        for (started, id) in order {
            let Some(stored) = self.calls.get_mut(&id) else { continue };
            let old = keep.calls_before.is_some_and(|t| started < t);
            let goes = old && !named.contains(&id) && newest != Some(id);
            let held = size(&stored.call);
            let heavy = held > 0 && keep.calls_bytes.is_some_and(|most| left > most);
            if !(goes || heavy || (old && !stored.pruned)) {
                continue;
            }
            if room == 0 {
                return step;
            }
            room -= 1;
            left -= held;
            step.freed += held;
            step.bodies += u64::from(!stored.pruned);
            if goes {
                self.calls.remove(&id);
                step.calls += 1;
                continue;
            }
            let call = &mut stored.call;
            (call.request_body, call.response_body) = (Bytes::new(), Bytes::new());
            if old {
                (call.request_headers, call.response_headers) = Default::default();
            }
            stored.pruned = true;
        }
        step.next = Some(PruneAt::Records(0));
        step
    }

    fn prune_records(&mut self, keep: &Retention, after: RowId) -> PruneStep {
        let mut step = PruneStep::default();
        for (row, r) in self.records.range_mut(after + 1..) {
            if step.contents >= STEP as u64 {
                step.next = Some(PruneAt::Records(row - 1));
                return step;
            }
            let Some(before) = keep.records_of(r.plan) else { continue };
            let done = r.state == RecordState::Written && r.written_at.is_some_and(|w| w < before);
            let mut gone = Vec::new();
            if done {
                gone.extend(r.content.take());
            }
            for v in &mut r.older {
                let settled = matches!(v.state, None | Some(RecordState::Written));
                if done || (settled && v.changed_at < before) {
                    gone.extend(v.content.take());
                }
            }
            step.contents += gone.len() as u64;
            step.freed += gone.iter().map(|c| c.len() as u64).sum::<u64>();
        }
        step.next = Some(PruneAt::Space);
        step
    }

    pub(super) fn begin_retention(&mut self, now: Ts, every_ms: Option<i64>) -> Option<PruneAt> {
        let at = RetentionRow::due(self.retention.as_ref(), now, every_ms)?;
        let done = PruneStep { next: Some(at), ..PruneStep::default() };
        self.retention = Some(RetentionRow { started: now, seen: now, ended: None, done });
        Some(at)
    }

    pub(super) fn mark_retention(&mut self, now: Ts, next: Option<PruneAt>, done: &PruneStep) {
        let Some(row) = &mut self.retention else { return };
        row.done.add(&PruneStep { next, ..*done });
        (row.seen, row.ended) = (now, next.is_none().then_some(now));
    }
}
