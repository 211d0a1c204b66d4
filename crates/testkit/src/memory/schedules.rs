//! Ticks that have been answered.

use async_trait::async_trait;
use heliu_model::ports::*;
use heliu_model::{Failure, Ts};

use super::{MemoryLedger, State};

impl State {
    /// Marks a tick as answered by the run that is being opened, and that run as owed until it is heard of again.
    pub(super) fn begin_tick(&mut self, plan: PlanId, tick: Option<Tick>, now: Ts) {
        let Some(tick) = tick else { return };
        let (_, state) = self.ticks.entry((plan, tick.trigger)).or_insert_with(|| {
            let trigger = tick.trigger;
            (String::new(), TickState { plan, trigger, answered: tick.at, owed: None, failures: 0 })
        });
        state.answered = state.answered.max(tick.at);
        state.owed = Some(now);
    }
}

#[async_trait]
impl Schedules for MemoryLedger {
    async fn timetable(&self, lines: &[TimetableLine], now: Ts) -> Result<Vec<TickState>, Failure> {
        let mut ledger = self.lock();
        let mut out = Vec::new();
        for line in lines {
            let trigger = line.trigger;
            let moved = |p: &PlanRow| p.name != line.plan && p.uuid == line.uuid;
            if line.words.is_empty() && ledger.plans.values().any(moved) {
                out.push(TickState { plan: 0, trigger, answered: now, owed: None, failures: 0 });
                continue;
            }
            let plan = ledger.plan(&line.plan, &line.uuid, now).id;
            let (words, state) = ledger.ticks.entry((plan, trigger)).or_insert_with(|| {
                (line.words.clone(), TickState { plan, trigger, answered: now, owed: None, failures: 0 })
            });
            if *words != line.words {
                words.clone_from(&line.words);
                state.failures = 0;
                state.answered = state.answered.max(now);
                if line.words.is_empty() {
                    state.owed = None;
                }
            }
            out.push(state.clone());
        }
        Ok(out)
    }

    async fn answer(&self, answers: &[TickAnswer]) -> Result<(), Failure> {
        let mut ledger = self.lock();
        for answer in answers {
            let Some((_, state)) = ledger.ticks.get_mut(&(answer.plan, answer.trigger)) else { continue };
            state.answered = state.answered.max(answer.upto.unwrap_or(state.answered));
            state.owed = answer.owed;
            state.failures = answer.failures;
        }
        Ok(())
    }

    async fn tick_states(&self, plan: PlanId) -> Result<Vec<TickState>, Failure> {
        Ok(self.lock().ticks.values().map(|(_, s)| s).filter(|s| s.plan == plan).cloned().collect())
    }
}
