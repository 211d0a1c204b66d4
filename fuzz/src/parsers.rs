//! Parsers of items.

use heliu_transform::{EvalRequest, Map, Value, evaluate};

use crate::{LAST, NOW, TZ, halves, printed};

/// What a configuration of one line stands for; the first byte chooses.
const KINDS: &[(&str, &str)] = &[
    ("jsonpath", "path"),
    ("xml", "xpath"),
    ("csv", "delimiter"),
    ("regex", "pattern"),
    ("date", "format"),
    ("number", "decimals"),
    ("enum", "values"),
    ("StringToArray", "params"),
    ("ArrayToString", "params"),
    ("ConvertJson", "params"),
    ("ConvertTwoStageObjectParser", "params"),
];

/// A parser, and a value behind `---`: a letter for the kind and its parameter, or the parser's own JSON.
pub(crate) fn parser(data: &[u8]) {
    let (config, rest) = halves(data);
    let parser = match (Value::parse(config), config.split_first()) {
        (Ok(v @ (Value::Object(_) | Value::Array(_))), _) => v,
        (_, Some((kind, param))) => {
            let (name, key) =
                KINDS.get(usize::from(kind.wrapping_sub(b'a')) % KINDS.len()).copied().unwrap_or_default();
            let mut map = Map::new();
            map.insert("name", Value::from(name));
            map.insert(key, Value::from(&*String::from_utf8_lossy(param)));
            map.insert("extractAll", Value::from(param.len() % 2 == 0));
            Value::Object(map)
        }
        _ => return,
    };
    let mut record = Map::new();
    record.insert("v", Value::parse(rest).unwrap_or_else(|_| Value::from(&*String::from_utf8_lossy(rest))));
    record.insert("t", Value::from(&*String::from_utf8_lossy(rest)));
    let record = Value::Object(record);
    for expr in ["{{v}}", "{{t}}"] {
        let request = EvalRequest {
            expr: &Value::from(expr),
            record: Some(&record),
            row: None,
            now: NOW,
            last_sync: LAST,
            tz: TZ,
            ty: None,
            parser: Some(&parser),
            strict: true,
            lookups: None,
        };
        let once = evaluate(&request);
        assert_eq!(once, evaluate(&request), "parsed again");
        if let Ok((v, _)) = once {
            printed(&v);
        }
    }
}

/// Words of parsers and of what they read.
pub(crate) fn words() -> Vec<String> {
    [
        "\n---\n",
        "{\"type\":\"",
        "\"name\":\"",
        "\"extractAll\":true",
        "jsonpath",
        "xml",
        "csv",
        "regex",
        "date",
        "number",
        "enum",
        "\"expression\":\"",
        "\"params\":\"",
        "\"flags\":\"gims\"",
        "\"group\":\"1\"",
        "\"namespace\":{\"n\":\"urn:x\"}",
        "$.a",
        "$..*",
        "[?@.a>1]",
        "[?match(@.a,'x')]",
        "[::2]",
        "[*]",
        "//a",
        "/a/b",
        "[@x='1']",
        "[last()]",
        "text()",
        "<a>",
        "</a>",
        "<a x='1'>",
        "<!DOCTYPE a [<!ENTITY b \"",
        "\">]>",
        "&b;",
        "<![CDATA[",
        "]]>",
        "<?xml version='1.0'?>",
        "(a|b)*",
        "\\\\d{1,999}",
        "(?i)",
        "Y-m-d H:i:s",
        "yyyy-MM-dd",
        "1e999999999",
        "\"\"",
        "\r\n",
        "1710403200",
        "2024-02-29T00:00:00+08:00",
    ]
    .map(str::to_owned)
    .to_vec()
}
