//! What must hold, at any moment and at the end.

use std::collections::BTreeMap;

use heliu_engine::RunOptions;
use heliu_model::Failure;
use heliu_model::ports::RecordRow;
use heliu_model::record::{OnChange, State};
use heliu_model::run::{RunKind, RunReport, RunState};

use super::World;
use super::history::canonical;
use crate::fake::with;

macro_rules! hold {
    ($cond:expr, $($words:tt)+) => {
        if !$cond {
            return Err(format!($($words)+));
        }
    };
}

impl World {
    /// A clean exit says that nothing is left to do.
    pub(super) fn exit_is_true(
        &self,
        lived: &Option<Result<RunReport, Failure>>,
        options: &RunOptions,
    ) -> Result<(), String> {
        let Some(Ok(report)) = lived else { return Ok(()) };
        if report.exit_code() != 0 || options.source_only {
            return Ok(());
        }
        hold!(report.balanced, "exit 0 without a balance: {:?}", report.counts);
        hold!(report.complete || report.kind == RunKind::Limited, "exit 0 although incomplete");
        for r in self.records() {
            let settled = matches!(r.state, State::Written | State::Filtered | State::Rejected);
            hold!(settled, "exit 0 with {:?} {:?}", r.id, r.state);
        }
        Ok(())
    }

    /// What holds at any moment, whatever has just happened.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(plan) = self.plan() else { return Ok(()) };
        let records = self.records();
        let states = self.ask(self.ledger.state_counts(plan.id)).map_err(|f| f.to_string())?;
        let runs = self.ask(self.ledger.runs(plan.id, 0)).map_err(|f| f.to_string())?;
        hold!(runs.iter().filter(|r| r.state == RunState::Open).count() <= 1, "two open runs");
        for run in &runs {
            hold!(run.counts.source_balances(), "run {} of the source: {:?}", run.id, run.counts);
            for w in &run.windows {
                hold!(w.returned == w.records.sum(), "window {:?} of run {}", w, run.id);
            }
            if run.state == RunState::Open {
                // What waits now is what the balance still misses.
                let mut counts = run.counts;
                counts.target.waiting = states.waiting + states.queued;
                hold!(counts.target_balances(), "open run {} of the target: {counts:?}", run.id);
            } else {
                hold!(run.counts.target_balances(), "run {} of the target: {:?}", run.id, run.counts);
            }
        }
        let mut seen = BTreeMap::new();
        with(&self.platform, |p| {
            for r in &records {
                let Some(id) = &r.id else { continue };
                hold!(seen.insert(id.clone(), r.row).is_none(), "record {id} is there twice");
                hold!(p.contents.contains_key(id), "record {id} was never on the platform");
            }
            Ok(())
        })?;
        self.target_is_sane(&records)?;
        self.passed_on_is_what_was_written(&records)?;
        self.watermark_is_earned(plan.watermark.map(|w| w.0), &runs, &records)
    }

    /// A record that is written was passed on as it was written, and has what was kept; whatever was passed on once
    /// was on the platform.
    fn passed_on_is_what_was_written(&self, records: &[RecordRow]) -> Result<(), String> {
        let received = self.received().map_err(|f| f.to_string())?;
        let written: Vec<_> = records.iter().filter(|r| r.state == State::Written).collect();
        let rows: Vec<_> = written.iter().map(|r| r.row).collect();
        let contents: BTreeMap<_, _> =
            self.ask(self.ledger.contents(&rows)).map_err(|f| f.to_string())?.into_iter().collect();
        for r in written {
            let (Some(id), Some(content)) = (&r.id, contents.get(&r.row)) else { continue };
            let content = canonical(&String::from_utf8_lossy(content));
            let there = received.get(id).map(|c| canonical(c));
            hold!(there.as_ref() == Some(&content), "{id} is written as {content}, passed on: {there:?}");
            let kept = r.writeback.as_deref().map(canonical);
            hold!(kept.as_ref() == Some(&content), "{id} is written as {content}, kept: {kept:?}");
        }
        for (id, content) in received {
            let known = with(&self.platform, |p| {
                p.contents.get(&id).is_some_and(|c| c.contains(&canonical(&content)))
            });
            hold!(known, "{id} was passed on and never was {content}");
        }
        Ok(())
    }

    /// Nothing invented, nothing old over new, nothing sent twice where that cannot be undone.
    fn target_is_sane(&self, records: &[RecordRow]) -> Result<(), String> {
        let versions: BTreeMap<_, _> = records.iter().filter_map(|r| Some((r.id.clone()?, r))).collect();
        with(&self.table, |t| {
            hold!(t.regressed.is_empty(), "an old version over a newer one: {:?}", t.regressed);
            if self.sent_blindly_is_a_crime() {
                hold!(t.blind.is_empty(), "sent although in doubt: {:?}", t.blind);
            }
            for ((id, version), n) in &t.applied {
                let allowed = 1 + with(&self.platform, |p| p.resent.get(id).copied().unwrap_or(0));
                let crime = self.sent_blindly_is_a_crime() && *n > allowed;
                hold!(!crime, "version {version} of {id} was written {n} times");
            }
            for (id, entry) in &t.rows {
                let Some(record) = versions.get(id) else { return Err(format!("{id} in the target only")) };
                hold!(record.version >= entry.version, "{id} has a version from nowhere");
                let content = canonical(&entry.content);
                let known =
                    with(&self.platform, |p| p.contents.get(id).is_some_and(|c| c.contains(&content)));
                hold!(known, "{id} never was {content}");
            }
            for (id, record) in versions {
                // The record says that its current version is there.
                let there = t.rows.get(&id).is_some_and(|e| e.version == record.version);
                hold!(record.state != State::Written || there, "{id} is said to be written and is not");
            }
            Ok(())
        })
    }

    /// The watermark stands where a window ended that was read completely, and what lay in it has come.
    fn watermark_is_earned(
        &self,
        watermark: Option<i64>,
        runs: &[heliu_model::ports::RunRow],
        records: &[RecordRow],
    ) -> Result<(), String> {
        let Some(mark) = watermark else { return Ok(()) };
        let by = runs.iter().rev().find(|r| {
            r.kind == RunKind::Normal && r.windows.iter().any(|w| w.complete && w.window.to.0 == mark)
        });
        let Some(by) = by else { return Err(format!("the watermark {mark} was never reached by reading")) };
        let known: BTreeMap<_, _> = records.iter().filter_map(|r| Some((r.id.clone()?, r))).collect();
        let (rows, since) = with(&self.platform, |p| (p.rows(), p.since.clone()));
        for row in rows {
            let Some(id) = row.id else { continue };
            // Whatever lay there unchanged since before the run began.
            let in_reach = row.at < mark || !self.scenario.spec.windowed;
            if in_reach && since.get(&id).is_some_and(|t| *t < by.started.0) {
                hold!(
                    known.contains_key(&id),
                    "row {id} (of {}) lies before the watermark {mark} and never came",
                    row.at
                );
            }
        }
        Ok(())
    }

    /// What holds when everything has calmed down.
    pub(super) fn verdict(&self, last: &RunReport) -> Result<(), String> {
        let ignore = self.scenario.spec.policy.on_change == OnChange::Ignore;
        let c = &last.counts;
        hold!(
            last.complete && last.balanced,
            "the last run is not clean: {:?} {:?}",
            last.counts,
            last.problems
        );
        hold!(c.records.new + c.records.changed == 0, "a quiet run finds news: {c:?}");
        hold!(c.target.written == 0, "a quiet run writes: {c:?}");
        let records: BTreeMap<_, _> =
            self.records().into_iter().filter_map(|r| Some((r.id.clone()?, r))).collect();
        let rows = with(&self.platform, |p| p.rows());
        let mut clean = true;
        for (id, r) in &records {
            let there = with(&self.table, |t| t.rows.contains_key(id));
            let tolerated = self.scenario.insert_only && there;
            match r.state {
                State::Written | State::Filtered => {}
                State::InDoubt | State::Failed if tolerated => clean = false,
                other => return Err(format!("{id} is {other:?} at the end: {:?}", r.reason)),
            }
        }
        hold!(!clean || last.exit_code() == 0, "exit {} at the end", last.exit_code());
        for row in rows {
            let Some(id) = row.id.clone() else { continue };
            let Some(record) = records.get(&id) else { return Err(format!("row {id} is lost")) };
            let truth = canonical(&row.json(0));
            let there = with(&self.table, |t| t.rows.get(&id).map(|e| canonical(&e.content)));
            let out = row.more.contains("\"status\":0");
            match there {
                // A condition leaves it out now; what was written before stays as it was.
                _ if out => {}
                None => return Err(format!("row {id} is {:?} and not in the target", record.state)),
                Some(_) if ignore => {}
                Some(content) => {
                    hold!(
                        content == truth,
                        "row {id} is {content} in the target and {truth} on the platform"
                    );
                }
            }
        }
        Ok(())
    }
}
