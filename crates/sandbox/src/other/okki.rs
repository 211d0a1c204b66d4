//! 小满 OKKI: OAuth2 with single-use refresh tokens; errors under HTTP 200; a tree as a flat list.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::seen::get;
use super::{Common, OpenApi, Said, Seen, orders};
use crate::clock::beijing;
use crate::log::Verdict;
use crate::rng::Rng;

const LIFE: i64 = 28_800;

#[derive(Debug)]
pub(super) struct Okki {
    common: Common,
    client: String,
    secret: String,
    password: String,
    rng: Rng,
    /// Access tokens with their ends.
    access: Vec<(String, i64)>,
    /// The one refresh token that is good.
    refresh: String,
    groups: Vec<Value>,
    asked: u32,
}

impl Okki {
    pub(super) fn new(common: &Common, _now: i64) -> Self {
        let mut rng = Rng::of(common.seed, 0x32, 0);
        let groups = (0..common.records).rev().map(|i| orders::group(common, i)).collect();
        Okki {
            common: common.clone(),
            client: rng.hex32(),
            secret: rng.hex32(),
            password: format!("Pw-{}", &rng.hex32().get(..10).unwrap_or("x")),
            access: Vec::new(),
            refresh: String::new(),
            groups,
            asked: 0,
            rng,
        }
    }

    fn refuse(status: u16, error: &str, words: &str) -> Said {
        Said::json(&json!({"error": error, "error_description": words, "message": words}))
            .status(status)
            .verdict(Verdict::Token)
    }

    fn grant(&mut self, now: i64, refreshes: bool) -> Said {
        let life = self.common.life.unwrap_or(LIFE);
        let token = format!("{}.{}.{}", self.rng.hex32(), self.rng.hex32(), self.rng.hex32());
        self.access.push((token.clone(), now + life * 1000));
        let mut out = json!({"token_type": "Bearer", "access_token": token, "expires_in": life});
        if refreshes {
            self.refresh = format!("def50200{}", self.rng.hex32());
            out["refresh_token"] = json!(self.refresh);
        }
        Said::json(&out)
    }

    fn oauth(&mut self, seen: &Seen<'_>) -> Said {
        let mut f = seen.form();
        if let Some(map) = seen.json().as_object() {
            f.extend(map.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or("").to_owned())));
        }
        if get(&f, "client_id") != self.client || get(&f, "client_secret") != self.secret {
            return Self::refuse(401, "invalid_client", "Client authentication failed")
                .verdict(Verdict::Signature);
        }
        match (seen.path, get(&f, "grant_type")) {
            ("/v1/oauth2/refresh_token", "refresh_token") => {
                if self.refresh.is_empty() || get(&f, "refresh_token") != self.refresh {
                    let mut said = Self::refuse(400, "invalid_request", "The refresh token is invalid.");
                    said.body = json!({"error": "invalid_request", "error_description": "The refresh token is invalid.",
                                       "hint": "Token has been revoked", "message": "The refresh token is invalid."})
                    .to_string();
                    return said;
                }
                self.access.clear();
                self.grant(seen.now, true)
            }
            ("/v1/oauth2/access_token", "client_credentials") => self.grant(seen.now, false),
            ("/v1/oauth2/access_token", "password") => {
                let right = hex::encode(Sha256::digest(self.password.as_bytes()));
                if get(&f, "username") != "integration" || get(&f, "password") != right {
                    return Self::refuse(400, "invalid_grant", "The user credentials were incorrect.");
                }
                self.grant(seen.now, true)
            }
            _ => {
                Self::refuse(400, "unsupported_grant_type", "The authorization grant type is not supported.")
            }
        }
    }

    fn envelope(&mut self, now: i64, data: Value, rows: usize) -> Said {
        // The documentation prints both.
        self.asked += 1;
        let code = if self.asked.is_multiple_of(2) { 0 } else { 200 };
        Said::json(&json!({"code": code, "message": "success", "now": beijing(now / 1000), "data": data}))
            .rows(rows)
    }

    fn wrong(now: i64, code: i64, words: &str) -> Said {
        Said::json(&json!({"code": code, "message": words, "now": beijing(now / 1000)}))
            .verdict(Verdict::Parameter)
    }

    fn push(&mut self, seen: &Seen<'_>) -> Said {
        let body = seen.json();
        let name = body["name"].as_str().unwrap_or("").to_owned();
        if name.is_empty() {
            return Self::wrong(seen.now, 500, "name不能为空");
        }
        let number = |v: &Value| v.as_i64().or_else(|| v.as_str().and_then(|s| s.parse().ok()));
        let parent = number(&body["parent_id"]).unwrap_or(0);
        if parent != 0 && !self.groups.iter().any(|g| g["id"] == parent) {
            return Self::wrong(seen.now, 500, "父级节点不存在");
        }
        let id = match number(&body["group_id"]) {
            Some(id) => id,
            None => 6_200_000_000 + self.groups.len() as i64,
        };
        let group = json!({"id": id, "name": name, "parent_id": parent, "layer": 1, "version": 1});
        self.groups.retain(|g| g["id"] != id);
        self.groups.push(group.clone());
        self.envelope(seen.now, group, 1)
    }
}

impl OpenApi for Okki {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        if seen.path.starts_with("/v1/oauth2/") {
            return self.oauth(seen);
        }
        let header = seen.header("authorization");
        let token = header.strip_prefix("Bearer ").unwrap_or(header);
        if !self.access.iter().any(|(t, end)| t == token && seen.now < *end) {
            let words = "The resource owner or authorization server denied the request.";
            return Self::refuse(401, "access_denied", words);
        }
        match (seen.method, seen.path) {
            ("GET", "/v1/product/groups") => {
                let (id, name) = (seen.query("group_id"), seen.query("group_name"));
                let list: Vec<Value> = self
                    .groups
                    .iter()
                    .filter(|g| id.is_empty() || g["id"].as_i64() == id.parse().ok())
                    .filter(|g| name.is_empty() || g["name"] == name)
                    .cloned()
                    .collect();
                let rows = list.len();
                self.envelope(seen.now, Value::Array(list), rows)
            }
            ("POST", "/v1/product/push-groups") => self.push(seen),
            ("GET", "/v1/product/list" | "/v1/company/list" | "/v1/invoices/order/list") => {
                let words = "no permission module scopes";
                Self::refuse(401, "access_denied", words).verdict(Verdict::Permission)
            }
            _ => Self::wrong(seen.now, 404, "Not Found Resource").verdict(Verdict::NotServed),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        vec![
            ("client_id", self.client.clone()),
            ("client_secret", self.secret.clone()),
            ("username", "integration".into()),
            ("password", self.password.clone()),
        ]
    }

    fn truth(&self, _of: &str) -> BTreeMap<String, Value> {
        self.groups.iter().map(|g| (g["id"].to_string(), g.clone())).collect()
    }

    fn expire_token(&mut self, now: i64) {
        for (_, end) in &mut self.access {
            *end = now;
        }
    }

    fn revoke_refresh(&mut self, _now: i64) {
        self.refresh.clear();
    }

    fn error(&self, code: i64) -> Said {
        Said::json(&json!({"code": code, "message": "系统繁忙", "now": "2026-01-01 00:00:00"}))
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        seen.path.starts_with("/v1/oauth2/")
    }
}
