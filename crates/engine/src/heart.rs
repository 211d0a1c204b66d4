//! What all tasks of a run share: its lease, the clock, and the wish to stop.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use heliu_model::ports::{Clock, Ledger, RunId};
use heliu_model::{Failure, Ts};

use crate::{Progress, Stop};

/// A lease lasts this long (ms) unless renewed; a dead process on the same machine is displaced at once.
pub(crate) const LEASE_MS: i64 = 120_000;

/// When the lease was last renewed, on both clocks: the wall clock may be set, the steady one may stand still while
/// the machine sleeps.
#[derive(Debug, Clone, Copy)]
struct Beat {
    wall: i64,
    steady: u64,
}

/// Shared state of a run's tasks.
pub(crate) struct Heart {
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
    pub progress: Arc<dyn Progress>,
    pub run: RunId,
    pub epoch: i64,
    pub stop: Stop,
    lease_ms: i64,
    /// Held while the ledger is asked, so that nobody goes on before the answer is known.
    last_beat: tokio::sync::Mutex<Beat>,
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
        lease_ms: i64,
    ) -> Self {
        let last_beat = tokio::sync::Mutex::new(Beat { wall: clock.now().0, steady: clock.monotonic_ms() });
        Heart {
            lease_ms,
            ledger,
            clock,
            progress,
            run,
            epoch,
            stop,
            last_beat,
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

    /// How often the lease is renewed (ms): whoever was paused for as long as the lease lasts finds it due.
    pub fn beat_ms(&self) -> i64 {
        (self.lease_ms / 12).clamp(10, 10_000)
    }

    /// Renews the lease if it is due.
    ///
    /// # Errors
    /// The run was taken over, or the ledger failed.
    pub async fn beat(&self) -> Result<(), Failure> {
        self.renew(false).await
    }

    /// Asks the ledger whether the run is still ours, and renews the lease.
    ///
    /// # Errors
    /// As [`Heart::beat`].
    pub async fn check(&self) -> Result<(), Failure> {
        self.renew(true).await
    }

    async fn renew(&self, always: bool) -> Result<(), Failure> {
        // Whoever comes while the ledger is being asked waits for its answer.
        let mut last = self.last_beat.lock().await;
        let (now, steady) = (self.now(), self.clock.monotonic_ms());
        let fresh = (0..self.beat_ms()).contains(&now.0.saturating_sub(last.wall))
            && steady.saturating_sub(last.steady) < self.beat_ms().unsigned_abs();
        if fresh && !always {
            return Ok(());
        }
        self.ledger.heartbeat(self.run, self.epoch, now.plus_ms(self.lease_ms)).await?;
        *last = Beat { wall: now.0, steady };
        Ok(())
    }

    /// Keeps the lease while `work` goes on, however long one of its steps takes.
    pub async fn keep<T>(&self, work: impl Future<Output = T>) -> T {
        let keeper = async {
            loop {
                self.clock.sleep_ms(self.beat_ms().unsigned_abs()).await;
                match self.beat().await {
                    Ok(()) => {}
                    Err(lost) if lost.code == "HL-6005" => self.end(lost),
                    // The lease goes on for a while; the work itself meets the same trouble and decides.
                    Err(trouble) => tracing::warn!(target: "heliu", "{trouble}"),
                }
            }
        };
        tokio::select! {
            biased;
            out = work => out,
            () = keeper => unreachable!("it beats for ever"),
        }
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
