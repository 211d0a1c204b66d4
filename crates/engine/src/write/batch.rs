//! One batch from rendering to settling: repetition, bisecting, and what a lost answer means.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use heliu_model::ports::{
    Announce, Due, Fence, Found, Outcome, Replay, RowId, RowResult, Settle, TargetSession, WriteRow,
};
use heliu_model::{Call, Class, Failure, retry, text};

use super::WriteCtx;
use crate::fetch::interrupted;

/// Throttling without progress ends the run after this long (ms).
const THROTTLE_PATIENCE_MS: u64 = 600_000;

/// Writes batches over one session.
pub(super) struct Batches {
    ctx: Arc<WriteCtx>,
    fence: Fence,
    session: Option<Box<dyn TargetSession>>,
    left: Vec<(RowId, u32)>,
}

/// A rendered batch on its way, and what has been settled of it so far.
struct Work {
    rows: Vec<WriteRow>,
    /// Ledger rows of `rows`, same order.
    refs: Vec<(RowId, u32)>,
    outcomes: Vec<(RowId, u32, Outcome)>,
    calls: Vec<Call>,
}

/// Rows that are written together, and how often that was tried.
struct Section {
    rows: Vec<WriteRow>,
    /// Ledger rows of `rows`, same order.
    refs: Vec<(RowId, u32)>,
    tries: u32,
    /// Why and how long (ms) to wait before the next try.
    pause: Option<(Failure, u64)>,
}

impl Section {
    /// Without rows, as often tried.
    fn none(&self) -> Section {
        Section { rows: Vec::new(), refs: Vec::new(), tries: self.tries, pause: None }
    }

    /// The same outcome for all.
    fn all(&self, outcome: &Outcome) -> impl Iterator<Item = (RowId, u32, Outcome)> {
        self.refs.iter().map(|(row, version)| (*row, *version, outcome.clone()))
    }
}

impl Batches {
    pub fn new(ctx: Arc<WriteCtx>, fence: Fence) -> Self {
        Batches { ctx, fence, session: None, left: Vec::new() }
    }

    /// Versions that stay waiting after a try.
    pub fn left(self) -> Vec<(RowId, u32)> {
        self.left
    }

    /// Renders, announces, writes and settles.
    ///
    /// # Errors
    /// What ends the run. Everything that is known is settled first.
    pub async fn write(&mut self, dues: Vec<Due>) -> Result<(), Failure> {
        if self.ctx.heart.over() {
            let outcomes = dues.iter().map(|d| (d.row, d.version, Outcome::Released)).collect();
            return self.settle(None, Vec::new(), outcomes).await;
        }
        let mut work = self.render(newest(self.without_doubt(dues)));
        let shape = self.ctx.target.shape().clone();
        let mut intent = None;
        if !shape.local && !work.rows.is_empty() {
            let heart = &self.ctx.heart;
            let announce = Announce {
                run: heart.run,
                epoch: heart.epoch,
                members: work.refs.clone(),
                synced: shape.replay != Replay::Idempotent,
                now: heart.now(),
            };
            intent = Some(heart.ledger.announce(announce).await?);
        }
        let mut ended = None;
        let rows = std::mem::take(&mut work.rows);
        let refs = std::mem::take(&mut work.refs);
        // What is still to be written, last first.
        let mut parts =
            if rows.is_empty() { Vec::new() } else { vec![Section { rows, refs, tries: 0, pause: None }] };
        while let Some(mut part) = parts.pop() {
            if ended.is_none() && self.ctx.heart.over() {
                ended = Some(self.ctx.heart.fatal().unwrap_or_else(interrupted));
            }
            if ended.is_none()
                && let Some((why, ms)) = part.pause.take()
            {
                self.ctx.heart.progress.waiting(&why, ms);
                match self.ctx.heart.pause(ms).await {
                    Ok(true) => {}
                    Ok(false) => ended = Some(self.ctx.heart.fatal().unwrap_or_else(interrupted)),
                    Err(lost) => ended = Some(lost),
                }
            }
            if ended.is_some() {
                work.outcomes.extend(part.all(&Outcome::Released));
                continue;
            }
            if !work.outcomes.is_empty() && !work.calls.is_empty() {
                // Each record is kept with the call that carried it, not with the batch's last one.
                let (calls, outcomes) = (std::mem::take(&mut work.calls), std::mem::take(&mut work.outcomes));
                self.settle(None, calls, outcomes).await?;
            }
            match self.attempt(&part, &mut work.calls).await {
                Part::Results(results) => {
                    let mut again = part.none();
                    let mut why = None;
                    for (i, (row, at)) in part.rows.into_iter().zip(part.refs).enumerate() {
                        let outcome = match results.get(i) {
                            Some(RowResult::Written(reply)) => {
                                Outcome::Written(reply.as_ref().map(heliu_transform::Value::to_json))
                            }
                            Some(RowResult::Failed(f)) => Outcome::Failed(Box::new(f.clone())),
                            Some(RowResult::Waiting(f)) if again.tries < self.ctx.retries => {
                                again.rows.push(row);
                                again.refs.push(at);
                                why.get_or_insert_with(|| f.clone());
                                continue;
                            }
                            Some(RowResult::Waiting(f)) => Outcome::Waiting(Box::new(f.clone())),
                            Some(RowResult::InDoubt(f)) => Outcome::InDoubt(Box::new(f.clone())),
                            None => Outcome::InDoubt(Box::new(unreported())),
                        };
                        work.outcomes.push((at.0, at.1, outcome));
                    }
                    parts.extend(self.once_more(again, why));
                }
                Part::Halve(failure) if part.rows.len() > 1 => {
                    tracing::debug!(rows = part.rows.len(), code = %failure.code, "batch is halved");
                    let half = part.rows.len() / 2;
                    let mut right = part.none();
                    right.rows = part.rows.split_off(half);
                    right.refs = part.refs.split_off(half);
                    parts.push(right);
                    parts.push(part);
                }
                Part::Halve(failure) => {
                    work.outcomes.extend(part.all(&Outcome::Failed(Box::new(failure))));
                }
                Part::Looked(found, failure) => {
                    // What is not there is sent again, as after any passing failure.
                    let mut again = part.none();
                    for (i, (row, at)) in part.rows.into_iter().zip(part.refs).enumerate() {
                        let outcome = match found.get(i) {
                            Some(Found::Present) => Outcome::Written(None),
                            Some(Found::Absent) if again.tries < self.ctx.retries => {
                                again.rows.push(row);
                                again.refs.push(at);
                                continue;
                            }
                            Some(Found::Absent) => Outcome::Waiting(Box::new(failure.clone())),
                            _ => Outcome::InDoubt(Box::new(failure.clone())),
                        };
                        work.outcomes.push((at.0, at.1, outcome));
                    }
                    parts.extend(self.once_more(again, Some(failure)));
                }
                Part::Doubt(failure) => {
                    self.session = None;
                    work.outcomes.extend(part.all(&Outcome::InDoubt(Box::new(failure))));
                }
                Part::End(failure) => {
                    let outcome = match failure.class {
                        Class::Transient => Outcome::Waiting(Box::new(failure.clone())),
                        _ => Outcome::Released,
                    };
                    work.outcomes.extend(part.all(&outcome));
                    ended = Some(failure);
                }
            }
        }
        let Work { outcomes, calls, .. } = work;
        self.settle(intent, calls, outcomes).await?;
        match ended {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// The part that is to be tried once more, after a pause; `None` when there is nothing in it.
    fn once_more(&self, mut part: Section, why: Option<Failure>) -> Option<Section> {
        let why = why.filter(|_| !part.rows.is_empty())?;
        part.tries += 1;
        let wait = retry::wait_ms(part.tries, self.ctx.heart.clock.jitter());
        let wait = wait.max(why.retry_after_ms.unwrap_or(0).min(THROTTLE_PATIENCE_MS));
        part.pause = Some((why, wait));
        Some(part)
    }

    /// Newer versions of records that came into doubt on their way stay where they are: in doubt, in the ledger.
    fn without_doubt(&self, mut dues: Vec<Due>) -> Vec<Due> {
        let doubted = self.ctx.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        if !doubted.is_empty() {
            dues.retain(|d| !doubted.contains(&d.row));
        }
        dues
    }

    /// Resolves what a former owner announced and never settled: replayed, looked up, or in doubt. `intent` ends
    /// with it.
    ///
    /// # Errors
    /// As [`Batches::write`].
    pub async fn resolve(&mut self, intent: Option<i64>, dues: Vec<Due>) -> Result<(), Failure> {
        match self.ctx.target.shape().replay {
            // Back to waiting: the writer that owns each record repeats the statement under its own fence.
            Replay::Idempotent => {
                let outcomes = dues.iter().map(|d| (d.row, d.version, Outcome::Released)).collect();
                self.settle(intent, Vec::new(), outcomes).await
            }
            Replay::Never => {
                let outcomes =
                    dues.iter().map(|d| (d.row, d.version, Outcome::InDoubt(Box::new(crashed())))).collect();
                self.settle(intent, Vec::new(), outcomes).await
            }
            Replay::LookUp => {
                let work = self.render(dues);
                let mut calls = Vec::new();
                let found = if work.rows.is_empty() {
                    Vec::new()
                } else {
                    self.look_up(&work.rows, &mut calls).await?
                };
                let mut outcomes = work.outcomes;
                for (i, (row, version)) in work.refs.iter().enumerate() {
                    outcomes.push((
                        *row,
                        *version,
                        match found.get(i) {
                            Some(Found::Present) => Outcome::Written(None),
                            Some(Found::Absent) => Outcome::Released,
                            _ => Outcome::InDoubt(Box::new(crashed())),
                        },
                    ));
                }
                self.settle(intent, calls, outcomes).await
            }
        }
    }

    fn render(&self, dues: Vec<Due>) -> Work {
        let mut work = Work {
            rows: Vec::with_capacity(dues.len()),
            refs: Vec::with_capacity(dues.len()),
            outcomes: Vec::with_capacity(dues.len()),
            calls: Vec::new(),
        };
        for due in dues {
            match self.ctx.renderer.render(&self.ctx.window, &due.content) {
                Ok(body) => {
                    work.rows.push(WriteRow { id: due.id, version: due.version, body });
                    work.refs.push((due.row, due.version));
                }
                Err(failure) => {
                    work.outcomes.push((due.row, due.version, Outcome::Failed(Box::new(failure))));
                }
            }
        }
        work
    }

    /// Writes rows with repetitions; the failure's class decides.
    async fn attempt(&mut self, part: &Section, calls: &mut Vec<Call>) -> Part {
        let ctx = self.ctx.clone();
        let heart = &ctx.heart;
        let rows = &part.rows;
        let (mut attempt, mut throttled_ms) = (part.tries, 0u64);
        loop {
            let failure = match self.once(rows, calls).await {
                Ok(results) => {
                    ctx.struggling.store(false, Ordering::Release);
                    return Part::Results(results);
                }
                Err(failure) => failure,
            };
            if failure.split {
                return Part::Halve(failure);
            }
            let mut failure = failure;
            if failure.doubt {
                match ctx.target.shape().replay {
                    // The same statement again gives the same table: only a repetition.
                    Replay::Idempotent => failure.class = Class::Transient,
                    Replay::Never => return Part::Doubt(failure),
                    Replay::LookUp => return self.after_doubt(rows, failure, calls).await,
                }
            }
            let wait = match failure.class {
                Class::Data => return Part::Halve(failure),
                Class::RateLimited => {
                    let wait = failure.retry_after_ms.unwrap_or(1_000).clamp(50, THROTTLE_PATIENCE_MS);
                    throttled_ms += wait;
                    (throttled_ms <= THROTTLE_PATIENCE_MS).then_some(wait)
                }
                Class::Transient if attempt < ctx.retries => {
                    attempt += 1;
                    Some(
                        retry::wait_ms(attempt, heart.clock.jitter())
                            .max(failure.retry_after_ms.unwrap_or(0)),
                    )
                }
                _ => None,
            };
            let Some(wait) = wait else { return Part::End(failure) };
            ctx.struggling.store(true, Ordering::Release);
            heart.progress.waiting(&failure, wait);
            match heart.pause(wait).await {
                Ok(true) => {}
                Ok(false) => return Part::End(heart.fatal().unwrap_or_else(interrupted)),
                Err(lost) => return Part::End(lost),
            }
        }
    }

    /// One try: the epoch is checked last, then the batch is sent. Where the target is fenced, the order matters: the
    /// fence is taken first and the ledger asked afterwards, so that a successor must displace this session before it
    /// can write; a process that slept in between finds its session gone.
    async fn once(&mut self, rows: &[WriteRow], calls: &mut Vec<Call>) -> Result<Vec<RowResult>, Failure> {
        let mut session = match self.session.take() {
            Some(open) => open,
            None => {
                let fresh = self.ctx.target.open(&self.fence).await?;
                self.ctx.heart.check().await?;
                fresh
            }
        };
        if session.hold().await? {
            self.ctx.heart.check().await?;
        } else {
            self.ctx.heart.beat().await?;
        }
        let exchange = session.write(rows).await;
        calls.extend(exchange.calls);
        if exchange.result.as_ref().is_ok_and(|_| true)
            || exchange.result.as_ref().is_err_and(|f| f.class == Class::Data && !f.doubt && !f.split)
        {
            // A database that was sent too large a packet ends the connection.
            self.session = Some(session);
        }
        exchange.result
    }

    /// The answer was lost and rows can be found by key: what is there counts as written, the rest is written.
    async fn after_doubt(&mut self, rows: &[WriteRow], failure: Failure, calls: &mut Vec<Call>) -> Part {
        self.session = None;
        let mut tries = 0;
        loop {
            // A look-up that fails says nothing: it is repeated before the records are left in doubt.
            match self.look_up(rows, calls).await {
                Ok(found) => return Part::Looked(found, failure),
                Err(why) if why.class == Class::Transient && tries < self.ctx.retries => {
                    tries += 1;
                    let wait = retry::wait_ms(tries, self.ctx.heart.clock.jitter());
                    self.ctx.heart.progress.waiting(&why, wait);
                    if !matches!(self.ctx.heart.pause(wait).await, Ok(true)) {
                        return Part::Doubt(failure);
                    }
                }
                Err(_) => return Part::Doubt(failure),
            }
        }
    }

    async fn look_up(&mut self, rows: &[WriteRow], calls: &mut Vec<Call>) -> Result<Vec<Found>, Failure> {
        let mut session = match self.session.take() {
            Some(open) => open,
            None => self.ctx.target.open(&self.fence).await?,
        };
        let exchange = session.look_up(rows).await;
        calls.extend(exchange.calls);
        let found = exchange.result?;
        self.session = Some(session);
        Ok(found)
    }

    async fn settle(
        &mut self,
        intent: Option<i64>,
        calls: Vec<Call>,
        outcomes: Vec<(RowId, u32, Outcome)>,
    ) -> Result<(), Failure> {
        if outcomes.is_empty() && calls.is_empty() && intent.is_none() {
            return Ok(());
        }
        let heart = &self.ctx.heart;
        for (row, _, outcome) in &outcomes {
            match outcome {
                Outcome::InDoubt(_) => {
                    self.ctx.doubted.lock().unwrap_or_else(PoisonError::into_inner).insert(*row);
                }
                Outcome::Waiting(why) => {
                    let mut slot = self.ctx.put_off.lock().unwrap_or_else(PoisonError::into_inner);
                    slot.get_or_insert_with(|| why.as_ref().clone());
                }
                _ => {}
            }
        }
        let written = outcomes.iter().filter(|o| matches!(o.2, Outcome::Written(_))).count() as u64;
        let other = outcomes.len() as u64 - written;
        self.left.extend(
            outcomes
                .iter()
                .filter(|o| matches!(o.2, Outcome::Waiting(_)))
                .map(|(row, version, _)| (*row, *version)),
        );
        heart
            .ledger
            .settle(Settle {
                run: heart.run,
                epoch: heart.epoch,
                intent,
                calls,
                outcomes,
                max_attempts: self.ctx.max_attempts,
                now: heart.now(),
            })
            .await?;
        heart.progress.settled(written, other);
        heart.beat().await
    }
}

/// Of a record that came twice into one batch only the newer version goes on: the ledger has counted the older one as
/// superseded, and a repetition of it alone would write it over the newer one.
fn newest(mut dues: Vec<Due>) -> Vec<Due> {
    let mut latest: HashMap<RowId, u32> = HashMap::with_capacity(dues.len());
    for due in &dues {
        let version = latest.entry(due.row).or_default();
        *version = due.version.max(*version);
    }
    if latest.len() < dues.len() {
        dues.retain(|d| latest.get(&d.row) == Some(&d.version));
    }
    dues
}

/// What came of a part of a batch.
enum Part {
    Results(Vec<RowResult>),
    /// Some row in it is refused, or it is too large: try halves; alone, it fails.
    Halve(Failure),
    Doubt(Failure),
    /// The answer was lost; this is what a look-up by key found.
    Looked(Vec<Found>, Failure),
    End(Failure),
}

fn unreported() -> Failure {
    Failure::data(
        "HL-7030",
        text!("the target's reply says nothing about this record", "目标的响应中没有提到这条数据"),
    )
    .hint(text!(
        "look the record up in the target, then `heliu retry` it if it is missing",
        "请在目标系统中查找该数据,若不存在再用 `heliu retry` 重试"
    ))
}

fn crashed() -> Failure {
    Failure::data(
        "HL-7031",
        text!(
            "the process ended between sending this record and learning the answer",
            "进程在发送该数据之后、得到响应之前结束"
        ),
    )
    .hint(text!(
        "look the record up in the target; `heliu retry --state in_doubt` sends it again",
        "请在目标系统中查找该数据;`heliu retry --state in_doubt` 会再次发送"
    ))
}
