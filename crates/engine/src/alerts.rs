//! What of a run's end needs a person, and telling them: once for as long as it lasts, and once when it is over.

use std::sync::Arc;

use heliu_model::alert::{AlertKind, Trouble};
use heliu_model::ports::{Alerts, Clock, Observation, Observed, Post, Sending};
use heliu_model::run::{PUT_ASIDE, RunKind, RunReport};
use heliu_model::{Class, Failure, Severity, Text, Ts, text};

use crate::run::{ANSWERED, BUSY};
use crate::spec::RunOptions;

/// Notices that one message carries at most.
const PER_MESSAGE: usize = 50;
/// Whoever takes notices has so long (ms) to send them before somebody else may.
const HOLD_MS: i64 = 60_000;
/// First pause (ms) before a message is tried again; it doubles up to the longest one.
const AGAIN_MS: i64 = 10_000;
/// Longest pause (ms).
const LONGEST_MS: i64 = 3_600_000;
/// What could not be sent for so long (ms) is given up.
const GIVE_UP_MS: i64 = 86_400_000;
/// A tick that waits longer than this (ms) makes its schedule late, unless the settings say otherwise.
pub const LATE_MS: i64 = 900_000;

/// Code of a token that only a person can renew.
const AUTHORISE: &str = "HL-4007";

/// How alerts are made.
#[derive(Clone)]
pub struct Alarm {
    /// Where they are kept.
    pub alerts: Arc<dyn Alerts>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who is told, as the settings are now.
    pub channels: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// A tick that waits longer than this (ms) makes its schedule late; [`LATE_MS`] where nothing is said.
    pub late_ms: Option<i64>,
}

/// The plan that a run is of.
pub(crate) struct About<'a> {
    pub plan: &'a str,
    /// Its connectors; none where its files cannot be used.
    pub connectors: &'a [String],
}

/// A tick that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Plan.
    pub plan: String,
    /// What is to be started, in a word.
    pub trigger: &'static str,
    /// The instant at which it was to start, in the plan's zone.
    pub since: String,
    /// A run of the plan is under way.
    pub running: bool,
}

/// What was asked for decides which alerts a run can speak about: `None` for runs that prove nothing.
fn group(options: &RunOptions) -> Option<&'static str> {
    match (options.limit, options.target_only, options.remedy) {
        (Some(_), _, _) => None,
        (None, true, _) => Some("write"),
        (None, false, true) => Some("remedy"),
        // A range of the past: what the schedule reads afterwards says nothing of it.
        (None, false, false) if options.from.is_some() || options.to.is_some() => Some("backfill"),
        (None, false, false) => Some("run"),
    }
}

fn key(plan: &str, what: &str, kind: AlertKind) -> String {
    format!("plan/{plan}/{what}/{}", kind.word())
}

fn token_key(place: &str) -> String {
    format!("token/{place}")
}

/// Nothing is wrong: it was stopped by a person, or is somebody else's.
fn is_no_trouble(f: &Failure) -> bool {
    matches!(f.code.as_str(), "HL-7003" | "HL-6005") || f.code == ANSWERED || f.code == BUSY
}

fn trouble(about: &About, key: String, kind: AlertKind, code: &str, message: Text, hint: Text) -> Trouble {
    Trouble { key, kind, plan: about.plan.to_owned(), run: None, code: code.to_owned(), message, hint }
}

fn of_failure(about: &About, what: &str, f: &Failure) -> Trouble {
    let (en, zh) = (&f.message.en, &f.message.zh);
    let place = if f.place.is_empty() { String::new() } else { format!(" ({})", f.place) };
    let message = text!("{en}{place}", "{zh}{place}");
    let (key, kind) = if f.code == AUTHORISE {
        // However many plans use the account, it is one trouble.
        (token_key(if f.place.is_empty() { about.plan } else { &f.place }), AlertKind::Authorisation)
    } else {
        (key(about.plan, what, AlertKind::Failed), AlertKind::Failed)
    };
    let hint = match f.class {
        Class::Transient | Class::RateLimited if f.hint.is_empty() => {
            text!(
                "nothing is lost: the next run goes on where this one stopped",
                "没有数据丢失:下次运行会从中断处继续"
            )
        }
        _ => f.hint.clone(),
    };
    trouble(about, key, kind, &f.code, message, hint)
}

/// What a run's report says of the records that stand there now.
fn standing(about: &About, r: &RunReport, seen: &mut Observation) {
    let plan = about.plan;
    let (failed, doubt) = (r.standing_failed, r.standing_in_doubt);
    let keys = [AlertKind::RecordsFailed, AlertKind::InDoubt].map(|k| key(plan, "records", k));
    let [failed_key, doubt_key] = keys.clone();
    seen.judged.extend(keys);
    if failed > 0 {
        seen.troubles.push(trouble(
            about,
            failed_key,
            AlertKind::RecordsFailed,
            "HL-7061",
            text!("{failed} records of `{plan}` failed", "`{plan}` 有 {failed} 条数据失败"),
            text!(
                "`heliu records {plan} --state failed` says why; when it is mended, `heliu retry {plan}`",
                "`heliu records {plan} --state failed` 可查看原因;处理后执行 `heliu retry {plan}`"
            ),
        ));
    }
    if doubt > 0 {
        seen.troubles.push(trouble(
            about,
            doubt_key,
            AlertKind::InDoubt,
            "HL-7062",
            text!(
                "{doubt} records of `{plan}` are in doubt: their writes were not answered",
                "`{plan}` 有 {doubt} 条数据存疑:写入未得到答复"
            ),
            text!(
                "look into the target; then `heliu retry {plan} --state in_doubt --id ID` for those that are not there",
                "请在目标系统中核对;不存在的执行 `heliu retry {plan} --state in_doubt --id ID`"
            ),
        ));
    }
}

/// What this end of a run says; `None` when it says nothing.
fn judge(about: &About, options: &RunOptions, result: &Result<RunReport, Failure>) -> Option<Observation> {
    let mut seen = Observation::default();
    let what = group(options);
    let report = match result {
        Err(f) if is_no_trouble(f) => return None,
        Err(f) => {
            seen.troubles.push(of_failure(about, what?, f));
            return Some(seen);
        }
        Ok(r) => r,
    };
    if report.failure.as_ref().is_some_and(is_no_trouble) {
        return None;
    }
    standing(about, report, &mut seen);
    let plan = about.plan;
    if let Some(p) = report.problems.iter().find(|p| p.code == PUT_ASIDE) {
        let hint =
            text!("`heliu run {plan}` with that range reads it", "用该范围执行 `heliu run {plan}` 即可读取");
        let key = key(plan, "backfill", AlertKind::Failed);
        seen.troubles.push(trouble(about, key, AlertKind::Failed, PUT_ASIDE, p.message.clone(), hint));
    }
    let Some(what) = what else { return Some(seen) };
    if let Some(f) = &report.failure {
        seen.troubles.push(of_failure(about, what, f));
    } else {
        let unbalanced = key(plan, what, AlertKind::NotBalanced);
        let rejected = key(plan, what, AlertKind::Rejected);
        seen.judged.extend([key(plan, what, AlertKind::Failed), unbalanced.clone(), rejected.clone()]);
        if report.kind != RunKind::TargetOnly {
            // The source was read; and what waited was written as well, unless the run was to read only.
            seen.judged.extend(about.connectors.iter().map(|c| token_key(&format!("connectors/{c}.toml"))));
            if !options.source_only {
                seen.judged.push(key(plan, "write", AlertKind::Failed));
            }
        }
        if !report.balanced {
            let why = report.problems.iter().find(|p| p.severity == Severity::Error);
            let (en, zh) = why.map_or((String::new(), String::new()), |p| {
                (format!(": {}", p.message.en), format!(":{}", p.message.zh))
            });
            let message = text!(
                "the run of `{plan}` ended and its counts do not balance{en}",
                "`{plan}` 的运行已结束,但计数不平衡{zh}"
            );
            let hint = text!(
                "`heliu certificate {plan}` has the numbers",
                "`heliu certificate {plan}` 列出各项计数"
            );
            let code = why.map_or("HL-7060", |p| p.code.as_str());
            seen.troubles.push(trouble(about, unbalanced, AlertKind::NotBalanced, code, message, hint));
        }
        let n = report.counts.newly_rejected;
        if n > 0 {
            let message = text!("{n} elements of `{plan}` were rejected", "`{plan}` 有 {n} 个元素被拒绝");
            let hint = text!(
                "`heliu records {plan} --state rejected` says why",
                "`heliu records {plan} --state rejected` 可查看原因"
            );
            seen.troubles.push(trouble(about, rejected, AlertKind::Rejected, "HL-7063", message, hint));
        }
    }
    for t in &mut seen.troubles {
        t.run = Some(report.run.clone());
    }
    Some(seen)
}

impl Alarm {
    async fn observe(&self, mut seen: Observation) {
        seen.channels = (self.channels)();
        let told = self.alerts.observe(&seen, self.clock.now()).await;
        match told {
            Ok(Observed { opened, closed }) => {
                for a in &opened {
                    let (kind, plan, code) =
                        (a.trouble.kind.word(), a.trouble.plan.as_str(), a.trouble.code.as_str());
                    tracing::info!(target: "heliu", event = "alert_opened", id = a.id, kind, plan, code);
                }
                for a in &closed {
                    let (kind, plan) = (a.trouble.kind.word(), a.trouble.plan.as_str());
                    tracing::info!(target: "heliu", event = "alert_closed", id = a.id, kind, plan);
                }
            }
            // An alert that cannot be kept is no reason to fail a run.
            Err(f) => tracing::warn!(target: "heliu", event = "alert_lost", code = f.code.as_str(), "{f}"),
        }
    }

    /// A run has ended, or could not begin.
    pub(crate) async fn ended(
        &self,
        about: &About<'_>,
        options: &RunOptions,
        result: &Result<RunReport, Failure>,
    ) {
        let failure = result.as_ref().map_or_else(Some, |r| r.failure.as_ref());
        // Who started this run by hand reads what is wrong with the ledger, and need not wait for the lock once more.
        if options.tick.is_none() && failure.is_some_and(|f| f.code == "HL-6002") {
            return;
        }
        if let Some(seen) = judge(about, options, result) {
            self.observe(seen).await;
        }
    }

    /// The ticks that wait now.
    pub(crate) async fn overdue(&self, list: &[Overdue]) {
        let troubles = list.iter().map(|o| {
            let (plan, since) = (&o.plan, &o.since);
            let message = if o.running {
                text!(
                    "`{plan}` was due at {since}; its run before is still under way",
                    "`{plan}` 应在 {since} 开始,但上一次运行尚未结束"
                )
            } else {
                text!(
                    "`{plan}` was due at {since} and has not started",
                    "`{plan}` 应在 {since} 开始,至今未启动"
                )
            };
            Trouble {
                key: key(plan, o.trigger, AlertKind::Late),
                kind: AlertKind::Late,
                plan: plan.clone(),
                run: None,
                code: "HL-7064".into(),
                message,
                hint: text!(
                    "`heliu status {plan}` shows what it is doing; `heliu explain HL-7064`",
                    "`heliu status {plan}` 可查看状态;`heliu explain HL-7064`"
                ),
            }
        });
        let seen = Observation {
            judged_kind: Some(AlertKind::Late),
            troubles: troubles.collect(),
            ..Observation::default()
        };
        self.observe(seen).await;
    }
}

/// What one round of sending came to.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    /// Notices that arrived.
    pub arrived: usize,
    /// Channels that failed, and whether their notices were given up.
    pub failed: Vec<(String, Failure, bool)>,
}

fn pause(tries: u32) -> i64 {
    AGAIN_MS.saturating_mul(1_i64.checked_shl(tries.min(20)).unwrap_or(i64::MAX)).min(LONGEST_MS)
}

/// Sends what is due, one message for each channel.
///
/// # Errors
/// The ledger cannot be used. That a message has not arrived is no error: it is tried again.
pub async fn deliver(alerts: &dyn Alerts, post: &dyn Post, clock: &dyn Clock) -> Result<Delivered, Failure> {
    let mut out = Delivered::default();
    for channel in post.channels() {
        let now = clock.now();
        let notices = alerts.take_notices(&channel, now, now.plus_ms(HOLD_MS), PER_MESSAGE).await?;
        let (Some(oldest), Some(tries)) =
            (notices.iter().map(|n| n.since).min(), notices.iter().map(|n| n.tries).max())
        else {
            continue;
        };
        let ids: Vec<i64> = notices.iter().map(|n| n.id).collect();
        match post.post(&channel, &notices).await {
            Ok(()) => {
                alerts.settle_notices(&ids, Sending::Arrived).await?;
                out.arrived += ids.len();
            }
            Err(f) => {
                let now = clock.now();
                let wait = f.retry_after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
                let lost = now.0.saturating_sub(oldest.0) >= GIVE_UP_MS;
                let what = if lost {
                    Sending::GivenUp
                } else {
                    Sending::Again(Ts(now.0.saturating_add(pause(tries).max(wait))))
                };
                alerts.settle_notices(&ids, what).await?;
                out.failed.push((channel, f, lost));
            }
        }
    }
    Ok(out)
}
