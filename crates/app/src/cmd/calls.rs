//! `calls`

use chrono_tz::Tz;
use heliu_model::ports::{CallFilter, CallRow, Ledger};
use heliu_model::{CallKind, Failure, Lang, text};
use serde_json::{Value, json};

use super::run::no_run;
use crate::output::{Done, Out};
use crate::wire::App;

/// Calls shown to people who ask for no number.
const SHOWN: usize = 50;

/// Word of a kind, as JSON and listings show it.
pub fn kind_word(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Fetch => "fetch",
        CallKind::Write => "write",
        CallKind::Token => "token",
        CallKind::LookUp => "look_up",
        CallKind::Test => "test",
    }
}

/// A call as JSON; bodies only where asked for.
pub fn call_json(out: &Out, row: &CallRow, tz: Tz, full: bool) -> Value {
    let c = &row.call;
    let mut v = json!({
        "id": row.id,
        "run": row.run,
        "kind": kind_word(c.kind),
        "started": c.started.rfc3339(tz),
        "millis": c.millis,
        "method": c.method,
        "url": c.url,
        "status": c.status,
        "rows": c.rows,
        "ok": c.failure.is_none(),
        "error": c.failure.as_ref().map(|f| out.failure_json(f)),
        "pruned": row.pruned,
    });
    if let (Value::Object(map), true) = (&mut v, full) {
        let headers = |list: &[(String, String)]| -> Value {
            list.iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>().into()
        };
        map.insert("request_headers".into(), headers(&c.request_headers));
        map.insert("request_body".into(), String::from_utf8_lossy(&c.request_body).into());
        map.insert("response_headers".into(), headers(&c.response_headers));
        map.insert("response_body".into(), String::from_utf8_lossy(&c.response_body).into());
    }
    v
}

/// Quotes one word for a POSIX shell.
fn quoted(s: &str) -> String {
    format!("'{}'", s.replace('\'', "'\\''"))
}

/// A call as a curl command; `None` for a statement of a database. Secrets stay masked: they must be put in by hand.
pub fn curl(row: &CallRow) -> Option<String> {
    let c = &row.call;
    if !c.url.starts_with("http") {
        return None;
    }
    let mut parts = vec![format!("curl -X {} {}", c.method, quoted(&c.url))];
    for (k, v) in &c.request_headers {
        // curl counts for itself.
        if !k.eq_ignore_ascii_case("content-length") && !k.eq_ignore_ascii_case("host") {
            parts.push(format!("-H {}", quoted(&format!("{k}: {v}"))));
        }
    }
    if !c.request_body.is_empty() {
        parts.push(format!("--data-binary {}", quoted(&String::from_utf8_lossy(&c.request_body))));
    }
    Some(parts.join(" \\\n  "))
}

fn show_curl(out: &Out, id: i64, words: &str) {
    if out.json {
        out.value(&json!({"id": id, "curl": words}));
    } else {
        out.line(words);
    }
}

fn show(out: &Out, row: &CallRow, tz: Tz) {
    let c = &row.call;
    let zh = out.lang == Lang::Zh;
    let status = c.status.map_or_else(|| "-".to_owned(), |s| s.to_string());
    out.line(&format!("{} {} {}", row.id, c.method, c.url));
    out.line(&format!(
        "  {}  {}  {} ms  {status}  {} {}",
        kind_word(c.kind),
        c.started.rfc3339(tz),
        c.millis,
        c.rows,
        if zh { "行" } else { "rows" }
    ));
    if let Some(f) = &c.failure {
        out.line(&format!("  {} {}", f.code, f.message.get(out.lang)));
    }
    for (k, v) in &c.request_headers {
        out.line(&format!("> {k}: {v}"));
    }
    if !c.request_body.is_empty() {
        out.line(&String::from_utf8_lossy(&c.request_body));
    }
    for (k, v) in &c.response_headers {
        out.line(&format!("< {k}: {v}"));
    }
    if row.pruned {
        out.line(if zh { "(正文已按保留策略删除)" } else { "(bodies removed by retention)" });
    } else if !c.response_body.is_empty() {
        out.line(&String::from_utf8_lossy(&c.response_body));
    }
}

/// `heliu calls`
pub async fn calls(
    app: &App,
    plan: &str,
    run: Option<String>,
    id: Option<i64>,
    as_curl: bool,
    limit: Option<usize>,
) -> Done {
    let limit = limit.unwrap_or(if app.out.json { 0 } else { SHOWN });
    let ledger = app.ledger()?;
    let (row, tz) = app.find(&ledger, plan).await?;
    if let Some(id) = id {
        let Some(call) = ledger.call(id).await? else {
            return Err(Failure::config("HL-8015", text!("there is no call {id}", "没有调用 {id}"))
                .hint(text!("`heliu calls {plan}` lists them", "`heliu calls {plan}` 可列出调用"))
                .into());
        };
        // A call without a plan (of a token) is everybody's.
        if let Some(owner) = ledger.plan_of_call(id).await?
            && row.as_ref().is_none_or(|r| r.id != owner.id)
        {
            let whose = owner.name;
            return Err(Failure::config(
                "HL-8015",
                text!(
                    "call {id} is plan `{whose}`'s, not `{plan}`'s",
                    "调用 {id} 属于方案 `{whose}`,不属于 `{plan}`"
                ),
            )
            .at("--id")
            .hint(text!("`heliu calls {whose} --id {id}` shows it", "`heliu calls {whose} --id {id}` 可显示"))
            .into());
        }
        if as_curl {
            let Some(words) = curl(&call) else {
                return Err(Failure::config(
                    "HL-8015",
                    text!(
                        "call {id} is a statement of a database, no request",
                        "调用 {id} 是数据库语句,不是 HTTP 请求"
                    ),
                )
                .at("--curl")
                .hint(text!(
                    "`heliu calls {plan} --id {id}` shows it",
                    "`heliu calls {plan} --id {id}` 可显示"
                ))
                .into());
            };
            show_curl(&app.out, id, &words);
        } else if app.out.json {
            app.out.value(&call_json(&app.out, &call, tz, true));
        } else {
            show(&app.out, &call, tz);
        }
        return Ok(0);
    }
    let Some(row) = row else { return Ok(0) };
    if let Some(ulid) = &run
        && ledger.run(row.id, ulid).await?.is_none()
    {
        return Err(no_run(plan, ulid).into());
    }
    let list = ledger.calls(row.id, CallFilter { run, limit, ..CallFilter::default() }).await?;
    let mut lines = Vec::new();
    for c in &list {
        if as_curl {
            // A listing has no bodies: each is read in full.
            if let Some(words) = ledger.call(c.id).await?.as_ref().and_then(curl) {
                show_curl(&app.out, c.id, &words);
            }
        } else if app.out.json {
            app.out.value(&call_json(&app.out, c, tz, false));
        } else {
            lines.push(vec![
                c.id.to_string(),
                c.call.started.local(tz),
                kind_word(c.call.kind).to_owned(),
                c.call.status.map_or_else(|| "-".into(), |s| s.to_string()),
                c.call.millis.to_string(),
                c.call.rows.to_string(),
                match &c.call.failure {
                    Some(f) => format!("{} {} {}", c.call.url, f.code, f.message.get(app.out.lang)),
                    None => c.call.url.clone(),
                },
            ]);
        }
    }
    if !app.out.json && !as_curl {
        let head: &[&str] = if app.out.lang == Lang::Zh {
            &["编号", "时间", "类型", "状态", "毫秒", "行数", "地址"]
        } else {
            &["ID", "TIME", "KIND", "STATUS", "MS", "ROWS", "ADDRESS"]
        };
        app.out.table(head, &lines);
    }
    Ok(0)
}
