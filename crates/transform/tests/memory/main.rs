//! What compiled plans and evaluations take from the allocator. One test, because the counters are the process's.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::alloc::System;

use heliu_transform::mapping::Request;
use heliu_transform::{Context, Expr, Metadata, Scope, Side, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn context() -> Context<'static> {
    Context::new(1_710_403_200, 1_710_406_800, chrono_tz::Asia::Shanghai)
}

/// Allocations of one evaluation, once everything that is built lazily is there.
fn allocations(expr: &str, record: &Value) -> usize {
    let expr = Expr::compile(&Value::from(expr));
    let (ctx, scope) = (context(), Scope::new(Some(record)));
    let mut warnings = Vec::new();
    expr.eval(&ctx, &scope, &mut warnings).unwrap();
    let region = Region::new(ALLOCATOR);
    let value = expr.eval(&ctx, &scope, &mut warnings).unwrap();
    let taken = region.change().allocations;
    assert!(!value.is_null());
    taken
}

fn literals_cost_nothing() {
    let record = Value::parse(br#"{"a":"z","n":7,"t":"x"}"#).unwrap();
    // The same answer behind one comparison and behind a hundred; texts and numbers.
    let choice = |n: usize| {
        let whens: String =
            (0..n).map(|i| format!(" WHEN 'text number {i}' THEN 'answer number {i}'")).collect();
        format!("_function CASE '{{{{a}}}}'{whens} WHEN 'z' THEN 'found' ELSE 'nothing' END")
    };
    assert_eq!(allocations(&choice(1), &record), allocations(&choice(100), &record), "texts");
    // A sum makes numbers of its own at each step; a comparison does not.
    let price = |n: usize| {
        let whens: String = (0..n).map(|i| format!(" WHEN {i}.25 THEN {i}.5")).collect();
        format!("_function CASE {{{{n}}}}{whens} WHEN 7 THEN 'found' ELSE 'nothing' END")
    };
    assert_eq!(allocations(&price(1), &record), allocations(&price(100), &record), "numbers");
    let member = |n: usize| {
        let list: Vec<String> = (0..n).map(|i| format!("'text number {i}'")).collect();
        format!("_function '{{{{a}}}}' IN ({}, 'z')", list.join(","))
    };
    assert_eq!(allocations(&member(1), &record), allocations(&member(200), &record), "lists");
    assert!(
        allocations("_function IF('{{t}}' = 'x', 'a longer text that is a literal', 'no')", &record) <= 1
    );
}

/// A plan larger than any that was published: 300 fields, a third of them functions, 40 of them in rows.
fn a_plan_is_small() {
    let mut items: Vec<String> = (0..260)
        .map(|i| {
            let value = match i % 3 {
                0 => format!("_function CASE '{{{{status}}}}' WHEN 'Confirmed' THEN ROUND({{{{amount_{i}}}}} * 1.13, 2) ELSE IFNULL({{{{b}}}}, '') END"),
                1 => format!("{{{{field_{i}|datetime}}}}"),
                _ => format!("NO-{{{{field_{i}}}}}/{{{{other}}}}"),
            };
            format!(r#"{{"field":"f{i}","label":"字段 {i}","type":"string","describe":"说明","value":"{value}"}}"#)
        })
        .collect();
    let children: Vec<String> = (0..40)
        .map(|i| format!(r#"{{"field":"c{i}","type":"string","value":"{{{{items.c{i}}}}}"}}"#))
        .collect();
    items.push(format!(
        r#"{{"field":"rows","type":"array","value":"items","children":[{}]}}"#,
        children.join(",")
    ));
    let doc = format!(r#"{{"api":"save","id":"a","request":[{}]}}"#, items.join(","));
    let doc = Value::parse(doc.as_bytes()).unwrap();
    let region = Region::new(ALLOCATOR);
    let (meta, problems) = Metadata::from_value(doc, Side::Target);
    let request = Request::compile(&meta);
    drop(meta);
    let taken = region.change();
    let kept = taken.bytes_allocated.saturating_sub(taken.bytes_deallocated);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(kept < 1 << 20, "{kept} bytes");
    println!("a compiled plan of 300 fields keeps {} KiB", kept >> 10);
    drop(request);
}

/// Twice the rows are twice the allocations and bytes: nothing grows faster than its input.
fn cost_is_linear() {
    let doc = r#"{"api":"save","id":"a","request":[{"field":"e","type":"array","value":"items","children":[
        {"field":"a","value":"{{items.sku}}"},{"field":"b","type":"float","value":"{{items.price}}"},
        {"field":"c","value":"_function {{items.price}} * 2"},{"field":"d","value":"{{no}}"}]}]}"#;
    let request =
        Request::compile(&Metadata::from_value(Value::parse(doc.as_bytes()).unwrap(), Side::Target).0);
    let taken = |rows: usize| {
        let items: Vec<String> =
            (0..rows).map(|i| format!(r#"{{"sku":"sku number {i:06}","price":1.5}}"#)).collect();
        let raw = format!(r#"{{"no":"SO-1","items":[{}]}}"#, items.join(","));
        request.render_raw(&context(), raw.as_bytes()).unwrap();
        let region = Region::new(ALLOCATOR);
        request.render_raw(&context(), raw.as_bytes()).unwrap();
        let change = region.change();
        (change.allocations, change.bytes_allocated)
    };
    let (small, large) = (taken(100), taken(1000));
    assert!(large.0 <= small.0 * 11, "{small:?} {large:?}");
    assert!(large.1 <= small.1 * 13, "{small:?} {large:?}");
}

#[test]
fn memory() {
    literals_cost_nothing();
    a_plan_is_small();
    cost_is_linear();
}
