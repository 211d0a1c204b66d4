//! Platform manifests: a platform is data (design §4). Parsed once; templates and shapes compiled once.

mod call;
mod check;
mod filters;
mod form;
mod route;
mod shape;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use heliu_model::budget::Limits;
use heliu_model::{Failure, Problem};

pub(crate) use call::{Call, Sign};
pub use check::{schema, skeleton};
pub(crate) use filters::PairList;
pub use form::*;
pub(crate) use route::{Api, Route, fits};
pub(crate) use shape::{Shape, Values};
pub(crate) use template::{CallScope, Template, Templates, to_template};

/// A platform.
#[derive(Debug)]
pub struct Manifest {
    /// As it is written.
    pub form: Form,
    /// Zone of its times.
    pub timezone: chrono_tz::Tz,
    /// Published limits.
    pub limits: Limits,
    /// `[request]`, then the variants in order.
    pub(crate) calls: Vec<Arc<Call>>,
    /// Replies of the same.
    pub(crate) replies: Vec<Arc<ReplyForm>>,
    /// The catalogue.
    pub(crate) apis: Vec<Arc<Api>>,
    pub(crate) token: Option<Token>,
    pub(crate) discover: Option<(Call, BTreeMap<String, String>)>,
    pub(crate) templates: Templates,
}

/// Compiled token calls.
#[derive(Debug)]
pub(crate) struct Token {
    pub form: TokenForm,
    pub renew: Option<Call>,
    pub first: Option<Call>,
}

impl Manifest {
    /// Reads a manifest. `file` names it in failures.
    ///
    /// # Errors
    /// The first of the problems that [`Manifest::read`] finds.
    pub fn parse(source: &str, file: &str) -> Result<Arc<Manifest>, Failure> {
        Manifest::read(source, file).map_err(|problems| {
            let first = problems.into_iter().next();
            first.map_or_else(
                || {
                    Failure::config(
                        "HL-1040",
                        heliu_model::text!("the manifest cannot be used", "清单无法使用"),
                    )
                },
                Failure::from,
            )
        })
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// All problems at once: not TOML, unknown keys with the nearest known ones, templates that cannot be compiled,
    /// names that stand for nothing.
    pub fn read(source: &str, file: &str) -> Result<Arc<Manifest>, Vec<Problem>> {
        let form = check::form(source, file)?;
        let mut problems = Vec::new();
        let timezone = match form.timezone.as_deref() {
            None => chrono_tz::Asia::Shanghai,
            Some(z) => z.parse().unwrap_or_else(|_| {
                problems.push(check::bad(
                    "timezone",
                    &format!("`{z}` is no time zone"),
                    &format!("`{z}` 不是时区"),
                ));
                chrono_tz::Asia::Shanghai
            }),
        };
        let mut templates = Templates::new(timezone);
        let request = Call::compile(&form.request, "request", None, &mut templates);
        let own_sign = request.sign.clone();
        let mut calls = vec![Arc::new(request)];
        let own_reply = Arc::new(form.reply.clone());
        let mut replies = vec![own_reply.clone()];
        for (i, v) in form.variants.iter().enumerate() {
            let place = format!("variants[{i}].request");
            let merged = v.inherit.then(|| v.request.clone().over(&form.request));
            let request = merged.as_ref().unwrap_or(&v.request);
            calls.push(Arc::new(Call::compile(request, &place, own_sign.as_ref(), &mut templates)));
            replies.push(v.reply.clone().map_or_else(|| own_reply.clone(), Arc::new));
        }
        let token = form.token.clone().map(|t| {
            let mut call = |f: &Option<RequestForm>, place: &str| {
                f.as_ref().map(|f| Call::compile(f, place, own_sign.as_ref(), &mut templates))
            };
            Token { renew: call(&t.renew, "token.renew"), first: call(&t.first, "token.first"), form: t }
        });
        let discover = form.discover.as_ref().map(|d| {
            let call = Call::compile(&d.request, "discover.request", own_sign.as_ref(), &mut templates);
            (call, d.addresses.clone())
        });
        let apis = form
            .apis
            .iter()
            .enumerate()
            .map(|(i, a)| Arc::new(Api::compile(a, &format!("apis[{i}]"), &mut templates)))
            .collect();
        let limits = Limits {
            requests_per_second: form.limits.requests_per_second,
            requests_per_minute: form.limits.requests_per_minute,
            concurrency: form.limits.concurrency,
        };
        let m = Manifest { form, timezone, limits, calls, replies, apis, token, discover, templates };
        check::names(&m, &mut problems);
        if problems.is_empty() {
            return Ok(Arc::new(m));
        }
        for p in &mut problems {
            p.file = file.to_owned();
        }
        Err(problems)
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.form.name
    }

    /// What stands before method names when they are written as paths.
    pub(crate) fn method_prefix(&self) -> &str {
        &self.form.methods.prefix
    }

    /// True when `name` is the platform's name or an alias.
    pub fn answers_to(&self, name: &str) -> bool {
        let f = &self.form;
        f.name.eq_ignore_ascii_case(name) || f.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    }
}
