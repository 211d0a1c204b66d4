//! Rendered rows on their way, in sections that are written together, and what became of their records.

use std::collections::{HashMap, HashSet};

use heliu_model::ports::{Due, Outcome, RowId, WriteRow};
use heliu_model::{Call, Failure};

/// A record's version in the ledger.
pub(super) type Ref = (RowId, u32);

/// The records that a row stands for: mostly one.
#[derive(Debug, Clone)]
pub(super) enum Members {
    One(Ref),
    Many(Vec<Ref>),
}

impl Members {
    pub fn all(&self) -> &[Ref] {
        match self {
            Members::One(one) => std::slice::from_ref(one),
            Members::Many(all) => all,
        }
    }

    /// The same outcome for each.
    pub fn end(&self, outcome: Outcome, out: &mut Vec<(RowId, u32, Outcome)>) {
        match self {
            Members::One((row, version)) => out.push((*row, *version, outcome)),
            Members::Many(all) => out.extend(all.iter().map(|(r, v)| (*r, *v, outcome.clone()))),
        }
    }
}

/// A rendered batch on its way, and what has been settled of it so far.
pub(super) struct Work {
    pub rows: Vec<WriteRow>,
    /// Ledger rows of `rows`, same order.
    pub refs: Vec<Members>,
    pub outcomes: Vec<(RowId, u32, Outcome)>,
    pub calls: Vec<Call>,
}

impl Work {
    pub fn of(rows: usize) -> Work {
        Work {
            rows: Vec::with_capacity(rows),
            refs: Vec::with_capacity(rows),
            outcomes: Vec::with_capacity(rows),
            calls: Vec::new(),
        }
    }
}

/// Rows that are written together, and how often that was tried.
pub(super) struct Section {
    pub rows: Vec<WriteRow>,
    /// Ledger rows of `rows`, same order.
    pub refs: Vec<Members>,
    pub tries: u32,
    /// Why and how long (ms) to wait before the next try.
    pub pause: Option<(Failure, u64)>,
}

impl Section {
    /// Without rows, as often tried.
    pub fn none(&self) -> Section {
        Section { rows: Vec::new(), refs: Vec::new(), tries: self.tries, pause: None }
    }

    /// The same outcome for all.
    pub fn all(&self, outcome: &Outcome) -> impl Iterator<Item = (RowId, u32, Outcome)> {
        self.refs.iter().flat_map(Members::all).map(|(row, version)| (*row, *version, outcome.clone()))
    }
}

/// All records of rows, each once.
pub(super) fn distinct(refs: &[Members]) -> Vec<Ref> {
    let mut out: Vec<Ref> = refs.iter().flat_map(Members::all).copied().collect();
    if refs.iter().any(|m| matches!(m, Members::Many(_))) {
        let mut seen = HashSet::with_capacity(out.len());
        out.retain(|r| seen.insert(*r));
    }
    out
}

/// Rows in sections of so many, last first.
pub(super) fn sections(mut rows: Vec<WriteRow>, mut refs: Vec<Members>, most: usize) -> Vec<Section> {
    let mut out = Vec::new();
    while rows.len() > most {
        let at = (rows.len() - 1) / most * most;
        out.push(Section { rows: rows.split_off(at), refs: refs.split_off(at), tries: 0, pause: None });
    }
    if !rows.is_empty() {
        out.push(Section { rows, refs, tries: 0, pause: None });
    }
    out
}

/// One outcome per record: of several the one that says most against it. Doubt comes first, because what failed is
/// written again by `retry`.
pub(super) fn agreed(outcomes: Vec<(RowId, u32, Outcome)>) -> Vec<(RowId, u32, Outcome)> {
    let weight = |o: &Outcome| match o {
        Outcome::Written(_) => 0,
        Outcome::Released => 1,
        Outcome::Waiting(_) => 2,
        Outcome::Failed(_) => 3,
        Outcome::InDoubt(_) => 4,
    };
    let mut at: HashMap<Ref, usize> = HashMap::with_capacity(outcomes.len());
    let mut out: Vec<(RowId, u32, Outcome)> = Vec::with_capacity(outcomes.len());
    for one in outcomes {
        match at.get(&(one.0, one.1)).and_then(|i| out.get_mut(*i)) {
            Some(kept) if weight(&one.2) > weight(&kept.2) => *kept = one,
            Some(_) => {}
            None => {
                at.insert((one.0, one.1), out.len());
                out.push(one);
            }
        }
    }
    out
}

/// Of a record that came twice into one batch only the newer version goes on: the ledger has counted the older one as
/// superseded, and a repetition of it alone would write it over the newer one.
pub(super) fn newest(mut dues: Vec<Due>) -> Vec<Due> {
    let mut latest: HashMap<RowId, u32> = HashMap::with_capacity(dues.len());
    for due in &dues {
        let version = latest.entry(due.row).or_default();
        *version = due.version.max(*version);
    }
    if latest.len() < dues.len() {
        dues.retain(|d| latest.get(&d.row) == Some(&d.version));
    }
    dues
}
