//! Tokens, sessions and addresses.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{OneOrMany, RequestForm, one_or_many};

/// Getting and renewing tokens (or sessions: a login is a `first` call).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenForm {
    /// Credential that holds the access token, if connectors may give one.
    pub access: Option<String>,
    /// Credential that holds the refresh token.
    pub refresh: Option<String>,
    /// Only for accounts whose credentials have these values (`"*"`: any value).
    pub when: BTreeMap<String, String>,
    /// Renew so long before the end, in seconds.
    pub margin_seconds: i64,
    /// Validity in seconds where a reply names none.
    pub life_seconds: Option<i64>,
    /// Call that renews with the refresh token.
    pub renew: Option<RequestForm>,
    /// Call that gets a token without a person.
    pub first: Option<RequestForm>,
    /// After a refused renewal, `first` is tried.
    pub start_again: bool,
    /// Where the reply has what.
    pub reply: TokenReply,
}

/// Where a token reply has what. Places are tried in order.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenReply {
    /// Access token.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub access: Vec<String>,
    /// Refresh token; absent in the reply: the old one stays.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub refresh: Vec<String>,
    /// Validity in seconds.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub expires_in: Vec<String>,
    /// The access token is a JWT: its `exp` is the end where `expires_in` is missing.
    pub jwt: bool,
    /// A success without an access token means: the old pair stays, its validity starts anew.
    pub may_keep: bool,
    /// Cookies that the reply sets belong to the session and go along with every call.
    pub cookies: bool,
}

/// How the addresses of an account are found out: one call below the base address, kept while the process lives.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoverForm {
    /// The call.
    pub request: RequestForm,
    /// Places of the addresses in the reply, by name; the one named `base` takes the place of the base address.
    pub addresses: BTreeMap<String, String>,
}
