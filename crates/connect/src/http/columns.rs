//! Interfaces that answer with positional rows: which columns are asked for, and what the record calls them.

use heliu_transform::metadata::Item;
use heliu_transform::{Metadata, Value};

use crate::manifest::ColumnsForm;

/// True for a parameter of an interface with positional rows, as opposed to a column.
pub(super) fn is_own(form: &ColumnsForm, field: &str) -> bool {
    field == form.param || form.own.iter().any(|o| o.eq_ignore_ascii_case(field))
}

/// Names and columns of positional rows: those of `request` items (value: column), else of `response`, else the
/// columns' own.
pub(crate) fn columns(meta: &Metadata, form: &ColumnsForm) -> (Vec<String>, Vec<String>) {
    let param = form.param.as_str();
    let given = meta
        .other_value(param)
        .or_else(|| meta.request.iter().find(|i| i.field == param).and_then(|i| i.value.as_ref()));
    let given: Vec<String> = match given {
        Some(Value::String(s)) => {
            s.split(',').map(|c| c.trim().to_owned()).filter(|c| !c.is_empty()).collect()
        }
        Some(Value::Array(a)) => a.iter().map(Value::in_text).collect(),
        _ => Vec::new(),
    };
    let named = |items: &[Item]| -> (Vec<String>, Vec<String>) {
        let items = items.iter().filter(|i| !is_own(form, &i.field) && i.field != "primaryWriteback");
        items
            .map(|i| {
                let column = i.value.as_ref().map(Value::in_text).filter(|s| !s.is_empty());
                (i.field.clone(), column.unwrap_or_else(|| i.field.clone()))
            })
            .unzip()
    };
    let asked = named(&meta.request);
    let shown = named(&meta.response);
    if given.is_empty() {
        return if asked.0.is_empty() { shown } else { asked };
    }
    match [asked.0, shown.0].into_iter().find(|names| names.len() == given.len()) {
        Some(names) => (names, given),
        None => (given.iter().map(|c| c.replace('.', "_")).collect(), given),
    }
}
