//! The plan's metadata at work: elements become records, records become rows.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use heliu_model::ports::{Clock, Element, Inbox, Left, Render, RowBody, RunId, Verdict};
use heliu_model::record::Hash;
use heliu_model::{Failure, Problem, Text, Ts, Window, text};
use heliu_transform::canonical::{Scratch, content_hash};
use heliu_transform::mapping::{Request, nothing_to_send};
use heliu_transform::{
    Context, Lookup, Map, Metadata, Path, Plain, Shaped, Shaping, Value, grouping, records, writeback,
};

use crate::spec::{Gathered, Renderer, Shaper, Written};

/// Cuts and keys elements as the source's metadata says.
pub struct DialectShaper {
    shaping: Shaping,
    clock: Arc<dyn Clock>,
    ignore: Vec<Path>,
    anchor: Option<Path>,
    scratch: Mutex<Scratch>,
}

impl DialectShaper {
    /// `ignore`: paths left out of the content hash. `stamp`, `anchor`: paths inside an element that the platform
    /// declares.
    pub fn new(
        meta: &Metadata,
        tz: chrono_tz::Tz,
        ignore: &[String],
        stamp: Option<&str>,
        anchor: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        DialectShaper {
            shaping: Shaping::compile(meta, tz).beside(stamp.map(Path::new)),
            clock,
            scratch: Mutex::default(),
            ignore: ignore.iter().map(|p| Path::new(p)).collect(),
            anchor: anchor.map(Path::new),
        }
    }

    fn element(&self, shaped: Shaped, stamp: Option<String>, scratch: &mut Scratch) -> Element {
        match content_hash(&shaped.content, &self.ignore, scratch) {
            Ok(hash) => judged(shaped, hash, stamp),
            Err(bad) => {
                // Not hashable as JSON: known by its bytes.
                let at = bad.at;
                let reason =
                    text!("the element is no JSON value (byte {at})", "该元素不是 JSON 值(第 {at} 字节)");
                let mut hash = [0; 16];
                hash.copy_from_slice(blake3_of(&shaped.content).get(..16).unwrap_or(&[0; 16]));
                let verdict = Verdict::Rejected("HL-7011".into(), both(&reason));
                Element { verdict, ..judged(shaped, hash, stamp) }
            }
        }
    }
}

/// What the rules say of a record.
fn judged(shaped: Shaped, hash: Hash, stamp: Option<String>) -> Element {
    let Shaped { id, number, content, filtered, rejected } = shaped;
    let verdict = match (rejected, filtered) {
        (Some(why), _) => Verdict::Rejected("HL-7010".into(), both(&why)),
        (None, Some(rule)) => Verdict::Filtered(rule),
        (None, None) => Verdict::Keep,
    };
    Element { id, number, hash, stamp, content, verdict, head: false }
}

/// Reasons are stored as JSON with both languages.
fn both(t: &heliu_model::Text) -> String {
    serde_json::to_string(t).unwrap_or_else(|_| t.en.clone())
}

fn blake3_of(bytes: &[u8]) -> [u8; 32] {
    // The canonical form of a JSON string of the bytes: any input has one.
    let quoted = Value::from(String::from_utf8_lossy(bytes)).to_json();
    let mut out = [0; 32];
    if let Ok(h) = content_hash(quoted.as_bytes(), &[], &mut Scratch::default()) {
        out[..16].copy_from_slice(&h);
    }
    out
}

impl Shaper for DialectShaper {
    fn shape(&self, element: &Bytes, out: &mut Vec<Element>) {
        // Pages are shaped one after the other; a second one beside them takes space of its own.
        let mut kept = self.scratch.try_lock();
        let mut own = Scratch::default();
        let scratch = kept.as_deref_mut().unwrap_or(&mut own);
        if let Some(Plain { shaped, hash, beside }) = self.shaping.plain(element, &self.ignore, scratch) {
            out.push(Element { head: true, ..judged(shaped, hash, beside) });
            return;
        }
        let mut shaped = Vec::with_capacity(1);
        let stamp = self.shaping.shape(element, self.clock.now().secs(), &mut shaped);
        if shaped.is_empty() {
            // A list to be split that is empty: nothing to write, but the source has counted it.
            let why = text!("the element has no parts to be split into", "该元素没有可拆分的内容");
            shaped.push(Shaped {
                id: None,
                number: None,
                content: element.clone(),
                filtered: Some(both(&why)),
                rejected: None,
            });
        }
        for (i, one) in shaped.into_iter().enumerate() {
            let head = i == 0;
            out.push(Element { head, ..self.element(one, stamp.clone(), scratch) });
        }
    }

    fn anchor(&self, element: &Bytes) -> Option<String> {
        records::pick_text(element, self.anchor.as_ref()?)
    }
}

/// Renders contents as the target's metadata says.
pub struct DialectRenderer {
    request: Request,
    form: Render,
    tz: chrono_tz::Tz,
    lookups: Option<Arc<dyn Lookup>>,
    /// The door of the plan that `callBackStrategy` names, or why there is none.
    inbox: Result<Arc<dyn Inbox>, Failure>,
    said: Mutex<Vec<Text>>,
}

/// Nobody has said to whom things are passed on.
fn nobody() -> Failure {
    Failure::config("HL-1091", text!("no plan takes what is passed on", "没有可接收回写数据的方案"))
}

/// Sentences of the renderings of a run that are kept.
const SAID: usize = 20;

impl DialectRenderer {
    /// A renderer for rows of the given form.
    pub fn new(meta: &Metadata, form: Render, tz: chrono_tz::Tz, lookups: Option<Arc<dyn Lookup>>) -> Self {
        DialectRenderer {
            request: Request::compile(meta),
            form,
            tz,
            lookups,
            inbox: Err(nobody()),
            said: Mutex::default(),
        }
    }

    /// Passes what is written on through this door; why there is none is said with the first record.
    #[must_use]
    pub fn passing_to(mut self, inbox: Result<Arc<dyn Inbox>, Failure>) -> Self {
        self.inbox = inbox;
        self
    }

    fn context(&self, window: &Window) -> Context<'_> {
        Context {
            lookups: self.lookups.as_deref(),
            ..Context::new(window.from.secs(), window.to.secs(), self.tz)
        }
    }

    fn say(&self, warnings: Vec<Text>) {
        if warnings.is_empty() {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for w in warnings {
            if said.len() < SAID && !said.contains(&w) {
                said.push(w);
            }
        }
    }
}

fn failed(e: heliu_transform::mapping::RenderError) -> Failure {
    // Behind the path, the character of the expression.
    let place = e.position.map_or(e.path.clone(), |at| format!("{} @{at}", e.path));
    Failure::data(&e.code, e.message).at(place)
}

/// Where the findings about passing on stand in the plan.
const CALLBACK: &str = "target.metadata.callBackStrategy";

/// A finding about passing on: the first record it concerns is named.
fn not_passed(why: &Failure, id: &str) -> Problem {
    let (en, zh, id) = (&why.message.en, &why.message.zh, id.to_owned());
    let said =
        text!("record `{id}` is written, but not passed on: {en}", "数据 `{id}` 已写入,但未能回写传递:{zh}");
    Problem::warning(&why.code, CALLBACK, said).hint(text!(
        "mend it, then `heliu retry --state written --id {id}` writes and passes the record on again",
        "修正后用 `heliu retry --state written --id {id}` 重新写入并传递该数据"
    ))
}

impl Renderer for DialectRenderer {
    fn leaves(&self) -> bool {
        writeback::declared(self.request.metadata())
    }

    fn left(&self, window: &Window, written: &[Written<'_>], by: (RunId, i64), now: Ts) -> Left {
        let (meta, ctx) = (self.request.metadata(), self.context(window));
        let mut left = Left::default();
        let (mut objects, mut of) = (Vec::new(), Vec::new());
        let mut said = Vec::new();
        for one in written {
            let Ok(content) = Value::parse(one.content) else { continue };
            let reply = one.reply.and_then(|r| Value::parse(r.as_bytes()).ok());
            let reply = reply.unwrap_or_else(|| Value::Object(Map::new()));
            let kept = writeback::primary(meta, &ctx, &reply, Some(&content));
            if let Some(kept) = &kept {
                left.kept.push((one.row, kept.to_json()));
            }
            let mut warnings = Vec::new();
            if let Some((_, object)) = writeback::callback(meta, &ctx, &content, kept.as_ref(), &mut warnings)
            {
                objects.push(object);
                of.push(one.id);
            }
            said.extend(warnings.into_iter().map(|why| (one.id, why)));
        }
        if let Some((id, why)) = said.first() {
            left.problems.push(not_passed(&Failure::data("HL-2403", why.clone()), id));
        }
        let Some(first) = of.first() else { return left };
        match &self.inbox {
            Ok(inbox) => {
                let (put, refused) = inbox.take(&objects, by, now);
                left.passed = put;
                let refused = refused.first();
                let refused = refused.map(|(i, why)| not_passed(why, of.get(*i).copied().unwrap_or("")));
                left.problems.extend(refused);
            }
            Err(why) => left.problems.push(not_passed(why, first)),
        }
        left
    }

    fn gathers(&self) -> bool {
        grouping::groups(self.request.metadata())
    }

    fn keys(&self, content: &Bytes) -> Vec<Vec<String>> {
        let record = Value::parse(content);
        record.map(|r| grouping::keys(self.request.metadata(), &r)).unwrap_or_default()
    }

    fn gather(&self, contents: &[Bytes]) -> Vec<Gathered> {
        let mut read = Vec::with_capacity(contents.len());
        let mut alone = Vec::new();
        for (i, content) in contents.iter().enumerate() {
            match Value::parse(content) {
                Ok(v) => read.push((i, v)),
                // Its rendering says what is wrong with it.
                Err(_) => alone.push(Gathered { content: content.clone(), members: vec![i] }),
            }
        }
        let (places, values): (Vec<usize>, Vec<Value>) = read.into_iter().unzip();
        let unit = |u: grouping::Unit| Gathered {
            content: Bytes::from(u.record.to_json()),
            members: u.members.iter().filter_map(|m| places.get(*m).copied()).collect(),
        };
        grouping::units(self.request.metadata(), &values).into_iter().map(unit).chain(alone).collect()
    }

    fn warnings(&self) -> Vec<Text> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn render(&self, window: &Window, content: &Bytes) -> Result<RowBody, Failure> {
        let ctx = self.context(window);
        match self.form {
            Render::Nothing => Ok(RowBody::Nothing),
            Render::Columns => {
                let mut row = Vec::with_capacity(self.request.metadata().request.len());
                let mut warnings = Vec::new();
                self.request.render_row_raw(&ctx, content, &mut row, &mut warnings).map_err(failed)?;
                self.say(warnings);
                Ok(RowBody::Columns(row))
            }
            Render::Object => {
                let record = Value::parse(content).map_err(|e| Failure::data("HL-2210", e.text()))?;
                let mut rendered = self.request.render(&ctx, Some(&record)).map_err(failed)?;
                self.say(std::mem::take(&mut rendered.warnings));
                if nothing_to_send(self.request.metadata(), &rendered) {
                    return Err(Failure::data(
                        "HL-2214",
                        text!(
                            "every field of the request is empty: there is nothing to send",
                            "请求的所有字段都为空,没有可发送的内容"
                        ),
                    ));
                }
                Ok(RowBody::Object { request: rendered.request, other: rendered.other })
            }
        }
    }
}
