//! A compiled way to put calls on the wire.

use std::collections::BTreeMap;

use super::form::{Charset, Encoding, RequestForm, SignForm, SignPlace, SignRule};
use super::shape::Shape;
use super::template::{Template, Templates};

/// `[request]`, a variant's, or a token call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub method: Option<String>,
    pub address: Option<Template>,
    pub path: Option<Template>,
    pub query: Vec<(Template, Template)>,
    pub headers: Vec<(Template, Template)>,
    pub encoding: Encoding,
    pub fields: Vec<(Template, Template)>,
    pub spread: bool,
    pub body: Option<Shape>,
    pub root: String,
    pub charset: Charset,
    pub sign: Option<Sign>,
    pub token: bool,
    /// Some text needs the JSON text of the parameters.
    pub wants_params: bool,
    /// Some text needs `request` or `other`.
    pub wants_values: bool,
}

/// A compiled signature rule.
#[derive(Debug, Clone)]
pub(crate) struct Sign {
    pub field: String,
    pub place: SignPlace,
    pub by: Option<String>,
    pub template: Option<Template>,
    pub methods: BTreeMap<String, Template>,
}

impl Call {
    /// Compiles a form that stands at `place`. `own`: the rule that `sign = "request"` means.
    pub fn compile(form: &RequestForm, place: &str, own: Option<&Sign>, templates: &mut Templates) -> Call {
        let mut texts: Vec<&str> = Vec::new();
        let pairs = |list: &[(String, String)], what: &str, templates: &mut Templates| {
            list.iter()
                .enumerate()
                .map(|(i, (k, v))| {
                    let name = templates.compile(&format!("{place}.{what}[{i}].name"), k);
                    (name, templates.compile(&format!("{place}.{what}.{k}"), v))
                })
                .collect::<Vec<_>>()
        };
        let query = pairs(&form.query, "query", templates);
        let headers = pairs(&form.headers, "headers", templates);
        let fields = pairs(&form.fields, "fields", templates);
        for (_, v) in form.query.iter().chain(&form.headers).chain(&form.fields) {
            texts.push(v);
        }
        for t in [&form.address, &form.path] {
            texts.extend(t.as_deref());
        }
        let sign = match &form.sign {
            Some(SignRule::Own(s)) => Some(Sign::compile(s, &format!("{place}.sign"), templates)),
            Some(SignRule::Same(_)) => own.cloned(),
            None => None,
        };
        let mut one = |t: &Option<String>, what: &str| {
            t.as_ref().map(|t| templates.compile(&format!("{place}.{what}"), t))
        };
        let address = one(&form.address, "address");
        let path = one(&form.path, "path");
        let body = form.body.as_ref().map(|b| Shape::compile(b, &format!("{place}.body"), templates));
        let body_text = form.body.as_ref().map(ToString::to_string).unwrap_or_default();
        let uses = |name: &str| texts.iter().any(|t| t.contains(name)) || body_text.contains(name);
        Call {
            method: form.method.clone(),
            address,
            path,
            query,
            headers,
            encoding: form.encoding,
            fields,
            spread: form.spread,
            body,
            root: form.root.clone().unwrap_or_else(|| "request".into()),
            charset: form.charset,
            sign,
            token: form.token,
            wants_params: uses("params"),
            wants_values: uses("request.") || uses("other."),
        }
    }
}

impl Sign {
    fn compile(form: &SignForm, place: &str, templates: &mut Templates) -> Sign {
        let methods = form
            .methods
            .iter()
            .map(|(k, t)| (k.clone(), templates.compile(&format!("{place}.methods.{k}"), t)))
            .collect();
        Sign {
            field: form.field.clone(),
            place: form.place,
            by: form.by.clone(),
            template: form.template.as_ref().map(|t| templates.compile(&format!("{place}.template"), t)),
            methods,
        }
    }
}
