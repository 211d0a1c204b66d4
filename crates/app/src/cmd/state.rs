//! `status` and `watermark`.

use heliu_model::ports::{Clock, Ledger};
use heliu_model::run::{RunReport, RunState};
use heliu_model::{Lang, Ts};
use serde_json::json;

use crate::output::Done;
use crate::wire::{App, owner};

fn state_word(s: RunState, lang: Lang) -> &'static str {
    match (s, lang) {
        (RunState::Open, Lang::Zh) => "未完成",
        (RunState::Done, Lang::Zh) => "完成",
        (RunState::Attention, Lang::Zh) => "需处理",
        (RunState::Stopped, Lang::Zh) => "已停止",
        (s, Lang::En) => s.word(),
    }
}

/// `heliu status`
pub async fn status(app: &App, plans: &[String]) -> Done {
    let ledger = app.ledger_if_any()?;
    let names: Vec<String> = if plans.is_empty() { app.project.plan_names() } else { plans.to_vec() };
    let mut rows = Vec::new();
    let zh = app.out.lang == Lang::Zh;
    for name in &names {
        let stem = name.trim_start_matches("plans/").trim_end_matches(".json").to_owned();
        let (row, tz) = match &ledger {
            Some(ledger) => app.find(ledger, &stem).await?,
            None => {
                app.project.plan(&stem)?;
                (None, chrono_tz::Asia::Shanghai)
            }
        };
        let file = app.project.plan(&stem).ok();
        let schedule =
            file.as_ref().and_then(|f| f.value.schedule.as_ref().map(|s| (s.clone(), f.value.enabled)));
        let next = match &schedule {
            Some((s, true)) => s.next(app.clock.now(), tz),
            _ => None,
        };
        let (mut last, mut counts) = (None, Default::default());
        if let (Some(ledger), Some(row)) = (&ledger, &row) {
            counts = ledger.state_counts(row.id).await?;
            last = ledger.runs(row.id, 1).await?.into_iter().next();
        }
        let report = last.as_ref().map(|r| RunReport::from_row(&stem, r, &counts));
        let watermark = row.as_ref().and_then(|r| r.watermark);
        let time = |t: Option<Ts>| t.map(|t| t.local(tz)).unwrap_or_else(|| "-".into());
        let backlog = counts.waiting + counts.queued;
        if app.out.json {
            app.out.value(&json!({
                "plan": stem,
                "watermark": watermark.map(|t| t.rfc3339(tz)),
                "last_run": last.as_ref().map(|r| json!({
                    "run": r.ulid,
                    "state": r.state.word(),
                    "started": r.started.rfc3339(tz),
                    "ended": r.ended.map(|t| t.rfc3339(tz)),
                    "seconds": r.seconds,
                })),
                "certificate": report.as_ref().map(|r| json!({"balanced": r.balanced, "complete": r.complete})),
                "records": {"waiting": counts.waiting, "queued": counts.queued, "written": counts.written,
                            "filtered": counts.filtered, "rejected": counts.rejected, "failed": counts.failed,
                            "in_doubt": counts.in_doubt},
                "backlog": backlog,
                "schedule": schedule.as_ref().map(|(s, _)| s.words()),
                "next": next.map(|t| t.rfc3339(tz)),
            }));
            continue;
        }
        let proof = match &report {
            None => "-",
            Some(r) if r.balanced && zh => "平衡",
            Some(r) if r.balanced => "balanced",
            Some(_) if zh => "不平衡",
            Some(_) => "NOT BALANCED",
        };
        rows.push(vec![
            stem,
            time(watermark),
            last.as_ref().map_or("-", |r| state_word(r.state, app.out.lang)).to_owned(),
            proof.to_owned(),
            counts.written.to_string(),
            backlog.to_string(),
            counts.failed.to_string(),
            counts.in_doubt.to_string(),
            time(next),
        ]);
    }
    if !app.out.json {
        let head: &[&str] = if zh {
            &["方案", "水位线", "最近运行", "证明", "已写入", "积压", "失败", "存疑", "下次"]
        } else {
            &["PLAN", "WATERMARK", "LAST RUN", "PROOF", "WRITTEN", "BACKLOG", "FAILED", "IN DOUBT", "NEXT"]
        };
        app.out.table(head, &rows);
    }
    Ok(0)
}

/// `heliu watermark`
pub async fn watermark(app: &App, plan: &str, set: Option<&str>) -> Done {
    let ledger = app.ledger()?;
    let (row, tz) = app.find(&ledger, plan).await?;
    let row = match (row, set) {
        (Some(row), _) => Some(row),
        // A watermark can be set before the first run: the plan gets its row now.
        (None, Some(_)) => {
            let read = app.project.plan(plan)?;
            let stem = plan.trim_start_matches("plans/").trim_end_matches(".json");
            Some(ledger.plan(stem, &read.value.id, app.clock.now()).await?)
        }
        (None, None) => None,
    };
    let stem = plan.trim_start_matches("plans/").trim_end_matches(".json");
    let mut at = row.as_ref().and_then(|r| r.watermark);
    if let (Some(row), Some(words)) = (&row, set) {
        let wanted = App::time(words, "--set", tz)?;
        ledger.set_watermark(row.id, wanted, &owner(), app.clock.now()).await?;
        at = Some(wanted);
    }
    if app.out.json {
        app.out.value(&json!({"plan": stem, "watermark": at.map(|t| t.rfc3339(tz))}));
    } else {
        let none = if app.out.lang == Lang::Zh { "无" } else { "none" };
        app.out.line(&format!("{stem}  {}", at.map_or_else(|| none.to_owned(), |t| t.rfc3339(tz))));
    }
    Ok(0)
}
