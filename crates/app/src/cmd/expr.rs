//! `eval` and `render`: the dialect without a project; lookups see the records of the one that is there.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use chrono_tz::Tz;
use heliu_ledger::Lookups;
use heliu_model::ports::Clock;
use heliu_model::{Failure, Spot, Text, Ts, text};
use heliu_transform::{
    EvalRequest, EvaluateError, Expr, Lookup, RenderRequest, Value, evaluate, render as render_document,
};

use crate::args::{Common, EvalArgs, RenderArgs};
use crate::clock::RealClock;
use crate::output::{Done, Out, Stop};

const DAY_MS: i64 = 86_400_000;

fn wrong(code: &str, place: &str, t: Text) -> Failure {
    Failure::config(code, t).at(place)
}

/// What went wrong, with the character of the expression: that of `eval`, or the item's value that a document has at
/// the path of the error.
fn failure(e: EvaluateError, within: &Value) -> Failure {
    let value = match within {
        Value::Object(_) if !e.path.is_empty() => {
            within.get_path(&format!("{}.value", e.path.replace('[', ".").replace(']', "")))
        }
        v => Some(v.clone()),
    };
    let written = value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let spot = match (written, e.position) {
        (Some(text), Some(at)) => Some(Spot { text, at }),
        // An unknown name says itself where it stands; a value that is shown is no part of the expression.
        _ if e.code.starts_with("HL-23") => value.as_ref().and_then(|v| Spot::quoted(&e.message, v)),
        _ => None,
    };
    let mut place = e.path;
    if let Some(at) = spot.as_ref().map(|s| s.at).or(e.position) {
        if !place.is_empty() {
            place.push(' ');
        }
        place.push_str(&format!("@{at}"));
    }
    Failure { spot: spot.map(Box::new), ..Failure::config(&e.code, e.message).at(place) }
}

fn zone(words: Option<&str>) -> Result<Tz, Failure> {
    match words {
        None => Ok(chrono_tz::Asia::Shanghai),
        Some(w) => w.parse::<Tz>().map_err(|_| {
            wrong(
                "HL-1006",
                "tz",
                text!(
                    "`{w}` is no time zone; write one such as `Asia/Shanghai`",
                    "`{w}` 不是时区;请写成 `Asia/Shanghai` 这样的名称"
                ),
            )
        }),
    }
}

fn time(words: Option<&str>, place: &str, tz: Tz, default: Ts) -> Result<Ts, Failure> {
    match words {
        None => Ok(default),
        Some(w) => Ts::parse(w, tz).map_err(|t| {
            wrong("HL-8010", place, t).hint(text!(
                "write `2024-03-14 16:00:00`, RFC 3339, or unix seconds",
                "请写成 `2024-03-14 16:00:00`、RFC 3339 或 unix 秒"
            ))
        }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| {
        let why = e.to_string();
        wrong(
            "HL-1002",
            &path.display().to_string(),
            text!("the file cannot be read: {why}", "文件无法读取:{why}"),
        )
    })
}

fn read_json(path: &Path) -> Result<Value, Failure> {
    let bytes = read_file(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Value::parse(bytes).map_err(|e| wrong("HL-1001", &path.display().to_string(), e.text()))
}

/// Records of other plans, for lookups, where the project has run before.
fn stored(common: &Common) -> Option<Lookups> {
    let dir = common.data_dir.clone().unwrap_or_else(|| common.project.join(".heliu"));
    Lookups::of(&dir)
}

/// Times and zone of one evaluation.
struct Times {
    tz: Tz,
    now: Ts,
    last_sync: Ts,
}

fn times(
    tz: Option<&str>,
    now: Option<&str>,
    last: Option<&str>,
    clock: &RealClock,
) -> Result<Times, Failure> {
    let tz = zone(tz)?;
    let now = time(now, "now", tz, clock.now())?;
    let last_sync = time(last, "last_sync", tz, now.plus_ms(-DAY_MS))?;
    Ok(Times { tz, now, last_sync })
}

/// A member of a batch line as text: a string, or a number's digits.
fn member(line: &Value, key: &str) -> Result<Option<String>, Failure> {
    match line.as_object().and_then(|o| o.get(key)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.as_str().to_owned())),
        Some(Value::Number(n)) => Ok(Some(n.text().into_owned())),
        Some(_) => {
            Err(wrong("HL-8013", key, text!("`{key}` must be text or a number", "`{key}` 应为文本或数字")))
        }
    }
}

fn whole(line: &Value, key: &str) -> Result<Option<i64>, Failure> {
    match member(line, key)? {
        None => Ok(None),
        Some(s) => {
            s.trim().parse().map(Some).map_err(|_| {
                wrong("HL-8013", key, text!("`{key}` must be a whole number", "`{key}` 应为整数"))
            })
        }
    }
}

fn only(line: &Value, known: &[&str]) -> Result<(), Failure> {
    let Some(map) = line.as_object() else {
        return Err(wrong("HL-8013", "", text!("a line is a JSON object", "每行应为一个 JSON 对象")));
    };
    for (key, _) in map.iter() {
        if !known.contains(&key) {
            let all = known.join(", ");
            let hint = match heliu_transform::nearest(key, known.iter().copied()) {
                Some(near) => {
                    text!("did you mean `{near}`? known are {all}", "是否为 `{near}`?可用的有 {all}")
                }
                None => text!("known are {all}", "可用的有 {all}"),
            };
            return Err(wrong("HL-8013", key, text!("unknown key `{key}`", "未知的键 `{key}`")).hint(hint));
        }
    }
    Ok(())
}

fn parser_of(v: Option<&Value>) -> Result<Option<Value>, Failure> {
    match v {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => {
            let s = s.as_str();
            Value::parse(s.as_bytes()).map(Some).map_err(|e| wrong("HL-8013", "parser", e.text()))
        }
        Some(v) => Ok(Some(v.clone())),
    }
}

const EVAL_KEYS: &[&str] = &["expr", "record", "row", "now", "last_sync", "tz", "type", "parser", "strict"];

fn eval_line(line: &Value, clock: &RealClock, store: Option<&dyn Lookup>) -> Result<Value, Failure> {
    only(line, EVAL_KEYS)?;
    let map = line.as_object();
    let get = |key: &str| map.and_then(|m| m.get(key));
    let Some(expr) = get("expr") else {
        return Err(wrong("HL-8013", "expr", text!("`expr` is missing", "缺少 `expr`")));
    };
    let t = times(
        member(line, "tz")?.as_deref(),
        member(line, "now")?.as_deref(),
        member(line, "last_sync")?.as_deref(),
        clock,
    )?;
    let strict = match get("strict") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(b)) => *b,
        Some(_) => {
            return Err(wrong(
                "HL-8013",
                "strict",
                text!("`strict` must be true or false", "`strict` 应为 true 或 false"),
            ));
        }
    };
    let parser = parser_of(get("parser"))?;
    let row = member(line, "row")?;
    let ty = member(line, "type")?;
    let (value, _) = evaluate(&EvalRequest {
        expr,
        record: get("record"),
        row: row.as_deref(),
        now: t.now.secs(),
        last_sync: t.last_sync.secs(),
        tz: t.tz,
        ty: ty.as_deref(),
        parser: parser.as_ref(),
        strict,
        lookups: store,
    })
    .map_err(|e| failure(e, expr))?;
    Ok(value)
}

const RENDER_KEYS: &[&str] = &["metadata", "records", "page", "page_size", "now", "last_sync", "tz"];

fn render_line(line: &Value, clock: &RealClock, store: Option<&dyn Lookup>) -> Result<Value, Failure> {
    only(line, RENDER_KEYS)?;
    let map = line.as_object();
    let get = |key: &str| map.and_then(|m| m.get(key));
    let Some(metadata) = get("metadata") else {
        return Err(wrong("HL-8013", "metadata", text!("`metadata` is missing", "缺少 `metadata`")));
    };
    let t = times(
        member(line, "tz")?.as_deref(),
        member(line, "now")?.as_deref(),
        member(line, "last_sync")?.as_deref(),
        clock,
    )?;
    let one;
    let records: &[Value] = match get("records") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list,
        Some(v @ Value::Object(_)) => {
            one = [v.clone()];
            &one
        }
        Some(_) => {
            return Err(wrong("HL-8013", "records", text!("`records` must be a list", "`records` 应为列表")));
        }
    };
    let (value, _) = render_document(&RenderRequest {
        metadata,
        records,
        page: whole(line, "page")?.unwrap_or(1),
        page_size: whole(line, "page_size")?,
        now: t.now.secs(),
        last_sync: t.last_sync.secs(),
        tz: t.tz,
        lookups: store,
    })
    .map_err(|e| failure(e, metadata))?;
    Ok(value)
}

/// Answers JSON lines, one each, in order. `wrap`: members of an answer that worked.
fn batch(out: &Out, file: &Path, answer: impl Fn(&Value) -> Result<Value, Failure>, wrap: bool) -> Done {
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::io::Cursor::new(read_file(file)?))
    };
    let mut writer = BufWriter::new(std::io::stdout().lock());
    let mut reader = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = reader.read_until(b'\n', &mut line).map_err(|e| {
            let why = e.to_string();
            wrong(
                "HL-1002",
                &file.display().to_string(),
                text!("the input cannot be read: {why}", "输入无法读取:{why}"),
            )
        })?;
        if n == 0 {
            break;
        }
        let text = line.trim_ascii();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        let answered =
            Value::parse(text).map_err(|e| wrong("HL-8013", "", e.text())).and_then(|v| answer(&v));
        let json = match answered {
            Ok(v) if wrap => format!("{{\"value\":{}}}", v.to_json()),
            Ok(v) => v.to_json(),
            Err(f) => serde_json::json!({"error": out.failure_json(&f)}).to_string(),
        };
        if writeln!(writer, "{json}").is_err() {
            return Ok(0);
        }
    }
    let _ = writer.flush();
    Ok(0)
}

/// `heliu eval`
pub fn eval(common: &Common, out: &Out, args: &EvalArgs) -> Done {
    let clock = RealClock::new();
    let records = stored(common);
    let store = records.as_ref().map(|r| r as &dyn Lookup);
    if let Some(file) = &args.batch {
        return batch(out, file, |line| eval_line(line, &clock, store), true);
    }
    let t = times(args.tz.as_deref(), args.now.as_deref(), args.last_sync.as_deref(), &clock)?;
    let record = args.record.as_deref().map(read_json).transpose()?;
    let parser = match &args.parser {
        None => None,
        Some(p) => Some(Value::parse(p.as_bytes()).map_err(|e| {
            wrong("HL-8010", "--parser", e.text()).hint(text!(
                r#"write an object, such as {{"name":"StringToArray","params":","}}"#,
                r#"请写成对象,例如 {{"name":"StringToArray","params":","}}"#
            ))
        })?),
    };
    let expr = Value::from(args.expr.as_deref().unwrap_or(""));
    let (value, warnings) = evaluate(&EvalRequest {
        expr: &expr,
        record: record.as_ref(),
        row: args.row.as_deref(),
        now: t.now.secs(),
        last_sync: t.last_sync.secs(),
        tz: t.tz,
        ty: args.ty.as_deref(),
        parser: parser.as_ref(),
        strict: args.strict,
        lookups: store,
    })
    .map_err(|e| Stop::from(failure(e, &expr)))?;
    for w in &warnings {
        out.hint(w);
    }
    if common.verbose > 0 {
        let read = Expr::compile(&expr).to_string();
        out.hint(&text!("read as: {read}", "读作:{read}"));
    }
    out.line(&value.to_json());
    Ok(0)
}

/// `heliu render`
pub fn render(common: &Common, out: &Out, args: &RenderArgs) -> Done {
    let clock = RealClock::new();
    let kept = stored(common);
    let store = kept.as_ref().map(|r| r as &dyn Lookup);
    if let Some(file) = &args.batch {
        return batch(out, file, |line| render_line(line, &clock, store), false);
    }
    let t = times(args.tz.as_deref(), args.now.as_deref(), args.last_sync.as_deref(), &clock)?;
    let file = args.metadata.as_deref().unwrap_or(Path::new(""));
    let metadata = read_json(file)?;
    if ["source", "target"].iter().all(|side| metadata.get_path(&format!("{side}.metadata")).is_some()) {
        let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        return Err(Failure::config(
            "HL-8023",
            text!("this is a whole plan: it holds two documents", "这是整个方案,其中有两份元数据"),
        )
        .at(file.display().to_string())
        .hint(text!(
            "give what stands under `source.metadata` or `target.metadata`; `heliu preview {stem}` shows both as they would be sent",
            "请给出 `source.metadata` 或 `target.metadata` 的内容;`heliu preview {stem}` 可显示两者将发送的内容"
        ))
        .into());
    }
    let records = args.record.iter().map(|f| read_json(f)).collect::<Result<Vec<_>, _>>()?;
    let (value, warnings) = render_document(&RenderRequest {
        metadata: &metadata,
        records: &records,
        page: args.page,
        page_size: None,
        now: t.now.secs(),
        last_sync: t.last_sync.secs(),
        tz: t.tz,
        lookups: store,
    })
    .map_err(|e| {
        let mut f = failure(e, &metadata);
        f.place = if f.place.is_empty() {
            file.display().to_string()
        } else {
            format!("{}: {}", file.display(), f.place)
        };
        Stop::from(f)
    })?;
    for w in &warnings {
        out.hint(w);
    }
    out.line(&value.to_json());
    Ok(0)
}
