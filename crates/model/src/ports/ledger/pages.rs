//! A page on its way into the ledger, and what it turned out to hold.

use bytes::Bytes;

use super::{CallId, Due, RunId};
use crate::record::{Hash, Policy};
use crate::run::RecordCounts;
use crate::{Call, Problem, Ts};

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

/// What a ledger keeps of a body, made ahead by [`Ledger::pack`](super::Ledger::pack); nothing where it was not. Of no use to others.
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
