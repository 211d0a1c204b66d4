//! What of the budgets is used: for `status`.

use chrono_tz::Tz;
use heliu_connect::Credential;
use heliu_ledger::SqliteLedger;
use heliu_model::Lang;
use heliu_model::budget::{Limits, Usage};
use heliu_model::ports::{Budget, Clock};
use serde_json::{Value, json};

use crate::output::Stop;
use crate::wire::App;

/// One budget: a credential's, or that of one of its interfaces.
pub struct Line {
    credential: String,
    interface: Option<String>,
    connectors: Vec<String>,
    limits: Limits,
    usage: Option<Usage>,
}

/// The budgets of all connectors of the project.
///
/// # Errors
/// The ledger cannot be read.
pub async fn lines(app: &App, ledger: Option<&SqliteLedger>) -> Result<Vec<Line>, Stop> {
    let Ok(registry) = app.registry() else { return Ok(Vec::new()) };
    let used = match ledger {
        Some(ledger) => ledger.usage(None, app.clock.now()).await?,
        None => Vec::new(),
    };
    let mut known: Vec<(Credential, Vec<String>)> = Vec::new();
    for name in app.project.connector_names() {
        // What is wrong with a connector is said by `check`.
        let Ok((spec, _)) = app.project.resolve(&name, ledger).await else { continue };
        let Some(credential) = registry.credential(&spec) else { continue };
        match known.iter_mut().find(|(c, _)| c.key == credential.key) {
            Some((_, names)) => names.push(name),
            None => known.push((credential, vec![name])),
        }
    }
    let find = |key: &str| used.iter().find(|u| u.credential == key).cloned();
    let mut out = Vec::new();
    for (credential, connectors) in known {
        let usage = find(&credential.key);
        if credential.limits.timed() || usage.as_ref().is_some_and(|u| !u.idle()) {
            out.push(Line {
                credential: credential.key.clone(),
                interface: None,
                connectors: connectors.clone(),
                limits: credential.limits,
                usage,
            });
        }
        for (interface, limits) in credential.interfaces {
            let usage = find(&format!("{}{interface}", credential.key)).filter(|u| !u.idle());
            if usage.is_some() {
                out.push(Line {
                    credential: credential.key.clone(),
                    interface: Some(interface),
                    connectors: connectors.clone(),
                    limits,
                    usage,
                });
            }
        }
    }
    Ok(out)
}

impl Line {
    /// True when one of these connectors uses it.
    pub fn of(&self, connectors: &[&str]) -> bool {
        self.connectors.iter().any(|c| connectors.contains(&c.as_str()))
    }

    /// For programs.
    pub fn json(&self, tz: Tz) -> Value {
        let usage = self.usage.clone().unwrap_or_default();
        // Without limits requests are counted only while the pace is reduced.
        let counted = self.limits.timed() || usage.pace.is_some();
        json!({
            "credential": self.credential,
            "interface": self.interface,
            "connectors": self.connectors,
            "limits": {
                "requests_per_second": self.limits.requests_per_second,
                "requests_per_minute": self.limits.requests_per_minute,
                "concurrency": self.limits.concurrency,
            },
            "used": counted.then(|| json!({
                "second": usage.second, "minute": usage.minute, "under_way": usage.under_way,
            })),
            "pace_percent": usage.pace.unwrap_or(1_000) / 10,
            "learned_per_minute": usage.base.filter(|_| !self.limits.timed()),
            "held_until": usage.held.map(|t| t.rfc3339(tz)),
            "waiting": usage.waiting,
        })
    }

    /// For people.
    pub fn cells(&self, tz: Tz) -> Vec<String> {
        let usage = self.usage.clone().unwrap_or_default();
        let limit = |n: Option<u32>, unit: &str| n.map(|n| format!("{n}/{unit}"));
        let mut limits: Vec<String> =
            [limit(self.limits.requests_per_second, "s"), limit(self.limits.requests_per_minute, "min")]
                .into_iter()
                .flatten()
                .collect();
        if let Some(base) = usage.base.filter(|_| limits.is_empty()) {
            limits.push(format!("~{base}/min"));
        }
        let none = || "-".to_owned();
        vec![
            self.connectors.join(","),
            self.interface.clone().unwrap_or_else(none),
            if limits.is_empty() { none() } else { limits.join(" ") },
            usage.second.to_string(),
            usage.minute.to_string(),
            format!("{} %", usage.pace.unwrap_or(1_000) / 10),
            usage.held.map_or_else(none, |t| t.local(tz)),
            usage.waiting.to_string(),
        ]
    }
}

/// Names of the columns of [`Line::cells`].
pub fn head(lang: Lang) -> &'static [&'static str] {
    match lang {
        Lang::Zh => &["连接器", "接口", "上限", "近 1 秒", "近 1 分钟", "速度", "暂停至", "等待进程"],
        Lang::En => &[
            "CONNECTOR",
            "INTERFACE",
            "LIMITS",
            "LAST SECOND",
            "LAST MINUTE",
            "PACE",
            "HELD UNTIL",
            "WAITING",
        ],
    }
}
