//! `demo`: sandbox, plans, an embedded database, the certificate; nothing but this machine.

use std::path::Path;

use heliu_engine::RunOptions;
use heliu_model::ports::Clock;
use heliu_model::{Failure, Lang, text};
use heliu_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::args::Common;
use crate::clock::RealClock;
use crate::cmd::run::{one, stop_wish};
use crate::cmd::sandbox::failed;
use crate::output::{Done, Out, Stop};
use crate::report::{report_json, report_text};
use crate::wire::App;

/// The demonstration's plans begin this many days ago.
const DAYS_BACK: i64 = 5;
/// Marks a directory as ours to make anew.
const MARK: &str = ".heliu-demo";

const BI: &str = "platform = \"sqlite\"\npath = \"bi.db\"\n";
const NOOP: &str = "platform = \"轻易云集成平台\"\n";

/// The shops of every run keep the token alive; nothing is written (as the published plan does).
const KEEPALIVE: &str = include_str!("demo/token-keepalive.json");
/// Shops into a table.
const SHOPS: &str = include_str!("demo/shops.json");
/// Outbound orders, kept in the ledger only (as the published plan does).
const ORDERS: &str = include_str!("demo/orders.json");
/// Outbound orders into a table, keyed by their own number.
const ORDERS_BI: &str = include_str!("demo/orders-to-bi.json");

const PLANS: &[(&str, &str)] =
    &[("token-keepalive", KEEPALIVE), ("shops", SHOPS), ("orders", ORDERS), ("orders-to-bi", ORDERS_BI)];

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS shop (
  shop_id INTEGER PRIMARY KEY, shop_name TEXT, co_id TEXT, shop_site TEXT, shop_url TEXT,
  created TEXT, nick TEXT, session_expired TEXT
);
CREATE TABLE IF NOT EXISTS outbound (
  io_id INTEGER PRIMARY KEY, o_id INTEGER, so_id TEXT, shop_id INTEGER, status TEXT, modified TEXT, items TEXT
);";

fn io(path: &Path) -> impl Fn(std::io::Error) -> Stop + '_ {
    move |e| {
        let why = e.to_string();
        Failure::config("HL-1015", text!("the file cannot be written: {why}", "文件无法写入:{why}"))
            .at(path.display().to_string())
            .into()
    }
}

fn prepare(dir: &Path, connector: &str, start: &str) -> Result<(), Stop> {
    if dir.exists() {
        let ours = dir.join(MARK).exists();
        let empty = std::fs::read_dir(dir).is_ok_and(|mut d| d.next().is_none());
        if !ours && !empty {
            let shown = dir.display().to_string();
            return Err(Failure::config(
                "HL-8019",
                text!("`{shown}` is in use by something else", "`{shown}` 已被占用"),
            )
            .hint(text!("name another directory: `heliu demo DIR`", "请指定其他目录:`heliu demo 目录`"))
            .into());
        }
        if ours {
            std::fs::remove_dir_all(dir).map_err(io(dir))?;
        }
    }
    for folder in ["connectors", "plans"] {
        let path = dir.join(folder);
        std::fs::create_dir_all(&path).map_err(io(&path))?;
    }
    let mut files: Vec<(String, String)> = vec![
        (MARK.to_owned(), "made by `heliu demo`; a new demo replaces this directory\n".to_owned()),
        ("connectors/jushuitan.toml".to_owned(), connector.to_owned()),
        ("connectors/bi.toml".to_owned(), BI.to_owned()),
        ("connectors/qeasy.toml".to_owned(), NOOP.to_owned()),
    ];
    files.extend(
        PLANS.iter().map(|(name, text)| (format!("plans/{name}.json"), text.replace("@START@", start))),
    );
    for (name, content) in files {
        let path = dir.join(name);
        std::fs::write(&path, content).map_err(io(&path))?;
    }
    let db = dir.join("bi.db");
    let made = rusqlite::Connection::open(&db).and_then(|c| c.execute_batch(TABLES));
    made.map_err(|e| {
        let why = e.to_string();
        Failure::config("HL-1015", text!("the database cannot be made: {why}", "数据库无法创建:{why}"))
            .at(db.display().to_string())
    })?;
    Ok(())
}

/// `heliu demo`
pub async fn demo(out: &Out, given: &Common, dir: &Path, records: u32) -> Done {
    let dir = &given.project.join(dir);
    let sandbox = Sandbox::builder("jushuitan")
        .records(records)
        // The demonstration shows the flow, not the waiting: the platform's own limits would take minutes.
        .limits(50, 3_000)
        .listen("127.0.0.1:0")
        .await
        .map_err(failed)?;
    let limits = "\n[limits]\nrequests_per_second = 50\nrequests_per_minute = 3000\n";
    // The sandbox's orders were modified within the last days.
    let start = RealClock::new().now().plus_ms(-DAYS_BACK * 86_400_000).local(chrono_tz::Asia::Shanghai);
    prepare(dir, &format!("{}{limits}", sandbox.connector_toml()), &start)?;
    let url = sandbox.base_url();
    out.hint(&text!(
        "a stand-in of 聚水潭 with {records} outbound orders answers at {url}",
        "聚水潭沙箱(销售出库 {records} 单)已启动:{url}"
    ));
    let common = Common { project: dir.to_owned(), ..given.clone() };
    let app = App::open(&common, *out)?;
    let registry = app.registry()?;
    let ledger = app.ledger()?;
    let wish = stop_wish(*out);
    let mut answers = Vec::new();
    let mut balanced = true;
    let mut code = 0;
    for (name, _) in PLANS {
        let ready = app.ready(&registry, &ledger, name, false).await?;
        let report = one(&app, &ledger, &ready, RunOptions::default(), wish.clone()).await?;
        balanced &= report.balanced;
        code = code.max(report.exit_code());
        if out.json {
            answers.push(report_json(out, &report, ready.spec.tz));
        } else {
            report_text(out, &report, ready.spec.tz);
            out.line("");
        }
    }
    if out.json {
        out.value(&json!({"plans": Value::Array(answers), "balanced": balanced}));
        return Ok(code);
    }
    let rows = rows(&dir.join("bi.db"));
    let truth = sandbox.truth();
    let (shops, orders) = (truth.shops.len(), truth.orders.len());
    let shown = dir.display().to_string();
    out.line(&match out.lang {
        Lang::Zh => {
            format!("bi.db 中有店铺 {} / {shops}、销售出库 {} / {orders}(沙箱中的真实数量)", rows.0, rows.1)
        }
        Lang::En => format!(
            "bi.db holds {} of {shops} shops and {} of {orders} outbound orders that the sandbox has",
            rows.0, rows.1
        ),
    });
    out.hint(&text!(
        "look further:\n  heliu --project {shown} status\n  heliu --project {shown} records orders-to-bi --limit 5\n  heliu --project {shown} calls orders-to-bi\n  heliu --project {shown} certificate orders-to-bi\n  heliu init my-integration",
        "接下来可以:\n  heliu --project {shown} status\n  heliu --project {shown} records orders-to-bi --limit 5\n  heliu --project {shown} calls orders-to-bi\n  heliu --project {shown} certificate orders-to-bi\n  heliu init my-integration"
    ));
    Ok(code)
}

fn rows(db: &Path) -> (i64, i64) {
    let count = |table: &str| -> rusqlite::Result<i64> {
        rusqlite::Connection::open(db)?.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |r| r.get(0))
    };
    (count("shop").unwrap_or(0), count("outbound").unwrap_or(0))
}
