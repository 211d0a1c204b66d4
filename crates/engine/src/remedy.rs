//! Gap scan: what a second reading of a range found missing, and why it had been (dialect §5.6).

use std::sync::Arc;

use chrono_tz::Tz;
use heliu_model::ports::{Ledger, News, PlanId, RunId};
use heliu_model::run::{RunKind, RunState};
use heliu_model::{Failure, Problem, Text, Ts, Window, text};

/// New and changed records of one page that are looked into by name.
pub(crate) const NAMED: usize = 200;
/// Runs that are searched for the window that should have brought a record.
const RUNS: usize = 1_000;
/// Ids that a finding names.
const SHOWN: usize = 20;

/// A window that was read before.
#[derive(Debug, Clone, Copy)]
struct ReadBefore {
    window: Window,
    complete: bool,
}

/// What earlier runs read: the ground of every «why».
#[derive(Debug, Clone)]
pub(crate) struct Remedy {
    tz: Tz,
    before: Arc<Vec<ReadBefore>>,
}

/// Why a record had not come, or not in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its time lies in a window that was read completely: the source showed it only afterwards.
    Late,
    /// Its time lies in a window whose reading was never proved complete.
    Unproved,
    /// Its time lies in no window that was read.
    Unread,
    /// The source declares no time of its records.
    Unknown,
}

impl Remedy {
    /// Learns what was read before this run.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn new(ledger: &dyn Ledger, plan: PlanId, run: RunId, tz: Tz) -> Result<Remedy, Failure> {
        let mut before = Vec::new();
        for earlier in ledger.runs(plan, RUNS).await? {
            if earlier.id != run && matches!(earlier.kind, RunKind::Normal | RunKind::Backfill) {
                before.extend(earlier.windows.iter().map(|w| ReadBefore {
                    window: w.window,
                    complete: w.complete && earlier.state != RunState::Open,
                }));
            }
        }
        Ok(Remedy { tz, before: Arc::new(before) })
    }

    fn why(&self, stamp: Option<&str>) -> Why {
        // Row versions are numbers: they order rows and tell no time.
        let time = stamp.filter(|s| s.bytes().any(|b| !b.is_ascii_digit())).map(|s| Ts::parse(s, self.tz));
        let Some(Ok(time)) = time else { return Why::Unknown };
        let mut covered =
            self.before.iter().filter(|b| b.window.from <= time && time < b.window.to).peekable();
        match (covered.peek().is_some(), covered.any(|b| b.complete)) {
            (false, _) => Why::Unread,
            (true, true) => Why::Late,
            (true, false) => Why::Unproved,
        }
    }

    /// Findings about the records that a page brought and that were not there as they should have been.
    pub fn findings(&self, news: &[News]) -> Vec<Problem> {
        let mut out = Vec::new();
        for changed in [false, true] {
            for why in [Why::Late, Why::Unproved, Why::Unread, Why::Unknown] {
                let ids: Vec<&str> = news
                    .iter()
                    .filter(|n| n.changed == changed && self.why(n.stamp.as_deref()) == why)
                    .map(|n| n.id.as_str())
                    .collect();
                if !ids.is_empty() {
                    out.push(finding(changed, why, &ids));
                }
            }
        }
        out
    }
}

fn finding(changed: bool, why: Why, ids: &[&str]) -> Problem {
    let n = ids.len();
    let what = if changed {
        text!("{n} records had changed without being read again", "{n} 条数据已变化但未被重新读取")
    } else {
        text!("{n} records were missing", "漏掉了 {n} 条数据")
    };
    let (code, because) = match why {
        Why::Late => (
            "HL-7041",
            text!(
                "the source showed them only after their time had been read: raise `lookback` or `settle`",
                "来源在其时间已被读取之后才显示它们:请增大 `lookback` 或 `settle`"
            ),
        ),
        Why::Unproved => (
            "HL-7042",
            text!(
                "their time lies in a window that was never proved complete",
                "其时间所在的窗口从未被证明读取完整"
            ),
        ),
        Why::Unread => (
            "HL-7043",
            text!(
                "their time lies in no window that was read: the watermark was moved, or `start` lies behind them",
                "其时间不在任何已读取的窗口内:水位线被移动过,或 `start` 晚于它们"
            ),
        ),
        Why::Unknown => (
            "HL-7044",
            text!(
                "the source declares no time of its records, so that the cause cannot be told",
                "来源没有声明数据的时间,无法判断原因"
            ),
        ),
    };
    let (en, zh) = (format!("{}: {}", what.en, because.en), format!("{}:{}", what.zh, because.zh));
    let mut shown = ids.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if n > SHOWN {
        shown.push_str(", …");
    }
    Problem::warning(code, shown, Text { en, zh })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str, to: &str, complete: bool) -> ReadBefore {
        let tz = chrono_tz::Asia::Shanghai;
        let at = |s| Ts::parse(s, tz).unwrap_or_default();
        ReadBefore { window: Window { from: at(from), to: at(to) }, complete }
    }

    fn news(id: &str, changed: bool, stamp: Option<&str>) -> News {
        News { id: id.into(), changed, stamp: stamp.map(str::to_owned) }
    }

    #[test]
    fn every_missing_record_gets_its_reason() {
        let remedy = Remedy {
            tz: chrono_tz::Asia::Shanghai,
            before: Arc::new(vec![
                read("2024-03-01 00:00:00", "2024-03-02 00:00:00", true),
                read("2024-03-02 00:00:00", "2024-03-03 00:00:00", false),
            ]),
        };
        let found = remedy.findings(&[
            news("a", false, Some("2024-03-01 12:00:00")),
            news("b", false, Some("2024-03-02 12:00:00")),
            news("c", false, Some("2024-03-03 00:00:00")),
            news("d", false, Some("8812345")),
            news("e", false, None),
            news("f", true, Some("2024-03-01 00:00:00")),
            news("g", false, Some("2024-03-01 23:59:59")),
        ]);
        let got: Vec<(&str, &str)> = found.iter().map(|p| (p.code.as_str(), p.path.as_str())).collect();
        assert_eq!(
            got,
            [("HL-7041", "a, g"), ("HL-7042", "b"), ("HL-7043", "c"), ("HL-7044", "d, e"), ("HL-7041", "f")]
        );
        assert!(found[0].message.en.starts_with("2 records were missing"), "{}", found[0].message.en);
        assert!(found[4].message.en.contains("had changed"), "{}", found[4].message.en);
        assert!(remedy.findings(&[]).is_empty());
    }
}
