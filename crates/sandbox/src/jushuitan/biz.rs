//! Reading business parameters as tolerantly as the platform does: integers may be text, empty means absent.

use serde_json::{Map, Value};

use super::check::Refusal;
use crate::clock::parse_beijing;

/// Seconds of the longest window.
pub(crate) const WEEK: i64 = 7 * 86_400;

/// The parameters of a query.
pub(crate) struct Biz(Map<String, Value>);

/// One page asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageAsked {
    pub(crate) index: usize,
    pub(crate) size: usize,
}

impl Biz {
    pub(crate) fn parse(text: &str) -> Result<Biz, Refusal> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Biz(map)),
            _ => Err(Refusal::parameter("biz")),
        }
    }

    fn given(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|v| match v {
            Value::Null => false,
            Value::String(s) => !s.is_empty(),
            Value::Array(a) => !a.is_empty(),
            _ => true,
        })
    }

    pub(crate) fn int(&self, key: &str) -> Result<Option<i64>, Refusal> {
        self.given(key).map(|v| as_int(v).ok_or_else(|| Refusal::parameter(key))).transpose()
    }

    pub(crate) fn bool(&self, key: &str, default: bool) -> Result<bool, Refusal> {
        let Some(value) = self.given(key) else { return Ok(default) };
        match value {
            Value::Bool(b) => Ok(*b),
            Value::String(s) if s.eq_ignore_ascii_case("true") || s == "1" => Ok(true),
            Value::String(s) if s.eq_ignore_ascii_case("false") || s == "0" => Ok(false),
            other => match as_int(other) {
                Some(0) => Ok(false),
                Some(1) => Ok(true),
                _ => Err(Refusal::parameter(key)),
            },
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, Refusal> {
        match self.given(key) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            Some(_) => Err(Refusal::parameter(key)),
        }
    }

    /// A list of texts (or numbers as text) of at most `most`.
    pub(crate) fn texts(&self, key: &str, most: usize) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.given(key) else { return Ok(Vec::new()) };
        let Value::Array(list) = value else { return Err(Refusal::parameter(key)) };
        if list.len() > most {
            return Err(Refusal::parameter(format_args!("{key}最多{most}个")));
        }
        list.iter()
            .map(|v| match v {
                Value::String(s) => Ok(s.clone()),
                Value::Number(n) => Ok(n.to_string()),
                _ => Err(Refusal::parameter(key)),
            })
            .collect()
    }

    /// A list of integers of at most `most`.
    pub(crate) fn ints(&self, key: &str, most: usize) -> Result<Vec<i64>, Refusal> {
        self.texts(key, most)?.iter().map(|t| t.trim().parse().map_err(|_| Refusal::parameter(key))).collect()
    }

    /// `page_index` and `page_size`; a size over the maximum is cut down, or an error where `is_strict`.
    pub(crate) fn page(&self, default: usize, most: usize, is_strict: bool) -> Result<PageAsked, Refusal> {
        let positive = |key: &str, default: usize| match self.int(key)? {
            None => Ok(default),
            Some(n) if n >= 1 => usize::try_from(n).map_err(|_| Refusal::parameter(key)),
            Some(_) => Err(Refusal::parameter(key)),
        };
        let index = positive("page_index", 1)?;
        let size = positive("page_size", default)?;
        if size > most && is_strict {
            return Err(Refusal::parameter(format_args!("page_size最大{most}")));
        }
        Ok(PageAsked { index, size: size.min(most) })
    }

    /// `modified_begin` and `modified_end`: both or none, in order, at most `longest` seconds apart.
    pub(crate) fn window(&self, longest: i64) -> Result<Option<(i64, i64)>, Refusal> {
        let time = |key: &str| {
            let Some(text) = self.text(key)? else { return Ok(None) };
            parse_beijing(&text).map(Some).ok_or_else(|| Refusal::parameter(key))
        };
        match (time("modified_begin")?, time("modified_end")?) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(Refusal::parameter("modified_end不能为空")),
            (None, Some(_)) => Err(Refusal::parameter("modified_begin不能为空")),
            (Some(b), Some(e)) if b > e => Err(Refusal::parameter("开始时间不能大于结束时间")),
            (Some(b), Some(e)) if e - b > longest => {
                Err(Refusal::parameter(format_args!("时间间隔不能超过{}天", longest / 86_400)))
            }
            (Some(b), Some(e)) => Ok(Some((b, e))),
        }
    }
}

/// An integer, also one written as text.
pub(crate) fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.to_string().parse().ok(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}
