//! One page with its repetitions: the failure's class decides (interface §3.3).

use std::sync::Arc;

use heliu_model::call::Exchange;
use heliu_model::ports::{Page, PageRequest, Source};
use heliu_model::{Call, Class, Failure, retry, text};

use crate::heart::Heart;

/// A run against a dead or silent source ends within 45 s: no repetition begins that would end later (ms) if it took
/// as long as the attempt before.
const PATIENCE_MS: u64 = 44_500;
/// Throttling without progress ends the run after this long (ms).
const THROTTLE_PATIENCE_MS: u64 = 600_000;
/// No attempt is waited for longer than this (ms), its waiting for the budget included.
const GUARD_MS: u64 = 900_000;

/// Code of a reply that proves nothing.
pub(crate) const UNCLEAR: &str = "HL-3015";

/// What came of a page.
pub(crate) struct Fetched {
    pub calls: Vec<Call>,
    pub retried: u32,
    pub throttled: u32,
    pub result: Result<Page, Failure>,
}

/// Fetches a page: 1 + `retries` attempts for passing failures; throttling waits as told and costs none. A reply that
/// proves nothing may be a passing fault as well, told in words that nobody declared: with `doubtful` it is asked for
/// again, and handed over if it stays so.
pub(crate) async fn fetch(
    heart: Arc<Heart>,
    source: Arc<dyn Source>,
    request: PageRequest,
    retries: u32,
    doubtful: bool,
) -> Fetched {
    let mut out = Fetched { calls: Vec::new(), retried: 0, throttled: 0, result: Err(interrupted()) };
    let (mut attempt, mut throttled_ms, mut spent) = (0u32, 0u64, 0u64);
    loop {
        let exchange = tokio::select! {
            biased;
            done = source.fetch(&request) => done,
            () = heart.clock.sleep_ms(GUARD_MS) => Exchange { calls: Vec::new(), result: Err(silent()) },
        };
        // Waiting for the budget is nobody's silence: only the calls themselves count.
        let took = exchange.calls.iter().map(|c| u64::from(c.millis)).sum::<u64>();
        spent += took;
        out.calls.extend(exchange.calls);
        let (failure, at_last) = match exchange.result {
            Ok(page) => match page.unclear.clone().filter(|_| doubtful) {
                Some(why) => (Failure::transient(UNCLEAR, why), Some(page)),
                None => {
                    out.result = Ok(page);
                    return out;
                }
            },
            Err(failure) => (failure, None),
        };
        let wait = match failure.class {
            Class::RateLimited => {
                out.throttled += 1;
                let wait = failure.retry_after_ms.unwrap_or(1_000).clamp(50, THROTTLE_PATIENCE_MS);
                throttled_ms += wait;
                (throttled_ms <= THROTTLE_PATIENCE_MS).then_some(wait)
            }
            Class::Transient if attempt < retries => {
                attempt += 1;
                let wait = retry::wait_ms(attempt, heart.clock.jitter())
                    .max(failure.retry_after_ms.unwrap_or(0).min(30_000));
                spent += wait;
                (spent + took <= PATIENCE_MS).then_some(wait)
            }
            _ => None,
        };
        let Some(wait) = wait else {
            out.result = at_last.ok_or(failure);
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
