//! The durable store of plans, runs, windows, calls, records, intents.
//!
//! Every method is one transaction. Methods that take an epoch fail with code `HL-6005` (class internal) when the
//! run has been taken over by another process: nothing is changed then.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ports::{PruneAt, PruneStep, Retention, RetentionRow, StoredPut, Tick, TickState};
use crate::record::{Hash, Policy, State};
use crate::run::{Counts, RecordCounts, RunKind, RunState, WindowReport};
use crate::{Call, CallKind, Failure, Problem, Ts, Window};

/// Number of a plan in the ledger.
pub type PlanId = i64;
/// Number of a run in the ledger.
pub type RunId = i64;
/// Number of a stored call.
pub type CallId = i64;
/// Number of a record in the ledger.
pub type RowId = i64;

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

/// Answer to [`Ledger::open_run`].
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

/// What the plan's rules say about one element of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It becomes (or is) a record.
    Keep,
    /// A condition leaves it out: reason.
    Filtered(String),
    /// It cannot be keyed: code and reason.
    Rejected(String, String),
}

/// One element of a page, ready to be stored.
#[derive(Debug, Clone)]
pub struct Element {
    /// Record id; `None` only for rejected elements (known by their hash).
    pub id: Option<String>,
    /// Number shown to people.
    pub number: Option<String>,
    /// Content hash.
    pub hash: Hash,
    /// Modification stamp, where declared.
    pub stamp: Option<String>,
    /// Content: JSON text, usually a slice of the reply's body.
    pub content: Bytes,
    /// What the rules say.
    pub verdict: Verdict,
    /// The first record of its element of the reply: one element may be split into several records, and only whole
    /// elements are compared with what the source says of itself.
    pub head: bool,
}

/// What a ledger keeps of a body, made ahead by [`Ledger::pack`]; nothing where it was not. Of no use to others.
#[derive(Debug, Clone, Default)]
pub struct Packed(pub Option<Bytes>);

/// A page to be stored.
#[derive(Debug)]
pub struct PageCommit {
    /// Run.
    pub run: RunId,
    /// Owner's epoch.
    pub epoch: i64,
    /// Window.
    pub seq: u32,
    /// Pass of the walk, from 1.
    pub pass: u32,
    /// Calls made for this page, the page's own call last.
    pub calls: Vec<Call>,
    /// Calls among them that repeated a failed one.
    pub retried: u32,
    /// Calls among them that were throttled.
    pub throttled: u32,
    /// The reply's body, of which `elements` are usually slices.
    pub body: Bytes,
    /// What the ledger made of this body ahead.
    pub packed: Packed,
    /// Elements in order.
    pub elements: Vec<Element>,
    /// How known ids are treated.
    pub policy: Policy,
    /// At most this many due records are stored as queued and handed over; the rest waits.
    pub hand_over: usize,
    /// Name at most so many new and changed records in the outcome (0 for all runs but gap scans).
    pub name_news: usize,
    /// Now.
    pub now: Ts,
}

/// What storing a page's elements came to. The walk is advanced from it by [`WalkStep`] in the same transaction.
#[derive(Debug, Clone, Default)]
pub struct PageOutcome {
    /// Decisions.
    pub records: RecordCounts,
    /// Rejected ones that were not known before.
    pub newly_rejected: u64,
    /// Not counted as returned.
    pub repeated: u64,
    /// Versions replaced before they were written.
    pub superseded: u64,
    /// Elements (heads) whose record this pass had not met.
    pub fresh: u64,
    /// Pairs of different elements under one id in this reply.
    pub clashes: u64,
    /// Elements beyond the first of their id in this reply, for ids that this pass met here first: they explain why
    /// a source counts more elements than there are ids.
    pub surplus: u64,
    /// Elements met before in this pass under the same id with other content.
    pub flaps: u64,
    /// Ids that clash, a few of them.
    pub clash_ids: Vec<String>,
    /// New versions of records in doubt: stored, and due, but counted in doubt.
    pub in_doubt: u64,
    /// New and changed records by name, at most [`PageCommit::name_news`], in order.
    pub news: Vec<News>,
}

/// A record that a page brought as new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Record id.
    pub id: String,
    /// It was known with other content (else it was not known).
    pub changed: bool,
    /// Its modification stamp, where the platform declares one.
    pub stamp: Option<String>,
}

/// How the walk goes on after a page; computed from the outcome inside the transaction.
#[derive(Debug, Clone)]
pub struct WalkStep {
    /// The walk's new state as JSON text.
    pub walk: String,
    /// Findings to store with the run.
    pub problems: Vec<Problem>,
    /// The source's total as declared so far.
    pub total: Option<u64>,
    /// The window ends with this page.
    pub close: Option<WindowClose>,
}

/// End of a window.
#[derive(Debug, Clone)]
pub struct WindowClose {
    /// Proved complete.
    pub complete: bool,
    /// Moves the plan's watermark there (never back) in the same transaction.
    pub watermark: Option<Ts>,
}

/// Decides how the walk goes on; called inside the transaction, must be quick and pure.
pub type Advance = Box<dyn FnOnce(&PageOutcome) -> WalkStep + Send>;

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

/// A stored page.
#[derive(Debug)]
pub struct PageCommitted {
    /// Decisions.
    pub outcome: PageOutcome,
    /// How the walk goes on.
    pub step: WalkStep,
    /// Records handed over, in order.
    pub due: Vec<Due>,
    /// The page's call.
    pub call: CallId,
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

/// A record as people see it.
#[derive(Debug, Clone)]
pub struct RecordRow {
    /// Row.
    pub row: RowId,
    /// Id; `None` for an element that could not be keyed.
    pub id: Option<String>,
    /// Number.
    pub number: Option<String>,
    /// State.
    pub state: State,
    /// Why it is there.
    pub reason: Option<String>,
    /// Code of the reason.
    pub code: Option<String>,
    /// Current version.
    pub version: u32,
    /// Content hash.
    pub hash: Hash,
    /// First time this id came.
    pub first_seen: Ts,
    /// When the current version came.
    pub changed_at: Ts,
    /// When the current version was written.
    pub written_at: Option<Ts>,
    /// Runs that tried to write the current version.
    pub attempts: u32,
    /// Call that brought the current version.
    pub source_call: Option<CallId>,
    /// Call that last tried to write it.
    pub write_call: Option<CallId>,
    /// The target's reply that concerns it.
    pub response: Option<String>,
    /// What was kept of that reply (`primaryWriteback`, dialect §6.8), as JSON text.
    pub writeback: Option<String>,
}

/// An older version of a record.
#[derive(Debug, Clone)]
pub struct VersionRow {
    /// Version.
    pub version: u32,
    /// How it ended: `Written`, or superseded when it was never written.
    pub state: Option<State>,
    /// Content hash.
    pub hash: Hash,
    /// When it came.
    pub changed_at: Ts,
    /// When it was written.
    pub written_at: Option<Ts>,
    /// Call that brought it.
    pub source_call: Option<CallId>,
    /// Call that wrote it.
    pub write_call: Option<CallId>,
    /// Content, if it is still kept.
    pub content: Option<Bytes>,
}

/// A record with everything that is known of it.
#[derive(Debug, Clone)]
pub struct RecordStory {
    /// Current state.
    pub record: RecordRow,
    /// Current content; `None` for filtered and rejected ones.
    pub content: Option<Bytes>,
    /// Older versions, oldest first.
    pub versions: Vec<VersionRow>,
}

/// Which records to list.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// Only this state.
    pub state: Option<State>,
    /// Only this id.
    pub id: Option<String>,
    /// Only this number.
    pub number: Option<String>,
    /// At most this many (0: all).
    pub limit: usize,
    /// Only rows behind this one, for paging.
    pub after: RowId,
}

/// A stored call.
#[derive(Debug, Clone)]
pub struct CallRow {
    /// Number.
    pub id: CallId,
    /// Run, if it belongs to one.
    pub run: Option<String>,
    /// The exchange; bodies are empty in listings, and where retention removed them.
    pub call: Call,
    /// The bodies were removed by retention.
    pub pruned: bool,
}

/// Which calls to list.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Only this run (ULID).
    pub run: Option<String>,
    /// Only this kind.
    pub kind: Option<CallKind>,
    /// Only failed ones.
    pub failed_only: bool,
    /// At most this many, newest first (0: all).
    pub limit: usize,
}

/// Records of a plan by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateCounts {
    /// Waiting.
    pub waiting: u64,
    /// Queued.
    pub queued: u64,
    /// Written.
    pub written: u64,
    /// Filtered.
    pub filtered: u64,
    /// Rejected.
    pub rejected: u64,
    /// Failed.
    pub failed: u64,
    /// In doubt.
    pub in_doubt: u64,
}

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
