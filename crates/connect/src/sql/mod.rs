//! SQL databases as sources and targets (dialect §6.5): `batchexecute`, `execute`, `select`.
//!
//! Values are always bound; `main_sql` is trusted configuration.

mod mysql;
mod preview;
mod select;
mod sqlite;
mod sqlite_session;
mod statement;

use std::sync::Arc;

use chrono_tz::Tz;
use heliu_model::ports::{Clock, Source, Target};
use heliu_model::{ConnectorSpec, Failure, Problem, Text, text};
use heliu_transform::{Context, Metadata, Value, mapping::Request};

use crate::Ports;
use statement::{Batch, Named};

pub use mysql::MysqlTarget;
pub use sqlite::SqliteTarget;

/// Rows of one statement at most, whatever the metadata says.
const MAX_LIMIT: usize = 1_000;
/// Placeholders of one MySQL statement at most.
const MAX_PLACEHOLDERS: usize = 65_535;

/// What a target document asks for.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Multi-row statements.
    Batch(Batch),
    /// One transaction per record: statements with named parameters; the first with the record's `main_params`.
    Execute(Vec<(Named, String)>),
}

/// Constant text of an `otherRequest` item.
fn setting(meta: &Metadata, name: &str) -> Option<String> {
    let ctx = Context::new(0, 0, chrono_tz::UTC);
    let rendered = Request::compile(meta).render_other(&ctx).ok()?;
    rendered
        .iter()
        .find(|(k, _)| k.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.in_text())
        .filter(|s| !s.trim().is_empty())
}

fn fields(meta: &Metadata) -> Vec<String> {
    meta.request.iter().map(|i| i.field.clone()).collect()
}

/// Reads a target document.
pub(crate) fn job(meta: &Metadata) -> Result<Job, Vec<Problem>> {
    let at = "otherRequest.main_sql";
    let columns = fields(meta).iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
    match meta.api.trim().to_ascii_lowercase().as_str() {
        "batchexecute" => {
            let Some(sql) = setting(meta, "main_sql") else {
                return Err(vec![
                    Problem::error("HL-5001", at, text!("`main_sql` is missing", "缺少 `main_sql`")).hint(
                        text!(
                            "add it to otherRequest, such as: REPLACE INTO `your_table` ({columns}) VALUES",
                            "请在 otherRequest 中添加,例如:REPLACE INTO `你的表` ({columns}) VALUES"
                        ),
                    ),
                ]);
            };
            let batch = Batch::parse(&sql).map_err(|t| vec![Problem::error("HL-5002", at, t)])?;
            let items = meta.request.len();
            if items == 0 {
                return Err(vec![Problem::error(
                    "HL-5003",
                    "request",
                    text!("the request has no fields", "request 中没有字段"),
                )]);
            }
            if let Some(n) = batch.columns.as_ref().map(Vec::len).filter(|n| *n != items) {
                return Err(vec![
                    Problem::error(
                        "HL-5003",
                        at,
                        text!(
                            "`main_sql` names {n} columns, the request has {items} fields",
                            "`main_sql` 有 {n} 列,而 request 有 {items} 个字段"
                        ),
                    )
                    .hint(text!(
                        "both must have the same number, in the same order",
                        "两者的数量与顺序必须一致"
                    )),
                ]);
            }
            Ok(Job::Batch(batch))
        }
        "execute" | "insert" | "update" | "delete" => {
            let Some(sql) = setting(meta, "main_sql") else {
                return Err(vec![
                    Problem::error("HL-5001", at, text!("`main_sql` is missing", "缺少 `main_sql`")).hint(
                        text!(
                            "add the statement with :name parameters to otherRequest",
                            "请在 otherRequest 中添加带 :name 参数的语句"
                        ),
                    ),
                ]);
            };
            let mut list = vec![(Named::parse(&sql), "main_params".to_owned())];
            for n in 1..=20 {
                if let Some(sql) = setting(meta, &format!("extend_sql_{n}")) {
                    list.push((Named::parse(&sql), format!("extend_params_{n}")));
                }
            }
            Ok(Job::Execute(list))
        }
        other => {
            let other = other.to_owned();
            Err(vec![
                Problem::error(
                    "HL-5004",
                    "api",
                    text!("a SQL target has no interface `{other}`", "SQL 目标没有接口 `{other}`"),
                )
                .hint(text!("use `batchexecute` or `execute`", "可用 `batchexecute` 或 `execute`")),
            ])
        }
    }
}

/// Rows of one statement.
pub(crate) fn rows_of(meta: &Metadata, batch: usize, columns: usize) -> usize {
    let limit = setting(meta, "limit").and_then(|l| l.trim().parse::<usize>().ok()).unwrap_or(MAX_LIMIT);
    limit.clamp(1, MAX_LIMIT).min(batch.max(1)).min(MAX_PLACEHOLDERS / columns.max(1)).max(1)
}

/// Settings that a connector of a database may have.
pub(crate) fn settings(platform: &str) -> &'static [&'static str] {
    if platform == "mysql" { mysql::connection::SETTINGS } else { &["path"] }
}

/// What is wrong with a connector, as far as can be seen without connecting.
pub(crate) fn check_connector(platform: &str, spec: &ConnectorSpec) -> Vec<Problem> {
    if platform == "mysql" {
        return mysql::connection::check(spec);
    }
    let found = sqlite::path(spec).err();
    found
        .map(|f| Problem { hint: f.hint, ..Problem::error(&f.code, "path", f.message) })
        .into_iter()
        .collect()
}

/// Findings that need no connection.
pub(crate) fn check(_platform: &str, meta: &Metadata, source: bool) -> Vec<Problem> {
    if source {
        return select::check(meta);
    }
    job(meta).err().unwrap_or_default()
}

/// Parameters of one record for named statements: the object of a key, or the request itself.
pub(crate) fn params_of<'a>(request: &'a heliu_transform::Map, key: &str) -> Vec<&'a heliu_transform::Map> {
    match request.get(key) {
        Some(Value::Object(map)) => vec![map],
        Some(Value::Array(rows)) => rows.iter().filter_map(Value::as_object).collect(),
        _ if key == "main_params" => vec![request],
        _ => Vec::new(),
    }
}

fn one(f: Failure) -> Vec<Problem> {
    vec![Problem { hint: f.hint, ..Problem::error(&f.code, f.place, f.message) }]
}

/// A source on a SQL platform.
pub(crate) async fn build_source(
    platform: &str,
    spec: &ConnectorSpec,
    meta: &Metadata,
    tz: Tz,
    ports: &Ports,
) -> Result<Arc<dyn Source>, Vec<Problem>> {
    let errors: Vec<Problem> =
        select::check(meta).into_iter().filter(|p| p.severity == heliu_model::Severity::Error).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let db = if platform == "mysql" {
        // The session has the zone in which the plan names its times: both mean the same instant by them.
        let spec = &ConnectorSpec { timezone: Some(tz), ..spec.clone() };
        select::Db::Mysql(mysql::connection::pool(spec).map_err(one)?, mysql::connection::place(spec))
    } else {
        select::Db::Sqlite(sqlite::path(spec).map_err(one)?)
    };
    Ok(Arc::new(select::SelectSource::new(db, meta, tz, ports.clock.clone())))
}

/// A target on a SQL platform.
pub(crate) fn build_target(
    platform: &str,
    spec: &ConnectorSpec,
    meta: &Metadata,
    batch: usize,
    tz: Tz,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Target>, Vec<Problem>> {
    let job = job(meta)?;
    if platform == "mysql" {
        // As where it reads: by a time without zone a plan means its own.
        let spec = &ConnectorSpec { timezone: Some(tz), ..spec.clone() };
        Ok(Arc::new(MysqlTarget::new(spec, meta, job, batch, clock).map_err(one)?))
    } else {
        Ok(Arc::new(SqliteTarget::new(spec, meta, job, batch, clock).map_err(one)?))
    }
}

/// Connects and says what was found.
pub(crate) async fn test_connection(platform: &str, spec: &ConnectorSpec) -> Result<Text, Failure> {
    if platform == "mysql" { mysql::connection::test(spec).await } else { sqlite::test(spec).await }
}
