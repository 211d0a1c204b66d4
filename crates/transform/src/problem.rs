//! A finding of a check: what is wrong, where, and what is right.

use serde::{Deserialize, Serialize};

use crate::Text;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The plan cannot run as written.
    Error,
    /// It runs, but probably not as its author meant.
    Warning,
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
