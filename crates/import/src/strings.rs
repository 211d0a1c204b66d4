//! Texts between quotes of any kind, with the quotes, line breaks and backslashes that people leave in them.

use heliu_model::text;

use crate::bare::is_directive;
use crate::read::{Reader, is_blank};
use crate::repair::Kind;
use crate::wide;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A member's name: a colon follows.
    Name,
    /// A value.
    Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Straight,
    Curly,
    Single,
}

/// Longest name, and longest text, in bytes.
const LONGEST_NAME: usize = 512;
const LONGEST: usize = 1 << 20;
/// How far ahead a text's end is looked for.
const AHEAD: usize = 4_096;

fn class(c: char) -> Option<Class> {
    Some(match c {
        '"' => Class::Straight,
        '“' | '”' | '„' | '‟' | wide::QUOTE | '″' | '〝' | '〞' => Class::Curly,
        '\'' | '‘' | '’' | '‚' | wide::APOSTROPHE => Class::Single,
        _ => return None,
    })
}

pub(crate) fn is_quote(c: char) -> bool {
    class(c).is_some()
}

impl Class {
    /// True for a quote that may end a text of this class.
    fn ends(self, c: char) -> bool {
        match self {
            Class::Straight => c == '"',
            Class::Curly => matches!(class(c), Some(Class::Curly | Class::Straight)),
            Class::Single => class(c) == Some(Class::Single),
        }
    }
}

/// Where a text was when a quote in it was first taken for a character.
struct First {
    len: usize,
    behind: usize,
    notes: usize,
}

impl Reader<'_> {
    /// The text that begins here. `None`: it does not end, and nothing is consumed.
    pub(crate) fn string(&mut self, place: Place) -> Option<String> {
        let start = self.at;
        let text = self.quoted(place)?;
        let curly = ['‘', '’', '“', '”'];
        if !is_directive(&text) || !text.contains(curly) || text.contains(['\'', '"']) {
            return Some(text);
        }
        // An editor has turned all quotes: those of SQL with the others.
        let done = text!("the quotes of the expression are read as `'`", "表达式中的引号按 `'` 读取");
        self.note(start, Kind::Quote, &text, done);
        Some(text.replace(curly, "'"))
    }

    fn quoted(&mut self, place: Place) -> Option<String> {
        let (start, before) = (self.at, self.notes.len());
        let open = self.peek()?;
        let class = class(open)?;
        if open != '"' {
            self.note(start, Kind::Quote, &open.to_string(), text!("read as `\"`", "按 `\"` 读取"));
        }
        self.step(open);
        let most = if place == Place::Name { LONGEST_NAME } else { LONGEST };
        let (mut out, mut nested, mut curly) = (String::new(), 0usize, 0usize);
        let mut first: Option<First> = None;
        while let Some(c) = self.peek() {
            let (at, behind) = (self.at, self.at + c.len_utf8());
            if self.at - start > most || (c == '\n' && place == Place::Name) {
                break;
            }
            if c == '\n' && self.ended_on_the_line_before(behind) {
                let kept = out.trim_end().trim_end_matches([',', wide::COMMA]).trim_end().len();
                let tail = out.len() - kept;
                out.truncate(kept);
                self.at = at - tail;
                self.note(self.at, Kind::OpenQuote, "", text!("the closing `\"` was added", "已补上右引号"));
                return Some(out);
            }
            // A closing quote of another kind counts if it closes nothing inside of the text.
            let soft = class == Class::Straight && matches!(c, '”' | wide::QUOTE) && curly == 0;
            if class.ends(c) || soft {
                if self.closes(behind, place, nested, soft) {
                    if c != '"' && class == Class::Straight {
                        self.note(at, Kind::Quote, &c.to_string(), text!("read as `\"`", "按 `\"` 读取"));
                    }
                    self.step(c);
                    return Some(out);
                }
                if !soft {
                    first.get_or_insert(First { len: out.len(), behind, notes: self.notes.len() });
                    if c == '"' {
                        let done = text!("kept as a character of the text", "作为文本中的字符保留");
                        self.note(at, Kind::InnerQuote, "\"", done);
                    }
                }
                out.push(c);
                self.step(c);
                continue;
            }
            match c {
                '\\' => self.escape(&mut out),
                '“' => curly += 1,
                '”' => curly = curly.saturating_sub(1),
                '{' if nested > 0
                    || self.text.get(behind..).is_some_and(|r| r.trim_start().starts_with(['"', '\''])) =>
                {
                    nested += 1
                }
                '}' => nested = nested.saturating_sub(1),
                c if c < ' ' => {
                    let found = match c {
                        '\n' => "\\n".to_owned(),
                        '\t' => "\\t".to_owned(),
                        '\r' => "\\r".to_owned(),
                        c => format!("\\u{:04x}", u32::from(c)),
                    };
                    let done =
                        text!("a raw character in a text, kept and escaped", "文本中的原始字符,已保留并转义");
                    self.note(at, Kind::RawControl, &found, done);
                }
                _ => {}
            }
            if c != '\\' {
                out.push(c);
                self.step(c);
            }
        }
        // No end was found: the first quote that could be one, is it.
        if let Some(f) = first {
            out.truncate(f.len);
            self.notes.truncate(f.notes);
            self.at = f.behind;
            return Some(out);
        }
        self.at = start;
        self.notes.truncate(before);
        None
    }

    /// Reads a backslash and what belongs to it.
    fn escape(&mut self, out: &mut String) {
        let at = self.at;
        self.step('\\');
        let Some(c) = self.peek() else {
            out.push('\\');
            return;
        };
        let plain = match c {
            '"' | '\\' | '/' => Some(c),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            _ => None,
        };
        if let Some(plain) = plain {
            out.push(plain);
            self.step(c);
            return;
        }
        if c == 'u'
            && let Some((decoded, len)) = unicode(self.rest())
        {
            out.push(decoded);
            self.at += len;
            self.work += len as u64;
            return;
        }
        let found = format!("\\{c}");
        // In a table Markdown wants a backslash before the bar of a reference.
        let bar =
            c == '|' && out.rfind("{{").is_some_and(|open| out.rfind("}}").is_none_or(|close| close < open));
        if bar || matches!(c, '\'' | '_' | '`' | '*' | '[' | ']' | '#' | '~' | '<' | '>') {
            self.note(at, Kind::Escape, &found, text!("read as `{c}`", "按 `{c}` 读取"));
            out.push(c);
            self.step(c);
        } else {
            let done = text!("the backslash is kept as a character", "反斜杠作为字符保留");
            self.note(at, Kind::Escape, &found, done);
            out.push('\\');
        }
    }

    /// True when the quote before `behind` ends the text.
    fn closes(&mut self, behind: usize, place: Place, nested: usize, soft: bool) -> bool {
        let Some(rest) = self.text.get(behind..) else { return true };
        let blank: usize = rest.chars().take_while(|c| is_blank(*c)).map(char::len_utf8).sum();
        self.work += 1 + blank as u64;
        let newline = rest.get(..blank).unwrap_or("").contains('\n');
        let next = rest.get(blank..).unwrap_or("");
        let Some(c) = next.chars().next() else { return true };
        if place == Place::Name {
            return matches!(c, ':' | wide::COLON) || next.starts_with("=>");
        }
        if soft {
            return matches!(c, ',' | '}' | ']') || (newline && is_quote(c));
        }
        match c {
            ',' | '}' | wide::CLOSE_BRACE | ']' | wide::CLOSE_BRACKET | wide::CLOSE_LENS => {
                nested == 0 || !self.goes_on(behind, nested)
            }
            wide::COMMA | wide::PAUSE | ';' | wide::SEMICOLON => {
                let then = next.get(c.len_utf8()..).unwrap_or("");
                let then = then.trim_start_matches([' ', '\t', '\r', '\n']);
                then.chars().next().is_none_or(|c| is_quote(c) || matches!(c, '}' | ']' | '{' | '['))
            }
            '/' => next.starts_with("//") || next.starts_with("/*"),
            '#' => newline || (blank > 0 && self.remark(next)),
            '.' => next.starts_with("..."),
            '…' => true,
            c if is_quote(c) => newline || looks_like_name(next),
            _ => newline,
        }
    }

    /// True when the rest of the line is a remark behind a text: nothing in it ends a text, and what follows goes on with
    /// the object or the list.
    fn remark(&mut self, s: &str) -> bool {
        let line = s.split('\n').next().unwrap_or(s);
        let behind = s.get(line.len()..).unwrap_or("").trim_start_matches([' ', '\t', '\r', '\n']);
        self.work += (s.len() - behind.len()) as u64;
        let ends = line.trim_end().trim_end_matches([',', wide::COMMA]).ends_with(is_quote);
        !ends
            && behind
                .chars()
                .next()
                .is_none_or(|c| is_quote(c) || matches!(c, '}' | ']' | '{' | '[' | ',' | '#'))
    }

    /// True when JSON that is quoted inside the text is closed further on in the line, and a quote behind it ends the
    /// text.
    fn goes_on(&mut self, behind: usize, mut nested: usize) -> bool {
        let Some(rest) = self.text.get(behind..) else { return false };
        for (i, c) in rest.char_indices() {
            self.work += 1;
            match c {
                '\n' => return false,
                _ if i > AHEAD => return false,
                '{' => nested += 1,
                '}' => nested = nested.saturating_sub(1),
                '"' if nested == 0 => {
                    let then = rest.get(i + 1..).unwrap_or("").trim_start_matches([' ', '\t', '\r']);
                    return then.is_empty() || then.starts_with([',', '}', ']', '\n']);
                }
                _ => {}
            }
        }
        false
    }

    /// True when the line that begins at `at` goes on with the next member or the end of the object, so that the text
    /// was never closed.
    fn ended_on_the_line_before(&mut self, at: usize) -> bool {
        let Some(rest) = self.text.get(at..) else { return false };
        let next = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.work += 1 + (rest.len() - next.len()) as u64;
        match next.chars().next() {
            Some(c) if is_quote(c) => looks_like_name(next),
            Some('}' | ']') => {
                let behind = next.trim_start_matches(['}', ']']);
                let behind = behind.trim_start_matches([' ', '\t', '\r']);
                behind.is_empty() || behind.starts_with([',', '\n'])
            }
            _ => false,
        }
    }
}

/// True for `"name":` at the beginning of `s`.
pub(crate) fn looks_like_name(s: &str) -> bool {
    let mut chars = s.char_indices();
    let Some(class) = chars.next().and_then(|(_, c)| class(c)) else { return false };
    for (i, c) in chars.take(64) {
        if c == '\n' {
            return false;
        }
        if class.ends(c) {
            let then = s.get(i + c.len_utf8()..).unwrap_or("").trim_start_matches([' ', '\t', '\u{a0}']);
            return then.starts_with([':', wide::COLON]) || then.starts_with("=>");
        }
    }
    false
}

/// The character of `uXXXX`, or of a pair of those, and its length.
fn unicode(s: &str) -> Option<(char, usize)> {
    let hex = |from: usize| {
        s.get(from..from + 4)
            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|h| u32::from_str_radix(h, 16).ok())
    };
    let high = hex(1)?;
    if !(0xD800..0xE000).contains(&high) {
        return Some((char::from_u32(high)?, 5));
    }
    let low =
        s.get(5..7).filter(|m| *m == "\\u").and_then(|_| hex(7)).filter(|l| (0xDC00..0xE000).contains(l));
    match low {
        Some(low) if high < 0xDC00 => {
            Some((char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))?, 11))
        }
        _ => Some(('\u{fffd}', 5)),
    }
}
