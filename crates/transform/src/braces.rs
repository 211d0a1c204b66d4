//! References in single braces: a pair that an article has lost, where the whole operand is one.

use crate::expr::{MAX_REFERENCE, Reference, reference};

/// The quotes around a place in SQL.
#[derive(Default)]
pub(crate) struct Quotes {
    open: Option<char>,
    escaped: bool,
    /// The text began with the character before; not where a quote is doubled inside of it.
    begun: bool,
    closed: bool,
}

impl Quotes {
    pub fn pass(&mut self, c: char) {
        let closed = std::mem::take(&mut self.closed);
        self.begun = false;
        match (self.open, c) {
            (Some(_), _) if self.escaped => self.escaped = false,
            (Some('\'' | '"'), '\\') => self.escaped = true,
            (Some(q), c) if q == c => (self.open, self.closed) = (None, true),
            (None, '\'' | '"' | '`') => (self.open, self.begun) = (Some(c), !closed),
            _ => {}
        }
    }

    /// `{path}` as a whole operand: bare, where SQL has no braces, or alone between its quotes (rule G1). Any other
    /// brace inside of a quoted text is a character of it (rule G2).
    pub fn single(&self, rest: &str) -> Option<(Reference, usize)> {
        let (r, used) = read_single(rest)?;
        let fits = match self.open {
            None => true,
            Some(q @ ('\'' | '"')) => {
                let behind = rest.get(used..).unwrap_or("");
                self.begun && behind.starts_with(q) && !behind.get(1..).unwrap_or("").starts_with(q)
            }
            Some(_) => false,
        };
        fits.then_some((r, used))
    }
}

/// Reads `{path}` at the beginning of `s`: a path of letters, digits and the like; the reference and its length.
pub(crate) fn read_single(s: &str) -> Option<(Reference, usize)> {
    let inner = s.strip_prefix('{')?;
    let named = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let len = inner.find(|c| !named(c)).filter(|len| *len <= MAX_REFERENCE)?;
    let name = inner.get(..len)?;
    let fine =
        name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !name.split('.').any(str::is_empty);
    (fine && inner.get(len..)?.starts_with('}')).then(|| (reference(name, Vec::new()), len + 2))
}
