//! `check`

use std::collections::BTreeSet;

use heliu_connect::Registry;
use heliu_ledger::SqliteLedger;
use heliu_model::{Lang, Problem, Severity, text};
use serde_json::json;

use crate::lint;
use crate::maps;
use crate::output::{Done, Stop, counted};
use crate::wire::{App, Loaded};

/// `heliu check`
pub async fn check(app: &App, plans: &[String]) -> Done {
    let mut problems: Vec<Problem> = Vec::new();
    let registry = match app.registry() {
        Ok(r) => r,
        // The rest is checked with the platforms that can be read.
        Err(Stop::Problems(list)) => {
            problems.extend(list);
            app.built_in()?
        }
        Err(stop) => return Err(stop),
    };
    let ledger = app.ledger_if_any()?;
    let names: Vec<String> = if plans.is_empty() { app.project.plan_names() } else { plans.to_vec() };
    if names.is_empty() {
        super::no_plans(app);
    }
    let known = app.project.connector_names();
    let mut connectors: BTreeSet<String> = BTreeSet::new();
    let mut loaded: Vec<Loaded> = Vec::new();
    let add = |found: Vec<Problem>, problems: &mut Vec<Problem>| {
        for p in found {
            if !problems.contains(&p) {
                problems.push(p);
            }
        }
    };
    for name in &names {
        match app.load(&registry, ledger.as_ref(), name).await {
            Ok(mut plan) => {
                add(std::mem::take(&mut plan.problems), &mut problems);
                add(unseen(app, &registry, ledger.as_ref(), &plan).await?, &mut problems);
                connectors.insert(plan.plan.source.connector.clone());
                connectors.insert(plan.plan.target.connector.clone());
                loaded.push(plan);
            }
            Err(Stop::Problems(list)) => add(list, &mut problems),
            Err(stop) => return Err(stop),
        }
    }
    add(same_ids(&loaded), &mut problems);
    if plans.is_empty() {
        add(app.project.buried_plans(), &mut problems);
        add(maps::read(&app.project).1, &mut problems);
        add(app.channel_faults(ledger.as_ref()).await?, &mut problems);
    }
    // Connectors that no plan uses yet are files of the user too.
    if plans.is_empty() {
        for name in known.iter().filter(|n| !connectors.contains(*n)) {
            match app.connector(&registry, ledger.as_ref(), name).await {
                Ok((_, found)) => add(found, &mut problems),
                Err(Stop::Problems(list)) => add(list, &mut problems),
                Err(stop) => return Err(stop),
            }
        }
        connectors.extend(known.iter().cloned());
    }
    connectors.retain(|c| known.contains(c));
    add(databases(app, &registry, &loaded).await, &mut problems);
    Ok(answer(app, &problems, names.len(), connectors.len()))
}

/// References of a plan's target that no sample shows.
async fn unseen(
    app: &App,
    registry: &Registry,
    ledger: Option<&SqliteLedger>,
    plan: &Loaded,
) -> Result<Vec<Problem>, Stop> {
    let Some(samples) = app.samples(registry, ledger, plan).await? else { return Ok(Vec::new()) };
    let file = format!("plans/{}.json", plan.name);
    Ok(lint::fields(plan, &samples).into_iter().map(|p| Problem { file: file.clone(), ..p }).collect())
}

/// Plans that share an id.
fn same_ids(loaded: &[Loaded]) -> Vec<Problem> {
    let mut out = Vec::new();
    for (i, plan) in loaded.iter().enumerate() {
        let id = &plan.plan.id;
        let Some(other) = loaded.iter().take(i).find(|o| o.plan.id == *id).map(|o| &o.name) else { continue };
        out.push(Problem {
            file: format!("plans/{}.json", plan.name),
            ..crate::identity::same_id(other, id)
        });
    }
    out
}

/// What the target databases themselves say. They may be out of reach from here, or not made yet: only warnings.
async fn databases(app: &App, registry: &Registry, loaded: &[Loaded]) -> Vec<Problem> {
    let mut out = Vec::new();
    let mut unreachable: BTreeSet<&str> = BTreeSet::new();
    for plan in loaded {
        let connector = plan.plan.target.connector.as_str();
        let Some(spec) = &plan.target else { continue };
        if unreachable.contains(connector) {
            continue;
        }
        match registry.inspect(spec, &plan.target_meta, plan.tz, app.clock.clone()).await {
            Ok(found) => out.extend(found.into_iter().map(|p| Problem {
                file: format!("plans/{}.json", plan.name),
                severity: Severity::Warning,
                ..p
            })),
            Err(f) => {
                unreachable.insert(connector);
                let (en, zh) = (&f.message.en, &f.message.zh);
                out.push(Problem {
                    file: app.project.connector_file(connector),
                    ..Problem::warning(
                        &f.code,
                        "",
                        text!("the database could not be looked at: {en}", "无法查看数据库:{zh}"),
                    )
                    .hint(f.hint)
                });
            }
        }
    }
    out
}

fn answer(app: &App, problems: &[Problem], plans: usize, connectors: usize) -> u8 {
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    if app.out.json {
        app.out.value(&json!({
            "ok": errors == 0,
            "plans": plans,
            "connectors": connectors,
            "errors": errors,
            "warnings": warnings,
            "problems": problems.iter().map(|p| app.out.problem_json(p)).collect::<Vec<_>>(),
        }));
    } else {
        for p in problems {
            app.out.line(&app.out.problem_text(p));
        }
        app.out.line(&match app.out.lang {
            Lang::Zh => {
                format!("已检查 {plans} 个方案、{connectors} 个连接器:{errors} 个错误,{warnings} 个警告")
            }
            Lang::En => format!(
                "checked {} and {}: {}, {}",
                counted(plans, "plan"),
                counted(connectors, "connector"),
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        });
    }
    if errors > 0 { 2 } else { 0 }
}
