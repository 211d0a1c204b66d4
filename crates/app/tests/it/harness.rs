//! A project in a temporary directory, the program, and the sandbox's truth.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use heliu_sandbox::{Faults, Sandbox};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

pub struct Project {
    dir: TempDir,
}

/// What the program answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    fn of(output: Output) -> Answer {
        Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The only line as JSON.
    pub fn json(&self) -> Value {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.into_iter().next().unwrap()
    }

    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Answer {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

pub fn program() -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_heliu"));
    c.env_remove("HELIU_PROJECT").env_remove("HELIU_DATA_DIR").env("LC_ALL", "C.UTF-8").kill_on_drop(true);
    c
}

impl Project {
    pub fn new() -> Project {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("plans")).unwrap();
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        Project { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, file: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn plan(&self, name: &str, plan: &Value) {
        self.write(&format!("plans/{name}.json"), &serde_json::to_string_pretty(plan).unwrap());
    }

    /// The sandbox as connector `jst`, without its budgets unless they are wanted.
    pub fn connect(&self, sandbox: &Sandbox) {
        let limits = "\n[limits]\nrequests_per_second = 2000\nrequests_per_minute = 100000\n";
        self.write("connectors/jst.toml", &format!("{}{limits}", sandbox.connector_toml()));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut c = program();
        c.arg("--project").arg(self.path()).args(args);
        c.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        c
    }

    pub async fn run(&self, args: &[&str]) -> Answer {
        Answer::of(self.command(args).output().await.unwrap())
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }
}

/// The program without a project, with words on its standard input.
pub async fn with_input(args: &[&str], input: &str) -> Answer {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    Answer::of(child.wait_with_output().await.unwrap())
}

/// A sandbox without budgets.
pub async fn sandbox(records: u32, faults: &str) -> Sandbox {
    Sandbox::builder("jushuitan")
        .records(records)
        .limits(0, 0)
        .faults(Faults::parse(faults).unwrap())
        .listen("127.0.0.1:0")
        .await
        .unwrap()
}

pub fn number(v: &Value, path: &str) -> u64 {
    v.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path} in {v}"))
}

/// Both equations of a run's answer.
#[track_caller]
pub fn balances(run: &Value) {
    let n = |p: &str| number(run, p);
    let decided = ["new", "changed", "unchanged", "filtered", "rejected"];
    let decided: u64 = decided.iter().map(|k| n(&format!("/records/{k}"))).sum();
    assert_eq!(n("/source/returned"), decided, "{run}");
    let settled = ["written", "failed", "in_doubt", "waiting", "superseded"];
    let settled: u64 = settled.iter().map(|k| n(&format!("/target/{k}"))).sum();
    assert_eq!(n("/records/new") + n("/records/changed") + n("/waiting_before"), settled, "{run}");
    assert_eq!(run.pointer("/certificate/balanced"), Some(&Value::Bool(true)), "{run}");
}
