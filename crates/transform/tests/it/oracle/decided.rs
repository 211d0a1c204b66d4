//! The differences that are meant, each with its reason: one table.
//!
//! A test here says as narrowly as it can that a difference is of its kind and of no other; where the kind lies in the
//! data, the case is evaluated once more without it, and must then be equal.

use bigdecimal::BigDecimal;

use super::cases::Case;
use super::compare::{Answer, Outcome, equal};
use super::likeness::{alike, floating, long, moved_as_text, number, plain, with};
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
        id: "text as a number",
        reason: "exact, and rounded half away from zero here (rule Fn8); a floating number of 15 to 17 digits there",
        test: |case, _, theirs| {
            let inside = |text: &str| case.ours.contains("JSON_") && long(case) && text.contains("e15");
            matches!(theirs, Answer::Text { text, .. } if inside(text))
                || [false, true].into_iter().any(|every| alike(&ours(&floating(case, every)), theirs))
        },
    },
    Decided {
        id: "dates moved as text",
        reason: "stay dates here: in comparisons, and as a number; text there",
        test: |case, ours_text, theirs| {
            let moved = [false, true].map(|plain| moved_as_text(case, plain));
            let whole = with(case, format!("CONCAT({})", case.ours));
            // A time of a text that is a date shows the digits of a text.
            let digits = ["(ADDTIME('", "(SUBTIME('"].iter().any(|f| case.ours.contains(f))
                && ours_text
                    .text()
                    .is_some_and(|o| matches!(theirs, Answer::Text { text, .. } if *text == o + ".000000"));
            digits || moved.iter().chain([&whole]).any(|c| equal(&ours(c), theirs))
        },
    },
    Decided {
        id: "a choice between a date and a text, as a number",
        reason: "the date's digits here; the number at the beginning of a text there",
        test: |case, ours, theirs| {
            let choice = ["IF(", "COALESCE(", "CASE ", "IFNULL("].iter().any(|c| case.ours.contains(c));
            let (Some(a), Answer::Text { text, approximate: true }) = (ours.text(), theirs) else {
                return false;
            };
            choice && case.ours.contains("DATE(") && a.len() >= 8 && a.get(..4) == text.get(..4)
        },
    },
    Decided {
        id: "whole decimals that are rounded",
        reason: "are whole numbers here and show no digits; there those they were rounded to, as a DECIMAL",
        test: |case, ours, theirs| {
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
            let (Ok(x), Ok(y)) = (number(&a), number(text)) else { return false };
            let rounded = case.ours.contains("AS DECIMAL") && case.ours.contains("ROUND(");
            rounded && y.round(x.fractional_digit_count()) == x
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
