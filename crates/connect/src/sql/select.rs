//! `select`: rows of a database as records (dialect §6.5).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::ports::{Clock, Page, PageRequest, Prepared, Source, SourceShape};
use heliu_model::walk::{PageAt, Paging};
use heliu_model::{Call, CallKind, Failure, Problem, Text, Ts, text};
use heliu_transform::mapping::Request;
use heliu_transform::{Context, Map, Metadata, Number, Value};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, Value as Sql};

use super::statement::Named;
use super::{mysql, params_of, sqlite};
use crate::skew::Skew;

/// What a server says of its clock holds for so long (ms): a run asks once, a service now and then.
const CLOCK_MS: u64 = 60_000;
/// Rows of one statement are in memory together; beyond this (bytes) it has to be read in pages.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// The database behind a source.
pub(super) enum Db {
    Mysql(mysql_async::Pool, String),
    Sqlite(PathBuf),
}

/// Rows of a database.
pub(super) struct SelectSource {
    db: Db,
    request: Request,
    shape: SourceShape,
    tz: Tz,
    clock: Arc<dyn Clock>,
    skew: Skew,
    /// When the server was last asked for its time, by the count that only grows.
    asked: Mutex<Option<u64>>,
}

fn statement(meta: &Metadata) -> Option<String> {
    super::setting(meta, "main_sql").or_else(|| {
        // Older documents keep it among the parameters.
        let main = meta.request.iter().find(|i| i.field == "main_params")?;
        let item = main.children.iter().find(|c| c.field == "main_sql")?;
        item.value.as_ref().map(Value::in_text)
    })
}

/// Findings that need no connection.
pub(super) fn check(meta: &Metadata) -> Vec<Problem> {
    let at = "otherRequest.main_sql";
    if !meta.api.eq_ignore_ascii_case("select") {
        let api = meta.api.clone();
        return vec![
            Problem::error(
                "HL-5004",
                "api",
                text!("a SQL source has no interface `{api}`", "SQL 来源没有接口 `{api}`"),
            )
            .hint(text!("use `select`", "请使用 `select`")),
        ];
    }
    let Some(sql) = statement(meta) else {
        return vec![Problem::error("HL-5001", at, text!("`main_sql` is missing", "缺少 `main_sql`")).hint(
            text!(
                "add the SELECT, such as: SELECT * FROM your_table ORDER BY id LIMIT :limit OFFSET :offset",
                "请添加 SELECT,例如:SELECT * FROM 你的表 ORDER BY id LIMIT :limit OFFSET :offset"
            ),
        )];
    };
    let low = sql.to_ascii_lowercase();
    if paged(&low) && !low.contains("order by") {
        return vec![
            Problem::warning(
                "HL-5030",
                at,
                text!("rows are read in pages without ORDER BY", "分页读取但没有 ORDER BY"),
            )
            .hint(text!(
                "the database may give a row twice or not at all; add ORDER BY a unique column",
                "数据库可能重复或遗漏某些行;请按唯一列添加 ORDER BY"
            )),
        ];
    }
    Vec::new()
}

fn paged(low: &str) -> bool {
    low.contains(":offset") || low.contains("pagination_start_row")
}

impl SelectSource {
    pub fn new(db: Db, meta: &Metadata, tz: Tz, clock: Arc<dyn Clock>) -> Self {
        let sql = statement(meta).unwrap_or_default();
        let shape = SourceShape {
            edges: heliu_model::window::Edges { tz, ..Default::default() },
            paging: if paged(&sql.to_ascii_lowercase()) { Paging::Numbered } else { Paging::Single },
            page_size: meta.page_size.unwrap_or(1_000),
            max_window_ms: None,
            stamp: None,
            anchor: None,
            concurrency: 2,
        };
        let (skew, asked) = (Skew::default(), Mutex::new(None));
        SelectSource { db, request: Request::compile(meta), shape, tz, clock, skew, asked }
    }

    fn place(&self) -> String {
        match &self.db {
            Db::Mysql(_, place) => place.clone(),
            Db::Sqlite(path) => path.display().to_string(),
        }
    }

    /// The statement with its parameters in order.
    fn bound(&self, request: &PageRequest) -> Result<(String, Vec<Value>), Failure> {
        let size = i64::from(self.shape.page_size);
        let number = match request.at {
            PageAt::Number(n) => i64::from(n),
            _ => 1,
        };
        let ctx = Context {
            page: number,
            page_size: size,
            start_row: (number - 1) * size,
            ..Context::new(request.window.from.secs(), request.window.to.secs(), self.tz)
        };
        let rendered = self
            .request
            .render(&ctx, None)
            .map_err(|e| Failure::config(&e.code, e.message).at(format!("source.metadata.{}", e.path)))?;
        let main =
            params_of(&rendered.request, "main_params").into_iter().next().cloned().unwrap_or_default();
        let find = |map: &Map, name: &str| {
            map.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
        };
        let sql = find(&rendered.other, "main_sql")
            .or_else(|| find(&main, "main_sql"))
            .map(|v| v.in_text())
            .unwrap_or_default();
        let named = Named::parse(&sql);
        let values = named
            .names
            .iter()
            .map(|n| {
                let v = find(&main, n).or_else(|| find(&rendered.other, n));
                match (v, n.to_ascii_lowercase().as_str()) {
                    // LIMIT and OFFSET must be numbers for the server.
                    (Some(v), "limit" | "offset") => v.in_text().trim().parse::<i64>().map_or(v, Value::from),
                    (Some(v), _) => v,
                    (None, "limit") => Value::from(size),
                    (None, "offset") => Value::from(ctx.start_row),
                    (None, _) => Value::Null,
                }
            })
            .collect();
        Ok((named.sql, values))
    }

    /// Asks the server for its time, now and then: rows that it stamps go on coming behind what its clock has reached.
    /// Gives what is to be said when the session's zone is not the plan's.
    async fn look_at_its_clock(&self, conn: &mut mysql_async::Conn) -> Option<Text> {
        let now = self.clock.monotonic_ms();
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_some_and(|at| now.saturating_sub(at) < CLOCK_MS) {
                return None;
            }
            *asked = Some(now);
        }
        let sent = self.clock.now();
        // In UTC: what the session's time zone is does not matter.
        let told: Result<Option<(i64, String)>, _> = conn
            .query_first(
                "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)), @@SESSION.time_zone",
            )
            .await;
        // A server that does not answer this is read all the same, as one whose clock agrees.
        let Ok(Some((micros, zone))) = told else { return None };
        self.skew.bound(Ts(micros.div_euclid(1_000)), 1, sent, self.clock.now());
        let name = mysql::connection::session_zone(self.tz).err().filter(|name| *name != zone)?;
        Some(text!(
            "the database does not know the time zone `{name}`: it compares and gives TIMESTAMP columns in its own, `{zone}`; fill its time zone tables (mariadb-tzinfo-to-sql, mysql_tzinfo_to_sql)",
            "数据库不认识时区 `{name}`:TIMESTAMP 列将按其自身时区 `{zone}` 比较和返回;请加载其时区表(mariadb-tzinfo-to-sql、mysql_tzinfo_to_sql)"
        ))
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<(Vec<Map>, Option<Text>), Failure> {
        match &self.db {
            Db::Mysql(pool, place) => {
                let mut conn = mysql::connection::connect(pool, place).await?;
                let said = self.look_at_its_clock(&mut conn).await;
                let params = if values.is_empty() {
                    Params::Empty
                } else {
                    Params::Positional(values.iter().map(mysql::bind).collect())
                };
                let err = |e: mysql_async::Error| mysql::errors::failure(&e, place, false);
                let mut result = conn.exec_iter(sql, params).await.map_err(err)?;
                let (mut rows, mut bytes) = (Vec::new(), 0);
                while let Some(row) = result.next().await.map_err(err)? {
                    let row = from_mysql(row);
                    bytes += weight(&row);
                    if bytes > MOST_BYTES {
                        return Err(too_much(place));
                    }
                    rows.push(row);
                }
                Ok((rows, said))
            }
            Db::Sqlite(path) => {
                let (path, sql) = (path.clone(), sql.to_owned());
                sqlite::blocking(move || {
                    let place = path.display().to_string();
                    let err = |e: rusqlite::Error| {
                        Failure::config("HL-5024", heliu_model::Text::same(e.to_string())).at(&place)
                    };
                    let db = sqlite::open(&path)?;
                    let mut q = db.prepare(&sql).map_err(err)?;
                    let names: Vec<String> = q.column_names().iter().map(|n| (*n).to_owned()).collect();
                    let bound: Vec<rusqlite::types::Value> = values.iter().map(sqlite::bind).collect();
                    let mut rows = q.query(rusqlite::params_from_iter(bound)).map_err(err)?;
                    let (mut out, mut bytes) = (Vec::new(), 0);
                    while let Some(r) = rows.next().map_err(err)? {
                        let mut map = Map::new();
                        for (i, name) in names.iter().enumerate() {
                            let v = match r.get_ref(i).map_err(err)? {
                                rusqlite::types::ValueRef::Null => Value::Null,
                                rusqlite::types::ValueRef::Integer(n) => Value::from(n),
                                rusqlite::types::ValueRef::Real(f) => {
                                    Number::from_text(&f.to_string()).map_or(Value::Null, Value::Number)
                                }
                                rusqlite::types::ValueRef::Text(t) | rusqlite::types::ValueRef::Blob(t) => {
                                    Value::from(String::from_utf8_lossy(t))
                                }
                            };
                            map.insert(name.clone(), v);
                        }
                        bytes += weight(&map);
                        if bytes > MOST_BYTES {
                            return Err(too_much(&place));
                        }
                        out.push(map);
                    }
                    Ok((out, None))
                })
                .await
            }
        }
    }
}

/// Bytes that a row holds, about.
fn weight(row: &Map) -> usize {
    row.iter().map(|(_, v)| 16 + if let Value::String(s) = v { s.len() } else { 0 }).sum()
}

fn too_much(place: &str) -> Failure {
    let most = MOST_BYTES / (1024 * 1024);
    Failure::config(
        "HL-5032",
        text!("one statement gives more than {most} MiB of rows", "一条语句返回的数据超过 {most} MiB"),
    )
    .at(place)
    .hint(text!(
        "read it in pages: add ORDER BY a unique column and LIMIT :limit OFFSET :offset",
        "请分页读取:按唯一列添加 ORDER BY,并添加 LIMIT :limit OFFSET :offset"
    ))
}

/// A row with exact decimals, and dates as text.
fn from_mysql(row: mysql_async::Row) -> Map {
    use mysql_async::consts::ColumnType as T;
    let columns = row.columns();
    let mut map = Map::new();
    for (c, v) in columns.iter().zip(row.unwrap()) {
        let numeric = matches!(c.column_type(), T::MYSQL_TYPE_NEWDECIMAL | T::MYSQL_TYPE_DECIMAL);
        let value = match v {
            Sql::NULL => Value::Null,
            Sql::Int(n) => Value::from(n),
            Sql::UInt(n) => Number::from_text(&n.to_string()).map_or(Value::Null, Value::Number),
            Sql::Float(f) => Number::from_text(&f.to_string()).map_or(Value::Null, Value::Number),
            Sql::Double(f) => Number::from_text(&f.to_string()).map_or(Value::Null, Value::Number),
            Sql::Bytes(b) => {
                let s = String::from_utf8_lossy(&b).into_owned();
                match Number::from_text(&s) {
                    Some(n) if numeric => Value::Number(n),
                    _ => Value::from(s),
                }
            }
            Sql::Date(y, mo, d, h, mi, s, us) => {
                let date = format!("{y:04}-{mo:02}-{d:02}");
                let frac = if us == 0 { String::new() } else { format!(".{us:06}") };
                Value::from(if c.column_type() == T::MYSQL_TYPE_DATE {
                    date
                } else {
                    format!("{date} {h:02}:{mi:02}:{s:02}{frac}")
                })
            }
            Sql::Time(neg, d, h, mi, s, us) => {
                let hours = d * 24 + u32::from(h);
                let frac = if us == 0 { String::new() } else { format!(".{us:06}") };
                Value::from(format!("{}{hours:02}:{mi:02}:{s:02}{frac}", if neg { "-" } else { "" }))
            }
        };
        map.insert(c.name_str().into_owned(), value);
    }
    map
}

#[async_trait]
impl Source for SelectSource {
    fn shape(&self) -> &SourceShape {
        &self.shape
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        let (sql, values) = match self.bound(request) {
            Ok(b) => b,
            Err(f) => return Exchange { calls: Vec::new(), result: Err(f) },
        };
        let from = self.clock.monotonic_ms();
        let mut call = Call::new(CallKind::Fetch, self.clock.now(), "SQL", &self.place());
        call.request_body = Bytes::from(sql.clone());
        let result = self.rows(&sql, values).await.map(|(rows, said)| {
            // The rows as one JSON text, so that records are slices of it like those of any reply.
            let list = Value::Array(rows.into_iter().map(Value::Object).collect());
            let body = Bytes::from(list.to_json());
            let elements = heliu_transform::records::split_list(&body, &heliu_transform::Path::new(""))
                .ok()
                .flatten()
                .unwrap_or_default();
            Page { body, elements, warnings: said.into_iter().collect(), ..Page::default() }
        });
        call.millis = u32::try_from(self.clock.monotonic_ms().saturating_sub(from)).unwrap_or(u32::MAX);
        match &result {
            Ok(page) => {
                call.rows = u32::try_from(page.elements.len()).unwrap_or(u32::MAX);
                call.response_body = page.body.clone();
            }
            Err(f) => call.failure = Some(f.clone()),
        }
        Exchange { calls: vec![call], result }
    }

    fn clock_behind_ms(&self) -> i64 {
        self.skew.behind_ms()
    }

    fn prepare(&self, request: &PageRequest) -> Result<Prepared, Failure> {
        let (sql, values) = self.bound(request)?;
        let shown: Vec<String> = values.iter().map(Value::to_json).collect();
        Ok(Prepared {
            method: "SQL".into(),
            url: self.place(),
            headers: Vec::new(),
            body: format!("{sql}\n-- {}", shown.join(", ")),
        })
    }
}
