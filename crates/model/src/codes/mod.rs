//! Every stable error code with its page, in both languages. `heliu explain CODE` prints it.

mod cli;
mod config;
mod dialect;
mod ledger;
mod run;
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
        cli::CODES,
    ]
    .into_iter()
    .flatten()
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
}
