//! Value maps: what one system calls a thing, and what another does (数据映射关系). Kept as `maps/<id>.csv` or `.json`.

use std::collections::HashMap;

use heliu_model::{Problem, text};
use serde_json::Value;

use crate::sheet::{Sheet, is_spreadsheet, sheets};
use crate::source::decode;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pair {
    /// Value of the source.
    pub a: String,
    /// What people call it.
    pub a_label: String,
    /// Value of the target.
    pub b: String,
    /// What people call it.
    pub b_label: String,
}

/// A value map.
#[derive(Debug, Clone, Default)]
pub struct ValueMap {
    pairs: Vec<Pair>,
    forward: HashMap<String, usize>,
    reverse: HashMap<String, usize>,
}

/// Headings of the four columns.
const HEAD: [&str; 4] = ["a_value", "a_label", "b_value", "b_label"];

impl ValueMap {
    fn new(pairs: Vec<Pair>) -> ValueMap {
        let mut out = ValueMap::default();
        for (i, p) in pairs.iter().enumerate() {
            // Of several rows for one value the first one counts.
            out.forward.entry(p.a.clone()).or_insert(i);
            out.reverse.entry(p.b.clone()).or_insert(i);
        }
        out.pairs = pairs;
        out
    }

    /// Reads CSV, JSON or a spreadsheet: two columns, or four with a heading; an object of pairs, or a list of rows.
    ///
    /// # Errors
    /// Every row that is wrong, or what is wrong with the file.
    pub fn read(bytes: &[u8]) -> Result<ValueMap, Vec<Problem>> {
        let rows = if is_spreadsheet(bytes) {
            let first = sheets(bytes).map_err(|p| vec![p])?.into_iter().find(|s| !s.rows.is_empty());
            first.unwrap_or_default().rows
        } else {
            let (text, _) = decode(bytes).map_err(|p| vec![p])?;
            if text.trim_start().starts_with(['{', '[']) {
                return json(&text);
            }
            csv_rows(&text)?
        };
        table(&Sheet { name: String::new(), rows })
    }

    /// The rows.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The value that stands for `value`.
    pub fn find(&self, value: &str, reverse: bool) -> Option<&str> {
        let index = if reverse { &self.reverse } else { &self.forward };
        let pair = self.pairs.get(*index.get(value)?)?;
        Some(if reverse { &pair.a } else { &pair.b })
    }

    /// As CSV with a heading.
    ///
    /// # Errors
    /// The text cannot be made.
    pub fn to_csv(&self) -> Result<String, Problem> {
        let failed = |why: String| {
            Problem::error("HL-1512", "", text!("the map cannot be written: {why}", "映射表无法写出:{why}"))
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(HEAD).map_err(|e| failed(e.to_string()))?;
        for p in &self.pairs {
            out.write_record([&p.a, &p.a_label, &p.b, &p.b_label]).map_err(|e| failed(e.to_string()))?;
        }
        let bytes = out.into_inner().map_err(|e| failed(e.to_string()))?;
        String::from_utf8(bytes).map_err(|e| failed(e.to_string()))
    }
}

fn csv_rows(text: &str) -> Result<Vec<Vec<String>>, Vec<Problem>> {
    // Excel in Chinese writes tabs or semicolons as well.
    let first = text.lines().next().unwrap_or("");
    let delimiter = [b',', b'\t', b';']
        .into_iter()
        .max_by_key(|d| first.bytes().filter(|b| b == d).count())
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| {
            let why = e.to_string();
            vec![Problem::error("HL-1512", "", text!("the map is no CSV: {why}", "映射表不是 CSV:{why}"))]
        })?;
        rows.push(record.iter().map(|c| c.trim().to_owned()).collect());
    }
    Ok(rows)
}

fn table(sheet: &Sheet) -> Result<ValueMap, Vec<Problem>> {
    let low: Vec<String> =
        sheet.rows.first().map_or_else(Vec::new, |r| r.iter().map(|c| c.to_ascii_lowercase()).collect());
    let place = |names: &[&str]| low.iter().position(|c| names.contains(&c.as_str()));
    let a = place(&["a_value", "a", "source", "源值", "源", "from"]);
    let b = place(&["b_value", "b", "target", "目标值", "目标", "to"]);
    let labels = (place(&["a_label", "源名称"]), place(&["b_label", "目标名称"]));
    let (from, a, b) = match (a, b) {
        (Some(a), Some(b)) => (1, a, b),
        _ => (0, 0, 1),
    };
    let (mut pairs, mut problems) = (Vec::new(), Vec::new());
    for (n, row) in sheet.rows.iter().enumerate().skip(from) {
        if row.iter().all(String::is_empty) {
            continue;
        }
        let get = |c: Option<usize>| c.and_then(|c| row.get(c)).cloned().unwrap_or_default();
        let pair = Pair { a: get(Some(a)), a_label: get(labels.0), b: get(Some(b)), b_label: get(labels.1) };
        if pair.a.is_empty() || row.len() <= b {
            let line = n + 1;
            problems.push(Problem::error(
                "HL-1512",
                format!("line {line}"),
                text!("a row needs two values", "每行需要两个值"),
            ));
            continue;
        }
        pairs.push(pair);
    }
    if pairs.is_empty() && problems.is_empty() {
        problems.push(Problem::error("HL-1512", "", text!("the map is empty", "映射表为空")));
    }
    if problems.is_empty() { Ok(ValueMap::new(pairs)) } else { Err(problems) }
}

fn plain(v: &Value) -> Option<String> {
    match v {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

fn json(text: &str) -> Result<ValueMap, Vec<Problem>> {
    let tree: Value = serde_json::from_str(text).map_err(|e| {
        let why = e.to_string();
        vec![Problem::error("HL-1512", "", text!("the map is no JSON: {why}", "映射表不是 JSON:{why}"))]
    })?;
    let (mut pairs, mut problems) = (Vec::new(), Vec::new());
    let wrong = |path: String| {
        Problem::error("HL-1512", path, text!("a pair is two plain values", "每对应为两个简单值")).hint(
            text!(
                "write {{\"C001\": \"10001\"}}, or a list of {{\"a_value\": …, \"b_value\": …}}",
                "请写成 {{\"C001\": \"10001\"}},或由 {{\"a_value\": …, \"b_value\": …}} 组成的列表"
            ),
        )
    };
    let rows = tree.get("rows").unwrap_or(&tree);
    match rows {
        Value::Object(map) => {
            for (a, v) in map {
                match plain(v) {
                    Some(b) => pairs.push(Pair { a: a.clone(), b, ..Pair::default() }),
                    None => problems.push(wrong(a.clone())),
                }
            }
        }
        Value::Array(list) => {
            for (n, row) in list.iter().enumerate() {
                let get = |k: &str| row.get(k).and_then(plain);
                match (get("a_value").or_else(|| get("a")), get("b_value").or_else(|| get("b"))) {
                    (Some(a), Some(b)) => pairs.push(Pair {
                        a,
                        b,
                        a_label: get("a_label").unwrap_or_default(),
                        b_label: get("b_label").unwrap_or_default(),
                    }),
                    _ => problems.push(wrong(format!("[{n}]"))),
                }
            }
        }
        _ => problems.push(wrong(String::new())),
    }
    if problems.is_empty() { Ok(ValueMap::new(pairs)) } else { Err(problems) }
}
