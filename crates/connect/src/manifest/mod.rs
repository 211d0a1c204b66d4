//! Platform manifests: a platform is data (design §4). Parsed once; templates compiled once.

mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use heliu_model::budget::Limits;
use heliu_model::{Failure, text};
use serde::Deserialize;

pub(crate) use template::Templates;

/// A title in both languages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// English.
    #[serde(default)]
    pub en: String,
    /// 中文。
    #[serde(default)]
    pub zh: String,
}

/// A credential that connectors of the platform give.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialForm {
    /// Name in the connector file.
    pub name: String,
    /// Other names that connectors may use.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it is.
    #[serde(default)]
    pub title: Title,
    /// Must be given.
    #[serde(default)]
    pub required: bool,
    /// Is masked wherever it appears.
    #[serde(default)]
    pub secret: bool,
}

impl CredentialForm {
    /// The value that a connector gives, under this name or another one.
    pub fn of(&self, spec: &heliu_model::ConnectorSpec) -> Option<String> {
        spec.setting(&self.name).or_else(|| self.aliases.iter().find_map(|a| spec.setting(a)))
    }
}

/// How calls are encoded and signed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestForm {
    /// Verb that replaces the metadata's.
    pub method: Option<String>,
    /// `form`: an envelope of fields; `json`; `query`; `auto`: by the verb.
    #[serde(default)]
    pub encoding: String,
    /// Form fields in order: name and template.
    #[serde(default)]
    pub fields: Vec<(String, String)>,
    /// Headers: name and template; empty results are not sent.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The signature.
    pub sign: Option<SignForm>,
    /// `by_credentials`: the generic platform's choice of authentication.
    pub auth: Option<String>,
}

/// A signature: the field that carries it, and how it is computed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignForm {
    /// Name of the form field.
    pub field: String,
    /// Template over `fields` (name and value pairs) and `credentials`.
    pub template: String,
}

/// Getting and renewing tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenForm {
    /// Credential that holds the access token.
    pub access: String,
    /// Credential that holds the refresh token.
    pub refresh: Option<String>,
    /// Renew so long before the end, in seconds.
    #[serde(default)]
    pub margin_seconds: i64,
    /// Call that renews.
    pub renew: Option<TokenCall>,
    /// Call that gets the first token without a person.
    pub first: Option<TokenCall>,
    /// Where the reply has the pair.
    pub reply: TokenReply,
}

/// A token call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCall {
    /// Path below the base address.
    pub path: String,
    /// Form fields in order.
    pub fields: Vec<(String, String)>,
}

/// Where a token reply has what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenReply {
    /// Access token.
    pub access: String,
    /// Refresh token; absent in the reply: the old one stays.
    pub refresh: Option<String>,
    /// Seconds of validity.
    pub expires_in: Option<String>,
}

/// How replies are read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyForm {
    /// Places of the list, tried in order.
    #[serde(default)]
    pub lists: Vec<String>,
    /// Places of the total.
    #[serde(default)]
    pub total: Vec<String>,
    /// Header with the total.
    pub total_header: Option<String>,
    /// Places of the number of pages.
    #[serde(default)]
    pub pages: Vec<String>,
    /// Places of the page size.
    #[serde(default)]
    pub size: Vec<String>,
    /// Places of the has-more flag.
    #[serde(default)]
    pub has_next: Vec<String>,
    /// Places of the next cursor.
    #[serde(default)]
    pub next: Vec<String>,
    /// The Link header says whether more follows.
    #[serde(default)]
    pub link_header: bool,
    /// Places of the status code.
    #[serde(default)]
    pub code: Vec<String>,
    /// Codes that mean success, as text.
    #[serde(default)]
    pub ok: Vec<String>,
    /// Boolean that means success when there is no code.
    pub flag: Option<String>,
    /// Places of the error message.
    #[serde(default)]
    pub message: Vec<String>,
    /// Class of codes that the table does not name.
    #[serde(default)]
    pub unknown: String,
    /// What codes mean.
    #[serde(default)]
    pub codes: Vec<CodeForm>,
}

/// One code of a platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    /// The code as text.
    pub code: String,
    /// `config`, `auth`, `throttled`, `transient`, `clock`, `data`, `ok`.
    pub class: String,
    /// How long a throttle answer asks to wait, in milliseconds.
    pub wait_ms: Option<u64>,
    /// What it means and what to do.
    pub en: String,
    /// 含义与处理办法。
    pub zh: String,
}

/// How pages are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagingForm {
    /// `page`, `none`, or `auto`: as the metadata shows.
    #[serde(default)]
    pub style: String,
    /// Names of the page field; the first is used where the request has none.
    #[serde(default, deserialize_with = "one_or_many")]
    pub page: Vec<String>,
    /// Names of the page size field.
    #[serde(default, deserialize_with = "one_or_many")]
    pub size: Vec<String>,
    /// Names of the offset field.
    #[serde(default, deserialize_with = "one_or_many")]
    pub offset: Vec<String>,
    /// Names of the cursor field.
    #[serde(default, deserialize_with = "one_or_many")]
    pub cursor: Vec<String>,
    /// Number of the first page.
    #[serde(default = "one")]
    pub start: i64,
}

fn one() -> i64 {
    1
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Either::deserialize(d)? {
        Either::One(s) => vec![s],
        Either::Many(v) => v,
    })
}

/// Method names that stand for paths.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodForm {
    /// Dots become slashes below this prefix.
    #[serde(default)]
    pub prefix: String,
}

/// One API of the catalogue.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiForm {
    /// Path below the base address.
    pub path: String,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it is.
    #[serde(default)]
    pub title: Title,
    /// Place of its list.
    pub list: Option<String>,
    /// Rows of a page at most.
    pub max_page_size: Option<u32>,
    /// Days of a window at most.
    pub max_window_days: Option<u32>,
    /// Field that is unique.
    pub id: Option<String>,
    /// Modification stamp inside an element.
    pub stamp: Option<String>,
    /// Anchored cursor.
    pub anchor: Option<AnchorForm>,
    /// Repeating a write changes nothing.
    #[serde(default)]
    pub idempotent: bool,
    /// Fields of its elements, dotted, rows of lists included: what references can be checked against before the
    /// first record came.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// A cursor that is anchored in the rows' order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorForm {
    /// Parameter.
    pub param: String,
    /// Place inside an element.
    pub path: String,
    /// Page number while the cursor is used.
    pub page: Option<i64>,
}

/// The cheapest call, for connection tests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestForm {
    /// Path or name.
    pub api: String,
    /// Parameters.
    #[serde(default)]
    pub params: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsForm {
    requests_per_second: Option<u32>,
    requests_per_minute: Option<u32>,
    concurrency: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    title: Title,
    base_url: Option<String>,
    timezone: Option<String>,
    test: Option<TestForm>,
    #[serde(default)]
    limits: LimitsForm,
    #[serde(default)]
    credentials: Vec<CredentialForm>,
    #[serde(default)]
    request: RequestForm,
    token: Option<TokenForm>,
    #[serde(default)]
    reply: ReplyForm,
    #[serde(default)]
    paging: PagingForm,
    #[serde(default)]
    methods: MethodForm,
    #[serde(default)]
    apis: Vec<ApiForm>,
}

/// A platform.
#[derive(Debug)]
pub struct Manifest {
    /// Name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// What it is.
    pub title: Title,
    /// Default address.
    pub base_url: Option<String>,
    /// Zone of its times.
    pub timezone: chrono_tz::Tz,
    /// Published limits.
    pub limits: Limits,
    /// Credentials.
    pub credentials: Vec<CredentialForm>,
    /// Encoding.
    pub request: RequestForm,
    /// Tokens.
    pub token: Option<TokenForm>,
    /// Replies.
    pub reply: ReplyForm,
    /// Paging.
    pub paging: PagingForm,
    /// Catalogue.
    pub apis: Vec<ApiForm>,
    /// Connection test.
    pub test: Option<TestForm>,
    methods: MethodForm,
    pub(crate) templates: Templates,
}

impl Manifest {
    /// Reads a manifest. `file` names it in failures.
    ///
    /// # Errors
    /// Not TOML, unknown keys (with the nearest known ones), templates that cannot be compiled.
    pub fn parse(source: &str, file: &str) -> Result<Arc<Manifest>, Failure> {
        let bad = |why: &str| {
            let why = why.trim().to_owned();
            Failure::config(
                "HL-1040",
                text!("the platform manifest cannot be used: {why}", "平台清单无法使用:{why}"),
            )
            .at(file)
            .hint(text!(
                "see `heliu platforms` and the built-in manifests for the keys there are",
                "可用的键请参考 `heliu platforms` 与内置清单"
            ))
        };
        let form: Form = toml::from_str(source).map_err(|e| bad(&e.to_string()))?;
        let timezone = match form.timezone.as_deref() {
            None => chrono_tz::Asia::Shanghai,
            Some(z) => z.parse().map_err(|_| bad(&format!("`{z}` is no time zone")))?,
        };
        let mut named: Vec<(String, String)> = Vec::new();
        for (k, t) in &form.request.fields {
            named.push((format!("field/{k}"), t.clone()));
        }
        for (k, t) in &form.request.headers {
            named.push((format!("header/{k}"), t.clone()));
        }
        if let Some(sign) = &form.request.sign {
            named.push(("sign".into(), sign.template.clone()));
        }
        for (what, call) in [
            ("renew", form.token.as_ref().and_then(|t| t.renew.as_ref())),
            ("first", form.token.as_ref().and_then(|t| t.first.as_ref())),
        ] {
            for (k, t) in call.iter().flat_map(|c| &c.fields) {
                named.push((format!("{what}/{k}"), t.clone()));
            }
        }
        let templates = Templates::compile(&named).map_err(|e| bad(&e))?;
        Ok(Arc::new(Manifest {
            name: form.name,
            aliases: form.aliases,
            title: form.title,
            base_url: form.base_url,
            timezone,
            limits: Limits {
                requests_per_second: form.limits.requests_per_second,
                requests_per_minute: form.limits.requests_per_minute,
                concurrency: form.limits.concurrency,
            },
            credentials: form.credentials,
            request: form.request,
            token: form.token,
            reply: form.reply,
            paging: form.paging,
            apis: form.apis,
            test: form.test,
            methods: form.methods,
            templates,
        }))
    }

    /// True when `name` is the platform's name or an alias.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    }

    /// What stands before method names when they are written as paths.
    pub(crate) fn method_prefix(&self) -> &str {
        &self.methods.prefix
    }

    /// The path of an interface name, and its entry in the catalogue.
    pub fn api(&self, name: &str) -> (String, Option<&ApiForm>) {
        let path = if name.starts_with('/') || self.methods.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}{}", self.methods.prefix, name.replace('.', "/"))
        };
        let entry = self
            .apis
            .iter()
            .find(|a| a.path == path || a.path == name || a.aliases.iter().any(|x| x == name || *x == path));
        (entry.map_or(path, |e| e.path.clone()), entry)
    }
}
