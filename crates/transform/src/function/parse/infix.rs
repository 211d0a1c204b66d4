//! Signs and words between two expressions.

use super::{Deep, Parser, as_number, level};
use crate::function::FnError;
use crate::function::lex::Tok;
use crate::function::node::{Node, Op, Pattern};
use crate::function::patterns::Regex;
use crate::function::sv::Sv;

/// What an infix sign or word does.
#[derive(Clone, Copy)]
pub(super) enum Infix {
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

impl Parser {
    /// The infix that comes next, with its level; nothing is taken.
    pub(super) fn infix(&self) -> Option<(Infix, u8)> {
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

    pub(super) fn behind(
        &mut self,
        left: Deep,
        infix: Infix,
        level: u8,
        place: usize,
    ) -> Result<Deep, FnError> {
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
                    let node = if exact {
                        Node::Cast(left, crate::function::node::Cast::Binary(None))
                    } else {
                        *left
                    };
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
}
