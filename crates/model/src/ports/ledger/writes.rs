//! Records on their way to a target: claimed, announced, settled.

use bytes::Bytes;

use super::{PlanId, RowId, RunId};
use crate::ports::StoredPut;
use crate::{Call, Failure, Problem, Ts};

/// A record that is due, claimed by this run (state queued).
#[derive(Debug, Clone)]
pub struct Due {
    /// Row.
    pub row: RowId,
    /// Record id.
    pub id: String,
    /// Version to be written.
    pub version: u32,
    /// Runs that tried before.
    pub attempts: u32,
    /// Content.
    pub content: Bytes,
}

/// Which waiting records to claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Plan.
    pub plan: PlanId,
    /// Run and epoch that claims.
    pub run: RunId,
    /// Owner's epoch.
    pub epoch: i64,
    /// At most this many, oldest first.
    pub max: usize,
    /// Only rows behind this one (a run claims each record once).
    pub after: RowId,
}

/// A write about to be sent.
#[derive(Debug, Clone)]
pub struct Announce {
    /// Run.
    pub run: RunId,
    /// Owner's epoch.
    pub epoch: i64,
    /// Records and versions.
    pub members: Vec<(RowId, u32)>,
    /// Sync to disk before returning: the write is not idempotent.
    pub synced: bool,
    /// Now.
    pub now: Ts,
}

/// An announced write without an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Number.
    pub id: i64,
    /// Records and versions.
    pub members: Vec<(RowId, u32)>,
    /// When.
    pub announced: Ts,
}

/// What became of one version.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// In the target; the part of the reply that concerns it.
    Written(Option<String>),
    /// Refused or not renderable.
    Failed(Box<Failure>),
    /// Not written; stays waiting. Counts as an attempt of this run.
    Waiting(Box<Failure>),
    /// Unknown.
    InDoubt(Box<Failure>),
    /// Not tried (run ends): back to waiting without counting an attempt.
    Released,
}

/// Results of one write, or of rendering.
#[derive(Debug)]
pub struct Settle {
    /// Run.
    pub run: RunId,
    /// Owner's epoch.
    pub epoch: i64,
    /// The intent this answers, if one was announced.
    pub intent: Option<i64>,
    /// Calls made, the write's own call last.
    pub calls: Vec<Call>,
    /// One entry per version.
    pub outcomes: Vec<(RowId, u32, Outcome)>,
    /// What the written ones leave behind.
    pub left: Left,
    /// Runs that may try a record before a passing failure becomes final.
    pub max_attempts: u32,
    /// Now.
    pub now: Ts,
}

/// What written records leave behind (dialect §6.8), stored in the transaction that settles them: a record is
/// written and passed on, or neither.
#[derive(Debug, Default)]
pub struct Left {
    /// `primaryWriteback` of records, as JSON text; it stays until another one takes its place.
    pub kept: Vec<(RowId, String)>,
    /// What another plan receives.
    pub passed: Option<StoredPut>,
    /// Findings to store with the run.
    pub problems: Vec<Problem>,
}
