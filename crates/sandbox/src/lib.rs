//! Stand-ins of platforms' open APIs, faithful enough to develop, test and demonstrate against: they check signatures,
//! keep tokens, page, throttle, and go wrong on purpose.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), heliu_sandbox::SandboxError> {
//! use heliu_sandbox::{Faults, Sandbox};
//!
//! let sandbox = Sandbox::builder("jushuitan")
//!     .records(200)
//!     .seed(7)
//!     .faults(Faults::parse("502@2,cut:0.01")?)
//!     .listen("127.0.0.1:0")
//!     .await?;
//! assert_eq!(sandbox.truth().orders.len(), 200);
//! sandbox.expire_token()?;
//! assert!(sandbox.log().is_empty());
//! # Ok(()) }
//! ```
//!
//! A test that expects a call says so with [`Sandbox::expect`] and fails when the call never came. The control address
//! (`/_sandbox/…`) offers the same from outside the process; its calls are listed in [`Mutation`]'s neighbourhood, the
//! module `control`. Nothing here depends on the client side of this project: signatures are checked by code of their own.

mod bench;
mod builder;
mod clock;
mod control;
mod error;
mod faults;
mod jushuitan;
mod known;
mod log;
mod other;
mod rng;
mod server;
mod summary;
mod wire;
mod write;

pub use builder::Builder;
pub use clock::{Clock, ManualClock};
pub use error::SandboxError;
pub use faults::{Fault, Faults, When};
pub use jushuitan::{Check, Credentials, Kind, Mutation, TokenMode, sign};
pub use known::Known;
pub use log::{Entry, Times, Verdict};
pub use server::{Sandbox, Truth};
