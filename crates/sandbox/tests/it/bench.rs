use std::collections::BTreeMap;

use heliu_sandbox::{Sandbox, Verdict};
use serde_json::Value;

use crate::client::{clock, send};

#[tokio::test]
async fn the_bench_source_pages_declares_its_total_and_repeats_itself() {
    let sandbox = Sandbox::builder("bench").records(250).listen("127.0.0.1:0").await.expect("listen");
    let again = Sandbox::builder("bench").records(250).listen("127.0.0.1:0").await.expect("listen");
    let mut rows = BTreeMap::new();
    for page in 1..=3 {
        let path = format!("/orders?page={page}&page_size=100");
        let reply = send(&sandbox, "GET", &path, "", "").await.expect("reply");
        assert_eq!(reply.body, send(&again, "GET", &path, "", "").await.expect("reply").body);
        let data = reply.json()["data"].clone();
        assert_eq!((&data["total"], &data["has_next"]), (&250.into(), &(page < 3).into()));
        for row in data["datas"].as_array().expect("rows") {
            rows.insert(row["id"].as_i64().expect("id"), row.clone());
        }
    }
    let truth = sandbox.truth().orders;
    let truth: BTreeMap<i64, Value> =
        truth.iter().map(|(i, r)| (*i, serde_json::from_str(r).expect("row"))).collect();
    assert_eq!(rows, truth);
    // Another page size gives the same rows, cut differently.
    let reply = send(&sandbox, "GET", "/orders?page=2&page_size=70", "", "").await.expect("reply");
    assert_eq!(reply.json()["data"]["datas"][0]["id"], *truth.keys().nth(70).expect("row"));
    assert_eq!(sandbox.expire_token().expect_err("no tokens").code, "HL-8004");
    assert_eq!(sandbox.log()[0].param("page"), Some("1"));
}

#[tokio::test]
async fn the_bench_source_can_be_limited() {
    let sandbox = Sandbox::builder("bench")
        .records(10)
        .limit_rps(2)
        .clock(clock())
        .listen("127.0.0.1:0")
        .await
        .expect("listen");
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(send(&sandbox, "GET", "/orders", "", "").await.expect("reply").status);
    }
    assert_eq!(seen, [200, 200, 429]);
    assert_eq!(sandbox.log()[2].verdict, Verdict::RateSecond);
    assert_eq!(send(&sandbox, "POST", "/orders", "", "").await.expect("reply").status, 404);
}
