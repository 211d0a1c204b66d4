//! The generic HTTP platform: authentication, all ways of paging, replies that are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::stub::{Reply, Seen, Stub};

/// Documents whose digits and letters must survive.
pub fn documents(n: usize) -> Vec<Value> {
    (0..n)
        .map(|i| {
            let id = 7_318_405_112_006_000_001_u64 + i as u64;
            let sum = format!("{}.{:020}", 98_765_432_109_876_543_210_u128 + i as u128, i * 7 + 1);
            serde_json::from_str(&format!(
                r#"{{"id":{id},"title":"单据 {i} 🧾 \"x\"","sum":{sum},"at":"2026-03-{:02} 08:00:00"}}"#,
                i % 28 + 1
            ))
            .unwrap()
        })
        .collect()
}

fn target() -> Value {
    let request: Vec<Value> =
        ["id", "title", "sum"].iter().map(|c| json!({"field": c, "value": format!("{{{c}}}")})).collect();
    json!({"connector": "bi", "metadata": {"api": "batchexecute", "request": request,
        "otherRequest": [{"field": "main_sql", "value": "REPLACE INTO docs (id, title, sum) VALUES"}]}})
}

pub fn project(url: &str, credentials: &str) -> Project {
    let p = Project::new();
    p.write("connectors/api.toml", &format!("platform = \"http\"\nbase_url = \"{url}\"\n{credentials}"));
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch("CREATE TABLE docs (id INTEGER PRIMARY KEY, title TEXT, sum TEXT)").unwrap();
    p
}

pub fn plan(p: &Project, name: &str, metadata: Value) {
    let mut source = json!({"api": "/docs", "method": "GET", "id": "id", "number": "title"});
    for (k, v) in metadata.as_object().unwrap() {
        source[k] = v.clone();
    }
    p.plan(name, &json!({"source": {"connector": "api", "metadata": source}, "target": target()}));
}

pub fn rows(p: &Project) -> BTreeMap<i64, (String, String)> {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let mut q = db.prepare("SELECT id, title, sum FROM docs").unwrap();
    let list = q.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?)))).unwrap();
    list.map(Result::unwrap).collect()
}

pub fn wanted(documents: &[Value]) -> BTreeMap<i64, (String, String)> {
    documents
        .iter()
        .map(|d| (d["id"].as_i64().unwrap(), (d["title"].as_str().unwrap().to_owned(), d["sum"].to_string())))
        .collect()
}

pub fn slice(documents: &[Value], from: usize, n: usize) -> Vec<Value> {
    documents.iter().skip(from).take(n).cloned().collect()
}

/// Runs one plan over the stub into the table and compares; what was asked.
pub async fn reads(
    name: &str,
    metadata: Value,
    answer: impl Fn(&Seen, &[Value]) -> Reply + Send + Sync + 'static,
) -> Vec<Seen> {
    let all = Arc::new(documents(53));
    let served = all.clone();
    let stub = Stub::new(move |seen| answer(seen, &served)).await;
    // One request at a time, so that their order can be told.
    let p = project(&stub.url, "[limits]\nconcurrency = 1\n");
    plan(&p, name, metadata);
    let a = p.run(&["run", name, "--json"]).await.exits(0).json();
    balances(&a);
    assert_eq!((number(&a, "/source/returned"), &a["complete"]), (53, &json!(true)), "{name}: {a}");
    assert_eq!(rows(&p), wanted(&all), "{name}");
    stub.log()
}

fn asked(log: &[Seen], name: &str) -> Vec<String> {
    log.iter().map(|s| s.get(name).unwrap_or("-").to_owned()).collect()
}

pub fn paged(page: &str, size: &str) -> Value {
    json!({"pagination": {"pageSize": 20}, "request": [
        {"field": page, "value": "{PAGINATION_START_PAGE}"}, {"field": size, "value": "{PAGINATION_PAGE_SIZE}"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn numbered_pages_that_declare_nothing_are_read_until_two_passes_agree() {
    let log = reads("pages", paged("p", "n"), |s, all| {
        Reply::json(&json!(slice(all, (s.number("p", 1) - 1) * s.number("n", 0), s.number("n", 0))))
    })
    .await;
    assert_eq!(asked(&log, "p"), ["1", "2", "3", "4", "1", "2", "3", "4"]);
    assert_eq!(log[0].get("n"), Some("20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_is_proved_from_the_last_page_back_to_the_first() {
    let log = reads("total", paged("pageNo", "pageSize"), |s, all| {
        let list = slice(all, (s.number("pageNo", 1) - 1) * 20, 20);
        Reply::json(&json!({"code": "0", "data": {"list": list, "total": all.len()}}))
    })
    .await;
    assert_eq!(asked(&log, "pageNo"), ["1", "3", "2", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn constant_page_fields_are_advanced_and_flags_of_any_kind_are_understood() {
    for flag in [json!(true), json!(1), json!("true")] {
        let metadata = json!({"pagination": {"pageSize": 20}, "request": [
            {"field": "pageIndex", "value": "1"}, {"field": "limit", "value": "20"}]});
        let log = reads("constant", metadata, move |s, all| {
            let page = s.number("pageIndex", 1);
            let more = if page * 20 < all.len() { flag.clone() } else { json!(false) };
            Reply::json(&json!({"data": {"rows": slice(all, (page - 1) * 20, 20), "hasNext": more}}))
        })
        .await;
        assert_eq!(asked(&log, "pageIndex"), ["1", "2", "3", "1", "2", "3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_and_named_page_fields() {
    let metadata = json!({"pagination": {"pageSize": 20}, "request": [
        {"field": "skip", "value": "{{PAGINATION_START_ROW}}"}, {"field": "take", "value": "{PAGINATION_PAGE_SIZE}"}]});
    let log = reads("offset", metadata, |s, all| {
        Reply::json(
            &json!({"total": all.len(), "rows": slice(all, s.number("skip", 0), s.number("take", 0))}),
        )
    })
    .await;
    assert_eq!(asked(&log, "skip"), ["0", "40", "20", "0"]);
    // Pages counted from 0, their fields named beside the request, the total at a place of its own.
    let metadata = json!({"pagination": {"pageSize": 20, "startPage": 0, "pageField": "pg", "pageSizeField": "sz",
        "totalField": "meta.all"}});
    let log = reads("named", metadata, |s, all| {
        let list = slice(all, s.number("pg", 99) * s.number("sz", 0), s.number("sz", 0));
        Reply::json(&json!({"meta": {"all": all.len()}, "documents": list}))
    })
    .await;
    assert_eq!(asked(&log, "pg"), ["0", "2", "1", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_by_the_documents_words() {
    let by = |param: &'static str, key: &'static str| {
        move |s: &Seen, all: &[Value]| {
            let at = s.number(param, 0);
            let next = if at + 20 < all.len() { (at + 20).to_string() } else { String::new() };
            Reply::json(&json!({"items": slice(all, at, 20), key: next}))
        }
    };
    let log = reads(
        "field",
        json!({"pagination": {"pageSize": 20, "cursorField": "cursor"}}),
        by("cursor", "next_cursor"),
    )
    .await;
    assert_eq!(asked(&log, "cursor"), ["-", "20", "40", "-", "20", "40"]);
    // The published way: an item that begins empty, and PageKey.
    let metadata = json!({"pagination": {"pageSize": 20}, "request": [{"field": "nextToken", "value": "0"}],
        "otherResponse": [{"field": "PageKey", "value": "result/after"}]});
    let log = reads("key", metadata, |s, all| {
        let at = s.number("nextToken", 0);
        let next = if at + 20 < all.len() { json!((at + 20).to_string()) } else { Value::Null };
        Reply::json(&json!({"result": {"data": slice(all, at, 20), "after": next}}))
    })
    .await;
    assert_eq!(asked(&log, "nextToken"), ["0", "20", "40", "0", "20", "40"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_the_next_page_are_followed_below_the_address_only() {
    let next = |s: &Seen, all: &[Value], base: &str| {
        let at = s.number("after", 0);
        let reply = Reply::json(&json!(slice(all, at, 20)));
        if at + 20 < all.len() {
            let link =
                format!(r#"<{base}/docs?after={}&q=a%20b>; rel="next", <{base}/docs>; rel="first""#, at + 20);
            reply.with("link", link)
        } else {
            reply
        }
    };
    let log = reads("link", json!({}), move |s, all| next(s, all, "")).await;
    assert_eq!(asked(&log, "after"), ["-", "20", "40", "-", "20", "40"]);
    assert_eq!(log[1].get("q"), Some("a b"));
    // A link to another machine leads nowhere but here.
    let log = reads("elsewhere", json!({}), move |s, all| next(s, all, "http://192.0.2.1:81")).await;
    assert_eq!(log.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_has_beyond_the_request_is_no_clean_exit() {
    for (extra, code) in [(json!({"total": 53}), "HL-7029"), (json!({"has_more": true}), "HL-7024")] {
        let stub = Stub::new(move |_| {
            let mut body = json!({"list": documents(20)});
            for (k, v) in extra.as_object().unwrap() {
                body[k] = v.clone();
            }
            Reply::json(&body)
        })
        .await;
        let p = project(&stub.url, "");
        plan(&p, "some", json!({}));
        let a = p.run(&["run", "some", "--json"]).await.exits(1).json();
        assert_eq!((&a["complete"], &a["certificate"]["balanced"]), (&json!(false), &json!(false)), "{a}");
        assert_eq!(a["problems"][0]["code"], code, "{a}");
        assert_eq!(p.run(&["watermark", "some", "--json"]).await.json()["watermark"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authentication_in_all_its_forms() {
    type Ok = fn(&Seen) -> bool;
    let cases: [(&str, &str, Ok); 6] = [
        ("none", "", |s| s.header("authorization").is_none()),
        ("bearer", "[credentials]\nauth = \"bearer\"\ntoken = \"to.k-en~1\"\n", |s| {
            s.header("authorization") == Some("Bearer to.k-en~1")
        }),
        (
            "basic",
            "[credentials]\nauth = \"basic\"\nusername = \"用户\"\npassword = \"p:ä😀word\"\n",
            |s| {
                // printf '用户:p:ä😀word' | base64
                s.header("authorization") == Some("Basic 55So5oi3OnA6w6Twn5iAd29yZA==")
            },
        ),
        ("key", "auth = \"api_key\"\nkey = \"k-123456\"\n", |s| s.header("x-api-key") == Some("k-123456")),
        ("named", "[credentials]\napi_key = \"k-123456\"\nkey_name = \"X-Token\"\n", |s| {
            s.header("x-token") == Some("k-123456")
        }),
        (
            "query",
            "[credentials]\nauth = \"api_key\"\nkey = \"k&123 456\"\nkey_name = \"ak\"\nkey_in = \"query\"\n",
            |s| s.get("ak") == Some("k&123 456"),
        ),
    ];
    for (name, credentials, right) in cases {
        let stub = Stub::new(move |s| {
            if right(s) {
                Reply::json(&json!(documents(3)))
            } else {
                Reply::text(401, r#"{"message":"who are you"}"#)
            }
        })
        .await;
        let p = project(&stub.url, credentials);
        plan(&p, name, json!({}));
        p.run(&["check"]).await.exits(0);
        let a = p.run(&["run", name, "--json"]).await.exits(0).json();
        assert_eq!(number(&a, "/target/written"), 3, "{name}");
        let call = p.run(&["calls", name, "--id", "1"]).await.exits(0);
        for secret in
            ["to.k-en~1", "p:ä😀word", "55So5oi3OnA6w6Twn5iAd29yZA==", "k-123456", "k&123", "k%26123"]
        {
            assert!(!call.out.contains(secret), "{name} {secret}: {}", call.out);
        }
    }
    for wrong in [
        "auth = \"oauth9\"\n",
        "auth = \"bearer\"\n",
        "[credentials]\nkye = \"x\"\n",
        "key = \"x\"\nkey_in = \"body\"\n",
    ] {
        let p = project("http://127.0.0.1:9", wrong);
        plan(&p, "wrong", json!({}));
        let a = p.run(&["check", "--json"]).await.exits(2).json();
        assert_eq!(a["problems"][0]["file"], "connectors/api.toml", "{wrong}: {a}");
        p.run(&["run", "wrong"]).await.exits(2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_are_none_and_refusals_that_no_repetition_mends() {
    // Body, content type, status, code of the failure, calls with one retry.
    let cases: [(&str, &str, u16, &str, usize); 7] = [
        ("<html><body>Sign in</body></html>", "text/html", 200, "HL-3010", 2),
        ("", "application/json", 200, "HL-3010", 2),
        ("{\"list\":[{\"id\":1},{\"id\"", "application/json", 200, "HL-3011", 2),
        ("{\"code\":5001,\"message\":\"shop is closed\"}", "application/json", 200, "HL-3020", 1),
        ("{\"success\":false,\"msg\":\"no right\"}", "application/json", 200, "HL-3020", 1),
        ("{\"message\":\"gone\"}", "application/json", 404, "HL-3032", 1),
        ("<html>bad gateway</html>", "text/html", 502, "HL-3031", 2),
    ];
    for (body, kind, status, code, calls) in cases {
        let stub = Stub::new(move |_| Reply {
            status,
            headers: vec![("content-type", kind.into())],
            body: body.into(),
        })
        .await;
        let p = project(&stub.url, "");
        plan(&p, "bad", json!({}));
        let file = p.path().join("plans/bad.json");
        let text = std::fs::read_to_string(&file).unwrap().replacen('{', "{\"retries\": 1,", 1);
        std::fs::write(&file, text).unwrap();
        let a = p.run(&["run", "bad", "--json"]).await.exits(3).json();
        assert_eq!(a["error"]["code"], code, "{body}: {a}");
        assert_eq!(stub.calls(), calls, "{body}");
        let heard = a["error"]["message"].as_str().unwrap();
        for words in ["shop is closed", "no right", "gone", "Sign in"] {
            assert_eq!(body.contains(words), heard.contains(words), "{body}: {heard}");
        }
        assert_eq!(a["certificate"]["balanced"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_bodies_are_filled_from_the_request() {
    let stub = Stub::new(|s| match (s.method.as_str(), s.path.as_str()) {
        ("POST", "/v2/app/A%207/docs") => Reply::json(&json!({"data": documents(2)})),
        _ => Reply::text(404, "{}"),
    })
    .await;
    let p = project(&format!("{}/v2", stub.url), "");
    plan(
        &p,
        "path",
        json!({"api": "/app/{app_id}/docs", "method": "POST", "request": [
            {"field": "appId", "value": "A 7"}, {"field": "filter", "type": "object", "children": [
                {"field": "since", "value": "{{LAST_SYNC_TIME|datetime}}"}]}]}),
    );
    p.run(&["run", "path", "--from", "2024-03-14 16:00:00", "--to", "1710406800"]).await.exits(0);
    let seen = stub.log();
    assert_eq!(seen[0].json(), json!({"filter": {"since": "2024-03-14 16:00:00"}}));
    let shown = p.run(&["preview", "path", "--json"]).await.exits(0).json();
    assert!(shown["source"]["url"].as_str().unwrap().contains("/v2/app/A"), "{shown}");
    assert_eq!(stub.calls(), 1);
}

/// `otherapi` and its companions stand at the top, in `otherResponse`, `otherRequest` or `request`, as the platform's
/// guide has it; wherever they stand, each element is read by a call of its own, and they are no parameters of the list.
#[tokio::test(flavor = "multi_thread")]
async fn details_are_read_wherever_the_document_tells_of_them() {
    let stub = Stub::new(|s| {
        let body = s.json();
        Reply::json(&match s.path.as_str() {
            "/list" => json!({"code": 0, "data": {"list": ["A", "B"]}}),
            "/heads" => json!({"code": 0, "data": {"list": [{"no": "A"}, {"no": "B"}]}}),
            _ => json!({"code": 0, "info": {"no": body["no"], "amount": "7.50"}}),
        })
    })
    .await;
    let p = Project::new();
    let connector =
        format!("platform = \"http\"\nbase_url = \"{}\"\n[credentials]\nauth = \"none\"\n", stub.url);
    p.write("connectors/api.toml", &connector);
    p.write("connectors/heliu.toml", "platform = \"heliu\"\n");
    let item =
        |field: &str, value: &str| json!({"field": field, "label": field, "type": "string", "value": value});
    let pairs = [("otherapi", "/detail"), ("detailkey1", "no"), ("detailkey", "info")];
    for (n, place) in ["top", "otherResponse", "otherRequest", "request", "wecom"].into_iter().enumerate() {
        let mut told: Vec<(&str, &str)> = pairs.to_vec();
        let mut api = "/heads";
        if place == "wecom" {
            (told[1].0, api) = ("otherkey", "/list");
        } else {
            told.push(("detailkey2", "no"));
        }
        let mut source =
            json!({"api": api, "method": "POST", "id": "no", "number": "no", "request": [item("kind", "1")]});
        match place {
            "top" => told.iter().for_each(|(k, v)| source[*k] = json!(v)),
            "request" => {
                told.iter().for_each(|(k, v)| source["request"].as_array_mut().unwrap().push(item(k, v)))
            }
            _ => {
                let list = if place == "otherResponse" { place } else { "otherRequest" };
                source[list] = told.iter().map(|(k, v)| item(k, v)).collect();
            }
        }
        let before = stub.calls();
        p.plan(
            place,
            &json!({"source": {"connector": "api", "metadata": source},
                "target": {"connector": "heliu", "metadata": {"api": "写入空操作"}}}),
        );
        let run = p.run(&["run", place, "--json"]).await.exits(0).json();
        assert_eq!(
            (number(&run, "/records/new"), number(&run, "/target/written")),
            (2, 2),
            "{n} {place}: {run}"
        );
        let asked = stub.log().split_off(before);
        let lists: Vec<Value> = asked.iter().filter(|s| s.path == api).map(Seen::json).collect();
        assert!(lists.iter().all(|b| *b == json!({"kind": "1"})), "{place}: {lists:?}");
        assert_eq!(asked.iter().filter(|s| s.path == "/detail").count(), 2, "{place}");
        let record = p.run(&["trace", place, "--id", "A", "--json"]).await.exits(0).lines();
        assert!(record.iter().any(|e| e["content"]["amount"] == "7.50"), "{place}: {record:?}");
    }
}
