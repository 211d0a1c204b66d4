//! SQLite files as a target: the same interfaces as MySQL, embedded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use heliu_model::ports::{
    Clock, Fence, Prepared, Render, Replay, Target, TargetSession, TargetShape, WriteRow,
};
use heliu_model::{ConnectorSpec, Failure, Problem, Text, text};
use heliu_transform::{Metadata, Value};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::sqlite_session::Session;
use super::statement::{Batch, Verb};
use super::{Job, rows_of};

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

pub(super) fn failure(e: &rusqlite::Error, place: &str) -> Failure {
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
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) unique: Vec<Vec<String>>,
}

/// A column, as far as binding needs it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// Keeps text as it is.
    pub(super) text: bool,
    pub(super) nullable: bool,
    /// Declared as floating point: who does that wants values rounded.
    pub(super) float: bool,
}

impl Column {
    /// True when the column would silently keep `v` rounded: SQLite makes a number of what looks like one, and has
    /// none but 64-bit integers and floating point.
    pub(super) fn rounds(&self, v: &Value) -> bool {
        if self.text || self.float {
            return false;
        }
        match v {
            Value::Number(n) => n.as_i64().is_none() && long(&n.text()),
            Value::String(s) => long(s.trim()),
            _ => false,
        }
    }
}

/// True for a number with more than the 15 digits that floating point keeps, unless it is an integer of 64 bits.
fn long(t: &str) -> bool {
    if t.len() < 16 || t.parse::<i64>().is_ok() {
        return false;
    }
    let (digits, exponent) = t.split_once(['e', 'E']).unwrap_or((t, "0"));
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let (int, frac) = digits.split_once('.').unwrap_or((digits, ""));
    let number = !(int.is_empty() && frac.is_empty())
        && int.bytes().chain(frac.bytes()).all(|b| b.is_ascii_digit())
        && exponent.parse::<i32>().is_ok();
    let all = format!("{int}{frac}");
    number && all.trim_start_matches('0').trim_end_matches('0').len() > 15
}

/// A SQLite target.
pub struct SqliteTarget {
    inner: Arc<Inner>,
    shape: TargetShape,
}

pub(super) struct Inner {
    path: PathBuf,
    pub(super) place: String,
    pub(super) job: Job,
    pub(super) fields: Vec<String>,
    pub(super) clock: Arc<dyn Clock>,
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
        let float = ["REAL", "FLOA", "DOUB"].iter().any(|t| ty.contains(t));
        out.columns.push(Column { name: column, text, nullable: !not_null && key == 0, float });
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
        Ok(super::preview::preview(
            &self.inner.job,
            rows,
            self.inner.fields.len(),
            self.shape.max_rows,
            &show,
        ))
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
                if !table.columns.iter().any(|k| k.name.eq_ignore_ascii_case(c)) {
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
