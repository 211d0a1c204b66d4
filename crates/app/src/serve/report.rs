//! What the service tells: structured logs, and figures for the health page.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heliu_engine::{Finish, SkippedTicks, Start, Watcher};
use heliu_model::run::RunReport;
use heliu_model::{Failure, Lang, Problem};
use serde_json::{Value, json};

/// Latest starts whose lateness is remembered.
const LATE: usize = 20_000;

/// Figures and logs of a service.
pub struct Report {
    lang: Lang,
    started: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
    written: AtomicU64,
    late: Mutex<VecDeque<i64>>,
    broken: Mutex<BTreeMap<String, Vec<Problem>>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Report {
    /// Nothing yet.
    pub fn new(lang: Lang) -> Report {
        Report {
            lang,
            started: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            written: AtomicU64::new(0),
            late: Mutex::new(VecDeque::new()),
            broken: Mutex::new(BTreeMap::new()),
        }
    }

    fn say<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        if self.lang == Lang::Zh { zh } else { en }
    }

    /// A file cannot be used. `kept`: its version from before stays in use.
    pub fn broken(&self, file: &str, kept: bool, problems: Vec<Problem>) {
        for p in &problems {
            let words = if kept {
                self.say(
                    "file cannot be used, the version before stays in use",
                    "文件无法使用,继续使用之前的版本",
                )
            } else {
                self.say("file cannot be used", "文件无法使用")
            };
            let (code, path, problem, hint) =
                (p.code.as_str(), p.path.as_str(), p.message.get(self.lang), p.hint.get(self.lang));
            tracing::error!(
                target: "heliu", event = "file_broken", file, in_file = p.file.as_str(), kept, code, path, problem, hint,
                "{words}"
            );
        }
        lock(&self.broken).insert(file.to_owned(), problems);
    }

    /// A file is in use.
    pub fn mended(&self, file: &str) {
        if lock(&self.broken).remove(file).is_some() {
            let words = self.say("file can be used again", "文件恢复可用");
            tracing::info!(target: "heliu", event = "file_mended", file, "{words}");
        } else {
            let words = self.say("file loaded", "文件已加载");
            tracing::debug!(target: "heliu", event = "file_loaded", file, "{words}");
        }
    }

    /// A file is gone.
    pub fn forgotten(&self, file: &str) {
        lock(&self.broken).remove(file);
        let words = self.say("file removed", "文件已删除");
        tracing::info!(target: "heliu", event = "file_removed", file, "{words}");
    }

    /// Files that cannot be used.
    pub fn broken_files(&self) -> Vec<String> {
        lock(&self.broken).keys().cloned().collect()
    }

    /// Figures since the start.
    pub fn figures(&self) -> Value {
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let mut late: Vec<i64> = lock(&self.late).iter().copied().collect();
        late.sort_unstable();
        let at = |share: f64| late.get(((late.len().saturating_sub(1)) as f64 * share) as usize).copied();
        let (started, done, failed) = (count(&self.started), count(&self.done), count(&self.failed));
        json!({
            "runs": {"started": started, "done": done, "failed": failed,
                     "running": started.saturating_sub(done + failed)},
            "ticks_skipped": count(&self.skipped),
            "records_written": count(&self.written),
            "late_ms": {"p50": at(0.5), "p99": at(0.99), "max": late.last()},
            "broken_files": self.broken_files(),
        })
    }
}

impl Watcher for Report {
    fn started(&self, start: &Start, late_ms: i64) {
        self.started.fetch_add(1, Ordering::Relaxed);
        {
            let mut late = lock(&self.late);
            if late.len() >= LATE {
                late.pop_front();
            }
            late.push_back(late_ms);
        }
        let words = self.say("run begins", "开始运行");
        tracing::info!(
            target: "heliu", event = "run_started", plan = start.plan.as_str(), trigger = start.tick.trigger.word(),
            late_ms, missed = start.passed_over, "{words}"
        );
    }

    fn finished(&self, start: &Start, how: Finish, result: &Result<RunReport, Failure>) {
        let plan = start.plan.as_str();
        let failure = match result {
            Ok(report) => report.failure.as_ref(),
            Err(f) => Some(f),
        };
        match how {
            Finish::Done | Finish::Again | Finish::Answered => self.done.fetch_add(1, Ordering::Relaxed),
            _ => self.failed.fetch_add(1, Ordering::Relaxed),
        };
        if let Ok(r) = result {
            let c = &r.counts;
            self.written.fetch_add(c.target.written, Ordering::Relaxed);
            let words = match (failure.is_some(), r.balanced) {
                (true, _) => self.say("run could not finish", "运行未能完成"),
                (false, true) => self.say("run ended, balanced", "运行结束,平衡"),
                (false, false) => self.say("run ended, NOT BALANCED", "运行结束,不平衡"),
            };
            tracing::info!(
                target: "heliu", event = "run_finished", plan, run = r.run.as_str(), balanced = r.balanced,
                complete = r.complete, returned = c.source.returned, new = c.records.new, changed = c.records.changed,
                written = c.target.written, failed = c.target.failed, in_doubt = c.target.in_doubt,
                waiting = c.target.waiting, seconds = r.seconds, problems = r.problems.len(), "{words}"
            );
        }
        match (how, failure) {
            (Finish::Busy, _) => {
                let words =
                    self.say("plan is being run elsewhere, its tick waits", "方案正在别处运行,本次触发等待");
                tracing::info!(target: "heliu", event = "run_busy", plan, "{words}");
            }
            (Finish::Failed | Finish::Hopeless, Some(f)) => {
                let (code, place, message, hint) =
                    (f.code.as_str(), f.place.as_str(), f.message.get(self.lang), f.hint.get(self.lang));
                let words = if how == Finish::Failed {
                    self.say("run failed, it comes back", "运行失败,稍后重试")
                } else {
                    self.say("run failed, repeating it cannot help", "运行失败,重试无法解决")
                };
                tracing::error!(target: "heliu", event = "run_failed", plan, code, place, message, hint, "{words}");
            }
            _ => {}
        }
    }

    fn skipped(&self, ticks: &SkippedTicks) {
        self.skipped.fetch_add(ticks.missed, Ordering::Relaxed);
        let words = self.say("missed ticks are skipped", "跳过错过的触发");
        let (plan, trigger, missed) = (ticks.plan.as_str(), ticks.trigger.word(), ticks.missed);
        tracing::warn!(target: "heliu", event = "ticks_skipped", plan, trigger, missed, "{words}");
    }

    fn trouble(&self, why: &Failure) {
        let (code, message) = (why.code.as_str(), why.message.get(self.lang));
        let words = self.say("the ledger could not be used, trying again", "台账无法使用,稍后重试");
        tracing::error!(target: "heliu", event = "ledger_trouble", code, message, "{words}");
    }
}
