//! How records form writes (dialect §6.2, §6.3): one by one, in lists, merged by header fields, or aggregated.

use std::cmp::Ordering;
use std::collections::HashMap;

use bigdecimal::BigDecimal;

use crate::metadata::Metadata;
use crate::{Map, Number, Problem, Value, condition, text};

/// A unit of writing: the record to be rendered, and the positions of its members among the records given.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The record (merged ones are built).
    pub record: Value,
    /// Positions of the members. A record belongs to one unit, unless its own rows are spread over several bills.
    pub members: Vec<usize>,
}

/// `operation` of a target (dialect §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operation {
    /// `none`, `batchArraySave`, `merge`, or an adapter's own word.
    pub method: String,
    /// Records in one write at most.
    pub rows: usize,
    /// Key that holds the list.
    pub rows_key: String,
    /// Grouping fields of `merge`.
    pub fields: Vec<String>,
    /// Name of the built list.
    pub body_name: String,
    /// Fields kept in the header; empty: all.
    pub header: Vec<String>,
    /// Fields kept in rows; empty: all.
    pub body: Vec<String>,
    /// Fields added up over equal rows.
    pub body_sum: Vec<String>,
}

impl Operation {
    /// Reads `operation`.
    pub(crate) fn compile(v: Option<&Value>) -> Operation {
        let Some(map) = v.and_then(Value::as_object) else { return Operation::default() };
        let text_of = |k: &str| map.get(k).map(Value::in_text).unwrap_or_default();
        Operation {
            method: text_of("method"),
            rows: text_of("rows").trim().parse().unwrap_or(1).max(1),
            rows_key: text_of("rowsKey"),
            fields: names(map, "field"),
            body_name: match text_of("bodyName") {
                b if b.is_empty() => text_of("tableField"),
                b => b,
            },
            header: names(map, "header"),
            body: names(map, "body"),
            body_sum: names(map, "bodySum"),
        }
    }
}

/// A list of names: a JSON list, or a text with commas.
fn names(map: &Map, key: &str) -> Vec<String> {
    match map.get(key) {
        Some(Value::Array(a)) => a.iter().map(Value::in_text).collect(),
        Some(Value::String(s)) => {
            s.split(',').map(|x| x.trim().to_owned()).filter(|x| !x.is_empty()).collect()
        }
        _ => Vec::new(),
    }
}

/// `groupCalculate` of a target (dialect §6.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupCalculate {
    /// Records with the same values form one bill.
    pub header: Vec<String>,
    /// Rows of a bill with the same values become one.
    pub body: Vec<String>,
    /// Name of the built list.
    pub body_name: String,
    /// The request's array that is kept short; rows are counted before rendering.
    pub target_body_name: String,
    /// Rows of one bill at most.
    pub max_lines: Option<usize>,
    calculate: Vec<(String, Calculation)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calculation {
    Sum,
    Avg,
    Min,
    Max,
    Push,
    AddToSet,
    First,
    Last,
}

const CALCULATIONS: &[(&str, Calculation)] = &[
    ("$sum", Calculation::Sum),
    ("$avg", Calculation::Avg),
    ("$min", Calculation::Min),
    ("$max", Calculation::Max),
    ("$push", Calculation::Push),
    ("$addToSet", Calculation::AddToSet),
    ("$first", Calculation::First),
    ("$last", Calculation::Last),
];

impl GroupCalculate {
    /// Reads `groupCalculate`.
    pub(crate) fn compile(v: Option<&Value>, problems: &mut Vec<Problem>) -> Option<GroupCalculate> {
        let map = v?.as_object()?;
        let text_of = |k: &str| map.get(k).map(Value::in_text).unwrap_or_default();
        let (header, body) = (names(map, "headerGroup"), names(map, "bodyGroup"));
        if header.is_empty() && body.is_empty() {
            problems.push(Problem::error(
                "HL-2010",
                "groupCalculate",
                text!(
                    "`groupCalculate` needs `headerGroup` or `bodyGroup`",
                    "`groupCalculate` 需要 `headerGroup` 或 `bodyGroup`"
                ),
            ));
        }
        let mut calculate = Vec::new();
        for (field, how) in map.get("calculate").and_then(Value::as_object).into_iter().flat_map(Map::iter) {
            let word = how.in_text();
            match CALCULATIONS
                .iter()
                .find(|(n, _)| n.trim_start_matches('$').eq_ignore_ascii_case(word.trim_start_matches('$')))
            {
                Some((_, c)) => calculate.push((field.to_owned(), *c)),
                None => {
                    let near = crate::nearest(&word, CALCULATIONS.iter().map(|(n, _)| *n)).unwrap_or("$sum");
                    problems.push(Problem::error(
                        "HL-2010",
                        format!("groupCalculate.calculate.{field}"),
                        text!(
                            "unknown calculation `{word}`; did you mean `{near}`?",
                            "未知的计算 `{word}`;是否为 `{near}`?"
                        ),
                    ));
                }
            }
        }
        let body_name = match text_of("bodyName") {
            b if b.is_empty() => "body".to_owned(),
            b => b,
        };
        Some(GroupCalculate {
            header,
            body,
            target_body_name: match text_of("targetBodyName") {
                t if t.is_empty() => body_name.clone(),
                t => t,
            },
            body_name,
            max_lines: text_of("bodyMaxLine").trim().parse().ok().filter(|n| *n > 0),
            calculate,
        })
    }

    /// Forms bills; each record's rows lie in one bill.
    fn bills(&self, records: &[Value]) -> Vec<Unit> {
        let mut out = Vec::new();
        let flat: Vec<(usize, Value)> = records
            .iter()
            .enumerate()
            .flat_map(|(i, r)| self.flat(r).into_iter().map(move |v| (i, v)))
            .collect();
        for (key, members) in group(flat.iter(), |(_, r)| key_of(r, &self.header)) {
            let mut head = Map::new();
            for (name, value) in self.header.iter().zip(key.1) {
                head.insert(name.clone(), value);
            }
            let records = members.iter().map(|(i, r)| (*i, r));
            if self.body.is_empty() {
                // One row for the whole bill; its figures can be read in the header as well.
                let (row, ids) = self.row(&[], &records.collect::<Vec<_>>());
                for (k, v) in row.iter() {
                    head.insert(k, v.clone());
                }
                head.insert(self.body_name.clone(), Value::Array(vec![Value::Object(row)]));
                out.push(Unit { record: Value::Object(head), members: ids });
                continue;
            }
            let rows: Vec<(Map, Vec<usize>)> = group(records, |(_, r)| key_of(r, &self.body))
                .into_iter()
                .map(|((_, values), rows)| self.row(&values, &rows))
                .collect();
            for chunk in rows.chunks(self.max_lines.unwrap_or(usize::MAX)) {
                let mut bill = head.clone();
                let lines = chunk.iter().map(|(r, _)| Value::Object(r.clone())).collect();
                bill.insert(self.body_name.clone(), Value::Array(lines));
                let mut members: Vec<usize> = chunk.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
                members.sort_unstable();
                members.dedup();
                out.push(Unit { record: Value::Object(bill), members });
            }
        }
        out
    }

    /// The record itself where it is flat; else one per row of the list that holds the rows' fields.
    fn flat(&self, record: &Value) -> Vec<Value> {
        let (Some(map), Some(field)) = (record.as_object(), self.body.first()) else {
            return vec![record.clone()];
        };
        if map.get(field).is_some() {
            return vec![record.clone()];
        }
        let holds = |list: &[Value], name: &str| {
            list.iter().any(|r| r.as_object().is_some_and(|r| r.get(name).is_some()))
        };
        let found = map.iter().find_map(|(k, v)| {
            let list = v.as_array()?;
            let bare = field.strip_prefix(k).and_then(|f| f.strip_prefix('_'));
            (holds(list, field) || bare.is_some_and(|b| holds(list, b))).then_some((k, list))
        });
        let Some((name, list)) = found else { return vec![record.clone()] };
        let mut head = map.clone();
        head.remove(name);
        let rows = list.iter().filter_map(Value::as_object).map(|row| {
            let mut one = head.clone();
            for (k, v) in row.iter() {
                one.insert(k, v.clone());
                one.insert(format!("{name}_{k}"), v.clone());
            }
            Value::Object(one)
        });
        rows.collect()
    }

    fn row(&self, group: &[Value], rows: &[(usize, &Value)]) -> (Map, Vec<usize>) {
        let mut map = Map::new();
        for (name, value) in self.body.iter().zip(group) {
            map.insert(name.clone(), value.clone());
        }
        for (field, how) in &self.calculate {
            let values: Vec<Value> = rows.iter().filter_map(|(_, r)| r.get_path(field)).collect();
            if let Some(v) = how.of(values) {
                map.insert(field.clone(), v);
            }
        }
        (map, rows.iter().map(|(i, _)| *i).collect())
    }
}

impl Calculation {
    /// The result over the values that are there; `None` when there is none to keep.
    fn of(self, values: Vec<Value>) -> Option<Value> {
        let numbers = || values.iter().filter_map(decimal);
        match self {
            Calculation::Sum => Some(number(&numbers().sum())),
            Calculation::Avg => {
                let n = numbers().count();
                let sum: BigDecimal = numbers().sum();
                (n > 0).then(|| number(&(sum / BigDecimal::from(n as u64)).round(10)))
            }
            Calculation::Min => values.into_iter().filter(|v| !v.is_null()).min_by(order),
            Calculation::Max => values.into_iter().filter(|v| !v.is_null()).max_by(order),
            Calculation::Push => Some(Value::Array(values)),
            Calculation::AddToSet => {
                let mut set: Vec<Value> = Vec::new();
                for v in values {
                    if !set.contains(&v) {
                        set.push(v);
                    }
                }
                Some(Value::Array(set))
            }
            Calculation::First => values.into_iter().next(),
            Calculation::Last => values.into_iter().next_back(),
        }
    }
}

fn order(a: &Value, b: &Value) -> Ordering {
    condition::compare(a, b)
}

type Key = (Vec<String>, Vec<Value>);

fn key_of(record: &Value, fields: &[String]) -> Key {
    let values: Vec<Value> = fields.iter().map(|f| record.get_path(f).unwrap_or(Value::Null)).collect();
    (values.iter().map(Value::in_text).collect(), values)
}

/// Groups in order of first appearance.
fn group<T: Copy>(items: impl Iterator<Item = T>, key: impl Fn(T) -> Key) -> Vec<(Key, Vec<T>)> {
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut out: Vec<(Key, Vec<T>)> = Vec::new();
    for item in items {
        let k = key(item);
        let at = *places.entry(k.0.clone()).or_insert(out.len());
        match out.get_mut(at) {
            Some((_, members)) => members.push(item),
            None => out.push((k, vec![item])),
        }
    }
    out
}

/// True when a unit can hold more than one record.
pub fn groups(meta: &Metadata) -> bool {
    let operation = &meta.operation;
    let merges = operation.method.eq_ignore_ascii_case("merge") && !operation.fields.is_empty();
    meta.group_calculate.is_some() || merges
}

/// What a record is put together by: records of a unit share a key. Several keys where a record's own rows are spread
/// over several bills.
pub fn keys(meta: &Metadata, record: &Value) -> Vec<Vec<String>> {
    match &meta.group_calculate {
        Some(calculate) => {
            let mut keys: Vec<_> =
                calculate.flat(record).iter().map(|r| key_of(r, &calculate.header).0).collect();
            keys.dedup();
            keys
        }
        None => vec![key_of(record, &meta.operation.fields).0],
    }
}

/// Forms units from waiting records, in their order of first appearance.
pub fn units(meta: &Metadata, records: &[Value]) -> Vec<Unit> {
    if let Some(calculate) = &meta.group_calculate {
        return calculate.bills(records);
    }
    let operation = &meta.operation;
    if !operation.method.eq_ignore_ascii_case("merge") || operation.fields.is_empty() {
        return records
            .iter()
            .enumerate()
            .map(|(i, r)| Unit { record: r.clone(), members: vec![i] })
            .collect();
    }
    group(records.iter().enumerate(), |(_, r)| key_of(r, &operation.fields))
        .into_iter()
        .map(|(_, rows)| {
            let objects: Vec<&Map> = rows.iter().filter_map(|(_, r)| r.as_object()).collect();
            Unit {
                record: Value::Object(merge(operation, &objects)),
                members: rows.iter().map(|(i, _)| *i).collect(),
            }
        })
        .collect()
}

/// Sizes of the requests that the rendered units of a document go out in: lists of `operation.rows` for
/// `batchArraySave`, else one each.
pub fn rows_per_request(meta: &Metadata) -> Option<usize> {
    (meta.group_calculate.is_none() && meta.operation.method.eq_ignore_ascii_case("batchArraySave"))
        .then_some(meta.operation.rows.max(1))
}

fn merge(op: &Operation, rows: &[&Map]) -> Map {
    let named = |list: &[String], k: &str| list.iter().any(|n| n == k);
    let mut header = Map::new();
    if let Some(first) = rows.first() {
        for (k, v) in first.iter().filter(|(k, _)| op.header.is_empty() || named(&op.header, k)) {
            header.insert(k, v.clone());
        }
    }
    let rows = rows.iter().map(|row| {
        let kept =
            row.iter().filter(|(k, _)| op.body.is_empty() || named(&op.body, k) || named(&op.body_sum, k));
        kept.map(|(k, v)| (k.to_owned(), v.clone())).collect::<Map>()
    });
    let mut body: Vec<Map> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for one in rows {
        // Rows that are equal but for the summed fields become one.
        let rest: Map = one
            .iter()
            .filter(|(k, _)| !named(&op.body_sum, k))
            .map(|(k, v)| (k.to_owned(), v.clone()))
            .collect();
        let at = if op.body_sum.is_empty() {
            body.len()
        } else {
            *places.entry(Value::Object(rest).to_json()).or_insert(body.len())
        };
        match body.get_mut(at) {
            Some(existing) => {
                for field in &op.body_sum {
                    let both =
                        [existing.get(field), one.get(field)].into_iter().flatten().filter_map(decimal);
                    existing.insert(field.clone(), number(&both.sum()));
                }
            }
            None => body.push(one),
        }
    }
    let name = if op.body_name.is_empty() { "body" } else { &op.body_name };
    header.insert(name, Value::Array(body.into_iter().map(Value::Object).collect()));
    header
}

fn decimal(v: &Value) -> Option<BigDecimal> {
    match v {
        Value::Number(n) => n.to_decimal(),
        Value::String(s) if s.len() <= 100 => crate::value::decimal(s.trim()),
        _ => None,
    }
}

fn number(d: &BigDecimal) -> Value {
    Number::from_text(&d.normalized().to_plain_string()).map_or(Value::Null, Value::Number)
}
