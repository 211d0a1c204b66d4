//! Plans and runs.

use std::collections::BTreeSet;

use heliu_model::ports::*;
use heliu_model::record::State as RecordState;
use heliu_model::run::{Counts, RecordCounts, RunKind, RunReport, RunState, WindowReport, put_aside};
use heliu_model::{Call, Failure, Ts};

use super::{Run, State, next, unknown};

impl State {
    pub(super) fn plan(&mut self, name: &str, uuid: &str, now: Ts) -> PlanRow {
        let named = self.plans.values().find(|p| p.name == name).map(|p| (p.id, p.uuid == uuid));
        let known = self.plans.values().find(|p| p.uuid == uuid).map(|p| p.id);
        let row = match (named, known) {
            (Some((id, true)), _) | (Some((id, false)), None) | (None, Some(id)) => Some(id),
            (Some((other, false)), Some(id)) => {
                if let Some(other) = self.plans.get_mut(&other) {
                    other.name = format!("{}#{}", other.name, other.id);
                }
                Some(id)
            }
            (None, None) => None,
        };
        if let Some(plan) = row.and_then(|id| self.plans.get_mut(&id)) {
            (plan.name, plan.uuid) = (name.to_owned(), uuid.to_owned());
            return plan.clone();
        }
        let id = next(&self.plans);
        let row =
            PlanRow { id, name: name.to_owned(), uuid: uuid.to_owned(), first_seen: now, watermark: None };
        self.plans.insert(id, row.clone());
        row
    }

    pub(super) fn set_watermark(&mut self, plan: PlanId, at: Ts, by: &str, now: Ts) {
        if let Some(row) = self.plans.get_mut(&plan) {
            self.moves.push((plan, now, row.watermark, at, by.to_owned()));
            row.watermark = Some(at);
        }
    }

    pub(super) fn open_run(&mut self, open: OpenRun) -> RunOpening {
        let known = open.tick.and_then(|t| Some((t, self.ticks.get(&(open.plan, t.trigger))?.1.clone())));
        if let Some((tick, state)) = known
            && tick.at <= state.answered
            && state.owed.is_none_or(|owed| owed > open.now)
        {
            return RunOpening::Answered(state);
        }
        let existing = self
            .runs
            .iter()
            .find(|(_, r)| r.plan == open.plan && r.state == RunState::Open)
            .map(|(id, _)| *id);
        let mut problems = Vec::new();
        if let Some(id) = existing {
            let run = &self.runs[&id];
            if run.lease_until > open.now && !self.gone.contains(&run.owner) {
                return RunOpening::Busy { owner: run.owner.clone(), since: run.owned_since };
            }
            self.begin_tick(open.plan, open.tick, open.now);
            self.release_queued(open.plan);
            self.hold_announced(open.plan);
            let run = self.runs.get_mut(&id).expect("found above");
            run.epoch += 1;
            run.owner = open.owner.clone();
            run.owned_since = open.now;
            run.lease_until = open.lease_until;
            run.ended = None;
            run.failure = None;
            if run.kind == open.kind && open.kind != RunKind::Limited {
                return RunOpening::Owned(Box::new(self.hand_out(id, true)));
            }
            let unread = run.windows.iter().filter(|w| !w.closed).map(|w| w.window);
            problems.extend(put_aside(run.kind, unread));
            self.end(id, RunState::Stopped, open.now);
        }
        self.begin_tick(open.plan, open.tick, open.now);
        self.hold_announced(open.plan);
        let standing = self.counts_of(open.plan);
        let id = next(&self.runs);
        let windows = open.windows.into_iter().enumerate().map(|(seq, (window, walk))| OpenWindow {
            seq: seq as u32,
            window,
            walk,
            closed: false,
            report: WindowReport {
                window,
                complete: false,
                balanced: false,
                total: None,
                returned: 0,
                records: RecordCounts::default(),
            },
        });
        let run = Run {
            ulid: open.ulid,
            plan: open.plan,
            kind: open.kind,
            state: RunState::Open,
            started: open.now,
            ended: None,
            seconds: 0.0,
            owner: open.owner,
            owned_since: open.now,
            epoch: 1,
            lease_until: open.lease_until,
            counts: Counts { waiting_before: standing.waiting + standing.queued, ..Counts::default() },
            windows: windows.collect(),
            problems,
            failure: None,
        };
        self.runs.insert(id, run);
        RunOpening::Owned(Box::new(self.hand_out(id, false)))
    }

    fn hand_out(&self, id: RunId, resumed: bool) -> OwnedRun {
        let run = &self.runs[&id];
        OwnedRun {
            id,
            ulid: run.ulid.clone(),
            kind: run.kind,
            epoch: run.epoch,
            resumed,
            started: run.started,
            windows: run.windows.clone(),
            counts: run.counts,
            intents: self.intents.values().filter(|(p, _)| *p == run.plan).map(|(_, i)| i.clone()).collect(),
            problems: run.problems.clone(),
        }
    }

    fn announced(&self, plan: PlanId) -> BTreeSet<RowId> {
        self.intents
            .values()
            .filter(|(p, _)| *p == plan)
            .flat_map(|(_, i)| i.members.iter().map(|m| m.0))
            .collect()
    }

    /// What was handed out waits again, except what was announced and never settled.
    fn release_queued(&mut self, plan: PlanId) {
        let announced = self.announced(plan);
        for (row, record) in self.of_plan(plan) {
            if record.state == RecordState::Queued && !announced.contains(&row) {
                record.state = RecordState::Waiting;
            }
        }
    }

    /// The doubt about an announced write holds back whatever version of the record is current by now.
    fn hold_announced(&mut self, plan: PlanId) {
        let announced = self.announced(plan);
        for (row, record) in self.of_plan(plan) {
            if record.state == RecordState::Waiting && announced.contains(&row) {
                record.state = RecordState::Queued;
            }
        }
    }

    fn end(&mut self, id: RunId, state: RunState, now: Ts) {
        let Some(plan) = self.runs.get(&id).map(|r| r.plan) else { return };
        let standing = self.counts_of(plan);
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.state = state;
        run.ended = Some(now);
        run.lease_until = Ts(0);
        run.counts.target.waiting = standing.waiting + standing.queued;
    }

    pub(super) fn close_run(&mut self, close: CloseRun) -> Result<RunRow, Failure> {
        let run = self.owned(close.run, close.epoch)?;
        run.problems.extend(close.problems);
        run.failure = close.failure;
        run.seconds += close.seconds;
        let plan = run.plan;
        self.release_queued(plan);
        self.end(close.run, close.state, close.now);
        let row = self.run_row(close.run).ok_or_else(|| unknown("run"))?;
        if close.state == RunState::Done
            && RunReport::from_row("", &row, &self.counts_of(plan)).exit_code() != 0
            && let Some(run) = self.runs.get_mut(&close.run)
        {
            run.state = RunState::Attention;
        }
        self.run_row(close.run).ok_or_else(|| unknown("run"))
    }

    pub(super) fn save_calls(
        &mut self,
        run: Option<RunId>,
        calls: Vec<Call>,
        retried: u32,
        throttled: u32,
    ) -> Result<Vec<CallId>, Failure> {
        let mut plan = None;
        if let Some(id) = run {
            let run = self.runs.get_mut(&id).ok_or_else(|| unknown("run"))?;
            plan = Some(run.plan);
            run.counts.source.calls += calls.len() as u64;
            run.counts.source.retried += u64::from(retried);
            run.counts.source.throttled += u64::from(throttled);
        }
        Ok(calls.into_iter().map(|c| self.store_call(plan, run, c)).collect())
    }
}
