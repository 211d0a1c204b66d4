//! How replies are read, and how pages are asked for.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Charset, OneOrMany, one_or_many};

/// How replies are read. Places are dotted paths, tried in order.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplyForm {
    /// `json`, `xml`, or nothing: as the reply looks. XML elements become members, attributes `@name`.
    pub format: Option<String>,
    /// Character set where the reply names none.
    pub charset: Charset,
    /// Places of the list of records.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub lists: Vec<String>,
    /// Places of the total.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub total: Vec<String>,
    /// Header with the total.
    pub total_header: Option<String>,
    /// Places of the number of pages.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub pages: Vec<String>,
    /// Places of the page size.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub size: Vec<String>,
    /// Places of the has-more flag.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub has_next: Vec<String>,
    /// Places of the next cursor.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub next: Vec<String>,
    /// The Link header says whether more follows.
    pub link_header: bool,
    /// Places of the status code.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub code: Vec<String>,
    /// Codes that mean success, as text.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub ok: Vec<String>,
    /// Places of booleans that must not be false.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub flags: Vec<String>,
    /// Places of the error message; `list.*.name` puts the texts of a list together.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub message: Vec<String>,
    /// An error may also stand in the place of the first row, wrapped into so many lists.
    pub wrapped_errors: u32,
    /// Class of codes that the table does not name (`config`).
    pub unknown: Option<String>,
    /// What codes mean.
    pub codes: Vec<CodeForm>,
    /// Headers with the number of requests that the platform allows, where they are not `X-RateLimit-Limit` or
    /// `RateLimit-Limit`.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub rate_limit: Vec<String>,
    /// Headers with the number of requests that are left.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub rate_remaining: Vec<String>,
    /// Headers with the seconds until they are renewed, or the instant (in seconds or milliseconds since 1970).
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub rate_reset: Vec<String>,
}

/// One answer of a platform and what it means. Every condition that is given must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CodeForm {
    /// The code as text; a `*` at the end stands for anything.
    pub code: Option<String>,
    /// Part of the message.
    pub text: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Part of a body that is no JSON.
    pub body: Option<String>,
    /// `ok`, `still_valid` (a token), `auth` (renew the token), `throttled`, `transient`, `lost` (the outcome of a write
    /// is unknown), `clock`, `data` (this record), `config` (a person is needed).
    pub class: String,
    /// The class for writes, where it differs.
    pub writes: Option<String>,
    /// How long a throttle answer asks to wait, in milliseconds.
    pub wait_ms: Option<u64>,
    /// Expression whose first group finds the time in the message until which to wait.
    pub until: Option<String>,
    /// What it means and what to do.
    pub en: String,
    /// 含义与处理办法。
    pub zh: String,
}

/// How a source pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// As the metadata shows.
    #[default]
    Auto,
    /// Page number and size.
    Page,
    /// Offset and size.
    Offset,
    /// A cursor comes with each reply.
    Cursor,
    /// Rows after the largest id (or stamp) seen, in ascending order.
    Since,
    /// The Link header holds the next page's address.
    Link,
    /// One request brings everything.
    None,
}

/// How pages are asked for. Names with dots lead into objects.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PagingForm {
    /// Style.
    pub style: Style,
    /// Names of the page field; the first is used where the request has none.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub page: Vec<String>,
    /// Names of the page size field.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub size: Vec<String>,
    /// Names of the offset field.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub offset: Vec<String>,
    /// Names of the cursor field.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub cursor: Vec<String>,
    /// Value of the cursor field on the first page; without it the field is left out.
    #[schemars(with = "Option<serde_json::Value>")]
    pub first_cursor: Option<toml::Value>,
    /// Rows after the largest id seen.
    pub since: Option<SinceForm>,
    /// Number of the first page.
    pub start: i64,
}

impl Default for PagingForm {
    fn default() -> Self {
        PagingForm {
            style: Style::Auto,
            page: Vec::new(),
            size: Vec::new(),
            offset: Vec::new(),
            cursor: Vec::new(),
            first_cursor: None,
            since: None,
            start: 1,
        }
    }
}

/// Rows after the largest id seen.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SinceForm {
    /// Parameter.
    pub param: String,
    /// Place of the id inside an element.
    pub path: String,
}
