//! A target that writes into a map and remembers what it was told how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Fence, Found, Prepared, Render, Replay, RowBody, RowResult, Target, TargetSession, TargetShape,
    WriteRow,
};
use heliu_model::{Call, CallKind, Failure, text};
use heliu_transform::Value;

use super::{Shared, shared, with};
use crate::through::{Gate, Open};

/// What the target holds about one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Content as it was sent last.
    pub content: String,
    /// The version it was sent as.
    pub version: u32,
}

/// The target's side of the truth.
#[derive(Debug, Default)]
pub struct Table {
    /// What is there.
    pub rows: BTreeMap<String, Entry>,
    /// How often each version of each id was written.
    pub applied: BTreeMap<(String, u32), u32>,
    /// Rows of each write that came in, in order.
    pub writes: Vec<Vec<(String, u32)>>,
    /// Ids whose writer was left without an answer, and has not been told by a person or a look-up since.
    pub unanswered: BTreeSet<String>,
    /// Ids that were written again while that was so.
    pub blind: Vec<(String, u32)>,
    /// Ids over whose newer version an older one was written.
    pub regressed: Vec<(String, u32)>,
    /// Look-ups.
    pub look_ups: u32,
    sessions: BTreeMap<(String, u32), u64>,
    held: Option<u64>,
    opened: u64,
}

impl Table {
    /// Writes one row.
    fn apply(&mut self, row: &WriteRow, content: &str) {
        *self.applied.entry((row.id.clone(), row.version)).or_default() += 1;
        if self.unanswered.contains(&row.id) {
            self.blind.push((row.id.clone(), row.version));
        }
        if self.rows.get(&row.id).is_some_and(|e| e.version > row.version) {
            self.regressed.push((row.id.clone(), row.version));
        }
        let entry = Entry { content: content.to_owned(), version: row.version };
        self.rows.insert(row.id.clone(), entry);
    }

    /// Versions that were written more than once.
    pub fn doubled(&self) -> Vec<(String, u32)> {
        self.applied.iter().filter(|(_, n)| **n > 1).map(|(k, _)| k.clone()).collect()
    }

    /// Ids, in order.
    pub fn ids(&self) -> Vec<&str> {
        self.rows.keys().map(String::as_str).collect()
    }
}

/// What the target does with a write.
pub enum Did {
    /// Writes and answers.
    Answer,
    /// Refuses with this failure; nothing is written.
    Fail(Failure),
    /// Writes so many of the rows (the first ones), then the answer is lost.
    Lose(usize),
    /// Writes the rows whose place says `None`; the others get this result instead.
    Partly(Vec<Option<RowResult>>),
}

type Script = Box<dyn FnMut(usize, &[WriteRow], &mut Table) -> Did + Send>;

/// A target over a [`Table`].
pub struct FakeTarget {
    shape: TargetShape,
    table: Shared<Table>,
    clock: Arc<dyn Clock>,
    script: Shared<Script>,
    gate: Arc<dyn Gate>,
    /// A newer writer of the same records displaces an older one (as a named lock does).
    pub fenced: bool,
    /// One writer at a time, and nobody displaces it (as with the lock of an embedded database).
    pub locks: bool,
    /// A second row of one id is refused.
    pub insert_only: bool,
    /// Milliseconds that a write takes.
    pub latency: u64,
}

impl FakeTarget {
    /// A target that may be written again after a lost answer as `replay` says.
    pub fn new(table: &Shared<Table>, clock: Arc<dyn Clock>, replay: Replay) -> FakeTarget {
        FakeTarget {
            shape: TargetShape { render: Render::Columns, max_rows: 100, writers: 1, replay, local: false },
            table: table.clone(),
            clock,
            script: shared(Box::new(|_, _, _| Did::Answer)),
            gate: Arc::new(Open),
            fenced: true,
            locks: false,
            insert_only: false,
            latency: 10,
        }
    }

    /// Changes what the target declares of itself.
    #[must_use]
    pub fn shaped(mut self, change: impl FnOnce(&mut TargetShape)) -> Self {
        change(&mut self.shape);
        self
    }

    /// Every call passes `gate`.
    #[must_use]
    pub fn gated(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = gate;
        self
    }

    /// Each write asks `script` what to do, with the number of the write (from 0).
    #[must_use]
    pub fn scripted(
        self,
        script: impl FnMut(usize, &[WriteRow], &mut Table) -> Did + Send + 'static,
    ) -> Self {
        with(&self.script, |s| *s = Box::new(script));
        self
    }
}

fn content(row: &WriteRow) -> String {
    match &row.body {
        RowBody::Columns(values) => match values.first() {
            Some(Value::String(s)) => s.to_string(),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

/// A failure with which the target leaves its writer without an answer.
pub fn lost() -> Failure {
    Failure::transient("FAKE-LOST", text!("the answer was lost", "响应丢失")).in_doubt()
}

#[async_trait]
impl Target for FakeTarget {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        self.gate.before("open").await?;
        self.clock.sleep_ms(1).await;
        let key = (fence.plan.clone(), fence.shard);
        let number = with(&self.table, |t| {
            t.opened += 1;
            t.sessions.insert(key.clone(), t.opened);
            t.opened
        });
        self.gate.after("open").await?;
        Ok(Box::new(Session {
            gate: self.gate.clone(),
            key,
            number,
            table: self.table.clone(),
            clock: self.clock.clone(),
            script: self.script.clone(),
            fenced: self.fenced,
            locks: self.locks,
            insert_only: self.insert_only,
            latency: self.latency,
        }))
    }

    fn prepare(&self, _rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        Ok(Vec::new())
    }
}

struct Session {
    gate: Arc<dyn Gate>,
    key: (String, u32),
    number: u64,
    table: Shared<Table>,
    clock: Arc<dyn Clock>,
    script: Shared<Script>,
    fenced: bool,
    locks: bool,
    insert_only: bool,
    latency: u64,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Session {
    fn let_go(&self) {
        with(&self.table, |t| t.held = t.held.filter(|by| *by != self.number));
    }

    fn displaced(&self, table: &Table) -> Option<Failure> {
        (self.fenced && table.sessions.get(&self.key) != Some(&self.number)).then(|| {
            Failure::transient(
                "FAKE-DISPLACED",
                text!("a successor closed this connection", "连接已被后继者关闭"),
            )
        })
    }

    /// What comes of the rows, all in one step: a statement is there or not.
    fn work(&self, rows: &[WriteRow]) -> Result<Vec<RowResult>, Failure> {
        with(&self.table, |table| {
            if let Some(displaced) = self.displaced(table) {
                return Err(displaced);
            }
            let nth = table.writes.len();
            table.writes.push(rows.iter().map(|r| (r.id.clone(), r.version)).collect());
            if self.insert_only
                && let Some(known) = rows.iter().find(|r| table.rows.contains_key(&r.id))
            {
                let id = known.id.clone();
                return Err(Failure::data("FAKE-KNOWN", text!("`{id}` is there already", "`{id}` 已存在")));
            }
            match with(&self.script, |script| script(nth, rows, table)) {
                Did::Answer => {
                    rows.iter().for_each(|r| table.apply(r, &content(r)));
                    Ok(rows.iter().map(|_| RowResult::Written(None)).collect())
                }
                Did::Fail(failure) => {
                    if failure.doubt {
                        table.unanswered.extend(rows.iter().map(|r| r.id.clone()));
                    }
                    Err(failure)
                }
                Did::Lose(n) => {
                    rows.iter().take(n).for_each(|r| table.apply(r, &content(r)));
                    table.unanswered.extend(rows.iter().map(|r| r.id.clone()));
                    Err(lost())
                }
                Did::Partly(results) => Ok(rows
                    .iter()
                    .zip(results)
                    .map(|(row, result)| match result {
                        None => {
                            table.apply(row, &content(row));
                            RowResult::Written(None)
                        }
                        Some(result) => {
                            if matches!(result, RowResult::InDoubt(_)) {
                                table.unanswered.insert(row.id.clone());
                            }
                            result
                        }
                    })
                    .collect()),
            }
        })
    }
}

#[async_trait]
impl TargetSession for Session {
    async fn hold(&mut self) -> Result<bool, Failure> {
        if !self.locks {
            return Ok(false);
        }
        self.gate.before("hold").await?;
        for _ in 0..10 {
            let mine = with(&self.table, |t| *t.held.get_or_insert(self.number) == self.number);
            if mine {
                self.gate.after("hold").await?;
                return Ok(true);
            }
            self.clock.sleep_ms(1_000).await;
        }
        Err(Failure::transient("FAKE-BUSY", text!("another writer holds the lock", "另一个写入者持有锁")))
    }

    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        let mut call = Call::new(CallKind::Write, self.clock.now(), "POST", "fake://target/rows");
        if let Err(failure) = self.gate.before("write").await {
            return Exchange { calls: Vec::new(), result: Err(failure) };
        }
        let result = self.work(rows);
        self.let_go();
        self.clock.sleep_ms(self.latency).await;
        call.millis = u32::try_from(self.latency).unwrap_or(u32::MAX);
        call.rows = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        if let Err(failure) = self.gate.after("write").await {
            return Exchange { calls: vec![call], result: Err(failure) };
        }
        call.failure = result.as_ref().err().cloned();
        Exchange { calls: vec![call], result }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        let mut call = Call::new(CallKind::LookUp, self.clock.now(), "POST", "fake://target/find");
        if let Err(failure) = self.gate.before("look_up").await {
            return Exchange { calls: Vec::new(), result: Err(failure) };
        }
        let result = with(&self.table, |table| {
            if let Some(displaced) = self.displaced(table) {
                return Err(displaced);
            }
            table.look_ups += 1;
            let found = |row: &WriteRow| match table.rows.get(&row.id) {
                Some(there) if there.content == content(row) => Found::Present,
                Some(_) if self.insert_only => Found::Unknown,
                _ => Found::Absent,
            };
            let found: Vec<Found> = rows.iter().map(found).collect();
            for row in rows {
                table.unanswered.remove(&row.id);
            }
            Ok(found)
        });
        self.clock.sleep_ms(self.latency).await;
        call.failure = result.as_ref().err().cloned();
        Exchange { calls: vec![call], result }
    }
}
