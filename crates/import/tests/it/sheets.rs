//! Parameter templates and value maps: read what a spreadsheet program writes, write what reads back.

use heliu_import::{ValueMap, is_spreadsheet, read_template, write_template};
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

/// A template as people fill it in.
fn book(rows: &[&[&str]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (r, row) in rows.iter().enumerate() {
        for (c, cell) in row.iter().enumerate() {
            let at = (u32::try_from(r).unwrap(), u16::try_from(c).unwrap());
            match cell.parse::<f64>() {
                Ok(n) => sheet.write_number(at.0, at.1, n).unwrap(),
                Err(_) => sheet.write_string(at.0, at.1, *cell).unwrap(),
            };
        }
    }
    book.save_to_buffer().unwrap()
}

const KEYS: &[&str] = &[
    "operation",
    "is_request",
    "name",
    "field",
    "parent",
    "default",
    "type",
    "is_required",
    "parser",
    "describe",
];
const WORDS: &[&str] = &[
    "勿删该行-字段说明",
    "参数类型",
    "名称",
    "字段",
    "所属父字段",
    "默认值",
    "类型",
    "是否必要",
    "解析器",
    "描述",
];
const DATA: &[&str] = &[
    "勿删该行-数据说明",
    "1=>请求参数 0=>响应参数",
    "",
    "必须为英文",
    "",
    "",
    "默认值 string",
    "默认值 0",
    "默认值 {}",
    "",
];

#[test]
fn rows_become_nested_items() {
    let rows: &[&[&str]] = &[
        &["", "1", "单据类型", "FBillType", "", "", "string", "1", "{}", "类型"],
        &["", "1", "数量", "FQty", "FEntry", "100", "float", "0", "{}", ""],
        &["", "1", "明细", "FEntry", "", "", "array", "1", "", "行"],
        &[
            "",
            "1",
            "仓库",
            "FStock",
            "FEntry",
            "",
            "string",
            "0",
            r#"{"name":"ConvertObjectParser","params":"FNumber"}"#,
            "",
        ],
        &["", "0", "编号", "FNumber", "", "", "string", "0", "{}", ""],
    ];
    // With two or with three rows of headings, with or without the names of the keys.
    for head in [&[KEYS, WORDS][..], &[KEYS, WORDS, DATA][..], &[WORDS, DATA][..], &[KEYS][..]] {
        let all: Vec<&[&str]> = head.iter().copied().chain(rows.iter().copied()).collect();
        let bytes = book(&all);
        assert!(is_spreadsheet(&bytes));
        let t = read_template(&bytes).unwrap_or_else(|p| panic!("{head:?}: {p:#?}"));
        assert_eq!(t.problems, [], "{head:?}");
        assert_eq!(
            Value::Array(t.request),
            json!([
                {"field": "FBillType", "label": "单据类型", "type": "string", "describe": "类型", "is_required": true},
                {"field": "FEntry", "label": "明细", "type": "array", "describe": "行", "is_required": true, "children": [
                    {"field": "FQty", "label": "数量", "type": "float", "default": "100"},
                    {"field": "FStock", "label": "仓库", "type": "string", "parser": {"name": "ConvertObjectParser", "params": "FNumber"}}]}])
        );
        assert_eq!(
            Value::Array(t.response),
            json!([{"field": "FNumber", "label": "编号", "type": "string"}])
        );
    }
}

#[test]
fn wrong_rows_are_named_by_their_cells() {
    let bytes = book(&[
        KEYS,
        WORDS,
        &["", "1", "a", "", "", "", "string", "0", "{}", ""],
        &["", "1", "b", "B", "Entyr", "", "strng", "0", "[1", ""],
        &["", "1", "c", "Entry", "", "", "object", "0", "{“name”:“ArrayToString”,}", ""],
    ]);
    let t = read_template(&bytes).unwrap();
    let found: Vec<(&str, &str)> = t.problems.iter().map(|p| (p.code.as_str(), p.path.as_str())).collect();
    for cell in ["Sheet1!D3", "Sheet1!G4", "Sheet1!I4", "Sheet1!E4"] {
        assert!(found.contains(&("HL-1511", cell)), "{cell}: {found:?}");
    }
    assert!(t.problems.iter().any(|p| p.hint.en.contains("Entry")));
    assert_eq!(t.request[1]["parser"], json!({"name": "ArrayToString"}), "mended");
    assert_eq!(t.request.len(), 2);
    let other = book(&[&["a", "b"], &["1", "2"]]);
    assert_eq!(read_template(&other).unwrap_err()[0].code, "HL-1510");
}

#[test]
fn what_is_written_reads_back() {
    let doc = json!({"api": "x", "request": [
        {"field": "a", "label": "甲", "type": "string", "value": "{{a}}", "describe": null, "parent_id": "u"},
        {"field": "n", "label": "n", "type": "int", "default": 5, "is_required": true, "物理建模": true},
        {"field": "rows", "label": "rows", "type": "array", "value": "items", "children": [
            {"field": "o", "label": "o", "type": "object", "children": [{"field": "p", "label": "p", "type": "string", "value": " _function 1"}]},
            {"field": "q", "label": "q", "type": "string", "value": ["a", "b"], "parser": {"name": "ArrayToString", "params": "|"}}]}],
        "response": [{"field": "id", "label": "主键", "type": "string"}]});
    let bytes = write_template(&[("target", &doc)]).unwrap();
    let t = read_template(&bytes).unwrap();
    assert_eq!(t.problems, []);
    assert_eq!(Value::Array(t.request), doc["request"]);
    assert_eq!(Value::Array(t.response), doc["response"]);
}

#[test]
fn damaged_spreadsheets_are_errors() {
    let good = book(&[KEYS, WORDS, &["", "1", "a", "A", "", "", "string", "0", "{}", ""]]);
    for step in [1, 7] {
        for at in (0..good.len()).step_by(step * 13) {
            let mut bytes = good.clone();
            bytes[at] ^= 0x55;
            let _ = read_template(&bytes);
            let _ = read_template(&good[..at]);
            let _ = ValueMap::read(&bytes);
        }
    }
    assert!(read_template(b"PK\x03\x04").is_err());
    assert!(read_template(b"").is_err());
    // A part that unpacks to more than may be.
    let mut packed = Vec::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(&mut packed));
    let options: zip::write::SimpleFileOptions = Default::default();
    zip.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    for _ in 0..70 {
        std::io::Write::write_all(&mut zip, &vec![b' '; 1 << 20]).unwrap();
    }
    zip.finish().unwrap();
    let p = read_template(&packed).unwrap_err();
    assert!(p[0].message.en.contains("64 MiB"), "{p:?}");
}

#[test]
fn value_maps_in_every_form() {
    let wanted = |m: &ValueMap| {
        assert_eq!(
            (m.find("C001", false), m.find("10002", true), m.find("x", false)),
            (Some("10001"), Some("C002"), None)
        );
    };
    for text in [
        "C001,10001\nC002,10002\n",
        "a_value,a_label,b_value,b_label\nC001,甲,10001,\nC002,,10002,乙\n",
        "源值\t目标值\nC001\t10001\nC002\t10002",
        "b;a\n10001;C001\n10002;C002",
        "\u{feff}\"C001\",\"10001\"\r\n\"C002\",10002\r\n",
        "{\"C001\": \"10001\", \"C002\": 10002}",
        "{\"rows\": [{\"a_value\": \"C001\", \"b_value\": \"10001\"}, {\"a\": \"C002\", \"b\": \"10002\"}]}",
    ] {
        let m = ValueMap::read(text.as_bytes()).unwrap_or_else(|p| panic!("{text}: {p:?}"));
        wanted(&m);
        wanted(&ValueMap::read(m.to_csv().unwrap().as_bytes()).unwrap());
    }
    wanted(
        &ValueMap::read(&book(&[&["a_value", "b_value"], &["C001", "10001"], &["C002", "10002"]])).unwrap(),
    );
    for bad in ["", "one\n", "C001,1\n,2\n", "{\"a\": [1]}", "[{\"a\": 1}]", "{", "[1]"] {
        let p = ValueMap::read(bad.as_bytes()).unwrap_err();
        assert_eq!(p[0].code, "HL-1512", "{bad}");
    }
}
