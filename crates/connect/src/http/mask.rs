//! Secrets in captured calls.

use bytes::Bytes;
use heliu_model::Secret;
use memchr::memmem;

/// What stands where a secret was.
const MASK: &str = "••••";

/// The secrets that must not be seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    /// Adds a secret, as it is and as forms and JSON carry it. Very short ones would mask everything.
    pub fn add(&mut self, secret: &Secret) {
        let plain = secret.expose();
        if plain.len() < 4 {
            return;
        }
        let encoded: String = form_urlencoded::byte_serialize(plain.as_bytes()).collect();
        let json = heliu_transform::Value::from(plain).to_json();
        let json = json.get(1..json.len() - 1).unwrap_or("").to_owned();
        for form in [plain.to_owned(), encoded, json] {
            if !self.0.contains(&form) {
                self.0.push(form);
            }
        }
        // Longer ones first: a secret may hold another one.
        self.0.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }

    /// A header's value without secrets. What authorises is one whatever it is made of: of it only the scheme shows.
    pub fn header(&self, name: &str, value: &str) -> String {
        match name.to_ascii_lowercase().as_str() {
            "authorization" | "proxy-authorization" => match value.split_once(' ') {
                Some((scheme, _)) => format!("{scheme} {MASK}"),
                None => MASK.to_owned(),
            },
            "cookie" | "set-cookie" => MASK.to_owned(),
            _ => self.text(value),
        }
    }

    /// The text without secrets.
    pub fn text(&self, s: &str) -> String {
        let mut out = s.to_owned();
        for secret in &self.0 {
            if out.contains(secret.as_str()) {
                out = out.replace(secret.as_str(), MASK);
            }
        }
        out
    }

    /// The body without secrets; the same bytes when there are none in it.
    pub fn body(&self, body: &Bytes) -> Bytes {
        if self.0.iter().any(|s| memmem::find(body, s.as_bytes()).is_some()) {
            return Bytes::from(self.text(&String::from_utf8_lossy(body)));
        }
        body.clone()
    }
}
