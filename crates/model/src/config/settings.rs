//! `heliu.toml` (interface §2.2).

use serde_json::Value;

use super::connector::{CredentialValue, value};
use super::fields::Fields;
use super::keys::{names, tables};
use crate::{Problem, text};

/// Server, ledger, retention and alert settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Directory of the ledger, instead of `.heliu`.
    pub ledger_path: Option<String>,
    /// Sync every commit.
    pub synchronous: bool,
    /// Days that bodies of calls are kept.
    pub calls_days: Option<u64>,
    /// Mebibytes that bodies of calls may take.
    pub calls_mib: Option<u64>,
    /// Days that contents of written records are kept.
    pub records_days: Option<u64>,
    /// The same for some plans; `None`: for ever.
    pub plan_days: Vec<(String, Option<u64>)>,
    /// Milliseconds between two rounds of retention.
    pub retention_every_ms: Option<i64>,
    /// Addresses that alerts are posted to.
    pub webhooks: Vec<WebhookFile>,
    /// Where alerts are mailed.
    pub mail: Option<MailFile>,
    /// Milliseconds that a tick may wait before its schedule is late.
    pub alert_late_ms: Option<i64>,
    /// Language of messages to people; else that of the program.
    pub alert_lang: Option<String>,
    /// Address that the server listens on.
    pub listen: Option<String>,
    /// Logs are JSON lines instead of text.
    pub log_json: bool,
    /// Runs at the same time.
    pub workers: Option<usize>,
    /// Milliseconds that a run stays with a process that gives no sign of life.
    pub lease_ms: Option<i64>,
}

/// An address that alerts are posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookFile {
    /// Name in messages and in the ledger.
    pub name: String,
    /// Where in the file the address stands.
    pub place: String,
    /// Address.
    pub url: CredentialValue,
    /// Secret of the signature.
    pub secret: Option<CredentialValue>,
    /// `json`, `dingtalk` or `wecom`; else by the address.
    pub shape: Option<String>,
}

/// Where alerts are mailed: `[alerts.mail]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFile {
    /// Server.
    pub host: String,
    /// Its port; else by `security`.
    pub port: Option<u16>,
    /// `tls`, `starttls` or `none`; else `tls`.
    pub security: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<CredentialValue>,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
    /// File with the certificate (PEM) of an authority of one's own.
    pub ssl_ca: Option<String>,
}

/// What the mail channel is called, in messages and in the ledger.
pub const MAIL: &str = "mail";

/// True for a server on this machine, with which a password may be spoken in the open.
fn local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn mail(v: &Value, problems: &mut Vec<Problem>) -> Option<MailFile> {
    let at = "alerts.mail";
    let Some(map) = v.as_object() else {
        problems.push(
            Problem::error("HL-1004", at, text!("mail is a table", "邮件设置应为表")).hint(text!(
                "write `[alerts.mail]` with `host`, `from` and `to`, and `username` and `password` where the server wants them",
                "请写成 `[alerts.mail]`,含 `host`、`from`、`to`,服务器需要时再加 `username` 与 `password`"
            )),
        );
        return None;
    };
    let mut f = Fields::new(map, at, problems);
    f.only(&names(at));
    let security = f.choice("security", &["tls", "starttls", "none"]);
    let port = f.number("port", 1, 65_535).and_then(|n| u16::try_from(n).ok());
    let (username, ssl_ca) = (f.text("username"), f.text("ssl_ca"));
    let password = f.raw("password").and_then(|v| value(v, f.at("password"), f.problems));
    let to = match f.raw("to") {
        Some(Value::String(one)) => one.split(',').map(|s| s.trim().to_owned()).collect(),
        Some(_) => {
            let list = f.list("to").cloned().unwrap_or_default();
            list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        }
        None => Vec::new(),
    };
    let to: Vec<String> = to.into_iter().filter(|s| !s.is_empty()).collect();
    if to.is_empty() {
        f.missing("to", text!("give one address or a list of them", "请填写一个或多个地址"));
    }
    let (host, from) = (f.text("host"), f.text("from"));
    if host.is_none() {
        f.missing("host", text!("give the name of the server", "请填写服务器名称"));
    }
    if from.is_none() {
        f.missing("from", text!("give the sender's address", "请填写发件人地址"));
    }
    if username.is_some() != password.is_some() {
        let key = if username.is_some() { "password" } else { "username" };
        f.missing(key, text!("a user name and a password belong together", "用户名与密码须同时填写"));
    }
    if let (Some("none"), Some(host), true) = (security.as_deref(), &host, password.is_some())
        && !local(host)
    {
        let host = host.clone();
        f.problems.push(
            Problem::error(
                "HL-1004",
                f.at("security"),
                text!("the password would travel to `{host}` in the open", "密码会以明文发送到 `{host}`"),
            )
            .hint(text!("use `\"tls\"` or `\"starttls\"`", "请使用 `\"tls\"` 或 `\"starttls\"`")),
        );
    }
    Some(MailFile { host: host?, port, security, username, password, from: from?, to, ssl_ca })
}

fn webhook(v: &Value, i: usize, problems: &mut Vec<Problem>) -> Option<WebhookFile> {
    let at = format!("alerts.webhooks[{i}]");
    let Some(map) = v.as_object() else {
        problems.push(Problem::error(
            "HL-1004",
            at,
            text!("a webhook is a table with `url`", "webhook 应为含 `url` 的表"),
        ));
        return None;
    };
    let mut f = Fields::new(map, &at, problems);
    f.only(&names("alerts.webhooks"));
    let name = f.text("name").unwrap_or_else(|| format!("webhook-{}", i + 1));
    let shape = f.choice("shape", &["json", "dingtalk", "wecom"]);
    let secret = f.raw("secret").and_then(|v| value(v, f.at("secret"), f.problems));
    let Some(url) = f.raw("url") else {
        f.missing("url", text!("give the address", "请填写地址"));
        return None;
    };
    let place = f.at("url");
    let url = value(url, place.clone(), f.problems)?;
    Some(WebhookFile { name, place, url, secret, shape })
}

impl Settings {
    /// Names of everything that alerts are sent to.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.webhooks.iter().map(|w| w.name.as_str()).chain(self.mail.iter().map(|_| MAIL))
    }

    /// Reads a tree.
    pub fn read(tree: &Value) -> (Settings, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut out = Settings::default();
        let Some(map) = tree.as_object() else { return (out, problems) };
        let mut f = Fields::new(map, "", &mut problems);
        f.only(&tables());
        if let Some(m) = f.object("ledger") {
            let mut s = Fields::new(m, "ledger", f.problems);
            s.only(&names("ledger"));
            out.ledger_path = s.text("path");
            if s.text("url").is_some() {
                s.problems.push(Problem::error(
                    "HL-1011",
                    "ledger.url",
                    text!("a ledger on PostgreSQL is not available yet", "暂不支持 PostgreSQL 台账"),
                ));
            }
            out.lease_ms = s.duration("lease");
            if out.lease_ms.is_some_and(|ms| !(1_000..=86_400_000).contains(&ms)) {
                s.problems.push(Problem::error(
                    "HL-1005",
                    "ledger.lease",
                    text!("a lease lasts from 1 second to 1 day", "租约时长应在 1 秒到 1 天之间"),
                ));
            }
            out.synchronous = s.choice("synchronous", &["normal", "full"]).as_deref() == Some("full");
        }
        if let Some(m) = f.object("retention") {
            let mut s = Fields::new(m, "retention", f.problems);
            s.only(&names("retention"));
            out.calls_days = s.number("calls_days", 0, 36_500);
            out.calls_mib = s.number("calls_mib", 0, 1 << 30);
            out.records_days = s.number("records_days", 0, 36_500);
            out.retention_every_ms = s.duration("every");
            if out.retention_every_ms.is_some_and(|ms| !(60_000..=31 * 86_400_000).contains(&ms)) {
                s.problems.push(Problem::error(
                    "HL-1005",
                    "retention.every",
                    text!(
                        "rounds are from 1 minute to 31 days apart",
                        "两轮清理的间隔应在 1 分钟到 31 天之间"
                    ),
                ));
            }
            if let Some(plans) = s.object("plans") {
                let mut p = Fields::new(plans, "retention.plans", s.problems);
                for name in plans.keys() {
                    let forever = p.raw(name).and_then(Value::as_str) == Some("forever");
                    let days = if forever { None } else { p.number(name, 0, 36_500) };
                    if forever || days.is_some() {
                        out.plan_days.push((name.clone(), days));
                    }
                }
            }
        }
        if let Some(m) = f.object("alerts") {
            let mut s = Fields::new(m, "alerts", f.problems);
            s.only(&names("alerts"));
            if let Some(v) = s.raw("mail") {
                out.mail = mail(v, s.problems);
            }
            out.alert_lang = s.choice("lang", &["zh", "en"]);
            out.alert_late_ms = s.duration("late");
            if out.alert_late_ms.is_some_and(|ms| !(60_000..=31 * 86_400_000).contains(&ms)) {
                s.problems.push(Problem::error(
                    "HL-1005",
                    "alerts.late",
                    text!(
                        "a schedule is late after 1 minute to 31 days",
                        "调度延迟的时限应在 1 分钟到 31 天之间"
                    ),
                ));
            }
            if let Some(v) = s.raw("webhook") {
                let url = value(v, "alerts.webhook".into(), s.problems);
                out.webhooks.extend(url.map(|url| WebhookFile {
                    name: "webhook".into(),
                    place: "alerts.webhook".into(),
                    url,
                    secret: None,
                    shape: None,
                }));
            }
            if let Some(list) = s.list("webhooks") {
                for (i, v) in list.iter().enumerate() {
                    out.webhooks.extend(webhook(v, i, s.problems));
                }
            }
            let mut names: Vec<&str> = out.channels().collect();
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|p| p.first() == p.last()) {
                let name = pair.concat();
                let name = name.get(..name.len() / 2).unwrap_or("").to_owned();
                s.problems.push(Problem::error(
                    "HL-1004",
                    "alerts.webhooks",
                    text!("two addresses are called `{name}`", "两个地址都叫 `{name}`"),
                ));
            }
        }
        if let Some(m) = f.object("server") {
            let mut s = Fields::new(m, "server", f.problems);
            s.only(&names("server"));
            out.listen = s.text("listen");
            out.log_json = s.choice("log", &["text", "json"]).as_deref() == Some("json");
            out.workers = s.number("workers", 1, 1_000).map(|n| n as usize);
        }
        (out, problems)
    }
}
