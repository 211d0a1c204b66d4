//! `trace`: a record's whole story, in order.

use heliu_model::ports::{Ledger, RowBody};
use heliu_model::record::State;
use heliu_model::{Failure, Lang, Ts, Window, text};
use serde_json::{Value, json};

use super::calls::call_json;
use super::preview::body_json;
use super::records::record_json;
use crate::output::{Done, Stop};
use crate::wire::App;

/// JSON text as a JSON value with its digits; other text as text.
fn content_json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

/// A record that is asked for by an id that the plan does not have.
pub fn no_record(name: &str, id: &str) -> Failure {
    Failure::config("HL-8016", text!("plan `{name}` has no record `{id}`", "方案 `{name}` 没有数据 `{id}`"))
        .hint(text!("`heliu records {name}` lists them", "`heliu records {name}` 可列出数据"))
}

/// `heliu trace`
pub async fn trace(app: &App, plan: &str, id: &str) -> Done {
    let ledger = app.ledger()?;
    let (row, tz) = app.must_find(&ledger, plan).await?;
    let Some(story) = ledger.story(row.id, id).await? else {
        return Err(no_record(&row.name, id).into());
    };
    let mut events: Vec<Value> = Vec::new();
    let time = |t: Option<Ts>| t.map(|t| t.rfc3339(tz));
    for v in &story.versions {
        push_call(app, &ledger, v.source_call, tz, "source_call", &mut events).await?;
        events.push(json!({
            "event": "version",
            "version": v.version,
            "state": v.state.map_or("superseded", State::word),
            "hash": hex(&v.hash),
            "changed_at": time(Some(v.changed_at)),
            "written_at": time(v.written_at),
            "content": v.content.as_deref().map(content_json),
        }));
        push_call(app, &ledger, v.write_call, tz, "write_call", &mut events).await?;
    }
    let r = &story.record;
    push_call(app, &ledger, r.source_call, tz, "source_call", &mut events).await?;
    events.push(json!({
        "event": "version",
        "version": r.version,
        "state": r.state.word(),
        "hash": hex(&r.hash),
        "changed_at": time(Some(r.changed_at)),
        "written_at": time(r.written_at),
        "content": story.content.as_deref().map(content_json),
    }));
    // How it would be rendered with today's metadata.
    if let Some(content) = &story.content {
        let registry = app.registry()?;
        match app.ready(&registry, &ledger, plan, false).await {
            Ok(ready) => {
                let window = Window { from: r.changed_at, to: r.changed_at };
                let rendered = ready.sides.renderer.render(&window, content);
                events.push(match rendered {
                    Ok(RowBody::Nothing) => json!({"event": "rendering", "row": null}),
                    Ok(body) => json!({"event": "rendering", "row": body_json(&body)}),
                    Err(f) => json!({"event": "rendering", "error": app.out.failure_json(&f)}),
                });
            }
            Err(Stop::Failure(f)) => {
                events.push(json!({"event": "rendering", "error": app.out.failure_json(&f)}))
            }
            Err(Stop::Problems(list)) => events.push(json!({
                "event": "rendering",
                "problems": list.iter().map(|p| app.out.problem_json(p)).collect::<Vec<_>>(),
            })),
        }
    }
    push_call(app, &ledger, r.write_call, tz, "write_call", &mut events).await?;
    let mut outcome = record_json(&app.out, r, tz);
    if let Value::Object(map) = &mut outcome {
        map.insert("event".into(), "outcome".into());
    }
    events.push(outcome);
    if app.out.json {
        for e in &events {
            app.out.value(e);
        }
        return Ok(0);
    }
    for e in &events {
        app.out.line(&line(e, app.out.lang));
    }
    Ok(0)
}

async fn push_call(
    app: &App,
    ledger: &heliu_ledger::SqliteLedger,
    id: Option<i64>,
    tz: chrono_tz::Tz,
    event: &str,
    events: &mut Vec<Value>,
) -> Result<(), Failure> {
    let Some(id) = id else { return Ok(()) };
    if let Some(call) = ledger.call(id).await? {
        let mut v = call_json(&app.out, &call, tz, false);
        if let Value::Object(map) = &mut v {
            map.insert("event".into(), event.into());
        }
        events.push(v);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn line(e: &Value, lang: Lang) -> String {
    let zh = lang == Lang::Zh;
    let get = |k: &str| match e.get(k) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(s)) => s.clone(),
        Some(v) => v.to_string(),
    };
    match get("event").as_str() {
        kind @ ("source_call" | "write_call") => {
            let name = match (kind, zh) {
                ("source_call", false) => "fetched by call",
                ("source_call", true) => "来源调用",
                (_, false) => "written by call",
                (_, true) => "写入调用",
            };
            format!(
                "{}  {name} {}  {} {}  {} ms  {}",
                get("started"),
                get("id"),
                get("method"),
                get("url"),
                get("millis"),
                get("status")
            )
        }
        "version" => format!(
            "{}  {} {}  {}  {}\n    {}",
            get("changed_at"),
            if zh { "版本" } else { "version" },
            get("version"),
            get("state"),
            get("hash"),
            get("content")
        ),
        "rendering" => {
            let shown = if e.get("row").is_some() {
                get("row")
            } else {
                format!("{}{}", get("error"), get("problems"))
            };
            format!("{}  {shown}", if zh { "渲染" } else { "rendered" })
        }
        _ => format!(
            "{}  {}  {} {}{}",
            if zh { "结果" } else { "outcome" },
            get("state"),
            get("code").replace('-', if get("code") == "-" { "" } else { "-" }),
            if get("reason") == "-" { String::new() } else { get("reason") },
            match get("primaryWriteback").as_str() {
                "-" => String::new(),
                kept => format!("\n    primaryWriteback {kept}"),
            }
        ),
    }
}
