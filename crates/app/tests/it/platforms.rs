//! The plans of `examples/` against the stand-ins: rows are compared with what these hold.

use std::collections::{BTreeMap, BTreeSet};

use heliu_sandbox::{Faults, Sandbox, Verdict};
use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::mysql::Bi;
use crate::sqlite::start;

fn example(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../../examples/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub async fn stand_in(platform: &str, records: u32, faults: &str) -> Sandbox {
    Sandbox::builder(platform)
        .records(records)
        .limits(0, 0)
        .faults(Faults::parse(faults).unwrap())
        .listen("127.0.0.1:0")
        .await
        .unwrap()
}

/// A project with a stand-in as connector, an SQLite file with the tables, and an example plan.
pub fn project(plan: &str, connectors: &[(&str, String)]) -> Project {
    let p = Project::new();
    for (name, toml) in connectors {
        p.write(&format!("connectors/{name}.toml"), toml);
    }
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch(&example("tables.sql")).unwrap();
    add(&p, plan);
    p
}

fn add(p: &Project, plan: &str) {
    let mut doc: Value = serde_json::from_str(&example(&format!("plans/{plan}.json"))).unwrap();
    doc["start"] = json!(start());
    p.plan(plan, &doc);
}

/// A connector without the platform's budgets.
pub fn fast(sandbox: &Sandbox) -> String {
    let limits = "\n[limits]\nrequests_per_second = 2000\nrequests_per_minute = 100000\n";
    format!("{}{limits}", sandbox.connector_toml())
}

fn column(p: &Project, sql: &str) -> BTreeMap<String, String> {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    let mut q = db.prepare(sql).unwrap();
    let rows = q.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn truth(rows: BTreeMap<String, Value>, field: &str) -> BTreeMap<String, String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    rows.into_iter().map(|(k, v)| (k, text(&v[field]))).collect()
}

pub async fn runs(p: &Project, plan: &str, code: i32) -> Value {
    let answer = p.run(&["run", plan, "--json"]).await;
    if answer.code != code {
        let why = p.run(&["records", plan, "--state", "failed", "--limit", "3"]).await;
        panic!("{answer:#?}\n{}", why.out);
    }
    let run = answer.json();
    balances(&run);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn okki_groups_into_mariadb() {
    let okki = stand_in("okki", 120, "").await;
    let p = project("okki-groups-to-bi", &[("okki", fast(&okki))]);
    let mut bi = Bi::new("okki").await;
    crate::mysql::connect(&p, &bi);
    for sql in example("tables.sql").split(';').filter(|s| s.contains("CREATE")) {
        bi.run(sql).await;
    }
    p.run(&["test-connector", "okki"]).await.exits(0);
    runs(&p, "okki-groups-to-bi", 0).await;
    let got = bi.pairs("SELECT CAST(id AS CHAR), name FROM product_group").await;
    assert_eq!(got, truth(okki.records(""), "name"));
    // The token ended: renewed once, with the one-time refresh token.
    okki.expire_token().unwrap();
    let again = runs(&p, "okki-groups-to-bi", 0).await;
    assert_eq!(number(&again, "/records/unchanged"), 120);
    okki.revoke_refresh_token().unwrap();
    okki.expire_token().unwrap();
    runs(&p, "okki-groups-to-bi", 0).await;
    let refused =
        okki.log().iter().filter(|e| e.verdict == Verdict::Token && e.path.contains("refresh")).count();
    assert_eq!(refused, 1, "the revoked refresh token is tried once, then the client starts again");
}

#[tokio::test(flavor = "multi_thread")]
async fn kuaimai_trades_in_all_three_signatures_and_bad_weather() {
    for (method, faults) in [("hmac", ""), ("md5", "shift"), ("hmac-sha256", "429@2,502@4,cut@6")] {
        let km = stand_in("kuaimai", 230, faults).await;
        let p = project(
            "kuaimai-trades-to-bi",
            &[("kuaimai", format!("{}sign_method = \"{method}\"\n", km.connector_toml()))],
        );
        runs(&p, "kuaimai-trades-to-bi", 0).await;
        let got = column(&p, "SELECT CAST(sid AS TEXT), tid FROM trade");
        assert_eq!(got, truth(km.records(""), "tid"), "{method} {faults}");
        let tids: BTreeSet<&String> = got.values().collect();
        assert!(tids.len() < got.len(), "split orders share the order of the shop");
        assert!(km.log().iter().all(|e| e.verdict != Verdict::Signature));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kingdee_rows_by_position_with_header_signature_and_login() {
    for auth in ["header", "login"] {
        let k3 = stand_in("kingdee", 130, "").await;
        let p = project(
            "kingdee-orders-to-bi",
            &[("kingdee", format!("{}auth = \"{auth}\"\n", fast_credentials(&k3)))],
        );
        p.run(&["test-connector", "kingdee"]).await.exits(0);
        runs(&p, "kingdee-orders-to-bi", 0).await;
        let got = column(&p, "SELECT CAST(entry_id AS TEXT), material FROM purchase");
        assert_eq!(got, truth(k3.records(""), "FMaterialId.FNumber"), "{auth}");
        // A10: the offset goes on by a page.
        let mut starts = Vec::new();
        let calls = p.run(&["calls", "kingdee-orders-to-bi", "--json"]).await.exits(0).lines();
        for call in calls.iter().filter(|c| c["kind"] == "fetch") {
            let id = call["id"].to_string();
            let call = p.run(&["calls", "kingdee-orders-to-bi", "--id", &id, "--json"]).await.exits(0).json();
            let body: Value = serde_json::from_str(call["request_body"].as_str().unwrap()).unwrap();
            starts.extend(body["data"]["StartRow"].as_u64());
        }
        let pages: BTreeSet<u64> = starts.into_iter().collect();
        assert_eq!(pages.into_iter().take(4).collect::<Vec<_>>(), [0, 40, 80, 120], "A10 {auth}");
        k3.expire_token().unwrap();
        runs(&p, "kingdee-orders-to-bi", 0).await;
    }
}

/// A connector whose last table is `[credentials]`, so that lines can be added to it.
fn fast_credentials(sandbox: &Sandbox) -> String {
    sandbox.connector_toml()
}

#[tokio::test(flavor = "multi_thread")]
async fn jushuitan_orders_into_kingdee_what_is_refused_stands_alone() {
    let jst = crate::harness::sandbox(130, "").await;
    let k3 = stand_in("kingdee", 0, "").await;
    let p = project("jushuitan-orders-to-kingdee", &[("jst", fast(&jst)), ("kingdee", fast(&k3))]);
    let orders = jst.truth().orders;
    let bad: BTreeSet<String> = orders
        .iter()
        .filter(|(_, t)| serde_json::from_str::<Value>(t).unwrap()["status"] == "Cancelled")
        .map(|(id, _)| id.to_string())
        .collect();
    assert!(!bad.is_empty() && bad.len() < orders.len());
    let run = runs(&p, "jushuitan-orders-to-kingdee", 1).await;
    assert_eq!(number(&run, "/target/failed") as usize, bad.len());
    let saved: BTreeSet<String> = k3.records("saved").into_keys().collect();
    let wanted: BTreeSet<String> = orders
        .keys()
        .map(ToString::to_string)
        .filter(|id| !bad.contains(id))
        .map(|id| format!("XS{id}"))
        .collect();
    assert_eq!(saved, wanted);
    let failed =
        p.run(&["records", "jushuitan-orders-to-kingdee", "--state", "failed", "--json"]).await.exits(0);
    assert!(failed.lines().iter().all(|r| r["reason"].to_string().contains("供应商不能为空")), "{failed:?}");
}

/// Published documents write `batchSave` with the operation `Save`: without rows the service that takes one document,
/// with rows the one that takes as many.
#[tokio::test(flavor = "multi_thread")]
async fn rows_decide_how_many_documents_kingdees_save_takes() {
    for grouped in [false, true] {
        let jst = crate::harness::sandbox(40, "").await;
        let k3 = stand_in("kingdee", 0, "").await;
        let name = "jushuitan-orders-to-kingdee";
        let p = project(name, &[("jst", fast(&jst)), ("kingdee", fast(&k3))]);
        let file = p.path().join(format!("plans/{name}.json"));
        let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let metadata = plan["target"]["metadata"].as_object_mut().unwrap();
        if !grouped {
            metadata.remove("operation");
        }
        let other = metadata["otherRequest"].as_array_mut().unwrap();
        other.retain(|i| i["field"] != "Operation");
        other.push(json!({"field": "Operation", "type": "string", "value": "Save"}));
        std::fs::write(&file, plan.to_string()).unwrap();
        p.run(&["check", name]).await.exits(0);
        let run = p.run(&["run", name, "--json"]).await.json();
        balances(&run);
        let written = number(&run, "/target/written");
        assert!(written > 0 && k3.records("saved").len() as u64 == written, "{run}");
        let calls = p.run(&["calls", name, "--json"]).await.exits(0).lines();
        let saves: Vec<&Value> = calls.iter().filter(|c| c["kind"] == "write").collect();
        assert_eq!(saves.len() as u64 >= written, !grouped, "{}", saves.len());
        let service = if grouped { "DynamicFormService.BatchSave." } else { "DynamicFormService.Save." };
        assert!(saves.iter().all(|c| c.to_string().contains(service)), "{:?}", saves[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_kingdee_is_looked_up_and_nothing_is_written_twice() {
    for fault in ["reset-after@2", "504@1"] {
        let jst = crate::harness::sandbox(60, "").await;
        let k3 = stand_in("kingdee", 5, fault).await;
        let p = project("jushuitan-orders-to-kingdee", &[("jst", fast(&jst)), ("kingdee", fast(&k3))]);
        let run = p.run(&["run", "jushuitan-orders-to-kingdee", "--json"]).await.json();
        balances(&run);
        assert_eq!(number(&run, "/target/in_doubt"), 0, "{fault}: {run}");
        assert_eq!(k3.records("saved").len() as u64, number(&run, "/target/written"), "{fault}: {run}");
        let failed = p.run(&["records", "jushuitan-orders-to-kingdee", "--state", "failed", "--json"]).await;
        // A second write of a number would be refused with other words.
        assert!(
            failed.lines().iter().all(|r| r["reason"].to_string().contains("供应商")),
            "{fault}: {failed:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dingtalk_approvals_into_yonyou() {
    let ding = stand_in("dingtalk", 90, "").await;
    let yy = stand_in("yonyou", 3, "").await;
    let p = project("dingtalk-approvals-to-yonyou", &[("dingtalk", fast(&ding)), ("yonyou", fast(&yy))]);
    p.run(&["test-connector", "dingtalk"]).await.exits(0);
    p.run(&["test-connector", "yonyou"]).await.exits(0);
    ding.expire_token().unwrap();
    yy.expire_token().unwrap();
    let run = runs(&p, "dingtalk-approvals-to-yonyou", 0).await;
    assert_eq!(number(&run, "/target/written"), 90);
    let wanted: BTreeMap<String, String> = truth(ding.records(""), "title");
    assert_eq!(truth(yy.records("saved"), "memo"), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_save_of_yonyou_is_stored_once() {
    let ding = stand_in("dingtalk", 12, "").await;
    let yy = stand_in("yonyou", 0, "504@3,reset-after@7").await;
    let p = project("dingtalk-approvals-to-yonyou", &[("dingtalk", fast(&ding)), ("yonyou", fast(&yy))]);
    let run = runs(&p, "dingtalk-approvals-to-yonyou", 0).await;
    assert_eq!((number(&run, "/target/written"), number(&run, "/target/in_doubt")), (12, 0), "{run}");
    assert_eq!(yy.records("saved").len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn wecom_approvals_by_a_cursor_with_an_empty_page() {
    let wx = stand_in("wecom", 110, "").await;
    let p = project("wecom-approvals-to-bi", &[("wecom", fast(&wx))]);
    runs(&p, "wecom-approvals-to-bi", 0).await;
    assert_eq!(column(&p, "SELECT sp_no, title FROM approval"), truth(wx.records(""), "title"));
    let details = wx.log().iter().filter(|e| e.path.ends_with("getapprovaldetail")).count();
    assert_eq!(details, 110, "a second pass over the list asks for no detail again");
}

#[tokio::test(flavor = "multi_thread")]
async fn yonyou_vendors_and_qeasy_records_into_tables() {
    let yy = stand_in("yonyou", 120, "").await;
    let p = project("yonyou-vendors-to-bi", &[("yonyou", fast(&yy))]);
    runs(&p, "yonyou-vendors-to-bi", 0).await;
    assert_eq!(column(&p, "SELECT CAST(id AS TEXT), code FROM vendor"), truth(yy.records(""), "code"));
    let cloud = stand_in("qeasy-open", 120, "").await;
    let p = project("qeasy-records-to-bi", &[("cloud", fast(&cloud))]);
    runs(&p, "qeasy-records-to-bi", 0).await;
    assert_eq!(column(&p, "SELECT number, name FROM material"), truth(cloud.records(""), "FName"));
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_as_robot_messages_and_into_the_open_api() {
    let km = stand_in("kuaimai", 15, "").await;
    let ding = stand_in("dingtalk", 0, "").await;
    let robot = ding.records("robot");
    let text = |k: &str| robot[k].as_str().unwrap().to_owned();
    let hook = format!(
        "platform = \"dingtalk\"\n[credentials]\nwebhook = \"{}{}\"\nsecret = \"{}\"\n",
        ding.base_url(),
        text("path"),
        text("secret")
    );
    let p = project("kuaimai-trades-to-robot", &[("kuaimai", fast(&km)), ("robot", hook)]);
    runs(&p, "kuaimai-trades-to-robot", 0).await;
    let said: BTreeSet<String> = ding
        .records("messages")
        .values()
        .map(|m| m["text"]["content"].as_str().unwrap().to_owned())
        .collect();
    let wanted: BTreeSet<String> = km
        .records("")
        .values()
        .map(|t| format!("新订单 {}:{} 元", t["tid"].as_str().unwrap(), t["payment"].as_str().unwrap()))
        .collect();
    assert_eq!(said, wanted);
    let cloud = stand_in("qeasy-open", 0, "").await;
    p.write("connectors/cloud.toml", &fast(&cloud));
    add(&p, "kuaimai-trades-to-qeasy");
    runs(&p, "kuaimai-trades-to-qeasy", 0).await;
    let stored: BTreeSet<String> = cloud.records("").into_keys().collect();
    assert_eq!(stored, km.records("").into_keys().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_token_plan_and_group_plan_run_as_written() {
    let (km, okki) = (stand_in("kuaimai", 1, "").await, stand_in("okki", 40, "").await);
    let p = project("okki-groups-to-bi", &[("kuaimai", fast(&km)), ("okki", fast(&okki))]);
    p.write("connectors/qeasy.toml", "platform = \"轻易云集成平台\"\n");
    let noop = json!({"connector": "qeasy", "metadata": {"api": "写入空操作", "effect": "EXECUTE", "method": "POST", "idCheck": true}});
    let refresh = km.account().into_iter().find(|(k, _)| *k == "refresh_token").unwrap().1;
    p.plan(
        "token",
        &json!({"schedule": "0 */5 * * * ?", "target": noop, "source": {"connector": "kuaimai", "metadata": {
            "api": "open.token.refresh", "effect": "QUERY", "method": "POST", "number": "id", "id": "id", "name": "id",
            "idCheck": true, "autoFillResponse": true,
            "request": [{"field": "refreshToken", "label": "refreshToken", "type": "string", "describe": "", "value": refresh}]}}}),
    );
    p.plan(
        "groups",
        &json!({"target": noop, "source": {"connector": "okki", "metadata": {
            "api": "/v1/product/groups", "method": "GET", "number": "name", "id": "id", "idCheck": true}}}),
    );
    p.run(&["run", "groups", "--json"]).await.exits(0);
    p.run(&["run", "token", "--json"]).await.exits(0);
    // Asked again at once the platform says «too often»: the token is good, and nobody is alarmed.
    p.run(&["run", "token", "--json"]).await.exits(0);
    let asked = km.log().iter().filter(|e| e.param("method") == Some("open.token.refresh")).count();
    assert_eq!(asked, 2);
    no_secret_is_written(&p, &[&km, &okki]);
}

/// Nothing that was written to the data directory holds a secret in the clear.
fn no_secret_is_written(p: &Project, sandboxes: &[&Sandbox]) {
    let public =
        ["app_key", "client_id", "username", "user_name", "acct_id", "app_id", "corp_id", "tenant_id"];
    let mut files = Vec::new();
    let mut dirs = vec![p.path().join(".heliu")];
    while let Some(dir) = dirs.pop() {
        for e in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if e.path().is_dir() { dirs.push(e.path()) } else { files.push(e.path()) }
        }
    }
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for sandbox in sandboxes {
            for (name, secret) in sandbox.account().iter().filter(|(n, _)| !public.contains(n)) {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "{name} of {} is in {}", sandbox.platform(), file.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_and_stored_holds_no_secret() {
    let km = stand_in("kuaimai", 20, "").await;
    let yy = stand_in("yonyou", 20, "").await;
    let p = project("kuaimai-trades-to-bi", &[("kuaimai", fast(&km)), ("yonyou", fast(&yy))]);
    add(&p, "yonyou-vendors-to-bi");
    let mut shown = String::new();
    for args in [
        vec!["run", "kuaimai-trades-to-bi", "-v"],
        vec!["run", "yonyou-vendors-to-bi", "-v"],
        vec!["preview", "kuaimai-trades-to-bi"],
        vec!["preview", "yonyou-vendors-to-bi"],
        vec!["calls", "kuaimai-trades-to-bi", "--json"],
        vec!["calls", "yonyou-vendors-to-bi", "--json"],
        vec!["calls", "kuaimai-trades-to-bi", "--id", "1", "--curl"],
        vec!["calls", "yonyou-vendors-to-bi", "--id", "2", "--curl"],
        vec!["token", "yonyou"],
    ] {
        let a = p.run(&args).await;
        shown.push_str(&a.out);
        shown.push_str(&a.err);
    }
    for sandbox in [&km, &yy] {
        for (name, secret) in sandbox.account().iter().filter(|(n, _)| !matches!(*n, "app_key" | "tenant_id"))
        {
            assert!(!shown.contains(secret.as_str()), "{name} of {} was shown", sandbox.platform());
        }
    }
    no_secret_is_written(&p, &[&km, &yy]);
}

/// The guide's own blocks of a language, in order.
fn guide(language: &str) -> Vec<String> {
    let path = format!("{}/../../docs/guides/new-platform.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|b| b.split("```").next().unwrap().to_owned()).collect()
}

/// A repository's issues as GitHub describes them: newest change last, 30 a page unless `per_page` says otherwise, at
/// most 100, the next page behind a link, "too often" as 403.
async fn issues(count: usize) -> crate::stub::Stub {
    let busy = std::sync::atomic::AtomicUsize::new(0);
    crate::stub::Stub::new(move |s| {
        use crate::stub::Reply;
        let known = s.header("authorization") == Some("Bearer ghp_998877")
            && s.header("accept") == Some("application/vnd.github+json")
            && s.header("x-github-api-version") == Some("2022-11-28");
        if !known {
            return Reply::text(401, r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest"}"#);
        }
        if s.path == "/user" {
            return Reply::json(&json!({"login": "octocat", "id": 1}));
        }
        if s.path != "/repos/octocat/Hello-World/issues" {
            return Reply::text(404, r#"{"message":"Not Found"}"#);
        }
        // The second question comes too soon.
        if busy.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            return Reply::text(403, r#"{"message":"You have exceeded a secondary rate limit."}"#).with("retry-after", "1");
        }
        let n = |k: &str, or: usize| s.get(k).and_then(|v| v.parse().ok()).unwrap_or(or);
        let (page, size) = (n("page", 1), n("per_page", 30).min(100));
        let since = s.get("since").unwrap_or("").to_owned();
        assert!(since.is_empty() || since.len() == 20 && since.ends_with('Z'), "{since}");
        assert_eq!((s.get("state"), s.get("sort"), s.get("direction")), (Some("all"), Some("updated"), Some("asc")));
        let all: Vec<Value> = (1..=count)
            .map(|i| {
                json!({"id": 9_000_000_000_u64 + i as u64, "number": i, "title": format!("标题 {i}"), "user": {"login": format!("u{}", i % 7)},
                       "updated_at": format!("2024-05-{:02}T10:{:02}:00Z", 1 + i / 60, i % 60)})
            })
            .filter(|v| v["updated_at"].as_str() >= Some(since.as_str()))
            .collect();
        let rows: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
        let reply = Reply::json(&json!(rows));
        if page * size >= all.len() {
            return reply;
        }
        let host = s.header("host").unwrap();
        let to = |page: usize, rel: &str| {
            let rest = format!("state=all&sort=updated&direction=asc&per_page={size}&since={since}&page={page}");
            format!("<http://{host}{}?{rest}>; rel=\"{rel}\"", s.path)
        };
        reply.with("link", format!("{}, {}", to(page + 1, "next"), to(all.len().div_ceil(size), "last")))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_adds_a_platform_with_one_file() {
    let stub = issues(250).await;
    let p = Project::new();
    p.run(&["platforms", "new", "github"]).await.exits(0);
    let file = p.path().join("platforms/github.toml").display().to_string();
    p.run(&["platforms", "test", &file]).await.exits(0);
    p.run(&["platforms", "new", "github"]).await.exits(2);
    let blocks = guide("toml");
    p.write("platforms/github.toml", &blocks[0]);
    let connector = format!("base_url = \"{}\"\n{}", stub.url, blocks[1]);
    assert!(connector.contains("{ env = \"GITHUB_TOKEN\" }"), "{connector}");
    p.write("connectors/github.toml", &connector.replace("{ env = \"GITHUB_TOKEN\" }", "\"ghp_998877\""));
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch("CREATE TABLE issue (id INTEGER PRIMARY KEY, number INTEGER, title TEXT, author TEXT)")
        .unwrap();
    p.write("plans/issues.json", &guide("json")[0]);
    p.run(&["platforms", "test", &file]).await.exits(0);
    let checked = p.run(&["check"]).await.exits(0);
    assert!(checked.out.contains("0 errors, 0 warnings"), "{checked:?}");
    p.run(&["test-connector", "github"]).await.exits(0);
    let run = runs(&p, "issues", 0).await;
    assert_eq!((number(&run, "/target/written"), number(&run, "/source/throttled")), (250, 1), "{run}");
    assert_eq!(run["complete"], true, "{run}");
    let wanted: BTreeMap<String, String> =
        (1..=250_u64).map(|i| ((9_000_000_000 + i).to_string(), format!("标题 {i}/u{}", i % 7))).collect();
    assert_eq!(column(&p, "SELECT CAST(id AS TEXT), title || '/' || author FROM issue"), wanted);
    let again = runs(&p, "issues", 0).await;
    assert_eq!(number(&again, "/target/calls"), 0, "{again}");
    // A recorded reply that is read otherwise, and a misspelt key.
    p.write("platforms/github.toml", &blocks[0].replace("rows = 1", "rows = 3"));
    let said = p.run(&["platforms", "test", &file]).await.exits(1);
    assert!(said.out.contains("rows: 3 was expected, 1 was read"), "{said:?}");
    p.write("platforms/github.toml", &blocks[0].replace("link_header", "link_heder"));
    let said = p.run(&["check"]).await.exits(2);
    assert!(said.out.contains("reply.link_heder") && said.out.contains("`link_header`"), "{said:?}");
}
