//! Filters of Mongo over records (rules M1 to M3).

use heliu_transform::Value;
use heliu_transform::mongo::Filter;

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

const RECORD: &str = r#"{"id":"1001","number":"SO-1","status":2,"content":{"no":1001,"name":"旗舰店","price":"12.50","flag":true,"nil":null,"tags":["a","b"],"rows":[{"sku":"A1","q":2},{"sku":"B2","q":5}],"date":"2024-03-15"}}"#;

#[test]
fn m3_operators() {
    let record = json(RECORD);
    for (filter, want) in [
        ("{}", true),
        (r#"{"content.no":1001}"#, true),
        (r#"{"content.no":"1001"}"#, true),
        (r#"{"content.no":{"$eq":1001.0}}"#, true),
        (r#"{"content.price":{"$eq":12.5}}"#, false),
        (r#"{"content.flag":"true"}"#, true),
        (r#"{"content.no":{"$ne":1}}"#, true),
        (r#"{"content.none":{"$ne":1}}"#, true),
        (r#"{"content.none":null}"#, true),
        (r#"{"content.nil":{"$eq":null}}"#, true),
        (r#"{"content.price":{"$gt":9,"$lte":"12.5"}}"#, true),
        (r#"{"content.none":{"$lt":9}}"#, false),
        (r#"{"content.date":{"$gte":"2024-01-01","$lt":"2024-03-16"}}"#, true),
        (r#"{"status":{"$in":[2,3]}}"#, true),
        (r#"{"status":{"$nin":[2,3]}}"#, false),
        (r#"{"content.none":{"$nin":[1]}}"#, true),
        (r#"{"content.nil":{"$exists":true}}"#, true),
        (r#"{"content.none":{"$exists":false}}"#, true),
        (r#"{"content.name":{"$regex":"^旗"}}"#, true),
        (r#"{"number":{"$regex":"so-","$options":"i"}}"#, true),
        (r#"{"number":{"$regex":"so-"}}"#, false),
        (r#"{"content.tags":"b"}"#, true),
        (r#"{"content.tags":["a","b"]}"#, true),
        (r#"{"content.tags":{"$size":2}}"#, true),
        (r#"{"content.rows.sku":"B2"}"#, true),
        (r#"{"content.rows.q":{"$gt":4}}"#, true),
        (r#"{"content.rows.1.sku":"B2"}"#, true),
        (r#"{"$or":[{"status":9},{"content.no":1001}]}"#, true),
        (r#"{"$and":[{"status":2},{"content.no":1}]}"#, false),
        (r#"{"$nor":[{"status":9},{"content.no":1}]}"#, true),
        (r#"{"content.no":{"$not":{"$gt":2000}}}"#, true),
        (r#"{"status":2,"content.no":7}"#, false),
    ] {
        let filter_of = Filter::compile(&json(filter)).unwrap_or_else(|e| panic!("{e}: {filter}"));
        assert_eq!(filter_of.matches(&record), want, "{filter}");
    }
}

#[test]
fn wrong_filters_say_what_is_right() {
    for (filter, words) in [
        (r#"{"a":{"$eqq":1}}"#, "`$eq`"),
        (r#"{"$andd":[{}]}"#, "`$and`"),
        (r#"{"a":{"$in":1}}"#, "list"),
        (r#"{"$or":{}}"#, "list"),
        (r#"{"$or":[]}"#, "list"),
        (r#"{"a":{"$regex":"("}}"#, "pattern"),
        ("[]", "object"),
        (r#"{"a":{"$size":"x"}}"#, "number"),
    ] {
        let e = Filter::compile(&json(filter)).err().unwrap_or_default();
        assert!(e.en.contains(words), "{filter}: {e}");
    }
    let deep = format!("{}{{}}{}", r#"{"$and":["#.repeat(40), "]}".repeat(40));
    assert!(Filter::compile(&json(&deep)).is_err());
    let nots = format!("{{\"a\":{}1{}}}", r#"{"$not":"#.repeat(60), "}".repeat(60));
    assert!(Filter::compile(&json(&nots)).is_err());
}

#[test]
fn equalities_are_what_every_match_has() {
    let filter = json(
        r#"{"content.a":1,"content.b":{"$eq":"x","$ne":"y"},"$and":[{"c":2}],"$or":[{"d":3},{"e":4}],"f":null}"#,
    );
    let filter = Filter::compile(&filter).unwrap_or_else(|e| panic!("{e}"));
    let found: Vec<String> =
        filter.equalities().iter().map(|(p, v)| format!("{p}={}", v.to_json())).collect();
    assert_eq!(found, ["content.a=1", "content.b=\"x\"", "c=2"]);
    assert_eq!(filter.paths().len(), 6);
}
