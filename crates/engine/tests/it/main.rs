//! The engine from outside: on the ledger in memory and the manual clock, no sleep, no socket.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alerts;
mod scheduler;
mod world;
