//! One page of an answer, and the lies that faults make it tell.

use super::biz::PageAsked;
use crate::faults::{Armed, Fault};
use crate::write::{int, text};

/// Which part of `total` rows a page holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) has_next: bool,
}

impl Cut {
    /// The rows of `asked`; past the end of a stuck walk the last page comes again.
    pub(crate) fn of(total: usize, asked: PageAsked, is_stuck: bool) -> Cut {
        let mut from = (asked.index - 1).saturating_mul(asked.size).min(total);
        if is_stuck && from == total && total > 0 {
            from = (total - 1) / asked.size * asked.size;
        }
        let to = (from + asked.size).min(total);
        Cut { from, to, has_next: to < total }
    }
}

/// A page on its way to the wire.
#[derive(Debug)]
pub(crate) struct Page {
    /// The name of the list.
    pub(crate) key: &'static str,
    pub(crate) asked: PageAsked,
    /// Declared total, where the API declares one.
    pub(crate) total: Option<usize>,
    pub(crate) has_next: bool,
    /// Rows, comma separated, and how many.
    rows: Vec<u8>,
    count: usize,
    first_len: usize,
}

impl Page {
    pub(crate) fn new(key: &'static str, asked: PageAsked, has_next: bool) -> Self {
        let rows = Vec::with_capacity(asked.size.min(100) * 2_048);
        Page { key, asked, total: None, has_next, rows, count: 0, first_len: 0 }
    }

    /// Adds a row that `write` writes.
    pub(crate) fn row(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.count > 0 {
            self.rows.push(b',');
        }
        write(&mut self.rows);
        if self.count == 0 {
            self.first_len = self.rows.len();
        }
        self.count += 1;
    }

    /// Lets the faults of this call loose on the page; gives the names of those that struck.
    pub(crate) fn distort(&mut self, armed: &mut Armed, path: &str) -> Vec<Fault> {
        let mut struck = Vec::new();
        if self.count > 0 && armed.strikes(path, Fault::Dup) {
            let first = self.rows.get(..self.first_len).unwrap_or_default().to_vec();
            self.row(|out| out.extend_from_slice(&first));
            struck.push(Fault::Dup);
        }
        if let Some(total) = self.total {
            for fault in [Fault::LyingTotal, Fault::LyingTotalLow, Fault::LyingTotalHigh] {
                if armed.strikes(path, fault) {
                    let is_low = fault == Fault::LyingTotalLow
                        || (fault == Fault::LyingTotal && self.asked.index % 2 == 1);
                    self.total =
                        Some(if is_low { total / 2 } else { total + self.asked.size + self.asked.size / 2 });
                    struck.push(fault);
                }
            }
        }
        if self.has_next && armed.strikes(path, Fault::FalseNext) {
            self.has_next = false;
            struck.push(Fault::FalseNext);
        }
        if armed.strikes(path, Fault::StuckNext) {
            self.has_next = true;
            struck.push(Fault::StuckNext);
        }
        if self.key == "datas" && path == "/open/shops/query" && armed.strikes(path, Fault::ShopsKey) {
            self.key = "shops";
            struck.push(Fault::ShopsKey);
        }
        struck
    }

    /// The `data` object; `has_next` as `style` wants it (a boolean by default).
    pub(crate) fn write(&self, style: Option<Fault>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.rows.len() + 160);
        text(&mut out, r#"{"page_index":"#);
        int(&mut out, self.asked.index as i64);
        text(&mut out, r#","page_size":"#);
        int(&mut out, self.asked.size as i64);
        if let Some(total) = self.total {
            text(&mut out, r#","data_count":"#);
            int(&mut out, total as i64);
            text(&mut out, r#","page_count":"#);
            int(&mut out, total.div_ceil(self.asked.size) as i64);
        }
        text(&mut out, r#","has_next":"#);
        text(
            &mut out,
            match (style, self.has_next) {
                (Some(Fault::StringNext), true) => r#""true""#,
                (Some(Fault::StringNext), false) => r#""false""#,
                (Some(Fault::IntNext), true) => "1",
                (Some(Fault::IntNext), false) => "0",
                (_, true) => "true",
                (_, false) => "false",
            },
        );
        text(&mut out, ",\"");
        text(&mut out, self.key);
        text(&mut out, "\":[");
        out.extend_from_slice(&self.rows);
        text(&mut out, "]}");
        out
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }
}
