//! The reading APIs.

use serde_json::{Map, Value};

use super::biz::{Biz, PageAsked, WEEK};
use super::check::Refusal;
use super::orders::Filter;
use super::page::{Cut, Page};
use super::rows::STATUSES;
use super::tables::Table;
use super::upload::Uploads;
use super::{Data, Jushuitan};
use crate::clock::parse_beijing;
use crate::faults::Fault;

/// What else a page leads to once it is sent.
#[derive(Debug, Default)]
pub(crate) struct After {
    /// Order indexes on this page (outbound orders only).
    pub(crate) rows: Vec<u32>,
    /// The window asked for, where one was.
    pub(crate) window: Option<(i64, i64)>,
    /// The state asked for.
    pub(crate) status: Option<String>,
}

/// How pages are cut for one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) is_strict: bool,
    pub(crate) is_stuck: bool,
}

impl Jushuitan {
    /// Answers a query path; `None` where there is no such path.
    pub(crate) fn query(
        &self,
        path: &str,
        biz: &Biz,
        data: &Data,
        habits: Habits,
    ) -> Option<Result<(Page, After), Refusal>> {
        let plain = |page: Result<Page, Refusal>| page.map(|p| (p, After::default()));
        Some(match path {
            "/open/shops/query" => plain(shops(biz, &data.shops, habits)),
            "/open/orders/out/simple/query" => outbound(biz, data, habits),
            "/open/orders/single/query" => plain(orders(biz, data, &self.uploaded(), habits)),
            "/open/inventory/query" => plain(inventory(biz, &data.inventory, habits)),
            "/open/wms/partner/query" => plain(biz.page(30, 100, habits.is_strict).map(|asked| {
                table_page("datas", asked, &data.partners.rows.iter().collect::<Vec<_>>(), habits)
            })),
            "/open/sku/query" => plain(skus(biz, &data.skus, habits)),
            _ => return None,
        })
    }
}

fn table_page(key: &'static str, asked: PageAsked, rows: &[&Map<String, Value>], habits: Habits) -> Page {
    let cut = Cut::of(rows.len(), asked, habits.is_stuck);
    let mut page = Page::new(key, asked, cut.has_next);
    for row in rows.get(cut.from..cut.to).unwrap_or_default() {
        page.row(|out| out.extend_from_slice(serde_json::to_string(row).unwrap_or_default().as_bytes()));
    }
    page
}

fn shops(biz: &Biz, table: &Table, habits: Habits) -> Result<Page, Refusal> {
    let asked = biz.page(100, 100, habits.is_strict)?;
    let ids = biz.texts("shop_ids", usize::MAX)?;
    let nicks = biz.texts("nicks", usize::MAX)?;
    let rows: Vec<_> = table
        .rows
        .iter()
        .filter(|r| ids.is_empty() || ids.contains(&table.key_of(r)))
        .filter(|r| nicks.is_empty() || nicks.iter().any(|n| r.get("nick").is_some_and(|v| v == n.as_str())))
        .collect();
    Ok(table_page("datas", asked, &rows, habits))
}

fn skus(biz: &Biz, table: &Table, habits: Habits) -> Result<Page, Refusal> {
    let asked = biz.page(30, 50, habits.is_strict)?;
    let ids = biz.texts("sku_ids", 20)?;
    let window = biz.window(WEEK)?;
    if ids.is_empty() && window.is_none() {
        return Err(Refusal::parameter("sku_ids与修改时间不能同时为空"));
    }
    let rows: Vec<_> = table
        .rows
        .iter()
        .filter(|r| ids.is_empty() || ids.contains(&table.key_of(r)))
        .filter(|r| window.is_none_or(|w| is_modified_in(r, w)))
        .collect();
    Ok(table_page("datas", asked, &rows, habits))
}

fn inventory(biz: &Biz, table: &Table, habits: Habits) -> Result<Page, Refusal> {
    let asked = biz.page(30, 100, habits.is_strict)?;
    let ids = biz.texts("sku_ids", 100)?;
    let (window, ts) = (biz.window(WEEK)?, biz.int("ts")?);
    match (window, ts) {
        (Some(_), Some(_)) => return Err(Refusal::parameter("ts与修改时间不能同时使用")),
        (None, None) if ids.is_empty() => {
            return Err(Refusal::parameter("修改时间、ts、sku_ids不能同时为空"));
        }
        _ => {}
    }
    let rows: Vec<_> = table
        .rows
        .iter()
        .filter(|r| ids.is_empty() || ids.contains(&table.key_of(r)))
        .filter(|r| window.is_none_or(|w| is_modified_in(r, w)))
        .filter(|r| ts.is_none_or(|ts| r.get("ts").and_then(Value::as_i64).is_some_and(|t| t >= ts)))
        .collect();
    Ok(table_page("inventorys", asked, &rows, habits))
}

fn is_modified_in(row: &Map<String, Value>, (begin, end): (i64, i64)) -> bool {
    row.get("modified")
        .and_then(Value::as_str)
        .and_then(parse_beijing)
        .is_some_and(|t| (begin..=end).contains(&t))
}

fn outbound(biz: &Biz, data: &Data, habits: Habits) -> Result<(Page, After), Refusal> {
    let asked = biz.page(30, 50, habits.is_strict)?;
    let is_distributor = biz.int("drp_co_id")?.is_some();
    let mut filter = Filter {
        window: biz.window(if is_distributor { 86_400 } else { WEEK })?,
        is_by_io_date: match biz.int("date_type")? {
            None | Some(0) => false,
            Some(2) => true,
            Some(_) => return Err(Refusal::parameter("date_type")),
        },
        start_ts: biz.int("start_ts")?,
        shop_id: biz.int("shop_id")?,
        status: biz.text("status")?,
        wms_co_id: biz.int("wms_co_id")?,
        so_ids: biz.texts("so_ids", 50)?,
        o_ids: biz.ints("o_ids", 50)?,
        io_ids: biz.ints("io_ids", 50)?,
        wave_ids: biz.ints("wave_ids", 50)?,
        l_ids: biz.texts("l_ids", 20)?,
        is_empty: is_distributor,
    };
    if filter.status.as_deref().is_some_and(|s| !STATUSES.contains(&s)) {
        return Err(Refusal::parameter("status"));
    }
    if biz.bool("is_offline_shop", false)? && filter.shop_id == Some(0) {
        filter.is_empty = true;
    }
    let has_ids = !(filter.so_ids.is_empty()
        && filter.o_ids.is_empty()
        && filter.io_ids.is_empty()
        && filter.wave_ids.is_empty()
        && filter.l_ids.is_empty());
    if filter.window.is_none() && filter.start_ts.is_none() && !has_ids {
        return Err(Refusal::parameter("修改时间、start_ts与单号不能同时为空"));
    }

    let orders = &data.orders;
    let (rows, skipped) = match filter.start_ts {
        None => (orders.view(&filter), 0),
        Some(ts) => {
            // One view serves every cursor position.
            let rows = orders.view(&Filter { start_ts: Some(i64::MIN), ..filter.clone() });
            let skipped = rows.partition_point(|i| orders.ts(*i) < ts);
            (rows, skipped)
        }
    };
    let rows = rows.get(skipped..).unwrap_or_default();
    let cut = Cut::of(rows.len(), asked, habits.is_stuck);
    let mut page = Page::new("datas", asked, cut.has_next);
    if biz.bool("is_get_total", true)? {
        page.total = Some(rows.len());
    }
    let rows = rows.get(cut.from..cut.to).unwrap_or_default();
    for index in rows {
        page.row(|out| orders.write(*index, out));
    }
    Ok((page, After { rows: rows.to_vec(), window: filter.window, status: filter.status }))
}

/// Sales orders: the same orders seen from the selling side, and those that were uploaded.
fn orders(biz: &Biz, data: &Data, uploads: &Uploads, habits: Habits) -> Result<Page, Refusal> {
    let asked = biz.page(30, 100, habits.is_strict)?;
    let filter = Filter {
        window: biz.window(WEEK)?,
        shop_id: biz.int("shop_id")?,
        so_ids: biz.texts("so_ids", 20)?,
        o_ids: biz.ints("o_ids", 20)?,
        ..Filter::default()
    };
    if filter.window.is_none() && filter.so_ids.is_empty() && filter.o_ids.is_empty() {
        return Err(Refusal::parameter("修改时间与单号不能同时为空"));
    }
    let rows = data.orders.view(&filter);
    let added = uploads.matching(&filter);
    let total = rows.len() + added.len();
    let cut = Cut::of(total, asked, habits.is_stuck);
    let mut page = Page::new("orders", asked, cut.has_next);
    page.total = Some(total);
    for at in cut.from..cut.to {
        let row = match rows.get(at) {
            Some(index) => sales_order(&data.orders.json(*index)),
            None => added.get(at - rows.len()).cloned().unwrap_or_default(),
        };
        page.row(|out| out.extend_from_slice(serde_json::to_string(&row).unwrap_or_default().as_bytes()));
    }
    Ok(page)
}

fn sales_order(outbound: &str) -> Map<String, Value> {
    const KEPT: &[&str] = &[
        "co_id",
        "shop_id",
        "o_id",
        "so_id",
        "created",
        "modified",
        "order_type",
        "shop_name",
        "pay_amount",
        "paid_amount",
        "free_amount",
        "freight",
        "receiver_state",
        "receiver_city",
        "receiver_district",
        "receiver_name",
        "receiver_mobile",
        "buyer_message",
        "remark",
        "labels",
        "pay_date",
        "wms_co_id",
        "items",
    ];
    let row: Map<String, Value> = serde_json::from_str(outbound).unwrap_or_default();
    let status = match row.get("status").and_then(Value::as_str) {
        Some("Confirmed") => "Sent",
        Some("Cancelled" | "Delete") => "Cancelled",
        _ => "WaitConfirm",
    };
    let mut order: Map<String, Value> =
        KEPT.iter().filter_map(|k| Some(((*k).to_owned(), row.get(*k)?.clone()))).collect();
    order.insert("status".into(), status.into());
    order
}

/// The fault that decides how `has_next` is written.
pub(crate) const NEXT_STYLES: [Fault; 2] = [Fault::StringNext, Fault::IntNext];
