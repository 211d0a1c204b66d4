//! Sources that say themselves where to go on: opaque and anchored cursors.

use super::proof::too_few;
use super::{PageSeen, Paging, Phase, Walk};
use crate::text;

impl Walk {
    pub(super) fn after_cursor(&mut self, at: &str, seen: &PageSeen) {
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

    pub(super) fn after_anchored(&mut self, at: &str, seen: &PageSeen) {
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
    pub(super) fn end_unless_more(&mut self, seen: &PageSeen) {
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
}
