//! Rough timings of the hot paths: `cargo run --release -p heliu-transform --example timing`.

use std::time::Instant;

use bytes::Bytes;
use heliu_transform::mapping::Request;
use heliu_transform::{Context, Metadata, Shaping, Side, Value, canonical, records};

fn order(n: u64) -> String {
    format!(
        r#"{{"o_id":{},"io_id":{},"so_id":"SO-{n}","shop_id":12,"shop_name":"广州旗舰店","status":"Confirmed","created":"2024-03-15 14:30:00","modified":"2024-03-15 16:02:11","pay_amount":"100.50","freight":8.00,"qty":3,"weight":1.250,"receiver_name":"张三","receiver_mobile":"138****0000","receiver_state":"广东省","receiver_city":"广州市","receiver_district":"天河区","receiver_address":"体育西路一百零一号大厦二十楼","remark":"请仔细包装,谢谢","buyer_message":"尽快发货","lc_id":"SF","l_id":"SF10000{n}","wms_co_id":100{},"currency":"CNY","drp_co_name":"","labels":"重要,加急","is_cod":false,"items":[{{"ioi_id":1,"sku_id":"A1","name":"夏季短袖","qty":2,"sale_price":10.00,"sale_amount":20.00,"properties_value":"白色;L"}},{{"ioi_id":2,"sku_id":"B2","name":"冬季外套","qty":1,"sale_price":80.50,"sale_amount":80.50,"properties_value":"黑色;XL"}}]}}"#,
        10_000_000_000_000_000 + n,
        n,
        n % 7
    )
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn time(name: &str, rounds: u64, mut f: impl FnMut(u64)) {
    for n in 0..rounds / 10 {
        f(n);
    }
    let begin = Instant::now();
    for n in 0..rounds {
        f(n);
    }
    let each = begin.elapsed().as_secs_f64() / rounds as f64;
    println!("{name:<46} {:>9.3} µs  {:>11.0} /s", each * 1e6, 1.0 / each);
}

fn metadata(items: &[String], side: Side) -> Metadata {
    let doc = format!(r#"{{"api":"x","id":"io_id","request":[{}]}}"#, items.join(","));
    let doc = Value::parse(doc.as_bytes()).unwrap_or_default();
    Metadata::from_value(doc, side).0
}

fn main() {
    let raws: Vec<Bytes> = (0..2000).map(|n| Bytes::from(order(n))).collect();
    let at = |n: u64| &raws[(n % 2000) as usize];
    println!("record of {} bytes", raws[0].len());
    let rounds = 200_000;

    time("Value::parse", rounds, |n| {
        std::hint::black_box(Value::parse(at(n)).ok());
    });
    let mut buffer = Vec::new();
    time("content_hash", rounds, |n| {
        std::hint::black_box(canonical::content_hash(at(n), &[], &mut buffer).ok());
    });
    let shaping = Shaping::compile(&metadata(&[], Side::Source), chrono_tz::Asia::Shanghai);
    let mut shaped = Vec::new();
    time("shape (id and number only)", rounds, |n| {
        shaped.clear();
        shaping.shape(at(n), 0, &mut shaped);
    });
    let page = Bytes::from(format!(
        "{{\"code\":0,\"data\":{{\"has_next\":true,\"datas\":[{}]}}}}",
        raws[..100].iter().map(|r| String::from_utf8_lossy(r)).collect::<Vec<_>>().join(",")
    ));
    let path = heliu_transform::Path::new("data.datas");
    time("split a page of 100", 5_000, |_| {
        std::hint::black_box(records::split_list(&page, &path).ok());
    });

    let names = [
        "io_id",
        "o_id",
        "so_id",
        "shop_id",
        "shop_name",
        "status",
        "created",
        "modified",
        "pay_amount",
        "freight",
        "qty",
        "weight",
        "receiver_name",
        "receiver_mobile",
        "receiver_state",
        "receiver_city",
        "receiver_district",
        "receiver_address",
        "remark",
        "buyer_message",
        "lc_id",
        "l_id",
    ];
    let plain: Vec<String> =
        names.iter().map(|n| format!(r#"{{"field":"{n}","type":"string","value":"{{{n}}}"}}"#)).collect();
    let ctx = Context::new(1_710_403_200, 1_710_406_800, chrono_tz::Asia::Shanghai);
    let mut row = Vec::new();
    let mut rows = |name: &str, items: &[String]| {
        let request = Request::compile(&metadata(items, Side::Target));
        time(name, rounds, |n| {
            row.clear();
            if let Err(e) = request.render_row_raw(&ctx, at(n), &mut row) {
                println!("{}", e.message);
            }
        });
    };
    rows("row of 22 plain columns", &plain);
    let mut piped = plain.clone();
    piped[6] = r#"{"field":"created","type":"string","value":"{{created|date}}"}"#.into();
    piped[8] = r#"{"field":"pay_amount","type":"float","value":"{{pay_amount}}"}"#.into();
    rows("row of 22 columns, a pipe, a cast", &piped);
    let mut mixed = plain.clone();
    let functions = [
        "{{pay_amount}} * (1 + {{freight}})",
        "CASE '{{status}}' WHEN 'Confirmed' THEN '1' ELSE '0' END",
        "CONCAT('{{receiver_state}}','{{receiver_city}}')",
        "IFNULL({{qty}}, 0)",
        "LEFT('{{receiver_address}}', 6)",
        "FROM_UNIXTIME({{CURRENT_TIME}} - 600, '%Y-%m-%d %H:%i:%s')",
    ];
    for (slot, f) in mixed.iter_mut().zip(functions) {
        *slot = format!(r#"{{"field":"f","type":"string","value":"_function {f}"}}"#).replacen(
            "\"f\"",
            &format!("\"f{}\"", f.len()),
            1,
        );
    }
    rows("row of 22 columns, 6 functions", &mixed);

    mixed.truncate(19);
    mixed[6] = r#"{"field":"FShop","value":"{{shop_id}}","parser":{"name":"ConvertObjectParser","params":"FNumber"}}"#.into();
    mixed[7] =
        r#"{"field":"labels","value":"{{labels}}","parser":{"name":"StringToArray","params":","}}"#.into();
    mixed.push(
        r#"{"field":"FEntity","type":"array","value":"items","children":[{"field":"FMaterialId","value":"{{items.sku_id}}","parser":{"name":"ConvertObjectParser","params":"FNumber"}},{"field":"FQty","type":"int","value":"{{items.qty}}"},{"field":"FPrice","type":"float","value":"{{items.sale_price}}"},{"field":"FNo","value":"{{so_id}}"}]}"#.into(),
    );
    let request = Request::compile(&metadata(&mixed, Side::Target));
    time("order: 25 fields, rows, 6 functions, 3 parsers", rounds, |n| {
        if let Err(e) = request.render_raw(&ctx, at(n)) {
            println!("{}", e.message);
        }
    });
}
