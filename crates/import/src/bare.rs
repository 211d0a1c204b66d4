//! Values whose quotes were left out: references, directives, words.

use heliu_model::text;
use serde_json::Value;

use crate::read::{CLOSERS, LONGEST_WORD, Part, Reader, is_blank};
use crate::repair::Kind;
use crate::strings::{is_quote, looks_like_name};
use crate::wide;

/// Longest directive without quotes, in bytes.
pub(crate) const LONGEST_DIRECTIVE: usize = 16 * 1024;

/// The beginnings of directives (dialect §3.1).
const DIRECTIVES: &[&str] = &["_function", "_findCollection ", "_mongoQuery "];

pub(crate) fn is_directive(s: &str) -> bool {
    DIRECTIVES.iter().any(|d| s.starts_with(d))
}

impl Reader<'_> {
    pub(crate) fn at_directive(&self) -> bool {
        is_directive(self.rest())
    }

    /// True when what comes next may stand behind a value.
    pub(crate) fn ended(&self) -> bool {
        let next = self.rest().trim_start_matches([' ', '\t', '\u{a0}']);
        let comment = next.starts_with("//") || next.starts_with("/*") || next.starts_with('#');
        next.is_empty()
            || comment
            || next.starts_with(is_quote)
            || next.starts_with(CLOSERS)
            || next.starts_with([
                '\n',
                '\r',
                ',',
                ';',
                '.',
                '…',
                '\\',
                '{',
                wide::COMMA,
                wide::PAUSE,
                wide::SEMICOLON,
            ])
    }

    /// True when the value stands on its name's own line.
    pub(crate) fn behind_its_name(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or("").trim_end_matches([' ', '\t', '\u{a0}']);
        before.ends_with([':', wide::COLON, '='])
    }

    /// A text without quotes, up to the comma before the next name or to the end of its object; lines only in what is
    /// long by nature. `None`: it does not end, and nothing is consumed.
    pub(crate) fn bare_text(&mut self, most: usize) -> Option<String> {
        let lines = most > LONGEST_WORD;
        let rest = self.rest();
        let (mut quote, mut depth) = (None, 0i32);
        let mut found = None;
        for (i, c) in rest.char_indices() {
            self.work += 1;
            if i > most {
                return None;
            }
            // Whatever is open inside: a name behind a comma, or at the beginning of a line, is the next member.
            let (mut next, mut name) = ("", false);
            if matches!(c, ',' | wide::COMMA | '\n') {
                let behind = rest.get(i + c.len_utf8()..).unwrap_or("");
                next = behind.trim_start_matches(is_blank);
                self.work += (behind.len() - next.len()) as u64;
                name = next.starts_with(is_quote) && looks_like_name(next);
            }
            if self.work > self.limit {
                return None;
            }
            match c {
                ',' | wide::COMMA if name => {
                    found = Some(i);
                    break;
                }
                '\n' if name || (!lines && next.starts_with(CLOSERS)) => {
                    found = Some(i);
                    break;
                }
                '\n' if !lines => return None,
                '\'' | '"' => match quote {
                    Some(q) if q == c => quote = None,
                    None => quote = Some(c),
                    Some(_) => {}
                },
                _ if quote.is_some() => {}
                '(' | '{' | '[' => depth += 1,
                '}' | ']' if depth == 0 => {
                    found = Some(i);
                    break;
                }
                ')' | '}' | ']' => depth -= 1,
                _ => {}
            }
        }
        let raw = rest.get(..found?)?;
        let kept =
            raw.trim_end_matches(is_blank).trim_end_matches([',', wide::COMMA]).trim_end_matches(is_blank);
        // A quote that only closes was opened by nobody.
        let text = match kept.strip_suffix('"') {
            Some(open) if !open.contains('"') => open,
            _ => kept,
        };
        if text.is_empty() {
            return None;
        }
        let (text, len) = (text.to_owned(), kept.len());
        self.note(self.at, Kind::BareText, &text, text!("was put in quotes", "已加引号"));
        self.at += len;
        Some(text)
    }

    /// `{{path|pipe}}` or `{path}` without quotes around it.
    pub(crate) fn bare_reference(&mut self) -> Option<String> {
        let rest = self.rest();
        let double = rest.starts_with("{{");
        let inner = rest.get(if double { 2 } else { 1 }..)?;
        let len = inner
            .chars()
            .take(LONGEST_WORD)
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '|' | '$'))
            .map(char::len_utf8)
            .sum::<usize>();
        let close = if double { "}}" } else { "}" };
        let begins = inner.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        if !begins || !inner.get(len..)?.starts_with(close) {
            return None;
        }
        let found = rest.get(..len + 2 * close.len())?.to_owned();
        self.note(self.at, Kind::BareText, &found, text!("was put in quotes", "已加引号"));
        self.at += found.len();
        self.work += found.len() as u64;
        Some(found)
    }

    /// true, false, null in any spelling; other words become texts.
    pub(crate) fn word(&mut self) -> Part {
        let rest = self.rest();
        let end = rest
            .find([
                ',',
                wide::COMMA,
                '}',
                wide::CLOSE_BRACE,
                ']',
                wide::CLOSE_BRACKET,
                '\n',
                '"',
                '\'',
                '{',
                '[',
                '(',
                ':',
                '/',
            ])
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or("").trim_end().to_owned();
        let literal = match word.as_str() {
            "true" | "True" | "TRUE" => Some((Value::Bool(true), "true")),
            "false" | "False" | "FALSE" => Some((Value::Bool(false), "false")),
            "null" | "None" | "NULL" | "Null" | "nil" | "undefined" | "NaN" => Some((Value::Null, "null")),
            _ => None,
        };
        if let Some((value, plain)) = literal {
            if word != plain {
                self.note(self.at, Kind::Literal, &word, text!("read as {plain}", "按 {plain} 读取"));
            }
            self.at += word.len();
            self.work += word.len() as u64;
            return Part::Whole(value);
        }
        let closed = rest.get(end..).and_then(|r| r.chars().next()).is_none_or(|c| {
            matches!(c, ',' | wide::COMMA | '}' | wide::CLOSE_BRACE | ']' | wide::CLOSE_BRACKET | '\n' | '/')
        });
        if !closed || word.is_empty() || word.len() > LONGEST_WORD || !word.is_ascii() {
            return Part::Cut(Value::Null, false);
        }
        self.note(self.at, Kind::BareText, &word, text!("was put in quotes", "已加引号"));
        self.at += word.len();
        self.work += word.len() as u64;
        Part::Whole(Value::String(word))
    }
}
