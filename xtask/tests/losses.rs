//! docs/known-losses.md: every case has tests that exist, or a reason.

#![allow(missing_docs, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Public reports that the page points to at least: none of them is to be forgotten.
const REPORTS: usize = 180;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(dir: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// Names of all tests: functions under an attribute that ends with `test`, and the cases of the conformance suite.
fn tests() -> BTreeSet<String> {
    let mut all = Vec::new();
    sources(&root().join("crates"), &mut all);
    let mut names = BTreeSet::new();
    for text in all {
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                marked = true;
            } else if let Some(name) = line.trim_start_matches("async ").strip_prefix("fn ") {
                if marked {
                    names.insert(name.split('(').next().unwrap_or_default().to_owned());
                }
                marked = false;
            }
        }
        if let Some((_, cases)) = text.split_once("macro_rules! conformance") {
            let cases = cases.lines().filter_map(|l| l.trim().strip_suffix(',')?.split_once(": "));
            names.extend(cases.map(|(_, case)| case.to_owned()));
        }
    }
    names
}

/// The rows of the tables: what goes wrong, where it was seen, what is said of it.
fn cases(page: &str) -> Vec<[&str; 3]> {
    let rows = page.lines().filter_map(|l| l.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells.filter_map(|c| <[&str; 3]>::try_from(c).ok()).filter(|c| c[0] != "What goes wrong").collect()
}

#[test]
fn every_known_way_of_losing_records_has_its_tests_or_a_reason() {
    let page = std::fs::read_to_string(root().join("docs/known-losses.md")).expect("the page");
    let (tests, cases) = (tests(), cases(&page));
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for [what, pointers, here] in &cases {
        seen.extend(pointers.split(", ").filter(|p| !p.is_empty()));
        let named: Vec<&str> = here.split('`').skip(1).step_by(2).filter(|n| *n != "status").collect();
        for name in &named {
            if !tests.contains(*name) {
                wrong.push(format!("{what}: there is no test `{name}`"));
            }
        }
        if named.is_empty() && !here.starts_with("Not here: ") {
            wrong.push(format!("{what}: neither a test nor a reason"));
        }
    }
    for pointer in &seen {
        let number = pointer.split_once('#').map(|(_, n)| n.parse::<u32>());
        if !matches!(number, Some(Ok(_))) {
            wrong.push(format!("`{pointer}` is no pointer"));
        }
    }
    println!("{} cases, {} reports", cases.len(), seen.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() >= REPORTS, "{} reports", seen.len());
}

#[test]
fn a_row_without_test_is_seen() {
    let cells =
        cases("| What goes wrong | Seen | Here |\n|---|---|---|\n| a | b#1, c#2 | `d` |\n| e | | f |\n");
    assert_eq!(cells, [["a", "b#1, c#2", "`d`"], ["e", "", "f"]]);
    assert!(
        tests().contains("every_known_way_of_losing_records_has_its_tests_or_a_reason")
            || !tests().is_empty()
    );
}
