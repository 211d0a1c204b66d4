//! Every vector and acceptance statement of the dialect is a test by its id, or says where it is held.

use std::collections::{BTreeMap, BTreeSet};

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

/// Held by tests of other parts of the workspace: the file below `crates/`, and the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("A04", "app/tests/it/http.rs", "numbered_pages_that_declare_nothing_are_read_until_two_passes_agree"),
    ("A09", "app/tests/it/http.rs", "constant_page_fields_are_advanced_and_flags_of_any_kind_are_understood"),
    (
        "A20",
        "app/tests/it/values.rs",
        "elements_without_id_are_rejected_once_and_doubles_in_a_page_counted_once",
    ),
    ("A21", "app/tests/it/rules.rs", "changed_content_is_written_again_unless_it_is_ignored"),
    ("A30", "engine/tests/proof/retries.rs", "after_so_many_attempts_the_run_ends_and_the_next_one_goes_on"),
    ("A43", "app/tests/it/mysql.rs", "orders_into_mariadb_equal_the_truth"),
    ("A44", "app/tests/it/bad_input.rs", "every_problem_is_named_with_file_and_path"),
    ("A46", "connect/src/sql/statement.rs", "tuples_go_behind_the_first_values_and_the_tail_survives"),
    ("A47", "app/tests/it/statements.rs", "a47_a_wrapper_without_operation_holds_a_list_of_one"),
    ("A50", "app/tests/it/statements.rs", "a50_an_empty_request_fails_its_record_and_is_not_sent"),
    (
        "A51",
        "app/tests/it/statements.rs",
        "a51_both_spellings_of_the_no_op_write_nothing_and_finish_every_record",
    ),
    ("A52", "app/tests/it/statements.rs", "a52_the_status_key_decides_and_a_refusal_keeps_its_words"),
    ("A55", "engine/tests/proof/writes.rs", "a_passing_failure_of_the_target_is_repeated_inside_the_run"),
    ("A58", "model/src/schedule.rs", "all_forms"),
    ("A60", "engine/tests/proof/exits.rs", "a_plan_that_runs_elsewhere_is_busy"),
    ("A67", "import/tests/it/articles.rs", "a67_unknown_keys_nulls_and_order_survive"),
    ("V-G02", "model/src/walk/tests.rs", "without_total_two_passes_must_agree"),
    ("V-G03", "model/src/walk/tests.rs", "declared_total_costs_one_request_more_than_its_pages"),
    (
        "V-G04",
        "engine/tests/proof/windows.rs",
        "an_incomplete_window_holds_the_watermark_of_a_resumed_run_too",
    ),
    ("V-O03", "app/tests/it/http_target.rs", "lists_are_cut_by_rows_and_answers_are_told_apart_by_position"),
    ("V-O08", "connect/src/sql/statement.rs", "tuples_go_behind_the_first_values_and_the_tail_survives"),
    ("V-S03", "engine/tests/proof/windows.rs", "an_incomplete_window_holds_the_watermark_whatever_follows"),
    ("V-S04", "engine/tests/proof/windows.rs", "a_back_fill_leaves_the_watermark_alone"),
];

/// Statements that are nothing but sets of vectors.
const SETS: &[(&str, &str)] =
    &[("A31", "V-F V-B V-P"), ("A34", "V-M"), ("A41", "V-C"), ("A48", "V-O"), ("A49", "V-O")];

/// Where each id is named by a test of this directory, in strings and in names of functions: file and test.
fn named() -> BTreeMap<String, BTreeSet<String>> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "rs") || path.ends_with("ids.rs") {
            continue;
        }
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut test = None;
        let mut marked = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            marked |= line.trim() == "#[test]";
            if let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("    fn ")) {
                // What a helper names is no proof: a test has to.
                test = marked.then(|| rest.split(['(', '<']).next().unwrap_or_default().to_owned());
                marked = false;
            }
            let (Some(test), false) = (&test, line.trim_start().starts_with("//")) else { continue };
            for id in ids_of(line) {
                found.entry(id).or_default().insert(format!("{file}::{test}"));
            }
        }
    }
    found
}

/// The ids in a line: `V-X07`, `A25`, and as parts of names `v_x07_…`, `a25_…`.
fn ids_of(line: &str) -> Vec<String> {
    let digits = |s: &str| s.len() >= 2 && s.chars().take(2).all(|c| c.is_ascii_digit());
    let vector = |w: &str| w.len() >= 5 && w.starts_with("V-") && w.get(3..).is_some_and(digits);
    let statement = |w: &str| w.len() == 3 && w.starts_with('A') && w.get(1..).is_some_and(digits);
    let mut out = Vec::new();
    for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
        let word = word.to_ascii_uppercase();
        let parts: Vec<&str> = word.split('_').collect();
        let pairs = parts.windows(2).map(|p| p.join("-"));
        out.extend(pairs.chain([word.clone()]).filter(|w| vector(w)).map(|w| w[..5].to_owned()));
        out.extend(parts.into_iter().filter(|p| statement(p)).map(str::to_owned));
    }
    out
}

#[test]
fn every_id_is_a_test_or_says_where_it_is_held() {
    let named = named();
    let vectors = VECTORS.iter().flat_map(|(group, n)| (1..=*n).map(move |i| format!("V-{group}{i:02}")));
    let statements = (1..=STATEMENTS).map(|i| format!("A{i:02}"));
    let all: BTreeSet<String> = statements.chain(vectors).collect();
    let mut reasons: BTreeMap<&str, String> = BTreeMap::new();
    reasons.extend(SUPERSEDED.iter().map(|(id, why)| (*id, format!("set aside: {why}"))));
    reasons.extend(SERVER.iter().map(|id| (*id, "waits for the server".to_owned())));
    reasons.extend(ELSEWHERE.iter().map(|(id, file, test)| (*id, format!("{file}: {test}"))));
    reasons.extend(SETS.iter().map(|(id, sets)| (*id, format!("all of {sets}"))));
    let mut missing = Vec::new();
    for id in &all {
        let tests: Vec<&str> = named.get(id).into_iter().flatten().map(String::as_str).collect();
        let reason = reasons.get(id.as_str()).map_or("", String::as_str);
        if tests.is_empty() && reason.is_empty() {
            missing.push(id);
        }
        // The list: shown by `cargo test every_id -- --nocapture`.
        println!("{id:6} {}{}{reason}", tests.join(", "), if tests.is_empty() { "" } else { "  " });
    }
    assert!(missing.is_empty(), "no test names {missing:?}");
    let unknown: Vec<&&str> = reasons.keys().filter(|id| !all.contains(**id)).collect();
    assert!(unknown.is_empty(), "listed, and no such id: {unknown:?}");
    for (id, sets) in SETS {
        for set in sets.split(' ') {
            let mut members = all.iter().filter(|v| v.starts_with(set)).peekable();
            assert!(members.peek().is_some(), "{id}: no vector is of {set}");
            let open: Vec<&String> =
                members.filter(|v| !named.contains_key(*v) && !reasons.contains_key(v.as_str())).collect();
            assert!(open.is_empty(), "{id}: {open:?}");
        }
    }
}

#[test]
fn what_is_held_elsewhere_is_a_test_there() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (id, file, test) in ELSEWHERE {
        let text = std::fs::read_to_string(crates.join(file)).unwrap_or_else(|e| panic!("{id}: {file}: {e}"));
        let mut above = "";
        let mut found = false;
        for line in text.lines() {
            let name = line.trim_start().trim_start_matches("async ").strip_prefix("fn ");
            found |= name.is_some_and(|n| n.split('(').next() == Some(test)) && above.contains("test");
            above = if line.trim_start().starts_with("#[") { line } else { "" };
        }
        assert!(found, "{id}: {file} has no test `{test}`");
    }
}
