//! Filters of manifest templates: digests, encodings, sorted pairs, times. Digests give lower-case hexadecimal text;
//! `unhex` turns it into bytes, which `base64`, `hex`, digests and `xor` take as well as text.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, FixedOffset, Offset, TimeZone as _};
use chrono_tz::Tz;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use minijinja::value::{Kwargs, Object, Value};
use minijinja::{Environment, Error, ErrorKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// Everything but unreserved characters (RFC 3986).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Name and value pairs as templates see them.
#[derive(Debug)]
pub(crate) struct PairList(pub Vec<(String, String)>);

impl Object for PairList {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| Value::from(v.as_str()))
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Values(self.0.iter().map(|(k, _)| Value::from(k.as_str())).collect())
    }
}

/// Adds the filters. `zone` is the platform's.
pub(super) fn install(env: &mut Environment<'static>, zone: Tz) {
    env.add_filter("sorted_pairs", sorted_pairs);
    env.add_filter("md5", |v: &Value| digest::<Md5>(v));
    env.add_filter("sha1", |v: &Value| digest::<Sha1>(v));
    env.add_filter("sha256", |v: &Value| digest::<Sha256>(v));
    env.add_filter("sha512", |v: &Value| digest::<Sha512>(v));
    env.add_filter("hmac_md5", |v: &Value, key: &Value| mac::<Hmac<Md5>>(v, key));
    env.add_filter("hmac_sha1", |v: &Value, key: &Value| mac::<Hmac<Sha1>>(v, key));
    env.add_filter("hmac_sha256", |v: &Value, key: &Value| mac::<Hmac<Sha256>>(v, key));
    env.add_filter("hmac_sha512", |v: &Value, key: &Value| mac::<Hmac<Sha512>>(v, key));
    env.add_filter("base64", |v: &Value| STANDARD.encode(bytes(v)));
    env.add_filter("unbase64", |v: &Value| STANDARD.decode(bytes(v)).map(Value::from_bytes).map_err(wrong));
    env.add_filter("hex", |v: &Value| hex::encode(bytes(v)));
    env.add_filter("unhex", |v: &Value| hex::decode(bytes(v)).map(Value::from_bytes).map_err(wrong));
    env.add_filter("xor", xor);
    env.add_filter("urlencode", |v: &Value| {
        let raw = bytes(v);
        utf8_percent_encode(&String::from_utf8_lossy(&raw), RESERVED).to_string()
    });
    env.add_filter("json", |v: &Value| serde_json::to_string(v).map_err(wrong));
    env.add_filter("sql", |v: &Value| text(v).replace('\'', "''"));
    env.add_filter("time", move |v: &Value, format: Option<String>, offset: Option<String>| {
        time(v, format.as_deref(), offset.as_deref(), zone)
    });
}

fn wrong(e: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, e.to_string())
}

fn text(v: &Value) -> String {
    match v.as_str() {
        Some(s) => s.to_owned(),
        None => v.to_string(),
    }
}

fn bytes(v: &Value) -> Vec<u8> {
    match v.as_bytes() {
        Some(b) => b.to_vec(),
        None => v.to_string().into_bytes(),
    }
}

fn digest<D: Digest>(v: &Value) -> String {
    match v.as_bytes() {
        Some(b) => hex::encode(D::digest(b)),
        None => hex::encode(D::digest(v.to_string())),
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(v: &Value, key: &Value) -> Result<String, Error> {
    let mut mac = <M as Mac>::new_from_slice(&bytes(key)).map_err(wrong)?;
    match v.as_bytes() {
        Some(b) => mac.update(b),
        None => mac.update(v.to_string().as_bytes()),
    }
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// Bytes combined with those of a code, from its beginning.
fn xor(v: &Value, code: &Value) -> Value {
    let code = bytes(code);
    let mixed = bytes(v).iter().zip(code.iter().cycle()).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    Value::from_bytes(mixed)
}

/// Names and values in ASCII order of the names, empty values left out, put together: `eq` between name and value,
/// `sep` between pairs, both nothing unless given.
fn sorted_pairs(v: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let eq = kwargs.get::<Option<&str>>("eq")?.unwrap_or("");
    let sep = kwargs.get::<Option<&str>>("sep")?.unwrap_or("");
    kwargs.assert_all_used()?;
    let list = v
        .downcast_object_ref::<PairList>()
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "sorted_pairs takes `fields` or `query`"))?;
    let mut pairs: Vec<&(String, String)> = list.0.iter().filter(|(_, v)| !v.is_empty()).collect();
    pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut out = String::with_capacity(pairs.iter().map(|(k, v)| k.len() + v.len() + 2).sum());
    for (k, v) in pairs {
        if !out.is_empty() {
            out.push_str(sep);
        }
        out.push_str(k);
        out.push_str(eq);
        out.push_str(v);
    }
    Ok(out)
}

/// Unix seconds as text, `YYYY-MM-DD HH:MM:SS` unless another format is given, in the platform's zone or at an offset.
fn time(v: &Value, format: Option<&str>, offset: Option<&str>, zone: Tz) -> Result<String, Error> {
    let seconds: i64 = text(v).trim().parse().map_err(wrong)?;
    let at = DateTime::from_timestamp(seconds, 0).ok_or_else(|| wrong("no time"))?;
    let offset: FixedOffset = match offset {
        Some(words) => words.parse().map_err(wrong)?,
        None => zone.offset_from_utc_datetime(&at.naive_utc()).fix(),
    };
    let mut out = String::new();
    use std::fmt::Write as _;
    let format = format.unwrap_or("%Y-%m-%d %H:%M:%S");
    write!(out, "{}", at.with_timezone(&offset).format(format)).map_err(|_| wrong("bad time format"))?;
    Ok(out)
}
