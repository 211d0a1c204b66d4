//! `eval`, `render`, `explain`, `--help`.

use serde_json::{Value, json};

use crate::harness::{Project, with_input};

#[tokio::test]
async fn eval_prints_the_value_as_json_with_its_digits() {
    let p = Project::new();
    let record =
        p.write("r.json", r#"{"no":"A-1","sum":12345678901234567890.123456789,"rows":[{"q":1},{"q":2}]}"#);
    let record = record.to_str().unwrap();
    for (args, wanted) in [
        (vec!["eval", "{sum}", "--record", record], "12345678901234567890.123456789\n"),
        (vec!["eval", "{{no}}/{{rows.q}}", "--record", record, "--row", "rows:1"], "\"A-1/2\"\n"),
        (
            vec!["eval", "{{LAST_SYNC_TIME|datetime}}", "--last-sync", "1710403200"],
            "\"2024-03-14 16:00:00\"\n",
        ),
        (
            vec!["eval", "{{LAST_SYNC_TIME|datetime}}", "--last-sync", "2024-03-14T08:00:00Z"],
            "\"2024-03-14 16:00:00\"\n",
        ),
        (
            vec!["eval", "{{CURRENT_TIME|datetime}}", "--now", "2024-03-14 08:00:00", "--tz", "UTC"],
            "\"2024-03-14 08:00:00\"\n",
        ),
    ] {
        let a = p.run(&args).await.exits(0);
        assert_eq!(a.out, wanted, "{args:?}");
    }
}

#[tokio::test]
async fn eval_tells_how_it_read_an_expression() {
    let p = Project::new();
    let a = p.run(&["eval", "_function case when(1 then 1 end", "-v", "--lang", "en"]).await;
    assert!(
        a.err.contains("read as: _function case when(1 then"),
        "what cannot be read is as written: {}",
        a.err
    );
    let a = p.run(&["eval", "_function 2*(3+4)-(5*6)", "-v", "--lang", "en"]).await.exits(0);
    assert_eq!(a.out, "-16\n");
    assert!(a.err.contains("read as: _function 2 * (3 + 4) - 5 * 6"), "{}", a.err);
    let a = p.run(&["eval", "_function 1", "--lang", "en"]).await.exits(0);
    assert!(!a.err.contains("read as"), "{}", a.err);
}

#[tokio::test]
async fn batches_answer_every_line_in_order() {
    let input = concat!(
        r#"{"expr":"{a}","record":{"a":1.10}}"#,
        "\n",
        "\n",
        "no json\n",
        r#"{"expr":"{a}","recrod":{}}"#,
        "\n",
        r#"{"record":{}}"#,
        "\n",
        r#"{"expr":"{{CURRENT_TIME|date}}","now":"2024-02-29 00:00:00"}"#,
        "\n",
        r#"{"expr":"7","type":"int"}"#,
    );
    let a = with_input(&["eval", "--batch", "-"], input).await.exits(0);
    let lines: Vec<&str> = a.out.lines().collect();
    assert_eq!(lines.len(), 6, "{a:?}");
    assert_eq!(lines[0], r#"{"value":1.10}"#);
    for bad in &lines[1..4] {
        let v: Value = serde_json::from_str(bad).unwrap();
        assert!(v["error"]["code"].as_str().unwrap().starts_with("HL-"), "{bad}");
        assert!(!v["error"]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(lines[4], r#"{"value":"2024-02-29"}"#);
    assert_eq!(lines[5], r#"{"value":7}"#);

    let meta = json!({"api": "/x", "method": "POST", "request": [
        {"field": "no", "type": "string", "value": "{no}"},
        {"field": "page", "type": "string", "value": "{PAGINATION_START_PAGE}"}]});
    let input = format!(
        "{}\n{}\n",
        json!({"metadata": meta, "records": [{"no": "N1"}]}),
        json!({"metadata": meta, "page": 3}),
    );
    let a = with_input(&["render", "--batch", "-"], &input).await.exits(0);
    let lines = a.lines();
    assert_eq!(lines[0]["request"]["no"], "N1");
    assert_eq!(lines[1]["request"]["page"].to_string().trim_matches('"'), "3");
    assert_eq!(lines[0]["api"], "/x");
    assert_eq!(lines[0]["method"], "POST");
}

#[tokio::test]
async fn help_is_complete_in_both_languages() {
    let p = Project::new();
    let a = p.run(&["--help"]).await.exits(0);
    for command in [
        "demo",
        "run",
        "init",
        "status",
        "watermark",
        "check",
        "test-connector",
        "preview",
        "import",
        "eval",
        "render",
        "records",
        "calls",
        "trace",
        "retry",
        "certificate",
        "token",
        "secret",
        "sandbox",
        "platforms",
        "explain",
    ] {
        assert!(a.out.contains(command), "{command}");
        let help = p.run(&[command, "--help"]).await.exits(0);
        assert!(help.out.contains("--project"), "{command}");
    }
    let zh = p.run(&["--lang", "zh", "--help"]).await.exits(0);
    assert!(zh.out.contains("完整性证明"), "{}", zh.out);
    let wrong = p.run(&["rnu", "x"]).await.exits(2);
    assert!(wrong.err.contains("rnu"), "{}", wrong.err);
}

#[tokio::test]
async fn explain_has_a_page_for_codes_in_both_languages() {
    let p = Project::new();
    let en = p.run(&["explain", "hl-7001"]).await.exits(0);
    assert!(en.out.starts_with("HL-7001"));
    let zh = p.run(&["--lang", "zh", "explain", "7001"]).await.exits(0);
    assert!(zh.out.contains("方案"));
    p.run(&["explain", "HL-0000"]).await.exits(2);
}

#[tokio::test]
async fn errors_name_the_character_of_the_expression() {
    let p = Project::new();
    // Text for people: the expression and a mark under the character.
    let a = p.run(&["eval", "_function 单 + * 2", "--strict", "--lang", "en"]).await.exits(2);
    assert!(a.err.contains("_function 单 + * 2\n") && a.err.contains("^"), "{}", a.err);
    let a = p.run(&["eval", "_function CONCTA(1)", "--strict", "--lang", "en"]).await.exits(2);
    assert!(a.err.contains("      _function CONCTA(1)\n                ^"), "{}", a.err);
    // Machine-readable: its position, counted in characters from 0.
    let input = "{\"expr\":\"_function '店' + CONCTA(1)\",\"strict\":true}\n";
    let a = with_input(&["eval", "--batch", "-"], input).await.exits(0).json();
    assert_eq!(a["error"]["position"], 16, "{a}");
    let meta = json!({"api": "/x", "request": [
        {"field": "a", "value": "1"},
        {"field": "o", "type": "object", "children": [{"field": "b", "value": "_function 1 + * 2"}]}]});
    let file = p.write("m.json", &meta.to_string());
    let a = p.run(&["render", file.to_str().unwrap(), "--lang", "en"]).await.exits(2);
    assert!(a.err.contains("request[1].children[0]"), "{}", a.err);
    assert!(a.err.contains("      _function 1 + * 2\n                    ^"), "{}", a.err);
}
