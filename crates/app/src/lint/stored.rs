//! Findings about plans that read the records of another plan, or write for one.

use heliu_connect::heliu::{answers_to, other_plan};
use heliu_model::codes::lint as say;
use heliu_model::{ConnectorSpec, Problem, text};
use heliu_transform::{Metadata, nearest};

use super::Known;
use crate::wire::Loaded;

/// Findings about one side; paths are inside its document.
pub fn stored(
    l: &Loaded,
    spec: Option<&ConnectorSpec>,
    meta: &Metadata,
    known: &Known,
    out: &mut Vec<Problem>,
) {
    if !spec.is_some_and(|s| answers_to(&s.platform)) {
        return;
    }
    let Some(named) = other_plan(meta) else { return };
    let path = if meta.api.contains(&named) { "api" } else { "request.scheme_id" };
    if named == l.name || named.eq_ignore_ascii_case(&l.plan.id) {
        let problem = say::READS_ITSELF.at(
            path,
            text!(
                "the plan names itself: it would read or write its own records",
                "方案引用了自身:会读取或写入自己的数据"
            ),
        );
        out.push(problem.hint(text!("name the other plan", "请填写另一个方案")));
        return;
    }
    let ids = (known.ids)();
    if known.plans.contains(&named) || ids.iter().any(|id| id.eq_ignore_ascii_case(&named)) {
        return;
    }
    let hint = match nearest(&named, ids.iter().chain(known.plans).map(String::as_str)) {
        Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
        None => text!(
            "name a plan of this project by its file name or its `id`",
            "请填写本项目中方案的文件名或 `id`"
        ),
    };
    out.push(
        say::UNKNOWN_STORED
            .at(path, text!("no plan has the id or name `{named}`", "没有 id 或名称为 `{named}` 的方案"))
            .hint(hint),
    );
}
