//! Recorded replies read as a run would read them, for `heliu platforms test` and the tests of the built-in manifests.

use bytes::Bytes;
use heliu_model::Ts;
use heliu_transform::{Metadata, Path, Side, Value, records};

use super::client::Reply;
use super::decode::decode;
use super::outcome::{Reading, Told};
use super::signs::{Signs, read_page};
use crate::manifest::{ApiForm, Manifest, RecordedForm};

/// What became of one recorded reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// Interface.
    pub api: String,
    /// Name of the recording.
    pub name: String,
    /// What was read, in short.
    pub found: String,
    /// What differs from what the recording says; empty: nothing.
    pub differs: Vec<String>,
}

/// Reads every recorded reply of a manifest.
pub fn rehearse(manifest: &Manifest) -> Vec<Rehearsed> {
    manifest.form.apis.iter().flat_map(|api| api.replies.iter().map(|r| one(manifest, api, r))).collect()
}

fn one(m: &Manifest, api: &ApiForm, recorded: &RecordedForm) -> Rehearsed {
    let doc = api.metadata.as_deref().and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
    let (meta, _) = Metadata::parse(&doc, Side::Source);
    let write = meta.effect == "EXECUTE" && api.metadata.is_some();
    let credentials =
        m.form.credentials.iter().filter_map(|c| Some((c.name.clone(), c.default.clone()?))).collect();
    let route = m.route(&api.path, &credentials);
    let reading = Reading::new(&route.reply, api.list.as_deref(), Some(&meta), write, m.timezone)
        .with_results(api.batch.as_ref());
    let kind = recorded.content_type.as_deref().unwrap_or("application/json");
    let mut reply = Reply::recorded(recorded.status.unwrap_or(200), kind, Bytes::from(recorded.body.clone()));
    decode(&mut reply, &reading);
    let mut out = Rehearsed {
        api: api.path.clone(),
        name: recorded.name.clone(),
        found: String::new(),
        differs: Vec::new(),
    };
    let judged = reading.judge(&reply, Ts(0));
    let class = match &judged {
        Ok(Told::Fine) => "ok".to_owned(),
        Ok(Told::StillValid) => "still_valid".to_owned(),
        Err(f) if f.doubt => "lost".to_owned(),
        Err(f) => match f.class {
            heliu_model::Class::AuthExpired => "auth".into(),
            heliu_model::Class::RateLimited => "throttled".into(),
            heliu_model::Class::Transient => "transient".into(),
            heliu_model::Class::Data => "data".into(),
            _ => "config".into(),
        },
    };
    let wanted = recorded.class.clone().unwrap_or_else(|| "ok".into());
    out.found = class.clone();
    if class != wanted {
        let said = judged.as_ref().err().map(|f| format!(" ({})", f.message.en)).unwrap_or_default();
        out.differs.push(format!("class: {wanted} was expected, {class} was read{said}"));
    }
    if class != "ok" || write {
        return out;
    }
    let page = match read_page(&reply, &reading, &Signs::new(&route.reply, &meta), &meta) {
        Ok(page) => page,
        Err(f) => {
            out.differs.push(f.message.en);
            return out;
        }
    };
    if page.unclear.is_some() {
        out.differs
            .push("it shows no list of records, and nothing in it says that the call succeeded".into());
        return out;
    }
    let mut same = |what: &str, wanted: Option<String>, found: Option<String>| {
        if let Some(wanted) = wanted
            && found.as_ref() != Some(&wanted)
        {
            let found = found.unwrap_or_else(|| "nothing".into());
            out.differs.push(format!("{what}: {wanted} was expected, {found} was read"));
        }
    };
    let id = Path::new(if meta.id.is_empty() { api.id.as_deref().unwrap_or("") } else { &meta.id });
    let first = page.elements.first();
    let first_id = match (first, api.columns.is_some() || id.as_str().is_empty()) {
        (Some(e), true) => Some(String::from_utf8_lossy(e).into_owned()),
        (Some(e), false) => records::pick_text(e, &id)
            .or_else(|| Value::parse(e).ok().filter(|v| v.as_str().is_some()).map(|v| v.in_text())),
        (None, _) => None,
    };
    same("rows", recorded.rows.map(|n| n.to_string()), Some(page.elements.len().to_string()));
    same("first_id", recorded.first_id.clone(), first_id);
    same("total", recorded.total.map(|n| n.to_string()), page.total.map(|n| n.to_string()));
    same("has_next", recorded.has_next.map(|b| b.to_string()), page.has_next.map(|b| b.to_string()));
    same("next", recorded.next.clone(), page.next.clone());
    let more = page.has_next.map_or(String::new(), |b| format!(", has_next {b}"));
    let total = page.total.map_or(String::new(), |n| format!(", total {n}"));
    let rows = page.elements.len();
    out.found = format!("{rows} rows{total}{more}");
    out
}
