//! What an experienced consultant would say about a plan, beyond what each part says about itself.
//!
//! Every finding is defined once in [`heliu_model::codes::lint`]: code, severity, page. Here is how it is found.

mod circle;
mod fields;
mod items;
mod plan;
mod stored;
mod texts;
mod walk;
mod window;

use std::sync::OnceLock;

use heliu_connect::ApiFacts;
use heliu_model::Problem;

use crate::project::Project;
use crate::wire::Loaded;

pub use circle::Feeds;
pub use fields::{Samples, fields};

/// What a plan is held against.
pub struct Known<'a> {
    /// The project's files.
    pub project: &'a Project,
    /// Names of all plans.
    pub plans: &'a [String],
    /// Ids of all plans; asked for only when the plan has lookups.
    pub ids: &'a dyn Fn() -> &'a [String],
    /// How all plans feed each other, once somebody has asked.
    pub feeds: &'a OnceLock<Feeds>,
    /// Names of all value maps.
    pub maps: &'a [String],
    /// What the catalogue says about the source's interface.
    pub source: Option<ApiFacts>,
}

/// Findings about a plan; paths are inside the plan file.
pub fn plan(l: &Loaded, known: &Known) -> Vec<Problem> {
    let mut out = Vec::new();
    plan::plan(l, known, &mut out);
    circle::circle(l, known, &mut out);
    for (side, meta, spec) in
        [("source.metadata", &l.source_meta, &l.source), ("target.metadata", &l.target_meta, &l.target)]
    {
        let mut found = Vec::new();
        stored::stored(l, spec.as_ref(), meta, known, &mut found);
        items::items(meta, known, &mut found);
        texts::texts(meta, known, &mut found);
        out.extend(found.into_iter().map(|p| p.under(side)));
    }
    window::window(l, known, &mut out);
    out
}
