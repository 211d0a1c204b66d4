//! Codes of the area `cli`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
