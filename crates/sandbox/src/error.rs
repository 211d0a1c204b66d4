//! What can go wrong with the sandbox itself (not what it answers on purpose).

use heliu_transform::Text;

/// A failure of the sandbox, with a stable code and words in both languages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct SandboxError {
    /// `HL-80xx`.
    pub code: &'static str,
    /// What happened, what is right, what to do.
    pub text: Text,
}

impl SandboxError {
    /// No stand-in of that name.
    pub const UNKNOWN_PLATFORM: &'static str = "HL-8001";
    /// A fault list that cannot be read.
    pub const BAD_FAULT: &'static str = "HL-8002";
    /// The address cannot be listened on.
    pub const CANNOT_LISTEN: &'static str = "HL-8003";
    /// A change of the sandbox's data or state that cannot be done.
    pub const BAD_CHANGE: &'static str = "HL-8004";
    /// Calls that a test expected did not come, or came too often.
    pub const UNMET: &'static str = "HL-8005";

    /// No control call of that name.
    pub const NO_CONTROL: &'static str = "HL-8006";

    pub(crate) fn new(code: &'static str, text: Text) -> Self {
        SandboxError { code, text }
    }
}
