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

/// SQL text, and where each of its characters stands in the source.
#[derive(Default)]
pub(super) struct Sql {
    pub text: String,
    at: Vec<usize>,
}

impl Sql {
    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.at.push(at);
    }

    fn push_str(&mut self, s: &str, at: usize) {
        self.text.push_str(s);
        self.at.extend(s.chars().map(|_| at));
    }

    /// The source's position of a position in the text.
    pub fn source(&self, position: usize) -> Option<usize> {
        self.at.get(position).or(self.at.last()).copied()
    }
}

/// Builds the SQL text from pieces with their positions in the source.
pub(super) fn assemble(pieces: &[(usize, Piece)]) -> Result<Sql, FnError> {
    let mut out = Sql::default();
    let mut state = In::Code;
    for (start, piece) in pieces {
        match piece {
            Piece::Ref(n) => match state {
                In::Code => out.push_str(&format!(" {NAME}{n} "), *start),
                In::Quote(_) => out.push_str(&format!("{OPEN}{n}{CLOSE}"), *start),
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
                state = copy(sql, *start, state, &mut out);
            }
        }
        if out.text.len() > MAX_LEN {
            return Err(FnError::new(
                "HL-2301",
                text!("the expression is longer than {MAX_LEN} bytes", "表达式超过 {MAX_LEN} 字节"),
            ));
        }
    }
    Ok(out)
}

fn copy(sql: &str, start: usize, mut state: In, out: &mut Sql) -> In {
    let chars: Vec<char> = sql.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        match state {
            In::Quote(q) => {
                out.push(c, start + i);
                if c == '\\' && q != '`' && i + 1 < chars.len() {
                    out.push(at(i + 1), start + i);
                    i += 1;
                } else if c == q {
                    state = In::Code;
                }
            }
            In::Line => {
                if c == '\n' {
                    state = In::Code;
                    out.push(c, start + i);
                }
            }
            In::Block => {
                if c == '*' && at(i + 1) == '/' {
                    i += 1;
                    state = In::Code;
                    out.push(' ', start + i);
                }
            }
            In::Code => match c {
                '\'' | '"' | '`' => {
                    state = In::Quote(c);
                    out.push(c, start + i);
                }
                '#' => state = In::Line,
                '-' if at(i + 1) == '-' && (at(i + 2).is_whitespace() || i + 2 >= chars.len()) => {
                    state = In::Line
                }
                '-' if at(i + 1) == '-' => out.push_str("- ", start + i),
                '/' if at(i + 1) == '*' => {
                    i += 1;
                    state = In::Block;
                }
                // Full-width signs that editors leave behind.
                '\u{ff08}' => out.push('(', start + i),
                '\u{ff09}' => out.push(')', start + i),
                '\u{ff0c}' => out.push(',', start + i),
                c if c.is_alphabetic() || c == '_' => {
                    let first = i;
                    while at(i).is_alphanumeric() || at(i) == '_' {
                        i += 1;
                    }
                    let word: String = chars.get(first..i).unwrap_or(&[]).iter().collect();
                    let mut after = i;
                    while at(after).is_whitespace() {
                        after += 1;
                    }
                    // MOD as an operator.
                    if word.eq_ignore_ascii_case("mod") && at(after) != '(' {
                        out.push('%', start + first);
                    } else {
                        for (n, c) in word.chars().enumerate() {
                            out.push(c, start + first + n);
                        }
                    }
                    continue;
                }
                c if c.is_whitespace() => out.push(' ', start + i),
                c => out.push(c, start + i),
            },
        }
        i += 1;
    }
    state
}
