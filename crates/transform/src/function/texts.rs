//! Text functions.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::FnEnv;
use super::compare::{self, collate, fold};
use super::eval::bounded;
use super::patterns::Regex;
use super::sv::Sv;
use super::table::{Builtin, Out, open, strict};

/// Text functions. Those of special syntax come with its inner names.
pub(super) const TABLE: &[Builtin] = &[
    strict("ASCII", 1, 1, |a, _| Ok(Sv::int(first_bytes(a).first().copied().unwrap_or(0)))),
    strict("BIT_LENGTH", 1, 1, |a, _| Ok(Sv::int(size(a) * 8))),
    open("CHAR", 1, 255, char_of),
    strict("CHARACTER_LENGTH", 1, 1, |a, _| Ok(Sv::int(length(&text(a, 0)) as i128))),
    strict("CHAR_LENGTH", 1, 1, |a, _| Ok(Sv::int(length(&text(a, 0)) as i128))),
    strict("CHR", 1, 1, |a, env| {
        char_of(a, env).map(|v| Sv::text(v.as_text().unwrap_or_default().into_owned()))
    }),
    strict("CONCAT", 1, 255, |a, _| concat(a.iter(), "")),
    open("CONCAT_WS", 2, 255, |a, _| match a.split_first() {
        Some((sep, rest)) if !sep.is_null() => concat(rest.iter().filter(|v| !v.is_null()), &sep.words()),
        _ => Ok(Sv::Null),
    }),
    open("ELT", 2, 255, |a, _| {
        let n = a.first().and_then(Sv::as_i64).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        Ok(match n.and_then(|n| a.get(n)) {
            Some(v) if !v.is_null() => Sv::Str(v.words()),
            _ => Sv::Null,
        })
    }),
    strict("EXPORT_SET", 3, 5, export_set),
    open("FIELD", 2, 255, field),
    strict("FIND_IN_SET", 2, 2, |a, _| {
        let (needle, set, fold) = (text(a, 0), text(a, 1), letters(a));
        let same = |p: &str| p.chars().map(fold).eq(needle.chars().map(fold));
        let at = if set.is_empty() || needle.contains(',') { None } else { set.split(',').position(same) };
        Ok(Sv::int(at.map_or(0, |i| i as i128 + 1)))
    }),
    strict("INSERT", 4, 4, |a, _| {
        let (s, pos, len, with) = (text(a, 0), int(a, 1), int(a, 2), text(a, 3));
        let total = length(&s) as i64;
        if pos < 1 || pos > total {
            return Ok(Sv::Str(s));
        }
        let keep = usize::try_from(pos - 1).unwrap_or(0);
        let gone = if len < 0 || len > total - pos { usize::MAX } else { usize::try_from(len).unwrap_or(0) };
        let head: String = s.chars().take(keep).collect();
        let tail: String = s.chars().skip(keep.saturating_add(gone)).collect();
        bounded(head.len() + with.len() + tail.len())?;
        Ok(Sv::text(head + &with + &tail))
    }),
    strict("INSTR", 2, 2, |a, _| Ok(Sv::int(locate(&text(a, 1), &text(a, 0), 1, letters(a))))),
    strict("LCASE", 1, 1, lower),
    strict("LEFT", 2, 2, |a, _| {
        let n = usize::try_from(int(a, 1)).unwrap_or(0);
        Ok(slice(text(a, 0), 0, n))
    }),
    strict("LENGTH", 1, 1, |a, _| Ok(Sv::int(size(a)))),
    strict("LENGTHB", 1, 1, |a, _| Ok(Sv::int(size(a)))),
    strict("LOCATE", 2, 3, |a, _| {
        let from = if a.len() > 2 { int(a, 2) } else { 1 };
        // There is no place in an empty text.
        if a.len() > 2 && text(a, 1).is_empty() {
            return Ok(Sv::int(0));
        }
        Ok(Sv::int(locate(&text(a, 0), &text(a, 1), from, letters(a))))
    }),
    strict("LOWER", 1, 1, lower),
    strict("LPAD", 2, 3, |a, _| pad(a, true)),
    strict("LTRIM", 1, 1, |a, _| Ok(Sv::Str(trim(text(a, 0), " ", true, false)))),
    open("MAKE_SET", 2, 255, |a, _| {
        let Some(bits) = a.first().and_then(Sv::as_i64) else { return Ok(Sv::Null) };
        let chosen =
            a.iter().skip(1).enumerate().filter(|(i, v)| *i < 64 && bits >> i & 1 == 1 && !v.is_null());
        concat(chosen.map(|(_, v)| v), ",")
    }),
    strict("MID", 2, 3, substring),
    strict("OCTET_LENGTH", 1, 1, |a, _| Ok(Sv::int(size(a)))),
    strict("ORD", 1, 1, |a, _| {
        let s = text(a, 0);
        let n = s.chars().next().map_or(0, char::len_utf8);
        Ok(Sv::int(s.bytes().take(n).fold(0i128, |acc, b| acc * 256 + i128::from(b))))
    }),
    open("QUOTE", 1, 1, |a, _| {
        if a.first().is_none_or(Sv::is_null) {
            return Ok(Sv::text("NULL"));
        }
        let mut out = String::from("'");
        for c in text(a, 0).chars() {
            match c {
                '\\' | '\'' => out.extend(['\\', c]),
                '\0' => out.push_str("\\0"),
                '\u{1a}' => out.push_str("\\Z"),
                c => out.push(c),
            }
        }
        out.push('\'');
        bounded(out.len())?;
        Ok(Sv::text(out))
    }),
    strict("REGEXP_INSTR", 2, 2, |a, _| Ok(Sv::int(regex(a)?.position(&text(a, 0))?))),
    strict("REGEXP_LIKE", 2, 3, |a, _| {
        // MySQL's third argument; `c` minds letters' case.
        let (pattern, exact) = (text(a, 1), text(a, 2).contains('c'));
        Ok(Sv::flag(Some(Regex::kept(&pattern, exact)?.is_match(&text(a, 0))?)))
    }),
    strict("REGEXP_REPLACE", 3, 3, |a, _| {
        let s = text(a, 0);
        if s.is_empty() {
            return Ok(Sv::Str(s));
        }
        Ok(Sv::text(regex(a)?.replace(&s, &text(a, 2))?))
    }),
    strict("REGEXP_SUBSTR", 2, 2, |a, _| {
        let s = text(a, 0);
        Ok(Sv::text(regex(a)?.first(&s)?.to_owned()))
    }),
    strict("REPEAT", 2, 2, |a, _| {
        let s = text(a, 0);
        let n = usize::try_from(int(a, 1)).unwrap_or(0);
        bounded(n.saturating_mul(s.len()))?;
        Ok(if s.is_empty() { Sv::text("") } else { Sv::text(s.repeat(n)) })
    }),
    open("REPLACE", 3, 3, |a, _| {
        let null = |i: usize| a.get(i).is_none_or(Sv::is_null);
        if null(0) || null(1) || null(2) && !text(a, 1).is_empty() {
            return Ok(Sv::Null);
        }
        let (s, from, to) = (text(a, 0), text(a, 1), text(a, 2));
        if from.is_empty() || !s.contains(from.as_ref()) {
            return Ok(Sv::Str(s));
        }
        bounded(s.len().saturating_add(s.matches(from.as_ref()).count().saturating_mul(to.len())))?;
        Ok(Sv::text(s.replace(from.as_ref(), &to)))
    }),
    strict("REVERSE", 1, 1, |a, _| Ok(Sv::text(text(a, 0).chars().rev().collect::<String>()))),
    strict("RIGHT", 2, 2, |a, _| {
        let s = text(a, 0);
        let total = length(&s);
        let n = usize::try_from(int(a, 1)).unwrap_or(0).min(total);
        Ok(slice(s, total - n, n))
    }),
    strict("RPAD", 2, 3, |a, _| pad(a, false)),
    strict("RTRIM", 1, 1, |a, _| Ok(Sv::Str(trim(text(a, 0), " ", false, true)))),
    strict("SOUNDEX", 1, 1, |a, _| Ok(Sv::text(soundex(&text(a, 0))))),
    strict("SPACE", 1, 1, |a, _| {
        let n = usize::try_from(int(a, 0)).unwrap_or(0);
        bounded(n)?;
        Ok(Sv::text(" ".repeat(n)))
    }),
    strict("STRCMP", 2, 2, |a, env| {
        let order = match a {
            [x, y] if x.is_text() && y.is_text() => compare::compare(x, y, env),
            _ => Some(collate(&text(a, 0), &text(a, 1))),
        };
        Ok(order.map_or(Sv::Null, |o| Sv::int(o as i8)))
    }),
    strict("SUBSTR", 2, 3, substring),
    strict("SUBSTRING", 2, 3, substring),
    strict("SUBSTRING_INDEX", 3, 3, |a, _| Ok(substring_index(text(a, 0), &text(a, 1), int(a, 2)))),
    strict("TRIM_BOTH", 2, 2, |a, _| Ok(Sv::Str(trim(text(a, 0), &text(a, 1), true, true)))),
    strict("TRIM_LEADING", 2, 2, |a, _| Ok(Sv::Str(trim(text(a, 0), &text(a, 1), true, false)))),
    strict("TRIM_TRAILING", 2, 2, |a, _| Ok(Sv::Str(trim(text(a, 0), &text(a, 1), false, true)))),
    strict("UCASE", 1, 1, upper),
    strict("UPPER", 1, 1, upper),
];

fn text<'a>(a: &[Sv<'a>], i: usize) -> Cow<'a, str> {
    a.get(i).map(Sv::words).unwrap_or_default()
}

fn int(a: &[Sv], i: usize) -> i64 {
    a.get(i).and_then(Sv::as_i64).unwrap_or(0)
}

fn length(s: &str) -> usize {
    s.chars().count()
}

fn first_bytes<'b>(a: &'b [Sv]) -> Cow<'b, [u8]> {
    a.first().map(Sv::bytes).unwrap_or_default()
}

fn size(a: &[Sv]) -> i128 {
    first_bytes(a).len() as i128
}

/// The pattern in the second place; of bytes in the first two, letters' case counts.
fn regex(a: &[Sv]) -> Result<Regex, super::FnError> {
    let exact = a.iter().take(2).any(|v| matches!(v, Sv::Bin(_)));
    Regex::kept(&text(a, 1), exact)
}

/// How letters are compared in the first two arguments.
fn letters(a: &[Sv]) -> fn(char) -> char {
    compare::letters(&a.iter().take(2).collect::<Vec<_>>())
}

/// So many characters from a place on, borrowed where the text is.
fn slice(s: Cow<'_, str>, from: usize, n: usize) -> Sv<'_> {
    let cut = |s: &str| {
        let start = s.char_indices().nth(from).map_or(s.len(), |c| c.0);
        let rest = s.get(start..).unwrap_or("");
        let end = rest.char_indices().nth(n).map_or(rest.len(), |c| c.0);
        start..start + end
    };
    let range = cut(&s);
    match s {
        Cow::Borrowed(s) => Sv::text(s.get(range).unwrap_or("")),
        Cow::Owned(s) => Sv::text(s.get(range).unwrap_or("").to_owned()),
    }
}

fn upper<'a>(a: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    Ok(Sv::text(text(a, 0).chars().map(fold).collect::<String>()))
}

fn lower<'a>(a: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    // Letter by letter, as the server does.
    let one = |c: char| c.to_lowercase().next().unwrap_or(c);
    Ok(Sv::text(text(a, 0).chars().map(one).collect::<String>()))
}

fn concat<'a, 'b>(parts: impl Iterator<Item = &'b Sv<'a>> + Clone, separator: &str) -> Out<'a>
where
    'a: 'b,
{
    if parts.clone().any(|v| matches!(v, Sv::Bin(_))) {
        let all: Vec<Cow<[u8]>> = parts.map(Sv::bytes).collect();
        bounded(all.iter().map(|p| p.len() + separator.len()).sum())?;
        let b = all.join(separator.as_bytes());
        return Ok(Sv::Bin(b.into()));
    }
    let mut out = String::new();
    for (i, v) in parts.enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(&v.as_text().unwrap_or_default());
        bounded(out.len())?;
    }
    Ok(Sv::text(out))
}

/// CHAR: the bytes of numbers.
fn char_of<'a>(a: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    let mut out = Vec::new();
    for n in a.iter().filter_map(|v| v.as_i64()) {
        let b = (n as u32).to_be_bytes();
        let skip = b.iter().take_while(|x| **x == 0).count().min(3);
        out.extend_from_slice(b.get(skip..).unwrap_or(&[]));
    }
    Ok(Sv::Bin(out.into()))
}

fn export_set<'a>(a: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    let bits = int(a, 0);
    let (on, off) = (text(a, 1), text(a, 2));
    let separator = if a.len() > 3 { text(a, 3) } else { ",".into() };
    let count = if a.len() > 4 { int(a, 4).clamp(0, 64) } else { 64 };
    let parts: Vec<&str> =
        (0..count).map(|i| if bits >> i & 1 == 1 { on.as_ref() } else { off.as_ref() }).collect();
    bounded(parts.iter().map(|p| p.len() + separator.len()).sum())?;
    Ok(Sv::text(parts.join(&separator)))
}

fn field<'a>(a: &[Sv<'a>], env: &FnEnv) -> Out<'a> {
    let Some((first, rest)) = a.split_first() else { return Ok(Sv::int(0)) };
    let texts = a.iter().all(|v| v.is_text() || v.is_null());
    // Dates are texts here.
    let words = !texts && a.iter().all(|v| v.is_text() || v.is_temporal() || v.is_null());
    let at = rest.iter().position(|v| {
        if texts {
            return compare::compare(first, v, env) == Some(Ordering::Equal);
        }
        if words {
            return first.as_text().zip(v.as_text()).is_some_and(|(x, y)| collate(&x, &y).is_eq());
        }
        first.as_num().zip(v.as_num()).is_some_and(|(x, y)| x.cmp(&y).is_eq())
    });
    Ok(Sv::int(at.map_or(0, |i| i as i128 + 1)))
}

/// SUBSTRING: 1-based, negative counts from the end, 0 gives nothing.
fn substring<'a>(a: &[Sv<'a>], _: &FnEnv) -> Out<'a> {
    let (s, pos) = (text(a, 0), int(a, 1));
    let len = if a.len() > 2 { Some(int(a, 2)) } else { None };
    if pos == 0 || len.is_some_and(|l| l <= 0) {
        return Ok(Sv::text(""));
    }
    let start = match usize::try_from(pos) {
        Ok(p) => p - 1,
        Err(_) => {
            let total = length(&s);
            let back = usize::try_from(pos.unsigned_abs()).unwrap_or(usize::MAX);
            match total.checked_sub(back) {
                Some(start) => start,
                None => return Ok(Sv::text("")),
            }
        }
    };
    Ok(slice(s, start, len.and_then(|l| usize::try_from(l).ok()).unwrap_or(usize::MAX)))
}

/// Position (1-based, characters) of `needle` from character `from` on; 0 if it is not there.
fn locate(needle: &str, hay: &str, from: i64, fold: fn(char) -> char) -> i64 {
    let Ok(start) = usize::try_from(from.saturating_sub(1)) else { return 0 };
    if from < 1 {
        return 0;
    }
    if start > 0 && hay.chars().nth(start).is_none() {
        return 0;
    }
    if needle.is_empty() {
        return from;
    }
    // A search in texts takes linear time; a letter stays one letter.
    let rest: String = hay.chars().skip(start).map(fold).collect();
    let needle: String = needle.chars().map(fold).collect();
    let before = rest.find(&needle).and_then(|at| rest.get(..at));
    before.map_or(0, |b| from + i64::try_from(b.chars().count()).unwrap_or(0))
}

fn pad<'a>(a: &[Sv<'a>], left: bool) -> Out<'a> {
    let (s, len) = (text(a, 0), int(a, 1));
    let with = if a.len() > 2 { text(a, 2) } else { " ".into() };
    let Ok(len) = usize::try_from(len) else { return Ok(Sv::Null) };
    let total = length(&s);
    if len <= total {
        return Ok(slice(s, 0, len));
    }
    if with.is_empty() {
        return Ok(Sv::Null);
    }
    bounded((len - total).saturating_mul(with.chars().map(char::len_utf8).max().unwrap_or(1)))?;
    let filler: String = with.chars().cycle().take(len - total).collect();
    Ok(Sv::text(if left { filler + &s } else { s.into_owned() + &filler }))
}

fn substring_index<'a>(s: Cow<'a, str>, delimiter: &str, count: i64) -> Sv<'a> {
    if delimiter.is_empty() || count == 0 {
        return Sv::text("");
    }
    let n = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let range = if count > 0 {
        match s.match_indices(delimiter).nth(n - 1) {
            Some((i, _)) => 0..i,
            None => return Sv::Str(s),
        }
    } else {
        match s.rmatch_indices(delimiter).nth(n - 1) {
            Some((i, _)) => i + delimiter.len()..s.len(),
            None => return Sv::Str(s),
        }
    };
    match s {
        Cow::Borrowed(s) => Sv::text(s.get(range).unwrap_or("")),
        Cow::Owned(s) => Sv::text(s.get(range).unwrap_or("").to_owned()),
    }
}

fn trim<'a>(s: Cow<'a, str>, what: &str, leading: bool, trailing: bool) -> Cow<'a, str> {
    if what.is_empty() {
        return s;
    }
    let cut = |s: &str| {
        let mut t = s;
        while leading && let Some(rest) = t.strip_prefix(what) {
            t = rest;
        }
        let start = s.len() - t.len();
        while trailing && let Some(rest) = t.strip_suffix(what) {
            t = rest;
        }
        start..start + t.len()
    };
    let range = cut(&s);
    match s {
        Cow::Borrowed(s) => Cow::Borrowed(s.get(range).unwrap_or("")),
        Cow::Owned(s) => Cow::Owned(s.get(range).unwrap_or("").to_owned()),
    }
}

/// SOUNDEX as the server has it: of any length, four at least; what is not ASCII counts as a vowel.
pub(super) fn soundex(s: &str) -> String {
    let code = |c: char| match c.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        _ => '0',
    };
    let mut letters = s.chars().filter(|c| c.is_ascii_alphabetic() || !c.is_ascii());
    let Some(first) = letters.next() else { return String::new() };
    let mut out = String::from(first.to_ascii_uppercase());
    let mut last = code(first);
    for k in letters.map(code) {
        if k != '0' && k != last {
            out.push(k);
            last = k;
        }
    }
    while length(&out) < 4 {
        out.push('0');
    }
    out
}
