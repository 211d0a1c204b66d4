//! From a call to what travels: encoding, templates, signature, authentication.

use base64::Engine as _;
use bytes::Bytes;
use heliu_model::{ConnectorSpec, Failure, Problem, Secret, Ts, text};
use heliu_transform::Value;
use minijinja::context;

use super::account::{Account, Ask, Params};
use super::client::Wire;

impl Account {
    pub(super) fn template(&self, name: &str, context: &minijinja::Value) -> Result<String, Failure> {
        self.manifest.templates.render(name, context).map_err(|why| {
            Failure::config(
                "HL-1041",
                text!("a template of the manifest fails: {why}", "清单中的模板出错:{why}"),
            )
            .at(format!("platforms/{}.toml", self.manifest.name))
        })
    }

    pub(super) fn context(
        &self,
        token: Option<&Secret>,
        params: &str,
        fields: &[(String, String)],
    ) -> minijinja::Value {
        let credentials: minijinja::Value =
            self.credentials.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect();
        let now = self.ports.clock.now();
        context! {
            credentials,
            token => token.map(Secret::expose).unwrap_or(""),
            refresh_token => "",
            now => now.secs().to_string(),
            now_ms => now.0.to_string(),
            nonce => nonce(now, self.ports.clock.jitter()),
            params,
            fields,
        }
    }

    /// The request on the wire: the text that is signed is the text that is sent.
    pub(crate) fn encode(&self, ask: &Ask, token: Option<&Secret>) -> Result<Wire, Failure> {
        let form = &self.manifest.request;
        let method = form.method.clone().unwrap_or_else(|| ask.method.clone());
        let mut url = if ask.path.starts_with("http://") || ask.path.starts_with("https://") {
            // The address belongs to the connector: an interface name may not lead credentials elsewhere.
            let path = &ask.path;
            return Err(Failure::config(
                "HL-3003",
                text!(
                    "an interface name is a path, not an address: `{path}`",
                    "接口名应为路径而不是地址:`{path}`"
                ),
            ));
        } else if ask.path.starts_with('/') {
            format!("{}{}", self.base_url, ask.path)
        } else {
            format!("{}/{}", self.base_url, ask.path)
        };
        let json = match &ask.params {
            Params::Object(map) => Value::Object(map.clone()).to_json(),
            Params::Any(v) => v.to_json(),
        };
        let mut headers: Vec<(String, String)> = vec![("accept".into(), "application/json".into())];
        let mut body = Bytes::new();
        if form.encoding == "form" {
            let ctx = self.context(token, &json, &[]);
            let mut fields: Vec<(String, String)> = Vec::with_capacity(form.fields.len() + 1);
            for (k, _) in &form.fields {
                fields.push((k.clone(), self.template(&format!("field/{k}"), &ctx)?));
            }
            body = self.form_body(fields, &mut headers)?;
        } else {
            let query = form.encoding == "query"
                || (form.encoding != "json" && matches!(method.as_str(), "GET" | "DELETE" | "HEAD"));
            if query {
                let pairs = query_pairs(&ask.params);
                if !pairs.is_empty() {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(
                        &form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish(),
                    );
                }
            } else {
                headers.push(("content-type".into(), "application/json; charset=utf-8".into()));
                body = Bytes::from(json.clone());
            }
        }
        let ctx = if form.headers.is_empty() { None } else { Some(self.context(token, &json, &[])) };
        if let Some(ctx) = ctx {
            for k in form.headers.keys() {
                let v = self.template(&format!("header/{k}"), &ctx)?;
                if !v.is_empty() {
                    headers.push((k.clone(), v));
                }
            }
        }
        if form.auth.as_deref() == Some("by_credentials") {
            self.authenticate(&mut headers, &mut url)?;
        }
        Ok(Wire { method, url, headers, body })
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
        let key = self.credential("key_in").is_some_and(|p| p.expose().eq_ignore_ascii_case("query"));
        if let Some(name) = self.credential("key_name").filter(|_| key) {
            let kept: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(k, _)| k.as_ref() != name.expose())
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

    pub(super) fn form_body(
        &self,
        mut fields: Vec<(String, String)>,
        headers: &mut Vec<(String, String)>,
    ) -> Result<Bytes, Failure> {
        // What is empty is neither signed nor sent.
        fields.retain(|(_, v)| !v.is_empty());
        if let Some(sign) = &self.manifest.request.sign {
            let ctx = self.context(None, "", &fields);
            let signature = self.template("sign", &ctx)?;
            fields.push((sign.field.clone(), signature));
        }
        headers.push(("content-type".into(), "application/x-www-form-urlencoded;charset=UTF-8".into()));
        Ok(Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish()))
    }

    fn authenticate(&self, headers: &mut Vec<(String, String)>, url: &mut String) -> Result<(), Failure> {
        let get = |n: &str| self.credential(n).map(|s| s.expose().to_owned());
        let text = |n: &str| get(n).unwrap_or_default();
        match scheme(&get).as_str() {
            "bearer" => headers.push(("authorization".into(), format!("Bearer {}", text("token")))),
            "basic" => {
                let pair = format!("{}:{}", text("username"), text("password"));
                let packed = base64::engine::general_purpose::STANDARD.encode(pair);
                headers.push(("authorization".into(), format!("Basic {packed}")));
            }
            "api_key" => {
                let name = get("key_name").unwrap_or_else(|| "X-API-Key".to_owned());
                if text("key_in").eq_ignore_ascii_case("query") {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(
                        &form_urlencoded::Serializer::new(String::new())
                            .append_pair(&name, &text("key"))
                            .finish(),
                    );
                } else {
                    headers.push((name.to_ascii_lowercase(), text("key")));
                }
            }
            // Others were refused when the account was made.
            _ => {}
        }
        Ok(())
    }
}

/// The way of authentication that the credentials say, or mean.
fn scheme(get: &dyn Fn(&str) -> Option<String>) -> String {
    match get("auth").map(|a| a.trim().to_ascii_lowercase().replace('-', "_")) {
        Some(named) if named == "apikey" => "api_key".into(),
        Some(named) => named,
        None if get("token").is_some() => "bearer".into(),
        None if get("key").is_some() => "api_key".into(),
        None if get("username").is_some() => "basic".into(),
        None => "none".into(),
    }
}

/// What is wrong with the credentials of a generic account.
pub(super) fn check_auth(spec: &ConnectorSpec, get: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
    let named = scheme(get);
    let needs: &[&str] = match named.as_str() {
        "none" => &[],
        "bearer" => &["token"],
        "basic" => &["username"],
        "api_key" => &["key"],
        other => {
            let other = other.to_owned();
            return vec![Problem::error(
                "HL-1032",
                spec.place("auth"),
                text!(
                    "`auth = \"{other}\"` is not known; use none, api_key, basic or bearer",
                    "未知的 `auth = \"{other}\"`;可用 none、api_key、basic、bearer"
                ),
            )];
        }
    };
    let missing = needs.iter().filter(|n| get(n).is_none()).map(|n| {
        let n = (*n).to_owned();
        Problem::error(
            "HL-1030",
            spec.place(&n),
            text!("`auth = \"{named}\"` needs `{n}`", "`auth = \"{named}\"` 需要 `{n}`"),
        )
    });
    let mut out: Vec<Problem> = missing.collect();
    if let Some(place) =
        get("key_in").filter(|p| !matches!(p.to_ascii_lowercase().as_str(), "header" | "query"))
    {
        out.push(Problem::error(
            "HL-1032",
            spec.place("key_in"),
            text!(
                "`key_in = \"{place}\"` is not known; use header or query",
                "未知的 `key_in = \"{place}\"`;可用 header、query"
            ),
        ));
    }
    out
}

fn nonce(now: Ts, jitter: f64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut n = (now.0 as u64) ^ ((jitter * 1e15) as u64);
    (0..6)
        .map(|_| {
            let c = LETTERS.get((n % LETTERS.len() as u64) as usize).copied().unwrap_or(b'A');
            n = n / LETTERS.len() as u64 + 7;
            char::from(c)
        })
        .collect()
}

/// Query parameters: lists repeat the name, objects are JSON text.
fn query_pairs(params: &Params) -> Vec<(String, String)> {
    let Params::Object(map) = params else { return Vec::new() };
    let mut out = Vec::new();
    for (k, v) in map.iter() {
        match v {
            Value::Array(items) => out.extend(items.iter().map(|i| (k.to_owned(), i.in_text()))),
            other => out.push((k.to_owned(), other.in_text())),
        }
    }
    out
}
