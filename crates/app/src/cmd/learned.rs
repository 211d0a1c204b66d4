//! `autoFillResponse`: the fields that a source's replies have shown.

use heliu_ledger::SqliteLedger;
use heliu_model::ports::{Ledger, RecordFilter};
use heliu_model::{Failure, Lang};
use heliu_transform::{Map, Value};

use crate::output::Out;
use crate::wire::Loaded;

/// The source's `response` with the fields that its records have shown, where `autoFillResponse` says so
/// (dialect §8, row 6). Nothing is written: the records themselves are what was learned from.
///
/// # Errors
/// The ledger cannot be read.
pub async fn learned(ledger: &SqliteLedger, l: &Loaded) -> Result<Option<Value>, Failure> {
    let meta = &l.source_meta;
    if !meta.auto_fill_response {
        return Ok(None);
    }
    let mut shown = Map::new();
    if let Some(row) = ledger.find_plan(&l.name).await? {
        let filter = RecordFilter { limit: 50, ..RecordFilter::default() };
        let rows: Vec<_> = ledger.records(row.id, filter).await?.iter().map(|r| r.row).collect();
        for (_, content) in ledger.contents(&rows).await? {
            let Ok(Value::Object(record)) = Value::parse(&content) else { continue };
            for (name, v) in record.iter() {
                // A field's first value tells its type; one that is always null is a field too.
                if shown.get(name).is_none_or(Value::is_null) {
                    shown.insert(name.to_owned(), v.clone());
                }
            }
        }
    }
    let full = meta.learn(&Value::Object(shown)).unwrap_or_else(|| meta.raw.clone());
    Ok(full.get_path("response").or_else(|| Some(Value::Array(Vec::new()))))
}

/// The source's fields, as `autoFillResponse` has learned them.
pub fn tell(out: &Out, response: &Value) {
    let text = |item: &Value, key: &str| item.get_path(key).map(|v| v.in_text()).unwrap_or_default();
    out.line("");
    out.line(match out.lang {
        Lang::Zh => "来源字段(response):",
        Lang::En => "fields of the source (response):",
    });
    for item in response.as_array().unwrap_or(&[]) {
        let learned = if text(item, "describe") == "_autoFillResponse" { "  _autoFillResponse" } else { "" };
        out.line(&format!("  {}  {}{learned}", text(item, "field"), text(item, "type")));
    }
}
