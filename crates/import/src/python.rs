//! Texts as Python writes them: with a letter in front, in three quotes, in several parts.

use heliu_model::text;
use serde_json::Value;

use crate::read::{CLOSERS, Part, Reader, is_blank};
use crate::repair::Kind;
use crate::strings::{Place, is_quote, looks_like_name};
use crate::wide;

impl Reader<'_> {
    /// Steps over the letter in front of a text: `u'…'`, `r"…"`.
    pub(crate) fn string_prefix(&mut self) -> bool {
        let rest = self.rest();
        let len = rest.bytes().take(2).take_while(|b| b"uUrRbBfF".contains(b)).count();
        let behind = rest.get(len..).unwrap_or("");
        if len == 0 || !behind.starts_with(['\'', '"']) {
            return false;
        }
        let letters = rest.get(..len).unwrap_or("").to_owned();
        self.note(self.at, Kind::Literal, &letters, text!("removed: a mark of Python", "已去除 Python 前缀"));
        self.at += len;
        self.work += len as u64;
        true
    }

    /// A text, with the parts that stand below it.
    pub(crate) fn text_value(&mut self) -> Part {
        let member = self.behind_its_name() || self.behind_its_prefix();
        let first = match self.in_three_quotes() {
            Some(s) => Some(s),
            None => self.string(Place::Value),
        };
        let Some(mut text) = first else { return Part::Cut(Value::Null, false) };
        while member && let Some(part) = self.part_below() {
            text.push_str(&part);
        }
        Part::Whole(Value::String(text))
    }

    fn behind_its_prefix(&self) -> bool {
        let before =
            self.text.get(..self.at).unwrap_or("").trim_end_matches(|c: char| c.is_ascii_alphabetic());
        before.trim_end_matches([' ', '\t']).ends_with(':')
    }

    /// `\'\'\'…\'\'\'`, with lines and quotes as they stand.
    fn in_three_quotes(&mut self) -> Option<String> {
        let rest = self.rest();
        let quotes = ["\'\'\'", "\"\"\""].into_iter().find(|q| rest.starts_with(q))?;
        let inner = rest.get(3..)?;
        let end = inner.find(quotes)?;
        self.work += end as u64;
        let behind = inner.get(end + 3..)?.trim_start_matches(is_blank);
        if !(behind.is_empty()
            || behind.starts_with([',', ')', wide::COMMA, '#'])
            || behind.starts_with(CLOSERS))
        {
            return None;
        }
        let text = inner.get(..end)?.to_owned();
        self.note(self.at, Kind::Quote, quotes, text!("read as `\"`", "按 `\"` 读取"));
        self.at += end + 6;
        Some(text)
    }

    /// The next part of a member's text, on a line of its own: neither a name nor a value of its own.
    fn part_below(&mut self) -> Option<String> {
        let rest = self.rest();
        let next = rest.trim_start_matches(is_blank);
        let skipped = rest.len() - next.len();
        self.work += 1 + skipped as u64;
        if !rest.get(..skipped)?.contains('\n') || !next.starts_with(is_quote) || looks_like_name(next) {
            return None;
        }
        let (at, notes, blanks) = (self.at, self.notes.len(), self.blanks);
        self.at += skipped;
        let from = self.at;
        let part = self.string(Place::Value);
        let behind = self.rest();
        let then = behind.trim_start_matches(is_blank);
        let line = behind.get(..behind.len() - then.len()).is_some_and(|b| b.contains('\n'));
        // A quote inside would be that of a value whose colon is missing.
        let plain = !self.notes.iter().skip(notes).any(|n| n.kind == Kind::InnerQuote);
        let ends = then.starts_with([',', wide::COMMA]) || then.starts_with(CLOSERS) || line;
        if part.is_some() && plain && ends {
            self.note(from, Kind::Quote, "", text!("joined to the text before", "已与前一段文本相连"));
            return part;
        }
        self.at = at;
        self.notes.truncate(notes);
        self.blanks = blanks;
        None
    }
}
