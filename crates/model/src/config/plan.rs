//! `plans/<name>.json` (interface §2.2).

use chrono_tz::Tz;
use serde_json::Value;

use super::fields::Fields;
use crate::record::{OnChange, Policy};
use crate::schedule::{Missed, Schedule};
use crate::walk::Verify;
use crate::{Problem, text};

/// One side of a plan.
#[derive(Debug, Clone, Default)]
pub struct SideFile {
    /// Connector's file stem.
    pub connector: String,
    /// Metadata, verbatim.
    pub metadata: Value,
}

/// A plan file with its defaults filled in.
#[derive(Debug, Clone)]
pub struct PlanFile {
    /// The plan's id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// When the source side runs.
    pub schedule: Option<Schedule>,
    /// When the target side runs; follows the source without one.
    pub target_schedule: Option<Schedule>,
    /// First LAST_SYNC_TIME as written; it is read in the plan's zone.
    pub start: Option<String>,
    /// Milliseconds.
    pub lookback_ms: i64,
    /// Milliseconds.
    pub settle_ms: i64,
    /// Milliseconds.
    pub window_ms: Option<i64>,
    /// Rows of a statement at most.
    pub batch: usize,
    /// Repetitions inside a run.
    pub retries: u32,
    /// Runs that may try a record.
    pub max_attempts: u32,
    /// What changed content means.
    pub on_change: OnChange,
    /// Paths left out of the content hash.
    pub hash_ignore: Vec<String>,
    /// How a walk is proved.
    pub verify: Verify,
    /// Zone; the source connector's by default.
    pub timezone: Option<Tz>,
    /// The scheduler runs it.
    pub enabled: bool,
    /// Missed ticks.
    pub missed: Missed,
    /// Plan that triggers this one.
    pub after: Option<String>,
    /// Higher goes first.
    pub priority: i64,
    /// Milliseconds.
    pub jitter_ms: i64,
    /// Reads.
    pub source: SideFile,
    /// Writes.
    pub target: SideFile,
}

const KNOWN: &[&str] = &[
    "id",
    "name",
    "schedule",
    "task",
    "targetSchedule",
    "start",
    "lookback",
    "settle",
    "source",
    "target",
    "batchSize",
    "retries",
    "maxAttempts",
    "onChange",
    "hashIgnore",
    "verify",
    "timezone",
    "enabled",
    "missed",
    "after",
    "priority",
    "jitter",
    "window",
    "$schema",
    "description",
];

/// Namespace of ids that are derived from file names.
const NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(0x6865_6c69_7500_5000_8000_0070_6c61_6e73);

impl PlanFile {
    /// The id of a plan whose file gives none.
    pub fn derived_id(stem: &str) -> String {
        uuid::Uuid::new_v5(&NAMESPACE, stem.as_bytes()).to_string()
    }

    /// Reads a tree. `stem` is the file's name without extension.
    pub fn read(tree: &Value, stem: &str) -> (PlanFile, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut out = PlanFile {
            id: PlanFile::derived_id(stem),
            name: stem.to_owned(),
            schedule: None,
            target_schedule: None,
            start: None,
            lookback_ms: 600_000,
            settle_ms: 0,
            window_ms: None,
            batch: 1000,
            retries: 3,
            max_attempts: 10,
            on_change: OnChange::Update,
            hash_ignore: Vec::new(),
            verify: Verify::Auto,
            timezone: None,
            enabled: true,
            missed: Missed::Once,
            after: None,
            priority: 0,
            jitter_ms: 0,
            source: SideFile::default(),
            target: SideFile::default(),
        };
        let Some(map) = tree.as_object() else {
            problems.push(Problem::error("HL-1004", "", text!("a plan is an object", "方案应为对象")));
            return (out, problems);
        };
        let mut f = Fields::new(map, "", &mut problems);
        f.only(KNOWN);
        out.id = f.text("id").filter(|s| !s.is_empty()).unwrap_or(out.id);
        out.name = f.text("name").filter(|s| !s.is_empty()).unwrap_or(out.name);
        out.timezone = f.zone("timezone");
        for (key, slot) in [("schedule", 0), ("targetSchedule", 1)] {
            let Some(v) = f.raw(key) else { continue };
            match Schedule::read(v) {
                Ok((s, retries)) => {
                    if let Some(r) = retries {
                        out.retries = r;
                    }
                    if slot == 0 { out.schedule = s } else { out.target_schedule = s }
                }
                Err(t) => {
                    let at = f.at(key);
                    f.problems.push(Problem::error("HL-1009", at, t).hint(text!(
                        "write Quartz (`0 */5 * * * ?`), five fields (`*/5 * * * *`) or `every 5m`",
                        "请使用 Quartz(`0 */5 * * * ?`)、五段式(`*/5 * * * *`)或 `every 5m`"
                    )));
                }
            }
        }
        // The published form: `task` beside `schedule`, with the name of the task and its retries.
        if let Some(task) = f.object("task") {
            let mut t = Fields::new(task, "task", f.problems);
            out.retries = t.number("retries", 0, 100).map_or(out.retries, |n| n as u32);
        }
        out.start = f.text("start").filter(|s| !s.trim().is_empty());
        if let Some(start) = &out.start
            && let Err(t) = crate::Ts::parse(start, chrono_tz::UTC)
        {
            f.problems.push(Problem::error("HL-1010", "start", t));
        }
        out.lookback_ms = f.duration("lookback").unwrap_or(out.lookback_ms);
        out.settle_ms = f.duration("settle").unwrap_or(out.settle_ms);
        out.window_ms = f.duration("window");
        if out.window_ms == Some(0) {
            f.problems.push(Problem::error(
                "HL-1005",
                "window",
                text!("a window cannot be empty", "窗口长度不能为 0"),
            ));
        }
        out.jitter_ms = f.duration("jitter").unwrap_or(0);
        out.batch = f.number("batchSize", 1, 100_000).map_or(out.batch, |n| n as usize);
        out.retries = f.number("retries", 0, 100).map_or(out.retries, |n| n as u32);
        out.max_attempts = f.number("maxAttempts", 1, 1_000_000).map_or(out.max_attempts, |n| n as u32);
        if f.choice("onChange", &["update", "ignore"]).as_deref() == Some("ignore") {
            out.on_change = OnChange::Ignore;
        }
        if f.choice("verify", &["auto", "off"]).as_deref() == Some("off") {
            out.verify = Verify::Off;
        }
        match f.choice("missed", &["once", "all", "skip"]).as_deref() {
            Some("all") => out.missed = Missed::All,
            Some("skip") => out.missed = Missed::Skip,
            _ => {}
        }
        out.enabled = f.flag("enabled").unwrap_or(true);
        out.after = f.text("after").filter(|s| !s.is_empty());
        if let Some(v) = f.raw("priority") {
            match v.as_i64() {
                Some(n) => out.priority = n,
                None => f.problems.push(Problem::error(
                    "HL-1004",
                    "priority",
                    text!("`priority` must be a whole number", "`priority` 应为整数"),
                )),
            }
        }
        if let Some(v) = f.raw("hashIgnore") {
            match v
                .as_array()
                .map(|a| a.iter().map(|x| x.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>())
            {
                Some(Some(list)) => out.hash_ignore = list,
                _ => f.problems.push(Problem::error(
                    "HL-1004",
                    "hashIgnore",
                    text!("`hashIgnore` must be a list of paths", "`hashIgnore` 应为路径列表"),
                )),
            }
        }
        for (key, slot) in [("source", 0), ("target", 1)] {
            let Some(side) = f.object(key) else {
                if f.raw(key).is_none() {
                    f.missing(
                        key,
                        text!("give `connector` and `metadata`", "请填写 `connector` 与 `metadata`"),
                    );
                }
                continue;
            };
            let mut s = Fields::new(side, key, f.problems);
            s.only(&["connector", "metadata"]);
            let connector = s.text("connector").unwrap_or_default();
            if connector.is_empty() && s.raw("connector").is_none() {
                s.missing(
                    "connector",
                    text!(
                        "name a file in connectors/ without its ending",
                        "请填写 connectors/ 中的文件名(不含扩展名)"
                    ),
                );
            }
            let metadata = match s.object("metadata") {
                Some(m) => Value::Object(m.clone()),
                None => {
                    if s.raw("metadata").is_none() {
                        s.missing("metadata", text!("paste the metadata of this side", "请粘贴该侧的元数据"));
                    }
                    Value::Null
                }
            };
            let read = SideFile { connector, metadata };
            if slot == 0 { out.source = read } else { out.target = read }
        }
        (out, problems)
    }

    /// How known ids are treated: `idCheck: false` in the source's metadata writes unchanged content again.
    pub fn policy(&self, id_check: bool) -> Policy {
        Policy { on_change: self.on_change, rewrite_unchanged: !id_check }
    }
}
