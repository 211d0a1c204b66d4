//! Small inputs that once were, or could be, endless work. Time is not measured: without their bounds these do not
//! come back, or take all memory.

use bytes::Bytes;
use heliu_transform::mapping::Request;
use heliu_transform::mongo::Filter;
use heliu_transform::{Context, EvalRequest, Metadata, Path, Shaped, Shaping, Side, Value, evaluate};

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}"))
}

/// Value and number of warnings.
fn eval(expr: &str, record: &str, ty: &str, parser: Option<&str>) -> (String, usize) {
    let (expr, record, parser) = (Value::from(expr), json(record), parser.map(json));
    let request = EvalRequest {
        expr: &expr,
        record: Some(&record),
        row: None,
        now: 1_710_406_800,
        last_sync: 1_710_403_200,
        tz: chrono_tz::Asia::Shanghai,
        ty: Some(ty),
        parser: parser.as_ref(),
        strict: true,
        lookups: None,
    };
    match evaluate(&request) {
        Ok((v, w)) => (v.to_json(), w.len()),
        Err(e) => (e.code, 0),
    }
}

#[test]
fn huge_exponents_are_not_written_out() {
    for n in ["1e999999999", "1e-999999999", "9E+2147483647", "1e99999999999999999999"] {
        let record = format!(r#"{{"v":{n},"s":"{n}","at":{n}}}"#);
        assert_eq!(eval("x{{v}}", &record, "string", None).0, format!("\"x{n}\""));
        assert_eq!(eval("{{v}}", &record, "string", None).0, n);
        assert_eq!(eval("{{s}}", &record, "int", None).0, "HL-2213");
        assert_eq!(eval("{{s}}", &record, "float", None).0, "HL-2213");
        assert_eq!(eval("{{v}}", &record, "bool", None).0, "HL-2213");
        assert_eq!(eval("{{at|date}}", &record, "string", None), (n.to_owned(), 1));
        let number = Some(r#"{"type":"number","decimals":"2"}"#);
        assert_eq!(eval("{{s}}", &record, "string", number), (format!("\"{n}\""), 1));
        let filter = |f: &str| Filter::compile(&json(f)).unwrap().matches(&json(&record));
        assert!(filter(&format!(r#"{{"v":{n}}}"#)));
        assert!(!filter(r#"{"v":1}"#));
        assert!(!filter(r#"{"v":1e888888888}"#));
        assert!(shape(r#""formatResponse":[{"old":"v","new":"b","format":"round(9)"}]"#, &record).len() == 1);
    }
    // What a float or a column holds is.
    assert_eq!(eval("x{{v}}", r#"{"v":1.5e3}"#, "string", None).0, "\"x1500\"");
    assert_eq!(eval("{{s}}", r#"{"s":"-2.50e-3"}"#, "float", None).0, "-0.0025");
}

#[test]
fn rows_are_compared_and_their_copies_bounded() {
    let value = |e: &str| eval(&format!("_function {e}"), r#"{"a":"x","n":2}"#, "string", None).0;
    for (e, want) in [
        ("('{{a}}', {{n}}) = ('X', 2)", "1"),
        ("ROW({{n}}, 1) <> (2, 1)", "0"),
        ("({{n}}, 'b') IN ((1,'b'), ROW(2,'B')) AND 1", "1"),
        ("({{n}}, 1) NOT IN ((2, 2))", "1"),
        ("(1, NULL) = (2, 3)", "0"),
        ("(1, NULL) = (1, 3)", "null"),
        ("(1, NULL) <=> (1, NULL)", "1"),
        ("IF((1, 2) = (1, 2), 'y', 'n')", "\"y\""),
        ("(SELECT CONCAT('{{a}}', '1') AS `name` FROM dual)", "\"x1\""),
        ("SELECT {{n}} + 1 AS '合计';", "3"),
        ("{{n}} * 2 as total", "4"),
        // Not what MySQL takes either.
        ("(1, 2) = (1, 2, 3)", "HL-2301"),
        ("(1, 2)", "HL-2301"),
        ("(1, 2) < (1, 3)", "HL-2301"),
        ("1 + SELECT 2", "HL-2304"),
        ("(SELECT a FROM shops)", "HL-2304"),
        ("(SELECT 1, 2)", "HL-2301"),
        ("1 AS", "HL-2301"),
        ("((1, 2) = (1, 2), 1) = (1, 1)", "HL-2301"),
    ] {
        assert_eq!(value(e), want, "{e}");
    }
    let mut deep = "(1, 1) IN ((1, 1), (1, 1))".to_owned();
    for _ in 0..90 {
        deep = format!("(({deep}), 1) IN ((1, 1), (1, 1))");
    }
    assert_eq!(value(&deep), "HL-2301");
    let wide = format!(
        "({}) IN ({})",
        vec!["1"; 500].join(","),
        vec![format!("({})", vec!["1"; 500].join(",")); 500].join(",")
    );
    assert_eq!(value(&wide), "HL-2301");
}

fn shape(config: &str, record: &str) -> Vec<Shaped> {
    let (meta, _) =
        Metadata::from_value(json(&format!(r#"{{"api":"/a","id":"id",{config}}}"#)), Side::Source);
    let mut out = Vec::new();
    Shaping::compile(&meta, chrono_tz::Asia::Shanghai).shape(&Bytes::from(record.to_owned()), 0, &mut out);
    out
}

#[test]
fn flattened_arrays_that_multiply_are_refused() {
    let list = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let four = format!(r#"{{"id":1,"a":[{0}],"b":[{0}],"c":[{0}],"d":[{0}]}}"#, list(1000));
    let out = shape(r#""beatFlat":["a","b","c","d"]"#, &four);
    assert_eq!(out.len(), 1);
    assert!(out[0].rejected.as_ref().is_some_and(|t| t.en.contains("more rows")), "{:?}", out[0].rejected);
    // One long list is none of those, nor are two short ones.
    assert_eq!(shape(r#""beatFlat":["a"]"#, &format!(r#"{{"id":1,"a":[{}]}}"#, list(50_000))).len(), 50_000);
    // A record of hardly any bytes takes its room, too.
    let two = format!(r#"{{"id":1,"a":[{}],"b":[{}]}}"#, list(700), list(700));
    assert!(matches!(shape(r#""beatFlat":["a","b"]"#, &two).as_slice(), [one] if one.rejected.is_some()));
    assert_eq!(
        shape(r#""beatFlat":["a","b"]"#, &format!(r#"{{"id":1,"a":[{0}],"b":[{0}]}}"#, list(100))).len(),
        10_000
    );
}

#[test]
fn splitting_a_long_list_copies_the_header_alone() {
    let items: Vec<String> = (0..20_000).map(|i| format!(r#"{{"n":{i}}}"#)).collect();
    let out = shape(
        r#""operation":{"method":"splitArray","arrayKey":"items"}"#,
        &format!(r#"{{"id":1,"items":[{}]}}"#, items.join(",")),
    );
    assert_eq!(out.len(), 20_000);
    assert_eq!(out[19_999].content.as_ref(), br#"{"id":1,"items":{"n":19999}}"#);
}

#[test]
fn xpath_steps_that_see_nested_elements_again_are_bounded() {
    let deep = format!("{}x{}", "<a>".repeat(3_000), "</a>".repeat(3_000));
    let record = format!(r#"{{"v":"{deep}"}}"#);
    for path in ["//a//a//a", "//a"] {
        let parser = format!(r#"{{"type":"xml","xpath":"{path}","extractAll":true}}"#);
        assert_eq!(eval("{{v}}", &record, "string", Some(&parser)).1, 1, "{path}");
    }
    let first = Some(r#"{"type":"xml","xpath":"/a/b"}"#);
    assert_eq!(eval("{{v}}", r#"{"v":"<a><b>x</b><b>y</b></a>"}"#, "string", first), ("\"x\"".into(), 0));
}

#[test]
fn json_paths_that_find_nodes_again_and_again_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let record = format!(r#"{{"v":{deep}}}"#);
    let many = format!("${}", "..*".repeat(20));
    let twice = format!("${}", "[*,*]".repeat(40));
    let inside = "$..[?$..[?$..*]]";
    for path in [many.as_str(), twice.as_str(), inside] {
        let parser = format!(r#"{{"type":"jsonpath","expression":"{path}","extractAll":true}}"#);
        assert_eq!(eval("{{v}}", &record, "array", Some(&parser)).1, 1, "{path}");
    }
    let usual = Some(r#"{"type":"jsonpath","expression":"$.a[?@.b == 'x'].c","extractAll":true}"#);
    assert_eq!(
        eval("{{v}}", r#"{"v":{"a":[{"b":"x","c":1},{"b":"y"}]}}"#, "string", usual),
        ("[1]".into(), 0)
    );
    let all = Some(r#"{"type":"jsonpath","expression":"$..c","extractAll":true}"#);
    let large = format!(r#"{{"v":[{}]}}"#, vec![r#"{"b":{"c":1}}"#; 5000].join(","));
    assert_eq!(eval("{{v}}", &large, "array", all).1, 0);
}

#[test]
fn parents_in_a_chain_nest_only_so_deep() {
    let items: Vec<String> = (0..3000)
        .map(|i| format!(r#"{{"field":"f{}","type":"object","value":"1","parent":"f{i}"}}"#, i + 1))
        .collect();
    let doc = format!(
        r#"{{"api":"/a","request":[{{"field":"f0","type":"object","value":"1"}},{}]}}"#,
        items.join(",")
    );
    let (meta, _) = Metadata::from_value(json(&doc), Side::Target);
    let ctx = Context::new(0, 0, chrono_tz::Asia::Shanghai);
    assert!(Request::compile(&meta).render(&ctx, Some(&json("{}"))).is_ok());
}

#[test]
fn paths_deeper_than_any_document_are_names() {
    let path = "a.".repeat(200_000);
    assert_eq!(Path::new(&path).segs().len(), 1);
    assert_eq!(
        shape(&format!(r#""formatResponse":[{{"old":"id","new":"{path}b"}}]"#), r#"{"id":1}"#).len(),
        1
    );
    assert_eq!(Path::new("a.b.c").segs().len(), 3);
}

#[test]
fn openings_without_end_are_read_once() {
    for one in ["{{", "{{a|b(", "{{a|b('", "{{a|b:\"", "_findCollection ", "_mongoQuery M "] {
        let text = one.repeat(20_000 / one.len());
        let (value, _) = eval(&text, "{}", "string", None);
        assert!(!value.is_empty());
        assert!(eval(&format!("_function {text}"), "{}", "string", None).0.starts_with("HL-"), "{one}");
    }
}

#[test]
fn objects_of_many_members_are_built_in_linear_time() {
    let pairs: Vec<String> = (0..100_000).map(|i| format!(r#""k{i}":{i}"#)).collect();
    let large = json(&format!("{{{}}}", pairs.join(",")));
    let again: heliu_transform::Map = large.as_object().unwrap().clone().into_iter().collect();
    assert_eq!(Value::Object(again), large);
}

/// The code of what `_function` cannot do, or its value.
fn function(sql: &str) -> String {
    eval(&format!("_function {sql}"), r#"{"a":"x"}"#, "string", None).0
}

/// Look-around and back references step back: patterns and texts that would do so for ever end in an error.
#[test]
fn patterns_that_step_back_end() {
    for sql in [
        "REPEAT('a',4000) REGEXP '^(?:a|a)*(?!a)b'",
        "REPEAT('a',60) REGEXP '^(?:a+(?=a|$))+b'",
        "REPEAT('a',60) REGEXP '^(?:a|aa)+(?!b)c'",
        "REPEAT('a',60) REGEXP '^((a|b)*)*\\\\2c'",
        "REPEAT('ab',1000) REGEXP '^(?:(a|ab)(b|))*(?=c)c'",
        "REPEAT('a',60) NOT REGEXP '^([a-z]+ ?)*(?<=!)$'",
        "REGEXP_REPLACE(REPEAT('a',4000), 'a(?=a)', 'x')",
        "REGEXP_SUBSTR(REPEAT('a',3000), '(.+)(.+)(.+)(.+)\\\\1b')",
        // Longer texts than such patterns take.
        "REPEAT('a',5000) REGEXP 'a(?=b)'",
        "REGEXP_INSTR(REPEAT('a',5000), '(a)\\\\1b')",
    ] {
        assert_eq!(function(sql), "HL-2311", "{sql}");
    }
    for deep in ["(?=a", "(?:(?=a)", "(a(?!b)"] {
        let pattern = format!("{}{}", deep.repeat(300), ")".repeat(300));
        assert_eq!(function(&format!("'a' REGEXP '{pattern}'")), "HL-2311", "{deep}");
    }
    for wide in
        ["(?=(a{500}){500})", "(?=((a{90}){90}){90})b", "(?=\\\\p{L}{900}){900}", "(?<=a+)b", "(?=a)\\\\9"]
    {
        assert_eq!(function(&format!("'a' REGEXP '{wide}'")), "HL-2311", "{wide}");
    }
    assert_eq!(function(&format!("'a' REGEXP '(?=a){}'", "a".repeat(1_000))), "HL-2311");
    assert_eq!(function("REGEXP_REPLACE('1234567', '[0-9](?=([0-9]{3})+$)', '\\\\0,')"), "\"1,234,567\"");
    assert_eq!(function("REGEXP_REPLACE('aabbc', '(.)\\\\1', '<\\\\1>')"), "\"<a><b>c\"");
    // A parser leaves the value as it is, with a warning.
    let look = |v: &str, pattern: &str| {
        let parser = format!(r#"{{"type":"regex","pattern":"{pattern}","extractAll":true}}"#);
        eval("{{v}}", &format!(r#"{{"v":"{v}"}}"#), "string", Some(&parser))
    };
    assert_eq!(look("SO-12,PO-7", "(?<=-)[0-9]+"), (r#"["12","7"]"#.to_owned(), 0));
    assert_eq!(look(&"a".repeat(60), "^(?:a|aa)+(?!b)c").1, 1);
    assert_eq!(look(&"a".repeat(5_000), "a(?=b)").1, 1);
}

#[test]
fn searches_in_long_texts_take_linear_time_or_end() {
    // The needle nearly fits everywhere.
    let needle = "CONCAT(REPEAT('a',400000),'b')";
    assert_eq!(function(&format!("LOCATE({needle}, REPEAT('a',1000000))")), "0");
    assert_eq!(function(&format!("INSTR(REPEAT('a',1000000), {needle})")), "0");
    assert_eq!(function("LOCATE('ß', 'aßb', 2)"), "2");
    assert_eq!(function("LOCATE('B', '旗舰b', 3)"), "3");
    assert_eq!(function("LOCATE('', 'abc', 4)"), "0");
    assert_eq!(function("LOCATE('', 'abc', 3)"), "3");
    assert_eq!(function("REPEAT('a',400000) LIKE CONCAT('%',REPEAT('a',200000),'b')"), "HL-2311");
    assert_eq!(function("REPEAT('a',4000) LIKE CONCAT('%',REPEAT('a',2000),'b')"), "0");
    assert_eq!(function("REGEXP_REPLACE(REPEAT('A',400000),'.*[^A-Z]|[A-Z]','x')"), "HL-2311");
    assert_eq!(function("REGEXP_REPLACE('a1b22','([0-9])+','<\\\\1>')"), "\"a<1>b<2>\"");
    // What can only match a little reads on a little: long texts are no reason to refuse it.
    assert_eq!(function("CHAR_LENGTH(REGEXP_REPLACE(REPEAT('仔a1',100000),'[^0-9]',''))"), "100000");
    assert_eq!(function("CHAR_LENGTH(REGEXP_REPLACE(REPEAT('a1',100000),'[a-z]([0-9])','<\\1>'))"), "300000");
    // Of many lines' ends only the last one is looked past.
    assert_eq!(function("CHAR_LENGTH(REGEXP_REPLACE(REPEAT('\n',100000),'x$','y'))"), "100000");
    let pattern = Some(r#"{"type":"regex","pattern":".*[^A-Z]|[A-Z]","extractAll":true}"#);
    let long = format!(r#"{{"v":"{}"}}"#, "A".repeat(100_000));
    assert_eq!(eval("{{v}}", &long, "string", pattern).1, 1);
}

#[test]
fn long_texts_are_counted_over_all_calls() {
    assert_eq!(function("REPEAT('a',2000000)"), "HL-2311");
    assert_eq!(function("CHAR_LENGTH(REPEAT('a',1000000))"), "1000000");
    let nested = format!("CHAR_LENGTH({}REPEAT('a',1000000){})", "LOWER(".repeat(20), ")".repeat(20));
    assert_eq!(function(&nested), "HL-2311");
    let beside = vec!["REVERSE(REPEAT('a',1000000))"; 20].join(" + ");
    assert_eq!(function(&beside), "HL-2311");
    assert_eq!(function("TIME_FORMAT('838:59:59', REPEAT('%H', 500000))"), "HL-2311");
}

#[test]
fn a_search_in_json_is_bounded() {
    let many = format!("[{}]", vec!["\"aaaa\""; 5000].join(","));
    let found = function(&format!("JSON_LENGTH(JSON_SEARCH('{many}', 'all', 'a%'))"));
    assert_eq!(found, "5000");
    assert_eq!(function(&format!("JSON_SEARCH('{many}', 'all', REPEAT('%a', 500))")), "HL-2311");
    assert_eq!(
        function(r#"JSON_SEARCH('{"a":"x","a":"x","b":["x"]}', 'all', 'x')"#),
        r#""[\"$.a\", \"$.b[0]\"]""#
    );
}

#[test]
fn chains_that_double_a_text_end() {
    let quoted = r#"{"v":"\"\\"}"#;
    let (value, warnings) = eval(&format!("{{{{v{}}}}}", "|json_encode".repeat(60)), quoted, "string", None);
    assert!(warnings > 0 && value.len() < 4 << 20, "{} bytes", value.len());
    let (value, _) = eval(&format!("{{{{v{}}}}}", "|json_encode".repeat(2)), r#"{"v":"x"}"#, "string", None);
    assert_eq!(value, r#""\"\\\"x\\\"\"""#);
    let twenty = "a".repeat(20);
    let chain = format!("|replace('a','{twenty}')").repeat(30);
    let (value, warnings) = eval(&format!("{{{{v{chain}}}}}"), r#"{"v":"aaa"}"#, "string", None);
    assert!(warnings > 0 && value.len() < 4 << 20, "{} bytes", value.len());
    // Rules over what the rules before them made: the element is rejected as it came.
    let element = r#"{"id":1,"v":"\"\\"}"#;
    for (news, format) in
        [(&["v"][..], "json"), (&["v.v"], "json"), (&["v.v"], "string"), (&["v.v", "v.u"], "none")]
    {
        let rule = |new: &&str| format!(r#"{{"old":"v","new":"{new}","format":"{format}"}}"#);
        let rules = vec![news.iter().map(rule).collect::<Vec<_>>().join(","); 300].join(",");
        let out = shape(&format!(r#""formatResponse":[{rules}]"#), element);
        let why = out[0].rejected.as_ref().map(|t| t.en.as_str()).unwrap_or_default();
        assert!(why.contains("than can be held") && out[0].content == element, "{news:?} {format}: {why}");
    }
    let out =
        shape(r#""formatResponse":[{"old":"v","new":"v.v","format":"json"},{"old":"v","new":"w"}]"#, element);
    assert_eq!((out[0].id.as_deref(), out[0].rejected.is_none()), (Some("1"), true));
    // A separator as long as a configuration, between as many elements as a record has.
    let many = format!(r#"{{"id":1,"v":[{}1]}}"#, "1,".repeat(100_000));
    let implode = format!(r#"[{{"old":"v","new":"w","format":"implode('{}')"}}]"#, "-".repeat(100_000));
    let out = shape(&format!(r#""formatResponse":{implode}"#), &many);
    assert!(out[0].rejected.is_some());
}

#[test]
fn a_large_header_is_not_copied_for_many_rows() {
    let rows = "1,".repeat(1_000_000);
    let element = format!(r#"{{"id":1,"header":"{}","items":[{rows}1]}}"#, "x".repeat(1 << 20));
    for how in [r#""operation":{"method":"splitArray","arrayKey":"items"}"#, r#""beatFlat":["items"]"#] {
        let out = shape(how, &element);
        let why = out[0].rejected.as_ref().map(|t| t.en.as_str()).unwrap_or_default();
        assert!(out.len() == 1 && why.contains("can be held"), "{how}: {why}");
    }
}

#[test]
fn numbers_of_rows_do_not_run_over() {
    let out = shape(r#""beatFlat":["a"],"beatFlatBase":9223372036854775807"#, r#"{"id":1,"a":[1,2]}"#);
    assert_eq!(out.len(), 2);
}

#[test]
fn filters_inside_of_filters_are_bounded() {
    let nested = format!("${}{}", "[?@".repeat(50), "]".repeat(50));
    let parser = format!(r#"{{"type":"jsonpath","expression":"{nested}"}}"#);
    assert_eq!(eval("{{v}}", r#"{"v":[[1]]}"#, "array", Some(&parser)).1, 1);
}
