//! The nouns of heliu, the rules about them, and the ports. No I/O, no clock, no runtime.

pub mod alert;
pub mod budget;
pub mod call;
pub mod codes;
pub mod config;
pub mod connector;
pub mod failure;
pub mod ports;
pub mod record;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod time;
pub mod walk;
pub mod window;

pub use call::{Call, CallKind};
pub use connector::ConnectorSpec;
pub use failure::{Class, Failure};
pub use heliu_transform::{Lang, Problem, Severity, Spot, Text, text};
pub use secret::Secret;
pub use time::Ts;
pub use window::Window;
