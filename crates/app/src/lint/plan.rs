//! Findings about the plan as a whole, and about its statement.

use std::collections::HashMap;

use heliu_connect::heliu::Plans;
use heliu_engine::circle;
use heliu_model::codes::lint as say;
use heliu_model::record::OnChange;
use heliu_model::schedule::Schedule;
use heliu_model::{Problem, text};
use heliu_transform::writeback::{receiving_plan, without_effect};
use heliu_transform::{Metadata, Value, nearest};

use super::{Known, walk};
use crate::plans::ProjectPlans;
use crate::project::Project;
use crate::wire::Loaded;

/// Whom the target's `callBackStrategy` names (dialect §6.8).
fn passed_on(l: &Loaded, known: &Known, out: &mut Vec<Problem>) {
    let Some(named) = receiving_plan(&l.target_meta) else { return };
    let at = "target.metadata.callBackStrategy.strategyId";
    if named == l.name || named.eq_ignore_ascii_case(&l.plan.id) {
        out.push(
            say::NOT_RECEIVED
                .at(at, text!("the plan would pass on to itself", "方案会将数据回写给自身"))
                .hint(text!("name the other plan", "请填写另一个方案")),
        );
        return;
    }
    let named = named.to_owned();
    match ProjectPlans::new(known.project.clone()).receiver(&named) {
        Some(receiver) if receiver.callback => {}
        Some(receiver) => {
            let name = receiver.name;
            let said = text!(
                "plan `{name}` does not receive: its source is not the `callback` interface of this ledger",
                "方案 `{name}` 不能接收数据:其来源不是本台账的 `callback` 接口"
            );
            out.push(say::NOT_RECEIVED.at(at, said));
        }
        None => {
            let ids = (known.ids)();
            let said = text!("no plan has the id or name `{named}`", "没有 id 或名称为 `{named}` 的方案");
            let problem = say::NOT_RECEIVED.at(at, said);
            out.push(match nearest(&named, ids.iter().chain(known.plans).map(String::as_str)) {
                Some(near) => problem.hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
                None => problem,
            });
        }
    }
}

/// Keys of a target that mean something on the vendor's platform and nothing here, and what stands for them.
const IDLE: &[(&str, &str, &str)] = &[
    (
        "distributionOrg",
        "allocate what was saved by a second plan: Kingdee's `allocate` takes `PkIds` and `TOrgIds`",
        "请由另一个方案分配已保存的数据:金蝶的 `allocate` 接口使用 `PkIds` 与 `TOrgIds`",
    ),
    (
        "autoCheck",
        "set `IsAutoSubmitAndAudit` in otherRequest, or let a second plan approve what was saved",
        "请在 otherRequest 中设置 `IsAutoSubmitAndAudit`,或由另一个方案审核已保存的单据",
    ),
    ("isUploadFile", FILES.0, FILES.1),
    ("uploadAttachment", FILES.0, FILES.1),
    ("DownloadAttachment", FILES.0, FILES.1),
    (
        "needQuery",
        "the receiving plan gets the members named here: let it look the document up, or read it by this id",
        "接收方案得到此处列出的字段:请在接收方案中联查,或按此 id 查询单据",
    ),
    (
        "propagateError",
        "what becomes of the record passed on never changes the one that was written; the run says it in `problems`",
        "回写传递的结果不会改变已写入的数据;运行的 `problems` 中会说明",
    ),
    (
        "onFailure",
        "what becomes of the record passed on never changes the one that was written; the run says it in `problems`",
        "回写传递的结果不会改变已写入的数据;运行的 `problems` 中会说明",
    ),
    (
        "idempotent",
        "the receiving plan knows by its own `id` what it has: the same object again changes nothing there",
        "接收方案按自身的 `id` 判断:相同的数据再次到达不会有变化",
    ),
];

const FILES: (&str, &str) = (
    "files are not carried over; the fields that name them are, as values",
    "附件文件不会传输;仅传递附件字段的值",
);

/// Keys that change nothing, and `_response` where it cannot say what its author meant.
fn idle(l: &Loaded, out: &mut Vec<Problem>) {
    let flag = |v: Option<&Value>| v.is_some_and(|v| !matches!(v.in_text().trim(), "" | "false" | "0"));
    for (side, meta) in [("source", &l.source_meta), ("target", &l.target_meta)] {
        let doc = meta.raw.as_object();
        let keys = IDLE.iter().map(|(key, ..)| *key);
        let top = keys
            .filter(|key| flag(doc.and_then(|d| d.get(key))))
            .map(|key| (format!("{side}.metadata.{key}"), key));
        let back =
            without_effect(meta).iter().map(|key| (format!("{side}.metadata.callBackStrategy.{key}"), *key));
        for (at, key) in top.chain(back) {
            let Some((_, en, zh)) = IDLE.iter().find(|(name, ..)| *name == key) else { continue };
            let found = text!("`{key}` is kept and changes nothing", "`{key}` 会保留,但不起作用");
            out.push(say::WITHOUT_EFFECT.at(at, found).hint(text!("{en}", "{zh}")));
        }
    }
    let mut texts = Vec::new();
    for key in ["response", "callBackStrategy"] {
        if let Some(v) = l.target_meta.raw.as_object().and_then(|d| d.get(key)) {
            walk::texts(v, &format!("target.metadata.{key}"), &mut texts);
        }
    }
    let name = &l.name;
    for (at, s) in texts {
        let Some(spot) = s.find("{{_response").or_else(|| s.find("{{ _response")) else { continue };
        let (found, hint) = if at.contains("callBackStrategy") {
            (
                text!("`_response` is nothing here", "此处没有 `_response`"),
                text!(
                    "keep it in `primaryWriteback`, and name `{{{{primaryWriteback.…}}}}` here",
                    "请在 `primaryWriteback` 中保留,并在此引用 `{{{{primaryWriteback.…}}}}`"
                ),
            )
        } else {
            (
                text!(
                    "`_response` is the reply to a record that was written; for a refused one nothing is kept",
                    "`_response` 是写入成功的响应;被拒绝的数据不会保留"
                ),
                text!(
                    "a refused record keeps its reason: `heliu records {name} --state failed`",
                    "被拒绝的数据会保留原因:`heliu records {name} --state failed`"
                ),
            )
        };
        out.push(say::RESPONSE_OF_FAILURES.at(at, found).hint(hint).spot(s, Some(walk::chars(s, spot))));
    }
}

/// Findings about the plan; paths are inside the plan file.
pub fn plan(l: &Loaded, known: &Known, out: &mut Vec<Problem>) {
    if let Some(after) = &l.plan.after
        && !known.project.has_plan(after)
    {
        let problem =
            say::UNKNOWN_AFTER.at("after", text!("there is no plan `{after}`", "没有方案 `{after}`"));
        out.push(match nearest(after, known.plans.iter().map(String::as_str)) {
            Some(near) => problem.hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
            None => problem,
        });
    }
    in_a_circle(l, known.project, out);
    remedy(l, out);
    statement(l, out);
    passed_on(l, known, out);
    idle(l, out);
    if l.plan.on_change == OnChange::Update
        && !l.source_meta.id_check
        && l.source_meta.raw.get_path("idCheck").is_some()
    {
        out.push(
            say::REWRITES_ALL
                .at(
                    "source.metadata.idCheck",
                    text!(
                        "`idCheck` is false: every record is written again by every run, changed or not",
                        "`idCheck` 为 false:每次运行都会重写所有数据,无论是否变化"
                    ),
                )
                .hint(text!("set it to true unless that is wanted", "如非有意,请设为 true")),
        );
    }
    if l.plan.on_change == OnChange::Ignore && l.source_meta.uses_window() {
        out.push(
            say::UPDATES_IGNORED
                .at(
                    "onChange",
                    text!(
                        "the source is read by modification time, but `onChange` is \"ignore\": updates are read and thrown away",
                        "来源按修改时间读取,而 `onChange` 为 \"ignore\":更新会被读取后丢弃"
                    ),
                )
                .hint(text!(
                    "use `\"update\"` to have changed records written again",
                    "如需更新已写入的数据,请用 `\"update\"`"
                )),
        );
    }
}

const MAIN_SQL: &str = "target.metadata.otherRequest.main_sql";

fn statement(l: &Loaded, out: &mut Vec<Problem>) {
    let Some(sql) = l.target_meta.other_value("main_sql").and_then(Value::as_str) else { return };
    if !l.target_meta.api.eq_ignore_ascii_case("batchexecute") {
        return;
    }
    let words = sql.to_ascii_uppercase();
    let words: Vec<&str> =
        words.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    let plain = words.first() == Some(&"INSERT")
        && words.get(1) != Some(&"IGNORE")
        && words.get(1) != Some(&"OR")
        && !words.windows(3).any(|w| w == ["ON", "DUPLICATE", "KEY"])
        && !words.windows(2).any(|w| w == ["ON", "CONFLICT"]);
    if plain && l.plan.on_change == OnChange::Update {
        out.push(
            say::PLAIN_INSERT
                .at(
                    MAIN_SQL,
                    text!(
                        "a plain INSERT with `onChange: \"update\"`: a changed record meets its own row and fails",
                        "普通 INSERT 且 `onChange` 为 \"update\":数据变化后会与已有的行冲突而失败"
                    ),
                )
                .hint(text!(
                    "use REPLACE or INSERT … ON DUPLICATE KEY UPDATE over a unique key, or `onChange: \"ignore\"`",
                    "请在唯一键上使用 REPLACE 或 INSERT … ON DUPLICATE KEY UPDATE,或设 `onChange: \"ignore\"`"
                )),
        );
    }
    column_order(&l.target_meta, sql, out);
}

/// Columns named like the fields, but at other places.
fn column_order(meta: &Metadata, sql: &str, out: &mut Vec<Problem>) {
    let Some((_, rest)) = sql.split_once('(') else { return };
    let Some((list, _)) = rest.split_once(')') else { return };
    let columns: Vec<String> =
        list.split(',').map(|c| c.trim().trim_matches(['`', '"', '[', ']']).to_lowercase()).collect();
    let fields: Vec<String> = meta.request.iter().map(|i| i.field.to_lowercase()).collect();
    let mut sorted = (columns.clone(), fields.clone());
    sorted.0.sort();
    sorted.1.sort();
    if columns == fields || sorted.0 != sorted.1 {
        return;
    }
    let Some((n, (column, field))) = columns.iter().zip(&fields).enumerate().find(|(_, (c, f))| c != f)
    else {
        return;
    };
    let place = n + 1;
    out.push(
        say::COLUMN_ORDER
            .at(
                MAIN_SQL,
                text!(
                    "column {place} is `{column}`, field {place} is `{field}`: the value of `{field}` goes into `{column}`",
                    "第 {place} 列为 `{column}`,第 {place} 个字段为 `{field}`:`{field}` 的值会写入 `{column}`"
                ),
            )
            .hint(text!("put the fields in the order of the columns", "请按列的顺序排列字段")),
    );
}

/// Plans that trigger each other would run for ever: the service chains none of them.
fn in_a_circle(l: &Loaded, project: &Project, out: &mut Vec<Problem>) {
    let mut after: HashMap<String, String> = HashMap::new();
    let (mut at, mut next) = (l.name.clone(), l.plan.after.clone());
    while let Some(before) = next {
        next = if after.contains_key(&before) {
            None
        } else {
            project.plan(&before).ok().and_then(|read| read.value.after)
        };
        after.insert(at, before.clone());
        at = before;
    }
    if let Some(way) = circle(&l.name, &after) {
        let way = way.join(" → ");
        out.push(
            say::CIRCLE
                .at("after", text!("plans trigger each other in a circle: {way}", "方案之间循环触发:{way}"))
                .hint(text!(
                    "remove `after` from one of them and give it a `schedule`",
                    "请从其中一个方案删除 `after`,并为其设置 `schedule`"
                )),
        );
    }
}

/// The gap scan's own crontab (dialect §5.6).
fn remedy(l: &Loaded, out: &mut Vec<Problem>) {
    let Some(remedy) = &l.source_meta.omission_remedy else { return };
    if let Err(t) = Schedule::parse(&remedy.crontab) {
        out.push(
            Problem::error("HL-1009", "source.metadata.omissionRemedy.crontab", t)
                .hint(text!("write five fields, such as `2 */2 * * *`", "请使用五段式,例如 `2 */2 * * *`")),
        );
    }
}
