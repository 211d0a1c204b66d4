//! The vendor's parameter template: one row for each field of an interface's request and response, both ways.

use heliu_model::{Problem, text};
use heliu_transform::nearest;
use rust_xlsxwriter::{Format, Workbook};
use serde_json::{Map, Value, json};

use crate::read::Reader;
use crate::sheet::{Sheet, sheets};

/// Columns: name, and what its second heading says.
const COLUMNS: &[(&str, &str)] = &[
    ("operation", "勿删该行-字段说明"),
    ("is_request", "参数类型(1=>请求参数 0=>响应参数)"),
    ("name", "名称"),
    ("field", "字段"),
    ("parent", "所属父字段"),
    ("default", "默认值"),
    ("type", "类型(默认 string)"),
    ("is_required", "是否必要(默认 0)"),
    ("parser", "解析器(默认 {})"),
    ("describe", "描述"),
    // What the vendor's template has no column for; only written where it is needed.
    ("value", "取值"),
    ("extra", "其他属性(JSON)"),
];

/// Headings in Chinese, for templates whose first row was lost.
const CHINESE: &[(&str, &str)] = &[
    ("参数类型", "is_request"),
    ("名称", "name"),
    ("所属父字段", "parent"),
    ("父字段", "parent"),
    ("默认值", "default"),
    ("是否必要", "is_required"),
    ("是否必填", "is_required"),
    ("解析器", "parser"),
    ("描述", "describe"),
    ("字段", "field"),
    ("类型", "type"),
];

const TYPES: &[&str] = &[
    "string",
    "int",
    "integer",
    "float",
    "number",
    "double",
    "decimal",
    "bool",
    "boolean",
    "object",
    "array",
    "date",
    "datetime",
    "timestamp",
    "text",
    "long",
];

/// An interface's fields.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// Items of the request, nested.
    pub request: Vec<Value>,
    /// Items of the response, nested.
    pub response: Vec<Value>,
    /// What a person should look at; paths are cells, such as `Sheet1!D7`.
    pub problems: Vec<Problem>,
}

/// Reads a template. All of its sheets count.
///
/// # Errors
/// The file cannot be read, or is no template.
pub fn read_template(bytes: &[u8]) -> Result<Template, Vec<Problem>> {
    let sheets = sheets(bytes).map_err(|p| vec![p])?;
    let mut out = Template::default();
    let mut found = false;
    for sheet in &sheets {
        found |= read_sheet(sheet, &mut out);
    }
    if found {
        return Ok(out);
    }
    let all = COLUMNS.iter().take(10).map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
    Err(vec![
        Problem::error("HL-1510", "", text!("no sheet is a parameter template", "没有工作表是参数模板"))
            .hint(text!("its first row names the columns: {all}", "首行应为列名:{all}")),
    ])
}

/// `A1`, `B7` …
fn cell_name(sheet: &str, row: usize, column: usize) -> String {
    let letter = u8::try_from(column).ok().filter(|c| *c < 26).map_or('?', |c| char::from(b'A' + c));
    format!("{sheet}!{letter}{}", row + 1)
}

/// The places of the columns, if a row is a heading.
fn heading(cells: &[String]) -> Option<Vec<Option<usize>>> {
    let known = |cell: &str| -> Option<&str> {
        let low = cell.trim().to_ascii_lowercase();
        if let Some((name, _)) = COLUMNS.iter().find(|(n, _)| *n == low) {
            return Some(name);
        }
        CHINESE.iter().find(|(zh, _)| cell.trim().starts_with(zh)).map(|(_, n)| *n)
    };
    let names: Vec<Option<&str>> = cells.iter().map(|c| known(c)).collect();
    let places: Vec<Option<usize>> =
        COLUMNS.iter().map(|(n, _)| names.iter().position(|found| *found == Some(n))).collect();
    let has = |n: &str| names.contains(&Some(n));
    (has("field") && has("type") && (has("is_request") || has("name"))).then_some(places)
}

/// A row of a template.
struct Row {
    number: usize,
    request: bool,
    parent: String,
    field: String,
    container: bool,
    item: Map<String, Value>,
}

fn read_sheet(sheet: &Sheet, out: &mut Template) -> bool {
    let head = sheet.rows.iter().take(5).enumerate().find_map(|(i, cells)| Some((i, heading(cells)?)));
    let Some((top, places)) = head else { return false };
    let column = |name: &str| {
        COLUMNS.iter().position(|(n, _)| *n == name).and_then(|i| places.get(i).copied().flatten())
    };
    let mut rows = Vec::new();
    for n in top + 1..sheet.rows.len() {
        let get = |name: &str| column(name).map_or("", |c| sheet.cell(n, c));
        let place = |name: &str| cell_name(&sheet.name, n, column(name).unwrap_or(0));
        let blank = sheet.rows.get(n).is_none_or(|cells| cells.iter().all(String::is_empty));
        // The rows below the heading explain the columns.
        let explains = sheet.rows.get(n).is_some_and(|cells| cells.iter().any(|c| c.contains("勿删该行")))
            || (n <= top + 2 && heading(sheet.rows.get(n).map_or(&[][..], Vec::as_slice)).is_some());
        if blank || explains {
            continue;
        }
        let field = get("field").to_owned();
        if field.is_empty() {
            out.problems.push(Problem::error(
                "HL-1511",
                place("field"),
                text!("the row has no `field`; it is left out", "该行没有 `field`,已略去"),
            ));
            continue;
        }
        let ty = if get("type").is_empty() { "string".to_owned() } else { get("type").to_owned() };
        if !TYPES.contains(&ty.to_ascii_lowercase().as_str()) {
            let near = nearest(&ty, TYPES.iter().copied()).unwrap_or("string").to_owned();
            out.problems.push(
                Problem::warning("HL-1511", place("type"), text!("unknown type `{ty}`", "未知的类型 `{ty}`"))
                    .hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
            );
        }
        let mut item = Map::new();
        item.insert("field".into(), field.clone().into());
        item.insert("label".into(), if get("name").is_empty() { &field } else { get("name") }.into());
        item.insert("type".into(), ty.clone().into());
        if !get("describe").is_empty() {
            item.insert("describe".into(), get("describe").into());
        }
        if matches!(get("is_required").to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "是") {
            item.insert("is_required".into(), true.into());
        }
        for name in ["default", "value"] {
            if !get(name).is_empty() {
                item.insert(name.into(), get(name).into());
            }
        }
        for name in ["parser", "extra"] {
            match object(get(name)) {
                Ok(Some(map)) if name == "parser" => {
                    item.insert("parser".into(), Value::Object(map));
                }
                Ok(Some(map)) => item.extend(map),
                Ok(None) => {}
                Err(()) => out.problems.push(
                    Problem::warning(
                        "HL-1511",
                        place(name),
                        text!("`{name}` is no JSON object; it is left out", "`{name}` 不是 JSON 对象,已略去"),
                    )
                    .hint(text!(
                        "write it as {{\"name\": \"…\", \"params\": \"…\"}}",
                        "请写成 {{\"name\": \"…\", \"params\": \"…\"}}"
                    )),
                ),
            }
        }
        let request = !matches!(get("is_request").to_ascii_lowercase().as_str(), "0" | "false" | "否");
        let container = matches!(ty.to_ascii_lowercase().as_str(), "object" | "array");
        rows.push(Row { number: n, request, parent: get("parent").to_owned(), field, container, item });
    }
    for request in [true, false] {
        let list: Vec<&Row> = rows.iter().filter(|r| r.request == request).collect();
        let orphan = |r: &Row, problems: &mut Vec<Problem>| {
            let parent = &r.parent;
            let known = list.iter().filter(|p| p.container).map(|p| p.field.as_str());
            let problem = Problem::warning(
                "HL-1511",
                cell_name(&sheet.name, r.number, column("parent").unwrap_or(0)),
                text!(
                    "no object or array is named `{parent}`; the field stands at the top",
                    "没有名为 `{parent}` 的对象或数组,该字段放在顶层"
                ),
            );
            problems.push(match nearest(parent, known) {
                Some(near) => problem.hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
                None => problem,
            });
        };
        let nested = nest(&list, &mut out.problems, &orphan);
        if request { out.request.extend(nested) } else { out.response.extend(nested) }
    }
    true
}

/// An object of JSON in a cell; mended where it must be. `Ok(None)`: nothing is there.
fn object(cell: &str) -> Result<Option<Map<String, Value>>, ()> {
    if cell.is_empty() || cell == "{}" {
        return Ok(None);
    }
    if let Ok(Value::Object(map)) = serde_json::from_str(cell) {
        return Ok((!map.is_empty()).then_some(map));
    }
    let mut reader = Reader::new(cell, 0, 0, 64 * cell.len() as u64 + 1_000);
    reader.document().map(Some).ok_or(())
}

/// Puts rows below the containers that they name: the nearest before, else the first behind.
fn nest(rows: &[&Row], problems: &mut Vec<Problem>, orphan: &dyn Fn(&Row, &mut Vec<Problem>)) -> Vec<Value> {
    let mut parent_of: Vec<Option<usize>> = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        if row.parent.is_empty() {
            parent_of.push(None);
            continue;
        }
        let names = |r: &&Row| r.container && r.field == row.parent;
        let before = rows.iter().take(i).rposition(names);
        let found = before.or_else(|| rows.iter().skip(i + 1).position(names).map(|n| n + i + 1));
        if found.is_none() {
            orphan(row, problems);
        }
        parent_of.push(found);
    }
    // A row below itself, at whatever distance, stands at the top.
    for i in 0..rows.len() {
        let (mut at, mut steps) = (parent_of.get(i).copied().flatten(), 0);
        while let Some(p) = at {
            steps += 1;
            if p == i || steps > rows.len().min(64) {
                if let Some(slot) = parent_of.get_mut(i) {
                    *slot = None;
                }
                break;
            }
            at = parent_of.get(p).copied().flatten();
        }
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut top = Vec::new();
    for (i, p) in parent_of.iter().enumerate() {
        match p.and_then(|p| children.get_mut(p)) {
            Some(list) => list.push(i),
            None => top.push(i),
        }
    }
    fn build(i: usize, rows: &[&Row], children: &[Vec<usize>]) -> Value {
        let mut item = rows.get(i).map(|r| r.item.clone()).unwrap_or_default();
        let list = children.get(i).map_or(&[][..], Vec::as_slice);
        if !list.is_empty() {
            let members = list.iter().map(|c| build(*c, rows, children)).collect();
            item.insert("children".into(), Value::Array(members));
        }
        Value::Object(item)
    }
    top.into_iter().map(|i| build(i, rows, &children)).collect()
}

/// Writes the request and response of documents as a template, a sheet each. Reading it gives the same items.
///
/// # Errors
/// The file cannot be made.
pub fn write_template(documents: &[(&str, &Value)]) -> Result<Vec<u8>, Problem> {
    let failed = |e: rust_xlsxwriter::XlsxError| {
        let why = e.to_string();
        Problem::error(
            "HL-1510",
            "",
            text!("the spreadsheet cannot be written: {why}", "无法写出电子表格:{why}"),
        )
    };
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    for (name, doc) in documents {
        let mut rows = Vec::new();
        for (key, flag) in [("request", "1"), ("response", "0")] {
            let items = doc.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            items.iter().for_each(|i| flatten(i, flag, "", 0, &mut rows));
        }
        let needed = |column: usize| column < 10 || rows.iter().any(|r: &[String; 12]| !r[column].is_empty());
        let columns: Vec<usize> = (0..COLUMNS.len()).filter(|c| needed(*c)).collect();
        let sheet = book.add_worksheet();
        sheet.set_name(*name).map_err(failed)?;
        for (at, column) in columns.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(0);
            let (title, about) = COLUMNS.get(*column).copied().unwrap_or_default();
            sheet.write_string_with_format(0, at, title, &bold).map_err(failed)?;
            sheet.write_string(1, at, about).map_err(failed)?;
            for (n, row) in rows.iter().enumerate() {
                let line = u32::try_from(n).unwrap_or(u32::MAX - 2) + 2;
                if let Some(value) = row.get(*column).filter(|v| !v.is_empty()) {
                    sheet.write_string(line, at, value).map_err(failed)?;
                }
            }
        }
    }
    book.save_to_buffer().map_err(failed)
}

/// An item and its children as rows, in the order of [`COLUMNS`].
fn flatten(item: &Value, flag: &str, parent: &str, depth: usize, out: &mut Vec<[String; 12]>) {
    let Some(map) = item.as_object().filter(|_| depth < 64) else { return };
    let text = |k: &str| map.get(k).and_then(Value::as_str).unwrap_or("").to_owned();
    let field = map
        .get("field")
        .map_or_else(String::new, |f| f.as_str().map_or_else(|| f.to_string(), str::to_owned));
    // What a cell cannot say exactly goes into the last column.
    let mut extra = Map::new();
    let mut cells = [const { String::new() }; 12];
    let required = map.get("is_required");
    for (k, v) in map {
        let plain = match k.as_str() {
            "field" | "children" => true,
            "label" | "type" => v.is_string() && !text(k).is_empty(),
            "describe" | "default" | "value" => {
                v.as_str().is_some_and(|s| !s.is_empty() && s.trim() == s && s.len() < 8_000)
            }
            "is_required" => *v == json!(true),
            "parser" => v.as_object().is_some_and(|m| !m.is_empty()),
            _ => false,
        };
        if !plain {
            extra.insert(k.clone(), v.clone());
        }
    }
    let own = |k: &str| if extra.contains_key(k) { String::new() } else { text(k) };
    let values = [
        String::new(),
        flag.to_owned(),
        own("label"),
        field.clone(),
        parent.to_owned(),
        own("default"),
        if extra.contains_key("type") { String::new() } else { text("type") },
        if required == Some(&json!(true)) { "1".to_owned() } else { "0".to_owned() },
        map.get("parser").filter(|p| p.is_object()).map_or_else(|| "{}".to_owned(), Value::to_string),
        own("describe"),
        own("value"),
        if extra.is_empty() { String::new() } else { Value::Object(extra.clone()).to_string() },
    ];
    for (slot, v) in cells.iter_mut().zip(values) {
        *slot = v;
    }
    out.push(cells);
    for child in map.get("children").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        flatten(child, flag, &field, depth + 1, out);
    }
}
