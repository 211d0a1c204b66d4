//! How the pages of one window are walked, and when the walk is proved complete (interface §3.3).
//!
//! A pure state machine, stored with every page, so that a crash resumes in the middle of a pass. The order of
//! proof: an anchored cursor; else a declared total with a backward pass; else passes until two agree.
//! Every walk is bounded: a source that never ends gives a finding, never silence and never a loop.

mod cursor;
mod page;
mod proof;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::page::{PageAt, PageSeen, Paging, Verify};
use crate::{Problem, text};

/// Passes at most before a walk is given up as unproved.
pub const MAX_PASSES: u32 = 5;
/// Pages at most in one pass.
pub const MAX_PAGES: u32 = 1_000_000;
/// Pages in a row that may bring nothing this pass has not seen, while the source promises more.
const MAX_STALE: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// Page 1 of the first pass, before anything is known.
    First,
    /// Numbered pages upwards.
    Forward { next: u32 },
    /// Numbered pages downwards to 2.
    Back { next: u32 },
    /// Page 1 once more, after a backward pass.
    Again,
    /// Opaque cursor.
    Cursor { at: String },
    /// Anchored cursor.
    Anchored { at: String },
    /// Ended.
    Done { complete: bool },
}

/// The walk over one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    paging: Paging,
    verify: Verify,
    size: u64,
    phase: Phase,
    /// Pass number, from 1. The ledger marks records with it.
    pass: u32,
    pages_in_pass: u32,
    /// Elements of this pass, repeats included.
    #[serde(default)]
    elements: u64,
    distinct: u64,
    distinct_before: Option<u64>,
    news: u64,
    surplus: u64,
    stale: u32,
    last_page: u32,
    total: Option<u64>,
    total_before: Option<u64>,
    /// The total grew between two replies of this pass: a row came in, and may have pushed another one to a page that
    /// was read already.
    grew: bool,
    /// It fell: a row left. Read from the end to the front that alone hides nothing, but a row that went to the front
    /// meanwhile, and so pushed another one to a page read before, is then not seen in the numbers either.
    #[serde(default)]
    shrank: bool,
    first_total: Option<u64>,
    lied: bool,
    problems: Vec<Problem>,
}

impl Walk {
    /// A walk at its beginning. `page_size` is what will be asked for.
    pub fn new(paging: Paging, verify: Verify, page_size: u32) -> Self {
        let phase = match paging {
            Paging::Cursor => Phase::Cursor { at: String::new() },
            Paging::Anchored => Phase::Anchored { at: String::new() },
            Paging::Single | Paging::Numbered => Phase::First,
        };
        Walk {
            paging,
            verify,
            size: u64::from(page_size.max(1)),
            phase,
            pass: 1,
            pages_in_pass: 0,
            elements: 0,
            distinct: 0,
            distinct_before: None,
            news: 0,
            surplus: 0,
            stale: 0,
            last_page: 1,
            total: None,
            total_before: None,
            grew: false,
            shrank: false,
            first_total: None,
            lied: false,
            problems: Vec::new(),
        }
    }

    /// Number of the pass under way, from 1.
    pub fn pass(&self) -> u32 {
        self.pass
    }

    /// The source is trusted whatever it answers.
    pub fn trusting(&self) -> bool {
        self.verify == Verify::Off
    }

    /// The source's own total of the window as last declared. Behind an anchor a reply counts only what is left, so
    /// that the first one is the window's.
    pub fn total(&self) -> Option<u64> {
        if self.paging == Paging::Anchored { self.first_total } else { self.total }
    }

    /// Findings so far.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// `Some(complete)` once the walk has ended.
    pub fn done(&self) -> Option<bool> {
        match self.phase {
            Phase::Done { complete } => Some(complete),
            _ => None,
        }
    }

    /// The next pages in the order in which they must be absorbed, at most `max`. More than one only where the
    /// order of reading does not matter because a check follows (backward pass).
    pub fn wanted(&self, max: usize) -> Vec<PageAt> {
        match &self.phase {
            Phase::First | Phase::Again => vec![PageAt::Number(1)],
            Phase::Forward { next } => vec![PageAt::Number(*next)],
            Phase::Back { next } => (2..=*next).rev().take(max.max(1)).map(PageAt::Number).collect(),
            Phase::Cursor { at } => vec![PageAt::Cursor(at.clone())],
            Phase::Anchored { at } => vec![PageAt::Anchor(at.clone())],
            Phase::Done { .. } => Vec::new(),
        }
    }

    /// The page that will be asked for after the single next one if nothing unusual happens; it may be read
    /// ahead while the one before is being stored.
    pub fn likely_after(&self) -> Option<PageAt> {
        match &self.phase {
            Phase::Forward { next } => Some(PageAt::Number(next.saturating_add(1))),
            _ => None,
        }
    }

    /// Takes in the next wanted page.
    pub fn absorb(&mut self, seen: &PageSeen) {
        self.pages_in_pass += 1;
        self.elements += seen.elements;
        self.distinct += seen.fresh;
        self.news += seen.news;
        self.surplus += seen.surplus;
        if seen.total.is_some() {
            self.grew |= self.pages_in_pass > 1 && seen.total > self.total;
            self.shrank |= self.pages_in_pass > 1 && seen.total < self.total;
            self.total = seen.total;
            self.first_total = self.first_total.or(seen.total);
        }
        if seen.clashes > 0 && self.pass == 1 {
            let n = seen.clashes;
            self.note(
                "HL-7020",
                text!(
                    "{n} elements of one reply share an `id` with a different element: the plan's `id` is not unique",
                    "同一次响应中有 {n} 个内容不同的元素使用了相同的 `id`:方案的 `id` 并不唯一"
                ),
            );
        }
        if seen.unclear && self.verify == Verify::Auto {
            // Nothing says that there is nothing: an end of the pages here would be taken for the end of the rows.
            return self.end(false);
        }
        self.stale = if seen.fresh == 0 { self.stale + 1 } else { 0 };
        match self.phase.clone() {
            Phase::First => self.after_first(seen),
            Phase::Forward { next } => self.after_forward(next, seen),
            Phase::Back { next } => self.after_back(next, seen),
            Phase::Again => self.after_again(seen),
            Phase::Cursor { at } => self.after_cursor(&at, seen),
            Phase::Anchored { at } => self.after_anchored(&at, seen),
            Phase::Done { .. } => {}
        }
    }

    fn after_first(&mut self, seen: &PageSeen) {
        if self.paging == Paging::Single {
            return self.end_unless_more(seen);
        }
        self.learn_size(seen);
        if self.verify == Verify::Off {
            return if self.more_after(1, seen) {
                self.go(Phase::Forward { next: 2 })
            } else {
                self.end(true)
            };
        }
        match seen.total {
            Some(total) => {
                let last = self.pages_of(total, seen);
                if last <= 1 {
                    if seen.has_next == Some(true) && seen.elements > 0 {
                        self.total_lies(total);
                        self.go(Phase::Forward { next: 2 });
                    } else {
                        self.judge_total();
                    }
                } else {
                    self.last_page = last;
                    self.go(Phase::Back { next: last });
                }
            }
            None if seen.has_next == Some(false) => self.end(true),
            None if seen.has_next == Some(true) => self.go(Phase::Forward { next: 2 }),
            // Nothing is declared: an empty page is the end, a short page is followed by one more request.
            None if seen.elements == 0 => self.end(true),
            None => self.go(Phase::Forward { next: 2 }),
        }
    }

    fn after_forward(&mut self, page: u32, seen: &PageSeen) {
        if self.endless(seen) {
            return;
        }
        self.last_page = self.last_page.max(page);
        if self.more_after(page, seen) {
            self.go(Phase::Forward { next: page.saturating_add(1) });
        } else if self.total.is_some() && self.verify == Verify::Auto {
            // There was more than the first total promised: read down again, so that nothing slipped meanwhile.
            self.go(Phase::Back { next: self.last_page });
        } else {
            self.end_of_pass();
        }
    }

    fn after_back(&mut self, page: u32, seen: &PageSeen) {
        if page == self.last_page && seen.has_next == Some(true) && seen.elements > 0 && !self.lied {
            let total = self.total.unwrap_or(0);
            let grown = seen.total.is_some_and(|t| self.pages_of(t, seen) > page);
            if !grown {
                self.total_lies(total);
            }
            return self.go(Phase::Forward { next: page.saturating_add(1) });
        }
        if page <= 2 { self.go(Phase::Again) } else { self.go(Phase::Back { next: page - 1 }) }
    }

    fn after_again(&mut self, seen: &PageSeen) {
        if let Some(total) = seen.total {
            self.last_page = self.last_page.max(self.pages_of(total, seen));
        }
        self.judge_total();
    }

    /// True (and ended) when pages keep coming that bring nothing new, or too many come.
    fn endless(&mut self, seen: &PageSeen) -> bool {
        let promises = seen.has_next == Some(true) || (seen.has_next.is_none() && seen.elements > 0);
        if promises && self.stale >= MAX_STALE {
            self.note(
                "HL-7025",
                text!(
                    "{MAX_STALE} pages in a row brought nothing new although the source promises more; the window may be incomplete",
                    "连续 {MAX_STALE} 页没有任何新数据,而来源声明还有更多;该时间窗口可能不完整"
                ),
            );
            self.end(false);
            return true;
        }
        self.too_many()
    }

    fn too_many(&mut self) -> bool {
        if self.pages_in_pass < MAX_PAGES {
            return false;
        }
        self.note(
            "HL-7026",
            text!(
                "the window was given up after {MAX_PAGES} pages; it may be incomplete",
                "读取 {MAX_PAGES} 页后放弃该时间窗口;它可能不完整"
            ),
        );
        self.end(false);
        true
    }

    fn more_after(&self, page: u32, seen: &PageSeen) -> bool {
        match (seen.has_next, seen.total) {
            (Some(more), _) => more,
            (None, Some(total)) if !self.lied => {
                seen.elements > 0 && u64::from(page).saturating_mul(self.size) < total
            }
            _ => seen.elements > 0,
        }
    }

    /// A reply may be cut to fewer rows than asked for; its own word wins, else its length while more follow.
    fn learn_size(&mut self, seen: &PageSeen) {
        if let Some(size) = seen.size.filter(|s| *s > 0 && *s <= self.size) {
            self.size = size;
        }
        let more = seen.has_next == Some(true) || seen.total.is_some_and(|t| t > seen.elements);
        if more && seen.elements > 0 && seen.elements < self.size {
            self.size = seen.elements;
        }
    }

    fn pages_of(&self, total: u64, seen: &PageSeen) -> u32 {
        let by_total = total.div_ceil(self.size.max(1));
        let pages = by_total
            .max(seen.pages.filter(|_| seen.elements > 0 && total > 0).unwrap_or(0).min(by_total * 2 + 1));
        u32::try_from(pages).unwrap_or(MAX_PAGES).min(MAX_PAGES)
    }

    fn total_lies(&mut self, total: u64) {
        self.lied = true;
        self.note(
            "HL-7027",
            text!(
                "the source declares {total} elements but says that more pages follow; its total cannot be trusted",
                "来源声明共有 {total} 条,却又表示后面还有更多页;该总数不可信"
            ),
        );
    }

    fn new_pass(&mut self) {
        self.pass += 1;
        self.distinct_before = Some(self.distinct);
        self.distinct = 0;
        self.news = 0;
        self.surplus = 0;
        self.grew = false;
        self.shrank = false;
        self.stale = 0;
        self.pages_in_pass = 0;
        self.elements = 0;
    }

    fn note(&mut self, code: &str, message: crate::Text) {
        if !self.problems.iter().any(|p| p.code == code) {
            self.problems.push(Problem::warning(code, "", message));
        }
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
    }

    fn end(&mut self, complete: bool) {
        self.phase = Phase::Done { complete };
    }
}
