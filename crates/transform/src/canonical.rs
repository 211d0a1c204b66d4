//! Canonical JSON and the content hash: keys sorted, no white space, digits as written, escapes evened out.

use std::ops::Range;

use crate::path::Path;
use crate::value::write_string;

/// Deepest nesting that is hashed; deeper content is refused as invalid.
const MAX_DEPTH: usize = 128;

/// Content that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    /// Byte where reading stopped.
    pub at: usize,
}

/// Space that hashing needs, kept between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    work: Work,
}

#[derive(Debug, Default)]
struct Work {
    /// Members of the objects under way, innermost last.
    members: Vec<Member>,
    swap: Vec<u8>,
    /// The last order of the members of an object with so many: records of a page have the same keys in the same
    /// places, and an order is checked faster than it is found.
    orders: Vec<Vec<u32>>,
    /// Where the wanted members of the outermost object lie in the input.
    found: Vec<Option<Range<usize>>>,
}

/// The first 16 bytes of the BLAKE3 hash of the canonical form of `raw`, without the ignored paths.
///
/// # Errors
/// When `raw` is no JSON value.
pub fn content_hash(raw: &[u8], ignore: &[Path], scratch: &mut Scratch) -> Result<[u8; 16], NotJson> {
    hash_and_find(raw, ignore, &Names::default(), scratch)
}

/// Names of members that are looked for on the way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Vec<(u64, Vec<u8>)>);

impl Names {
    /// `None` for names that JSON writes with escapes.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Names> {
        let quoted = |n: &str| {
            let plain = n.bytes().all(|b| b >= 0x20 && !matches!(b, b'"' | b'\\'));
            let text = format!("\"{n}\"").into_bytes();
            plain.then(|| (head(text.get(1..).unwrap_or(&[])), text))
        };
        names.into_iter().map(quoted).collect::<Option<Vec<_>>>().map(Names)
    }
}

/// As [`content_hash`]; `scratch` then holds the places of those members of the outermost object that `names` tells.
pub(crate) fn hash_and_find(
    raw: &[u8],
    ignore: &[Path],
    names: &Names,
    scratch: &mut Scratch,
) -> Result<[u8; 16], NotJson> {
    let Scratch { text, work } = scratch;
    text.clear();
    work.found.clear();
    write(raw, ignore, names, text, work)?;
    let mut out = [0; 16];
    out.copy_from_slice(blake3::hash(text).as_bytes().get(..16).unwrap_or(&[0; 16]));
    Ok(out)
}

impl Scratch {
    /// The texts of the members that were looked for, in the order of their names; `None` when one of them is missing,
    /// or no plain scalar.
    pub(crate) fn found<'r>(&self, raw: &'r [u8]) -> Option<Vec<&'r [u8]>> {
        self.work.found.iter().map(|place| raw.get(place.clone()?)).collect()
    }
}

/// Appends the canonical form of `raw`.
///
/// # Errors
/// When `raw` is no JSON value.
pub fn canonical(raw: &[u8], ignore: &[Path], out: &mut Vec<u8>) -> Result<(), NotJson> {
    write(raw, ignore, &Names::default(), out, &mut Work::default())
}

fn write(
    raw: &[u8],
    ignore: &[Path],
    names: &Names,
    out: &mut Vec<u8>,
    work: &mut Work,
) -> Result<(), NotJson> {
    work.members.clear();
    let mut reader = Reader { raw, at: 0, names, work };
    let ignore: Vec<&[String]> = ignore.iter().map(Path::segs).collect();
    reader.value(&ignore, out, 0)?;
    reader.blanks();
    if reader.at == raw.len() { Ok(()) } else { Err(NotJson { at: reader.at }) }
}

#[derive(Debug)]
struct Member {
    key: (usize, usize),
    /// The key's first bytes behind its quote, the first one highest: most keys are told apart by them.
    head: u64,
    whole: (usize, usize),
    /// Its text is canonical where it stands in the input; otherwise it was written behind the object's beginning.
    raw: bool,
}

impl Member {
    fn key<'t>(&self, raw: &'t [u8], out: &'t [u8]) -> &'t [u8] {
        (if self.raw { raw } else { out }).get(self.key.0..self.key.1).unwrap_or(&[])
    }

    fn whole<'t>(&self, raw: &'t [u8], out: &'t [u8]) -> &'t [u8] {
        (if self.raw { raw } else { out }).get(self.whole.0..self.whole.1).unwrap_or(&[])
    }
}

/// The first eight bytes as a number that sorts as they do. The closing quote belongs to them, and no key holds one
/// within, so that what follows a short key does not matter.
fn head(key: &[u8]) -> u64 {
    if let Some(first) = key.first_chunk::<8>() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// Objects with more members than this are sorted each time.
const ORDERED: usize = 64;

struct Reader<'a> {
    raw: &'a [u8],
    at: usize,
    names: &'a Names,
    work: &'a mut Work,
}

impl Reader<'_> {
    fn peek(&self) -> u8 {
        self.raw.get(self.at).copied().unwrap_or(0)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn fail<T>(&self) -> Result<T, NotJson> {
        Err(NotJson { at: self.at })
    }

    fn expect(&mut self, b: u8) -> Result<(), NotJson> {
        self.blanks();
        if self.peek() == b {
            self.at += 1;
            return Ok(());
        }
        self.fail()
    }

    fn value(&mut self, ignore: &[&[String]], out: &mut Vec<u8>, depth: usize) -> Result<(), NotJson> {
        if depth > MAX_DEPTH {
            return self.fail();
        }
        self.blanks();
        match self.peek() {
            b'{' => self.object(ignore, out, depth),
            b'[' => {
                self.at += 1;
                out.push(b'[');
                self.blanks();
                if self.peek() == b']' {
                    self.at += 1;
                    out.push(b']');
                    return Ok(());
                }
                loop {
                    self.value(ignore, out, depth + 1)?;
                    self.blanks();
                    match self.peek() {
                        b',' => out.push(b','),
                        b']' => {
                            self.at += 1;
                            out.push(b']');
                            return Ok(());
                        }
                        _ => return self.fail(),
                    }
                    self.at += 1;
                }
            }
            b'"' => self.string(out),
            b't' => self.word(b"true", out),
            b'f' => self.word(b"false", out),
            b'n' => self.word(b"null", out),
            b'-' | b'0'..=b'9' => {
                let from = self.at;
                self.at = self.number_end(from);
                out.extend_from_slice(self.raw.get(from..self.at).unwrap_or(&[]));
                Ok(())
            }
            _ => self.fail(),
        }
    }

    fn word(&mut self, word: &[u8], out: &mut Vec<u8>) -> Result<(), NotJson> {
        let Some(end) = self.word_end(self.at, word) else { return self.fail() };
        self.at = end;
        out.extend_from_slice(word);
        Ok(())
    }

    fn object(&mut self, ignore: &[&[String]], out: &mut Vec<u8>, depth: usize) -> Result<(), NotJson> {
        self.at += 1;
        out.push(b'{');
        let first = self.work.members.len();
        let begin = out.len();
        self.blanks();
        if self.peek() == b'}' {
            self.at += 1;
            out.push(b'}');
            return Ok(());
        }
        let mut sorted = true;
        loop {
            self.blanks();
            let member = match self.plain_member(ignore, depth) {
                Some(member) => Some(member),
                None => self.member(ignore, out, depth)?,
            };
            if let Some(member) = member {
                if sorted && let Some(last) = self.work.members.get(first..).and_then(<[Member]>::last) {
                    sorted = last.head < member.head
                        || (last.head == member.head && last.key(self.raw, out) < member.key(self.raw, out));
                }
                self.work.members.push(member);
            }
            self.blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    break;
                }
                _ => return self.fail(),
            }
        }
        if depth == 0 && !self.names.0.is_empty() {
            self.look(out);
        }
        self.close(first, begin, sorted, out);
        out.push(b'}');
        Ok(())
    }

    /// A member whose text is canonical as it stands: no blanks, no escapes, a scalar, and no ignored path leads here.
    fn plain_member(&mut self, ignore: &[&[String]], depth: usize) -> Option<Member> {
        let from = self.at;
        if self.raw.get(from) != Some(&b'"') || depth >= MAX_DEPTH {
            return None;
        }
        let key = self.plain_string(from)?;
        if self.raw.get(key) != Some(&b':') {
            return None;
        }
        let name = self.raw.get(from + 1..key)?;
        if !ignore.is_empty() {
            let name = name.split_last().map_or(name, |(_, n)| n);
            if ignore.iter().any(|p| p.first().is_some_and(|h| h.as_bytes() == name)) {
                return None;
            }
        }
        let value = key + 1;
        let end = match self.raw.get(value)? {
            b'"' => self.plain_string(value)?,
            b'-' | b'0'..=b'9' => self.number_end(value),
            b't' => self.word_end(value, b"true")?,
            b'f' => self.word_end(value, b"false")?,
            b'n' => self.word_end(value, b"null")?,
            _ => return None,
        };
        self.at = end;
        Some(Member { key: (from, key), head: head(name), whole: (from, end), raw: true })
    }

    /// Any member, written behind what is there; `None` when its path is ignored.
    fn member(
        &mut self,
        ignore: &[&[String]],
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<Option<Member>, NotJson> {
        let start = out.len();
        if self.peek() != b'"' {
            return self.fail();
        }
        self.string(out)?;
        let key = (start, out.len());
        self.expect(b':')?;
        out.push(b':');
        if ignore.is_empty() {
            self.value(&[], out, depth + 1)?;
        } else {
            let name = out.get(key.0 + 1..key.1 - 1).unwrap_or(&[]);
            let inner: Vec<&[String]> = ignore
                .iter()
                .filter_map(|p| p.split_first().filter(|(head, _)| head.as_bytes() == name).map(|(_, t)| t))
                .collect();
            self.value(&inner, out, depth + 1)?;
            if inner.iter().any(|p| p.is_empty()) {
                out.truncate(start);
                return Ok(None);
            }
        }
        let head = head(out.get(key.0 + 1..key.1).unwrap_or(&[]));
        Ok(Some(Member { key, head, whole: (start, out.len()), raw: false }))
    }

    /// Notes where the wanted members of the outermost object lie: of a repeated name the last counts.
    fn look(&mut self, out: &[u8]) {
        let (raw, Work { members, found, .. }) = (self.raw, &mut *self.work);
        found.extend(self.names.0.iter().map(|(head, name)| {
            let m = members.iter().rev().find(|m| m.head == *head && m.key(raw, out) == name)?;
            m.raw.then_some(m.key.1 + 1..m.whole.1)
        }));
    }

    /// Puts the members behind `begin` in the order of their keys; of repeated keys the last stays.
    fn close(&mut self, first: usize, begin: usize, sorted: bool, out: &mut Vec<u8>) {
        let raw = self.raw;
        let Work { members, swap, orders, .. } = &mut *self.work;
        let list = members.get(first..).unwrap_or(&[]);
        let straight = out.len() == begin;
        swap.clear();
        let mut put = |list: &mut dyn Iterator<Item = &Member>, out: &[u8]| {
            let mut last: Option<&Member> = None;
            for m in list {
                if let Some(l) = last
                    && !(l.head == m.head && l.key(raw, out) == m.key(raw, out))
                {
                    swap.extend_from_slice(l.whole(raw, out));
                    swap.push(b',');
                }
                last = Some(m);
            }
            if let Some(l) = last {
                swap.extend_from_slice(l.whole(raw, out));
            }
        };
        if sorted {
            put(&mut list.iter(), out);
        } else {
            let mut own = Vec::new();
            let order = match orders.get_mut(list.len()) {
                Some(kept) => kept,
                None if list.len() <= ORDERED => {
                    orders.resize(ORDERED + 1, Vec::new());
                    orders.get_mut(list.len()).unwrap_or(&mut own)
                }
                None => &mut own,
            };
            if !ascending(list, order, raw, out) {
                order.clear();
                order.extend(0..u32::try_from(list.len()).unwrap_or(u32::MAX));
                let at = |i: &u32| list.get(*i as usize);
                order.sort_unstable_by(|i, j| match (at(i), at(j)) {
                    (Some(a), Some(b)) => {
                        a.head.cmp(&b.head).then_with(|| a.key(raw, out).cmp(b.key(raw, out))).then(i.cmp(j))
                    }
                    _ => i.cmp(j),
                });
            }
            put(&mut order.iter().filter_map(|i| list.get(*i as usize)), out);
        }
        if !straight {
            out.truncate(begin);
        }
        out.extend_from_slice(swap);
        members.truncate(first);
    }

    /// The end of a text without escapes that begins here.
    fn plain_string(&self, at: usize) -> Option<usize> {
        let stop = crate::json::quote_or_slash(self.raw, at + 1);
        (self.raw.get(stop) == Some(&b'"')).then_some(stop + 1)
    }

    fn number_end(&self, mut at: usize) -> usize {
        while matches!(self.raw.get(at), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            at += 1;
        }
        at
    }

    fn word_end(&self, at: usize, word: &[u8]) -> Option<usize> {
        (self.raw.get(at..at + word.len()) == Some(word)).then_some(at + word.len())
    }

    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), NotJson> {
        if let Some(end) = self.plain_string(self.at) {
            out.extend_from_slice(self.raw.get(self.at..end).unwrap_or(&[]));
            self.at = end;
            return Ok(());
        }
        // Escapes: decoded and written again in the one way that we write them.
        let body = self.raw.get(self.at + 1..).unwrap_or(&[]);
        let mut i = 0;
        loop {
            match body.get(i) {
                Some(b'\\') => i += 2,
                Some(b'"') => break,
                Some(_) => i += 1,
                None => return Err(NotJson { at: self.raw.len() }),
            }
        }
        let end = self.at + i + 2;
        let text = self.raw.get(self.at..end).unwrap_or(&[]);
        match serde_json::from_slice::<String>(text) {
            Ok(s) => write_string(&s, out),
            // A lone surrogate: kept as it is written.
            Err(_) => out.extend_from_slice(text),
        }
        self.at = end;
        Ok(())
    }
}

/// True when `order` names the members in strictly ascending order of their keys.
fn ascending(list: &[Member], order: &[u32], raw: &[u8], out: &[u8]) -> bool {
    if order.len() != list.len() {
        return false;
    }
    let mut last: Option<&Member> = None;
    for i in order {
        let Some(m) = list.get(*i as usize) else { return false };
        if let Some(l) = last
            && !(l.head < m.head || (l.head == m.head && l.key(raw, out) < m.key(raw, out)))
        {
            return false;
        }
        last = Some(m);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canon(raw: &str, ignore: &[&str]) -> String {
        let ignore: Vec<Path> = ignore.iter().map(|p| Path::new(p)).collect();
        let mut out = Vec::new();
        match canonical(raw.as_bytes(), &ignore, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap_or_default(),
            Err(e) => format!("error at {}", e.at),
        }
    }

    #[test]
    fn keys_blanks_and_escapes_do_not_count_digits_do() {
        assert_eq!(
            canon(r#" { "b" : [ 1.50 , {"z":1,"a":2} ] , "a" : "\u4e2d\/\n" } "#, &[]),
            "{\"a\":\"中/\\n\",\"b\":[1.50,{\"a\":2,\"z\":1}]}"
        );
        assert_ne!(canon("1.50", &[]), canon("1.5", &[]));
        assert_eq!(canon(r#"{"a":1,"a":2}"#, &[]), r#"{"a":2}"#);
        assert_eq!(canon("{}", &[]), "{}");
        for bad in ["", "{", "{\"a\"}", "[1,]", "{\"a\":1}x", "tru", "\"abc"] {
            assert!(canon(bad, &[]).starts_with("error"), "{bad}");
        }
    }

    #[test]
    fn ignored_paths_leave_the_hash_alone() {
        let a = r#"{"id":1,"ts":5,"items":[{"n":1,"t":7},{"n":2,"t":8}]}"#;
        let b = r#"{"items":[{"t":9,"n":1},{"n":2}],"id":1}"#;
        assert_eq!(canon(a, &["ts", "items.t"]), canon(b, &["ts", "items.t"]));
        assert_ne!(canon(a, &["ts"]), canon(b, &["ts"]));
        assert_eq!(canon(r#"{"ts":5}"#, &["ts"]), "{}");
    }
}
