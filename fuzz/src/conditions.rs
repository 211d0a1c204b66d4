//! The source side of a document over an element of a reply.

use bytes::Bytes;
use heliu_transform::{Map, Metadata, Outline, Path, Shaping, Side, Value, canonical, records};

use crate::{NOW, TZ, halves, record};

/// A condition (or, as an object, a whole document), and an element behind `---`.
pub(crate) fn condition(data: &[u8]) {
    let (config, rest) = halves(data);
    let Ok(config) = Value::parse(config) else { return raw(data) };
    let mut doc = match config {
        Value::Object(map) => map,
        list => {
            let mut map = Map::new();
            map.insert("condition", list);
            map
        }
    };
    doc.insert("api", Value::from("/a"));
    if doc.get("id").is_none() {
        doc.insert("id", Value::from("id"));
    }
    let (meta, _) = Metadata::from_value(Value::Object(doc), Side::Source);
    let shaping = Shaping::compile(&meta, TZ);
    let raw =
        if rest.is_empty() { Bytes::from(record(rest).to_json()) } else { Bytes::copy_from_slice(rest) };
    let once = || {
        let mut out = Vec::new();
        shaping.shape(&raw, NOW, &mut out);
        format!("{out:?}")
    };
    let first = once();
    assert_eq!(first, once(), "shaped again");
    let body = Bytes::from([b"{\"data\":[", &*raw, b"]}"].concat());
    let _ = records::extract_list(&body, None, &meta);
}

/// Bytes that are no configuration: a reply, then.
fn raw(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let whole = Value::parse(data);
    let cut = records::split_list(&body, &Path::new("data"));
    let _ = Outline::read(&body).is_ok();
    let _ = records::zip_names(data, &["a".into(), "b.c".into()]);
    let mut buffer = canonical::Scratch::default();
    let hash = canonical::content_hash(data, &[], &mut buffer);
    if let Ok(v) = whole {
        // Key order, blanks and escapes do not count.
        let again = canonical::content_hash(v.to_json().as_bytes(), &[], &mut buffer);
        if let (Ok(a), Ok(b)) = (hash, again) {
            assert_eq!(a, b, "{}", v.to_json());
        }
        for slice in cut.ok().flatten().unwrap_or_default() {
            assert!(Value::parse(&slice).is_ok(), "a record of a reply that is JSON");
        }
    }
}

/// Words of conditions.
pub(crate) fn words() -> Vec<String> {
    [
        "\n---\n",
        "[[{\"field\":\"",
        "\",\"logic\":\"",
        "\",\"value\":",
        "\"strictMode\":true",
        "eq",
        "neq",
        "gt",
        "egt",
        "lt",
        "elt",
        "like",
        "notlike",
        "between",
        "notnull",
        "isnull",
        "in",
        "notin",
        "\"timestamp:1710403200\"",
        "items.qty",
        "buyer.addr.city",
        "\"condition\":",
        "\"formatResponse\":[{\"old\":\"",
        "\",\"new\":\"",
        "\",\"format\":\"",
        "date",
        "datetime",
        "timestamp",
        "\"beatFlat\":[\"items\",\"tags\"]",
        "\"operation\":{\"method\":\"splitArray\",\"arrayKey\":\"items\"}",
        "\"buildModel\":true",
        "\"response\":[{\"field\":\"",
        "\"id\":\"{{no}}-{{id}}\"",
        "{\"data\":[",
        "1e999999999",
        "\\ud800",
    ]
    .map(str::to_owned)
    .to_vec()
}
