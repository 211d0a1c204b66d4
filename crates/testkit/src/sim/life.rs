//! One start of the process: it works, dies, stands still, or is asked to stop.

use std::sync::Arc;

use heliu_engine::{Engine, RunOptions, Sides, Silent, Stop};
use heliu_model::ports::{Clock, Ledger, Tokens};
use heliu_model::run::RunReport;
use heliu_model::{Failure, Ts};

use super::sides::{LedgerGate, Onward, Tokened};
use super::{Mutation, World};
use crate::fake::{shared, with};
use crate::process::{Process, Side};
use crate::through::Through;

/// Everything that one life needs.
struct Body {
    engine: Engine,
    sides: Sides,
    spec: heliu_engine::PlanSpec,
    owner: String,
}

type Lived = Option<Result<RunReport, Failure>>;

impl World {
    fn body(&mut self, process: &Arc<Process>) -> Body {
        self.lives += 1;
        let owner = format!("life-{}", self.lives);
        let cheat = match self.mutation {
            Some(Mutation::Ledger(cheat)) => Some(cheat),
            _ => None,
        };
        let gate = Arc::new(LedgerGate {
            process: process.clone(),
            rng: shared(self.rng.fork()),
            rough: self.rough.clone(),
            stats: self.stats.clone(),
            faults: self.scenario.ledger_faults,
            clock: self.clock.clone(),
        });
        let ledger = Arc::new(match &self.memory {
            Some(memory) => Through::gated(memory, gate, cheat),
            None => Through::over(self.ledger.clone(), gate),
        });
        let source = self.source(process);
        let shaper = self.shaper(&source);
        let source = Tokened {
            inner: source,
            tokens: ledger.clone() as Arc<dyn Tokens>,
            clock: self.shared_clock(),
            owner: owner.clone(),
            lasts: *self.rng.pick(&[200, 60_000, 86_400_000]),
        };
        let target = self.target(process);
        let sides =
            Sides { source: Arc::new(source), shaper, target: Arc::new(target), renderer: Arc::new(Onward) };
        let engine = Engine::new(ledger as Arc<dyn Ledger>, self.shared_clock(), owner.clone());
        Body { engine, sides, spec: self.scenario.spec.clone(), owner }
    }

    /// Runs the plan once in a process that nothing happens to.
    pub(super) fn run_once(&mut self, options: RunOptions) -> Lived {
        self.run_in(&Process::new(), options, Stop::never()).1
    }

    fn run_in(&mut self, process: &Arc<Process>, options: RunOptions, stop: Stop) -> (String, Lived) {
        let body = self.body(process);
        let run = body.engine.run(&body.spec, &body.sides, options, Arc::new(Silent), stop);
        let lived = self.clock.clone().run(process.live(run));
        self.digest(process);
        self.count(&lived);
        (body.owner, lived)
    }

    /// The next start while times are rough.
    pub(super) fn life(&mut self) -> Result<(), String> {
        let options = self.options();
        let span = *self.rng.pick(&[30, 90, 250]);
        let at = self.rng.below(span) as usize;
        if self.rng.chance(self.scenario.crashes) {
            let process = Process::dying(at);
            let (owner, lived) = self.run_in(&process, options, Stop::never());
            self.say(|| format!("{owner}: died at {at} {:?}: {}", process.last(), told(&lived)));
            if process.dead() {
                with(&self.stats, |s| s.crashes += 1);
                self.left_hanging(&process);
                // Its machine may still know that it is gone; else its lease has to end.
                if self.rng.chance(60)
                    && let Some(memory) = &self.memory
                {
                    memory.bury(&owner);
                }
            }
            return self.exit_is_true(&lived, &options);
        }
        if self.rng.chance(self.scenario.halts) {
            return self.sleeper(at, options);
        }
        if self.rng.chance(15) {
            let (wish, stop) = Stop::new();
            let process = Process::new();
            let seen = process.clone();
            let body = self.body(&process);
            let clock = self.clock.clone();
            let lived = self.clock.clone().run(async move {
                tokio::spawn(async move {
                    while seen.passed() < at {
                        clock.sleep_ms(7).await;
                    }
                    let _ = wish.send(true);
                });
                let run = body.engine.run(&body.spec, &body.sides, options, Arc::new(Silent), stop);
                process.live(run).await
            });
            self.say(|| format!("asked to stop after {at} passages: {}", told(&lived)));
            return self.exit_is_true(&lived, &options);
        }
        let (owner, lived) = self.run_in(&Process::new(), options, Stop::never());
        self.say(|| format!("{owner}: {}", told(&lived)));
        self.exit_is_true(&lived, &options)
    }

    /// What was on its way to the target when the process died: nobody was told.
    fn left_hanging(&mut self, process: &Process) {
        if process.last() == Some(("write", Side::After)) {
            with(&self.table, |t| {
                let sent = t.writes.last().cloned().unwrap_or_default();
                t.unanswered.extend(sent.into_iter().map(|s| s.0));
            });
        }
    }

    /// A process stands still for longer than its lease; a successor works; then it wakes up.
    fn sleeper(&mut self, at: usize, options: RunOptions) -> Result<(), String> {
        let old = Process::halting(at);
        let new = Process::new();
        let (one, two) = (self.body(&old), self.body(&new));
        // It wakes up in the middle of its successor's work, or afterwards.
        let wakes_at = {
            let span = *self.rng.pick(&[20, 100, 400]);
            self.rng.below(span) as usize
        };
        let clock = self.clock.clone();
        let (sleeper, successor) = (old.clone(), new.clone());
        let table = self.table.clone();
        let (halted, first, second) = self.clock.clone().run(async move {
            let silent = Arc::new(Silent);
            let first = tokio::spawn(async move {
                one.engine.run(&one.spec, &one.sides, options, Arc::new(Silent), Stop::never()).await
            });
            while !sleeper.halted() && !first.is_finished() {
                clock.sleep_ms(50).await;
            }
            let halted = sleeper.halted();
            if halted && sleeper.last() == Some(("write", Side::After)) {
                with(&table, |t| {
                    let sent = t.writes.last().cloned().unwrap_or_default();
                    t.unanswered.extend(sent.into_iter().map(|s| s.0));
                });
            }
            clock.sleep_ms(130_000).await;
            let second = tokio::spawn(async move {
                two.engine.run(&two.spec, &two.sides, RunOptions::default(), silent, Stop::never()).await
            });
            while successor.passed() < wakes_at && !second.is_finished() {
                clock.sleep_ms(7).await;
            }
            sleeper.go_on();
            (halted, first.await, second.await)
        });
        let second = second.map_err(|e| format!("a process ended abnormally: {e}"))?;
        let first = first.map_err(|e| format!("a process ended abnormally: {e}"))?;
        with(&self.stats, |s| s.halts += u64::from(halted));
        self.digest(&old);
        self.say(|| {
            let (first, second) = (told(&Some(first.clone())), told(&Some(second.clone())));
            format!("slept at {at} {:?}: {halted}\n   successor: {second}\n   sleeper: {first}", old.last())
        });
        Ok(())
    }

    fn count(&self, lived: &Lived) {
        if let Some(Ok(report)) = lived {
            with(&self.stats, |s| s.pages += report.counts.source.pages);
        }
    }

    fn options(&mut self) -> RunOptions {
        let mut options = RunOptions::default();
        match self.rng.below(20) {
            0 => options.source_only = true,
            1 => options.target_only = true,
            2 => options.limit = Some(self.rng.between(1, 12)),
            3 => {
                options.from = Some(Ts(super::T0 - 7_200_000));
                options.to = Some(Ts(super::T0 - 1_000_000));
            }
            _ => {}
        }
        options
    }

    fn digest(&self, process: &Process) {
        let mut h = 0xcbf2_9ce4_8422_2325u64;
        for op in process.ops() {
            for b in op.bytes() {
                h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        let now = self.now().0 as u64;
        with(&self.stats, |s| s.digest = s.digest.rotate_left(5) ^ h ^ now);
    }
}

fn told(lived: &Lived) -> String {
    match lived {
        None => "dead".into(),
        Some(Err(f)) => format!("did not begin: {f}"),
        Some(Ok(r)) => format!(
            "{:?} exit {} complete {} {:?} failure {:?} problems {:?}",
            r.kind,
            r.exit_code(),
            r.complete,
            r.counts,
            r.failure.as_ref().map(|f| &f.code),
            r.problems.iter().map(|p| &p.code).collect::<Vec<_>>()
        ),
    }
}
