//! Error codes and the findings of `heliu check`.

use heliu_model::codes::{self, Code, lint};
use heliu_model::{Lang, Severity};

use super::page::{Page, page, pick};

fn section(lang: Lang, code: &Code, remark: &str) -> String {
    let (cause, todo) = (pick(lang, ("Cause", "原因")), pick(lang, ("What to do", "处理")));
    format!(
        "## {}\n\n{}{remark}\n\n- {cause}: {}\n- {todo}: {}\n\n",
        code.id,
        pick(lang, code.title),
        pick(lang, code.cause),
        pick(lang, code.todo)
    )
}

/// Every code with its page.
pub fn codes(lang: Lang) -> Page {
    let mut all: Vec<&Code> = codes::all().collect();
    all.sort_by_key(|c| c.id);
    let body: String = all.into_iter().map(|c| section(lang, c, "")).collect();
    page(
        lang,
        "codes",
        ("Codes", "代码"),
        (
            "Every message carries one of these codes; `heliu explain CODE` prints its page.",
            "每条消息都带有代码;`heliu explain 代码` 可显示说明。",
        ),
        &body,
    )
}

/// The findings of `heliu check` about plans that are well formed.
pub fn lints(lang: Lang) -> Page {
    let body: String = lint::ALL
        .iter()
        .map(|l| {
            let word = match l.severity {
                Severity::Error => pick(lang, (" (error)", "(错误)")),
                Severity::Warning => pick(lang, (" (warning)", "(警告)")),
            };
            section(lang, &l.page, word)
        })
        .collect();
    page(
        lang,
        "lints",
        ("Findings of heliu check", "heliu check 的检查项"),
        (
            "What `heliu check` says about a plan that is well formed. Errors end it with exit status 2, warnings alone with 0.",
            "`heliu check` 对格式正确的方案提出的意见。有错误时退出码为 2,仅有警告时为 0。",
        ),
        &body,
    )
}
