//! When the next request may go out: in line, within the limits, and no sooner than the platform wants.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use heliu_model::budget::{Limits, Throttle};
use heliu_model::ports::{Budget, Clock, RowResult, Slot};
use heliu_model::{Class, Failure, Ts, text};
use tokio::sync::OwnedSemaphorePermit;

use super::account::{Account, Ask};
use super::client::Reply;
use super::line::{FIRST, Line};
use super::quota::Quota;

/// How often (ms) it is looked whether another process was told to slow down, where no limits are declared.
const LOOK_MS: u64 = 1_000;
/// Over how long (ms) the present speed is measured.
const RATE_MS: u64 = 10_000;
/// As many requests are remembered for it at most.
const RATE_MOST: usize = 10_000;
/// How long (ms) to wait where a throttle answer does not say.
const PAUSE_MS: u64 = 1_000;

/// The lines of a credential: that of the whole, and those of interfaces with limits of their own.
pub(super) struct Lines {
    clock: Arc<dyn Clock>,
    whole: Arc<Line>,
    own: Mutex<HashMap<String, Arc<Line>>>,
}

impl Lines {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Lines> {
        Arc::new(Lines { whole: Line::new(clock.clone()), own: Mutex::default(), clock })
    }

    fn own(&self, key: &str) -> Arc<Line> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.entry(key.to_owned()).or_insert_with(|| Line::new(self.clock.clone())).clone()
    }
}

/// What is seen of a credential without declared limits, so that requests need no ledger while nothing is wrong.
#[derive(Default)]
pub(super) struct Watch(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// When the ledger was asked last.
    looked: Option<u64>,
    slowed: bool,
    /// Requests of late.
    sent: VecDeque<u64>,
}

impl Watch {
    fn with<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A request goes out.
    fn sent(&self, now: u64) {
        self.with(|s| {
            s.sent.push_back(now);
            while s.sent.len() > RATE_MOST || s.sent.front().is_some_and(|t| now.saturating_sub(*t) > RATE_MS)
            {
                s.sent.pop_front();
            }
        });
    }

    /// Requests per minute, measured over the last seconds.
    fn rate(&self, now: u64) -> u32 {
        self.with(|s| {
            let since = s.sent.front().map_or(1_000, |t| now.saturating_sub(*t).max(1_000));
            u32::try_from(s.sent.len() as u64 * 60_000 / since).unwrap_or(u32::MAX).max(60)
        })
    }
}

/// How far apart (ms) turns lie while several plans want them.
fn distance(limits: &Limits) -> u64 {
    u64::try_from(limits.distance()).unwrap_or(0)
}

/// What a request holds until it is over, however it ends: a place among those at the same time, slots of the budget.
pub(super) struct Pass {
    budget: Arc<dyn Budget>,
    clock: Arc<dyn Clock>,
    slots: Vec<i64>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Pass {
    /// The request is over.
    pub(super) async fn over(mut self) -> Result<(), Failure> {
        for slot in std::mem::take(&mut self.slots) {
            self.budget.release(slot, self.clock.now()).await?;
        }
        Ok(())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // The request was given up on its way.
        let slots = std::mem::take(&mut self.slots);
        if !slots.is_empty()
            && let Ok(handle) = tokio::runtime::Handle::try_current()
        {
            let (budget, clock) = (self.budget.clone(), self.clock.clone());
            handle.spawn(async move {
                for slot in slots {
                    if let Err(f) = budget.release(slot, clock.now()).await {
                        tracing::warn!(target: "heliu", "{f}");
                    }
                }
            });
        }
    }
}

impl Account {
    /// Shares the lines of another account on the same credential.
    pub(crate) fn lines_of(&mut self, same: &Account) {
        (self.lines, self.gate) = (same.lines.clone(), same.gate.clone());
    }

    /// Limits of an interface, with the key that they are kept under.
    fn own_limits(&self, ask: &Ask) -> Option<(String, Limits)> {
        let form = &ask.route.api.as_ref().filter(|_| !self.limited)?.form;
        let limits = Limits {
            requests_per_second: form.limits.requests_per_second,
            requests_per_minute: form.limits.requests_per_minute,
            concurrency: None,
        };
        limits.timed().then(|| (format!("{}{}", self.key, form.path), limits))
    }

    /// Waits until one more request keeps the limits, the interface's own and the account's. Without a call it is for
    /// the token, for which everybody waits.
    pub(super) async fn wait_for_budget(&self, ask: Option<&Ask>) -> Result<Pass, Failure> {
        let plan = ask.map_or_else(|| Arc::from(FIRST), |a| a.plan.clone());
        let mut pass = Pass {
            budget: self.ports.budget.clone(),
            clock: self.ports.clock.clone(),
            slots: Vec::new(),
            _place: None,
        };
        // Who waits for an interface stands in nobody's way who wants another one.
        if let Some((key, limits)) = ask.and_then(|a| self.own_limits(a)) {
            let turn = self.lines.own(&key).enter(&plan, distance(&limits)).await;
            pass.slots.push(self.slot(&key, &limits).await?);
            drop(turn);
        }
        let turn = self.lines.whole.enter(&plan, distance(&self.limits)).await;
        if ask.is_some() {
            let place = self.gate.clone().acquire_owned().await.map_err(|e| {
                Failure::internal("HL-3091", text!("the budget is closed: {e}", "额度已关闭:{e}"))
            })?;
            pass._place = Some(place);
        }
        if self.limits.timed() || self.slowed().await? {
            pass.slots.push(self.slot(&self.key, &self.limits).await?);
        }
        if !self.limits.timed() {
            self.watch.sent(self.ports.clock.monotonic_ms());
        }
        drop(turn);
        Ok(pass)
    }

    /// Waits for a slot of the ledger, which other processes want as well.
    async fn slot(&self, key: &str, limits: &Limits) -> Result<i64, Failure> {
        let clock = &self.ports.clock;
        loop {
            match self.ports.budget.reserve(key, limits, &self.ports.owner, clock.now()).await? {
                Slot::Go(slot) => return Ok(slot),
                Slot::Wait(until) => {
                    clock.sleep_ms(u64::try_from(until.0 - clock.now().0).unwrap_or(0)).await;
                }
            }
        }
    }

    /// True when a credential without declared limits has to be careful nevertheless.
    async fn slowed(&self) -> Result<bool, Failure> {
        let clock = &self.ports.clock;
        let now = clock.monotonic_ms();
        let known =
            self.watch.with(|s| s.looked.filter(|t| now.saturating_sub(*t) < LOOK_MS).map(|_| s.slowed));
        if let Some(known) = known {
            return Ok(known);
        }
        let usage = self.ports.budget.usage(Some(&self.key), clock.now()).await?;
        let slowed = usage.iter().any(|u| u.held.is_some() || u.pace.is_some());
        self.watch.with(|s| (s.looked, s.slowed) = (Some(now), slowed));
        Ok(slowed)
    }

    /// Everybody slows down who shares the budget, in all processes; the failure tells when the next one may go.
    async fn throttled(&self, f: &mut Failure, begun: Ts, ask: Option<&Ask>) -> Result<(), Failure> {
        let clock = &self.ports.clock;
        let now = clock.now();
        let wait = f.retry_after_ms.unwrap_or(PAUSE_MS);
        let rate = self.watch.rate(clock.monotonic_ms());
        let told = Throttle { begun, until: now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX)), rate };
        let own = ask.and_then(|a| self.own_limits(a));
        let (key, limits) = own.unwrap_or_else(|| (self.key.clone(), self.limits));
        let next = self.ports.budget.slow(&key, &limits, &told, now).await?;
        self.careful();
        f.retry_after_ms = Some(wait.max(u64::try_from(next.0 - now.0).unwrap_or(0)));
        Ok(())
    }

    /// From now on the ledger is asked before each request.
    fn careful(&self) {
        let now = self.ports.clock.monotonic_ms();
        self.watch.with(|s| (s.looked, s.slowed) = (Some(now), true));
    }

    /// Heeds a throttle answer to a request that was sent at `begun`.
    pub(super) async fn heed<T>(
        &self,
        result: &mut Result<T, Failure>,
        begun: Ts,
        ask: Option<&Ask>,
    ) -> Result<(), Failure> {
        match result {
            Err(f) if f.class == Class::RateLimited => self.throttled(f, begun, ask).await,
            _ => Ok(()),
        }
    }

    /// Heeds throttle answers about records of a batch.
    pub(super) async fn heed_rows(
        &self,
        rows: &mut [RowResult],
        begun: Ts,
        ask: &Ask,
    ) -> Result<(), Failure> {
        for row in rows {
            if let RowResult::Waiting(f) = row
                && f.class == Class::RateLimited
            {
                self.throttled(f, begun, Some(ask)).await?;
            }
        }
        Ok(())
    }

    /// Nobody asks while the platform's own count says that nothing is left.
    pub(super) async fn brake(&self, reply: &Reply) -> Result<(), Failure> {
        let now = self.ports.clock.now();
        let quota = Quota::of(reply, &self.manifest.form.reply, now);
        if let Some(until) = quota.and_then(|q| q.brake(now)) {
            self.ports.budget.hold(&self.key, until).await?;
            self.careful();
        }
        Ok(())
    }
}
