//! One account on a platform: its credentials, tokens, budget; everything a call needs that is not the call.

use std::sync::Arc;

use bytes::Bytes;
use heliu_model::budget::Limits;
use heliu_model::call::Exchange;
use heliu_model::ports::{Budget, Clock, Slot, TokenRow, Tokens};
use heliu_model::{Call, CallKind, Class, ConnectorSpec, Failure, Problem, Secret, text};
use heliu_transform::{Map, Value};
use tokio::sync::{Mutex, Semaphore};

use super::client::{Client, Reply, Wire};
use super::mask::Mask;
use super::outcome::Reading;
use super::token::refused;
use crate::manifest::Manifest;

/// What outside calls need from the rest of the program.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Durable tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Shared budgets.
    pub budget: Arc<dyn Budget>,
    /// Who this process is, for intents.
    pub owner: String,
    /// The client.
    pub client: Client,
}

/// An account. Shared by all plans of a process that use the connector.
pub struct Account {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) ports: Ports,
    pub(crate) name: String,
    pub(super) base_url: String,
    pub(super) credentials: Vec<(String, Secret)>,
    pub(super) limits: Limits,
    pub(super) key: String,
    pub(super) origin: String,
    pub(super) token: Mutex<Option<TokenRow>>,
    gate: Semaphore,
    /// Whoever waits for the budget waits in line.
    line: Mutex<()>,
}

/// A slot of the budget, released when the request is over, however it ends.
pub(super) struct Pass {
    budget: Arc<dyn Budget>,
    clock: Arc<dyn Clock>,
    slot: Option<i64>,
}

impl Pass {
    /// The request is over.
    pub(super) async fn over(mut self) -> Result<(), Failure> {
        match self.slot.take() {
            Some(slot) => self.budget.release(slot, self.clock.now()).await,
            None => Ok(()),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // The request was given up on its way.
        if let Some(slot) = self.slot.take()
            && let Ok(handle) = tokio::runtime::Handle::try_current()
        {
            let (budget, clock) = (self.budget.clone(), self.clock.clone());
            handle.spawn(async move {
                if let Err(f) = budget.release(slot, clock.now()).await {
                    tracing::warn!(target: "heliu", "{f}");
                }
            });
        }
    }
}

/// A call as the platform's API has it, before encoding.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub kind: CallKind,
    pub method: String,
    pub path: String,
    pub params: Params,
}

/// Parameters of a call.
#[derive(Debug, Clone)]
pub(crate) enum Params {
    Object(Map),
    /// A body that is not an object (lists of some uploads).
    Any(Value),
}

impl Account {
    /// An account from a connector.
    ///
    /// # Errors
    /// Missing credentials and address, all at once.
    pub fn new(manifest: Arc<Manifest>, spec: &ConnectorSpec, ports: Ports) -> Result<Account, Vec<Problem>> {
        let problems = check(&manifest, spec);
        if !problems.is_empty() {
            return Err(problems);
        }
        let base_url = spec.base_url.clone().or_else(|| manifest.base_url.clone()).unwrap_or_default();
        let credentials: Vec<(String, Secret)> = manifest
            .credentials
            .iter()
            .filter_map(|c| c.of(spec).map(|v| (c.name.clone(), Secret::new(v))))
            .collect();
        let limits = Limits {
            requests_per_second: spec.limits.requests_per_second.or(manifest.limits.requests_per_second),
            requests_per_minute: spec.limits.requests_per_minute.or(manifest.limits.requests_per_minute),
            concurrency: spec.limits.concurrency.or(manifest.limits.concurrency),
        };
        let find = |n: &str| credentials.iter().find(|(k, _)| k == n).map_or("", |(_, v)| v.expose());
        let mut origin = blake3::Hasher::new();
        let mut paired = false;
        if let Some(t) = &manifest.token {
            for n in [Some(&t.access), t.refresh.as_ref()].into_iter().flatten() {
                paired |= !find(n).is_empty();
                origin.update(find(n).as_bytes()).update(&[0]);
            }
        }
        let origin = origin.finalize().to_hex().to_string();
        // The key names the account without telling any secret of it. One application serves several merchants:
        // what tells them apart is the pair they gave.
        let mut id = blake3::Hasher::new();
        for part in [manifest.name.as_str(), base_url.as_str()] {
            id.update(part.as_bytes()).update(&[0]);
        }
        for n in ["app_key", "client_id", "corp_id", "key", "username"] {
            if !find(n).is_empty() {
                id.update(find(n).as_bytes()).update(&[0]);
            }
        }
        if paired {
            id.update(origin.as_bytes());
        }
        let key = format!("{}/{}", manifest.name, id.finalize().to_hex().get(..16).unwrap_or(""));
        let gate = Semaphore::new(limits.concurrency.unwrap_or(16).max(1) as usize);
        Ok(Account {
            name: spec.name.clone(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            credentials,
            limits,
            key,
            origin,
            token: Mutex::new(None),
            gate,
            line: Mutex::new(()),
            manifest,
            ports,
        })
    }

    /// Requests that may be in flight.
    pub fn concurrency(&self) -> u32 {
        self.limits.concurrency.unwrap_or(8).max(1)
    }

    /// The account's key in the ledger.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn credential(&self, name: &str) -> Option<&Secret> {
        self.credentials.iter().find(|(k, _)| k == name).map(|(_, v)| v)
    }

    pub(super) fn mask(&self, token: Option<&TokenRow>) -> Mask {
        let mut mask = Mask::default();
        for form in self.manifest.credentials.iter().filter(|c| c.secret) {
            if let Some(s) = self.credential(&form.name) {
                mask.add(s);
            }
        }
        if let Some(row) = token {
            mask.add(&row.pair.access);
            if let Some(r) = &row.pair.refresh {
                mask.add(r);
            }
        }
        mask
    }

    /// Asks once: waits for the budget, attaches the token; a refused token is renewed once for all waiters and the
    /// call repeated once.
    pub(crate) async fn ask(&self, ask: &Ask, reading: &Reading) -> Exchange<(Reply, Bytes)> {
        let mut calls = Vec::new();
        let mut token = None;
        if self.manifest.token.is_some() {
            match self.valid_token(&mut calls).await {
                Ok(row) => token = Some(row),
                Err(failure) => return Exchange { calls, result: Err(failure) },
            }
        }
        for round in 0..2 {
            let result = self.once(ask, token.as_ref(), reading, &mut calls).await;
            match result {
                Err(f) if f.class == Class::AuthExpired => {
                    let Some(row) = token.take().filter(|_| round == 0) else {
                        return Exchange { calls, result: Err(refused(f)) };
                    };
                    match self.renew(&row, &mut calls, "refused").await {
                        Ok(fresh) => token = Some(fresh),
                        Err(failure) => return Exchange { calls, result: Err(failure) },
                    }
                }
                other => return Exchange { calls, result: other },
            }
        }
        let gone =
            Failure::config("HL-4001", text!("the token is refused again and again", "令牌一再被拒绝"));
        Exchange { calls, result: Err(gone) }
    }

    async fn once(
        &self,
        ask: &Ask,
        token: Option<&TokenRow>,
        reading: &Reading,
        calls: &mut Vec<Call>,
    ) -> Result<(Reply, Bytes), Failure> {
        let _slot = self.gate.acquire().await.map_err(|e| {
            Failure::internal("HL-3091", text!("the budget is closed: {e}", "额度已关闭:{e}"))
        })?;
        let pass = self.wait_for_budget().await?;
        let wire = self.encode(ask, token.map(|t| &t.pair.access))?;
        let mask = self.mask(token);
        let result = self.exchange(ask.kind, &wire, &mask, reading, calls).await;
        pass.over().await?;
        result
    }

    /// Waits until one more request keeps the limits.
    pub(super) async fn wait_for_budget(&self) -> Result<Pass, Failure> {
        let Ports { budget, clock, owner, .. } = &self.ports;
        let mut pass = Pass { budget: budget.clone(), clock: clock.clone(), slot: None };
        if !self.limits.timed() {
            return Ok(pass);
        }
        let _line = self.line.lock().await;
        loop {
            let now = clock.now();
            match budget.reserve(&self.key, &self.limits, owner, now).await? {
                Slot::Go(slot) => {
                    pass.slot = Some(slot);
                    return Ok(pass);
                }
                Slot::Wait(until) => {
                    clock.sleep_ms(u64::try_from(until.0 - clock.now().0).unwrap_or(0)).await;
                }
            }
        }
    }

    /// Sends and captures one exchange, and judges the reply. The second of the pair is the masked body.
    pub(super) async fn exchange(
        &self,
        kind: CallKind,
        wire: &Wire,
        mask: &Mask,
        reading: &Reading,
        calls: &mut Vec<Call>,
    ) -> Result<(Reply, Bytes), Failure> {
        let started = self.ports.clock.now();
        let from = self.ports.clock.monotonic_ms();
        let sent = self.ports.client.send(wire).await;
        let mut call = Call::new(kind, started, &wire.method, &mask.text(&wire.url));
        call.millis = u32::try_from(self.ports.clock.monotonic_ms().saturating_sub(from)).unwrap_or(u32::MAX);
        call.request_headers = wire.headers.iter().map(|(k, v)| (k.clone(), mask.header(k, v))).collect();
        call.request_body = mask.body(&wire.body);
        let result = match sent {
            Ok(reply) => {
                call.status = Some(reply.status);
                call.response_headers =
                    reply.headers.iter().map(|(k, v)| (k.clone(), mask.header(k, v))).collect();
                call.response_body = mask.body(&reply.body);
                match reading.judge(&reply) {
                    Ok(()) => Ok((reply, call.response_body.clone())),
                    Err(mut f) => {
                        f.message =
                            heliu_model::Text { en: mask.text(&f.message.en), zh: mask.text(&f.message.zh) };
                        Err(f)
                    }
                }
            }
            Err(no) => {
                if let Some(head) = &no.partial {
                    call.status = Some(head.status);
                    call.response_headers =
                        head.headers.iter().map(|(k, v)| (k.clone(), mask.header(k, v))).collect();
                }
                Err(if no.sent { reading.lost(no.failure) } else { no.failure })
            }
        };
        let result = result
            .map_err(|f| if f.place.is_empty() { f.at(format!("{} {}", call.method, call.url)) } else { f });
        if let Err(f) = &result {
            call.failure = Some(f.clone());
            if f.class == Class::RateLimited {
                let until = self.ports.clock.now().plus_ms(f.retry_after_ms.unwrap_or(1_000) as i64);
                if self.limits.timed() {
                    self.ports.budget.hold(&self.key, until).await?;
                }
            }
        }
        calls.push(call);
        result
    }
}

/// What is missing in a connector, as far as can be seen without a call.
pub(crate) fn check(manifest: &Manifest, spec: &ConnectorSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    for c in manifest.credentials.iter().filter(|c| c.required) {
        if c.of(spec).is_none() {
            let (name, en, zh) = (&c.name, &c.title.en, &c.title.zh);
            problems.push(
                Problem::error(
                    "HL-1030",
                    spec.place(name),
                    text!("the credential `{name}` ({en}) is missing", "缺少凭证 `{name}`({zh})"),
                )
                .hint(text!(
                    "add it under [credentials], or as {{ env = \"…\" }} or {{ secret = \"…\" }}",
                    "请在 [credentials] 中填写,或使用 {{ env = \"…\" }}、{{ secret = \"…\" }}"
                )),
            );
        }
    }
    let base_url = spec.base_url.clone().or_else(|| manifest.base_url.clone()).unwrap_or_default();
    if base_url.is_empty() {
        problems.push(
            Problem::error("HL-1031", "base_url", text!("`base_url` is missing", "缺少 `base_url`")).hint(
                text!(
                    "give the address of the API, such as `https://api.example.com`",
                    "请填写接口地址,例如 `https://api.example.com`"
                ),
            ),
        );
    }
    if manifest.request.auth.as_deref() == Some("by_credentials") {
        let get = |n: &str| manifest.credentials.iter().find(|c| c.name == n).and_then(|c| c.of(spec));
        problems.extend(super::encode::check_auth(spec, &get));
    }
    problems
}
