//! The tree that is evaluated: every function and form is known before there is a value.

use super::aggregate::Aggregate;
use super::kind::Kind;
use super::patterns::Regex;
use super::sv::Sv;
use super::table::Builtin;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Const(Sv<'static>),
    /// A bare reference; inside an aggregate it sees the whole array.
    Ref(usize, bool),
    /// Quoted text with references in it.
    Template(Vec<Seg>),
    /// Digits and bare references that touch: what they form is taken as one bare reference's value.
    Joined(Vec<Seg>),
    Neg(Box<Node>),
    Not(Box<Node>),
    BitNot(Box<Node>),
    /// The last is the position of the operator in the source.
    Binary(Op, Box<Node>, Box<Node>, usize),
    And(Vec<Node>),
    Or(Vec<Node>),
    IsNull(Box<Node>, bool),
    /// IS TRUE, IS FALSE; the last negates.
    IsTruth(Box<Node>, bool, bool),
    In(Box<Node>, Vec<Node>, bool),
    Between(Box<[Node; 3]>, bool),
    /// Value, pattern, escape.
    Like(Box<Node>, Box<Node>, Option<Box<Node>>, bool),
    Regexp(Box<Node>, Box<Pattern>, bool),
    Case(Option<Box<Node>>, Vec<(Node, Node)>, Option<Box<Node>>),
    If(Box<[Node; 3]>),
    /// The first value that is not NULL.
    Coalesce(Vec<Node>),
    /// A choice, and what all of its branches are together: its digits, or a moment instead of a date.
    Digits(Box<Node>, Kind),
    /// `date ± INTERVAL n unit`; the flag subtracts.
    Shift(Box<Node>, Box<Node>, Unit, bool),
    Cast(Box<Node>, Cast),
    /// A function, its arguments, and its position in the source.
    Call(&'static Builtin, Vec<Node>, usize),
    /// Functions that take a unit: the unit, then the arguments.
    UnitCall(UnitFn, Unit, Vec<Node>),
    Aggregate(Box<Aggregate>),
}

impl Node {
    /// True when the answer is a truth, or NULL.
    pub fn is_truth(&self) -> bool {
        match self {
            Node::Not(_) | Node::And(_) | Node::Or(_) | Node::IsNull(..) | Node::IsTruth(..) => true,
            Node::In(..) | Node::Between(..) | Node::Like(..) | Node::Regexp(..) => true,
            Node::Binary(op, ..) => matches!(
                op,
                Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::NullEq | Op::Xor | Op::SoundsLike
            ),
            Node::Call(f, ..) => matches!(
                f.name,
                "JSON_VALID"
                    | "JSON_CONTAINS"
                    | "JSON_CONTAINS_PATH"
                    | "JSON_EXISTS"
                    | "JSON_OVERLAPS"
                    | "ISNULL"
            ),
            _ => false,
        }
    }

    /// This choice as what all of its `branches` are together.
    pub fn with_kind_of<'n>(self, branches: impl Iterator<Item = &'n Node>) -> Node {
        match Kind::choice(branches) {
            Kind::Null | Kind::Other | Kind::Exact(0) | Kind::Date => self,
            kind => Node::Digits(Box::new(self), kind),
        }
    }

    /// Digits that are only shown are of no use in a result, which is trimmed (rule Fn6).
    pub fn into_root(self) -> Node {
        let bare = |n: Box<Node>| Box::new(n.into_root());
        match self {
            Node::Digits(inner, kind) if !kind.is_temporal() => inner.into_root(),
            Node::If(three) => {
                let [c, a, b] = *three;
                Node::If(Box::new([c, a.into_root(), b.into_root()]))
            }
            Node::Case(of, whens, otherwise) => {
                let whens = whens.into_iter().map(|(when, then)| (when, then.into_root())).collect();
                Node::Case(of, whens, otherwise.map(bare))
            }
            Node::Coalesce(all) => Node::Coalesce(all.into_iter().map(Node::into_root).collect()),
            Node::Binary(op @ (Op::Add | Op::Sub | Op::Mul), a, b, place) => {
                Node::Binary(op, bare(a), bare(b), place)
            }
            Node::Neg(x) => Node::Neg(bare(x)),
            Node::Call(f, mut args, place)
                if matches!(f.name, "ROUND" | "TRUNCATE" | "FLOOR" | "CEIL" | "ABS") =>
            {
                if let Some(first) = args.first_mut() {
                    let whole = std::mem::replace(first, Node::Const(Sv::Null));
                    *first = whole.into_root();
                }
                Node::Call(f, args, place)
            }
            other => other,
        }
    }
}

/// A regular expression: compiled, or of a pattern that is only known with the data.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// With the pattern as it was written.
    Fixed(Regex, Box<str>),
    Of(Node),
}

/// A part of quoted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seg {
    Text(String),
    Ref(usize),
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    IntDiv,
    Mod,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    NullEq,
    Xor,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    JsonGet,
    JsonText,
    SoundsLike,
}

/// Units of INTERVAL, TIMESTAMPDIFF and EXTRACT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Microsecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    SecondMicrosecond,
    MinuteMicrosecond,
    MinuteSecond,
    HourMicrosecond,
    HourSecond,
    HourMinute,
    DayMicrosecond,
    DaySecond,
    DayMinute,
    DayHour,
    YearMonth,
}

/// Names of the units.
pub(super) const UNITS: &[(&str, Unit)] = &[
    ("MICROSECOND", Unit::Microsecond),
    ("SECOND", Unit::Second),
    ("MINUTE", Unit::Minute),
    ("HOUR", Unit::Hour),
    ("DAY", Unit::Day),
    ("WEEK", Unit::Week),
    ("MONTH", Unit::Month),
    ("QUARTER", Unit::Quarter),
    ("YEAR", Unit::Year),
    ("SECOND_MICROSECOND", Unit::SecondMicrosecond),
    ("MINUTE_MICROSECOND", Unit::MinuteMicrosecond),
    ("MINUTE_SECOND", Unit::MinuteSecond),
    ("HOUR_MICROSECOND", Unit::HourMicrosecond),
    ("HOUR_SECOND", Unit::HourSecond),
    ("HOUR_MINUTE", Unit::HourMinute),
    ("DAY_MICROSECOND", Unit::DayMicrosecond),
    ("DAY_SECOND", Unit::DaySecond),
    ("DAY_MINUTE", Unit::DayMinute),
    ("DAY_HOUR", Unit::DayHour),
    ("YEAR_MONTH", Unit::YearMonth),
];

/// Functions with a unit argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitFn {
    TimestampDiff,
    TimestampAdd,
    Extract,
}

/// Targets of CAST and CONVERT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    Char(Option<u64>),
    Binary(Option<u64>),
    Signed,
    Unsigned,
    Decimal(u32, u32),
    Double,
    Float,
    Date,
    DateTime(u8),
    Time(u8),
    Year,
    Json,
}
