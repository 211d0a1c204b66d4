//! Configuration files: connectors, plans, `heliu.toml`. All problems of a file at once, each with its path;
//! unknown keys are errors that name the nearest known one (interface §2).

mod connector;
mod doubled;
mod fields;
mod keys;
mod plan;
mod settings;

pub use connector::{ConnectorFile, CredentialValue};
pub use doubled::{Doubled, doubled};
pub use keys::{KEYS, Key};
pub use plan::{PlanFile, SideFile};
pub use settings::{MAIL, MailFile, Settings, WebhookFile};

use crate::{Problem, text};

/// Parses JSON or TOML text into one tree.
///
/// # Errors
/// Line and column of the first fault.
pub fn parse_tree(source: &str, json: bool) -> Result<serde_json::Value, Problem> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    if json {
        return serde_json::from_str(source).map_err(|e| {
            let full = e.to_string();
            let words = full.split(" at line ").next().unwrap_or(&full).to_owned();
            let (line, column) = (e.line(), e.column());
            Problem::error(
                "HL-1001",
                "",
                text!(
                    "invalid JSON at line {line}, column {column}: {words}",
                    "JSON 无效,第 {line} 行第 {column} 列:{words}"
                ),
            )
        });
    }
    let tree: toml::Table = toml::from_str(source).map_err(|e| {
        let words = e.message().to_owned();
        let at = e.span().map_or(0, |s| s.start).min(source.len());
        let before = source.get(..at).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Problem::error(
            "HL-1002",
            "",
            text!(
                "invalid TOML at line {line}, column {column}: {words}",
                "TOML 无效,第 {line} 行第 {column} 列:{words}"
            ),
        )
    })?;
    serde_json::to_value(tree).map_err(|e| {
        let why = e.to_string();
        Problem::error("HL-1002", "", text!("the file cannot be read: {why}", "文件无法读取:{why}"))
    })
}
