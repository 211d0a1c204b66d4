//! 金蝶云星空: header signatures or a login; rows by position; errors in the shape of rows; batches that are saved in part.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Common, OpenApi, Said, Seen, orders};
use crate::log::Verdict;
use crate::rng::Rng;

const IDLE: i64 = 1_200;
const MOST: usize = 2_000;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[derive(Debug)]
pub(super) struct Kingdee {
    common: Common,
    acct: String,
    app_id: String,
    secret: String,
    sessions: Vec<(String, i64)>,
    rng: Rng,
    bills: Vec<Value>,
    /// Documents that were saved, by number.
    saved: BTreeMap<String, Value>,
    next_id: i64,
    asked: u64,
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for c in bytes.chunks(3) {
        let n = (0..3).fold(0_u32, |n, i| (n << 8) | u32::from(c.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let at = (n >> (18 - 6 * i)) & 63;
            let letter = ALPHABET.get(at as usize).copied().unwrap_or(b'=');
            out.push(if i <= c.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

fn unbase64(text: &str) -> Vec<u8> {
    let mut bits = (0_u32, 0_u32);
    let mut out = Vec::new();
    for b in text.bytes().filter(|b| *b != b'=') {
        let Some(v) = ALPHABET.iter().position(|a| *a == b) else { continue };
        bits = ((bits.0 << 6) | v as u32, bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            out.push((bits.0 >> bits.1) as u8);
            bits.0 &= (1 << bits.1) - 1;
        }
    }
    out
}

/// Base64 of the hexadecimal text of an HMAC-SHA256.
fn twisted(key: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    base64(hex::encode(mac.finalize().into_bytes()).as_bytes())
}

fn quoted(path: &str) -> String {
    path.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

fn errors(code: i64, list: &[(String, usize)], entities: &[Value]) -> Value {
    let errors: Vec<Value> =
        list.iter().map(|(m, at)| json!({"FieldName": Value::Null, "Message": m, "DIndex": at})).collect();
    json!({"Result": {"ResponseStatus": {"ErrorCode": 500, "IsSuccess": false, "Errors": errors,
           "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": code}, "Id": "", "Number": ""}})
}

impl Kingdee {
    pub(super) fn new(common: &Common, _now: i64) -> Self {
        let mut rng = Rng::of(common.seed, 0x33, 0);
        let hidden: Vec<u8> = (0..24).map(|_| rng.below(256) as u8).collect();
        Kingdee {
            acct: rng.hex32().get(..14).unwrap_or("").to_owned(),
            app_id: format!("{}_{}", 200_000 + rng.below(90_000), base64(&hidden)),
            secret: rng.hex32(),
            sessions: Vec::new(),
            bills: (0..common.records).map(|i| orders::purchase(common, i)).collect(),
            saved: BTreeMap::new(),
            next_id: 500_001,
            asked: 0,
            rng,
            common: common.clone(),
        }
    }

    /// The client's half of the signature: the second half of the application id, combined with a fixed code.
    fn client_secret(&self) -> String {
        let hidden = unbase64(self.app_id.split_once('_').map_or("", |(_, s)| s));
        let code = "0054f397c6234378b09ca7d3e5debce7";
        base64(&hidden.iter().zip(code.bytes()).map(|(a, b)| a ^ b).collect::<Vec<u8>>())
    }

    fn is_signed(&self, seen: &Seen<'_>) -> bool {
        let h = |n: &str| seen.header(n).to_owned();
        let (stamp, nonce) = (h("x-api-timestamp"), h("x-api-nonce"));
        let text = format!("POST\n{}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{stamp}\n", quoted(seen.path));
        let data = String::from_utf8(unbase64(&h("X-Kd-Appdata"))).unwrap_or_default();
        let mut parts = data.split(',');
        let ours = parts.next() == Some(self.acct.as_str()) && parts.next() == Some("integration");
        let near = stamp.parse::<i64>().is_ok_and(|t| {
            let t = if t > 100_000_000_000 { t / 1000 } else { t };
            (t - seen.now / 1000).abs() <= 900
        });
        ours && near
            && h("X-Api-ClientID") == self.app_id.split('_').next().unwrap_or("")
            && h("X-Api-Signature") == twisted(&self.client_secret(), &text)
            && h("X-Kd-Appkey") == self.app_id
            && h("X-Kd-Signature") == twisted(&self.secret, &format!("{}{data}", self.app_id))
    }

    fn login(&mut self, seen: &Seen<'_>) -> Said {
        let body = seen.json();
        let given = match &body["parameters"] {
            Value::String(s) => serde_json::from_str(s).unwrap_or_default(),
            other => other.clone(),
        };
        let text = |i: usize| {
            given.get(i).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default()
        };
        let stamp = text(3);
        let mut parts = [self.acct.as_str(), "integration", &self.app_id, &self.secret, &stamp];
        parts.sort_unstable();
        let right = hex::encode(Sha256::digest(parts.concat()));
        let refused = |message: &str| {
            Said::json(&json!({"Message": message, "MessageCode": Value::Null, "LoginResultType": 0, "Context": Value::Null,
                               "KDSVCSessionId": Value::Null, "IsSuccessByAPI": false}))
            .verdict(Verdict::Signature)
        };
        if text(0) != self.acct {
            return refused("会话信息已丢失，请重新登录");
        }
        if text(1) != "integration" || text(2) != self.app_id || text(4) != right {
            return refused("用户名或密码错误");
        }
        let id = self.rng.hex32();
        self.sessions.push((id.clone(), seen.now));
        Said::json(&json!({"Message": Value::Null, "LoginResultType": 1, "KDSVCSessionId": id, "IsSuccessByAPI": true,
                           "Context": {"UserName": "集成用户", "DBid": self.acct}}))
        .header("set-cookie", format!("kdservice-sessionid={id}; path=/"))
        .header("set-cookie", format!("ASP.NET_SessionId={}; path=/; HttpOnly", self.rng.hex32()))
    }

    fn has_session(&mut self, seen: &Seen<'_>) -> bool {
        let cookie = seen.header("cookie");
        let named = cookie.split(';').find_map(|c| c.trim().strip_prefix("kdservice-sessionid="));
        // A session is told by its cookies; a header alone is not enough.
        let Some(id) = named else { return false };
        match self.sessions.iter_mut().find(|(s, _)| s == id) {
            Some((_, last)) if seen.now - *last < self.common.life.unwrap_or(IDLE) * 1000 => {
                *last = seen.now;
                true
            }
            _ => false,
        }
    }

    fn query(&mut self, seen: &Seen<'_>) -> Said {
        let wrong = |m: &str| {
            Said::json(&json!([[errors(0, &[(m.to_owned(), 0)], &[])]])).verdict(Verdict::Parameter)
        };
        let body = seen.json();
        let data = match &body["data"] {
            Value::String(s) => serde_json::from_str(s).unwrap_or_default(),
            other => other.clone(),
        };
        if !matches!(data["FormId"].as_str(), Some("PUR_PurchaseOrder" | "BD_Currency")) {
            return wrong("业务对象不存在");
        }
        let keys: Vec<String> =
            data["FieldKeys"].as_str().unwrap_or("").split(',').map(|k| k.trim().to_owned()).collect();
        if data["FormId"] == "BD_Currency" {
            return Said::json(&json!([["PRE001"]])).rows(1);
        }
        let mut all: Vec<Value> = self.bills.clone();
        all.extend(self.saved.values().cloned());
        if let Some(bad) =
            keys.iter().find(|k| self.bills.first().is_none_or(|b| b.get(k.as_str()).is_none()))
        {
            return wrong(&format!("元数据中标识为{bad}的字段不存在"));
        }
        let number = |v: &Value| v.as_u64().or_else(|| v.as_str().and_then(|s| s.parse().ok()));
        let start = number(&data["StartRow"]).unwrap_or(0) as usize;
        let limit = match number(&data["Limit"]).unwrap_or(0) as usize {
            0 => MOST,
            n if n > MOST => return wrong("Limit不能超过2000"),
            n => n,
        };
        let filter = data["FilterString"].as_str().unwrap_or("");
        all.retain(|b| passes(filter, b));
        self.asked += 1;
        match data["OrderString"].as_str().unwrap_or("").split_whitespace().next() {
            Some(key) => all.sort_by(|a, b| compare(&a[key], &b[key])),
            // Without an order it is another one each time.
            None => {
                let turn = (self.asked as usize * 7) % all.len().max(1);
                all.rotate_left(turn);
            }
        }
        let rows: Vec<Value> = all
            .iter()
            .skip(start)
            .take(limit)
            .map(|b| {
                Value::Array(keys.iter().map(|k| b.get(k.as_str()).cloned().unwrap_or(Value::Null)).collect())
            })
            .collect();
        let count = rows.len();
        Said::json(&Value::Array(rows)).rows(count)
    }

    /// `batch`: the model is a list. `draft`: nothing is required, and the document is kept as a draft.
    fn save(&mut self, seen: &Seen<'_>, batch: bool, draft: bool) -> Said {
        let body = seen.json();
        let data = match &body["data"] {
            Value::String(s) => serde_json::from_str(s).unwrap_or_default(),
            other => other.clone(),
        };
        if body["formid"].as_str().unwrap_or("").is_empty() {
            return Said::json(&errors(0, &[("业务对象不存在".into(), 0)], &[])).verdict(Verdict::Parameter);
        }
        let models: Vec<Value> = match &data["Model"] {
            Value::Array(list) if batch => list.clone(),
            Value::Object(_) if !batch => vec![data["Model"].clone()],
            _ => {
                return Said::json(&errors(0, &[("数据包格式不正确".into(), 0)], &[]))
                    .verdict(Verdict::Parameter);
            }
        };
        let (mut wrong, mut done) = (Vec::new(), Vec::new());
        for (at, model) in models.iter().enumerate() {
            let supplier = model["FSupplierId"]["FNumber"].as_str().unwrap_or("");
            let bill = match model["FBillNo"].as_str() {
                Some(n) if !n.is_empty() => n.to_owned(),
                _ => format!("AUTO-{}", self.next_id),
            };
            if supplier.is_empty() && !draft {
                wrong.push(("供应商不能为空".to_owned(), at));
                continue;
            }
            if self.saved.contains_key(&bill) || self.bills.iter().any(|b| b["FBillNo"] == bill.as_str()) {
                wrong.push((format!("单据编号为“{bill}”的采购订单已经存在"), at));
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            let mut kept = model.clone();
            if let Some(map) = kept.as_object_mut() {
                map.insert("FID".into(), json!(id));
                map.insert("FBillNo".into(), json!(bill));
                let status = match data["IsAutoSubmitAndAudit"] == true {
                    _ if draft => "Z",
                    true => "C",
                    false => "A",
                };
                map.insert("FDocumentStatus".into(), json!(status));
            }
            self.saved.insert(bill.clone(), kept);
            done.push(json!({"Id": id, "Number": bill, "DIndex": at}));
        }
        if wrong.is_empty() {
            return Said::json(
                &json!({"Result": {"ResponseStatus": {"IsSuccess": true, "Errors": [], "SuccessEntitys": done,
                "SuccessMessages": [], "MsgCode": 0}, "Id": "", "Number": "", "NeedReturnData": [{}]}}),
            )
            .rows(done.len());
        }
        Said::json(&errors(11, &wrong, &done)).rows(done.len())
    }

    /// What a service does with documents that are there: `Numbers` is a list of their numbers, `Ids` a text of their ids.
    fn step(&mut self, seen: &Seen<'_>, from: &str, act: impl Fn(&mut Self, &str)) -> Said {
        let body = seen.json();
        if body["formid"].as_str().unwrap_or("").is_empty() {
            return Said::json(&errors(0, &[("业务对象不存在".into(), 0)], &[])).verdict(Verdict::Parameter);
        }
        let ids =
            body["data"]["Ids"].as_str().unwrap_or("").split(',').map(str::trim).filter(|i| !i.is_empty());
        let ids = ids.filter_map(|i| i.parse::<i64>().ok());
        let by_id = ids.filter_map(|i| self.saved.iter().find(|(_, b)| b["FID"] == i));
        let numbers: Vec<String> = match &body["data"]["Numbers"] {
            Value::Array(a) => a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            _ => by_id.map(|(n, _)| n.clone()).collect(),
        };
        if numbers.is_empty() {
            return Said::json(&errors(0, &[("单据编码或内码不能为空".into(), 0)], &[]))
                .verdict(Verdict::Parameter);
        }
        let (mut wrong, mut done) = (Vec::new(), Vec::new());
        for (at, n) in numbers.iter().enumerate() {
            match self.saved.get(n) {
                None => wrong.push((format!("单据{n}不存在"), at)),
                Some(b) if !b["FDocumentStatus"].as_str().is_some_and(|s| from.contains(s)) => {
                    wrong.push((format!("单据{n}的状态不允许此操作"), at))
                }
                Some(b) => {
                    done.push(json!({"Id": b["FID"], "Number": n, "DIndex": at}));
                    act(self, n);
                }
            }
        }
        if wrong.is_empty() {
            return Said::json(
                &json!({"Result": {"ResponseStatus": {"IsSuccess": true, "Errors": [], "SuccessEntitys": done,
                "SuccessMessages": [], "MsgCode": 0}}}),
            );
        }
        Said::json(&errors(11, &wrong, &done))
    }
}

impl Kingdee {
    fn mark(&mut self, number: &str, field: &str, to: &str) {
        if let Some(b) = self.saved.get_mut(number) {
            b[field] = json!(to);
        }
    }

    /// The next document in the chain: it names the one it was made of.
    fn push(&mut self, number: &str) {
        let next = format!("{number}-P");
        let bill =
            json!({"FID": self.next_id, "FBillNo": next, "FSrcBillNo": number, "FDocumentStatus": "Z"});
        self.next_id += 1;
        self.saved.insert(next, bill);
    }
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        _ => a.as_str().unwrap_or("").cmp(b.as_str().unwrap_or("")),
    }
}

/// `Field='value'`, `Field>='value'` and the like, joined with `and`.
fn passes(filter: &str, bill: &Value) -> bool {
    filter.split(" and ").map(str::trim).filter(|c| !c.is_empty()).all(|c| {
        let Some(op) = [">=", "<=", "=", ">", "<"].into_iter().find(|o| c.contains(o)) else { return false };
        let Some((field, value)) = c.split_once(op) else { return false };
        let value = value.trim().trim_matches('\'').replace("''", "'").replace(' ', "T");
        let own = bill[field.trim()].as_str().unwrap_or("").replace(' ', "T");
        match op {
            ">=" => own >= value,
            "<=" => own <= value,
            ">" => own > value,
            "<" => own < value,
            _ => own == value,
        }
    })
}

impl OpenApi for Kingdee {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        let Some(service) = seen
            .path
            .strip_prefix("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.")
            .and_then(|s| s.strip_suffix(".common.kdsvc"))
            .filter(|_| seen.method == "POST")
        else {
            return Said::text("404").status(404).verdict(Verdict::NotServed);
        };
        if service == "AuthService.LoginBySign" {
            return self.login(seen);
        }
        let is_query = service.ends_with("ExecuteBillQuery");
        if !self.is_signed(seen) && !self.has_session(seen) {
            let lost = errors(1, &[("会话信息已丢失，请重新登录".into(), 0)], &[]);
            let body = if is_query { json!([[lost]]) } else { lost };
            let verdict =
                if seen.header("X-Api-Signature").is_empty() { Verdict::Token } else { Verdict::Signature };
            return Said::json(&body).verdict(verdict);
        }
        match service.strip_prefix("DynamicFormService.").unwrap_or("") {
            "ExecuteBillQuery" => self.query(seen),
            "Save" => self.save(seen, false, false),
            "Draft" => self.save(seen, false, true),
            "BatchSave" => self.save(seen, true, false),
            "Submit" => self.step(seen, "ADZ", |k, n| k.mark(n, "FDocumentStatus", "B")),
            "Audit" => self.step(seen, "B", |k, n| k.mark(n, "FDocumentStatus", "C")),
            "UnAudit" => self.step(seen, "C", |k, n| k.mark(n, "FDocumentStatus", "D")),
            "Delete" => self.step(seen, "ADZ", |k, n| drop(k.saved.remove(n))),
            "Push" => self.step(seen, "C", |k, n| k.push(n)),
            "ExcuteOperation" if seen.json()["opNumber"] == "Cancel" => {
                self.step(seen, "ADZ", |k, n| k.mark(n, "FCancelStatus", "B"))
            }
            _ => Said::json(&errors(0, &[("您没有该功能的操作权限".into(), 0)], &[]))
                .verdict(Verdict::Permission),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        vec![
            ("acct_id", self.acct.clone()),
            ("user_name", "integration".into()),
            ("app_id", self.app_id.clone()),
            ("app_secret", self.secret.clone()),
        ]
    }

    fn base(&self) -> &'static str {
        "/k3cloud"
    }

    fn truth(&self, of: &str) -> BTreeMap<String, Value> {
        if of == "saved" {
            return self.saved.clone();
        }
        self.bills.iter().map(|b| (b["FPOOrderEntry_FEntryId"].to_string(), b.clone())).collect()
    }

    fn expire_token(&mut self, _now: i64) {
        self.sessions.clear();
    }

    fn error(&self, _code: i64) -> Said {
        Said { kind: "text/plain", ..Said::text("response_error:{\"Message\":\"调用失败\"}") }
            .verdict(Verdict::Fault)
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        seen.path.contains("AuthService")
    }
}
