//! How a field came about: every stage in its order, and always the same end as the rendering itself.

use heliu_transform::mapping::Request;
use heliu_transform::{Context, FieldSteps, Metadata, Side, Stage, Value};

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

fn context() -> Context<'static> {
    Context::new(1_710_403_200, 1_710_406_800, chrono_tz::Asia::Shanghai)
}

fn explain(request: &str, record: &str) -> (Vec<FieldSteps>, Option<Value>) {
    let meta = format!(r#"{{"api":"x","request":{request}}}"#);
    let (meta, _) = Metadata::from_value(json(&meta), Side::Target);
    let plan = Request::compile(&meta);
    let record = json(record);
    let rendered = plan.render(&context(), Some(&record)).ok().map(|r| Value::Object(r.request));
    (plan.explain(&context(), Some(&record)), rendered)
}

fn stages(f: &FieldSteps) -> Vec<(Stage, String)> {
    f.steps.iter().map(|(s, v)| (*s, v.to_json())).collect()
}

const RECORD: &str = r#"{"no":"A,B","n":"7","shop":"C1","rows":[{"q":"1"},{"q":"x"}],"nil":null}"#;

#[test]
fn every_stage_shows_what_it_made() {
    let (fields, _) = explain(
        r#"[{"field":"list","value":"{{no}}","parser":{"name":"StringToArray","params":","}},
            {"field":"n","type":"int","value":"{{n}}"},
            {"field":"d","value":"{{nil}}","default":"none"},
            {"field":"m","value":"{{shop}}","mapping":{"C1":"10"},"parser":{"name":"ConvertObjectParser","params":"FNumber"}},
            {"field":"t","value":"{{LAST_SYNC_TIME|date}} {{no}}"}]"#,
        RECORD,
    );
    let text = |s: &str| format!("\"{s}\"");
    assert_eq!(stages(&fields[0]), [(Stage::Value, text("A,B")), (Stage::Parser, r#"["A","B"]"#.into())]);
    assert_eq!(stages(&fields[1]), [(Stage::Value, text("7")), (Stage::Cast, "7".into())]);
    assert_eq!(stages(&fields[2]), [(Stage::Value, "null".into()), (Stage::Default, text("none"))]);
    assert_eq!(
        stages(&fields[3]),
        [
            (Stage::Value, text("C1")),
            (Stage::Mapping, text("10")),
            (Stage::Parser, r#"{"FNumber":"10"}"#.into())
        ]
    );
    assert_eq!(fields[4].reads, [("no".to_owned(), Value::from("A,B"))]);
    assert_eq!(fields[4].result, Some(Value::from("2024-03-14 A,B")));
    assert_eq!(fields[0].expression, Some(Value::from("{{no}}")));
    assert_eq!(fields[0].path, "request[0]");
}

#[test]
fn rows_are_numbered_and_failures_end_nothing() {
    let (fields, rendered) = explain(
        r#"[{"field":"lines","type":"array","value":"rows","children":[{"field":"q","type":"int","value":"{{rows.q}}"}]},
            {"field":"bad","value":"_function 1/0"},{"field":"after","value":"{{no}}"}]"#,
        RECORD,
    );
    assert_eq!(rendered, None, "the rendering itself fails");
    let names: Vec<&str> = fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(names, ["lines[0].q", "lines[1].q", "lines", "bad", "after"]);
    assert_eq!(fields[0].result, Some(json("1")));
    assert_eq!(fields[1].error.as_ref().map(|e| e.code.as_str()), Some("HL-2213"));
    assert_eq!(fields[1].reads, [("rows.q".to_owned(), Value::from("x"))]);
    assert_eq!(fields[3].error.as_ref().map(|e| e.code.as_str()), Some("HL-2310"));
    assert_eq!(fields[4].result, Some(Value::from("A,B")));
}

/// What the steps end with is what is sent.
#[test]
fn the_last_step_is_what_is_rendered() {
    for request in [
        r#"[{"field":"a","value":"{no}"},{"field":"b","type":"float","value":"{{n}}"},{"field":"c","value":""},{"field":"d"}]"#,
        r#"[{"field":"o","type":"object","children":[{"field":"p","value":"{{shop}}"},{"field":"q","value":"{{nil}}"}]}]"#,
        r#"[{"field":"l","type":"array","value":"rows","children":[{"field":"q","value":"{{rows.q}}"},{"field":"s","value":"{{shop}}"}]}]"#,
        r#"[{"field":"l","type":"array","value":"nothing","children":[{"field":"s","value":"{{shop}}"}]}]"#,
        r#"[{"field":"l","type":"array","value":"rows"},{"field":"z","type":"bool","value":"true"}]"#,
    ] {
        let (fields, rendered) = explain(request, RECORD);
        let sent = rendered.unwrap_or_else(|| panic!("{request}"));
        let top: Vec<(String, Value)> = fields
            .iter()
            .filter(|f| !f.field.contains(['.', '[']))
            .filter_map(|f| Some((f.field.clone(), f.result.clone()?)))
            .collect();
        let top = Value::Object(top.into_iter().collect());
        assert_eq!(top.to_json(), sent.to_json(), "{request}");
        for f in fields.iter().filter(|f| f.result.is_some()) {
            assert_eq!(f.steps.last().map(|s| &s.1), f.result.as_ref(), "{}", f.field);
        }
    }
}
