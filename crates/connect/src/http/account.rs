//! One account on a platform: its credentials, tokens, budget; everything a call needs that is not the call.

use std::sync::Arc;

use bytes::Bytes;
use heliu_model::budget::Limits;
use heliu_model::call::Exchange;
use heliu_model::ports::{Budget, Clock, RefreshStart, TokenEvent, TokenPair, TokenRow, Tokens};
use heliu_model::{Call, CallKind, Class, ConnectorSpec, Failure, Problem, Secret, Ts, text};
use heliu_transform::{Map, Path, Value, records};
use minijinja::context;
use tokio::sync::{Mutex, Semaphore};

use super::client::{Client, Reply, Wire};
use super::mask::Mask;
use super::outcome::Reading;
use crate::manifest::{Manifest, TokenCall};

/// A refresh of another process that has not ended after this long (ms) counts as broken.
const STALE_MS: u64 = 60_000;
/// How long to wait (ms) for another process's refresh.
const WAIT_MS: u64 = 30_000;

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
    base_url: String,
    credentials: Vec<(String, Secret)>,
    limits: Limits,
    key: String,
    origin: String,
    token: Mutex<Option<TokenRow>>,
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

    fn credential(&self, name: &str) -> Option<&Secret> {
        self.credentials.iter().find(|(k, _)| k == name).map(|(_, v)| v)
    }

    fn mask(&self, token: Option<&TokenRow>) -> Mask {
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

    async fn wait_for_budget(&self) -> Result<(), Failure> {
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
    async fn exchange(
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

    fn template(&self, name: &str, context: &minijinja::Value) -> Result<String, Failure> {
        self.manifest.templates.render(name, context).map_err(|why| {
            Failure::config(
                "HL-1041",
                text!("a template of the manifest fails: {why}", "清单中的模板出错:{why}"),
            )
            .at(format!("platforms/{}.toml", self.manifest.name))
        })
    }

    fn context(&self, token: Option<&Secret>, params: &str, fields: &[(String, String)]) -> minijinja::Value {
        let credentials: minijinja::Value =
            self.credentials.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect();
        let now = self.ports.clock.now();
        context! {
            credentials,
            token => token.map(Secret::expose).unwrap_or(""),
            refresh_token => "",
            now => now.secs().to_string(),
            now_ms => now.0.to_string(),
            nonce => nonce(now, self.ports.clock.jitter()),
            params,
            fields,
        }
    }

    /// The request on the wire: the text that is signed is the text that is sent.
    pub(crate) fn encode(&self, ask: &Ask, token: Option<&Secret>) -> Result<Wire, Failure> {
        let form = &self.manifest.request;
        let method = form.method.clone().unwrap_or_else(|| ask.method.clone());
        let mut url = if ask.path.starts_with("http://") || ask.path.starts_with("https://") {
            // The address belongs to the connector: an interface name may not lead credentials elsewhere.
            let path = &ask.path;
            return Err(Failure::config(
                "HL-3003",
                text!(
                    "an interface name is a path, not an address: `{path}`",
                    "接口名应为路径而不是地址:`{path}`"
                ),
            ));
        } else if ask.path.starts_with('/') {
            format!("{}{}", self.base_url, ask.path)
        } else {
            format!("{}/{}", self.base_url, ask.path)
        };
        let json = match &ask.params {
            Params::Object(map) => Value::Object(map.clone()).to_json(),
            Params::Any(v) => v.to_json(),
        };
        let mut headers: Vec<(String, String)> = vec![("accept".into(), "application/json".into())];
        let mut body = Bytes::new();
        if form.encoding == "form" {
            let ctx = self.context(token, &json, &[]);
            let mut fields: Vec<(String, String)> = Vec::with_capacity(form.fields.len() + 1);
            for (k, _) in &form.fields {
                fields.push((k.clone(), self.template(&format!("field/{k}"), &ctx)?));
            }
            body = self.form_body(fields, &mut headers)?;
        } else {
            let query = form.encoding == "query"
                || (form.encoding != "json" && matches!(method.as_str(), "GET" | "DELETE" | "HEAD"));
            if query {
                let pairs = query_pairs(&ask.params);
                if !pairs.is_empty() {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(
                        &form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish(),
                    );
                }
            } else {
                headers.push(("content-type".into(), "application/json; charset=utf-8".into()));
                body = Bytes::from(json.clone());
            }
        }
        let ctx = if form.headers.is_empty() { None } else { Some(self.context(token, &json, &[])) };
        if let Some(ctx) = ctx {
            for k in form.headers.keys() {
                let v = self.template(&format!("header/{k}"), &ctx)?;
                if !v.is_empty() {
                    headers.push((k.clone(), v));
                }
            }
        }
        if form.auth.as_deref() == Some("by_credentials") {
            self.authenticate(&mut headers, &mut url)?;
        }
        Ok(Wire { method, url, headers, body })
    }

    fn form_body(
        &self,
        mut fields: Vec<(String, String)>,
        headers: &mut Vec<(String, String)>,
    ) -> Result<Bytes, Failure> {
        // What is empty is neither signed nor sent.
        fields.retain(|(_, v)| !v.is_empty());
        if let Some(sign) = &self.manifest.request.sign {
            let ctx = self.context(None, "", &fields);
            let signature = self.template("sign", &ctx)?;
            fields.push((sign.field.clone(), signature));
        }
        headers.push(("content-type".into(), "application/x-www-form-urlencoded;charset=UTF-8".into()));
        Ok(Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish()))
    }

    fn authenticate(&self, headers: &mut Vec<(String, String)>, url: &mut String) -> Result<(), Failure> {
        use base64::Engine as _;
        let get = |n: &str| self.credential(n).map(|s| s.expose().to_owned()).unwrap_or_default();
        let scheme = match get("auth").to_ascii_lowercase().as_str() {
            "" if !get("token").is_empty() => "bearer".to_owned(),
            "" if !get("key").is_empty() => "api_key".to_owned(),
            "" if !get("username").is_empty() => "basic".to_owned(),
            other => other.to_owned(),
        };
        match scheme.as_str() {
            "" | "none" => {}
            "bearer" => headers.push(("authorization".into(), format!("Bearer {}", get("token")))),
            "basic" => {
                let pair = format!("{}:{}", get("username"), get("password"));
                let packed = base64::engine::general_purpose::STANDARD.encode(pair);
                headers.push(("authorization".into(), format!("Basic {packed}")));
            }
            "api_key" => {
                let name = match get("key_name") {
                    n if n.is_empty() => "X-API-Key".to_owned(),
                    n => n,
                };
                if get("key_in").eq_ignore_ascii_case("query") {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(
                        &form_urlencoded::Serializer::new(String::new())
                            .append_pair(&name, &get("key"))
                            .finish(),
                    );
                } else {
                    headers.push((name.to_ascii_lowercase(), get("key")));
                }
            }
            other => {
                let other = other.to_owned();
                return Err(Failure::config(
                    "HL-1032",
                    text!(
                        "`auth = \"{other}\"` is not known; use none, api_key, basic or bearer",
                        "未知的 `auth = \"{other}\"`;可用 none、api_key、basic、bearer"
                    ),
                )
                .at(format!("connectors/{}", self.name)));
            }
        }
        Ok(())
    }

    /// The stored pair, adopted from the connector file where that was edited, renewed ahead of its end.
    async fn valid_token(&self, calls: &mut Vec<Call>) -> Result<TokenRow, Failure> {
        let row = self.current().await?;
        let Some(form) = &self.manifest.token else { return Ok(row) };
        let now = self.ports.clock.now();
        let margin = form.margin_seconds.saturating_mul(1000);
        let ending = row.pair.expires_at.is_some_and(|t| {
            // Never more than a tenth of the validity: short-lived tokens would be renewed on every call.
            let life = t.0 - row.stored_at.0;
            now.plus_ms(margin.min(life / 10)) >= t
        });
        let empty = row.pair.access.is_empty();
        if (ending || empty) && (form.renew.is_some() || form.first.is_some()) && !row.needs_authorisation {
            return match self.renew(&row, calls, if empty { "first" } else { "ending" }).await {
                Ok(fresh) => Ok(fresh),
                // Still valid: the renewal may fail for now.
                Err(_) if !empty && row.pair.expires_at.is_some_and(|t| t > now) => Ok(row),
                Err(f) => Err(f),
            };
        }
        Ok(row)
    }

    async fn current(&self) -> Result<TokenRow, Failure> {
        let stored = self.ports.tokens.load(&self.key).await?;
        let row = match stored {
            Some(row) if row.origin == self.origin => row,
            // The pair in the file was edited (or is new): it replaces what is stored.
            _ => {
                let form = self.manifest.token.as_ref();
                let access = form.and_then(|t| self.credential(&t.access)).cloned().unwrap_or_default();
                let refresh = form.and_then(|t| t.refresh.as_ref()).and_then(|r| self.credential(r)).cloned();
                let pair = TokenPair { access, refresh, expires_at: None };
                self.ports.tokens.adopt(&self.key, &pair, &self.origin, self.ports.clock.now()).await?
            }
        };
        Ok(row)
    }

    /// Renews the pair, once for all waiters of this process and of others (interface §3.3).
    pub(crate) async fn renew(
        &self,
        failed: &TokenRow,
        calls: &mut Vec<Call>,
        why: &str,
    ) -> Result<TokenRow, Failure> {
        // One at a time in this process; whoever waited finds the newer pair.
        let mut last = self.token.lock().await;
        if let Some(row) = last.as_ref().filter(|r| r.generation > failed.generation) {
            return Ok(row.clone());
        }
        let mut waited = 0;
        loop {
            let now = self.ports.clock.now();
            let start = self
                .ports
                .tokens
                .begin_refresh(&self.key, failed.generation, &self.ports.owner, now, STALE_MS)
                .await?;
            match start {
                RefreshStart::Newer(row) => {
                    *last = Some(row.clone());
                    return Ok(row);
                }
                RefreshStart::Busy(ms) if waited < WAIT_MS => {
                    self.ports.clock.sleep_ms(ms).await;
                    waited += ms;
                }
                RefreshStart::Busy(_) => {
                    return Err(Failure::transient(
                        "HL-4002",
                        text!(
                            "another process has been renewing the token for too long",
                            "另一个进程刷新令牌的时间过长"
                        ),
                    ));
                }
                RefreshStart::Yours { broken } => {
                    let row = self.renew_now(failed, broken, calls, why).await?;
                    *last = Some(row.clone());
                    return Ok(row);
                }
            }
        }
    }

    async fn renew_now(
        &self,
        failed: &TokenRow,
        broken: bool,
        calls: &mut Vec<Call>,
        why: &str,
    ) -> Result<TokenRow, Failure> {
        let Some(form) = &self.manifest.token else { return Ok(failed.clone()) };
        let refresh = failed.pair.refresh.clone().filter(|r| !r.is_empty());
        let mut result = match (&form.renew, &refresh) {
            (Some(call), Some(r)) => self.token_call(call, "renew", Some(r), failed, calls).await,
            _ => Err(Failure::new(
                Class::AuthExpired,
                "HL-4003",
                text!("there is no refresh token", "没有刷新令牌"),
            )),
        };
        // A definite refusal: applications that may get a first token by themselves do.
        if result
            .as_ref()
            .is_err_and(|f| !matches!(f.class, Class::Transient | Class::RateLimited | Class::Internal))
            && let Some(call) = &form.first
            && (refresh.is_none() || failed.pair.access.is_empty())
        {
            result = self.token_call(call, "first", None, failed, calls).await;
        }
        let now = self.ports.clock.now();
        let by = self.ports.owner.clone();
        match result {
            Ok(pair) => {
                let event = TokenEvent {
                    at: now,
                    event: if broken { "recovered" } else { "refreshed" }.into(),
                    by,
                    detail: why.to_owned(),
                    expires_at: pair.expires_at,
                };
                let row = self
                    .ports
                    .tokens
                    .end_refresh(&self.key, &self.ports.owner, Some(&pair), false, &event)
                    .await?;
                row.ok_or_else(|| {
                    Failure::internal("HL-4004", text!("the new token was not stored", "新令牌未能保存"))
                })
            }
            Err(f) => {
                let definite = !matches!(f.class, Class::Transient | Class::RateLimited | Class::Internal);
                let event = TokenEvent {
                    at: now,
                    event: if definite { "needs_authorisation" } else { "failed" }.into(),
                    by,
                    detail: f.message.en.clone(),
                    expires_at: failed.pair.expires_at,
                };
                self.ports.tokens.end_refresh(&self.key, &self.ports.owner, None, definite, &event).await?;
                Err(if definite { authorise(&self.name, &f) } else { f })
            }
        }
    }

    async fn token_call(
        &self,
        call: &TokenCall,
        which: &str,
        refresh: Option<&Secret>,
        old: &TokenRow,
        calls: &mut Vec<Call>,
    ) -> Result<TokenPair, Failure> {
        self.wait_for_budget().await?;
        let Some(form) = &self.manifest.token else {
            return Err(Failure::internal("HL-4005", text!("no token rule", "没有令牌规则")));
        };
        let base = self.context(Some(&old.pair.access), "", &[]);
        let ctx = context! { refresh_token => refresh.map(Secret::expose).unwrap_or(""), ..base };
        let mut fields = Vec::new();
        for (k, _) in &call.fields {
            fields.push((k.clone(), self.template(&format!("{which}/{k}"), &ctx)?));
        }
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        let body = self.form_body(fields, &mut headers)?;
        let wire =
            Wire { method: "POST".into(), url: format!("{}{}", self.base_url, call.path), headers, body };
        let mask = self.mask(Some(old));
        let reading = Reading::new(&self.manifest.reply, None, None, false);
        let mut captured = Vec::new();
        let result = self.exchange(CallKind::Token, &wire, &mask, &reading, &mut captured).await;
        let pick =
            |body: &[u8], p: &str| records::pick_text(body, &Path::with_slashes(p)).filter(|s| !s.is_empty());
        let result = result.and_then(|(reply, _)| {
            let access = pick(&reply.body, &form.reply.access).ok_or_else(|| {
                Failure::config(
                    "HL-4006",
                    text!("the token reply holds no access token", "令牌响应中没有访问令牌"),
                )
            })?;
            let fresh = form.reply.refresh.as_deref().and_then(|p| pick(&reply.body, p)).map(Secret::new);
            let seconds = form.reply.expires_in.as_deref().and_then(|p| pick(&reply.body, p));
            let now = self.ports.clock.now();
            Ok(TokenPair {
                access: Secret::new(access),
                refresh: fresh.or_else(|| refresh.cloned()),
                expires_at: seconds
                    .and_then(|s| s.parse::<i64>().ok())
                    .map(|s| now.plus_ms(s.saturating_mul(1000))),
            })
        });
        // The reply's own tokens are masked as well before anybody sees the call.
        let mut all = mask;
        if let Ok(pair) = &result {
            all.add(&pair.access);
            if let Some(r) = &pair.refresh {
                all.add(r);
            }
        }
        for mut c in captured {
            c.response_body = all.body(&c.response_body);
            calls.push(c);
        }
        result
    }

    /// The stored token state, for people.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn token_state(&self) -> Result<Option<TokenRow>, Failure> {
        if self.manifest.token.is_none() {
            return Ok(None);
        }
        self.current().await.map(Some)
    }

    /// Renews the token now.
    ///
    /// # Errors
    /// The platform refuses, or cannot be reached.
    pub async fn refresh_now(&self) -> Exchange<Option<TokenRow>> {
        let mut calls = Vec::new();
        if self.manifest.token.is_none() {
            return Exchange { calls, result: Ok(None) };
        }
        let result = match self.current().await {
            Ok(row) => self.renew(&row, &mut calls, "asked").await.map(Some),
            Err(f) => Err(f),
        };
        Exchange { calls, result }
    }

    /// How a request would look, secrets masked.
    pub(crate) fn preview(&self, ask: &Ask) -> Result<heliu_model::ports::Prepared, Failure> {
        let hidden = Secret::new("••••");
        let wire = self.encode(ask, Some(&hidden))?;
        let mask = self.mask(None);
        let body = String::from_utf8_lossy(&wire.body).into_owned();
        Ok(heliu_model::ports::Prepared {
            method: wire.method,
            url: mask.text(&wire.url),
            headers: wire.headers.iter().map(|(k, v)| (k.clone(), mask.text(v))).collect(),
            body: mask.text(&body),
        })
    }
}

fn refused(mut f: Failure) -> Failure {
    f.class = Class::Config;
    f.hint(text!(
        "check the credentials of the connector; `heliu token CONNECTOR` shows the token's state",
        "请检查连接器的凭证;`heliu token 连接器名` 可查看令牌状态"
    ))
}

fn authorise(name: &str, f: &Failure) -> Failure {
    let name = name.to_owned();
    let (en, zh) = (&f.message.en, &f.message.zh);
    Failure::config(
        "HL-4007",
        text!("the token of `{name}` cannot be renewed: {en}", "`{name}` 的令牌无法刷新:{zh}"),
    )
    .vendor(f.vendor_code.clone())
    .hint(text!(
        "authorise the application again on the platform, and put the new pair into connectors/{name}.toml",
        "请在平台上重新授权,并把新的令牌填入 connectors/{name}.toml"
    ))
}

fn nonce(now: Ts, jitter: f64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut n = (now.0 as u64) ^ ((jitter * 1e15) as u64);
    (0..6)
        .map(|_| {
            let c = LETTERS.get((n % LETTERS.len() as u64) as usize).copied().unwrap_or(b'A');
            n = n / LETTERS.len() as u64 + 7;
            char::from(c)
        })
        .collect()
}

/// Query parameters: lists repeat the name, objects are JSON text.
fn query_pairs(params: &Params) -> Vec<(String, String)> {
    let Params::Object(map) = params else { return Vec::new() };
    let mut out = Vec::new();
    for (k, v) in map.iter() {
        match v {
            Value::Array(items) => out.extend(items.iter().map(|i| (k.to_owned(), i.in_text()))),
            other => out.push((k.to_owned(), other.in_text())),
        }
    }
    out
}

impl Account {
    /// The platform's cheapest call; without one, the base address is asked.
    pub(crate) async fn test(&self, kind: CallKind) -> Exchange<heliu_model::Text> {
        let reading = Reading::new(&self.manifest.reply, None, None, false);
        let (method, path, params) = match &self.manifest.test {
            Some(t) => {
                let (path, _) = self.manifest.api(&t.api);
                ("POST".to_owned(), path, crate::registry::params_of(t))
            }
            None => ("GET".to_owned(), "/".to_owned(), Map::new()),
        };
        let ask = Ask { kind, method, path, params: Params::Object(params) };
        let exchange = self.ask(&ask, &reading).await;
        let result = match exchange.result {
            Ok(_) => Ok(text!(
                "the platform answered: address, signature and token are right",
                "平台已响应:地址、签名与令牌均正确"
            )),
            // Without a known test call, any answer shows that the address is right.
            Err(f)
                if self.manifest.test.is_none()
                    && matches!(f.code.as_str(), "HL-3032" | "HL-3010" | "HL-3012") =>
            {
                Ok(text!(
                    "the address answers; what it says at `/` is no JSON",
                    "地址可达;`/` 的响应不是 JSON"
                ))
            }
            Err(f) => Err(f),
        };
        Exchange { calls: exchange.calls, result }
    }
}
