//! The real clock: the only place of the program that reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use heliu_model::Ts;
use heliu_model::ports::Clock;

/// The machine's clock.
pub struct RealClock {
    start: Instant,
}

impl RealClock {
    /// A clock that counts from now.
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
    pub fn new() -> Self {
        RealClock { start: Instant::now() }
    }
}

#[async_trait]
impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
    fn now(&self) -> Ts {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Ts(i64::try_from(ms).unwrap_or(i64::MAX))
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn jitter(&self) -> f64 {
        rand::random::<f64>()
    }
}
