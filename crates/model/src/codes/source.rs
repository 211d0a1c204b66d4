//! Codes of the area `source`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
