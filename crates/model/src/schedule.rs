//! When a plan runs: Quartz, five-field cron, or `every 5m`, in the plan's zone (interface §2.2).

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde_json::Value;

use crate::time::parse_duration;
use crate::{Text, Ts, text};

/// A compiled schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    words: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Cron(Box<Cron>),
    Every(i64),
}

impl Schedule {
    /// Reads a schedule, or the seeds' form `{"schedule": …, "task": {"retries": 3}}`; with the retries it names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(v: &Value) -> Result<(Option<Schedule>, Option<u32>), Text> {
        match v {
            Value::String(s) if s.trim().is_empty() => Ok((None, None)),
            Value::String(s) => Ok((Some(Schedule::parse(s)?), None)),
            Value::Object(map) => {
                let words = map.get("schedule").and_then(Value::as_str).unwrap_or("");
                let retries = map
                    .get("task")
                    .and_then(|t| t.get("retries"))
                    .and_then(Value::as_u64)
                    .and_then(|n| u32::try_from(n).ok());
                if words.trim().is_empty() {
                    return Err(text!(
                        "`schedule` is missing inside the schedule",
                        "调度对象中缺少 `schedule`"
                    ));
                }
                Ok((Some(Schedule::parse(words)?), retries))
            }
            other => {
                let found = other.to_string();
                Err(text!("a schedule is text, not {found}", "调度应为文本,而不是 {found}"))
            }
        }
    }

    /// Reads a schedule's words.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(words: &str) -> Result<Schedule, Text> {
        let w = words.trim();
        if let Some(span) = w.strip_prefix("every ") {
            let ms = parse_duration(span)?;
            if ms < 1000 {
                return Err(text!("`{w}` is too often; at least a second", "`{w}` 过于频繁;至少一秒"));
            }
            return Ok(Schedule { words: w.to_owned(), kind: Kind::Every(ms) });
        }
        let fields = w.split_whitespace().count();
        let parser = match fields {
            5 => CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build(),
            6 => CronParser::builder()
                .seconds(Seconds::Required)
                .year(Year::Disallowed)
                .alternative_weekdays(true)
                .build(),
            7 => CronParser::builder()
                .seconds(Seconds::Required)
                .year(Year::Required)
                .alternative_weekdays(true)
                .build(),
            n => {
                return Err(text!(
                    "`{w}` has {n} fields; a schedule has 5, 6 or 7",
                    "`{w}` 有 {n} 段;调度应为 5、6 或 7 段"
                ));
            }
        };
        // croner reads `?` as the moment of parsing; here it is «any».
        let plain: String =
            w.split_whitespace().map(|f| if f == "?" { "*" } else { f }).collect::<Vec<_>>().join(" ");
        let cron = parser.parse(&plain).map_err(|e| {
            let why = e.to_string();
            text!("`{w}` is no schedule: {why}", "`{w}` 不是有效的调度:{why}")
        })?;
        Ok(Schedule { words: w.to_owned(), kind: Kind::Cron(Box::new(cron)) })
    }

    /// As the author wrote it.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The first tick after `after`, if there is one.
    pub fn next(&self, after: Ts, tz: Tz) -> Option<Ts> {
        match &self.kind {
            Kind::Every(ms) => Some(Ts(after.0.div_euclid(*ms).saturating_add(1).saturating_mul(*ms))),
            Kind::Cron(cron) => {
                let t = DateTime::<Utc>::from_timestamp_millis(after.0)?.with_timezone(&tz);
                cron.find_next_occurrence(&t, false).ok().map(|n| Ts(n.timestamp_millis()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(words: &str, after: &str) -> String {
        let tz = chrono_tz::Asia::Shanghai;
        let s = Schedule::parse(words).unwrap_or_else(|e| panic!("{e}"));
        let after = Ts::parse(after, tz).unwrap_or_else(|e| panic!("{e}"));
        s.next(after, tz).map(|t| t.local(tz)).unwrap_or_default()
    }

    #[test]
    fn all_forms() {
        assert_eq!(next("0 */5 * * * ?", "2024-03-14 16:01:30"), "2024-03-14 16:05:00");
        assert_eq!(next("*/5 * * * *", "2024-03-14 16:01:30"), "2024-03-14 16:05:00");
        assert_eq!(next("5-59/10 * * * *", "2024-03-14 16:06:00"), "2024-03-14 16:15:00");
        assert_eq!(next("every 5m", "2024-03-14 16:01:30"), "2024-03-14 16:05:00");
        // Quartz counts Sunday as 1, five-field cron as 0 or 7. 2024-03-17 was a Sunday.
        assert_eq!(next("0 0 8 ? * 1", "2024-03-14 16:00:00"), "2024-03-17 08:00:00");
        assert_eq!(next("0 8 * * 0", "2024-03-14 16:00:00"), "2024-03-17 08:00:00");
        assert_eq!(next("0 8 * * 7", "2024-03-14 16:00:00"), "2024-03-17 08:00:00");
        assert_eq!(next("0 0 8 L * ?", "2024-02-14 16:00:00"), "2024-02-29 08:00:00");
        assert_eq!(next("0 0 8 ? * 6#3", "2024-03-01 00:00:00"), "2024-03-15 08:00:00");
        for bad in ["", "* * *", "61 * * * *", "every", "every 0s", "a b c d e"] {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
    }
}
