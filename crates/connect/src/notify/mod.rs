//! Notices on their way to people: a JSON webhook, robots of 钉钉 and 企业微信, mail.
//!
//! An address like these is a secret as a whole: whoever has it can write to the group. It is never shown.

mod mail;

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use chrono_tz::Tz;
use heliu_model::alert::Notice;
use heliu_model::{Class, Failure, Lang, Secret, Text, Ts, text};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::http::{Client, Mask, Reach, Timeouts, Wire};

pub use mail::{Mail, Security, address, authority, server};

/// Most bytes of a message of 企业微信.
const WECOM_BYTES: usize = 4_000;
/// Most bytes of a message of 钉钉.
const DINGTALK_BYTES: usize = 18_000;
/// The robots' words for «too many messages»: they are silent for ten minutes then.
const TOO_MANY: [i64; 3] = [130_101, 410_100, 45_009];
/// How long (ms) a robot that had too many messages is left alone.
const QUIET_MS: u64 = 600_000;

/// What an address understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Our own JSON.
    Json,
    /// 钉钉 robot.
    DingTalk,
    /// 企业微信 robot.
    WeCom,
}

impl Shape {
    /// By the address's host.
    pub fn of(url: &str) -> Shape {
        let host =
            reqwest::Url::parse(url).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default();
        if host == "dingtalk.com" || host.ends_with(".dingtalk.com") {
            Shape::DingTalk
        } else if host == "qyapi.weixin.qq.com" {
            Shape::WeCom
        } else {
            Shape::Json
        }
    }

    /// By the word of the settings.
    pub fn parse(word: &str) -> Option<Shape> {
        match word {
            "json" => Some(Shape::Json),
            "dingtalk" => Some(Shape::DingTalk),
            "wecom" => Some(Shape::WeCom),
            _ => None,
        }
    }
}

/// A place that notices are sent to.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Name in the settings.
    pub name: String,
    /// Address.
    pub url: Secret,
    /// Secret of the signature.
    pub secret: Option<Secret>,
    /// What it understands.
    pub shape: Shape,
}

/// How a message is written.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Language.
    pub lang: Lang,
    /// Zone of times.
    pub tz: Tz,
}

/// Sends notices.
#[derive(Debug, Clone)]
pub struct Notifier {
    client: Client,
}

/// Tells whether messages can be posted to an address; it is a secret and not repeated.
///
/// # Errors
/// What is wrong with it.
pub fn web_address(url: &str) -> Result<(), Text> {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(text!("an address begins with http:// or https://", "地址应以 http:// 或 https:// 开头"));
    }
    match reqwest::Url::parse(url) {
        Ok(_) => Ok(()),
        Err(e) => {
            let why = e.to_string();
            Err(text!("it is no address: {why}", "不是有效的地址:{why}"))
        }
    }
}

/// An address as it may be shown: where it leads, nothing that opens the door.
pub fn shown(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(u) if u.host_str().is_some() => {
            let port = u.port().map_or_else(String::new, |p| format!(":{p}"));
            format!("{}://{}{port}/…", u.scheme(), u.host_str().unwrap_or(""))
        }
        _ => "…".into(),
    }
}

/// Everything of a hook that must not be seen.
fn mask(hook: &Hook) -> Mask {
    let mut mask = Mask::default();
    mask.add(&hook.url);
    if let Ok(u) = reqwest::Url::parse(hook.url.expose()) {
        for (_, value) in u.query_pairs() {
            mask.add(&Secret::new(value.into_owned()));
        }
        for part in u.path_segments().into_iter().flatten().filter(|p| p.len() >= 16) {
            mask.add(&Secret::new(part));
        }
        if let Some(password) = u.password() {
            mask.add(&Secret::new(password));
        }
    }
    if let Some(secret) = &hook.secret {
        mask.add(secret);
    }
    mask
}

fn hmac(secret: &str, words: &str) -> Vec<u8> {
    // A key of any length will do: this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(words.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The address of a 钉钉 robot with its signature.
fn signed(url: &str, secret: Option<&Secret>, now: Ts) -> String {
    let Some(secret) = secret else { return url.to_owned() };
    let sign = hmac(secret.expose(), &format!("{}\n{}", now.0, secret.expose()));
    let sign = base64::engine::general_purpose::STANDARD.encode(sign);
    let sign: String = form_urlencoded::byte_serialize(sign.as_bytes()).collect();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}timestamp={}&sign={sign}", now.0)
}

/// One notice in a few lines of Markdown that both robots understand.
fn block(n: &Notice, style: Style) -> String {
    let (lang, tz) = (style.lang, style.tz);
    let zh = lang == Lang::Zh;
    let (a, t) = (&n.alert, &n.alert.trouble);
    let title = t.kind.title();
    let opened = a.opened.local(tz);
    if n.recovery {
        let closed = a.closed.map(|c| c.local(tz)).unwrap_or_default();
        let (word, times) = if zh { ("已恢复", "共") } else { ("over", "met") };
        return format!(
            "**✅ {word} · {} · {}**\n> {opened} → {closed}, {times} {}\n",
            t.plan,
            title.get(lang),
            a.times
        );
    }
    let mut out = format!("**⚠ {} · {}**\n> {}: {}\n", t.plan, title.get(lang), t.code, t.message.get(lang));
    if !t.hint.is_empty() {
        out.push_str(&format!("> {}{}\n", if zh { "处理:" } else { "next: " }, t.hint.get(lang)));
    }
    let run =
        t.run.as_ref().map_or_else(String::new, |r| format!("  {} {r}", if zh { "运行" } else { "run" }));
    out.push_str(&format!("> {opened}{run}\n"));
    out
}

/// All notices, as many as fit.
fn words(notices: &[Notice], style: Style, most: usize) -> String {
    let mut out = String::new();
    for (i, n) in notices.iter().enumerate() {
        let more = block(n, style);
        if !out.is_empty() && out.len() + more.len() > most {
            let left = notices.len() - i;
            out.push_str(&match style.lang {
                Lang::Zh => format!("……另有 {left} 条:heliu alerts"),
                Lang::En => format!("… and {left} more: heliu alerts"),
            });
            break;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&more);
    }
    while out.len() > most {
        out.pop();
    }
    out
}

fn title(notices: &[Notice], lang: Lang) -> String {
    let opened = notices.iter().filter(|n| !n.recovery).count();
    let over = notices.len() - opened;
    match (lang, opened, over) {
        (Lang::Zh, 0, n) => format!("heliu:{n} 个告警已恢复"),
        (Lang::Zh, n, _) => format!("heliu:{n} 个告警"),
        (Lang::En, 0, n) => format!("heliu: {n} alerts are over"),
        (Lang::En, n, _) => format!("heliu: {n} alerts"),
    }
}

fn json_body(notices: &[Notice], style: Style, now: Ts) -> Value {
    let time = |t: Ts| t.rfc3339(style.tz);
    let alerts: Vec<Value> = notices
        .iter()
        .map(|n| {
            let (a, t) = (&n.alert, &n.alert.trouble);
            json!({
                "id": a.id, "event": if n.recovery { "closed" } else { "opened" }, "kind": t.kind.word(),
                "plan": t.plan, "run": t.run, "code": t.code, "message": t.message.get(style.lang),
                "hint": t.hint.get(style.lang), "opened": time(a.opened), "last": time(a.last), "times": a.times,
                "closed": a.closed.map(time),
            })
        })
        .collect();
    json!({"source": "heliu", "title": title(notices, style.lang), "sent_at": time(now), "alerts": alerts})
}

/// What is sent: address, headers, body.
fn request(hook: &Hook, notices: &[Notice], style: Style, now: Ts) -> Wire {
    let mut headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    let url = hook.url.expose();
    let (url, body) = match hook.shape {
        Shape::DingTalk => {
            let text = words(notices, style, DINGTALK_BYTES);
            let body = json!({"msgtype": "markdown", "markdown": {"title": title(notices, style.lang), "text": text}});
            (signed(url, hook.secret.as_ref(), now), body.to_string())
        }
        Shape::WeCom => {
            let text = words(notices, style, WECOM_BYTES);
            (url.to_owned(), json!({"msgtype": "markdown", "markdown": {"content": text}}).to_string())
        }
        Shape::Json => {
            let body = json_body(notices, style, now).to_string();
            if let Some(secret) = &hook.secret {
                let sign = hex::encode(hmac(secret.expose(), &format!("{}.{body}", now.0)));
                headers.push(("x-heliu-timestamp".into(), now.0.to_string()));
                headers.push(("x-heliu-signature".into(), format!("sha256={sign}")));
            }
            (url.to_owned(), body)
        }
    };
    Wire { method: "POST".into(), url, headers, body: Bytes::from(body), first_byte: None }
}

/// A message has not arrived; `why` has no secret in it.
fn undelivered(class: Class, name: &str, at: &str, why: (&str, &str)) -> Failure {
    let (en, zh) = why;
    Failure::new(
        class,
        "HL-7065",
        text!("the alert for `{name}` ({at}) has not arrived: {en}", "发往 `{name}`({at})的告警未送达:{zh}"),
    )
    .hint(text!("`heliu alerts --test` tries every address", "`heliu alerts --test` 会逐个测试地址"))
}

impl Notifier {
    /// A notifier.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new() -> Result<Notifier, Failure> {
        let timeouts = Timeouts {
            connect: Duration::from_secs(4),
            first_byte: Duration::from_secs(8),
            idle: Duration::from_secs(4),
            total: Duration::from_secs(8),
        };
        Ok(Notifier { client: Client::new(timeouts, &Reach::default())? })
    }

    /// Sends notices in one message.
    ///
    /// # Errors
    /// It has not arrived, as far as is known; nothing secret is said.
    pub async fn send(&self, hook: &Hook, notices: &[Notice], style: Style, now: Ts) -> Result<(), Failure> {
        let mask = mask(hook);
        let failed = |class: Class, en: &str, zh: &str| {
            let (name, at) = (&hook.name, shown(hook.url.expose()));
            undelivered(class, name, &at, (&mask.text(en), &mask.text(zh))).at("heliu.toml: alerts")
        };
        let reply = match self.client.send(&request(hook, notices, style, now)).await {
            Ok(reply) => reply,
            Err(no) => {
                let m = &no.failure.message;
                return Err(failed(Class::Transient, &m.en, &m.zh));
            }
        };
        let status = reply.status;
        if !(200..300).contains(&status) {
            let class = if status == 429 || status >= 500 { Class::Transient } else { Class::Config };
            let mut f = failed(class, &format!("HTTP {status}"), &format!("HTTP {status}"));
            let wait = reply.header("retry-after").and_then(|s| s.trim().parse::<u64>().ok());
            f.retry_after_ms = wait.map(|s| s.saturating_mul(1_000).min(3_600_000));
            return Err(f);
        }
        if hook.shape == Shape::Json {
            return Ok(());
        }
        let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match said.get("errcode").and_then(Value::as_i64) {
            Some(0) => Ok(()),
            code => {
                let message: String = said
                    .get("errmsg")
                    .and_then(Value::as_str)
                    .unwrap_or("no errcode")
                    .chars()
                    .take(200)
                    .collect();
                let shown = code.map_or_else(|| "-".to_owned(), |c| c.to_string());
                let words = format!("errcode {shown}: {message}");
                let many = code.is_some_and(|c| TOO_MANY.contains(&c));
                let class = if many { Class::RateLimited } else { Class::Config };
                let mut f = failed(class, &words, &words).vendor(shown);
                f.retry_after_ms = many.then_some(QUIET_MS);
                Err(f)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it is wrong")]
mod tests {
    use heliu_model::alert::{Alert, AlertKind, Trouble};

    use super::*;

    const STYLE: Style = Style { lang: Lang::En, tz: chrono_tz::Asia::Shanghai };

    fn notice(n: usize, recovery: bool) -> Notice {
        let trouble = Trouble {
            key: "k".into(),
            kind: AlertKind::Failed,
            plan: format!("plan{n}"),
            run: Some("01HRUN".into()),
            code: "HL-3001".into(),
            message: text!("the address cannot be reached", "无法连接到该地址"),
            hint: text!("look at it", "请检查"),
        };
        let closed = recovery.then_some(Ts(1_710_403_260_000));
        let at = Ts(1_710_403_200_000);
        let alert = Alert { id: n as i64, trouble, opened: at, last: at, times: 3, closed };
        Notice { id: n as i64, alert, recovery, since: at, tries: 0 }
    }

    fn hook(shape: Shape, url: &str, secret: Option<&str>) -> Hook {
        Hook { name: "ops".into(), url: Secret::new(url), secret: secret.map(Secret::new), shape }
    }

    #[test]
    fn shapes_are_told_by_the_address() {
        assert_eq!(Shape::of("https://oapi.dingtalk.com/robot/send?access_token=x"), Shape::DingTalk);
        assert_eq!(Shape::of("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x"), Shape::WeCom);
        assert_eq!(Shape::of("https://example.invalid/dingtalk.com"), Shape::Json);
        assert_eq!(Shape::of("https://evil-dingtalk.com/"), Shape::Json);
    }

    #[test]
    fn an_address_is_never_shown() {
        assert_eq!(
            shown("https://oapi.dingtalk.com/robot/send?access_token=abcdef"),
            "https://oapi.dingtalk.com/…"
        );
        assert_eq!(shown("http://user:pass@10.0.0.1:99/hook/T0000/B000"), "http://10.0.0.1:99/…");
        assert_eq!(shown("nonsense"), "…");
        let hook =
            hook(Shape::Json, "https://a.invalid/services/T012345678901234567?key=k-e-y-1", Some("s3cr3t"));
        let masked = mask(&hook).text("T012345678901234567 k-e-y-1 s3cr3t here");
        assert_eq!(masked, "•••• •••• •••• here");
    }

    #[test]
    fn a_message_says_what_where_and_what_to_do() {
        let body = request(
            &hook(Shape::Json, "http://a.invalid/", None),
            &[notice(1, false), notice(2, true)],
            STYLE,
            Ts(0),
        )
        .body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["alerts"][0]["event"], "opened");
        assert_eq!(body["alerts"][0]["opened"], "2024-03-14T16:00:00+08:00");
        assert_eq!(body["alerts"][1]["event"], "closed");
        assert_eq!(body["alerts"][1]["closed"], "2024-03-14T16:01:00+08:00");
        let zh = Style { lang: Lang::Zh, ..STYLE };
        let text = words(&[notice(1, false)], zh, 4_000);
        assert!(
            text.contains("plan1")
                && text.contains("HL-3001: 无法连接到该地址")
                && text.contains("处理:请检查"),
            "{text}"
        );
        let many: Vec<Notice> = (0..200).map(|n| notice(n, n % 3 == 0)).collect();
        for lang in [Lang::Zh, Lang::En] {
            let text = words(&many, Style { lang, ..STYLE }, WECOM_BYTES);
            assert!(text.len() < 4_096 && text.contains("heliu alerts"), "{}", text.len());
        }
        let long = words(&[notice(1, false)], zh, 50);
        assert!(long.len() <= 50 && long.starts_with("**⚠ plan1"), "{long}");
    }

    /// Signatures computed by the vendor's published sample.
    #[test]
    fn a_robot_of_dingtalk_is_signed_as_published() {
        let all: Value = serde_json::from_str(include_str!("../../tests/data/signatures.json")).unwrap();
        let robots = all["vectors"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|v| v["algorithm"] == "dingtalk-robot-hmac-sha256");
        let mut seen = 0;
        for v in robots {
            let text = |k: &str| v[k].as_str().unwrap();
            let hook = hook(
                Shape::DingTalk,
                "https://oapi.dingtalk.com/robot/send?access_token=abc",
                Some(text("secret")),
            );
            let at = Ts(v["timestamp"].as_i64().unwrap());
            let wire = request(&hook, &[notice(1, false)], STYLE, at);
            let sign = text("signature_url_encoded");
            assert_eq!(wire.url, format!("{}&timestamp={}&sign={sign}", hook.url.expose(), at.0));
            seen += 1;
        }
        assert!(seen >= 2);
        assert_eq!(signed("http://a.invalid/x", None, Ts(1)), "http://a.invalid/x");
    }
}
