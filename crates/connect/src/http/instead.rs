//! Interfaces that stand for another one, as a constant of `otherRequest` says.

use std::collections::BTreeMap;

use heliu_model::codes::lint;
use heliu_model::{Problem, text};
use heliu_transform::{Metadata, Value};

use crate::manifest::{InsteadForm, Manifest};

/// The interface that a document means: its own, or the one that its operation names.
///
/// # Errors
/// The operation is none that this interface can do.
pub(crate) fn interface(manifest: &Manifest, meta: &Metadata) -> Result<String, Problem> {
    let own = meta.api.clone();
    let Some(form) = manifest.api(&own).1.and_then(|a| a.instead.as_ref()) else { return Ok(own) };
    let Some((place, said)) = operation(meta, form) else { return Ok(own) };
    let constant = !said.contains("{{") && !said.starts_with('_');
    let by_name = constant && form.keys.iter().any(|key| names(meta, key));
    let several = meta.operation.method.eq_ignore_ascii_case("batchArraySave") && meta.operation.rows > 1;
    if several && !by_name && form.batched.iter().any(|v| v.eq_ignore_ascii_case(&said)) {
        return Ok(own);
    }
    let of = |list: &BTreeMap<String, String>| {
        list.iter().find(|(value, _)| value.eq_ignore_ascii_case(&said)).map(|(_, api)| api.clone())
    };
    if let Some(api) = by_name.then(|| of(&form.named)).flatten().or_else(|| of(&form.of)) {
        return Ok(api);
    }
    if form.own.is_empty() || form.own.iter().any(|o| o.eq_ignore_ascii_case(&said)) {
        return Ok(own);
    }
    match form.named.get("*").filter(|_| by_name) {
        Some(api) => Ok(api.clone()),
        None => Err(refused(form, &place, &own, &said, constant)),
    }
}

/// Place and text of the constant that names the operation.
fn operation(meta: &Metadata, form: &InsteadForm) -> Option<(String, String)> {
    let item = meta.other_request.iter().rev().find(|i| i.field == form.field)?;
    let said = item.value.as_ref().map(Value::in_text)?.trim().to_owned();
    (!said.is_empty()).then(|| (format!("{}.value", item.path), said))
}

/// True when the document gives a field a value.
fn names(meta: &Metadata, key: &str) -> bool {
    meta.request.iter().chain(&meta.other_request).any(|i| {
        i.field == key && (i.value.as_ref().is_some_and(|v| !v.is_blank()) || !i.children.is_empty())
    })
}

fn refused(form: &InsteadForm, place: &str, api: &str, said: &str, constant: bool) -> Problem {
    let known: Vec<&str> = form.of.keys().chain(&form.own).map(String::as_str).collect();
    let (all, keys, field) = (known.join(", "), form.keys.join(", "), form.field.clone());
    let (api, said) = (api.to_owned(), said.to_owned());
    let found = if constant {
        text!("`{api}` cannot do the operation `{said}`", "接口 `{api}` 无法执行操作 `{said}`")
    } else {
        text!(
            "`{field}` must be a constant: it decides which interface is called",
            "`{field}` 必须是常量:它决定调用哪个接口"
        )
    };
    let hint = if !constant || form.named.is_empty() {
        text!("it can do {all}", "可用的操作有 {all}")
    } else {
        text!(
            "on documents that hold their content it can do {all}; anything else acts on documents that are there: name them by one of {keys}, in a plan that runs after the one that saves them",
            "对带内容的单据可用的操作有 {all};其他操作针对已有单据:请用 {keys} 之一指明单据,并放在保存单据的方案之后运行的另一个方案中"
        )
    };
    lint::OPERATION.at(place, found).hint(hint)
}
