//! The HTTP engine: budgets, tokens, signing, sending, capturing, reading replies.

mod account;
mod client;
mod encode;
mod mask;
mod outcome;
mod probe;
mod source;
mod target;
mod token;

pub(crate) use account::check;
pub use account::{Account, Ports};
pub use client::{Client, Timeouts};
pub use source::HttpSource;
pub use target::HttpTarget;
