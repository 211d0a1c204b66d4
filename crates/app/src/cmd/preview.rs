//! `preview`: the exact requests, without sending any.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use heliu_model::ports::{Clock, Ledger, PageRequest, Prepared, RowBody, WriteRow};
use heliu_model::walk::Walk;
use heliu_model::{Failure, Lang, Problem, Window, text};
use heliu_transform::{Context, FieldSteps, Metadata, grouping};
use serde_json::{Value, json};

use super::{fields, learned};
use crate::output::{Done, Out};
use crate::wire::App;

/// A rendering as JSON with its digits.
pub fn body_json(body: &RowBody) -> Value {
    let exact = |v: &heliu_transform::Value| v.to_serde();
    match body {
        RowBody::Columns(values) => Value::Array(values.iter().map(exact).collect()),
        RowBody::Object { request, other } => json!({
            "request": exact(&heliu_transform::Value::Object(request.clone())),
            "otherRequest": exact(&heliu_transform::Value::Object(other.clone())),
        }),
        RowBody::Nothing => Value::Null,
    }
}

fn prepared_json(p: &Prepared) -> Value {
    json!({
        "method": p.method,
        "url": p.url,
        "headers": p.headers.iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
        "body": p.body,
    })
}

fn show(out: &Out, p: &Prepared) {
    out.line(&format!("{} {}", p.method, p.url));
    for (k, v) in &p.headers {
        out.line(&format!("> {k}: {v}"));
    }
    if !p.body.is_empty() {
        out.line(&p.body);
    }
}

/// The records as `operation` or `groupCalculate` puts them together; each under the id of its first one.
fn grouped(meta: &Metadata, records: Vec<(String, Bytes)>) -> Vec<(String, Bytes)> {
    if !grouping::groups(meta) {
        return records;
    }
    let values: Option<Vec<_>> = records.iter().map(|(_, c)| heliu_transform::Value::parse(c).ok()).collect();
    let Some(values) = values else { return records };
    let unit = |u: grouping::Unit| {
        let first = u.members.first().and_then(|m| records.get(*m))?;
        Some((first.0.clone(), Bytes::from(u.record.to_json())))
    };
    grouping::units(meta, &values).into_iter().filter_map(unit).collect()
}

/// `heliu preview`
pub async fn preview(app: &App, plan: &str, record: Option<&Path>, key: Option<&str>) -> Done {
    let registry = app.registry()?;
    let ledger = app.ledger()?;
    let ready = app.ready(&registry, &ledger, plan, false).await?;
    let spec = &ready.spec;
    let row = crate::identity::row(app, &ledger, &spec.name).await?;
    let now = app.clock.now();
    let edges = ready.sides.source.shape().edges;
    let to = edges.end(now, spec.settle_ms, 0);
    let from = row
        .as_ref()
        .and_then(|r| r.watermark)
        .map(|w| w.plus_ms(-spec.lookback_ms))
        .or(spec.start)
        .unwrap_or_else(|| now.plus_ms(-86_400_000).floor_secs());
    let source = &ready.sides.source;
    let length = match (spec.window_ms, source.shape().max_window_ms) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let whole = Window { from, to: to.max(from) };
    let parts = whole.split(if spec.windowed { length } else { None }, edges.tz);
    let window = parts.into_iter().next().unwrap_or(whole);
    let loaded = app.load(&registry, Some(&ledger), plan).await?;
    let response = learned::learned(&ledger, &loaded).await?;
    let walk = Walk::new(source.shape().paging, spec.verify, source.shape().page_size);
    let mut answer = json!({"plan": spec.name, "window": {"from": window.from.rfc3339(spec.tz), "to": window.to.rfc3339(spec.tz)}});
    let first = match walk.wanted(1).into_iter().next() {
        Some(at) => Some(source.prepare(&PageRequest { window: edges.sent(window), at })?),
        None => None,
    };
    if !app.out.json {
        let title = if app.out.lang == Lang::Zh { "来源,第一页:" } else { "source, first page:" };
        app.out.line(title);
        if let Some(p) = &first {
            show(&app.out, p);
        }
        if let Some(response) = &response {
            learned::tell(&app.out, response);
        }
    }
    let content: Option<(String, Bytes)> = match (record, key) {
        (Some(file), _) => {
            let bytes = std::fs::read(file).map_err(|e| {
                let why = e.to_string();
                Failure::config("HL-1002", text!("the file cannot be read: {why}", "文件无法读取:{why}"))
                    .at(file.display().to_string())
            })?;
            heliu_transform::Value::parse(&bytes)
                .map_err(|e| Failure::config("HL-1001", e.text()).at(file.display().to_string()))?;
            Some(("preview".into(), bytes.into()))
        }
        (None, Some(id)) => {
            let story = match &row {
                Some(row) => ledger.story(row.id, id).await?,
                None => None,
            };
            let name = &spec.name;
            let content = story.and_then(|s| s.content).ok_or_else(|| {
                Failure::config(
                    "HL-8016",
                    text!("plan `{name}` has no record `{id}`", "方案 `{name}` 没有数据 `{id}`"),
                )
                .hint(text!("`heliu records {name}` lists them", "`heliu records {name}` 可列出数据"))
            })?;
            Some((id.to_owned(), content))
        }
        (None, None) => None,
    };
    let mut writes = Vec::new();
    let mut steps: Vec<(String, Vec<FieldSteps>)> = Vec::new();
    let mut failed: Vec<(String, Failure)> = Vec::new();
    let mut warnings = Vec::new();
    if let Some((id, content)) = &content {
        // What the source makes of it comes first: splitting, flattening, keys.
        let mut elements = Vec::new();
        if record.is_some() {
            ready.sides.shaper.shape(content, &mut elements);
        }
        let shaped: Vec<(String, Bytes)> = if elements.is_empty() {
            vec![(id.clone(), content.clone())]
        } else {
            elements.into_iter().map(|e| (e.id.unwrap_or_else(|| id.clone()), e.content)).collect()
        };
        let meta = loaded.target_meta;
        let shaped = grouped(&meta, shaped);
        let lookups = crate::maps::lookups(&app.project, Some(Arc::new(ledger.lookups())));
        let ctx = Context {
            lookups: lookups.as_deref(),
            ..Context::new(window.from.secs(), window.to.secs(), spec.tz)
        };
        let mut rows = Vec::new();
        for (id, content) in shaped {
            steps.push((id.clone(), fields::explain(&meta, &ctx, &content)));
            match ready.sides.renderer.render(&window, &content) {
                Ok(body) => rows.push(WriteRow { id, version: 1, body }),
                Err(f) => failed.push((id, f)),
            }
        }
        warnings = ready.sides.renderer.warnings();
        if !app.out.json {
            tell_fields(&app.out, &steps);
            for w in &warnings {
                let p = Problem::warning("HL-2216", "target.metadata", w.clone());
                eprintln!("{}", app.out.problem_text(&p));
            }
        }
        if !rows.is_empty() {
            writes = ready.sides.target.prepare(&rows)?;
        }
        if !app.out.json {
            let title = if app.out.lang == Lang::Zh { "目标:" } else { "target:" };
            app.out.line("");
            app.out.line(title);
            if writes.is_empty() {
                app.out.line(if app.out.lang == Lang::Zh {
                    "(不发送任何请求)"
                } else {
                    "(nothing is sent)"
                });
            }
            for p in &writes {
                show(&app.out, p);
            }
        }
    } else if !app.out.json {
        app.out.hint(&text!(
            "give --record FILE or --key ID to see the target's write",
            "用 --record 文件 或 --key 编号 查看目标写入"
        ));
    }
    if app.out.json {
        if let Value::Object(map) = &mut answer {
            map.insert("source".into(), first.as_ref().map(prepared_json).into());
            map.insert("target".into(), writes.iter().map(prepared_json).collect::<Vec<_>>().into());
            let out = &app.out;
            let all = steps.iter().flat_map(|(id, list)| list.iter().map(|f| fields::field_json(out, id, f)));
            map.insert("fields".into(), all.collect::<Vec<_>>().into());
            let errors: Vec<Value> = failed
                .iter()
                .map(|(id, f)| {
                    let mut e = out.failure_json(f);
                    if let Value::Object(e) = &mut e {
                        e.insert("record".into(), id.clone().into());
                    }
                    e
                })
                .collect();
            map.insert("errors".into(), errors.into());
            map.insert("warnings".into(), warnings.iter().map(|w| out.say(w)).collect::<Vec<_>>().into());
            if let Some(response) = &response {
                map.insert("response".into(), response.to_serde());
            }
        }
        app.out.value(&answer);
    } else {
        for (_, f) in &failed {
            app.out.show_failure(f);
        }
    }
    // A record that cannot be rendered needs a person.
    Ok(u8::from(!failed.is_empty()))
}

/// The fields of each record on their way to the target.
fn tell_fields(out: &Out, steps: &[(String, Vec<FieldSteps>)]) {
    for (id, list) in steps.iter().filter(|(_, list)| !list.is_empty()) {
        out.line("");
        out.line(&match out.lang {
            Lang::Zh => format!("字段(数据 {id}):"),
            Lang::En => format!("fields (record {id}):"),
        });
        fields::show(out, list);
    }
}
