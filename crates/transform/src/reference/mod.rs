//! The reference of the dialect: everything that can be written, one definition each, with an example that runs as a
//! test. The pages under docs/reference are written from these tables; tests hold them against what the evaluator
//! knows, so that nothing can be there without a description.

mod functions;
mod keys;
mod words;

pub use functions::FUNCTIONS;
pub use keys::{ITEM_KEYS, KEYS, Key};
pub use words::{FORMATS, LOGICS, PARSERS, PIPES, VARIABLES};

/// Something that can be written, and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it does: English, 中文.
    pub about: (&'static str, &'static str),
    /// An example as it is written.
    pub example: &'static str,
    /// What the example gives, as JSON.
    pub result: &'static str,
}

pub(crate) const fn entry(
    name: &'static str,
    about: (&'static str, &'static str),
    example: &'static str,
    result: &'static str,
) -> Entry {
    Entry { name, about, example, result }
}

/// The record that all examples read.
pub const RECORD: &str = r#"{"no":"SO-7","qty":3,"price":"12.50","created":"2024-03-15 14:30:00","tags":"a,b,a","nil":null,"note":"请仔细包装","items":[{"sku":"K1","qty":2},{"sku":"K2","qty":5}]}"#;
/// LAST_SYNC_TIME of all examples: 2024-03-14 16:00:00 in Asia/Shanghai.
pub const LAST_SYNC: i64 = 1_710_403_200;
/// CURRENT_TIME of all examples: an hour later.
pub const CURRENT: i64 = 1_710_406_800;

#[cfg(test)]
mod tests;
