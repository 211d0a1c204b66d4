//! Alerts: what needs a person, said once for as long as it lasts.

use serde::{Deserialize, Serialize};

use crate::{Text, Ts, text};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A run could not finish, or not begin.
    Failed,
    /// A run ended and its counts do not balance.
    NotBalanced,
    /// Records failed.
    RecordsFailed,
    /// Records are in doubt.
    InDoubt,
    /// Elements were rejected.
    Rejected,
    /// A schedule is late.
    Late,
    /// A token cannot be renewed without a person.
    Authorisation,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [AlertKind; 7] = [
        AlertKind::Failed,
        AlertKind::NotBalanced,
        AlertKind::RecordsFailed,
        AlertKind::InDoubt,
        AlertKind::Rejected,
        AlertKind::Late,
        AlertKind::Authorisation,
    ];

    /// The word that is stored and sent.
    pub fn word(self) -> &'static str {
        match self {
            AlertKind::Failed => "failed",
            AlertKind::NotBalanced => "not_balanced",
            AlertKind::RecordsFailed => "records_failed",
            AlertKind::InDoubt => "in_doubt",
            AlertKind::Rejected => "rejected",
            AlertKind::Late => "late",
            AlertKind::Authorisation => "authorisation",
        }
    }

    /// Reads a stored word.
    pub fn parse(word: &str) -> Option<AlertKind> {
        AlertKind::ALL.into_iter().find(|k| k.word() == word)
    }

    /// A few words for people.
    pub fn title(self) -> Text {
        match self {
            AlertKind::Failed => text!("run failed", "运行失败"),
            AlertKind::NotBalanced => text!("run not balanced", "运行不平衡"),
            AlertKind::RecordsFailed => text!("records failed", "数据失败"),
            AlertKind::InDoubt => text!("records in doubt", "数据存疑"),
            AlertKind::Rejected => text!("elements rejected", "元素被拒绝"),
            AlertKind::Late => text!("schedule is late", "调度延迟"),
            AlertKind::Authorisation => text!("authorise again", "需要重新授权"),
        }
    }
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What tells one lasting trouble from another: while it lasts, it is one alert.
    pub key: String,
    /// Kind.
    pub kind: AlertKind,
    /// Plan that met it.
    pub plan: String,
    /// Run that met it, if one began.
    pub run: Option<String>,
    /// Code, for `heliu explain`.
    pub code: String,
    /// What is wrong.
    pub message: Text,
    /// What to do.
    pub hint: Text,
}

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Number.
    pub id: i64,
    /// What is wrong, in its newest words.
    pub trouble: Trouble,
    /// When it was met first.
    pub opened: Ts,
    /// When it was met last.
    pub last: Ts,
    /// How often it was met.
    pub times: u64,
    /// When it was over.
    pub closed: Option<Ts>,
}

/// Something to be sent: that an alert was opened, or that it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Number.
    pub id: i64,
    /// The alert, as it is now.
    pub alert: Alert,
    /// It is over.
    pub recovery: bool,
    /// Since when it is to be sent.
    pub since: Ts,
    /// How often sending was tried before.
    pub tries: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for kind in AlertKind::ALL {
            assert_eq!(AlertKind::parse(kind.word()), Some(kind));
            assert!(!kind.title().en.is_empty() && !kind.title().zh.is_empty());
        }
        assert_eq!(AlertKind::parse("x"), None);
    }
}
