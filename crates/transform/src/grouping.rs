//! How records form writes (dialect §6.2): one by one, in lists, or merged by header fields.

use crate::metadata::Operation;
use crate::{Map, Value};
use bigdecimal::BigDecimal;

/// A unit of writing: the record to be rendered, and the positions of its members among the records given.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The record (merged ones are built).
    pub record: Value,
    /// Positions of the members.
    pub members: Vec<usize>,
}

/// Forms units from waiting records, in their order of first appearance.
pub fn units(operation: &Operation, records: &[Value]) -> Vec<Unit> {
    if !operation.method.eq_ignore_ascii_case("merge") || operation.fields.is_empty() {
        return records.iter().enumerate().map(|(i, r)| Unit { record: r.clone(), members: vec![i] }).collect();
    }
    let mut groups: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for (i, r) in records.iter().enumerate() {
        let key: Vec<String> =
            operation.fields.iter().map(|f| r.get_path(f).map(|v| v.in_text()).unwrap_or_default()).collect();
        match groups.iter_mut().find(|g| g.0 == key) {
            Some(g) => g.1.push(i),
            None => groups.push((key, vec![i])),
        }
    }
    groups
        .into_iter()
        .map(|(_, members)| {
            let rows: Vec<&Map> =
                members.iter().filter_map(|i| records.get(*i).and_then(Value::as_object)).collect();
            Unit { record: Value::Object(merge(operation, &rows)), members }
        })
        .collect()
}

fn merge(op: &Operation, rows: &[&Map]) -> Map {
    let mut header = Map::new();
    if let Some(first) = rows.first() {
        for (k, v) in first.iter() {
            if op.header.is_empty() || op.header.iter().any(|h| h == k) {
                header.insert(k, v.clone());
            }
        }
    }
    let mut body: Vec<Map> = Vec::new();
    for row in rows {
        let mut one = Map::new();
        for (k, v) in row.iter() {
            if op.body.is_empty() || op.body.iter().any(|b| b == k) || op.body_sum.iter().any(|b| b == k) {
                one.insert(k, v.clone());
            }
        }
        // Rows that are equal but for the summed fields become one.
        let same = |other: &Map| {
            one.iter().all(|(k, v)| op.body_sum.iter().any(|s| s == k) || other.get(k) == Some(v))
        };
        match body.iter_mut().find(|b| !op.body_sum.is_empty() && same(b)) {
            Some(existing) => {
                for field in &op.body_sum {
                    let sum = decimal(existing.get(field)) + decimal(one.get(field));
                    let text = sum.to_plain_string();
                    existing.insert(field.clone(), crate::Number::from_text(&text).map_or(Value::Null, Value::Number));
                }
            }
            None => body.push(one),
        }
    }
    let name = if op.body_name.is_empty() { "body" } else { &op.body_name };
    header.insert(name, Value::Array(body.into_iter().map(Value::Object).collect()));
    header
}

fn decimal(v: Option<&Value>) -> BigDecimal {
    v.map(Value::in_text).and_then(|t| t.trim().parse().ok()).unwrap_or_default()
}
