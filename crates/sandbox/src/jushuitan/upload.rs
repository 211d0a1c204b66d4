//! Orders that a client uploads.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::biz::as_int;
use super::check::Refusal;
use super::orders::Filter;
use super::rows::CO_ID;
use crate::clock::beijing;

/// One uploaded order.
#[derive(Debug, Clone)]
pub(crate) struct Uploaded {
    pub(crate) o_id: i64,
    pub(crate) order: Map<String, Value>,
    /// Seconds of the last upload.
    pub(crate) at: i64,
    /// How often it was uploaded.
    pub(crate) times: u64,
}

/// All uploaded orders by shop and online number, their identity.
#[derive(Debug, Default)]
pub(crate) struct Uploads(pub(crate) BTreeMap<(i64, String), Uploaded>);

impl Uploads {
    /// Takes a batch; each row has its own outcome.
    pub(crate) fn take(&mut self, biz: &str, now: i64) -> Result<(Value, usize), Refusal> {
        let Ok(Value::Array(rows)) = serde_json::from_str(biz) else {
            return Err(Refusal::parameter("biz"));
        };
        if rows.is_empty() || rows.len() > 50 {
            return Err(Refusal::parameter("订单数量须为1到50"));
        }
        let outcomes: Vec<Value> = rows
            .iter()
            .map(|row| match self.take_one(row, now) {
                Ok((o_id, so_id)) => json!({"o_id": o_id, "so_id": so_id, "issuccess": true, "msg": ""}),
                Err(why) => json!({"o_id": null, "so_id": row.get("so_id"), "issuccess": false, "msg": why}),
            })
            .collect();
        let count = outcomes.len();
        Ok((json!({ "datas": outcomes }), count))
    }

    fn take_one(&mut self, row: &Value, now: i64) -> Result<(i64, String), String> {
        let Value::Object(order) = row else { return Err("订单格式错误".into()) };
        let shop_id = order.get("shop_id").and_then(as_int).ok_or("shop_id不能为空")?;
        let so_id = match order.get("so_id") {
            Some(Value::String(s)) if !s.is_empty() => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            _ => return Err("so_id不能为空".into()),
        };
        let items =
            order.get("items").and_then(Value::as_array).filter(|i| !i.is_empty()).ok_or("items不能为空")?;
        let sum = items.iter().map(|i| amount(i.get("amount"))).sum::<Option<i128>>();
        let due =
            (|| Some(sum? - amount_or_zero(order.get("discount"))? + amount_or_zero(order.get("freight"))?))(
            );
        if due.is_none() || due != amount(order.get("pay_amount")) {
            return Err("金额不正确".into());
        }
        let is_unpaid = order.get("shop_status").is_some_and(|s| s == "WAIT_BUYER_PAY");
        if is_unpaid && order.get("pay").is_some_and(|p| !p.is_null()) {
            return Err("待付款订单不能带支付信息".into());
        }
        let next = 880_000_001 + self.0.len() as i64;
        let known = self.0.entry((shop_id, so_id.clone())).or_insert_with(|| Uploaded {
            o_id: next,
            order: Map::new(),
            at: now,
            times: 0,
        });
        known.order = order.clone();
        known.at = now;
        known.times += 1;
        Ok((known.o_id, so_id))
    }

    /// Uploaded orders that a query of sales orders finds.
    pub(crate) fn matching(&self, filter: &Filter) -> Vec<Map<String, Value>> {
        self.0
            .iter()
            .filter(|((shop, so_id), up)| {
                filter.window.is_none_or(|(b, e)| (b..=e).contains(&up.at))
                    && filter.shop_id.is_none_or(|id| id == *shop)
                    && (filter.so_ids.is_empty() || filter.so_ids.contains(so_id))
                    && (filter.o_ids.is_empty() || filter.o_ids.contains(&up.o_id))
            })
            .map(|(_, up)| {
                let mut row = up.order.clone();
                row.insert("co_id".into(), CO_ID.into());
                row.insert("o_id".into(), up.o_id.into());
                row.insert("modified".into(), beijing(up.at).into());
                row.insert("status".into(), "WaitConfirm".into());
                row
            })
            .collect()
    }
}

/// A decimal (number or text) in millionths, exactly; `None` where it is no decimal of that size.
fn amount(value: Option<&Value>) -> Option<i128> {
    let text = match value? {
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.trim().to_owned(),
        _ => return None,
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_decimal = !whole.is_empty()
        && whole.len() <= 20
        && part.len() <= 6
        && whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit());
    if !is_decimal {
        return None;
    }
    format!("{whole}{part:0<6}").parse::<i128>().ok().map(|n| sign * n)
}

fn amount_or_zero(value: Option<&Value>) -> Option<i128> {
    match value {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(s)) if s.is_empty() => Some(0),
        given => amount(given),
    }
}
