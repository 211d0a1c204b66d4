//! From files to something that runs: ledger, platforms, both sides of a plan.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use chrono_tz::Tz;
use heliu_connect::heliu::PlanInbox;
use heliu_connect::{ApiFacts, Ports, Registry};
use heliu_engine::{DialectRenderer, DialectShaper, Engine, PlanSpec, Sides};
use heliu_ledger::{Options, SqliteLedger};
use heliu_model::config::{PlanFile, Settings};
use heliu_model::ports::{Inbox, Ledger, PlanRow, RecordFilter};
use heliu_model::{ConnectorSpec, Failure, Problem, Severity, Ts, text};
use heliu_transform::metadata::Item;
use heliu_transform::writeback::receiving_plan;
use heliu_transform::{Metadata, Side, Value};

use crate::args::Common;
use crate::clock::RealClock;
use crate::lint;
use crate::output::{Out, Stop};
use crate::project::{Held, Project, Read};

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
    /// Names of plans and of value maps, once they were looked for: every plan is examined against them.
    names: OnceLock<(Vec<String>, Vec<String>)>,
}

/// A plan with everything that files say about it.
pub struct Loaded {
    /// File stem.
    pub name: String,
    /// The plan file.
    pub plan: PlanFile,
    /// Source metadata.
    pub source_meta: Metadata,
    /// Target metadata.
    pub target_meta: Metadata,
    /// Source connector; `None` when it has errors.
    pub source: Option<ConnectorSpec>,
    /// Target connector; `None` when it has errors.
    pub target: Option<ConnectorSpec>,
    /// The plan's zone.
    pub tz: Tz,
    /// All findings.
    pub problems: Vec<Problem>,
}

/// A plan ready to run.
pub struct Ready {
    /// Rules.
    pub spec: PlanSpec,
    /// Both sides.
    pub sides: Sides,
    /// Warnings of its files.
    pub warnings: Vec<Problem>,
}

fn no_remedy(plan: &str) -> Problem {
    Problem {
        file: format!("plans/{plan}.json"),
        ..Problem::error(
            "HL-1066",
            "source.metadata.omissionRemedy",
            text!("the plan declares no omission remedy", "该方案没有声明漏单补偿"),
        )
        .hint(text!(
            "add `omissionRemedy` with `crontab` and `takeOverRequest` to the source's metadata, or read the range with --from and --to",
            "请在来源元数据中添加含 `crontab` 与 `takeOverRequest` 的 `omissionRemedy`,或用 --from 与 --to 读取该范围"
        ))
    }
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

/// A connector that is not there yet, by its name or by an interface that only databases have: what can be said
/// about the document is said all the same.
fn likely(registry: &Registry, name: &str, meta: &Metadata) -> Option<ConnectorSpec> {
    let platform = match registry.canonical(name) {
        Ok(platform) => platform,
        Err(_) if ["batchexecute", "select"].iter().any(|w| meta.api.eq_ignore_ascii_case(w)) => {
            "mysql".into()
        }
        Err(_) => return None,
    };
    Some(ConnectorSpec { name: name.to_owned(), platform, ..ConnectorSpec::default() })
}

/// What the catalogue says about the interface that a plan reads.
fn source_facts(registry: &Registry, l: &Loaded) -> Option<ApiFacts> {
    let likely = || likely(registry, &l.plan.source.connector, &l.source_meta);
    let spec = l.source.clone().or_else(likely)?;
    registry.facts(&spec, &l.source_meta.api)
}

fn column_names(registry: &Registry, l: &Loaded) -> Option<Vec<String>> {
    let likely = || likely(registry, &l.plan.source.connector, &l.source_meta);
    let spec = l.source.clone().or_else(likely)?;
    registry.column_names(&spec, &l.source_meta)
}

/// The door of the plan that receives what this one passes on.
fn door(ports: &Ports, own: &str, words: &str) -> Result<Arc<dyn Inbox>, Failure> {
    let words = words.to_owned();
    let Some(receiver) = ports.plans.receiver(&words) else {
        let said = text!("no plan has the id or name `{words}`", "没有 id 或名称为 `{words}` 的方案");
        return Err(Failure::config("HL-1091", said));
    };
    if receiver.name == own {
        let said = text!("a plan cannot pass on to itself", "方案不能回写给自身");
        return Err(Failure::config("HL-1092", said));
    }
    match PlanInbox::new(receiver) {
        Ok(inbox) => Ok(Arc::new(inbox)),
        Err(p) => Err(Failure::config(&p.code, p.message)),
    }
}

/// Dotted names of declared fields.
fn names_of(items: &[Item], prefix: &str, out: &mut Vec<String>) {
    for i in items.iter().filter(|i| i.field != "primaryWriteback") {
        let name = if prefix.is_empty() { i.field.clone() } else { format!("{prefix}.{}", i.field) };
        names_of(&i.children, &name, out);
        out.push(name);
    }
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

    /// Everything that the files say about a plan, with every finding.
    ///
    /// # Errors
    /// There is no such plan, or its file is no JSON.
    pub async fn load(
        &self,
        registry: &Registry,
        ledger: Option<&SqliteLedger>,
        name: &str,
    ) -> Result<Loaded, Stop> {
        let read = self.project.plan(name)?;
        let stem = read.file.trim_start_matches("plans/").trim_end_matches(".json").to_owned();
        self.examine(registry, ledger, stem, read).await
    }

    /// Everything that can be said about a plan that was read, stored or not.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn examine(
        &self,
        registry: &Registry,
        ledger: Option<&SqliteLedger>,
        stem: String,
        read: Read<PlanFile>,
    ) -> Result<Loaded, Stop> {
        let mut problems = read.problems;
        let plan = read.value;
        let mut specs = Vec::new();
        for (side, file) in [("source", &plan.source), ("target", &plan.target)] {
            if file.connector.is_empty() {
                specs.push(None);
                continue;
            }
            match self.connector(registry, ledger, &file.connector).await {
                Ok((spec, found)) => {
                    let usable = !found.iter().any(|p| p.severity == Severity::Error);
                    // Both sides may use one connector.
                    let new: Vec<Problem> = found.into_iter().filter(|p| !problems.contains(p)).collect();
                    problems.extend(new);
                    specs.push(usable.then_some(spec));
                }
                Err(Stop::Problems(list)) => {
                    for mut p in list {
                        if p.file.is_empty() {
                            p.file = read.file.clone();
                            p.path = format!("{side}.connector");
                        }
                        problems.push(p);
                    }
                    specs.push(None);
                }
                Err(stop) => return Err(stop),
            }
        }
        let target = specs.pop().flatten();
        let source = specs.pop().flatten();
        let tz = plan
            .timezone
            .or_else(|| source.as_ref().map(|s| registry.timezone(s)))
            .unwrap_or(chrono_tz::Asia::Shanghai);
        let mut metas = Vec::new();
        for (side, kind, file, spec) in [
            ("source.metadata", Side::Source, &plan.source, &source),
            ("target.metadata", Side::Target, &plan.target, &target),
        ] {
            let (meta, mut found) = Metadata::parse(&file.metadata, kind);
            if file.metadata.is_null() {
                // The missing side is reported already.
                found.clear();
            } else if let Some(spec) = spec.clone().or_else(|| likely(registry, &file.connector, &meta)) {
                found.extend(registry.check(&spec, &meta, kind == Side::Source));
            }
            problems.extend(found.into_iter().map(|p| Problem { file: read.file.clone(), ..p.under(side) }));
            metas.push(meta);
        }
        let target_meta =
            metas.pop().unwrap_or_else(|| Metadata::parse(&serde_json::Value::Null, Side::Target).0);
        let source_meta =
            metas.pop().unwrap_or_else(|| Metadata::parse(&serde_json::Value::Null, Side::Source).0);
        let mut loaded = Loaded { name: stem, plan, source_meta, target_meta, source, target, tz, problems };
        let (plans, maps) = self.names.get_or_init(|| (self.project.plan_names(), self.project.map_names()));
        let known = lint::Known {
            project: &self.project,
            plans,
            ids: &|| self.plan_ids(),
            maps,
            source: source_facts(registry, &loaded),
        };
        let lints = lint::plan(&loaded, &known);
        loaded.problems.extend(lints.into_iter().map(|p| Problem { file: read.file.clone(), ..p }));
        Ok(loaded)
    }

    /// Ids of all plans, read once.
    fn plan_ids(&self) -> Vec<String> {
        let read = || {
            let names = self.project.plan_names();
            names.iter().filter_map(|n| self.project.plan(n).ok()).map(|r| r.value.id).collect()
        };
        self.ids.get_or_init(read).clone()
    }

    /// What is known about the fields of a plan's records: stored ones, else the document's `response`, else the
    /// catalogue.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn samples(
        &self,
        registry: &Registry,
        ledger: Option<&SqliteLedger>,
        l: &Loaded,
    ) -> Result<Option<lint::Samples>, Stop> {
        if let Some(ledger) = ledger
            && let Some(row) = crate::identity::row(self, ledger, &l.name).await?
        {
            let filter = RecordFilter { limit: 50, ..RecordFilter::default() };
            let rows: Vec<_> = ledger.records(row.id, filter).await?.iter().map(|r| r.row).collect();
            let contents = ledger.contents(&rows).await?;
            let records: Vec<Value> = contents.iter().filter_map(|(_, c)| Value::parse(c).ok()).collect();
            if let Some(samples) = lint::Samples::of_records(&l.target_meta, &records) {
                return Ok(Some(samples));
            }
        }
        if let Some(names) = column_names(registry, l) {
            let origin = text!("the columns that the source asks for", "源请求的列");
            return Ok(lint::Samples::of_names(&names, &l.source_meta, origin));
        }
        let mut names = Vec::new();
        names_of(&l.source_meta.response, "", &mut names);
        let origin = text!("the fields that `response` lists", "`response` 所列字段");
        if let Some(samples) = lint::Samples::of_names(&names, &l.source_meta, origin) {
            return Ok(Some(samples));
        }
        let facts = source_facts(registry, l).map(|f| f.fields).unwrap_or_default();
        let origin = text!("the fields that the catalogue knows", "接口目录所列字段");
        Ok(lint::Samples::of_names(&facts, &l.source_meta, origin))
    }

    /// A plan ready to run; `remedy`: its source is the gap scan's.
    ///
    /// # Errors
    /// Every problem of its files.
    pub async fn ready(
        &self,
        registry: &Registry,
        ledger: &SqliteLedger,
        name: &str,
        remedy: bool,
    ) -> Result<Ready, Stop> {
        let mut loaded = self.load(registry, Some(ledger), name).await?;
        if remedy {
            match loaded.source_meta.remedied() {
                Some(meta) => loaded.source_meta = meta,
                None => loaded.problems.push(no_remedy(&loaded.name)),
            }
        }
        self.build(registry, ledger, loaded).await
    }

    /// Builds both sides.
    ///
    /// # Errors
    /// Every problem of its files.
    pub async fn build(
        &self,
        registry: &Registry,
        ledger: &SqliteLedger,
        mut l: Loaded,
    ) -> Result<Ready, Stop> {
        let copy = crate::identity::copied(self, ledger, &l.name, &l.plan.id).await?;
        let errors = l.problems.iter().any(|p| p.severity == Severity::Error);
        if copy.is_none() && !errors {
            crate::identity::settle(self, ledger, &l.name, &l.plan.id).await?;
        }
        l.problems.extend(copy);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            l.problems.into_iter().partition(|p| p.severity == Severity::Error);
        let (Some(source_spec), Some(target_spec), true) = (&l.source, &l.target, errors.is_empty()) else {
            return Err(errors.into());
        };
        let ports = Ports { plan: l.name.clone(), ..self.ports(ledger) };
        let file = format!("plans/{}.json", l.name);
        let place = |side: &str, connector: &str, list: Vec<Problem>| -> Vec<Problem> {
            list.into_iter()
                .map(|p| {
                    if p.path.starts_with("credentials") || p.path == "platform" || p.path == "base_url" {
                        Problem { file: self.project.connector_file(connector), ..p }
                    } else {
                        Problem { file: file.clone(), ..p.under(side) }
                    }
                })
                .collect()
        };
        let source = registry.build_source(source_spec, &l.source_meta, l.tz, &ports).await;
        let target = registry.build_target(target_spec, &l.target_meta, l.plan.batch, l.tz, &ports);
        let (source, target) = match (source, target) {
            (Ok(s), Ok(t)) => (s, t),
            (s, t) => {
                let mut list = Vec::new();
                if let Err(e) = s {
                    list.extend(place("source.metadata", &source_spec.name, e));
                }
                if let Err(e) = t {
                    list.extend(place("target.metadata", &target_spec.name, e));
                }
                return Err(list.into());
            }
        };
        let start = match &l.plan.start {
            None => None,
            Some(words) => {
                Some(Ts::parse(words, l.tz).map_err(|t| vec![Problem::error("HL-1010", "start", t)])?)
            }
        };
        let shape = source.shape();
        let shaper = DialectShaper::new(
            &l.source_meta,
            l.tz,
            &l.plan.hash_ignore,
            shape.stamp.as_deref(),
            shape.anchor.as_deref(),
            self.clock.clone(),
        );
        let renderer = DialectRenderer::new(
            &l.target_meta,
            target.shape().render,
            l.tz,
            crate::maps::lookups(&self.project, Some(Arc::new(ledger.lookups()))),
        );
        let renderer = match receiving_plan(&l.target_meta) {
            Some(words) => renderer.passing_to(door(&ports, &l.name, words)),
            None => renderer,
        };
        let spec = PlanSpec {
            name: l.name,
            uuid: l.plan.id.clone(),
            tz: l.tz,
            start,
            lookback_ms: l.plan.lookback_ms,
            settle_ms: l.plan.settle_ms,
            window_ms: l.plan.window_ms,
            windowed: l.source_meta.uses_window(),
            batch: l.plan.batch,
            retries: l.plan.retries,
            max_attempts: l.plan.max_attempts,
            policy: l.plan.policy(l.source_meta.id_check),
            verify: l.plan.verify,
            connectors: vec![source_spec.name.clone(), target_spec.name.clone()],
        };
        let sides = Sides { source, shaper: Arc::new(shaper), target, renderer: Arc::new(renderer) };
        Ok(Ready { spec, sides, warnings })
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
