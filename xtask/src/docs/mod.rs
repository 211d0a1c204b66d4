//! The reference under docs/reference: written from the tables that the program itself uses, in both languages.

mod codes;
mod dialect;
mod page;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use heliu_transform::Lang;

/// Every page of the reference: path below docs/reference, and text.
fn pages() -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for lang in [Lang::En, Lang::Zh] {
        let folder = if lang == Lang::En { "en" } else { "zh" };
        let all = [
            dialect::keys(lang),
            dialect::values(lang),
            dialect::functions(lang),
            settings::settings(lang),
            codes::lints(lang),
            codes::codes(lang),
        ];
        let index = page::index(lang, &all);
        out.insert(format!("{folder}/README.md"), index);
        for p in all {
            out.insert(format!("{folder}/{}.md", p.name), p.text);
        }
    }
    out
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference")
}

/// Files below a folder, relative to it.
fn files(root: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for lang in ["en", "zh"] {
        for entry in std::fs::read_dir(root.join(lang)).into_iter().flatten().flatten() {
            out.push(format!("{lang}/{}", entry.file_name().to_string_lossy()));
        }
    }
    out.sort();
    out
}

/// What differs between the tables and the files: missing, outdated or left over.
fn stale(root: &Path) -> Vec<String> {
    let pages = pages();
    let mut out: Vec<String> = pages
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.clone())
        .collect();
    out.extend(files(root).into_iter().filter(|f| !pages.contains_key(f)));
    out
}

/// `docs [--check]`
pub fn run(args: &[String]) -> Result<(), String> {
    let root = folder();
    match args {
        [flag] if flag == "--check" => {
            let list = stale(&root);
            if list.is_empty() {
                return Ok(());
            }
            Err(format!("stale: {}; write them with `cargo xtask docs`", list.join(", ")))
        }
        [] => {
            let pages = pages();
            for old in files(&root).into_iter().filter(|f| !pages.contains_key(f)) {
                std::fs::remove_file(root.join(&old)).map_err(|e| format!("{old}: {e}"))?;
            }
            for (name, text) in &pages {
                let path = root.join(name);
                let parent = path.parent().unwrap_or(&root);
                std::fs::create_dir_all(parent)
                    .and_then(|()| std::fs::write(&path, text))
                    .map_err(|e| format!("{name}: {e}"))?;
            }
            println!("{} pages under docs/reference", pages.len());
            Ok(())
        }
        _ => Err("docs [--check]".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_as_the_tables_say() {
        let list = stale(&folder());
        assert!(list.is_empty(), "stale: {list:?}; write them with `cargo xtask docs`");
    }

    #[test]
    fn what_is_outdated_or_left_over_is_found() {
        let dir = std::env::temp_dir().join(format!("heliu-docs-{}", std::process::id()));
        for (name, text) in pages() {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&dir)).unwrap_or_else(|e| panic!("{e}"));
            std::fs::write(path, text).unwrap_or_else(|e| panic!("{e}"));
        }
        assert_eq!(stale(&dir), Vec::<String>::new());
        std::fs::write(dir.join("en/codes.md"), "old").unwrap_or_else(|e| panic!("{e}"));
        std::fs::write(dir.join("zh/left-over.md"), "old").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(stale(&dir), ["en/codes.md", "zh/left-over.md"]);
        std::fs::remove_dir_all(&dir).unwrap_or_else(|e| panic!("{e}"));
    }
}
