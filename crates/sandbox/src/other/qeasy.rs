//! 轻易云's open API, both versions: oauth, store (rows may fail one by one), query.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::seen::get;
use super::{Common, OpenApi, Said, Seen, orders};
use crate::log::Verdict;
use crate::rng::Rng;

#[derive(Debug)]
pub(super) struct Qeasy {
    common: Common,
    key: String,
    secret: String,
    scheme_token: String,
    rng: Rng,
    token: Option<(String, i64)>,
    /// Records with the time of their arrival.
    records: Vec<(i64, Value)>,
}

fn say(code: i64, words: &str, content: Value) -> Said {
    Said::json(&json!({"success": code == 0, "code": code, "message": words, "content": content}))
}

/// A field as text: numbers are taken too.
fn words(v: &Value) -> String {
    match v {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        _ => String::new(),
    }
}

impl Qeasy {
    pub(super) fn new(common: &Common, _now: i64) -> Self {
        let mut rng = Rng::of(common.seed, 0x37, 0);
        let records = (0..common.records)
            .map(|i| {
                let at = orders::stamp(common, i);
                (at, json!({"_id": format!("65{i:022x}"), "FNumber": format!("MAT{i:05}"), "FName": "示例物料🧱", "FQty": i, "created_at": at}))
            })
            .collect();
        Qeasy {
            key: rng.hex32().get(..12).unwrap_or("").to_owned(),
            secret: rng.hex32().get(..20).unwrap_or("").to_owned(),
            scheme_token: rng.hex32(),
            token: None,
            records,
            rng,
            common: common.clone(),
        }
    }

    fn find(&self, page: u64, size: u64, from: i64, to: i64) -> (Vec<&(i64, Value)>, usize) {
        let all: Vec<&(i64, Value)> = self.records.iter().filter(|(t, _)| (from..=to).contains(t)).collect();
        let total = all.len();
        let skip = (page.max(1) - 1).saturating_mul(size) as usize;
        (all.into_iter().skip(skip).take(size as usize).collect(), total)
    }

    fn store(&mut self, body: &Value, now: i64) -> Said {
        let Some(list) = body["content"].as_array() else {
            return say(40005, "content 必须为数组", Value::Null).verdict(Verdict::Parameter);
        };
        let (mut inserted, mut failed) = (0, 0);
        for row in list {
            let number = words(&row["FNumber"]);
            if number.is_empty() {
                failed += 1;
                continue;
            }
            let mut kept = row.clone();
            kept["_id"] = json!(format!("66{}", self.rng.hex32().get(..22).unwrap_or("")));
            // The same number again replaces what is there.
            self.records.retain(|(_, r)| words(&r["FNumber"]) != number);
            self.records.push((now / 1000, kept));
            inserted += 1;
        }
        if inserted == 0 && failed > 0 {
            return say(40001, "必填字段缺失: FNumber", Value::Null).verdict(Verdict::Parameter);
        }
        say(0, "数据写入成功", json!({"inserted": inserted, "failed": failed})).rows(inserted)
    }
}

impl OpenApi for Qeasy {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        let body = seen.json();
        let number =
            |v: &Value, or: i64| v.as_i64().or_else(|| v.as_str().and_then(|s| s.parse().ok())).unwrap_or(or);
        if seen.path == "/v2/oauth" {
            if body["app_key"] != self.key.as_str() || body["app_secret"] != self.secret.as_str() {
                return say(10001, "app_key 或 app_secret 错误", Value::Null).verdict(Verdict::Signature);
            }
            let life = self.common.life.unwrap_or(7_200);
            let token = self.rng.hex32();
            self.token = Some((token.clone(), seen.now + life * 1000));
            return say(0, "success", json!({"access_token": token, "expires_in": life}));
        }
        if let Some(rest) = seen.path.strip_prefix("/api/open/operation/") {
            let form = seen.form();
            let token =
                if form.is_empty() { seen.query("token").to_owned() } else { get(&form, "token").to_owned() };
            if token != self.scheme_token {
                return say(401, "Token 无效或已过期", Value::Null).verdict(Verdict::Token);
            }
            if rest.ends_with("/query") {
                let n = |name: &str, or: i64| get(&form, name).parse().unwrap_or(or);
                let (rows, total) = self.find(
                    n("page", 1) as u64,
                    n("pageSize", 10).clamp(1, 100) as u64,
                    n("begin_at", 0),
                    n("end_at", i64::MAX),
                );
                let rows: Vec<Value> = rows
                    .iter()
                    .map(|(t, r)| json!({"id": r["_id"], "content": r, "created_at": t}))
                    .collect();
                let count = rows.len();
                return say(0, "success", json!({"rows": rows, "total": total})).rows(count);
            }
            return self.store(&body, seen.now);
        }
        let header = seen.header("authorization");
        let token = match header.strip_prefix("Bearer ") {
            Some(t) => t,
            None => seen.query("access_token"),
        };
        if self.token.as_ref().is_none_or(|(t, end)| t != token || seen.now >= *end) {
            return say(40002, "access_token 无效或已过期", Value::Null).verdict(Verdict::Token);
        }
        match seen.path.rsplit('/').next() {
            Some("query") => {
                let size = number(&body["pageSize"], 10).clamp(1, 100);
                let page = number(&body["page"], 1).max(1);
                let (rows, total) = self.find(
                    page as u64,
                    size as u64,
                    number(&body["begin_at"], 0),
                    number(&body["end_at"], i64::MAX),
                );
                let rows: Vec<&Value> = rows.into_iter().map(|(_, r)| r).collect();
                let count = rows.len();
                say(0, "success", json!({"list": rows, "total": total, "page": page, "pageSize": size}))
                    .rows(count)
            }
            Some("store" | "store-dispatch") => self.store(&body, seen.now),
            _ => say(40401, "接口不存在", Value::Null).status(404).verdict(Verdict::NotServed),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        vec![
            ("app_key", self.key.clone()),
            ("app_secret", self.secret.clone()),
            ("token", self.scheme_token.clone()),
        ]
    }

    fn truth(&self, _of: &str) -> BTreeMap<String, Value> {
        self.records.iter().map(|(_, r)| (words(&r["FNumber"]), r.clone())).collect()
    }

    fn expire_token(&mut self, _now: i64) {
        self.token = None;
    }

    fn error(&self, code: i64) -> Said {
        say(if code == -1 { 50000 } else { code }, "系统错误", Value::Null)
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        seen.path == "/v2/oauth"
    }

    fn throttled(&self) -> Said {
        say(42901, "请求过于频繁，请稍后重试", Value::Null)
            .status(429)
            .header("retry-after", "1")
            .header("x-ratelimit-limit", "1000")
            .header("x-ratelimit-remaining", "0")
            .verdict(Verdict::RateMinute)
    }
}
