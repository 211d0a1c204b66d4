//! What is to be started when: a pure decision over the time and what has been answered.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use heliu_model::Ts;
use heliu_model::ports::{PlanId, Tick, TickAnswer, TickState, Trigger};
use heliu_model::retry::requeue_ms;
use heliu_model::schedule::{Due, Missed, Schedule, jitter_ms};

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
struct Line {
    trigger: Trigger,
    schedule: Option<Schedule>,
    shift_ms: i64,
    answered: Ts,
    owed: Option<Ts>,
    failures: u32,
    /// Not before this instant (somebody else is at it).
    hold: Option<Ts>,
    /// When the plan that this one follows last went through.
    ended: Option<Ts>,
    /// To be started: tick, planned instant, passed over.
    due: Option<(Ts, Ts, u64)>,
    /// When it is looked at again.
    wake: Option<Ts>,
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

impl Line {
    /// Decides what is due, or when to look again.
    fn decide(
        &mut self,
        tz: chrono_tz::Tz,
        missed: Missed,
        now: Ts,
        plan: &str,
        skipped: &mut Vec<SkippedTicks>,
    ) {
        self.wake = None;
        if let Some(hold) = self.hold.filter(|h| *h > now) {
            self.wake = Some(hold);
            return;
        }
        if let Some(owed) = self.owed.filter(|o| *o <= now) {
            self.due = Some((self.answered, owed, 0));
            return;
        }
        let next = match &self.schedule {
            // Another plan's end starts this one.
            None => {
                if let Some(ended) = self.ended.filter(|e| *e > self.answered) {
                    self.due = Some((ended, ended, 0));
                    return;
                }
                None
            }
            // Whatever is owed goes first; ticks that come meanwhile are answered with it.
            Some(schedule) if self.owed.is_some() => schedule.next(now.plus_ms(-self.shift_ms), tz),
            Some(schedule) => {
                let shifted = now.plus_ms(-self.shift_ms);
                match schedule.due(tz, self.answered, shifted, missed, GRACE_MS) {
                    Due::Tick { tick, passed_over } => {
                        self.due = Some((tick, tick.plus_ms(self.shift_ms), passed_over));
                        return;
                    }
                    Due::Skipped { upto, missed, next } => {
                        skipped.push(SkippedTicks { plan: plan.to_owned(), trigger: self.trigger, missed });
                        self.answered = upto;
                        next
                    }
                    Due::Nothing { next } => next,
                }
            }
        };
        let next = next.map(|t| t.plus_ms(self.shift_ms));
        self.wake = [self.owed, next].into_iter().flatten().min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TZ: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

    fn at(words: &str) -> Ts {
        Ts::parse(&format!("2024-03-14 {words}"), TZ).unwrap_or_else(|e| panic!("{e}"))
    }

    fn times(name: &str, schedule: &str) -> PlanTimes {
        let parse = |s: &str| Schedule::parse(s).unwrap_or_else(|e| panic!("{e}"));
        PlanTimes {
            name: name.into(),
            uuid: name.into(),
            tz: TZ,
            schedule: (!schedule.is_empty()).then(|| parse(schedule)),
            target_schedule: None,
            remedy: None,
            after: None,
            missed: Missed::Once,
            jitter_ms: 0,
            priority: 0,
            enabled: true,
            share: "one".into(),
        }
    }

    fn states(t: &PlanTimes, id: PlanId, answered: Ts) -> Vec<TickState> {
        t.triggers()
            .into_iter()
            .map(|(trigger, _)| TickState { plan: id, trigger, answered, owed: None, failures: 0 })
            .collect()
    }

    fn put(agenda: &mut Agenda, t: PlanTimes, now: Ts) {
        let id = agenda.entries.len() as PlanId + 1;
        let known = states(&t, id, now);
        agenda.set(t, &known, now);
    }

    /// Starts everything that is due, as `plan trigger HH:MM:SS`.
    fn start(agenda: &mut Agenda, now: Ts) -> Vec<Start> {
        agenda.advance(now);
        std::iter::from_fn(|| agenda.take(now)).collect()
    }

    fn shown(list: &[Start]) -> Vec<String> {
        list.iter()
            .map(|s| {
                let tick = s.tick.at.local(TZ);
                format!("{} {} {}", s.plan, s.tick.trigger.word(), tick.split(' ').nth(1).unwrap_or(""))
            })
            .collect()
    }

    #[test]
    fn a_tick_starts_a_run_and_never_a_second_one_beside_it() {
        let mut a = Agenda::new(8);
        put(&mut a, times("a", "0 */5 * * * ?"), at("16:01:00"));
        assert_eq!(a.next_wake(), Some(at("16:05:00")));
        assert!(start(&mut a, at("16:04:59")).is_empty());
        let first = start(&mut a, at("16:05:00"));
        assert_eq!(shown(&first), ["a source 16:05:00"]);
        // It takes twelve minutes: two ticks come meanwhile and become one run.
        assert!(start(&mut a, at("16:10:00")).is_empty());
        assert!(start(&mut a, at("16:15:00")).is_empty());
        let answer =
            a.finished(&first[0], Finish::Done, at("16:17:00")).unwrap_or_else(|| panic!("an answer"));
        assert_eq!((answer.upto, answer.owed, answer.failures), (Some(at("16:05:00")), None, 0));
        let second = start(&mut a, at("16:17:00"));
        assert_eq!(shown(&second), ["a source 16:15:00"]);
        assert_eq!(second[0].passed_over, 1);
        a.finished(&second[0], Finish::Done, at("16:17:30"));
        assert_eq!(a.next_wake(), Some(at("16:20:00")));
    }

    #[test]
    fn missed_all_runs_each_with_its_own_window() {
        let mut a = Agenda::new(8);
        let mut t = times("a", "0 0 * * * ?");
        t.missed = Missed::All;
        let known = states(&t, 1, at("08:00:00"));
        a.set(t, &known, at("10:30:00"));
        let mut ran = Vec::new();
        for _ in 0..5 {
            for s in start(&mut a, at("10:30:00")) {
                ran.push((s.tick.at, s.as_of));
                a.finished(&s, Finish::Done, at("10:30:00"));
            }
        }
        let (nine, ten) = (at("09:00:00"), at("10:00:00"));
        assert_eq!(ran, [(nine, Some(nine)), (ten, Some(ten))]);
        // On time: the window ends now.
        let s = start(&mut a, at("11:00:00"));
        assert_eq!((s[0].tick.at, s[0].as_of), (at("11:00:00"), None));
    }

    #[test]
    fn missed_skip_says_what_was_skipped() {
        let mut a = Agenda::new(8);
        let mut t = times("a", "0 0 * * * ?");
        t.missed = Missed::Skip;
        let known = states(&t, 1, at("08:00:00"));
        a.set(t, &known, at("10:30:00"));
        assert!(start(&mut a, at("10:30:00")).is_empty());
        let skipped = a.skipped();
        assert_eq!(skipped, [SkippedTicks { plan: "a".into(), trigger: Trigger::Source, missed: 2 }]);
        assert_eq!(a.next_wake(), Some(at("11:00:00")));
        assert_eq!(start(&mut a, at("11:00:00").plus_ms(120)).len(), 1);
    }

    #[test]
    fn a_passing_failure_comes_back_after_a_minute_then_two() {
        let mut a = Agenda::new(8);
        put(&mut a, times("a", "0 0 * * * ?"), at("15:30:00"));
        let s = start(&mut a, at("16:00:00"));
        let answer = a.finished(&s[0], Finish::Failed, at("16:00:10")).unwrap_or_else(|| panic!("an answer"));
        assert_eq!((answer.owed, answer.failures), (Some(at("16:01:10")), 1));
        assert!(start(&mut a, at("16:01:09")).is_empty());
        let s = start(&mut a, at("16:01:10"));
        assert_eq!(shown(&s), ["a source 16:00:00"]);
        let answer = a.finished(&s[0], Finish::Failed, at("16:01:10")).unwrap_or_else(|| panic!("an answer"));
        assert_eq!((answer.owed, answer.failures), (Some(at("16:03:10")), 2));
        let s = start(&mut a, at("16:03:10"));
        let answer = a.finished(&s[0], Finish::Done, at("16:03:11")).unwrap_or_else(|| panic!("an answer"));
        assert_eq!((answer.owed, answer.failures), (None, 0));
        assert_eq!(a.next_wake(), Some(at("17:00:00")));
        // What no repetition mends waits for the next tick.
        let s = start(&mut a, at("17:00:00"));
        let answer =
            a.finished(&s[0], Finish::Hopeless, at("17:00:01")).unwrap_or_else(|| panic!("an answer"));
        assert_eq!((answer.owed, answer.failures), (None, 1));
        assert_eq!(a.next_wake(), Some(at("18:00:00")));
    }

    #[test]
    fn a_backlog_of_missed_ticks_is_not_burnt_against_a_dead_source() {
        let mut a = Agenda::new(8);
        let mut t = times("a", "0 * * * * ?");
        t.missed = Missed::All;
        let known = states(&t, 1, at("08:00:00"));
        a.set(t, &known, at("12:00:30"));
        let s = start(&mut a, at("12:00:30"));
        a.finished(&s[0], Finish::Failed, at("12:00:31"));
        assert!(start(&mut a, at("12:00:32")).is_empty());
        // The next tick of now is due as ever; it takes over what is owed.
        assert_eq!(a.next_wake(), Some(at("12:01:00")));
    }

    #[test]
    fn what_a_crash_left_behind_is_started_at_once() {
        let mut a = Agenda::new(8);
        let t = times("a", "0 0 2 * * ?");
        let mut known = states(&t, 1, at("02:00:00"));
        known[0].owed = Some(at("02:00:00"));
        a.set(t, &known, at("02:10:00"));
        assert_eq!(shown(&start(&mut a, at("02:10:00"))), ["a source 02:00:00"]);
    }

    #[test]
    fn a_busy_plan_keeps_its_tick() {
        let mut a = Agenda::new(8);
        put(&mut a, times("a", "0 0 * * * ?"), at("15:30:00"));
        let s = start(&mut a, at("16:00:00"));
        assert_eq!(a.finished(&s[0], Finish::Busy, at("16:00:00")), None);
        assert!(start(&mut a, at("16:00:04")).is_empty());
        assert_eq!(shown(&start(&mut a, at("16:00:05"))), ["a source 16:00:00"]);
    }

    #[test]
    fn priority_then_waiting_time_and_no_share_takes_all_workers() {
        let mut a = Agenda::new(2);
        let now = at("16:00:00");
        for (name, priority, share) in
            [("a", 0, "slow"), ("b", 0, "slow"), ("c", 5, "slow"), ("d", -1, "fast"), ("e", 0, "slow")]
        {
            let mut t = times(name, "0 */5 * * * ?");
            (t.priority, t.share) = (priority, share.into());
            put(&mut a, t, now);
        }
        let s = start(&mut a, at("16:05:00"));
        assert_eq!(s.iter().map(|s| s.plan.as_str()).collect::<Vec<_>>(), ["c", "a", "d"]);
        assert_eq!(a.waiting(), 2);
        a.finished(&s[1], Finish::Done, at("16:05:01"));
        let s = start(&mut a, at("16:05:01"));
        assert_eq!(s.iter().map(|s| s.plan.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_chain_goes_from_plan_to_plan_and_a_circle_nowhere() {
        let mut a = Agenda::new(8);
        let now = at("16:00:00");
        put(&mut a, times("a", "0 0 * * * ?"), now);
        for (name, after) in [("b", "a"), ("c", "b"), ("x", "y"), ("y", "x")] {
            let mut t = times(name, "");
            t.after = Some(after.into());
            put(&mut a, t, now);
        }
        a.ended("a", now, now);
        assert!(start(&mut a, now).is_empty(), "an end that was answered before");
        a.ended("a", at("16:10:00"), at("16:10:00"));
        let s = start(&mut a, at("16:10:00"));
        assert_eq!(shown(&s), ["b after 16:10:00"]);
        // A second end while it runs is one more run, afterwards.
        a.ended("a", at("16:10:30"), at("16:10:30"));
        a.ended("a", at("16:10:40"), at("16:10:40"));
        assert!(start(&mut a, at("16:10:40")).is_empty());
        a.finished(&s[0], Finish::Busy, at("16:11:00"));
        assert!(start(&mut a, at("16:11:00")).is_empty());
        let s = start(&mut a, at("16:11:05"));
        assert_eq!(shown(&s), ["b after 16:10:40"]);
        a.finished(&s[0], Finish::Done, at("16:11:06"));
        assert!(start(&mut a, at("16:11:06")).is_empty());
        for plan in ["x", "y"] {
            a.ended(plan, at("16:20:00"), at("16:20:00"));
        }
        assert!(start(&mut a, at("16:20:00")).is_empty());
        assert_eq!(a.followed().len(), 2);
    }

    #[test]
    fn sides_and_gap_scan_have_their_own_times() {
        let mut a = Agenda::new(8);
        let mut t = times("a", "0 0 */2 * * ?");
        t.target_schedule = Schedule::parse("0 30 */2 * * ?").ok();
        t.remedy = Schedule::parse("2 */2 * * *").ok();
        put(&mut a, t, at("15:00:00"));
        let mut seen = Vec::new();
        for now in [at("16:00:00"), at("16:02:00"), at("16:30:00")] {
            for s in start(&mut a, now) {
                assert!(s.split);
                seen.extend(shown(std::slice::from_ref(&s)));
                a.finished(&s, Finish::Done, now);
            }
        }
        assert_eq!(seen, ["a source 16:00:00", "a remedy 16:02:00", "a target 16:30:00"]);
    }

    #[test]
    fn jitter_shifts_the_start_not_the_tick() {
        let mut a = Agenda::new(800);
        for i in 0..200 {
            let mut t = times(&format!("p{i}"), "0 0 * * * ?");
            t.jitter_ms = 60_000;
            put(&mut a, t, at("15:30:00"));
        }
        let begun: Vec<usize> =
            (0..=60).map(|s| start(&mut a, at("16:00:00").plus_ms(s * 1_000)).len()).collect();
        assert_eq!(begun.iter().sum::<usize>(), 200);
        assert!(begun.iter().all(|n| *n < 20), "{begun:?}");
    }

    #[test]
    fn reload_replaces_removes_and_leaves_what_runs() {
        let mut a = Agenda::new(8);
        put(&mut a, times("a", "0 */5 * * * ?"), at("16:00:00"));
        let s = start(&mut a, at("16:05:00"));
        let t = times("a", "0 30 * * * ?");
        let known = states(&t, 1, at("16:06:00"));
        a.set(t, &known, at("16:06:00"));
        assert!(start(&mut a, at("16:30:00")).is_empty(), "still running");
        a.finished(&s[0], Finish::Done, at("16:30:10"));
        let s = start(&mut a, at("16:30:10"));
        assert_eq!(shown(&s), ["a source 16:30:00"]);
        a.remove("a");
        assert!(a.finished(&s[0], Finish::Done, at("16:31:00")).is_none());
        assert_eq!((a.len(), a.next_wake()), (0, None));
        let mut off = times("b", "0 * * * * ?");
        off.enabled = false;
        put(&mut a, off, at("16:31:00"));
        assert_eq!((a.len(), a.next_wake()), (1, None));
    }

    #[test]
    fn every_plan_of_a_crowd_starts_within_its_second() {
        let mut a = Agenda::new(2_000);
        let now = at("16:00:00");
        for i in 0..2_000 {
            put(&mut a, times(&format!("p{i}"), &format!("{} {}/10 * * * ?", i % 60, (i / 60) % 10)), now);
        }
        let mut total = 0;
        for second in 1..=600 {
            let t = now.plus_ms(second * 1_000);
            for s in start(&mut a, t) {
                assert!(t.0 - s.at.0 < 1_000, "{} late", t.0 - s.at.0);
                total += 1;
                a.finished(&s, Finish::Done, t);
            }
        }
        assert_eq!(total, 2_000);
    }
}
