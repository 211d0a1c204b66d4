//! Texts around a document that are none of it: marks in front of every line, and JSON that was itself put into a text.

use heliu_model::text;

use crate::repair::{Kind, Note};
use crate::source::Source;

/// Lines that must carry a mark before it is taken for one.
const FEWEST: usize = 4;

/// The text without `>` of a quotation, or without the numbers of its lines; `None` where it has neither.
pub(crate) fn without_line_marks(text: &str) -> Option<Source> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let quoted = lines.iter().filter(|l| quotation(l).is_some()).count() >= FEWEST;
    let numbered = numbers(&lines);
    if !quoted && numbered.is_empty() {
        return None;
    }
    let mut out = Source::plain(String::with_capacity(text.len()));
    let mut at = 0;
    for (n, line) in lines.iter().enumerate() {
        let mark = if numbered.contains(&n) { number(line).map(|m| m.1) } else { None };
        if let Some(len) = mark.or_else(|| quotation(line).filter(|_| quoted)) {
            let found = line.get(..len).unwrap_or("").trim().to_owned();
            let done = text!("the marks in front of the lines were taken out", "已去除每行开头的标记");
            out.notes.push(Note { at: out.text.len(), kind: Kind::Markup, found, done, count: 1 });
            out.goes_on_at(at + len);
            out.text.push_str(line.get(len..).unwrap_or(""));
        } else {
            out.text.push_str(line);
        }
        at += line.len();
    }
    Some(out)
}

/// Length of `> ` at the beginning of a line, however often.
fn quotation(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches(['>', ' ']);
    let len = line.len() - rest.len();
    line.get(..len).is_some_and(|m| m.trim_start().starts_with('>')).then(|| {
        // Blanks behind the mark indent the line.
        line.get(..len).and_then(|m| m.rfind('>')).map_or(len, |i| i + 1)
    })
}

/// The number at the beginning of a line, and the length of it with what sets it apart.
fn number(line: &str) -> Option<(u32, usize)> {
    let rest = line.trim_start_matches([' ', '\t']);
    let lead = line.len() - rest.len();
    let digits = rest.bytes().take(5).take_while(u8::is_ascii_digit).count();
    let n: u32 = rest.get(..digits)?.parse().ok()?;
    let behind = rest.get(digits..)?;
    let mark = behind.trim_start_matches(['.', ')', ':', '|', '、']);
    let len = lead + digits + (behind.len() - mark.len());
    (mark.is_empty() || mark.starts_with([' ', '\t', '\n', '\r', '{', '}', '"', '[', ']']))
        .then_some((n, len))
}

/// Lines that count on, one after the other.
fn numbers(lines: &[&str]) -> std::collections::BTreeSet<usize> {
    let mut out = std::collections::BTreeSet::new();
    let mut run: Vec<(usize, u32)> = Vec::new();
    let mut close = |run: &mut Vec<(usize, u32)>| {
        if run.len() >= FEWEST {
            out.extend(run.iter().map(|r| r.0));
        }
        run.clear();
    };
    for (at, line) in lines.iter().enumerate() {
        match number(line) {
            Some((n, _)) if run.last().is_none_or(|l| l.0 + 1 == at && l.1 + 1 == n) => run.push((at, n)),
            Some((n, _)) => {
                close(&mut run);
                run.push((at, n));
            }
            None => close(&mut run),
        }
    }
    close(&mut run);
    out
}

/// The text with `\"` read as `"`, where a whole document was put into a JSON text.
pub(crate) fn out_of_a_text(text: &str) -> Option<Source> {
    if !text.contains("\\\"api\\\"") {
        return None;
    }
    let mut out = Source::plain(String::with_capacity(text.len()));
    let (mut at, mut inside) = (0, false);
    while let Some(i) = text.get(at..).and_then(|t| t.find(['\\', '"'])) {
        out.text.push_str(text.get(at..at + i).unwrap_or(""));
        at += i;
        let rest = text.get(at..).unwrap_or("");
        let begins = ["\"{\\\"", "\"{\\n", "\"{ ", "\"{\\r"].iter().any(|b| rest.starts_with(b));
        if rest.starts_with('"') {
            if inside || begins {
                // The quotes around the document itself.
                inside = !inside;
                at += 1;
                out.goes_on_at(at);
            } else {
                out.text.push('"');
                at += 1;
            }
            continue;
        }
        let plain = match rest.as_bytes().get(1) {
            Some(b'"') => Some('"'),
            Some(b'\\') => Some('\\'),
            Some(b'/') => Some('/'),
            Some(b'n' | b'r') => Some('\n'),
            Some(b't') => Some('\t'),
            _ => None,
        };
        match plain {
            Some(c) => {
                let done = text!(
                    "the document stood inside a text; its backslashes were taken out",
                    "文档位于字符串之中,已去除转义反斜杠"
                );
                let found = rest.get(..2).unwrap_or("").to_owned();
                out.notes.push(Note { at: out.text.len(), kind: Kind::Markup, found, done, count: 1 });
                out.text.push(c);
                at += 2;
            }
            None => {
                out.text.push('\\');
                at += 1;
            }
        }
        out.goes_on_at(at);
    }
    out.text.push_str(text.get(at..).unwrap_or(""));
    Some(out)
}
