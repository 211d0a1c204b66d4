//! What a seed decides before anything happens.

use heliu_engine::PlanSpec;
use heliu_model::Ts;
use heliu_model::ports::Replay;
use heliu_model::record::{OnChange, Policy};
use heliu_model::walk::Paging;

use super::T0;
use crate::fake;
use crate::rng::Rng;

/// In which order a platform shows its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest change first.
    Rising,
    /// Newest change first.
    Falling,
    /// By id.
    Id,
}

/// What rows may do while they are being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moving {
    /// Nothing.
    Still,
    /// Rows change (and so leave the window, or move in the list) and are deleted.
    Leaving,
    /// Rows become visible late, inside the window.
    Coming,
    /// Both.
    Both,
}

/// Everything that is fixed for a scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The plan.
    pub spec: PlanSpec,
    /// Rows at the beginning.
    pub rows: usize,
    /// Percent of rows that a condition leaves out.
    pub filtered: u64,
    /// Percent of rows without id.
    pub nameless: u64,
    /// Percent of rows that the target refuses while times are rough.
    pub poison: u64,
    /// Times that a process is started while times are rough.
    pub rounds: u64,
    /// The source's paging.
    pub paging: Paging,
    /// Rows per page.
    pub page_size: u32,
    /// Replies declare a total.
    pub total: bool,
    /// Replies say whether more follows.
    pub has_next: bool,
    /// A modification stamp is declared.
    pub stamp: bool,
    /// Pages in flight.
    pub concurrency: u32,
    /// The order of rows.
    pub order: Order,
    /// What rows do while they are read.
    pub moving: Moving,
    /// Percent of requests before which a row moves.
    pub unrest: u64,
    /// Percent of requests that fail in passing, are throttled, or find the token expired.
    pub source_faults: u64,
    /// Percent of replies whose total lies.
    pub lies: u64,
    /// Percent of ledger calls that fail, before or after their effect.
    pub ledger_faults: u64,
    /// What a lost answer means.
    pub replay: Replay,
    /// The target takes each id once.
    pub insert_only: bool,
    /// A successor displaces an older writer.
    pub fenced: bool,
    /// Writers.
    pub writers: u32,
    /// Rows of one write.
    pub max_rows: usize,
    /// Milliseconds of a write.
    pub latency: u64,
    /// Percent of writes that go wrong.
    pub target_faults: u64,
    /// Percent of lives that end in a crash.
    pub crashes: u64,
    /// Percent of lives that stand still until a successor has worked.
    pub halts: u64,
}

impl Scenario {
    /// Decides.
    pub fn new(rng: &mut Rng) -> Scenario {
        let mut spec = PlanSpec { start: Some(Ts(T0 - 7_200_000)), ..fake::spec() };
        spec.windowed = rng.chance(60);
        spec.lookback_ms = *rng.pick(&[60_000, 600_000, 3_600_000]);
        spec.settle_ms = *rng.pick(&[0, 0, 0, 30_000]);
        spec.window_ms = *rng.pick(&[None, None, Some(1_800_000), Some(7_000_000)]);
        spec.batch = *rng.pick(&[3, 1_000]);
        spec.retries = *rng.pick(&[0, 1, 3]);
        spec.max_attempts = *rng.pick(&[2, 10]);
        let paging = *rng.pick(&[
            Paging::Numbered,
            Paging::Numbered,
            Paging::Numbered,
            Paging::Cursor,
            Paging::Anchored,
            Paging::Single,
        ]);
        let (total, has_next) = match paging {
            Paging::Numbered => *rng.pick(&[(true, true), (true, false), (false, true), (false, false)]),
            Paging::Anchored => *rng.pick(&[(true, true), (false, true)]),
            _ => (false, true),
        };
        let replay = *rng.pick(&[Replay::Idempotent, Replay::LookUp, Replay::Never]);
        let insert_only = replay == Replay::LookUp && rng.chance(50);
        if insert_only {
            spec.policy = Policy { on_change: OnChange::Ignore, rewrite_unchanged: false };
        }
        // Between two replies a row may leave and another one come: of a pass that is held to a total alone, the two
        // together leave no trace. Elsewhere anything may happen.
        let moving = match *rng.pick(&[Moving::Still, Moving::Leaving, Moving::Coming, Moving::Both]) {
            Moving::Both if total && paging == Paging::Numbered => Moving::Leaving,
            other => other,
        };
        let fenced = rng.chance(70);
        let quiet = rng.chance(15);
        let some = |rng: &mut Rng, choice: &[u64]| if quiet { 0 } else { *rng.pick(choice) };
        Scenario {
            rows: *rng.pick(&[0, 1, 4, 9, 17, 25, 40]),
            filtered: some(rng, &[0, 0, 10]),
            nameless: some(rng, &[0, 0, 5]),
            poison: some(rng, &[0, 0, 8]),
            rounds: rng.between(1, 5),
            paging,
            page_size: *rng.pick(&[2, 3, 5, 8, 50]),
            total,
            has_next,
            stamp: rng.chance(40),
            concurrency: *rng.pick(&[1, 1, 2, 4]),
            order: *rng.pick(&[Order::Rising, Order::Falling, Order::Id]),
            moving,
            unrest: some(rng, &[5, 15, 40, 70]),
            source_faults: some(rng, &[0, 0, 5, 20]),
            lies: if total { some(rng, &[0, 0, 0, 10]) } else { 0 },
            ledger_faults: some(rng, &[0, 0, 0, 2]),
            replay,
            insert_only,
            fenced,
            writers: *rng.pick(&[1, 1, 2, 3]),
            max_rows: *rng.pick(&[1, 4, 20]),
            latency: *rng.pick(&[1, 30, 400, 3_000]),
            target_faults: some(rng, &[0, 10, 25, 50]),
            crashes: some(rng, &[0, 30, 70]),
            // What an unfenced target still takes from a process that slept in the middle of a write is a gap that
            // is documented, and cannot be closed here.
            halts: if fenced { some(rng, &[0, 30, 60]) } else { 0 },
            spec,
        }
    }
}
