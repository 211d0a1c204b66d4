//! From files to something that runs: ledger, platforms, both sides of a plan.

mod build;
mod examine;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use chrono_tz::Tz;
use heliu_connect::{Ports, Registry};
use heliu_engine::Engine;
use heliu_ledger::{Options, SqliteLedger};
use heliu_model::config::Settings;
use heliu_model::ports::PlanRow;
use heliu_model::{ConnectorSpec, Failure, Problem, Severity, Ts, text};

pub use self::build::Ready;
pub use self::examine::Loaded;
use crate::args::Common;
use crate::clock::RealClock;
use crate::output::{Out, Stop};
use crate::project::{Held, Project};

/// A project opened by a command.
pub struct App {
    /// Answers.
    pub out: Out,
    /// Files.
    pub project: Project,
    /// Data directory.
    pub data_dir: PathBuf,
    /// Time.
    pub clock: Arc<RealClock>,
    ids: OnceLock<Vec<String>>,
    /// How plans feed each other, once it was asked for.
    feeds: OnceLock<crate::lint::Feeds>,
    /// Names of plans and of value maps, once they were looked for: every plan is examined against them.
    names: OnceLock<(Vec<String>, Vec<String>)>,
}

/// `host:pid:start` of this process, as leases name it.
pub fn owner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "localhost".into());
    let pid = std::process::id();
    // Field 22 behind the command's closing bracket: start in clock ticks. It tells a reused pid apart.
    let start = std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|s| {
            s.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19).map(str::to_owned))
        })
        .unwrap_or_else(|| "0".into());
    format!("{}:{pid}:{start}", host.trim())
}

impl App {
    /// Opens the project of the common options.
    ///
    /// # Errors
    /// The directory or `heliu.toml` cannot be used.
    pub fn open(common: &Common, out: Out) -> Result<App, Stop> {
        let project = Project::open(&common.project)?;
        let data_dir = project.data_dir(common.data_dir.as_deref());
        Ok(App {
            out,
            project,
            data_dir,
            clock: Arc::new(RealClock::new()),
            ids: OnceLock::new(),
            feeds: OnceLock::new(),
            names: OnceLock::new(),
        })
    }

    /// The same project seen through the files that a service holds.
    #[must_use]
    pub fn through(&self, held: Arc<Held>, settings: Settings) -> App {
        App {
            out: self.out,
            project: self.project.through(held, settings),
            data_dir: self.data_dir.clone(),
            clock: self.clock.clone(),
            ids: OnceLock::new(),
            feeds: OnceLock::new(),
            names: OnceLock::new(),
        }
    }

    /// Opens the ledger.
    ///
    /// # Errors
    /// See [`SqliteLedger::open`].
    pub fn ledger(&self) -> Result<SqliteLedger, Stop> {
        let options = Options { synced: self.project.settings.synchronous, ..Options::default() };
        Ok(SqliteLedger::open(&self.data_dir, &options)?)
    }

    /// The ledger, if there is one already.
    ///
    /// # Errors
    /// It is there and cannot be opened.
    pub fn ledger_if_any(&self) -> Result<Option<SqliteLedger>, Stop> {
        if self.data_dir.join("ledger.db").exists() { self.ledger().map(Some) } else { Ok(None) }
    }

    /// All platforms.
    ///
    /// # Errors
    /// Manifests that cannot be used.
    pub fn registry(&self) -> Result<Registry, Stop> {
        Ok(Registry::new(&self.project.manifests())?)
    }

    /// The built-in platforms only.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn built_in(&self) -> Result<Registry, Stop> {
        Ok(Registry::new(&[])?)
    }

    /// The same project once more, for work beside this one.
    #[must_use]
    pub fn again(&self) -> App {
        App {
            out: self.out,
            project: self.project.clone(),
            data_dir: self.data_dir.clone(),
            clock: self.clock.clone(),
            ids: OnceLock::new(),
            feeds: OnceLock::new(),
            names: OnceLock::new(),
        }
    }

    /// The engine over a ledger.
    pub fn engine(&self, ledger: &SqliteLedger) -> Engine {
        let engine =
            Engine::new(Arc::new(ledger.clone()), self.clock.clone(), owner()).alarm(self.alarm(ledger));
        match self.project.settings.lease_ms {
            Some(ms) => engine.lease_ms(ms),
            None => engine,
        }
    }

    /// What outside calls need.
    pub fn ports(&self, ledger: &SqliteLedger) -> Ports {
        Ports {
            clock: self.clock.clone(),
            tokens: Arc::new(ledger.clone()),
            budget: Arc::new(ledger.clone()),
            stored: Arc::new(ledger.clone()),
            plans: Arc::new(crate::plans::ProjectPlans::new(self.project.clone())),
            owner: owner(),
            plan: String::new(),
        }
    }

    /// A connector and everything that is wrong with it.
    ///
    /// # Errors
    /// There is no such connector, or its file cannot be parsed.
    pub async fn connector(
        &self,
        registry: &Registry,
        ledger: Option<&SqliteLedger>,
        name: &str,
    ) -> Result<(ConnectorSpec, Vec<Problem>), Stop> {
        let (spec, mut problems) = self.project.resolve(name, ledger).await?;
        let file = self.project.connector_file(name);
        problems
            .extend(registry.check_connector(&spec).into_iter().map(|p| Problem { file: file.clone(), ..p }));
        Ok((spec, problems))
    }

    /// A connector without errors.
    ///
    /// # Errors
    /// Every problem of the connector.
    pub async fn usable(
        &self,
        registry: &Registry,
        ledger: Option<&SqliteLedger>,
        name: &str,
    ) -> Result<ConnectorSpec, Stop> {
        let (spec, problems) = self.connector(registry, ledger, name).await?;
        if problems.iter().any(|p| p.severity == Severity::Error) {
            return Err(problems.into());
        }
        Ok(spec)
    }

    /// A plan's row in the ledger and its zone, for commands that look.
    ///
    /// # Errors
    /// Neither the project nor the ledger knows the plan.
    pub async fn find(&self, ledger: &SqliteLedger, name: &str) -> Result<(Option<PlanRow>, Tz), Stop> {
        let stem = name.trim_start_matches("plans/").trim_end_matches(".json");
        let file = self.project.plan(stem);
        let row = crate::identity::row(self, ledger, stem).await?;
        if row.is_none()
            && let Err(problems) = file
        {
            return Err(problems.into());
        }
        let mut tz = chrono_tz::Asia::Shanghai;
        if let Ok(read) = file {
            tz = match read.value.timezone {
                Some(z) => z,
                None => match (self.registry(), self.project.connector(&read.value.source.connector)) {
                    (Ok(registry), Ok(c)) => registry.timezone(&ConnectorSpec {
                        platform: c.value.platform,
                        timezone: c.value.timezone,
                        ..ConnectorSpec::default()
                    }),
                    _ => tz,
                },
            };
        }
        Ok((row, tz))
    }

    /// Like [`App::find`], for commands that need something in the ledger.
    ///
    /// # Errors
    /// The plan never ran.
    pub async fn must_find(&self, ledger: &SqliteLedger, name: &str) -> Result<(PlanRow, Tz), Stop> {
        match self.find(ledger, name).await? {
            (Some(row), tz) => Ok((row, tz)),
            (None, _) => Err(Failure::config(
                "HL-8011",
                text!("plan `{name}` has not run yet", "方案 `{name}` 尚未运行过"),
            )
            .hint(text!("start it with `heliu run {name}`", "用 `heliu run {name}` 运行"))
            .into()),
        }
    }

    /// Reads a time of the command line in a zone.
    ///
    /// # Errors
    /// Not a time.
    pub fn time(words: &str, option: &str, tz: Tz) -> Result<Ts, Stop> {
        Ts::parse(words, tz).map_err(|t| {
            Failure::config("HL-8010", t)
                .at(option)
                .hint(text!(
                    "write `2024-03-14 16:00:00`, RFC 3339, or unix seconds",
                    "请写成 `2024-03-14 16:00:00`、RFC 3339 或 unix 秒"
                ))
                .into()
        })
    }
}
