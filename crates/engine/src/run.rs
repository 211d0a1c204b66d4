//! One run of one plan: windows frozen, read, written, closed, certified.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use heliu_model::ports::{
    Claim, Clock, CloseRun, Ledger, Left, OpenRun, OwnedRun, PlanRow, RowId, RunOpening, Settle, Source,
    Target, Tick,
};
use heliu_model::run::{RunKind, RunReport, RunState};
use heliu_model::walk::Walk;
use heliu_model::{Class, Failure, Problem, Text, Ts, Window, text};

use crate::Progress;
use crate::alerts::{About, Alarm};
use crate::fetch::interrupted;
use crate::heart::{Heart, LEASE_MS};
use crate::read::{LIMIT, Reader};
use crate::remedy::Remedy;
use crate::spec::{PlanSpec, Renderer, RunOptions, Shaper, Stop};
use crate::write::{self, WriteCtx, Writers};

/// Records claimed from the ledger at a time.
const CLAIM_ROWS: usize = 2_000;
/// Times that what waits is claimed before a run ends.
const CLAIM_ROUNDS: u32 = 4;

/// Runs plans over a ledger.
pub struct Engine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    owner: String,
    lease_ms: i64,
    alarm: Option<Alarm>,
}

/// The two sides of a plan, ready to be used.
pub struct Sides {
    /// Reads.
    pub source: Arc<dyn Source>,
    /// Cuts and keys elements.
    pub shaper: Arc<dyn Shaper>,
    /// Writes.
    pub target: Arc<dyn Target>,
    /// Renders.
    pub renderer: Arc<dyn Renderer>,
}

/// What a run got done, whatever ended it.
#[derive(Default)]
struct Done {
    /// Every window was read to its end.
    read: bool,
    /// Why something stays waiting although it was tried.
    put_off: Option<Failure>,
}

impl Engine {
    /// An engine. `owner` names this process (`host:pid:start`) in leases.
    pub fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>, owner: impl Into<String>) -> Self {
        Engine { ledger, clock, owner: owner.into(), lease_ms: LEASE_MS, alarm: None }
    }

    /// How long (ms) a run stays with a process that gives no sign of life; at least a second.
    #[must_use]
    pub fn lease_ms(mut self, ms: i64) -> Self {
        self.lease_ms = ms.max(1_000);
        self
    }

    /// Raises alerts.
    #[must_use]
    pub fn alarm(mut self, alarm: Alarm) -> Self {
        self.alarm = Some(alarm);
        self
    }

    /// What raises alerts, if anything does.
    pub(crate) fn alarmed(&self) -> Option<&Alarm> {
        self.alarm.as_ref()
    }

    /// Runs a plan once, or resumes its interrupted run.
    ///
    /// # Errors
    /// Before anything began: wrong range, busy plan, broken ledger. Later failures are in the report.
    pub async fn run(
        &self,
        spec: &PlanSpec,
        sides: &Sides,
        options: RunOptions,
        progress: Arc<dyn Progress>,
        stop: Stop,
    ) -> Result<RunReport, Failure> {
        let result = self.once(spec, sides, options, progress, stop).await;
        if let Some(alarm) = &self.alarm {
            let about = About { plan: &spec.name, connectors: &spec.connectors };
            alarm.ended(&about, &options, &result).await;
        }
        result
    }

    async fn once(
        &self,
        spec: &PlanSpec,
        sides: &Sides,
        options: RunOptions,
        progress: Arc<dyn Progress>,
        stop: Stop,
    ) -> Result<RunReport, Failure> {
        let begun = self.clock.monotonic_ms();
        let plan = self.ledger.plan(&spec.name, &spec.uuid, self.clock.now()).await?;
        let read_to = self.read_to(spec, &plan).await?;
        let (kind, windows) = self.windows(spec, &plan, read_to, sides.source.as_ref(), &options)?;
        let owned = self.open(spec, &plan, kind, &windows, sides.source.as_ref(), options.tick).await?;
        let heart = Arc::new(Heart::new(
            self.ledger.clone(),
            self.clock.clone(),
            progress,
            owned.id,
            owned.epoch,
            stop,
            self.lease_ms,
        ));
        let mut done = Done::default();
        let outcome = heart.keep(self.work(&heart, spec, sides, &options, &owned, &plan, &mut done)).await;
        if let Err(failure) = outcome {
            heart.end(failure);
        }
        let mut failure = heart.fatal().or_else(|| heart.stop.wished().then(interrupted));
        if failure.is_none()
            && let Some(why) = done.put_off
            && self.ledger.state_counts(plan.id).await?.waiting > 0
        {
            // Tried as often as the plan allows, and still to be written.
            failure = Some(why);
        }
        let seconds = self.clock.monotonic_ms().saturating_sub(begun) as f64 / 1000.0;
        let begun_reading = owned.counts.source.pages > 0 || heart.pages() > 0;
        let said = sides.renderer.warnings();
        self.close(spec, &plan, &owned, begun_reading && !done.read, failure, said, seconds).await
    }

    /// Where the watermark is ahead of now: how far the runs before it, and those since, have read without a gap.
    async fn read_to(&self, spec: &PlanSpec, plan: &PlanRow) -> Result<Option<Ts>, Failure> {
        let settled = self.clock.now().plus_ms(-spec.settle_ms);
        if plan.watermark.is_none_or(|w| w <= settled) {
            return Ok(None);
        }
        let runs = self.ledger.runs(plan.id, 100).await?;
        Ok(runs.iter().filter(|r| r.kind == RunKind::Normal).find_map(|r| {
            let complete = r.windows.iter().take_while(|w| w.complete).map(|w| w.window.to);
            complete.filter(|to| *to <= settled).last()
        }))
    }

    /// The windows this run is to read (dialect, decisions table; interface §2.2, §3).
    fn windows(
        &self,
        spec: &PlanSpec,
        plan: &PlanRow,
        read_to: Option<Ts>,
        source: &dyn Source,
        options: &RunOptions,
    ) -> Result<(RunKind, Vec<Window>), Failure> {
        if options.target_only {
            return Ok((RunKind::TargetOnly, Vec::new()));
        }
        let now = self.clock.now();
        let now = options.as_of.map_or(now, |t| t.min(now));
        let settled = source.shape().edges.end(now, spec.settle_ms, source.clock_behind_ms());
        let start = spec.start.unwrap_or_else(|| plan.first_seen.plus_ms(-86_400_000).floor_secs());
        if options.remedy {
            // The remedy's own parameters say what is read; the time variables are those of a run of now.
            let to = settled.max(start);
            return Ok((RunKind::Remedy, vec![Window { from: plan.watermark.unwrap_or(start).min(to), to }]));
        }
        let backfill = options.from.is_some() || options.to.is_some();
        let range = if backfill {
            Window {
                from: options.from.or(plan.watermark).unwrap_or(start),
                to: options.to.unwrap_or(settled),
            }
        } else {
            // A watermark ahead of now was set by a clock that was wrong then (or is now): what changes meanwhile is read
            // all the same, not only once the clock has come so far.
            let reached = |w: Ts| if w > settled { read_to.unwrap_or(settled).min(settled) } else { w };
            let from = plan.watermark.map_or(start, |w| reached(w).plus_ms(-spec.lookback_ms));
            // A clock that was set back must not turn the window around.
            Window { from, to: settled.max(from) }
        };
        if range.from > range.to {
            let (from, to) = (range.from.rfc3339(spec.tz), range.to.rfc3339(spec.tz));
            return Err(Failure::config(
                "HL-1050",
                text!(
                    "the window begins at {from}, after its end {to}",
                    "时间窗口的开始 {from} 晚于结束 {to}"
                ),
            )
            .at("--from")
            .hint(text!(
                "give `--from` before `--to`; a missing end is the watermark, or now minus settle",
                "`--from` 应早于 `--to`;缺省的一端取水位线,或当前时间减去 settle"
            )));
        }
        let cap = source.shape().max_window_ms;
        let length = match (spec.window_ms, cap) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let kind = match (options.limit.is_some(), backfill) {
            (true, _) => RunKind::Limited,
            (_, true) => RunKind::Backfill,
            _ => RunKind::Normal,
        };
        Ok((kind, range.split(if spec.windowed { length } else { None }, source.shape().edges.tz)))
    }

    async fn open(
        &self,
        spec: &PlanSpec,
        plan: &PlanRow,
        kind: RunKind,
        windows: &[Window],
        source: &dyn Source,
        tick: Option<Tick>,
    ) -> Result<OwnedRun, Failure> {
        let walk = Walk::new(source.shape().paging, spec.verify, source.shape().page_size);
        let walk = serde_json::to_string(&walk).unwrap_or_default();
        // A second round is needed when an interrupted run of another range has to be put aside first.
        for _ in 0..2 {
            let now = self.clock.now();
            let opening = self
                .ledger
                .open_run(OpenRun {
                    plan: plan.id,
                    ulid: ulid::Ulid::from_datetime(
                        std::time::UNIX_EPOCH
                            + std::time::Duration::from_millis(u64::try_from(now.0).unwrap_or(0)),
                    )
                    .to_string(),
                    kind,
                    windows: windows.iter().map(|w| (*w, walk.clone())).collect(),
                    owner: self.owner.clone(),
                    now,
                    lease_until: now.plus_ms(self.lease_ms),
                    tick,
                })
                .await?;
            let owned = match opening {
                RunOpening::Owned(owned) => *owned,
                RunOpening::Answered(_) => return Err(answered(&spec.name)),
                RunOpening::Busy { owner, since } => {
                    let (name, since) = (&spec.name, since.local(spec.tz));
                    return Err(Failure::transient(
                        BUSY,
                        text!(
                            "plan `{name}` is already being run by {owner} since {since}",
                            "方案 `{name}` 正在由 {owner} 运行(自 {since} 起)"
                        ),
                    )
                    .hint(text!(
                        "wait until it has ended; two runs of one plan never work at the same time",
                        "请等待其结束;同一方案不会同时运行两次"
                    )));
                }
            };
            // An explicit range is what the user wants now: an interrupted run over another one gives way. What it
            // had stored stays and is written.
            let wanted = matches!(kind, RunKind::Normal | RunKind::TargetOnly | RunKind::Remedy)
                || (kind == RunKind::Backfill && owned.windows.iter().map(|w| &w.window).eq(windows.iter()))
                || !owned.resumed;
            if wanted {
                return Ok(owned);
            }
            self.finish(&owned, RunState::Stopped, None, Vec::new(), 0.0).await?;
        }
        Err(Failure::internal("HL-7093", text!("the plan's run could not be opened", "无法打开该方案的运行")))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one run")]
    async fn work(
        &self,
        heart: &Arc<Heart>,
        spec: &PlanSpec,
        sides: &Sides,
        options: &RunOptions,
        owned: &OwnedRun,
        plan: &PlanRow,
        done: &mut Done,
    ) -> Result<(), Failure> {
        let now = heart.now();
        let window =
            owned.windows.last().map_or(Window { from: plan.watermark.unwrap_or(now), to: now }, |w| {
                Window {
                    from: owned.windows.first().map_or(w.window.from, |f| f.window.from),
                    to: w.window.to,
                }
            });
        let ctx = (!options.source_only).then(|| {
            Arc::new(WriteCtx {
                heart: heart.clone(),
                target: sides.target.clone(),
                renderer: sides.renderer.clone(),
                window,
                plan: spec.name.clone(),
                batch: spec.batch,
                retries: spec.retries,
                max_attempts: spec.max_attempts,
                struggling: AtomicBool::new(false),
                doubted: Mutex::new(HashSet::new()),
                said: Mutex::new(owned.problems.iter().map(|p| (p.code.clone(), p.path.clone())).collect()),
                put_off: Mutex::new(None),
            })
        });
        let Some(ctx) = ctx else {
            self.read(heart, spec, sides, options, owned, plan, None).await?;
            done.read = true;
            return Ok(());
        };
        write::resolve_intents(&ctx, &owned.intents).await?;
        let writers = Writers::start(ctx.clone());
        // What waited before goes first, oldest first; where records are put together, with what comes now.
        let gathers = ctx.renderer.gathers();
        let waited = if gathers { Ok(0) } else { self.claim(&ctx, plan, &writers, &HashSet::new()).await };
        let read = match waited {
            Ok(_) => self.read(heart, spec, sides, options, owned, plan, Some(&writers)).await,
            Err(e) => Err(e),
        };
        // What was handed over is settled even when reading failed: records that came are written.
        let stopped = match read {
            Err(failure) if failure.code == "HL-6005" || failure.class == Class::Internal => {
                heart.end(failure);
                None
            }
            Err(failure) => Some(failure),
            Ok(()) => {
                done.read = true;
                None
            }
        };
        let mut tried: HashSet<(RowId, u32)> = writers.finish().await.into_iter().collect();
        // What overflowed or was superseded on its way waits in the ledger.
        // Half of what belongs together is not written: its other half may be on the page that did not come.
        let half = gathers && stopped.is_some();
        for _ in 0..CLAIM_ROUNDS {
            if heart.over() || half {
                break;
            }
            let writers = Writers::start(ctx.clone());
            let claimed = self.claim(&ctx, plan, &writers, &tried).await;
            tried.extend(writers.finish().await);
            if claimed? == 0 {
                break;
            }
        }
        done.put_off = ctx.put_off.lock().unwrap_or_else(PoisonError::into_inner).take();
        match stopped {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Hands over everything that waits, in the order of arrival. Returns how many were handed over.
    async fn claim(
        &self,
        ctx: &Arc<WriteCtx>,
        plan: &PlanRow,
        writers: &Writers,
        tried: &HashSet<(RowId, u32)>,
    ) -> Result<u64, Failure> {
        let heart = &ctx.heart;
        let (mut after, mut handed) = (0, 0u64);
        while !heart.over() {
            let due = heart
                .ledger
                .claim(Claim { plan: plan.id, run: heart.run, epoch: heart.epoch, max: CLAIM_ROWS, after })
                .await?;
            let Some(last) = due.last() else { break };
            after = last.row;
            let (again, fresh): (Vec<_>, Vec<_>) =
                due.into_iter().partition(|d| tried.contains(&(d.row, d.version)));
            if !again.is_empty() {
                let outcomes =
                    again.iter().map(|d| (d.row, d.version, heliu_model::ports::Outcome::Released)).collect();
                heart
                    .ledger
                    .settle(Settle {
                        run: heart.run,
                        epoch: heart.epoch,
                        intent: None,
                        calls: Vec::new(),
                        outcomes,
                        left: Left::default(),
                        max_attempts: ctx.max_attempts,
                        now: heart.now(),
                    })
                    .await?;
            }
            handed += fresh.len() as u64;
            writers.hand(fresh).await;
            heart.beat().await?;
        }
        Ok(handed)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one run")]
    async fn read(
        &self,
        heart: &Arc<Heart>,
        spec: &PlanSpec,
        sides: &Sides,
        options: &RunOptions,
        owned: &OwnedRun,
        plan: &PlanRow,
        writers: Option<&Writers>,
    ) -> Result<(), Failure> {
        if options.target_only {
            return Ok(());
        }
        let mut reader = Reader {
            heart: heart.clone(),
            source: sides.source.clone(),
            shaper: sides.shaper.clone(),
            kind: owned.kind,
            policy: spec.policy,
            retries: spec.retries,
            left: options.limit,
            remedy: None,
            warned: Vec::new(),
            puzzled: false,
            settled: owned.started.plus_ms(-spec.settle_ms),
            whole: owned.windows.iter().filter(|w| w.closed).all(|w| w.report.complete),
        };
        if owned.kind == RunKind::Remedy {
            reader.remedy = Some(Remedy::new(self.ledger.as_ref(), plan.id, owned.id, spec.tz).await?);
        }
        let of = u32::try_from(owned.windows.len()).unwrap_or(u32::MAX);
        for open in owned.windows.iter().filter(|w| !w.closed) {
            heart.progress.window(open.seq, of);
            match reader.window(open, writers).await {
                Err(failure) if failure.code == LIMIT => return Ok(()),
                other => other?,
            }
        }
        Ok(())
    }

    async fn finish(
        &self,
        owned: &OwnedRun,
        state: RunState,
        failure: Option<Failure>,
        problems: Vec<Problem>,
        seconds: f64,
    ) -> Result<heliu_model::ports::RunRow, Failure> {
        self.ledger
            .close_run(CloseRun {
                run: owned.id,
                epoch: owned.epoch,
                state,
                problems,
                failure,
                seconds,
                now: self.clock.now(),
            })
            .await
    }

    #[expect(clippy::too_many_arguments, reason = "what a run leaves behind")]
    async fn close(
        &self,
        spec: &PlanSpec,
        plan: &PlanRow,
        owned: &OwnedRun,
        to_resume: bool,
        failure: Option<Failure>,
        said: Vec<Text>,
        seconds: f64,
    ) -> Result<RunReport, Failure> {
        if let Some(lost) = failure.as_ref().filter(|f| f.code == "HL-6005") {
            // Somebody else owns the run now: nothing of it is ours to close.
            return Err(lost.clone());
        }
        let limited = owned.kind == RunKind::Limited;
        // A run in the middle of its windows stays open: the next start resumes it. A limited one, one that read nothing
        // yet, or one that read everything has nothing to resume: the next start freezes its windows anew, and takes
        // along what waits.
        let state = match &failure {
            Some(_) if !limited && to_resume => RunState::Open,
            Some(_) => RunState::Stopped,
            None => RunState::Done,
        };
        let problems = said.into_iter().map(|w| Problem::warning("HL-2216", "target.metadata", w)).collect();
        let row = self.finish(owned, state, failure.clone(), problems, seconds).await?;
        let standing = self.ledger.state_counts(plan.id).await?;
        let mut report = RunReport::from_row(&spec.name, &row, &standing);
        report.failure = failure;
        report.resumed = owned.resumed;
        report.seconds = seconds;
        Ok(report)
    }
}

/// Two schedulers, one tick: the other one was first.
fn answered(plan: &str) -> Failure {
    let plan = plan.to_owned();
    Failure::transient(
        ANSWERED,
        text!("this tick of plan `{plan}` has been answered already", "方案 `{plan}` 的这次触发已被处理"),
    )
}

/// Code of a tick that somebody else has answered.
pub(crate) const ANSWERED: &str = "HL-7005";
/// Code of a plan that somebody else is running.
pub(crate) const BUSY: &str = "HL-7001";
