//! What may go, and what never does.

use std::sync::Arc;

use heliu_model::CallKind;
use heliu_model::ports::*;
use heliu_model::run::RunState;

use super::*;
use crate::rng::Rng;

const NOTHING: Retention = Retention { calls_before: None, calls_bytes: None, records_before: None };

/// Oldest first; the calls themselves stay.
pub async fn bodies_of_calls_go_by_age_and_size(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let mut rng = Rng::new(7);
    let mut ids = Vec::new();
    for n in 0..4 {
        let mut c = call(CallKind::Write, START.plus_ms(n * 1_000));
        // Nothing can be compressed here, so that sizes are about what they seem.
        c.response_body = (0..1_000).map(|_| rng.bits() as u8).collect::<Vec<_>>().into();
        ids.extend(b.store.save_calls(Some(run.id), vec![c], 0, 0).await.expect("save"));
    }
    let kept = async || {
        let mut kept = Vec::new();
        for id in &ids {
            let row = b.store.call(*id).await.expect("call").expect("stays");
            assert_eq!(row.pruned, row.call.response_body.is_empty());
            assert_eq!(row.pruned, row.call.request_body.is_empty());
            kept.push(!row.pruned);
        }
        kept
    };
    b.store.prune(NOTHING, b.now).await.expect("prune");
    assert_eq!(kept().await, [true, true, true, true]);
    let age = Retention { calls_before: Some(START.plus_ms(1_000)), ..NOTHING };
    assert!(b.store.prune(age, b.now).await.expect("prune") > 900);
    assert_eq!(kept().await, [false, true, true, true]);
    let size = Retention { calls_bytes: Some(2_200), ..NOTHING };
    assert!(b.store.prune(size, b.now).await.expect("prune") > 900);
    assert_eq!(kept().await, [false, false, true, true]);
    assert_eq!(b.store.prune(size, b.now).await, Ok(0));
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
    let keep_for = Retention {
        calls_before: Some(b.now.plus_ms(1_000_000)),
        calls_bytes: Some(0),
        records_before: Some(b.now.plus_ms(-1)),
    };
    b.store.prune(keep_for, b.now).await.expect("prune");
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
    let all = Retention { records_before: Some(b.now), ..keep_for };
    b.store.prune(all, b.now).await.expect("prune");
    let due = b.claim(&run).await;
    assert_eq!(due[0].content, keep("waiting", "a").content);
    b.close(&run, RunState::Done).await;
    let row = b.newest().await;
    assert_eq!((row.counts.records.new, row.windows.len()), (6, 1));
}
