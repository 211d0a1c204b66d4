//! Aggregates over the values of an array (rule Fn7): of a reference's own list, or of a formula row by row.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::decimal::{Dec, NOT_FIXED};
use super::eval::{Ctx, bounded};
use super::node::{Node, Seg};
use super::sv::{Num, Sv};
use super::{FnEnv, FnError, compare, json};
use crate::Value;

/// Most rows over which a formula is evaluated.
const MAX_ROWS: usize = 100_000;

/// What is made of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Count,
    Sum,
    Avg,
    Max,
    Min,
    Concat,
    Std,
    StdSample,
    Variance,
    VarianceSample,
    BitAnd,
    BitOr,
    BitXor,
    First,
    List,
}

impl Fold {
    pub fn of(name: &str) -> Option<Fold> {
        Some(match name {
            "COUNT" => Fold::Count,
            "SUM" => Fold::Sum,
            "AVG" => Fold::Avg,
            "MAX" => Fold::Max,
            "MIN" => Fold::Min,
            "GROUP_CONCAT" => Fold::Concat,
            "STD" | "STDDEV" | "STDDEV_POP" => Fold::Std,
            "STDDEV_SAMP" => Fold::StdSample,
            "VARIANCE" | "VAR_POP" => Fold::Variance,
            "VAR_SAMP" => Fold::VarianceSample,
            "BIT_AND" => Fold::BitAnd,
            "BIT_OR" => Fold::BitOr,
            "BIT_XOR" => Fold::BitXor,
            "ANY_VALUE" => Fold::First,
            "JSON_ARRAYAGG" => Fold::List,
            _ => return None,
        })
    }
}

/// An aggregate and its argument.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub fold: Fold,
    pub args: Vec<Node>,
    pub distinct: bool,
    /// Keys of ORDER BY; the flag is DESC.
    pub order: Vec<(Node, bool)>,
    pub separator: Option<Node>,
}

/// The lists of the references inside a formula, and the row that is being evaluated.
pub(super) struct Rows<'a> {
    lists: Vec<(usize, Cow<'a, Value>)>,
    row: usize,
}

impl<'a> Rows<'a> {
    pub fn value(&self, n: usize) -> Cow<'a, Value> {
        let own = |v: Option<&Value>| Cow::Owned(v.cloned().unwrap_or(Value::Null));
        match self.lists.iter().find(|(r, _)| *r == n).map(|(_, v)| v) {
            Some(Cow::Borrowed(Value::Array(list))) => match list.get(self.row) {
                Some(v) => Cow::Borrowed(v),
                None => Cow::Owned(Value::Null),
            },
            Some(Cow::Owned(Value::Array(list))) => own(list.get(self.row)),
            Some(other) => other.clone(),
            None => Cow::Owned(Value::Null),
        }
    }
}

impl Aggregate {
    pub fn eval<'a>(&'a self, ctx: &mut Ctx<'a, '_>) -> Result<Sv<'a>, FnError> {
        let separator = match &self.separator {
            Some(s) => ctx.eval(s)?.as_text().map(|t| t.into_owned()).unwrap_or_default(),
            None => ",".to_owned(),
        };
        let mut values: Vec<Sv> = Vec::new();
        let mut keys: Vec<Vec<Sv>> = Vec::new();
        match self.args.as_slice() {
            [only @ Node::Ref(..)] if self.order.is_empty() || ctx.rows.is_some() => {
                flatten(ctx.eval(only)?, &mut values);
            }
            _ => self.by_row(ctx, &mut values, &mut keys)?,
        }
        if !keys.is_empty() {
            let mut pairs: Vec<(Vec<Sv>, Sv)> = keys.into_iter().zip(values).collect();
            pairs.sort_by(|a, b| self.order_of(&a.0, &b.0, ctx.env));
            values = pairs.into_iter().map(|p| p.1).collect();
        }
        if self.fold == Fold::List {
            return Ok(json::array(&values, ","));
        }
        values.retain(|v| !v.is_null());
        if self.distinct {
            values = distinct(values, ctx.env);
        }
        fold(self.fold, values, &separator, ctx.env)
    }

    /// NULL comes first.
    fn order_of(&self, a: &[Sv], b: &[Sv], env: &FnEnv) -> Ordering {
        for ((_, descending), (x, y)) in self.order.iter().zip(a.iter().zip(b)) {
            let order = compare::compare(x, y, env).unwrap_or_else(|| y.is_null().cmp(&x.is_null()));
            if order.is_ne() {
                return if *descending { order.reverse() } else { order };
            }
        }
        Ordering::Equal
    }

    /// The formula's results row by row, over the longest list among its references.
    fn by_row<'a>(
        &'a self,
        ctx: &mut Ctx<'a, '_>,
        out: &mut Vec<Sv<'a>>,
        keys: &mut Vec<Vec<Sv<'a>>>,
    ) -> Result<(), FnError> {
        let mut refs = Vec::new();
        self.args.iter().chain(self.order.iter().map(|o| &o.0)).for_each(|a| a.refs(&mut refs));
        if ctx.rows.is_none() {
            let lists: Vec<(usize, Cow<Value>)> = refs.into_iter().map(|n| (n, ctx.bound(n, true))).collect();
            let count = lists.iter().filter_map(|(_, v)| v.as_array()).map(<[Value]>::len).max();
            if let Some(count) = count {
                ctx.rows = Some(Rows { lists, row: 0 });
                let mut done = Ok(());
                for i in 0..count.min(MAX_ROWS) {
                    if let Some(rows) = &mut ctx.rows {
                        rows.row = i;
                    }
                    done = self.one_row(ctx, out, keys);
                    if done.is_err() {
                        break;
                    }
                }
                ctx.rows = None;
                return done;
            }
        }
        self.one_row(ctx, out, keys)
    }

    fn one_row<'a>(
        &'a self,
        ctx: &mut Ctx<'a, '_>,
        out: &mut Vec<Sv<'a>>,
        keys: &mut Vec<Vec<Sv<'a>>>,
    ) -> Result<(), FnError> {
        let before = out.len();
        match self.args.as_slice() {
            [only] => flatten(ctx.eval(only)?, out),
            several => {
                // GROUP_CONCAT(a, b) and COUNT(DISTINCT a, b): NULL with any NULL.
                let mut all = String::new();
                let mut null = false;
                for a in several {
                    let v = ctx.eval(a)?.single();
                    null |= v.is_null();
                    all.push_str(&v.as_text().unwrap_or_default());
                    if self.fold == Fold::Count {
                        all.push('\0');
                    }
                    bounded(all.len())?;
                }
                out.push(if null { Sv::Null } else { Sv::text(all) });
            }
        }
        if !self.order.is_empty() {
            let mut key = Vec::with_capacity(self.order.len());
            for (node, _) in &self.order {
                key.push(ctx.eval(node)?.single());
            }
            for _ in before..out.len() {
                keys.push(key.clone());
            }
        }
        Ok(())
    }
}

fn flatten<'a>(v: Sv<'a>, out: &mut Vec<Sv<'a>>) {
    match v {
        Sv::List(items) => items.into_iter().for_each(|i| flatten(i, out)),
        other => out.push(other),
    }
}

fn distinct<'a>(values: Vec<Sv<'a>>, env: &FnEnv) -> Vec<Sv<'a>> {
    let mut sorted: Vec<(usize, &Sv)> = values.iter().enumerate().collect();
    let order = |a: &Sv, b: &Sv| compare::compare(a, b, env).unwrap_or(Ordering::Equal);
    sorted.sort_by(|a, b| order(a.1, b.1).then(a.0.cmp(&b.0)));
    let mut keep = vec![false; values.len()];
    let mut last: Option<&Sv> = None;
    for (i, v) in sorted {
        if last.is_none_or(|l| order(l, v).is_ne()) {
            if let Some(k) = keep.get_mut(i) {
                *k = true;
            }
            last = Some(v);
        }
    }
    let mut keep = keep.into_iter();
    values.into_iter().filter(|_| keep.next() == Some(true)).collect()
}

fn fold<'a>(fold: Fold, values: Vec<Sv<'a>>, separator: &str, env: &FnEnv) -> Result<Sv<'a>, FnError> {
    let count = values.len();
    match fold {
        Fold::Count => return Ok(Sv::int(count as i128)),
        Fold::BitAnd | Fold::BitOr | Fold::BitXor => {
            let start = if fold == Fold::BitAnd { u64::MAX } else { 0 };
            let bits = values.iter().filter_map(|v| v.as_num().map(|n| n.to_bits()));
            return Ok(Sv::int(bits.fold(start, |acc, n| match fold {
                Fold::BitAnd => acc & n,
                Fold::BitOr => acc | n,
                _ => acc ^ n,
            })));
        }
        _ => {}
    }
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return Ok(Sv::Null) };
    Ok(match fold {
        Fold::First => first,
        Fold::Concat => {
            let mut out = first.as_text().unwrap_or_default().into_owned();
            for v in values {
                out.push_str(separator);
                out.push_str(&v.as_text().unwrap_or_default());
                bounded(out.len())?;
            }
            Sv::text(out)
        }
        Fold::Max | Fold::Min => {
            let wanted = if fold == Fold::Max { Ordering::Greater } else { Ordering::Less };
            values.fold(
                first,
                |best, v| if compare::compare(&v, &best, env) == Some(wanted) { v } else { best },
            )
        }
        Fold::Sum | Fold::Avg => {
            let mut approximate = false;
            let mut sum = Dec::ZERO;
            for v in std::iter::once(first).chain(values) {
                let n = v.as_num().unwrap_or(Num::Dec(Dec::ZERO));
                approximate |= !matches!(n, Num::Dec(_));
                sum = sum.add(&n.dec());
            }
            if fold == Fold::Avg {
                sum = sum.div(&Dec::int(count as i128)).unwrap_or(Dec::ZERO);
            }
            if approximate { Sv::Num(Num::Apx(sum)) } else { Sv::dec(sum) }
        }
        _ => {
            let all: Vec<Num> = std::iter::once(first).chain(values).filter_map(|v| v.as_num()).collect();
            let shown = all.iter().map(Num::shown).max().unwrap_or(0);
            let shown = if shown >= NOT_FIXED { NOT_FIXED } else { shown + 4 };
            let all: Vec<f64> = all.iter().map(Num::f64).collect();
            let n = all.len() as f64;
            let mean = all.iter().sum::<f64>() / n;
            let square = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
            let sample = matches!(fold, Fold::StdSample | Fold::VarianceSample);
            if sample && all.len() < 2 {
                return Ok(Sv::Null);
            }
            let variance = square / if sample { n - 1.0 } else { n };
            let root = matches!(fold, Fold::Std | Fold::StdSample);
            Sv::Num(Num::Dbl(if root { variance.sqrt() } else { variance }, shown))
        }
    })
}

impl Node {
    /// The references below this node.
    pub fn refs(&self, out: &mut Vec<usize>) {
        match self {
            Node::Const(_) => {}
            Node::Ref(n, _) => out.push(*n),
            Node::Template(segs) | Node::Joined(segs) => out.extend(segs.iter().filter_map(|s| match s {
                Seg::Ref(n) => Some(*n),
                Seg::Text(_) => None,
            })),
            Node::Neg(x)
            | Node::Not(x)
            | Node::BitNot(x)
            | Node::IsNull(x, _)
            | Node::IsTruth(x, ..)
            | Node::Digits(x, ..)
            | Node::Cast(x, _) => {
                x.refs(out);
            }
            Node::Binary(_, a, b, _) | Node::Shift(a, b, ..) => {
                a.refs(out);
                b.refs(out);
            }
            Node::Like(a, b, escape, _) => {
                a.refs(out);
                b.refs(out);
                escape.iter().for_each(|e| e.refs(out));
            }
            Node::Regexp(x, pattern, _) => {
                x.refs(out);
                if let super::node::Pattern::Of(p) = pattern.as_ref() {
                    p.refs(out);
                }
            }
            Node::Between(three, _) | Node::If(three) => three.iter().for_each(|x| x.refs(out)),
            Node::In(x, items, _) => {
                x.refs(out);
                items.iter().for_each(|i| i.refs(out));
            }
            Node::Case(subject, whens, otherwise) => {
                subject.iter().chain(otherwise).for_each(|x| x.refs(out));
                whens.iter().for_each(|(w, t)| {
                    w.refs(out);
                    t.refs(out);
                });
            }
            Node::And(all) | Node::Or(all) | Node::Coalesce(all) => all.iter().for_each(|a| a.refs(out)),
            Node::Call(_, args, _) | Node::UnitCall(_, _, args) => args.iter().for_each(|a| a.refs(out)),
            Node::Aggregate(a) => a.args.iter().chain(a.order.iter().map(|o| &o.0)).for_each(|x| x.refs(out)),
        }
    }
}
