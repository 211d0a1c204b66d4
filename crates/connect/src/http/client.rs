//! Sending: one client for all accounts, connection reuse, time-outs, body limit, no redirects to elsewhere.

use std::error::Error as _;
use std::sync::{Once, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use heliu_model::{Failure, Text, text};
use heliu_transform::{JsonError, Outline};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

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
    /// Until the reply's head is there, where the platform is slower than others.
    pub first_byte: Option<Duration>,
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

    /// Puts the same content in another form in place of the body.
    pub fn replace(&mut self, body: Bytes) {
        self.body = body;
        self.outline = OnceLock::new();
    }

    /// A reply that was recorded.
    pub fn recorded(status: u16, content_type: &str, body: Bytes) -> Reply {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Reply { status, headers, body, outline: OnceLock::new() }
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

/// Settings of a connector that concern the connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach {
    /// PEM text of certificates to trust beside the system's.
    pub ca: Option<String>,
    /// Proxy address instead of the environment's; `none`: no proxy.
    pub proxy: Option<String>,
}

/// Makes TLS usable in this process.
pub(crate) fn ready() {
    PROVIDER.call_once(|| {
        // Somebody else may have installed one; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl Client {
    /// A client. Proxies come from the environment unless a connector names one. Certificates are always verified.
    ///
    /// # Errors
    /// The system's or the connector's certificates, or the proxy, cannot be used.
    pub fn new(timeouts: Timeouts, reach: &Reach) -> Result<Client, Failure> {
        ready();
        let bad = |what: &str, e: &dyn std::error::Error| {
            let why = chain(e);
            let what = what.to_owned();
            Failure::config(
                "HL-3090",
                text!("the HTTP client cannot be made ({what}): {why}", "无法创建 HTTP 客户端({what}):{why}"),
            )
        };
        let mut builder = reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .user_agent(concat!("heliu/", env!("CARGO_PKG_VERSION")))
            // Followed by hand: only where nothing can be sent twice or elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(32)
            .tcp_nodelay(true);
        if let Some(pem) = &reach.ca {
            builder = builder.tls_certs_merge(certificates(pem)?);
        }
        match reach.proxy.as_deref() {
            None | Some("") => {}
            Some("none") => builder = builder.no_proxy(),
            Some(url) => {
                builder = builder.proxy(reqwest::Proxy::all(url).map_err(|e| bad("proxy", &e))?);
            }
        }
        let inner = builder.build().map_err(|e| bad("setup", &e))?;
        Ok(Client { inner, timeouts })
    }

    /// Sends, and follows redirections that stay with the same host and repeat nothing: of GET and HEAD, and those that
    /// ask for the same call once more (307, 308).
    pub(crate) async fn send(&self, wire: &Wire) -> Result<Reply, Box<NoReply>> {
        let mut reply = self.once(wire).await?;
        let mut wire = std::borrow::Cow::Borrowed(wire);
        for _ in 0..5 {
            let harmless =
                matches!(wire.method.as_str(), "GET" | "HEAD") || matches!(reply.status, 307 | 308);
            if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) || !harmless {
                break;
            }
            let here = reqwest::Url::parse(&wire.url).ok();
            let there = here.as_ref().zip(reply.header("location")).and_then(|(u, l)| u.join(l).ok());
            let (Some(here), Some(there)) = (here, there) else { break };
            if here.origin() != there.origin() {
                break;
            }
            wire.to_mut().url = there.to_string();
            reply = self.once(&wire).await?;
        }
        Ok(reply)
    }

    /// Sends once.
    async fn once(&self, wire: &Wire) -> Result<Reply, Box<NoReply>> {
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
        let first_byte = wire.first_byte.unwrap_or(self.timeouts.first_byte);
        let response = match tokio::time::timeout(first_byte, request.send()).await {
            Ok(Ok(r)) => r,
            Ok(Err(e)) => return Err(no(unreachable(&e), !e.is_connect() && !e.is_builder())),
            Err(_) => return Err(no(silent(first_byte), true)),
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

/// The certificates of a PEM text.
///
/// # Errors
/// There is none, or one of them cannot be read.
pub(crate) fn certificates(pem: &str) -> Result<Vec<reqwest::Certificate>, Failure> {
    let list = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).unwrap_or_default();
    // What is no certificate inside is noticed only by those who build with it.
    let sound = |pem: &str| {
        let mut roots = rustls::RootCertStore::empty();
        CertificateDer::pem_slice_iter(pem.as_bytes()).all(|c| c.is_ok_and(|c| roots.add(c).is_ok()))
    };
    if list.is_empty() || !sound(pem) {
        return Err(Failure::config(
            "HL-1094",
            text!(
                "`ssl_ca` holds no certificate that can be read",
                "`ssl_ca` 中没有可读取的证书"
            ),
        )
        .hint(text!(
            "give a file with the authority's certificate in PEM form: it begins with -----BEGIN CERTIFICATE-----",
            "请使用包含颁发机构证书的 PEM 文件,以 -----BEGIN CERTIFICATE----- 开头"
        )));
    }
    Ok(list)
}

/// What is wrong with the certificate of the other side, if that is what ended the connection.
fn certificate_error(e: &reqwest::Error) -> Option<rustls::CertificateError> {
    let mut at: Option<&(dyn std::error::Error + 'static)> = e.source();
    while let Some(cause) = at {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|i| i.downcast_ref()).or_else(|| cause.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(why)) = tls {
            return Some(why.clone());
        }
        at = inner.map(|i| i as &(dyn std::error::Error + 'static)).or_else(|| cause.source());
    }
    None
}

/// No repetition makes a certificate right, and nothing was sent: a person has to look.
fn untrusted(why: &rustls::CertificateError) -> Failure {
    use rustls::CertificateError as C;
    let (said, hint) = match why {
        // Another authority of the same name: the one that is trusted has signed nothing here.
        C::UnknownIssuer | C::BadSignature => (
            text!("no authority that is trusted here signed it", "签发机构不受信任"),
            text!(
                "if the system has an authority of its own, put its certificate (PEM) into the project and name it with `ssl_ca` in the connector",
                "若对方使用自建的颁发机构,请将其证书(PEM)放入项目,并在连接器中用 `ssl_ca` 指定"
            ),
        ),
        C::NotValidForName | C::NotValidForNameContext { .. } => (
            text!("it is not for this host name", "证书不适用于该主机名"),
            text!(
                "write into `base_url` a host name that the certificate has",
                "请在 `base_url` 中使用证书所含的主机名"
            ),
        ),
        C::Expired | C::ExpiredContext { .. } => (
            text!("it has expired", "证书已过期"),
            text!(
                "have the other side renew it; check this machine's clock",
                "请对方更新证书;并检查本机时间"
            ),
        ),
        C::NotValidYet | C::NotValidYetContext { .. } => (
            text!("it is not valid yet", "证书尚未生效"),
            text!("check this machine's clock", "请检查本机时间"),
        ),
        other => {
            let why = other.to_string();
            (
                Text::same(why),
                text!("ask who runs the system for its certificate", "请向系统管理方确认其证书"),
            )
        }
    };
    let (en, zh) = (&said.en, &said.zh);
    Failure::config(
        "HL-3009",
        text!(
            "the certificate of the address is refused: {en}; nothing was sent",
            "该地址的证书被拒绝:{zh};未发送任何内容"
        ),
    )
    .hint(hint)
}

fn unreachable(e: &reqwest::Error) -> Failure {
    if let Some(why) = certificate_error(e) {
        return untrusted(&why);
    }
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
