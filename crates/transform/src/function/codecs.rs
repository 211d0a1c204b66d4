//! Encodings, hashes and number bases.

use base64::Engine as _;
use md5::{Digest, Md5};

use super::decimal::{Mode, NOT_FIXED};
use super::eval::bounded;
use super::numbers::round_double;
use super::sv::{Num, Sv, double_text};
use super::table::{Builtin, Out, open, strict};

/// Encodings, hashes and number bases.
pub(super) const TABLE: &[Builtin] = &[
    strict("BIN", 1, 1, |a, _| Ok(conv(&text(a, 0), 10, 2))),
    strict("CONV", 3, 3, |a, _| Ok(conv(&text(a, 0), int(a, 1), int(a, 2)))),
    strict("CRC32", 1, 1, |a, _| Ok(Sv::int(i128::from(crc32(&bytes(a)))))),
    strict("FORMAT", 2, 3, |a, _| Ok(grouped(a))),
    strict("FROM_BASE64", 1, 1, |a, _| {
        let packed: String = text(a, 0).chars().filter(|c| !c.is_whitespace()).collect();
        let b = base64::engine::general_purpose::STANDARD.decode(packed);
        Ok(b.map_or(Sv::Null, |b| Sv::Bin(b.into())))
    }),
    strict("HEX", 1, 1, |a, _| {
        Ok(match a.first() {
            Some(Sv::Num(n)) => Sv::text(format!("{:X}", rounded_bits(n))),
            Some(Sv::Bool(b)) => Sv::text(if *b { "1" } else { "0" }),
            _ => {
                let b = bytes(a);
                bounded(b.len() * 2)?;
                Sv::text(hex::encode_upper(b))
            }
        })
    }),
    strict("INET_ATON", 1, 1, |a, _| {
        let parts: Option<Vec<u8>> = text(a, 0).split('.').map(|p| p.parse().ok()).collect();
        Ok(match parts.as_deref() {
            Some([a, b, c, d]) => Sv::int(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => Sv::Null,
        })
    }),
    strict("INET_NTOA", 1, 1, |a, _| {
        Ok(match u32::try_from(int(a, 0)) {
            Ok(n) => Sv::text(std::net::Ipv4Addr::from(n).to_string()),
            Err(_) => Sv::Null,
        })
    }),
    strict("MD5", 1, 1, |a, _| Ok(Sv::text(hex::encode(Md5::digest(bytes(a)))))),
    strict("OCT", 1, 1, |a, _| Ok(conv(&text(a, 0), 10, 8))),
    strict("SHA", 1, 1, sha1),
    strict("SHA1", 1, 1, sha1),
    open("SHA2", 2, 2, |a, _| {
        if a.first().is_none_or(Sv::is_null) {
            return Ok(Sv::Null);
        }
        let b = bytes(a);
        Ok(Sv::text(match int(a, 1) {
            0 | 256 => hex::encode(sha2::Sha256::digest(b)),
            224 => hex::encode(sha2::Sha224::digest(b)),
            384 => hex::encode(sha2::Sha384::digest(b)),
            512 => hex::encode(sha2::Sha512::digest(b)),
            _ => return Ok(Sv::Null),
        }))
    }),
    strict("TO_BASE64", 1, 1, |a, _| {
        let b = bytes(a);
        bounded(b.len() * 2)?;
        let plain = base64::engine::general_purpose::STANDARD.encode(b);
        let lines: Vec<&str> =
            plain.as_bytes().chunks(76).filter_map(|c| std::str::from_utf8(c).ok()).collect();
        Ok(Sv::text(lines.join("\n")))
    }),
    strict("UNHEX", 1, 1, |a, _| {
        let t = text(a, 0);
        let even = if t.len().is_multiple_of(2) { t } else { format!("0{t}") };
        Ok(hex::decode(even).map_or(Sv::Null, |b| Sv::Bin(b.into())))
    }),
    // Version 4: the answer must not depend on the machine.
    open("UUID", 0, 0, |_, _| Ok(Sv::text(uuid::Uuid::new_v4().to_string()))),
];

fn sha1<'a>(a: &[Sv<'a>], _: &super::FnEnv) -> Out<'a> {
    Ok(Sv::text(hex::encode(sha1::Sha1::digest(bytes(a)))))
}

fn text(a: &[Sv], i: usize) -> String {
    a.get(i).and_then(Sv::as_text).unwrap_or_default().into_owned()
}

fn int(a: &[Sv], i: usize) -> i64 {
    a.get(i).and_then(Sv::as_i64).unwrap_or(0)
}

fn bytes(a: &[Sv]) -> Vec<u8> {
    a.first().map(|v| v.bytes().into_owned()).unwrap_or_default()
}

/// The bits of the nearest whole number; through a floating number where there is a point, as the server does.
fn rounded_bits(n: &Num) -> u64 {
    if let Num::Dec(d) = n
        && d.shown() == 0
        && let Some(n) = d.to_i128()
    {
        return i64::try_from(n).map_or(u64::try_from(n).unwrap_or(u64::MAX), |n| n as u64);
    }
    let f = n.f64();
    if f < 0.0 { (f - 0.5) as i64 as u64 } else { (f + 0.5) as u64 }
}

fn digits_in(mut n: u64, radix: u64) -> String {
    let mut out = Vec::new();
    while n > 0 || out.is_empty() {
        let d = u32::try_from(n % radix).unwrap_or(0);
        out.push(char::from_digit(d, 36).unwrap_or('0').to_ascii_uppercase());
        n /= radix;
    }
    out.iter().rev().collect()
}

/// CONV: a negative base reads or writes signed numbers.
fn conv<'a>(text: &str, from: i64, to: i64) -> Sv<'a> {
    let known = |b: i64| (2..=36).contains(&b.unsigned_abs());
    if text.is_empty() || !known(from) || !known(to) {
        return Sv::Null;
    }
    let radix = u32::try_from(from.unsigned_abs()).unwrap_or(10);
    let t = text.trim_start();
    let (negative, body) = match t.strip_prefix('-') {
        Some(b) => (true, b),
        None => (false, t.strip_prefix('+').unwrap_or(t)),
    };
    let mut value = 0u128;
    for c in body.chars() {
        let Some(d) = c.to_digit(radix) else { break };
        value = (value * u128::from(radix) + u128::from(d)).min(u128::from(u64::MAX) + 1);
    }
    let bits = if from < 0 {
        let most = i64::MAX as u128;
        if negative { (value.min(most + 1) as u64).wrapping_neg() } else { value.min(most) as u64 }
    } else if value > u128::from(u64::MAX) {
        u64::MAX
    } else if negative {
        (value as u64).wrapping_neg()
    } else {
        value as u64
    };
    let radix = to.unsigned_abs();
    let signed = bits as i64;
    if to < 0 && signed < 0 {
        return Sv::text(format!("-{}", digits_in(signed.unsigned_abs(), radix)));
    }
    Sv::text(digits_in(bits, radix))
}

/// FORMAT: digits in groups of three.
fn grouped<'a>(a: &[Sv<'a>]) -> Sv<'a> {
    let Some(n) = a.first().and_then(Sv::as_num) else { return Sv::Null };
    let digits = u32::try_from(int(a, 1).clamp(0, 38)).unwrap_or(0);
    let plain = match &n {
        Num::Dec(d) | Num::Apx(d) => d.round(i64::from(digits), Mode::Half).text(),
        Num::Dbl(f, _) => double_text(round_double(*f, i64::from(digits), false), digits.min(NOT_FIXED - 1)),
    };
    let (group, point) = match a.get(2).and_then(Sv::as_text).as_deref().map(|l| l.get(..2).unwrap_or("")) {
        Some("de" | "es" | "it" | "nl" | "pt" | "id" | "tr" | "da" | "vi") => (".", ","),
        Some("fr" | "ru" | "pl" | "cs" | "uk") => ("", ","),
        _ => (",", "."),
    };
    let (sign, plain) = match plain.strip_prefix('-') {
        Some(rest) if rest.bytes().any(|b| (b'1'..=b'9').contains(&b)) => ("-", rest),
        Some(rest) => ("", rest),
        None => ("", plain.as_str()),
    };
    let (whole, frac) = plain.split_once('.').map_or((plain, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push_str(group);
        }
        out.push(c);
    }
    if let Some(f) = frac {
        out.push_str(point);
        out.push_str(f);
    }
    Sv::text(out)
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
