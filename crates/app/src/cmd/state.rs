//! `status` and `watermark`.

use chrono_tz::Tz;
use heliu_model::alert::Alert;
use heliu_model::config::PlanFile;
use heliu_model::ports::{AlertFilter, Alerts, Clock, Ledger, Schedules, TickState, Trigger};
use heliu_model::run::{RunReport, RunState};
use heliu_model::schedule::{Schedule, jitter_ms};
use heliu_model::{Lang, Ts, text};
use serde_json::{Value, json};

use super::budgets;
use crate::alerts::{alert_json, alert_text};
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

/// One line of a plan's timetable.
struct TimeLine {
    trigger: Trigger,
    words: String,
    next: Option<Ts>,
    answered: Option<Ts>,
    owed: Option<Ts>,
    failures: u32,
}

/// When a plan is to be started, by what its file says and what has been answered.
fn timetable(name: &str, plan: &PlanFile, tz: Tz, ticks: &[TickState], now: Ts) -> Vec<TimeLine> {
    if !plan.enabled {
        return Vec::new();
    }
    let crontab = plan.source.metadata.pointer("/omissionRemedy/crontab").and_then(Value::as_str);
    let remedy = crontab.and_then(|c| Schedule::parse(c).ok());
    [
        (Trigger::Source, plan.schedule.as_ref()),
        (Trigger::Target, plan.target_schedule.as_ref()),
        (Trigger::Remedy, remedy.as_ref()),
        (Trigger::After, None),
    ]
    .into_iter()
    .filter_map(|(trigger, schedule)| {
        let words = match (trigger, schedule) {
            (Trigger::After, _) => plan.after.clone()?,
            (_, s) => s?.words().to_owned(),
        };
        let state = ticks.iter().find(|t| t.trigger == trigger);
        let owed = state.and_then(|s| s.owed);
        let shift = jitter_ms(name, trigger.word(), plan.jitter_ms);
        let tick = schedule.and_then(|s| s.next(now.plus_ms(-shift), tz)).map(|t| t.plus_ms(shift));
        let next = [owed.map(|t| t.max(now)), tick].into_iter().flatten().min();
        let (answered, failures) = (state.map(|s| s.answered), state.map_or(0, |s| s.failures));
        Some(TimeLine { trigger, words, next, answered, owed, failures })
    })
    .collect()
}

/// `heliu status`
pub async fn status(app: &App, plans: &[String]) -> Done {
    let ledger = app.ledger_if_any()?;
    let names: Vec<String> = if plans.is_empty() { app.project.plan_names() } else { plans.to_vec() };
    if names.is_empty() {
        super::no_plans(app);
    }
    let (mut rows, mut open) = (Vec::new(), Vec::new());
    let zh = app.out.lang == Lang::Zh;
    let budgets = budgets::lines(app, ledger.as_ref()).await?;
    let (mut concerned, mut zone) = (Vec::new(), None);
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
        let (mut last, mut counts, mut ticks) = (None, Default::default(), Vec::new());
        if let (Some(ledger), Some(row)) = (&ledger, &row) {
            ticks = ledger.tick_states(row.id).await?;
            counts = ledger.state_counts(row.id).await?;
            last = ledger.runs(row.id, 1).await?.into_iter().next();
        }
        let timetable =
            file.as_ref().map_or_else(Vec::new, |f| timetable(&stem, &f.value, tz, &ticks, app.clock.now()));
        let next = timetable.iter().filter_map(|l| l.next).min();
        let alerts: Vec<Alert> = match &ledger {
            Some(ledger) => {
                let filter = AlertFilter { open_only: true, plan: Some(stem.clone()), limit: 0 };
                ledger.alerts(&filter).await?
            }
            None => Vec::new(),
        };
        let report = last.as_ref().map(|r| RunReport::from_row(&stem, r, &counts));
        let watermark = row.as_ref().and_then(|r| r.watermark);
        let time = |t: Option<Ts>| t.map(|t| t.local(tz)).unwrap_or_else(|| "-".into());
        let backlog = counts.waiting + counts.queued;
        let sides = file.as_ref().map(|f| [&f.value.source.connector, &f.value.target.connector]);
        let sides: Vec<&str> = sides.iter().flatten().map(|c| c.as_str()).collect();
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
                "timetable": timetable.iter().map(|l| json!({
                    "trigger": l.trigger.word(), "schedule": l.words, "next": l.next.map(|t| t.rfc3339(tz)),
                    "answered": l.answered.map(|t| t.rfc3339(tz)), "owed": l.owed.map(|t| t.rfc3339(tz)),
                    "failures": l.failures,
                })).collect::<Vec<_>>(),
                "alerts": alerts.iter().map(|a| alert_json(&app.out, a)).collect::<Vec<_>>(),
                "budgets": budgets.iter().filter(|b| b.of(&sides)).map(|b| b.json(tz)).collect::<Vec<_>>(),
            }));
            continue;
        }
        let unfinished = last.as_ref().is_some_and(|r| r.state == RunState::Open || r.failure.is_some());
        let proof = match &report {
            None => "-",
            Some(_) if unfinished && zh => "尚无",
            Some(_) if unfinished => "none yet",
            Some(r) if r.balanced && zh => "平衡",
            Some(r) if r.balanced => "balanced",
            Some(_) if zh => "不平衡",
            Some(_) => "NOT BALANCED",
        };
        open.extend(alerts);
        concerned.extend(sides.iter().map(|s| (*s).to_owned()));
        zone.get_or_insert(tz);
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
        let sides: Vec<&str> = concerned.iter().map(String::as_str).collect();
        let tz = zone.unwrap_or(chrono_tz::Asia::Shanghai);
        let used: Vec<Vec<String>> = budgets.iter().filter(|b| b.of(&sides)).map(|b| b.cells(tz)).collect();
        if !used.is_empty() {
            app.out.line(if zh { "\n请求额度" } else { "\nBUDGETS" });
            app.out.table(budgets::head(app.out.lang), &used);
        }
        if !open.is_empty() {
            app.out.line(if zh { "\n告警" } else { "\nALERTS" });
            for a in &open {
                app.out.line(&alert_text(&app.out, a));
            }
        }
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
        if wanted > app.clock.now() {
            app.out.hint(&text!(
                "the watermark is ahead of now: until then every run goes on where the last one ended",
                "水位线晚于当前时间:在此之前,每次运行都从上一次运行结束处继续"
            ));
        }
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
