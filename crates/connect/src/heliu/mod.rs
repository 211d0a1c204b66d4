//! The ledger itself as a platform: the no-op write (`写入空操作`, `空操作`) makes no call at all; the query reads the
//! records of another plan, the data write stores records for another plan, whose source is the callback interface.

mod inbox;
mod query;
mod source;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Fence, Found, Page, PageOutcome, PageRequest, Prepared, Render, Replay, RowResult, Source, SourceShape,
    Stored, StoredAsk, StoredPage, StoredPut, Target, TargetSession, TargetShape, WriteRow,
};
use heliu_model::record::Policy;
use heliu_model::walk::Paging;
use heliu_model::window::Edges;
use heliu_model::{Failure, Problem, text};
use heliu_transform::{Metadata, nearest};

use crate::Ports;

pub use inbox::PlanInbox;

/// Names of the ledger's own platform.
pub(crate) const PLATFORM: &[&str] = &["heliu", "qeasy", "轻易云", "轻易云集成平台"];

/// True when a connector's platform is this ledger.
pub fn answers_to(platform: &str) -> bool {
    PLATFORM.iter().any(|p| p.eq_ignore_ascii_case(platform.trim()))
}

/// Interfaces of the ledger: name, English, 中文.
pub(crate) const APIS: &[(&str, &str, &str)] = &[
    ("写入空操作", "no-op write", "写入空操作"),
    ("空操作", "no-op write", "空操作"),
    ("query", "records of another plan", "数据查询"),
    ("store", "records for another plan", "数据写入"),
    ("callback", "source of a plan that `store` writes for", "回调接口(接收 `store` 写入的数据)"),
];

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    NoOp,
    /// Contents with `_id` (the vendor's version 2).
    Query,
    /// `id`, `content`, `created_at` (version 1).
    QueryRows,
    Store,
    Callback,
}

const NAMES: &[(&str, Api)] = &[
    ("写入空操作", Api::NoOp),
    ("空操作", Api::NoOp),
    ("query", Api::Query),
    ("查询", Api::Query),
    ("数据查询", Api::Query),
    ("v1.query", Api::QueryRows),
    ("store", Api::Store),
    ("写入", Api::Store),
    ("数据写入", Api::Store),
    ("v1.store", Api::Store),
    ("callback", Api::Callback),
    ("回调", Api::Callback),
    ("回调接口", Api::Callback),
];

/// The vendor's addresses of the same interfaces: what stands before and behind the plan.
const PATHS: &[(&str, &str, Api)] = &[
    ("/v2/open-api/business/", "/query", Api::Query),
    ("/v2/open-api/business/", "/store", Api::Store),
    ("/api/open/operation/", "/query", Api::QueryRows),
    ("/api/open/operation/", "", Api::Store),
];

impl Api {
    fn read(words: &str) -> Option<Api> {
        let words = words.trim();
        let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(words)).map(|(_, api)| *api);
        named.or_else(|| PATHS.iter().find_map(|(a, b, api)| between(words, a, b).map(|_| *api)))
    }

    /// The plan in the vendor's address.
    fn plan_in(self, words: &str) -> Option<&str> {
        PATHS.iter().filter(|(_, _, api)| *api == self).find_map(|(a, b, _)| between(words.trim(), a, b))
    }

    fn of(meta: &Metadata, source: bool) -> Result<Api, Problem> {
        let fits = |api: &Api| match api {
            Api::Query | Api::QueryRows | Api::Callback => source,
            Api::NoOp | Api::Store => !source,
        };
        if let Some(api) = Api::read(&meta.api).filter(fits) {
            return Ok(api);
        }
        let (api, all) = (meta.api.clone(), NAMES.iter().filter(|(_, a)| fits(a)).map(|(n, _)| *n));
        let hint = match nearest(&api, all) {
            Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
            None if api.ends_with("store-dispatch") => text!(
                "use `store`, and let the receiving plan run `after` this one",
                "请用 `store`,并在接收方案中设置 `after` 为本方案"
            ),
            None if source => text!("a source is `query` or `callback`", "来源可用 `query` 或 `callback`"),
            None => text!("use `写入空操作`, `空操作` or `store`", "可用 `写入空操作`、`空操作` 或 `store`"),
        };
        let side = if source { ("source", "来源") } else { ("target", "目标") };
        let (en, zh) = side;
        let said = text!("this ledger has no {en} interface `{api}`", "本台账没有{zh}接口 `{api}`");
        Err(Problem::error("HL-1034", "api", said).hint(hint))
    }
}

fn between<'a>(words: &'a str, before: &str, behind: &str) -> Option<&'a str> {
    let plan = words.strip_prefix(before)?.strip_suffix(behind)?;
    (!plan.is_empty() && !plan.contains('/')).then_some(plan)
}

/// A plan of the project that can be written for.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Name.
    pub name: String,
    /// Id (uuid).
    pub uuid: String,
    /// Its source's document: keys, conditions and formats of what it receives.
    pub meta: Metadata,
    /// Its source is this ledger's callback interface.
    pub callback: bool,
    /// Its zone.
    pub tz: Tz,
    /// How it treats known ids.
    pub policy: Policy,
    /// Paths that its content hash leaves out.
    pub ignore: Vec<String>,
}

/// The plans of the project, by id or name.
pub trait Plans: Send + Sync {
    /// The plan, if there is one that can be read.
    fn receiver(&self, words: &str) -> Option<Receiver>;
}

/// Neither plans nor records: for connections that no project has.
pub struct Nowhere;

impl Plans for Nowhere {
    fn receiver(&self, _words: &str) -> Option<Receiver> {
        None
    }
}

#[async_trait]
impl Stored for Nowhere {
    async fn read(&self, _ask: StoredAsk) -> Result<StoredPage, Failure> {
        Ok(StoredPage::default())
    }

    async fn put(&self, put: StoredPut) -> Result<PageOutcome, Failure> {
        let plan = put.plan;
        Err(Failure::config("HL-1091", text!("there is no plan `{plan}` here", "此处没有方案 `{plan}`")))
    }
}

/// True when this document is the source of a plan that others write for.
pub fn receives(meta: &Metadata) -> bool {
    Api::read(&meta.api) == Some(Api::Callback)
}

/// The plan whose records a document reads, or writes for.
pub fn other_plan(meta: &Metadata) -> Option<String> {
    match Api::read(&meta.api)? {
        api @ (Api::Query | Api::QueryRows | Api::Store) => query::plan_of(meta, api),
        Api::NoOp | Api::Callback => None,
    }
}

/// Findings that need no ledger.
pub(crate) fn check(meta: &Metadata, source: bool, tz: Tz) -> Vec<Problem> {
    if meta.api.trim().is_empty() {
        return Vec::new();
    }
    match Api::of(meta, source) {
        Err(p) => vec![p],
        Ok(api @ (Api::Query | Api::QueryRows)) => source::check(meta, api, tz),
        Ok(api @ Api::Store) if query::plan_of(meta, api).is_none() => vec![query::no_plan()],
        Ok(_) => Vec::new(),
    }
}

pub(crate) fn build_source(meta: &Metadata, tz: Tz, ports: &Ports) -> Result<Arc<dyn Source>, Vec<Problem>> {
    match Api::of(meta, true).map_err(|p| vec![p])? {
        Api::Callback => Ok(Arc::new(Callback::new(tz))),
        api => {
            Ok(Arc::new(source::StoredSource::new(api, meta, tz, ports.stored.clone(), ports.clock.clone())?))
        }
    }
}

pub(crate) fn build_target(
    meta: &Metadata,
    batch: usize,
    ports: &Ports,
) -> Result<Arc<dyn Target>, Vec<Problem>> {
    match Api::of(meta, false).map_err(|p| vec![p])? {
        api @ Api::Store => {
            Ok(Arc::new(store::StoreTarget::new(api, meta, batch, ports).map_err(|p| vec![p])?))
        }
        _ => Ok(Arc::new(NoOp::default())),
    }
}

/// A source that brings nothing by itself: its plan's records are written by other plans.
struct Callback(SourceShape);

impl Callback {
    fn new(tz: Tz) -> Callback {
        Callback(SourceShape {
            paging: Paging::Single,
            page_size: 1,
            max_window_ms: None,
            stamp: None,
            anchor: None,
            concurrency: 1,
            edges: Edges { tz, ..Edges::default() },
        })
    }
}

#[async_trait]
impl Source for Callback {
    fn shape(&self) -> &SourceShape {
        &self.0
    }

    async fn fetch(&self, _request: &PageRequest) -> Exchange<Page> {
        let page = Page { has_next: Some(false), body: Bytes::new(), ..Page::default() };
        Exchange { calls: Vec::new(), result: Ok(page) }
    }

    fn prepare(&self, _request: &PageRequest) -> Result<Prepared, Failure> {
        let body = "nothing is asked: other plans store the records".into();
        Ok(Prepared { method: "CALLBACK".into(), url: "heliu:".into(), headers: Vec::new(), body })
    }
}

/// Marks records written without any outside system.
pub struct NoOp(TargetShape);

impl Default for NoOp {
    fn default() -> Self {
        NoOp(TargetShape {
            render: Render::Nothing,
            max_rows: 1_000,
            writers: 1,
            replay: Replay::Idempotent,
            local: true,
        })
    }
}

#[async_trait]
impl Target for NoOp {
    fn shape(&self) -> &TargetShape {
        &self.0
    }

    async fn open(&self, _fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        Ok(Box::new(Session))
    }

    fn prepare(&self, _rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        Ok(Vec::new())
    }
}

struct Session;

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        Exchange { calls: Vec::new(), result: Ok(rows.iter().map(|_| RowResult::Written(None)).collect()) }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        Exchange { calls: Vec::new(), result: Ok(vec![Found::Present; rows.len()]) }
    }
}
