//! The JSON objects of a text: in code fences or out of them, alone or between sentences.

use std::collections::HashSet;

use heliu_model::text;
use serde_json::{Map, Value};

use crate::read::{Reader, is_blank};
use crate::repair::{Kind, Note};
use crate::source::Source;
use crate::strings::is_quote;
use crate::wide;

/// An object of the text.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub value: Map<String, Value>,
    /// Bytes of the text that is read.
    pub from: usize,
    pub to: usize,
    pub notes: Vec<Note>,
    /// JSON as the standard has it.
    pub strict: bool,
    /// A part of a document without the rest.
    pub fragment: bool,
}

/// All objects of a text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub blocks: Vec<Block>,
    /// Where the search was given up, because the text is too tangled to be followed.
    pub tangled: Option<usize>,
}

/// Finds the objects of a text. Cost is linear: the work is limited by the text's length.
pub(crate) fn blocks(source: &Source) -> Found {
    let text = source.text.as_str();
    let limit = 16 * text.len() as u64 + 100_000;
    let mut out = Found::default();
    let (mut at, mut work) = (0, 0u64);
    while let Some(i) = text.get(at..).and_then(|t| t.find(['{', wide::OPEN_BRACE])) {
        let from = at + i;
        let rest = text.get(from..).unwrap_or("");
        at = from + rest.chars().next().map_or(1, char::len_utf8);
        if work > limit {
            out.tangled = Some(from);
            break;
        }
        if !promising(rest) {
            continue;
        }
        let mut block = match strict(rest, &mut work) {
            Some((value, len)) => {
                let notes = duplicates(text, from, len, &mut work);
                Block { value, from, to: from + len, notes, strict: true, fragment: false }
            }
            None => {
                let mut reader = Reader::new(text, from, work, limit);
                let value = reader.document();
                work = reader.work;
                let Some(value) = value else { continue };
                Block { value, from, to: reader.at, notes: reader.notes, strict: false, fragment: false }
            }
        };
        at = at.max(block.to);
        block.show_names();
        block.notes.extend(inside(source, &block));
        out.blocks.push(block);
    }
    out
}

impl Block {
    /// Takes invisible characters out of its names.
    pub fn show_names(&mut self) {
        if let Some(c) = show_names(&mut self.value) {
            let done = text!("taken out of names: nobody sees it", "已从名称中去除不可见字符");
            let found = format!("U+{:04X}", u32::from(c));
            self.notes.push(Note { at: self.from, kind: Kind::Blank, found, done, count: 1 });
        }
    }
}

/// Takes invisible characters out of all names, but where another member has the name without them; tells the first one.
fn show_names(map: &mut Map<String, Value>) -> Option<char> {
    let invisible =
        |c: char| matches!(c, '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}');
    fn inner(value: &mut Value) -> Option<char> {
        match value {
            Value::Object(map) => show_names(map),
            // All of them are to be mended.
            Value::Array(list) => list.iter_mut().fold(None, |found, v| {
                let here = inner(v);
                found.or(here)
            }),
            _ => None,
        }
    }
    let mut found = None;
    if map.keys().any(|k| k.contains(invisible)) {
        let old = std::mem::take(map);
        let seen: HashSet<String> = old.keys().filter(|k| !k.contains(invisible)).cloned().collect();
        for (name, value) in old {
            let shown = name.replace(invisible, "");
            if shown == name || seen.contains(&shown) || map.contains_key(&shown) {
                map.insert(name, value);
            } else {
                found = found.or_else(|| name.chars().find(|c| invisible(*c)));
                map.insert(shown, value);
            }
        }
    }
    for value in map.values_mut() {
        let here = inner(value);
        found = found.or(here);
    }
    found
}

impl Found {
    /// True when every object is strict JSON and what stands around them satisfies `fits`.
    pub fn strict(&self, text: &str, fits: impl Fn(&str) -> bool) -> bool {
        let mut at = 0;
        self.tangled.is_none()
            && self.blocks.iter().all(|b| {
                let before = text.get(at..b.from).unwrap_or("");
                at = b.to;
                b.strict && fits(before)
            })
            && fits(text.get(at..).unwrap_or(""))
    }
}

/// What was taken out of the page between the block's ends; tags are counted together.
pub(crate) fn inside(source: &Source, block: &Block) -> Vec<Note> {
    let first = source.notes.partition_point(|n| n.at <= block.from);
    let mut tags: Option<Note> = None;
    let mut out = Vec::new();
    for n in source.notes.iter().skip(first).take_while(|n| n.at < block.to) {
        match (&mut tags, n.kind) {
            (Some(t), Kind::Markup) => t.count += 1,
            (None, Kind::Markup) => tags = Some(n.clone()),
            _ => out.push(n.clone()),
        }
    }
    out.extend(tags);
    out
}

/// True when an object may begin here.
pub(crate) fn promising(rest: &str) -> bool {
    let mut chars = rest.char_indices().skip(1);
    let next = chars.by_ref().take(AHEAD).find(|(_, c)| !is_blank(*c) && *c != '\u{a0}' && *c != '\u{3000}');
    let Some((at, c)) = next else { return false };
    let next = rest.get(at..).unwrap_or("");
    match c {
        c if is_quote(c) => true,
        '/' => next.starts_with("//") || next.starts_with("/*"),
        '#' | '…' => true,
        '.' => next.starts_with("..."),
        c if c.is_ascii_alphabetic() || c == '_' || c == '$' => {
            let len = next
                .bytes()
                .take(64)
                .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'))
                .count();
            let behind = next.get(len..).unwrap_or("").trim_start_matches([' ', '\t']);
            behind.starts_with(':') || behind.starts_with("=>")
        }
        _ => false,
    }
}

const AHEAD: usize = 4_096;

/// A strict object at the beginning of `rest`, and its length.
fn strict(rest: &str, work: &mut u64) -> Option<(Map<String, Value>, usize)> {
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    match stream.next()? {
        Ok(Value::Object(map)) => {
            let len = stream.byte_offset();
            *work += len as u64;
            Some((map, len))
        }
        Ok(_) => None,
        Err(e) => {
            let lines: usize =
                rest.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
            *work += (lines + e.column()) as u64;
            None
        }
    }
}

/// Strict JSON may still say a name twice. Read by JSON's own rules, not by those for mending: a text of the object may
/// hold anything, also what looks like the next member.
fn duplicates(text: &str, from: usize, len: usize, work: &mut u64) -> Vec<Note> {
    let json = text.get(from..from + len).unwrap_or("");
    *work += len as u64;
    let mut notes = Vec::new();
    // The names of the objects around; a list has none.
    let mut open: Vec<HashSet<String>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.as_bytes().get(at) {
        match byte {
            b'{' | b'[' => open.push(HashSet::new()),
            b'}' | b']' => _ = open.pop(),
            b'"' => {
                let end = at + string(json.get(at..).unwrap_or(""));
                let is_name = json.get(end..).is_some_and(|r| r.trim_start().starts_with(':'));
                let names = open.last_mut().filter(|_| is_name);
                let name = json.get(at..end).and_then(|s| serde_json::from_str::<String>(s).ok());
                if let (Some(names), Some(name)) = (names, name)
                    && let Some(name) = names.replace(name)
                {
                    notes.push(Note::twice(from + at, &name));
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    notes
}

/// Bytes of the strict text at the beginning of `json`, with its quotes.
fn string(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |n| n + 2)
}
