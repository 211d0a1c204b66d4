//! What is to be started when: a pure decision over the time and what has been answered.

mod line;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use heliu_model::Ts;
use heliu_model::ports::{PlanId, Tick, TickAnswer, TickState, Trigger};
use heliu_model::retry::requeue_ms;
use heliu_model::schedule::{Missed, jitter_ms};

use self::line::Line;
use super::times::{PlanTimes, circle};
use crate::alerts::Overdue;

/// A tick older than this (ms) when it is looked at was missed, not only noticed late.
const GRACE_MS: i64 = 30_000;
/// After a failure that no repetition can mend, the next missed tick waits this long (ms).
const HOPELESS_MS: i64 = 60_000;
/// A plan that somebody else is running is tried again after this long (ms).
const BUSY_MS: i64 = 5_000;

/// A run to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Plan file's stem.
    pub plan: String,
    /// The plan's number in the ledger.
    pub id: PlanId,
    /// The tick it answers.
    pub tick: Tick,
    /// The instant at which it was to start: tick and jitter, or when it was owed.
    pub at: Ts,
    /// The run's windows end as if it had started then.
    pub as_of: Option<Ts>,
    /// Missed ticks that this run answers as well.
    pub passed_over: u64,
    /// Each side of the plan has its own schedule: this run is for one side only.
    pub split: bool,
}

/// How a run that was started ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It went through.
    Done,
    /// It went through, but it was an interrupted one whose windows ended before the tick: once more.
    Again,
    /// It could not finish for a passing reason.
    Failed,
    /// It could not finish and no repetition can mend it.
    Hopeless,
    /// Somebody else is running the plan.
    Busy,
    /// Somebody else has answered the tick.
    Answered,
    /// The service stops: what is left is owed.
    Stopped,
}

/// Ticks that were missed and are not made up for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedTicks {
    /// Plan.
    pub plan: String,
    /// What would have been started.
    pub trigger: Trigger,
    /// How many.
    pub missed: u64,
}

#[derive(Debug)]
struct Entry {
    times: PlanTimes,
    id: PlanId,
    lines: Vec<Line>,
    /// A run is under way; the share under which it was started.
    running: Option<String>,
    /// The tick that it answers.
    under: Option<Tick>,
    /// Its place among the ready ones.
    ready: Option<Rank>,
    /// The file is gone; kept until its run has ended.
    gone: bool,
}

/// Order of those that wait for a worker: priority, then who has waited longest.
type Rank = (Reverse<i64>, Ts, usize);

/// The agenda of all plans.
#[derive(Debug)]
pub struct Agenda {
    plans: HashMap<String, usize>,
    entries: Vec<Entry>,
    wakes: BTreeSet<(Ts, usize)>,
    /// Ready plans by what they share, so that one slow account does not take all workers.
    ready: HashMap<String, BTreeSet<Rank>>,
    running: HashMap<String, usize>,
    most_per_share: usize,
    followers: HashMap<String, Vec<String>>,
    /// `followers` is up to date.
    chained: bool,
    skipped: Vec<SkippedTicks>,
}

impl Agenda {
    /// An empty agenda. At most `most_per_share` plans of one share run at the same time.
    pub fn new(most_per_share: usize) -> Self {
        Agenda {
            plans: HashMap::new(),
            entries: Vec::new(),
            wakes: BTreeSet::new(),
            ready: HashMap::new(),
            running: HashMap::new(),
            most_per_share: most_per_share.max(1),
            followers: HashMap::new(),
            chained: true,
            skipped: Vec::new(),
        }
    }

    /// Number of plans.
    pub fn len(&self) -> usize {
        self.entries.iter().filter(|e| !e.gone).count()
    }

    /// True without plans.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A plan's timetable, for the ledger's lines.
    pub fn times(&self, plan: &str) -> Option<&PlanTimes> {
        self.entries.get(*self.plans.get(plan)?).map(|e| &e.times)
    }

    /// Plans that others follow, with their number in the ledger where it is known.
    pub fn followed(&mut self) -> Vec<String> {
        self.chain();
        self.followers.keys().cloned().collect()
    }

    /// Adds a plan, or replaces its timetable. `states`: its lines as the ledger has them.
    pub fn set(&mut self, times: PlanTimes, states: &[TickState], now: Ts) {
        let name = times.name.clone();
        let lines: Vec<Line> = times
            .triggers()
            .into_iter()
            .filter(|_| times.enabled)
            .filter_map(|(trigger, schedule)| {
                let state = states.iter().find(|s| s.trigger == trigger)?;
                Some(Line {
                    trigger,
                    schedule: schedule.cloned(),
                    shift_ms: jitter_ms(&name, trigger.word(), times.jitter_ms),
                    answered: state.answered,
                    owed: state.owed,
                    failures: state.failures,
                    hold: None,
                    ended: None,
                    due: None,
                    wake: None,
                })
            })
            .collect();
        let id = states.first().map_or(0, |s| s.plan);
        let at = match self.plans.get(&name) {
            Some(at) => {
                let at = *at;
                self.forget(at);
                let Some(entry) = self.entries.get_mut(at) else { return };
                let (running, under) = (entry.running.take(), entry.under);
                *entry = Entry { times, id, lines, running, under, ready: None, gone: false };
                at
            }
            None => {
                let entry = Entry { times, id, lines, running: None, under: None, ready: None, gone: false };
                self.entries.push(entry);
                self.plans.insert(name, self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        self.chained = false;
        self.look(at, now);
    }

    /// Removes a plan; a run of it that is under way goes on to its end.
    pub fn remove(&mut self, plan: &str) {
        let Some(at) = self.plans.get(plan).copied() else { return };
        self.forget(at);
        if let Some(entry) = self.entries.get_mut(at) {
            entry.lines.clear();
            entry.gone = true;
        }
        self.chained = false;
    }

    /// Takes an entry out of the queues.
    fn forget(&mut self, at: usize) {
        let Some(entry) = self.entries.get_mut(at) else { return };
        for line in &mut entry.lines {
            if let Some(wake) = line.wake.take() {
                self.wakes.remove(&(wake, at));
            }
        }
        if let (Some(rank), Some(queue)) = (entry.ready.take(), self.ready.get_mut(&entry.times.share)) {
            queue.remove(&rank);
        }
    }

    /// Who follows whom; plans that trigger each other in a circle follow nobody.
    fn chain(&mut self) {
        if std::mem::replace(&mut self.chained, true) {
            return;
        }
        self.followers.clear();
        let after: HashMap<String, String> = self
            .entries
            .iter()
            .filter(|e| !e.gone && e.times.enabled)
            .filter_map(|e| Some((e.times.name.clone(), e.times.after.clone()?)))
            .collect();
        for (plan, before) in &after {
            if circle(plan, &after).is_none() {
                self.followers.entry(before.clone()).or_default().push(plan.clone());
            }
        }
    }

    /// Looks at a plan: what is due, and when it is to be looked at again.
    fn look(&mut self, at: usize, now: Ts) {
        self.forget(at);
        let Some(entry) = self.entries.get_mut(at) else { return };
        if entry.running.is_some() {
            // Looked at when it has ended.
            return;
        }
        let (tz, missed) = (entry.times.tz, entry.times.missed);
        let mut first: Option<Ts> = None;
        for line in &mut entry.lines {
            if line.due.is_none() {
                line.decide(tz, missed, now, &entry.times.name, &mut self.skipped);
            }
            match (line.due, line.wake) {
                (Some((_, planned, _)), _) => first = Some(first.map_or(planned, |f| f.min(planned))),
                (None, Some(wake)) => {
                    self.wakes.insert((wake, at));
                }
                (None, None) => {}
            }
        }
        if let Some(planned) = first {
            let rank = (Reverse(entry.times.priority), planned, at);
            entry.ready = Some(rank);
            self.ready.entry(entry.times.share.clone()).or_default().insert(rank);
        }
    }

    /// Moves on to `now`: whatever has become due waits for a worker.
    pub fn advance(&mut self, now: Ts) {
        while let Some((wake, at)) = self.wakes.first().copied().filter(|(wake, _)| *wake <= now) {
            self.wakes.remove(&(wake, at));
            self.look(at, now);
        }
    }

    /// Ticks that were skipped since the last question.
    pub fn skipped(&mut self) -> Vec<SkippedTicks> {
        std::mem::take(&mut self.skipped)
    }

    /// When something may become due next.
    pub fn next_wake(&self) -> Option<Ts> {
        self.wakes.first().map(|(wake, _)| *wake)
    }

    /// Plans that wait for a worker.
    pub fn waiting(&self) -> usize {
        self.ready.values().map(BTreeSet::len).sum()
    }

    /// The next run to start; its plan counts as running until [`Agenda::finished`].
    pub fn take(&mut self, now: Ts) -> Option<Start> {
        let share = self
            .ready
            .iter()
            .filter(|(share, _)| self.running.get(*share).copied().unwrap_or(0) < self.most_per_share)
            .filter_map(|(share, queue)| Some((*queue.first()?, share)))
            .min()?
            .1
            .clone();
        let queue = self.ready.get_mut(&share)?;
        let (_, _, at) = queue.pop_first()?;
        if queue.is_empty() {
            self.ready.remove(&share);
        }
        let entry = self.entries.get_mut(at)?;
        entry.ready = None;
        let line = entry
            .lines
            .iter_mut()
            .filter(|l| l.due.is_some())
            .min_by_key(|l| (l.due.map(|d| d.1), l.trigger))?;
        let (tick, planned, passed_over) = line.due.take()?;
        let missed = now.0.saturating_sub(planned.0) > GRACE_MS && line.schedule.is_some();
        let start = Start {
            plan: entry.times.name.clone(),
            id: entry.id,
            tick: Tick { trigger: line.trigger, at: tick },
            at: planned,
            as_of: (missed && entry.times.missed == Missed::All).then_some(tick),
            passed_over,
            split: entry.times.split(),
        };
        entry.running = Some(share.clone());
        entry.under = Some(start.tick);
        for line in &mut entry.lines {
            if let Some(wake) = line.wake.take() {
                self.wakes.remove(&(wake, at));
            }
        }
        *self.running.entry(share).or_default() += 1;
        Some(start)
    }

    /// A run has ended. Returns what the ledger is to remember, if anything.
    pub fn finished(&mut self, start: &Start, how: Finish, now: Ts) -> Option<TickAnswer> {
        let at = *self.plans.get(&start.plan)?;
        let entry = self.entries.get_mut(at)?;
        let missed = entry.times.missed;
        if let Some(n) = entry.running.take().and_then(|share| self.running.get_mut(&share)) {
            *n = n.saturating_sub(1);
        }
        entry.under = None;
        let trigger = start.tick.trigger;
        let mut answer = None;
        if let Some(line) = entry.lines.iter_mut().find(|l| l.trigger == trigger) {
            match how {
                Finish::Done | Finish::Answered => (line.owed, line.failures) = (None, 0),
                Finish::Again => (line.owed, line.failures) = (Some(now), 0),
                Finish::Failed => {
                    line.failures = line.failures.saturating_add(1);
                    let wait = i64::try_from(requeue_ms(line.failures)).unwrap_or(i64::MAX);
                    line.owed = Some(now.plus_ms(wait));
                }
                Finish::Hopeless => (line.owed, line.failures) = (None, line.failures.saturating_add(1)),
                Finish::Busy | Finish::Stopped => {}
            }
            line.hold = match how {
                Finish::Busy => Some(now.plus_ms(BUSY_MS)),
                // Many missed ticks must not be burnt one after the other against a wall.
                Finish::Hopeless if missed == Missed::All => Some(now.plus_ms(HOPELESS_MS)),
                _ => None,
            };
            // A tick that somebody else kept from being answered stays unanswered.
            if !matches!(how, Finish::Busy | Finish::Stopped) {
                line.answered = line.answered.max(start.tick.at);
            }
            if !matches!(how, Finish::Busy | Finish::Stopped | Finish::Answered) {
                answer = Some(TickAnswer {
                    plan: start.id,
                    trigger,
                    upto: Some(start.tick.at),
                    owed: line.owed,
                    failures: line.failures,
                });
            }
        }
        if !entry.gone {
            self.look(at, now);
        }
        answer
    }

    /// Ticks that wait for more than `late_ms`: for a worker, for somebody else, or for the plan's own run before.
    pub fn overdue(&self, now: Ts, late_ms: i64) -> Vec<Overdue> {
        let before = now.plus_ms(-late_ms);
        let mut out = Vec::new();
        for e in self.entries.iter().filter(|e| !e.gone) {
            for line in &e.lines {
                let waits = line.due.is_some() || line.hold.is_some() || e.running.is_some();
                // A run that is owed after a failure has an alert of its own.
                if !waits || (line.due.is_none() && line.owed.is_some()) {
                    continue;
                }
                let answered = match e.under {
                    Some(tick) if tick.trigger == line.trigger => line.answered.max(tick.at),
                    _ => line.answered,
                };
                let next = || {
                    let next = line.schedule.as_ref()?.next(answered, e.times.tz)?;
                    Some(next.plus_ms(line.shift_ms))
                };
                let Some(since) = line.due.map(|d| d.1).or_else(next).filter(|t| *t < before) else {
                    continue;
                };
                out.push(Overdue {
                    plan: e.times.name.clone(),
                    trigger: line.trigger.word(),
                    since: since.local(e.times.tz),
                    running: e.running.is_some(),
                });
            }
        }
        out
    }

    /// Plan `plan` went through and ended at `ended`: whoever follows it is due, unless that end was answered before.
    pub fn ended(&mut self, plan: &str, ended: Ts, now: Ts) {
        self.chain();
        for name in self.followers.get(plan).cloned().unwrap_or_default() {
            let Some(at) = self.plans.get(&name).copied() else { continue };
            let Some(entry) = self.entries.get_mut(at) else { continue };
            let Some(line) = entry.lines.iter_mut().find(|l| l.trigger == Trigger::After) else { continue };
            line.ended = line.ended.max(Some(ended));
            self.look(at, now);
        }
    }
}
