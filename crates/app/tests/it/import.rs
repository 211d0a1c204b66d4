//! `import`: published text into plan files that check and preview.

use serde_json::{Value, json};

use crate::harness::{Project, sandbox, with_input};

const ARTICLE: &str = r#"店铺同步

```json
{
  "api": "/open/shops/query", "method": "POST", "number": "shop_name", "id": "shop_id",
  “pagination”: { "pageSize": 100 },
  "idCheck": true,
  "request": [
    { "field": "nicks", "label": "主账号", "type": "array" },
  ]
}
```

写入表:

{ "api": "batchexecute", "effect": "EXECUTE", "method": "POST", "idCheck": true,
  "request": [
    {"field":"shop_id","label":"编号","type":"string","value":"{shop_id}"},
    {"field":"shop_name","label":"名称","type":"string","value":"{shop_name}"},
    {"field":"nick","label":
![图](https://example.test/a.png)
"#;

fn codes(answer: &Value) -> Vec<&str> {
    answer["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_becomes_a_plan_that_previews() {
    let sandbox = sandbox(10, "").await;
    let p = Project::new();
    p.connect(&sandbox);
    let article = p.write("店铺.txt", ARTICLE);
    let article = article.to_str().unwrap();
    let a = p.run(&["import", article, "--json", "--target", "qeasy"]).await.exits(0).json();
    assert_eq!(a["file"], "plans/店铺.json");
    assert_eq!(a["plan"]["source"]["connector"], "jst");
    assert_eq!(a["plan"]["target"]["metadata"]["request"].as_array().unwrap().len(), 2);
    let kinds: Vec<&str> =
        a["repairs"].as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["quote", "extra_comma", "cut", "cut"]);
    assert_eq!((&a["repairs"][0]["line"], &a["repairs"][0]["column"]), (&json!(6), &json!(3)));
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(p.path().join("plans/店铺.json")).unwrap()).unwrap();
    assert_eq!(file, a["plan"]);
    // Never replaced unasked; with --force it is.
    let again = p.run(&["import", article]).await.exits(2);
    assert!(again.err.contains("HL-1509") && again.err.contains("--force"), "{}", again.err);
    p.write("connectors/bi.toml", "platform = \"sqlite\"\npath = \"bi.db\"\n");
    let a = p.run(&["import", article, "--force", "--json"]).await.exits(0).json();
    assert_eq!(a["plan"]["target"]["connector"], "bi", "the project's only database");
    // Once the statement is given, the plan shows what it would send.
    let mut plan = a["plan"].clone();
    plan["target"]["metadata"]["otherRequest"] =
        json!([{"field": "main_sql", "value": "REPLACE INTO shop (shop_id, shop_name) VALUES"}]);
    p.plan("店铺", &plan);
    p.run(&["check"]).await.exits(0);
    let a = p.run(&["preview", "店铺", "--json"]).await.exits(0).json();
    assert!(a["source"]["url"].as_str().unwrap().contains("/open/shops/query"), "{a}");
    assert_eq!(sandbox.calls(), 0);
}

#[tokio::test]
async fn what_is_missing_is_proposed() {
    let p = Project::new();
    let article = p.write("a.txt", ARTICLE);
    let a = p.run(&["import", article.to_str().unwrap(), "--print", "--json"]).await.exits(0).json();
    assert!(codes(&a).contains(&"HL-5001"), "{a}");
    let hint =
        a["problems"].as_array().unwrap().iter().find(|p| p["code"] == "HL-5001").unwrap()["hint"].clone();
    assert!(
        hint.as_str().unwrap().contains("REPLACE INTO `your_table` (`shop_id`, `shop_name`) VALUES"),
        "{hint}"
    );
    assert_eq!(a["file"], Value::Null);
    assert!(!p.path().join("plans/a.json").exists());
}

#[tokio::test]
async fn several_plans_and_standard_input() {
    let p = Project::new();
    let dir = p.path().to_str().unwrap();
    let text = r#"{"api":"/a","method":"GET","id":"x","number":"x"} {"api":"写入空操作","effect":"EXECUTE"}
                  {"api":"/b","method":"GET","id":"x","number":"x"} {"api":"写入空操作","effect":"EXECUTE"}"#;
    let a = with_input(&["--project", dir, "import", "-", "--source", "h", "--json"], text).await.exits(0);
    let files: Vec<Value> = a.lines().iter().map(|l| l["file"].clone()).collect();
    assert_eq!(files, ["plans/imported.json", "plans/imported-2.json"]);
    let none = with_input(&["--project", dir, "import", "-", "-o", "x.json"], "no metadata").await.exits(2);
    assert!(none.err.contains("HL-1502"), "{}", none.err);
    // For people: what was written, what was mended, what is next.
    let words = with_input(&["--project", dir, "import", "-", "--force"], ARTICLE).await.exits(0);
    for part in ["+ plans/imported.json", "line 6, column 3", "HL-5001", "incomplete, and left out"] {
        assert!(words.out.contains(part), "{part}: {}", words.out);
    }
}

#[tokio::test]
async fn templates_and_maps_come_and_go() {
    let p = Project::new();
    let plan = json!({"source": {"connector": "a", "metadata": {"api": "/a", "id": "x", "request": [{"field": "q", "type": "string", "label": "问", "value": "{{CURRENT_TIME|date}}"}]}},
        "target": {"connector": "b", "metadata": {"api": "/b", "request": [{"field": "o", "type": "object", "label": "o", "children": [{"field": "p", "type": "int", "label": "p", "value": "1"}]}]}}});
    let file = p.write("plan.json", &plan.to_string());
    let xlsx = p.path().join("out.xlsx");
    let (file, xlsx) = (file.to_str().unwrap(), xlsx.to_str().unwrap());
    let a = p.run(&["import", file, "--to-xlsx", xlsx, "--json"]).await.exits(0).json();
    assert_eq!(a["sheets"], json!(["source", "target"]));
    p.run(&["import", file, "--to-xlsx", xlsx]).await.exits(2);
    let a = p
        .run(&["import", xlsx, "--api", "/c", "--side", "target", "--print", "--json"])
        .await
        .exits(0)
        .json();
    let request = &a["plan"]["target"]["metadata"]["request"];
    assert_eq!(request[1], plan["target"]["metadata"]["request"][0]);
    assert_eq!(request[0]["value"], "{{CURRENT_TIME|date}}");
    let a = p.run(&["import", xlsx, "--print", "--json"]).await.exits(0).json();
    assert!(codes(&a).contains(&"HL-2003"), "{a}");
    let map = p.write("m.txt", "C001\t10001\nC002\t10002\n");
    let a = p.run(&["import", map.to_str().unwrap(), "--map", "shops", "--json"]).await.exits(0).json();
    assert_eq!(a, json!({"map": "shops", "file": "maps/shops.csv", "rows": 2}));
    let bad = p.write("bad.csv", "C001\n");
    p.run(&["import", bad.to_str().unwrap(), "--map", "x"]).await.exits(2);
    p.run(&["import", map.to_str().unwrap(), "--map", "../x"]).await.exits(2);
    p.write("maps/broken.csv", "only\n");
    let a = p.run(&["check", "--json"]).await.exits(2).json();
    assert_eq!(a["problems"][0]["file"], "maps/broken.csv");
}
