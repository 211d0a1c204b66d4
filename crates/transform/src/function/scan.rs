//! From source pieces to SQL text: references become names (bare) or marks (inside quotes), and the spellings that
//! MySQL knows and the parser does not are evened out.

use super::{FnError, Piece};
use crate::text;

/// Begins and ends the number of a reference inside a quoted text. Private-use characters: no published
/// configuration holds them, and one that does is refused rather than misread.
pub(super) const OPEN: char = '\u{F8E0}';
pub(super) const CLOSE: char = '\u{F8E1}';

/// Prefix of the names that stand for bare references.
pub(super) const NAME: &str = "heliu_ref_";

/// Longest expression, in bytes; far above any published one.
const MAX_LEN: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Code,
    Quote(char),
    Line,
    Block,
}

/// Builds the SQL text.
pub(super) fn assemble(pieces: &[Piece]) -> Result<String, FnError> {
    let mut out = String::new();
    let mut state = In::Code;
    for piece in pieces {
        match piece {
            Piece::Ref(n) => match state {
                In::Code => out.push_str(&format!(" {NAME}{n} ")),
                In::Quote(_) => out.push_str(&format!("{OPEN}{n}{CLOSE}")),
                In::Line | In::Block => {}
            },
            Piece::Sql(sql) => {
                if sql.contains([OPEN, CLOSE]) || sql.contains(NAME) {
                    return Err(FnError::new(
                        "HL-2301",
                        text!(
                            "the expression holds a reserved character (U+F8E0, U+F8E1) or name",
                            "表达式中含有保留字符(U+F8E0、U+F8E1)或保留名称"
                        ),
                    ));
                }
                state = copy(sql, state, &mut out);
            }
        }
        if out.len() > MAX_LEN {
            return Err(FnError::new(
                "HL-2301",
                text!("the expression is longer than {MAX_LEN} bytes", "表达式超过 {MAX_LEN} 字节"),
            ));
        }
    }
    Ok(out)
}

fn copy(sql: &str, mut state: In, out: &mut String) -> In {
    let chars: Vec<char> = sql.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        match state {
            In::Quote(q) => {
                out.push(c);
                if c == '\\' && q != '`' && i + 1 < chars.len() {
                    out.push(at(i + 1));
                    i += 1;
                } else if c == q {
                    state = In::Code;
                }
            }
            In::Line => {
                if c == '\n' {
                    state = In::Code;
                    out.push(c);
                }
            }
            In::Block => {
                if c == '*' && at(i + 1) == '/' {
                    i += 1;
                    state = In::Code;
                    out.push(' ');
                }
            }
            In::Code => match c {
                '\'' | '"' | '`' => {
                    state = In::Quote(c);
                    out.push(c);
                }
                '#' => state = In::Line,
                '-' if at(i + 1) == '-' && (at(i + 2).is_whitespace() || i + 2 >= chars.len()) => state = In::Line,
                '-' if at(i + 1) == '-' => out.push_str("- "),
                '/' if at(i + 1) == '*' => {
                    i += 1;
                    state = In::Block;
                }
                // Full-width signs that editors leave behind.
                '(' => out.push('('),
                ')' => out.push(')'),
                ',' => out.push(','),
                c if c.is_alphabetic() || c == '_' => {
                    let start = i;
                    while at(i).is_alphanumeric() || at(i) == '_' {
                        i += 1;
                    }
                    let word: String = chars.get(start..i).unwrap_or(&[]).iter().collect();
                    let mut after = i;
                    while at(after).is_whitespace() {
                        after += 1;
                    }
                    // MOD as an operator.
                    if word.eq_ignore_ascii_case("mod") && at(after) != '(' {
                        out.push('%');
                    } else {
                        out.push_str(&word);
                    }
                    continue;
                }
                c if c.is_whitespace() => out.push(' '),
                c => out.push(c),
            },
        }
        i += 1;
    }
    state
}
