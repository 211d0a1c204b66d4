//! The door of a plan whose records other plans bring: objects become records by its own keys, conditions and formats.

use bytes::{Bytes, BytesMut};
use heliu_model::ports::{Element, Inbox, RunId, StoredPut, Verdict};
use heliu_model::{Call, CallKind, Failure, Problem, Ts, text};
use heliu_transform::canonical::{Scratch, content_hash};
use heliu_transform::{Path, Shaped, Shaping, Value};

use super::Receiver;

/// A plan that others write for, and how it keys what comes.
pub struct PlanInbox {
    pub(super) receiver: Receiver,
    shaping: Shaping,
    ignore: Vec<Path>,
}

impl PlanInbox {
    /// The door of a plan.
    ///
    /// # Errors
    /// Its source is not the callback interface of this ledger (`HL-5040`).
    pub fn new(receiver: Receiver) -> Result<PlanInbox, Problem> {
        if !receiver.callback {
            let name = receiver.name;
            let said = text!(
                "plan `{name}` cannot be written for: its source is not the `callback` interface of this ledger",
                "方案 `{name}` 不能接收数据:其来源不是本台账的 `callback` 接口"
            );
            return Err(Problem::error("HL-5040", "request", said).hint(text!(
                "give it a source with a connector of platform `heliu`, `\"api\": \"callback\"`, and `id` and `number`",
                "请将其来源设为平台为 `heliu` 的连接器,`\"api\": \"callback\"`,并设置 `id` 与 `number`"
            )));
        }
        Ok(PlanInbox {
            shaping: Shaping::compile(&receiver.meta, receiver.tz),
            ignore: receiver.ignore.iter().map(|p| Path::new(p)).collect(),
            receiver,
        })
    }

    /// Where it is, as calls name it.
    pub(super) fn place(&self) -> String {
        format!("heliu:{}", self.receiver.name)
    }

    /// What an object becomes in the plan.
    ///
    /// # Errors
    /// The plan cannot key it (`HL-5041`).
    pub(super) fn shaped(&self, object: &Value, now: Ts) -> Result<Vec<Shaped>, Failure> {
        let mut out = Vec::new();
        self.shaping.shape(&Bytes::from(object.to_json()), now.secs(), &mut out);
        let name = self.receiver.name.clone();
        if let Some(why) = out.iter().find_map(|s| s.rejected.as_ref()) {
            let (en, zh) = (&why.en, &why.zh);
            return Err(Failure::data(
                "HL-5041",
                text!("plan `{name}` cannot take the record: {en}", "方案 `{name}` 无法接收该数据:{zh}"),
            )
            .hint(text!(
                "its source's `id` names a field; what is sent to it has to have it",
                "其来源的 `id` 指定了一个字段,发送给它的内容必须包含该字段"
            )));
        }
        Ok(out)
    }

    /// The contents as one list, the elements as slices of it.
    pub(super) fn page(&self, shaped: Vec<Shaped>) -> Result<(Bytes, Vec<Element>), Failure> {
        let mut body = BytesMut::from(&b"["[..]);
        let mut spans = Vec::with_capacity(shaped.len());
        for one in &shaped {
            if body.len() > 1 {
                body.extend_from_slice(b",");
            }
            spans.push((body.len(), body.len() + one.content.len()));
            body.extend_from_slice(&one.content);
        }
        body.extend_from_slice(b"]");
        let body = body.freeze();
        let mut buffer = Scratch::default();
        let mut elements = Vec::with_capacity(shaped.len());
        for (one, (a, b)) in shaped.into_iter().zip(spans) {
            let content = body.slice(a..b);
            let hash = content_hash(&content, &self.ignore, &mut buffer).map_err(|bad| {
                let at = bad.at;
                Failure::data(
                    "HL-7011",
                    text!("the record is no JSON value (byte {at})", "该数据不是 JSON 值(第 {at} 字节)"),
                )
            })?;
            let verdict = one.filtered.map_or(Verdict::Keep, Verdict::Filtered);
            elements.push(Element {
                id: one.id,
                number: one.number,
                hash,
                stamp: None,
                content,
                verdict,
                head: true,
            });
        }
        Ok((body, elements))
    }

    /// These elements of this text, to be stored for the plan.
    pub(super) fn letter(&self, page: (Bytes, Vec<Element>), by: (RunId, i64), now: Ts) -> StoredPut {
        let (body, elements) = page;
        // The receiving plan's own call: what came in.
        let mut call = Call::new(CallKind::Fetch, now, "STORE", &self.place());
        call.rows = u32::try_from(elements.len()).unwrap_or(u32::MAX);
        call.response_body = body.clone();
        let Receiver { name, uuid, policy, .. } = &self.receiver;
        StoredPut { plan: name.clone(), uuid: uuid.clone(), call, body, elements, policy: *policy, by, now }
    }
}

impl Inbox for PlanInbox {
    fn take(
        &self,
        objects: &[Value],
        by: (RunId, i64),
        now: Ts,
    ) -> (Option<StoredPut>, Vec<(usize, Failure)>) {
        let (mut shaped, mut refused) = (Vec::new(), Vec::new());
        for (i, object) in objects.iter().enumerate() {
            match self.shaped(object, now) {
                Ok(mut of) => shaped.append(&mut of),
                Err(why) => refused.push((i, why)),
            }
        }
        if shaped.is_empty() {
            return (None, refused);
        }
        match self.page(shaped) {
            Ok(page) => (Some(self.letter(page, by, now)), refused),
            Err(why) => (None, (0..objects.len()).map(|i| (i, why.clone())).collect()),
        }
    }
}
