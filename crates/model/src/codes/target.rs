//! Codes of the area `target`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
