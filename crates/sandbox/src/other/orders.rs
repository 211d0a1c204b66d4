//! Records that several stand-ins serve: seeded, with Chinese, emoji, empty texts, large numbers and decimal text.

use serde_json::{Value, json};

use super::Common;
use crate::clock::beijing;
use crate::rng::Rng;

const SHOPS: &[&str] = &["云栖旗舰店", "竹里小铺", "江南家居", "北岸数码"];
const GOODS: &[&str] = &["亚麻衬衫", "陶瓷马克杯", "竹制砧板☕", "折叠台灯"];
const PEOPLE: &[&str] = &["林知夏", "周予安", "沈一帆", "许清欢"];

/// Stamp of a record in seconds.
pub(super) fn stamp(common: &Common, index: u32) -> i64 {
    let step = common.spread / i64::from(common.records.max(1));
    common.until - common.spread + step * i64::from(index)
}

fn cents(n: u64) -> String {
    format!("{}.{:02}", n / 100, n % 100)
}

/// A trade of 快麦.
pub(super) fn trade(common: &Common, index: u32) -> Value {
    let mut r = Rng::of(common.seed, 21, u64::from(index));
    let at = stamp(common, index);
    let sid = 6_500_000_000_000_001_i64 + i64::from(index);
    // Every tenth is a part of the one before it: same order of the shop, other system order.
    let split = index % 10 == 9;
    let tid = 4_300_000_000_000_000_000_i64 + i64::from(if split { index - 1 } else { index });
    let price = 500 + r.below(90_000);
    json!({
        "sid": sid, "tid": tid.to_string(), "splitSid": if split { sid - 1 } else { -1 },
        "shopName": r.pick(SHOPS), "source": if split { "sys" } else { "tm" }, "sysStatus": "WAIT_AUDIT",
        "buyerNick": format!("{}***", r.pick(PEOPLE)), "payment": cents(price),
        "postFee": if r.chance(0.5) { json!("0.00") } else { json!(0) }, "outSid": "", "sellerMemo": Value::Null,
        "created": (at - 3_600) * 1000, "payTime": (at - 3_500) * 1000, "updTime": at * 1000,
        "endTime": 946_656_000_000_i64,
        "orders": [{"id": sid * 10 + 1, "oid": 3_141_592_653_589_793_238_i64, "title": r.pick(GOODS), "num": 1 + r.below(4),
                    "price": cents(price)}],
    })
}

/// A group of 小满's product tree. Children come before their parents, names repeat, one parent is missing.
pub(super) fn group(common: &Common, index: u32) -> Value {
    let mut r = Rng::of(common.seed, 22, u64::from(index));
    let id = 6_100_000_001_i64 + i64::from(index);
    let parent = match index {
        0 => 0,
        5 => 6_999_999_999,
        n => 6_100_000_001 + i64::from(n / 3),
    };
    let name = format!("{}{}", r.pick(GOODS), index % 7);
    let at = beijing(stamp(common, index));
    json!({
        "id": id, "client_id": "77001", "user_id": "0", "name": name, "name_info": {"info_label": name, "info_value": name},
        "prefix": "0-", "parent_id": parent, "layer": if parent == 0 { 1 } else { 2 }, "description": "",
        "create_time": at, "update_time": at, "order_rank": index.to_string(), "is_sys": "0",
    })
}

/// A purchase order of 金蝶.
pub(super) fn purchase(common: &Common, index: u32) -> Value {
    let mut r = Rng::of(common.seed, 23, u64::from(index));
    let at = beijing(stamp(common, index));
    json!({
        "FID": 300_001 + index, "FBillNo": format!("PO-{:06}", index + 1), "FDate": at.replace(' ', "T"),
        "FDocumentStatus": r.pick(&["A", "B", "C"]), "FModifyDate": at.replace(' ', "T"),
        "FPOOrderEntry_FEntryId": 900_001 + index, "FMaterialId.FNumber": format!("M-{:03}", r.below(40)),
        "FQty": 1 + r.below(90), "FSupplierId.FNumber": format!("S-{:02}", r.below(12)), "FNote": r.pick(&["", "加急🚚", "普通"]),
    })
}

/// A vendor of 用友.
pub(super) fn vendor(common: &Common, index: u32) -> Value {
    let mut r = Rng::of(common.seed, 24, u64::from(index));
    let name = format!("{}供应商{index}", r.pick(SHOPS));
    json!({
        "id": 2_231_234_567_890_120_000_i64 + i64::from(index), "code": format!("V-{index:05}"),
        "name": if index.is_multiple_of(2) { json!({"zh_CN": name}) } else { json!(name) },
        "pubts": beijing(stamp(common, index)), "memo": Value::Null,
    })
}

/// An approval of 钉钉 or 企业微信.
pub(super) fn approval(common: &Common, index: u32, id: &str) -> Value {
    let mut r = Rng::of(common.seed, 25, u64::from(index));
    let who = r.pick(PEOPLE);
    let amount = cents(1_000 + r.below(900_000));
    json!({
        "processInstanceId": id, "sp_no": id, "businessId": format!("B{index:08}"), "title": format!("{who}提交的采购申请"),
        "status": r.pick(&["RUNNING", "COMPLETED"]), "result": r.pick(&["agree", "refuse"]), "sp_name": "采购申请",
        "sp_status": 1 + r.below(3), "apply_time": stamp(common, index), "originatorUserId": format!("u{}", r.below(99)),
        "formComponentValues": [{"name": "金额", "value": amount}, {"name": "事由", "value": r.pick(GOODS)}],
        "apply_data": {"contents": [{"control": "Money", "value": {"new_money": amount}}]},
    })
}
