//! What the importer knows about platforms and connectors: told by whoever calls it.

use heliu_transform::Side;

use crate::gaps::image;

/// An interface of a platform's catalogue.
#[derive(Debug, Clone, Default)]
pub struct Interface {
    /// Platform.
    pub platform: String,
    /// Path.
    pub path: String,
    /// Other names, method names among them.
    pub names: Vec<String>,
    /// Unique field of its elements.
    pub id: Option<String>,
    /// Rows of a page at most.
    pub page_size: Option<u32>,
}

/// Platforms, interfaces and the project's connectors.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// All interfaces.
    pub interfaces: Vec<Interface>,
    /// Platforms: name, then other names.
    pub platforms: Vec<(String, Vec<String>)>,
    /// Connectors: name and platform.
    pub connectors: Vec<(String, String)>,
}

/// A connector's name and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guess {
    /// The interface belongs to one platform.
    Sure(String),
    /// The text speaks of this platform.
    Mentioned(String),
    /// Only this platform has interfaces that begin as this one does.
    Alike(String),
    /// Nothing is known.
    None,
}

const SQL: &[&str] = &["batchexecute", "execute", "select"];
/// Beginnings that say nothing of whose an interface is.
const GENERAL: &[&str] = &[
    "api",
    "open",
    "openapi",
    "rest",
    "restful",
    "service",
    "services",
    "user",
    "item",
    "items",
    "stock",
    "order",
    "orders",
    "shops",
    "inventory",
    "sku",
];
const NO_OP: &[&str] = &["写入空操作", "空操作"];

impl Known {
    /// The connector of a platform: the project's only one, else a new one by the platform's name.
    fn connector(&self, platforms: &[&str]) -> String {
        let mut found = self.connectors.iter().filter(|(_, p)| platforms.contains(&p.as_str()));
        match (found.next(), found.next()) {
            (Some((name, _)), None) => name.clone(),
            _ => platforms.first().map(|p| (*p).to_owned()).unwrap_or_default(),
        }
    }

    /// The connector that an interface is called on.
    /// `other`: the platform of the other side where it is certain; that the text speaks of it says nothing here.
    pub(crate) fn guess(&self, api: &str, side: Side, text: &str, other: Option<&str>) -> Guess {
        let low = api.trim().to_ascii_lowercase();
        if NO_OP.contains(&low.as_str()) {
            return Guess::Sure(self.connector(&["heliu"]));
        }
        if SQL.contains(&low.as_str()) {
            return Guess::Sure(self.connector(&["mysql", "sqlite"]));
        }
        if let Some(one) = self.platform_of(api) {
            return Guess::Sure(self.connector(&[one]));
        }
        // A line of its own may say which platform it is.
        if let Some(said) = headed(text, side) {
            let known = |names: &[String], name: &str| {
                let mut words = names.iter().map(String::as_str).chain([name]);
                words.any(|w| w.chars().count() > 1 && said.to_lowercase().contains(&w.to_lowercase()))
            };
            return match self.platforms.iter().find(|(name, names)| known(names, name)) {
                Some((name, _)) => Guess::Mentioned(self.connector(&[name])),
                None => Guess::None,
            };
        }
        // Other interfaces of one platform begin alike.
        if let Some(one) = self.family_of(&low) {
            return Guess::Alike(self.connector(&[one]));
        }
        // Of the platforms that the text speaks of, the one named most; a target's is never the source's.
        let others = ["heliu", "mysql", "sqlite", "http"];
        // Pictures are adverts; what they are called says nothing of the document.
        let text = without_images(text);
        let said = |names: &[String], name: &str| -> (usize, usize) {
            let words = names.iter().map(String::as_str).chain([name]).filter(|w| w.chars().count() > 1);
            words.fold((0, usize::MAX), |(n, first), w| {
                (n + text.matches(w).count(), text.find(w).map_or(first, |at| at.min(first)))
            })
        };
        let best = self
            .platforms
            .iter()
            .filter(|(name, _)| !others.contains(&name.as_str()) && other != Some(name.as_str()))
            .map(|(name, names)| (said(names, name), name))
            // Of two named alike, the first: the source is told of before the target.
            .max_by_key(|((n, first), _)| (*n, std::cmp::Reverse(*first)));
        match best {
            Some(((n, _), name)) if n > 0 && side == Side::Source => {
                Guess::Mentioned(self.connector(&[name]))
            }
            _ => Guess::None,
        }
    }

    /// The platform that alone has this interface.
    pub(crate) fn platform_of(&self, api: &str) -> Option<&str> {
        let mut of: Vec<&str> =
            self.interfaces.iter().filter(|i| i.answers_to(api)).map(|i| i.platform.as_str()).collect();
        of.dedup();
        match of.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The platform that alone has interfaces with this beginning: what stands before the second `/` of a path or the
    /// first `.` of a method, and the next part too where many platforms' begin so.
    fn family_of(&self, low: &str) -> Option<&str> {
        let begins = |name: &str| -> Option<String> {
            let name = name.trim().trim_start_matches('/').to_ascii_lowercase();
            let mark = if name.contains('/') { '/' } else { '.' };
            let version = |part: &str| {
                part.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
            };
            let mut parts = name.split(mark);
            let first = parts.next().filter(|f| f.len() > 2 && !version(f))?;
            let second = parts.next()?;
            if !GENERAL.contains(&first) {
                return Some(format!("{first}{mark}"));
            }
            parts.next().map(|_| format!("{first}{mark}{second}{mark}"))
        };
        let wanted = begins(low)?;
        let names =
            |i: &Interface| i.names.iter().chain([&i.path]).any(|n| begins(n).as_ref() == Some(&wanted));
        let mut of: Vec<&str> =
            self.interfaces.iter().filter(|i| names(i)).map(|i| i.platform.as_str()).collect();
        of.dedup();
        match of.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The interfaces that a text mentions by path.
    pub(crate) fn mentioned(&self, text: &str) -> Vec<&Interface> {
        self.interfaces
            .iter()
            .filter(|i| i.id.is_some() && i.path.len() > 4 && mentions(text, &i.path))
            .collect()
    }
}

fn without_images(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("![") {
        out.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at..).unwrap_or("");
        let len = image(rest).unwrap_or(2);
        rest = rest.get(len..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// What follows `源系统平台:` or `目标系统平台:` on a line of its own.
fn headed(text: &str, side: Side) -> Option<&str> {
    let labels = match side {
        Side::Source => ["源系统平台", "源平台", "源系统", "数据源平台", "来源平台"],
        Side::Target => ["目标系统平台", "目标平台", "目标系统", "写入平台", "目的平台"],
    };
    text.lines().find_map(|line| {
        let line = line.trim_start_matches([' ', '\t', '-', '*', '#', '>', '•']);
        let said = labels.iter().find_map(|l| line.strip_prefix(l))?;
        let said = said
            .trim_start_matches('*')
            .strip_prefix([':', '：'])?
            .trim()
            .trim_matches(['*', '`', '「', '」']);
        (!said.is_empty() && !said.starts_with('{') && said.chars().count() <= 40).then_some(said)
    })
}

/// True when the path stands in the text, not as a part of a longer one.
fn mentions(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let behind = text.get(at + path.len()..).and_then(|t| t.chars().next());
        behind.is_none_or(|c| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.')))
    })
}

impl Interface {
    fn answers_to(&self, api: &str) -> bool {
        let api = api.trim();
        // Documents leave a path's first slash out.
        let path = if api.contains('/') { self.path.trim_start_matches('/') } else { &self.path };
        path.eq_ignore_ascii_case(api.trim_start_matches('/'))
            || self.names.iter().any(|n| n.eq_ignore_ascii_case(api))
    }
}
