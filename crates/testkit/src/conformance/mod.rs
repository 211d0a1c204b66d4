//! What every ledger must do, as tests over the ports alone.
//!
//! Each case takes an empty store. [`conformance!`](macro@crate::conformance) makes a test of every case for one way of
//! opening a store; the same cases run on the ledger in memory and on each shipped one.

pub mod alerts;
pub mod crash;
pub mod doubt;
pub mod pages;
pub mod reads;
pub mod retention;
pub mod runs;
pub mod schedules;
pub mod tokens;
pub mod writes;

use std::sync::Arc;

use bytes::Bytes;
use heliu_model::ports::*;
use heliu_model::record::{Hash, Policy, State};
use heliu_model::run::{RunKind, RunState};
use heliu_model::{Call, CallKind, Failure, Ts, Window, text};

use crate::through::Store;

/// Makes a test of every case; `$make` gives an empty `Arc<dyn Store>` each time.
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance!(@ $make;
            runs: a_plan_is_made_once_and_found_by_name,
            runs: a_plan_goes_on_under_its_id,
            runs: the_watermark_is_moved_by_hand,
            runs: a_plan_has_one_open_run,
            runs: plans_do_not_meet,
            runs: a_lease_that_ended_is_taken_over_and_fences_the_former_owner,
            runs: a_heartbeat_keeps_the_lease,
            runs: a_released_run_is_resumed_where_it_was,
            runs: another_kind_of_run_puts_the_interrupted_one_aside,
            runs: a_back_fill_that_gives_way_is_spoken_of,
            runs: a_limited_run_is_never_resumed,
            runs: a_closed_run_takes_nothing_more,
            runs: what_needs_a_person_is_the_runs_state,
            runs: what_waits_is_counted_at_the_end,
            pages: elements_are_decided_and_counted,
            pages: a_fenced_page_leaves_no_trace,
            pages: known_ones_among_many_new_ones_are_told_apart,
            pages: so_many_are_handed_over_and_the_rest_waits,
            pages: known_contents_are_unchanged_new_ones_changed,
            pages: a_second_pass_repeats,
            pages: fresh_ones_are_counted_per_pass,
            pages: an_older_stamp_never_becomes_a_version,
            pages: the_first_version_stays_where_changes_are_ignored,
            pages: unchanged_content_is_written_again_where_wished,
            pages: one_id_with_two_contents_in_a_reply_is_a_clash_and_settles_down,
            pages: a_flap_is_told_from_a_clash,
            pages: elements_beyond_their_ids_are_counted_once_in_a_pass,
            pages: neighbours_are_met_each_for_itself,
            pages: an_element_of_many_records_counts_once_for_the_walk,
            pages: filtered_ones_are_kept_by_reason_and_may_pass_later,
            pages: a_stored_record_stays_when_a_condition_leaves_it_out,
            pages: rejected_ones_are_known_by_their_hash,
            pages: derived_contents_are_kept_as_they_are,
            pages: the_watermark_moves_with_the_last_page_only_and_never_back,
            pages: calls_and_findings_are_stored_with_the_page,
            pages: news_are_named_where_wished,
            writes: what_waits_is_claimed_once_and_oldest_first,
            writes: a_claim_takes_what_is_current,
            writes: only_what_waits_is_claimed,
            writes: every_outcome_has_its_state_and_count,
            writes: a_passing_failure_becomes_final_after_so_many_runs,
            writes: what_was_not_tried_costs_no_attempt,
            writes: a_late_answer_never_speaks_for_a_newer_version,
            writes: a_version_replaced_on_its_way_is_superseded_once,
            writes: a_settlement_counts_once,
            writes: a_refused_record_is_due_again_with_new_content,
            writes: what_a_written_record_leaves_behind_is_stored_with_it_or_not_at_all,
            writes: records_are_put_back,
            writes: what_is_put_back_is_due_in_the_open_run,
            crash: queued_records_wait_again_except_announced_ones,
            crash: an_announced_write_is_handed_to_the_next_owner,
            crash: an_announced_write_outlives_its_run,
            crash: an_announced_record_comes_back_with_its_newest_content,
            crash: a_settled_intent_is_gone,
            doubt: new_content_waits_until_the_doubt_is_resolved,
            doubt: the_doubt_of_an_older_version_holds_the_newer_one,
            doubt: a_doubt_ends_by_hand,
            reads: runs_are_listed_newest_first_and_found_by_prefix,
            reads: states_add_up_with_the_records,
            reads: records_are_listed_by_every_filter,
            reads: a_story_has_every_version,
            reads: calls_are_listed_and_shown,
            retention: calls_go_by_age_and_size,
            retention: a_storys_calls_stay_as_lines,
            retention: nothing_unwritten_goes,
            retention: a_record_without_content_is_known,
            retention: older_versions_go_unless_they_are_in_doubt,
            retention: a_plan_may_have_a_rule_of_its_own,
            retention: a_round_may_end_anywhere,
            retention: rounds_are_taken_in_turns,
            alerts: a_lasting_trouble_is_one_alert,
            alerts: a_kind_is_judged_as_a_whole,
            alerts: notices_are_taken_once_and_kept_until_they_arrive,
            schedules: lines_begin_now_and_edited_ones_anew,
            schedules: a_tick_is_answered_by_one_run,
            schedules: what_is_owed_is_run_when_its_time_has_come,
            tokens: a_pair_is_adopted_and_replaced_when_edited,
            tokens: an_edited_pair_is_adopted_once,
            tokens: one_refresh_at_a_time,
            tokens: a_newer_pair_is_used_instead,
            tokens: a_refresh_that_never_ended_is_told,
            tokens: a_refresh_without_result_leaves_the_pair,
            tokens: a_refresh_may_begin_with_nothing,
            tokens: history_is_newest_first,
            tokens: budgets_are_kept_per_credential,
            tokens: a_clock_that_is_set_back_holds_no_request_up,
            tokens: a_process_that_waits_goes_before_those_that_come_later,
            tokens: a_place_in_the_queue_is_not_kept_for_ever,
            tokens: a_throttle_answer_halves_the_pace_for_everybody,
            tokens: a_budget_without_limits_slows_down_as_well,
        );
    };
    (@ $make:expr; $($module:ident: $case:ident,)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::conformance::$module::$case($make).await;
            }
        )*
    };
}

/// A store with a plan, and a time that the case moves on.
pub(crate) struct Bench {
    pub store: Arc<dyn Store>,
    pub plan: PlanId,
    pub now: Ts,
    runs: u32,
}

/// First instant of every case.
pub(crate) const START: Ts = Ts(1_710_403_200_000);
/// A lease lasts this long.
pub(crate) const LEASE: i64 = 120_000;

impl Bench {
    pub async fn new(store: Arc<dyn Store>) -> Bench {
        let plan = store.plan("shops", "uuid-1", START).await.expect("plan");
        Bench { store, plan: plan.id, now: START, runs: 0 }
    }

    pub fn later(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    pub async fn opening(&mut self, kind: RunKind, windows: &[(i64, i64)], owner: &str) -> RunOpening {
        self.runs += 1;
        let wish = OpenRun {
            plan: self.plan,
            ulid: format!("01HRUN{:020}", self.runs),
            kind,
            windows: windows
                .iter()
                .map(|(from, to)| {
                    (Window { from: START.plus_ms(*from), to: START.plus_ms(*to) }, format!("walk {from}"))
                })
                .collect(),
            owner: owner.to_owned(),
            now: self.now,
            lease_until: self.now.plus_ms(LEASE),
            tick: None,
        };
        self.store.open_run(wish).await.expect("open_run")
    }

    /// Opens a normal run over one window, as process `one`.
    pub async fn open(&mut self) -> OwnedRun {
        match self.opening(RunKind::Normal, &[(-1_000, 0)], "one").await {
            RunOpening::Owned(run) => *run,
            other => panic!("{other:?}"),
        }
    }

    pub async fn commit(&self, sheet: Sheet) -> PageCommitted {
        self.try_commit(sheet).await.expect("commit_page")
    }

    pub async fn try_commit(&self, sheet: Sheet) -> Result<PageCommitted, Failure> {
        let Sheet { mut page, step } = sheet;
        page.now = self.now;
        self.store.commit_page(page, Box::new(move |_| step)).await
    }

    /// Opens a run, stores these records as queued and hands them over.
    pub async fn run_with(&mut self, elements: Vec<Element>) -> (OwnedRun, Vec<Due>) {
        let run = self.open().await;
        let due = self.commit(Sheet::new(&run, elements).hand(100)).await.due;
        (run, due)
    }

    pub async fn settle(&self, run: &OwnedRun, outcomes: Vec<(RowId, u32, Outcome)>) {
        self.settle_with(run, None, outcomes, 10).await;
    }

    pub async fn settle_with(
        &self,
        run: &OwnedRun,
        intent: Option<i64>,
        outcomes: Vec<(RowId, u32, Outcome)>,
        max_attempts: u32,
    ) {
        let settle = Settle {
            run: run.id,
            epoch: run.epoch,
            intent,
            calls: vec![call(CallKind::Write, self.now)],
            outcomes,
            left: Left::default(),
            max_attempts,
            now: self.now,
        };
        self.store.settle(settle).await.expect("settle");
    }

    pub async fn announce(&self, run: &OwnedRun, members: &[(RowId, u32)]) -> i64 {
        let announce = Announce {
            run: run.id,
            epoch: run.epoch,
            members: members.to_vec(),
            synced: true,
            now: self.now,
        };
        self.store.announce(announce).await.expect("announce")
    }

    pub async fn claim(&self, run: &OwnedRun) -> Vec<Due> {
        let claim = Claim { plan: self.plan, run: run.id, epoch: run.epoch, max: 1_000, after: 0 };
        self.store.claim(claim).await.expect("claim")
    }

    pub async fn close(&self, run: &OwnedRun, state: RunState) -> RunRow {
        let close = CloseRun {
            run: run.id,
            epoch: run.epoch,
            state,
            problems: Vec::new(),
            failure: None,
            seconds: 1.5,
            now: self.now,
        };
        self.store.close_run(close).await.expect("close_run")
    }

    pub async fn record(&self, id: &str) -> RecordRow {
        self.story(id).await.record
    }

    pub async fn story(&self, id: &str) -> RecordStory {
        self.store.story(self.plan, id).await.expect("story").unwrap_or_else(|| panic!("no record {id}"))
    }

    pub async fn state(&self, id: &str) -> State {
        self.record(id).await.state
    }

    pub async fn watermark(&self) -> Option<Ts> {
        self.store.find_plan("shops").await.expect("find_plan").expect("plan").watermark
    }

    /// The counts of the plan's newest run.
    pub async fn newest(&self) -> RunRow {
        self.store.runs(self.plan, 1).await.expect("runs").remove(0)
    }
}

/// A page about to be stored, and how its walk goes on.
pub(crate) struct Sheet {
    pub page: PageCommit,
    pub step: WalkStep,
}

impl Sheet {
    /// Page of the run's first window and pass; everything due waits.
    pub fn new(run: &OwnedRun, mut elements: Vec<Element>) -> Sheet {
        // Contents are slices of one body, as they come from a reply.
        let mut body = Vec::from(&b"["[..]);
        let mut places = Vec::new();
        for e in &elements {
            places.push(body.len()..body.len() + e.content.len());
            body.extend_from_slice(&e.content);
            body.push(b',');
        }
        body.push(b']');
        let body = Bytes::from(body);
        for (e, place) in elements.iter_mut().zip(places) {
            e.content = body.slice(place);
        }
        let mut call = call(CallKind::Fetch, START);
        call.response_body = body.clone();
        Sheet {
            page: PageCommit {
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
                hand_over: 0,
                name_news: 0,
                now: START,
            },
            step: WalkStep { walk: "going on".into(), problems: Vec::new(), total: None, close: None },
        }
    }

    pub fn hand(mut self, n: usize) -> Sheet {
        self.page.hand_over = n;
        self
    }

    pub fn at(mut self, seq: u32, pass: u32) -> Sheet {
        (self.page.seq, self.page.pass) = (seq, pass);
        self
    }

    pub fn policy(mut self, policy: Policy) -> Sheet {
        self.page.policy = policy;
        self
    }

    pub fn close(mut self, complete: bool, watermark: Option<Ts>) -> Sheet {
        self.step.close = Some(WindowClose { complete, watermark });
        self
    }
}

/// An element that passed the plan's rules.
pub(crate) fn keep(id: &str, content: &str) -> Element {
    let content = format!("{{\"id\":\"{id}\",\"v\":\"{content}\"}}");
    Element {
        id: Some(id.to_owned()),
        number: Some(format!("no-{id}")),
        hash: hash(content.as_bytes()),
        stamp: None,
        content: Bytes::from(content),
        verdict: Verdict::Keep,
        head: true,
    }
}

pub(crate) fn stamped(id: &str, content: &str, stamp: &str) -> Element {
    Element { stamp: Some(stamp.to_owned()), ..keep(id, content) }
}

pub(crate) fn filtered(id: &str, content: &str, rule: &str) -> Element {
    Element { verdict: Verdict::Filtered(rule.to_owned()), ..keep(id, content) }
}

pub(crate) fn rejected(content: &str) -> Element {
    let verdict = Verdict::Rejected("HL-7010".into(), "no id".into());
    Element { id: None, number: None, verdict, ..keep("", content) }
}

/// Contents differ, hashes differ; no more is asked of it here.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    let mut out = [0; 16];
    for (half, seed) in [0xcbf2_9ce4_8422_2325u64, 0x9e37_79b9_7f4a_7c15].into_iter().enumerate() {
        let h = bytes.iter().fold(seed, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
        out[half * 8..half * 8 + 8].copy_from_slice(&h.to_le_bytes());
    }
    out
}

pub(crate) fn call(kind: CallKind, started: Ts) -> Call {
    let mut call = Call::new(kind, started, "POST", "http://example.invalid/orders");
    call.request_body = Bytes::from_static(b"page=1");
    call.status = Some(200);
    call
}

pub(crate) fn failure() -> Box<Failure> {
    Box::new(Failure::data("HL-5001", text!("too long", "过长")).at("name"))
}

pub(crate) fn written(due: &Due) -> (RowId, u32, Outcome) {
    (due.row, due.version, Outcome::Written(Some("\"ok\"".into())))
}
