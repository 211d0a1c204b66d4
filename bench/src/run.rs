//! The program as a user runs it: source in a process of its own, a project directory, one command.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use crate::high_water;
use crate::loader::COLUMNS;

/// The source in a process of its own.
pub struct Source {
    child: Child,
    url: String,
}

impl Source {
    pub fn start(heliu: &Path, records: u32) -> Source {
        Self::spawn(heliu, records, None)
    }

    pub fn start_limited(heliu: &Path, records: u32, rps: u32) -> Source {
        Self::spawn(heliu, records, Some(rps))
    }

    fn spawn(heliu: &Path, records: u32, rps: Option<u32>) -> Source {
        let mut command = Command::new(heliu);
        command.args([
            "sandbox",
            "bench",
            "--listen",
            "127.0.0.1:0",
            "--json",
            "--records",
            &records.to_string(),
        ]);
        if let Some(rps) = rps {
            command.args(["--limit-rps", &rps.to_string()]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the source starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let v: Value = serde_json::from_str(&line).expect("the source says where it listens");
        Source { child, url: v["base_url"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    pub wall: f64,
    pub cpu: f64,
    pub peak_mib: f64,
    pub calls: u64,
    pub throttled: u64,
}

pub struct Project {
    heliu: PathBuf,
    dir: tempfile::TempDir,
}

impl Project {
    pub fn new(heliu: &Path, source: &Source, dsn: &str) -> Project {
        Self::make(heliu, source, dsn, "")
    }

    pub fn with_budget(heliu: &Path, source: &Source, dsn: &str, rps: u32) -> Project {
        Self::make(heliu, source, dsn, &format!("[limits]\nrequests_per_second = {rps}\n"))
    }

    fn make(heliu: &Path, source: &Source, dsn: &str, limits: &str) -> Project {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "connectors/source.toml",
            format!("platform = \"http\"\nbase_url = \"{}\"\nauth = \"none\"\n{limits}", source.url),
        );
        write("connectors/bi.toml", format!("platform = \"mysql\"\ndsn = \"{dsn}\"\n"));
        let request: Vec<Value> = COLUMNS
            .iter()
            .map(|c| json!({"field": c, "type": "string", "value": format!("{{{c}}}")}))
            .collect();
        let sql = format!("REPLACE INTO orders ({}) VALUES", COLUMNS.join(", "));
        let plan = json!({
            "source": {"connector": "source", "metadata": {
                "api": "/orders", "method": "GET", "number": "order_no", "id": "id",
                "pagination": {"pageSize": 100}, "idCheck": true,
                "request": [{"field": "page", "type": "string", "value": "{PAGINATION_START_PAGE}"},
                            {"field": "page_size", "type": "string", "value": "{PAGINATION_PAGE_SIZE}"}],
                "otherResponse": [{"field": "DataKey", "type": "string", "value": "data.datas"}]}},
            "target": {"connector": "bi", "metadata": {
                "api": "batchexecute", "effect": "EXECUTE", "method": "POST", "idCheck": true, "request": request,
                "otherRequest": [{"field": "main_sql", "type": "string", "value": sql},
                                 {"field": "limit", "type": "string", "value": "1000"}]}}});
        write("plans/orders.json", plan.to_string());
        Project { heliu: heliu.to_owned(), dir }
    }

    /// Runs the plan once.
    pub fn run(&self) -> Took {
        let took = self.command();
        assert_eq!(took.1["certificate"]["balanced"], true, "{}", took.1);
        took.0
    }

    /// Runs it again over unchanged data.
    pub fn run_again(&self) -> Took {
        let (took, answer) = self.command();
        assert_eq!(answer["records"]["unchanged"], answer["source"]["returned"], "{answer}");
        assert_eq!(answer["target"]["calls"], 0, "{answer}");
        took
    }

    fn command(&self) -> (Took, Value) {
        let before = cpu();
        let begun = Instant::now();
        let mut child = Command::new(&self.heliu)
            .arg("--project")
            .arg(self.dir.path())
            .args(["run", "orders", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("heliu starts");
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            peak = high_water::of(child.id()).unwrap_or(peak).max(peak);
            std::thread::sleep(Duration::from_millis(4));
        }
        let wall = begun.elapsed().as_secs_f64();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("one object");
        let n = |p: &str| answer.pointer(p).and_then(Value::as_u64).unwrap();
        let took = Took {
            wall,
            cpu: cpu() - before,
            peak_mib: peak as f64 / 1024.0,
            calls: n("/source/calls"),
            throttled: n("/source/throttled"),
        };
        (took, answer)
    }
}

/// CPU seconds of all children that have ended.
fn cpu() -> f64 {
    let u = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(u.user_time()) + seconds(u.system_time())
}
