//! What is read can be printed, and what is printed is read as the same (parse → print → parse).

use std::sync::OnceLock;

use heliu_transform::reference::{self, FORMATS, FUNCTIONS, PIPES, VARIABLES};
use heliu_transform::{EvalRequest, Expr, Value, evaluate};
use proptest::prelude::*;
use regex::Regex;

/// The tree without what depends on the spelling: the source, positions in it, the order in which references stand.
struct Shape([(Regex, &'static str); 4]);

impl Shape {
    fn get() -> &'static Shape {
        static SHAPE: OnceLock<Shape> = OnceLock::new();
        SHAPE.get_or_init(Shape::new)
    }

    fn new() -> Shape {
        let re = |s: &str| Regex::new(s).unwrap();
        Shape([
            (re(r#"source: "(?:[^"\\]|\\.)*""#), "source"),
            (re(r", \d+\)"), ")"),
            (re(r"Ref\(\d+"), "Ref(n"),
            (re(r"\[\d+(?:, \d+)*\]"), "[n]"),
        ])
    }

    fn of(&self, e: &Expr) -> String {
        let tree = format!("{e:?}");
        // References are bound in the order of their appearance.
        let tree = tree.split(", binds: ").next().unwrap_or("").to_owned();
        self.0.iter().fold(tree, |t, (re, with)| re.replace_all(&t, *with).into_owned())
    }
}

fn eval(expr: &Value, record: &Value) -> String {
    let result = evaluate(&EvalRequest {
        expr,
        record: Some(record),
        row: None,
        now: 1_710_406_800,
        last_sync: 1_710_403_200,
        tz: chrono_tz::Asia::Shanghai,
        ty: None,
        parser: None,
        strict: true,
        lookups: None,
    });
    match result {
        Ok((v, _)) => v.to_json(),
        Err(e) => e.code,
    }
}

/// Reads, prints and reads again.
fn stable(shape: &Shape, written: &str, record: &Value) -> Result<(), String> {
    let source = Value::from(written);
    let read = Expr::compile(&source);
    let printed = read.print();
    let again = Expr::compile(&printed);
    let shown = printed.in_text();
    if again.print() != printed {
        return Err(format!("{written}\n  printed {shown}\n  printed again {}", again.print().in_text()));
    }
    let (a, b) = (shape.of(&read), shape.of(&again));
    if a != b {
        return Err(format!("{written}\n  printed {shown}\n  {a}\n  {b}"));
    }
    // These are new each time.
    if written.contains("UUID(") || shown.contains("RAND()") {
        return Ok(());
    }
    let (a, b) = (eval(&source, record), eval(&printed, record));
    if a != b { Err(format!("{written}\n  printed {shown}\n  {a}\n  {b}")) } else { Ok(()) }
}

fn all_stable<'a>(list: impl IntoIterator<Item = (&'a str, Value)>) {
    let shape = Shape::get();
    let wrong: Vec<String> = list.into_iter().filter_map(|(e, r)| stable(shape, e, &r).err()).collect();
    let shown = wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} differ:\n{shown}", wrong.len());
}

fn json(s: &str) -> Value {
    Value::parse(s.as_bytes()).unwrap_or_else(|e| panic!("{e}: {s}"))
}

#[test]
fn the_examples_of_the_reference_print_as_they_are_read() {
    let record = json(reference::RECORD);
    let tables = [FUNCTIONS, PIPES, VARIABLES, FORMATS];
    all_stable(tables.into_iter().flatten().map(|e| (e.example, record.clone())));
}

#[test]
fn generated_functions_print_as_they_are_read() {
    let cases = crate::oracle::generate();
    let written: Vec<(String, Value)> =
        cases.iter().map(|c| (format!("_function {}", c.ours), json(&c.record))).collect();
    all_stable(written.iter().map(|(e, r)| (e.as_str(), r.clone())));
}

/// Spellings that the plain one must not lose.
#[test]
fn odd_spellings_print_plainly() {
    let record = json(
        r#"{"a":"7","b":"x","n":null,"d":"2024-01-31 10:00:00","items":[{"q":1,"s":"k"},{"q":2,"s":"l"}],"o'k":1,"名 称":"店"}"#,
    );
    let printed = |e: &str| Expr::compile(&Value::from(e)).print().in_text();
    for (written, plain) in [
        ("{a}", "{{a}}"),
        ("{{ 名 称 }}", "{{名 称}}"),
        ("{{d | dateTime | replace(\"-\", '/')}}", "{{d|datetime|replace('-','/')}}"),
        ("{{d|date:\"Y\"}}", "{{d|format('Y')}}"),
        ("{{d|date('a','b')}}", "{{d|date('','','')}}"),
        ("{{a|nosuch(1)}}-{{b}}", "{{a|nosuch}}-{{b}}"),
        ("{{{a}}} {{", "{{{a}}} {{"),
        ("_function{{a}}*100", "_function {{a}} * 100"),
        ("_function case when{{a}}>1 then 'x' end", "_function CASE WHEN {{a}} > 1 THEN 'x' END"),
        ("_function not {{a}}=1 and !{{b}} or(1)", "_function NOT {{a}} = 1 AND NOT {{b}} OR 1"),
        ("_function (1+2)*3-(4-5)-6", "_function (1 + 2) * 3 - (4 - 5) - 6"),
        ("_function -(-5) - -{{a}}", "_function 5 - - {{a}}"),
        ("_function {{a}}{{a}}5 + 1.50e3", "_function {{a}}{{a}}5 + 1.5e3"),
        ("_function '{\\{a}}' ' _find\\Collection x'", "_function '{\\{a}} _find\\Collection x'"),
        ("_function IF({a}=1, '{b}', \"{o}\")", "_function IF({{a}} = 1, '{{b}}', '{{o}}')"),
        ("_function '\\{b}' ' {b}'", "_function '{b} {b}'"),
        ("_function '\\{b}'", "_function '\\{b}'"),
        (
            "_findCollection find n from M where k={a} j='{b}' i={b}x",
            "_findCollection find n from M where k={{a}} j='{{b}}' i={b}x",
        ),
        ("_function 'it''s' \"a\\\\b\\%\"", "_function 'it''sa\\\\b\\\\%'"),
        ("_function 0x4142", "_function x'4142'"),
        ("_function adddate({{d}}, 3)", "_function {{d}} + INTERVAL 3 DAY"),
        ("_function interval -1 day + {{d}}", "_function {{d}} + INTERVAL (-1) DAY"),
        ("_function trim(leading '0' from {{a}})", "_function TRIM(LEADING '0' FROM {{a}})"),
        ("_function binary 'a' = 'A'", "_function CAST('a' AS BINARY) = 'A'"),
        ("_function {{b}} not regexp '^x' is true", "_function {{b}} NOT REGEXP '^x' IS TRUE"),
        ("_function {{b}} like 'a|_' escape '|'", "_function {{b}} LIKE 'a|_' ESCAPE '|'"),
        (
            "_function group_concat(distinct {{items.s}} order by {{items.q}} desc separator '/')",
            "_function GROUP_CONCAT(DISTINCT {{items.s}} ORDER BY {{items.q}} DESC SEPARATOR '/')",
        ),
        (
            "_function ifnull({{n}},nvl2({{n}},1,2.50))",
            "_function COALESCE({{n}}, IF({{n}} IS NOT NULL, 1, 2.50))",
        ),
        (
            "_function IFNULL(_findCollection find F from M where k={{a}} j='x y', 0)",
            "_function COALESCE(_findCollection find F from M where k={{a}} j='x y' _endFind, 0)",
        ),
        (
            "_mongoQuery M sort=1 findField=content.n where={\"a\":\"{{b}}\"}",
            "_mongoQuery M findField=content.n where={\"a\":\"{{b}}\"}",
        ),
        ("_function 1 +", "_function 1 +"),
        ("_findCollection find a", "_findCollection find a"),
    ] {
        assert_eq!(printed(written), plain, "{written}");
        stable(Shape::get(), written, &record).unwrap_or_else(|e| panic!("{e}"));
    }
    let nested = json(r#"{"a":["{b}",{"c":"_function 1+1"},"{{a|date}}x",null,1.50]}"#);
    let shown = Expr::compile(&nested).print();
    assert_eq!(shown.to_json(), r#"{"a":["{{b}}",{"c":"_function 1 + 1"},"{{a|date}}x",null,1.50]}"#);
    assert_eq!(Expr::compile(&nested).to_string(), shown.to_json());
}

/// As deep as the grammar goes, printed no deeper than it was read.
#[test]
fn long_chains_and_deep_nesting_print() {
    let record = json(r#"{"a":1}"#);
    let chain = |op: &str| format!("_function {}", vec!["{{a}}"; 150].join(op));
    let nested = format!("_function {}{{{{a}}}}{}", "ABS(1 + ".repeat(48), ")".repeat(48));
    let days = format!("_function '2024-01-01'{}", " + INTERVAL 1 DAY".repeat(120));
    let list = [chain(" + "), chain(" and "), chain(" * "), nested, days];
    // On a small stack it is read, printed and read again; the trees are held against each other on a large one.
    for e in &list {
        let printed = Expr::compile(&Value::from(e.as_str())).print();
        assert_eq!(Expr::compile(&printed).problems(""), [], "{e}");
    }
    let compare = move || all_stable(list.iter().map(|e| (e.as_str(), record.clone())));
    std::thread::Builder::new().stack_size(64 << 20).spawn(compare).unwrap().join().unwrap();
}

/// Pieces of SQL in any order: much of it is wrong, and stays as it was written.
const PIECES: &[&str] = &[
    "{{a}}",
    "{{b|date}}",
    "'{{b}}'",
    "'x'",
    "\"y{{a}}\"",
    "1",
    "2.50",
    "1e3",
    "NULL",
    "TRUE",
    "x'41'",
    "(",
    ")",
    "(",
    ")",
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "<",
    "<=>",
    "AND",
    "OR",
    "NOT",
    "XOR",
    "!",
    "~",
    "|",
    "&",
    "^",
    "<<",
    ",",
    "IN (1, 2)",
    "IS NULL",
    "IS NOT TRUE",
    "BETWEEN 1 AND 2",
    "LIKE 'a%'",
    "NOT LIKE '_'",
    "REGEXP 'x'",
    "DIV",
    "MOD",
    "INTERVAL 1 DAY",
    "INTERVAL",
    "DAY",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "IF(1, 2, 3)",
    "CONCAT(",
    "SUM(",
    "COUNT(*)",
    "CAST({{a}} AS CHAR)",
    "DATE '2024-01-31'",
    "->",
    "COLLATE utf8mb4_bin",
    "BINARY",
    "-- c\n",
    "/* c */",
    "''",
    "'\\''",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn what_pieces_make_prints_as_it_is_read(picked in prop::collection::vec(prop::sample::select(PIECES), 1..14)) {
        let record = json(r#"{"a":"3","b":"2024-02-29"}"#);
        let written = format!("_function {}", picked.join(" "));
        prop_assert_eq!(stable(Shape::get(), &written, &record), Ok(()));
    }

    #[test]
    fn what_words_and_braces_make_prints_as_it_is_read(s in "[ab.|{} '()0]{0,24}", t in "\\PC{0,12}") {
        let record = json(r#"{"a":{"b":"1"},"b":[1,{"a":2}]}"#);
        for written in [s.clone(), t.clone(), format!("{{{{{s}}}}}"), format!("{t}{{{{a.b|date}}}}{s}"), format!("_function '{s}{t}'")] {
            prop_assert_eq!(stable(Shape::get(), &written, &record), Ok(()));
        }
    }
}
