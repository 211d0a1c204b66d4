//! The engine on the ledger in memory and the manual clock: no socket, no sleep.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod clocks;
mod crash;
mod doubt;
mod exits;
mod retries;
mod walks;
mod windows;
mod world;
mod writes;
