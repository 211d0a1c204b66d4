//! What heliu's tests stand on, and nothing that is shipped: a manual clock, a ledger in memory, the conformance
//! suite that every ledger must pass, a private MariaDB, the simulator, and the torture of the real program.

pub mod clock;
pub mod conformance;
pub mod fake;
pub mod mariadb;
pub mod memory;
pub mod process;
pub mod proxy;
pub mod recorder;
pub mod rng;
pub mod sim;
pub mod through;
pub mod torture;

pub use clock::ManualClock;
pub use memory::MemoryLedger;
