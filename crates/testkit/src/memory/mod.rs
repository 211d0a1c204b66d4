//! The ledger's ports in memory: maps, one lock, no cleverness.
//!
//! It keeps the same contract as the stores that are shipped and shares none of their code, so that a difference
//! between the two is a finding. Numbers of records by state are counted when they are asked for, never kept.

mod alerts;
mod pages;
mod reads;
mod retention;
mod runs;
mod schedules;
mod tokens;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use heliu_model::ports::*;
use heliu_model::record::{Hash, State as RecordState};
use heliu_model::run::{Counts, RunKind, RunState};
use heliu_model::{Call, Failure, Problem, Ts, text};

/// A ledger in memory. Clones are handles on the same one, as processes are on a file.
#[derive(Clone, Default)]
pub struct MemoryLedger {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    plans: BTreeMap<PlanId, PlanRow>,
    moves: Vec<(PlanId, Ts, Option<Ts>, Ts, String)>,
    runs: BTreeMap<RunId, Run>,
    records: BTreeMap<RowId, Record>,
    keys: BTreeMap<(PlanId, String), RowId>,
    calls: BTreeMap<CallId, Stored>,
    intents: BTreeMap<i64, (PlanId, Intent)>,
    last_intent: i64,
    tokens: BTreeMap<String, tokens::Row>,
    events: Vec<(String, TokenEvent)>,
    slots: BTreeMap<String, Vec<tokens::Taken>>,
    last_slot: i64,
    holds: BTreeMap<String, Ts>,
    paces: BTreeMap<String, heliu_model::budget::Pace>,
    queue: Vec<tokens::Waiter>,
    ticks: BTreeMap<(PlanId, Trigger), (String, TickState)>,
    gone: BTreeSet<String>,
    retention: Option<RetentionRow>,
    alerts: Vec<heliu_model::alert::Alert>,
    notices: Vec<alerts::Pending>,
    last_notice: i64,
}

struct Run {
    ulid: String,
    plan: PlanId,
    kind: RunKind,
    state: RunState,
    started: Ts,
    ended: Option<Ts>,
    seconds: f64,
    owner: String,
    owned_since: Ts,
    epoch: i64,
    lease_until: Ts,
    counts: Counts,
    windows: Vec<OpenWindow>,
    problems: Vec<Problem>,
    failure: Option<Failure>,
}

#[derive(Clone)]
struct Record {
    plan: PlanId,
    key: String,
    keyed: bool,
    number: Option<String>,
    hash: Hash,
    version: u32,
    state: RecordState,
    content: Option<Bytes>,
    stamp: Option<String>,
    /// Run, window and pass that met it last.
    seen: (RunId, u32, u32),
    collides: bool,
    attempts: u32,
    source_call: Option<CallId>,
    write_call: Option<CallId>,
    first_seen: Ts,
    changed_at: Ts,
    written_at: Option<Ts>,
    code: Option<String>,
    reason: Option<String>,
    response: Option<String>,
    writeback: Option<String>,
    older: Vec<VersionRow>,
}

struct Stored {
    plan: Option<PlanId>,
    run: Option<RunId>,
    call: Call,
    pruned: bool,
}

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        MemoryLedger::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that the process that `owner` names is certainly gone: its lease counts no longer.
    pub fn bury(&self, owner: &str) {
        self.lock().gone.insert(owner.to_owned());
    }

    /// Epoch of a run, for tests that cheat.
    pub fn epoch(&self, run: RunId) -> Option<i64> {
        self.lock().runs.get(&run).map(|r| r.epoch)
    }

    /// Current version of a record, for tests that cheat.
    pub fn version(&self, row: RowId) -> Option<u32> {
        self.lock().records.get(&row).map(|r| r.version)
    }

    /// Moves the plan's watermark to the end of a window that is still being read: for tests that cheat.
    pub fn move_watermark_of(&self, run: RunId, seq: u32) {
        let mut state = self.lock();
        let Some(run) = state.runs.get(&run).filter(|r| r.kind == RunKind::Normal) else { return };
        let to = run.windows.iter().find(|w| w.seq == seq).map(|w| w.window.to);
        let plan = run.plan;
        if let Some(plan) = state.plans.get_mut(&plan) {
            plan.watermark = plan.watermark.max(to);
        }
    }

    /// Announced writes without an outcome.
    pub fn open_intents(&self) -> usize {
        self.lock().intents.len()
    }
}

/// The run was taken over or has ended.
fn fenced() -> Failure {
    Failure::internal("HL-6005", text!("another owner has this run", "该运行已由他人接管"))
}

fn unknown(what: &str) -> Failure {
    Failure::internal("HL-6001", text!("there is no such {what}", "没有这样的 {what}"))
}

impl State {
    /// The run, if `epoch` still owns it and it is open.
    fn owned(&mut self, run: RunId, epoch: i64) -> Result<&mut Run, Failure> {
        self.runs.get_mut(&run).filter(|r| r.epoch == epoch && r.state == RunState::Open).ok_or_else(fenced)
    }

    fn of_plan(&mut self, plan: PlanId) -> impl Iterator<Item = (RowId, &mut Record)> {
        self.records.iter_mut().filter(move |(_, r)| r.plan == plan).map(|(row, r)| (*row, r))
    }

    fn counts_of(&self, plan: PlanId) -> StateCounts {
        let mut out = StateCounts::default();
        for r in self.records.values().filter(|r| r.plan == plan) {
            *match r.state {
                RecordState::Waiting => &mut out.waiting,
                RecordState::Queued => &mut out.queued,
                RecordState::Written => &mut out.written,
                RecordState::Filtered => &mut out.filtered,
                RecordState::Rejected => &mut out.rejected,
                RecordState::Failed => &mut out.failed,
                RecordState::InDoubt => &mut out.in_doubt,
            } += 1;
        }
        out
    }

    fn store_call(&mut self, plan: Option<PlanId>, run: Option<RunId>, call: Call) -> CallId {
        let id = next(&self.calls);
        self.calls.insert(id, Stored { plan, run, call, pruned: false });
        id
    }
}

fn next<T>(map: &BTreeMap<i64, T>) -> i64 {
    map.keys().next_back().copied().unwrap_or(0) + 1
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn plan(&self, name: &str, uuid: &str, now: Ts) -> Result<PlanRow, Failure> {
        Ok(self.lock().plan(name, uuid, now))
    }

    async fn find_plan(&self, name: &str) -> Result<Option<PlanRow>, Failure> {
        Ok(self.lock().plans.values().find(|p| p.name == name).cloned())
    }

    async fn set_watermark(&self, plan: PlanId, at: Ts, by: &str, now: Ts) -> Result<(), Failure> {
        self.lock().set_watermark(plan, at, by, now);
        Ok(())
    }

    async fn open_run(&self, open: OpenRun) -> Result<RunOpening, Failure> {
        Ok(self.lock().open_run(open))
    }

    async fn heartbeat(&self, run: RunId, epoch: i64, until: Ts) -> Result<(), Failure> {
        self.lock().owned(run, epoch)?.lease_until = until;
        Ok(())
    }

    async fn commit_page(&self, page: PageCommit, advance: Advance) -> Result<PageCommitted, Failure> {
        self.lock().commit_page(page, advance)
    }

    async fn save_calls(
        &self,
        run: Option<RunId>,
        calls: Vec<Call>,
        retried: u32,
        throttled: u32,
    ) -> Result<Vec<CallId>, Failure> {
        self.lock().save_calls(run, calls, retried, throttled)
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, Failure> {
        self.lock().claim(&claim)
    }

    async fn announce(&self, announce: Announce) -> Result<i64, Failure> {
        self.lock().announce(announce)
    }

    async fn settle(&self, settle: Settle) -> Result<(), Failure> {
        self.lock().settle(settle)
    }

    async fn intent_rows(&self, run: RunId, epoch: i64, intent: i64) -> Result<Vec<Due>, Failure> {
        self.lock().intent_rows(run, epoch, intent)
    }

    async fn close_run(&self, close: CloseRun) -> Result<RunRow, Failure> {
        self.lock().close_run(close)
    }

    async fn runs(&self, plan: PlanId, limit: usize) -> Result<Vec<RunRow>, Failure> {
        Ok(self.lock().list_runs(plan, limit))
    }

    async fn run(&self, plan: PlanId, ulid: &str) -> Result<Option<RunRow>, Failure> {
        Ok(self.lock().find_run(plan, ulid))
    }

    async fn state_counts(&self, plan: PlanId) -> Result<StateCounts, Failure> {
        Ok(self.lock().counts_of(plan))
    }

    async fn records(&self, plan: PlanId, filter: RecordFilter) -> Result<Vec<RecordRow>, Failure> {
        Ok(self.lock().list_records(plan, &filter))
    }

    async fn story(&self, plan: PlanId, id: &str) -> Result<Option<RecordStory>, Failure> {
        Ok(self.lock().story(plan, id))
    }

    async fn contents(&self, rows: &[RowId]) -> Result<Vec<(RowId, Bytes)>, Failure> {
        let state = self.lock();
        let content = |row: &RowId| Some((*row, state.records.get(row)?.content.clone()?));
        Ok(rows.iter().filter_map(content).collect())
    }

    async fn put_back(&self, plan: PlanId, rows: &[RowId], _now: Ts) -> Result<u64, Failure> {
        Ok(self.lock().put_back(plan, rows))
    }

    async fn calls(&self, plan: PlanId, filter: CallFilter) -> Result<Vec<CallRow>, Failure> {
        Ok(self.lock().list_calls(plan, &filter))
    }

    async fn call(&self, id: CallId) -> Result<Option<CallRow>, Failure> {
        let state = self.lock();
        Ok(state.calls.get(&id).map(|c| state.call_row(id, c, true)))
    }

    async fn prune(&self, keep: &Retention, at: PruneAt) -> Result<PruneStep, Failure> {
        Ok(self.lock().prune(keep, at))
    }

    async fn begin_retention(&self, now: Ts, every_ms: Option<i64>) -> Result<Option<PruneAt>, Failure> {
        Ok(self.lock().begin_retention(now, every_ms))
    }

    async fn mark_retention(&self, now: Ts, next: Option<PruneAt>, done: &PruneStep) -> Result<(), Failure> {
        self.lock().mark_retention(now, next, done);
        Ok(())
    }

    async fn last_retention(&self) -> Result<Option<RetentionRow>, Failure> {
        Ok(self.lock().retention)
    }
}
