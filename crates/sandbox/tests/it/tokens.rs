use std::time::Duration;

use heliu_sandbox::{Sandbox, TokenMode, Verdict};

use crate::client::{Caller, NOON, Reply, SHOPS, clock, start};

fn pair(reply: &Reply) -> (String, String) {
    let data = &reply.json()["data"];
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    (text(&data["access_token"]), text(&data["refresh_token"]))
}

async fn code_with(sandbox: &Sandbox, access: &str) -> i64 {
    let mut caller = Caller::of(sandbox, NOON);
    caller.credentials.access_token = access.to_owned();
    caller.call(sandbox, SHOPS, "{}").await.code()
}

#[tokio::test]
async fn a_rotated_pair_kills_the_old_one_at_once() {
    let (sandbox, caller) = start(|b| b).await;
    let old = caller.credentials.clone();
    sandbox.expire_token().expect("expire");
    assert_eq!(code_with(&sandbox, &old.access_token).await, 100);
    let reply = caller.refresh(&sandbox, &old.refresh_token).await;
    assert_eq!(reply.json()["data"]["expires_in"], 2_592_000);
    let (access, refresh) = pair(&reply);
    assert!(access != old.access_token && refresh != old.refresh_token && access.len() == 32);
    assert_eq!(code_with(&sandbox, &access).await, 0);
    assert_eq!(sandbox.credentials().access_token, access);
    // A second client that still holds the old refresh token is out; the first one is not harmed.
    assert_eq!(caller.refresh(&sandbox, &old.refresh_token).await.code(), 100);
    assert_eq!(code_with(&sandbox, &access).await, 0);
    // And when it refreshes properly, the first client's pair is dead.
    assert_eq!(caller.refresh(&sandbox, &refresh).await.code(), 0);
    assert_eq!(code_with(&sandbox, &access).await, 100);
}

#[tokio::test]
async fn overlap_keeps_the_old_pair_for_a_while() {
    let clock = clock();
    let (sandbox, caller) = start(|b| b.clock(clock.clone()).token_mode(TokenMode::Overlap(60))).await;
    let old = caller.credentials.clone();
    let (access, _) = pair(&caller.refresh(&sandbox, &old.refresh_token).await);
    assert_eq!(code_with(&sandbox, &old.access_token).await, 0);
    assert_eq!(code_with(&sandbox, &access).await, 0);
    clock.advance(Duration::from_secs(60));
    assert_eq!(code_with(&sandbox, &old.access_token).await, 100);
    assert_eq!(code_with(&sandbox, &access).await, 0);
}

#[tokio::test]
async fn prolonging_keeps_the_texts_and_counts_down() {
    let clock = clock();
    let life = Duration::from_secs(600);
    let (sandbox, caller) =
        start(|b| b.clock(clock.clone()).token_mode(TokenMode::Prolong).token_life(life, 2 * life)).await;
    let old = caller.credentials.clone();
    clock.advance(Duration::from_secs(200));
    let reply = caller
        .auth(&sandbox, "getInitToken", &[("grant_type", "authorization_code"), ("code", "a1b2c3")])
        .await;
    assert_eq!(reply.json()["data"]["expires_in"], 400);
    let reply = caller.refresh(&sandbox, &old.refresh_token).await;
    assert_eq!(pair(&reply), (old.access_token.clone(), old.refresh_token.clone()));
    clock.advance(Duration::from_secs(599));
    assert_eq!(code_with(&sandbox, &old.access_token).await, 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(code_with(&sandbox, &old.access_token).await, 100);
}

#[tokio::test]
async fn after_complete_expiry_only_a_new_grant_helps() {
    let (sandbox, caller) = start(|b| b.auth_code("callback-code")).await;
    sandbox.expire_token().expect("expire");
    sandbox.revoke_refresh_token().expect("revoke");
    assert_eq!(caller.refresh(&sandbox, &caller.credentials.refresh_token).await.code(), 100);
    let grant = [("grant_type", "authorization_code"), ("code", "x1y2z3")];
    let (access, _) = pair(&caller.auth(&sandbox, "getInitToken", &grant).await);
    assert_eq!(code_with(&sandbox, &access).await, 0);
    assert_eq!(caller.auth(&sandbox, "accessToken", &grant).await.code(), 130);
    let grant = [("grant_type", "authorization_code"), ("code", "callback-code")];
    assert_eq!(caller.auth(&sandbox, "accessToken", &grant).await.code(), 0);
    assert_eq!(caller.auth(&sandbox, "getInitToken", &grant).await.code(), 130);
    let wrong = [("grant_type", "refresh"), ("refresh_token", "x"), ("scope", "all")];
    assert_eq!(caller.auth(&sandbox, "refreshToken", &wrong).await.code(), 130);
}

#[tokio::test]
async fn service_providers_must_not_refresh() {
    let (sandbox, caller) = start(|b| b.token_mode(TokenMode::Isv)).await;
    assert_eq!(caller.refresh(&sandbox, &caller.credentials.refresh_token).await.code(), 150);
    let unsigned = Caller {
        credentials: heliu_sandbox::Credentials { app_secret: "no".into(), ..caller.credentials.clone() },
        now: NOON,
    };
    assert_eq!(unsigned.refresh(&sandbox, "x").await.code(), 10);
}

#[tokio::test]
async fn a_refresh_may_answer_without_refresh_token() {
    let (sandbox, caller) = start(|b| b.omit_refresh_token(true)).await;
    let old = caller.credentials.clone();
    let reply = caller.refresh(&sandbox, &old.refresh_token).await;
    assert!(reply.json()["data"].get("refresh_token").is_none());
    assert_eq!(caller.refresh(&sandbox, &old.refresh_token).await.code(), 0);
    assert_eq!(code_with(&sandbox, &old.access_token).await, 100);
}

#[tokio::test]
async fn expected_calls_that_never_came_are_reported() {
    let (sandbox, caller) = start(|b| b).await;
    sandbox.expect("/openWeb/auth/refreshToken", 1);
    sandbox.expect(SHOPS, 1..);
    sandbox.expect_verdict(SHOPS, Verdict::Token, ..=0);
    caller.call(&sandbox, SHOPS, "{}").await;
    let error = sandbox.verify().expect_err("no refresh came");
    assert_eq!(error.code, "HL-8005");
    assert!(error.text.en.contains("refreshToken: expected 1, came 0"), "{error}");
    caller.refresh(&sandbox, &caller.credentials.refresh_token).await;
    sandbox.verify().expect("all came");
}

#[tokio::test]
#[should_panic(expected = "HL-8005")]
async fn unlooked_expectations_fail_the_test() {
    let (sandbox, _) = start(|b| b).await;
    sandbox.expect(SHOPS, 1);
}
