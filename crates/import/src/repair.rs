//! What was mended in a text, and where.

use heliu_model::{Lang, Text, text};
use serde_json::{Value, json};

/// Repairs of one text that are listed one by one; more are only counted.
pub(crate) const MOST: usize = 2_000;

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The bytes are not plain UTF-8.
    Encoding,
    /// Tags of a web page between the JSON.
    Markup,
    /// `&quot;` and the like.
    Entity,
    /// A blank that JSON does not know.
    Blank,
    /// A comment.
    Comment,
    /// Quotes other than `"`.
    Quote,
    /// A quote inside a text without a backslash.
    InnerQuote,
    /// A text without its closing quote.
    OpenQuote,
    /// A line break, tab or other control character inside a text.
    RawControl,
    /// A backslash that JSON does not know.
    Escape,
    /// Full-width or otherwise foreign punctuation.
    Punctuation,
    /// `...` or `…` instead of contents.
    Elision,
    /// A comma too many.
    ExtraComma,
    /// A comma too few.
    MissingComma,
    /// A colon too few.
    MissingColon,
    /// A name without quotes.
    BareName,
    /// A text without quotes.
    BareText,
    /// True, False, None and the like.
    Literal,
    /// A number that JSON does not know.
    Number,
    /// Nothing where a value should be.
    NoValue,
    /// A bracket too few or too many.
    Bracket,
    /// The text ends inside.
    Cut,
    /// One name twice in an object.
    DuplicateKey,
    /// A spelling of the generic layer (dialect §2.8).
    Alias,
    /// A part of a document, pasted without the rest.
    Fragment,
}

impl Kind {
    /// The word of machine-readable answers.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Encoding => "encoding",
            Kind::Markup => "markup",
            Kind::Entity => "entity",
            Kind::Blank => "blank",
            Kind::Comment => "comment",
            Kind::Quote => "quote",
            Kind::InnerQuote => "inner_quote",
            Kind::OpenQuote => "open_quote",
            Kind::RawControl => "raw_control",
            Kind::Escape => "escape",
            Kind::Punctuation => "punctuation",
            Kind::Elision => "elision",
            Kind::ExtraComma => "extra_comma",
            Kind::MissingComma => "missing_comma",
            Kind::MissingColon => "missing_colon",
            Kind::BareName => "bare_name",
            Kind::BareText => "bare_text",
            Kind::Literal => "literal",
            Kind::Number => "number",
            Kind::NoValue => "no_value",
            Kind::Bracket => "bracket",
            Kind::Cut => "cut",
            Kind::DuplicateKey => "duplicate_key",
            Kind::Alias => "alias",
            Kind::Fragment => "fragment",
        }
    }

    /// True when something that the author wrote, or meant, is not in the result.
    pub fn loses(self) -> bool {
        matches!(self, Kind::Cut | Kind::Elision | Kind::DuplicateKey | Kind::NoValue | Kind::OpenQuote)
    }
}

/// A repair before its place is known as line and column.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// Byte of the text that is read.
    pub at: usize,
    pub kind: Kind,
    pub found: String,
    pub done: Text,
    /// How many of the kind it stands for.
    pub count: usize,
}

impl Note {
    /// A name that an object has twice.
    pub fn twice(at: usize, name: &str) -> Self {
        let done = text!("given twice; the last one stands", "重复出现,以最后一个为准");
        Note { at, kind: Kind::DuplicateKey, found: excerpt(name), done, count: 1 }
    }
}

/// One repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// What was wrong.
    pub kind: Kind,
    /// Line of the file, from 1; 0 for the document as a whole.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What stood there.
    pub found: String,
    /// What was done.
    pub done: Text,
    /// How many of its kind it stands for; markup and blanks are counted together.
    pub count: usize,
}

impl Repair {
    /// As a member of an answer.
    pub fn json(&self, lang: Lang) -> Value {
        json!({
            "kind": self.kind.word(), "line": self.line, "column": self.column, "found": self.found,
            "done": self.done.get(lang), "count": self.count,
        })
    }

    /// As a line for people.
    pub fn line(&self, lang: Lang) -> String {
        let place = match (self.line, lang) {
            (0, _) => String::new(),
            (_, Lang::En) => format!("line {}, column {}: ", self.line, self.column),
            (_, Lang::Zh) => format!("第 {} 行第 {} 列:", self.line, self.column),
        };
        let times = if self.count > 1 { format!(" (×{})", self.count) } else { String::new() };
        let found = if self.found.is_empty() { String::new() } else { format!("`{}` ", self.found) };
        format!("{place}{found}{}{times}", self.done.get(lang))
    }
}

/// The first characters of a text, on one line.
pub(crate) fn excerpt(s: &str) -> String {
    let flat: String = s.chars().map(|c| if c.is_control() { ' ' } else { c }).take(61).collect();
    let flat = flat.trim();
    if s.chars().nth(61).is_some() { format!("{flat}…") } else { flat.to_owned() }
}

/// Notes of places in `text`, as repairs with line and column.
pub(crate) fn located(text: &str, mut notes: Vec<(usize, Note)>) -> Vec<Repair> {
    notes.sort_by_key(|(at, n)| (*at, n.kind));
    let more = notes.len().saturating_sub(MOST);
    let (mut line, mut column, mut at) = (1, 1, 0);
    let mut out = Vec::with_capacity(notes.len().min(MOST) + 1);
    for (to, note) in notes.into_iter().take(MOST) {
        let to = to.min(text.len());
        for c in text.get(at..to).unwrap_or("").chars() {
            if c == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        at = at.max(to);
        let Note { kind, found, done, count, .. } = note;
        out.push(Repair { kind, line, column, found, done, count });
    }
    if more > 0 {
        out.push(Repair {
            kind: Kind::Cut,
            line: 0,
            column: 0,
            found: String::new(),
            done: text!("{more} more repairs are not listed", "另有 {more} 处修复未列出"),
            count: more,
        });
    }
    out
}
