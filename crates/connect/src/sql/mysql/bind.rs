//! Values as the driver binds them, and how many rows go into one command.

use heliu_model::ports::{RowBody, WriteRow};
use heliu_transform::Value;
use mysql_async::Value as Sql;

/// Bytes of values that go into one command of many rows, about: what is bound is in memory three times.
const BULK_BYTES: usize = 128 << 10;

/// A bound value: booleans as 1 and 0, lists and objects as JSON text, numbers as their exact text.
pub(in crate::sql) fn bind(v: &Value) -> Sql {
    match v {
        Value::Null => Sql::NULL,
        Value::Bool(b) => Sql::Int(i64::from(*b)),
        Value::Number(n) => match n.as_i64() {
            Some(i) => Sql::Int(i),
            None => Sql::Bytes(n.text().into_owned().into_bytes()),
        },
        Value::String(s) => Sql::Bytes(s.as_bytes().to_vec()),
        other => Sql::Bytes(other.to_json().into_bytes()),
    }
}

/// How many of the rows fit into one command, about; at least one.
pub(super) fn fitting(rows: &[&WriteRow]) -> usize {
    let size = |v: &Value| match v {
        Value::String(s) => s.len() + 4,
        Value::Array(_) | Value::Object(_) => 256,
        _ => 12,
    };
    let mut left = BULK_BYTES;
    let fits = |row: &&&WriteRow| {
        let RowBody::Columns(values) = &row.body else { return true };
        let bytes = values.iter().map(size).sum();
        let fits = left >= bytes;
        left = left.saturating_sub(bytes);
        fits
    };
    rows.iter().take_while(fits).count().max(1)
}

/// Whether each column's values are bound as one type, null apart: with one command a column has one.
pub(super) fn uniform(rows: &[&WriteRow], columns: usize) -> bool {
    let mut whole: Vec<Option<bool>> = vec![None; columns];
    rows.iter().all(|row| {
        let RowBody::Columns(values) = &row.body else { return false };
        values.len() == columns
            && whole.iter_mut().zip(values).all(|(seen, v)| {
                let is_whole = match v {
                    Value::Null => return true,
                    Value::Bool(_) => true,
                    Value::Number(n) => n.as_i64().is_some(),
                    _ => false,
                };
                *seen.get_or_insert(is_whole) == is_whole
            })
    })
}

/// Appends a row's values, empty text bound as the columns want it.
pub(super) fn bind_row(ranges: &[Option<bool>], row: &WriteRow, out: &mut Vec<Sql>) {
    let RowBody::Columns(values) = &row.body else { return };
    for (j, v) in values.iter().enumerate() {
        match v {
            Value::String(s) if s.is_empty() && ranges.get(j) == Some(&Some(true)) => out.push(Sql::NULL),
            _ => out.push(bind(v)),
        }
    }
}
