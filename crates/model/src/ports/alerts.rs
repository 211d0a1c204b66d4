//! Alerts, durable and shared by all processes of a project; and the way to those who are told.

use async_trait::async_trait;

use crate::alert::{Alert, AlertKind, Notice, Trouble};
use crate::{Failure, Ts};

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Keys of troubles that would have been seen.
    pub judged: Vec<String>,
    /// All troubles of this kind would have been seen.
    pub judged_kind: Option<AlertKind>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
    /// Names of those who are to be told.
    pub channels: Vec<String>,
}

/// What an observation changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Troubles that were not there before.
    pub opened: Vec<Alert>,
    /// Troubles that are over.
    pub closed: Vec<Alert>,
}

/// Which alerts to list.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only those that last.
    pub open_only: bool,
    /// Only of this plan.
    pub plan: Option<String>,
    /// At most this many, newest first (0: all).
    pub limit: usize,
}

/// What became of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// They have arrived.
    Arrived,
    /// They are tried again at this instant.
    Again(Ts),
    /// They are tried no more.
    GivenUp,
}

/// Durable alerts.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Takes in what was seen, in one transaction: a new trouble opens an alert, a known one is counted, and what was
    /// judged and is no longer wrong is closed. Each opening and each end makes a notice for every channel.
    async fn observe(&self, seen: &Observation, now: Ts) -> Result<Observed, Failure>;

    /// Lists alerts, newest first.
    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, Failure>;

    /// Closes an alert by hand, without a notice. False when it is not open.
    async fn close_alert(&self, id: i64, now: Ts) -> Result<bool, Failure>;

    /// Takes a channel's notices that are due, oldest first, at most `limit`; nobody else is given them before `until`.
    async fn take_notices(
        &self,
        channel: &str,
        now: Ts,
        until: Ts,
        limit: usize,
    ) -> Result<Vec<Notice>, Failure>;

    /// Says what became of notices that were taken.
    async fn settle_notices(&self, ids: &[i64], what: Sending) -> Result<(), Failure>;
}

/// Carries notices to the outside.
#[async_trait]
pub trait Post: Send + Sync {
    /// Names of the channels, as the settings have them now.
    fn channels(&self) -> Vec<String>;

    /// Sends these notices in one message.
    ///
    /// # Errors
    /// It has not arrived, as far as is known. No secret of the address is in the failure.
    async fn post(&self, channel: &str, notices: &[Notice]) -> Result<(), Failure>;
}
