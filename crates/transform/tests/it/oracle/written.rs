//! Expressions written by hand, as consultants and users of MySQL write them: one a line, over one record. The server is
//! asked with the values of the references in their places (rule Fn4); behind a tab stands what it is asked instead.

use heliu_transform::Value;

use super::NOW;
use super::cases::Case;

const RECORD: &str = include_str!("written/record.json");

const WRITTEN: &[(&str, &str)] = &[
    ("orders", include_str!("written/orders.txt")),
    ("plain", include_str!("written/plain.txt")),
    ("texts", include_str!("written/texts.txt")),
    ("dates", include_str!("written/dates.txt")),
    ("choices", include_str!("written/choices.txt")),
    ("documents", include_str!("written/json.txt")),
    ("lists", include_str!("written/lists.txt")),
    ("syntax", include_str!("written/syntax.txt")),
];

/// All of them.
pub fn all() -> Vec<Case> {
    let record = Value::parse(RECORD.as_bytes()).unwrap();
    let lines = WRITTEN.iter().flat_map(|(group, text)| text.lines().map(move |line| (*group, line)));
    lines
        .map(|(group, line)| {
            let (ours, theirs) = match line.split_once('\t') {
                Some((ours, theirs)) => (ours, theirs.to_owned()),
                None => (line, filled(line, &record)),
            };
            // Only what it names, so that a difference shows no more.
            let Value::Object(members) = &record else { panic!("the record is an object") };
            let named: Vec<String> = members
                .iter()
                .filter(|(k, _)| ["}}", "."].iter().any(|behind| ours.contains(&format!("{{{{{k}{behind}"))))
                .map(|(k, v)| format!("\"{k}\":{}", v.to_json()))
                .collect();
            Case { group, ours: ours.to_owned(), theirs, record: format!("{{{}}}", named.join(",")) }
        })
        .collect()
}

/// The expression with values instead of references.
fn filled(expression: &str, record: &Value) -> String {
    let (mut out, mut quote, mut rest) = (String::new(), None, expression);
    while let Some(c) = rest.chars().next() {
        if let Some((name, behind)) = rest.strip_prefix("{{").and_then(|r| r.split_once("}}")) {
            let value = match name {
                "CURRENT_TIME" => Value::parse(NOW.to_string().as_bytes()).ok(),
                "LAST_SYNC_TIME" => Value::parse((NOW - 3600).to_string().as_bytes()).ok(),
                path => record.get_path(path),
            };
            out += &match quote {
                Some(q) => escaped(&text(value.as_ref()), q),
                None => literal(value.as_ref()),
            };
            rest = behind;
            continue;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
        match (quote, c) {
            (Some(_), '\\') => {
                out.extend(rest.chars().next());
                rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
            }
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            _ => {}
        }
    }
    out
}

/// A value as it stands between quotes (rule G4).
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(s)) => s.to_string(),
        Some(other) => other.to_json(),
    }
}

fn escaped(text: &str, quote: char) -> String {
    text.replace('\\', "\\\\").replace(quote, &format!("{quote}{quote}"))
}

/// A value on its own (rule Fn4).
fn literal(value: Option<&Value>) -> String {
    let whole = text(value);
    let plain = whole.trim().strip_prefix(['-', '+']).unwrap_or(whole.trim());
    let digits = plain.chars().filter(char::is_ascii_digit).count();
    let number = digits > 0 && plain.len() - digits == plain.matches('.').count().min(1);
    match value {
        None | Some(Value::Null) => "NULL".to_owned(),
        Some(Value::Bool(b)) => b.to_string().to_uppercase(),
        _ if plain.is_empty() => "NULL".to_owned(),
        _ if number => format!("({})", whole.trim()),
        _ => format!("'{}'", escaped(&whole, '\'')),
    }
}
