//! Waits between attempts inside a run (interface §3.3): 0.5 s, 1 s, 2 s … at most 8 s, with jitter.

/// The wait before repetition number `n` (1-based), in milliseconds. `jitter` is in [0, 1); the wait is spread
/// over the upper half of the nominal value so that many plans do not come back together.
pub fn wait_ms(n: u32, jitter: f64) -> u64 {
    let nominal = (500u64 << n.saturating_sub(1).min(4)).min(8000);
    let half = nominal / 2;
    // Only a wait, never data: rounding is harmless here.
    half + (half as f64 * jitter.clamp(0.0, 1.0)) as u64
}

/// Waits of the scheduler after a run that could not finish: 60 s, 120 s, … at most an hour, in milliseconds.
pub fn requeue_ms(failed_runs: u32) -> u64 {
    (60_000u64 << failed_runs.saturating_sub(1).min(6)).min(3_600_000)
}
