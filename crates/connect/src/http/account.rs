//! One account on a platform: its credentials, tokens, budget; everything a call needs that is not the call.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError};

use bytes::Bytes;
use heliu_model::budget::Limits;
use heliu_model::call::Exchange;
use heliu_model::ports::{Budget, Clock, TokenPair, TokenRow, Tokens};
use heliu_model::{Call, CallKind, Class, ConnectorSpec, Failure, Problem, Secret, text};
use heliu_transform::{Map, Value};
use tokio::sync::{Mutex, Semaphore};

use super::client::{Client, Reply, Wire};
use super::decode::decode;
use super::encode::Setting;
use super::mask::Mask;
use super::outcome::{Reading, Told};
use super::pace::{Lines, Watch};
use super::token::refused;
use crate::manifest::{CredentialForm, Manifest, Route, fits};
use crate::skew::Skew;

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

/// Requests in flight where neither manifest nor connector say: with an answer after 50 ms, eight times as fast as one
/// by one needs more than eight.
const IN_FLIGHT: u32 = 16;

/// An account. Shared by all plans of a process that use the connector.
pub struct Account {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) ports: Ports,
    pub(crate) name: String,
    pub(super) base_url: String,
    /// The connector gives its own address.
    pub(super) own_base: bool,
    /// The connector sets limits of its own: those of interfaces are not added to them.
    pub(super) limited: bool,
    /// Values of all credentials, defaults among them.
    pub(super) values: Arc<BTreeMap<String, String>>,
    pub(super) limits: Limits,
    pub(super) key: String,
    pub(super) origin: String,
    pub(super) token: Mutex<Option<TokenRow>>,
    pub(super) addresses: Mutex<Option<Arc<BTreeMap<String, String>>>>,
    pub(super) skew: Skew,
    pub(super) gate: Arc<Semaphore>,
    /// Whoever waits for the budget waits in line.
    pub(super) lines: Arc<Lines>,
    pub(super) watch: Watch,
    masks: Masks,
}

/// What hides the account's secrets, kept from call to call: all the forms of a secret cost more to make than a request.
#[derive(Default)]
struct Masks {
    own: OnceLock<Arc<Mask>>,
    /// With the tokens of the last call.
    with: std::sync::Mutex<Option<(TokenPair, Arc<Mask>)>>,
}

/// A call as the platform's API has it, before encoding.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub kind: CallKind,
    pub method: String,
    /// Interface, path parameters filled in.
    pub path: String,
    /// What is sent unless the manifest has a shape for it.
    pub params: Params,
    /// The evaluated `request`, for shapes and templates.
    pub request: Value,
    /// The evaluated `otherRequest`, likewise.
    pub other: Value,
    /// Requests of the records of one write, likewise.
    pub rows: Vec<Value>,
    /// Name of the record key on the wire.
    pub key: String,
    /// A key of the record and its version.
    pub row: String,
    /// The plan on whose behalf it is asked, for its fair share; empty: nobody's, before all others.
    pub plan: Arc<str>,
    pub route: Arc<Route>,
}

impl Ask {
    pub fn new(kind: CallKind, method: &str, path: String, params: Map, route: Arc<Route>) -> Ask {
        Ask {
            kind,
            method: method.to_owned(),
            path,
            params: Params::Object(params),
            request: Value::Null,
            other: Value::Null,
            rows: Vec::new(),
            key: String::new(),
            row: String::new(),
            plan: Arc::default(),
            route,
        }
    }
}

/// Parameters of a call.
#[derive(Debug, Clone)]
pub(crate) enum Params {
    Object(Map),
    /// A body that is not an object (lists of some uploads).
    Any(Value),
}

/// What a connector names.
struct Named {
    values: BTreeMap<String, String>,
    base_url: String,
    limits: Limits,
    origin: String,
    key: String,
}

impl Named {
    fn new(manifest: &Manifest, spec: &ConnectorSpec) -> Named {
        let form = &manifest.form;
        let value = |c: &CredentialForm| c.of(spec).or_else(|| c.default.clone()).unwrap_or_default();
        let values: BTreeMap<String, String> =
            form.credentials.iter().map(|c| (c.name.clone(), value(c))).collect();
        let base_url = spec.base_url.clone().or_else(|| form.base_url.clone()).unwrap_or_default();
        let limits = Limits {
            requests_per_second: spec.limits.requests_per_second.or(manifest.limits.requests_per_second),
            requests_per_minute: spec.limits.requests_per_minute.or(manifest.limits.requests_per_minute),
            concurrency: spec.limits.concurrency.or(manifest.limits.concurrency),
        };
        let mut origin = blake3::Hasher::new();
        let mut paired = false;
        if let Some(t) = &form.token {
            for n in [t.access.as_ref(), t.refresh.as_ref()].into_iter().flatten() {
                let given = values.get(n).map_or("", String::as_str);
                paired |= !given.is_empty();
                origin.update(given.as_bytes()).update(&[0]);
            }
        }
        let origin = origin.finalize().to_hex().to_string();
        // The key names the account without telling any secret of it. One application serves several merchants:
        // what tells them apart is the pair they gave.
        let mut id = blake3::Hasher::new();
        for part in [manifest.name(), base_url.as_str()] {
            id.update(part.as_bytes()).update(&[0]);
        }
        for c in form.credentials.iter().filter(|c| c.identity) {
            id.update(values.get(&c.name).map_or("", String::as_str).as_bytes()).update(&[0]);
        }
        if paired {
            id.update(origin.as_bytes());
        }
        let key = format!("{}/{}", manifest.name(), id.finalize().to_hex().get(..16).unwrap_or(""));
        Named { values, base_url, limits, origin, key }
    }
}

/// A credential as budgets know it; nothing secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The key in the ledger.
    pub key: String,
    /// Its limits.
    pub limits: Limits,
    /// Interfaces with limits of their own, which are kept under the key and this name.
    pub interfaces: Vec<(String, Limits)>,
}

impl Credential {
    /// The credential that a connector names.
    ///
    /// # Errors
    /// What is missing in the connector.
    pub(crate) fn of(manifest: &Manifest, spec: &ConnectorSpec) -> Result<Credential, Vec<Problem>> {
        let problems = check(manifest, spec);
        if !problems.is_empty() {
            return Err(problems);
        }
        let named = Named::new(manifest, spec);
        let own = |f: &crate::manifest::LimitsForm| Limits {
            requests_per_second: f.requests_per_second,
            requests_per_minute: f.requests_per_minute,
            concurrency: None,
        };
        let apis = manifest.form.apis.iter().filter(|_| !spec.limits.timed());
        let interfaces = apis.map(|a| (a.path.clone(), own(&a.limits))).filter(|(_, l)| l.timed()).collect();
        Ok(Credential { key: named.key, limits: named.limits, interfaces })
    }
}

/// Settings that every connector may have.
pub(crate) const COMMON: &[&str] = &["ssl_ca", "proxy"];

impl Account {
    /// An account from a connector.
    ///
    /// # Errors
    /// Missing, unknown and impossible credentials, a missing address; all at once.
    pub fn new(manifest: Arc<Manifest>, spec: &ConnectorSpec, ports: Ports) -> Result<Account, Vec<Problem>> {
        let problems = check(&manifest, spec);
        if !problems.is_empty() {
            return Err(problems);
        }
        let Named { values, base_url, limits, origin, key } = Named::new(&manifest, spec);
        let gate = Arc::new(Semaphore::new(limits.concurrency.unwrap_or(IN_FLIGHT).max(1) as usize));
        Ok(Account {
            name: spec.name.clone(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            own_base: spec.base_url.is_some(),
            limited: spec.limits.timed(),
            values: Arc::new(values),
            limits,
            key,
            origin,
            token: Mutex::new(None),
            addresses: Mutex::new(None),
            skew: Skew::default(),
            gate,
            lines: Lines::new(ports.clock.clone()),
            watch: Watch::default(),
            masks: Masks::default(),
            manifest,
            ports,
        })
    }

    /// Requests that may be in flight.
    pub fn concurrency(&self) -> u32 {
        self.limits.concurrency.unwrap_or(IN_FLIGHT).max(1)
    }

    /// The account's key in the ledger.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The rules of an interface on this account.
    pub(crate) fn route(&self, name: &str) -> Arc<Route> {
        Arc::new(self.manifest.route(name, &self.values))
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// True when this account works with tokens.
    pub(super) fn has_token(&self) -> bool {
        self.manifest.token.as_ref().is_some_and(|t| fits(&t.form.when, &self.values))
    }

    pub(super) fn mask(&self, token: Option<&TokenRow>) -> Arc<Mask> {
        let own = self.masks.own.get_or_init(|| {
            let mut mask = Mask::default();
            let form = &self.manifest.form;
            mask.names(&form.secrets.fields, &form.secrets.headers);
            for c in form.credentials.iter().filter(|c| c.secret) {
                mask.add(&Secret::new(self.value(&c.name)));
            }
            Arc::new(mask)
        });
        let Some(TokenRow { pair, .. }) = token else { return own.clone() };
        let mut last = self.masks.with.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, mask)) = last.as_ref()
            && of == pair
        {
            return mask.clone();
        }
        let mut mask = Mask::clone(own);
        mask.add(&pair.access);
        if let Some(r) = &pair.refresh {
            mask.add(r);
        }
        let mask = Arc::new(mask);
        *last = Some((pair.clone(), mask.clone()));
        mask
    }

    /// Asks once: waits for the budget, attaches the token; a refused token is renewed once for all waiters and the
    /// call repeated once.
    pub(crate) async fn ask(&self, ask: &Ask, reading: &Reading) -> Exchange<(Reply, Told)> {
        let mut calls = Vec::new();
        let mut token = None;
        if ask.route.call.token && self.has_token() {
            match self.valid_token(&mut calls).await {
                Ok(row) => token = Some(row),
                Err(failure) => return Exchange { calls, result: Err(failure) },
            }
        }
        for round in 0..2 {
            let result = self.once(ask, token.as_ref(), reading, &mut calls).await;
            match result {
                Err(f) if f.class == Class::AuthExpired && !f.doubt => {
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
    ) -> Result<(Reply, Told), Failure> {
        let addresses = self.discovered(calls).await?;
        let pass = self.wait_for_budget(Some(ask)).await?;
        let set = Setting {
            call: &ask.route.call,
            token: token.map(|t| &t.pair.access),
            refresh: token.and_then(|t| t.pair.refresh.as_ref()),
            addresses: &addresses,
        };
        let wire = self.encode(ask, &set)?;
        let mask = self.mask(token);
        let begun = self.ports.clock.now();
        let mut result = self.exchange(ask.kind, &wire, &mask, reading, calls).await;
        self.heed(&mut result, begun, Some(ask)).await?;
        pass.over().await?;
        result
    }

    /// Sends and captures one exchange, and judges the reply.
    pub(super) async fn exchange(
        &self,
        kind: CallKind,
        wire: &Wire,
        mask: &Mask,
        reading: &Reading,
        calls: &mut Vec<Call>,
    ) -> Result<(Reply, Told), Failure> {
        let started = self.ports.clock.now();
        let from = self.ports.clock.monotonic_ms();
        let sent = self.ports.client.send(wire).await;
        let mut call = Call::new(kind, started, &wire.method, &mask.text(&wire.url));
        call.millis = u32::try_from(self.ports.clock.monotonic_ms().saturating_sub(from)).unwrap_or(u32::MAX);
        call.request_headers = wire.headers.iter().map(|(k, v)| (k.clone(), mask.header(k, v))).collect();
        call.request_body = mask.body(&wire.body);
        let headers =
            |reply: &Reply| reply.headers.iter().map(|(k, v)| (k.clone(), mask.header(k, v))).collect();
        let result = match sent {
            Ok(mut reply) => {
                decode(&mut reply, reading);
                self.skew.observe(reply.header("date"), started, self.ports.clock.now());
                call.status = Some(reply.status);
                call.response_headers = headers(&reply);
                call.response_body = mask.body(&reply.body);
                self.brake(&reply).await?;
                match reading.judge(&reply, self.ports.clock.now()) {
                    Ok(told) => Ok((reply, told)),
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
                    call.response_headers = headers(head);
                }
                let mut f = if no.sent { reading.lost(no.failure) } else { no.failure };
                f.message = heliu_model::Text { en: mask.text(&f.message.en), zh: mask.text(&f.message.zh) };
                Err(f)
            }
        };
        let result = result
            .map_err(|f| if f.place.is_empty() { f.at(format!("{} {}", call.method, call.url)) } else { f });
        if let Err(f) = &result {
            call.failure = Some(f.clone());
        }
        calls.push(call);
        result
    }
}

/// The captured body of the last call: the reply's own where nothing was masked, so that it is kept once.
pub(super) fn captured(calls: &[Call]) -> Option<&Bytes> {
    calls.last().map(|c| &c.response_body)
}

/// What is missing in a connector, as far as can be seen without a call.
pub(crate) fn check(manifest: &Manifest, spec: &ConnectorSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let form = &manifest.form;
    let given: BTreeMap<String, String> =
        form.credentials.iter().filter_map(|c| Some((c.name.clone(), c.of(spec)?))).collect();
    for c in &form.credentials {
        let (name, en, zh) = (&c.name, &c.title.en, &c.title.zh);
        let value = given.get(name);
        let wanted = c.required && !c.unless.iter().any(|u| given.contains_key(u));
        let chosen = !c.required_when.is_empty() && fits(&c.required_when, &given);
        if value.is_none() && (wanted || chosen) {
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
        if let Some(v) = value
            && !c.one_of.is_empty()
            && !c.one_of.contains(v)
        {
            let known = c.one_of.join(", ");
            problems.push(Problem::error(
                "HL-1032",
                spec.place(name),
                text!(
                    "`{name} = \"{v}\"` is not known; use {known}",
                    "未知的 `{name} = \"{v}\"`;可用 {known}"
                ),
            ));
        }
    }
    // A credential may itself be the address (robots).
    let has_address = spec.base_url.is_some() || form.base_url.is_some();
    if !has_address {
        problems.push(
            Problem::error("HL-1031", "base_url", text!("`base_url` is missing", "缺少 `base_url`")).hint(
                text!(
                    "give the address of the API, such as `https://api.example.com`",
                    "请填写接口地址,例如 `https://api.example.com`"
                ),
            ),
        );
    }
    problems
}
