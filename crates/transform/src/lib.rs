//! Values and text, pure and synchronous: the metadata dialect of 轻易云, its expressions, parsers, formats and mapping.
//!
//! Nothing here does I/O, reads a clock or knows a sibling crate.

pub mod function;
mod problem;
mod text;
mod value;

pub use problem::{Problem, Severity};
pub use text::{Lang, Text};
pub use value::{Map, Number, Value};
