//! JSON functions, over the text: members keep their spelling, as in MariaDB.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use super::compare;
use super::decimal::Dec;
use super::eval::bounded;
use super::jsontext::{self, J, Step};
use super::patterns::{self, like};
use super::sv::{Num, Sv, number_prefix};
use super::table::{Builtin, Out, open, strict};

/// JSON functions.
pub(super) const TABLE: &[Builtin] = &[
    open("JSON_ARRAY", 0, 255, |a, _| Ok(array(a, ", "))),
    open("JSON_ARRAY_APPEND", 3, 255, |a, _| edit(a, Change::Append)),
    open("JSON_ARRAY_INSERT", 3, 255, |a, _| edit(a, Change::InsertAt)),
    strict("JSON_COMPACT", 1, 1, |a, _| written(a, jsontext::compact)),
    strict("JSON_CONTAINS", 2, 3, |a, _| {
        let (doc, part) = (text(a, 0), text(a, 1));
        let (Some(doc), Some(part)) = (jsontext::parse(&doc), jsontext::parse(&part)) else {
            return Ok(Sv::Null);
        };
        let at = match a.get(2) {
            None => Some(&doc),
            Some(p) => match path(p) {
                Some(p) => jsontext::find(&doc, &p).first().copied(),
                None => return Ok(Sv::Null),
            },
        };
        Ok(Sv::flag(Some(at.is_some_and(|d| contains(d, &part)))))
    }),
    strict("JSON_CONTAINS_PATH", 3, 255, |a, _| {
        let doc = text(a, 0);
        let Some(doc) = jsontext::parse(&doc) else { return Ok(Sv::Null) };
        let all = text(a, 1).eq_ignore_ascii_case("all");
        let mut hits = Vec::new();
        for p in a.iter().skip(2) {
            let Some(p) = path(p) else { return Ok(Sv::Null) };
            hits.push(!jsontext::find(&doc, &p).is_empty());
        }
        Ok(Sv::flag(Some(if all { hits.iter().all(|h| *h) } else { hits.contains(&true) })))
    }),
    strict("JSON_DEPTH", 1, 1, |a, _| {
        Ok(jsontext::parse(&text(a, 0)).map_or(Sv::Null, |d| Sv::int(depth(&d))))
    }),
    strict("JSON_DETAILED", 1, 2, |a, _| written(a, jsontext::detailed)),
    strict("JSON_EXISTS", 2, 2, |a, _| {
        let doc = text(a, 0);
        let (Some(doc), Some(p)) = (jsontext::parse(&doc), a.get(1).and_then(path)) else {
            return Ok(Sv::Null);
        };
        Ok(Sv::flag(Some(!jsontext::find(&doc, &p).is_empty())))
    }),
    strict("JSON_EXTRACT", 2, 255, |a, _| match a.split_first() {
        Some((doc, paths)) => Ok(extract(doc, paths)),
        None => Ok(Sv::Null),
    }),
    open("JSON_INSERT", 3, 255, |a, _| edit(a, Change::Insert)),
    strict("JSON_KEYS", 1, 2, |a, _| {
        Ok(
            match on_part(a, |d| match d {
                J::Object(m) => {
                    let mut keys: Vec<&str> = Vec::new();
                    for (k, _) in m {
                        if !keys.contains(k) {
                            keys.push(k);
                        }
                    }
                    Some(format!("[{}]", keys.join(", ")))
                }
                _ => None,
            }) {
                Some(keys) => Sv::Json(keys),
                None => Sv::Null,
            },
        )
    }),
    strict("JSON_LENGTH", 1, 2, |a, _| {
        Ok(on_part(a, |d| {
            Some(match d {
                J::Array(items) => items.len(),
                J::Object(m) => m.len(),
                _ => 1,
            })
        })
        .map_or(Sv::Null, |n| Sv::int(n as i128)))
    }),
    strict("JSON_LOOSE", 1, 1, |a, _| written(a, jsontext::loose)),
    strict("JSON_MERGE", 2, 255, |a, _| merge(a, jsontext::merge_preserve)),
    strict("JSON_MERGE_PATCH", 2, 255, |a, _| merge(a, jsontext::merge_patch)),
    strict("JSON_MERGE_PRESERVE", 2, 255, |a, _| merge(a, jsontext::merge_preserve)),
    open("JSON_OBJECT", 0, 255, |a, _| {
        if a.len() % 2 != 0 {
            return Ok(Sv::Null);
        }
        let mut out = String::from("{");
        for (i, pair) in a.chunks(2).enumerate() {
            let [k, v] = pair else { continue };
            if i > 0 {
                out.push_str(", ");
            }
            jsontext::quote(&k.as_text().unwrap_or_default(), &mut out);
            out.push_str(": ");
            out.push_str(&part(v));
            bounded(out.len())?;
        }
        out.push('}');
        Ok(Sv::Json(out))
    }),
    strict("JSON_OVERLAPS", 2, 2, |a, _| {
        let (x, y) = (text(a, 0), text(a, 1));
        let (Some(x), Some(y)) = (jsontext::parse(&x), jsontext::parse(&y)) else { return Ok(Sv::Null) };
        let hit = match (&x, &y) {
            (J::Array(p), J::Array(q)) => p.iter().any(|v| q.iter().any(|w| same(v, w))),
            (J::Array(p), one) | (one, J::Array(p)) => p.iter().any(|v| same(v, one)),
            (J::Object(p), J::Object(q)) => {
                p.iter().any(|(k, v)| q.iter().any(|(l, w)| k == l && same(v, w)))
            }
            (v, w) => same(v, w),
        };
        Ok(Sv::flag(Some(hit)))
    }),
    strict("JSON_PRETTY", 1, 1, |a, _| written(a, jsontext::detailed)),
    strict("JSON_QUERY", 2, 2, |a, _| {
        let doc = text(a, 0);
        let (Some(doc), Some(p)) = (jsontext::parse(&doc), a.get(1).and_then(path)) else {
            return Ok(Sv::Null);
        };
        let container = |d: &&J| matches!(d, J::Array(_) | J::Object(_));
        Ok(match jsontext::find(&doc, &p).into_iter().find(container) {
            Some(d) => Sv::Json(jsontext::loose(d)),
            None => Sv::Null,
        })
    }),
    open("JSON_QUOTE", 1, 1, |a, _| {
        Ok(match a.first() {
            Some(v) if v.is_text() || v.is_temporal() => {
                let mut out = String::new();
                jsontext::quote(&v.as_text().unwrap_or_default(), &mut out);
                bounded(out.len())?;
                Sv::text(out)
            }
            _ => Sv::Null,
        })
    }),
    strict("JSON_REMOVE", 2, 255, |a, _| edit(a, Change::Remove)),
    open("JSON_REPLACE", 3, 255, |a, _| edit(a, Change::Replace)),
    strict("JSON_SEARCH", 3, 255, |a, _| {
        let doc = text(a, 0);
        let Some(doc) = jsontext::parse(&doc) else { return Ok(Sv::Null) };
        let one = !text(a, 1).eq_ignore_ascii_case("all");
        let wanted = text(a, 2);
        // It is compared with every text of the document.
        if wanted.len() > 256 {
            return Err(patterns::too_costly());
        }
        let mut found = Vec::new();
        search(&doc, &wanted, "$".into(), one, &mut found);
        bounded(found.iter().map(String::len).sum())?;
        // A repeated key gives the same path twice.
        let mut seen = HashSet::new();
        found.retain(|path| seen.insert(path.clone()));
        let mut quoted: Vec<String> = Vec::new();
        for f in &found {
            let mut q = String::new();
            jsontext::quote(f, &mut q);
            quoted.push(q);
        }
        Ok(match quoted.as_slice() {
            [] => Sv::Null,
            [only] => Sv::Json(only.clone()),
            all => Sv::Json(format!("[{}]", all.join(", "))),
        })
    }),
    open("JSON_SET", 3, 255, |a, _| edit(a, Change::Set)),
    strict("JSON_TYPE", 1, 1, |a, _| {
        Ok(match jsontext::parse(&text(a, 0)) {
            Some(J::Object(_)) => Sv::text("OBJECT"),
            Some(J::Array(_)) => Sv::text("ARRAY"),
            Some(J::Text(_)) => Sv::text("STRING"),
            Some(J::Word("null")) => Sv::text("NULL"),
            Some(J::Word(_)) => Sv::text("BOOLEAN"),
            Some(J::Number(n)) => Sv::text(if n.contains('.') { "DOUBLE" } else { "INTEGER" }),
            None => Sv::Null,
        })
    }),
    strict("JSON_UNQUOTE", 1, 1, |a, _| Ok(a.first().map_or(Sv::Null, unquote))),
    open("JSON_VALID", 1, 1, |a, _| {
        Ok(match a.first() {
            Some(v) if !v.is_null() => {
                Sv::flag(Some(jsontext::parse(&v.as_text().unwrap_or_default()).is_some()))
            }
            _ => Sv::Null,
        })
    }),
    strict("JSON_VALUE", 2, 2, |a, _| {
        let doc = text(a, 0);
        let Some(doc) = jsontext::parse(&doc) else { return Ok(Sv::Null) };
        Ok(match a.get(1).and_then(|p| single(&doc, p)) {
            Some(J::Text(raw)) => Sv::text(jsontext::unescape(raw).into_owned()),
            Some(J::Number(n)) => Sv::text((*n).to_owned()),
            Some(J::Word("true")) => Sv::text("1"),
            Some(J::Word("false")) => Sv::text("0"),
            _ => Sv::Null,
        })
    }),
];

fn text<'a>(a: &[Sv<'a>], i: usize) -> Cow<'a, str> {
    a.get(i).map(Sv::words).unwrap_or_default()
}

fn path(v: &Sv) -> Option<Vec<Step>> {
    jsontext::path(&v.as_text()?)
}

fn written<'a>(a: &[Sv<'a>], write: fn(&J) -> String) -> Out<'a> {
    Ok(match jsontext::parse(&text(a, 0)) {
        Some(d @ J::Text(_)) => Sv::text(write(&d)),
        Some(d) => Sv::Json(write(&d)),
        None => Sv::Null,
    })
}

/// Applies to the document, or to the part that a path names.
fn on_part<T>(a: &[Sv], f: impl Fn(&J) -> Option<T>) -> Option<T> {
    let doc = text(a, 0);
    let doc = jsontext::parse(&doc)?;
    match a.get(1) {
        None => f(&doc),
        Some(p) => f(single(&doc, p)?),
    }
}

/// The value that a path without wildcards leads to.
fn single<'v, 's>(doc: &'v J<'s>, p: &Sv) -> Option<&'v J<'s>> {
    let steps = path(p).filter(|p| !p.iter().any(Step::spreads))?;
    jsontext::find(doc, &steps).first().copied()
}

/// JSON_EXTRACT with one or several paths.
pub(super) fn extract<'a>(doc: &Sv<'a>, paths: &[Sv<'a>]) -> Sv<'a> {
    let Some(source) = doc.as_text() else { return Sv::Null };
    let Some(doc) = jsontext::parse(&source) else { return Sv::Null };
    let mut found = Vec::new();
    let mut many = paths.len() > 1;
    for p in paths {
        let Some(p) = path(p) else { return Sv::Null };
        many |= p.iter().any(Step::spreads);
        found.extend(jsontext::find(&doc, &p));
    }
    match (found.as_slice(), many) {
        ([], _) => Sv::Null,
        ([one], false) => Sv::Json(jsontext::loose(one)),
        (all, _) => {
            Sv::Json(format!("[{}]", all.iter().map(|v| jsontext::loose(v)).collect::<Vec<_>>().join(", ")))
        }
    }
}

/// JSON_UNQUOTE.
pub(super) fn unquote<'a>(v: &Sv<'a>) -> Sv<'a> {
    match v.as_text() {
        None => Sv::Null,
        Some(t) => Sv::text(plain(&t).into_owned()),
    }
}

/// What a JSON string says; other text as it is.
pub(super) fn plain(s: &str) -> Cow<'_, str> {
    if !s.trim_start().starts_with('"') {
        return Cow::Borrowed(s);
    }
    match jsontext::parse(s) {
        Some(J::Text(raw)) => Cow::Owned(jsontext::unescape(raw).into_owned()),
        _ => Cow::Borrowed(s),
    }
}

/// The number that JSON text is: of a string what its text is, `true` is 1.
pub(super) fn as_number(s: &str) -> Num {
    if s == "true" { Num::Dec(Dec::int(1)) } else { number_prefix(&plain(s)) }
}

/// CAST(… AS JSON).
pub(super) fn normal<'a>(v: &Sv<'a>) -> Sv<'a> {
    let Some(t) = v.as_text() else { return Sv::Null };
    jsontext::parse(&t).map_or(Sv::Null, |d| Sv::Json(jsontext::loose(&d)))
}

/// A value as a part of JSON.
fn part(v: &Sv) -> String {
    match v {
        Sv::Null => "null".into(),
        Sv::Bool(b) => b.to_string(),
        Sv::Num(_) => v.as_text().unwrap_or_default().into_owned(),
        Sv::Json(j) => jsontext::parse(j).map_or_else(|| j.clone(), |j| jsontext::loose(&j)),
        other => {
            let mut out = String::new();
            jsontext::quote(&other.as_text().unwrap_or_default(), &mut out);
            out
        }
    }
}

/// JSON_ARRAY.
pub(super) fn array<'a>(values: &[Sv], separator: &str) -> Sv<'a> {
    Sv::Json(format!("[{}]", values.iter().map(part).collect::<Vec<_>>().join(separator)))
}

fn depth(v: &J) -> i64 {
    1 + match v {
        J::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        J::Object(m) => m.iter().map(|(_, v)| depth(v)).max().unwrap_or(0),
        _ => 0,
    }
}

fn number(n: &str) -> Num {
    Dec::parse_any(n).map_or(Num::Dbl(n.parse().unwrap_or(0.0), 0), Num::Dec)
}

fn same(x: &J, y: &J) -> bool {
    match (x, y) {
        (J::Number(a), J::Number(b)) => number(a).cmp(&number(b)) == Ordering::Equal,
        (J::Text(a), J::Text(b)) => jsontext::unescape(a) == jsontext::unescape(b),
        (J::Word(a), J::Word(b)) => a == b,
        (J::Array(a), J::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(p, q)| same(p, q)),
        (J::Object(a), J::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.iter().any(|(l, w)| k == l && same(v, w)))
        }
        _ => false,
    }
}

fn contains(doc: &J, part: &J) -> bool {
    match (doc, part) {
        (J::Array(items), J::Array(wanted)) => wanted.iter().all(|w| items.iter().any(|i| contains(i, w))),
        (J::Array(items), one) => items.iter().any(|i| contains(i, one)),
        (J::Object(a), J::Object(b)) => {
            b.iter().all(|(k, v)| a.iter().any(|(l, x)| k == l && contains(x, v)))
        }
        (a, b) => same(a, b),
    }
}

/// Longest path that is followed.
const MAX_PATH: usize = 4096;

fn search(v: &J, wanted: &str, at: String, one: bool, found: &mut Vec<String>) {
    if (one && !found.is_empty()) || at.len() > MAX_PATH {
        return;
    }
    match v {
        J::Text(raw) if like(&jsontext::unescape(raw), wanted, Some('\\'), compare::fold) == Ok(true) => {
            found.push(at);
        }
        // Numbers and words are found by what is written.
        J::Number(raw) | J::Word(raw) if like(raw, wanted, Some('\\'), compare::fold) == Ok(true) => {
            found.push(at);
        }
        J::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| search(v, wanted, format!("{at}[{i}]"), one, found));
        }
        J::Object(m) => m.iter().for_each(|(k, v)| {
            search(v, wanted, format!("{at}.{}", k.trim_matches('"')), one, found);
        }),
        _ => {}
    }
}

fn merge<'a>(a: &[Sv<'a>], how: fn(&str, &str) -> Option<String>) -> Out<'a> {
    let mut all = a.iter();
    let Some(mut acc) = all.next().and_then(Sv::as_text).map(Cow::into_owned) else { return Ok(Sv::Null) };
    for v in all {
        let Some(next) = v.as_text().and_then(|t| how(&acc, &t)) else { return Ok(Sv::Null) };
        bounded(next.len())?;
        acc = next;
    }
    Ok(Sv::Json(acc))
}

/// What is done at a path.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Set,
    Insert,
    Replace,
    Remove,
    Append,
    InsertAt,
}

fn edit<'a>(a: &[Sv<'a>], change: Change) -> Out<'a> {
    let step = if change == Change::Remove { 1 } else { 2 };
    let null = a.first().is_none_or(Sv::is_null) || a.iter().skip(1).step_by(step).any(Sv::is_null);
    if null || a.len() % step != 1 % step {
        return Ok(Sv::Null);
    }
    let mut doc = text(a, 0).into_owned();
    for pair in a.get(1..).unwrap_or(&[]).chunks(step) {
        let Some(steps) = pair.first().and_then(path).filter(|p| !p.iter().any(Step::spreads)) else {
            return Ok(Sv::Null);
        };
        let value = pair.get(1).map(part).unwrap_or_default();
        let next = {
            let new = jsontext::parse(if value.is_empty() { "null" } else { &value });
            let (Some(mut tree), Some(new)) = (jsontext::parse(&doc), new) else { return Ok(Sv::Null) };
            if change == Change::Append && jsontext::find(&tree, &steps).is_empty()
                || change == Change::Remove && steps.is_empty()
            {
                return Ok(Sv::Null);
            }
            apply(&mut tree, &steps, new, change);
            jsontext::loose(&tree)
        };
        bounded(next.len())?;
        doc = next;
    }
    Ok(Sv::Json(doc))
}

fn apply<'s>(at: &mut J<'s>, steps: &'s [Step], new: J<'s>, change: Change) {
    let Some((first, rest)) = steps.split_first() else {
        match change {
            Change::Set | Change::Replace => *at = new,
            Change::Append => match at {
                J::Array(items) => items.push(new),
                other => {
                    let old = std::mem::replace(other, J::Word("null"));
                    *other = J::Array(vec![old, new]);
                }
            },
            _ => {}
        }
        return;
    };
    let last = rest.is_empty();
    match (at, first) {
        (J::Object(m), Step::Key(k)) => {
            let found = m.iter().position(|(l, _)| jsontext::unescape(l) == k.as_str());
            match (found, last, change) {
                (Some(i), true, Change::Remove) => {
                    m.remove(i);
                }
                (Some(_), true, Change::Insert) => {}
                (Some(i), ..) => {
                    if let Some((_, v)) = m.get_mut(i) {
                        apply(v, rest, new, change);
                    }
                }
                (None, true, Change::Set | Change::Insert) => m.push((k.quoted(), new)),
                _ => {}
            }
        }
        (J::Array(items), Step::Index(n)) => {
            let len = items.len();
            let i = n.of(len);
            match (i.filter(|i| *i < len), last, change) {
                (Some(i), true, Change::Remove) => {
                    items.remove(i);
                }
                (Some(i), true, Change::InsertAt) => items.insert(i, new),
                (Some(_), true, Change::Insert) => {}
                (Some(i), ..) => {
                    if let Some(v) = items.get_mut(i) {
                        apply(v, rest, new, change);
                    }
                }
                (None, true, Change::Set | Change::Insert | Change::InsertAt) => items.push(new),
                _ => {}
            }
        }
        (other, Step::Index(n)) if n.of(1) == Some(0) => {
            if last && matches!(change, Change::Set | Change::Replace) {
                *other = new;
            } else if !last {
                apply(other, rest, new, change);
            }
        }
        (other, Step::Index(_)) if last && matches!(change, Change::Set | Change::Insert) => {
            let old = std::mem::replace(other, J::Word("null"));
            *other = J::Array(vec![old, new]);
        }
        _ => {}
    }
}
