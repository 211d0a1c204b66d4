//! The differences that are meant, each with its reason: one table.

use super::cases::Case;
use super::compare::{Answer, Outcome};

/// Tells whether a difference is of a kind.
type Test = fn(&Case, &Outcome, &Answer) -> bool;

/// One decided difference.
pub struct Decided {
    id: &'static str,
    reason: &'static str,
    test: Test,
}

impl Decided {
    /// Name and reason.
    pub fn text(&self) -> (&'static str, &'static str) {
        (self.id, self.reason)
    }
}

/// All decided differences.
pub const TABLE: &[Decided] = &[Decided {
    id: "division by zero",
    reason: "an error here (rule Fn5), NULL there",
    test: |_, ours, _| matches!(ours, Outcome::Error(e) if e.contains("HL-2310")),
}];

/// The entry that explains a difference.
pub fn reason(case: &Case, ours: &Outcome, theirs: &Answer) -> Option<usize> {
    TABLE.iter().position(|d| (d.test)(case, ours, theirs))
}
