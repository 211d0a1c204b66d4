//! `connectors/<name>.toml` (interface §2.1).

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::Value;

use super::fields::Fields;
use crate::budget::Limits;
use crate::{Problem, text};

/// Where a credential's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialValue {
    /// In the file itself.
    Plain(String),
    /// In an environment variable.
    Env(String),
    /// Sealed in the ledger under this name.
    Secret(String),
    /// In a file of its own.
    File(String),
}

/// A connector file.
#[derive(Debug, Clone, Default)]
pub struct ConnectorFile {
    /// Platform.
    pub platform: String,
    /// Address.
    pub base_url: Option<String>,
    /// Zone.
    pub timezone: Option<Tz>,
    /// Credentials and settings by name.
    pub values: BTreeMap<String, CredentialValue>,
    /// Names among `values` that stand under `[credentials]`.
    pub credentials: Vec<String>,
    /// Limits.
    pub limits: Limits,
}

/// Settings of databases and of generic HTTP accounts, which may stand on the top level.
const SETTINGS: &[&str] = &[
    "dsn",
    "host",
    "port",
    "database",
    "username",
    "user",
    "password",
    "charset",
    "pool_size",
    "use_ssl",
    "ssl_ca",
    "path",
    "auth",
    "key",
    "key_name",
    "key_in",
    "token",
];

pub(super) fn value(v: &Value, at: String, problems: &mut Vec<Problem>) -> Option<CredentialValue> {
    match v {
        Value::String(s) => Some(CredentialValue::Plain(s.clone())),
        Value::Number(n) => Some(CredentialValue::Plain(n.to_string())),
        Value::Bool(b) => Some(CredentialValue::Plain(b.to_string())),
        Value::Object(map) if map.len() == 1 => {
            let (key, inner) = map.iter().next()?;
            let name = inner.as_str().unwrap_or("").to_owned();
            let out = match key.as_str() {
                "env" => CredentialValue::Env(name.clone()),
                "secret" => CredentialValue::Secret(name.clone()),
                "file" => CredentialValue::File(name.clone()),
                _ => {
                    problems.push(Problem::error(
                        "HL-1008",
                        at,
                        text!(
                            "`{key}` names no place of a value; use env, secret or file",
                            "`{key}` 不是取值方式;可用 env、secret 或 file"
                        ),
                    ));
                    return None;
                }
            };
            if name.is_empty() {
                problems.push(Problem::error("HL-1008", at, text!("`{key}` is empty", "`{key}` 为空")));
                return None;
            }
            Some(out)
        }
        _ => {
            problems.push(Problem::error(
                "HL-1008",
                at,
                text!(
                    "a value is text, or {{ env = \"…\" }}, {{ secret = \"…\" }}, {{ file = \"…\" }}",
                    "取值应为文本,或 {{ env = \"…\" }}、{{ secret = \"…\" }}、{{ file = \"…\" }}"
                ),
            ));
            None
        }
    }
}

impl ConnectorFile {
    /// Reads a tree.
    pub fn read(tree: &Value) -> (ConnectorFile, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut out = ConnectorFile::default();
        let Some(map) = tree.as_object() else {
            problems.push(Problem::error("HL-1004", "", text!("a connector is an object", "连接器应为对象")));
            return (out, problems);
        };
        let mut f = Fields::new(map, "", &mut problems);
        let mut known = vec!["platform", "base_url", "timezone", "credentials", "limits"];
        known.extend(SETTINGS);
        f.only(&known);
        match f.text("platform") {
            Some(p) => out.platform = p,
            None => f.missing(
                "platform",
                text!(
                    "name the kind of system; `heliu platforms` lists them",
                    "请填写平台名;`heliu platforms` 会列出"
                ),
            ),
        }
        out.base_url = f.text("base_url");
        if let Some(url) = &out.base_url
            && !url.starts_with("http://")
            && !url.starts_with("https://")
        {
            f.problems.push(Problem::error(
                "HL-1004",
                "base_url",
                text!(
                    "`{url}` is no address; it begins with http:// or https://",
                    "`{url}` 不是地址;应以 http:// 或 https:// 开头"
                ),
            ));
        }
        out.timezone = f.zone("timezone");
        if let Some(limits) = f.object("limits") {
            let mut l = Fields::new(limits, "limits", f.problems);
            l.only(&["requests_per_second", "requests_per_minute", "concurrency"]);
            let mut number = |k: &str| l.number(k, 1, 1_000_000).and_then(|n| u32::try_from(n).ok());
            out.limits = Limits {
                requests_per_second: number("requests_per_second"),
                requests_per_minute: number("requests_per_minute"),
                concurrency: number("concurrency"),
            };
        }
        let credentials = f.object("credentials");
        for key in SETTINGS {
            if let Some(v) = map.get(*key)
                && let Some(v) = value(v, (*key).to_owned(), f.problems)
            {
                out.values.insert((*key).to_owned(), v);
            }
        }
        for (key, v) in credentials.into_iter().flatten() {
            if let Some(v) = value(v, format!("credentials.{key}"), f.problems) {
                out.values.insert(key.clone(), v);
                out.credentials.push(key.clone());
            }
        }
        (out, problems)
    }
}
