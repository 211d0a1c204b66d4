//! A call on the wire: templates rendered, fields encoded and signed. The text that is signed is the text that is sent.

use bytes::Bytes;
use heliu_model::{Failure, Secret, Ts, text};
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
        use base64::Engine as _;
        let get = |n: &str| self.credential(n).map(|s| s.expose().to_owned()).unwrap_or_default();
        let scheme = match get("auth").to_ascii_lowercase().as_str() {
            "" if !get("token").is_empty() => "bearer".to_owned(),
            "" if !get("key").is_empty() => "api_key".to_owned(),
            "" if !get("username").is_empty() => "basic".to_owned(),
            other => other.to_owned(),
        };
        match scheme.as_str() {
            "" | "none" => {}
            "bearer" => headers.push(("authorization".into(), format!("Bearer {}", get("token")))),
            "basic" => {
                let pair = format!("{}:{}", get("username"), get("password"));
                let packed = base64::engine::general_purpose::STANDARD.encode(pair);
                headers.push(("authorization".into(), format!("Basic {packed}")));
            }
            "api_key" => {
                let name = match get("key_name") {
                    n if n.is_empty() => "X-API-Key".to_owned(),
                    n => n,
                };
                if get("key_in").eq_ignore_ascii_case("query") {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    url.push_str(
                        &form_urlencoded::Serializer::new(String::new())
                            .append_pair(&name, &get("key"))
                            .finish(),
                    );
                } else {
                    headers.push((name.to_ascii_lowercase(), get("key")));
                }
            }
            other => {
                let other = other.to_owned();
                return Err(Failure::config(
                    "HL-1032",
                    text!(
                        "`auth = \"{other}\"` is not known; use none, api_key, basic or bearer",
                        "未知的 `auth = \"{other}\"`;可用 none、api_key、basic、bearer"
                    ),
                )
                .at(format!("connectors/{}", self.name)));
            }
        }
        Ok(())
    }
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
