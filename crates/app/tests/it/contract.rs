//! The outside as the interface fixes it: options, shapes of answers, exit statuses, files of a project.

use serde_json::{Value, json};

use crate::harness::{Project, balances, number, program, sandbox, with_input};
use crate::http::{plan as http_plan, project as http_project};
use crate::sqlite::{noop, orders_source, orders_target, shops_source, sqlite_project, start};
use crate::stub::{Reply, Stub};

fn keys(v: &Value) -> Vec<&str> {
    v.as_object().unwrap_or_else(|| panic!("{v}")).keys().map(String::as_str).collect()
}

fn orders() -> Value {
    json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()})
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_keys_that_scripts_rely_on() {
    let sandbox = sandbox(130, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &orders());
    let run = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    for key in [
        "plan",
        "run",
        "window",
        "windows",
        "complete",
        "source",
        "records",
        "target",
        "certificate",
        "seconds",
        "problems",
    ] {
        assert!(run.get(key).is_some(), "{key}: {run}");
    }
    assert_eq!(keys(&run["source"]), ["calls", "retried", "throttled", "pages", "returned", "repeated"]);
    assert_eq!(keys(&run["records"]), ["new", "changed", "unchanged", "filtered", "rejected"]);
    assert_eq!(keys(&run["target"]), ["calls", "written", "failed", "in_doubt", "waiting", "superseded"]);
    assert_eq!(run["windows"][0]["from"], run["window"]["from"]);
    assert!(run["window"]["to"].as_str().unwrap().ends_with("+08:00"), "{run}");
    let proof = p.run(&["certificate", "orders", "--json"]).await.exits(0).json();
    for key in ["plan", "run", "window", "balanced", "source", "records", "target"] {
        assert!(proof.get(key).is_some(), "{key}: {proof}");
    }
    assert_eq!((&proof["run"], &proof["balanced"]), (&run["run"], &json!(true)));
    let named = p.run(&["certificate", "orders", "--run", run["run"].as_str().unwrap(), "--json"]).await;
    assert_eq!(named.exits(0).json(), proof);
    // Lists are whole for scripts: one object a line, none held back.
    let records = p.run(&["records", "orders", "--json"]).await.exits(0).lines();
    assert_eq!(records.len(), 130);
    for key in
        ["id", "number", "state", "reason", "code", "version", "first_seen", "changed_at", "written_at"]
    {
        assert!(records[0].get(key).is_some(), "{key}");
    }
    assert_eq!(p.run(&["records", "orders", "--limit", "7", "--json"]).await.exits(0).lines().len(), 7);
    assert_eq!(p.run(&["records", "orders", "--state", "failed", "--json"]).await.exits(0).out, "");
    let one = &records[3];
    let found = p.run(&["records", "orders", "--number", one["number"].as_str().unwrap(), "--json"]).await;
    assert!(found.exits(0).lines().contains(one));
    let calls = p.run(&["calls", "orders", "--json"]).await.exits(0).lines();
    let all = number(&run, "/source/calls") + number(&run, "/target/calls");
    assert_eq!(calls.len() as u64, all);
    let full =
        p.run(&["calls", "orders", "--id", &calls[0]["id"].to_string(), "--json"]).await.exits(0).json();
    for key in ["id", "kind", "started", "millis", "method", "url", "status", "request_body", "response_body"]
    {
        assert!(full.get(key).is_some(), "{key}: {full}");
    }
    let fetch = calls.iter().find(|c| c["kind"] == "fetch").unwrap();
    let curl = p.run(&["calls", "orders", "--id", &fetch["id"].to_string(), "--curl"]).await.exits(0);
    assert!(curl.out.starts_with("curl -X POST 'http://"), "{}", curl.out);
    let story =
        p.run(&["trace", "orders", "--id", one["id"].as_str().unwrap(), "--json"]).await.exits(0).lines();
    let events: Vec<&str> = story.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["source_call", "version", "rendering", "write_call", "outcome"]);
    let status = p.run(&["status", "--json"]).await.exits(0).json();
    for key in ["plan", "watermark", "last_run", "certificate", "backlog", "next"] {
        assert!(status.get(key).is_some(), "{key}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_on_the_command_line_have_three_forms_and_ends_have_defaults() {
    let sandbox = sandbox(40, "").await;
    let p = sqlite_project(&sandbox);
    let mut plan = orders();
    plan["settle"] = "1h".into();
    plan["window"] = "2d".into();
    plan["lookback"] = "30m".into();
    p.plan("orders", &plan);
    let window = async |args: &[&str]| {
        let mut all = vec!["run", "orders", "--json"];
        all.extend(args);
        let a = p.run(&all).await.exits(0).json();
        balances(&a);
        let text = |k: &str| a["window"][k].as_str().unwrap().to_owned();
        (text("from"), text("to"), a["windows"].as_array().unwrap().len())
    };
    let wanted = ("2024-03-14T16:00:00+08:00".to_owned(), "2024-03-15T16:00:00+08:00".to_owned(), 1);
    assert_eq!(window(&["--from", "2024-03-14 16:00:00", "--to", "2024-03-15 16:00:00"]).await, wanted);
    assert_eq!(window(&["--from", "1710403200", "--to", "1710489600"]).await, wanted);
    assert_eq!(
        window(&["--from", "2024-03-14T08:00:00Z", "--to", "2024-03-15T09:00:00+01:00"]).await,
        wanted
    );
    // Longer ranges are cut; a missing start is the plan's own before there is a watermark.
    assert_eq!(window(&["--from", "2024-03-10 00:00:00", "--to", "2024-03-15 00:00:00"]).await.2, 3);
    let set = "2024-03-14 16:00:00";
    let shown = p.run(&["watermark", "orders", "--set", set, "--json"]).await.exits(0).json();
    assert_eq!(shown["watermark"], "2024-03-14T16:00:00+08:00");
    let (from, ..) = window(&["--to", "2024-03-15 16:00:00"]).await;
    assert_eq!(from, "2024-03-14T16:00:00+08:00");
    // The watermark is still where it was set; following it begins a lookback earlier and ends a settle before now.
    let (from, to, _) = window(&[]).await;
    assert_eq!(from, "2024-03-14T15:30:00+08:00");
    let after = p.run(&["watermark", "orders", "--json"]).await.exits(0).json();
    assert_eq!(after["watermark"], to.as_str());
    let end = chrono::DateTime::parse_from_rfc3339(&to).unwrap();
    let ago = (sandbox_now() - end.with_timezone(&chrono::Utc)).num_seconds();
    assert!((3_600..3_660).contains(&ago), "{ago}");
}

#[expect(clippy::disallowed_methods, reason = "the sandbox of these tests lives in real time")]
fn sandbox_now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_window_begins_at_start_without_lookback() {
    let sandbox = sandbox(30, "").await;
    let p = sqlite_project(&sandbox);
    let mut plan = orders();
    plan["start"] = "2024-01-01 00:00:00".into();
    plan["window"] = "3650d".into();
    p.plan("orders", &plan);
    let a = p.run(&["run", "orders", "--json"]).await.exits(0).json();
    assert_eq!(a["window"]["from"], "2024-01-01T00:00:00+08:00");
    // 聚水潭 gives at most 7 days of outbound orders at once.
    assert!(a["windows"].as_array().unwrap().len() > 50, "{a}");
    let mut other = orders();
    other.as_object_mut().unwrap().remove("start");
    p.plan("other", &other);
    let b = p.run(&["run", "other", "--json"]).await.exits(0).json();
    let time = |k: &str| chrono::DateTime::parse_from_rfc3339(b["window"][k].as_str().unwrap()).unwrap();
    let span = (time("to") - time("from")).num_seconds();
    assert!((86_399..86_402).contains(&span), "{span}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_form_of_a_schedule_is_accepted_both_ways() {
    let sandbox = sandbox(20, "").await;
    let p = sqlite_project(&sandbox);
    let words = "0 */10 * * * ?";
    let task = json!({"name": "FetchShops", "apiEndpoint": "/x", "retries": 1});
    p.plan(
        "inside",
        &json!({"schedule": {"schedule": words, "task": task}, "source": shops_source(), "target": noop()}),
    );
    p.plan("beside", &json!({"schedule": words, "task": task, "source": shops_source(), "target": noop()}));
    p.plan("every", &json!({"schedule": "every 5m", "source": shops_source(), "target": noop()}));
    p.plan("classic", &json!({"schedule": "*/5 * * * 7", "source": shops_source(), "target": noop()}));
    p.run(&["check"]).await.exits(0);
    for line in p.run(&["status", "--json"]).await.exits(0).lines() {
        assert!(line["next"].is_string(), "{line}");
    }
    // Two calls: one and its retry.
    p.write(
        "connectors/jst.toml",
        &sandbox.connector_toml().replace(&sandbox.base_url(), "http://127.0.0.1:9"),
    );
    for plan in ["inside", "beside"] {
        let a = p.run(&["run", plan, "--json"]).await.exits(3).json();
        assert_eq!(number(&a, "/source/calls"), 2, "{a}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_take_values_from_file_environment_and_secrets() {
    let sandbox = sandbox(20, "").await;
    let p = sqlite_project(&sandbox);
    let c = sandbox.credentials();
    p.write("secret/refresh.txt", &format!("{}\n", c.refresh_token));
    p.write(
        "connectors/jst2.json",
        &json!({"platform": "聚水潭", "base_url": sandbox.base_url(), "timezone": "Asia/Shanghai",
            "credentials": {"app_key": c.app_key, "app_secret": {"env": "JST_APP_SECRET"},
                            "access_token": {"secret": "access"}, "refresh_token": {"file": "secret/refresh.txt"}},
            "limits": {"requests_per_second": 50, "requests_per_minute": 1000, "concurrency": 2}})
        .to_string(),
    );
    let missing = p.run(&["test-connector", "jst2", "--json"]).await.exits(2).json();
    let found: Vec<&Value> =
        missing["error"]["problems"].as_array().unwrap().iter().map(|p| &p["path"]).collect();
    assert_eq!(found, ["credentials.access_token", "credentials.app_secret"]);
    let mut set = p.command(&["secret", "set", "access"]);
    set.stdin(std::process::Stdio::piped());
    let mut child = set.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, c.access_token.as_bytes()).await.unwrap();
    drop(stdin);
    assert!(child.wait().await.unwrap().success());
    let worked = p
        .command(&["test-connector", "jst2", "--json"])
        .env("JST_APP_SECRET", &c.app_secret)
        .output()
        .await
        .unwrap();
    assert!(worked.status.success(), "{worked:?}");
    let answer: Value = serde_json::from_slice(&worked.stdout).unwrap();
    assert_eq!(answer["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_in_connectors_are_errors_with_the_nearest_one() {
    let p = Project::new();
    let cases = [
        (
            "jst",
            "platform = \"jushuitan\"\n[credentials]\napp_kee = \"k\"\napp_secret = \"s\"\n",
            "credentials.app_kee",
            "app_key",
        ),
        ("top", "platform = \"jushuitan\"\nbaseurl = \"http://h\"\n", "baseurl", "base_url"),
        (
            "limit",
            "platform = \"jushuitan\"\n[limits]\nrequest_per_second = 3\n",
            "limits.request_per_second",
            "requests_per_second",
        ),
        (
            "my",
            "platform = \"mysql\"\nhost = \"h\"\n[credentials]\nuser_name = \"u\"\n",
            "credentials.user_name",
            "username",
        ),
        ("lite", "platform = \"sqlite\"\npath = \"x.db\"\nhost = \"h\"\n", "host", "path"),
        ("own", "platform = \"轻易云\"\n[credentials]\ntoken = \"t\"\n", "credentials.token", "heliu"),
        ("kind", "platform = \"jushuitann\"\n", "platform", "jushuitan"),
    ];
    for (name, text, ..) in cases {
        p.write(&format!("connectors/{name}.toml"), text);
    }
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    let problems = a["problems"].as_array().unwrap();
    for (name, _, path, near) in cases {
        let file = format!("connectors/{name}.toml");
        let hit = problems.iter().find(|p| p["file"] == file.as_str() && p["path"] == path);
        let hit = hit.unwrap_or_else(|| panic!("{file} {path}: {problems:#?}"));
        assert!(hit.to_string().contains(near), "{hit}");
    }
    // What could not be read is not reported as missing too.
    p.write("connectors/jst.toml", "platform = \"jushuitan\"\n[credentials]\napp_key = { env = \"NOT_SET_ANYWHERE\" }\napp_secret = \"s\"\n");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    let about: Vec<&Value> =
        a["problems"].as_array().unwrap().iter().filter(|p| p["file"] == "connectors/jst.toml").collect();
    assert_eq!(about.len(), 1, "{about:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alias_names_its_platform() {
    let p = Project::new();
    for (name, aliases) in [
        ("jushuitan", vec!["聚水潭", "JuShuiTan"]),
        ("heliu", vec!["qeasy", "轻易云", "轻易云集成平台"]),
        ("mysql", vec!["MySQL"]),
        ("sqlite", vec![]),
        ("http", vec![]),
    ] {
        for alias in aliases.into_iter().chain([name]) {
            let a = p.run(&["platforms", alias, "--json"]).await.exits(0).json();
            assert_eq!(a["name"], name);
        }
    }
    let list = p.run(&["platforms", "--json"]).await.exits(0).lines();
    assert!(list.len() >= 5, "{list:?}");
    p.run(&["platforms", "nosuch"]).await.exits(2);
    for asked in ["postgresql", "SQLServer"] {
        p.write("connectors/db.toml", &format!("platform = \"{asked}\"\n"));
        let said = p.run(&["check"]).await.exits(2);
        assert!(said.out.contains("HL-1033") && said.out.contains("not among them yet"), "{said:?}");
    }
    std::fs::remove_file(p.path().join("connectors/db.toml")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_of_the_users_own_replaces_a_built_in_one() {
    let stub = Stub::new(|s| {
        let right = s.header("x-app") == Some("k1");
        if right {
            Reply::json(&json!({"code": "ok", "rows": [{"id": 1, "title": "a", "sum": 2}]}))
        } else {
            Reply::text(401, "{}")
        }
    })
    .await;
    let p = http_project(&stub.url, "app = \"k1\"\n");
    p.write(
        "connectors/api.toml",
        &format!("platform = \"http\"\nbase_url = \"{}\"\n[credentials]\napp = \"k1\"\n", stub.url),
    );
    http_plan(&p, "docs", json!({}));
    p.run(&["run", "docs"]).await.exits(2);
    p.write(
        "platforms/mine.toml",
        "name = \"http\"\ntitle = { en = \"mine\", zh = \"我的\" }\n[[credentials]]\nname = \"app\"\nrequired = true\nsecret = true\n\
         [request]\nencoding = \"json\"\nheaders = { x-app = \"{{ credentials.app }}\" }\n\
         [reply]\nlists = [\"rows\"]\ncode = [\"code\"]\nok = [\"ok\"]\nunknown = \"config\"\n[paging]\nstyle = \"none\"\n",
    );
    p.run(&["check"]).await.exits(0);
    let a = p.run(&["run", "docs", "--json"]).await.exits(0).json();
    assert_eq!(number(&a, "/target/written"), 1);
    assert_eq!(p.run(&["platforms", "http", "--json"]).await.exits(0).json()["title"], "mine");
    // A broken one is named, and what else there is is checked all the same.
    p.write("platforms/broken.toml", "name = \"x\"\nmethodd = 1\n");
    p.write("plans/bad.json", "{");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    let text = a["problems"].to_string();
    assert!(text.contains("platforms/broken.toml") && text.contains("plans/bad.json"), "{text}");
}

#[tokio::test]
async fn the_settings_file_is_read_and_its_faults_are_named() {
    let p = Project::new();
    p.write("heliu.toml", "[ledger]\npath = \"kept\"\nsynchronous = \"full\"\n[retention]\ncalls_days = 3\n");
    p.run(&["secret", "list"]).await.exits(0);
    assert!(p.path().join("kept/ledger.db").is_file() && !p.path().join(".heliu").exists());
    p.run(&["secret", "list", "--data-dir", p.path().join("else").to_str().unwrap()]).await.exits(0);
    assert!(p.path().join("else/ledger.db").is_file());
    p.write("heliu.toml", "[ledgr]\n[retention]\ncall_days = 3\n");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    let hints: Vec<String> =
        a["error"]["problems"].as_array().unwrap().iter().map(|p| p["hint"].to_string()).collect();
    assert!(hints[0].contains("`ledger`") && hints[1].contains("`calls_days`"), "{hints:?}");
    p.write("heliu.toml", "[ledger]\npath = \"kept\n");
    let a = p.run(&["status"]).await.exits(2);
    assert!(a.err.contains("line 2") && a.err.contains("heliu.toml"), "{}", a.err);
}

#[tokio::test]
async fn a_wrong_command_line_is_said_in_one_sentence_and_as_json() {
    for (args, said, hint) in [
        (vec!["recrods", "x"], "recrods", "records"),
        (vec!["run"], "PLAN", "--help"),
        (vec!["run", "x", "--form", "1"], "--form", "--from"),
        (vec!["run", "x", "--limit", "0"], "--limit", "--help"),
        (vec!["status", "--lang", "fr"], "fr", "zh"),
    ] {
        let a = with_input(&args, "").await.exits(2);
        assert!(a.out.is_empty() && a.err.contains(said) && a.err.contains(hint), "{a:?}");
        let json = with_input(&[&args[..], &["--json"]].concat(), "").await.exits(2).json();
        assert_eq!(json["error"]["code"], "HL-8020", "{json}");
        let zh = with_input(&[&args[..], &["--lang=zh"]].concat(), "").await;
        assert!(args.contains(&"fr") || zh.err.starts_with("错误 HL-8020"), "{zh:?}");
    }
    for args in [vec!["--help"], vec!["run", "--help"], vec!["secret", "set", "--help"], vec!["--version"]] {
        let a = with_input(&args, "").await.exits(0);
        assert!(a.err.is_empty() && a.out.lines().count() > 0, "{a:?}");
        for line in a.out.lines().filter(|l| args.len() > 1 && l.contains("--")) {
            assert!(line.contains("  "), "an option without a text: {line}");
        }
    }
    let zh = with_input(&["--lang", "zh", "sandbox", "--help"], "").await.exits(0);
    assert!(
        zh.out.contains("通用选项") && zh.out.contains("shift") && !zh.out.contains("Data directory"),
        "{}",
        zh.out
    );
    let by_locale = program().env("LC_ALL", "zh_CN.UTF-8").arg("--help").output().await.unwrap();
    assert!(String::from_utf8_lossy(&by_locale.stdout).contains("通用选项"));
}

#[tokio::test]
async fn a_new_project_is_commented_and_kept_when_it_is_there() {
    let p = Project::new();
    let dir = p.path().join("mine");
    let dir = dir.to_str().unwrap();
    p.run(&["init", dir]).await.exits(0);
    std::fs::write(format!("{dir}/heliu.toml"), "# mine\n").unwrap();
    let again = p.run(&["init", dir, "--json"]).await.exits(0).json();
    assert_eq!(again["made"], json!([]));
    assert_eq!(std::fs::read_to_string(format!("{dir}/heliu.toml")).unwrap(), "# mine\n");
    // Its examples are sound; only the credentials are missing.
    let a = program().args(["--project", dir, "check", "--json"]).output().await.unwrap();
    let found: Value = serde_json::from_slice(&a.stdout).unwrap();
    let errors: Vec<&Value> =
        found["problems"].as_array().unwrap().iter().filter(|p| p["severity"] == "error").collect();
    assert!(errors.iter().all(|p| p["code"] == "HL-1014"), "{errors:?}");
}
