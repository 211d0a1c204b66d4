//! The ports on SQLite: each method one transaction.

use async_trait::async_trait;
use bytes::Bytes;
use heliu_model::alert::{Alert, Notice};
use heliu_model::budget::{Limits, Throttle, Usage};
use heliu_model::ports::*;
use heliu_model::{Call, Failure, Ts};

use rusqlite::Transaction;

use crate::rotation::Keys;
use crate::transactions::short;
use crate::{
    SqliteLedger, alerts, budget, pack, pages, reads, retention, runs, schedules, stored, tokens, writes,
};

#[async_trait]
impl Ledger for SqliteLedger {
    async fn plan(&self, name: &str, uuid: &str, now: Ts) -> Result<PlanRow, Failure> {
        let (name, uuid) = (name.to_owned(), uuid.to_owned());
        self.write("plan", false, move |tx, _| runs::plan(tx, &name, &uuid, now)).await
    }

    async fn find_plan(&self, name: &str) -> Result<Option<PlanRow>, Failure> {
        let name = name.to_owned();
        self.read(move |db, _| runs::find_plan(db, &name)).await
    }

    async fn set_watermark(&self, plan: PlanId, at: Ts, by: &str, now: Ts) -> Result<(), Failure> {
        let by = by.to_owned();
        self.write("set_watermark", false, move |tx, _| runs::set_watermark(tx, plan, at, &by, now)).await
    }

    async fn open_run(&self, open: OpenRun) -> Result<RunOpening, Failure> {
        self.write("open_run", false, move |tx, _| runs::open_run(tx, &open)).await
    }

    async fn heartbeat(&self, run: RunId, epoch: i64, until: Ts) -> Result<(), Failure> {
        self.write_short("heartbeat", move |tx, _| runs::heartbeat(tx, run, epoch, until)).await
    }

    fn pack(&self, body: &Bytes) -> Packed {
        Packed(Some(pack(body).into()))
    }

    async fn commit_page(&self, page: PageCommit, advance: Advance) -> Result<PageCommitted, Failure> {
        let (body, ahead) = (page.body.clone(), page.packed.0.clone());
        let few = page.elements.len();
        let work = move |tx: &Transaction, packed: &[u8]| {
            let mut page = page;
            page.now = stored::timed(tx, page.now)?;
            pages::commit_page(tx, page, packed, advance)
        };
        match ahead {
            Some(packed) if short(few, packed.len()) => {
                self.write_short("commit_page", move |tx, _| work(tx, &packed)).await
            }
            ahead => {
                let pack = move || ahead.unwrap_or_else(|| pack(&body).into());
                self.write_prepared("commit_page", false, pack, move |tx, _, packed| work(tx, &packed)).await
            }
        }
    }

    async fn save_calls(
        &self,
        run: Option<RunId>,
        calls: Vec<Call>,
        retried: u32,
        throttled: u32,
    ) -> Result<Vec<CallId>, Failure> {
        self.write("save_calls", false, move |tx, _| {
            let plan = match run {
                Some(run) => Some(tx.query_row("SELECT plan FROM runs WHERE id = ?1", [run], |r| r.get(0))?),
                None => None,
            };
            let ids = calls
                .iter()
                .map(|c| pages::save_call(tx, plan, run, c, None, false))
                .collect::<Result<_, _>>()?;
            if let Some(run) = run {
                let mut counts = runs::counts(tx, run)?;
                counts.source.calls += calls.len() as u64;
                counts.source.retried += u64::from(retried);
                counts.source.throttled += u64::from(throttled);
                runs::save_counts(tx, run, &counts, 0)?;
            }
            Ok(ids)
        })
        .await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, Failure> {
        self.write("claim", false, move |tx, _| writes::claim(tx, &claim)).await
    }

    async fn announce(&self, announce: Announce) -> Result<i64, Failure> {
        let synced = announce.synced;
        let work = move |tx: &Transaction, _: &Keys| writes::announce(tx, &announce);
        if synced {
            self.write("announce", true, work).await
        } else {
            self.write_short("announce", work).await
        }
    }

    async fn settle(&self, settle: Settle) -> Result<(), Failure> {
        let mut settle = settle;
        let passed = settle.left.passed.take();
        if passed.is_none() && short(settle.outcomes.len(), 0) {
            return self
                .write_short("settle", move |tx, _| {
                    settle.now = stored::timed(tx, settle.now)?;
                    writes::settle(tx, &settle)
                })
                .await;
        }
        let pack = move || passed.map(|put| (pack(&put.body), put));
        self.write_prepared("settle", false, pack, move |tx, _, packed| {
            settle.now = stored::timed(tx, settle.now)?;
            writes::settle(tx, &settle)?;
            if let Some((packed, mut put)) = packed {
                put.now = settle.now;
                pages::put(tx, put, &packed)?;
            }
            Ok(())
        })
        .await
    }

    async fn intent_rows(&self, run: RunId, epoch: i64, intent: i64) -> Result<Vec<Due>, Failure> {
        self.write("intent_rows", false, move |tx, _| writes::intent_rows(tx, run, epoch, intent)).await
    }

    async fn close_run(&self, close: CloseRun) -> Result<RunRow, Failure> {
        self.write("close_run", false, move |tx, _| runs::close_run(tx, &close)).await
    }

    async fn runs(&self, plan: PlanId, limit: usize) -> Result<Vec<RunRow>, Failure> {
        self.read(move |db, _| reads::list_runs(db, plan, limit)).await
    }

    async fn run(&self, plan: PlanId, ulid: &str) -> Result<Option<RunRow>, Failure> {
        let ulid = ulid.to_owned();
        self.read(move |db, _| reads::find_run(db, plan, &ulid)).await
    }

    async fn state_counts(&self, plan: PlanId) -> Result<StateCounts, Failure> {
        self.read(move |db, _| runs::state_counts(db, plan)).await
    }

    async fn records(&self, plan: PlanId, filter: RecordFilter) -> Result<Vec<RecordRow>, Failure> {
        self.read(move |db, _| reads::records(db, plan, &filter)).await
    }

    async fn story(&self, plan: PlanId, id: &str) -> Result<Option<RecordStory>, Failure> {
        let id = id.to_owned();
        self.read(move |db, _| reads::story(db, plan, &id)).await
    }

    async fn contents(&self, rows: &[RowId]) -> Result<Vec<(RowId, Bytes)>, Failure> {
        let rows = rows.to_vec();
        self.read(move |db, _| reads::contents(db, &rows)).await
    }

    async fn put_back(&self, plan: PlanId, rows: &[RowId], now: Ts) -> Result<u64, Failure> {
        let rows = rows.to_vec();
        self.write("put_back", false, move |tx, _| writes::put_back(tx, plan, &rows, now)).await
    }

    async fn calls(&self, plan: PlanId, filter: CallFilter) -> Result<Vec<CallRow>, Failure> {
        self.read(move |db, _| reads::calls(db, plan, &filter)).await
    }

    async fn call(&self, id: CallId) -> Result<Option<CallRow>, Failure> {
        self.read(move |db, _| reads::call(db, id)).await
    }

    async fn prune(&self, keep: &Retention, at: PruneAt) -> Result<PruneStep, Failure> {
        self.prune_step(keep, at).await
    }

    async fn begin_retention(&self, now: Ts, every_ms: Option<i64>) -> Result<Option<PruneAt>, Failure> {
        self.write("begin_retention", false, move |tx, _| retention::begin(tx, now, every_ms)).await
    }

    async fn mark_retention(&self, now: Ts, next: Option<PruneAt>, done: &PruneStep) -> Result<(), Failure> {
        let done = *done;
        self.write("mark_retention", false, move |tx, _| retention::mark(tx, now, next, &done)).await
    }

    async fn last_retention(&self) -> Result<Option<RetentionRow>, Failure> {
        self.read(|db, _| retention::last(db)).await
    }
}

#[async_trait]
impl Schedules for SqliteLedger {
    async fn timetable(&self, lines: &[TimetableLine], now: Ts) -> Result<Vec<TickState>, Failure> {
        let lines = lines.to_vec();
        self.write("timetable", false, move |tx, _| schedules::timetable(tx, &lines, now)).await
    }

    async fn answer(&self, answers: &[TickAnswer]) -> Result<(), Failure> {
        let answers = answers.to_vec();
        self.write("answer", false, move |tx, _| answers.iter().try_for_each(|a| schedules::answer(tx, a)))
            .await
    }

    async fn tick_states(&self, plan: PlanId) -> Result<Vec<TickState>, Failure> {
        self.read(move |db, _| schedules::states(db, plan)).await
    }
}

#[async_trait]
impl Alerts for SqliteLedger {
    async fn observe(&self, seen: &Observation, now: Ts) -> Result<Observed, Failure> {
        let seen = seen.clone();
        let look = seen.clone();
        if self.read(move |db, _| alerts::all_quiet(db, &look)).await? {
            return Ok(Observed::default());
        }
        self.write("observe_alert", false, move |tx, _| alerts::observe(tx, &seen, now)).await
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, Failure> {
        let filter = filter.clone();
        self.read(move |db, _| alerts::list(db, &filter)).await
    }

    async fn close_alert(&self, id: i64, now: Ts) -> Result<bool, Failure> {
        self.write("close_alert", false, move |tx, _| alerts::close(tx, id, now)).await
    }

    async fn take_notices(
        &self,
        channel: &str,
        now: Ts,
        until: Ts,
        limit: usize,
    ) -> Result<Vec<Notice>, Failure> {
        let channel = channel.to_owned();
        let asked = channel.clone();
        if !self.read(move |db, _| alerts::due(db, &asked, now)).await? {
            return Ok(Vec::new());
        }
        self.write("take_notices", false, move |tx, _| alerts::take(tx, &channel, now, until, limit)).await
    }

    async fn settle_notices(&self, ids: &[i64], what: Sending) -> Result<(), Failure> {
        let ids = ids.to_vec();
        self.write("settle_notices", false, move |tx, _| alerts::settle(tx, &ids, what)).await
    }
}

#[async_trait]
impl Tokens for SqliteLedger {
    async fn load(&self, credential: &str) -> Result<Option<TokenRow>, Failure> {
        let credential = credential.to_owned();
        self.read(move |db, keys| {
            // One view of both: the token, and the key that fits it.
            let db = db.unchecked_transaction()?;
            tokens::load(&db, &keys.fitting(&db)?, &credential)
        })
        .await
    }

    async fn adopt(
        &self,
        credential: &str,
        pair: &TokenPair,
        origin: &str,
        now: Ts,
    ) -> Result<TokenRow, Failure> {
        let (credential, pair, origin) = (credential.to_owned(), pair.clone(), origin.to_owned());
        self.write("adopt", true, move |tx, keys| {
            tokens::adopt(tx, &keys.fitting(tx)?, &credential, &pair, &origin, now)
        })
        .await
    }

    async fn begin_refresh(
        &self,
        credential: &str,
        generation: u64,
        owner: &str,
        now: Ts,
        stale_ms: u64,
    ) -> Result<RefreshStart, Failure> {
        let (credential, owner) = (credential.to_owned(), owner.to_owned());
        self.write("begin_refresh", true, move |tx, keys| {
            tokens::begin_refresh(tx, &keys.fitting(tx)?, &credential, generation, &owner, now, stale_ms)
        })
        .await
    }

    async fn end_refresh(
        &self,
        credential: &str,
        owner: &str,
        pair: Option<&TokenPair>,
        needs_authorisation: bool,
        event: &TokenEvent,
    ) -> Result<Option<TokenRow>, Failure> {
        let (credential, owner, pair, event) =
            (credential.to_owned(), owner.to_owned(), pair.cloned(), event.clone());
        self.write("end_refresh", true, move |tx, keys| {
            tokens::end_refresh(
                tx,
                &keys.fitting(tx)?,
                &credential,
                &owner,
                pair.as_ref(),
                needs_authorisation,
                &event,
            )
        })
        .await
    }

    async fn history(&self, credential: &str, limit: usize) -> Result<Vec<TokenEvent>, Failure> {
        let credential = credential.to_owned();
        self.read(move |db, _| tokens::history(db, &credential, limit)).await
    }
}

#[async_trait]
impl Budget for SqliteLedger {
    async fn reserve(
        &self,
        credential: &str,
        limits: &Limits,
        owner: &str,
        now: Ts,
    ) -> Result<Slot, Failure> {
        let (credential, owner, limits) = (credential.to_owned(), owner.to_owned(), *limits);
        self.write_short("reserve", move |tx, _| budget::reserve(tx, &credential, &limits, &owner, now)).await
    }

    async fn release(&self, slot: i64, now: Ts) -> Result<(), Failure> {
        self.write_short("release", move |tx, _| budget::release(tx, slot, now)).await
    }

    async fn hold(&self, credential: &str, until: Ts) -> Result<(), Failure> {
        let credential = credential.to_owned();
        self.write("hold", false, move |tx, _| budget::hold(tx, &credential, until)).await
    }

    async fn slow(&self, credential: &str, limits: &Limits, told: &Throttle, now: Ts) -> Result<Ts, Failure> {
        let (credential, limits, told) = (credential.to_owned(), *limits, *told);
        self.write("slow", false, move |tx, _| budget::slow(tx, &credential, &limits, &told, now)).await
    }

    async fn usage(&self, credential: Option<&str>, now: Ts) -> Result<Vec<Usage>, Failure> {
        let credential = credential.map(str::to_owned);
        self.read(move |db, _| budget::usage(db, credential.as_deref(), now)).await
    }
}
