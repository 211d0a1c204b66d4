//! A finding of a check: what is wrong, where, and what is right.

use serde::{Deserialize, Serialize};

use crate::{Text, Value};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The plan cannot run as written.
    Error,
    /// It runs, but probably not as its author meant.
    Warning,
}

/// A character of an expression: where exactly something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The expression as it is written.
    pub text: String,
    /// Position in characters, from 0.
    pub at: usize,
}

impl Spot {
    /// The first place in the texts of `value` that holds what a message quotes first.
    pub fn quoted(message: &Text, value: &Value) -> Option<Spot> {
        let word = message.en.split('`').nth(1).filter(|w| !w.is_empty())?;
        spot_of(value, word)
    }
}

/// One finding about a configuration. All findings of a file are reported at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code (`HL-nnnn`).
    pub code: String,
    /// Error or warning.
    pub severity: Severity,
    /// File it was found in; empty until the loader knows it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// JSON path inside the file or metadata, such as `source.metadata.request[3].value`.
    pub path: String,
    /// What was found, as one sentence.
    pub message: Text,
    /// What is right, or the next step. Empty when the message says it all.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub hint: Text,
    /// The character of the expression at the path, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Box<Spot>>,
}

impl Problem {
    /// An error at `path`.
    pub fn error(code: &str, path: impl Into<String>, message: Text) -> Self {
        Problem {
            code: code.into(),
            severity: Severity::Error,
            file: String::new(),
            path: path.into(),
            message,
            hint: Text::default(),
            spot: None,
        }
    }

    /// A warning at `path`.
    pub fn warning(code: &str, path: impl Into<String>, message: Text) -> Self {
        Problem { severity: Severity::Warning, ..Problem::error(code, path, message) }
    }

    /// Adds what is right or what to do next.
    #[must_use]
    pub fn hint(mut self, hint: Text) -> Self {
        self.hint = hint;
        self
    }

    /// Adds the character of an expression that it is about.
    #[must_use]
    pub fn spot(mut self, text: &str, at: Option<usize>) -> Self {
        self.spot = at.map(|at| Box::new(Spot { text: text.to_owned(), at }));
        self
    }

    /// Points at the first place in the texts of `value` that holds what the message quotes first.
    pub(crate) fn find_spot(&mut self, value: &Value) {
        if self.spot.is_none() {
            self.spot = Spot::quoted(&self.message, value).map(Box::new);
        }
    }

    /// Puts `prefix` before the path (`prefix.path`, or `prefix[0]…` for an index).
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = match (prefix.is_empty(), self.path.is_empty(), self.path.starts_with('[')) {
            (true, ..) => self.path,
            (_, true, _) => prefix.to_owned(),
            (_, _, true) => format!("{prefix}{}", self.path),
            _ => format!("{prefix}.{}", self.path),
        };
        self
    }
}

fn spot_of(value: &Value, word: &str) -> Option<Spot> {
    match value {
        Value::String(s) => {
            let at = s.find(word)?;
            let at = s.get(..at)?.chars().count();
            Some(Spot { text: s.to_string(), at })
        }
        Value::Array(items) => items.iter().find_map(|v| spot_of(v, word)),
        Value::Object(map) => map.iter().find_map(|(_, v)| spot_of(v, word)),
        _ => None,
    }
}
