//! The project's plans as targets of other plans: what the data write needs to know of the plan it writes for.

use heliu_connect::heliu::{Plans, Receiver, answers_to, receives};
use heliu_transform::{Metadata, Side};

use crate::project::Project;

/// Plans of a project.
pub struct ProjectPlans {
    project: Project,
}

impl ProjectPlans {
    /// The plans of these files.
    pub fn new(project: Project) -> ProjectPlans {
        ProjectPlans { project }
    }
}

impl Plans for ProjectPlans {
    fn receiver(&self, words: &str) -> Option<Receiver> {
        let all = self.project.plan_names().into_iter();
        let mut read = all.filter_map(|name| Some((self.project.plan(&name).ok()?.value, name)));
        let (plan, name) = read.find(|(plan, name)| plan.id.eq_ignore_ascii_case(words) || name == words)?;
        let connector = self.project.connector(&plan.source.connector).ok().map(|read| read.value);
        let (meta, _) = Metadata::parse(&plan.source.metadata, Side::Source);
        let callback = receives(&meta) && connector.as_ref().is_some_and(|c| answers_to(&c.platform));
        let tz = plan.timezone.or_else(|| connector.and_then(|c| c.timezone));
        Some(Receiver {
            policy: plan.policy(meta.id_check),
            callback,
            tz: tz.unwrap_or(chrono_tz::Asia::Shanghai),
            ignore: plan.hash_ignore.clone(),
            uuid: plan.id,
            name,
            meta,
        })
    }
}
