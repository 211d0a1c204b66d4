//! Records that the ledger holds, as source and target of other plans.

use async_trait::async_trait;
use bytes::Bytes;
use heliu_transform::Value;

use crate::ports::{Element, PageOutcome, RowId, RunId};
use crate::record::{Policy, State};
use crate::{Call, Failure, Ts};

/// Which time of a record is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredBy {
    /// When its current version came.
    Arrival,
    /// When its current version was written; only written records have it.
    Writing,
}

/// A place in the order of a plan's records: the time that is asked for, then the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredAt {
    /// The time.
    pub at: Ts,
    /// The row.
    pub row: RowId,
}

/// Which records of a plan to read: those whose time lies in `[from, to)`, in the order of [`StoredAt`].
#[derive(Debug, Clone)]
pub struct StoredAsk {
    /// The plan's id (uuid) or name.
    pub plan: String,
    /// Which time orders and bounds them.
    pub by: StoredBy,
    /// Only these states; empty: every record that has a content.
    pub states: Vec<State>,
    /// First instant inside; `None`: from the beginning.
    pub from: Option<Ts>,
    /// First instant behind.
    pub to: Ts,
    /// Whatever is committed from now on is timed at or behind this instant.
    pub closed: Ts,
    /// Only what stands behind this place.
    pub after: Option<StoredAt>,
    /// At most this many records.
    pub max_rows: usize,
    /// No further record once the contents are this large.
    pub max_bytes: usize,
}

/// A record as it is read.
#[derive(Debug, Clone)]
pub struct StoredRow {
    /// Record id.
    pub id: String,
    /// Number shown to people.
    pub number: Option<String>,
    /// State.
    pub state: State,
    /// First time this id came.
    pub first_seen: Ts,
    /// Content, byte for byte as it was stored.
    pub content: Bytes,
}

/// Some records of a plan.
#[derive(Debug, Clone, Default)]
pub struct StoredPage {
    /// In order.
    pub rows: Vec<StoredRow>,
    /// The last place that was looked at, of a record that is among `rows` or not.
    pub last: Option<StoredAt>,
    /// Something may follow.
    pub more: bool,
    /// Records whose contents were removed by retention.
    pub gone: u64,
}

/// Elements for a plan that no run of its own brings.
#[derive(Debug)]
pub struct StoredPut {
    /// The receiving plan's name.
    pub plan: String,
    /// Its id (uuid).
    pub uuid: String,
    /// What is shown as the call that brought them.
    pub call: Call,
    /// The text of which the contents of `elements` are slices.
    pub body: Bytes,
    /// The elements in order, none of them rejected.
    pub elements: Vec<Element>,
    /// How known ids are treated.
    pub policy: Policy,
    /// The run that writes them, and its epoch: nothing is stored once that run has been taken over.
    pub by: (RunId, i64),
    /// Now.
    pub now: Ts,
}

/// The door of a plan whose records other plans bring.
pub trait Inbox: Send + Sync {
    /// What these objects become in the plan, by its own keys, conditions and formats; `None` when nothing is left of
    /// them. Beside it the positions of those that it cannot take, and why.
    fn take(
        &self,
        objects: &[Value],
        by: (RunId, i64),
        now: Ts,
    ) -> (Option<StoredPut>, Vec<(usize, Failure)>);
}

/// The records of plans as other plans read and write them.
#[async_trait]
pub trait Stored: Send + Sync {
    /// Reads some records. Whatever is stored, changed or settled after this call has a time at or behind `closed`:
    /// what was not read here is read by the window that begins there. A plan without records has none.
    async fn read(&self, ask: StoredAsk) -> Result<StoredPage, Failure>;

    /// Stores elements as waiting records of a plan, by the rules for a page, all or nothing. The same again changes
    /// nothing. They are due in the plan's open run, if there is one.
    async fn put(&self, put: StoredPut) -> Result<PageOutcome, Failure>;
}
