//! `heliu.toml` (interface §2.2).

use serde_json::Value;

use super::fields::Fields;
use crate::{Problem, text};

/// Server, ledger, retention and alert settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Directory of the ledger, instead of `.heliu`.
    pub ledger_path: Option<String>,
    /// Sync every commit.
    pub synchronous: bool,
    /// Days that bodies of calls are kept.
    pub calls_days: Option<u64>,
    /// Mebibytes that bodies of calls may take.
    pub calls_mib: Option<u64>,
    /// Days that contents of written records are kept.
    pub records_days: Option<u64>,
    /// The same for some plans; `None`: for ever.
    pub plan_days: Vec<(String, Option<u64>)>,
    /// Milliseconds between two rounds of retention.
    pub retention_every_ms: Option<i64>,
    /// Address that alerts are posted to.
    pub webhook: Option<String>,
    /// Address that the server listens on.
    pub listen: Option<String>,
    /// Logs are JSON lines instead of text.
    pub log_json: bool,
    /// Runs at the same time.
    pub workers: Option<usize>,
    /// Milliseconds that a run stays with a process that gives no sign of life.
    pub lease_ms: Option<i64>,
}

impl Settings {
    /// Reads a tree.
    pub fn read(tree: &Value) -> (Settings, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut out = Settings::default();
        let Some(map) = tree.as_object() else { return (out, problems) };
        let mut f = Fields::new(map, "", &mut problems);
        f.only(&["ledger", "retention", "alerts", "server"]);
        if let Some(m) = f.object("ledger") {
            let mut s = Fields::new(m, "ledger", f.problems);
            s.only(&["path", "url", "synchronous", "lease"]);
            out.ledger_path = s.text("path");
            if s.text("url").is_some() {
                s.problems.push(Problem::error(
                    "HL-1011",
                    "ledger.url",
                    text!("a ledger on PostgreSQL is not available yet", "暂不支持 PostgreSQL 台账"),
                ));
            }
            out.lease_ms = s.duration("lease");
            if out.lease_ms.is_some_and(|ms| !(1_000..=86_400_000).contains(&ms)) {
                s.problems.push(Problem::error(
                    "HL-1005",
                    "ledger.lease",
                    text!("a lease lasts from 1 second to 1 day", "租约时长应在 1 秒到 1 天之间"),
                ));
            }
            out.synchronous = s.choice("synchronous", &["normal", "full"]).as_deref() == Some("full");
        }
        if let Some(m) = f.object("retention") {
            let mut s = Fields::new(m, "retention", f.problems);
            s.only(&["calls_days", "calls_mib", "records_days", "plans", "every"]);
            out.calls_days = s.number("calls_days", 0, 36_500);
            out.calls_mib = s.number("calls_mib", 0, 1 << 30);
            out.records_days = s.number("records_days", 0, 36_500);
            out.retention_every_ms = s.duration("every");
            if out.retention_every_ms.is_some_and(|ms| !(60_000..=31 * 86_400_000).contains(&ms)) {
                s.problems.push(Problem::error(
                    "HL-1005",
                    "retention.every",
                    text!(
                        "rounds are from 1 minute to 31 days apart",
                        "两轮清理的间隔应在 1 分钟到 31 天之间"
                    ),
                ));
            }
            if let Some(plans) = s.object("plans") {
                let mut p = Fields::new(plans, "retention.plans", s.problems);
                for name in plans.keys() {
                    let forever = p.raw(name).and_then(Value::as_str) == Some("forever");
                    let days = if forever { None } else { p.number(name, 0, 36_500) };
                    if forever || days.is_some() {
                        out.plan_days.push((name.clone(), days));
                    }
                }
            }
        }
        if let Some(m) = f.object("alerts") {
            let mut s = Fields::new(m, "alerts", f.problems);
            s.only(&["webhook", "mail"]);
            out.webhook = s.text("webhook");
        }
        if let Some(m) = f.object("server") {
            let mut s = Fields::new(m, "server", f.problems);
            s.only(&["listen", "log", "workers"]);
            out.listen = s.text("listen");
            out.log_json = s.choice("log", &["text", "json"]).as_deref() == Some("json");
            out.workers = s.number("workers", 1, 1_000).map(|n| n as usize);
        }
        (out, problems)
    }
}
