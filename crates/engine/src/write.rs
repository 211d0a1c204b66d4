//! Writing: due records are rendered, announced, written in batches and settled (design §3, steps 7–10).
//!
//! Records are dealt to writers by their row in the ledger, so that one id is always written by the same writer and in
//! order. What is handed over stays in memory until it is written; its size is bounded.

mod batch;
mod together;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use heliu_model::ports::{Due, Fence, RowId, Target};
use heliu_model::{Failure, Window};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::heart::Heart;
use crate::spec::Renderer;

/// Contents in flight between reading and writing, in KiB.
const ROOM_KIB: usize = 5 * 1024;
/// A partial batch waits this long (ms) for more rows while pages are still being read.
const LINGER_MS: u64 = 40;

/// What the writers of a run share.
pub(crate) struct WriteCtx {
    pub heart: Arc<Heart>,
    pub target: Arc<dyn Target>,
    pub renderer: Arc<dyn Renderer>,
    /// The run's last window: gives the time variables to the renderings.
    pub window: Window,
    pub plan: String,
    pub batch: usize,
    pub retries: u32,
    pub max_attempts: u32,
    /// A writer is repeating a failed write: reading does not wait for room meanwhile.
    pub struggling: AtomicBool,
    /// Records that came into doubt in this run: newer versions on their way are not sent.
    pub doubted: Mutex<HashSet<RowId>>,
    /// Findings of this run about what written records leave behind, by code and place: each is stored once.
    pub said: Mutex<HashSet<(String, String)>>,
    /// Why something stays waiting although it was tried; the first reason.
    pub put_off: Mutex<Option<Failure>>,
}

impl WriteCtx {
    /// Of the writer of this shard.
    fn fence(&self, shard: u32) -> Fence {
        Fence { plan: self.plan.clone(), shard, run: self.heart.run, epoch: self.heart.epoch }
    }
}

/// A record on its way, with the room its content takes.
struct Handed {
    due: Due,
    _room: OwnedSemaphorePermit,
}

/// The writers of a run.
pub(crate) struct Writers {
    ctx: Arc<WriteCtx>,
    room: Arc<Semaphore>,
    queues: Vec<mpsc::UnboundedSender<Handed>>,
    tasks: Vec<JoinHandle<Vec<(RowId, u32)>>>,
}

impl Writers {
    /// Starts the writers; each opens its session when its first record arrives.
    pub fn start(ctx: Arc<WriteCtx>) -> Self {
        // What belongs together is written by one.
        let count = if ctx.renderer.gathers() { 1 } else { ctx.target.shape().writers.max(1) };
        let (mut queues, mut tasks) = (Vec::new(), Vec::new());
        for shard in 0..count {
            let (tx, rx) = mpsc::unbounded_channel();
            queues.push(tx);
            tasks.push(tokio::spawn(writer(ctx.clone(), shard, rx)));
        }
        Writers { ctx, room: Arc::new(Semaphore::new(ROOM_KIB)), queues, tasks }
    }

    /// How many records of a page with `bytes` of content may be handed over. Waits for room while the writers get
    /// on; when they struggle, the records stay in the ledger instead.
    pub async fn room(&self, bytes: usize) -> usize {
        if self.ctx.renderer.gathers() {
            // Records that belong together come with different pages: all wait until the last one is there.
            return 0;
        }
        let kib = kib(bytes).min(ROOM_KIB);
        loop {
            if self.ctx.heart.over() {
                return 0;
            }
            if self.room.available_permits() >= kib {
                return usize::MAX;
            }
            if self.ctx.struggling.load(Ordering::Acquire) {
                return 0;
            }
            tokio::select! {
                biased;
                // Taken only to learn that there is room: `hand` takes its own.
                room = self.room.acquire_many(kib as u32) => drop(room),
                () = self.ctx.heart.clock.sleep_ms(100) => {}
            }
        }
    }

    /// Hands records to their writers, in order.
    pub async fn hand(&self, due: Vec<Due>) {
        for mut due in due {
            // Records that are put together are held until all are there, however much room they take; but not the whole
            // pages of which they are slices.
            let held = self.ctx.renderer.gathers();
            if held {
                due.content = bytes::Bytes::copy_from_slice(&due.content);
            }
            let kib = if held { 0 } else { kib(due.content.len()).min(ROOM_KIB) as u32 };
            let shard = shard_of(due.row, self.queues.len());
            let Ok(room) = self.room.clone().acquire_many_owned(kib).await else { return };
            if let Some(queue) = self.queues.get(shard) {
                // A closed queue means that its writer has given up; the record stays queued in the ledger and
                // waits again when the run is released.
                let _ = queue.send(Handed { due, _room: room });
            }
        }
    }

    /// Waits until everything handed over is settled. Returns the versions left waiting after a try.
    pub async fn finish(mut self) -> Vec<(RowId, u32)> {
        self.queues.clear();
        let mut left = Vec::new();
        for task in &mut self.tasks {
            match task.await {
                Ok(mut tried) => left.append(&mut tried),
                Err(e) => self.ctx.heart.end(Failure::internal(
                    "HL-7092",
                    heliu_model::text!("a writing task ended abnormally: {e}", "写入任务异常结束:{e}"),
                )),
            }
        }
        left
    }
}

impl Drop for Writers {
    /// Nobody writes on when the run's own task is gone.
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024).max(1)
}

/// Neighbouring rows that go to the same writer: the ledger settles neighbours for less than half of what single rows
/// cost, and few of them keep all writers busy where records are large.
const NEIGHBOURS: i64 = 128;

/// The writer of a row. An id has one row for ever, so that a successor uses the same fence.
fn shard_of(row: RowId, shards: usize) -> usize {
    let shards = i64::try_from(shards.max(1)).unwrap_or(1);
    usize::try_from((row / NEIGHBOURS).rem_euclid(shards)).unwrap_or(0)
}

/// One writer: collects a batch, writes it, settles it; until its queue closes.
async fn writer(
    ctx: Arc<WriteCtx>,
    shard: u32,
    mut queue: mpsc::UnboundedReceiver<Handed>,
) -> Vec<(RowId, u32)> {
    let gathers = ctx.renderer.gathers();
    let rows = if gathers { usize::MAX } else { ctx.target.shape().max_rows.min(ctx.batch).max(1) };
    let mut batches = batch::Batches::new(ctx.clone(), ctx.fence(shard));
    let mut open = true;
    let mut held: Vec<Handed> = Vec::with_capacity(if gathers { 0 } else { rows });
    while open {
        match queue.recv().await {
            Some(handed) => held.push(handed),
            None => break,
        }
        while held.len() < rows {
            if let Ok(handed) = queue.try_recv() {
                held.push(handed);
                continue;
            }
            tokio::select! {
                biased;
                more = queue.recv() => match more {
                    Some(handed) => held.push(handed),
                    None => { open = false; break }
                },
                () = ctx.heart.clock.sleep_ms(LINGER_MS), if !gathers => break,
            }
        }
        let (dues, rooms): (Vec<Due>, Vec<OwnedSemaphorePermit>) =
            held.drain(..).map(|h| (h.due, h._room)).unzip();
        if let Err(failure) = batches.write(dues).await {
            ctx.heart.end(failure);
        }
        drop(rooms);
    }
    batches.left()
}

/// Resolves the writes that a former owner of the run announced and never settled.
pub(crate) async fn resolve_intents(
    ctx: &Arc<WriteCtx>,
    intents: &[heliu_model::ports::Intent],
) -> Result<(), Failure> {
    if intents.is_empty() {
        return Ok(());
    }
    let shards = if ctx.renderer.gathers() { 1 } else { ctx.target.shape().writers.max(1) };
    let mut batches: Vec<_> =
        (0..shards).map(|shard| batch::Batches::new(ctx.clone(), ctx.fence(shard))).collect();
    for intent in intents {
        // Each record under the fence of its own writer: a former owner that is still at it is displaced first.
        let mut rows: Vec<Vec<Due>> = batches.iter().map(|_| Vec::new()).collect();
        for due in ctx.heart.ledger.intent_rows(ctx.heart.run, ctx.heart.epoch, intent.id).await? {
            if let Some(part) = rows.get_mut(shard_of(due.row, shards as usize)) {
                part.push(due);
            }
        }
        // The intent itself ends with the last part.
        let last = rows.iter().rposition(|part| !part.is_empty()).unwrap_or(0);
        for (i, (part, batches)) in rows.into_iter().zip(&mut batches).enumerate().take(last + 1) {
            batches.resolve((i == last).then_some(intent.id), part).await?;
        }
    }
    Ok(())
}
