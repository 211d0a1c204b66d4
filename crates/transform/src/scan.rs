//! The end of a list or object, and whether it is written without blanks: 64 bytes at a time, their quotes, brackets and
//! blanks as bits of a word, so that most bytes are never looked at one by one.

use wide::u8x16;

/// Where a list or object ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// One behind its last bracket.
    pub end: usize,
    /// Without blanks between its tokens, without escapes and control characters; told only where that was asked.
    pub compact: bool,
}

/// The text ends before the list or object does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    InQuotes,
    Between,
}

const LANES: usize = 16;
const BLOCK: usize = 64;

/// One bit for each byte of a block.
#[derive(Default)]
struct Bits {
    quote: u64,
    slash: u64,
    open: u64,
    close: u64,
    blank: u64,
    control: u64,
}

impl Bits {
    fn of<const COMPACT: bool>(block: &[u8; BLOCK]) -> Bits {
        let mut bits = Bits::default();
        let (lanes, _) = block.as_chunks::<LANES>();
        for (i, lane) in lanes.iter().enumerate() {
            let v = u8x16::new(*lane);
            // Both brackets differ from both braces by one bit, and nothing else becomes a brace by it.
            let folded = v | u8x16::splat(0x20);
            let put = |word: &mut u64, hits: u8x16| {
                *word |= u64::from(hits.to_bitmask()) << (i * LANES);
            };
            put(&mut bits.quote, v.simd_eq(u8x16::splat(b'"')));
            put(&mut bits.slash, v.simd_eq(u8x16::splat(b'\\')));
            put(&mut bits.open, folded.simd_eq(u8x16::splat(b'{')));
            put(&mut bits.close, folded.simd_eq(u8x16::splat(b'}')));
            if COMPACT {
                put(&mut bits.blank, v.simd_eq(u8x16::splat(b' ')));
                put(&mut bits.control, v.min(u8x16::splat(0x1f)).simd_eq(v));
            }
        }
        bits
    }
}

/// Bits between quotes, the opening one counted in, the closing one not.
fn between(mut quotes: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        quotes ^= quotes << shift;
    }
    quotes
}

/// Bits behind a backslash that counts; `carried`: the first byte stands behind one, and then whether the next block's
/// does.
fn escaped(mut slashes: u64, carried: &mut bool) -> u64 {
    let mut escaped = u64::from(*carried);
    slashes &= !escaped;
    *carried = false;
    while slashes != 0 {
        let at = slashes.trailing_zeros();
        let next = (1u64 << at) << 1;
        *carried = next == 0;
        escaped |= next;
        slashes &= !(next | (1 << at));
    }
    escaped
}

/// The end of the list or object that opens at `from`.
///
/// # Errors
/// The text ends before it does.
pub(crate) fn container<const COMPACT: bool>(bytes: &[u8], from: usize) -> Result<Span, Cut> {
    let mut at = from;
    let (mut depth, mut inside, mut carried, mut compact) = (0usize, 0u64, false, true);
    loop {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let bits = match rest.first_chunk::<BLOCK>() {
            Some(block) => Bits::of::<COMPACT>(block),
            None if rest.is_empty() => return Err(if inside == 0 { Cut::Between } else { Cut::InQuotes }),
            None => {
                // Blanks behind the end change nothing of what is in front of it.
                let mut block = [b' '; BLOCK];
                for (to, from) in block.iter_mut().zip(rest) {
                    *to = *from;
                }
                Bits::of::<COMPACT>(&block)
            }
        };
        let mut quotes = bits.quote;
        if bits.slash != 0 || carried {
            compact = false;
            quotes &= !escaped(bits.slash, &mut carried);
        }
        let text = between(quotes) ^ inside;
        let (open, close) = (bits.open & !text, bits.close & !text);
        let uneven = (bits.blank & !text) | bits.control;
        // Fewer closing brackets than there are open ones: it does not end here.
        let closing = close.count_ones() as usize;
        if closing >= depth {
            let mut brackets = open | close;
            while brackets != 0 {
                let bit = brackets & brackets.wrapping_neg();
                if open & bit != 0 {
                    depth += 1;
                } else {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Ok(Span {
                            end: at + bit.trailing_zeros() as usize + 1,
                            compact: compact && uneven & (bit - 1) == 0,
                        });
                    }
                }
                brackets ^= bit;
            }
        } else {
            depth = depth + open.count_ones() as usize - closing;
        }
        compact &= uneven == 0;
        // All ones where the block ends inside of a text.
        inside = 0u64.wrapping_sub(text >> (BLOCK - 1));
        at += BLOCK;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::{Cut, Span, container};

    /// Where serde_json sees the end.
    fn end(text: &str) -> usize {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.next().unwrap().unwrap();
        values.byte_offset()
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let text = "([a-c\\[\\]{}\":, \\\\]|\\PC|\n){0,90}";
        let leaf = prop_oneof![
            text.prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null)
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(text, inner, 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn ends_where_another_parser_sees_the_end(v in json(), before in 0usize..70, pretty: bool, tail in "[\\]}\",{ a]{0,80}") {
            let list = serde_json::Value::Array(vec![v]);
            let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) }.unwrap();
            let whole = format!("{}{text}{tail}", "x".repeat(before));
            let found = container::<true>(whole.as_bytes(), before).unwrap();
            prop_assert_eq!(found.end, before + end(&text));
            prop_assert_eq!(container::<false>(whole.as_bytes(), before).unwrap().end, found.end);
            let escapes = text.contains('\\');
            prop_assert_eq!(found.compact, !pretty && !escapes, "{}", text);
            // What is cut never ends.
            for cut in 1..text.len() {
                let part = &text.as_bytes()[..cut];
                prop_assert!(container::<false>(part, 0).is_err(), "{} of {}", cut, text);
            }
        }
    }

    #[test]
    fn says_where_a_text_is_cut() {
        assert_eq!(container::<false>(b"[1,{\"a", 0), Err(Cut::InQuotes));
        assert_eq!(container::<false>(b"[1,{\"a\"", 0), Err(Cut::Between));
        for n in 50..80 {
            let slashes = format!("[\"{}\\\\\",\"]\\\"\"]]", "x".repeat(n));
            let end = slashes.len() - 1;
            assert_eq!(container::<true>(slashes.as_bytes(), 0), Ok(Span { end, compact: false }), "{n}");
            let blank = format!("[\"{}\",1 ]", "x".repeat(n));
            assert!(!container::<true>(blank.as_bytes(), 0).unwrap().compact);
            let behind = format!("[\"{}\",1] ", " ".repeat(n));
            assert_eq!(
                container::<true>(behind.as_bytes(), 0),
                Ok(Span { end: behind.len() - 1, compact: true })
            );
        }
    }
}
