//! What must hold in the end, whatever happened. Shares nothing with the program: rows, and sums of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use heliu_sandbox::Sandbox;
use mysql_async::prelude::Queryable;
use serde_json::Value;
use tokio::time::Instant;

use crate::world::{COLUMNS, PLANS, World, text_of};
use crate::{Tally, Trouble};

/// What has not arrived after so long without a kill, and after so many starts, is lost: what changed within a second
/// of a reading comes with the next one.
const CALM: (Duration, usize) = (Duration::from_secs(4), 4);

/// Something that must be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A row is gone.
    Missing,
    /// A row has an older value.
    Stale,
    /// A row is there twice.
    Twice,
    /// A certificate counts one too few.
    Count,
}

type Rows = BTreeMap<i64, Vec<Vec<String>>>;

/// What a platform holds.
fn truth(sandbox: &Sandbox) -> Rows {
    let mut rows = Rows::new();
    sandbox.each_order(|id, row| {
        let values = COLUMNS.iter().skip(1).map(|c| text_of(&row, c).unwrap_or_default()).collect();
        rows.insert(id, vec![canonical(values)]);
    });
    rows
}

/// Items as a tree in order of keys, so that only what they say is compared.
fn canonical(mut row: Vec<String>) -> Vec<String> {
    fn sorted(v: Value) -> Value {
        match v {
            Value::Object(map) => {
                let map: BTreeMap<String, Value> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
                Value::Object(map.into_iter().collect())
            }
            Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    if let Some(items) = row.last_mut()
        && let Ok(v) = serde_json::from_str(items)
    {
        *items = sorted(v).to_string();
    }
    row
}

impl World {
    async fn table(&mut self, name: &str) -> Result<Rows, Trouble> {
        let list: Vec<(i64, String, String, String, String, String)> = self
            .db
            .query(format!(
                "SELECT io_id, CAST(o_id AS CHAR), so_id, CAST(shop_id AS CHAR), CAST(modified AS CHAR), items FROM {name}"
            ))
            .await?;
        let mut rows = Rows::new();
        for (id, a, b, c, d, e) in list {
            rows.entry(id).or_default().push(canonical(vec![a, b, c, d, e]));
        }
        Ok(rows)
    }

    /// What was delivered over HTTP: ids and order numbers.
    fn delivered(&self) -> Rows {
        let mut rows = Rows::new();
        for (id, list) in self.posts.got() {
            let so_id = |v: &Value| v["so_id"].as_str().unwrap_or_default().to_owned();
            rows.insert(id.parse().unwrap_or(-1), list.iter().map(|v| vec![so_id(v)]).collect());
        }
        rows
    }

    /// Records of a plan in this state, by id.
    async fn in_state(&self, plan: &str, state: &str) -> Result<BTreeSet<i64>, Trouble> {
        let said = self.ask(&["records", plan, "--state", state, "--limit", "0", "--json"]).await?;
        Ok(said.lines.iter().filter_map(|r| r["id"].as_str()?.parse().ok()).collect())
    }

    /// Puts back what is in doubt and not there, as a person who has looked does. True when something was.
    async fn resolve(
        &mut self,
        known: &mut BTreeSet<(usize, i64)>,
        tally: &mut Tally,
    ) -> Result<bool, Trouble> {
        let mut any = false;
        for (i, plan) in self.plans.clone().into_iter().enumerate() {
            let doubted = self.in_state(plan, "in_doubt").await?;
            if doubted.is_empty() {
                continue;
            }
            let there = match plan {
                "post" => self.delivered(),
                "log" => self.table("plain").await?,
                // What can be repeated or looked up needs nobody.
                _ => {
                    tally.wrong.push(format!("{plan}: {} records in doubt", doubted.len()));
                    return Ok(false);
                }
            };
            known.extend(doubted.iter().map(|id| (i, *id)));
            for id in doubted.into_iter().filter(|id| !there.contains_key(id)) {
                let id = id.to_string();
                self.ask(&["retry", plan, "--state", "in_doubt", "--id", &id, "--json"]).await?;
                tally.put_back += 1;
                any = true;
            }
        }
        Ok(any)
    }

    /// Lets everything arrive.
    pub(super) async fn settle(&mut self, tally: &mut Tally) -> Result<(), Trouble> {
        let (began, mut starts, mut doubted) = (Instant::now(), 0, BTreeSet::new());
        while tally.wrong.is_empty() && (began.elapsed() < CALM.0 || starts < CALM.1) {
            self.life(None, tally).await?;
            starts += 1;
            if self.resolve(&mut doubted, tally).await? {
                continue;
            }
            if self.compare(&mut Tally::default()).await?.is_empty() {
                break;
            }
        }
        tally.doubted += doubted.len() as u64;
        Ok(())
    }

    /// Compares everything.
    pub(super) async fn judge(&mut self, tally: &mut Tally) -> Result<(), Trouble> {
        tally.lost = self.compare(tally).await?;
        self.states(tally).await?;
        self.certificates(tally)
    }

    /// Does damage, so that it can be noticed.
    pub(super) async fn damage(&mut self, damage: Damage) -> Result<(), Trouble> {
        let sql = match damage {
            Damage::Missing => "DELETE FROM outbound LIMIT 1",
            Damage::Stale => "UPDATE keyed SET so_id = 'old' LIMIT 1",
            Damage::Twice => "INSERT INTO plain SELECT * FROM plain LIMIT 1",
            Damage::Count => {
                let ledger = rusqlite::Connection::open(self.ledger())?;
                let set = "UPDATE runs SET counts = json_set(counts, '$.source.returned', 1 + json_extract(counts, '$.source.returned'))
                           WHERE id = (SELECT max(id) FROM runs)";
                ledger.execute(set, [])?;
                return Ok(());
            }
        };
        Ok(self.db.query_drop(sql).await?)
    }

    /// Rows that are not there as they should be. What is there too often is told at once.
    async fn compare(&mut self, tally: &mut Tally) -> Result<Vec<String>, Trouble> {
        let (moving, growing) = (truth(&self.moving), truth(&self.growing));
        let column = COLUMNS.iter().position(|c| *c == "so_id").unwrap_or(0) - 1;
        let numbers: Rows = growing
            .iter()
            .map(|(id, rows)| (*id, rows.iter().filter_map(|r| Some(vec![r.get(column)?.clone()])).collect()))
            .collect();
        let mut lost = Vec::new();
        for (plan, wanted, got) in [
            ("replace", &moving, self.table("outbound").await?),
            ("insert", &growing, self.table("keyed").await?),
            ("log", &growing, self.table("plain").await?),
            ("post", &numbers, self.delivered()),
            ("kept", &moving, self.table("kept").await?),
            ("query", &moving, self.table("queried").await?),
        ] {
            if !self.plans.contains(&plan) {
                continue;
            }
            tally.rows += wanted.len() as u64;
            for (id, rows) in wanted {
                match got.get(id) {
                    None => lost.push(format!("{plan}: {id} is missing")),
                    Some(there) if there.len() > 1 => {
                        tally.doubled.push(format!("{plan}: {id} is there {} times", there.len()));
                    }
                    Some(there) if there != rows => {
                        lost.push(format!("{plan}: {id} is {there:?} and should be {rows:?}"));
                    }
                    Some(_) => {}
                }
            }
            let strange = got.keys().filter(|id| !wanted.contains_key(id));
            tally.doubled.extend(strange.map(|id| format!("{plan}: {id} is nobody's")));
        }
        Ok(lost)
    }

    /// Nothing waits, nothing failed.
    async fn states(&self, tally: &mut Tally) -> Result<(), Trouble> {
        let said = self.ask(&["status", "--json"]).await?;
        if said.lines.len() != PLANS.len() {
            tally.wrong.push(format!("status: {}", said.text));
        }
        for plan in said.lines.iter().filter(|p| self.plans.iter().any(|name| p["plan"] == *name)) {
            for state in ["waiting", "queued", "failed", "rejected", "filtered"] {
                if plan["records"][state] != 0 {
                    tally.wrong.push(format!("records that are {state}: {plan}"));
                }
            }
        }
        Ok(())
    }

    /// Every run that the ledger knows adds up.
    fn certificates(&self, tally: &mut Tally) -> Result<(), Trouble> {
        let ledger = rusqlite::Connection::open(self.ledger())?;
        let whole: String = ledger.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
        if whole != "ok" {
            tally.wrong.push(format!("the ledger's file: {whole}"));
        }
        let mut q = ledger.prepare("SELECT ulid, state, counts FROM runs")?;
        let runs = q.query_map([], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?))
        })?;
        for run in runs {
            let (ulid, state, counts) = run?;
            let c: Value = serde_json::from_str(&counts)?;
            let n = |side: &str, names: &[&str]| -> u64 {
                names.iter().map(|name| c[side][*name].as_u64().unwrap_or(u64::MAX / 16)).sum()
            };
            let decided = n("records", &["new", "changed", "unchanged", "filtered", "rejected"]);
            let settled = n("target", &["written", "failed", "in_doubt", "waiting", "superseded"]);
            let due =
                n("records", &["new", "changed"]) + c["waiting_before"].as_u64().unwrap_or(u64::MAX / 16);
            let read = n("source", &["returned"]);
            if state == "open" {
                tally.wrong.push(format!("run {ulid} is still open"));
            }
            if read != decided || due != settled {
                tally.wrong.push(format!(
                    "run {ulid} ({state}): {read} returned, {decided} decided; {due} due, {settled} settled: {counts}"
                ));
            }
            tally.certificates += 1;
        }
        Ok(())
    }
}
