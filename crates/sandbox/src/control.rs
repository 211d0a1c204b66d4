//! The control address `/_sandbox/…`: what a test of the program sees and moves from outside, as JSON.
//!
//! | Call | Does |
//! |---|---|
//! | `GET state` | platform's time, number of calls, credentials with the newest tokens |
//! | `GET log?since=N` | calls with a number above N |
//! | `GET truth?of=orders\|shops\|uploads\|saved\|messages` | the true rows by id, as served |
//! | `POST mutate` | a [`Mutation`], answers `{"id":…}` |
//! | `POST expire-token`, `POST revoke-refresh-token` | ends the life of tokens |
//! | `POST storm`, `POST collide` | `{"on":true}` or `{"on":false}` |
//! | `POST faults` | `{"list":"502@3,cut:0.1"}` replaces the fault list |
//! | `POST expect` | `{"path":…,"least":1,"most":3}` |
//! | `GET verify` | 200, or 409 with what did not come |
//!
//! It is served on the stand-in's own listener, is not logged and meets no faults.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::SandboxError;
use crate::faults::Faults;
use crate::jushuitan::Mutation;
use crate::log::Times;
use crate::server::{Shared, StandIn};
use crate::wire::{Answer, JSON};

#[derive(Deserialize)]
struct Switch {
    on: bool,
}

#[derive(Deserialize)]
struct List {
    list: String,
}

#[derive(Deserialize)]
struct Expected {
    path: String,
    #[serde(default = "one")]
    least: u64,
    #[serde(default = "any")]
    most: u64,
}

fn one() -> u64 {
    1
}

fn any() -> u64 {
    u64::MAX
}

/// Answers a control call.
pub(crate) fn answer(
    shared: &Shared,
    method: &str,
    command: &str,
    query: Option<&str>,
    body: &[u8],
) -> Answer {
    match perform(shared, method, command, query.unwrap_or_default(), body) {
        Ok(text) => Answer::json(text),
        Err(error) => {
            let status = match error.code {
                SandboxError::UNMET => 409,
                SandboxError::NO_CONTROL => 404,
                _ => 400,
            };
            let body = json!({"error": {"code": error.code, "en": error.text.en, "zh": error.text.zh}});
            Answer::new(status, JSON, body.to_string())
        }
    }
}

fn perform(
    shared: &Shared,
    method: &str,
    command: &str,
    query: &str,
    body: &[u8],
) -> Result<String, SandboxError> {
    let param = |name: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    };
    Ok(match (method, command) {
        ("GET", "state") => {
            let credentials = match &shared.stand_in {
                StandIn::Jushuitan(p) => json!(p.credentials()),
                StandIn::Bench(_) => Value::Null,
                StandIn::Other(o) => {
                    Value::Object(o.account().into_iter().map(|(k, v)| (k.to_owned(), json!(v))).collect())
                }
            };
            let calls = shared.log().total();
            json!({"now": shared.clock.now(), "calls": calls, "credentials": credentials}).to_string()
        }
        ("GET", "log") => {
            let since = param("since").and_then(|s| s.parse().ok()).unwrap_or(0);
            json!(shared.log().since(since)).to_string()
        }
        ("GET", "truth") if matches!(shared.stand_in, StandIn::Other(_)) => {
            let of = param("of").unwrap_or_default();
            match &shared.stand_in {
                StandIn::Other(o) => json!(o.truth(&of)).to_string(),
                _ => String::new(),
            }
        }
        ("GET", "truth") => match param("of").as_deref() {
            Some("shops") => joined(shared.platform()?.shops()),
            Some("uploads") => json!(shared.platform()?.uploads()).to_string(),
            _ => joined(shared.orders()),
        },
        ("POST", "mutate") => {
            let id = shared.platform()?.mutate(Mutation::parse(body)?)?;
            json!({ "id": id }).to_string()
        }
        ("POST", _) => {
            order(shared, command, body)?;
            json!({"done": true}).to_string()
        }
        ("GET", "verify") => {
            shared.verify()?;
            json!({"done": true}).to_string()
        }
        _ => return Err(no_such(method, command)),
    })
}

/// The calls that only change something.
fn order(shared: &Shared, command: &str, body: &[u8]) -> Result<(), SandboxError> {
    match command {
        "expire-token" => shared.expire_token()?,
        "revoke-refresh-token" => shared.revoke_refresh_token()?,
        "storm" => shared.storm(read::<Switch>(body)?.on)?,
        "collide" => shared.platform()?.collide(read::<Switch>(body)?.on),
        "faults" => shared.set_faults(&Faults::parse(&read::<List>(body)?.list)?)?,
        "expect" => {
            let expected = read::<Expected>(body)?;
            shared.log().expect(&expected.path, None, Times::from(expected.least..=expected.most));
        }
        _ => return Err(no_such("POST", command)),
    }
    Ok(())
}

fn no_such(method: &str, command: &str) -> SandboxError {
    SandboxError::new(
        SandboxError::NO_CONTROL,
        heliu_transform::text!(
            "there is no control call `{method} {command}`; there are GET state, log, truth, verify and POST mutate, expire-token, revoke-refresh-token, storm, collide, faults, expect",
            "没有控制调用 `{method} {command}`；可用的有 GET state、log、truth、verify，以及 POST mutate、expire-token、revoke-refresh-token、storm、collide、faults、expect"
        ),
    )
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, SandboxError> {
    serde_json::from_slice(body).map_err(|why| {
        SandboxError::new(
            SandboxError::BAD_CHANGE,
            heliu_transform::text!("cannot read the body: {why}", "无法识别请求正文：{why}"),
        )
    })
}

/// `{"id":row,…}` with the rows' own texts.
fn joined(rows: std::collections::BTreeMap<i64, String>) -> String {
    let mut out = String::from("{");
    for (id, row) in rows {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&format!("\"{id}\":{row}"));
    }
    out.push('}');
    out
}
