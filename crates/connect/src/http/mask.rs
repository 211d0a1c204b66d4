//! Secrets in captured calls: known ones wherever they appear, and the values of names that the manifest declares.

use base64::Engine as _;
use bytes::Bytes;
use heliu_model::Secret;
use memchr::memmem;

/// What stands where a secret was.
pub(super) const MASK: &str = "••••";

/// Headers whose values are always masked.
const HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// The secrets that must not be seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask {
    values: Vec<String>,
    fields: Vec<String>,
    headers: Vec<String>,
}

impl Mask {
    /// Adds names whose values are masked.
    pub fn names(&mut self, fields: &[String], headers: &[String]) {
        self.fields.extend(fields.iter().cloned());
        self.headers.extend(headers.iter().map(|h| h.to_ascii_lowercase()));
    }

    /// Adds a secret, as it is and as forms, addresses, JSON and base64 carry it. Very short ones would mask everything.
    pub fn add(&mut self, secret: &Secret) {
        for plain in secret.expose().split([super::encode::SESSION, ';', ' ']).chain([secret.expose()]) {
            let plain = plain.trim();
            if plain.len() >= 4 {
                self.add_text(plain);
            }
        }
        // Longer ones first: a secret may hold another one.
        self.values.sort_by_key(|s| std::cmp::Reverse(s.len()));
    }

    fn add_text(&mut self, plain: &str) {
        let encoded: String = form_urlencoded::byte_serialize(plain.as_bytes()).collect();
        let percent = encoded.replace('+', "%20");
        let lower = percent_lower(&encoded);
        let json = heliu_transform::Value::from(plain).to_json();
        let json = json.get(1..json.len() - 1).unwrap_or("").to_owned();
        let base64 = base64::engine::general_purpose::STANDARD.encode(plain);
        for form in [plain.to_owned(), encoded, percent, lower, json, base64] {
            if !self.values.contains(&form) {
                self.values.push(form);
            }
        }
    }

    /// A header's value without secrets.
    pub fn header(&self, name: &str, value: &str) -> String {
        let low = name.to_ascii_lowercase();
        if HEADERS.contains(&low.as_str()) || self.headers.contains(&low) {
            return match value.split_once(' ') {
                Some((scheme, _)) if low.ends_with("authorization") => format!("{scheme} {MASK}"),
                _ => MASK.to_owned(),
            };
        }
        self.text(value)
    }

    /// The text without secrets.
    pub fn text(&self, s: &str) -> String {
        let mut out = s.to_owned();
        for secret in &self.values {
            if out.contains(secret.as_str()) {
                out = out.replace(secret.as_str(), MASK);
            }
        }
        for field in &self.fields {
            if out.contains(field.as_str()) {
                out = mask_field(&out, field);
            }
        }
        out
    }

    /// The body without secrets; the same bytes when there are none in it.
    pub fn body(&self, body: &Bytes) -> Bytes {
        let found = self.values.iter().any(|s| memmem::find(body, s.as_bytes()).is_some())
            || self.fields.iter().any(|f| {
                memmem::find(body, format!("\"{f}\"").as_bytes()).is_some()
                    || memmem::find(body, format!("{f}=").as_bytes()).is_some()
            });
        if found { Bytes::from(self.text(&String::from_utf8_lossy(body))) } else { body.clone() }
    }
}

fn percent_lower(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len());
    let mut left = 0_u32;
    for c in encoded.chars() {
        if c == '%' {
            left = 3;
        }
        out.push(if left > 0 { c.to_ascii_lowercase() } else { c });
        left = left.saturating_sub(1);
    }
    out
}

/// Masks `"field": "…"` of JSON (also as text inside JSON) and `field=…` of forms and addresses.
fn mask_field(s: &str, field: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut rest = s;
    while let Some(at) = rest.find(field) {
        let (before, tail) = rest.split_at(at);
        let after = tail.get(field.len()..).unwrap_or("");
        out.push_str(before);
        out.push_str(field);
        let starts_word = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        rest = after;
        if !starts_word {
            continue;
        }
        if let Some(value) = after.strip_prefix('=') {
            let end = value.find(['&', ' ', '"', '#', '\n']).unwrap_or(value.len());
            if end > 0 {
                out.push('=');
                out.push_str(MASK);
                rest = value.get(end..).unwrap_or("");
            }
            continue;
        }
        for quote in ["\\\"", "\""] {
            let Some(value) = after.strip_prefix(quote) else { continue };
            let trimmed = value.trim_start();
            let Some(value) = trimmed.strip_prefix(':').map(str::trim_start) else { break };
            let Some(inner) = value.strip_prefix(quote) else { break };
            let Some(end) = text_end(inner, quote) else { break };
            if end > 0 {
                let head = after.len() - inner.len();
                out.push_str(after.get(..head).unwrap_or(""));
                out.push_str(MASK);
                rest = inner.get(end..).unwrap_or("");
            }
            break;
        }
    }
    out.push_str(rest);
    out
}

/// Where a JSON text ends.
fn text_end(s: &str, quote: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + s.get(from..)?.find(quote)?;
        let escapes = s.get(..at)?.bytes().rev().take_while(|b| *b == b'\\').count();
        if quote.len() > 1 || escapes % 2 == 0 {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names() {
        let mut mask = Mask::default();
        mask.add(&Secret::new("s3cr/t+é"));
        mask.names(&["refreshToken".into()], &["X-Token".into()]);
        for shown in [
            mask.text("a=s3cr%2Ft%2B%C3%A9&b=1"),
            mask.text("a=s3cr%2ft%2b%c3%a9"),
            mask.text("s3cr/t+é"),
            mask.text("refreshToken=abcdef&x=1"),
            mask.text(r#"{"refreshToken" : "ab\"cdef","x":1}"#),
            mask.text(r#"{"biz":"{\"refreshToken\":\"abcdef\"}"}"#),
            mask.text(&base64::engine::general_purpose::STANDARD.encode("s3cr/t+é")),
            mask.header("x-token", "abcdef"),
            mask.header("Authorization", "Bearer abcdef"),
        ] {
            assert!(shown.contains(MASK) && !shown.contains("cdef") && !shown.contains("s3cr"), "{shown}");
        }
        assert_eq!(
            mask.text(r#"{"myrefreshToken":"keep","refreshToken":null}"#),
            r#"{"myrefreshToken":"keep","refreshToken":null}"#
        );
        assert_eq!(mask.header("Authorization", "Bearer abc"), "Bearer ••••");
        let clean = Bytes::from_static(b"{\"a\":1}");
        assert_eq!(mask.body(&clean).as_ptr(), clean.as_ptr());
    }
}
