//! Brackets that were lost or are too many, and words that stand where a member or an item should.

use heliu_model::text;
use serde_json::{Map, Value};

use crate::read::{CLOSERS, Reader, is_blank};
use crate::repair::Kind;
use crate::strings::{is_quote, looks_like_name};
use crate::wide;

/// Longest line of words between members, in bytes.
const LONGEST_WORDS: usize = 300;

/// A place that the reader may go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    at: usize,
    notes: usize,
}

impl Reader<'_> {
    pub(crate) fn place(&self) -> Place {
        Place { at: self.at, notes: self.notes.len() }
    }

    /// Goes back to where an object or a list ended without its bracket.
    pub(crate) fn close(&mut self, behind: Place, bracket: char) {
        self.at = behind.at;
        self.notes.truncate(behind.notes);
        self.blanks = self.blanks.filter(|i| *i < behind.notes);
        self.note(self.at, Kind::Bracket, "", text!("`{bracket}` was added", "已补上 `{bracket}`"));
    }

    /// Steps over a bracket that closes nothing.
    pub(crate) fn stray(&mut self, c: char) {
        let done = text!("removed: nothing is open for it", "没有对应的开括号,已去除");
        self.note(self.at, Kind::Bracket, &c.to_string(), done);
        self.step(c);
    }

    /// True when items go on, or their list ends, behind a bracket of this length.
    pub(crate) fn more_items(&mut self, len: usize) -> bool {
        let behind = self.rest().get(len..).unwrap_or("");
        let next = behind.trim_start_matches(is_blank);
        self.work += (behind.len() - next.len()) as u64;
        match next.strip_prefix([',', wide::COMMA]) {
            Some(then) => then.trim_start_matches(is_blank).starts_with(['{', wide::OPEN_BRACE]),
            None => next.starts_with(']'),
        }
    }

    /// The name of the member that begins here.
    fn coming(&self) -> Option<&str> {
        let rest = self.rest();
        if !rest.starts_with(is_quote) || !looks_like_name(rest) {
            return None;
        }
        rest.get(1..)?.split(is_quote).next()
    }

    /// True when the next item goes on without its opening brace: it begins as the one before does.
    pub(crate) fn lost_brace(&mut self, before: &Map<String, Value>) -> bool {
        let first = before.keys().next();
        let lost = first.is_some() && self.coming() == first.map(String::as_str);
        if lost {
            self.note(self.at, Kind::Bracket, "", text!("`{{` was added before it", "已在其前补上 `{{`"));
        }
        lost
    }

    /// True behind an item when a member of the object around the list comes.
    pub(crate) fn next_member(&self, last: &Value) -> bool {
        let Value::Object(last) = last else { return false };
        self.coming().is_some_and(|name| !last.contains_key(name) && name != "field")
    }

    /// Steps over a line of words where a member or an item should stand: what an author writes instead of what is left
    /// out, or of what follows.
    pub(crate) fn words_between(&mut self) -> bool {
        let rest = self.rest();
        let line = rest.split('\n').next().unwrap_or("");
        let words = line.trim_end();
        let wordy = words.chars().next().is_some_and(|c| {
            (c.is_alphabetic() && !c.is_ascii()) || matches!(c, '（' | '(' | '<' | '【' | '—' | '*')
        });
        let odd = |c: char| is_quote(c) || CLOSERS.contains(&c) || matches!(c, '{' | '[' | wide::OPEN_BRACE);
        let part = self.fragment && self.lists == 0;
        if !wordy || part || line.len() > LONGEST_WORDS || line.len() == rest.len() || words.contains(odd) {
            return false;
        }
        let next = rest.get(line.len()..).unwrap_or("").trim_start_matches(is_blank);
        let goes_on = next.starts_with(CLOSERS)
            || next.starts_with(['{', wide::OPEN_BRACE])
            || (next.starts_with(is_quote) && looks_like_name(next));
        self.work += (rest.len() - next.len()) as u64;
        if goes_on {
            let (found, len) = (words.to_owned(), line.len());
            let done = text!(
                "words of the author, left out; something may be missing here",
                "作者的说明文字,已略去;此处可能省略了内容"
            );
            self.note(self.at, Kind::Elision, &found, done);
            self.at += len;
        }
        goes_on
    }
}
