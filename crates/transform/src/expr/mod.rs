//! Value expressions: the grammar of dialect §3.1, compiled once, evaluated without parsing again.
//!
//! Data is never parsed as an expression (rule G10).

mod read;

use std::borrow::Cow;

pub(crate) use self::read::{MAX_REFERENCE, read_reference, reference, template};
use self::read::{compile_function, single_brace};
use crate::context::{Builtin, Context, Scope};
use crate::function::{FnEnv, Function};
use crate::lookup::{Find, Mongo};
use crate::path::Path;
use crate::pipes::Pipe;
use crate::value::Near;
use crate::{Problem, Str, Text, Value, text};

/// Why a value cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalError {
    /// Stable code, `HL-2nnn`.
    pub code: String,
    /// The sentence.
    pub message: Text,
    /// Character position in the expression, where it is known.
    pub position: Option<usize>,
}

impl EvalError {
    pub(crate) fn new(code: &str, message: Text) -> Self {
        EvalError { code: code.into(), message, position: None }
    }
}

/// A reference `{{path|pipe}}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub path: Path,
    pub builtin: Option<(Builtin, bool)>,
    pub pipes: Vec<Pipe>,
    /// The built-in variable that a name in capitals nearly is.
    pub near: Option<&'static str>,
    /// Where its member stood the last time.
    pub place: Near,
}

impl Reference {
    pub(crate) fn value(&self, ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> Value {
        let found = match self.builtin {
            Some((_, false)) => None,
            _ => scope.find_near(&self.path, &self.place).map(Cow::into_owned),
        };
        self.pipe(found, ctx, warnings)
    }

    /// As [`Reference::value`], borrowed from the record if it can be.
    pub(crate) fn bound<'a>(
        &self,
        ctx: &Context,
        scope: &Scope<'a>,
        warnings: &mut Vec<Text>,
    ) -> Cow<'a, Value> {
        match self.builtin {
            Some((_, false)) => {}
            _ if self.pipes.is_empty() => {
                if let Some(v) = scope.find_near(&self.path, &self.place) {
                    return v;
                }
            }
            _ => {}
        }
        Cow::Owned(self.value(ctx, scope, warnings))
    }

    /// The value once the field was looked for: the built-in where there is none, then the pipes.
    pub(crate) fn pipe(&self, found: Option<Value>, ctx: &Context, warnings: &mut Vec<Text>) -> Value {
        let base = match (found, self.builtin) {
            (Some(v), _) => v,
            (None, Some((b, _))) => b.value(ctx),
            (None, None) => {
                warnings.extend(self.suspicious());
                Value::Null
            }
        };
        self.pipes.iter().fold(base, |v, pipe| pipe.apply(v, ctx.tz, warnings))
    }

    /// A name that is nearly a built-in's (rule G11).
    fn suspicious(&self) -> Option<Text> {
        let near = self.near?;
        let name = self.path.as_str();
        Some(text!(
            "`{name}` is neither a variable nor a field of the record; did you mean `{near}`?",
            "`{name}` 既不是内置变量,也不是数据中的字段;是否为 `{near}`?"
        ))
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Ref(Reference),
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Const(Value),
    Whole(Reference),
    Template(Vec<Part>),
    Function(Box<SqlFn>),
    Find(Box<Find>),
    Mongo(Box<Mongo>),
    List(Vec<Expr>),
    Object(Vec<(String, Expr)>),
}

/// `_function` with what its pieces stand for.
#[derive(Debug, Clone)]
pub(crate) struct SqlFn {
    source: String,
    compiled: Result<Function, EvalError>,
    binds: Vec<Bind>,
}

/// What a reference inside `_function` is bound to.
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    Ref(Reference),
    Find(Find),
    Mongo(Mongo),
}

/// A compiled value expression.
#[derive(Debug, Clone)]
pub struct Expr(pub(crate) Kind);

impl Expr {
    /// The member of the record that the expression is, word for word, if it is one that is there and not null.
    pub(crate) fn member<'a>(&self, record: &'a Value) -> Option<&'a Value> {
        let (Kind::Whole(r), Value::Object(map)) = (&self.0, record) else { return None };
        let [name] = r.path.segs() else { return None };
        if !r.pipes.is_empty() || matches!(r.builtin, Some((_, false))) {
            return None;
        }
        map.get_near(name, &r.place).filter(|v| !v.is_null())
    }

    /// Compiles a JSON value of the dialect. Never fails: what cannot be evaluated says so when it is, and
    /// [`Expr::problems`] tells beforehand.
    pub fn compile(value: &Value) -> Expr {
        Expr(match value {
            Value::String(s) => Self::compile_text(s),
            Value::Array(items) => Kind::List(items.iter().map(Expr::compile).collect()),
            Value::Object(map) => {
                Kind::Object(map.iter().map(|(k, v)| (k.to_owned(), Expr::compile(v))).collect())
            }
            other => Kind::Const(other.clone()),
        })
    }

    fn compile_text(s: &str) -> Kind {
        if let Some(rest) = s.strip_prefix("_function") {
            return Kind::Function(Box::new(compile_function(s, rest)));
        }
        if let Some(rest) = s.strip_prefix("_findCollection ") {
            return Kind::Find(Box::new(Find::compile(s, rest)));
        }
        if let Some(rest) = s.strip_prefix("_mongoQuery ") {
            return Kind::Mongo(Box::new(Mongo::compile(s, rest)));
        }
        if let Some(path) = single_brace(s) {
            return Kind::Whole(reference(path, Vec::new()));
        }
        let parts = template(s);
        match parts.as_slice() {
            [] => Kind::Const(Value::String(Str::default())),
            [Part::Text(t)] => Kind::Const(Value::from(t.as_str())),
            [Part::Ref(r)] => Kind::Whole(r.clone()),
            _ => Kind::Template(parts),
        }
    }

    /// True when the value does not depend on anything.
    pub fn is_const(&self) -> bool {
        matches!(self.0, Kind::Const(_))
    }

    /// Findings about the expression: unknown pipes and functions, lookups that cannot be read.
    pub fn problems(&self, path: &str) -> Vec<Problem> {
        let mut out = Vec::new();
        self.collect(path, &mut out);
        out
    }

    fn collect(&self, path: &str, out: &mut Vec<Problem>) {
        let pipes = |r: &Reference, out: &mut Vec<Problem>| {
            out.extend(r.pipes.iter().filter_map(|p| p.problem(path)));
            out.extend(r.suspicious().map(|t| Problem::warning("HL-2101", path, t)));
        };
        match &self.0 {
            Kind::Const(_) => {}
            Kind::Whole(r) => pipes(r, out),
            Kind::Template(parts) => {
                for p in parts {
                    if let Part::Ref(r) = p {
                        pipes(r, out);
                    }
                }
            }
            Kind::Function(f) => {
                if let Err(e) = &f.compiled {
                    out.push(Problem::error(&e.code, path, e.message.clone()).spot(&f.source, e.position));
                }
                for b in &f.binds {
                    match b {
                        Bind::Ref(r) => pipes(r, out),
                        Bind::Find(l) => out.extend(l.problem(path)),
                        Bind::Mongo(l) => out.extend(l.problem(path)),
                    }
                }
            }
            Kind::Find(l) => out.extend(l.problem(path)),
            Kind::Mongo(l) => out.extend(l.problem(path)),
            Kind::List(items) => items.iter().for_each(|i| i.collect(path, out)),
            Kind::Object(members) => members.iter().for_each(|(_, e)| e.collect(path, out)),
        }
    }

    /// Dotted paths of the record that the expression reads, for lints and partial parsing.
    pub fn paths(&self) -> Vec<&Path> {
        let mut out = Vec::new();
        self.gather(&mut out);
        out
    }

    fn gather<'a>(&'a self, out: &mut Vec<&'a Path>) {
        fn push<'a>(r: &'a Reference, out: &mut Vec<&'a Path>) {
            if !matches!(r.builtin, Some((_, false))) {
                out.push(&r.path);
            }
        }
        match &self.0 {
            Kind::Const(_) => {}
            Kind::Whole(r) => push(r, out),
            Kind::Template(parts) => {
                for p in parts {
                    if let Part::Ref(r) = p {
                        push(r, out);
                    }
                }
            }
            Kind::Function(f) => {
                for b in &f.binds {
                    match b {
                        Bind::Ref(r) => push(r, out),
                        Bind::Find(l) => l.references(&mut |r| push(r, out)),
                        Bind::Mongo(l) => l.references(&mut |r| push(r, out)),
                    }
                }
            }
            Kind::Find(l) => l.references(&mut |r| push(r, out)),
            Kind::Mongo(l) => l.references(&mut |r| push(r, out)),
            Kind::List(items) => items.iter().for_each(|i| i.gather(out)),
            Kind::Object(members) => members.iter().for_each(|(_, e)| e.gather(out)),
        }
    }

    /// Evaluates.
    ///
    /// # Errors
    /// A `_function` or lookup that cannot be evaluated while `ctx.strict`.
    pub fn eval(&self, ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> Result<Value, EvalError> {
        Ok(match &self.0 {
            Kind::Const(v) => v.clone(),
            Kind::Whole(r) => r.value(ctx, scope, warnings),
            Kind::Template(parts) => Value::from(fill(parts, ctx, scope, warnings)),
            Kind::Function(f) => return f.eval(ctx, scope, warnings),
            Kind::Find(l) => return lenient(l.eval(ctx, scope, warnings), l.source(), ctx, warnings),
            Kind::Mongo(l) => return lenient(l.eval(ctx, scope, warnings), l.source(), ctx, warnings),
            Kind::List(items) => {
                Value::Array(items.iter().map(|e| e.eval(ctx, scope, warnings)).collect::<Result<_, _>>()?)
            }
            Kind::Object(members) => {
                let mut map = crate::Map::new();
                for (k, e) in members {
                    map.insert(k.clone(), e.eval(ctx, scope, warnings)?);
                }
                Value::Object(map)
            }
        })
    }
}

/// Outside of strict evaluation the configured text stays, with a warning (rule Fn5).
fn lenient(
    result: Result<Value, EvalError>,
    source: &str,
    ctx: &Context,
    warnings: &mut Vec<Text>,
) -> Result<Value, EvalError> {
    match result {
        Err(e) if !ctx.strict => {
            warnings.push(e.message);
            Ok(Value::from(source))
        }
        other => other,
    }
}

/// Fills a template's references in as text (rule G4).
pub(crate) fn fill(parts: &[Part], ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> String {
    let mut out = String::new();
    for p in parts {
        match p {
            Part::Text(t) => out.push_str(t),
            Part::Ref(r) => out.push_str(&r.value(ctx, scope, warnings).in_text()),
        }
    }
    out
}

impl SqlFn {
    /// As it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The compiled expression, and what its references are bound to.
    pub(crate) fn function(&self) -> Result<&Function, &EvalError> {
        self.compiled.as_ref()
    }

    pub(crate) fn binds(&self) -> &[Bind] {
        &self.binds
    }

    fn eval(&self, ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> Result<Value, EvalError> {
        let result = self.strict(ctx, scope, warnings);
        lenient(result, &self.source, ctx, warnings)
    }

    fn strict(&self, ctx: &Context, scope: &Scope, warnings: &mut Vec<Text>) -> Result<Value, EvalError> {
        let function = self.compiled.as_ref().map_err(Clone::clone)?;
        let env = FnEnv::new(ctx.current, ctx.tz);
        let mut failed = None;
        let mut bind = |n: usize, whole: bool| match self.binds.get(n) {
            Some(Bind::Ref(r)) if whole && r.builtin.is_none() && r.pipes.is_empty() => {
                scope.find_all(&r.path).unwrap_or(Cow::Owned(Value::Null))
            }
            Some(Bind::Ref(r)) => r.bound(ctx, scope, warnings),
            // Nothing found binds NULL (rule L12).
            Some(Bind::Find(l)) => nothing_is_null(l.eval(ctx, scope, warnings), &mut failed),
            Some(Bind::Mongo(l)) => nothing_is_null(l.eval(ctx, scope, warnings), &mut failed),
            None => Cow::Owned(Value::Null),
        };
        let result = function.eval(&env, &mut bind);
        if let Some(e) = failed {
            return Err(e);
        }
        result.map_err(|e| EvalError { code: e.code.into(), message: e.message, position: e.position })
    }
}

fn nothing_is_null<'a>(result: Result<Value, EvalError>, failed: &mut Option<EvalError>) -> Cow<'a, Value> {
    Cow::Owned(match result {
        Ok(Value::String(s)) if s.is_empty() => Value::Null,
        Ok(v) => v,
        Err(e) => {
            failed.get_or_insert(e);
            Value::Null
        }
    })
}

/// A sentence for lookups without a store.
pub(crate) fn no_store() -> Text {
    text!(
        "lookups need the records of other plans, and none are at hand here",
        "联查需要其他方案的数据,而此处没有可用的数据"
    )
}
