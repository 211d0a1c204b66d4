//! Plans and runs: how one is opened, what it takes over, how it ends.

use super::{Intent, PlanId, RunId};
use crate::ports::{Tick, TickState};
use crate::run::{Counts, RunKind, RunState, WindowReport};
use crate::{Failure, Problem, Ts, Window};

/// A plan as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    /// Number.
    pub id: PlanId,
    /// File stem.
    pub name: String,
    /// The plan's own id (uuid), which lookups name.
    pub uuid: String,
    /// When it was first seen.
    pub first_seen: Ts,
    /// Everything before this instant has been read.
    pub watermark: Option<Ts>,
}

/// Wish to run a plan.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// Plan.
    pub plan: PlanId,
    /// Id of the new run (ULID); ignored when an interrupted run is resumed.
    pub ulid: String,
    /// Kind.
    pub kind: RunKind,
    /// Windows in order (frozen), each with the walk's initial state as JSON text.
    pub windows: Vec<(Window, String)>,
    /// Who runs: host, process id, start.
    pub owner: String,
    /// Start.
    pub now: Ts,
    /// The lease ends then unless renewed.
    pub lease_until: Ts,
    /// The tick this run answers, if a schedule started it. In the same transaction: the tick (and all before it) is
    /// marked as answered and the run as owed since `now`; if it was answered before and no run is owed at `now`, the
    /// answer is [`RunOpening::Answered`] and nothing changes. [`RunOpening::Busy`] leaves the tick unanswered.
    pub tick: Option<Tick>,
}

/// A window of an open run.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWindow {
    /// Position in the run, from 0.
    pub seq: u32,
    /// The range.
    pub window: Window,
    /// The walk's state as JSON text.
    pub walk: String,
    /// Ended already.
    pub closed: bool,
    /// What was counted so far.
    pub report: WindowReport,
}

/// A run that this process now owns.
#[derive(Debug, Clone)]
pub struct OwnedRun {
    /// Number.
    pub id: RunId,
    /// ULID shown to users.
    pub ulid: String,
    /// Kind.
    pub kind: RunKind,
    /// Fencing number: grows with every take-over.
    pub epoch: i64,
    /// An interrupted run goes on.
    pub resumed: bool,
    /// Start of the run (of its first beginning).
    pub started: Ts,
    /// Windows.
    pub windows: Vec<OpenWindow>,
    /// Counts so far.
    pub counts: Counts,
    /// Intents announced and never settled by a former owner.
    pub intents: Vec<Intent>,
    /// Findings stored so far.
    pub problems: Vec<Problem>,
}

/// Answer to [`Ledger::open_run`](super::Ledger::open_run).
#[derive(Debug, Clone)]
pub enum RunOpening {
    /// Yours: new, or an interrupted one taken over.
    Owned(Box<OwnedRun>),
    /// Somebody else holds the plan.
    Busy {
        /// Who.
        owner: String,
        /// Since when.
        since: Ts,
    },
    /// The tick has been answered by somebody else: nothing to do.
    Answered(TickState),
}

/// End of a run, or of this process's part in it.
#[derive(Debug, Clone)]
pub struct CloseRun {
    /// Run.
    pub run: RunId,
    /// Owner's epoch.
    pub epoch: i64,
    /// `Open` releases the lease and leaves the run to be resumed.
    pub state: RunState,
    /// Findings to add.
    pub problems: Vec<Problem>,
    /// Why it ended early.
    pub failure: Option<Failure>,
    /// Seconds of work to add.
    pub seconds: f64,
    /// Now.
    pub now: Ts,
}

/// A run as people see it.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Number.
    pub id: RunId,
    /// Plan.
    pub plan: PlanId,
    /// ULID.
    pub ulid: String,
    /// Kind.
    pub kind: RunKind,
    /// State.
    pub state: RunState,
    /// Windows with their certificates.
    pub windows: Vec<WindowReport>,
    /// Counts; `target.waiting` is what waits now when the run is closed.
    pub counts: Counts,
    /// Begin.
    pub started: Ts,
    /// End.
    pub ended: Option<Ts>,
    /// Seconds of work.
    pub seconds: f64,
    /// Findings.
    pub problems: Vec<Problem>,
    /// Why it ended early.
    pub failure: Option<Failure>,
}
