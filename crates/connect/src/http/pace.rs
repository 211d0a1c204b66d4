//! When the next request may go out: in line, within the limits, and no sooner than the platform wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use heliu_model::budget::Limits;
use heliu_model::ports::{Budget, Clock, Slot};
use heliu_model::{Failure, text};
use tokio::sync::OwnedSemaphorePermit;

use super::account::{Account, Ask};
use super::line::{FIRST, Line};

/// Turns of plans that share a minute's budget lie no further apart than this (ms): longer than most answers take, so
/// that a plan which asks for one page after the other is back before its next turn.
const APART_MS: u64 = 250;

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

/// How far apart (ms) turns lie while several plans want them.
fn distance(limits: &Limits) -> u64 {
    let second = limits.requests_per_second.map_or(0, |n| 1_000 / u64::from(n.max(1)));
    let minute = limits.requests_per_minute.map_or(0, |n| 60_000 / u64::from(n.max(1)));
    second.max(minute.min(APART_MS))
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
        if self.limits.timed() {
            pass.slots.push(self.slot(&self.key, &self.limits).await?);
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

    /// Nobody of this account asks before the platform wants it.
    pub(super) async fn hold(&self, f: &Failure, ask: Option<&Ask>) -> Result<(), Failure> {
        let until = self.ports.clock.now().plus_ms(f.retry_after_ms.unwrap_or(1_000) as i64);
        let own = ask.and_then(|a| self.own_limits(a));
        match own {
            Some((key, _)) => self.ports.budget.hold(&key, until).await,
            None if self.limits.timed() => self.ports.budget.hold(&self.key, until).await,
            None => Ok(()),
        }
    }
}
