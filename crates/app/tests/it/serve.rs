//! The service as a process: schedules, reloads, signals, kills, a run by hand beside it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::harness::{Project, balances, number};

/// A table of a local file as source, another as target: no network at all.
pub fn local_project(rows: i64) -> Project {
    let p = Project::new();
    p.write("heliu.toml", "[server]\nlog = \"json\"\n");
    p.write("connectors/src.toml", "platform = \"sqlite\"\npath = \"src.db\"\n");
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let src = rusqlite::Connection::open(p.path().join("src.db")).unwrap();
    src.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, day INTEGER)").unwrap();
    for i in 1..=rows {
        src.execute("INSERT INTO t VALUES (?1, ?2, ?3)", (i, format!("name {i}"), i % 7)).unwrap();
    }
    let bi = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    bi.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    p
}

pub fn local_plan(schedule: &str) -> Value {
    let sql = "SELECT id, name FROM t ORDER BY id";
    json!({
        "schedule": schedule,
        "source": {"connector": "src", "metadata": {"api": "select", "id": "id", "number": "name", "request": [],
            "otherRequest": [{"field": "main_sql", "type": "string", "value": sql}]}},
        "target": {"connector": "bi", "metadata": {"api": "batchexecute",
            "request": [{"field": "id", "type": "string", "value": "{id}"}, {"field": "name", "type": "string", "value": "{name}"}],
            "otherRequest": [{"field": "main_sql", "type": "string", "value": "REPLACE INTO t (id, name) VALUES"}]}},
    })
}

pub struct Service {
    pub child: Child,
    pub ready: Value,
    log: Lines<BufReader<ChildStderr>>,
    _out: Lines<BufReader<ChildStdout>>,
}

impl Service {
    pub async fn start(p: &Project, more: &[&str]) -> Service {
        let mut command = p.command(&["serve", "--headless", "--json"]);
        command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = out.next_line().await.unwrap().expect("it says that it is ready");
        let ready = serde_json::from_str(&ready).unwrap();
        Service { child, ready, log, _out: out }
    }

    /// The next log line of this event for which `wanted` holds.
    #[track_caller]
    pub fn event<'a>(
        &'a mut self,
        name: &'a str,
        wanted: impl Fn(&Value) -> bool + 'a,
    ) -> impl Future<Output = Value> + 'a {
        let log = &mut self.log;
        async move {
            let mut seen = Vec::new();
            let search = async {
                while let Some(line) = log.next_line().await.unwrap() {
                    let v: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
                    if v["event"] == name && wanted(&v) {
                        return Some(v);
                    }
                    seen.push(line);
                }
                None
            };
            let found = tokio::time::timeout(Duration::from_secs(120), search).await.ok().flatten();
            found.unwrap_or_else(|| panic!("no `{name}` among {seen:#?}"))
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Ends it as a service manager does.
    pub async fn stop(mut self) -> i32 {
        self.signal("-TERM");
        self.event("stopped", |_| true).await;
        self.child.wait().await.unwrap().code().unwrap_or(-1)
    }
}

fn of(plan: &str) -> impl Fn(&Value) -> bool {
    let plan = plan.to_owned();
    move |v| v["plan"] == plan.as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_run_by_their_schedules_until_the_service_is_told_to_stop() {
    let p = local_project(250);
    p.plan("often", &local_plan("every 1s"));
    p.plan("never", &local_plan("0 0 0 1 1 ? 2099"));
    let mut chained = local_plan("");
    chained["after"] = "often".into();
    p.plan("chained", &chained);
    let mut off = local_plan("every 1s");
    off["enabled"] = false.into();
    p.plan("off", &off);
    let mut s = Service::start(&p, &[]).await;
    assert_eq!((s.ready["plans"].as_u64(), &s.ready["broken"]), (Some(4), &json!([])));
    let first = s.event("run_finished", of("often")).await;
    assert_eq!(
        (first["new"].as_u64(), first["written"].as_u64(), &first["balanced"]),
        (Some(250), Some(250), &json!(true))
    );
    s.event("run_started", of("chained")).await;
    s.event("run_finished", of("often")).await;
    assert_eq!(s.stop().await, 0);
    let status = p.run(&["status", "--json"]).await.exits(0).lines();
    let one = |name: &str| status.iter().find(|v| v["plan"] == name).unwrap().clone();
    assert_eq!(one("often")["certificate"]["balanced"], true);
    assert!(
        one("often")["next"].is_string() && one("never")["next"].as_str().unwrap().starts_with("2099-01-01")
    );
    assert_eq!((&one("off")["next"], &one("off")["last_run"]), (&Value::Null, &Value::Null));
    assert_eq!(one("chained")["timetable"][0]["trigger"], "after");
    balances(&p.run(&["certificate", "often", "--json"]).await.exits(0).json());
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_cannot_be_sent_are_said_at_the_start_and_after_a_change() {
    let p = local_project(1);
    p.write(
        "heliu.toml",
        "[server]\nlog = \"json\"\n[alerts.mail]\nhost = \"h\"\nfrom = \"nobody\"\nto = \"a@b.cn\"\n",
    );
    let mut s = Service::start(&p, &[]).await;
    let said = s.event("alerts_misconfigured", |_| true).await;
    assert_eq!((&said["path"], &said["code"]), (&json!("alerts.mail.from"), &json!("HL-1095")), "{said}");
    p.write("heliu.toml", "[server]\nlog = \"json\"\n[alerts]\nwebhook = \"k1k2k3\"\n");
    let said = s.event("alerts_misconfigured", |v| v["path"] == "alerts.webhook").await;
    assert!(!said.to_string().contains("k1k2k3"), "{said}");
    assert_eq!(s.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_reloaded_and_a_broken_one_keeps_the_old_plan() {
    let p = local_project(3);
    p.plan("a", &local_plan("every 1s"));
    let mut s = Service::start(&p, &[]).await;
    s.event("run_finished", of("a")).await;
    p.write("plans/a.json", "{ \"schedule\": \"every 1s\", ");
    let broken = s.event("file_broken", |v| v["file"] == "plans/a.json").await;
    assert_eq!((&broken["kept"], &broken["code"]), (&json!(true), &json!("HL-1001")));
    // Two runs begun after it was said: the old plan goes on.
    s.event("run_finished", of("a")).await;
    s.event("run_finished", of("a")).await;
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npth = \"other.db\"\n");
    let broken = s.event("file_broken", |v| v["file"] == "connectors/bi.toml").await;
    assert!(broken["problem"].as_str().unwrap().contains("pth"), "{broken}");
    s.event("run_finished", of("a")).await;
    p.plan("a", &local_plan("0 0 0 1 1 ? 2099"));
    s.event("file_mended", |v| v["file"] == "plans/a.json").await;
    p.plan("b", &local_plan("every 1s"));
    let b = s.event("run_started", |_| true).await;
    assert_eq!(b["plan"], "b", "the new schedule of `a` is in force");
    std::fs::remove_file(p.path().join("plans/b.json")).unwrap();
    s.event("file_removed", |v| v["file"] == "plans/b.json").await;
    assert_eq!(s.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_beside_the_service_is_safe() {
    let sandbox = crate::harness::sandbox(40, "hang@1").await;
    let p = local_project(1);
    p.connect(&sandbox);
    p.write("connectors/qeasy.toml", "platform = \"heliu\"\n");
    p.plan(
        "orders",
        &json!({"schedule": "every 1s", "start": crate::sqlite::start(),
                "source": crate::sqlite::orders_source("io_id"), "target": crate::sqlite::noop()}),
    );
    let mut s = Service::start(&p, &[]).await;
    s.event("run_started", of("orders")).await;
    while sandbox.calls() < 1 {
        tokio::task::yield_now().await;
    }
    let busy = p.run(&["run", "orders", "--json"]).await.exits(3).json();
    assert_eq!(busy["error"]["code"], "HL-7001");
    let done = s.event("run_finished", of("orders")).await;
    assert_eq!((done["returned"].as_u64(), &done["balanced"]), (Some(40), &json!(true)), "{done}");
    assert_eq!(s.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_leaves_nothing_behind_that_the_next_one_does_not_finish() {
    let sandbox = heliu_sandbox::Sandbox::builder("jushuitan")
        .records(600)
        .limits(0, 0)
        .latency(Duration::from_millis(40))
        .listen("127.0.0.1:0")
        .await
        .unwrap();
    let p = crate::sqlite::sqlite_project(&sandbox);
    p.write("heliu.toml", "[server]\nlog = \"json\"\n");
    p.plan(
        "orders",
        &json!({"schedule": "every 1s", "start": crate::sqlite::start(),
                "source": crate::sqlite::orders_source("io_id"), "target": crate::sqlite::orders_target()}),
    );
    let mut s = Service::start(&p, &[]).await;
    while sandbox.calls() < 4 {
        tokio::task::yield_now().await;
    }
    s.child.start_kill().unwrap();
    s.child.wait().await.unwrap();
    // No tick would come before the year ends: only what is owed brings the run back.
    p.plan(
        "orders",
        &json!({"schedule": "0 0 0 1 1 ? 2099", "start": crate::sqlite::start(),
                "source": crate::sqlite::orders_source("io_id"), "target": crate::sqlite::orders_target()}),
    );
    let mut s = Service::start(&p, &[]).await;
    let done = s.event("run_finished", of("orders")).await;
    assert_eq!((&done["balanced"], &done["complete"]), (&json!(true), &json!(true)), "{done}");
    assert_eq!(s.stop().await, 0);
    crate::sqlite::same(&crate::sqlite::rows(&p), &crate::sqlite::truth(&sandbox));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_stores_the_page_in_flight() {
    let sandbox = heliu_sandbox::Sandbox::builder("jushuitan")
        .records(2_000)
        .limits(0, 0)
        .latency(Duration::from_millis(60))
        .listen("127.0.0.1:0")
        .await
        .unwrap();
    let p = crate::sqlite::sqlite_project(&sandbox);
    p.write("heliu.toml", "[server]\nlog = \"json\"\n");
    p.plan(
        "orders",
        &json!({"schedule": "every 1s", "start": crate::sqlite::start(),
                "source": crate::sqlite::orders_source("io_id"), "target": crate::sqlite::orders_target()}),
    );
    let s = Service::start(&p, &[]).await;
    while sandbox.calls() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(s.stop().await, 0);
    let calls = sandbox.calls();
    assert!(calls < 12, "{calls}");
    let run = p.run(&["certificate", "orders", "--json"]).await.exits(1).json();
    assert_eq!(run["state"], "open");
    assert!(number(&run, "/source/pages") + 1 >= calls as u64, "{run}");
    let done = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    assert_eq!(done["run"], run["run"]);
    balances(&done);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_page_is_for_this_machine_only() {
    let p = local_project(2);
    p.plan("a", &local_plan("every 1s"));
    p.write("plans/bad.json", "{}");
    let mut s = Service::start(&p, &["--listen", "127.0.0.1:0"]).await;
    let address = s.ready["listen"].as_str().unwrap().to_owned();
    s.event("run_finished", of("a")).await;
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    socket.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let health: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&health["status"], &health["broken_files"]), (&json!("ok"), &json!(["plans/bad.json"])));
    assert!(number(&health, "/runs/done") >= 1 && number(&health, "/records_written") == 2, "{health}");
    assert_eq!(s.stop().await, 0);
    let refused = p.run(&["serve", "--headless", "--listen", "0.0.0.0:0", "--json"]).await.exits(2).json();
    assert_eq!(refused["error"]["code"], "HL-8003");
    // An address that is taken is no fault of the command line: the service could not start.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let refused = p.run(&["serve", "--headless", "--listen", &taken, "--json"]).await.exits(3).json();
    assert_eq!(refused["error"]["code"], "HL-8003", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_scan_finds_what_was_missed_and_says_so() {
    let p = local_project(10);
    let mut plan = local_plan("");
    plan["source"]["metadata"]["request"] = json!([{"field": "day", "type": "string", "value": "1"}]);
    plan["source"]["metadata"]["otherRequest"][0]["value"] =
        "SELECT id, name FROM t WHERE day <= :day ORDER BY id".into();
    plan["source"]["metadata"]["omissionRemedy"] = json!({"crontab": "0 0 1 1 *",
        "takeOverRequest": [{"field": "day", "type": "string", "value": "6"}]});
    p.plan("a", &plan);
    let first = p.run(&["run", "a", "--json"]).await.exits(0).json();
    let read = number(&first, "/records/new");
    assert!(read < 10 && read > 0, "{first}");
    let before = p.run(&["watermark", "a", "--json"]).await.exits(0).json();
    let scan = p.run(&["run", "a", "--remedy", "--json"]).await.exits(0).json();
    balances(&scan);
    assert_eq!((number(&scan, "/records/new"), number(&scan, "/records/unchanged")), (10 - read, read));
    assert_eq!(number(&scan, "/target/written"), 10 - read);
    assert_eq!(scan["problems"][0]["code"], "HL-7044", "{scan}");
    assert_eq!(p.run(&["watermark", "a", "--json"]).await.exits(0).json(), before, "the watermark stays");
    let again = p.run(&["run", "a", "--remedy", "--json"]).await.exits(0).json();
    assert_eq!((number(&again, "/records/unchanged"), &again["problems"]), (10, &json!([])));
    p.plan("b", &local_plan(""));
    let none = p.run(&["run", "b", "--remedy", "--json"]).await.exits(2).json();
    assert_eq!(none["error"]["code"], "HL-1066");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_in_a_circle_are_refused() {
    let p = local_project(1);
    for (plan, after) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")] {
        let mut v = local_plan("");
        v["after"] = after.into();
        p.plan(plan, &v);
    }
    let a = p.run(&["check", "a", "--json"]).await.exits(2).json();
    assert_eq!(a["problems"][0]["code"], "HL-1065");
    assert!(
        a["problems"][0]["message"].as_str().unwrap().contains("a → c → b → a")
            || a["problems"][0]["message"].as_str().unwrap().contains("a → b"),
        "{a}"
    );
    let d = p.run(&["check", "d", "--json"]).await.exits(0).json();
    assert_eq!(d["errors"], 0, "d is behind the circle, not in it: {d}");
}
