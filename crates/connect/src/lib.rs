//! Everything that speaks to outside systems: platform manifests, the HTTP engine, SQL and HTTP targets.
//!
//! It knows nothing of plans, runs or the ledger: an account waits for its budget and its token through ports.

mod catalogue;
pub mod heliu;
pub mod http;
pub mod manifest;
pub mod notify;
mod registry;
mod skew;
pub mod sql;

pub use catalogue::ApiFacts;
pub use http::{Account, Credential, Rehearsed, rehearse};
pub use registry::{Description, Ports, Registry};

/// Where a test may let the process die; nothing at all in what is shipped (docs/decisions/0010).
fn point(at: &str) {
    fail::fail_point!(at);
    let _ = at;
}
