//! Outbound orders, written out by index: the same seed and index give the same bytes, nothing is kept in memory.

use crate::clock::push_beijing;
use crate::rng::{Rng, mix};
use crate::write::{int, money, padded, text};

/// Larger than 2^53, so that a client that reads numbers as binary floating point is caught.
const FIRST_IO_ID: i64 = 7_318_405_112_006_000_001;
const FIRST_TS: i64 = 18_014_398_509_482_001;
const FIRST_O_ID: i64 = 330_000_001;
const FIRST_SHOP_ID: i64 = 10_270_011;
/// The merchant.
pub(crate) const CO_ID: i64 = 13_807;

/// The states a caller may filter by.
pub(crate) const STATUSES: [&str; 6] =
    ["WaitConfirm", "Confirmed", "Delete", "Cancelled", "OuterConfirming", "Archive"];

const SURNAMES: &[&str] = &["张", "王", "李", "赵", "陈", "刘", "杨", "黄", "周", "吴", "欧阳", "司徒"];
const PLACES: &[&str] = &[
    r#""receiver_state":"浙江省","receiver_city":"杭州市","receiver_district":"余杭区""#,
    r#""receiver_state":"广东省","receiver_city":"深圳市","receiver_district":"南山区""#,
    r#""receiver_state":"上海","receiver_city":"上海市","receiver_district":"浦东新区""#,
    r#""receiver_state":"四川省","receiver_city":"成都市","receiver_district":"武侯区""#,
    r#""receiver_state":"新疆维吾尔自治区","receiver_city":"乌鲁木齐市","receiver_district":"天山区""#,
    r#""receiver_state":"福建省","receiver_city":"厦门市","receiver_district":"思明区""#,
];
const MESSAGES: &[&str] = &[
    "",
    "",
    "",
    "请尽快发货",
    "送礼用，不要放价格单🎁",
    "周末在家，请\\\"当面\\\"签收",
    "颜色发深的那款😀",
    "开发票\\n抬头见备注",
];
const REMARKS: &[&str] =
    &["", "", "", "老客户，多送一双袜子", "50% 定金 & 尾款已付", "地址\\\\门牌待核实", "👨‍👩‍👧 家庭装"];
const CARRIERS: &[(&str, &str)] =
    &[("SF", "顺丰速运"), ("ZTO", "中通快递"), ("YTO", "圆通速递"), ("JD", "京东快递"), ("EMS", "邮政特快")];
const GOODS: &[(&str, &str)] = &[
    ("TS", "纯棉圆领T恤"),
    ("JK", "防风连帽夹克"),
    ("SC", "羊绒围巾"),
    ("MG", "陶瓷马克杯（带盖）"),
    ("LP", "护眼台灯"),
    ("TE", "明前龙井茶250g"),
    ("BG", "帆布托特包"),
    ("SH", "轻便跑步鞋"),
];
const VARIANTS: &[&str] = &["白色;M", "黑色;L", "藏青;XL", "米白;均码", "雾霾蓝;S", "军绿;XXL"];

/// What an order's filters and keys need, without writing it out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) shop_id: i64,
    pub(crate) status: &'static str,
    pub(crate) wms_co_id: i64,
    pub(crate) wave_id: i64,
}

/// The rule from index to order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) shops: u32,
    /// Every tenth order takes its predecessor's number.
    pub(crate) is_colliding: bool,
}

impl Recipe {
    pub(crate) fn io_id(index: u32) -> i64 {
        FIRST_IO_ID + i64::from(index)
    }

    pub(crate) fn index_of(io_id: i64) -> Option<u32> {
        io_id.checked_sub(FIRST_IO_ID).and_then(|i| u32::try_from(i).ok())
    }

    pub(crate) fn shop_id(index: u32) -> i64 {
        FIRST_SHOP_ID + i64::from(index)
    }

    pub(crate) fn o_id(self, index: u32) -> i64 {
        let shared = self.is_colliding && index % 10 == 1;
        FIRST_O_ID + i64::from(index) - i64::from(shared)
    }

    /// The row version; every 25th order shares it with its predecessor, so that equal ones meet page borders.
    pub(crate) fn ts(index: u32) -> i64 {
        let shared = index > 0 && index.is_multiple_of(25);
        FIRST_TS + 8 * (i64::from(index) - i64::from(shared))
    }

    pub(crate) fn facts(self, index: u32) -> Facts {
        let h = mix(self.seed ^ mix(u64::from(index)));
        let status = match h % 100 {
            0..=2 => "WaitConfirm",
            3..=5 => "Cancelled",
            6 => "Delete",
            7 => "OuterConfirming",
            _ => "Confirmed",
        };
        let shop = (h >> 16) % u64::from(self.shops.max(1));
        Facts {
            shop_id: FIRST_SHOP_ID + shop as i64,
            status,
            wms_co_id: [0, 0, 0, 14_201][(h >> 40) as usize % 4],
            wave_id: 90_001 + i64::from(index / 40),
        }
    }

    pub(crate) fn so_id(self, index: u32) -> String {
        let mut out = Vec::with_capacity(20);
        self.push_so_id(index, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    pub(crate) fn l_id(self, index: u32) -> String {
        let mut out = Vec::with_capacity(20);
        let carrier = CARRIERS[self.carrier(index)];
        self.push_l_id(index, carrier.0, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Seconds between the outbound scan and the last change.
    pub(crate) fn io_date(self, index: u32, modified: i64) -> i64 {
        modified - (mix(self.seed ^ u64::from(index)) % 90) as i64
    }

    fn carrier(self, index: u32) -> usize {
        (mix(self.seed ^ 0x51 ^ mix(u64::from(index))) % CARRIERS.len() as u64) as usize
    }

    fn push_so_id(self, index: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"DD26");
        padded(out, u64::from(index) + 1, 9);
        out.push(b'-');
        padded(out, self.seed % 100, 2);
    }

    fn push_l_id(self, index: u32, carrier: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(carrier.as_bytes());
        padded(out, mix(u64::from(index) ^ self.seed) % 10_000_000_000_000, 13);
    }

    /// Writes the order as JSON.
    pub(crate) fn write(self, index: u32, modified: i64, ts: i64, out: &mut Vec<u8>) {
        let facts = self.facts(index);
        let mut rng = Rng::of(self.seed, 2, u64::from(index));
        let is_out = facts.status == "Confirmed";
        let created = modified - 600 - rng.below(40_000) as i64;
        let mut items = Vec::with_capacity(700);
        let total = self.write_items(index, &mut rng, &mut items);
        let freight = [0, 0, 0, 600, 1_250][rng.below(5) as usize];
        let free = rng.below(5) as i64 * 150;
        let pay = (total + freight - free).max(0);
        let carrier = CARRIERS[self.carrier(index)];

        text(out, r#"{"co_id":"#);
        int(out, CO_ID);
        text(out, r#","shop_id":"#);
        int(out, facts.shop_id);
        text(out, r#","io_id":"#);
        int(out, Recipe::io_id(index));
        text(out, r#","o_id":"#);
        int(out, self.o_id(index));
        text(out, r#","so_id":""#);
        self.push_so_id(index, out);
        text(out, r#"","created":""#);
        if index % 53 != 7 {
            push_beijing(out, created);
        }
        text(out, r#"","modified":""#);
        push_beijing(out, modified);
        text(out, r#"","status":""#);
        text(out, facts.status);
        text(out, r#"","order_type":"普通订单","invoice_title":"","shop_buyer_id":"买家***"#);
        padded(out, rng.below(100), 2);
        text(out, r#"","open_id":"AAH-"#);
        padded(out, rng.next() % 1_000_000_000_000, 12);
        text(out, r#"","receiver_country":"中国","#);
        text(out, rng.pick(PLACES));
        text(out, r#","receiver_town":null,"receiver_address":"***","receiver_name":""#);
        text(out, rng.pick(SURNAMES));
        text(out, r#"**","receiver_phone":"","receiver_mobile":"1"#);
        padded(out, 30 + rng.below(70), 2);
        text(out, "****");
        padded(out, rng.below(10_000), 4);
        text(out, r#"","buyer_message":""#);
        text(out, rng.pick(MESSAGES));
        text(out, r#"","remark":""#);
        text(out, rng.pick(REMARKS));
        text(out, r#"","is_cod":"#);
        text(out, if rng.below(20) == 0 { "true" } else { "false" });
        text(out, r#","pay_amount":"#);
        money(out, pay, index.is_multiple_of(3));
        text(out, r#","l_id":""#);
        if is_out {
            self.push_l_id(index, carrier.0, out);
        }
        text(out, r#"","io_date":"#);
        if is_out {
            out.push(b'"');
            push_beijing(out, self.io_date(index, modified));
            out.push(b'"');
        } else {
            text(out, "null");
        }
        text(out, r#","lc_id":""#);
        text(out, carrier.0);
        text(out, r#"","stock_enabled":"1","drp_co_id_from":"","labels":""#);
        text(out, ["", "", "加急", "直播,赠品"][rng.below(4) as usize]);
        text(out, r#"","paid_amount":"#);
        money(out, pay, index % 3 == 1);
        text(out, r#","free_amount":"#);
        money(out, free, false);
        text(out, r#","freight":"#);
        money(out, freight, index.is_multiple_of(2));
        text(out, r#","weight":"0."#);
        padded(out, 100 + rng.below(900), 3);
        text(out, r#"","f_weight":"#);
        int(out, rng.below(3) as i64);
        out.push(b'.');
        padded(out, rng.below(1000), 3);
        text(out, r#","merge_so_id":"","wms_co_id":"#);
        int(out, facts.wms_co_id);
        text(out, r#","business_staff":"","currency":"CNY","pay_date":"#);
        if rng.below(30) == 0 {
            text(out, "null");
        } else {
            out.push(b'"');
            push_beijing(out, created + 30);
            out.push(b'"');
        }
        text(out, r#","logistics_company":""#);
        text(out, carrier.1);
        text(out, r#"","wave_id":"#);
        int(out, facts.wave_id);
        text(out, r#","seller_flag":"#);
        int(out, rng.below(6) as i64);
        text(
            out,
            r#","order_staff_id":0,"order_staff_name":"","node":null,"is_print_express":true,"is_print":"#,
        );
        text(out, if is_out { "true" } else { "false" });
        text(out, r#","shop_name":""#);
        text(out, &shop_name((facts.shop_id - FIRST_SHOP_ID) as u32));
        text(out, r#"","ts":"#);
        int(out, ts);
        if index % 97 == 5 {
            // A field no description names, with more digits than binary floating point keeps.
            text(out, r#","ext_settle":{"rate":0.12345678901234567891,"渠道":"直播"}"#);
        }
        text(out, r#","items":["#);
        out.extend_from_slice(&items);
        text(out, r#"],"batchs":[],"sns":[],"cluster_infos":[]}"#);
    }

    /// Writes two or three items; gives their sum in cents.
    fn write_items(self, index: u32, rng: &mut Rng, out: &mut Vec<u8>) -> i64 {
        let count = 2 + rng.below(2);
        let mut total = 0;
        for line in 0..count {
            let good = GOODS[rng.below(GOODS.len() as u64) as usize];
            let model = 100 + rng.below(60);
            let variant = rng.below(VARIANTS.len() as u64) as usize;
            let qty = 1 + rng.below(3) as i64;
            let is_gift = line == 2 && rng.below(3) == 0;
            let price = if is_gift { 0 } else { 990 + 10 * rng.below(3_000) as i64 };
            total += price * qty;
            if line > 0 {
                out.push(b',');
            }
            text(out, r#"{"ioi_id":"#);
            int(out, (Recipe::io_id(index) % 1_000_000_000_000) * 10 + line as i64);
            text(out, r#","oi_id":"#);
            int(out, self.o_id(index) * 10 + line as i64);
            text(out, r#","sku_id":""#);
            text(out, good.0);
            int(out, model as i64);
            out.push(b'-');
            int(out, variant as i64 + 1);
            text(out, r#"","i_id":""#);
            text(out, good.0);
            int(out, model as i64);
            text(out, r#"","qty":"#);
            int(out, qty);
            text(out, r#","name":""#);
            text(out, good.1);
            text(out, r#"","properties_value":""#);
            text(out, VARIANTS[variant]);
            text(out, r#"","sale_price":"#);
            money(out, price, index % 5 == 2);
            text(out, r#","sale_amount":"#);
            money(out, price * qty, index % 5 == 2);
            text(out, r#","is_gift":""#);
            text(out, if is_gift { "true" } else { "false" });
            text(out, r#"","raw_so_id":""#);
            self.push_so_id(index, out);
            text(out, r#"","outer_oi_id":null,"batch_id":""}"#);
        }
        total
    }
}

/// A shop's name; also carried by its orders.
pub(crate) fn shop_name(index: u32) -> String {
    const BRANDS: &[&str] = &["云杉", "青禾", "拾光", "海盐", "木棉", "小满家", "北屿", "Lumi🌙"];
    const KINDS: &[&str] = &["旗舰店", "专营店", "官方店", "优选", "线下门店"];
    let brand = BRANDS[index as usize % BRANDS.len()];
    let kind = KINDS[index as usize / BRANDS.len() % KINDS.len()];
    format!("{brand}{kind}{:03}", index + 1)
}

#[cfg(test)]
mod tests {
    use super::Recipe;

    #[test]
    fn rows_are_json_and_repeatable() {
        let recipe = Recipe { seed: 5, shops: 12, is_colliding: false };
        let mut sizes = 0;
        for index in 0..500 {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            recipe.write(index, 1_800_000_000, Recipe::ts(index), &mut a);
            recipe.write(index, 1_800_000_000, Recipe::ts(index), &mut b);
            assert_eq!(a, b);
            sizes += a.len();
            let row: serde_json::Value = serde_json::from_slice(&a).expect("json");
            assert_eq!(row["io_id"].to_string(), Recipe::io_id(index).to_string());
            assert_eq!(row["so_id"], recipe.so_id(index));
            assert!((2..=3).contains(&row["items"].as_array().map_or(0, Vec::len)));
            if row["status"] == "Confirmed" {
                assert_eq!(row["l_id"], recipe.l_id(index));
            }
        }
        assert!((1_000..2_500).contains(&(sizes / 500)), "{}", sizes / 500);
    }
}
