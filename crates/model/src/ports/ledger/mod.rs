//! The durable store of plans, runs, windows, calls, records, intents.
//!
//! Every method is one transaction. Methods that take an epoch fail with code `HL-6005` (class internal) when the
//! run has been taken over by another process: nothing is changed then.

mod pages;
mod runs;
mod views;
mod writes;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::pages::*;
pub use self::runs::*;
pub use self::views::*;
pub use self::writes::*;
use crate::ports::{PruneAt, PruneStep, Retention, RetentionRow};
use crate::{Call, Failure, Ts};

/// Number of a plan in the ledger.
pub type PlanId = i64;
/// Number of a run in the ledger.
pub type RunId = i64;
/// Number of a stored call.
pub type CallId = i64;
/// Number of a record in the ledger.
pub type RowId = i64;

/// The durable store.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The plan's row; made if it is not there. What has the id is the plan, and gets this name; else what has the name
    /// gets this id.
    async fn plan(&self, name: &str, uuid: &str, now: Ts) -> Result<PlanRow, Failure>;

    /// The plan's row if it is there; by name.
    async fn find_plan(&self, name: &str) -> Result<Option<PlanRow>, Failure>;

    /// Moves the watermark by hand; recorded with who and when.
    async fn set_watermark(&self, plan: PlanId, at: Ts, by: &str, now: Ts) -> Result<(), Failure>;

    /// Opens a run, or takes over the plan's interrupted one (its lease has ended or was released): the epoch grows,
    /// records queued by the former owner wait again except members of unsettled intents. Unsettled intents belong
    /// to the plan: whichever run comes next is given them, and until it settles them their members stay queued,
    /// with whatever version is current by then.
    /// A new run of another kind first closes an interrupted one of a different kind as `Stopped`.
    async fn open_run(&self, open: OpenRun) -> Result<RunOpening, Failure>;

    /// Renews the lease.
    async fn heartbeat(&self, run: RunId, epoch: i64, until: Ts) -> Result<(), Failure>;

    /// Makes of a body what is kept of it. It needs no turn and touches nothing: who does it while a page is still on its
    /// way takes it out of the row of pages that are stored one by one.
    fn pack(&self, _body: &Bytes) -> Packed {
        Packed::default()
    }

    /// Stores a page: calls, body, decisions by [`crate::record::decide`], counts, then `advance`, then the walk's
    /// new state, and the window's end and the watermark where it ends. All or nothing.
    async fn commit_page(&self, page: PageCommit, advance: Advance) -> Result<PageCommitted, Failure>;

    /// Stores calls outside of a page or write (failed attempts, tokens, tests). `counts`: retried and throttled.
    async fn save_calls(
        &self,
        run: Option<RunId>,
        calls: Vec<Call>,
        retried: u32,
        throttled: u32,
    ) -> Result<Vec<CallId>, Failure>;

    /// Claims waiting records by key: the current version is what gets written.
    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, Failure>;

    /// Announces a write.
    async fn announce(&self, announce: Announce) -> Result<i64, Failure>;

    /// Settles versions: `Written` marks the record written only if the version is still current, else the newer
    /// version stays due. The doubt of an older version is the record's: its newer version is in doubt too, and not
    /// handed out before the doubt is resolved.
    async fn settle(&self, settle: Settle) -> Result<(), Failure>;

    /// An intent's members with their current version and content, for resolving it after a crash. Members settled
    /// meanwhile are left out.
    async fn intent_rows(&self, run: RunId, epoch: i64, intent: i64) -> Result<Vec<Due>, Failure>;

    /// Closes the run, or releases it to be resumed. Counts what waits.
    async fn close_run(&self, close: CloseRun) -> Result<RunRow, Failure>;

    /// Runs of a plan, newest first.
    async fn runs(&self, plan: PlanId, limit: usize) -> Result<Vec<RunRow>, Failure>;

    /// A run by ULID (a prefix is enough if it is unique).
    async fn run(&self, plan: PlanId, ulid: &str) -> Result<Option<RunRow>, Failure>;

    /// Records of the plan by state.
    async fn state_counts(&self, plan: PlanId) -> Result<StateCounts, Failure>;

    /// Lists records in row order.
    async fn records(&self, plan: PlanId, filter: RecordFilter) -> Result<Vec<RecordRow>, Failure>;

    /// One record's story.
    async fn story(&self, plan: PlanId, id: &str) -> Result<Option<RecordStory>, Failure>;

    /// Contents of rows.
    async fn contents(&self, rows: &[RowId]) -> Result<Vec<(RowId, Bytes)>, Failure>;

    /// Puts records back to waiting, attempts forgotten; they are due in the plan's open run, if there is one.
    /// Records in `rows` that are being written stay. Returns how many.
    async fn put_back(&self, plan: PlanId, rows: &[RowId], now: Ts) -> Result<u64, Failure>;

    /// Lists calls without bodies, newest first.
    async fn calls(&self, plan: PlanId, filter: CallFilter) -> Result<Vec<CallRow>, Failure>;

    /// One call with its bodies.
    async fn call(&self, id: CallId) -> Result<Option<CallRow>, Failure>;

    /// One bounded step of retention: removes a little of what may go, and says where to go on. Whatever happens
    /// between two steps, the store is sound: a round may end anywhere, begin anew, and go on beside another one.
    async fn prune(&self, keep: &Retention, at: PruneAt) -> Result<PruneStep, Failure>;

    /// Begins a round of retention: where, or `None` when none is due or another process is at it. A round that
    /// gave no sign of life for [`crate::ports::RETENTION_STALE_MS`] goes on where its last mark was. `every_ms`: so long after the
    /// last one ended; `None` begins whatever was.
    async fn begin_retention(&self, now: Ts, every_ms: Option<i64>) -> Result<Option<PruneAt>, Failure>;

    /// Marks how far a round has come, or (without `next`) that it has ended; `done` since the last mark.
    async fn mark_retention(&self, now: Ts, next: Option<PruneAt>, done: &PruneStep) -> Result<(), Failure>;

    /// The last round of retention.
    async fn last_retention(&self) -> Result<Option<RetentionRow>, Failure>;
}
