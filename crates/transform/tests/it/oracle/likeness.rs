//! What the decided differences look at.

use std::str::FromStr;

use bigdecimal::BigDecimal;

use super::cases::Case;
use super::compare::{Answer, Outcome, equal};

/// Letters without accents, every emoji the same.
pub fn plain(s: &str) -> String {
    s.chars()
        .map(|c| match c {
            'Ä' => 'A',
            'Ö' => 'O',
            'ü' => 'u',
            'ñ' => 'n',
            'ú' => 'u',
            'å' | 'á' => 'a',
            'Å' => 'A',
            'é' => 'e',
            'ß' | 'ſ' => 's',
            'ÿ' => 'y',
            'Ÿ' => 'Y',
            'İ' | 'ı' => 'i',
            c if c > '\u{ffff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Digits that a floating number has not.
pub fn long(case: &Case) -> bool {
    let all = format!("{} {}", case.ours, case.record).replace('.', "");
    all.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() > 15)
}

/// Times that differ by a microsecond, as a floating number's seconds do.
pub fn moved_by_one(a: &str, b: &str) -> bool {
    let parts = |s: &str| s.rsplit_once('.').map(|(head, tail)| (head.to_owned(), tail.parse::<i64>().ok()));
    match (parts(a), parts(b)) {
        (Some((x, Some(m))), Some((y, Some(n)))) => x == y && a.len() == b.len() && (m - n).abs() == 1,
        _ => false,
    }
}

/// Text whose bytes were read as windows-1252, read as what it was.
pub fn unread(s: &str) -> Option<String> {
    const UPPER: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let byte = |c: char| match UPPER.chars().position(|u| u == c) {
        Some(at) => u8::try_from(at + 0x80).ok(),
        None => u8::try_from(u32::from(c)).ok(),
    };
    String::from_utf8(s.chars().map(byte).collect::<Option<Vec<u8>>>()?).ok()
}

/// Text whose numbers have no more than 14 digits.
pub fn shortened(s: &str) -> String {
    let mut digits = 0;
    s.chars()
        .map(|c| {
            digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
            if digits > 14 { '0' } else { c }
        })
        .collect()
}

pub fn number(s: &str) -> Result<BigDecimal, bigdecimal::ParseBigDecimalError> {
    BigDecimal::from_str(&s.replace(',', ""))
}

/// The same with another expression.
pub fn with(case: &Case, ours: String) -> Case {
    Case { group: case.group, ours, theirs: String::new(), record: case.record.clone() }
}

/// The case with floating numbers where it has texts: those that are numbers, or `every` text with the number at its
/// beginning. What the server answers when it takes texts as numbers, our own floating numbers must answer too.
pub fn floating(case: &Case, every: bool) -> Case {
    let record: serde_json::Value = serde_json::from_str(&case.record).unwrap_or_default();
    let (mut out, mut rest) = (String::new(), case.ours.as_str());
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let (inner, behind) = literal(rest);
            // A text that is one reference is what it is bound to.
            let name = inner.strip_prefix("{{").and_then(|n| n.strip_suffix("}}"));
            let text = match name.and_then(|n| record.get(n)) {
                Some(serde_json::Value::String(s)) => s.clone(),
                Some(other) => other.to_string(),
                None => inner.replace("''", "'"),
            };
            match float(&text, every) {
                Some(f) => out += &f,
                None => out.extend(["'", inner, "'"]),
            }
            rest = behind;
            continue;
        }
        if let Some((name, behind)) = rest.strip_prefix("{{").and_then(|r| r.split_once("}}"))
            && let Some(serde_json::Value::String(s)) = record.get(name)
            && s.parse::<f64>().is_err()
            && let Some(f) = float(s, every)
        {
            out += &f;
            rest = behind;
            continue;
        }
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or("");
    }
    with(case, out)
}

/// A quoted text's inside, and what stands behind it.
fn literal(text: &str) -> (&str, &str) {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '\'' if chars.peek().is_some_and(|n| n.1 == '\'') => {
                chars.next();
            }
            '\'' => return (text.get(1..at).unwrap_or(""), text.get(at + 1..).unwrap_or("")),
            _ => {}
        }
    }
    (text.get(1..).unwrap_or(""), "")
}

/// The number of a text, written as a floating one.
fn float(text: &str, every: bool) -> Option<String> {
    let t = text.trim();
    let mut end = usize::from(t.starts_with(['-', '+']));
    let mut point = false;
    while let Some(c) = t.get(end..).and_then(|r| r.chars().next()) {
        let goes_on = c.is_ascii_digit() || (c == '.' && !point);
        point |= c == '.';
        if !goes_on {
            break;
        }
        end += 1;
    }
    let digits = t.get(..end).unwrap_or("");
    let number = digits.contains(|c: char| c.is_ascii_digit());
    if !every && (!number || end < t.len()) {
        return None;
    }
    // An exponent, where one follows.
    let behind = t.get(end..).and_then(|r| r.strip_prefix(['e', 'E'])).unwrap_or("");
    let sign = usize::from(behind.starts_with(['-', '+']));
    let power = behind.get(sign..).unwrap_or("");
    let power = power.get(..power.find(|c: char| !c.is_ascii_digit()).unwrap_or(power.len())).unwrap_or("");
    let power = if power.is_empty() { "0".to_owned() } else { format!("{}{power}", &behind[..sign]) };
    Some(if number { format!("({}e{power})", digits.trim_start_matches('+')) } else { "(0e0)".to_owned() })
}

/// The case with dates that were moved as texts: each call of one of these, and each sum with an INTERVAL; `plain` leaves
/// out the calls that see a date.
pub fn moved_as_text(case: &Case, plain: bool) -> Case {
    const CALLS: &[&str] = &[
        "DATE_ADD(",
        "DATE_SUB(",
        "ADDDATE(",
        "SUBDATE(",
        "ADDTIME(",
        "SUBTIME(",
        "TIMESTAMPADD(",
        "ADD_MONTHS(",
    ];
    let (mut out, mut rest, mut open) = (String::new(), case.ours.as_str(), Vec::new());
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let (inner, behind) = literal(rest);
            out.extend(["'", inner, "'"]);
            rest = behind;
            continue;
        }
        let call = CALLS.iter().find(|f| rest.starts_with(**f)).filter(|f| {
            let first = rest.get(f.len()..).unwrap_or("");
            !plain || !["DATE(", "TIMESTAMP("].iter().any(|d| first.starts_with(d))
        });
        if let Some(call) = call {
            out.extend(["CONCAT(", call]);
            open.push(true);
            rest = rest.get(call.len()..).unwrap_or("");
            continue;
        }
        out.push(c);
        rest = rest.get(1.max(c.len_utf8())..).unwrap_or("");
        match c {
            '(' => {
                // A sum: an INTERVAL at this level.
                let mut depth = 0;
                let sum = rest.char_indices().take_while(|(_, c)| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth >= 0
                });
                let end = sum.last().map_or(0, |(at, c)| at + c.len_utf8());
                let inside = rest.get(..end).unwrap_or("");
                let before = out.strip_suffix('(').unwrap_or(&out);
                let call = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let sum = inside.starts_with("INTERVAL ")
                    || [" + INTERVAL ", " - INTERVAL "].iter().any(|i| inside.contains(i));
                let is = !call && sum;
                if is {
                    out += "CONCAT(";
                }
                open.push(is);
            }
            ')' if open.pop() == Some(true) => out.push(')'),
            _ => {}
        }
    }
    with(case, out)
}

/// The same answer; a number, also inside of a text, to 14 digits.
pub fn alike(ours: &Outcome, theirs: &Answer) -> bool {
    if equal(ours, theirs) {
        return true;
    }
    let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
    match (number(&a), number(text)) {
        (Ok(x), Ok(y)) => {
            let largest = x.abs().max(y.abs());
            (x - y).abs() <= largest * BigDecimal::new(1.into(), 14)
        }
        _ => shortened(&a) == shortened(text) || moved_by_one(&a, text),
    }
}
