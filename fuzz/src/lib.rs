//! Any bytes give a value or an error: never a panic, a hang, or work out of proportion to the input.
//!
//! Each target is a plain function that panics when a promise is broken. `cargo xtask fuzz` drives them with an engine
//! that learns from coverage; the ordinary tests run them over the corpus.

mod conditions;
mod expressions;
mod filters;
mod imports;
mod parsers;
mod sheets;

use std::time::Duration;

use heliu_transform::{Context, Lookup, Text, Value};
use nix::time::{ClockId, clock_gettime};

/// Longest input that the engine makes, in bytes.
pub const MAX_LEN: usize = 4096;

/// Processor time that one input may take in the instrumented build, some three times slower than the shipped one, on a
/// core whose other half is busy. What grows out of bounds passes any such limit within a few bytes more.
pub const MAX_TIME: Duration = Duration::from_secs(4);

/// Something that takes any bytes.
pub struct Target {
    /// Name: of its directory in the corpus, too.
    pub name: &'static str,
    /// What it holds to the promise.
    pub about: &'static str,
    /// One input.
    pub run: fn(&[u8]),
    /// Words that the engine may put into inputs.
    pub words: fn() -> Vec<String>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "expression",
        about: "value expressions over a record: references, pipes, templates, lookups, casts",
        run: expressions::expression,
        words: expressions::words,
    },
    Target {
        name: "function",
        about: "`_function`: the grammar and every function of it",
        run: expressions::function,
        words: expressions::sql_words,
    },
    Target {
        name: "importer",
        about: "pasted text to plans, and the plans to compiled metadata",
        run: imports::text,
        words: imports::words,
    },
    Target {
        name: "condition",
        about: "the source side of a document over an element: condition, formatResponse, flattening, keys",
        run: conditions::condition,
        words: conditions::words,
    },
    Target {
        name: "filter",
        about: "filters in Mongo's form over a record",
        run: filters::filter,
        words: filters::words,
    },
    Target {
        name: "parser",
        about: "the parsers of items: jsonpath, xml, csv, regex, date, number and the rest",
        run: parsers::parser,
        words: parsers::words,
    },
    Target {
        name: "sheet",
        about: "the parameter template: the parts of a spreadsheet",
        run: sheets::sheet,
        words: sheets::words,
    },
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|t| t.name == name)
}

/// Runs one input.
///
/// # Panics
/// When a promise is broken; also when the input took longer than [`MAX_TIME`] of processor time.
pub fn run(target: &Target, data: &[u8]) {
    let begin = used();
    (target.run)(data);
    let took = used().saturating_sub(begin);
    assert!(took <= MAX_TIME, "{}: one input of {} bytes took {took:?}", target.name, data.len());
}

/// Processor time of this thread: what else the machine does has no part in it.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The evaluation's clock.
const NOW: i64 = 1_710_406_800;
const LAST: i64 = 1_710_403_200;
const TZ: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

fn context(store: &dyn Lookup, strict: bool) -> Context<'_> {
    Context { strict, lookups: Some(store), ..Context::new(LAST, NOW, TZ) }
}

/// Both halves of an input, cut at the first line with nothing but `---` in it; without one the second is empty.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    const CUT: &[u8] = b"\n---\n";
    match data.windows(CUT.len()).position(|w| w == CUT) {
        Some(at) => (data.get(..at).unwrap_or(&[]), data.get(at + CUT.len()..).unwrap_or(&[])),
        None => (data, &[]),
    }
}

/// The record of an input, or one with something of every kind.
fn record(data: &[u8]) -> Value {
    const KINDS: &str = r#"{"id":1001,"no":"SO-1","shop":"旗舰店","at":"2024-03-15 14:30:00","ms":1710403200123,
        "amount":"100.50","qty":3,"price":2.5,"big":1362188104995221504,"tiny":1e-7,"huge":1e300,"flag":true,"nil":null,
        "blank":"","text":"it's \"so\" \\ {{no}} 仔细","json":"{\"a\":[1,{\"b\":\"c\"}]}","tags":["a","b"],
        "buyer":{"name":"张三","addr":{"city":"广州"}},
        "items":[{"sku":"A1","qty":2,"price":10,"tax":0.13},{"sku":"B2","qty":5,"price":4,"tax":"0.06"}]}"#;
    match Value::parse(data) {
        Ok(v @ Value::Object(_)) => v,
        _ => Value::parse(KINDS.as_bytes()).unwrap_or_default(),
    }
}

/// Chance is what some functions are for; everything else gives the same answer again.
fn by_chance(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("uuid") || text.contains("rand")
}

/// What is printed is read again as the same value.
fn printed(v: &Value) {
    let text = v.to_json();
    match Value::parse(text.as_bytes()) {
        Ok(again) => assert_eq!(again.to_json(), text),
        // Values may be built one level deeper than what is read.
        Err(e) => assert!(e.message.contains("nested"), "{e}: {text}"),
    }
}

/// A store that answers with what it was asked for.
struct Echo;

impl Lookup for Echo {
    fn find(&self, scheme: &str, field: &str, wanted: &[(String, Value)]) -> Result<Option<Value>, Text> {
        match (scheme, wanted.first()) {
            ("none", _) => Ok(None),
            (_, Some((_, v))) => Ok(Some(v.clone())),
            _ => Ok(Some(Value::from(field))),
        }
    }

    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        let filter = heliu_transform::mongo::Filter::compile(filter)?;
        Ok((scheme != "none" && !filter.paths().is_empty()).then(|| Value::from(field)))
    }
}
