//! Reading keys of a tree one by one, collecting problems.

use serde_json::{Map, Value};

use crate::time::parse_duration;
use crate::{Problem, text};

/// An object being read.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
    pub problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub fn new(map: &'a Map<String, Value>, path: &str, problems: &'a mut Vec<Problem>) -> Self {
        Fields { map, path: path.to_owned(), problems }
    }

    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Reports keys that are not known, with the nearest known one.
    pub fn only(&mut self, known: &[&str]) {
        for key in self.map.keys().filter(|k| !known.contains(&k.as_str())) {
            let hint = match heliu_transform::nearest(key, known.iter().copied()) {
                Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
                None => {
                    let all = known.join(", ");
                    text!("known keys are {all}", "已知的键有 {all}")
                }
            };
            let at = self.at(key);
            self.problems.push(
                Problem::error("HL-1003", at, text!("unknown key `{key}`", "未知的键 `{key}`")).hint(hint),
            );
        }
    }

    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn wrong(&mut self, key: &str, wanted: (&str, &str)) {
        let found = self.map.get(key).map(ToString::to_string).unwrap_or_default();
        let (at, (en, zh)) = (self.at(key), wanted);
        let found: String = found.chars().take(60).collect();
        self.problems.push(Problem::error(
            "HL-1004",
            at,
            text!("`{key}` is {found}, it must be {en}", "`{key}` 的值为 {found},应为{zh}"),
        ));
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.raw(key)? {
            Value::String(s) => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => {
                self.wrong(key, ("text", "文本"));
                None
            }
        }
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.raw(key)? {
            Value::Bool(b) => Some(*b),
            Value::String(s) if s == "true" => Some(true),
            Value::String(s) if s == "false" => Some(false),
            _ => {
                self.wrong(key, ("true or false", " true 或 false"));
                None
            }
        }
    }

    pub fn number(&mut self, key: &str, least: u64, most: u64) -> Option<u64> {
        let n = match self.raw(key)? {
            Value::Number(n) => n.as_u64(),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        };
        match n.filter(|n| (least..=most).contains(n)) {
            Some(n) => Some(n),
            None => {
                let (en, zh) =
                    (format!("a whole number from {least} to {most}"), format!("{least} 到 {most} 的整数"));
                self.wrong(key, (&en, &zh));
                None
            }
        }
    }

    /// A duration in milliseconds.
    pub fn duration(&mut self, key: &str) -> Option<i64> {
        let words = self.text(key)?;
        match parse_duration(&words) {
            Ok(ms) => Some(ms),
            Err(t) => {
                let at = self.at(key);
                self.problems.push(Problem::error("HL-1005", at, t));
                None
            }
        }
    }

    pub fn zone(&mut self, key: &str) -> Option<chrono_tz::Tz> {
        let words = self.text(key)?;
        match words.parse() {
            Ok(tz) => Some(tz),
            Err(_) => {
                let at = self.at(key);
                self.problems.push(
                    Problem::error("HL-1006", at, text!("`{words}` is no time zone", "`{words}` 不是时区"))
                        .hint(text!(
                            "write a name such as `Asia/Shanghai`",
                            "请使用时区名,例如 `Asia/Shanghai`"
                        )),
                );
                None
            }
        }
    }

    pub fn object(&mut self, key: &str) -> Option<&'a Map<String, Value>> {
        match self.raw(key)? {
            Value::Object(map) => Some(map),
            _ => {
                self.wrong(key, ("an object", "对象"));
                None
            }
        }
    }

    pub fn list(&mut self, key: &str) -> Option<&'a Vec<Value>> {
        match self.raw(key)? {
            Value::Array(list) => Some(list),
            _ => {
                self.wrong(key, ("a list", "列表"));
                None
            }
        }
    }

    pub fn choice(&mut self, key: &str, known: &[&str]) -> Option<String> {
        let words = self.text(key)?;
        if known.contains(&words.as_str()) {
            return Some(words);
        }
        let at = self.at(key);
        let all = known.join(", ");
        self.problems.push(Problem::error(
            "HL-1004",
            at,
            text!("`{key}` is `{words}`; it can be {all}", "`{key}` 的值为 `{words}`;可用 {all}"),
        ));
        None
    }

    pub fn missing(&mut self, key: &str, hint: crate::Text) {
        let at = self.at(key);
        self.problems
            .push(Problem::error("HL-1007", at, text!("`{key}` is missing", "缺少 `{key}`")).hint(hint));
    }
}
