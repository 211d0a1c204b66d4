//! Spreadsheets as rows of text. A file from anywhere: what it unpacks to, how many cells are read and how long a text
//! may be is bounded before anything is looked at.

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader as _, Xlsx};
use heliu_model::{Problem, text};

/// Bytes that all parts of a file may unpack to.
const MAX_UNPACKED: u64 = 64 << 20;
/// Rows and columns that are read.
const MAX_ROWS: u32 = 50_000;
const MAX_COLUMNS: u32 = 64;
/// Longest text of a cell, in characters.
const MAX_CELL: usize = 32_768;

/// One sheet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sheet {
    pub name: String,
    /// Cells as text; rows may be of different lengths.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// A cell; empty where there is none.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.rows.get(row).and_then(|r| r.get(column)).map_or("", String::as_str)
    }
}

/// True for the first bytes of an .xlsx file.
pub fn is_spreadsheet(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

fn unusable(why: &str) -> Problem {
    let why: String = why.chars().take(200).collect();
    Problem::error("HL-1510", "", text!("the spreadsheet cannot be read: {why}", "无法读取电子表格:{why}"))
        .hint(text!("save it as .xlsx, without macros and passwords", "请另存为不含宏与密码的 .xlsx"))
}

/// All sheets of a file.
pub(crate) fn sheets(bytes: &[u8]) -> Result<Vec<Sheet>, Problem> {
    if bytes.len() > crate::MAX_BYTES {
        return Err(unusable("it is larger than 8 MiB"));
    }
    unpacked(bytes)?;
    // The reader is a foreign one: should it meet something that it does not expect, that is the file's fault.
    match std::panic::catch_unwind(|| read(bytes)) {
        Ok(result) => result,
        Err(_) => Err(unusable("its contents are damaged")),
    }
}

/// Unpacks every part once, into nothing: a small file may hold a large one.
fn unpacked(bytes: &[u8]) -> Result<(), Problem> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| unusable(&e.to_string()))?;
    let mut left = MAX_UNPACKED;
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(|e| unusable(&e.to_string()))?;
        let n = std::io::copy(&mut part.take(left + 1), &mut std::io::sink())
            .map_err(|e| unusable(&e.to_string()))?;
        if n > left {
            return Err(unusable("its contents are larger than 64 MiB"));
        }
        left -= n;
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Vec<Sheet>, Problem> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| unusable(&e.to_string()))?;
    let mut out = Vec::new();
    for name in book.sheet_names().into_iter().take(32) {
        let mut sheet = Sheet { name: name.clone(), rows: Vec::new() };
        // Cell by cell: a range over all of them could be as large as its corners are far apart.
        let mut cells = book.worksheet_cells_reader(&name).map_err(|e| unusable(&e.to_string()))?;
        while let Some(cell) = cells.next_cell().map_err(|e| unusable(&e.to_string()))? {
            let (row, column) = cell.get_position();
            if row >= MAX_ROWS || column >= MAX_COLUMNS {
                continue;
            }
            let value = text_of(cell.get_value());
            if value.is_empty() {
                continue;
            }
            let (row, column) = (row as usize, column as usize);
            if sheet.rows.len() <= row {
                sheet.rows.resize(row + 1, Vec::new());
            }
            if let Some(cells) = sheet.rows.get_mut(row) {
                if cells.len() <= column {
                    cells.resize(column + 1, String::new());
                }
                if let Some(slot) = cells.get_mut(column) {
                    *slot = value;
                }
            }
        }
        out.push(sheet);
    }
    Ok(out)
}

fn text_of(v: &DataRef) -> String {
    let text = match v {
        DataRef::String(s) => s.clone(),
        DataRef::SharedString(s) => (*s).to_owned(),
        DataRef::Int(n) => n.to_string(),
        // A whole number is stored as a float; 15 digits are exact.
        DataRef::Float(n) if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.0}"),
        DataRef::Float(n) => n.to_string(),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => s.clone(),
        _ => String::new(),
    };
    text.trim().chars().take(MAX_CELL).collect()
}
