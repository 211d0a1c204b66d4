//! The request form: decoding, and the signature over its decoded text.
//!
//! Written from the platform's description alone and independent of the client side of this project, so that the two
//! check each other.

use md5::{Digest, Md5};

/// Decoded fields in the order they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

impl Form {
    /// Decodes an `application/x-www-form-urlencoded` body; `None` when an escape is broken or the text is not UTF-8.
    pub(crate) fn decode(body: &[u8]) -> Option<Form> {
        let mut fields = Vec::new();
        for pair in body.split(|b| *b == b'&').filter(|p| !p.is_empty()) {
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            fields.push((name, value));
        }
        Some(Form(fields))
    }

    /// The value of a field; `None` for a missing or empty one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }
}

fn decode(raw: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn hex_digit(b: &u8) -> Option<u8> {
    (*b as char).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// The v2 signature of decoded fields: MD5, lower-case hexadecimal, over the secret followed by name and value of every
/// field but `sign` that has a value, in the order of their names' bytes.
pub fn sign<'a>(secret: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut fields: Vec<_> = fields.into_iter().filter(|(k, v)| *k != "sign" && !v.is_empty()).collect();
    fields.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut digest = Md5::new();
    digest.update(secret);
    for (name, value) in fields {
        digest.update(name);
        digest.update(value);
    }
    hex::encode(digest.finalize())
}

/// True when `form` carries its own right signature.
pub(crate) fn is_signed(secret: &str, form: &Form, is_lenient: bool) -> bool {
    let Some(given) = form.get("sign") else { return false };
    let right = sign(secret, form.0.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    if is_lenient { given.eq_ignore_ascii_case(&right) } else { given == right }
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn decodes_and_refuses() {
        let form = Form::decode("a=1+2%2B&b=%E5%BA%97&c&d=&=x".as_bytes()).expect("form");
        assert_eq!(form.get("a"), Some("1 2+"));
        assert_eq!(form.get("b"), Some("店"));
        assert_eq!((form.get("c"), form.get("d")), (None, None));
        assert!(
            Form::decode(b"a=%zz").is_none()
                && Form::decode(b"a=%4").is_none()
                && Form::decode(b"a=%ff").is_none()
        );
    }
}
