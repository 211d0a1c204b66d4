//! What would be sent, without a database.

use heliu_model::ports::{Prepared, RowBody, WriteRow};
use heliu_transform::Value;

use super::{Job, params_of};

/// What would be sent for these rows.
pub(super) fn preview(
    job: &Job,
    rows: &[WriteRow],
    columns: usize,
    max: usize,
    show: &dyn Fn(String, String) -> Prepared,
) -> Vec<Prepared> {
    match job {
        Job::Batch(b) => rows
            .chunks(max.max(1))
            .map(|chunk| {
                let values: Vec<String> = chunk
                    .iter()
                    .map(|r| match &r.body {
                        RowBody::Columns(v) => {
                            format!("({})", v.iter().map(plain).collect::<Vec<_>>().join(", "))
                        }
                        _ => String::new(),
                    })
                    .collect();
                show(b.statement(chunk.len(), columns), values.join(", "))
            })
            .collect(),
        Job::Execute(list) => rows
            .iter()
            .flat_map(|r| match &r.body {
                RowBody::Object { request, .. } => list
                    .iter()
                    .flat_map(|(n, key)| {
                        params_of(request, key).into_iter().map(|p| {
                            let values: Vec<String> = n
                                .names
                                .iter()
                                .map(|name| format!("{name} = {}", p.get(name).map_or("NULL".into(), plain)))
                                .collect();
                            show(n.sql.clone(), values.join(", "))
                        })
                    })
                    .collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect(),
    }
}

fn plain(v: &Value) -> String {
    match v {
        Value::Null => "NULL".into(),
        Value::String(s) => Value::from(s.as_str()).to_json(),
        other => other.to_json(),
    }
}
