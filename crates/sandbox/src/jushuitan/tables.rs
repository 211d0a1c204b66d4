//! The small data sets: shops, goods, stock, warehouses.

use serde_json::{Map, Value, json};

use super::rows::{CO_ID, Recipe, shop_name};
use crate::clock::beijing;
use crate::rng::Rng;

/// Rows in memory with a key.
#[derive(Debug, Default)]
pub(crate) struct Table {
    key: &'static str,
    pub(crate) rows: Vec<Map<String, Value>>,
}

impl Table {
    fn new(key: &'static str, rows: impl Iterator<Item = Value>) -> Self {
        let rows = rows.filter_map(|v| if let Value::Object(m) = v { Some(m) } else { None }).collect();
        Table { key, rows }
    }

    /// A row's key as text.
    pub(crate) fn key_of(&self, row: &Map<String, Value>) -> String {
        match row.get(self.key) {
            Some(Value::String(s)) => s.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    fn find(&mut self, id: &str) -> Option<usize> {
        self.rows.iter().position(|r| self.key_of(r) == id)
    }

    pub(crate) fn change(&mut self, id: &str, fields: Map<String, Value>) -> Option<()> {
        let at = self.find(id)?;
        self.rows.get_mut(at)?.extend(fields);
        Some(())
    }

    pub(crate) fn delete(&mut self, id: &str) -> Option<()> {
        let at = self.find(id)?;
        self.rows.remove(at);
        Some(())
    }

    /// Adds a copy of the last row under the next number, with `fields` on top; gives its key.
    pub(crate) fn insert(&mut self, fields: Map<String, Value>) -> Option<String> {
        let mut row = self.rows.last()?.clone();
        let next = self.rows.iter().filter_map(|r| r.get(self.key)?.as_i64()).max()? + 1;
        row.insert(self.key.to_owned(), next.into());
        row.extend(fields);
        let id = self.key_of(&row);
        self.rows.push(row);
        Some(id)
    }
}

/// Shops, with gaps in their fields as real ones have them.
pub(crate) fn shops(count: u32, seed: u64, now: i64) -> Table {
    const SITES: &[&str] =
        &["商家自有商城", "淘宝天猫", "京东商城", "抖音放心购", "拼多多", "快手小店", "线下"];
    const GROUPS: &[&str] = &["", "华东组", "华南组", "直播组"];
    let row = move |i: u32| {
        let mut rng = Rng::of(seed, 3, u64::from(i));
        let created = now - 86_400 * (30 + rng.below(900) as i64) - rng.below(86_400) as i64;
        let expires = now + 86_400 * (rng.below(500) as i64 - 60);
        let group = rng.below(GROUPS.len() as u64);
        let mut row = json!({
            "shop_id": Recipe::shop_id(i),
            "shop_name": shop_name(i),
            "co_id": CO_ID,
            "shop_site": rng.pick(SITES),
            "shop_url": if i.is_multiple_of(3) { String::new() } else { format!("https://shop{:05}.example.cn", i + 1) },
            "created": if i % 7 == 3 { String::new() } else { beijing(created) },
            "nick": if i % 5 == 4 { String::new() } else { format!("主账号_{:04}", i + 1) },
            "session_expired": match i % 4 { 0 => json!(""), 1 => Value::Null, _ => json!(beijing(expires)) },
            "session_uid": match i % 6 { 0 => Value::Null, 1 => json!(""), _ => json!(format!("22{:011}", rng.below(99_999_999_999))) },
            "short_name": if i.is_multiple_of(2) { "" } else { "简称" },
            "group_id": group,
            "group_name": GROUPS.get(group as usize),
        });
        if i % 11 == 10 {
            // Fields no description names.
            row["ext_tags"] = json!(["重点", "🔥"]);
        }
        row
    };
    Table::new("shop_id", (0..count).map(row))
}

const GOODS: u32 = 240;

/// Goods.
pub(crate) fn skus(seed: u64, now: i64) -> Table {
    let row = move |i: u32| {
        let mut rng = Rng::of(seed, 4, u64::from(i));
        json!({
            "sku_id": format!("SKU{:05}", i + 1),
            "i_id": format!("ITEM{:04}", i / 4 + 1),
            "name": format!("测试商品{}", i / 4 + 1),
            "short_name": null,
            "properties_value": rng.pick(&["红色;S", "红色;M", "蓝色;S", "蓝色;M"]),
            "sale_price": format!("{}.{:02}", rng.below(500), rng.below(100)),
            "cost_price": null,
            "sku_code": format!("69{:011}", rng.below(99_999_999_999)),
            "enabled": 1,
            "weight": "0.250",
            "modified": beijing(now - i64::from(GOODS - i) * 900),
            "created": beijing(now - 86_400 * 90),
            "co_id": CO_ID,
        })
    };
    Table::new("sku_id", (0..GOODS).map(row))
}

/// Stock: quantities are decimal text.
pub(crate) fn inventory(seed: u64, now: i64) -> Table {
    let row = move |i: u32| {
        let mut rng = Rng::of(seed, 5, u64::from(i));
        json!({
            "sku_id": format!("SKU{:05}", i + 1),
            "i_id": format!("ITEM{:04}", i / 4 + 1),
            "name": format!("测试商品{}", i / 4 + 1),
            "qty": format!("{}.{:04}", rng.below(400), rng.below(4) * 2500),
            "order_lock": rng.below(9).to_string(),
            "pick_lock": rng.below(4).to_string(),
            "virtual_qty": if i.is_multiple_of(9) { "-1" } else { "0" },
            "purchase_qty": "0",
            "return_qty": "0",
            "in_qty": rng.below(20).to_string(),
            "defective_qty": "0.5",
            "min_qty": null,
            "max_qty": "",
            "modified": beijing(now - i64::from(GOODS - i) * 600),
            "ts": 18_014_398_600_000_000_i64 + i64::from(i) * 4,
        })
    };
    Table::new("sku_id", (0..GOODS).map(row))
}

/// Warehouses.
pub(crate) fn partners() -> Table {
    let names = ["主仓", "华南分仓", "海外仓（已停用）", "云仓🏭"];
    let row = |(i, name): (usize, &&str)| {
        json!({
            "name": name,
            "co_id": CO_ID,
            "wms_co_id": if i == 0 { 0 } else { 14_200 + i },
            "is_main": i == 0,
            "status": if i == 2 { "停用" } else { "生效" },
            "remark1": "",
            "remark2": null,
        })
    };
    Table::new("wms_co_id", names.iter().enumerate().map(row))
}
