//! JSON as people paste it: what strict JSON refuses is mended where its meaning is plain, and every mending noted.
//!
//! Nothing here fails or runs on: a text that cannot be followed is cut after its last whole item, nesting and work
//! are bounded.

use heliu_model::{Text, text};
use serde_json::{Map, Number, Value};

use crate::bare::LONGEST_DIRECTIVE;
use crate::gaps::Gap;
use crate::repair::{Kind, Note, excerpt};
use crate::strings::{Place, is_quote};
use crate::wide;

/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 100;

/// What may end an object or a list.
pub(crate) const CLOSERS: &[char] = &['}', wide::CLOSE_BRACE, ']', wide::CLOSE_BRACKET, wide::CLOSE_LENS];

/// Longest name or text without quotes, in characters.
pub(crate) const LONGEST_WORD: usize = 200;

/// A value as far as it could be read.
#[derive(Debug)]
pub(crate) enum Part {
    Whole(Value),
    /// It breaks off. The flag tells that a list of whole items is inside, so that it is worth keeping.
    Cut(Value, bool),
}

/// A position in a text.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
    pub(crate) notes: Vec<Note>,
    /// Characters looked at, and how many may be.
    pub(crate) work: u64,
    pub(crate) limit: u64,
    /// A part without its document: what stands between its members may as well end it.
    pub(crate) fragment: bool,
    /// Lists around the position.
    pub(crate) lists: usize,
    /// Note that counts blanks.
    pub(crate) blanks: Option<usize>,
}

pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, at: usize, work: u64, limit: u64) -> Self {
        Reader { text, at, notes: Vec::new(), work, limit, fragment: false, lists: 0, blanks: None }
    }

    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub fn peek(&self) -> Option<char> {
        if self.work > self.limit { None } else { self.rest().chars().next() }
    }

    pub fn step(&mut self, c: char) {
        self.at += c.len_utf8();
        self.work += 1;
    }

    pub fn note(&mut self, at: usize, kind: Kind, found: &str, done: Text) {
        self.notes.push(Note { at, kind, found: excerpt(found), done, count: 1 });
    }

    /// The object that begins here, whole or closed after its last whole item. `None`: there is none.
    pub fn document(&mut self) -> Option<Map<String, Value>> {
        let part = self.object(0);
        match part {
            Part::Whole(Value::Object(map)) => Some(map),
            Part::Cut(Value::Object(map), _) if !map.is_empty() => {
                let found = self.rest().lines().next().unwrap_or("").to_owned();
                let done = text!(
                    "the document breaks off here; it is closed after its last whole item",
                    "文档在此中断;已在最后一个完整项之后补全括号"
                );
                self.note(self.at, Kind::Cut, &found, done);
                Some(map)
            }
            _ => None,
        }
    }

    /// True when the text goes on with one of these; foreign ones are noted.
    fn take(&mut self, own: char, foreign: &[char]) -> bool {
        match self.peek() {
            Some(c) if c == own => {
                self.step(c);
                true
            }
            Some(c) if foreign.contains(&c) => {
                self.note(
                    self.at,
                    Kind::Punctuation,
                    &c.to_string(),
                    text!("read as `{own}`", "按 `{own}` 读取"),
                );
                self.step(c);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn object(&mut self, depth: usize) -> Part {
        if !self.take('{', &[wide::OPEN_BRACE]) {
            return Part::Cut(Value::Null, false);
        }
        self.members(depth, Map::new())
    }

    /// Members up to the end of their object, behind those that are there.
    pub(crate) fn members(&mut self, depth: usize, mut map: Map<String, Value>) -> Part {
        loop {
            self.gap();
            if self.take('}', &[wide::CLOSE_BRACE]) {
                return Part::Whole(Value::Object(map));
            }
            match self.peek() {
                Some(c @ (']' | wide::CLOSE_BRACKET | wide::CLOSE_LENS)) => {
                    if self.lists > 0 && !map.is_empty() {
                        self.note(
                            self.at,
                            Kind::Bracket,
                            &c.to_string(),
                            text!("`}}` was added before it", "已在其前补上 `}}`"),
                        );
                        return Part::Whole(Value::Object(map));
                    }
                    self.stray(c);
                    continue;
                }
                Some(c @ (',' | wide::COMMA)) => {
                    self.note(self.at, Kind::ExtraComma, &c.to_string(), text!("removed", "已去除"));
                    self.step(c);
                    continue;
                }
                _ => {}
            }
            if self.words_between() {
                continue;
            }
            let start = self.at;
            let value = match self.name() {
                Some(name) => {
                    let part = self.value(depth + 1);
                    let (value, end) = match part {
                        Part::Whole(v) => (v, None),
                        Part::Cut(v, true) => (v, Some(true)),
                        Part::Cut(_, false) => (Value::Null, Some(false)),
                    };
                    if end != Some(false) && map.insert(name.clone(), value).is_some() {
                        self.notes.push(Note::twice(start, &name));
                    }
                    end
                }
                None => Some(false),
            };
            if let Some(kept) = value {
                if depth == 0 && !kept && self.at > start {
                    self.left_out(start);
                }
                return Part::Cut(Value::Object(map), kept);
            }
            let behind = self.place();
            if !self.separated(|r| r.begins_name(), CLOSERS) {
                return Part::Cut(Value::Object(map), false);
            }
            if self.lists > 0 && matches!(self.peek(), Some('{' | wide::OPEN_BRACE)) {
                self.close(behind, '}');
                return Part::Whole(Value::Object(map));
            }
        }
    }

    fn left_out(&mut self, from: usize) {
        let found = self.text.get(from..self.at).unwrap_or("").trim().to_owned();
        if !found.is_empty() {
            let done = text!("incomplete, and left out", "不完整,已略去");
            self.note(from, Kind::Cut, &found, done);
        }
    }

    pub(crate) fn list(&mut self, depth: usize) -> Part {
        if !self.take('[', &[wide::OPEN_BRACKET, wide::OPEN_LENS]) {
            return Part::Cut(Value::Null, false);
        }
        self.elements(depth)
    }

    /// Elements up to the end of their list, whose beginning is behind.
    pub(crate) fn elements(&mut self, depth: usize) -> Part {
        let mut items = Vec::new();
        self.lists += 1;
        let part = self.items(depth, &mut items);
        self.lists -= 1;
        match part {
            None => Part::Whole(Value::Array(items)),
            Some(kept) => Part::Cut(Value::Array(items), kept),
        }
    }

    /// True when another member comes, behind a comma or where one is missing; the comma is consumed.
    pub(crate) fn another(&mut self) -> bool {
        self.separated(|r| r.begins_name(), CLOSERS)
            && (self.begins_name() || self.peek().is_some_and(|c| CLOSERS.contains(&c)))
    }

    /// Elements up to the end of the list; `Some` when it breaks off.
    fn items(&mut self, depth: usize, items: &mut Vec<Value>) -> Option<bool> {
        let of_items = |items: &[Value]| items.iter().any(|v| v.is_object() || v.is_array());
        loop {
            self.gap();
            if self.take(']', &[wide::CLOSE_BRACKET, wide::CLOSE_LENS]) {
                return None;
            }
            match self.peek() {
                None => return Some(of_items(items)),
                Some(c @ ('}' | wide::CLOSE_BRACE)) => {
                    if self.lists == 1 && of_items(items) && self.more_items(c.len_utf8()) {
                        self.stray(c);
                        self.gap();
                        _ = self.take(',', &[wide::COMMA]);
                        continue;
                    }
                    self.note(
                        self.at,
                        Kind::Bracket,
                        &c.to_string(),
                        text!("`]` was added before it", "已在其前补上 `]`"),
                    );
                    return None;
                }
                Some(c @ (',' | wide::COMMA)) => {
                    self.note(self.at, Kind::ExtraComma, &c.to_string(), text!("removed", "已去除"));
                    self.step(c);
                    continue;
                }
                _ => {}
            }
            if self.words_between() {
                continue;
            }
            let (start, object) = (self.at, matches!(self.peek(), Some('{' | wide::OPEN_BRACE)));
            let part = match items.last() {
                Some(Value::Object(before)) if self.lost_brace(before) => self.members(depth + 1, Map::new()),
                _ => self.value(depth + 1),
            };
            match part {
                Part::Whole(v) => items.push(v),
                Part::Cut(v, true) => {
                    items.push(v);
                    return Some(true);
                }
                Part::Cut(..) => {
                    let kept = object || of_items(items);
                    if kept {
                        self.left_out(start);
                    }
                    return Some(kept);
                }
            }
            let behind = self.place();
            if !self.separated(|r| r.begins_value(), CLOSERS) {
                return Some(of_items(items));
            }
            if items.last().is_some_and(|last| self.next_member(last)) {
                self.close(behind, ']');
                return None;
            }
        }
    }

    /// Steps over the comma behind a member or element; false when the text does not go on.
    fn separated(&mut self, more: impl Fn(&Self) -> bool, closers: &[char]) -> bool {
        let end = self.at;
        let mut before = self.gap();
        if self.words_between() {
            self.gap();
            before.elided = true;
        }
        match self.peek() {
            None => false,
            Some(c) if closers.contains(&c) => true,
            Some(c @ (',' | wide::COMMA | wide::PAUSE | ';' | wide::SEMICOLON)) => {
                let at = self.at;
                if c != ',' {
                    self.note(at, Kind::Punctuation, &c.to_string(), text!("read as `,`", "按 `,` 读取"));
                }
                self.step(c);
                let after = self.gap();
                if self.peek().is_some_and(|n| closers.contains(&n)) && !after.elided && !before.elided {
                    self.note(at, Kind::ExtraComma, ",", text!("removed", "已去除"));
                }
                true
            }
            Some(_) if before.elided || more(self) => {
                if !before.elided {
                    self.note(end, Kind::MissingComma, "", text!("`,` was added", "已补上 `,`"));
                }
                true
            }
            Some(_) => false,
        }
    }

    fn begins_name(&self) -> bool {
        self.peek().is_some_and(is_quote) || self.bare_name().is_some()
    }

    fn begins_value(&self) -> bool {
        self.peek().is_some_and(|c| {
            is_quote(c) || matches!(c, '{' | wide::OPEN_BRACE | '[' | wide::OPEN_BRACKET | '-' | '0'..='9')
        })
    }

    /// A name without quotes, and its length: letters, digits and the like before a colon or arrow.
    fn bare_name(&self) -> Option<usize> {
        let rest = self.rest();
        let len = rest
            .bytes()
            .take(LONGEST_WORD)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'-' | b'.'))
            .count();
        let behind = rest.get(len..)?.trim_start_matches([' ', '\t']);
        (len > 0 && (behind.starts_with(':') || behind.starts_with("=>"))).then_some(len)
    }

    /// A member's name with its colon. `None`: there is none, and nothing is consumed.
    pub(crate) fn name(&mut self) -> Option<String> {
        let (start, notes) = (self.at, self.notes.len());
        let name = match self.peek() {
            Some(c) if is_quote(c) => self.string(Place::Name),
            Some(_) => self.bare_name().map(|len| {
                let name = self.rest().get(..len).unwrap_or("").to_owned();
                self.note(start, Kind::BareName, &name, text!("was put in quotes", "已加引号"));
                self.at += len;
                name
            }),
            None => None,
        };
        let colon = name.is_some() && {
            self.gap();
            let rest = self.rest();
            if rest.starts_with("=>") {
                self.note(self.at, Kind::Punctuation, "=>", text!("read as `:`", "按 `:` 读取"));
                self.at += 2;
                true
            } else if self.take(':', &[wide::COLON, '=']) {
                true
            } else if self.begins_value() {
                self.note(self.at, Kind::MissingColon, "", text!("`:` was added", "已补上 `:`"));
                true
            } else {
                false
            }
        };
        if !colon {
            self.at = start;
            self.notes.truncate(notes);
            self.blanks = self.blanks.filter(|i| *i < notes);
            return None;
        }
        name
    }

    fn value(&mut self, depth: usize) -> Part {
        let nothing = Part::Cut(Value::Null, false);
        let gap = self.gap();
        let Some(c) = self.peek() else { return nothing };
        if depth > MAX_DEPTH {
            return nothing;
        }
        if self.at_directive() {
            return self.bare_text(LONGEST_DIRECTIVE).map_or(nothing, |s| Part::Whole(Value::String(s)));
        }
        let (start, notes, behind) = (self.at, self.notes.len(), self.behind_its_name());
        let part = self.plain_value(c, depth, gap);
        let readable = !matches!(c, '{' | wide::OPEN_BRACE | '[' | wide::OPEN_BRACKET | wide::OPEN_LENS)
            || self.text.get(start..).is_some_and(|r| r.starts_with("{{"));
        let unread = matches!(part, Part::Cut(..)) || !self.ended();
        if readable && unread && behind && (!is_quote(c) || matches!(part, Part::Cut(..))) {
            // Nothing that JSON knows: a text whose quotes were left out.
            let (end, kept) = (self.at, self.notes.split_off(notes));
            self.at = start;
            if let Some(s) = self.bare_text(LONGEST_WORD) {
                return Part::Whole(Value::String(s));
            }
            self.at = end;
            self.notes.extend(kept);
        }
        part
    }

    fn plain_value(&mut self, c: char, depth: usize, gap: Gap) -> Part {
        let nothing = Part::Cut(Value::Null, false);
        match c {
            '{' | wide::OPEN_BRACE => match self.bare_reference() {
                Some(s) => Part::Whole(Value::String(s)),
                None => self.object(depth),
            },
            '[' | wide::OPEN_BRACKET | wide::OPEN_LENS => self.list(depth),
            c if is_quote(c) => self.text_value(),
            _ if self.string_prefix() => self.text_value(),
            '0'..='9' | '-' | '+' | '.' => self.number(),
            ',' | wide::COMMA | '}' | wide::CLOSE_BRACE => {
                if !gap.elided {
                    self.note(
                        self.at,
                        Kind::NoValue,
                        "",
                        text!("no value; null was put in", "没有值,已填入 null"),
                    );
                }
                Part::Whole(Value::Null)
            }
            c if c.is_ascii_alphabetic() || c == '_' || c == '$' => self.word(),
            _ => nothing,
        }
    }

    fn number(&mut self) -> Part {
        let rest = self.rest();
        let len = rest
            .bytes()
            .take(LONGEST_WORD)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_'))
            .count();
        let word = rest.get(..len).unwrap_or("");
        if let Ok(n) = serde_json::from_str::<Number>(word) {
            self.at += len;
            self.work += len as u64;
            return Part::Whole(Value::Number(n));
        }
        if len == 0 || rest.get(len..).and_then(|r| r.chars().next()).is_some_and(char::is_alphanumeric) {
            return Part::Cut(Value::Null, false);
        }
        // Leading zeros and the like mean a number to its author only if they change nothing.
        let bare = word.trim_start_matches('+');
        let fixed = match bare.strip_prefix('.') {
            Some(frac) => format!("0.{frac}"),
            None => bare.trim_end_matches('.').to_owned(),
        };
        let value = match serde_json::from_str::<Number>(&fixed) {
            Ok(n) => {
                self.note(self.at, Kind::Number, word, text!("read as {fixed}", "按 {fixed} 读取"));
                Value::Number(n)
            }
            Err(_) => {
                self.note(
                    self.at,
                    Kind::Number,
                    word,
                    text!("is no JSON number; kept as text", "不是 JSON 数字,按文本保留"),
                );
                Value::String(word.to_owned())
            }
        };
        self.at += len;
        self.work += len as u64;
        Part::Whole(value)
    }
}
