//! Shapes: values of manifests in which `"$name.path"` stands for a value, the key `"..."` for the members of one, and
//! texts with `{{ … }}` are templates. What they make is data, so that nothing can be injected through it.

use std::sync::Arc;

use heliu_transform::{Map, Number, Path, Value};

use super::template::{CallScope, Template, Templates};

/// A compiled shape.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Value(Value),
    Ref(Source, Path),
    /// A template, and whether it speaks of the parameters as a whole.
    Text(Template, bool),
    List(Vec<Shape>),
    /// Members in order; `None` is the key `"..."`.
    Object(Vec<(Option<String>, Shape)>),
}

/// What a reference leads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Params,
    Request,
    Other,
    Rows,
}

/// Values of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub params: &'a Value,
    pub request: &'a Value,
    pub other: &'a Value,
    /// Requests of the records of one write.
    pub rows: &'a [Value],
}

impl Shape {
    /// Compiles a value that stands at `place`.
    pub fn compile(v: &toml::Value, place: &str, templates: &mut Templates) -> Shape {
        match v {
            toml::Value::String(s) => Self::text(s, place, templates),
            toml::Value::Integer(n) => Shape::Value(Value::from(*n)),
            toml::Value::Float(f) => {
                Shape::Value(Number::from_text(&f.to_string()).map_or(Value::Null, Value::Number))
            }
            toml::Value::Boolean(b) => Shape::Value(Value::from(*b)),
            toml::Value::Datetime(d) => Shape::Value(Value::from(d.to_string())),
            toml::Value::Array(a) => Shape::List(
                a.iter()
                    .enumerate()
                    .map(|(i, v)| Self::compile(v, &format!("{place}[{i}]"), templates))
                    .collect(),
            ),
            toml::Value::Table(t) => Self::table(t, place, templates),
        }
    }

    /// As [`Shape::compile`], for a table.
    pub fn table(t: &toml::Table, place: &str, templates: &mut Templates) -> Shape {
        Shape::Object(
            t.iter()
                .map(|(k, v)| {
                    let shape = Self::compile(v, &format!("{place}.{k}"), templates);
                    ((k != "...").then(|| k.clone()), shape)
                })
                .collect(),
        )
    }

    fn text(s: &str, place: &str, templates: &mut Templates) -> Shape {
        if let Some(rest) = s.strip_prefix("$$") {
            return Shape::Value(Value::from(format!("${rest}")));
        }
        if let Some(name) = s.strip_prefix('$') {
            let (head, path) = name.split_once('.').unwrap_or((name, ""));
            let source = match head {
                "params" => Some(Source::Params),
                "request" => Some(Source::Request),
                "other" => Some(Source::Other),
                "rows" => Some(Source::Rows),
                _ => None,
            };
            if let Some(source) = source {
                return Shape::Ref(source, Path::new(path));
            }
            let near = heliu_transform::nearest(head, ["params", "request", "other", "rows"]);
            let hint = near.map_or(String::new(), |n| format!("; did you mean `${n}`?"));
            templates.problems.push((
                place.to_owned(),
                format!("`${head}` stands for nothing{hint} (write `$$` for a dollar sign)"),
            ));
        }
        match templates.compile(place, s) {
            Template::Text(t) => Shape::Value(Value::from(t.as_ref())),
            other => Shape::Text(other, s.contains("params")),
        }
    }

    /// True when it has room for several records: their list, or the parameters as a whole.
    pub fn holds_many(&self) -> bool {
        match self {
            Shape::Value(_) => false,
            Shape::Ref(source, path) => match source {
                Source::Rows => true,
                Source::Params => path.as_str().is_empty(),
                Source::Request | Source::Other => false,
            },
            Shape::Text(_, params) => *params,
            Shape::List(list) => list.iter().any(Shape::holds_many),
            // A list has no members that could come along with `"..."`.
            Shape::Object(members) => {
                members.iter().any(|(k, s)| s.holds_many() && !(k.is_none() && matches!(s, Shape::Ref(..))))
            }
        }
    }

    /// The value of a call. What a reference does not find is left out of objects and lists.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn make(
        &self,
        values: &Values<'_>,
        templates: &Templates,
        scope: &Arc<CallScope>,
    ) -> Result<Value, String> {
        Ok(self.maybe(values, templates, scope)?.unwrap_or(Value::Null))
    }

    fn maybe(
        &self,
        values: &Values<'_>,
        templates: &Templates,
        scope: &Arc<CallScope>,
    ) -> Result<Option<Value>, String> {
        Ok(match self {
            Shape::Value(v) => Some(v.clone()),
            Shape::Text(t, _) => Some(Value::from(templates.render(t, scope)?)),
            Shape::Ref(source, path) => {
                let root = match source {
                    Source::Params => values.params.clone(),
                    Source::Request => values.request.clone(),
                    Source::Other => values.other.clone(),
                    Source::Rows => Value::Array(values.rows.to_vec()),
                };
                if path.as_str().is_empty() { Some(root) } else { path.get(&root).filter(|v| !v.is_null()) }
            }
            Shape::List(list) => {
                let mut out = Vec::with_capacity(list.len());
                for shape in list {
                    out.extend(shape.maybe(values, templates, scope)?);
                }
                Some(Value::Array(out))
            }
            Shape::Object(members) => {
                // What is named wins over what comes along with `"..."`.
                let named: Vec<&str> = members.iter().filter_map(|(k, _)| k.as_deref()).collect();
                let mut out = Map::new();
                for (key, shape) in members {
                    let Some(value) = shape.maybe(values, templates, scope)? else { continue };
                    match (key, value) {
                        (Some(key), value) => out.insert(key.clone(), value),
                        (None, Value::Object(map)) => {
                            for (k, v) in map {
                                if !named.contains(&k.as_str()) {
                                    out.insert(k, v);
                                }
                            }
                        }
                        (None, _) => {}
                    }
                }
                Some(Value::Object(out))
            }
        })
    }
}
