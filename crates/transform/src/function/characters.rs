//! TO_CHAR: dates by Oracle's pattern letters, as MariaDB reads them.

use super::FnError;
use super::format::{day_name, month_name, weekday};
use super::moment::{Moment, Ymd};
use super::sv::Sv;
use super::table::Out;
use super::{FnEnv, moment};
use crate::text;

const DEFAULT: &str = "YYYY-MM-DD HH24:MI:SS";

/// Pattern words, the longer ones first.
const WORDS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "DAY", "DD", "DY", "HH12", "HH24", "HH", "MI", "MM", "MONTH",
    "MON", "P.M.", "PM", "RRRR", "RR", "SS", "YYYY", "YYY", "YY", "Y",
];

/// `TO_CHAR(date, pattern)`.
pub(super) fn to_char<'a>(a: &[Sv<'a>], env: &FnEnv) -> Out<'a> {
    let t = match a.first() {
        Some(Sv::Num(_) | Sv::Bool(_)) => {
            return Err(FnError::new(
                "HL-2312",
                text!("TO_CHAR takes a date, a time or a text", "TO_CHAR 的第一个参数应为日期、时间或文本"),
            ));
        }
        // A time has no date, not even today's.
        Some(Sv::Time(us, _)) => Some(Moment { us: *us, ..Moment::midnight(Ymd::ZERO) }),
        Some(Sv::Str(s)) => moment::parse_moment(s).map(|(t, _)| t),
        Some(v) => v.as_moment(env).map(|(t, _)| t),
        None => None,
    };
    let pattern = a.get(1).map(Sv::words);
    let pattern = pattern.as_deref().unwrap_or(DEFAULT);
    let mut out = String::new();
    write(pattern, t, &mut out)?;
    Ok(t.map_or(Sv::Null, |_| Sv::text(out)))
}

/// What is wrong with a pattern that is written down.
pub(super) fn check(pattern: &str) -> Result<(), FnError> {
    write(pattern, None, &mut String::new())
}

fn write(pattern: &str, t: Option<Moment>, out: &mut String) -> Result<(), FnError> {
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let word = WORDS.iter().find(|w| rest.get(..w.len()).is_some_and(|r| r.eq_ignore_ascii_case(w)));
        if let Some(word) = word {
            if let Some(t) = t {
                part(word, t, out);
            }
            rest = rest.get(word.len()..).unwrap_or("");
            continue;
        }
        let behind = rest.get(c.len_utf8()..).unwrap_or("");
        match c {
            '"' => {
                let end = behind.find('"').unwrap_or(behind.len());
                out.push_str(behind.get(..end).unwrap_or(""));
                rest = behind.get(end + 1..).unwrap_or("");
                super::eval::bounded(out.len())?;
                continue;
            }
            '|' => {}
            '&' if !behind.starts_with('"') => return Err(unknown(rest)),
            ' '..='~' if !c.is_ascii_alphanumeric() => out.push(c),
            _ => return Err(unknown(rest)),
        }
        rest = behind;
    }
    super::eval::bounded(out.len())?;
    Ok(())
}

fn unknown(rest: &str) -> FnError {
    let rest: String = rest.chars().take(20).collect();
    FnError::new(
        "HL-2312",
        text!(
            "TO_CHAR does not know `{rest}` in its pattern (other words stand in double quotes)",
            "TO_CHAR 的模式中无法识别 `{rest}`(其他文字请用双引号括起)"
        ),
    )
}

fn part(word: &str, t: Moment, out: &mut String) {
    let (date, us) = (t.date, t.us.abs());
    let (hour, minute, second) = (us / 3_600_000_000, us / 60_000_000 % 60, us / 1_000_000 % 60);
    let year = i64::from(date.y);
    let half = if hour < 12 { ["AM", "A.M."] } else { ["PM", "P.M."] };
    let name = |name: Option<&str>, wide: bool| match name {
        Some(n) if wide => format!("{n:<9}"),
        Some(n) => n.chars().take(3).collect(),
        None => "00".to_owned(),
    };
    let day = || date.counts().then(|| day_name(weekday(date)));
    out.push_str(&match word {
        "YYYY" | "RRRR" => format!("{year:04}"),
        "YYY" => format!("{:03}", year % 1000),
        "YY" | "RR" => format!("{:02}", year % 100),
        "Y" => format!("{}", year % 10),
        "MM" => format!("{:02}", date.m),
        "MONTH" => name(month_name(date.m), true),
        "MON" => name(month_name(date.m), false),
        "DD" => format!("{:02}", date.d),
        "DAY" => name(day(), true),
        "DY" => name(day(), false),
        "HH24" => format!("{hour:02}"),
        "HH" | "HH12" => format!("{:02}", (hour + 11) % 12 + 1),
        "MI" => format!("{minute:02}"),
        "SS" => format!("{second:02}"),
        "AM" | "PM" => half[0].to_owned(),
        "A.M." | "P.M." => half[1].to_owned(),
        "A.D." | "B.C." => "A.D.".to_owned(),
        _ => "AD".to_owned(),
    });
}
