//! Texts of manifests: plain, a credential, or a template; compiled once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use minijinja::Environment;
use minijinja::value::{Object, Value};

use super::filters;

/// A compiled text.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// As it is.
    Text(Box<str>),
    /// `{{ credentials.name }}` alone.
    Credential(Box<str>),
    /// `{{ token }}` alone.
    Token,
    /// `{{ params }}` alone.
    Params,
    /// Anything else: its name in the environment.
    Expr(Box<str>),
}

/// The templates of a manifest by place.
#[derive(Debug)]
pub(crate) struct Templates {
    env: Environment<'static>,
    /// Names of what templates may use.
    pub uses: Uses,
    /// Problems found while compiling: place and why.
    pub problems: Vec<(String, String)>,
}

/// Which costly values templates name at all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Uses {
    pub uuid: bool,
    pub nonce: bool,
}

const NAMES: &[&str] = &[
    "credentials",
    "token",
    "refresh_token",
    "now",
    "now_ms",
    "nonce",
    "uuid",
    "api",
    "method",
    "path",
    "url",
    "params",
    "request",
    "other",
    "fields",
    "query",
    "body",
    "key",
    "row",
];

impl Templates {
    pub fn new(zone: Tz) -> Templates {
        let mut env = Environment::new();
        env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_keep_trailing_newline(true);
        env.set_recursion_limit(50);
        filters::install(&mut env, zone);
        Templates { env, uses: Uses::default(), problems: Vec::new() }
    }

    /// Compiles a text that stands at `place`.
    pub fn compile(&mut self, place: &str, source: &str) -> Template {
        if !source.contains("{{") && !source.contains("{%") {
            return Template::Text(source.into());
        }
        let simple = source.trim().strip_prefix("{{").and_then(|s| s.strip_suffix("}}")).map(str::trim);
        if let Some(name) = simple {
            let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            match name.strip_prefix("credentials.") {
                Some(c) if word(c) => return Template::Credential(c.into()),
                _ if name == "token" => return Template::Token,
                _ if name == "params" => return Template::Params,
                _ => {}
            }
        }
        match self.env.add_template_owned(place.to_owned(), source.to_owned()) {
            Ok(()) => {
                if let Ok(t) = self.env.get_template(place) {
                    let used = t.undeclared_variables(false);
                    self.uses.uuid |= used.contains("uuid");
                    self.uses.nonce |= used.contains("nonce");
                    for name in used {
                        if !NAMES.contains(&name.as_str())
                            && name != "namespace"
                            && name != "range"
                            && name != "dict"
                        {
                            let near = heliu_transform::nearest(&name, NAMES.iter().copied());
                            let hint = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
                            self.problems
                                .push((place.to_owned(), format!("templates know no `{name}`{hint}")));
                        }
                    }
                }
            }
            Err(e) => self.problems.push((place.to_owned(), format!("{e:#}"))),
        }
        Template::Expr(place.into())
    }

    /// Renders.
    ///
    /// # Errors
    /// Why it cannot be rendered.
    pub fn render(&self, template: &Template, scope: &Arc<CallScope>) -> Result<String, String> {
        match template {
            Template::Text(s) => Ok(s.to_string()),
            Template::Credential(c) => Ok(scope.credential(c)),
            Template::Token => Ok(scope.token.clone()),
            Template::Params => Ok(scope.params.clone()),
            Template::Expr(name) => self
                .env
                .get_template(name)
                .and_then(|t| t.render(Value::from_dyn_object(scope.clone())))
                .map_err(|e| format!("{name}: {e:#}")),
        }
    }
}

/// What the templates of one call see.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallScope {
    /// All credentials of the platform; those that were not given are empty.
    pub credentials: Arc<BTreeMap<String, String>>,
    pub token: String,
    pub refresh_token: String,
    pub now_ms: i64,
    pub nonce: String,
    pub uuid: String,
    pub api: String,
    pub method: String,
    pub url: String,
    pub path: String,
    /// JSON text of the parameters.
    pub params: String,
    /// Evaluated `request` and `otherRequest`.
    pub request: Value,
    pub other: Value,
    pub fields: Option<Value>,
    pub query: Option<Value>,
    pub body: String,
    /// Name of the record key on the wire.
    pub key: String,
    /// A key of this record and version.
    pub row: String,
}

impl CallScope {
    pub fn credential(&self, name: &str) -> String {
        self.credentials.get(name).cloned().unwrap_or_default()
    }
}

#[derive(Debug)]
struct Credentials(Arc<BTreeMap<String, String>>);

impl Object for Credentials {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // One that the connector does not give is empty, so that `{% if credentials.x %}` works.
        Some(Value::from(self.0.get(key.as_str()?).map_or("", String::as_str)))
    }
}

impl Object for CallScope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let s = |t: &str| Some(Value::from(t));
        match key.as_str()? {
            "credentials" => Some(Value::from_object(Credentials(self.credentials.clone()))),
            "token" => s(&self.token),
            "refresh_token" => s(&self.refresh_token),
            "now" => s(&self.now_ms.div_euclid(1000).to_string()),
            "now_ms" => s(&self.now_ms.to_string()),
            "nonce" => s(&self.nonce),
            "uuid" => s(&self.uuid),
            "api" => s(&self.api),
            "method" => s(&self.method),
            "url" => s(&self.url),
            "path" => s(&self.path),
            "params" => s(&self.params),
            "request" => Some(self.request.clone()),
            "other" => Some(self.other.clone()),
            "fields" => self.fields.clone(),
            "query" => self.query.clone(),
            "body" => s(&self.body),
            "key" => s(&self.key),
            "row" => s(&self.row),
            _ => None,
        }
    }
}

/// A dialect value for templates: digits stay as they are (numbers beyond 64 bits and decimals become text).
pub(crate) fn to_template(v: &heliu_transform::Value) -> Value {
    use heliu_transform::Value as V;
    match v {
        V::Null => Value::from(()),
        V::Bool(b) => Value::from(*b),
        V::Number(n) => match n.as_i64() {
            Some(i) => Value::from(i),
            None => Value::from(n.text().as_ref()),
        },
        V::String(s) => Value::from(s.as_str()),
        V::Array(a) => Value::from(a.iter().map(to_template).collect::<Vec<_>>()),
        V::Object(m) => {
            Value::from_object(Members(m.iter().map(|(k, v)| (k.to_owned(), to_template(v))).collect()))
        }
    }
}

/// Members of an object; a missing one is empty text rather than an error, as optional parameters are.
#[derive(Debug)]
struct Members(Vec<(String, Value)>);

impl Object for Members {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        Some(self.0.iter().find(|(k, _)| k == key).map_or_else(|| Value::from(""), |(_, v)| v.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Values(self.0.iter().map(|(k, _)| Value::from(k.as_str())).collect())
    }
}
