//! How the pages of one window are walked, and when the walk is proved complete (interface §3.3).
//!
//! A pure state machine, stored with every page, so that a crash resumes in the middle of a pass. The order of
//! proof: an anchored cursor; else a declared total with a backward pass; else passes until two agree.
//! Every walk is bounded: a source that never ends gives a finding, never silence and never a loop.

use serde::{Deserialize, Serialize};

use crate::{Problem, text};

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

    /// End of a pass that has a total to compare with.
    fn judge_total(&mut self) {
        let total = self.total.unwrap_or(0);
        let explained = self.distinct + self.surplus;
        // Read from the top down, rows that leave cannot hide others; rows that come in can.
        let quiet = self.pass > 1 && self.news == 0 && !self.grew;
        let agrees = if self.lied {
            // The total is known to be wrong: two passes that agree must do.
            self.distinct_before == Some(self.distinct) && self.news == 0
        } else {
            (explained == total && !self.grew && !self.shrank)
                // Nothing is there that was not known, whatever left.
                || (quiet && explained == total)
                // Everything that is there was known: the excess has left meanwhile.
                || (quiet && explained > total)
                // Every element was read, some of them under one id on different pages.
                || (quiet && self.distinct_before == Some(self.distinct) && self.elements == total)
        };
        if agrees {
            self.shared_ids();
            return self.end(true);
        }
        let hopeless = self.news == 0
            && self.distinct_before == Some(self.distinct)
            && self.total_before == Some(total)
            && self.pass >= 2;
        if self.pass >= MAX_PASSES || hopeless {
            self.note("HL-7021", too_few(total, self.pass, self.distinct));
            return self.end(false);
        }
        self.total_before = Some(total);
        self.new_pass();
        // From the top down again, page 1 last.
        let last = self.last_page.max(1);
        self.go(if last <= 1 { Phase::Again } else { Phase::Back { next: last } });
    }

    /// After a pass that brought nothing new and read each page once: what came on two pages is no row that slipped,
    /// but another element under the same id. Inside one reply that is seen at once.
    fn shared_ids(&mut self) {
        let again = self.elements.saturating_sub(self.distinct + self.surplus);
        if self.pass < 2
            || self.news > 0
            || again == 0
            || self.lied
            || self.total.is_some_and(|t| t != self.elements)
        {
            return;
        }
        self.note(
            "HL-7020",
            text!(
                "{again} elements came under an `id` that another page brought as well: the plan's `id` is not unique, or the source repeats rows",
                "有 {again} 个元素使用了其他页已出现过的 `id`:方案的 `id` 并不唯一,或来源重复返回数据"
            ),
        );
    }

    /// End of a forward pass without a total.
    fn end_of_pass(&mut self) {
        if self.verify == Verify::Off || (self.pass == 1 && self.pages_in_pass <= 1) {
            return self.end(true);
        }
        if self.pass > 1 && self.news == 0 && self.distinct_before == Some(self.distinct) {
            self.shared_ids();
            return self.end(true);
        }
        if self.pass >= MAX_PASSES {
            self.note(
                "HL-7022",
                text!(
                    "{MAX_PASSES} passes over the window never agreed: the source changes faster than it can be read; the window may be incomplete",
                    "对该时间窗口读取了 {MAX_PASSES} 遍仍不一致:来源变化快于读取速度;该窗口可能不完整"
                ),
            );
            return self.end(false);
        }
        self.new_pass();
        self.go(match self.paging {
            Paging::Cursor => Phase::Cursor { at: String::new() },
            _ => Phase::Forward { next: 1 },
        });
    }

    fn after_cursor(&mut self, at: &str, seen: &PageSeen) {
        let next = seen.next.as_deref().filter(|n| !n.is_empty());
        let more = seen.has_next != Some(false);
        match next {
            None if at.is_empty() && seen.has_next != Some(true) => self.end_unless_more(seen),
            Some(n) if more && n == at => self.stuck(),
            Some(n) if more => {
                if !self.endless(seen) {
                    let at = n.to_owned();
                    self.go(Phase::Cursor { at });
                }
            }
            None if seen.has_next == Some(true) => self.stuck(),
            _ if self.total.is_some_and(|t| t > self.elements) && self.pass > 1 => {
                let (total, passes, elements) = (self.total.unwrap_or(0), self.pass, self.elements);
                self.note("HL-7021", too_few(total, passes, elements));
                self.end(false);
            }
            _ => self.end_of_pass(),
        }
    }

    fn after_anchored(&mut self, at: &str, seen: &PageSeen) {
        use std::cmp::Ordering::{Greater, Less};
        let cmp = crate::record::compare_stamps;
        if !at.is_empty() && seen.min_anchor.as_deref().is_some_and(|m| cmp(m, at) == Less) {
            // Rows from before the anchor: the source does not honour it.
            return self.switch_to_pages();
        }
        match seen.max_anchor.clone() {
            Some(m) if at.is_empty() || cmp(&m, at) == Greater => {
                if !self.too_many() {
                    self.go(Phase::Anchored { at: m });
                }
            }
            None if seen.elements > 0 => self.switch_to_pages(),
            _ if seen.has_next == Some(true) && seen.elements >= self.size && seen.elements > 0 => {
                self.note(
                    "HL-7023",
                    text!(
                        "the cursor stands still at `{at}` although more rows follow; the window is read by page number instead",
                        "游标停在 `{at}` 不再前进,但后面仍有数据;改为按页码读取该窗口"
                    ),
                );
                self.switch_to_pages();
            }
            _ if self.first_total.is_some_and(|t| t > self.distinct + self.surplus) => self.switch_to_pages(),
            _ => {
                if seen.has_next == Some(true) {
                    // The anchor is inclusive and the page was not full: nothing can be behind it.
                    self.note(
                        "HL-7028",
                        text!(
                            "the source keeps promising more behind the last row, but nothing comes; its word was not followed",
                            "来源在最后一行之后仍声明还有数据,但没有返回任何新数据;未再继续请求"
                        ),
                    );
                }
                self.end(true);
            }
        }
    }

    /// The end of a walk that asks for nothing further, unless the source says that there is more.
    fn end_unless_more(&mut self, seen: &PageSeen) {
        let total = self.total.filter(|t| *t > self.elements);
        if seen.has_next != Some(true) && total.is_none() {
            return self.end(true);
        }
        let brought = self.elements;
        let all = total.map_or_else(|| "?".to_owned(), |t| t.to_string());
        self.note(
            "HL-7029",
            text!(
                "the source says that there is more ({brought} of {all} came), but the metadata does not ask for further pages",
                "来源表示还有更多数据(已返回 {brought} / {all}),但元数据没有请求后续页"
            ),
        );
        self.end(false);
    }

    /// Gives up the anchored cursor and walks by page number from the start.
    fn switch_to_pages(&mut self) {
        self.paging = Paging::Numbered;
        self.new_pass();
        self.distinct_before = None;
        self.go(Phase::First);
    }

    fn stuck(&mut self) {
        self.note(
            "HL-7024",
            text!(
                "the source promises more but its cursor stands still; the window may be incomplete",
                "来源声明还有数据,但游标不再前进;该时间窗口可能不完整"
            ),
        );
        self.end(false);
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

fn too_few(total: u64, passes: u32, brought: u64) -> crate::Text {
    text!(
        "the source declares {total} elements but {passes} passes brought {brought}; the window may be incomplete",
        "来源声明共有 {total} 条,但读取 {passes} 遍只得到 {brought} 条;该时间窗口可能不完整"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A source of numbered rows, read in pages, with a hook that changes it between requests.
    struct Rows {
        rows: Vec<u32>,
        size: usize,
        total: Option<i64>,
        has_next: bool,
    }

    impl Rows {
        fn page(&self, n: u32) -> (Vec<u32>, Option<u64>, Option<bool>) {
            let start = (n as usize - 1) * self.size;
            let rows: Vec<u32> = self.rows.iter().skip(start).take(self.size).copied().collect();
            let more = start + self.size < self.rows.len();
            let total = self.total.map(|lie| (self.rows.len() as i64 + lie) as u64);
            (rows, total, self.has_next.then_some(more))
        }
    }

    fn drive(mut src: Rows, mut between: impl FnMut(usize, &mut Rows)) -> (Walk, BTreeSet<u32>, usize) {
        let mut walk = Walk::new(Paging::Numbered, Verify::Auto, src.size as u32);
        let (mut all, mut in_pass, mut pass, mut requests) = (BTreeSet::new(), BTreeSet::new(), 1, 0);
        while walk.done().is_none() {
            assert!(requests < 10_000, "unbounded");
            let Some(PageAt::Number(n)) = walk.wanted(1).pop() else { panic!("no page wanted") };
            if walk.pass() != pass {
                pass = walk.pass();
                in_pass.clear();
            }
            let (rows, total, has_next) = src.page(n);
            requests += 1;
            let fresh = rows.iter().filter(|r| in_pass.insert(**r)).count() as u64;
            let news = rows.iter().filter(|r| all.insert(**r)).count() as u64;
            walk.absorb(&PageSeen {
                elements: rows.len() as u64,
                fresh,
                news,
                total,
                has_next,
                ..PageSeen::default()
            });
            between(requests, &mut src);
        }
        (walk, all, requests)
    }

    fn rows(n: u32, total: Option<i64>, has_next: bool) -> Rows {
        Rows { rows: (0..n).collect(), size: 10, total, has_next }
    }

    #[test]
    fn declared_total_costs_one_request_more_than_its_pages() {
        let (walk, all, requests) = drive(rows(200, Some(0), true), |_, _| {});
        assert_eq!((walk.done(), all.len(), requests), (Some(true), 200, 21));
        let (walk, _, requests) = drive(rows(7, Some(0), true), |_, _| {});
        assert_eq!((walk.done(), requests), (Some(true), 1));
    }

    #[test]
    fn without_total_two_passes_must_agree() {
        let (walk, all, requests) = drive(rows(35, None, true), |_, _| {});
        assert_eq!((walk.done(), all.len(), requests), (Some(true), 35, 8));
        let (walk, _, requests) = drive(rows(9, None, true), |_, _| {});
        assert_eq!((walk.done(), requests), (Some(true), 1));
    }

    #[test]
    fn ids_that_are_shared_across_pages_are_reported() {
        for total in [Some(0), None] {
            let mut src = rows(45, total, true);
            (src.rows[41], src.rows[30]) = (7, 12);
            let (walk, all, _) = drive(src, |_, _| {});
            assert_eq!((walk.done(), all.len()), (Some(true), 43));
            let found: Vec<_> = walk.problems().iter().filter(|p| p.code == "HL-7020").collect();
            assert!(found.len() == 1 && found[0].message.en.starts_with("2 elements"), "{found:?}");
            // One that slips to a page that is still to be read is none of these.
            let (walk, ..) = drive(rows(45, total, true), |n, s| {
                if n == 3 {
                    s.rows.insert(0, 1000);
                }
            });
            assert!(walk.done() == Some(true) && walk.problems().is_empty(), "{:?}", walk.problems());
        }
    }

    #[test]
    fn rows_that_slip_across_a_page_border_are_found() {
        for (total, has_next) in [(Some(0), true), (Some(0), false), (None, true), (None, false)] {
            for at in 1..9 {
                // A row of page 1 moves to the end: what stood behind it moves one place forward.
                let (walk, all, _) = drive(rows(45, total, has_next), |n, s| {
                    if n == at {
                        let r = s.rows.remove(2);
                        s.rows.push(r);
                    }
                });
                assert_eq!((walk.done(), all.len()), (Some(true), 45), "{total:?} {has_next} at {at}");
                // Rows deleted and inserted.
                let (walk, all, _) = drive(rows(45, total, has_next), |n, s| {
                    if n == at {
                        s.rows.remove(3);
                        s.rows.insert(0, 1000);
                        s.rows.push(1001);
                    }
                });
                assert_eq!(walk.done(), Some(true));
                let missing = (0..45).filter(|r| *r != 3 && !all.contains(r)).count();
                assert_eq!(missing, 0, "{total:?} {has_next} at {at}");
            }
        }
    }

    #[test]
    fn a_row_that_leaves_does_not_hide_one_that_slipped() {
        // Newest first: a change takes a row to the front, and what stood before it one place towards pages read
        // already; a row that was seen is removed, so that the numbers agree.
        for (gone, changed) in [(44, 25), (40, 39), (35, 12)] {
            for at in 2..6 {
                let (walk, all, requests) = drive(rows(45, Some(0), true), |n, s| {
                    if n == at {
                        s.rows.retain(|r| *r != gone);
                        let i = s.rows.iter().position(|r| *r == changed).unwrap_or(0);
                        let row = s.rows.remove(i);
                        s.rows.insert(0, row);
                    }
                });
                let missing = (0..45).filter(|r| *r != gone && !all.contains(r)).count();
                assert_eq!((walk.done(), missing), (Some(true), 0), "{gone} {changed} at {at}");
                assert!(requests <= 12, "{requests} requests for twice five pages and page 1 again");
            }
        }
    }

    #[test]
    fn lying_totals_are_reported_and_bounded() {
        let (walk, all, _) = drive(rows(45, Some(-20), true), |_, _| {});
        assert_eq!(all.len(), 45);
        assert!(walk.problems().iter().any(|p| p.code == "HL-7027"));
        let (walk, all, requests) = drive(rows(45, Some(30), true), |_, _| {});
        assert_eq!((walk.done(), all.len()), (Some(false), 45));
        assert!(requests < 60 && walk.problems().iter().any(|p| p.code == "HL-7021"));
    }

    #[test]
    fn a_page_that_comes_back_for_ever_is_bounded() {
        let mut walk = Walk::new(Paging::Numbered, Verify::Auto, 10);
        let mut n = 0;
        while walk.done().is_none() {
            n += 1;
            assert!(n < 50);
            let fresh = if n == 1 { 10 } else { 0 };
            walk.absorb(&PageSeen {
                elements: 10,
                fresh,
                news: fresh,
                has_next: Some(true),
                ..PageSeen::default()
            });
        }
        assert_eq!(walk.done(), Some(false));
        assert!(!walk.problems().is_empty());
    }

    #[test]
    fn anchored_cursor_ends_when_nothing_is_larger_and_falls_back_when_ignored() {
        let mut walk = Walk::new(Paging::Anchored, Verify::Auto, 50);
        let page = |min: &str, max: &str, fresh| PageSeen {
            elements: 2,
            fresh,
            news: fresh,
            min_anchor: Some(min.into()),
            max_anchor: Some(max.into()),
            has_next: Some(false),
            ..PageSeen::default()
        };
        walk.absorb(&page("5", "9", 2));
        assert_eq!(walk.wanted(4), vec![PageAt::Anchor("9".into())]);
        walk.absorb(&page("9", "10", 1));
        walk.absorb(&page("10", "10", 0));
        assert_eq!(walk.done(), Some(true));

        let mut walk = Walk::new(Paging::Anchored, Verify::Auto, 50);
        walk.absorb(&page("5", "9", 2));
        walk.absorb(&page("5", "9", 0));
        assert_eq!(walk.wanted(1), vec![PageAt::Number(1)]);
    }

    #[test]
    fn a_stored_walk_goes_on_where_it_was() {
        let mut walk = Walk::new(Paging::Numbered, Verify::Auto, 10);
        walk.absorb(&PageSeen { elements: 10, fresh: 10, total: Some(45), ..PageSeen::default() });
        let text = serde_json::to_string(&walk).unwrap_or_default();
        let back: Walk =
            serde_json::from_str(&text).unwrap_or_else(|_| Walk::new(Paging::Single, Verify::Off, 1));
        assert_eq!(back, walk);
        assert_eq!(back.wanted(2), vec![PageAt::Number(5), PageAt::Number(4)]);
    }
}
