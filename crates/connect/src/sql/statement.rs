//! Reading `main_sql`: where the tuples go, which columns there are, which parameters are named.

use heliu_model::{Text, text};

/// An INSERT or REPLACE whose tuples are generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Up to and including VALUES.
    pub head: String,
    /// Where the table's name begins in `head`.
    table_at: usize,
    /// What follows the tuples (`ON DUPLICATE KEY UPDATE …`), or empty.
    pub tail: String,
    /// Table, possibly with its schema, without quotes.
    pub table: Vec<String>,
    /// Columns, if they are named.
    pub columns: Option<Vec<String>>,
    /// The verb.
    pub verb: Verb,
}

/// What a repetition of the statement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Replace,
    InsertIgnore,
    Upsert,
    Insert,
}

/// A piece of SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Text,
    Sign(char),
}

/// Tokens with the byte behind each; quotes and comments are passed over as a whole.
fn tokens(sql: &str) -> Vec<(Token<'_>, usize, usize)> {
    let b = sql.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(&c) = b.get(i) {
        let start = i;
        match c {
            b'\'' | b'"' | b'`' => {
                i += 1;
                while let Some(&d) = b.get(i) {
                    i += 1;
                    if d == b'\\' && c != b'`' {
                        i += 1;
                    } else if d == c {
                        if b.get(i) == Some(&c) {
                            i += 1;
                        } else {
                            break;
                        }
                    }
                }
                let i = i.min(b.len());
                let inner = sql.get(start + 1..i.saturating_sub(1)).unwrap_or("");
                out.push((if c == b'\'' { Token::Text } else { Token::Quoted(inner) }, start, i));
            }
            b'-' if b.get(i + 1) == Some(&b'-') => {
                while b.get(i).is_some_and(|d| *d != b'\n') {
                    i += 1;
                }
            }
            b'#' => {
                while b.get(i).is_some_and(|d| *d != b'\n') {
                    i += 1;
                }
            }
            b'/' if b.get(i + 1) == Some(&b'*') => {
                i += 2;
                while i < b.len() && !(b.get(i) == Some(&b'*') && b.get(i + 1) == Some(&b'/')) {
                    i += 1;
                }
                i = (i + 2).min(b.len());
            }
            c if c.is_ascii_whitespace() => i += 1,
            c if c.is_ascii_alphanumeric() || c == b'_' || c == b'$' || c >= 0x80 => {
                while b
                    .get(i)
                    .is_some_and(|d| d.is_ascii_alphanumeric() || matches!(d, b'_' | b'$') || *d >= 0x80)
                {
                    i += 1;
                }
                out.push((Token::Word(sql.get(start..i).unwrap_or("")), start, i));
            }
            c => {
                i += 1;
                out.push((Token::Sign(char::from(c)), start, i));
            }
        }
    }
    out
}

fn is_word(t: Option<&(Token, usize, usize)>, word: &str) -> bool {
    matches!(t, Some((Token::Word(w), ..)) if w.eq_ignore_ascii_case(word))
}

impl Batch {
    /// Cuts `main_sql` at the first VALUES on the top level behind the column list.
    pub fn parse(sql: &str) -> Result<Batch, Text> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        let t = tokens(sql);
        let bad = || {
            text!(
                "`main_sql` must begin with INSERT INTO, INSERT IGNORE INTO or REPLACE INTO and hold VALUES",
                "`main_sql` 应以 INSERT INTO、INSERT IGNORE INTO 或 REPLACE INTO 开头并包含 VALUES"
            )
        };
        let mut i = 1;
        let mut verb = if is_word(t.first(), "replace") {
            Verb::Replace
        } else if is_word(t.first(), "insert") {
            Verb::Insert
        } else {
            return Err(bad());
        };
        // INSERT OR REPLACE / OR IGNORE (SQLite), LOW_PRIORITY and the like.
        while let Some((Token::Word(w), ..)) = t.get(i) {
            match w.to_ascii_lowercase().as_str() {
                "into" => {
                    i += 1;
                    break;
                }
                "ignore" => verb = Verb::InsertIgnore,
                "replace" => verb = Verb::Replace,
                "or" | "low_priority" | "high_priority" | "delayed" => {}
                _ => break,
            }
            i += 1;
        }
        let table_at = t.get(i).map_or(0, |x| x.1);
        let mut table = Vec::new();
        loop {
            match t.get(i) {
                Some((Token::Word(w) | Token::Quoted(w), ..)) => table.push((*w).to_owned()),
                _ => return Err(bad()),
            }
            i += 1;
            if !matches!(t.get(i), Some((Token::Sign('.'), ..))) {
                break;
            }
            i += 1;
        }
        let mut columns = None;
        if matches!(t.get(i), Some((Token::Sign('('), ..))) {
            let mut list = Vec::new();
            i += 1;
            loop {
                match t.get(i) {
                    Some((Token::Word(w) | Token::Quoted(w), ..)) => list.push((*w).to_owned()),
                    Some((Token::Sign(','), ..)) => {}
                    Some((Token::Sign(')'), ..)) => break,
                    _ => return Err(bad()),
                }
                i += 1;
            }
            i += 1;
            columns = Some(list);
        }
        if !is_word(t.get(i), "values") && !is_word(t.get(i), "value") {
            return Err(bad());
        }
        let end = t.get(i).map_or(sql.len(), |x| x.2);
        let head = sql.get(..end).unwrap_or(sql).to_owned();
        // A sample tuple that authors leave behind VALUES is dropped; a tail begins with a word.
        let mut depth = 0;
        let mut tail_at = sql.len();
        for (token, start, _) in t.iter().skip(i + 1) {
            match token {
                Token::Sign('(') => depth += 1,
                Token::Sign(')') => depth -= 1,
                Token::Word(_) if depth == 0 => {
                    tail_at = *start;
                    break;
                }
                _ => {}
            }
        }
        let tail = sql.get(tail_at..).unwrap_or("").trim().to_owned();
        let words = tokens(&tail);
        let at = |i: usize, list: &[&str]| list.iter().enumerate().all(|(n, w)| is_word(words.get(i + n), w));
        if (0..words.len()).any(|i| at(i, &["on", "duplicate", "key", "update"]))
            || (at(0, &["on", "conflict"]) && (0..words.len()).any(|i| at(i, &["do", "update"])))
        {
            verb = Verb::Upsert;
        } else if at(0, &["on", "conflict"]) {
            verb = Verb::InsertIgnore;
        }
        Ok(Batch { head, table_at, tail, table, columns, verb })
    }

    /// The statement for `rows` tuples of `columns` values.
    pub fn statement(&self, rows: usize, columns: usize) -> String {
        let tuple = format!("({})", vec!["?"; columns].join(","));
        let mut sql = String::with_capacity(self.head.len() + rows * (tuple.len() + 1) + self.tail.len() + 2);
        sql.push_str(&self.head);
        sql.push(' ');
        for i in 0..rows {
            if i > 0 {
                sql.push(',');
            }
            sql.push_str(&tuple);
        }
        if !self.tail.is_empty() {
            sql.push(' ');
            sql.push_str(&self.tail);
        }
        sql
    }

    /// The same in SQLite's words: INSERT OR IGNORE, ON CONFLICT … DO UPDATE with `excluded`.
    pub fn for_sqlite(&self) -> Batch {
        let mut out = self.clone();
        // MySQL takes REPLACE and INSERT without INTO, SQLite does not.
        let verb = match self.verb {
            Verb::Replace => "REPLACE",
            Verb::InsertIgnore => "INSERT OR IGNORE",
            Verb::Upsert | Verb::Insert => "INSERT",
        };
        out.head = format!("{verb} INTO {}", self.head.get(self.table_at..).unwrap_or(""));
        out.table_at = verb.len() + " INTO ".len();
        let tail = tokens(&self.tail);
        let duplicate = ["on", "duplicate", "key", "update"];
        if duplicate.iter().enumerate().all(|(i, w)| is_word(tail.get(i), w)) {
            let sets = tail.get(3).and_then(|t| self.tail.get(t.2..)).unwrap_or("");
            out.tail = format!("ON CONFLICT DO UPDATE SET{}", excluded(sets));
        }
        out
    }
}

/// `VALUES(c)` becomes `excluded.c`.
fn excluded(sets: &str) -> String {
    let t = tokens(sets);
    let mut out = String::new();
    let mut copied = 0;
    let mut i = 0;
    while i < t.len() {
        if is_word(t.get(i), "values")
            && matches!(t.get(i + 1), Some((Token::Sign('('), ..)))
            && let Some((Token::Word(c) | Token::Quoted(c), ..)) = t.get(i + 2)
            && let Some((Token::Sign(')'), _, end)) = t.get(i + 3)
        {
            let start = t.get(i).map_or(0, |x| x.1);
            out.push_str(sets.get(copied..start).unwrap_or(""));
            out.push_str(&format!("excluded.`{c}`"));
            copied = *end;
            i += 4;
            continue;
        }
        i += 1;
    }
    out.push_str(sets.get(copied..).unwrap_or(""));
    out
}

/// The name and the default of `<{name: default}>` at the beginning of `t`, and the byte behind it.
fn placeholder<'a>(sql: &'a str, t: &[(Token<'a>, usize, usize)]) -> Option<(&'a str, &'a str, usize)> {
    let [
        (Token::Sign('<'), _, a),
        (Token::Sign('{'), b, _),
        (Token::Word(name), ..),
        (Token::Sign(':'), _, from),
        rest @ ..,
    ] = t
    else {
        return None;
    };
    let end = rest.windows(2).find_map(|w| match w {
        [(Token::Sign('}'), to, _), (Token::Sign('>'), _, behind)] => Some((*to, *behind)),
        _ => None,
    });
    let (to, behind) = end.filter(|_| a == b)?;
    Some((name, sql.get(*from..to)?.trim(), behind))
}

/// A statement with `:name` parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// With `?` for each parameter.
    pub sql: String,
    /// Names in the order of the marks.
    pub names: Vec<String>,
}

impl Named {
    /// Replaces `:name` outside of quotes and comments by `?`; so too `<{name: }>`, as table tools write it, and
    /// `<{name: CURRENT_TIMESTAMP}>`, whose default stands where the parameter is missing.
    pub fn parse(sql: &str) -> Named {
        let t = tokens(sql);
        let (mut out, mut names, mut copied) = (String::new(), Vec::new(), 0);
        for (i, (token, start, end)) in t.iter().enumerate() {
            if *token == Token::Sign(':')
                && let Some((Token::Word(name), at, behind)) = t.get(i + 1)
                && at == end
                && *start >= copied
            {
                out.push_str(sql.get(copied..*start).unwrap_or(""));
                out.push('?');
                names.push((*name).to_owned());
                copied = *behind;
            } else if let Some((name, default, behind)) = placeholder(sql, t.get(i..).unwrap_or(&[]))
                && *start >= copied
            {
                out.push_str(sql.get(copied..*start).unwrap_or(""));
                match default {
                    "" => out.push('?'),
                    default => out.push_str(&format!("COALESCE(?, {default})")),
                }
                names.push(name.to_owned());
                copied = behind;
            }
        }
        out.push_str(sql.get(copied..).unwrap_or(""));
        Named { sql: out.trim().trim_end_matches(';').to_owned(), names }
    }

    /// True when the statement uses the id that the one before gave.
    pub fn uses_last_id(&self) -> bool {
        self.names.iter().any(|n| n.eq_ignore_ascii_case("lastInsertId"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_go_behind_the_first_values_and_the_tail_survives() {
        let b = Batch::parse(
            "INSERT INTO `t`(`a`,`values`) VALUES ON DUPLICATE KEY UPDATE a=VALUES(a), `values`=VALUES(`values`);",
        )
        .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(b.verb, Verb::Upsert);
        assert_eq!(b.columns.as_deref(), Some(&["a".to_owned(), "values".to_owned()][..]));
        assert_eq!(
            b.statement(2, 2),
            "INSERT INTO `t`(`a`,`values`) VALUES (?,?),(?,?) ON DUPLICATE KEY UPDATE a=VALUES(a), `values`=VALUES(`values`)"
        );
        assert_eq!(
            b.for_sqlite().tail,
            "ON CONFLICT DO UPDATE SET a=excluded.`a`, `values`=excluded.`values`"
        );
        let v = Batch::parse("REPLACE INTO db.`shop`(shop_id,shop_name) VALUES")
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((v.verb, v.table.as_slice()), (Verb::Replace, &["db".to_owned(), "shop".to_owned()][..]));
        assert_eq!(
            Batch::parse("insert ignore into t values (1,2)").map(|b| (b.verb, b.tail)),
            Ok((Verb::InsertIgnore, String::new()))
        );
        let odd = "/* shops */ insert\n  ignore  shop (a) value -- one\n";
        let b = Batch::parse(odd).map(|b| (b.verb, b.for_sqlite().statement(1, 1)));
        assert_eq!(b, Ok((Verb::InsertIgnore, "INSERT OR IGNORE INTO shop (a) value (?)".to_owned())));
        let odd = "insert into t(a,b) values on  duplicate\nkey update b = values(b)";
        let b = Batch::parse(odd).map(|b| (b.verb, b.for_sqlite().tail));
        assert_eq!(b, Ok((Verb::Upsert, "ON CONFLICT DO UPDATE SET b = excluded.`b`".to_owned())));
        let aliased = "INSERT INTO t(a,b) VALUES AS new ON DUPLICATE KEY UPDATE b = new.b";
        assert_eq!(Batch::parse(aliased).map(|b| b.verb), Ok(Verb::Upsert));
        for bad in ["", "SELECT 1", "INSERT t", "REPLACE INTO t(a,b)", "UPDATE t SET a=1"] {
            assert!(Batch::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn named_parameters_are_not_looked_for_in_text() {
        let n = Named::parse("INSERT INTO t(a,b) VALUES (:a, ':b', :b2) -- :c");
        assert_eq!(n.names, ["a", "b2"]);
        assert!(n.sql.contains("VALUES (?, ':b', ?)"));
    }

    #[test]
    fn placeholders_of_table_tools_are_parameters() {
        let n = Named::parse(
            "INSERT INTO `d`.`t` (`a`,`b`,`c`) VALUES\n(<{a: }>,\n<{b:CURRENT_TIMESTAMP}>, <{ c : IFNULL(1, 2)}>, :d, '<{e: }>');",
        );
        assert_eq!(n.names, ["a", "b", "c", "d"]);
        assert!(
            n.sql.ends_with("(?,\nCOALESCE(?, CURRENT_TIMESTAMP), COALESCE(?, IFNULL(1, 2)), ?, '<{e: }>')"),
            "{}",
            n.sql
        );
        for plain in ["SELECT a<b", "SELECT 1 <{a}>", "a < {b: }>", "<{a: "] {
            assert_eq!(Named::parse(plain), Named { sql: plain.trim().to_owned(), names: vec![] });
        }
    }
}
