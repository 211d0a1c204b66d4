//! Regular expressions: in linear time, or with bounded stepping back where a pattern needs it.

use std::ops::Range;

use crate::{Text, text};

/// What counts for letters and lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Letters' case does not count.
    pub fold: bool,
    /// `^` and `$` are ends of lines.
    pub lines: bool,
    /// `.` is also a line's end.
    pub dot: bool,
}

/// Levels of a pattern.
pub(crate) const NEST: u32 = 60;

/// Bytes that a compiled pattern takes, about; and those that it may take, for classes of all scripts take room where
/// they are repeated.
const SIZE: usize = 1 << 20;
const LARGEST: usize = 8 << 20;

/// Bytes of a pattern that steps back, of a text that it looks at, and of all that the searches of one call look at.
const BACK_PATTERN: usize = 1_000;
const BACK_TEXT: usize = 4_096;
const BACK_ALL: usize = 400_000;

/// Steps back of one search, and instructions of such a pattern.
const BACK_STEPS: usize = 100_000;
const BACK_SIZE: usize = 10_000;

/// Why a search was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenUp(pub Text);

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) enum Search {
    /// Linear time, whatever the pattern and the text.
    Linear(regex::Regex),
    /// Look-around, back references, atomic groups, possessive quantifiers: PCRE's, which MariaDB has.
    Back(Box<fancy_regex::Regex>),
}

/// A match.
pub(crate) enum Hit<'s> {
    Linear(regex::Captures<'s>),
    Back(fancy_regex::Captures<'s, str>),
}

impl<'s> Hit<'s> {
    /// Where it is.
    pub fn range(&self) -> Range<usize> {
        match self {
            Hit::Linear(c) => c.get(0).map_or(0..0, |m| m.range()),
            Hit::Back(c) => c.get(0).map_or(0..0, |m| m.range()),
        }
    }

    /// The text of a group.
    pub fn group(&self, n: usize) -> Option<&'s str> {
        match self {
            Hit::Linear(c) => c.get(n).map(|m| m.as_str()),
            Hit::Back(c) => c.get(n).map(|m| m.as_str()),
        }
    }

    /// Puts groups in for `${1}`.
    pub fn expand(&self, with: &str, out: &mut String) {
        match self {
            Hit::Linear(c) => c.expand(with, out),
            Hit::Back(c) => c.expand(with, out),
        }
    }
}

impl Search {
    /// Compiles; size and depth are bounded.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn new(pattern: &str, style: Style) -> Result<Search, String> {
        Search::sized(pattern, style).map(|(search, _)| search)
    }

    /// As `new`, and whether it takes more room than others.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn sized(pattern: &str, style: Style) -> Result<(Search, bool), String> {
        let last = |e: String| e.lines().last().unwrap_or("").trim().trim_start_matches("error: ").to_owned();
        if steps_back(pattern) {
            if pattern.len() > BACK_PATTERN {
                return Err(format!("a pattern that steps back has {BACK_PATTERN} bytes at most"));
            }
            let made = fancy_regex::RegexBuilder::new(pattern)
                .case_insensitive(style.fold)
                .multi_line(style.lines)
                .dot_matches_new_line(style.dot)
                .backtrack_limit(BACK_STEPS)
                .delegate_size_limit(SIZE)
                .max_prog_size(BACK_SIZE)
                .build();
            return made
                .map(|r| (Search::Back(Box::new(r)), false))
                .map_err(|e| plainly(&last(e.to_string())));
        }
        let build = |bytes: usize| {
            regex::RegexBuilder::new(pattern)
                .case_insensitive(style.fold)
                .multi_line(style.lines)
                .dot_matches_new_line(style.dot)
                .size_limit(bytes)
                .nest_limit(NEST)
                .build()
        };
        let (made, large) = match build(SIZE) {
            Err(regex::Error::CompiledTooBig(_)) => (build(LARGEST), true),
            made => (made, false),
        };
        made.map(|r| (Search::Linear(r), large)).map_err(|e| last(e.to_string()))
    }

    /// True when the pattern is found.
    ///
    /// # Errors
    /// The search was given up.
    pub fn is_match(&self, s: &str) -> Result<bool, GivenUp> {
        match self {
            Search::Linear(r) => Ok(r.is_match(s)),
            Search::Back(r) => fits(s).and_then(|()| r.is_match(s).map_err(|_| costly())),
        }
    }

    /// Where the pattern is found first.
    ///
    /// # Errors
    /// The search was given up.
    pub fn find(&self, s: &str) -> Result<Option<Range<usize>>, GivenUp> {
        match self {
            Search::Linear(r) => Ok(r.find(s).map(|m| m.range())),
            Search::Back(r) => {
                fits(s)?;
                Ok(r.find(s).map_err(|_| costly())?.map(|m| m.range()))
            }
        }
    }

    /// Visits the matches in their order until `visit` says no.
    ///
    /// # Errors
    /// The search was given up, or what `visit` fails with.
    pub fn each<'s, E: From<GivenUp>>(
        &self,
        s: &'s str,
        mut visit: impl FnMut(Hit<'s>) -> Result<bool, E>,
    ) -> Result<(), E> {
        match self {
            Search::Linear(r) => {
                for c in r.captures_iter(s) {
                    if !visit(Hit::Linear(c))? {
                        break;
                    }
                }
            }
            Search::Back(r) => {
                fits(s)?;
                let mut looked = 0;
                for c in r.captures_iter(s) {
                    let hit = Hit::Back(c.map_err(|_| costly())?);
                    // Each search is bounded by its rest of the text; all of them together are by this.
                    looked += s.len() - hit.range().start;
                    if looked > BACK_ALL {
                        return Err(costly().into());
                    }
                    if !visit(hit)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The engine's words, without what is said to its users.
fn plainly(said: &str) -> String {
    if said.contains("ookbehind") && said.contains("ength") {
        return "a look-behind must have a fixed length".to_owned();
    }
    said.trim_start_matches("Error compiling regex: ").to_owned()
}

fn fits(s: &str) -> Result<(), GivenUp> {
    if s.len() <= BACK_TEXT {
        return Ok(());
    }
    Err(GivenUp(text!(
        "a pattern with look-around or back references takes texts of {BACK_TEXT} bytes at most",
        "含环视或反向引用的正则表达式最多处理 {BACK_TEXT} 字节的文本"
    )))
}

fn costly() -> GivenUp {
    GivenUp(text!("the pattern goes over the text too often", "模式对该文本的匹配次数过多"))
}

/// True for what a linear search cannot do, or reads differently: look-around, atomic groups, conditions, back
/// references, possessive quantifiers, `\K`.
fn steps_back(pattern: &str) -> bool {
    let mut rest = pattern;
    // In brackets; behind a quantifier.
    let (mut class, mut quantified) = (false, false);
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or("");
        let next = rest.chars().next();
        if class {
            match c {
                '\\' => rest = rest.get(next.map_or(0, char::len_utf8)..).unwrap_or(""),
                ']' => (class, quantified) = (false, false),
                _ => {}
            }
            continue;
        }
        match c {
            '\\' => {
                if next.is_some_and(|n| matches!(n, '1'..='9' | 'k' | 'K')) {
                    return true;
                }
                rest = rest.get(next.map_or(0, char::len_utf8)..).unwrap_or("");
                quantified = false;
            }
            '[' => {
                class = true;
                // A bracket at the beginning of a class is a member of it.
                rest = rest.strip_prefix('^').unwrap_or(rest);
                rest = rest.strip_prefix(']').unwrap_or(rest);
            }
            '(' if ["?=", "?!", "?<=", "?<!", "?>", "?("].iter().any(|w| rest.starts_with(w)) => return true,
            '+' if quantified => return true,
            '(' => {
                rest = rest.strip_prefix('?').unwrap_or(rest);
                quantified = false;
            }
            '*' | '+' | '?' | '}' => quantified = !quantified || c == '}',
            _ => quantified = false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_plainly() {
        let said = |p: &str| Search::new(p, Style::default()).err().unwrap_or_default();
        assert_eq!(said("(?<=a+)b"), "a look-behind must have a fixed length");
        assert!(said(r"(?=a)\9").contains("group 9"), "{}", said(r"(?=a)\9"));
        assert!(said("a(?=b").contains("arenthesis"), "{}", said("a(?=b"));
        assert!(matches!(Search::new("(?<=ab|c)d", Style::default()), Ok(Search::Back(_))));
    }

    #[test]
    fn only_what_needs_it_steps_back() {
        for p in [
            r"a(?=b)",
            r"a(?!b)",
            r"(?<=a)b",
            r"(?<!a)b",
            r"(a)\1",
            r"(?>a+)b",
            r"a*+b",
            r"a++",
            r"a?+b",
            r"a{2,3}+b",
            r"(?<n>a)\k<n>",
            r"foo\Kbar",
            r"(a)?(?(1)b|c)",
            r"[[]a(?=b)",
            r"[^]](?=b)",
        ] {
            assert!(steps_back(p), "{p}");
        }
        for p in [
            r"a+",
            r"a+?",
            r"a*?b+",
            r"[(?=]+",
            r"[*++]",
            r"\(?=",
            r"\+\+",
            r"\\\d",
            r"(?:a+)+",
            r"(?i)a+",
            r"(?<n>a)+",
            r"x{2}",
            r"[\]+]+",
            r"\d+",
            r"a|\w+",
            "",
        ] {
            assert!(!steps_back(p), "{p}");
            assert!(matches!(Search::new(p, Style::default()), Ok(Search::Linear(_))), "{p}");
        }
    }
}
