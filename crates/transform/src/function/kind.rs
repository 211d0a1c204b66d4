//! What is known of a value before it is there. MySQL gives a choice the kind of all of its branches together: of a
//! number and a quotient the digits of the quotient, of a date and a moment a moment.

use super::FnEnv;
use super::aggregate::Fold;
use super::decimal::{Dec, MAX_SCALE, NOT_FIXED};
use super::moment::Moment;
use super::node::{Cast, Node, Op, Unit};
use super::sv::{Num, Sv};

/// The kind of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    /// An exact number with so many digits behind the point.
    Exact(u32),
    /// A floating number that shows so many.
    Float(u32),
    Date,
    /// With so many digits of its seconds, as the next.
    Moment(u8),
    Time(u8),
    /// Text, and all that is not known.
    Other,
    /// What the reference is bound to.
    Ref(usize),
    /// As many digits as the one that has more.
    Sum(Box<[Kind; 2]>),
    Product(Box<[Kind; 2]>),
    Quotient(Box<[Kind; 2]>),
    /// Rounded to so many digits.
    Rounded(Box<Kind>, u32),
    /// One of these.
    Choice(Vec<Kind>),
}

impl Kind {
    /// The kind of an expression.
    pub fn of(node: &Node) -> Kind {
        match node {
            Node::Const(v) => Kind::of_value(v),
            Node::Ref(n, _) => Kind::Ref(*n),
            Node::Neg(x) => Kind::Sum(Box::new([Kind::of(x), Kind::Null])).settled(),
            Node::Binary(op, a, b, _) => Kind::of_operator(*op, a, b),
            Node::If(three) => Kind::choice(three.iter().skip(1)),
            Node::Coalesce(all) => Kind::choice(all.iter()),
            Node::Case(_, whens, otherwise) => {
                Kind::choice(whens.iter().map(|w| &w.1).chain(otherwise.as_deref()))
            }
            Node::Digits(_, kind) => kind.clone(),
            Node::Shift(x, _, unit, _) => match (Kind::of(x), unit) {
                (Kind::Date, Unit::Day | Unit::Week | Unit::Month | Unit::Quarter | Unit::Year) => Kind::Date,
                (Kind::Date, Unit::YearMonth) => Kind::Date,
                (Kind::Date, _) => Kind::Moment(0),
                (found @ (Kind::Moment(_) | Kind::Time(_)), _) => found,
                _ => Kind::Other,
            },
            Node::Cast(_, to) => match to {
                Cast::Signed | Cast::Unsigned | Cast::Year => Kind::Exact(0),
                Cast::Decimal(_, scale) => Kind::Exact(*scale),
                Cast::Double | Cast::Float => Kind::Float(NOT_FIXED),
                Cast::Date => Kind::Date,
                // Six stands for those of the text.
                Cast::DateTime(fsp) => Kind::Moment(fsp % 6),
                Cast::Time(fsp) => Kind::Time(fsp % 6),
                Cast::Char(_) | Cast::Binary(_) | Cast::Json => Kind::Other,
            },
            Node::Call(f, args, _) => Kind::of_call(f.name, args),
            Node::Aggregate(a) => match (a.fold, a.args.first()) {
                (Fold::Count | Fold::BitAnd | Fold::BitOr | Fold::BitXor, _) => Kind::Exact(0),
                (Fold::Max | Fold::Min | Fold::First, Some(x)) => Kind::of(x),
                (Fold::Sum, Some(x)) => Kind::Sum(Box::new([Kind::of(x), Kind::Null])).settled(),
                (Fold::Avg, Some(x)) => Kind::Quotient(Box::new([Kind::of(x), Kind::Null])).settled(),
                _ => Kind::Other,
            },
            node if node.is_truth() => Kind::Exact(0),
            Node::BitNot(_) => Kind::Exact(0),
            _ => Kind::Other,
        }
    }

    fn of_operator(op: Op, a: &Node, b: &Node) -> Kind {
        let both = || Box::new([Kind::of(a), Kind::of(b)]);
        match op {
            Op::Add | Op::Sub | Op::Mod => Kind::Sum(both()).settled(),
            Op::Mul => Kind::Product(both()).settled(),
            Op::Div => Kind::Quotient(both()).settled(),
            Op::JsonGet | Op::JsonText => Kind::Other,
            _ => Kind::Exact(0),
        }
    }

    fn of_call(name: &str, args: &[Node]) -> Kind {
        let first = || args.first().map_or(Kind::Other, Kind::of);
        let constant = |i: usize| match args.get(i) {
            Some(Node::Const(v)) => v.as_i64(),
            _ => None,
        };
        let fsp = || constant(0).map_or(0, |n| u8::try_from(n.clamp(0, 6)).unwrap_or(0));
        match name {
            "LENGTH" | "CHAR_LENGTH" | "CHARACTER_LENGTH" | "OCTET_LENGTH" | "BIT_LENGTH" | "LOCATE"
            | "INSTR" | "FIND_IN_SET" | "FIELD" | "STRCMP" | "ASCII" | "ORD" | "SIGN" | "INTERVAL"
            | "ISNULL" | "YEAR" | "MONTH" | "DAY" | "DAYOFMONTH" | "DAYOFWEEK" | "DAYOFYEAR" | "WEEKDAY"
            | "WEEK" | "WEEKOFYEAR" | "YEARWEEK" | "QUARTER" | "HOUR" | "MINUTE" | "SECOND"
            | "MICROSECOND" | "DATEDIFF" | "TO_DAYS" | "PERIOD_ADD" | "PERIOD_DIFF" | "CRC32"
            | "BIT_COUNT" | "JSON_LENGTH" | "JSON_DEPTH" | "REGEXP_INSTR" => Kind::Exact(0),
            "ABS" => Kind::Sum(Box::new([first(), Kind::Null])).settled(),
            "MOD" => match args {
                [a, b] => Kind::of_operator(Op::Mod, a, b),
                _ => Kind::Other,
            },
            "FLOOR" | "CEIL" | "CEILING" => Kind::Rounded(Box::new(first()), 0).settled(),
            "ROUND" if args.len() == 1 => Kind::Rounded(Box::new(first()), 0).settled(),
            "ROUND" | "TRUNCATE" => match constant(1) {
                Some(n) => {
                    let places = u32::try_from(n.clamp(0, i64::from(MAX_SCALE))).unwrap_or(0);
                    Kind::Rounded(Box::new(first()), places).settled()
                }
                None => Kind::Other,
            },
            "NULLIF" => first(),
            "GREATEST" | "LEAST" => Kind::choice(args.iter()),
            "SQRT" | "POW" | "POWER" | "EXP" | "LN" | "LOG" | "LOG2" | "LOG10" | "RAND" => {
                Kind::Float(NOT_FIXED)
            }
            "DATE" | "CURDATE" | "CURRENT_DATE" | "UTC_DATE" | "LAST_DAY" | "MAKEDATE" | "FROM_DAYS" => {
                Kind::Date
            }
            "NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE" | "UTC_TIMESTAMP" => {
                Kind::Moment(fsp())
            }
            "CURTIME" | "CURRENT_TIME" | "UTC_TIME" => Kind::Time(fsp()),
            "TIMESTAMP" | "CONVERT_TZ" => Kind::Moment(0),
            "FROM_UNIXTIME" if args.len() == 1 => match first() {
                Kind::Exact(n) => Kind::Moment(u8::try_from(n.min(6)).unwrap_or(6)),
                _ => Kind::Moment(0),
            },
            "TIME" | "SEC_TO_TIME" | "TIMEDIFF" | "MAKETIME" => Kind::Time(0),
            "STR_TO_DATE" => match args.get(1) {
                Some(Node::Const(Sv::Str(format))) => Kind::of_format(format),
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    /// What STR_TO_DATE makes with a format.
    fn of_format(format: &str) -> Kind {
        let has = |letters: &str| {
            let mut all = format.chars();
            std::iter::from_fn(|| all.by_ref().find(|c| *c == '%').and_then(|_| all.next()))
                .any(|c| letters.contains(c))
        };
        let fsp = if has("f") { 6 } else { 0 };
        match (has("YymcdejMbDaWuUvVxX"), has("HhIklisSfprT")) {
            (true, false) => Kind::Date,
            (false, true) => Kind::Time(fsp),
            _ => Kind::Moment(fsp),
        }
    }

    /// The kind of a value.
    pub fn of_value(v: &Sv) -> Kind {
        match v {
            Sv::Null => Kind::Null,
            Sv::Bool(_) => Kind::Exact(0),
            Sv::Num(Num::Dec(d)) => Kind::Exact(d.shown()),
            Sv::Num(n) => Kind::Float(n.shown()),
            Sv::Date(_) => Kind::Date,
            Sv::Moment(_, fsp) => Kind::Moment(*fsp),
            Sv::Time(_, fsp) => Kind::Time(*fsp),
            Sv::List(items) => items.iter().map(Kind::of_value).fold(Kind::Null, Kind::or),
            Sv::Str(_) | Sv::Json(_) | Sv::Bin(_) => Kind::Other,
        }
    }

    /// The kind of a choice between these.
    pub fn choice<'n>(branches: impl Iterator<Item = &'n Node>) -> Kind {
        let (mut known, mut rest) = (Kind::Null, Vec::new());
        for branch in branches {
            let more = match Kind::of(branch) {
                Kind::Choice(all) => all,
                one => vec![one],
            };
            for kind in more {
                if kind.is_known() {
                    known = known.or(kind);
                } else if rest.len() > 64 || !rest.contains(&kind) {
                    rest.push(kind);
                }
                // Among texts nothing changes what is chosen.
                if known == Kind::Other {
                    return Kind::Other;
                }
            }
        }
        if rest.is_empty() {
            return known;
        }
        if known != Kind::Null {
            rest.push(known);
        }
        Kind::Choice(rest)
    }

    /// True when no value is needed to tell.
    fn is_known(&self) -> bool {
        !matches!(
            self,
            Kind::Ref(_)
                | Kind::Sum(_)
                | Kind::Product(_)
                | Kind::Quotient(_)
                | Kind::Rounded(..)
                | Kind::Choice(_)
        )
    }

    /// Computed once and for all, if it can be.
    fn settled(self) -> Kind {
        let known = match &self {
            Kind::Sum(two) | Kind::Product(two) | Kind::Quotient(two) => two.iter().all(Kind::is_known),
            Kind::Rounded(one, _) => one.is_known(),
            _ => false,
        };
        if known { self.resolve(&mut |_| Kind::Null) } else { self }
    }

    /// The kind, with the values of the references.
    pub fn resolve(&self, bound: &mut dyn FnMut(usize) -> Kind) -> Kind {
        match self {
            Kind::Ref(n) => bound(*n),
            Kind::Sum(two) => {
                let [a, b] = two.as_ref();
                numbers(&a.resolve(bound), &b.resolve(bound))
            }
            Kind::Product(two) => {
                let [a, b] = two.as_ref();
                match (a.resolve(bound).as_number(), b.resolve(bound).as_number()) {
                    (Kind::Exact(x), Kind::Exact(y)) => Kind::Exact((x + y).min(MAX_SCALE)),
                    (x, y) => numbers(&x, &y),
                }
            }
            Kind::Quotient(two) => {
                let [a, b] = two.as_ref();
                match (a.resolve(bound).as_number(), b.resolve(bound).as_number()) {
                    (Kind::Exact(x), Kind::Exact(_)) => Kind::Exact((x + 4).min(MAX_SCALE)),
                    (x, y) => match numbers(&x, &y) {
                        Kind::Float(n) if n < NOT_FIXED => Kind::Float(n + 4),
                        other => other,
                    },
                }
            }
            Kind::Rounded(x, places) => match x.resolve(bound) {
                Kind::Null => Kind::Float(*places),
                kind => match kind.as_number() {
                    Kind::Exact(0) => Kind::Exact(0),
                    Kind::Exact(_) => Kind::Exact(*places),
                    _ => Kind::Float(*places),
                },
            },
            Kind::Choice(all) => all.iter().map(|k| k.resolve(bound)).fold(Kind::Null, Kind::or),
            known => known.clone(),
        }
    }

    /// As an operand of arithmetic.
    fn as_number(&self) -> Kind {
        match self {
            Kind::Exact(_) | Kind::Float(_) => self.clone(),
            Kind::Moment(fsp) | Kind::Time(fsp) => Kind::Exact(u32::from(*fsp)),
            Kind::Null | Kind::Date => Kind::Exact(0),
            _ => Kind::Float(NOT_FIXED),
        }
    }

    /// The kind of one of two.
    fn or(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Null, one) | (one, Kind::Null) => one,
            (a @ (Kind::Exact(_) | Kind::Float(_)), b @ (Kind::Exact(_) | Kind::Float(_))) => numbers(&a, &b),
            (Kind::Date, Kind::Date) => Kind::Date,
            (Kind::Time(a), Kind::Time(b)) => Kind::Time(a.max(b)),
            (Kind::Moment(a), Kind::Moment(b) | Kind::Time(b)) => Kind::Moment(a.max(b)),
            (Kind::Time(a), Kind::Moment(b)) => Kind::Moment(a.max(b)),
            (Kind::Date, Kind::Moment(n) | Kind::Time(n)) | (Kind::Moment(n) | Kind::Time(n), Kind::Date) => {
                Kind::Moment(n)
            }
            _ => Kind::Other,
        }
    }

    /// True when a date may be among them.
    pub fn is_temporal(&self) -> bool {
        match self {
            Kind::Date | Kind::Moment(_) | Kind::Time(_) => true,
            Kind::Choice(all) => all.iter().any(Kind::is_temporal),
            _ => false,
        }
    }

    /// A value that was chosen, as this kind.
    pub fn apply<'a>(&self, v: Sv<'a>, env: &FnEnv) -> Sv<'a> {
        match (self, v) {
            (Kind::Exact(n), Sv::Num(Num::Dec(d))) => {
                let shown = d.shown().max(*n);
                Sv::dec(d.show(shown))
            }
            (Kind::Exact(n), Sv::Bool(b)) if *n > 0 => Sv::dec(Dec::int(i128::from(b)).show(*n)),
            (Kind::Float(n), Sv::Num(Num::Dec(d) | Num::Apx(d))) => {
                let shown = d.shown().max(*n);
                Sv::Num(Num::Apx(d.show(shown)))
            }
            (Kind::Float(n), Sv::Num(Num::Dbl(f, shown))) => Sv::Num(Num::Dbl(f, shown.max(*n))),
            (Kind::Moment(n), Sv::Date(d)) => Sv::Moment(Moment::midnight(d), *n),
            (Kind::Moment(n), Sv::Moment(t, fsp)) => Sv::Moment(t, fsp.max(*n)),
            (Kind::Moment(n), Sv::Time(us, fsp)) => match Sv::Time(us, fsp).as_moment(env) {
                Some((t, _)) => Sv::Moment(t, fsp.max(*n)),
                None => Sv::Null,
            },
            (Kind::Time(n), Sv::Time(us, fsp)) => Sv::Time(us, fsp.max(*n)),
            (_, v) => v,
        }
    }
}

/// The kind of two operands with so many digits.
fn numbers(a: &Kind, b: &Kind) -> Kind {
    match (a.as_number(), b.as_number()) {
        (Kind::Exact(x), Kind::Exact(y)) => Kind::Exact(x.max(y)),
        (Kind::Exact(x) | Kind::Float(x), Kind::Exact(y) | Kind::Float(y)) => Kind::Float(x.max(y)),
        _ => Kind::Other,
    }
}
