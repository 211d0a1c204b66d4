//! The one failure type that crosses layers. Its class alone decides what the engine does.

use serde::{Deserialize, Serialize};

use crate::{Problem, Spot, Text};

/// What kind of failure it is, and so what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Passing: time-outs, lost connections, 5xx. Repeated inside the run, then left waiting.
    Transient,
    /// The outside system asked to slow down. Waits as told; costs no attempt.
    RateLimited,
    /// The token was refused: one refresh for all waiters, then one repetition.
    AuthExpired,
    /// No repetition can mend it (signature, permission, parameter, address). Ends the run.
    Config,
    /// This record or batch cannot be accepted. A batch is bisected; a record fails.
    Data,
    /// A defect of ours, or of the machine (disk full). Ends the run; nothing is lost.
    Internal,
}

/// A failure with everything a person needs: code, sentence, place, next step.
///
/// Secrets never enter any of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Decides the reaction.
    pub class: Class,
    /// Stable code, `HL-nnnn`.
    pub code: String,
    /// One sentence for a consultant.
    pub message: Text,
    /// File and JSON path, or the call; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub hint: Text,
    /// The outside system's own code, if it gave one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor_code: String,
    /// How long the outside system asked us to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The write may have taken effect although no usable answer came.
    #[serde(default)]
    pub doubt: bool,
    /// The character of an expression that it is about, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Box<Spot>>,
    /// The batch as a whole is too large (packet, placeholders): split it, no record is to blame.
    #[serde(default)]
    pub split: bool,
}

impl Failure {
    /// A failure of `class` with `code` and sentence.
    pub fn new(class: Class, code: &str, message: Text) -> Self {
        Failure {
            class,
            code: code.into(),
            message,
            place: String::new(),
            hint: Text::default(),
            vendor_code: String::new(),
            retry_after_ms: None,
            doubt: false,
            spot: None,
            split: false,
        }
    }

    /// Class [`Class::Transient`].
    pub fn transient(code: &str, message: Text) -> Self {
        Failure::new(Class::Transient, code, message)
    }

    /// Class [`Class::Config`].
    pub fn config(code: &str, message: Text) -> Self {
        Failure::new(Class::Config, code, message)
    }

    /// Class [`Class::Data`].
    pub fn data(code: &str, message: Text) -> Self {
        Failure::new(Class::Data, code, message)
    }

    /// Class [`Class::Internal`].
    pub fn internal(code: &str, message: Text) -> Self {
        Failure::new(Class::Internal, code, message)
    }

    /// Adds where it happened.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: Text) -> Self {
        self.hint = hint;
        self
    }

    /// Adds the outside system's own code.
    #[must_use]
    pub fn vendor(mut self, code: impl Into<String>) -> Self {
        self.vendor_code = code.into();
        self
    }

    /// Marks that the write may have taken effect.
    #[must_use]
    pub fn in_doubt(mut self) -> Self {
        self.doubt = true;
        self
    }
}

impl From<Problem> for Failure {
    fn from(p: Problem) -> Self {
        let place = match (p.file.is_empty(), p.path.is_empty()) {
            (true, _) => p.path,
            (false, true) => p.file,
            (false, false) => format!("{}: {}", p.file, p.path),
        };
        let f = Failure::new(Class::Config, &p.code, p.message).at(place).hint(p.hint);
        Failure { spot: p.spot, ..f }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if !self.place.is_empty() {
            write!(f, " ({})", self.place)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
