//! Replies that are no UTF-8 JSON: GBK becomes UTF-8, XML becomes JSON.

use bytes::Bytes;
use heliu_transform::{Map, Value};

use super::client::Reply;
use super::outcome::Reading;
use crate::manifest::Charset;

/// The reply's body as UTF-8 JSON where the rule or the reply itself says that it is something else.
pub(super) fn decode(reply: &mut Reply, reading: &Reading) {
    let kind = reply.header("content-type").unwrap_or("").to_ascii_lowercase();
    let named = kind
        .split(';')
        .find_map(|p| p.trim().strip_prefix("charset="))
        .map(|c| c.trim_matches('"').to_owned());
    let gbk = match named.as_deref() {
        Some("gbk" | "gb2312" | "gb18030") => true,
        Some(_) => false,
        None => reading.charset == Charset::Gbk || declared_gbk(&reply.body),
    };
    if gbk {
        let (text, _, _) = encoding_rs::GB18030.decode(&reply.body);
        reply.replace(Bytes::from(text.into_owned()));
    }
    let xml = match reading.xml {
        Some(xml) => xml,
        None => kind.contains("xml") && !kind.contains("html"),
    };
    if xml && let Some(json) = xml_to_json(&reply.body) {
        reply.replace(json);
    }
}

/// An XML head that names GBK.
fn declared_gbk(body: &[u8]) -> bool {
    let head = String::from_utf8_lossy(body.get(..body.len().min(120)).unwrap_or(&[])).to_ascii_lowercase();
    head.trim_start().starts_with("<?xml")
        && (head.contains("gbk") || head.contains("gb2312") || head.contains("gb18030"))
}

/// Elements become members (repeated ones a list), attributes `@name`, text of an element with members `#text`.
/// `None` when it is no XML: then the reply is judged as it came.
fn xml_to_json(body: &[u8]) -> Option<Bytes> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim();
    // The declaration may name the character set that the text no longer has.
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1,
        None => text,
    };
    let doc = roxmltree::Document::parse(text).ok()?;
    let root = doc.root_element();
    let mut map = Map::new();
    map.insert(root.tag_name().name(), value(root, 0));
    Some(Bytes::from(Value::Object(map).to_json()))
}

fn value(node: roxmltree::Node<'_, '_>, depth: u32) -> Value {
    let text: String = node.children().filter(|c| c.is_text()).filter_map(|c| c.text()).collect();
    let mut map = Map::new();
    for a in node.attributes() {
        map.insert(format!("@{}", a.name()), Value::from(a.value()));
    }
    for child in node.children().filter(roxmltree::Node::is_element) {
        let name = child.tag_name().name();
        let inner = if depth < 100 { value(child, depth + 1) } else { Value::Null };
        match map.get_mut(name) {
            None => map.insert(name, inner),
            Some(Value::Array(list)) => list.push(inner),
            Some(one) => {
                let first = std::mem::replace(one, Value::Null);
                *one = Value::Array(vec![first, inner]);
            }
        }
    }
    if map.is_empty() {
        return Value::from(text.trim());
    }
    if !text.trim().is_empty() {
        map.insert("#text", Value::from(text.trim()));
    }
    Value::Object(map)
}

/// A value as XML below an element; lists repeat it.
pub(super) fn to_xml(name: &str, v: &Value, out: &mut String) {
    match v {
        Value::Array(items) => items.iter().for_each(|i| to_xml(name, i, out)),
        Value::Object(map) => {
            open(name, out);
            for (k, v) in map.iter() {
                to_xml(k, v, out);
            }
            close(name, out);
        }
        other => {
            open(name, out);
            escape(&if other.is_null() { String::new() } else { other.in_text() }, out);
            close(name, out);
        }
    }
}

/// Names come from metadata; what no XML name may hold becomes `_`.
fn tag(name: &str) -> String {
    let ok = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let mut t: String = name.chars().map(|c| if ok(c) { c } else { '_' }).collect();
    if t.chars().next().is_none_or(|c| !(c.is_alphabetic() || c == '_')) {
        t.insert(0, '_');
    }
    t
}

fn open(name: &str, out: &mut String) {
    out.push('<');
    out.push_str(&tag(name));
    out.push('>');
}

fn close(name: &str, out: &mut String) {
    out.push_str("</");
    out.push_str(&tag(name));
    out.push('>');
}

fn escape(s: &str, out: &mut String) {
    for c in s.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // Control characters have no place in XML 1.0.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_both_ways() {
        let json = xml_to_json("<?xml version=\"1.0\" encoding=\"GBK\"?><r a='1'><row><id>7</id></row><row><id>8</id></row><n>甲&amp;乙</n></r>".as_bytes());
        assert_eq!(
            json.as_deref().map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default(),
            r#"{"r":{"@a":"1","row":[{"id":"7"},{"id":"8"}],"n":"甲&乙"}}"#
        );
        assert_eq!(xml_to_json(b"<a><b></a>"), None);
        let mut out = String::new();
        let v = Value::parse(r#"{"a":["x<","y"],"b c":{"1":null}}"#.as_bytes()).unwrap_or_default();
        to_xml("r", &v, &mut out);
        assert_eq!(out, "<r><a>x&lt;</a><a>y</a><b_c><_1></_1></b_c></r>");
    }
}
