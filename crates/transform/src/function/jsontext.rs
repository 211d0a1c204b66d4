//! JSON as text: a tree of slices, so that numbers and strings keep their spelling; paths; how MariaDB writes it.

use std::borrow::Cow;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// A JSON value; scalars and keys are slices of the text (strings with their quotes).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum J<'s> {
    Word(&'s str),
    Number(&'s str),
    Text(&'s str),
    Array(Vec<J<'s>>),
    Object(Vec<(&'s str, J<'s>)>),
}

/// A key of a path, plain and as JSON writes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    plain: String,
    quoted: String,
}

impl Key {
    pub fn as_str(&self) -> &str {
        &self.plain
    }

    pub fn quoted(&self) -> &str {
        &self.quoted
    }
}

/// A place in a list, from the front or from the back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Index {
    Front(usize),
    Back(usize),
}

impl Index {
    /// The position in a list of `len`; beyond the end for a front index that is too large.
    pub fn of(self, len: usize) -> Option<usize> {
        match self {
            Index::Front(n) => Some(n),
            Index::Back(n) => len.checked_sub(n + 1),
        }
    }
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Key(Key),
    Index(Index),
    Range(Index, Index),
    AnyKey,
    AnyIndex,
    /// `**`: here and everywhere below.
    Deep,
}

impl Step {
    /// True when it can lead to several values.
    pub fn spreads(&self) -> bool {
        !matches!(self, Step::Key(_) | Step::Index(_))
    }
}

struct Reader<'s> {
    text: &'s str,
    at: usize,
}

impl<'s> Reader<'s> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.byte().is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, b: u8) -> bool {
        self.blank();
        let hit = self.byte() == Some(b);
        self.at += usize::from(hit);
        hit
    }

    fn string(&mut self) -> Option<&'s str> {
        self.blank();
        let begin = self.at;
        if self.byte() != Some(b'"') {
            return None;
        }
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return self.text.get(begin..self.at);
                }
                b'\\' => {
                    self.at += 1;
                    match self.byte()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let hex = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                            if !hex.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while self.byte().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - begin
    }

    fn number(&mut self) -> Option<&'s str> {
        let begin = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        let zero = self.byte() == Some(b'0');
        let n = self.digits();
        if n == 0 || zero && n > 1 {
            return None;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return None;
            }
        }
        self.text.get(begin..self.at)
    }

    fn value(&mut self, depth: usize) -> Option<J<'s>> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blank();
        match self.byte()? {
            b'"' => self.string().map(J::Text),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take(b']') {
                    return Some(J::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take(b']') {
                        return Some(J::Array(items));
                    }
                    if !self.take(b',') {
                        return None;
                    }
                }
            }
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                if self.take(b'}') {
                    return Some(J::Object(members));
                }
                loop {
                    let key = self.string()?;
                    if !self.take(b':') {
                        return None;
                    }
                    members.push((key, self.value(depth + 1)?));
                    if self.take(b'}') {
                        return Some(J::Object(members));
                    }
                    if !self.take(b',') {
                        return None;
                    }
                }
            }
            b'-' | b'0'..=b'9' => self.number().map(J::Number),
            _ => {
                let rest = self.text.get(self.at..)?;
                let word = ["true", "false", "null"].into_iter().find(|w| rest.starts_with(w))?;
                let begin = self.at;
                self.at += word.len();
                self.text.get(begin..self.at).map(J::Word)
            }
        }
    }
}

/// Reads JSON text; `None` when it is none.
pub(super) fn parse(text: &str) -> Option<J<'_>> {
    let mut r = Reader { text, at: 0 };
    let v = r.value(0)?;
    r.blank();
    (r.at == text.len()).then_some(v)
}

/// What a string with quotes and escapes says.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// Appends a string with quotes and escapes.
pub(super) fn quote(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn key(plain: &str) -> Step {
    let mut quoted = String::new();
    quote(plain, &mut quoted);
    Step::Key(Key { plain: plain.to_owned(), quoted })
}

fn index(s: &str) -> Option<Index> {
    let t = s.trim();
    if let Some(back) = t.strip_prefix("last") {
        let back = back.trim();
        return match back.strip_prefix('-') {
            Some(n) => n.trim().parse().ok().map(Index::Back),
            None => back.is_empty().then_some(Index::Back(0)),
        };
    }
    match t.strip_prefix('-') {
        Some(n) => n.parse::<usize>().ok()?.checked_sub(1).map(Index::Back),
        None => t.parse().ok().map(Index::Front),
    }
}

/// Reads a path such as `$.a[0].*`.
pub(super) fn path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(steps);
        }
        if steps.len() > MAX_DEPTH {
            return None;
        }
        if let Some(tail) = rest.strip_prefix("**") {
            steps.push(Step::Deep);
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix('.') {
            let tail = tail.trim_start();
            if let Some(t) = tail.strip_prefix("**") {
                steps.push(Step::Deep);
                rest = t;
            } else if let Some(t) = tail.strip_prefix('*') {
                steps.push(Step::AnyKey);
                rest = t;
            } else if tail.starts_with('"') {
                let mut r = Reader { text: tail, at: 0 };
                let raw = r.string()?;
                steps.push(key(&unescape(raw)));
                rest = tail.get(r.at..)?;
            } else {
                let end = tail.find(['.', '[', '*', ' ']).unwrap_or(tail.len());
                if end == 0 {
                    return None;
                }
                steps.push(key(tail.get(..end)?));
                rest = tail.get(end..)?;
            }
        } else {
            let tail = rest.strip_prefix('[')?;
            let end = tail.find(']')?;
            let inner = tail.get(..end)?.trim();
            steps.push(if inner == "*" {
                Step::AnyIndex
            } else if let Some((a, b)) = inner.split_once(" to ") {
                Step::Range(index(a)?, index(b)?)
            } else {
                Step::Index(index(inner)?)
            });
            rest = tail.get(end + 1..)?;
        }
    }
}

/// All values that a path leads to, in order.
pub(super) fn find<'v, 's>(root: &'v J<'s>, path: &[Step]) -> Vec<&'v J<'s>> {
    let mut at = vec![root];
    for step in path {
        let mut next = Vec::new();
        for v in at {
            match (step, v) {
                (Step::Key(k), J::Object(m)) => {
                    next.extend(m.iter().find(|(l, _)| unescape(l) == k.plain).map(|(_, v)| v));
                }
                (Step::AnyKey, J::Object(m)) => next.extend(m.iter().map(|(_, v)| v)),
                (Step::AnyIndex, J::Array(items)) => next.extend(items),
                (Step::Index(i), J::Array(items)) => {
                    next.extend(i.of(items.len()).and_then(|i| items.get(i)))
                }
                (Step::Index(i), other) if i.of(1) == Some(0) => next.push(other),
                (Step::Range(a, b), J::Array(items)) => {
                    if let (Some(a), Some(b)) = (a.of(items.len()), b.of(items.len())) {
                        next.extend(items.iter().skip(a).take((b + 1).saturating_sub(a)));
                    }
                }
                (Step::Deep, v) => below(v, &mut next),
                _ => {}
            }
        }
        at = next;
    }
    at
}

fn below<'v, 's>(v: &'v J<'s>, out: &mut Vec<&'v J<'s>>) {
    out.push(v);
    match v {
        J::Array(items) => items.iter().for_each(|i| below(i, out)),
        J::Object(m) => m.iter().for_each(|(_, v)| below(v, out)),
        _ => {}
    }
}

/// With a blank behind commas and colons.
pub(super) fn loose(v: &J) -> String {
    let mut out = String::new();
    write(v, ", ", ": ", &mut out);
    out
}

/// Without blanks.
pub(super) fn compact(v: &J) -> String {
    let mut out = String::new();
    write(v, ",", ":", &mut out);
    out
}

fn write(v: &J, comma: &str, colon: &str, out: &mut String) {
    match v {
        J::Word(s) | J::Number(s) | J::Text(s) => out.push_str(s),
        J::Array(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                write(v, comma, colon, out);
            }
            out.push(']');
        }
        J::Object(m) => {
            out.push('{');
            for (i, (k, v)) in m.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                out.push_str(k);
                out.push_str(colon);
                write(v, comma, colon, out);
            }
            out.push('}');
        }
    }
}

/// One member a line; a list of one scalar stays on its line.
pub(super) fn detailed(v: &J) -> String {
    let mut out = String::new();
    indent(v, 0, &mut out);
    out
}

fn indent(v: &J, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    };
    let flat = |v: &J| matches!(v, J::Word(_) | J::Number(_) | J::Text(_));
    match v {
        J::Array(items) if items.len() > 1 || items.iter().any(|i| !flat(i)) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                indent(v, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        J::Object(m) => {
            out.push('{');
            for (i, (k, v)) in m.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, depth + 1);
                out.push_str(k);
                out.push_str(": ");
                if !flat(v) {
                    line(out, depth + 1);
                }
                indent(v, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        other => write(other, ", ", ": ", out),
    }
}

/// RFC 7396: members replace, null removes.
pub(super) fn merge_patch(a: &str, b: &str) -> Option<String> {
    let (a, b) = (parse(a)?, parse(b)?);
    Some(loose(&patched(Some(a), b)))
}

fn patched<'s>(a: Option<J<'s>>, b: J<'s>) -> J<'s> {
    let J::Object(changes) = b else { return b };
    let mut members = match a {
        Some(J::Object(m)) => m,
        _ => Vec::new(),
    };
    for (k, v) in changes {
        let at = members.iter().position(|(l, _)| *l == k);
        match (at, v) {
            (Some(i), J::Word("null")) => {
                members.remove(i);
            }
            (None, J::Word("null")) => {}
            (Some(i), v) => {
                if let Some(slot) = members.get_mut(i) {
                    let old = std::mem::replace(&mut slot.1, J::Word("null"));
                    slot.1 = patched(Some(old), v);
                }
            }
            (None, v) => members.push((k, patched(None, v))),
        }
    }
    J::Object(members)
}

/// Lists are joined, objects merged, other values listed.
pub(super) fn merge_preserve(a: &str, b: &str) -> Option<String> {
    let (a, b) = (parse(a)?, parse(b)?);
    Some(loose(&preserved(a, b)))
}

fn preserved<'s>(a: J<'s>, b: J<'s>) -> J<'s> {
    match (a, b) {
        (J::Array(mut x), J::Array(y)) => {
            x.extend(y);
            J::Array(x)
        }
        (J::Object(mut x), J::Object(y)) => {
            for (k, v) in y {
                match x.iter_mut().find(|(l, _)| *l == k) {
                    Some(slot) => {
                        let old = std::mem::replace(&mut slot.1, J::Word("null"));
                        slot.1 = preserved(old, v);
                    }
                    None => x.push((k, v)),
                }
            }
            J::Object(x)
        }
        (J::Array(mut x), one) => {
            x.push(one);
            J::Array(x)
        }
        (one, J::Array(y)) => {
            let mut all = vec![one];
            all.extend(y);
            J::Array(all)
        }
        (x, y) => J::Array(vec![x, y]),
    }
}
