//! The part of XPath that field configurations use: steps, `//`, positions, conditions on attributes and children.

use roxmltree::{Document, Node, ParsingOptions};

use crate::{Text, Value, text};

/// Nodes of a document at most.
const MAX_NODES: u32 = 200_000;

/// Nodes that one search may look at: `//` within `//` looks at nested ones again and again.
const MAX_VISITS: usize = 1_000_000;

/// Bytes that all found texts may have: an element's text is that of every element in it.
const MAX_FOUND: usize = 8 << 20;

/// A compiled path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct XPath {
    steps: Vec<Step>,
    take: Take,
}

#[derive(Debug, Clone, PartialEq)]
struct Step {
    /// Behind `//`: at any depth.
    deep: bool,
    /// `*`, or a name; with the address of its namespace where one was given.
    name: Option<(Option<String>, String)>,
    tests: Vec<Test>,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// 1 is the first.
    Position(usize),
    Last,
    Attribute(String, Option<String>),
    Child(String, Option<String>),
}

#[derive(Debug, Clone, PartialEq)]
enum Take {
    Text,
    Attribute(String),
}

impl XPath {
    /// Compiles a path; `attribute` names what is read from the found elements instead of their text.
    ///
    /// # Errors
    /// The step that cannot be read.
    pub fn compile(path: &str, attribute: Option<String>, namespace: Option<&Value>) -> Result<XPath, Text> {
        let bad = |part: &str| {
            text!(
                "the XPath step `{part}` cannot be read; known are `/a/b`, `//a`, `*`, `[1]`, `[@a='x']`, `[b='x']`, `@a`, `text()`",
                "XPath 步骤 `{part}` 无法读取;支持 `/a/b`、`//a`、`*`、`[1]`、`[@a='x']`、`[b='x']`、`@a`、`text()`"
            )
        };
        let address = |prefix: &str| {
            namespace.and_then(Value::as_object).and_then(|m| m.get(prefix)).map(Value::in_text)
        };
        let mut take = attribute.filter(|a| !a.is_empty()).map_or(Take::Text, Take::Attribute);
        let mut steps = Vec::new();
        let mut deep = !path.trim_start().starts_with('/');
        let mut rest = path.trim();
        while !rest.is_empty() {
            if let Some(r) = rest.strip_prefix("//") {
                (deep, rest) = (true, r);
            } else if let Some(r) = rest.strip_prefix('/') {
                rest = r;
            }
            let end = step_end(rest);
            let (part, tail) = rest.split_at(end);
            rest = tail;
            match part {
                "text()" if tail.is_empty() => break,
                "." => continue,
                _ => {}
            }
            if let Some(name) = part.strip_prefix('@') {
                if name.is_empty() || !tail.is_empty() {
                    return Err(bad(part));
                }
                take = Take::Attribute(name.to_owned());
                break;
            }
            let (name, mut tests_text) = part.split_at(part.find('[').unwrap_or(part.len()));
            let mut tests = Vec::new();
            while let Some(open) = tests_text.strip_prefix('[') {
                let close = open.find(']').ok_or_else(|| bad(part))?;
                tests.push(test(open.get(..close).unwrap_or("").trim()).ok_or_else(|| bad(part))?);
                tests_text = open.get(close + 1..).unwrap_or("");
            }
            if name.is_empty() || !tests_text.is_empty() || name.contains(['(', ')', '@', '\'', '"', ' ']) {
                return Err(bad(part));
            }
            let name = match name.split_once(':') {
                _ if name == "*" => None,
                Some((prefix, local)) => Some((address(prefix), local.to_owned())),
                None => Some((None, name.to_owned())),
            };
            steps.push(Step { deep: std::mem::take(&mut deep), name, tests });
        }
        if steps.is_empty() { Err(bad(path)) } else { Ok(XPath { steps, take }) }
    }

    /// Texts of everything found, in document order.
    ///
    /// # Errors
    /// A text that is no XML.
    pub fn find(&self, source: &str) -> Result<Vec<String>, Text> {
        let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(source.trim_start(), options)
            .map_err(|e| text!("the value is no XML ({e}); left unchanged", "该值不是 XML({e}),保持不变"))?;
        let mut at = vec![document.root()];
        let mut left = MAX_VISITS;
        for step in &self.steps {
            let mut next: Vec<Node> = Vec::new();
            for node in &at {
                let mut seen = 0;
                let mut found: Vec<Node> = if step.deep {
                    let all = node.descendants().take(left).inspect(|_| seen += 1);
                    all.filter(|n| n != node && step.names(n)).collect()
                } else {
                    let all = node.children().take(left).inspect(|_| seen += 1);
                    all.filter(|n| step.names(n)).collect()
                };
                left -= seen;
                if left == 0 {
                    return Err(too_much());
                }
                for test in &step.tests {
                    found = test.keep(found);
                }
                next.append(&mut found);
            }
            next.sort();
            next.dedup();
            at = next;
        }
        let mut texts = Vec::new();
        let mut room = MAX_FOUND;
        let mut left = MAX_VISITS;
        for n in &at {
            let found = match &self.take {
                Take::Attribute(a) => n.attribute(a.as_str()).map(str::to_owned),
                Take::Text => {
                    let mut all = String::new();
                    for t in n.descendants() {
                        // Elements within elements are gone through for each of them.
                        left = left.checked_sub(1).ok_or_else(too_much)?;
                        all.push_str(t.text().filter(|_| t.is_text()).unwrap_or(""));
                        if all.len() > room {
                            return Err(too_much());
                        }
                    }
                    Some(all.trim().to_owned())
                }
            };
            if let Some(found) = found {
                room = room.checked_sub(found.len()).ok_or_else(too_much)?;
                texts.push(found);
            }
        }
        Ok(texts)
    }
}

fn too_much() -> Text {
    text!(
        "the XPath goes through the document too often; left unchanged",
        "XPath 对文档的遍历次数过多,保持不变"
    )
}

/// Where a step ends: at the next `/` outside of brackets and quotes.
fn step_end(s: &str) -> usize {
    let (mut depth, mut quote) = (0usize, None);
    for (i, c) in s.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, '/') if depth == 0 => return i,
            _ => {}
        }
    }
    s.len()
}

fn test(s: &str) -> Option<Test> {
    if let Ok(n) = s.parse::<usize>() {
        return (n > 0).then_some(Test::Position(n));
    }
    if s == "last()" {
        return Some(Test::Last);
    }
    let (left, right) = match s.split_once('=') {
        Some((l, r)) => {
            let r = r.trim();
            let inner = ['\'', '"']
                .iter()
                .find_map(|q| r.strip_prefix(*q)?.strip_suffix(*q))
                .or_else(|| r.bytes().all(|b| b.is_ascii_digit() || b == b'.').then_some(r))?;
            (l.trim(), Some(inner.to_owned()))
        }
        None => (s, None),
    };
    let plain = |n: &str| !n.is_empty() && !n.contains(['(', ')', '[', '@', ' ', '/', '<', '>', '!']);
    match left.strip_prefix('@') {
        Some(a) if plain(a) => Some(Test::Attribute(a.to_owned(), right)),
        None if plain(left) => Some(Test::Child(left.to_owned(), right)),
        _ => None,
    }
}

impl Step {
    fn names(&self, n: &Node) -> bool {
        n.is_element()
            && self.name.as_ref().is_none_or(|(address, local)| {
                n.tag_name().name() == local
                    && address.as_deref().is_none_or(|a| n.tag_name().namespace() == Some(a))
            })
    }
}

impl Test {
    fn keep<'a, 'i>(&self, mut found: Vec<Node<'a, 'i>>) -> Vec<Node<'a, 'i>> {
        match self {
            Test::Position(n) => found.into_iter().skip(n - 1).take(1).collect(),
            Test::Last => found.pop().into_iter().collect(),
            Test::Attribute(name, value) => {
                found.retain(|n| {
                    n.attribute(name.as_str()).is_some_and(|a| value.as_deref().is_none_or(|v| v == a))
                });
                found
            }
            Test::Child(name, value) => {
                found.retain(|n| {
                    n.children().any(|c| {
                        c.tag_name().name() == name
                            && value.as_deref().is_none_or(|v| c.text().unwrap_or("").trim() == v)
                    })
                });
                found
            }
        }
    }
}
