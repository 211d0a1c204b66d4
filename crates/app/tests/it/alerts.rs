//! Alerts from outside: who is told what, and what is never said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use heliu_sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Project, sandbox, with_input};
use crate::sqlite::{noop, shops_source, sqlite_project};
use crate::stub::{Reply, Seen, Stub};

const KEY: &str = "k3y-0f-th3-h00k-d0-n0t-sh0w";
const SECRET: &str = "SEC-d0-n0t-sh0w-3ith3r";

fn shops(p: &Project) {
    p.plan("shops", &json!({"start": "2020-01-01 00:00:00", "source": shops_source(), "target": noop()}));
}

/// A project whose source is a stub that works when it is told to.
async fn broken(up: &Arc<AtomicBool>) -> (Project, Stub) {
    let up = up.clone();
    let source = Stub::new(move |_| {
        if up.load(Ordering::SeqCst) {
            return Reply::json(&json!([{"id": 1}]));
        }
        Reply::text(403, "{\"error\":\"forbidden\"}")
    })
    .await;
    let p = Project::new();
    p.write("connectors/src.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", source.url));
    let meta = json!({"api": "/things", "method": "GET", "id": "id", "number": "id"});
    let target = json!({"connector": "heliu", "metadata": {"api": "写入空操作", "method": "POST"}});
    p.plan("things", &json!({"source": {"connector": "src", "metadata": meta}, "target": target}));
    (p, source)
}

fn alerts(seen: &Seen) -> Vec<(String, String)> {
    let word = |v: &Value, k: &str| v[k].as_str().unwrap_or_default().to_owned();
    seen.json()["alerts"].as_array().unwrap().iter().map(|a| (word(a, "plan"), word(a, "event"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lasting_trouble_is_told_once_and_its_end_once() {
    let up = Arc::new(AtomicBool::new(false));
    let (p, _source) = broken(&up).await;
    let hook = Stub::new(|_| Reply::json(&json!({}))).await;
    let url = format!("{}/hook?key={KEY}", hook.url);
    p.write("heliu.toml", &format!("[alerts]\nlang = \"en\"\n[[alerts.webhooks]]\nname = \"ops\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n"));
    for _ in 0..3 {
        p.run(&["-vv", "run", "things"]).await.exits(3);
    }
    let told = hook.log();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(alerts(&told[0]), [("things".to_owned(), "opened".to_owned())]);
    let alert = &told[0].json()["alerts"][0];
    assert!(alert["code"].as_str().unwrap().starts_with("HL-3") && alert["kind"] == "failed", "{alert}");
    assert!(told[0].header("x-heliu-signature").unwrap().starts_with("sha256="));
    // It is shown where one looks.
    let status = p.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!((&status["alerts"][0]["times"], &status["alerts"][0]["kind"]), (&json!(3), &json!("failed")));
    for (lang, word) in [("zh", "运行失败"), ("en", "run failed")] {
        let shown = p.run(&["status", "--lang", lang]).await.exits(0);
        assert!(shown.out.contains(word), "{shown:?}");
        assert!(p.run(&["alerts", "--lang", lang]).await.exits(0).out.contains(word));
    }
    up.store(true, Ordering::SeqCst);
    p.run(&["run", "things"]).await.exits(0);
    p.run(&["run", "things"]).await.exits(0);
    let told = hook.log();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(alerts(&told[1]), [("things".to_owned(), "closed".to_owned())]);
    assert_eq!(p.run(&["status", "--json"]).await.exits(0).json()["alerts"], json!([]));
    assert_eq!(p.run(&["alerts", "--json"]).await.exits(0).out, "");
    let all = p.run(&["alerts", "--all", "--json"]).await.exits(0).lines();
    assert!(all.len() == 1 && all[0]["closed"].is_string() && all[0]["times"] == 3, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_holds_nobody_up_and_is_never_shown() {
    let up = Arc::new(AtomicBool::new(false));
    let (p, _source) = broken(&up).await;
    let echo = Stub::new(|seen| Reply::text(500, &format!("{{\"said\":\"{:?}\"}}", seen.query))).await;
    let robot = Stub::new(|seen| {
        let key = seen.get("key").unwrap_or("").to_owned();
        Reply::json(&json!({"errcode": 93000, "errmsg": format!("invalid webhook url {key}")}))
    })
    .await;
    let urls = [
        format!("{}/a?access_token={KEY}", echo.url),
        format!("{}/b?key={KEY}", robot.url),
        // Nobody listens there.
        format!("http://127.0.0.1:9/c/{KEY}"),
    ];
    p.write(
        "heliu.toml",
        &format!(
            "[alerts]\n[[alerts.webhooks]]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n[[alerts.webhooks]]\nurl = \"{}\"\nshape = \"wecom\"\n\
             [[alerts.webhooks]]\nurl = \"{}\"\nshape = \"dingtalk\"\nsecret = \"{SECRET}\"\n",
            urls[0], urls[1], urls[2]
        ),
    );
    let mut said = Vec::new();
    for args in [
        vec!["-vv", "run", "things"],
        vec!["-vv", "--lang", "zh", "run", "things"],
        vec!["-vv", "status", "--json"],
        vec!["alerts", "--test"],
        vec!["alerts", "--test", "--json", "--lang", "zh"],
    ] {
        let a = p.run(&args).await;
        let code = match args.last() {
            Some(&"things") => 3,
            _ if args.contains(&"--test") => 1,
            _ => 0,
        };
        said.push(a.exits(code));
    }
    assert!(echo.calls() > 0 && robot.calls() > 0);
    let warned =
        said[0].err.contains("HL-7065") && said[0].err.contains("93000") && said[0].err.contains("webhook-3");
    assert!(warned, "{:?}", said[0]);
    for a in &said {
        for hidden in [KEY, SECRET] {
            assert!(!a.out.contains(hidden) && !a.err.contains(hidden), "{a:?}");
        }
    }
    // Nor does the ledger hold them.
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(p.path().join(".heliu").join(file)).unwrap_or_default();
        for hidden in [KEY, SECRET] {
            assert!(!bytes.windows(hidden.len()).any(|w| w == hidden.as_bytes()), "{file}");
        }
    }
}

async fn robot(platform: &str) -> (Sandbox, String, Option<String>) {
    let sandbox = Sandbox::builder(platform).listen("127.0.0.1:0").await.unwrap();
    let at = sandbox.records("robot");
    let path = at["path"].as_str().unwrap();
    let url = format!("{}{path}", sandbox.base_url());
    let secret = at.get("secret").and_then(Value::as_str).map(str::to_owned);
    (sandbox, url, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn robots_of_dingtalk_and_wecom_take_the_messages() {
    let up = Arc::new(AtomicBool::new(false));
    let (p, _source) = broken(&up).await;
    let (ding, ding_url, secret) = robot("dingtalk").await;
    let (wecom, wecom_url, _) = robot("wecom").await;
    let project = p.path().to_str().unwrap();
    with_input(&["--project", project, "secret", "set", "ding"], &ding_url).await.exits(0);
    p.write("sign.txt", &format!("{}\n", secret.unwrap()));
    p.write(
        "heliu.toml",
        &format!(
            "[alerts]\nlang = \"zh\"\n[[alerts.webhooks]]\nname = \"ding\"\nurl = {{ secret = \"ding\" }}\nshape = \"dingtalk\"\n\
             secret = {{ file = \"sign.txt\" }}\n[[alerts.webhooks]]\nname = \"wecom\"\nurl = \"{wecom_url}\"\nshape = \"wecom\"\n"
        ),
    );
    p.run(&["alerts", "--test"]).await.exits(0);
    p.run(&["run", "things"]).await.exits(3);
    up.store(true, Ordering::SeqCst);
    p.run(&["run", "things"]).await.exits(0);
    for (name, sandbox) in [("ding", ding), ("wecom", wecom)] {
        let messages: Vec<String> = sandbox.records("messages").values().map(Value::to_string).collect();
        assert_eq!(messages.len(), 3, "{name}: {messages:?}");
        assert!(messages[0].contains("测试") && messages[1].contains("运行失败"), "{name}: {messages:?}");
        assert!(messages[2].contains("已恢复") && messages[2].contains("things"), "{name}: {messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_tells_and_tries_again() {
    let up = Arc::new(AtomicBool::new(false));
    let (p, _source) = broken(&up).await;
    let plan = std::fs::read_to_string(p.path().join("plans/things.json")).unwrap();
    let mut plan: Value = serde_json::from_str(&plan).unwrap();
    plan["schedule"] = "every 1s".into();
    p.plan("things", &plan);
    let tries = AtomicUsize::new(0);
    let (told, mut seen) = tokio::sync::watch::channel(0);
    let hook = Stub::new(move |_| {
        // The first message is refused.
        if tries.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::text(503, "{}");
        }
        told.send_modify(|n| *n += 1);
        Reply::json(&json!({}))
    })
    .await;
    p.write("heliu.toml", &format!("[alerts]\nwebhook = \"{}/?key={KEY}\"\n", hook.url));
    let mut service = p.start(&["serve", "--headless"]);
    let mut until = async |n: usize| {
        timeout(Duration::from_secs(90), seen.wait_for(|told| *told >= n)).await.unwrap().unwrap();
    };
    until(1).await;
    up.store(true, Ordering::SeqCst);
    until(2).await;
    service.kill().await.unwrap();
    let events: Vec<String> = hook.log()[1..].iter().flat_map(alerts).map(|(_, e)| e).collect();
    assert_eq!(events[..2], ["opened", "closed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_records_are_an_alert_until_they_are_mended() {
    let sandbox = sandbox(30, "").await;
    let p = sqlite_project(&sandbox);
    shops(&p);
    p.run(&["run", "shops"]).await.exits(0);
    let none = p.run(&["alerts", "--test"]).await.exits(2);
    assert!(none.err.contains("HL-8021"), "{none:?}");
    p.run(&["alerts", "--close", "7"]).await.exits(2);
    // One record fails, as if its target had refused it.
    let db = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    db.execute_batch(
        "UPDATE records SET state = 5 WHERE id = 1; UPDATE plan_states SET n = n - 1 WHERE state = 2;
         INSERT INTO plan_states SELECT plan, 5, 1 FROM plan_states LIMIT 1",
    )
    .unwrap();
    for _ in 0..2 {
        p.run(&["run", "shops"]).await.exits(1);
    }
    let open = p.run(&["alerts", "--json"]).await.exits(0).lines();
    assert_eq!((open.len(), &open[0]["kind"], &open[0]["times"]), (1, &json!("records_failed"), &json!(2)));
    p.run(&["retry", "shops"]).await.exits(0);
    p.run(&["run", "shops"]).await.exits(0);
    assert!(p.run(&["alerts"]).await.exits(0).out.contains("no alerts"));
}

#[tokio::test]
async fn the_settings_of_alerts_are_checked() {
    let p = Project::new();
    for (file, said) in [
        ("[alerts]\nwebhok = \"x\"\n", "`webhook`"),
        ("[alerts]\nlate = \"1s\"\n", "alerts.late"),
        ("[alerts]\nwebhooks = \"x\"\n", "alerts.webhooks"),
        ("[[alerts.webhooks]]\nname = \"x\"\n", "alerts.webhooks[0].url"),
        ("[[alerts.webhooks]]\nurl = \"http://a\"\nshap = \"json\"\n", "`shape`"),
        ("[[alerts.webhooks]]\nurl = \"http://a\"\nshape = \"slack\"\n", "dingtalk"),
        (
            "[[alerts.webhooks]]\nname = \"x\"\nurl = \"a\"\n[[alerts.webhooks]]\nname = \"x\"\nurl = \"b\"\n",
            "`x`",
        ),
        ("[alerts]\nwebhook = { en = \"A\" }\n", "alerts.webhook"),
    ] {
        p.write("heliu.toml", file);
        let a = p.run(&["check", "--json"]).await.exits(2).json();
        assert!(a["error"]["problems"].to_string().contains(said), "{file}: {a}");
    }
    // What can be read, and could not send anything; the address itself is a secret and not repeated.
    for (file, path, said) in [
        (
            "[alerts]\nwebhook = \"qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k1k2k3\"\n",
            "alerts.webhook",
            "https://",
        ),
        ("[alerts]\nwebhook = \"ftp://a/k1k2k3\"\n", "alerts.webhook", "https://"),
        ("[alerts]\nwebhook = \"https://\"\n", "alerts.webhook", "no address"),
        ("[alerts]\nwebhook = \"https://a b/k1k2k3\"\n", "alerts.webhook", "no address"),
        ("[alerts]\nwebhook = { env = \"NO_SUCH_VARIABLE\" }\n", "alerts.webhook", "NO_SUCH_VARIABLE"),
        (
            "[[alerts.webhooks]]\nurl = \"http://a/x\"\n[[alerts.webhooks]]\nurl = \"a/k1k2k3\"\n",
            "alerts.webhooks[1].url",
            "https://",
        ),
        (
            "[[alerts.webhooks]]\nurl = \"http://a/x\"\nsecret = { file = \"none.txt\" }\n",
            "alerts.webhooks[0].secret",
            "none.txt",
        ),
        (
            "[[alerts.webhooks]]\nurl = { secret = \"robot\" }\n",
            "alerts.webhooks[0].url",
            "heliu secret set robot",
        ),
    ] {
        p.write("heliu.toml", file);
        let a = p.run(&["check", "--json", "--lang", "en"]).await.exits(2).json();
        let list = a["problems"].as_array().unwrap_or_else(|| panic!("{file}: {a}"));
        assert_eq!(
            (list.len(), &list[0]["code"], &list[0]["path"]),
            (1, &"HL-1095".into(), &path.into()),
            "{a}"
        );
        assert!(list[0]["message"].as_str().unwrap().contains(said), "{file}: {a}");
        assert!(!a.to_string().contains("k1k2k3"), "{a}");
    }
    p.write("heliu.toml", "[[alerts.webhooks]]\nurl = \"https://oapi.dingtalk.com/robot/send?access_token=x\"\nsecret = \"SEC\"\n");
    p.run(&["check"]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_fill_that_gave_way_stays_an_alert_until_one_goes_through() {
    let up = Arc::new(AtomicBool::new(false));
    let source = {
        let up = up.clone();
        Stub::new(move |seen| {
            if !up.load(Ordering::SeqCst) && seen.get("from").unwrap_or("").starts_with("2024-03-02") {
                return Reply::text(403, "{\"error\":\"forbidden\"}");
            }
            Reply::json(&json!([{"id": seen.get("from").unwrap_or("")}]))
        })
        .await
    };
    let p = Project::new();
    p.write("connectors/src.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", source.url));
    let meta = json!({"api": "/things", "method": "GET", "id": "id", "number": "id",
        "request": [{"field": "from", "value": "{{LAST_SYNC_TIME|datetime}}"}]});
    let target = json!({"connector": "heliu", "metadata": {"api": "写入空操作", "method": "POST"}});
    p.plan(
        "things",
        &json!({"window": "1d", "source": {"connector": "src", "metadata": meta}, "target": target}),
    );
    let march = ["run", "things", "--from", "2024-03-01 00:00:00", "--to", "2024-03-03 00:00:00", "--json"];
    let open = async || p.run(&["alerts", "--json"]).await.exits(0).lines();
    p.run(&march).await.exits(3);
    assert_eq!(open().await.len(), 1);
    // The schedule's run goes through and says nothing of the range; it does say that nobody resumes the other one.
    let run = p.run(&["run", "things", "--json"]).await.exits(0).json();
    assert_eq!(run["problems"][0]["code"], "HL-7046", "{run}");
    let said = run["problems"][0]["message"].to_string();
    assert!(said.contains("2024-03-01T16:00:00") && said.contains("2024-03-02T16:00:00"), "{said}");
    let alerts = open().await;
    assert_eq!(
        (alerts.len(), &alerts[0]["kind"], &alerts[0]["code"]),
        (1, &json!("failed"), &json!("HL-7046"))
    );
    let run = p.run(&["run", "things", "--json"]).await.exits(0).json();
    assert_eq!((&run["problems"], open().await.len()), (&json!([]), 1));
    up.store(true, Ordering::SeqCst);
    p.run(&march).await.exits(0);
    assert_eq!(open().await.len(), 0);
}
