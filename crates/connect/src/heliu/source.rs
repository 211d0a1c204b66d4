//! The ledger as a source: the records of another plan, in the order of their time, behind an anchor.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Page, PageRequest, Prepared, Source, SourceShape, Stored, StoredAsk, StoredAt, StoredPage,
    StoredRow,
};
use heliu_model::walk::{PageAt, Paging};
use heliu_model::window::Edges;
use heliu_model::{Call, CallKind, Failure, Problem, Severity, Ts, Window, text};
use heliu_transform::mapping::Request;
use heliu_transform::{Map, Metadata, Path, Value, records};

use super::Api;
use super::query::{Query, failure};

/// Records of a page, unless the document asks for fewer.
const PAGE: u32 = 500;
/// Records of a page at most.
const MAX_PAGE: u32 = 1_000;
/// No further record is added to a page of this size.
const PAGE_BYTES: usize = 4 << 20;

/// Records of another plan.
pub(crate) struct StoredSource {
    api: Api,
    meta: Metadata,
    request: Request,
    shape: SourceShape,
    tz: Tz,
    stored: Arc<dyn Stored>,
    clock: Arc<dyn Clock>,
}

/// Findings that need no ledger.
pub(super) fn check(meta: &Metadata, api: Api, tz: Tz) -> Vec<Problem> {
    let mut found = Vec::new();
    let window = Window { from: Ts(0), to: Ts(1_000) };
    if let Err(p) = Query::read(api, meta, &Request::compile(meta), window, tz, &mut found) {
        found.push(p);
    }
    if meta.page_size.is_some_and(|n| n > MAX_PAGE) {
        let asked = meta.page_size.unwrap_or_default();
        let said = text!(
            "{asked} rows a page are more than this interface gives ({MAX_PAGE})",
            "每页 {asked} 行超过该接口的上限({MAX_PAGE})"
        );
        found.push(heliu_model::codes::lint::PAGE_TOO_LARGE.at("pagination.pageSize", said));
    }
    found
}

impl StoredSource {
    pub fn new(
        api: Api,
        meta: &Metadata,
        tz: Tz,
        stored: Arc<dyn Stored>,
        clock: Arc<dyn Clock>,
    ) -> Result<StoredSource, Vec<Problem>> {
        let errors: Vec<Problem> =
            check(meta, api, tz).into_iter().filter(|p| p.severity == Severity::Error).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let shape = SourceShape {
            paging: Paging::Anchored,
            page_size: meta.page_size.unwrap_or(PAGE).clamp(1, MAX_PAGE),
            max_window_ms: None,
            stamp: None,
            anchor: None,
            concurrency: 1,
            edges: Edges { tz, ..Edges::default() },
        };
        Ok(StoredSource {
            api,
            meta: meta.clone(),
            request: Request::compile(meta),
            shape,
            tz,
            stored,
            clock,
        })
    }

    fn query(&self, window: Window) -> Result<Query, Failure> {
        Query::read(self.api, &self.meta, &self.request, window, self.tz, &mut Vec::new()).map_err(failure)
    }

    fn ask(&self, query: &Query, request: &PageRequest) -> Result<StoredAsk, Failure> {
        let after = match &request.at {
            PageAt::Anchor(a) if a.is_empty() => None,
            PageAt::Anchor(a) => Some(place(a).ok_or_else(|| no_page(a))?),
            PageAt::Number(n) => return Err(no_page(&n.to_string())),
            PageAt::Cursor(c) => return Err(no_page(c)),
        };
        // Times are named in seconds and arrive in milliseconds: the second of the end is read with the rest, so that
        // a plan that follows at once sees everything. The next window begins with that second again.
        let end = query.to.unwrap_or(request.window.to);
        Ok(StoredAsk {
            plan: query.plan.clone(),
            by: query.by,
            states: query.states.clone(),
            from: query.from,
            to: end.plus_ms(1_000),
            closed: end.min(self.clock.now()),
            after,
            max_rows: self.shape.page_size as usize,
            max_bytes: PAGE_BYTES,
        })
    }

    async fn page(&self, query: &Query, ask: StoredAsk) -> Result<Page, Failure> {
        let (plan, bounded) = (ask.plan.clone(), ask.from.is_some());
        let found = self.stored.read(ask).await?;
        let mut page = Page { has_next: Some(found.more), ..Page::default() };
        if found.gone > 0 {
            let n = found.gone;
            let said = text!(
                "the contents of {n} records of `{plan}` were removed by retention and cannot be read any more",
                "`{plan}` 有 {n} 条数据的内容已按保留期清理,无法再读取"
            );
            // Read by time, they were never read; read as a whole, they are old ones among the others.
            if bounded {
                return Err(Failure::config("HL-3040", said).hint(text!(
                    "let the plan begin behind them: `start`, or `heliu watermark PLAN --set T`; `[retention]` keeps them longer",
                    "请让方案从其后开始:`start` 或 `heliu watermark 方案 --set 时间`;`[retention]` 可延长保留"
                )));
            }
            page.warnings.push(said);
        }
        page.anchors = found.last.map(|at| (anchor(at), anchor(at)));
        let (body, spans) = self.body(query, &found);
        page.elements = spans.iter().map(|(a, b)| body.slice(*a..*b)).collect();
        page.body = body;
        Ok(page)
    }

    /// The wanted rows as one JSON list, and where each stands. Contents go in as they are: no digit is touched.
    fn body(&self, query: &Query, found: &StoredPage) -> (Bytes, Vec<(usize, usize)>) {
        let mut body = BytesMut::from(&b"["[..]);
        let mut spans = Vec::with_capacity(found.rows.len());
        for row in found.rows.iter().filter(|r| query.wants(r)) {
            if body.len() > 1 {
                body.extend_from_slice(b",");
            }
            let from = body.len();
            match self.api {
                Api::QueryRows => rowed(row, &mut body),
                _ => flat(row, &mut body),
            }
            spans.push((from, body.len()));
        }
        body.extend_from_slice(b"]");
        (body.freeze(), spans)
    }
}

/// The content with the record's id as `_id`, unless it has one.
fn flat(row: &StoredRow, body: &mut BytesMut) {
    let content = row.content.trim_ascii();
    let id = Value::from(row.id.as_str()).to_json();
    let has_id = || records::pick(content, &Path::new("_id")).is_some();
    match content.strip_prefix(b"{") {
        Some(_) if has_id() => body.extend_from_slice(content),
        Some(rest) => {
            body.extend_from_slice(format!("{{\"_id\":{id}").as_bytes());
            if rest.trim_ascii_start().first() != Some(&b'}') {
                body.extend_from_slice(b",");
            }
            body.extend_from_slice(rest);
        }
        // Records are objects; whatever else is there stays whole.
        None => {
            body.extend_from_slice(format!("{{\"_id\":{id},\"content\":").as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"}");
        }
    }
}

/// The record as the first version of the open interface shows it.
fn rowed(row: &StoredRow, body: &mut BytesMut) {
    let id = Value::from(row.id.as_str()).to_json();
    body.extend_from_slice(format!("{{\"id\":{id},\"content\":").as_bytes());
    body.extend_from_slice(row.content.trim_ascii());
    body.extend_from_slice(format!(",\"created_at\":{}}}", row.first_seen.secs()).as_bytes());
}

/// A place as one number that grows with it.
fn anchor(at: StoredAt) -> String {
    ((i128::from(at.at.0) << 64) | i128::from(at.row)).to_string()
}

fn place(words: &str) -> Option<StoredAt> {
    let n: i128 = words.parse().ok()?;
    Some(StoredAt {
        at: Ts(i64::try_from(n >> 64).ok()?),
        row: i64::try_from(n & i128::from(u64::MAX)).ok()?,
    })
}

fn no_page(words: &str) -> Failure {
    let words = words.to_owned();
    Failure::internal(
        "HL-7090",
        text!("the stored records have no page `{words}`", "已保存的数据没有页 `{words}`"),
    )
}

/// The question as people see it.
fn shown(ask: &StoredAsk, tz: Tz) -> String {
    let mut map = Map::new();
    map.insert("scheme_id", Value::from(ask.plan.as_str()));
    if let Some(from) = ask.from {
        map.insert("begin_at", Value::from(from.local(tz)));
    }
    map.insert("end_at", Value::from(ask.to.plus_ms(-1_000).local(tz)));
    if !ask.states.is_empty() {
        let words: Vec<&str> = ask.states.iter().map(|s| s.word()).collect();
        map.insert("status", Value::from(words.join(",")));
    }
    if let Some(after) = ask.after {
        map.insert("behind", Value::from(format!("{} #{}", after.at.local(tz), after.row)));
    }
    Value::Object(map).to_json()
}

#[async_trait]
impl Source for StoredSource {
    fn shape(&self) -> &SourceShape {
        &self.shape
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        let asked = self.query(request.window).and_then(|q| self.ask(&q, request).map(|a| (q, a)));
        let (query, ask) = match asked {
            Ok(both) => both,
            Err(f) => return Exchange { calls: Vec::new(), result: Err(f) },
        };
        let begun = self.clock.monotonic_ms();
        let mut call = Call::new(CallKind::Fetch, self.clock.now(), "QUERY", &format!("heliu:{}", ask.plan));
        call.request_body = Bytes::from(shown(&ask, self.tz));
        let result = self.page(&query, ask).await;
        call.millis = u32::try_from(self.clock.monotonic_ms().saturating_sub(begun)).unwrap_or(u32::MAX);
        match &result {
            Ok(page) => {
                call.rows = u32::try_from(page.elements.len()).unwrap_or(u32::MAX);
                call.response_body = page.body.clone();
            }
            Err(f) => call.failure = Some(f.clone()),
        }
        Exchange { calls: vec![call], result }
    }

    fn prepare(&self, request: &PageRequest) -> Result<Prepared, Failure> {
        let query = self.query(request.window)?;
        let first = PageRequest { window: request.window, at: PageAt::Anchor(String::new()) };
        let ask = self.ask(&query, &first)?;
        Ok(Prepared {
            method: "QUERY".into(),
            url: format!("heliu:{}", ask.plan),
            headers: Vec::new(),
            body: shown(&ask, self.tz),
        })
    }
}

#[cfg(test)]
mod tests {
    use heliu_model::ports::{PageOutcome, StoredPut};
    use heliu_model::record::State;
    use heliu_transform::Side;
    use serde_json::json;

    use super::*;

    /// Answers every question with the same page.
    struct Shelf(StoredPage);

    #[async_trait]
    impl Stored for Shelf {
        async fn read(&self, _: StoredAsk) -> Result<StoredPage, Failure> {
            Ok(self.0.clone())
        }
        async fn put(&self, _: StoredPut) -> Result<PageOutcome, Failure> {
            Ok(PageOutcome::default())
        }
    }

    struct Still;

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> Ts {
            Ts(2_000_000)
        }
        fn monotonic_ms(&self) -> u64 {
            0
        }
        async fn sleep_ms(&self, _: u64) {}
        fn jitter(&self) -> f64 {
            0.5
        }
    }

    async fn fetched(begin: &str, page: StoredPage) -> Result<Page, Failure> {
        let (meta, _) = Metadata::parse(
            &json!({"api": "query", "request": [{"field": "scheme_id", "value": "a"}, {"field": "begin_at", "value": begin}]}),
            Side::Source,
        );
        let source =
            StoredSource::new(Api::Query, &meta, chrono_tz::UTC, Arc::new(Shelf(page)), Arc::new(Still));
        let source = source.map_err(|mut p| failure(p.remove(0)))?;
        let window = Window { from: Ts(0), to: Ts(1_000_000) };
        source.fetch(&PageRequest { window, at: PageAt::Anchor(String::new()) }).await.result
    }

    fn row(content: &str) -> StoredRow {
        StoredRow {
            id: "a\"1".into(),
            number: None,
            state: State::Waiting,
            first_seen: Ts(1_700_000_000_500),
            content: Bytes::from(content.to_owned()),
        }
    }

    #[test]
    fn a_place_is_one_number_that_grows_with_it() {
        let mut before = None;
        for (at, row) in
            [(-5, 9), (0, 1), (0, 2), (1_710_403_200_000, 1), (1_710_403_200_000, i64::MAX), (i64::MAX, 1)]
        {
            let here = StoredAt { at: Ts(at), row };
            assert_eq!(place(&anchor(here)), Some(here));
            let n: i128 = anchor(here).parse().unwrap_or_default();
            assert!(before.is_none_or(|b| b < n), "{here:?}");
            before = Some(n);
        }
    }

    #[test]
    fn contents_keep_their_bytes() {
        let shown = |content: &str, form: fn(&StoredRow, &mut BytesMut)| {
            let mut body = BytesMut::new();
            form(&row(content), &mut body);
            String::from_utf8_lossy(&body).into_owned()
        };
        assert_eq!(shown(r#"{"n":1.10}"#, flat), r#"{"_id":"a\"1","n":1.10}"#);
        assert_eq!(shown(" { } ", flat), r#"{"_id":"a\"1" }"#);
        assert_eq!(shown(r#"{"n":1,"_id":7}"#, flat), r#"{"n":1,"_id":7}"#);
        assert_eq!(shown("[1]", flat), r#"{"_id":"a\"1","content":[1]}"#);
        assert_eq!(
            shown(r#"{"n":1.10}"#, rowed),
            r#"{"id":"a\"1","content":{"n":1.10},"created_at":1700000000}"#
        );
    }

    #[tokio::test]
    async fn contents_that_retention_removed_are_not_passed_by() {
        let page = StoredPage { gone: 3, rows: vec![row("{}")], ..StoredPage::default() };
        let failed = fetched("{{LAST_SYNC_TIME}}", page.clone()).await.map(|p| p.elements.len());
        assert_eq!(failed.map_err(|f| f.code), Err("HL-3040".to_owned()));
        // Read as a whole, they are old ones among the others: said, not fatal.
        let read = fetched("", page).await.map(|p| (p.elements.len(), p.warnings.len()));
        assert_eq!(read.map_err(|f| f.code), Ok((1, 1)));
    }
}
