//! JSON values with exact numbers and ordered keys.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::members::Members;
use crate::{Text, text};

/// A number, its digits kept as written: money and 64-bit ids never pass through floating point.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Repr {
    Int(i64),
    Text(Str),
}

impl Number {
    /// From an integer.
    pub fn from_i64(n: i64) -> Self {
        Number(Repr::Int(n))
    }

    /// From JSON number text; `None` when it is no number.
    pub fn from_text(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if plain {
            // `-0` and leading zeros keep their spelling as text.
            let canonical = digits.len() == 1 || !digits.starts_with('0');
            return match text.parse::<i64>() {
                Ok(n) if canonical && text != "-0" => Some(Number(Repr::Int(n))),
                _ if canonical || digits == "0" => Some(Number(Repr::Text(text.into()))),
                _ => None,
            };
        }
        let mut bytes = digits.bytes();
        let ok = bytes.next().is_some_and(|b| b.is_ascii_digit())
            && digits.bytes().last().is_some_and(|b| b.is_ascii_digit())
            && serde_json::from_str::<serde_json::Number>(text).is_ok();
        ok.then(|| Number(Repr::Text(text.into())))
    }

    /// From text that is known to be a JSON number; `integer` when it has neither point nor exponent.
    pub(crate) fn from_checked(text: &str, integer: bool) -> Self {
        match text.parse::<i64>() {
            Ok(n) if integer && text != "-0" => Number(Repr::Int(n)),
            _ => Number(Repr::Text(text.into())),
        }
    }

    /// The integer value, if it is one that fits 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Int(n) => Some(*n),
            Repr::Text(_) => None,
        }
    }

    /// The exact decimal value; `None` of a number that is too long to be computed with.
    pub fn to_decimal(&self) -> Option<bigdecimal::BigDecimal> {
        match &self.0 {
            Repr::Int(n) => Some((*n).into()),
            Repr::Text(t) => decimal(t),
        }
    }

    /// The digits as written.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        match &self.0 {
            Repr::Int(n) => n.to_string().into(),
            Repr::Text(t) => t.as_str().into(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Repr::Text(t) => out.extend_from_slice(t.as_bytes()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Text in values; up to 24 bytes need no allocation, and most fields of business records are shorter.
pub type Str = compact_str::CompactString;

/// A key of an object; up to 24 bytes need no allocation, and few keys are longer.
pub type Key = compact_str::CompactString;

/// Where a member stood the last time: the objects of a source mostly have theirs in one order. It only says where to
/// look first, and is no part of what holds it.
#[derive(Debug, Default)]
pub(crate) struct Near(AtomicU32);

impl Clone for Near {
    fn clone(&self) -> Self {
        Near::default()
    }
}

impl PartialEq for Near {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// An object that keeps the order of its keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map(Vec<(Key, Value)>);

impl Map {
    /// An empty object.
    pub fn new() -> Self {
        Map::default()
    }

    /// From members whose keys are known to differ.
    pub(crate) fn from_members(members: Vec<(Key, Value)>) -> Self {
        Map(members)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The value of a key that mostly stands where it stood in the object before.
    pub(crate) fn get_near(&self, key: &str, near: &Near) -> Option<&Value> {
        if let Some((k, v)) = self.0.get(near.0.load(Ordering::Relaxed) as usize)
            && k == key
        {
            return Some(v);
        }
        let at = self.0.iter().position(|(k, _)| k == key)?;
        near.0.store(u32::try_from(at).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.0.get(at).map(|(_, v)| v)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets a key: the last one wins, at the place of the first.
    pub fn insert(&mut self, key: impl Into<Key>, value: Value) {
        let key = key.into();
        match self.0.iter_mut().find(|(k, _)| *k == key) {
            Some(slot) => slot.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.remove(at).1)
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::iter::Map<std::vec::IntoIter<(Key, Value)>, fn((Key, Value)) -> (String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(k, v)| (k.into_string(), v))
    }
}

impl FromIterator<(String, Value)> for Map {
    fn from_iter<T: IntoIterator<Item = (String, Value)>>(iter: T) -> Self {
        let iter = iter.into_iter();
        let mut members = Members::with_capacity(iter.size_hint().0);
        for (k, v) in iter {
            members.put(k.into(), v);
        }
        members.into_map()
    }
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// null
    #[default]
    Null,
    /// true or false
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(Str),
    /// A list.
    Array(Vec<Value>),
    /// An object.
    Object(Map),
}

/// Text that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl JsonError {
    /// The sentence for users.
    pub fn text(&self) -> Text {
        let JsonError { line, column, message } = self;
        text!(
            "invalid JSON at line {line}, column {column}: {message}",
            "JSON 无效,第 {line} 行第 {column} 列:{message}"
        )
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(e: serde_json::Error) -> Self {
        let full = e.to_string();
        let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
        JsonError { line: e.line(), column: e.column(), message }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text())
    }
}

impl std::error::Error for JsonError {}

impl Value {
    /// Parses JSON text. Depth is bounded (128); of repeated keys the last wins; digits are kept.
    ///
    /// # Errors
    /// Line and column of the first fault.
    pub fn parse(json: &[u8]) -> Result<Value, JsonError> {
        crate::json::parse(json)
    }

    /// Compact JSON text: order kept, digits as written, text unescaped as far as JSON allows.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Appends compact JSON text.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Number(n) => n.write(out),
            Value::String(s) => write_string(s, out),
            Value::Array(items) => {
                out.push(b'[');
                for (i, v) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    v.write_json(out);
                }
                out.push(b']');
            }
            Value::Object(map) => {
                out.push(b'{');
                for (i, (k, v)) in map.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_string(k, out);
                    out.push(b':');
                    v.write_json(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The value at a dotted path; numbers index lists, a list in the middle gives the list of its members' values
    /// (dialect V-F09, V-F10).
    pub fn get_path(&self, path: &str) -> Option<Value> {
        crate::path::Path::new(path).get(self)
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Value::Object(m) => Some(m),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// True for null, text without characters other than blanks, and the empty list.
    pub fn is_blank(&self) -> bool {
        match self {
            Value::Null => true,
            Value::String(s) => s.trim().is_empty(),
            Value::Array(a) => a.is_empty(),
            _ => false,
        }
    }

    /// As part of a text (rule G4): null is empty, lists and objects are compact JSON.
    pub fn in_text(&self) -> String {
        match self {
            Value::Null => String::new(),
            Value::String(s) => s.as_str().to_owned(),
            Value::Number(n) => plain_digits(n),
            other => other.to_json(),
        }
    }

    /// The text of a text, the digits of a number, `true` or `false`; `None` of lists, objects and null.
    pub(crate) fn into_scalar_text(self) -> Option<String> {
        match self {
            Value::String(s) => Some(s.into_string()),
            Value::Number(n) => Some(n.text().into_owned()),
            Value::Bool(b) => Some(b.to_string()),
            _ => None,
        }
    }

    /// The same value for serde_json.
    pub fn to_serde(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) => serde_json::from_str(&n.text()).unwrap_or(serde_json::Value::Null),
            Value::String(s) => s.as_str().into(),
            Value::Array(a) => a.iter().map(Value::to_serde).collect(),
            Value::Object(m) => {
                serde_json::Value::Object(m.iter().map(|(k, v)| (k.to_owned(), v.to_serde())).collect())
            }
        }
    }
}

/// Most digits of a number, and the largest exponent, that is computed with: more than any float or column holds.
const MAX_DIGITS: usize = 1000;
const MAX_EXPONENT: i32 = 400;

/// The exact decimal value of a text. `1e999999999` is a few bytes and would be a billion digits: it is none.
pub(crate) fn decimal(text: &str) -> Option<bigdecimal::BigDecimal> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse().ok()?),
        None => (text, 0i32),
    };
    let fine = mantissa.len() <= MAX_DIGITS && (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent);
    if fine { text.parse().ok() } else { None }
}

/// Shortest decimal without exponent; a number beyond all bounds as it is written.
fn plain_digits(n: &Number) -> String {
    let text = n.text();
    if text.contains(['e', 'E']) {
        return n.to_decimal().map_or_else(|| text.to_string(), |d| d.normalized().to_plain_string());
    }
    text.into_owned()
}

/// Appends a JSON string.
pub(crate) fn write_string(s: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = s.as_bytes();
    let mut from = 0;
    for (i, b) in bytes.iter().enumerate() {
        let escape: &[u8] = match b {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..i).unwrap_or(&[]));
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{b:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = i + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or(&[]));
    out.push(b'"');
}

impl From<&serde_json::Value> for Value {
    fn from(v: &serde_json::Value) -> Self {
        match v {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => {
                let text = n.as_str();
                Value::Number(Number::from_text(text).unwrap_or_else(|| Number(Repr::Text(text.into()))))
            }
            serde_json::Value::String(s) => Value::from(s.as_str()),
            serde_json::Value::Array(a) => Value::Array(a.iter().map(Value::from).collect()),
            serde_json::Value::Object(m) => {
                Value::Object(Map(m.iter().map(|(k, v)| (k.into(), Value::from(v))).collect()))
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(v: serde_json::Value) -> Self {
        Value::from(&v)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::String(s.into())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::String(s.into())
    }
}

impl From<std::borrow::Cow<'_, str>> for Value {
    fn from(s: std::borrow::Cow<'_, str>) -> Self {
        Value::String(s.into())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Number(Number::from_i64(n))
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.to_serde().serialize(s)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(d).map(Value::from)
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Value::Object(self.clone()).serialize(s)
    }
}
