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
    /// Limits the user set; `None` fields take the platform's.
    pub limits: Limits,
    /// Other settings as text (`dsn`, `path`, `host` …).
    pub settings: BTreeMap<String, String>,
    /// Directory of the project, for relative paths.
    pub project: std::path::PathBuf,
}

impl ConnectorSpec {
    /// A setting, or a credential of that name.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings
            .get(name)
            .cloned()
            .or_else(|| self.credentials.get(name).map(|s| s.expose().to_owned()))
            .filter(|s| !s.is_empty())
    }
}
