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
use heliu_model::text;
use heliu_transform::mongo::Filter;
use heliu_transform::{Extractor, Lookup, Map, Path, Text, Value};
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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    db: Option<Connection>,
    plans: HashMap<String, Option<Plan>>,
    answers: HashMap<String, Option<Value>>,
}

/// What is known of one plan.
struct Plan {
    id: i64,
    /// The plan's newest call when the indexes were brought up to date.
    call: i64,
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
        let State { db, plans, answers } = &mut *state;
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
    Ok(Some(Plan { id, call: newest_call(db, id)?, fresh: FRESH_FOR, indexes: Vec::new() }))
}

fn newest_call(db: &Connection, plan: i64) -> Result<i64, Stop> {
    let newest =
        db.prepare_cached("SELECT max(id) FROM calls WHERE plan = ?1")?.query_row([plan], |r| r.get(0));
    Ok(newest.map(|n: Option<i64>| n.unwrap_or(0))?)
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

    fn fill(&mut self, db: &Connection, plan: i64, behind: i64) -> Result<(), Stop> {
        let extractor = Extractor::new(self.fields.iter().map(|f| Path::new(f)).collect());
        let mut found = Vec::new();
        each_record(db, plan, behind, |row, at, content| {
            self.add(&extractor, &mut found, row, at, &content);
            true
        })
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
        let newest = newest_call(db, self.id)?;
        if newest == self.call {
            return Ok(false);
        }
        let behind = self.call;
        for index in &mut self.indexes {
            index.fill(db, self.id, behind)?;
        }
        self.call = newest;
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
                index.fill(db, self.id, 0)?;
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

/// The record as a filter sees it: its content under `content`, and its id and number beside it.
fn whole(db: &Connection, row: i64, content: Value) -> Result<Value, Stop> {
    let (key, number): (String, Option<String>) = db
        .prepare_cached("SELECT key, number FROM records WHERE id = ?1")?
        .query_row([row], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let mut map = Map::new();
    map.insert("id", Value::from(key));
    map.insert("number", number.map_or(Value::Null, Value::from));
    map.insert("content", content);
    Ok(Value::Object(map))
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
        self.with(scheme, |db, plan, answers| {
            if let Some(known) = answers.get(&key) {
                return Ok(known.clone());
            }
            let mut answer = None;
            for row in plan.candidates(db, conditions)? {
                if let Some(content) = content_of(db, row)?.filter(|c| filter.matches(c)) {
                    answer = field_of(&content, field);
                    break;
                }
            }
            keep(answers, key, &answer);
            Ok(answer)
        })
    }

    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        let compiled = Filter::compile(filter)?;
        let key = format!("{scheme} {field} {}", filter.to_json());
        // What every match has in its content leads to it without looking at all records.
        let wanted: Vec<(String, Value)> = compiled
            .equalities()
            .into_iter()
            .filter(|(_, v)| !texts(v).is_empty() && !matches!(v, Value::Array(_)))
            .filter_map(|(p, v)| Some((p.strip_prefix("content.")?.to_owned(), v.clone())))
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
