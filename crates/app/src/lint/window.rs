//! Findings about the time window: how its ends follow the watermark and the clock is tried out, not read from names
//! of functions.

use chrono_tz::Tz;
use heliu_model::codes::lint as say;
use heliu_model::record::OnChange;
use heliu_model::{Problem, text};
use heliu_transform::mapping::Request;
use heliu_transform::{Context, Map, Metadata, Value, instant};

use super::Known;
use super::walk::raw_items;
use crate::wire::Loaded;

const DAY: i64 = 86_400;
/// A watermark to try with: 2023-11-14 22:13:20 UTC.
const LAST: i64 = 1_700_000_000;

/// A parameter that says a time.
struct Moment {
    path: String,
    name: String,
    /// Unix seconds with the watermark at [`LAST`] and a window of one day.
    at: i64,
    follows_last: bool,
    follows_now: bool,
    begin: bool,
    end: bool,
}

/// Findings about the source's window.
pub fn window(l: &Loaded, known: &Known, out: &mut Vec<Problem>) {
    let meta = &l.source_meta;
    let list = moments(meta, l.tz, DAY);
    if !list.iter().any(|m| m.follows_last || m.follows_now) {
        return;
    }
    let at = |m: &Moment| format!("source.metadata.{}", m.path);
    let begin = list.iter().find(|m| m.begin);
    let end = list.iter().find(|m| m.end);
    if let Some(b) = begin {
        let name = b.name.clone();
        if !b.follows_last && b.follows_now {
            let (en, zh) = span(LAST + DAY - b.at);
            out.push(
                say::NAIVE_BEGIN
                    .at(
                        at(b),
                        text!(
                            "`{name}` is always {en} before now, whenever the last run was",
                            "`{name}` 总是当前时间之前 {zh},与上次运行无关"
                        ),
                    )
                    .hint(text!(
                        "write `{{{{LAST_SYNC_TIME|datetime}}}}`",
                        "请写成 `{{{{LAST_SYNC_TIME|datetime}}}}`"
                    )),
            );
        } else if !b.follows_last {
            out.push(
                say::FIXED_BEGIN
                    .at(at(b), text!("`{name}` is the same for every run", "`{name}` 在每次运行中都相同"))
                    .hint(text!(
                        "write `{{{{LAST_SYNC_TIME|datetime}}}}`, and the first day as `start` of the plan",
                        "请写成 `{{{{LAST_SYNC_TIME|datetime}}}}`,首日写在方案的 `start` 中"
                    )),
            );
        } else if b.at >= LAST && l.plan.lookback_ms == 0 {
            out.push(
                say::NO_OVERLAP
                    .at(
                        "lookback",
                        text!(
                            "`{name}` begins exactly where the last window ended",
                            "`{name}` 恰从上一窗口的结束处开始"
                        ),
                    )
                    .hint(text!("leave `lookback` at \"10m\"", "请将 `lookback` 保留为 \"10m\"")),
            );
        }
    }
    if let Some(e) = end
        && !e.follows_now
    {
        let name = e.name.clone();
        let found = if e.follows_last {
            text!("`{name}` is counted from the window's begin", "`{name}` 由窗口的开始推算")
        } else {
            text!("`{name}` is the same for every run", "`{name}` 在每次运行中都相同")
        };
        out.push(say::NAIVE_END.at(at(e), found).hint(text!(
            "write `{{{{CURRENT_TIME|datetime}}}}`; the plan's `window` cuts long ranges",
            "请写成 `{{{{CURRENT_TIME|datetime}}}}`;较长的范围由方案的 `window` 切分"
        )));
    }
    if let (Some(b), Some(e)) = (begin, end)
        && e.at <= b.at
    {
        let (x, y) = (b.name.clone(), e.name.clone());
        let (en, zh) = span(b.at - e.at);
        out.push(say::EMPTY_WINDOW.at(at(e), text!("`{y}` lies before `{x}`", "`{y}` 早于 `{x}`")).hint(
            text!(
                "with a window of one day it ends {en} before its begin",
                "以一天的窗口计算,结束比开始早 {zh}"
            ),
        ));
    }
    too_long(l, known, out);
    let modified = list.iter().any(|m| m.follows_last && speaks_of_changes(&m.name));
    if modified
        && l.plan.on_change == OnChange::Update
        && meta.raw.get_path("idCheck").is_some()
        && meta.id_check
    {
        out.push(
            say::IDCHECK_UPDATES
                .at(
                    "source.metadata.idCheck",
                    text!(
                        "the source is read by modification time: changed records come again under their old id",
                        "来源按修改时间读取:变化的数据会以原 id 再次出现"
                    ),
                )
                .hint(text!(
                    "heliu writes them again (`onChange: \"update\"`); to keep the first version, as idCheck does with the vendor, set `onChange: \"ignore\"`",
                    "heliu 会再次写入(`onChange: \"update\"`);如需像原平台的 idCheck 那样保留首个版本,请设 `onChange: \"ignore\"`"
                )),
        );
    }
}

/// A window above the platform's cap: by the plan's own words, or by constants in the expressions.
fn too_long(l: &Loaded, known: &Known, out: &mut Vec<Problem>) {
    let Some(days) = known.source.as_ref().and_then(|f| f.max_window_days).map(i64::from) else { return };
    let cap = days * DAY;
    if let Some(ms) = l.plan.window_ms
        && ms > cap * 1000
    {
        let (en, zh) = span(ms / 1000);
        out.push(
            say::WINDOW_TOO_LONG
                .at(
                    "window",
                    text!(
                        "windows of {en} are longer than this interface answers ({days} days)",
                        "窗口 {zh} 超过该接口的上限({days} 天)"
                    ),
                )
                .hint(text!(
                    "a run cuts them to {days} days; write `\"{days}d\"` or leave it out",
                    "运行时按 {days} 天切分;请写 `\"{days}d\"` 或删除"
                )),
        );
    }
    // The engine never asks for more than the cap; what the expressions add to both ends may.
    let length = l.plan.window_ms.map_or(cap, |ms| (ms / 1000).clamp(1, cap));
    let list = moments(&l.source_meta, l.tz, length);
    if let (Some(b), Some(e)) = (list.iter().find(|m| m.begin), list.iter().find(|m| m.end))
        && e.at - b.at > cap
        && (b.follows_last || b.follows_now)
    {
        let ((en, zh), name) = (span(e.at - b.at), b.name.clone());
        out.push(
            say::WINDOW_TOO_LONG
                .at(
                    format!("source.metadata.{}", b.path),
                    text!("`{name}` makes the window up to {en} long; this interface answers {days} days", "`{name}` 使窗口最长达 {zh},而该接口的上限为 {days} 天"),
                )
                .hint(text!(
                    "take the constant out of the expression (`lookback` of the plan reads again what is late), or set the plan's `window` below {days} days",
                    "请去掉表达式中的常数(方案的 `lookback` 会重读延迟的数据),或将方案的 `window` 设为小于 {days} 天"
                )),
        );
    }
}

/// Seconds for people: English, 中文.
fn span(secs: i64) -> (String, String) {
    let mut rest = secs.abs();
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for (unit, one, many, word) in [
        (DAY, "day", "days", "天"),
        (3_600, "hour", "hours", "小时"),
        (60, "minute", "minutes", "分钟"),
        (1, "second", "seconds", "秒"),
    ] {
        let n = rest / unit;
        rest %= unit;
        if n > 0 {
            en.push(format!("{n} {}", if n == 1 { one } else { many }));
            zh.push(format!("{n} {word}"));
        }
    }
    if en.is_empty() {
        return ("no time".to_owned(), "0 秒".to_owned());
    }
    (en.join(" "), zh.join(" "))
}

fn speaks_of_changes(name: &str) -> bool {
    let low = name.to_lowercase();
    ["modif", "update", "change", "修改", "更新", "变更"].iter().any(|w| low.contains(w))
}

/// The parameters of the request that say times, tried out with three pairs of watermark and clock.
fn moments(meta: &Metadata, tz: Tz, length: i64) -> Vec<Moment> {
    let request = Request::compile(meta);
    let render = |last: i64, now: i64| -> Option<Vec<(String, Value)>> {
        let ctx = Context { strict: false, ..Context::new(last, now, tz) };
        let rendered = request.render(&ctx, None).ok()?;
        let mut out = Vec::new();
        leaves(&rendered.request, "", &mut out);
        leaves(&rendered.other, "", &mut out);
        Some(out)
    };
    let now = LAST + length;
    let (Some(base), Some(later), Some(newer)) =
        (render(LAST, now), render(LAST + 3_600, now), render(LAST, now + 3_600))
    else {
        return Vec::new();
    };
    let raw = raw_items(meta);
    let value =
        |list: &[(String, Value)], key: &str| list.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let mut out = Vec::new();
    for (key, v) in &base {
        let follows_last = value(&later, key).as_ref() != Some(v);
        let follows_now = value(&newer, key).as_ref() != Some(v);
        // Small numbers are no times; nor are texts that only hold one somewhere.
        let plausible = match v {
            Value::Number(n) => n.as_i64().is_some_and(|n| n >= 1_000_000_000),
            Value::String(s) => s.len() >= 8,
            _ => false,
        };
        let Some(ms) = instant(v, tz).filter(|_| plausible) else { continue };
        let leaf = key.rsplit('.').next().unwrap_or(key);
        let item =
            raw.iter().find(|r| (r.list == "request" || r.list == "otherRequest") && r.text("field") == leaf);
        let label = item.map(|r| r.text("label")).unwrap_or_default();
        let (begin, end) = ends(leaf, &label);
        out.push(Moment {
            path: item.map_or_else(|| "request".to_owned(), |r| format!("{}.value", r.path)),
            name: leaf.to_owned(),
            at: ms.div_euclid(1000),
            follows_last,
            follows_now,
            begin,
            end,
        });
    }
    out
}

/// Whether a name speaks of the window's begin or end.
fn ends(field: &str, label: &str) -> (bool, bool) {
    let low = field.to_lowercase();
    let has = |s: &str, words: &[&str]| words.iter().any(|w| s.contains(w));
    let begin = has(&low, &["begin", "start", "from", "since"]);
    let end = has(&low, &["end", "stop", "until", "finish"]) || low == "to" || low.ends_with("_to");
    if begin || end {
        // `end` hides in other words, such as `send_begin`.
        return (begin, end && !begin);
    }
    (has(label, &["开始", "起始"]), has(label, &["结束", "截止"]))
}

fn leaves(map: &Map, path: &str, out: &mut Vec<(String, Value)>) {
    for (k, v) in map.iter() {
        let key = if path.is_empty() { k.to_owned() } else { format!("{path}.{k}") };
        match v {
            Value::Object(inner) => leaves(inner, &key, out),
            Value::Array(_) => {}
            other => out.push((key, other.clone())),
        }
    }
}
