//! Retention: what the settings let go, when, and what is said about it.

use std::time::Duration;

use heliu_connect::heliu::answers_to;
use heliu_engine::Stop as Wish;
use heliu_ledger::SqliteLedger;
use heliu_model::ports::{Clock, Ledger, PruneAt, PruneStep, Retention, RetentionRow};
use heliu_model::{Failure, Lang, Ts, text};
use serde_json::{Value, json};

use crate::output::Done;
use crate::wire::App;

/// Rounds are so far apart (ms), unless the settings say otherwise.
const EVERY_MS: i64 = 6 * 3_600_000;
/// A command that ends gives a round so much time (ms); the rest is done by later ones.
const AT_THE_END_MS: u64 = 10_000;
/// A service looks so often whether a round is due.
const LOOK: Duration = Duration::from_secs(60);
/// Days that calls are kept.
const CALLS_DAYS: u64 = 30;
/// Mebibytes that bodies of calls may take.
const CALLS_MIB: u64 = 2_048;

impl App {
    fn days_ago(&self, days: u64) -> Ts {
        let ms = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(86_400_000);
        self.clock.now().plus_ms(-ms)
    }

    /// Plans whose records other plans read, or look values up in.
    fn looked_up(&self) -> Vec<String> {
        let plans: Vec<(String, String, Option<String>)> = self
            .project
            .plan_names()
            .into_iter()
            .filter_map(|name| {
                let plan = self.project.plan(&name).ok()?.value;
                let text = format!("{} {}", plan.source.metadata, plan.target.metadata);
                let asks = text.contains("_findCollection")
                    || text.contains("_mongoQuery")
                    || self
                        .project
                        .connector(&plan.source.connector)
                        .is_ok_and(|c| answers_to(&c.value.platform));
                Some((name, plan.id, asks.then_some(text)))
            })
            .collect();
        let asking: Vec<&str> = plans.iter().filter_map(|(_, _, text)| text.as_deref()).collect();
        let named = |id: &str| !id.is_empty() && asking.iter().any(|t| t.contains(id));
        plans
            .iter()
            .filter(|(name, id, _)| named(id) || named(name))
            .map(|(name, _, _)| name.clone())
            .collect()
    }

    /// What to keep, by the settings. Plans that others look values up in keep their contents, unless the settings
    /// name them.
    ///
    /// # Errors
    /// The ledger cannot be read.
    async fn to_keep(&self, ledger: &SqliteLedger) -> Result<Retention, Failure> {
        let s = &self.project.settings;
        let mut rules: Vec<(String, Option<u64>)> = s.plan_days.clone();
        if s.records_days.is_some() {
            for name in self.looked_up() {
                if !rules.iter().any(|(n, _)| *n == name) {
                    rules.push((name, None));
                }
            }
        }
        let mut plans = Vec::new();
        for (name, days) in rules {
            if let Some(row) = crate::identity::row(self, ledger, &name).await? {
                plans.push((row.id, days.map(|d| self.days_ago(d))));
            }
        }
        Ok(Retention {
            calls_before: Some(self.days_ago(s.calls_days.unwrap_or(CALLS_DAYS))),
            calls_bytes: Some(s.calls_mib.unwrap_or(CALLS_MIB).saturating_mul(1 << 20)),
            records_before: s.records_days.map(|d| self.days_ago(d)),
            plans,
        })
    }

    async fn round(
        &self,
        ledger: &SqliteLedger,
        at: PruneAt,
        limit_ms: Option<u64>,
        wish: &Wish,
    ) -> Result<PruneStep, Failure> {
        let keep = self.to_keep(ledger).await?;
        heliu_engine::retain(ledger, &*self.clock, &keep, at, limit_ms, wish).await
    }

    /// A round, if one is due.
    async fn round_if_due(
        &self,
        ledger: &SqliteLedger,
        limit_ms: Option<u64>,
        wish: &Wish,
    ) -> Result<Option<PruneStep>, Failure> {
        let every = Some(self.project.settings.retention_every_ms.unwrap_or(EVERY_MS));
        let last = ledger.last_retention().await?;
        if RetentionRow::due(last.as_ref(), self.clock.now(), every).is_none() {
            return Ok(None);
        }
        match ledger.begin_retention(self.clock.now(), every).await? {
            Some(at) => self.round(ledger, at, limit_ms, wish).await.map(Some),
            None => Ok(None),
        }
    }

    /// A round at the end of a command. A failure is no reason to fail a run that is done.
    pub async fn retain(&self, ledger: &SqliteLedger, wish: &Wish) {
        if let Err(f) = self.round_if_due(ledger, Some(AT_THE_END_MS), wish).await {
            tracing::warn!(target: "heliu", "{f}");
        }
    }
}

/// Rounds for as long as a service lives; `app` gives its settings as they are now.
pub async fn in_service(app: impl Fn() -> App, ledger: SqliteLedger, wish: Wish) {
    loop {
        let app = app();
        match app.round_if_due(&ledger, None, &wish).await {
            Ok(Some(done)) => {
                let words =
                    if app.out.lang == Lang::Zh { "保留策略已执行" } else { "retention has run" };
                tracing::info!(
                    target: "heliu", event = "retention", bodies = done.bodies, calls = done.calls,
                    contents = done.contents, freed = done.freed, returned = done.returned, "{words}"
                );
            }
            Ok(None) => {}
            Err(f) => {
                let (code, message) = (f.code.as_str(), f.message.get(app.out.lang));
                let words = if app.out.lang == Lang::Zh {
                    "保留策略未能执行,稍后重试"
                } else {
                    "retention could not run, it comes back"
                };
                tracing::warn!(target: "heliu", event = "retention_failed", code, message, "{words}");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn mib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// `heliu retention`
pub async fn retention(app: &App, rebuild: bool) -> Done {
    let zh = app.out.lang == Lang::Zh;
    let Some(ledger) = app.ledger_if_any()? else {
        let none = text!("there is no ledger yet: nothing to remove", "尚无台账,无需清理");
        if app.out.json {
            app.out.value(&json!({"ledger": Value::Null}));
        } else {
            app.out.line(&app.out.say(&none));
        }
        return Ok(0);
    };
    let s = &app.project.settings;
    for (name, _) in s.plan_days.iter().filter(|(n, _)| !app.project.has_plan(n)) {
        app.out.hint(&text!(
            "heliu.toml: retention.plans names `{name}`, which is no plan of this project",
            "heliu.toml:retention.plans 中的 `{name}` 不是本项目的方案"
        ));
    }
    let wish = crate::cmd::run::stop_wish(app.out);
    let before = ledger.size();
    ledger.begin_retention(app.clock.now(), None).await?;
    let done = app.round(&ledger, PruneAt::default(), None, &wish).await?;
    if rebuild {
        ledger.rebuild().await?;
    }
    let (size, shrinks) = (ledger.size(), ledger.shrinks().await?);
    if app.out.json {
        app.out.value(&json!({
            "keep": {
                "calls_days": s.calls_days.unwrap_or(CALLS_DAYS), "calls_mib": s.calls_mib.unwrap_or(CALLS_MIB),
                "records_days": s.records_days,
                "plans": s.plan_days.iter().map(|(n, d)| (n.clone(), json!(d))).collect::<serde_json::Map<_, _>>(),
            },
            "bodies": done.bodies, "calls": done.calls, "contents": done.contents, "freed": done.freed,
            "returned": done.returned, "complete": done.next.is_none(), "size_before": before, "size": size,
            "shrinks": shrinks,
        }));
    } else {
        let (bodies, calls, contents) = (done.bodies, done.calls, done.contents);
        let (freed, size) = (mib(done.freed), mib(size));
        app.out.line(&app.out.say(&text!(
            "bodies of {bodies} calls removed, {calls} calls removed altogether; contents of {contents} versions of records removed",
            "清除 {bodies} 次调用的正文,其中 {calls} 次调用整条删除;清除 {contents} 个数据版本的内容"
        )));
        app.out.line(&app.out.say(&text!(
            "{freed} freed inside the ledger, which takes {size}",
            "台账内释放 {freed},台账现占 {size}"
        )));
        if done.next.is_some() {
            app.out.line(if zh { "已中断,下次继续" } else { "interrupted; the next round goes on" });
        }
    }
    if !shrinks {
        app.out.hint(&text!(
            "this ledger was made by an early version and cannot shrink by itself; `heliu retention --rebuild` mends that while nothing else runs",
            "该台账由早期版本创建,无法自行收缩;请在没有其他运行时执行一次 `heliu retention --rebuild`"
        ));
    }
    Ok(0)
}
