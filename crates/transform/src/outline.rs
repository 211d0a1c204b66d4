//! A reply read once: its members, and where the elements of its lists stand. Elements are not looked into.

use bytes::Bytes;

use crate::Value;
use crate::json::{Fault, MAX_DEPTH, Reader};
use crate::path::Path;
use crate::value::JsonError;

/// What a reply holds, with positions instead of contents.
#[derive(Debug, Clone)]
pub struct Outline {
    body: Bytes,
    root: Node,
}

/// Positions are bytes of the body.
#[derive(Debug, Clone)]
enum Node {
    Scalar { from: usize, to: usize },
    Object { from: usize, to: usize, members: Vec<(String, Node)> },
    List { from: usize, to: usize, elements: Vec<(usize, usize)> },
}

impl Node {
    fn span(&self) -> (usize, usize) {
        match self {
            Node::Scalar { from, to } | Node::Object { from, to, .. } | Node::List { from, to, .. } => {
                (*from, *to)
            }
        }
    }
}

fn read(reader: &mut Reader, depth: usize) -> Result<Node, Fault> {
    let first = reader.next_byte();
    let from = reader.at();
    match first {
        _ if depth > MAX_DEPTH => reader.skip().map(|_| Node::Scalar { from, to: reader.at() }),
        b'{' => {
            reader.take(b'{');
            let mut members = Vec::new();
            if !reader.take(b'}') {
                loop {
                    let key = reader.key()?.into_owned();
                    members.push((key, read(reader, depth + 1)?));
                    if reader.take(b',') {
                        continue;
                    }
                    if reader.take(b'}') {
                        break;
                    }
                    return reader.broken();
                }
            }
            Ok(Node::Object { from, to: reader.at(), members })
        }
        b'[' => {
            reader.take(b'[');
            let mut elements = Vec::new();
            if !reader.take(b']') {
                loop {
                    reader.next_byte();
                    let at = reader.at();
                    reader.skip()?;
                    elements.push((at, reader.at()));
                    if reader.take(b',') {
                        continue;
                    }
                    if reader.take(b']') {
                        break;
                    }
                    return reader.broken();
                }
            }
            Ok(Node::List { from, to: reader.at(), elements })
        }
        _ => {
            reader.scalar()?;
            Ok(Node::Scalar { from, to: reader.at() })
        }
    }
}

impl Outline {
    /// Reads a reply.
    ///
    /// # Errors
    /// No JSON, no UTF-8, or cut in the middle: where.
    pub fn read(body: &Bytes) -> Result<Outline, JsonError> {
        let text = simdutf8::basic::from_utf8(body).map_err(|_| Fault::NOT_UTF8.located(body))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let skipped = body.len() - text.len();
        let mut reader = Reader::new(text);
        let root =
            read(&mut reader, 0).and_then(|root| reader.end().map(|()| root)).map_err(|f| f.located(body))?;
        Ok(Outline { body: body.slice(skipped..), root })
    }

    /// The whole reply, without a byte order mark.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    fn find(&self, path: &Path) -> Option<&Node> {
        let mut segs = path.segs();
        if segs.iter().all(String::is_empty) {
            return Some(&self.root);
        }
        let mut node = &self.root;
        // Flattened replies hold keys with dots.
        if segs.len() > 1
            && let Node::Object { members, .. } = node
            && let Some((_, found)) = members.iter().find(|(k, _)| k == path.as_str())
        {
            return Some(found);
        }
        while let [first, rest @ ..] = segs {
            let Node::Object { members, .. } = node else { return None };
            node = &members.iter().find(|(k, _)| k == first)?.1;
            segs = rest;
        }
        Some(node)
    }

    fn raw(&self, (from, to): (usize, usize)) -> Bytes {
        self.body.slice(from.min(to)..to.min(self.body.len()))
    }

    fn first_byte(&self, node: &Node) -> u8 {
        self.body.get(node.span().0).copied().unwrap_or(0)
    }

    /// The elements at a path as slices of the body: a list's elements, a single object as a list of one, nothing
    /// for null. `None` when there is nothing at the path.
    ///
    /// # Errors
    /// There is a scalar: its path.
    pub fn list(&self, path: &Path) -> Result<Option<Vec<Bytes>>, String> {
        let Some(node) = self.find(path) else { return Ok(None) };
        match node {
            Node::List { elements, .. } => Ok(Some(elements.iter().map(|e| self.raw(*e)).collect())),
            Node::Object { .. } => Ok(Some(vec![self.raw(node.span())])),
            Node::Scalar { .. } if self.first_byte(node) == b'n' => Ok(Some(Vec::new())),
            Node::Scalar { .. } => Err(path.as_str().to_owned()),
        }
    }

    /// True for a list at a path (`Some(false)`: an object).
    pub(crate) fn is_list(&self, path: &Path) -> Option<bool> {
        match self.find(path)? {
            Node::List { .. } => Some(true),
            Node::Object { .. } => Some(false),
            Node::Scalar { .. } => None,
        }
    }

    /// True for null, an empty object and an empty list at a path.
    pub fn is_blank(&self, path: &Path) -> bool {
        match self.find(path) {
            Some(Node::Object { members, .. }) => members.is_empty(),
            Some(Node::List { elements, .. }) => elements.is_empty(),
            Some(node @ Node::Scalar { .. }) => self.first_byte(node) == b'n',
            None => false,
        }
    }

    /// The place of the only list of objects among the reply's members and the members of these; `None` where there
    /// are several, or none.
    pub(crate) fn only_list(&self) -> Option<Path> {
        let objects = |node: &Node| match node {
            Node::List { elements, .. } => {
                elements.first().is_none_or(|(from, _)| self.body.get(*from) == Some(&b'{'))
            }
            _ => false,
        };
        let Node::Object { members, .. } = &self.root else { return None };
        let mut found: Vec<String> =
            members.iter().filter(|(_, n)| objects(n)).map(|(k, _)| k.clone()).collect();
        if found.is_empty() {
            for (key, node) in members {
                let Node::Object { members, .. } = node else { continue };
                found.extend(members.iter().filter(|(_, n)| objects(n)).map(|(k, _)| format!("{key}.{k}")));
            }
        }
        match found.as_slice() {
            [one] => Some(Path::new(one)),
            _ => None,
        }
    }

    /// One value at a path, with its digits.
    pub fn value(&self, path: &Path) -> Option<Value> {
        Value::parse(&self.raw(self.find(path)?.span())).ok()
    }

    /// A scalar at a path as text; `None` for lists, objects, null and nothing.
    pub fn text(&self, path: &Path) -> Option<String> {
        let node = self.find(path)?;
        if !matches!(node, Node::Scalar { .. }) {
            return None;
        }
        Value::parse(&self.raw(node.span())).ok()?.into_scalar_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &'static str) -> Outline {
        Outline::read(&Bytes::from_static(text.as_bytes())).unwrap_or_else(|e| panic!("{e:?}"))
    }

    #[test]
    fn members_and_elements() {
        let o = outline(
            "\u{feff}{\"code\":0,\"data\":{\"total\":12345678901234567890,\"rows\":[{\"a\":\"]}\"}, [1,2] ,null],\"one\":{\"b\":1},\"no\":null},\"a.b\":\"x\\n\"}",
        );
        let rows = o.list(&Path::new("data.rows")).ok().flatten().unwrap_or_default();
        assert_eq!(rows, ["{\"a\":\"]}\"}", "[1,2]", "null"].map(Bytes::from_static_str));
        assert_eq!(o.text(&Path::new("data.total")).as_deref(), Some("12345678901234567890"));
        assert_eq!(o.text(&Path::new("a.b")).as_deref(), Some("x\n"));
        assert_eq!(o.list(&Path::new("data.one")).ok().flatten().map(|l| l.len()), Some(1));
        assert_eq!(o.list(&Path::new("data.no")), Ok(Some(Vec::new())));
        assert_eq!(o.list(&Path::new("data.nothing")), Ok(None));
        assert!(o.list(&Path::new("code")).is_err());
        assert_eq!(o.text(&Path::new("data")), None);
    }

    #[test]
    fn what_was_cut_is_no_reply() {
        let whole = "{\"code\":0,\"data\":[{\"a\":1},{\"b\":\"中\"}],\"n\":-1.5e3}";
        for end in 1..whole.len() {
            assert!(Outline::read(&Bytes::copy_from_slice(&whole.as_bytes()[..end])).is_err(), "{end}");
        }
        for bad in ["", "<html>", "{} x", "{\"a\":tru}", "{\"a\":01}", "{\"a\":+1}", "{'a':1}", "[1,]"] {
            assert!(Outline::read(&Bytes::copy_from_slice(bad.as_bytes())).is_err(), "{bad}");
        }
    }

    trait FromStatic {
        fn from_static_str(s: &'static str) -> Bytes;
    }
    impl FromStatic for Bytes {
        fn from_static_str(s: &'static str) -> Bytes {
            Bytes::from_static(s.as_bytes())
        }
    }
}
