use std::time::Duration;

use heliu_sandbox::{Check, Sandbox, Verdict};

use crate::client::{Caller, FORM, NOON, OUT, SHOPS, clock, send, start, window};

#[tokio::test]
async fn method_content_type_path_and_fields() {
    let (sandbox, caller) = start(|b| b).await;
    let body = caller.body("{}");
    assert_eq!(send(&sandbox, "GET", SHOPS, FORM, &body).await.expect("reply").status, 405);
    let json = "content-type: application/json\r\n";
    assert_eq!(send(&sandbox, "POST", SHOPS, json, &body).await.expect("reply").status, 415);
    assert_eq!(send(&sandbox, "POST", SHOPS, FORM, "biz=%zz").await.expect("reply").status, 400);
    for path in ["/open/orders.out.simple.query", "/api/open/query.aspx", "/orders.out.simple.query"] {
        let reply = send(&sandbox, "POST", path, FORM, &body).await.expect("reply");
        assert_eq!((reply.status, reply.code()), (404, 404));
    }
    for field in ["app_key", "access_token", "timestamp", "charset", "version", "biz", "sign"] {
        let without: Vec<_> = body.split('&').filter(|p| !p.starts_with(&format!("{field}="))).collect();
        let reply = send(&sandbox, "POST", SHOPS, FORM, &without.join("&")).await.expect("reply");
        assert_eq!(reply.code(), 130, "{field}");
    }
    let verdicts: Vec<_> = sandbox.log().iter().map(|e| e.verdict).collect();
    assert_eq!(
        verdicts[..4],
        [Verdict::Method, Verdict::ContentType, Verdict::ContentType, Verdict::NotServed]
    );
    assert!(verdicts[6..].iter().all(|v| *v == Verdict::Missing));
}

#[tokio::test]
async fn timestamps_may_be_a_quarter_of_an_hour_off() {
    let (sandbox, mut caller) = start(|b| b).await;
    for (off, code) in [(0, 0), (900, 0), (-900, 0), (901, 140), (-901, 140), (1_000 * NOON - NOON, 140)] {
        caller.now = NOON + off;
        assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), code, "{off}");
    }
}

#[tokio::test]
async fn addresses_and_permissions() {
    let (sandbox, caller) = start(|b| b.deny(SHOPS)).await;
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 190);
    assert_eq!(caller.call(&sandbox, OUT, &window(1, 50)).await.code(), 0);
    let (sandbox, caller) = start(|b| b.allow_addresses(["203.0.113.9".parse().expect("address")])).await;
    let reply = caller.call(&sandbox, SHOPS, "{}").await;
    assert_eq!(reply.code(), 110);
    assert!(reply.json()["msg"].as_str().is_some_and(|m| m.contains("127.0.0.1")));
}

#[tokio::test]
async fn checks_come_in_order() {
    let wrong = |sandbox: &Sandbox| {
        let mut caller = Caller::of(sandbox, NOON + 5_000);
        caller.credentials.app_secret = "wrong".into();
        caller.credentials.access_token = "wrong".into();
        caller
    };
    let (sandbox, _) = start(|b| b.deny(SHOPS)).await;
    let mut caller = wrong(&sandbox);
    assert_eq!(caller.call(&sandbox, SHOPS, "[]").await.code(), 140);
    caller.now = NOON;
    assert_eq!(caller.call(&sandbox, SHOPS, "[]").await.code(), 10);
    caller.credentials.app_secret = sandbox.credentials().app_secret;
    assert_eq!(caller.call(&sandbox, SHOPS, "[]").await.code(), 100);
    caller.credentials.access_token = sandbox.credentials().access_token;
    assert_eq!(caller.call(&sandbox, SHOPS, "[]").await.code(), 190);
    assert_eq!(caller.call(&sandbox, OUT, "[]").await.code(), 130);

    let (sandbox, _) = start(|b| b.check_order([Check::Token, Check::Timestamp, Check::Signature])).await;
    assert_eq!(wrong(&sandbox).call(&sandbox, SHOPS, "{}").await.code(), 100);
}

#[tokio::test]
async fn the_sixth_call_in_a_second_is_throttled() {
    let clock = clock();
    let sandbox =
        Sandbox::builder("jushuitan").clock(clock.clone()).listen("127.0.0.1:0").await.expect("listen");
    let mut caller = Caller::of(&sandbox, NOON);
    for _ in 0..5 {
        assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
    }
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 199);
    clock.advance(Duration::from_millis(999));
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 199);
    // The first six have left the window, the seventh (refused, but counted) has not.
    clock.advance(Duration::from_millis(1));
    for code in [0, 0, 0, 0, 199] {
        assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), code);
    }
    // Calls that fail for another reason count as well, other paths too.
    clock.advance(Duration::from_secs(1));
    caller.now = NOON + 2;
    for _ in 0..3 {
        assert_eq!(caller.call(&sandbox, OUT, "{}").await.code(), 130);
    }
    caller.credentials.access_token = "gone".into();
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 100);
    caller.credentials = sandbox.credentials();
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 199);
}

#[tokio::test]
async fn the_hundred_and_first_call_in_a_minute_is_throttled() {
    let clock = clock();
    let sandbox =
        Sandbox::builder("jushuitan").clock(clock.clone()).listen("127.0.0.1:0").await.expect("listen");
    let caller = Caller::of(&sandbox, NOON);
    for _ in 0..100 {
        assert_eq!(caller.call(&sandbox, SHOPS, r#"{"page_size":1}"#).await.code(), 0);
        clock.advance(Duration::from_millis(500));
    }
    let reply = caller.call(&sandbox, SHOPS, "{}").await;
    assert_eq!((reply.status, reply.code()), (200, 200));
    clock.advance(Duration::from_secs(11));
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
    let throttled = sandbox.log().iter().filter(|e| e.verdict == Verdict::RateMinute).count();
    assert_eq!(throttled, 1);
}

#[tokio::test]
async fn limits_can_be_set_and_storms_come_and_go() {
    let clock = clock();
    let sandbox = Sandbox::builder("jushuitan")
        .clock(clock.clone())
        .limit_rps(2)
        .listen("127.0.0.1:0")
        .await
        .expect("listen");
    let caller = Caller::of(&sandbox, NOON);
    for code in [0, 0, 199] {
        assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), code);
    }
    clock.advance(Duration::from_secs(2));
    sandbox.storm(true).expect("storm");
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 199);
    sandbox.storm(false).expect("storm");
    assert_eq!(caller.call(&sandbox, SHOPS, "{}").await.code(), 0);
}

#[tokio::test]
async fn business_parameters() {
    let (sandbox, caller) = start(|b| b).await;
    let good = [
        (SHOPS, r#"{"page_index":"1","page_size":"100"}"#),
        (SHOPS, r#"{"page_index":null,"page_size":""}"#),
        (
            OUT,
            r#"{"modified_begin":"2026-11-13 12:00:00","modified_end":"2026-11-20 12:00:00","so_ids":[],"shop_id":""}"#,
        ),
        (OUT, r#"{"start_ts":"1","is_get_total":"false"}"#),
        (OUT, r#"{"so_ids":["nothing"]}"#),
        ("/open/inventory/query", r#"{"ts":"1","page_size":100}"#),
        ("/open/sku/query", r#"{"sku_ids":["SKU00001"]}"#),
        ("/open/wms/partner/query", "{}"),
        ("/open/orders/single/query", r#"{"so_ids":["nothing"]}"#),
    ];
    for (path, biz) in good {
        assert_eq!(caller.call(&sandbox, path, biz).await.code(), 0, "{path} {biz}");
    }
    let bad = [
        (SHOPS, r#"{"page_index":0}"#),
        (SHOPS, r#"{"page_index":"one"}"#),
        (SHOPS, r#"{"page_size":-1}"#),
        (SHOPS, r#"{"page_index":1"#),
        (SHOPS, "null"),
        (OUT, "{}"),
        (OUT, r#"{"modified_begin":"2026-11-20 00:00:00"}"#),
        (OUT, r#"{"modified_begin":"2026-11-13 11:59:59","modified_end":"2026-11-20 12:00:00"}"#),
        (OUT, r#"{"modified_begin":"2026-11-20 12:00:01","modified_end":"2026-11-20 12:00:00"}"#),
        (OUT, r#"{"modified_begin":"2026-11-20T00:00:00","modified_end":"2026-11-20 12:00:00"}"#),
        (OUT, r#"{"start_ts":1,"status":"confirmed"}"#),
        (OUT, r#"{"so_ids":"A,B"}"#),
        (
            OUT,
            r#"{"start_ts":1,"drp_co_id":5,"modified_begin":"2026-11-18 00:00:00","modified_end":"2026-11-20 00:00:00"}"#,
        ),
        (
            "/open/inventory/query",
            r#"{"ts":1,"modified_begin":"2026-11-19 00:00:00","modified_end":"2026-11-20 00:00:00"}"#,
        ),
        ("/open/sku/query", "{}"),
    ];
    for (path, biz) in bad {
        assert_eq!(caller.call(&sandbox, path, biz).await.code(), 130, "{path} {biz}");
    }
    let many: Vec<String> = (0..51).map(|i| format!("\"S{i}\"")).collect();
    let biz = format!(r#"{{"so_ids":[{}]}}"#, many.join(","));
    assert_eq!(caller.call(&sandbox, OUT, &biz).await.code(), 130);
}
