//! The keys of `heliu.toml`.

use heliu_model::Lang;
use heliu_model::config::KEYS;

use super::page::{Page, page, pick};

/// Every key with its default and meaning.
pub fn settings(lang: Lang) -> Page {
    let head = pick(lang, ("| Key | Default | Meaning |", "| 键 | 默认 | 含义 |"));
    let mut body = String::new();
    let mut table = "";
    for k in KEYS {
        if k.table != table {
            table = k.table;
            let brackets = if table == "alerts.webhooks" { ("[[", "]]") } else { ("[", "]") };
            body.push_str(&format!("## `{}{table}{}`\n\n{head}\n|---|---|---|\n", brackets.0, brackets.1));
        }
        let default = if k.default.is_empty() { String::new() } else { format!("`{}`", k.default) };
        body.push_str(&format!("| `{}` | {default} | {} |\n", k.name, pick(lang, k.meaning)));
        if KEYS.iter().rfind(|o| o.table == table).is_some_and(|o| o.name == k.name) {
            body.push('\n');
        }
    }
    page(
        lang,
        "settings",
        ("heliu.toml", "heliu.toml"),
        (
            "Settings of a project; every key is optional, and one that is not known is an error.",
            "项目设置;所有键均可省略,未知的键会报错。",
        ),
        &body,
    )
}
