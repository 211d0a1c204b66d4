//! A run's answer, for machines and for people.

use chrono_tz::Tz;
use heliu_model::run::RunReport;
use heliu_model::{Lang, Window, text};
use serde_json::{Value, json};

use crate::output::{Out, counted, paint};

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
            "  source  {}, {}, {} returned, {} repeated ({} retried, {} throttled)",
            counted(s.calls, "call"),
            counted(s.pages, "page"),
            s.returned,
            s.repeated,
            s.retried,
            s.throttled
        ));
        out.line(&format!(
            "  records {} new, {} changed, {} unchanged, {} filtered, {} rejected",
            n.new, n.changed, n.unchanged, n.filtered, n.rejected
        ));
        out.line(&format!(
            "  target  {}, {} written, {} failed, {} in doubt, {} waiting, {} superseded",
            counted(t.calls, "call"),
            t.written,
            t.failed,
            t.in_doubt,
            t.waiting,
            t.superseded
        ));
    }
    proof(out, r);
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
        let state = if failed > 0 { "failed" } else { "in_doubt" };
        let t = text!(
            "failed: {failed}, in doubt: {doubt}; `heliu records {plan} --state {state}` says why",
            "失败 {failed} 条,存疑 {doubt} 条;`heliu records {plan} --state {state}` 可查看原因"
        );
        out.line(&format!("  {} {}", paint("33", "!"), out.say(&t)));
    }
    if let Some(f) = &r.failure {
        out.show_failure(f);
    }
}

/// Whether the counts add up; nothing is proved about windows that were not read to their end.
fn proof(out: &Out, r: &RunReport) {
    let zh = out.lang == Lang::Zh;
    let word = |en: &'static str, cn: &'static str| if zh { cn } else { en };
    let head = word("proof ", "证明  ");
    if r.failure.is_some() {
        let none = word(
            "none yet: the run did not finish; what was stored stays",
            "暂无:运行未完成,已保存的内容都保留",
        );
        return out.line(&format!("  {head}  {none}"));
    }
    let (c, n, t) = (&r.counts, &r.counts.records, &r.counts.target);
    let due = n.new + n.changed + c.waiting_before;
    let sums = if zh {
        format!("返回 {} = 已判定 {};应写 {due} = 已结清 {}", c.source.returned, n.sum(), t.sum())
    } else {
        format!("{} returned = {} decided; {due} due = {} settled", c.source.returned, n.sum(), t.sum())
    };
    let verdict = match (r.balanced, r.complete) {
        (true, true) => word("balanced", "平衡"),
        (true, false) => word("balanced, but not the whole window", "平衡,但未读完整个窗口"),
        (false, _) => word("NOT BALANCED", "不平衡"),
    };
    out.line(&format!("  {head}  {verdict}: {sums}"));
}
