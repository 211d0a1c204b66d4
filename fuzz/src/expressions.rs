//! Value expressions and `_function`.

use heliu_transform::function::Function;
use heliu_transform::{EvalRequest, Expr, Map, Scope, Text, Value, evaluate};

use crate::{Echo, LAST, NOW, TZ, by_chance, context, halves, printed, record};

const TYPES: &[&str] = &["string", "int", "float", "bool", "datetime", "date", "array", "object"];

/// Evaluates twice and once more from a fresh compilation: the same value and the same warnings.
fn same(expr: &Value, record: &Value, strict: bool) -> Result<(Value, Vec<Text>), String> {
    let compiled = Expr::compile(expr);
    let scope = Scope::new(Some(record));
    let ctx = context(&Echo, strict);
    let once = |e: &Expr| {
        let mut warnings = Vec::new();
        let v = e.eval(&ctx, &scope, &mut warnings);
        (v, warnings)
    };
    let first = once(&compiled);
    if !by_chance(&expr.to_json()) {
        assert_eq!(first, once(&compiled), "evaluated again");
        assert_eq!(first, once(&Expr::compile(expr)), "compiled again");
    }
    let (value, warnings) = first;
    match value {
        Ok(v) => {
            printed(&v);
            Ok((v, warnings))
        }
        Err(e) => {
            let length = expr.as_str().map_or(0, |s| s.chars().count());
            assert!(e.position.is_none_or(|p| p <= length), "{e:?} in {length} characters");
            Err(e.code)
        }
    }
}

fn check(text: &str, record: &Value) {
    let expr = Value::from(text);
    let compiled = Expr::compile(&expr);
    let problems = compiled.problems("value");
    let _ = compiled.paths().len();
    let strict = same(&expr, record, true);
    let lenient = same(&expr, record, false);
    match strict {
        Ok(v) => assert!(by_chance(text) || Ok(v) == lenient),
        // What fails strictly leaves the configured text.
        Err(code) => assert!(lenient.is_ok(), "{code}, {lenient:?}, {problems:?}"),
    }
}

/// An expression, and a record behind `---`.
pub(crate) fn expression(data: &[u8]) {
    let (text, rest) = halves(data);
    let text = String::from_utf8_lossy(text);
    let record = record(rest);
    check(&text, &record);
    let ty = TYPES.get(text.len() % TYPES.len()).copied();
    let value = Value::parse(text.as_bytes()).unwrap_or_else(|_| Value::from(&*text));
    let rows = [None, Some("items:0"), Some("items:1")];
    for row in rows {
        let request = EvalRequest {
            expr: &value,
            record: Some(&record),
            row,
            now: NOW,
            last_sync: LAST,
            tz: TZ,
            ty,
            parser: None,
            strict: true,
            lookups: Some(&Echo),
        };
        let once = evaluate(&request);
        assert!(by_chance(&text) || once == evaluate(&request));
        if let Ok((v, _)) = once {
            printed(&v);
        }
    }
    as_data(&text);
}

/// A36: the text as data comes out as it went in, whatever is in it.
fn as_data(text: &str) {
    let mut map = Map::new();
    map.insert("v", Value::from(text));
    let record = Value::Object(map);
    let ctx = context(&Echo, true);
    let scope = Scope::new(Some(&record));
    let eval = |e: &str| Expr::compile(&Value::from(e)).eval(&ctx, &scope, &mut Vec::new());
    assert_eq!(eval("{{v}}"), Ok(Value::from(text)));
    assert_eq!(eval("{v}"), Ok(Value::from(text)));
    assert_eq!(eval("x{{v}}y"), Ok(Value::from(format!("x{text}y"))));
    assert_eq!(eval("_function CONCAT('{{v}}','')"), Ok(Value::from(text)));
    assert_eq!(eval("_function CONCAT('x{{v}}')"), Ok(Value::from(format!("x{text}"))));
    assert_eq!(eval("_findCollection find a from M where b={{v}}"), Ok(Value::from(text)));
}

/// The body of a `_function`, and a record behind `---`.
pub(crate) fn function(data: &[u8]) {
    let (text, rest) = halves(data);
    let text = String::from_utf8_lossy(text);
    check(&format!("_function {text}"), &record(rest));
}

fn all(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Words of expressions.
pub(crate) fn words() -> Vec<String> {
    all(&[
        "\n---\n",
        "{{",
        "}}",
        "{{no}}",
        "{{items.qty}}",
        "{{buyer.addr.city}}",
        "{{items.0.sku}}",
        "{{tags}}",
        "{{huge}}",
        "{{at|date}}",
        "|datetime",
        "|timestamp",
        "|timestamp_ms",
        "|format('Y-m-d')",
        "|addDays(1)",
        "|replace('a','b')",
        "|json_encode",
        "{{LAST_SYNC_TIME}}",
        "{{CURRENT_TIME|datetime}}",
        "{{DAYS_AGO_1}}",
        "{PAGINATION_START_PAGE}",
        "_function ",
        "_findCollection find FID from M where FNumber=",
        "_endFind",
        "_mongoQuery M findField=content.a where=",
        "{\"content.a\":{\"$eq\":\"{{no}}\"}}",
        "1e999999999",
        "\"a\":",
        "[1,2]",
        "9999999999999999999",
    ])
}

/// Words of `_function`: all names, and the signs between them.
pub(crate) fn sql_words() -> Vec<String> {
    let mut out: Vec<String> = Function::names().into_iter().map(|n| format!("{n}(")).collect();
    out.extend(all(&[
        "\n---\n",
        "{{qty}}",
        "{{price}}",
        "{{amount}}",
        "'{{no}}'",
        "'{{text}}'",
        "{{items.qty}}",
        "{{at}}",
        "{{nil}}",
        "{{big}}",
        "{{huge}}",
        "{{tiny}}",
        "{{json}}",
        "{{tags}}",
        "CASE ",
        " WHEN ",
        " THEN ",
        " ELSE ",
        " END",
        " AND ",
        " OR ",
        " XOR ",
        "NOT ",
        " LIKE ",
        " IN (",
        " BETWEEN ",
        " IS NULL",
        " REGEXP ",
        " DIV ",
        " MOD ",
        " <=> ",
        "->",
        "->>",
        "'$.a[0].b'",
        "'$**.b'",
        "'%_%'",
        "INTERVAL ",
        " DAY",
        " MONTH",
        " YEAR_MONTH",
        " MICROSECOND",
        " AS CHAR)",
        " AS DECIMAL(65,30))",
        " AS SIGNED)",
        " AS DATETIME(6))",
        "USING utf8mb4)",
        "'2024-02-29 23:59:59.999999'",
        "'-838:59:59'",
        "'0000-00-00'",
        "99999999999999999999999999999999999999999999999999999999999999999",
        "1e308",
        "-1",
        "18446744073709551615",
        "-9223372036854775808",
        "0x4d",
        "'%Y-%m-%d %H:%i:%s'",
        "COLLATE utf8mb4_bin",
        "_findCollection find a from M where b={{no}} _endFind",
        "DISTINCT ",
        " ORDER BY ",
        " SEPARATOR ",
        "BINARY ",
    ]));
    out
}
