//! Values and text, pure and synchronous: the metadata dialect of 轻易云, its expressions, parsers, formats and mapping.
//!
//! Nothing here does I/O, reads a clock or knows a sibling crate.

mod braces;
pub mod canonical;
mod condition;
mod context;
mod evaluate;
mod expr;
mod extent;
mod extract;
mod formats;
pub mod function;
pub mod grouping;
mod items;
mod json;
mod lookup;
pub mod mapping;
mod members;
pub mod metadata;
pub mod mongo;
mod outline;
mod parsers;
mod passing;
mod path;
mod pipes;
mod print;
mod problem;
mod raw;
pub mod records;
pub mod reference;
mod scan;
mod search;
mod shaping;
mod steps;
mod text;
mod times;
mod value;
pub mod writeback;

pub use context::{Context, Lookup, Scope};
pub use evaluate::{EvalRequest, EvaluateError, RenderRequest, evaluate, render};
pub use expr::{EvalError, Expr};
pub use extract::Extractor;
pub use metadata::{Metadata, Side};
pub use outline::Outline;
pub use path::Path;
pub use problem::{Problem, Severity, Spot};
pub use shaping::{Plain, Shaped, Shaping};
pub use steps::{FieldSteps, Stage, Trace};
pub use text::{Lang, Text};
pub use value::{JsonError, Key, Map, Number, Str, Value};

/// An instant that a value says, in unix milliseconds; times without a zone are in `tz` (dialect §3.4).
pub fn instant(value: &Value, tz: chrono_tz::Tz) -> Option<i64> {
    times::read(value, tz)
}

/// True for the name of a built-in variable, or an alias of one (dialect §3.3).
pub fn is_variable(name: &str) -> bool {
    context::Builtin::of(name).is_some()
}

/// The known name nearest to a misspelt one, if any is near enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let low = word.to_lowercase();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&k.to_lowercase(), &low), k))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, k)| *d <= 2.max(k.chars().count() / 3))
        .map(|(_, k)| k)
}
