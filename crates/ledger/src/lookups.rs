//! `_findCollection` and `_mongoQuery` over the stored records of other plans (dialect §3.9, §3.10).
//!
//! The first question about some fields of a plan builds an index of them in memory, 16 to 40 bytes a record; later
//! ones are answered by it and by reading one record. Records that came since are added when the plan has new calls.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use heliu_model::record::State;
use heliu_model::text;
use heliu_transform::mongo::Filter;
use heliu_transform::{Extractor, Lookup, Map, Path, Text, Value, writeback};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::writes::Bodies;
use crate::{SqliteLedger, Stop};

/// Questions between two looks at whether a plan has new records: about one batch.
const FRESH_FOR: u32 = 256;

/// Most answers that are kept.
const MAX_ANSWERS: usize = 100_000;

/// Most values that one record adds to an index, where paths cross lists.
const MAX_KEYS: usize = 64;

/// Lookups in the records of a ledger.
pub struct Lookups {
    file: PathBuf,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    db: Option<Connection>,
    plans: HashMap<String, Option<Plan>>,
    answers: HashMap<String, Option<Value>>,
}

/// What is known of one plan.
struct Plan {
    id: i64,
    /// The plan's newest call when the indexes were brought up to date.
    call: i64,
    /// Its newest write-back then.
    back: i64,
    /// Questions left until the next look.
    fresh: u32,
    indexes: Vec<Index>,
}

/// Rows by the values of some fields.
struct Index {
    fields: Vec<String>,
    rows: HashMap<u64, Rows>,
}

/// Time of the last change and number of the row: the greatest is the newest.
type Place = (i64, i64);

/// Mostly one.
enum Rows {
    One(Place),
    Many(Vec<Place>),
}

impl Rows {
    fn add(&mut self, place: Place) {
        match self {
            Rows::One(first) if *first == place => {}
            Rows::One(first) => *self = Rows::Many(vec![*first, place]),
            Rows::Many(all) => all.push(place),
        }
    }

    fn all(&self) -> &[Place] {
        match self {
            Rows::One(one) => std::slice::from_ref(one),
            Rows::Many(all) => all,
        }
    }
}

impl SqliteLedger {
    /// Lookups in this ledger's records.
    pub fn lookups(&self) -> Lookups {
        Lookups { file: self.inner.dir.join("ledger.db"), state: Mutex::default() }
    }
}

impl Lookups {
    /// Lookups in the ledger of a data directory, if there is one.
    pub fn of(dir: &std::path::Path) -> Option<Lookups> {
        let file = dir.join("ledger.db");
        file.is_file().then(|| Lookups { file, state: Mutex::default() })
    }

    fn with<T>(
        &self,
        scheme: &str,
        work: impl FnOnce(&Connection, &mut Plan, &mut HashMap<String, Option<Value>>) -> Result<T, Stop>,
    ) -> Result<T, Text> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { db, plans, answers } = &mut *state;
        let told = |stop: Stop| match stop {
            Stop::Sql(e) => {
                let why = e.to_string();
                text!("the stored records cannot be read: {why}", "无法读取已保存的数据:{why}")
            }
            Stop::Failure(f) => f.message.clone(),
        };
        if db.is_none() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            *db = Some(Connection::open_with_flags(&self.file, flags).map_err(|e| told(e.into()))?);
        }
        let Some(db) = db else { return Err(Text::default()) };
        if !matches!(plans.get(scheme), Some(Some(_))) {
            let found = find_plan(db, scheme).map_err(told)?;
            plans.insert(scheme.to_owned(), found);
        }
        let Some(Some(plan)) = plans.get_mut(scheme) else {
            let scheme: String = scheme.chars().take(60).collect();
            return Err(text!(
                "no plan with the id `{scheme}` has stored records here",
                "此处没有 id 为 `{scheme}` 的方案数据"
            ));
        };
        if plan.fresh == 0 {
            plan.fresh = FRESH_FOR;
            if plan.catch_up(db).map_err(told)? {
                answers.clear();
            }
        }
        plan.fresh -= 1;
        work(db, plan, answers).map_err(told)
    }
}

fn find_plan(db: &Connection, scheme: &str) -> Result<Option<Plan>, Stop> {
    let id: Option<i64> = db
        .prepare_cached("SELECT id FROM plans WHERE uuid = ?1 COLLATE NOCASE OR name = ?1 LIMIT 1")?
        .query_row([scheme], |r| r.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    let (call, back) = (newest_call(db, id)?, newest_back(db, id)?);
    Ok(Some(Plan { id, call, back, fresh: FRESH_FOR, indexes: Vec::new() }))
}

fn newest_call(db: &Connection, plan: i64) -> Result<i64, Stop> {
    let newest =
        db.prepare_cached("SELECT max(id) FROM calls WHERE plan = ?1")?.query_row([plan], |r| r.get(0));
    Ok(newest.map(|n: Option<i64>| n.unwrap_or(0))?)
}

fn newest_back(db: &Connection, plan: i64) -> Result<i64, Stop> {
    let newest =
        db.prepare_cached("SELECT max(id) FROM writebacks WHERE plan = ?1")?.query_row([plan], |r| r.get(0));
    Ok(newest.map(|n: Option<i64>| n.unwrap_or(0))?)
}

/// True for a path into what was kept of the target's reply (dialect L3, §6.8).
fn is_back(field: &str) -> bool {
    field.split('.').next() == Some(WRITEBACK)
}

/// Where that stands beside a record's content.
const WRITEBACK: &str = "primaryWriteback";

/// A record's write-back.
fn back_of(db: &Connection, row: i64) -> Result<Option<Value>, Stop> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM writebacks WHERE record = ?1")?
        .query_row([row], |r| r.get(0))
        .optional()?;
    Ok(text.and_then(|t| Value::parse(t.as_bytes()).ok()).map(|v| writeback::folded(&v)))
}

/// The content with the write-back in it.
fn with_back(db: &Connection, row: i64, content: Value) -> Result<Value, Stop> {
    let mut map = match content {
        Value::Object(map) => map,
        other => return Ok(other),
    };
    if let Some(back) = back_of(db, row)? {
        map.insert(WRITEBACK, back);
    }
    Ok(Value::Object(map))
}

/// A hash of one text per field.
fn hash(values: &[&str]) -> u64 {
    let mut h = DefaultHasher::new();
    values.hash(&mut h);
    h.finish()
}

/// The texts by which a value is found: as it is written, and a number without zeros at its end.
fn texts(v: &Value) -> Vec<String> {
    match v {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().take(MAX_KEYS).flat_map(texts).collect(),
        Value::Object(_) => Vec::new(),
        other => {
            let written = other.in_text();
            let short = if matches!(other, Value::Number(_)) && written.contains('.') {
                let t = written.trim_end_matches('0').trim_end_matches('.').to_owned();
                (t != written).then_some(t)
            } else {
                None
            };
            std::iter::once(written).chain(short).collect()
        }
    }
}

/// All combinations of one text per field, a bounded number.
fn combinations(fields: &[Vec<String>]) -> Vec<u64> {
    let mut rows: Vec<Vec<&str>> = vec![Vec::new()];
    for texts in fields {
        let mut next = Vec::new();
        for row in &rows {
            for t in texts {
                if next.len() >= MAX_KEYS {
                    break;
                }
                let mut longer = row.clone();
                longer.push(t.as_str());
                next.push(longer);
            }
        }
        rows = next;
    }
    rows.iter().map(|r| hash(r)).collect()
}

impl Index {
    /// Adds a record's content under the values of its fields.
    fn add(
        &mut self,
        extractor: &Extractor,
        found: &mut Vec<Option<Value>>,
        row: i64,
        at: i64,
        content: &[u8],
    ) {
        if extractor.extract(content, found).is_err() {
            return;
        }
        let fields: Vec<Vec<String>> =
            found.iter().map(|v| v.as_ref().map(texts).unwrap_or_default()).collect();
        if fields.iter().any(Vec::is_empty) {
            return;
        }
        for h in combinations(&fields) {
            match self.rows.entry(h) {
                Entry::Occupied(mut rows) => rows.get_mut().add((at, row)),
                Entry::Vacant(slot) => {
                    slot.insert(Rows::One((at, row)));
                }
            }
        }
    }

    /// Adds what came behind this call or, where write-backs are read, behind that one.
    fn fill(&mut self, db: &Connection, plan: i64, behind: i64, back: i64) -> Result<(), Stop> {
        let extractor = Extractor::new(self.fields.iter().map(|f| Path::new(f)).collect());
        let mut found = Vec::new();
        if self.reads_back() {
            // Only records with a write-back have all of its fields.
            return self.fill_back(db, plan, (behind, back), &extractor, &mut found);
        }
        each_record(db, plan, behind, |row, at, content| {
            self.add(&extractor, &mut found, row, at, &content);
            true
        })
    }

    fn reads_back(&self) -> bool {
        self.fields.iter().any(|f| is_back(f))
    }

    /// Adds the records with a write-back that came, or whose write-back came, behind these.
    fn fill_back(
        &mut self,
        db: &Connection,
        plan: i64,
        behind: (i64, i64),
        extractor: &Extractor,
        found: &mut Vec<Option<Value>>,
    ) -> Result<(), Stop> {
        let mut q = db.prepare_cached(
            "SELECT r.id, r.changed_at, r.blob, r.off, r.len FROM writebacks w JOIN records r ON r.id = w.record
             WHERE w.plan = ?1 AND (w.id > ?3 OR coalesce(r.source_call, 0) > ?2) AND r.blob IS NOT NULL",
        )?;
        let mut rows = q.query([plan, behind.0, behind.1])?;
        let mut bodies = Bodies::default();
        while let Some(r) = rows.next()? {
            let (row, at): (i64, i64) = (r.get(0)?, r.get(1)?);
            let content = bodies.slice(db, r.get(2)?, r.get(3)?, r.get(4)?)?;
            if let Some(content) = content.and_then(|c| Value::parse(&c).ok()) {
                let whole = with_back(db, row, content)?.to_json();
                self.add(extractor, found, row, at, whole.as_bytes());
            }
        }
        Ok(())
    }
}

/// All stored contents of a plan that came with a call behind `behind`, pages one after the other.
fn each_record(
    db: &Connection,
    plan: i64,
    behind: i64,
    mut each: impl FnMut(i64, i64, Bytes) -> bool,
) -> Result<(), Stop> {
    let mut q = db.prepare_cached(
        "SELECT id, changed_at, blob, off, len FROM records
         WHERE plan = ?1 AND blob IS NOT NULL AND coalesce(source_call, 0) >= ?2 ORDER BY changed_at DESC, id DESC",
    )?;
    let mut rows = q.query(params![plan, behind])?;
    let mut bodies = Bodies::default();
    while let Some(r) = rows.next()? {
        let (row, at): (i64, i64) = (r.get(0)?, r.get(1)?);
        if let Some(content) = bodies.slice(db, r.get(2)?, r.get(3)?, r.get(4)?)?
            && !each(row, at, content)
        {
            break;
        }
    }
    Ok(())
}

impl Plan {
    /// Adds what came since; true when something did.
    fn catch_up(&mut self, db: &Connection) -> Result<bool, Stop> {
        let (call, back) = (newest_call(db, self.id)?, newest_back(db, self.id)?);
        if (call, back) == (self.call, self.back) {
            return Ok(false);
        }
        for index in &mut self.indexes {
            index.fill(db, self.id, self.call, self.back)?;
        }
        (self.call, self.back) = (call, back);
        Ok(true)
    }

    /// Rows whose fields may have these values, newest first; what they say has to be looked at.
    fn candidates(&mut self, db: &Connection, wanted: &[(String, Value)]) -> Result<Vec<i64>, Stop> {
        let mut wanted: Vec<&(String, Value)> = wanted.iter().collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        let fields: Vec<String> = wanted.iter().map(|w| w.0.clone()).collect();
        let at = match self.indexes.iter().position(|i| i.fields == fields) {
            Some(at) => at,
            None => {
                let mut index = Index { fields, rows: HashMap::new() };
                index.fill(db, self.id, 0, 0)?;
                self.indexes.push(index);
                self.indexes.len() - 1
            }
        };
        let Some(index) = self.indexes.get(at) else { return Ok(Vec::new()) };
        let fields: Vec<Vec<String>> = wanted.iter().map(|w| texts(&w.1)).collect();
        if fields.iter().any(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let hashes = combinations(&fields);
        let mut places: Vec<Place> =
            hashes.iter().filter_map(|h| index.rows.get(h)).flat_map(Rows::all).copied().collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        let mut rows: Vec<i64> = Vec::with_capacity(places.len());
        for (_, row) in places {
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

fn content_of(db: &Connection, row: i64) -> Result<Option<Value>, Stop> {
    let place: Option<(Option<i64>, i64, i64)> = db
        .prepare_cached("SELECT blob, off, len FROM records WHERE id = ?1")?
        .query_row([row], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let Some((blob, off, len)) = place else { return Ok(None) };
    let content = Bodies::default().slice(db, blob, off, len)?;
    Ok(content.and_then(|c| Value::parse(&c).ok()))
}

/// The record as a filter sees it (dialect §3.10): its content under `content`; id, number, status, the target's reply
/// and what was kept of it beside it.
fn whole(db: &Connection, row: i64, content: Value) -> Result<Value, Stop> {
    let (key, number, state, response): (String, Option<String>, u8, Option<String>) = db
        .prepare_cached("SELECT key, number, state, response FROM records WHERE id = ?1")?
        .query_row([row], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
    let mut map = Map::new();
    map.insert("id", Value::from(key));
    map.insert("number", number.map_or(Value::Null, Value::from));
    map.insert("content", content);
    if let Some(status) = State::from_u8(state).and_then(status) {
        map.insert("status", Value::from(status));
    }
    if let Some(response) = response.and_then(|r| Value::parse(r.as_bytes()).ok()) {
        map.insert("response", response);
    }
    if let Some(back) = back_of(db, row)? {
        map.insert(WRITEBACK, back);
    }
    Ok(Value::Object(map))
}

/// The number by which the dialect knows a state (dialect §1.2); doubt and rejection have none.
fn status(state: State) -> Option<i64> {
    match state {
        State::Waiting => Some(0),
        State::Written => Some(2),
        State::Failed => Some(3),
        State::Queued => Some(5),
        State::Filtered | State::Rejected | State::InDoubt => None,
    }
}

/// What stands at a field that is there and not null.
fn field_of(record: &Value, field: &str) -> Option<Value> {
    record.get_path(field).filter(|v| !v.is_null())
}

/// Keeps an answer.
fn keep(answers: &mut HashMap<String, Option<Value>>, key: String, answer: &Option<Value>) {
    if answers.len() >= MAX_ANSWERS {
        answers.clear();
    }
    answers.insert(key, answer.clone());
}

impl Lookup for Lookups {
    fn find(&self, scheme: &str, field: &str, conditions: &[(String, Value)]) -> Result<Option<Value>, Text> {
        let wanted: Map = conditions.iter().cloned().collect();
        let key = format!("{scheme} {field} {}", Value::Object(wanted.clone()).to_json());
        let filter = Filter::compile(&Value::Object(wanted))?;
        let back = is_back(field) || conditions.iter().any(|(f, _)| is_back(f));
        self.with(scheme, |db, plan, answers| {
            if let Some(known) = answers.get(&key) {
                return Ok(known.clone());
            }
            let mut answer = None;
            for row in plan.candidates(db, conditions)? {
                let Some(mut content) = content_of(db, row)? else { continue };
                if back {
                    content = with_back(db, row, content)?;
                }
                if filter.matches(&content) {
                    answer = field_of(&content, field);
                    break;
                }
            }
            keep(answers, key, &answer);
            Ok(answer)
        })
    }

    fn knows(&self, scheme: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(state.plans.get(scheme), Some(None))
    }

    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        let compiled = Filter::compile(filter)?;
        let key = format!("{scheme} {field} {}", filter.to_json());
        // What every match has in its content leads to it without looking at all records.
        let wanted: Vec<(String, Value)> = compiled
            .equalities()
            .into_iter()
            .filter(|(_, v)| !texts(v).is_empty() && !matches!(v, Value::Array(_)))
            .filter_map(|(p, v)| {
                let field = if is_back(p) { p } else { p.strip_prefix("content.")? };
                Some((field.to_owned(), v.clone()))
            })
            .collect();
        self.with(scheme, |db, plan, answers| {
            if let Some(known) = answers.get(&key) {
                return Ok(known.clone());
            }
            let mut answer = None;
            let mut look = |row: i64, content: Value| -> Result<bool, Stop> {
                let record = whole(db, row, content)?;
                let hit = compiled.matches(&record);
                if hit {
                    answer = field_of(&record, field);
                }
                Ok(hit)
            };
            if wanted.is_empty() {
                let mut stop = Ok(());
                each_record(db, plan.id, 0, |row, _, content| {
                    let Ok(content) = Value::parse(&content) else { return true };
                    match look(row, content) {
                        Ok(hit) => !hit,
                        Err(e) => {
                            stop = Err(e);
                            false
                        }
                    }
                })?;
                stop?;
            } else {
                for row in plan.candidates(db, &wanted)? {
                    if let Some(content) = content_of(db, row)?
                        && look(row, content)?
                    {
                        break;
                    }
                }
            }
            keep(answers, key, &answer);
            Ok(answer)
        })
    }
}
