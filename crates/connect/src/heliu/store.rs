//! The data write: what the document renders becomes records of another plan, by that plan's own `id` and rules.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Element, Fence, Found, Prepared, Render, Replay, RowBody, RowResult, RunId, Stored, StoredPut,
    Target, TargetSession, TargetShape, Verdict, WriteRow,
};
use heliu_model::{Call, CallKind, Failure, Problem, text};
use heliu_transform::canonical::{Scratch, content_hash};
use heliu_transform::{Map, Metadata, Path, Shaped, Shaping, Value};

use super::query::{SCHEME, no_plan, plan_of};
use super::{Api, Receiver};
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
    receiver: Receiver,
    shaping: Shaping,
    ignore: Vec<Path>,
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
        let name = receiver.name.clone();
        if !receiver.callback {
            let said = text!(
                "plan `{name}` cannot be written for: its source is not the `callback` interface of this ledger",
                "方案 `{name}` 不能接收数据:其来源不是本台账的 `callback` 接口"
            );
            return Err(Problem::error("HL-5040", "request", said).hint(text!(
                "give it a source with a connector of platform `heliu`, `\"api\": \"callback\"`, and `id` and `number`",
                "请将其来源设为平台为 `heliu` 的连接器,`\"api\": \"callback\"`,并设置 `id` 与 `number`"
            )));
        }
        let shape = TargetShape {
            render: Render::Object,
            max_rows: batch.clamp(1, MOST),
            writers: 1,
            // The same content again is known already.
            replay: Replay::Idempotent,
            local: true,
        };
        let inner = Inner {
            shaping: Shaping::compile(&receiver.meta, receiver.tz),
            ignore: receiver.ignore.iter().map(|p| Path::new(p)).collect(),
            receiver,
            stored: ports.stored.clone(),
            clock: ports.clock.clone(),
        };
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
        let now = self.clock.now().secs();
        let mut out = Vec::new();
        for content in contents(request) {
            self.shaping.shape(&Bytes::from(content.to_json()), now, &mut out);
        }
        let name = self.receiver.name.clone();
        if let Some(why) = out.iter().find_map(|s| s.rejected.as_ref()) {
            let (en, zh) = (&why.en, &why.zh);
            return Err(Failure::data(
                "HL-5041",
                text!("plan `{name}` cannot take the record: {en}", "方案 `{name}` 无法接收该数据:{zh}"),
            )
            .hint(text!(
                "its source's `id` names a field; the request here has to have it",
                "其来源的 `id` 指定了一个字段,此处的 request 必须包含该字段"
            )));
        }
        Ok(out)
    }

    /// The contents as one list, the elements as slices of it.
    fn page(&self, shaped: Vec<Shaped>) -> Result<(Bytes, Vec<Element>), Failure> {
        let mut body = BytesMut::from(&b"["[..]);
        let mut spans = Vec::with_capacity(shaped.len());
        for one in &shaped {
            if body.len() > 1 {
                body.extend_from_slice(b",");
            }
            spans.push((body.len(), body.len() + one.content.len()));
            body.extend_from_slice(&one.content);
        }
        body.extend_from_slice(b"]");
        let body = body.freeze();
        let mut buffer = Scratch::default();
        let mut elements = Vec::with_capacity(shaped.len());
        for (one, (a, b)) in shaped.into_iter().zip(spans) {
            let content = body.slice(a..b);
            let hash = content_hash(&content, &self.ignore, &mut buffer).map_err(|bad| {
                let at = bad.at;
                Failure::data(
                    "HL-7011",
                    text!("the record is no JSON value (byte {at})", "该数据不是 JSON 值(第 {at} 字节)"),
                )
            })?;
            let verdict = one.filtered.map_or(Verdict::Keep, Verdict::Filtered);
            elements.push(Element {
                id: one.id,
                number: one.number,
                hash,
                stamp: None,
                content,
                verdict,
                head: true,
            });
        }
        Ok((body, elements))
    }

    async fn put(&self, shaped: Vec<Shaped>, by: (RunId, i64), call: &mut Call) -> Result<(), Failure> {
        if shaped.is_empty() {
            return Ok(());
        }
        let (body, elements) = self.page(shaped)?;
        call.request_body = body.clone();
        let place = call.url.clone();
        // The receiving plan's own call: what came in.
        let mut brought = Call::new(CallKind::Fetch, call.started, "STORE", &place);
        brought.rows = call.rows;
        brought.response_body = body.clone();
        let (plan, uuid) = (self.receiver.name.clone(), self.receiver.uuid.clone());
        let (policy, now) = (self.receiver.policy, self.clock.now());
        let put = StoredPut { plan, uuid, call: brought, body, elements, policy, by, now };
        self.stored.put(put).await.map(drop)
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
        let (body, _) = self.inner.page(shaped)?;
        Ok(vec![Prepared {
            method: "STORE".into(),
            url: format!("heliu:{}", self.inner.receiver.name),
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
        let place = format!("heliu:{}", inner.receiver.name);
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
