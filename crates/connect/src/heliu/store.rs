//! The data write: what the document renders becomes records of another plan, by that plan's own `id` and rules.

use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Fence, Found, Prepared, Render, Replay, RowBody, RowResult, RunId, Stored, Target, TargetSession,
    TargetShape, WriteRow,
};
use heliu_model::{Call, CallKind, Failure, Problem, text};
use heliu_transform::{Map, Metadata, Shaped, Value};

use super::Api;
use super::inbox::PlanInbox;
use super::query::{SCHEME, no_plan, plan_of};
use crate::Ports;

/// Records of one write at most.
const MOST: usize = 1_000;
/// What the vendor's first version has beside `content`.
const BESIDE: &[&str] = &["idCheck", "multiple", "id"];

/// Stores records for another plan.
#[derive(Clone)]
pub(super) struct StoreTarget {
    shape: TargetShape,
    inner: Arc<Inner>,
}

struct Inner {
    inbox: PlanInbox,
    stored: Arc<dyn Stored>,
    clock: Arc<dyn Clock>,
}

impl StoreTarget {
    pub fn new(api: Api, meta: &Metadata, batch: usize, ports: &Ports) -> Result<StoreTarget, Problem> {
        let words = plan_of(meta, api).ok_or_else(no_plan)?;
        let receiver = ports.plans.receiver(&words).ok_or_else(|| {
            Problem::error(
                "HL-1091",
                "request",
                text!("no plan has the id or name `{words}`", "没有 id 或名称为 `{words}` 的方案"),
            )
        })?;
        let inbox = PlanInbox::new(receiver)?;
        let shape = TargetShape {
            render: Render::Object,
            max_rows: batch.clamp(1, MOST),
            writers: 1,
            // The same content again is known already.
            replay: Replay::Idempotent,
            local: true,
        };
        let inner = Inner { inbox, stored: ports.stored.clone(), clock: ports.clock.clone() };
        Ok(StoreTarget { shape, inner: Arc::new(inner) })
    }
}

/// The records that a rendering holds: `content` where nothing else is there, else the request itself.
fn contents(request: &Map) -> Vec<Value> {
    let rest: Vec<(&str, &Value)> = request.iter().filter(|(k, _)| !SCHEME.contains(k)).collect();
    let only = rest.iter().all(|(k, _)| *k == "content" || BESIDE.contains(k));
    match request.get("content").filter(|_| only) {
        Some(Value::Array(list)) => list.to_vec(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => {
            let map: Map = rest.into_iter().map(|(k, v)| (k.to_owned(), v.clone())).collect();
            vec![Value::Object(map)]
        }
    }
}

impl Inner {
    /// What a record becomes in the receiving plan.
    fn elements(&self, row: &WriteRow) -> Result<Vec<Shaped>, Failure> {
        let RowBody::Object { request, .. } = &row.body else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for content in contents(request) {
            out.append(&mut self.inbox.shaped(&content, self.clock.now())?);
        }
        Ok(out)
    }

    async fn put(&self, shaped: Vec<Shaped>, by: (RunId, i64), call: &mut Call) -> Result<(), Failure> {
        if shaped.is_empty() {
            return Ok(());
        }
        let page = self.inbox.page(shaped)?;
        call.request_body = page.0.clone();
        self.stored.put(self.inbox.letter(page, by, self.clock.now())).await.map(drop)
    }
}

#[async_trait]
impl Target for StoreTarget {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        Ok(Box::new(Session { inner: self.inner.clone(), by: (fence.run, fence.epoch) }))
    }

    fn prepare(&self, rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        let mut shaped = Vec::new();
        for row in rows {
            shaped.extend(self.inner.elements(row)?);
        }
        let (body, _) = self.inner.inbox.page(shaped)?;
        Ok(vec![Prepared {
            method: "STORE".into(),
            url: self.inner.inbox.place(),
            headers: Vec::new(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }])
    }
}

struct Session {
    inner: Arc<Inner>,
    by: (RunId, i64),
}

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        let inner = &self.inner;
        let begun = inner.clock.monotonic_ms();
        let place = inner.inbox.place();
        let mut call = Call::new(CallKind::Write, inner.clock.now(), "STORE", &place);
        let (mut shaped, mut results) = (Vec::new(), Vec::with_capacity(rows.len()));
        for row in rows {
            results.push(match inner.elements(row) {
                Ok(mut of_row) => {
                    shaped.append(&mut of_row);
                    RowResult::Written(None)
                }
                Err(f) => RowResult::Failed(f),
            });
        }
        call.rows = u32::try_from(shaped.len()).unwrap_or(u32::MAX);
        let stored = inner.put(shaped, self.by, &mut call).await;
        call.millis = u32::try_from(inner.clock.monotonic_ms().saturating_sub(begun)).unwrap_or(u32::MAX);
        call.failure = stored.as_ref().err().cloned();
        Exchange { calls: vec![call], result: stored.map(|()| results) }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        // Written and settled are one database: what was not settled is stored again, which changes nothing.
        Exchange { calls: Vec::new(), result: Ok(vec![Found::Absent; rows.len()]) }
    }
}
