//! Codes of the area `dialect`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
