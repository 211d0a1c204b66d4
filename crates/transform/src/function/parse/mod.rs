//! The grammar of a MySQL select expression, by precedence climbing: linear in the text, bounded in depth.
//!
//! An own parser because the dialect is lenient where it must be (full-width signs, references that touch digits,
//! a semicolon at the end), because every finding carries its position in the source and a sentence that a consultant
//! understands, and because general SQL parsers step back and try again, which nested text can make exponential.

mod infix;
mod prefix;

use super::lex::{self, Tok};
use super::node::Node;
use super::sv::Sv;
use super::{FnError, Piece};
use crate::text;

/// Deepest nesting of parentheses, calls and CASE.
const MAX_NESTING: usize = 100;

/// Deepest tree: also what a chain such as `a + b + c + …` builds.
const MAX_DEPTH: usize = 160;

/// Levels of precedence, loosest first.
pub(super) mod level {
    pub const ANY: u8 = 0;
    pub const OR: u8 = 1;
    pub const XOR: u8 = 2;
    pub const AND: u8 = 3;
    pub const COMPARE: u8 = 5;
    pub const PREDICATE: u8 = 6;
    pub const BIT_OR: u8 = 7;
    pub const BIT_AND: u8 = 8;
    pub const SHIFT: u8 = 9;
    pub const SUM: u8 = 10;
    pub const PRODUCT: u8 = 11;
    pub const BIT_XOR: u8 = 12;
    pub const UNARY: u8 = 13;
    pub const BANG: u8 = 14;
    pub const COLLATE: u8 = 15;
    pub const ARROW: u8 = 16;
}

/// A tree and how deep it is.
type Deep = (Node, usize);

pub(super) struct Parser {
    toks: Vec<(Tok, usize)>,
    at: usize,
    nesting: usize,
    /// Depth of the deepest expression read since this was set to 0.
    deepest: usize,
    /// Aggregates around the place.
    pub aggregates: usize,
    /// Comparisons of rows so far.
    pub rows: usize,
}

/// Parses pieces with their positions in the source.
pub(super) fn parse(pieces: &[(usize, Piece)]) -> Result<Node, FnError> {
    let mut p = Parser { toks: lex::tokens(pieces)?, at: 0, nesting: 0, deepest: 0, aggregates: 0, rows: 0 };
    if *p.peek() == Tok::End {
        return Err(FnError::new("HL-2301", text!("the expression is empty", "表达式为空")));
    }
    let (node, _) = p.expr(level::ANY)?;
    p.alias();
    while p.sign(";") {}
    match p.peek() {
        Tok::End => Ok(node.into_root()),
        found => {
            let found = found.show();
            Err(p.fault(text!("the expression ends before `{found}`", "表达式在 `{found}` 之前已结束")))
        }
    }
}

impl Parser {
    pub fn peek(&self) -> &Tok {
        self.ahead(0)
    }

    pub fn ahead(&self, n: usize) -> &Tok {
        self.toks.get(self.at + n).map_or(&Tok::End, |t| &t.0)
    }

    /// Position of the next token in the source.
    pub fn place(&self) -> usize {
        self.toks.get(self.at).or(self.toks.last()).map_or(0, |t| t.1)
    }

    pub fn next(&mut self) -> Tok {
        match self.toks.get_mut(self.at) {
            Some(t) => {
                self.at += 1;
                std::mem::replace(&mut t.0, Tok::End)
            }
            None => Tok::End,
        }
    }

    /// Takes a sign, if it is next.
    pub fn sign(&mut self, s: &str) -> bool {
        let hit = matches!(self.peek(), Tok::Sign(t) if *t == s);
        self.at += usize::from(hit);
        hit
    }

    pub fn word(&mut self, w: &str) -> bool {
        let hit = self.peek().is_word(w);
        self.at += usize::from(hit);
        hit
    }

    /// How many tokens were read, and how many rows compared.
    pub fn mark(&self) -> (usize, usize) {
        (self.at, self.rows)
    }

    /// A syntax error at the next token.
    pub fn fault(&self, message: crate::Text) -> FnError {
        FnError::new("HL-2301", message).at(self.place())
    }

    fn wanted(&self, what: &str) -> FnError {
        match self.peek() {
            Tok::End => self.fault(text!("`{what}` is missing at the end", "末尾缺少 `{what}`")),
            found => {
                let found = found.show();
                self.fault(text!(
                    "`{what}` is wanted here, not `{found}`",
                    "此处应为 `{what}`,而不是 `{found}`"
                ))
            }
        }
    }

    pub fn want_sign(&mut self, s: &str) -> Result<(), FnError> {
        if self.sign(s) { Ok(()) } else { Err(self.wanted(s)) }
    }

    pub fn want_word(&mut self, w: &str) -> Result<(), FnError> {
        if self.word(w) { Ok(()) } else { Err(self.wanted(w)) }
    }

    /// A whole expression.
    pub fn any(&mut self) -> Result<Node, FnError> {
        self.expr(level::ANY).map(|e| e.0)
    }

    pub fn tight(&mut self, least: u8) -> Result<Node, FnError> {
        self.expr(least).map(|e| e.0)
    }

    pub fn expr(&mut self, least: u8) -> Result<Deep, FnError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.fault(too_deep()));
        }
        let mut left = self.prefix(least)?;
        // Behind `x IN (…)` and `x IS NULL` nothing follows that binds tighter.
        let mut bound = u8::MAX;
        while let Some((infix, level)) = self.infix()
            && level >= least.max(1)
            && level <= bound
        {
            bound = level;
            let place = self.place();
            left = self.behind(left, infix, level, place)?;
            if left.1 > MAX_DEPTH {
                return Err(self.fault(too_deep()));
            }
        }
        self.nesting -= 1;
        self.deepest = self.deepest.max(left.1);
        Ok(left)
    }

    /// Expressions between commas, up to the closing sign, which is taken.
    pub fn list(&mut self, close: &str) -> Result<(Vec<Node>, usize), FnError> {
        let (mut out, mut depth) = (Vec::new(), 0);
        if self.sign(close) {
            return Ok((out, 0));
        }
        loop {
            let (e, d) = self.expr(level::ANY)?;
            out.push(e);
            depth = depth.max(d);
            if self.sign(close) {
                return Ok((out, depth));
            }
            if !self.sign(",") {
                return Err(self.wanted(close));
            }
        }
    }

    /// `AS name` behind a column: the name means nothing to a single value.
    fn alias(&mut self) {
        if self.peek().is_word("AS") && matches!(self.ahead(1), Tok::Word(_) | Tok::Name(_) | Tok::Text(_)) {
            self.at += 2;
        }
    }
}

fn too_deep() -> crate::Text {
    text!("the expression is nested too deeply", "表达式嵌套过深")
}

/// A hexadecimal constant counts as a number in arithmetic.
pub(super) fn as_number(node: Node) -> Node {
    match &node {
        Node::Const(Sv::Bin(b)) if b.len() <= 8 => {
            let n = b.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
            Node::Const(Sv::int(n))
        }
        _ => node,
    }
}
