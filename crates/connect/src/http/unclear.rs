//! Replies that prove nothing: accepted by status, without records, and without a word that the call succeeded.
//!
//! Behind an undeclared `{"message": "…"}` may stand an empty list as well as an error. If it counted as an empty
//! page, the watermark would move past rows that nobody has seen.

use heliu_model::{Text, text};
use heliu_transform::records::Found;
use heliu_transform::{Metadata, Outline, Path};

use super::outcome::{Reading, excerpt};

/// True for a reply that proves nothing, as opposed to one that shows its records, or says that there are none.
pub(super) fn unclear(reply: &Outline, found: Option<&Found>, reading: &Reading, meta: &Metadata) -> bool {
    let riddle = match found {
        // Nothing at all, as where a format leaves out what is empty: no room for an error either.
        None => !reply.is_blank(&Path::new("")),
        Some(f) if f.hollow => reading.complains(reply),
        // One object that does not hold the key, at a place that nobody named.
        Some(f) if f.guessed && !f.listed => !meta.id.is_empty(),
        Some(f) if f.guessed => is_error(&f.place),
        Some(_) => false,
    };
    riddle && !reading.says_success(reply)
}

/// What a person should know about such a reply.
pub(super) fn why(body: &[u8]) -> Text {
    let said = excerpt(body);
    text!(
        "the reply shows no list of records, and nothing in it says that the call succeeded: «{said}»; it is not taken for an empty list, and the window counts as not read. Name the list's place in otherResponse as `DataKey`; if this reply means that there is nothing, say so there with `StatusKey` and `StatusValue`",
        "响应中没有数据列表,也没有任何表示成功的内容:“{said}”;不会视为空列表,该时间窗口按未读完处理。请在 otherResponse 中用 `DataKey` 指明列表位置;若此响应表示没有数据,请用 `StatusKey` 与 `StatusValue` 声明"
    )
}

/// A list of errors is no list of records.
fn is_error(place: &Path) -> bool {
    let name = place.segs().last().map(|s| s.to_ascii_lowercase()).unwrap_or_default();
    matches!(name.as_str(), "error" | "errors")
}
