//! Replies with status 200 that show no list: some say that there is nothing, some say nothing at all. Only the first
//! ones may move the watermark.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::http::{documents, plan, project, rows, slice, wanted};
use crate::stub::{Reply, Stub};

/// One repetition only, so that a test does not wait long; and more keys of the plan.
fn hasty(p: &Project, name: &str, more: Value) {
    let file = p.path().join(format!("plans/{name}.json"));
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    plan["retries"] = json!(1);
    for (k, v) in more.as_object().unwrap() {
        plan[k] = v.clone();
    }
    p.plan(name, &plan);
}

fn codes(a: &Value) -> Vec<&str> {
    a["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect()
}

async fn watermark(p: &Project, name: &str) -> Value {
    p.run(&["watermark", name, "--json"]).await.exits(0).json()["watermark"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_that_there_is_nothing_moves_the_watermark() {
    let list = |name: &str, value: &str| json!({"field": name, "value": value});
    // Status, body, otherResponse, and whether the place of the list remains a question.
    let cases = [
        (200, "[]", json!([]), false),
        (200, "{}", json!([]), true),
        (200, "null", json!([]), true),
        (200, r#"{"data":[]}"#, json!([]), false),
        (200, r#"{"data":null}"#, json!([]), false),
        (200, r#"{"requestId":"x","data":null}"#, json!([]), false),
        (200, r#"{"data":{}}"#, json!([]), false),
        (200, r#"{"code":0,"data":null}"#, json!([]), false),
        (200, r#"{"code":0,"message":"no shops","data":null}"#, json!([]), false),
        (200, r#"{"code":0,"data":{"list":[]}}"#, json!([]), false),
        (200, r#"{"code":0,"msg":"ok"}"#, json!([]), true),
        (200, r#"{"success":true}"#, json!([]), true),
        (200, r#"{"status":"success","data":null,"message":"nothing new"}"#, json!([]), false),
        (200, r#"{"message":"ok"}"#, json!([]), true),
        (200, r#"{"total":0,"message":"nothing here"}"#, json!([]), false),
        (200, r#"{"has_more":false,"message":"nothing here"}"#, json!([]), true),
        (200, r#"{"message":"nothing here","list":[]}"#, json!([]), false),
        (200, r#"{"code":0}"#, json!([list("DataKey", "data/rows")]), true),
        (204, "", json!([]), false),
        // Declared in the document.
        (
            200,
            r#"{"message":"nothing here"}"#,
            json!([list("StatusKey", "message"), list("StatusValue", "nothing here")]),
            true,
        ),
        (200, r#"{"state":"D1"}"#, json!([list("StatusKey", "state"), list("StatusValue", "D1")]), true),
    ];
    for (status, body, other, asked) in cases {
        let stub = Stub::new(move |_| Reply::text(status, body)).await;
        let p = project(&stub.url, "");
        plan(&p, "none", json!({"otherResponse": other}));
        hasty(&p, "none", json!({}));
        let a = p.run(&["run", "none", "--json"]).await.exits(0).json();
        balances(&a);
        assert_eq!(a["complete"], true, "{body}: {a}");
        assert_eq!(codes(&a) == ["HL-3013"], asked, "{body}: {a}");
        assert_eq!((number(&a, "/source/returned"), stub.calls()), (0, 1), "{body}: {a}");
        assert_eq!(watermark(&p, "none").await, a["window"]["to"], "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_holds_the_watermark_back() {
    let key = json!([{"field": "DataKey", "value": "data/rows"}]);
    let cases = [
        (r#"{"message":"nothing here"}"#, json!([])),
        ("42", json!([])),
        (r#""ok?""#, json!([])),
        (r#"{"message":"no right to see shops","data":null}"#, json!([])),
        (r#"{"message":"no right to see shops","data":{}}"#, json!([])),
        (r#"{"error":{"detail":"x"},"data":null}"#, json!([])),
        (r#"{"errors":[{"message":"field unknown"}],"data":null}"#, json!([])),
        (r#"{"errors":[{"message":"field unknown"}]}"#, json!([])),
        (r#"{"data":{"reason":"busy"}}"#, json!([])),
        (r#"{"data":{"reason":"busy"}}"#, key.clone()),
        (r#"{"message":"no right","data":{"rows":null}}"#, key),
        (r#"{"page":1,"pageSize":100}"#, json!([])),
    ];
    for (body, other) in cases {
        let stub = Stub::new(move |_| Reply::text(200, body)).await;
        let p = project(&stub.url, "");
        plan(&p, "riddle", json!({"otherResponse": other}));
        hasty(&p, "riddle", json!({}));
        let a = p.run(&["run", "riddle", "--json"]).await.exits(1).json();
        assert_eq!(codes(&a), ["HL-3015"], "{body}: {a}");
        assert_eq!((&a["complete"], &a["certificate"]["balanced"]), (&json!(false), &json!(false)), "{a}");
        assert_eq!(watermark(&p, "riddle").await, Value::Null, "{body}");
        // It might have been a passing fault.
        assert_eq!((stub.calls(), number(&a, "/source/retried")), (2, 1), "{body}");
        let calls = p.run(&["calls", "riddle", "--json"]).await.exits(0).lines();
        assert!(calls.iter().all(|c| c.to_string().contains("HL-3015")), "{calls:?}");
        // The state that a person sees stays until a run has read the window.
        p.run(&["certificate", "riddle"]).await.exits(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_in_the_midst_of_pages_is_no_end_of_them() {
    let all = Arc::new(documents(53));
    let (served, asked) = (all.clone(), Arc::new(AtomicUsize::new(0)));
    let (times, faults) = (asked.clone(), Arc::new(AtomicUsize::new(4)));
    let bad = faults.clone();
    let stub = Stub::new(move |s| {
        let page = s.number("page", 1);
        if page == 3 {
            times.fetch_add(1, Ordering::SeqCst);
            if bad.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                return Reply::text(200, r#"{"message":"server busy"}"#);
            }
        }
        Reply::json(&json!({"rows": slice(&served, (page - 1) * 10, 10)}))
    })
    .await;
    let p = project(&stub.url, "[limits]\nconcurrency = 1\n");
    let request = json!([
        {"field": "page", "value": "{PAGINATION_START_PAGE}"},
        {"field": "pageSize", "value": "{PAGINATION_PAGE_SIZE}"}]);
    plan(&p, "paged", json!({"request": request, "pagination": {"pageSize": 10}}));
    hasty(&p, "paged", json!({}));
    // It stays: what was read before it is written, the rest is not given up.
    let a = p.run(&["run", "paged", "--json"]).await.exits(1).json();
    assert_eq!(codes(&a), ["HL-3015"], "{a}");
    assert_eq!((rows(&p).len(), watermark(&p, "paged").await), (20, Value::Null), "{a}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // It passes while the page is asked for again.
    faults.store(1, Ordering::SeqCst);
    let a = p.run(&["run", "paged", "--json"]).await.exits(0).json();
    balances(&a);
    assert_eq!((codes(&a).len(), number(&a, "/source/retried")), (0, 1), "{a}");
    assert_eq!(rows(&p), wanted(&all));
    assert_eq!(watermark(&p, "paged").await, a["window"]["to"]);
    p.run(&["certificate", "paged"]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_windows_are_read_and_the_watermark_never_passes_the_riddle() {
    let all = documents(3);
    let served = all.clone();
    let stub = Stub::new(move |s| match s.get("day") {
        Some("2024-03-02") => Reply::text(200, r#"{"message":"nothing here"}"#),
        Some("2024-03-01") => Reply::json(&json!({"rows": slice(&served, 0, 2)})),
        Some("2024-03-04") => Reply::json(&json!({"rows": slice(&served, 2, 1)})),
        _ => Reply::json(&json!({"rows": []})),
    })
    .await;
    let p = project(&stub.url, "");
    let day = json!([{"field": "day", "value": "_function LEFT('{{LAST_SYNC_TIME|datetime}}', 10)"}]);
    plan(&p, "days", json!({"request": day}));
    hasty(&p, "days", json!({"window": "1d"}));
    let range = ["run", "days", "--from", "2024-03-01", "--to", "2024-03-06", "--json"];
    let a = p.run(&range).await.exits(1).json();
    let whole: Vec<&Value> = a["windows"].as_array().unwrap().iter().map(|w| &w["complete"]).collect();
    assert_eq!(whole, [true, false, true, true, true], "{a}");
    assert_eq!((rows(&p), codes(&a)), (wanted(&all), vec!["HL-3015"]), "{a}");

    // Along the watermark it stays before the day that says nothing.
    p.run(&["watermark", "days", "--set", "2024-03-01 00:00:00"]).await.exits(0);
    hasty(&p, "days", json!({"lookback": "0s"}));
    p.run(&["run", "days", "--source-only", "-q"]).await.exits(1);
    let mark = watermark(&p, "days").await;
    assert!(mark.as_str().unwrap().starts_with("2024-03-02T00:00:00"), "{mark}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_trusted_may_say_nothing() {
    let stub = Stub::new(move |_| Reply::text(200, r#"{"trace":"a8","kind":"shops"}"#)).await;
    let p = project(&stub.url, "");
    plan(&p, "quiet", json!({}));
    hasty(&p, "quiet", json!({"verify": "off"}));
    let a = p.run(&["run", "quiet", "--json"]).await.exits(0).json();
    assert_eq!((codes(&a), stub.calls()), (vec!["HL-3015"], 1), "{a}");
    assert_eq!(watermark(&p, "quiet").await, a["window"]["to"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_without_a_list_is_not_nothing() {
    let stub = Stub::new(move |_| Reply::text(200, r#"{"code":0,"total":5}"#)).await;
    let p = project(&stub.url, "");
    plan(&p, "odd", json!({}));
    let a = p.run(&["run", "odd", "--json"]).await.exits(1).json();
    assert_eq!((a["complete"].clone(), watermark(&p, "odd").await), (json!(false), Value::Null), "{a}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_the_record_is_stored() {
    // Interfaces that answer with one object (dialect §5.2): it holds the key, or its place is named.
    let one = json!({"id": 7, "title": "t", "sum": "1"});
    for (body, other) in [
        (one.clone(), json!([])),
        (json!({"data": one}), json!([])),
        (json!({"data": one}), json!([{"field": "DataKey", "value": "data"}])),
        (json!({"mine": one}), json!([{"field": "x", "value": "mine"}])),
    ] {
        let stub = Stub::new(move |_| Reply::json(&body)).await;
        let p = project(&stub.url, "");
        plan(&p, "one", json!({"otherResponse": other}));
        let a = p.run(&["run", "one", "--json"]).await.exits(0).json();
        balances(&a);
        assert_eq!((codes(&a).len(), rows(&p).len()), (0, 1), "{a}");
        assert_eq!(watermark(&p, "one").await, a["window"]["to"]);
    }
}
