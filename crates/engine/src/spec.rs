//! What a run needs to know about its plan.

use bytes::Bytes;
use chrono_tz::Tz;
use heliu_model::ports::{Element, Left, RowBody, RowId, RunId, Tick};
use heliu_model::record::Policy;
use heliu_model::walk::Verify;
use heliu_model::{Failure, Text, Ts, Window};
use tokio::sync::watch;

/// The rules of a plan, compiled and checked.
#[derive(Debug, Clone)]
pub struct PlanSpec {
    /// File stem.
    pub name: String,
    /// The plan's own id.
    pub uuid: String,
    /// Zone of schedule and of times without one.
    pub tz: Tz,
    /// First LAST_SYNC_TIME; without it the plan's first-seen time minus 24 h.
    pub start: Option<Ts>,
    /// The first window starts this much before the watermark, in milliseconds.
    pub lookback_ms: i64,
    /// Each window ends this much before now, in milliseconds.
    pub settle_ms: i64,
    /// Length of windows into which long ranges are cut, in milliseconds.
    pub window_ms: Option<i64>,
    /// The source's request depends on the window (else one window is enough, however long).
    pub windowed: bool,
    /// Rows of one write at most.
    pub batch: usize,
    /// Repetitions of a call inside a run.
    pub retries: u32,
    /// Runs that may try a record.
    pub max_attempts: u32,
    /// How known ids are treated.
    pub policy: Policy,
    /// How a walk is proved complete.
    pub verify: Verify,
    /// Connectors that it uses, by name.
    pub connectors: Vec<String>,
}

/// What this run is asked to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Back-fill from here.
    pub from: Option<Ts>,
    /// Back-fill to here.
    pub to: Option<Ts>,
    /// Read at most so many elements.
    pub limit: Option<u64>,
    /// Read and store, write nothing.
    pub source_only: bool,
    /// Write what waits, read nothing.
    pub target_only: bool,
    /// Gap scan: the source is the remedy's (dialect §5.6); what is missing or changed is stored, the watermark stays.
    pub remedy: bool,
    /// The tick that a schedule asks to answer.
    pub tick: Option<Tick>,
    /// The run's windows end as if it had started then (a missed tick that is made up for).
    pub as_of: Option<Ts>,
}

/// Cuts one element of a reply into records and reads their keys.
pub trait Shaper: Send + Sync {
    /// Appends what `element` becomes to `out`.
    fn shape(&self, element: &Bytes, out: &mut Vec<Element>);
    /// The value at the source's anchor path inside a raw element, as text.
    fn anchor(&self, element: &Bytes) -> Option<String>;
}

/// Several records that are written as one (dialect §6.2, §6.3).
#[derive(Debug, Clone)]
pub struct Gathered {
    /// What is rendered in their place.
    pub content: Bytes,
    /// Positions of the members among the records given; a record whose rows are spread may be in several.
    pub members: Vec<usize>,
}

/// A record that was just written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Row.
    pub row: RowId,
    /// Record id.
    pub id: &'a str,
    /// The content that was written.
    pub content: &'a Bytes,
    /// The part of the target's reply that concerns it, as JSON text.
    pub reply: Option<&'a str>,
}

/// The target's document at work: renders stored contents, and says what a success leaves behind.
pub trait Renderer: Send + Sync {
    /// True when a success leaves something behind (dialect §6.8).
    fn leaves(&self) -> bool {
        false
    }

    /// What these records leave behind; asked only of one that leaves something. `by` is the run that has written
    /// them, in its epoch. A failure here changes nothing about the records: it is a finding.
    fn left(&self, _window: &Window, _written: &[Written<'_>], _by: (RunId, i64), _now: Ts) -> Left {
        Left::default()
    }

    /// True when records are put together before they are rendered. Then nothing is written before all of a run's
    /// records are there.
    fn gathers(&self) -> bool {
        false
    }

    /// What a record is put together by: records that share a key belong together. None: it stands alone. Asked only of
    /// one that gathers.
    fn keys(&self, _content: &Bytes) -> Vec<Vec<String>> {
        Vec::new()
    }

    /// What is rendered in place of these records, in their order; asked only of one that gathers, for all records that
    /// belong together.
    fn gather(&self, contents: &[Bytes]) -> Vec<Gathered> {
        let alone = |(i, c): (usize, &Bytes)| Gathered { content: c.clone(), members: vec![i] };
        contents.iter().enumerate().map(alone).collect()
    }

    /// What a person should know of the renderings since this was last asked, each thing once.
    fn warnings(&self) -> Vec<Text> {
        Vec::new()
    }

    /// Renders one record.
    ///
    /// # Errors
    /// Class data, with path and reason: the record leaves the batch.
    fn render(&self, window: &Window, content: &Bytes) -> Result<RowBody, Failure>;
}

/// The wish to stop: finish what is in flight, release the run, resume later.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A switch and its receiver.
    pub fn new() -> (watch::Sender<bool>, Stop) {
        let (tx, rx) = watch::channel(false);
        (tx, Stop(rx))
    }

    /// A receiver that is never told to stop.
    pub fn never() -> Stop {
        Stop(watch::channel(false).1)
    }

    /// True once stopping is wished.
    pub fn wished(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when stopping is wished; never if nobody can wish it any more.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|wish| *wish).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
