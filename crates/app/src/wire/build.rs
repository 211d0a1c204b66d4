//! A plan ready to run: its rules and both of its sides.

use std::sync::Arc;

use heliu_connect::heliu::PlanInbox;
use heliu_connect::{Ports, Registry};
use heliu_engine::{DialectRenderer, DialectShaper, PlanSpec, Sides};
use heliu_ledger::SqliteLedger;
use heliu_model::ports::Inbox;
use heliu_model::{Failure, Problem, Severity, Ts, text};
use heliu_transform::writeback::receiving_plan;

use super::{App, Loaded};
use crate::output::Stop;

/// A plan ready to run.
pub struct Ready {
    /// Rules.
    pub spec: PlanSpec,
    /// Both sides.
    pub sides: Sides,
    /// Warnings of its files.
    pub warnings: Vec<Problem>,
}

fn no_remedy(plan: &str) -> Problem {
    Problem {
        file: format!("plans/{plan}.json"),
        ..Problem::error(
            "HL-1066",
            "source.metadata.omissionRemedy",
            text!("the plan declares no omission remedy", "该方案没有声明漏单补偿"),
        )
        .hint(text!(
            "add `omissionRemedy` with `crontab` and `takeOverRequest` to the source's metadata, or read the range with --from and --to",
            "请在来源元数据中添加含 `crontab` 与 `takeOverRequest` 的 `omissionRemedy`,或用 --from 与 --to 读取该范围"
        ))
    }
}

/// The door of the plan that receives what this one passes on.
fn door(ports: &Ports, own: &str, words: &str) -> Result<Arc<dyn Inbox>, Failure> {
    let words = words.to_owned();
    let Some(receiver) = ports.plans.receiver(&words) else {
        let said = text!("no plan has the id or name `{words}`", "没有 id 或名称为 `{words}` 的方案");
        return Err(Failure::config("HL-1091", said));
    };
    if receiver.name == own {
        let said = text!("a plan cannot pass on to itself", "方案不能回写给自身");
        return Err(Failure::config("HL-1092", said));
    }
    match PlanInbox::new(receiver) {
        Ok(inbox) => Ok(Arc::new(inbox)),
        Err(p) => Err(Failure::config(&p.code, p.message)),
    }
}

impl App {
    /// A plan ready to run; `remedy`: its source is the gap scan's.
    ///
    /// # Errors
    /// Every problem of its files.
    pub async fn ready(
        &self,
        registry: &Registry,
        ledger: &SqliteLedger,
        name: &str,
        remedy: bool,
    ) -> Result<Ready, Stop> {
        let mut loaded = self.load(registry, Some(ledger), name).await?;
        if remedy {
            match loaded.source_meta.remedied() {
                Some(meta) => loaded.source_meta = meta,
                None => loaded.problems.push(no_remedy(&loaded.name)),
            }
        }
        self.build(registry, ledger, loaded).await
    }

    /// Builds both sides.
    ///
    /// # Errors
    /// Every problem of its files.
    pub async fn build(
        &self,
        registry: &Registry,
        ledger: &SqliteLedger,
        mut l: Loaded,
    ) -> Result<Ready, Stop> {
        let copy = crate::identity::copied(self, ledger, &l.name, &l.plan.id).await?;
        let errors = l.problems.iter().any(|p| p.severity == Severity::Error);
        if copy.is_none() && !errors {
            crate::identity::settle(self, ledger, &l.name, &l.plan.id).await?;
        }
        l.problems.extend(copy);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            l.problems.into_iter().partition(|p| p.severity == Severity::Error);
        let (Some(source_spec), Some(target_spec), true) = (&l.source, &l.target, errors.is_empty()) else {
            return Err(errors.into());
        };
        let ports = Ports { plan: l.name.clone(), ..self.ports(ledger) };
        let file = format!("plans/{}.json", l.name);
        let place = |side: &str, connector: &str, list: Vec<Problem>| -> Vec<Problem> {
            list.into_iter()
                .map(|p| {
                    if p.path.starts_with("credentials") || p.path == "platform" || p.path == "base_url" {
                        Problem { file: self.project.connector_file(connector), ..p }
                    } else {
                        Problem { file: file.clone(), ..p.under(side) }
                    }
                })
                .collect()
        };
        let source = registry.build_source(source_spec, &l.source_meta, l.tz, &ports).await;
        let target = registry.build_target(target_spec, &l.target_meta, l.plan.batch, l.tz, &ports);
        let (source, target) = match (source, target) {
            (Ok(s), Ok(t)) => (s, t),
            (s, t) => {
                let mut list = Vec::new();
                if let Err(e) = s {
                    list.extend(place("source.metadata", &source_spec.name, e));
                }
                if let Err(e) = t {
                    list.extend(place("target.metadata", &target_spec.name, e));
                }
                return Err(list.into());
            }
        };
        let start = match &l.plan.start {
            None => None,
            Some(words) => {
                Some(Ts::parse(words, l.tz).map_err(|t| vec![Problem::error("HL-1010", "start", t)])?)
            }
        };
        let shape = source.shape();
        let shaper = DialectShaper::new(
            &l.source_meta,
            l.tz,
            &l.plan.hash_ignore,
            shape.stamp.as_deref(),
            shape.anchor.as_deref(),
            self.clock.clone(),
        );
        let renderer = DialectRenderer::new(
            &l.target_meta,
            target.shape().render,
            l.tz,
            crate::maps::lookups(&self.project, Some(Arc::new(ledger.lookups()))),
        );
        let renderer = match receiving_plan(&l.target_meta) {
            Some(words) => renderer.passing_to(door(&ports, &l.name, words)),
            None => renderer,
        };
        let spec = PlanSpec {
            name: l.name,
            uuid: l.plan.id.clone(),
            tz: l.tz,
            start,
            lookback_ms: l.plan.lookback_ms,
            settle_ms: l.plan.settle_ms,
            window_ms: l.plan.window_ms,
            windowed: l.source_meta.uses_window(),
            batch: l.plan.batch,
            retries: l.plan.retries,
            max_attempts: l.plan.max_attempts,
            policy: l.plan.policy(l.source_meta.id_check),
            verify: l.plan.verify,
            connectors: vec![source_spec.name.clone(), target_spec.name.clone()],
        };
        let sides = Sides { source, shaper: Arc::new(shaper), target, renderer: Arc::new(renderer) };
        Ok(Ready { spec, sides, warnings })
    }
}
