//! All platforms by name: built in, or the user's own; and the building of sources and targets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::codes::lint;
use heliu_model::ports::{Budget, Clock, Source, Stored, Target, Tokens};
use heliu_model::{Call, CallKind, ConnectorSpec, Failure, Problem, text};
use heliu_transform::{Map, Metadata, Value};

use crate::heliu::{self, Plans};
use crate::http::{Account, Client, Credential, HttpSource, HttpTarget, Reach, Timeouts};
use crate::manifest::Manifest;
use crate::{http, sql};

const BUILT_IN: &[(&str, &str)] = &[
    ("platforms/jushuitan.toml", include_str!("../../../platforms/jushuitan.toml")),
    ("platforms/kuaimai.toml", include_str!("../../../platforms/kuaimai.toml")),
    ("platforms/okki.toml", include_str!("../../../platforms/okki.toml")),
    ("platforms/kingdee.toml", include_str!("../../../platforms/kingdee.toml")),
    ("platforms/yonyou.toml", include_str!("../../../platforms/yonyou.toml")),
    ("platforms/dingtalk.toml", include_str!("../../../platforms/dingtalk.toml")),
    ("platforms/wecom.toml", include_str!("../../../platforms/wecom.toml")),
    ("platforms/qeasy-open.toml", include_str!("../../../platforms/qeasy-open.toml")),
    ("platforms/http.toml", include_str!("../../../platforms/http.toml")),
];

/// Databases that are often asked for.
const NOT_YET: &[&str] =
    &["postgresql", "postgres", "pgsql", "pg", "sqlserver", "sql-server", "mssql", "oracle"];

/// What outside calls need from the rest of the program.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Durable tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Shared budgets.
    pub budget: Arc<dyn Budget>,
    /// Records of other plans.
    pub stored: Arc<dyn Stored>,
    /// The project's plans.
    pub plans: Arc<dyn Plans>,
    /// Who this process is, for intents.
    pub owner: String,
    /// The plan whose sides are built: plans share a credential's budget evenly.
    pub plan: String,
}

/// What `heliu platforms` shows of a platform.
#[derive(Debug, Clone)]
pub struct Description {
    /// Name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// What it is: English, 中文.
    pub title: (String, String),
    /// Credentials: name, English, 中文, required, secret.
    pub credentials: Vec<(String, String, String, bool, bool)>,
    /// APIs: path, English, 中文.
    pub apis: Vec<(String, String, String)>,
    /// `built-in`, or the user's file.
    pub origin: String,
}

/// All platforms.
pub struct Registry {
    manifests: Vec<(Arc<Manifest>, String)>,
    accounts: Mutex<HashMap<String, Arc<Account>>>,
    clients: Mutex<HashMap<Reach, Client>>,
}

impl Registry {
    /// The built-in platforms and the user's own (file name and TOML text); one with a built-in's name replaces it.
    ///
    /// # Errors
    /// Every manifest that cannot be used.
    pub fn new(own: &[(String, String)]) -> Result<Registry, Vec<Problem>> {
        let mut manifests: Vec<(Arc<Manifest>, String)> = Vec::new();
        let mut problems = Vec::new();
        let all = BUILT_IN
            .iter()
            .map(|(f, s)| ((*f).to_owned(), (*s).to_owned(), "built-in".to_owned()))
            .chain(own.iter().map(|(f, s)| (f.clone(), s.clone(), f.clone())));
        for (file, source, origin) in all {
            match Manifest::read(&source, &file) {
                Ok(m) => {
                    manifests.retain(|(old, _)| old.name() != m.name());
                    manifests.push((m, origin));
                }
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Registry { manifests, accounts: Mutex::default(), clients: Mutex::default() })
    }

    /// All platforms, SQL databases and the ledger among them.
    pub fn describe(&self) -> Vec<Description> {
        let mut out: Vec<Description> = self
            .manifests
            .iter()
            .map(|(m, origin)| Description {
                name: m.form.name.clone(),
                aliases: m.form.aliases.clone(),
                title: (m.form.title.en.clone(), m.form.title.zh.clone()),
                credentials: m
                    .form
                    .credentials
                    .iter()
                    .map(|c| (c.name.clone(), c.title.en.clone(), c.title.zh.clone(), c.required, c.secret))
                    .collect(),
                apis: m
                    .form
                    .apis
                    .iter()
                    .map(|a| (a.path.clone(), a.title.en.clone(), a.title.zh.clone()))
                    .collect(),
                origin: origin.clone(),
            })
            .collect();
        let fixed =
            |name: &str, aliases: &[&str], en: &str, zh: &str, apis: &[(&str, &str, &str)]| Description {
                name: name.into(),
                aliases: aliases.iter().map(|a| (*a).to_owned()).collect(),
                title: (en.into(), zh.into()),
                credentials: Vec::new(),
                apis: apis
                    .iter()
                    .map(|(p, e, z)| ((*p).to_owned(), (*e).to_owned(), (*z).to_owned()))
                    .collect(),
                origin: "built-in".into(),
            };
        let sql_apis = [
            ("batchexecute", "write rows in multi-row statements", "批量执行"),
            ("execute", "one statement per record, with :name parameters", "执行操作"),
            ("select", "read rows", "SELECT 语句"),
        ];
        out.push(fixed("mysql", &["mariadb"], "MySQL and MariaDB", "MySQL 与 MariaDB", &sql_apis));
        out.push(fixed("sqlite", &[], "SQLite file", "SQLite 文件", &sql_apis));
        out.push(fixed(
            "heliu",
            heliu::PLATFORM.get(1..).unwrap_or(&[]),
            "this ledger",
            "本台账",
            heliu::APIS,
        ));
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    /// Names and aliases of all platforms, for the nearest one.
    pub fn names(&self) -> Vec<String> {
        self.describe().into_iter().flat_map(|d| std::iter::once(d.name).chain(d.aliases)).collect()
    }

    /// The canonical name of a platform.
    ///
    /// # Errors
    /// Unknown, with the nearest name.
    pub fn canonical(&self, name: &str) -> Result<String, Problem> {
        if let Some((m, _)) = self.manifests.iter().find(|(m, _)| m.answers_to(name)) {
            return Ok(m.name().to_owned());
        }
        if let Some(d) = self.describe().into_iter().find(|d| {
            d.name.eq_ignore_ascii_case(name) || d.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
        }) {
            return Ok(d.name);
        }
        let names = self.names();
        let known = self.describe().into_iter().map(|d| d.name).collect::<Vec<_>>().join(", ");
        let hint = match heliu_transform::nearest(name, names.iter().map(String::as_str)) {
            _ if NOT_YET.iter().any(|n| n.eq_ignore_ascii_case(name)) => text!(
                "heliu writes into MySQL, MariaDB and SQLite so far; this database is not among them yet (docs/decisions/0013)",
                "目前支持写入 MySQL、MariaDB 与 SQLite,暂不支持该数据库(见 docs/decisions/0013)"
            ),
            Some(near) => {
                text!("did you mean `{near}`? known are {known}", "是否为 `{near}`?已知的有 {known}")
            }
            None => text!("known are {known}", "已知的有 {known}"),
        };
        let name = name.to_owned();
        Err(Problem::error("HL-1033", "platform", text!("unknown platform `{name}`", "未知的平台 `{name}`"))
            .hint(hint))
    }

    /// All manifests.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.manifests.iter().map(|(m, _)| m)
    }

    /// A manifest by name or alias.
    pub fn manifest(&self, name: &str) -> Option<Arc<Manifest>> {
        self.manifests.iter().find(|(m, _)| m.answers_to(name)).map(|(m, _)| m.clone())
    }

    /// The zone of a connector's times: its own, or the platform's.
    pub fn timezone(&self, spec: &ConnectorSpec) -> Tz {
        spec.timezone
            .or_else(|| self.manifest(&spec.platform).map(|m| m.timezone))
            .unwrap_or(chrono_tz::Asia::Shanghai)
    }

    /// What is wrong with a connector, as far as can be seen without a call: platform, names, values.
    pub fn check_connector(&self, spec: &ConnectorSpec) -> Vec<Problem> {
        let name = match self.canonical(&spec.platform) {
            Ok(name) => name,
            // A missing one has been reported.
            Err(_) if spec.platform.is_empty() => return Vec::new(),
            Err(p) => return vec![p],
        };
        let manifest = self.manifest(&spec.platform);
        let known: Vec<&str> = match (&manifest, name.as_str()) {
            (Some(m), _) => m
                .form
                .credentials
                .iter()
                .flat_map(|c| std::iter::once(c.name.as_str()).chain(c.aliases.iter().map(String::as_str)))
                .chain(http::COMMON.iter().copied())
                .collect(),
            (None, "mysql" | "sqlite") => sql::settings(&name).to_vec(),
            (None, _) => Vec::new(),
        };
        let mut out: Vec<Problem> = spec
            .places
            .iter()
            .filter(|(key, _)| !known.contains(&key.as_str()))
            .map(|(key, place)| {
                let (all, name) = (known.join(", "), name.clone());
                let hint = match heliu_transform::nearest(key, known.iter().copied()) {
                    Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
                    None if known.is_empty() => text!("`{name}` needs none", "`{name}` 不需要任何凭证"),
                    None => text!("`{name}` knows {all}", "`{name}` 可用的有 {all}"),
                };
                Problem::error("HL-1003", place, text!("unknown key `{key}`", "未知的键 `{key}`")).hint(hint)
            })
            .collect();
        match manifest {
            Some(m) => {
                out.extend(http::check(&m, spec));
                out.extend(trusted(spec).err());
            }
            None if name == "heliu" => {}
            None => out.extend(sql::check_connector(&name, spec)),
        }
        // A value that could not be read is not missing.
        out.retain(|p| p.code != "HL-1030" || !spec.places.values().any(|place| *place == p.path));
        out
    }

    /// The credential whose budget a connector uses; none where there is no budget, or the connector cannot be used.
    pub fn credential(&self, spec: &ConnectorSpec) -> Option<Credential> {
        Credential::of(self.manifest(&spec.platform)?.as_ref(), spec).ok()
    }

    /// The account of a connector; one per process, so that tokens and budgets are shared.
    ///
    /// # Errors
    /// What is missing in the connector.
    pub fn account(&self, spec: &ConnectorSpec, ports: &Ports) -> Result<Arc<Account>, Vec<Problem>> {
        let manifest = self.manifest(&spec.platform).ok_or_else(|| {
            vec![Problem::error("HL-1033", "platform", text!("unknown platform", "未知的平台"))]
        })?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(a) = accounts.get(&spec.name) {
            return Ok(a.clone());
        }
        let ports = http::Ports {
            clock: ports.clock.clone(),
            tokens: ports.tokens.clone(),
            budget: ports.budget.clone(),
            owner: ports.owner.clone(),
            client: self.client(spec).map_err(|p| vec![p])?,
        };
        let mut account = Account::new(manifest, spec, ports)?;
        // Two files for one credential: one budget, one line.
        if let Some(same) = accounts.values().find(|a| a.key() == account.key()) {
            account.lines_of(same);
        }
        let account = Arc::new(account);
        accounts.insert(spec.name.clone(), account.clone());
        Ok(account)
    }

    /// The client of a connector; connectors with the same certificates and proxy share one.
    fn client(&self, spec: &ConnectorSpec) -> Result<Client, Problem> {
        let ca = trusted(spec)?;
        let reach = Reach { ca, proxy: spec.setting("proxy") };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(c) = clients.get(&reach) {
            return Ok(c.clone());
        }
        let client = Client::new(Timeouts::default(), &reach)
            .map_err(|f| Problem { hint: f.hint, ..Problem::error(&f.code, "platform", f.message) })?;
        clients.insert(reach, client.clone());
        Ok(client)
    }

    /// A source.
    ///
    /// # Errors
    /// Every problem of connector and document.
    pub async fn build_source(
        &self,
        spec: &ConnectorSpec,
        meta: &Metadata,
        tz: Tz,
        ports: &Ports,
    ) -> Result<Arc<dyn Source>, Vec<Problem>> {
        match self.canonical(&spec.platform).map_err(|p| vec![p])?.as_str() {
            name @ ("mysql" | "sqlite") => sql::build_source(name, spec, meta, tz, ports).await,
            "heliu" => heliu::build_source(meta, tz, ports),
            _ => {
                let account = self.account(spec, ports)?;
                Ok(Arc::new(HttpSource::new(account, &ports.plan, meta, tz)?))
            }
        }
    }

    /// A target. `batch`: rows of one statement at most; `tz`: the plan's, in which its times without one are written.
    ///
    /// # Errors
    /// Every problem of connector and document.
    pub fn build_target(
        &self,
        spec: &ConnectorSpec,
        meta: &Metadata,
        batch: usize,
        tz: Tz,
        ports: &Ports,
    ) -> Result<Arc<dyn Target>, Vec<Problem>> {
        match self.canonical(&spec.platform).map_err(|p| vec![p])?.as_str() {
            name @ ("mysql" | "sqlite") => {
                sql::build_target(name, spec, meta, batch, tz, ports.clock.clone())
            }
            "heliu" => heliu::build_target(meta, batch, ports),
            _ => {
                let account = self.account(spec, ports)?;
                Ok(Arc::new(HttpTarget::new(account, &ports.plan, meta)?))
            }
        }
    }

    /// Looks at what a database's target would write into: table, columns, keys. Nothing for other platforms.
    ///
    /// # Errors
    /// The database cannot be looked at.
    pub async fn inspect(
        &self,
        spec: &ConnectorSpec,
        meta: &Metadata,
        tz: Tz,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<Problem>, Failure> {
        match self.canonical(&spec.platform).as_deref() {
            Ok(name @ ("mysql" | "sqlite")) => match sql::build_target(name, spec, meta, 1, tz, clock) {
                Ok(target) => target.inspect().await,
                // Reported without a connection already.
                Err(_) => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    /// Findings about a document on this platform that need no connection.
    pub fn check(&self, spec: &ConnectorSpec, meta: &Metadata, source: bool) -> Vec<Problem> {
        match self.canonical(&spec.platform) {
            Err(p) => vec![p],
            Ok(name) if name == "mysql" || name == "sqlite" => sql::check(&name, meta, source),
            Ok(name) if name == "heliu" => heliu::check(meta, source, self.timezone(spec)),
            Ok(_) => self.check_http(spec, meta, source),
        }
    }

    fn check_http(&self, spec: &ConnectorSpec, meta: &Metadata, source: bool) -> Vec<Problem> {
        let mut out = Vec::new();
        let Some(manifest) = self.manifest(&spec.platform) else { return out };
        if meta.api.trim().is_empty() {
            return out;
        }
        let (path, api) = manifest.api(&meta.api);
        let Some(api) = api else {
            if !manifest.form.apis.is_empty() {
                let paths: Vec<&str> = manifest.form.apis.iter().map(|a| a.path.as_str()).collect();
                let near = heliu_transform::nearest(&path, paths.iter().copied());
                let platform = manifest.name();
                let hint = match near {
                    Some(near) => text!("did you mean `{near}`?", "是否为 `{near}`?"),
                    None => text!(
                        "`heliu platforms {platform}` lists the ones it knows",
                        "`heliu platforms {platform}` 会列出已知的接口"
                    ),
                };
                out.push(
                    lint::UNCATALOGUED
                        .at(
                            "api",
                            text!(
                                "`{path}` is not in the catalogue of `{platform}`; it is called as written",
                                "`{path}` 不在 `{platform}` 的接口目录中,将按原样调用"
                            ),
                        )
                        .hint(hint),
                );
            }
            return out;
        };
        if !source {
            out.extend(http::interface(&manifest, meta).err());
        }
        if source
            && let (Some(asked), Some(most)) = (meta.page_size, api.max_page_size)
            && asked > most
        {
            out.push(
                lint::PAGE_TOO_LARGE
                    .at(
                        "pagination.pageSize",
                        text!(
                            "{asked} rows a page are more than this interface gives ({most})",
                            "每页 {asked} 行超过该接口的上限({most})"
                        ),
                    )
                    .hint(text!(
                        "a run asks for {most}; the window's end does not depend on it",
                        "运行时按 {most} 请求;是否读完不受影响"
                    )),
            );
        }
        if source
            && let Some(unique) = &api.id
            && !meta.id.is_empty()
            && meta.id != *unique
            && api.path == "/open/orders/out/simple/query"
        {
            let id = meta.id.clone();
            out.push(
                lint::KEY_NOT_UNIQUE
                    .at(
                        "id",
                        text!(
                            "`{id}` is not unique here: one order can have several outbound documents",
                            "`{id}` 在此接口中不唯一:一个订单可能有多张出库单"
                        ),
                    )
                    .hint(text!("use `{unique}` as `id`", "请使用 `{unique}` 作为 `id`")),
            );
        }
        out
    }

    /// Signs and sends the platform's cheapest call. The answer says what worked.
    pub async fn test_connection(&self, spec: &ConnectorSpec, ports: &Ports) -> Exchange<heliu_model::Text> {
        let failed = |p: Vec<Problem>| Exchange {
            calls: Vec::<Call>::new(),
            result: Err(p.into_iter().next().map_or_else(
                || Failure::config("HL-1030", text!("the connector cannot be used", "连接器无法使用")),
                Failure::from,
            )),
        };
        let name = match self.canonical(&spec.platform) {
            Ok(name) => name,
            Err(p) => return failed(vec![p]),
        };
        match name.as_str() {
            "mysql" | "sqlite" => {
                Exchange { calls: Vec::new(), result: sql::test_connection(&name, spec).await }
            }
            "heliu" => Exchange {
                calls: Vec::new(),
                result: Ok(text!("this ledger needs no connection", "本台账无需连接")),
            },
            _ => {
                let account = match self.account(spec, ports) {
                    Ok(a) => a,
                    Err(p) => return failed(p),
                };
                account.test(CallKind::Test).await
            }
        }
    }
}

/// The text of the certificates that a connector trusts beside the system's.
fn trusted(spec: &ConnectorSpec) -> Result<Option<String>, Problem> {
    let Some(file) = spec.setting("ssl_ca") else { return Ok(None) };
    let place = spec.place("ssl_ca");
    let pem = std::fs::read(spec.project.join(&file)).map_err(|e| {
        let said = text!("the file `{file}` cannot be read: {e}", "文件 `{file}` 无法读取:{e}");
        Problem::error("HL-1094", &place, said).hint(text!(
            "name a PEM file; its path begins in the project's directory",
            "请指定 PEM 文件,路径相对于项目目录"
        ))
    })?;
    let pem = String::from_utf8_lossy(&pem).into_owned();
    http::certificates(&pem)
        .map_err(|f| Problem { hint: f.hint, ..Problem::error(&f.code, &place, f.message) })?;
    Ok(Some(pem))
}

/// TOML parameters as dialect values.
pub(crate) fn params_of(test: &crate::manifest::TestForm) -> Map {
    test.params
        .iter()
        .map(|(k, v)| {
            let value = match v {
                toml::Value::Integer(n) => Value::from(*n),
                toml::Value::Boolean(b) => Value::from(*b),
                toml::Value::String(s) => Value::from(s.as_str()),
                other => Value::from(other.to_string()),
            };
            (k.clone(), value)
        })
        .collect()
}
