//! Runs that the tests open, and what these read.

use bytes::Bytes;
use heliu_ledger::SqliteLedger;
use heliu_model::Ts;
use heliu_model::ports::*;
use heliu_model::run::RunKind;

/// A run without windows, held by `one` for a minute; a test changes what it needs otherwise.
pub fn wish(plan: PlanId, ulid: impl Into<String>, now: Ts) -> OpenRun {
    OpenRun {
        plan,
        ulid: ulid.into(),
        kind: RunKind::Normal,
        windows: Vec::new(),
        owner: "one".into(),
        now,
        lease_until: now.plus_ms(60_000),
        tick: None,
    }
}

/// Opens a run that nobody else holds.
pub async fn opened(ledger: &SqliteLedger, wish: OpenRun) -> OwnedRun {
    match ledger.open_run(wish).await.expect("open_run") {
        RunOpening::Owned(run) => *run,
        other => panic!("{other:?}"),
    }
}

/// A reply of records (id, content), and its elements; `number` makes their numbers of their ids.
pub fn elements(records: &[(&str, &str)], number: fn(&str) -> Option<String>) -> (Bytes, Vec<Element>) {
    let body = Bytes::from(records.iter().map(|r| r.1).collect::<Vec<_>>().join(","));
    let mut from = 0;
    let elements = records
        .iter()
        .map(|(id, content)| {
            let slice = body.slice(from..from + content.len());
            from += content.len() + 1;
            let hash =
                heliu_transform::canonical::content_hash(content.as_bytes(), &[], &mut Default::default());
            Element {
                id: Some((*id).to_owned()),
                number: number(id),
                hash: hash.expect("hash"),
                stamp: None,
                content: slice,
                verdict: Verdict::Keep,
                head: true,
            }
        })
        .collect();
    (body, elements)
}
