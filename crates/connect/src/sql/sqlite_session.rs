//! One writer of a SQLite file: a batch is a transaction, the database's lock its fence.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{Found, RowBody, RowResult, TargetSession, WriteRow};
use heliu_model::{Call, CallKind, Class, Failure, text};
use heliu_transform::Value;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::sqlite::{Inner, Table, bind, blocking, failure};
use super::statement::{Batch, Named};
use super::{Job, params_of};

pub(super) struct Session {
    pub(super) db: Arc<Mutex<Connection>>,
    pub(super) table: Arc<Table>,
    pub(super) inner: Arc<Inner>,
}

impl Session {
    fn names<'a>(&'a self, b: &'a Batch) -> Vec<&'a str> {
        match &b.columns {
            Some(c) => c.iter().map(String::as_str).collect(),
            None => self.table.columns.iter().map(|c| c.name.as_str()).collect(),
        }
    }
}

fn empty_value(field: &str) -> Failure {
    Failure::data(
        "HL-5029",
        text!(
            "`{field}` is empty, and its column takes neither text nor NULL",
            "`{field}` 为空,而对应列既不是文本也不允许 NULL"
        ),
    )
}

fn rounded(field: &str) -> Failure {
    Failure::data(
        "HL-5034",
        text!(
            "`{field}` has more digits than its column keeps exactly",
            "`{field}` 的位数超出对应列能够精确保存的范围"
        ),
    )
    .hint(text!("declare the column as TEXT", "请将该列声明为 TEXT"))
}

fn batch(
    db: &mut Connection,
    b: &Batch,
    rows: Vec<Vec<Sql>>,
    columns: usize,
    place: &str,
) -> Result<(), Failure> {
    let err = |e: rusqlite::Error| failure(&e, place);
    within(db, place, |db| {
        // One tuple a step: the statement stays prepared whatever the batch.
        let mut statement = db.prepare_cached(&b.statement(1, columns)).map_err(err)?;
        for row in rows {
            statement.execute(params_from_iter(row)).map_err(err)?;
        }
        Ok(())
    })
}

/// Takes the database's lock for writing; a session that is dropped lets it go.
fn hold(db: &Connection, place: &str) -> Result<(), Failure> {
    if db.is_autocommit() {
        db.execute_batch("BEGIN IMMEDIATE").map_err(|e| failure(&e, place))?;
    }
    Ok(())
}

/// Does `work` in the transaction that is held, or in one of its own, and ends it.
fn within<T>(
    db: &mut Connection,
    place: &str,
    work: impl FnOnce(&mut Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    hold(db, place)?;
    let done =
        work(db).and_then(|out| db.execute_batch("COMMIT").map(|()| out).map_err(|e| failure(&e, place)));
    if done.is_err() && !db.is_autocommit() {
        // What failed is told; a database that cannot even roll back ends the connection.
        let _ = db.execute_batch("ROLLBACK");
    }
    done
}

fn execute(
    db: &mut Connection,
    list: &[(Named, String)],
    request: &heliu_transform::Map,
    place: &str,
) -> Result<Value, Failure> {
    let err = |e: rusqlite::Error| failure(&e, place);
    let tx = db.savepoint().map_err(err)?;
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
    /// SQLite knows one writer at a time: its lock is the fence.
    async fn hold(&mut self) -> Result<bool, Failure> {
        crate::point("target/hold/before");
        let (db, inner) = (self.db.clone(), self.inner.clone());
        blocking(move || hold(&db.lock().unwrap_or_else(PoisonError::into_inner), &inner.place)).await?;
        crate::point("target/hold/after");
        Ok(true)
    }

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
            // Whoever wrote before us and is still at it has the lock: what it commits counts as well. Nobody who is
            // displaced begins after that.
            hold(&db, &inner.place)?;
            let found = wanted
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
                .collect();
            db.execute_batch("ROLLBACK").map_err(|e| failure(&e, &inner.place))?;
            found
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
                                self.table.columns.iter().find(|c| c.name.eq_ignore_ascii_case(n))
                            });
                            match column {
                                Some(c) if empty && !c.text && c.nullable => return Sql::Null,
                                Some(c) if empty && !c.text => wrong = Some(empty_value(&c.name)),
                                Some(c) if c.rounds(v) => wrong = Some(rounded(&c.name)),
                                _ => {}
                            }
                            bind(v)
                        })
                        .collect();
                    match wrong {
                        None => {
                            good.push(bound);
                            results.push(RowResult::Written(None));
                        }
                        Some(failure) => results.push(RowResult::Failed(failure)),
                    }
                }
                let columns = inner.fields.len();
                let n = good.len();
                call.request_body = format!("{} -- {n} rows", b.statement(1, columns)).into();
                let b = b.clone();
                blocking(move || {
                    let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                    batch(&mut db, &b, good, columns, &inner.place)
                })
                .await?;
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
                    within(&mut db, &inner.place, |db| {
                        let mut out = Vec::with_capacity(requests.len());
                        for request in &requests {
                            match execute(db, &list, request, &inner.place) {
                                Ok(reply) => out.push(RowResult::Written(Some(reply))),
                                // It ended the transaction, and with it what was written before.
                                Err(f) if db.is_autocommit() => return Err(f),
                                Err(f) if f.class == Class::Data => out.push(RowResult::Failed(f)),
                                Err(f) if out.is_empty() => return Err(f),
                                Err(f) => out.push(RowResult::Waiting(f)),
                            }
                        }
                        Ok(out)
                    })
                })
                .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn who_holds_the_database_is_waited_for_and_who_goes_lets_it_go() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let db = Connection::open(dir.path().join("bi.db")).unwrap();
            db.busy_timeout(std::time::Duration::ZERO).unwrap();
            db
        };
        let (mut a, mut b) = (open(), open());
        a.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY)").unwrap();
        let insert = |db: &mut Connection, id: i64| {
            within(db, "bi.db", |db| {
                db.execute("INSERT INTO t VALUES (?1)", [id]).map_err(|e| failure(&e, "bi.db"))
            })
        };
        hold(&a, "bi.db").unwrap();
        let busy = insert(&mut b, 1).unwrap_err();
        assert_eq!((busy.code.as_str(), busy.class), ("HL-5022", Class::Transient), "{busy}");
        insert(&mut a, 2).unwrap();
        insert(&mut b, 3).unwrap();
        // What fails lets go as well, and so does a session that is given up.
        assert_eq!(insert(&mut a, 3).unwrap_err().class, Class::Data);
        hold(&b, "bi.db").unwrap();
        drop(b);
        insert(&mut a, 4).unwrap();
        let n: i64 = a.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        assert_eq!(n, 3);
    }
}
