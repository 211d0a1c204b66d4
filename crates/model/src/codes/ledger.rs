//! Codes of the area `ledger`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
