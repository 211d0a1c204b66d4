//! A round of retention: small steps, with a pause after each as long as the step was, so that nobody waits for it.

use heliu_model::Failure;
use heliu_model::ports::{Clock, Ledger, PruneAt, PruneStep, Retention};

use crate::Stop;

/// A round says how far it is so often (ms).
const MARK_MS: u64 = 5_000;
/// Longest pause between two steps (ms).
const PAUSE_MS: u64 = 200;

/// Works from `at` to the end of the round, or until `limit_ms` are over or stopping is wished: then `next` of the
/// answer says where a later round goes on.
///
/// # Errors
/// The ledger cannot be used.
pub async fn retain(
    ledger: &dyn Ledger,
    clock: &dyn Clock,
    keep: &Retention,
    at: PruneAt,
    limit_ms: Option<u64>,
    stop: &Stop,
) -> Result<PruneStep, Failure> {
    let began = clock.monotonic_ms();
    let (mut sum, mut unmarked) = (PruneStep::default(), PruneStep::default());
    let (mut at, mut marked) = (at, began);
    loop {
        let from = clock.monotonic_ms();
        let step = ledger.prune(keep, at).await?;
        let now = clock.monotonic_ms();
        sum.add(&step);
        unmarked.add(&step);
        let over = stop.wished() || limit_ms.is_some_and(|most| now.saturating_sub(began) >= most);
        if step.next.is_none() || over || now.saturating_sub(marked) >= MARK_MS {
            ledger.mark_retention(clock.now(), step.next, &unmarked).await?;
            (unmarked, marked) = (PruneStep::default(), now);
        }
        match step.next {
            Some(next) if !over => at = next,
            _ => return Ok(sum),
        }
        clock.sleep_ms(now.saturating_sub(from).clamp(1, PAUSE_MS)).await;
    }
}
