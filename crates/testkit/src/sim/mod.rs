//! A deterministic simulator: the engine between a platform that moves, a target that loses answers, and a process
//! that dies or stands still at any call of a port; then an oracle that asks whether anything was lost.
//!
//! Everything of a scenario follows from its seed: shapes, rows, faults, crashes, the order of events. Time is
//! virtual, and all tasks run on one thread, so that a seed plays the same scenario each time.

mod history;
mod life;
mod oracle;
mod scenario;
mod sides;

use std::collections::BTreeMap;
use std::sync::Arc;

use heliu_engine::RunOptions;
use heliu_model::ports::{PlanRow, PruneAt, RecordFilter, RecordRow, Replay, Retention};
use heliu_model::record::State;
use heliu_model::{Failure, Ts};

use sides::ONWARD;

use crate::fake::{Shared, Table, shared, with};
use crate::rng::Rng;
use crate::through::{Cheat, Store};
use crate::{ManualClock, MemoryLedger};

pub use history::Platform;
pub use scenario::Scenario;

/// When every scenario begins.
pub const T0: i64 = 1_710_403_200_000;

/// A part of the machinery that is broken on purpose: the simulator must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A rule of the ledger.
    Ledger(Cheat),
    /// One pass forward, and no check.
    OnePassForward,
    /// Contents are compared by their bytes.
    RawHash,
}

impl Mutation {
    /// All of them, with the names by which they are asked for.
    pub const ALL: [(&'static str, Mutation); 7] = [
        ("epoch", Mutation::Ledger(Cheat::NoEpoch)),
        ("watermark", Mutation::Ledger(Cheat::EarlyWatermark)),
        ("intent", Mutation::Ledger(Cheat::NoIntent)),
        ("versions", Mutation::Ledger(Cheat::NoVersions)),
        ("left-apart", Mutation::Ledger(Cheat::LeftApart)),
        ("one-pass", Mutation::OnePassForward),
        ("raw-hash", Mutation::RawHash),
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Mutation> {
        Mutation::ALL.into_iter().find(|(n, _)| *n == name).map(|(_, m)| m)
    }

    fn name(self) -> &'static str {
        Mutation::ALL.into_iter().find(|(_, m)| *m == self).map_or("", |(n, _)| n)
    }
}

/// What happened in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Starts of a process.
    pub lives: u64,
    /// Processes that died in the middle.
    pub crashes: u64,
    /// Processes that stood still until a successor had worked.
    pub halts: u64,
    /// Calls of ports.
    pub calls: u64,
    /// Pages stored.
    pub pages: u64,
    /// Writes that reached the target.
    pub writes: u64,
    /// Answers that were lost.
    pub lost: u64,
    /// Records that a person had to put back.
    pub put_back: u64,
    /// Records at the end.
    pub records: u64,
    /// Digest of the sequence of events.
    pub digest: u64,
}

impl Stats {
    /// Adds another scenario's.
    pub fn add(&mut self, o: &Stats) {
        self.lives += o.lives;
        self.crashes += o.crashes;
        self.halts += o.halts;
        self.calls += o.calls;
        self.pages += o.pages;
        self.writes += o.writes;
        self.lost += o.lost;
        self.put_back += o.put_back;
        self.records += o.records;
        self.digest = self.digest.rotate_left(7) ^ o.digest;
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The scenario's seed.
    pub seed: u64,
    /// What was broken on purpose.
    pub mutation: Option<Mutation>,
    /// What was wrong.
    pub what: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seed, what) = (self.seed, &self.what);
        let cheat = self.mutation.map(|m| format!(" --break {}", m.name())).unwrap_or_default();
        write!(f, "seed {seed}: {what} (again: cargo xtask simulate --seed {seed}{cheat} --trace)")
    }
}

/// Plays the scenario of `seed`.
///
/// # Errors
/// The first promise that was broken.
pub fn play(seed: u64) -> Result<Stats, Broken> {
    play_with(seed, None, false)
}

/// Plays the scenario of `seed`, with something broken on purpose, or telling every event on standard error.
///
/// # Errors
/// The first promise that was broken.
pub fn play_with(seed: u64, mutation: Option<Mutation>, trace: bool) -> Result<Stats, Broken> {
    play_on(seed, mutation, trace, None)
}

/// Plays the scenario of `seed` on a ledger that is not the one in memory. Whoever owned a run there is never known
/// to be gone before its lease has ended.
///
/// # Errors
/// The first promise that was broken.
pub fn play_over(seed: u64, store: Arc<dyn Store>) -> Result<Stats, Broken> {
    play_on(seed, None, false, Some(store))
}

fn play_on(
    seed: u64,
    mutation: Option<Mutation>,
    trace: bool,
    store: Option<Arc<dyn Store>>,
) -> Result<Stats, Broken> {
    let world = std::panic::AssertUnwindSafe(move || World::new(seed, mutation, trace, store).play());
    let what = match std::panic::catch_unwind(world) {
        Ok(Ok(stats)) => return Ok(stats),
        Ok(Err(what)) => what,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            words.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
        }
    };
    Err(Broken { seed, mutation, what })
}

/// A scenario under way.
struct World {
    scenario: Scenario,
    mutation: Option<Mutation>,
    clock: ManualClock,
    ledger: Arc<dyn Store>,
    /// The same, if it is the one in memory.
    memory: Option<MemoryLedger>,
    platform: Shared<Platform>,
    table: Shared<Table>,
    rng: Rng,
    /// Faults happen.
    rough: Shared<bool>,
    stats: Shared<Stats>,
    trace: bool,
    lives: u64,
}

impl World {
    fn new(seed: u64, mutation: Option<Mutation>, trace: bool, store: Option<Arc<dyn Store>>) -> World {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let clock = ManualClock::new(Ts(T0));
        clock.seed(rng.bits());
        let mut scenario = Scenario::new(&mut rng);
        if mutation == Some(Mutation::OnePassForward) {
            scenario.spec.verify = heliu_model::walk::Verify::Off;
        }
        let platform = Platform::new(&scenario, &mut rng);
        let (ledger, memory) = match store {
            Some(store) => (store, None),
            None => {
                let memory = MemoryLedger::new();
                (Arc::new(memory.clone()) as Arc<dyn Store>, Some(memory))
            }
        };
        World {
            scenario,
            mutation,
            clock,
            ledger,
            memory,
            platform: shared(platform),
            table: shared(Table::default()),
            rng,
            rough: shared(true),
            stats: shared(Stats::default()),
            trace,
            lives: 0,
        }
    }

    fn say(&self, words: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>9} {}", heliu_model::ports::Clock::now(&self.clock).0 - T0, words());
        }
    }

    fn now(&self) -> Ts {
        heliu_model::ports::Clock::now(&self.clock)
    }

    fn play(mut self) -> Result<Stats, String> {
        self.say(|| format!("{:#?}", self.scenario));
        for _ in 0..self.scenario.rounds {
            self.life()?;
            self.check()?;
            if self.rng.chance(20) {
                self.person(false);
                self.check()?;
            }
            self.between();
        }
        self.calm_down()?;
        let mut stats = with(&self.stats, |s| *s);
        stats.lives = self.lives;
        stats.records = self.records().len() as u64;
        stats.writes = with(&self.table, |t| t.writes.len() as u64);
        Ok(stats)
    }

    /// Time passes, the platform's people work.
    fn between(&mut self) {
        let ms = *self.rng.pick(&[1_000, 20_000, 125_000, 400_000, 1_900_000]);
        self.clock.advance(ms);
        let (now, changes) = (self.now().0, self.rng.below(5));
        for _ in 0..changes {
            with(&self.platform, |p| p.change(now, true));
        }
        if self.rng.chance(10) {
            // Retention is at work, as greedy as it may be, and may be stopped anywhere.
            let keep = Retention {
                calls_before: Some(self.now()),
                calls_bytes: Some(0),
                records_before: Some(self.now()),
                plans: Vec::new(),
            };
            let mut at = Some(PruneAt::default());
            for _ in 0..self.rng.below(12) {
                let Some(here) = at else { break };
                at = self.ask(self.ledger.prune(&keep, here)).ok().and_then(|step| step.next);
            }
        }
        self.say(|| format!("between: {changes} changes"));
    }

    /// No more faults: what is left must settle by starting again, and by what a person is asked for.
    fn calm_down(&mut self) -> Result<(), String> {
        with(&self.rough, |r| *r = false);
        self.say(|| "from here on nothing fails".into());
        let mut settled = false;
        for n in 0..12 {
            self.clock.advance(125_000);
            let report = self.quiet_run()?;
            self.check()?;
            self.say(|| format!("calm run {n}: exit {} {:?}", report.exit_code(), report.counts));
            if report.failure.is_none()
                && !report.resumed
                && report.kind == heliu_model::run::RunKind::Normal
                && self.person(true) == 0
            {
                settled = true;
                break;
            }
        }
        if !settled {
            return Err("it never settles".into());
        }
        self.clock.advance(1_000);
        let last = self.quiet_run()?;
        self.say(|| format!("last run: {:?}", last.counts));
        self.check()?;
        self.verdict(&last)
    }

    fn quiet_run(&mut self) -> Result<heliu_model::run::RunReport, String> {
        match self.run_once(RunOptions::default()) {
            Some(Ok(report)) => Ok(report),
            Some(Err(failure)) => Err(format!("a quiet run does not begin: {failure}")),
            None => Err("a quiet process died".into()),
        }
    }

    /// A person looks at what failed or is in doubt, and sends it again. Returns how many there were.
    fn person(&mut self, thorough: bool) -> u64 {
        let Some(plan) = self.plan() else { return 0 };
        let mut rows = Vec::new();
        for r in self.records() {
            let Some(id) = r.id.clone() else { continue };
            let there = with(&self.table, |t| t.rows.contains_key(&id));
            let mend = match r.state {
                // What stands in a table that takes each row once is left alone: sending it again would be wrong.
                State::Failed | State::InDoubt => !(self.scenario.insert_only && there),
                State::Written => !thorough && !self.scenario.insert_only && self.rng.chance(3),
                _ => false,
            };
            if mend {
                rows.push((r.row, id));
            }
        }
        let ids: Vec<_> = rows.iter().map(|r| r.0).collect();
        let n = self.ask(self.ledger.put_back(plan.id, &ids, self.now())).unwrap_or(0);
        with(&self.table, |t| {
            for (_, id) in &rows {
                t.unanswered.remove(id);
            }
        });
        with(&self.platform, |p| {
            rows.iter().for_each(|(_, id)| *p.resent.entry(id.clone()).or_default() += 1)
        });
        with(&self.stats, |s| s.put_back += n);
        self.say(|| format!("a person puts back {n}: {:?}", rows.iter().map(|r| &r.1).collect::<Vec<_>>()));
        n
    }

    fn plan(&self) -> Option<PlanRow> {
        self.ask(self.ledger.find_plan(&self.scenario.spec.name)).ok().flatten()
    }

    fn records(&self) -> Vec<RecordRow> {
        let Some(plan) = self.plan() else { return Vec::new() };
        self.ask(self.ledger.records(plan.id, RecordFilter::default())).unwrap_or_default()
    }

    /// What the plan that is passed on to has received: content by id.
    fn received(&self) -> Result<BTreeMap<String, String>, Failure> {
        let Some(plan) = self.ask(self.ledger.find_plan(ONWARD))? else { return Ok(BTreeMap::new()) };
        let rows = self.ask(self.ledger.records(plan.id, RecordFilter::default()))?;
        let numbers: Vec<_> = rows.iter().map(|r| r.row).collect();
        let contents: BTreeMap<_, _> = self.ask(self.ledger.contents(&numbers))?.into_iter().collect();
        let text = |r: &RecordRow| {
            let content = contents.get(&r.row).map(|c| String::from_utf8_lossy(c).into_owned());
            Some((r.id.clone()?, content?))
        };
        Ok(rows.iter().filter_map(text).collect())
    }

    /// Asks the ledger, while no time passes.
    fn ask<T>(&self, future: impl Future<Output = T>) -> T {
        self.clock.run(async {
            let _still = self.clock.hold();
            future.await
        })
    }

    fn sent_blindly_is_a_crime(&self) -> bool {
        self.scenario.replay != Replay::Idempotent
    }

    fn shared_clock(&self) -> Arc<ManualClock> {
        Arc::new(self.clock.clone())
    }
}

/// What came of many scenarios.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// All of them together.
    pub stats: Stats,
    /// Scenarios that were played.
    pub played: u64,
    /// Broken promises, by seed.
    pub broken: Vec<Broken>,
}

/// Plays the scenarios `from..from + count` on all processors.
pub fn play_many(from: u64, count: u64) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<Summary> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|t| {
                scope.spawn(move || {
                    let mut part = Summary::default();
                    for seed in (from..from + count).skip(t as usize).step_by(threads as usize) {
                        part.played += 1;
                        match play(seed) {
                            Ok(stats) => part.stats.add(&stats),
                            Err(broken) => part.broken.push(broken),
                        }
                    }
                    part
                })
            })
            .collect();
        workers.into_iter().filter_map(|w| w.join().ok()).collect()
    });
    let mut all = Summary::default();
    for part in parts {
        all.stats.add(&part.stats);
        all.played += part.played;
        all.broken.extend(part.broken);
    }
    all.broken.sort_by_key(|b| b.seed);
    all
}
