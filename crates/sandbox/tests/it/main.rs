//! The stand-ins from outside, over real connections.

mod bench;
mod checks;
mod client;
mod control;
mod data;
mod faults;
mod signatures;
mod tokens;
