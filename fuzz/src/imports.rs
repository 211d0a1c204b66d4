//! The importer, and the compilation of what it read.

use bytes::Bytes;
use heliu_import::{Interface, Known, Options, read_text};
use heliu_transform::mapping::Request;
use heliu_transform::{Metadata, Shaping, Side, Value};

use crate::{Echo, TZ, by_chance, context, record};

fn options() -> Options {
    Options {
        name: "t".into(),
        known: Known {
            interfaces: vec![Interface {
                platform: "jushuitan".into(),
                path: "/open/purchasein/query".into(),
                names: vec!["purchasein.query".into()],
                id: Some("io_id".into()),
                page_size: Some(50),
            }],
            platforms: vec![
                ("jushuitan".into(), vec!["聚水潭".into()]),
                ("kuaimai".into(), vec!["快麦".into()]),
            ],
            connectors: vec![("jst".into(), "jushuitan".into()), ("bi".into(), "sqlite".into())],
        },
        ..Options::default()
    }
}

/// A pasted text: its plans read back as they were written, and every document of them compiles and renders.
pub(crate) fn text(data: &[u8]) {
    let options = options();
    for draft in read_text(data, &options).unwrap_or_default() {
        let written = draft.plan.to_string();
        let again = read_text(written.as_bytes(), &options).unwrap_or_default();
        assert_eq!(again.first().map(|d| &d.plan), Some(&draft.plan), "{written}");
        assert!(again.iter().all(|d| d.repairs.is_empty()), "{written}");
        for side in ["source", "target"] {
            if let Some(doc) = draft.plan.get(side).and_then(|s| s.get("metadata")) {
                document(Value::from(doc));
            }
        }
    }
    if let Ok(doc) = Value::parse(data) {
        document(doc);
    }
}

fn document(doc: Value) {
    let record = record(&[]);
    let fixed = !by_chance(&doc.to_json());
    for side in [Side::Source, Side::Target] {
        let (meta, problems) = Metadata::from_value(doc.clone(), side);
        let (_, again) = Metadata::from_value(meta.raw.clone(), side);
        assert_eq!(problems, again, "the document kept its meaning");
        let ctx = context(&Echo, true);
        let request = Request::compile(&meta);
        let first = request.render(&ctx, Some(&record));
        // The raw way reads less, and says the same.
        let raw = record.to_json();
        let read = request.render_raw(&ctx, raw.as_bytes());
        if fixed {
            assert_eq!(first, request.render(&ctx, Some(&record)));
            assert_eq!(first, read);
        }
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let row = request.render_row(&ctx, &record, &mut one);
        let read = request.render_row_raw(&ctx, raw.as_bytes(), &mut other, &mut Vec::new());
        assert!(!fixed || row == read, "{row:?} {read:?}");
        let _ = request.explain(&ctx, Some(&record)).len();
        Shaping::compile(&meta, TZ).shape(&Bytes::from(raw), crate::NOW, &mut Vec::new());
    }
}

/// Words of pasted metadata.
pub(crate) fn words() -> Vec<String> {
    [
        "{\"api\":\"/a\",\"id\":\"x\",\"request\":[",
        "{\"field\":\"a\",",
        "\"type\":\"array\",",
        "\"value\":\"{{no}}\"",
        "\"children\":[",
        "\"parser\":{\"name\":\"ConvertObjectParser\",\"params\":\"FNumber\"}",
        "\"parent\":\"a\"",
        "\"default\":\"1\"",
        "\"is_required\":true",
        "\"condition\":[[{\"field\":\"no\",\"logic\":\"eq\",\"value\":\"1\"}]]",
        "\"otherRequest\":[",
        "\"formatResponse\":[{\"old\":\"at\",\"new\":\"b\",\"format\":\"date\"}]",
        "\"beatFlat\":[\"items\"]",
        "\"mapping\":{",
        "\"operation\":{\"method\":\"merge\",\"field\":\"no\"}",
        "\"itemMapping\":",
        "...",
        "//",
        "/*",
        "*/",
        "#",
        "\u{201c}",
        "\u{201d}",
        "\u{ff0c}",
        "\u{ff1a}",
        "&quot;",
        "<br>",
        "<!--",
        "-->",
        "True",
        "None",
        "=>",
        "\\u12",
        "```json\n",
        "\"source\":",
        "\"target\":",
        "\"metadata\":",
        "\u{feff}",
        "\"groupCalculate\":{",
        "\"arrayKey\":\"items\"",
    ]
    .map(str::to_owned)
    .to_vec()
}
