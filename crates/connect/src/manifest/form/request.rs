//! How a call is put on the wire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{OneOrMany, PagingForm, Pairs, ReplyForm, one_or_many, pairs};

/// How the body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// GET, DELETE and HEAD: query; else JSON.
    #[default]
    Auto,
    /// Parameters in the query; no body.
    Query,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// `application/json`.
    Json,
    /// `application/xml`: parameters as elements below `root`.
    Xml,
    /// No body and no parameters beyond `query`.
    None,
}

/// Character set of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Charset {
    /// UTF-8.
    #[default]
    Utf8,
    /// GBK (GB 18030 when reading).
    Gbk,
}

/// How calls are put on the wire. Texts with `{{ … }}` are templates; a name whose value is empty is not sent.
///
/// Templates know: `credentials.<name>`, `token`, `refresh_token`, `now` (unix seconds), `now_ms`, `nonce`, `uuid`,
/// `api` (the interface's name), `method`, `path`, `url`, `params` (JSON text of the parameters), `request` and
/// `other` (the evaluated `request` and `otherRequest`), and behind the body also `fields`, `query` and `body`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestForm {
    /// Verb that replaces the metadata's.
    pub method: Option<String>,
    /// The address instead of the base address: the name of a discovered one, or a template over credentials.
    pub address: Option<String>,
    /// Path below the address; without it the interface's own.
    pub path: Option<String>,
    /// Query parameters.
    #[serde(deserialize_with = "pairs")]
    #[schemars(with = "Pairs")]
    pub query: Vec<(String, String)>,
    /// Headers.
    #[serde(deserialize_with = "pairs")]
    #[schemars(with = "Pairs")]
    pub headers: Vec<(String, String)>,
    /// Encoding of the parameters.
    pub encoding: Encoding,
    /// Fields of a form, a multipart body or (with `encoding = "query"`) a query, in order.
    #[serde(deserialize_with = "pairs")]
    #[schemars(with = "Pairs")]
    pub fields: Vec<(String, String)>,
    /// The call's own parameters stand flat beside `fields`; lists and objects as JSON text.
    pub spread: bool,
    /// Shape of a JSON or XML body: `"$params"`, `"$request"`, `"$other"`, `"$rows"` stand for values, the key `"..."`
    /// for the members of one, texts with `{{ … }}` are templates. Without it, the parameters are the body.
    #[schemars(with = "Option<serde_json::Value>")]
    pub body: Option<toml::Value>,
    /// Name of the root element of an XML body.
    pub root: Option<String>,
    /// Character set of the body.
    pub charset: Charset,
    /// The signature.
    pub sign: Option<SignRule>,
    /// The account's token is needed.
    pub token: bool,
}

impl Default for RequestForm {
    fn default() -> Self {
        RequestForm {
            method: None,
            address: None,
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            encoding: Encoding::Auto,
            fields: Vec::new(),
            spread: false,
            body: None,
            root: None,
            charset: Charset::Utf8,
            sign: None,
            token: true,
        }
    }
}

impl RequestForm {
    /// This form with what it does not say taken from `base`.
    pub(crate) fn over(mut self, base: &RequestForm) -> RequestForm {
        let or = |own: &mut Option<String>, base: &Option<String>| {
            if own.is_none() {
                own.clone_from(base);
            }
        };
        or(&mut self.method, &base.method);
        or(&mut self.address, &base.address);
        or(&mut self.path, &base.path);
        or(&mut self.root, &base.root);
        for (own, base) in [
            (&mut self.query, &base.query),
            (&mut self.headers, &base.headers),
            (&mut self.fields, &base.fields),
        ] {
            if own.is_empty() {
                own.clone_from(base);
            }
        }
        if self.encoding == Encoding::Auto {
            self.encoding = base.encoding;
        }
        if self.body.is_none() {
            self.body.clone_from(&base.body);
        }
        if self.sign.is_none() {
            self.sign.clone_from(&base.sign);
        }
        self.spread |= base.spread;
        self
    }
}

/// A signature: a rule of its own, or `"request"`: as `[request]` says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SignRule {
    /// `"request"`
    Same(String),
    /// A rule.
    Own(SignForm),
}

/// Where the signature goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignPlace {
    /// Among `fields`.
    #[default]
    Field,
    /// Into the query. A signature in a header is simply a template in `headers`.
    Query,
}

/// A signature over `fields` (or `query`), computed after them and sent with them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignForm {
    /// Name that carries it.
    pub field: String,
    /// Where it goes.
    pub place: SignPlace,
    /// The one way to compute it.
    pub template: Option<String>,
    /// Or several: the credential that chooses among `methods`.
    pub by: Option<String>,
    /// Templates by the credential's value.
    pub methods: BTreeMap<String, String>,
}

/// Another way to put calls on the wire. The first variant that fits replaces `[request]` as a whole.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VariantForm {
    /// Name, for `variant` in the catalogue.
    pub name: String,
    /// Fits accounts whose credentials have these values (`"*"`: any value).
    pub when: BTreeMap<String, String>,
    /// Fits paths that begin so.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub paths: Vec<String>,
    /// Address of these calls where the connector gives none.
    pub base_url: Option<String>,
    /// Takes the place of `[request]`.
    pub request: RequestForm,
    /// … only where it says something: the rest is taken from `[request]`.
    pub inherit: bool,
    /// Takes the place of `[reply]`.
    pub reply: Option<ReplyForm>,
    /// Takes the place of `[paging]`.
    pub paging: Option<PagingForm>,
}
