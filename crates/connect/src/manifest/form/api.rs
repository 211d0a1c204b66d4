//! The catalogue: what is particular about one interface.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{LimitsForm, OneOrMany, PagingForm, Title, one_or_many};

/// One interface.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiForm {
    /// Path below the address, or the platform's name of it. `{name}` is filled from a parameter of that name.
    pub path: String,
    /// Template of the path on the wire, where that differs.
    pub url: Option<String>,
    /// Other names.
    pub aliases: Vec<String>,
    /// What it is.
    pub title: Title,
    /// Verb that replaces the metadata's.
    pub method: Option<String>,
    /// Name of the variant that it takes.
    pub variant: Option<String>,
    /// Place of its list.
    pub list: Option<String>,
    /// Rows of a page at most.
    pub max_page_size: Option<u32>,
    /// Days of a window at most.
    pub max_window_days: Option<u32>,
    /// How it understands the ends of a time window.
    pub window: Option<WindowForm>,
    /// Field that is unique.
    pub id: Option<String>,
    /// Modification stamp inside an element.
    pub stamp: Option<String>,
    /// Cursor that is anchored in the rows' order.
    pub anchor: Option<AnchorForm>,
    /// Paging, where it differs.
    pub paging: Option<PagingForm>,
    /// Parameters where the metadata gives none; `otherRequest` counts as given.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub defaults: toml::Table,
    /// Shape of the body, where it differs. One without room for several records (`$rows`, or `$params` as a whole)
    /// makes a call of each record.
    #[schemars(with = "Option<serde_json::Value>")]
    pub body: Option<toml::Value>,
    /// Rows are bare lists whose columns were named by the request.
    pub columns: Option<ColumnsForm>,
    /// The list holds keys only: each element is read by a call of its own.
    pub detail: Option<DetailForm>,
    /// Writes of several records.
    pub batch: Option<BatchForm>,
    /// Another interface that a constant of `otherRequest` names.
    pub instead: Option<InsteadForm>,
    /// How a record that may have been written is found again.
    pub look_up: Option<LookUpForm>,
    /// Repeating a write changes nothing.
    pub idempotent: bool,
    /// A key that makes the platform recognise a repeated write: the parameter that carries it (32 hexadecimal digits).
    pub repeat_key: Option<String>,
    /// Limits of this interface, beside the account's; a connector that sets limits of its own is held by those only.
    pub limits: LimitsForm,
    /// Calling it renews the account's token: its reply is kept as one.
    pub renews_token: bool,
    /// Fields of its records.
    pub fields: Vec<FieldForm>,
    /// Metadata to begin with, as JSON text.
    pub metadata: Option<String>,
    /// Recorded replies, for `heliu platforms test`.
    pub replies: Vec<RecordedForm>,
}

/// How an interface understands the times of its requests.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WindowForm {
    /// Whether rows whose time is the end itself belong to the reply.
    pub end: EndForm,
    /// Smallest step between two times of its rows, in milliseconds; a second by default.
    pub step_ms: Option<u32>,
    /// Zone of its times, where it is not the account's.
    pub timezone: Option<String>,
}

/// What an end is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndForm {
    /// The first instant behind the window.
    #[default]
    Exclusive,
    /// The last instant inside: it is named one step earlier, so that no row belongs to two windows.
    Inclusive,
}

/// A cursor that is anchored in the rows' order.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnchorForm {
    /// Parameter.
    pub param: String,
    /// Place inside an element.
    pub path: String,
    /// Page number while the cursor is used.
    pub page: Option<i64>,
}

/// Positional rows.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnsForm {
    /// Parameter that lists the columns, comma separated. Where the metadata gives none, it is made from `request`:
    /// each item's value is a column, its field the name in the record.
    pub param: String,
    /// Parameters of the interface itself: items of these names in `request` are sent, and name no column.
    pub own: Vec<String>,
}

/// List, then detail.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DetailForm {
    /// Interface of the details.
    pub api: String,
    /// Parameter that takes the key.
    pub param: String,
    /// Place of the key inside a list element; empty: the element itself.
    pub key: String,
    /// Place of the record in the detail's reply; empty: the whole reply.
    pub place: String,
}

/// Writes of several records, and what a reply says about each of them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchForm {
    /// Records of one write at most.
    pub max: Option<usize>,
    /// One list with a result per record.
    pub rows: Option<RowsForm>,
    /// A list of those that were written.
    pub written: Option<RowsForm>,
    /// A list of those that were refused.
    pub failed: Option<RowsForm>,
    /// Place of the number of refused records; the ones it counts and nothing names are found by halving where a
    /// repetition is harmless, else they are in doubt.
    pub failed_count: Option<String>,
}

/// A list of results.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RowsForm {
    /// Place of the list.
    pub list: String,
    /// Place of the record's position inside a result; without it and `key`, the result's own position counts.
    pub index: Option<String>,
    /// Expression whose first group finds the position in a result's text.
    pub pattern: Option<String>,
    /// Position of the first record.
    pub base: i64,
    /// Results name records by a key of the business.
    pub key: Option<KeyForm>,
    /// Place of a boolean that tells success.
    pub ok: Option<String>,
    /// Place of a code, looked up in `[[reply.codes]]`.
    pub code: Option<String>,
    /// Places of the message.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub message: Vec<String>,
}

/// A key of the business on both sides.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyForm {
    /// Place inside a result.
    pub reply: String,
    /// Place inside the request.
    pub request: String,
}

/// Interfaces that stand for another one where a constant of `otherRequest` says so.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InsteadForm {
    /// Field of `otherRequest`.
    pub field: String,
    /// Interface by the field's value.
    pub of: std::collections::BTreeMap<String, String>,
    /// Values that mean the interface itself. Where there are some, any other value is refused by `heliu check`.
    pub own: Vec<String>,
    /// Values of `of` that mean the interface itself where the document writes several records at a time.
    pub batched: Vec<String>,
    /// Fields by which a request names documents that are there, instead of holding one.
    pub keys: Vec<String>,
    /// Interface by the field's value, for requests with one of `keys`; `*` is any other value.
    pub named: std::collections::BTreeMap<String, String>,
}

/// How a record that may have been written is found again.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LookUpForm {
    /// Interface that is asked.
    pub api: String,
    /// Its parameters: a shape over the write's `request` and `other`.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub params: toml::Table,
    /// Places of the write's request that must hold a value; without one nothing can be told.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub needs: Vec<String>,
}

/// A field of an interface's records.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldForm {
    /// Name.
    pub name: String,
    /// Type: string, int, decimal, bool, datetime, object, array.
    #[serde(rename = "type")]
    pub ty: String,
    /// What it is, in English.
    pub en: String,
    /// 说明。
    pub zh: String,
}

/// A recorded reply and what it must be read as.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordedForm {
    /// What it shows.
    pub name: String,
    /// HTTP status (200).
    pub status: Option<u16>,
    /// Content type (JSON).
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
    /// Number of records in it.
    pub rows: Option<usize>,
    /// Id of the first record.
    pub first_id: Option<String>,
    /// Total that it declares.
    pub total: Option<u64>,
    /// Whether more follows.
    pub has_next: Option<bool>,
    /// The next cursor.
    pub next: Option<String>,
    /// It is a failure of this class.
    pub class: Option<String>,
}
