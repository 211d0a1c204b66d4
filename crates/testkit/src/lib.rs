//! What heliu's tests stand on, and nothing that is shipped: a manual clock, a ledger in memory, the conformance
//! suite that every ledger must pass, a private MariaDB, and the simulator.

pub mod clock;
pub mod conformance;
pub mod fake;
pub mod mariadb;
pub mod memory;
pub mod process;
pub mod rng;
pub mod sim;
pub mod through;

pub use clock::ManualClock;
pub use memory::MemoryLedger;
