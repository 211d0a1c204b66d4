//! The grammar of a MySQL select expression, by precedence climbing: linear in the text, bounded in depth.
//!
//! An own parser because the dialect is lenient where it must be (full-width signs, references that touch digits,
//! a semicolon at the end), because every finding carries its position in the source and a sentence that a consultant
//! understands, and because general SQL parsers step back and try again, which nested text can make exponential.

use super::decimal::Dec;
use super::forms;
use super::lex::{self, Tok};
use super::node::{Node, Op, Pattern, Seg, Unit};
use super::patterns::Regex;
use super::sv::{Num, Sv};
use super::{FnError, Piece, interval, rows, table};
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

/// What an infix sign or word does.
#[derive(Clone, Copy)]
enum Infix {
    Op(Op),
    And,
    Or,
    Is,
    In,
    Between,
    Like,
    Regexp,
    Collate,
}

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

    /// The infix that comes next, with its level; nothing is taken.
    fn infix(&self) -> Option<(Infix, u8)> {
        use Infix as I;
        Some(match self.peek() {
            Tok::Sign(s) => match *s {
                "||" => (I::Or, level::OR),
                "&&" => (I::And, level::AND),
                "=" => (I::Op(Op::Eq), level::COMPARE),
                "<=>" => (I::Op(Op::NullEq), level::COMPARE),
                "<>" | "!=" => (I::Op(Op::Ne), level::COMPARE),
                "<" => (I::Op(Op::Lt), level::COMPARE),
                "<=" => (I::Op(Op::Le), level::COMPARE),
                ">" => (I::Op(Op::Gt), level::COMPARE),
                ">=" => (I::Op(Op::Ge), level::COMPARE),
                "|" => (I::Op(Op::BitOr), level::BIT_OR),
                "&" => (I::Op(Op::BitAnd), level::BIT_AND),
                "<<" => (I::Op(Op::ShiftLeft), level::SHIFT),
                ">>" => (I::Op(Op::ShiftRight), level::SHIFT),
                "+" => (I::Op(Op::Add), level::SUM),
                "-" => (I::Op(Op::Sub), level::SUM),
                "*" => (I::Op(Op::Mul), level::PRODUCT),
                "/" => (I::Op(Op::Div), level::PRODUCT),
                "%" => (I::Op(Op::Mod), level::PRODUCT),
                "^" => (I::Op(Op::BitXor), level::BIT_XOR),
                "->" => (I::Op(Op::JsonGet), level::ARROW),
                "->>" => (I::Op(Op::JsonText), level::ARROW),
                _ => return None,
            },
            Tok::Word(w) => {
                let upper = w.to_ascii_uppercase();
                let negated = upper == "NOT";
                let word = if negated { self.ahead(1) } else { self.peek() };
                let Tok::Word(w) = word else { return None };
                let predicate = match w.to_ascii_uppercase().as_str() {
                    "IN" => Some(I::In),
                    "BETWEEN" => Some(I::Between),
                    "LIKE" => Some(I::Like),
                    "REGEXP" | "RLIKE" => Some(I::Regexp),
                    _ => None,
                };
                match (predicate, negated, upper.as_str()) {
                    (Some(p), ..) => (p, level::PREDICATE),
                    (None, true, _) => return None,
                    (_, _, "OR") => (I::Or, level::OR),
                    (_, _, "XOR") => (I::Op(Op::Xor), level::XOR),
                    (_, _, "AND") => (I::And, level::AND),
                    (_, _, "IS") => (I::Is, level::COMPARE),
                    (_, _, "SOUNDS") => (I::Op(Op::SoundsLike), level::PREDICATE),
                    (_, _, "DIV") => (I::Op(Op::IntDiv), level::PRODUCT),
                    (_, _, "MOD") => (I::Op(Op::Mod), level::PRODUCT),
                    (_, _, "COLLATE") => (I::Collate, level::COLLATE),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn behind(&mut self, left: Deep, infix: Infix, level: u8, place: usize) -> Result<Deep, FnError> {
        let (node, depth) = left;
        let negated = self.peek().is_word("NOT");
        self.at += 1 + usize::from(negated);
        let left = Box::new(node);
        Ok(match infix {
            Infix::Op(op) => {
                if op == Op::SoundsLike {
                    self.want_word("LIKE")?;
                }
                if matches!(op, Op::Add | Op::Sub) && self.peek().is_word("INTERVAL") && !self.interval_call()
                {
                    self.at += 1;
                    let (n, unit) = self.interval()?;
                    return Ok((Node::Shift(left, Box::new(n), unit, op == Op::Sub), depth + 1));
                }
                let (right, d) = self.expr(level + 1)?;
                let arithmetic =
                    !matches!(op, Op::JsonGet | Op::JsonText | Op::SoundsLike) && level > level::PREDICATE;
                // Beside a number written down they are one as well.
                let numbers = arithmetic
                    || (level == level::COMPARE
                        && [&*left, &right].iter().any(|n| matches!(n, Node::Const(Sv::Num(_)))));
                let (l, r) = if numbers { (as_number(*left), as_number(right)) } else { (*left, right) };
                (Node::Binary(op, Box::new(l), Box::new(r), place), depth.max(d) + 1)
            }
            Infix::And | Infix::Or => {
                let (right, d) = self.expr(level + 1)?;
                let and = matches!(infix, Infix::And);
                // A chain is one node.
                match (*left, and) {
                    (Node::And(mut all), true) => {
                        all.push(right);
                        (Node::And(all), depth.max(d + 1))
                    }
                    (Node::Or(mut all), false) => {
                        all.push(right);
                        (Node::Or(all), depth.max(d + 1))
                    }
                    (left, true) => (Node::And(vec![left, right]), depth.max(d) + 1),
                    (left, false) => (Node::Or(vec![left, right]), depth.max(d) + 1),
                }
            }
            Infix::Is => {
                let negated = self.word("NOT");
                let node = if self.word("NULL") || self.word("UNKNOWN") {
                    Node::IsNull(left, negated)
                } else if self.word("TRUE") {
                    Node::IsTruth(left, true, negated)
                } else if self.word("FALSE") {
                    Node::IsTruth(left, false, negated)
                } else {
                    return Err(self.wanted("NULL"));
                };
                (node, depth + 1)
            }
            Infix::In => {
                self.want_sign("(")?;
                let (items, d) = self.list(")")?;
                (Node::In(left, items, negated), depth.max(d) + 1)
            }
            Infix::Between => {
                let (low, a) = self.expr(level::BIT_OR)?;
                self.want_word("AND")?;
                let (high, b) = self.expr(level::PREDICATE)?;
                (Node::Between(Box::new([*left, low, high]), negated), depth.max(a).max(b) + 1)
            }
            Infix::Like => {
                let (pattern, d) = self.pattern()?;
                let escape =
                    if self.word("ESCAPE") { Some(Box::new(self.tight(level::UNARY)?)) } else { None };
                (Node::Like(left, Box::new(pattern), escape, negated), depth.max(d) + 1)
            }
            Infix::Regexp => {
                let place = self.place();
                let (pattern, d) = self.pattern()?;
                let pattern = match &pattern {
                    Node::Const(Sv::Str(s)) => {
                        let regex = Regex::new(s, false).map_err(|e| e.at(place))?;
                        Pattern::Fixed(regex, s.as_ref().into())
                    }
                    _ => Pattern::Of(pattern),
                };
                (Node::Regexp(left, Box::new(pattern), negated), depth.max(d) + 1)
            }
            Infix::Collate => match self.next() {
                Tok::Word(name) | Tok::Name(name) => {
                    let exact = name.to_ascii_lowercase().ends_with("_bin");
                    let node = if exact { Node::Cast(left, super::node::Cast::Binary(None)) } else { *left };
                    (node, depth + 1)
                }
                _ => return Err(self.wanted("utf8mb4_bin")),
            },
        })
    }

    /// What stands behind LIKE and REGEXP. The server's grammar takes a `NOT LIKE` and its like into it.
    fn pattern(&mut self) -> Result<Deep, FnError> {
        let mut right = self.expr(level::BIT_OR)?;
        while self.peek().is_word("NOT")
            && let Some((infix, level)) = self.infix()
        {
            let place = self.place();
            right = self.behind(right, infix, level, place)?;
        }
        Ok(right)
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

    fn prefix(&mut self, least: u8) -> Result<Deep, FnError> {
        let place = self.place();
        match self.peek() {
            Tok::Sign(s) => match *s {
                "(" => {
                    self.at += 1;
                    let begin = self.mark();
                    let inner = self.expr(level::ANY)?;
                    if matches!(self.peek(), Tok::Sign(",")) {
                        return rows::compared(self, inner, begin);
                    }
                    self.want_sign(")")?;
                    Ok(inner)
                }
                "-" => {
                    self.at += 1;
                    let (x, d) = self.expr(level::UNARY)?;
                    Ok(match as_number(x) {
                        Node::Const(Sv::Num(Num::Dec(n))) => (Node::Const(Sv::dec(n.neg())), d),
                        x => (Node::Neg(Box::new(x)), d + 1),
                    })
                }
                "+" => {
                    self.at += 1;
                    self.expr(level::UNARY)
                }
                "~" => {
                    self.at += 1;
                    let (x, d) = self.expr(level::UNARY)?;
                    Ok((Node::BitNot(Box::new(as_number(x))), d + 1))
                }
                "!" => {
                    self.at += 1;
                    let (x, d) = self.expr(level::BANG)?;
                    Ok((Node::Not(Box::new(x)), d + 1))
                }
                s => {
                    let s = s.to_owned();
                    Err(self.fault(text!("a value is wanted before `{s}`", "`{s}` 之前缺少值")))
                }
            },
            Tok::End => Err(self.fault(text!("a value is missing at the end", "末尾缺少值"))),
            Tok::Name(n) => Err(no_name(n).at(place)),
            Tok::Word(_) => {
                let Tok::Word(w) = self.next() else { return Err(self.wanted("…")) };
                self.begins_with(&w, least, place)
            }
            _ => {
                let node = match self.next() {
                    Tok::Number(n) => Node::Const(number(&n).map_err(|e| e.at(place))?),
                    Tok::Text(mut segs) => {
                        // Texts side by side are one.
                        while matches!(self.peek(), Tok::Text(_)) {
                            if let Tok::Text(more) = self.next() {
                                join(&mut segs, more);
                            }
                        }
                        template(segs)
                    }
                    Tok::Bytes(b) => Node::Const(Sv::Bin(b.into())),
                    Tok::Ref(n) => Node::Ref(n, self.aggregates > 0),
                    Tok::Joined(segs) => Node::Joined(segs),
                    _ => Node::Const(Sv::Null),
                };
                Ok((node, 1))
            }
        }
    }

    /// An expression that begins with a word: a constant, a special form, a function.
    fn begins_with(&mut self, word: &str, least: u8, place: usize) -> Result<Deep, FnError> {
        let upper = word.to_ascii_uppercase();
        let called = matches!(self.peek(), Tok::Sign("("));
        let value = |v: Sv<'static>| Ok((Node::Const(v), 1));
        match upper.as_str() {
            "NULL" | "UNKNOWN" if !called => return value(Sv::Null),
            "TRUE" if !called => return value(Sv::Bool(true)),
            "FALSE" if !called => return value(Sv::Bool(false)),
            "NOT" => {
                let (x, d) = self.expr(least.clamp(level::AND + 1, level::COMPARE))?;
                return Ok((Node::Not(Box::new(x)), d + 1));
            }
            "BINARY" => {
                let (x, d) = self.expr(level::BANG)?;
                return Ok((Node::Cast(Box::new(x), super::node::Cast::Binary(None)), d + 1));
            }
            "CASE" => return self.case(),
            "INTERVAL" => {
                self.at -= 1;
                let call = self.interval_call();
                self.at += 1;
                if !call {
                    let (n, unit) = self.interval()?;
                    self.want_sign("+")?;
                    let (date, d) = self.expr(level::PRODUCT)?;
                    return Ok((Node::Shift(Box::new(date), Box::new(n), unit, false), d + 1));
                }
            }
            "DATE" | "TIME" | "TIMESTAMP" | "DATETIME" if matches!(self.peek(), Tok::Text(_)) => {
                let (x, d) = self.expr(level::ARROW + 1)?;
                return Ok((Node::Cast(Box::new(x), forms::typed(&upper)), d + 1));
            }
            "SELECT" => return self.select(place),
            "ROW" if called => return rows::named(self),
            _ => {}
        }
        if !called {
            return match table::bare(&upper) {
                Some(f) => Ok((Node::Call(f, Vec::new(), place), 1)),
                None => Err(no_name(word).at(place)),
            };
        }
        self.at += 1;
        let outside = std::mem::take(&mut self.deepest);
        let node = forms::call(self, &upper, word, place)?;
        let inside = self.deepest;
        self.deepest = outside.max(inside);
        Ok((node, inside + 1))
    }

    /// `AS name` behind a column: the name means nothing to a single value.
    fn alias(&mut self) {
        if self.peek().is_word("AS") && matches!(self.ahead(1), Tok::Word(_) | Tok::Name(_) | Tok::Text(_)) {
            self.at += 2;
        }
    }

    /// A select without a table is its expression: `(SELECT expr)`, also `FROM DUAL`, or all there is.
    fn select(&mut self, place: usize) -> Result<Deep, FnError> {
        let first = self.at < 2;
        let bracket = || matches!(self.toks.get(self.at - 2), Some((Tok::Sign("("), _)));
        let query = FnError::new(
            "HL-2304",
            text!("a query has no place here, only an expression", "此处只能写表达式,不能写查询"),
        )
        .at(place);
        if !first && !bracket() {
            return Err(query);
        }
        let found = self.expr(level::ANY)?;
        self.alias();
        if self.word("FROM") && !self.word("DUAL") {
            return Err(query);
        }
        Ok(found)
    }

    fn case(&mut self) -> Result<Deep, FnError> {
        let mut depth = 0;
        let mut part = |p: &mut Parser| -> Result<Node, FnError> {
            let (e, d) = p.expr(level::ANY)?;
            depth = depth.max(d);
            Ok(e)
        };
        let operand = if self.peek().is_word("WHEN") { None } else { Some(Box::new(part(self)?)) };
        let mut whens = Vec::new();
        while self.word("WHEN") {
            let when = part(self)?;
            self.want_word("THEN")?;
            whens.push((when, part(self)?));
        }
        if whens.is_empty() {
            return Err(self.wanted("WHEN"));
        }
        let otherwise = if self.word("ELSE") { Some(Box::new(part(self)?)) } else { None };
        self.want_word("END")?;
        // `END CASE` is what procedures write.
        self.word("CASE");
        let branches: Vec<Node> =
            whens.iter().map(|w| w.1.clone()).chain(otherwise.iter().map(|o| (**o).clone())).collect();
        Ok((Node::Case(operand, whens, otherwise).with_kind_of(branches.iter()), depth + 2))
    }

    /// `INTERVAL(n, a, b)` is a function; `INTERVAL (n) DAY` is not.
    fn interval_call(&self) -> bool {
        if !matches!(self.ahead(1), Tok::Sign("(")) {
            return false;
        }
        let mut open = 0usize;
        for n in 1.. {
            match self.ahead(n) {
                Tok::End => return true,
                Tok::Sign("(") => open += 1,
                Tok::Sign(")") => {
                    open -= 1;
                    if open == 0 {
                        return !matches!(self.ahead(n + 1), Tok::Word(w) if interval::unit(w).is_some());
                    }
                }
                _ => {}
            }
        }
        true
    }

    /// `n UNIT`, behind the word INTERVAL.
    pub fn interval(&mut self) -> Result<(Node, Unit), FnError> {
        let n = self.any()?;
        Ok((n, self.unit()?))
    }

    pub fn unit(&mut self) -> Result<Unit, FnError> {
        let found = match self.peek() {
            Tok::Word(w) => interval::unit(w),
            _ => None,
        };
        match found {
            Some(unit) => {
                self.at += 1;
                Ok(unit)
            }
            None => Err(self.wanted("DAY")),
        }
    }
}

fn too_deep() -> crate::Text {
    text!("the expression is nested too deeply", "表达式嵌套过深")
}

fn no_name(name: &str) -> FnError {
    let name = name.to_owned();
    FnError::new(
        "HL-2304",
        text!(
            "`{name}` is neither a reference nor a function; write a field of the record as `{{{{{name}}}}}` and text in quotes",
            "`{name}` 既不是引用也不是函数;引用数据字段请写 `{{{{{name}}}}}`,文本请加引号"
        ),
    )
}

fn number(text: &str) -> Result<Sv<'static>, FnError> {
    let found = if text.contains('e') {
        text.parse::<f64>().ok().filter(|f| f.is_finite()).map(Sv::double)
    } else {
        Dec::parse(text).map(Sv::dec)
    };
    found.ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        FnError::new("HL-2301", text!("`{shown}` is too large a number", "数字 `{shown}` 过大"))
    })
}

/// Puts one text behind another; of several texts an empty one says nothing.
fn join(segs: &mut Vec<Seg>, more: Vec<Seg>) {
    for seg in more {
        match (segs.last_mut(), seg) {
            (Some(Seg::Text(last)), Seg::Text(t)) => last.push_str(&t),
            (Some(_), Seg::Text(t)) if t.is_empty() => {}
            (_, seg) => {
                if matches!(segs.last(), Some(Seg::Text(t)) if t.is_empty()) {
                    segs.pop();
                }
                segs.push(seg);
            }
        }
    }
}

fn template(segs: Vec<Seg>) -> Node {
    if segs.iter().any(|s| matches!(s, Seg::Ref(_))) {
        return Node::Template(segs);
    }
    let all: String =
        segs.into_iter().map(|s| if let Seg::Text(t) = s { t } else { String::new() }).collect();
    Node::Const(Sv::Str(all.into()))
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
