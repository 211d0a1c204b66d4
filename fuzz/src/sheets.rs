//! The parameter template. The parts of the file are packed here: nothing would be learnt from checksums.

use std::io::{Cursor, Write};

use heliu_import::{read_template, write_template};
use serde_json::json;
use zip::write::SimpleFileOptions;

use crate::halves;

const TYPES: &str = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>"#;
const ROOT: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const LINKS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#;

fn packed(sheet: &[u8], strings: &[u8]) -> Option<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let parts: [(&str, &[u8]); 6] = [
        ("[Content_Types].xml", TYPES.as_bytes()),
        ("_rels/.rels", ROOT.as_bytes()),
        ("xl/workbook.xml", BOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", LINKS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", strings),
    ];
    for (name, bytes) in parts {
        zip.start_file(name, plain).ok()?;
        zip.write_all(bytes).ok()?;
    }
    Some(zip.finish().ok()?.into_inner())
}

/// A sheet's XML, and the table of its texts behind `---`; or a whole file.
pub(crate) fn sheet(data: &[u8]) {
    if heliu_import::is_spreadsheet(data) {
        let _ = read_template(data).is_ok();
        return;
    }
    let (sheet, strings) = halves(data);
    let Some(file) = packed(sheet, strings) else { return };
    let Ok(read) = read_template(&file) else { return };
    // What was read can be written, and is read again the same.
    let doc = json!({"request": read.request, "response": read.response});
    let Ok(written) = write_template(&[("a", &doc)]) else { return };
    match read_template(&written) {
        Ok(again) => assert_eq!(json!({"request": again.request, "response": again.response}), doc),
        Err(problems) => assert!(read.request.is_empty() && read.response.is_empty(), "{problems:?}"),
    }
}

/// Words of sheets.
pub(crate) fn words() -> Vec<String> {
    [
        "\n---\n",
        "<worksheet><sheetData>",
        "</sheetData></worksheet>",
        "<row r=\"1\">",
        "</row>",
        "<c r=\"A1\" t=\"s\"><v>0</v></c>",
        "<c r=\"B2\" t=\"inlineStr\"><is><t>",
        "</t></is></c>",
        "<c r=\"XFD1048576\">",
        "<c t=\"str\">",
        "<sst><si><t>",
        "</t></si></sst>",
        "<dimension ref=\"A1:XFD1048576\"/>",
        "<f>",
        "is_request",
        "field",
        "parent",
        "default",
        "type",
        "parser",
        "describe",
        "operation",
    ]
    .map(str::to_owned)
    .to_vec()
}
