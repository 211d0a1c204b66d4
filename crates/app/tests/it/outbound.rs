//! What goes out goes where the connector says, and nowhere else.

use serde_json::json;

use crate::harness::{Project, number};
use crate::stub::{Reply, Stub};

const KEY: &str = "tok-5f2c9a77e1b04d";

fn reads(p: &Project, url: &str) {
    p.write(
        "connectors/from.toml",
        &format!(
            "platform = \"http\"\nbase_url = \"{url}\"\nauth = \"bearer\"\n[credentials]\naccess_token = \"{KEY}\"\n"
        ),
    );
    p.plan(
        "bills",
        &json!({"retries": 0, "source": {"connector": "from", "metadata": {"api": "/bills", "method": "GET", "id": "id", "number": "id"}},
                "target": {"connector": "heliu", "metadata": {"api": "写入空操作", "request": []}}}),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_do_not_follow_a_redirection_to_another_host() {
    for status in [301, 302, 303, 307, 308] {
        let other = Stub::new(|_| Reply::json(&json!([{"id": "1"}]))).await;
        let to = format!("{}/bills", other.url);
        let first = Stub::new(move |_| Reply::text(status, "").with("location", to.clone())).await;
        let p = Project::new();
        reads(&p, &first.url);
        let a = p.run(&["run", "bills"]).await.exits(3);
        assert!(other.log().is_empty(), "{status}: another host was asked: {:?}", other.log());
        assert_eq!(first.log().len(), 1, "{status}");
        assert!(a.err.contains("HL-") && !a.err.contains(KEY), "{status}: {}", a.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_within_the_host_is_followed_and_is_bounded() {
    let moved = Stub::new(|s| match s.path.as_str() {
        "/bills" => Reply::text(302, "").with("location", "/v2/bills"),
        _ => Reply::json(&json!([{"id": "1"}, {"id": "2"}])),
    })
    .await;
    let p = Project::new();
    reads(&p, &moved.url);
    let run = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    assert_eq!(number(&run, "/target/written"), 2);
    assert_eq!(moved.log().last().unwrap().header("authorization"), Some(format!("Bearer {KEY}").as_str()));

    let round = Stub::new(|s| Reply::text(302, "").with("location", s.path.clone())).await;
    let p = Project::new();
    reads(&p, &round.url);
    p.run(&["run", "bills"]).await.exits(3);
    assert!(round.log().len() <= 12, "{} requests", round.log().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn data_cannot_change_the_path_the_query_or_the_headers() {
    let nasty = [
        "../../admin",
        "a?role=root&x=1",
        "a#b",
        "a\r\nx-injected: 1",
        "a%2e%2e/b",
        "中文 /路径",
        "//evil.example/x",
        "@evil.example",
        "a;b=c",
    ];
    let rows: Vec<_> = nasty.iter().enumerate().map(|(i, n)| json!({"id": i.to_string(), "no": n})).collect();
    let from = Stub::new(move |_| Reply::json(&json!(rows))).await;
    let to = Stub::new(|_| Reply::json(&json!({"code": 0}))).await;
    let p = Project::new();
    p.write("connectors/from.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", from.url));
    p.write("connectors/to.toml", &format!("platform = \"http\"\nbase_url = \"{}/api\"\n", to.url));
    p.plan(
        "bills",
        &json!({"source": {"connector": "from", "metadata": {"api": "/b", "method": "GET", "id": "id", "number": "no"}},
                "target": {"connector": "to", "metadata": {"api": "/bills/{no}/save", "method": "POST", "request": [
                    {"field": "no", "value": "{{no}}"}, {"field": "id", "value": "{{id}}"}]}}}),
    );
    let run = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    assert_eq!(number(&run, "/target/written"), nasty.len() as u64);
    let log = to.log();
    assert_eq!(log.len(), nasty.len());
    for seen in &log {
        let i: usize = seen.json()["id"].as_str().unwrap().parse().unwrap();
        let middle = seen.path.strip_prefix("/api/bills/").and_then(|p| p.strip_suffix("/save"));
        let middle = middle.unwrap_or_else(|| panic!("{:?} became the path {}", nasty[i], seen.path));
        assert!(!middle.contains('/'), "{:?} became the path {}", nasty[i], seen.path);
        let plain = percent_decode(middle);
        assert_eq!(plain, nasty[i], "{}", seen.path);
        assert!(seen.query.is_empty() && seen.header("x-injected").is_none(), "{seen:?}");
    }
}

fn percent_decode(s: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = s.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hex: Vec<u8> = bytes.by_ref().take(2).collect();
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).unwrap()
}
