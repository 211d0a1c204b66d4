//! Alerts: who is told, sending, and the command that shows them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use heliu_connect::notify::{Hook, Mail, Notifier, Security, Shape, Style, address, shown, web_address};
use heliu_engine::{Alarm, Delivered};
use heliu_ledger::SqliteLedger;
use heliu_model::alert::{Alert, AlertKind, Notice, Trouble};
use heliu_model::config::{MAIL, MailFile, Settings, WebhookFile};
use heliu_model::ports::{AlertFilter, Alerts, Clock, Post};
use heliu_model::{Failure, Lang, Secret, text};
use serde_json::{Value, json};

use crate::output::{Done, Out};
use crate::wire::App;

/// A command that ends gives its alerts so much time to go out; the rest is sent by later ones.
const AT_THE_END: Duration = Duration::from_secs(5);
/// A service looks so often whether something is to be sent.
const LOOK: Duration = Duration::from_secs(2);
/// Times in messages that belong to no plan.
const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

/// The way to the addresses of the settings.
pub struct Postman {
    app: App,
    ledger: SqliteLedger,
    notifier: Arc<OnceLock<Notifier>>,
}

fn lang(settings: &Settings, out: &Out) -> Lang {
    match settings.alert_lang.as_deref() {
        Some("zh") => Lang::Zh,
        Some(_) => Lang::En,
        None => out.lang,
    }
}

impl Postman {
    fn new(app: App, ledger: SqliteLedger, notifier: Arc<OnceLock<Notifier>>) -> Postman {
        Postman { app, ledger, notifier }
    }

    /// The hook with its secrets read from wherever they are.
    async fn hook(&self, file: &WebhookFile) -> Result<Hook, Failure> {
        let name = &file.name;
        let missing = |why: heliu_model::Text| {
            let (en, zh) = (why.en, why.zh);
            Failure::config(
                "HL-7065",
                text!("the address of `{name}` cannot be used: {en}", "`{name}` 的地址无法使用:{zh}"),
            )
            .at("heliu.toml: alerts")
        };
        let url = self.app.project.value_of(&file.url, Some(&self.ledger)).await?.map_err(missing)?;
        web_address(&url).map_err(missing)?;
        let secret = match &file.secret {
            Some(v) => {
                Some(Secret::new(self.app.project.value_of(v, Some(&self.ledger)).await?.map_err(missing)?))
            }
            None => None,
        };
        let shape = file.shape.as_deref().and_then(Shape::parse).unwrap_or_else(|| Shape::of(&url));
        Ok(Hook { name: name.clone(), url: Secret::new(url), secret, shape })
    }

    /// The mail settings with the password read from wherever it is.
    async fn mail(&self, file: &MailFile) -> Result<Mail, Failure> {
        let missing = |why: heliu_model::Text| {
            let (en, zh) = (why.en, why.zh);
            Failure::config("HL-7065", text!("mail cannot be sent: {en}", "无法发送邮件:{zh}"))
                .at("heliu.toml: alerts.mail")
        };
        for words in file.to.iter().chain([&file.from]) {
            address(words).map_err(missing)?;
        }
        let login = match (&file.username, &file.password) {
            (Some(user), Some(password)) => {
                let password =
                    self.app.project.value_of(password, Some(&self.ledger)).await?.map_err(missing)?;
                Some((user.clone(), Secret::new(password)))
            }
            _ => None,
        };
        let authority = match &file.ssl_ca {
            Some(name) => {
                let path = self.app.project.dir.join(name);
                Some(std::fs::read(&path).map_err(|e| {
                    let (name, why) = (name.clone(), e.to_string());
                    missing(text!("`{name}` cannot be read: {why}", "无法读取 `{name}`:{why}"))
                })?)
            }
            None => None,
        };
        let security = file.security.as_deref().and_then(Security::parse).unwrap_or(Security::Tls);
        Ok(Mail {
            name: MAIL.into(),
            host: file.host.clone(),
            port: file.port.unwrap_or(security.port()),
            security,
            login,
            from: file.from.clone(),
            to: file.to.clone(),
            authority,
        })
    }

    /// Sends to one of the settings' channels; where that was, as it may be shown.
    async fn send(&self, channel: &str, notices: &[Notice]) -> Result<String, Failure> {
        let settings = &self.app.project.settings;
        let style = Style { lang: lang(settings, &self.app.out), tz: ZONE };
        let Some(file) = settings.webhooks.iter().find(|h| h.name == channel) else {
            let Some(file) = &settings.mail else { return Ok(String::new()) };
            let mail = self.mail(file).await?;
            mail.send(notices, style).await?;
            return Ok(mail.place());
        };
        let hook = self.hook(file).await?;
        let notifier = match self.notifier.get() {
            Some(n) => n,
            None => {
                let fresh = Notifier::new()?;
                self.notifier.get_or_init(|| fresh)
            }
        };
        notifier.send(&hook, notices, style, self.app.clock.now()).await?;
        Ok(shown(hook.url.expose()))
    }
}

#[async_trait]
impl Post for Postman {
    fn channels(&self) -> Vec<String> {
        self.app.project.settings.channels().map(str::to_owned).collect()
    }

    async fn post(&self, channel: &str, notices: &[Notice]) -> Result<(), Failure> {
        if self.app.project.settings.channels().any(|name| name == channel) {
            self.send(channel, notices).await?;
        }
        Ok(())
    }
}

fn say(out: &Out, en: &'static str, zh: &'static str) -> &'static str {
    if out.lang == Lang::Zh { zh } else { en }
}

fn log(out: &Out, told: Result<Delivered, Failure>) {
    match told {
        Ok(done) => {
            if done.arrived > 0 {
                let words = say(out, "alerts sent", "告警已发送");
                tracing::info!(target: "heliu", event = "alerts_sent", notices = done.arrived, "{words}");
            }
            for (channel, f, lost) in &done.failed {
                let (code, message) = (f.code.as_str(), f.message.get(out.lang));
                let words = if *lost {
                    say(out, "alert given up", "告警发送已放弃")
                } else {
                    say(out, "alert not sent, it is tried again", "告警未送达,稍后重试")
                };
                tracing::warn!(target: "heliu", event = "alert_not_sent", channel, code, message, "{words}");
            }
        }
        Err(f) => {
            let (code, message) = (f.code.as_str(), f.message.get(out.lang));
            tracing::warn!(target: "heliu", event = "alerts_stuck", code, message);
        }
    }
}

impl App {
    /// How runs of this project raise alerts.
    pub fn alarm(&self, ledger: &SqliteLedger) -> Alarm {
        let channels: Vec<String> = self.project.settings.channels().map(str::to_owned).collect();
        Alarm {
            alerts: Arc::new(ledger.clone()),
            clock: self.clock.clone(),
            channels: Arc::new(move || channels.clone()),
            late_ms: self.project.settings.alert_late_ms,
        }
    }

    /// Sends what is to be sent, at the end of a command. Whatever happens, the command ends soon and as it would.
    pub async fn tell(&self, ledger: &SqliteLedger) {
        if self.project.settings.channels().next().is_none() {
            return;
        }
        let app = self.again();
        let post = Postman::new(app, ledger.clone(), Arc::default());
        let work = heliu_engine::deliver(ledger, &post, &*self.clock);
        match tokio::time::timeout(AT_THE_END, work).await {
            Ok(told) => log(&self.out, told),
            Err(_) => {
                let words = say(
                    &self.out,
                    "alerts take too long, a later run sends them",
                    "告警发送超时,由后续运行发送",
                );
                tracing::warn!(target: "heliu", event = "alerts_slow", "{words}");
            }
        }
    }
}

/// Says in the log what keeps alerts from being sent.
async fn warn_of_faults(app: &App, ledger: &SqliteLedger) {
    let Ok(faults) = app.channel_faults(Some(ledger)).await else { return };
    let lang = app.out.lang;
    for p in faults {
        let words = say(&app.out, "alerts cannot be sent as configured", "告警配置无法使用");
        let (code, path) = (p.code.as_str(), p.path.as_str());
        let (problem, hint) = (p.message.get(lang), p.hint.get(lang));
        tracing::warn!(target: "heliu", event = "alerts_misconfigured", code, path, problem, hint, "{words}");
    }
}

/// Sends alerts for as long as a service lives; `app` gives its settings as they are now.
pub async fn in_service(app: impl Fn() -> App, ledger: SqliteLedger) {
    let notifier: Arc<OnceLock<Notifier>> = Arc::default();
    let mut looked_at: Option<Settings> = None;
    loop {
        let now = app();
        // At the start, and whenever heliu.toml has changed.
        if looked_at.as_ref() != Some(&now.project.settings) {
            looked_at = Some(now.project.settings.clone());
            warn_of_faults(&now, &ledger).await;
        }
        if now.project.settings.channels().next().is_some() {
            let (out, clock) = (now.out, now.clock.clone());
            let post = Postman::new(now, ledger.clone(), notifier.clone());
            log(&out, heliu_engine::deliver(&ledger, &post, &*clock).await);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// An alert as JSON.
pub fn alert_json(out: &Out, a: &Alert) -> Value {
    let t = &a.trouble;
    json!({
        "id": a.id, "kind": t.kind.word(), "plan": t.plan, "run": t.run, "code": t.code,
        "message": t.message.get(out.lang), "hint": t.hint.get(out.lang), "opened": a.opened.rfc3339(ZONE),
        "last": a.last.rfc3339(ZONE), "times": a.times, "closed": a.closed.map(|c| c.rfc3339(ZONE)),
    })
}

/// An alert in a few lines.
pub fn alert_text(out: &Out, a: &Alert) -> String {
    let (t, zh) = (&a.trouble, out.lang == Lang::Zh);
    let title = t.kind.title();
    let since = a.opened.local(ZONE);
    let (n, last) = (a.times, a.last.local(ZONE));
    let span = match (a.closed, zh) {
        (Some(c), true) => format!("{since} → {} 已恢复,共 {n} 次", c.local(ZONE)),
        (Some(c), false) => format!("{since} → {} over, met {n} times", c.local(ZONE)),
        (None, true) => format!("自 {since},已出现 {n} 次,最近 {last}"),
        (None, false) => format!("since {since}, met {n} times, last {last}"),
    };
    let mut lines = format!(
        "#{}  {} · {}  ({span})\n    {}: {}",
        a.id,
        t.plan,
        title.get(out.lang),
        t.code,
        t.message.get(out.lang)
    );
    if a.closed.is_none() && !t.hint.is_empty() {
        lines.push_str(&format!("\n    {}", t.hint.get(out.lang)));
    }
    lines
}

fn test_notice(app: &App) -> Notice {
    let now = app.clock.now();
    let trouble = Trouble {
        key: "test".into(),
        kind: AlertKind::Failed,
        plan: "test".into(),
        run: None,
        code: "HL-7065".into(),
        message: text!("a test: nothing is wrong", "测试消息:一切正常"),
        hint: text!("sent by `heliu alerts --test`", "由 `heliu alerts --test` 发送"),
    };
    let alert = Alert { id: 0, trouble, opened: now, last: now, times: 1, closed: None };
    Notice { id: 0, alert, recovery: false, since: now, tries: 0 }
}

async fn test(app: &App) -> Done {
    let out = &app.out;
    let ledger = app.ledger()?;
    let post = Postman::new(app.again(), ledger, Arc::default());
    let channels: Vec<&str> = app.project.settings.channels().collect();
    if channels.is_empty() {
        return Err(Failure::config("HL-8021", text!("no address is configured", "没有配置告警地址"))
            .at("heliu.toml: alerts")
            .hint(text!(
                "add `[alerts]` with `webhook = \"https://…\"`, or `[alerts.mail]`",
                "请添加 `[alerts]` 与 `webhook = \"https://…\"`,或 `[alerts.mail]`"
            ))
            .into());
    }
    let mut code = 0;
    for name in channels {
        let sent = post.send(name, &[test_notice(app)]).await;
        if out.json {
            let error = sent.as_ref().err().map(|f| out.failure_json(f));
            out.value(&json!({"webhook": name, "ok": sent.is_ok(), "error": error}));
        } else {
            match &sent {
                Ok(at) => {
                    out.line(&out.say(&text!("`{name}` ({at}): arrived", "`{name}`({at}):已送达")));
                }
                Err(f) => out.show_failure(f),
            }
        }
        code |= u8::from(sent.is_err());
    }
    Ok(code)
}

/// `heliu alerts`
pub async fn alerts(app: &App, all: bool, close: Option<i64>, try_them: bool) -> Done {
    if try_them {
        return test(app).await;
    }
    let out = &app.out;
    let ledger = app.ledger_if_any()?;
    if let Some(id) = close {
        let closed = match &ledger {
            Some(l) => l.close_alert(id, app.clock.now()).await?,
            None => false,
        };
        if !closed {
            return Err(Failure::config(
                "HL-8022",
                text!("there is no open alert {id}", "没有编号为 {id} 的未关闭告警"),
            )
            .hint(text!("`heliu alerts` lists them", "`heliu alerts` 会列出"))
            .into());
        }
        if out.json {
            out.value(&json!({"closed": id}));
        } else {
            out.line(&out.say(&text!("alert {id} closed", "告警 {id} 已关闭")));
        }
        return Ok(0);
    }
    let filter = AlertFilter { open_only: !all, ..AlertFilter::default() };
    let list = match &ledger {
        Some(l) => l.alerts(&filter).await?,
        None => Vec::new(),
    };
    for a in &list {
        if out.json {
            out.value(&alert_json(out, a));
        } else {
            out.line(&alert_text(out, a));
        }
    }
    if list.is_empty() && !out.json {
        out.line(say(out, "no alerts", "没有告警"));
    }
    Ok(0)
}
