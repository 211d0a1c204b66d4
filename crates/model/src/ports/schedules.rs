//! Which ticks have been answered, durable and shared by all processes of a project.
//!
//! A tick is answered by the transaction that opens its run ([`crate::ports::OpenRun::tick`]): of two schedulers
//! exactly one opens it, and a crash right after leaves a run that is owed. Nothing here is ever answered twice.

use async_trait::async_trait;

use crate::ports::PlanId;
use crate::{Failure, Ts};

/// What of a plan is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// `schedule`: the source side, and the target side too where that has no schedule of its own.
    Source,
    /// `targetSchedule`: the target side.
    Target,
    /// The omission remedy's own crontab.
    Remedy,
    /// Another plan has finished (`after`); the tick is the instant at which it ended.
    After,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Trigger; 4] = [Trigger::Source, Trigger::Target, Trigger::Remedy, Trigger::After];

    /// The word that is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Trigger::Source => "source",
            Trigger::Target => "target",
            Trigger::Remedy => "remedy",
            Trigger::After => "after",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Option<Trigger> {
        Trigger::ALL.into_iter().find(|t| t.word() == word)
    }
}

/// One line of a project's timetable, as its files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimetableLine {
    /// Plan file's stem.
    pub plan: String,
    /// The plan's own id.
    pub uuid: String,
    /// What is started.
    pub trigger: Trigger,
    /// Schedule and zone as text; empty while it is switched off. When they differ from what is stored, ticks begin
    /// anew from now: neither an edited schedule nor one that was off for a while makes missed ticks. A run that is
    /// owed stays owed, unless it is switched off.
    pub words: String,
}

/// What is known about one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickState {
    /// Plan.
    pub plan: PlanId,
    /// What is started.
    pub trigger: Trigger,
    /// Every tick up to this instant has been answered.
    pub answered: Ts,
    /// A run is owed, not before this instant: one that was begun and never heard of again, or could not finish.
    pub owed: Option<Ts>,
    /// Runs in a row that could not finish.
    pub failures: u32,
}

/// The tick that a run answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// What is started.
    pub trigger: Trigger,
    /// The tick; all before it are answered with it.
    pub at: Ts,
}

/// What became of a run that a schedule started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickAnswer {
    /// Plan.
    pub plan: PlanId,
    /// What was started.
    pub trigger: Trigger,
    /// Ticks up to here are answered (never back; `None`: no change).
    pub upto: Option<Ts>,
    /// The run is owed again at this instant; `None` when it is done.
    pub owed: Option<Ts>,
    /// Runs in a row that could not finish.
    pub failures: u32,
}

/// Durable answers to ticks.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// The states of these lines, same order. A line that is not known yet, or whose words have changed, begins at
    /// `now`; its plan gets its row if it has none. One transaction for all.
    async fn timetable(&self, lines: &[TimetableLine], now: Ts) -> Result<Vec<TickState>, Failure>;

    /// Stores what became of runs, all in one transaction. A line that is not known is left alone.
    async fn answer(&self, answers: &[TickAnswer]) -> Result<(), Failure>;

    /// All lines of a plan, in the order of [`Trigger::ALL`].
    async fn tick_states(&self, plan: PlanId) -> Result<Vec<TickState>, Failure>;
}
