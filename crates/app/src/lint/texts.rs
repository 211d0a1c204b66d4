//! Findings inside of expressions: things that are valid and mean something else than their author thought.

use heliu_model::codes::lint as say;
use heliu_model::{Problem, text};
use heliu_transform::{Metadata, nearest};

use super::Known;
use super::walk::{chars, raw_items, texts as texts_of};

/// Words that begin a directive.
const DIRECTIVES: &[&str] = &["_function", "_findCollection", "_mongoQuery"];

/// Findings about the texts of a document.
pub fn texts(meta: &Metadata, known: &Known, out: &mut Vec<Problem>) {
    let mut list = Vec::new();
    let items = raw_items(meta);
    for raw in &items {
        let sql =
            ["main_sql", "extend_sql"].iter().any(|s| raw.text("field").to_ascii_lowercase().starts_with(s));
        for key in ["value", "default", "itemMapping"] {
            if let Some(v) = raw.item.get(key).filter(|_| !sql) {
                texts_of(v, &format!("{}.{key}", raw.path), &mut list);
            }
        }
    }
    if let Some(back) = meta.raw.as_object().and_then(|m| m.get("callBackStrategy")) {
        texts_of(back, "callBackStrategy", &mut list);
    }
    for (path, s) in list {
        if s.contains('{') || s.contains('_') || s.contains('$') {
            leading_blank(&path, s, out);
            single_brace(&path, s, out);
            dollar_brace(&path, s, out);
            milliseconds(&path, s, out);
            no_end_find(&path, s, out);
            for (at, scheme) in schemes(s) {
                unknown_lookup(&path, s, at, scheme, (known.ids)(), known.plans, out);
            }
        }
    }
}

fn leading_blank(path: &str, s: &str, out: &mut Vec<Problem>) {
    let trimmed = s.trim_start();
    let Some(word) = DIRECTIVES.iter().find(|d| trimmed.starts_with(**d)) else { return };
    if trimmed.len() < s.len() {
        out.push(
            say::LEADING_BLANK
                .at(
                    path,
                    text!(
                        "a blank stands before `{word}`: all of it is sent as text",
                        "`{word}` 之前有空格:整段会作为文本发送"
                    ),
                )
                .hint(text!("remove the blank", "请删除空格"))
                .spot(s, Some(0)),
        );
    }
}

/// The name in `{name}` at the beginning of `s`, with the format in `{name|format}`.
fn braced(s: &str) -> Option<&str> {
    let inner = s.strip_prefix('{')?;
    let len = inner
        .char_indices()
        .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '.')))
        .map_or(inner.len(), |(i, _)| i);
    let name = inner.get(..len)?;
    let begins = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let behind = inner.get(len..)?;
    let format = behind.strip_prefix('|').and_then(|f| f.split_once('}')).map_or("", |(f, _)| f);
    let piped = format.len() < 64 && format.starts_with(|c: char| c.is_ascii_alphabetic());
    let len = if piped { len + 1 + format.len() } else { len };
    (begins && inner.get(len..)?.starts_with('}')).then(|| inner.get(..len)).flatten()
}

fn single_brace(path: &str, s: &str, out: &mut Vec<Problem>) {
    let whole = s.trim();
    if braced(whole).is_some_and(|n| n.len() + 2 == whole.len() && !n.contains('|')) {
        return;
    }
    let directive = ["_function", "_findCollection ", "_mongoQuery "].iter().any(|d| s.starts_with(d));
    let mut at = 0;
    while let Some(i) = s.get(at..).and_then(|t| t.find('{')) {
        let from = at + i;
        let rest = s.get(from..).unwrap_or("");
        if rest.starts_with("{{") {
            // A reference, to its end.
            at = from + rest.find("}}").map_or(rest.len(), |e| e + 2);
            continue;
        }
        if let Some(name) = braced(rest) {
            let before = s.get(..from).unwrap_or("");
            // `${name}` is another finding, and a whole operand of a directive is a reference.
            let operand =
                directive && !name.contains('|') && operand(before, rest.get(name.len() + 2..).unwrap_or(""));
            if !before.ends_with('$') && !operand {
                let function = s.starts_with("_function");
                let found = if function {
                    text!(
                        "`{{{name}}}` inside of `_function` is no reference",
                        "`_function` 中的 `{{{name}}}` 不是引用"
                    )
                } else {
                    text!(
                        "`{{{name}}}` inside of text is sent as it stands",
                        "文本中的 `{{{name}}}` 会原样发送"
                    )
                };
                out.push(
                    say::SINGLE_BRACE
                        .at(path, found)
                        .hint(text!("write `{{{{{name}}}}}`", "请写成 `{{{{{name}}}}}`"))
                        .spot(s, Some(chars(s, from))),
                );
                return;
            }
        }
        at = from + 1;
    }
}

/// True for what stands alone between quotes, behind `=` of a lookup, or outside of all quotes.
fn operand(before: &str, behind: &str) -> bool {
    match before.chars().last() {
        Some(q @ ('\'' | '"')) => behind.starts_with(q),
        _ => before.matches('\'').count().is_multiple_of(2) && before.matches('"').count().is_multiple_of(2),
    }
}

fn dollar_brace(path: &str, s: &str, out: &mut Vec<Problem>) {
    let Some(at) = s.find("${") else { return };
    let Some(end) = s.get(at..).and_then(|t| t.find('}')) else { return };
    let shown = s.get(at..=at + end).unwrap_or("${…}").to_owned();
    out.push(
        say::DOLLAR_BRACE
            .at(path, text!("`{shown}` is sent as it stands", "`{shown}` 会原样发送"))
            .hint(text!("references are written `{{{{name}}}}`", "引用应写成 `{{{{名称}}}}`"))
            .spot(s, Some(chars(s, at))),
    );
}

/// Offsets from 600 000 on that are whole minutes in milliseconds, beside a variable (dialect §8, 3).
fn milliseconds(path: &str, s: &str, out: &mut Vec<Problem>) {
    for name in ["LAST_SYNC_TIME", "CURRENT_TIME", "lastSyncTime", "currentTime"] {
        let mut at = 0;
        while let Some(i) = s.get(at..).and_then(|t| t.find(name)) {
            at += i + name.len();
            let rest = s.get(at..).unwrap_or("");
            let rest = rest.trim_start_matches([' ', '}', '|']).trim_start();
            let Some(rest) = rest.strip_prefix(['-', '+']) else { continue };
            let digits = rest.trim_start_matches([' ', '(']);
            let len = digits.bytes().take_while(u8::is_ascii_digit).count();
            let Some(n) = digits.get(..len).and_then(|d| d.parse::<u64>().ok()) else { continue };
            if n >= 600_000 && n % 60_000 == 0 {
                let (minutes, secs, days) = (n / 60_000, n / 1000, n / 86_400);
                let begin = s.len() - digits.len();
                out.push(
                    say::MILLISECONDS
                        .at(
                            path,
                            text!(
                                "{n} is added to or taken from `{name}`, which is in seconds: about {days} days",
                                "对以秒为单位的 `{name}` 加减 {n}:约 {days} 天"
                            ),
                        )
                        .hint(text!("did you mean {minutes} minutes? write {secs}", "是否指 {minutes} 分钟?请写 {secs}"))
                        .spot(s, Some(chars(s, begin))),
                );
            }
        }
    }
}

fn no_end_find(path: &str, s: &str, out: &mut Vec<Problem>) {
    if !s.starts_with("_function") {
        return;
    }
    for word in ["_findCollection ", "_mongoQuery "] {
        let mut at = 0;
        while let Some(i) = s.get(at..).and_then(|t| t.find(word)) {
            let from = at + i;
            at = from + word.len();
            let rest = s.get(at..).unwrap_or("");
            let next = ["_findCollection ", "_mongoQuery "].iter().filter_map(|w| rest.find(w)).min();
            if rest.get(..next.unwrap_or(rest.len())).is_some_and(|own| !own.contains("_endFind")) {
                let name = word.trim_end();
                out.push(
                    say::NO_END_FIND
                        .at(
                            path,
                            text!(
                                "`{name}` inside of `_function` has no `_endFind`",
                                "`_function` 中的 `{name}` 缺少 `_endFind`"
                            ),
                        )
                        .hint(text!(
                            "write ` _endFind` behind its last condition",
                            "请在最后一个条件之后写 ` _endFind`"
                        ))
                        .spot(s, Some(chars(s, from))),
                );
            }
        }
    }
}

/// Plans that the lookups of a text name, with the byte where each stands.
fn schemes(s: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let push = |at: usize, rest: &str, s: &str| -> Option<(usize, usize)> {
        let tail = s.get(at..)?;
        let begin = at + tail.find(rest)? + rest.len();
        let len = s.get(begin..)?.find(' ').unwrap_or(s.len() - begin);
        (len > 0).then_some((begin, begin + len))
    };
    for (at, _) in s.match_indices("_findCollection find ") {
        if let Some((a, b)) = push(at, " from ", s) {
            out.extend(s.get(a..b).map(|w| (a, w)));
        }
    }
    for (at, _) in s.match_indices("_mongoQuery ") {
        if let Some((a, b)) = push(at, "_mongoQuery ", s) {
            out.extend(s.get(a..b).map(|w| (a, w)));
        }
    }
    out
}

fn unknown_lookup(
    path: &str,
    s: &str,
    at: usize,
    scheme: &str,
    ids: &[String],
    plans: &[String],
    out: &mut Vec<Problem>,
) {
    if scheme.contains('{') || ids.iter().chain(plans).any(|p| p == scheme) {
        return;
    }
    let hint = match nearest(scheme, ids.iter().chain(plans).map(String::as_str)) {
        Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
        None => text!(
            "give the plan that holds these records this `id`, or name it here",
            "请为保存该数据的方案设置此 `id`,或在此填写其名称"
        ),
    };
    out.push(
        say::UNKNOWN_LOOKUP
            .at(path, text!("no plan has the id or name `{scheme}`", "没有 id 或名称为 `{scheme}` 的方案"))
            .hint(hint)
            .spot(s, Some(chars(s, at))),
    );
}
