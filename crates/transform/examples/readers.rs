//! Readers of JSON that keep the digits of numbers, side by side on one record of about a kilobyte:
//! `cargo run --release -p heliu-transform --example readers`.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use heliu_transform::{Value, canonical};

fn record(n: u64) -> String {
    let line = |i: u64| {
        format!(
            r#"{{"line_id":{i},"sku":"SKU-{i:06}","name":"纯棉圆领短袖T恤","qty":2,"price":59.90,"amount":"119.80","gift":false}}"#
        )
    };
    format!(
        r#"{{"io_id":{},"o_id":{n},"so_id":"DD{n:012}","shop_id":10245,"shop_name":"云杉官方旗舰店","status":"Confirmed","created":"2026-11-02 10:20:30","modified":"2026-11-03 11:21:31","pay_amount":2139.00,"freight":"12.50","weight":"1.284","receiver_name":"陈**","receiver_mobile":"138****0000","receiver_state":"浙江省","receiver_city":"杭州市","receiver_address":"文一西路 998 号","remark":"","labels":null,"is_cod":false,"lc_id":"SF","l_id":"SF{n:013}","items":[{},{},{}]}}"#,
        7_318_405_112_006_000_000_u64 + n,
        line(n),
        line(n + 1),
        line(n + 2),
    )
}

fn time(name: &str, records: &[Bytes], mut f: impl FnMut(&Bytes)) {
    let mut best = f64::MAX;
    for _ in 0..7 {
        let begin = Instant::now();
        for _ in 0..20 {
            records.iter().for_each(&mut f);
        }
        best = best.min(begin.elapsed().as_secs_f64() / (20 * records.len()) as f64);
    }
    println!("| {name} | {:.2} | {:.0} k |", best * 1e6, 1.0 / best / 1e3);
}

fn main() {
    let records: Vec<Bytes> = (0..1000).map(|n| Bytes::from(record(n))).collect();
    println!("record of {} bytes\n\n| reader | µs a record | records/s |\n|---|--:|--:|", records[0].len());
    time("heliu `Value`, exact numbers", &records, |r| drop(black_box(Value::parse(r).unwrap())));
    time("heliu canonical hash, nothing built", &records, |r| {
        let mut buffer = canonical::Scratch::default();
        black_box(canonical::content_hash(r, &[], &mut buffer).unwrap());
    });
    time("serde_json `Value`, arbitrary_precision", &records, |r| {
        drop(black_box(serde_json::from_slice::<serde_json::Value>(r).unwrap()));
    });
    time("sonic-rs `Value`, numbers as f64/i64 (not exact)", &records, |r| {
        drop(black_box(sonic_rs::from_slice::<sonic_rs::Value>(r).unwrap()));
    });
    time("sonic-rs `Value`, use_rawnumber", &records, |r| {
        let mut de = sonic_rs::Deserializer::from_slice(r).use_rawnumber();
        let v: sonic_rs::Value = serde::Deserialize::deserialize(&mut de).unwrap();
        drop(black_box(v));
    });
}
