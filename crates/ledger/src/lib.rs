//! heliu: ledger.
