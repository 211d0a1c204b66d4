//! 企业微信: one token per application, approvals by cursor, two codes for the same ended token.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Common, OpenApi, Said, Seen, orders};
use crate::log::Verdict;
use crate::rng::Rng;

#[derive(Debug)]
pub(super) struct Wecom {
    common: Common,
    corp: String,
    secret: String,
    robot: String,
    rng: Rng,
    token: Option<(String, i64)>,
    approvals: Vec<(String, i64, Value)>,
    messages: Vec<Value>,
    refused: u32,
}

fn say(code: i64, words: &str) -> Said {
    Said::json(&json!({"errcode": code, "errmsg": words}))
}

impl Wecom {
    pub(super) fn new(common: &Common, _now: i64) -> Self {
        let mut rng = Rng::of(common.seed, 0x36, 0);
        let approvals = (0..common.records)
            .map(|i| {
                let id = format!("2026{i:08}");
                (id.clone(), orders::stamp(common, i), orders::approval(common, i, &id))
            })
            .collect();
        Wecom {
            corp: format!("ww{}", rng.hex32().get(..14).unwrap_or("")),
            secret: rng.hex32(),
            robot: rng.hex32(),
            token: None,
            approvals,
            messages: Vec::new(),
            refused: 0,
            rng,
            common: common.clone(),
        }
    }

    fn list(&self, seen: &Seen<'_>) -> Said {
        let body = seen.json();
        let number = |n: &str| body[n].as_i64().or_else(|| body[n].as_str().and_then(|s| s.parse().ok()));
        let bad = || {
            let words = "Warning: wrong json format. get approval param error:invalid starttime or endtime";
            Said::json(&json!({"errcode": 301_025, "errmsg": words, "sp_no_list": []}))
                .verdict(Verdict::Parameter)
        };
        let (Some(from), Some(to)) = (number("starttime"), number("endtime")) else { return bad() };
        if to - from > 31 * 86_400 || to > 100_000_000_000 {
            return bad();
        }
        let size = number("size").unwrap_or(100).clamp(1, 100) as usize;
        let at = match body["new_cursor"].as_str() {
            Some("") => 0,
            Some(c) => c.strip_prefix("c-").and_then(|n| n.parse::<usize>().ok()).unwrap_or(0),
            None => return bad(),
        };
        let found: Vec<&String> =
            self.approvals.iter().filter(|(_, t, _)| (from..=to).contains(t)).map(|(id, _, _)| id).collect();
        // Pages are shorter than asked for, the second one is empty; only the cursor tells the end.
        let (skip, take) = match at {
            0 => (0, size.div_ceil(2)),
            1 => (size.div_ceil(2), 0),
            n => (size.div_ceil(2) + (n - 2) * size, size),
        };
        let page: Vec<&&String> = found.iter().skip(skip).take(take).collect();
        let count = page.len();
        let mut out = json!({"errcode": 0, "errmsg": "ok", "sp_no_list": page});
        if skip + count < found.len() {
            out["new_next_cursor"] = json!(format!("c-{}", at + 1));
        }
        Said::json(&out).rows(count)
    }
}

impl OpenApi for Wecom {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        match seen.path {
            "/cgi-bin/gettoken" => {
                if seen.query("corpid") != self.corp || seen.query("corpsecret") != self.secret {
                    return say(40001, "invalid credential").verdict(Verdict::Signature);
                }
                let life = self.common.life.unwrap_or(7_200);
                let (token, end) = match self.token.clone().filter(|(_, end)| seen.now < *end) {
                    Some(alive) => alive,
                    None => (self.rng.hex32(), seen.now + life * 1000),
                };
                self.token = Some((token.clone(), end));
                return Said::json(&json!({"errcode": 0, "errmsg": "ok", "access_token": token,
                                          "expires_in": (end - seen.now) / 1000}));
            }
            "/cgi-bin/webhook/send" => {
                if seen.query("key") != self.robot {
                    return say(93000, "invalid webhook url").verdict(Verdict::Token);
                }
                self.messages.push(seen.json());
                return say(0, "ok").rows(1);
            }
            _ => {}
        }
        let token = seen.query("access_token");
        if token.is_empty() {
            return say(41001, "access_token missing").verdict(Verdict::Token);
        }
        if self.token.as_ref().is_none_or(|(t, end)| t != token || seen.now >= *end) {
            self.refused += 1;
            let said = if self.refused.is_multiple_of(2) {
                say(40014, "invalid access_token")
            } else {
                say(42001, "access_token expired")
            };
            return said.verdict(Verdict::Token);
        }
        match seen.path {
            "/cgi-bin/get_api_domain_ip" => Said::json(&json!({"errcode": 0, "errmsg": "ok", "ip_list": []})),
            "/cgi-bin/oa/getapprovalinfo" => self.list(seen),
            "/cgi-bin/oa/getapprovaldetail" => {
                let body = seen.json();
                let id = body["sp_no"].as_str().unwrap_or("").to_owned();
                match self.approvals.iter().find(|(i, _, _)| *i == id) {
                    Some((_, _, a)) => Said::json(&json!({"errcode": 0, "errmsg": "ok", "info": a})).rows(1),
                    None => say(301_025, "invalid sp_no").verdict(Verdict::Parameter),
                }
            }
            _ => say(40066, "invalid url").verdict(Verdict::NotServed),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        vec![("corp_id", self.corp.clone()), ("corp_secret", self.secret.clone())]
    }

    fn truth(&self, of: &str) -> BTreeMap<String, Value> {
        match of {
            "messages" => self.messages.iter().enumerate().map(|(i, m)| (i.to_string(), m.clone())).collect(),
            "robot" => {
                BTreeMap::from([("path".into(), json!(format!("/cgi-bin/webhook/send?key={}", self.robot)))])
            }
            _ => self.approvals.iter().map(|(id, _, a)| (id.clone(), a.clone())).collect(),
        }
    }

    fn expire_token(&mut self, _now: i64) {
        self.token = None;
    }

    fn error(&self, code: i64) -> Said {
        say(code, "system error")
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        seen.path == "/cgi-bin/gettoken"
    }

    fn throttled(&self) -> Said {
        let words = "api freq out of limit, hint: [1_2_sim], more info at https://open.work.weixin.qq.com/devtool/query?e=45009";
        say(45009, words).verdict(Verdict::RateMinute)
    }
}
