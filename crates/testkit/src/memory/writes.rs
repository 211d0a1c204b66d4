//! Claiming, announcing and settling.

use heliu_model::ports::*;
use heliu_model::record::State as RecordState;
use heliu_model::run::{RunState, TargetCounts};
use heliu_model::{Failure, Text};

use super::{Record, State};

impl State {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<Vec<Due>, Failure> {
        self.owned(claim.run, claim.epoch)?;
        let waiting = self
            .of_plan(claim.plan)
            .filter(|(row, r)| r.state == RecordState::Waiting && *row > claim.after)
            .take(claim.max);
        Ok(waiting
            .map(|(row, r)| {
                r.state = RecordState::Queued;
                due(row, r)
            })
            .collect())
    }

    pub(super) fn announce(&mut self, a: Announce) -> Result<i64, Failure> {
        let plan = self.owned(a.run, a.epoch)?.plan;
        self.last_intent += 1;
        let id = self.last_intent;
        self.intents.insert(id, (plan, Intent { id, members: a.members, announced: a.now }));
        Ok(id)
    }

    pub(super) fn intent_rows(&mut self, run: RunId, epoch: i64, intent: i64) -> Result<Vec<Due>, Failure> {
        self.owned(run, epoch)?;
        let members = self.intents.get(&intent).map_or(&[][..], |(_, i)| &i.members);
        Ok(members
            .iter()
            .filter_map(|(row, _)| Some((*row, self.records.get(row)?)))
            .filter(|(_, r)| r.state == RecordState::Queued)
            .map(|(row, r)| due(row, r))
            .collect())
    }

    pub(super) fn settle(&mut self, s: Settle) -> Result<(), Failure> {
        let plan = self.owned(s.run, s.epoch)?.plan;
        let sent = s.calls.len() as u64;
        let mut call = None;
        for c in s.calls {
            call = Some(self.store_call(Some(plan), Some(s.run), c));
        }
        let mut moved = TargetCounts::default();
        for (row, version, outcome) in s.outcomes {
            let Some(record) = self.records.get_mut(&row) else { continue };
            if record.version == version && record.state == RecordState::Queued {
                settle_current(record, outcome, call, s.max_attempts, s.now, &mut moved);
            } else if record.version != version {
                settle_older(record, version, outcome, call, s.now, &mut moved);
            }
        }
        if let Some(intent) = s.intent {
            self.intents.remove(&intent);
        }
        let target = &mut self.owned(s.run, s.epoch)?.counts.target;
        target.calls += sent;
        target.written += moved.written;
        target.failed += moved.failed;
        target.in_doubt += moved.in_doubt;
        for (row, value) in s.left.kept {
            if let Some(record) = self.records.get_mut(&row) {
                record.writeback = Some(value);
            }
        }
        self.owned(s.run, s.epoch)?.problems.extend(s.left.problems);
        s.left.passed.map_or(Ok(()), |put| self.put(StoredPut { now: s.now, ..put }).map(drop))
    }

    pub(super) fn put_back(&mut self, plan: PlanId, rows: &[RowId]) -> u64 {
        let mut n = 0;
        for row in rows {
            let Some(r) = self.records.get_mut(row).filter(|r| r.plan == plan) else { continue };
            let settled =
                matches!(r.state, RecordState::Written | RecordState::Failed | RecordState::InDoubt);
            if settled && r.content.is_some() {
                r.state = RecordState::Waiting;
                r.attempts = 0;
                (r.code, r.reason) = (None, None);
                n += 1;
            }
        }
        // They are due again in the run that is under way.
        if let Some(run) = self.runs.values_mut().find(|r| r.plan == plan && r.state == RunState::Open) {
            run.counts.waiting_before += n;
        }
        n
    }
}

fn due(row: RowId, r: &Record) -> Due {
    Due {
        row,
        id: r.key.clone(),
        version: r.version,
        attempts: r.attempts,
        content: r.content.clone().unwrap_or_default(),
    }
}

fn settle_current(
    r: &mut Record,
    outcome: Outcome,
    call: Option<CallId>,
    max_attempts: u32,
    now: heliu_model::Ts,
    moved: &mut TargetCounts,
) {
    let tried = r.attempts + 1;
    let explain = |r: &mut Record, f: &Failure| {
        r.code = Some(f.code.clone());
        r.reason = Some(reason(f));
    };
    match outcome {
        Outcome::Written(reply) => {
            r.state = RecordState::Written;
            r.written_at = Some(now);
            r.response = reply;
            (r.code, r.reason) = (None, None);
            moved.written += 1;
        }
        Outcome::Failed(f) => {
            r.state = RecordState::Failed;
            explain(r, &f);
            moved.failed += 1;
        }
        Outcome::Waiting(f) if tried >= max_attempts => {
            r.state = RecordState::Failed;
            explain(r, &f);
            moved.failed += 1;
        }
        Outcome::Waiting(f) => {
            r.state = RecordState::Waiting;
            explain(r, &f);
        }
        Outcome::InDoubt(f) => {
            r.state = RecordState::InDoubt;
            explain(r, &f);
            moved.in_doubt += 1;
        }
        Outcome::Released => {
            r.state = RecordState::Waiting;
            r.write_call = call.or(r.write_call);
            return;
        }
    }
    r.attempts = tried;
    r.write_call = call.or(r.write_call);
}

/// A version that a newer one replaced on its way.
fn settle_older(
    r: &mut Record,
    version: u32,
    outcome: Outcome,
    call: Option<CallId>,
    now: heliu_model::Ts,
    moved: &mut TargetCounts,
) {
    let Some(old) = r.older.iter_mut().find(|v| v.version == version) else { return };
    match outcome {
        Outcome::Written(_) => {
            old.state = Some(RecordState::Written);
            old.write_call = call;
            old.written_at = Some(now);
        }
        Outcome::InDoubt(f) => {
            old.state = Some(RecordState::InDoubt);
            old.write_call = call;
            // The doubt is about the record: its newer version is not sent before it is resolved.
            if matches!(r.state, RecordState::Waiting | RecordState::Queued) {
                r.state = RecordState::InDoubt;
                r.code = Some(f.code.clone());
                r.reason = Some(reason(&f));
                moved.in_doubt += 1;
            }
        }
        _ => {}
    }
}

fn reason(f: &Failure) -> String {
    let place = if f.place.is_empty() { String::new() } else { format!(" ({})", f.place) };
    let text = Text { en: format!("{}{place}", f.message.en), zh: format!("{}{place}", f.message.zh) };
    serde_json::to_string(&text).unwrap_or_default()
}
