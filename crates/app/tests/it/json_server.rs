//! A REST server that nobody here wrote, with its own idea of paging.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{balances, number};
use crate::http::{plan, project, rows, wanted};

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(db: &Path) -> Server {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json-server");
    if !home.join("node_modules/json-server").is_dir() {
        let made = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&home)
            .output()
            .expect("npm runs (Debian packages nodejs and npm, or nodejs.org)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    for _ in 0..5 {
        // The port is free again when the server takes it; a rare collision is met by another attempt.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .arg(home.join("node_modules/json-server/lib/cli/bin.js"))
            .arg(db)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        if lines.by_ref().map_while(Result::ok).any(|l| l.contains("Resources")) {
            // Its log is read on, so that it never waits for a full pipe.
            std::thread::spawn(move || for _ in lines.map_while(Result::ok) {});
            return Server { child, url: format!("http://127.0.0.1:{port}") };
        }
        let _ = child.wait();
    }
    panic!("json-server did not start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_somebody_else_is_read_whole() {
    // It parses numbers as JavaScript does: only what fits a double.
    let documents: Vec<Value> = (1..=237)
        .map(|i| json!({"id": i, "title": format!("单 {i} 😀"), "sum": f64::from(i) + 0.25}))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("db.json");
    std::fs::write(&db, json!({"docs": documents}).to_string()).unwrap();
    let server = start(&db);
    let p = project(&server.url, "");
    plan(
        &p,
        "docs",
        json!({"pagination": {"pageSize": 25}, "request": [
            {"field": "_page", "value": "{PAGINATION_START_PAGE}"},
            {"field": "_limit", "value": "{PAGINATION_PAGE_SIZE}"}]}),
    );
    let first = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    balances(&first);
    assert_eq!((number(&first, "/source/returned"), number(&first, "/target/written")), (237, 237));
    assert_eq!(first["windows"][0]["total"], 237);
    // Ten pages, the first one again.
    assert_eq!(number(&first, "/source/calls"), 11);
    assert_eq!(rows(&p), wanted(&documents));
    let again = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!((number(&again, "/records/unchanged"), number(&again, "/target/calls")), (237, 0));
    // Without page fields its links are followed: the page size it likes is 10.
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute("DELETE FROM docs", []).unwrap();
    plan(&p, "links", json!({"api": "/docs?_page=1"}));
    let links = p.run(&["run", "links", "--json"]).await.exits(0).json();
    balances(&links);
    assert_eq!(number(&links, "/source/returned"), 237);
    assert_eq!(rows(&p), wanted(&documents));
}
