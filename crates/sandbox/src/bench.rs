//! A plain paged source for measurements: unsigned JSON over GET, the same bytes at every start.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::clock::{Clock, push_beijing};
use crate::log::{Entry, Verdict};
use crate::rng::Rng;
use crate::wire::{Answer, JSON};
use crate::write::{int, money, padded, text};

/// Up to this many records the pages of the default size are written once, at the start.
const PRERENDERED: u32 = 100_000;
/// Rows of a page unless the caller wants another number.
const PAGE: usize = 100;
/// Beyond 2^53.
const FIRST_ID: i64 = 6_120_045_118_003_000_001;
/// 2026-09-01 00:00:00 in Beijing: stamps do not depend on the day of the measurement.
const FIRST_STAMP: i64 = 1_788_192_000;

/// The source.
#[derive(Debug)]
pub(crate) struct Bench {
    seed: u64,
    records: u32,
    pages: Vec<Bytes>,
    clock: Clock,
    per_second: u32,
    recent: Mutex<std::collections::VecDeque<i64>>,
}

impl Bench {
    pub(crate) fn new(seed: u64, records: u32, per_second: u32, clock: Clock) -> Self {
        let mut bench =
            Bench { seed, records, pages: Vec::new(), clock, per_second, recent: Mutex::default() };
        if records <= PRERENDERED {
            let last = (records as usize).div_ceil(PAGE).max(1);
            bench.pages = (1..=last).map(|page| bench.write_page(page, PAGE)).collect();
        }
        bench
    }

    pub(crate) fn answer(&self, method: &str, path: &str, query: &str) -> (Answer, Entry) {
        let mut entry = Entry::new(self.clock.now(), method, path);
        if path != "/orders" || method != "GET" {
            entry.verdict = Verdict::NotServed;
            entry.http = 404;
            return (
                Answer::new(404, JSON, r#"{"code":404,"msg":"GET /orders?page=1&page_size=100"}"#),
                entry,
            );
        }
        if self.is_too_fast() {
            entry.verdict = Verdict::RateSecond;
            entry.http = 429;
            let mut answer = Answer::new(429, JSON, r#"{"code":429,"msg":"too many requests"}"#);
            answer.retry_after = Some(1);
            return (answer, entry);
        }
        let (mut page, mut size) = (Some(1_usize), Some(PAGE));
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "page" => page = value.parse().ok(),
                "page_size" => size = value.parse().ok(),
                _ => {}
            }
            entry.params.push((key.into_owned(), value.into_owned()));
        }
        let (Some(page @ 1..), Some(size @ 1..)) = (page, size) else {
            entry.verdict = Verdict::Parameter;
            entry.http = 400;
            return (Answer::new(400, JSON, r#"{"code":400,"msg":"page and page_size start at 1"}"#), entry);
        };
        let size = size.min(1_000);
        let from = (page - 1).saturating_mul(size).min(self.records as usize);
        entry.rows = size.min(self.records as usize - from);
        entry.code = Some(0);
        let ready = if size == PAGE { self.pages.get(page - 1).cloned() } else { None };
        (Answer::json(ready.unwrap_or_else(|| self.write_page(page, size))), entry)
    }

    fn is_too_fast(&self) -> bool {
        if self.per_second == 0 {
            return false;
        }
        let now = self.clock.millis();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|t| now - t >= 1_000) {
            recent.pop_front();
        }
        recent.push_back(now);
        recent.len() > self.per_second as usize
    }

    fn write_page(&self, page: usize, size: usize) -> Bytes {
        let total = self.records as usize;
        let from = (page - 1).saturating_mul(size).min(total);
        let to = (from + size).min(total);
        let mut out = Vec::with_capacity((to - from) * 1_200 + 128);
        out.extend_from_slice(
            format!(
                r#"{{"code":0,"msg":"ok","data":{{"total":{total},"page":{page},"page_size":{size},"has_next":{},"datas":["#,
                to < total
            )
            .as_bytes(),
        );
        for index in from..to {
            if index > from {
                out.push(b',');
            }
            self.write_row(index as u32, &mut out);
        }
        out.extend_from_slice(b"]}}");
        Bytes::from(out)
    }

    /// Ids and JSON texts of all rows.
    pub(crate) fn each(&self, mut visit: impl FnMut(i64, String)) {
        for index in 0..self.records {
            let mut out = Vec::with_capacity(1_200);
            self.write_row(index, &mut out);
            visit(FIRST_ID + i64::from(index), String::from_utf8(out).unwrap_or_default());
        }
    }

    fn write_row(&self, index: u32, out: &mut Vec<u8>) {
        const CITIES: &[&str] = &["杭州市", "深圳市", "成都市", "厦门市", "西安市"];
        const NAMES: &[&str] = &["陈晓岚", "王一鸣", "刘思远", "欧阳静", "赵铁柱"];
        const NOTES: &[&str] = &["", "请放门卫处", "生日礼物🎂，附贺卡", "颜色选深一点的，谢谢"];
        const GOODS: &[&str] = &["纯棉圆领短袖T恤", "防泼水双肩背包", "手冲咖啡壶套装", "儿童绘本（全十册）"];
        let mut rng = Rng::of(self.seed, 9, u64::from(index));
        let stamp = FIRST_STAMP + i64::from(index) * 2;
        let count = 2 + rng.below(2);
        let mut items = Vec::with_capacity(512);
        let (mut total, mut pieces) = (0, 0);
        for line in 0..count as i64 {
            let (price, qty) = (500 + rng.below(50_000) as i64, 1 + rng.below(4) as i64);
            (total, pieces) = (total + price * qty, pieces + qty);
            text(&mut items, if line == 0 { r#"{"line_id":"# } else { r#",{"line_id":"# });
            int(&mut items, i64::from(index) * 4 + line);
            text(&mut items, r#","sku":"SKU-"#);
            padded(&mut items, rng.below(100_000), 6);
            text(&mut items, r#"","name":""#);
            text(&mut items, rng.pick(GOODS));
            text(&mut items, r#"","qty":"#);
            int(&mut items, qty);
            text(&mut items, r#","price":"#);
            money(&mut items, price, false);
            text(&mut items, r#","amount":"#);
            money(&mut items, price * qty, false);
            text(&mut items, r#","gift":false}"#);
        }
        let (freight, discount) = (rng.below(3) as i64 * 500, rng.below(10) as i64 * 100);
        text(out, r#"{"id":"#);
        int(out, FIRST_ID + i64::from(index));
        text(out, r#","order_no":"B"#);
        padded(out, u64::from(index), 10);
        text(out, r#"","shop_id":"#);
        int(out, 20_001 + rng.below(40) as i64);
        text(out, r#","shop_name":"云杉官方旗舰店","status":""#);
        text(out, rng.pick(&["Confirmed", "Confirmed", "Confirmed", "Cancelled"]));
        text(out, r#"","buyer_nick":"买家***"#);
        padded(out, rng.below(1_000), 3);
        text(out, r#"","receiver_name":""#);
        text(out, rng.pick(NAMES));
        text(out, r#"","receiver_mobile":"138****"#);
        padded(out, rng.below(10_000), 4);
        text(out, r#"","province":"浙江省","city":""#);
        text(out, rng.pick(CITIES));
        text(out, r#"","address":"文一西路"#);
        int(out, 1 + rng.below(999) as i64);
        text(out, r#"号2幢","created":""#);
        push_beijing(out, stamp - 3_600 - rng.below(80_000) as i64);
        text(out, r#"","pay_time":""#);
        push_beijing(out, stamp - 3_000);
        text(out, r#"","modified":""#);
        push_beijing(out, stamp);
        text(out, r#"","total_amount":"#);
        money(out, total, false);
        text(out, r#","pay_amount":"#);
        money(out, (total + freight - discount).max(0), false);
        text(out, r#","freight":"#);
        money(out, freight, true);
        text(out, r#","discount":"#);
        money(out, discount, true);
        text(out, r#","pieces":"#);
        int(out, pieces);
        text(out, r#","weight":"1."#);
        padded(out, rng.below(1_000), 3);
        text(out, r#"","currency":"CNY","is_cod":false,"carrier":"顺丰速运","tracking_no":"SF"#);
        padded(out, rng.next() % 10_000_000_000_000, 13);
        text(out, r#"","invoice":null,"remark":""#);
        text(out, rng.pick(NOTES));
        text(out, r#"","items":["#);
        out.extend_from_slice(&items);
        text(out, "]}");
    }
}

#[cfg(test)]
mod tests {
    use super::Bench;
    use crate::clock::Clock;

    #[test]
    fn rows_are_about_a_kilobyte_and_pages_agree_with_them() {
        let bench = Bench::new(1, 250, 0, Clock::system());
        let mut size = 0;
        bench.each(|_, row| size += row.len());
        assert!((850..1_150).contains(&(size / 250)), "{}", size / 250);
        let (answer, entry) = bench.answer("GET", "/orders", "page=3&page_size=100");
        assert_eq!(entry.rows, 50);
        let page: serde_json::Value = serde_json::from_slice(&answer.body).expect("json");
        assert_eq!(page["data"]["datas"].as_array().map(Vec::len), Some(50));
        assert_eq!((&page["data"]["total"], &page["data"]["has_next"]), (&250.into(), &false.into()));
        assert_eq!(bench.answer("GET", "/orders", "page=0").0.status, 400);
        assert_eq!(bench.answer("GET", "/orders", "page=9").1.rows, 0);
    }
}
