//! MySQL and MariaDB as a target.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Fence, Found, Prepared, Render, Replay, RowBody, RowResult, Target, TargetSession, TargetShape,
    WriteRow,
};
use heliu_model::{Call, CallKind, ConnectorSpec, Failure, Problem, Text, text};
use heliu_transform::{Map, Metadata, Value};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Pool, Value as Sql};

use super::mysql_connection::{connect, place, pool, session_zone};
use super::mysql_errors::{breaks_session, failure};
use super::statement::{Batch, Named, Verb};
use super::{Job, params_of, rows_of};

/// How long a successor waits for a predecessor's lock before it ends that connection, in seconds.
const LOCK_WAIT: u32 = 5;
/// Rows of the prepared statements, largest first. Few sizes, so that few are prepared; small ones, because both
/// sides keep a description of every placeholder: nothing is gained beyond 100 rows.
const PREPARED_ROWS: [usize; 7] = [100, 32, 16, 8, 4, 2, 1];

/// From so many rows on, MariaDB is sent all values of a statement of one row with one command
/// (COM_STMT_BULK_EXECUTE), in a transaction. It costs the server a sixth less than statements of 100 rows, and is
/// answered once.
const BULK_ROWS: usize = 64;
/// Bytes of values that go into one such command, about: what is bound is in memory three times.
const BULK_BYTES: usize = 128 << 10;

/// A table's column, as far as binding needs it.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    text: bool,
    nullable: bool,
    /// Keeps an instant: what is written is read in the session's time zone.
    instant: bool,
}

/// What is known of the target table.
#[derive(Debug, Clone, Default)]
struct Table {
    columns: Vec<Column>,
    /// Unique indexes, columns in order; the primary key first.
    unique: Vec<Vec<String>>,
}

/// A MySQL target.
pub struct MysqlTarget {
    inner: Arc<Inner>,
    shape: TargetShape,
}

struct Inner {
    pool: Pool,
    job: Job,
    fields: Vec<String>,
    place: String,
    clock: Arc<dyn Clock>,
    table: tokio::sync::OnceCell<Table>,
    /// The plan's zone.
    tz: chrono_tz::Tz,
}

impl MysqlTarget {
    /// A target; connects when it is first used.
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
        let (render, rows, writers, replay) = match &job {
            Job::Batch(b) => {
                let replay = match b.verb {
                    Verb::Insert => Replay::LookUp,
                    _ => Replay::Idempotent,
                };
                let writers = if b.verb == Verb::Insert { 1 } else { 2 };
                (Render::Columns, rows_of(meta, batch, fields.len()), writers, replay)
            }
            Job::Execute(list) => {
                let plain = list.iter().any(|(n, _)| n.uses_last_id())
                    || list.first().is_none_or(|(n, _)| !repeatable(n));
                (
                    Render::Object,
                    100.min(batch.max(1)),
                    1,
                    if plain { Replay::Never } else { Replay::Idempotent },
                )
            }
        };
        Ok(MysqlTarget {
            inner: Arc::new(Inner {
                pool: pool(spec)?,
                job,
                fields,
                place: place(spec),
                clock,
                table: tokio::sync::OnceCell::new(),
                tz: spec.timezone.unwrap_or(chrono_tz::Asia::Shanghai),
            }),
            shape: TargetShape { render, max_rows: rows, writers, replay, local: false },
        })
    }
}

/// A single statement that gives the same table when it is repeated.
fn repeatable(n: &Named) -> bool {
    let low = n.sql.trim_start().to_ascii_lowercase();
    low.starts_with("replace")
        || low.starts_with("delete")
        || low.contains("on duplicate key update")
        || low.starts_with("insert ignore")
}

/// A bound value: booleans as 1 and 0, lists and objects as JSON text, numbers as their exact text.
pub(super) fn bind(v: &Value) -> Sql {
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

fn plain(v: &Value) -> String {
    match v {
        Value::Null => "NULL".into(),
        Value::String(s) => Value::from(s.as_str()).to_json(),
        other => other.to_json(),
    }
}

impl Inner {
    async fn load_table(&self, conn: &mut Conn) -> Result<&Table, Failure> {
        self.table
            .get_or_try_init(|| async {
                let Job::Batch(b) = &self.job else { return Ok(Table::default()) };
                let name = b.table.last().cloned().unwrap_or_default();
                let schema = (b.table.len() > 1).then(|| b.table.first().cloned()).flatten();
                let err = |e: mysql_async::Error| failure(&e, &self.place, false);
                let columns: Vec<(String, String, String)> = conn
                    .exec(
                        "SELECT column_name, data_type, is_nullable FROM information_schema.columns
                         WHERE table_schema = coalesce(?, database()) AND table_name = ? ORDER BY ordinal_position",
                        (schema.clone(), name.clone()),
                    )
                    .await
                    .map_err(err)?;
                let keys: Vec<(String, String)> = conn
                    .exec(
                        "SELECT index_name, column_name FROM information_schema.statistics
                         WHERE table_schema = coalesce(?, database()) AND table_name = ? AND non_unique = 0
                         ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index",
                        (schema, name),
                    )
                    .await
                    .map_err(err)?;
                let mut unique: Vec<(String, Vec<String>)> = Vec::new();
                for (index, column) in keys {
                    match unique.iter_mut().find(|u| u.0 == index) {
                        Some(u) => u.1.push(column),
                        None => unique.push((index, vec![column])),
                    }
                }
                Ok(Table {
                    columns: columns
                        .into_iter()
                        .map(|(name, ty, nullable)| {
                            let ty = ty.to_ascii_lowercase();
                            let text = ty.contains("char") || ty.contains("text") || ty.contains("blob")
                                || matches!(ty.as_str(), "binary" | "varbinary" | "json" | "enum" | "set");
                            let instant = ty == "timestamp";
                            Column { name, text, nullable: nullable.eq_ignore_ascii_case("YES"), instant }
                        })
                        .collect(),
                    unique: unique.into_iter().map(|u| u.1).collect(),
                })
            })
            .await
    }

    /// Columns that keep instants and are written.
    fn instants(&self, table: &Table) -> Vec<String> {
        let Job::Batch(b) = &self.job else { return Vec::new() };
        let written = |c: &&Column| {
            b.columns.as_ref().is_none_or(|list| list.iter().any(|w| w.eq_ignore_ascii_case(&c.name)))
        };
        table.columns.iter().filter(|c| c.instant).filter(written).map(|c| c.name.clone()).collect()
    }

    /// What keeps the plan's times from becoming the instants that they are: a server that does not know the plan's zone
    /// would take them for times of its own.
    async fn foreign_zone(&self, conn: &mut Conn, table: &Table) -> Result<Option<Failure>, Failure> {
        let (Err(name), columns) = (session_zone(self.tz), self.instants(table)) else { return Ok(None) };
        if columns.is_empty() {
            return Ok(None);
        }
        let zone: Option<String> = conn
            .query_first("SELECT @@SESSION.time_zone")
            .await
            .map_err(|e| failure(&e, &self.place, false))?;
        let zone = zone.unwrap_or_default();
        if zone == name {
            return Ok(None);
        }
        let columns = columns.join("`, `");
        Ok(Some(
            Failure::config(
                "HL-5035",
                text!(
                    "the database does not know the time zone `{name}`: it would take the times for `{columns}` (TIMESTAMP) for times of its own zone, `{zone}`",
                    "数据库不认识时区 `{name}`:写入 `{columns}`(TIMESTAMP)的时间会被当作其自身时区 `{zone}` 的时间"
                ),
            )
            .at(&self.place)
            .hint(text!(
                "fill its time zone tables (mariadb-tzinfo-to-sql, mysql_tzinfo_to_sql), or make the columns DATETIME",
                "请加载其时区表(mariadb-tzinfo-to-sql、mysql_tzinfo_to_sql),或将这些列改为 DATETIME"
            )),
        ))
    }

    /// For each value of a row: is its column one that takes no empty text, and may it be NULL?
    fn non_text(&self, table: &Table) -> Vec<Option<bool>> {
        let Job::Batch(b) = &self.job else { return Vec::new() };
        let names: Vec<String> = match &b.columns {
            Some(c) => c.clone(),
            None => table.columns.iter().map(|c| c.name.clone()).collect(),
        };
        names
            .iter()
            .map(|n| {
                let c = table.columns.iter().find(|c| c.name.eq_ignore_ascii_case(n))?;
                (!c.text).then_some(c.nullable)
            })
            .collect()
    }

    /// A unique index whose columns the statement gives: their positions among the values.
    fn key_positions(&self, table: &Table) -> Option<Vec<(String, usize)>> {
        let Job::Batch(b) = &self.job else { return None };
        let names: Vec<String> = match &b.columns {
            Some(c) => c.clone(),
            None => table.columns.iter().map(|c| c.name.clone()).collect(),
        };
        table.unique.iter().find_map(|index| {
            index
                .iter()
                .map(|c| names.iter().position(|n| n.eq_ignore_ascii_case(c)).map(|i| (c.clone(), i)))
                .collect()
        })
    }
}

#[async_trait]
impl Target for MysqlTarget {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        let inner = self.inner.clone();
        let mut conn = connect(&inner.pool, &inner.place).await?;
        let lock = lock_name(fence);
        let err = |e: mysql_async::Error| failure(&e, &inner.place, false);
        let got: Option<Option<i64>> =
            conn.exec_first("SELECT GET_LOCK(?, ?)", (&lock, LOCK_WAIT)).await.map_err(err)?;
        if got.flatten() != Some(1) {
            // A predecessor still holds it: it was declared dead by the ledger, so its connection is ended.
            let holder: Option<Option<u64>> =
                conn.exec_first("SELECT IS_USED_LOCK(?)", (&lock,)).await.map_err(err)?;
            if let Some(id) = holder.flatten() {
                conn.query_drop(format!("KILL {id}")).await.map_err(err)?;
            }
            let again: Option<Option<i64>> =
                conn.exec_first("SELECT GET_LOCK(?, ?)", (&lock, LOCK_WAIT)).await.map_err(err)?;
            if again.flatten() != Some(1) {
                return Err(Failure::transient(
                    "HL-5027",
                    text!(
                        "another writer of this plan still holds its lock at the database",
                        "该方案的另一个写入者仍持有数据库锁"
                    ),
                )
                .at(&inner.place));
            }
        }
        inner.load_table(&mut conn).await?;
        if let Some(table) = inner.table.get()
            && let Some(foreign) = inner.foreign_zone(&mut conn, table).await?
        {
            return Err(foreign);
        }
        let ranges = inner.table.get().map(|t| inner.non_text(t)).unwrap_or_default();
        let version: Option<String> = conn.query_first("SELECT VERSION()").await.map_err(err)?;
        let bulk = version.is_some_and(|v| v.contains("MariaDB"));
        Ok(Box::new(Session { inner, conn: Some(conn), ranges, sql: HashMap::new(), bulk }))
    }

    fn prepare(&self, rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        let show = |sql: String, values: String| Prepared {
            method: "SQL".into(),
            url: self.inner.place.clone(),
            headers: Vec::new(),
            body: format!("{sql}\n-- {values}"),
        };
        Ok(preview(&self.inner.job, rows, self.inner.fields.len(), self.shape.max_rows, &show))
    }

    async fn inspect(&self) -> Result<Vec<Problem>, Failure> {
        let inner = &self.inner;
        let mut conn = connect(&inner.pool, &inner.place).await?;
        let table = inner.load_table(&mut conn).await?;
        let Job::Batch(b) = &inner.job else { return Ok(Vec::new()) };
        let name = b.table.join(".");
        let at = "target.metadata.otherRequest.main_sql";
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
        if let Some(f) = inner.foreign_zone(&mut conn, table).await? {
            out.push(Problem::error(&f.code, at, f.message).hint(f.hint));
        }
        let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        for c in b.columns.iter().flatten() {
            if !known.iter().any(|k| k.eq_ignore_ascii_case(c)) {
                let near = heliu_transform::nearest(c, known.iter().copied()).unwrap_or("");
                out.push(
                    Problem::error(
                        "HL-5024",
                        at,
                        text!("`{name}` has no column `{c}`", "表 `{name}` 没有列 `{c}`"),
                    )
                    .hint(if near.is_empty() {
                        Text::default()
                    } else {
                        text!("did you mean `{near}`?", "是否为 `{near}`?")
                    }),
                );
            }
        }
        if inner.key_positions(table).is_none() {
            out.push(
                Problem::warning(
                    "HL-5028",
                    at,
                    text!(
                        "no unique index of `{name}` is covered by the statement",
                        "语句没有覆盖表 `{name}` 的任何唯一索引"
                    ),
                )
                .hint(text!(
                    "without a key a repeated write doubles rows; add a primary key",
                    "没有主键时重复写入会产生重复行;请添加主键"
                )),
            );
        }
        if table.unique.len() > 1 && b.verb != Verb::Insert {
            out.push(Problem::warning(
                "HL-5028",
                at,
                text!(
                    "`{name}` has several unique indexes: a row may replace another one by either",
                    "表 `{name}` 有多个唯一索引:一行可能按任意一个替换其他行"
                ),
            ));
        }
        Ok(out)
    }
}

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

/// At most 64 characters; plan names may be longer, or hold anything.
fn lock_name(fence: &Fence) -> String {
    let digest = blake3::hash(fence.plan.as_bytes()).to_hex();
    let name: String =
        fence.plan.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect();
    format!("heliu:{name}:{}#{}", digest.get(..12).unwrap_or(""), fence.shard)
}

struct Session {
    inner: Arc<Inner>,
    conn: Option<Conn>,
    ranges: Vec<Option<bool>>,
    sql: HashMap<usize, String>,
    /// The server takes many rows of values for one statement.
    bulk: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        // The named lock belongs to the connection: it must not go back to the pool with it.
        if let Some(conn) = self.conn.take()
            && let Ok(handle) = tokio::runtime::Handle::try_current()
        {
            handle.spawn(async move {
                let _ = conn.disconnect().await;
            });
        }
    }
}

/// How many of the rows fit into one command, about; at least one.
fn fitting(rows: &[&WriteRow]) -> usize {
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
fn uniform(rows: &[&WriteRow], columns: usize) -> bool {
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
fn bind_row(ranges: &[Option<bool>], row: &WriteRow, out: &mut Vec<Sql>) {
    let RowBody::Columns(values) = &row.body else { return };
    for (j, v) in values.iter().enumerate() {
        match v {
            Value::String(s) if s.is_empty() && ranges.get(j) == Some(&Some(true)) => out.push(Sql::NULL),
            _ => out.push(bind(v)),
        }
    }
}

impl Session {
    /// For each row: the failure of one that cannot be bound.
    fn unfit(&self, rows: &[WriteRow]) -> Vec<Option<Failure>> {
        rows.iter()
            .map(|row| {
                let RowBody::Columns(values) = &row.body else { return None };
                let at = values
                    .iter()
                    .zip(&self.ranges)
                    .position(|(v, r)| *r == Some(false) && matches!(v, Value::String(s) if s.is_empty()))?;
                let field = self.inner.fields.get(at).cloned().unwrap_or_default();
                Some(Failure::data(
                    "HL-5029",
                    text!(
                        "`{field}` is empty, and its column takes neither text nor NULL",
                        "`{field}` 为空,而对应列既不是文本也不允许 NULL"
                    ),
                ))
            })
            .collect()
    }

    async fn batch(
        &mut self,
        b: &Batch,
        rows: &[WriteRow],
        call: &mut Call,
    ) -> Result<Vec<RowResult>, Failure> {
        let unfit = self.unfit(rows);
        let good: Vec<&WriteRow> =
            rows.iter().zip(&unfit).filter(|(_, u)| u.is_none()).map(|(r, _)| r).collect();
        if !good.is_empty()
            && let Err(f) = self.send(b, &good, call).await
        {
            let keyed = self.inner.table.get().is_some_and(|t| self.inner.key_positions(t).is_some());
            if f.doubt && !keyed {
                // Without a unique key neither a repetition nor a look-up can tell.
                self.conn = None;
                return Ok(rows.iter().map(|_| RowResult::InDoubt(f.clone())).collect());
            }
            return Err(f);
        }
        Ok(unfit.into_iter().map(|u| u.map_or(RowResult::Written(None), RowResult::Failed)).collect())
    }

    /// All rows in one transaction: statements of a few fixed sizes, so that few are prepared. Values are bound
    /// statement by statement: a batch is never in memory twice.
    async fn send(&mut self, b: &Batch, rows: &[&WriteRow], call: &mut Call) -> Result<(), Failure> {
        let Session { inner, conn, ranges, sql, bulk } = self;
        let place = &inner.place;
        let columns = inner.fields.len();
        let most = (super::MAX_PLACEHOLDERS / columns.max(1)).max(1);
        let step = |left: usize| PREPARED_ROWS.into_iter().find(|n| *n <= left.min(most)).unwrap_or(1);
        let single = rows.len() == step(rows.len());
        let mut affected = 0;
        call.request_body = shown(b, rows.len()).into();
        let conn = conn.as_mut().ok_or_else(|| closed(place))?;
        if !single {
            conn.query_drop("START TRANSACTION").await.map_err(|e| failure(&e, place, false))?;
        }
        let at_once = *bulk && !single && rows.len() >= BULK_ROWS && uniform(rows, columns);
        let mut rest = rows;
        while !rest.is_empty() {
            let n = if at_once { fitting(rest) } else { step(rest.len()) };
            let (part, behind) = rest.split_at_checked(n).unwrap_or((rest, &[]));
            rest = behind;
            let sent = if at_once {
                let sql = sql.entry(1).or_insert_with(|| b.statement(1, columns));
                let bound = |row: &&WriteRow| {
                    let mut values = Vec::with_capacity(columns);
                    bind_row(ranges, row, &mut values);
                    Params::Positional(values)
                };
                conn.exec_batch(sql.as_str(), part.iter().map(bound)).await
            } else {
                let mut flat = Vec::with_capacity(n * columns);
                part.iter().for_each(|row| bind_row(ranges, row, &mut flat));
                let sql = sql.entry(n).or_insert_with(|| b.statement(n, columns));
                conn.exec_drop(sql.as_str(), Params::Positional(flat)).await
            };
            if let Err(e) = sent {
                let f = failure(&e, place, single);
                if !single && !breaks_session(&f) {
                    conn.query_drop("ROLLBACK").await.map_err(|e| failure(&e, place, false))?;
                }
                return Err(f);
            }
            affected += conn.affected_rows();
        }
        if !single {
            conn.query_drop("COMMIT").await.map_err(|e| failure(&e, place, true))?;
        }
        call.response_body = format!("{{\"affectedRows\":{affected}}}").into();
        Ok(())
    }

    async fn execute(
        &mut self,
        list: &[(Named, String)],
        rows: &[WriteRow],
        call: &mut Call,
    ) -> Result<Vec<RowResult>, Failure> {
        let place = self.inner.place.clone();
        let mut results = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(conn) = self.conn.as_mut() else {
                // The next session begins with the rows that this one could not try.
                if results.is_empty() {
                    return Err(closed(&place));
                }
                results.push(RowResult::Waiting(closed(&place)));
                continue;
            };
            let RowBody::Object { request, .. } = &row.body else { continue };
            match transaction(conn, list, request, &place, call).await {
                Ok(reply) => results.push(RowResult::Written(Some(reply))),
                Err(f) if f.doubt => {
                    self.conn = None;
                    results.push(RowResult::InDoubt(f));
                }
                Err(f) if f.class == heliu_model::Class::Data => {
                    if breaks_session(&f) {
                        self.conn = None;
                    }
                    results.push(RowResult::Failed(f));
                }
                Err(f) if f.class == heliu_model::Class::Transient => {
                    self.conn = None;
                    if results.is_empty() {
                        return Err(f);
                    }
                    results.push(RowResult::Waiting(f));
                }
                Err(f) if results.is_empty() => return Err(f),
                Err(f) => results.push(RowResult::Waiting(f)),
            }
        }
        Ok(results)
    }
}

fn shown(b: &Batch, rows: usize) -> String {
    let one = b.statement(1, b.columns.as_ref().map_or(1, Vec::len));
    format!("{one} -- {rows} rows")
}

fn closed(place: &str) -> Failure {
    Failure::transient("HL-5020", text!("the connection to the database was lost", "与数据库的连接中断"))
        .at(place)
}

/// One record's statements in one transaction.
async fn transaction(
    conn: &mut Conn,
    list: &[(Named, String)],
    request: &Map,
    place: &str,
    call: &mut Call,
) -> Result<Value, Failure> {
    conn.query_drop("START TRANSACTION").await.map_err(|e| failure(&e, place, false))?;
    let mut last_id = None;
    let mut affected = 0;
    for (n, key) in list {
        for params in params_of(request, key) {
            let values: Vec<Sql> = n
                .names
                .iter()
                .map(|name| {
                    if name.eq_ignore_ascii_case("lastInsertId") {
                        last_id.map_or(Sql::NULL, Sql::UInt)
                    } else {
                        bind(params.get(name).or_else(|| request.get(name)).unwrap_or(&Value::Null))
                    }
                })
                .collect();
            if call.request_body.is_empty() {
                call.request_body = n.sql.clone().into();
            }
            let params = if values.is_empty() { Params::Empty } else { Params::Positional(values) };
            if let Err(e) = conn.exec_drop(n.sql.as_str(), params).await {
                let f = failure(&e, place, false);
                if !breaks_session(&f) {
                    conn.query_drop("ROLLBACK").await.map_err(|e| failure(&e, place, false))?;
                }
                return Err(f);
            }
            affected += conn.affected_rows();
            // The id of the main statement: dependent ones must not replace it.
            if last_id.is_none() {
                last_id = conn.last_insert_id();
            }
        }
    }
    conn.query_drop("COMMIT").await.map_err(|e| failure(&e, place, true))?;
    let mut reply = Map::new();
    reply.insert("affectedRows", Value::from(i64::try_from(affected).unwrap_or(i64::MAX)));
    if let Some(id) = last_id {
        reply.insert("lastInsertId", Value::from(i64::try_from(id).unwrap_or(i64::MAX)));
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
        let result = match &inner.job {
            Job::Batch(b) => self.batch(b, rows, &mut call).await,
            Job::Execute(list) => self.execute(list, rows, &mut call).await,
        };
        crate::point("target/write/after");
        call.millis = u32::try_from(inner.clock.monotonic_ms().saturating_sub(from)).unwrap_or(u32::MAX);
        call.failure = result.as_ref().err().cloned();
        Exchange { calls: vec![call], result }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        let inner = self.inner.clone();
        let mut call = Call::new(CallKind::LookUp, inner.clock.now(), "SQL", &inner.place);
        call.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        crate::point("target/look_up/before");
        let result = self.find(rows, &mut call).await;
        crate::point("target/look_up/after");
        call.failure = result.as_ref().err().cloned();
        Exchange { calls: vec![call], result }
    }
}

impl Session {
    /// Which rows are there, by a unique key that the statement gives.
    async fn find(&mut self, rows: &[WriteRow], call: &mut Call) -> Result<Vec<Found>, Failure> {
        let inner = self.inner.clone();
        let Some(conn) = self.conn.as_mut() else { return Err(closed(&inner.place)) };
        let table = inner.load_table(conn).await?;
        let (Some(key), Job::Batch(b)) = (inner.key_positions(table), &inner.job) else {
            return Ok(vec![Found::Unknown; rows.len()]);
        };
        let table =
            b.table.iter().map(|p| format!("`{}`", p.replace('`', "``"))).collect::<Vec<_>>().join(".");
        let by = key
            .iter()
            .map(|(c, _)| format!("`{}` = ?", c.replace('`', "``")))
            .collect::<Vec<_>>()
            .join(" AND ");
        let sql = format!("SELECT 1 FROM {table} WHERE {by} LIMIT 1");
        call.request_body = sql.clone().into();
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let RowBody::Columns(values) = &row.body else {
                out.push(Found::Unknown);
                continue;
            };
            let wanted: Vec<Value> =
                key.iter().map(|(_, i)| values.get(*i).cloned().unwrap_or(Value::Null)).collect();
            if wanted.iter().any(Value::is_null) {
                out.push(Found::Unknown);
                continue;
            }
            let params = Params::Positional(wanted.iter().map(bind).collect());
            let found: Option<i64> =
                conn.exec_first(sql.as_str(), params).await.map_err(|e| failure(&e, &inner.place, false))?;
            out.push(if found.is_some() { Found::Present } else { Found::Absent });
        }
        Ok(out)
    }
}
