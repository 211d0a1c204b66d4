//! Changes that tests and the control address make, and the truth to compare with.

use std::collections::BTreeMap;

use heliu_transform::{Text, text};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Jushuitan;
use super::rows::Recipe;
use crate::clock::parse_beijing;
use crate::error::SandboxError;
use crate::faults::{Armed, Fault, Faults};

/// Which rows a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Outbound orders, by `io_id`.
    #[default]
    Order,
    /// Shops, by `shop_id`.
    Shop,
}

/// A change of the stand-in's data. As JSON: `{"op":"change","kind":"order","id":…,"fields":{…}}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Mutation {
    /// Sets fields of a row. An order's stamp becomes now, unless the fields hold `modified`.
    Change {
        /// Orders or shops.
        kind: Kind,
        /// `io_id` or `shop_id`.
        id: i64,
        /// New values.
        fields: Map<String, Value>,
    },
    /// Adds a row with a new id. With an old `modified` among the fields it is a late arrival.
    Insert {
        /// Orders or shops.
        kind: Kind,
        /// Values over the generated ones.
        fields: Map<String, Value>,
    },
    /// Removes a row.
    Delete {
        /// Orders or shops.
        kind: Kind,
        /// `io_id` or `shop_id`.
        id: i64,
    },
    /// Touches the n-th order (from 0, by stamp) of a window as a later change would, so that the rest moves up.
    Shift {
        /// `YYYY-MM-DD HH:MM:SS`, Beijing time.
        begin: String,
        /// Likewise; included.
        end: String,
        /// Which row of the window.
        nth: usize,
    },
}

/// The JSON form; a flat structure, because numbers of any length do not survive the buffering of a tagged one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    op: String,
    #[serde(default)]
    kind: Kind,
    id: Option<i64>,
    #[serde(default)]
    fields: Map<String, Value>,
    begin: Option<String>,
    end: Option<String>,
    #[serde(default)]
    nth: usize,
}

impl Mutation {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// `HL-8004` with what is missing or not known.
    pub fn parse(json: &[u8]) -> Result<Self, SandboxError> {
        let order: Order = serde_json::from_slice(json)
            .map_err(|why| refused(text!("cannot read the change: {why}", "无法识别修改指令：{why}")))?;
        let Order { op, kind, id, fields, begin, end, nth } = order;
        match (op.as_str(), id, begin, end) {
            ("change", Some(id), ..) => Ok(Mutation::Change { kind, id, fields }),
            ("insert", ..) => Ok(Mutation::Insert { kind, fields }),
            ("delete", Some(id), ..) => Ok(Mutation::Delete { kind, id }),
            ("shift", _, Some(begin), Some(end)) => Ok(Mutation::Shift { begin, end, nth }),
            _ => Err(refused(text!(
                "cannot do the change `{op}`; there are `change` and `delete` (with `id`), `insert`, and `shift` (with `begin` and `end`)",
                "无法执行修改 `{op}`；可用的有 `change`、`delete`（需要 `id`）、`insert` 和 `shift`（需要 `begin` 与 `end`）"
            ))),
        }
    }
}

/// The id that a change was about.
pub(crate) type Changed = Result<i64, SandboxError>;

fn refused(text: Text) -> SandboxError {
    SandboxError::new(SandboxError::BAD_CHANGE, text)
}

fn unknown(kind: &str, id: impl std::fmt::Display) -> SandboxError {
    refused(text!(
        "there is no {kind} `{id}` to change; `truth` lists the ids",
        "没有可修改的 {kind} `{id}`；`truth` 会列出全部编号"
    ))
}

impl Jushuitan {
    pub(crate) fn mutate(&self, mutation: Mutation) -> Changed {
        let now = self.clock.seconds();
        let mut data = self.data_mut();
        let bad_stamp = || {
            refused(text!(
                "`modified` is no time; write it as `2026-01-31 08:00:00` (Beijing time)",
                "`modified` 不是时间；请写作 `2026-01-31 08:00:00`（北京时间）"
            ))
        };
        match mutation {
            Mutation::Change { kind: Kind::Order, id, fields } => {
                let index = Recipe::index_of(id).filter(|i| data.orders.exists(*i));
                let index = index.ok_or_else(|| unknown("io_id", id))?;
                data.orders.change(index, fields, now).map(|()| id).ok_or_else(bad_stamp)
            }
            Mutation::Change { kind: Kind::Shop, id, fields } => {
                data.shops.change(&id.to_string(), fields).map(|()| id).ok_or_else(|| unknown("shop_id", id))
            }
            Mutation::Insert { kind: Kind::Order, fields } => {
                data.orders.insert(fields, now).map(Recipe::io_id).ok_or_else(bad_stamp)
            }
            Mutation::Insert { kind: Kind::Shop, fields } => data
                .shops
                .insert(fields)
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| unknown("shop", "template")),
            Mutation::Delete { kind: Kind::Order, id } => {
                let index = Recipe::index_of(id).ok_or_else(|| unknown("io_id", id))?;
                data.orders.delete(index).map(|()| id).ok_or_else(|| unknown("io_id", id))
            }
            Mutation::Delete { kind: Kind::Shop, id } => {
                data.shops.delete(&id.to_string()).map(|()| id).ok_or_else(|| unknown("shop_id", id))
            }
            Mutation::Shift { begin, end, nth } => {
                let window = parse_beijing(&begin).zip(parse_beijing(&end)).ok_or_else(bad_stamp)?;
                let filter = super::orders::Filter { window: Some(window), ..Default::default() };
                let index = data.orders.view(&filter).get(nth).copied();
                let index = index.ok_or_else(|| unknown("row", nth))?;
                data.orders
                    .touch(index, now)
                    .map(|()| Recipe::io_id(index))
                    .ok_or_else(|| unknown("row", nth))
            }
        }
    }

    pub(crate) fn expire_token(&self) {
        self.state().tokens.expire_access(self.clock.millis());
    }

    pub(crate) fn revoke_refresh_token(&self) {
        self.state().tokens.revoke_refresh(self.clock.millis());
    }

    pub(crate) fn storm(&self, is_on: bool) {
        let mut state = self.state();
        state.is_storming = is_on;
        state.storm_left = 0;
    }

    pub(crate) fn collide(&self, is_on: bool) {
        self.data_mut().orders.set_colliding(is_on);
    }

    pub(crate) fn set_faults(&self, faults: &Faults) {
        let mut state = self.state();
        state.armed = Armed::new(faults, self.options.seed);
        self.data_mut().orders.set_colliding(faults.is_mode(Fault::Collide));
    }

    /// All orders that exist, as (`io_id`, JSON text), one after another.
    pub(crate) fn each_order(&self, mut visit: impl FnMut(i64, String)) {
        let data = self.data();
        for index in data.orders.all() {
            visit(Recipe::io_id(index), data.orders.json(index));
        }
    }

    pub(crate) fn shops(&self) -> BTreeMap<i64, String> {
        let data = self.data();
        let rows = data.shops.rows.iter();
        rows.filter_map(|r| Some((data.shops.key_of(r).parse().ok()?, serde_json::to_string(r).ok()?)))
            .collect()
    }

    /// Uploaded orders by `shop_id/so_id`.
    pub(crate) fn uploads(&self) -> BTreeMap<String, Value> {
        let uploads = self.uploaded();
        let rows = uploads.0.iter();
        rows.map(|((shop, so_id), up)| {
            (format!("{shop}/{so_id}"), json!({"o_id": up.o_id, "times": up.times, "order": up.order}))
        })
        .collect()
    }
}
