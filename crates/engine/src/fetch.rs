//! One page with its repetitions: the failure's class decides (interface §3.3).

use std::sync::Arc;

use heliu_model::ports::{Page, PageRequest, Source};
use heliu_model::{Call, Class, Failure, retry, text};

use crate::heart::Heart;

/// A run against a dead or silent source ends within 45 s; repetitions stop before that (ms).
const PATIENCE_MS: u64 = 40_000;
/// Throttling without progress ends the run after this long (ms).
const THROTTLE_PATIENCE_MS: u64 = 600_000;

/// What came of a page.
pub(crate) struct Fetched {
    pub calls: Vec<Call>,
    pub retried: u32,
    pub throttled: u32,
    pub result: Result<Page, Failure>,
}

/// Fetches a page: 1 + `retries` attempts for passing failures; throttling waits as told and costs none.
pub(crate) async fn fetch(
    heart: Arc<Heart>,
    source: Arc<dyn Source>,
    request: PageRequest,
    retries: u32,
) -> Fetched {
    let mut out = Fetched { calls: Vec::new(), retried: 0, throttled: 0, result: Err(interrupted()) };
    let (mut attempt, mut throttled_ms) = (0u32, 0u64);
    let begun = heart.clock.monotonic_ms();
    loop {
        let spent = heart.clock.monotonic_ms().saturating_sub(begun).saturating_sub(throttled_ms);
        let exchange = source.fetch(&request);
        let exchange = if attempt == 0 && throttled_ms == 0 {
            exchange.await
        } else {
            // Repetitions share what is left of the patience.
            tokio::select! {
                done = exchange => done,
                () = heart.clock.sleep_ms((PATIENCE_MS + 4_000).saturating_sub(spent).max(1_000)) => {
                    heliu_model::call::Exchange { calls: Vec::new(), result: Err(silent()) }
                }
            }
        };
        out.calls.extend(exchange.calls);
        let failure = match exchange.result {
            Ok(page) => {
                out.result = Ok(page);
                return out;
            }
            Err(failure) => failure,
        };
        let spent = heart.clock.monotonic_ms().saturating_sub(begun).saturating_sub(throttled_ms);
        let wait = match failure.class {
            Class::RateLimited => {
                out.throttled += 1;
                let wait = failure.retry_after_ms.unwrap_or(1_000).clamp(50, THROTTLE_PATIENCE_MS);
                throttled_ms += wait;
                (throttled_ms <= THROTTLE_PATIENCE_MS).then_some(wait)
            }
            Class::Transient if attempt < retries && spent < PATIENCE_MS => {
                attempt += 1;
                let wait = retry::wait_ms(attempt, heart.clock.jitter());
                Some(wait.max(failure.retry_after_ms.unwrap_or(0).min(30_000)))
            }
            _ => None,
        };
        let Some(wait) = wait else {
            out.result = Err(failure);
            return out;
        };
        if failure.class == Class::Transient {
            out.retried += 1;
        }
        heart.progress.waiting(&failure, wait);
        match heart.pause(wait).await {
            Ok(true) => {}
            Ok(false) => {
                out.result = Err(interrupted());
                return out;
            }
            Err(lost) => {
                out.result = Err(lost);
                return out;
            }
        }
    }
}

/// The run was asked to stop while it waited.
pub(crate) fn interrupted() -> Failure {
    Failure::transient("HL-7003", text!("the run was interrupted", "运行被中断")).hint(text!(
        "run the same command again: it resumes where it stopped, nothing is lost",
        "再次执行同一命令即可从中断处继续,不会丢失数据"
    ))
}

fn silent() -> Failure {
    Failure::transient("HL-7004", text!("the source did not answer in time", "来源未在规定时间内响应")).hint(
        text!(
            "check that the address is right and reachable, then run again",
            "请检查地址是否正确、网络是否可达,然后重新运行"
        ),
    )
}
