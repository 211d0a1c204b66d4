//! The platform's rows, and everything they ever were.

use std::collections::{BTreeMap, BTreeSet};

use super::T0;
use super::scenario::{Moving, Order, Scenario};
use crate::fake::{Row, Shared, Shelf, shared, with};
use crate::rng::Rng;

/// The platform's side of the truth.
pub struct Platform {
    /// What can be read.
    pub shelf: Shared<Shelf>,
    /// Every content that an id ever had, members in order.
    pub contents: BTreeMap<String, BTreeSet<String>>,
    /// Since when a row has been visible as it is now.
    pub since: BTreeMap<String, i64>,
    /// Ids that the target refuses while times are rough.
    pub poison: BTreeSet<String>,
    /// How often a person had an id sent again.
    pub resent: BTreeMap<String, u32>,
    /// Calls of ports are counted for the digest.
    order: Order,
    moving: Moving,
    lookback: i64,
    filtered: u64,
    poisoned: u64,
    next: u64,
    /// A platform on which rows come faster than they are read has no end: from here on rows only change.
    most: usize,
    anchor: u64,
    rng: Rng,
}

/// Members in order, so that contents can be compared.
pub(super) fn canonical(json: &str) -> String {
    let map: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    serde_json::to_string(&map).unwrap_or_default()
}

impl Platform {
    /// The platform at the beginning.
    pub fn new(s: &Scenario, rng: &mut Rng) -> Platform {
        let mut platform = Platform {
            shelf: shared(Shelf::default()),
            contents: BTreeMap::new(),
            since: BTreeMap::new(),
            poison: BTreeSet::new(),
            resent: BTreeMap::new(),
            order: s.order,
            moving: s.moving,
            lookback: s.spec.lookback_ms,
            filtered: s.filtered,
            poisoned: s.poison,
            next: 0,
            most: s.rows + 200,
            anchor: 0,
            rng: rng.fork(),
        };
        for _ in 0..s.rows {
            let at = T0 - 7_200_000 + platform.rng.below(7_200_000) as i64;
            platform.add(at, T0 - 7_200_000);
        }
        for _ in 0..s.rows as u64 * s.nameless / 100 {
            let at = T0 - 1 - platform.rng.below(7_000_000) as i64;
            with(&platform.shelf, |shelf| shelf.rows.push(Row { id: None, ..Row::new("", at) }));
        }
        platform.sort();
        platform
    }

    fn add(&mut self, at: i64, since: i64) {
        self.next += 1;
        self.anchor += 1;
        // Ids are no counters: their order has nothing to do with time.
        let id = format!("{:03}-{}", self.rng.below(1_000), self.next);
        let mut row = Row { anchor: self.anchor, ..Row::new(id.clone(), at) };
        row.more = format!(",\"status\":{}", u8::from(!self.rng.chance(self.filtered)));
        if self.rng.chance(self.poisoned) {
            self.poison.insert(id.clone());
        }
        self.note(&row, since);
        with(&self.shelf, |shelf| shelf.rows.push(row));
    }

    fn note(&mut self, row: &Row, since: i64) {
        if let Some(id) = &row.id {
            self.contents.entry(id.clone()).or_default().insert(canonical(&row.json(0)));
            self.since.insert(id.clone(), since);
        }
    }

    fn sort(&mut self) {
        let order = self.order;
        with(&self.shelf, |shelf| match order {
            Order::Rising => shelf.rows.sort_by_key(|r| (r.at, r.id.clone())),
            Order::Falling => shelf.rows.sort_by_key(|r| (-r.at, r.id.clone())),
            Order::Id => shelf.rows.sort_by_key(|r| r.id.clone()),
        });
    }

    /// One thing happens on the platform. `free`: nothing is being read.
    pub fn change(&mut self, now: i64, free: bool) {
        let moving = if free { Moving::Both } else { self.moving };
        let full = with(&self.shelf, |s| s.rows.len() >= self.most);
        let leave = match moving {
            Moving::Still => return,
            _ if full => true,
            Moving::Leaving => true,
            Moving::Coming => false,
            Moving::Both => self.rng.chance(60),
        };
        if leave {
            let n = with(&self.shelf, |s| s.rows.len());
            if n == 0 {
                return;
            }
            let i = self.rng.index(n);
            if self.rng.chance(20) {
                let gone = with(&self.shelf, |s| s.rows.remove(i));
                if let Some(id) = gone.id {
                    self.since.remove(&id);
                }
                return;
            }
            self.anchor += 1;
            let (anchor, status) = (self.anchor, u8::from(!self.rng.chance(self.filtered)));
            let changed = with(&self.shelf, |s| {
                let row = &mut s.rows[i];
                (row.at, row.v, row.anchor) = (now, row.v + 1, anchor);
                row.more = format!(",\"status\":{status}");
                row.clone()
            });
            self.note(&changed, now);
        } else {
            // Visible now, changed a while ago: never longer than the plan looks back.
            let late = self.rng.below((self.lookback - 1_000).max(1) as u64) as i64;
            let late = if self.rng.chance(30) { 0 } else { late };
            self.add(now - late, now);
        }
        self.sort();
    }

    /// The rows as they are.
    pub fn rows(&self) -> Vec<Row> {
        with(&self.shelf, |s| s.rows.clone())
    }
}
