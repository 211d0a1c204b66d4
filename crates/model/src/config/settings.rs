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
    /// Address that alerts are posted to.
    pub webhook: Option<String>,
    /// Address that the server listens on.
    pub listen: Option<String>,
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
            s.only(&["path", "url", "synchronous"]);
            out.ledger_path = s.text("path");
            if s.text("url").is_some() {
                s.problems.push(Problem::error(
                    "HL-1011",
                    "ledger.url",
                    text!("a ledger on PostgreSQL is not available yet", "暂不支持 PostgreSQL 台账"),
                ));
            }
            out.synchronous = s.choice("synchronous", &["normal", "full"]).as_deref() == Some("full");
        }
        if let Some(m) = f.object("retention") {
            let mut s = Fields::new(m, "retention", f.problems);
            s.only(&["calls_days", "calls_mib", "records_days"]);
            out.calls_days = s.number("calls_days", 0, 36_500);
            out.calls_mib = s.number("calls_mib", 0, 1 << 30);
            out.records_days = s.number("records_days", 0, 36_500);
        }
        if let Some(m) = f.object("alerts") {
            let mut s = Fields::new(m, "alerts", f.problems);
            s.only(&["webhook", "mail"]);
            out.webhook = s.text("webhook");
        }
        if let Some(m) = f.object("server") {
            let mut s = Fields::new(m, "server", f.problems);
            s.only(&["listen", "log"]);
            out.listen = s.text("listen");
        }
        (out, problems)
    }
}
