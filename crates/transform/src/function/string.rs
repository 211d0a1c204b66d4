//! Text functions.

use std::cmp::Ordering;

use base64::Engine as _;
use bigdecimal::{BigDecimal, RoundingMode, Signed};
use md5::{Digest, Md5};

use super::eval::{Args, MAX_TEXT};
use super::{FnEnv, FnError, Sv, sv};
use crate::text;

/// `LIKE` with `%`, `_` and an escape character; case and trailing blanks as the collation has it.
pub(super) fn like(s: &str, pattern: &str, escape: char) -> bool {
    let fold = |t: &str| -> Vec<char> { t.chars().flat_map(char::to_uppercase).collect() };
    #[derive(PartialEq)]
    enum P {
        Any,
        One,
        Is(char),
    }
    let mut pat = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == escape && escape != '\0' => {
                let literal = chars.next().unwrap_or(c);
                pat.extend(literal.to_uppercase().map(P::Is));
            }
            '%' => pat.push(P::Any),
            '_' => pat.push(P::One),
            c => pat.extend(c.to_uppercase().map(P::Is)),
        }
    }
    let s = fold(s);
    // Greedy with one backtracking point: linear in practice, never exponential.
    let (mut i, mut j, mut star) = (0, 0, None);
    while i < s.len() {
        match pat.get(j) {
            Some(P::Any) => {
                star = Some((j, i));
                j += 1;
            }
            Some(P::One) => {
                i += 1;
                j += 1;
            }
            Some(P::Is(c)) if s.get(i) == Some(c) => {
                i += 1;
                j += 1;
            }
            _ => match star {
                Some((sj, si)) => {
                    j = sj + 1;
                    i = si + 1;
                    star = Some((sj, si + 1));
                }
                None => return false,
            },
        }
    }
    pat.iter().skip(j).all(|p| *p == P::Any)
}

/// A pattern with the collation's case rule; size and time are bounded by the regex crate.
pub(super) fn regex(pattern: &str) -> Result<regex::Regex, FnError> {
    regex::RegexBuilder::new(pattern).case_insensitive(true).size_limit(1 << 20).build().map_err(|e| {
        FnError::new("HL-2311", text!("the pattern cannot be used: {e}", "正则表达式无法使用:{e}"))
    })
}

fn index(v: &Sv) -> Option<i64> {
    v.as_i64()
}

fn slice(s: &str, from: usize, n: usize) -> String {
    s.chars().skip(from).take(n).collect()
}

/// SUBSTRING: 1-based, negative counts from the end, 0 gives nothing.
fn substring(s: &str, pos: i64, len: Option<i64>) -> String {
    let total = s.chars().count() as i64;
    let start = match pos {
        0 => return String::new(),
        p if p > 0 => p - 1,
        p => total + p,
    };
    if start < 0 || start >= total || len.is_some_and(|l| l <= 0) {
        return String::new();
    }
    let n = len.unwrap_or(total).min(total - start);
    slice(s, usize::try_from(start).unwrap_or(0), usize::try_from(n).unwrap_or(0))
}

/// Position (1-based, characters) of `needle` from character `from` on, ignoring case; 0 if it is not there.
fn locate(needle: &str, hay: &str, from: i64) -> i64 {
    if from < 1 {
        return 0;
    }
    let fold = |t: &str| -> Vec<char> { t.chars().map(|c| c.to_uppercase().next().unwrap_or(c)).collect() };
    let (n, h) = (fold(needle), fold(hay));
    let start = usize::try_from(from - 1).unwrap_or(usize::MAX);
    if start > h.len() {
        return 0;
    }
    if n.is_empty() {
        return from;
    }
    (start..=h.len().saturating_sub(n.len()))
        .find(|i| h.get(*i..*i + n.len()) == Some(n.as_slice()))
        .map_or(0, |i| i as i64 + 1)
}

fn pad(s: &str, len: i64, with: &str, left: bool) -> Result<Sv, FnError> {
    let total = s.chars().count() as i64;
    if len < 0 {
        return Ok(Sv::Null);
    }
    if len <= total {
        return Ok(Sv::Str(slice(s, 0, usize::try_from(len).unwrap_or(0))));
    }
    if with.is_empty() {
        return Ok(Sv::text(""));
    }
    let missing = bounded(usize::try_from(len - total).unwrap_or(usize::MAX), with.len())?;
    let filler: String = with.chars().cycle().take(missing).collect();
    Ok(Sv::Str(if left { filler + s } else { s.to_owned() + &filler }))
}

fn bounded(times: usize, bytes: usize) -> Result<usize, FnError> {
    if times.saturating_mul(bytes.max(1)) > MAX_TEXT {
        return Err(FnError::new(
            "HL-2311",
            text!("the text would be longer than 4 MiB", "文本将超过 4 MiB"),
        ));
    }
    Ok(times)
}

fn substring_index(s: &str, delim: &str, count: i64) -> String {
    if delim.is_empty() || count == 0 {
        return String::new();
    }
    let parts: Vec<&str> = s.split(delim).collect();
    let n = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if n >= parts.len() {
        return s.to_owned();
    }
    if count > 0 {
        parts.get(..n).unwrap_or(&[]).join(delim)
    } else {
        parts.get(parts.len() - n..).unwrap_or(&[]).join(delim)
    }
}

/// Digits in groups of three, as FORMAT shows them.
fn grouped(d: &BigDecimal, digits: i64) -> String {
    let r = d.with_scale_round(digits.clamp(0, 38), RoundingMode::HalfUp);
    let plain = r.abs().to_plain_string();
    let (whole, frac) = plain.split_once('.').map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if let Some(f) = frac {
        out.push('.');
        out.push_str(f);
    }
    if r.is_negative() { format!("-{out}") } else { out }
}

fn trim(s: &str, what: &str, leading: bool, trailing: bool) -> String {
    if what.is_empty() {
        return s.to_owned();
    }
    let mut t = s;
    while leading && let Some(rest) = t.strip_prefix(what) {
        t = rest;
    }
    while trailing && let Some(rest) = t.strip_suffix(what) {
        t = rest;
    }
    t.to_owned()
}

/// Text functions. `Ok(None)` for other names.
pub(super) fn call(name: &str, args: &Args, env: &FnEnv) -> Result<Option<Sv>, FnError> {
    // CONCAT_WS skips NULL; everybody else here is NULL with any NULL argument.
    match name {
        "CONCAT_WS" => {
            let Some(sep) = args.first().and_then(Sv::as_text) else { return Ok(Some(Sv::Null)) };
            let parts: Vec<String> = args.iter().skip(1).filter_map(Sv::as_text).collect();
            return Ok(Some(Sv::Str(parts.join(&sep))));
        }
        "FIELD" => {
            let first = args.first().unwrap_or(&Sv::Null);
            let all_text = args.iter().all(|a| matches!(a, Sv::Str(_)));
            let at = args.iter().skip(1).position(|a| {
                let order = if all_text {
                    sv::compare(first, a)
                } else {
                    first.as_num().zip(a.as_num()).map(|(x, y)| sv::cmp_num(&x, &y))
                };
                order == Some(Ordering::Equal)
            });
            return Ok(Some(Sv::int(at.map_or(0, |i| i as i64 + 1))));
        }
        "ELT" => {
            let n = args.first().and_then(index).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
            let v = n.and_then(|n| args.get(n)).and_then(Sv::as_text);
            return Ok(Some(v.map_or(Sv::Null, Sv::Str)));
        }
        "QUOTE" if args.first().is_some_and(Sv::is_null) => return Ok(Some(Sv::text("NULL"))),
        "CHAR" => {
            let bytes: Vec<u8> = args
                .iter()
                .filter_map(index)
                .flat_map(|n| {
                    let b = (n as u32).to_be_bytes();
                    let skip = b.iter().take_while(|x| **x == 0).count().min(3);
                    b.into_iter().skip(skip)
                })
                .collect();
            return Ok(Some(Sv::Str(String::from_utf8_lossy(&bytes).into_owned())));
        }
        "UUID" => {
            // Version 4: the expression must not depend on the machine.
            return Ok(Some(Sv::Str(uuid::Uuid::new_v4().to_string())));
        }
        _ => {}
    }
    const NAMES: &[&str] = &[
        "ASCII",
        "BIT_LENGTH",
        "CHARACTER_LENGTH",
        "CHAR_LENGTH",
        "CONCAT",
        "CRC32",
        "FIND_IN_SET",
        "FORMAT",
        "FROM_BASE64",
        "HEX",
        "INSERT",
        "INSTR",
        "LCASE",
        "LEFT",
        "LENGTH",
        "LOCATE",
        "LOWER",
        "LPAD",
        "LTRIM",
        "MD5",
        "MID",
        "OCTET_LENGTH",
        "ORD",
        "POSITION",
        "QUOTE",
        "REGEXP_INSTR",
        "REGEXP_LIKE",
        "REGEXP_REPLACE",
        "REGEXP_SUBSTR",
        "REPEAT",
        "REPLACE",
        "REVERSE",
        "RIGHT",
        "RPAD",
        "RTRIM",
        "SHA",
        "SHA1",
        "SHA2",
        "SPACE",
        "STRCMP",
        "SUBSTR",
        "SUBSTRING",
        "SUBSTRING_INDEX",
        "TO_BASE64",
        "TRIM",
        "TRIM_BOTH",
        "TRIM_LEADING",
        "TRIM_TRAILING",
        "UCASE",
        "UNHEX",
        "UPPER",
    ];
    let _ = env;
    if !NAMES.contains(&name) {
        return Ok(None);
    }
    if args.iter().any(Sv::is_null) {
        return Ok(Some(Sv::Null));
    }
    let s = |i: usize| args.get(i).and_then(Sv::as_text).unwrap_or_default();
    let n = |i: usize| args.get(i).and_then(index).unwrap_or(0);
    Ok(Some(match name {
        "CONCAT" => {
            let all = args.iter().filter_map(Sv::as_text).collect::<String>();
            bounded(1, all.len())?;
            Sv::Str(all)
        }
        "LENGTH" | "OCTET_LENGTH" => Sv::int(s(0).len() as i64),
        "BIT_LENGTH" => Sv::int(s(0).len() as i64 * 8),
        "CHAR_LENGTH" | "CHARACTER_LENGTH" => Sv::int(s(0).chars().count() as i64),
        "UPPER" | "UCASE" => Sv::Str(s(0).to_uppercase()),
        "LOWER" | "LCASE" => Sv::Str(s(0).to_lowercase()),
        "LEFT" => Sv::Str(slice(&s(0), 0, usize::try_from(n(1)).unwrap_or(0))),
        "RIGHT" => {
            let text = s(0);
            let total = text.chars().count();
            let k = usize::try_from(n(1)).unwrap_or(0).min(total);
            Sv::Str(slice(&text, total - k, k))
        }
        "SUBSTRING" | "SUBSTR" | "MID" => Sv::Str(substring(&s(0), n(1), args.get(2).map(|_| n(2)))),
        "SUBSTRING_INDEX" => Sv::Str(substring_index(&s(0), &s(1), n(2))),
        "LOCATE" => Sv::int(locate(&s(0), &s(1), if args.len() > 2 { n(2) } else { 1 })),
        "POSITION" => Sv::int(locate(&s(0), &s(1), 1)),
        "INSTR" => Sv::int(locate(&s(1), &s(0), 1)),
        "REPLACE" => {
            let (text, from, to) = (s(0), s(1), s(2));
            if from.is_empty() {
                Sv::Str(text)
            } else {
                let hits = text.matches(&from).count();
                bounded(hits, to.len())?;
                Sv::Str(text.replace(&from, &to))
            }
        }
        "INSERT" => {
            let text = s(0);
            let (pos, len) = (n(1), n(2));
            let total = text.chars().count() as i64;
            if pos < 1 || pos > total {
                Sv::Str(text)
            } else {
                let start = usize::try_from(pos - 1).unwrap_or(0);
                let cut =
                    if len < 0 || pos + len > total { usize::MAX } else { usize::try_from(len).unwrap_or(0) };
                let tail: String = text.chars().skip(start.saturating_add(cut)).collect();
                Sv::Str(slice(&text, 0, start) + &s(3) + &tail)
            }
        }
        "TRIM" => Sv::Str(trim(&s(0), " ", true, true)),
        "LTRIM" => Sv::Str(trim(&s(0), " ", true, false)),
        "RTRIM" => Sv::Str(trim(&s(0), " ", false, true)),
        "TRIM_BOTH" => Sv::Str(trim(&s(0), &s(1), true, true)),
        "TRIM_LEADING" => Sv::Str(trim(&s(0), &s(1), true, false)),
        "TRIM_TRAILING" => Sv::Str(trim(&s(0), &s(1), false, true)),
        "LPAD" | "RPAD" => {
            let filler = if args.len() > 2 { s(2) } else { " ".into() };
            pad(&s(0), n(1), &filler, name == "LPAD")?
        }
        "REVERSE" => Sv::Str(s(0).chars().rev().collect()),
        "REPEAT" => {
            let text = s(0);
            Sv::Str(text.repeat(bounded(usize::try_from(n(1)).unwrap_or(0), text.len())?))
        }
        "SPACE" => Sv::Str(" ".repeat(bounded(usize::try_from(n(0)).unwrap_or(0), 1)?)),
        "STRCMP" => Sv::int(match sv::collate(&s(0), &s(1)) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
        "ASCII" => Sv::int(i64::from(s(0).bytes().next().unwrap_or(0))),
        "ORD" => {
            let text = s(0);
            let first = text.chars().next().map_or(0, char::len_utf8);
            let code = text.bytes().take(first).fold(0i64, |acc, b| acc * 256 + i64::from(b));
            Sv::int(code)
        }
        "HEX" => match args.first() {
            Some(Sv::Str(t)) => Sv::Str(hex::encode_upper(t)),
            Some(v) if v.is_temporal() => Sv::Str(hex::encode_upper(s(0))),
            _ => Sv::Str(format!("{:X}", n(0) as u64)),
        },
        "UNHEX" => {
            let t = s(0);
            let even = if t.len().is_multiple_of(2) { t } else { format!("0{t}") };
            hex::decode(even).map_or(Sv::Null, |b| Sv::Str(String::from_utf8_lossy(&b).into_owned()))
        }
        "MD5" => Sv::Str(hex::encode(Md5::digest(s(0)))),
        "SHA" | "SHA1" => Sv::Str(hex::encode(sha1::Sha1::digest(s(0)))),
        "SHA2" => match n(1) {
            0 | 256 => Sv::Str(hex::encode(sha2::Sha256::digest(s(0)))),
            224 => Sv::Str(hex::encode(sha2::Sha224::digest(s(0)))),
            384 => Sv::Str(hex::encode(sha2::Sha384::digest(s(0)))),
            512 => Sv::Str(hex::encode(sha2::Sha512::digest(s(0)))),
            _ => Sv::Null,
        },
        "CRC32" => Sv::int(i64::from(crc32(s(0).as_bytes()))),
        "TO_BASE64" => {
            let plain = base64::engine::general_purpose::STANDARD.encode(s(0));
            let lines: Vec<&str> =
                plain.as_bytes().chunks(76).filter_map(|c| std::str::from_utf8(c).ok()).collect();
            Sv::Str(lines.join("\n"))
        }
        "FROM_BASE64" => {
            let packed: String = s(0).chars().filter(|c| !c.is_whitespace()).collect();
            base64::engine::general_purpose::STANDARD
                .decode(packed)
                .map_or(Sv::Null, |b| Sv::Str(String::from_utf8_lossy(&b).into_owned()))
        }
        "FIND_IN_SET" => {
            let (needle, set) = (s(0), s(1));
            let at = if set.is_empty() || needle.contains(',') {
                None
            } else {
                set.split(',').position(|p| sv::collate(p, &needle) == Ordering::Equal)
            };
            Sv::int(at.map_or(0, |i| i as i64 + 1))
        }
        "FORMAT" => match args.first().and_then(Sv::as_dec) {
            Some(d) => Sv::Str(grouped(&d, n(1))),
            None => Sv::Null,
        },
        "QUOTE" => {
            let body = s(0).replace('\\', "\\\\").replace('\'', "\\'").replace('\0', "\\0");
            Sv::Str(format!("'{body}'"))
        }
        "REGEXP_LIKE" => Sv::flag(Some(regex(&s(1))?.is_match(&s(0)))),
        "REGEXP_INSTR" => {
            let text = s(0);
            let at = regex(&s(1))?
                .find(&text)
                .map_or(0, |m| text.get(..m.start()).map_or(0, |b| b.chars().count()) as i64 + 1);
            Sv::int(at)
        }
        "REGEXP_SUBSTR" => {
            let text = s(0);
            let found = regex(&s(1))?.find(&text).map_or("", |m| m.as_str());
            Sv::text(found)
        }
        "REGEXP_REPLACE" => {
            // MariaDB writes groups as \1.
            let with = rewrite_groups(&s(2));
            let out = regex(&s(1))?.replace_all(&s(0), with.as_str()).into_owned();
            bounded(1, out.len())?;
            Sv::Str(out)
        }
        _ => return Ok(None),
    }))
}

fn rewrite_groups(s: &str) -> String {
    let mut out = String::new();
    let mut chars = s.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => out.push_str(&format!("${{{d}}}")),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for b in bytes {
        crc ^= u32::from(*b);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
