//! A call as it came in, decoded by hand.

use bytes::Bytes;
use serde_json::Value;

/// A call.
#[derive(Debug, Clone)]
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: &'a Bytes,
    pub(crate) accepts_gzip: bool,
    /// Milliseconds since 1970 by the stand-in's clock.
    pub(crate) now: i64,
}

fn decoded(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

impl<'a> Seen<'a> {
    pub(crate) fn new(
        method: &'a str,
        path: &'a str,
        query: &str,
        headers: Vec<(String, String)>,
        body: &'a Bytes,
    ) -> Self {
        let gzip = headers.iter().any(|(k, v)| k == "accept-encoding" && v.contains("gzip"));
        Seen { method, path, query: decoded(query.as_bytes()), headers, body, accepts_gzip: gzip, now: 0 }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v)
    }

    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
    }

    /// Fields of a form: url-encoded or multipart.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let kind = self.header("content-type");
        match kind.split_once("boundary=") {
            Some((_, boundary)) if kind.starts_with("multipart/") => {
                multipart(&String::from_utf8_lossy(self.body), boundary.trim_matches('"'))
            }
            _ if kind.contains("urlencoded") => decoded(self.body),
            _ => Vec::new(),
        }
    }

    /// The JSON body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    /// Everything for the log: query, then form fields, then the JSON body as `body`.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let mut all = self.query.clone();
        let form = self.form();
        if form.is_empty() && !self.body.is_empty() {
            all.push(("body".into(), String::from_utf8_lossy(self.body).into_owned()));
        }
        all.extend(form);
        all
    }
}

fn multipart(body: &str, boundary: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for part in body.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let Some((_, name)) = head.split_once("name=\"") else { continue };
        let name = name.split('"').next().unwrap_or("");
        out.push((name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned()));
    }
    out
}

/// The first value of a list of pairs.
pub(crate) fn get<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
}
