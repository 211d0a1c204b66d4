//! One account on a platform: its credentials, tokens, budget; everything a call needs that is not the call.

use std::sync::Arc;

use bytes::Bytes;
use heliu_model::budget::Limits;
use heliu_model::call::Exchange;
use heliu_model::ports::{Budget, Clock, TokenRow, Tokens};
use heliu_model::{Call, CallKind, Class, ConnectorSpec, Failure, Problem, Secret, text};
use heliu_transform::{Map, Value};
use tokio::sync::{Mutex, Semaphore};

use super::client::{Client, Reply, Wire};
use super::mask::Mask;
use super::outcome::Reading;
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
    limits: Limits,
    pub(super) key: String,
    pub(super) origin: String,
    pub(super) token: Mutex<Option<TokenRow>>,
    gate: Semaphore,
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
        let mut problems = Vec::new();
        for c in manifest.credentials.iter().filter(|c| c.required) {
            if spec.setting(&c.name).is_none() {
                let (name, en, zh) = (&c.name, &c.title.en, &c.title.zh);
                problems.push(
                    Problem::error(
                        "HL-1030",
                        format!("credentials.{name}"),
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
                Problem::error("HL-1031", "base_url", text!("`base_url` is missing", "缺少 `base_url`"))
                    .hint(text!(
                        "give the address of the API, such as `https://api.example.com`",
                        "请填写接口地址,例如 `https://api.example.com`"
                    )),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let credentials: Vec<(String, Secret)> = manifest
            .credentials
            .iter()
            .filter_map(|c| spec.setting(&c.name).map(|v| (c.name.clone(), Secret::new(v))))
            .collect();
        let limits = Limits {
            requests_per_second: spec.limits.requests_per_second.or(manifest.limits.requests_per_second),
            requests_per_minute: spec.limits.requests_per_minute.or(manifest.limits.requests_per_minute),
            concurrency: spec.limits.concurrency.or(manifest.limits.concurrency),
        };
        // The key names the account without telling any secret of it.
        let mut id = blake3::Hasher::new();
        for part in [manifest.name.as_str(), base_url.as_str()] {
            id.update(part.as_bytes()).update(&[0]);
        }
        let find = |n: &str| credentials.iter().find(|(k, _)| k == n).map(|(_, v)| v);
        for n in ["app_key", "client_id", "corp_id", "key", "username"] {
            if let Some(v) = find(n) {
                id.update(v.expose().as_bytes()).update(&[0]);
            }
        }
        let key = format!("{}/{}", manifest.name, id.finalize().to_hex().get(..16).unwrap_or(""));
        let mut origin = blake3::Hasher::new();
        if let Some(t) = &manifest.token {
            for n in [Some(&t.access), t.refresh.as_ref()].into_iter().flatten() {
                origin.update(find(n).map_or("", Secret::expose).as_bytes()).update(&[0]);
            }
        }
        let gate = Semaphore::new(limits.concurrency.unwrap_or(16).max(1) as usize);
        Ok(Account {
            name: spec.name.clone(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            credentials,
            limits,
            key,
            origin: origin.finalize().to_hex().to_string(),
            token: Mutex::new(None),
            gate,
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
        self.wait_for_budget().await?;
        let wire = self.encode(ask, token.map(|t| &t.pair.access))?;
        let mask = self.mask(token);
        self.exchange(ask.kind, &wire, &mask, reading, calls).await
    }

    pub(super) async fn wait_for_budget(&self) -> Result<(), Failure> {
        if !self.limits.timed() {
            return Ok(());
        }
        let now = self.ports.clock.now();
        let at = self.ports.budget.reserve(&self.key, &self.limits, now).await?;
        let wait = at.0 - self.ports.clock.now().0;
        if wait > 0 {
            self.ports.clock.sleep_ms(wait as u64).await;
        }
        Ok(())
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
        call.request_headers = wire.headers.iter().map(|(k, v)| (k.clone(), mask.text(v))).collect();
        call.request_body = mask.body(&wire.body);
        let result = match sent {
            Ok(reply) => {
                call.status = Some(reply.status);
                call.response_headers =
                    reply.headers.iter().map(|(k, v)| (k.clone(), mask.text(v))).collect();
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
                        head.headers.iter().map(|(k, v)| (k.clone(), mask.text(v))).collect();
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

fn refused(mut f: Failure) -> Failure {
    f.class = Class::Config;
    f.hint(text!(
        "check the credentials of the connector; `heliu token CONNECTOR` shows the token's state",
        "请检查连接器的凭证;`heliu token 连接器名` 可查看令牌状态"
    ))
}
