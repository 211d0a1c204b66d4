//! How a source pages, which page is asked for, and what one showed.

use serde::{Deserialize, Serialize};

/// How a source pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// One request brings everything.
    Single,
    /// Pages have numbers (or offsets, which the source derives from the number).
    Numbered,
    /// An opaque cursor comes with each reply.
    Cursor,
    /// A cursor anchored in the rows' own order (row version): nothing can slip past it.
    Anchored,
}

/// How completeness is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// By what the platform declares.
    #[default]
    Auto,
    /// Trust the source: one pass.
    Off,
}

/// Which page to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageAt {
    /// Page number, counted from 1 here; the source shifts it where a platform counts from 0.
    Number(u32),
    /// Opaque cursor; empty text for the first page.
    Cursor(String),
    /// Anchor value, inclusive; empty text for the first page.
    Anchor(String),
}

/// What one page showed, after it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageSeen {
    /// Elements in the reply.
    pub elements: u64,
    /// Elements whose record this pass had not met before.
    pub fresh: u64,
    /// Elements that became new or changed records by this page.
    pub news: u64,
    /// Pairs of different elements that share an id inside this reply.
    pub clashes: u64,
    /// Elements beyond the first of their id in this reply, for ids that this pass met here first.
    pub surplus: u64,
    /// The source's own number of elements in the window.
    pub total: Option<u64>,
    /// The source's own number of pages.
    pub pages: Option<u64>,
    /// The page size the reply declares.
    pub size: Option<u64>,
    /// Whether the source says that more follows.
    pub has_next: Option<bool>,
    /// Cursor for the next page.
    pub next: Option<String>,
    /// Largest anchor value among the elements.
    pub max_anchor: Option<String>,
    /// Smallest anchor value among the elements.
    pub min_anchor: Option<String>,
    /// The reply proves nothing ([`Page::unclear`](crate::ports::Page::unclear)).
    pub unclear: bool,
}
