//! 钉钉: both generations side by side, approvals with details, robots.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Common, OpenApi, Said, Seen, orders};
use crate::log::Verdict;
use crate::rng::Rng;

#[derive(Debug)]
pub(super) struct Dingtalk {
    common: Common,
    key: String,
    secret: String,
    robot: String,
    robot_secret: String,
    rng: Rng,
    token: Option<(String, i64)>,
    approvals: Vec<(String, i64, Value)>,
    messages: Vec<Value>,
}

fn old(code: i64, words: &str) -> Said {
    Said::json(&json!({"errcode": code, "errmsg": words}))
}

fn new(status: u16, code: &str, words: &str) -> Said {
    Said::json(&json!({"code": code, "requestid": "r-1", "message": words})).status(status)
}

impl Dingtalk {
    pub(super) fn new(common: &Common, _now: i64) -> Self {
        let mut rng = Rng::of(common.seed, 0x35, 0);
        let (key, secret, robot) = (rng.hex32(), rng.hex32(), rng.hex32());
        let approvals = (0..common.records)
            .map(|i| {
                let id = format!("{:08x}-{:04x}", 0xa000_0000_u32 + i, i % 97);
                (id.clone(), orders::stamp(common, i) * 1000, orders::approval(common, i, &id))
            })
            .collect();
        Dingtalk {
            robot_secret: format!("SEC{}", rng.hex32()),
            key,
            secret,
            robot,
            token: None,
            approvals,
            messages: Vec::new(),
            rng,
            common: common.clone(),
        }
    }

    fn grant(&mut self, key: &str, secret: &str, now: i64) -> Option<(String, i64)> {
        if key != self.key || secret != self.secret {
            return None;
        }
        let life = self.common.life.unwrap_or(7_200);
        let token = match &self.token {
            // Asked again inside the validity: the same.
            Some((t, end)) if now < *end => t.clone(),
            _ => self.rng.hex32(),
        };
        self.token = Some((token.clone(), now + life * 1000));
        Some((token, life))
    }

    fn accepts(&self, token: &str, now: i64) -> bool {
        self.token.as_ref().is_some_and(|(t, end)| t == token && now < *end)
    }

    fn ids(&self, seen: &Seen<'_>) -> Said {
        let body = seen.json();
        let number = |name: &str| {
            let v = &body[name];
            v.as_i64().or_else(|| v.as_str().and_then(|s| s.parse().ok()))
        };
        let (Some(from), size) = (number("start_time"), number("size").unwrap_or(20)) else {
            return old(40035, "缺少参数 start_time").verdict(Verdict::Parameter);
        };
        let to = number("end_time").unwrap_or(seen.now);
        if to - from > 120 * 86_400_000 {
            return old(800_002, "时间跨度不能超过120天").verdict(Verdict::Parameter);
        }
        if size > 20 {
            return old(40035, "size不能超过20").verdict(Verdict::Parameter);
        }
        let at = number("cursor").unwrap_or(0).max(0) as usize;
        let found: Vec<&String> =
            self.approvals.iter().filter(|(_, t, _)| (from..=to).contains(t)).map(|(id, _, _)| id).collect();
        let page: Vec<&&String> = found.iter().skip(at).take(size.max(1) as usize).collect();
        let count = page.len();
        let mut result = json!({ "list": page });
        if at + count < found.len() {
            result["next_cursor"] = json!(at + count);
        }
        Said::json(&json!({"errcode": 0, "errmsg": "ok", "result": result, "request_id": "r-1"})).rows(count)
    }

    fn robot(&mut self, seen: &Seen<'_>) -> Said {
        if seen.query("access_token") != self.robot {
            return old(300_001, "token is not exist").verdict(Verdict::Token);
        }
        let stamp = seen.query("timestamp");
        let near = stamp.parse::<i64>().is_ok_and(|t| (t - seen.now).abs() <= 3_600_000);
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.robot_secret.as_bytes()) else {
            return old(310_000, "sign not match");
        };
        mac.update(format!("{stamp}\n{}", self.robot_secret).as_bytes());
        // The same bytes in hexadecimal on both sides.
        let right = hex::encode(mac.finalize().into_bytes());
        let given = unbase64(seen.query("sign")).map(hex::encode).unwrap_or_default();
        if !near || given != right {
            return old(310_000, "sign not match").verdict(Verdict::Signature);
        }
        let body = seen.json();
        if body["msgtype"].as_str().is_none() {
            return old(400_101, "msgtype is null").verdict(Verdict::Parameter);
        }
        self.messages.push(body);
        old(0, "ok").rows(1)
    }
}

/// Strict base64 with padding.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::new();
    let (mut n, mut bits) = (0_u32, 0_u32);
    for b in text.trim_end_matches('=').bytes() {
        n = (n << 6) | LETTERS.iter().position(|l| *l == b)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((n >> bits) as u8);
            n &= (1 << bits) - 1;
        }
    }
    Some(out)
}

impl OpenApi for Dingtalk {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        match seen.path {
            "/gettoken" => {
                return match self.grant(seen.query("appkey"), seen.query("appsecret"), seen.now) {
                    Some((token, life)) => Said::json(
                        &json!({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": life}),
                    ),
                    None => old(40089, "不合法的corpid或corpsecret").verdict(Verdict::Signature),
                };
            }
            "/v1.0/oauth2/accessToken" => {
                let body = seen.json();
                if !seen.header("content-type").contains("json") || !body.is_object() {
                    return new(400, "Missingbody", "body is mandatory for this action.")
                        .verdict(Verdict::ContentType);
                }
                let text = |n: &str| body[n].as_str().unwrap_or("").to_owned();
                return match self.grant(&text("appKey"), &text("appSecret"), seen.now) {
                    Some((token, life)) => Said::json(&json!({"accessToken": token, "expireIn": life})),
                    None => new(400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
                        .verdict(Verdict::Signature),
                };
            }
            "/robot/send" => return self.robot(seen),
            _ => {}
        }
        if seen.path.starts_with("/v1.0/") {
            if !self.accepts(seen.header("x-acs-dingtalk-access-token"), seen.now) {
                return new(400, "InvalidAuthentication", "不合法的access_token").verdict(Verdict::Token);
            }
            if seen.path != "/v1.0/workflow/processInstances" {
                return new(404, "InvalidAction.NotFound", "接口不存在").verdict(Verdict::NotServed);
            }
            let id = seen.query("processInstanceId");
            return match self.approvals.iter().find(|(i, _, _)| i == id) {
                Some((_, _, a)) => Said::json(&json!({"success": true, "result": a})).rows(1),
                None => new(400, "processInstance.notFound", "审批实例不存在").verdict(Verdict::Parameter),
            };
        }
        if !self.accepts(seen.query("access_token"), seen.now) {
            return Said::json(&json!({"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token",
                                      "errmsg": "ding talk error[subcode=40014,submsg=不合法的access_token]"}))
            .verdict(Verdict::Token);
        }
        match seen.path {
            "/topapi/processinstance/listids" => self.ids(seen),
            "/topapi/v2/department/listsub" => {
                Said::json(&json!({"errcode": 0, "errmsg": "ok", "result": []}))
            }
            _ => old(22, "Invalid method").verdict(Verdict::NotServed),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        vec![("app_key", self.key.clone()), ("app_secret", self.secret.clone())]
    }

    fn truth(&self, of: &str) -> BTreeMap<String, Value> {
        match of {
            "messages" => self.messages.iter().enumerate().map(|(i, m)| (i.to_string(), m.clone())).collect(),
            "robot" => BTreeMap::from([
                ("path".into(), json!(format!("/robot/send?access_token={}", self.robot))),
                ("secret".into(), json!(self.robot_secret)),
            ]),
            _ => self.approvals.iter().map(|(id, _, a)| (id.clone(), a.clone())).collect(),
        }
    }

    fn expire_token(&mut self, _now: i64) {
        self.token = None;
    }

    fn error(&self, code: i64) -> Said {
        old(code, "系统繁忙")
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        matches!(seen.path, "/gettoken" | "/v1.0/oauth2/accessToken")
    }

    fn throttled(&self) -> Said {
        old(90018, "应用对此接口的调用频率超过限制").verdict(Verdict::RateSecond)
    }
}
