//! Time as a parameter.

use async_trait::async_trait;

use crate::Ts;

/// Tells the time and waits. The manual clock of the testkit waits without sleeping.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Ts;
    /// A steadily growing count of milliseconds for durations; unaffected by the wall clock being set.
    fn monotonic_ms(&self) -> u64;
    /// Waits `ms` milliseconds.
    async fn sleep_ms(&self, ms: u64);
    /// A number in [0, 1) for jitter.
    fn jitter(&self) -> f64;
}
