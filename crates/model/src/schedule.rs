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
        let plain: String = w
            .split_whitespace()
            .enumerate()
            .map(|(i, f)| plain_field(f, if fields == 5 { i + 1 } else { i }))
            .collect::<Vec<_>>()
            .join(" ");
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

    /// The first tick after `after`, if there is one. A time that a clock change skips ticks when the clock has
    /// jumped over it; one that is repeated ticks once.
    pub fn next(&self, after: Ts, tz: Tz) -> Option<Ts> {
        match &self.kind {
            Kind::Every(ms) => Some(Ts(after.0.div_euclid(*ms).saturating_add(1).saturating_mul(*ms))),
            Kind::Cron(cron) => {
                let t = DateTime::<Utc>::from_timestamp_millis(after.0)?.with_timezone(&tz);
                // Ticks lie on whole seconds: croner drops the fraction of where it begins, and of nothing else.
                cron.find_next_occurrence(&t, false).ok().map(|n| Ts(n.timestamp_millis()).floor_secs())
            }
        }
    }

    /// The last tick at or before `at`, if there is one.
    pub fn last(&self, at: Ts, tz: Tz) -> Option<Ts> {
        match &self.kind {
            Kind::Every(ms) => Some(Ts(at.0.div_euclid(*ms).saturating_mul(*ms))),
            Kind::Cron(cron) => {
                let t = DateTime::<Utc>::from_timestamp_millis(at.floor_secs().0)?.with_timezone(&tz);
                cron.find_previous_occurrence(&t, true).ok().map(|n| Ts(n.timestamp_millis()).floor_secs())
            }
        }
    }

    /// Which tick is due at `now`, when every tick up to `answered` has been.
    ///
    /// `grace_ms`: a tick that is older than this was missed, not only noticed late; `missed` says what becomes of it.
    pub fn due(&self, tz: Tz, answered: Ts, now: Ts, missed: Missed, grace_ms: i64) -> Due {
        // A clock that was set back: what was answered stays so.
        let latest = self.last(now, tz).filter(|t| *t > answered);
        let Some(latest) = latest else { return Due::Nothing { next: self.next(now.max(answered), tz) } };
        let first = self.next(answered, tz).unwrap_or(latest).min(latest);
        let fresh = now.0.saturating_sub(latest.0) <= grace_ms;
        match missed {
            Missed::All => Due::Tick { tick: first, passed_over: 0 },
            Missed::Skip if !fresh => Due::Skipped {
                upto: latest,
                missed: self.count(first, latest, tz),
                next: self.next(latest, tz),
            },
            Missed::Once | Missed::Skip => {
                Due::Tick { tick: latest, passed_over: self.count(first, latest, tz).saturating_sub(1) }
            }
        }
    }

    /// Ticks from `first` to `last`, both among them; counting stops at [`COUNTED`].
    fn count(&self, first: Ts, last: Ts, tz: Tz) -> u64 {
        let (mut n, mut at) = (1, first);
        while at < last && n < COUNTED {
            let Some(next) = self.next(at, tz) else { break };
            (at, n) = (next, n + 1);
        }
        n
    }
}

/// A field in the notation that the parser knows: `?` is «any» (it would be the moment of parsing), and Quartz's
/// `5/10`, from 5 on every 10, is a range with a step. `place`: 0 for seconds, to 6 for years.
fn plain_field(field: &str, place: usize) -> String {
    if field == "?" {
        return "*".to_owned();
    }
    let most = ["59", "59", "23", "31", "12", "7", "2199"].get(place).copied().unwrap_or("59");
    let parts = field.split(',').map(|part| match part.split_once('/') {
        Some((from, step)) if !from.is_empty() && from.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{from}-{most}/{step}")
        }
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

/// Missed ticks are counted up to here: only a figure for people, and thousands of plans may have to be counted.
const COUNTED: u64 = 50;

/// What happens with ticks that were missed while nobody was there to run the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// One run for all of them.
    #[default]
    Once,
    /// One run each, each with the window it would have had.
    All,
    /// None.
    Skip,
}

/// Answer of [`Schedule::due`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// No tick is due; the next one.
    Nothing {
        /// If there is one at all.
        next: Option<Ts>,
    },
    /// This tick is due.
    Tick {
        /// The tick that a run answers, and all before it.
        tick: Ts,
        /// Earlier ticks that this run answers as well.
        passed_over: u64,
    },
    /// Ticks were missed and are not made up for.
    Skipped {
        /// The last of them.
        upto: Ts,
        /// How many.
        missed: u64,
        /// The next one.
        next: Option<Ts>,
    },
}

/// By how much (ms) a plan's ticks are shifted so that many plans with one schedule do not start together: the same
/// for every tick and every process, spread evenly over `jitter_ms`.
pub fn jitter_ms(plan: &str, trigger: &str, jitter_ms: i64) -> i64 {
    if jitter_ms <= 0 {
        return 0;
    }
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    for b in plan.bytes().chain([0]).chain(trigger.bytes()) {
        h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    }
    // The low bits of FNV over near-equal names are regular; fold the high ones in.
    i64::try_from((h ^ (h >> 32)) % (jitter_ms as u64 + 1)).unwrap_or(0)
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
        assert_eq!(next("0 0 8 ? * 6L", "2024-03-16 00:00:00"), "2024-03-29 08:00:00");
        assert_eq!(next("0 0 8 ? * MON-FRI", "2024-03-15 09:00:00"), "2024-03-18 08:00:00");
        assert_eq!(next("30 15 10 LW * ?", "2024-06-01 00:00:00"), "2024-06-28 10:15:30");
        assert_eq!(next("0 0 12 1 1 ? 2026", "2024-03-01 00:00:00"), "2026-01-01 12:00:00");
        assert_eq!(next("0 0 12 1 1 ? 2020", "2024-03-01 00:00:00"), "");
        assert_eq!(next("0 0/5 * * * ?", "2024-03-14 16:01:30"), "2024-03-14 16:05:00");
        assert_eq!(next("10 3/20,58 8/4 * * ?", "2024-03-14 08:44:00"), "2024-03-14 08:58:10");
        assert_eq!(next("10 3/20 8/4 * * ?", "2024-03-14 08:44:00"), "2024-03-14 12:03:10");
        assert_eq!(next("0 0 8 ? * 2/2", "2024-03-14 16:00:00"), "2024-03-15 08:00:00");
        assert_eq!(next("7/20 2 * * *", "2024-03-14 02:28:00"), "2024-03-14 02:47:00");
        for bad in ["", "* * *", "61 * * * *", "every", "every 0s", "a b c d e"] {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
    }

    fn at(words: &str, tz: Tz) -> Ts {
        Ts::parse(words, tz).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_skipped_hour_still_ticks_and_a_repeated_one_ticks_once() {
        let tz = chrono_tz::Europe::Berlin;
        let daily = Schedule::parse("0 30 2 * * ?").unwrap_or_else(|e| panic!("{e}"));
        // 2024-03-31 has no 02:30; the next instant that exists is 03:00 summer time, 01:00 UTC.
        let tick = daily.next(at("2024-03-30T12:00:00Z", tz), tz).unwrap_or_default();
        assert!(
            (at("2024-03-31T01:00:00Z", tz)..=at("2024-03-31T01:30:00Z", tz)).contains(&tick),
            "{}",
            tick.rfc3339(tz)
        );
        assert_eq!(daily.next(tick, tz), Some(at("2024-04-01T00:30:00Z", tz)));
        // 2024-10-27 has 02:30 twice.
        let first = daily.next(at("2024-10-26T12:00:00Z", tz), tz).unwrap_or_default();
        assert_eq!(first, at("2024-10-27T00:30:00Z", tz));
        assert_eq!(daily.next(first, tz), Some(at("2024-10-28T01:30:00Z", tz)));
        // An interval goes on through both.
        let often = Schedule::parse("0 */20 * * * ?").unwrap_or_else(|e| panic!("{e}"));
        for (from, hours) in [("2024-10-26T22:00:00Z", 6), ("2024-03-30T22:00:00Z", 6)] {
            let (mut t, mut n) = (at(from, tz), 0);
            let end = t.plus_ms(hours * 3_600_000);
            while let Some(next) = often.next(t, tz).filter(|x| *x <= end) {
                assert_eq!(next.0 - t.0, 1_200_000, "after {}", t.rfc3339(tz));
                (t, n) = (next, n + 1);
            }
            assert_eq!(n, hours * 3);
        }
    }

    #[test]
    fn the_last_tick_is_the_one_before_the_next() {
        let tz = chrono_tz::Asia::Shanghai;
        for words in ["0 */5 * * * ?", "*/7 3,9 * * *", "every 90s", "0 0 8 ? * 1", "15 0 0 L * ?"] {
            let s = Schedule::parse(words).unwrap_or_else(|e| panic!("{e}"));
            let mut t = at("2024-02-20 01:02:03", tz);
            for _ in 0..40 {
                let next = s.next(t, tz).unwrap_or_default();
                assert_eq!(s.last(next, tz), Some(next), "{words}");
                assert_eq!(s.last(next.plus_ms(999), tz), Some(next), "{words}");
                assert!(s.last(next.plus_ms(-1), tz).is_some_and(|l| l <= t.max(l) && l < next), "{words}");
                t = next;
            }
        }
    }

    #[test]
    fn missed_ticks_are_run_once_each_or_not_at_all() {
        let tz = chrono_tz::Asia::Shanghai;
        let s = Schedule::parse("0 0 * * * ?").unwrap_or_else(|e| panic!("{e}"));
        let answered = at("2024-03-14 08:00:00", tz);
        let now = at("2024-03-14 11:30:00", tz);
        let noon = Some(at("2024-03-14 12:00:00", tz));
        let eleven = at("2024-03-14 11:00:00", tz);
        let due = |missed, now| s.due(tz, answered, now, missed, 30_000);
        assert_eq!(due(Missed::Once, now), Due::Tick { tick: eleven, passed_over: 2 });
        assert_eq!(due(Missed::All, now), Due::Tick { tick: at("2024-03-14 09:00:00", tz), passed_over: 0 });
        assert_eq!(due(Missed::Skip, now), Due::Skipped { upto: eleven, missed: 3, next: noon });
        // Noticed some milliseconds late is not missed.
        let late = eleven.plus_ms(180);
        assert_eq!(due(Missed::Skip, late), Due::Tick { tick: eleven, passed_over: 2 });
        assert_eq!(s.due(tz, eleven, now, Missed::All, 30_000), Due::Nothing { next: noon });
        // A clock that was set back repeats nothing.
        let back = at("2024-03-14 07:10:00", tz);
        assert_eq!(due(Missed::All, back), Due::Nothing { next: Some(at("2024-03-14 09:00:00", tz)) });
    }

    #[test]
    fn jitter_spreads_plans_and_never_changes() {
        let spread: Vec<i64> = (0..400).map(|i| jitter_ms(&format!("plan-{i}"), "source", 60_000)).collect();
        assert!(spread.iter().all(|j| (0..=60_000).contains(j)));
        for quarter in 0..4 {
            let n = spread.iter().filter(|j| **j / 15_001 == quarter).count();
            assert!((60..=140).contains(&n), "quarter {quarter}: {n}");
        }
        assert_eq!(jitter_ms("a", "source", 60_000), jitter_ms("a", "source", 60_000));
        assert_ne!(jitter_ms("a", "source", 60_000), jitter_ms("a", "target", 60_000));
        assert_eq!(jitter_ms("a", "source", 0), 0);
    }
}
