//! `run` and `certificate`.

use std::sync::Arc;

use chrono_tz::Tz;
use futures_util::StreamExt;
use heliu_engine::{Engine, Progress, RunOptions, Silent, Stop as Wish};
use heliu_ledger::SqliteLedger;
use heliu_model::ports::Ledger;
use heliu_model::run::RunReport;
use heliu_model::{Class, Failure, Lang, Problem, Window, text};
use serde_json::{Value, json};

use crate::args::RunArgs;
use crate::output::{Done, Out, Stop, paint};
use crate::progress::Bar;
use crate::wire::{App, Ready, owner};

fn window_json(w: &Window, tz: Tz) -> Value {
    json!({"from": w.from.rfc3339(tz), "to": w.to.rfc3339(tz)})
}

/// A run's answer as interface §3.2 fixes it.
pub fn report_json(out: &Out, r: &RunReport, tz: Tz) -> Value {
    let c = &r.counts;
    let windows: Vec<Value> = r
        .windows
        .iter()
        .map(|w| {
            let mut v = window_json(&w.window, tz);
            if let Value::Object(map) = &mut v {
                map.insert("complete".into(), w.complete.into());
                map.insert("balanced".into(), w.balanced.into());
                if let Some(total) = w.total {
                    map.insert("total".into(), total.into());
                }
            }
            v
        })
        .collect();
    let mut v = json!({
        "plan": r.plan,
        "run": r.run,
        "window": r.window.map(|w| window_json(&w, tz)),
        "windows": windows,
        "complete": r.complete,
        "source": {"calls": c.source.calls, "retried": c.source.retried, "throttled": c.source.throttled,
                   "pages": c.source.pages, "returned": c.source.returned, "repeated": c.source.repeated},
        "records": {"new": c.records.new, "changed": c.records.changed, "unchanged": c.records.unchanged,
                    "filtered": c.records.filtered, "rejected": c.records.rejected},
        "target": {"calls": c.target.calls, "written": c.target.written, "failed": c.target.failed,
                   "in_doubt": c.target.in_doubt, "waiting": c.target.waiting, "superseded": c.target.superseded},
        "waiting_before": c.waiting_before,
        "certificate": {"balanced": r.balanced},
        "seconds": (r.seconds * 1000.0).round() / 1000.0,
        "problems": r.problems.iter().map(|p| out.problem_json(p)).collect::<Vec<_>>(),
    });
    if let (Value::Object(map), Some(f)) = (&mut v, &r.failure) {
        map.insert("error".into(), out.failure_json(f));
    }
    v
}

/// A run's answer for people.
pub fn report_text(out: &Out, r: &RunReport, tz: Tz) {
    let zh = out.lang == Lang::Zh;
    let c = &r.counts;
    let word = |en: &'static str, cn: &'static str| if zh { cn } else { en };
    let range = r.window.map_or_else(
        || word("no window", "无窗口").to_owned(),
        |w| format!("{} → {}", w.from.local(tz), w.to.local(tz)),
    );
    out.line(&format!("{}  {range}  ({} {})", r.plan, word("run", "运行"), r.run));
    let (s, n, t) = (&c.source, &c.records, &c.target);
    if zh {
        out.line(&format!(
            "  来源    {} 次调用,{} 页,返回 {} 条,重复 {}(重试 {},限流 {})",
            s.calls, s.pages, s.returned, s.repeated, s.retried, s.throttled
        ));
        out.line(&format!(
            "  数据    新增 {},变化 {},未变 {},过滤 {},拒绝 {}",
            n.new, n.changed, n.unchanged, n.filtered, n.rejected
        ));
        out.line(&format!(
            "  目标    {} 次调用,写入 {},失败 {},存疑 {},等待 {},被取代 {}",
            t.calls, t.written, t.failed, t.in_doubt, t.waiting, t.superseded
        ));
    } else {
        out.line(&format!(
            "  source  {} calls, {} pages, {} returned, {} repeated ({} retried, {} throttled)",
            s.calls, s.pages, s.returned, s.repeated, s.retried, s.throttled
        ));
        out.line(&format!(
            "  records {} new, {} changed, {} unchanged, {} filtered, {} rejected",
            n.new, n.changed, n.unchanged, n.filtered, n.rejected
        ));
        out.line(&format!(
            "  target  {} calls, {} written, {} failed, {} in doubt, {} waiting, {} superseded",
            t.calls, t.written, t.failed, t.in_doubt, t.waiting, t.superseded
        ));
    }
    let due = n.new + n.changed + c.waiting_before;
    let sums = if zh {
        format!("返回 {} = 已判定 {};应写 {due} = 已结清 {}", s.returned, n.sum(), t.sum())
    } else {
        format!("{} returned = {} decided; {due} due = {} settled", s.returned, n.sum(), t.sum())
    };
    let verdict = match (r.balanced, r.complete) {
        (true, true) => word("balanced", "平衡"),
        (true, false) => word("balanced, but not the whole window", "平衡,但未读完整个窗口"),
        (false, _) => word("NOT BALANCED", "不平衡"),
    };
    out.line(&format!("  {}  {verdict}: {sums}", word("proof ", "证明  ")));
    let rate = if r.seconds > 0.0 { s.returned as f64 / r.seconds } else { 0.0 };
    out.line(&format!(
        "  {}  {:.2} s, {rate:.0} {}",
        word("time  ", "耗时  "),
        r.seconds,
        word("records/s", "条/秒")
    ));
    for p in &r.problems {
        out.line(&format!("  {}", out.problem_text(p).replace('\n', "\n  ")));
    }
    if r.standing_failed > 0 || r.standing_in_doubt > 0 {
        let (failed, doubt, plan) = (r.standing_failed, r.standing_in_doubt, &r.plan);
        let t = text!(
            "{failed} records failed and {doubt} are in doubt: `heliu records {plan} --state failed`",
            "{failed} 条失败,{doubt} 条存疑:`heliu records {plan} --state failed`"
        );
        out.line(&format!("  {} {}", paint("33", "!"), out.say(&t)));
    }
    if let Some(f) = &r.failure {
        out.show_failure(f);
    }
}

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
    let engine = Engine::new(Arc::new(ledger.clone()), app.clock.clone(), owner());
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
                        "{n} warnings about `{name}`; `heliu check {name}` shows them",
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
    .buffered(args.parallel.max(1));
    while let Some((ready, result)) = results.next().await {
        match result {
            Ok(report) => {
                code = code.max(report.exit_code());
                if app.out.json {
                    app.out.value(&report_json(&app.out, &report, ready.spec.tz));
                } else {
                    report_text(&app.out, &report, ready.spec.tz);
                }
            }
            Err(f) => {
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
    app.retain(&ledger).await;
    Ok(code)
}

/// `heliu certificate`
pub async fn certificate(app: &App, plan: &str, run: Option<String>) -> Done {
    let ledger = app.ledger()?;
    let (row, tz) = app.must_find(&ledger, plan).await?;
    let found = match &run {
        Some(ulid) => ledger.run(row.id, ulid).await?,
        None => ledger.runs(row.id, 1).await?.into_iter().next(),
    };
    let Some(found) = found else {
        let shown = run.unwrap_or_default();
        let name = &row.name;
        let f = if shown.is_empty() {
            Failure::config("HL-8011", text!("plan `{name}` has not run yet", "方案 `{name}` 尚未运行过"))
                .hint(text!("start it with `heliu run {name}`", "用 `heliu run {name}` 运行"))
        } else {
            Failure::config(
                "HL-8012",
                text!("plan `{name}` has no run `{shown}`", "方案 `{name}` 没有运行 `{shown}`"),
            )
            .hint(text!("`heliu status {name}` names the last one", "`heliu status {name}` 会列出最近一次"))
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
