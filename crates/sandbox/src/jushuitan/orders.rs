//! The store of outbound orders: a rule for the many, an overlay for the few that were changed, added or deleted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::biz::as_int;
use super::rows::{Facts, Recipe};
use crate::clock::{beijing, parse_beijing};

/// What happened to an order since the start.
#[derive(Debug, Clone)]
struct Change {
    modified: i64,
    ts: i64,
    fields: Map<String, Value>,
    is_deleted: bool,
}

/// What a query asks for. Empty lists and `None` admit everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Both ends included, seconds.
    pub(crate) window: Option<(i64, i64)>,
    /// The window speaks of the outbound date.
    pub(crate) is_by_io_date: bool,
    /// Rows with at least this version, in the order of versions.
    pub(crate) start_ts: Option<i64>,
    pub(crate) shop_id: Option<i64>,
    pub(crate) status: Option<String>,
    pub(crate) wms_co_id: Option<i64>,
    pub(crate) so_ids: Vec<String>,
    pub(crate) o_ids: Vec<i64>,
    pub(crate) io_ids: Vec<i64>,
    pub(crate) wave_ids: Vec<i64>,
    pub(crate) l_ids: Vec<String>,
    /// Nothing can match (offline shops, distributors: there are none here).
    pub(crate) is_empty: bool,
}

/// Matching rows in order, by index.
type View = Arc<Vec<u32>>;

/// All orders.
#[derive(Debug)]
pub(crate) struct Orders {
    recipe: Recipe,
    count: u32,
    /// Stamp of the first order and seconds from there to the last.
    first: i64,
    spread: i64,
    changes: BTreeMap<u32, Change>,
    next_index: u32,
    next_ts: i64,
    generation: u64,
    views: Mutex<VecDeque<(u64, Filter, View)>>,
}

impl Orders {
    pub(crate) fn new(recipe: Recipe, count: u32, first: i64, spread: i64) -> Self {
        Orders {
            recipe,
            count,
            first,
            spread,
            changes: BTreeMap::new(),
            next_index: count,
            next_ts: Recipe::ts(count) + 1_000,
            generation: 0,
            views: Mutex::default(),
        }
    }

    /// The stamp of an order that nobody touched.
    fn base_modified(&self, index: u32) -> i64 {
        let steps = i64::from(self.count.max(2) - 1);
        self.first + i64::from(index) * self.spread / steps
    }

    fn modified(&self, index: u32) -> i64 {
        self.changes.get(&index).map_or_else(|| self.base_modified(index), |c| c.modified)
    }

    /// The row version of an order.
    pub(crate) fn ts(&self, index: u32) -> i64 {
        self.changes.get(&index).map_or_else(|| Recipe::ts(index), |c| c.ts)
    }

    /// True while the order exists.
    pub(crate) fn exists(&self, index: u32) -> bool {
        match self.changes.get(&index) {
            Some(change) => !change.is_deleted,
            None => index < self.count,
        }
    }

    pub(crate) fn set_colliding(&mut self, is_colliding: bool) {
        self.recipe.is_colliding = is_colliding;
        self.generation += 1;
    }

    /// Writes one order as JSON.
    pub(crate) fn write(&self, index: u32, out: &mut Vec<u8>) {
        let (modified, ts) = (self.modified(index), self.ts(index));
        match self.changes.get(&index).filter(|c| !c.fields.is_empty()) {
            None => self.recipe.write(index, modified, ts, out),
            Some(change) => {
                let row = self.patched(index, change);
                out.extend_from_slice(serde_json::to_string(&row).unwrap_or_default().as_bytes());
            }
        }
    }

    fn patched(&self, index: u32, change: &Change) -> Map<String, Value> {
        let mut text = Vec::with_capacity(2_048);
        self.recipe.write(index, change.modified, change.ts, &mut text);
        let mut row: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
        for (key, value) in &change.fields {
            row.insert(key.clone(), value.clone());
        }
        row
    }

    /// One order's JSON text.
    pub(crate) fn json(&self, index: u32) -> String {
        let mut out = Vec::with_capacity(2_048);
        self.write(index, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Indexes of all orders that exist.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.next_index).filter(|i| self.exists(*i))
    }

    /// The rows a filter admits; kept for the next page until something changes.
    pub(crate) fn view(&self, filter: &Filter) -> View {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.retain(|(generation, ..)| *generation == self.generation);
        if let Some((.., view)) = views.iter().find(|(_, f, _)| f == filter) {
            return view.clone();
        }
        let view = Arc::new(self.select(filter));
        if views.len() >= 6 {
            views.pop_front();
        }
        views.push_back((self.generation, filter.clone(), view.clone()));
        view
    }

    fn select(&self, filter: &Filter) -> Vec<u32> {
        if filter.is_empty {
            return Vec::new();
        }
        let (from, to) = self.base_range(filter);
        let mut rows: Vec<u32> = (from..to)
            .filter(|i| !self.changes.contains_key(i))
            .filter(|i| self.admits(filter, *i, &self.recipe.facts(*i)))
            .collect();
        let untouched = rows.len();
        for (index, change) in self.changes.iter().filter(|(_, c)| !c.is_deleted) {
            let facts = self.changed_facts(*index, change);
            if self.admits(filter, *index, &facts) {
                rows.push(*index);
            }
        }
        if filter.start_ts.is_some() {
            rows.sort_by_key(|i| (self.ts(*i), *i));
        } else if rows.len() > untouched || filter.is_by_io_date {
            rows.sort_by_key(|i| (self.modified(*i), *i));
        }
        rows
    }

    /// Untouched orders that can lie in the window: their stamps grow with the index.
    fn base_range(&self, filter: &Filter) -> (u32, u32) {
        match filter.window {
            Some((begin, end)) if !filter.is_by_io_date => {
                (self.first_not(|m| m < begin), self.first_not(|m| m <= end))
            }
            _ => (0, self.count),
        }
    }

    fn first_not(&self, before: impl Fn(i64) -> bool) -> u32 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.base_modified(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn admits(&self, filter: &Filter, index: u32, facts: &Facts) -> bool {
        let in_window = filter.window.is_none_or(|(begin, end)| {
            let at = self.modified(index);
            let at = if filter.is_by_io_date { self.recipe.io_date(index, at) } else { at };
            (begin..=end).contains(&at)
        });
        in_window
            && filter.start_ts.is_none_or(|ts| self.ts(index) >= ts)
            && filter.shop_id.is_none_or(|id| id == facts.shop_id)
            && filter.status.as_deref().is_none_or(|s| s == facts.status)
            && filter.wms_co_id.is_none_or(|id| id == facts.wms_co_id)
            && (filter.wave_ids.is_empty() || filter.wave_ids.contains(&facts.wave_id))
            && (filter.io_ids.is_empty() || filter.io_ids.contains(&Recipe::io_id(index)))
            && (filter.o_ids.is_empty() || filter.o_ids.contains(&self.recipe.o_id(index)))
            && (filter.so_ids.is_empty() || filter.so_ids.contains(&self.recipe.so_id(index)))
            && (filter.l_ids.is_empty() || filter.l_ids.contains(&self.recipe.l_id(index)))
    }

    /// The facts of an order whose fields were changed by hand.
    fn changed_facts(&self, index: u32, change: &Change) -> Facts {
        let mut facts = self.recipe.facts(index);
        let fields = &change.fields;
        if let Some(id) = fields.get("shop_id").and_then(as_int) {
            facts.shop_id = id;
        }
        if let Some(status) = fields.get("status").and_then(Value::as_str) {
            facts.status = super::rows::STATUSES.into_iter().find(|s| *s == status).unwrap_or("");
        }
        if let Some(id) = fields.get("wms_co_id").and_then(as_int) {
            facts.wms_co_id = id;
        }
        facts
    }

    /// Changes fields of an order. Its stamp becomes `now` unless the fields name one; its version grows.
    pub(crate) fn change(&mut self, index: u32, mut fields: Map<String, Value>, now: i64) -> Option<()> {
        if !self.exists(index) {
            return None;
        }
        let modified = take_stamp(&mut fields)?.unwrap_or(now);
        let ts = self.bump();
        let change = self.changes.entry(index).or_insert_with(|| Change {
            modified,
            ts,
            fields: Map::new(),
            is_deleted: false,
        });
        change.modified = modified;
        change.ts = ts;
        change.fields.extend(fields);
        Some(())
    }

    /// Adds an order with a new id; gives its index.
    pub(crate) fn insert(&mut self, mut fields: Map<String, Value>, now: i64) -> Option<u32> {
        let modified = take_stamp(&mut fields)?.unwrap_or(now);
        let ts = self.bump();
        let index = self.next_index;
        self.next_index += 1;
        self.changes.insert(index, Change { modified, ts, fields, is_deleted: false });
        Some(index)
    }

    /// Deletes an order: no query gives it any more.
    pub(crate) fn delete(&mut self, index: u32) -> Option<()> {
        if !self.exists(index) {
            return None;
        }
        let (modified, ts) = (self.modified(index), self.bump());
        self.changes.insert(index, Change { modified, ts, fields: Map::new(), is_deleted: true });
        Some(())
    }

    /// Touches an order as a later change by someone else would: new stamp, new version, another label.
    pub(crate) fn touch(&mut self, index: u32, now: i64) -> Option<()> {
        let label = Value::String(format!("已改{}", beijing(now)));
        self.change(index, Map::from_iter([("labels".to_owned(), label)]), now)
    }

    fn bump(&mut self) -> i64 {
        self.generation += 1;
        self.next_ts += 8;
        self.next_ts
    }
}

/// Takes `modified` out of the fields; `None` where it is no time.
fn take_stamp(fields: &mut Map<String, Value>) -> Option<Option<i64>> {
    match fields.shift_remove("modified") {
        None => Some(None),
        Some(value) => value.as_str().and_then(parse_beijing).map(Some),
    }
}
