//! What the decided differences look at.

use std::str::FromStr;

use bigdecimal::BigDecimal;

use super::cases::Case;

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

/// Text whose numbers have no zeros at their end.
pub fn trimmed(s: &str) -> String {
    let mut out = String::new();
    for part in s.split_inclusive(|c: char| !(c.is_ascii_digit() || c == '.')) {
        let end = part.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(part.len());
        let (digits, rest) = part.split_at(end);
        out.push_str(if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.')
        } else {
            digits
        });
        out.push_str(rest);
    }
    out
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
