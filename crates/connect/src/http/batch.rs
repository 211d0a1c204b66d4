//! What a reply says about each record of a write.

use heliu_model::ports::{Replay, RowResult};
use heliu_model::{Class, Failure, Ts, text};
use heliu_transform::{Path, Value};
use regex::Regex;

use super::client::Reply;
use super::outcome::Reading;
use crate::manifest::{Api, RowsForm};

/// What is needed to read the results.
pub(super) struct Batch<'a> {
    pub api: &'a Api,
    pub reading: &'a Reading,
    pub now: Ts,
    pub replay: Replay,
    /// Requests of the records, in order.
    pub requests: &'a [Value],
}

impl Batch<'_> {
    /// One result per record, in order.
    ///
    /// # Errors
    /// The batch has to be written in halves: some of it was refused, nothing tells which, and repeating is harmless.
    pub fn results(&self, reply: &Reply) -> Result<Vec<RowResult>, Failure> {
        let Some(form) = &self.api.form.batch else { return Ok(Vec::new()) };
        let Ok(outline) = reply.outline() else { return Ok(Vec::new()) };
        let mut out: Vec<Option<RowResult>> = vec![None; self.requests.len()];
        let mut told = false;
        let lists = [(&form.rows, None), (&form.written, Some(true)), (&form.failed, Some(false))];
        for ((rows, fixed), pattern) in lists.into_iter().zip(&self.api.patterns) {
            let Some(rows) = rows else { continue };
            let Some(items) = outline.list(&Path::with_slashes(&rows.list)).ok().flatten() else { continue };
            // Only an empty list of refusals says that all is well: results, or written ones, are missing there.
            told |= !items.is_empty() || fixed != Some(false);
            let by_place = rows.key.is_none() && rows.index.is_none() && pattern.is_none();
            if by_place && items.len() != self.requests.len() {
                // Which of them is missing cannot be told.
                continue;
            }
            for (position, item) in items.iter().enumerate() {
                let Some(inner) = Value::parse(item).ok() else { continue };
                let Some(at) = self.position(rows, pattern.as_ref(), &inner, position) else { continue };
                if let Some(slot) = out.get_mut(at) {
                    // A refusal is not overruled: several errors may speak of one record.
                    if !matches!(slot, Some(RowResult::Failed(_))) {
                        *slot = Some(self.result(rows, fixed, &inner));
                    }
                }
            }
        }
        let refused = form.failed_count.as_deref().and_then(|p| outline.text(&Path::with_slashes(p)));
        let refused: Option<usize> = refused.and_then(|n| n.trim().parse().ok());
        let named = out.iter().filter(|r| matches!(r, Some(RowResult::Failed(_)))).count();
        let whole = Value::parse(&reply.body).unwrap_or_default();
        let speaks = told || refused.is_some();
        if let Some(n) = refused.filter(|n| *n > named) {
            let silent = out.iter().filter(|r| r.is_none()).count();
            if n - named >= silent {
                // Every record that nothing names is among the refused.
                for slot in out.iter_mut().filter(|r| r.is_none()) {
                    *slot = Some(RowResult::Failed(self.refusal("", &self.words(&whole))));
                }
            } else if self.replay == Replay::Idempotent && self.requests.len() > 1 {
                let mut f = self.refusal("", &self.words(&whole));
                f.class = Class::Data;
                return Err(f);
            }
        }
        let all_well = match (refused, form.written.is_some()) {
            (Some(n), _) => n == named,
            // A list of those that were written names all of them.
            (None, true) => false,
            (None, false) => !told || form.rows.is_none(),
        };
        Ok(out
            .into_iter()
            .map(|slot| match slot {
                Some(result) => result,
                None if all_well || !speaks => RowResult::Written(Some(whole.clone())),
                None => RowResult::InDoubt(unnamed()),
            })
            .collect())
    }

    fn position(&self, rows: &RowsForm, pattern: Option<&Regex>, item: &Value, at: usize) -> Option<usize> {
        if let Some(key) = &rows.key {
            let said = item.get_path(&key.reply)?.in_text();
            return self
                .requests
                .iter()
                .position(|r| r.get_path(&key.request).is_some_and(|v| v.in_text() == said));
        }
        let number = match (&rows.index, pattern) {
            (Some(place), _) => item.get_path(place)?.in_text(),
            (None, Some(p)) => p.captures(&item.in_text())?.get(1)?.as_str().to_owned(),
            (None, None) => return Some(at),
        };
        usize::try_from(number.trim().parse::<i64>().ok()? - rows.base).ok()
    }

    fn result(&self, rows: &RowsForm, fixed: Option<bool>, item: &Value) -> RowResult {
        let text_at = |place: &str| item.get_path(place).map(|v| v.in_text()).unwrap_or_default();
        let said = rows.message.iter().map(|p| text_at(p)).find(|s| !s.is_empty());
        let said =
            said.unwrap_or_else(|| if item.as_str().is_some() { item.in_text() } else { String::new() });
        let code = rows.code.as_deref().map(text_at).unwrap_or_default();
        let flag = rows.ok.as_deref().and_then(|p| item.get_path(p));
        let well = match (&flag, fixed) {
            (Some(v), _) => matches!(v.in_text().as_str(), "true" | "1"),
            (None, Some(fixed)) => fixed,
            (None, None) => rows.ok.is_none(),
        };
        if well {
            return RowResult::Written(Some(item.clone()));
        }
        match self.reading.row(&code, &said, self.now) {
            Some(f) if f.class == Class::Data => RowResult::Failed(f),
            Some(f) if f.doubt => RowResult::InDoubt(f),
            Some(f) if matches!(f.class, Class::Transient | Class::RateLimited) => RowResult::Waiting(f),
            _ => RowResult::Failed(self.refusal(&code, &said)),
        }
    }

    fn words(&self, whole: &Value) -> String {
        let list = self.api.form.batch.as_ref().and_then(|b| b.failed.as_ref()).map(|f| f.list.as_str());
        let texts = list.and_then(|l| whole.get_path(l)).map(|v| v.in_text()).unwrap_or_default();
        texts.chars().take(300).collect()
    }

    fn refusal(&self, code: &str, said: &str) -> Failure {
        let said = said.to_owned();
        Failure::data("HL-5010", text!("the target refuses this record: «{said}»", "目标拒绝该数据:“{said}”"))
            .vendor(code)
    }
}

fn unnamed() -> Failure {
    Failure::data(
        "HL-5011",
        text!(
            "the target's reply does not say what became of this record: it speaks of others, or of none",
            "目标的响应没有说明这条数据的结果:只提到其他数据,或一条也没有提到"
        ),
    )
    .in_doubt()
}

/// Results where no manifest says how: `issuccess`, `success` or `billStatus` in a list, told apart by `billIndex`, or
/// by position in a list as long as the batch.
pub(super) fn by_habit(count: usize, whole: &Value) -> Vec<RowResult> {
    let lists = ["data.datas", "data.results", "data.list", "result", "data", "results", "datas"];
    let found = lists.iter().find_map(|p| match whole.get_path(p) {
        Some(Value::Array(items))
            if !items.is_empty() && (items.len() == count || items.iter().all(|i| flag(i).is_some())) =>
        {
            Some(items)
        }
        _ => None,
    });
    let written = || RowResult::Written(Some(whole.clone()));
    let Some(items) = found else { return (0..count).map(|_| written()).collect() };
    let index = |item: &Value| item.get_path("billIndex")?.in_text().trim().parse::<usize>().ok();
    let named: Option<Vec<usize>> = items.iter().map(index).collect();
    let mut out: Vec<Option<RowResult>> = vec![None; count];
    match named {
        Some(places) if places.iter().all(|at| *at < count) => {
            for (at, item) in places.into_iter().zip(items) {
                if let Some(slot) = out.get_mut(at)
                    && !matches!(slot, Some(RowResult::Failed(_)))
                {
                    *slot = Some(told(item));
                }
            }
        }
        _ if items.len() == count => out = items.into_iter().map(|i| Some(told(i))).collect(),
        // One word about the whole, unless it speaks of a refusal: whose that is, nothing tells.
        _ if items.iter().all(|i| flag(i) == Some(true)) => return (0..count).map(|_| written()).collect(),
        _ => {}
    }
    out.into_iter().map(|slot| slot.unwrap_or_else(|| RowResult::InDoubt(unnamed()))).collect()
}

/// Whether a result says that its record was written.
fn flag(item: &Value) -> Option<bool> {
    ["issuccess", "success", "billStatus", "is_success"]
        .iter()
        .find_map(|k| item.get_path(k))
        .map(|v| matches!(v.in_text().as_str(), "true" | "1"))
}

fn told(item: Value) -> RowResult {
    if flag(&item) != Some(false) {
        return RowResult::Written(Some(item));
    }
    let said = ["msg", "message", "errmsg", "errorMsg"]
        .iter()
        .find_map(|k| item.get_path(k))
        .map(|v| v.in_text())
        .unwrap_or_default();
    RowResult::Failed(Failure::data(
        "HL-5010",
        text!("the target refuses this record: «{said}»", "目标拒绝该数据:“{said}”"),
    ))
}
