//! Evaluates the tree.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::aggregate::Rows;
use super::kind::Kind;
use super::node::{Node, Op, Pattern, Seg, Unit};
use super::patterns::{self, Regex};
use super::sv::{Num, Sv};
use super::{FnEnv, FnError, arith, bind_bare, bind_text, cast, compare, interval, json, texts};
use crate::{Value, text};

/// Longest text a function may build, in bytes: what MySQL's max_allowed_packet is for.
pub(super) const MAX_TEXT: usize = 1024 * 1024;

/// Bytes of long texts that one evaluation may go over, call by call: short expressions can nest many that are long.
const MAX_WORK: usize = 8 * MAX_TEXT;

/// Texts up to this length are not counted.
const SHORT: usize = 1024;

/// One evaluation.
pub(super) struct Ctx<'a, 'b> {
    pub env: &'b FnEnv,
    bind: &'b mut dyn FnMut(usize, bool) -> Cow<'a, Value>,
    /// Inside an aggregate over a formula: the lists of its references, and the row that is being evaluated.
    pub rows: Option<Rows<'a>>,
    /// Arguments of the calls under way.
    stack: Vec<Sv<'a>>,
    /// Bytes of long texts so far.
    work: usize,
}

impl<'a, 'b> Ctx<'a, 'b> {
    pub fn new(env: &'b FnEnv, bind: &'b mut dyn FnMut(usize, bool) -> Cow<'a, Value>) -> Self {
        Ctx { env, bind, rows: None, stack: Vec::new(), work: 0 }
    }

    /// The value of a reference: its row's inside an aggregate over a formula.
    pub fn bound(&mut self, n: usize, whole: bool) -> Cow<'a, Value> {
        match &self.rows {
            Some(rows) => rows.value(n),
            None => (self.bind)(n, whole),
        }
    }

    pub fn eval(&mut self, node: &'a Node) -> Result<Sv<'a>, FnError> {
        Ok(match node {
            Node::Const(v) => borrowed(v),
            Node::Ref(n, whole) => bind_bare(self.bound(*n, *whole)),
            Node::Template(segs) => self.template(segs),
            Node::Joined(segs) => match self.template(segs) {
                Sv::Str(s) => bind_text(s),
                other => other,
            },
            Node::Call(f, args, place) => {
                let base = self.stack.len();
                for a in args {
                    let v = match a {
                        Node::Ref(n, _) if f.json => self.document(*n),
                        a if f.json && a.is_truth() => match self.eval(a)? {
                            Sv::Num(n) => Sv::Bool(!n.is_zero()),
                            other => other,
                        },
                        a => self.eval(a)?.single(),
                    };
                    if f.strict && v.is_null() {
                        self.stack.truncate(base);
                        return Ok(Sv::Null);
                    }
                    self.stack.push(v);
                }
                let given = self.stack.get(base..).unwrap_or(&[]);
                let out = (f.run)(given, self.env).map_err(|e| e.at(*place));
                let long = given.iter().chain(&out).map(length).filter(|n| *n > SHORT).sum();
                self.stack.truncate(base);
                self.spend(long).map_err(|e| e.at(*place))?;
                out?
            }
            Node::Binary(op, a, b, place) => {
                let x = self.eval(a)?.single();
                let y = self.eval(b)?.single();
                let long = length(&x) + length(&y);
                if long > SHORT {
                    self.spend(long).map_err(|e| e.at(*place))?;
                }
                self.binary(*op, x, y).map_err(|e| e.at(*place))?
            }
            Node::If(three) => {
                let [c, a, b] = three.as_ref();
                let hit = self.truth(c)? == Some(true);
                self.eval(if hit { a } else { b })?
            }
            Node::Case(subject, whens, otherwise) => {
                return self.case(subject.as_deref(), whens, otherwise.as_deref());
            }
            Node::Coalesce(all) => {
                for n in all {
                    let v = self.eval(n)?;
                    if !v.is_null() {
                        return Ok(v);
                    }
                }
                Sv::Null
            }
            Node::Digits(x, kind) => match self.eval(x)? {
                v @ (Sv::Null | Sv::Str(_)) => v,
                v => {
                    let kind = kind.resolve(&mut |n| Kind::of_value(&bind_bare(self.bound(n, false))));
                    kind.apply(v, self.env)
                }
            },
            Node::And(all) => {
                let mut unknown = false;
                for n in all {
                    match self.truth(n)? {
                        Some(false) => return Ok(Sv::flag(Some(false))),
                        Some(true) => {}
                        None => unknown = true,
                    }
                }
                Sv::flag((!unknown).then_some(true))
            }
            Node::Or(all) => {
                let mut unknown = false;
                for n in all {
                    match self.truth(n)? {
                        Some(true) => return Ok(Sv::flag(Some(true))),
                        Some(false) => {}
                        None => unknown = true,
                    }
                }
                Sv::flag((!unknown).then_some(false))
            }
            Node::Neg(x) => match self.eval(x)?.single().as_num() {
                None => Sv::Null,
                Some(Num::Dbl(f, s)) => Sv::Num(Num::Dbl(-f, s)),
                Some(Num::Dec(d)) => Sv::Num(Num::Dec(d.neg())),
                Some(Num::Apx(d)) => Sv::Num(Num::Apx(d.neg())),
            },
            Node::Not(x) => Sv::flag(self.truth(x)?.map(|b| !b)),
            Node::BitNot(x) => match self.eval(x)?.single().as_num() {
                Some(n) => Sv::int(!n.operand()),
                None => Sv::Null,
            },
            Node::IsNull(x, negated) => Sv::flag(Some(self.eval(x)?.single().is_null() != *negated)),
            Node::IsTruth(x, wanted, negated) => {
                let is = self.truth(x)? == Some(*wanted);
                Sv::flag(Some(is != *negated))
            }
            Node::In(x, items, negated) => self.is_in(x, items, *negated)?,
            Node::Between(three, negated) => {
                let [x, low, high] = three.as_ref();
                let all = vec![self.eval(x)?.single(), self.eval(low)?.single(), self.eval(high)?.single()];
                let nulls = [all.get(1).is_some_and(Sv::is_null), all.get(2).is_some_and(Sv::is_null)];
                let all = compare::uniform(all, self.env);
                let at = |i: usize| all.get(i).unwrap_or(&Sv::Null);
                let side = |i: usize| compare::compare(at(0), at(i), self.env);
                let above = if nulls[0] { None } else { side(1).map(Ordering::is_ge) };
                let below = if nulls[1] { None } else { side(2).map(Ordering::is_le) };
                let inside = match (above, below) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                Sv::flag(inside.map(|i| i != *negated))
            }
            Node::Like(x, pattern, escape, negated) => {
                let (s, p) = (self.eval(x)?.single(), self.eval(pattern)?.single());
                let escape = match escape {
                    Some(e) => self.eval(e)?.single().as_text().unwrap_or_default().chars().next(),
                    None => Some('\\'),
                };
                self.spend(length(&s) + length(&p))?;
                match (s.as_text(), p.as_text()) {
                    (Some(text), Some(pattern)) => {
                        // Bytes are matched one by one.
                        let hit = if matches!(s, Sv::Bin(_)) || matches!(p, Sv::Bin(_)) {
                            let bytes = |t: &str| t.bytes().map(char::from).collect::<String>();
                            patterns::like(&bytes(&text), &bytes(&pattern), escape, compare::exact)?
                        } else {
                            patterns::like(&text, &pattern, escape, compare::fold)?
                        };
                        Sv::flag(Some(hit != *negated))
                    }
                    _ => Sv::Null,
                }
            }
            Node::Regexp(x, pattern, negated) => {
                let s = self.eval(x)?.single();
                let dynamic;
                let regex = match pattern.as_ref() {
                    Pattern::Fixed(r, _) => r,
                    Pattern::Of(n) => {
                        let p = self.eval(n)?.single();
                        let (Some(pattern), false) = (p.as_text(), s.is_null()) else { return Ok(Sv::Null) };
                        dynamic = Regex::kept(&pattern, matches!(p, Sv::Bin(_)))?;
                        &dynamic
                    }
                };
                self.spend(length(&s))?;
                match s.as_text() {
                    Some(s) => Sv::flag(Some(regex.is_match(&s)? != *negated)),
                    None => Sv::Null,
                }
            }
            Node::Shift(x, n, unit, minus) => {
                let (v, n) = (self.eval(x)?.single(), self.eval(n)?.single());
                interval::shift(&v, &n, *unit, *minus, self.env)
            }
            Node::Cast(x, to) => {
                let v = self.eval(x)?.single();
                cast::cast(v, *to, self.env)?
            }
            Node::UnitCall(which, unit, args) => self.unit_call(*which, *unit, args)?,
            Node::Aggregate(a) => a.eval(self)?,
        })
    }

    /// A bare reference in a JSON function: lists and objects are documents.
    fn document(&mut self, n: usize) -> Sv<'a> {
        let value = self.bound(n, false);
        match value.as_ref() {
            Value::Array(_) | Value::Object(_) => {
                let text = value.to_json();
                self.work = self.work.saturating_add(if text.len() > SHORT { text.len() } else { 0 });
                Sv::Json(text)
            }
            _ => bind_bare(value),
        }
    }

    fn unit_call(
        &mut self,
        which: super::node::UnitFn,
        unit: Unit,
        args: &'a [Node],
    ) -> Result<Sv<'a>, FnError> {
        let mut given = Vec::with_capacity(args.len());
        for a in args {
            given.push(self.eval(a)?.single());
        }
        Ok(interval::unit_call(which, unit, &given, self.env))
    }

    /// Counts so many bytes.
    fn spend(&mut self, bytes: usize) -> Result<(), FnError> {
        self.work = self.work.saturating_add(bytes);
        if self.work > MAX_WORK {
            return Err(too_long());
        }
        Ok(())
    }

    fn truth(&mut self, node: &'a Node) -> Result<Option<bool>, FnError> {
        Ok(self.eval(node)?.truth())
    }

    /// Quoted text with references filled in (rule G4).
    fn template(&mut self, segs: &'a [Seg]) -> Sv<'a> {
        // A text that is one reference needs no copy.
        if let [Seg::Ref(n)] = segs {
            return match self.bound(*n, false) {
                Cow::Borrowed(Value::String(s)) => Sv::Str(Cow::Borrowed(s)),
                Cow::Owned(Value::String(s)) => Sv::Str(Cow::Owned(s.into_string())),
                other => Sv::text(in_quotes(&other).into_owned()),
            };
        }
        let mut out = String::new();
        for seg in segs {
            match seg {
                Seg::Text(t) => out.push_str(t),
                Seg::Ref(n) => out.push_str(&in_quotes(&self.bound(*n, false))),
            }
        }
        // What this is too much for fails at the next call.
        self.work = self.work.saturating_add(if out.len() > SHORT { out.len() } else { 0 });
        Sv::Str(Cow::Owned(out))
    }

    fn is_in(&mut self, x: &'a Node, items: &'a [Node], negated: bool) -> Result<Sv<'a>, FnError> {
        let v = self.eval(x)?.single();
        let mut unknown = v.is_null();
        for item in items {
            let mut hit = |c: &Sv| match compare::equal(&v, c, self.env) {
                Some(hit) => hit,
                None => {
                    unknown = true;
                    false
                }
            };
            let found = match self.eval(item)? {
                Sv::List(list) => list.iter().any(&mut hit),
                one => hit(&one),
            };
            if found {
                return Ok(Sv::flag(Some(!negated)));
            }
        }
        Ok(if unknown { Sv::Null } else { Sv::flag(Some(negated)) })
    }

    fn case(
        &mut self,
        operand: Option<&'a Node>,
        whens: &'a [(Node, Node)],
        otherwise: Option<&'a Node>,
    ) -> Result<Sv<'a>, FnError> {
        let subject = operand.map(|o| self.eval(o)).transpose()?.map(Sv::single);
        for (when, then) in whens {
            let hit = match &subject {
                Some(s) => {
                    let w = self.eval(when)?.single();
                    compare::equal(s, &w, self.env) == Some(true)
                }
                None => self.truth(when)? == Some(true),
            };
            if hit {
                return self.eval(then);
            }
        }
        otherwise.map_or(Ok(Sv::Null), |e| self.eval(e))
    }

    fn binary(&self, op: Op, x: Sv<'a>, y: Sv<'a>) -> Result<Sv<'a>, FnError> {
        let order = || compare::compare(&x, &y, self.env);
        Ok(match op {
            Op::Eq => Sv::flag(order().map(Ordering::is_eq)),
            Op::Ne => Sv::flag(order().map(Ordering::is_ne)),
            Op::Lt => Sv::flag(order().map(Ordering::is_lt)),
            Op::Le => Sv::flag(order().map(Ordering::is_le)),
            Op::Gt => Sv::flag(order().map(Ordering::is_gt)),
            Op::Ge => Sv::flag(order().map(Ordering::is_ge)),
            Op::NullEq => Sv::flag(Some(match (x.is_null(), y.is_null()) {
                (true, true) => true,
                (false, false) => order() == Some(Ordering::Equal),
                _ => false,
            })),
            Op::Xor => Sv::flag(x.truth().zip(y.truth()).map(|(p, q)| p != q)),
            Op::JsonGet => json::extract(&x, std::slice::from_ref(&y)),
            Op::JsonText => json::unquote(&json::extract(&x, std::slice::from_ref(&y))),
            Op::SoundsLike => Sv::flag(match (x.as_text(), y.as_text()) {
                (Some(a), Some(b)) => Some(texts::soundex(&a) == texts::soundex(&b)),
                _ => None,
            }),
            _ => arith::arithmetic(op, &x, &y)?,
        })
    }
}

/// A constant, borrowed: no allocation for a literal.
fn borrowed<'a>(v: &'a Sv<'static>) -> Sv<'a> {
    match v {
        Sv::Str(s) => Sv::Str(Cow::Borrowed(s)),
        Sv::Bin(b) => Sv::Bin(Cow::Borrowed(b)),
        other => other.clone(),
    }
}

/// A value as it stands between quotes.
fn in_quotes(v: &Value) -> Cow<'_, str> {
    match v {
        Value::Null => Cow::Borrowed(""),
        Value::String(s) => Cow::Borrowed(s),
        Value::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
        Value::Number(n) => n.text(),
        other => Cow::Owned(other.to_json()),
    }
}

/// Refuses a text of so many bytes.
pub(super) fn bounded(bytes: usize) -> Result<(), FnError> {
    if bytes > MAX_TEXT { Err(too_long()) } else { Ok(()) }
}

fn too_long() -> FnError {
    FnError::new("HL-2311", text!("the text would be longer than 1 MiB", "文本将超过 1 MiB"))
}

/// Bytes of a text.
fn length(v: &Sv) -> usize {
    match v {
        Sv::Str(s) => s.len(),
        Sv::Json(s) => s.len(),
        Sv::Bin(b) => b.len(),
        _ => 0,
    }
}
