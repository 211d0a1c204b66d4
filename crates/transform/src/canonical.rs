//! Canonical JSON and the content hash: keys sorted, no white space, digits as written, escapes evened out.

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

/// The first 16 bytes of the BLAKE3 hash of the canonical form of `raw`, without the ignored paths. `buffer` is
/// scratch space that is kept between calls.
///
/// # Errors
/// When `raw` is no JSON value.
pub fn content_hash(raw: &[u8], ignore: &[Path], buffer: &mut Vec<u8>) -> Result<[u8; 16], NotJson> {
    buffer.clear();
    canonical(raw, ignore, buffer)?;
    let mut out = [0; 16];
    out.copy_from_slice(blake3::hash(buffer).as_bytes().get(..16).unwrap_or(&[0; 16]));
    Ok(out)
}

/// Appends the canonical form of `raw`.
///
/// # Errors
/// When `raw` is no JSON value.
pub fn canonical(raw: &[u8], ignore: &[Path], out: &mut Vec<u8>) -> Result<(), NotJson> {
    let mut reader = Reader { raw, at: 0, members: Vec::new(), swap: Vec::new() };
    let ignore: Vec<&[String]> = ignore.iter().map(Path::segs).collect();
    reader.value(&ignore, out, 0)?;
    reader.blanks();
    if reader.at == raw.len() { Ok(()) } else { Err(NotJson { at: reader.at }) }
}

struct Member {
    key: (usize, usize),
    /// The key's first bytes behind its quote, the first one highest: most keys are told apart by them.
    head: u64,
    whole: (usize, usize),
}

/// The first eight bytes as a number that sorts as they do. The closing quote belongs to them, and no key holds one
/// within, so that what follows a short key does not matter.
fn head(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

struct Reader<'a> {
    raw: &'a [u8],
    at: usize,
    /// Members of the objects under way, innermost last.
    members: Vec<Member>,
    swap: Vec<u8>,
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
                while matches!(self.peek(), b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') {
                    self.at += 1;
                }
                out.extend_from_slice(self.raw.get(from..self.at).unwrap_or(&[]));
                Ok(())
            }
            _ => self.fail(),
        }
    }

    fn word(&mut self, word: &[u8], out: &mut Vec<u8>) -> Result<(), NotJson> {
        if self.raw.get(self.at..self.at + word.len()) != Some(word) {
            return self.fail();
        }
        self.at += word.len();
        out.extend_from_slice(word);
        Ok(())
    }

    fn object(&mut self, ignore: &[&[String]], out: &mut Vec<u8>, depth: usize) -> Result<(), NotJson> {
        self.at += 1;
        out.push(b'{');
        let first = self.members.len();
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
            let start = out.len();
            if self.peek() != b'"' {
                return self.fail();
            }
            self.string(out)?;
            let key = (start, out.len());
            self.expect(b':')?;
            out.push(b':');
            let mut dropped = false;
            if ignore.is_empty() {
                self.value(&[], out, depth + 1)?;
            } else {
                let name = out.get(key.0 + 1..key.1 - 1).unwrap_or(&[]);
                let inner: Vec<&[String]> = ignore
                    .iter()
                    .filter_map(|p| {
                        p.split_first().filter(|(head, _)| head.as_bytes() == name).map(|(_, t)| t)
                    })
                    .collect();
                dropped = inner.iter().any(|p| p.is_empty());
                self.value(&inner, out, depth + 1)?;
            }
            if dropped {
                out.truncate(start);
            } else {
                let head = head(out.get(key.0 + 1..key.1).unwrap_or(&[]));
                let member = Member { key, head, whole: (start, out.len()) };
                if sorted && let Some(last) = self.members.get(first..).and_then(<[Member]>::last) {
                    sorted = last.head < head
                        || (last.head == head && out.get(last.key.0..last.key.1) < out.get(key.0..key.1));
                }
                self.members.push(member);
                out.push(b',');
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
        if !sorted {
            self.sort(first, begin, out);
        }
        self.members.truncate(first);
        if out.last() == Some(&b',') {
            out.pop();
        }
        out.push(b'}');
        Ok(())
    }

    /// Puts the members behind `begin` into the order of their keys; of repeated keys the last stays.
    fn sort(&mut self, first: usize, begin: usize, out: &mut Vec<u8>) {
        let members = self.members.get_mut(first..).unwrap_or(&mut []);
        members.sort_unstable_by(|a, b| {
            let whole = || out.get(a.key.0..a.key.1).cmp(&out.get(b.key.0..b.key.1));
            a.head.cmp(&b.head).then_with(whole).then(a.key.0.cmp(&b.key.0))
        });
        self.swap.clear();
        let mut i = 0;
        while let Some(m) = members.get(i) {
            let same = members
                .get(i + 1)
                .is_some_and(|n| n.head == m.head && out.get(n.key.0..n.key.1) == out.get(m.key.0..m.key.1));
            if !same {
                self.swap.extend_from_slice(out.get(m.whole.0..m.whole.1).unwrap_or(&[]));
                self.swap.push(b',');
            }
            i += 1;
        }
        out.truncate(begin);
        out.extend_from_slice(&self.swap);
    }

    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), NotJson> {
        let body = self.raw.get(self.at + 1..).unwrap_or(&[]);
        let plain =
            body.iter().position(|b| matches!(b, b'"' | b'\\')).ok_or(NotJson { at: self.raw.len() })?;
        if body.get(plain) == Some(&b'"') {
            let end = self.at + plain + 2;
            out.extend_from_slice(self.raw.get(self.at..end).unwrap_or(&[]));
            self.at = end;
            return Ok(());
        }
        // Escapes: decoded and written again in the one way that we write them.
        let mut i = plain;
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
