//! Storing pages: decisions, counts, versions, windows, the watermark.

use std::sync::Arc;

use heliu_model::ports::*;
use heliu_model::record::{OnChange, Policy, State};
use heliu_model::run::{RecordCounts, RunKind, RunState};
use heliu_model::{CallKind, Problem, text};

use super::runs::snapshot;
use super::*;

/// new + changed + unchanged + filtered + rejected = returned.
pub async fn elements_are_decided_and_counted(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a"), keep("2", "a"), keep("3", "a")]).close(true, None)).await;
    b.close(&run, RunState::Done).await;

    let run = b.open().await;
    let page = vec![
        keep("1", "a"),
        keep("2", "b"),
        keep("4", "a"),
        filtered("5", "a", "status is 0"),
        rejected("x"),
        keep("4", "a"),
    ];
    let done = b.commit(Sheet::new(&run, page)).await.outcome;
    let records = RecordCounts { new: 1, changed: 1, unchanged: 1, filtered: 1, rejected: 1 };
    assert_eq!(done.records, records);
    assert_eq!((done.repeated, done.newly_rejected, done.superseded, done.fresh), (1, 1, 1, 5));
    let counts = b.newest().await.counts;
    assert_eq!((counts.source.returned, counts.source.repeated, counts.source.pages), (5, 1, 1));
    assert_eq!((counts.records, counts.target.superseded, counts.newly_rejected), (records, 1, 1));
    assert!(counts.source_balances());
    let row = b.record("4").await;
    assert_eq!((row.number.as_deref(), row.version, row.state), (Some("no-4"), 1, State::Waiting));
    assert_eq!((row.first_seen, row.changed_at, row.attempts), (b.now, b.now, 0));
}

/// All or nothing.
pub async fn a_fenced_page_leaves_no_trace(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let mut run = b.open().await;
    let before = snapshot(&b).await;
    run.epoch += 1;
    let page = vec![keep("1", "a"), filtered("2", "b", "rule"), rejected("c")];
    let refused = b.try_commit(Sheet::new(&run, page).hand(9).close(true, Some(b.now))).await;
    assert_eq!(refused.err().map(|f| f.code).as_deref(), Some("HL-6005"));
    assert_eq!(snapshot(&b).await, before);
    assert_eq!(b.store.state_counts(b.plan).await, Ok(StateCounts::default()));
}

/// The first ones are queued and given back in order, with their contents.
pub async fn so_many_are_handed_over_and_the_rest_waits(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let page = vec![filtered("0", "x", "rule"), keep("1", "a"), keep("2", "b"), keep("3", "c")];
    let contents: Vec<_> = page.iter().map(|e| e.content.clone()).collect();
    let due = b.commit(Sheet::new(&run, page).hand(2)).await.due;
    let handed: Vec<_> = due.iter().map(|d| (d.id.as_str(), d.version, d.content.clone())).collect();
    assert_eq!(handed, [("1", 1, contents[1].clone()), ("2", 1, contents[2].clone())]);
    assert_eq!((b.state("1").await, b.state("2").await), (State::Queued, State::Queued));
    assert_eq!(b.state("3").await, State::Waiting);
    let rest = b.claim(&run).await;
    assert_eq!(rest.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["3"]);
}

/// New records go in together; known ones among them are decided about as if they came alone, and the order stays.
pub async fn known_ones_among_many_new_ones_are_told_apart(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("n20", "a"), keep("n21", "a")]).await;
    b.settle(&run, due.iter().map(written).collect()).await;
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let mut page: Vec<Element> = (0..60).map(|i| keep(&format!("n{i}"), "a")).collect();
    page[21] = keep("n21", "b");
    page.push(keep("n40", "a"));
    let done = b.commit(Sheet::new(&run, page).hand(40)).await;
    let records = RecordCounts { new: 58, changed: 1, unchanged: 1, ..RecordCounts::default() };
    assert_eq!((done.outcome.records, done.outcome.repeated, done.outcome.fresh), (records, 1, 60));
    let wanted: Vec<(String, u32)> =
        (0..41).filter(|i| *i != 20).map(|i| (format!("n{i}"), if i == 21 { 2 } else { 1 })).collect();
    let handed: Vec<(String, u32)> = done.due.iter().map(|d| (d.id.clone(), d.version)).collect();
    assert_eq!(handed, wanted);
    // Each with a row of its own: what is settled by row is settled for the right record.
    b.settle(&run, done.due.iter().take(30).map(written).collect()).await;
    for i in 0..60 {
        let state = match i {
            0..=30 => State::Written,
            31..=40 => State::Queued,
            _ => State::Waiting,
        };
        assert_eq!(b.state(&format!("n{i}")).await, state, "n{i}");
    }
    let counts = b.store.state_counts(b.plan).await;
    assert_eq!(counts, Ok(StateCounts { written: 31, queued: 10, waiting: 19, ..StateCounts::default() }));
}

/// A new window decides by the content hash.
pub async fn known_contents_are_unchanged_new_ones_changed(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    b.close(&run, RunState::Done).await;
    b.later(1_000);
    let run = b.open().await;
    let same = b.commit(Sheet::new(&run, vec![keep("1", "a")]).hand(9)).await;
    assert_eq!((same.outcome.records.unchanged, same.due.len()), (1, 0));
    assert_eq!(b.state("1").await, State::Written);
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let other = b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(9)).await;
    assert_eq!((other.outcome.records.changed, other.outcome.superseded), (1, 0));
    assert_eq!((other.due[0].version, other.due[0].row), (2, due[0].row));
    let row = b.record("1").await;
    assert_eq!((row.state, row.written_at, row.changed_at), (State::Queued, None, b.now));
    assert_eq!((row.first_seen, row.write_call), (START, None));
}

/// What the window has seen is not counted again, whichever pass brings it.
pub async fn a_second_pass_repeats(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let page = || vec![keep("1", "a"), filtered("2", "b", "rule"), rejected("c")];
    b.commit(Sheet::new(&run, page()).at(0, 1)).await;
    let again = b.commit(Sheet::new(&run, page()).at(0, 2)).await.outcome;
    assert_eq!((again.repeated, again.records.sum(), again.fresh), (3, 0, 3));
    let changed = b.commit(Sheet::new(&run, vec![keep("1", "z")]).at(0, 3)).await.outcome;
    assert_eq!((changed.records.changed, changed.superseded, changed.repeated), (1, 1, 0));
    let counts = b.newest().await.counts;
    assert_eq!((counts.source.returned, counts.source.repeated), (4, 3));
}

/// Fresh is what this pass had not met; another window begins anew.
pub async fn fresh_ones_are_counted_per_pass(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let RunOpening::Owned(run) = b.opening(RunKind::Normal, &[(-9, -5), (-5, 0)], "one").await else {
        panic!("busy")
    };
    let fresh = async |seq, pass, ids: &[&str]| {
        let page = ids.iter().map(|id| keep(id, "a")).collect();
        b.commit(Sheet::new(&run, page).at(seq, pass)).await.outcome.fresh
    };
    assert_eq!(fresh(0, 1, &["1", "2"]).await, 2);
    assert_eq!(fresh(0, 1, &["2", "3", "3"]).await, 1);
    assert_eq!(fresh(0, 2, &["1", "2"]).await, 2);
    assert_eq!(fresh(0, 2, &["1", "2"]).await, 0);
    let other = b.commit(Sheet::new(&run, vec![keep("1", "a")]).at(1, 2)).await.outcome;
    assert_eq!((other.fresh, other.records.unchanged, other.repeated), (1, 1, 0));
}

/// An element from before what is stored repeats, as number or as text.
pub async fn an_older_stamp_never_becomes_a_version(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let page = vec![stamped("1", "new", "100"), stamped("2", "new", "2024-03-14 10:00:00")];
    b.commit(Sheet::new(&run, page)).await;
    let older = vec![stamped("1", "old", "99"), stamped("2", "old", "2024-03-14 09:59:59")];
    let done = b.commit(Sheet::new(&run, older)).await.outcome;
    assert_eq!((done.repeated, done.records.sum()), (2, 0));
    let (one, two) = (b.story("1").await, b.story("2").await);
    assert_eq!((one.record.version, two.record.version), (1, 1));
    assert_eq!(one.content, Some(keep("1", "new").content));
    // Without a stamp of its own an element is judged by its content.
    let bare = b.commit(Sheet::new(&run, vec![keep("1", "bare")])).await.outcome;
    assert_eq!(bare.records.changed, 1);
    // The stored stamp stays until a newer one comes.
    let again = b.commit(Sheet::new(&run, vec![stamped("1", "older", "50")])).await.outcome;
    assert_eq!(again.repeated, 1);
    let newer = b.commit(Sheet::new(&run, vec![stamped("1", "newer", "101")])).await.outcome;
    assert_eq!(newer.records.changed, 1);
}

/// `onChange: ignore`.
pub async fn the_first_version_stays_where_changes_are_ignored(store: Arc<dyn Store>) {
    let policy = Policy { on_change: OnChange::Ignore, rewrite_unchanged: false };
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a")]).policy(policy)).await;
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let done = b.commit(Sheet::new(&run, vec![keep("1", "b")]).policy(policy)).await.outcome;
    assert_eq!((done.records.unchanged, done.repeated), (1, 0));
    let done = b.commit(Sheet::new(&run, vec![keep("1", "c")]).policy(policy)).await.outcome;
    assert_eq!((done.records.unchanged, done.repeated), (0, 1));
    let story = b.story("1").await;
    assert_eq!((story.record.version, story.content), (1, Some(keep("1", "a").content)));
}

/// `idCheck: false`: once in each window.
pub async fn unchanged_content_is_written_again_where_wished(store: Arc<dyn Store>) {
    let policy = Policy { on_change: OnChange::Update, rewrite_unchanged: true };
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let done = b.commit(Sheet::new(&run, vec![keep("1", "a")]).policy(policy).hand(9)).await;
    assert_eq!((done.outcome.records.changed, done.due[0].version), (1, 2));
    let done = b.commit(Sheet::new(&run, vec![keep("1", "a")]).policy(policy).hand(9)).await;
    assert_eq!((done.outcome.repeated, done.due.len()), (1, 0));
}

/// Elements that share an id take turns once, then they repeat for ever.
pub async fn one_id_with_two_contents_in_a_reply_is_a_clash_and_settles_down(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let page = || vec![keep("1", "a"), keep("1", "b"), keep("2", "x")];
    let first = b.commit(Sheet::new(&run, page())).await.outcome;
    assert_eq!((first.clashes, first.flaps, first.fresh), (1, 0, 2));
    assert_eq!(first.clash_ids, ["1"]);
    assert_eq!((first.records.new, first.records.changed), (2, 1));
    b.close(&run, RunState::Done).await;
    for _ in 0..2 {
        let run = b.open().await;
        let later = b.commit(Sheet::new(&run, page())).await.outcome;
        assert_eq!(later.records.new + later.records.changed, 0, "written again for ever");
        assert_eq!(later.clashes, 1);
        b.close(&run, RunState::Done).await;
    }
    assert_eq!(b.record("1").await.version, 2);
}

/// The same id with other content in another reply of the pass.
pub async fn a_flap_is_told_from_a_clash(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a")])).await;
    let done = b.commit(Sheet::new(&run, vec![keep("1", "b")])).await.outcome;
    assert_eq!((done.flaps, done.clashes, done.fresh, done.records.changed), (1, 0, 0, 1));
    // Back to what it was: an older version again, seen by this window.
    let done = b.commit(Sheet::new(&run, vec![keep("1", "a")])).await.outcome;
    assert_eq!((done.flaps, done.repeated, done.records.changed), (1, 1, 0));
    let done = b.commit(Sheet::new(&run, vec![keep("1", "b")]).at(0, 2)).await.outcome;
    assert_eq!((done.flaps, done.repeated, done.fresh), (0, 1, 1));
}

/// They explain a total that counts elements, whatever page is read twice.
pub async fn elements_beyond_their_ids_are_counted_once_in_a_pass(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let page = || vec![keep("1", "a"), keep("1", "b"), keep("1", "b"), keep("2", "x"), keep("2", "x")];
    let first = b.commit(Sheet::new(&run, page())).await.outcome;
    assert_eq!((first.fresh, first.surplus, first.clashes), (2, 3, 1));
    let again = b.commit(Sheet::new(&run, page())).await.outcome;
    assert_eq!((again.fresh, again.surplus), (0, 0), "met before in this pass");
    let other = b.commit(Sheet::new(&run, page()).at(0, 2)).await.outcome;
    assert_eq!((other.fresh, other.surplus), (2, 3));
}

/// What is read again comes in the order in which it was stored, mostly: each is decided about, and remembered as met,
/// for itself.
pub async fn neighbours_are_met_each_for_itself(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let page = |ids: &[u32]| ids.iter().map(|n| keep(&n.to_string(), "a")).collect::<Vec<_>>();
    let all: Vec<u32> = (1..=40).collect();
    let run = b.open().await;
    b.commit(Sheet::new(&run, page(&all))).await;
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let some = b.commit(Sheet::new(&run, page(&[1, 2, 4, 5, 7, 40]))).await.outcome;
    assert_eq!((some.fresh, some.records.unchanged), (6, 6));
    let rest = b.commit(Sheet::new(&run, page(&all))).await.outcome;
    assert_eq!((rest.fresh, rest.records.unchanged, rest.repeated), (34, 34, 6));
    b.close(&run, RunState::Done).await;
    // Changed ones, one that is new, and one twice in the midst of them.
    let run = b.open().await;
    let mut mixed = page(&all);
    mixed[9] = keep("10", "b");
    mixed.insert(20, keep("11", "a"));
    mixed.insert(25, keep("new", "a"));
    mixed.insert(30, keep("12", "b"));
    let done = b.commit(Sheet::new(&run, mixed)).await.outcome;
    assert_eq!((done.records.unchanged, done.records.changed, done.records.new), (39, 2, 1));
    assert_eq!((done.fresh, done.repeated, done.clashes, done.surplus), (41, 1, 1, 2));
    for (id, content) in [("10", "b"), ("11", "a"), ("12", "b"), ("13", "a"), ("new", "a")] {
        assert_eq!(b.story(id).await.content, Some(keep(id, content).content), "{id}");
    }
    let again = b.commit(Sheet::new(&run, page(&all))).await.outcome;
    assert_eq!((again.fresh, again.flaps), (0, 2));
    b.close(&run, RunState::Done).await;
    // One that was met out of its order comes once more in it.
    let run = b.open().await;
    let twice = b.commit(Sheet::new(&run, page(&[25, 21, 22, 23, 24, 25, 26, 27]))).await.outcome;
    assert_eq!((twice.fresh, twice.records.unchanged, twice.repeated, twice.surplus), (7, 7, 1, 1));
}

/// Split into records, it is still one element of the source's.
pub async fn an_element_of_many_records_counts_once_for_the_walk(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let part = |id| Element { head: false, ..keep(id, "a") };
    let page = vec![keep("1-1", "a"), part("1-2"), part("1-3"), keep("2-1", "a"), part("2-2")];
    let done = b.commit(Sheet::new(&run, page)).await.outcome;
    assert_eq!((done.fresh, done.records.new, done.surplus), (2, 5, 0));
    // One that brought no record is known by its hash.
    let void = Element { id: None, ..filtered("", "no items", "nothing to split") };
    let done = b.commit(Sheet::new(&run, vec![void.clone()])).await.outcome;
    assert_eq!((done.fresh, done.records.filtered), (1, 1));
    let rows =
        b.store.records(b.plan, RecordFilter { state: Some(State::Filtered), ..RecordFilter::default() });
    let row = rows.await.expect("records").remove(0);
    assert_eq!((row.id, row.reason.as_deref()), (None, Some("nothing to split")));
    let again = b.commit(Sheet::new(&run, vec![void]).at(0, 2)).await.outcome;
    assert_eq!((again.fresh, again.repeated), (1, 1));
}

/// Kept as id and reason; passing later makes them new.
pub async fn filtered_ones_are_kept_by_reason_and_may_pass_later(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![filtered("1", "a", "status is 0")]).hand(9)).await;
    let row = b.story("1").await;
    assert_eq!((row.record.state, row.content), (State::Filtered, None));
    assert_eq!((row.record.id.as_deref(), row.record.code.as_deref()), (Some("1"), Some("HL-7012")));
    assert_eq!(row.record.reason.as_deref(), Some("status is 0"));
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let again = b.commit(Sheet::new(&run, vec![filtered("1", "b", "status is 1")])).await.outcome;
    assert_eq!(again.records.filtered, 1);
    assert_eq!(b.record("1").await.reason.as_deref(), Some("status is 1"));
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let passed = b.commit(Sheet::new(&run, vec![keep("1", "b")]).hand(9)).await;
    assert_eq!((passed.outcome.records.new, passed.due.len()), (1, 1));
    let row = b.story("1").await;
    assert_eq!((row.record.state, row.record.reason), (State::Queued, None));
    assert_eq!(row.content, Some(keep("1", "b").content));
}

/// A condition speaks of what comes, not of what is stored.
pub async fn a_stored_record_stays_when_a_condition_leaves_it_out(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let (run, due) = b.run_with(vec![keep("1", "a")]).await;
    b.settle(&run, vec![written(&due[0])]).await;
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let done = b.commit(Sheet::new(&run, vec![filtered("1", "b", "rule")])).await.outcome;
    assert_eq!(done.records.filtered, 1);
    let row = b.story("1").await;
    assert_eq!((row.record.state, row.record.version, row.record.reason), (State::Written, 1, None));
    assert_eq!(row.content, Some(keep("1", "a").content));
}

/// Once new, then known.
pub async fn rejected_ones_are_known_by_their_hash(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let done = b.commit(Sheet::new(&run, vec![rejected("x"), rejected("y"), rejected("x")]).hand(9)).await;
    assert_eq!((done.outcome.records.rejected, done.outcome.newly_rejected), (2, 2));
    assert_eq!((done.outcome.repeated, done.due.len()), (1, 0));
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    let done = b.commit(Sheet::new(&run, vec![rejected("x")])).await.outcome;
    assert_eq!((done.records.rejected, done.newly_rejected), (1, 0));
    let filter = RecordFilter { state: Some(State::Rejected), ..RecordFilter::default() };
    let rows = b.store.records(b.plan, filter).await.expect("records");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|r| r.id.is_none() && r.code.as_deref() == Some("HL-7010")));
}

/// Contents that are no slices of the reply (split or reshaped elements).
pub async fn derived_contents_are_kept_as_they_are(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let mut sheet = Sheet::new(&run, vec![keep("1", "a"), keep("2", "b"), keep("3", "c")]).hand(1);
    for i in [0, 2] {
        let own = format!("{{\"derived\":{i}}}");
        sheet.page.elements[i].content = Bytes::from(own);
    }
    let due = b.commit(sheet).await.due;
    assert_eq!(due[0].content, &b"{\"derived\":0}"[..]);
    assert_eq!(b.story("1").await.content.as_deref(), Some(&b"{\"derived\":0}"[..]));
    assert_eq!(b.story("2").await.content, Some(keep("2", "b").content));
    assert_eq!(b.story("3").await.content.as_deref(), Some(&b"{\"derived\":2}"[..]));
}

/// Before the last page nothing has moved.
pub async fn the_watermark_moves_with_the_last_page_only_and_never_back(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![keep("1", "a")])).await;
    assert_eq!(b.watermark().await, None);
    let mut last = Sheet::new(&run, vec![keep("2", "a")]).close(true, Some(START));
    last.step.total = Some(2);
    b.commit(last).await;
    assert_eq!(b.watermark().await, Some(START));
    let row = b.close(&run, RunState::Done).await;
    let report = &row.windows[0];
    assert!(report.complete && report.balanced);
    assert_eq!((report.total, report.returned, report.records.new), (Some(2), 2, 2));

    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![]).close(true, Some(START.plus_ms(-7)))).await;
    assert_eq!(b.watermark().await, Some(START), "never back");
    b.close(&run, RunState::Done).await;
    let run = b.open().await;
    b.commit(Sheet::new(&run, vec![]).close(false, None)).await;
    assert_eq!(b.watermark().await, Some(START), "incomplete");
    assert!(!b.close(&run, RunState::Done).await.windows[0].complete);
}

/// The page's own call is the last one; repeated and throttled ones are counted.
pub async fn calls_and_findings_are_stored_with_the_page(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let mut sheet = Sheet::new(&run, vec![keep("1", "a")]);
    sheet.page.calls.insert(0, call(CallKind::Token, b.now));
    (sheet.page.retried, sheet.page.throttled) = (2, 1);
    sheet.step.problems = vec![Problem::warning("HL-7020", "1", text!("clash", "冲突"))];
    let committed = b.commit(sheet).await;
    assert_eq!(b.record("1").await.source_call, Some(committed.call));
    let shown = b.store.call(committed.call).await.expect("call").expect("stored");
    assert_eq!((shown.call.kind, shown.call.status), (CallKind::Fetch, Some(200)));
    let failed = b.store.save_calls(Some(run.id), vec![call(CallKind::Fetch, b.now)], 1, 3).await;
    assert_eq!(failed.expect("save_calls").len(), 1);
    let row = b.newest().await;
    let s = row.counts.source;
    assert_eq!((s.calls, s.retried, s.throttled, s.pages), (3, 3, 4, 1));
    assert_eq!(
        row.problems.iter().map(|p| (p.code.as_str(), p.path.as_str())).collect::<Vec<_>>(),
        [("HL-7020", "1")]
    );
}

/// A gap scan says what was missing and what had changed; nobody else pays for it.
pub async fn news_are_named_where_wished(store: Arc<dyn Store>) {
    let mut b = Bench::new(store).await;
    let run = b.open().await;
    let quiet = b.commit(Sheet::new(&run, vec![keep("1", "a"), stamped("2", "a", "5")])).await.outcome;
    assert!(quiet.news.is_empty());
    let page = vec![
        keep("1", "a"),
        stamped("2", "b", "6"),
        filtered("3", "x", "rule"),
        keep("4", "a"),
        keep("5", "a"),
    ];
    let mut sheet = Sheet::new(&run, page).at(0, 2);
    sheet.page.name_news = 2;
    let news = b.commit(sheet).await.outcome.news;
    let named: Vec<_> = news.iter().map(|n| (n.id.as_str(), n.changed, n.stamp.as_deref())).collect();
    assert_eq!(named, [("2", true, Some("6")), ("4", false, None)]);
}
