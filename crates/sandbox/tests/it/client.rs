//! A raw client: one connection per call, no retries, every byte in sight.

use std::io;

use heliu_sandbox::{Credentials, Sandbox, sign};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
    /// The body is as long as declared.
    pub is_whole: bool,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn code(&self) -> i64 {
        self.json()["code"].as_i64().expect("code")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .headers
            .lines()
            .find(|l| l.split_once(':').is_some_and(|(k, _)| k.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, v)| v.trim())
    }
}

pub async fn send(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(sandbox.addr()).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    let split = all.windows(4).position(|w| w == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let headers = String::from_utf8_lossy(&all[..split]).into_owned();
    let status = headers.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
    let mut reply = Reply { status, headers, body: all[split + 4..].to_vec(), is_whole: true };
    let declared = reply.header("content-length").and_then(|v| v.parse::<usize>().ok());
    reply.is_whole = declared.is_none_or(|n| n == reply.body.len());
    Ok(reply)
}

pub const FORM: &str = "content-type: application/x-www-form-urlencoded;charset=UTF-8\r\n";

/// Percent-encodes fields with a signature at the end.
pub fn encode(secret: &str, fields: &[(&str, &str)]) -> String {
    let signature = sign(secret, fields.iter().copied());
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields).append_pair("sign", &signature);
    body.finish()
}

/// A caller that signs properly, by a clock of its own.
pub struct Caller {
    pub credentials: Credentials,
    pub now: i64,
}

impl Caller {
    pub fn of(sandbox: &Sandbox, now: i64) -> Self {
        Caller { credentials: sandbox.credentials(), now }
    }

    pub fn body(&self, biz: &str) -> String {
        let c = &self.credentials;
        encode(
            &c.app_secret,
            &[
                ("app_key", &c.app_key),
                ("access_token", &c.access_token),
                ("timestamp", &self.now.to_string()),
                ("charset", "utf-8"),
                ("version", "2"),
                ("biz", biz),
            ],
        )
    }

    pub async fn try_call(&self, sandbox: &Sandbox, path: &str, biz: &str) -> io::Result<Reply> {
        send(sandbox, "POST", path, FORM, &self.body(biz)).await
    }

    pub async fn call(&self, sandbox: &Sandbox, path: &str, biz: &str) -> Reply {
        self.try_call(sandbox, path, biz).await.expect("reply")
    }

    pub async fn auth(&self, sandbox: &Sandbox, which: &str, fields: &[(&str, &str)]) -> Reply {
        let c = &self.credentials;
        let now = self.now.to_string();
        let mut all = vec![("app_key", c.app_key.as_str()), ("timestamp", &now), ("charset", "utf-8")];
        all.extend(fields);
        let path = format!("/openWeb/auth/{which}");
        send(sandbox, "POST", &path, FORM, &encode(&c.app_secret, &all)).await.expect("reply")
    }

    pub async fn refresh(&self, sandbox: &Sandbox, token: &str) -> Reply {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "all")];
        self.auth(sandbox, "refreshToken", &fields).await
    }
}

/// 2026-11-20 12:00:00 in Beijing.
pub const NOON: i64 = 1_795_147_200;

pub fn clock() -> heliu_sandbox::ManualClock {
    heliu_sandbox::ManualClock::new(chrono::DateTime::from_timestamp(NOON, 0).expect("time"))
}

pub const OUT: &str = "/open/orders/out/simple/query";
pub const SHOPS: &str = "/open/shops/query";

/// The three days of the generated orders.
pub fn window(page: usize, size: usize) -> String {
    format!(
        r#"{{"modified_begin":"2026-11-17 00:00:00","modified_end":"2026-11-20 12:00:00","page_index":{page},"page_size":{size}}}"#
    )
}

/// A stand-in without limits on the manual clock.
pub async fn start(
    setup: impl FnOnce(heliu_sandbox::Builder) -> heliu_sandbox::Builder,
) -> (Sandbox, Caller) {
    let builder = Sandbox::builder("jushuitan").records(120).limits(0, 0).clock(clock());
    let sandbox = setup(builder).listen("127.0.0.1:0").await.expect("listen");
    let caller = Caller::of(&sandbox, NOON);
    (sandbox, caller)
}
