//! What an expression begins with: constants, references, calls, CASE, a SELECT around it.

use super::{Deep, Parser, as_number, level};
use crate::function::decimal::Dec;
use crate::function::lex::Tok;
use crate::function::node::{Node, Seg, Unit};
use crate::function::sv::{Num, Sv};
use crate::function::{FnError, forms, interval, rows, table};
use crate::text;

impl Parser {
    pub(super) fn prefix(&mut self, least: u8) -> Result<Deep, FnError> {
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
                return Ok((Node::Cast(Box::new(x), crate::function::node::Cast::Binary(None)), d + 1));
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
    pub(super) fn interval_call(&self) -> bool {
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
    pub(in crate::function) fn interval(&mut self) -> Result<(Node, Unit), FnError> {
        let n = self.any()?;
        Ok((n, self.unit()?))
    }

    pub(in crate::function) fn unit(&mut self) -> Result<Unit, FnError> {
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
