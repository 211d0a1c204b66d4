//! A project whose plans read from two platforms and write to a database and an HTTP target.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use heliu_sandbox::{Faults, Kind, Mutation, Sandbox, TokenMode};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::moment::Moment;
use crate::proxy::Proxy;
use crate::recorder::Recorder;
use crate::{Tally, Trouble};
use heliu_testkit::mariadb::{MariaDb, USER};
use heliu_testkit::rng::Rng;

/// The plans, all started by one command: a statement that may be repeated, rows that can be looked up, rows that cannot,
/// deliveries over HTTP; and between plans: one that stores records for another, that one, and one that reads what the
/// first has read.
pub const PLANS: [&str; 7] = ["replace", "insert", "log", "post", "store", "kept", "query"];
/// Columns of the tables.
pub(super) const COLUMNS: [&str; 6] = ["io_id", "o_id", "so_id", "shop_id", "modified", "items"];
const REFRESH: &str = "/openWeb/auth/refreshToken";
/// How often a moment is looked for.
const LOOK: Duration = Duration::from_millis(1);
/// A process that neither ends nor meets its moment within this time hangs.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct World {
    program: PathBuf,
    /// Those that are run.
    pub(super) plans: Vec<&'static str>,
    dir: TempDir,
    /// Its orders change.
    pub(super) moving: Sandbox,
    /// Its orders are only added to.
    pub(super) growing: Sandbox,
    proxy: Proxy,
    pub(super) posts: Recorder,
    pub(super) db: Conn,
    /// How long a life takes that is not cut short.
    pub(super) usual: Duration,
    changes: u64,
}

/// What a process printed when it came to its end.
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) lines: Vec<Value>,
    pub(super) text: String,
}

async fn stand_in(seed: u64, records: u32, mode: TokenMode) -> Result<Sandbox, Trouble> {
    let builder = Sandbox::builder("jushuitan").seed(seed).records(records).limits(0, 0);
    let builder = builder.spread(Duration::from_secs(3_600)).slow(Duration::from_secs(1)).token_mode(mode);
    Ok(builder.listen("127.0.0.1:0").await?)
}

fn source(connector: &str) -> Value {
    json!({"connector": connector, "metadata": {
        "api": "orders.out.simple.query", "method": "POST", "number": "o_id", "id": "io_id",
        "pagination": {"pageSize": 40}, "idCheck": true, "request": [
            {"field": "modified_begin", "type": "string", "value": "{{LAST_SYNC_TIME|datetime}}"},
            {"field": "modified_end", "type": "string", "value": "{{CURRENT_TIME|datetime}}"},
            {"field": "page_index", "type": "string", "value": "{PAGINATION_START_PAGE}"},
            {"field": "page_size", "type": "string", "value": "{PAGINATION_PAGE_SIZE}"}]}})
}

fn sql(verb: &str, table: &str) -> Value {
    let request: Vec<Value> =
        COLUMNS.iter().map(|c| json!({"field": c, "value": format!("{{{c}}}")})).collect();
    let sql = format!("{verb} INTO {table} ({}) VALUES", COLUMNS.join(", "));
    json!({"connector": "bi", "metadata": {"api": "batchexecute", "method": "POST", "request": request,
        "otherRequest": [{"field": "main_sql", "value": sql}]}})
}

impl World {
    /// A project of which `plans` are run, writing `batch` rows at a time, or as many as `rng` says.
    pub(super) async fn new(
        program: &Path,
        server: &MariaDb,
        rng: &mut Rng,
        plans: &[&'static str],
        batch: Option<u32>,
    ) -> Result<World, Trouble> {
        let dir = tempfile::Builder::new().prefix("heliu-torture-").tempdir()?;
        let mode =
            *rng.pick(&[TokenMode::Rotate, TokenMode::Rotate, TokenMode::Overlap(600), TokenMode::Prolong]);
        let moving = stand_in(rng.bits(), 150, mode).await?;
        let growing = stand_in(rng.bits(), 80, TokenMode::Overlap(600)).await?;
        let posts = Recorder::start().await?;
        let proxy = Proxy::start(server.port()).await?;
        let name = server.fresh_name("torture");
        let mut root = Conn::new(Opts::from_url(&server.dsn("bi"))?).await?;
        root.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await?;
        root.disconnect().await?;
        let dsn = server.dsn(&name);
        let mut db = Conn::new(Opts::from_url(&dsn)?).await?;
        let key = " PRIMARY KEY";
        for (table, key) in
            [("outbound", key), ("keyed", key), ("plain", ""), ("kept", key), ("queried", key)]
        {
            db.query_drop(format!(
                "CREATE TABLE {table} (io_id BIGINT{key}, o_id BIGINT, so_id VARCHAR(64), shop_id BIGINT,
                 modified DATETIME, items LONGTEXT)"
            ))
            .await?;
        }
        let through = dsn.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
        if through == dsn || !through.contains(USER) {
            return Err("the database's address names no port".into());
        }
        let world = World {
            program: program.to_owned(),
            plans: plans.to_vec(),
            dir,
            moving,
            growing,
            proxy,
            posts,
            db,
            usual: Duration::from_millis(800),
            changes: 0,
        };
        world.write("connectors/bi.toml", &format!("platform = \"mysql\"\ndsn = \"{through}\"\n"))?;
        let to = format!("platform = \"http\"\nbase_url = \"{}\"\n", world.posts.url());
        world.write("connectors/to.toml", &to)?;
        world.write("connectors/here.toml", "platform = \"heliu\"\n")?;
        world.authorise()?;
        let rows = batch.unwrap_or(*rng.pick(&[1, 5, 40]));
        for (plan, from, target) in [
            ("replace", source("moving"), sql("REPLACE", "outbound")),
            ("insert", source("growing"), sql("INSERT", "keyed")),
            ("log", source("growing"), sql("INSERT", "plain")),
            ("post", source("growing"), post()),
            ("store", source("moving"), store()),
            ("kept", given(), sql("REPLACE", "kept")),
            ("query", asked(), sql("REPLACE", "queried")),
        ] {
            let of = if from["connector"] == "growing" { &world.growing } else { &world.moving };
            let start = of.truth().orders.values().filter_map(|o| text_of(o, "modified")).min();
            // A person looks at every single one that is in doubt.
            let rows = if plan == "log" { rows.min(2) } else { rows };
            let plan_file = json!({"start": start, "lookback": "3s", "batchSize": rows, "source": from, "target": target});
            world.write(&format!("plans/{plan}.json"), &plan_file.to_string())?;
        }
        Ok(world)
    }

    fn write(&self, file: &str, content: &str) -> Result<(), Trouble> {
        let path = self.dir.path().join(file);
        std::fs::create_dir_all(path.parent().ok_or("a file without directory")?)?;
        Ok(std::fs::write(path, content)?)
    }

    /// The platforms' newest tokens in the connectors' files, as a person puts them there.
    fn authorise(&self) -> Result<(), Trouble> {
        let limits = "\n[limits]\nrequests_per_second = 2000\nrequests_per_minute = 100000\n";
        for (name, sandbox) in [("moving", &self.moving), ("growing", &self.growing)] {
            self.write(&format!("connectors/{name}.toml"), &format!("{}{limits}", sandbox.connector_toml()))?;
        }
        Ok(())
    }

    /// The project stays on disk, to be looked at.
    pub(super) fn keep(&mut self) {
        self.dir.disable_cleanup(true);
        eprintln!("the project is kept in {}", self.dir.path().display());
    }

    /// Something happens on the platforms.
    pub(super) fn change(&mut self, rng: &mut Rng) -> Result<(), Trouble> {
        if rng.chance(20) {
            return Ok(());
        }
        let ids: Vec<i64> = self.moving.truth().orders.into_keys().collect();
        for _ in 0..rng.below(12) {
            self.changes += 1;
            let fields = Map::from_iter([("so_id".to_owned(), format!("v{}", self.changes).into())]);
            self.moving.mutate(Mutation::Change { kind: Kind::Order, id: *rng.pick(&ids), fields })?;
        }
        for (sandbox, most) in [(&self.moving, 3), (&self.growing, 10)] {
            for _ in 0..rng.below(most) {
                sandbox.mutate(Mutation::Insert { kind: Kind::Order, fields: Map::new() })?;
            }
        }
        for sandbox in [&self.moving, &self.growing] {
            if rng.chance(8) {
                sandbox.expire_token()?;
            }
        }
        Ok(())
    }

    /// Several pages and batches of work, and every platform wants a new token.
    pub(super) fn more(&mut self, rng: &mut Rng) -> Result<(), Trouble> {
        let ids: Vec<i64> = self.moving.truth().orders.into_keys().collect();
        for _ in 0..70 {
            self.changes += 1;
            let fields = Map::from_iter([("so_id".to_owned(), format!("v{}", self.changes).into())]);
            self.moving.mutate(Mutation::Change { kind: Kind::Order, id: *rng.pick(&ids), fields })?;
            self.growing.mutate(Mutation::Insert { kind: Kind::Order, fields: Map::new() })?;
        }
        self.moving.expire_token()?;
        Ok(self.growing.expire_token()?)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(&self.program);
        c.env_remove("HELIU_PROJECT")
            .env_remove("HELIU_DATA_DIR")
            .env("LC_ALL", "C.UTF-8")
            .kill_on_drop(true);
        c.arg("--project").arg(self.dir.path()).args(args).stdin(Stdio::null());
        c
    }

    /// Another command of the program, to its end.
    pub(super) async fn ask(&self, args: &[&str]) -> Result<Said, Trouble> {
        let out = self.command(args).output().await?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let lines = String::from_utf8_lossy(&out.stdout);
        let lines = lines
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("`heliu {}` prints no JSON ({e}): {text}", args.join(" ")))?;
        Ok(Said { code: out.status.code(), lines, text })
    }

    /// The same command as ever; true when it was killed at the moment.
    pub(super) async fn life(&mut self, moment: Option<&Moment>, tally: &mut Tally) -> Result<bool, Trouble> {
        self.proxy.set(None);
        self.posts.release();
        for sandbox in [&self.moving, &self.growing] {
            sandbox.set_faults(&Faults::none())?;
        }
        match moment {
            Some(Moment::Refresh(_, unanswered)) => {
                let sandbox = if self.changes.is_multiple_of(2) { &self.moving } else { &self.growing };
                sandbox.expire_token()?;
                if *unanswered {
                    sandbox.set_faults(&Faults::parse(&format!("slow@1={REFRESH}"))?)?;
                }
            }
            Some(Moment::Statement(trap) | Moment::Settle(trap, _)) => self.proxy.set(Some(*trap)),
            Some(Moment::Delivery(nth, after)) => self.posts.hold(*nth, *after),
            _ => {}
        }
        let (sprung, held) = (self.proxy.sprung(), self.posts.held());
        let calls = self.moving.calls() + self.growing.calls();
        let seen = [self.moving.calls(), self.growing.calls()];
        let (out, err) = (self.dir.path().join("said.out"), self.dir.path().join("said.err"));
        let began = Instant::now();
        let mut args = vec!["run", "--parallel", "4", "--json"];
        args.extend(&self.plans);
        let mut command = self.command(&args);
        if let Some(Moment::Point(name, nth)) = moment {
            command.env("HELIU_DIE_AT", format!("{name}@{nth}"));
        }
        let mut child =
            command.stdout(std::fs::File::create(&out)?).stderr(std::fs::File::create(&err)?).spawn()?;
        let met = async {
            match moment {
                None | Some(Moment::Point(..)) => std::future::pending().await,
                Some(Moment::StartUp(after) | Moment::AnyTime(after)) => sleep(*after).await,
                Some(Moment::Refresh(after, _)) => {
                    let asks = |s: &Sandbox, n| s.log_since(n).iter().any(|e| e.path == REFRESH);
                    while !(asks(&self.moving, seen[0]) || asks(&self.growing, seen[1])) {
                        sleep(LOOK).await;
                    }
                    sleep(*after).await;
                }
                Some(Moment::Page(more, after)) => {
                    while self.moving.calls() + self.growing.calls() < calls + more {
                        sleep(LOOK).await;
                    }
                    sleep(*after).await;
                }
                Some(Moment::Statement(_)) => self.proxy.springs(sprung).await,
                Some(Moment::Delivery(..)) => self.posts.holds(held).await,
                Some(Moment::Settle(_, after)) => {
                    self.proxy.springs(sprung).await;
                    sleep(*after).await;
                }
            }
        };
        let ended = tokio::select! {
            status = child.wait() => Some(status?),
            () = met => None,
            () = sleep(PATIENCE) => return Err(format!("{moment:?}: the process hangs").into()),
        };
        let Some(status) = ended else {
            child.start_kill()?;
            child.wait().await?;
            return Ok(true);
        };
        if let Some(Moment::Point(..)) = moment
            && status.signal().is_some()
        {
            return Ok(true);
        }
        if moment.is_none() {
            self.usual = began.elapsed();
        }
        tally.ended += 1;
        let text = std::fs::read_to_string(&out)?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let said = Said { code: status.code(), lines, text: text + &std::fs::read_to_string(&err)? };
        self.hear(&said, tally)?;
        Ok(false)
    }

    /// What a process that came to its end may say: its proof; that a person is needed; nothing else.
    fn hear(&mut self, said: &Said, tally: &mut Tally) -> Result<(), Trouble> {
        let mut authorise = false;
        for line in &said.lines {
            match line["error"]["code"].as_str() {
                Some("HL-4007") => authorise = true,
                None if !line["error"].is_null() => {
                    tally.wrong.push(format!("an error without code: {line}"))
                }
                Some(_) => tally.wrong.push(format!("it gives up: {line}")),
                None => {}
            }
        }
        if said.lines.len() != self.plans.len() || !matches!(said.code, Some(0 | 1 | 3)) {
            tally.wrong.push(format!("status {:?}: {}", said.code, said.text));
        }
        if authorise {
            tally.authorised += 1;
            self.authorise()?;
        }
        Ok(())
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.dir.path().join(".heliu/ledger.db")
    }
}

/// Records for the plan `kept`.
fn store() -> Value {
    let request: Vec<Value> =
        COLUMNS.iter().map(|c| json!({"field": c, "value": format!("{{{{{c}}}}}")})).collect();
    json!({"connector": "here", "metadata": {"api": "store", "method": "POST", "request": request,
        "otherRequest": [{"field": "scheme_id", "value": "kept"}]}})
}

/// What others store.
fn given() -> Value {
    json!({"connector": "here", "metadata": {"api": "callback", "id": "io_id", "number": "o_id", "idCheck": true}})
}

/// What the plan `store` has read.
fn asked() -> Value {
    json!({"connector": "here", "metadata": {
        "api": "query", "method": "POST", "number": "o_id", "id": "io_id",
        "pagination": {"pageSize": 40}, "idCheck": true, "request": [
            {"field": "scheme_id", "value": "store"},
            {"field": "begin_at", "type": "int", "value": "{{LAST_SYNC_TIME}}"},
            {"field": "end_at", "type": "int", "value": "{{CURRENT_TIME}}"}]}})
}

fn post() -> Value {
    json!({"connector": "to", "metadata": {"api": "/orders/save", "method": "POST", "request": [
        {"field": "id", "value": "{{io_id}}"}, {"field": "so_id", "value": "{{so_id}}"}]}})
}

/// A member of a row, as text.
pub(super) fn text_of(row: &str, member: &str) -> Option<String> {
    let row: Value = serde_json::from_str(row).ok()?;
    match row.get(member)? {
        Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}
