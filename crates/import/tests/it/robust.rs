//! Any bytes: an error or plans, in linear time.

use heliu_import::{Draft, read_text};
use proptest::prelude::*;
use serde_json::Value;

use crate::options;

fn read(bytes: &[u8]) -> Option<Vec<Draft>> {
    read_text(bytes, &options()).ok()
}

/// Characters that the reader treats in some special way, and a few that it does not.
const BITS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "'",
    "\\",
    "\n",
    " ",
    "...",
    "//",
    "/*",
    "*/",
    "#",
    "\u{201c}",
    "\u{201d}",
    "\u{ff0c}",
    "\u{ff1a}",
    "\u{a0}",
    "&quot;",
    "<br>",
    "</span>",
    "<!--",
    "-->",
    "True",
    "None",
    "null",
    "1",
    "-",
    ".5",
    "x",
    "店",
    "\"api\"",
    "\"request\":[",
    "{\"field\":\"a\"}",
    "\"id\":\"x\"",
    "{{a}}",
    "{a}",
    "=>",
    "\\u12",
    "\u{1f600}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn any_mixture(parts in prop::collection::vec(prop::sample::select(BITS), 0..80)) {
        let text = parts.concat();
        if let Some(drafts) = read(text.as_bytes()) {
            for d in drafts {
                for r in d.repairs {
                    prop_assert!(r.line <= text.matches('\n').count() + 1, "{r:?}");
                }
            }
        }
    }

    /// A document that lost a character here and there still gives a plan or an error, and what is read again from
    /// what was written is the same.
    #[test]
    fn damaged_documents(hits in prop::collection::vec((0usize..2000, 0u8..4), 0..6)) {
        let mut text: Vec<char> = include_str!("fixtures/receipts.txt").chars().collect();
        for (at, how) in hits {
            let Some(at) = at.checked_rem(text.len()) else { break };
            match how {
                0 => { text.remove(at); }
                1 => text.insert(at, '"'),
                2 => text.truncate(at + 1),
                _ => text[at] = '}',
            }
        }
        let text: String = text.into_iter().collect();
        for d in read(text.as_bytes()).unwrap_or_default() {
            let written = serde_json::to_string_pretty(&d.plan).unwrap();
            let again = read(written.as_bytes()).unwrap_or_default();
            prop_assert_eq!(again.len(), 1);
            prop_assert_eq!(&again[0].plan, &d.plan);
            prop_assert!(again[0].repairs.is_empty());
        }
    }

    /// Strict JSON is never changed.
    #[test]
    fn strict_documents_are_verbatim(text in "[\\PC\n\t\"\\\\{}\\[\\],:”“]{0,60}", n in any::<i64>()) {
        let doc = serde_json::json!({"api": "/a", "id": "x", "number": "x", "t": text, "n": n, "l": [text, null, true]});
        let drafts = read(format!("言{doc}\n后").as_bytes()).unwrap_or_default();
        prop_assert_eq!(drafts.len(), 1);
        prop_assert_eq!(&drafts[0].plan["source"]["metadata"], &doc);
        prop_assert!(drafts[0].repairs.is_empty(), "{:?}", drafts[0].repairs);
    }
}

/// Inputs that were or could be hard: each must end. Time is not measured; the work is bounded by the length.
#[test]
fn tangles_end() {
    let n = 20_000;
    for one in [
        "{",
        "{\"",
        "{\"a\":",
        "{\"a\":\"",
        "{\"a\":[",
        "{\"a\":{",
        "{'a':'",
        "{\u{201c}a\u{201d}:\u{201c}",
        "{\"a\":\"x\" \"",
        "[",
        "{a:",
        "{\"a\":{\"",
        "{//",
        "{/*",
        "{...",
        "{\"a\":1 ",
        "{\"a\" \"b\" ",
        "\\",
        "{\"a\":\"\\",
        "<br>{&quot;",
        "{\"a\":\"{\"",
        "{{",
        "{a}",
        "{\"a\":\"x\n\"",
        "{\"a\":\"x\n",
        "\"",
        "{\u{a0}",
        "{\"api\":\"/a\",\"id\":\"",
        "![",
        "{\"a\":1,![](",
        "{\"a\":1, // {\"b\":1,",
        "{\"a\":_function\n\n\n\n",
        "{\"a\":_function(,",
        "{\"a\":店 ",
        "> ",
        "1. {\n2. ",
        "{\\\"api\\\":",
        "{\"r\":\\[",
        "\"request\":[{\"field\":\"",
        "\"request\":[{\"field\":1},",
        "[{\"field\":1,",
        "[ {\"x\":[",
        "},{\"field\":1},\n",
        "\"response\":[],",
    ] {
        let text = one.repeat(n / one.len());
        let _ = read(text.as_bytes());
        let _ = read(format!("{text}\n{{\"api\":\"/a\",\"id\":\"x\"}}").as_bytes());
    }
    let deep = format!("{{\"api\":\"/a\",\"id\":\"x\",\"v\":{}", "[".repeat(100_000));
    let _ = read(deep.as_bytes());
    let wide = format!(
        "{{\"api\":\"/a\",\"id\":\"x\",{}}}",
        (0..20_000).map(|i| format!("\"k{i}\":{i},")).collect::<String>()
    );
    let drafts = read(wide.as_bytes()).unwrap();
    assert_eq!(drafts[0].plan["source"]["metadata"].as_object().map(serde_json::Map::len), Some(20_002));
}

/// Texts that once went wrong, and the shapes that fuzzing grows from: every one gives an error or plans that read back.
#[test]
fn the_corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        for d in read(&bytes).unwrap_or_default() {
            let again: Value = serde_json::from_str(&serde_json::to_string(&d.plan).unwrap()).unwrap();
            assert_eq!(again, d.plan);
        }
    }
    assert!(files >= 10, "{files}");
}
