//! Comparisons of rows, such as `(a, b) = (1, 2)` and `(a, b) IN ((1, 2), (3, 4))`: each stands for the comparisons of
//! its values, which have the same truth, NULL included.

use super::FnError;
use super::lex::Tok;
use super::node::{Node, Op};
use super::parse::{Parser, level};
use crate::text;

/// Tokens of a row, times the rows that it is compared with: it is repeated for each of them.
const MOST: usize = 20_000;

/// A row whose first value was read, up to the comma behind it; then what it is compared with. `begin` marks where the
/// row began.
pub(super) fn compared(
    p: &mut Parser,
    first: (Node, usize),
    begin: (usize, usize),
) -> Result<(Node, usize), FnError> {
    let place = p.place();
    let (mut left, mut depth) = (vec![first.0], first.1);
    p.want_sign(",")?;
    let (rest, d) = p.list(")")?;
    left.extend(rest);
    depth = depth.max(d);
    let (at, rows) = p.mark();
    let size = at - begin.0;
    if rows != begin.1 {
        // Each level would repeat the one inside of it.
        return Err(p.fault(text!("a row has no place inside of a row", "行内不能再使用行")));
    }
    p.rows += 1;
    let negated = p.peek().is_word("NOT") && p.ahead(1).is_word("IN") && p.word("NOT");
    if p.word("IN") {
        p.want_sign("(")?;
        let mut any = Vec::new();
        loop {
            let (right, d) = row(p, left.len())?;
            depth = depth.max(d);
            any.push(equal(&left, right, Op::Eq, place));
            if any.len() * size > MOST {
                return Err(p.fault(text!("too many rows are compared", "比较的行过多")));
            }
            if !p.sign(",") {
                break;
            }
        }
        p.want_sign(")")?;
        let found = Node::Or(any);
        return Ok((if negated { Node::Not(Box::new(found)) } else { found }, depth + 4));
    }
    let (op, negated) = match p.peek() {
        Tok::Sign("=") => (Op::Eq, false),
        Tok::Sign("<=>") => (Op::NullEq, false),
        Tok::Sign("<>" | "!=") => (Op::Ne, true),
        _ => {
            return Err(p.fault(text!(
                "a list of values has no place here; rows are compared by `=`, `<=>`, `<>` and `IN`",
                "此处不能使用多个值的列表;行只能用 `=`、`<=>`、`<>` 与 `IN` 比较"
            )));
        }
    };
    p.next();
    let (right, d) = row(p, left.len())?;
    let found = equal(&left, right, if negated { Op::Eq } else { op }, place);
    Ok((if negated { Node::Not(Box::new(found)) } else { found }, depth.max(d) + 3))
}

/// A row of so many values.
fn row(p: &mut Parser, values: usize) -> Result<(Vec<Node>, usize), FnError> {
    let place = p.place();
    p.word("ROW");
    p.want_sign("(")?;
    let (found, depth) = p.list(")")?;
    if found.len() != values {
        let (want, got) = (values, found.len());
        return Err(FnError::new(
            "HL-2301",
            text!(
                "a row of {want} values is compared with one of {got}",
                "{want} 个值的行不能与 {got} 个值的行比较"
            ),
        )
        .at(place));
    }
    Ok((found, depth))
}

fn equal(left: &[Node], right: Vec<Node>, op: Op, place: usize) -> Node {
    let pair = |(l, r): (&Node, Node)| Node::Binary(op, Box::new(l.clone()), Box::new(r), place);
    Node::And(left.iter().zip(right).map(pair).collect())
}

/// Behind the word `ROW`.
pub(super) fn named(p: &mut Parser) -> Result<(Node, usize), FnError> {
    p.want_sign("(")?;
    let begin = p.mark();
    let first = p.expr(level::ANY)?;
    compared(p, first, begin)
}
