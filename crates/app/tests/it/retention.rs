//! Retention from outside: the settings, at the end of a run, by hand, in a service.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Project, balances, number, sandbox};
use crate::sqlite::{noop, shops_source, sqlite_project};

fn shops(p: &Project, name: &str) {
    p.plan(name, &json!({"start": "2020-01-01 00:00:00", "source": shops_source(), "target": noop()}));
}

async fn contents(p: &Project, plan: &str, id: &str) -> Value {
    let story = p.run(&["trace", plan, "--id", id, "--json"]).await.exits(0);
    story
        .lines()
        .into_iter()
        .find(|l| l.get("content").is_some())
        .map_or(Value::Null, |l| l["content"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_settings_let_go_goes_and_everything_stays_proved() {
    let sandbox = sandbox(50, "").await;
    let p = sqlite_project(&sandbox);
    shops(&p, "shops");
    let first = p.run(&["run", "shops", "--json"]).await.exits(0).json();
    let written = number(&first, "/target/written");
    assert!(written > 0);
    let id =
        p.run(&["records", "shops", "--json"]).await.exits(0).lines()[0]["id"].as_str().unwrap().to_owned();
    assert!(contents(&p, "shops", &id).await.is_object());
    // Nothing goes by the usual rules.
    let kept = p.run(&["retention", "--json"]).await.exits(0).json();
    assert_eq!((number(&kept, "/bodies"), number(&kept, "/contents")), (0, 0));
    p.write("heliu.toml", "[retention]\ncalls_days = 0\nrecords_days = 0\n");
    let gone = p.run(&["retention", "--json"]).await.exits(0).json();
    assert_eq!((number(&gone, "/contents"), &gone["complete"]), (written, &json!(true)));
    assert!(number(&gone, "/bodies") > 0 && number(&gone, "/freed") > 0, "{gone}");
    assert_eq!(contents(&p, "shops", &id).await, Value::Null);
    // The certificate of the old run prints, and what comes again is known.
    let run = first["run"].as_str().unwrap();
    let again = p.run(&["run", "shops", "--json"]).await.exits(0).json();
    balances(&again);
    assert_eq!((number(&again, "/records/unchanged"), number(&again, "/records/new")), (written, 0));
    let old = p.run(&["certificate", "shops", "--run", run, "--json"]).await.exits(0).json();
    assert_eq!((&old["balanced"], number(&old, "/target/written")), (&json!(true), written));
    for lang in ["zh", "en"] {
        let said = p.run(&["retention", "--lang", lang]).await.exits(0);
        assert!(said.out.contains(if lang == "zh" { "台账" } else { "ledger" }), "{said:?}");
    }
    p.run(&["retention", "--rebuild"]).await.exits(0);
    p.run(&["certificate", "shops", "--run", run]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_with_a_round_when_one_is_due() {
    let sandbox = sandbox(50, "").await;
    let p = sqlite_project(&sandbox);
    shops(&p, "shops");
    p.write("heliu.toml", "[retention]\ncalls_days = 0\nrecords_days = 0\nevery = \"1h\"\n");
    let pruned = async || {
        let calls = p.run(&["calls", "shops", "--json"]).await.exits(0).lines();
        calls.iter().filter(|c| c["pruned"] == json!(true)).count()
    };
    p.run(&["run", "shops"]).await.exits(0);
    let first = pruned().await;
    assert!(first > 0);
    // The next round comes in an hour.
    p.run(&["run", "shops"]).await.exits(0);
    let calls = p.run(&["calls", "shops", "--json"]).await.exits(0).lines();
    assert!(calls.iter().any(|c| c["pruned"] == json!(false)), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_others_look_up_keep_their_contents() {
    let sandbox = sandbox(50, "").await;
    let p = sqlite_project(&sandbox);
    for name in ["shops", "other", "mine"] {
        shops(&p, name);
    }
    let uuid = "8e620793-bebb-3167-95a4-9030368e5262";
    p.plan(
        "shops",
        &json!({"id": uuid, "start": "2020-01-01 00:00:00", "source": shops_source(), "target": noop()}),
    );
    let asks = json!({"connector": "qeasy", "metadata": {"api": "写入空操作", "method": "POST", "request": [
        {"field": "name", "value": format!("_findCollection find shop_name from {uuid} where shop_id={{shop_id}}")}]}});
    p.plan("asks", &json!({"start": "2020-01-01 00:00:00", "source": shops_source(), "target": asks}));
    p.write("heliu.toml", "[retention]\nrecords_days = 0\n[retention.plans]\nmine = \"forever\"\nnone = 3\n");
    for name in ["shops", "other", "mine"] {
        p.run(&["run", name]).await.exits(0);
    }
    let said = p.run(&["retention"]).await.exits(0);
    assert!(said.err.contains("`none`"), "{said:?}");
    let id =
        p.run(&["records", "shops", "--json"]).await.exits(0).lines()[0]["id"].as_str().unwrap().to_owned();
    assert!(contents(&p, "shops", &id).await.is_object());
    assert!(contents(&p, "mine", &id).await.is_object());
    assert_eq!(contents(&p, "other", &id).await, Value::Null);
    // A rule of its own counts all the same.
    p.write("heliu.toml", "[retention]\n[retention.plans]\nshops = 0\n");
    p.run(&["retention"]).await.exits(0);
    assert_eq!(contents(&p, "shops", &id).await, Value::Null);
    p.write("heliu.toml", "[retention]\nevery = \"1s\"\n[retention.plans]\nshops = \"allways\"\n");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    let said = a["error"]["problems"].to_string();
    assert!(said.contains("retention.every") && said.contains("retention.plans.shops"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_runs_rounds_beside_its_plans() {
    let sandbox = sandbox(50, "").await;
    let p = sqlite_project(&sandbox);
    shops(&p, "shops");
    p.run(&["run", "shops"]).await.exits(0);
    // The round of that run is over; the next one is due when the service starts.
    let db = rusqlite::Connection::open(p.path().join(".heliu/ledger.db")).unwrap();
    db.execute("UPDATE retention SET seen = 0, ended = 0, done = '{}'", []).unwrap();
    p.write("heliu.toml", "[retention]\ncalls_days = 0\nrecords_days = 0\n");
    let mut service = p.start(&["serve", "--headless"]);
    timeout(Duration::from_secs(60), async {
        loop {
            let left: i64 = db
                .query_row("SELECT count(*) FROM records WHERE blob IS NOT NULL", [], |r| r.get(0))
                .unwrap();
            if left == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    service.kill().await.unwrap();
}
