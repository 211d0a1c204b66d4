//! Starting plans when their time has come: the agenda decides, a bounded pool of workers runs.
//!
//! Everything that must survive is in the ledger: a tick is answered by the transaction that opens its run, a run
//! that was begun is owed until it is heard of. Killing this process at any moment loses no tick and doubles none.

mod agenda;
mod times;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::ports::{Clock, Ledger, Schedules, TickAnswer, TickState, TimetableLine, Trigger};
use heliu_model::run::{RunKind, RunReport, RunState};
use heliu_model::{Class, Failure, Ts, text};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

pub use agenda::{Agenda, Finish, SkippedTicks, Start};
pub use times::{PlanTimes, circle};

use crate::alerts::{About, LATE_MS};
use crate::run::{ANSWERED, BUSY};
use crate::{Engine, PlanSpec, RunOptions, Sides, Silent, Stop};

/// The loop looks at the wall clock at least so often (ms): it may have been set.
const LOOK_MS: i64 = 1_000;
/// What the ledger refused to remember is tried again after this long (ms).
const AGAIN_MS: i64 = 5_000;
/// Ends of followed plans that ran elsewhere are looked for so often (ms).
const FOLLOW_MS: i64 = 30_000;
/// Schedules that are late are looked for so often (ms).
const SEE_LATE_MS: i64 = 60_000;
/// Runs that are searched for the last one that went through.
const ENDS: usize = 20;

/// A change of the project's files, validated.
#[derive(Debug)]
pub enum Change {
    /// A plan is new, or its timetable may have changed.
    Set(Box<PlanTimes>),
    /// A plan's file is gone.
    Remove(String),
}

/// Makes plans ready to run.
#[async_trait]
pub trait Workshop: Send + Sync {
    /// The plan's rules and sides; for [`Trigger::Remedy`] the source is the gap scan's.
    ///
    /// # Errors
    /// The first problem of its files.
    async fn ready(&self, plan: &str, trigger: Trigger) -> Result<Arc<Runnable>, Failure>;
}

/// A plan ready to run.
pub struct Runnable {
    /// Rules.
    pub spec: PlanSpec,
    /// Both sides.
    pub sides: Sides,
}

/// Is told what happens. All methods must be quick.
pub trait Watcher: Send + Sync {
    /// A run begins, `late_ms` after the instant at which it was to.
    fn started(&self, _start: &Start, _late_ms: i64) {}
    /// It ended.
    fn finished(&self, _start: &Start, _how: Finish, _result: &Result<RunReport, Failure>) {}
    /// Ticks were missed and are not made up for.
    fn skipped(&self, _ticks: &SkippedTicks) {}
    /// The ledger could not be used; the scheduler goes on and tries again.
    fn trouble(&self, _why: &Failure) {}
}

/// Starts and runs plans until it is told to stop.
pub struct Scheduler {
    engine: Arc<Engine>,
    ledger: Arc<dyn Ledger>,
    schedules: Arc<dyn Schedules>,
    clock: Arc<dyn Clock>,
    workshop: Arc<dyn Workshop>,
    watcher: Arc<dyn Watcher>,
    workers: usize,
}

/// What the loop keeps between its rounds.
struct Round {
    agenda: Agenda,
    running: JoinSet<Result<RunReport, Failure>>,
    starts: HashMap<Id, Start>,
    /// Changes and answers that the ledger has not taken yet.
    changes: Vec<Change>,
    answers: Vec<TickAnswer>,
    not_before: Ts,
    follow_at: Ts,
    late_at: Ts,
    /// Something was late when it was last looked for; unknown at first.
    late: bool,
}

impl Scheduler {
    /// A scheduler with `workers` runs at the same time; half of them at most for plans that share an account, so
    /// that a slow one never takes all.
    pub fn new(
        engine: Arc<Engine>,
        ledger: Arc<dyn Ledger>,
        schedules: Arc<dyn Schedules>,
        clock: Arc<dyn Clock>,
        workshop: Arc<dyn Workshop>,
        watcher: Arc<dyn Watcher>,
        workers: usize,
    ) -> Self {
        Scheduler { engine, ledger, schedules, clock, workshop, watcher, workers: workers.max(1) }
    }

    /// Runs until `stop`: then no run is begun, those under way finish the page in flight and are resumed by the next
    /// start. Ends early when the sender of changes is gone.
    pub async fn run(&self, mut changes: mpsc::Receiver<Vec<Change>>, mut stop: Stop) {
        let now = self.clock.now();
        let mut round = Round {
            agenda: Agenda::new(self.workers.div_ceil(2).max(self.workers.min(2))),
            running: JoinSet::new(),
            starts: HashMap::new(),
            changes: Vec::new(),
            answers: Vec::new(),
            not_before: now,
            follow_at: now,
            late_at: now,
            late: true,
        };
        let mut open = true;
        while open {
            self.settle(&mut round).await;
            let now = self.clock.now();
            if now >= round.follow_at {
                round.follow_at = now.plus_ms(FOLLOW_MS);
                self.follow(&mut round).await;
            }
            if now >= round.late_at {
                round.late_at = now.plus_ms(SEE_LATE_MS);
                self.look_for_late(&mut round, now);
            }
            round.agenda.advance(now);
            for ticks in round.agenda.skipped() {
                self.watcher.skipped(&ticks);
            }
            while round.running.len() < self.workers {
                let Some(start) = round.agenda.take(self.clock.now()) else { break };
                self.start(&mut round, start, stop.clone());
            }
            let wait = self.wait(&round);
            tokio::select! {
                biased;
                () = stop.wait() => open = false,
                Some(done) = round.running.join_next_with_id(), if !round.running.is_empty() => {
                    self.finish(&mut round, done, false);
                }
                more = changes.recv() => match more {
                    Some(list) => round.changes.extend(list),
                    None => open = false,
                },
                () = self.clock.sleep_ms(wait) => {}
            }
        }
        while let Some(done) = round.running.join_next_with_id().await {
            self.finish(&mut round, done, true);
        }
        round.not_before = self.clock.now();
        self.settle(&mut round).await;
    }

    /// Schedules that are late are an alert, and so is the end of it.
    fn look_for_late(&self, round: &mut Round, now: Ts) {
        let Some(alarm) = self.engine.alarmed() else { return };
        let list = round.agenda.overdue(now, alarm.late_ms.unwrap_or(LATE_MS));
        if list.is_empty() && !round.late {
            return;
        }
        round.late = !list.is_empty();
        // The loop goes on: ticks do not wait for alerts.
        let alarm = alarm.clone();
        tokio::spawn(async move { alarm.overdue(&list).await });
    }

    fn wait(&self, round: &Round) -> u64 {
        let now = self.clock.now();
        let mut until = now.plus_ms(LOOK_MS);
        until = until.min(round.agenda.next_wake().unwrap_or(until));
        if !round.changes.is_empty() || !round.answers.is_empty() {
            until = until.min(round.not_before);
        }
        u64::try_from(until.0 - now.0).unwrap_or(0).max(1)
    }

    fn start(&self, round: &mut Round, start: Start, stop: Stop) {
        let (engine, workshop) = (self.engine.clone(), self.workshop.clone());
        // What the ledger has not taken yet about an earlier run of this line is void: this one is owed from now on.
        round.answers.retain(|a| (a.plan, a.trigger) != (start.id, start.tick.trigger));
        self.watcher.started(&start, self.clock.now().0 - start.at.0);
        let run = start.clone();
        let handle = round.running.spawn(async move {
            let trigger = run.tick.trigger;
            let options = RunOptions {
                source_only: run.split && matches!(trigger, Trigger::Source | Trigger::After),
                target_only: trigger == Trigger::Target,
                remedy: trigger == Trigger::Remedy,
                tick: Some(run.tick),
                as_of: run.as_of,
                ..RunOptions::default()
            };
            match workshop.ready(&run.plan, trigger).await {
                Ok(r) => engine.run(&r.spec, &r.sides, options, Arc::new(Silent), stop).await,
                Err(f) => {
                    let result = Err(f);
                    if let Some(alarm) = engine.alarmed() {
                        alarm.ended(&About { plan: &run.plan, connectors: &[] }, &options, &result).await;
                    }
                    result
                }
            }
        });
        round.starts.insert(handle.id(), start);
    }

    fn finish(
        &self,
        round: &mut Round,
        done: Result<(Id, Result<RunReport, Failure>), tokio::task::JoinError>,
        stopping: bool,
    ) {
        let (id, result) = match done {
            Ok((id, result)) => (id, result),
            Err(e) => {
                let id = e.id();
                let failure = Failure::internal(
                    "HL-7094",
                    text!("a run ended abnormally: {e}", "一次运行异常结束:{e}"),
                );
                (id, Err(failure))
            }
        };
        let Some(start) = round.starts.remove(&id) else { return };
        let how = judge(&start, &result, stopping);
        self.watcher.finished(&start, how, &result);
        let now = self.clock.now();
        round.answers.extend(round.agenda.finished(&start, how, now));
        if let (Finish::Done | Finish::Again, Ok(report)) = (how, &result)
            && counts_as_end(report)
        {
            round.agenda.ended(&start.plan, now, now);
        }
    }

    /// Has the ledger take what it has not taken yet. What it refuses is kept and tried again.
    async fn settle(&self, round: &mut Round) {
        if self.clock.now() < round.not_before {
            return;
        }
        let result = self.try_settle(round).await;
        if let Err(f) = result {
            self.watcher.trouble(&f);
            round.not_before = self.clock.now().plus_ms(AGAIN_MS);
        }
    }

    async fn try_settle(&self, round: &mut Round) -> Result<(), Failure> {
        if !round.answers.is_empty() {
            self.schedules.answer(&round.answers).await?;
            round.answers.clear();
        }
        if round.changes.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut lines: Vec<TimetableLine> = Vec::new();
        for change in &round.changes {
            let (name, fresh) = match change {
                Change::Set(times) => (times.name.as_str(), times.lines()),
                Change::Remove(name) => (name.as_str(), Vec::new()),
            };
            // What the plan had before and has no longer is switched off.
            if let Some(old) = round.agenda.times(name) {
                lines.extend(old.lines().into_iter().filter_map(|line| {
                    let stays = fresh.iter().any(|f| f.trigger == line.trigger);
                    (!stays).then(|| TimetableLine { words: String::new(), ..line })
                }));
            }
            lines.extend(fresh);
        }
        let states = self.schedules.timetable(&lines, now).await?;
        let mut by_plan: HashMap<&str, Vec<TickState>> = HashMap::new();
        for (line, state) in lines.iter().zip(states) {
            by_plan.entry(line.plan.as_str()).or_default().push(state);
        }
        for change in std::mem::take(&mut round.changes) {
            match change {
                Change::Set(times) => {
                    let known = by_plan.remove(times.name.as_str()).unwrap_or_default();
                    round.agenda.set(*times, &known, now);
                }
                Change::Remove(name) => round.agenda.remove(&name),
            }
        }
        round.follow_at = now;
        Ok(())
    }

    /// Ends of followed plans that this process has not seen: before it started, or by another one.
    async fn follow(&self, round: &mut Round) {
        for plan in round.agenda.followed() {
            match self.last_end(&plan).await {
                Ok(Some(ended)) => round.agenda.ended(&plan, ended, self.clock.now()),
                Ok(None) => {}
                Err(f) => return self.watcher.trouble(&f),
            }
        }
    }

    async fn last_end(&self, plan: &str) -> Result<Option<Ts>, Failure> {
        let Some(row) = self.ledger.find_plan(plan).await? else { return Ok(None) };
        let runs = self.ledger.runs(row.id, ENDS).await?;
        let through = runs
            .iter()
            .find(|r| r.kind != RunKind::Limited && matches!(r.state, RunState::Done | RunState::Attention));
        Ok(through.and_then(|r| r.ended))
    }
}

/// Whoever follows a plan waits for runs that went through as a whole.
fn counts_as_end(report: &RunReport) -> bool {
    report.failure.is_none() && report.kind != RunKind::Limited
}

/// What the end of a run means for its tick.
fn judge(start: &Start, result: &Result<RunReport, Failure>, stopping: bool) -> Finish {
    let failure = match result {
        Ok(report) => match &report.failure {
            None => {
                let old = report.window.is_some_and(|w| w.to < start.tick.at);
                let again = report.resumed && old && report.kind == RunKind::Normal;
                return if again { Finish::Again } else { Finish::Done };
            }
            Some(f) => f,
        },
        Err(f) => f,
    };
    match failure.code.as_str() {
        ANSWERED => Finish::Answered,
        BUSY => Finish::Busy,
        // Told to stop, or taken over: the run is somebody else's, or the next start's.
        "HL-7003" | "HL-6005" if stopping || failure.code == "HL-6005" => Finish::Stopped,
        _ => match failure.class {
            Class::Config | Class::Data | Class::AuthExpired => Finish::Hopeless,
            Class::Transient | Class::RateLimited | Class::Internal => Finish::Failed,
        },
    }
}
