//! Codes of alerts.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-7060",
        ("a run ended and its counts do not balance", "运行已结束,但计数不平衡"),
        (
            "the source's answers contradict each other (a total that lies, pages that shift without end), or what was due is not accounted for",
            "来源的响应相互矛盾(总数不实、分页不断移动),或应写数据未全部结清",
        ),
        (
            "`heliu certificate PLAN` has the numbers and `heliu calls PLAN` the replies; run it again, and a range with `--from` and `--to` where the source may have left something out",
            "`heliu certificate 方案` 列出计数,`heliu calls 方案` 可查看响应;请重新运行,来源可能遗漏的范围用 `--from` 与 `--to` 补数",
        ),
    ),
    code(
        "HL-7061",
        ("records failed", "有数据写入失败"),
        (
            "the target refused them, or they could not be rendered; each record has its own reason",
            "目标拒绝写入,或数据无法渲染;每条数据都有各自的原因",
        ),
        (
            "`heliu records PLAN --state failed` says why; mend the mapping, the target or the data, then `heliu retry PLAN`",
            "`heliu records 方案 --state failed` 可查看原因;修正映射、目标或数据后执行 `heliu retry 方案`",
        ),
    ),
    code(
        "HL-7062",
        ("records are in doubt", "有数据存疑"),
        (
            "a write was sent and its answer was lost; whether it took effect cannot be told from here, so it is not repeated by itself",
            "写入已发出但响应丢失,无法判断是否生效,因此不会自动重复",
        ),
        (
            "look the records up in the target; `heliu retry PLAN --state in_doubt --id ID` for those that are missing there. What they hold never expires",
            "请在目标系统中核对;缺失的执行 `heliu retry 方案 --state in_doubt --id ID`。这些数据的内容不会过期",
        ),
    ),
    code(
        "HL-7063",
        ("elements were rejected", "有元素被拒绝"),
        (
            "the source sent elements without the field that the metadata names as `id`",
            "来源返回的元素缺少元数据中 `id` 指定的字段",
        ),
        (
            "`heliu records PLAN --state rejected` shows which call brought them; choose an `id` that every element has",
            "`heliu records 方案 --state rejected` 可查看来自哪次调用;请选择每个元素都有的字段作为 `id`",
        ),
    ),
    code(
        "HL-7064",
        ("a schedule is late", "调度延迟"),
        (
            "the run before takes longer than the schedule allows, all workers are busy, or another process holds the plan",
            "上一次运行耗时超过调度间隔、所有工作线程繁忙,或方案被其他进程占用",
        ),
        (
            "`heliu status PLAN` shows what it is doing; give it a wider schedule, raise `server.workers`, or find what slows the platform down. `alerts.late` in heliu.toml says when a tick is late",
            "`heliu status 方案` 可查看状态;请放宽调度、增大 `server.workers`,或排查平台变慢的原因。heliu.toml 的 `alerts.late` 设定延迟时限",
        ),
    ),
    code(
        "HL-7065",
        ("an alert has not arrived", "告警未送达"),
        (
            "the address of `[alerts]` cannot be reached, refuses the message (wrong key, wrong signature, a robot's key word or IP rule), or had too many messages",
            "`[alerts]` 的地址无法访问、拒绝消息(密钥或加签错误、机器人的关键词或 IP 限制),或消息过于频繁",
        ),
        (
            "`heliu alerts --test` tries every address and says what it answers. Messages are tried again for a day; runs are not affected, and `heliu status` shows the alerts all the same",
            "`heliu alerts --test` 会逐个测试地址并显示响应。消息会重试一天;不影响运行,`heliu status` 始终显示告警",
        ),
    ),
    code(
        "HL-8021",
        ("no address for alerts", "没有告警地址"),
        ("`heliu alerts --test` has nobody to write to", "`heliu alerts --test` 没有可发送的地址"),
        (
            "add `[alerts]` with `webhook`, or `[[alerts.webhooks]]`, or `[alerts.mail]`, to heliu.toml",
            "请在 heliu.toml 中添加 `[alerts]` 的 `webhook`、`[[alerts.webhooks]]` 或 `[alerts.mail]`",
        ),
    ),
    code(
        "HL-8022",
        ("there is no open alert with this number", "没有该编号的未关闭告警"),
        ("the number is wrong, or it is over already", "编号有误,或告警已恢复"),
        ("`heliu alerts` lists those that are open", "`heliu alerts` 会列出未关闭的告警"),
    ),
];
