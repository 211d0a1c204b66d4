//! The schema and its migrations. `user_version` counts the migrations that were applied.
//!
//! A page's body is stored once, compressed; records refer to slices of it, so that a record's row stays small and
//! a change of state never rewrites content.

use rusqlite::Connection;

/// Migrations in order; never edited, only added to.
pub(crate) const MIGRATIONS: &[&str] = &[
    r"
CREATE TABLE plans (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  uuid TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  watermark INTEGER
) STRICT;
CREATE INDEX plans_uuid ON plans(uuid);
-- Records of a plan by state, kept by the same transactions that change states.
CREATE TABLE plan_states (
  plan INTEGER NOT NULL,
  state INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (plan, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE watermark_moves (
  plan INTEGER NOT NULL,
  at INTEGER NOT NULL,
  before INTEGER,
  after INTEGER NOT NULL,
  who TEXT NOT NULL
) STRICT;
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  ulid TEXT NOT NULL UNIQUE,
  plan INTEGER NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  seconds REAL NOT NULL DEFAULT 0,
  owner TEXT NOT NULL,
  owned_since INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  counts TEXT NOT NULL,
  queued INTEGER NOT NULL DEFAULT 0,
  problems TEXT NOT NULL DEFAULT '[]',
  failure TEXT
) STRICT;
CREATE UNIQUE INDEX runs_open ON runs(plan) WHERE state = 'open';
CREATE INDEX runs_plan ON runs(plan, id);
-- One row a window: its range, the walk under way (the fetch job), its counts and, for ever, its certificate.
CREATE TABLE windows (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  walk TEXT NOT NULL,
  closed INTEGER NOT NULL DEFAULT 0,
  report TEXT NOT NULL,
  UNIQUE (run, seq)
) STRICT;
CREATE TABLE blobs (
  id INTEGER PRIMARY KEY,
  size INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE calls (
  id INTEGER PRIMARY KEY,
  plan INTEGER,
  run INTEGER,
  kind TEXT NOT NULL,
  started INTEGER NOT NULL,
  millis INTEGER NOT NULL,
  method TEXT NOT NULL,
  url TEXT NOT NULL,
  status INTEGER,
  rows INTEGER NOT NULL,
  request_headers TEXT NOT NULL,
  request_body BLOB,
  response_headers TEXT NOT NULL,
  response_blob INTEGER,
  failure TEXT,
  pruned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX calls_plan ON calls(plan, id);
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  plan INTEGER NOT NULL,
  key TEXT NOT NULL,
  keyed INTEGER NOT NULL DEFAULT 1,
  number TEXT,
  hash BLOB NOT NULL,
  version INTEGER NOT NULL,
  state INTEGER NOT NULL,
  blob INTEGER,
  off INTEGER NOT NULL DEFAULT 0,
  len INTEGER NOT NULL DEFAULT 0,
  stamp TEXT,
  seen INTEGER NOT NULL,
  collides INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  source_call INTEGER,
  write_call INTEGER,
  first_seen INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  written_at INTEGER,
  code TEXT,
  reason TEXT,
  response TEXT,
  UNIQUE (plan, key)
) STRICT;
CREATE INDEX records_open ON records(plan, state) WHERE state IN (0, 5, 6);
CREATE TABLE versions (
  record INTEGER NOT NULL,
  version INTEGER NOT NULL,
  hash BLOB NOT NULL,
  state INTEGER,
  blob INTEGER,
  off INTEGER NOT NULL,
  len INTEGER NOT NULL,
  source_call INTEGER,
  write_call INTEGER,
  changed_at INTEGER NOT NULL,
  written_at INTEGER,
  PRIMARY KEY (record, version)
) STRICT, WITHOUT ROWID;
-- Announced writes without an outcome yet.
CREATE TABLE intents (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  plan INTEGER NOT NULL,
  announced INTEGER NOT NULL,
  members BLOB NOT NULL
) STRICT;
CREATE TABLE tokens (
  credential TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  access BLOB NOT NULL,
  refresh BLOB,
  expires_at INTEGER,
  origin TEXT NOT NULL,
  stored_at INTEGER NOT NULL,
  needs_authorisation INTEGER NOT NULL DEFAULT 0,
  intent_owner TEXT,
  intent_at INTEGER
) STRICT;
CREATE TABLE token_events (
  credential TEXT NOT NULL,
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  by TEXT NOT NULL,
  detail TEXT NOT NULL,
  expires_at INTEGER
) STRICT;
CREATE INDEX token_events_credential ON token_events(credential);
CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL, stored_at INTEGER NOT NULL) STRICT;
CREATE TABLE budget (credential TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX budget_credential ON budget(credential, at);
CREATE TABLE budget_holds (credential TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;
",
    r"
-- Which ticks have been answered: one row a plan and trigger.
CREATE TABLE schedules (
  plan INTEGER NOT NULL,
  what TEXT NOT NULL,
  words TEXT NOT NULL,
  answered INTEGER NOT NULL,
  owed INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (plan, what)
) STRICT, WITHOUT ROWID;
",
    r"
-- With an owner: under way since `at`. Without: released at `at`.
ALTER TABLE budget ADD COLUMN owner TEXT;
",
    r"
-- What retention needs to work in small steps: how much a call's bodies take, whether a record's story names the call,
-- and how many calls, records and versions refer to a body. `pruned`: 1 bodies gone, 2 only the line is left.
ALTER TABLE calls ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
UPDATE calls SET named = 1, bytes = coalesce(length(request_body), 0)
  + coalesce((SELECT length(data) FROM blobs WHERE id = response_blob), 0);
CREATE INDEX calls_kept ON calls(started, bytes) WHERE pruned < 2;
CREATE TABLE blob_refs (blob INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;
INSERT INTO blob_refs SELECT blob, count(*) FROM (
  SELECT blob FROM records WHERE blob IS NOT NULL
  UNION ALL SELECT blob FROM versions WHERE blob IS NOT NULL
  UNION ALL SELECT response_blob FROM calls WHERE response_blob IS NOT NULL) GROUP BY blob;
DELETE FROM blobs WHERE id NOT IN (SELECT blob FROM blob_refs);
CREATE TABLE retention (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  started INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  ended INTEGER,
  done TEXT NOT NULL
) STRICT;
",
    r"
-- By what the sealing key is known, since it was replaced for the first time.
CREATE TABLE sealing (id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL, since INTEGER NOT NULL) STRICT;
",
    r"
-- What needs a person: one row for each trouble, from its first sight to its end.
CREATE TABLE alerts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  plan TEXT NOT NULL,
  run TEXT,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  hint TEXT NOT NULL,
  opened INTEGER NOT NULL,
  last INTEGER NOT NULL,
  times INTEGER NOT NULL,
  closed INTEGER
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts(key) WHERE closed IS NULL;
-- What is still to be told, to whom.
CREATE TABLE notices (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alert INTEGER NOT NULL,
  recovery INTEGER NOT NULL,
  channel TEXT NOT NULL,
  since INTEGER NOT NULL,
  due INTEGER NOT NULL,
  tries INTEGER NOT NULL
) STRICT;
CREATE INDEX notices_due ON notices(channel, due);
",
    r"
-- Up to when other plans have read stored records: whatever is stored later is timed at or behind it.
CREATE TABLE read_until (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT;
",
    r"
-- Processes that wait for a budget, in the order in which they came, and until when each was told to wait.
CREATE TABLE budget_queue (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  credential TEXT NOT NULL,
  owner TEXT NOT NULL,
  due INTEGER NOT NULL,
  UNIQUE (credential, owner)
) STRICT;
-- The pace that throttle answers taught: thousandths of the full speed.
CREATE TABLE budget_pace (
  credential TEXT PRIMARY KEY,
  permille INTEGER NOT NULL,
  since INTEGER NOT NULL,
  cut INTEGER NOT NULL,
  base INTEGER NOT NULL
) STRICT;
-- When a request was let go, and by whom.
ALTER TABLE budget ADD COLUMN begun INTEGER;
ALTER TABLE budget ADD COLUMN sender TEXT;
",
    r"
-- The same rows as before: with a list, SQLite fills a table of its own with the list's members for each row that is
-- stored, and a query for one state alone does not find the index.
DROP INDEX records_open;
CREATE INDEX records_open ON records(plan, state) WHERE state = 0 OR state = 5 OR state = 6;
",
    r"
-- `primaryWriteback` of records that have one; a new value takes a new number, which tells who has seen it.
CREATE TABLE writebacks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plan INTEGER NOT NULL,
  record INTEGER NOT NULL UNIQUE,
  value TEXT NOT NULL
) STRICT;
CREATE INDEX writebacks_plan ON writebacks(plan, id);
",
];

/// Brings a database to the newest schema.
pub(crate) fn migrate(db: &mut Connection) -> rusqlite::Result<Result<(), i64>> {
    let have: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let newest = MIGRATIONS.len() as i64;
    if have > newest {
        return Ok(Err(have));
    }
    if have == newest {
        return Ok(Ok(()));
    }
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have migrated while this one waited for the lock.
    let have: i64 = tx.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    for sql in MIGRATIONS.iter().skip(usize::try_from(have).unwrap_or(0)) {
        tx.execute_batch(sql)?;
    }
    tx.pragma_update(None, "user_version", newest)?;
    tx.commit()?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger as version 3 left it: what refers to bodies is counted, and what nobody refers to goes.
    #[test]
    fn an_older_ledger_is_brought_up_to_date() -> rusqlite::Result<()> {
        let mut db = Connection::open_in_memory()?;
        for sql in MIGRATIONS.iter().take(3) {
            db.execute_batch(sql)?;
        }
        db.execute_batch(
            "PRAGMA user_version = 3;
             INSERT INTO blobs(id, size, data) VALUES (1, 9, x'010203'), (2, 9, x'0102'), (3, 9, x'01');
             INSERT INTO calls(id, kind, started, millis, method, url, rows, request_headers, request_body, response_headers, response_blob)
               VALUES (1, 'fetch', 5, 0, '', '', 0, '[]', x'0a0b', '[]', 1), (2, 'write', 6, 0, '', '', 0, '[]', NULL, '[]', NULL);
             INSERT INTO records(id, plan, key, hash, version, state, blob, seen, first_seen, changed_at)
               VALUES (1, 1, 'a', x'00', 2, 2, 1, 0, 0, 0);
             INSERT INTO versions(record, version, hash, blob, off, len, changed_at) VALUES (1, 1, x'00', 2, 0, 1, 0);",
        )?;
        assert_eq!(migrate(&mut db)?, Ok(()));
        let pairs = |sql: &str| -> rusqlite::Result<Vec<(i64, i64)>> {
            db.prepare(sql)?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
        };
        assert_eq!(pairs("SELECT blob, n FROM blob_refs ORDER BY blob")?, [(1, 2), (2, 1)]);
        assert_eq!(pairs("SELECT id, size FROM blobs ORDER BY id")?, [(1, 9), (2, 9)]);
        assert_eq!(pairs("SELECT bytes, named FROM calls ORDER BY id")?, [(5, 1), (0, 1)]);
        assert_eq!(migrate(&mut db)?, Ok(()), "once");
        Ok(())
    }
}
