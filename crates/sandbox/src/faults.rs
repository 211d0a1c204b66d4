//! Faults on purpose: which, and at which calls.

use heliu_transform::text;

use crate::error::SandboxError;
use crate::rng::Rng;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// HTTP 500 with the platform's own error envelope.
    Http500,
    /// HTTP 502 with an HTML page.
    Http502,
    /// HTTP 503 with `Retry-After: 1`.
    Http503,
    /// HTTP 504 with an HTML page, after the call has taken effect.
    Http504,
    /// HTTP 429 with `Retry-After: 1`.
    Http429,
    /// HTTP 200 with an HTML page.
    Html,
    /// HTTP 200 with an empty body.
    Empty,
    /// HTTP 200 with business error −1 (busy).
    Error,
    /// HTTP 200 with the given business code.
    Code(i64),
    /// The first byte comes late.
    Slow,
    /// No answer ever.
    Hang,
    /// The connection is reset before the call takes effect.
    ResetBefore,
    /// The connection is reset after the call has taken effect.
    ResetAfter,
    /// The body ends in the middle.
    Cut,
    /// The body is compressed for clients that accept it.
    Gzip,
    /// JSON declared as `text/plain`.
    Plain,
    /// The access token expires at this call.
    TokenExpiry,
    /// This call and the next ones are throttled.
    Storm,
    /// A row of page 1 is touched after page 1 was read.
    Shift,
    /// A row with an older stamp appears after the last page was read.
    Late,
    /// A row comes twice in a page.
    Dup,
    /// The declared total is wrong, now too low, now too high.
    LyingTotal,
    /// The declared total is too low.
    LyingTotalLow,
    /// The declared total is too high.
    LyingTotalHigh,
    /// `has_next` stays true, the last page comes for ever.
    StuckNext,
    /// `has_next` is false though more rows exist.
    FalseNext,
    /// `has_next` is the text "true" or "false".
    StringNext,
    /// `has_next` is 1 or 0.
    IntNext,
    /// Shops come under `shops` instead of `datas`.
    ShopsKey,
    /// Several outbound documents share one order number.
    Collide,
    /// A page size over the maximum is cut down (the default).
    Clamp,
    /// A page size over the maximum is an error.
    Strict,
}

/// When a fault that is named alone happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// At some early call, later at random.
    Mild,
    /// Once, at an early call.
    Once,
    /// At the first chance only.
    First,
    /// Always: rather a mode than an accident.
    Mode,
}

/// Name, fault, habit, and what it does (English, 中文).
type Known = (&'static str, Fault, Habit, &'static str, &'static str);

const KNOWN: &[Known] = &[
    ("500", Fault::Http500, Habit::Mild, "HTTP 500 with the error envelope", "HTTP 500，正文为错误信封"),
    ("502", Fault::Http502, Habit::Mild, "HTTP 502 with HTML", "HTTP 502，正文为 HTML"),
    ("503", Fault::Http503, Habit::Mild, "HTTP 503 with Retry-After", "HTTP 503，带 Retry-After"),
    ("504", Fault::Http504, Habit::Mild, "HTTP 504 with HTML, after the effect", "HTTP 504，请求已生效"),
    ("429", Fault::Http429, Habit::Mild, "HTTP 429 with Retry-After", "HTTP 429，带 Retry-After"),
    ("html", Fault::Html, Habit::Mild, "HTTP 200 with HTML", "HTTP 200，正文为 HTML"),
    ("empty", Fault::Empty, Habit::Mild, "HTTP 200 with an empty body", "HTTP 200，正文为空"),
    ("error", Fault::Error, Habit::Mild, "HTTP 200 with business code -1", "HTTP 200，业务码 -1"),
    ("slow", Fault::Slow, Habit::Mild, "a late first byte", "首字节很慢"),
    ("hang", Fault::Hang, Habit::Once, "no answer ever", "永不应答"),
    (
        "reset-before",
        Fault::ResetBefore,
        Habit::Mild,
        "connection reset before the effect",
        "生效前连接被重置",
    ),
    ("reset-after", Fault::ResetAfter, Habit::Mild, "connection reset after the effect", "生效后连接被重置"),
    ("cut", Fault::Cut, Habit::Mild, "the body ends in the middle", "正文中途断开"),
    ("gzip", Fault::Gzip, Habit::Mode, "compressed replies", "压缩应答"),
    ("plain", Fault::Plain, Habit::Mode, "JSON declared as text/plain", "JSON 声明为 text/plain"),
    ("token-expiry", Fault::TokenExpiry, Habit::Once, "the access token expires", "access_token 中途过期"),
    ("storm", Fault::Storm, Habit::Once, "a storm of throttle answers", "连续限流"),
    ("shift", Fault::Shift, Habit::First, "a row of page 1 moves between pages", "翻页期间首页的行被修改"),
    (
        "late",
        Fault::Late,
        Habit::First,
        "a row with an older stamp appears afterwards",
        "事后出现修改时间较早的行",
    ),
    ("dup", Fault::Dup, Habit::Mild, "a row twice in a page", "一页内有重复行"),
    ("lying-total", Fault::LyingTotal, Habit::Mode, "wrong totals, low and high", "总数错误，时低时高"),
    ("lying-total-low", Fault::LyingTotalLow, Habit::Mode, "totals too low", "总数偏低"),
    ("lying-total-high", Fault::LyingTotalHigh, Habit::Mode, "totals too high", "总数偏高"),
    (
        "stuck-next",
        Fault::StuckNext,
        Habit::Mode,
        "has_next for ever, the last page again and again",
        "has_next 恒为真，末页反复出现",
    ),
    (
        "false-next",
        Fault::FalseNext,
        Habit::Mild,
        "has_next false though more exist",
        "尚有数据而 has_next 为假",
    ),
    ("string-next", Fault::StringNext, Habit::Mode, "has_next as text", "has_next 为文本"),
    ("int-next", Fault::IntNext, Habit::Mode, "has_next as 1 or 0", "has_next 为 1 或 0"),
    ("shops-key", Fault::ShopsKey, Habit::Mode, "shops under `shops`", "店铺列表位于 `shops`"),
    ("collide", Fault::Collide, Habit::Mode, "several io_id share one o_id", "多个 io_id 共用一个 o_id"),
    (
        "clamp",
        Fault::Clamp,
        Habit::Mode,
        "an oversized page is cut down (default)",
        "超限页大小被截断（默认）",
    ),
    ("strict", Fault::Strict, Habit::Mode, "an oversized page is error 130", "超限页大小报 130"),
];

impl Fault {
    /// Its name in a fault list.
    pub fn name(self) -> String {
        match self {
            Fault::Code(code) => format!("code-{code}"),
            other => KNOWN.iter().find(|k| k.1 == other).map(|k| k.0.to_owned()).unwrap_or_default(),
        }
    }
}

/// When a fault happens, counted over the calls where it can happen (per path, if it names one).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// At every such call.
    Always,
    /// With this probability at each.
    Chance(f64),
    /// From the first to the second number, both included, counted from 1.
    Calls(u64, u64),
    /// At that call, later with the probability.
    Mild(u64, f64),
}

/// One entry of a fault list.
#[derive(Debug, Clone, PartialEq)]
struct Spec {
    fault: Fault,
    when: When,
    path: Option<String>,
}

/// A fault list: `500,cut:0.01,reset-after@2=/openWeb/auth/refreshToken`.
///
/// `name` alone happens at an early call and rarely later (modes: always); `name:P` with probability P at each call;
/// `name@N` at the N-th call, `name@N-M` at the N-th to M-th, `name@N-` from the N-th on. `=PATH` at the end restricts
/// it to one path, counting that path's calls only. Without a path only business calls are hit, never token calls.
/// `code-N` answers with business code N.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults(Vec<Spec>);

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Faults::default()
    }

    /// Reads a comma separated list; blanks around names do not matter.
    ///
    /// # Errors
    /// `HL-8002` for an unknown name (with the known ones) or a malformed number.
    pub fn parse(list: &str) -> Result<Self, SandboxError> {
        let mut specs = Vec::new();
        let mut mild = Vec::new();
        for item in list.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let (rest, path) = match item.split_once('=') {
                Some((rest, path)) => (rest, Some(path.to_owned())),
                None => (item, None),
            };
            let (name, when) = split_when(rest, item)?;
            let (fault, habit) = lookup(name)?;
            let when = when.unwrap_or(match habit {
                Habit::Mode => When::Always,
                Habit::First => When::Calls(1, 1),
                // Staggered, so that the retries of one call do not meet the next fault of the list too.
                Habit::Once => {
                    mild.push(None);
                    let at = 3 * mild.len() as u64 - 1;
                    When::Calls(at, at)
                }
                Habit::Mild => {
                    mild.push(Some(specs.len()));
                    When::Mild(3 * mild.len() as u64 - 1, 0.0)
                }
            });
            specs.push(Spec { fault, when, path });
        }
        // Together the unspecified ones hit one call in twenty, so that a client with three retries gets through.
        let share = 0.05 / mild.len().max(1) as f64;
        for at in mild.into_iter().flatten() {
            if let Some(Spec { when: When::Mild(_, p), .. }) = specs.get_mut(at) {
                *p = share;
            }
        }
        Ok(Faults(specs))
    }

    /// Adds one fault.
    #[must_use]
    pub fn with(mut self, fault: Fault, when: When) -> Self {
        self.0.push(Spec { fault, when, path: None });
        self
    }

    /// Adds one fault for one path; `when` counts this path's calls.
    #[must_use]
    pub fn with_path(mut self, path: &str, fault: Fault, when: When) -> Self {
        self.0.push(Spec { fault, when, path: Some(path.to_owned()) });
        self
    }

    /// Names and descriptions (English, 中文) of all faults.
    pub fn known() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        KNOWN.iter().map(|k| (k.0, k.3, k.4))
    }

    /// True when the list names this fault for every call.
    pub(crate) fn is_mode(&self, fault: Fault) -> bool {
        self.0.iter().any(|s| s.fault == fault && s.when == When::Always && s.path.is_none())
    }
}

fn lookup(name: &str) -> Result<(Fault, Habit), SandboxError> {
    if let Some(known) = KNOWN.iter().find(|k| k.0 == name) {
        return Ok((known.1, known.2));
    }
    if let Some(code) = name.strip_prefix("code-").and_then(|c| c.parse().ok()) {
        return Ok((Fault::Code(code), Habit::Mild));
    }
    let names = KNOWN.iter().map(|k| k.0).chain(["code-N"]).collect::<Vec<_>>().join(", ");
    let near = KNOWN
        .iter()
        .map(|k| (strsim::jaro_winkler(k.0, name), k.0))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let (hint_en, hint_zh) = match near {
        Some((_, near)) => (format!(" (did you mean `{near}`?)"), format!("（是否指 `{near}`？）")),
        None => Default::default(),
    };
    Err(SandboxError::new(
        SandboxError::BAD_FAULT,
        text!(
            "unknown fault `{name}`{hint_en}; known faults are {names}",
            "未知的故障 `{name}`{hint_zh}；可用的故障：{names}"
        ),
    ))
}

fn split_when<'a>(rest: &'a str, item: &str) -> Result<(&'a str, Option<When>), SandboxError> {
    let bad = || {
        SandboxError::new(
            SandboxError::BAD_FAULT,
            text!(
                "cannot read the fault `{item}`; write `name`, `name:0.05` (probability from 0 to 1), `name@3` or `name@3-5` (calls counted from 1)",
                "无法识别故障 `{item}`；请写作 `name`、`name:0.05`（概率 0 到 1）、`name@3` 或 `name@3-5`（从 1 起计的调用序号）"
            ),
        )
    };
    if let Some((name, p)) = rest.split_once(':') {
        let p: f64 = p.trim().parse().map_err(|_| bad())?;
        if !(0.0..=1.0).contains(&p) {
            return Err(bad());
        }
        return Ok((name.trim(), Some(if p == 1.0 { When::Always } else { When::Chance(p) })));
    }
    let Some((name, calls)) = rest.split_once('@') else { return Ok((rest.trim(), None)) };
    let number = |t: &str| t.trim().parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(bad);
    let (from, to) = match calls.split_once('-') {
        None => {
            let n = number(calls)?;
            (n, n)
        }
        Some((from, to)) if to.trim().is_empty() => (number(from)?, u64::MAX),
        Some((from, to)) => (number(from)?, number(to)?),
    };
    if to < from {
        return Err(bad());
    }
    Ok((name.trim(), Some(When::Calls(from, to))))
}

/// A fault list at work: counters and the seeded dice.
#[derive(Debug)]
pub(crate) struct Armed {
    specs: Vec<(Spec, u64)>,
    rng: Rng,
}

impl Armed {
    pub(crate) fn new(faults: &Faults, seed: u64) -> Self {
        let specs = faults.0.iter().map(|s| (s.clone(), 0)).collect();
        Armed { specs, rng: Rng::of(seed, 0xFA, 0) }
    }

    /// Counts this call for every fault that `able` admits and gives the first that happens.
    pub(crate) fn strike(&mut self, path: &str, able: impl Fn(Fault) -> bool) -> Option<Fault> {
        let business = !path.starts_with("/openWeb/");
        let mut hit = None;
        for (spec, count) in &mut self.specs {
            let here = spec.path.as_deref().map_or(business, |p| p == path);
            if !here || !able(spec.fault) {
                continue;
            }
            *count += 1;
            let happens = match spec.when {
                When::Always => true,
                When::Chance(p) => self.rng.chance(p),
                When::Calls(from, to) => (from..=to).contains(count),
                When::Mild(at, p) => *count == at || (*count > at && self.rng.chance(p)),
            };
            if happens && hit.is_none() {
                hit = Some(spec.fault);
            }
        }
        hit
    }

    /// [`Self::strike`] for one fault.
    pub(crate) fn strikes(&mut self, path: &str, fault: Fault) -> bool {
        self.strike(path, |f| f == fault).is_some()
    }

    /// True when the fault is on for every call.
    pub(crate) fn is_mode(&self, fault: Fault) -> bool {
        self.specs.iter().any(|(s, _)| s.fault == fault && s.when == When::Always)
    }
}

#[cfg(test)]
mod tests {
    use super::{Armed, Fault, Faults, When};

    #[test]
    fn every_form_is_read() {
        let faults =
            Faults::parse(" 500:0.5, cut@3 ,reset-after@2-4=/a/b,storm@7-,code--4,strict").expect("list");
        let mut armed = Armed::new(&faults, 1);
        let hits: Vec<bool> = (0..5).map(|_| armed.strikes("/x", Fault::Cut)).collect();
        assert_eq!(hits, [false, false, true, false, false]);
        assert!(!armed.strikes("/x", Fault::ResetAfter));
        let hits: Vec<bool> = (0..5).map(|_| armed.strikes("/a/b", Fault::ResetAfter)).collect();
        assert_eq!(hits, [false, true, true, true, false]);
        assert!(armed.is_mode(Fault::Strict) && !armed.is_mode(Fault::Clamp));
        assert_eq!(faults.0[4].fault, Fault::Code(-4));
    }

    #[test]
    fn plain_names_are_staggered_and_rare() {
        let faults = Faults::parse("500,502,cut,hang").expect("list");
        assert_eq!(faults.0[0].when, When::Mild(2, 0.0125));
        assert_eq!(faults.0[2].when, When::Mild(8, 0.0125));
        assert_eq!(faults.0[3].when, When::Calls(11, 11));
    }

    #[test]
    fn unknown_names_list_the_known() {
        let error = Faults::parse("500,stom").expect_err("unknown");
        assert_eq!(error.code, "HL-8002");
        assert!(error.text.en.contains("did you mean `storm`") && error.text.zh.contains("reset-before"));
        for bad in ["500:2", "500:x", "500@0", "500@5-3", "500@x"] {
            assert_eq!(Faults::parse(bad).expect_err(bad).code, "HL-8002");
        }
    }
}
