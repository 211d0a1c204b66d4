//! What all tasks of a run share: its lease, the clock, and the wish to stop.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use heliu_model::ports::{Clock, Ledger, RunId};
use heliu_model::{Failure, Ts};

use crate::{Progress, Stop};

/// A lease lasts this long (ms) unless renewed; a dead process on the same machine is displaced at once.
pub(crate) const LEASE_MS: i64 = 120_000;
/// The lease is renewed when it is older than this (ms).
const BEAT_MS: i64 = 10_000;

/// Shared state of a run's tasks.
pub(crate) struct Heart {
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
    pub progress: Arc<dyn Progress>,
    pub run: RunId,
    pub epoch: i64,
    pub stop: Stop,
    last_beat: AtomicI64,
    /// The first failure that ends the run; everybody stops at the next step.
    fatal: Mutex<Option<Failure>>,
    ended: AtomicBool,
    pages: AtomicI64,
}

impl Heart {
    pub fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        progress: Arc<dyn Progress>,
        run: RunId,
        epoch: i64,
        stop: Stop,
    ) -> Self {
        let now = clock.now().0;
        Heart {
            ledger,
            clock,
            progress,
            run,
            epoch,
            stop,
            last_beat: AtomicI64::new(now),
            fatal: Mutex::new(None),
            ended: AtomicBool::new(false),
            pages: AtomicI64::new(0),
        }
    }

    /// Now.
    pub fn now(&self) -> Ts {
        self.clock.now()
    }

    /// Ends the run with `failure`; the first one wins.
    pub fn end(&self, failure: Failure) {
        if let Ok(mut slot) = self.fatal.lock() {
            slot.get_or_insert(failure);
        }
        self.ended.store(true, Ordering::Release);
    }

    /// True when no new step should begin.
    pub fn over(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.stop.wished()
    }

    /// The failure that ended the run.
    pub fn fatal(&self) -> Option<Failure> {
        self.fatal.lock().ok().and_then(|f| f.clone())
    }

    /// Counts a stored page.
    pub fn note_page(&self) {
        self.pages.fetch_add(1, Ordering::AcqRel);
    }

    /// Pages stored by this process.
    pub fn pages(&self) -> i64 {
        self.pages.load(Ordering::Acquire)
    }

    /// Renews the lease if it is due.
    ///
    /// # Errors
    /// The run was taken over, or the ledger failed.
    pub async fn beat(&self) -> Result<(), Failure> {
        let now = self.now();
        let last = self.last_beat.load(Ordering::Acquire);
        if now.0 - last < BEAT_MS
            || self.last_beat.compare_exchange(last, now.0, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return Ok(());
        }
        self.ledger.heartbeat(self.run, self.epoch, now.plus_ms(LEASE_MS)).await
    }

    /// Waits `ms`, renewing the lease, and returns early (false) when the run is over.
    ///
    /// # Errors
    /// As [`Heart::beat`].
    pub async fn pause(&self, ms: u64) -> Result<bool, Failure> {
        let mut left = ms;
        while left > 0 {
            if self.over() {
                return Ok(false);
            }
            let step = left.min(250);
            self.clock.sleep_ms(step).await;
            left -= step;
            self.beat().await?;
        }
        Ok(!self.over())
    }
}
