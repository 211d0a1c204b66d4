//! What a run tells while it works.

use heliu_model::Failure;

/// Receives figures while a run works. All methods must be quick.
pub trait Progress: Send + Sync {
    /// A window begins: its position, and how many there are.
    fn window(&self, _seq: u32, _of: u32) {}
    /// A page was stored: elements, and the source's total if it declares one.
    fn page(&self, _elements: u64, _total: Option<u64>) {}
    /// Versions were settled: written, and anything else.
    fn settled(&self, _written: u64, _other: u64) {}
    /// Something failed and will be repeated after `wait_ms` milliseconds.
    fn waiting(&self, _why: &Failure, _wait_ms: u64) {}
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
