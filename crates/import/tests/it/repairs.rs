//! One fault each: what it becomes, and under which name it is reported.

use heliu_import::{Draft, Kind, read_text};
use serde_json::{Value, json};

use crate::options;

fn draft(text: &str) -> Draft {
    let mut list = read_text(text.as_bytes(), &options()).unwrap_or_else(|p| panic!("{p:#?}\n{text}"));
    assert_eq!(list.len(), 1, "{text}");
    list.remove(0)
}

/// `body` stands behind `"api":"/a","id":"x",` of a source document.
#[track_caller]
fn case(body: &str, wanted: Value, kinds: &[Kind]) {
    let text = format!("{{\"api\":\"/a\",\"id\":\"x\",\"number\":\"x\",\n{body}");
    let d = draft(&text);
    let mut got = d.plan["source"]["metadata"].clone();
    for k in ["api", "id", "number"] {
        got.as_object_mut().unwrap().shift_remove(k);
    }
    assert_eq!(got, wanted, "{body}\n{:#?}", d.repairs);
    let found: Vec<Kind> = d.repairs.iter().map(|r| r.kind).collect();
    assert_eq!(found, kinds, "{body}\n{:#?}", d.repairs);
    for r in &d.repairs {
        assert!(r.line >= 1 && r.column >= 1 && !r.done.is_empty(), "{r:?}");
    }
}

#[test]
fn punctuation() {
    use Kind::*;
    case("\u{201c}m\u{201d}:\u{201c}v\u{201d}}", json!({"m": "v"}), &[Quote, Quote]);
    case("\"m\u{201d}:\"v\"}", json!({"m": "v"}), &[Quote]);
    case("\"m\"\u{ff1a}\"v\"\u{ff0c}\"n\":1}", json!({"m": "v", "n": 1}), &[Punctuation, Punctuation]);
    case("\"m\":\u{3010}1\u{3001}2\u{3011}\u{ff5d}", json!({"m": [1, 2]}), &[Punctuation; 4]);
    case("'m':'it\\'s'}", json!({"m": "it's"}), &[Quote, Quote, Escape]);
    case("\"m\":'O'Brien',\"n\":1}", json!({"m": "O'Brien", "n": 1}), &[Quote]);
    case("\"m\":1,}", json!({"m": 1}), &[ExtraComma]);
    case("\"m\":[1,,2,],,\"n\":3}", json!({"m": [1, 2], "n": 3}), &[ExtraComma, ExtraComma, ExtraComma]);
    case("\"m\":1\n\"n\":2}", json!({"m": 1, "n": 2}), &[MissingComma]);
    case("\"m\":[{\"a\":1}\n{\"a\":2}]}", json!({"m": [{"a": 1}, {"a": 2}]}), &[MissingComma]);
    case("\"m\":\"v\"\n\"n\":2}", json!({"m": "v", "n": 2}), &[MissingComma]);
    case("\"m\" \"v\"}", json!({"m": "v"}), &[MissingColon]);
    case("\"m\":\u{a0}1,\u{3000}\"n\":2}", json!({"m": 1, "n": 2}), &[Blank]);
    case("\"m\" => 1}", json!({"m": 1}), &[Punctuation]);
    case("m: 1, $n: 2}", json!({"m": 1, "$n": 2}), &[BareName, BareName]);
}

#[test]
fn words_and_numbers() {
    use Kind::*;
    case(
        "\"a\":True,\"b\":False,\"c\":None,\"d\":NULL,\"e\":undefined}",
        json!({"a": true, "b": false, "c": null, "d": null, "e": null}),
        &[Literal; 5],
    );
    case("\"t\":string,\"n\":1}", json!({"t": "string", "n": 1}), &[BareText]);
    case(
        "\"a\":{{shop_id}},\"b\":{PAGINATION_START_PAGE}}",
        json!({"a": "{{shop_id}}", "b": "{PAGINATION_START_PAGE}"}),
        &[BareText, BareText],
    );
    case("\"a\":.5,\"b\":1.,\"c\":+2}", json!({"a": 0.5, "b": 1, "c": 2}), &[Number, Number, Number]);
    case("\"a\":0101,\"b\":1}", json!({"a": "0101", "b": 1}), &[Number]);
    case("\"a\":,\"b\":1}", json!({"a": null, "b": 1}), &[NoValue]);
    case("\"a\":1,\"a\":2}", json!({"a": 2}), &[DuplicateKey]);
    // In strict JSON: by name, however it is written, and in its own object only.
    case(
        "\"l\":[{\"b\":1,\"\\u0062\" : 2},{\"b\":\"b\"}]}",
        json!({"l": [{"b": 2}, {"b": "b"}]}),
        &[DuplicateKey],
    );
    case("\"a\":\"\\\\\",\"b\":{\"a\":\"\\\"a\\\":1\"}}", json!({"a": "\\", "b": {"a": "\"a\":1"}}), &[]);
    let odd = "x\", 'a': \u{201d}, 'a': \"b\",}, ...] // c";
    case(&format!("\"a\":{}}}", json!(odd)), json!({"a": odd}), &[]);
    case(
        "\"n\":123456789012345678901234567890.10,}",
        serde_json::from_str("{\"n\":123456789012345678901234567890.10}").unwrap(),
        &[ExtraComma],
    );
}

#[test]
fn texts() {
    use Kind::*;
    case("\"a\":\"x\ty\nz\",\"b\":1}", json!({"a": "x\ty\nz", "b": 1}), &[RawControl, RawControl]);
    case(
        "\"a\":\"状态\"已确认\"的单据\",\"b\":1}",
        json!({"a": "状态\"已确认\"的单据", "b": 1}),
        &[InnerQuote, InnerQuote],
    );
    case(
        "\"a\":\"他说\u{201c}好\u{201d}\",\"b\":1,}",
        json!({"a": "他说\u{201c}好\u{201d}", "b": 1}),
        &[ExtraComma],
    );
    case("\"a\":\"店铺,\n\"b\":1}", json!({"a": "店铺", "b": 1}), &[OpenQuote]);
    case(
        "\"a\":\"\\Adapter\\K3\\Query\",\"b\":1}",
        json!({"a": "\\Adapter\\K3\\Query", "b": 1}),
        &[Escape, Escape, Escape],
    );
    case(
        "\"a\":\"\\_function 1+1\",\"b\":\"\\u4e2d\\ud83d\\ude00\",}",
        json!({"a": "_function 1+1", "b": "中😀"}),
        &[Escape, ExtraComma],
    );
    case(
        "\"v\":\"_mongoQuery M findField=content.A where={\"content.N\":{\"$eq\":\"{{sku}}\"}}\",\"b\":1}",
        json!({"v": "_mongoQuery M findField=content.A where={\"content.N\":{\"$eq\":\"{{sku}}\"}}", "b": 1}),
        &[InnerQuote; 6],
    );
    case(
        "\"v\":\"_function CONCAT('{{a}}', ',')\",\"w\":\"REPLACE INTO t(a) VALUES\",}",
        json!({"v": "_function CONCAT('{{a}}', ',')", "w": "REPLACE INTO t(a) VALUES"}),
        &[ExtraComma],
    );
    case(
        "\u{201c}v\u{201d}: \u{201c}状态\u{201c}已确认\u{201d}的\u{201d}, \"b\":1}",
        json!({"v": "状态\u{201c}已确认\u{201d}的", "b": 1}),
        &[Quote, Quote],
    );
}

#[test]
fn brackets_that_were_lost_or_are_too_many() {
    use Kind::*;
    let two = json!({"request": [{"field": "a", "label": "甲"}, {"field": "b", "label": "乙"}], "m": 1});
    let items = |text: &str, kinds: &[Kind]| case(text, two.clone(), kinds);
    items(
        "\"request\":[{\"field\":\"a\",\"label\":\"甲\",\n{\"field\":\"b\",\"label\":\"乙\"}],\"m\":1}",
        &[Bracket],
    );
    items(
        "\"request\":[{\"field\":\"a\",\"label\":\"甲\"},\n\"field\":\"b\",\"label\":\"乙\"}],\"m\":1}",
        &[Bracket],
    );
    items(
        "\"request\":[{\"field\":\"a\",\"label\":\"甲\"},{\"field\":\"b\",\"label\":\"乙\"},\n\"m\":1}",
        &[Bracket],
    );
    items(
        "\"request\":[{\"field\":\"a\",\"label\":\"甲\"}},{\"field\":\"b\",\"label\":\"乙\"}}],\"m\":1}",
        &[Bracket, Bracket],
    );
    // An item inside of an item's object, and children that are not closed.
    case(
        "\"request\":[{\"field\":\"a\",\"parser\":{\"name\":\"P\",\"params\":\",\"\n,{\"field\":\"b\"}],\"m\":1}",
        json!({"request": [{"field": "a", "parser": {"name": "P", "params": ","}}, {"field": "b"}], "m": 1}),
        &[Bracket, Bracket],
    );
    case(
        "\"request\":[{\"field\":\"a\",\"children\":[{\"field\":\"c\"}},{\"field\":\"b\"}],\"m\":1}",
        json!({"request": [{"field": "a", "children": [{"field": "c"}]}, {"field": "b"}], "m": 1}),
        &[Bracket],
    );
    // Texts of a list are no members.
    case(
        "\"beatFlat\":[\"a\",\"b\"],\"n\":[-1,\n-2\n],\"m\":1,}",
        json!({"beatFlat": ["a", "b"], "n": [-1, -2], "m": 1}),
        &[ExtraComma],
    );
}

#[test]
fn words_of_the_author_between_members_and_items() {
    use Kind::*;
    for words in ["此处省略若干字段", "（其余字段略）", "(省略), 共 12 个"] {
        case(
            &format!("\"request\":[{{\"field\":\"a\"}},\n{words}\n],\n{words}\n\"m\":1\n{words}\n}}"),
            json!({"request": [{"field": "a"}], "m": 1}),
            &[Elision, Elision, Elision],
        );
        case(
            &format!("\"request\":[{{\"field\":\"a\"}}\n  {words}\n  {{\"field\":\"b\"}}]}}"),
            json!({"request": [{"field": "a"}, {"field": "b"}]}),
            &[Elision],
        );
    }
}

#[test]
fn what_nobody_sees_in_a_name_and_a_bar_in_a_table() {
    use Kind::*;
    case(
        "\"\u{200b}request\":[{\"\u{feff}field\":\"a\",\"value\":\"\u{200b}v\"}],\"m\u{200b}\":1}",
        json!({"request": [{"field": "a", "value": "\u{200b}v"}], "m": 1}),
        &[Blank],
    );
    // What would take another member's name keeps its own.
    case(
        "\"m\u{200b}\":1,\"m\":2,\"n\u{200b}\":3,\"n\u{feff}\":4}",
        json!({"m\u{200b}": 1, "m": 2, "n": 3, "n\u{feff}": 4}),
        &[Blank],
    );
    case(
        "\"v\":\"{{LAST_SYNC_TIME\\|datetime}}\",\"w\":\"a\\|b\"}",
        json!({"v": "{{LAST_SYNC_TIME|datetime}}", "w": "a\\|b"}),
        &[Escape, Escape],
    );
}

#[test]
fn texts_as_python_writes_them() {
    use Kind::*;
    case(
        "\"sql\": \"\"\"SELECT 'a' AS x,\n  \"b\" FROM t\"\"\",\n\"u\": u'二', \"r\": r\"d\"}",
        json!({"sql": "SELECT 'a' AS x,\n  \"b\" FROM t", "u": "二", "r": "d"}),
        &[Quote, Literal, Quote, Literal],
    );
    case(
        "'sql': 'SELECT a '\n    'FROM t '\n    'WHERE x',\n'n': 1}",
        json!({"sql": "SELECT a FROM t WHERE x", "n": 1}),
        &[Quote; 7],
    );
    // In a list these are two, and a name whose colon is missing stays one.
    case("\"l\":[\"a\"\n\"b\"]}", json!({"l": ["a", "b"]}), &[MissingComma]);
    case("\"a\":\"x\"\n\"b\" \"v\"}", json!({"a": "x", "b": "v"}), &[MissingComma, MissingColon]);
    case("\"a\":\"\",\"b\":\"\"}", json!({"a": "", "b": ""}), &[]);
}

#[test]
fn comments_and_elisions() {
    use Kind::*;
    case("\"a\":1, // 一\n/* 二 */ \"b\":2 # 三\n}", json!({"a": 1, "b": 2}), &[Comment, Comment, Comment]);
    // Behind the last text of an object or a list there is no comma before the remark.
    case(
        "\"a\":[\"x\", # 一\n\"y\" # 二\n],\"b\":\"v\"  # 三\n}",
        json!({"a": ["x", "y"], "b": "v"}),
        &[Comment, Comment, Comment],
    );
    case(
        "\"a\":\"颜色\"  # 3\" 号\",\n\"b\":1}",
        json!({"a": "颜色\"  # 3\" 号", "b": 1}),
        &[InnerQuote, InnerQuote],
    );
    case("\"a\":1,\n...\n}", json!({"a": 1}), &[Elision]);
    case(
        "\"a\":[{\"f\":1},…],\"b\":{...},\"c\":...}",
        json!({"a": [{"f": 1}], "b": {}, "c": null}),
        &[Elision, Elision, Elision],
    );
    case("\"u\":\"https://x.test/a\",}", json!({"u": "https://x.test/a"}), &[ExtraComma]);
}

#[test]
fn brackets_and_cuts() {
    use Kind::*;
    case("\"r\":[{\"f\":1},{\"f\":2}}", json!({"r": [{"f": 1}, {"f": 2}]}), &[Bracket]);
    case("\"r\":[{\"f\":1],\"b\":2}", json!({"r": [{"f": 1}], "b": 2}), &[Bracket]);
    case("\"b\":2]}", json!({"b": 2}), &[Bracket]);
    case("\"b\":2", json!({"b": 2}), &[Cut]);
    case("\"b\":2,\"c\":", json!({"b": 2}), &[Cut, Cut]);
    case("\"b\":2,\"c\":\"unfin", json!({"b": 2}), &[Cut, Cut]);
    // What is whole stays, what is not goes, at every depth.
    case(
        "\"r\":[{\"f\":\"a\"},{\"f\":\"b\",\"parser\":{\"name\":\"Str",
        json!({"r": [{"f": "a"}]}),
        &[Cut, Cut],
    );
    case("\"r\":[{\"f\":\"a\"},{\"f\":\"b\",\"value\":[1,2", json!({"r": [{"f": "a"}]}), &[Cut, Cut]);
    case(
        "\"r\":[{\"f\":\"a\",\"children\":[{\"f\":\"c\"},{\"f\":\"d\",\"t",
        json!({"r": [{"f": "a", "children": [{"f": "c"}]}]}),
        &[Cut, Cut],
    );
    case("\"r\":[{\"f\":\"a\"},", json!({"r": [{"f": "a"}]}), &[Cut]);
    case("\"condition\":[[{\"field\":\"a\"},{\"fi", json!({"condition": [[{"field": "a"}]]}), &[Cut, Cut]);
}

#[test]
fn web_pages() {
    let page = "<p>接口</p><pre><code class=\"json\">{<br>&nbsp; &quot;api&quot;: <span class=\"s\">&quot;/a&quot;</span>,<br>\
                &#34;id&#34;: &#x22;x&#x22;, &quot;number&quot;: &quot;x&quot;, &quot;value&quot;: &quot;a &lt; b &amp;&amp; c&quot;}</code></pre>";
    let d = draft(page);
    let m = &d.plan["source"]["metadata"];
    assert_eq!(m, &json!({"api": "/a", "id": "x", "number": "x", "value": "a < b && c"}));
    let count = |k: Kind| d.repairs.iter().filter(|r| r.kind == k).map(|r| r.count).sum::<usize>();
    assert_eq!((count(Kind::Markup), count(Kind::Entity)), (4, 20), "{:#?}", d.repairs);
    let at = d.repairs.iter().find(|r| r.kind == Kind::Entity).unwrap();
    assert_eq!(
        (at.line, at.column),
        (1, page.find("&nbsp;").unwrap() - 4 + 1),
        "columns count characters of the file"
    );
    // Strict JSON in a page is not touched, whatever its texts hold.
    let strict = "<p>x</p>\n{\"api\":\"/a\",\"id\":\"x\",\"number\":\"x\",\"describe\":\"<b>a</b> &quot;\"}";
    let d = draft(strict);
    assert_eq!(d.plan["source"]["metadata"]["describe"], "<b>a</b> &quot;");
    assert_eq!(d.repairs, []);
}

#[test]
fn other_encodings_are_read_and_named() {
    let bytes: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(
            "{\"api\":\"/a\",\"id\":\"x\",\"number\":\"x\",\"label\":\"店铺\"}"
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    let d = read_text(&bytes, &options()).unwrap().remove(0);
    assert_eq!(d.plan["source"]["metadata"]["label"], "店铺");
    assert_eq!(d.repairs[0].kind, Kind::Encoding);
}

#[test]
fn values_without_quotes() {
    use Kind::*;
    let all = [
        "_function FROM_UNIXTIME( {{LAST_SYNC_TIME}} - 900, '%Y-%m-%d %H:%i' )",
        "_function case '{{grade}}' when 'x, y' then IF({{n}}>1, {{n}}, {n}) else 'it}' end",
        "_findCollection find FID from 0c1d where FNo={{no}} FSku='{{rows.sku}}'",
        "_mongoQuery 0c1d findField=content.a where={\"content.b\":{\"$in\":[\"{{c}}\",\"d\"]}}",
        "_function CASE\n  WHEN {{n}} > 1 THEN 'a'\n  ELSE 'b'\nEND",
    ];
    for v in all {
        for tail in [",\"b\":1}", " , \"b\": 1}", ",\n\"b\":1}", "\n,\"b\":1\n}"] {
            case(&format!("\"v\": {v}{tail}"), json!({"v": v, "b": 1}), &[BareText]);
        }
        case(
            &format!("\"r\":[{{\"v\":{v}}},{{\"w\":2}}]}}"),
            json!({"r": [{"v": v}, {"w": 2}]}),
            &[BareText],
        );
        case(&format!("\"v\":{v}\n\"b\":1}}"), json!({"v": v, "b": 1}), &[BareText, MissingComma]);
    }
    for v in ["已审核", "2024-05-06 07:08:09", "{{a}}-{{b}}", "{{at|date}} 00:00:00", "/a/b?c=1", "A(1)"] {
        case(&format!("\"v\":{v},\"b\":1}}"), json!({"v": v, "b": 1}), &[BareText]);
        case(&format!("\"v\": {v}\n}}"), json!({"v": v}), &[BareText]);
    }
    case("\"v\": Done\",\n\"b\":1}", json!({"v": "Done", "b": 1}), &[BareText]);
    // What has no end is where the document breaks off.
    case("\"r\":[{\"a\":1},{\"v\":_function CASE WHEN", json!({"r": [{"a": 1}]}), &[Cut, Cut]);
}

#[test]
fn markdown_and_typographic_quotes_inside() {
    use Kind::*;
    case(
        "\"r\": \\[\\{\"ware\\_id\":\"{{a}} \\* 2\"\\}\\]}",
        json!({"r": [{"ware_id": "{{a}} * 2"}]}),
        &[Escape; 6],
    );
    case(
        "“v”:“_function IF(‘{{a}}’=‘1’, ‘x’, ‘y’)”}",
        json!({"v": "_function IF('{{a}}'='1', 'x', 'y')"}),
        &[Quote, Quote, Quote],
    );
    // Where SQL has quotes of its own, others are letters.
    case(
        "\"v\":\"_function REPLACE('{{a}}', '“', '')\",}",
        json!({"v": "_function REPLACE('{{a}}', '“', '')"}),
        &[ExtraComma],
    );
}

#[test]
fn what_stands_around_a_document() {
    let plain = "{\n  \"api\": \"/open/purchasein/query\",\n  \"id\": \"io_id\",\n  \"request\": [\n    {\"field\": \"a\", \"value\": \"_function CONCAT('{{b}}', \\\"c\\\")\"}\n  ]\n}\n";
    let wanted = draft(plain).plan["source"].clone();
    let quotation: String = plain.lines().map(|l| format!("> {l}\n")).collect();
    let numbers = |sep: &str| -> String {
        plain.lines().enumerate().map(|(n, l)| format!("{}{sep}{l}\n", n + 1)).collect()
    };
    let text = serde_json::to_string(plain).unwrap();
    for around in
        [quotation, numbers(". "), numbers("\t"), numbers(": "), format!("{{\"data\":{text}}}"), text]
    {
        let d = draft(&format!("见下:\n{around}\n以上"));
        assert_eq!(d.plan["source"], wanted, "{around}");
        assert_eq!(d.repairs.iter().map(|r| r.kind).collect::<Vec<_>>(), [Kind::Markup], "{around}");
        assert!(d.repairs[0].line >= 2, "{:?}", d.repairs);
    }
}

/// What is pasted of a document, as its request and response; which side it is of tell the values.
#[test]
fn parts_of_a_document() {
    use Kind::*;
    let kinds = |d: &Draft| d.repairs.iter().map(|r| r.kind).collect::<Vec<_>>();
    let items = r#"[{"field":"a","value":"{{no}}"},{"field":"b","children":[{"field":"c"}]}]"#;
    let list: Value = serde_json::from_str(items).unwrap();
    let answer = json!([{"field": "id"}]);
    for (text, wanted, repairs) in [
        (format!("\"request\": {items}"), json!({"request": list}), vec![Fragment, Fragment]),
        (
            format!("配置如下:\n\"request\":{items},\n以上"),
            json!({"request": list}),
            vec![Fragment, Fragment],
        ),
        (
            format!("\"request\":{items},\"response\":[{{\"field\":\"id\"}}]"),
            json!({"request": list, "response": answer}),
            vec![Fragment, Fragment],
        ),
        (
            format!("\"request\":{items}\n\"response\":[{{\"field\":\"id\"}}]}}"),
            json!({"request": list, "response": answer}),
            vec![Fragment, MissingComma],
        ),
        (
            format!("请求:\n\"request\":{items}\n\n响应:\n\"response\":[{{\"field\":\"id\"}}]"),
            json!({"request": list, "response": answer}),
            vec![Fragment, Fragment, Fragment, Fragment],
        ),
        (
            format!("\"api\":\"/w\",\"method\":\"POST\",\"request\":{items}"),
            json!({"api": "/w", "method": "POST", "request": list}),
            vec![Fragment, Fragment],
        ),
        (format!("{{\"request\":{items}}}"), json!({"request": list}), vec![Fragment]),
        (items.to_owned(), json!({"request": list}), vec![Fragment]),
        (format!("字段: {items} 。"), json!({"request": list}), vec![Fragment]),
        (items[1..items.len() - 1].to_owned(), json!({"request": list}), vec![Fragment, Fragment]),
        (
            format!("{items},\"otherRequest\":[]}}"),
            json!({"request": list, "otherRequest": []}),
            vec![Fragment],
        ),
        // Cut at the beginning, at the end, at both.
        (
            format!("lue\":\"x\"}},\n{},\"response\":[{{\"field\":\"id\"}}]}}", &items[1..]),
            json!({"request": list, "response": answer}),
            vec![Cut, Fragment],
        ),
        (
            format!("\"request\":{},{{\"field\":\"d\",\"va", &items[..items.len() - 1]),
            json!({"request": list}),
            vec![Fragment, Cut, Fragment],
        ),
        (
            format!("lue\":\"x\"}},{},{{\"field\":\"d\",\"va", &items[1..items.len() - 1]),
            json!({"request": list}),
            vec![Cut, Fragment, Cut, Fragment],
        ),
    ] {
        let d = draft(&text);
        assert_eq!(d.plan["target"]["metadata"], wanted, "{text}\n{:#?}", d.repairs);
        assert_eq!(kinds(&d), repairs, "{text}\n{:#?}", d.repairs);
    }
    let whole = draft(&format!("{{\"request\":{items}}}"));
    assert!(whole.repairs[0].done.en.contains("interface is missing"), "{:#?}", whole.repairs);
    // Constants and variables only: a source.
    let d = draft(
        "\"request\":[{\"field\":\"from\",\"value\":\"{{LAST_SYNC_TIME|datetime}}\"},{\"field\":\"n\",\"value\":\"1\"}]",
    );
    assert_eq!(d.plan["source"]["metadata"]["request"][1]["field"], "n");
    // Two requests are two sides.
    let both = format!("\"request\":[{{\"field\":\"from\",\"value\":\"1\"}}]\n写入:\n\"request\":{items}");
    let d = draft(&both);
    assert_eq!(
        (&d.plan["source"]["metadata"]["request"][0]["field"], &d.plan["target"]["metadata"]["request"]),
        (&json!("from"), &list)
    );
    // A reply is no document, whatever it holds.
    for text in [
        "\"data\":[{\"id\":1},{\"id\":2}]",
        "[{\"id\":1},{\"id\":2}]",
        "{\"id\":1},{\"id\":2}",
        "\"request\": \"x\", \"response\": []",
        "\"request\":[",
        "[{",
        "[[{\"field\":\"a\",\"logic\":\"eq\",\"value\":\"1\"}]]",
        "{\"request\":{\"queryOrders\":[{\"field\":\"pubts\",\"value\":\"asc\"}]},\"reply\":{}}",
        "[{\"field\":\"pubts\",\"order\":\"asc\"}]",
    ] {
        assert!(read_text(text.as_bytes(), &options()).is_err(), "{text}");
    }
}

#[test]
fn comments_of_a_page_that_has_lost_its_lines() {
    use Kind::*;
    let items: Vec<Value> = (0..24).map(|n| json!({"field": format!("f{n}"), "value": "{{no}}"})).collect();
    let list = items.iter().map(Value::to_string).collect::<Vec<_>>();
    let body = format!("\"r\": [ {}, // 其余字段略 (见上) {} ] }}", list[0], list[1..].join(", "));
    case(&body, json!({"r": items}), &[Comment]);
    // With its lines, what stands behind the mark is out of use.
    case("\"r\": [ 1, // {\"field\":\"old\"},\n 2 ] }", json!({"r": [1, 2]}), &[Comment]);
}

#[test]
fn pictures_between_items() {
    use Kind::*;
    case(
        "\"r\":[{\"a\":1},\n![聚水潭接口](https://pic.example/a.png)\n{\"b\":2}\n ![x](y)\n]}",
        json!({"r": [{"a": 1}, {"b": 2}]}),
        &[Markup, Markup],
    );
    let d = draft(
        "![快麦与快麦的对接](https://pic.example/k.png)\n聚水潭\n{\"api\":\"/q\",\"id\":\"a\",\"number\":\"a\"}",
    );
    assert_eq!(d.plan["source"]["connector"], "jst");
}

#[test]
fn the_platforms_that_a_text_names() {
    let connectors = |text: &str| {
        let d = draft(text);
        [
            d.plan["source"]["connector"].as_str().unwrap().to_owned(),
            d.plan["target"]["connector"].as_str().unwrap().to_owned(),
        ]
    };
    let both = "{\"api\":\"/q\",\"method\":\"GET\",\"id\":\"a\"} {\"api\":\"/w\",\"method\":\"POST\",\"effect\":\"EXECUTE\",\"request\":[]}";
    assert_eq!(
        connectors(&format!("源系统平台:快麦\n目标系统平台:聚水潭\n聚水潭聚水潭\n{both}")),
        ["kuaimai", "jst"]
    );
    assert_eq!(connectors(&format!("- **源平台**：每刻\n- 目标平台：快麦\n{both}")), ["source", "kuaimai"]);
    assert_eq!(connectors(&format!("快麦与聚水潭,以快麦为准 {both}")), ["kuaimai", "target"]);
    // The target is certain, and what the text says of its platform is said of the target.
    let certain = "{\"api\":\"/q\",\"method\":\"GET\",\"id\":\"a\"} {\"api\":\"/open/purchasein/query\",\"effect\":\"EXECUTE\",\"request\":[]}";
    assert_eq!(connectors(&format!("写入聚水潭 {certain}")), ["source", "jst"]);
}
