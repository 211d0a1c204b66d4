//! `import`: published text becomes plan files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use heliu_connect::Registry;
use heliu_import::{Draft, Interface, Known, MAX_BYTES, Options, Repair, is_spreadsheet, read_text};
use heliu_model::config::PlanFile;
use heliu_model::{Failure, Lang, Problem, Severity, text};
use heliu_transform::Side;
use serde_json::{Value, json};

use super::sheets;
use crate::args::ImportArgs;
use crate::output::{Done, Out, Stop};
use crate::project::Read;
use crate::wire::App;

/// Repairs of one kind that are printed one by one for people; the rest is counted. `--json` lists them all.
const SHOWN: usize = 12;

/// `heliu import`
pub async fn import(app: &App, args: &ImportArgs) -> Done {
    let registry = app.registry()?;
    let (bytes, name) = input(&args.file)?;
    let shown = args.file.display().to_string();
    let options = Options {
        name: name.clone(),
        source: args.source.clone(),
        target: args.target.clone(),
        known: known(app, &registry),
    };
    if let Some(id) = &args.map {
        return sheets::map(app, args, id, &bytes);
    }
    if let Some(to) = &args.to_xlsx {
        return sheets::to_xlsx(app, args, to, &bytes, &options);
    }
    let read = if is_spreadsheet(&bytes) {
        sheets::template(args, &bytes, &options)
    } else {
        read_text(&bytes, &options)
    };
    let drafts = read
        .map_err(|list| list.into_iter().map(|p| Problem { file: shown.clone(), ..p }).collect::<Vec<_>>())?;
    let files = places(app, args, &name, drafts.len())?;
    let ledger = app.ledger_if_any()?;
    for (mut draft, (stem, path)) in drafts.into_iter().zip(files) {
        let file = path.as_ref().map_or_else(|| format!("plans/{stem}.json"), |p| below(&app.project.dir, p));
        let (value, problems) = PlanFile::read(&draft.plan, &stem);
        let read = Read { value, file: file.clone(), problems: in_file(problems, &file) };
        let loaded = app.examine(&registry, ledger.as_ref(), stem.clone(), read).await?;
        let seen = match app.samples(&registry, ledger.as_ref(), &loaded).await? {
            Some(samples) => in_file(crate::lint::fields(&loaded, &samples), &file),
            None => Vec::new(),
        };
        let mut problems = in_file(std::mem::take(&mut draft.problems), &file);
        // A side that stands for a missing one is spoken of once.
        let placeholder = |p: &Problem| {
            !draft.sides.contains(&Side::Source) && p.path.starts_with("source.metadata") && p.file == file
        };
        problems.extend(loaded.problems.into_iter().chain(seen).filter(|p| !placeholder(p)));
        if let Some(path) = &path {
            write(path, &draft.plan)?;
        }
        if app.out.json {
            answer(&app.out, &draft, path.as_ref().map(|_| file.as_str()), &problems);
        } else {
            show(&app.out, &draft, path.as_ref().map(|_| file.as_str()), &problems, &stem);
        }
    }
    Ok(0)
}

/// The input and the name that it gives the plan.
fn input(file: &Path) -> Result<(Vec<u8>, String), Stop> {
    let failed = |e: std::io::Error| -> Stop {
        let why = e.to_string();
        Failure::config("HL-1002", text!("the file cannot be read: {why}", "文件无法读取:{why}"))
            .at(file.display().to_string())
            .into()
    };
    let mut bytes = Vec::new();
    // One byte more than may be read tells that it is too much.
    let most = MAX_BYTES as u64 + 1;
    if file == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(failed)?;
        return Ok((bytes, "imported".to_owned()));
    }
    std::fs::File::open(file).map_err(failed)?.take(most).read_to_end(&mut bytes).map_err(failed)?;
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String =
        stem.chars().map(|c| if c.is_control() || c == '/' || c == '\\' { '-' } else { c }).collect();
    let name = name.trim().trim_start_matches('.').to_owned();
    Ok((bytes, if name.is_empty() { "imported".to_owned() } else { name }))
}

/// What this project and the catalogues know.
fn known(app: &App, registry: &Registry) -> Known {
    let connectors = app.project.connector_names().into_iter().filter_map(|name| {
        let platform = app.project.connector(&name).ok()?.value.platform;
        Some((name, registry.canonical(&platform).unwrap_or(platform)))
    });
    Known {
        connectors: connectors.collect(),
        platforms: registry.describe().into_iter().map(|d| (d.name, d.aliases)).collect(),
        interfaces: registry
            .interfaces()
            .into_iter()
            .map(|i| Interface {
                platform: i.platform,
                path: i.path,
                names: i.names,
                id: i.id,
                page_size: i.max_page_size,
            })
            .collect(),
    }
}

/// Where the plans go: their names and files; no files when they are only printed. Nothing is replaced unasked.
fn places(
    app: &App,
    args: &ImportArgs,
    name: &str,
    plans: usize,
) -> Result<Vec<(String, Option<PathBuf>)>, Stop> {
    let first = match &args.output {
        Some(path) => path.clone(),
        None => app.project.dir.join("plans").join(format!("{name}.json")),
    };
    let stem = first.file_stem().map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into_owned());
    let mut out = Vec::new();
    for n in 1..=plans {
        let stem = if n == 1 { stem.clone() } else { format!("{stem}-{n}") };
        let path = first.with_file_name(format!("{stem}.json"));
        let path = if n == 1 { first.clone() } else { path };
        if !args.print && !args.force && path.exists() {
            let shown = below(&app.project.dir, &path);
            return Err(Failure::config("HL-1509", text!("`{shown}` is there already", "`{shown}` 已存在"))
                .at(shown.clone())
                .hint(text!(
                    "replace it with --force, or name another file with --output",
                    "用 --force 覆盖,或用 --output 指定其他文件"
                ))
                .into());
        }
        out.push((stem, (!args.print).then_some(path)));
    }
    Ok(out)
}

/// A path as messages name it: inside the project, from there.
fn below(dir: &Path, path: &Path) -> String {
    path.strip_prefix(dir).unwrap_or(path).display().to_string()
}

fn in_file(problems: Vec<Problem>, file: &str) -> Vec<Problem> {
    problems.into_iter().map(|p| Problem { file: file.to_owned(), ..p }).collect()
}

fn write(path: &Path, plan: &Value) -> Result<(), Stop> {
    let text = format!("{plan:#}\n");
    let made = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::create_dir_all(parent),
        _ => Ok(()),
    };
    made.and_then(|()| std::fs::write(path, text)).map_err(|e| {
        let why = e.to_string();
        Failure::config("HL-1015", text!("the file cannot be written: {why}", "文件无法写入:{why}"))
            .at(path.display().to_string())
            .into()
    })
}

fn answer(out: &Out, draft: &Draft, file: Option<&str>, problems: &[Problem]) {
    out.value(&json!({
        "plan": draft.plan,
        "file": file,
        "repairs": draft.repairs.iter().map(|r| r.json(out.lang)).collect::<Vec<_>>(),
        "problems": problems.iter().map(|p| out.problem_json(p)).collect::<Vec<_>>(),
        "remarks": draft.remarks.iter().map(|t| out.say(t)).collect::<Vec<_>>(),
    }));
}

fn show(out: &Out, draft: &Draft, file: Option<&str>, problems: &[Problem], stem: &str) {
    let zh = out.lang == Lang::Zh;
    if file.is_none() {
        out.line(&format!("{:#}", draft.plan));
    }
    let say = |s: &str| {
        if file.is_some() { out.line(s) } else { eprintln!("{s}") }
    };
    if let Some(file) = file {
        let side = |key: &str| {
            let at =
                |p: &str| draft.plan.pointer(&format!("/{key}/{p}")).and_then(Value::as_str).unwrap_or("");
            format!("{} {}", at("connector"), at("metadata/api")).trim().to_owned()
        };
        say(&format!("+ {file}: {} → {}", side("source"), side("target")));
    }
    for remark in &draft.remarks {
        say(&format!("  {}", out.say(remark)));
    }
    let count: usize = draft.repairs.iter().map(|r| r.count).sum();
    if count > 0 {
        say(&if zh { format!("修复 {count} 处:") } else { format!("{count} repairs:") });
    }
    repairs(&draft.repairs, out.lang, &say);
    for p in problems {
        say(&out.problem_text(p));
    }
    if file.is_some() {
        let errors = problems.iter().any(|p| p.severity == Severity::Error);
        out.hint(&if errors {
            text!(
                "next: mend the errors in the plan, then `heliu check {stem}`",
                "下一步:修正方案中的错误,然后执行 `heliu check {stem}`"
            )
        } else {
            text!(
                "next: `heliu preview {stem}` shows what would be sent, `heliu run {stem}` sends it",
                "下一步:`heliu preview {stem}` 查看将要发送的请求,`heliu run {stem}` 运行"
            )
        });
    }
}

/// Repairs for people: what loses something always, of the rest the first ones of each kind.
fn repairs(list: &[Repair], lang: Lang, say: &dyn Fn(&str)) {
    let mut seen: Vec<(heliu_import::Kind, usize)> = Vec::new();
    for r in list {
        let n = match seen.iter_mut().find(|(k, _)| *k == r.kind) {
            Some((_, n)) => {
                *n += 1;
                *n
            }
            None => {
                seen.push((r.kind, 1));
                1
            }
        };
        if n <= SHOWN || r.kind.loses() {
            say(&format!("  {}", r.line(lang)));
        }
    }
    for (kind, n) in seen.iter().filter(|(k, n)| *n > SHOWN && !k.loses()) {
        let (word, more) = (kind.word(), n - SHOWN);
        say(&match lang {
            Lang::En => format!("  … and {more} more of `{word}` (all of them with --json)"),
            Lang::Zh => format!("  …… `{word}` 另有 {more} 处(--json 可列出全部)"),
        });
    }
}
