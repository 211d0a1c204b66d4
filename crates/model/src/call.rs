//! One exchange with an outside system, as it is shown to people: secrets already masked.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Class, Failure, Ts};

/// What a call was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// A page of a source.
    Fetch,
    /// A batch to a target.
    Write,
    /// Getting or refreshing a token.
    Token,
    /// Looking up what became of a write.
    LookUp,
    /// A connection test.
    Test,
}

/// One HTTP or SQL exchange. Header values, parameters and bodies are masked before they get here.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it was for.
    pub kind: CallKind,
    /// When it was sent.
    pub started: Ts,
    /// Duration in milliseconds.
    pub millis: u32,
    /// HTTP verb, or `SQL`.
    pub method: String,
    /// Address without secrets, or the database and statement kind.
    pub url: String,
    /// Request headers.
    pub request_headers: Vec<(String, String)>,
    /// Request body (HTTP) or statement text (SQL).
    pub request_body: Bytes,
    /// HTTP status; `None` for SQL or when no answer came.
    pub status: Option<u16>,
    /// Response headers.
    pub response_headers: Vec<(String, String)>,
    /// Response body as received (after decompression), masked.
    pub response_body: Bytes,
    /// Rows read or written.
    pub rows: u32,
    /// `None`: it worked. Otherwise why not.
    pub failure: Option<Failure>,
}

impl Call {
    /// A call that worked so far, with empty contents.
    pub fn new(kind: CallKind, started: Ts, method: &str, url: &str) -> Self {
        Call {
            kind,
            started,
            millis: 0,
            method: method.into(),
            url: url.into(),
            request_headers: Vec::new(),
            request_body: Bytes::new(),
            status: None,
            response_headers: Vec::new(),
            response_body: Bytes::new(),
            rows: 0,
            failure: None,
        }
    }

    /// Class of the failure, if it failed.
    pub fn class(&self) -> Option<Class> {
        self.failure.as_ref().map(|f| f.class)
    }
}

/// What came of asking an outside system once: the calls it took (a token refresh may be among them, in order;
/// the last one is the one asked for) and the result.
#[derive(Debug)]
pub struct Exchange<T> {
    /// All calls made, in order.
    pub calls: Vec<Call>,
    /// The answer, or why there is none.
    pub result: Result<T, Failure>,
}
