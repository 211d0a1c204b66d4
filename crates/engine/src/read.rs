//! Reading a window: pages are fetched (several at a time where a check follows), committed one by one in the
//! walk's order, and their due records handed to the writers.

use std::collections::VecDeque;
use std::sync::Arc;

use heliu_model::ports::{
    Element, OpenWindow, Packed, Page, PageCommit, PageCommitted, PageOutcome, PageRequest, Source, WalkStep,
    WindowClose,
};
use heliu_model::record::compare_stamps;
use heliu_model::run::RunKind;
use heliu_model::walk::{PageAt, PageSeen, Paging, Walk};
use heliu_model::{Class, Failure, Problem, Ts, Window, text};
use tokio::task::JoinHandle;

use crate::fetch::{self, Fetched, UNCLEAR, interrupted};
use crate::heart::Heart;
use crate::remedy::{NAMED, Remedy};
use crate::spec::Shaper;
use crate::write::Writers;

/// Everything the reading side of a run needs.
pub(crate) struct Reader {
    pub heart: Arc<Heart>,
    pub source: Arc<dyn Source>,
    pub shaper: Arc<dyn Shaper>,
    pub kind: RunKind,
    pub policy: heliu_model::record::Policy,
    pub retries: u32,
    /// Elements that may still be read (`--limit`).
    pub left: Option<u64>,
    /// A gap scan says what was missing, and why.
    pub remedy: Option<Remedy>,
    /// What was said about replies already.
    pub warned: Vec<Problem>,
    /// A reply that proves nothing stayed so when it was asked for again; the next one is not asked for again.
    pub puzzled: bool,
    /// Every window before this one was proved complete; the watermark never passes one that was not.
    pub whole: bool,
    /// When the windows were frozen, less `settle`: what the source's own clock had reached then is safe to leave
    /// behind.
    pub settled: Ts,
}

struct InFlight {
    at: PageAt,
    task: JoinHandle<Brought>,
}

/// A fetched page, its elements cut and hashed and its body packed already: that needs no order, and the ledger's writer
/// never waits for it. Nothing is cut ahead under `--limit`, which leaves elements away first.
struct Brought {
    fetched: Fetched,
    shaped: Option<Vec<Element>>,
    packed: Packed,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reader {
    /// Reads one window to its end. The watermark moves to `watermark` in the transaction that ends it.
    ///
    /// # Errors
    /// What ended the run; everything committed so far stays and is resumed from.
    pub async fn window(&mut self, open: &OpenWindow, writers: Option<&Writers>) -> Result<(), Failure> {
        let mut walk: Walk = serde_json::from_str(&open.walk).map_err(|e| {
            Failure::internal(
                "HL-7090",
                text!("the stored state of the walk cannot be read: {e}", "无法读取已保存的翻页状态:{e}"),
            )
        })?;
        let parallel = self.source.shape().concurrency.max(1) as usize;
        let mut flying: VecDeque<InFlight> = VecDeque::new();
        while walk.done().is_none() {
            if self.heart.over() {
                return Err(self.heart.fatal().unwrap_or_else(interrupted));
            }
            let wanted = walk.wanted(parallel);
            // What was sent for another plan of pages is dropped from the first difference on.
            let same = flying.iter().zip(&wanted).take_while(|(f, w)| f.at == **w).count();
            flying.truncate(same);
            for at in wanted.iter().skip(flying.len()) {
                flying.push_back(self.send(open.window, &walk, at.clone()));
            }
            let Some(mut first) = flying.pop_front() else { break };
            let Brought { fetched, shaped, packed } = (&mut first.task).await.map_err(|e| {
                Failure::internal(
                    "HL-7091",
                    text!("a fetching task ended abnormally: {e}", "读取任务异常结束:{e}"),
                )
            })?;
            let at = first.at.clone();
            let page = match fetched.result {
                Ok(page) => page,
                Err(failure) => {
                    let ledger = &self.heart.ledger;
                    ledger
                        .save_calls(Some(self.heart.run), fetched.calls, fetched.retried, fetched.throttled)
                        .await?;
                    return Err(failure);
                }
            };
            // While this page is being stored, the next one may already travel: the source said there is one.
            if flying.is_empty()
                && parallel > 1
                && page.has_next == Some(true)
                && !page.elements.is_empty()
                && self.left.is_none()
                && let (PageAt::Number(n), Some(PageAt::Number(after))) = (&at, walk.likely_after())
                && n + 1 == after
            {
                flying.push_back(self.send(open.window, &walk, PageAt::Number(after)));
            }
            let (committed, cut_short) = self
                .commit(
                    open,
                    &mut walk,
                    page,
                    shaped,
                    packed,
                    fetched.calls,
                    fetched.retried,
                    fetched.throttled,
                    writers,
                )
                .await?;
            if let Some(writers) = writers {
                writers.hand(committed.due).await;
            }
            self.heart.beat().await?;
            if cut_short {
                // `--limit` is reached: the window was closed as not complete.
                return Err(limit_reached());
            }
        }
        Ok(())
    }

    fn send(&self, window: Window, walk: &Walk, at: PageAt) -> InFlight {
        // What is frozen and certified is the window; what the request names lies at its edges as the source wants it.
        let request = PageRequest { window: self.source.shape().edges.sent(window), at: at.clone() };
        let (heart, source, retries) = (self.heart.clone(), self.source.clone(), self.retries);
        let doubtful = !self.puzzled && !walk.trusting();
        let shaper = self.left.is_none().then(|| self.shaper.clone());
        let task = tokio::spawn(async move {
            let ledger = heart.ledger.clone();
            let fetched = fetch::fetch(heart, source, request, retries, doubtful).await;
            let shaped = match (&fetched.result, shaper) {
                (Ok(page), Some(shaper)) => Some(shape(shaper.as_ref(), page)),
                _ => None,
            };
            let packed = fetched.result.as_ref().map(|page| ledger.pack(&page.body)).unwrap_or_default();
            Brought { fetched, shaped, packed }
        });
        InFlight { at, task }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one fetched page")]
    async fn commit(
        &mut self,
        open: &OpenWindow,
        walk: &mut Walk,
        mut page: Page,
        shaped: Option<Vec<Element>>,
        packed: Packed,
        calls: Vec<heliu_model::Call>,
        retried: u32,
        throttled: u32,
        writers: Option<&Writers>,
    ) -> Result<(PageCommitted, bool), Failure> {
        let mut cut_short = false;
        if let Some(left) = &mut self.left {
            let keep = usize::try_from(*left).unwrap_or(usize::MAX).min(page.elements.len());
            page.elements.truncate(keep);
            *left -= keep as u64;
            cut_short = *left == 0;
        }
        let elements = shaped.unwrap_or_else(|| shape(self.shaper.as_ref(), &page));
        let seen = self.page_seen(&page);
        let unclear = page.unclear.take().map(|why| Problem::warning(UNCLEAR, "", why));
        self.puzzled |= unclear.is_some();
        let warnings: Vec<Problem> = std::mem::take(&mut page.warnings)
            .into_iter()
            .map(|w| Problem::warning("HL-3013", "", w))
            .chain(unclear)
            .filter(|w| !self.warned.contains(w))
            .collect();
        self.warned.extend(warnings.iter().cloned());
        let hand_over = match writers {
            Some(w) => w.room(page.body.len()).await,
            None => 0,
        };
        let mut next = walk.clone();
        let (moves, to) = (self.kind == RunKind::Normal && self.whole, open.window.to);
        let remedy = self.remedy.clone();
        // A source whose clock turns out to be behind ours goes on stamping rows with times before `to`.
        let safe = match self.source.clock_behind_ms() {
            behind if behind > 0 => to.min(self.settled.plus_ms(-behind).floor_secs()),
            _ => to,
        };
        let advance = Box::new(move |outcome: &PageOutcome| {
            let before = next.problems().len();
            next.absorb(&PageSeen {
                fresh: outcome.fresh,
                news: outcome.records.new + outcome.records.changed + outcome.newly_rejected,
                clashes: outcome.clashes,
                surplus: outcome.surplus,
                ..seen
            });
            let mut problems: Vec<Problem> = next.problems().iter().skip(before).cloned().collect();
            problems.extend(warnings);
            for p in &mut problems {
                if p.code == "HL-7020" && !outcome.clash_ids.is_empty() {
                    p.path = outcome.clash_ids.join(", ");
                }
            }
            if let Some(remedy) = &remedy {
                problems.extend(remedy.findings(&outcome.news));
            }
            let ended = next.done().or(cut_short.then_some(false));
            let close = ended
                .map(|complete| WindowClose { complete, watermark: (complete && moves).then_some(safe) });
            let total = next.total();
            WalkStep { walk: serde_json::to_string(&next).unwrap_or_default(), problems, total, close }
        });
        let elements_read = elements.len() as u64;
        let committed = self
            .heart
            .ledger
            .commit_page(
                PageCommit {
                    run: self.heart.run,
                    epoch: self.heart.epoch,
                    seq: open.seq,
                    pass: walk.pass(),
                    calls,
                    retried,
                    throttled,
                    body: page.body,
                    packed,
                    elements,
                    policy: self.policy,
                    hand_over,
                    name_news: if self.remedy.is_some() { NAMED } else { 0 },
                    now: self.heart.now(),
                },
                advance,
            )
            .await?;
        *walk = serde_json::from_str(&committed.step.walk).map_err(|e| {
            Failure::internal(
                "HL-7090",
                text!("the stored state of the walk cannot be read: {e}", "无法读取已保存的翻页状态:{e}"),
            )
        })?;
        self.heart.progress.page(elements_read.saturating_sub(committed.outcome.repeated), walk.total());
        self.heart.note_page();
        self.whole &= committed.step.close.as_ref().is_none_or(|c| c.complete);
        Ok((committed, cut_short))
    }

    fn page_seen(&self, page: &Page) -> PageSeen {
        let mut seen = PageSeen {
            elements: page.elements.len() as u64,
            total: page.total,
            pages: page.pages,
            size: page.size,
            has_next: page.has_next,
            next: page.next.clone(),
            unclear: page.unclear.is_some(),
            ..PageSeen::default()
        };
        if let Some((min, max)) = page.anchors.clone() {
            (seen.min_anchor, seen.max_anchor) = (Some(min), Some(max));
        } else if self.source.shape().paging == Paging::Anchored {
            for raw in &page.elements {
                let Some(a) = self.shaper.anchor(raw) else { continue };
                if seen.max_anchor.as_deref().is_none_or(|m| compare_stamps(&a, m).is_gt()) {
                    seen.max_anchor = Some(a.clone());
                }
                if seen.min_anchor.as_deref().is_none_or(|m| compare_stamps(&a, m).is_lt()) {
                    seen.min_anchor = Some(a);
                }
            }
        }
        seen
    }
}

fn shape(shaper: &dyn Shaper, page: &Page) -> Vec<Element> {
    let mut elements = Vec::with_capacity(page.elements.len());
    for raw in &page.elements {
        shaper.shape(raw, &mut elements);
    }
    elements
}

/// Marks that `--limit` ended the reading; not an error of the run.
pub(crate) fn limit_reached() -> Failure {
    Failure::new(Class::Config, LIMIT, text!("the limit was reached", "已达到数量上限"))
}

/// Internal mark of [`limit_reached`]; never shown.
pub(crate) const LIMIT: &str = "limit";
