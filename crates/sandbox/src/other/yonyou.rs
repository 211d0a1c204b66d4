//! 用友 BIP: addresses are asked for, tokens are signed for, throttling per interface, writes remembered by their key.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Common, OpenApi, Said, Seen, orders};
use crate::log::Verdict;
use crate::rng::Rng;

#[derive(Debug)]
pub(super) struct Yonyou {
    common: Common,
    key: String,
    secret: String,
    tenant: String,
    rng: Rng,
    token: Option<(String, i64)>,
    vendors: Vec<Value>,
    saved: BTreeMap<String, Value>,
    /// Keys of writes with their time.
    keys: BTreeMap<String, i64>,
    asked: u64,
}

fn fail(code: &str, message: &str) -> Said {
    Said::json(&json!({"code": code, "message": message}))
}

/// Raw bytes as base64, by hand.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for c in bytes.chunks(3) {
        let n = (0..3).fold(0_u32, |n, i| (n << 8) | u32::from(c.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let letter = LETTERS.get(((n >> (18 - 6 * i)) & 63) as usize).copied().unwrap_or(b'=');
            out.push(if i <= c.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

impl Yonyou {
    pub(super) fn new(common: &Common, _now: i64) -> Self {
        let mut rng = Rng::of(common.seed, 0x34, 0);
        Yonyou {
            key: rng.hex32(),
            secret: rng.hex32(),
            tenant: rng.hex32().get(..8).unwrap_or("t").to_owned(),
            token: None,
            vendors: (0..common.records).map(|i| orders::vendor(common, i)).collect(),
            saved: BTreeMap::new(),
            keys: BTreeMap::new(),
            asked: 0,
            rng,
            common: common.clone(),
        }
    }

    fn grant(&mut self, seen: &Seen<'_>) -> Said {
        if seen.query("appKey") != self.key {
            return fail("10018", "应用不存在或appKey已停用").verdict(Verdict::Signature);
        }
        let stamp = seen.query("timestamp");
        if stamp.parse::<i64>().map_or(true, |t| (t - seen.now).abs() > 900_000) {
            return fail("310008", "timestamp参数不合法").verdict(Verdict::Timestamp);
        }
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()) else {
            return fail("999", "密钥无效");
        };
        mac.update(format!("appKey{}timestamp{stamp}", self.key).as_bytes());
        if seen.query("signature") != base64(&mac.finalize().into_bytes()) {
            return fail("310015", "签名不合法").verdict(Verdict::Signature);
        }
        let life = self.common.life.unwrap_or(7_200);
        let alive = self.token.clone().filter(|(_, end)| seen.now < *end);
        let (token, end) = alive.unwrap_or_else(|| {
            // Characters that a careless client encodes twice or not at all.
            (format!("{}+/{}==", self.rng.hex32(), self.rng.hex32()), seen.now + life * 1000)
        });
        self.token = Some((token.clone(), end));
        Said::json(&json!({"code": "00000", "message": "成功！",
                           "data": {"access_token": token, "expire": (end - seen.now) / 1000}}))
    }

    fn list(&mut self, seen: &Seen<'_>, rows: Vec<Value>, nested: bool) -> Said {
        let body = seen.json();
        let page = if nested { &body["page"] } else { &body };
        let number =
            |v: &Value, or: u64| v.as_u64().or_else(|| v.as_str().and_then(|s| s.parse().ok())).unwrap_or(or);
        let (index, size) = (
            number(&page["pageIndex"], 1).max(1) as usize,
            number(&page["pageSize"], 10).clamp(1, 500) as usize,
        );
        let total = rows.len();
        let slice: Vec<Value> = rows.into_iter().skip((index - 1).saturating_mul(size)).take(size).collect();
        let count = slice.len();
        self.asked += 1;
        let code = if self.asked.is_multiple_of(2) { json!(200) } else { json!("200") };
        Said::json(
            &json!({"code": code, "message": "操作成功", "data": {"pageIndex": index, "pageSize": size,
            "recordCount": total, "pageCount": total.div_ceil(size), "recordList": slice}}),
        )
        .rows(count)
    }

    fn save(&mut self, seen: &Seen<'_>) -> Said {
        let body = seen.json();
        let data = &body["data"];
        let key = data["resubmitCheckKey"].as_str().unwrap_or("").to_owned();
        if key.len() > 32 {
            return fail("310023", "resubmitCheckKey过长").verdict(Verdict::Parameter);
        }
        if !key.is_empty() {
            if self.keys.get(&key).is_some_and(|t| seen.now - t < 3_600_000) {
                return fail("10004", "重复提交");
            }
            self.keys.insert(key, seen.now);
        }
        let Some(code) = data["code"].as_str().filter(|c| !c.is_empty()) else {
            return fail("999", "编码不能为空").verdict(Verdict::Parameter);
        };
        if self.saved.contains_key(code) {
            return fail("999", "编码重复").verdict(Verdict::Parameter);
        }
        self.saved.insert(code.to_owned(), data.clone());
        Said::json(&json!({"code": "200", "message": "操作成功", "data": {"id": 2_231_234_567_890_130_000_i64 + self.saved.len() as i64, "code": code}}))
            .rows(1)
    }
}

impl OpenApi for Yonyou {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        match seen.path {
            "/open-auth/dataCenter/getGatewayAddress" => {
                if seen.query("tenantId") != self.tenant {
                    return fail("999", "租户不存在").verdict(Verdict::Parameter);
                }
                let host = seen.header("host");
                return Said::json(&json!({"code": "00000", "message": "成功！", "data": {
                    "gatewayUrl": format!("http://{host}/iuap-api-gateway"), "tokenUrl": format!("http://{host}/iuap-api-auth")}}));
            }
            "/iuap-api-auth/open-auth/selfAppAuth/base/v1/getAccessToken" => return self.grant(seen),
            _ => {}
        }
        let Some(path) = seen.path.strip_prefix("/iuap-api-gateway") else {
            return fail("310404", "API不存在").status(404).verdict(Verdict::NotServed);
        };
        let token = seen.query("access_token");
        if token.is_empty() {
            return fail("310001", "token为空").verdict(Verdict::Token);
        }
        if self.token.as_ref().is_none_or(|(t, end)| t != token || seen.now >= *end) {
            // One interface answers bare text.
            self.asked += 1;
            let said = if self.asked.is_multiple_of(2) {
                Said::text("非法token")
            } else {
                fail("310036", "非法token")
            };
            return said.verdict(Verdict::Token);
        }
        match path {
            "/yonbip/digitalModel/vendor/list" => {
                let rows = self.vendors.clone();
                self.list(seen, rows, false)
            }
            "/yonbip/scm/purchaseorder/list" => {
                let body = seen.json();
                let wanted = body["condition"]["simpleVOs"].as_array().and_then(|a| {
                    a.iter()
                        .find(|c| c["field"] == "code")
                        .and_then(|c| c["value1"].as_str().map(str::to_owned))
                });
                let rows = self.saved.iter().filter(|(k, _)| wanted.as_ref().is_none_or(|w| w == *k));
                let rows = rows.map(|(_, v)| v.clone()).collect();
                self.list(seen, rows, true)
            }
            "/yonbip/scm/purchaseorder/singleSave" => self.save(seen),
            _ => fail("310404", "API不存在").status(404).verdict(Verdict::NotServed),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        vec![
            ("app_key", self.key.clone()),
            ("app_secret", self.secret.clone()),
            ("tenant_id", self.tenant.clone()),
        ]
    }

    fn truth(&self, of: &str) -> BTreeMap<String, Value> {
        if of == "saved" {
            return self.saved.clone();
        }
        self.vendors.iter().map(|v| (v["id"].to_string(), v.clone())).collect()
    }

    fn expire_token(&mut self, _now: i64) {
        self.token = None;
    }

    fn error(&self, code: i64) -> Said {
        fail(&if code == -1 { "310043".to_owned() } else { code.to_string() }, "后端服务异常")
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        seen.path.contains("/open-auth/")
    }

    fn throttled(&self) -> Said {
        fail("310046", "API访问流量超过限制").verdict(Verdict::RateMinute)
    }
}
