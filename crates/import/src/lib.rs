//! Pasted vendor text becomes a plan: strict JSON where it is, mended JSON where it is not, and every repair listed
//! with its place. Nothing is guessed in silence.
//!
//! Pure: bytes in, values out. Any bytes give a value or an error, in time that grows with their length.

mod aliases;
mod bare;
mod blocks;
mod brackets;
mod documents;
mod fragments;
mod gaps;
mod known;
mod maps;
mod plan;
mod python;
mod read;
mod repair;
mod rewrite;
mod sheet;
mod source;
mod strings;
mod template;
mod wide;

pub use known::{Interface, Known};
pub use maps::{Pair, ValueMap};
pub use plan::{Draft, Options, read_text};
pub use repair::{Kind, Repair};
pub use sheet::is_spreadsheet;
pub use source::MAX_BYTES;
pub use template::{Template, read_template, write_template};
