//! `records` and `retry`.

use chrono_tz::Tz;
use heliu_ledger::SqliteLedger;
use heliu_model::ports::{Clock, Ledger, PlanRow, RecordFilter, RecordRow};
use heliu_model::record::State;
use heliu_model::{Failure, Lang, Ts, text};
use heliu_transform::Value;
use serde_json::json;

use super::trace::no_record;
use crate::output::{Done, Out, Stop, reason};
use crate::wire::App;

/// Records listed or put back at a time.
const CHUNK: usize = 1_000;
/// Records shown to people who ask for no number.
const SHOWN: usize = 100;

/// Options of `records`.
pub struct Filter {
    /// State's word.
    pub state: Option<String>,
    /// Record id.
    pub id: Option<String>,
    /// Record number.
    pub number: Option<String>,
    /// At most so many; 0 is all. Without it: all for machines, some for people.
    pub limit: Option<usize>,
}

/// Reads a state's word.
///
/// # Errors
/// Unknown, with the known ones.
pub fn state_of(word: &str) -> Result<State, Stop> {
    State::parse(word).ok_or_else(|| {
        let known = State::ALL.map(State::word).join(", ");
        Failure::config("HL-8014", text!("`{word}` is no state", "`{word}` 不是状态"))
            .at("--state")
            .hint(text!("known are {known}", "可用的有 {known}"))
            .into()
    })
}

/// A record as interface §3.3 fixes it.
pub fn record_json(out: &Out, r: &RecordRow, tz: Tz) -> serde_json::Value {
    let time = |t: Option<Ts>| t.map(|t| t.rfc3339(tz));
    json!({
        "id": r.id,
        "number": r.number,
        "state": r.state.word(),
        "reason": reason(r.reason.as_deref(), out.lang),
        "code": r.code,
        "version": r.version,
        "first_seen": time(Some(r.first_seen)),
        "changed_at": time(Some(r.changed_at)),
        "written_at": time(r.written_at),
        "attempts": r.attempts,
        "source_call": r.source_call,
        "write_call": r.write_call,
        "response": r.response,
        "primaryWriteback": r.writeback.as_deref().and_then(|v| serde_json::from_str::<serde_json::Value>(v).ok()),
    })
}

/// `heliu records`
pub async fn records(app: &App, plan: &str, filter: Filter) -> Done {
    let state = filter.state.as_deref().map(state_of).transpose()?;
    let ledger = app.ledger()?;
    let (row, tz) = app.find(&ledger, plan).await?;
    let Some(row) = row else { return Ok(0) };
    let limit = filter.limit.unwrap_or(if app.out.json { 0 } else { SHOWN });
    let mut left = if limit == 0 { usize::MAX } else { limit };
    let mut after = 0;
    let mut lines = Vec::new();
    let mut shown = 0usize;
    while left > 0 {
        let list = ledger
            .records(
                row.id,
                RecordFilter {
                    state,
                    id: filter.id.clone(),
                    number: filter.number.clone(),
                    limit: left.min(CHUNK),
                    after,
                },
            )
            .await?;
        let Some(last) = list.last() else { break };
        after = last.row;
        left = left.saturating_sub(list.len());
        shown += list.len();
        for r in &list {
            if app.out.json {
                app.out.value(&record_json(&app.out, r, tz));
            } else {
                let time = |t: Option<Ts>| t.map_or_else(|| "-".to_owned(), |t| t.local(tz));
                lines.push(vec![
                    r.id.clone().unwrap_or_else(|| "-".into()),
                    r.number.clone().unwrap_or_else(|| "-".into()),
                    r.state.word().to_owned(),
                    r.version.to_string(),
                    time(Some(r.changed_at)),
                    time(r.written_at),
                    match (&r.code, reason(r.reason.as_deref(), app.out.lang)) {
                        (Some(code), Some(why)) => format!("{code} {why}"),
                        (None, Some(why)) => why,
                        (Some(code), None) => code.clone(),
                        (None, None) => String::new(),
                    },
                ]);
            }
        }
    }
    if !app.out.json {
        let zh = app.out.lang == Lang::Zh;
        let head: &[&str] = if zh {
            &["ID", "编号", "状态", "版本", "变化时间", "写入时间", "原因"]
        } else {
            &["ID", "NUMBER", "STATE", "VERSION", "CHANGED", "WRITTEN", "REASON"]
        };
        app.out.table(head, &lines);
        if left == 0 {
            let name = &row.name;
            app.out.hint(&text!(
                "the first {shown}; `heliu records {name} --limit 0` lists all",
                "仅显示前 {shown} 条;`heliu records {name} --limit 0` 可列出全部"
            ));
        }
    }
    Ok(0)
}

/// A condition of `--where`: path, whether it must differ, value as text.
struct Condition {
    path: String,
    differs: bool,
    value: String,
}

fn condition(words: &str) -> Result<Condition, Stop> {
    let cut = |op: &str, differs| {
        words.split_once(op).map(|(p, v)| Condition {
            path: p.trim().to_owned(),
            differs,
            value: v.trim().to_owned(),
        })
    };
    cut("!=", true).or_else(|| cut("=", false)).filter(|c| !c.path.is_empty()).ok_or_else(|| {
        Failure::config("HL-8014", text!("`{words}` is no condition", "`{words}` 不是条件"))
            .at("--where")
            .hint(text!("write `field=value` or `items.0.sku!=A1`", "请写成 `字段=值` 或 `items.0.sku!=A1`"))
            .into()
    })
}

async fn matching(
    ledger: &SqliteLedger,
    list: &[RecordRow],
    conditions: &[Condition],
) -> Result<Vec<i64>, Failure> {
    let rows: Vec<i64> = list.iter().map(|r| r.row).collect();
    if conditions.is_empty() {
        return Ok(rows);
    }
    let mut out = Vec::new();
    for (row, content) in ledger.contents(&rows).await? {
        let Ok(v) = Value::parse(&content) else { continue };
        let all = conditions.iter().all(|c| {
            let found = v.get_path(&c.path).map(|v| v.in_text()).unwrap_or_default();
            (found == c.value) != c.differs
        });
        if all {
            out.push(row);
        }
    }
    Ok(out)
}

/// `heliu retry`
pub async fn retry(app: &App, plan: &str, state: &str, id: Option<String>, filter: &[String]) -> Done {
    let state = state_of(state)?;
    if !matches!(state, State::Failed | State::InDoubt | State::Written) {
        return Err(Failure::config(
            "HL-8014",
            text!(
                "only failed, in_doubt and written records can be put back",
                "只能放回 failed、in_doubt、written 状态的数据"
            ),
        )
        .at("--state")
        .into());
    }
    let conditions = filter.iter().map(|f| condition(f)).collect::<Result<Vec<_>, _>>()?;
    let ledger = app.ledger()?;
    let (row, _): (PlanRow, Tz) = app.must_find(&ledger, plan).await?;
    let mut after = 0;
    let mut count = 0;
    loop {
        let list = ledger
            .records(
                row.id,
                RecordFilter { state: Some(state), id: id.clone(), number: None, limit: CHUNK, after },
            )
            .await?;
        let Some(last) = list.last() else { break };
        after = last.row;
        let rows = matching(&ledger, &list, &conditions).await?;
        count += ledger.put_back(row.id, &rows, app.clock.now()).await?;
    }
    let name = &row.name;
    if count == 0
        && let Some(id) = &id
    {
        let filter = RecordFilter { state: None, id: Some(id.clone()), number: None, limit: 1, after: 0 };
        let list = ledger.records(row.id, filter).await?;
        let Some(found) = list.first() else { return Err(no_record(name, id).into()) };
        let (is, wanted) = (found.state.word(), state.word());
        app.out.hint(&text!(
            "record `{id}` is {is}, or does not satisfy the condition; asked for are {wanted} ones",
            "数据 `{id}` 的状态为 {is},或不满足条件;本次只放回 {wanted} 状态的数据"
        ));
    }
    if app.out.json {
        app.out.value(&json!({"plan": name, "state": state.word(), "put_back": count}));
    } else if count == 0 {
        app.out.line(&app.out.say(&text!("no record was put back", "没有数据被放回")));
    } else {
        app.out.line(&app.out.say(&text!(
            "{count} records wait again; `heliu run {name} --target-only` writes them",
            "{count} 条数据已放回等待;`heliu run {name} --target-only` 可立即写入"
        )));
    }
    Ok(0)
}
