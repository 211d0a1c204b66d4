//! Tokens of an account: kept, renewed once for all waiters, recovered after a crash (interface §3.3).

use base64::Engine as _;
use heliu_model::call::Exchange;
use heliu_model::ports::{RefreshStart, TokenEvent, TokenPair, TokenRow};
use heliu_model::{Call, CallKind, Class, Failure, Secret, Ts, text};
use heliu_transform::{Map, Path, records};

use super::account::{Account, Ask};
use super::client::Reply;
use super::encode::{SESSION, Setting};
use super::mask::Mask;
use super::outcome::{Reading, Told};
use crate::manifest::{Call as CallRule, TokenForm};

/// A refresh of another process that has not ended after this long (ms) counts as broken.
const STALE_MS: u64 = 60_000;
/// How long to wait (ms) for another process's refresh.
const WAIT_MS: u64 = 30_000;
/// Why a token is renewed: a person wants it.
const ASKED: &str = "asked";

impl Account {
    /// The stored pair, adopted from the connector file where that was edited, renewed ahead of its end.
    pub(super) async fn valid_token(&self, calls: &mut Vec<Call>) -> Result<TokenRow, Failure> {
        let row = self.current().await?;
        let Some(token) = &self.manifest.token else { return Ok(row) };
        let now = self.ports.clock.now();
        let margin = token.form.margin_seconds.saturating_mul(1000);
        let ending = row.pair.expires_at.is_some_and(|t| {
            // Never more than a tenth of the validity: short-lived tokens would be renewed on every call.
            let life = t.0 - row.stored_at.0;
            now.plus_ms(margin.min(life / 10)) >= t
        });
        let empty = row.pair.access.is_empty();
        let can = token.renew.is_some() || token.first.is_some();
        if (ending || empty) && can && !row.needs_authorisation {
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
                let form = self.manifest.token.as_ref().map(|t| &t.form);
                let secret =
                    |n: Option<&String>| n.map(|n| Secret::new(self.value(n))).filter(|s| !s.is_empty());
                let access = secret(form.and_then(|t| t.access.as_ref())).unwrap_or_default();
                let refresh = secret(form.and_then(|t| t.refresh.as_ref()));
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
            // What the platform has refused once it is not asked again, unless a person wants it.
            let refused = self.ports.tokens.load(&self.key).await?.is_some_and(|row| {
                row.needs_authorisation && row.generation <= failed.generation && why != ASKED
            });
            if refused {
                let before = text!("the platform has refused to renew it before", "平台此前已拒绝刷新");
                return Err(authorise(&self.name, &Failure::config("HL-4007", before)));
            }
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
        let Some(token) = &self.manifest.token else { return Ok(failed.clone()) };
        let refresh = failed.pair.refresh.clone().filter(|r| !r.is_empty());
        let mut result = match (&token.renew, &refresh) {
            (Some(call), Some(r)) => self.token_call(call, Some(r), failed, calls).await,
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
            && let Some(call) = &token.first
            && (refresh.is_none() || failed.pair.access.is_empty() || token.form.start_again)
        {
            result = self.token_call(call, None, failed, calls).await;
        }
        let now = self.ports.clock.now();
        let by = self.ports.owner.clone();
        match result {
            Ok((pair, told)) => {
                let event = TokenEvent {
                    at: now,
                    event: match told {
                        Told::StillValid => "still_valid",
                        Told::Fine if broken => "recovered",
                        Told::Fine => "refreshed",
                    }
                    .into(),
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
        call: &CallRule,
        refresh: Option<&Secret>,
        old: &TokenRow,
        calls: &mut Vec<Call>,
    ) -> Result<(TokenPair, Told), Failure> {
        let addresses = self.discovered(calls).await?;
        let pass = self.wait_for_budget(None).await?;
        let Some(token) = &self.manifest.token else {
            return Err(Failure::internal("HL-4005", text!("no token rule", "没有令牌规则")));
        };
        let set = Setting { call, token: Some(&old.pair.access), refresh, addresses: &addresses };
        let ask = Ask::new(CallKind::Token, "POST", String::new(), Map::new(), self.route(""));
        let wire = self.encode(&ask, &set)?;
        let mask = self.mask(Some(old));
        let reading = Reading::new(&self.manifest.form.reply, None, None, false, self.manifest.timezone);
        let mut captured = Vec::new();
        crate::point("token/call/before");
        let begun = self.ports.clock.now();
        let mut result = self.exchange(CallKind::Token, &wire, &mask, &reading, &mut captured).await;
        crate::point("token/call/after");
        self.heed(&mut result, begun, None).await?;
        pass.over().await?;
        let result = result.and_then(|(reply, told)| {
            Ok((self.pair_of(&token.form, &reply, told, &old.pair, refresh)?, told))
        });
        // The reply's own tokens are masked as well before anybody sees the call.
        let mut all = Mask::clone(&mask);
        if let Ok((pair, _)) = &result {
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

    /// The pair that a token reply gives.
    fn pair_of(
        &self,
        form: &TokenForm,
        reply: &Reply,
        told: Told,
        old: &TokenPair,
        refresh: Option<&Secret>,
    ) -> Result<TokenPair, Failure> {
        let pick = |places: &[String]| {
            places.iter().find_map(|p| {
                records::pick_text(&reply.body, &Path::with_slashes(p)).filter(|s| !s.is_empty())
            })
        };
        let now = self.ports.clock.now();
        let life = |seconds: i64| now.plus_ms(seconds.saturating_mul(1000));
        if told == Told::StillValid {
            return Ok(TokenPair { expires_at: old.expires_at.filter(|t| *t > now), ..old.clone() });
        }
        let access = match pick(&form.reply.access) {
            Some(a) => a,
            None if form.reply.may_keep && !old.access.is_empty() => old.access.expose().to_owned(),
            None => {
                return Err(Failure::config(
                    "HL-4006",
                    text!("the token reply holds no access token", "令牌响应中没有访问令牌"),
                ));
            }
        };
        let fresh = pick(&form.reply.refresh).map(Secret::new);
        let expires_at = pick(&form.reply.expires_in)
            .and_then(|s| s.parse::<i64>().ok())
            .map(life)
            .or_else(|| if form.reply.jwt { jwt_end(&access) } else { None })
            .or_else(|| form.life_seconds.map(life));
        let access = if form.reply.cookies { format!("{access}{SESSION}{}", cookies(reply)) } else { access };
        Ok(TokenPair {
            access: Secret::new(access),
            refresh: fresh.or_else(|| refresh.cloned()).or_else(|| old.refresh.clone()),
            expires_at,
        })
    }

    /// Keeps the tokens of a reply that a plan asked for by itself.
    pub(super) async fn keep_reply(
        &self,
        reply: &Reply,
        told: Told,
        calls: &mut [Call],
    ) -> Result<(), Failure> {
        let Some(token) = &self.manifest.token else { return Ok(()) };
        let row = self.current().await?;
        let refresh = row.pair.refresh.clone();
        let pair = self.pair_of(&token.form, reply, told, &row.pair, refresh.as_ref())?;
        let mut mask = Mask::clone(&self.mask(Some(&row)));
        mask.add(&pair.access);
        if let Some(r) = &pair.refresh {
            mask.add(r);
        }
        for call in calls.iter_mut() {
            call.response_body = mask.body(&call.response_body);
        }
        let now = self.ports.clock.now();
        let by = &self.ports.owner;
        let start = self.ports.tokens.begin_refresh(&self.key, row.generation, by, now, STALE_MS).await?;
        if let RefreshStart::Yours { .. } = start {
            let event = TokenEvent {
                at: now,
                event: if told == Told::StillValid { "still_valid" } else { "refreshed" }.into(),
                by: by.clone(),
                detail: "plan".into(),
                expires_at: pair.expires_at,
            };
            self.ports.tokens.end_refresh(&self.key, by, Some(&pair), false, &event).await?;
        }
        Ok(())
    }

    /// The stored token state, for people.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn token_state(&self) -> Result<Option<TokenRow>, Failure> {
        if !self.has_token() {
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
        if !self.has_token() {
            return Exchange { calls, result: Ok(None) };
        }
        let result = match self.current().await {
            Ok(row) => self.renew(&row, &mut calls, ASKED).await.map(Some),
            Err(f) => Err(f),
        };
        Exchange { calls, result }
    }
}

/// A token that a fresh one could not replace.
pub(super) fn refused(mut f: Failure) -> Failure {
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
    .at(format!("connectors/{name}.toml"))
    .hint(text!(
        "authorise the application again on the platform, and put the new pair into connectors/{name}.toml; `heliu token {name} --refresh` asks once more",
        "请在平台上重新授权,并把新的令牌填入 connectors/{name}.toml;`heliu token {name} --refresh` 会再试一次"
    ))
}

/// The end that a JWT names.
fn jwt_end(token: &str) -> Option<Ts> {
    let part = token.split('.').nth(1)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    let end = records::pick_text(&claims, &Path::new("exp"))?;
    let seconds = end.split('.').next()?.parse::<i64>().ok()?;
    Some(Ts::from_secs(seconds))
}

/// The cookies that a reply sets, as a request carries them.
fn cookies(reply: &Reply) -> String {
    reply
        .headers
        .iter()
        .filter(|(k, _)| k.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_, v)| v.split(';').next())
        .map(str::trim)
        .filter(|c| c.split_once('=').is_some_and(|(_, v)| !v.is_empty()))
        .collect::<Vec<_>>()
        .join("; ")
}
