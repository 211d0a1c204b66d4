//! Writes over HTTP whose answers were lost, and look-ups that may or may not tell what became of them: what proves
//! nothing must neither have the record sent again nor have it taken for written.

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::stub::{Reply, Seen, Stub};

const PLATFORM: &str = r#"
name = "bills"
title = { en = "bills", zh = "单据" }
timezone = "Asia/Shanghai"
[request]
token = false
[reply]
code = ["code"]
ok = ["0"]
message = ["message"]
[[apis]]
path = "/save"
title = { en = "save a bill", zh = "保存单据" }
method = "POST"
look_up = { api = "/list", needs = "bill_no", params = { no = "$request.bill_no" } }
[[apis]]
path = "/list"
title = { en = "list bills", zh = "单据列表" }
method = "POST"
"#;

/// A project of three bills; the answer to saving the second one is lost the first time.
async fn world(status: u16, body: &'static str) -> (Project, Stub, Stub) {
    let p = Project::new();
    let from = Stub::new(|_| {
        Reply::json(&json!(
            (1..=3).map(|i| json!({"id": format!("B{i}"), "no": format!("N{i}")})).collect::<Vec<_>>()
        ))
    })
    .await;
    let lost = std::sync::atomic::AtomicBool::new(false);
    let to = Stub::new(move |s: &Seen| {
        if s.path.ends_with("/list") {
            return Reply::text(status, body);
        }
        if s.json()["bill_no"] == "N2" && !lost.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Reply::text(502, "<html>bad gateway</html>");
        }
        Reply::json(&json!({"code": 0}))
    })
    .await;
    p.write("platforms/bills.toml", PLATFORM);
    p.write("connectors/from.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", from.url));
    p.write("connectors/to.toml", &format!("platform = \"bills\"\nbase_url = \"{}\"\n", to.url));
    p.plan(
        "bills",
        &json!({"retries": 1,
            "source": {"connector": "from", "metadata": {"api": "/b", "method": "GET", "id": "id", "number": "no"}},
            "target": {"connector": "to", "metadata": {"api": "/save", "method": "POST",
                "request": [{"field": "bill_no", "value": "{{no}}"}]}}}),
    );
    (p, from, to)
}

/// How often the bill was saved, and how often it was asked for.
fn asked(to: &Stub) -> (usize, usize) {
    let log = to.log();
    let of = |path: &str, key: &str| {
        log.iter().filter(|s| s.path.ends_with(path) && s.json()[key] == "N2").count()
    };
    (of("/save", "bill_no"), of("/list", "no"))
}

async fn run(p: &Project, code: i32) -> Value {
    let run = p.run(&["run", "bills", "--json"]).await.exits(code).json();
    balances(&run);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_proves_nothing_leaves_the_record_in_doubt() {
    for (status, body) in [
        // Web pages, and nothing at all.
        (200, "<html>sign in</html>"),
        (200, ""),
        (200, "busy"),
        (200, "42"),
        (500, "<html>oops</html>"),
        // An error that nobody declared, also beside what looks like an empty place of records.
        (200, r#"{"message":"no right"}"#),
        (200, r#"{"message":"no right","data":null}"#),
        (200, r#"{"message":"no right","data":{}}"#),
        (200, r#"{"errors":[{"text":"no right"}]}"#),
        (200, r#"{"error":"no right","data":null}"#),
        // A code of failure with status 200, whatever is beside it.
        (200, r#"{"code":4001,"message":"no right"}"#),
        (200, r#"{"code":4001,"message":"no right","data":[]}"#),
        (200, r#"{"code":"E1","data":[{"bill_no":"N2"}]}"#),
        // Success, and no list to be empty.
        (200, r#"{"code":0}"#),
        (200, r#"{"code":0,"message":"ok"}"#),
        // Cut off in the midst of the list.
        (200, r#"{"code":0,"data":[{"bill_no":"#),
    ] {
        let (p, _from, to) = world(status, body).await;
        let first = run(&p, 1).await;
        let counts = (number(&first, "/target/in_doubt"), number(&first, "/target/written"));
        assert_eq!(counts, (1, 2), "{status} {body}: {first}");
        let (saved, looked) = asked(&to);
        assert!(saved == 1 && looked >= 1, "{status} {body}: saved {saved}, looked up {looked}");
        let one = p.run(&["records", "bills", "--state", "in_doubt", "--json"]).await.exits(0).json();
        assert_eq!(one["id"], "B2", "{status} {body}: {one}");
        // Later runs leave it alone.
        run(&p, 1).await;
        assert_eq!(asked(&to).0, 1, "{status} {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_has_the_record_sent_again_and_a_full_one_does_not() {
    for (body, saves) in [
        (r"[]", 2),
        (r#"{"data":[]}"#, 2),
        (r#"{"code":0,"data":[]}"#, 2),
        (r#"{"code":0,"data":null}"#, 2),
        (r#"{"code":0,"message":"nothing found","data":{"list":[]}}"#, 2),
        (r#"[{"bill_no":"N2"}]"#, 1),
        (r#"{"code":0,"data":[{"bill_no":"N2"}]}"#, 1),
        (r#"{"code":0,"data":{"list":[{"bill_no":"N2"},{"bill_no":"N2"}]}}"#, 1),
    ] {
        let (p, _from, to) = world(200, body).await;
        let first = run(&p, 0).await;
        let counts = (number(&first, "/target/in_doubt"), number(&first, "/target/written"));
        assert_eq!(counts, (0, 3), "{body}: {first}");
        assert_eq!(asked(&to), (saves, 1), "{body}");
        run(&p, 0).await;
        assert_eq!(asked(&to).0, saves, "{body}");
    }
}
