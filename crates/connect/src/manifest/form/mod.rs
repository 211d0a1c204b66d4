//! The manifest language as it is written: one TOML file per platform. What is said here is the reference; the JSON
//! schema is made from these types.

mod api;
mod reply;
mod request;
mod token;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

pub use api::{
    AnchorForm, ApiForm, BatchForm, ColumnsForm, DetailForm, EndForm, FieldForm, InsteadForm, KeyForm,
    LookUpForm, RecordedForm, RowsForm, WindowForm,
};
pub use reply::{CodeForm, PagingForm, ReplyForm, SinceForm, Style};
pub use request::{Charset, Encoding, RequestForm, SignForm, SignPlace, SignRule, VariantForm};
pub use token::{DiscoverForm, TokenForm, TokenReply};

/// A title in both languages.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Title {
    /// English.
    pub en: String,
    /// 中文。
    pub zh: String,
}

/// A credential that connectors of the platform give, under `[credentials]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialForm {
    /// Name in the connector file.
    pub name: String,
    /// Other names that connectors may use.
    pub aliases: Vec<String>,
    /// What it is.
    pub title: Title,
    /// Must be given.
    pub required: bool,
    /// Must be given where other credentials have these values.
    pub required_when: BTreeMap<String, String>,
    /// … unless one of these credentials is given.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub unless: Vec<String>,
    /// Is masked wherever it appears.
    pub secret: bool,
    /// Value where the connector gives none.
    pub default: Option<String>,
    /// The values there are.
    pub one_of: Vec<String>,
    /// Tells accounts apart: connectors with equal ones share tokens and budgets.
    pub identity: bool,
}

impl CredentialForm {
    /// The value that a connector gives, under this name or another one, in the spelling of `one_of`.
    pub fn of(&self, spec: &heliu_model::ConnectorSpec) -> Option<String> {
        let given = spec.setting(&self.name).or_else(|| self.aliases.iter().find_map(|a| spec.setting(a)))?;
        let fold = |s: &str| s.trim().to_ascii_lowercase().replace(['-', '_'], "");
        let spelt = self.one_of.iter().find(|v| fold(v) == fold(&given));
        Some(spelt.cloned().unwrap_or(given))
    }
}

/// Published limits of the platform; a connector's own ones replace them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsForm {
    /// Requests in any one second.
    pub requests_per_second: Option<u32>,
    /// Requests in any sixty seconds.
    pub requests_per_minute: Option<u32>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
    /// Seconds until the first byte of an answer must have come (10).
    pub timeout_seconds: Option<u64>,
}

/// What must not be seen in captured calls, besides secret credentials and tokens.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsForm {
    /// Names of parameters, body fields and reply fields whose values are masked.
    pub fields: Vec<String>,
    /// Names of headers whose values are masked.
    pub headers: Vec<String>,
}

/// Names that stand for paths.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MethodForm {
    /// A dotted name becomes a path: dots turn into slashes below this prefix.
    pub prefix: String,
}

/// The cheapest call, for `heliu test-connector`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestForm {
    /// Path or name.
    pub api: String,
    /// Verb (POST).
    pub method: Option<String>,
    /// Parameters.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub params: toml::Table,
}

/// A platform manifest.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "heliu platform manifest")]
pub struct Form {
    /// Name that connectors give as `platform`.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// What it is.
    pub title: Title,
    /// Address; a connector's `base_url` replaces it and all other addresses of this file.
    pub base_url: Option<String>,
    /// Zone of times without one (Asia/Shanghai).
    pub timezone: Option<String>,
    /// The cheapest call.
    pub test: Option<TestForm>,
    /// Published limits.
    pub limits: LimitsForm,
    /// Credentials.
    pub credentials: Vec<CredentialForm>,
    /// What must not be seen.
    pub secrets: SecretsForm,
    /// How the addresses are found out.
    pub discover: Option<DiscoverForm>,
    /// How calls are put on the wire.
    pub request: RequestForm,
    /// Other ways to put calls on the wire: for some paths, or by a credential.
    pub variants: Vec<VariantForm>,
    /// Getting and renewing tokens or sessions.
    pub token: Option<TokenForm>,
    /// How replies are read.
    pub reply: ReplyForm,
    /// How pages are asked for.
    pub paging: PagingForm,
    /// Names that stand for paths.
    pub methods: MethodForm,
    /// The catalogue.
    pub apis: Vec<ApiForm>,
}

/// One text or a list of texts.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    /// One.
    One(String),
    /// Several, tried in order.
    Many(Vec<String>),
}

pub(crate) fn one_or_many<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(d)? {
        OneOrMany::One(s) => vec![s],
        OneOrMany::Many(v) => v,
    })
}

/// Names and values: a table, or a list of pairs where order or repetition matters.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Pairs {
    /// `[["name", "value"], …]`
    List(Vec<(String, String)>),
    /// `{ name = "value", … }`
    Table(BTreeMap<String, String>),
}

pub(crate) fn pairs<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(String, String)>, D::Error> {
    Ok(match Pairs::deserialize(d)? {
        Pairs::List(v) => v,
        Pairs::Table(t) => t.into_iter().collect(),
    })
}
