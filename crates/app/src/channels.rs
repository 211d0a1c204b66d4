//! Whether what is configured for alerts could send any: said before something has to be sent.

use heliu_connect::notify::{address, authority, server, web_address};
use heliu_ledger::SqliteLedger;
use heliu_model::config::{CredentialValue, MailFile, WebhookFile};
use heliu_model::{Failure, Problem, Text, text};

use crate::wire::App;

/// The file that all of this stands in.
const FILE: &str = "heliu.toml";

fn fault(path: impl Into<String>, why: Text) -> Problem {
    Problem { file: FILE.into(), ..Problem::error("HL-1095", path, why) }
}

impl App {
    /// Everything that keeps alerts from being sent, as far as it shows without sending one.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn channel_faults(&self, ledger: Option<&SqliteLedger>) -> Result<Vec<Problem>, Failure> {
        let mut out = Vec::new();
        for hook in &self.project.settings.webhooks {
            self.webhook_faults(hook, ledger, &mut out).await?;
        }
        if let Some(mail) = &self.project.settings.mail {
            self.mail_faults(mail, ledger, &mut out).await?;
        }
        Ok(out)
    }

    async fn webhook_faults(
        &self,
        hook: &WebhookFile,
        ledger: Option<&SqliteLedger>,
        out: &mut Vec<Problem>,
    ) -> Result<(), Failure> {
        let at = hook.place.as_str();
        match self.project.value_of(&hook.url, ledger).await? {
            Ok(url) => out.extend(web_address(&url).err().map(|why| fault(at, why))),
            Err(why) => out.push(fault(at, why)),
        }
        let secret = at.strip_suffix("url").map(|table| format!("{table}secret"));
        self.readable(hook.secret.as_ref(), secret.as_deref().unwrap_or(at), ledger, out).await
    }

    async fn mail_faults(
        &self,
        mail: &MailFile,
        ledger: Option<&SqliteLedger>,
        out: &mut Vec<Problem>,
    ) -> Result<(), Failure> {
        out.extend(server(&mail.host).err().map(|why| fault("alerts.mail.host", why)));
        out.extend(address(&mail.from).err().map(|why| fault("alerts.mail.from", why)));
        for (i, to) in mail.to.iter().enumerate() {
            out.extend(address(to).err().map(|why| fault(format!("alerts.mail.to[{i}]"), why)));
        }
        self.readable(mail.password.as_ref(), "alerts.mail.password", ledger, out).await?;
        if let Some(name) = &mail.ssl_ca {
            let at = "alerts.mail.ssl_ca";
            match std::fs::read(self.project.dir.join(name)) {
                Ok(pem) => out.extend(authority(&pem).err().map(|why| {
                    let (name, en, zh) = (name.clone(), why.en, why.zh);
                    fault(at, text!("`{name}`: {en}", "`{name}`:{zh}"))
                })),
                Err(e) => {
                    let (name, why) = (name.clone(), e.to_string());
                    out.push(fault(at, text!("`{name}` cannot be read: {why}", "无法读取 `{name}`:{why}")));
                }
            }
        }
        Ok(())
    }

    /// A secret can be read, and there is something in it.
    async fn readable(
        &self,
        value: Option<&CredentialValue>,
        at: &str,
        ledger: Option<&SqliteLedger>,
        out: &mut Vec<Problem>,
    ) -> Result<(), Failure> {
        let Some(value) = value else { return Ok(()) };
        match self.project.value_of(value, ledger).await? {
            Ok(words) if words.trim().is_empty() => out.push(fault(at, text!("it is empty", "内容为空"))),
            Ok(_) => {}
            Err(why) => out.push(fault(at, why)),
        }
        Ok(())
    }
}
