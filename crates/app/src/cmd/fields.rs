//! A record's fields on their way to the target, for `preview`.

use heliu_model::Spot;
use heliu_transform::mapping::Request;
use heliu_transform::{Context, FieldSteps, Metadata, Value as Dialect};
use serde_json::{Map, Value, json};

use crate::caret::caret;
use crate::output::Out;

/// Characters of a value that are shown to people.
const SHOWN: usize = 80;

/// How each field of a target's request comes about for a record.
pub fn explain(meta: &Metadata, ctx: &Context, content: &[u8]) -> Vec<FieldSteps> {
    match Dialect::parse(content) {
        Ok(record) => Request::compile(meta).explain(ctx, Some(&record)),
        Err(_) => Vec::new(),
    }
}

/// The character of the expression that an error is about.
fn spot(f: &FieldSteps) -> Option<Spot> {
    let at = f.error.as_ref()?.position?;
    let text = f.expression.as_ref()?.as_str()?.to_owned();
    Some(Spot { text, at })
}

/// As a member of an answer: source values, then each step that applied, then the result.
pub fn field_json(out: &Out, id: &str, f: &FieldSteps) -> Value {
    let exact = |v: &Dialect| v.to_serde();
    let mut map = Map::new();
    map.insert("record".into(), id.into());
    map.insert("field".into(), f.field.clone().into());
    map.insert("path".into(), f.path.clone().into());
    map.insert("expression".into(), f.expression.as_ref().map_or(Value::Null, exact));
    let reads: Map<String, Value> = f.reads.iter().map(|(p, v)| (p.clone(), exact(v))).collect();
    map.insert("source".into(), Value::Object(reads));
    for (stage, v) in &f.steps {
        map.insert(stage.word().into(), exact(v));
    }
    map.insert("result".into(), f.result.as_ref().map_or(Value::Null, exact));
    map.insert("sent".into(), f.result.is_some().into());
    if let Some(e) = &f.error {
        let mut error = json!({"code": e.code, "message": out.say(&e.message)});
        if let (Value::Object(error), Some(at)) = (&mut error, e.position) {
            error.insert("position".into(), at.into());
        }
        map.insert("error".into(), error);
    }
    Value::Object(map)
}

fn short(v: &Dialect) -> String {
    let text = v.to_json();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or("")),
        None => text,
    }
}

/// For people: what is sent, and below it how it came about.
pub fn show(out: &Out, fields: &[FieldSteps]) {
    let zh = out.lang == heliu_model::Lang::Zh;
    for f in fields {
        let end = match (&f.result, &f.error) {
            (Some(v), _) => short(v),
            (None, Some(e)) => format!("✗ {} {}", e.code, out.say(&e.message)),
            (None, None) => (if zh { "(不发送)" } else { "(left out)" }).to_owned(),
        };
        out.line(&format!("  {} = {end}", f.field));
        let mut way: Vec<String> = Vec::new();
        for (path, v) in &f.reads {
            way.push(format!("{path} {}", short(v)));
        }
        let expression = f.expression.as_ref().map(|e| match e.as_str() {
            Some(s) => s.to_owned(),
            None => short(e),
        });
        if let Some(spot) = spot(f) {
            out.line(&caret(&spot, "      "));
        } else if let Some(e) = expression {
            let line: String = e.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let reads = if way.is_empty() { String::new() } else { format!("  [{}]", way.join(", ")) };
            out.line(&format!("      {line}{reads}"));
        }
        // One step says what the first line says already.
        if f.steps.len() > 1 {
            let steps: Vec<String> =
                f.steps.iter().map(|(s, v)| format!("{} {}", s.word(), short(v))).collect();
            out.line(&format!("      {}", steps.join(" → ")));
        }
    }
}
