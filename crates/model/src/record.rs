//! A record's states, and the decision what an element that came back means for the record of its id.

use serde::{Deserialize, Serialize};

/// Where a record is. In exactly one of these at any moment (design §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Stored, to be written.
    Waiting = 0,
    /// Handed to a writer of the run that owns the plan.
    Queued = 1,
    /// The current version is in the target.
    Written = 2,
    /// Kept as id and reason: a condition left it out.
    Filtered = 3,
    /// Kept as id (or hash) and reason: it cannot be keyed.
    Rejected = 4,
    /// Could not be rendered or was refused by the target.
    Failed = 5,
    /// A write whose answer was lost.
    InDoubt = 6,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [State; 7] = [
        State::Waiting,
        State::Queued,
        State::Written,
        State::Filtered,
        State::Rejected,
        State::Failed,
        State::InDoubt,
    ];

    /// The state of a stored number.
    pub fn from_u8(n: u8) -> Option<State> {
        State::ALL.get(usize::from(n)).copied()
    }

    /// The word users see and type.
    pub fn word(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Queued => "queued",
            State::Written => "written",
            State::Filtered => "filtered",
            State::Rejected => "rejected",
            State::Failed => "failed",
            State::InDoubt => "in_doubt",
        }
    }

    /// Reads a word; `in-doubt` is accepted too.
    pub fn parse(word: &str) -> Option<State> {
        let w = word.trim().replace('-', "_");
        State::ALL.into_iter().find(|s| s.word() == w)
    }
}

/// First 16 bytes of the BLAKE3 hash of the canonical content.
pub type Hash = [u8; 16];

/// Whether a known id with changed content is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    /// Stored as a new version and written again.
    #[default]
    Update,
    /// The first version stays; the element counts as unchanged.
    Ignore,
}

/// How a plan decides about known ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// What a changed content means.
    pub on_change: OnChange,
    /// `idCheck: false`: unchanged content is written again and counts as changed.
    pub rewrite_unchanged: bool,
}

/// What is known about a record when an element with its id comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Current content hash.
    pub hash: Hash,
    /// Current state.
    pub state: State,
    /// The modification stamp of the current version, where the platform declares one.
    pub stamp: Option<String>,
    /// This window has already seen the record.
    pub seen_in_window: bool,
    /// The element's hash equals an older version of the record.
    pub hash_of_older: bool,
    /// Two different elements with this id once came in one reply.
    pub collides: bool,
}

/// What to do with an element that passed the plan's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// First time: store version 1, due.
    New,
    /// New version, due; the version before is superseded if it was not written.
    Changed,
    /// Nothing to do.
    Unchanged,
    /// Seen before by this window, or older than what is stored: not counted as returned.
    Repeated,
}

/// Decides about one element (interface §3.2; dialect, decisions table).
pub fn decide(known: Option<&Known>, hash: &Hash, stamp: Option<&str>, policy: Policy) -> Decision {
    let Some(k) = known else { return Decision::New };
    // Filtered and rejected ones have no stored version: passing now makes them new.
    if matches!(k.state, State::Filtered | State::Rejected) {
        return Decision::New;
    }
    if k.hash == *hash {
        return match (k.seen_in_window, policy.rewrite_unchanged && policy.on_change == OnChange::Update) {
            (true, _) => Decision::Repeated,
            (false, true) => Decision::Changed,
            (false, false) => Decision::Unchanged,
        };
    }
    if let (Some(old), Some(new)) = (k.stamp.as_deref(), stamp)
        && compare_stamps(new, old) == std::cmp::Ordering::Less
    {
        return Decision::Repeated;
    }
    // Elements that share an id take turns; without this rule each pass would write both again, for ever.
    if k.hash_of_older && (k.collides || k.seen_in_window) {
        return Decision::Repeated;
    }
    match policy.on_change {
        OnChange::Update => Decision::Changed,
        OnChange::Ignore if k.seen_in_window => Decision::Repeated,
        OnChange::Ignore => Decision::Unchanged,
    }
}

/// Orders two stamps: as integers when both are, else as text (the vendors' time texts sort that way).
pub fn compare_stamps(a: &str, b: &str) -> std::cmp::Ordering {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(x), Ok(y)) => x.cmp(&y),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            hash: [1; 16],
            state: State::Written,
            stamp: Some("10".into()),
            seen_in_window: false,
            hash_of_older: false,
            collides: false,
        }
    }

    #[test]
    fn decisions() {
        let p = Policy::default();
        assert_eq!(decide(None, &[1; 16], None, p), Decision::New);
        assert_eq!(decide(Some(&known()), &[1; 16], None, p), Decision::Unchanged);
        let seen = Known { seen_in_window: true, ..known() };
        assert_eq!(decide(Some(&seen), &[1; 16], None, p), Decision::Repeated);
        assert_eq!(decide(Some(&known()), &[2; 16], Some("11"), p), Decision::Changed);
        assert_eq!(decide(Some(&known()), &[2; 16], Some("9"), p), Decision::Repeated);
        let ignore = Policy { on_change: OnChange::Ignore, ..p };
        assert_eq!(decide(Some(&known()), &[2; 16], None, ignore), Decision::Unchanged);
        let again = Policy { rewrite_unchanged: true, ..p };
        assert_eq!(decide(Some(&known()), &[1; 16], None, again), Decision::Changed);
        let collides = Known { hash_of_older: true, collides: true, ..known() };
        assert_eq!(decide(Some(&collides), &[2; 16], None, p), Decision::Repeated);
    }

    #[test]
    fn words() {
        for s in State::ALL {
            assert_eq!(State::parse(s.word()), Some(s));
            assert_eq!(State::from_u8(s as u8), Some(s));
        }
        assert_eq!(State::parse("in-doubt"), Some(State::InDoubt));
    }
}
