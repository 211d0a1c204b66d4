//! JSON functions.

use super::Sv;
use super::eval::Args;

fn parse(v: &Sv) -> Option<serde_json::Value> {
    serde_json::from_str(&v.as_text()?).ok()
}

/// MariaDB shows JSON as it stands in the text; members cut out keep their spelling in our compact form.
fn show(v: &serde_json::Value) -> Sv {
    Sv::Str(v.to_string())
}

/// JSON_EXTRACT with one or several paths.
pub(super) fn extract(doc: &Sv, paths: &[Sv]) -> Sv {
    let Some(doc) = parse(doc) else { return Sv::Null };
    let mut found = Vec::new();
    let mut many = paths.len() > 1;
    for p in paths {
        let Some(p) = p.as_text() else { return Sv::Null };
        many |= p.contains('*');
        walk(&doc, p.trim_start_matches('$'), &mut found, 0);
    }
    match (found.as_slice(), many) {
        ([], _) => Sv::Null,
        ([one], false) => show(one),
        (all, _) => show(&serde_json::Value::Array(all.iter().map(|v| (*v).clone()).collect())),
    }
}

fn walk<'a>(v: &'a serde_json::Value, path: &str, out: &mut Vec<&'a serde_json::Value>, depth: usize) {
    if depth > 64 {
        return;
    }
    let path = path.trim_start();
    if path.is_empty() {
        out.push(v);
        return;
    }
    if let Some(rest) = path.strip_prefix('.') {
        let (key, tail) = if let Some(q) = rest.strip_prefix('"') {
            match q.find('"') {
                Some(end) => (q.get(..end).unwrap_or(""), q.get(end + 1..).unwrap_or("")),
                None => return,
            }
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            (rest.get(..end).unwrap_or(""), rest.get(end..).unwrap_or(""))
        };
        if key == "*" {
            if let Some(map) = v.as_object() {
                map.values().for_each(|m| walk(m, tail, out, depth + 1));
            }
        } else if let Some(member) = v.get(key) {
            walk(member, tail, out, depth + 1);
        }
    } else if let Some(rest) = path.strip_prefix('[') {
        let Some(end) = rest.find(']') else { return };
        let (index, tail) = (rest.get(..end).unwrap_or("").trim(), rest.get(end + 1..).unwrap_or(""));
        match (v.as_array(), index) {
            (Some(items), "*") => items.iter().for_each(|m| walk(m, tail, out, depth + 1)),
            (Some(items), n) => {
                if let Some(item) = n.parse::<usize>().ok().and_then(|n| items.get(n)) {
                    walk(item, tail, out, depth + 1);
                }
            }
            (None, "0") => walk(v, tail, out, depth + 1),
            _ => {}
        }
    }
}

/// JSON_UNQUOTE.
pub(super) fn unquote(v: &Sv) -> Sv {
    match (v, parse(v)) {
        (Sv::Null, _) => Sv::Null,
        (Sv::Str(s), Some(serde_json::Value::String(inner))) if s.trim_start().starts_with('"') => {
            Sv::Str(inner)
        }
        (other, _) => Sv::Str(other.as_text().unwrap_or_default()),
    }
}

/// CAST(… AS JSON).
pub(super) fn normal(v: &Sv) -> Sv {
    parse(v).map_or(Sv::Null, |j| show(&j))
}

fn to_json(v: &Sv) -> serde_json::Value {
    match v {
        Sv::Null => serde_json::Value::Null,
        Sv::Bool(b) => (*b).into(),
        Sv::Dec(_) | Sv::Dbl(_) => {
            serde_json::from_str(&v.as_text().unwrap_or_default()).unwrap_or(serde_json::Value::Null)
        }
        other => other.as_text().unwrap_or_default().into(),
    }
}

/// JSON functions. `None` for other names.
pub(super) fn call(name: &str, args: &Args) -> Option<Sv> {
    let arg = |i: usize| args.get(i).unwrap_or(&Sv::Null);
    let at = |doc: &Sv, path: Option<&Sv>| match path {
        Some(p) => parse(&extract(doc, std::slice::from_ref(p))),
        None => parse(doc),
    };
    Some(match name {
        "JSON_EXTRACT" => extract(arg(0), args.get(1..).unwrap_or(&[])),
        "JSON_UNQUOTE" => unquote(arg(0)),
        "JSON_VALUE" => match at(arg(0), args.get(1)) {
            Some(v) if !v.is_object() && !v.is_array() => unquote(&show(&v)),
            _ => Sv::Null,
        },
        "JSON_VALID" if arg(0).is_null() => Sv::Null,
        "JSON_VALID" => Sv::flag(Some(parse(arg(0)).is_some())),
        "JSON_LENGTH" => match at(arg(0), args.get(1)) {
            Some(serde_json::Value::Array(a)) => Sv::int(a.len() as i64),
            Some(serde_json::Value::Object(o)) => Sv::int(o.len() as i64),
            Some(_) => Sv::int(1),
            None => Sv::Null,
        },
        "JSON_KEYS" => match at(arg(0), args.get(1)) {
            Some(serde_json::Value::Object(o)) => show(&o.keys().cloned().collect::<Vec<_>>().into()),
            _ => Sv::Null,
        },
        "JSON_TYPE" => match parse(arg(0)) {
            Some(serde_json::Value::Object(_)) => Sv::text("OBJECT"),
            Some(serde_json::Value::Array(_)) => Sv::text("ARRAY"),
            Some(serde_json::Value::String(_)) => Sv::text("STRING"),
            Some(serde_json::Value::Bool(_)) => Sv::text("BOOLEAN"),
            Some(serde_json::Value::Null) => Sv::text("NULL"),
            Some(n) => Sv::text(if n.to_string().contains(['.', 'e', 'E']) { "DOUBLE" } else { "INTEGER" }),
            None => Sv::Null,
        },
        "JSON_QUOTE" => match arg(0) {
            Sv::Str(s) => show(&s.clone().into()),
            _ => Sv::Null,
        },
        "JSON_ARRAY" => show(&serde_json::Value::Array(args.iter().map(to_json).collect())),
        "JSON_OBJECT" => {
            let mut map = serde_json::Map::new();
            for pair in args.chunks(2) {
                let key = pair.first().and_then(Sv::as_text)?;
                map.insert(key, pair.get(1).map_or(serde_json::Value::Null, to_json));
            }
            show(&serde_json::Value::Object(map))
        }
        "JSON_CONTAINS" => match (at(arg(0), args.get(2)), parse(arg(1))) {
            (Some(doc), Some(part)) => Sv::flag(Some(contains(&doc, &part))),
            _ => Sv::Null,
        },
        _ => return None,
    })
}

fn contains(doc: &serde_json::Value, part: &serde_json::Value) -> bool {
    use serde_json::Value as J;
    match (doc, part) {
        (J::Array(items), J::Array(wanted)) => wanted.iter().all(|w| items.iter().any(|i| contains(i, w))),
        (J::Array(items), one) => items.iter().any(|i| contains(i, one)),
        (J::Object(a), J::Object(b)) => b.iter().all(|(k, v)| a.get(k).is_some_and(|x| contains(x, v))),
        (a, b) => a == b,
    }
}
