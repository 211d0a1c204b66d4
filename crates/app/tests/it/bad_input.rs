//! Files that are wrong: every problem at once, with place, and nothing sent.

use serde_json::{Value, json};

use crate::harness::sandbox;
use crate::sqlite::{noop, orders_source, orders_target, shops_source, sqlite_project, start};

fn codes(v: &Value) -> Vec<(String, String, String)> {
    let text = |p: &Value, k: &str| p[k].as_str().unwrap_or("").to_owned();
    let list = v["problems"]
        .as_array()
        .or_else(|| v["error"]["problems"].as_array())
        .unwrap_or_else(|| panic!("{v}"));
    list.iter().map(|p| (text(p, "code"), text(p, "file"), text(p, "path"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_named_with_file_and_path() {
    let sandbox = sandbox(10, "").await;
    let p = sqlite_project(&sandbox);
    p.write("plans/broken.json", "{\n  \"name\": \"x\",\n  oops\n}");
    p.plan("unknown", &json!({"shedule": "0 * * * * ?", "lookback": "10 parsecs", "source": shops_source(), "target": {"connector": "b1", "metadata": {"api": "batchexecute"}}}));
    let mut target = orders_target();
    target["metadata"]["otherRequest"][0]["value"] = "REPLACE INTO outbound (io_id, o_id) VALUES".into();
    p.plan("columns", &json!({"start": start(), "source": orders_source("io_id"), "target": target}));
    let mut target = orders_target();
    target["metadata"]["otherRequest"] = json!([]);
    p.plan("statement", &json!({"start": "yesterday", "source": orders_source("io_id"), "target": target}));
    p.plan(
        "empty",
        &json!({"source": {"connector": "jst", "metadata": {"method": "POST"}}, "target": noop()}),
    );
    p.write("connectors/spare.toml", "platform = \"jushuitann\"\n");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    let found = codes(&a);
    let has = |file: &str, path: &str| found.iter().any(|(_, f, at)| f == file && at.contains(path));
    for (file, path) in [
        ("plans/broken.json", ""),
        ("plans/unknown.json", "shedule"),
        ("plans/unknown.json", "lookback"),
        ("plans/unknown.json", "target.connector"),
        ("plans/columns.json", "target.metadata.otherRequest.main_sql"),
        ("plans/statement.json", "target.metadata.otherRequest.main_sql"),
        ("plans/statement.json", "start"),
        ("plans/empty.json", "source.metadata"),
        ("connectors/spare.toml", "platform"),
    ] {
        assert!(has(file, path), "{file} {path}: {found:#?}");
    }
    let words = p.run(&["check"]).await.exits(2).out;
    for hint in ["schedule", "line 3", "jushuitan", "REPLACE INTO"] {
        assert!(words.contains(hint), "{hint}: {words}");
    }
    p.run(&["run", "columns", "--json"]).await.exits(2);
    assert_eq!(sandbox.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_times_and_ranges_are_refused_before_anything_is_sent() {
    let sandbox = sandbox(10, "").await;
    let p = sqlite_project(&sandbox);
    p.plan("orders", &json!({"start": start(), "source": orders_source("io_id"), "target": orders_target()}));
    for args in [
        vec!["run", "orders", "--from", "14.03.2024"],
        vec!["run", "orders", "--from", "2024-03-15 00:00:00", "--to", "2024-03-14 00:00:00"],
        vec!["run", "order"],
        vec!["records", "orders", "--state", "lost"],
        vec!["run"],
        vec!["eval", "x", "--tz", "Mars/Olympus"],
        vec!["render", "nowhere.json"],
    ] {
        let a = p.run(&args).await.exits(2);
        assert!(!a.err.is_empty(), "{args:?}");
    }
    assert_eq!(sandbox.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_and_named_when_missing() {
    let sandbox = sandbox(10, "").await;
    let p = sqlite_project(&sandbox);
    let c = sandbox.credentials();
    let toml = sandbox.connector_toml().replace(&format!("\"{}\"", c.app_secret), "{ secret = \"jst\" }");
    p.write("connectors/jst.toml", &toml);
    p.plan("shops", &json!({"source": shops_source(), "target": noop()}));
    let a = p.run(&["run", "shops"]).await.exits(2);
    assert!(a.err.contains("secret set jst"), "{}", a.err);
    let mut set = p.command(&["secret", "set", "jst"]);
    set.stdin(std::process::Stdio::piped());
    let mut child = set.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, format!("{}\n", c.app_secret).as_bytes()).await.unwrap();
    drop(stdin);
    assert!(child.wait().await.unwrap().success());
    p.run(&["run", "shops"]).await.exits(0);
    for entry in std::fs::read_dir(p.path().join(".heliu")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in [&c.app_secret, &c.access_token, &c.refresh_token] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{}", path.display());
        }
    }
    let list = p.run(&["secret", "list", "--json"]).await.exits(0).json();
    assert_eq!(list["name"], "jst");
    // Another key: everything opens as before, and the old key opens nothing.
    let key = p.path().join(".heliu/key");
    let old = std::fs::read(&key).unwrap();
    let rotated = p.run(&["secret", "rotate", "--json"]).await.exits(0).json();
    assert_eq!(rotated, json!({"rotated": true, "secrets": 1, "tokens": 2}));
    p.run(&["run", "shops"]).await.exits(0);
    let new = std::fs::read(&key).unwrap();
    assert_ne!(new, old);
    std::fs::write(&key, old).unwrap();
    let refused = p.run(&["run", "shops"]).await.exits(3);
    assert!(refused.err.contains("HL-6010"), "{}", refused.err);
    std::fs::write(&key, &new).unwrap();
    // A key from the environment is replaced by one from there.
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    for (given, said) in [(None, "must be given"), (Some("abc"), "32 bytes in hex")] {
        let mut without = p.command(&["secret", "rotate"]);
        without.env("HELIU_KEY", hex(&new)).envs(given.map(|k| ("HELIU_NEW_KEY", k)));
        let out = without.output().await.unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && err.contains("HL-8029") && err.contains(said), "{out:?}");
        assert_eq!(std::fs::read(&key).unwrap(), new, "nothing changed");
    }
    let mut with = p.command(&["secret", "rotate"]);
    with.env("HELIU_KEY", hex(&new)).env("HELIU_NEW_KEY", hex(&[5; 32]));
    assert!(with.output().await.unwrap().status.success());
    let mut run = p.command(&["run", "shops"]);
    assert!(run.env("HELIU_KEY", hex(&[5; 32])).output().await.unwrap().status.success());
    let mut stale = p.command(&["run", "shops"]);
    assert_eq!(stale.env("HELIU_KEY", hex(&new)).output().await.unwrap().status.code(), Some(3));
    std::fs::write(&key, [5; 32]).unwrap();
    p.run(&["secret", "rm", "jst"]).await.exits(0);
    p.run(&["secret", "rm", "jst"]).await.exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_ends_with_a_next_step_and_only_near_names_are_proposed() {
    let p = crate::harness::Project::new();
    p.write("connectors/jst.toml", "platform = \"jushuitan\"\n[credentials]\napp_key = { env = \"NOT_SET_ANYWHERE\" }\napp_secret = \"x\"\n");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    for problem in a["problems"].as_array().unwrap() {
        assert!(problem["hint"].as_str().is_some_and(|h| !h.is_empty()), "{problem}");
    }
    for (args, near) in [
        (["explain", "foo"], None),
        (["explain", "HL-3071"], Some("HL-")),
        (["rnu", "shops"], Some("`run`")),
        (["run", "--form"], Some("`--from`")),
        (["worker", "--json"], Some("serve")),
        (["frobnicate", "x"], None),
    ] {
        let said = p.run(&args).await.exits(2);
        let said = format!("{}{}", said.out, said.err);
        match near {
            Some(near) => assert!(said.contains(near), "{args:?}: {said}"),
            None => assert!(!said.contains("did you mean"), "{args:?}: {said}"),
        }
    }
    let help = p.run(&["sandbox", "--help"]).await.exits(0).out;
    let unknown = p.run(&["sandbox", "nowhere"]).await.exits(2).err;
    let names = unknown.lines().next().unwrap().split("there are ").nth(1).unwrap();
    for name in names.split(", ") {
        assert!(help.contains(name), "{name} is not in the help");
    }
}
