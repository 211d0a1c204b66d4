//! How fast records are mapped: `cargo bench -p heliu-transform`. What is measured is processor time, so that a busy
//! machine counts as little as it can.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a measurement ends at the first thing that is not as it should be"
)]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, Throughput};
use heliu_transform::mapping::Request;
use heliu_transform::{Context, Metadata, Shaping, Side, Value, canonical};
use nix::time::{ClockId, clock_gettime};

/// As in the program.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Processor time of this thread.
struct Used(WallTime);

impl Measurement for Used {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
    }

    fn end(&self, begin: Duration) -> Duration {
        self.start() - begin
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, v: &Duration) -> f64 {
        self.0.to_f64(v)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

/// An order as shops' platforms give it, with so many rows.
fn order(n: u64, rows: usize) -> Bytes {
    let items: Vec<String> = (0..rows)
        .map(|i| {
            format!(
                r#"{{"ioi_id":{i},"sku_id":"A{i}","name":"夏季短袖 {i}","qty":{},"sale_price":{}.50,"sale_amount":20.00,"properties_value":"白色;L"}}"#,
                i + 1,
                10 + i
            )
        })
        .collect();
    Bytes::from(format!(
        r#"{{"o_id":{},"io_id":{n},"so_id":"SO-{n}","shop_id":12,"shop_name":"广州旗舰店","status":"Confirmed","created":"2024-03-15 14:30:00","modified":"2024-03-15 16:02:11","pay_amount":"100.50","freight":8.00,"qty":3,"weight":1.250,"receiver_name":"张三","receiver_mobile":"138****0000","receiver_state":"广东省","receiver_city":"广州市","receiver_district":"天河区","receiver_address":"体育西路一百零一号大厦二十楼","remark":"请仔细包装,谢谢","buyer_message":"尽快发货","lc_id":"SF","l_id":"SF10000{n}","wms_co_id":100{},"currency":"CNY","drp_co_name":"","labels":"重要,加急","is_cod":false,"items":[{}]}}"#,
        10_000_000_000_000_000 + n,
        n % 7,
        items.join(",")
    ))
}

fn metadata(items: &[String], side: Side) -> Metadata {
    let doc = format!(r#"{{"api":"x","id":"io_id","request":[{}]}}"#, items.join(","));
    let (meta, problems) = Metadata::from_value(Value::parse(doc.as_bytes()).unwrap(), side);
    assert!(problems.is_empty(), "{problems:?}");
    meta
}

fn field(name: &str, value: &str) -> String {
    format!(r#"{{"field":"{name}","type":"string","value":"{value}"}}"#)
}

const NAMES: &[&str] = &[
    "io_id",
    "o_id",
    "so_id",
    "shop_id",
    "shop_name",
    "status",
    "receiver_district",
    "freight",
    "qty",
    "weight",
    "receiver_name",
    "receiver_mobile",
    "receiver_state",
    "receiver_city",
    "receiver_address",
    "remark",
    "buyer_message",
    "lc_id",
    "l_id",
];

const FUNCTIONS: &[&str] = &[
    "{{pay_amount}} * (1 + {{freight}})",
    "CASE '{{status}}' WHEN 'Confirmed' THEN '1' ELSE '0' END",
    "CONCAT('{{receiver_state}}','{{receiver_city}}')",
    "IFNULL({{qty}}, 0)",
    "LEFT('{{receiver_address}}', 6)",
    "FROM_UNIXTIME({{CURRENT_TIME}} - 600, '%Y-%m-%d %H:%i:%s')",
];

const ENTRY: &str = r#"{"field":"FEntity","type":"array","value":"items","children":[
    {"field":"FMaterialId","value":"{{items.sku_id}}","parser":{"name":"ConvertObjectParser","params":"FNumber"}},
    {"field":"FQty","type":"int","value":"{{items.qty}}"},{"field":"FPrice","type":"float","value":"{{items.sale_price}}"},
    {"field":"FNo","value":"{{so_id}}"}]}"#;

/// 25 fields: six functions, three parsers, four of them in each row.
fn rich() -> Vec<String> {
    let mut items: Vec<String> = FUNCTIONS
        .iter()
        .enumerate()
        .map(|(i, f)| field(&format!("f{i}"), &format!("_function {f}")))
        .collect();
    items.push(r#"{"field":"FShop","value":"{{shop_id}}","parser":{"name":"ConvertObjectParser","params":"FNumber"}}"#.into());
    items.push(
        r#"{"field":"labels","value":"{{labels}}","parser":{"name":"StringToArray","params":","}}"#.into(),
    );
    items.extend(NAMES.iter().take(13).map(|n| field(n, &format!("{{{{{n}}}}}"))));
    items.push(ENTRY.into());
    items
}

/// 22 columns: references, of which three go through a pipe.
fn piped() -> Vec<String> {
    let mut items: Vec<String> = NAMES.iter().map(|n| field(n, &format!("{{{{{n}}}}}"))).collect();
    items.push(field("created", "{{created|date}}"));
    items.push(field("modified", "{{modified|datetime}}"));
    items.push(field("stamp", "{{CURRENT_TIME|datetime}}"));
    items
}

fn benches(c: &mut Criterion<Used>) {
    let ctx = Context::new(1_710_403_200, 1_710_406_800, chrono_tz::Asia::Shanghai);
    let raws: Vec<Bytes> = (0..500).map(|n| order(n, 3)).collect();

    let mut group = c.benchmark_group("mapping");
    group.throughput(Throughput::Elements(1));
    let mut body = |name: &str, items: &[String], raws: &[Bytes]| {
        let request = Request::compile(&metadata(items, Side::Target));
        let mut n = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                n = (n + 1) % raws.len();
                black_box(request.render_raw(&ctx, &raws[n]).unwrap())
            });
        });
    };
    body("order: 25 fields, 3 rows, 6 functions, 3 parsers", &rich(), &raws);
    let mut row = |name: String, items: &[String]| {
        let request = Request::compile(&metadata(items, Side::Target));
        let (mut n, mut out) = (0, Vec::new());
        group.bench_function(name, |b| {
            b.iter(|| {
                n = (n + 1) % raws.len();
                out.clear();
                request.render_row_raw(&ctx, &raws[n], &mut out, &mut Vec::new()).unwrap();
                black_box(out.len())
            });
        });
    };
    row("row: 22 references, 3 pipes".into(), &piped());
    let functions: Vec<String> = (0..16)
        .flat_map(|k| {
            FUNCTIONS
                .iter()
                .enumerate()
                .map(move |(i, f)| field(&format!("f{k}_{i}"), &format!("_function {f}")))
        })
        .collect();
    for n in [6, 24, 96] {
        row(format!("row: {n} functions"), &functions[..n]);
    }
    for (i, f) in FUNCTIONS.iter().enumerate() {
        row(format!("function: {f}"), &[field(&format!("f{i}"), &format!("_function {f}"))]);
    }
    // The same over records that were parsed before: the mapping alone.
    let records: Vec<Value> = raws.iter().map(|r| Value::parse(r).unwrap()).collect();
    let (rich, piped) = (metadata(&rich(), Side::Target), metadata(&piped(), Side::Target));
    let (rich, piped) = (Request::compile(&rich), Request::compile(&piped));
    let mut n = 0;
    group.bench_function("order, parsed", |b| {
        b.iter(|| {
            n = (n + 1) % records.len();
            black_box(rich.render(&ctx, Some(&records[n])).unwrap())
        });
    });
    let mut out = Vec::new();
    group.bench_function("row, parsed", |b| {
        b.iter(|| {
            n = (n + 1) % records.len();
            out.clear();
            piped.render_row(&ctx, &records[n], &mut out).unwrap();
            black_box(out.len())
        });
    });
    group.finish();

    let mut group = c.benchmark_group("rows");
    for rows in [3, 30, 300] {
        let raws: Vec<Bytes> = (0..50).map(|n| order(n, rows)).collect();
        let request = Request::compile(&metadata(&[ENTRY.to_owned()], Side::Target));
        let mut n = 0;
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_with_input(BenchmarkId::from_parameter(rows), &rows, |b, _| {
            b.iter(|| {
                n = (n + 1) % raws.len();
                black_box(request.render_raw(&ctx, &raws[n]).unwrap())
            });
        });
    }
    group.finish();

    let mut group = c.benchmark_group("reading");
    group.throughput(Throughput::Bytes(raws[0].len() as u64));
    group.bench_function("a whole value", |b| b.iter(|| black_box(Value::parse(&raws[0]).unwrap())));
    let mut buffer = canonical::Scratch::default();
    group.bench_function("content hash", |b| {
        b.iter(|| black_box(canonical::content_hash(&raws[0], &[], &mut buffer).unwrap()));
    });
    let shaping = Shaping::compile(&metadata(&[], Side::Source), chrono_tz::Asia::Shanghai);
    let mut shaped = Vec::new();
    group.bench_function("id and number", |b| {
        b.iter(|| {
            shaped.clear();
            shaping.shape(&raws[0], 0, &mut shaped);
            black_box(shaped.len())
        });
    });
    group.finish();
}

fn main() {
    let mut c = Criterion::default().with_measurement(Used(WallTime)).configure_from_args();
    benches(&mut c);
    c.final_summary();
}
