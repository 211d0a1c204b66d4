use std::io::ErrorKind;
use std::time::Duration;

use heliu_sandbox::{Fault, Faults, Verdict, When};
use serde_json::{Value, json};

use crate::client::{Caller, FORM, NOON, OUT, SHOPS, clock, send, start, window};

async fn with(list: &str) -> (heliu_sandbox::Sandbox, Caller) {
    start(|b| b.faults(Faults::parse(list).expect("faults")).slow(Duration::from_millis(30))).await
}

fn ids(reply: &crate::client::Reply) -> Vec<i64> {
    let rows = reply.json()["data"]["datas"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|r| r["io_id"].as_i64().expect("io_id")).collect()
}

#[tokio::test]
async fn gateway_faults_take_the_place_of_the_answer() {
    let (sandbox, caller) = with("500@1,502@2,503@3,429@4,html@5,empty@6,error@7,code-190@8").await;
    let mut seen = Vec::new();
    for _ in 0..9 {
        let reply = caller.call(&sandbox, SHOPS, "{}").await;
        let kind =
            reply.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        let code = serde_json::from_slice::<Value>(&reply.body).ok().and_then(|v| v["code"].as_i64());
        if matches!(reply.status, 503 | 429) {
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
        seen.push((reply.status, kind, code, reply.body.is_empty()));
    }
    let (json, html) = ("application/json".to_owned(), "text/html".to_owned());
    let expected = [
        (500, json.clone(), Some(500), false),
        (502, html.clone(), None, false),
        (503, html.clone(), None, false),
        (429, json.clone(), Some(429), false),
        (200, html, None, false),
        (200, json.clone(), None, true),
        (200, json.clone(), Some(-1), false),
        (200, json.clone(), Some(190), false),
        (200, json, Some(0), false),
    ];
    assert_eq!(seen, expected);
    let log = sandbox.log();
    assert!(log[..8].iter().all(|e| e.verdict == Verdict::Fault && e.rows == 0));
    assert_eq!((log[1].fault.as_deref(), log[8].fault.as_deref()), (Some("502"), None));
}

#[tokio::test]
async fn resets_come_before_or_after_the_effect() {
    let (sandbox, caller) = start(|b| {
        b.faults(
            Faults::parse(
                "reset-before@1=/open/jushuitan/orders/upload,reset-after@2=/open/jushuitan/orders/upload",
            )
            .expect("faults"),
        )
    })
    .await;
    let path = "/open/jushuitan/orders/upload";
    let biz = json!([{"shop_id": 1, "so_id": "R-1", "pay_amount": 3, "items": [{"amount": 3}]}]).to_string();
    let error = caller.try_call(&sandbox, path, &biz).await.err().expect("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(sandbox.truth().uploads.is_empty());
    let error = caller.try_call(&sandbox, path, &biz).await.err().expect("reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(sandbox.truth().uploads["1/R-1"]["times"], 1);
    assert_eq!(caller.call(&sandbox, path, &biz).await.code(), 0);
    assert_eq!(sandbox.truth().uploads["1/R-1"]["times"], 2);
    assert_eq!(sandbox.log()[1].http, 0);
}

#[tokio::test]
async fn a_refresh_can_lose_its_answer() {
    let (sandbox, caller) = with("reset-after@1=/openWeb/auth/refreshToken").await;
    let old = caller.credentials.clone();
    let fields = [
        ("app_key", old.app_key.as_str()),
        ("timestamp", &NOON.to_string()),
        ("charset", "utf-8"),
        ("grant_type", "refresh_token"),
        ("refresh_token", &old.refresh_token),
        ("scope", "all"),
    ];
    let body = crate::client::encode(&old.app_secret, &fields);
    assert!(send(&sandbox, "POST", "/openWeb/auth/refreshToken", FORM, &body).await.is_err());
    assert_ne!(sandbox.credentials().access_token, old.access_token);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 100);
}

#[tokio::test]
async fn bodies_are_cut_and_gateways_give_up_after_the_effect() {
    let (sandbox, caller) = with("cut@1,504@2").await;
    let reply = caller.call(&sandbox, OUT, &window(1, 50)).await;
    assert!(!reply.is_whole && !reply.body.is_empty() && reply.status == 200);
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
    assert_eq!(caller.call(&sandbox, OUT, &window(1, 50)).await.status, 504);
    assert_eq!(sandbox.log()[1].verdict, Verdict::Served);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the stand-in really waits")]
async fn slow_and_silent_answers() {
    let (sandbox, caller) = with("slow@1,hang@2").await;
    let start = std::time::Instant::now();
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
    assert!(start.elapsed() >= Duration::from_millis(30));
    let silent =
        tokio::time::timeout(Duration::from_millis(60), caller.try_call(&sandbox, SHOPS, "{}")).await;
    assert!(silent.is_err());
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
}

#[tokio::test]
async fn compressed_only_for_those_who_accept_it() {
    let (sandbox, caller) = with("gzip,plain").await;
    let reply = caller.call(&sandbox, SHOPS, "{}").await;
    assert_eq!((reply.header("content-encoding"), reply.header("content-type")), (None, Some("text/plain")));
    let headers = format!("{FORM}accept-encoding: gzip, deflate\r\n");
    let packed = send(&sandbox, "POST", SHOPS, &headers, &caller.body("{}")).await.expect("reply");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.body.as_slice()), &mut text)
        .expect("gzip");
    let unpacked: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(unpacked["data"], reply.json()["data"]);
}

#[tokio::test]
async fn tokens_expire_in_mid_run_and_storms_last_a_while() {
    let (sandbox, mut caller) =
        start(|b| b.faults(Faults::parse("token-expiry@2,storm@5").expect("faults")).storm_length(3)).await;
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 100);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 100);
    assert_eq!(caller.refresh(&sandbox, &caller.credentials.refresh_token).await.code(), 0);
    caller.credentials = sandbox.credentials();
    for code in [0, 199, 199, 199, 0] {
        assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), code);
    }
}

#[tokio::test]
async fn a_row_slips_over_the_page_border() {
    let clock = clock();
    let (sandbox, mut caller) =
        start(|b| b.clock(clock.clone()).faults(Faults::parse("shift").expect("faults"))).await;
    clock.advance(Duration::from_secs(30));
    caller.now += 30;
    let first = caller.call(&sandbox, OUT, &window(1, 50)).await;
    let second = caller.call(&sandbox, OUT, &window(2, 50)).await;
    let again = caller.call(&sandbox, OUT, &window(1, 50)).await;
    assert_eq!(first.json()["data"]["data_count"], 120);
    assert_eq!(again.json()["data"]["data_count"], 119);
    let (first, second, again) = (ids(&first), ids(&second), ids(&again));
    let slipped: Vec<_> = again.iter().filter(|i| !first.contains(i)).collect();
    assert_eq!(slipped.len(), 1, "one row of page 2 is on page 1 now");
    assert!(!second.contains(slipped[0]), "and a walk from page 1 to page 2 has not seen it");
    let touched: Vec<_> = first.iter().filter(|i| !again.contains(i)).collect();
    let truth = sandbox.truth().orders;
    assert!(truth[touched[0]].contains("2026-11-20 12:00:30") && truth.len() == 120);
}

#[tokio::test]
async fn a_row_comes_late() {
    let (sandbox, caller) = with("late").await;
    let biz = r#"{"modified_begin":"2026-11-20 10:00:00","modified_end":"2026-11-20 11:00:00"}"#;
    let before = ids(&caller.call(&sandbox, OUT, biz).await);
    let after = caller.call(&sandbox, OUT, biz).await;
    assert_eq!(ids(&after).len(), before.len() + 1);
    assert_eq!(sandbox.truth().orders.len(), 121);
    let rows = after.json()["data"]["datas"].as_array().cloned().unwrap_or_default();
    assert!(rows.iter().any(|r| r["modified"] == "2026-11-20 10:55:00"));
    assert_eq!(ids(&caller.call(&sandbox, OUT, biz).await).len(), before.len() + 1, "once");
}

#[tokio::test]
async fn pages_lie() {
    let (sandbox, caller) = with("dup@1,false-next@1,string-next").await;
    let data = caller.call(&sandbox, OUT, &window(1, 50)).await.json()["data"].clone();
    assert_eq!(data["datas"].as_array().map(Vec::len), Some(51));
    assert_eq!(data["datas"][0], data["datas"][50]);
    assert_eq!(data["has_next"], "false");
    assert_eq!(caller.call(&sandbox, OUT, &window(1, 50)).await.json()["data"]["has_next"], "true");
    assert_eq!(sandbox.log()[0].fault.as_deref(), Some("dup,false-next,string-next"));

    for (list, page, total) in [
        ("lying-total", 1, 60),
        ("lying-total", 2, 195),
        ("lying-total-low", 2, 60),
        ("lying-total-high", 1, 195),
    ] {
        let (sandbox, caller) = with(list).await;
        let data = caller.call(&sandbox, OUT, &window(page, 50)).await.json()["data"].clone();
        assert_eq!(data["data_count"], total, "{list}");
        assert_eq!(data["has_next"], true);
    }

    let (sandbox, caller) = with("int-next,shops-key").await;
    let data = caller.call(&sandbox, SHOPS, "{}").await.json()["data"].clone();
    assert_eq!((&data["has_next"], data["shops"].as_array().map(Vec::len)), (&json!(0), Some(30)));
    assert!(data.get("datas").is_none());
}

#[tokio::test]
async fn the_last_page_comes_for_ever() {
    let (sandbox, caller) = with("stuck-next").await;
    let third = caller.call(&sandbox, OUT, &window(3, 50)).await;
    assert_eq!((ids(&third).len(), &third.json()["data"]["has_next"]), (20, &json!(true)));
    let hundredth = caller.call(&sandbox, OUT, &window(100, 50)).await;
    assert_eq!(ids(&hundredth), ids(&third));
    let cursor = r#"{"start_ts":"9223372036854775807","page_size":50}"#;
    assert_eq!(caller.call(&sandbox, OUT, cursor).await.json()["data"]["has_next"], true);
}

#[tokio::test]
async fn faults_may_keep_to_one_path_and_be_built_in_code() {
    let faults =
        Faults::none().with(Fault::Http502, When::Calls(3, 3)).with_path(OUT, Fault::Empty, When::Always);
    let (sandbox, caller) = start(|b| b.faults(faults)).await;
    assert!(caller.call(&sandbox, OUT, &window(1, 50)).await.body.is_empty());
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.status, 502);
    assert_eq!(caller.refresh(&sandbox, &caller.credentials.refresh_token).await.code(), 0);
    sandbox.set_faults(&Faults::none()).expect("set");
    let caller = Caller::of(&sandbox, NOON);
    assert_eq!(caller.call(&sandbox, OUT, &window(1, 50)).await.code(), 0);
}
