//! References held against samples: what the source has shown, or what is written down about its elements.

use std::collections::BTreeSet;

use heliu_model::codes::lint as say;
use heliu_model::{Problem, Text, text};
use heliu_transform::metadata::{Item, Type};
use heliu_transform::{Expr, Metadata, Value, grouping, is_variable, nearest};

use super::walk::chars;
use crate::wire::Loaded;

/// Paths that are remembered at most.
const MOST: usize = 20_000;

/// What is known about the fields of a plan's records.
#[derive(Debug, Default)]
pub struct Samples {
    paths: BTreeSet<String>,
    /// Paths whose inside was never seen: null, empty lists.
    closed: BTreeSet<String>,
    origin: Text,
}

impl Samples {
    /// From stored records.
    pub fn of_records(meta: &Metadata, records: &[Value]) -> Option<Samples> {
        if records.is_empty() {
            return None;
        }
        let mut out = Samples::default();
        for r in records {
            out.add(r, "");
        }
        // What grouping builds is what the target reads.
        for unit in grouping::units(meta, records) {
            out.add(&unit.record, "");
        }
        let n = records.len();
        out.origin = text!("{n} stored records", "已存的 {n} 条数据");
        Some(out)
    }

    /// From names that are written down: the document's `response`, or the catalogue.
    pub fn of_names(names: &[String], more: &Metadata, origin: Text) -> Option<Samples> {
        if names.is_empty() {
            return None;
        }
        let mut out = Samples { origin, ..Samples::default() };
        for name in names {
            let mut path = String::new();
            for seg in name.split('.') {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(seg);
                out.paths.insert(path.clone());
            }
        }
        for rule in more.raw.get_path("formatResponse").as_ref().and_then(Value::as_array).unwrap_or(&[]) {
            out.paths.extend(rule.get_path("new").map(|v| v.in_text()));
        }
        for array in &more.beat_flat {
            let prefix = format!("{array}.");
            let flat: Vec<String> = out
                .paths
                .iter()
                .filter_map(|p| p.strip_prefix(&prefix))
                .map(|rest| format!("{}_{}", array.replace('.', "_"), rest.replace('.', "_")))
                .collect();
            out.paths.extend(flat);
        }
        Some(out)
    }

    fn add(&mut self, v: &Value, path: &str) {
        if self.paths.len() >= MOST {
            return;
        }
        match v {
            Value::Object(map) => {
                for (k, v) in map.iter() {
                    let key = if path.is_empty() { k.to_owned() } else { format!("{path}.{k}") };
                    self.paths.insert(key.clone());
                    self.add(v, &key);
                }
            }
            Value::Array(items) if items.is_empty() => {
                self.closed.insert(path.to_owned());
            }
            Value::Array(items) => items.iter().take(50).for_each(|v| self.add(v, path)),
            Value::Null => {
                self.closed.insert(path.to_owned());
            }
            // A text may hold JSON that is read into.
            Value::String(s) if s.is_empty() || s.starts_with(['{', '[']) => {
                self.closed.insert(path.to_owned());
            }
            _ => {}
        }
    }

    fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
            || path.match_indices('.').any(|(i, _)| path.get(..i).is_some_and(|p| self.closed.contains(p)))
    }
}

/// References of the target's document that no sample shows.
pub fn fields(l: &Loaded, samples: &Samples) -> Vec<Problem> {
    let mut out = Vec::new();
    let mut frames = Vec::new();
    for list in [&l.target_meta.request, &l.target_meta.other_request] {
        list.iter().for_each(|i| item(i, samples, &mut frames, &mut out));
    }
    out.into_iter().map(|p| p.under("target.metadata")).collect()
}

fn item(i: &Item, samples: &Samples, frames: &mut Vec<String>, out: &mut Vec<Problem>) {
    let container = matches!(i.ty, Type::Array | Type::Object);
    let mut bound = false;
    if let Some(v) = &i.value {
        match v.as_str() {
            // A bare name or reference binds the rows of a container.
            Some(s) if container && !i.children.is_empty() => {
                let name = s.trim().trim_matches(['{', '}']).trim();
                if !name.is_empty() && !name.contains(['{', '|', ' ']) {
                    frames.push(name.to_owned());
                    bound = true;
                }
            }
            _ => references(&Expr::compile(v), v, &format!("{}.value", i.path), samples, frames, out),
        }
    }
    i.children.iter().for_each(|c| item(c, samples, frames, out));
    if bound {
        frames.pop();
    }
}

fn references(e: &Expr, v: &Value, path: &str, samples: &Samples, frames: &[String], out: &mut Vec<Problem>) {
    let mut seen = Vec::new();
    for p in e.paths() {
        let written = p.as_str();
        if seen.contains(&written) {
            continue;
        }
        seen.push(written);
        let name: Vec<&str> = written.split('.').filter(|s| s.parse::<usize>().is_err()).collect();
        let name = name.join(".");
        let head = name.split('.').next().unwrap_or("");
        let ours = matches!(head, "primaryWriteback" | "_response" | "_id" | "response" | "item" | "");
        if ours || is_variable(written) || samples.has(&name) {
            continue;
        }
        // Inside a container, the current row is looked into as well.
        if frames.iter().any(|f| samples.has(&format!("{f}.{name}"))) {
            continue;
        }
        let origin = &samples.origin;
        let (en, zh) = (&origin.en, &origin.zh);
        let found = Text {
            en: format!("`{written}` is in none of {en}"),
            zh: format!("{zh}中都没有 `{written}`"),
        };
        let near = nearest(&name, samples.paths.iter().map(String::as_str));
        let problem = say::UNKNOWN_FIELD.at(path, found);
        let problem = match near {
            Some(near) => problem.hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
            None => problem,
        };
        let at = v.as_str().and_then(|s| Some((s, s.find(written)?)));
        out.push(match at {
            Some((s, byte)) => problem.spot(s, Some(chars(s, byte))),
            None => problem,
        });
    }
}
