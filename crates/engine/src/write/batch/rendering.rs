//! Records become rows: one each, or gathered into units that share an outcome.

use heliu_model::ports::{Due, Outcome, WriteRow};
use heliu_model::{Failure, text};

use super::Batches;
use super::work::{Members, Work};

impl Batches {
    pub(super) fn render(&self, dues: Vec<Due>) -> Work {
        let mut work = Work::of(dues.len());
        for due in dues {
            match self.ctx.renderer.render(&self.ctx.window, &due.content) {
                Ok(body) => {
                    work.rows.push(WriteRow { id: due.id, version: due.version, body });
                    work.refs.push(Members::One((due.row, due.version)));
                }
                Err(failure) => {
                    work.outcomes.push((due.row, due.version, Outcome::Failed(Box::new(failure))));
                }
            }
        }
        work
    }

    /// Records put together and rendered, in parts that are announced and settled on their own: a record is in one
    /// part only, and what the grouping leaves out fails in the last one.
    pub(super) fn gathered(&self, dues: &[Due]) -> Vec<Work> {
        let contents: Vec<_> = dues.iter().map(|d| d.content.clone()).collect();
        let most = self.ctx.target.shape().max_rows.min(self.ctx.batch).max(1);
        let mut out: Vec<Work> = Vec::new();
        // Part of each record, once it is in one.
        let mut part_of: Vec<Option<usize>> = vec![None; dues.len()];
        for unit in self.ctx.renderer.gather(&contents) {
            let known = unit.members.iter().find_map(|m| part_of.get(*m).copied().flatten());
            let at = known.unwrap_or_else(|| {
                if out.last().is_none_or(|w| w.refs.len() >= most) {
                    out.push(Work::of(most.min(64)));
                }
                out.len() - 1
            });
            unit.members.iter().for_each(|m| part_of.iter_mut().skip(*m).take(1).for_each(|p| *p = Some(at)));
            let members: Vec<&Due> = unit.members.iter().filter_map(|m| dues.get(*m)).collect();
            let (Some(work), Some(first)) = (out.get_mut(at), members.first()) else { continue };
            let refs = match members.as_slice() {
                [one] => Members::One((one.row, one.version)),
                all => Members::Many(all.iter().map(|d| (d.row, d.version)).collect()),
            };
            match self.ctx.renderer.render(&self.ctx.window, &unit.content) {
                Ok(body) => {
                    work.rows.push(WriteRow { id: first.id.clone(), version: first.version, body });
                    work.refs.push(refs);
                }
                Err(failure) => refs.end(Outcome::Failed(Box::new(failure)), &mut work.outcomes),
            }
        }
        let mut rest = Work::of(0);
        for (due, _) in dues.iter().zip(&part_of).filter(|(_, part)| part.is_none()) {
            rest.outcomes.push((due.row, due.version, Outcome::Failed(Box::new(left_out()))));
        }
        if !rest.outcomes.is_empty() {
            out.push(rest);
        }
        out
    }
}

fn left_out() -> Failure {
    Failure::data(
        "HL-2214",
        text!(
            "the target's grouping makes nothing of this record: there is nothing to send",
            "目标的分组没有从这条数据得到任何内容,没有可发送的内容"
        ),
    )
}
