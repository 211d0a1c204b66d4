//! `check`

use heliu_model::codes::lint as say;
use heliu_model::{Lang, Problem, Severity};
use serde_json::json;

use crate::output::{Done, Stop};
use crate::wire::App;

/// `heliu check`
pub async fn check(app: &App, plans: &[String]) -> Done {
    let mut problems: Vec<Problem> = Vec::new();
    let registry = match app.registry() {
        Ok(r) => Some(r),
        Err(Stop::Problems(list)) => {
            problems.extend(list);
            None
        }
        Err(stop) => return Err(stop),
    };
    let ledger = app.ledger_if_any()?;
    let all = app.project.plan_names();
    let names: Vec<String> = if plans.is_empty() { all.clone() } else { plans.to_vec() };
    let mut connectors = Vec::new();
    let mut ids: Vec<(String, String)> = Vec::new();
    if let Some(registry) = &registry {
        for name in &names {
            match app.load(registry, ledger.as_ref(), name).await {
                Ok(loaded) => {
                    if let Some((other, _)) = ids.iter().find(|(_, id)| *id == loaded.plan.id) {
                        let id = &loaded.plan.id;
                        problems.push(Problem {
                            file: format!("plans/{}.json", loaded.name),
                            ..say::SAME_ID
                                .at(
                                    "id",
                                    heliu_model::text!(
                                        "plan `{other}` has the same id `{id}`",
                                        "方案 `{other}` 的 id 也是 `{id}`"
                                    ),
                                )
                                .hint(heliu_model::text!(
                                    "lookups name plans by id: give each its own",
                                    "联查按 id 引用方案,请为每个方案使用不同的 id"
                                ))
                        });
                    }
                    ids.push((loaded.name.clone(), loaded.plan.id.clone()));
                    for p in loaded.problems {
                        if !problems.contains(&p) {
                            problems.push(p);
                        }
                    }
                    connectors.push(loaded.plan.source.connector);
                    connectors.push(loaded.plan.target.connector);
                }
                Err(Stop::Problems(list)) => problems.extend(list),
                Err(stop) => return Err(stop),
            }
        }
        // Connectors that no plan uses yet are files of the user too.
        if plans.is_empty() {
            for name in app.project.connector_names() {
                if connectors.contains(&name) {
                    continue;
                }
                connectors.push(name.clone());
                match app.project.resolve(&name, ledger.as_ref()).await {
                    Ok((spec, found)) => {
                        problems.extend(found);
                        if let Err(p) = registry.canonical(&spec.platform) {
                            problems.push(Problem { file: app.project.connector_file(&name), ..p });
                        } else if let Err(list) = match registry.manifest(&spec.platform) {
                            Some(_) => {
                                let ledger = match &ledger {
                                    Some(l) => l.clone(),
                                    None => continue,
                                };
                                registry.account(&spec, &app.ports(&ledger)).map(drop)
                            }
                            None => Ok(()),
                        } {
                            let file = app.project.connector_file(&name);
                            problems.extend(list.into_iter().map(|p| Problem { file: file.clone(), ..p }));
                        }
                    }
                    Err(Stop::Problems(list)) => problems.extend(list),
                    Err(stop) => return Err(stop),
                }
            }
        }
    }
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    connectors.sort();
    connectors.dedup();
    if app.out.json {
        app.out.value(&json!({
            "ok": errors == 0,
            "plans": names.len(),
            "connectors": connectors.len(),
            "errors": errors,
            "warnings": warnings,
            "problems": problems.iter().map(|p| app.out.problem_json(p)).collect::<Vec<_>>(),
        }));
    } else {
        for p in &problems {
            app.out.line(&app.out.problem_text(p));
        }
        let (plans, conns) = (names.len(), connectors.len());
        app.out.line(&match app.out.lang {
            Lang::Zh => format!("已检查 {plans} 个方案、{conns} 个连接器:{errors} 个错误,{warnings} 个警告"),
            Lang::En => {
                format!("{plans} plans, {conns} connectors checked: {errors} errors, {warnings} warnings")
            }
        });
    }
    Ok(if errors > 0 { 2 } else { 0 })
}
