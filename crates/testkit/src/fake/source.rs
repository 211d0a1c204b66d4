//! A paged source over rows that may move while they are read.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use heliu_engine::DialectShaper;
use heliu_model::call::Exchange;
use heliu_model::ports::{Clock, Page, PageRequest, Prepared, Source, SourceShape};
use heliu_model::walk::{PageAt, Paging};
use heliu_model::{Call, CallKind, Failure, Window};
use heliu_transform::Metadata;
use heliu_transform::metadata::Side;

use super::{Shared, shared, with};
use crate::through::{Gate, Open};

/// A row of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id; without one it cannot be keyed.
    pub id: Option<String>,
    /// Modification time, unix milliseconds: what windows ask for.
    pub at: i64,
    /// Row version: what an anchored cursor asks for.
    pub anchor: u64,
    /// What a change of content changes.
    pub v: u64,
    /// More members of the object, such as `"status":0` (with its comma in front).
    pub more: String,
}

impl Row {
    /// A row with this id and modification time.
    pub fn new(id: impl Into<String>, at: i64) -> Row {
        Row { id: Some(id.into()), at, anchor: 0, v: 1, more: String::new() }
    }

    /// The object as JSON. `turn` moves its members round: the same content in another order.
    pub fn json(&self, turn: usize) -> String {
        let mut members = vec![format!("\"at\":{}", self.at), format!("\"ts\":{}", self.anchor)];
        if let Some(id) = &self.id {
            members.push(format!("\"id\":\"{id}\""));
            members.push(format!("\"no\":\"N-{id}\""));
        }
        members.push(format!("\"v\":{}{}", self.v, self.more));
        let n = members.len();
        members.rotate_left(turn % n);
        format!("{{{}}}", members.join(if turn.is_multiple_of(2) { "," } else { ", " }))
    }
}

/// The rows of a platform, in the order in which it shows them.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// All rows.
    pub rows: Vec<Row>,
}

impl Shelf {
    /// `n` rows with ids `0001`, `0002`, …, one second apart from `from_ms` on.
    pub fn of(n: usize, from_ms: i64) -> Shelf {
        let row = |i: usize| Row {
            anchor: 1_000 + i as u64,
            ..Row::new(format!("{:04}", i + 1), from_ms + 1_000 * i as i64)
        };
        Shelf { rows: (0..n).map(row).collect() }
    }

    /// The row with this id.
    pub fn row(&mut self, id: &str) -> &mut Row {
        self.rows.iter_mut().find(|r| r.id.as_deref() == Some(id)).unwrap_or_else(|| panic!("no row {id}"))
    }

    /// Takes a row away.
    pub fn remove(&mut self, id: &str) -> Row {
        let at = self.rows.iter().position(|r| r.id.as_deref() == Some(id));
        self.rows.remove(at.unwrap_or_else(|| panic!("no row {id}")))
    }
}

/// What the platform does with a request.
pub enum Act {
    /// Answers.
    Answer,
    /// Answers, with the reply changed.
    Edit(Box<dyn FnOnce(&mut Page) + Send>),
    /// Fails after so many milliseconds.
    Fail(Failure, u64),
    /// Waits for the budget so many milliseconds, then does the next thing.
    Budget(u64, Box<Act>),
}

type Script = Box<dyn FnMut(usize, &PageRequest, &mut Shelf) -> Act + Send>;

type Free = Box<dyn FnMut() -> Act + Send>;

/// A source over a [`Shelf`].
pub struct FakeSource {
    shape: SourceShape,
    shelf: Shared<Shelf>,
    clock: Arc<dyn Clock>,
    script: Shared<Script>,
    asked: Shared<Vec<PageRequest>>,
    free: Option<Shared<Free>>,
    gate: Arc<dyn Gate>,
    /// Rows are asked for by modification time.
    pub windowed: bool,
    /// Replies declare the number of rows.
    pub total: bool,
    /// Replies say whether more follows.
    pub has_next: bool,
    /// The order of members differs from reply to reply.
    pub shuffle: bool,
    /// Milliseconds that an answer takes.
    pub latency: u64,
}

impl FakeSource {
    /// A numbered source with this page size, which declares nothing.
    pub fn new(shelf: &Shared<Shelf>, clock: Arc<dyn Clock>, page_size: u32) -> FakeSource {
        FakeSource {
            shape: SourceShape {
                paging: Paging::Numbered,
                page_size,
                max_window_ms: None,
                stamp: None,
                anchor: None,
                concurrency: 1,
                edges: heliu_model::window::Edges::default(),
            },
            shelf: shelf.clone(),
            clock,
            script: shared(Box::new(|_, _, _| Act::Answer)),
            asked: shared(Vec::new()),
            free: None,
            gate: Arc::new(Open),
            windowed: true,
            total: false,
            has_next: false,
            shuffle: false,
            latency: 20,
        }
    }

    /// Changes what the source declares of itself.
    #[must_use]
    pub fn shaped(mut self, change: impl FnOnce(&mut SourceShape)) -> Self {
        change(&mut self.shape);
        self
    }

    /// Replies declare their total and whether more follows.
    #[must_use]
    pub fn declares(mut self, total: bool, has_next: bool) -> Self {
        (self.total, self.has_next) = (total, has_next);
        self
    }

    /// Before each answer `script` is asked what to do, with the number of the request (from 0); it may move rows.
    #[must_use]
    pub fn scripted(
        self,
        script: impl FnMut(usize, &PageRequest, &mut Shelf) -> Act + Send + 'static,
    ) -> Self {
        with(&self.script, |s| *s = Box::new(script));
        self
    }

    /// As [`FakeSource::scripted`], for a script that needs neither request nor rows at hand: it may lock the rows.
    #[must_use]
    pub fn before_each(mut self, script: impl FnMut() -> Act + Send + 'static) -> Self {
        self.free = Some(shared(Box::new(script)));
        self
    }

    /// Every request passes `gate`.
    #[must_use]
    pub fn gated(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Requests so far.
    pub fn asked(&self) -> Vec<PageRequest> {
        with(&self.asked, |a| a.clone())
    }

    /// Numbers of the pages that were asked for, in order.
    pub fn pages(&self) -> Vec<u32> {
        let number = |r: &PageRequest| match r.at {
            PageAt::Number(n) => Some(n),
            _ => None,
        };
        self.asked().iter().filter_map(number).collect()
    }

    /// A shaper for its elements. `condition`: as in the source's metadata.
    pub fn shaper(&self, condition: Option<serde_json::Value>) -> DialectShaper {
        let mut doc = serde_json::json!({ "api": "/rows", "method": "POST", "id": "id", "number": "no" });
        if let Some(condition) = condition {
            doc["condition"] = condition;
        }
        self.shaped_by(&doc)
    }

    /// A shaper for its elements, as this metadata says.
    pub fn shaped_by(&self, doc: &serde_json::Value) -> DialectShaper {
        let (meta, problems) = Metadata::parse(doc, Side::Source);
        assert!(problems.iter().all(|p| p.severity != heliu_model::Severity::Error), "{problems:?}");
        let (stamp, anchor) = (self.shape.stamp.as_deref(), self.shape.anchor.as_deref());
        DialectShaper::new(&meta, chrono_tz::UTC, &[], stamp, anchor, self.clock.clone())
    }

    fn reply(&self, nth: usize, request: &PageRequest, shelf: &Shelf) -> Page {
        let inside = |w: &Window, r: &Row| !self.windowed || (w.from.0 <= r.at && r.at < w.to.0);
        let mut rows: Vec<&Row> = shelf.rows.iter().filter(|r| inside(&request.window, r)).collect();
        let size = self.shape.page_size as usize;
        let start = match &request.at {
            PageAt::Number(n) if self.shape.paging == Paging::Single => (*n as usize - 1) * rows.len(),
            PageAt::Number(n) => (*n as usize - 1) * size,
            PageAt::Cursor(at) => at.parse().unwrap_or(0),
            PageAt::Anchor(at) => {
                let from: u64 = at.parse().unwrap_or(0);
                rows.retain(|r| r.anchor >= from);
                rows.sort_by_key(|r| r.anchor);
                0
            }
        };
        let size = if self.shape.paging == Paging::Single { rows.len() } else { size };
        let all = rows.len();
        let more = start + size < all;
        let mut body = String::from("{\"rows\":[");
        let mut places = Vec::new();
        for (i, row) in rows.into_iter().skip(start).take(size).enumerate() {
            let from = body.len();
            body.push_str(&row.json(if self.shuffle { nth + i } else { 0 }));
            places.push(from..body.len());
            body.push(',');
        }
        body.push_str("null]}");
        let body = Bytes::from(body);
        let next = match request.at {
            PageAt::Cursor(_) => Some(if more { (start + size).to_string() } else { String::new() }),
            _ => None,
        };
        Page {
            elements: places.into_iter().map(|p| body.slice(p)).collect(),
            body,
            total: self.total.then_some(all as u64),
            has_next: self.has_next.then_some(more),
            next,
            ..Page::default()
        }
    }
}

#[async_trait]
impl Source for FakeSource {
    fn shape(&self) -> &SourceShape {
        &self.shape
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        if let Err(failure) = self.gate.before("fetch").await {
            return Exchange { calls: Vec::new(), result: Err(failure) };
        }
        let nth = with(&self.asked, |asked| {
            asked.push(request.clone());
            asked.len() - 1
        });
        let mut act = match &self.free {
            Some(free) => with(free, |script| script()),
            None => with(&self.script, |script| with(&self.shelf, |shelf| script(nth, request, shelf))),
        };
        while let Act::Budget(ms, then) = act {
            self.clock.sleep_ms(ms).await;
            act = *then;
        }
        let mut call = Call::new(CallKind::Fetch, self.clock.now(), "POST", "fake://platform/rows");
        let ms = if let Act::Fail(_, ms) = &act { *ms } else { self.latency };
        let result = match act {
            Act::Fail(failure, _) => Err(failure),
            // The rows are as they were when the request arrived.
            Act::Edit(edit) => {
                let mut page = with(&self.shelf, |shelf| self.reply(nth, request, shelf));
                edit(&mut page);
                Ok(page)
            }
            _ => Ok(with(&self.shelf, |shelf| self.reply(nth, request, shelf))),
        };
        self.clock.sleep_ms(ms).await;
        call.millis = u32::try_from(ms).unwrap_or(u32::MAX);
        match &result {
            Ok(page) => {
                call.status = Some(200);
                call.response_body = page.body.clone();
            }
            Err(failure) => call.failure = Some(failure.clone()),
        }
        if let Err(failure) = self.gate.after("fetch").await {
            return Exchange { calls: vec![call], result: Err(failure) };
        }
        Exchange { calls: vec![call], result }
    }

    fn prepare(&self, _request: &PageRequest) -> Result<Prepared, Failure> {
        Err(Failure::config("FAKE-UNSENT", heliu_model::text!("nothing is sent", "不发送")))
    }
}
