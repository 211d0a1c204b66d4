//! Punctuation as Chinese keyboards and pages write it.

/// `{` in full width.
pub(crate) const OPEN_BRACE: char = '\u{ff5b}';
/// `}` in full width.
pub(crate) const CLOSE_BRACE: char = '\u{ff5d}';
/// `[` in full width.
pub(crate) const OPEN_BRACKET: char = '\u{ff3b}';
/// `]` in full width.
pub(crate) const CLOSE_BRACKET: char = '\u{ff3d}';
/// The lenticular bracket that stands for `[`.
pub(crate) const OPEN_LENS: char = '\u{3010}';
/// The lenticular bracket that stands for `]`.
pub(crate) const CLOSE_LENS: char = '\u{3011}';
/// `,` in full width.
pub(crate) const COMMA: char = '\u{ff0c}';
/// The comma of enumerations.
pub(crate) const PAUSE: char = '\u{3001}';
/// `:` in full width.
pub(crate) const COLON: char = '\u{ff1a}';
/// `;` in full width.
pub(crate) const SEMICOLON: char = '\u{ff1b}';
/// `"` in full width.
pub(crate) const QUOTE: char = '\u{ff02}';
/// `'` in full width.
pub(crate) const APOSTROPHE: char = '\u{ff07}';
