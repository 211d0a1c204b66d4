//! Codes of the area `run`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
