//! An HTTP API as a target.

use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Fence, Found, Prepared, Render, Replay, RowBody, RowResult, Target, TargetSession, TargetShape, WriteRow,
};
use heliu_model::{Call, CallKind, Failure, Problem};
use heliu_transform::mapping::{Rendered, Request};
use heliu_transform::{Map, Metadata, Value, records};

use super::account::{Account, Ask, Params};
use super::batch::{Batch, by_habit};
use super::instead::interface;
use super::outcome::Reading;
use super::unclear::unclear;
use crate::manifest::{CallScope, Route, Shape, Values, to_template};

/// A target on an HTTP platform: one request per record, or lists as `operation` says (dialect §6.2).
pub struct HttpTarget {
    inner: Arc<Inner>,
    shape: TargetShape,
}

struct Inner {
    account: Arc<Account>,
    /// On whose behalf it is written.
    plan: Arc<str>,
    meta: Metadata,
    route: Arc<Route>,
    reading: Reading,
    batch: bool,
    replay: Replay,
    /// Interface and reading of look-ups.
    look: Option<(Arc<Route>, Reading)>,
}

impl HttpTarget {
    /// A target for a document of a plan.
    ///
    /// # Errors
    /// The document asks for an operation that its interface does not have.
    pub fn new(account: Arc<Account>, plan: &str, meta: &Metadata) -> Result<HttpTarget, Vec<Problem>> {
        let route = account.route(&interface(&account.manifest, meta).map_err(|p| vec![p])?);
        let api = route.api.as_deref();
        let zone = account.manifest.timezone;
        let most = api.and_then(|a| a.form.batch.as_ref()).and_then(|b| b.max).unwrap_or(usize::MAX);
        // Where a call has room for one record, each is a call: a list would send the first and lose the others.
        let most = if takes_many(&route) { most } else { 1 };
        let batch = most > 1 && meta.operation.method.eq_ignore_ascii_case("batchArraySave");
        let look = api.and_then(|a| a.form.look_up.as_ref()).map(|l| {
            let route = account.route(&l.api);
            let list = route.api.as_ref().and_then(|a| a.form.list.clone());
            let reading = Reading::new(&route.reply, list.as_deref(), None, false, zone);
            (route, reading)
        });
        let replay = match api {
            Some(a) if a.form.idempotent => Replay::Idempotent,
            Some(_) if look.is_some() => Replay::LookUp,
            _ => Replay::Never,
        };
        let shape = TargetShape {
            render: Render::Object,
            max_rows: if batch { meta.operation.rows.clamp(1, most.max(1)) } else { 1 },
            writers: 1,
            replay,
            local: false,
        };
        let reading = Reading::new(&route.reply, None, Some(meta), true, zone)
            .with_results(api.and_then(|a| a.form.batch.as_ref()));
        Ok(HttpTarget {
            inner: Arc::new(Inner {
                account,
                plan: Arc::from(plan),
                meta: meta.clone(),
                route,
                reading,
                batch,
                replay,
                look,
            }),
            shape,
        })
    }
}

/// True when a call of these rules has room for several records; a list that is sent as it is has.
fn takes_many(route: &Route) -> bool {
    let body = route.api.as_ref().and_then(|a| a.body.as_ref()).or(route.call.body.as_ref());
    body.is_none_or(Shape::holds_many)
}

impl Inner {
    /// The request of a batch, and the requests of its records.
    fn ask(&self, rows: &[WriteRow], plan: &str) -> Result<Ask, Failure> {
        let mut rendered: Vec<Rendered> = rows
            .iter()
            .filter_map(|r| match &r.body {
                RowBody::Object { request, other } => {
                    Some(Rendered { request: request.clone(), other: other.clone(), warnings: Vec::new() })
                }
                _ => None,
            })
            .collect();
        let api = self.route.api.as_deref();
        if let Some(param) = api.and_then(|a| a.form.repeat_key.as_ref()) {
            for (r, row) in rendered.iter_mut().zip(rows) {
                if r.request.get(param).is_none() && r.other.get(param).is_none() {
                    r.request.insert(param.clone(), Value::from(repeat_key(row, plan)));
                }
            }
        }
        let path = match rendered.first_mut() {
            Some(first) if self.route.path.contains('{') => {
                Request::fill_path(&self.route.path, first).map_err(|e| Failure::data(&e.code, e.message))?
            }
            _ => self.route.path.clone(),
        };
        let mut other = rendered.first().map(|r| r.other.clone()).unwrap_or_default();
        self.defaults(&mut other, rendered.first().map(|r| &r.request))?;
        let requests: Vec<Value> = rendered.into_iter().map(|r| Value::Object(r.request)).collect();
        // A wrapper name in otherRequest holds the list: {"data":[…]}.
        let key = other.get("key").map(Value::in_text).filter(|k| !k.is_empty());
        let params = if self.batch || key.is_some() {
            let list = Value::Array(requests.clone());
            match key {
                Some(key) => {
                    let mut map = Map::new();
                    for (k, v) in other.iter().filter(|(k, _)| *k != "key") {
                        map.insert(k, v.clone());
                    }
                    map.insert(key, list);
                    Params::Object(map)
                }
                None => Params::Any(list),
            }
        } else {
            let mut map = requests.first().and_then(Value::as_object).cloned().unwrap_or_default();
            for (k, v) in other.iter() {
                map.insert(k, v.clone());
            }
            Params::Object(map)
        };
        let mut ask = Ask::new(CallKind::Write, &self.meta.method, path, Map::new(), self.route.clone());
        ask.plan = self.plan.clone();
        ask.params = params;
        ask.request = requests.first().cloned().unwrap_or_default();
        ask.other = Value::Object(other);
        ask.row = rows.first().map(|r| repeat_key(r, plan)).unwrap_or_default();
        ask.rows = requests;
        Ok(ask)
    }

    /// The catalogue's values where the metadata gives none.
    fn defaults(&self, other: &mut Map, request: Option<&Map>) -> Result<(), Failure> {
        let Some(api) = self.route.api.as_deref() else { return Ok(()) };
        let scope = Arc::new(CallScope { credentials: self.account.values.clone(), ..CallScope::default() });
        let (none, rows) = (Value::Null, Vec::new());
        for (name, shape) in &api.defaults {
            if other.get(name).is_some() || request.is_some_and(|r| r.get(name).is_some()) {
                continue;
            }
            let values = Values { params: &none, request: &none, other: &none, rows: &rows };
            let made = shape.make(&values, &self.account.manifest.templates, &scope);
            other.insert(name.clone(), made.map_err(|why| self.account.template_failed(&why))?);
        }
        Ok(())
    }

    /// The question whether a record is there; `None` when its request holds no key to ask by.
    fn question(&self, row: &WriteRow, plan: &str) -> Result<Option<Ask>, Failure> {
        let (Some((route, _)), Some(api)) = (&self.look, self.route.api.as_deref()) else { return Ok(None) };
        let (Some(form), Some(shape)) = (&api.form.look_up, &api.look_up) else { return Ok(None) };
        let one = self.ask(std::slice::from_ref(row), plan)?;
        // Only the first version of a record is told by its key: a later one may be there with older values.
        let blank = |p: &String| one.request.get_path(p).is_none_or(|v| v.in_text().trim().is_empty());
        if row.version > 1 || form.needs.iter().any(blank) {
            return Ok(None);
        }
        let scope = Arc::new(CallScope {
            credentials: self.account.values.clone(),
            request: to_template(&one.request),
            other: to_template(&one.other),
            ..CallScope::default()
        });
        let params = one.params.to_value();
        let values = Values { params: &params, request: &one.request, other: &one.other, rows: &one.rows };
        let made = shape
            .make(&values, &self.account.manifest.templates, &scope)
            .map_err(|why| self.account.template_failed(&why))?;
        let Value::Object(map) = made else { return Ok(None) };
        let mut ask = Ask::new(CallKind::LookUp, "POST", route.path.clone(), map.clone(), route.clone());
        ask.other = Value::Object(map);
        ask.plan = self.plan.clone();
        Ok(Some(ask))
    }

    fn results(
        &self,
        rows: &[WriteRow],
        requests: &[Value],
        body: &super::client::Reply,
    ) -> Result<Vec<RowResult>, Failure> {
        if let Some(api) = self.route.api.as_deref().filter(|a| a.form.batch.is_some()) {
            let now = self.account.ports.clock.now();
            let batch = Batch { api, reading: &self.reading, now, replay: self.replay, requests };
            return batch.results(body);
        }
        let whole = Value::parse(&body.body).unwrap_or_default();
        if !self.batch {
            // The reply as a whole is about the one record, unless its only result is a refusal.
            let refusal = by_habit(1, &whole).pop().filter(|r| matches!(r, RowResult::Failed(_)));
            let result = refusal.unwrap_or(RowResult::Written(Some(whole)));
            return Ok(rows.iter().map(|_| result.clone()).collect());
        }
        Ok(by_habit(rows.len(), &whole))
    }
}

/// 32 hexadecimal digits that stand for a plan's record and its version.
fn repeat_key(row: &WriteRow, plan: &str) -> String {
    let mut h = blake3::Hasher::new();
    h.update(plan.as_bytes()).update(&[0]);
    h.update(row.id.as_bytes()).update(&[0]).update(&row.version.to_le_bytes());
    h.finalize().to_hex().get(..32).unwrap_or("").to_owned()
}

#[async_trait]
impl Target for HttpTarget {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        Ok(Box::new(Session { inner: self.inner.clone(), plan: fence.plan.clone() }))
    }

    fn prepare(&self, rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        rows.chunks(self.shape.max_rows.max(1))
            .map(|chunk| self.inner.account.preview(&self.inner.ask(chunk, "")?))
            .collect()
    }
}

struct Session {
    inner: Arc<Inner>,
    plan: String,
}

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        let ask = match self.inner.ask(rows, &self.plan) {
            Ok(ask) => ask,
            Err(f) => return Exchange { calls: Vec::new(), result: Err(f) },
        };
        crate::point("target/write/before");
        let exchange = self.inner.account.ask(&ask, &self.inner.reading).await;
        crate::point("target/write/after");
        let mut calls = exchange.calls;
        if let Some(last) = calls.last_mut() {
            last.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        }
        let mut result = exchange.result.and_then(|(reply, _)| self.inner.results(rows, &ask.rows, &reply));
        // A batch may be answered, and some of its records be throttled.
        if let (Ok(rows), Some(call)) = (&mut result, calls.last())
            && let Err(f) = self.inner.account.heed_rows(rows, call.started, &ask).await
        {
            result = Err(f);
        }
        Exchange { calls, result }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        let mut calls: Vec<Call> = Vec::new();
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (ask, reading) = match (self.inner.question(row, &self.plan), &self.inner.look) {
                (Ok(Some(ask)), Some((_, reading))) => (ask, reading),
                (Err(f), _) => return Exchange { calls, result: Err(f) },
                _ => {
                    found.push(Found::Unknown);
                    continue;
                }
            };
            let exchange = self.inner.account.ask(&ask, reading).await;
            calls.extend(exchange.calls);
            match exchange.result {
                Err(f) => return Exchange { calls, result: Err(f) },
                Ok((reply, _)) => {
                    let list = reply.outline().ok().and_then(|o| {
                        let (at, meta) = (reading.list.as_ref(), &self.inner.meta);
                        let found = records::find_records(o, at, &reading.lists, meta).ok().flatten();
                        // An answer that proves nothing must not have the record sent again, nor taken for written.
                        found.filter(|f| !unclear(o, Some(f), reading, meta))
                    });
                    let list = list.map(|f| f.elements);
                    found.push(match list {
                        Some(list) if list.is_empty() => Found::Absent,
                        Some(_) => Found::Present,
                        None => Found::Unknown,
                    });
                }
            }
        }
        Exchange { calls, result: Ok(found) }
    }
}
