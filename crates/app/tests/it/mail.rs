//! Alerts by mail, against a small SMTP server of the tests' own: what it is told, in which words, and under which lock.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::harness::{Project, with_input};
use crate::tls::{acceptor, authority};

const PASSWORD: &str = "auth-c0de-d0-n0t-sh0w";

/// What came: commands, and the message behind DATA.
#[derive(Default, Clone)]
struct Told {
    commands: Vec<String>,
    messages: Vec<String>,
}

struct Server {
    port: u16,
    told: Arc<Mutex<Told>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// `refusal`: what it says to a sender instead of taking the mail.
    async fn start(tls: Option<TlsAcceptor>, refusal: Option<&'static str>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told: Arc<Mutex<Told>> = Arc::default();
        let seen = told.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, seen) = (tls.clone(), seen.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = talk(BufReader::new(stream), seen, refusal).await;
                            }
                        }
                        None => {
                            let _ = talk(BufReader::new(stream), seen, refusal).await;
                        }
                    }
                });
            }
        });
        Server { port, told, task }
    }

    fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }
}

async fn talk(
    mut stream: impl AsyncBufRead + AsyncWrite + Unpin,
    seen: Arc<Mutex<Told>>,
    refusal: Option<&'static str>,
) -> std::io::Result<()> {
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        seen.lock().unwrap().commands.push(command.clone());
        let word = command.split(' ').next().unwrap_or("").to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN LOGIN".to_owned(),
            "AUTH" => {
                let plain = command.split(' ').nth(2).unwrap_or("");
                let open = base64::engine::general_purpose::STANDARD.decode(plain).unwrap_or_default();
                let right = open == format!("\0ops@example.com\0{PASSWORD}").into_bytes();
                if right {
                    "235 welcome".to_owned()
                } else {
                    format!("535 no such user or password ({plain})")
                }
            }
            "MAIL" => refusal.unwrap_or("250 ok").to_owned(),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut message = Vec::new();
                while !message.ends_with(b"\r\n.\r\n") {
                    message.push(stream.read_u8().await?);
                }
                seen.lock().unwrap().messages.push(String::from_utf8_lossy(&message).into_owned());
                "250 queued".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if word == "QUIT" {
            return Ok(());
        }
    }
}

/// The text of a message, whatever encoding it travels in.
fn text_of(message: &str) -> String {
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("content-type: text/plain; charset=utf-8"), "{head}");
    let body = body.trim_end_matches("\r\n.\r\n");
    if lower.contains("content-transfer-encoding: base64") {
        let packed: String = body.split_whitespace().collect();
        return String::from_utf8(base64::engine::general_purpose::STANDARD.decode(packed).unwrap()).unwrap();
    }
    if lower.contains("content-transfer-encoding: quoted-printable") {
        let mut out = Vec::new();
        let joined = body.replace("=\r\n", "");
        let mut bytes = joined.bytes();
        while let Some(b) = bytes.next() {
            if b == b'=' {
                let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&hex, 16).unwrap());
            } else {
                out.push(b);
            }
        }
        return String::from_utf8(out).unwrap();
    }
    body.to_owned()
}

/// A project whose plan fails: nobody listens where its source is.
fn project(mail: &str) -> Project {
    let p = Project::new();
    p.write("connectors/src.toml", "platform = \"http\"\nbase_url = \"http://127.0.0.1:9\"\n");
    let meta = json!({"api": "/things", "method": "GET", "id": "id", "number": "id"});
    let target = json!({"connector": "heliu", "metadata": {"api": "写入空操作", "method": "POST"}});
    p.plan(
        "things",
        &json!({"retries": 0, "source": {"connector": "src", "metadata": meta}, "target": target}),
    );
    p.write("heliu.toml", &format!("[alerts]\nlang = \"zh\"\n[alerts.mail]\n{mail}"));
    p
}

fn settings(port: u16, more: &str) -> String {
    format!(
        "host = \"localhost\"\nport = {port}\nfrom = \"合流 <ops@example.com>\"\nto = [\"it@example.com\", \"张三 <zhang@example.com>\"]\n{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_trouble_is_mailed_once_over_tls_with_the_password() {
    let (pem, by) = authority();
    let server = Server::start(Some(acceptor(&by, |_| {})), None).await;
    let login = "username = \"ops@example.com\"\npassword = { secret = \"mail\" }\nssl_ca = \"ca.pem\"\n";
    let p = project(&settings(server.port, login));
    p.write("ca.pem", &pem);
    let project = p.path().display().to_string();
    with_input(&["--project", &project, "secret", "set", "mail"], PASSWORD).await.exits(0);
    for _ in 0..2 {
        let a = p.run(&["-vv", "run", "things"]).await.exits(3);
        assert!(!a.err.contains(PASSWORD) && !a.out.contains(PASSWORD), "{a:?}");
    }
    let told = server.told();
    assert_eq!(told.messages.len(), 1, "{:?}", told.commands);
    let to: Vec<&String> = told.commands.iter().filter(|c| c.starts_with("RCPT")).collect();
    assert_eq!(to, ["RCPT TO:<it@example.com>", "RCPT TO:<zhang@example.com>"]);
    let message = &told.messages[0];
    assert!(message.contains("Auto-Submitted: auto-generated"), "{message}");
    let text = text_of(message);
    assert!(text.contains("things · 运行失败") && text.contains("HL-3") && text.contains("处理:"), "{text}");
    let tried = p.run(&["alerts", "--test", "--json"]).await.exits(0).json();
    assert_eq!((&tried["webhook"], &tried["ok"]), (&json!("mail"), &json!(true)));
    assert_eq!(server.told().messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_said_without_secrets_and_holds_nobody_up() {
    let wrong = "username = \"ops@example.com\"\npassword = \"wr0ng-c0de-n0t-sh0wn\"\nsecurity = \"none\"\n";
    let server = Server::start(None, None).await;
    let p = project(&settings(server.port, wrong));
    p.run(&["run", "things"]).await.exits(3);
    let a = p.run(&["alerts", "--test", "--lang", "en"]).await.exits(1);
    assert!(a.err.contains("HL-7065") && a.err.contains("535"), "{a:?}");
    // The server repeats what it was sent, as it was sent.
    let sent = base64::engine::general_purpose::STANDARD.encode("\0ops@example.com\0wr0ng-c0de-n0t-sh0wn");
    assert!(server.told().commands.iter().any(|c| c.ends_with(&sent)), "{:?}", server.told().commands);
    assert!(!a.err.contains(&sent), "{a:?}");
    assert!(!a.err.contains("wr0ng") && server.told().messages.is_empty(), "{a:?}");
    // A sender that it does not take.
    let server = Server::start(None, Some("550 sender not allowed")).await;
    let p = project(&settings(server.port, "security = \"none\"\n"));
    let a = p.run(&["alerts", "--test", "--lang", "en"]).await.exits(1);
    assert!(a.err.contains("550") && a.err.contains("sender not allowed"), "{a:?}");
    // One that does not go on in TLS is told nothing.
    let p = project(&settings(server.port, "security = \"starttls\"\n"));
    let before = server.told().commands.len();
    let a = p.run(&["alerts", "--test", "--lang", "en"]).await.exits(1);
    assert!(a.err.contains("HL-7065"), "{a:?}");
    assert!(
        !server.told().commands[before..].iter().any(|c| c.starts_with("MAIL")),
        "{:?}",
        server.told().commands
    );
    // A certificate that nobody vouches for.
    let (_, by) = authority();
    let server = Server::start(Some(acceptor(&by, |_| {})), None).await;
    let p = project(&settings(server.port, ""));
    let a = p.run(&["alerts", "--test", "--lang", "en"]).await.exits(1);
    assert!(a.err.contains("HL-7065") && a.err.to_lowercase().contains("certificate"), "{a:?}");
    assert!(server.told().commands.is_empty());
}

#[tokio::test]
async fn the_settings_of_mail_are_checked() {
    let p = Project::new();
    for (mail, said) in [
        ("mail = \"it@example.com\"\n", "alerts.mail"),
        ("[alerts.mail]\nfrom = \"a@b.cn\"\nto = \"c@d.cn\"\n", "alerts.mail.host"),
        ("[alerts.mail]\nhost = \"h\"\nto = \"c@d.cn\"\n", "alerts.mail.from"),
        ("[alerts.mail]\nhost = \"h\"\nfrom = \"a@b.cn\"\n", "alerts.mail.to"),
        (
            "[alerts.mail]\nhost = \"h\"\nfrom = \"a@b.cn\"\nto = \"c@d.cn\"\nusername = \"x\"\n",
            "alerts.mail.password",
        ),
        (
            "[alerts.mail]\nhost = \"h\"\nfrom = \"a@b.cn\"\nto = \"c@d.cn\"\nsecurty = \"tls\"\n",
            "`security`",
        ),
        (
            "[alerts.mail]\nhost = \"h\"\nfrom = \"a@b.cn\"\nto = \"c@d.cn\"\nusername = \"x\"\npassword = \"y\"\nsecurity = \"none\"\n",
            "alerts.mail.security",
        ),
    ] {
        p.write("heliu.toml", &format!("[alerts]\n{mail}"));
        let a: Value = p.run(&["check", "--json"]).await.exits(2).json();
        assert!(a["error"]["problems"].to_string().contains(said), "{mail}: {a}");
    }
    // What can be read, and could not send anything.
    p.write("bad.pem", "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");
    for (mail, path, said) in [
        ("from = \"nobody\"\nto = \"c@d.cn\"\n", "alerts.mail.from", "`nobody` is no mail address"),
        ("from = \"a@b.cn\"\nto = [\"c@d.cn\", \"c@@d\"]\n", "alerts.mail.to[1]", "`c@@d`"),
        ("from = \"a@b.cn\"\nto = \"c@d.cn; e@f.cn\"\n", "alerts.mail.to[0]", "no mail address"),
        (
            "from = \"a@b.cn\"\nto = \"c@d.cn\"\nhost = \"smtp://h\"\n",
            "alerts.mail.host",
            "no name of a server",
        ),
        ("from = \"a@b.cn\"\nto = \"c@d.cn\"\nhost = \"h:465\"\n", "alerts.mail.host", "`port`"),
        ("from = \"a@b.cn\"\nto = \"c@d.cn\"\nssl_ca = \"none.pem\"\n", "alerts.mail.ssl_ca", "none.pem"),
        (
            "from = \"a@b.cn\"\nto = \"c@d.cn\"\nssl_ca = \"bad.pem\"\n",
            "alerts.mail.ssl_ca",
            "no certificate",
        ),
        (
            "from = \"a@b.cn\"\nto = \"c@d.cn\"\nusername = \"x\"\npassword = { env = \"NO_SUCH_VARIABLE\" }\n",
            "alerts.mail.password",
            "NO_SUCH_VARIABLE",
        ),
        (
            "from = \"a@b.cn\"\nto = \"c@d.cn\"\nusername = \"x\"\npassword = { secret = \"post\" }\n",
            "alerts.mail.password",
            "heliu secret set post",
        ),
    ] {
        let host = if mail.contains("host = ") { "" } else { "host = \"h\"\n" };
        p.write("heliu.toml", &format!("[alerts.mail]\n{host}{mail}"));
        let a: Value = p.run(&["check", "--json", "--lang", "en"]).await.exits(2).json();
        let list = a["problems"].as_array().unwrap_or_else(|| panic!("{mail}: {a}"));
        let hit = list.iter().find(|x| x["path"] == path).unwrap_or_else(|| panic!("{mail}: {a}"));
        assert_eq!(
            (list.len(), &hit["code"], &hit["file"]),
            (1, &"HL-1095".into(), &"heliu.toml".into()),
            "{a}"
        );
        assert!(hit["message"].as_str().unwrap().contains(said), "{mail}: {hit}");
    }
    let fine =
        "[alerts.mail]\nhost = \"::1\"\nfrom = \"heliu 告警 <a@b.cn>\"\nto = \"c@d.cn, 值班 <e@f.cn>\"\n";
    p.write("heliu.toml", fine);
    p.run(&["check"]).await.exits(0);
    p.write("heliu.toml", "[alerts.mail]\nhost = \"h\"\nfrom = \"nobody\"\nto = \"c@d.cn\"\n");
    let a = p.run(&["alerts", "--test", "--lang", "en"]).await.exits(1);
    assert!(a.err.contains("`nobody` is no mail address"), "{a:?}");
}
