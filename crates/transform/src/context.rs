//! What an evaluation knows: the window, the page, the record, the rows bound around it, and lookups.

use std::borrow::Cow;

use chrono::{Datelike, TimeZone};
use chrono_tz::Tz;

use crate::path::{self, Path};
use crate::steps::Trace;
use crate::value::Near;
use crate::{Number, Text, Value};

/// Variables of an evaluation (dialect §3.3). Times are unix **seconds**.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// LAST_SYNC_TIME: the window's begin.
    pub last_sync: i64,
    /// CURRENT_TIME: the window's end, the same for all pages of a run.
    pub current: i64,
    /// Number of the page being fetched, as the platform counts.
    pub page: i64,
    /// Rows per page.
    pub page_size: i64,
    /// 0-based offset of the page.
    pub start_row: i64,
    /// Last seen auto-increment id, or the cursor of the reply before.
    pub last_id: Option<&'a str>,
    /// Zone of rendered times.
    pub tz: Tz,
    /// A `_function` that cannot be evaluated is an error; otherwise its text stays, with a warning.
    pub strict: bool,
    /// Records of other plans.
    pub lookups: Option<&'a dyn Lookup>,
    /// Gathers how each field came about.
    pub trace: Option<&'a Trace>,
}

impl Context<'_> {
    /// A context for a window, on its first page.
    pub fn new(last_sync: i64, current: i64, tz: Tz) -> Self {
        Context {
            last_sync,
            current,
            page: 1,
            page_size: 100,
            start_row: 0,
            last_id: None,
            tz,
            strict: true,
            lookups: None,
            trace: None,
        }
    }
}

/// Finds values in the records of other plans (dialect §3.9, §3.10).
pub trait Lookup: Send + Sync {
    /// The value of `field` in the newest record of plan `scheme` whose content satisfies all `conditions`
    /// (dotted path, wanted value); `Ok(None)` when there is none.
    ///
    /// # Errors
    /// The plan is unknown, or the store cannot be read.
    fn find(&self, scheme: &str, field: &str, conditions: &[(String, Value)]) -> Result<Option<Value>, Text>;

    /// The value of `field` in the newest record that a Mongo filter matches.
    ///
    /// # Errors
    /// The plan is unknown, the filter is wrong, or the store cannot be read.
    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text>;

    /// Asked behind an error: false when no plan `scheme` has records here. A lookup then finds nothing, with the
    /// error's sentence as a warning (rule L14); any other error is one.
    fn knows(&self, scheme: &str) -> bool {
        let _ = scheme;
        true
    }

    /// The value that stands for `value` in a static map of the project (`mapping`), read backwards if `reverse`;
    /// `Ok(None)` when the map does not hold it.
    ///
    /// # Errors
    /// The map is unknown, or cannot be read.
    fn exchange(&self, map: &str, value: &Value, reverse: bool) -> Result<Option<Value>, Text> {
        let _ = (value, reverse);
        Err(crate::text!("the value map `{map}` is unknown", "映射表 `{map}` 不存在"))
    }
}

/// Built-in variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    LastSync,
    Current,
    DaysAgo(i64),
    HoursAgo(i64),
    MinutesAgo(i64),
    MonthFirstDay,
    Page,
    PageSize,
    StartRow,
    LastId,
}

impl Builtin {
    /// The built-in of a name, and whether the name is only an alias that a field of the record beats.
    pub fn of(name: &str) -> Option<(Builtin, bool)> {
        let exact = match name {
            "LAST_SYNC_TIME" => Builtin::LastSync,
            "CURRENT_TIME" => Builtin::Current,
            "PAGINATION_START_PAGE" => Builtin::Page,
            "PAGINATION_PAGE_SIZE" => Builtin::PageSize,
            "PAGINATION_START_ROW" => Builtin::StartRow,
            "LAST_ID" => Builtin::LastId,
            "MONTH_FIRST_DAY" => Builtin::MonthFirstDay,
            _ => {
                let ago = |p: &str| {
                    name.strip_prefix(p)
                        .and_then(|n| n.parse::<i64>().ok())
                        .filter(|n| (0..=100_000).contains(n))
                };
                if let Some(n) = ago("DAYS_AGO_") {
                    Builtin::DaysAgo(n)
                } else if let Some(n) = ago("HOURS_AGO_").or_else(|| ago("HOUR_AGO_")) {
                    Builtin::HoursAgo(n)
                } else if let Some(n) = ago("MINUTES_AGO_").or_else(|| ago("MINUTE_AGO_")) {
                    Builtin::MinutesAgo(n)
                } else {
                    let alias = match name {
                        "lastSyncTime" | "lastExecuteTime" | "$lastExecuteTime" => Builtin::LastSync,
                        "currentTime" | "$now" | "startTime" => Builtin::Current,
                        "PAGE_NO" | "$pageNumber" => Builtin::Page,
                        "PAGE_SIZE" => Builtin::PageSize,
                        "$lastMaxId" | "$cursor" => Builtin::LastId,
                        _ => return None,
                    };
                    return Some((alias, true));
                }
            }
        };
        Some((exact, false))
    }

    /// The variable whose name a name in capitals nearly is.
    pub fn near(name: &str) -> Option<&'static str> {
        let shape = name.contains('_')
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let near = |known: &&'static str| strsim::damerau_levenshtein(known, name) <= 2;
        if !shape {
            return None;
        }
        [
            "LAST_SYNC_TIME",
            "CURRENT_TIME",
            "PAGINATION_START_PAGE",
            "PAGINATION_PAGE_SIZE",
            "PAGINATION_START_ROW",
            "DAYS_AGO_1",
        ]
        .into_iter()
        .find(near)
    }

    /// The variable's value.
    pub fn value(self, ctx: &Context) -> Value {
        let n = match self {
            Builtin::LastSync => ctx.last_sync,
            Builtin::Current => ctx.current,
            Builtin::DaysAgo(n) => ctx.current - n * 86_400,
            Builtin::HoursAgo(n) => ctx.current - n * 3_600,
            Builtin::MinutesAgo(n) => ctx.current - n * 60,
            Builtin::Page => ctx.page,
            Builtin::PageSize => ctx.page_size,
            Builtin::StartRow => ctx.start_row,
            Builtin::LastId => return ctx.last_id.map_or(Value::Null, Value::from),
            Builtin::MonthFirstDay => {
                let first = chrono::DateTime::from_timestamp(ctx.current, 0)
                    .map(|t| t.with_timezone(&ctx.tz).date_naive())
                    .and_then(|d| d.with_day(1))
                    .and_then(|d| d.and_hms_opt(0, 0, 0))
                    .and_then(|t| ctx.tz.from_local_datetime(&t).earliest());
                first.map_or(ctx.current, |t| t.timestamp())
            }
        };
        Value::Number(Number::from_i64(n))
    }
}

/// A row bound to the name of its array, inside containers (dialect §3.5).
#[derive(Clone)]
struct Frame<'a> {
    name: Cow<'a, Path>,
    row: &'a Value,
}

/// The record and the rows bound around an expression.
#[derive(Clone, Default)]
pub struct Scope<'a> {
    record: Option<&'a Value>,
    frames: Vec<Frame<'a>>,
}

impl<'a> Scope<'a> {
    /// A scope over a record, or over built-ins only.
    pub fn new(record: Option<&'a Value>) -> Self {
        Scope { record, frames: Vec::new() }
    }

    /// The same scope inside a row of the array `name` (a full dotted path).
    #[must_use]
    pub fn inside(&self, name: &str, row: &'a Value) -> Self {
        self.within(Cow::Owned(Path::new(name)), row)
    }

    /// The same scope inside a row.
    pub(crate) fn within(&self, name: Cow<'a, Path>, row: &'a Value) -> Self {
        let mut frames = Vec::with_capacity(self.frames.len() + 1);
        frames.extend(self.frames.iter().cloned());
        frames.push(Frame { name, row });
        Scope { record: self.record, frames }
    }

    /// Goes on to another row of the innermost array, which is bound under so many names.
    pub(crate) fn move_to(&mut self, row: &'a Value, names: usize) {
        for frame in self.frames.iter_mut().rev().take(names) {
            frame.row = row;
        }
    }

    /// True when neither a bound row's name nor the record leads to the path, only a member of the current row (C5).
    pub(crate) fn only_in_row(&self, path: &Path) -> bool {
        self.frames.iter().all(|f| path.behind(&f.name).is_none())
            && self.record.and_then(|r| path::find(r, path)).is_none()
    }

    /// Resolves a path: the bound row by its array's name (C3), then the header (C4), then the current row (C5).
    pub(crate) fn find(&self, path: &Path) -> Option<Cow<'a, Value>> {
        for frame in self.frames.iter().rev() {
            if let Some(rest) = path.behind(&frame.name) {
                if rest.is_empty() {
                    return Some(Cow::Borrowed(frame.row));
                }
                return path::find_segs(frame.row, rest);
            }
        }
        if let Some(v) = self.record.and_then(|r| path::find(r, path)) {
            return Some(v);
        }
        self.frames.iter().rev().find_map(|f| path::find(f.row, path))
    }

    /// As [`Scope::find`], looking first where the member stood the last time.
    pub(crate) fn find_near(&self, path: &Path, near: &Near) -> Option<Cow<'a, Value>> {
        let member = |of: &'a Value, segs: &[String]| match (of, segs) {
            (Value::Object(map), [name]) => Some(map.get_near(name, near).map(Cow::Borrowed)),
            _ => None,
        };
        let found = match self.frames.as_slice() {
            [] => self.record.and_then(|r| member(r, path.segs())),
            [.., last] => path.behind(&last.name).and_then(|rest| member(last.row, rest)),
        };
        // Outside of rows a name that the record does not have is nowhere.
        found.unwrap_or_else(|| self.find(path))
    }

    /// As [`Scope::find`], owned.
    pub(crate) fn resolve(&self, path: &Path) -> Option<Value> {
        self.find(path).map(Cow::into_owned)
    }

    /// Finds a path over the whole record, rows bound or not (aggregates, rule Fn7).
    pub(crate) fn find_all(&self, path: &Path) -> Option<Cow<'a, Value>> {
        self.record.and_then(|r| path::find(r, path)).or_else(|| self.find(path))
    }
}
