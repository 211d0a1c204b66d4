//! The table of functions: name, number of arguments, what NULL does, and the code. The check, the error with the
//! nearest name, and the generated reference use it.

use super::sv::Sv;
use super::{FnEnv, FnError, codecs, dates, json, numbers, texts};
use crate::text;

/// A function's result.
pub(super) type Out<'a> = Result<Sv<'a>, FnError>;

/// A function's code.
pub(super) type Run = for<'a, 'b, 'c> fn(&'b [Sv<'a>], &'c FnEnv) -> Out<'a>;

/// A function.
pub(super) struct Builtin {
    pub name: &'static str,
    pub least: u8,
    pub most: u8,
    /// Any NULL argument makes the result NULL, and the code is not asked.
    pub strict: bool,
    /// Takes JSON documents: a reference to a list or an object is one.
    pub json: bool,
    pub run: Run,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn is_json(name: &str) -> bool {
    matches!(name.as_bytes(), [b'J', b'S', b'O', b'N', b'_', ..])
}

/// A function that is NULL with any NULL argument.
pub(super) const fn strict(name: &'static str, least: u8, most: u8, run: Run) -> Builtin {
    Builtin { name, least, most, strict: true, json: is_json(name), run }
}

/// A function that sees NULL.
pub(super) const fn open(name: &'static str, least: u8, most: u8, run: Run) -> Builtin {
    Builtin { name, least, most, strict: false, json: is_json(name), run }
}

const TABLES: &[&[Builtin]] =
    &[texts::TABLE, codecs::TABLE, numbers::TABLE, dates::TABLE, json::TABLE, FORMS];

/// Functions that are evaluated elsewhere, because they do not look at all of their arguments.
const FORMS: &[Builtin] = &[
    open("IF", 3, 3, none),
    open("IFNULL", 2, 2, none),
    open("NVL", 2, 2, none),
    open("NVL2", 3, 3, none),
    open("COALESCE", 1, 255, none),
];

fn none<'a>(_: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    Ok(Sv::Null)
}

/// Names with a syntax of their own.
const SPECIAL: &[&str] = &[
    "ADDDATE",
    "ANY_VALUE",
    "AVG",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "CAST",
    "CONVERT",
    "COUNT",
    "DATE_ADD",
    "DATE_SUB",
    "EXTRACT",
    "GROUP_CONCAT",
    "JSON_ARRAYAGG",
    "MAX",
    "MIN",
    "POSITION",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "SUBDATE",
    "SUM",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "TRIM",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
];

/// Functions that may be written without parentheses.
pub(super) fn bare(name: &str) -> Option<&'static Builtin> {
    const NAMES: &[&str] = &[
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "UTC_DATE",
        "UTC_TIME",
        "UTC_TIMESTAMP",
    ];
    if NAMES.contains(&name) { lookup(name) } else { None }
}

/// The function of a name in capitals.
pub(super) fn lookup(name: &str) -> Option<&'static Builtin> {
    TABLES.iter().copied().flatten().find(|f| f.name == name)
}

/// Inner forms of special syntax are not for writing.
fn is_inner(name: &str) -> bool {
    name.starts_with("TRIM_")
}

/// All names a user may write, sorted.
pub(super) fn names() -> Vec<&'static str> {
    let mut all: Vec<&str> = TABLES
        .iter()
        .copied()
        .flatten()
        .map(|f| f.name)
        .filter(|n| !is_inner(n))
        .chain(SPECIAL.iter().copied())
        .collect();
    all.sort_unstable();
    all
}

/// Functions that MariaDB has and that are left out here: ciphers, compression, and what asks the server.
const MISSING: &[&str] = &[
    "AES_DECRYPT",
    "AES_ENCRYPT",
    "BENCHMARK",
    "COMPRESS",
    "CONNECTION_ID",
    "CURRENT_USER",
    "DATABASE",
    "DECODE",
    "DES_DECRYPT",
    "DES_ENCRYPT",
    "ENCODE",
    "ENCRYPT",
    "LAST_INSERT_ID",
    "LOAD_FILE",
    "SLEEP",
    "UNCOMPRESS",
    "UNCOMPRESSED_LENGTH",
    "USER",
    "VERSION",
];

/// An unknown name, with the nearest known one.
pub(super) fn unknown(written: &str) -> FnError {
    let upper = written.to_ascii_uppercase();
    let near = names()
        .into_iter()
        .map(|n| (strsim::damerau_levenshtein(n, &upper), n))
        .min()
        .filter(|(d, n)| *d <= 3 && *d * 2 <= n.len());
    let shown: String = written.chars().take(60).collect();
    let message = match near {
        _ if MISSING.contains(&upper.as_str()) => text!(
            "`{shown}` is a function of MariaDB that heliu does not have",
            "`{shown}` 是 MariaDB 的函数,heliu 暂不支持"
        ),
        Some((_, near)) => {
            text!(
                "unknown function `{shown}`; did you mean `{near}`?",
                "未知的函数 `{shown}`;是否为 `{near}`?"
            )
        }
        None => text!("unknown function `{shown}`", "未知的函数 `{shown}`"),
    };
    FnError::new("HL-2302", message)
}
