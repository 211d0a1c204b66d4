//! Differences that are the server's own, each with its reason: slips, and data that has no meaning, such as weeks of a time.

use super::compare::{Answer, Outcome};
use super::decided::Decided;
use super::likeness::unread;
use heliu_transform::Value;

pub const SLIPS: &[Decided] = &[
    Decided {
        id: "blanks of JSON_QUERY",
        reason: "written with blanks behind commas and colons here, as it stood there",
        test: |case, ours, theirs| {
            let packed = |s: &str| s.replace(' ', "");
            let Answer::Text { text, .. } = theirs else { return false };
            // What counts or cuts its letters shows the same difference.
            let inside = case.ours.contains("(JSON_QUERY(");
            case.ours.contains("JSON_QUERY(")
                && (inside || ours.text().is_some_and(|o| packed(&o) == packed(text)))
        },
    },
    Decided {
        id: "JSON that is cut off",
        reason: "no JSON and NULL here; read there as far as it goes, where a number or one member is asked for",
        test: |case, _, _| {
            let broken = [
                "('', ",
                "\":\"\"",
                "{''a''",
                "{'a'",
                "not json",
                "{\"a\":1'",
                "{\"a\":1} x'",
                "{\\\"a\\\":1\"",
                "{\\\"a\\\":1} x\"",
            ];
            let all = format!("{} {}", case.ours, case.record);
            ["JSON_", "->"].iter().any(|f| case.ours.contains(f)) && broken.iter().any(|b| all.contains(b))
        },
    },
    Decided {
        id: "a JSON number that ends in a point",
        reason: "no JSON here (RFC 8259), a number there",
        test: |case, _, _| {
            case.ours.contains("JSON_VALID((")
                || case.ours.contains("JSON_VALID(")
                    && (case.ours.contains("'5.'") || case.record.contains("\"5.\""))
        },
    },
    Decided {
        id: "zero below zero",
        reason: "there is none among exact numbers (rule Fn8); a floating number of the server's can have a sign",
        test: |case, _, _| {
            case.ours.contains("ATAN") && format!("{}{}", case.ours, case.record).contains("-0")
        },
    },
    Decided {
        id: "the week of no date",
        reason: "week 1 of the year 0 here, an overflow there",
        test: |case, ours, theirs| {
            // Years and weeks of a date whose month is 0.
            let week = ["%u", "%U", "%v", "%V", "%x", "%X"].iter().any(|f| case.ours.contains(f));
            let (Some(a), Answer::Text { text, .. }) = (ours.text(), theirs) else { return false };
            let overflow = ["6135667", "6135675"].iter().any(|n| text.contains(n));
            let dated = format!("{}{}", case.ours, case.record).contains("-00");
            let first = a.contains("0000") || case.ours.contains("DATE_FORMAT((");
            case.ours.contains("DATE_FORMAT(") && week && (overflow || dated || first)
        },
    },
    Decided {
        id: "letters of several bytes behind a number",
        reason: "the letters here; there their bytes are read as another character set's",
        test: |case, ours, theirs| {
            let Answer::Text { text, .. } = theirs else { return false };
            let inside = ["PAD(", "INSERT("].iter().any(|f| case.ours.contains(f))
                && (!text.is_ascii() || case.ours.contains("LENGTH("));
            ours.text().is_some_and(|o| inside || unread(text).as_deref() == Some(&o))
        },
    },
    Decided {
        id: "slips of the server with text that is used twice",
        reason: "what the functions say here; there MAKE_SET shows an argument that is NULL, and parts of UUID() are overwritten",
        test: |case, _, _| case.ours.contains("MAKE_SET(") || case.ours.contains("UUID()"),
    },
    Decided {
        id: "a number made text, compared with a number",
        reason: "by all of its digits here, by its whole part there",
        test: |case, ours, _| {
            let cast = [", CHAR)", "AS CHAR)"].iter().any(|c| case.ours.contains(c));
            cast && matches!(ours.text().as_deref(), Some("0" | "1"))
        },
    },
    Decided {
        id: "the kind of a NULL",
        reason: "a NULL has no kind here; there BETWEEN a text and the NULL of a number or date compares numbers or dates",
        test: |case, ours, theirs| {
            let null = matches!(ours, Outcome::Value(Value::Null));
            case.ours.contains("BETWEEN") && (null || matches!(theirs, Answer::Null))
        },
    },
    Decided {
        id: "places beyond 32 bits",
        reason: "there is nothing at such a place here; cut to 32 bits there",
        test: |case, ours, _| {
            let long = format!("{} {}", case.ours, case.record);
            let _ = ours;
            case.ours.contains("ELT(") && ["9007199254740993", "1234567890"].iter().any(|n| long.contains(n))
        },
    },
    Decided {
        id: "months without number",
        reason: "NULL here, where there are no so many; there the lowest 32 bits count",
        test: |case, ours, _| {
            let bits = ["^", "~", "<<", "|"].iter().any(|o| case.ours.contains(o));
            bits && case.ours.contains("ADD_MONTHS(") && matches!(ours, Outcome::Value(Value::Null))
        },
    },
    Decided {
        id: "a key that an object has twice",
        reason: "the first of them is meant here; in some functions each of them there",
        test: |case, _, _| {
            let all = format!("{} {}", case.ours, case.record).replace('\\', "");
            case.ours.contains("JSON_") && all.contains("{\"a\":1,\"a\":2}")
        },
    },
    Decided {
        id: "nothing is replaced by NULL",
        reason: "NULL here, as documented; the text as it is there, where another function made it",
        test: |case, ours, _| {
            case.ours.contains("REPLACE(")
                && ["((", ", (", "->>"].iter().any(|n| case.ours.contains(n))
                && matches!(ours, Outcome::Value(Value::Null))
        },
    },
    Decided {
        id: "the sound of wide letters",
        reason: "letters of English have sounds here; others too there",
        test: |case, _, _| case.ours.contains("SOUND") && !format!("{}{}", case.ours, case.record).is_ascii(),
    },
    Decided {
        id: "a negative number without digits behind the point, as UNSIGNED",
        reason: "wraps around here, as whole numbers do; what was a decimal becomes 0 there",
        test: |case, _, theirs| {
            case.ours.contains("AS UNSIGNED") && matches!(theirs, Answer::Text { text, .. } if text == "0")
        },
    },
    Decided {
        id: "several dates in one text",
        reason: "its beginning is read as a date and time here; none there",
        test: |case, _, _| case.ours.contains("BETWEEN (CONCAT(DATE(") && case.ours.contains("'|'"),
    },
    Decided {
        id: "a number that is no time",
        reason: "NULL here; midnight there, where only its day is 0",
        test: |case, ours, theirs| {
            let midnight = matches!(theirs, Answer::Text { text, .. } if text.contains("00:00:00") || text.contains("-00-00"));
            let null = matches!(ours, Outcome::Value(Value::Null));
            let compared = ["<", ">", " = ", " IN (", "NULLIF("].iter().any(|c| case.ours.contains(c));
            let truth = matches!(ours.text().as_deref(), Some("0" | "1"));
            let time = ["AS TIME", "AS DATE", "SEC_TO_TIME(", "STR_TO_DATE(", "TIMEDIFF("]
                .iter()
                .any(|t| case.ours.contains(t));
            let written = case.ours.starts_with("DATE_FORMAT((") && null;
            time && (null && midnight || compared && (truth || null)) || written
        },
    },
    Decided {
        id: "several paths of JSON_EXTRACT",
        reason: "in the order of the paths here, as in MySQL 8; in that of the document there",
        test: |case, _, _| case.ours.contains("JSON_EXTRACT(") && case.ours.contains("'$.a', '$.list[1]')"),
    },
    Decided {
        id: "rows of NULL",
        reason: "a comparison of rows is unknown here where those of all pairs are; there it is not",
        test: |case, _, _| {
            ["IS UNKNOWN", "NULL"].iter().any(|n| case.ours.contains(n))
                && [") <> (", ") = ("].iter().any(|o| case.ours.contains(o))
        },
    },
    Decided {
        id: "errors of what decides nothing",
        reason: "what is not needed for the answer is not evaluated here",
        test: |case, ours, theirs| {
            let skips = [" AND ", " OR ", " IN (", "IF(", "IFNULL(", "COALESCE(", "CASE "];
            let error = matches!(theirs, Answer::Error(e) if e.contains("out of range"));
            error && matches!(ours, Outcome::Value(_)) && skips.iter().any(|s| case.ours.contains(s))
        },
    },
    Decided {
        id: "letters of NULL",
        reason: "QUOTE gives text here; there LOWER leaves the NULL that it quotes as it is",
        test: |case, _, _| case.ours.contains("QUOTE(NULL)") || case.ours.contains("LOWER((QUOTE("),
    },
    Decided {
        id: "chance, drawn twice",
        reason: "an argument is evaluated once here; NULLIF does it twice there",
        test: |case, _, _| case.ours.contains("RAND(") && case.ours.contains("NULLIF("),
    },
    Decided {
        id: "BIT_AND of nothing in a subquery",
        reason: "2^64 - 1 here, as outside of a subquery; -1 there",
        test: |case, ours, _| {
            case.ours.contains("BIT_AND(") && ours.text().is_some_and(|o| o.starts_with("184467440737095"))
        },
    },
    Decided {
        id: "week of a time",
        reason: "a time has no week; what the server counts is no number of one",
        test: |case, _, theirs| {
            let clock = case.ours.split_once("EXTRACT(WEEK FROM ").is_some_and(|(_, rest)| {
                let of: String = rest.chars().take_while(|c| *c != ')').collect();
                of.starts_with("TIME(") || of.contains(':') && !of.contains('-')
            });
            let null = ["EXTRACT(WEEK FROM '{{", "EXTRACT(WEEK FROM ("].iter().any(|e| case.ours.contains(e))
                && (matches!(theirs, Answer::Null) || case.record.contains(':'));
            clock
                || null
                || case.ours.contains("EXTRACT(WEEK")
                    && matches!(theirs, Answer::Text { text, .. } if text.len() > 6)
        },
    },
    Decided {
        id: "LOCATE of nothing behind letters of several bytes",
        reason: "the place asked for here, a place in bytes there",
        test: |case, _, _| {
            let all = format!("{} {}", case.ours, case.record);
            case.ours.contains("LOCATE(") && !all.is_ascii()
        },
    },
];
