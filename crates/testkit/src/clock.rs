//! A clock that moves only when everybody waits.
//!
//! [`ManualClock::run`] drives a future, and whatever it spawns, on one thread. Whenever no task can go on, the clock
//! jumps to the next instant that somebody sleeps until. Nothing ever sleeps for real, and the same program takes
//! the same steps each time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use heliu_model::Ts;
use heliu_model::ports::Clock;

use crate::rng::Rng;

/// Whoever waits longer than this (ten days) waits for ever.
const HORIZON_MS: u64 = 10 * 86_400_000;

/// Virtual time. Clones show the same time.
#[derive(Clone)]
pub struct ManualClock {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    /// Wall time when the steady count is 0; changed by [`ManualClock::set_wall`].
    base: i64,
    /// Steady count of milliseconds.
    steady: u64,
    next: u64,
    sleepers: BTreeMap<(u64, u64), Waker>,
    rng: Rng,
    /// Work outside of the tasks is under way: time stands still.
    busy: usize,
    stalled: bool,
    main: Option<Waker>,
}

/// What [`ManualClock::run`] says when nothing can go on and nobody sleeps.
pub const STALLED: &str = "every task waits for something that never comes";

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Ts) -> Self {
        ManualClock {
            inner: Arc::new(Mutex::new(Inner {
                base: start.0,
                steady: 0,
                next: 0,
                sleepers: BTreeMap::new(),
                rng: Rng::new(1),
                busy: 0,
                stalled: false,
                main: None,
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets jitter follow from `seed`.
    pub fn seed(&self, seed: u64) {
        self.lock().rng = Rng::new(seed);
    }

    /// Moves time on by `ms` milliseconds and wakes whoever slept until then.
    pub fn advance(&self, ms: u64) {
        let woken = {
            let mut inner = self.lock();
            inner.steady += ms;
            inner.due()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Sets the wall clock, back or forth; the steady count goes on as if nothing had happened.
    pub fn set_wall(&self, now: Ts) {
        let mut inner = self.lock();
        inner.base = now.0 - inner.steady as i64;
    }

    /// Time stands still while the guard lives: something is under way outside of the tasks (a blocking call).
    pub fn hold(&self) -> Held {
        self.lock().busy += 1;
        Held(self.clone())
    }

    /// Runs `future` to its end in virtual time, on this thread; what it spawned and left behind is dropped then.
    ///
    /// # Panics
    /// With [`STALLED`] when every task waits and nobody sleeps: a deadlock.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let hook = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || hook.skip())
            .build()
            .expect("a runtime on this thread");
        self.lock().stalled = false;
        let mut future = Box::pin(future);
        runtime.block_on(std::future::poll_fn(|cx| {
            let stalled = {
                let mut inner = self.lock();
                inner.main = Some(cx.waker().clone());
                inner.stalled
            };
            assert!(!stalled, "{STALLED}");
            future.as_mut().poll(cx)
        }))
    }

    /// Nobody can go on: jumps to the next instant that somebody waits for.
    fn skip(&self) {
        let woken = {
            let mut inner = self.lock();
            if inner.busy > 0 {
                return;
            }
            match inner.sleepers.keys().next().map(|k| k.0) {
                Some(at) if at < HORIZON_MS => {
                    inner.steady = inner.steady.max(at);
                    inner.due()
                }
                _ => {
                    inner.stalled = true;
                    inner.main.take().into_iter().collect()
                }
            }
        };
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Inner {
    /// Takes out whoever need not sleep any longer.
    fn due(&mut self) -> Vec<Waker> {
        let later = self.sleepers.split_off(&(self.steady + 1, 0));
        std::mem::replace(&mut self.sleepers, later).into_values().collect()
    }
}

/// See [`ManualClock::hold`].
pub struct Held(ManualClock);

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.busy = inner.busy.saturating_sub(1);
    }
}

struct Sleep {
    clock: ManualClock,
    until: u64,
    key: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut inner = clock.lock();
        if inner.steady >= self.until {
            return Poll::Ready(());
        }
        let key = match self.key {
            Some(key) => key,
            None => {
                let key = (self.until, inner.next);
                inner.next += 1;
                self.key = Some(key);
                key
            }
        };
        inner.sleepers.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.lock().sleepers.remove(&key);
        }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Ts {
        let inner = self.lock();
        Ts(inner.base + inner.steady as i64)
    }

    fn monotonic_ms(&self) -> u64 {
        self.lock().steady
    }

    async fn sleep_ms(&self, ms: u64) {
        let until = self.lock().steady + ms;
        Sleep { clock: self.clone(), until, key: None }.await;
    }

    fn jitter(&self) -> f64 {
        self.lock().rng.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_passes_at_once_and_in_order() {
        let clock = ManualClock::new(Ts(1_000));
        let c = clock.clone();
        let order = clock.run(async move {
            let log = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for ms in [86_400_000u64, 5, 70, 5] {
                let (c, log) = (c.clone(), log.clone());
                tasks.push(tokio::spawn(async move {
                    c.sleep_ms(ms).await;
                    log.lock().expect("log").push((ms, c.now().0));
                }));
            }
            for t in tasks {
                t.await.expect("task");
            }
            Arc::try_unwrap(log).expect("only").into_inner().expect("log")
        });
        assert_eq!(order, [(5, 1_005), (5, 1_005), (70, 1_070), (86_400_000, 86_401_000)]);
        assert_eq!(clock.monotonic_ms(), 86_400_000);
    }

    #[test]
    fn what_no_longer_sleeps_does_not_move_the_clock() {
        let clock = ManualClock::new(Ts(0));
        let c = clock.clone();
        clock.run(async move {
            tokio::select! {
                () = c.sleep_ms(10) => {}
                () = c.sleep_ms(1_000) => {}
            }
            c.sleep_ms(1).await;
        });
        assert_eq!(clock.monotonic_ms(), 11);
    }

    #[test]
    fn the_wall_may_jump_the_steady_count_does_not() {
        let clock = ManualClock::new(Ts(50_000));
        clock.advance(100);
        clock.set_wall(Ts(10));
        assert_eq!((clock.now(), clock.monotonic_ms()), (Ts(10), 100));
        clock.advance(5);
        assert_eq!((clock.now(), clock.monotonic_ms()), (Ts(15), 105));
    }

    #[test]
    #[should_panic(expected = "waits for something that never comes")]
    fn a_deadlock_is_told_not_waited_out() {
        ManualClock::new(Ts(0)).run(std::future::pending::<()>());
    }
}
