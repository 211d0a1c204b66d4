//! What is asked of the ledger afterwards: records, their stories, calls.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{CallId, RowId};
use crate::record::{Hash, State};
use crate::{Call, CallKind, Ts};

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
