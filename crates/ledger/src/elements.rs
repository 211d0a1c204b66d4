//! Deciding about every element of a page and storing the records: new, changed, unchanged, left out.

use std::borrow::Cow;
use std::collections::HashMap;

use heliu_model::ports::{Due, Element, News, PageOutcome, RowId, Verdict};
use heliu_model::record::{Decision, Hash, Known, Policy, State, decide};
use rusqlite::{CachedStatement, OptionalExtension, Transaction, params};

use crate::Stop;
use crate::inserts::{GROUP, Inserts, Shared};
use crate::runs::{Deltas, moved};

/// Passes that fit into one window's marks.
const PASSES: i64 = 64;

/// Where an element's content lies.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub derived: bool,
    pub off: i64,
    pub len: i64,
}

struct Found {
    row: RowId,
    known: Known,
    seen: i64,
    version: u32,
}

impl Found {
    fn read(r: &rusqlite::Row, window: i64) -> rusqlite::Result<Found> {
        let seen: i64 = r.get(4)?;
        Ok(Found {
            row: r.get(0)?,
            known: Known {
                hash: r.get(1)?,
                state: State::from_u8(r.get(2)?).unwrap_or(State::Waiting),
                stamp: r.get(3)?,
                seen_in_window: seen / PASSES == window,
                hash_of_older: false,
                collides: r.get(5)?,
            },
            seen,
            version: r.get(6)?,
        })
    }
}

const SELECT: &str =
    "SELECT id, hash, state, stamp, seen, collides, version FROM records WHERE plan = ?1 AND key = ?2";

/// The rows behind the one that was found last: what is read again comes mostly in the order in which it was stored, and
/// to walk along the table costs less than half of finding each key. `+`: not by the index of keys, which would be read
/// from the plan's first to its last.
pub(crate) const SELECT_AHEAD: &str =
    "SELECT id, hash, state, stamp, seen, collides, version, key FROM records
 WHERE id BETWEEN ?2 AND ?3 AND +plan = ?1";

/// How many rows are read ahead at once.
const AHEAD: i64 = 32;

/// Marks neighbours as met.
pub(crate) const MARK: &str = "UPDATE records SET seen = ?3 WHERE id BETWEEN ?1 AND ?2";

/// An element that is taken for a new record, and where its content lies.
struct Fresh<'a> {
    element: &'a Element,
    key: Cow<'a, str>,
    blob: Option<i64>,
    place: Place,
}

/// How a page is stored.
pub(crate) struct Terms {
    pub shared: Shared,
    pub window: i64,
    pub policy: Policy,
    /// How many records may be handed over.
    pub room: usize,
    pub name_news: usize,
}

impl Terms {
    /// The mark of what a pass over a window meets.
    pub fn mark(window: i64, pass: u32) -> i64 {
        window * PASSES + i64::from(pass).min(PASSES - 1)
    }
}

/// What storing a page's elements came to.
#[derive(Default)]
pub(crate) struct Kept {
    pub out: PageOutcome,
    pub due: Vec<Due>,
    pub deltas: Deltas,
    /// Records and versions that refer to the page's body, and to what was derived from it.
    pub refs: (i64, i64),
    /// A record's story names the page's call.
    pub named: bool,
}

struct Store<'a> {
    tx: &'a Transaction<'a>,
    terms: Terms,
    kept: Kept,
    /// Keys met in this page: their last hash, and whether this pass met them here first.
    in_page: HashMap<Cow<'a, str>, (Hash, bool)>,
    /// The element before this one was new: this one is likely to be, too, and is inserted before it is looked for.
    likely_new: bool,
    /// Those that are likely new, with keys all different, not yet stored.
    fresh: Vec<Fresh<'a>>,
    inserts: Inserts<'a>,
    select: CachedStatement<'a>,
    /// The row that was found last, and whether it was the one behind the one before.
    last: Option<RowId>,
    follows: bool,
    /// Elements behind this one.
    left: i64,
    /// Rows behind it, with their keys, the next one last.
    ahead: Vec<(String, Found)>,
    /// Rows that were met and stay as they are, not yet marked.
    met: Vec<RowId>,
}

/// Stores elements, each with the body and the place in it where its content lies.
pub(crate) fn store<'a>(
    tx: &'a Transaction<'a>,
    terms: Terms,
    elements: impl ExactSizeIterator<Item = (&'a Element, Option<i64>, Place)>,
) -> Result<Kept, Stop> {
    let inserts = Inserts::new(tx, terms.shared)?;
    let mut store = Store {
        tx,
        terms,
        kept: Kept::default(),
        in_page: HashMap::with_capacity(elements.len()),
        likely_new: false,
        fresh: Vec::new(),
        inserts,
        select: tx.prepare_cached(SELECT)?,
        last: None,
        follows: false,
        left: elements.len() as i64,
        ahead: Vec::new(),
        met: Vec::new(),
    };
    for (element, blob, place) in elements {
        store.left -= 1;
        store.element(element, blob, place)?;
    }
    store.flush()?;
    store.mark_met()?;
    Ok(store.kept)
}

impl<'a> Store<'a> {
    fn element(&mut self, e: &'a Element, blob: Option<i64>, place: Place) -> Result<(), Stop> {
        let key = match (&e.id, &e.verdict) {
            (Some(id), Verdict::Keep | Verdict::Filtered(_)) => Cow::Borrowed(id.as_str()),
            _ => Cow::Owned(format!("#{}", hex::encode(e.hash))),
        };
        if self.likely_new && matches!(e.verdict, Verdict::Keep) && !self.in_page.contains_key(&key) {
            self.in_page.insert(key.clone(), (e.hash, true));
            self.fresh.push(Fresh { element: e, key, blob, place });
            return if self.fresh.len() == GROUP { self.flush() } else { Ok(()) };
        }
        self.flush()?;
        self.one_by_one(e, key, blob, place)
    }

    /// Stores what is likely new.
    fn flush(&mut self) -> Result<(), Stop> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut rest = fresh.as_slice();
        while !rest.is_empty() {
            // All of a statement are handed over, or none.
            let free = self.terms.room.saturating_sub(self.kept.due.len());
            let most = if free == 0 { rest.len() } else { rest.len().min(free) };
            rest = self.group(rest, most)?;
        }
        self.fresh = fresh;
        self.fresh.clear();
        Ok(())
    }

    /// Stores the first of them with one statement, at most so many, and returns the others. Those that are known
    /// already are decided about one by one.
    fn group<'f>(&mut self, fresh: &'f [Fresh<'a>], most: usize) -> Result<&'f [Fresh<'a>], Stop> {
        let state = self.due_state();
        let (n, insert) = self.inserts.largest(most)?;
        let (group, behind) = fresh.split_at_checked(n).unwrap_or((fresh, &[]));
        for (i, f) in group.iter().enumerate() {
            insert.bind(i, f.element, &f.key, state, f.blob, f.place)?;
        }
        let (stored, first) = insert.run(self.tx)?;
        let all = stored == group.len();
        let mut row = first;
        for f in group {
            let new =
                all || (stored > 0 && self.find(&f.key, &f.element.hash)?.is_some_and(|x| x.row >= first));
            if new {
                self.kept.out.fresh += u64::from(f.element.head);
                self.inserted(f, row, state);
                row += 1;
            } else {
                self.likely_new = false;
                self.in_page.remove(&f.key);
                self.one_by_one(f.element, f.key.clone(), f.blob, f.place)?;
            }
        }
        Ok(behind)
    }

    /// The state of a record that is due: on its way, while there is room.
    fn due_state(&self) -> State {
        if self.kept.due.len() < self.terms.room { State::Queued } else { State::Waiting }
    }

    fn one_by_one(
        &mut self,
        e: &'a Element,
        key: Cow<'a, str>,
        blob: Option<i64>,
        place: Place,
    ) -> Result<(), Stop> {
        if self.in_page.contains_key(&key) {
            // Whether it was met before is read from its mark.
            self.mark_met()?;
            self.ahead.clear();
        }
        let found = self.find(&key, &e.hash)?;
        let met = found.as_ref().is_some_and(|f| f.seen == self.terms.shared.mark);
        let clash = match self.in_page.get_mut(&key) {
            Some((other, fresh)) => {
                self.kept.out.surplus += u64::from(e.head && *fresh);
                std::mem::replace(other, e.hash) != e.hash
            }
            None => {
                self.in_page.insert(key.clone(), (e.hash, !met));
                false
            }
        };
        if clash {
            self.kept.out.clashes += 1;
            if self.kept.out.clash_ids.len() < 5 && !self.kept.out.clash_ids.iter().any(|k| *k == key) {
                self.kept.out.clash_ids.push(key.clone().into_owned());
            }
        }
        if met {
            self.kept.out.flaps +=
                u64::from(!clash && found.as_ref().is_some_and(|f| f.known.hash != e.hash));
        } else {
            self.kept.out.fresh += u64::from(e.head);
        }
        match &e.verdict {
            Verdict::Keep => self.keep(e, key, found, clash, blob, place),
            Verdict::Filtered(rule) => self.left_out(e, &key, found, State::Filtered, "HL-7012", rule),
            Verdict::Rejected(code, why) => self.left_out(e, &key, found, State::Rejected, code, why),
        }
    }

    fn find(&mut self, key: &str, hash: &Hash) -> Result<Option<Found>, Stop> {
        let Some(mut f) = self.next_or_any(key)? else { return Ok(None) };
        if f.known.hash != *hash && f.version > 1 && (f.known.collides || f.known.seen_in_window) {
            f.known.hash_of_older = self
                .tx
                .prepare_cached("SELECT 1 FROM versions WHERE record = ?1 AND hash = ?2")?
                .exists(params![f.row, hash])?;
        }
        Ok(Some(f))
    }

    /// The record with this key: mostly the next one.
    fn next_or_any(&mut self, key: &str) -> Result<Option<Found>, Stop> {
        let (plan, window) = (self.terms.shared.plan, self.terms.window);
        if let Some(last) = self.last.filter(|_| self.follows && self.ahead.is_empty()) {
            let mut q = self.tx.prepare_cached(SELECT_AHEAD)?;
            let rows = q.query_map(params![plan, last + 1, last + 1 + self.left.min(AHEAD)], |r| {
                Ok((r.get(7)?, Found::read(r, window)?))
            })?;
            self.ahead = rows.collect::<rusqlite::Result<_>>()?;
            self.ahead.reverse();
        }
        let found = match self.ahead.pop() {
            Some((next, found)) if next == key => Some(found),
            _ => {
                // What was read ahead is of no use any more, and may not be what is stored by the time it is.
                self.ahead.clear();
                self.select.query_row(params![plan, key], |r| Found::read(r, window)).optional()?
            }
        };
        let row = found.as_ref().map(|f| f.row);
        self.follows = row.is_some() && self.last.map(|l| l + 1) == row;
        self.last = row;
        Ok(found)
    }

    /// Marks a row as met in this pass, with the next ones where it can wait.
    fn mark(&mut self, row: RowId, clash: bool) -> Result<(), Stop> {
        if !clash {
            self.met.push(row);
            return Ok(());
        }
        self.tx
            .prepare_cached("UPDATE records SET seen = ?2, collides = 1 WHERE id = ?1")?
            .execute(params![row, self.terms.shared.mark])?;
        Ok(())
    }

    /// Neighbours are marked together: what is read again comes mostly in the order in which it was stored.
    fn mark_met(&mut self) -> Result<(), Stop> {
        if self.met.is_empty() {
            return Ok(());
        }
        self.met.sort_unstable();
        self.met.dedup();
        let mut range = self.tx.prepare_cached(MARK)?;
        for run in self.met.chunk_by(|a, b| a + 1 == *b) {
            if let (Some(from), Some(to)) = (run.first(), run.last()) {
                range.execute(params![from, to, self.terms.shared.mark])?;
            }
        }
        self.met.clear();
        Ok(())
    }

    fn keep(
        &mut self,
        e: &'a Element,
        key: Cow<'a, str>,
        found: Option<Found>,
        clash: bool,
        blob: Option<i64>,
        place: Place,
    ) -> Result<(), Stop> {
        let Some(f) = found else {
            let state = self.due_state();
            let (_, insert) = self.inserts.largest(1)?;
            insert.bind(0, e, &key, state, blob, place)?;
            let (_, row) = insert.run(self.tx)?;
            self.inserted(&Fresh { element: e, key, blob, place }, row, state);
            self.likely_new = true;
            return Ok(());
        };
        let key = key.as_ref();
        let decision = decide(Some(&f.known), &e.hash, e.stamp.as_deref(), self.terms.policy);
        if !matches!(decision, Decision::Unchanged | Decision::Repeated) {
            self.note(e, key, decision == Decision::Changed, blob, place);
        }
        let due_state = self.due_state();
        match decision {
            Decision::Unchanged => {
                self.kept.out.records.unchanged += 1;
                self.mark(f.row, clash)
            }
            Decision::Repeated => {
                self.kept.out.repeated += 1;
                if f.seen == self.terms.shared.mark && !clash { Ok(()) } else { self.mark(f.row, clash) }
            }
            Decision::Changed => {
                self.kept.out.records.changed += 1;
                let old = f.known.state;
                let state = if old == State::InDoubt { State::InDoubt } else { due_state };
                match old {
                    State::Waiting | State::Queued => self.kept.out.superseded += 1,
                    State::InDoubt => self.kept.out.in_doubt += 1,
                    _ => {}
                }
                self.tx
                    .prepare_cached(
                        "INSERT INTO versions(record, version, hash, state, blob, off, len, source_call, write_call, changed_at, written_at)
                         SELECT id, version, hash, CASE WHEN state IN (2, 5, 6) THEN state END, blob, off, len, source_call,
                                write_call, changed_at, written_at FROM records WHERE id = ?1",
                    )?
                    .execute([f.row])?;
                self.tx
                    .prepare_cached(
                        "UPDATE records SET number = ?2, hash = ?3, version = version + 1, state = ?4, blob = ?5, off = ?6, len = ?7,
                           stamp = coalesce(?8, stamp), seen = ?9, collides = collides OR ?10, attempts = 0, source_call = ?11,
                           write_call = CASE WHEN state = 6 THEN write_call END, changed_at = ?12, written_at = NULL,
                           code = CASE WHEN state = 6 THEN code END, reason = CASE WHEN state = 6 THEN reason END, response = NULL
                         WHERE id = ?1",
                    )?
                    .execute(params![
                        f.row, e.number, e.hash, state as u8, blob, place.off, place.len, e.stamp, self.terms.shared.mark, clash,
                        self.terms.shared.call, self.terms.shared.now.0
                    ])?;
                moved(&mut self.kept.deltas, Some(old), state);
                if state == State::Queued {
                    self.hand(f.row, key, f.version + 1, e);
                }
                Ok(())
            }
            Decision::New => {
                // A filtered or rejected one that passes now.
                self.kept.out.records.new += 1;
                self.tx
                    .prepare_cached(
                        "UPDATE records SET number = ?2, hash = ?3, state = ?4, blob = ?5, off = ?6, len = ?7, stamp = ?8, seen = ?9,
                           attempts = 0, source_call = ?10, changed_at = ?11, code = NULL, reason = NULL WHERE id = ?1",
                    )?
                    .execute(params![
                        f.row, e.number, e.hash, due_state as u8, blob, place.off, place.len, e.stamp, self.terms.shared.mark,
                        self.terms.shared.call, self.terms.shared.now.0
                    ])?;
                moved(&mut self.kept.deltas, Some(f.known.state), due_state);
                if due_state == State::Queued {
                    self.hand(f.row, key, f.version, e);
                }
                Ok(())
            }
        }
    }

    /// An element was stored as a new record.
    fn inserted(&mut self, f: &Fresh, row: RowId, state: State) {
        self.note(f.element, &f.key, false, f.blob, f.place);
        self.kept.out.records.new += 1;
        moved(&mut self.kept.deltas, None, state);
        if state == State::Queued {
            self.hand(row, &f.key, 1, f.element);
        }
    }

    /// A version refers to this page's body and call; gap scans name it.
    fn note(&mut self, e: &Element, key: &str, changed: bool, blob: Option<i64>, place: Place) {
        if self.kept.out.news.len() < self.terms.name_news {
            self.kept.out.news.push(News { id: key.to_owned(), changed, stamp: e.stamp.clone() });
        }
        self.kept.named = true;
        let refs = if place.derived { &mut self.kept.refs.1 } else { &mut self.kept.refs.0 };
        *refs += i64::from(blob.is_some());
    }

    fn hand(&mut self, row: RowId, key: &str, version: u32, e: &Element) {
        self.kept.due.push(Due { row, id: key.to_owned(), version, attempts: 0, content: e.content.clone() });
    }

    fn left_out(
        &mut self,
        e: &Element,
        key: &str,
        found: Option<Found>,
        state: State,
        code: &str,
        why: &str,
    ) -> Result<(), Stop> {
        let rejected = state == State::Rejected;
        if let Some(f) = found {
            if f.known.seen_in_window {
                self.kept.out.repeated += 1;
                return self.mark(f.row, false);
            }
            if rejected {
                self.kept.out.records.rejected += 1;
            } else {
                self.kept.out.records.filtered += 1;
            }
            // A record that is stored keeps its content and state when a condition leaves it out now.
            if matches!(f.known.state, State::Filtered | State::Rejected) {
                self.tx
                    .prepare_cached("UPDATE records SET hash = ?2, code = ?3, reason = ?4 WHERE id = ?1")?
                    .execute(params![f.row, e.hash, code, why])?;
            }
            return self.mark(f.row, false);
        }
        if rejected {
            self.kept.out.records.rejected += 1;
            self.kept.out.newly_rejected += 1;
        } else {
            self.kept.out.records.filtered += 1;
        }
        self.kept.named = true;
        self.tx
            .prepare_cached(
                "INSERT INTO records(plan, key, keyed, number, hash, version, state, seen, source_call, first_seen, changed_at, code, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?9, ?10, ?11)",
            )?
            .execute(params![
                self.terms.shared.plan, key, !rejected && e.id.is_some(), e.number, e.hash, state as u8, self.terms.shared.mark, self.terms.shared.call, self.terms.shared.now.0, code, why
            ])?;
        moved(&mut self.kept.deltas, None, state);
        Ok(())
    }
}
