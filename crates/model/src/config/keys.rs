//! Every key of `heliu.toml` with its meaning: what is read, and the reference.

/// A key and its page.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Table; several levels with dots.
    pub table: &'static str,
    /// Name inside it.
    pub name: &'static str,
    /// Default, as it is written; empty: none.
    pub default: &'static str,
    /// What it means: English, 中文.
    pub meaning: (&'static str, &'static str),
}

const fn key(
    table: &'static str,
    name: &'static str,
    default: &'static str,
    meaning: (&'static str, &'static str),
) -> Key {
    Key { table, name, default, meaning }
}

/// All keys, table by table.
pub const KEYS: &[Key] = &[
    key(
        "ledger",
        "path",
        "\".heliu\"",
        ("directory of the ledger, from the project's directory", "台账目录,相对于项目目录"),
    ),
    key("ledger", "url", "", ("a ledger on PostgreSQL; not available yet", "PostgreSQL 台账;暂不支持")),
    key(
        "ledger",
        "synchronous",
        "\"normal\"",
        (
            "`\"full\"` syncs every commit to disk; `\"normal\"` only what must not be repeated. A crash of the process loses nothing either way; a loss of power may repeat the last pages",
            "`\"full\"` 每次提交都落盘;`\"normal\"` 只对不可重复的操作落盘。进程崩溃在两种方式下都不会丢失数据;断电可能使最后几页重复读取",
        ),
    ),
    key(
        "ledger",
        "lease",
        "\"2m\"",
        (
            "how long a run stays with a process that gives no sign of life (1 second to 1 day)",
            "进程无响应后,运行仍归其所有的时长(1 秒到 1 天)",
        ),
    ),
    key(
        "retention",
        "calls_days",
        "30",
        (
            "calls older than this go. Of those that brought or wrote a record a line stays (when, where, how it ended)",
            "更早的调用会被清除;带来或写入过数据的调用保留一行(时间、地址、结果)",
        ),
    ),
    key(
        "retention",
        "calls_mib",
        "2048",
        (
            "mebibytes that the bodies of calls may take; the oldest bodies go first",
            "调用正文占用的上限(MiB);先清除最旧的正文",
        ),
    ),
    key(
        "retention",
        "records_days",
        "",
        (
            "contents of records written longer ago go, with those of their older versions; id, hash, state and times stay, so that a record which comes again is known. Without it contents stay for ever. Plans that others look values up in (`_findCollection`, `_mongoQuery`) keep theirs",
            "写入时间更早的数据会清除内容(含旧版本);id、哈希、状态与时间保留,再次读到时仍能识别。不设置则永久保留。被其他方案联查(`_findCollection`、`_mongoQuery`)的方案保留其内容",
        ),
    ),
    key(
        "retention",
        "every",
        "\"6h\"",
        (
            "between two rounds, at the end of `heliu run` and in `heliu serve` (1 minute to 31 days)",
            "两轮清理的间隔,用于 `heliu run` 结束时与 `heliu serve`(1 分钟到 31 天)",
        ),
    ),
    key(
        "retention",
        "plans",
        "",
        (
            "a table of plans with a rule of their own in place of `records_days`: `NAME = days`, or `NAME = \"forever\"`",
            "单独设定 `records_days` 的方案:`方案名 = 天数`,或 `方案名 = \"forever\"`",
        ),
    ),
    key(
        "alerts",
        "webhook",
        "",
        (
            "address that alerts are posted to; text, `{ env = \"…\" }`, `{ secret = \"…\" }` or `{ file = \"…\" }`. Robots of 钉钉 and 企业微信 are known by their address, everything else gets JSON",
            "告警发送地址;可为文本、`{ env = \"…\" }`、`{ secret = \"…\" }` 或 `{ file = \"…\" }`。钉钉与企业微信机器人按地址识别,其余发送 JSON",
        ),
    ),
    key(
        "alerts",
        "webhooks",
        "",
        (
            "a list of further addresses: `[[alerts.webhooks]]` with `name`, `url`, `secret`, `shape`",
            "更多地址的列表:`[[alerts.webhooks]]`,含 `name`、`url`、`secret`、`shape`",
        ),
    ),
    key(
        "alerts",
        "mail",
        "",
        (
            "the table `[alerts.mail]`: a server, a sender, receivers",
            "表 `[alerts.mail]`:服务器、发件人与收件人",
        ),
    ),
    key(
        "alerts",
        "late",
        "\"15m\"",
        (
            "a tick that waits longer makes its schedule late (1 minute to 31 days)",
            "触发等待超过该时长即为调度延迟(1 分钟到 31 天)",
        ),
    ),
    key(
        "alerts",
        "lang",
        "",
        (
            "language of messages, `\"zh\"` or `\"en\"`; else that of the program",
            "消息语言,`\"zh\"` 或 `\"en\"`;默认与程序一致",
        ),
    ),
    key(
        "alerts.webhooks",
        "name",
        "\"webhook-N\"",
        ("name in messages and in the ledger; N counts from 1", "消息与台账中的名称;N 从 1 开始"),
    ),
    key("alerts.webhooks", "url", "", ("the address, as above", "地址,写法同上")),
    key(
        "alerts.webhooks",
        "secret",
        "",
        (
            "signs: 钉钉 in its own way (加签); JSON with `x-heliu-timestamp` and `x-heliu-signature`, which is `sha256=` and the hex HMAC-SHA256 of timestamp, a dot and the body",
            "加签密钥:钉钉按其加签规则;JSON 带 `x-heliu-timestamp` 与 `x-heliu-signature`,后者为 `sha256=` 加 HMAC-SHA256(时间戳 + 点 + 正文)的十六进制",
        ),
    ),
    key(
        "alerts.webhooks",
        "shape",
        "",
        (
            "`\"json\"`, `\"dingtalk\"` or `\"wecom\"`; else by the address",
            "`\"json\"`、`\"dingtalk\"` 或 `\"wecom\"`;默认按地址判断",
        ),
    ),
    key("alerts.mail", "host", "", ("the SMTP server", "SMTP 服务器")),
    key(
        "alerts.mail",
        "security",
        "\"tls\"",
        (
            "`\"tls\"` from the first byte, `\"starttls\"` before anything is said, or `\"none\"`: a password goes in the open to this machine only",
            "`\"tls\"` 全程加密,`\"starttls\"` 先协商加密再通信,`\"none\"` 不加密:密码只能明文发往本机",
        ),
    ),
    key("alerts.mail", "port", "465, 587, 25", ("the port; by `security`", "端口;默认随 `security`")),
    key("alerts.mail", "username", "", ("user name, if the server wants one", "用户名(服务器需要时)")),
    key(
        "alerts.mail",
        "password",
        "",
        (
            "password or the mail provider's authorisation code; text, `{ env = \"…\" }`, `{ secret = \"…\" }` or `{ file = \"…\" }`",
            "密码或邮箱授权码;可为文本、`{ env = \"…\" }`、`{ secret = \"…\" }` 或 `{ file = \"…\" }`",
        ),
    ),
    key(
        "alerts.mail",
        "from",
        "",
        ("the sender, such as `\"heliu <ops@example.com>\"`", "发件人,例如 `\"heliu <ops@example.com>\"`"),
    ),
    key("alerts.mail", "to", "", ("one receiver or a list of them", "一个或多个收件人")),
    key(
        "alerts.mail",
        "ssl_ca",
        "",
        (
            "file with the certificate (PEM) of an authority of your own, from the project directory",
            "自建颁发机构的证书文件(PEM),路径相对项目目录",
        ),
    ),
    key(
        "server",
        "listen",
        "",
        (
            "address of the health page, on this machine only, such as `\"127.0.0.1:8800\"`",
            "健康检查页地址,仅限本机,例如 `\"127.0.0.1:8800\"`",
        ),
    ),
    key("server", "log", "\"text\"", ("`\"json\"` logs JSON lines", "`\"json\"` 输出 JSON 行日志")),
    key("server", "workers", "16", ("runs at the same time", "同时进行的运行数")),
];

/// Names of a table's keys.
pub(super) fn names(table: &str) -> Vec<&'static str> {
    KEYS.iter().filter(|k| k.table == table).map(|k| k.name).collect()
}

/// Names of the tables on the top level.
pub(super) fn tables() -> Vec<&'static str> {
    let mut out: Vec<&'static str> = KEYS.iter().map(|k| k.table).filter(|t| !t.contains('.')).collect();
    out.dedup();
    out
}
