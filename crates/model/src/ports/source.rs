//! The reading side.

use async_trait::async_trait;
use bytes::Bytes;

use crate::call::Exchange;
use crate::walk::{PageAt, Paging};
use crate::window::Edges;
use crate::{Failure, Text, Window};

/// What a source declares about its paging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceShape {
    /// How it pages.
    pub paging: Paging,
    /// Rows per page that will be asked for (already clamped to the platform's limit).
    pub page_size: u32,
    /// Longest window one request may span, in milliseconds.
    pub max_window_ms: Option<i64>,
    /// Dotted path of the modification stamp inside an element, if the platform declares one.
    pub stamp: Option<String>,
    /// Dotted path of the anchor inside an element ([`Paging::Anchored`]).
    pub anchor: Option<String>,
    /// Requests that may be in flight at the same time.
    pub concurrency: u32,
    /// How it understands the times of a request.
    pub edges: Edges,
}

/// Which page of which window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Gives LAST_SYNC_TIME (`from`) and CURRENT_TIME (`to`).
    pub window: Window,
    /// The page.
    pub at: PageAt,
}

/// One reply of a paged source, cut into elements.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The whole body as received.
    pub body: Bytes,
    /// The elements as slices of the body, in order.
    pub elements: Vec<Bytes>,
    /// The source's own number of elements.
    pub total: Option<u64>,
    /// The source's own number of pages.
    pub pages: Option<u64>,
    /// The page size that the reply declares.
    pub size: Option<u64>,
    /// Whether more follows.
    pub has_next: Option<bool>,
    /// Cursor for the next page.
    pub next: Option<String>,
    /// Smallest and largest anchor of the reply, where the elements themselves do not show it.
    pub anchors: Option<(String, String)>,
    /// Things a person should know (unknown formats, unreadable totals …).
    pub warnings: Vec<Text>,
    /// Why this reply is no proof of anything: it shows no list of records, and nothing in it says that the call
    /// succeeded. It is empty then.
    pub unclear: Option<Text>,
}

/// A request as it would be sent, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// HTTP verb, or `SQL`.
    pub method: String,
    /// Address, or database.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body, or statement with its bound values.
    pub body: String,
}

/// A system that records are read from.
#[async_trait]
pub trait Source: Send + Sync {
    /// What it declares.
    fn shape(&self) -> &SourceShape;

    /// Fetches one page once. Waits for the budget, attaches the token (one refresh for all waiters, then one
    /// repetition); does not retry otherwise: the engine does, by the failure's class. An attempt against a silent
    /// system ends by itself within some 10 s; the calls' durations do not include waiting for the budget.
    async fn fetch(&self, request: &PageRequest) -> Exchange<Page>;

    /// By how many milliseconds the source's clock is behind this machine's, as far as its answers showed; 0 when
    /// nothing is known, when they agree, or when it is ahead. What it will stamp with times before our now is not
    /// read past.
    fn clock_behind_ms(&self) -> i64 {
        0
    }

    /// The exact request of a page, without sending anything.
    ///
    /// # Errors
    /// When the metadata cannot be rendered.
    fn prepare(&self, request: &PageRequest) -> Result<Prepared, Failure>;
}
