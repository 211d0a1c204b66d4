//! Parsers chosen by `type`: JSON paths, XML, CSV, regular expressions, dates, numbers, enumerations (dialect §4.1).

use bigdecimal::RoundingMode;
use chrono_tz::Tz;
use serde_json_path::JsonPath;

use super::xml::XPath;
use crate::search::{GivenUp, Search, Style};
use crate::value::decimal;
use crate::{Map, Number, Text, Value, text, times};

/// Longest expression of a parser, in bytes.
const MAX_EXPRESSION: usize = 2_000;

/// Longest text that is parsed as CSV or XML, in bytes.
const MAX_TEXT: usize = 8 << 20;

/// Longest text that a regular expression goes over: linear for one match, for all of them it may be quadratic.
const MAX_MATCHED: usize = 256 << 10;

/// Bytes that all matches of one text may go over.
const MAX_STEPS: usize = 20_000_000;

/// Nodes that a JSON path may come to.
const MAX_NODES: f64 = 5e5;

/// What a JSON path costs at the most, by its own text. It keeps what it finds twice: `$..*..*..*` and
/// `$[*,*][*,*][*,*]` find exponentially much in a document that is deep enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Segments `..`
    deep: i32,
    /// Paths from the root inside of filters.
    rooted: i32,
    /// Product of the numbers of selectors in brackets.
    selectors: f64,
    /// Patterns are compiled for each node.
    patterns: bool,
}

impl Cost {
    fn of(path: &str) -> Cost {
        let mut cost = Cost { deep: 0, rooted: -1, selectors: 1.0, patterns: false };
        let mut open: Vec<f64> = Vec::new();
        let (mut quote, mut escaped, mut before) = (None, false, ' ');
        for c in path.chars() {
            match (quote, c) {
                (Some(_), _) if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(q), c) if q == c => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '.') if before == '.' => cost.deep += 1,
                (None, '$') => cost.rooted += 1,
                (None, '[') => open.push(1.0),
                (None, ',') => open.iter_mut().last().into_iter().for_each(|n| *n += 1.0),
                (None, ']') => cost.selectors *= open.pop().unwrap_or(1.0),
                _ => {}
            }
            before = c;
        }
        cost.patterns = path.contains("match(") || path.contains("search(");
        cost
    }

    /// Nodes that the path may come to in this document.
    fn over(self, document: &Value) -> f64 {
        let (nodes, depth) = size(document);
        let (nodes, depth) = (f64::from(nodes), f64::from(depth));
        let visited =
            nodes * depth.powi((self.deep - 1).max(0)) * nodes.powi(self.rooted.max(0)) * self.selectors;
        if self.patterns { visited * 500.0 } else { visited }
    }
}

/// Values in a document, and how deep they are.
fn size(v: &Value) -> (u32, u32) {
    let inner = |all: &mut dyn Iterator<Item = &Value>| {
        all.map(size).fold((1u32, 0u32), |(n, d), (m, e)| (n.saturating_add(m), d.max(e)))
    };
    let (n, d) = match v {
        Value::Array(a) => inner(&mut a.iter()),
        Value::Object(m) => inner(&mut m.iter().map(|(_, v)| v)),
        _ => (1, 0),
    };
    (n, d + 1)
}

/// A parser of this family.
#[derive(Debug, Clone)]
pub(super) enum Typed {
    JsonPath { path: Box<JsonPath>, cost: Cost, all: bool },
    Xml { path: XPath, all: bool },
    Csv { delimiter: char, header: bool, skip_empty: bool },
    Regex { regex: Search, group: usize, all: bool },
    Date(String),
    Decimals(Option<i64>),
    Enum(Vec<(String, Value)>),
}

impl Typed {
    /// The parser of a `type`, if it is one of these.
    ///
    /// # Errors
    /// What is wrong with its parameters.
    pub fn compile(kind: &str, map: &Map) -> Option<Result<Typed, Text>> {
        let text_of = |keys: &[&str]| {
            let found = keys.iter().find_map(|k| map.get(k));
            found.filter(|v| !v.is_null()).map(Value::in_text)
        };
        let flag =
            |key: &str, default: bool| map.get(key).and_then(crate::mapping::to_bool).unwrap_or(default);
        let flags = text_of(&["flags"]).unwrap_or_default();
        let all = flag("extractAll", false);
        Some(match kind.to_ascii_lowercase().as_str() {
            "jsonpath" => {
                let written = text_of(&["expression", "path", "params"]).unwrap_or_default();
                json_path(&written).map(|path| Typed::JsonPath {
                    path: Box::new(path),
                    cost: Cost::of(&written),
                    all,
                })
            }
            "xml" => {
                let written = text_of(&["xpath", "expression", "params"]).unwrap_or_default();
                let path = short(&written)
                    .and_then(|w| XPath::compile(w, text_of(&["attribute"]), map.get("namespace")));
                path.map(|path| Typed::Xml { path, all })
            }
            "csv" => {
                let delimiter = text_of(&["delimiter", "params"]).and_then(|d| match d.as_str() {
                    "\\t" | "tab" => Some('\t'),
                    d => d.chars().next(),
                });
                Ok(Typed::Csv {
                    delimiter: delimiter.unwrap_or(','),
                    header: flag("hasHeader", true),
                    skip_empty: flag("skipEmptyLines", true),
                })
            }
            "regex" => {
                let pattern = text_of(&["pattern", "expression", "params"]).unwrap_or_default();
                let group = text_of(&["group"]).and_then(|g| g.trim().parse().ok()).unwrap_or(0);
                regex(&pattern, &flags).map(|regex| Typed::Regex {
                    regex,
                    group,
                    all: all || flags.contains('g'),
                })
            }
            "date" => Ok(Typed::Date(text_of(&["format", "params"]).unwrap_or_else(|| "Y-m-d".into()))),
            "number" => Ok(Typed::Decimals(
                text_of(&["decimal", "decimals", "params"])
                    .and_then(|d| d.trim().parse::<i64>().ok())
                    .map(|n| n.clamp(0, 30)),
            )),
            "enum" => Ok(Typed::Enum(values(map.get("values").or_else(|| map.get("params"))))),
            _ => return None,
        })
    }

    /// Applies the parser; what it cannot read stays unchanged, with a warning.
    pub fn apply(&self, v: Value, tz: Tz, warnings: &mut Vec<Text>) -> Value {
        if v.is_null() {
            return v;
        }
        match self {
            Typed::JsonPath { path, cost, all } => {
                let document = match &v {
                    Value::String(s) => match Value::parse(s.as_bytes()) {
                        Ok(d) => d,
                        Err(e) => {
                            warnings.push(e.text());
                            return v;
                        }
                    },
                    other => other.clone(),
                };
                if cost.over(&document) > MAX_NODES {
                    warnings.push(text!(
                        "the JSON path goes through this value too often; the value is left unchanged",
                        "JSON 路径对该值的遍历次数过多,值保持不变"
                    ));
                    return v;
                }
                let document = document.to_serde();
                let nodes = path.query(&document);
                if *all {
                    Value::Array(nodes.iter().map(|n| Value::from(*n)).collect())
                } else {
                    nodes.first().map_or(Value::Null, Value::from)
                }
            }
            Typed::Xml { path, all } => {
                let source = v.in_text();
                let found = if source.len() > MAX_TEXT { Err(too_long()) } else { path.find(&source) };
                match found {
                    Ok(texts) if *all => Value::Array(texts.into_iter().map(Value::from).collect()),
                    Ok(texts) => texts.into_iter().next().map_or(Value::Null, Value::from),
                    Err(e) => {
                        warnings.push(e);
                        v
                    }
                }
            }
            Typed::Csv { delimiter, header, skip_empty } => match &v {
                Value::String(s) if s.len() <= MAX_TEXT => csv(s, *delimiter, *header, *skip_empty),
                _ => {
                    warnings.push(text!(
                        "`csv` needs a text; the value is left unchanged",
                        "`csv` 需要文本,值保持不变"
                    ));
                    v
                }
            },
            Typed::Regex { regex, group, all } => {
                let source = v.in_text();
                if source.len() > MAX_MATCHED {
                    warnings.push(too_long());
                    return v;
                }
                let mut hits = Vec::new();
                let mut steps = 0;
                let searched = regex.each(&source, |c| {
                    // Each match is linear, all of them together need not be.
                    steps += source.len() - c.range().start;
                    if steps > MAX_STEPS {
                        return Err(GivenUp(too_long()));
                    }
                    hits.push(c.group(*group).map_or(Value::Null, Value::from));
                    Ok(*all)
                });
                if let Err(GivenUp(why)) = searched {
                    warnings.push(why);
                    return v;
                }
                if *all { Value::Array(hits) } else { hits.into_iter().next().unwrap_or(Value::Null) }
            }
            Typed::Date(pattern) => match times::read_wall(&v, tz) {
                Some(t) => Value::from(times::by_pattern(t, pattern)),
                None => {
                    if !v.is_blank() {
                        let shown = v.in_text();
                        warnings.push(text!(
                            "`{shown}` is no time; left unchanged",
                            "`{shown}` 不是时间,保持不变"
                        ));
                    }
                    v
                }
            },
            Typed::Decimals(scale) => {
                let words = v.in_text();
                let words = words.trim();
                let number = if words.len() > 100 { None } else { decimal(words) };
                match number {
                    Some(d) => {
                        let d = match scale {
                            Some(n) => d.with_scale_round(*n, RoundingMode::HalfUp),
                            None => d,
                        };
                        Number::from_text(&d.to_plain_string()).map_or(v, Value::Number)
                    }
                    None => {
                        if !words.is_empty() {
                            warnings.push(text!(
                                "`{words}` is no number; left unchanged",
                                "`{words}` 不是数字,保持不变"
                            ));
                        }
                        v
                    }
                }
            }
            Typed::Enum(entries) => {
                let key = v.in_text();
                match entries.iter().find(|(k, _)| *k == key) {
                    Some((_, to)) => to.clone(),
                    None => {
                        warnings.push(text!(
                            "`{key}` is not among the values; left unchanged",
                            "`{key}` 不在可选值之中,保持不变"
                        ));
                        v
                    }
                }
            }
        }
    }
}

fn too_long() -> Text {
    text!("the text is too long to be parsed; the value is left unchanged", "文本过长,无法解析,值保持不变")
}

fn short(written: &str) -> Result<&str, Text> {
    // Parsers of expressions go down one call per bracket.
    let brackets = written.bytes().filter(|b| matches!(b, b'(' | b'[' | b'!')).count();
    if written.len() > MAX_EXPRESSION || brackets > 60 {
        return Err(text!("the expression is too long or too deep", "表达式过长或嵌套过深"));
    }
    Ok(written)
}

fn json_path(written: &str) -> Result<JsonPath, Text> {
    let written = short(written.trim())?;
    // The parser steps back and tries again: each level of filters doubles its work.
    if written.matches('?').count() > 5 {
        return Err(text!("the expression is too long or too deep", "表达式过长或嵌套过深"));
    }
    JsonPath::parse(written).map_err(|e| {
        text!("the JSON path `{written}` cannot be read: {e}", "JSON 路径 `{written}` 无法读取:{e}")
    })
}

fn regex(pattern: &str, flags: &str) -> Result<Search, Text> {
    let [fold, lines, dot] = ['i', 'm', 's'].map(|flag| flags.contains(flag));
    Search::new(pattern, Style { fold, lines, dot }).map_err(|e| {
        text!("the pattern `{pattern}` cannot be read: {e}", "正则表达式 `{pattern}` 无法读取:{e}")
    })
}

/// `{"from": to}`, or a list of allowed values.
fn values(v: Option<&Value>) -> Vec<(String, Value)> {
    match v {
        Some(Value::Object(map)) => map.iter().map(|(k, v)| (k.to_owned(), v.clone())).collect(),
        Some(Value::Array(list)) => list.iter().map(|v| (v.in_text(), v.clone())).collect(),
        Some(Value::String(s)) => {
            s.split(',').map(|s| (s.trim().to_owned(), Value::from(s.trim()))).collect()
        }
        _ => Vec::new(),
    }
}

/// Rows of CSV text; all fields are text.
fn csv(source: &str, delimiter: char, header: bool, skip_empty: bool) -> Value {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = source.trim_start_matches('\u{feff}').chars().peekable();
    let end_row = |row: &mut Vec<String>, field: &mut String, rows: &mut Vec<Vec<String>>| {
        row.push(std::mem::take(field));
        let empty = row.len() == 1 && row.first().is_some_and(String::is_empty);
        let row = std::mem::take(row);
        if !(empty && skip_empty) {
            rows.push(row);
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            c if quoted => field.push(c),
            '"' if field.is_empty() => quoted = true,
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => end_row(&mut row, &mut field, &mut rows),
            c if c == delimiter => row.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        end_row(&mut row, &mut field, &mut rows);
    }
    let list = |r: Vec<String>| Value::Array(r.into_iter().map(Value::from).collect());
    if !header {
        return Value::Array(rows.into_iter().map(list).collect());
    }
    let mut rows = rows.into_iter();
    let names = rows.next().unwrap_or_default();
    Value::Array(
        rows.map(|r| {
            Value::Object(
                names.iter().map(|n| n.trim().to_owned()).zip(r.into_iter().map(Value::from)).collect(),
            )
        })
        .collect(),
    )
}
