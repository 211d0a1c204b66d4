//! A small world for the scheduler: plans that read what they are told to and write into a list.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use heliu_engine::{
    Change, Engine, Finish, PlanSpec, PlanTimes, Renderer, Runnable, Scheduler, Shaper, Sides, SkippedTicks,
    Start, Stop, Watcher, Workshop,
};
use heliu_model::call::Exchange;
use heliu_model::ports::*;
use heliu_model::record::Policy;
use heliu_model::run::RunReport;
use heliu_model::schedule::{Missed, Schedule};
use heliu_model::walk::{Paging, Verify};
use heliu_model::{Call, CallKind, Failure, Ts, Window, text};
use heliu_testkit::{ManualClock, MemoryLedger};
use tokio::sync::mpsc;

pub const TZ: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

pub fn at(words: &str) -> Ts {
    Ts::parse(&format!("2024-03-14 {words}"), TZ).unwrap()
}

pub fn clock_of(t: Ts) -> String {
    t.local(TZ).split(' ').nth(1).unwrap().to_owned()
}

/// What a plan's source and target do.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// The source's answer takes so long (ms).
    pub slow_ms: u64,
    /// The source fails until this instant.
    pub fails_until: Option<Ts>,
    /// Opening the target takes so long (ms).
    pub open_ms: u64,
    /// The source's clock is behind by so much (ms); known once it has answered.
    pub behind_ms: i64,
    /// Records the source gives.
    pub records: Vec<(String, String)>,
}

/// Everything that several processes share.
#[derive(Clone)]
pub struct World {
    pub clock: ManualClock,
    pub ledger: MemoryLedger,
    plans: Arc<Mutex<HashMap<String, Behaviour>>>,
    /// Windows that were read: plan, now, window.
    pub read: Arc<Mutex<Vec<(String, Ts, Window)>>>,
    /// What the targets hold.
    pub rows: Arc<Mutex<BTreeMap<String, String>>>,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub fn new(now: &str) -> World {
        World {
            clock: ManualClock::new(at(now)),
            ledger: MemoryLedger::new(),
            plans: Arc::default(),
            read: Arc::default(),
            rows: Arc::default(),
            log: Arc::default(),
        }
    }

    pub fn behave(&self, plan: &str, change: impl FnOnce(&mut Behaviour)) {
        change(self.plans.lock().unwrap().entry(plan.to_owned()).or_default());
    }

    pub fn behaviour(&self, plan: &str) -> Behaviour {
        self.plans.lock().unwrap().get(plan).cloned().unwrap_or_default()
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// When each plan was read, as `plan HH:MM:SS`.
    pub fn reads(&self) -> Vec<String> {
        self.read.lock().unwrap().iter().map(|(p, t, _)| format!("{p} {}", clock_of(*t))).collect()
    }

    pub fn engine(&self, owner: &str) -> Engine {
        Engine::new(Arc::new(self.ledger.clone()), Arc::new(self.clock.clone()), owner)
    }

    /// A service process; it runs when it is polled.
    pub fn service(&self, owner: &str, plans: &[PlanTimes]) -> (mpsc::Sender<Vec<Change>>, Service) {
        self.service_with(self.engine(owner), plans)
    }

    pub fn service_with(&self, engine: Engine, plans: &[PlanTimes]) -> (mpsc::Sender<Vec<Change>>, Service) {
        let (tx, rx) = mpsc::channel(8);
        let first = plans.iter().map(|p| Change::Set(Box::new(p.clone()))).collect();
        tx.try_send(first).unwrap();
        let scheduler = Scheduler::new(
            Arc::new(engine),
            Arc::new(self.ledger.clone()),
            Arc::new(self.ledger.clone()),
            Arc::new(self.clock.clone()),
            Arc::new(self.clone()),
            Arc::new(self.clone()),
            8,
        );
        let (wish, stop) = Stop::new();
        (tx, Service { scheduler, changes: rx, stop, wish })
    }

    pub fn spec(&self, plan: &str) -> PlanSpec {
        PlanSpec {
            name: plan.to_owned(),
            uuid: plan.to_owned(),
            tz: TZ,
            start: Some(at("00:00:00")),
            lookback_ms: 0,
            settle_ms: 0,
            window_ms: None,
            windowed: true,
            batch: 100,
            retries: 0,
            max_attempts: 10,
            policy: Policy::default(),
            verify: Verify::Off,
            connectors: Vec::new(),
        }
    }

    pub fn sides(&self, plan: &str) -> Sides {
        let world = self.clone();
        let shape = SourceShape {
            paging: Paging::Single,
            page_size: 100,
            max_window_ms: None,
            stamp: None,
            anchor: None,
            concurrency: 1,
            edges: heliu_model::window::Edges::default(),
        };
        let target = TargetShape {
            render: Render::Nothing,
            max_rows: 100,
            writers: 1,
            replay: Replay::Idempotent,
            local: false,
        };
        Sides {
            source: Arc::new(Src { world: world.clone(), plan: plan.to_owned(), shape }),
            shaper: Arc::new(Keys),
            target: Arc::new(Tgt { world, plan: plan.to_owned(), shape: target }),
            renderer: Arc::new(Raw),
        }
    }
}

pub struct Service {
    scheduler: Scheduler,
    changes: mpsc::Receiver<Vec<Change>>,
    stop: Stop,
    pub wish: tokio::sync::watch::Sender<bool>,
}

impl Service {
    /// Runs until `until`, then is told to stop and ends gracefully.
    pub async fn until(self, clock: &ManualClock, until: Ts) {
        let wait = u64::try_from(until.0 - clock.now().0).unwrap();
        let wish = self.wish;
        let end = async {
            clock.sleep_ms(wait).await;
            wish.send(true).unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.scheduler.run(self.changes, self.stop) => {}
            () = end => {}
        }
    }

    /// Runs until `until`, then vanishes as a killed process does.
    pub async fn killed_at(self, clock: &ManualClock, until: Ts) {
        let wait = u64::try_from(until.0 - clock.now().0).unwrap();
        tokio::select! {
            biased;
            () = clock.sleep_ms(wait) => {}
            () = self.scheduler.run(self.changes, self.stop) => {}
        }
    }
}

pub fn times(name: &str, schedule: &str) -> PlanTimes {
    PlanTimes {
        name: name.into(),
        uuid: name.into(),
        tz: TZ,
        schedule: (!schedule.is_empty()).then(|| Schedule::parse(schedule).unwrap()),
        target_schedule: None,
        remedy: None,
        after: None,
        missed: Missed::Once,
        jitter_ms: 0,
        priority: 0,
        enabled: true,
        share: "one".into(),
    }
}

#[async_trait]
impl Workshop for World {
    async fn ready(&self, plan: &str, _trigger: Trigger) -> Result<Arc<Runnable>, Failure> {
        Ok(Arc::new(Runnable { spec: self.spec(plan), sides: self.sides(plan) }))
    }
}

impl Watcher for World {
    fn started(&self, start: &Start, late_ms: i64) {
        let (plan, word, at) = (&start.plan, start.tick.trigger.word(), clock_of(start.tick.at));
        self.log.lock().unwrap().push(format!("{plan} {word} {at} +{late_ms}"));
    }

    fn finished(&self, start: &Start, how: Finish, _result: &Result<RunReport, Failure>) {
        let now = clock_of(self.clock.now());
        self.log.lock().unwrap().push(format!("{} {how:?} {now}", start.plan));
    }

    fn skipped(&self, ticks: &SkippedTicks) {
        self.log.lock().unwrap().push(format!("{} skipped {}", ticks.plan, ticks.missed));
    }
}

struct Src {
    world: World,
    plan: String,
    shape: SourceShape,
}

#[async_trait]
impl Source for Src {
    fn shape(&self) -> &SourceShape {
        &self.shape
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        let now = self.world.clock.now();
        self.world.read.lock().unwrap().push((self.plan.clone(), now, request.window));
        let b = self.world.behaviour(&self.plan);
        self.world.clock.sleep_ms(b.slow_ms).await;
        let call = Call::new(CallKind::Fetch, now, "GET", "http://example.invalid");
        if b.fails_until.is_some_and(|t| now < t) {
            let f = Failure::transient("HL-3001", text!("unreachable", "无法连接"));
            return Exchange { calls: vec![call], result: Err(f) };
        }
        let elements: Vec<Bytes> = b.records.iter().map(|(id, v)| Bytes::from(format!("{id}={v}"))).collect();
        Exchange { calls: vec![call], result: Ok(Page { elements, ..Page::default() }) }
    }

    fn clock_behind_ms(&self) -> i64 {
        let known = self.world.read.lock().unwrap().iter().any(|r| r.0 == self.plan);
        if known { self.world.behaviour(&self.plan).behind_ms } else { 0 }
    }

    fn prepare(&self, _request: &PageRequest) -> Result<Prepared, Failure> {
        panic!("not asked for")
    }
}

struct Keys;

impl Shaper for Keys {
    fn shape(&self, element: &Bytes, out: &mut Vec<Element>) {
        let words = std::str::from_utf8(element).unwrap();
        let id = words.split('=').next().unwrap().to_owned();
        let mut hash = [0; 16];
        for (i, b) in element.iter().enumerate() {
            hash[i % 16] ^= b.rotate_left(i as u32 / 16);
        }
        out.push(Element {
            number: Some(id.clone()),
            id: Some(id),
            hash,
            stamp: None,
            content: element.clone(),
            verdict: Verdict::Keep,
            head: true,
        });
    }

    fn anchor(&self, _element: &Bytes) -> Option<String> {
        None
    }
}

struct Raw;

impl Renderer for Raw {
    fn render(&self, _window: &Window, content: &Bytes) -> Result<RowBody, Failure> {
        let words = std::str::from_utf8(content).unwrap();
        Ok(RowBody::Columns(vec![heliu_transform::Value::from(words)]))
    }
}

struct Tgt {
    world: World,
    plan: String,
    shape: TargetShape,
}

#[async_trait]
impl Target for Tgt {
    fn shape(&self) -> &TargetShape {
        &self.shape
    }

    async fn open(&self, _fence: &Fence) -> Result<Box<dyn TargetSession>, Failure> {
        let b = self.world.behaviour(&self.plan);
        self.world.clock.sleep_ms(b.open_ms).await;
        Ok(Box::new(Session(self.world.clone())))
    }

    fn prepare(&self, _rows: &[WriteRow]) -> Result<Vec<Prepared>, Failure> {
        Ok(Vec::new())
    }
}

struct Session(World);

#[async_trait]
impl TargetSession for Session {
    async fn write(&mut self, rows: &[WriteRow]) -> Exchange<Vec<RowResult>> {
        for row in rows {
            let RowBody::Columns(values) = &row.body else { panic!("columns") };
            let value = values[0].as_str().unwrap().to_owned();
            self.0.rows.lock().unwrap().insert(row.id.clone(), value);
        }
        let result = Ok(rows.iter().map(|_| RowResult::Written(None)).collect());
        Exchange { calls: vec![Call::new(CallKind::Write, self.0.clock.now(), "SQL", "x")], result }
    }

    async fn look_up(&mut self, rows: &[WriteRow]) -> Exchange<Vec<Found>> {
        Exchange { calls: Vec::new(), result: Ok(vec![Found::Unknown; rows.len()]) }
    }
}
