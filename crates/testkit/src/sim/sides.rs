//! The simulated source and target of one life, and what happens to the ledger's calls.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use heliu_engine::{DialectShaper, Renderer, Shaper, Written};
use heliu_model::call::Exchange;
use heliu_model::ports::{
    Clock, Element, Left, Page, PageRequest, Prepared, RefreshStart, RowBody, RowResult, RunId, Source,
    SourceShape, StoredPut, TokenEvent, TokenPair, Tokens, Verdict, WriteRow,
};
use heliu_model::record::Policy;
use heliu_model::walk::Paging;
use heliu_model::{Call, CallKind, Class, Failure, Secret, Ts, Window, text};
use heliu_transform::canonical::{Scratch, content_hash};

use super::{Mutation, Stats, World};
use crate::ManualClock;
use crate::clock::Held;
use crate::fake::{Act, Did, FakeSource, FakeTarget, Shared, Whole, with};
use crate::process::Process;
use crate::rng::Rng;
use crate::through::Gate;

const CREDENTIAL: &str = "connector/sim";

fn passing() -> Failure {
    Failure::transient("SIM-PASSING", text!("passing trouble", "暂时性故障"))
}

fn throttled(ms: u64) -> Failure {
    let mut f = Failure::new(Class::RateLimited, "SIM-THROTTLED", text!("slow down", "请放慢"));
    f.retry_after_ms = Some(ms);
    f
}

fn refused() -> Failure {
    Failure::config("SIM-REFUSED", text!("refused", "拒绝"))
}

fn bad() -> Failure {
    Failure::data("SIM-BAD", text!("the row is refused", "该行被拒绝"))
}

fn too_large() -> Failure {
    let mut f = Failure::data("SIM-LARGE", text!("too large", "过大"));
    f.split = true;
    f
}

/// The plan that everything written is passed on to.
pub(super) const ONWARD: &str = "onward";

/// Contents as they are; each is kept and passed on as it was written.
pub(super) struct Onward;

impl Renderer for Onward {
    fn render(&self, window: &Window, content: &Bytes) -> Result<RowBody, Failure> {
        Whole.render(window, content)
    }

    fn leaves(&self) -> bool {
        true
    }

    fn left(&self, _: &Window, written: &[Written<'_>], by: (RunId, i64), now: Ts) -> Left {
        let element = |w: &Written<'_>| Element {
            id: Some(w.id.to_owned()),
            number: None,
            hash: content_hash(w.content, &[], &mut Scratch::default()).unwrap_or_default(),
            stamp: None,
            content: w.content.clone(),
            verdict: Verdict::Keep,
            head: true,
        };
        let passed = StoredPut {
            plan: ONWARD.into(),
            uuid: ONWARD.into(),
            call: Call::new(CallKind::Fetch, now, "STORE", ONWARD),
            body: Bytes::new(),
            elements: written.iter().map(element).collect(),
            policy: Policy::default(),
            by,
            now,
        };
        let text = |w: &Written<'_>| String::from_utf8_lossy(w.content).into_owned();
        Left {
            kept: written.iter().map(|w| (w.row, text(w))).collect(),
            passed: Some(passed),
            problems: Vec::new(),
        }
    }
}

impl World {
    pub(super) fn source(&mut self, process: &Arc<Process>) -> FakeSource {
        let s = self.scenario.clone();
        let mut rng = self.rng.fork();
        let (platform, rough, clock) = (self.platform.clone(), self.rough.clone(), self.clock.clone());
        let shelf = with(&self.platform, |p| p.shelf.clone());
        let mut source = FakeSource::new(&shelf, self.shared_clock(), s.page_size)
            .declares(s.total, s.has_next)
            .shaped(|shape| {
                shape.paging = s.paging;
                shape.concurrency = s.concurrency;
                shape.stamp = s.stamp.then(|| "at".into());
                shape.anchor = (s.paging == Paging::Anchored).then(|| "ts".into());
            })
            .gated(process.clone())
            .before_each(move || {
                if !with(&rough, |r| *r) {
                    return Act::Answer;
                }
                if rng.chance(s.unrest) {
                    with(&platform, |p| p.change(clock.now().0, false));
                }
                if rng.chance(s.source_faults) {
                    return match rng.below(8) {
                        0..4 => Act::Fail(passing(), rng.below(10_000)),
                        4..7 => Act::Fail(throttled(rng.between(50, 5_000)), 5),
                        _ => Act::Fail(refused(), 5),
                    };
                }
                if rng.chance(s.lies) {
                    let by = rng.between(1, 30);
                    let more = rng.chance(50);
                    return Act::Edit(Box::new(move |page| {
                        page.total = page.total.map(|t| if more { t + by } else { t.saturating_sub(by) });
                    }));
                }
                Act::Answer
            });
        source.windowed = self.scenario.spec.windowed;
        source.shuffle = true;
        source.latency = self.rng.between(1, 80);
        source
    }

    pub(super) fn target(&mut self, process: &Arc<Process>) -> FakeTarget {
        let s = self.scenario.clone();
        let mut rng = self.rng.fork();
        let (platform, rough, stats) = (self.platform.clone(), self.rough.clone(), self.stats.clone());
        let mut target = FakeTarget::new(&self.table, self.shared_clock(), s.replay)
            .shaped(|shape| {
                shape.max_rows = s.max_rows;
                shape.writers = s.writers;
            })
            .gated(process.clone())
            .scripted(move |_, rows, table| {
                if !with(&rough, |r| *r) {
                    return Did::Answer;
                }
                let done = misfortune(&mut rng, &s, rows, &platform, table);
                if matches!(done, Did::Lose(_)) {
                    with(&stats, |s| s.lost += 1);
                }
                done
            });
        target.fenced = self.scenario.fenced;
        target.insert_only = self.scenario.insert_only;
        target.latency = self.scenario.latency;
        target
    }

    /// A shaper that may be broken on purpose.
    pub(super) fn shaper(&self, source: &FakeSource) -> Arc<dyn Shaper> {
        let condition = serde_json::json!([[{"field": "status", "logic": "neq", "value": "0"}]]);
        let shaper = source.shaper(Some(condition));
        if self.mutation == Some(Mutation::RawHash) { Arc::new(RawHash(shaper)) } else { Arc::new(shaper) }
    }
}

fn misfortune(
    rng: &mut Rng,
    s: &super::Scenario,
    rows: &[WriteRow],
    platform: &Shared<super::Platform>,
    table: &crate::fake::Table,
) -> Did {
    let poison = |r: &WriteRow| with(platform, |p| p.poison.contains(&r.id));
    if rows.iter().any(poison) {
        // A statement fails as a whole; a request may say which row it was.
        if s.fenced {
            return Did::Fail(bad());
        }
        return Did::Partly(rows.iter().map(|r| poison(r).then(|| RowResult::Failed(bad()))).collect());
    }
    if !rng.chance(s.target_faults) {
        return Did::Answer;
    }
    let _ = table;
    match rng.below(12) {
        0..3 => Did::Fail(passing()),
        3..5 => Did::Fail(throttled(rng.between(50, 9_000))),
        5 if rows.len() > 1 => Did::Fail(too_large()),
        6 if rng.chance(30) => Did::Fail(refused()),
        // A statement is there or not; a request may have got halfway.
        7..10 => Did::Lose(if s.fenced && rng.chance(50) {
            0
        } else if s.fenced {
            rows.len()
        } else {
            rng.index(rows.len() + 1)
        }),
        _ => Did::Partly(
            rows.iter()
                .map(|_| match rng.below(8) {
                    0..2 => Some(RowResult::Waiting(passing())),
                    2 if !s.insert_only && s.replay == heliu_model::ports::Replay::Never => {
                        Some(RowResult::InDoubt(passing()))
                    }
                    _ => None,
                })
                .collect(),
        ),
    }
}

/// Contents are compared by their bytes: wrong, because platforms reorder members.
struct RawHash(DialectShaper);

impl Shaper for RawHash {
    fn shape(&self, element: &Bytes, out: &mut Vec<Element>) {
        let from = out.len();
        self.0.shape(element, out);
        for e in &mut out[from..] {
            for (i, seed) in [0xcbf2_9ce4_8422_2325u64, 0x9e37_79b9_7f4a_7c15].into_iter().enumerate() {
                let h =
                    e.content.iter().fold(seed, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
                e.hash[i * 8..i * 8 + 8].copy_from_slice(&h.to_le_bytes());
            }
        }
    }

    fn anchor(&self, element: &Bytes) -> Option<String> {
        self.0.anchor(element)
    }
}

/// A source whose token runs out: one refresh for all, its intent in the ledger before it is asked for.
pub(super) struct Tokened {
    pub inner: FakeSource,
    pub tokens: Arc<dyn Tokens>,
    pub clock: Arc<dyn Clock>,
    pub owner: String,
    /// Milliseconds that a token lasts.
    pub lasts: i64,
}

impl Tokened {
    async fn token(&self, calls: &mut Vec<Call>) -> Result<(), Failure> {
        for _ in 0..1_000 {
            let row = self.tokens.load(CREDENTIAL).await?;
            let now = self.clock.now();
            if row.as_ref().is_some_and(|r| r.pair.expires_at.is_some_and(|t| t > now)) {
                return Ok(());
            }
            let generation = row.map_or(0, |r| r.generation);
            match self.tokens.begin_refresh(CREDENTIAL, generation, &self.owner, now, 30_000).await? {
                RefreshStart::Newer(_) => {}
                RefreshStart::Busy(ms) => self.clock.sleep_ms(ms).await,
                RefreshStart::Yours { .. } => {
                    self.clock.sleep_ms(15).await;
                    calls.push(Call::new(CallKind::Token, now, "POST", "fake://platform/token"));
                    let pair = TokenPair {
                        access: Secret::new(format!("at {}", now.0)),
                        refresh: None,
                        expires_at: Some(self.clock.now().plus_ms(self.lasts)),
                    };
                    let line = TokenEvent {
                        at: self.clock.now(),
                        event: "refreshed".into(),
                        by: self.owner.clone(),
                        detail: String::new(),
                        expires_at: pair.expires_at,
                    };
                    self.tokens.end_refresh(CREDENTIAL, &self.owner, Some(&pair), false, &line).await?;
                }
            }
        }
        Err(passing())
    }
}

#[async_trait]
impl Source for Tokened {
    fn shape(&self) -> &SourceShape {
        self.inner.shape()
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        let mut calls = Vec::new();
        if let Err(failure) = self.token(&mut calls).await {
            return Exchange { calls, result: Err(failure) };
        }
        let mut exchange = self.inner.fetch(request).await;
        calls.append(&mut exchange.calls);
        Exchange { calls, result: exchange.result }
    }

    fn prepare(&self, request: &PageRequest) -> Result<Prepared, Failure> {
        self.inner.prepare(request)
    }
}

/// The ledger's gate of one life: it dies with its process, and its calls may fail.
pub(super) struct LedgerGate {
    pub process: Arc<Process>,
    pub rng: Shared<Rng>,
    pub rough: Shared<bool>,
    pub stats: Shared<Stats>,
    /// Percent of calls that fail.
    pub faults: u64,
    /// Stands still while a call is under way: it may be on another thread.
    pub clock: ManualClock,
}

impl LedgerGate {
    fn fault(&self) -> Result<(), Failure> {
        if self.faults > 0 && with(&self.rough, |r| *r) && with(&self.rng, |r| r.chance(self.faults)) {
            return Err(Failure::transient("SIM-LOCKED", text!("the ledger is locked", "台账被锁定")));
        }
        Ok(())
    }
}

#[async_trait]
impl Gate for LedgerGate {
    async fn before(&self, op: &'static str) -> Result<(), Failure> {
        let calls = with(&self.stats, |s| {
            s.calls += 1;
            s.calls
        });
        assert!(calls < 100_000, "it goes on for ever");
        self.process.before(op).await?;
        self.fault()
    }

    fn under_way(&self) -> Option<Held> {
        Some(self.clock.hold())
    }

    async fn after(&self, op: &'static str) -> Result<(), Failure> {
        self.process.after(op).await?;
        self.fault()
    }
}
