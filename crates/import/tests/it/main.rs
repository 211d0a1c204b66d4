//! Pasted texts: what they become, and what is said about them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod articles;
mod repairs;
mod robust;
mod sheets;

use heliu_import::{Draft, Interface, Known, Options, read_text};

/// A small catalogue.
pub fn options() -> Options {
    let api = |path: &str, names: &[&str], id: &str, size: u32| Interface {
        platform: "jushuitan".into(),
        path: path.into(),
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        id: Some(id.into()),
        page_size: Some(size),
    };
    Options {
        name: "t".into(),
        known: Known {
            interfaces: vec![
                api("/open/wms/partner/query", &[], "wms_co_id", 100),
                api("/open/purchasein/query", &["purchasein.query"], "io_id", 50),
            ],
            platforms: vec![
                ("jushuitan".into(), vec!["聚水潭".into()]),
                ("kuaimai".into(), vec!["快麦".into()]),
            ],
            connectors: vec![("jst".into(), "jushuitan".into()), ("bi".into(), "sqlite".into())],
        },
        ..Options::default()
    }
}

#[track_caller]
pub fn import(text: &str) -> Vec<Draft> {
    read_text(text.as_bytes(), &options()).unwrap_or_else(|p| panic!("{p:#?}"))
}
