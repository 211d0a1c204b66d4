//! Codes of the area `token`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
