//! Reading expressions: words, references with their pipes, and what a `_function` binds.

use super::{Bind, EvalError, Part, Reference, SqlFn};
use crate::braces::Quotes;
use crate::context::Builtin;
use crate::function::{Function, Piece};
use crate::lookup::{Find, Mongo};
use crate::path::Path;
use crate::pipes::Pipe;
use crate::text;
use crate::value::Near;

/// `{path}` as the whole trimmed text: a path has no quotes, colons or blanks around names.
pub(super) fn single_brace(s: &str) -> Option<&str> {
    let inner = s.trim().strip_prefix('{')?.strip_suffix('}')?;
    let fine = !inner.is_empty()
        && inner.trim() == inner
        && !inner.contains(['{', '}', '"', '\'', ':', '|', ',', '\n'])
        && inner.split('.').all(|seg| !seg.is_empty() && seg.trim() == seg);
    fine.then_some(inner)
}

pub(crate) fn reference(path: &str, pipes: Vec<Pipe>) -> Reference {
    let path = Path::new(path);
    let builtin = Builtin::of(path.as_str());
    let near = if builtin.is_none() { Builtin::near(path.as_str()) } else { None };
    Reference { path, builtin, pipes, near, place: Near::default() }
}

/// Cuts a text into words and references.
pub(crate) fn template(s: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut words = String::new();
    let mut rest = s;
    while let Some(open) = rest.find("{{") {
        let (before, inside) = rest.split_at(open);
        match read_reference(inside) {
            Some((r, used)) => {
                words.push_str(before);
                if !words.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut words)));
                }
                parts.push(Part::Ref(r));
                rest = inside.get(used..).unwrap_or("");
            }
            None => {
                // Not a reference: the brace is text, what follows may be one.
                words.push_str(before);
                words.push('{');
                rest = inside.get(1..).unwrap_or("");
            }
        }
    }
    words.push_str(rest);
    if !words.is_empty() {
        parts.push(Part::Text(words));
    }
    parts
}

/// Longest reference, in bytes, pipes and all.
pub(crate) const MAX_REFERENCE: usize = 4096;

/// Reads `{{ path | pipe }}` at the beginning of `s`; the reference and its length in bytes.
pub(crate) fn read_reference(s: &str) -> Option<(Reference, usize)> {
    // A reference ends soon: a text with thousands of openings is not read to its end for each.
    let s = (0..4).find_map(|back| s.get(..MAX_REFERENCE - back)).unwrap_or(s);
    let body = s.strip_prefix("{{")?;
    let end_of_path = body.find(['{', '}', '|'])?;
    let path = body.get(..end_of_path)?.trim();
    if path.is_empty() || path.split('.').any(|seg| seg.trim().is_empty()) {
        return None;
    }
    let mut at = end_of_path;
    let mut pipes = Vec::new();
    loop {
        let tail = body.get(at..)?;
        if tail.starts_with("}}") {
            return Some((reference(path, pipes), at + 4));
        }
        let after = tail.strip_prefix('|')?;
        let (pipe, used) = read_pipe(after)?;
        pipes.push(pipe);
        at += 1 + used;
    }
}

/// Reads `name`, `name('a','b')` or `name:"x"` up to the next `|` or `}}`.
fn read_pipe(s: &str) -> Option<(Pipe, usize)> {
    let lead = s.len() - s.trim_start().len();
    let t = s.trim_start();
    let name_len = t.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(t.len());
    let name = t.get(..name_len)?;
    if name.is_empty() {
        return None;
    }
    let mut at = lead + name_len;
    let mut args = Vec::new();
    let tail = s.get(at..)?;
    if let Some(list) = tail.strip_prefix('(') {
        let (found, used) = read_args(list)?;
        args = found;
        at += 1 + used;
    } else if let Some(arg) = tail.strip_prefix(':') {
        let quoted = arg.trim_start();
        let (value, used) = match quoted.chars().next() {
            Some(q @ ('"' | '\'')) => {
                let inner = quoted.get(1..)?;
                let end = inner.find(q)?;
                (inner.get(..end)?.to_owned(), arg.len() - quoted.len() + end + 2)
            }
            _ => {
                let end = arg.find(['|', '}'])?;
                (arg.get(..end)?.trim().to_owned(), end)
            }
        };
        args.push(value);
        at += 1 + used;
    }
    let blank = s.get(at..)?;
    at += blank.len() - blank.trim_start().len();
    Some((Pipe::new(name, &args), at))
}

fn read_args(s: &str) -> Option<(Vec<String>, usize)> {
    let mut args = Vec::new();
    let mut at = 0;
    loop {
        let tail = s.get(at..)?;
        let t = tail.trim_start();
        at += tail.len() - t.len();
        match t.chars().next()? {
            ')' => return Some((args, at + 1)),
            ',' => at += 1,
            q @ ('"' | '\'') => {
                let inner = t.get(1..)?;
                let end = inner.find(q)?;
                args.push(inner.get(..end)?.to_owned());
                at += end + 2;
            }
            _ => {
                let end = t.find([',', ')'])?;
                args.push(t.get(..end)?.trim().to_owned());
                at += end;
            }
        }
    }
}

/// Longest `_function`, in bytes; in characters its own grammar allows a quarter of it.
const MAX_FUNCTION: usize = 256 * 1024;

/// `_function`: references and nested lookups become pieces, the rest is SQL.
pub(super) fn compile_function(source: &str, body: &str) -> SqlFn {
    if body.len() > MAX_FUNCTION {
        let compiled = Err(EvalError::new("HL-2301", text!("the expression is too long", "表达式过长")));
        return SqlFn { source: source.to_owned(), compiled, binds: Vec::new() };
    }
    let mut pieces: Vec<(usize, Piece)> = Vec::new();
    // Characters of the source that lie behind, and where the piece under way began.
    let mut at = source.chars().count() - body.chars().count();
    let mut begin = at;
    let mut binds: Vec<Bind> = Vec::new();
    let mut sql = String::new();
    let mut rest = body;
    let mut add =
        |bind: Bind, begin: usize, here: usize, sql: &mut String, pieces: &mut Vec<(usize, Piece)>| {
            if !sql.is_empty() {
                pieces.push((begin, Piece::Sql(std::mem::take(sql))));
            }
            pieces.push((here, Piece::Ref(binds.len())));
            binds.push(bind);
        };
    let mut quotes = Quotes::default();
    while let Some(c) = rest.chars().next() {
        if c == '{'
            && let Some((r, used)) = read_reference(rest).or_else(|| quotes.single(rest))
        {
            add(Bind::Ref(r), begin, at, &mut sql, &mut pieces);
            at += rest.get(..used).map_or(0, |u| u.chars().count());
            rest = rest.get(used..).unwrap_or("");
            begin = at;
            continue;
        }
        if c == '_'
            && let Some((bind, used)) = nested_lookup(rest)
        {
            add(bind, begin, at, &mut sql, &mut pieces);
            at += rest.get(..used).map_or(0, |u| u.chars().count());
            rest = rest.get(used..).unwrap_or("");
            begin = at;
            continue;
        }
        quotes.pass(c);
        sql.push(c);
        at += 1;
        rest = rest.get(c.len_utf8()..).unwrap_or("");
    }
    if !sql.is_empty() {
        pieces.push((begin, Piece::Sql(sql)));
    }
    let compiled = Function::compile(&pieces).map_err(|e| EvalError {
        code: e.code.into(),
        message: e.message,
        position: e.position,
    });
    SqlFn { source: source.to_owned(), compiled, binds }
}

/// A lookup nested in SQL: to its `_endFind`, or leniently to the first `,` or `)` at depth 0 (rule L11).
fn nested_lookup(s: &str) -> Option<(Bind, usize)> {
    let find = s.strip_prefix("_findCollection ");
    let mongo = s.strip_prefix("_mongoQuery ");
    let body = find.or(mongo)?;
    let head = s.len() - body.len();
    let end_mark = body.find("_endFind");
    let (inner, used) = match end_mark {
        Some(end) => (body.get(..end)?, head + end + "_endFind".len()),
        None => {
            let end = lenient_end(body);
            (body.get(..end)?, head + end)
        }
    };
    let inner = inner.trim_end();
    let bind = if find.is_some() {
        Bind::Find(Find::compile(s.get(..used)?, inner))
    } else {
        Bind::Mongo(Mongo::compile(s.get(..used)?, inner))
    };
    Some((bind, used))
}

pub(super) fn lenient_end(s: &str) -> usize {
    let mut depth = 0i32;
    let mut quote = None;
    for (i, c) in s.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '{' | '[') => depth += 1,
            (None, ')' | ',') if depth == 0 => return i,
            (None, ')' | '}' | ']') => depth -= 1,
            _ => {}
        }
    }
    s.len()
}
