//! LIKE and regular expressions.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use super::FnError;
use crate::search::{GivenUp, NEST, Search, Style};
use crate::text;

/// Steps that one comparison may take, and bytes that the matches of one replacement may go over: both grow with the
/// square of the text at worst.
const MAX_STEPS: usize = 5_000_000;

pub(super) fn too_costly() -> FnError {
    FnError::new("HL-2311", text!("the pattern goes over the text too often", "模式对该文本的匹配次数过多"))
}

/// `LIKE` with `%`, `_` and an escape character; `fold` takes letters' case away, blanks at the end count.
///
/// # Errors
/// A long pattern over a long text that nearly fits everywhere.
pub(super) fn like(
    s: &str,
    pattern: &str,
    escape: Option<char>,
    fold: fn(char) -> char,
) -> Result<bool, FnError> {
    #[derive(PartialEq, Clone, Copy)]
    enum P {
        Any,
        One,
        Is(char),
    }
    let mut pat = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pat.push(match c {
            c if Some(c) == escape => P::Is(fold(chars.next().unwrap_or(c))),
            '%' => P::Any,
            '_' => P::One,
            c => P::Is(fold(c)),
        });
    }
    let s: Vec<char> = s.chars().map(fold).collect();
    // Greedy with one point to come back to: never exponential.
    let (mut i, mut j, mut star) = (0, 0, None);
    let mut steps = 0;
    while i < s.len() {
        steps += 1;
        if steps > MAX_STEPS {
            return Err(too_costly());
        }
        match pat.get(j) {
            Some(P::Any) => {
                star = Some((j, i));
                j += 1;
            }
            Some(P::One) => {
                i += 1;
                j += 1;
            }
            Some(P::Is(c)) if s.get(i) == Some(c) => {
                i += 1;
                j += 1;
            }
            _ => match star {
                Some((sj, si)) => {
                    j = sj + 1;
                    i = si + 1;
                    star = Some((sj, si + 1));
                }
                None => return Ok(false),
            },
        }
    }
    Ok(pat.iter().skip(j).all(|p| *p == P::Any))
}

/// A regular expression with MariaDB's meaning: letters' case does not count, classes are of all scripts, and `$` is also
/// before a line's end that ends the text.
#[derive(Debug, Clone)]
pub(super) struct Regex {
    re: Search,
    /// Bytes of the longest match, where the pattern has a longest one.
    longest: Option<usize>,
    /// `$` is in it.
    ends: bool,
    /// It takes more room than others.
    large: bool,
}

/// Compiled patterns that a thread keeps: a function's pattern is the same for every record.
const KEPT: usize = 32;
/// So many of them may be large.
const KEPT_LARGE: usize = 4;

thread_local! {
    static COMPILED: RefCell<HashMap<(String, bool), Regex>> = RefCell::new(HashMap::new());
}

impl Regex {
    /// Compiles; the size is bounded, and so is matching. `exact` minds letters' case.
    pub fn new(pattern: &str, exact: bool) -> Result<Regex, FnError> {
        let unusable = |e: String| {
            FnError::new(
                "HL-2311",
                text!("the regular expression cannot be used: {e}", "正则表达式无法使用:{e}"),
            )
        };
        let pattern = widened(pattern);
        let style = Style { fold: !exact, ..Style::default() };
        let (re, large) = Search::sized(&pattern, style).map_err(unusable)?;
        let tree = regex_syntax::ParserBuilder::new()
            .case_insensitive(!exact)
            .nest_limit(NEST)
            .build()
            .parse(&pattern);
        // What steps back is bounded by its own limits.
        let longest = match (&re, tree) {
            (Search::Back(_), _) => Some(0),
            (Search::Linear(_), tree) => tree.ok().and_then(|t| t.properties().maximum_len()),
        };
        Ok(Regex { re, longest, ends: pattern.contains('$'), large })
    }

    /// Like `new`; a pattern that this thread compiled lately is not compiled again.
    pub fn kept(pattern: &str, exact: bool) -> Result<Regex, FnError> {
        COMPILED.with_borrow_mut(|kept| {
            let key = (pattern.to_owned(), exact);
            if let Some(found) = kept.get(&key) {
                return Ok(found.clone());
            }
            let made = Regex::new(pattern, exact)?;
            let full = made.large && kept.values().filter(|r| r.large).count() >= KEPT_LARGE;
            if full || kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(key, made.clone());
            Ok(made)
        })
    }

    /// The text without its line's end, before which `$` is as well.
    fn cut<'s>(&self, s: &'s str) -> Option<&'s str> {
        s.strip_suffix('\n').filter(|_| self.ends)
    }

    /// The first match.
    fn find(&self, s: &str) -> Result<Option<Range<usize>>, FnError> {
        let found = self.re.find(s)?;
        let other = match self.cut(s) {
            Some(head) => self.re.find(head)?,
            None => None,
        };
        // The one that begins first, and of two the longer.
        let place = |m: &Range<usize>| (m.start, std::cmp::Reverse(m.end));
        Ok(match (found, other) {
            (Some(found), Some(other)) if place(&other) < place(&found) => Some(other),
            (found, other) => found.or(other),
        })
    }

    /// True when it is found.
    ///
    /// # Errors
    /// The search goes over the text too often.
    pub fn is_match(&self, s: &str) -> Result<bool, FnError> {
        if self.re.is_match(s)? {
            return Ok(true);
        }
        match self.cut(s) {
            Some(head) => Ok(self.re.is_match(head)?),
            None => Ok(false),
        }
    }

    /// Position of the first match, 1-based in characters; 0 without one.
    ///
    /// # Errors
    /// The search goes over the text too often.
    pub fn position(&self, s: &str) -> Result<i64, FnError> {
        let before = self.find(s)?.and_then(|m| s.get(..m.start));
        Ok(before.map_or(0, |b| i64::try_from(b.chars().count()).unwrap_or(0) + 1))
    }

    /// The first match; empty without one.
    ///
    /// # Errors
    /// The search goes over the text too often.
    pub fn first<'s>(&self, s: &'s str) -> Result<&'s str, FnError> {
        Ok(self.find(s)?.and_then(|m| s.get(m)).unwrap_or(""))
    }

    /// Replaces all matches; `\1` in the replacement stands for a group.
    ///
    /// # Errors
    /// A text that becomes too long, or that the matches go over too often: each is linear, all of them are not.
    pub fn replace(&self, s: &str, with: &str) -> Result<String, FnError> {
        // A match before the line's end leaves it as it is; nothing can be said about both ends at once.
        match self.cut(s) {
            Some(head) if !self.re.is_match(s)? => self.replace_all(head, with).map(|out| out + "\n"),
            _ => self.replace_all(s, with),
        }
    }

    fn replace_all(&self, s: &str, with: &str) -> Result<String, FnError> {
        let with = groups(with);
        let plain = !with.contains('$');
        let (mut out, mut behind, mut steps) = (String::new(), 0, 0usize);
        let mut one = |whole: Range<usize>, out: &mut String| {
            // A search may read on to the end before it knows where its match ends, if a match can be that long.
            let rest = s.len() - whole.start;
            steps += whole.start.saturating_sub(behind) + self.longest.map_or(rest, |n| rest.min(n + LOOK));
            if steps > 4 * MAX_STEPS {
                return Err(too_costly());
            }
            out.push_str(s.get(behind..whole.start).unwrap_or(""));
            behind = whole.end;
            super::eval::bounded(out.len())
        };
        match &self.re {
            Search::Linear(re) if plain => {
                // Without groups nothing but the ends is looked for, which is much cheaper.
                for whole in re.find_iter(s).take_while(|m| !m.is_empty()) {
                    one(whole.range(), &mut out)?;
                    out.push_str(&with);
                }
            }
            re => re.each(s, |found| {
                // A match of nothing ends the work, as MariaDB does it.
                if found.range().is_empty() {
                    return Ok(false);
                }
                one(found.range(), &mut out)?;
                found.expand(&with, &mut out);
                Ok::<bool, FnError>(true)
            })?,
        }
        out.push_str(s.get(behind..).unwrap_or(""));
        super::eval::bounded(out.len())?;
        Ok(out)
    }
}

impl From<GivenUp> for FnError {
    fn from(GivenUp(why): GivenUp) -> FnError {
        FnError::new("HL-2311", why)
    }
}

/// Bytes that a search reads behind a match, for `\b` and `$`.
const LOOK: usize = 4;

/// `\1` as this engine writes it.
fn groups(s: &str) -> String {
    let mut out = String::new();
    let mut chars = s.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(d);
                    out.push('}');
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// `\w` as MariaDB means it, inside of a class: letters and digits of all scripts.
const WORD: &str = r"\p{L}\p{N}_";

/// Classes by name as MariaDB means them, of all scripts; those that are not here are of ASCII there too.
const NAMED: &[(&str, &str)] = &[
    ("alpha", r"\p{L}"),
    ("alnum", r"\p{L}\p{N}"),
    ("digit", r"\p{Nd}"),
    ("word", WORD),
    ("upper", r"\p{Lu}"),
    ("lower", r"\p{Ll}"),
    ("space", r"\s"),
    ("punct", r"\p{P}[[:punct:]]"),
];

/// Where a word begins and ends, behind the bracket that opens them.
const BOUNDS: &[(&str, &str)] = &[("[:<:]]", r"\b{start}"), ("[:>:]]", r"\b{end}")];

/// A pattern with MariaDB's meaning of `\w`, `\W` and the classes by name.
fn widened(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains('\\') && !pattern.contains("[:") {
        return pattern.into();
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '[' if class && chars.as_str().starts_with(':') => {
                let rest = chars.as_str();
                let named = NAMED.iter().find(|(n, _)| {
                    rest.get(1..).and_then(|r| r.strip_prefix(n)).is_some_and(|r| r.starts_with(":]"))
                });
                match named {
                    Some((name, means)) => {
                        out.push_str(means);
                        chars = rest.get(name.len() + 3..).unwrap_or("").chars();
                    }
                    None => {
                        // The whole name, so that its bracket does not end the class.
                        let end = rest.find(":]").map_or(1, |at| at + 2);
                        out.push('[');
                        out.push_str(rest.get(..end).unwrap_or(":"));
                        chars = rest.get(end..).unwrap_or("").chars();
                    }
                }
            }
            '[' if !class && BOUNDS.iter().any(|(name, _)| chars.as_str().starts_with(name)) => {
                let bound = BOUNDS
                    .iter()
                    .find_map(|(name, means)| chars.as_str().strip_prefix(name).map(|rest| (*means, rest)));
                if let Some((means, rest)) = bound {
                    out.push_str(means);
                    chars = rest.chars();
                }
            }
            '[' => {
                class = true;
                out.push(c);
            }
            ']' => {
                class = false;
                out.push(c);
            }
            '\\' => match (chars.next(), class) {
                (Some('w'), true) => out.push_str(WORD),
                (Some('w'), false) => out.extend(["[", WORD, "]"]),
                (Some('W'), false) => out.extend(["[^", WORD, "]"]),
                (Some(other), _) => {
                    out.push('\\');
                    out.push(other);
                }
                (None, _) => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out.into()
}
