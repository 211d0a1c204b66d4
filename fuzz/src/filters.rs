//! Filters in Mongo's form.

use heliu_transform::Value;
use heliu_transform::mongo::Filter;

use crate::{halves, record};

/// A filter, and a record behind `---`.
pub(crate) fn filter(data: &[u8]) {
    let (filter, rest) = halves(data);
    let Ok(written) = Value::parse(filter) else { return };
    let Ok(filter) = Filter::compile(&written) else { return };
    let record = record(rest);
    let hit = filter.matches(&record);
    let again = Value::parse(written.to_json().as_bytes()).ok().and_then(|v| Filter::compile(&v).ok());
    assert_eq!(again.map(|f| f.matches(&record)), Some(hit), "printed and read again");
    let paths = filter.paths();
    for (path, wanted) in filter.equalities() {
        assert!(paths.contains(&path));
        // An index that is asked for what must be equal misses no match.
        if hit {
            let found = record.get_path(path).unwrap_or_default();
            let any = found.as_array().unwrap_or(&[]).iter().chain([&found]).any(|v| same(v, wanted));
            assert!(any, "{path}: {} is not {}", found.to_json(), wanted.to_json());
        }
    }
}

/// Equal as an index has it: by text, numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    let number = |v: &Value| if let Value::Number(n) = v { n.to_decimal() } else { None };
    a == b || a.in_text() == b.in_text() || number(a).is_some_and(|n| number(b) == Some(n))
}

/// Words of filters.
pub(crate) fn words() -> Vec<String> {
    [
        "\n---\n",
        "{\"",
        "\":{\"",
        "\"$eq\":",
        "\"$ne\":",
        "\"$gt\":",
        "\"$gte\":",
        "\"$lt\":",
        "\"$lte\":",
        "\"$in\":[",
        "\"$nin\":[",
        "\"$exists\":",
        "\"$regex\":\"",
        "\"$options\":\"i\"",
        "\"$size\":",
        "\"$not\":{",
        "\"$and\":[{",
        "\"$or\":[{",
        "\"$nor\":[{",
        "\"items.qty\":",
        "\"buyer.addr.city\":",
        "\"id\":1001",
        "\"no\":\"SO-1\"",
        "1e999999999",
        "(?i)a{1,999}",
        "\\\\w+*",
    ]
    .map(str::to_owned)
    .to_vec()
}
