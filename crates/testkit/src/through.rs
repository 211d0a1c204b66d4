//! A ledger seen through something: opened anew for each call, slowed down, failing, or made to cheat.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use heliu_model::alert::{Alert, Notice};
use heliu_model::budget::{Limits, Throttle, Usage};
use heliu_model::ports::*;
use heliu_model::{Call, Failure, Ts};

use crate::MemoryLedger;
use crate::clock::Held;

/// Everything that one store offers.
pub trait Store: Ledger + Schedules + Tokens + Budget + Alerts {}
impl<T: Ledger + Schedules + Tokens + Budget + Alerts + ?Sized> Store for T {}

/// What happens around every call of a port. An `Err` is what the caller gets instead of the answer.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Before the call has any effect.
    async fn before(&self, _op: &'static str) -> Result<(), Failure> {
        Ok(())
    }
    /// Kept while the call is under way, and dropped with it when nobody waits for it any longer.
    fn under_way(&self) -> Option<Held> {
        None
    }
    /// After its effect, before the caller learns of it.
    async fn after(&self, _op: &'static str) -> Result<(), Failure> {
        Ok(())
    }
}

/// Lets everything pass.
pub struct Open;

impl Gate for Open {}

/// A rule of the ledger that is broken on purpose, to see whether anybody notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cheat {
    /// Whoever comes with an old epoch is let in.
    NoEpoch,
    /// The watermark moves when the first page is stored.
    EarlyWatermark,
    /// Announced writes are not remembered.
    NoIntent,
    /// A settlement counts for whatever version is current.
    NoVersions,
    /// What a written record leaves behind is stored in a call of its own, after the settlement.
    LeftApart,
}

/// Finds the store for each call.
pub type Opener = Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// A ledger behind a gate.
pub struct Through {
    open: Opener,
    gate: Arc<dyn Gate>,
    cheat: Option<(Cheat, MemoryLedger)>,
}

impl Through {
    /// Every call goes to what `open` gives at that moment.
    pub fn opening(open: impl Fn() -> Arc<dyn Store> + Send + Sync + 'static) -> Self {
        Through { open: Box::new(open), gate: Arc::new(Open), cheat: None }
    }

    /// Calls to `ledger` pass `gate`.
    pub fn gated(ledger: &MemoryLedger, gate: Arc<dyn Gate>, cheat: Option<Cheat>) -> Self {
        let (one, other) = (ledger.clone(), ledger.clone());
        Through { open: Box::new(move || Arc::new(one.clone())), gate, cheat: cheat.map(|c| (c, other)) }
    }

    /// Calls to `store` pass `gate`.
    pub fn over(store: Arc<dyn Store>, gate: Arc<dyn Gate>) -> Self {
        Through { open: Box::new(move || store.clone()), gate, cheat: None }
    }

    fn cheats(&self, cheat: Cheat) -> Option<&MemoryLedger> {
        self.cheat.as_ref().filter(|(c, _)| *c == cheat).map(|(_, ledger)| ledger)
    }

    /// The epoch that will be believed.
    fn epoch(&self, run: RunId, epoch: i64) -> i64 {
        self.cheats(Cheat::NoEpoch).and_then(|l| l.epoch(run)).unwrap_or(epoch)
    }
}

/// One call: gate, store, gate.
macro_rules! pass {
    ($self:ident, $name:ident($($arg:expr),*)) => {{
        $self.gate.before(stringify!($name)).await?;
        let under_way = $self.gate.under_way();
        let answer = ($self.open)().$name($($arg),*).await;
        drop(under_way);
        $self.gate.after(stringify!($name)).await?;
        answer
    }};
}

#[async_trait]
impl Ledger for Through {
    async fn plan(&self, name: &str, uuid: &str, now: Ts) -> Result<PlanRow, Failure> {
        pass!(self, plan(name, uuid, now))
    }

    async fn find_plan(&self, name: &str) -> Result<Option<PlanRow>, Failure> {
        pass!(self, find_plan(name))
    }

    async fn set_watermark(&self, plan: PlanId, at: Ts, by: &str, now: Ts) -> Result<(), Failure> {
        pass!(self, set_watermark(plan, at, by, now))
    }

    async fn open_run(&self, open: OpenRun) -> Result<RunOpening, Failure> {
        pass!(self, open_run(open))
    }

    async fn heartbeat(&self, run: RunId, epoch: i64, until: Ts) -> Result<(), Failure> {
        let epoch = self.epoch(run, epoch);
        pass!(self, heartbeat(run, epoch, until))
    }

    async fn commit_page(&self, mut page: PageCommit, advance: Advance) -> Result<PageCommitted, Failure> {
        page.epoch = self.epoch(page.run, page.epoch);
        if let Some(ledger) = self.cheats(Cheat::EarlyWatermark) {
            ledger.move_watermark_of(page.run, page.seq);
        }
        pass!(self, commit_page(page, advance))
    }

    async fn save_calls(
        &self,
        run: Option<RunId>,
        calls: Vec<Call>,
        retried: u32,
        throttled: u32,
    ) -> Result<Vec<CallId>, Failure> {
        pass!(self, save_calls(run, calls, retried, throttled))
    }

    async fn claim(&self, mut claim: Claim) -> Result<Vec<Due>, Failure> {
        claim.epoch = self.epoch(claim.run, claim.epoch);
        pass!(self, claim(claim))
    }

    async fn announce(&self, mut announce: Announce) -> Result<i64, Failure> {
        announce.epoch = self.epoch(announce.run, announce.epoch);
        if self.cheats(Cheat::NoIntent).is_some() {
            announce.members.clear();
        }
        pass!(self, announce(announce))
    }

    async fn settle(&self, mut settle: Settle) -> Result<(), Failure> {
        settle.epoch = self.epoch(settle.run, settle.epoch);
        if let Some(put) = &mut settle.left.passed {
            put.by.1 = settle.epoch;
        }
        if let Some(ledger) = self.cheats(Cheat::NoVersions) {
            for (row, version, _) in &mut settle.outcomes {
                *version = ledger.version(*row).unwrap_or(*version);
            }
        }
        if self.cheats(Cheat::LeftApart).is_some() {
            let left = std::mem::take(&mut settle.left);
            let Settle { run, epoch, max_attempts, now, .. } = settle;
            let (calls, outcomes) = (Vec::new(), Vec::new());
            pass!(self, settle(settle))?;
            let later = Settle { run, epoch, intent: None, calls, outcomes, left, max_attempts, now };
            return pass!(self, settle(later));
        }
        pass!(self, settle(settle))
    }

    async fn intent_rows(&self, run: RunId, epoch: i64, intent: i64) -> Result<Vec<Due>, Failure> {
        let epoch = self.epoch(run, epoch);
        pass!(self, intent_rows(run, epoch, intent))
    }

    async fn close_run(&self, mut close: CloseRun) -> Result<RunRow, Failure> {
        close.epoch = self.epoch(close.run, close.epoch);
        pass!(self, close_run(close))
    }

    async fn runs(&self, plan: PlanId, limit: usize) -> Result<Vec<RunRow>, Failure> {
        pass!(self, runs(plan, limit))
    }

    async fn run(&self, plan: PlanId, ulid: &str) -> Result<Option<RunRow>, Failure> {
        pass!(self, run(plan, ulid))
    }

    async fn state_counts(&self, plan: PlanId) -> Result<StateCounts, Failure> {
        pass!(self, state_counts(plan))
    }

    async fn records(&self, plan: PlanId, filter: RecordFilter) -> Result<Vec<RecordRow>, Failure> {
        pass!(self, records(plan, filter))
    }

    async fn story(&self, plan: PlanId, id: &str) -> Result<Option<RecordStory>, Failure> {
        pass!(self, story(plan, id))
    }

    async fn contents(&self, rows: &[RowId]) -> Result<Vec<(RowId, Bytes)>, Failure> {
        pass!(self, contents(rows))
    }

    async fn put_back(&self, plan: PlanId, rows: &[RowId], now: Ts) -> Result<u64, Failure> {
        pass!(self, put_back(plan, rows, now))
    }

    async fn calls(&self, plan: PlanId, filter: CallFilter) -> Result<Vec<CallRow>, Failure> {
        pass!(self, calls(plan, filter))
    }

    async fn call(&self, id: CallId) -> Result<Option<CallRow>, Failure> {
        pass!(self, call(id))
    }

    async fn prune(&self, keep: &Retention, at: PruneAt) -> Result<PruneStep, Failure> {
        pass!(self, prune(keep, at))
    }

    async fn begin_retention(&self, now: Ts, every_ms: Option<i64>) -> Result<Option<PruneAt>, Failure> {
        pass!(self, begin_retention(now, every_ms))
    }

    async fn mark_retention(&self, now: Ts, next: Option<PruneAt>, done: &PruneStep) -> Result<(), Failure> {
        pass!(self, mark_retention(now, next, done))
    }

    async fn last_retention(&self) -> Result<Option<RetentionRow>, Failure> {
        pass!(self, last_retention())
    }
}

#[async_trait]
impl Schedules for Through {
    async fn timetable(&self, lines: &[TimetableLine], now: Ts) -> Result<Vec<TickState>, Failure> {
        pass!(self, timetable(lines, now))
    }

    async fn answer(&self, answers: &[TickAnswer]) -> Result<(), Failure> {
        pass!(self, answer(answers))
    }

    async fn tick_states(&self, plan: PlanId) -> Result<Vec<TickState>, Failure> {
        pass!(self, tick_states(plan))
    }
}

#[async_trait]
impl Alerts for Through {
    async fn observe(&self, seen: &Observation, now: Ts) -> Result<Observed, Failure> {
        pass!(self, observe(seen, now))
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, Failure> {
        pass!(self, alerts(filter))
    }

    async fn close_alert(&self, id: i64, now: Ts) -> Result<bool, Failure> {
        pass!(self, close_alert(id, now))
    }

    async fn take_notices(
        &self,
        channel: &str,
        now: Ts,
        until: Ts,
        limit: usize,
    ) -> Result<Vec<Notice>, Failure> {
        pass!(self, take_notices(channel, now, until, limit))
    }

    async fn settle_notices(&self, ids: &[i64], what: Sending) -> Result<(), Failure> {
        pass!(self, settle_notices(ids, what))
    }
}

#[async_trait]
impl Tokens for Through {
    async fn load(&self, credential: &str) -> Result<Option<TokenRow>, Failure> {
        pass!(self, load(credential))
    }

    async fn adopt(
        &self,
        credential: &str,
        pair: &TokenPair,
        origin: &str,
        now: Ts,
    ) -> Result<TokenRow, Failure> {
        pass!(self, adopt(credential, pair, origin, now))
    }

    async fn begin_refresh(
        &self,
        credential: &str,
        generation: u64,
        owner: &str,
        now: Ts,
        stale_ms: u64,
    ) -> Result<RefreshStart, Failure> {
        pass!(self, begin_refresh(credential, generation, owner, now, stale_ms))
    }

    async fn end_refresh(
        &self,
        credential: &str,
        owner: &str,
        pair: Option<&TokenPair>,
        needs_authorisation: bool,
        event: &TokenEvent,
    ) -> Result<Option<TokenRow>, Failure> {
        pass!(self, end_refresh(credential, owner, pair, needs_authorisation, event))
    }

    async fn history(&self, credential: &str, limit: usize) -> Result<Vec<TokenEvent>, Failure> {
        pass!(self, history(credential, limit))
    }
}

#[async_trait]
impl Budget for Through {
    async fn reserve(
        &self,
        credential: &str,
        limits: &Limits,
        owner: &str,
        now: Ts,
    ) -> Result<Slot, Failure> {
        pass!(self, reserve(credential, limits, owner, now))
    }

    async fn release(&self, slot: i64, now: Ts) -> Result<(), Failure> {
        pass!(self, release(slot, now))
    }

    async fn hold(&self, credential: &str, until: Ts) -> Result<(), Failure> {
        pass!(self, hold(credential, until))
    }

    async fn slow(&self, credential: &str, limits: &Limits, told: &Throttle, now: Ts) -> Result<Ts, Failure> {
        pass!(self, slow(credential, limits, told, now))
    }

    async fn usage(&self, credential: Option<&str>, now: Ts) -> Result<Vec<Usage>, Failure> {
        pass!(self, usage(credential, now))
    }
}
