//! Signatures of all platforms held to published and independently computed ones, through the built-in manifests; the
//! signatures of typical wrong implementations must differ.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::budget::{Limits, Throttle, Usage};
use heliu_model::ports::{Budget, Clock, RefreshStart, Slot, TokenEvent, TokenPair, TokenRow, Tokens};
use heliu_model::{CallKind, ConnectorSpec, Failure, Secret, Ts};
use heliu_transform::Value;
use serde_json::Value as Json;

use super::account::{Account, Ask, Params};
use super::client::{Client, Reach, Timeouts, Wire};
use super::encode::Setting;
use crate::manifest::{CallScope, Manifest, PairList, Templates};

/// Stands still, remembers nothing.
struct Still(i64);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Ts {
        Ts(self.0)
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
    async fn sleep_ms(&self, _: u64) {}
    fn jitter(&self) -> f64 {
        0.5
    }
}

#[async_trait]
impl Tokens for Still {
    async fn load(&self, _: &str) -> Result<Option<TokenRow>, Failure> {
        Ok(None)
    }
    async fn adopt(&self, _: &str, pair: &TokenPair, origin: &str, now: Ts) -> Result<TokenRow, Failure> {
        Ok(TokenRow {
            pair: pair.clone(),
            generation: 1,
            origin: origin.into(),
            broken_refresh: None,
            needs_authorisation: false,
            stored_at: now,
        })
    }
    async fn begin_refresh(&self, _: &str, _: u64, _: &str, _: Ts, _: u64) -> Result<RefreshStart, Failure> {
        Ok(RefreshStart::Yours { broken: false })
    }
    async fn end_refresh(
        &self,
        _: &str,
        _: &str,
        _: Option<&TokenPair>,
        _: bool,
        _: &TokenEvent,
    ) -> Result<Option<TokenRow>, Failure> {
        Ok(None)
    }
    async fn history(&self, _: &str, _: usize) -> Result<Vec<TokenEvent>, Failure> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Budget for Still {
    async fn reserve(&self, _: &str, _: &Limits, _: &str, _: Ts) -> Result<Slot, Failure> {
        Ok(Slot::Go(1))
    }
    async fn release(&self, _: i64, _: Ts) -> Result<(), Failure> {
        Ok(())
    }
    async fn hold(&self, _: &str, _: Ts) -> Result<(), Failure> {
        Ok(())
    }
    async fn slow(&self, _: &str, _: &Limits, told: &Throttle, _: Ts) -> Result<Ts, Failure> {
        Ok(told.until)
    }
    async fn usage(&self, _: Option<&str>, _: Ts) -> Result<Vec<Usage>, Failure> {
        Ok(Vec::new())
    }
}

fn source(platform: &str) -> String {
    let file = format!("{}/../../platforms/{platform}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).unwrap()
}

pub(super) fn account(
    manifest: &str,
    base: Option<&str>,
    now_ms: i64,
    credentials: &[(&str, &str)],
) -> Account {
    let manifest = Manifest::read(manifest, "test.toml").unwrap_or_else(|p| panic!("{p:#?}"));
    let spec = ConnectorSpec {
        name: "test".into(),
        base_url: base.map(str::to_owned),
        credentials: credentials.iter().map(|(k, v)| ((*k).to_owned(), Secret::new(*v))).collect(),
        ..ConnectorSpec::default()
    };
    let still = Arc::new(Still(now_ms));
    let client = Client::new(Timeouts::default(), &Reach::default()).unwrap();
    let ports = super::Ports {
        clock: still.clone(),
        tokens: still.clone(),
        budget: still,
        owner: "t".into(),
        client,
    };
    Account::new(manifest, &spec, ports).unwrap_or_else(|p| panic!("{p:#?}"))
}

fn built_in(platform: &str, base: Option<&str>, now_ms: i64, credentials: &[(&str, &str)]) -> Account {
    account(&source(platform), base, now_ms, credentials)
}

pub(super) fn wire(account: &Account, api: &str, params: &str, token: &str) -> Wire {
    let route = account.route(api);
    let params = Value::parse(params.as_bytes()).unwrap();
    let map = params.as_object().unwrap().clone();
    let mut ask = Ask::new(CallKind::Fetch, "POST", route.path.clone(), map, route.clone());
    ask.request = params;
    let (token, none) = (Secret::new(token), BTreeMap::new());
    let set = Setting { call: &route.call, token: Some(&token), refresh: None, addresses: &none };
    account.encode(&ask, &set).unwrap()
}

fn first_token(account: &Account) -> Wire {
    let token = account.manifest.token.as_ref().unwrap();
    let none = BTreeMap::new();
    let set = Setting { call: token.first.as_ref().unwrap(), token: None, refresh: None, addresses: &none };
    let ask =
        Ask::new(CallKind::Token, "POST", String::new(), heliu_transform::Map::new(), account.route(""));
    account.encode(&ask, &set).unwrap()
}

fn pairs(form: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(form.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

fn get(list: &[(String, String)], name: &str) -> String {
    list.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone()).unwrap_or_default()
}

fn file() -> Json {
    serde_json::from_str(include_str!("../../tests/data/signatures.json")).unwrap()
}

fn text(v: &Json) -> String {
    match v {
        Json::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// The signature rule of a manifest over parameters as they are.
fn signed(account: &Account, params: &Json) -> String {
    let list = params.as_object().unwrap().iter().map(|(k, v)| (k.clone(), text(v))).collect();
    let call = account.route("x").call.clone();
    let sign = call.sign.as_ref().unwrap();
    let template = match &sign.by {
        Some(by) => &sign.methods[account.value(by)],
        None => sign.template.as_ref().unwrap(),
    };
    let scope = Arc::new(CallScope {
        credentials: account.values.clone(),
        fields: Some(minijinja::Value::from_object(PairList(list))),
        ..CallScope::default()
    });
    account.manifest.templates.render(template, &scope).unwrap()
}

/// A template of no built-in manifest.
fn rendered(template: &str, values: &[(&str, String)], fields: &[(String, String)], body: &str) -> String {
    let mut templates = Templates::new(chrono_tz::Asia::Shanghai);
    let t = templates.compile("t", template);
    assert_eq!(templates.problems, []);
    let credentials = values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let scope = Arc::new(CallScope {
        credentials: Arc::new(credentials),
        fields: Some(minijinja::Value::from_object(PairList(fields.to_vec()))),
        body: body.into(),
        ..CallScope::default()
    });
    templates.render(&t, &scope).unwrap()
}

fn kingdee(v: &Json, auth: &str) -> Account {
    let i = &v["inputs"];
    let or = |name: &str, other: &str| if i[name].is_null() { other.to_owned() } else { text(&i[name]) };
    let now = i["timestamp"].as_i64().unwrap() * 1000;
    built_in(
        "kingdee",
        Some("https://k3.example.test/k3cloud/"),
        now,
        &[
            ("acct_id", &or("acct_id", "")),
            ("user_name", &or("user_name", "")),
            ("app_id", &or("app_id", "")),
            ("app_secret", &or("app_secret", "")),
            ("lcid", &or("lcid", "2052")),
            ("org_num", &or("org_num", "0")),
            ("auth", auth),
        ],
    )
}

/// An application id without the 32 characters that hide a secret is signed with none, as the official kit does it:
/// installations of one's own have such. The wanted digests are those of another implementation.
#[test]
fn a_kingdee_application_id_of_any_form_is_signed() {
    for (id, client) in [("app", "app"), ("123_abc", "123"), ("9_c2hvcnQ=", "9")] {
        let credentials = [
            ("acct_id", "a"),
            ("user_name", "u"),
            ("app_id", id),
            ("app_secret", "s"),
            ("lcid", "2052"),
            ("org_num", "0"),
        ];
        let account = built_in("kingdee", Some("http://k3.test/k3cloud/"), 1_700_000_000_000, &credentials);
        let w = wire(&account, "executeBillQuery", "{}", "");
        assert_eq!(get(&w.headers, "X-Api-ClientID"), client);
        assert_eq!(
            get(&w.headers, "X-Api-Signature"),
            "MWMxYzAyODg5Mzg3YjdiNzE4ZTRlMDg1NjZhM2Y2OTE2NDNjNzk0MmMyM2JhYTYzNDJiNDM1M2JhYmVmYTc2NQ=="
        );
    }
}

/// Documents leave the first slash of a path out; it is the same interface, with its address and its pages.
#[test]
fn a_path_without_its_first_slash_is_the_same_interface() {
    let account = built_in("dingtalk", None, 0, &[("app_key", "k"), ("app_secret", "s")]);
    for (with, without) in [
        ("/topapi/processinstance/listids", "topapi/processinstance/listids"),
        ("/topapi/attendance/list", "topapi/attendance/list"),
        ("/v1.0/workflow/processInstances", "v1.0/workflow/processInstances"),
    ] {
        let (a, b) = (account.route(with), account.route(without));
        assert_eq!((&a.path, &a.base_url), (&b.path, &b.base_url));
        assert_eq!(a.api.is_some(), b.api.is_some(), "{with}");
    }
    assert_eq!(
        account.route("topapi/attendance/list").base_url.as_deref(),
        Some("https://oapi.dingtalk.com")
    );
    let jst = built_in("jushuitan", None, 0, &[("app_key", "k"), ("app_secret", "s")]);
    for name in ["/open/shops/query", "open/shops/query", "shops.query"] {
        assert_eq!(jst.route(name).path, "/open/shops/query", "{name}");
    }
    assert!(jst.route("open/shops/query").api.is_some());
}

/// Our signature for a vector.
fn ours(v: &Json) -> String {
    let p = &v["params"];
    let secret = text(&v["secret"]);
    let list: Vec<(String, String)> =
        p.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect();
    let at = |name: &str| text(&p[name]);
    match v["algorithm"].as_str().unwrap() {
        "jushuitan-v2-md5" => {
            signed(&built_in("jushuitan", None, 0, &[("app_key", "k"), ("app_secret", &secret)]), p)
        }
        "kuaimai-md5" | "kuaimai-hmac-md5" | "kuaimai-hmac-sha256" => {
            let method = at("sign_method");
            let credentials =
                [("app_key", "k"), ("app_secret", &secret), ("access_token", "t"), ("sign_method", &method)];
            signed(&built_in("kuaimai", None, 0, &credentials), p)
        }
        "jushuitan-v1-md5" => rendered(
            "{{ (credentials.method ~ credentials.partnerid ~ 'token' ~ credentials.token ~ 'ts' ~ credentials.ts ~ credentials.partnerkey) | md5 }}",
            &["method", "partnerid", "token", "ts", "partnerkey"].map(|n| (n, at(n))),
            &[],
            "",
        ),
        "jushuitan-v1-push-md5" => {
            let rest: String = list
                .iter()
                .filter(|(k, _)| !["method", "sign", "partnerid", "partnerkey"].contains(&k.as_str()))
                .map(|(k, v)| format!("{k}{v}"))
                .collect();
            rendered(
                "{{ (credentials.method ~ 'erp' ~ credentials.rest ~ 'erp') | md5 }}",
                &[("method", at("method")), ("rest", rest)],
                &[],
                "",
            )
        }
        "jushuitan-qimen-top-md5" => rendered(
            "{{ (credentials.secret ~ (fields | sorted_pairs) ~ credentials.secret) | md5 | upper }}",
            &[("secret", text(&v["secrets"]["taobao_app_secret"]))],
            &list,
            "",
        ),
        "kingdee-api-sign-headers" => {
            let account = kingdee(v, "header");
            let url = text(&v["inputs"]["url"]);
            let api = if url.contains("ExecuteBillQuery") { "executeBillQuery" } else { "save" };
            let w = wire(&account, api, "{}", "");
            assert_eq!(w.url, url);
            for (name, value) in v["headers"].as_object().unwrap() {
                assert_eq!(get(&w.headers, name), text(value), "{name}");
            }
            get(&w.headers, "X-Api-Signature")
        }
        "kingdee-login-by-sign" => {
            let w = first_token(&kingdee(v, "login"));
            let body: Json = serde_json::from_slice(&w.body).unwrap();
            assert_eq!(body["parameters"], v["request_parameters"]);
            text(&body["parameters"][4])
        }
        "yonyou-hmac-sha256" => {
            let now: i64 = at("timestamp").parse().unwrap();
            let account = built_in(
                "yonyou",
                None,
                now,
                &[("app_key", &at("appKey")), ("app_secret", &secret), ("tenant_id", "t")],
            );
            let w = first_token(&account);
            let encoded = text(&v["signature_url_encoded"]);
            assert!(w.url.ends_with(&format!("signature={encoded}")), "{}", w.url);
            get(&pairs(w.url.split_once('?').unwrap().1), "signature")
        }
        "dingtalk-robot-hmac-sha256" => {
            let hook = "https://oapi.example.test/robot/send?access_token=abc";
            let account = built_in(
                "dingtalk",
                None,
                v["timestamp"].as_i64().unwrap(),
                &[("webhook", hook), ("secret", &secret)],
            );
            let w = wire(&account, "/robot/send", r#"{"msgtype":"text"}"#, "");
            let encoded = text(&v["signature_url_encoded"]);
            assert_eq!(w.url, format!("{hook}&timestamp={}&sign={encoded}", v["timestamp"]));
            get(&pairs(w.url.split_once('?').unwrap().1), "sign")
        }
        "dingtalk-callback-sha1" | "wecom-callback-sha1" => rendered(
            "{{ [credentials.token, credentials.timestamp, credentials.nonce, credentials.encrypt] | sort(case_sensitive=true) | join | sha1 }}",
            &["token", "timestamp", "nonce", "encrypt"].map(|n| (n, text(&v[n]))),
            &[],
            "",
        ),
        "okki-password-sha256" => {
            let account = built_in(
                "okki",
                None,
                0,
                &[
                    ("client_id", "c"),
                    ("client_secret", "s"),
                    ("username", "u"),
                    ("password", &text(&v["inputs"]["password"])),
                ],
            );
            let form = pairs(std::str::from_utf8(&first_token(&account).body).unwrap());
            assert_eq!(get(&form, "grant_type"), "password");
            get(&form, "password")
        }
        "qeasy-webhook-hmac-sha256" => rendered(
            "sha256={{ body | hmac_sha256(credentials.secret) }}",
            &[("secret", secret)],
            &[],
            &text(&v["body"]),
        ),
        other => panic!("no rule for {other}"),
    }
}

#[test]
fn every_vector_is_met() {
    let all = file();
    let list = all["vectors"].as_array().unwrap();
    assert!(list.len() > 40, "{}", list.len());
    for v in list {
        assert_eq!(ours(v), text(&v["signature"]), "{}", v["id"]);
    }
}

#[test]
fn no_near_miss_is_ours() {
    let all = file();
    let find = |id: &Json| all["vectors"].as_array().unwrap().iter().find(|v| v["id"] == *id).cloned();
    let mut met = 0;
    for miss in all["near_misses"].as_array().unwrap() {
        let Some(v) = find(&miss["vector"]) else { continue };
        let ours = ours(&v);
        assert_ne!(ours, text(&miss["wrong_signature"]), "{miss}");
        assert_eq!(ours, text(&miss["correct_signature"]), "{miss}");
        met += 1;
    }
    assert_eq!(met, all["near_misses"].as_array().unwrap().len());
}

#[test]
fn whole_requests_equal_the_published_ones() {
    let all = file();
    let find = |id: &str| all["vectors"].as_array().unwrap().iter().find(|v| v["id"] == id).cloned().unwrap();
    let v = find("jst2-shops-query");
    let p = &v["params"];
    let account = built_in(
        "jushuitan",
        None,
        text(&p["timestamp"]).parse::<i64>().unwrap() * 1000,
        &[("app_key", &text(&p["app_key"])), ("app_secret", &text(&v["secret"]))],
    );
    let w = wire(&account, "/open/shops/query", &text(&p["biz"]), &text(&p["access_token"]));
    let (mut ours, mut theirs) =
        (pairs(std::str::from_utf8(&w.body).unwrap()), pairs(&text(&v["form_body"])));
    ours.sort();
    theirs.sort();
    assert_eq!((ours, w.url.as_str()), (theirs, "https://openapi.jushuitan.com/open/shops/query"));
    for id in ["km-same-md5", "km-same-hmac", "km-published-hmac-sha256"] {
        let v = find(id);
        let p = &v["params"];
        // 2020-09-21 16:58:00 in Beijing.
        let account = built_in(
            "kuaimai",
            None,
            1_600_678_680_000,
            &[
                ("app_key", &text(&p["appKey"])),
                ("app_secret", &text(&v["secret"])),
                ("access_token", &text(&p["session"])),
                ("sign_method", &text(&p["sign_method"])),
            ],
        );
        let w = wire(&account, "open.system.time.get", "{}", &text(&p["session"]));
        let (mut ours, mut theirs) =
            (pairs(std::str::from_utf8(&w.body).unwrap()), pairs(&text(&v["form_body"])));
        ours.sort();
        theirs.sort();
        assert_eq!((ours, w.url.as_str()), (theirs, "https://gw.superboss.cc/router"), "{id}");
    }
}

#[test]
fn what_records_hold_leads_nowhere() {
    let account = account(
        "name = \"t\"\n[request]\nmethod = \"POST\"\nheaders = { X-Who = \"{{ request.who }}\" }\n[[apis]]\npath = \"say\"\nurl = \"/a/{{ request.where }}\"\n",
        Some("https://h.example.test/api"),
        0,
        &[],
    );
    let encode = |who: &str, place: &str| {
        let route = account.route("say");
        let mut map = heliu_transform::Map::new();
        map.insert("who", Value::from(who));
        map.insert("where", Value::from(place));
        let mut ask = Ask::new(CallKind::Write, "POST", "say".into(), map.clone(), route.clone());
        ask.request = Value::Object(map.clone());
        ask.params = Params::Object(map);
        let none = BTreeMap::new();
        account.encode(&ask, &Setting { call: &route.call, token: None, refresh: None, addresses: &none })
    };
    assert_eq!(encode("me", "b").unwrap().url, "https://h.example.test/api/a/b");
    assert!(encode("me\r\nX-Admin: 1", "b").is_err());
    for bad in ["../../admin", "%2e%2e/admin", "x?admin=1", "x#y", "b\\..\\c", "http://evil.example/", "x y"]
    {
        assert!(encode("me", bad).is_err(), "{bad}");
    }
    assert!(wire_is_err(&account, "//evil.example/x") && wire_is_err(&account, "https://evil.example/x"));
}

fn wire_is_err(account: &Account, api: &str) -> bool {
    let route = account.route(api);
    let ask = Ask::new(CallKind::Fetch, "GET", api.into(), heliu_transform::Map::new(), route.clone());
    let none = BTreeMap::new();
    account
        .encode(&ask, &Setting { call: &route.call, token: None, refresh: None, addresses: &none })
        .is_err()
}

/// Not a test of speed on a busy machine: the figures are printed by `--nocapture`, and only gross slowness fails.
#[test]
fn signing_is_fast_enough() {
    let jst = built_in("jushuitan", None, 0, &[("app_key", "k"), ("app_secret", "s")]);
    let km = built_in("kuaimai", None, 0, &[("app_key", "k"), ("app_secret", "s"), ("access_token", "t")]);
    let biz = r#"{"modified_begin":"2026-01-01 00:00:00","modified_end":"2026-01-07 00:00:00","page_index":1,"page_size":50}"#;
    for (name, account, api) in
        [("jushuitan", &jst, "/open/orders/out/simple/query"), ("kuaimai", &km, "erp.trade.list.query")]
    {
        let rounds = 2_000_u32;
        let started = std::time::Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(wire(account, api, biz, "t"));
        }
        let each = started.elapsed() / rounds;
        println!("{name}: {each:?} a request");
        assert!(each.as_micros() < 2_000, "{name}: {each:?}");
    }
    let started = std::time::Instant::now();
    let text = source("kingdee");
    Manifest::read(&text, "kingdee.toml").unwrap();
    println!("kingdee.toml: {:?}", started.elapsed());
}
