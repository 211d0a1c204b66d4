//! A call on the wire: templates rendered, parameters encoded and signed. The text that is signed is the text that is
//! sent; what comes from records is encoded or refused, never spliced into addresses or headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use heliu_model::{Failure, Secret, text};
use heliu_transform::{Map, Value};

use super::account::{Account, Ask, Params};
use super::client::Wire;
use super::decode::to_xml;
use crate::manifest::{
    Call, CallScope, Charset, Encoding, PairList, Sign, SignPlace, Template, Values, to_template,
};

/// Between an access token and the cookies of its session.
pub(super) const SESSION: char = '\u{1f}';

/// What one encoding needs besides the call.
pub(super) struct Setting<'a> {
    pub call: &'a Call,
    pub token: Option<&'a Secret>,
    pub refresh: Option<&'a Secret>,
    /// Discovered addresses.
    pub addresses: &'a BTreeMap<String, String>,
}

impl Account {
    pub(super) fn template(&self, t: &Template, scope: &Arc<CallScope>) -> Result<String, Failure> {
        self.manifest.templates.render(t, scope).map_err(|why| self.template_failed(&why))
    }

    pub(super) fn template_failed(&self, why: &str) -> Failure {
        let why = why.to_owned();
        Failure::config("HL-1041", text!("a template of the manifest fails: {why}", "清单中的模板出错:{why}"))
            .at(format!("platforms/{}.toml", self.manifest.name()))
    }

    pub(super) fn scope(&self, set: &Setting<'_>) -> CallScope {
        let now = self.ports.clock.now();
        let uses = self.manifest.templates.uses;
        let whole = set.token.map_or("", Secret::expose);
        CallScope {
            credentials: self.values.clone(),
            token: whole.split(SESSION).next().unwrap_or("").to_owned(),
            refresh_token: set.refresh.map_or("", Secret::expose).to_owned(),
            now_ms: now.0,
            nonce: if uses.nonce { random_text(now.0, self.ports.clock.jitter(), 6) } else { String::new() },
            uuid: if uses.uuid { uuid(&self.ports) } else { String::new() },
            ..CallScope::default()
        }
    }

    /// The request on the wire.
    pub(super) fn encode(&self, ask: &Ask, set: &Setting<'_>) -> Result<Wire, Failure> {
        let call = set.call;
        let api = ask.route.api.as_deref();
        let method = api
            .and_then(|a| a.form.method.clone())
            .or_else(|| call.method.clone())
            .unwrap_or_else(|| ask.method.clone());
        let shape = api.and_then(|a| a.body.as_ref()).or(call.body.as_ref());
        let needs_text = shape.is_none() || call.wants_params;
        let mut scope = CallScope {
            api: ask.path.clone(),
            method: method.clone(),
            key: ask.key.clone(),
            row: ask.row.clone(),
            params: if needs_text { ask.params.to_json() } else { String::new() },
            ..self.scope(set)
        };
        if call.wants_values || api.is_some_and(|a| a.url.is_some()) || shape.is_some() {
            scope.request = to_template(&ask.request);
            scope.other = to_template(&ask.other);
        }
        let mut scope = Arc::new(scope);
        let address = self.address(call, set, ask, &scope)?;
        let path = match api.and_then(|a| a.url.as_ref()).or(call.path.as_ref()) {
            Some(t) => safe_path(self.template(t, &scope)?)?,
            None => ask.path.clone(),
        };
        let mut url = join(&address, &path)?;
        {
            let s = Arc::make_mut(&mut scope);
            s.path = path_of(&url).to_owned();
            s.url = url.clone();
        }
        let mut headers: Vec<(String, String)> = vec![("accept".into(), "application/json".into())];
        let mut query = self.pairs(&call.query, &scope)?;
        let encoding = match call.encoding {
            Encoding::Auto if matches!(method.as_str(), "GET" | "DELETE" | "HEAD") => Encoding::Query,
            Encoding::Auto => Encoding::Json,
            other => other,
        };
        let mut fields = self.pairs(&call.fields, &scope)?;
        if call.spread || (encoding == Encoding::Query && call.fields.is_empty()) {
            fields.extend(ask.params.pairs(call.spread));
        }
        // What is empty is neither signed nor sent.
        if call.spread || !call.fields.is_empty() {
            fields.retain(|(_, v)| !v.is_empty());
        }
        query.retain(|(_, v)| !v.is_empty());
        if let Some(sign) = &call.sign {
            let pairs = if sign.place == SignPlace::Query { &mut query } else { &mut fields };
            let list = minijinja::Value::from_object(PairList(pairs.clone()));
            let s = Arc::make_mut(&mut scope);
            if sign.place == SignPlace::Query {
                s.query = Some(list)
            } else {
                s.fields = Some(list)
            }
            let signature = self.template(self.sign_template(sign)?, &scope)?;
            // A signature that came out empty (its secret is not configured) is not sent.
            if !signature.is_empty() {
                pairs.push((sign.field.clone(), signature));
            }
        }
        let mut body = Bytes::new();
        match encoding {
            Encoding::Query => query.extend(fields.iter().cloned()),
            Encoding::Form => {
                headers
                    .push(("content-type".into(), "application/x-www-form-urlencoded;charset=UTF-8".into()));
                body = Bytes::from(form_text(&fields));
            }
            Encoding::Multipart => {
                let boundary = format!("heliu{}", uuid(&self.ports));
                headers.push(("content-type".into(), format!("multipart/form-data; boundary={boundary}")));
                body = Bytes::from(multipart(&fields, &boundary));
            }
            Encoding::Json | Encoding::Xml => {
                let made = match shape {
                    Some(shape) => {
                        let params = ask.params.to_value();
                        let values = Values {
                            params: &params,
                            request: &ask.request,
                            other: &ask.other,
                            rows: &ask.rows,
                        };
                        let made = shape.make(&values, &self.manifest.templates, &scope);
                        Some(made.map_err(|why| self.template_failed(&why))?)
                    }
                    None => None,
                };
                let (text, kind) = if encoding == Encoding::Json {
                    (made.map_or_else(|| scope.params.clone(), |v| v.to_json()), "application/json")
                } else {
                    let mut out =
                        format!("<?xml version=\"1.0\" encoding=\"{}\"?>", charset_name(call.charset));
                    to_xml(&call.root, &made.unwrap_or_else(|| ask.params.to_value()), &mut out);
                    (out, "application/xml")
                };
                headers
                    .push(("content-type".into(), format!("{kind}; charset={}", charset_name(call.charset))));
                body = in_charset(text, call.charset)?;
            }
            Encoding::None | Encoding::Auto => {}
        }
        if !query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&form_text(&query));
        }
        if !call.headers.is_empty() {
            let s = Arc::make_mut(&mut scope);
            s.url.clone_from(&url);
            s.body = String::from_utf8_lossy(&body).into_owned();
            s.fields = Some(minijinja::Value::from_object(PairList(fields)));
            s.query = Some(minijinja::Value::from_object(PairList(query)));
            for (name, value) in self.pairs(&call.headers, &scope)? {
                if !value.is_empty() && !name.is_empty() {
                    // What the manifest says takes the place of what is sent by default.
                    headers.retain(|(k, _)| {
                        !k.eq_ignore_ascii_case("accept") || !name.eq_ignore_ascii_case("accept")
                    });
                    headers.push((name, value));
                }
            }
        }
        if call.token
            && let Some((_, cookies)) = set.token.and_then(|t| t.expose().split_once(SESSION))
            && !cookies.is_empty()
        {
            headers.push(("cookie".into(), cookies.to_owned()));
        }
        for (name, value) in &headers {
            if value.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f) {
                let name = name.to_owned();
                return Err(Failure::data(
                    "HL-3004",
                    text!("the header `{name}` would hold a line break", "请求头 `{name}` 中含有换行符"),
                ));
            }
        }
        Ok(Wire { method, url, headers, body, first_byte: self.first_byte(ask) })
    }

    /// What stands behind the base address in a link that a reply gave. Only path and parameters of it count: no
    /// reply leads the credentials to another address. A key among the parameters is left out: it is added anew.
    pub(super) fn below_base(&self, link: &str) -> Result<String, Failure> {
        let bad = |why: String| {
            let link = self.mask(None).text(link);
            Failure::config(
                "HL-3014",
                text!(
                    "the link to the next page `{link}` cannot be followed: {why}",
                    "无法访问下一页链接 `{link}`:{why}"
                ),
            )
        };
        let base = reqwest::Url::parse(&format!("{}/", self.base_url)).map_err(|e| bad(e.to_string()))?;
        let mut url = base.join(link).map_err(|e| bad(e.to_string()))?;
        if self.value("key_in") == "query" {
            let name = self.value("key_name");
            let kept: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(k, _)| k.as_ref() != name)
                .map(|(k, v)| (k.into_owned(), v.into_owned()))
                .collect();
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
        let path = url.path().strip_prefix(base.path().trim_end_matches('/')).ok_or_else(|| {
            let base = &self.base_url;
            bad(format!("it is not below `{base}`"))
        })?;
        Ok(match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        })
    }

    fn first_byte(&self, ask: &Ask) -> Option<std::time::Duration> {
        let own = ask.route.api.as_ref().and_then(|a| a.form.limits.timeout_seconds);
        own.or(self.manifest.form.limits.timeout_seconds).map(std::time::Duration::from_secs)
    }

    /// Where the call goes. Addresses are the connector's or the manifest's, never data.
    fn address(
        &self,
        call: &Call,
        set: &Setting<'_>,
        ask: &Ask,
        scope: &Arc<CallScope>,
    ) -> Result<String, Failure> {
        let base = || {
            let found = set.addresses.get("base").cloned();
            let variant = ask.route.base_url.as_ref().filter(|_| !self.own_base);
            found.or_else(|| variant.cloned()).unwrap_or_else(|| self.base_url.clone())
        };
        Ok(match &call.address {
            None => base(),
            Some(Template::Text(name)) if !name.contains("://") => match set.addresses.get(name.as_ref()) {
                Some(found) => found.clone(),
                None => base(),
            },
            Some(Template::Text(whole)) if self.own_base => {
                let _ = whole;
                base()
            }
            Some(t) => match self.template(t, scope)? {
                s if s.is_empty() => base(),
                s if s.contains("://") => s,
                s => format!("{}/{}", base().trim_end_matches('/'), s.trim_start_matches('/')),
            },
        })
    }

    fn sign_template<'a>(&self, sign: &'a Sign) -> Result<&'a Template, Failure> {
        let chosen = match &sign.by {
            Some(by) => sign.methods.get(self.value(by)),
            None => sign.template.as_ref(),
        };
        chosen.or(sign.template.as_ref()).ok_or_else(|| {
            let by = sign.by.clone().unwrap_or_default();
            let given = self.value(&by).to_owned();
            let known = sign.methods.keys().cloned().collect::<Vec<_>>().join(", ");
            Failure::config(
                "HL-1032",
                text!(
                    "`{by} = \"{given}\"` is not known; use {known}",
                    "未知的 `{by} = \"{given}\"`;可用 {known}"
                ),
            )
            .at(format!("connectors/{}", self.name))
        })
    }

    fn pairs(
        &self,
        list: &[(Template, Template)],
        scope: &Arc<CallScope>,
    ) -> Result<Vec<(String, String)>, Failure> {
        list.iter().map(|(k, v)| Ok((self.template(k, scope)?, self.template(v, scope)?))).collect()
    }
}

impl Params {
    fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(256);
        match self {
            Params::Object(map) => write_object(map, &mut out),
            Params::Any(v) => v.write_json(&mut out),
        }
        String::from_utf8(out).unwrap_or_default()
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Params::Object(map) => Value::Object(map.clone()),
            Params::Any(v) => v.clone(),
        }
    }

    /// Names and values. In a query a list repeats its name; flat in a form (`json`) it is JSON text, as objects are.
    fn pairs(&self, json: bool) -> Vec<(String, String)> {
        let Params::Object(map) = self else { return Vec::new() };
        let mut out = Vec::new();
        for (k, v) in map.iter() {
            match v {
                Value::Array(items) if !json => out.extend(items.iter().map(|i| (k.to_owned(), i.in_text()))),
                Value::Null => out.push((k.to_owned(), String::new())),
                other => out.push((k.to_owned(), other.in_text())),
            }
        }
        out
    }
}

fn write_object(map: &Map, out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (k, v)) in map.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        Value::from(k).write_json(out);
        out.push(b':');
        v.write_json(out);
    }
    out.push(b'}');
}

fn form_text(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn multipart(fields: &[(String, String)], boundary: &str) -> String {
    let mut out = String::new();
    for (k, v) in fields {
        let name: String = k.chars().filter(|c| !matches!(c, '"' | '\r' | '\n')).collect();
        out.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{v}\r\n"
        ));
    }
    out.push_str(&format!("--{boundary}--\r\n"));
    out
}

fn charset_name(c: Charset) -> &'static str {
    match c {
        Charset::Utf8 => "utf-8",
        Charset::Gbk => "GBK",
    }
}

fn in_charset(text: String, charset: Charset) -> Result<Bytes, Failure> {
    if charset == Charset::Utf8 {
        return Ok(Bytes::from(text));
    }
    let (bytes, _, lost) = encoding_rs::GBK.encode(&text);
    if lost {
        return Err(Failure::data(
            "HL-3007",
            text!(
                "the record holds characters that GBK does not have (such as emoji)",
                "数据中含有 GBK 无法表示的字符(例如表情符号)"
            ),
        ));
    }
    Ok(Bytes::from(bytes.into_owned()))
}

/// A path that a template made: no way out of the address, no query, no fragment.
fn safe_path(path: String) -> Result<String, Failure> {
    if path.bytes().any(|b| b <= 0x20 || b == 0x7f || matches!(b, b'?' | b'#' | b'\\')) {
        return Err(Failure::data(
            "HL-3004",
            text!("`{path}` is no path of an interface", "`{path}` 不是接口路径"),
        ));
    }
    Ok(path)
}

/// Address and path. An interface name may not lead elsewhere, with credentials along.
fn join(address: &str, path: &str) -> Result<String, Failure> {
    let bad = |why: (&str, &str)| {
        let (path, en, zh) = (path.to_owned(), why.0, why.1);
        Failure::config(
            "HL-3003",
            text!("an interface name is a path: `{path}` {en}", "接口名应为路径:`{path}` {zh}"),
        )
    };
    if path.contains("://") || path.starts_with("//") {
        return Err(bad(("is an address", "是一个地址")));
    }
    let only = path.split(['?', '#']).next().unwrap_or("");
    let dots = |s: &str| {
        let s = s.replace("%2e", ".").replace("%2E", ".");
        s == "." || s == ".."
    };
    if only.split(['/', '\\']).any(dots) {
        return Err(bad(("leads out of its place with dots", "含有 `.` 或 `..` 路径段")));
    }
    let address = address.trim_end_matches('/');
    Ok(if path.is_empty() {
        address.to_owned()
    } else if path.starts_with('/') {
        format!("{address}{path}")
    } else {
        format!("{address}/{path}")
    })
}

/// The path part of an address.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, r)| r);
    let path = rest.find('/').and_then(|i| rest.get(i..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or("/")
}

/// Random letters and digits that nobody mistakes for each other.
pub(super) fn random_text(now: i64, jitter: f64, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut n = (now as u64) ^ ((jitter * 1e15) as u64);
    (0..length)
        .map(|_| {
            let c = LETTERS.get((n % LETTERS.len() as u64) as usize).copied().unwrap_or(b'A');
            n = n / LETTERS.len() as u64 + 7;
            char::from(c)
        })
        .collect()
}

/// 32 hexadecimal digits that differ from call to call.
fn uuid(ports: &super::Ports) -> String {
    let mut h = blake3::Hasher::new();
    h.update(&ports.clock.now().0.to_le_bytes());
    h.update(&ports.clock.jitter().to_le_bytes());
    h.update(&ports.clock.monotonic_ms().to_le_bytes());
    h.update(ports.owner.as_bytes());
    h.finalize().to_hex().get(..32).unwrap_or("").to_owned()
}
