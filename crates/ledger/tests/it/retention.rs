//! Retention on the file: its size, its steps, and whether what is counted is what is there.

use std::path::Path;

use bytes::Bytes;
use heliu_ledger::{Options, SqliteLedger};
use heliu_model::ports::*;
use heliu_model::record::Policy;
use heliu_model::run::RunState;
use heliu_model::{Call, CallKind, Ts, Window};
use heliu_testkit::rng::Rng;
use rusqlite::Connection;

use crate::run;

const START: Ts = Ts(1_710_403_200_000);
const HOUR: i64 = 3_600_000;

fn open(dir: &Path) -> SqliteLedger {
    SqliteLedger::open(dir, &Options::default()).expect("the ledger opens")
}

/// What counts as one body's referrers, counted anew; and that nothing refers to a body that is not there.
pub fn audit(dir: &Path) {
    let db = Connection::open(dir.join("ledger.db")).expect("the file opens");
    let pairs = |sql: &str| -> Vec<(i64, i64)> {
        let mut q = db.prepare(sql).expect("sql");
        let rows = q.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).expect("query");
        rows.collect::<Result<_, _>>().expect("rows")
    };
    let counted = pairs(
        "SELECT blob, count(*) FROM (SELECT blob FROM records WHERE blob IS NOT NULL
           UNION ALL SELECT blob FROM versions WHERE blob IS NOT NULL
           UNION ALL SELECT response_blob FROM calls WHERE response_blob IS NOT NULL) GROUP BY blob ORDER BY blob",
    );
    assert_eq!(counted, pairs("SELECT blob, n FROM blob_refs ORDER BY blob"));
    let held: Vec<i64> = pairs("SELECT id, 0 FROM blobs ORDER BY id").into_iter().map(|p| p.0).collect();
    assert_eq!(held, counted.iter().map(|p| p.0).collect::<Vec<_>>());
    // A record's story finds its calls, and so much is held by calls as they say.
    let lost = pairs(
        "SELECT id, call FROM (SELECT id, source_call AS call FROM records UNION ALL SELECT id, write_call FROM records
           UNION ALL SELECT record, source_call FROM versions UNION ALL SELECT record, write_call FROM versions)
         WHERE call IS NOT NULL AND call NOT IN (SELECT id FROM calls)",
    );
    assert_eq!(lost, []);
    let weights = pairs(
        "SELECT c.id, c.bytes FROM calls c LEFT JOIN blobs b ON b.id = c.response_blob
         WHERE c.bytes != coalesce(length(c.request_body), 0) + coalesce(length(b.data), 0)",
    );
    assert_eq!(weights, []);
    let sound: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).expect("check");
    assert_eq!(sound, "ok");
}

fn pages(dir: &Path) -> i64 {
    let db = Connection::open(dir.join("ledger.db")).expect("the file opens");
    db.query_row("PRAGMA page_count", [], |r| r.get(0)).expect("pages")
}

struct World {
    ledger: SqliteLedger,
    rng: Rng,
    now: Ts,
    runs: u64,
}

impl World {
    fn new(dir: &Path) -> World {
        World { ledger: open(dir), rng: Rng::new(11), now: START, runs: 0 }
    }

    /// A run that reads a page of so many records, `fresh` of them with new content, and writes what is due.
    async fn run(&mut self, records: usize, fresh: usize) {
        self.runs += 1;
        let plan = self.ledger.plan("shops", "uuid-1", START).await.expect("plan");
        let wish = OpenRun {
            windows: vec![(Window { from: self.now.plus_ms(-1), to: self.now }, "{}".into())],
            ..run::wish(plan.id, format!("01HRUN{:020}", self.runs), self.now)
        };
        let run = run::opened(&self.ledger, wish).await;
        let first = self.rng.below(records as u64) as usize;
        let contents: Vec<(usize, u8, Vec<u8>)> = (0..records)
            .map(|n| {
                let new = (n + records - first) % records < fresh;
                let version = if new { self.runs as u8 } else { 0 };
                // Nothing here can be compressed.
                (n, version, (0..500).map(|_| self.rng.bits() as u8).collect())
            })
            .collect();
        let body = Bytes::from(contents.iter().flat_map(|c| c.2.clone()).collect::<Vec<u8>>());
        let elements = contents
            .iter()
            .map(|(n, version, content)| {
                let mut hash = [*version; 16];
                hash[0] = *n as u8;
                Element {
                    id: Some(n.to_string()),
                    number: None,
                    hash,
                    stamp: None,
                    content: body.slice(n * 500..n * 500 + content.len()),
                    verdict: Verdict::Keep,
                    head: true,
                }
            })
            .collect();
        let mut call = Call::new(CallKind::Fetch, self.now, "POST", "http://example.invalid/orders");
        call.response_body = body.clone();
        let page = PageCommit {
            run: run.id,
            epoch: run.epoch,
            seq: 0,
            pass: 1,
            calls: vec![call],
            retried: 0,
            throttled: 0,
            body,
            packed: Packed::default(),
            elements,
            policy: Policy::default(),
            hand_over: 1_000,
            name_news: 0,
            now: self.now,
        };
        let close = Some(WindowClose { complete: true, watermark: Some(self.now) });
        let step = WalkStep { walk: String::new(), problems: Vec::new(), total: None, close };
        let stored = self.ledger.commit_page(page, Box::new(move |_| step)).await.expect("commit_page");
        let outcomes = stored.due.iter().map(|d| (d.row, d.version, Outcome::Written(None))).collect();
        let settle = Settle {
            run: run.id,
            epoch: run.epoch,
            intent: None,
            calls: vec![Call::new(CallKind::Write, self.now, "POST", "http://example.invalid/write")],
            outcomes,
            left: Left::default(),
            max_attempts: 10,
            now: self.now,
        };
        self.ledger.settle(settle).await.expect("settle");
        let close = CloseRun {
            run: run.id,
            epoch: run.epoch,
            state: RunState::Done,
            problems: Vec::new(),
            failure: None,
            seconds: 0.0,
            now: self.now,
        };
        self.ledger.close_run(close).await.expect("close_run");
        self.now = self.now.plus_ms(HOUR);
    }

    async fn round(&self, keep: &Retention) -> (PruneStep, usize) {
        let (mut sum, mut steps) = (PruneStep { next: Some(PruneAt::default()), ..PruneStep::default() }, 0);
        while let Some(at) = sum.next {
            let step = self.ledger.prune(keep, at).await.expect("prune");
            // What makes a step short.
            assert!(step.bodies <= 200 && step.contents <= 1_000 && step.returned <= 300 * 4_096, "{step:?}");
            sum.add(&step);
            steps += 1;
        }
        (sum, steps)
    }

    /// A day's calls and contents stay.
    fn keep(&self) -> Retention {
        let before = Some(self.now.plus_ms(-24 * HOUR));
        Retention { calls_before: before, calls_bytes: None, records_before: before, plans: Vec::new() }
    }
}

#[tokio::test]
async fn the_ledger_stays_bounded_over_many_runs() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut w = World::new(dir.path());
    let mut sizes = Vec::new();
    for n in 1..=600 {
        w.run(40, 2).await;
        if n % 12 == 0 {
            w.round(&w.keep()).await;
        }
        if n % 150 == 0 {
            sizes.push(pages(dir.path()) * 4_096);
        }
    }
    // 600 pages of 20 kB went by; a day and a half of them may be here, and a line for each run.
    assert!(sizes[3] < 3_000_000, "{sizes:?}");
    assert!(sizes[3] < sizes[0] + 600_000, "{sizes:?}");
    let plan = w.ledger.find_plan("shops").await.expect("find").expect("plan");
    let runs = w.ledger.runs(plan.id, 0).await.expect("runs");
    assert_eq!(runs.len(), 600, "runs and certificates stay");
    assert!(runs.iter().all(|r| r.windows.len() == 1 && r.windows[0].complete));
    assert_eq!(w.ledger.state_counts(plan.id).await.expect("counts").written, 40);
    // Lines of calls stay only where a record's story names them.
    let calls = w.ledger.calls(plan.id, CallFilter::default()).await.expect("calls");
    assert!(calls.len() > 48, "{}", calls.len());
    drop(w);
    audit(dir.path());
}

#[test]
fn the_file_shrinks_after_a_flood_while_others_write() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let before = runtime.block_on(async {
        let mut w = World::new(dir.path());
        assert!(w.ledger.shrinks().await.expect("shrinks"));
        for _ in 0..400 {
            w.run(60, 3).await;
        }
        let before = pages(dir.path()) as u64 * 4_096;
        let (sum, steps) = w.round(&w.keep()).await;
        assert!(steps > 10 && sum.bodies > 700 && sum.returned > before / 3, "{steps} {sum:?} {before}");
        // Another process writes while a round is under way.
        let (other, mut at) = (open(dir.path()), Some(PruneAt::default()));
        while let Some(here) = at {
            at = w.ledger.prune(&w.keep(), here).await.expect("prune").next;
            other.plan("shops", "uuid-2", START).await.expect("somebody else's turn");
        }
        before
    });
    // Whoever still moves the log into the file has the ledger open: the runtime waits for them.
    drop(runtime);
    // The last one to leave has written everything to the file.
    assert!(!dir.path().join("ledger.db-wal").exists());
    let after = std::fs::metadata(dir.path().join("ledger.db")).expect("the file").len();
    assert!(after * 3 < before, "{before} {after}");
    audit(dir.path());
}

#[tokio::test]
async fn size_alone_bounds_the_bodies() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut w = World::new(dir.path());
    for _ in 0..30 {
        w.run(40, 0).await;
    }
    let keep = Retention { calls_bytes: Some(100_000), ..Retention::default() };
    w.round(&keep).await;
    let plan = w.ledger.find_plan("shops").await.expect("find").expect("plan");
    let calls = w.ledger.calls(plan.id, CallFilter::default()).await.expect("calls");
    let whole = calls.iter().filter(|c| !c.pruned && c.call.kind == CallKind::Fetch).count();
    assert_eq!((whole, calls.len()), (4, 60), "the newest pages of 20 kB, and a line for each other call");
    drop(w);
    audit(dir.path());
}

#[tokio::test]
async fn a_ledger_of_an_early_version_is_rebuilt_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("ledger.db");
    World::new(dir.path()).run(10, 1).await;
    // As it was made before files could shrink.
    let db = Connection::open(&file).expect("the file opens");
    db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM;").expect("vacuum");
    drop(db);
    let mut w = World { ledger: open(dir.path()), rng: Rng::new(2), now: START.plus_ms(HOUR), runs: 1 };
    assert!(!w.ledger.shrinks().await.expect("shrinks"));
    w.run(10, 1).await;
    w.round(&w.keep()).await;
    w.ledger.rebuild().await.expect("rebuild");
    assert!(w.ledger.shrinks().await.expect("shrinks"));
    w.run(10, 1).await;
    drop(w);
    audit(dir.path());
}
