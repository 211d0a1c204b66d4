//! A compiled expression as text again: what is printed parses to the same tree.
//!
//! Parentheses stand only where the levels of the grammar want them, so that a printed chain is no deeper than the
//! one that was read.

use super::Function;
use super::aggregate::{Aggregate, Fold};
use super::node::{Cast, Node, Op, Pattern, Seg, UNITS, Unit, UnitFn};
use super::parse::level;
use super::sv::{Num, Sv};

/// Writes the reference of a number.
pub(crate) type Name<'n> = dyn Fn(usize) -> String + 'n;

impl Function {
    /// The expression as SQL; `name` writes its references.
    pub(crate) fn print(&self, name: &Name) -> String {
        let mut out = String::new();
        Printer { name }.at(&mut out, &self.root, level::ANY);
        out
    }
}

/// Level of what needs no parentheses anywhere.
const ATOM: u8 = u8::MAX;
/// NOT binds looser than a comparison and tighter than AND.
const NOT: u8 = level::AND + 1;

struct Printer<'n> {
    name: &'n Name<'n>,
}

/// A binary operator's sign and level.
fn sign(op: Op) -> (&'static str, u8) {
    match op {
        Op::Add => ("+", level::SUM),
        Op::Sub => ("-", level::SUM),
        Op::Mul => ("*", level::PRODUCT),
        Op::Div => ("/", level::PRODUCT),
        Op::IntDiv => ("DIV", level::PRODUCT),
        Op::Mod => ("%", level::PRODUCT),
        Op::Eq => ("=", level::COMPARE),
        Op::Ne => ("<>", level::COMPARE),
        Op::Lt => ("<", level::COMPARE),
        Op::Le => ("<=", level::COMPARE),
        Op::Gt => (">", level::COMPARE),
        Op::Ge => (">=", level::COMPARE),
        Op::NullEq => ("<=>", level::COMPARE),
        Op::Xor => ("XOR", level::XOR),
        Op::BitAnd => ("&", level::BIT_AND),
        Op::BitOr => ("|", level::BIT_OR),
        Op::BitXor => ("^", level::BIT_XOR),
        Op::ShiftLeft => ("<<", level::SHIFT),
        Op::ShiftRight => (">>", level::SHIFT),
        Op::JsonGet => ("->", level::ARROW),
        Op::JsonText => ("->>", level::ARROW),
        Op::SoundsLike => ("SOUNDS LIKE", level::PREDICATE),
    }
}

/// How tightly a printed node holds together.
fn level_of(node: &Node) -> u8 {
    match node {
        Node::Const(Sv::Num(Num::Dec(d))) if d.is_negative() => level::UNARY,
        Node::Neg(_) | Node::BitNot(_) => level::UNARY,
        Node::Not(_) => NOT,
        Node::Binary(op, ..) => sign(*op).1,
        Node::And(_) => level::AND,
        Node::Or(_) => level::OR,
        Node::IsNull(..) | Node::IsTruth(..) => level::COMPARE,
        Node::In(..) | Node::Between(..) | Node::Like(..) | Node::Regexp(..) => level::PREDICATE,
        Node::Shift(..) => level::SUM,
        Node::Digits(inner, ..) => level_of(inner),
        _ => ATOM,
    }
}

fn unit(of: Unit) -> &'static str {
    UNITS.iter().find(|(_, u)| *u == of).map_or("DAY", |(name, _)| name)
}

/// Text between single quotes. What would be taken for a reference or a lookup is broken by a backslash.
fn escaped(text: &str) -> String {
    let out = text
        .replace('\\', "\\\\")
        .replace('\'', "''")
        .replace("{{", "{\\{")
        .replace("_findCollection ", "_find\\Collection ")
        .replace("_mongoQuery ", "_mongo\\Query ");
    // Alone between its quotes `{name}` is a reference as well.
    let alone = crate::braces::read_single(text).is_some_and(|(_, used)| used == text.len());
    if alone { format!("\\{out}") } else { out }
}

impl Printer<'_> {
    /// A node where at least this level is wanted.
    fn at(&self, out: &mut String, node: &Node, least: u8) {
        let bare = level_of(node) >= least || (matches!(node, Node::Not(_)) && least <= level::BANG);
        if bare {
            self.node(out, node, least);
        } else {
            out.push('(');
            self.node(out, node, level::ANY);
            out.push(')');
        }
    }

    fn list(&self, out: &mut String, nodes: &[Node]) {
        for (i, n) in nodes.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            self.at(out, n, level::ANY);
        }
    }

    /// Small steps: a tree may be deep, and the stack of a thread is not.
    fn node(&self, out: &mut String, node: &Node, least: u8) {
        match node {
            Node::Const(v) => constant(out, v),
            Node::Ref(n, _) => out.push_str(&(self.name)(*n)),
            Node::Template(segs) => self.quoted(out, segs),
            Node::Joined(segs) => self.segs(out, segs, str::to_owned),
            Node::Neg(x) => self.behind(out, "- ", x, level::UNARY),
            Node::BitNot(x) => self.behind(out, "~ ", x, level::UNARY),
            Node::Not(x) if least <= NOT => self.behind(out, "NOT ", x, level::COMPARE),
            Node::Not(x) => self.behind(out, "!", x, level::BANG),
            Node::Binary(op, l, r, _) => self.binary(out, *op, l, r),
            Node::And(all) => self.chain(out, all, " AND ", level::AND),
            Node::Or(all) => self.chain(out, all, " OR ", level::OR),
            Node::IsNull(x, not) => self.is(out, x, *not, "NULL"),
            Node::IsTruth(x, truth, not) => self.is(out, x, *not, if *truth { "TRUE" } else { "FALSE" }),
            Node::In(x, list, not) => {
                self.at(out, x, level::PREDICATE);
                out.push_str(if *not { " NOT IN (" } else { " IN (" });
                self.list(out, list);
                out.push(')');
            }
            Node::Between(three, not) => self.between(out, three, *not),
            Node::Like(x, pattern, escape, not) => {
                self.at(out, x, level::PREDICATE);
                self.behind(out, if *not { " NOT LIKE " } else { " LIKE " }, pattern, level::BIT_OR);
                escape.iter().for_each(|e| self.behind(out, " ESCAPE ", e, level::UNARY));
            }
            Node::Regexp(x, pattern, not) => self.regexp(out, x, pattern, *not),
            Node::Case(operand, whens, otherwise) => {
                self.case(out, operand.as_deref(), whens, otherwise.as_deref());
            }
            Node::If(three) => self.call(out, "IF", three.as_slice()),
            Node::Coalesce(args) => self.call(out, "COALESCE", args),
            Node::Digits(inner, ..) => self.node(out, inner, least),
            Node::Shift(date, n, of, minus) => self.shift(out, date, n, *of, *minus),
            Node::Cast(x, to) => {
                self.behind(out, "CAST(", x, level::ANY);
                out.push_str(" AS ");
                out.push_str(&target(*to));
                out.push(')');
            }
            Node::Call(f, args, _) => self.call(out, f.name, args),
            Node::UnitCall(which, of, args) => {
                let (name, between) = match which {
                    UnitFn::Extract => ("EXTRACT(", " FROM "),
                    UnitFn::TimestampAdd => ("TIMESTAMPADD(", ", "),
                    UnitFn::TimestampDiff => ("TIMESTAMPDIFF(", ", "),
                };
                out.extend([name, unit(*of), between]);
                self.list(out, args);
                out.push(')');
            }
            Node::Aggregate(a) => self.aggregate(out, a),
        }
    }

    fn behind(&self, out: &mut String, words: &str, node: &Node, least: u8) {
        out.push_str(words);
        self.at(out, node, least);
    }

    fn binary(&self, out: &mut String, op: Op, l: &Node, r: &Node) {
        let (sign, level) = sign(op);
        self.at(out, l, level);
        out.extend([" ", sign, " "]);
        self.at(out, r, level + 1);
    }

    fn chain(&self, out: &mut String, all: &[Node], word: &str, level: u8) {
        for (i, n) in all.iter().enumerate() {
            self.behind(out, if i == 0 { "" } else { word }, n, level + 1);
        }
    }

    fn is(&self, out: &mut String, x: &Node, not: bool, word: &str) {
        self.at(out, x, level::COMPARE);
        out.push_str(if not { " IS NOT " } else { " IS " });
        out.push_str(word);
    }

    fn between(&self, out: &mut String, three: &[Node; 3], not: bool) {
        let [x, low, high] = three;
        self.at(out, x, level::PREDICATE);
        self.behind(out, if not { " NOT BETWEEN " } else { " BETWEEN " }, low, level::BIT_OR);
        self.behind(out, " AND ", high, level::PREDICATE);
    }

    fn regexp(&self, out: &mut String, x: &Node, pattern: &Pattern, not: bool) {
        self.at(out, x, level::PREDICATE);
        out.push_str(if not { " NOT REGEXP " } else { " REGEXP " });
        match pattern {
            Pattern::Fixed(_, text) => quote(out, text),
            Pattern::Of(node) => self.at(out, node, level::BIT_OR),
        }
    }

    fn case(
        &self,
        out: &mut String,
        operand: Option<&Node>,
        whens: &[(Node, Node)],
        otherwise: Option<&Node>,
    ) {
        out.push_str("CASE");
        operand.iter().for_each(|o| self.behind(out, " ", o, level::ANY));
        for (when, then) in whens {
            self.behind(out, " WHEN ", when, level::ANY);
            self.behind(out, " THEN ", then, level::ANY);
        }
        otherwise.iter().for_each(|o| self.behind(out, " ELSE ", o, level::ANY));
        out.push_str(" END");
    }

    fn shift(&self, out: &mut String, date: &Node, n: &Node, of: Unit, minus: bool) {
        self.at(out, date, level::SUM);
        out.push_str(if minus { " - INTERVAL " } else { " + INTERVAL " });
        // A parenthesis behind INTERVAL must enclose all of the number.
        if matches!(n, Node::Call(f, ..) if f.name == "INTERVAL") {
            self.behind(out, "(", n, level::ANY);
            out.push(')');
        } else {
            self.at(out, n, ATOM);
        }
        out.push(' ');
        out.push_str(unit(of));
    }

    fn quoted(&self, out: &mut String, segs: &[Seg]) {
        out.push('\'');
        self.segs(out, segs, escaped);
        out.push('\'');
    }

    fn segs(&self, out: &mut String, segs: &[Seg], text: impl Fn(&str) -> String) {
        for seg in segs {
            match seg {
                Seg::Text(t) => out.push_str(&text(t)),
                Seg::Ref(n) => out.push_str(&(self.name)(*n)),
            }
        }
    }

    fn call(&self, out: &mut String, name: &str, args: &[Node]) {
        match (name, args) {
            ("TRIM_BOTH" | "TRIM_LEADING" | "TRIM_TRAILING", [x, what]) => {
                out.extend(["TRIM(", name.trim_start_matches("TRIM_"), " "]);
                self.at(out, what, level::ANY);
                self.behind(out, " FROM ", x, level::ANY);
            }
            ("GET_FORMAT", [Node::Const(Sv::Str(kind)), style]) => {
                out.extend(["GET_FORMAT(", kind, ", "]);
                self.at(out, style, level::ANY);
            }
            _ => {
                out.push_str(name);
                out.push('(');
                self.list(out, args);
            }
        }
        out.push(')');
    }

    fn aggregate(&self, out: &mut String, a: &Aggregate) {
        let name = match a.fold {
            Fold::Count => "COUNT",
            Fold::Sum => "SUM",
            Fold::Avg => "AVG",
            Fold::Max => "MAX",
            Fold::Min => "MIN",
            Fold::Concat => "GROUP_CONCAT",
            Fold::Std => "STD",
            Fold::StdSample => "STDDEV_SAMP",
            Fold::Variance => "VARIANCE",
            Fold::VarianceSample => "VAR_SAMP",
            Fold::BitAnd => "BIT_AND",
            Fold::BitOr => "BIT_OR",
            Fold::BitXor => "BIT_XOR",
            Fold::First => "ANY_VALUE",
            Fold::List => "JSON_ARRAYAGG",
        };
        out.extend([name, if a.distinct { "(DISTINCT " } else { "(" }]);
        self.list(out, &a.args);
        for (i, (key, descending)) in a.order.iter().enumerate() {
            self.behind(out, if i == 0 { " ORDER BY " } else { ", " }, key, level::ANY);
            out.push_str(if *descending { " DESC" } else { "" });
        }
        a.separator.iter().for_each(|s| self.behind(out, " SEPARATOR ", s, level::ANY));
        out.push(')');
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('\'');
    out.push_str(&escaped(text));
    out.push('\'');
}

fn constant(out: &mut String, v: &Sv) {
    match v {
        Sv::Null => out.push_str("NULL"),
        Sv::Bool(b) => out.push_str(if *b { "TRUE" } else { "FALSE" }),
        Sv::Num(Num::Dbl(f, _)) => out.push_str(&format!("{f:e}")),
        Sv::Num(n) => out.push_str(&n.dec().text()),
        Sv::Bin(b) => out.extend(["x'", &hex::encode(b), "'"]),
        other => quote(out, &other.as_text().unwrap_or_default()),
    }
}

fn target(to: Cast) -> String {
    let sized = |name: &str, n: Option<u64>| n.map_or_else(|| name.to_owned(), |n| format!("{name}({n})"));
    let digits = |name: &str, n: u8| if n == 0 { name.to_owned() } else { format!("{name}({n})") };
    match to {
        Cast::Char(n) => sized("CHAR", n),
        Cast::Binary(n) => sized("BINARY", n),
        Cast::Signed => "SIGNED".into(),
        Cast::Unsigned => "UNSIGNED".into(),
        Cast::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        Cast::Double => "DOUBLE".into(),
        Cast::Float => "FLOAT".into(),
        Cast::Date => "DATE".into(),
        Cast::DateTime(n) => digits("DATETIME", n),
        Cast::Time(n) => digits("TIME", n),
        Cast::Year => "YEAR".into(),
        Cast::Json => "JSON".into(),
    }
}
