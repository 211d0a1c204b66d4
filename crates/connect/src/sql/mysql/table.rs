//! What is known of the target table, and what it means for a statement.

use heliu_model::{Failure, text};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Inner;
use super::connection::session_zone;
use super::errors::failure;
use crate::sql::Job;

/// A table's column, as far as binding needs it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    text: bool,
    nullable: bool,
    /// Keeps an instant: what is written is read in the session's time zone.
    instant: bool,
}

/// What is known of the target table.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub columns: Vec<Column>,
    /// Unique indexes, columns in order; the primary key first.
    pub unique: Vec<Vec<String>>,
}

impl Inner {
    pub async fn load_table(&self, conn: &mut Conn) -> Result<&Table, Failure> {
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
    pub async fn foreign_zone(&self, conn: &mut Conn, table: &Table) -> Result<Option<Failure>, Failure> {
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
    pub fn non_text(&self, table: &Table) -> Vec<Option<bool>> {
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
    pub fn key_positions(&self, table: &Table) -> Option<Vec<(String, usize)>> {
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
