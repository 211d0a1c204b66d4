//! Keys that an object of a JSON text has more than once: of several only the last one counts, and whoever edited another
//! one is not told.

/// A key that stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubled {
    /// Where in the tree, dotted.
    pub path: String,
    /// Line and column (from 1) of the first one and of the one after it.
    pub places: [(usize, usize); 2],
}

/// One object or list on the way to where we are.
struct Level {
    /// Keys so far and where they stand; `None` in a list.
    keys: Option<Vec<(String, usize)>>,
    /// Elements before this one, in a list.
    index: usize,
    /// The key whose value we are in.
    at: String,
}

/// The keys that stand twice in a text that is valid JSON, in order.
pub fn doubled(source: &str) -> Vec<Doubled> {
    let (mut levels, mut out): (Vec<Level>, Vec<Doubled>) = (Vec::new(), Vec::new());
    let bytes = source.as_bytes();
    let (mut i, mut key_next) = (0, false);
    while let Some(b) = bytes.get(i) {
        match b {
            b'{' => {
                levels.push(Level { keys: Some(Vec::new()), index: 0, at: String::new() });
                key_next = true;
            }
            b'[' => levels.push(Level { keys: None, index: 0, at: "0".into() }),
            b'}' | b']' => {
                levels.pop();
                key_next = false;
            }
            b',' => {
                if let Some(level) = levels.last_mut() {
                    key_next = level.keys.is_some();
                    level.index += 1;
                    if !key_next {
                        level.at = level.index.to_string();
                    }
                }
            }
            b'"' => {
                let end = end_of_text(bytes, i);
                if std::mem::take(&mut key_next) {
                    let name: String =
                        source.get(i..end).and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
                    enter(source, &mut levels, &mut out, name, i);
                }
                i = end;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    out
}

/// Where the text that begins at `from` ends.
fn end_of_text(bytes: &[u8], from: usize) -> usize {
    let mut i = from + 1;
    while let Some(b) = bytes.get(i) {
        match b {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

fn enter(source: &str, levels: &mut [Level], out: &mut Vec<Doubled>, name: String, at: usize) {
    let Some((level, above)) = levels.split_last_mut() else { return };
    let Some(keys) = &mut level.keys else { return };
    if let Some((_, first)) = keys.iter().find(|(k, _)| *k == name) {
        let mut path: Vec<&str> = above.iter().map(|l| l.at.as_str()).collect();
        path.push(&name);
        out.push(Doubled { path: path.join("."), places: [place(source, *first), place(source, at)] });
    }
    keys.push((name.clone(), at));
    level.at = name;
}

fn place(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    (line, before.rsplit('\n').next().unwrap_or("").chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::doubled;

    #[test]
    fn each_place_is_named() {
        let text = "{\"a\": {\"b\": 1, \"c\": [\n  {\"d\": \"{\\\"d\\\": 1, \\\"d\\\": 2}\", \"e\": []},\n  {\"ü\": 1,\n   \"x\": \"x\", \"\\u00fc\": 2}\n], \"b\": 2},\n \"f\": \"a\", \"a\": \"b\", \"a\": 3}";
        let found: Vec<_> = doubled(text).into_iter().map(|d| (d.path, d.places)).collect();
        let wanted = [
            ("a.c.1.ü", [(3, 4), (4, 14)]),
            ("a.b", [(1, 8), (5, 4)]),
            ("a", [(1, 2), (6, 12)]),
            ("a", [(1, 2), (6, 22)]),
        ];
        assert_eq!(found, wanted.map(|(p, at)| (p.to_owned(), at)));
        // Oracle: a reader that keeps one member of each name has fewer of them.
        let members = text.matches("\":").count();
        assert_eq!(members, 14);
        for fine in
            ["[]", "{}", "1", "\"a\"", "[{\"a\":1},{\"a\":1}]", "{\"a\":{\"a\":{\"a\":[\"a\",\"a\"]}}}", ""]
        {
            assert_eq!(doubled(fine), []);
        }
    }
}
