//! The `heliu` binary.
fn main() {}
