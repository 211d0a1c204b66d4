//! What may go, and what never does.

use std::sync::Arc;

use heliu_model::CallKind;
use heliu_model::ports::*;
use heliu_model::run::{RunKind, RunReport, RunState};

use super::*;
use crate::rng::Rng;

/// Everything that may go, goes.
fn greedy(now: Ts) -> Retention {
    Retention { calls_before: Some(now), calls_bytes: Some(0), records_before: Some(now), plans: Vec::new() }
}

/// A whole round, or its first steps.
async fn round(store: &dyn Store, keep: &Retention, steps: usize) -> PruneStep {
    let mut sum = PruneStep { next: Some(PruneAt::default()), ..PruneStep::default() };
    for _ in 0..steps {
        let Some(at) = sum.next else { break };
        sum.add(&store.prune(keep, at).await.expect("prune"));
    }
    sum
}

async fn all(store: &dyn Store, keep: &Retention) -> PruneStep {
    let sum = round(store, keep, 1_000).await;
    assert_eq!(sum.next, None, "a round ends");
    sum
}

/// Oldest first; by size only the bodies go, by age whatever no record's story names.
pub async fn calls_go_by_age_and_size(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let mut rng = Rng::new(7);
    let mut ids = Vec::new();
    for n in 0..5 {
        let mut c = call(CallKind::Write, START.plus_ms(n * 1_000));
        // Nothing can be compressed here, so that sizes are about what they seem.
        c.response_body = (0..1_000).map(|_| rng.bits() as u8).collect::<Vec<_>>().into();
        c.request_headers = vec![("accept".into(), "*/*".into())];
        ids.extend(b.store.save_calls(Some(run.id), vec![c], 0, 0).await.expect("save"));
    }
    let kept = async || {
        let mut kept = Vec::new();
        for id in &ids {
            kept.push(b.store.call(*id).await.expect("call").map(|row| {
                assert_eq!(row.pruned, row.call.response_body.is_empty());
                assert_eq!(row.pruned, row.call.request_body.is_empty());
                !row.pruned
            }));
        }
        kept
    };
    let (whole, line, gone) = (Some(true), Some(false), None);
    assert_eq!(all(&*b.store, &Retention::default()).await, PruneStep::default());
    assert_eq!(kept().await, [whole, whole, whole, whole, whole]);
    let age = Retention { calls_before: Some(START.plus_ms(1_000)), ..Retention::default() };
    let done = all(&*b.store, &age).await;
    assert_eq!((done.bodies, done.calls), (1, 1));
    assert!(done.freed > 900, "{done:?}");
    assert_eq!(kept().await, [gone, whole, whole, whole, whole]);
    let size = Retention { calls_bytes: Some(3_200), ..Retention::default() };
    let done = all(&*b.store, &size).await;
    assert_eq!((done.bodies, done.calls), (1, 0));
    assert_eq!(kept().await, [gone, line, whole, whole, whole]);
    assert_eq!(all(&*b.store, &size).await.freed, 0);
    // What went by size goes altogether when it is old enough; the newest call stays as a line.
    let age = Retention { calls_before: Some(START.plus_ms(1_000_000)), ..Retention::default() };
    let done = all(&*b.store, &age).await;
    assert_eq!((done.bodies, done.calls), (3, 3));
    assert_eq!(kept().await, [gone, gone, gone, gone, line]);
}

/// The calls that brought and wrote a record stay as lines, so that its story can be told.
pub async fn a_storys_calls_stay_as_lines(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("a", "1"), filtered("out", "1", "rule")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    // Brings nothing new.
    let idle = b.commit(Sheet::new(&run, vec![keep("a", "1")]).at(0, 2)).await.call;
    // A new version, by another call.
    b.commit(Sheet::new(&run, vec![keep("a", "2")]).at(0, 3)).await;
    b.store.save_calls(Some(run.id), vec![call(CallKind::Test, b.now)], 0, 0).await.expect("save");
    b.later(1_000);
    all(&*b.store, &greedy(b.now)).await;
    let story = b.story("a").await;
    let older = &story.versions[0];
    let named =
        [older.source_call, older.write_call, story.record.source_call, b.record("out").await.source_call];
    for id in named {
        let id = id.expect("named");
        let row = b.store.call(id).await.expect("call").unwrap_or_else(|| panic!("call {id} is gone"));
        assert!(row.pruned && row.call.response_body.is_empty() && row.call.request_headers.is_empty());
        assert_eq!((row.call.status, row.run.as_deref()), (Some(200), Some(run.ulid.as_str())));
    }
    assert!(b.store.call(idle).await.expect("call").is_none());
}

/// Whatever its age, what is not written keeps its content; runs and certificates stay.
pub async fn nothing_unwritten_goes(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let ids = ["written", "failed", "doubt", "queued", "younger"];
    let (run, due) = b.run_with(ids.iter().map(|id| keep(id, "a")).collect()).await;
    b.commit(Sheet::new(&run, vec![keep("waiting", "a"), filtered("out", "a", "rule")])).await;
    b.settle(
        &run,
        vec![
            written(&due[0]),
            (due[1].row, 1, Outcome::Failed(failure())),
            (due[2].row, 1, Outcome::InDoubt(failure())),
        ],
    )
    .await;
    b.later(10_000);
    b.settle(&run, vec![written(&due[4])]).await;
    let keep_for = Retention { records_before: Some(b.now.plus_ms(-1)), ..greedy(b.now.plus_ms(1_000_000)) };
    all(&*b.store, &keep_for).await;
    for id in ["failed", "doubt", "queued", "waiting", "younger"] {
        assert_eq!(b.story(id).await.content, Some(keep(id, "a").content), "{id}");
    }
    let gone = b.story("written").await;
    assert_eq!((gone.content, gone.record.version), (None, 1));
    // It is known by its hash still.
    let again = b.commit(Sheet::new(&run, vec![keep("written", "a")]).at(0, 2)).await.outcome;
    assert_eq!((again.repeated, again.records.sum()), (1, 0));
    // What has no content any more cannot be sent again.
    assert_eq!(b.store.put_back(b.plan, &[due[0].row], b.now).await, Ok(0));
    b.later(1_000_000);
    all(&*b.store, &greedy(b.now)).await;
    let due = b.claim(&run).await;
    assert_eq!(due[0].content, keep("waiting", "a").content);
    b.close(&run, RunState::Done).await;
    let row = b.newest().await;
    assert_eq!((row.counts.records.new, row.windows.len()), (6, 1));
}

/// Content that went is no reason to take a record for a new one, and a new version is told from the old one.
pub async fn a_record_without_content_is_known(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("a", "1"), keep("b", "1")]).await;
    b.settle(&run, due.iter().map(written).collect()).await;
    b.close(&run, RunState::Done).await;
    b.later(1_000);
    let done = all(&*b.store, &greedy(b.now)).await;
    assert_eq!(done.contents, 2);
    let run = b.open().await;
    let again = b.commit(Sheet::new(&run, vec![keep("a", "1"), keep("b", "2")]).hand(9)).await;
    let n = again.outcome.records;
    assert_eq!((n.new, n.changed, n.unchanged), (0, 1, 1));
    assert_eq!(b.state("a").await, State::Written);
    let story = b.story("b").await;
    assert_eq!((story.content, story.record.version), (Some(keep("b", "2").content), 2));
    assert_eq!((&story.versions[0].content, story.versions[0].hash), (&None, keep("b", "1").hash));
    b.settle(&run, vec![written(&again.due[0])]).await;
    let row = b.close(&run, RunState::Done).await;
    let standing = b.store.state_counts(b.plan).await.expect("counts");
    assert_eq!(standing.written, 2);
    assert!(row.counts.source_balances() && row.counts.target_balances(), "{:?}", row.counts);
}

/// Older versions go with the record that is written; the one in doubt is what a person has to look at.
pub async fn older_versions_go_unless_they_are_in_doubt(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("sure", "1"), keep("doubt", "1")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    let newer = b.commit(Sheet::new(&run, vec![keep("sure", "2"), keep("doubt", "2")]).hand(9)).await.due;
    b.settle(&run, vec![written(&newer[0]), (due[1].row, 1, Outcome::InDoubt(failure()))]).await;
    b.later(1_000);
    all(&*b.store, &greedy(b.now)).await;
    let sure = b.story("sure").await;
    assert_eq!((sure.content, &sure.versions[0].content), (None, &None));
    let doubt = b.story("doubt").await;
    assert_eq!(doubt.record.state, State::InDoubt);
    assert_eq!(doubt.content, Some(keep("doubt", "2").content));
    assert_eq!(doubt.versions[0].content, Some(keep("doubt", "1").content));
}

/// A plan's own rule counts in place of the general one.
pub async fn a_plan_may_have_a_rule_of_its_own(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("a", "1")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    b.later(1_000);
    let forever = Retention { plans: vec![(b.plan, None)], ..greedy(b.now) };
    assert_eq!(all(&*b.store, &forever).await.contents, 0);
    let other = Retention { plans: vec![(b.plan + 1, Some(b.now))], records_before: None, ..greedy(b.now) };
    assert_eq!(all(&*b.store, &other).await.contents, 0);
    let own = Retention { plans: vec![(b.plan, Some(b.now))], ..other };
    assert_eq!(all(&*b.store, &own).await.contents, 1);
}

/// Wherever a round ends, the certificates of old runs print, every record is there, and nothing unwritten is gone.
pub async fn a_round_may_end_anywhere(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let name = |n: usize| format!("r{n}");
    let mut certificates = Vec::new();
    for day in 0..6usize {
        let elements = (0..4).map(|n| keep(&name(day * 2 + n), &(day / 2).to_string())).collect();
        let run = b.open().await;
        let due = b.commit(Sheet::new(&run, elements).hand(9).close(true, None)).await.due;
        // One in five stays unwritten.
        let outcomes = due.iter().map(|d| {
            if d.row % 5 == 0 { (d.row, d.version, Outcome::Failed(failure())) } else { written(d) }
        });
        b.settle(&run, outcomes.collect()).await;
        certificates.push(b.close(&run, RunState::Done).await);
        b.later(86_400_000);
    }
    let before = b.store.records(b.plan, RecordFilter::default()).await.expect("records");
    let standing = b.store.state_counts(b.plan).await.expect("counts");
    let sound = async |at: usize| {
        for was in &certificates {
            let now = b.store.run(b.plan, &was.ulid).await.expect("run").expect("a run stays");
            let (was, now) =
                (RunReport::from_row("p", was, &standing), RunReport::from_row("p", &now, &standing));
            assert_eq!((&was.windows, was.counts, was.balanced), (&now.windows, now.counts, now.balanced));
        }
        let after = b.store.records(b.plan, RecordFilter::default()).await.expect("records");
        assert_eq!(after.len(), before.len(), "after {at} steps");
        for (was, now) in before.iter().zip(&after) {
            let told = |r: &RecordRow| (r.row, r.id.clone(), r.state, r.version, r.hash, r.written_at);
            assert_eq!(told(was), told(now), "after {at} steps");
            if now.state != State::Written {
                let kept = b.store.contents(&[now.row]).await.expect("contents");
                assert_eq!(kept.len(), 1, "after {at} steps: {now:?}");
            }
        }
        assert_eq!(b.store.state_counts(b.plan).await.expect("counts"), standing);
    };
    for steps in [0, 1, 2, 3, 5, 8, 13] {
        let keep = greedy(b.now.plus_ms(-86_400_000 * 2));
        let keep = if steps > 5 { greedy(b.now) } else { keep };
        round(&*b.store, &keep, steps).await;
        sound(steps).await;
    }
    all(&*b.store, &greedy(b.now)).await;
    sound(1_000).await;
    assert_eq!(all(&*b.store, &greedy(b.now)).await.freed, 0, "nothing is left for a second round");
}

/// One round at a time, when it is due; an interrupted one goes on.
pub async fn rounds_are_taken_in_turns(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let day = Some(86_400_000);
    assert_eq!(b.store.last_retention().await, Ok(None));
    assert_eq!(b.store.begin_retention(b.now, day).await, Ok(Some(PruneAt::Calls)));
    assert_eq!(b.store.begin_retention(b.now, day).await, Ok(None), "somebody is at it");
    let some = PruneStep { bodies: 2, freed: 10, ..PruneStep::default() };
    b.store.mark_retention(b.now, Some(PruneAt::Records(7)), &some).await.expect("mark");
    b.later(RETENTION_STALE_MS);
    assert_eq!(b.store.begin_retention(b.now, day).await, Ok(Some(PruneAt::Records(7))), "it goes on");
    b.store.mark_retention(b.now, Some(PruneAt::Space), &some).await.expect("mark");
    b.later(1_000);
    b.store.mark_retention(b.now, None, &some).await.expect("mark");
    let last = b.store.last_retention().await.expect("last").expect("a round");
    assert_eq!((last.ended, last.done.bodies, last.done.next), (Some(b.now), 4, None));
    b.later(86_399_999);
    assert_eq!(b.store.begin_retention(b.now, day).await, Ok(None));
    b.later(1);
    assert_eq!(b.store.begin_retention(b.now, day).await, Ok(Some(PruneAt::Calls)));
    // By hand: whatever was.
    assert_eq!(b.store.begin_retention(b.now, None).await, Ok(Some(PruneAt::Calls)));
    let another = b.opening(RunKind::Normal, &[(0, 1)], "one").await;
    assert!(matches!(another, RunOpening::Owned(_)), "rounds are no runs");
}
