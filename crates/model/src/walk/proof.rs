//! What a pass proves at its end: by a total, or by the pass before it.

use super::{MAX_PASSES, Paging, Phase, Verify, Walk};
use crate::text;

impl Walk {
    /// End of a pass that has a total to compare with.
    pub(super) fn judge_total(&mut self) {
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
    pub(super) fn end_of_pass(&mut self) {
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
}

pub(super) fn too_few(total: u64, passes: u32, brought: u64) -> crate::Text {
    text!(
        "the source declares {total} elements but {passes} passes brought {brought}; the window may be incomplete",
        "来源声明共有 {total} 条,但读取 {passes} 遍只得到 {brought} 条;该时间窗口可能不完整"
    )
}
