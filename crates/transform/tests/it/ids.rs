//! Every vector and acceptance statement of the dialect is a test by its id, or says where it is held.

use std::collections::BTreeSet;

/// Vectors by group: the letter and how many there are.
const VECTORS: &[(&str, u8)] = &[
    ("F", 18),
    ("B", 7),
    ("P", 11),
    ("C", 6),
    ("X", 30),
    ("L", 7),
    ("M", 3),
    ("D", 1),
    ("G", 4),
    ("S", 4),
    ("O", 9),
];

/// Acceptance statements: A01 to this.
const STATEMENTS: u8 = 68;

/// Set aside by the decisions of this project, with the decision.
const SUPERSEDED: &[(&str, &str)] = &[
    (
        "A03",
        "pages end by what the platform declares; its frozen window is held in a01_a02_a03_source_request",
    ),
    ("A45", "a batch that fails because of its data is bisected: the bad record alone fails"),
    ("A56", "a throttle answer waits as told and costs no attempt"),
    ("A57", "a record that cannot be rendered is failed with the reason; later ones are written"),
    ("A59", "the first window begins at the plan's `start`; the watermark moves with the last page's commit"),
    (
        "V-G01",
        "pages 1 to 4: a short page ends a walk only where the platform declares nothing, and is asked behind",
    ),
    ("V-S01", "the first LAST_SYNC_TIME is the plan's `start`"),
    ("V-S02", "the watermark moves to the window's end, in the transaction of its last page"),
];

/// Statements of the server, which waits.
const SERVER: &[&str] = &["A61", "A62", "A63", "A64", "A65", "A66", "A68"];

/// Held by other parts of the workspace.
const ELSEWHERE: &[(&str, &str)] = &[
    ("A04", "engine: walks over pages"),
    ("A09", "connect: constant page fields are advanced"),
    ("A20", "ledger: an element that is repeated"),
    ("A21", "ledger: `onChange`"),
    ("A30", "engine: a page that fails"),
    ("A43", "connect: statements of many rows"),
    ("A44", "model: a target without `main_sql`"),
    ("A46", "connect: statements of many rows"),
    ("A47", "connect: the wrapper of `key`"),
    ("A51", "connect: the no-op target"),
    ("A55", "engine: retries and repeated writes"),
    ("A58", "model: schedules"),
    ("A60", "ledger: one open run per plan"),
    ("A67", "import: round trips"),
    ("V-G02", "engine: walks over pages"),
    ("V-G03", "engine: walks over pages"),
    ("V-G04", "engine: a page that fails"),
    ("V-O03", "connect: replies to batches"),
    ("V-O08", "connect: statements of many rows"),
    ("V-S03", "engine: no watermark behind an incomplete window"),
    ("V-S04", "engine: remedies"),
];

/// Statements that are nothing but sets of vectors.
const SETS: &[(&str, &str)] =
    &[("A31", "V-F V-B V-P"), ("A34", "V-M"), ("A41", "V-C"), ("A48", "V-O"), ("A49", "V-O")];

/// All ids that the tests of this directory name, in strings and in names of functions.
fn named() -> BTreeSet<String> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "rs") || path.ends_with("ids.rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
            let word = word.to_ascii_uppercase();
            let vector = |w: &str| {
                w.len() >= 5 && w.starts_with("V-") && w[3..].chars().take(2).all(|c| c.is_ascii_digit())
            };
            let statement =
                |w: &str| w.len() == 3 && w.starts_with('A') && w[1..].chars().all(|c| c.is_ascii_digit());
            if vector(&word) {
                found.insert(word[..5].to_owned());
            }
            // `v_x07_…` and `a25_…` are names of tests.
            let parts: Vec<&str> = word.split('_').collect();
            for pair in parts.windows(2) {
                let joined = format!("{}-{}", pair[0], pair[1]);
                if vector(&joined) {
                    found.insert(joined[..5].to_owned());
                }
            }
            found.extend(parts.into_iter().filter(|p| statement(p)).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_id_is_a_test_or_says_where_it_is_held() {
    let named = named();
    let vectors = VECTORS.iter().flat_map(|(group, n)| (1..=*n).map(move |i| format!("V-{group}{i:02}")));
    let statements = (1..=STATEMENTS).map(|i| format!("A{i:02}"));
    let all: BTreeSet<String> = vectors.chain(statements).collect();
    let held: BTreeSet<&str> =
        SUPERSEDED.iter().chain(ELSEWHERE).chain(SETS).map(|e| e.0).chain(SERVER.iter().copied()).collect();
    let missing: Vec<&String> =
        all.iter().filter(|id| !named.contains(*id) && !held.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
    let unknown: Vec<&&str> = held.iter().filter(|id| !all.contains(**id)).collect();
    assert!(unknown.is_empty(), "listed, and no such id: {unknown:?}");
    for (id, sets) in SETS {
        for set in sets.split(' ') {
            let members = all.iter().filter(|v| v.starts_with(set));
            let open: Vec<&String> =
                members.filter(|v| !named.contains(*v) && !held.contains(v.as_str())).collect();
            assert!(open.is_empty(), "{id}: {open:?}");
        }
    }
}
