//! `platforms`

use heliu_model::{Failure, Lang, text};
use serde_json::json;

use crate::args::Common;
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
