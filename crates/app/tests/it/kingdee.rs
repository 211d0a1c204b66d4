//! Operations of Kingdee (金蝶云星空): what each sends, and what becomes of the documents.

use heliu_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::harness::{Project, number};
use crate::platforms::{fast, project, runs, stand_in};

/// A plan over numbers that were saved before; `target` is what becomes of them.
fn over_numbers(p: &Project, name: &str, target: &Value) {
    let db = rusqlite::Connection::open(p.path().join("bi.db")).unwrap();
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS todo (no TEXT PRIMARY KEY); INSERT OR IGNORE INTO todo VALUES ('P-1'), ('P-2'), ('P-3')",
    )
    .unwrap();
    let source = json!({"connector": "bi", "metadata": {"api": "select", "method": "SQL", "id": "no", "number": "no",
        "otherRequest": [{"field": "main_sql", "value": "SELECT no FROM todo ORDER BY no"}]}});
    p.plan(name, &json!({"source": source, "target": {"connector": "kingdee", "metadata": target}}));
}

fn kingdee_target(api: &str, operation: Option<&str>, request: Value, rows: u32) -> Value {
    let mut other = vec![json!({"field": "FormId", "value": "PUR_PurchaseOrder"})];
    other.extend(operation.map(|o| json!({"field": "Operation", "value": o})));
    json!({"api": api, "effect": "EXECUTE", "method": "POST", "idCheck": true, "request": request, "otherRequest": other,
        "operation": {"method": "batchArraySave", "rows": rows, "rowsKey": "array"}})
}

/// Calls of a plan's writes: service, and body.
async fn services(p: &Project, plan: &str) -> Vec<(String, Value)> {
    let calls = p.run(&["calls", plan, "--json"]).await.exits(0).lines();
    let mut list = Vec::new();
    for call in calls.iter().filter(|c| c["kind"] == "write") {
        let id = call["id"].to_string();
        let call = p.run(&["calls", plan, "--id", &id, "--json"]).await.exits(0).json();
        let service = call["url"].as_str().unwrap().split("DynamicFormService.").nth(1).unwrap();
        let body = serde_json::from_str(call["request_body"].as_str().unwrap()).unwrap();
        list.push((service.split('.').next().unwrap().to_owned(), body));
    }
    list.sort_by_key(|(s, b)| format!("{s}{b}"));
    list
}

/// What each operation sends, and what becomes of the documents: a document's whole life in the stand-in.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_kingdee_does_what_it_says() {
    let k3 = stand_in("kingdee", 0, "").await;
    let p = project("kingdee-orders-to-bi", &[("kingdee", fast(&k3))]);
    let document = json!([{"field": "FBillNo", "value": "{{no}}"},
        {"field": "FSupplierId", "value": "S-01", "parser": {"name": "ConvertObjectParser", "params": "FNumber"}}]);
    let numbers =
        json!([{"field": "Numbers", "value": "{{no}}", "parser": {"name": "StringToArray", "params": ","}}]);
    let status = |k3: &Sandbox| -> Vec<String> {
        let saved = k3.records("saved");
        saved.iter().map(|(n, b)| format!("{n} {}", b["FDocumentStatus"].as_str().unwrap())).collect()
    };
    // name, api, operation, holds the content, service, calls, documents afterwards
    type Case = (
        &'static str,
        &'static str,
        Option<&'static str>,
        bool,
        &'static str,
        usize,
        &'static [&'static str],
    );
    let cases: [Case; 11] = [
        ("draft", "batchSave", Some("Draft"), true, "Draft", 3, &["P-1 Z", "P-2 Z", "P-3 Z"]),
        ("remove", "batchSave", Some("Delete"), false, "Delete", 3, &[]),
        ("save", "batchSave", None, true, "BatchSave", 1, &["P-1 A", "P-2 A", "P-3 A"]),
        ("submit", "batchSave", Some("Submit"), false, "Submit", 3, &["P-1 B", "P-2 B", "P-3 B"]),
        ("audit", "audit", None, false, "Audit", 3, &["P-1 C", "P-2 C", "P-3 C"]),
        ("back", "batchSave", Some("unaudit"), false, "UnAudit", 3, &["P-1 D", "P-2 D", "P-3 D"]),
        (
            "cancel",
            "excuteOperation",
            Some("Cancel"),
            false,
            "ExcuteOperation",
            3,
            &["P-1 D", "P-2 D", "P-3 D"],
        ),
        ("clear", "delete", None, false, "Delete", 3, &[]),
        // The form that is published most: its rows decide how many a call carries.
        ("saves", "batchSave", Some("Save"), true, "BatchSave", 1, &["P-1 A", "P-2 A", "P-3 A"]),
        ("clear-saved", "delete", None, false, "Delete", 3, &[]),
        ("approve", "batchSave", Some("Audit"), true, "BatchSave", 1, &["P-1 C", "P-2 C", "P-3 C"]),
    ];
    for (name, api, operation, content, service, calls, after) in cases {
        let request = if content { document.clone() } else { numbers.clone() };
        over_numbers(&p, name, &kingdee_target(api, operation, request, 20));
        p.run(&["check", name]).await.exits(0);
        let run = runs(&p, name, 0).await;
        assert_eq!(number(&run, "/target/written"), 3, "{name}: {run}");
        let sent = services(&p, name).await;
        assert_eq!(sent.len(), calls, "{name}: {sent:?}");
        assert!(
            sent.iter().all(|(s, b)| s == service && b["formid"] == "PUR_PurchaseOrder"),
            "{name}: {sent:?}"
        );
        let data = &sent[0].1["data"];
        match (name, calls, content) {
            ("draft", ..) => assert_eq!(data["Model"]["FBillNo"], "P-1"),
            (_, 1, _) => assert_eq!(data["Model"].as_array().unwrap().len(), 3),
            _ => assert_eq!((&data["Numbers"], &data["Model"]), (&json!(["P-1"]), &Value::Null), "{name}"),
        }
        if name == "cancel" {
            assert_eq!(sent[0].1["opNumber"], "Cancel");
            assert!(k3.records("saved").values().all(|b| b["FCancelStatus"] == "B"));
        }
        assert_eq!(status(&k3), after, "{name}");
    }
    let push = json!([{"field": "Numbers", "value": ["{{no}}"]}, {"field": "RuleId", "value": "PUR_PurchaseOrder-STK_InStock"}]);
    over_numbers(&p, "push", &kingdee_target("push", None, push, 1));
    runs(&p, "push", 0).await;
    assert_eq!(services(&p, "push").await[2].1["data"]["RuleId"], "PUR_PurchaseOrder-STK_InStock");
    assert_eq!(k3.records("saved").len(), 6, "each has its successor");
    // What is refused is refused alone, and the record says why.
    over_numbers(&p, "again", &kingdee_target("audit", None, numbers.clone(), 20));
    let run = runs(&p, "again", 1).await;
    assert_eq!(number(&run, "/target/failed"), 3);
    let failed = p.run(&["records", "again", "--state", "failed", "--json"]).await.exits(0);
    assert!(failed.lines().iter().all(|r| r["reason"].to_string().contains("状态不允许")), "{failed:?}");
}

/// A lost answer to a submission or an approval: the document's state tells, and nothing is done twice or left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_an_operation_of_kingdee_is_looked_up() {
    // Calls: 1 saves, then 2 to 4 submit; one more is a look-up, then come 6 to 8.
    let k3 = stand_in("kingdee", 5, "reset-after@3,504@7").await;
    let p = project("kingdee-orders-to-bi", &[("kingdee", fast(&k3))]);
    let document = json!([{"field": "FBillNo", "value": "{{no}}"},
        {"field": "FSupplierId", "value": "S-01", "parser": {"name": "ConvertObjectParser", "params": "FNumber"}}]);
    let numbers =
        json!([{"field": "Numbers", "value": "{{no}}", "parser": {"name": "StringToArray", "params": ","}}]);
    for (name, api, request) in
        [("save", "batchSave", &document), ("submit", "submit", &numbers), ("audit", "audit", &numbers)]
    {
        over_numbers(&p, name, &kingdee_target(api, None, request.clone(), 20));
        let run = runs(&p, name, 0).await;
        assert_eq!(
            (number(&run, "/target/written"), number(&run, "/target/in_doubt")),
            (3, 0),
            "{name}: {run}"
        );
    }
    let saved = k3.records("saved");
    assert!(saved.len() == 3 && saved.values().all(|b| b["FDocumentStatus"] == "C"), "{saved:?}");
    for name in ["submit", "audit"] {
        let calls = p.run(&["calls", name, "--json"]).await.exits(0).lines();
        assert_eq!(calls.iter().filter(|c| c["kind"] == "write").count(), 3, "{name}");
        assert!(calls.iter().any(|c| c["kind"] == "look_up"), "{name}");
    }
}

/// Save and submit are two calls; and a misspelt operation is not sent as one.
#[tokio::test]
async fn operations_that_cannot_be_done_are_said_before_anything_is_sent() {
    let p = project("kingdee-orders-to-bi", &[]);
    p.write("connectors/kingdee.toml", "platform = \"kingdee\"\nbase_url = \"http://127.0.0.1:9/k3cloud\"\n[credentials]\nacct_id = \"a\"\nuser_name = \"u\"\napp_id = \"i\"\napp_secret = \"s\"\n");
    let document = json!([{"field": "FBillNo", "value": "{{no}}"}]);
    for (operation, words) in
        [("Submit", "Numbers"), ("Sav", "Save"), ("{{op}}", "constant"), ("UndoToRelease", "Numbers")]
    {
        over_numbers(&p, "plan", &kingdee_target("batchSave", Some(operation), document.clone(), 20));
        let found = p.run(&["check", "plan", "--json", "--lang", "en"]).await.exits(2).json();
        let problem = found["problems"].as_array().unwrap().iter().find(|p| p["code"] == "HL-1097");
        let problem = problem.unwrap_or_else(|| panic!("{operation}: {found}"));
        assert_eq!(problem["path"], "target.metadata.otherRequest[1].value");
        assert!(problem.to_string().contains(words), "{operation}: {problem}");
        p.run(&["run", "plan"]).await.exits(2);
    }
    for operation in ["Save", "save", "BatchSave", "Draft", "AUDIT", ""] {
        over_numbers(&p, "plan", &kingdee_target("batchSave", Some(operation), document.clone(), 20));
        p.run(&["check", "plan"]).await.exits(0);
    }
}
