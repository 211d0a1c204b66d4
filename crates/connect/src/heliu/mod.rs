//! The ledger itself as a platform: the no-op write (`写入空操作`, `空操作`) makes no call at all.

use async_trait::async_trait;
use heliu_model::Failure;
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Fence, Found, Prepared, Render, Replay, RowResult, Target, TargetSession, TargetShape, WriteRow,
};

/// Marks records written without any outside system.
pub struct NoOp(TargetShape);

/// Names of the no-op interface.
pub const NAMES: &[&str] = &["写入空操作", "空操作"];

impl Default for NoOp {
    fn default() -> Self {
        NoOp(TargetShape {
            render: Render::Nothing,
            max_rows: 1_000,
            writers: 1,
            replay: Replay::Idempotent,
            local: true,
        })
    }
}

#[async_trait]
impl Target for NoOp {
    fn shape(&self) -> &TargetShape {
        &self.0
    }

    async fn open(&self, _fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        Ok(Box::new(Session))
    }

    fn prepare(&self, _rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        Ok(Vec::new())
    }
}

struct Session;

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        Exchange { calls: Vec::new(), result: Ok(rows.iter().map(|_| RowResult::Written(None)).collect()) }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        Exchange { calls: Vec::new(), result: Ok(vec![Found::Present; rows.len()]) }
    }
}
