//! One batch from rendering to settling: repetition, bisecting, and what a lost answer means.

mod attempt;
mod rendering;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use heliu_model::ports::{
    Announce, Due, Fence, Found, Left, Outcome, Replay, RowId, RowResult, Settle, TargetSession,
};
use heliu_model::{Call, Class, Failure, retry, text};

use self::attempt::Part;
use self::work::{Ref, Section, Work, agreed, distinct, newest, sections};
use super::{WriteCtx, together};
use crate::fetch::interrupted;
use crate::spec::Written;

/// Throttling without progress ends the run after this long (ms).
const THROTTLE_PATIENCE_MS: u64 = 600_000;

/// Writes batches over one session.
pub(super) struct Batches {
    ctx: Arc<WriteCtx>,
    fence: Fence,
    session: Option<Box<dyn TargetSession>>,
    left: Vec<(RowId, u32)>,
    /// Ids and contents of what is under way, where a success leaves something behind.
    under_way: HashMap<Ref, (String, Bytes)>,
}

impl Batches {
    pub fn new(ctx: Arc<WriteCtx>, fence: Fence) -> Self {
        Batches { ctx, fence, session: None, left: Vec::new(), under_way: HashMap::new() }
    }

    /// Remembers contents until their records are settled.
    fn remember(&mut self, dues: &[Due]) {
        self.under_way.clear();
        if self.ctx.renderer.leaves() {
            let of = |d: &Due| ((d.row, d.version), (d.id.clone(), d.content.clone()));
            self.under_way.extend(dues.iter().map(of));
        }
    }

    /// What the written ones among these leave behind.
    fn leavings(&self, outcomes: &[(RowId, u32, Outcome)]) -> Left {
        if self.under_way.is_empty() {
            return Left::default();
        }
        let written: Vec<Written> = outcomes
            .iter()
            .filter_map(|(row, version, outcome)| {
                let Outcome::Written(reply) = outcome else { return None };
                let (id, content) = self.under_way.get(&(*row, *version))?;
                Some(Written { row: *row, id, content, reply: reply.as_deref() })
            })
            .collect();
        if written.is_empty() {
            return Left::default();
        }
        let heart = &self.ctx.heart;
        let mut left =
            self.ctx.renderer.left(&self.ctx.window, &written, (heart.run, heart.epoch), heart.now());
        let mut said = self.ctx.said.lock().unwrap_or_else(PoisonError::into_inner);
        left.problems.retain(|p| said.insert((p.code.clone(), p.path.clone())));
        left
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
        let dues = newest(self.without_doubt(dues));
        self.remember(&dues);
        if !self.ctx.renderer.gathers() {
            let work = self.render(dues);
            return self.put(work).await;
        }
        let most = self.ctx.target.shape().max_rows.min(self.ctx.batch).max(1);
        let goes = together::goes(self.ctx.renderer.as_ref(), dues.iter().map(|d| &d.content), most);
        let mut dues: Vec<Option<Due>> = dues.into_iter().map(Some).collect();
        let mut ended = Ok(());
        for go in goes {
            // Contents that are written are given up.
            let go: Vec<Due> = go.into_iter().filter_map(|at| dues.get_mut(at)?.take()).collect();
            if ended.is_err() || self.ctx.heart.over() {
                let outcomes = go.iter().map(|d| (d.row, d.version, Outcome::Released)).collect();
                self.settle(None, Vec::new(), outcomes).await?;
                continue;
            }
            for mut work in self.gathered(&go) {
                if ended.is_ok() && !self.ctx.heart.over() {
                    ended = self.put(work).await;
                    continue;
                }
                let refs = std::mem::take(&mut work.refs);
                refs.iter().for_each(|m| m.end(Outcome::Released, &mut work.outcomes));
                self.settle(None, Vec::new(), agreed(work.outcomes)).await?;
            }
        }
        ended
    }

    /// Announces, writes and settles what is rendered.
    async fn put(&mut self, mut work: Work) -> Result<(), Failure> {
        let shape = self.ctx.target.shape().clone();
        let mut intent = None;
        if !shape.local && !work.rows.is_empty() {
            let heart = &self.ctx.heart;
            let announce = Announce {
                run: heart.run,
                epoch: heart.epoch,
                members: distinct(&work.refs),
                synced: shape.replay != Replay::Idempotent,
                now: heart.now(),
            };
            intent = Some(heart.ledger.announce(announce).await?);
        }
        let mut ended = None;
        let rows = std::mem::take(&mut work.rows);
        let refs = std::mem::take(&mut work.refs);
        // What is still to be written, last first.
        let mut parts = sections(rows, refs, shape.max_rows.min(self.ctx.batch).max(1));
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
            // A record whose rows fill several units has no outcome before the last of them.
            let whole = !self.ctx.renderer.gathers();
            if whole && !work.outcomes.is_empty() && !work.calls.is_empty() {
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
                        at.end(outcome, &mut work.outcomes);
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
                        at.end(outcome, &mut work.outcomes);
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
        let outcomes = if self.ctx.renderer.gathers() { agreed(outcomes) } else { outcomes };
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
        self.remember(&dues);
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
                let gathers = self.ctx.renderer.gathers();
                let works = if gathers { self.gathered(&dues) } else { vec![self.render(dues)] };
                let (mut calls, mut outcomes) = (Vec::new(), Vec::new());
                for work in works {
                    outcomes.extend(work.outcomes);
                    let found = if work.rows.is_empty() {
                        Vec::new()
                    } else {
                        self.look_up(&work.rows, &mut calls).await?
                    };
                    for (i, members) in work.refs.iter().enumerate() {
                        let outcome = match found.get(i) {
                            Some(Found::Present) => Outcome::Written(None),
                            Some(Found::Absent) => Outcome::Released,
                            _ => Outcome::InDoubt(Box::new(crashed())),
                        };
                        members.end(outcome, &mut outcomes);
                    }
                }
                let outcomes = if gathers { agreed(outcomes) } else { outcomes };
                self.settle(intent, calls, outcomes).await
            }
        }
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
                left: self.leavings(&outcomes),
                outcomes,
                max_attempts: self.ctx.max_attempts,
                now: heart.now(),
            })
            .await?;
        heart.progress.settled(written, other);
        heart.beat().await
    }
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
