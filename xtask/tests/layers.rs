//! The direction of imports, and that a wrong one is seen.

#![allow(missing_docs, clippy::expect_used, reason = "tests")]

use xtask::layers::{Graph, Kind, check};

fn workspace() -> Graph {
    Graph::of_workspace(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).expect("cargo metadata")
}

fn with(edges: &[(&str, &str, Kind)]) -> Vec<String> {
    let mut graph = workspace();
    for (from, to, kind) in edges {
        graph.edges.insert(((*from).to_owned(), (*to).to_owned(), *kind));
    }
    check(&graph)
}

#[test]
fn every_import_points_the_right_way() {
    let graph = workspace();
    assert!(graph.members.contains("heliu-engine") && graph.edges.len() > 100, "the graph was read");
    assert_eq!(check(&graph), Vec::<String>::new());
}

#[test]
fn a_forbidden_edge_is_seen() {
    for (from, to) in [
        ("heliu-transform", "heliu-model"),
        ("heliu-model", "heliu-engine"),
        ("heliu-engine", "heliu-ledger"),
        ("heliu-engine", "heliu-connect"),
        ("heliu-ledger", "heliu-engine"),
        ("heliu-connect", "heliu-ledger"),
        ("heliu-sandbox", "heliu-connect"),
        ("heliu-app", "heliu-testkit"),
        ("heliu-ledger", "heliu-testkit"),
    ] {
        let wrong = with(&[(from, to, Kind::Normal)]);
        assert!(wrong.iter().any(|w| w.contains(from) && w.contains(to)), "{from} → {to}: {wrong:?}");
    }
    let wrong = with(&[("heliu-sandbox", "heliu-connect", Kind::Dev)]);
    assert_eq!(wrong, ["tests of `heliu-sandbox` must not import `heliu-connect`"]);
}

#[test]
fn a_driver_is_seen_through_others() {
    let wrong = with(&[("serde_json", "made-up", Kind::Normal), ("made-up", "rusqlite", Kind::Normal)]);
    let found = wrong.iter().find(|w| w.contains("`rusqlite` reaches `heliu-engine`"));
    assert!(found.is_some_and(|w| w.contains("serde_json → made-up → rusqlite")), "{wrong:?}");
    let wrong = with(&[("heliu-engine", "axum", Kind::Normal)]);
    assert!(wrong.iter().any(|w| w.contains("`axum` reaches `heliu-engine`")), "{wrong:?}");
    let dev = with(&[("heliu-engine", "rusqlite", Kind::Dev)]);
    assert!(dev.is_empty(), "what only tests use is not shipped: {dev:?}");
}

#[test]
fn a_crate_without_a_layer_is_seen() {
    let mut graph = workspace();
    graph.members.insert("heliu-surprise".to_owned());
    assert_eq!(check(&graph), ["`heliu-surprise` has no layer: give it one in xtask/src/layers.rs"]);
}
