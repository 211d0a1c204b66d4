//! What a reply means: success, or a failure whose class decides what the engine does.

use heliu_model::{Class, Failure, Text, Ts, text};
use heliu_transform::{Metadata, Outline, Path, Value};
use regex::Regex;

use super::client::Reply;
use super::quota::retry_after;
use crate::manifest::{BatchForm, Charset, CodeForm, ReplyForm};

/// How replies of one API are read: the manifest's rule, overridden by the metadata's `otherResponse`.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub list: Option<Path>,
    pub lists: Vec<Path>,
    pub xml: Option<bool>,
    pub charset: Charset,
    code: Vec<Path>,
    ok: Vec<String>,
    flags: Vec<Path>,
    message: Vec<String>,
    unknown: String,
    codes: Vec<CodeForm>,
    until: Vec<Option<Regex>>,
    wrapped: u32,
    write: bool,
    zone: chrono_tz::Tz,
    /// Lists of a write's results: where one of them is there, an unnamed refusal speaks of records, not of the whole.
    results: Vec<Path>,
}

/// A reply that is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Fine,
    /// Nothing was done because nothing had to be (a token asked for too often).
    StillValid,
}

pub(crate) fn paths(list: &[String]) -> Vec<Path> {
    list.iter().map(|p| Path::with_slashes(p)).collect()
}

impl Reading {
    /// Compiles the rule.
    pub fn new(
        form: &ReplyForm,
        api_list: Option<&str>,
        meta: Option<&Metadata>,
        write: bool,
        zone: chrono_tz::Tz,
    ) -> Self {
        let key = |name: &str| meta.and_then(|m| m.reply_key(name)).filter(|v| !v.is_empty());
        let mut out = Reading {
            list: key("datakey").or(api_list).map(Path::with_slashes),
            lists: paths(&form.lists),
            xml: match form.format.as_deref() {
                Some("xml") => Some(true),
                Some("json") => Some(false),
                _ => None,
            },
            charset: form.charset,
            code: paths(&form.code),
            ok: form.ok.clone(),
            flags: paths(&form.flags),
            message: form.message.clone(),
            unknown: form.unknown.clone().unwrap_or_else(|| "config".into()),
            codes: form.codes.clone(),
            until: form.codes.iter().map(|c| c.until.as_deref().and_then(|u| Regex::new(u).ok())).collect(),
            wrapped: form.wrapped_errors,
            write,
            zone,
            results: Vec::new(),
        };
        if let Some(status) = key("statuskey") {
            out.code = vec![Path::with_slashes(status)];
            out.ok = vec![key("statusvalue").unwrap_or("0").to_owned()];
            out.flags = Vec::new();
        }
        out
    }

    /// Adds where a write's results per record are.
    pub fn with_results(mut self, batch: Option<&BatchForm>) -> Self {
        let lists = batch.iter().flat_map(|b| [&b.rows, &b.written, &b.failed]).flatten();
        self.results = lists.map(|r| Path::with_slashes(&r.list)).collect();
        self
    }

    /// Whether an accepted reply itself says that the call succeeded: by a code or a flag of the platform, or in so many
    /// words.
    pub fn says_success(&self, reply: &Outline) -> bool {
        let inner = self.envelope(reply);
        let outline = inner.as_ref().unwrap_or(reply);
        let flagged = || self.flags.iter().any(|p| flag(outline, p) == Some(true));
        let worded = || {
            let said = ["status", "result"].iter().filter_map(|p| outline.text(&Path::new(p)));
            said.chain([self.words(outline)]).any(|s| SUCCESS.contains(&s.trim().to_lowercase().as_str()))
        };
        self.code.iter().any(|p| outline.text(p).is_some()) || flagged() || worded()
    }

    /// Whether a reply has words about an error, declared or not.
    pub fn complains(&self, reply: &Outline) -> bool {
        self.reproaches(reply) || !self.words(reply).trim().is_empty()
    }

    /// Whether something stands where errors stand; «none» has many forms there.
    fn reproaches(&self, reply: &Outline) -> bool {
        let mut errors = ["error", "errors"].iter().filter_map(|p| reply.value(&Path::new(p)));
        errors.any(|said| match said {
            Value::Array(items) => !items.is_empty(),
            Value::Object(map) => !map.is_empty(),
            said => !matches!(said.in_text().trim(), "" | "0" | "false" | "null"),
        })
    }

    /// The error text that a person should see.
    fn words(&self, reply: &Outline) -> String {
        let found = self.message.iter().find_map(|place| {
            let said = match place.split_once(".*.") {
                None => reply.text(&Path::with_slashes(place)).unwrap_or_default(),
                Some((list, name)) => {
                    let items = reply.list(&Path::with_slashes(list)).ok().flatten().unwrap_or_default();
                    let inner = Path::with_slashes(name);
                    let texts = items.iter().filter_map(|i| Outline::read(i).ok()?.text(&inner));
                    texts.collect::<Vec<_>>().join("; ")
                }
            };
            (!said.is_empty()).then_some(said)
        });
        found.unwrap_or_default().chars().take(500).collect()
    }

    /// The envelope: the reply itself, or what stands in the place of its first row.
    fn envelope(&self, reply: &Outline) -> Option<Outline> {
        let mut at: Option<Outline> = None;
        for _ in 0..self.wrapped {
            let list = at.as_ref().unwrap_or(reply).list(&Path::new("")).ok().flatten()?;
            at = Some(Outline::read(list.first()?).ok()?);
        }
        let inner = at?;
        let speaks = self.flags.iter().chain(&self.code).any(|p| inner.text(p).is_some());
        speaks.then_some(inner)
    }

    /// Judges a reply.
    ///
    /// # Errors
    /// The failure; `doubt` is set for writes whose answer says nothing.
    pub fn judge(&self, reply: &Reply, now: Ts) -> Result<Told, Failure> {
        let json = looks_like_json(&reply.body);
        if !(200..300).contains(&reply.status) {
            return self.by_status(reply, json, now);
        }
        if !self.write && reply.status == 204 && reply.body.is_empty() {
            // The standard's own word for a success that brings nothing.
            return Ok(Told::Fine);
        }
        if !json {
            if let Some(at) = self.find(None, "", Some(reply)) {
                return self.by_entry(at, "", &excerpt(&reply.body), now);
            }
            return Err(self.lost(unreadable(reply)));
        }
        // Read to its end: a reply that was cut must not pass as a short page.
        let outline = reply.outline().map_err(|e| self.lost(cut(&e.text().en)))?;
        let inner = self.envelope(outline);
        let outline = inner.as_ref().unwrap_or(outline);
        let code = self.code.iter().find_map(|p| outline.text(p));
        let known = code.as_ref().is_none_or(|c| self.ok.contains(c));
        let denied = self.flags.iter().any(|p| flag(outline, p) == Some(false));
        if known && !denied {
            if self.write
                && self.results.is_empty()
                && self.reproaches(outline)
                && !self.says_success(outline)
            {
                let said = excerpt(&reply.body);
                return Err(self.lost(Failure::transient(
                    "HL-3015",
                    text!(
                        "the reply speaks of an error, and nothing in it says that the write succeeded: «{said}»",
                        "响应提到了错误,且没有任何表示写入成功的内容:“{said}”"
                    ),
                )));
            }
            return Ok(Told::Fine);
        }
        let code = match code {
            Some(code) => code,
            None => String::from("false"),
        };
        let said = self.words(outline);
        if let Some(at) = self.find(Some(&code), &said, None) {
            return self.by_entry(at, &code, &said, now);
        }
        let has_results =
            self.results.iter().any(|p| outline.list(p).ok().flatten().is_some_and(|l| !l.is_empty()));
        if self.write && has_results {
            return Ok(Told::Fine);
        }
        // What a platform says about one write speaks of that record.
        let class = if self.write { "data" } else { &self.unknown };
        Err(self.failure(class, &code, &said, None, None, now))
    }

    /// The entry of the table for an answer.
    fn find(&self, code: Option<&str>, said: &str, reply: Option<&Reply>) -> Option<usize> {
        self.codes.iter().position(|e| {
            let code_fits = e.code.as_ref().is_none_or(|wanted| match (code, wanted.strip_suffix('*')) {
                (None, _) => false,
                (Some(c), Some(start)) => c.starts_with(start),
                (Some(c), None) => c == wanted,
            });
            let body_fits = e.body.as_ref().is_none_or(|part| {
                reply.is_some_and(|r| memchr::memmem::find(&r.body, part.as_bytes()).is_some())
            });
            code_fits
                && body_fits
                && e.text.as_ref().is_none_or(|part| said.contains(part.as_str()))
                && e.status.is_none_or(|s| reply.is_some_and(|r| r.status == s))
        })
    }

    /// The failure of one record's result, by its code and message.
    pub fn row(&self, code: &str, said: &str, now: Ts) -> Option<Failure> {
        let at = self.find(Some(code), said, None)?;
        self.by_entry(at, code, said, now).err()
    }

    fn by_entry(&self, at: usize, code: &str, said: &str, now: Ts) -> Result<Told, Failure> {
        let Some(entry) = self.codes.get(at) else { return Ok(Told::Fine) };
        let class = match (&entry.writes, self.write) {
            (Some(w), true) => w.as_str(),
            _ => entry.class.as_str(),
        };
        match class {
            "ok" => Ok(Told::Fine),
            "still_valid" => Ok(Told::StillValid),
            class => {
                let until = self.until.get(at).and_then(Option::as_ref);
                Err(self.failure(class, code, said, Some(entry), until, now))
            }
        }
    }

    fn failure(
        &self,
        class: &str,
        code: &str,
        said: &str,
        entry: Option<&CodeForm>,
        until: Option<&Regex>,
        now: Ts,
    ) -> Failure {
        let said = said.to_owned();
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
        let failure = match class {
            "auth" => Failure::new(Class::AuthExpired, "HL-4001", message),
            "throttled" => {
                let mut f = Failure::new(Class::RateLimited, "HL-3021", message);
                f.retry_after_ms = entry.and_then(|e| e.wait_ms);
                f
            }
            "lost" => self.lost(Failure::transient("HL-3022", message)),
            "transient" | "clock" => Failure::transient("HL-3022", message),
            "data" => Failure::data("HL-3023", message),
            _ => Failure::config("HL-3020", message).hint(text!(
                "no repetition can mend this; correct it, then run again",
                "重试无法解决;请修正后重新运行"
            )),
        };
        let mut failure = failure.vendor(code);
        if let Some(found) = until.and_then(|u| u.captures(&said)).and_then(|c| c.get(1))
            && let Ok(at) = heliu_model::Ts::parse(found.as_str(), self.zone)
        {
            failure.retry_after_ms = Some(u64::try_from(at.0 - now.0).unwrap_or(0).clamp(1, 3_600_000));
        }
        failure
    }

    fn by_status(&self, reply: &Reply, json: bool, now: Ts) -> Result<Told, Failure> {
        let status = reply.status;
        let outline = if json { reply.outline().ok() } else { None };
        let code = outline.and_then(|o| self.code.iter().find_map(|p| o.text(p)));
        let said = match outline {
            Some(o) => self.words(o),
            None => excerpt(&reply.body),
        };
        let wait = retry_after(reply, now);
        if let Some(at) = self.find(code.as_deref(), &said, Some(reply)) {
            let code = code.unwrap_or_else(|| status.to_string());
            return self.by_entry(at, &code, &said, now).map_err(|mut f| {
                f.retry_after_ms = wait.or(f.retry_after_ms);
                f
            });
        }
        let message = text!("the source answers HTTP {status}: «{said}»", "对方返回 HTTP {status}:“{said}”");
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
            300..=399 => Failure::config("HL-3033", message).hint(text!(
                "the address answers with another one: it is not followed where credentials or a write would go along; put the right address into `base_url`",
                "该地址要求跳转:为避免凭证外泄或重复写入不会跟随;请把正确的地址填入 `base_url`"
            )),
            _ => Failure::config("HL-3032", message).hint(text!(
                "check the address, the interface name, the parameters and the permissions",
                "请检查地址、接口名、参数与权限"
            )),
        };
        let mut failure = failure.vendor(code.unwrap_or_else(|| status.to_string()));
        failure.retry_after_ms = wait;
        Err(failure)
    }

    /// For writes, an answer that says nothing leaves the write in doubt.
    pub fn lost(&self, failure: Failure) -> Failure {
        if self.write { failure.in_doubt() } else { failure }
    }
}

fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n'))
}

/// Words by which a reply says that all went well.
const SUCCESS: &[&str] =
    &["ok", "success", "succeeded", "successful", "成功", "操作成功", "请求成功", "查询成功"];

/// The beginning of a text, on one line; of a web page its words.
pub(super) fn excerpt(body: &[u8]) -> String {
    // Replies may have megabytes, and what is shown is short.
    let text = String::from_utf8_lossy(body.get(..20_000).unwrap_or(body));
    let mut plain = String::with_capacity(text.len().min(4_096));
    let page = text.trim_start().starts_with('<');
    let mut tag = false;
    for c in text.chars() {
        match c {
            '<' if page => tag = true,
            '>' if tag => {
                tag = false;
                plain.push(' ');
            }
            c if !tag => plain.push(c),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

/// A platform's word whether a call succeeded, also where it is written as text.
fn flag(outline: &Outline, place: &Path) -> Option<bool> {
    match outline.value(place)? {
        Value::Bool(said) => Some(said),
        Value::String(said) => said.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
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
