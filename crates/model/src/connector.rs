//! A connector, resolved: credentials read, limits known.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::Secret;
use crate::budget::Limits;

/// One configured account on a platform.
#[derive(Debug, Clone, Default)]
pub struct ConnectorSpec {
    /// File stem.
    pub name: String,
    /// Platform as the user wrote it (a name or an alias).
    pub platform: String,
    /// Address that replaces the manifest's.
    pub base_url: Option<String>,
    /// Zone of the account's times; the manifest's by default.
    pub timezone: Option<Tz>,
    /// Credentials, read from wherever they are kept.
    pub credentials: BTreeMap<String, Secret>,
    /// Where the file has each of them (`credentials.app_key`, `dsn`).
    pub places: BTreeMap<String, String>,
    /// Limits the user set; `None` fields take the platform's.
    pub limits: Limits,
    /// Directory of the project, for relative paths.
    pub project: std::path::PathBuf,
}

impl ConnectorSpec {
    /// A credential or a setting of that name; empty ones count as not given.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.credentials.get(name).map(|s| s.expose().to_owned()).filter(|s| !s.is_empty())
    }

    /// Where the connector's file has a name, or would have it.
    pub fn place(&self, name: &str) -> String {
        self.places.get(name).cloned().unwrap_or_else(|| format!("credentials.{name}"))
    }
}
