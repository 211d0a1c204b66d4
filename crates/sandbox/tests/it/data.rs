use std::collections::BTreeMap;
use std::time::Duration;

use heliu_sandbox::{Kind, Mutation, Sandbox};
use serde_json::{Map, Value, json};

use crate::client::{Caller, NOON, OUT, Reply, SHOPS, clock, start, window};

fn rows(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.code(), 0, "{}", reply.json());
    reply.json()["data"]["datas"].as_array().expect("rows").clone()
}

fn id(row: &Value) -> i64 {
    row["io_id"].as_i64().expect("io_id")
}

/// Walks a window to its end.
async fn walk(sandbox: &Sandbox, caller: &Caller, size: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let reply = caller.call(sandbox, OUT, &window(page, size)).await;
        all.extend(rows(&reply));
        if reply.json()["data"]["has_next"] != true {
            return all;
        }
    }
    all
}

fn truth(sandbox: &Sandbox) -> BTreeMap<i64, Value> {
    let rows = sandbox.truth().orders;
    rows.into_iter().map(|(id, row)| (id, serde_json::from_str(&row).expect("row"))).collect()
}

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[tokio::test]
async fn pages_hold_every_row_once_in_order_and_end_truthfully() {
    let (sandbox, caller) = start(|b| b.records(230)).await;
    let reply = caller.call(&sandbox, OUT, &window(1, 50)).await;
    let data = reply.json()["data"].clone();
    assert_eq!((&data["data_count"], &data["page_count"]), (&json!(230), &json!(5)));
    let all = walk(&sandbox, &caller, 50).await;
    let stamps: Vec<_> = all.iter().map(|r| r["modified"].as_str().expect("modified").to_owned()).collect();
    assert!(stamps.is_sorted());
    assert_eq!((stamps[0].as_str(), stamps[229].as_str()), ("2026-11-17 11:58:00", "2026-11-20 11:58:00"));
    let read: BTreeMap<i64, Value> = all.into_iter().map(|r| (id(&r), r)).collect();
    assert_eq!(read, truth(&sandbox));
    let beyond = caller.call(&sandbox, OUT, &window(6, 50)).await;
    assert!(rows(&beyond).is_empty() && beyond.json()["data"]["has_next"] == false);
    assert_eq!(sandbox.log()[0].rows, 50);
}

#[tokio::test]
async fn served_bytes_are_the_truths_bytes() {
    let (sandbox, caller) = start(|b| b).await;
    let reply = caller.call(&sandbox, OUT, &window(1, 50)).await;
    let text = String::from_utf8(reply.body).expect("text");
    let truth = sandbox.truth();
    let first = truth.orders.values().next().expect("row");
    assert!(text.contains(first.as_str()));
    assert!(
        truth.orders.values().any(|r| r.contains("0.12345678901234567891")),
        "digits beyond floating point"
    );
    let all = truth.orders.values().cloned().collect::<String>();
    for sign in ["😀", "\"\"", "null", "****", "\\\\", "\\\""] {
        assert!(all.contains(sign), "{sign}");
    }
    assert!(truth.orders.keys().all(|id| *id > 1 << 53));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_stand_in() {
    let (a, _) = start(|b| b.seed(9)).await;
    let (b, _) = start(|b| b.seed(9)).await;
    let (c, _) = start(|b| b.seed(10)).await;
    assert_eq!((a.truth(), a.credentials()), (b.truth(), b.credentials()));
    assert!(a.truth().orders != c.truth().orders && a.credentials() != c.credentials());
}

#[tokio::test]
async fn page_sizes_over_the_maximum_are_clamped_or_refused() {
    let (sandbox, caller) = start(|b| b).await;
    let reply = caller.call(&sandbox, OUT, &window(1, 100)).await;
    assert_eq!((rows(&reply).len(), &reply.json()["data"]["page_size"]), (50, &json!(50)));
    let biz = r#"{"modified_begin":"2026-11-17 00:00:00","modified_end":"2026-11-20 12:00:00"}"#;
    assert_eq!(rows(&caller.call(&sandbox, OUT, biz).await).len(), 30);
    let (sandbox, caller) =
        start(|b| b.faults(heliu_sandbox::Faults::parse("strict").expect("faults"))).await;
    assert_eq!(caller.call(&sandbox, OUT, &window(1, 51)).await.code(), 130);
    assert_eq!(caller.call(&sandbox, OUT, &window(1, 50)).await.code(), 0);
}

#[tokio::test]
async fn filters_agree_with_the_truth() {
    let (sandbox, caller) = start(|b| b.records(300)).await;
    let truth = truth(&sandbox);
    let some = truth.values().nth(40).expect("row");
    let with = |extra: String| {
        format!(
            r#"{{"modified_begin":"2026-11-17 00:00:00","modified_end":"2026-11-20 12:00:00","is_get_total":true,{extra}}}"#
        )
    };
    let shop = some["shop_id"].to_string();
    let cases = [
        ("shop_id", with(format!(r#""shop_id":{shop}"#)), some["shop_id"].clone()),
        ("shop_id", with(format!(r#""shop_id":"{shop}""#)), some["shop_id"].clone()),
        ("status", with(r#""status":"Cancelled""#.into()), json!("Cancelled")),
        ("so_id", format!(r#"{{"so_ids":[{}]}}"#, some["so_id"]), some["so_id"].clone()),
        ("o_id", format!(r#"{{"o_ids":[{}]}}"#, some["o_id"]), some["o_id"].clone()),
        ("io_id", format!(r#"{{"io_ids":["{}"]}}"#, some["io_id"]), some["io_id"].clone()),
        ("wms_co_id", with(r#""wms_co_id":14201"#.into()), json!(14201)),
    ];
    for (field, biz, value) in cases {
        let reply = caller.call(&sandbox, OUT, &biz).await;
        let expected = truth.values().filter(|r| r[field] == value).count();
        assert!(expected > 0, "{biz}");
        assert_eq!(reply.json()["data"]["data_count"], expected, "{biz}");
        assert!(rows(&reply).iter().all(|r| r[field] == value), "{biz}");
    }
    let offline = with(r#""shop_id":0,"is_offline_shop":"true""#.into());
    assert!(rows(&caller.call(&sandbox, OUT, &offline).await).is_empty());
}

#[tokio::test]
async fn the_version_cursor_is_inclusive_and_meets_equal_versions_on_borders() {
    let (sandbox, caller) = start(|b| b).await;
    let mut cursor = 0;
    let mut seen: BTreeMap<i64, Value> = BTreeMap::new();
    let mut repeated = 0;
    loop {
        let biz = format!(r#"{{"start_ts":{cursor},"page_index":1,"page_size":50,"is_get_total":false}}"#);
        let reply = caller.call(&sandbox, OUT, &biz).await;
        let data = reply.json()["data"].clone();
        assert!(data.get("data_count").is_none() && data.get("page_count").is_none());
        let page = rows(&reply);
        let stamps: Vec<i64> = page.iter().map(|r| r["ts"].as_i64().expect("ts")).collect();
        assert!(stamps.is_sorted());
        let last = *stamps.last().expect("rows");
        for row in page {
            repeated += usize::from(seen.insert(id(&row), row).is_some());
        }
        if last == cursor || data["has_next"] == false {
            break;
        }
        cursor = last;
    }
    assert_eq!(seen, truth(&sandbox));
    // At the first border two rows share a version: both come again.
    assert!(repeated >= 2, "{repeated}");
}

#[tokio::test]
async fn rows_change_come_late_and_go() {
    let clock = clock();
    let (sandbox, mut caller) = start(|b| b.clock(clock.clone())).await;
    let before = walk(&sandbox, &caller, 50).await;
    clock.advance(Duration::from_secs(60));
    caller.now += 60;
    let first = id(&before[0]);
    let change = Mutation::Change {
        kind: Kind::Order,
        id: first,
        fields: fields(json!({"remark": "改地址", "status": "Cancelled"})),
    };
    assert_eq!(sandbox.mutate(change).expect("change"), first);
    let late =
        Mutation::Insert { kind: Kind::Order, fields: fields(json!({"modified": "2026-11-19 08:00:00"})) };
    let late = sandbox.mutate(late).expect("insert");
    let gone = id(&before[7]);
    sandbox.mutate(Mutation::Delete { kind: Kind::Order, id: gone }).expect("delete");
    let shifted =
        Mutation::Shift { begin: "2026-11-18 00:00:00".into(), end: "2026-11-19 00:00:00".into(), nth: 0 };
    let shifted = sandbox.mutate(shifted).expect("shift");

    let after: BTreeMap<i64, Value> =
        walk(&sandbox, &caller, 50).await.into_iter().map(|r| (id(&r), r)).collect();
    assert_eq!(after.len(), 118, "one more, one gone, two now lie beyond the window");
    assert!(!after.contains_key(&first) && !after.contains_key(&gone) && !after.contains_key(&shifted));
    assert_eq!(after[&late]["modified"], "2026-11-19 08:00:00");
    let truth = truth(&sandbox);
    assert_eq!((truth.len(), &truth[&first]["remark"]), (120, &json!("改地址")));
    assert_eq!(truth[&first]["modified"], "2026-11-20 12:01:00");
    let old_ts = before.iter().map(|r| r["ts"].as_i64()).max().flatten();
    assert!(truth[&first]["ts"].as_i64() > old_ts);
    let by_status = r#"{"modified_begin":"2026-11-20 12:00:30","modified_end":"2026-11-20 12:02:00","status":"Cancelled"}"#;
    assert_eq!(id(&rows(&caller.call(&sandbox, OUT, by_status).await)[0]), first);

    let refused = sandbox.mutate(Mutation::Delete { kind: Kind::Order, id: gone }).expect_err("gone already");
    assert_eq!(refused.code, "HL-8004");
    let bad =
        Mutation::Change { kind: Kind::Order, id: late, fields: fields(json!({"modified": "yesterday"})) };
    assert!(sandbox.mutate(bad).is_err());
}

#[tokio::test]
async fn shops_page_and_change() {
    let (sandbox, caller) = start(|b| b.shops(230)).await;
    let mut read = BTreeMap::new();
    for page in 1..=3 {
        let reply =
            caller.call(&sandbox, SHOPS, &format!(r#"{{"page_index":"{page}","page_size":"100"}}"#)).await;
        assert_eq!(reply.json()["data"]["has_next"], page < 3);
        assert!(reply.json()["data"].get("data_count").is_none());
        read.extend(rows(&reply).into_iter().map(|r| (r["shop_id"].as_i64().expect("id"), r)));
    }
    let shops = sandbox.truth().shops;
    let truth: BTreeMap<i64, Value> =
        shops.iter().map(|(i, r)| (*i, serde_json::from_str(r).expect("row"))).collect();
    assert_eq!(read, truth);
    for gap in [json!(""), Value::Null] {
        assert!(
            truth.values().any(|r| r["session_uid"] == gap)
                && truth.values().any(|r| r["session_expired"] == gap)
        );
    }
    assert!(truth.values().any(|r| r["created"] == ""));
    let some = *truth.keys().next().expect("shop");
    let change =
        Mutation::Change { kind: Kind::Shop, id: some, fields: fields(json!({"shop_name": "改名店"})) };
    sandbox.mutate(change).expect("change");
    let added = sandbox.mutate(Mutation::Insert { kind: Kind::Shop, fields: Map::new() }).expect("insert");
    let reply = caller.call(&sandbox, SHOPS, &format!(r#"{{"shop_ids":[{some},{added}]}}"#)).await;
    assert_eq!(rows(&reply).len(), 2);
    assert_eq!(rows(&reply)[0]["shop_name"], "改名店");
    sandbox.mutate(Mutation::Delete { kind: Kind::Shop, id: added }).expect("delete");
    assert_eq!(sandbox.truth().shops.len(), 230);
}

#[tokio::test]
async fn order_numbers_collide_on_demand() {
    let (sandbox, _) = start(|b| b).await;
    let distinct = |sandbox: &Sandbox| {
        let rows = truth(sandbox);
        rows.values()
            .map(|r| r["o_id"].as_i64().expect("o_id"))
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert_eq!(distinct(&sandbox), 120);
    sandbox.collide(true).expect("collide");
    assert_eq!(distinct(&sandbox), 108);
    assert_eq!(truth(&sandbox).len(), 120);
}

#[tokio::test]
async fn uploads_are_idempotent_and_judged_row_by_row() {
    let (sandbox, caller) = start(|b| b).await;
    let path = "/open/jushuitan/orders/upload";
    let order = |so_id: &str, pay: &str| {
        json!({"shop_id": 10270011, "so_id": so_id, "pay_amount": pay, "freight": 5, "discount": "1.50",
               "items": [{"sku_id": "A", "amount": "10.25"}, {"sku_id": "B", "amount": 0.1}]})
    };
    let batch = json!([order("WEB-1", "13.85"), order("WEB-2", "13.86")]).to_string();
    let reply = caller.call(&sandbox, path, &batch).await;
    let outcome = rows(&reply);
    assert_eq!((&outcome[0]["issuccess"], &outcome[1]["issuccess"]), (&json!(true), &json!(false)));
    assert_eq!(outcome[1]["o_id"], Value::Null);
    let again = rows(&caller.call(&sandbox, path, &json!([order("WEB-1", "13.850")]).to_string()).await);
    assert_eq!(again[0]["o_id"], outcome[0]["o_id"]);
    let uploads = sandbox.truth().uploads;
    assert_eq!((uploads.len(), &uploads["10270011/WEB-1"]["times"]), (1, &json!(2)));
    let found = caller.call(&sandbox, "/open/orders/single/query", r#"{"so_ids":["WEB-1"]}"#).await;
    assert_eq!(found.json()["data"]["orders"][0]["o_id"], outcome[0]["o_id"]);
    assert_eq!(caller.call(&sandbox, path, "{}").await.code(), 130);
    let many = Value::Array((0..51).map(|i| order(&format!("W{i}"), "13.85")).collect());
    assert_eq!(caller.call(&sandbox, path, &many.to_string()).await.code(), 130);
}

#[tokio::test]
async fn the_other_queries_answer_under_their_own_keys() {
    let (sandbox, caller) = start(|b| b).await;
    let stock = caller.call(&sandbox, "/open/inventory/query", r#"{"ts":1,"page_size":100}"#).await.json();
    assert_eq!(stock["data"]["inventorys"].as_array().map(Vec::len), Some(100));
    assert_eq!(stock["data"]["has_next"], true);
    let goods =
        caller.call(&sandbox, "/open/sku/query", r#"{"sku_ids":["SKU00001","SKU00002"]}"#).await.json();
    assert_eq!(goods["data"]["datas"].as_array().map(Vec::len), Some(2));
    let stores = caller.call(&sandbox, "/open/wms/partner/query", "{}").await.json();
    assert_eq!(stores["data"]["datas"].as_array().map(Vec::len), Some(4));
    let day =
        r#"{"modified_begin":"2026-11-19 12:00:00","modified_end":"2026-11-20 12:00:00","page_size":100}"#;
    let orders = caller.call(&sandbox, "/open/orders/single/query", day).await.json();
    let outbound = caller.call(&sandbox, OUT, day).await.json();
    assert_eq!(orders["data"]["data_count"], outbound["data"]["data_count"]);
    assert_eq!(orders["data"]["orders"][0]["o_id"], outbound["data"]["datas"][0]["o_id"]);
}

#[tokio::test]
async fn a_platform_nobody_plays_and_a_port_in_use() {
    let error = Sandbox::builder("jushuitang").listen("127.0.0.1:0").await.expect_err("unknown");
    assert!(error.code == "HL-8001" && error.text.zh.contains("jushuitan"));
    let (sandbox, _) = start(|b| b).await;
    let error = Sandbox::builder("聚水潭").listen(sandbox.addr()).await.expect_err("in use");
    assert_eq!(error.code, "HL-8003");
    let addr = sandbox.addr();
    assert!(sandbox.summary().iter().any(|l| l.zh.contains(&addr.to_string())));
    assert!(sandbox.connector_toml().contains(&Caller::of(&sandbox, NOON).credentials.app_secret));
    // What the message offers can be started.
    let known = Sandbox::known();
    assert!(known.iter().any(|k| k.name == "jushuitan") && known.iter().any(|k| k.name == "bench"));
    drop(sandbox);
}
