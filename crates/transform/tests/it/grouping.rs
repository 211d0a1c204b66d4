//! How records form writes, and what is kept after them.

use heliu_transform::{Context, Metadata, Side, Value, grouping, writeback};

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn target(s: &str) -> Metadata {
    Metadata::from_value(json(s), Side::Target).0
}

const AGGREGATE: &str = r#"{"api":"x","groupCalculate":{"headerGroup":["shop_no","stock_no"],"bodyGroup":["details_spec"],
 "bodyName":"details","bodyMaxLine":LINES,"calculate":{"details_num":"$sum","details_amount":"$sum"}}}"#;

#[test]
fn v_o05_group_calculate() {
    let meta = target(&AGGREGATE.replace("LINES", "50"));
    let row = |spec: &str, n: i64, amount: &str| {
        json(&format!(
            r#"{{"shop_no":"SH001","stock_no":"WH001","details_spec":"{spec}","details_num":{n},"details_amount":{amount},"lost":1}}"#
        ))
    };
    let records = [row("SKU001", 10, "1000"), row("SKU002", 5, "500"), row("SKU001", 3, "300")];
    let units = grouping::units(&meta, &records);
    assert_eq!(units.len(), 1, "V-O05");
    assert_eq!(
        units[0].record.to_json(),
        r#"{"shop_no":"SH001","stock_no":"WH001","details":[{"details_spec":"SKU001","details_num":13,"details_amount":1300},{"details_spec":"SKU002","details_num":5,"details_amount":500}]}"#,
        "V-O05"
    );
    assert_eq!(units[0].members, [0, 1, 2]);
    let nested = json(
        r#"{"shop_no":"SH001","stock_no":"WH001","details":[{"spec":"A","num":1,"amount":2},{"spec":"A","num":2,"amount":"0.50"}]}"#,
    );
    let units = grouping::units(&meta, std::slice::from_ref(&nested));
    assert_eq!(
        units[0].record.get_path("details").map(|v| v.to_json()),
        Some(r#"[{"details_spec":"A","details_num":3,"details_amount":2.5}]"#.into())
    );
}

#[test]
fn v_o06_lines_are_cut() {
    let meta = target(&AGGREGATE.replace("LINES", "50"));
    let records: Vec<Value> = (0..120)
        .map(|n| json(&format!(r#"{{"shop_no":"S","stock_no":"W","details_spec":"K{n}","details_num":1}}"#)))
        .collect();
    let units = grouping::units(&meta, &records);
    let sizes: Vec<usize> = units
        .iter()
        .filter_map(|u| u.record.get_path("details"))
        .map(|v| v.as_array().unwrap_or(&[]).len())
        .collect();
    assert_eq!(sizes, [50, 50, 20], "V-O06");
    assert_eq!(units.iter().map(|u| u.members.len()).sum::<usize>(), 120);
}

#[test]
fn calculations() {
    let meta = target(
        r#"{"api":"x","groupCalculate":{"headerGroup":["h"],"bodyName":"rows","calculate":{"a":"$avg","b":"$min","c":"$max","d":"$push","e":"$addToSet","f":"$first","g":"$last"}}}"#,
    );
    let records = [
        json(r#"{"h":1,"a":1,"b":"10","c":"b","d":1,"e":"x","f":1,"g":1}"#),
        json(r#"{"h":1,"a":2,"b":"9","c":"a","d":1,"e":"x","f":2,"g":2}"#),
    ];
    let units = grouping::units(&meta, &records);
    let expect = r#"{"a":1.5,"b":"9","c":"b","d":[1,1],"e":["x"],"f":1,"g":2}"#;
    assert_eq!(units[0].record.get_path("rows.0").map(|v| v.to_json()), Some(expect.into()));
    let (_, problems) = Metadata::from_value(
        json(r#"{"api":"x","groupCalculate":{"calculate":{"a":"$summ"}}}"#),
        Side::Target,
    );
    let codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(codes, ["HL-2010", "HL-2010"]);
}

#[test]
fn merge_sums_equal_rows() {
    let meta = target(
        r#"{"api":"x","operation":{"method":"merge","field":"no","tableField":"goods","header":["no"],"body":["sku"],"bodySum":["q"]}}"#,
    );
    let records = [
        json(r#"{"no":"A","sku":1,"q":"1.10","x":1}"#),
        json(r#"{"no":"B","sku":1,"q":5}"#),
        json(r#"{"no":"A","sku":1,"q":2}"#),
    ];
    let units = grouping::units(&meta, &records);
    assert_eq!(units[0].record.to_json(), r#"{"no":"A","goods":[{"sku":1,"q":3.1}]}"#);
    assert_eq!((units[0].members.clone(), units[1].members.clone()), (vec![0, 2], vec![1]));
}

#[test]
fn v_o09_write_back_and_callback() {
    let meta = target(
        r#"{"api":"x","response":[{"field":"primaryWriteback","type":"object","children":[{"field":"id","value":"{{Id}}"},{"field":"number","value":"{{Number}}"}]}],
        "callBackStrategy":{"strategyId":"U","no":"{{so_id}}","erp":"{{primaryWriteback.number}}","same":"{{primaryWriteback.Number}}"}}"#,
    );
    let ctx = Context::new(0, 0, chrono_tz::Asia::Shanghai);
    let record = json(r#"{"so_id":"SO-1"}"#);
    let primary = writeback::primary(&meta, &ctx, &json(r#"{"Id":"77","Number":"CG01"}"#), Some(&record));
    assert_eq!(primary.as_ref().map(Value::to_json), Some(r#"{"id":"77","number":"CG01"}"#.into()), "V-O09");
    let sent = writeback::callback(&meta, &ctx, &record, primary.as_ref(), &mut Vec::new());
    let (plan, value) = sent.unwrap_or_default();
    assert_eq!(
        (plan.as_str(), value.to_json().as_str()),
        ("U", r#"{"no":"SO-1","erp":"CG01","same":"CG01"}"#),
        "V-O09"
    );
}
