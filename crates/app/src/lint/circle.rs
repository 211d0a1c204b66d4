//! Plans that feed each other: what one writes goes on to the next, and in the end comes back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use heliu_connect::heliu::{answers_to, other_plan};
use heliu_model::codes::lint as say;
use heliu_model::{Problem, text};
use heliu_transform::writeback::receiving_plan;
use heliu_transform::{Metadata, Side};

use super::Known;
use crate::project::Project;
use crate::wire::Loaded;

const CALLBACK: &str = "target.metadata.callBackStrategy.strategyId";
const STORED: &str = "target.metadata.request.scheme_id";

/// What a plan says about others, as it names them.
#[derive(Default)]
struct Ways {
    id: String,
    /// Whom `callBackStrategy` and a data write name.
    callback: Option<String>,
    stored: Option<String>,
    /// Whose records it reads, and whom it follows.
    read: Option<String>,
    after: Option<String>,
}

/// How the plans of a project feed each other. Read once for all plans that are examined together: each of them is held
/// against all others.
pub struct Feeds {
    plans: BTreeMap<String, Ways>,
    /// Names by ids in small letters.
    ids: HashMap<String, String>,
    /// To whom what a plan writes goes on.
    next: BTreeMap<String, Vec<String>>,
}

impl Feeds {
    /// Reads every plan of the project that can be read.
    pub fn of(project: &Project) -> Feeds {
        let mut feeds = Feeds { plans: all(project), ids: HashMap::new(), next: BTreeMap::new() };
        for (name, ways) in &feeds.plans {
            feeds.ids.entry(ways.id.to_ascii_lowercase()).or_insert_with(|| name.clone());
        }
        let mut next: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, ways) in &feeds.plans {
            for to in [&ways.callback, &ways.stored].into_iter().flatten() {
                next.entry(name.clone()).or_default().extend(feeds.named(to).map(str::to_owned));
            }
            for from in [&ways.read, &ways.after].into_iter().flatten() {
                if let Some(from) = feeds.named(from) {
                    next.entry(from.to_owned()).or_default().push(name.clone());
                }
            }
        }
        Feeds { next, ..feeds }
    }

    /// The plan with this id or name: the first one where both are to be found.
    fn named(&self, words: &str) -> Option<&str> {
        let id = self.ids.get(&words.to_ascii_lowercase());
        let name = self.plans.get_key_value(words).map(|(name, _)| name);
        id.into_iter().chain(name).min().map(String::as_str)
    }
}

/// Every plan of the project that can be read.
fn all(project: &Project) -> BTreeMap<String, Ways> {
    let mut ledgers: HashMap<String, bool> = HashMap::new();
    let mut out = BTreeMap::new();
    for name in project.plan_names() {
        let Ok(read) = project.plan(&name) else { continue };
        let plan = read.value;
        let mut ours = |connector: &str| {
            *ledgers.entry(connector.to_owned()).or_insert_with(|| {
                project.connector(connector).is_ok_and(|read| answers_to(&read.value.platform))
            })
        };
        let (source, _) = Metadata::parse(&plan.source.metadata, Side::Source);
        let (target, _) = Metadata::parse(&plan.target.metadata, Side::Target);
        let ways = Ways {
            callback: receiving_plan(&target).map(str::to_owned),
            stored: if ours(&plan.target.connector) { other_plan(&target) } else { None },
            read: if ours(&plan.source.connector) { other_plan(&source) } else { None },
            id: plan.id,
            after: plan.after,
        };
        out.insert(name, ways);
    }
    out
}

/// The shortest way from `from` to `to`, both included.
fn way(from: &str, to: &str, next: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let mut came: HashMap<&str, &str> = HashMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        if at == to {
            let mut way = vec![at.to_owned()];
            let mut at = at;
            while let Some(before) = came.get(at).filter(|_| at != from) {
                way.push((*before).to_owned());
                at = before;
            }
            way.reverse();
            return Some(way);
        }
        for then in next.get(at).into_iter().flatten() {
            if then != from && !came.contains_key(then.as_str()) {
                came.insert(then, at);
                open.push_back(then);
            }
        }
    }
    None
}

/// A plan that passes on, or writes, to one from which it gets its own records again, directly or through others.
pub fn circle(l: &Loaded, known: &Known, out: &mut Vec<Problem>) {
    let stored = match &l.target {
        Some(spec) if answers_to(&spec.platform) => other_plan(&l.target_meta),
        _ => None,
    };
    if receiving_plan(&l.target_meta).is_none() && stored.is_none() {
        return;
    }
    let feeds = known.feeds.get_or_init(|| Feeds::of(known.project));
    let Some(own) = feeds.plans.get(&l.name) else { return };
    for (to, at) in [(&own.callback, CALLBACK), (&own.stored, STORED)] {
        // Of a plan that names itself something else is said.
        let Some(to) = to.as_deref().and_then(|to| feeds.named(to)).filter(|to| *to != l.name) else {
            continue;
        };
        let Some(back) = way(to, &l.name, &feeds.next) else { continue };
        let way = format!("{} → {}", l.name, back.join(" → "));
        out.push(
            say::FEED_EACH_OTHER
                .at(at, text!("what is passed on comes back: {way}", "传递的数据会回到本方案:{way}"))
                .hint(text!(
                    "it ends when what is passed on no longer changes; pass on nothing that differs each time, such as times and counters, or name it in `hashIgnore` of the receiving plan",
                    "传递的内容不再变化时循环自行结束;请勿传递每次都不同的内容(如时间、计数),或将其列入接收方案的 `hashIgnore`"
                )),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::OnceLock;

    use serde_json::{Value, json};

    use super::*;

    fn project(dir: &Path, plans: &[(&str, Value)]) -> Project {
        std::fs::create_dir_all(dir.join("plans")).unwrap();
        for (name, said) in plans {
            let mut plan = json!({"source": {"connector": "a", "metadata": {}}, "target": {"connector": "b", "metadata": {}}});
            for (key, value) in said.as_object().unwrap() {
                match key.as_str() {
                    "to" => plan["target"]["metadata"]["callBackStrategy"] = json!({"strategyId": value}),
                    _ => plan[key] = value.clone(),
                }
            }
            std::fs::write(dir.join(format!("plans/{name}.json")), plan.to_string()).unwrap();
        }
        let Ok(project) = Project::open(dir) else { panic!("the project cannot be opened") };
        project
    }

    #[test]
    fn a_plan_is_found_by_its_id_in_any_letters_or_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let plans = [("b", json!({"id": "Ab-12"})), ("c", json!({"id": "d"})), ("d", json!({"id": "x"}))];
        let feeds = Feeds::of(&project(dir.path(), &plans));
        assert_eq!(feeds.named("aB-12"), Some("b"));
        assert_eq!(feeds.named("d"), Some("c"), "one plan's id, another one's name: the first of both");
        assert_eq!(feeds.named("B"), None, "names are told apart by their letters");
        assert_eq!(feeds.named("X"), Some("d"));
    }

    #[test]
    fn what_is_passed_on_and_who_follows_are_ways_to_the_next_plan() {
        let dir = tempfile::tempdir().unwrap();
        let plans = [
            ("a", json!({"to": "ID-B"})),
            ("b", json!({"id": "id-b"})),
            ("c", json!({"after": "b"})),
            ("d", json!({"after": "nobody", "to": "nobody"})),
        ];
        let feeds = Feeds::of(&project(dir.path(), &plans));
        assert_eq!(way("a", "c", &feeds.next), Some(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(way("c", "a", &feeds.next), None);
        assert_eq!(feeds.next.get("d").map(Vec::len), Some(0));
    }

    fn loaded(project: &Project, name: &str) -> Loaded {
        let Ok(read) = project.plan(name) else { panic!("there is no plan {name}") };
        let plan = read.value;
        Loaded {
            name: name.to_owned(),
            source_meta: Metadata::parse(&plan.source.metadata, Side::Source).0,
            target_meta: Metadata::parse(&plan.target.metadata, Side::Target).0,
            plan,
            source: None,
            target: None,
            tz: chrono_tz::UTC,
            problems: Vec::new(),
        }
    }

    /// With ten thousand plans, to read all of them once for each takes minutes.
    #[test]
    fn plans_are_read_once_for_all_and_not_for_those_that_name_none() {
        let dir = tempfile::tempdir().unwrap();
        let plans = [("a", json!({"to": "b"})), ("b", json!({"to": "a"})), ("c", json!({}))];
        let project = project(dir.path(), &plans);
        let [a, b, c] = ["a", "b", "c"].map(|name| loaded(&project, name));
        let feeds = OnceLock::new();
        let found = |l: &Loaded| {
            let known =
                Known { project: &project, plans: &[], ids: &|| &[], feeds: &feeds, maps: &[], source: None };
            let mut out = Vec::new();
            circle(l, &known, &mut out);
            out.len()
        };
        assert_eq!((found(&c), feeds.get().is_some()), (0, false));
        assert_eq!(found(&a), 1);
        std::fs::remove_dir_all(dir.path().join("plans")).unwrap();
        assert_eq!(found(&b), 1, "held against what was read for the first one");
    }
}
