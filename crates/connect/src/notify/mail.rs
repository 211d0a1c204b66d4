//! Notices by mail: one message for what is to be told, over SMTP.

use std::time::Duration;

use base64::Engine as _;
use heliu_model::alert::Notice;
use heliu_model::{Class, Failure, Lang, Secret, text};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Style, title, undelivered};
use crate::http::{Mask, ready};

/// A server has so long for each of its answers.
const PATIENCE: Duration = Duration::from_secs(8);
/// How a certificate in PEM begins.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// Most alerts that one message tells in full.
const MOST: usize = 50;

/// How the connection is kept from being read by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 465).
    Tls,
    /// Begins in the open and must go on in TLS before anything is said (port 587).
    StartTls,
    /// In the open (port 25): for a server on this machine.
    None,
}

impl Security {
    /// By the word of the settings.
    pub fn parse(word: &str) -> Option<Security> {
        match word {
            "tls" => Some(Security::Tls),
            "starttls" => Some(Security::StartTls),
            "none" => Some(Security::None),
            _ => None,
        }
    }

    /// The port that servers listen on.
    pub fn port(self) -> u16 {
        match self {
            Security::Tls => 465,
            Security::StartTls => 587,
            Security::None => 25,
        }
    }
}

/// Where mail goes out, from whom and to whom.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Name in the settings.
    pub name: String,
    /// Server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
    /// Certificate (PEM) of an authority that is trusted besides the usual ones.
    pub authority: Option<Vec<u8>>,
}

/// An address with or without a name before it.
///
/// # Errors
/// Not an address.
pub fn address(words: &str) -> Result<(), heliu_model::Text> {
    words.parse::<Mailbox>().map(drop).map_err(|e| {
        let (words, why) = (words.to_owned(), e.to_string());
        text!("`{words}` is no mail address: {why}", "`{words}` 不是邮件地址:{why}")
    })
}

/// Tells whether words are the name of a server, and nothing more.
///
/// # Errors
/// They are not.
pub fn server(words: &str) -> Result<(), heliu_model::Text> {
    let bare = words.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let odd = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '@' | '?' | '#');
    if !words.is_empty() && !words.contains(odd) {
        return Ok(());
    }
    let words = words.to_owned();
    Err(text!(
        "`{words}` is no name of a server: give the name alone, such as `smtp.example.com`, and the port as `port`",
        "`{words}` 不是服务器名称:请只填名称,例如 `smtp.example.com`,端口用 `port` 填写"
    ))
}

/// Tells whether bytes are a certificate of an authority (PEM).
///
/// # Errors
/// They are not.
pub fn authority(pem: &[u8]) -> Result<(), heliu_model::Text> {
    let parsed = Certificate::from_pem(pem).and_then(|c| {
        ready();
        TlsParameters::builder("localhost".to_owned()).add_root_certificate(c).build_rustls()
    });
    let holds = pem.windows(BEGIN.len()).any(|w| w == BEGIN);
    match parsed {
        Ok(_) if holds => Ok(()),
        _ => Err(text!("it holds no certificate that can be read", "其中没有可读取的证书")),
    }
}

impl Mail {
    /// Server and port, as they may be shown.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn failed(&self, class: Class, en: &str, zh: &str) -> Failure {
        let mut mask = Mask::default();
        if let Some((user, password)) = &self.login {
            mask.add(password);
            // As it travels: some servers repeat what they refuse.
            for words in [password.expose().to_owned(), format!("\0{user}\0{}", password.expose())] {
                mask.add(&Secret::new(base64::engine::general_purpose::STANDARD.encode(words)));
            }
        }
        undelivered(class, &self.name, &self.place(), (&mask.text(en), &mask.text(zh)))
            .at("heliu.toml: alerts.mail")
    }

    fn message(&self, notices: &[Notice], style: Style) -> Result<Message, Failure> {
        let said = |e: &dyn std::fmt::Display| self.failed(Class::Config, &e.to_string(), &e.to_string());
        let mut mail = Message::builder()
            .from(self.from.parse().map_err(|e| said(&e))?)
            .subject(title(notices, style.lang))
            // Whoever answers by rule, such as an absence note, leaves these alone.
            .header(Automatic);
        for to in &self.to {
            mail = mail.to(to.parse().map_err(|e| said(&e))?);
        }
        mail.header(ContentType::TEXT_PLAIN).body(body(notices, style)).map_err(|e| said(&e))
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SmtpError> {
        ready();
        let parameters = || {
            let mut tls = TlsParameters::builder(self.host.clone());
            if let Some(pem) = &self.authority {
                tls = tls.add_root_certificate(Certificate::from_pem(pem)?);
            }
            tls.build_rustls()
        };
        let tls = match self.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some((user, password)) = &self.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(transport.build())
    }

    /// Sends notices in one message.
    ///
    /// # Errors
    /// It was not taken, as far as is known; nothing secret is said.
    pub async fn send(&self, notices: &[Notice], style: Style) -> Result<(), Failure> {
        let message = self.message(notices, style)?;
        let sent = match self.transport() {
            Ok(transport) => transport.send(message).await,
            Err(why) => Err(why),
        };
        sent.map(drop).map_err(|why| {
            // What the server refuses for good is wrong here; whatever else may pass.
            let lasting = why.is_permanent() || why.is_client() || why.is_tls();
            let class = if lasting { Class::Config } else { Class::Transient };
            let words = reasons(&why);
            self.failed(class, &words, &words)
        })
    }
}

/// The reason and those behind it.
fn reasons(why: &dyn std::error::Error) -> String {
    let mut out = why.to_string();
    let mut inner = why.source();
    while let Some(e) = inner {
        let words = e.to_string();
        if !out.contains(&words) {
            out = format!("{out}: {words}");
        }
        inner = e.source();
    }
    out
}

/// `Auto-Submitted: auto-generated` (RFC 3834).
#[derive(Clone)]
struct Automatic;

impl lettre::message::header::Header for Automatic {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Automatic)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// All notices in plain lines.
fn body(notices: &[Notice], style: Style) -> String {
    let (lang, tz) = (style.lang, style.tz);
    let zh = lang == Lang::Zh;
    let mut out = String::new();
    for n in notices.iter().take(MOST) {
        let (a, t) = (&n.alert, &n.alert.trouble);
        let (kind, opened, plan) = (t.kind.title().get(lang).to_owned(), a.opened.local(tz), &t.plan);
        if n.recovery {
            let closed = a.closed.map(|c| c.local(tz)).unwrap_or_default();
            let times = a.times;
            out.push_str(&if zh {
                format!("[已恢复] {plan} · {kind}\r\n{opened} → {closed},共 {times} 次\r\n\r\n")
            } else {
                format!("[over] {plan} · {kind}\r\n{opened} → {closed}, met {times} times\r\n\r\n")
            });
            continue;
        }
        out.push_str(&format!("{plan} · {kind}\r\n{}: {}\r\n", t.code, t.message.get(lang)));
        if !t.hint.is_empty() {
            out.push_str(&format!("{}{}\r\n", if zh { "处理:" } else { "next: " }, t.hint.get(lang)));
        }
        let run =
            t.run.as_ref().map_or_else(String::new, |r| format!("  {} {r}", if zh { "运行" } else { "run" }));
        out.push_str(&format!("{opened}{run}\r\n\r\n"));
    }
    if let Some(left) = notices.len().checked_sub(MOST).filter(|n| *n > 0) {
        out.push_str(&if zh {
            format!("……另有 {left} 条:heliu alerts\r\n")
        } else {
            format!("… and {left} more: heliu alerts\r\n")
        });
    }
    out
}
