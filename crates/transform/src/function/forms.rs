//! Calls: plain functions, and those with a syntax of their own.

use super::aggregate::{Aggregate, Fold};
use super::lex::Tok;
use super::node::{Cast, Node, Unit, UnitFn};
use super::parse::{Parser, as_number, level};
use super::sv::Sv;
use super::{FnError, characters, table};
use crate::text;

/// The target of `DATE '…'` and its like.
pub(super) fn typed(word: &str) -> Cast {
    match word {
        "DATE" => Cast::Date,
        "TIME" => Cast::Time(6),
        _ => Cast::DateTime(6),
    }
}

fn boxed(n: Node) -> Box<Node> {
    Box::new(n)
}

/// Reads a call behind its opening parenthesis.
pub(super) fn call(p: &mut Parser, name: &str, written: &str, place: usize) -> Result<Node, FnError> {
    match name {
        "CAST" | "TRY_CAST" => {
            let x = p.any()?;
            p.want_word("AS")?;
            let to = target(p)?;
            p.want_sign(")")?;
            return Ok(converted(x, to));
        }
        "CONVERT" => {
            let x = p.any()?;
            if p.word("USING") {
                let binary = charset(p)?;
                return Ok(Node::Cast(boxed(x), if binary { Cast::Binary(None) } else { Cast::Char(None) }));
            }
            p.want_sign(",")?;
            let to = target(p)?;
            p.want_sign(")")?;
            return Ok(converted(x, to));
        }
        "EXTRACT" => {
            let unit = p.unit()?;
            p.want_word("FROM")?;
            let x = p.any()?;
            p.want_sign(")")?;
            return Ok(Node::UnitCall(UnitFn::Extract, unit, vec![x]));
        }
        "TIMESTAMPDIFF" | "TIMESTAMPADD" => {
            let unit = p.unit()?;
            p.want_sign(",")?;
            let (args, _) = p.list(")")?;
            if args.len() != 2 {
                return Err(FnError::new(
                    "HL-2303",
                    text!("`{name}` takes a unit and two values", "`{name}` 需要一个单位和两个值"),
                )
                .at(place));
            }
            let which = if name == "TIMESTAMPDIFF" { UnitFn::TimestampDiff } else { UnitFn::TimestampAdd };
            return Ok(Node::UnitCall(which, unit, args));
        }
        "POSITION" => {
            let needle = p.tight(level::BIT_OR)?;
            if !p.word("IN") {
                p.want_sign(",")?;
            }
            let hay = p.any()?;
            p.want_sign(")")?;
            return plain("LOCATE", "LOCATE", vec![needle, hay], place);
        }
        "TRIM" => return trim(p, place),
        "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" => return shift(p, name, place),
        "GET_FORMAT" => {
            let Tok::Word(kind) = p.next() else {
                return Err(p.fault(text!("`DATE` is wanted here", "此处应为 `DATE`")));
            };
            p.want_sign(",")?;
            let style = p.any()?;
            p.want_sign(")")?;
            return plain(
                "GET_FORMAT",
                "GET_FORMAT",
                vec![Node::Const(Sv::text(kind.to_ascii_uppercase())), style],
                place,
            );
        }
        "COUNT" | "SUM" | "AVG" | "MAX" | "MIN" | "GROUP_CONCAT" | "STD" | "STDDEV" | "STDDEV_POP"
        | "STDDEV_SAMP" | "VARIANCE" | "VAR_POP" | "VAR_SAMP" | "BIT_AND" | "BIT_OR" | "BIT_XOR"
        | "ANY_VALUE" | "JSON_ARRAYAGG" => {
            return aggregate(p, name, place);
        }
        _ => {}
    }
    let mut args = Vec::new();
    if !p.sign(")") {
        loop {
            args.push(p.any()?);
            if p.sign(")") {
                break;
            }
            let substring = matches!(name, "SUBSTRING" | "SUBSTR" | "MID");
            if substring && (args.len() == 1 && p.word("FROM") || args.len() == 2 && p.word("FOR")) {
                continue;
            }
            if name == "CHAR" && p.word("USING") {
                charset(p)?;
                let bytes = plain(name, written, args, place)?;
                return Ok(Node::Cast(boxed(bytes), Cast::Char(None)));
            }
            if !p.sign(",") {
                return Err(match p.peek() {
                    Tok::End => p.fault(text!("`)` is missing at the end", "末尾缺少 `)`")),
                    found => {
                        let found = found.show();
                        p.fault(text!(
                            "`,` or `)` is wanted here, not `{found}`",
                            "此处应为 `,` 或 `)`,而不是 `{found}`"
                        ))
                    }
                });
            }
        }
    }
    plain(name, written, args, place)
}

/// CAST and CONVERT: a hexadecimal constant that becomes a number is one.
fn converted(x: Node, to: Cast) -> Node {
    let number = matches!(to, Cast::Signed | Cast::Unsigned | Cast::Decimal(..) | Cast::Double | Cast::Float);
    Node::Cast(boxed(if number { as_number(x) } else { x }), to)
}

/// A function of the table.
fn plain(name: &str, written: &str, args: Vec<Node>, place: usize) -> Result<Node, FnError> {
    let args = if matches!(name, "CHAR" | "ABS" | "ROUND" | "FLOOR" | "CEIL" | "MOD" | "CONV" | "BIN") {
        args.into_iter().map(as_number).collect()
    } else {
        args
    };
    let f = table::lookup(name).ok_or_else(|| table::unknown(written).at(place))?;
    let (least, most) = (usize::from(f.least), usize::from(f.most));
    let pairs = match f.name {
        "JSON_OBJECT" => args.len().is_multiple_of(2),
        "JSON_SET" | "JSON_INSERT" | "JSON_REPLACE" | "JSON_ARRAY_APPEND" | "JSON_ARRAY_INSERT" => {
            !args.len().is_multiple_of(2)
        }
        _ => true,
    };
    if args.len() < least || args.len() > most || !pairs {
        let given = args.len();
        let wants = match (least, most) {
            (a, _) if !pairs => format!("{a}, {}, {}…", a + 2, a + 4),
            (a, b) if a == b => a.to_string(),
            (a, 255) => format!("{a}+"),
            (a, b) => format!("{a}–{b}"),
        };
        let shown = f.name;
        return Err(FnError::new(
            "HL-2303",
            text!(
                "`{shown}` takes {wants} arguments, {given} are given",
                "`{shown}` 需要 {wants} 个参数,给出了 {given} 个"
            ),
        )
        .at(place));
    }
    // A pattern that is written down is looked at before any record is.
    if let ("TO_CHAR", Some(Node::Const(Sv::Str(pattern)))) = (f.name, args.get(1)) {
        characters::check(pattern).map_err(|e| e.at(place))?;
    }
    Ok(match (f.name, <[Node; 3]>::try_from(args)) {
        ("IF", Ok(three)) => {
            let [_, a, b] = three.clone();
            Node::If(Box::new(three)).with_kind_of([&a, &b].into_iter())
        }
        ("NVL2", Ok([x, a, b])) => {
            let (c, d) = (a.clone(), b.clone());
            Node::If(Box::new([Node::IsNull(boxed(x), true), a, b])).with_kind_of([&c, &d].into_iter())
        }
        ("IFNULL" | "NVL" | "COALESCE", Ok(three)) => coalesce(three.into()),
        ("IFNULL" | "NVL" | "COALESCE", Err(args)) => coalesce(args),
        (_, Ok(three)) => Node::Call(f, three.into(), place),
        (_, Err(args)) => Node::Call(f, args, place),
    })
}

fn coalesce(args: Vec<Node>) -> Node {
    Node::Coalesce(args.clone()).with_kind_of(args.iter())
}

/// The name of a character set and the closing parenthesis; true for `binary`.
fn charset(p: &mut Parser) -> Result<bool, FnError> {
    match p.next() {
        Tok::Word(w) | Tok::Name(w) => {
            p.want_sign(")")?;
            Ok(w.eq_ignore_ascii_case("binary"))
        }
        _ => Err(p.fault(text!(
            "a character set is wanted here, such as `utf8mb4`",
            "此处应为字符集,例如 `utf8mb4`"
        ))),
    }
}

fn trim(p: &mut Parser, place: usize) -> Result<Node, FnError> {
    let side = if p.word("LEADING") {
        "TRIM_LEADING"
    } else if p.word("TRAILING") {
        "TRIM_TRAILING"
    } else {
        p.word("BOTH");
        "TRIM_BOTH"
    };
    let blank = || Node::Const(Sv::text(" "));
    if p.word("FROM") {
        let x = p.any()?;
        p.want_sign(")")?;
        return plain(side, side, vec![x, blank()], place);
    }
    let first = p.any()?;
    if p.word("FROM") {
        let x = p.any()?;
        p.want_sign(")")?;
        return plain(side, side, vec![x, first], place);
    }
    // Some write the second argument with a comma.
    let what = if p.sign(",") { p.any()? } else { blank() };
    p.want_sign(")")?;
    plain(side, side, vec![first, what], place)
}

fn shift(p: &mut Parser, name: &str, place: usize) -> Result<Node, FnError> {
    let date = p.any()?;
    p.want_sign(",")?;
    let minus = matches!(name, "DATE_SUB" | "SUBDATE");
    if p.word("INTERVAL") {
        let (n, unit) = p.interval()?;
        p.want_sign(")")?;
        return Ok(Node::Shift(boxed(date), boxed(n), unit, minus));
    }
    if matches!(name, "DATE_ADD" | "DATE_SUB") {
        let name = name.to_owned();
        return Err(FnError::new(
            "HL-2303",
            text!(
                "`{name}` takes a date and `INTERVAL n UNIT`",
                "`{name}` 的参数应为日期和 `INTERVAL n 单位`"
            ),
        )
        .at(place));
    }
    let n = p.any()?;
    p.want_sign(")")?;
    Ok(Node::Shift(boxed(date), boxed(n), Unit::Day, minus))
}

fn aggregate(p: &mut Parser, name: &str, place: usize) -> Result<Node, FnError> {
    let fold = Fold::of(name).ok_or_else(|| table::unknown(name).at(place))?;
    if fold == Fold::Count && p.sign("*") {
        p.want_sign(")")?;
        // One row: the record itself.
        return Ok(Node::Const(Sv::int(1)));
    }
    let distinct = p.word("DISTINCT");
    p.word("ALL");
    p.aggregates += 1;
    let mut args = vec![p.any()?];
    while p.sign(",") {
        args.push(p.any()?);
    }
    let mut order = Vec::new();
    if fold == Fold::Concat && p.word("ORDER") {
        p.want_word("BY")?;
        loop {
            let key = p.any()?;
            let descending = p.word("DESC");
            p.word("ASC");
            order.push((key, descending));
            if !p.sign(",") {
                break;
            }
        }
    }
    p.aggregates -= 1;
    let separator = if fold == Fold::Concat && p.word("SEPARATOR") { Some(p.any()?) } else { None };
    p.want_sign(")")?;
    if args.len() > 1 && fold != Fold::Concat && !(fold == Fold::Count && distinct) {
        let given = args.len();
        let name = name.to_owned();
        // MAX(a, b) of several values is what other languages call GREATEST.
        return Err(FnError::new(
            "HL-2303",
            text!("`{name}` takes 1 argument, {given} are given", "`{name}` 需要 1 个参数,给出了 {given} 个"),
        )
        .at(place));
    }
    Ok(Node::Aggregate(Box::new(Aggregate { fold, args, distinct, order, separator })))
}

/// The type of CAST and CONVERT.
fn target(p: &mut Parser) -> Result<Cast, FnError> {
    let place = p.place();
    let Tok::Word(word) = p.next() else {
        return Err(p.fault(text!(
            "a type is wanted here, such as `CHAR` or `DECIMAL(10,2)`",
            "此处应为类型,例如 `CHAR` 或 `DECIMAL(10,2)`"
        )));
    };
    let mut sizes = Vec::new();
    if p.sign("(") {
        loop {
            match p.next() {
                Tok::Number(n) => sizes.push(n.parse::<u64>().unwrap_or(u64::MAX)),
                _ => return Err(p.fault(text!("a size is wanted here", "此处应为长度"))),
            }
            if p.sign(")") {
                break;
            }
            p.want_sign(",")?;
        }
    }
    let first = sizes.first().copied();
    let digits = |n: Option<u64>, most: u32| u32::try_from(n.unwrap_or(0)).unwrap_or(most).min(most);
    let fsp = u8::try_from(digits(first, 6)).unwrap_or(6);
    let upper = word.to_ascii_uppercase();
    let to = match upper.as_str() {
        "CHAR" | "CHARACTER" | "VARCHAR" | "NCHAR" | "NVARCHAR" | "TEXT" | "STRING" => {
            if p.word("CHARACTER") {
                p.want_word("SET")?;
                p.next();
            } else if p.word("CHARSET") {
                p.next();
            }
            Cast::Char(first)
        }
        "BINARY" | "VARBINARY" => Cast::Binary(first),
        "SIGNED" => {
            let _ = p.word("INTEGER") || p.word("INT");
            Cast::Signed
        }
        "UNSIGNED" => {
            let _ = p.word("INTEGER") || p.word("INT");
            Cast::Unsigned
        }
        "INT" | "INTEGER" | "BIGINT" => {
            if p.word("UNSIGNED") {
                Cast::Unsigned
            } else {
                Cast::Signed
            }
        }
        "DECIMAL" | "DEC" | "NUMERIC" => {
            // No digits at all are the usual ones.
            let precision = digits(first.filter(|n| *n > 0).or(Some(10)), 65);
            Cast::Decimal(precision, digits(sizes.get(1).copied(), 38))
        }
        "DOUBLE" | "REAL" => {
            p.word("PRECISION");
            Cast::Double
        }
        "FLOAT" => Cast::Float,
        "DATE" => Cast::Date,
        "DATETIME" | "TIMESTAMP" => Cast::DateTime(fsp),
        "TIME" => Cast::Time(fsp),
        "YEAR" => Cast::Year,
        "JSON" => Cast::Json,
        _ => {
            return Err(FnError::new(
                "HL-2304",
                text!("`{word}` is no type that CAST knows", "CAST 不支持类型 `{word}`"),
            )
            .at(place));
        }
    };
    Ok(to)
}
