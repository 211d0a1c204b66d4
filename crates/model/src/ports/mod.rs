//! The ports: what the engine asks of the outside. Shaped by use, so that each implementation can keep them atomic.

mod alerts;
mod clock;
mod ledger;
mod retention;
mod schedules;
mod source;
mod stored;
mod target;
mod tokens;

pub use alerts::{AlertFilter, Alerts, Observation, Observed, Post, Sending};
pub use clock::Clock;
pub use ledger::*;
pub use retention::{PruneAt, PruneStep, RETENTION_STALE_MS, Retention, RetentionRow};
pub use schedules::{Schedules, Tick, TickAnswer, TickState, TimetableLine, Trigger};
pub use source::{Page, PageRequest, Prepared, Source, SourceShape};
pub use stored::{Inbox, Stored, StoredAsk, StoredAt, StoredBy, StoredPage, StoredPut, StoredRow};
pub use target::{
    Fence, Found, Render, Replay, RowBody, RowResult, Target, TargetSession, TargetShape, WriteRow,
};
pub use tokens::{Budget, RefreshStart, Slot, TokenEvent, TokenPair, TokenRow, Tokens};
