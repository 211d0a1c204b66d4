//! A session: one connection that holds the plan's lock, and what is written over it.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{Found, RowBody, RowResult, TargetSession, WriteRow};
use heliu_model::{Call, CallKind, Failure, text};
use heliu_transform::{Map, Value};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Value as Sql};

use super::Inner;
use super::bind::{bind, bind_row, fitting, uniform};
use super::errors::{breaks_session, failure};
use crate::sql::statement::{Batch, Named};
use crate::sql::{Job, params_of};

/// Rows of the prepared statements, largest first. Few sizes, so that few are prepared; small ones, because both
/// sides keep a description of every placeholder: nothing is gained beyond 100 rows.
const PREPARED_ROWS: [usize; 7] = [100, 32, 16, 8, 4, 2, 1];
/// From so many rows on, MariaDB is sent all values of a statement of one row with one command
/// (COM_STMT_BULK_EXECUTE), in a transaction. It costs the server a sixth less than statements of 100 rows, and is
/// answered once.
const BULK_ROWS: usize = 64;

pub(super) struct Session {
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

impl Session {
    /// Over a connection that holds the lock; `ranges` says which columns take no empty text, `bulk` whether the server
    /// takes many rows of values for one statement.
    pub fn new(inner: Arc<Inner>, conn: Conn, ranges: Vec<Option<bool>>, bulk: bool) -> Session {
        Session { inner, conn: Some(conn), ranges, sql: HashMap::new(), bulk }
    }

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
        let most = (crate::sql::MAX_PLACEHOLDERS / columns.max(1)).max(1);
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
