//! `run` and `certificate`.

use std::sync::Arc;

use futures_util::StreamExt;
use heliu_engine::{Progress, RunOptions, Silent, Stop as Wish};
use heliu_ledger::SqliteLedger;
use heliu_model::ports::Ledger;
use heliu_model::run::RunReport;
use heliu_model::{Class, Failure, Problem, text};
use serde_json::{Value, json};

use crate::args::RunArgs;
use crate::output::{Done, Out, Stop};
use crate::progress::Bar;
use crate::report::{report_json, report_text};
use crate::wire::{App, Ready};

/// The wish to stop: the first Ctrl-C (or TERM) finishes the page in flight, the second one ends at once.
pub fn stop_wish(out: Out) -> Wish {
    let (tx, wish) = Wish::new();
    tokio::spawn(async move {
        for nth in 0..2 {
            until_interrupted().await;
            if nth == 1 {
                std::process::exit(3);
            }
            out.hint(&text!(
                "stopping after the page in flight; the same command resumes. Again to stop at once",
                "完成当前页后停止;再次运行同一命令即可继续。再按一次立即停止"
            ));
            let _ = tx.send(true);
        }
    });
    wish
}

/// Resolves at Ctrl-C or TERM.
pub async fn until_interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Runs one prepared plan.
pub async fn one(
    app: &App,
    ledger: &SqliteLedger,
    ready: &Ready,
    options: RunOptions,
    wish: Wish,
) -> Result<RunReport, Failure> {
    let engine = app.engine(ledger);
    let bar = Bar::new(&ready.spec.name, app.out.lang, app.out.quiet || app.out.json).map(Arc::new);
    let progress: Arc<dyn Progress> = match &bar {
        Some(bar) => bar.clone(),
        None => Arc::new(Silent),
    };
    let result = engine.run(&ready.spec, &ready.sides, options, progress, wish).await;
    if let Some(bar) = bar {
        bar.end();
    }
    result
}

/// Exit status of a failure before a run began.
fn status_of(f: &Failure) -> u8 {
    if f.class == Class::Config && (f.code.starts_with("HL-1") || f.code.starts_with("HL-2")) { 2 } else { 3 }
}

/// `heliu run`
pub async fn run(app: &App, args: RunArgs) -> Done {
    let registry = app.registry()?;
    // Whatever the files say wrong is said before the ledger is touched.
    let mut problems: Vec<Problem> = Vec::new();
    for name in &args.plans {
        if let Err(list) = app.project.plan(name) {
            problems.extend(list);
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let ledger = app.ledger()?;
    let mut plans = Vec::new();
    for name in &args.plans {
        match app.ready(&registry, &ledger, name, args.remedy).await {
            Ok(ready) => {
                let n = ready.warnings.len();
                if n > 0 {
                    app.out.hint(&text!(
                        "warnings about `{name}`: {n}; `heliu check {name}` shows them",
                        "`{name}` 有 {n} 个警告;`heliu check {name}` 可查看"
                    ));
                }
                plans.push(ready);
            }
            Err(Stop::Problems(list)) => problems.extend(list),
            Err(stop) => return Err(stop),
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let mut work = Vec::new();
    for ready in plans {
        let time = |words: &Option<String>, option: &str| match words {
            Some(w) => App::time(w, option, ready.spec.tz).map(Some),
            None => Ok(None),
        };
        let options = RunOptions {
            from: time(&args.from, "--from")?,
            to: time(&args.to, "--to")?,
            limit: args.limit,
            source_only: args.source_only,
            target_only: args.target_only,
            remedy: args.remedy,
            ..RunOptions::default()
        };
        work.push((ready, options));
    }
    let wish = stop_wish(app.out);
    let mut code = 0u8;
    let ledger_ref = &ledger;
    let mut results = futures_util::stream::iter(work.into_iter().map(|(ready, options)| {
        let wish = wish.clone();
        async move {
            let result = one(app, ledger_ref, &ready, options, wish).await;
            (ready, result)
        }
    }))
    .buffered(usize::from(args.parallel.max(1)));
    let mut sound = true;
    while let Some((ready, result)) = results.next().await {
        match result {
            Ok(report) => {
                sound &= report.failure.is_none();
                code = code.max(report.exit_code());
                if app.out.json {
                    app.out.value(&report_json(&app.out, &report, ready.spec.tz));
                } else {
                    report_text(&app.out, &report, ready.spec.tz);
                }
            }
            Err(f) => {
                sound = false;
                code = code.max(status_of(&f));
                if app.out.json {
                    app.out.value(&json!({"plan": ready.spec.name, "error": app.out.failure_json(&f)}));
                } else {
                    app.out.show_failure(&f);
                }
            }
        }
    }
    drop(results);
    app.tell(&ledger).await;
    // A ledger that is in trouble is left alone.
    if sound {
        app.retain(&ledger, &wish).await;
    }
    Ok(code)
}

/// A run that is asked for by an id that the plan does not have.
pub fn no_run(name: &str, ulid: &str) -> Failure {
    Failure::config("HL-8012", text!("plan `{name}` has no run `{ulid}`", "方案 `{name}` 没有运行 `{ulid}`"))
        .hint(text!("`heliu status {name}` names the last one", "`heliu status {name}` 会列出最近一次"))
}

/// `heliu certificate`
pub async fn certificate(app: &App, plan: &str, run: Option<String>) -> Done {
    let ledger = app.ledger()?;
    let (row, tz) = app.must_find(&ledger, plan).await?;
    let found = match &run {
        Some(ulid) => ledger.run(row.id, ulid).await?,
        // A run that only wrote has no window to account for.
        None => {
            let mut runs = ledger.runs(row.id, 100).await?;
            let at = runs.iter().position(|r| !r.windows.is_empty()).unwrap_or(0);
            (at < runs.len()).then(|| runs.swap_remove(at))
        }
    };
    let Some(found) = found else {
        let shown = run.unwrap_or_default();
        let name = &row.name;
        let f = if shown.is_empty() {
            Failure::config("HL-8011", text!("plan `{name}` has not run yet", "方案 `{name}` 尚未运行过"))
                .hint(text!("start it with `heliu run {name}`", "用 `heliu run {name}` 运行"))
        } else {
            no_run(name, &shown)
        };
        return Err(f.into());
    };
    let standing = ledger.state_counts(row.id).await?;
    let report = RunReport::from_row(&row.name, &found, &standing);
    if app.out.json {
        let mut v = report_json(&app.out, &report, tz);
        if let Value::Object(map) = &mut v {
            map.insert("balanced".into(), report.balanced.into());
            map.insert("state".into(), found.state.word().into());
        }
        app.out.value(&v);
    } else {
        report_text(&app.out, &report, tz);
    }
    Ok(u8::from(!report.balanced))
}
