//! Stand-ins of the platforms beside 聚水潭: what they share. Each checks signatures and tokens with code of its own,
//! written from the platform's description and independent of the client side of this project.

mod dingtalk;
mod kingdee;
mod kuaimai;
mod okki;
mod orders;
mod qeasy;
mod seen;
mod wecom;
mod yonyou;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

pub(crate) use seen::Seen;

use crate::clock::Clock;
use crate::faults::{Armed, Fault, Faults};
use crate::log::{Entry, Verdict};
use crate::wire::{Answer, Delivery, HTML, JSON};

/// What a platform says to a call.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    status: u16,
    kind: &'static str,
    body: String,
    headers: Vec<(&'static str, String)>,
    verdict: Verdict,
    rows: usize,
}

impl Said {
    fn json(body: &Value) -> Said {
        Said {
            status: 200,
            kind: JSON,
            body: body.to_string(),
            headers: Vec::new(),
            verdict: Verdict::Served,
            rows: 0,
        }
    }

    fn text(body: &str) -> Said {
        Said { kind: "text/plain;charset=UTF-8", body: body.to_owned(), ..Said::json(&Value::Null) }
    }

    fn rows(mut self, rows: usize) -> Said {
        self.rows = rows;
        self
    }

    fn verdict(mut self, verdict: Verdict) -> Said {
        self.verdict = verdict;
        self
    }

    fn status(mut self, status: u16) -> Said {
        self.status = status;
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Said {
        self.headers.push((name, value.into()));
        self
    }
}

/// A platform behind the common faults.
pub(crate) trait OpenApi: Send + std::fmt::Debug {
    /// Answers a call.
    fn answer(&mut self, seen: &Seen<'_>) -> Said;
    /// Credentials as a connector file has them, the newest tokens among them.
    fn account(&self) -> Vec<(&'static str, String)>;
    /// Path behind the address that belongs to the connector's `base_url`.
    fn base(&self) -> &'static str {
        ""
    }
    /// What is true now, by id. `of` names the data set; empty: the main one.
    fn truth(&self, of: &str) -> BTreeMap<String, Value>;
    /// Ends the life of access tokens or sessions.
    fn expire_token(&mut self, now: i64);
    /// Ends the life of refresh tokens.
    fn revoke_refresh(&mut self, _now: i64) {}
    /// The platform's own error envelope with a code.
    fn error(&self, code: i64) -> Said;
    /// Paths (or method names) of token calls, which faults without a path spare.
    fn is_token_call(&self, seen: &Seen<'_>) -> bool;
    /// How a throttled call is answered.
    fn throttled(&self) -> Said {
        self.error(429).status(429).verdict(Verdict::RateSecond)
    }
}

/// Settings that all of them have.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) seed: u64,
    pub(crate) records: u32,
    /// Calls in a second and in a minute; 0: no limit.
    pub(crate) limits: (u32, u32),
    pub(crate) faults: Faults,
    pub(crate) slow: Duration,
    pub(crate) storm_length: u32,
    /// The last record's stamp.
    pub(crate) until: i64,
    pub(crate) spread: i64,
    /// Life of access tokens in seconds, where a test wants another one.
    pub(crate) life: Option<i64>,
}

#[derive(Debug)]
struct State {
    api: Box<dyn OpenApi>,
    armed: Armed,
    sent: Vec<i64>,
    storm_left: u32,
    storming: bool,
}

/// A stand-in with its faults.
#[derive(Debug)]
pub(crate) struct Other {
    common: Common,
    clock: Clock,
    state: Mutex<State>,
}

const INSTEAD: &[Fault] = &[
    Fault::Http500,
    Fault::Http502,
    Fault::Http503,
    Fault::Http429,
    Fault::Html,
    Fault::Empty,
    Fault::Error,
    Fault::Hang,
    Fault::ResetBefore,
];

impl Other {
    pub(crate) fn new(name: &str, common: Common, clock: Clock) -> Other {
        let api: Box<dyn OpenApi> = match name {
            "kuaimai" => Box::new(kuaimai::Kuaimai::new(&common, clock.millis())),
            "okki" => Box::new(okki::Okki::new(&common, clock.millis())),
            "kingdee" => Box::new(kingdee::Kingdee::new(&common, clock.millis())),
            "yonyou" => Box::new(yonyou::Yonyou::new(&common, clock.millis())),
            "dingtalk" => Box::new(dingtalk::Dingtalk::new(&common, clock.millis())),
            "wecom" => Box::new(wecom::Wecom::new(&common, clock.millis())),
            _ => Box::new(qeasy::Qeasy::new(&common, clock.millis())),
        };
        let armed = Armed::new(&common.faults, common.seed);
        let state = State { api, armed, sent: Vec::new(), storm_left: 0, storming: false };
        Other { common, clock, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn account(&self) -> Vec<(&'static str, String)> {
        self.state().api.account()
    }

    pub(crate) fn base(&self) -> &'static str {
        self.state().api.base()
    }

    pub(crate) fn truth(&self, of: &str) -> BTreeMap<String, Value> {
        self.state().api.truth(of)
    }

    pub(crate) fn expire_token(&self) {
        let now = self.clock.millis();
        self.state().api.expire_token(now);
    }

    pub(crate) fn revoke_refresh(&self) {
        let now = self.clock.millis();
        self.state().api.revoke_refresh(now);
    }

    pub(crate) fn storm(&self, on: bool) {
        self.state().storming = on;
    }

    pub(crate) fn set_faults(&self, faults: &Faults) {
        let seed = self.common.seed;
        self.state().armed = Armed::new(faults, seed);
    }

    /// Answers a call and says what the log shall hold.
    pub(crate) fn answer(&self, mut seen: Seen<'_>) -> (Answer, Entry) {
        let mut entry = Entry::new(self.clock.now(), seen.method, seen.path);
        let mut state = self.state();
        let state = &mut *state;
        let now = self.clock.millis();
        seen.now = now;
        entry.params = seen.all();
        let name = |e: &mut Entry, f: Fault| e.fault = Some(f.name());
        // Token calls are hit only where the list names their path.
        let path = if state.api.is_token_call(&seen) {
            format!("/openWeb/{}", seen.path)
        } else {
            seen.path.to_owned()
        };
        if state.armed.strikes(&path, Fault::TokenExpiry) {
            state.api.expire_token(now);
            name(&mut entry, Fault::TokenExpiry);
        }
        if state.armed.strikes(&path, Fault::Storm) {
            state.storm_left = self.common.storm_length;
        }
        let instead = state.armed.strike(&path, |f| INSTEAD.contains(&f) || matches!(f, Fault::Code(_)));
        let after = state
            .armed
            .strike(&path, |f| matches!(f, Fault::Http504 | Fault::Slow | Fault::ResetAfter | Fault::Cut));
        let gzip = state.armed.strikes(&path, Fault::Gzip) && seen.accepts_gzip;
        let plain = state.armed.strikes(&path, Fault::Plain);
        if let Some(fault) = instead {
            name(&mut entry, fault);
            entry.verdict = Verdict::Fault;
            return (self.instead(fault, state.api.as_ref(), &mut entry), entry);
        }
        let said = match self.pace(&mut state.sent, now) {
            _ if state.storming || state.storm_left > 0 => {
                state.storm_left = state.storm_left.saturating_sub(1);
                state.api.throttled()
            }
            true => state.api.throttled(),
            false => state.api.answer(&seen),
        };
        entry.verdict = said.verdict;
        entry.http = said.status;
        entry.rows = said.rows;
        let mut answer =
            Answer::new(said.status, if plain { "text/plain" } else { said.kind }, Bytes::from(said.body));
        answer.headers = said.headers;
        answer.is_gzip = gzip;
        if let Some(fault) = after {
            name(&mut entry, fault);
            match fault {
                Fault::Slow => answer.delivery = Delivery::Late(self.common.slow),
                Fault::ResetAfter => (answer.delivery, entry.http) = (Delivery::Reset, 0),
                Fault::Cut => answer.delivery = Delivery::Cut,
                _ => {
                    answer = Answer::new(504, HTML, "<html><body>504 Gateway Time-out</body></html>");
                    entry.http = 504;
                }
            }
        }
        (answer, entry)
    }

    /// Counts the call; true when it is one too many.
    fn pace(&self, sent: &mut Vec<i64>, now: i64) -> bool {
        sent.push(now);
        sent.retain(|t| now - t < 60_000);
        let (second, minute) = self.common.limits;
        let recent = sent.iter().filter(|t| now - **t < 1_000).count();
        (second > 0 && recent > second as usize) || (minute > 0 && sent.len() > minute as usize)
    }

    fn instead(&self, fault: Fault, api: &dyn OpenApi, entry: &mut Entry) -> Answer {
        let page = |status: u16| Answer::new(status, HTML, format!("<html><body>{status}</body></html>"));
        let envelope = |code: i64, status: u16| {
            let said = api.error(code);
            Answer::new(status, said.kind, Bytes::from(said.body))
        };
        let mut answer = match fault {
            Fault::Http500 => envelope(-1, 500),
            Fault::Http502 => page(502),
            Fault::Http503 => page(503),
            Fault::Http429 => page(429),
            Fault::Html => page(200),
            Fault::Empty => Answer::json(Bytes::new()),
            Fault::Code(code) => envelope(code, 200),
            _ => envelope(-1, 200),
        };
        match fault {
            Fault::Http503 | Fault::Http429 => answer.retry_after = Some(1),
            Fault::Hang => answer.delivery = Delivery::Never,
            Fault::ResetBefore => answer.delivery = Delivery::Reset,
            _ => {}
        }
        entry.http = if matches!(fault, Fault::Hang | Fault::ResetBefore) { 0 } else { answer.status };
        answer
    }
}
