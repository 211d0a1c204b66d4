//! Every example of the reference is run, and every name of the evaluator has a description.

use super::*;
use crate::metadata::{Metadata, Side};
use crate::{
    Context, EvalRequest, Map, Shaping, Value, evaluate, formats, function, mapping, parsers, pipes,
};

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn eval(expr: &str) -> String {
    let (expr, record) = (Value::from(expr), json(RECORD));
    let request = EvalRequest {
        expr: &expr,
        record: Some(&record),
        row: None,
        now: CURRENT,
        last_sync: LAST_SYNC,
        tz: chrono_tz::Asia::Shanghai,
        ty: None,
        parser: None,
        strict: true,
        lookups: None,
    };
    match evaluate(&request) {
        Ok((v, _)) => v.to_json(),
        Err(e) => format!("{} {}", e.code, e.message),
    }
}

/// Runs every example of a table; the ones that differ.
#[track_caller]
fn run(table: &[Entry], example: impl Fn(&Entry) -> String) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|e| {
            let got = example(e);
            (got != e.result).then(|| format!("{}: {} gives {got}, not {}", e.name, e.example, e.result))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The table's names are the evaluator's, no more and no less.
#[track_caller]
fn same(table: impl Iterator<Item = &'static str>, known: impl IntoIterator<Item = &'static str>) {
    let mut a: Vec<&str> = table.collect();
    let mut b: Vec<&str> = known.into_iter().collect();
    a.sort_unstable();
    b.sort_unstable();
    b.dedup();
    let more: Vec<_> = a.iter().filter(|n| !b.contains(n)).collect();
    let less: Vec<_> = b.iter().filter(|n| !a.contains(n)).collect();
    assert!(
        more.is_empty() && less.is_empty(),
        "described but unknown: {more:?}; known but not described: {less:?}"
    );
    assert!(a.windows(2).all(|w| w[0] != w[1]), "described twice: {a:?}");
}

#[test]
fn functions_do_what_is_written() {
    same(FUNCTIONS.iter().map(|e| e.name), function::Function::names());
    run(FUNCTIONS, |e| eval(e.example));
}

#[test]
fn variables_and_pipes_do_what_is_written() {
    run(VARIABLES, |e| eval(e.example));
    assert!(VARIABLES.iter().all(|e| crate::is_variable(&e.name.replace("_n", "_1"))));
    same(PIPES.iter().map(|e| e.name), pipes::NAMES.iter().copied());
    run(PIPES, |e| eval(e.example));
}

#[test]
fn parsers_do_what_is_written() {
    same(PARSERS.iter().map(|e| e.name), parsers::NAMES.iter().copied());
    run(PARSERS, |e| {
        let mut item = json(e.example);
        if let Value::Object(map) = &mut item
            && map.get("field").is_none()
        {
            map.insert("field", Value::from("x"));
        }
        let mut doc = Map::new();
        doc.insert("api", Value::from("x"));
        doc.insert("request", Value::Array(vec![item]));
        let (meta, problems) = Metadata::from_value(Value::Object(doc), Side::Target);
        assert_eq!(problems, [], "{}", e.name);
        let ctx = Context::new(LAST_SYNC, CURRENT, chrono_tz::Asia::Shanghai);
        match mapping::Request::compile(&meta).render(&ctx, Some(&json(RECORD))) {
            Ok(r) => r.request.iter().next().map(|(_, v)| v.to_json()).unwrap_or_default(),
            Err(e) => format!("{} {}", e.code, e.message),
        }
    });
}

/// A record as the source's rules make it, or nothing where they leave it out.
fn shaped(rule: &str, value: &str, record: &str) -> Option<Value> {
    let doc = format!(r#"{{"api":"x","id":"no","{rule}":{value}}}"#);
    let (meta, problems) = Metadata::from_value(json(&doc), Side::Source);
    assert_eq!(problems, [], "{doc}");
    let shaping = Shaping::compile(&meta, chrono_tz::Asia::Shanghai);
    let mut out = Vec::new();
    shaping.shape(&bytes::Bytes::copy_from_slice(record.as_bytes()), CURRENT, &mut out);
    let one = out.pop()?;
    one.filtered.is_none().then(|| json(&String::from_utf8_lossy(&one.content)))
}

#[test]
fn formats_do_what_is_written() {
    same(FORMATS.iter().map(|e| e.name), formats::NAMES.iter().copied());
    let record = RECORD.replacen('{', r#"{"list":["p","q"],"yes":"1","#, 1);
    run(FORMATS, |e| {
        let made = shaped("formatResponse", &format!("[{}]", e.example), &record);
        made.and_then(|r| r.get_path("x")).map(|v| v.to_json()).unwrap_or_default()
    });
}

#[test]
fn logics_do_what_is_written() {
    same(LOGICS.iter().map(|e| e.name), crate::condition::NAMES.iter().copied());
    run(LOGICS, |e| shaped("condition", &format!("[[{}]]", e.example), RECORD).is_some().to_string());
}

#[test]
fn keys_are_the_ones_that_are_read() {
    same(KEYS.iter().map(|k| k.name), crate::metadata::KNOWN.iter().copied());
    same(ITEM_KEYS.iter().map(|k| k.name), crate::items::ITEM_KEYS.iter().copied());
}
