//! The ledger in memory keeps the contract.

#![allow(missing_docs, reason = "tests")]

use std::sync::Arc;

use heliu_testkit::MemoryLedger;

heliu_testkit::conformance!(Arc::new(MemoryLedger::new()));
