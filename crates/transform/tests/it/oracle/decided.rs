//! The differences that are meant, each with its reason: one table.
//!
//! A test here says as narrowly as it can that a difference is of its kind and of no other; where the kind lies in the
//! data, the case is evaluated once more without it, and must then be equal.

use bigdecimal::BigDecimal;

use super::cases::Case;
use super::compare::{Answer, Outcome, equal};
use super::likeness::{long, moved_by_one, number, plain, shortened, trimmed};
use super::ours;
use super::slips::SLIPS;

/// Tells whether a difference is of a kind.
type Test = fn(&Case, &Outcome, &Answer) -> bool;

/// One decided difference.
pub struct Decided {
    pub(super) id: &'static str,
    pub(super) reason: &'static str,
    pub(super) test: Test,
}

impl Decided {
    /// Name and reason.
    pub fn text(&self) -> (&'static str, &'static str) {
        (self.id, self.reason)
    }
}

/// Differences of meaning; [`SLIPS`] has those that are the server's own.
const MEANT: &[Decided] = &[
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
            let accents = without.ours != case.ours || without.record != case.record;
            // Where they decide a choice and a pattern sees the letters, taking them away is of no use.
            let chosen = ["GREATEST(", "LEAST("].iter().any(|f| case.ours.contains(f));
            accents && (chosen && case.ours.contains("REGEXP") || equal(&ours(&without), &theirs))
        },
    },
    Decided {
        id: "whole numbers beyond 64 bits",
        reason: "exact here (rule Fn8), an error or the lowest 64 bits there",
        test: |case, ours, theirs| {
            let wrapped = case.ours.contains("AS SIGNED") && long(case);
            let shifted =
                wrapped || case.ours.contains('~') && ["<<", ">>"].iter().any(|s| case.ours.contains(s));
            matches!(ours, Outcome::Value(_))
                && (shifted
                    || matches!(theirs, Answer::Error(e) if e.contains("BIGINT") && e.contains("out of range")))
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
        test: |case, ours, theirs| {
            let nothing =
                case.ours.contains("CONCAT('', '')") && matches!(theirs, Answer::Null | Answer::Text { .. });
            nothing && case.ours.contains("TO_CHAR(")
                || matches!(ours, Outcome::Error(e) if e.contains("HL-2312"))
        },
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
        id: "truth inside JSON",
        reason: "a comparison's result is 1 or 0 here, true or false there, and no keys are an empty list, not a text",
        test: |case, ours, theirs| {
            let numbers = |s: &str| s.replace("true", "1").replace("false", "0").replace("\"[]\"", "[]");
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
            let years =
                ["69-01-01", "9999-12-31"].iter().any(|y| case.ours.contains(y) || case.record.contains(y));
            let late = late || years;
            late && (unix || years && case.ours.contains("UNIX") || case.ours.contains("CONVERT_TZ"))
        },
    },
    Decided {
        id: "texts longer than 1 MiB, or 4 096 bytes where a pattern steps back",
        reason: "an error here, NULL or a text of up to 16 MiB there",
        test: |_, ours, _| matches!(ours, Outcome::Error(e) if e.contains("1 MiB") || e.contains("4096 bytes")),
    },
    Decided {
        id: "rows inside of rows",
        reason: "an error here; each level would repeat the one inside of it",
        test: |_, ours, _| matches!(ours, Outcome::Error(e) if e.contains("a row has no place inside")),
    },
    Decided {
        id: "letters of a floating number",
        reason: "text in arithmetic is exact here (rule Fn8) and has fewer of them",
        test: |case, _, _| {
            let arithmetic = [" - ", " + ", " * ", " / ", " % ", "MOD"].iter().any(|o| case.ours.contains(o));
            arithmetic
                && ["LENGTH((", "BIN((", "PAD((", "TRIM(", "AS CHAR("].iter().any(|f| case.ours.contains(f))
        },
    },
    Decided {
        id: "whole numbers beyond 53 bits, as hexadecimals",
        reason: "exact here, by a floating number there",
        test: |case, ours, theirs| {
            let Answer::Text { text, .. } = theirs else { return false };
            let same = |o: String| o.len() == text.len();
            case.ours.contains("HEX(") && long(case) && ours.text().is_some_and(same)
        },
    },
    Decided {
        id: "long numbers inside of a text",
        reason: "all of their digits here (rule Fn8), 15 to 17 there",
        test: |_, ours, theirs| {
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
            let digits = |s: &str| ["000000", "999999"].iter().any(|r| s.contains(r));
            let exponent = ["e15", "e16", "e17", "e18", "e19", "e2", "e3"].iter().any(|e| text.contains(e));
            shortened(&a) == shortened(text)
                || a.len() > 7 && exponent && !a.contains('e')
                || digits(text) && !digits(&a)
                || moved_by_one(&a, text)
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
            let typed =
                ["DATE(", "TIMESTAMP(", "TIME(", "AS DATE", "AS TIME", "FROM_DAYS(", "LAST_DAY(", "INTERVAL"]
                    .iter()
                    .any(|f| case.ours.contains(f));
            let compared = ["<", ">", " = ", "BETWEEN", " IN "].iter().any(|c| case.ours.contains(c));
            typed
                && compared
                && (invalid.iter().any(|i| all.contains(i)) || case.ours.contains("TIME("))
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
            let whole = Case {
                group: case.group,
                ours: format!("BINARY {}", case.ours),
                theirs: String::new(),
                record: case.record.clone(),
            };
            let chosen = Case {
                group: case.group,
                ours: ["LEAST(", "GREATEST(", "STRCMP(", "CASE "]
                    .iter()
                    .fold(case.ours.clone(), |text, f| text.replace(f, &format!("{f}BINARY ")))
                    .replace("CASE BINARY WHEN", "CASE WHEN")
                    .replace("', '", "', BINARY '")
                    .replace("), '", "), BINARY '"),
                theirs: String::new(),
                record: case.record.clone(),
            };
            let json = again.ours != case.ours || case.ours.contains("->");
            json && [again, whole, chosen].iter().any(|c| equal(&ours(c), theirs))
        },
    },
    Decided {
        id: "dates moved as text",
        reason: "stay dates here: in comparisons, as a number, with the fraction as written; text there",
        test: |case, ours, theirs| {
            let called =
                ["ADDTIME('", "SUBTIME('", "INTERVAL", "TIMESTAMPADD", "ADDDATE", "SUBDATE", "ADD_MONTHS("]
                    .iter()
                    .any(|f| case.ours.contains(f));
            let chosen = ["GREATEST(", "LEAST("].iter().any(|f| case.ours.contains(f));
            let whole = ["SIGNED", "INTEGER"].iter().any(|t| case.ours.contains(t));
            let decides = ["IF(", "CASE "].iter().any(|c| case.ours.contains(c))
                && [" < ", " > ", " = "].iter().any(|c| case.ours.contains(c));
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else {
                return called && decides;
            };
            let compared = matches!(case.group, "operator" | "shape") && matches!(a.as_str(), "0" | "1");
            let year = matches!(theirs, Answer::Text { approximate: true, .. }) && a.starts_with(text);
            let between = decides || case.ours.contains(" BETWEEN ");
            called && (whole || compared || between || chosen || year || trimmed(&a) == trimmed(text))
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
            let zeros = |s: &str| s.replace(['0', '.'], "");
            let counted = ["LENGTH(", "TRIM(", "SHA", "MD5(", "CRC32(", "HEX(", "BASE64("]
                .iter()
                .any(|f| case.ours.contains(f));
            let cast = case.ours.contains("AS CHAR)") && (a.starts_with(text) || text.starts_with(&a));
            let chosen = choice.iter().any(|c| case.ours.contains(c));
            let rounded = case.ours.contains("ROUND((ROUND(") && zeros(&a) == zeros(text);
            cast || rounded
                || chosen && (close || counted || trimmed(&a) == trimmed(text) || zeros(&a) == zeros(text))
        },
    },
    Decided {
        id: "text in arithmetic",
        reason: "exact here (rule Fn8), a floating number of 15 to 17 digits there",
        test: |case, ours, theirs| {
            if matches!(theirs, Answer::Null) {
                return ["NULLIF(", "LN("].iter().any(|f| case.ours.contains(f)) && long(case);
            }
            if case.ours.contains("FORMAT(") && long(case) {
                return true;
            }
            let (Some(a), Answer::Text { text, approximate }) = (ours.text(), theirs) else { return false };
            let (Ok(x), Ok(y)) = (number(&a), number(text)) else { return false };
            let large = x.abs().max(y.abs());
            let close = (&x - &y).abs() <= large * BigDecimal::new(1.into(), 9);
            let long = long(case);
            let rest =
                ["%", "MOD", "FORMAT("].iter().any(|f| case.ours.contains(f)) && (*approximate || long);
            close && (*approximate || long) || *approximate && long || rest
        },
    },
    Decided {
        id: "GREATEST and LEAST of text as a number",
        reason: "the text is chosen first here; there its numbers are compared",
        test: |case, ours, theirs| {
            let called = ["GREATEST(", "LEAST("].iter().any(|f| case.ours.contains(f));
            let inside = ["(GREATEST(", "(LEAST("].iter().any(|f| case.ours.contains(f))
                || !["GREATEST(", "LEAST("].iter().any(|f| case.ours.starts_with(f));
            called && inside && matches!((ours, theirs), (Outcome::Value(_), Answer::Text { .. }))
        },
    },
    Decided {
        id: "a choice between dates, times and texts",
        reason: "stays what was chosen here; there all become of one kind",
        test: |case, ours, theirs| {
            let choice = ["IF(", "COALESCE(", "CASE ", "IFNULL("].iter().any(|c| case.ours.contains(c));
            let inside = ["AS TIME", "AS DECIMAL(20,2)) + 1", "(CONCAT(COALESCE(", "GREATEST((", "LEAST(("]
                .iter()
                .any(|f| case.ours.contains(f));
            if choice && case.ours.contains("DATE(") && inside {
                return true;
            }
            let (Some(a), Answer::Text { text, approximate }) = (ours.text(), theirs) else { return false };
            let number = *approximate && case.ours.contains("DATE(") && a.len() >= 8 && a.starts_with(text);
            // A date became a date and time, or a time one of today.
            let longer = a.len() >= 8 && (text.starts_with(&a) || text.ends_with(&a));
            // As a number it is its year.
            let year = a.split('.').next().is_some_and(|d| d.len() == 8)
                && case.ours.contains("DATE(")
                && text
                    .get(..4)
                    .and_then(|y| y.parse::<i64>().ok())
                    .zip(a.get(..4).and_then(|y| y.parse().ok()))
                    .is_some_and(|(x, y): (i64, i64)| (x - y).abs() <= 1);
            choice && (number || longer || year)
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
];

/// All decided differences.
pub fn table() -> impl Iterator<Item = &'static Decided> {
    MEANT.iter().chain(SLIPS)
}

/// The entry that explains a difference.
pub fn reason(case: &Case, ours: &Outcome, theirs: &Answer) -> Option<usize> {
    table().position(|d| (d.test)(case, ours, theirs))
}
