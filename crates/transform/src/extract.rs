//! Several dotted paths out of one raw JSON text in one pass; what is not named is stepped over, not built.

use std::sync::OnceLock;

use crate::json::{Fault, Reader};
use crate::path::{self, Path};
use crate::value::JsonError;
use crate::{Map, Value};

/// A compiled set of paths.
#[derive(Debug, Clone)]
pub struct Extractor {
    paths: Vec<Path>,
    top: Level,
}

/// The wanted members of one object.
#[derive(Debug, Clone, Default)]
struct Level {
    heads: Vec<Head>,
    /// First head of a bucket, plus one.
    buckets: Vec<u16>,
    /// The members of the first object that was read, in their order: the records of a source have the same ones in the
    /// same places, and a place is checked faster than a name is looked up.
    order: OnceLock<Vec<Member>>,
}

/// A member as an object had it.
#[derive(Debug, Clone)]
struct Member {
    /// `"name":`, without blanks and escapes.
    text: Box<[u8]>,
    /// The head that wants it, plus one; 0 for none.
    head: u16,
}

/// Longest order that is kept.
const MAX_ORDER: usize = 512;

/// One wanted member.
#[derive(Debug, Clone)]
struct Head {
    key: String,
    /// Next head of the same bucket, plus one.
    next: u16,
    /// Slots that want the member itself.
    whole: Vec<usize>,
    /// Slots whose whole path is this key, dots and all.
    literal: Vec<usize>,
    /// Slots that want something inside: slot and the path from here.
    below: Vec<(usize, Vec<String>)>,
    inner: Level,
    /// A list or object may be read as its JSON text.
    text: bool,
    /// The one slot that wants the member, where none wants it otherwise.
    only: Option<usize>,
}

const BUCKETS: usize = 128;

/// Spreads keys over buckets by what differs most: length, first, middle and last byte.
fn bucket(key: &[u8]) -> usize {
    let at = |i: usize| usize::from(key.get(i).copied().unwrap_or(0));
    let n = key.len();
    (n.wrapping_mul(31)
        ^ at(0).wrapping_mul(7)
        ^ at(n / 2).wrapping_mul(5)
        ^ at(n.saturating_sub(1)).wrapping_mul(3))
        & (BUCKETS - 1)
}

impl Level {
    fn head(&mut self, key: &str) -> &mut Head {
        let at = self.heads.iter().position(|h| h.key == key).unwrap_or(self.heads.len());
        if at == self.heads.len() {
            self.heads.push(Head {
                key: key.to_owned(),
                next: 0,
                whole: Vec::new(),
                literal: Vec::new(),
                below: Vec::new(),
                inner: Level::default(),
                text: false,
                only: None,
            });
        }
        // The position is that of a head that is there or was just added.
        let last = self.heads.len() - 1;
        &mut self.heads[at.min(last)]
    }

    fn add(&mut self, slot: usize, segs: &[String]) {
        match segs {
            [] => {}
            [only] => self.head(only).whole.push(slot),
            [first, rest @ ..] => {
                let head = self.head(first);
                head.below.push((slot, rest.to_vec()));
                head.inner.add(slot, rest);
            }
        }
    }

    fn seal(&mut self) {
        self.buckets = vec![0; BUCKETS];
        // More heads than a link can count never fit one request; the rest would simply not be read.
        for (i, head) in self.heads.iter_mut().enumerate().take(usize::from(u16::MAX) - 1) {
            head.inner.seal();
            head.only = match head.whole.as_slice() {
                [slot] if head.below.is_empty() && head.literal.is_empty() => Some(*slot),
                _ => None,
            };
            if let Some(first) = self.buckets.get_mut(bucket(head.key.as_bytes())) {
                head.next = *first;
                *first = u16::try_from(i + 1).unwrap_or(0);
            }
        }
    }

    /// The head of a member, plus one; 0 for a member that nothing wants.
    fn find(&self, key: &str) -> u16 {
        let mut link = self.buckets.get(bucket(key.as_bytes())).copied().unwrap_or(0);
        while let Some(head) = usize::from(link).checked_sub(1).and_then(|at| self.heads.get(at)) {
            if head.key == key {
                break;
            }
            link = head.next;
        }
        link
    }

    /// Steps over a member's name; the head that wants it, plus one. `at`: its place in the order, if it has one there.
    fn name(
        &self,
        reader: &mut Reader,
        at: &mut usize,
        seen: &mut Option<Vec<Member>>,
    ) -> Result<u16, Fault> {
        let order = self.order.get().map_or(&[][..], Vec::as_slice);
        if let Some(member) = order.get(*at).filter(|m| reader.take_text(&m.text)) {
            *at += 1;
            return Ok(member.head);
        }
        reader.next_byte();
        let from = reader.at();
        let key = reader.key()?;
        let head = self.find(&key);
        let text = reader.since(from);
        // One that is missing here is stepped over in the order; one too many keeps its place.
        if order.get(*at + 1).is_some_and(|m| &*m.text == text) {
            *at += 2;
        }
        if let Some(list) = seen {
            list.push(Member { text: text.into(), head });
        }
        Ok(head)
    }

    fn read(&self, reader: &mut Reader, depth: usize, out: &mut [Option<Value>]) -> Result<(), Fault> {
        if !reader.take(b'{') {
            reader.skip()?;
            return Ok(());
        }
        if reader.take(b'}') {
            return Ok(());
        }
        let put = |slot: usize, v: Option<Value>, out: &mut [Option<Value>]| {
            if let Some(place) = out.get_mut(slot) {
                *place = v;
            }
        };
        let mut at = 0;
        let mut seen = self.order.get().is_none().then(Vec::new);
        loop {
            let head = usize::from(self.name(reader, &mut at, &mut seen)?);
            match head.checked_sub(1).and_then(|head| self.heads.get(head)) {
                None => {
                    reader.skip()?;
                }
                Some(Head { only: Some(slot), text, .. }) => match out.get_mut(*slot) {
                    Some(place) => reader.value_at(depth, *text, place)?,
                    None => reader.skip().map(drop)?,
                },
                Some(head)
                    if head.whole.is_empty() && head.literal.is_empty() && reader.next_byte() == b'{' =>
                {
                    // Of a repeated name the last counts.
                    head.below.iter().for_each(|(slot, _)| put(*slot, None, out));
                    head.inner.read(reader, depth + 1, out)?;
                }
                Some(head) => {
                    let v = reader.value(depth)?;
                    for (slot, rest) in &head.below {
                        put(*slot, path::get_segs(&v, rest), out);
                    }
                    for slot in head.whole.iter().chain(&head.literal) {
                        put(*slot, Some(v.clone()), out);
                    }
                }
            }
            if reader.take(b',') {
                continue;
            }
            if reader.take(b'}') {
                // Whoever was first counts: that is all that an order is for.
                if let Some(list) = seen {
                    let _ = self.order.set(if list.len() > MAX_ORDER { Vec::new() } else { list });
                }
                return Ok(());
            }
            return reader.broken();
        }
    }
}

impl Extractor {
    /// Compiles paths; their order is the order of what is read.
    pub fn new(paths: Vec<Path>) -> Extractor {
        let mut top = Level::default();
        for (slot, p) in paths.iter().enumerate() {
            top.add(slot, p.segs());
        }
        for (slot, p) in paths.iter().enumerate() {
            if p.segs().len() > 1 {
                // Flattened replies hold keys with dots.
                top.head(p.as_str()).literal.push(slot);
            }
        }
        top.seal();
        Extractor { paths, top }
    }

    /// The slots for which `wanted` holds deliver lists and objects as JSON text instead of building
    /// them, where the text is written without blanks and escapes.
    pub(crate) fn texts(mut self, wanted: &[bool]) -> Extractor {
        for head in &mut self.top.heads {
            head.text = head.whole.len() == 1 && head.whole.iter().all(|s| wanted.get(*s) == Some(&true));
        }
        self
    }

    /// The paths.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Reads the values of all paths into `out`, one per path, `None` where there is nothing. Objects are read in one
    /// pass; the members that no path names are not looked into.
    ///
    /// # Errors
    /// Text that is not JSON, as far as it was read.
    pub fn extract(&self, raw: &[u8], out: &mut Vec<Option<Value>>) -> Result<(), JsonError> {
        out.clear();
        out.resize(self.paths.len(), None);
        let text = simdutf8::basic::from_utf8(raw).map_err(|_| Fault::NOT_UTF8.located(raw))?;
        let mut reader = Reader::new(text);
        if reader.next_byte() == b'{' {
            let read = self.top.read(&mut reader, 0, out).and_then(|()| reader.end());
            return read.map_err(|f| f.located(raw));
        }
        let whole = Value::parse(raw)?;
        for (slot, p) in out.iter_mut().zip(&self.paths) {
            *slot = p.get(&whole);
        }
        Ok(())
    }
}

/// An object of those members that are there.
pub(crate) fn partial(keys: &[Path], values: &mut [Option<Value>]) -> Value {
    let members = keys.iter().zip(values).filter_map(|(k, v)| Some((k.as_str().into(), v.take()?))).collect();
    Value::Object(Map::from_members(members))
}
