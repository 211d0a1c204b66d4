//! Every stable error code with its page, in both languages. `heliu explain CODE` prints it.

mod alert;
mod cli;
mod config;
mod dialect;
mod ledger;
pub mod lint;
mod run;
mod schedule;
mod source;
mod target;
mod token;

/// One code and its page.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// `HL-nnnn`.
    pub id: &'static str,
    /// What happened: English, 中文.
    pub title: (&'static str, &'static str),
    /// Likely causes: English, 中文.
    pub cause: (&'static str, &'static str),
    /// What to do: English, 中文.
    pub todo: (&'static str, &'static str),
}

/// A page in one line.
pub(crate) const fn code(
    id: &'static str,
    title: (&'static str, &'static str),
    cause: (&'static str, &'static str),
    todo: (&'static str, &'static str),
) -> Code {
    Code { id, title, cause, todo }
}

/// All codes, area by area.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [
        config::CODES,
        dialect::CODES,
        source::CODES,
        token::CODES,
        target::CODES,
        ledger::CODES,
        run::CODES,
        alert::CODES,
        schedule::CODES,
        cli::CODES,
    ]
    .into_iter()
    .flatten()
    .chain(lint::ALL.iter().map(|l| &l.page))
}

/// The page of a code; the prefix `HL-` may be missing and case does not matter.
pub fn find(id: &str) -> Option<&'static Code> {
    let wanted = id.trim().to_ascii_uppercase();
    let digits = wanted.trim_start_matches("HL-").trim_start_matches("HL");
    all().find(|c| c.id.trim_start_matches("HL-") == digits)
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique_and_complete() {
        let mut seen = std::collections::BTreeSet::new();
        for code in super::all() {
            assert!(seen.insert(code.id), "{} twice", code.id);
            for (en, zh) in [code.title, code.cause, code.todo] {
                assert!(!en.is_empty() && !zh.is_empty(), "{} lacks a text", code.id);
            }
        }
    }

    /// Every code that the sources name has a page: a user who meets one can have it explained.
    #[test]
    fn every_code_in_the_sources_has_a_page() {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let (mut folders, mut missing, mut files) = (vec![crates], Vec::new(), 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
                let path = entry.unwrap_or_else(|e| panic!("{e}")).path();
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                if path.is_dir() {
                    if name != "tests" && name != "target" {
                        folders.push(path);
                    }
                } else if name.ends_with(".rs") {
                    files += 1;
                    let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{e}"));
                    // Only what stands in front of the file's own tests.
                    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
                    for (at, _) in source.match_indices("\"HL-") {
                        let id = source.get(at + 1..).and_then(|t| t.split('"').next()).unwrap_or_default();
                        if id.len() == 7 && super::find(id).is_none() {
                            missing.push(format!("{id} in {}", path.display()));
                        }
                    }
                }
            }
        }
        assert!(files > 50, "{files} files looked at");
        missing.sort();
        missing.dedup();
        assert!(missing.is_empty(), "codes without a page: {missing:#?}");
    }
}
