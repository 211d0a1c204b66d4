//! From the parser's tree to ours: every function and form is known before anything is evaluated.

use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, Function as SqlFunction,
    FunctionArg, FunctionArgExpr, FunctionArguments, InTarget, TrimWhereField, UnaryOperator, Value as Lit,
};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use super::scan::{CLOSE, NAME, OPEN};
use super::{FnError, Sv};
use crate::text;

/// Deepest nesting of an expression.
const MAX_DEPTH: usize = 60;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Const(Sv),
    /// A bare reference.
    Ref(usize),
    /// Quoted text with references in it.
    Template(Vec<Seg>),
    Neg(Box<Node>),
    Not(Box<Node>),
    BitNot(Box<Node>),
    Binary(Op, Box<Node>, Box<Node>),
    IsNull(Box<Node>, bool),
    IsTruth(Box<Node>, bool, bool),
    In(Box<Node>, Vec<Node>, bool),
    Between(Box<Node>, Box<Node>, Box<Node>, bool),
    Like(Box<Node>, Box<Node>, char, bool),
    Regexp(Box<Node>, Box<Node>, bool),
    Case(Option<Box<Node>>, Vec<(Node, Node)>, Option<Box<Node>>),
    /// `date ± INTERVAL n unit`; the flag subtracts.
    Shift(Box<Node>, Box<Node>, Unit, bool),
    Cast(Box<Node>, Cast),
    /// A function by its position in [`FUNCTIONS`].
    Call(usize, Vec<Node>, bool),
    /// Functions that take a unit: the unit, then the arguments.
    UnitCall(UnitFn, Unit, Vec<Node>),
}

/// A part of quoted text.
#[derive(Debug, Clone)]
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
    And,
    Or,
    Xor,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    JsonGet,
    JsonText,
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
}

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
    Signed,
    Unsigned,
    Decimal(u64, u64),
    Double,
    Date,
    DateTime(u8),
    Time(u8),
    Json,
    Same,
}

/// Name, fewest and most arguments. One table: the check, the error with the nearest name, and the reference use it.
pub(super) const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("ABS", 1, 1),
    ("ACOS", 1, 1),
    ("ADDDATE", 2, 2),
    ("ADDTIME", 2, 2),
    ("ASCII", 1, 1),
    ("ASIN", 1, 1),
    ("ATAN", 1, 2),
    ("ATAN2", 2, 2),
    ("AVG", 1, 1),
    ("BIN", 1, 1),
    ("BIT_LENGTH", 1, 1),
    ("CEIL", 1, 1),
    ("CEILING", 1, 1),
    ("CHAR", 1, 99),
    ("CHARACTER_LENGTH", 1, 1),
    ("CHAR_LENGTH", 1, 1),
    ("COALESCE", 1, 99),
    ("CONCAT", 1, 99),
    ("CONCAT_WS", 1, 99),
    ("CONV", 3, 3),
    ("COS", 1, 1),
    ("COT", 1, 1),
    ("COUNT", 1, 1),
    ("CRC32", 1, 1),
    ("CURDATE", 0, 0),
    ("CURRENT_DATE", 0, 0),
    ("CURRENT_TIME", 0, 1),
    ("CURRENT_TIMESTAMP", 0, 1),
    ("CURTIME", 0, 1),
    ("DATE", 1, 1),
    ("DATEDIFF", 2, 2),
    ("DATE_FORMAT", 2, 3),
    ("DAY", 1, 1),
    ("DAYNAME", 1, 1),
    ("DAYOFMONTH", 1, 1),
    ("DAYOFWEEK", 1, 1),
    ("DAYOFYEAR", 1, 1),
    ("DEGREES", 1, 1),
    ("ELT", 2, 99),
    ("EXP", 1, 1),
    ("FIELD", 2, 99),
    ("FIND_IN_SET", 2, 2),
    ("FLOOR", 1, 1),
    ("FORMAT", 2, 3),
    ("FORMAT_DATE", 2, 2),
    ("FROM_BASE64", 1, 1),
    ("FROM_DAYS", 1, 1),
    ("FROM_UNIXTIME", 1, 2),
    ("GREATEST", 2, 99),
    ("GROUP_CONCAT", 1, 1),
    ("HEX", 1, 1),
    ("HOUR", 1, 1),
    ("IF", 3, 3),
    ("IFNULL", 2, 2),
    ("INSERT", 4, 4),
    ("INSTR", 2, 2),
    ("ISNULL", 1, 1),
    ("JSON_ARRAY", 0, 99),
    ("JSON_CONTAINS", 2, 3),
    ("JSON_EXTRACT", 2, 99),
    ("JSON_KEYS", 1, 2),
    ("JSON_LENGTH", 1, 2),
    ("JSON_OBJECT", 0, 99),
    ("JSON_QUOTE", 1, 1),
    ("JSON_TYPE", 1, 1),
    ("JSON_UNQUOTE", 1, 1),
    ("JSON_VALID", 1, 1),
    ("JSON_VALUE", 2, 2),
    ("LAST_DAY", 1, 1),
    ("LCASE", 1, 1),
    ("LEAST", 2, 99),
    ("LEFT", 2, 2),
    ("LENGTH", 1, 1),
    ("LN", 1, 1),
    ("LOCALTIME", 0, 1),
    ("LOCALTIMESTAMP", 0, 1),
    ("LOCATE", 2, 3),
    ("LOG", 1, 2),
    ("LOG10", 1, 1),
    ("LOG2", 1, 1),
    ("LOWER", 1, 1),
    ("LPAD", 2, 3),
    ("LTRIM", 1, 1),
    ("MAKEDATE", 2, 2),
    ("MAKETIME", 3, 3),
    ("MAX", 1, 1),
    ("MD5", 1, 1),
    ("MICROSECOND", 1, 1),
    ("MID", 2, 3),
    ("MIN", 1, 1),
    ("MINUTE", 1, 1),
    ("MOD", 2, 2),
    ("MONTH", 1, 1),
    ("MONTHNAME", 1, 1),
    ("NOW", 0, 1),
    ("NULLIF", 2, 2),
    ("OCT", 1, 1),
    ("OCTET_LENGTH", 1, 1),
    ("ORD", 1, 1),
    ("PERIOD_ADD", 2, 2),
    ("PERIOD_DIFF", 2, 2),
    ("PI", 0, 0),
    ("POSITION", 2, 2),
    ("POW", 2, 2),
    ("POWER", 2, 2),
    ("QUARTER", 1, 1),
    ("QUOTE", 1, 1),
    ("RADIANS", 1, 1),
    ("REGEXP_INSTR", 2, 2),
    ("REGEXP_LIKE", 2, 3),
    ("REGEXP_REPLACE", 3, 3),
    ("REGEXP_SUBSTR", 2, 2),
    ("REPEAT", 2, 2),
    ("REPLACE", 3, 3),
    ("REVERSE", 1, 1),
    ("RIGHT", 2, 2),
    ("ROUND", 1, 2),
    ("RPAD", 2, 3),
    ("RTRIM", 1, 1),
    ("SECOND", 1, 1),
    ("SEC_TO_TIME", 1, 1),
    ("SHA", 1, 1),
    ("SHA1", 1, 1),
    ("SHA2", 2, 2),
    ("SIGN", 1, 1),
    ("SIN", 1, 1),
    ("SPACE", 1, 1),
    ("SQRT", 1, 1),
    ("STRCMP", 2, 2),
    ("STR_TO_DATE", 2, 2),
    ("SUBDATE", 2, 2),
    ("SUBSTR", 2, 3),
    ("SUBSTRING", 2, 3),
    ("SUBSTRING_INDEX", 3, 3),
    ("SUBTIME", 2, 2),
    ("SUM", 1, 1),
    ("SYSDATE", 0, 1),
    ("TAN", 1, 1),
    ("TIME", 1, 1),
    ("TIMEDIFF", 2, 2),
    ("TIMESTAMP", 1, 2),
    ("TIME_FORMAT", 2, 2),
    ("TIME_TO_SEC", 1, 1),
    ("TO_BASE64", 1, 1),
    ("TO_DAYS", 1, 1),
    ("TO_SECONDS", 1, 1),
    ("TRIM", 1, 1),
    ("TRUNCATE", 2, 2),
    ("UCASE", 1, 1),
    ("UNHEX", 1, 1),
    ("UNIX_TIMESTAMP", 0, 1),
    ("UPPER", 1, 1),
    ("UTC_DATE", 0, 0),
    ("UTC_TIMESTAMP", 0, 1),
    ("UUID", 0, 0),
    ("WEEK", 1, 2),
    ("WEEKDAY", 1, 1),
    ("WEEKOFYEAR", 1, 1),
    ("YEAR", 1, 1),
    ("YEARWEEK", 1, 2),
    // Internal forms of special syntax.
    ("TRIM_BOTH", 2, 2),
    ("TRIM_LEADING", 2, 2),
    ("TRIM_TRAILING", 2, 2),
];

/// Position of a function in [`FUNCTIONS`].
pub(super) fn lookup(name: &str) -> Option<usize> {
    FUNCTIONS.iter().position(|f| f.0 == name)
}

impl Node {
    /// The references below this node.
    pub fn refs(&self, out: &mut Vec<usize>) {
        match self {
            Node::Const(_) => {}
            Node::Ref(n) => out.push(*n),
            Node::Template(segs) => out.extend(segs.iter().filter_map(|s| match s {
                Seg::Ref(n) => Some(*n),
                Seg::Text(_) => None,
            })),
            Node::Neg(x)
            | Node::Not(x)
            | Node::BitNot(x)
            | Node::IsNull(x, _)
            | Node::IsTruth(x, ..)
            | Node::Cast(x, _) => {
                x.refs(out);
            }
            Node::Binary(_, a, b) | Node::Like(a, b, ..) | Node::Regexp(a, b, _) | Node::Shift(a, b, ..) => {
                a.refs(out);
                b.refs(out);
            }
            Node::Between(a, b, c, _) => [a, b, c].into_iter().for_each(|x| x.refs(out)),
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
            Node::Call(_, args, _) | Node::UnitCall(_, _, args) => args.iter().for_each(|a| a.refs(out)),
        }
    }
}

/// Parses SQL text into a tree.
pub(super) fn parse(sql: &str) -> Result<Node, FnError> {
    if sql.trim().is_empty() {
        return Err(FnError::new("HL-2301", text!("the expression is empty", "表达式为空")));
    }
    let dialect = MySqlDialect {};
    let syntax = |e: String| {
        let e = readable(&e);
        FnError {
            position: column(&e),
            ..FnError::new("HL-2301", text!("the expression cannot be parsed: {e}", "表达式无法解析:{e}"))
        }
    };
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_DEPTH)
        .try_with_sql(sql)
        .map_err(|e| syntax(e.to_string()))?;
    let expr = parser.parse_expr().map_err(|e| syntax(e.to_string()))?;
    let next = parser.peek_token();
    if next.token != sqlparser::tokenizer::Token::EOF {
        let found = readable(&next.token.to_string());
        return Err(FnError {
            position: usize::try_from(next.span.start.column).ok().map(|c| c.saturating_sub(1)),
            ..FnError::new(
                "HL-2301",
                text!("the expression ends before `{found}`", "表达式在 `{found}` 之前已结束"),
            )
        });
    }
    node(&expr, 0)
}

/// Names and marks of references are shown as `{{…}}`.
fn readable(e: &str) -> String {
    let shown = e.trim_start_matches("sql parser error: ").replace([OPEN, CLOSE], "");
    let mut out = String::new();
    let mut rest = shown.as_str();
    while let Some(i) = rest.find(NAME) {
        out.push_str(rest.get(..i).unwrap_or(""));
        out.push_str("{{…}}");
        let tail = rest.get(i + NAME.len()..).unwrap_or("");
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    out
}

fn column(e: &str) -> Option<usize> {
    let at = e.rfind("Column: ")?;
    let digits: String = e.get(at + 8..)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok().map(|c| c.saturating_sub(1))
}

fn unsupported(what: &str) -> FnError {
    FnError::new(
        "HL-2304",
        text!("`{what}` is not part of a select expression here", "此处的表达式不支持 `{what}`"),
    )
}

fn boxed(e: &Expr, depth: usize) -> Result<Box<Node>, FnError> {
    Ok(Box::new(node(e, depth + 1)?))
}

fn node(e: &Expr, depth: usize) -> Result<Node, FnError> {
    if depth > 200 {
        return Err(FnError::new("HL-2301", text!("the expression is nested too deeply", "表达式嵌套过深")));
    }
    Ok(match e {
        Expr::Nested(inner) => node(inner, depth + 1)?,
        Expr::Value(v) => literal(&v.value)?,
        Expr::Identifier(id) if matches!(id.quote_style, Some('"' | '\'')) => template(&id.value)?,
        Expr::Identifier(id) => identifier(&id.value)?,
        Expr::Collate { expr, .. } => node(expr, depth + 1)?,
        Expr::Prefixed { value, .. } => node(value, depth + 1)?,
        Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::Plus => node(expr, depth + 1)?,
            UnaryOperator::Minus => Node::Neg(boxed(expr, depth)?),
            UnaryOperator::Not | UnaryOperator::BangNot => Node::Not(boxed(expr, depth)?),
            UnaryOperator::BitwiseNot => Node::BitNot(boxed(expr, depth)?),
            other => return Err(unsupported(&other.to_string())),
        },
        Expr::BinaryOp { left, op, right } => return binary(left, op, right, depth),
        Expr::IsNull(x) => Node::IsNull(boxed(x, depth)?, false),
        Expr::IsNotNull(x) => Node::IsNull(boxed(x, depth)?, true),
        Expr::IsUnknown(x) => Node::IsNull(boxed(x, depth)?, false),
        Expr::IsNotUnknown(x) => Node::IsNull(boxed(x, depth)?, true),
        Expr::IsTrue(x) => Node::IsTruth(boxed(x, depth)?, true, false),
        Expr::IsNotTrue(x) => Node::IsTruth(boxed(x, depth)?, true, true),
        Expr::IsFalse(x) => Node::IsTruth(boxed(x, depth)?, false, false),
        Expr::IsNotFalse(x) => Node::IsTruth(boxed(x, depth)?, false, true),
        Expr::In { expr, target: InTarget::List(items), negated, .. } => {
            let items = items.iter().map(|i| node(i, depth + 1)).collect::<Result<_, _>>()?;
            Node::In(boxed(expr, depth)?, items, *negated)
        }
        Expr::Between { expr, negated, low, high } => {
            Node::Between(boxed(expr, depth)?, boxed(low, depth)?, boxed(high, depth)?, *negated)
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char } => {
            let escape = match escape_char.as_deref() {
                None => '\\',
                Some(Expr::Value(v)) => match &v.value {
                    Lit::SingleQuotedString(s) | Lit::DoubleQuotedString(s) => {
                        s.chars().next().unwrap_or('\0')
                    }
                    _ => return Err(unsupported("ESCAPE")),
                },
                Some(_) => return Err(unsupported("ESCAPE")),
            };
            Node::Like(boxed(expr, depth)?, boxed(pattern, depth)?, escape, *negated)
        }
        Expr::RLike { negated, expr, pattern, .. } => {
            Node::Regexp(boxed(expr, depth)?, boxed(pattern, depth)?, *negated)
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            let operand = operand.as_deref().map(|o| boxed(o, depth)).transpose()?;
            let whens = conditions
                .iter()
                .map(|w| Ok((node(&w.condition, depth + 1)?, node(&w.result, depth + 1)?)))
                .collect::<Result<_, FnError>>()?;
            Node::Case(operand, whens, else_result.as_deref().map(|e| boxed(e, depth)).transpose()?)
        }
        Expr::Cast { kind: CastKind::Cast, expr, data_type, .. } => {
            Node::Cast(boxed(expr, depth)?, cast(data_type)?)
        }
        Expr::Convert { expr, data_type, .. } => match data_type {
            Some(t) => Node::Cast(boxed(expr, depth)?, cast(t)?),
            None => Node::Cast(boxed(expr, depth)?, Cast::Char(None)),
        },
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            call("CEIL", vec![node(expr, depth + 1)?], false)?
        }
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            call("FLOOR", vec![node(expr, depth + 1)?], false)?
        }
        Expr::Position { expr, r#in } => {
            call("POSITION", vec![node(expr, depth + 1)?, node(r#in, depth + 1)?], false)?
        }
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let mut args = vec![node(expr, depth + 1)?];
            for part in [substring_from, substring_for].into_iter().flatten() {
                args.push(node(part, depth + 1)?);
            }
            call("SUBSTRING", args, false)?
        }
        Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
            let what = match trim_what {
                Some(w) => node(w, depth + 1)?,
                None => Node::Const(Sv::text(" ")),
            };
            let name = match trim_where {
                Some(TrimWhereField::Leading) => "TRIM_LEADING",
                Some(TrimWhereField::Trailing) => "TRIM_TRAILING",
                _ => "TRIM_BOTH",
            };
            call(name, vec![node(expr, depth + 1)?, what], false)?
        }
        Expr::Extract { field, expr, .. } => {
            Node::UnitCall(UnitFn::Extract, unit_of(field)?, vec![node(expr, depth + 1)?])
        }
        Expr::TypedString(t) => {
            let inner = literal(&t.value.value)?;
            Node::Cast(Box::new(inner), cast(&t.data_type)?)
        }
        Expr::Function(f) => return function(f, depth),
        other => return Err(unsupported(&readable(&other.to_string()))),
    })
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr, depth: usize) -> Result<Node, FnError> {
    use BinaryOperator as B;
    if let (B::Plus | B::Minus, Expr::Interval(i)) = (op, right) {
        let unit = i.leading_field.as_ref().ok_or_else(|| unsupported("INTERVAL")).and_then(unit_of)?;
        return Ok(Node::Shift(boxed(left, depth)?, boxed(&i.value, depth)?, unit, matches!(op, B::Minus)));
    }
    if let (B::Plus, Expr::Interval(_)) = (op, left) {
        return binary(right, op, left, depth + 1);
    }
    let known = match op {
        B::Plus => Op::Add,
        B::Minus => Op::Sub,
        B::Multiply => Op::Mul,
        B::Divide => Op::Div,
        B::MyIntegerDivide => Op::IntDiv,
        B::Modulo => Op::Mod,
        B::Eq => Op::Eq,
        B::NotEq => Op::Ne,
        B::Lt => Op::Lt,
        B::LtEq => Op::Le,
        B::Gt => Op::Gt,
        B::GtEq => Op::Ge,
        B::Spaceship => Op::NullEq,
        B::And => Op::And,
        B::Or | B::StringConcat => Op::Or,
        B::Xor => Op::Xor,
        B::BitwiseAnd => Op::BitAnd,
        B::BitwiseOr => Op::BitOr,
        B::BitwiseXor => Op::BitXor,
        B::PGBitwiseShiftLeft => Op::ShiftLeft,
        B::PGBitwiseShiftRight => Op::ShiftRight,
        B::Arrow => Op::JsonGet,
        B::LongArrow => Op::JsonText,
        B::PGOverlap => Op::And,
        other => return Err(unsupported(&other.to_string())),
    };
    Ok(Node::Binary(known, boxed(left, depth)?, boxed(right, depth)?))
}

fn literal(v: &Lit) -> Result<Node, FnError> {
    Ok(match v {
        Lit::Number(n, _) => Node::Const(if n.contains(['e', 'E']) {
            Sv::Dbl(n.parse().unwrap_or(0.0))
        } else {
            n.parse().map_or(Sv::Null, Sv::Dec)
        }),
        Lit::SingleQuotedString(s) | Lit::DoubleQuotedString(s) | Lit::NationalStringLiteral(s) => {
            template(s)?
        }
        Lit::Boolean(b) => Node::Const(Sv::Bool(*b)),
        Lit::Null => Node::Const(Sv::Null),
        Lit::HexStringLiteral(h) => {
            let bytes = hex::decode(h).map_err(|_| unsupported(h))?;
            Node::Const(Sv::text(String::from_utf8_lossy(&bytes)))
        }
        other => return Err(unsupported(&other.to_string())),
    })
}

fn template(s: &str) -> Result<Node, FnError> {
    let mut segs = Vec::new();
    let mut rest = s;
    while let Some((before, tail)) = rest.split_once(OPEN) {
        let (n, after) = tail.split_once(CLOSE).ok_or_else(|| unsupported(s))?;
        if !before.is_empty() {
            segs.push(Seg::Text(before.to_owned()));
        }
        segs.push(Seg::Ref(n.parse().map_err(|_| unsupported(n))?));
        rest = after;
    }
    if segs.is_empty() {
        return Ok(Node::Const(Sv::text(rest)));
    }
    if !rest.is_empty() {
        segs.push(Seg::Text(rest.to_owned()));
    }
    Ok(Node::Template(segs))
}

fn identifier(name: &str) -> Result<Node, FnError> {
    if let Some(n) = name.strip_prefix(NAME) {
        return n.parse().map(Node::Ref).map_err(|_| unsupported(name));
    }
    let upper = name.to_ascii_uppercase();
    match upper.as_str() {
        "CURRENT_DATE" | "CURRENT_TIME" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP"
        | "UTC_DATE" | "UTC_TIMESTAMP" => call(&upper, Vec::new(), false),
        _ => Err(FnError::new(
            "HL-2304",
            text!(
                "`{name}` is neither a reference nor a function; write a field of the record as `{{{{{name}}}}}` and text in quotes",
                "`{name}` 既不是引用也不是函数;引用数据字段请写 `{{{{{name}}}}}`,文本请加引号"
            ),
        )),
    }
}

fn call(name: &str, args: Vec<Node>, distinct: bool) -> Result<Node, FnError> {
    let Some(at) = lookup(name) else {
        let near = FUNCTIONS
            .iter()
            .filter(|f| !f.0.starts_with("TRIM_"))
            .map(|f| (strsim::damerau_levenshtein(f.0, name), f.0))
            .min()
            .filter(|(d, _)| *d <= 3);
        let shown = name.to_owned();
        let message = match near {
            Some((_, near)) => text!(
                "unknown function `{shown}`; did you mean `{near}`?",
                "未知的函数 `{shown}`;是否为 `{near}`?"
            ),
            None => text!("unknown function `{shown}`", "未知的函数 `{shown}`"),
        };
        return Err(FnError::new("HL-2302", message));
    };
    let (least, most) = FUNCTIONS.get(at).map_or((0, 0), |f| (f.1, f.2));
    let given = args.len();
    if given < least || given > most {
        let wants = if least == most { least.to_string() } else { format!("{least}–{most}") };
        return Err(FnError::new(
            "HL-2303",
            text!(
                "`{name}` takes {wants} arguments, {given} are given",
                "`{name}` 需要 {wants} 个参数,给出了 {given} 个"
            ),
        ));
    }
    Ok(Node::Call(at, args, distinct))
}

fn function(f: &SqlFunction, depth: usize) -> Result<Node, FnError> {
    let name = f.name.to_string().to_ascii_uppercase();
    let list = match &f.args {
        FunctionArguments::None => return call(&name, Vec::new(), false),
        FunctionArguments::Subquery(_) => return Err(unsupported("SELECT")),
        FunctionArguments::List(list) => list,
    };
    let mut exprs = Vec::new();
    for arg in &list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => exprs.push(e),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => return Err(unsupported("*")),
            _ => return Err(unsupported(&name)),
        }
    }
    if matches!(name.as_str(), "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE")
        && let [date, Expr::Interval(i)] = exprs.as_slice()
    {
        let unit = i.leading_field.as_ref().ok_or_else(|| unsupported("INTERVAL")).and_then(unit_of)?;
        let minus = matches!(name.as_str(), "DATE_SUB" | "SUBDATE");
        return Ok(Node::Shift(boxed(date, depth)?, boxed(&i.value, depth)?, unit, minus));
    }
    if matches!(name.as_str(), "DATE_ADD" | "DATE_SUB") {
        return Err(FnError::new(
            "HL-2303",
            text!(
                "`{name}` takes a date and `INTERVAL n UNIT`",
                "`{name}` 的参数应为日期和 `INTERVAL n 单位`"
            ),
        ));
    }
    if matches!(name.as_str(), "TIMESTAMPDIFF" | "TIMESTAMPADD") {
        let [unit, a, b] = exprs.as_slice() else {
            return Err(FnError::new(
                "HL-2303",
                text!("`{name}` takes a unit and two values", "`{name}` 需要一个单位和两个值"),
            ));
        };
        let unit = unit_word(&unit.to_string())?;
        let which = if name == "TIMESTAMPDIFF" { UnitFn::TimestampDiff } else { UnitFn::TimestampAdd };
        return Ok(Node::UnitCall(which, unit, vec![node(a, depth + 1)?, node(b, depth + 1)?]));
    }
    let args = exprs.iter().map(|e| node(e, depth + 1)).collect::<Result<Vec<_>, _>>()?;
    let distinct = matches!(list.duplicate_treatment, Some(sqlparser::ast::DuplicateTreatment::Distinct));
    call(&name, args, distinct)
}

fn unit_of(field: &DateTimeField) -> Result<Unit, FnError> {
    unit_word(&field.to_string())
}

fn unit_word(word: &str) -> Result<Unit, FnError> {
    let upper = word.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
    Ok(match bare.strip_suffix('S').unwrap_or(bare) {
        "MICROSECOND" => Unit::Microsecond,
        "SECOND" => Unit::Second,
        "MINUTE" => Unit::Minute,
        "HOUR" => Unit::Hour,
        "DAY" => Unit::Day,
        "WEEK" => Unit::Week,
        "MONTH" => Unit::Month,
        "QUARTER" => Unit::Quarter,
        "YEAR" => Unit::Year,
        _ => return Err(unsupported(word)),
    })
}

fn cast(t: &DataType) -> Result<Cast, FnError> {
    let words = t.to_string().to_ascii_uppercase();
    let (name, rest) = words.split_once('(').unwrap_or((&words, ""));
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
    let (a, b) = (numbers.next(), numbers.next());
    let fsp = u8::try_from(a.unwrap_or(0)).unwrap_or(6).min(6);
    Ok(match name.trim() {
        "CHAR" | "CHARACTER" | "VARCHAR" | "NCHAR" | "NVARCHAR" | "TEXT" => Cast::Char(a),
        "SIGNED" | "SIGNED INTEGER" | "INT" | "INTEGER" | "BIGINT" => Cast::Signed,
        "UNSIGNED" | "UNSIGNED INTEGER" | "INT UNSIGNED" | "INTEGER UNSIGNED" | "BIGINT UNSIGNED" => {
            Cast::Unsigned
        }
        "DECIMAL" | "DEC" | "NUMERIC" => Cast::Decimal(a.unwrap_or(10), b.unwrap_or(0)),
        "DOUBLE" | "FLOAT" | "REAL" | "DOUBLE PRECISION" => Cast::Double,
        "DATE" => Cast::Date,
        "DATETIME" | "TIMESTAMP" => Cast::DateTime(fsp),
        "TIME" => Cast::Time(fsp),
        "JSON" => Cast::Json,
        "BINARY" | "VARBINARY" => Cast::Same,
        other => return Err(unsupported(other)),
    })
}
