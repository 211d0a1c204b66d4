//! What an experienced consultant would say about a plan: one definition per finding of `heliu check`.

use super::{Code, code};
use crate::{Problem, Severity, Text};

/// A finding that `heliu check` can make about a plan that is well formed.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// Error: the plan cannot run as written. Warning: it probably does not do what its author meant.
    pub severity: Severity,
    /// Code and page.
    pub page: Code,
}

impl Lint {
    /// The finding at a JSON path of the plan, with what was found.
    #[must_use]
    pub fn at(&self, path: impl Into<String>, found: Text) -> Problem {
        match self.severity {
            Severity::Error => Problem::error(self.page.id, path, found),
            Severity::Warning => Problem::warning(self.page.id, path, found),
        }
    }
}

const fn warning(
    id: &'static str,
    title: (&'static str, &'static str),
    cause: (&'static str, &'static str),
    todo: (&'static str, &'static str),
) -> Lint {
    Lint { severity: Severity::Warning, page: code(id, title, cause, todo) }
}

const fn error(
    id: &'static str,
    title: (&'static str, &'static str),
    cause: (&'static str, &'static str),
    todo: (&'static str, &'static str),
) -> Lint {
    Lint { severity: Severity::Error, page: code(id, title, cause, todo) }
}

/// `after` names no plan.
pub const UNKNOWN_AFTER: Lint = error(
    "HL-1060",
    ("`after` names a plan that is not there", "`after` 指向的方案不存在"),
    ("the name is misspelt, or the plan was removed", "名称拼写有误,或该方案已删除"),
    ("write the name of a plan of this project", "请填写本项目中的方案名"),
);

/// A plain INSERT meets its own rows.
pub const PLAIN_INSERT: Lint = warning(
    "HL-1061",
    ("a plain INSERT meets its own rows", "普通 INSERT 会与已有的行冲突"),
    (
        "with `onChange: \"update\"` a changed record is written again, and the row is there already",
        "`onChange: \"update\"` 时变化的数据会再次写入,而该行已存在",
    ),
    (
        "use REPLACE or INSERT … ON DUPLICATE KEY UPDATE over a unique key, or `onChange: \"ignore\"`",
        "请在唯一键上使用 REPLACE 或 INSERT … ON DUPLICATE KEY UPDATE,或设 `onChange: \"ignore\"`",
    ),
);

/// `idCheck: false` writes everything again.
pub const REWRITES_ALL: Lint = warning(
    "HL-1062",
    ("every run writes every record again", "每次运行都会重写所有数据"),
    ("`idCheck` is false: unchanged records count as changed", "`idCheck` 为 false:未变化的数据也视为变化"),
    ("set it to true unless that is wanted", "如非有意,请设为 true"),
);

/// Updates are read and thrown away.
pub const UPDATES_IGNORED: Lint = warning(
    "HL-1063",
    ("updates are read and thrown away", "更新会被读取后丢弃"),
    (
        "the source is read by a time window, and `onChange: \"ignore\"` keeps the first version of each record",
        "来源按时间窗口读取,而 `onChange: \"ignore\"` 只保留每条数据的首个版本",
    ),
    (
        "use `onChange: \"update\"` to have changed records written again",
        "如需更新已写入的数据,请用 `onChange: \"update\"`",
    ),
);

/// Two plans with one id.
pub const SAME_ID: Lint = error(
    "HL-1064",
    ("two plans have the same id", "两个方案的 id 相同"),
    ("a plan file was copied together with its `id`", "复制方案文件时连同 `id` 一起复制"),
    ("lookups name plans by id: give each its own", "联查按 id 引用方案,请为每个方案使用不同的 id"),
);

/// Every lint, in the order of its code.
pub const ALL: &[Lint] = &[UNKNOWN_AFTER, PLAIN_INSERT, REWRITES_ALL, UPDATES_IGNORED, SAME_ID];
