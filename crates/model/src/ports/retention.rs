//! What may go from the ledger, and in which steps.
//!
//! Runs, windows and certificates stay for ever, and so do a record's id, hash, state and times: whatever else went,
//! an element that comes back is still told from a new one. What is not written keeps its content, whatever its age.

use serde::{Deserialize, Serialize};

use super::{PlanId, RowId};
use crate::Ts;

/// A round that gave no sign of life for so long has been interrupted.
pub const RETENTION_STALE_MS: i64 = 600_000;

/// What to keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retention {
    /// Calls older than this go; of those that brought or wrote a record, who, when and how it ended stays.
    pub calls_before: Option<Ts>,
    /// Bodies of the oldest calls go until all bodies take at most so many bytes.
    pub calls_bytes: Option<u64>,
    /// Contents of records written before this go, with those of their older versions; anything unwritten stays.
    pub records_before: Option<Ts>,
    /// Plans with a rule of their own in place of `records_before`; `None` keeps everything.
    pub plans: Vec<(PlanId, Option<Ts>)>,
}

impl Retention {
    /// Contents of this plan's records that were written before this may go.
    pub fn records_of(&self, plan: PlanId) -> Option<Ts> {
        self.plans.iter().find(|(p, _)| *p == plan).map_or(self.records_before, |(_, before)| *before)
    }
}

/// Where a round of retention is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PruneAt {
    /// Calls, the oldest first.
    #[default]
    Calls,
    /// Records behind this one.
    Records(RowId),
    /// Free space is given back.
    Space,
}

/// What one step, or several, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PruneStep {
    /// Calls whose bodies went.
    pub bodies: u64,
    /// Calls that went altogether.
    pub calls: u64,
    /// Contents of records and of their older versions that went.
    pub contents: u64,
    /// Bytes freed inside the store.
    pub freed: u64,
    /// Bytes given back to the file system.
    pub returned: u64,
    /// Where the next step begins; `None` when nothing is left to do.
    pub next: Option<PruneAt>,
}

impl PruneStep {
    /// Adds what a later step did.
    pub fn add(&mut self, o: &PruneStep) {
        self.bodies += o.bodies;
        self.calls += o.calls;
        self.contents += o.contents;
        self.freed += o.freed;
        self.returned += o.returned;
        self.next = o.next;
    }
}

/// A round of retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionRow {
    /// Begin.
    pub started: Ts,
    /// Last sign of life.
    pub seen: Ts,
    /// End; `None` while it is under way, or was interrupted.
    pub ended: Option<Ts>,
    /// What it did so far; `next` is where it goes on.
    pub done: PruneStep,
}

impl RetentionRow {
    /// Where a new round begins, if one may begin now.
    pub fn due(last: Option<&RetentionRow>, now: Ts, every_ms: Option<i64>) -> Option<PruneAt> {
        let (Some(last), Some(every)) = (last, every_ms) else { return Some(PruneAt::default()) };
        // A clock that was set back is no reason to wait.
        let past = |since: Ts, ms: i64| now >= since.plus_ms(ms) || now < since.plus_ms(-ms);
        match last.ended {
            Some(ended) => past(ended, every).then(PruneAt::default),
            None => past(last.seen, RETENTION_STALE_MS).then(|| last.done.next.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_due_when_the_last_one_is_long_over() {
        let day = 86_400_000;
        let next = Some(PruneAt::Records(7));
        let mut last = RetentionRow {
            started: Ts(0),
            seen: Ts(500),
            ended: Some(Ts(1_000)),
            done: PruneStep { next, ..PruneStep::default() },
        };
        let due = |last: &RetentionRow, now: i64| RetentionRow::due(Some(last), Ts(now), Some(day));
        assert_eq!(RetentionRow::due(None, Ts(0), Some(day)), Some(PruneAt::Calls));
        assert_eq!(due(&last, day), None);
        assert_eq!(due(&last, day + 1_000), Some(PruneAt::Calls));
        assert_eq!(RetentionRow::due(Some(&last), Ts(2_000), None), Some(PruneAt::Calls));
        last.ended = None;
        assert_eq!(due(&last, RETENTION_STALE_MS), None);
        assert_eq!(due(&last, RETENTION_STALE_MS + 500), next);
        assert_eq!(due(&last, -RETENTION_STALE_MS), next, "the clock was set back");
    }
}
