//! Sending: one client for all accounts, connection reuse, time-outs, body limit, no redirects to elsewhere.

use std::sync::{Once, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use heliu_model::{Failure, text};
use heliu_transform::{JsonError, Outline};

/// Largest body that is read.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Time-outs of one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the reply's head is there.
    pub first_byte: Duration,
    /// Between parts of the body.
    pub idle: Duration,
    /// Until the whole body is there.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(6),
            first_byte: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            total: Duration::from_secs(120),
        }
    }
}

/// The HTTP client.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    timeouts: Timeouts,
}

/// A request about to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// A reply as it came.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The body, read at most once.
    outline: OnceLock<Result<Outline, JsonError>>,
}

impl Reply {
    /// The body's outline.
    ///
    /// # Errors
    /// It is no JSON: where and why.
    pub fn outline(&self) -> Result<&Outline, &JsonError> {
        self.outline.get_or_init(|| Outline::read(&self.body)).as_ref()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Why there is no usable reply.
#[derive(Debug)]
pub(crate) struct NoReply {
    pub failure: Failure,
    /// The request may have reached the other side.
    pub sent: bool,
    /// The head that came before the body broke off.
    pub partial: Option<Reply>,
}

static PROVIDER: Once = Once::new();

impl Client {
    /// A client. Proxies come from the environment.
    ///
    /// # Errors
    /// The system's certificates cannot be used.
    pub fn new(timeouts: Timeouts) -> Result<Client, Failure> {
        PROVIDER.call_once(|| {
            // Somebody else may have installed one; any will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let inner = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .user_agent(concat!("heliu/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::custom(|attempt| {
                // Never to another host: credentials travel in headers and bodies.
                let same = attempt.previous().first().is_some_and(|first| {
                    first.host_str() == attempt.url().host_str()
                        && first.port_or_known_default() == attempt.url().port_or_known_default()
                });
                if same && attempt.previous().len() < 5 { attempt.follow() } else { attempt.stop() }
            }))
            .pool_max_idle_per_host(32)
            .tcp_nodelay(true)
            .build()
            .map_err(|e| {
                let why = chain(&e);
                Failure::internal(
                    "HL-3090",
                    text!("the HTTP client cannot be made: {why}", "无法创建 HTTP 客户端:{why}"),
                )
            })?;
        Ok(Client { inner, timeouts })
    }

    /// Sends once.
    pub(crate) async fn send(&self, wire: &Wire) -> Result<Reply, Box<NoReply>> {
        let no = |failure: Failure, sent: bool| Box::new(NoReply { failure, sent, partial: None });
        let bad = |why: String| {
            no(
                Failure::config(
                    "HL-3003",
                    text!("the request cannot be formed: {why}", "无法构造请求:{why}"),
                )
                .hint(text!("check `base_url` and the interface name", "请检查 `base_url` 与接口名")),
                false,
            )
        };
        let method = reqwest::Method::from_bytes(wire.method.as_bytes()).map_err(|e| bad(e.to_string()))?;
        let url = reqwest::Url::parse(&wire.url).map_err(|e| bad(format!("`{}`: {e}", wire.url)))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(format!("`{}` is neither http nor https", wire.url)));
        }
        let mut request = self.inner.request(method, url);
        for (k, v) in &wire.headers {
            request = request.header(k, v);
        }
        if !wire.body.is_empty() {
            request = request.body(wire.body.clone());
        }
        let response = match tokio::time::timeout(self.timeouts.first_byte, request.send()).await {
            Ok(Ok(r)) => r,
            Ok(Err(e)) => return Err(no(unreachable(&e), !e.is_connect() && !e.is_builder())),
            Err(_) => return Err(no(silent(self.timeouts.first_byte), true)),
        };
        let mut reply = Reply {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(k, v)| (k.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                .collect(),
            body: Bytes::new(),
            outline: OnceLock::new(),
        };
        match tokio::time::timeout(self.timeouts.total, self.body(response)).await {
            Ok(Ok(body)) => {
                reply.body = body;
                Ok(reply)
            }
            Ok(Err(failure)) => Err(Box::new(NoReply { failure, sent: true, partial: Some(reply) })),
            Err(_) => Err(Box::new(NoReply {
                failure: silent(self.timeouts.total),
                sent: true,
                partial: Some(reply),
            })),
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Bytes, Failure> {
        let hint = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(0).min(MAX_BODY);
        let mut body = BytesMut::with_capacity(hint);
        loop {
            let part = match tokio::time::timeout(self.timeouts.idle, response.chunk()).await {
                Ok(Ok(part)) => part,
                Ok(Err(e)) => {
                    let why = chain(&e);
                    return Err(Failure::transient(
                        "HL-3005",
                        text!("the reply broke off: {why}", "响应中断:{why}"),
                    ));
                }
                Err(_) => return Err(silent(self.timeouts.idle)),
            };
            let Some(part) = part else { return Ok(body.freeze()) };
            if body.len() + part.len() > MAX_BODY {
                return Err(Failure::config(
                    "HL-3006",
                    text!("the reply is larger than 64 MiB", "响应超过 64 MiB"),
                )
                .hint(text!("ask for fewer rows per page", "请减小每页行数")));
            }
            body.extend_from_slice(&part);
        }
    }
}

fn unreachable(e: &reqwest::Error) -> Failure {
    let why = chain(e);
    if e.is_timeout() {
        return Failure::transient("HL-3002", text!("no connection in time: {why}", "连接超时:{why}"));
    }
    if e.is_connect() {
        return Failure::transient(
            "HL-3001",
            text!("the address cannot be reached: {why}", "无法连接到该地址:{why}"),
        )
        .hint(text!(
            "check `base_url`, the network and the proxy settings (HTTPS_PROXY, NO_PROXY)",
            "请检查 `base_url`、网络与代理设置(HTTPS_PROXY、NO_PROXY)"
        ));
    }
    Failure::transient("HL-3005", text!("the connection broke off: {why}", "连接中断:{why}"))
}

fn silent(after: Duration) -> Failure {
    let secs = after.as_secs();
    Failure::transient("HL-3002", text!("no answer within {secs} s", "{secs} 秒内没有响应"))
}

/// An error with its causes; reqwest's own words hold the address, which may hold a token.
fn chain(e: &dyn std::error::Error) -> String {
    let mut words = Vec::new();
    let mut at = e.source();
    while let Some(cause) = at {
        words.push(cause.to_string());
        at = cause.source();
    }
    match words.last() {
        Some(last) => last.clone(),
        None => "connection failed".into(),
    }
}
