//! `platforms`

use heliu_connect::manifest::{Manifest, schema, skeleton};
use heliu_connect::rehearse;
use heliu_model::{Failure, Lang, text};
use serde_json::json;

use crate::args::{Common, PlatformsAction};
use crate::output::{Done, Out};
use crate::wire::App;

/// `heliu platforms`
pub fn platforms(common: &Common, out: &Out, name: Option<&str>) -> Done {
    let app = App::open(common, *out)?;
    let registry = app.registry()?;
    let zh = out.lang == Lang::Zh;
    let pick = |t: &(String, String)| if zh { t.1.clone() } else { t.0.clone() };
    let all = registry.describe();
    let Some(name) = name else {
        if out.json {
            for d in &all {
                out.value(&json!({"name": d.name, "aliases": d.aliases, "title": pick(&d.title), "origin": d.origin, "apis": d.apis.len()}));
            }
            return Ok(0);
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|d| {
                vec![
                    d.name.clone(),
                    d.aliases.join(", "),
                    pick(&d.title),
                    d.apis.len().to_string(),
                    d.origin.clone(),
                ]
            })
            .collect();
        let head: &[&str] = if zh {
            &["平台", "别名", "说明", "接口", "来源"]
        } else {
            &["PLATFORM", "ALIASES", "WHAT", "APIS", "FROM"]
        };
        out.table(head, &rows);
        return Ok(0);
    };
    let canonical = registry.canonical(name).map_err(Failure::from)?;
    let Some(d) = all.into_iter().find(|d| d.name == canonical) else {
        return Err(
            Failure::config("HL-1033", text!("unknown platform `{name}`", "未知的平台 `{name}`")).into()
        );
    };
    if out.json {
        out.value(&json!({
            "name": d.name, "aliases": d.aliases, "title": pick(&d.title), "origin": d.origin,
            "credentials": d.credentials.iter().map(|(n, en, cn, required, secret)| json!({
                "name": n, "title": if zh { cn } else { en }, "required": required, "secret": secret,
            })).collect::<Vec<_>>(),
            "apis": d.apis.iter().map(|(p, en, cn)| json!({"path": p, "title": if zh { cn } else { en }})).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    out.line(&format!("{}  {}", d.name, pick(&d.title)));
    if !d.aliases.is_empty() {
        out.line(&format!("  {} {}", if zh { "别名" } else { "also" }, d.aliases.join(", ")));
    }
    if !d.credentials.is_empty() {
        out.line(if zh { "凭证" } else { "credentials" });
        let rows: Vec<Vec<String>> = d
            .credentials
            .iter()
            .map(|(n, en, cn, required, _)| {
                let need = match (required, zh) {
                    (true, true) => "必填",
                    (true, false) => "required",
                    _ => "",
                };
                vec![format!("  {n}"), need.to_owned(), if zh { cn.clone() } else { en.clone() }]
            })
            .collect();
        out.table(&[], &rows);
    }
    out.line(if zh { "接口" } else { "interfaces" });
    let rows: Vec<Vec<String>> = d
        .apis
        .iter()
        .map(|(p, en, cn)| vec![format!("  {p}"), if zh { cn.clone() } else { en.clone() }])
        .collect();
    out.table(&[], &rows);
    Ok(0)
}

/// `heliu platforms new`, `test`, `schema`
pub fn act(common: &Common, out: &Out, action: PlatformsAction) -> Done {
    match action {
        PlatformsAction::Schema => {
            out.value(&schema());
            Ok(0)
        }
        PlatformsAction::New { name } => new(common, out, &name),
        PlatformsAction::Test { file } => test(out, &file),
    }
}

fn new(common: &Common, out: &Out, name: &str) -> Done {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(Failure::config(
            "HL-8010",
            text!(
                "`{name}` is no name of a platform: lower-case letters, digits and `-`",
                "`{name}` 不能作为平台名:只能使用小写字母、数字和 `-`"
            ),
        )
        .into());
    }
    let file = format!("platforms/{name}.toml");
    let path = common.project.join(&file);
    let failed = |e: std::io::Error| {
        let file = file.clone();
        Failure::config("HL-1012", text!("`{file}` cannot be written: {e}", "无法写入 `{file}`:{e}"))
    };
    if path.exists() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()).into());
    }
    std::fs::create_dir_all(common.project.join("platforms")).map_err(failed)?;
    std::fs::write(&path, skeleton(name)).map_err(failed)?;
    if out.json {
        out.value(&json!({ "file": file }));
    } else {
        out.line(&out.say(&text!(
            "{file} is written; correct it, then `heliu platforms test {file}` and `heliu check`",
            "已生成 {file};修改后执行 `heliu platforms test {file}` 与 `heliu check`"
        )));
    }
    Ok(0)
}

fn test(out: &Out, path: &std::path::Path) -> Done {
    let shown = path.display().to_string();
    let source = std::fs::read_to_string(path).map_err(|e| {
        let shown = shown.clone();
        Failure::config("HL-1012", text!("`{shown}` cannot be read: {e}", "无法读取 `{shown}`:{e}"))
    })?;
    let manifest = Manifest::read(&source, &shown)?;
    let done = rehearse(&manifest);
    let wrong = done.iter().filter(|r| !r.differs.is_empty()).count();
    for r in &done {
        if out.json {
            out.value(&json!({"api": r.api, "name": r.name, "read": r.found, "differs": r.differs}));
            continue;
        }
        let mark = if r.differs.is_empty() { "✓" } else { "✗" };
        out.line(&format!("{mark} {}  «{}»  {}", r.api, r.name, r.found));
        for d in &r.differs {
            out.line(&format!("    {d}"));
        }
    }
    if !out.json {
        let (all, name) = (done.len(), manifest.name());
        out.line(&out.say(&text!(
            "`{name}` is right in itself; {all} recorded replies, {wrong} read otherwise than they say",
            "`{name}` 清单无误;共 {all} 条录制响应,{wrong} 条与预期不符"
        )));
    }
    Ok(u8::from(wrong > 0))
}
