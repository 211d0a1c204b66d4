//! `import` of spreadsheets: parameter templates both ways, and value maps.

use std::path::Path;

use heliu_import::{Draft, Options, ValueMap, read_template, read_text, write_template};
use heliu_model::{Failure, Problem, text};
use heliu_transform::Side;
use serde_json::{Map, Value, json};

use crate::args::ImportArgs;
use crate::output::{Done, Stop};
use crate::wire::App;

fn in_file(problems: Vec<Problem>, file: &str) -> Vec<Problem> {
    problems.into_iter().map(|p| Problem { file: file.to_owned(), ..p }).collect()
}

fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), Stop> {
    let shown = path.display().to_string();
    if path.exists() && !force {
        return Err(Failure::config("HL-1509", text!("`{shown}` is there already", "`{shown}` 已存在"))
            .at(shown)
            .hint(text!("replace it with --force", "用 --force 覆盖"))
            .into());
    }
    let made = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::create_dir_all(parent),
        _ => Ok(()),
    };
    made.and_then(|()| std::fs::write(path, bytes)).map_err(|e| {
        let why = e.to_string();
        Failure::config("HL-1015", text!("the file cannot be written: {why}", "文件无法写入:{why}"))
            .at(shown)
            .into()
    })
}

/// `--map ID`: a value map of the project.
pub fn map(app: &App, args: &ImportArgs, id: &str, bytes: &[u8]) -> Done {
    let shown = args.file.display().to_string();
    if id.is_empty() || id.contains(['/', '\\', '\0']) || id.starts_with('.') {
        return Err(Failure::config("HL-8010", text!("`{id}` is no name of a map", "`{id}` 不是映射表名称"))
            .at("--map")
            .into());
    }
    let map = ValueMap::read(bytes).map_err(|list| in_file(list, &shown))?;
    let csv = map.to_csv().map_err(|p| vec![p])?;
    let rows = map.pairs().len();
    if args.print {
        app.out.line(csv.trim_end());
        return Ok(0);
    }
    let file = format!("maps/{id}.csv");
    write(&app.project.dir.join(&file), csv.as_bytes(), args.force)?;
    if app.out.json {
        app.out.value(&json!({"map": id, "file": file, "rows": rows}));
    } else {
        app.out.line(&format!("+ {file}: {rows}"));
        app.out.hint(&text!(
            "an item uses it with `\"mapping\": {{\"target\": \"{id}\"}}`",
            "字段项中以 `\"mapping\": {{\"target\": \"{id}\"}}` 使用"
        ));
    }
    Ok(0)
}

/// `--to-xlsx FILE`: documents as a parameter template.
pub fn to_xlsx(app: &App, args: &ImportArgs, to: &Path, bytes: &[u8], options: &Options) -> Done {
    let shown = args.file.display().to_string();
    let drafts = read_text(bytes, options).map_err(|list| in_file(list, &shown))?;
    let mut documents: Vec<(String, Value)> = Vec::new();
    for (n, draft) in drafts.iter().enumerate() {
        for (key, side) in [("source", Side::Source), ("target", Side::Target)] {
            if draft.sides.contains(&side)
                && let Some(doc) = draft.plan.pointer(&format!("/{key}/metadata"))
            {
                let name = if n == 0 { key.to_owned() } else { format!("{key}-{}", n + 1) };
                documents.push((name, doc.clone()));
            }
        }
    }
    let list: Vec<(&str, &Value)> = documents.iter().map(|(n, d)| (n.as_str(), d)).collect();
    let made = write_template(&list).map_err(|p| vec![p])?;
    write(to, &made, args.force)?;
    let sheets: Vec<&str> = list.iter().map(|(n, _)| *n).collect();
    if app.out.json {
        app.out.value(&json!({"file": to.display().to_string(), "sheets": sheets}));
    } else {
        app.out.line(&format!("+ {}: {}", to.display(), sheets.join(", ")));
        app.out.hint(&text!(
            "a template holds request and response; the other keys stay in the plan",
            "模板只含 request 与 response,其他键仍在方案中"
        ));
    }
    Ok(0)
}

/// A parameter template as a plan's side.
pub fn template(args: &ImportArgs, bytes: &[u8], options: &Options) -> Result<Vec<Draft>, Vec<Problem>> {
    let found = read_template(bytes)?;
    let source = match args.side.as_deref() {
        Some(side) => side == "source",
        // A target's template rarely says what comes back.
        None => !found.response.is_empty(),
    };
    let mut doc = Map::new();
    doc.insert("api".into(), args.api.clone().unwrap_or_default().into());
    doc.insert("effect".into(), if source { "QUERY" } else { "EXECUTE" }.into());
    doc.insert("method".into(), args.method.clone().unwrap_or_else(|| "POST".into()).into());
    doc.insert("request".into(), Value::Array(found.request));
    if !found.response.is_empty() {
        doc.insert("response".into(), Value::Array(found.response));
    }
    // The rest is done as with a document that was pasted.
    let text = Value::Object(doc.clone()).to_string();
    let mut drafts = if args.api.is_some() { read_text(text.as_bytes(), options)? } else { Vec::new() };
    if drafts.is_empty() {
        let mut named = doc.clone();
        named.insert("api".into(), "?".into());
        drafts = read_text(Value::Object(named).to_string().as_bytes(), options)?;
        let side = if source { "source" } else { "target" };
        for draft in &mut drafts {
            if let Some(api) = draft.plan.pointer_mut(&format!("/{side}/metadata/api")) {
                *api = "".into();
            }
            draft.problems.retain(|p| p.code != "HL-1505");
            draft.problems.push(
                Problem::error(
                    "HL-2003",
                    format!("{side}.metadata.api"),
                    text!("a template does not say which interface it is for", "模板没有说明属于哪个接口"),
                )
                .hint(text!("name it with --api", "请用 --api 指定")),
            );
        }
    }
    for draft in &mut drafts {
        draft.problems.extend(found.problems.iter().cloned());
    }
    Ok(drafts)
}
