//! Storing new records, one by one or many in one statement.

use std::fmt::Write;
use std::sync::LazyLock;

use heliu_model::Ts;
use heliu_model::ports::{CallId, Element, PlanId, RowId};
use heliu_model::record::State;
use rusqlite::{CachedStatement, Transaction};

use crate::Stop;
use crate::elements::Place;

/// The most new records that one statement stores. Much of what it costs to store a record is to begin and to end a
/// statement and to find the ends of the table and of its index; more at once gains nothing.
pub(crate) const GROUP: usize = 25;

/// Sizes of groups beside single records, the largest first.
const GROUPS: [usize; 2] = [GROUP, 8];

/// The parameters that all rows of a statement share: plan, mark, call, time.
const SHARED: usize = 4;

/// The parameters of each row.
const OWN: usize = 8;

/// Stores `rows` new records, apart from those whose key is known. `OR FAIL`: a failure ends the transaction anyway, and
/// with it SQLite keeps no copy of each page to undo the statement alone.
fn sql(rows: usize) -> String {
    let mut sql = String::from(
        "INSERT OR FAIL INTO records(plan, key, number, hash, version, state, blob, off, len, stamp, seen, source_call,
           first_seen, changed_at) VALUES ",
    );
    for row in 0..rows {
        if row > 0 {
            sql.push(',');
        }
        let p = SHARED + row * OWN;
        let (key, number, hash, state) = (p + 1, p + 2, p + 3, p + 4);
        let (blob, off, len, stamp) = (p + 5, p + 6, p + 7, p + 8);
        let _ = write!(
            sql,
            "(?1,?{key},?{number},?{hash},1,?{state},?{blob},?{off},?{len},?{stamp},?2,?3,?4,?4)"
        );
    }
    sql + " ON CONFLICT(plan, key) DO NOTHING"
}

static ONE: LazyLock<String> = LazyLock::new(|| sql(1));
static MANY: LazyLock<[String; GROUPS.len()]> = LazyLock::new(|| GROUPS.map(sql));

/// What the rows of a page have in common.
#[derive(Clone, Copy)]
pub(crate) struct Shared {
    pub plan: PlanId,
    pub mark: i64,
    pub call: CallId,
    pub now: Ts,
}

/// The statements that store new records: of one, and of each size of a group, made when it is first needed.
pub(crate) struct Inserts<'a> {
    tx: &'a Transaction<'a>,
    shared: Shared,
    one: Insert<'a>,
    many: [Option<Insert<'a>>; GROUPS.len()],
}

impl<'a> Inserts<'a> {
    pub fn new(tx: &'a Transaction, shared: Shared) -> Result<Self, Stop> {
        Ok(Inserts { tx, shared, one: Insert::new(tx, &ONE, shared)?, many: [const { None }; GROUPS.len()] })
    }

    /// The statement for the largest group that fits into `most` rows, and its size.
    pub fn largest(&mut self, most: usize) -> Result<(usize, &mut Insert<'a>), Stop> {
        let sizes = GROUPS.iter().zip(MANY.iter()).zip(&mut self.many);
        for ((rows, sql), slot) in sizes {
            if *rows <= most {
                let insert = match slot {
                    Some(insert) => insert,
                    None => slot.insert(Insert::new(self.tx, sql, self.shared)?),
                };
                return Ok((*rows, insert));
            }
        }
        Ok((1, &mut self.one))
    }
}

/// A statement that stores new records at once.
pub(crate) struct Insert<'a> {
    stmt: CachedStatement<'a>,
}

impl<'a> Insert<'a> {
    fn new(tx: &'a Transaction, sql: &str, shared: Shared) -> Result<Self, Stop> {
        let mut stmt = tx.prepare_cached(sql)?;
        stmt.raw_bind_parameter(1, shared.plan)?;
        stmt.raw_bind_parameter(2, shared.mark)?;
        stmt.raw_bind_parameter(3, shared.call)?;
        stmt.raw_bind_parameter(4, shared.now.0)?;
        Ok(Insert { stmt })
    }

    /// Binds one of the rows.
    pub fn bind(
        &mut self,
        row: usize,
        e: &Element,
        key: &str,
        state: State,
        blob: Option<i64>,
        place: Place,
    ) -> Result<(), Stop> {
        let p = SHARED + row * OWN;
        let stmt = &mut self.stmt;
        stmt.raw_bind_parameter(p + 1, key)?;
        stmt.raw_bind_parameter(p + 2, e.number.as_deref())?;
        stmt.raw_bind_parameter(p + 3, e.hash)?;
        stmt.raw_bind_parameter(p + 4, state as u8)?;
        stmt.raw_bind_parameter(p + 5, blob)?;
        stmt.raw_bind_parameter(p + 6, place.off)?;
        stmt.raw_bind_parameter(p + 7, place.len)?;
        stmt.raw_bind_parameter(p + 8, e.stamp.as_deref())?;
        Ok(())
    }

    /// Stores what was bound. How many were new, and the row of the first of them: the others follow it without a
    /// gap, because a new row is numbered one above the greatest.
    pub fn run(&mut self, tx: &Transaction) -> Result<(usize, RowId), Stop> {
        let stored = self.stmt.raw_execute()?;
        Ok((stored, tx.last_insert_rowid() + 1 - i64::try_from(stored).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::{elements, schema, writes};

    /// What SQLite does for a statement: names of the steps.
    fn steps(db: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
        let mut explained = db.prepare(&format!("EXPLAIN {sql}"))?;
        let (mut rows, mut names) = (explained.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            names.push(row.get(1)?);
        }
        Ok(names)
    }

    /// The condition of a partial index is looked at for each row that is stored: one with a list in it would make
    /// and fill a table of its own each time.
    #[test]
    fn no_row_that_is_stored_makes_a_table() -> rusqlite::Result<()> {
        let mut db = Connection::open_in_memory()?;
        assert_eq!(schema::migrate(&mut db)?, Ok(()));
        for text in [sql(1), sql(8), writes::SETTLE_RANGE.to_owned(), writes::SETTLE_ONE.to_owned()] {
            let steps = steps(&db, &text)?;
            assert!(steps.iter().any(|s| s == "Insert"), "{steps:?}");
            assert!(!steps.iter().any(|s| s == "OpenEphemeral"), "{text}: {steps:?}");
        }
        db.execute_batch("CREATE INDEX listed ON records(plan) WHERE state IN (0, 5, 6)")?;
        assert!(steps(&db, &sql(1))?.iter().any(|s| s == "OpenEphemeral"), "such an index is seen here");
        Ok(())
    }

    /// Neighbours are reached by walking along the table from the first of them.
    #[test]
    fn neighbours_are_not_searched_for() -> rusqlite::Result<()> {
        let mut db = Connection::open_in_memory()?;
        assert_eq!(schema::migrate(&mut db)?, Ok(()));
        for sql in [elements::SELECT_AHEAD, elements::MARK, writes::SETTLE_RANGE] {
            let mut explained = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let mut rows = explained.raw_query();
            let plan: Option<String> = rows.next()?.map(|r| r.get(3)).transpose()?;
            let plan = plan.unwrap_or_default();
            assert_eq!(plan, "SEARCH records USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", "{sql}");
        }
        Ok(())
    }
}
