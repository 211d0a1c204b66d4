//! Codes of the area `config`.

use super::Code;

/// The codes of this area.
pub const CODES: &[Code] = &[];
