//! Sending one section: repetition by the failure's class, and what a lost answer means.

use std::sync::atomic::Ordering;

use heliu_model::ports::{Found, Replay, RowResult, WriteRow};
use heliu_model::{Call, Class, Failure, retry};

use super::work::Section;
use super::{Batches, THROTTLE_PATIENCE_MS};
use crate::fetch::interrupted;

/// What came of a part of a batch.
pub(super) enum Part {
    Results(Vec<RowResult>),
    /// Some row in it is refused, or it is too large: try halves; alone, it fails.
    Halve(Failure),
    Doubt(Failure),
    /// The answer was lost; this is what a look-up by key found.
    Looked(Vec<Found>, Failure),
    End(Failure),
}

impl Batches {
    /// Writes rows with repetitions; the failure's class decides.
    pub(super) async fn attempt(&mut self, part: &Section, calls: &mut Vec<Call>) -> Part {
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

    pub(super) async fn look_up(
        &mut self,
        rows: &[WriteRow],
        calls: &mut Vec<Call>,
    ) -> Result<Vec<Found>, Failure> {
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
}
