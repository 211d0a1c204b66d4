//! Parts of documents that were pasted without the rest: `"request": [...]` without braces around it, a bare list of
//! items, and what is left of a document whose beginning was cut off.

use heliu_model::text;
use serde_json::{Map, Value};

use crate::blocks::{Block, inside, promising};
use crate::read::{Part, Reader};
use crate::repair::{Kind, Note};
use crate::source::Source;
use crate::strings::{is_quote, looks_like_name};
use crate::wide;

/// Members that hold items.
const LISTS: &[&str] =
    &["request", "otherRequest", "response", "otherResponse", "requestParams", "otherRequestParams"];

/// How a fragment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Member,
    List,
    Item,
}

/// The fragments of a text, but for what stands in its whole documents, by their places in `blocks`. Cost is linear, as
/// that of the documents.
pub(crate) fn fragments(source: &Source, blocks: &[Block], whole: &[usize]) -> Vec<Block> {
    let text = source.text.as_str();
    let limit = 16 * text.len() as u64 + 100_000;
    let mut out: Vec<Block> = Vec::new();
    let (mut at, mut work) = (0, 0);
    while let Some((from, start)) = next(text, at) {
        if work > limit {
            break;
        }
        let around = whole.iter().filter_map(|n| blocks.get(*n)).find(|b| b.from <= from && from < b.to);
        if let Some(document) = around {
            at = document.to;
            continue;
        }
        if start != Start::Member && within(blocks, from) {
            at = from + first(text, from);
            continue;
        }
        let mut reader = Reader::new(text, from, work, limit);
        reader.fragment = true;
        let value = read(&mut reader, start);
        work = reader.work + 1;
        let Some(value) = value else {
            at = from + first(text, from);
            continue;
        };
        let mut block =
            Block { value, from, to: reader.at, notes: reader.notes, strict: false, fragment: true };
        block.show_names();
        block.notes.extend(inside(source, &block));
        if start == Start::Item {
            block.notes.extend(beginning(text, at, from));
        }
        at = block.to.max(from + 1);
        match out.last_mut() {
            Some(last) if belongs(&last.value, &block.value) => {
                last.value.extend(block.value);
                last.notes.extend(block.notes);
                last.to = block.to;
            }
            _ => out.push(block),
        }
    }
    out
}

/// Bytes of the character at a place.
fn first(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8)
}

/// True inside an object that is no item: what is in it is a part of something else, as the sorting of a query.
fn within(blocks: &[Block], at: usize) -> bool {
    let before = blocks.partition_point(|b| b.from < at);
    before
        .checked_sub(1)
        .and_then(|n| blocks.get(n))
        .is_some_and(|b| at < b.to && !b.value.contains_key("field"))
}

/// Where the next fragment may begin.
fn next(text: &str, at: usize) -> Option<(usize, Start)> {
    let rest = text.get(at..)?;
    for (i, c) in rest.char_indices() {
        let here = rest.get(i..).unwrap_or("");
        let start = match c {
            c if is_quote(c) && looks_like_name(here) => Start::Member,
            '[' | wide::OPEN_BRACKET => {
                let inner = here.get(c.len_utf8()..).unwrap_or("").trim_start();
                if !inner.starts_with(['{', wide::OPEN_BRACE]) {
                    continue;
                }
                Start::List
            }
            '{' | wide::OPEN_BRACE if promising(here) => Start::Item,
            _ => continue,
        };
        return Some((at + i, start));
    }
    None
}

/// The members of a document from here on; `None` where there are no items among them.
fn read(r: &mut Reader, start: Start) -> Option<Map<String, Value>> {
    let from = r.at;
    let mut map = Map::new();
    if start == Start::Member {
        let before = r.text.get(..from).unwrap_or("").trim_end();
        let done = if before.ends_with(['{', wide::OPEN_BRACE]) {
            text!("read as a document, though its interface is missing", "缺少接口名称,仍按文档读取")
        } else {
            text!("`{{` was added before it", "已在其前补上 `{{`")
        };
        r.note(from, Kind::Fragment, "", done);
    } else {
        let part = if start == Start::List { r.list(1) } else { r.elements(1) };
        let (list, whole) = match part {
            Part::Whole(v) => (v, true),
            Part::Cut(v, _) => (v, false),
        };
        if !holds_items(&list) || !list.as_array().is_some_and(|l| l.iter().any(told)) {
            return None;
        }
        let done = match start {
            Start::List => {
                text!("a list without a name; read as `request`", "列表没有名称,按 `request` 读取")
            }
            _ => text!("items without their list; read as `request`", "字段项之外没有列表,按 `request` 读取"),
        };
        r.note(from, Kind::Fragment, "", done);
        map.insert("request".to_owned(), list);
        if !whole {
            r.note(r.at, Kind::Fragment, "", text!("`]` was added", "已补上 `]`"));
            return Some(map);
        }
        if !r.another() {
            return Some(map);
        }
    }
    let (part, whole) = match r.members(0, map) {
        Part::Whole(v) => (v, true),
        Part::Cut(v, _) => (v, false),
    };
    let Value::Object(map) = part else { return None };
    if !map.iter().any(|(k, v)| LISTS.contains(&k.as_str()) && holds_items(v)) {
        return None;
    }
    if !whole {
        r.note(
            r.at,
            Kind::Fragment,
            "",
            text!("`}}` was added behind its last member", "已在最后一个成员之后补上 `}}`"),
        );
    }
    Some(map)
}

/// True for a list of objects with `field`; conditions have `logic` beside it.
fn holds_items(v: &Value) -> bool {
    let is_item = |v: &Value| {
        v.get("field").is_some_and(|f| f.is_string() || f.is_number()) && v.get("logic").is_none()
    };
    v.as_array().is_some_and(|list| list.iter().any(is_item) && list.iter().all(Value::is_object))
}

/// True for an item that says more of its field than other lists do.
fn told(item: &Value) -> bool {
    ["label", "type", "value", "children", "parser", "default", "is_required", "describe", "mapping"]
        .iter()
        .any(|k| item.get(*k).is_some())
}

/// What stands before the first item, where it is the rest of a cut one.
fn beginning(text: &str, at: usize, from: usize) -> Option<Note> {
    let before = text.get(at..from)?.trim_end();
    let rest = before.strip_suffix([',', wide::COMMA])?.trim_end();
    rest.ends_with(['}', wide::CLOSE_BRACE]).then(|| Note {
        at: at + before.len() - before.trim_start().len(),
        kind: Kind::Cut,
        found: crate::repair::excerpt(before.trim_start()),
        done: text!("the beginning is missing; left out", "缺少开头,已略去"),
        count: 1,
    })
}

/// True when a fragment goes on with the document of the one before: it has other members, and does not begin anew.
fn belongs(before: &Map<String, Value>, next: &Map<String, Value>) -> bool {
    !next.contains_key("request") && !next.contains_key("api") && next.keys().all(|k| !before.contains_key(k))
}
