//! Findings about lists of items and the keys around them.

use heliu_model::codes::lint as say;
use heliu_model::{Problem, Severity, text};
use heliu_transform::{Metadata, Side, Value, nearest};

use super::Known;
use super::walk::{Raw, raw_items};

/// Findings about the items of a document.
pub fn items(meta: &Metadata, known: &Known, out: &mut Vec<Problem>) {
    let items = raw_items(meta);
    duplicates(&items, out);
    for raw in &items {
        // What a list of results declares is no value to be sent.
        if raw.list == "request" || raw.list == "otherRequest" {
            no_value(raw, meta.side, out);
            secret(raw, out);
        }
        unknown_map(raw, known, out);
    }
    formats(meta, out);
    split_id(meta, out);
    if meta.side == Side::Source {
        page_size(&items, known, out);
    }
}

/// The list that an item stands in, by its path.
fn siblings(path: &str) -> &str {
    path.rsplit_once('[').map_or(path, |(list, _)| list)
}

fn duplicates(items: &[Raw], out: &mut Vec<Problem>) {
    let mut seen: std::collections::HashMap<(String, String, String), String> =
        std::collections::HashMap::new();
    for raw in items {
        let field = raw.text("field");
        if field.is_empty() {
            continue;
        }
        let key = (siblings(&raw.path).to_owned(), raw.text("parent"), field.clone());
        if let Some(first) = seen.insert(key, raw.path.clone()) {
            out.push(
                say::DUPLICATE_FIELD
                    .at(
                        format!("{}.field", raw.path),
                        text!("`{field}` is given at `{first}` already", "`{field}` 在 `{first}` 处已出现"),
                    )
                    .hint(text!("this one, the last, is what counts", "以最后出现的这一个为准")),
            );
        }
    }
}

fn is_set(raw: &Raw, key: &str) -> bool {
    raw.item.get(key).is_some_and(|v| !v.is_null())
}

fn no_value(raw: &Raw, side: Side, out: &mut Vec<Problem>) {
    let required =
        matches!(raw.text("is_required").trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes");
    let filled = ["value", "default", "children", "mapping"].iter().any(|k| is_set(raw, k));
    let container =
        matches!(raw.text("type").to_ascii_lowercase().as_str(), "object" | "array" | "list" | "json");
    if required && !filled && !container {
        let field = raw.text("field");
        let problem = say::NO_VALUE.at(
            raw.path.clone(),
            text!(
                "`{field}` is required and has neither value nor default",
                "`{field}` 为必填,但既没有 `value` 也没有 `default`"
            ),
        );
        let problem = problem.hint(text!(
            "give it a value, or set `is_required` to false",
            "请填写取值,或将 `is_required` 设为 false"
        ));
        // On the source's side nothing fails because of it here; the platform may refuse the call.
        let severity = if side == Side::Source { Severity::Warning } else { problem.severity };
        out.push(Problem { severity, ..problem });
    }
}

fn secret(raw: &Raw, out: &mut Vec<Problem>) {
    let field = raw.text("field");
    let low = field.to_ascii_lowercase().replace(['_', '-'], "");
    let sounds =
        ["token", "secret", "password", "passwd", "apikey", "appkey"].iter().any(|w| low.ends_with(w));
    let Some(value) = raw.item.get("value").and_then(Value::as_str) else { return };
    let constant = value.len() >= 8 && !value.contains(['{', ' ']) && !value.starts_with('_');
    if sounds && constant {
        out.push(
            say::SECRET
                .at(
                    format!("{}.value", raw.path),
                    text!("the value of `{field}` looks like a secret", "`{field}` 的值疑似机密"),
                )
                .hint(text!(
                    "put it into the connector's credentials, where it is sealed and masked",
                    "请移到连接器的凭证中,那里会封存并遮蔽"
                )),
        );
    }
}

fn unknown_map(raw: &Raw, known: &Known, out: &mut Vec<Problem>) {
    let Some(Value::Object(mapping)) = raw.item.get("mapping") else { return };
    let Some(target) = mapping.get("target").map(Value::in_text).filter(|t| !t.is_empty()) else { return };
    if known.maps.contains(&target) {
        return;
    }
    let hint = match nearest(&target, known.maps.iter().map(String::as_str)) {
        Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
        None => text!(
            "import it with `heliu import FILE --map {target}`",
            "请用 `heliu import 文件 --map {target}` 导入"
        ),
    };
    out.push(
        say::UNKNOWN_MAP
            .at(
                format!("{}.mapping.target", raw.path),
                text!("there is no value map `{target}` in maps/", "maps/ 中没有映射表 `{target}`"),
            )
            .hint(hint),
    );
}

fn formats(meta: &Metadata, out: &mut Vec<Problem>) {
    let list =
        meta.raw.as_object().and_then(|m| m.get("formatResponse")).and_then(Value::as_array).unwrap_or(&[]);
    for (i, rule) in list.iter().enumerate() {
        let format = rule.as_object().and_then(|m| m.get("format")).map(Value::in_text).unwrap_or_default();
        if format.trim().eq_ignore_ascii_case("datetime") {
            out.push(
                say::MINUTES_ONLY
                    .at(
                        format!("formatResponse[{i}].format"),
                        text!(
                            "`{format}` gives `YYYY-MM-DD HH:MM`, without seconds",
                            "`{format}` 的结果为 `YYYY-MM-DD HH:MM`,不含秒"
                        ),
                    )
                    .hint(text!(
                        "for seconds write `dateTime('Y-m-d H:i:s')`",
                        "需要秒时请写 `dateTime('Y-m-d H:i:s')`"
                    )),
            );
        }
    }
}

fn split_id(meta: &Metadata, out: &mut Vec<Problem>) {
    let Some(array) = meta.split_array.as_deref().filter(|a| !a.is_empty()) else { return };
    if meta.id.is_empty() || meta.id.strip_prefix(array).is_some_and(|rest| rest.starts_with('.')) {
        return;
    }
    let id = meta.id.clone();
    out.push(
        say::SPLIT_ID
            .at(
                "id",
                text!(
                    "`{id}` is the same for every element of `{array}`",
                    "`{array}` 的每个元素的 `{id}` 都相同"
                ),
            )
            .hint(text!("name a field of the element: `{array}.…`", "请使用元素的字段:`{array}.…`")),
    );
}

/// A constant page size above the interface's limit; `pagination` is checked where the catalogue is.
fn page_size(items: &[Raw], known: &Known, out: &mut Vec<Problem>) {
    let Some(facts) = &known.source else { return };
    let Some(most) = facts.max_page_size else { return };
    for raw in items.iter().filter(|r| r.list == "request" || r.list == "otherRequest") {
        let field = raw.text("field");
        if !facts.size_fields.iter().any(|f| f.eq_ignore_ascii_case(&field)) {
            continue;
        }
        if let Ok(asked) = raw.text("value").trim().parse::<u32>()
            && asked > most
        {
            out.push(
                say::PAGE_TOO_LARGE
                    .at(
                        format!("{}.value", raw.path),
                        text!(
                            "{asked} rows a page are more than this interface gives ({most})",
                            "每页 {asked} 行超过该接口的上限({most})"
                        ),
                    )
                    .hint(text!(
                        "write `{{PAGINATION_PAGE_SIZE}}` here and `pageSize` {most} in `pagination`",
                        "此处请写 `{{PAGINATION_PAGE_SIZE}}`,并将 `pagination.pageSize` 设为 {most}"
                    )),
            );
        }
    }
}
