//! The project as the service runs it: the last good version of every file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use heliu_connect::Registry;
use heliu_engine::{Change, PlanTimes, Runnable, Workshop};
use heliu_ledger::SqliteLedger;
use heliu_model::ports::Trigger;
use heliu_model::schedule::Schedule;
use heliu_model::{Failure, Problem, Severity, text};

use super::files::{Changed, Files, Stamp};
use super::report::Report;
use crate::output::Stop;
use crate::project::{Held, Project};
use crate::wire::{App, Loaded};

/// One consistent state of the project.
pub struct Generation {
    /// Files and settings.
    pub app: App,
    /// Platforms and accounts.
    pub registry: Arc<Registry>,
}

/// The project and its changes.
pub struct Live {
    now: RwLock<Arc<Generation>>,
    ledger: SqliteLedger,
    report: Arc<Report>,
}

/// What a file's new state means.
enum Verdict {
    Good,
    Broken(Vec<Problem>),
}

fn is_error(p: &Problem) -> bool {
    p.severity == Severity::Error
}

fn problems_of(stop: Stop) -> Vec<Problem> {
    match stop {
        Stop::Problems(list) => list,
        Stop::Failure(f) => {
            vec![Problem { hint: f.hint, ..Problem::error(&f.code, f.place, f.message) }]
        }
    }
}

/// A plan's timetable.
fn times(l: &Loaded) -> PlanTimes {
    let remedy = l.source_meta.omission_remedy.as_ref();
    PlanTimes {
        name: l.name.clone(),
        uuid: l.plan.id.clone(),
        tz: l.tz,
        schedule: l.plan.schedule.clone(),
        target_schedule: l.plan.target_schedule.clone(),
        remedy: remedy.and_then(|r| Schedule::parse(&r.crontab).ok()),
        after: l.plan.after.clone(),
        missed: l.plan.missed,
        jitter_ms: l.plan.jitter_ms,
        priority: l.plan.priority,
        enabled: l.plan.enabled,
        share: l.plan.source.connector.clone(),
    }
}

fn had(at: &Generation, file: &str) -> bool {
    at.app.project.holds(file)
}

fn stem(file: &str) -> Option<&str> {
    file.strip_prefix("plans/")?.strip_suffix(".json")
}

impl Live {
    /// An empty project; the first round of changes fills it.
    ///
    /// # Errors
    /// The built-in platforms cannot be used.
    pub fn new(app: &App, ledger: SqliteLedger, report: Arc<Report>) -> Result<Live, Stop> {
        let empty = app.through(Arc::new(Held::default()), app.project.settings.clone());
        let registry = Arc::new(empty.registry()?);
        Ok(Live { now: RwLock::new(Arc::new(Generation { app: empty, registry })), ledger, report })
    }

    /// The state of now.
    pub fn generation(&self) -> Arc<Generation> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How runs raise alerts, by the settings as they are then.
    pub fn alarm(self: &Arc<Self>, ledger: &SqliteLedger) -> heliu_engine::Alarm {
        let live = self.clone();
        let channels = move || {
            let settings = &live.generation().app.project.settings;
            settings.channels().map(str::to_owned).collect()
        };
        heliu_engine::Alarm { channels: Arc::new(channels), ..self.generation().app.alarm(ledger) }
    }

    /// The project of now, for work beside the plans.
    pub fn app(&self) -> App {
        let app = &self.generation().app;
        app.through(Arc::new(app.project.held()), app.project.settings.clone())
    }

    fn become_now(&self, generation: Generation) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(generation);
    }

    /// Loads and builds a plan, to see whether it could run.
    async fn try_plan(&self, at: &Generation, name: &str) -> Result<PlanTimes, Vec<Problem>> {
        let loaded = at.app.load(&at.registry, Some(&self.ledger), name).await.map_err(problems_of)?;
        let times = times(&loaded);
        at.app.build(&at.registry, &self.ledger, loaded).await.map_err(problems_of)?;
        Ok(times)
    }

    /// Takes in files that have changed: good ones become the project, broken ones leave what was there before, and
    /// it is said. `suspects`: broken files that were seen only once; a file may be caught half written.
    pub async fn absorb(
        &self,
        files: &mut Files,
        list: Vec<Changed>,
        suspects: &mut HashMap<String, Stamp>,
    ) -> Vec<Change> {
        let before = self.generation();
        let mut held: Held = before.app.project.held();
        let mut settings = before.app.project.settings.clone();
        // Plans to be judged, with the state of their file if it has changed.
        let mut plans: BTreeMap<String, Option<Stamp>> = BTreeMap::new();
        let mut gone = Vec::new();
        let mut others = Vec::new();
        for changed in list {
            match (stem(&changed.file).map(str::to_owned), changed.stamp) {
                (Some(plan), None) => {
                    held.set(&changed.file, None);
                    self.report.forgotten(&changed.file);
                    gone.push(plan);
                }
                (Some(plan), Some(stamp)) => {
                    match read(&before.app.project, &changed.file) {
                        Ok(text) => held.set(&changed.file, Some(text)),
                        Err(p) => {
                            self.broken(files, suspects, &changed, had(&before, &changed.file), vec![p]);
                            continue;
                        }
                    }
                    plans.insert(plan, Some(stamp));
                }
                (None, _) => others.push(changed),
            }
        }
        others.sort_by_key(|c| !c.file.starts_with("platforms/"));
        // Platforms, connectors and settings first: the plans are judged with them.
        let mut base = Generation {
            app: before.app.through(Arc::new(held.clone()), settings.clone()),
            registry: before.registry.clone(),
        };
        let mut fresh = false;
        for changed in others {
            let text = match changed.stamp.map(|_| read(&before.app.project, &changed.file)).transpose() {
                Ok(text) => text,
                Err(p) => {
                    self.broken(files, suspects, &changed, had(&before, &changed.file), vec![p]);
                    continue;
                }
            };
            let mut wish = held.clone();
            wish.set(&changed.file, text.clone());
            let app = before.app.through(Arc::new(wish.clone()), settings.clone());
            match self.judge(&mut base, &app, &changed, text.as_deref(), &mut settings).await {
                Verdict::Good => {
                    held = wish;
                    fresh |= changed.file != "heliu.toml";
                    self.good(suspects, &changed.file);
                }
                Verdict::Broken(problems) => {
                    let kept = had(&before, &changed.file);
                    if !kept && changed.file.starts_with("connectors/") {
                        // Plans that use it say what is wrong with it, not that it is missing.
                        held = wish;
                    }
                    self.broken(files, suspects, &changed, kept, problems);
                }
            }
            base.app = before.app.through(Arc::new(held.clone()), settings.clone());
        }
        if fresh {
            // Accounts are made anew with what the files say now.
            if let Ok(registry) = base.app.registry() {
                base.registry = Arc::new(registry);
            }
            for plan in base.app.project.plan_names() {
                plans.entry(plan).or_default();
            }
        }
        let mut out: Vec<Change> = gone.into_iter().map(Change::Remove).collect();
        for (plan, stamp) in plans {
            let file = format!("plans/{plan}.json");
            match self.try_plan(&base, &plan).await {
                Ok(times) => {
                    self.good(suspects, &file);
                    out.push(Change::Set(Box::new(times)));
                }
                Err(problems) => {
                    let old = before.app.project.held_text(&file);
                    let kept = old.is_some();
                    let changed = Changed { stamp, file: file.clone() };
                    held.set(&file, old);
                    self.broken(files, suspects, &changed, kept, problems);
                }
            }
        }
        base.app = before.app.through(Arc::new(held), settings);
        self.become_now(base);
        out
    }

    /// Whether a connector, platform or settings file can be used in place of what is there.
    async fn judge(
        &self,
        base: &mut Generation,
        app: &App,
        changed: &Changed,
        text: Option<&str>,
        settings: &mut heliu_model::config::Settings,
    ) -> Verdict {
        if changed.file == "heliu.toml" {
            return match text.map_or_else(|| Ok(Default::default()), Project::settings) {
                Ok(new) => {
                    *settings = new;
                    Verdict::Good
                }
                Err(list) => Verdict::Broken(list),
            };
        }
        if changed.file.starts_with("platforms/") {
            return match app.registry() {
                Ok(registry) => {
                    base.registry = Arc::new(registry);
                    Verdict::Good
                }
                Err(stop) => Verdict::Broken(problems_of(stop)),
            };
        }
        let registry = &base.registry;
        let Some(name) = changed.file.strip_prefix("connectors/").and_then(|f| f.rsplit_once('.')) else {
            return Verdict::Good;
        };
        if text.is_none() {
            return Verdict::Good;
        }
        let resolved = app.project.resolve(name.0, Some(&self.ledger)).await;
        match resolved {
            Ok((spec, mut problems)) => {
                problems.retain(is_error);
                if problems.is_empty()
                    && registry.manifest(&spec.platform).is_some()
                    && let Err(list) = registry.account(&spec, &app.ports(&self.ledger))
                {
                    problems.extend(list.into_iter().map(|p| Problem { file: changed.file.clone(), ..p }));
                }
                if problems.is_empty() { Verdict::Good } else { Verdict::Broken(problems) }
            }
            Err(stop) => Verdict::Broken(problems_of(stop)),
        }
    }

    fn good(&self, suspects: &mut HashMap<String, Stamp>, file: &str) {
        suspects.remove(file);
        self.report.mended(file);
    }

    fn broken(
        &self,
        files: &mut Files,
        suspects: &mut HashMap<String, Stamp>,
        changed: &Changed,
        kept: bool,
        problems: Vec<Problem>,
    ) {
        if kept
            && let Some(stamp) = changed.stamp
            && suspects.insert(changed.file.clone(), stamp) != Some(stamp)
        {
            files.forget(&changed.file);
            return;
        }
        // Not the file's fault: it is read again.
        if problems.iter().any(|p| p.code.starts_with("HL-6")) {
            files.forget(&changed.file);
        }
        self.report.broken(&changed.file, kept, problems.into_iter().filter(is_error).collect());
    }
}

fn read(project: &Project, file: &str) -> Result<Arc<str>, Problem> {
    std::fs::read_to_string(project.dir.join(file)).map(Arc::from).map_err(|e| {
        let why = e.to_string();
        let problem =
            Problem::error("HL-1016", "", text!("the file cannot be read: {why}", "文件无法读取:{why}"));
        Problem { file: file.to_owned(), ..problem }
    })
}

#[async_trait]
impl Workshop for Live {
    async fn ready(&self, plan: &str, trigger: Trigger) -> Result<Arc<Runnable>, Failure> {
        let at = self.generation();
        let ready = at.app.ready(&at.registry, &self.ledger, plan, trigger == Trigger::Remedy).await;
        match ready {
            Ok(ready) => Ok(Arc::new(Runnable { spec: ready.spec, sides: ready.sides })),
            Err(Stop::Failure(f)) => Err(*f),
            Err(Stop::Problems(list)) => {
                Err(list.into_iter().find(is_error).map_or_else(unusable, Failure::from))
            }
        }
    }
}

fn unusable() -> Failure {
    Failure::config("HL-1000", text!("the plan cannot be used", "方案无法使用"))
}
