//! What a reply means: success, or a failure whose class decides what the engine does.

use heliu_model::{Class, Failure, Text, text};
use heliu_transform::{Metadata, Path, Value};

use super::client::Reply;
use crate::manifest::{CodeForm, ReplyForm};

/// How replies of one API are read: the manifest's rule, overridden by the metadata's `otherResponse`.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub list: Option<Path>,
    pub lists: Vec<Path>,
    code: Vec<Path>,
    ok: Vec<String>,
    flag: Option<Path>,
    message: Vec<Path>,
    unknown: String,
    codes: Vec<CodeForm>,
    write: bool,
}

fn paths(list: &[String]) -> Vec<Path> {
    list.iter().map(|p| Path::with_slashes(p)).collect()
}

impl Reading {
    /// Compiles the rule.
    pub fn new(form: &ReplyForm, api_list: Option<&str>, meta: Option<&Metadata>, write: bool) -> Self {
        let key = |name: &str| meta.and_then(|m| m.reply_key(name)).filter(|v| !v.is_empty());
        let mut out = Reading {
            list: key("datakey").or(api_list).map(Path::with_slashes),
            lists: paths(&form.lists),
            code: paths(&form.code),
            ok: form.ok.clone(),
            flag: form.flag.as_deref().map(Path::with_slashes),
            message: paths(&form.message),
            unknown: form.unknown.clone(),
            codes: form.codes.clone(),
            write,
        };
        if let Some(status) = key("statuskey") {
            out.code = vec![Path::with_slashes(status)];
            out.ok = vec![key("statusvalue").unwrap_or("0").to_owned()];
            out.flag = None;
        }
        out
    }

    /// The error text that a person should see.
    fn words(&self, reply: &Reply) -> String {
        let outline = reply.outline().ok();
        self.message.iter().find_map(|p| outline?.text(p)).unwrap_or_default().chars().take(500).collect()
    }

    /// Judges a reply.
    ///
    /// # Errors
    /// The failure; `doubt` is set for writes whose answer says nothing.
    pub fn judge(&self, reply: &Reply) -> Result<(), Failure> {
        let json = looks_like_json(&reply.body);
        if !(200..300).contains(&reply.status) {
            return Err(self.by_status(reply, json));
        }
        if !json {
            return Err(self.lost(unreadable(reply)));
        }
        // Read to its end: a reply that was cut must not pass as a short page.
        let outline = reply.outline().map_err(|e| self.lost(cut(&e.text().en)))?;
        let (code, known) = match self.code.iter().find_map(|p| outline.text(p)) {
            Some(code) => {
                let known = self.ok.contains(&code);
                (code, known)
            }
            None => match self.flag.as_ref().and_then(|p| outline.value(p)) {
                Some(Value::Bool(false)) => (String::from("false"), false),
                _ => (String::new(), true),
            },
        };
        if known {
            if self.flag.as_ref().and_then(|p| outline.value(p)) == Some(Value::Bool(false)) {
                return Err(self.by_code(&code, reply));
            }
            return Ok(());
        }
        Err(self.by_code(&code, reply))
    }

    fn by_code(&self, code: &str, reply: &Reply) -> Failure {
        let said = self.words(reply);
        let entry = self.codes.iter().find(|c| c.code == code);
        let message = match entry {
            Some(e) => {
                let (en, zh) = (&e.en, &e.zh);
                text!(
                    "the platform answers code {code}: {en} («{said}»)",
                    "平台返回代码 {code}:{zh}(“{said}”)"
                )
            }
            None => text!("the platform answers code {code}: «{said}»", "平台返回代码 {code}:“{said}”"),
        };
        let class = entry.map_or(self.unknown.as_str(), |e| e.class.as_str());
        let failure = match class {
            "auth" => Failure::new(Class::AuthExpired, "HL-4001", message),
            "throttled" => {
                let mut f = Failure::new(Class::RateLimited, "HL-3021", message);
                f.retry_after_ms = entry.and_then(|e| e.wait_ms);
                f
            }
            "transient" | "clock" => Failure::transient("HL-3022", message),
            "data" => Failure::data("HL-3023", message),
            // What a platform says about one write speaks of that record.
            _ if self.write && entry.is_none() => Failure::data("HL-3023", message),
            _ => Failure::config("HL-3020", message).hint(text!(
                "no repetition can mend this; correct it, then run again",
                "重试无法解决;请修正后重新运行"
            )),
        };
        failure.vendor(code)
    }

    fn by_status(&self, reply: &Reply, json: bool) -> Failure {
        let status = reply.status;
        let said = if json { self.words(reply) } else { excerpt(&reply.body) };
        let message = text!("the source answers HTTP {status}: «{said}»", "对方返回 HTTP {status}:“{said}”");
        let wait = reply.header("retry-after").and_then(retry_after);
        let failure = match status {
            429 => Failure::new(Class::RateLimited, "HL-3030", message),
            503 if wait.is_some() => Failure::new(Class::RateLimited, "HL-3030", message),
            408 | 425 => Failure::transient("HL-3031", message),
            401 => Failure::new(Class::AuthExpired, "HL-4001", message),
            502 | 504 => self.lost(Failure::transient("HL-3031", message)),
            500..=599 if json => Failure::transient("HL-3031", message),
            503 => Failure::transient("HL-3031", message),
            500..=599 => self.lost(Failure::transient("HL-3031", message)),
            400 | 409 | 413 | 422 if self.write => Failure::data("HL-3032", message),
            _ => Failure::config("HL-3032", message).hint(text!(
                "check the address, the interface name, the parameters and the permissions",
                "请检查地址、接口名、参数与权限"
            )),
        };
        let mut failure = failure.vendor(status.to_string());
        failure.retry_after_ms = wait;
        failure
    }

    /// For writes, an answer that says nothing leaves the write in doubt.
    pub fn lost(&self, failure: Failure) -> Failure {
        if self.write { failure.in_doubt() } else { failure }
    }
}

/// `Retry-After` in seconds, or a date (then one second: the clock of the other side is not ours).
fn retry_after(v: &str) -> Option<u64> {
    match v.trim().parse::<u64>() {
        Ok(secs) => Some(secs.min(3_600) * 1000),
        Err(_) => Some(1_000),
    }
}

fn looks_like_json(body: &[u8]) -> bool {
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n'))
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

fn unreadable(reply: &Reply) -> Failure {
    let said = excerpt(&reply.body);
    let message: Text = if reply.body.is_empty() {
        text!("the reply is empty", "响应为空")
    } else if reply.body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        text!("the reply is a web page instead of JSON: «{said}»", "响应是网页而不是 JSON:“{said}”")
    } else {
        text!("the reply is no JSON: «{said}»", "响应不是 JSON:“{said}”")
    };
    Failure::transient("HL-3010", message).hint(text!(
        "a gateway or proxy may stand in between; check `base_url`",
        "中间可能有网关或代理;请检查 `base_url`"
    ))
}

/// A reply that looks like JSON and is not: it was cut.
pub(crate) fn cut(why: &str) -> Failure {
    let why = why.lines().next().unwrap_or("").to_owned();
    Failure::transient("HL-3011", text!("the reply is incomplete: {why}", "响应不完整:{why}"))
}
