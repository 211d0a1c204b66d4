//! The HTTP engine: budgets, tokens, signing, sending, capturing, reading replies.

mod account;
mod batch;
mod client;
mod columns;
mod decode;
mod detail;
mod discover;
mod encode;
mod instead;
mod line;
mod mask;
mod outcome;
mod pace;
#[cfg(test)]
mod pace_tests;
mod parameters;
mod probe;
mod quota;
mod rehearse;
mod signs;
mod source;
mod target;
mod token;
mod unclear;
#[cfg(test)]
mod vectors;
mod window;

pub use account::{Account, Credential, Ports};
pub(crate) use account::{COMMON, check};
pub(crate) use client::Wire;
pub use client::{Client, Reach, Timeouts};
pub(crate) use client::{certificates, ready};
pub(crate) use columns::columns;
pub(crate) use instead::interface;
pub(crate) use mask::Mask;
pub use rehearse::{Rehearsed, rehearse};
pub use source::HttpSource;
pub use target::HttpTarget;
