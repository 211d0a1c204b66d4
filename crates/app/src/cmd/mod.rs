//! The commands.

mod budgets;
pub mod calls;
pub mod check;
pub mod connector;
pub mod explain;
pub mod expr;
mod fields;
pub mod import;
pub mod init;
pub mod platforms;
pub mod preview;
pub mod records;
pub mod run;
pub mod sandbox;
mod sheets;
pub mod state;
pub mod trace;
