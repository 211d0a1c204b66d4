//! List, then detail: the list holds keys, each record is read by a call of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use heliu_model::ports::Page;
use heliu_model::{Call, CallKind, Class, Failure, text};
use heliu_transform::{Map, Metadata, Path, Value};

use super::account::{Account, Ask};
use super::outcome::Reading;
use crate::manifest::{DetailForm, Route};

/// Bytes of details that are kept for the next pass over the same window.
const KEPT: usize = 32 << 20;

/// What tells of details; among the items of a document it is no parameter of the list.
const TOLD: [&str; 5] = ["otherapi", "otherkey", "detailkey", "detailkey1", "detailkey2"];

/// How details are read.
pub(super) struct Detail {
    route: Arc<Route>,
    reading: Reading,
    method: String,
    param: String,
    key: Path,
    place: Path,
}

/// Details that were read: a window's second pass asks for the list again, not for unchanged details.
#[derive(Debug, Default)]
pub(super) struct Details {
    found: HashMap<Bytes, Bytes>,
    bytes: usize,
}

impl Detail {
    /// The rule of the catalogue, or of the document: `otherapi`, `detailkey1` (parameter), `detailkey2` (key inside the
    /// element), `detailkey` (place of the record), at the top, in `otherResponse`, `otherRequest` or `request` (dialect §2.2).
    pub fn of(form: Option<&DetailForm>, meta: &Metadata, account: &Arc<Account>) -> Option<Detail> {
        let own = |name: &str| {
            let top = meta.raw.get_path(name).map(|v| v.in_text()).filter(|s| !s.is_empty());
            let item = || {
                let mut items = meta.other_request.iter().chain(&meta.request);
                let value = items.find(|i| i.field.eq_ignore_ascii_case(name))?.value.as_ref()?;
                Some(value.in_text().trim().to_owned())
            };
            top.or_else(|| meta.reply_key(name).map(str::to_owned)).or_else(item).filter(|s| !s.is_empty())
        };
        let form = match own("otherapi") {
            Some(api) => DetailForm {
                api,
                param: own("detailkey1").or_else(|| own("otherkey"))?,
                key: own("detailkey2").unwrap_or_default(),
                place: own("detailkey").unwrap_or_default(),
            },
            None => form?.clone(),
        };
        let route = account.route(&form.api);
        let reading = Reading::new(&route.reply, None, None, false, account.manifest.timezone);
        let method = route.api.as_ref().and_then(|a| a.form.method.clone()).unwrap_or_else(|| "POST".into());
        Some(Detail {
            reading,
            method,
            param: form.param,
            key: Path::new(&form.key),
            place: Path::with_slashes(&form.place),
            route,
        })
    }

    /// Takes what tells of details out of the list's parameters.
    pub fn leave_out(params: &mut Map) {
        let told: Vec<String> = params
            .iter()
            .map(|(k, _)| k.to_owned())
            .filter(|k| TOLD.iter().any(|t| k.eq_ignore_ascii_case(t)))
            .collect();
        for name in told {
            params.remove(&name);
        }
    }

    /// Replaces the list's elements by their details.
    ///
    /// # Errors
    /// What kept a detail from being read for now. One that the platform refuses for good stays as the list has it, so
    /// that a single bad record holds nothing up; without its fields it cannot pass for a whole one.
    pub async fn read(
        &self,
        account: &Arc<Account>,
        plan: &Arc<str>,
        page: Page,
        known: &Mutex<Details>,
        calls: &mut Vec<Call>,
    ) -> Result<Page, Failure> {
        let jobs: Vec<_> = page.elements.iter().map(|e| self.one(account, plan, e.clone(), known)).collect();
        let many = account.concurrency().min(8) as usize;
        let done: Vec<_> = futures_util::stream::iter(jobs).buffered(many).collect().await;
        let mut whole = vec![b'['];
        let mut spans = Vec::with_capacity(done.len());
        let (mut refused, mut failed) = (Vec::new(), None);
        for (element, (made, result)) in page.elements.iter().zip(done) {
            calls.extend(made);
            let record = match result {
                Ok(record) => record,
                Err(f)
                    if matches!(f.class, Class::Config | Class::Data)
                        && f.code != "HL-4001"
                        && f.code != "HL-4007" =>
                {
                    refused.push(self.key_of(element).in_text());
                    self.bare(element)
                }
                Err(f) => {
                    failed.get_or_insert(f);
                    continue;
                }
            };
            if whole.len() > 1 {
                whole.push(b',');
            }
            let from = whole.len();
            whole.extend_from_slice(&record);
            spans.push((from, whole.len()));
        }
        if let Some(f) = failed {
            return Err(f);
        }
        whole.push(b']');
        let body = Bytes::from(whole);
        let mut page =
            Page { elements: spans.iter().map(|(a, b)| body.slice(*a..*b)).collect(), body, ..page };
        if !refused.is_empty() {
            let (n, some) = (refused.len(), refused.iter().take(5).cloned().collect::<Vec<_>>().join(", "));
            page.warnings.push(text!(
                "{n} details were refused and stay without their fields: {some}",
                "有 {n} 条明细被拒绝,只保留列表内容:{some}"
            ));
        }
        Ok(page)
    }

    async fn one(
        &self,
        account: &Arc<Account>,
        plan: &Arc<str>,
        element: Bytes,
        known: &Mutex<Details>,
    ) -> (Vec<Call>, Result<Bytes, Failure>) {
        if let Some(found) = known.lock().unwrap_or_else(PoisonError::into_inner).found.get(&element) {
            return (Vec::new(), Ok(found.clone()));
        }
        let mut params = Map::new();
        params.insert(self.param.clone(), self.key_of(&element));
        let path = self.route.path.clone();
        let mut ask = Ask::new(CallKind::Fetch, &self.method, path, params, self.route.clone());
        ask.plan = plan.clone();
        let exchange = account.ask(&ask, &self.reading).await;
        let result = exchange.result.and_then(|(reply, _)| {
            let outline = reply.outline().map_err(|e| super::outcome::cut(&e.text().en))?;
            let found = outline.list(&self.place).ok().flatten().and_then(|l| l.into_iter().next());
            let place = self.place.as_str().to_owned();
            found.ok_or_else(|| {
                Failure::data(
                    "HL-3012",
                    text!("`{place}` of the reply holds no records", "响应的 `{place}` 处不是数据"),
                )
            })
        });
        if let Ok(record) = &result {
            let mut kept = known.lock().unwrap_or_else(PoisonError::into_inner);
            let size = record.len() + element.len();
            if kept.bytes + size <= KEPT {
                kept.bytes += size;
                kept.found.insert(element, record.clone());
            }
        }
        (exchange.calls, result)
    }

    fn key_of(&self, element: &[u8]) -> Value {
        let whole = Value::parse(element).unwrap_or_default();
        if self.key.as_str().is_empty() { whole } else { self.key.get(&whole).unwrap_or_default() }
    }

    /// The element itself as an object.
    fn bare(&self, element: &Bytes) -> Bytes {
        match Value::parse(element) {
            Ok(Value::Object(_)) => element.clone(),
            other => {
                let mut map = Map::new();
                map.insert(self.param.clone(), other.unwrap_or_default());
                Bytes::from(Value::Object(map).to_json())
            }
        }
    }
}
