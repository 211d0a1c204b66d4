//! What came in and what was made of it.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Entries kept; older ones fall out, the counts per path stay.
const KEPT: usize = 200_000;

/// What the sandbox made of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// Passed all checks and answered.
    Served,
    /// Wrong HTTP method.
    Method,
    /// Wrong content type, or a body that is no form.
    ContentType,
    /// A required field is missing.
    Missing,
    /// The timestamp is off.
    Timestamp,
    /// Wrong signature or unknown application.
    Signature,
    /// Access or refresh token unknown or expired.
    Token,
    /// The caller's address is not on the list.
    Address,
    /// The application may not call this API.
    Permission,
    /// Too many calls in a second.
    RateSecond,
    /// Too many calls in a minute.
    RateMinute,
    /// A bad business parameter.
    Parameter,
    /// No such path here.
    NotServed,
    /// A fault took the place of the answer.
    Fault,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Counted from 1.
    pub seq: u64,
    /// When, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Decoded form fields (or query pairs) in the order they came.
    pub params: Vec<(String, String)>,
    /// What was made of it.
    pub verdict: Verdict,
    /// The fault that struck, by name.
    pub fault: Option<String>,
    /// The business code of the answer.
    pub code: Option<i64>,
    /// HTTP status; 0 where no answer was given.
    pub http: u16,
    /// Rows in the answer.
    pub rows: usize,
}

impl Entry {
    pub(crate) fn new(at: DateTime<Utc>, method: &str, path: &str) -> Self {
        Entry {
            seq: 0,
            at,
            method: method.to_owned(),
            path: path.to_owned(),
            params: Vec::new(),
            verdict: Verdict::Served,
            fault: None,
            code: None,
            http: 200,
            rows: 0,
        }
    }

    /// The value of one form field.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// How often a call is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    least: u64,
    most: u64,
}

impl From<u64> for Times {
    fn from(n: u64) -> Self {
        Times { least: n, most: n }
    }
}

impl From<RangeFrom<u64>> for Times {
    fn from(r: RangeFrom<u64>) -> Self {
        Times { least: r.start, most: u64::MAX }
    }
}

impl From<RangeInclusive<u64>> for Times {
    fn from(r: RangeInclusive<u64>) -> Self {
        Times { least: *r.start(), most: *r.end() }
    }
}

impl From<RangeToInclusive<u64>> for Times {
    fn from(r: RangeToInclusive<u64>) -> Self {
        Times { least: 0, most: r.end }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (a, b) if a == b => write!(f, "{a}"),
            (a, u64::MAX) => write!(f, "{a} or more"),
            (a, b) => write!(f, "{a} to {b}"),
        }
    }
}

#[derive(Debug)]
struct Expected {
    path: String,
    verdict: Option<Verdict>,
    times: Times,
    seen: u64,
}

/// The log and the expectations on it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    total: u64,
    expected: Vec<Expected>,
    verified: bool,
}

impl Log {
    pub(crate) fn push(&mut self, mut entry: Entry) {
        self.total += 1;
        entry.seq = self.total;
        for e in &mut self.expected {
            if e.path == entry.path && e.verdict.is_none_or(|v| v == entry.verdict) {
                e.seen += 1;
            }
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Entries with a number above `after`.
    pub(crate) fn since(&self, after: u64) -> Vec<Entry> {
        self.entries.iter().filter(|e| e.seq > after).cloned().collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn expect(&mut self, path: &str, verdict: Option<Verdict>, times: Times) {
        self.verified = false;
        self.expected.push(Expected { path: path.to_owned(), verdict, times, seen: 0 });
    }

    /// One line per expectation that is not met; marks the expectations as looked at.
    pub(crate) fn unmet(&mut self) -> Vec<String> {
        self.verified = true;
        self.expected
            .iter()
            .filter(|e| e.seen < e.times.least || e.seen > e.times.most)
            .map(|e| {
                let verdict = e.verdict.map(|v| format!(" ({v:?})")).unwrap_or_default();
                format!("{}{verdict}: expected {}, came {}", e.path, e.times, e.seen)
            })
            .collect()
    }

    /// True when expectations were declared and nobody looked whether they were met.
    pub(crate) fn is_unlooked(&self) -> bool {
        !self.expected.is_empty() && !self.verified
    }
}
