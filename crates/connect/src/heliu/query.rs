//! What a document asks of the ledger: which plan, which time, which states, which conditions (dialect §7.6).

use chrono_tz::Tz;
use heliu_model::ports::{StoredBy, StoredRow};
use heliu_model::record::State;
use heliu_model::{Failure, Problem, Ts, Window, text};
use heliu_transform::mapping::Request;
use heliu_transform::mongo::Filter;
use heliu_transform::{Context, Map, Metadata, Path, Value, nearest};

use super::Api;

/// Names of the plan among the parameters.
pub(super) const SCHEME: &[&str] = &["scheme_id", "strategy_id", "strategyId", "scheme", "方案ID"];
/// Parameters that pages, tokens and the vendor's own account need; nothing here depends on them.
const IGNORED: &[&str] =
    &["page", "pageSize", "page_size", "token", "access_token", "limit", "skip", "sort", "idCheck"];
const KNOWN: &[&str] =
    &["scheme_id", "begin_at", "end_at", "status", "condition", "page", "pageSize", "CONTENT_…"];

/// A question, as it stands for one window.
pub(super) struct Query {
    pub plan: String,
    pub by: StoredBy,
    pub states: Vec<State>,
    pub from: Option<Ts>,
    pub to: Option<Ts>,
    /// Over the record: `id`, `number`, `content`.
    record: Vec<Filter>,
    /// Over its content.
    content: Vec<Filter>,
    /// Texts that fields of the content hold.
    holds: Vec<(Path, String)>,
}

fn bad(path: &str, found: heliu_model::Text) -> Problem {
    Problem::error("HL-1093", path, found)
}

/// The plan that a document names: in the path of its interface, or among its parameters. A reference is none.
pub(super) fn plan_of(meta: &Metadata, api: Api) -> Option<String> {
    let in_path = api.plan_in(&meta.api).filter(|p| !p.contains('{')).map(str::to_owned);
    in_path.or_else(|| {
        let items = meta.request.iter().chain(&meta.other_request);
        let item = items.into_iter().find(|i| SCHEME.contains(&i.field.as_str()))?;
        let words = item.value.as_ref()?.in_text().trim().to_owned();
        (!words.is_empty() && !words.contains('{')).then_some(words)
    })
}

/// No plan is named, or by a reference that each record would answer differently.
pub(super) fn no_plan() -> Problem {
    bad(
        "request",
        text!(
            "`scheme_id` is missing: which plan's records are meant?",
            "缺少 `scheme_id`:未说明是哪个方案的数据"
        ),
    )
    .hint(text!(
        "add an item `scheme_id` with the plan's id or name as its value",
        "请添加参数 `scheme_id`,值为方案的 id 或名称"
    ))
}

fn state(word: &str) -> Option<State> {
    Some(match word {
        "0" | "pending" | "等待中" | "等待" => State::Waiting,
        "5" | "queue" | "队列中" => State::Queued,
        "2" | "finished" | "已完成" | "已写入" => State::Written,
        "3" | "error" | "错误的" | "失败" => State::Failed,
        "存疑" => State::InDoubt,
        other => return State::parse(other).filter(|s| !matches!(s, State::Filtered | State::Rejected)),
    })
}

fn states(v: &Value) -> Result<Vec<State>, Problem> {
    let words: Vec<String> = match v {
        Value::Array(list) => list.iter().map(Value::in_text).collect(),
        other => other.in_text().split(',').map(str::to_owned).collect(),
    };
    let mut out = Vec::new();
    for word in words.iter().map(|w| w.trim()).filter(|w| !w.is_empty()) {
        let Some(s) = state(word) else {
            let word = word.to_owned();
            return Err(bad(
                "request.status",
                text!("`{word}` is no state of a stored record", "`{word}` 不是已保存数据的状态"),
            )
            .hint(text!(
                "known are waiting (0), queued (5), written (2), failed (3), in_doubt",
                "可用的有 waiting(0)、queued(5)、written(2)、failed(3)、in_doubt"
            )));
        };
        out.push(s);
    }
    Ok(out)
}

fn time(name: &str, v: &Value, tz: Tz) -> Result<Option<Ts>, Problem> {
    let words = v.in_text();
    if words.trim().is_empty() {
        return Ok(None);
    }
    Ts::parse(words.trim(), tz).map(Some).map_err(|t| {
        bad(&format!("request.{name}"), t).hint(text!(
            "write unix seconds, such as {{LAST_SYNC_TIME}}",
            "请写 unix 秒,例如 {{LAST_SYNC_TIME}}"
        ))
    })
}

/// An object, or its JSON text.
fn object(v: &Value) -> Option<Value> {
    match v {
        Value::Object(_) => Some(v.clone()),
        Value::String(s) if s.trim_start().starts_with('{') => {
            Value::parse(s.as_bytes()).ok().filter(|v| v.as_object().is_some())
        }
        _ => None,
    }
}

fn filter(path: &str, v: &Value) -> Result<Filter, Problem> {
    Filter::compile(v).map_err(|t| bad(path, t))
}

impl Query {
    /// Reads the parameters as they are for a window; `found` takes what is only doubtful.
    pub fn read(
        api: Api,
        meta: &Metadata,
        request: &Request,
        window: Window,
        tz: Tz,
        found: &mut Vec<Problem>,
    ) -> Result<Query, Problem> {
        let ctx = Context::new(window.from.secs(), window.to.secs(), tz);
        let rendered = request
            .render(&ctx, None)
            .map_err(|e| Problem::error(&e.code, e.path.clone(), e.message.clone()))?;
        let mut out = Query {
            plan: plan_of(meta, api).ok_or_else(no_plan)?,
            by: StoredBy::Arrival,
            states: Vec::new(),
            from: None,
            to: None,
            record: Vec::new(),
            content: Vec::new(),
            holds: Vec::new(),
        };
        for (name, v) in rendered.request.iter().chain(rendered.other.iter()) {
            out.parameter(name, v, tz, found)?;
        }
        if !out.states.is_empty() && out.from.is_some() {
            if out.states != [State::Written] {
                return Err(bad(
                    "request.status",
                    text!(
                        "records come into this state later than they arrive: a window over arrival times would pass by some of them",
                        "数据进入该状态晚于到达:按到达时间的窗口会漏掉其中一部分"
                    ),
                )
                .hint(text!(
                    "ask for `written` alone (its window is over the time of writing), or leave `begin_at` away and read them all each time",
                    "请只查询 `written`(窗口按写入时间),或去掉 `begin_at` 每次全部读取"
                )));
            }
            out.by = StoredBy::Writing;
        }
        Ok(out)
    }

    fn parameter(&mut self, name: &str, v: &Value, tz: Tz, found: &mut Vec<Problem>) -> Result<(), Problem> {
        let at = format!("request.{name}");
        match name {
            "begin_at" => self.from = time(name, v, tz)?,
            "end_at" => self.to = time(name, v, tz)?,
            "status" | "state" => self.states = states(v)?,
            "condition" | "where" => match object(v) {
                Some(v) => self.record.push(filter(&at, &v)?),
                None if v.in_text().trim().is_empty() => {}
                None => {
                    return Err(bad(
                        &at,
                        text!("a condition is an object of Mongo operators", "条件应为 Mongo 操作符的对象"),
                    )
                    .hint(text!(
                        "such as {{\"content.shop_id\":{{\"$eq\":\"10\"}}}}",
                        "例如 {{\"content.shop_id\":{{\"$eq\":\"10\"}}}}"
                    )));
                }
            },
            _ if SCHEME.contains(&name) || IGNORED.contains(&name) => {}
            _ => {
                if let Some(field) = name.strip_prefix("CONTENT_") {
                    match object(v) {
                        Some(v) => {
                            let one: Map = [(field.to_owned(), v)].into_iter().collect();
                            self.content.push(filter(&at, &Value::Object(one))?);
                        }
                        None if v.in_text().is_empty() => {}
                        None => self.holds.push((Path::new(field), v.in_text())),
                    }
                } else if let Some((field, op)) = bracketed(name) {
                    let test: Map = [(op.to_owned(), v.clone())].into_iter().collect();
                    let one: Map = [(field.to_owned(), Value::Object(test))].into_iter().collect();
                    self.record.push(filter(&at, &Value::Object(one))?);
                } else {
                    let (name, known) = (name.to_owned(), KNOWN.join(", "));
                    let near = nearest(&name, KNOWN.iter().copied());
                    let hint = match near {
                        Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
                        None => text!("known are {known}", "可用的有 {known}"),
                    };
                    let said = text!(
                        "this ledger's query has no parameter `{name}`: it changes nothing",
                        "本台账的查询没有参数 `{name}`,该参数不起作用"
                    );
                    found.push(Problem::warning("HL-1093", &at, said).hint(hint));
                }
            }
        }
        Ok(())
    }

    /// True when the record satisfies every condition.
    pub fn wants(&self, row: &StoredRow) -> bool {
        if self.record.is_empty() && self.content.is_empty() && self.holds.is_empty() {
            return true;
        }
        let Ok(content) = Value::parse(&row.content) else { return false };
        let holds = |(path, words): &(Path, String)| match path.get(&content) {
            Some(Value::Array(list)) => list.iter().any(|v| v.in_text().contains(words.as_str())),
            Some(Value::Null) | None => false,
            Some(v) => v.in_text().contains(words.as_str()),
        };
        if !self.holds.iter().all(holds) || !self.content.iter().all(|f| f.matches(&content)) {
            return false;
        }
        if self.record.is_empty() {
            return true;
        }
        let mut map = Map::new();
        map.insert("id", Value::from(row.id.as_str()));
        map.insert("number", row.number.as_deref().map_or(Value::Null, Value::from));
        map.insert("status", Value::from(row.state.word()));
        map.insert("content", content);
        let whole = Value::Object(map);
        self.record.iter().all(|f| f.matches(&whole))
    }
}

/// `condition[content.F][$op]`, as the vendor's first version names them.
fn bracketed(name: &str) -> Option<(&str, &str)> {
    let inner = name.strip_prefix("condition[")?.strip_suffix(']')?;
    inner.split_once("][")
}

/// A problem of the document as the failure of a run.
pub(super) fn failure(p: Problem) -> Failure {
    Failure { hint: p.hint, ..Failure::config(&p.code, p.message).at(format!("source.metadata.{}", p.path)) }
}
