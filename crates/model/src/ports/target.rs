//! The writing side.

use async_trait::async_trait;
use heliu_transform::{Map, Value};

use crate::call::Exchange;
use crate::ports::{Prepared, RunId};
use crate::{Failure, Problem};

/// In which form the engine renders a record for this target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Render {
    /// One value per request item, in order (`batchexecute`).
    Columns,
    /// Evaluated `request` and `otherRequest` objects.
    Object,
    /// Nothing is rendered (no-op).
    Nothing,
}

/// What may be done after a write whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// The statement gives the same table when repeated.
    Idempotent,
    /// Present rows can be found by key.
    LookUp,
    /// Neither: the records stay in doubt.
    Never,
}

/// What a target declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetShape {
    /// Form of the rows.
    pub render: Render,
    /// Rows of one write at most.
    pub max_rows: usize,
    /// Connections that may write disjoint records at the same time.
    pub writers: u32,
    /// What a lost answer means.
    pub replay: Replay,
    /// True when writing needs no outside system (no intent has to be announced).
    pub local: bool,
}

/// One rendered record.
#[derive(Debug, Clone)]
pub struct WriteRow {
    /// Record id, for results and look-ups.
    pub id: String,
    /// Version being written.
    pub version: u32,
    /// The rendering.
    pub body: RowBody,
}

/// A rendering.
#[derive(Debug, Clone)]
pub enum RowBody {
    /// Values in column order.
    Columns(Vec<Value>),
    /// Objects of an API call.
    Object {
        /// Evaluated `request`.
        request: Map,
        /// Evaluated `otherRequest`.
        other: Map,
    },
    /// No rendering.
    Nothing,
}

/// Result for one row of an answered write.
#[derive(Debug, Clone)]
pub enum RowResult {
    /// It is in the target; the reply that concerns it, if there is one.
    Written(Option<Value>),
    /// Refused: class data.
    Failed(Failure),
    /// Not written for a passing reason.
    Waiting(Failure),
    /// Unknown.
    InDoubt(Failure),
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The row is there with the values that were sent.
    Present,
    /// The row is not there.
    Absent,
    /// The look-up cannot tell.
    Unknown,
}

/// The name under which a writer excludes every other writer of the same records at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Plan name.
    pub plan: String,
    /// Shard of the plan's ids.
    pub shard: u32,
    /// The run that writes, and the epoch in which it is the writer's.
    pub run: RunId,
    /// As long as the ledger knows this epoch, nobody has taken the run over.
    pub epoch: i64,
}

/// A system that records are written to.
#[async_trait]
pub trait Target: Send + Sync {
    /// What it declares.
    fn shape(&self) -> &TargetShape;

    /// Opens one writer. Returns when the fence is held (a SQL writer holds a named lock on its connection).
    ///
    /// # Errors
    /// Unreachable, refused credentials, or a predecessor that cannot be displaced.
    async fn open(&self, fence: &Fence) -> Result<Box<dyn TargetSession>, Failure>;

    /// What would be sent for these rows, without sending anything.
    ///
    /// # Errors
    /// When the rows do not fit the target.
    fn prepare(&self, rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure>;

    /// Looks at the live target (table, columns, keys) and reports every problem at once; sends no data.
    ///
    /// # Errors
    /// Unreachable or refused credentials.
    async fn inspect(&self) -> Result<Vec<Problem>, Failure> {
        Ok(Vec::new())
    }
}

/// One writer of a target.
#[async_trait]
pub trait TargetSession: Send {
    /// Keeps every other writer of these records out until the next `write` has ended. True when something is held
    /// now: the engine then asks the ledger once more whether the run is still its own, so that a process that slept
    /// before it came here writes nothing old over what a successor has written.
    ///
    /// # Errors
    /// Somebody else holds it for too long.
    async fn hold(&mut self) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Writes the rows once: all of them in one statement or request as far as the target allows. `Err` speaks of
    /// the whole batch (nothing of it was written, unless `doubt`); `Ok` has one result per row, in order.
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>>;

    /// After a lost answer: what is there? One entry per row, in order.
    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>>;
}
