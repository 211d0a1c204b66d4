//! Files of a project, watched by looking: works on every file system, and costs next to nothing.

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Files whose state is looked at in one round; larger projects take several rounds.
const PER_ROUND: usize = 500;

/// Folders and endings of a project's files.
const FOLDERS: [(&str, &[&str]); 3] =
    [("connectors", &["toml", "json"]), ("plans", &["json"]), ("platforms", &["toml"])];

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: i128,
    changed: i128,
    size: u64,
    inode: u64,
}

impl Stamp {
    fn of(m: &Metadata) -> Stamp {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let at = |secs: i64, nanos: i64| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
            Stamp {
                modified: at(m.mtime(), m.mtime_nsec()),
                changed: at(m.ctime(), m.ctime_nsec()),
                size: m.len(),
                inode: m.ino(),
            }
        }
        #[cfg(not(unix))]
        {
            let since = m.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            let modified = since.map_or(0, |d| d.as_nanos() as i128);
            Stamp { modified, changed: 0, size: m.len(), inode: 0 }
        }
    }
}

/// One file that differs from what was seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Path inside the project.
    pub file: String,
    /// Its state now; `None` when it is gone.
    pub stamp: Option<Stamp>,
}

/// What was seen of a project's files.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    seen: BTreeMap<String, Stamp>,
    folders: HashMap<&'static str, Option<Stamp>>,
    cursor: String,
}

impl Files {
    /// Nothing seen yet: the first round finds every file.
    pub fn new(dir: &Path) -> Files {
        Files { dir: dir.to_owned(), seen: BTreeMap::new(), folders: HashMap::new(), cursor: String::new() }
    }

    fn stamp(&self, file: &str) -> Option<Stamp> {
        std::fs::metadata(self.dir.join(file)).ok().filter(Metadata::is_file).map(|m| Stamp::of(&m))
    }

    /// One round: folders whose list of files has changed are listed, and some of the files are looked at.
    pub fn look(&mut self) -> Vec<Changed> {
        let mut now: BTreeMap<String, Option<Stamp>> = BTreeMap::new();
        now.insert("heliu.toml".into(), self.stamp("heliu.toml"));
        for (folder, endings) in FOLDERS {
            let stamp = std::fs::metadata(self.dir.join(folder)).ok().map(|m| Stamp::of(&m));
            if self.folders.get(folder) == Some(&stamp) {
                continue;
            }
            self.folders.insert(folder, stamp);
            let prefix = format!("{folder}/");
            for old in self.seen.range(prefix.clone()..).take_while(|(f, _)| f.starts_with(&prefix)) {
                now.insert(old.0.clone(), None);
            }
            for entry in std::fs::read_dir(self.dir.join(folder)).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let ending = name.rsplit_once('.').map(|(_, e)| e);
                if !ending.is_some_and(|e| endings.contains(&e)) || name.starts_with('.') {
                    continue;
                }
                let file = format!("{prefix}{name}");
                let stamp = self.stamp(&file);
                now.insert(file, stamp);
            }
        }
        // Edits in place do not show in the folder: some files each round, in turn.
        let from = std::mem::take(&mut self.cursor);
        let turn: Vec<String> = self
            .seen
            .range(from.clone()..)
            .chain(self.seen.range(..from))
            .take(PER_ROUND)
            .map(|(f, _)| f.clone())
            .collect();
        if let Some(next) = turn.last() {
            self.cursor = format!("{next}\u{0}");
        }
        for file in turn {
            now.entry(file).or_insert_with_key(|file| self.stamp(file));
        }
        let mut out = Vec::new();
        for (file, stamp) in now {
            if self.seen.get(&file) == stamp.as_ref() {
                continue;
            }
            match stamp {
                Some(s) => self.seen.insert(file.clone(), s),
                None => self.seen.remove(&file),
            };
            out.push(Changed { file, stamp });
        }
        out
    }

    /// Makes the next round find a file again, whatever its state.
    pub fn forget(&mut self, file: &str) {
        if let Some(stamp) = self.seen.get_mut(file) {
            stamp.size = u64::MAX;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]
mod tests {
    use super::*;

    fn names(list: Vec<Changed>) -> Vec<String> {
        list.into_iter().map(|c| if c.stamp.is_some() { c.file } else { format!("-{}", c.file) }).collect()
    }

    #[test]
    fn new_changed_and_removed_files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let p = dir.path();
        for folder in ["plans", "connectors"] {
            std::fs::create_dir(p.join(folder)).unwrap();
        }
        std::fs::write(p.join("plans/a.json"), "1").unwrap();
        std::fs::write(p.join("plans/.a.json.swp"), "1").unwrap();
        std::fs::write(p.join("connectors/c.toml"), "1").unwrap();
        let mut files = Files::new(p);
        assert_eq!(names(files.look()), ["connectors/c.toml", "plans/a.json"]);
        assert!(files.look().is_empty());
        std::fs::write(p.join("plans/a.json"), "22").unwrap();
        std::fs::write(p.join("heliu.toml"), "").unwrap();
        assert_eq!(names(files.look()), ["heliu.toml", "plans/a.json"]);
        std::fs::remove_file(p.join("plans/a.json")).unwrap();
        std::fs::write(p.join("plans/b.json"), "1").unwrap();
        assert_eq!(names(files.look()), ["-plans/a.json", "plans/b.json"]);
        files.forget("plans/b.json");
        assert_eq!(names(files.look()), ["plans/b.json"]);
        std::fs::remove_dir_all(p.join("plans")).unwrap();
        assert_eq!(names(files.look()), ["-plans/b.json"]);
    }

    #[test]
    fn a_crowd_is_looked_at_in_turns() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("plans")).unwrap();
        for i in 0..1_203 {
            std::fs::write(dir.path().join(format!("plans/p{i}.json")), "1").unwrap();
        }
        let mut files = Files::new(dir.path());
        assert_eq!(files.look().len(), 1_203);
        for i in 0..1_203 {
            std::fs::write(dir.path().join(format!("plans/p{i}.json")), "22").unwrap();
        }
        let rounds: Vec<usize> = (0..4).map(|_| files.look().len()).collect();
        assert_eq!(rounds.iter().sum::<usize>(), 1_203);
        assert!(rounds[0] <= PER_ROUND && rounds[2] > 0, "{rounds:?}");
    }
}
