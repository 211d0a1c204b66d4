//! When a plan runs, as its files say.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use heliu_model::ports::{TimetableLine, Trigger};
use heliu_model::schedule::{Missed, Schedule};

/// A plan's timetable.
#[derive(Debug, Clone)]
pub struct PlanTimes {
    /// File stem.
    pub name: String,
    /// The plan's own id.
    pub uuid: String,
    /// Zone of its schedules.
    pub tz: Tz,
    /// Starts the source side, and the target side too where that has no schedule of its own.
    pub schedule: Option<Schedule>,
    /// Starts the target side.
    pub target_schedule: Option<Schedule>,
    /// Starts the gap scan (dialect §5.6).
    pub remedy: Option<Schedule>,
    /// The plan whose end starts this one.
    pub after: Option<String>,
    /// What becomes of missed ticks.
    pub missed: Missed,
    /// Ticks are shifted by up to so many milliseconds.
    pub jitter_ms: i64,
    /// Higher goes first when workers are short.
    pub priority: i64,
    /// It is started at all.
    pub enabled: bool,
    /// Plans with the same word wait for the same budget (the source's connector).
    pub share: String,
}

impl PlanTimes {
    /// What starts this plan, and by which schedule.
    pub(super) fn triggers(&self) -> Vec<(Trigger, Option<&Schedule>)> {
        let mut out: Vec<(Trigger, Option<&Schedule>)> = [
            (Trigger::Source, &self.schedule),
            (Trigger::Target, &self.target_schedule),
            (Trigger::Remedy, &self.remedy),
        ]
        .into_iter()
        .filter_map(|(trigger, schedule)| Some((trigger, Some(schedule.as_ref()?))))
        .collect();
        if self.after.is_some() {
            out.push((Trigger::After, None));
        }
        out
    }

    /// The plan's lines for the ledger.
    pub(super) fn lines(&self) -> Vec<TimetableLine> {
        self.triggers()
            .into_iter()
            .map(|(trigger, schedule)| {
                let words = match (self.enabled, schedule) {
                    (false, _) => String::new(),
                    (true, Some(s)) => format!("{} @ {}", s.words(), self.tz),
                    (true, None) => format!("after {}", self.after.as_deref().unwrap_or_default()),
                };
                TimetableLine { plan: self.name.clone(), uuid: self.uuid.clone(), trigger, words }
            })
            .collect()
    }

    /// True when each side has its own time: a source tick only reads then.
    pub(super) fn split(&self) -> bool {
        self.target_schedule.is_some()
    }
}

/// Plans that trigger each other in a circle, the first one repeated at the end; `None` if there is no circle that
/// `plan` is part of. `after` gives each plan's predecessor.
pub fn circle(plan: &str, after: &HashMap<String, String>) -> Option<Vec<String>> {
    let mut way = vec![plan.to_owned()];
    let mut seen: HashSet<&str> = HashSet::from([plan]);
    let mut at = plan;
    while let Some(before) = after.get(at) {
        way.push(before.clone());
        if before == plan {
            way.reverse();
            return Some(way);
        }
        if !seen.insert(before) {
            return None;
        }
        at = before;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_by_those_who_are_in_them() {
        let after: HashMap<String, String> =
            [("b", "a"), ("c", "b"), ("a", "c"), ("d", "a"), ("e", "e"), ("g", "f")]
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect();
        let names = |p| circle(p, &after).map(|w| w.join(" "));
        assert_eq!(names("a").as_deref(), Some("a b c a"));
        assert_eq!(names("c").as_deref(), Some("c a b c"));
        assert_eq!(names("e").as_deref(), Some("e e"));
        // Behind a circle, but not in it; and a plain chain.
        assert_eq!(names("d"), None);
        assert_eq!(names("g"), None);
    }
}
