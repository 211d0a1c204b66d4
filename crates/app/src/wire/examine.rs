//! What the files of a plan say, and everything that is to be said about it.

use chrono_tz::Tz;
use heliu_connect::{ApiFacts, Registry};
use heliu_ledger::SqliteLedger;
use heliu_model::config::PlanFile;
use heliu_model::ports::{Ledger, RecordFilter};
use heliu_model::{ConnectorSpec, Problem, Severity, text};
use heliu_transform::metadata::Item;
use heliu_transform::{Metadata, Side, Value};

use super::App;
use crate::lint;
use crate::output::Stop;
use crate::project::Read;

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

/// Dotted names of declared fields.
fn names_of(items: &[Item], prefix: &str, out: &mut Vec<String>) {
    for i in items.iter().filter(|i| i.field != "primaryWriteback") {
        let name = if prefix.is_empty() { i.field.clone() } else { format!("{prefix}.{}", i.field) };
        names_of(&i.children, &name, out);
        out.push(name);
    }
}

impl App {
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
            feeds: &self.feeds,
            maps,
            source: source_facts(registry, &loaded),
        };
        let lints = lint::plan(&loaded, &known);
        loaded.problems.extend(lints.into_iter().map(|p| Problem { file: read.file.clone(), ..p }));
        Ok(loaded)
    }

    /// Ids of all plans, read once.
    fn plan_ids(&self) -> &[String] {
        let read = || {
            let names = self.project.plan_names();
            names.iter().filter_map(|n| self.project.plan(n).ok()).map(|r| r.value.id).collect()
        };
        self.ids.get_or_init(read)
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
}
