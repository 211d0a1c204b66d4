//! Reading JSON text: whole values with exact digits, and single members without building the rest.

use std::borrow::Cow;

use wide::u8x16;

use crate::members::Members;
use crate::scan;
use crate::value::{JsonError, Key, Map, Number, Value};

/// Deepest nesting that is read.
pub(crate) const MAX_DEPTH: usize = 128;

/// Where reading stopped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    at: usize,
    why: &'static str,
}

impl Fault {
    /// Bytes that are no text.
    pub const NOT_UTF8: Fault = Fault { at: 0, why: "bytes that are not UTF-8" };

    /// With line and column, counted in the text that was read.
    pub fn located(self, raw: &[u8]) -> JsonError {
        let before = raw.get(..self.at.min(raw.len())).unwrap_or(raw);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let from = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(before.get(from..).unwrap_or(&[])).chars().count() + 1;
        JsonError { line, column, message: self.why.to_owned() }
    }
}

type Read<T> = Result<T, Fault>;

const TOO_DEEP: &str = "nested deeper than 128 levels";

/// Parses a whole text.
pub(crate) fn parse(raw: &[u8]) -> Result<Value, JsonError> {
    let text = simdutf8::compat::from_utf8(raw)
        .map_err(|e| Fault { at: e.valid_up_to(), why: "bytes that are not UTF-8" }.located(raw))?;
    // A byte order mark in front is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(text);
    let value = reader.value(0).and_then(|v| reader.end().map(|()| v));
    value.map_err(|f| f.located(text.as_bytes()))
}

/// A position in a JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Reader { text, bytes: text.as_bytes(), at: 0 }
    }

    fn fail<T>(&self, why: &'static str) -> Read<T> {
        Err(Fault { at: self.at, why })
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is no blank, 0 at the end.
    pub fn next_byte(&mut self) -> u8 {
        loop {
            match self.peek() {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                b => return b,
            }
        }
    }

    /// What an object with neither `,` nor `}` at this place is.
    pub fn broken<T>(&self) -> Result<T, Fault> {
        self.fail("expected `,` or `}`")
    }

    /// Position in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Steps over text, a number, true, false or null, checked in full.
    pub fn scalar(&mut self) -> Read<()> {
        if self.next_byte() == b'"' { self.skip_string() } else { self.value(0).map(drop) }
    }

    /// Checks that nothing but blanks follows.
    pub fn end(&mut self) -> Read<()> {
        self.next_byte();
        if self.at == self.bytes.len() { Ok(()) } else { self.fail("something behind the end of the value") }
    }

    /// Steps over this text, if it stands here.
    pub fn take_text(&mut self, text: &[u8]) -> bool {
        let hit = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        self.at += if hit { text.len() } else { 0 };
        hit
    }

    /// What was stepped over since there.
    pub fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.at).unwrap_or(&[])
    }

    /// Steps over `b`.
    pub fn take(&mut self, b: u8) -> bool {
        let hit = self.next_byte() == b && self.at < self.bytes.len();
        self.at += usize::from(hit);
        hit
    }

    /// A whole value; of a list or object written without blanks and escapes only the text.
    pub fn value_or_text(&mut self, depth: usize) -> Read<Value> {
        if !matches!(self.next_byte(), b'[' | b'{') {
            return self.value(depth);
        }
        let from = self.at;
        let span = self.container::<true>()?;
        if span.compact {
            self.at = span.end;
            return Ok(Value::from(self.text.get(from..span.end).unwrap_or("")));
        }
        self.value(depth)
    }

    /// The end of the list or object here.
    fn container<const COMPACT: bool>(&mut self) -> Read<scan::Span> {
        scan::container::<COMPACT>(self.bytes, self.at).map_err(|cut| {
            let why = match cut {
                scan::Cut::Between => "the text ends inside an object or a list",
                scan::Cut::InQuotes => "the text ends inside quotes",
            };
            Fault { at: self.bytes.len(), why }
        })
    }

    /// A whole value.
    pub fn value(&mut self, depth: usize) -> Read<Value> {
        if depth > MAX_DEPTH {
            return self.fail(TOO_DEEP);
        }
        match self.next_byte() {
            b'"' => self.string().map(Value::from),
            b'{' => self.object(depth),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take(b']') {
                    return Ok(Value::Array(items));
                }
                loop {
                    items.push(Value::Null);
                    if let Some(place) = items.last_mut() {
                        self.value_in(depth + 1, place)?;
                    }
                    if self.take(b',') {
                        continue;
                    }
                    if self.take(b']') {
                        return Ok(Value::Array(items));
                    }
                    return self.fail("expected `,` or `]`");
                }
            }
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            0 if self.at >= self.bytes.len() => self.fail("the text ends where a value should be"),
            _ => self.fail("expected a value"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if self.bytes.get(self.at..self.at + word.len()) == Some(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        self.fail("expected a value")
    }

    fn digits(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at > from
    }

    fn number(&mut self) -> Read<Value> {
        let (text, integer) = self.number_text()?;
        Ok(Value::Number(Number::from_checked(text, integer)))
    }

    /// A number's text, and whether it has neither point nor exponent.
    fn number_text(&mut self) -> Read<(&'a str, bool)> {
        let from = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        let first = self.peek();
        let begin = self.at;
        let mut fine = self.digits() && !(first == b'0' && self.at - begin > 1);
        let mut integer = true;
        if self.peek() == b'.' {
            integer = false;
            self.at += 1;
            fine &= self.digits();
        }
        if matches!(self.peek(), b'e' | b'E') {
            integer = false;
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            fine &= self.digits();
        }
        if !fine {
            return self.fail("not a number");
        }
        Ok((self.text.get(from..self.at).unwrap_or("0"), integer))
    }

    /// A value into its place. Texts and numbers are made where they stay: handed on by parts they cost more than their
    /// reading.
    fn value_in(&mut self, depth: usize, place: &mut Value) -> Read<()> {
        if depth > MAX_DEPTH {
            return self.fail(TOO_DEEP);
        }
        match self.next_byte() {
            b'"' => {
                let s = self.string()?;
                *place = Value::from(s);
            }
            b'-' | b'0'..=b'9' => {
                let (digits, integer) = self.number_text()?;
                *place = Value::Number(Number::from_checked(digits, integer));
            }
            _ => *place = self.value(depth)?,
        }
        Ok(())
    }

    /// Likewise; with `text`, lists and objects as [`Reader::value_or_text`] reads them.
    pub fn value_at(&mut self, depth: usize, text: bool, place: &mut Option<Value>) -> Read<()> {
        match self.next_byte() {
            b'"' => {
                let s = self.string()?;
                *place = Some(Value::from(s));
            }
            b'-' | b'0'..=b'9' => {
                let (digits, integer) = self.number_text()?;
                *place = Some(Value::Number(Number::from_checked(digits, integer)));
            }
            _ if text => *place = Some(self.value_or_text(depth)?),
            _ => *place = Some(self.value(depth)?),
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Read<Value> {
        self.at += 1;
        if self.take(b'}') {
            return Ok(Value::Object(Map::new()));
        }
        let mut members = Members::default();
        loop {
            let key = Key::from(self.key()?);
            if let Some(place) = members.place(key) {
                self.value_in(depth + 1, place)?;
            }
            if self.take(b',') {
                continue;
            }
            if self.take(b'}') {
                return Ok(Value::Object(members.into_map()));
            }
            return self.fail("expected `,` or `}`");
        }
    }

    /// A member's name and its colon.
    pub fn key(&mut self) -> Read<Cow<'a, str>> {
        if self.next_byte() != b'"' {
            return self.fail("expected a name in double quotes");
        }
        let key = self.string()?;
        if !self.take(b':') {
            return self.fail("expected `:`");
        }
        Ok(key)
    }

    /// Text between quotes; the reader stands on the opening one.
    fn string(&mut self) -> Read<Cow<'a, str>> {
        let from = self.at + 1;
        let stop = special(self.bytes, from);
        if self.bytes.get(stop) == Some(&b'"') {
            self.at = stop + 1;
            return Ok(Cow::Borrowed(self.text.get(from..stop).unwrap_or("")));
        }
        self.at = stop;
        let mut out = String::with_capacity(stop - from + 32);
        out.push_str(self.text.get(from..stop).unwrap_or(""));
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(out));
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return self.fail("a control character inside a text; write it as an escape"),
                None => return self.fail("the text ends inside quotes"),
            }
            let stop = special(self.bytes, self.at);
            out.push_str(self.text.get(self.at..stop).unwrap_or(""));
            self.at = stop;
        }
    }

    fn escape(&mut self) -> Read<char> {
        let kind = self.bytes.get(self.at + 1).copied().unwrap_or(0);
        let plain = match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex(self.at + 2)?;
                self.at += 6;
                if !(0xD800..0xDC00).contains(&high) {
                    // A lone half of a pair has no character.
                    return Ok(char::from_u32(high).unwrap_or('\u{fffd}'));
                }
                if self.bytes.get(self.at) == Some(&b'\\') && self.bytes.get(self.at + 1) == Some(&b'u') {
                    let low = self.hex(self.at + 2)?;
                    if (0xDC00..0xE000).contains(&low) {
                        self.at += 6;
                        let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                        return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
                    }
                }
                return Ok('\u{fffd}');
            }
            _ => return self.fail("unknown escape"),
        };
        self.at += 2;
        Ok(plain)
    }

    fn hex(&self, from: usize) -> Read<u32> {
        let digits = self.text.get(from..from + 4).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|h| u32::from_str_radix(h, 16).ok()) {
            Some(n) => Ok(n),
            None => self.fail("four hexadecimal digits belong behind `\\u`"),
        }
    }

    /// Steps over a value without looking into it; its text.
    pub fn skip(&mut self) -> Read<&'a str> {
        let first = self.next_byte();
        let from = self.at;
        match first {
            b'"' => self.skip_string()?,
            b'{' | b'[' => self.at = self.container::<false>()?.end,
            _ => {
                while !matches!(self.peek(), b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | 0) {
                    self.at += 1;
                }
                if self.at == from {
                    return self.fail("expected a value");
                }
            }
        }
        Ok(self.text.get(from..self.at).unwrap_or(""))
    }

    fn skip_string(&mut self) -> Read<()> {
        self.at += 1;
        loop {
            self.at = special(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return self.fail("the text ends inside quotes"),
            }
        }
    }
}

/// Position of the next quote or backslash from `from` on; the end without one.
pub(crate) fn quote_or_slash(bytes: &[u8], from: usize) -> usize {
    stop::<false>(bytes, from)
}

/// Position of the next quote, backslash or control character from `from` on; the end without one.
fn special(bytes: &[u8], from: usize) -> usize {
    stop::<true>(bytes, from)
}

/// The next quote or backslash, or control character where those count; sixteen bytes at a time.
#[inline]
fn stop<const CONTROL: bool>(bytes: &[u8], from: usize) -> usize {
    let mut at = from.min(bytes.len());
    while let Some(lane) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let v = u8x16::new(*lane);
        let mut hits = v.simd_eq(u8x16::splat(b'"')) | v.simd_eq(u8x16::splat(b'\\'));
        if CONTROL {
            hits |= v.min(u8x16::splat(0x1f)).simd_eq(v);
        }
        let hits = hits.to_bitmask();
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += 16;
    }
    while let Some(b) = bytes.get(at) {
        if matches!(b, b'"' | b'\\') || (CONTROL && *b <= 0x1f) {
            return at;
        }
        at += 1;
    }
    at
}
