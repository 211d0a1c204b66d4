//! MySQL and MariaDB as a target.

mod bind;
pub(super) mod connection;
pub(super) mod errors;
mod session;
mod table;

use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::ports::{
    Clock, Fence, Prepared, Render, Replay, Target, TargetSession, TargetShape, WriteRow,
};
use heliu_model::{ConnectorSpec, Failure, Problem, Text, text};
use heliu_transform::Metadata;
use mysql_async::Pool;
use mysql_async::prelude::Queryable;

pub(super) use self::bind::bind;
use self::connection::{connect, place, pool};
use self::errors::failure;
use self::session::Session;
use self::table::Table;
use super::preview::preview;
use super::statement::{Named, Verb};
use super::{Job, rows_of};

/// How long a successor waits for a predecessor's lock before it ends that connection, in seconds.
const LOCK_WAIT: u32 = 5;

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
        Ok(Box::new(Session::new(inner, conn, ranges, bulk)))
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

/// At most 64 characters; plan names may be longer, or hold anything.
fn lock_name(fence: &Fence) -> String {
    let digest = blake3::hash(fence.plan.as_bytes()).to_hex();
    let name: String =
        fence.plan.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect();
    format!("heliu:{name}:{}#{}", digest.get(..12).unwrap_or(""), fence.shard)
}
