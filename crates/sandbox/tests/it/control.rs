use serde_json::{Value, json};

use crate::client::{NOON, OUT, SHOPS, send, start, window};

async fn ask(sandbox: &heliu_sandbox::Sandbox, method: &str, command: &str, body: &str) -> (u16, Value) {
    let reply = send(sandbox, method, &format!("/_sandbox/{command}"), "", body).await.expect("reply");
    (reply.status, reply.json())
}

#[tokio::test]
async fn everything_can_be_seen_and_moved_from_outside() {
    let (sandbox, caller) = start(|b| b).await;
    assert_eq!(ask(&sandbox, "POST", "expect", r#"{"path":"/open/shops/query","most":1}"#).await.0, 200);
    let (status, error) = ask(&sandbox, "GET", "verify", "").await;
    assert_eq!((status, &error["error"]["code"]), (409, &json!("HL-8005")));
    caller.call(&sandbox, SHOPS, "{}").await;
    assert_eq!(ask(&sandbox, "GET", "verify", "").await.0, 200);

    let (_, log) = ask(&sandbox, "GET", "log?since=0", "").await;
    assert_eq!((log.as_array().map(Vec::len), &log[0]["verdict"]), (Some(1), &json!("served")));
    assert_eq!(log[0]["path"], SHOPS);
    assert_eq!(ask(&sandbox, "GET", "log?since=1", "").await.1, json!([]));

    let (_, truth) = ask(&sandbox, "GET", "truth", "").await;
    let rows = truth.as_object().expect("rows");
    assert_eq!(rows.len(), 120);
    let (id, row) = rows.iter().next().expect("row");
    assert_eq!(row["io_id"].to_string(), *id);
    assert_eq!(ask(&sandbox, "GET", "truth?of=shops", "").await.1.as_object().map(|m| m.len()), Some(30));
    assert_eq!(ask(&sandbox, "GET", "truth?of=uploads", "").await.1, json!({}));

    let change = format!(
        r#"{{"op":"change","id":{id},"fields":{{"remark":"x","pay_amount":12345678901234567890.10}}}}"#
    );
    assert_eq!(ask(&sandbox, "POST", "mutate", &change).await.1["id"].to_string(), *id);
    let text = sandbox.truth().orders.remove(&id.parse().expect("id")).expect("row");
    assert!(text.contains(r#""pay_amount":12345678901234567890.10"#));
    for bad in [
        "{",
        r#"{"op":"change"}"#,
        r#"{"op":"change","id":1}"#,
        r#"{"op":"burn"}"#,
        r#"{"op":"insert","x":1}"#,
    ] {
        let (status, error) = ask(&sandbox, "POST", "mutate", bad).await;
        assert_eq!((status, &error["error"]["code"]), (400, &json!("HL-8004")), "{bad}");
    }

    assert_eq!(ask(&sandbox, "POST", "expire-token", "").await.0, 200);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 100);
    assert_eq!(ask(&sandbox, "POST", "revoke-refresh-token", "").await.0, 200);
    assert_eq!(caller.refresh(&sandbox, &caller.credentials.refresh_token).await.code(), 100);
    let grant = [("grant_type", "authorization_code"), ("code", "abcdef")];
    caller.auth(&sandbox, "getInitToken", &grant).await;
    let (_, state) = ask(&sandbox, "GET", "state", "").await;
    assert_eq!(state["now"], "2026-11-20T04:00:00Z");
    let mut caller = crate::client::Caller::of(&sandbox, NOON);
    caller.credentials.access_token =
        state["credentials"]["access_token"].as_str().expect("token").to_owned();
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);

    ask(&sandbox, "POST", "storm", r#"{"on":true}"#).await;
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 199);
    ask(&sandbox, "POST", "storm", r#"{"on":false}"#).await;
    ask(&sandbox, "POST", "collide", r#"{"on":true}"#).await;
    let page = caller.call(&sandbox, OUT, &window(1, 50)).await.json();
    let rows = page["data"]["datas"].as_array().expect("rows");
    assert!(rows.windows(2).any(|pair| pair[0]["o_id"] == pair[1]["o_id"]));
    assert_eq!(ask(&sandbox, "POST", "faults", r#"{"list":"502@1"}"#).await.0, 200);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.status, 502);
    assert_eq!(ask(&sandbox, "POST", "faults", r#"{"list":"5o2"}"#).await.1["error"]["code"], "HL-8002");
    assert_eq!(ask(&sandbox, "GET", "nothing", "").await.0, 404);
    assert_eq!(ask(&sandbox, "POST", "nothing", "").await.0, 404);
}
