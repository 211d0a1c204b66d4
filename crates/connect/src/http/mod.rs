//! The HTTP engine: budgets, tokens, signing, sending, capturing, reading replies.

mod account;
mod client;
mod mask;
mod outcome;
mod source;
mod target;

pub use account::{Account, Ports};
pub use client::{Client, Timeouts};
pub use source::HttpSource;
pub use target::HttpTarget;
