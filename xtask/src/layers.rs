//! The direction of imports (design §2), checked on what cargo resolves.
//!
//! `transform ← model ← {connect, ledger, engine} ← console ← app`; `connect`, `ledger` and `engine` never see each
//! other; what decides over time sees ports only, so no driver and no client may reach it, not even through others;
//! what serves development is never shipped.

use std::collections::{BTreeMap, BTreeSet};

/// Which kind of dependency an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Ends up in what is shipped (normal and build dependencies).
    Normal,
    /// For tests, examples and benches alone.
    Dev,
}

/// Packages and what they depend on.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Members of the workspace.
    pub members: BTreeSet<String>,
    /// From, to, kind.
    pub edges: BTreeSet<(String, String, Kind)>,
}

/// Crates of the product, the crates of ours that each may import, and the foreign ones that may never reach it.
struct Layer {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static [&'static str]],
}

const RUNTIME: &[&str] = &["tokio", "async-std", "smol"];
const SQL: &[&str] = &[
    "rusqlite",
    "libsqlite3-sys",
    "mysql_async",
    "mysql_common",
    "mysql",
    "tokio-postgres",
    "postgres",
    "sqlx",
    "sqlx-core",
    "deadpool-postgres",
];
const CLIENT: &[&str] = &["reqwest", "hyper", "hyper-util", "ureq", "isahc", "lettre"];
const SERVER: &[&str] = &["axum", "actix-web", "warp", "tonic"];

const LAYERS: &[Layer] = &[
    Layer { name: "heliu-transform", may: &[], never: &[RUNTIME, SQL, CLIENT, SERVER] },
    Layer { name: "heliu-model", may: &["heliu-transform"], never: &[RUNTIME, SQL, CLIENT, SERVER] },
    Layer { name: "heliu-connect", may: &["heliu-model", "heliu-transform"], never: &[SERVER] },
    Layer { name: "heliu-ledger", may: &["heliu-model", "heliu-transform"], never: &[CLIENT, SERVER] },
    Layer { name: "heliu-engine", may: &["heliu-model", "heliu-transform"], never: &[SQL, CLIENT, SERVER] },
    // Reads what vendors published; knows the dialect and the plan's form.
    Layer { name: "heliu-import", may: &["heliu-model", "heliu-transform"], never: &[SQL, CLIENT, SERVER] },
    // Stands in for the platforms: it must not share their signing code with `connect`.
    Layer { name: "heliu-sandbox", may: &["heliu-model", "heliu-transform"], never: &[] },
    Layer {
        name: "heliu-console",
        may: &["heliu-engine", "heliu-import", "heliu-model", "heliu-transform"],
        never: &[SQL],
    },
    Layer {
        name: "heliu-app",
        may: &[
            "heliu-connect",
            "heliu-console",
            "heliu-engine",
            "heliu-import",
            "heliu-ledger",
            "heliu-model",
            "heliu-sandbox",
            "heliu-transform",
        ],
        never: &[],
    },
];

/// Members that are never shipped; only they may depend on each other and on anything else.
const DEVELOPMENT: &[&str] = &["heliu-testkit", "heliu-torture", "heliu-bench", "heliu-fuzz", "xtask"];

/// Everything that is wrong with the direction of imports, one sentence each.
pub fn check(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for member in &graph.members {
        if DEVELOPMENT.contains(&member.as_str()) {
            continue;
        }
        let Some(layer) = LAYERS.iter().find(|l| l.name == member) else {
            wrong.push(format!("`{member}` has no layer: give it one in xtask/src/layers.rs"));
            continue;
        };
        for to in graph.direct(member, Kind::Normal).filter(|to| graph.members.contains(*to)) {
            if DEVELOPMENT.contains(&to.as_str()) {
                wrong.push(format!("`{member}` ships `{to}`, which is for development only"));
            } else if !layer.may.contains(&to.as_str()) {
                wrong.push(format!("`{member}` must not import `{to}`"));
            }
        }
        for to in graph.direct(member, Kind::Dev).filter(|to| graph.members.contains(*to)) {
            // Tests may build on the testkit; through any other edge a crate would see past its layer.
            if to != "heliu-testkit" && !layer.may.contains(&to.as_str()) && *member != "heliu-app" {
                wrong.push(format!("tests of `{member}` must not import `{to}`"));
            }
        }
        let reached = graph.reached(member);
        for banned in layer.never.iter().copied().flatten().filter(|b| reached.contains_key(**b)) {
            let way = graph.way(&reached, banned);
            wrong.push(format!("`{banned}` reaches `{member}`: {way}"));
        }
    }
    wrong
}

impl Graph {
    /// What cargo resolves for the workspace at `dir`.
    ///
    /// # Errors
    /// Cargo's words.
    pub fn of_workspace(dir: &std::path::Path) -> Result<Graph, String> {
        let metadata = cargo_metadata::MetadataCommand::new()
            .current_dir(dir)
            .other_options(vec!["--locked".to_owned()])
            .exec()
            .map_err(|e| e.to_string())?;
        let names: BTreeMap<_, _> = metadata.packages.iter().map(|p| (&p.id, p.name.to_string())).collect();
        let mut graph = Graph::default();
        graph.members.extend(metadata.workspace_members.iter().filter_map(|id| names.get(id)).cloned());
        let resolve = metadata.resolve.ok_or("cargo resolved nothing")?;
        for node in &resolve.nodes {
            let Some(from) = names.get(&node.id) else { continue };
            for dep in &node.deps {
                let Some(to) = names.get(&dep.pkg) else { continue };
                for kind in &dep.dep_kinds {
                    let kind = match kind.kind {
                        cargo_metadata::DependencyKind::Development => Kind::Dev,
                        _ => Kind::Normal,
                    };
                    graph.edges.insert((from.clone(), to.clone(), kind));
                }
            }
        }
        Ok(graph)
    }

    fn direct<'a>(&'a self, from: &'a str, kind: Kind) -> impl Iterator<Item = &'a String> {
        self.edges.iter().filter(move |(f, _, k)| f == from && *k == kind).map(|(_, to, _)| to)
    }

    /// Everything that ends up in `from`, each with the package that brought it.
    fn reached(&self, from: &str) -> BTreeMap<String, String> {
        let mut by: BTreeMap<String, String> = BTreeMap::new();
        let mut open = vec![from.to_owned()];
        while let Some(at) = open.pop() {
            for to in self.direct(&at, Kind::Normal) {
                if to != from && !by.contains_key(to) {
                    by.insert(to.clone(), at.clone());
                    open.push(to.clone());
                }
            }
        }
        by
    }

    fn way(&self, by: &BTreeMap<String, String>, to: &str) -> String {
        let mut way = vec![to.to_owned()];
        while let Some(before) = way.last().and_then(|at| by.get(at)) {
            way.push(before.clone());
        }
        way.reverse();
        way.join(" → ")
    }
}

/// `cargo xtask layers`
///
/// # Errors
/// Every forbidden edge.
pub fn run(_args: &[String]) -> Result<(), String> {
    let graph = Graph::of_workspace(std::path::Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let wrong = check(&graph);
    if wrong.is_empty() {
        println!(
            "{} members, {} edges: every import points the right way",
            graph.members.len(),
            graph.edges.len()
        );
        return Ok(());
    }
    Err(wrong.join("\n"))
}
