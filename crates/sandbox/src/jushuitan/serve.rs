//! One call from the checks to the answer.

use std::net::IpAddr;

use bytes::Bytes;
use serde_json::{Value, json};

use super::biz::Biz;
use super::check::{self, Check, Refusal, words};
use super::form::{Form, is_signed};
use super::query::{After, Habits, NEXT_STYLES};
use super::token::{Granted, TokenMode};
use super::{Jushuitan, State};
use crate::faults::Fault;
use crate::log::{Entry, Verdict};
use crate::wire::{Answer, Delivery, HTML, JSON};
use crate::write::text;

/// A call as it came in.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) accepts_gzip: bool,
    pub(crate) body: &'a Bytes,
    pub(crate) peer: IpAddr,
}

/// A served call: the `data` part and the number of rows in it.
struct Served {
    data: Vec<u8>,
    rows: usize,
}

/// Faults that a call meets.
struct Omen {
    /// In place of the answer, before any effect.
    instead: Option<Fault>,
    /// To the answer, after the effect.
    after: Option<Fault>,
    is_gzip: bool,
    is_plain: bool,
}

const UPLOAD: &str = "/open/jushuitan/orders/upload";
const PATHS: [&str; 10] = [
    "/openWeb/auth/getInitToken",
    "/openWeb/auth/accessToken",
    "/openWeb/auth/refreshToken",
    "/open/shops/query",
    "/open/orders/out/simple/query",
    "/open/orders/single/query",
    "/open/inventory/query",
    "/open/wms/partner/query",
    "/open/sku/query",
    UPLOAD,
];

impl Jushuitan {
    /// Answers a call and says what the log shall hold.
    pub(crate) fn answer(&self, call: &Call<'_>) -> (Answer, Entry) {
        let mut entry = Entry::new(self.clock.now(), call.method, call.path);
        if !PATHS.contains(&call.path) {
            let refusal =
                Refusal::new(Verdict::NotServed, 404, format!("接口不存在：{}", call.path)).http(404);
            return (refuse(&refusal, &mut entry, 0), entry);
        }
        let form = Form::decode(call.body);
        entry.params = form.as_ref().map(|f| f.0.clone()).unwrap_or_default();
        let omen = {
            let mut state = self.state();
            if form.as_ref().and_then(|f| f.get("app_key")) == Some(&self.options.credentials.app_key) {
                state.rate.note(self.clock.millis());
            }
            self.strike(&mut state, call.path, &mut entry)
        };
        if let Some(fault) = omen.instead {
            name(&mut entry, fault);
            return (instead(fault, &mut entry), entry);
        }
        let served = match form {
            Some(form) => self.serve(call, &form, &mut entry),
            None => Err(Refusal::new(Verdict::ContentType, 130, words(130)).http(400)),
        };
        let mut state = self.state();
        state.answered += 1;
        let request = state.answered;
        let mut answer = match served {
            Err(refusal) => refuse(&refusal, &mut entry, request),
            Ok(served) => {
                (entry.code, entry.rows) = (Some(0), served.rows);
                Answer::json(envelope(&served.data, request))
            }
        };
        drop(state);
        self.fulfil(&omen, call, &mut answer, &mut entry);
        (answer, entry)
    }

    /// What will go wrong with the call that just arrived; tokens expire and storms begin at once.
    fn strike(&self, state: &mut State, path: &str, entry: &mut Entry) -> Omen {
        if state.armed.strikes(path, Fault::TokenExpiry) {
            state.tokens.expire_access(self.clock.millis());
            name(entry, Fault::TokenExpiry);
        }
        if state.armed.strikes(path, Fault::Storm) {
            state.storm_left = self.options.storm_length;
            name(entry, Fault::Storm);
        }
        // All are counted when the call arrives, so that `@3` means the third call whatever the others do.
        Omen {
            instead: state.armed.strike(path, |f| {
                matches!(
                    f,
                    Fault::Http500
                        | Fault::Http502
                        | Fault::Http503
                        | Fault::Http429
                        | Fault::Html
                        | Fault::Empty
                        | Fault::Error
                        | Fault::Code(_)
                        | Fault::Hang
                        | Fault::ResetBefore
                )
            }),
            after: state
                .armed
                .strike(path, |f| matches!(f, Fault::Http504 | Fault::Slow | Fault::ResetAfter | Fault::Cut)),
            is_gzip: state.armed.strikes(path, Fault::Gzip),
            is_plain: state.armed.strikes(path, Fault::Plain),
        }
    }

    fn serve(&self, call: &Call<'_>, form: &Form, entry: &mut Entry) -> Result<Served, Refusal> {
        if call.method != "POST" {
            return Err(Refusal::new(Verdict::Method, 130, "请使用POST").http(405));
        }
        if !call.content_type.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::new(Verdict::ContentType, 130, "Content-Type错误").http(415));
        }
        if let Some(grant) = call.path.strip_prefix("/openWeb/auth/") {
            return self.grant(grant, form);
        }
        let mut state = self.state();
        for step in &self.options.order {
            self.check(*step, call, form, &mut state)?;
        }
        let now = self.clock.seconds();
        let biz = form.get("biz").unwrap_or_default();
        if call.path == UPLOAD {
            let (data, rows) = self.uploaded().take(biz, now)?;
            return Ok(Served { data: data.to_string().into_bytes(), rows });
        }
        let habits = Habits {
            is_strict: state.armed.is_mode(Fault::Strict),
            is_stuck: state.armed.is_mode(Fault::StuckNext),
        };
        // Pages are written without the lock, so that connections do not wait for each other.
        drop(state);
        let biz = Biz::parse(biz)?;
        let found = {
            let data = self.data();
            self.query(call.path, &biz, &data, habits)
        };
        let (mut page, after) =
            found.unwrap_or_else(|| Err(Refusal::new(Verdict::NotServed, 404, "接口不存在")))?;
        let mut state = self.state();
        let (is_first, was_last) = (page.asked.index == 1 && page.has_next, !page.has_next);
        for fault in page.distort(&mut state.armed, call.path) {
            name(entry, fault);
        }
        let style = NEXT_STYLES.into_iter().find(|f| state.armed.strikes(call.path, *f));
        if let Some(fault) = style {
            name(entry, fault);
        }
        if is_first && !after.rows.is_empty() && state.armed.strikes(call.path, Fault::Shift) {
            name(entry, Fault::Shift);
            self.shift(&after, now);
        }
        if was_last && after.window.is_some() && state.armed.strikes(call.path, Fault::Late) {
            name(entry, Fault::Late);
            self.come_late(&after, now);
        }
        drop(state);
        Ok(Served { rows: page.count(), data: page.write(style) })
    }

    /// Someone changes a row of the page that was just read.
    fn shift(&self, after: &After, now: i64) {
        if let Some(index) = after.rows.get(after.rows.len() / 2) {
            let _ = self.data_mut().orders.touch(*index, now);
        }
    }

    /// A row is committed whose stamp lies inside the window that was just read to its end.
    fn come_late(&self, after: &After, now: i64) {
        let Some((begin, end)) = after.window else { return };
        let stamp = (end.min(now) - 300).max(begin);
        let status = after.status.clone().unwrap_or_else(|| "Confirmed".to_owned());
        let fields = serde_json::Map::from_iter([("status".to_owned(), Value::String(status))]);
        self.data_mut().orders.insert(fields, stamp);
    }

    fn check(&self, step: Check, call: &Call<'_>, form: &Form, state: &mut State) -> Result<(), Refusal> {
        let now = self.clock.millis();
        match step {
            Check::Fields => {
                require(form, &["app_key", "access_token", "timestamp", "charset", "version", "biz", "sign"])
            }
            Check::Timestamp => check::timestamp(form.get("timestamp"), now / 1000),
            Check::Signature => self.check_signature(form),
            Check::Token => {
                let token = form.get("access_token").unwrap_or_default();
                if state.tokens.is_valid(token, now) { Ok(()) } else { Err(Refusal::token()) }
            }
            Check::Address => {
                let list = &self.options.addresses;
                if list.is_empty() || list.contains(&call.peer) {
                    return Ok(());
                }
                let words = format!(
                    "验证失败！已设置IP白名单，该IP不在白名单列表：{}，请登录开发者后台自行添加IP",
                    call.peer
                );
                Err(Refusal::new(Verdict::Address, 110, words))
            }
            Check::Permission if self.options.denied.contains(call.path) => {
                Err(Refusal::new(Verdict::Permission, 190, words(190)))
            }
            Check::Permission => Ok(()),
            Check::Rate => {
                if state.is_storming || state.storm_left > 0 {
                    state.storm_left = state.storm_left.saturating_sub(1);
                    return Err(Refusal::new(Verdict::RateSecond, 199, words(199)));
                }
                state.rate.judge(now, self.options.per_second, self.options.per_minute)
            }
        }
    }

    fn check_signature(&self, form: &Form) -> Result<(), Refusal> {
        let app = &self.options.credentials;
        let is_ours = form.get("app_key") == Some(&app.app_key);
        if is_ours && is_signed(&app.app_secret, form, self.options.is_sign_lenient) {
            return Ok(());
        }
        Err(Refusal::new(Verdict::Signature, 10, words(10)))
    }

    /// The three token calls.
    fn grant(&self, which: &str, form: &Form) -> Result<Served, Refusal> {
        let own: &[&str] = match which {
            "refreshToken" => &["refresh_token", "scope"],
            _ => &["code"],
        };
        require(form, &["app_key", "timestamp", "charset", "grant_type", "sign"])?;
        require(form, own)?;
        let now = self.clock.millis();
        check::timestamp(form.get("timestamp"), now / 1000)?;
        self.check_signature(form)?;
        let wanted = if which == "refreshToken" { "refresh_token" } else { "authorization_code" };
        if form.get("grant_type") != Some(wanted) {
            return Err(Refusal::parameter("grant_type"));
        }
        let code = form.get("code").unwrap_or_default();
        let mut state = self.state();
        let is_isv = self.options.tokens.mode == TokenMode::Isv;
        let granted = match which {
            "refreshToken" if is_isv => return Err(Refusal::new(Verdict::Token, 150, words(150))),
            "refreshToken" => {
                let refresh = form.get("refresh_token").unwrap_or_default();
                state.tokens.refresh(refresh, now).ok_or_else(Refusal::token)?
            }
            "getInitToken" if is_isv => return Err(Refusal::new(Verdict::Permission, 190, words(190))),
            "getInitToken" if code.chars().count() != 6 => return Err(Refusal::parameter("code")),
            "accessToken" if code != self.options.auth_code => return Err(Refusal::parameter("code")),
            _ => state.tokens.grant(now),
        };
        Ok(Served { data: token_data(&granted), rows: 0 })
    }

    /// Faults that come once the call has had its effect.
    fn fulfil(&self, omen: &Omen, call: &Call<'_>, answer: &mut Answer, entry: &mut Entry) {
        if omen.is_gzip && call.accepts_gzip {
            answer.is_gzip = true;
            name(entry, Fault::Gzip);
        }
        if omen.is_plain {
            answer.content_type = "text/plain";
            name(entry, Fault::Plain);
        }
        let Some(fault) = omen.after else { return };
        name(entry, fault);
        match fault {
            Fault::Slow => answer.delivery = Delivery::Late(self.options.slow),
            Fault::Cut => answer.delivery = Delivery::Cut,
            Fault::ResetAfter => {
                answer.delivery = Delivery::Reset;
                entry.http = 0;
            }
            _ => {
                *answer = Answer::new(504, HTML, gateway_page("504 Gateway Time-out"));
                entry.http = 504;
            }
        }
    }
}

fn require(form: &Form, fields: &[&str]) -> Result<(), Refusal> {
    match fields.iter().find(|f| form.get(f).is_none()) {
        None => Ok(()),
        Some(missing) => Err(Refusal::new(Verdict::Missing, 130, format!("缺少必填参数：{missing}"))),
    }
}

fn token_data(granted: &Granted) -> Vec<u8> {
    let mut data = json!({"access_token": granted.access, "expires_in": granted.expires_in});
    if let Some(refresh) = &granted.refresh {
        data["refresh_token"] = refresh.as_str().into();
    }
    data["scope"] = "all".into();
    data.to_string().into_bytes()
}

fn envelope(data: &[u8], request: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 96);
    text(&mut out, r#"{"code":0,"msg":"执行成功","data":"#);
    out.extend_from_slice(data);
    text(&mut out, &format!(r#","requestId":"{request:016x}"}}"#));
    out
}

fn refuse(refusal: &Refusal, entry: &mut Entry, request: u64) -> Answer {
    entry.verdict = refusal.verdict;
    entry.code = Some(refusal.code);
    entry.http = refusal.http;
    let body = json!({"code": refusal.code, "msg": refusal.words, "requestId": format!("{request:016x}")});
    Answer::new(refusal.http, JSON, body.to_string())
}

fn gateway_page(title: &str) -> String {
    format!(
        "<html>\n<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>\n</html>\n"
    )
}

/// The answer of a fault that takes the place of the call.
fn instead(fault: Fault, entry: &mut Entry) -> Answer {
    entry.verdict = Verdict::Fault;
    let mut answer = match fault {
        Fault::Http500 => {
            Answer::new(500, JSON, json!({"code": 500, "msg": "服务器内部错误", "data": null}).to_string())
        }
        Fault::Http502 => Answer::new(502, HTML, gateway_page("502 Bad Gateway")),
        Fault::Http503 => Answer::new(503, HTML, gateway_page("503 Service Unavailable")),
        Fault::Http429 => Answer::new(429, JSON, json!({"code": 429, "msg": "请求过于频繁"}).to_string()),
        Fault::Html => Answer::new(200, HTML, gateway_page("系统维护中")),
        Fault::Error => Answer::json(json!({"code": -1, "msg": words(-1)}).to_string()),
        Fault::Code(code) => Answer::json(json!({"code": code, "msg": words(code)}).to_string()),
        _ => Answer::json(""),
    };
    match fault {
        Fault::Http503 | Fault::Http429 => answer.retry_after = Some(1),
        Fault::Hang => answer.delivery = Delivery::Never,
        Fault::ResetBefore => answer.delivery = Delivery::Reset,
        Fault::Error => entry.code = Some(-1),
        Fault::Code(code) => entry.code = Some(code),
        _ => {}
    }
    let is_silent = matches!(answer.delivery, Delivery::Never | Delivery::Reset);
    entry.http = if is_silent { 0 } else { answer.status };
    answer
}

fn name(entry: &mut Entry, fault: Fault) {
    let name = fault.name();
    entry.fault = Some(match entry.fault.take() {
        None => name,
        Some(before) => format!("{before},{name}"),
    });
}
