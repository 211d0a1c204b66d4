//! An HTTP API as a target.

use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Fence, Found, Prepared, Render, Replay, RowBody, RowResult, Target, TargetSession, TargetShape, WriteRow,
};
use heliu_model::{CallKind, Class, Failure, text};
use heliu_transform::mapping::{Rendered, Request};
use heliu_transform::{Map, Metadata, Value};

use super::account::{Account, Ask, Params};
use super::outcome::Reading;

/// A target on an HTTP platform: one request per record, or lists as `operation` says (dialect §6.2).
pub struct HttpTarget {
    inner: Arc<Inner>,
    shape: TargetShape,
}

struct Inner {
    account: Arc<Account>,
    meta: Metadata,
    path: String,
    reading: Reading,
    batch: bool,
}

impl HttpTarget {
    /// A target for a document.
    pub fn new(account: Arc<Account>, meta: &Metadata) -> HttpTarget {
        let manifest = account.manifest.clone();
        let (path, api) = manifest.api(&meta.api);
        let batch = meta.operation.method.eq_ignore_ascii_case("batchArraySave");
        let shape = TargetShape {
            render: Render::Object,
            max_rows: if batch { meta.operation.rows.max(1) } else { 1 },
            writers: 1,
            replay: if api.is_some_and(|a| a.idempotent) { Replay::Idempotent } else { Replay::Never },
            local: false,
        };
        let reading = Reading::new(&manifest.reply, None, Some(meta), true);
        HttpTarget { inner: Arc::new(Inner { account, meta: meta.clone(), path, reading, batch }), shape }
    }
}

impl Inner {
    fn ask(&self, rows: &[WriteRow]) -> Result<Ask, Failure> {
        let mut rendered: Vec<Rendered> = rows
            .iter()
            .filter_map(|r| match &r.body {
                RowBody::Object { request, other } => {
                    Some(Rendered { request: request.clone(), other: other.clone(), warnings: Vec::new() })
                }
                _ => None,
            })
            .collect();
        let path = match rendered.first_mut() {
            Some(first) if self.path.contains('{') => {
                Request::fill_path(&self.path, first).map_err(|e| Failure::data(&e.code, e.message))?
            }
            _ => self.path.clone(),
        };
        let other = rendered.first().map(|r| r.other.clone()).unwrap_or_default();
        // A wrapper name in otherRequest holds the list: {"data":[…]}.
        let key = other.get("key").map(Value::in_text).filter(|k| !k.is_empty());
        let params = if self.batch || key.is_some() {
            let list = Value::Array(rendered.into_iter().map(|r| Value::Object(r.request)).collect());
            match key {
                Some(key) => {
                    let mut map = Map::new();
                    for (k, v) in other {
                        if k != "key" {
                            map.insert(k, v);
                        }
                    }
                    map.insert(key, list);
                    Params::Object(map)
                }
                None => Params::Any(list),
            }
        } else {
            let mut map = rendered.pop().map(|r| r.request).unwrap_or_default();
            for (k, v) in other {
                map.insert(k, v);
            }
            Params::Object(map)
        };
        Ok(Ask { kind: CallKind::Write, method: self.meta.method.clone(), path, params })
    }
}

#[async_trait]
impl Target for HttpTarget {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, _fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        Ok(Box::new(Session(self.inner.clone())))
    }

    fn prepare(&self, rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        rows.chunks(self.shape.max_rows.max(1))
            .map(|chunk| self.inner.account.preview(&self.inner.ask(chunk)?))
            .collect()
    }
}

struct Session(Arc<Inner>);

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        let ask = match self.0.ask(rows) {
            Ok(ask) => ask,
            Err(f) => return Exchange { calls: Vec::new(), result: Err(f) },
        };
        let exchange = self.0.account.ask(&ask, &self.0.reading).await;
        let mut calls = exchange.calls;
        if let Some(last) = calls.last_mut() {
            last.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        }
        let result = match exchange.result {
            Ok((reply, _)) => {
                let parsed = Value::parse(&reply.body).ok();
                Ok(per_row(rows, parsed))
            }
            // A refusal of a whole list that may have been stored in part must not be repeated record by record.
            Err(f) if f.class == Class::Data && rows.len() > 1 && !f.doubt => Err(f),
            Err(f) => Err(f),
        };
        Exchange { calls, result }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        Exchange { calls: Vec::new(), result: Ok(vec![Found::Unknown; rows.len()]) }
    }
}

/// Results per record where the reply has them by position: `issuccess`, `success` or `billStatus` in a list.
fn per_row(rows: &[WriteRow], reply: Option<Value>) -> Vec<RowResult> {
    let lists = ["data.datas", "data.results", "data.list", "result", "data", "results", "datas"];
    let found = reply.as_ref().and_then(|r| {
        lists.iter().find_map(|p| match r.get_path(p) {
            Some(Value::Array(items)) if items.len() == rows.len() => Some(items),
            _ => None,
        })
    });
    let Some(items) = found else {
        let whole = reply.unwrap_or_default();
        return rows.iter().map(|_| RowResult::Written(Some(whole.clone()))).collect();
    };
    items
        .into_iter()
        .map(|item| {
            let flag = ["issuccess", "success", "billStatus", "is_success"]
                .iter()
                .find_map(|k| item.get_path(k))
                .map(|v| matches!(v.in_text().as_str(), "true" | "1"));
            if flag == Some(false) {
                let said = ["msg", "message", "errmsg", "errorMsg"]
                    .iter()
                    .find_map(|k| item.get_path(k))
                    .map(|v| v.in_text())
                    .unwrap_or_default();
                RowResult::Failed(Failure::data(
                    "HL-5010",
                    text!("the target refuses this record: «{said}»", "目标拒绝该数据:“{said}”"),
                ))
            } else {
                RowResult::Written(Some(item))
            }
        })
        .collect()
}
