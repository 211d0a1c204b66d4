//! Filters in Mongo's JSON form over stored records (dialect §3.10, §7.5): compiled once, bounded in size and depth.

use std::cmp::Ordering;

use crate::condition::compare;
use crate::path::{self, Path};
use crate::{Map, Text, Value, text};

/// Deepest nesting of `$and`, `$or`, `$nor` and `$not`.
const MAX_DEPTH: usize = 32;

/// Most tests of one filter.
const MAX_TESTS: usize = 1000;

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Filter(Node);

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Field(Path, Vec<Test>),
}

#[derive(Debug, Clone)]
enum Test {
    Eq(Value),
    Ne(Value),
    Order(Value, fn(Ordering) -> bool),
    In(Vec<Value>, bool),
    Exists(bool),
    Regex(regex::Regex),
    Size(usize),
    Not(Vec<Test>),
}

/// Operators of fields, for the nearest one.
const OPERATORS: &[&str] = &[
    "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$options", "$size",
    "$not", "$and", "$or", "$nor",
];

struct Compiler {
    tests: usize,
}

impl Filter {
    /// Compiles a filter such as `{"content.FName":{"$eq":"x"},"$or":[…]}`; a bare value means `$eq`.
    ///
    /// # Errors
    /// Unknown operators with the nearest known one, operands of a wrong kind, patterns that cannot be used, filters
    /// that are too large.
    pub fn compile(filter: &Value) -> Result<Filter, Text> {
        Compiler { tests: 0 }.object(filter, 0).map(Filter)
    }

    /// True when the record satisfies the filter. Paths begin at the record's root; of a list any element may do.
    pub fn matches(&self, record: &Value) -> bool {
        self.0.matches(record)
    }

    /// Dotted paths that the filter reads.
    pub fn paths(&self) -> Vec<&str> {
        let mut out = Vec::new();
        self.0.paths(&mut out);
        out
    }

    /// Pairs of path and value that every match must have equal: what an index can be asked for.
    pub fn equalities(&self) -> Vec<(&str, &Value)> {
        let mut out = Vec::new();
        self.0.equalities(&mut out);
        out
    }
}

impl Compiler {
    fn object(&mut self, v: &Value, depth: usize) -> Result<Node, Text> {
        if depth > MAX_DEPTH {
            return Err(text!("the filter is nested too deeply", "过滤条件嵌套过深"));
        }
        let map = v.as_object().ok_or_else(|| {
            text!(
                "a filter is a JSON object such as {{\"content.no\":{{\"$eq\":\"1\"}}}}",
                "过滤条件应为 JSON 对象,例如 {{\"content.no\":{{\"$eq\":\"1\"}}}}"
            )
        })?;
        let mut all = Vec::with_capacity(map.len());
        for (key, v) in map.iter() {
            all.push(match key {
                "$and" => Node::All(self.list(key, v, depth)?),
                "$or" => Node::Any(self.list(key, v, depth)?),
                "$nor" => Node::Not(Box::new(Node::Any(self.list(key, v, depth)?))),
                _ if key.starts_with('$') => return Err(unknown(key)),
                _ => Node::Field(Path::new(key), self.tests(v, depth)?),
            });
        }
        Ok(Node::All(all))
    }

    fn list(&mut self, key: &str, v: &Value, depth: usize) -> Result<Vec<Node>, Text> {
        let Some(list) = v.as_array().filter(|l| !l.is_empty()) else {
            let key = key.to_owned();
            return Err(text!("`{key}` takes a list of filters", "`{key}` 需要过滤条件的列表"));
        };
        list.iter().map(|f| self.object(f, depth + 1)).collect()
    }

    /// The operators of one field, or a value to be equal to.
    fn tests(&mut self, v: &Value, depth: usize) -> Result<Vec<Test>, Text> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return Err(text!("the filter has more than {MAX_TESTS} tests", "过滤条件超过 {MAX_TESTS} 个"));
        }
        let Some(map) = v.as_object().filter(|m| m.iter().any(|(k, _)| k.starts_with('$'))) else {
            return Ok(vec![Test::Eq(v.clone())]);
        };
        let mut out = Vec::with_capacity(map.len());
        for (op, v) in map.iter() {
            out.push(match op {
                "$eq" => Test::Eq(v.clone()),
                "$ne" => Test::Ne(v.clone()),
                "$gt" => Test::Order(v.clone(), Ordering::is_gt),
                "$gte" => Test::Order(v.clone(), Ordering::is_ge),
                "$lt" => Test::Order(v.clone(), Ordering::is_lt),
                "$lte" => Test::Order(v.clone(), Ordering::is_le),
                "$in" | "$nin" => {
                    let Some(list) = v.as_array() else {
                        let op = op.to_owned();
                        return Err(text!("`{op}` takes a list of values", "`{op}` 需要值的列表"));
                    };
                    Test::In(list.to_vec(), op == "$in")
                }
                "$exists" => Test::Exists(crate::mapping::to_bool(v).unwrap_or(true)),
                "$regex" => Test::Regex(regex_of(v, map)?),
                "$options" => continue,
                "$size" => match v.in_text().trim().parse() {
                    Ok(n) => Test::Size(n),
                    Err(_) => return Err(text!("`$size` takes a whole number", "`$size` 需要整数")),
                },
                "$not" if depth < MAX_DEPTH => Test::Not(self.tests(v, depth + 1)?),
                _ => return Err(unknown(op)),
            });
        }
        Ok(out)
    }
}

fn unknown(op: &str) -> Text {
    let near = crate::nearest(op, OPERATORS.iter().copied()).unwrap_or("$eq");
    let op: String = op.chars().take(40).collect();
    text!("unknown operator `{op}`; did you mean `{near}`?", "未知的操作符 `{op}`;是否为 `{near}`?")
}

fn regex_of(v: &Value, beside: &Map) -> Result<regex::Regex, Text> {
    let pattern = v.in_text();
    let options = beside.get("$options").map(Value::in_text).unwrap_or_default();
    regex::RegexBuilder::new(&pattern)
        .case_insensitive(options.contains('i'))
        .multi_line(options.contains('m'))
        .dot_matches_new_line(options.contains('s'))
        .size_limit(1 << 20)
        .nest_limit(60)
        .build()
        .map_err(|e| {
            let e = e.to_string();
            let e = e.lines().last().unwrap_or("").trim().to_owned();
            text!("the pattern of `$regex` cannot be used: {e}", "`$regex` 的正则表达式无法使用:{e}")
        })
}

impl Node {
    fn matches(&self, record: &Value) -> bool {
        match self {
            Node::All(all) => all.iter().all(|n| n.matches(record)),
            Node::Any(any) => any.iter().any(|n| n.matches(record)),
            Node::Not(n) => !n.matches(record),
            Node::Field(path, tests) => {
                let found = path::find(record, path);
                let v = found.as_deref();
                tests.iter().all(|t| t.holds(v))
            }
        }
    }

    fn paths<'a>(&'a self, out: &mut Vec<&'a str>) {
        match self {
            Node::All(list) | Node::Any(list) => list.iter().for_each(|n| n.paths(out)),
            Node::Not(n) => n.paths(out),
            Node::Field(path, _) => out.push(path.as_str()),
        }
    }

    fn equalities<'a>(&'a self, out: &mut Vec<(&'a str, &'a Value)>) {
        match self {
            Node::All(list) => list.iter().for_each(|n| n.equalities(out)),
            Node::Field(path, tests) => {
                out.extend(tests.iter().filter_map(|t| match t {
                    Test::Eq(v) if !v.is_null() => Some((path.as_str(), v)),
                    _ => None,
                }));
            }
            Node::Any(_) | Node::Not(_) => {}
        }
    }
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        match self {
            Test::Exists(wanted) => found.is_some() == *wanted,
            Test::Size(n) => matches!(found, Some(Value::Array(a)) if a.len() == *n),
            Test::Ne(v) => !any(found, |x| equal(x, v)),
            Test::In(list, true) => any(found, |x| list.iter().any(|v| equal(x, v))),
            Test::In(list, false) => !any(found, |x| list.iter().any(|v| equal(x, v))),
            Test::Not(tests) => !tests.iter().all(|t| t.holds(found)),
            Test::Eq(v) => any(found, |x| equal(x, v)),
            Test::Order(v, wanted) => any(found, |x| !x.is_null() && !v.is_null() && wanted(compare(x, v))),
            Test::Regex(r) => any(found, |x| x.as_str().is_some_and(|s| r.is_match(s))),
        }
    }
}

/// The value, or any element of a list; nothing counts as null.
fn any(found: Option<&Value>, mut test: impl FnMut(&Value) -> bool) -> bool {
    let v = found.unwrap_or(&Value::Null);
    test(v) || v.as_array().is_some_and(|list| list.iter().any(test))
}

/// Equality of lookups (rule L8): the same value, else the same as text; numbers by value.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => a == b,
        (Value::Number(x), Value::Number(y)) => {
            x == y || x.to_decimal().is_some_and(|d| y.to_decimal() == Some(d))
        }
        (Value::String(x), Value::String(y)) => x == y,
        _ => a.in_text() == b.in_text(),
    }
}
