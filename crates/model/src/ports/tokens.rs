//! Tokens and budgets, shared by all plans and processes of one project through the ledger.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::budget::{Limits, Throttle, Usage};
use crate::{Failure, Secret, Ts};

/// A pair of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenPair {
    /// What requests carry.
    pub access: Secret,
    /// What a refresh needs; some platforms have none.
    pub refresh: Option<Secret>,
    /// When the access token ends, if known.
    pub expires_at: Option<Ts>,
}

/// The stored state of a credential's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Current pair.
    pub pair: TokenPair,
    /// Grows with every stored pair.
    pub generation: u64,
    /// Digest of the pair in the connector file from which this row began; an edited file replaces the row.
    pub origin: String,
    /// A refresh that was begun and never finished: its process is gone.
    pub broken_refresh: Option<Ts>,
    /// The platform wants a person to authorise again.
    pub needs_authorisation: bool,
    /// When the pair was stored.
    pub stored_at: Ts,
}

/// Answer to the wish to refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshStart {
    /// Go: the intent is stored and synced. `broken` tells that an earlier refresh never finished.
    Yours {
        /// An earlier refresh began and never reported its outcome.
        broken: bool,
    },
    /// Another process refreshes right now; look again after this many milliseconds.
    Busy(u64),
    /// The stored generation is newer than the one that failed: use it.
    Newer(TokenRow),
}

/// One line of a credential's refresh history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenEvent {
    /// When.
    pub at: Ts,
    /// `loaded`, `refreshed`, `still_valid`, `failed`, `recovered`, `needs_authorisation`.
    pub event: String,
    /// Who asked: process and plan.
    pub by: String,
    /// Words of the platform, or empty.
    pub detail: String,
    /// New end of validity.
    pub expires_at: Option<Ts>,
}

/// Durable tokens. All writes are synced to disk before they return.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// The stored row, if any.
    async fn load(&self, credential: &str) -> Result<Option<TokenRow>, Failure>;

    /// Stores a pair that came from the connector file (`origin` is its digest), replacing what was there; once, however
    /// many find it: what was obtained with it since stays, and is the answer.
    async fn adopt(
        &self,
        credential: &str,
        pair: &TokenPair,
        origin: &str,
        now: Ts,
    ) -> Result<TokenRow, Failure>;

    /// Begins a refresh unless somebody else is at it or the row is newer than `generation`.
    /// An intent of another process older than `stale_ms` counts as broken and is taken over.
    async fn begin_refresh(
        &self,
        credential: &str,
        generation: u64,
        owner: &str,
        now: Ts,
        stale_ms: u64,
    ) -> Result<RefreshStart, Failure>;

    /// Ends a refresh: the new pair, or `None` when nothing was obtained; with the line for the history.
    async fn end_refresh(
        &self,
        credential: &str,
        owner: &str,
        pair: Option<&TokenPair>,
        needs_authorisation: bool,
        event: &TokenEvent,
    ) -> Result<Option<TokenRow>, Failure>;

    /// Refresh history, newest first.
    async fn history(&self, credential: &str, limit: usize) -> Result<Vec<TokenEvent>, Failure>;
}

/// Answer to the wish to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Send now, and [`Budget::release`] this slot once the request is over.
    Go(i64),
    /// Not yet: ask again at this instant.
    Wait(Ts),
}

/// Request budgets per credential, shared by all processes.
///
/// Between leaving here and arriving there lies an unknown delay: a request counts as sent from the moment its slot
/// was given until it was answered, so that whoever counts arrivals never counts more than the limit.
#[async_trait]
pub trait Budget: Send + Sync {
    /// Gives a slot, if one more request keeps the limits and nobody waits who came earlier. `owner` is the process that
    /// asks: slots of dead ones are released, and who is told to wait has its place until it is given one.
    async fn reserve(&self, credential: &str, limits: &Limits, owner: &str, now: Ts)
    -> Result<Slot, Failure>;

    /// The slot's request has been answered, has failed, or was never sent.
    async fn release(&self, slot: i64, now: Ts) -> Result<(), Failure>;

    /// The outside system has nothing to give for a while: no slot before `until`.
    async fn hold(&self, credential: &str, until: Ts) -> Result<(), Failure>;

    /// The outside system said «slow down»: no slot before it wants one, and from then on half the pace, which good time
    /// regains. Answers when the next request may go at the earliest.
    async fn slow(&self, credential: &str, limits: &Limits, told: &Throttle, now: Ts) -> Result<Ts, Failure>;

    /// What of the budgets is used, of one credential or of all.
    async fn usage(&self, credential: Option<&str>, now: Ts) -> Result<Vec<Usage>, Failure>;
}
