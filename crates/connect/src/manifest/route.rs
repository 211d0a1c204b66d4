//! Which of a manifest's rules an interface and an account take.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::form::{ApiForm, PagingForm, ReplyForm, RowsForm};
use super::shape::Shape;
use super::template::{Template, Templates};
use super::{Call, Manifest};

/// A compiled entry of the catalogue.
#[derive(Debug)]
pub(crate) struct Api {
    pub form: ApiForm,
    pub url: Option<Template>,
    pub body: Option<Shape>,
    pub defaults: Vec<(String, Shape)>,
    pub look_up: Option<Shape>,
    /// Patterns of `batch.rows`, `batch.written`, `batch.failed`.
    pub patterns: [Option<Regex>; 3],
}

impl Api {
    pub fn compile(form: &ApiForm, place: &str, templates: &mut Templates) -> Api {
        let mut pattern = |rows: Option<&RowsForm>, what: &str| -> Option<Regex> {
            let source = rows?.pattern.as_deref()?;
            Regex::new(source)
                .map_err(|e| {
                    templates.problems.push((format!("{place}.batch.{what}.pattern"), e.to_string()))
                })
                .ok()
        };
        let batch = form.batch.as_ref();
        let patterns = [
            pattern(batch.and_then(|b| b.rows.as_ref()), "rows"),
            pattern(batch.and_then(|b| b.written.as_ref()), "written"),
            pattern(batch.and_then(|b| b.failed.as_ref()), "failed"),
        ];
        let defaults = form
            .defaults
            .iter()
            .map(|(k, v)| (k.clone(), Shape::compile(v, &format!("{place}.defaults.{k}"), templates)))
            .collect();
        Api {
            url: form.url.as_ref().map(|t| templates.compile(&format!("{place}.url"), t)),
            body: form.body.as_ref().map(|b| Shape::compile(b, &format!("{place}.body"), templates)),
            look_up: form
                .look_up
                .as_ref()
                .map(|l| Shape::table(&l.params, &format!("{place}.look_up.params"), templates)),
            defaults,
            patterns,
            form: form.clone(),
        }
    }
}

/// The rules of one interface on one account.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Name or path of the interface.
    pub path: String,
    pub api: Option<Arc<Api>>,
    pub call: Arc<Call>,
    pub reply: Arc<ReplyForm>,
    pub paging: PagingForm,
    /// Address of the variant, where the connector gives none.
    pub base_url: Option<String>,
}

/// True when an account's credentials have these values.
pub(crate) fn fits(when: &BTreeMap<String, String>, credentials: &BTreeMap<String, String>) -> bool {
    when.iter().all(|(name, wanted)| {
        let given = credentials.get(name).map_or("", String::as_str);
        if wanted == "*" { !given.is_empty() } else { given == wanted }
    })
}

/// True when `path` is `pattern` with its placeholders filled in.
fn fills(pattern: &str, path: &str) -> bool {
    let (a, b) = (pattern.split('/'), path.split('/'));
    a.clone().count() == b.clone().count()
        && a.zip(b).all(|(p, s)| p == s || (p.starts_with('{') && p.ends_with('}') && !s.is_empty()))
}

impl Manifest {
    /// The path of an interface name, and its entry in the catalogue.
    pub fn api(&self, name: &str) -> (String, Option<&ApiForm>) {
        let (path, api) = self.find_api(name);
        (path, api.map(|a| &a.form))
    }

    fn find_api(&self, name: &str) -> (String, Option<&Arc<Api>>) {
        let prefix = &self.form.methods.prefix;
        let path = if name.starts_with('/') {
            name.to_owned()
        } else if name.contains('/') && !name.contains("://") {
            // Published documents leave the first slash out.
            format!("/{name}")
        } else if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}{}", name.replace('.', "/"))
        };
        let entry = self.apis.iter().find(|a| {
            let f = &a.form;
            f.path == path
                || f.path == name
                || f.aliases.iter().any(|x| x.eq_ignore_ascii_case(name) || *x == path)
        });
        match entry {
            Some(e) => (e.form.path.clone(), Some(e)),
            // A path whose placeholders were filled in by hand.
            None => {
                let entry =
                    self.apis.iter().find(|a| a.form.path.contains('{') && fills(&a.form.path, &path));
                (path, entry)
            }
        }
    }

    /// The rules of an interface on an account with these credentials.
    pub(crate) fn route(&self, name: &str, credentials: &BTreeMap<String, String>) -> Route {
        let (path, api) = self.find_api(name);
        let named = api.and_then(|a| a.form.variant.as_deref());
        let at = self.form.variants.iter().position(|v| match named {
            Some(n) => v.name == n,
            None => {
                (!v.when.is_empty() || !v.paths.is_empty())
                    && fits(&v.when, credentials)
                    && (v.paths.is_empty()
                        || v.paths.iter().any(|p| path.starts_with(p.as_str()) || fills(p, &path)))
            }
        });
        let variant = at.and_then(|i| self.form.variants.get(i));
        let index = at.map_or(0, |i| i + 1);
        let paging = api
            .and_then(|a| a.form.paging.clone())
            .or_else(|| variant.and_then(|v| v.paging.clone()))
            .unwrap_or_else(|| self.form.paging.clone());
        let pick = |list: &[Arc<Call>]| list.get(index).or(list.first()).cloned();
        Route {
            call: pick(&self.calls).unwrap_or_else(|| {
                Arc::new(Call::compile(
                    &super::RequestForm::default(),
                    "request",
                    None,
                    &mut Templates::new(self.timezone),
                ))
            }),
            reply: self.replies.get(index).or(self.replies.first()).cloned().unwrap_or_default(),
            paging,
            base_url: variant.and_then(|v| v.base_url.clone()),
            api: api.cloned(),
            path,
        }
    }
}
