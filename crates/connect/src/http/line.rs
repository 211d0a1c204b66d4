//! The line of those who wait for a budget: the plan that was served longest ago goes next, and within a plan whoever
//! came first.
//!
//! Plans that always wait take turns so; a plan that reads page by page, and is therefore seldom there, goes ahead of
//! those that were served while it was away. A burst would be used up before it comes back, so turns keep a distance
//! while several plans are at work.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heliu_model::ports::Clock;
use tokio::sync::oneshot;

/// A plan that was served within this time (ms) is at work: it will be back.
const AT_WORK_MS: u64 = 1_000;

/// Asks before all others: what belongs to no plan, a token above all, for everybody waits for it.
pub(super) const FIRST: &str = "";

/// See the module.
pub(super) struct Line {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Somebody has the turn; else nobody waits.
    busy: bool,
    /// Turns given.
    turns: u64,
    /// When the last turn ended.
    ended: Option<u64>,
    plans: HashMap<Arc<str>, Plan>,
    /// Above this number it is looked whether some can be forgotten.
    room: usize,
    /// Plans that wait, those served longest ago first.
    ready: BTreeSet<(u64, Arc<str>)>,
}

#[derive(Default)]
struct Plan {
    /// Its latest turn, and when that was.
    turn: u64,
    at: Option<u64>,
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
}

impl State {
    fn take(&mut self, plan: &Arc<str>) {
        self.busy = true;
        self.turns += 1;
        if &**plan != FIRST {
            self.plans.entry(plan.clone()).or_default().turn = self.turns;
        }
    }

    /// Gives the turn to the next one.
    fn pass_on(&mut self) {
        while let Some((turn, plan)) = self.ready.pop_first() {
            let Some(entry) = self.plans.get_mut(&plan) else { continue };
            let next = entry.waiting.pop_front();
            let more = !entry.waiting.is_empty();
            // Who has gone in the meantime takes no turn.
            let taken = next.is_some_and(|(_, who)| who.send(()).is_ok());
            if taken {
                self.take(&plan);
            }
            if more {
                let turn = self.plans.get(&plan).map_or(turn, |p| p.turn);
                self.ready.insert((turn, plan));
            }
            if taken {
                return;
            }
        }
        self.busy = false;
    }
}

impl Line {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Line> {
        Arc::new(Line { clock, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn. While other plans are at work, `distance` (ms) lies between two turns.
    pub async fn enter(self: &Arc<Line>, plan: &Arc<str>, distance: u64) -> Turn {
        let place = {
            let mut state = self.lock();
            if state.busy {
                let (tell, told) = oneshot::channel();
                state.turns += 1;
                let number = state.turns;
                let entry = state.plans.entry(plan.clone()).or_default();
                entry.waiting.push_back((number, tell));
                let turn = entry.turn;
                state.ready.insert((turn, plan.clone()));
                Some(Place { line: self, plan, number, told: Some(told) })
            } else {
                state.take(plan);
                None
            }
        };
        if let Some(mut place) = place {
            if let Some(told) = &mut place.told {
                // The sender lives in the line until it speaks.
                let _ = told.await;
            }
            place.told = None;
        }
        let turn = Turn { line: self.clone(), plan: plan.clone() };
        if let Some(wait) = self.too_early(plan, distance) {
            self.clock.sleep_ms(wait).await;
        }
        turn
    }

    /// How much of the distance is left, where it has to be kept.
    fn too_early(&self, plan: &Arc<str>, distance: u64) -> Option<u64> {
        let now = self.clock.monotonic_ms();
        let state = self.lock();
        let since = now.saturating_sub(state.ended?);
        let wait = distance.checked_sub(since).filter(|w| *w > 0)?;
        let at_work =
            |p: &Plan| !p.waiting.is_empty() || p.at.is_some_and(|t| now.saturating_sub(t) < AT_WORK_MS);
        let others = state.plans.iter().any(|(name, p)| name != plan && &**name != FIRST && at_work(p));
        (others && &**plan != FIRST).then_some(wait)
    }

    #[cfg(test)]
    pub fn known(&self) -> usize {
        self.lock().plans.len()
    }
}

/// A place in the line, given up when it is dropped.
struct Place<'a> {
    line: &'a Arc<Line>,
    plan: &'a Arc<str>,
    number: u64,
    told: Option<oneshot::Receiver<()>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(told) = &mut self.told else { return };
        let mut state = self.line.lock();
        if told.try_recv().is_ok() {
            // The turn came just now, and nobody is there to take it.
            state.pass_on();
            return;
        }
        if let Some(entry) = state.plans.get_mut(self.plan) {
            entry.waiting.retain(|(n, _)| *n != self.number);
            if entry.waiting.is_empty() {
                let turn = entry.turn;
                state.ready.remove(&(turn, self.plan.clone()));
            }
        }
    }
}

/// The turn; the next one has it when this is dropped.
pub(super) struct Turn {
    line: Arc<Line>,
    plan: Arc<str>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.line.clock.monotonic_ms();
        let mut state = self.line.lock();
        state.ended = Some(now);
        if let Some(entry) = state.plans.get_mut(&self.plan) {
            entry.at = Some(now);
        }
        // Plans come and go; whoever has long been away is forgotten.
        if state.plans.len() > state.room.max(64) {
            state.plans.retain(|_, p| {
                !p.waiting.is_empty() || p.at.is_some_and(|t| now.saturating_sub(t) < 60 * AT_WORK_MS)
            });
            state.room = 2 * state.plans.len();
        }
        state.pass_on();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use heliu_model::Ts;
    use heliu_testkit::ManualClock;

    fn plan(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    /// Whoever gets the turn writes its name down and keeps the turn for `ms`.
    async fn served(
        line: Arc<Line>,
        clock: ManualClock,
        who: Arc<str>,
        ms: u64,
        log: Arc<Mutex<Vec<String>>>,
    ) {
        let turn = line.enter(&who, 0).await;
        log.lock().unwrap().push(who.to_string());
        clock.sleep_ms(ms).await;
        drop(turn);
    }

    #[test]
    fn plans_take_turns_and_within_a_plan_the_first_comes_first() {
        let clock = ManualClock::new(Ts(0));
        let line = Line::new(Arc::new(clock.clone()));
        let log = Arc::new(Mutex::new(Vec::new()));
        clock.run(async {
            let hold = line.enter(&plan("z"), 0).await;
            let mut tasks = Vec::new();
            for who in ["a", "a", "a", "a", "b", "c", "c", FIRST] {
                let job = served(line.clone(), clock.clone(), plan(who), 5, log.clone());
                tasks.push(tokio::spawn(job));
            }
            tokio::task::yield_now().await;
            clock.sleep_ms(1).await;
            drop(hold);
            for t in tasks {
                t.await.unwrap();
            }
        });
        assert_eq!(*log.lock().unwrap(), ["", "a", "b", "c", "a", "c", "a", "a"]);
    }

    #[test]
    fn who_gives_up_holds_nobody_up() {
        let clock = ManualClock::new(Ts(0));
        let line = Line::new(Arc::new(clock.clone()));
        clock.run(async {
            let (a, b) = (plan("a"), plan("b"));
            let hold = line.enter(&a, 0).await;
            // One gives up in line, one just when its turn has come, one stays.
            let mut gone = Box::pin(line.enter(&b, 0));
            let mut late = Box::pin(line.enter(&b, 0));
            let mut stays = Box::pin(line.enter(&b, 0));
            for waiting in [&mut gone, &mut late, &mut stays] {
                assert!(futures_util::poll!(waiting.as_mut()).is_pending());
            }
            drop(gone);
            drop(hold);
            drop(late);
            drop(stays.await);
            let again = line.enter(&a, 0).await;
            drop(again);
        });
    }

    #[test]
    fn turns_keep_their_distance_only_while_others_are_at_work() {
        let clock = ManualClock::new(Ts(0));
        let line = Line::new(Arc::new(clock.clone()));
        clock.run(async {
            let (a, b) = (plan("a"), plan("b"));
            for _ in 0..10 {
                drop(line.enter(&a, 200).await);
            }
            assert_eq!(clock.monotonic_ms(), 0, "alone");
            drop(line.enter(&b, 200).await);
            assert_eq!(clock.monotonic_ms(), 200);
            drop(line.enter(&plan(FIRST), 200).await);
            assert_eq!(clock.monotonic_ms(), 200, "a token waits for nobody");
            drop(line.enter(&a, 200).await);
            assert_eq!(clock.monotonic_ms(), 400);
            clock.sleep_ms(5_000).await;
            for _ in 0..10 {
                drop(line.enter(&a, 200).await);
            }
            assert_eq!(clock.monotonic_ms(), 5_400, "alone again");
        });
    }

    #[test]
    fn plans_of_long_ago_are_forgotten() {
        let clock = ManualClock::new(Ts(0));
        let line = Line::new(Arc::new(clock.clone()));
        clock.run(async {
            for n in 0..10_000 {
                drop(line.enter(&plan(&format!("plan {n}")), 0).await);
                clock.sleep_ms(1_000).await;
            }
        });
        assert!(line.known() < 200, "{}", line.known());
    }
}
