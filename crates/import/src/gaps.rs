//! What stands between two tokens: blanks of all kinds, comments, pictures, and what the author left out.

use heliu_model::text;

use crate::read::{Reader, is_blank};
use crate::repair::Kind;
use crate::strings::{is_quote, looks_like_name};

/// What stood between two tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gap {
    pub(crate) elided: bool,
}

/// Blanks that JSON does not know.
fn is_odd_blank(c: char) -> bool {
    matches!(
        c,
        '\u{b}' | '\u{c}' | '\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{2000}'
            ..='\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202f}'
                | '\u{205f}'
                | '\u{2060}'
                | '\u{3000}'
                | '\u{feff}'
    )
}

/// Length of Markdown's `![words](address)` at the beginning of `s`.
pub(crate) fn image(s: &str) -> Option<usize> {
    let words = s.strip_prefix("![")?;
    let line = near(words).lines().next()?;
    let (alt, address) = line.split_once("](")?;
    let close = address.find(')')?;
    Some(2 + alt.len() + 2 + close + 1)
}

/// A line that is longer than anybody writes: the page has lost its line breaks.
const LONG_LINE: usize = 400;

/// How far ahead the next item of a flattened document is looked for, and a picture's end.
const NEAR: usize = 2_048;

/// The first bytes of a text.
fn near(s: &str) -> &str {
    (0..4).find_map(|back| s.get(..NEAR - back)).unwrap_or(s)
}

/// Where a comment ends: with its line; in a line longer than anybody writes, before the next item or member.
fn line_comment(comment: &str) -> usize {
    let head = near(comment);
    if let Some(end) = head.find('\n').filter(|end| *end <= LONG_LINE) {
        return end;
    }
    let line = head.lines().next().unwrap_or("");
    let next = line.match_indices(' ').map(|(at, _)| at + 1).find(|at| {
        let rest = line.get(*at..).unwrap_or("");
        let inner = rest.strip_prefix('{').map_or(rest, |r| r.trim_start_matches([' ', '\t']));
        looks_like_name(inner)
    });
    next.or_else(|| comment.find('\n')).unwrap_or(comment.len())
}

/// True when JSON goes on behind pictures.
fn goes_on(mut behind: &str) -> bool {
    // An article has a picture or two in one place.
    for _ in 0..8 {
        behind = behind.trim_start();
        match image(behind) {
            Some(end) => behind = behind.get(end..).unwrap_or(""),
            None => return behind.starts_with(['{', '}', ']', ',']) || behind.starts_with(is_quote),
        }
    }
    false
}

impl Reader<'_> {
    /// Steps over blanks, comments and elisions.
    pub(crate) fn gap(&mut self) -> Gap {
        let mut out = Gap::default();
        while let Some(c) = self.peek() {
            let rest = self.rest();
            if is_blank(c) {
                self.step(c);
            } else if is_odd_blank(c) {
                match self.blanks.and_then(|i| self.notes.get_mut(i)) {
                    Some(n) => n.count += 1,
                    None => {
                        let code = format!("U+{:04X}", u32::from(c));
                        self.blanks = Some(self.notes.len());
                        self.note(self.at, Kind::Blank, &code, text!("read as a blank", "按空格读取"));
                    }
                }
                self.step(c);
            } else if rest.starts_with("//") || (c == '#' && !rest.starts_with("##")) {
                self.comment(line_comment(rest));
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").map_or(rest.len(), |e| e + 2);
                self.comment(end);
            } else if let Some(end) = image(rest).filter(|end| goes_on(rest.get(*end..).unwrap_or(""))) {
                let found = rest.get(..end).unwrap_or("").to_owned();
                self.note(self.at, Kind::Markup, &found, text!("the picture was taken out", "已去除图片"));
                self.at += end;
                self.work += end as u64;
            } else if rest.starts_with("...") || c == '…' {
                let from = self.at;
                while let Some(c) = self.peek().filter(|c| matches!(c, '.' | '…')) {
                    self.step(c);
                }
                let found = self.text.get(from..self.at).unwrap_or("...").to_owned();
                let done =
                    text!("left out; the author did not print what stands here", "已略去;原文此处省略了内容");
                self.note(from, Kind::Elision, &found, done);
                out.elided = true;
            } else if c == '\\'
                && rest.get(1..).is_some_and(|r| r.starts_with(['[', ']', '{', '}', '"', '*']))
            {
                // Markdown as some editors write it: brackets with a backslash in front.
                let found = rest.get(..2).unwrap_or("").to_owned();
                self.note(self.at, Kind::Escape, &found, text!("the backslash was removed", "已去除反斜杠"));
                self.step(c);
            } else {
                break;
            }
        }
        out
    }

    fn comment(&mut self, len: usize) {
        let found = self.rest().get(..len).unwrap_or("").to_owned();
        self.note(self.at, Kind::Comment, &found, text!("the comment was removed", "已去除注释"));
        self.at += len;
        self.work += len as u64;
    }
}
