//! The differences that are meant, each with its reason: one table.
//!
//! A test here says as narrowly as it can that a difference is of its kind and of no other; where the kind lies in the
//! data, the case is evaluated once more without it, and must then be equal.

use std::str::FromStr;

use bigdecimal::BigDecimal;

use super::cases::Case;
use super::compare::{Answer, Outcome, equal};
use super::ours;

/// Tells whether a difference is of a kind.
type Test = fn(&Case, &Outcome, &Answer) -> bool;

/// One decided difference.
pub struct Decided {
    id: &'static str,
    reason: &'static str,
    test: Test,
}

impl Decided {
    /// Name and reason.
    pub fn text(&self) -> (&'static str, &'static str) {
        (self.id, self.reason)
    }
}

/// All decided differences.
pub const TABLE: &[Decided] = &[
    Decided {
        id: "division by zero",
        reason: "an error here (rule Fn5), NULL there",
        test: |_, ours, _| matches!(ours, Outcome::Error(e) if e.contains("HL-2310")),
    },
    Decided {
        id: "accents and emoji",
        reason: "distinct here (a decision of this project), equal in utf8mb4_general_ci",
        test: |case, _, theirs| {
            let without = Case {
                group: case.group,
                ours: plain(&case.ours),
                theirs: String::new(),
                record: plain(&case.record),
            };
            let theirs = match theirs {
                Answer::Text { text, approximate } => {
                    Answer::Text { text: plain(text), approximate: *approximate }
                }
                Answer::Null => Answer::Null,
                Answer::Error(e) => Answer::Error(e.clone()),
            };
            (without.ours != case.ours || without.record != case.record) && equal(&ours(&without), &theirs)
        },
    },
    Decided {
        id: "whole numbers beyond 64 bits",
        reason: "exact here (rule Fn8), an error there",
        test: |_, ours, theirs| {
            matches!(ours, Outcome::Value(_))
                && matches!(theirs, Answer::Error(e) if e.contains("BIGINT") && e.contains("out of range"))
        },
    },
    Decided {
        id: "text rounded as a number",
        reason: "exact and half away from zero here (rule Fn8), a floating number rounded half to even there",
        test: |case, ours, theirs| {
            let called = ["ROUND(", "FORMAT(", "TRUNCATE("].iter().any(|f| case.ours.contains(f));
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
            let (Ok(a), Ok(b)) = (number(&a), number(text)) else { return false };
            // One unit of the last digit that either shows.
            let scale = a.fractional_digit_count().max(b.fractional_digit_count()).max(0);
            let unit = BigDecimal::new(1.into(), if scale == 0 { -3 } else { scale });
            called && (a - b).abs() <= unit
        },
    },
    Decided {
        id: "patterns that TO_CHAR cannot read",
        reason: "an error here; there too where they are written down, and NULL where they are computed",
        test: |_, ours, _| matches!(ours, Outcome::Error(e) if e.contains("HL-2312")),
    },
    Decided {
        id: "TO_CHAR of NULL",
        reason: "NULL here, as of a value that is NULL; an error there where NULL is written down",
        test: |case, _, theirs| {
            case.ours.contains("TO_CHAR(")
                && matches!(theirs, Answer::Error(e) if e.contains("first argument"))
        },
    },
    Decided {
        id: "blanks of JSON_QUERY",
        reason: "written with blanks behind commas and colons here, as it stood there",
        test: |case, ours, theirs| {
            let packed = |s: &str| s.replace(' ', "");
            let Answer::Text { text, .. } = theirs else { return false };
            case.ours.contains("JSON_QUERY(") && ours.text().is_some_and(|o| packed(&o) == packed(text))
        },
    },
    Decided {
        id: "truth inside JSON",
        reason: "a comparison's result is 1 or 0 here, true or false there",
        test: |case, ours, theirs| {
            let numbers = |s: &str| s.replace("true", "1").replace("false", "0");
            let Answer::Text { text, .. } = theirs else { return false };
            case.ours.contains("JSON_") && ours.text().is_some_and(|o| numbers(&o) == numbers(text))
        },
    },
    Decided {
        id: "instants after January 2038",
        reason: "up to the year 3001 here, as in MySQL 8; NULL or unmoved there",
        test: |case, ours, theirs| {
            let Some(text) = ours.text() else { return false };
            let late = text.parse::<f64>().is_ok_and(|n| n > 2_147_483_647.0) || text.as_str() > "2038-01-19";
            let unix = case.ours.contains("UNIX") && matches!(theirs, Answer::Null);
            late && (unix || case.ours.contains("CONVERT_TZ"))
        },
    },
    Decided {
        id: "GREATEST with a DATE that is none",
        reason: "NULL here, as documented; left out of the comparison there",
        test: |case, ours, theirs| {
            let all = format!("{} {}", case.ours, case.record);
            let invalid = ["not a date", "2023-02-29", "2024-13-01", "2024-02-30", "DATE('')", "\"\""];
            case.ours.contains("GREATEST(DATE(")
                && invalid.iter().any(|i| all.contains(i))
                && matches!(ours, Outcome::Value(heliu_transform::Value::Null))
                && !matches!(theirs, Answer::Null)
        },
    },
    Decided {
        id: "comparison with an invalid date",
        reason: "DATE and CAST give NULL for it, and a comparison with NULL is NULL here; there it sees the zero date",
        test: |case, ours, theirs| {
            let all = format!("{} {}", case.ours, case.record);
            let invalid =
                ["not a date", "2023-02-29", "2024-13-01", "2024-02-30", "25:00:00", "''", "\"\"", "AS TIME"];
            let typed = ["DATE(", "TIMESTAMP(", "AS DATE", "AS TIME"].iter().any(|f| case.ours.contains(f));
            let compared = ["<", ">", " = ", "BETWEEN", " IN "].iter().any(|c| case.ours.contains(c));
            typed
                && compared
                && invalid.iter().any(|i| all.contains(i))
                && matches!(ours, Outcome::Value(heliu_transform::Value::Null))
                && !matches!(theirs, Answer::Null)
        },
    },
    Decided {
        id: "letters' case in text made by JSON functions",
        reason: "does not count here, as everywhere; there these have a binary collation",
        test: |case, _, theirs| {
            let binary = case.ours.replace("(JSON_", "(BINARY JSON_").replace(" JSON_", " BINARY JSON_");
            let again =
                Case { group: case.group, ours: binary, theirs: String::new(), record: case.record.clone() };
            again.ours != case.ours && equal(&ours(&again), theirs)
        },
    },
    Decided {
        id: "dates moved as text",
        reason: "stay dates here: in comparisons, as a number, with the fraction as written; text there",
        test: |case, ours, theirs| {
            let called = ["ADDTIME('", "SUBTIME('", "INTERVAL", "TIMESTAMPADD", "ADDDATE", "SUBDATE"]
                .iter()
                .any(|f| case.ours.contains(f));
            let whole = ["SIGNED", "INTEGER"].iter().any(|t| case.ours.contains(t));
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
            let compared = case.group == "operator" && matches!(a.as_str(), "0" | "1");
            called && (whole || compared || trimmed(&a) == trimmed(text))
        },
    },
    Decided {
        id: "week of a time",
        reason: "a time has no week; what the server counts is no number of one",
        test: |case, _, theirs| {
            case.ours.contains("EXTRACT(WEEK")
                && matches!(theirs, Answer::Text { text, .. } if text.len() > 6)
        },
    },
    Decided {
        id: "digits of the branches that were not taken",
        reason: "count where they are written down or bound here; those of computed branches too there",
        test: |case, ours, theirs| {
            let choice = ["IF(", "IFNULL(", "COALESCE(", "CASE ", "NVL", "GREATEST(", "LEAST("];
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
            let close = match (number(&a), number(text)) {
                (Ok(x), Ok(y)) => {
                    let scale = x.fractional_digit_count().min(y.fractional_digit_count()).max(4);
                    x.round(scale) == y.round(scale)
                }
                _ => false,
            };
            choice.iter().any(|c| case.ours.contains(c)) && (close || trimmed(&a) == trimmed(text))
        },
    },
    Decided {
        id: "text in arithmetic",
        reason: "exact here (rule Fn8), a floating number of 15 to 17 digits there",
        test: |case, ours, theirs| {
            let (Some(a), Answer::Text { text, approximate }) = (ours.text(), theirs) else { return false };
            let (Ok(x), Ok(y)) = (number(&a), number(text)) else { return false };
            let large = x.abs().max(y.abs());
            let close = (&x - &y).abs() <= large * BigDecimal::new(1.into(), 9);
            // Digits that a floating number has not.
            let all = format!("{} {}", case.ours, case.record);
            let long = all.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() > 15);
            close && (*approximate || long) || *approximate && long
        },
    },
    Decided {
        id: "GREATEST and LEAST of text as a number",
        reason: "the text is chosen first here; there its numbers are compared",
        test: |case, ours, theirs| {
            let called = ["GREATEST('", "LEAST('"].iter().any(|f| case.ours.contains(f));
            called
                && case.group == "operator"
                && matches!((ours, theirs), (Outcome::Value(_), Answer::Text { .. }))
        },
    },
    Decided {
        id: "a choice between dates, times and texts",
        reason: "stays what was chosen here; there all become of one kind",
        test: |case, ours, theirs| {
            let choice = ["IF(", "COALESCE(", "CASE ", "IFNULL("].iter().any(|c| case.ours.contains(c));
            let (Some(a), Answer::Text { text, approximate: true }) = (ours.text(), theirs) else {
                return false;
            };
            choice && case.ours.contains("DATE(") && a.len() >= 8 && a.starts_with(text)
        },
    },
    Decided {
        id: "the last digit of a floating number with fixed digits",
        reason: "rounded half away from zero here, by the machine's digits there",
        test: |_, ours, theirs| {
            let (Some(a), Answer::Text { text, approximate: true }) = (ours.text(), theirs) else {
                return false;
            };
            let (Ok(x), Ok(y)) = (number(&a), number(text)) else { return false };
            let scale = y.fractional_digit_count();
            scale > 0 && (x - y).abs() <= BigDecimal::new(1.into(), scale)
        },
    },
    Decided {
        id: "LOCATE of nothing behind letters of several bytes",
        reason: "the place asked for here, a place in bytes there",
        test: |case, _, _| {
            let all = format!("{} {}", case.ours, case.record);
            let nothing = case.ours.contains("LOCATE(''") || case.record.contains("\"\"");
            case.ours.contains("LOCATE(") && nothing && !all.is_ascii()
        },
    },
];

/// Letters without accents, every emoji the same.
fn plain(s: &str) -> String {
    s.chars()
        .map(|c| match c {
            'Ä' => 'A',
            'Ö' => 'O',
            'ü' => 'u',
            'ñ' => 'n',
            'ú' => 'u',
            c if c > '\u{ffff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Text whose numbers have no zeros at their end.
fn trimmed(s: &str) -> String {
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

fn number(s: &str) -> Result<BigDecimal, bigdecimal::ParseBigDecimalError> {
    BigDecimal::from_str(&s.replace(',', ""))
}

/// The entry that explains a difference.
pub fn reason(case: &Case, ours: &Outcome, theirs: &Answer) -> Option<usize> {
    TABLE.iter().position(|d| (d.test)(case, ours, theirs))
}
