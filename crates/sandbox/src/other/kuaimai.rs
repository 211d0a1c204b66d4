//! 快麦: one gateway; the method is a parameter; three signatures; a session that is prolonged, never replaced.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha2::Sha256;

use super::seen::get;
use super::{Common, OpenApi, Said, Seen, orders};
use crate::clock::parse_beijing;
use crate::faults::Fault;
use crate::log::Verdict;
use crate::rng::Rng;

const LIFE: i64 = 2_592_000;
const REST: i64 = 3_600;

#[derive(Debug)]
pub(super) struct Kuaimai {
    common: Common,
    app: [String; 4],
    until: i64,
    /// The session can no longer be renewed.
    dead: bool,
    refreshed: Option<i64>,
    refreshes: u32,
    trades: Vec<Value>,
    shifted: bool,
}

fn hex_upper(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

/// The signature of all parameters but `sign`: names in the order of their bytes, empty values left out.
fn sign(method: &str, secret: &str, fields: &[(String, String)]) -> Option<String> {
    let mut sorted: Vec<_> = fields.iter().filter(|(k, v)| k != "sign" && !v.is_empty()).collect();
    sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let text: String = sorted.iter().flat_map(|(k, v)| [k.as_str(), v.as_str()]).collect();
    Some(match method {
        "" | "hmac" => {
            let mut mac = Hmac::<Md5>::new_from_slice(secret.as_bytes()).ok()?;
            mac.update(text.as_bytes());
            hex_upper(&mac.finalize().into_bytes())
        }
        "md5" => hex_upper(&Md5::digest(format!("{secret}{text}{secret}"))),
        "hmac-sha256" => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
            mac.update(text.as_bytes());
            hex_upper(&mac.finalize().into_bytes())
        }
        _ => return None,
    })
}

fn fail(code: &str, msg: &str) -> Said {
    Said::json(&json!({"success": false, "code": code, "msg": msg, "traceId": "t-0"}))
}

impl Kuaimai {
    pub(super) fn new(common: &Common, now: i64) -> Self {
        let mut r = Rng::of(common.seed, 0x31, 0);
        let app = [r.hex32(), r.hex32(), r.hex32(), r.hex32()];
        let trades = (0..common.records).map(|i| orders::trade(common, i)).collect();
        Kuaimai {
            until: now + common.life.unwrap_or(LIFE) * 1000,
            common: common.clone(),
            app,
            dead: false,
            refreshed: None,
            refreshes: 0,
            trades,
            shifted: false,
        }
    }

    fn check(&self, f: &[(String, String)], now: i64) -> Result<(), Said> {
        let [key, secret, session, _] = &self.app;
        if get(f, "appKey").is_empty() {
            return Err(fail("22", "缺少appKey").verdict(Verdict::Missing));
        }
        if get(f, "appKey") != key {
            return Err(fail("23", "无效的appKey").verdict(Verdict::Signature));
        }
        let known = [
            "erp.trade.list.query",
            "erp.shop.list.query",
            "item.list.get",
            "stock.api.status.query",
            "erp.warehouse.list.query",
            "open.token.refresh",
            "open.system.time.get",
        ];
        match get(f, "method") {
            "" => return Err(fail("26", "缺少方法名参数").verdict(Verdict::Missing)),
            m if !known.contains(&m) => return Err(fail("27", "不存在的方法名").verdict(Verdict::NotServed)),
            _ => {}
        }
        match get(f, "version") {
            "" => return Err(fail("28", "缺少版本参数").verdict(Verdict::Missing)),
            "1.0" => {}
            _ => return Err(fail("29", "非法的版本参数").verdict(Verdict::Parameter)),
        }
        if get(f, "sign").is_empty() {
            return Err(fail("24", "缺少签名参数").verdict(Verdict::Missing));
        }
        if sign(get(f, "sign_method"), secret, f).as_deref() != Some(get(f, "sign")) {
            return Err(fail("25", "签名无效").verdict(Verdict::Signature));
        }
        let at = parse_beijing(get(f, "timestamp"));
        if at.is_none_or(|t| (t - now / 1000).abs() > 600) {
            return Err(fail("50", "非法的参数：timestamp").verdict(Verdict::Timestamp));
        }
        match get(f, "session") {
            "" => Err(fail("20", "缺少会话参数").verdict(Verdict::Token)),
            s if s != session || now >= self.until || self.dead => {
                Err(fail("invalid_session", "用户未启用").verdict(Verdict::Token))
            }
            _ => Ok(()),
        }
    }

    fn refresh(&mut self, f: &[(String, String)], now: i64) -> Said {
        let [_, _, session, refresh] = self.app.clone();
        if get(f, "refreshToken") != refresh {
            return fail("50", "非法的参数：refreshToken").verdict(Verdict::Token);
        }
        if self.refreshed.is_some_and(|t| now - t < REST * 1000) {
            return fail("refresh_frequently", "会话刷新太频繁了");
        }
        self.refreshed = Some(now);
        self.refreshes += 1;
        let life = self.common.life.unwrap_or(LIFE);
        self.until = now + life * 1000;
        // Both shapes are known from production.
        if self.refreshes.is_multiple_of(2) {
            return Said::json(&json!({"success": true, "code": 0}));
        }
        Said::json(
            &json!({"success": true, "session": {"expiresIn": life, "companyId": "77001", "accessToken": session,
                           "userId": 501, "refreshToken": refresh}}),
        )
    }

    fn page(&mut self, f: &[(String, String)], rows: Vec<Value>, name: &str, most: usize) -> Said {
        // Names in other spellings are not known here: the first page comes back.
        let number = |n: &str, or: usize| get(f, n).parse::<usize>().unwrap_or(or).max(1);
        let (page, size) = (number("pageNo", 1), number("pageSize", 20).min(most));
        let from = (page - 1).saturating_mul(size).min(rows.len());
        let to = (from + size).min(rows.len());
        let mut out = json!({"success": true, "total": rows.len(), "traceId": "t-1"});
        let slice: Vec<Value> = rows.get(from..to).unwrap_or(&[]).to_vec();
        let count = slice.len();
        if let Some(map) = out.as_object_mut() {
            if get(f, "useHasNext") == "true" {
                map.insert("hasNext".into(), json!(to < rows.len()));
            }
            if count > 0 {
                map.insert(name.into(), Value::Array(slice));
            }
        }
        Said::json(&out).rows(count)
    }

    fn trade_page(&mut self, f: &[(String, String)], now: i64) -> Said {
        let bound = |n: &str| parse_beijing(get(f, n)).map(|s| s * 1000);
        let stamp = match get(f, "timeType") {
            "created" => "created",
            "pay_time" => "payTime",
            _ => "updTime",
        };
        let (from, to) = (bound("startTime").unwrap_or(0), bound("endTime").unwrap_or(i64::MAX));
        let mut rows: Vec<Value> = self
            .trades
            .iter()
            .filter(|t| (from..=to).contains(&t.get(stamp).and_then(Value::as_i64).unwrap_or(0)))
            .cloned()
            .collect();
        rows.sort_by_key(|t| t.get(stamp).and_then(Value::as_i64).unwrap_or(0));
        let first = get(f, "pageNo").is_empty() || get(f, "pageNo") == "1";
        let said = self.page(f, rows, "list", 200);
        if first && !self.shifted && self.common.faults.is_mode(Fault::Shift) && said.rows > 2 {
            // Somebody changes a row of the page that was just read: it moves to the end.
            self.shifted = true;
            if let Some(t) = self.trades.get_mut(1).and_then(Value::as_object_mut) {
                t.insert("updTime".into(), json!(now - 1_000));
                t.insert("sellerMemo".into(), json!("改过"));
            }
        }
        said
    }
}

impl OpenApi for Kuaimai {
    fn answer(&mut self, seen: &Seen<'_>) -> Said {
        if seen.method != "POST" || seen.path != "/router" {
            return Said::text("404").status(404).verdict(Verdict::NotServed);
        }
        let f = seen.form();
        if let Err(said) = self.check(&f, seen.now) {
            return said;
        }
        match get(&f, "method") {
            "open.token.refresh" => self.refresh(&f, seen.now),
            "open.system.time.get" => Said::json(&json!({"success": true, "time": seen.now})),
            "erp.trade.list.query" => self.trade_page(&f, seen.now),
            "stock.api.status.query" if get(&f, "pageSize").parse::<u32>().is_ok_and(|n| n > 100) => {
                fail("20019", "页数不能超过100").verdict(Verdict::Parameter)
            }
            "erp.shop.list.query" => {
                let rows = (0..12)
                    .map(|i| json!({"userId": 501 + i, "shopId": 501 + i, "title": format!("云栖{i}店"), "source": "tm", "state": 3}))
                    .collect();
                self.page(&f, rows, "list", 100)
            }
            _ => self.page(&f, Vec::new(), "list", 100),
        }
    }

    fn account(&self) -> Vec<(&'static str, String)> {
        let names = ["app_key", "app_secret", "access_token", "refresh_token"];
        names.into_iter().zip(self.app.iter().cloned()).collect()
    }

    fn base(&self) -> &'static str {
        "/router"
    }

    fn truth(&self, _of: &str) -> BTreeMap<String, Value> {
        self.trades.iter().map(|t| (t["sid"].to_string(), t.clone())).collect()
    }

    fn expire_token(&mut self, now: i64) {
        self.until = now;
        self.dead = true;
    }

    fn error(&self, code: i64) -> Said {
        fail(&if code == -1 { "1".to_owned() } else { code.to_string() }, "服务不可用")
    }

    fn is_token_call(&self, seen: &Seen<'_>) -> bool {
        get(&seen.form(), "method") == "open.token.refresh"
    }

    fn throttled(&self) -> Said {
        Said::text("").status(429).verdict(Verdict::RateSecond)
    }
}
