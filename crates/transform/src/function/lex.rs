//! From source pieces to tokens. References are tokens of their own (or parts of a quoted text), so that no value can
//! ever be mistaken for SQL (rule Fn4).

use super::node::Seg;
use super::{FnError, Piece};
use crate::text;

/// Longest expression, in characters; far above any published one.
const MAX_LEN: usize = 64 * 1024;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok {
    Number(String),
    /// Quoted text.
    Text(Vec<Seg>),
    /// `x'4d'`, `0x4d`, `b'1'`.
    Bytes(Vec<u8>),
    Word(String),
    /// A name in backticks.
    Name(String),
    Ref(usize),
    /// Digits and references that touch.
    Joined(Vec<Seg>),
    Sign(&'static str),
    End,
}

impl Tok {
    /// How a message shows it.
    pub fn show(&self) -> String {
        let segs = |all: &[Seg]| {
            all.iter()
                .map(|s| match s {
                    Seg::Text(t) => t.as_str(),
                    Seg::Ref(_) => "{{…}}",
                })
                .collect::<String>()
        };
        let whole = match self {
            Tok::Number(n) => n.clone(),
            Tok::Text(all) => format!("'{}'", segs(all)),
            Tok::Bytes(b) => format!("0x{}", hex::encode(b)),
            Tok::Word(w) => w.clone(),
            Tok::Name(n) => format!("`{n}`"),
            Tok::Ref(_) => "{{…}}".into(),
            Tok::Joined(all) => segs(all),
            Tok::Sign(s) => (*s).into(),
            Tok::End => String::new(),
        };
        if whole.chars().count() > 40 { whole.chars().take(40).chain(['…']).collect() } else { whole }
    }

    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, Tok::Word(w) if w.eq_ignore_ascii_case(word))
    }
}

/// A character of the source, or a reference in its place.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Char(char),
    Ref(usize),
}

const SIGNS: &[&str] = &[
    "<=>", "->>", "<<", ">>", "<=", ">=", "<>", "!=", "&&", "||", "->", "+", "-", "*", "/", "%", "(", ")",
    ",", "=", "<", ">", "!", "&", "|", "^", "~", ";", ".",
];

/// Signs of a Chinese keyboard that mean these.
fn narrow(c: char) -> char {
    match c {
        '（' => '(',
        '）' => ')',
        '，' => ',',
        '；' => ';',
        '＝' => '=',
        '＋' => '+',
        '－' => '-',
        '＊' => '*',
        '／' => '/',
        '％' => '%',
        '＜' => '<',
        '＞' => '>',
        '！' => '!',
        c => c,
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}')
}

struct Lexer {
    units: Vec<(Unit, usize)>,
    i: usize,
    out: Vec<(Tok, usize)>,
}

/// Cuts pieces with their positions in the source into tokens, each with its position.
pub(super) fn tokens(pieces: &[(usize, Piece)]) -> Result<Vec<(Tok, usize)>, FnError> {
    let mut units = Vec::new();
    for (start, piece) in pieces {
        match piece {
            Piece::Ref(n) => units.push((Unit::Ref(*n), *start)),
            Piece::Sql(sql) => units.extend(sql.chars().enumerate().map(|(i, c)| (Unit::Char(c), start + i))),
        }
        if units.len() > MAX_LEN {
            return Err(FnError::new(
                "HL-2301",
                text!("the expression is longer than {MAX_LEN} characters", "表达式超过 {MAX_LEN} 个字符"),
            ));
        }
    }
    let mut lexer = Lexer { units, i: 0, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

impl Lexer {
    fn unit(&self, ahead: usize) -> Option<Unit> {
        self.units.get(self.i + ahead).map(|u| u.0)
    }

    fn char(&self, ahead: usize) -> Option<char> {
        match self.unit(ahead)? {
            Unit::Char(c) => Some(c),
            Unit::Ref(_) => None,
        }
    }

    fn place(&self) -> usize {
        self.units.get(self.i).map_or_else(|| self.units.last().map_or(0, |u| u.1 + 1), |u| u.1)
    }

    fn run(&mut self) -> Result<(), FnError> {
        while let Some(unit) = self.unit(0) {
            let at = self.place();
            let c = match unit {
                Unit::Ref(_) => {
                    self.joined(at);
                    continue;
                }
                Unit::Char(c) => c,
            };
            match c {
                c if is_blank(c) => self.i += 1,
                '#' => self.line(),
                '-' if self.char(1) == Some('-')
                    && self.char(2).is_none_or(is_blank)
                    && !matches!(self.unit(2), Some(Unit::Ref(_))) =>
                {
                    self.line();
                }
                '/' if self.char(1) == Some('*') => self.block(),
                '\'' | '"' => {
                    let all = self.quoted(c, at)?;
                    self.out.push((Tok::Text(all), at));
                }
                '`' => {
                    let all = self.quoted('`', at)?;
                    let name = all
                        .into_iter()
                        .map(|s| if let Seg::Text(t) = s { t } else { String::new() })
                        .collect();
                    self.out.push((Tok::Name(name), at));
                }
                '0'..='9' => self.joined(at),
                '.' if self.char(1).is_some_and(|d| d.is_ascii_digit()) => {
                    let n = self.number();
                    self.out.push((Tok::Number(n), at));
                }
                c if c.is_alphabetic() || c == '_' || c == '$' => self.word(at)?,
                c => self.sign(narrow(c), at)?,
            }
        }
        let end = self.place();
        self.out.push((Tok::End, end));
        Ok(())
    }

    fn line(&mut self) {
        while self.unit(0).is_some_and(|u| u != Unit::Char('\n')) {
            self.i += 1;
        }
    }

    fn block(&mut self) {
        self.i += 2;
        while self.unit(0).is_some() {
            if self.char(0) == Some('*') && self.char(1) == Some('/') {
                self.i += 2;
                return;
            }
            self.i += 1;
        }
    }

    fn sign(&mut self, first: char, at: usize) -> Result<(), FnError> {
        for sign in SIGNS {
            let fits = sign.chars().enumerate().all(|(n, c)| self.char(n).map(narrow) == Some(c));
            if fits {
                self.i += sign.len();
                self.out.push((Tok::Sign(sign), at));
                return Ok(());
            }
        }
        let message = match first {
            '‘' | '’' | '“' | '”' => text!(
                "`{first}` is a typographic quote; text stands in straight quotes: '…'",
                "`{first}` 是中文引号;文本请使用英文引号:'…'"
            ),
            _ => text!("`{first}` has no place in an expression", "表达式中不能出现 `{first}`"),
        };
        Err(FnError::new("HL-2301", message).at(at))
    }

    /// Text up to its closing quote, which is doubled inside; a backslash escapes.
    fn quoted(&mut self, quote: char, at: usize) -> Result<Vec<Seg>, FnError> {
        let mut segs = Vec::new();
        let mut words = String::new();
        self.i += 1;
        loop {
            let Some(unit) = self.unit(0) else {
                return Err(FnError::new(
                    "HL-2301",
                    text!("the quote {quote} that begins here is not closed", "此处的引号 {quote} 没有闭合"),
                )
                .at(at));
            };
            self.i += 1;
            match unit {
                Unit::Ref(n) => {
                    if !words.is_empty() {
                        segs.push(Seg::Text(std::mem::take(&mut words)));
                    }
                    segs.push(Seg::Ref(n));
                }
                Unit::Char(c) if c == quote => {
                    if self.char(0) != Some(quote) {
                        break;
                    }
                    self.i += 1;
                    words.push(c);
                }
                Unit::Char('\\') if quote != '`' => match self.char(0) {
                    Some(c) => {
                        self.i += 1;
                        match c {
                            '0' => words.push('\0'),
                            'b' => words.push('\u{8}'),
                            'n' => words.push('\n'),
                            'r' => words.push('\r'),
                            't' => words.push('\t'),
                            'Z' => words.push('\u{1a}'),
                            '%' | '_' => words.extend(['\\', c]),
                            c => words.push(c),
                        }
                    }
                    // A reference cannot be escaped.
                    None => words.push('\\'),
                },
                Unit::Char(c) => words.push(c),
            }
        }
        if !words.is_empty() || segs.is_empty() {
            segs.push(Seg::Text(words));
        }
        Ok(segs)
    }

    fn digits(&mut self, into: &mut String) {
        while let Some(c) = self.char(0).filter(char::is_ascii_digit) {
            into.push(c);
            self.i += 1;
        }
    }

    fn number(&mut self) -> String {
        let mut n = String::new();
        self.digits(&mut n);
        if self.char(0) == Some('.') {
            n.push('.');
            self.i += 1;
            self.digits(&mut n);
        }
        if matches!(self.char(0), Some('e' | 'E')) {
            let sign = matches!(self.char(1), Some('+' | '-'));
            if self.char(1 + usize::from(sign)).is_some_and(|c| c.is_ascii_digit()) {
                n.push('e');
                self.i += 1;
                if sign {
                    n.extend(self.char(0));
                    self.i += 1;
                }
                self.digits(&mut n);
            }
        }
        n
    }

    /// A number, a reference, or a run of both.
    fn joined(&mut self, at: usize) {
        if self.char(0) == Some('0') && matches!(self.char(1), Some('x' | 'X' | 'b' | 'B')) && self.radix(at)
        {
            return;
        }
        let mut segs = Vec::new();
        loop {
            match self.unit(0) {
                Some(Unit::Ref(n)) => {
                    segs.push(Seg::Ref(n));
                    self.i += 1;
                }
                Some(Unit::Char(c)) if c.is_ascii_digit() => {
                    let alone = segs.is_empty();
                    let mut n = String::new();
                    if alone {
                        n = self.number();
                    } else {
                        self.digits(&mut n);
                    }
                    segs.push(Seg::Text(n));
                }
                _ => break,
            }
        }
        let tok = match segs.as_slice() {
            [Seg::Ref(n)] => Tok::Ref(*n),
            [Seg::Text(n)] => Tok::Number(n.clone()),
            _ => Tok::Joined(segs),
        };
        self.out.push((tok, at));
    }

    /// `0x4d` and `0b101`.
    fn radix(&mut self, at: usize) -> bool {
        let radix = if matches!(self.char(1), Some('x' | 'X')) { 16 } else { 2 };
        let mut n = String::new();
        while let Some(c) = self.char(2 + n.len()).filter(|c| c.is_digit(radix)) {
            n.push(c);
        }
        let ends = self.char(2 + n.len()).is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
        match bytes(&n, radix).filter(|_| ends && !n.is_empty()) {
            Some(b) => {
                self.i += 2 + n.len();
                self.out.push((Tok::Bytes(b), at));
                true
            }
            None => false,
        }
    }

    fn word(&mut self, at: usize) -> Result<(), FnError> {
        let mut w = String::new();
        while let Some(c) = self.char(0).filter(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
            w.push(c);
            self.i += 1;
        }
        if matches!(self.char(0), Some('\'' | '"')) {
            let quote = self.char(0).unwrap_or('\'');
            let radix = match w.as_str() {
                "x" | "X" => Some(16),
                "b" | "B" => Some(2),
                _ => None,
            };
            if let Some(radix) = radix {
                let body = self.quoted(quote, at)?;
                let plain = match body.as_slice() {
                    [Seg::Text(t)] => bytes(t, radix),
                    _ => None,
                };
                let b = plain.ok_or_else(|| {
                    FnError::new(
                        "HL-2301",
                        text!("these are no digits of base {radix}", "这不是 {radix} 进制数字"),
                    )
                    .at(at)
                })?;
                self.out.push((Tok::Bytes(b), at));
                return Ok(());
            }
            // A character set in front of a text: N'…', _utf8mb4'…'.
            if w.eq_ignore_ascii_case("n") || w.starts_with('_') {
                let body = self.quoted(quote, at)?;
                self.out.push((Tok::Text(body), at));
                return Ok(());
            }
        }
        if w.starts_with('_') && self.introduces() {
            return Ok(());
        }
        self.out.push((Tok::Word(w), at));
        Ok(())
    }
}

impl Lexer {
    /// True when a text or bytes follow a character set, blanks between: `_utf8mb4 0x4142`, `_utf8 'a'`. The blanks
    /// are skipped; what the text is read as does not depend on the set.
    fn introduces(&mut self) -> bool {
        let mut n = 0;
        while self.char(n).is_some_and(is_blank) {
            n += 1;
        }
        let radix =
            matches!(self.char(n), Some('0')) && matches!(self.char(n + 1), Some('x' | 'X' | 'b' | 'B'));
        let digits = matches!(self.char(n), Some('x' | 'X' | 'b' | 'B')) && self.char(n + 1) == Some('\'');
        let hit = radix || digits || matches!(self.char(n), Some('\'' | '"'));
        self.i += if hit { n } else { 0 };
        hit
    }
}

fn bytes(digits: &str, radix: u32) -> Option<Vec<u8>> {
    if radix == 16 {
        let even = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
        return hex::decode(even).ok();
    }
    let mut out = Vec::new();
    let lead = digits.len().div_ceil(8) * 8 - digits.len();
    let padded = format!("{}{digits}", "0".repeat(lead));
    for chunk in padded.as_bytes().chunks(8) {
        out.push(u8::from_str_radix(std::str::from_utf8(chunk).ok()?, 2).ok()?);
    }
    Some(out)
}
