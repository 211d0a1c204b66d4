//! Counts of a run and the certificate: what the source returned against what became of it.

use serde::{Deserialize, Serialize};

use crate::{Problem, Window, text};

/// What a run asked of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceCounts {
    /// All calls sent, repetitions and token calls included.
    pub calls: u64,
    /// Calls that repeated a failed one.
    pub retried: u64,
    /// Calls answered with «slow down».
    pub throttled: u64,
    /// Replies that brought a page.
    pub pages: u64,
    /// Elements brought, after splitting, without repeats.
    pub returned: u64,
    /// Elements this run's windows had already seen, or older than what is stored.
    pub repeated: u64,
}

/// What became of the elements when they were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordCounts {
    /// First time this id was seen.
    pub new: u64,
    /// New version of a known record.
    pub changed: u64,
    /// Same content as stored.
    pub unchanged: u64,
    /// Left out by a condition.
    pub filtered: u64,
    /// Could not be keyed.
    pub rejected: u64,
}

impl RecordCounts {
    /// Everything that was decided.
    pub fn sum(&self) -> u64 {
        self.new + self.changed + self.unchanged + self.filtered + self.rejected
    }

    /// Adds another page's counts.
    pub fn add(&mut self, o: &RecordCounts) {
        self.new += o.new;
        self.changed += o.changed;
        self.unchanged += o.unchanged;
        self.filtered += o.filtered;
        self.rejected += o.rejected;
    }
}

/// What became of the versions that were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TargetCounts {
    /// Calls or statements sent.
    pub calls: u64,
    /// Versions now in the target.
    pub written: u64,
    /// Versions refused or not renderable.
    pub failed: u64,
    /// Versions whose write was not answered.
    pub in_doubt: u64,
    /// Versions still to be written.
    pub waiting: u64,
    /// Versions replaced by a newer one before they were written.
    pub superseded: u64,
}

impl TargetCounts {
    /// Everything that was settled, and what still waits.
    pub fn sum(&self) -> u64 {
        self.written + self.failed + self.in_doubt + self.waiting + self.superseded
    }
}

/// All counts of a run or of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// The source's side.
    pub source: SourceCounts,
    /// The storing.
    pub records: RecordCounts,
    /// The target's side.
    pub target: TargetCounts,
    /// Versions that waited when the run began.
    pub waiting_before: u64,
    /// Elements rejected for the first time (they make exit status 1).
    pub newly_rejected: u64,
}

impl Counts {
    /// returned = new + changed + unchanged + filtered + rejected (interface §3.2).
    pub fn source_balances(&self) -> bool {
        self.source.returned == self.records.sum()
    }

    /// new + changed + waiting before = written + failed + in doubt + waiting + superseded.
    pub fn target_balances(&self) -> bool {
        self.records.new + self.records.changed + self.waiting_before == self.target.sum()
    }
}

/// One window of a run and whether its walk was proved complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowReport {
    /// The range.
    pub window: Window,
    /// The walk reached its end and was proved complete as declared.
    pub complete: bool,
    /// The window's counts balance, and agree with the source's own total where it has one.
    pub balanced: bool,
    /// The source's own total, where it declares one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Returned elements of this window.
    pub returned: u64,
    /// What was decided about them.
    pub records: RecordCounts,
}

/// Why a run exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Follows the watermark and moves it.
    Normal,
    /// Reads a given range and leaves the watermark alone.
    Backfill,
    /// Reads at most some records; never moves the watermark, never complete.
    Limited,
    /// Writes what waits, reads nothing.
    TargetOnly,
    /// Gap scan (omission remedy, dialect §5.6): reads a range again with the remedy's own parameters, stores only
    /// what is missing or changed, and leaves the watermark alone.
    Remedy,
}

impl RunKind {
    /// All of them.
    pub const ALL: [RunKind; 5] =
        [RunKind::Normal, RunKind::Backfill, RunKind::Limited, RunKind::TargetOnly, RunKind::Remedy];

    /// The word that is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            RunKind::Normal => "normal",
            RunKind::Backfill => "backfill",
            RunKind::Limited => "limited",
            RunKind::TargetOnly => "target_only",
            RunKind::Remedy => "remedy",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        RunKind::ALL.into_iter().find(|k| k.word() == word)
    }
}

/// Code of a back-fill that gave way before it had read everything.
pub const PUT_ASIDE: &str = "HL-7046";

/// What the run that takes the place of an interrupted back-fill has to say: nobody else reads what that one had not
/// read yet (`unread`), for the watermark does not stand before it.
pub fn put_aside(kind: RunKind, unread: impl IntoIterator<Item = Window>) -> Option<Problem> {
    let unread = unread.into_iter().filter(|_| kind == RunKind::Backfill);
    let range = unread.reduce(|a, b| Window { from: a.from.min(b.from), to: a.to.max(b.to) })?;
    let (from, to) = (range.from.rfc3339(chrono_tz::UTC), range.to.rfc3339(chrono_tz::UTC));
    Some(Problem::warning(
        PUT_ASIDE,
        "",
        text!(
            "an interrupted back-fill gave way to this run and is not resumed; not read yet: `--from {from} --to {to}`",
            "一次中断的回补已让位于本次运行,不会再继续;尚未读取的范围:`--from {from} --to {to}`"
        ),
    ))
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Being worked on, or interrupted and to be resumed.
    Open,
    /// Done and balanced.
    Done,
    /// Done, but something needs a person.
    Attention,
    /// Could not finish; the next start resumes or repeats it.
    Stopped,
}

impl RunState {
    /// The word that is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            RunState::Open => "open",
            RunState::Done => "done",
            RunState::Attention => "attention",
            RunState::Stopped => "stopped",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [RunState::Open, RunState::Done, RunState::Attention, RunState::Stopped]
            .into_iter()
            .find(|s| s.word() == word)
    }
}

/// The result of one `run` of one plan.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Plan file's stem.
    pub plan: String,
    /// Run id (ULID).
    pub run: String,
    /// Its windows in order.
    pub windows: Vec<WindowReport>,
    /// Hull of the windows; `None` for a run that reads nothing.
    pub window: Option<Window>,
    /// Every window complete and nothing was left out on purpose.
    pub complete: bool,
    /// All counts.
    pub counts: Counts,
    /// The certificate adds up.
    pub balanced: bool,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Findings, with code and sentence.
    pub problems: Vec<Problem>,
    /// The failure that ended the run early, if any.
    pub failure: Option<crate::Failure>,
    /// What kind of run it was.
    pub kind: RunKind,
    /// An interrupted run went on: its windows were frozen when it first began.
    pub resumed: bool,
    /// Records of the plan now failed or in doubt, whenever that happened.
    pub standing_failed: u64,
    /// Records of the plan now in doubt.
    pub standing_in_doubt: u64,
}

impl RunReport {
    /// Judges a stored run: whether its windows and its counts balance (interface §3.2).
    pub fn from_row(plan: &str, row: &crate::ports::RunRow, standing: &crate::ports::StateCounts) -> Self {
        let limited = row.kind == RunKind::Limited;
        let mut windows = row.windows.clone();
        for w in &mut windows {
            w.balanced = w.returned == w.records.sum() && (w.complete || limited);
        }
        let complete = !limited && row.state != RunState::Open && windows.iter().all(|w| w.complete);
        let balanced = row.state != RunState::Open
            && windows.iter().all(|w| w.balanced)
            && row.counts.source_balances()
            && row.counts.target_balances();
        let window =
            windows.first().zip(windows.last()).map(|(a, b)| Window { from: a.window.from, to: b.window.to });
        RunReport {
            plan: plan.to_owned(),
            run: row.ulid.clone(),
            window,
            windows,
            complete,
            counts: row.counts,
            balanced,
            seconds: row.seconds,
            problems: row.problems.clone(),
            failure: row.failure.clone(),
            kind: row.kind,
            resumed: false,
            standing_failed: standing.failed,
            standing_in_doubt: standing.in_doubt,
        }
    }

    /// Exit status of the command (interface §3.1).
    pub fn exit_code(&self) -> u8 {
        if let Some(f) = &self.failure {
            return if f.class == crate::Class::Config && f.code.starts_with("HL-1") { 2 } else { 3 };
        }
        let person = self.standing_failed > 0
            || self.standing_in_doubt > 0
            || self.counts.newly_rejected > 0
            || !self.balanced;
        u8::from(person)
    }
}
