//! HTTP targets: one request a record or lists of them, and what every kind of answer means (interface §3.3).

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::{Project, balances, number};
use crate::stub::{Reply, Seen, Stub};

const SOURCE: usize = 7;

fn bill(i: usize, v: usize) -> Value {
    json!({"id": format!("B{i}"), "no": format!("N{i}"), "sum": format!("{i}.{v}0"), "v": v})
}

/// A source of seven bills whose version the test sets.
async fn source(p: &Project, version: Arc<Mutex<usize>>) -> Stub {
    let stub = Stub::new(move |_| {
        let v = *version.lock().unwrap();
        Reply::json(&json!((1..=SOURCE).map(|i| bill(i, v)).collect::<Vec<_>>()))
    })
    .await;
    p.write("connectors/from.toml", &format!("platform = \"http\"\nbase_url = \"{}\"\n", stub.url));
    stub
}

fn plan(p: &Project, keys: Value, target: Value) {
    let mut metadata = json!({"api": "/bills/save", "method": "POST", "request": [
        {"field": "bill_no", "value": "{{no}}"}, {"field": "amount", "type": "float", "value": "{{sum}}"}, {"field": "v", "value": "{{v}}"}]});
    for (k, v) in target.as_object().unwrap() {
        metadata[k] = v.clone();
    }
    let mut plan = json!({"source": {"connector": "from", "metadata": {"api": "/b", "method": "GET", "id": "id", "number": "no"}},
        "target": {"connector": "to", "metadata": metadata}});
    for (k, v) in keys.as_object().unwrap() {
        plan[k] = v.clone();
    }
    p.plan("bills", &plan);
}

struct World {
    p: Project,
    version: Arc<Mutex<usize>>,
    to: Stub,
    _from: Stub,
}

async fn world(keys: Value, target: Value, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> World {
    let p = Project::new();
    let version = Arc::new(Mutex::new(1));
    let from = source(&p, version.clone()).await;
    let to = Stub::new(answer).await;
    p.write("connectors/to.toml", &format!("platform = \"http\"\nbase_url = \"{}/api\"\n", to.url));
    plan(&p, keys, target);
    World { p, version, to, _from: from }
}

fn of(seen: &Seen) -> String {
    seen.json()["bill_no"].as_str().unwrap_or_default().to_owned()
}

fn bodies(stub: &Stub) -> Vec<Value> {
    stub.log().iter().map(Seen::json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_operation_each_record_is_a_request() {
    let w = world(json!({}), json!({}), |s| {
        Reply::json(&json!({"code": 0, "data": {"billId": format!("T-{}", of(s))}}))
    })
    .await;
    let run = w.p.run(&["run", "bills", "--json"]).await.exits(0).json();
    balances(&run);
    assert_eq!((number(&run, "/target/calls"), number(&run, "/target/written")), (7, 7));
    assert_eq!(bodies(&w.to)[0], json!({"bill_no": "N1", "amount": 1.10, "v": 1}));
    assert!(w.to.log().iter().all(|s| s.method == "POST" && s.path == "/api/bills/save"));
    // What the target answered stands beside the record.
    let one = w.p.run(&["records", "bills", "--id", "B3", "--json"]).await.exits(0).json();
    assert!(one["response"].as_str().unwrap().contains("T-N3"), "{one}");
    // Nothing changed: nothing is sent. One changed: one is sent.
    w.p.run(&["run", "bills"]).await.exits(0);
    assert_eq!(w.to.calls(), 7);
    *w.version.lock().unwrap() = 2;
    let run = w.p.run(&["run", "bills", "--json"]).await.exits(0).json();
    assert_eq!((number(&run, "/records/changed"), w.to.calls()), (7, 14));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_cut_by_rows_and_answers_are_told_apart_by_position() {
    let target = json!({"operation": {"method": "batchArraySave", "rows": 3, "rowsKey": "array"},
        "otherRequest": [{"field": "key", "value": "bills"}, {"field": "shop", "value": "S1"}]});
    let w = world(json!({}), target, |s| {
        let list = s.json()["bills"].as_array().unwrap().clone();
        let results: Vec<Value> = list
            .iter()
            .map(|b| json!({"issuccess": b["bill_no"] != "N5", "msg": if b["bill_no"] == "N5" { "stock is short" } else { "" }}))
            .collect();
        Reply::json(&json!({"code": 0, "data": {"datas": results}}))
    })
    .await;
    let run = w.p.run(&["run", "bills", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!((number(&run, "/target/written"), number(&run, "/target/failed")), (6, 1), "{run}");
    let sizes: Vec<usize> = bodies(&w.to).iter().map(|b| b["bills"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(bodies(&w.to)[2]["shop"], "S1");
    let failed = w.p.run(&["records", "bills", "--state", "failed", "--json"]).await.exits(0).json();
    assert_eq!(failed["id"], "B5");
    assert!(failed["reason"].as_str().unwrap().contains("stock is short"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_say_what_they_are_are_repeated_and_cost_no_record() {
    for (status, body) in
        [(429, "{}"), (503, "<html>busy</html>"), (500, r#"{"code":"E1","message":"try again"}"#)]
    {
        let left = Mutex::new(2);
        let w = world(json!({}), json!({}), move |s| {
            let mut left = left.lock().unwrap();
            if of(s) == "N2" && *left > 0 {
                *left -= 1;
                return Reply::text(status, body).with("retry-after", "0");
            }
            Reply::json(&json!({"code": 0}))
        })
        .await;
        let run = w.p.run(&["run", "bills", "--json"]).await.exits(0).json();
        balances(&run);
        assert_eq!(w.to.log().iter().filter(|s| of(s) == "N2").count(), 3, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_say_nothing_leave_the_record_in_doubt_and_are_not_repeated() {
    for (status, body) in [
        (502, "<html>bad gateway</html>"),
        (504, ""),
        (500, "<html>oops</html>"),
        (200, "<html>sign in</html>"),
    ] {
        let w = world(json!({}), json!({}), move |s| {
            if of(s) == "N4" && s.json()["v"] == 1 {
                Reply::text(status, body)
            } else {
                Reply::json(&json!({"code": 0}))
            }
        })
        .await;
        let run = w.p.run(&["run", "bills", "--json"]).await.exits(1).json();
        balances(&run);
        assert_eq!(
            (number(&run, "/target/in_doubt"), number(&run, "/target/written")),
            (1, 6),
            "{status}: {run}"
        );
        assert_eq!(w.to.log().iter().filter(|s| of(s) == "N4").count(), 1, "{status}");
        let one = w.p.run(&["records", "bills", "--state", "in_doubt", "--json"]).await.exits(0).json();
        assert!(one["id"] == "B4" && one["code"].is_string() && one["reason"].is_string(), "{one}");
        // The doubt stays; new content is stored and not sent.
        w.p.run(&["run", "bills"]).await.exits(1);
        *w.version.lock().unwrap() = 2;
        let run = w.p.run(&["run", "bills", "--json"]).await.exits(1).json();
        balances(&run);
        assert_eq!((number(&run, "/records/changed"), number(&run, "/target/in_doubt")), (7, 1), "{run}");
        assert!(!w.to.log().iter().any(|s| of(s) == "N4" && s.json()["v"] == 2));
        // A person looked it up and lets it go: the newest content is sent, once.
        let back = w.p.run(&["retry", "bills", "--state", "in-doubt", "--json"]).await.exits(0).json();
        assert_eq!(back["put_back"], 1);
        w.p.run(&["run", "bills", "--target-only"]).await.exits(0);
        let sent: Vec<Value> = bodies(&w.to).into_iter().filter(|b| b["bill_no"] == "N4").collect();
        assert_eq!((sent.len(), &sent[1]["v"]), (2, &json!(2)), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_one_record_fail_it_and_refusals_of_the_account_end_the_run() {
    let w = world(json!({}), json!({}), |s| match of(s).as_str() {
        "N2" => Reply::json(&json!({"code": 4001, "message": "no such shop"})),
        "N3" => Reply::text(422, r#"{"message":"amount is odd"}"#),
        _ => Reply::json(&json!({"code": 0})),
    })
    .await;
    let run = w.p.run(&["run", "bills", "--json"]).await.exits(1).json();
    balances(&run);
    assert_eq!((number(&run, "/target/failed"), number(&run, "/target/written")), (2, 5), "{run}");
    let failed = w.p.run(&["records", "bills", "--state", "failed"]).await.exits(0).out;
    assert!(failed.contains("no such shop") && failed.contains("amount is odd"), "{failed}");
    let w = world(json!({}), json!({}), |_| Reply::text(403, r#"{"message":"not on the list"}"#)).await;
    let run = w.p.run(&["run", "bills", "--json"]).await.exits(3).json();
    assert!(run["error"]["message"].as_str().unwrap().contains("not on the list"), "{run}");
    assert_eq!((number(&run, "/target/failed"), number(&run, "/target/waiting")), (0, 7), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_runs_a_passing_failure_is_final() {
    let w = world(json!({"retries": 0, "maxAttempts": 2}), json!({}), |s| {
        if of(s) == "N6" {
            Reply::text(500, r#"{"message":"try later"}"#)
        } else {
            Reply::json(&json!({"code": 0}))
        }
    })
    .await;
    let run = w.p.run(&["run", "bills", "--json"]).await.exits(3).json();
    assert!(number(&run, "/target/waiting") >= 1, "{run}");
    let last = w.p.run(&["run", "bills", "--json"]).await;
    assert!(last.code == 1 || last.code == 3, "{last:?}");
    let failed = w.p.run(&["records", "bills", "--state", "failed", "--json"]).await.exits(0).lines();
    assert_eq!(failed.iter().map(|r| r["id"].as_str().unwrap()).collect::<Vec<_>>(), ["B6"], "{last:?}");
    w.p.run(&["run", "bills"]).await.exits(1);
    let states = w.p.run(&["status", "bills", "--json"]).await.exits(0).json();
    assert_eq!((&states["records"]["written"], &states["backlog"]), (&json!(6), &json!(0)), "{states}");
}

/// What becomes of seven records sent as one list, as `id state` of those that are not written.
async fn open_ends(w: &World) -> Vec<String> {
    let run = w.p.run(&["run", "bills", "--json"]).await;
    let code = run.code;
    balances(&run.json());
    let records = w.p.run(&["records", "bills", "--json"]).await.exits(0).lines();
    let mut open: Vec<String> = records
        .iter()
        .filter(|r| r["state"] != "written")
        .map(|r| format!("{} {}", r["id"].as_str().unwrap(), r["state"].as_str().unwrap()))
        .collect();
    open.sort();
    assert_eq!(code, i32::from(!open.is_empty()), "{open:?}");
    open
}

fn all(state: &str) -> Vec<String> {
    (1..=SOURCE).map(|i| format!("B{i} {state}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_without_a_manifest_are_told_apart_by_index_and_silence_is_no_success() {
    let list = json!({"operation": {"method": "batchArraySave", "rows": 7, "rowsKey": "array"},
        "otherRequest": [{"field": "key", "value": "bills"}]});
    let told = |i: usize, ok: bool| json!({"billIndex": i, "billStatus": ok, "message": "stock is short"});
    let whole: Vec<Value> = (0..SOURCE).rev().map(|i| told(i, i != 2)).collect();
    let but_one: Vec<Value> = whole.iter().filter(|r| r["billIndex"] != 4).cloned().collect();
    for (reply, open) in [
        // In another order than they were sent; one is not spoken of; only the refusal is.
        (json!({"code": 0, "result": whole}), vec!["B3 failed".to_owned()]),
        (json!({"code": 0, "result": but_one}), vec!["B3 failed".to_owned(), "B5 in_doubt".to_owned()]),
        (json!({"code": 0, "result": [told(0, true), told(9, true)]}), Vec::new()),
        (json!({"code": 0, "data": [{"success": true}]}), Vec::new()),
        (json!({"code": 0, "data": []}), Vec::new()),
        // Somebody was refused, and nothing tells who.
        (json!({"code": 0, "data": [{"success": true}, {"success": false}]}), all("in_doubt")),
    ] {
        let w = world(json!({}), list.clone(), move |_| Reply::json(&reply)).await;
        assert_eq!(open_ends(&w).await, open, "{:?}", bodies(&w.to));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_result_of_a_single_write_may_be_a_refusal() {
    let w = world(json!({}), json!({}), |s| {
        let ok = of(s) != "N3";
        Reply::json(
            &json!({"code": 0, "result": [{"billIndex": 0, "billStatus": ok, "message": "stock is short"}]}),
        )
    })
    .await;
    assert_eq!(open_ends(&w).await, ["B3 failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_results_that_lacks_some_is_no_success_of_those() {
    let rows = r#"rows = { list = "results", key = { reply = "no", request = "bill_no" }, ok = "ok", message = "msg" }"#;
    let places = r#"rows = { list = "results", ok = "ok", message = "msg" }"#;
    let written =
        "written = { list = \"done\", index = \"i\" }\nfailed = { list = \"errors\", index = \"i\" }";
    let failed = r#"failed = { list = "errors", index = "i" }"#;
    let each = |f: &dyn Fn(usize) -> Value, n: usize| (1..=n).map(f).collect::<Vec<_>>();
    let by_key = |i: usize| json!({"no": format!("N{i}"), "ok": true});
    let by_index = |i: usize| json!({"i": i - 1});
    for (form, reply, open) in [
        (rows, json!({"code": 0, "results": each(&by_key, 7)}), Vec::new()),
        (rows, json!({"code": 0, "results": each(&by_key, 6)}), vec!["B7 in_doubt".to_owned()]),
        (rows, json!({"code": 0, "results": []}), all("in_doubt")),
        (rows, json!({"code": 0}), Vec::new()),
        // By place alone a list of another length tells nothing.
        (places, json!({"code": 0, "results": each(&by_key, 7)}), Vec::new()),
        (places, json!({"code": 0, "results": each(&by_key, 6)}), all("in_doubt")),
        (places, json!({"code": 0, "results": [{"ok": false, "msg": "no"}]}), all("in_doubt")),
        (written, json!({"code": 0, "done": each(&by_index, 7), "errors": []}), Vec::new()),
        (written, json!({"code": 0, "done": [], "errors": []}), all("in_doubt")),
        (failed, json!({"code": 0, "errors": []}), Vec::new()),
        (failed, json!({"code": 0, "errors": [{"i": 6}]}), vec!["B7 failed".to_owned()]),
    ] {
        let shown = format!("{form} {reply}");
        let list = json!({"operation": {"method": "batchArraySave", "rows": 7}});
        let w = world(json!({}), list, move |_| Reply::json(&reply)).await;
        w.p.write(
            "platforms/lists.toml",
            &format!(
                "name = \"lists\"\n[request]\ntoken = false\n[reply]\ncode = [\"code\"]\nok = [\"0\"]\n\
                 [[apis]]\npath = \"/bills/save\"\nmethod = \"POST\"\nbody = {{ bills = \"$rows\" }}\n\
                 [apis.batch]\n{form}\n"
            ),
        );
        w.p.write("connectors/to.toml", &format!("platform = \"lists\"\nbase_url = \"{}/api\"\n", w.to.url));
        assert_eq!(open_ends(&w).await, open, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_with_status_200_that_speaks_of_an_error_is_no_success() {
    for (reply, state) in [
        (json!({"success": false, "message": "no right"}), "failed"),
        (json!({"success": "false"}), "failed"),
        (json!({"Success": "False"}), "failed"),
        (json!({"isSuccess": false}), "failed"),
        (json!({"ok": false, "error": "no right"}), "failed"),
        // Undeclared words: nobody knows what became of the write.
        (json!({"error": "no right"}), "in_doubt"),
        (json!({"error": {"code": 5}}), "in_doubt"),
        (json!({"errors": [{"message": "x"}]}), "in_doubt"),
        (json!({"errors": [], "id": 7}), ""),
        (json!({"error": null, "id": 7}), ""),
        (json!({"error": "", "id": 7}), ""),
        (json!({"error": false, "errors": 0, "id": 7}), ""),
        (json!({"code": 0, "error": "none"}), ""),
        (json!({"success": "true", "errors": ["a warning"]}), ""),
        (json!({"message": "created"}), ""),
        (json!({"id": 7}), ""),
    ] {
        let shown = reply.to_string();
        let w = world(json!({}), json!({}), move |_| Reply::json(&reply)).await;
        let wanted = if state.is_empty() { Vec::new() } else { all(state) };
        assert_eq!(open_ends(&w).await, wanted, "{shown}");
        assert_eq!(w.to.calls(), SOURCE, "{shown}: sent once each");
    }
}
