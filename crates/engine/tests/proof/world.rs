//! A platform, a ledger, a target and a clock; and what must hold of them whatever happened.

use std::sync::Arc;

use heliu_engine::{Engine, PlanSpec, RunOptions, Sides, Silent, Stop};
use heliu_model::ports::{Ledger, RecordFilter, RecordRow, Replay, RowId};
use heliu_model::record::State;
use heliu_model::run::{RunReport, RunState};
use heliu_model::{Class, Failure, Ts, text};
use heliu_testkit::fake::{self, FakeSource, FakeTarget, Shared, Shelf, Table, Whole, shared, with};
use heliu_testkit::{ManualClock, MemoryLedger};

/// When every test begins.
pub const T0: i64 = 1_710_403_200_000;
pub const HOUR: i64 = 3_600_000;
pub const MINUTE: i64 = 60_000;

pub struct World {
    pub clock: ManualClock,
    pub ledger: MemoryLedger,
    pub shelf: Shared<Shelf>,
    pub table: Shared<Table>,
    pub spec: PlanSpec,
}

impl World {
    /// `n` rows, one second apart, from an hour before now on.
    pub fn new(n: usize) -> World {
        World {
            clock: ManualClock::new(Ts(T0)),
            ledger: MemoryLedger::new(),
            shelf: shared(Shelf::of(n, T0 - HOUR)),
            table: shared(Table::default()),
            spec: PlanSpec { start: Some(Ts(T0 - 2 * HOUR)), ..fake::spec() },
        }
    }

    pub fn source(&self, page_size: u32) -> FakeSource {
        FakeSource::new(&self.shelf, Arc::new(self.clock.clone()), page_size)
    }

    pub fn target(&self, replay: Replay) -> FakeTarget {
        FakeTarget::new(&self.table, Arc::new(self.clock.clone()), replay)
    }

    pub fn sides(&self, source: FakeSource, target: FakeTarget) -> Sides {
        let shaper = Arc::new(source.shaper(None));
        Sides { source: Arc::new(source), shaper, target: Arc::new(target), renderer: Arc::new(Whole) }
    }

    /// Runs the plan once.
    pub fn run(&self, source: FakeSource, target: FakeTarget) -> RunReport {
        self.run_as(&self.sides(source, target), RunOptions::default()).expect("the run begins")
    }

    /// Runs the plan once over a source that declares totals and a target that may be replayed.
    pub fn quietly(&self) -> RunReport {
        self.run(self.source(10).declares(true, true), self.target(Replay::Idempotent))
    }

    pub fn run_as(&self, sides: &Sides, options: RunOptions) -> Result<RunReport, Failure> {
        self.run_until(sides, options, Stop::never())
    }

    pub fn run_until(&self, sides: &Sides, options: RunOptions, stop: Stop) -> Result<RunReport, Failure> {
        let engine = self.engine("one");
        self.clock.run(engine.run(&self.spec, sides, options, Arc::new(Silent), stop))
    }

    pub fn engine(&self, owner: &str) -> Engine {
        Engine::new(Arc::new(self.ledger.clone()), Arc::new(self.clock.clone()), owner)
    }

    pub fn now(&self) -> Ts {
        use heliu_model::ports::Clock;
        self.clock.now()
    }

    pub fn rows<R>(&self, look: impl FnOnce(&mut Shelf) -> R) -> R {
        with(&self.shelf, look)
    }

    pub fn table<R>(&self, look: impl FnOnce(&mut Table) -> R) -> R {
        with(&self.table, look)
    }

    pub fn plan(&self) -> heliu_model::ports::PlanRow {
        self.clock.run(self.ledger.find_plan("orders")).unwrap().expect("the plan has run")
    }

    pub fn watermark(&self) -> Option<i64> {
        self.plan().watermark.map(|t| t.0)
    }

    pub fn records(&self) -> Vec<RecordRow> {
        let plan = self.plan().id;
        self.clock.run(self.ledger.records(plan, RecordFilter::default())).unwrap()
    }

    pub fn record(&self, id: &str) -> RecordRow {
        self.records().into_iter().find(|r| r.id.as_deref() == Some(id)).expect("a record")
    }

    pub fn state(&self, id: &str) -> State {
        self.record(id).state
    }

    pub fn put_back(&self, state: State) -> u64 {
        let rows: Vec<RowId> = self.records().iter().filter(|r| r.state == state).map(|r| r.row).collect();
        for id in self.records().iter().filter(|r| r.state == state).filter_map(|r| r.id.clone()) {
            self.table(|t| t.unanswered.remove(&id));
        }
        let plan = self.plan().id;
        self.clock.run(self.ledger.put_back(plan, &rows, self.now())).unwrap()
    }

    /// The newest run as it is stored.
    pub fn stored(&self) -> heliu_model::ports::RunRow {
        let plan = self.plan().id;
        self.clock.run(self.ledger.runs(plan, 1)).unwrap().remove(0)
    }

    /// Every row of the platform is in the target as it is now, and every record says so.
    pub fn assert_all_written(&self) {
        self.assert_conserved();
        let want: Vec<(String, String)> = self
            .rows(|s| s.rows.iter().filter_map(|r| Some((r.id.clone()?, canonical(&r.json(0))))).collect());
        for (id, content) in want {
            let there = self.table(|t| t.rows.get(&id).map(|e| canonical(&e.content)));
            assert_eq!(there, Some(content), "row {id} of the target");
            assert_eq!(self.state(&id), State::Written, "record {id}");
        }
    }

    /// What holds at any moment: the newest run balances, and each record is in one state.
    pub fn assert_conserved(&self) {
        let run = self.stored();
        assert!(run.counts.source_balances(), "source: {:?}", run.counts);
        assert!(run.counts.target_balances(), "target: {:?}", run.counts);
        for w in &run.windows {
            assert_eq!(w.returned, w.records.sum(), "window {:?}", w.window);
        }
        if run.state != RunState::Open {
            let queued = self.records().iter().filter(|r| r.state == State::Queued).count();
            assert_eq!(queued, self.ledger.open_intents(), "queued without a run");
        }
        let mut ids: Vec<_> = self.records().into_iter().filter_map(|r| r.id).collect();
        let n = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), n, "a record twice");
    }
}

/// Members in order, so that contents can be compared.
pub fn canonical(json: &str) -> String {
    let map: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap();
    serde_json::to_string(&map).unwrap()
}

pub fn transient() -> Failure {
    Failure::transient("HL-3010", text!("no connection", "无法连接"))
}

pub fn throttled(ms: u64) -> Failure {
    let mut f = Failure::new(Class::RateLimited, "HL-3020", text!("slow down", "请放慢"));
    f.retry_after_ms = Some(ms);
    f
}

pub fn refused(code: &str) -> Failure {
    Failure::config(code, text!("the signature is wrong", "签名错误"))
}

pub fn bad_row() -> Failure {
    Failure::data("HL-5002", text!("too long for the column", "超出列长度"))
}

/// Codes of the findings.
pub fn codes(report: &RunReport) -> Vec<&str> {
    report.problems.iter().map(|p| p.code.as_str()).collect()
}
