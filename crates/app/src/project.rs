//! The project directory: files, read and checked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heliu_ledger::SqliteLedger;
use heliu_model::config::{ConnectorFile, CredentialValue, Doubled, PlanFile, Settings, doubled, parse_tree};
use heliu_model::{ConnectorSpec, Failure, Problem, Secret, Severity, Text, text};

use crate::output::Stop;

/// Names of this ledger, which plans may use without a connector file.
const THIS_LEDGER: &[&str] = &["heliu", "qeasy", "轻易云", "轻易云集成平台"];

/// A project directory.
#[derive(Clone)]
pub struct Project {
    /// Directory.
    pub dir: PathBuf,
    /// `heliu.toml`.
    pub settings: Settings,
    /// Files as a service holds them, instead of those on disk.
    held: Option<Arc<Held>>,
}

/// The last good version of every file of a project, by path inside it (`plans/shops.json`).
#[derive(Debug, Clone, Default)]
pub struct Held {
    texts: HashMap<String, Arc<str>>,
}

impl Held {
    /// Puts a file's text, or takes it out.
    pub fn set(&mut self, file: &str, text: Option<Arc<str>>) {
        match text {
            Some(text) => self.texts.insert(file.to_owned(), text),
            None => self.texts.remove(file),
        };
    }

    /// A file's text.
    pub fn get(&self, file: &str) -> Option<&Arc<str>> {
        self.texts.get(file)
    }

    /// Stems of the files of a folder with one of these endings, in order.
    pub fn stems(&self, folder: &str, endings: &[&str]) -> Vec<String> {
        let mut out: Vec<String> = self
            .texts
            .keys()
            .filter_map(|f| f.strip_prefix(folder)?.strip_prefix('/'))
            .filter_map(|f| f.rsplit_once('.').filter(|(_, end)| endings.contains(end)))
            .map(|(stem, _)| stem.to_owned())
            .collect();
        out.sort();
        out
    }
}

/// A file that was read.
pub struct Read<T> {
    /// What it says.
    pub value: T,
    /// File, relative to the project.
    pub file: String,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

fn stems(dir: &Path, endings: &[&str]) -> Vec<(String, PathBuf)> {
    let mut out: Vec<(String, PathBuf)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().and_then(|e| e.to_str()).is_some_and(|e| endings.contains(&e)))
        .filter_map(|p| Some((p.file_stem()?.to_str()?.to_owned(), p)))
        .collect();
    out.sort();
    out
}

fn in_file(mut problems: Vec<Problem>, file: &str) -> Vec<Problem> {
    for p in &mut problems {
        p.file = file.to_owned();
    }
    problems
}

/// A plan in a folder of its own has no name.
fn in_folder(file: &str) -> Problem {
    let at = file.to_owned();
    Problem {
        file: at.clone(),
        ..Problem::error(
            "HL-1018",
            "",
            text!(
                "`{at}` is in a folder below plans/: it is no plan",
                "`{at}` 位于 plans/ 的子目录中,不是方案"
            ),
        )
        .hint(text!(
            "a plan is plans/NAME.json, and its name holds no slash: move the file there",
            "方案文件应为 plans/名称.json,名称中不含斜杠:请将文件移到 plans/ 下"
        ))
    }
}

/// Keys that stand twice: in our own part a fault, in metadata (which may be older than this program) a warning.
fn twice(source: &str) -> Vec<Problem> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let find = |d: Doubled| {
        let [(line, column), (line2, column2)] = d.places;
        let key = d.path.clone();
        let said = text!(
            "`{key}` stands twice: at line {line}, column {column}, and at line {line2}, column {column2}; only the last one would count",
            "`{key}` 重复出现:第 {line} 行第 {column} 列与第 {line2} 行第 {column2} 列;只有最后一个生效"
        );
        let inside = ["source.metadata.", "target.metadata."].iter().any(|m| d.path.starts_with(m));
        let make = if inside { Problem::warning } else { Problem::error };
        make("HL-1019", d.path, said).hint(text!("remove the one that is not meant", "请删除多余的一个"))
    };
    doubled(source).into_iter().map(find).collect()
}

impl Project {
    /// Opens a project.
    ///
    /// # Errors
    /// The directory or `heliu.toml` cannot be used.
    pub fn open(dir: &Path) -> Result<Project, Stop> {
        if !dir.is_dir() {
            let shown = dir.display().to_string();
            return Err(Failure::config(
                "HL-1012",
                text!("there is no directory `{shown}`", "目录 `{shown}` 不存在"),
            )
            .hint(text!(
                "make one with `heliu init DIR`, or name it with --project",
                "用 `heliu init 目录` 新建,或用 --project 指定"
            ))
            .into());
        }
        let file = dir.join("heliu.toml");
        let settings = match std::fs::read_to_string(&file) {
            Ok(source) => Project::settings(&source)?,
            Err(_) => Settings::default(),
        };
        Ok(Project { dir: dir.to_owned(), settings, held: None })
    }

    /// Reads `heliu.toml`.
    ///
    /// # Errors
    /// Every problem of it.
    pub fn settings(source: &str) -> Result<Settings, Vec<Problem>> {
        let tree = parse_tree(source, false).map_err(|p| in_file(vec![p], "heliu.toml"))?;
        let (settings, problems) = Settings::read(&tree);
        if problems.iter().any(|p| p.severity == Severity::Error) {
            return Err(in_file(problems, "heliu.toml"));
        }
        Ok(settings)
    }

    /// The same project seen through the files that a service holds.
    #[must_use]
    pub fn through(&self, held: Arc<Held>, settings: Settings) -> Project {
        Project { dir: self.dir.clone(), settings, held: Some(held) }
    }

    /// True when a file is held.
    pub fn holds(&self, file: &str) -> bool {
        self.held.as_ref().is_some_and(|h| h.get(file).is_some())
    }

    /// A held file's text.
    pub fn held_text(&self, file: &str) -> Option<Arc<str>> {
        self.held.as_ref()?.get(file).cloned()
    }

    /// The files as they are held; none where they are read from disk.
    pub fn held(&self) -> Held {
        self.held.as_deref().cloned().unwrap_or_default()
    }

    /// A file's text.
    fn text(&self, file: &str) -> std::io::Result<String> {
        match &self.held {
            Some(held) => held
                .get(file)
                .map(|t| t.to_string())
                .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound)),
            None => std::fs::read_to_string(self.dir.join(file)),
        }
    }

    fn stems(&self, folder: &str, endings: &[&str]) -> Vec<String> {
        match &self.held {
            Some(held) => held.stems(folder, endings),
            None => stems(&self.dir.join(folder), endings).into_iter().map(|(s, _)| s).collect(),
        }
    }

    /// True when there is a plan of this name.
    pub fn has_plan(&self, name: &str) -> bool {
        let file = format!("plans/{name}.json");
        match &self.held {
            Some(held) => held.get(&file).is_some(),
            None => self.dir.join(file).is_file(),
        }
    }

    /// The data directory.
    pub fn data_dir(&self, given: Option<&Path>) -> PathBuf {
        match (given, &self.settings.ledger_path) {
            (Some(d), _) => d.to_owned(),
            (None, Some(p)) => self.dir.join(p),
            (None, None) => self.dir.join(".heliu"),
        }
    }

    /// A plan's text as it stands in its file.
    pub fn plan_text(&self, name: &str) -> Option<String> {
        self.text(&format!("plans/{name}.json")).ok()
    }

    /// Names of all plans.
    pub fn plan_names(&self) -> Vec<String> {
        self.stems("plans", &["json"])
    }

    /// Plan files in folders below `plans/`, which nobody runs.
    pub fn buried_plans(&self) -> Vec<Problem> {
        let folders = std::fs::read_dir(self.dir.join("plans")).into_iter().flatten().flatten();
        let mut files: Vec<String> = folders
            .filter(|e| e.path().is_dir())
            .filter_map(|e| e.file_name().into_string().ok())
            .flat_map(|folder| {
                let inside = stems(&self.dir.join("plans").join(&folder), &["json"]);
                inside.into_iter().map(move |(stem, _)| format!("plans/{folder}/{stem}.json"))
            })
            .collect();
        files.sort();
        files.iter().map(|file| Problem { severity: Severity::Warning, ..in_folder(file) }).collect()
    }

    /// Names of all connectors.
    pub fn connector_names(&self) -> Vec<String> {
        self.stems("connectors", &["toml", "json"])
    }

    /// Names of all value maps.
    pub fn map_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            stems(&self.dir.join("maps"), &["csv", "json"]).into_iter().map(|(s, _)| s).collect();
        names.dedup();
        names
    }

    /// Value maps: name, file, and bytes or why they cannot be read.
    pub fn maps(&self) -> Vec<(String, String, Result<Vec<u8>, String>)> {
        stems(&self.dir.join("maps"), &["csv", "json"])
            .into_iter()
            .map(|(name, path)| {
                let ending = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
                let file = format!("maps/{name}.{ending}");
                (name, file, std::fs::read(&path).map_err(|e| e.to_string()))
            })
            .collect()
    }

    /// The user's own manifests: file and text.
    pub fn manifests(&self) -> Vec<(String, String)> {
        let files = self.stems("platforms", &["toml"]).into_iter().map(|s| format!("platforms/{s}.toml"));
        files.filter_map(|file| Some((file.clone(), self.text(&file).ok()?))).collect()
    }

    fn missing(kind: (&str, &str), folder: &str, name: &str, known: &[String]) -> Vec<Problem> {
        let near = heliu_transform::nearest(name, known.iter().map(String::as_str));
        let all = known.join(", ");
        let hint = match near {
            _ if known.is_empty() && folder == "connectors" => text!(
                "make {folder}/{name}.toml with `platform = \"…\"`; `heliu platforms NAME` lists what it needs",
                "请新建 {folder}/{name}.toml,填写 `platform = \"…\"`;`heliu platforms 名称` 会列出所需内容"
            ),
            _ if known.is_empty() => text!("there is none yet", "目前还没有"),
            Some(near) => text!("did you mean `{near}`? there are {all}", "是否为 `{near}`?现有 {all}"),
            None => text!("there are {all}", "现有 {all}"),
        };
        let (en, zh) = kind;
        vec![
            Problem::error(
                "HL-1013",
                "",
                text!("there is no {en} `{name}` in {folder}/", "{folder}/ 中没有{zh} `{name}`"),
            )
            .hint(hint),
        ]
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// It is not there, or is no JSON.
    pub fn plan(&self, name: &str) -> Result<Read<PlanFile>, Vec<Problem>> {
        let stem = name.trim_end_matches(".json").trim_start_matches("plans/");
        let file = format!("plans/{stem}.json");
        if stem.contains(['/', '\\']) {
            return Err(vec![in_folder(&file)]);
        }
        let source = match self.text(&file) {
            Ok(s) => s,
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(in_file(
                    vec![Problem::error(
                        "HL-1001",
                        "",
                        text!("the file is not UTF-8", "文件不是 UTF-8 编码"),
                    )],
                    &file,
                ));
            }
            Err(_) => return Err(Self::missing(("plan", "方案"), "plans", stem, &self.plan_names())),
        };
        let tree = parse_tree(&source, true).map_err(|p| in_file(vec![p], &file))?;
        let (value, mut problems) = PlanFile::read(&tree, stem);
        problems.extend(twice(&source));
        Ok(Read { value, problems: in_file(problems, &file), file })
    }

    /// Reads a connector.
    ///
    /// # Errors
    /// It is not there, or can be parsed by nobody.
    pub fn connector(&self, name: &str) -> Result<Read<ConnectorFile>, Vec<Problem>> {
        for (ending, json) in [("toml", false), ("json", true)] {
            let file = format!("connectors/{name}.{ending}");
            let Ok(source) = self.text(&file) else { continue };
            let tree = parse_tree(&source, json).map_err(|p| in_file(vec![p], &file))?;
            let (value, mut problems) = ConnectorFile::read(&tree);
            if json {
                problems.extend(twice(&source));
            }
            if !json && self.dir.join(format!("connectors/{name}.json")).exists() {
                problems.push(Problem::warning(
                    "HL-1017",
                    "",
                    text!(
                        "connectors/{name}.json says something as well; it is not read",
                        "connectors/{name}.json 同时存在,不会被读取"
                    ),
                ));
            }
            return Ok(Read { value, problems: in_file(problems, &file), file });
        }
        // This ledger needs no file: there is nothing to say about it.
        if THIS_LEDGER.contains(&name) {
            let value = ConnectorFile { platform: name.to_owned(), ..ConnectorFile::default() };
            return Ok(Read { value, file: format!("connectors/{name}.toml"), problems: Vec::new() });
        }
        Err(Self::missing(("connector", "连接器"), "connectors", name, &self.connector_names()))
    }

    /// File of a connector, as messages name it.
    pub fn connector_file(&self, name: &str) -> String {
        let json = format!("connectors/{name}.json");
        let toml = format!("connectors/{name}.toml");
        if !self.dir.join(&toml).exists() && self.dir.join(&json).exists() { json } else { toml }
    }

    /// A value read from wherever it is, or why it cannot be.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn value_of(
        &self,
        value: &CredentialValue,
        ledger: Option<&SqliteLedger>,
    ) -> Result<Result<String, Text>, Failure> {
        Ok(match value {
            CredentialValue::Plain(s) => Ok(s.clone()),
            CredentialValue::Env(v) => std::env::var(v)
                .map_err(|_| text!("the environment variable `{v}` is not set", "环境变量 `{v}` 未设置")),
            CredentialValue::File(f) => std::fs::read_to_string(self.dir.join(f))
                .map(|s| s.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(|e| text!("the file `{f}` cannot be read: {e}", "文件 `{f}` 无法读取:{e}")),
            CredentialValue::Secret(s) => {
                let stored = match ledger {
                    Some(l) => l.secret(s).await?,
                    None => None,
                };
                stored.map(|secret| secret.expose().to_owned()).ok_or_else(|| {
                    text!(
                        "no secret `{s}` is set; set it with `heliu secret set {s}`",
                        "没有机密 `{s}`;请执行 `heliu secret set {s}`"
                    )
                })
            }
        })
    }

    /// A connector with its values read from wherever they are, and everything that is wrong with it.
    ///
    /// # Errors
    /// There is no such connector, its file cannot be parsed, or the ledger cannot be read.
    pub async fn resolve(
        &self,
        name: &str,
        ledger: Option<&SqliteLedger>,
    ) -> Result<(ConnectorSpec, Vec<Problem>), Stop> {
        let read = self.connector(name)?;
        let mut problems = read.problems;
        let mut spec = ConnectorSpec {
            name: name.to_owned(),
            platform: read.value.platform,
            base_url: read.value.base_url,
            timezone: read.value.timezone,
            limits: read.value.limits,
            project: self.dir.clone(),
            ..ConnectorSpec::default()
        };
        for (key, value) in read.value.values {
            let at = if read.value.credentials.contains(&key) {
                format!("credentials.{key}")
            } else {
                key.clone()
            };
            spec.places.insert(key.clone(), at.clone());
            match self.value_of(&value, ledger).await? {
                Ok(s) => {
                    spec.credentials.insert(key, Secret::new(s));
                }
                Err(t) => {
                    problems.push(Problem { file: read.file.clone(), ..Problem::error("HL-1014", at, t) })
                }
            }
        }
        Ok((spec, problems))
    }
}
