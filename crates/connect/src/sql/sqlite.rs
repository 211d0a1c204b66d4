//! SQLite files as a target: the same interfaces as MySQL, embedded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Fence, Found, Prepared, Render, Replay, RowBody, RowResult, Target, TargetSession, TargetShape,
    WriteRow,
};
use heliu_model::{Call, CallKind, Class, ConnectorSpec, Failure, Problem, Text, text};
use heliu_transform::{Metadata, Value};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params_from_iter};

use super::statement::{Batch, Named, Verb};
use super::{Job, params_of, rows_of};

/// SQLite's own bound on placeholders.
const MAX_PLACEHOLDERS: usize = 32_766;

/// The file of a connector, relative ones below the project.
pub(super) fn path(spec: &ConnectorSpec) -> Result<PathBuf, Failure> {
    match spec.setting("path") {
        Some(p) => Ok(spec.project.join(p)),
        None => Err(Failure::config("HL-5021", text!("`path` is missing", "缺少 `path`"))
            .at(format!("connectors/{}", spec.name))
            .hint(text!(
                "give the database file, such as `path = \"bi.db\"`",
                "请填写数据库文件,例如 `path = \"bi.db\"`"
            ))),
    }
}

fn failure(e: &rusqlite::Error, place: &str) -> Failure {
    let said = e.to_string();
    let words = text!("the database says: {said}", "数据库返回:{said}");
    let code = match e {
        rusqlite::Error::SqliteFailure(f, _) => Some(f.code),
        _ => None,
    };
    let f = match code {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
            Failure::data("HL-5023", words)
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::transient("HL-5022", words),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Failure::transient("HL-5022", words)
            .hint(text!("make room on the disk, then run again", "请清理磁盘空间后重新运行")),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Failure::config("HL-5026", words)
                .hint(text!("check the path and its permissions", "请检查路径与权限"))
        }
        _ => Failure::config("HL-5024", words)
            .hint(text!("correct `main_sql` or the table", "请修正 `main_sql` 或表结构")),
    };
    f.at(place)
}

/// Opens the file; it must exist, so that a wrong path is not silently a new and empty database.
pub(super) fn open(path: &PathBuf) -> Result<Connection, Failure> {
    let place = path.display().to_string();
    if !path.exists() {
        return Err(Failure::config(
            "HL-5026",
            text!("the database file does not exist", "数据库文件不存在"),
        )
        .at(place)
        .hint(text!(
            "make it with its tables first (`sqlite3 FILE 'CREATE TABLE …'`), or correct `path`; relative ones begin at the project",
            "请先创建该文件及其表(`sqlite3 文件 'CREATE TABLE …'`),或修正 `path`;相对路径以项目目录为起点"
        )));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|e| failure(&e, &place))?;
    db.busy_timeout(Duration::from_secs(10)).map_err(|e| failure(&e, &place))?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(|e| failure(&e, &place))?;
    db.pragma_update(None, "synchronous", "NORMAL").map_err(|e| failure(&e, &place))?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// Opens and says what was found.
pub(super) async fn test(spec: &ConnectorSpec) -> Result<Text, Failure> {
    let path = path(spec)?;
    let place = path.display().to_string();
    let tables: i64 = blocking(move || {
        let db = open(&path)?;
        db.query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |r| r.get(0))
            .map_err(|e| failure(&e, &path.display().to_string()))
    })
    .await?;
    Ok(text!("opened {place}: {tables} tables", "已打开 {place}:{tables} 张表"))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(r) => r,
        Err(e) => Err(Failure::internal(
            "HL-5090",
            text!("a database task ended abnormally: {e}", "数据库任务异常结束:{e}"),
        )),
    }
}

/// A bound value.
pub(super) fn bind(v: &Value) -> Sql {
    match v {
        Value::Null => Sql::Null,
        Value::Bool(b) => Sql::Integer(i64::from(*b)),
        Value::Number(n) => match n.as_i64() {
            Some(i) => Sql::Integer(i),
            // The column's affinity decides; as text the digits stay exact.
            None => Sql::Text(n.text().into_owned()),
        },
        Value::String(s) => Sql::Text(s.to_string()),
        other => Sql::Text(other.to_json()),
    }
}

#[derive(Debug, Clone, Default)]
struct Table {
    /// Name, text affinity, nullable.
    columns: Vec<(String, bool, bool)>,
    unique: Vec<Vec<String>>,
}

/// A SQLite target.
pub struct SqliteTarget {
    inner: Arc<Inner>,
    shape: TargetShape,
}

struct Inner {
    path: PathBuf,
    place: String,
    job: Job,
    fields: Vec<String>,
    clock: Arc<dyn Clock>,
}

impl SqliteTarget {
    /// A target; the file is opened when it is first used.
    ///
    /// # Errors
    /// A connector that cannot be read.
    pub(crate) fn new(
        spec: &ConnectorSpec,
        meta: &Metadata,
        job: Job,
        batch: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let fields = super::fields(meta);
        let path = path(spec)?;
        let (render, rows, replay) = match &job {
            Job::Batch(b) => (
                Render::Columns,
                rows_of(meta, batch, fields.len()).min(MAX_PLACEHOLDERS / fields.len().max(1)).max(1),
                if b.verb == Verb::Insert { Replay::LookUp } else { Replay::Idempotent },
            ),
            Job::Execute(_) => (Render::Object, 100.min(batch.max(1)), Replay::Never),
        };
        let job = match job {
            Job::Batch(b) => Job::Batch(b.for_sqlite()),
            other => other,
        };
        Ok(SqliteTarget {
            inner: Arc::new(Inner { place: path.display().to_string(), path, job, fields, clock }),
            shape: TargetShape { render, max_rows: rows, writers: 1, replay, local: false },
        })
    }
}

fn table_of(db: &Connection, b: &Batch, place: &str) -> Result<Table, Failure> {
    let name = b.table.last().cloned().unwrap_or_default();
    let err = |e: rusqlite::Error| failure(&e, place);
    let mut out = Table::default();
    let mut q = db.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)").map_err(err)?;
    let mut rows = q.query([&name]).map_err(err)?;
    let mut pk: Vec<(i64, String)> = Vec::new();
    while let Some(r) = rows.next().map_err(err)? {
        let column: String = r.get(0).map_err(err)?;
        let ty: String = r.get::<_, String>(1).map_err(err)?.to_ascii_uppercase();
        let not_null: bool = r.get(2).map_err(err)?;
        let key: i64 = r.get(3).map_err(err)?;
        // Without a type, or with a textual one, empty text is a value like any other.
        let text = ty.is_empty() || ["CHAR", "CLOB", "TEXT", "BLOB", "JSON"].iter().any(|t| ty.contains(t));
        if key > 0 {
            pk.push((key, column.clone()));
        }
        out.columns.push((column, text, !not_null && key == 0));
    }
    pk.sort();
    if !pk.is_empty() {
        out.unique.push(pk.into_iter().map(|p| p.1).collect());
    }
    let mut q = db
        .prepare("SELECT l.name, i.name FROM pragma_index_list(?1) l, pragma_index_info(l.name) i WHERE l.\"unique\" = 1 AND l.origin <> 'pk' ORDER BY l.seq, i.seqno")
        .map_err(err)?;
    let mut rows = q.query([&name]).map_err(err)?;
    let mut last = String::new();
    while let Some(r) = rows.next().map_err(err)? {
        let index: String = r.get(0).map_err(err)?;
        let column: Option<String> = r.get(1).map_err(err)?;
        if index != last {
            out.unique.push(Vec::new());
            last = index;
        }
        if let (Some(u), Some(c)) = (out.unique.last_mut(), column) {
            u.push(c);
        }
    }
    Ok(out)
}

#[async_trait]
impl Target for SqliteTarget {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, _fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        let inner = self.inner.clone();
        let session = blocking(move || {
            let db = open(&inner.path)?;
            let table = match &inner.job {
                Job::Batch(b) => table_of(&db, b, &inner.place)?,
                Job::Execute(_) => Table::default(),
            };
            Ok(Session { db: Arc::new(Mutex::new(db)), table: Arc::new(table), inner })
        })
        .await?;
        Ok(Box::new(session))
    }

    fn prepare(&self, rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        let show = |sql: String, values: String| Prepared {
            method: "SQL".into(),
            url: self.inner.place.clone(),
            headers: Vec::new(),
            body: format!("{sql}\n-- {values}"),
        };
        Ok(super::mysql::preview(&self.inner.job, rows, self.inner.fields.len(), self.shape.max_rows, &show))
    }

    async fn inspect(&self) -> Result<Vec<Problem>, Failure> {
        let inner = self.inner.clone();
        blocking(move || {
            let Job::Batch(b) = &inner.job else { return Ok(Vec::new()) };
            let at = "target.metadata.otherRequest.main_sql";
            let name = b.table.join(".");
            let table = table_of(&open(&inner.path)?, b, &inner.place)?;
            if table.columns.is_empty() {
                return Ok(vec![
                    Problem::error(
                        "HL-5024",
                        at,
                        text!("the table `{name}` does not exist", "表 `{name}` 不存在"),
                    )
                    .hint(text!(
                        "make the table first; heliu never makes tables",
                        "请先创建该表;heliu 不会自动建表"
                    )),
                ]);
            }
            let mut out = Vec::new();
            for c in b.columns.iter().flatten() {
                if !table.columns.iter().any(|k| k.0.eq_ignore_ascii_case(c)) {
                    out.push(Problem::error(
                        "HL-5024",
                        at,
                        text!("`{name}` has no column `{c}`", "表 `{name}` 没有列 `{c}`"),
                    ));
                }
            }
            if table.unique.is_empty() {
                out.push(Problem::warning(
                    "HL-5028",
                    at,
                    text!(
                        "`{name}` has no unique index: a repeated write doubles rows",
                        "表 `{name}` 没有唯一索引:重复写入会产生重复行"
                    ),
                ));
            }
            Ok(out)
        })
        .await
    }
}

struct Session {
    db: Arc<Mutex<Connection>>,
    table: Arc<Table>,
    inner: Arc<Inner>,
}

impl Session {
    fn names<'a>(&'a self, b: &'a Batch) -> Vec<&'a str> {
        match &b.columns {
            Some(c) => c.iter().map(String::as_str).collect(),
            None => self.table.columns.iter().map(|c| c.0.as_str()).collect(),
        }
    }
}

fn batch(
    db: &mut Connection,
    b: &Batch,
    rows: Vec<Vec<Sql>>,
    columns: usize,
    place: &str,
) -> Result<(), Failure> {
    let err = |e: rusqlite::Error| failure(&e, place);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(err)?;
    {
        // One tuple a step: the statement stays prepared whatever the batch.
        let mut statement = tx.prepare_cached(&b.statement(1, columns)).map_err(err)?;
        for row in rows {
            statement.execute(params_from_iter(row)).map_err(err)?;
        }
    }
    tx.commit().map_err(err)
}

fn execute(
    db: &mut Connection,
    list: &[(Named, String)],
    request: &heliu_transform::Map,
    place: &str,
) -> Result<Value, Failure> {
    let err = |e: rusqlite::Error| failure(&e, place);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(err)?;
    let mut last_id = None;
    let mut affected = 0;
    for (n, key) in list {
        for params in params_of(request, key) {
            let values: Vec<Sql> = n
                .names
                .iter()
                .map(|name| {
                    if name.eq_ignore_ascii_case("lastInsertId") {
                        last_id.map_or(Sql::Null, Sql::Integer)
                    } else {
                        bind(params.get(name).or_else(|| request.get(name)).unwrap_or(&Value::Null))
                    }
                })
                .collect();
            affected +=
                tx.prepare_cached(&n.sql).map_err(err)?.execute(params_from_iter(values)).map_err(err)?;
            last_id = last_id.or(Some(tx.last_insert_rowid()));
        }
    }
    tx.commit().map_err(err)?;
    let mut reply = heliu_transform::Map::new();
    reply.insert("affectedRows", Value::from(affected as i64));
    if let Some(id) = last_id {
        reply.insert("lastInsertId", Value::from(id));
    }
    Ok(Value::Object(reply))
}

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        let inner = self.inner.clone();
        let from = inner.clock.monotonic_ms();
        let mut call = Call::new(CallKind::Write, inner.clock.now(), "SQL", &inner.place);
        call.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        crate::point("target/write/before");
        let result = self.all(rows, &mut call).await;
        crate::point("target/write/after");
        call.millis = u32::try_from(inner.clock.monotonic_ms().saturating_sub(from)).unwrap_or(u32::MAX);
        call.failure = result.as_ref().err().cloned();
        Exchange { calls: vec![call], result }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        let inner = self.inner.clone();
        let Job::Batch(b) = &inner.job else {
            return Exchange { calls: Vec::new(), result: Ok(vec![Found::Unknown; rows.len()]) };
        };
        let names = self.names(b);
        let key = self.table.unique.iter().find_map(|index| {
            index
                .iter()
                .map(|c| names.iter().position(|n| n.eq_ignore_ascii_case(c)).map(|i| (c.clone(), i)))
                .collect::<Option<Vec<(String, usize)>>>()
        });
        let Some(key) = key else {
            return Exchange { calls: Vec::new(), result: Ok(vec![Found::Unknown; rows.len()]) };
        };
        let quote = |n: &str| format!("\"{}\"", n.replace('"', "\"\""));
        let table = quote(b.table.last().map_or("", String::as_str));
        let by = key.iter().map(|(c, _)| format!("{} = ?", quote(c))).collect::<Vec<_>>().join(" AND ");
        let sql = format!("SELECT 1 FROM {table} WHERE {by}");
        let wanted: Vec<Vec<Sql>> = rows
            .iter()
            .map(|r| match &r.body {
                RowBody::Columns(v) => key.iter().map(|(_, i)| v.get(*i).map_or(Sql::Null, bind)).collect(),
                _ => Vec::new(),
            })
            .collect();
        let db = self.db.clone();
        let result = blocking(move || {
            let db = db.lock().unwrap_or_else(PoisonError::into_inner);
            wanted
                .into_iter()
                .map(|k| {
                    if k.is_empty() || k.contains(&Sql::Null) {
                        return Ok(Found::Unknown);
                    }
                    let found = db.prepare_cached(&sql).and_then(|mut q| q.exists(params_from_iter(k)));
                    found
                        .map(|f| if f { Found::Present } else { Found::Absent })
                        .map_err(|e| failure(&e, &inner.place))
                })
                .collect()
        })
        .await;
        Exchange { calls: Vec::new(), result }
    }
}

impl Session {
    async fn all(&mut self, rows: &[WriteRow], call: &mut Call) -> Result<Vec<RowResult>, Failure> {
        let inner = self.inner.clone();
        let db = self.db.clone();
        match &inner.job {
            Job::Batch(b) => {
                let names = self.names(b);
                let mut good = Vec::with_capacity(rows.len());
                let mut results: Vec<RowResult> = Vec::with_capacity(rows.len());
                for row in rows {
                    let RowBody::Columns(values) = &row.body else { continue };
                    let mut wrong = None;
                    let bound: Vec<Sql> = values
                        .iter()
                        .enumerate()
                        .map(|(i, v)| {
                            let empty = matches!(v, Value::String(s) if s.is_empty());
                            let column = names.get(i).and_then(|n| {
                                self.table.columns.iter().find(|c| c.0.eq_ignore_ascii_case(n))
                            });
                            match column {
                                Some((_, false, true)) if empty => Sql::Null,
                                Some((name, false, false)) if empty => {
                                    wrong = Some(name.clone());
                                    Sql::Null
                                }
                                _ => bind(v),
                            }
                        })
                        .collect();
                    match wrong {
                        None => {
                            good.push(bound);
                            results.push(RowResult::Written(None));
                        }
                        Some(field) => results.push(RowResult::Failed(Failure::data(
                            "HL-5029",
                            text!(
                                "`{field}` is empty, and its column takes neither text nor NULL",
                                "`{field}` 为空,而对应列既不是文本也不允许 NULL"
                            ),
                        ))),
                    }
                }
                let columns = inner.fields.len();
                let n = good.len();
                call.request_body = format!("{} -- {n} rows", b.statement(1, columns)).into();
                let b = b.clone();
                if n > 0 {
                    blocking(move || {
                        let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                        batch(&mut db, &b, good, columns, &inner.place)
                    })
                    .await?;
                }
                Ok(results)
            }
            Job::Execute(list) => {
                let list = list.clone();
                call.request_body = list.first().map(|(n, _)| n.sql.clone()).unwrap_or_default().into();
                let requests: Vec<heliu_transform::Map> = rows
                    .iter()
                    .filter_map(|r| match &r.body {
                        RowBody::Object { request, .. } => Some(request.clone()),
                        _ => None,
                    })
                    .collect();
                blocking(move || {
                    let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut out = Vec::with_capacity(requests.len());
                    for request in &requests {
                        match execute(&mut db, &list, request, &inner.place) {
                            Ok(reply) => out.push(RowResult::Written(Some(reply))),
                            Err(f) if f.class == Class::Data => out.push(RowResult::Failed(f)),
                            Err(f) if out.is_empty() => return Err(f),
                            Err(f) => out.push(RowResult::Waiting(f)),
                        }
                    }
                    Ok(out)
                })
                .await
            }
        }
    }
}
