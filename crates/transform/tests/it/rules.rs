//! Rules of the dialect, statement by statement, where the vectors do not say enough.

use std::sync::Mutex;

use bytes::Bytes;
use heliu_transform::{
    EvalRequest, Lookup, Metadata, RenderRequest, Shaped, Shaping, Side, Text, Value, evaluate, render,
    writeback,
};

const LAST: i64 = 1_710_403_200;
const NOW: i64 = 1_710_406_800;
const TZ: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

/// Value and number of warnings, or the code of the error.
fn eval_with(
    expr: &str,
    record: &str,
    row: Option<&str>,
    lookups: Option<&dyn Lookup>,
    strict: bool,
) -> (String, usize) {
    let (expr, record) = (Value::from(expr), json(record));
    let request = EvalRequest {
        expr: &expr,
        record: Some(&record),
        row,
        now: NOW,
        last_sync: LAST,
        tz: TZ,
        ty: None,
        parser: None,
        strict,
        lookups,
    };
    match evaluate(&request) {
        Ok((v, w)) => (v.to_json(), w.len()),
        Err(e) => (e.code, 0),
    }
}

fn eval(expr: &str, record: &str) -> String {
    eval_with(expr, record, None, None, false).0
}

fn document(metadata: &str, records: &[&str]) -> Result<Value, String> {
    let metadata = json(metadata);
    let records: Vec<Value> = records.iter().map(|r| json(r)).collect();
    render(&RenderRequest {
        metadata: &metadata,
        records: &records,
        page: 1,
        page_size: None,
        now: NOW,
        last_sync: LAST,
        tz: TZ,
        lookups: None,
    })
    .map(|(v, _)| v)
    .map_err(|e| e.code)
}

/// The request that items make of a record.
fn request(items: &str, record: &str) -> String {
    match document(&format!(r#"{{"api":"x","request":[{items}]}}"#), &[record]) {
        Ok(v) => v.get_path("request").unwrap_or_default().to_json(),
        Err(code) => code,
    }
}

fn shape(metadata: &str, element: &str) -> Vec<Shaped> {
    let (meta, _) = Metadata::from_value(json(metadata), Side::Source);
    let mut out = Vec::new();
    Shaping::compile(&meta, TZ).shape(&Bytes::copy_from_slice(element.as_bytes()), NOW, &mut out);
    out
}

fn content(s: &Shaped) -> String {
    String::from_utf8_lossy(&s.content).into_owned()
}

#[test]
fn a06_a_plain_get_without_parameters() {
    let v = document(
        r#"{"api":"/v1/product/groups","method":"GET","number":"name","id":"id","idCheck":true,"request":[],"autoFillResponse":true}"#,
        &[],
    );
    let want = r#"{"api":"/v1/product/groups","method":"GET","request":{},"otherRequest":{}}"#;
    assert_eq!(v.map(|v| v.to_json()), Ok(want.into()), "A06");
}

#[test]
fn a23_a24_ids_are_text_with_all_digits() {
    let meta = r#"{"api":"x","id":"o_id","number":"no"}"#;
    assert_eq!(shape(meta, r#"{"o_id":1001,"no":7}"#)[0].id.as_deref(), Some("1001"), "A23");
    let big = shape(meta, r#"{"o_id":1362188104995221504,"no":1.10}"#);
    assert_eq!(big[0].id.as_deref(), Some("1362188104995221504"), "A24");
    assert_eq!(big[0].number.as_deref(), Some("1.10"));
    assert!(content(&big[0]).contains("1362188104995221504"), "A24");
    let item = r#"{"field":"id","value":"{{o_id}}"},{"field":"t","value":"n{{o_id}}"},{"field":"f","value":"_function {{o_id}} + 1"}"#;
    assert_eq!(
        request(item, r#"{"o_id":1362188104995221504}"#),
        r#"{"id":1362188104995221504,"t":"n1362188104995221504","f":1362188104995221505}"#,
        "A24"
    );
    let nested =
        shape(r#"{"api":"x","id":"head.id","number":"{{head.id}}-{{n}}"}"#, r#"{"head":{"id":"a"},"n":2}"#);
    assert_eq!((nested[0].id.as_deref(), nested[0].number.as_deref()), (Some("a"), Some("a-2")));
}

#[test]
fn a26_formatted_copies_stand_beside_the_old_field() {
    let meta = |rules: &str| format!(r#"{{"api":"x","id":"id","formatResponse":[{rules}]}}"#);
    let one = |rules: &str, element: &str| content(&shape(&meta(rules), element)[0]);
    assert_eq!(
        one(r#"{"old":"a.b","new":"c","format":"date"}"#, r#"{"id":1,"a":{"b":"2024-03-15 14:30:00"}}"#),
        r#"{"id":1,"a":{"b":"2024-03-15 14:30:00"},"c":"2024-03-15"}"#,
        "A26"
    );
    assert_eq!(
        one(
            r#"{"old":"rows.t","new":"rows.d","format":"date"}"#,
            r#"{"id":1,"rows":[{"t":1710484200},{"x":1}]}"#
        ),
        r#"{"id":1,"rows":[{"t":1710484200,"d":"2024-03-15"},{"x":1}]}"#,
        "rows get the copy under the leaf name"
    );
    assert_eq!(
        one(r#"{"old":"none","new":"c","format":"date"}"#, r#"{"id":1}"#),
        r#"{"id":1}"#,
        "nothing to copy"
    );
    assert_eq!(
        one(r#"{"old":"t","new":"t","format":"time"}"#, r#"{"id":1,"t":"2024-03-15 14:30:00"}"#),
        r#"{"id":1,"t":"14:30:00"}"#,
        "in place"
    );
    assert_eq!(
        one(r#"{"old":"t","new":"u","format":"dateTime('Y-m-d H:i:s')"}"#, r#"{"id":1,"t":1710484200}"#),
        r#"{"id":1,"t":1710484200,"u":"2024-03-15 14:30:00"}"#
    );
    for (ago, words) in [
        (0, "刚刚"),
        (60, "一分钟前"),
        (150, "2分钟前"),
        (3600, "一小时前"),
        (86_400, "一天前"),
        (86_400 * 7, "一周前"),
        (86_400 * 30, "一月前"),
        (86_400 * 365, "一年前"),
        (86_400 * 800, "2年前"),
    ] {
        let element = format!(r#"{{"id":1,"t":{}}}"#, NOW - ago);
        assert!(
            one(r#"{"old":"t","new":"w","format":"dateDescription"}"#, &element)
                .contains(&format!("\"w\":\"{words}\"")),
            "{words}"
        );
    }
}

#[test]
fn a28_nested_rows_are_flattened_with_suffixes() {
    let meta = r#"{"api":"x","id":"no","number":"no","beatFlat":["details","details.detail_batch"]}"#;
    let out = shape(
        meta,
        r#"{"no":"O","details":[{"k":1,"detail_batch":[{"b":"x"},{"b":"y"}]},{"k":2,"detail_batch":[]}]}"#,
    );
    let ids: Vec<_> = out.iter().map(|s| s.id.clone().unwrap_or_default()).collect();
    assert_eq!(ids, ["O-1", "O-2", "O-3"], "A28");
    assert_eq!(content(&out[1]), r#"{"no":"O","details_k":1,"details_detail_batch_b":"y"}"#, "A28");
    assert_eq!(content(&out[2]), r#"{"no":"O","details_k":2}"#);
    assert!(out.iter().all(|s| s.number.as_deref() == Some("O")), "content and number stay as they are");
    let scalars = shape(r#"{"api":"x","id":"no","beatFlat":"tags"}"#, r#"{"no":"O","tags":["a","b"]}"#);
    assert_eq!(content(&scalars[1]), r#"{"no":"O","tags":"b"}"#);
    for written in [
        r#"{"api":"x","id":"no","flattenConfig":{"arrayFields":["tags"]}}"#,
        r#"{"api":"x","id":"no","otherRequestParams":[{"field":"beatFlat","value":["tags"]}]}"#,
    ] {
        assert_eq!(shape(written, r#"{"no":"O","tags":["a","b"]}"#).len(), 2, "{written}");
    }
}

#[test]
fn a29_split_arrays_leave_no_parent() {
    let meta = r#"{"api":"x","id":"rows.id","operation":{"method":"splitArray","arrayKey":"rows"}}"#;
    let out = shape(meta, r#"{"h":9,"rows":[{"id":"a"},{"id":"b"},{"id":"c"}]}"#);
    assert_eq!(out.iter().filter_map(|s| s.id.clone()).collect::<Vec<_>>(), ["a", "b", "c"], "A29");
    assert_eq!(content(&out[0]), r#"{"h":9,"rows":{"id":"a"}}"#, "A29");
    assert_eq!(shape(meta, r#"{"h":9,"rows":[]}"#).len(), 0, "no element, no record");
    let none = shape(&meta.replace("splitArray", "none"), r#"{"h":9,"rows":[{"id":"a"}]}"#);
    assert_eq!(none.len(), 1, "`none` is nothing");
}

#[test]
fn a32_what_cannot_be_evaluated() {
    let record = r#"{"a":4,"b":0}"#;
    let lenient = |e: &str| eval_with(e, record, None, None, false);
    let strict = |e: &str| eval_with(e, record, None, None, true).0;
    for (expr, code) in [
        ("_function {{a}}/{{b}}", "HL-2310"),
        ("_function {{a}} % 0", "HL-2310"),
        ("_function MOD({{a}}, {{b}})", "HL-2310"),
        ("_function {{a}} DIV {{b}}", "HL-2310"),
        ("_function CONCATT('a')", "HL-2302"),
        ("_function AES_ENCRYPT('a', 'k')", "HL-2302"),
        ("_function LEFT('a')", "HL-2303"),
        ("_function {{a}} +", "HL-2301"),
        ("_function CASE WHEN 1 THEN 2", "HL-2301"),
        ("_function 'open", "HL-2301"),
        ("_function so_id", "HL-2304"),
        ("_function (SELECT 1 FROM shops)", "HL-2304"),
        ("_function {{a}} === 1 ? 2 : 3", "HL-2301"),
        ("_function EXP(1000)", "HL-2311"),
        ("_function", "HL-2301"),
    ] {
        assert_eq!(lenient(expr), (Value::from(expr).to_json(), 1), "A32 {expr}");
        assert_eq!(strict(expr), code, "{expr}");
    }
}

/// A store that counts what it is asked.
#[derive(Default)]
struct Store(Mutex<Vec<String>>);

impl Lookup for Store {
    fn find(&self, scheme: &str, field: &str, conditions: &[(String, Value)]) -> Result<Option<Value>, Text> {
        if matches!(scheme, "unknown" | "broken") {
            return Err(Text::same(scheme));
        }
        let asked =
            conditions.iter().map(|(k, v)| format!("{k}={}", v.to_json())).collect::<Vec<_>>().join("&");
        self.0.lock().unwrap().push(format!("{field}@{scheme}?{asked}"));
        Ok(match (field, conditions.first().map(|c| c.1.in_text()).unwrap_or_default().as_str()) {
            ("flag", "A1") => Some(Value::from(true)),
            ("flag", "B2") => Some(Value::from(false)),
            ("n", "A1") => Some(json("12.50")),
            ("name", "A1") => Some(Value::from("O'Brien {{x}}")),
            ("list", _) => Some(json("[1,2,3]")),
            _ => None,
        })
    }

    fn knows(&self, scheme: &str) -> bool {
        scheme != "unknown"
    }

    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        self.0.lock().unwrap().push(format!("{field}@{scheme}?{}", filter.to_json()));
        Ok((field == "content.n").then(|| json("7")))
    }
}

#[test]
fn a33_lookups_are_bound_typed_and_asked_with_values() {
    let store = Store::default();
    let record =
        r#"{"no":"A1","odd":"x y=z","q":"it's","nil":null,"items":[{"sku":"A1"},{"sku":"B2"},{"sku":"C3"}]}"#;
    let ask = |e: &str, row: Option<&str>| eval_with(e, record, row, Some(&store), true).0;
    let flag = "_function case _findCollection find flag from M where k={{items.sku}} _endFind when true then 'yes' else 'no' end";
    let rows: Vec<String> = (0..3).map(|n| ask(flag, Some(&format!("items:{n}")))).collect();
    assert_eq!(rows, ["\"yes\"", "\"no\"", "\"no\""], "A33, L12: nothing found binds NULL");
    assert_eq!(ask("_function _findCollection find n from M where k={{no}} _endFind * 2", None), "25", "L10");
    assert_eq!(
        ask("_function CONCAT('<', '_findCollection find name from M where k={{no}} _endFind', '>')", None),
        "\"<O'Brien {{x}}>\"",
        "L10 in quotes, A36"
    );
    assert_eq!(
        ask("_function IFNULL(_findCollection find none from M where k={{no}}, 'none')", None),
        "\"none\"",
        "L11"
    );
    assert_eq!(
        ask(
            "_function CONCAT(IFNULL(_findCollection find n from M where k={{no}} _endFind,0),'/',IFNULL(_mongoQuery M findField=content.n where={\"a\":1} _endFind,0))",
            None
        ),
        "\"12.50/7\"",
        "M6"
    );
    assert_eq!(ask("_function SUM(_findCollection find list from M where k={{no}} _endFind)", None), "6");
    assert_eq!(ask("_findCollection find n from M where k='A1'", None), "12.50", "L4");
    assert_eq!(ask("_findCollection find n from M where k=A1", None), "12.50", "L4 bare");
    assert_eq!(ask("_findCollection find n from M where k={{none}}", None), "\"\"", "L6");
    assert_eq!(ask("_findCollection find n from broken where k=1", None), "HL-2403", "a store out of reach");
    let run = |e: &str| eval_with(e, record, None, Some(&store), true);
    assert_eq!(run("_findCollection find n from unknown where k=1"), ("\"\"".to_owned(), 1), "L14 in a run");
    let both = "_function CONCAT(IFNULL(_findCollection find n from unknown where k=1 _endFind,'-'),IFNULL(_findCollection find m from unknown where j=2 _endFind,'+'))";
    assert_eq!(run(both), ("\"-+\"".to_owned(), 1), "L14 in a run, said once");
    for (found, e) in [
        ("\"\"", "_findCollection find n from unknown where k=1"),
        ("\"-\"", "_function IFNULL(_findCollection find n from unknown where k=1 _endFind, '-')"),
    ] {
        let lenient = |store| eval_with(e, record, None, store, false);
        assert_eq!(lenient(Some(&store as &dyn Lookup)), (found.to_owned(), 1), "L14 {e}");
        assert_eq!(lenient(None), (found.to_owned(), 1), "L14 without records {e}");
    }
    let item = r#"{"field":"a","value":"_findCollection find n from unknown where k=1"},{"field":"b","value":"{{no}}"}"#;
    assert_eq!(request(item, record), r#"{"a":"","b":"A1"}"#, "L14 render");
    for wrong in [
        "_findCollection find n from M where k = {{no}}",
        "_findCollection find n from M where k={{no}} or j=1",
        "_findCollection find n from M",
        "_findCollection find  n from M where k=1",
        "_findCollection find n from M where ",
    ] {
        assert_eq!(ask(wrong, None), "HL-2401", "L2 {wrong}");
        let lenient = eval_with(wrong, record, None, Some(&store), false);
        assert_eq!(lenient, (Value::from(wrong).to_json(), 1), "L2 {wrong}");
    }
    store.0.lock().unwrap().clear();
    ask(
        "_findCollection find f from M where a={{odd}} primaryWriteback.code={{q}} c='two words' d=x{{no}}",
        None,
    );
    ask(
        "_mongoQuery M findField=content.n sort=-1 limit=1 where={\"a\":\"{{q}}\",\"b\":{\"$gt\":{{no}}},\"c\":{{nil}},\"d\":\"\\\"{{odd}}\"}",
        None,
    );
    assert_eq!(
        *store.0.lock().unwrap(),
        [
            r#"f@M?a="x y=z"&primaryWriteback.code="it's"&c="two words"&d="xA1""#,
            r#"content.n@M?{"a":"it's","b":{"$gt":"A1"},"c":null,"d":"\"x y=z"}"#,
        ],
        "L3, L5, M2, M5"
    );
}

/// A pair of braces that an article has lost: whole operands are references (rule G1), braces among words are not (G2).
#[test]
fn g1_single_braces_hold_whole_operands_of_directives() {
    let store = Store::default();
    let record = r#"{"no":"A1","grade":"b","n":3,"price":"2.50","货品":"K{n}","shop-id":9,"items":[{"sku":"A1","q":2}]}"#;
    for (e, wanted) in [
        ("_function {n}*{price}", "7.5"),
        ("_function case '{grade}' when 'a' then 1 when \"{grade}\" then '{货品}' end", "\"K{n}\""),
        ("_function IF({missing} IS NULL, '{missing}', 1)", "\"\""),
        ("_function FROM_UNIXTIME({LAST_SYNC_TIME}-600, '%H:%i:%s')", "\"15:50:00\""),
        ("_function {LAST_SYNC_TIME}*1000", "1710403200000"),
        ("_function SUM({items.q}) + {items.0.q}", "4"),
        ("_function CONCAT('{', '{no}', '}')", "\"{A1}\""),
        ("_function CONCAT('{no}-', ' {no}', '''{no}', '{ no }', '{n:1}')", "\"{no}- {no}'{no}{ no }{n:1}\""),
        ("_function '{shop-id}'", "\"9\""),
        ("_findCollection find n from M where k={no}", "12.50"),
        ("_findCollection find n from M where k='{no}' j={n}", "12.50"),
        ("_function _findCollection find n from M where k={no} _endFind * 2", "25"),
        ("_mongoQuery M findField=content.n where={\"content.no\":\"{no}\"}", "7"),
    ] {
        assert_eq!(eval_with(e, record, None, Some(&store), true).0, wanted, "{e}");
    }
    let asked = store.0.lock().unwrap();
    assert!(asked.contains(&r#"content.n@M?{"content.no":"A1"}"#.to_owned()), "{asked:?}");
    assert!(asked.contains(&r#"n@M?k="A1"&j=3"#.to_owned()), "{asked:?}");
}

#[test]
fn a36_data_is_never_read_as_anything_else() {
    let record = r#"{"evil":"'); DROP TABLE x; -- {{so_id}} _function 1+1 \\' \" `","so_id":"S","sql":"1 OR 1=1","fn":"_function 1+1","ref":"{{so_id}}","esc":"a\\'b\\"}"#;
    let same = |e: &str, field: &str| {
        assert_eq!(eval(e, record), json(record).get_path(field).unwrap_or_default().to_json(), "A36 {e}");
    };
    same("{{evil}}", "evil");
    same("_function '{{evil}}'", "evil");
    same("_function CONCAT('{{evil}}', '')", "evil");
    same("_function {{evil}}", "evil");
    same("_function IF(1 = 1, {{esc}}, '')", "esc");
    same("_function \"{{esc}}\"", "esc");
    same("{{fn}}", "fn");
    same("{{ref}}", "ref");
    assert_eq!(eval("_function '{{sql}}' = '1'", record), "0");
    assert_eq!(eval("_function {{sql}} = 1 AND 0", record), "0", "A36 what is bound stays one value");
    assert_eq!(eval("a{{ref}}{{fn}}", record), r#""a{{so_id}}_function 1+1""#, "G10");
}

#[test]
fn a37_chinese_names_resolve() {
    let record = r#"{"费用归属项目":"P1","表头":{"单据 编号":"D-1"},"分录":[{"数量":2,"单价":1.5},{"数量":3,"单价":2}],"K3_编码":"x"}"#;
    assert_eq!(eval("{{费用归属项目}}", record), "\"P1\"", "A37");
    assert_eq!(eval("{费用归属项目}", record), "\"P1\"");
    assert_eq!(eval("{{表头.单据 编号}}", record), "\"D-1\"", "blanks inside a name");
    assert_eq!(eval("_function SUM({{分录.数量}} * {{分录.单价}})", record), "9");
    assert_eq!(eval("_function CONCAT('{{K3_编码}}','号')", record), "\"x号\"");
    assert_eq!(
        request(
            r#"{"field":"明细","type":"array","value":"分录","children":[{"field":"数","type":"int","value":"{{分录.数量}}"}]}"#,
            record
        ),
        r#"{"明细":[{"数":2},{"数":3}]}"#
    );
}

#[test]
fn a42_objects_by_parser_are_left_out_without_a_value() {
    let item = r#"{"field":"FSupplierId","label":"供应商","type":"string","value":"{{code}}","parser":{"name":"ConvertObjectParser","params":"FNumber"}}"#;
    assert_eq!(request(item, r#"{"code":"SUP001"}"#), r#"{"FSupplierId":{"FNumber":"SUP001"}}"#, "A42");
    assert_eq!(request(item, r#"{"code":null}"#), "{}", "A42");
    assert_eq!(request(item, r#"{"code":""}"#), r#"{"FSupplierId":{"FNumber":""}}"#);
}

#[test]
fn a54_write_backs_are_read_from_the_reply() {
    let (meta, _) = Metadata::from_value(
        json(
            r#"{"api":"x","response":[{"field":"primaryWriteback","type":"object","children":[{"field":"id","value":"{{Result.Id}}"},{"field":"no","value":"{{Result.Numbers.0}}"},{"field":"none","value":"{{Result.None}}"}]}]}"#,
        ),
        Side::Target,
    );
    let ctx = heliu_transform::Context::new(LAST, NOW, TZ);
    let reply = json(r#"{"Result":{"Id":77,"Numbers":["CG01"]}}"#);
    let kept = writeback::primary(&meta, &ctx, &reply, None).map(|v| v.to_json());
    assert_eq!(kept, Some(r#"{"id":77,"no":"CG01"}"#.into()), "A54");
    // The batch form has its members in `itemMapping`; `_response` is the reply, whatever its members are called.
    let (meta, _) = Metadata::from_value(
        json(
            r#"{"api":"x","response":[{"field":"primaryWriteback","type":"array","itemMapping":{"id":"{{Id}}","state":"{{_response.status}}","why":"{{_response.error.message}}"}}]}"#,
        ),
        Side::Target,
    );
    let primary = |reply: &str| writeback::primary(&meta, &ctx, &json(reply), None).map(|v| v.to_json());
    assert_eq!(primary(r#"{"data":{"Id":7},"status":"ok"}"#), Some(r#"{"id":7,"state":"ok"}"#.into()));
    assert_eq!(
        primary(r#"[{"Id":7,"status":1},{"Id":8,"error":{"message":"m"}}]"#),
        Some(r#"[{"id":7,"state":1},{"id":8,"why":"m"}]"#.into())
    );
    assert_eq!(primary(r#"{"other":1}"#), None);
}

#[test]
fn templates_and_references() {
    let record = r#"{"a":1,"b":true,"n":null,"s":"x","o":{"k":[1,"二"]},"f":1.50,"e":1e3,"a.b":"flat","PAGE_NO":"mine","big":123456789012345678901234567890.5}"#;
    for (expr, want, rule) in [
        ("{{a}}", "1", "G3"),
        ("{a}", "1", "G1"),
        (" {a} ", "1", "G1 trimmed"),
        ("{ a }", "\"{ a }\"", "blanks make it text"),
        ("v{a}", "\"v{a}\"", "G2"),
        ("{{b}}!", "\"true!\"", "G4"),
        ("<{{n}}{{none}}>", "\"<>\"", "G4"),
        ("{{o}}|", r#""{\"k\":[1,\"二\"]}|""#, "G4"),
        ("{{f}}元", "\"1.50元\"", "G4 digits as written"),
        ("{{e}}元", "\"1000元\"", "G4 no exponent"),
        ("{{big}}", "123456789012345678901234567890.5", "numbers keep their digits"),
        ("{{none}}", "null", "G5"),
        ("{{a}}000", "\"1000\"", "G6"),
        ("x{{s}}}", "\"xx}\"", "G7"),
        ("{{s}}}}", "\"x}}\"", "G7"),
        ("{{{s}}}", "\"{x}\"", "a brace before a reference is text"),
        ("$eq${{s}}", "\"$eq$x\"", "G8"),
        ("{{a.b}}", "\"flat\"", "a key with a dot"),
        ("{{PAGE_NO}}", "\"mine\"", "aliases give way to fields"),
        ("{{s|}}", "\"{{s|}}\"", "no pipe"),
        ("{{}}", "\"{{}}\"", "no path"),
        ("{{ }}", "\"{{ }}\"", "no path"),
        ("{{a..b}}", "\"{{a..b}}\"", "no path"),
        ("", "\"\"", "empty text is text"),
        ("{\"a\":1}", r#""{\"a\":1}""#, "JSON is text"),
        ("{a,b}", "\"{a,b}\"", "no path"),
        ("${today(-1)}", "\"${today(-1)}\"", "V-D01"),
        ("00123", "\"00123\"", "G13"),
        ("true", "\"true\"", "text"),
    ] {
        assert_eq!(eval(expr, record), want, "{rule}: {expr}");
    }
    let list = json(r#"["{{a}}",{"x":"_function {{a}} + 1","y":["v{{s}}",null,true]}]"#);
    let record = json(record);
    let request = EvalRequest {
        expr: &list,
        record: Some(&record),
        row: None,
        now: NOW,
        last_sync: LAST,
        tz: TZ,
        ty: None,
        parser: None,
        strict: true,
        lookups: None,
    };
    let v = evaluate(&request).map(|(v, _)| v.to_json()).unwrap_or_default();
    assert_eq!(v, r#"[1,{"x":2,"y":["vx",null,true]}]"#, "lists and objects");
}

#[test]
fn built_in_variables() {
    for (expr, want) in [
        ("{{lastSyncTime}}", "1710403200"),
        ("{{$lastExecuteTime}}", "1710403200"),
        ("{{lastExecuteTime}}", "1710403200"),
        ("{{currentTime}}", "1710406800"),
        ("{{$now}}", "1710406800"),
        ("{{startTime}}", "1710406800"),
        ("{{DAYS_AGO_30}}", "1707814800"),
        ("{{HOURS_AGO_1}}", "1710403200"),
        ("{{MINUTES_AGO_10}}", "1710406200"),
        ("{{MONTH_FIRST_DAY|date}}", "\"2024-03-01\""),
        ("{{PAGE_NO}}", "1"),
        ("{{$pageNumber}}", "1"),
        ("{{PAGE_SIZE}}", "100"),
        ("{{PAGINATION_START_ROW}}", "0"),
        ("{{LAST_SYNC_TIME}}-600", "\"1710403200-600\""),
        ("_function {{LAST_SYNC_TIME}}-600", "1710402600"),
        ("_function {{LAST_SYNC_TIME}}000", "1710403200000"),
        ("_function ({{LAST_SYNC_TIME}} - 600) * 1000", "1710402600000"),
        ("_function CONCAT({{LAST_SYNC_TIME}},'000')", "\"1710403200000\""),
        ("_function FROM_UNIXTIME('{{LAST_SYNC_TIME}}','%Y-%m-%dT%H:%i:%sZ')", "\"2024-03-14T16:00:00Z\""),
        ("{{LAST_SYNC_TIME|datetime|date}}", "\"2024-03-14\""),
        ("{{LAST_SYNC_TIME|date('yyyy/MM/dd HH:mm')}}", "\"2024/03/14 16:00\""),
        ("{{LAST_SYNC_TIME|format:\"Y-m-d\"}}", "\"2024-03-14\""),
        ("{{CURRENT_TIME|addDays:-1|datetime}}", "\"2024-03-13 17:00:00\""),
        ("{{LAST_SYNC_TIME | time}}", "\"16:00:00\""),
    ] {
        assert_eq!(eval(expr, "{}"), want, "{expr}");
    }
    let times = [
        "1710484200",
        "\"1710484200\"",
        "1710484200000",
        "\"2024-03-15 14:30:00\"",
        "\"2024-03-15 14:30\"",
        "\"2024-03-15T14:30:00\"",
        "\"2024-03-15T06:30:00Z\"",
        "\"2024-03-15T06:30:00.123Z\"",
        "\"2024-03-15T14:30:00+08:00\"",
        "\"20240315143000\"",
        "\"2024/3/15 14:30:00\"",
    ];
    for t in times {
        assert_eq!(eval("{{t|datetime}}", &format!(r#"{{"t":{t}}}"#)), "\"2024-03-15 14:30:00\"", "{t}");
    }
    for t in ["\"2024-03-15\"", "\"20240315\"", "\"2024/03/15\""] {
        assert_eq!(eval("{{t|datetime}}", &format!(r#"{{"t":{t}}}"#)), "\"2024-03-15 00:00:00\"", "{t}");
    }
}

#[test]
fn functions_bind_and_show_as_the_rules_say() {
    let record = r#"{"n":"00123","t":"true","f":"false","b":true,"off":false,"blank":" ","e":"","nil":null,"m":"12.50","x":"12abc","list":[1,2,null,"3"],"o":{"k":"v"},"d":"2024-03-15","empty":[]}"#;
    for (expr, want, rule) in [
        ("_function {{n}} + 1", "124", "Fn4 text that is a number"),
        ("_function LENGTH({{n}})", "3", "Fn4 a number has no leading zeros"),
        ("_function LENGTH('{{n}}')", "5", "Fn4 quoted is text"),
        ("_function ISNULL({{blank}}) + ISNULL({{e}}) + ISNULL({{nil}}) + ISNULL({{none}})", "4", "Fn4 NULL"),
        ("_function '{{nil}}' = ''", "1", "G4 in quotes"),
        ("_function {{b}} + {{off}}", "1", "Fn4 TRUE and FALSE"),
        ("_function {{x}}", "\"12abc\"", "Fn4 other text"),
        ("_function COUNT({{list}})", "3", "Fn7 NULL does not count"),
        ("_function SUM({{list}})", "6", "Fn7"),
        ("_function COUNT({{empty}})", "0", "Fn7"),
        ("_function SUM({{empty}})", "null", "Fn7"),
        ("_function SUM({{none}})", "null", "Fn7"),
        ("_function IFNULL(SUM({{none}}),0)", "0", "Fn7"),
        ("_function '{{o}}'", r#""{\"k\":\"v\"}""#, "G4 in quotes"),
        ("_function '{{o}}' -> '$.k'", "\"\\\"v\\\"\"", "JSON"),
        ("_function '{{o}}' ->> '$.k'", "\"v\"", "JSON"),
        ("_function 3 IN ({{list}})", "1", "lists in IN"),
        ("_function 9 IN ({{list}})", "null", "IN with NULL"),
        ("_function '{{t}}' = true", "1", "Fn11"),
        ("_function '{{f}}' = FALSE", "1", "Fn11"),
        ("_function '{{b}}' = TRUE", "1", "Fn11"),
        ("_function '1' = TRUE", "1", "Fn11"),
        ("_function '{{e}}' = FALSE", "1", "Fn11"),
        ("_function 'yes' = TRUE", "0", "Fn11"),
        ("_function {{m}} * 1", "12.5", "Fn6 no zeros at the end"),
        ("_function '{{m}}' * 2", "25", "Fn6"),
        ("_function 0.1 + 0.2", "0.3", "Fn8"),
        ("_function '0.1' + '0.2'", "0.3", "Fn8 text too"),
        ("_function 1e3 * 2", "2000", "Fn6 no exponent"),
        ("_function 1/3", "0.3333", "Fn8"),
        ("_function 10/4", "2.5", "Fn8"),
        ("_function 9999999999999.99 * 3", "29999999999999.97", "Fn8"),
        ("_function NULL", "null", "Fn6"),
        ("_function 1 = 1", "1", "Fn6"),
        ("_function TRUE", "1", "Fn6"),
        ("_functionCONCAT('a','b')", "\"ab\"", "Fn2"),
        ("_function\nconcat ( 'a' ,\n\t\"b\" )", "\"ab\"", "Fn3"),
        ("_function Case When 1=1 Then 'x' End", "\"x\"", "Fn3"),
        ("_function CASE WHEN 1=0 THEN 'x' END", "null", "CASE without ELSE"),
        ("_function 1 -- one\n + 2", "3", "Fn9"),
        ("_function 1 + 2 -- three", "3", "Fn9"),
        ("_function /* all */ 1 # one\n + 2;", "3", "Fn9"),
        ("_function CONCAT（'a'，'（b）'）", "\"a（b）\"", "signs of a Chinese keyboard, outside of text"),
        ("_function\u{3000}CONCAT('a',\u{a0}'b')", "\"ab\"", "blanks of all kinds"),
        ("_function DATE_FORMAT({{d}}, '%Y年%m月')", "\"2024年03月\"", "text that is a date"),
        ("_function '--' ", "\"--\"", "a comment's sign in text"),
        ("_function 5--3", "8", "two signs are no comment"),
        ("_function -{{m}}", "-12.5", "sign before a reference"),
        ("_function '{{d}} 00:00:00'", "\"2024-03-15 00:00:00\"", "text around a reference"),
        ("_function \"{{d}}\"", "\"2024-03-15\"", "double quotes are text"),
        ("_function 'it''s' 'ok'", "\"it'sok\"", "quotes doubled, texts side by side"),
        ("_function 'a\\'b\\n'", "\"a'b\\n\"", "escapes"),
        ("_function `x`", "\"_function `x`\"", "names in backticks are no values"),
    ] {
        assert_eq!(eval(expr, record), want, "{rule}: {expr}");
    }
}

#[test]
fn conditions_compare_as_told() {
    let element = r#"{"id":1,"n":"10","t":"abc","nil":null,"e":"","l":[],"when":"2024-03-15 14:30:00","flag":true,"items":[{"q":5,"k":"a"},{"q":15,"k":"b"},{"q":25,"k":"c"}]}"#;
    let kept = |condition: &str| {
        let out = shape(&format!(r#"{{"api":"x","id":"id","condition":{condition}}}"#), element);
        match &out[0].filtered {
            Some(_) => "dropped".to_owned(),
            None => {
                let v = json(&content(&out[0]));
                v.get_path("items.k").map(|k| k.to_json()).unwrap_or_default()
            }
        }
    };
    let test = |field: &str, logic: &str, value: &str| {
        kept(&format!(r#"[[{{"field":"{field}","logic":"{logic}","value":{value}}}]]"#))
    };
    let all = r#"["a","b","c"]"#;
    for (field, logic, value, want) in [
        ("n", "eq", "10", all),
        ("n", "eq", "\"10.0\"", all),
        ("n", "gt", "9", all),
        ("n", "gt", "\"9\"", all),
        ("t", "gt", "\"abb\"", all),
        ("n", "egt", "10", all),
        ("n", "lt", "10", "dropped"),
        ("n", "elt", "\"10\"", all),
        ("n", "neq", "10", "dropped"),
        ("t", "like", "\"b\"", all),
        ("t", "like", "\"a.c\"", "dropped"),
        ("t", "notlike", "\"x\"", all),
        ("n", "between", "\"10,20\"", all),
        ("n", "between", "\"11,20\"", "dropped"),
        ("nil", "isnull", "null", all),
        ("none", "isnull", "null", all),
        ("e", "isnull", "null", all),
        ("l", "isnull", "null", all),
        ("n", "notnull", "null", all),
        ("none", "gt", "0", "dropped"),
        ("when", "egt", "\"timestamp:1710484200\"", all),
        ("when", "gt", "\"timestamp:1710484200\"", "dropped"),
        ("flag", "eq", "true", all),
        ("flag", "eq", "\"true\"", all),
        ("n", "in", "\"9,10\"", all),
        ("n", "notin", "\"9,10\"", "dropped"),
        ("items.q", "gt", "10", r#"["b","c"]"#),
        ("items.q", "gt", "100", "dropped"),
        ("items.k", "eq", "\"a\"", r#"["a"]"#),
    ] {
        assert_eq!(test(field, logic, value), want, "{field} {logic} {value}");
    }
    assert_eq!(kept("[]"), all, "an empty list keeps all");
    assert_eq!(
        kept(
            r#"[[{"field":"items.q","logic":"gt","value":10},{"field":"items.k","logic":"neq","value":"c"}]]"#
        ),
        r#"["b"]"#,
        "AND"
    );
    assert_eq!(
        kept(
            r#"[[{"field":"items.q","logic":"gt","value":10},{"field":"n","logic":"eq","value":9}],[{"field":"items.k","logic":"eq","value":"a"}]]"#
        ),
        r#"["a"]"#,
        "the first group that holds decides which rows stay"
    );
    assert_eq!(
        kept(r#"[[{"field":"items.q","logic":"gt","value":10,"strictMode":"true"}]]"#),
        "dropped",
        "strict: one failing row drops the bill"
    );
}

#[test]
fn items_take_default_mapping_parser_type_in_order() {
    let record = r#"{"c":"B","blank":"","nil":null,"rows":[{"v":"1"},{"v":""}],"n":"7.0","t":1710484200,"obj":{"k":1},"list":"a,b"}"#;
    for (item, want, rule) in [
        (r#"{"field":"a","value":"{{nil}}","default":"{{c}}"}"#, r#"{"a":"B"}"#, "default for null"),
        (r#"{"field":"a","value":"{{blank}}","default":"d"}"#, r#"{"a":"d"}"#, "default for blank"),
        (
            r#"{"field":"a","value":"{{c}}","default":"d"}"#,
            r#"{"a":"B"}"#,
            "no default where there is a value",
        ),
        (
            r#"{"field":"a","value":"{{c}}","mapping":{"B":"x,y"},"parser":{"name":"StringToArray","params":","}}"#,
            r#"{"a":["x","y"]}"#,
            "mapping before parser",
        ),
        (r#"{"field":"a","value":"{{n}}","type":"int"}"#, r#"{"a":7}"#, "whole"),
        (r#"{"field":"a","value":"7.5","type":"int"}"#, "HL-2213", "not whole"),
        (r#"{"field":"a","value":"{{blank}}","type":"int"}"#, "{}", "blank number is left out"),
        (r#"{"field":"a","value":"1,000","type":"float"}"#, "HL-2213", "no number"),
        (
            r#"{"field":"a","value":"yes","type":"bool"},{"field":"b","value":"0","type":"boolean"}"#,
            r#"{"a":true,"b":false}"#,
            "bool",
        ),
        (r#"{"field":"a","value":"maybe","type":"bool"}"#, "HL-2213", "no bool"),
        (
            r#"{"field":"a","value":"{{t}}","type":"datetime"},{"field":"b","value":"{{t}}","type":"date"}"#,
            r#"{"a":"2024-03-15 14:30:00","b":"2024-03-15"}"#,
            "times from numbers",
        ),
        (r#"{"field":"a","value":"{{nil}}","is_required":true}"#, "HL-2212", "required"),
        (r#"{"field":"a","value":"{{blank}}","is_required":1}"#, "HL-2212", "required and blank"),
        (
            r#"{"field":"a","value":"{{blank}}"},{"field":"b","value":0},{"field":"c","value":false},{"field":"d","value":[],"type":"array"}"#,
            r#"{"a":"","b":0,"c":false,"d":[]}"#,
            "only null goes",
        ),
        (
            r#"{"field":"a","type":"array","value":"{{list}}","parser":{"name":"StringToArray","params":","}}"#,
            r#"{"a":["a","b"]}"#,
            "C10",
        ),
        (r#"{"field":"a","type":"array","value":"{{c}}"}"#, r#"{"a":["B"]}"#, "C10"),
        (
            r#"{"field":"o","type":"object","value":null,"children":[{"field":"x","value":"{{c}}"},{"field":"y","value":"{{nil}}"}]}"#,
            r#"{"o":{"x":"B"}}"#,
            "C11",
        ),
        (
            r#"{"field":"o","type":"object","value":"obj","children":[{"field":"x","value":"{{obj.k}}"}]}"#,
            r#"{"o":{"x":1}}"#,
            "C11 bound",
        ),
        (
            r#"{"field":"E","type":"array","value":"rows","children":[{"field":"v","value":"{{rows.v}}"},{"field":"h","value":"{{c}}"},{"field":"w","value":"{{v}}"}]}"#,
            r#"{"E":[{"v":"1","h":"B","w":"1"},{"v":"","h":"B","w":""}]}"#,
            "C3, C4, C5",
        ),
        (
            r#"{"field":"E","type":"array","value":"obj","children":[{"field":"v","value":"{{obj.k}}"}]}"#,
            r#"{"E":[{"v":1}]}"#,
            "C9",
        ),
        (
            r#"{"field":"E","type":"array","children":[{"field":"v","value":"{{c}}"}]}"#,
            r#"{"E":[{"v":"B"}]}"#,
            "C8",
        ),
        (
            r#"{"field":"E","type":"array","value":"rows","parser":{"name":"ConvertObjectParser","params":"k"},"children":[{"field":"v","value":"{{rows.v}}"}]}"#,
            r#"{"E":{"k":[{"v":"1"},{"v":""}]}}"#,
            "C15",
        ),
        (
            r#"{"field":"E","type":"array","value":"rows","children":[{"field":"s","value":"_function SUM({{rows.v}})"},{"field":"f","value":"_function CONCAT('{{rows.v}}','!')"}]}"#,
            r#"{"E":[{"s":1,"f":"1!"},{"s":1,"f":"!"}]}"#,
            "C14, Fn7",
        ),
        (r#"{"field":"a","mapping":"c"}"#, r#"{"a":"B"}"#, "a mapping in text form is a path"),
        (
            r#"{"field":"E","type":"array","value":"rows"},{"field":"x","parent":"E","value":"{{rows.v}}"}"#,
            r#"{"E":[{"x":"1"},{"x":""}]}"#,
            "flat form by parent",
        ),
        (
            r#"{"field":"E","type":"array","value":"rows"},{"field":"E.o","type":"object"},{"field":"E.o.x","value":"{{rows.v}}"}"#,
            r#"{"E":[{"o":{"x":"1"}},{"o":{"x":""}}]}"#,
            "dotted form, two levels",
        ),
    ] {
        assert_eq!(request(item, record), want, "{rule}: {item}");
    }
}

#[test]
fn generic_spellings_are_taken() {
    let v = document(
        r#"{"api":"x","requestParams":{"a":"{{so}}","b":{"value":"{{n}}","parser":{"name":"ArrayToString","params":"|"}}},"otherRequestParams":{"k":"v"},"pagination":{"page_size":50}}"#,
        &[r#"{"so":"S","n":["1","2"]}"#],
    );
    let want = r#"{"api":"x","method":"POST","request":{"a":"S","b":"1|2"},"otherRequest":{"k":"v"}}"#;
    assert_eq!(v.map(|v| v.to_json()), Ok(want.into()), "§2.8");
    let shaped =
        shape(r#"{"api":"x","id":"{{response.o_id}}","number":"{response.no}"}"#, r#"{"o_id":5,"no":"N"}"#);
    assert_eq!((shaped[0].id.as_deref(), shaped[0].number.as_deref()), (Some("5"), Some("N")));
}

#[test]
fn models_give_stored_data_its_types() {
    let meta = r#"{"api":"x","id":"id","buildModel":true,"response":[{"field":"n","type":"int"},{"field":"f","type":"float"},{"field":"b","type":"bool"},{"field":"s","type":"string"},{"field":"d","type":"date"},{"field":"bad","type":"int"},{"field":"none","type":"int"}]}"#;
    let out =
        shape(meta, r#"{"id":1,"n":"7","f":"1.50","b":"true","s":12,"d":1710484200,"bad":"x","kept":"9"}"#);
    assert_eq!(
        content(&out[0]),
        r#"{"id":1,"n":7,"f":1.5,"b":true,"s":"12","d":"2024-03-15","bad":"x","kept":"9"}"#
    );
    let off = meta.replace("true,\"response\"", "false,\"response\"");
    let raw = r#"{"id":1,"n":"7"}"#;
    assert_eq!(content(&shape(&off, raw)[0]), raw);
}
